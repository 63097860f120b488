"""Unit commitment and dispatch: proven gaps on PGLib-UC days, and a secure day of the German transmission grid.

    python benchmarks/dispatch.py uc --data FOLDER [--day 07-06 ...] [--limit 570]   rts_gmlc_2020-*.json of PGLib-UC
    python benchmarks/dispatch.py day [--date 2016-01-18] [--security n-1] [--gap 0.005] [--limit 300]
    python benchmarks/dispatch.py rolling [--date 2016-01-18] [--security n-1] [--turns 6] [--limit 120] [--commit-every 2]
    python benchmarks/dispatch.py pegase --data FOLDER [--security n-1] [--gap 0.001] [--limit 600]   24 h of 1354 buses
    python benchmarks/dispatch.py rts --data FOLDER [--days 14] ...      the example rts_gmlc_fortnight.py: beside PLEXOS

`uc` uses the same options for all days and prints the cost beside the best primal known (`BEST`, in $: the least of three runs of
UnitCommitment.jl with Gurobi, table benchmark/tables/reference.csv of its repository), the proven gap, and the seconds to 1, 0.5
and 0.1 %. `pegase` reads pglib_opf_case1354_pegase.m of PGLib-OPF v23.07. Its units get a fuel by their size (and with it ramps,
starts, least outputs and times by the table of defaults) and whose loads swing between 60 and 100 %; branches may carry 1.2 times
their rating after outages.
"""

from __future__ import annotations

import argparse
import runpy
import time
from pathlib import Path
from typing import Any

BEST = {
    "01-27": 1227312, "03-05": 2506280, "05-05": 2431156, "07-06": 3729150, "09-20": 2957904, "11-25": 960782,
}  # fmt: skip
_MARKS = (0.01, 0.005, 0.001)


def unit_commitment(folder: Path, days: list[str], gap: float, limit: float) -> None:
    """A row a day."""
    from aurigrid.dispatch.commit import commit_units
    from aurigrid.dispatch.pglib_uc import read_pglib_uc

    marks = "s to 1 % | 0.5 % | 0.1 %"
    print(f"| day | cost, $ | bound, $ | gap | above best | s | gap proven: {marks} | above best: {marks} |")
    print("|---" * 12 + "|")
    for day in days:
        found = commit_units(read_pglib_uc(folder / f"rts_gmlc_2020-{day}.json"), gap=gap, time_limit=limit).found
        best = BEST.get(day, float("nan"))
        proven = [found.time_to(mark) for mark in _MARKS]
        reached = [next((s for s, cost, _ in found.trace if cost <= best * (1 + mark)), None) for mark in _MARKS]
        times = " | ".join("-" if s is None else f"{s:.1f}" for s in proven + reached)
        above = f"{100 * (found.cost / best - 1):+.3f} %" if day in BEST else "-"
        figures = f"{found.cost:,.0f} | {found.bound:,.0f} | {100 * found.gap:.3f} % | {above} | {found.seconds:.1f}"
        print(f"| {day} | {figures} | {times} |", flush=True)


def secure_day(date: str, security: str, gap: float, limit: float) -> None:
    """The seconds of each part, limits that came in, and what the plan costs."""
    import aurigrid as ag
    from aurigrid.io.load import load_with_report

    read = load_with_report("1-EHV-mixed--0-no_sw")
    assert read.profiles is not None
    _told(ag.dispatch, read.network, read.profiles.day(date), security, gap, limit)


def _told(dispatch: Any, net: Any, day: Any, security: str, gap: float, limit: float) -> None:
    began = time.perf_counter()
    plan = dispatch(net, day, security=security, gap=gap, time_limit=limit)
    seconds, done = time.perf_counter() - began, plan.secured
    parts = ", ".join(f"{name} {s:.1f} s" for name, s in done.seconds.items())
    system = done.model.system
    print(
        f"{net.name}, {day.time[0]}: {plan.n_steps} steps, {len(done.merged.unit)} switched units in {len(system.units)} rows"
    )
    print(f"{seconds:.1f} s ({parts}); {len(done.limits.key)} flow limits as rows, {len(done.unsettled)} unsettled")
    print(
        f"cost {plan.cost:,.0f}, bound {plan.bound:,.0f}, gap {100 * plan.gap:.3f} %, curtailed {plan.curtailed_mwh()}"
    )
    if done.found is not None:
        print(f"search: {done.found.seconds:.1f} s, {[done.found.time_to(mark) for mark in _MARKS]} s to 1, 0.5, 0.1 %")


