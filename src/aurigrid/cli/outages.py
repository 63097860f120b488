"""The command ``n1``: every outage of a grid in full AC."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    NOT_SOLVED,
    OUTAGES_HELP,
    EngineOption,
    Grid,
    Iterations,
    Json,
    QLimits,
    Report,
    Slack,
    SlackOption,
    Threads,
    Tolerance,
    Top,
    compiling_notice,
    guarded,
    print_json,
)

if TYPE_CHECKING:
    from aurigrid.security import SecurityReport
    from aurigrid.store import RunWriter

UNITS = {
    "overload": "MVA",
    "overload_short_term": "MVA",
    "voltage_low": "pu",
    "voltage_high": "pu",
    "voltage_step": "pu",
    "reactive_limit": "Mvar",
    "islanding": "MW",
    "no_convergence": "",
}
"""Unit of a violation's value and limit, by kind."""


@guarded
def n1(
    grid: Grid,
    contingencies: Annotated[str, typer.Option("--contingencies", "-c", help=OUTAGES_HELP)] = "n-1",
    q_limits: QLimits = False,
    slack: SlackOption = Slack.reference,
    screen: Annotated[
        str | None,
        typer.Option(
            help="Pass over harmless outages by an estimate: dc, one-step or pairs (of double outages).",
            show_default=False,
        ),
    ] = None,
    engine: EngineOption = "newton",
    tol: Tolerance = 1e-8,
    max_iterations: Iterations = 20,
    threads: Threads = None,
    top: Top = 8,
    report: Report = False,
    out: Annotated[
        Path | None, typer.Option(help="Run folder for the state and all its outages.", show_default=False)
    ] = None,
    json: Json = False,
) -> int:
    """Solve every outage of a grid. Exit code 1 if the grid has no solution even before an outage."""
    from aurigrid.cli.grid import print_report, reconciled
    from aurigrid.io.load import load_with_report
    from aurigrid.powerflow import Status
    from aurigrid.security import security_analysis
    from aurigrid.security.contingencies import contingencies as build_list

    imported = load_with_report(grid, cache=not report)
    net = imported.network
    outages = build_list(net, contingencies)
    writer = None
    if out is not None:
        from aurigrid.powerflow.api import check_options
        from aurigrid.security.analysis import check_choices
        from aurigrid.studies.day import model_of
        from aurigrid.studies.snapshot import start_snapshot

        check_options(net, None, "newton", tol, max_iterations, slack.value, threads)
        check_choices(engine, screen)
        options: dict[str, Any] = {
            "contingencies": contingencies, "slack": slack.value, "q_limits": q_limits, "tol_pu": tol,
            "max_iterations": max_iterations, "screen": screen,
        }  # fmt: skip
        if engine != "newton":
            options |= {"engine": engine, "model": model_of(net, options)}
        writer = start_snapshot(out, net, outages, options)
    clock = show.Clock()
    with _kept(writer), compiling_notice(), show.progress("outages") as advance:
        found = security_analysis(
            net,
            None,
            outages,
            tol_pu=tol,
            max_iterations=max_iterations,
            q_limits=q_limits,
            slack=slack.value,
            engine=engine,  # type: ignore[arg-type]  # as the screen
            screen=screen,  # type: ignore[arg-type]  # checked by the analysis, with its own message
            threads=threads,
            progress=advance,
        )
        if writer is not None:
            from aurigrid.studies.snapshot import store_snapshot

            store_snapshot(writer, found, clock.seconds)
    data = _findings(found, clock.seconds, top)
    if out is not None:
        data["out"] = out
    data = {"grid": net.name, **data, **reconciled(imported, report)}
    if json:
        print_json(data)
    else:
        if report:
            print_report(data)
        _print_n1(grid, found, data, contingencies)
    return 0 if Status(int(found.base.status[0])).solved else NOT_SOLVED


