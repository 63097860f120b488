"""Commands on stored runs: day, generate, sql."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    OUTAGES_HELP,
    EngineOption,
    From,
    Grid,
    Iterations,
    Json,
    QLimits,
    Scale,
    SeriesFiles,
    Slack,
    SlackOption,
    Threads,
    To,
    Tolerance,
    Top,
    compiling_notice,
    guarded,
    left_off,
    print_json,
    say,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.studies.day import DayRun
    from aurigrid.studies.generate import GenerateRun
    from aurigrid.studies.outlook import Outlook
    from aurigrid.studies.tally import Tally

_TIMES = 6
"""Times that a sentence names."""


class Dispatch(StrEnum):
    """Whose dispatch a day takes."""

    plan = "plan"
    points = "points"
    data = "data"


class PlanSecurity(StrEnum):
    """Limits that a day's plan keeps."""

    base = "base"
    n1 = "n-1"


DEFAULT_GRID, DEFAULT_DATE = "1-EHV-mixed--0-no_sw", "2016-12-06"


@guarded
def day(
    grid: Annotated[str, typer.Argument(metavar="GRID", help="A grid with profiles: a SimBench code or a folder.")] = (
        DEFAULT_GRID
    ),
    date: Annotated[str, typer.Option(help="The day, YYYY-MM-DD.")] = DEFAULT_DATE,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/GRID_DATE if not given.", show_default=False)
    ] = None,
    contingencies: Annotated[str, typer.Option("--contingencies", "-c", help=OUTAGES_HELP)] = "branches+generators",
    q_limits: QLimits = True,
    slack: SlackOption = Slack.distributed,
    dispatch: Annotated[
        Dispatch,
        typer.Option(
            help="plan: commit and dispatch at least cost, then AC operating points; points: an operating point near the "
            "data's dispatch; data: that dispatch."
        ),
    ] = Dispatch.points,
    engine: EngineOption = "newton",
    security: Annotated[
        PlanSecurity,
        typer.Option(
            help="Limits that a plan keeps: base of the intact grid; n-1 after branch outages as AC finds them."
        ),
    ] = PlanSecurity.base,
    commit_seconds: Annotated[
        float, typer.Option("--commit-seconds", min=1.0, help="Seconds for the search over which units run, of a plan.")
    ] = 60.0,
    scale: Scale = None,
    tol: Tolerance = 1e-8,
    max_iterations: Iterations = 20,
    threads: Threads = None,
    top: Top = 5,
    open: Annotated[bool, typer.Option("--open", help="Then show the run in the browser.")] = False,
    json: Json = False,
) -> int:
    """Solve a day of a grid: an operating point a step, every outage of each in full AC, stored step by step.

    A second call with the same options continues behind the finished steps. Ctrl-C keeps them.
    """
    from aurigrid.console.opening import keep_first_map
    from aurigrid.store import open_run
    from aurigrid.studies.day import run_day
    from aurigrid.studies.outlook import outlook
    from aurigrid.studies.tally import tally

    state: dict[str, int] = {}
    with compiling_notice(), show.progress("steps") as bar:

        def advance(done: int, total: int) -> None:
            state.update(done=done, total=total)
            bar(done, total)

        try:
            done = run_day(
                grid,
                date,
                out,
                contingencies=contingencies,
                slack=slack.value,
                dispatch=dispatch.value,
                scale=scale,
                q_limits=q_limits,
                tol_pu=tol,
                max_iterations=max_iterations,
                threads=threads,
                engine=engine,  # type: ignore[arg-type]  # checked by the study, with its own message
                security=security.value,
                commit_seconds=commit_seconds,
                progress=advance,
                told=say,
            )
        except KeyboardInterrupt:
            return left_off(state.get("done", 0) if state else None)
    run = open_run(done.run)
    keep_first_map(done.run)
    found, points = outlook(run, top), tally(run, top)
    if json:
        print_json({**done.to_dict(), "outlook": found.to_dict(), "points": points.to_dict() if points else None})
    else:
        _print_day(done, found, points)
    if open:
        from aurigrid.cli.serve import show_runs

        show_runs([done.run], port=0, open=True)
    return 0