def rolling(date: str, security: str, turns: int, limit: float, commit_every: float) -> None:
    """The seconds of a commitment and of re-dispatches of 24 h, a quarter-hour apart: wind blows a tenth weaker than forecast."""
    from itertools import islice

    import numpy as np

    from aurigrid.dispatch.forecast import blended
    from aurigrid.dispatch.roll import Rules
    from aurigrid.dispatch.roll import turns as rolled
    from aurigrid.io.load import load_with_report
    from aurigrid.model.profiles import Profiles

    read = load_with_report("1-EHV-mixed--0-no_sw")
    assert read.profiles is not None
    expected = read.profiles.window(f"{date} 00:00", f"{np.datetime64(date) + 3} 00:00")
    series = {key: (given.read(0, len(expected)), given.position) for key, given in expected.series.items()}
    values, unit = series["gen", "p_mw"]
    series["gen", "p_mw"] = np.where(read.network.gen.fuel[unit] == "wind", 0.9, 1.0) * values, unit
    actual = Profiles(expected.time, series, step_min=expected.step_min, zone=expected.zone)
    again = []
    for turn in islice(
        rolled(
            read.network,
            blended(expected, actual),
            actual,
            Rules(commit_every_h=commit_every, security=security, time_limit=limit),
        ),
        turns,
    ):
        print(
            f"turn {turn.number}: {'commitment' if turn.committed else 're-dispatch'} of {turn.plan.n_steps} steps, "
            f"{turn.seconds:.2f} s" + (f", gap {100 * turn.gap:.2f} %" if turn.committed else ""),
            flush=True,
        )
        if not turn.committed:
            again.append(turn.seconds)
    if again:
        print(f"median of {len(again)} re-dispatches of 24 h: {np.median(again):.2f} s")


FUEL_FROM_MW = (("nuclear", 1500.0), ("coal", 400.0), ("gas", 0.0))
"""Fuel of a unit by its size: the first whose size it reaches."""
_AFTER_OUTAGE = 1.2


def pegase(folder: Path, security: str, gap: float, limit: float) -> None:
    """A commitment of 1354pegase; UnitCommitment.jl with Gurobi, 4 threads, takes 65 to 298 s for 36 h of its own data."""
    import numpy as np

    import aurigrid as ag
    from aurigrid.model.profiles import Profiles

    net = ag.load(str(folder / "pglib_opf_case1354_pegase.m"))
    size = net.gen.p_max_mw
    fuel = np.select([size >= least for _, least in FUEL_FROM_MW], [name for name, _ in FUEL_FROM_MW], "gas")
    net = net.replace(
        gen=net.gen.replace(fuel=fuel, p_min_mw=np.where(net.gen.p_min_mw > 0, net.gen.p_min_mw, -np.inf)),
        branch=net.branch.replace(rate_short_mva=_AFTER_OUTAGE * net.branch.rate_mva),
    )
    hour = np.arange(24)
    share = 0.8 - 0.2 * np.cos(2 * np.pi * (hour - 4) / 24)
    time_ = np.datetime64("2017-02-01", "h") + hour
    every = np.arange(net.n_load)
    day = Profiles(
        time_.astype("datetime64[s]"),
        {("load", name): (share[:, None] * getattr(net.load, name), every) for name in ("p_mw", "q_mvar")},
        step_min=60,
        zone="UTC",
    )
    _told(ag.dispatch, net, day, security, gap, limit)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what", required=True)
    uc = parts.add_parser("uc")
    uc.add_argument("--data", type=Path, required=True)
    uc.add_argument("--day", nargs="*", default=list(BEST))
    uc.add_argument("--gap", type=float, default=0.001)
    uc.add_argument("--limit", type=float, default=570.0)
    day = parts.add_parser("day")
    day.add_argument("--date", default="2016-01-18")
    day.add_argument("--security", default="n-1")
    day.add_argument("--gap", type=float, default=0.005)
    day.add_argument("--limit", type=float, default=300.0)
    roll = parts.add_parser("rolling")
    roll.add_argument("--date", default="2016-01-18")
    roll.add_argument("--security", default="n-1")
    roll.add_argument("--turns", type=int, default=6)
    roll.add_argument("--limit", type=float, default=120.0)
    roll.add_argument("--commit-every", type=float, default=2.0)
    large = parts.add_parser("pegase")
    large.add_argument("--data", type=Path, required=True)
    large.add_argument("--security", default="n-1")
    large.add_argument("--gap", type=float, default=0.001)
    large.add_argument("--limit", type=float, default=600.0)
    parts.add_parser("rts", add_help=False)
    given, rest = parser.parse_known_args()
    if given.what == "rts":
        script = Path(__file__).parent.parent / "examples" / "rts_gmlc_fortnight.py"
        raise SystemExit(runpy.run_path(str(script))["main"](rest))
    if rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if given.what == "uc":
        unit_commitment(given.data, given.day, given.gap, given.limit)
    elif given.what == "pegase":
        pegase(given.data, given.security, given.gap, given.limit)
    elif given.what == "rolling":
        rolling(given.date, given.security, given.turns, given.limit, given.commit_every)
    else:
        secure_day(given.date, given.security, given.gap, given.limit)


if __name__ == "__main__":
    main()
