"""Fourteen days of the RTS-GMLC, day-ahead with its network, beside PLEXOS.

    python examples/rts_gmlc_fortnight.py --data FOLDER [--days 14] [--gap 0.005] [--limit 30] [--thermal]

Each day is planned at hourly steps with one day of look-ahead, and goes on from where the day before ended; 4 July is planned
first to have a state to begin with, and is not counted. FOLDER is a copy of RTS-GMLC's RTS_Data.

PLEXOS's solar energy, given and curtailed (257.80 GWh), is that of the photovoltaic plants alone, and its energy by fuel leaves
no room for the 41 GWh of heat that reach the thermal solar plant; so the plant does not run here unless --thermal asks for it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

import aurigrid as ag
from aurigrid.io.load import load_with_report
from aurigrid.studies.rts import RtsMarket, cost_of_steps, rts_market

PLEXOS_COST = (
    2129.5, 2090.7, 1742.2, 1555.9, 1586.9, 1921.9, 2089.4, 1931.1, 1712.1, 1909.6, 1642.3, 2127.4, 2321.5, 2251.9,
)  # fmt: skip
"""Day-ahead results of PLEXOS for 5 to 18 July 2020, k$."""
PLEXOS_GWH = {"Coal": 570.25, "Gas CC": 442.88, "Solar": 255.25, "Hydro": 219.10, "Wind": 169.27, "Nuclear": 134.19}
PLEXOS_CURTAILED_GWH = {"Solar": 2.55, "Wind": 10.87}
FIRST = np.datetime64("2020-07-05")
DAY_H = 24


def energy(market: RtsMarket, plan: ag.Plan) -> tuple[Counter[str], Counter[str]]:
    """GWh of the first day of a plan, given and curtailed, by kind of plant."""
    given, lost = Counter(), Counter()
    for unit, category in enumerate(market.extras.unit_category.astype(str)):
        kind = "Solar" if "PV" in category else category
        given[kind] += float(plan.gen_p_mw[:DAY_H, unit].sum()) / 1e3
        lost[kind] += float(plan.curtailed_mw[:DAY_H, unit].sum()) / 1e3
    heat = np.isin(plan.net.storage.id.astype(str), market.thermal)
    given["Thermal sun"] += float(plan.storage_p_mw[:DAY_H, heat].sum()) / 1e3
    return given, lost


def main(arguments: list[str] | None = None) -> int:
    """Plan the days and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--days", type=int, default=len(PLEXOS_COST))
    parser.add_argument("--gap", type=float, default=0.005)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of search a day")
    parser.add_argument("--thermal", action="store_true", help="run the thermal solar plant")
    asked = parser.parse_args(arguments)
    market = rts_market(load_with_report(asked.data), thermal_sun=asked.thermal)
    plan, costs, starts, missing = None, [], 0.0, np.zeros(2)
    given, lost = Counter(), Counter()
    print("| day | cost, k$ | PLEXOS, k$ | difference | curtailed, GWh | gap | s |\n|---|---|---|---|---|---|---|")
    for d in range(-1, asked.days):
        span = market.profiles.window(str(FIRST + d), str(FIRST + d + 2))
        began = time.perf_counter()
        plan = ag.dispatch(
            market.net, span, security="base", losses=False, gap=asked.gap, time_limit=asked.limit, before=plan,
            **market.options(span),
        )  # fmt: skip
        if d < 0:
            continue
        parts, day = cost_of_steps(plan, DAY_H), energy(market, plan)
        costs.append(sum(parts.values()) / 1e3)
        starts += parts["starts"] / 1e3
        given, lost = given + day[0], lost + day[1]
        missing += plan.unserved_mw[:DAY_H].sum(), plan.schedule.reserve_short_mw[:, :DAY_H].sum()
        row = f"{costs[-1]:.1f} | {PLEXOS_COST[d]} | {100 * (costs[-1] / PLEXOS_COST[d] - 1):+.2f} %"
        end = f"{100 * plan.gap:.2f} % | {time.perf_counter() - began:.0f}"
        print(f"| {FIRST + d} | {row} | {sum(day[1].values()):.2f} | {end} |", flush=True)
    theirs = sum(PLEXOS_COST[: asked.days])
    apart = 100 * (sum(costs) / theirs - 1)
    print(f"\ntotal {sum(costs):.1f} k$, of this starts {starts:.1f}; PLEXOS {theirs:.1f} k$: {apart:+.2f} %")
    for title, mine, peer in (("GWh", given, PLEXOS_GWH), ("curtailed GWh", lost, PLEXOS_CURTAILED_GWH)):
        told = [f"{k} {x:.2f}" + (f" (PLEXOS {peer[k]})" if k in peer else "") for k, x in mine.items() if x > 0.005]
        print(f"{title}: " + ", ".join(told))
    weather = market.profiles.window(str(FIRST), str(FIRST + asked.days))
    inflow, unit = market.extras.csp_inflow_mw, weather.series["gen", "p_mw"].position
    sun = np.char.find(market.extras.unit_category[unit].astype(str), "PV") >= 0
    first = int(np.searchsorted(market.profiles.time, weather.time[0]))
    heat = sum(float(x[first : first + len(weather)].sum()) for x in inflow.values()) / 1e3
    print(
        f"series: photovoltaic {weather.values('gen', 'p_mw')[:, sun].sum() / 1e3:.2f} GWh, thermal sun {heat:.2f} GWh"
    )
    print(f"not served {missing[0]:.1f} MWh, reserve missing {missing[1]:.1f} MWh; neither is part of the cost")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