@guarded
def generate(
    grid: Grid,
    profiles: SeriesFiles = None,
    start: From = None,
    stop: To = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/GRID_points if not given.", show_default=False)
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            "--contingencies",
            "-c",
            help="Solve these outages at every feasible point. " + OUTAGES_HELP,
            show_default=False,
        ),
    ] = None,
    engine: EngineOption = "newton",
    states: Annotated[bool, typer.Option("--states", help="Store the voltages of all buses too.")] = False,
    margin: Annotated[
        float, typer.Option(help="Share of ratings and reactive ranges to leave free where possible.")
    ] = 0.0,
    co2_price: Annotated[float, typer.Option(help="Price of carbon in default costs, per tonne.")] = 0.0,
    scale: Scale = None,
    threads: Threads = None,
    top: Top = 8,
    json: Json = False,
) -> int:
    """Find an AC operating point for every step of a time span, and say which steps have none and why.

    A second call with the same options continues behind the finished chunks. Ctrl-C keeps them.
    """
    from aurigrid.store import open_run
    from aurigrid.studies.generate import generate as find
    from aurigrid.studies.tally import tally

    state: dict[str, int] = {}
    with compiling_notice(), show.progress("steps") as bar:

        def advance(done: int, total: int) -> None:
            state.update(done=done, total=total)
            bar(done, total)

        try:
            done = find(
                grid,
                profiles,
                start,
                stop,
                out,
                contingencies=check,
                engine=engine,  # type: ignore[arg-type]  # as for a day
                states=states,
                co2_price_per_t=co2_price,
                margin=margin,
                scale=scale,
                threads=threads,
                progress=advance,
            )
        except KeyboardInterrupt:
            return left_off(state.get("done", 0) if state else None)
    found = tally(open_run(done.run), top)
    assert found is not None
    if json:
        print_json({**done.to_dict(), **found.to_dict()})
    else:
        _print_points(done, found)
    return 0


@guarded
def sql(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One SELECT; SHOW TABLES lists the tables.")
    ] = "SHOW TABLES",
    rows: Annotated[int, typer.Option(min=1, help="Rows to print; --json prints all.")] = 40,
    json: Json = False,
) -> None:
    """Ask a run in SQL, read-only. The query sees the run's tables and no file."""
    from aurigrid.store import open_run

    answer = open_run(run).sql(query)
    if json:
        print_json({"columns": answer.column_names, "rows": [list(r.values()) for r in _listed(answer)]})
        return
    headings = [(f.name, "r" if _is_number(f.type) else "l") for f in answer.schema]
    shown = answer.slice(0, rows)
    show.table("", headings, [list(row.values()) for row in _listed(shown)])
    more = f", the first {rows} shown (--rows N for more)" if len(answer) > rows else ""
    print(f"{len(answer):,} rows{more}")


def _listed(table: pa.Table) -> list[dict[str, Any]]:
    """Rows; equal column names are told apart, so that no value is lost."""
    names = [
        f"{name}" if table.column_names.index(name) == i else f"{name} ({i})"
        for i, name in enumerate(table.column_names)
    ]
    found: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
    return found


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _print_points(done: GenerateRun, found: Tally) -> None:
    print(f"{done.run}: {done.steps:,} steps; this call {done.new_steps:,} steps in {show.duration(done.seconds)}")
    if done.new_steps:
        print(f"{done.steps_per_second:,.0f} steps a second, peak memory {done.peak_mb:,.0f} MB")
    headings = [
        ("period", "l"),
        ("steps", "r"),
        ("kept", "r"),
        ("short MW", "r"),
        ("curtailed GWh", "r"),
        ("cost M", "r"),
        ("CO2 kt", "r"),
    ]
    keys = ("period", "steps", "kept", "short_mw", "curtailed_gwh", "cost_m", "carbon_kt")
    show.table("Operating points", headings, [tuple(p[k] for k in keys) for p in found.periods])
    _print_reasons(found)
    if found.insecure:
        rows = [(r["outage"], r["element"], r["steps"], _share(r["severity"])) for r in found.insecure]
        show.table(
            "Outages that points do not survive",
            [("outage", "l"), ("at", "l"), ("steps", "r"), ("past limit", "r")],
            rows,
        )
    query = "SELECT time, short_mw, max_loading FROM points WHERE label = 'infeasible' ORDER BY short_mw DESC"
    show.summary([*found.sentences(), *_defaults(found)], [f'aurigrid sql {done.run} "{query}"'])


def _print_reasons(found: Tally) -> None:
    if found.reasons:
        headings = [("infeasible by", "l"), ("element", "l"), ("steps", "r"), ("largest", "r"), ("unit", "l")]
        rows = [
            (r["kind"].replace("_", " "), f"{r['table']} {r['element']}", r["steps"], r["largest"], r["unit"])
            for r in found.reasons
        ]
        show.table("Reasons", headings, rows)


