"""The command ``bench``: how fast this machine solves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import Json, Threads, compiling_notice, guarded, print_json

if TYPE_CHECKING:
    from aurigrid.model.network import Network

_SPREAD, _SEED = 0.05, 7


@guarded
def bench(
    grids: Annotated[list[str] | None, typer.Argument(metavar="[GRID]...", help="Grids; case300 if not given.")] = None,
    scenarios: Annotated[int, typer.Option(min=1, help="Operating points: loads varied at random by 5 %.")] = 1000,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure this machine: operating points and N-1 outages a second, to 1e-8 pu."""
    from aurigrid.io.load import load

    nets = [load(name) for name in grids or ["case300"]]
    results = []
    with compiling_notice(), show.progress("grids") as bar:
        for i, net in enumerate(nets):
            results.append(_measure(net, scenarios, threads))
            bar(i + 1, len(nets))
    if json:
        print_json({"results": results})
        return
    headings = [("grid", "l"), ("buses", "r"), ("points", "r"), ("us each", "r"), ("outages", "r"), ("us each", "r")]
    keys = ("grid", "buses", "scenarios", "us_per_scenario", "outages", "us_per_outage")
    show.table("AC power flows to 1e-8 pu", headings, [[r[k] for k in keys] for r in results])
    sentences = [
        f"{r['grid']}: {r['converged']:,} of {r['scenarios']:,} points and {r['outages_solved']:,} of {r['outages']:,} "
        f"outages solved."
        for r in results
    ]
    show.summary(sentences, [])


def _measure(net: Network, n: int, threads: int | None) -> dict[str, Any]:
    """Time the second of two runs; the first one warms caches and compiles."""
    import numpy as np

    from aurigrid.model.scenarios import Scenarios
    from aurigrid.powerflow import power_flow
    from aurigrid.security import security_analysis

    factor = 1 + _SPREAD * np.random.default_rng(_SEED).uniform(-1, 1, (n, net.n_load))
    varied = Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)
    power_flow(net, varied[: min(n, 16)], threads=threads)
    clock = show.Clock()
    points = power_flow(net, varied, threads=threads)
    point_seconds = clock.seconds
    security_analysis(net, threads=threads)
    clock = show.Clock()
    outages = security_analysis(net, threads=threads)
    outage_seconds = clock.seconds
    count = outages.contingencies.n
    return {
        "grid": net.name,
        "buses": net.n_bus,
        "threads": threads,
        "scenarios": n,
        "converged": int(np.count_nonzero(points.converged)),
        "us_per_scenario": round(1e6 * point_seconds / n, 2),
        "outages": count,
        "outages_solved": int(np.count_nonzero(np.isin(outages.status, (0, 4)))),
        "us_per_outage": round(1e6 * outage_seconds / count, 2) if count else None,
    }
