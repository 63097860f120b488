"""Routes that show a run: its grid, steps, states and outages."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request

from aurigrid import __version__
from aurigrid.console import findings
from aurigrid.console.after import after_outage
from aurigrid.console.columns import Columns, from_arrow, packed, plain, texts
from aurigrid.console.layout import places
from aurigrid.console.library import Entry, Library
from aurigrid.console.models import (
    Found,
    Grid,
    IssueModel,
    Outage,
    Problem,
    RunDetails,
    RunSummary,
    Series,
    Session,
    State,
    Steps,
)
from aurigrid.errors import AurigridError, InputError, Issue
from aurigrid.model.network import Network
from aurigrid.store import Run
from aurigrid.store.arrays import numbers

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem} for code in (400, 401, 403, 404, 409, 411, 413, 421, 422, 500)
}

router = APIRouter(responses=REFUSALS, tags=["runs"])

Step = Annotated[int, Query(ge=0, le=1_000_000, description="step, counted from 0")]


def entry_of(request: Request, run: str) -> Entry:
    """The run that an address names."""
    library: Library = request.app.state.library
    try:
        return library[run]
    except KeyError:
        raise KeyError(f"run '{run}'") from None


At = Annotated[Entry, Depends(entry_of)]


def summary(entry: Entry) -> RunSummary:
    """A run for the list; one that cannot be read says why."""
    try:
        run = entry.run()
    except InputError as error:
        issues = [IssueModel(where=i.table, field=i.field, message=i.message, hint=i.hint) for i in error.issues]
        return RunSummary(key=entry.key, path=str(entry.path), status="unreadable", issues=issues)
    return RunSummary(
        key=entry.key,
        path=str(entry.path),
        name=str(run.info.grid.get("name", "")),
        status=run.info.status,
        steps=len(run.steps),
        n_steps=run.info.n_steps,
        created=run.info.created,
    )


@router.get("/session")
def session(request: Request) -> Session:
    """Who is asking."""
    return Session(role=request.state.role, version=__version__)


@router.get("/runs")
def runs(request: Request) -> list[RunSummary]:
    """The runs on show."""
    return [summary(entry) for entry in request.app.state.library.entries()]


@router.get("/runs/{run}")
def details(entry: At) -> RunDetails:
    """A run, how it was made, and what it found in sentences."""
    from aurigrid.studies.outlook import outlook

    found = entry.run()
    sentences = entry.kept.get(("sentences", found.steps), lambda: outlook(found).sentences())
    return RunDetails(
        **summary(entry).model_dump(),
        grid=dict(found.info.grid),
        options=dict(found.info.options),
        versions=dict(found.info.versions),
        summary=dict(found.info.summary),
        tables=list(found.table_names),
        outages=len(findings.outage_list(entry).label),
        sentences=sentences,
    )


def warm(library: Library) -> None:
    """Read ahead what a page asks of the first run; what cannot be read is told when it is asked for."""
    with contextlib.suppress(AurigridError):
        entry = next((e for e in library.entries() if e.run().steps), None)
        if entry is not None:
            grid(entry)
            steps(entry)
            state(entry, entry.run().steps[0])


@router.get("/runs/{run}/grid")
def grid(entry: At) -> Grid:
    """The grid with positions for the map."""
    return entry.kept.get("grid", lambda: _grid(entry.network()))


def _grid(net: Network) -> Grid:
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


@router.get("/runs/{run}/steps")
def steps(entry: At) -> Steps:
    """One row a finished step."""
    run = entry.run()
    return entry.kept.get(("steps", run.steps), lambda: _steps(entry))


def _steps(entry: Entry) -> Steps:
    import pyarrow as pa

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
    return Steps(table=Columns(rows=len(table), columns=plain), shares=shares)


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


def require_step(entry: Entry, step: int) -> None:
    """Refuse a step that is not there (yet)."""
    if step not in entry.run().steps:
        hint = "the run is not finished yet" if not entry.run().finished else ""
        raise InputError(Issue("step", "", f"{step} is not a finished step of this run", hint=hint))


@router.get("/runs/{run}/steps/{step}")
def state(entry: At, step: int) -> State:
    """The base state of a step."""
    require_step(entry, step)
    return entry.kept.get(("state", step), lambda: _state(entry, step))


def _state(entry: Entry, step: int) -> State:
    run = entry.run()

    def of(name: str, *columns: str) -> Columns:
        if name not in run.table_names:  # a run of operating points alone stores no flows
            n = len(getattr(entry.network(), name.partition("_")[0]))
            return Columns(rows=n, columns={c: packed(np.full(n, np.nan), "f32") for c in columns})
        table = run.table(name, (step,))
        return Columns(rows=len(table), columns={c: packed(numbers(table.column(c)), "f32") for c in columns})

    return State(
        step=step,
        status="",
        bus=of("bus_state", "v_mag", "v_ang"),
        branch=of("branch_state", "p_from_mw", "q_from_mvar", "p_to_mw", "loading"),
        gen=of("gen_state", "p_mw", "q_mvar"),
    )


@router.get("/runs/{run}/outages")
def outages(
    entry: At,
    step: Step = 0,
    whole: Annotated[bool, Query(description="all steps of the run (of the day, in a long one)")] = False,
    kind: Annotated[str | None, Query(max_length=40, description="kind of limit broken")] = None,
    outage_kind: Annotated[str | None, Query(max_length=40)] = None,
    v_nom_kv: Annotated[float | None, Query(gt=0, description="voltage level of what is endangered, kV")] = None,
    area: Annotated[str | None, Query(max_length=80, description="area of what is endangered")] = None,
    text: Annotated[str | None, Query(max_length=80, description="part of the outage's label")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
) -> Found:
    """Outages with what they break, the worst first."""
    if not whole:
        require_step(entry, step)
    wanted = findings.Wanted(kind, outage_kind, v_nom_kv, area, text)
    table, total = findings.worst_outages(entry, step, whole, wanted, limit)
    return _found(entry, step, whole, table, total)


def _found(entry: Entry, step: int, whole: bool, table: Columns, total: int) -> Found:
    seen = findings.window(entry, step, whole)
    return Found(total=total, first_step=min(seen, default=0), last_step=max(seen, default=0), table=table)


@router.get("/runs/{run}/outages/{contingency}")
def outage(entry: At, contingency: int, step: Step = 0) -> Outage:
    """An outage at a step: how it ended, and every limit that it breaks. Contingency -1 is the base state."""
    require_step(entry, step)
    names = findings.outage_list(entry)
    if not -1 <= contingency < len(names.label):
        raise KeyError(f"outage {contingency} in this run")
    row: dict[str, Any] = {}
    if contingency >= 0:
        rows = entry.run().table("contingencies", (step,)).to_pylist()
        row = next((r for r in rows if r["contingency"] == contingency), {})
    real = ("lost_load_mw", "lost_gen_mw", "max_loading", "v_min_pu", "v_max_pu")
    return Outage(
        contingency=contingency,
        label=str(names.label[contingency]) if contingency >= 0 else "",
        kind=str(names.kind[contingency]) if contingency >= 0 else "",
        elements=names.elements[contingency] if contingency >= 0 else [],
        status=str(row.get("status", "")),
        violations=findings.of_outage(entry, contingency, step),
        **{name: row.get(name) for name in real},
    )


@router.get("/runs/{run}/outages/{contingency}/state")
def state_after(entry: At, contingency: int, step: Step = 0) -> State:
    """The state after an outage, solved again from the stored base state."""
    require_step(entry, step)
    found = after_outage(entry, contingency, step)
    before = state(entry, step)
    bus = {"v_mag": packed(found.v_mag, "f32"), "v_ang": packed(found.v_ang, "f32")}
    branch = {
        "p_from_mw": packed(found.p_from_mw, "f32"),
        "q_from_mvar": packed(found.q_from_mvar, "f32"),
        "p_to_mw": packed(found.p_to_mw, "f32"),
        "loading": packed(found.loading, "f32"),
        "out": packed(found.out, "u8"),
    }
    return State(
        step=step,
        contingency=contingency,
        status=found.status,
        agrees=found.agrees,
        bus=Columns(rows=len(found.v_mag), columns=bus),
        branch=Columns(rows=len(found.loading), columns=branch),
        gen=before.gen,
        lost=found.lost,
    )


@router.get("/runs/{run}/threats/{table}/{element}")
def threats(
    entry: At,
    table: str,
    element: int,
    step: Step = 0,
    whole: bool = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
) -> Found:
    """Outages that break a limit of an element, the worst first."""
    if not whole:
        require_step(entry, step)
    found, total = findings.threats(entry, table, element, step, whole, limit)
    return _found(entry, step, whole, found, total)


@router.get("/runs/{run}/similar")
def similar(
    entry: At,
    step: Step = 0,
    k: Annotated[int, Query(ge=1, le=200)] = 10,
    where: Annotated[str | None, Query(max_length=2000, description="SQL condition over the columns of steps")] = None,
    later: Annotated[bool, Query(description="states later than the step, too")] = True,
) -> dict[str, Any]:
    """Stored states of the run like a step, why they are near, and what came next; as `aurigrid.store.similar`."""
    from aurigrid.store.similar import similar as search

    require_step(entry, step)
    found: dict[str, Any] = plain(search(entry.run(), step, k=k, where=where or None, past=not later).to_dict())
    return found


_SERIES = {
    "branch": ("branch_state", ("p_from_mw", "loading")),
    "bus": ("bus_state", ("v_mag", "v_ang")),
    "gen": ("gen_state", ("p_mw", "q_mvar")),
}


@router.get("/runs/{run}/series/{table}/{element}")
def series(entry: At, table: str, element: int, step: Step = 0) -> Series:
    """Values of an element over the steps."""
    if table not in _SERIES or not 0 <= element < len(getattr(entry.network(), table)):
        raise KeyError(f"{table} {element} with stored values")
    name, columns = _SERIES[table]
    seen = findings.window(entry, step, True)
    whole = entry.kept.get((name, seen), lambda: _matrix(entry, name, table, columns, seen))
    found = {c: packed(whole[c][:, element], "f32") for c in columns}
    return Series(table=Columns(rows=len(seen), columns={"step": packed(np.array(seen, int), "i32"), **found}))


def _matrix(entry: Entry, name: str, table: str, columns: tuple[str, ...], seen: tuple[int, ...]) -> dict[str, Any]:
    """Columns of a state table as (steps, elements): every later question about an element is a slice."""
    found, n = entry.run().table(name, seen), len(getattr(entry.network(), table))
    return {c: numbers(found.column(c)).astype(np.float32).reshape(len(seen), n) for c in columns}