@contextmanager
def _kept(writer: RunWriter | None) -> Iterator[None]:
    """Record in the folder, if there is one, that solving has been broken off."""
    try:
        yield
    except BaseException:
        if writer is not None:
            writer.close("interrupted")
        raise


def _findings(found: SecurityReport, seconds: float, top: int) -> dict[str, Any]:
    """The figures of an analysis of one state."""
    import numpy as np

    from aurigrid.powerflow import Status
    from aurigrid.security import VIOLATION_KINDS
    from aurigrid.studies.rows import told

    counts = Counter(Status(code).name.lower() for code in found.status[0].tolist())
    rows = _worst_rows(found, top)
    kinds = Counter(VIOLATION_KINDS[k] for k in found.found.kind.tolist())
    new, worse = told(found.found)
    lost = np.maximum(found.lost_load_mw[0], found.lost_gen_mw[0])
    split = [int(c) for c in np.argsort(-lost, kind="stable") if found.status[0, c] == Status.ISLANDED]
    answered = (Status.CONVERGED, Status.ISLANDED, Status.SKIPPED)
    unsolved = np.flatnonzero(~np.isin(found.status[0], answered)).tolist()
    label = found.contingencies.label
    return {
        "base_status": Status(int(found.base.status[0])).name.lower(),
        "contingencies": found.contingencies.n,
        "solved_once_for_several": found.contingencies.n - found.contingencies.n_distinct,
        "status": dict(counts),
        "violations": len(found.found),
        "violations_base": int(np.count_nonzero(found.found.contingency < 0)),
        "violations_new": int(np.count_nonzero(new)),
        "violations_worsened": int(np.count_nonzero(worse)),
        "violations_by_kind": dict(kinds),
        "worst": rows[0] if rows else None,
        "worst_list": rows,
        "unsolved": [str(label[c]) for c in unsolved],
        "splits": [
            {
                "contingency": str(label[c]),
                "lost_load_mw": float(found.lost_load_mw[0, c]),
                "lost_gen_mw": float(found.lost_gen_mw[0, c]),
            }
            for c in split[:top]
        ],
        "ranking": _ranking(found, top),
        "screen": found.screen,
        "power_flows": found.power_flows,
        "seconds": seconds,
    }


def _ranking(found: SecurityReport, top: int) -> list[dict[str, Any]]:
    """The outages nearest to a limit; where a model passed some over, the nearest of these as well."""
    table = found.ranked()
    near: list[dict[str, Any]] = table.slice(0, top).to_pylist()
    guessed: list[dict[str, Any]] = table.filter(table["estimated"]).slice(0, top).to_pylist()
    return near + [row for row in guessed if row not in near]


def _worst_rows(found: SecurityReport, top: int) -> list[dict[str, Any]]:
    """The worst broken limit of each outage, the worst outages first."""
    import pyarrow.compute as pc

    table = found.violations
    after = pc.and_(pc.greater_equal(table["contingency"], 0), pc.is_valid(table["limit"]))
    # Reactive limits are small numbers beside what they hold: their shares would crowd out everything else.
    table = table.filter(pc.and_(after, pc.not_equal(table["kind"].cast("string"), "reactive_limit")))
    seen: set[str] = set()
    rows = []
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            if row["contingency_label"] not in seen:
                seen.add(row["contingency_label"])
                rows.append({k: v for k, v in row.items() if k != "scenario"})
                if len(rows) == top:
                    return rows
    return rows


