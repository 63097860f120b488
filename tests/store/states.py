"""Runs of a four-bus grid with two areas, written by the real writer with made-up states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.io.folder import save
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.store import RunWriter

from .conftest import begin, step_tables

START = np.datetime64("2016-01-18T00:00")  # a Monday


def two_areas() -> Network:
    """Area A (buses 0 and 1) and area B (2 and 3) in a ring; T1 and T2 join them. Installed capacity: 1000 MW."""
    return Network(
        bus=BusTable.make(id=["a0", "a1", "b2", "b3"], v_nom_kv=[380, 380, 380, 110], area=["A", "A", "B", "B"]),
        branch=BranchTable.make(
            id=["LA", "T1", "LB", "T2"],
            from_bus=[0, 1, 2, 3],
            to_bus=[1, 2, 3, 0],
            x_pu=[0.1, 0.1, 0.1, 0.2],
            r_pu=0.01,
            rate_mva=[100, 200, 100, 150],
        ),
        gen=GenTable.make(
            id=["wind", "hydro", "gas", "sun"],
            bus=[0, 1, 3, 3],
            fuel=["wind", "hydro", "gas", "solar"],
            p_max_mw=[300, 400, 200, 100],
            is_reference=[False, True, False, False],
            regulates=[False, True, False, False],
            p_mw=[120, 0, 40, 10],
        ),
        load=LoadTable.make(id=["l1", "l2", "l3"], bus=[1, 2, 3], p_mw=[80, 150, 30], q_mvar=[10, 20, 5]),
        name="areas",
    )


def state(net: Network, step: int, rng: np.random.Generator, **steps: Any) -> dict[str, dict[str, Any]]:
    """The tables of a step with random voltages, flows and outputs."""
    tables = step_tables(step)
    p, q = rng.uniform(-90, 90, net.n_branch), rng.uniform(-20, 20, net.n_branch)
    tables["bus_state"] = {
        "bus": range(net.n_bus),
        "v_mag": rng.uniform(0.95, 1.05, net.n_bus),
        "v_ang": np.zeros(net.n_bus),
    }
    tables["branch_state"] = {
        "branch": range(net.n_branch), "p_from_mw": p, "q_from_mvar": q, "p_to_mw": -0.98 * p, "q_to_mvar": -q,
        "loading": np.hypot(p, q) / net.branch.rate_mva,
    }  # fmt: skip
    tables["gen_state"] = {
        "gen": range(net.n_gen),
        "p_mw": rng.uniform(0, 100, net.n_gen),
        "q_mvar": np.zeros(net.n_gen),
    }
    tables["steps"].update(
        outages=10, outages_violating=int(rng.integers(0, 5)), base_violations=int(rng.integers(0, 5)),
        load_mw=float(rng.uniform(100, 300)), max_loading=float(rng.uniform(0.3, 1.2)),
        worst_severity=float(rng.uniform(0, 1)), **steps,
    )  # fmt: skip
    return tables


def write_run(
    path: Path, n: int = 12, seed: int = 1, day: int = 0, *, total: int | None = None, **changes: Any
) -> RunWriter:
    """A run of `n` quarter-hours, `day` days after 18 January 2016; finished unless more are `total`."""
    net, rng = changes.pop("net", two_areas()), np.random.default_rng(seed)
    writer = begin(path, n_steps=n if total is None else total, save_grid=lambda folder: save(net, folder), **changes)
    for step in range(n):
        time = START + np.timedelta64(day, "D") + np.timedelta64(15 * step, "m")
        writer.write_step(step, state(net, step, rng, time=time))
    if total is None:
        writer.close("finished", {})
    return writer
