"""Routes that show a run: its grid, steps, states and outages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from aurigrid import __version__
from aurigrid.console import content, findings
from aurigrid.console.after import after_outage
from aurigrid.console.columns import Columns, packed, plain
from aurigrid.console.content import window
from aurigrid.console.library import Entry, Library
from aurigrid.console.listed import kind_of, summary
from aurigrid.console.models import Found, Outage, Problem, RunDetails, Series, Told
from aurigrid.console.opening import opening as first
from aurigrid.console.plans import plan_facts, plan_limits, plan_series
from aurigrid.console.shown import Grid, Opening, RunSummary, Session, State, Steps
from aurigrid.errors import InputError, Issue
from aurigrid.store import Run
from aurigrid.store.arrays import numbers
from aurigrid.store.run import is_plan
from aurigrid.studies.facts import Fact

if TYPE_CHECKING:
    from aurigrid.store.situations import Situations

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


@router.get("/opening", response_model=Opening)
def opening(
    request: Request,
    run: Annotated[
        str | None, Query(max_length=300, description="run wanted; the first with results if absent")
    ] = None,
    step: Annotated[int | None, Query(ge=0, le=1_000_000, description="step wanted; the first if absent")] = None,
) -> Response:
    """All that the first map needs in one answer: session, runs, and of one run grid, steps and a state."""
    return Response(first(request.app.state.library, request.state.role, run, step), media_type="application/json")


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
    found = entry.run()
    facts = entry.kept.get(("facts", found.steps), lambda: _facts(found))
    return RunDetails(
        **vars(summary(entry)),
        grid=dict(found.info.grid),
        options=dict(found.info.options),
        versions=dict(found.info.versions),
        summary=dict(found.info.summary),
        tables=list(found.table_names),
        outages=len(findings.outage_list(entry).label),
        areas=[name for name in np.unique(findings.areas(entry)).tolist() if name],
        sentences=[fact.sentence for fact in facts],
        facts=[Told(key=fact.key, values=plain(fact.values)) for fact in facts],
    )


def _facts(run: Run) -> list[Fact]:
    if kind_of(run) == "plan":
        return plan_facts(run)
    if kind_of(run) == "points":
        from aurigrid.studies.tally import tally

        told = tally(run)
        return [] if told is None else told.facts()
    from aurigrid.studies.outlook import outlook

    return outlook(run).facts()


@router.get("/runs/{run}/grid")
def grid(entry: At) -> Grid:
    """The grid with positions for the map."""
    return content.grid(entry)


@router.get("/runs/{run}/steps")
def steps(entry: At) -> Steps:
    """One row a finished step."""
    return content.steps(entry)


def require_step(entry: Entry, step: int) -> None:
    """Refuse a step that is not there (yet)."""
    if step not in entry.run().steps:
        hint = "the run is not finished yet" if not entry.run().finished else ""
        raise InputError(Issue("step", "", f"{step} is not a finished step of this run", hint=hint))


@router.get("/runs/{run}/steps/{step}")
def state(entry: At, step: int) -> State:
    """The base state of a step."""
    require_step(entry, step)
    return content.state(entry, step)


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
    seen = window(entry, step, whole)
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
        table = entry.run().table("contingencies", (step,))
        at = np.flatnonzero(numbers(table.column("contingency")) == contingency)
        row = table.slice(int(at[0]), 1).to_pylist()[0] if len(at) else {}
    real = ("lost_load_mw", "lost_gen_mw", "max_loading", "v_min_pu", "v_max_pu")
    return Outage(
        contingency=contingency,
        label=str(names.label[contingency]) if contingency >= 0 else "",
        kind=str(names.kind[contingency]) if contingency >= 0 else "",
        elements=names.elements[contingency] if contingency >= 0 else [],
        status=str(row.get("status", "skipped")) if contingency >= 0 else "",
        violations=findings.of_outage(entry, contingency, step),
        **{name: row.get(name) for name in real},
    )


@router.get("/runs/{run}/outages/{contingency}/state")
def state_after(entry: At, contingency: int, step: Step = 0) -> State:
    """The state after an outage, solved again from the stored base state."""
    require_step(entry, step)
    found = after_outage(entry, contingency, step)
    before = content.state(entry, step)
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
    request: Request,
    entry: At,
    step: Step = 0,
    k: Annotated[int, Query(ge=1, le=200)] = 10,
    where: Annotated[str | None, Query(max_length=2000, description="SQL condition over the columns of steps")] = None,
    later: Annotated[bool, Query(description="states later than the step, too")] = True,
    every: Annotated[bool, Query(description="states of all runs of this grid, not of this run alone")] = False,
) -> dict[str, Any]:
    """Stored states like a step, why they are near, and what came next; as `aurigrid.store.similar`."""
    require_step(entry, step)
    library: Library = request.app.state.library
    entries = [entry, *(_others(library, entry) if every else [])]
    found = _situations(entry, entries).search(step, k=k, where=where or None, past=not later).to_dict()
    keys = {str(e.path): e.key for e in entries}
    for near in found["neighbours"]:
        near["key"] = keys[near["run"]]
    told: dict[str, Any] = plain({**found, "runs": len(entries)})
    return told


def _others(library: Library, entry: Entry) -> list[Entry]:
    """Other readable days of the same grid."""
    digest, found = entry.run().info.grid.get("digest"), []
    for other in library.entries():
        with contextlib.suppress(InputError):
            run = other.run()
            if other is not entry and kind_of(run) == "day" and run.steps and run.info.grid.get("digest") == digest:
                found.append(other)
    return found


def _situations(entry: Entry, entries: list[Entry]) -> Situations:
    """The states of some runs, prepared once for as long as the runs stay as they are."""
    from aurigrid.store.situations import Situations

    runs = [e.run() for e in entries]
    key = ("situations", tuple((str(run.path), len(run.steps), run.info.status) for run in runs))
    return entry.kept.get(key, lambda: Situations(runs))


@router.get("/runs/{run}/series/{table}/{element}")
def series(entry: At, table: str, element: int, step: Step = 0) -> Series:
    """Values of an element over the steps."""
    name = f"{table}_state"
    if is_plan(entry.path):
        planned = plan_series(entry, table, element)
        return Series(table=Columns(rows=len(entry.run().steps), columns=planned))
    if name not in content.STATES or not 0 <= element < len(getattr(entry.network(), table)):
        raise KeyError(f"{table} {element} with stored values")
    seen = window(entry, step, True)
    whole = content.matrices(entry, name, seen)
    found = {c: packed(values[:, element], "f32") for c, values in whole.items()}
    return Series(table=Columns(rows=len(seen), columns={"step": packed(np.array(seen, int), "i32"), **found}))


@router.get("/runs/{run}/limits")
def limits(
    entry: At, step: Annotated[int | None, Query(ge=0, le=1_000_000, description="all if absent")] = None
) -> Series:
    """Flow limits of a plan that cost something or are broken, the dearest first."""
    if not is_plan(entry.path):
        raise InputError(Issue("run", "", "is no plan", hint="outages of a run: /outages"))
    return Series(table=plan_limits(entry, step))
