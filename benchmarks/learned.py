"""Which pairs of outages have to be solved: rules, baselines and trained models on held-out outages and regions, and time.

    python benchmarks/learned.py n2 CASE --data FOLDER --set SET     data set, three seeds, baselines
    python benchmarks/learned.py time CASE --data FOLDER --set SET   end to end on new operating points, beside solving all pairs
    python benchmarks/learned.py unseen CASE --set SET --other SET2  models of another grid's set on this grid's rows
    python benchmarks/learned.py race CASE --data FOLDER --set SET     only the time of all pairs, of the screen and of the model
    python benchmarks/learned.py warm CASE --data FOLDER             optimal power flows started at a stored neighbour's optimum
    python benchmarks/learned.py cap CASE --data FOLDER              secure points a second, and checks of all outages a second

FOLDER holds pglib_opf_CASE.m of PGLib-OPF v23.07; SET is the data set's folder, made or gone on with. PGLib gives one rating
thrice and one band: outages are judged by 1.2 times the rating and by bands widened by 0.05 pu, and operating points keep the
rating and the band before outages and these limits after every single one, as far as that can be had
(`secure_operating_points`). Units share the balance; ``--q-limits`` holds them within their reactive limits. Models are kept in
SET/models.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

SHORT, WIDER = 1.2, 0.05
SPLITS = ("calibration", "usual", "held_out_outages", "held_out_region", "held_out_both")


def network(case: str, folder: Path) -> Any:
    """A grid with the limits that hold after outages."""
    import aurigrid as ag

    net = ag.load(str(folder / f"pglib_opf_{case}.m"))
    branch = net.branch.replace(rate_mva=SHORT * net.branch.rate_mva, rate_short_mva=np.full(net.n_branch, np.inf))
    bus = net.bus.replace(v_min_pu=net.bus.v_min_pu - WIDER, v_max_pu=net.bus.v_max_pu + WIDER)
    return net.replace(branch=branch, bus=bus)


def recipe(args: argparse.Namespace) -> Any:
    from aurigrid.learn import Recipe

    return Recipe(
        rating_share=1 / SHORT, band_margin=WIDER, rounds=args.rounds, outage=args.outage, collapse=(0.0, args.collapse)
    )


def data_set(args: argparse.Namespace) -> tuple[Any, float]:
    """The data set, and seconds that this call spent on it."""
    from aurigrid.learn import make_dataset

    begun = time.perf_counter()
    data = make_dataset(
        network(args.case, args.data), args.set, scenarios=args.n, seed=0, recipe=recipe(args), q_limits=args.q_limits,
        slack="distributed", threads=args.threads,
    )  # fmt: skip
    return data, time.perf_counter() - begun


def line(label: str, results: dict[str, Any]) -> str:
    """One row of the table."""
    cells = []
    for name in SPLITS:
        r = results.get(name)
        if r is None:
            cells.append("-")
            continue
        r = r if isinstance(r, dict) else r.to_dict()
        false = r["checked"] * r["pairs"] - (r["violating"] - r["missed"])
        cells.append(f"{r['found']:.2%} ({r['missed']} of {r['violating']}), {r['checked']:.2%}, {false:.0f}")
    return f"| {label} | " + " | ".join(cells) + " |"


def n2(args: argparse.Namespace) -> None:
    from aurigrid.learn.baselines import compared
    from aurigrid.learn.mlp import Plan, use_threads
    from aurigrid.learn.train import Rows, train

    use_threads(args.threads)
    data, seconds = data_set(args)
    card = data.card()
    print(f"{args.case}: data set {card['scenarios']}, {card['kinds']}; {seconds:.0f} s of it in this call")
    print("each cell: found (missed of violating), share of all pairs solved, solved without need\n")
    print("| rule | " + " | ".join(n.replace("_", " ") for n in SPLITS) + " |\n|---|" + "---|" * len(SPLITS))
    rows = Rows.of(data)
    for label, results in compared(rows, Plan(), SPLITS) if args.baselines else ():
        print(line(label, results), flush=True)
    for seed in args.seeds:
        begun = time.perf_counter()
        made = train(data, Plan(seed=seed), name=f"{args.case}-{seed}")
        seconds = time.perf_counter() - begun
        print(line(f"model, seed {seed}", {"calibration": made.calibration, **made.evaluation}), flush=True)
        t = made.training
        print(
            f"  seed {seed}: at most {made.calibration['bound']:.3%} missed (confidence 95 %); {seconds:.0f} s, "
            f"{t['samples_per_s']:,.0f} samples/s, {t['share_of_peak']:.0%} of a matrix product's rate; exported network "
            f"apart by {t['export_difference']:.0e}; misses in {made.calibration['with_misses']} of "
            f"{made.calibration['scenarios']} points of the calibration set",
            flush=True,
        )


def unseen(args: argparse.Namespace) -> None:
    """What models of another grid would do here, where they are refused: an axis of the protocol."""
    from aurigrid.learn.dataset import Dataset
    from aurigrid.learn.train import Rows, solved_by
    from aurigrid.registry import entries
    from aurigrid.registry.pairs import PairModel

    rows = Rows.of(Dataset.read(args.set))
    os.environ["AURIGRID_MODELS_DIR"] = str(args.other / "models")
    print("| model | " + " | ".join(n.replace("_", " ") for n in SPLITS) + " |\n|---|" + "---|" * len(SPLITS))
    for folder in entries():
        model, parts = PairModel.read(folder), {name: rows.part(name) for name in SPLITS}
        print(line(model.name, {name: part.judge(solved_by(model, part)) for name, part in parts.items()}), flush=True)


def one_step(net: Any, one: Any, base: Any, pairs: Any, cond: Any, truth: Any) -> list[float]:
    """Seconds of one Newton step of every pair, violating pairs that it does not show, and others that it shows."""
    from dataclasses import replace

    from aurigrid.security.analysis import begin
    from aurigrid.security.suspects import Question

    asked = Question(net, one, 0, base, pairs, cond.settings, cond.limits, begin(base))
    seen = asked.seen(asked.singles())
    stepped = replace(asked, how=replace(asked.how, one_step=True))
    begun = time.perf_counter()
    shown = stepped.breaks(seen, seen.estimated)
    seconds = time.perf_counter() - begun
    return [seconds, float(np.sum(truth.violates & ~shown)), float(np.sum(shown & ~truth.violates))]


def errors(net: Any, one: Any, base: Any, pairs: Any, cond: Any, seed: int) -> dict[str, list[Any]]:
    """Errors of the DC model and of one Newton step against the exact state after each of 2000 pairs drawn at random:
    |V|, pu; angle, degrees; apparent power, share of the rating; largest power that does not balance, pu."""
    from dataclasses import replace

    from aurigrid.powerflow.api import solve_cases
    from aurigrid.powerflow.cases import Cases, Pairs
    from aurigrid.security.analysis import begin
    from aurigrid.security.pairs import pair_states

    whole = np.flatnonzero(~pairs.splits)
    which = np.random.default_rng(seed).choice(whole, min(2000, len(whole)), replace=False)
    ends = np.stack([pairs.branch[pairs.first[which]], pairs.branch[pairs.second[which]]], 1)
    exact = pair_states(net, one, 0, ends, cond.settings, begin(base))
    step = pair_states(net, one, 0, ends, replace(cond.settings, one_step=True), begin(base))
    out = Pairs(np.repeat(np.arange(len(ends), dtype=np.int32), 2), np.sort(ends, 1).ravel().astype(np.int32))
    linear = solve_cases(
        net, Cases(one, np.zeros(len(ends), np.int32), {"branch": out}), "dc", replace(cond.settings, q_limits=False)
    )
    rate, found = net.branch.rate_mva, {}
    good = exact.converged
    for name, state in (("DC model", linear), ("one Newton step", step), ("exact batch", exact)):
        v, turn = np.abs(state.v[good]), np.angle(state.v[good] * np.conj(exact.v[good]))
        flow, truth = state.branch_flow(), exact.branch_flow()
        wrong = [np.abs(getattr(flow, end) - getattr(truth, end))[good] / rate for end in ("s_from_mva", "s_to_mva")]
        left = np.full(1, np.nan) if state is linear else state.mismatch_pu[good]
        found[name] = [
            np.abs(v - np.abs(exact.v[good])),
            np.abs(np.degrees(turn)),
            np.maximum(*wrong),
            left,
        ]
    return found


def print_errors(parts: list[dict[str, list[Any]]]) -> None:
    """Median, 99th and 99.9th percentile and maximum over all elements of all pairs."""
    heads = (
        "state after a pair",
        "V, pu: median, p99, p99.9, most",
        "angle, degrees",
        "power, % of rating",
        "not balanced, pu",
    )
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name in parts[0]:
        cells = []
        for k, unit in enumerate((1.0, 1.0, 100.0, 1.0)):
            values = np.concatenate([part[name][k].ravel() for part in parts])
            values = unit * values[np.isfinite(values)]
            told = [*np.quantile(values, (0.5, 0.99, 0.999)), values.max()] if values.size else []
            cells.append(", ".join(f"{x:.2g}" for x in told) or "-")
        print(f"| {name} | " + " | ".join(cells) + " |")


def files(net: Any, report: Any, folder: Path) -> float:
    """Seconds of reading the grid and of writing what breaks limits."""
    import pyarrow.parquet as pq

    import aurigrid as ag

    if not (folder / "grid").exists():
        ag.save(net, folder / "grid")
    begun = time.perf_counter()
    ag.load(str(folder / "grid"))
    pq.write_table(report.violations, folder / "violations.parquet")
    return time.perf_counter() - begun


def timed(args: argparse.Namespace) -> None:
    import tempfile

    import aurigrid as ag
    from aurigrid.learn.outcome import Conditions, outcome, pair_list
    from aurigrid.learn.recipe import draw
    from aurigrid.powerflow.api import solve_cases
    from aurigrid.powerflow.cases import Cases
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.security.analysis import begin, product_cases
    from aurigrid.security.pairs import PairList
    from aurigrid.security.suspects import Question

    net, folder = network(args.case, args.data), Path(tempfile.mkdtemp())
    points = draw(net, recipe(args), 0, np.arange(100_000, 100_000 + args.points), args.threads).scenarios
    how = {"q_limits": args.q_limits, "slack": "distributed", "threads": args.threads}
    cond = Conditions(args.q_limits, "distributed", threads=args.threads)
    outages, solved = pair_list(net)
    pairs = PairList.of(compile_grid(net, single_reference=True), outages, solved)
    ag.security_analysis(net, points[:1], "n-1", **how)
    for engine in ({"screen": "pairs"}, {"engine": "learned"}):
        ag.security_analysis(net, points[:1], outages, **engine, **how)
    rows, wrong = [], []
    for k in range(args.points):
        one = points[k : k + 1]
        base = solve_cases(net, Cases.of(one), "newton", cond.settings)
        begun = time.perf_counter()
        done = solve_cases(net, product_cases(one, outages, solved), "newton", cond.settings)
        bare = time.perf_counter() - begun
        del done
        begun = time.perf_counter()
        full = ag.security_analysis(net, one, outages, **how)
        everything = time.perf_counter() - begun
        truth = outcome(Question(net, one, 0, base, pairs, cond.settings, cond.limits, begin(base)), 1.0, (0, k))
        wrong.append(errors(net, one, base, pairs, cond, k))
        broken = {tuple(sorted(p)) for p in zip(truth.first[truth.violates], truth.second[truth.violates], strict=True)}
        by_dc = truth.dc > 1.0
        row: list[float] = [
            bare, everything, everything + files(net, full, folder), len(broken), np.sum(truth.violates & ~by_dc),
            np.sum(by_dc & ~truth.violates), *one_step(net, one, base, pairs, cond, truth),
        ]  # fmt: skip
        for engine in ({"screen": "pairs"}, {"engine": "learned"}):
            begun = time.perf_counter()
            found = ag.security_analysis(net, one, outages, **engine, **how)
            seconds = time.perf_counter() - begun
            ends = outages.branch.idx.reshape(-1, 2)
            passed = {tuple(sorted(ends[c].tolist())) for c in np.flatnonzero(found.status[0] == ag.Status.SKIPPED)}
            row += [
                seconds,
                seconds + files(net, found, folder),
                len(broken & passed),
                found.power_flows / full.power_flows,
            ]
        rows.append(row)
    mean, total = np.mean(rows, 0), np.sum(rows, 0)
    print(
        f"{args.case}: {args.points} new points, {len(solved):,} distinct pairs each, {args.threads} thread(s); {total[3]:.0f} "
        "violating pairs; seconds a point; with files: the grid read, the violations written\n"
    )
    heads = (
        "engine", "s", "with files", "against all pairs judged", "with files", "violating pairs missed", "shown that are none",
        "power flows",
    )  # fmt: skip
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    print(f"| power flows of all pairs, nothing judged | {mean[0]:.3f} | - | - | - | 0 | 0 | 100 % |")
    print(f"| all pairs, judged and reported | {mean[1]:.3f} | {mean[2]:.3f} | 1 | 1 | 0 | 0 | 100 % |")
    print(f"| DC model, loading above 1 | - | - | - | - | {total[4]:.0f} | {total[5]:.0f} | 0 |")
    print(
        f"| one Newton step of each pair | {mean[6]:.3f} | - | {mean[1] / mean[6]:.1f}x | - | {total[7]:.0f} | {total[8]:.0f} | "
        "a step each |"
    )
    for at, label in ((9, 'screen="pairs"'), (13, 'engine="learned"')):
        print(
            f"| {label} | {mean[at]:.3f} | {mean[at + 1]:.3f} | {mean[1] / mean[at]:.1f}x | {mean[2] / mean[at + 1]:.1f}x | "
            f"{total[at + 2]:.0f} | 0 | {mean[at + 3]:.2%} |"
        )
    print()
    print_errors(wrong)


def race(args: argparse.Namespace) -> None:
    import aurigrid as ag
    from aurigrid.learn.outcome import pair_list
    from aurigrid.learn.recipe import draw

    net = network(args.case, args.data)
    points = draw(net, recipe(args), 0, np.arange(100_000, 100_000 + args.points), args.threads).scenarios
    how = {"q_limits": args.q_limits, "slack": "distributed", "threads": args.threads}
    outages, _ = pair_list(net)
    ag.security_analysis(ag.load("case9"), None, "n-2:branches", screen="pairs", **how)
    ag.security_analysis(net, points[:1], "n-1", **how)
    for engine in ({}, {"screen": "pairs"}, {"engine": "learned"}):
        ag.security_analysis(net, points[:1], outages, **engine, **how)
        seconds = []
        for k in range(args.points):
            begun = time.perf_counter()
            ag.security_analysis(net, points[k : k + 1], outages, **engine, **how)
            seconds.append(time.perf_counter() - begun)
        print(f"{args.case}, {engine or 'all pairs'}: {np.mean(seconds):.2f} s a point", flush=True)


def warm(args: argparse.Namespace) -> None:
    import aurigrid as ag

    net = ag.load(str(args.data / f"pglib_opf_{args.case}.m"))
    rng = np.random.default_rng(0)
    share = rng.uniform(0.95, 1.05, (2, args.points, net.n_load))
    stored, asked = (
        ag.Scenarios(net, load_p_mw=net.load.p_mw * s, load_q_mvar=net.load.q_mvar * s) for s in (share[0], share[1])
    )
    ag.optimal_power_flow(net, asked[:8], threads=args.threads)
    distance = np.abs(share[1][:, None] - share[0][None]).mean(2)
    begun = time.perf_counter()
    cold = ag.optimal_power_flow(net, asked, threads=args.threads)
    of_cold = time.perf_counter() - begun
    near = stored.take(distance.argmin(1))
    first = ag.optimal_power_flow(net, near, threads=args.threads)
    begun = time.perf_counter()
    hot = ag.optimal_power_flow(net, asked, warm_start=first, threads=args.threads)
    of_hot = time.perf_counter() - begun
    print(
        f"{args.case}: {args.points} optima, loads +-5 % each: flat start {np.mean(cold.iterations):.1f} iterations, "
        f"{1e3 * of_cold / args.points:.2f} ms; from the nearest stored optimum of {args.points} "
        f"{np.mean(hot.iterations):.1f} iterations, {1e3 * of_hot / args.points:.2f} ms ({of_cold / of_hot:.2f}x)"
    )


def cap(args: argparse.Namespace) -> None:
    """What checking every outage exactly leaves for any engine of secure points, beside the exact engine."""
    import aurigrid as ag
    from aurigrid.powerflow.newton import Settings
    from aurigrid.secure.check import Limits, base_states, find_broken, outage_states
    from aurigrid.security.contingencies import contingencies

    net = ag.load(str(args.data / f"pglib_opf_{args.case}.m"))
    net = net.replace(branch=net.branch.replace(rate_short_mva=args.short * net.branch.rate_mva))
    share = np.random.default_rng(0).uniform(0.95, 1.05, (args.points, net.n_load))
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * share, load_q_mvar=net.load.q_mvar * share)
    ag.secure_operating_points(net, sc[:1], v_margin_pu=WIDER, max_rounds=1, threads=args.threads)
    begun = time.perf_counter()
    found = ag.secure_operating_points(net, sc, v_margin_pu=WIDER, threads=args.threads)
    of_points = time.perf_counter() - begun
    how = Settings(q_limits=True, distributed=True, threads=args.threads)
    outages, limits = contingencies(net, "n-1"), Limits.of(net, args.short, WIDER)
    which, k = np.repeat(np.arange(args.points), outages.n), np.tile(np.arange(outages.n), args.points)
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        base = base_states(found.scenarios, found.points.solution.v, how)
        find_broken(outage_states(found.scenarios, base, outages, which, k, how), limits, args.threads)
        best = min(best, time.perf_counter() - begun)
    print(
        f"{args.case}, short-term {args.short:g}: {args.points} points ({np.sum(found.secure)} secure), {outages.n} outages "
        f"each, {args.threads} thread(s): {args.points / of_points:.1f} secure "
        f"points a second; {args.points / best:.0f} points a second are checked against every outage, "
        f"{of_points / best:.1f}x as many"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("n2", "unseen", "time", "race", "warm", "cap"))
    parser.add_argument("case")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", type=Path, default=Path("set"))
    parser.add_argument("--other", type=Path, help="data set of another grid, with its models, of unseen")
    parser.add_argument("--n", type=int, default=100, help="operating points of the data set")
    parser.add_argument("--points", type=int, default=8, help="operating points of time, optima of warm")
    parser.add_argument("--short", type=float, default=1.5, help="short-term rating of cap, over the rating")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--outage", type=float, default=0.0, help="share of points with a branch out of service")
    parser.add_argument("--collapse", type=float, default=0.0, help="largest share of the way to the nose")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--q-limits", action="store_true")
    parser.add_argument("--no-baselines", dest="baselines", action="store_false")
    args = parser.parse_args()
    os.environ["AURIGRID_MODELS_DIR"] = str(args.set / "models")
    {"n2": n2, "unseen": unseen, "time": timed, "race": race, "warm": warm, "cap": cap}[args.what](args)


if __name__ == "__main__":
    main()