def _print_n1(grid: str, found: SecurityReport, data: dict[str, Any], spec: str) -> None:
    net = found.net
    words = ", ".join(f"{n:,} {word.replace('_', ' ')}" for word, n in data["status"].items())
    print(f"{net.name}: {data['contingencies']:,} outages in {show.duration(data['seconds'])}: {words}")
    if data["screen"]:
        print(data["screen"])
    if data["worst_list"]:
        headings = [
            ("outage", "l"),
            ("breaks", "l"),
            ("at", "l"),
            ("before", "r"),
            ("after", "r"),
            ("limit", "r"),
            ("", "l"),
        ]
        rows = [
            (
                r["contingency_label"],
                r["kind"].replace("_", " "),
                r["element_id"],
                r["base_value"],
                r["value"],
                r["limit"],
                UNITS.get(r["kind"], ""),
            )
            for r in data["worst_list"]
        ]
        show.table("Worst outages", headings, rows)
    _print_ranking(data)
    if data["splits"]:
        headings = [("outage", "l"), ("load lost MW", "r"), ("infeed lost MW", "r")]
        show.table(
            "Splits", headings, [(s["contingency"], s["lost_load_mw"], s["lost_gen_mw"]) for s in data["splits"]]
        )
    show.summary(_n1_sentences(data), _n1_next(grid, data, spec))


def _print_ranking(data: dict[str, Any]) -> None:
    """The outages nearest to a limit where none breaks one, and the nearest of those that a model passed over."""
    headings = [("outage", "l"), ("loading", "r"), ("lowest voltage pu", "r"), ("margin", "r")]
    for title, estimated in (("Nearest to a limit", False), ("Nearest of those passed over, estimated", True)):
        rows = [
            (r["contingency_label"], f"{r['worst_loading']:.1%}", r["v_min_pu"], f"{r['margin']:.1%}")
            for r in data["ranking"]
            if r["estimated"] == estimated and r["margin"] is not None
        ]
        if rows and (estimated or not data["worst_list"]):
            show.table(title, headings, rows)


def _n1_sentences(data: dict[str, Any]) -> list[str]:
    if data["base_status"] not in ("converged", "islanded"):
        return ["The grid has no power flow solution before any outage, so its outages say nothing."]
    out = []
    if data["violations_base"]:
        out.append(f"Before any outage, {data['violations_base']:,} limits are broken.")
    worst = data["worst"]
    if worst:
        out.append(
            f"Outages break {data['violations_new']:,} limits that held before and worsen "
            f"{data['violations_worsened']:,} breaches. Worst: losing {worst['contingency_label']} leaves "
            f"{worst['kind'].replace('_', ' ')} at {worst['element_id']}, "
            f"{show.percent(worst['severity'])} past its limit."
        )
    elif data["violations_by_kind"].get("reactive_limit"):
        out.append("No outage breaks a loading or voltage limit.")
    elif not data["contingencies"]:
        out.append("The grid has none of the elements that were to be taken out.")
    else:
        out.append("No outage breaks a limit.")
    if data["violations_by_kind"].get("reactive_limit"):
        cases = data["violations_by_kind"]["reactive_limit"]
        out.append(f"In {cases:,} cases units at a bus give more reactive power than they can; see --q-limits.")
    if data["unsolved"]:
        shown = ", ".join(data["unsolved"][:4])
        more = ", ..." if len(data["unsolved"]) > 4 else ""
        out.append(f"{len(data['unsolved'])} outages have no power flow solution: {shown}{more}.")
    if data["splits"]:
        first = data["splits"][0]
        out.append(
            f"{data['status']['islanded']:,} outages leave a part of the grid without supply; the largest is "
            f"{first['contingency']}: {first['lost_load_mw']:,.0f} MW of load and "
            f"{first['lost_gen_mw']:,.0f} MW of infeed lost."
        )
    return out


def _n1_next(grid: str, data: dict[str, Any], spec: str) -> list[str]:
    name = shlex.quote(grid)
    out = []
    if data["base_status"] not in ("converged", "islanded"):
        return [f"aurigrid pf {name}", f"aurigrid info {name} --report"]
    if data["unsolved"]:
        out.append(f"aurigrid n1 {name} -c {shlex.quote(spec)} --max-iterations 60")
    if "generators" not in spec:
        out.append(f"aurigrid n1 {name} -c branches+generators --slack distributed --q-limits")
    out.append(f"aurigrid n1 {name} -c {shlex.quote(spec)} --json")
    return out
