"""What a learned engine of secure operating points would be worth: errors, points accepted, proven gaps and time.

    python benchmarks/points.py case118_ieee --short 2 --data FOLDER

FOLDER holds pglib_opf_CASE.m of PGLib-OPF v23.07. Conditions are drawn: loads by region, what units can give, in half of them
one branch out of service; the exact engine (`secure_operating_points`) labels them. Regions and branches are held out, never
random rows. Targets of training keep a distance from the limits (``--margin``, share of ratings; a fifth of it, pu, from voltage
bands): a point that is wrong by less then still keeps them. Predictions are outputs and voltages; completion is an exact power
flow with reactive limits, and every limit before and after every outage is checked exactly. The lower bound is that of the point
without regard to outages: by multipliers of the nearest stored condition, completed in closed form (`opf.bound`), and by an
ascent for the condition itself (`opf.ascent`). Nothing of this is part of the package: docs/learned.md says why.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WIDER = 0.05
SPLITS = ("train", "usual", "held out outages", "held out regions")


def network(case: str, folder: Path, short: float, margin: float = 0.0) -> Any:
    """A grid with short-term ratings; its limits closer by a margin."""
    import aurigrid as ag

    net = ag.load(str(folder / f"pglib_opf_{case}.m"))
    rate, bus = (1 - margin) * net.branch.rate_mva, net.bus
    return net.replace(
        branch=net.branch.replace(rate_mva=rate, rate_short_mva=short * rate),
        bus=bus.replace(v_min_pu=bus.v_min_pu + margin / 5, v_max_pu=bus.v_max_pu - margin / 5),
    )


@dataclass(frozen=True, eq=False)
class Conditions:
    """What is asked: loads (n, n_load), what units can give (n, n_gen), a branch that is out or -1 (n,), split (n,)."""

    p: Any
    q: Any
    most: Any
    out: Any
    split: Any

    def take(self, which: Any) -> Conditions:
        return Conditions(*(getattr(self, f)[which] for f in self.__dataclass_fields__))

    def scenarios(self, net: Any) -> Any:
        import aurigrid as ag

        out = [None if k < 0 else int(k) for k in self.out]
        return ag.Scenarios(net, load_p_mw=self.p, load_q_mvar=self.q, branch_out=out)

    def inputs(self, n_branch: int) -> Any:
        """(n, k) what a model is told."""
        where = np.zeros((len(self.p), n_branch))
        has = self.out >= 0
        where[np.flatnonzero(has), self.out[has]] = 1.0
        return np.hstack([self.p, self.q, self.most, where])


def drawn(net: Any, n: int, seed: int) -> Conditions:
    from aurigrid.learn.dataset import held_branches, held_regions
    from aurigrid.learn.recipe import load_regions
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.powerflow.supply import splits_after

    region, names = load_regions(net)
    of_load, rng = region[net.load.bus], np.random.default_rng(seed)
    stressed = rng.choice(np.unique(of_load), n)
    factor, total = rng.uniform(0.9, 1.1, n), rng.uniform(0.85, 1.0, n)
    share = total[:, None] * np.where(of_load == stressed[:, None], factor[:, None], 1.0)
    noise = rng.uniform(0.95, 1.05, (2, n, net.n_load))
    most = net.gen.p_max_mw * rng.uniform(0.85, 1.0, (n, net.n_gen))
    whole = ~splits_after(compile_grid(net), np.array([-1]))[0]
    out = np.where(rng.random(n) < 0.5, rng.choice(np.flatnonzero(whole), n), -1)
    held = (out >= 0) & held_branches(net, 0)[np.maximum(out, 0)]
    away = held_regions(len(names), 0)[stressed]
    split = np.where(away, 3, np.where(held, 2, np.where(np.arange(n) % 5 == 4, 1, 0)))
    return Conditions(net.load.p_mw * share * noise[0], net.load.q_mvar * share * noise[1], most, out, split)


def survivable(net: Any, asked: Conditions, threads: int) -> Any:
    """The single outages but those that break limits at the exact engine's points, taken away until nothing is left."""
    from aurigrid.security.contingencies import contingencies

    whole = outages = contingencies(net, "n-1")
    for turn in range(6):
        found = solved(net, asked, threads, outages)[0]
        hopeless = found.beyond_reach.any(0)
        gone = hopeless.copy()
        if turn:
            left = found.found.contingency
            gone[left[left >= 0]] = True
        told = "secure, not quite, infeasible: " + ", ".join(str(np.sum(found.status == s)) for s in range(3))
        print(
            f"{outages.n} of {whole.n} outages: {told}; {hopeless.sum()} beyond reach, after {gone.sum()} limits are broken"
        )
        if not gone.any():
            break
        ptr, idx = outages.branch.ptr, outages.branch.idx
        kept = [net.branch.id[idx[ptr[k] : ptr[k + 1]]].tolist() for k in np.flatnonzero(~gone)]
        outages = contingencies(net, kept)
    return outages


