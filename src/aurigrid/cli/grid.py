"""Commands on one grid: info, pf, convert."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    NOT_SOLVED,
    Engine,
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
    check_out,
    compiling_notice,
    guarded,
    print_json,
    say,
)

if TYPE_CHECKING:
    from aurigrid.io.report import Import
    from aurigrid.model.network import Network
    from aurigrid.powerflow import Solution

_NAMED = 5
"""Elements that a sentence names."""


@guarded
def info(grid: Grid, json: Json = False, report: Report = False) -> None:
    """Show what a grid consists of, and what looks odd about it."""
    from aurigrid.io.load import load_with_report
    from aurigrid.io.report import network_totals
    from aurigrid.model.validate import warnings_of

    imported = load_with_report(grid, cache=not report)
    net, totals, warnings = imported.network, network_totals(imported.network), warnings_of(imported.network)
    data = {
        "grid": net.name,
        "digest": net.digest,
        "base_mva": net.base_mva,
        "frequency_hz": net.frequency_hz,
        "tables": {t.table: {k: v for k, v in t.to_dict().items() if k != "table"} for t in totals},
        "voltage_levels_kv": _levels(net),
        "fuels_mw": _fuels(net),
        "profiles": _profiles(imported),
        "warnings": [str(issue) for issue in warnings],
        **reconciled(imported, report),
    }
    if json:
        print_json(data)
        return
    headings = [("table", "l"), ("rows", "r"), ("in service", "r"), ("MW", "r"), ("Mvar", "r")]
    show.table(f"{net.name}", headings, [(t.table, t.count, t.in_service, t.p_mw, t.q_mvar) for t in totals])
    levels = [(f"{kv} kV", n) for kv, n in data["voltage_levels_kv"].items()]
    show.table("Voltage levels", [("level", "l"), ("buses", "r")], levels[:12])
    if len(data["fuels_mw"]) > 1:
        show.table("Units in service by fuel", [("fuel", "l"), ("MW", "r")], list(data["fuels_mw"].items()))
    if report:
        print_report(data)
    sentences = [f"{net.n_bus:,} buses, {net.n_branch:,} branches, {net.n_gen:,} units, {net.n_load:,} loads."]
    if data["profiles"]:
        p = data["profiles"]
        sentences.append(f"Profiles: {p['steps']:,} steps of {p['step_min']:g} min, {p['start']} to {p['end']}.")
    sentences += [f"Note: {text}" for text in data["warnings"]] or ["Nothing looks odd."]
    name = shlex.quote(grid)
    show.summary(sentences, [f"aurigrid pf {name}", f"aurigrid n1 {name}"])


@guarded
def pf(
    grid: Grid,
    engine: Annotated[Engine, typer.Option(help="newton: exact AC. dc: linear, active power only.")] = Engine.newton,
    q_limits: QLimits = False,
    slack: SlackOption = Slack.reference,
    tol: Tolerance = 1e-8,
    max_iterations: Iterations = 20,
    rescue: Annotated[
        bool, typer.Option("--rescue", help="If it fails, try other starts, damped Newton and continuation.")
    ] = False,
    step: Annotated[
        bool,
        typer.Option(
            "--step", help="Tap changers and shunts step until the voltages they hold are in their deadbands."
        ),
    ] = False,
    threads: Threads = None,
    top: Top = 5,
    report: Report = False,
    json: Json = False,
) -> int:
    """Solve the power flow of a grid. Exit code 1 if there is no solution."""
    from aurigrid.errors import InputError, Issue
    from aurigrid.io.load import load_with_report
    from aurigrid.powerflow import Rung, Status, power_flow, stepped_power_flow

    imported = load_with_report(grid, cache=not report)
    net = imported.network
    clock = show.Clock()
    if step and engine is Engine.dc:
        raise InputError([Issue("pf", "step", "needs voltages", hint="leave out --engine dc or --step")])
    stepped = None
    with compiling_notice():
        if step:
            stepped = stepped_power_flow(
                net, tol_pu=tol, max_iterations=max_iterations, q_limits=q_limits, slack=slack.value, threads=threads
            )
            net = stepped.network(0)
        solution = power_flow(
            net,
            engine=engine.value,
            tol_pu=tol,
            max_iterations=max_iterations,
            q_limits=q_limits,
            slack=slack.value,
            rescue=rescue,
            threads=threads,
        )
    seconds = clock.seconds
    status = Status(int(solution.status[0]))
    data: dict[str, Any] = {
        "grid": net.name,
        "engine": engine.value,
        "status": status.name.lower(),
        "rung": Rung(int(solution.rung[0])).name.lower(),
        **({} if solution.reached is None else {"reached": float(solution.reached[0])}),
        "iterations": int(solution.iterations[0]),
        "mismatch_pu": float(solution.mismatch_pu[0]),
        "seconds": seconds,
        **({} if stepped is None else {"settled": bool(stepped.settled[0]), "moves": [m.text for m in stepped.moves]}),
        **(_figures(net, solution) if status.solved else {}),
        **reconciled(imported, report),
    }
    if json:
        print_json(data)
    else:
        if stepped is not None:
            show.table("Controls that stepped", [("move", "l")], [(m.text,) for m in stepped.moves])
        _print_pf(grid, net, solution, status.meaning, data, top, report)
    return 0 if status.solved else NOT_SOLVED


@guarded
def convert(
    grid: Grid,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; it must not exist.", show_default=False)],
    json: Json = False,
    report: Report = False,
) -> None:
    """Convert a grid (and its profiles) to an Aurigrid folder of Parquet files."""
    check_out(out)
    from aurigrid.io.folder import save
    from aurigrid.io.load import load_with_report

    imported = load_with_report(grid, cache=not report)
    save(imported.network, out, profiles=imported.profiles)
    data = {
        "grid": imported.network.name,
        "out": str(out),
        "digest": imported.network.digest,
        "profiles": _profiles(imported),
        **reconciled(imported, report),
    }
    if json:
        print_json(data)
        return
    if report:
        print_report(data)
    notes = imported.report
    sentences = [f"{imported.network.name} written to {out}."]
    sentences += [f"Approximated: {note}" for note in notes.approximated]
    sentences += [f"Ignored: {note}" for note in notes.ignored]
    show.summary(sentences, [f"aurigrid pf {shlex.quote(str(out))}"])


def _levels(net: Network) -> dict[str, int]:
    import numpy as np

    kv, count = np.unique(net.bus.v_nom_kv[~net.bus.is_star], return_counts=True)
    return {f"{k:g}": int(n) for k, n in zip(kv[::-1].tolist(), count[::-1].tolist(), strict=True)}


def _fuels(net: Network) -> dict[str, float]:
    totals: dict[str, float] = {}
    for fuel, mw, on in zip(net.gen.fuel.tolist(), net.gen.p_mw.tolist(), net.gen.in_service.tolist(), strict=True):
        if on:
            totals[fuel or "unknown"] = totals.get(fuel or "unknown", 0.0) + mw
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _profiles(imported: Import) -> dict[str, Any] | None:
    found = imported.profiles
    if found is None:
        return None
    return {
        "steps": len(found),
        "step_min": found.step_min,
        "start": str(found.local[0]).replace("T", " "),
        "end": str(found.local[-1]).replace("T", " "),
        "zone": found.zone,
        "series": {f"{table}.{column}": len(s.position) for (table, column), s in found.series.items()},
    }


def reconciled(imported: Import, wanted: bool) -> dict[str, Any]:
    """The entry ``report``, where it was asked for: the import's account and its comparison with the source."""
    if not wanted:
        return {}
    from aurigrid.studies.reconcile import reconcile

    with compiling_notice():
        found = reconcile(imported)
    return {"report": {**imported.report.to_dict(), "reconciliation": found.to_dict(), "lines": [
        *imported.report.lines(), "", *found.lines()
    ]}}  # fmt: skip