def _defaults(found: Tally) -> list[str]:
    if not found.defaults:
        return []
    return [
        f"{len(found.defaults)} columns of kinds of units were filled with defaults (--json lists them with their sources)."
    ]


def _print_day(done: DayRun, found: Outlook, points: Tally | None) -> None:
    speed = done.new_steps * (done.outages + 1) / done.solve_seconds if done.solve_seconds else 0.0
    print(
        f"{done.run}: {done.steps} steps, {done.power_flows:,} AC power flows, {done.converged:,} solved; this call "
        f"{done.new_steps} steps in {show.duration(done.seconds)}"
    )
    if done.new_steps:
        print(
            f"solving {show.duration(done.solve_seconds)} ({speed:,.0f} power flows a second), "
            f"peak memory {done.peak_mb:,.0f} MB"
        )
    rows: list[tuple[Any, ...]]
    if found.fuels:
        rows = [(f["fuel"], f["gwh"], f["peak_mw"]) for f in found.fuels]
        show.table("Generation", [("fuel", "l"), ("GWh", "r"), ("peak MW", "r")], rows)
    if found.hours:
        headings = [
            ("hour", "l"),
            ("insecure", "r"),
            ("unsolved", "r"),
            ("broken before", "r"),
            ("loading", "r"),
            ("worst", "r"),
        ]
        keys = ("hour", "insecure_outages", "unsolved", "broken_before", "base_loading", "severity")
        shares = ("base_loading", "severity")
        rows = [tuple(_share(h[k]) if k in shares else h[k] for k in keys) for h in found.hours]
        show.table("Worst hours (outages of a step; worst past its limit)", headings, rows)
    if found.outages:
        headings = [("outage", "l"), ("steps", "r"), ("breaks", "l"), ("at", "l"), ("past limit", "r")]
        rows = [
            (o["outage"], o["steps"], o["kind"].replace("_", " "), o["element"], _share(o["severity"]))
            for o in found.outages
        ]
        show.table("Worst outages", headings, rows)
    if found.threatened:
        headings = [("element", "l"), ("limit", "l"), ("outages", "r"), ("steps", "r"), ("past limit", "r")]
        rows = [
            (t["element"], t["kind"].replace("_", " "), t["outages"], t["steps"], _share(t["severity"]))
            for t in found.threatened
        ]
        show.table("Most threatened elements", headings, rows)
    if points:
        _print_reasons(points)
    planned = _plan_sentences(done.plan) if done.plan else []
    show.summary([*planned, *(points.sentences() if points else []), *found.sentences()], found.next)


def _plan_sentences(plan: dict[str, Any]) -> list[str]:
    seconds = plan["seconds"]
    curtailed = sum(plan["curtailed_by_cause_mwh"].values())
    causes = ", ".join(f"{x:,.0f} {name}" for name, x in plan["curtailed_by_cause_mwh"].items() if x >= 0.5)
    told = [
        f"Plan: cost {plan['cost']:,.0f}, states decided in blocks of {plan['commitment_block_h']:g} h to a gap of "
        f"{100 * plan['commitment_gap']:.2f} % ({show.duration(seconds['commitment'])}; the whole plan "
        f"{show.duration(seconds['all'])}).",
        f"Plan and AC agree in {plan['steps_agreed']} steps after {plan['rounds']} rounds; elsewhere AC moves up to "
        f"{show.percent(plan['largest_move_share'])} of the load (table plan_agreement).",
    ]
    told += [
        f"No agreement at {_times(row['times'])} ({row['steps']} steps): {row['reason']}."
        for row in plan.get("not_agreed", ())
    ]
    if plan.get("steps_insecure") is not None:
        insecure = plan["steps_insecure"]
        told.append(
            f"Branch outages break ratings in {insecure} steps."
            if insecure
            else "Every step keeps its ratings after every branch outage."
        )
    told += [
        f"{row['rows']} ratings stay broken after outages at {_times(row['times'])} ({row['steps']} steps): {row['reason']} "
        "(table plan_outages)."
        for row in plan.get("outages_left", ())
    ]
    if curtailed >= 0.5:
        told.append(f"The plan curtails {curtailed:,.0f} MWh of wind, sun and water: {causes} (MWh).")
    if plan["unserved_mwh"] > 1e-3:
        told.append(f"{plan['unserved_mwh']:,.1f} MWh of load are not served.")
    return told


def _times(times: list[str]) -> str:
    """The first times of a list, in words."""
    left = len(times) - _TIMES
    return ", ".join(times[:_TIMES]) + (f" and {left} more" if left > 0 else "")


def _share(value: float | None) -> str | None:
    return None if value is None else show.percent(value)
