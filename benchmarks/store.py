"""The store at 96 steps x 3000 outages: size, and seconds of the queries that people wait for.

    python benchmarks/store.py [--keep FOLDER] [--repeat 9]

The run is written by the store's own writer: a grid of 1500 buses, 2200 branches and 600 units, states that drift through
the day as real ones do (each element around its own level, quarter-hours alike), 3000 outages a step, and 2000 broken limits
a step as on the default day. Each query is timed from an open run folder to an Arrow table, as the first of a new process and
as the median of the following ones. Floors: worst outages 100 ms, one step 50 ms, 50 MB.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

STEPS, OUTAGES, BUSES, BRANCHES, UNITS, BROKEN = 96, 3000, 1500, 2200, 600, 2000
QUERIES = {
    "worst outages": (
        "SELECT contingency_label, max(severity) AS severity, count(DISTINCT step) AS steps FROM violations "
        "WHERE contingency >= 0 AND new GROUP BY contingency_label ORDER BY severity DESC LIMIT 20"
    ),
    "one step: broken limits": "SELECT * FROM violations WHERE step = 48 ORDER BY severity DESC",
    "one step: branches": (
        "SELECT b.id, s.p_from_mw, s.loading FROM branch_state s JOIN branch b ON b.position = s.branch WHERE step = 48"
    ),
    "one step: outages": "SELECT * FROM contingencies WHERE step = 48",
    "timeline": "SELECT step, time, load_mw, outages_violating, max_loading FROM steps ORDER BY step",
    "one outage over the day": "SELECT step, element_id, value FROM violations WHERE contingency = 77 ORDER BY step",
}
FLOORS_MS = {"worst outages": 100, "one step: broken limits": 50, "one step: branches": 50, "one step: outages": 50}


def main() -> int:
    """Write the run, ask the questions, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="write the run here and keep it; an existing one is used")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--first", nargs=2, metavar=("RUN", "QUERY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        print(seconds_of(Path(given.first[0]), given.first[1], 1)[0])
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        path = given.keep or Path(scratch) / "run"
        if not path.exists():
            began = time.perf_counter()
            write(path)
            print(f"written in {time.perf_counter() - began:.1f} s")
        files = [f for f in path.rglob("*") if f.is_file()]
        print(f"{sum(f.stat().st_size for f in files) / 1e6:.1f} MB in {len(files)} files (floor 50 MB)\n")
        print("| query | rows | first, ms | following, ms | floor, ms |\n|---|---|---|---|---|")
        for name, query in QUERIES.items():
            command = [sys.executable, __file__, "--first", str(path), query]
            first = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            seconds, rows = seconds_of(path, query, given.repeat)
            floor = FLOORS_MS.get(name, "")
            print(f"| {name} | {rows} | {1e3 * first:.0f} | {1e3 * seconds:.0f} | {floor} |", flush=True)
    return 0


def seconds_of(path: Path, query: str, repeat: int) -> tuple[float, int]:
    """Median seconds of a query, packages loaded beforehand, and its rows; the run is opened once."""
    import duckdb
    import pyarrow.parquet

    from aurigrid.store import open_run

    assert duckdb
    assert pyarrow.parquet
    run, taken, rows = open_run(path), [], 0
    for _ in range(repeat if repeat == 1 else repeat + 1):
        began = time.perf_counter()
        rows = run.sql(query).num_rows
        taken.append(time.perf_counter() - began)
    return statistics.median(taken if repeat == 1 else taken[1:]), rows


def write(path: Path) -> None:
    """The run."""
    from aurigrid.io.folder import save
    from aurigrid.store import start_run

    rng = np.random.default_rng(1)
    net = grid(rng)
    writer = start_run(
        path,
        grid={"name": "synthetic", "digest": net.digest},
        options={"step_min": 15},
        n_steps=STEPS,
        contingency_list={
            "contingency": np.arange(OUTAGES),
            "label": [f"outage {i}" for i in range(OUTAGES)],
            "kind": ["line"] * OUTAGES,
            "elements": [[f"branch:{i % BRANCHES}"] for i in range(OUTAGES)],
            "representative": np.arange(OUTAGES),
        },
        save_grid=lambda folder: save(net, folder),
    )
    drift = {
        name: Drift(size, rng)
        for name, size in (("bus", BUSES), ("branch", BRANCHES), ("gen", UNITS), ("out", OUTAGES))
    }
    for step in range(STEPS):
        writer.write_step(step, tables(net, step, drift, rng))
    writer.close("finished", {})