def print_report(data: dict[str, Any]) -> None:
    """The entry ``report`` as text."""
    print("Import report")
    for line in data["report"]["lines"]:
        print(f"  {line}")
    print()


def _figures(net: Network, solution: Solution) -> dict[str, Any]:
    """What is worth knowing of a solved state."""
    import numpy as np

    flow, v = solution.branch_flow(), solution.v_mag[0]
    real = np.flatnonzero(np.isfinite(v) & ~net.bus.is_star)
    loading = np.nan_to_num(flow.loading[0])
    low, high = v < net.bus.v_min_pu - 1e-6, v > net.bus.v_max_pu + 1e-6
    lowest, highest = (int(real[pick(v[real])]) for pick in (np.argmin, np.argmax)) if len(real) else (-1, -1)
    dead = ~np.isfinite(v) & net.bus.in_service & ~net.bus.is_star
    without = {name: t.in_service & dead[t.bus] for name, t in (("load", net.load), ("gen", net.gen))}
    return {
        "load_mw": float(net.load.p_mw[net.load.in_service & ~without["load"]].sum()),
        "generation_mw": float(solution.gen_p_mw[0].sum()),
        "losses_mw": float(np.nansum(flow.p_from_mw[0] + flow.p_to_mw[0])),
        "buses_without_supply": net.bus.id[dead].tolist(),
        "lost_load_mw": float(net.load.p_mw[without["load"]].sum()),
        "lost_gen_mw": float(net.gen.p_mw[without["gen"]].sum()),
        "v_min_pu": float(v[lowest]) if len(real) else None,
        "v_min_bus": net.bus.id[lowest] if len(real) else None,
        "v_max_pu": float(v[highest]) if len(real) else None,
        "v_max_bus": net.bus.id[highest] if len(real) else None,
        "max_loading": float(loading.max(initial=0.0)),
        "max_loading_branch": net.branch.id[int(loading.argmax())] if loading.max(initial=0.0) > 0 else None,
        "overloads": int(np.count_nonzero(loading > 1 + 1e-6)),
        "voltage_violations": int(np.count_nonzero((low | high)[real])),
    }


