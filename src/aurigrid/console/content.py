"""What a page shows of a run before anything is asked of it: its grid, steps and states.

Nothing here needs the web framework, so that the first map is answered while that is still being loaded.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.console.columns import Columns, from_arrow, packed, texts
from aurigrid.console.library import Entry
from aurigrid.console.listed import kind_of
from aurigrid.console.plans import plan_state, plan_steps
from aurigrid.console.shown import Grid, State, Steps
from aurigrid.errors import AurigridError
from aurigrid.store.arrays import numbers
from aurigrid.store.run import is_plan

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.model.table import Array
    from aurigrid.store import Run

WINDOW = 192
"""Steps that are looked through together; a run with more is looked through a day at a time."""


def grid(entry: Entry) -> Grid:
    """The grid with positions for the map."""
    return entry.kept.get("grid", lambda: grid_of(entry.network()))


def grid_of(net: Network) -> Grid:
    """A network as the map takes it."""
    from aurigrid.console.layout import places

    at = places(net)
    bus = {
        "id": texts(net.bus.id),
        "name": texts(net.bus.name),
        "v_nom_kv": packed(net.bus.v_nom_kv, "f32"),
        "v_min_pu": packed(net.bus.v_min_pu, "f32"),
        "v_max_pu": packed(net.bus.v_max_pu, "f32"),
        "area": texts(net.bus.area),
        "substation": packed(at.substation, "i32"),
        "star": packed(net.bus.is_star, "u8"),
        "x": packed(at.x, "f32"),
        "y": packed(at.y, "f32"),
    }
    branch = {
        "id": texts(net.branch.id),
        "name": texts(net.branch.name),
        "kind": packed(net.branch.kind, "i32"),
        "from_bus": packed(net.branch.from_bus, "i32"),
        "to_bus": packed(net.branch.to_bus, "i32"),
        "rate_mva": packed(np.where(np.isfinite(net.branch.rate_mva), net.branch.rate_mva, np.nan), "f32"),
        "length_km": packed(net.branch.length_km, "f32"),
        "in_service": packed(net.branch.in_service, "u8"),
    }
    gen = {
        "id": texts(net.gen.id),
        "name": texts(net.gen.name),
        "bus": packed(net.gen.bus, "i32"),
        "fuel": texts(net.gen.fuel),
        "p_max_mw": packed(np.where(np.isfinite(net.gen.p_max_mw), net.gen.p_max_mw, np.nan), "f32"),
    }
    load = {"id": texts(net.load.id), "name": texts(net.load.name), "bus": packed(net.load.bus, "i32")}
    switch = {"from_bus": packed(net.switch.from_bus, "i32"), "to_bus": packed(net.switch.to_bus, "i32")}
    return Grid(
        name=net.name,
        geographic=at.geographic,
        origin=at.origin,
        bus=Columns(rows=net.n_bus, columns=bus),
        branch=Columns(rows=net.n_branch, columns=branch),
        gen=Columns(rows=net.n_gen, columns=gen),
        load=Columns(rows=net.n_load, columns=load),
        switch=Columns(rows=len(net.switch), columns=switch),
    )


def steps(entry: Entry) -> Steps:
    """One row a finished step."""
    run = entry.run()
    return entry.kept.get(("steps", run.steps), lambda: _steps(entry))


def _steps(entry: Entry) -> Steps:
    import pyarrow as pa

    if is_plan(entry.path):
        return plan_steps(entry)
    table = _with_points(entry.run())
    plain, shares = {}, {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_map(column.type):
            rows = [dict(row or []) for row in column.to_pylist()]
            keys = sorted({key for row in rows for key in row})
            parts = {k: packed(np.array([row.get(k, np.nan) for row in rows], float), "f32") for k in keys}
            shares[name] = Columns(rows=len(table), columns=parts)
        else:
            plain[name] = from_arrow(column)
    minutes = float(entry.run().info.options.get("step_min", 15) or 15)
    return Steps(table=Columns(rows=len(table), columns=plain), shares=shares, step_h=minutes / 60)


POINT_COLUMNS = (
    "label", "cost_per_h", "carbon_t_per_h", "available_mw", "curtailed_mw", "redispatch_mw", "short_mw", "short_mvar",
)  # fmt: skip
"""Columns of ``points`` that a run on generated operating points has beside those of ``steps``."""


def _with_points(run: Run) -> Any:
    """The table of steps, with costs and curtailment where the run has operating points; these alone where it has no more."""
    table = run.table("steps") if "steps" in run.table_names else None
    if "points" not in run.table_names:
        return run.table("steps") if table is None else table
    points = run.table("points")
    if table is None or len(table) == 0:
        return points
    if points.column("step").to_pylist() != table.column("step").to_pylist():
        points = points.take([points.column("step").to_pylist().index(s) for s in table.column("step").to_pylist()])
    for name in POINT_COLUMNS:
        if name in points.column_names and name not in table.column_names:
            table = table.append_column(name, points.column(name))
    return table


STATES = {
    "bus_state": ("v_mag", "v_ang"),
    "branch_state": ("p_from_mw", "q_from_mvar", "p_to_mw", "loading"),
    "gen_state": ("p_mw", "q_mvar"),
}
"""What is shown of each table of a state."""

_AT_ONCE = 64 << 20
"""Bytes of the states of a window that are read ahead together."""


def matrices(entry: Entry, name: str, seen: tuple[int, ...]) -> dict[str, Array]:
    """Columns of a state table as (steps, elements): every later question about a step or an element is a slice."""

    def make() -> dict[str, Array]:
        found, n = entry.run().table(name, seen), _size(entry, name)
        return {c: numbers(found.column(c)).astype(np.float32).reshape(len(seen), n) for c in STATES[name]}

    return entry.kept.get((name, seen), make)


def _size(entry: Entry, name: str) -> int:
    return len(getattr(entry.network(), name.partition("_")[0]))


def state(entry: Entry, step: int) -> State:
    """The base state of a finished step."""
    return entry.kept.get(("state", step), lambda: _state(entry, step))


def _state(entry: Entry, step: int) -> State:
    if is_plan(entry.path):
        return plan_state(entry, step)
    if kind_of(entry.run()) == "points":
        from aurigrid.console.operating import point_state

        return point_state(entry, step)
    run, seen = entry.run(), window(entry, step, True)

    def of(name: str) -> Columns:
        whole = entry.kept.found((name, seen))
        if whole is not None:
            values = {c: of_all[seen.index(step)] for c, of_all in whole.items()}
        else:
            table = run.table(name, (step,))
            values = {c: numbers(table.column(c)) for c in STATES[name]}
        return Columns(rows=_size(entry, name), columns={c: packed(v, "f32") for c, v in values.items()})

    return State(step=step, status="", bus=of("bus_state"), branch=of("branch_state"), gen=of("gen_state"))


def read_ahead(entry: Entry, step: int) -> None:
    """Read the states around a step together, where they are not too large; what is damaged is told when it is asked for."""
    with contextlib.suppress(AurigridError, ValueError):
        run, seen = entry.run(), window(entry, step, True)
        if kind_of(run) != "day":
            return
        floats = sum(_size(entry, name) * len(columns) for name, columns in STATES.items())
        if run.finished and 4 * floats * len(seen) <= _AT_ONCE:
            for name in STATES:
                matrices(entry, name, seen)


def window(entry: Entry, step: int | None, whole: bool) -> tuple[int, ...]:
    """The finished steps to look through: one, the whole run, or the day around a step of a long one."""
    steps = entry.run().steps
    if not whole:
        return (step,) if step in steps else ()
    if len(steps) <= WINDOW:
        return steps
    a_day = max(1, round(24 * 60 / float(entry.run().info.options.get("step_min", 60) or 60)))
    first = (step or 0) // a_day * a_day
    return tuple(s for s in range(first, first + min(a_day, WINDOW)) if s in set(steps))
