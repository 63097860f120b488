"""The features of a run's states: derived from its tables (`aurigrid.store.measures`), kept beside them, read back."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.table import Array, Table
from aurigrid.store.arrays import numbers
from aurigrid.store.measures import Description, Feature, States, describe
from aurigrid.store.query import Run, open_run
from aurigrid.store.run import write_table
from aurigrid.store.schema import TABLES, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

DEFINITION = "1"
"""Version of the features; vectors of another one are derived anew."""

_KEY = b"aurigrid.features"
_STEPS_AT_ONCE = 96
_OUT_MVA = 1e-6


@dataclass(frozen=True, eq=False)
class Features:
    """The vectors of a run.

    Attributes:
        features: what each column is.
        step: (n,) int32 steps, ascending; time: (n,) datetime64[ms], starts of their intervals.
        value: (n, n_feature) float64 in the features' units; NaN where the base state is not solved.
        branches_out: for each step, the ids of the branches that carry nothing.
    """

    features: tuple[Feature, ...]
    step: Array
    time: Array
    value: Array
    branches_out: tuple[tuple[str, ...], ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)


def ensure_features(run: Run | str | os.PathLike[str]) -> Features:
    """The features of every finished step, derived where they are missing and kept in the run folder.

    A folder that cannot be written is read all the same.

    Raises:
        InputError: not a run, damaged files, or a grid from which no features follow.
    """
    found = run if isinstance(run, Run) else open_run(run)
    stored = _stored(found)
    done = set(stored.step.tolist()) if stored is not None else set()
    missing = [step for step in found.steps if step not in done]
    if stored is not None and not missing:
        return stored
    complete = _derive(found, missing, stored)
    with contextlib.suppress(OSError):  # an archive that may only be read
        _write(found.path, complete)
    return complete


def _derive(run: Run, missing: list[int], stored: Features | None) -> Features:
    net = read_grid(run.path)
    described = describe(net)
    names = tuple(f for f, _ in described.columns)
    parts = [] if stored is None or stored.features != names else [stored]
    if not parts:
        missing = list(run.steps)
    chunks = (tuple(missing[i : i + _STEPS_AT_ONCE]) for i in range(0, len(missing), _STEPS_AT_ONCE))
    parts.extend(_derive_some(run, net, described, chunk) for chunk in chunks)
    step = np.concatenate([p.step for p in parts] or [np.zeros(0, np.int32)])
    order = np.argsort(step, kind="stable")
    out = [branches for p in parts for branches in p.branches_out]
    return Features(
        names,
        step[order],
        np.concatenate([p.time for p in parts] or [np.zeros(0, "datetime64[ms]")])[order],
        np.concatenate([p.value for p in parts] or [np.zeros((0, len(names)))])[order],
        tuple(out[i] for i in order.tolist()),
    )


def _derive_some(run: Run, net: Network, described: Description, steps: tuple[int, ...]) -> Features:
    states = _states(run, net, steps)
    idle = states.s_mva <= _OUT_MVA
    ids = net.branch.id.astype(str)
    time = states.steps["time"].astype("datetime64[ms]")
    out = tuple(tuple(ids[row].tolist()) for row in idle)
    return Features(tuple(f for f, _ in described.columns), np.array(steps, np.int32), time, described(states), out)


def _states(run: Run, net: Network, steps: tuple[int, ...]) -> States:
    """Base states of some steps as arrays; what is null in a solved state is 0."""
    n = len(steps)

    def matrix(table: pa.Table, column: str, size: int) -> Array:
        values = numbers(table.column(column)).astype(float)
        if len(values) != n * size:
            raise InputError(
                Issue(str(run.path), column, "does not fit the grid of the run", hint="a file was changed")
            )
        return values.reshape(n, size)

    table = run.table("steps", steps)
    if len(table) != n:
        hint = "similar situations need runs of 'aurigrid day'"
        raise InputError(Issue(str(run.path), "", "holds no states of its steps", hint=hint))
    branch, gen = run.table("branch_state", steps), run.table("gen_state", steps)
    p_from, q_from, p_to, q_to, loading = (
        np.nan_to_num(matrix(branch, c, net.n_branch))
        for c in ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "loading")
    )
    figures = [c.name for c in TABLES["steps"] if c.type not in ("text", "shares")]
    return States(
        v_mag=matrix(run.table("bus_state", steps), "v_mag", net.n_bus),
        p_from=p_from,
        p_to=p_to,
        s_mva=np.maximum(np.hypot(p_from, q_from), np.hypot(p_to, q_to)),
        loading=loading,
        gen_p=np.nan_to_num(matrix(gen, "p_mw", net.n_gen)),
        steps={"status": table.column("status").to_pylist(), **{c: numbers(table.column(c)) for c in figures}},
    )


def read_grid(path: Path) -> Network:
    """The tables of a run's grid, as stored; nothing is validated again.

    Raises:
        InputError: a damaged file.
    """
    tables: dict[str, Table] = {}
    for name, kind in Network.table_types().items():
        file = path / "grid" / f"{name}.parquet"
        if file.exists():
            tables[name] = _read_table(file, kind)
    if "bus" not in tables:
        raise InputError(Issue(str(path), "grid", "has no buses", hint="the run folder is damaged; make the run anew"))
    return Network(**tables)  # type: ignore[arg-type]


def _read_table(file: Path, kind: type[Table]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(Issue(str(file), "", f"cannot be read ({error})")) from error
    known = [name for name in stored.column_names if name in kind.columns()]
    return kind.make(len(stored), **{name: stored.column(name).to_pylist() for name in known})


def _stored(run: Run) -> Features | None:
    """The vectors in a run folder; None where there are none, or of another definition."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file, listed = run.path / "features.parquet", run.path / "feature_list.parquet"
    if not (file.exists() and listed.exists()):
        return None
    try:
        if any((pq.read_schema(f).metadata or {}).get(_KEY) != DEFINITION.encode() for f in (file, listed)):
            return None
        specs, table = run.table("feature_list"), run.table("features")
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            Issue(str(file), "", f"cannot be read ({error})", hint="remove it; it is derived again")
        ) from error
    rows = specs.select(["name", "group", "unit", "scale", "doc"]).to_pylist()
    features = tuple(Feature(**row) for row in rows)
    flat = table.column("value").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    value = np.asarray(flat, dtype=float).reshape(len(table), len(features))
    out = tuple(map(tuple, table.column("branches_out").to_pylist()))
    step = numbers(table.column("step"))
    kept = np.flatnonzero(np.isin(step, run.steps))
    time = numbers(table.column("time"))
    return Features(features, step[kept], time[kept], value[kept], tuple(out[i] for i in kept.tolist()))


def _write(path: Path, found: Features) -> None:
    import pyarrow as pa

    n, d = found.value.shape
    value = pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * d), pa.array(found.value.ravel()))
    columns: dict[str, Any] = {
        name: [getattr(f, name) for f in found.features] for name in Feature.__dataclass_fields__
    }
    tables = {
        "feature_list": to_arrow("feature_list", {"feature": np.arange(d), **columns}),
        "features": to_arrow(
            "features",
            {
                "step": found.step,
                "time": found.time,
                "value": value,
                "branches_out": pa.array([list(x) for x in found.branches_out], pa.list_(pa.string())),
            },
        ),
    }
    for name, table in tables.items():
        metadata = {**(table.schema.metadata or {}), _KEY: DEFINITION.encode()}
        write_table(path / f"{name}.parquet", table.replace_schema_metadata(metadata))
