"""Large grids, a million units, and the memory of a large N-1: times and peak memory, each in a process of its own.

    python benchmarks/large.py [grids] [units] [n1] [--json FILE]

Part "grids": the power flow of the largest public cases from their stored start, both read from the source and solved.
Part "units": ACTIVSg2000 with a million small PV and wind units, 96 steps of a day, against the same grid with its own
units. Part "n1": all branch outages of case9241pegase.

Peak memory is that of the whole process, Python and compiled code included. Times are wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LARGE = ("case_ACTIVSg25k", "case_ACTIVSg70k", "case_SyntheticUSA")
UNITS, STEPS, ZONES, SHARE, SEED = 1_000_000, 96, 20, 0.3, 11
CHUNK = 16
"""Steps whose unit values are written out together where they are given as arrays: 16 x 1e6 x 8 bytes = 128 MB."""


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def best(repeat: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Shortest time of some runs and the last result."""
    runs = [timed(work) for _ in range(repeat)]
    return min(seconds for seconds, _ in runs), runs[-1][1]


def peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


# ---- large grids ----------------------------------------------------------------------------------------------------


def large_grid(name: str) -> list[dict[str, Any]]:
    """Read, compile the problem, solve from the case's stored start, and solve a batch."""
    import aurigrid as ag

    small = ag.load("case14")
    ag.power_flow(small, ag.Scenarios.base(small, 8))  # kernels come from their cache before anything is timed
    reading, imported = timed(lambda: ag.load_with_report(f"matpower:{name}", cache=False))
    net = imported.network
    first, solution = timed(lambda: ag.power_flow(net))
    again, _ = best(3, lambda: ag.power_flow(net))
    rng = np.random.default_rng(SEED)
    factor = 1 + 0.01 * rng.standard_normal((32, net.n_load))
    batch = ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)
    many, solved = best(2, lambda: ag.power_flow(net, batch))
    state = imported.source_state
    # the stored states hold units at their reactive limits: the same root is found with limits on
    limited_s, limited = timed(lambda: ag.power_flow(net, q_limits=True))
    stored = state is not None and state.v_mag_pu is not None
    live = np.isfinite(limited.v_mag[0])
    apart = float(np.abs(limited.v_mag[0] - state.v_mag_pu)[live].max()) if stored else None
    return [
        {
            "grid": name,
            "buses": net.n_bus,
            "branches": net.n_branch,
            "units": net.n_gen,
            "read s": round(reading, 2),
            "first solve s": round(first, 2),
            "again ms": round(again * 1e3, 1),
            "ms each of 32": round(many * 1e3 / 32, 2),
            "solved of 32": int(solved.converged.sum()),
            "status": ag.Status(int(solution.status[0])).name.lower(),
            "mismatch pu": f"{float(solution.mismatch_pu[0]):.1e}",
            "V, pu": f"{np.nanmin(solution.v_mag):.3f} .. {np.nanmax(solution.v_mag):.3f}",
            "with Q limits s": round(limited_s, 2),
            "then V against stored, pu": f"{apart:.1e}" if apart is not None else "-",
            "peak GB": peak_gb(),
        }
    ]


# ---- a million units ------------------------------------------------------------------------------------------------


