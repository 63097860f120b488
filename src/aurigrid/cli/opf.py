"""Optimal power flow of one grid: opf."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    NOT_SOLVED,
    OUTAGES_HELP,
    Grid,
    Json,
    Threads,
    Top,
    compiling_notice,
    guarded,
    print_json,
)
from aurigrid.cli.secure import ShortFactor, VMargin, print_security, secure_figures, secure_point

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.opf import OptimalPowerFlow


@guarded
def opf(
    grid: Grid,
    soft: Annotated[
        bool, typer.Option("--soft", help="Let balances and limits be broken at a price from the start.")
    ] = False,
    soft_price: Annotated[float, typer.Option(help="Price of missing power and overload, currency/MWh.")] = 10_000.0,
    max_iterations: Annotated[int, typer.Option(min=1, help="Interior-point iterations.")] = 150,
    secure: Annotated[bool, typer.Option("--secure", help="Keep limits after every outage too.")] = False,
    outages: Annotated[str, typer.Option("--outages", "-o", help=f"With --secure: {OUTAGES_HELP}")] = "n-1",
    short_factor: ShortFactor = 1.0,
    v_margin_pu: VMargin = 0.0,
    insecurity_price: Annotated[
        float, typer.Option(help="With --secure: price of overload after an outage, currency/MWh.")
    ] = 1000.0,
    rounds: Annotated[int, typer.Option(min=0, help="With --secure: optimal power flows after the first one.")] = 12,
    actions: Annotated[
        Path | None, typer.Option(help="With --secure: JSON list of actions that may be taken after an outage.")
    ] = None,
    bound: Annotated[
        bool,
        typer.Option("--bound", help="Prove how far the cost can lie above the least; seconds for a hundred buses."),
    ] = False,
    threads: Threads = None,
    top: Top = 5,
    json: Json = False,
) -> int:
    """Find the operating point of least cost that keeps all limits, in full AC. Exit code 1 if there is none."""
    from aurigrid.io.load import load_with_report
    from aurigrid.opf import OpfStatus, optimal_power_flow

    net = load_with_report(grid).network
    clock = show.Clock()
    found = None
    with compiling_notice():
        if secure:
            found = secure_point(
                net, outages, short_factor, v_margin_pu, insecurity_price, rounds, actions, soft_price, max_iterations, threads
            )  # fmt: skip
            result = found.points
        else:
            result = optimal_power_flow(
                net, soft=soft, soft_price=soft_price, max_iterations=max_iterations, threads=threads
            )
    status = OpfStatus(int(result.status[0]))
    good = status in (OpfStatus.OPTIMAL, OpfStatus.FEASIBLE)
    data: dict[str, Any] = {
        "grid": net.name,
        "status": status.name.lower(),
        "objective": float(result.objective[0]),
        "max_violation_pu": float(result.max_violation_pu[0]),
        "kkt_residual": float(result.kkt_residual[0]),
        "iterations": int(result.iterations[0]),
        "seconds": clock.seconds,
    }
    if status != OpfStatus.FAILED:
        data |= _figures(net, result)
    if bound and good:
        data |= _bound(result)
    if found is not None:
        data |= secure_figures(found)
    if json:
        print_json(data)
    else:
        _print(grid, net, result, status, data, top)
        if found is not None:
            print_security(found, top)
    if found is not None and not found.secure[0]:
        return NOT_SOLVED
    return 0 if good else NOT_SOLVED


def _bound(result: OptimalPowerFlow) -> dict[str, Any]:
    from aurigrid.opf.ascent import relaxed_lower_bound

    least = relaxed_lower_bound(result)
    return {"lower_bound": float(least.value[0]), "gap": float(least.gap(result.objective)[0])}


def _figures(net: Network, result: OptimalPowerFlow) -> dict[str, Any]:
    import numpy as np

    flow, price = result.solution.branch_flow(), result.price_per_mwh[0]
    return {
        "load_mw": float(net.load.p_mw[net.load.in_service].sum()),
        "generation_mw": float(result.gen_p_mw[0].sum()),
        "losses_mw": float(np.nansum(flow.loss_mw[0])),
        "missing_mw": float(result.slack_mw[0]),
        "missing_mvar": float(result.slack_mvar[0]),
        "price_min_per_mwh": float(price.min()),
        "price_max_per_mwh": float(price.max()),
    }


def _print(grid: str, net: Network, result: OptimalPowerFlow, status: Any, data: dict[str, Any], top: int) -> None:
    import numpy as np

    print(f"{net.name}: {net.n_bus:,} buses, {net.n_branch:,} branches, {net.n_gen:,} units, {net.n_load:,} loads")
    print(
        f"{status.meaning}; {data['iterations']} iterations, optimality conditions {data['kkt_residual']:.2g}, largest violation "
        f"{data['max_violation_pu']:.2g} pu, {show.duration(data['seconds'])}"
    )
    name = shlex.quote(grid)
    if "losses_mw" not in data:
        show.summary(["No point was found, not even one that breaks limits."], [f"aurigrid info {name} --report"])
        return
    rows = []
    for entry in result.binding(0)[:top]:
        table, at = net.branch, entry["element"]
        if entry["kind"].startswith("v_"):
            node = np.flatnonzero(result.problem.grid.node_of_bus == at)
            label = f"bus {net.bus.id[node[0]]}"
        elif entry["kind"][0] in "pq":
            label = f"unit {net.gen.id[at]}"
        else:
            label = f"branch {table.id[at]}"
        rows.append((label, entry["kind"], f"{entry['multiplier']:.3g}"))
    if rows:
        show.table("Limits that bind, dearest first", [("element", "l"), ("limit", "l"), ("multiplier", "r")], rows)
    load, generation, losses = (f"{data[k]:,.1f} MW" for k in ("load_mw", "generation_mw", "losses_mw"))
    sentences = [
        f"Cost {data['objective']:,.2f} per hour. Load {load}, generation {generation}, losses {losses}.",
        f"Prices {data['price_min_per_mwh']:,.2f} to {data['price_max_per_mwh']:,.2f} per MWh.",
    ]
    if "gap" in data:
        sentences.append(
            f"Proven: no point that keeps the limits before outages costs less than {data['lower_bound']:,.2f} per hour; this "
            f"one lies at most {data['gap']:.2%} above the least."
        )
    if data["missing_mw"] > 1e-3 or data["missing_mvar"] > 1e-3:
        worst = int(np.argmax(np.abs(result.short_mw[0]) + np.abs(result.short_mvar[0])))
        sentences.append(
            f"{data['missing_mw']:,.1f} MW and {data['missing_mvar']:,.1f} Mvar are missing or cannot be used, most at bus "
            f"{net.bus.id[worst]} ({result.short_mw[0, worst]:+,.1f} MW, {result.short_mvar[0, worst]:+,.1f} Mvar)."
        )
    show.summary(sentences, [f"aurigrid pf {name}", f"aurigrid n1 {name}"])