def solved(net: Any, asked: Conditions, threads: int, outages: Any) -> tuple[Any, float]:
    import aurigrid as ag

    begun = time.perf_counter()
    found = ag.secure_operating_points(
        net, asked.scenarios(net), outages, v_margin_pu=WIDER, gen_p_max_mw=asked.most, threads=threads
    )
    return found, time.perf_counter() - begun


def targets(found: Any) -> Any:
    """(n, n_gen + 2 n_node) outputs, sizes and angles of voltages."""
    v = found.points.solution.v
    return np.hstack([found.scenarios.gen_p_mw, np.abs(v), np.angle(v)])


def models(net: Any, x: Any, y: Any, seed: int) -> dict[str, Any]:
    """Trained predictors: nearest stored condition, ridge regression, a network of two hidden layers, a graph network."""
    import torch
    from points_graph import graph_rule

    mean, spread = x.mean(0), spread_of(x)
    centre, size = y.mean(0), y.std(0) + 1e-9
    z, t = (x - mean) / spread, (y - centre) / size
    design = np.c_[z, np.ones(len(z))]
    weights = np.linalg.solve(design.T @ design + 1e-1 * np.eye(design.shape[1]), design.T @ t)
    torch.manual_seed(seed)
    dense = torch.nn.Sequential(
        torch.nn.Linear(z.shape[1], 256), torch.nn.SiLU(), torch.nn.Linear(256, 256), torch.nn.SiLU(),
        torch.nn.Linear(256, t.shape[1]),
    )  # fmt: skip
    data, goal = torch.tensor(z, dtype=torch.float32), torch.tensor(t, dtype=torch.float32)
    epochs, batch = 300, 32
    optimizer = torch.optim.AdamW(dense.parameters(), 1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, epochs * -(-len(z) // batch))
    for _ in range(epochs):
        for part in torch.randperm(len(z)).split(batch):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(dense(data[part]), goal[part]).backward()
            optimizer.step()
            schedule.step()

    def network_of(asked: Any) -> Any:
        with torch.no_grad():
            told = dense(torch.tensor((asked - mean) / spread, dtype=torch.float32)).numpy()
        return centre + size * told

    return {
        "nearest": lambda asked: y[nearest(z, (asked - mean) / spread)],
        "linear": lambda asked: centre + size * (np.c_[(asked - mean) / spread, np.ones(len(asked))] @ weights),
        f"network, seed {seed}": network_of,
        f"graph network, seed {seed}": graph_rule(net, x, y, seed),
    }


def spread_of(x: Any) -> Any:
    """(k,) standard deviations; 1 for what never varies, such as outages that were never seen."""
    spread = x.std(0)
    return np.where(spread > 1e-9 * (1 + np.abs(x.mean(0))), spread, 1.0)


def nearest(stored: Any, asked: Any) -> Any:
    return ((asked**2).sum(1)[:, None] - 2 * asked @ stored.T + (stored**2).sum(1)).argmin(1)


def flows(net: Any, v: Any) -> Any:
    """(n, 2 n_branch) apparent powers at both ends, MVA, in float64."""
    from aurigrid.powerflow.grid import compile_grid

    grid = compile_grid(net)
    y = np.ascontiguousarray(grid.y_branch).view(complex)
    a, b = v[:, grid.from_node], v[:, grid.to_node]
    ends = a * np.conj(y[:, 0] * a + y[:, 1] * b), b * np.conj(y[:, 2] * a + y[:, 3] * b)
    return grid.base_mva * np.abs(np.hstack(ends))


def completed(
    net: Any, asked: Conditions, told: Any, short: float, threads: int, outages: Any
) -> tuple[Any, Any, float]:
    """(n,) whether every limit holds before and after every outage, (n,) cost, and seconds of completion and checks."""
    from aurigrid.powerflow.newton import Settings
    from aurigrid.secure.check import Limits, base_states, find_broken, outage_states

    gen, n, size = net.gen, len(told), net.n_bus
    how = Settings(q_limits=True, distributed=True, threads=threads)
    begun = time.perf_counter()
    magnitude, angle = told[:, net.n_gen : net.n_gen + size], told[:, net.n_gen + size :]
    at = np.clip(magnitude[:, gen.bus], net.bus.v_min_pu[gen.bus], net.bus.v_max_pu[gen.bus])
    p = np.clip(told[:, : net.n_gen], gen.p_min_mw, asked.most)
    start = magnitude * np.exp(1j * angle)
    sc = asked.scenarios(net).replace(gen_p_mw=p, gen_v_pu=at)
    base = base_states(sc, start, how)
    for _ in range(2):
        # what is left to balance goes to units that have room for it
        left = np.nan_to_num(base.gen_p_mw - p).sum(1, keepdims=True)
        room = np.where(left > 0, asked.most - p, p - gen.p_min_mw)
        p = p + left * room / np.maximum(room.sum(1, keepdims=True), 1e-9)
        sc = sc.replace(gen_p_mw=p)
        base = base_states(sc, base.v, how)
    broken, _ = find_broken(base, Limits(net.branch.rate_mva, net.bus.v_min_pu, net.bus.v_max_pu), threads)
    p = base.gen_p_mw
    good = base.converged & ~np.isin(np.arange(n), broken.case)
    good &= ((p <= asked.most + 1e-3) & (p >= gen.p_min_mw - 1e-3)).all(1)
    rows = np.flatnonzero(good)
    if len(rows):
        which, k = np.repeat(rows, outages.n), np.tile(np.arange(outages.n), len(rows))
        after = outage_states(sc, base, outages, which, k, how)
        broken, _ = find_broken(after, Limits.of(net, short, WIDER), threads)
        good[which[broken.case]] = False
        good[which[~after.converged]] = False
    return good, p, time.perf_counter() - begun


def cost_of(form: Any, p: Any) -> Any:
    """(n,) cost of outputs, currency/h."""
    from aurigrid.opf.tables import ACTIVE, GEN

    injection = form.problem.injection
    mine = np.flatnonzero((injection.owner == GEN) & (injection.axis == ACTIVE))
    x = p[:, injection.element[mine]] / form.problem.grid.base_mva
    return form.constant + (form.linear[:, mine] * x + form.quadratic[:, mine] * x**2).sum(1)


def quantiles(values: Any) -> str:
    values = np.asarray(values)[np.isfinite(values)]
    return (
        ", ".join(f"{100 * q:.3g}" for q in (*np.quantile(values, (0.5, 0.99, 0.999)), values.max()))
        if values.size
        else "-"
    )


def run(args: argparse.Namespace) -> None:
    import aurigrid as ag
    from aurigrid.opf.ascent import raise_bound
    from aurigrid.opf.bound import bound_of
    from aurigrid.opf.lagrangian import Lagrangian, Multipliers
    from aurigrid.security.contingencies import contingencies

    net, tight = (network(args.case, args.data, args.short, m) for m in (0.0, args.margin))
    asked = drawn(net, args.n, 0)
    outages = contingencies(net, "n-1")
    if args.survivable:
        outages = survivable(net, asked.take(np.arange(args.survivable)), args.threads)
    solved(net, asked.take(np.arange(2)), args.threads, outages)
    labels, of_labels = solved(tight, asked, args.threads, outages)
    kept = labels.secure
    learning = np.flatnonzero(kept & (asked.split == 0))
    x, y = asked.inputs(net.n_branch), targets(labels)
    cost_of_security = 100 * np.mean(labels.security_cost[kept] / labels.objective[kept])
    print(
        f"{args.case}, short-term {args.short:g}, targets {args.margin:.1%} within limits: {args.n} conditions in "
        f"{of_labels:.0f} s, {kept.sum()} secure, {len(learning)} to learn from; security costs {cost_of_security:.2f} %"
    )
    begun = time.perf_counter()
    trained = [models(net, x[learning], y[learning], seed) for seed in args.seeds]
    rules = dict(trained[0])
    for more in trained[1:]:
        rules.update({k: v for k, v in more.items() if "network" in k})
    print(f"training {time.perf_counter() - begun:.0f} s, {len(args.seeds)} seeds")
    stored = learning[: args.duals]
    begun = time.perf_counter()

    def form_of(which: Any) -> Any:
        return Lagrangian.build(net, asked.take(which).scenarios(net), asked.most[which], {"cost": 1.0})

    def optimum(which: Any) -> Any:
        return ag.optimal_power_flow(
            net, asked.take(which).scenarios(net), gen_p_max_mw=asked.most[which], threads=args.threads
        )

    plain = optimum(stored)
    form = form_of(stored)
    own, duals = raise_bound(form, Multipliers.of(plain), plain.objective, tolerance=1e-3)
    print(
        f"multipliers of {len(stored)} conditions by ascent: {(time.perf_counter() - begun) / len(stored):.2f} s each, "
        f"gap without outages {100 * np.median(own.gap(plain.objective)):.3f} % (median)"
    )
    z = (x - x[learning].mean(0)) / spread_of(x[learning])
    heads = (
        "split", "rule", "points", "V before completion: median, p99, p99.9, most, %", "flow, % of rating", "accepted",
        "cost above exact: median, most, %", "gap proven by stored multipliers, median, %", "accepted within 0.5 %",
        "gap proven by own ascent, median, %", "ms a point, fallback included", "exact engine, ms", "ratio",
    )  # fmt: skip
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    few = asked.take(learning[:2])
    completed(net, few, y[learning[:2]], args.short, args.threads, outages)
    for split in (1, 2, 3):
        which = np.flatnonzero(kept & (asked.split == split))[: args.points]
        part = asked.take(which)
        exact, seconds = solved(net, part, args.threads, outages)
        slow = 1e3 * seconds / len(which)
        form, rating = form_of(which), np.tile(net.branch.rate_mva, 2)
        begun = time.perf_counter()
        near = nearest(z[stored], z[which])
        proven = bound_of(form, duals.take(near)).value
        of_bound = 1e3 * (time.perf_counter() - begun) / len(which)
        few = np.arange(min(args.ascents, len(which)))
        base = optimum(which[few])
        best = raise_bound(form.rows(few), Multipliers.of(base), base.objective, tolerance=1e-3)[0].value
        for name, rule in rules.items():
            begun = time.perf_counter()
            told = rule(part.inputs(net.n_branch))
            of_rule = 1e3 * (time.perf_counter() - begun) / len(which)
            size = told[:, net.n_gen : net.n_gen + net.n_bus]
            wrong_v = np.abs(size - np.abs(exact.points.solution.v))
            v = size * np.exp(1j * told[:, net.n_gen + net.n_bus :])
            live = np.ones((len(which), net.n_branch), bool)
            live[np.flatnonzero(part.out >= 0), part.out[part.out >= 0]] = False
            wrong = (np.abs(flows(net, v) - flows(net, exact.points.solution.v)) / rating)[np.tile(live, 2)]
            good, p, took = completed(net, part, told, args.short, args.threads, outages)
            cost = cost_of(form, p)
            above, gap = 100 * (cost / exact.objective - 1)[good], 100 * (cost - proven) / cost
            raised = 100 * (cost[few] - best) / cost[few]
            ms = of_rule + of_bound + 1e3 * took / len(which) + slow * (1 - good.mean())
            print(
                f"| {SPLITS[split]} | {name} | {len(which)} | {quantiles(wrong_v)} | {quantiles(wrong)} | {good.mean():.0%} | "
                + (
                    f"{np.median(above):.2f}, {above.max():.2f} | {np.median(gap[good]):.2f} | "
                    if good.any()
                    else "- | - | "
                )
                + f"{np.mean(good & (gap <= 0.5)):.0%} | "
                + (f"{np.median(raised[good[few]]):.2f} | " if good[few].any() else "- | ")
                + f"{ms:.1f} | {slow:.1f} | {slow / ms:.2f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--short", type=float, default=2.0, help="short-term rating over the rating")
    parser.add_argument("--n", type=int, default=1000, help="conditions to label")
    parser.add_argument("--points", type=int, default=64, help="conditions of each split to test on")
    parser.add_argument("--duals", type=int, default=60, help="conditions whose multipliers are stored")
    parser.add_argument("--ascents", type=int, default=8, help="conditions of each split with an ascent of their own")
    parser.add_argument("--margin", type=float, default=0.02)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--survivable", type=int, default=0, help="leave out outages that break limits in so many conditions"
    )
    run(parser.parse_args())


if __name__ == "__main__":
    main()
