"""A small run: three steps of a grid with two buses, one branch and one unit, two outages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurigrid.store import RunWriter, start_run


def save_grid(folder: Path) -> None:
    folder.mkdir()
    pq.write_table(pa.table({"id": ["A", "B"], "v_nom_kv": [380.0, 220.0]}), folder / "bus.parquet")


def begin(path: Path, **changes: Any) -> RunWriter:
    given: dict[str, Any] = {
        "grid": {"name": "two", "digest": "d1"},
        "options": {"date": "2016-01-18", "q_limits": True},
        "n_steps": 3,
        "contingency_list": {
            "contingency": [0, 1],
            "label": ["L1", "G1"],
            "kind": ["line", "generator"],
            "elements": [["branch:L1"], ["gen:G1"]],
            "representative": [0, 1],
        },
        "save_grid": save_grid,
    }
    return start_run(path, **{**given, **changes})


def step_tables(step: int) -> dict[str, dict[str, Any]]:
    over = 100.0 + 10 * step
    return {
        "bus_state": {"bus": [0, 1], "v_mag": [1.0, np.nan], "v_ang": [0.0, -0.1 * step]},
        "branch_state": {
            "branch": [0],
            "p_from_mw": [10.0],
            "q_from_mvar": [1.0],
            "p_to_mw": [-9.9],
            "q_to_mvar": [-1.0],
            "loading": [0.5],
        },
        "gen_state": {"gen": [0], "p_mw": [10.0], "q_mvar": [2.0]},
        "violations": {
            "contingency": [0],
            "contingency_label": ["L1"],
            "element_table": ["branch"],
            "element": [0],
            "element_id": ["L1"],
            "kind": ["overload"],
            "value": [over],
            "base_value": [np.nan],
            "limit": [90.0],
            "excess": [over - 90.0],
            "new": [True],
            "severity": [(over - 90.0) / 90.0],
        },
        "contingencies": {
            "contingency": [0, 1],
            "contingency_label": ["L1", "G1"],
            "status": ["converged", "diverged"],
            "iterations": [3, 20],
            "mismatch_pu": [1e-10, np.nan],
            "lost_load_mw": [0.0, 0.0],
            "lost_gen_mw": [0.0, 0.0],
            "max_loading": [1.1, np.nan],
            "v_min_pu": [0.99, np.nan],
            "v_max_pu": [1.02, np.nan],
            "violations": [1, 0],
        },
        "steps": {
            "time": np.datetime64("2016-01-18T00:00") + np.timedelta64(15 * step, "m"),
            "status": "converged",
            "iterations": 3,
            "mismatch_pu": 1e-12,
            "load_mw": 9.0,
            "gen_mw": 10.0,
            "losses_mw": 0.1,
            "gen_by_fuel_mw": {"wind": 6.0, "hydro": 4.0},
            "max_loading": 0.5,
            "max_loading_branch": "L1",
            "v_min_pu": 1.0,
            "v_max_pu": 1.0,
            "outages": 2,
            "outages_converged": 1,
            "outages_islanded": 0,
            "outages_failed": 1,
            "outages_violating": 1,
            "base_violations": 0,
            "violations": 1,
            "worst_contingency": "L1",
            "worst_element": "L1",
            "worst_kind": "overload",
            "worst_severity": (over - 90.0) / 90.0,
            "seconds": 0.1,
        },
    }


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    writer = begin(tmp_path / "run")
    for step in range(3):
        writer.write_step(step, step_tables(step))
    writer.close("finished", {"converged": 6})
    return tmp_path / "run"