def grid(rng: np.random.Generator) -> Any:
    """A meshed grid with random impedances."""
    from aurigrid.model.network import Network
    from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

    ends = np.concatenate(
        [np.stack([np.arange(BUSES - 1), np.arange(1, BUSES)]), rng.integers(0, BUSES, (2, BRANCHES))], axis=1
    )
    ends = ends[:, ends[0] != ends[1]][:, :BRANCHES]
    return Network(
        bus=BusTable.make(
            id=range(BUSES), v_nom_kv=[380.0] * BUSES, lon=rng.uniform(5, 15, BUSES), lat=rng.uniform(47, 55, BUSES)
        ),
        branch=BranchTable.make(
            id=range(BRANCHES), from_bus=ends[0], to_bus=ends[1], x_pu=rng.uniform(0.01, 0.1, BRANCHES), rate_mva=1000.0
        ),
        gen=GenTable.make(
            id=range(UNITS),
            bus=rng.integers(0, BUSES, UNITS),
            p_max_mw=200.0,
            fuel=rng.choice(["wind", "solar", "gas"], UNITS),
        ),
        load=LoadTable.make(id=range(BUSES), bus=range(BUSES), p_mw=[30.0] * BUSES),
    )


class Drift:
    """Values that move a little from step to step around levels of their own."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.rng, self.value = rng, rng.normal(size=size)

    def __call__(self) -> Any:
        self.value = self.value + 0.05 * self.rng.normal(size=len(self.value))
        return self.value


def tables(net: Any, step: int, drift: dict[str, Drift], rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """All tables of a step."""
    bus, branch, gen, out = (drift[name]() for name in ("bus", "branch", "gen", "out"))
    p = 400 * branch
    weight = np.exp(2 * out)
    broken = np.sort(rng.choice(OUTAGES, BROKEN, p=weight / weight.sum()))
    element = (broken * 7 + rng.integers(0, 5, BROKEN)) % BRANCHES
    labels = [f"outage {i}" for i in broken.tolist()]
    value = 1000 * (1 + rng.exponential(0.2, BROKEN))
    return {
        "bus_state": {"bus": range(BUSES), "v_mag": 1.02 + 0.02 * bus, "v_ang": 0.2 * bus},
        "branch_state": {
            "branch": range(BRANCHES), "p_from_mw": p, "q_from_mvar": 0.1 * p, "p_to_mw": -0.99 * p, "q_to_mvar": -0.1 * p,
            "loading": np.abs(p) / 1000,
        },
        "gen_state": {"gen": range(UNITS), "p_mw": np.abs(100 * gen), "q_mvar": 10 * gen},
        "violations": {
            "contingency": broken, "contingency_label": labels, "element_table": ["branch"] * BROKEN,
            "element": element, "element_id": element.astype(str).tolist(), "kind": ["overload"] * BROKEN, "value": value,
            "base_value": 0.9 * value, "limit": [1000.0] * BROKEN, "excess": value - 1000, "new": [True] * BROKEN,
            "severity": value / 1000 - 1,
        },
        "contingencies": {
            "contingency": range(OUTAGES), "contingency_label": [f"outage {i}" for i in range(OUTAGES)],
            "status": ["converged"] * OUTAGES, "iterations": rng.integers(2, 6, OUTAGES),
            "mismatch_pu": rng.uniform(1e-12, 1e-8, OUTAGES), "lost_load_mw": [0.0] * OUTAGES, "lost_gen_mw": [0.0] * OUTAGES,
            "max_loading": 1 + 0.1 * out, "v_min_pu": 0.95 + 0.01 * out, "v_max_pu": 1.08 + 0.01 * out,
            "violations": np.bincount(broken, minlength=OUTAGES),
        },
        "steps": {
            "time": np.datetime64("2016-01-18") + np.timedelta64(15 * step, "m"), "status": "converged", "iterations": 3,
            "mismatch_pu": 1e-9, "load_mw": 45_000.0 + step, "gen_mw": 45_900.0 + step, "losses_mw": 900.0,
            "gen_by_fuel_mw": {"wind": 10_000.0 + step, "gas": 35_000.0}, "max_loading": 1.1, "max_loading_branch": "7",
            "v_min_pu": 0.96, "v_max_pu": 1.08, "outages": OUTAGES, "outages_converged": OUTAGES, "outages_islanded": 0,
            "outages_failed": 0, "outages_violating": len(np.unique(broken)), "base_violations": 0, "violations": BROKEN,
            "worst_contingency": "outage 1", "worst_element": "7", "worst_kind": "overload",
            "worst_severity": float(value.max() / 1000 - 1), "seconds": 0.1,
        },
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