def with_small_units(net: Any, count: int = UNITS, share: float = SHARE, seed: int = SEED) -> tuple[Any, np.ndarray]:
    """The network with small PV and wind units at every bus, and the group of each unit.

    Every bus gets the same number of them, two thirds PV and one third wind, of sizes drawn at random. In all they
    inject ``share`` of what the units in service inject, a bus in proportion to its load (and a tenth of the mean
    load); the units that were there inject that much less, keep their voltages and limits, and stay the first rows of
    the table. Group 0 are the units that were there; PV and wind of each of the `ZONES` stretches of buses follow a
    profile of their own.

    Returns:
        The network with ``count`` units in all, and (count,) groups.
    """
    from aurigrid.model.tables import GenTable

    rng = np.random.default_rng(seed)
    few, n_new = net.gen, count - net.n_gen
    bus = np.arange(n_new) % net.n_bus
    wind = (np.arange(n_new) // net.n_bus) % 3 == 2
    at_bus = np.bincount(net.load.bus, net.load.p_mw * net.load.in_service, minlength=net.n_bus).clip(min=0)
    at_bus += 0.1 * at_bus.mean()
    size = rng.lognormal(0.0, 1.0, n_new)
    size *= (at_bus / at_bus.sum() / np.bincount(bus, size))[bus] * share * few.p_mw[few.in_service].sum()
    added = GenTable.make(
        id=np.arange(n_new) + 1_000_000,
        bus=bus,
        p_mw=size,
        p_min_mw=0.0,
        p_max_mw=size,
        q_min_mvar=0.0,
        q_max_mvar=0.0,
        fuel=np.where(wind, "wind", "solar"),
    )
    lesser = few.replace(p_mw=few.p_mw * (1 - share))
    columns = {name: np.concatenate([values, getattr(added, name)]) for name, values in lesser.items()}
    columns["id"] = np.array([str(v) for v in columns["id"]], dtype=object)
    zone = bus * ZONES // net.n_bus
    group = np.concatenate([np.zeros(net.n_gen, int), 1 + 2 * zone + wind])
    return net.replace(gen=GenTable.make(**columns)), group


def day_shapes() -> tuple[np.ndarray, np.ndarray]:
    """(96,) load factor, and (96, 1 + 2 ZONES) profile of each group: 0 the rest, odd PV, even wind; smooth in time."""
    rng = np.random.default_rng(SEED)
    hour = np.arange(STEPS)[:, None] / 4
    load = 0.82 - 0.12 * np.cos(2 * np.pi * (hour[:, 0] - 4) / 24) - 0.06 * np.cos(4 * np.pi * (hour[:, 0] - 7) / 24)
    phase, cloud = rng.uniform(0, 2 * np.pi, (2, ZONES)), rng.uniform(0.5, 1.0, ZONES)
    sun = np.maximum(0.0, np.sin(np.pi * (hour - 6) / 12)) * cloud
    wind = 0.5 + 0.25 * np.sin(2 * np.pi * hour / 24 + phase[0]) + 0.1 * np.sin(2 * np.pi * hour / 6 + phase[1])
    profile = np.ones((STEPS, 1 + 2 * ZONES))
    profile[:, 1::2], profile[:, 2::2] = sun, wind
    return load, profile


def units_part(_: str) -> list[dict[str, Any]]:
    """96 steps of a day: the grid with its own units, with a million as groups, and with a million as arrays."""
    import aurigrid as ag

    few = ag.load("matpower:case_ACTIVSg2000")
    building, (many, group) = timed(lambda: with_small_units(few))
    load, profile = day_shapes()
    profile[:, 1:] /= profile[:, 1:].mean(0)  # the network as it is has the mean of the day
    loads = {"load_p_mw": load[:, None] * few.load.p_mw, "load_q_mvar": load[:, None] * few.load.q_mvar}
    # what is not wind or sun follows the load that these leave
    infeed = np.stack([np.bincount(group, many.gen.p_mw, minlength=profile.shape[1])] * STEPS) * profile
    total = load * few.gen.p_mw[few.gen.in_service].sum()
    profile[:, 0] = (total - infeed[:, 1:].sum(1)) / many.gen.p_mw[: few.n_gen][few.gen.in_service].sum()
    own = ag.Scenarios(few, gen_p_mw=load[:, None] * few.gen.p_mw, **loads)
    grouped = ag.Grouped(profile, group, many.gen.p_mw)
    checking, in_groups = timed(lambda: ag.Scenarios(many, gen_p_mw=grouped, **loads))

    rows = []
    for threads in (1, 2):
        ag.power_flow(few, own, threads=threads)
        first_s, _ = timed(lambda t=threads: ag.power_flow(many, in_groups, threads=t))
        # in turn, so that both see the same machine
        own_s = group_s = np.inf
        for _ in range(40):
            spent, base = timed(lambda t=threads: ag.power_flow(few, own, threads=t))
            own_s = min(own_s, spent)
            spent, solved = timed(lambda t=threads: ag.power_flow(many, in_groups, threads=t))
            group_s = min(group_s, spent)
        array_s, arrays = chunked(ag, many, grouped, loads, threads)
        for what, net, seconds, found, steps in (
            ("its own units", few, own_s, base.converged.sum(), base.iterations),
            ("a million units, in groups", many, group_s, solved.converged.sum(), solved.iterations),
            ("a million units, arrays (96, 1e6)", many, array_s, arrays[0], arrays[2]),
        ):
            rows.append(
                {
                    "ACTIVSg2000 with": what,
                    "units": net.n_gen,
                    "threads": threads,
                    "steps solved": f"{int(found)} of {STEPS}",
                    "iterations": round(float(steps.mean()), 2),
                    "us a step": round(seconds * 1e6 / STEPS, 1),
                    "ratio": round(seconds / own_s, 2),
                    "peak GB": "",
                }
            )
        apart = float(np.abs(solved.v - arrays[1]).max())
    rows[-1]["peak GB"] = peak_gb()
    print(
        f"built in {building:.2f} s, groups checked in {checking:.2f} s, first call of a new grid {first_s:.2f} s; "
        f"groups against arrays: voltages within {apart:.1e} pu",
        file=sys.stderr,
    )
    return rows


def chunked(ag: Any, net: Any, grouped: Any, loads: dict[str, np.ndarray], threads: int) -> tuple[float, Any]:
    """The same steps with every unit's value written out, some steps at a time; the time of the solves alone."""
    seconds, converged, v, steps = 0.0, 0, [], []
    for low in range(0, STEPS, CHUNK):
        part = slice(low, low + CHUNK)
        values = {name: array[part] for name, array in loads.items()}
        scenarios = ag.Scenarios(net, gen_p_mw=grouped[part], **values)
        spent, found = timed(lambda s=scenarios: ag.power_flow(net, s, threads=threads))
        seconds += spent
        converged += int(found.converged.sum())
        v.append(found.v)
        steps.append(found.iterations)
    return seconds, (converged, np.concatenate(v), np.concatenate(steps))


# ---- N-1 of a large grid --------------------------------------------------------------------------------------------


def n1_part(name: str) -> list[dict[str, Any]]:
    """All branch outages in full AC, with violations; the memory that it takes."""
    import aurigrid as ag

    net = ag.load(name)
    loaded = peak_gb()
    seconds, report = timed(lambda: ag.security_analysis(net, contingencies="branches"))
    counts = {ag.Status(s).name.lower(): int((report.status == s).sum()) for s in np.unique(report.status)}
    return [
        {
            "grid": name,
            "outages": report.contingencies.n,
            **{"status": ", ".join(f"{k} {v}" for k, v in counts.items())},
            "violations": len(report.violations),
            "s": round(seconds, 1),
            "ms each": round(seconds * 1e3 / report.contingencies.n, 2),
            "GB once loaded": loaded,
            "peak GB": peak_gb(),
        }
    ]


PARTS: dict[str, tuple[Callable[[str], list[dict[str, Any]]], tuple[str, ...]]] = {
    "grids": (large_grid, LARGE),
    "units": (units_part, ("case_ACTIVSg2000",)),
    "n1": (n1_part, ("case9241pegase",)),
}


def apart(part: str, grid: str) -> list[dict[str, Any]]:
    """Rows of one part and grid, from a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", part, grid]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(row[key]) for key in head) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="grids, units, n1; all where absent")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(PARTS[given.one[0]][0](given.one[1])))
        return
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    kept = {}
    for part in given.parts or PARTS:
        kept[part] = [row for grid in PARTS[part][1] for row in apart(part, grid)]
        print(table(kept[part]), end="\n\n", flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