def _print_pf(
    grid: str, net: Network, solution: Solution, meaning: str, data: dict[str, Any], top: int, report: bool
) -> None:
    import numpy as np

    print(f"{net.name}: {net.n_bus:,} buses, {net.n_branch:,} branches, {net.n_gen:,} units, {net.n_load:,} loads")
    print(
        f"{meaning}; {data['iterations']} iterations, mismatch {data['mismatch_pu']:.2g} pu, "
        f"{show.duration(data['seconds'])}"
    )
    name = shlex.quote(grid)
    if report:
        print_report(data)
    if "losses_mw" not in data:
        say("no solution was found: the figures of this state are not shown")
        sentences = ["The power flow has no solution from the starts that were tried."]
        if "reached" in data and np.isfinite(data["reached"]):
            sentences.append(f"It has one for {show.percent(data['reached'])} of all injections.")
        show.summary(
            sentences,
            [
                f"aurigrid diagnose {name}",
                f"aurigrid info {name} --report",
                f"aurigrid pf {name} --engine dc",
            ],
        )
        return
    loading = np.nan_to_num(solution.branch_flow().loading[0])
    rows = []
    for k in np.argsort(-loading)[:top].tolist():
        ends = (net.bus.id[net.branch.from_bus[k]], net.bus.id[net.branch.to_bus[k]])
        if loading[k] > 0:
            rows.append((net.branch.id[k], f"{ends[0]} - {ends[1]}", show.percent(loading[k]), net.branch.rate_mva[k]))
    if rows:
        show.table("Highest loadings", [("branch", "l"), ("from - to", "l"), ("loading", "r"), ("MVA", "r")], rows)
    load, generation, losses = (f"{data[k]:,.1f} MW" for k in ("load_mw", "generation_mw", "losses_mw"))
    sentences = [f"Load {load}, generation {generation}, losses {losses}."]
    if data["v_min_pu"] is not None:
        low, high = (f"{data[f'v_{end}_pu']:.4f} pu (bus {data[f'v_{end}_bus']})" for end in ("min", "max"))
        sentences.append(f"Voltages {low} to {high}.")
    if data["overloads"]:
        worst = f"{data['max_loading_branch']} at {show.percent(data['max_loading'])}"
        sentences.append(f"{data['overloads']} branches carry more than their rating; the worst is {worst}.")
    else:
        sentences.append(
            "No branch carries more than its rating." if rows else "No branch has a rating to compare with."
        )
    if data["voltage_violations"]:
        sentences.append(f"{data['voltage_violations']} buses are outside their voltage band.")
    if without := data["buses_without_supply"]:
        told = ", ".join(map(str, without[:_NAMED])) + (", ..." if len(without) > _NAMED else "")
        number = "1 bus is" if len(without) == 1 else f"{len(without):,} buses are"
        sentences.append(f"{number} without supply ({told}): {data['lost_load_mw']:,.1f} MW of load are not served.")
    show.summary(sentences, [f"aurigrid n1 {name}"])
