"""Similar states among 100 000 x 256 features, against DuckDB's array_distance, NumPy and scikit-learn where installed.

    python benchmarks/similar.py [--states 100000] [--features 256] [--k 20] [--repeat 15]

The states drift through time like those of a grid: eight years of hours with daily and yearly rhythms, each feature with
noise of its own. Every tool is asked for the k nearest of the same queries, in one process, data in memory; what it finds is
compared with all distances in float64. Medians. With a condition: a random quarter of the states may be found.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from aurigrid.store.nearest import NearestIndex


def main() -> int:
    """Time every tool and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("states", 100_000), ("features", 256), ("k", 20), ("repeat", 15)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    rng = np.random.default_rng(3)
    points, queries = states(given.states, given.features, rng), states(given.repeat, given.features, rng)
    truth = [brute_force(points, q, given.k) for q in queries]
    among = rng.random(len(points)) < 0.25
    began = time.perf_counter()
    index = NearestIndex(points)
    built = time.perf_counter() - began
    tools: list[tuple[str, Callable[[Any], Any]]] = [
        ("aurigrid", lambda q: index.nearest(q, given.k)[0]),
        ("aurigrid, a quarter allowed", lambda q: index.nearest(q, given.k, among)[0]),
        ("NumPy, all distances in float64", lambda q: brute_force(points, q, given.k)),
        *sklearn(points, given.k),
        *duckdb(points, given.k),
    ]
    print(
        f"{given.states} states x {given.features} features, nearest {given.k}; index built in {1e3 * built:.0f} ms\n"
    )
    print("| tool | ms | same states in the same order |\n|---|---|---|")
    for name, search in tools:
        search(queries[0])
        seconds, same = [], 0
        for query, expected in zip(queries, truth, strict=True):
            wanted = (
                np.flatnonzero(among)[brute_force(points[among], query, given.k)] if "quarter" in name else expected
            )
            began = time.perf_counter()
            found = search(query)
            seconds.append(time.perf_counter() - began)
            same += bool(np.array_equal(np.asarray(found), wanted))
        print(f"| {name} | {1e3 * statistics.median(seconds):.1f} | {same} of {len(queries)} |", flush=True)
    return 0


def states(n: int, d: int, rng: np.random.Generator) -> Any:
    """(n, d) vectors over random hours of eight years."""
    shape = np.random.default_rng(0).normal(size=(7, d))  # the same for stored and asked states
    hour = rng.uniform(0, 8 * 8766, n)
    day, year = 2 * np.pi * hour / 24, 2 * np.pi * hour / 8766
    weather = rng.normal(size=(n, 2))
    rhythm = np.stack([np.sin(day), np.cos(day), np.sin(2 * day), np.sin(year), np.cos(year)], axis=1)
    return np.hstack([rhythm, weather]) @ shape + 0.3 * rng.normal(size=(n, d))


def brute_force(points: Any, query: Any, k: int) -> Any:
    """The definition: every distance in float64, sorted."""
    square = ((points - query) ** 2).sum(axis=1)
    near = np.argpartition(square, k)[: k + 1]
    return near[np.lexsort((near, square[near]))][:k]


def sklearn(points: Any, k: int) -> list[tuple[str, Callable[[Any], Any]]]:
    """scikit-learn's brute-force neighbours."""
    if importlib.util.find_spec("sklearn") is None:
        return []
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    return [("scikit-learn, brute force", lambda q: found.kneighbors(q[None], return_distance=False)[0])]


def duckdb(points: Any, k: int) -> list[tuple[str, Callable[[Any], Any]]]:
    """array_distance over a table in DuckDB's memory, in float32 as such tables are kept and in float64."""
    import duckdb as db
    import pyarrow as pa

    tools = []
    for sql_type, dtype in (("FLOAT", np.float32), ("DOUBLE", np.float64)):
        con, d = db.connect(), points.shape[1]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(points.astype(dtype).ravel()), d)
        con.register("given", pa.table({"id": np.arange(len(points)), "x": flat}))
        con.execute(f"CREATE TABLE state AS SELECT id, x::{sql_type}[{d}] AS x FROM given")
        query = f"SELECT id FROM state ORDER BY array_distance(x, $q::{sql_type}[{d}]), id LIMIT {k}"

        def search(q: Any, con: Any = con, query: str = query) -> Any:
            return [row[0] for row in con.execute(query, {"q": q.tolist()}).fetchall()]

        tools.append((f"DuckDB array_distance, {sql_type}", search))
    return tools


if __name__ == "__main__":
    sys.exit(main())
