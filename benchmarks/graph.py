"""A graph network for the screening of pairs of outages, beside the model that is offered: same rows, splits and calibration.

    python benchmarks/graph.py SET --states FOLDER

SET is a data set of `aurigrid dataset` or of ``benchmarks/learned.py n2``. It holds no states: its operating points are drawn
again, and what the exact state after each single outage says of each node and branch is kept in FOLDER. A network that passes
messages for every *pair* would cost more than the pair's power flow; so they are passed once for every *outage* of a point,

    m(a -> b) = relu(A h(a) + B h(b) + C edge)      h(b) <- h(b) + relu(U h(b) + V sum m(a -> b) / sqrt(degree) + W mean h)

four times with the same weights, and a pair is scored by a small network from its features, from sum, difference and product of
what was read of its two outages (pooled over the grid, and at the ends of the branch that is out), from what each outage's
nodes say at the ends of the other, and from how far both meet at the same nodes: sum over n of f(h_k(n)) f(h_l(n)).

Rules: the model as it is; the same network trained point by point, as the graph network has to be; the graph network with all
features; and without those that take a second solution of each outage and linear steps for each pair (`security.settle`).
Nothing of this is part of the package: docs/learned.md says why.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learned import SPLITS, line

Array = Any
FIRST_SETTLED = 31
"""Features from here on are of `security.settle`; those before it come with the single outages."""
TABLES = ("node", "at", "even", "odd", "wire")


def states(data: Any, folder: Path) -> None:
    """Write what single outages say, one file an operating point; those that are there are kept."""
    from aurigrid.learn.recipe import Recipe, draw
    from aurigrid.powerflow.api import solve_cases
    from aurigrid.powerflow.cases import Cases
    from aurigrid.security.analysis import begin
    from aurigrid.security.pairs import part_of, single_states, states_alone

    options, net = data.record["options"], data.network()
    if options["recipe"]["points"] == "profiles" or options["recipe"]["collapse"][1] > 0:
        raise SystemExit("operating points of profiles or moved towards collapse are not drawn again here")
    recipe = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in options["recipe"].items()})
    cond, pairs = conditions(data), pairs_of(data)
    folder.mkdir(parents=True, exist_ok=True)
    for points in data.parts("scenarios"):  # a shard's points are searched together
        which = points["scenario"].to_numpy()
        used = np.flatnonzero(points["used"].to_numpy())
        if all((folder / f"{which[row]}.npz").exists() for row in used):
            continue
        sc = draw(net, recipe, options["seed"], which, 1).scenarios
        base = solve_cases(net, Cases.of(sc), "newton", cond.settings)
        for row in used:
            single = single_states(net, sc, np.array([row]), pairs.branch, cond.settings, begin(base))
            own = part_of(base, np.array([row]))
            alone = states_alone(net, own, single, pairs.branch, cond.v_step_pu, cond.q_limits)
            told = described(own, single, alone, pairs.branch)
            np.savez(folder / f"{which[row]}.npz", moved=alone.moved, **told)


def conditions(data: Any) -> Any:
    from aurigrid.learn.outcome import Conditions

    options = data.record["options"]
    return Conditions(options["q_limits"], options["slack"], options["v_step_pu"], threads=1)


def pairs_of(data: Any) -> Any:
    from aurigrid.learn.outcome import pair_list
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.security.pairs import PairList

    net = data.network()
    outages, solved = pair_list(net)
    return PairList.of(compile_grid(net, single_reference=conditions(data).slack == "distributed"), outages, solved)


def described(base: Any, single: Any, alone: Any, branch: Array) -> dict[str, Array]:
    """Nodes and branches before outages and after each single one; what is near a limit is looked at closely.

    Returns:
        float16 arrays. node: (n_node, n_single, 11) voltage change, room to both bands, distance past the nearer, angle change,
        reactive power: change, room to both limits, limit reached before and after; no supply. at: (n_node, 4) voltage and
        injections before outages, whether regulated. even: (n_branch, n_single, 6) loading, room to the rating, change of
        apparent power over the rating, whether the rating holds before and after, whether it is the branch that is out, no
        supply. odd: (n_branch, n_single, 4), which change sign with the direction: changes of P and Q, P, angle across. wire:
        (n_branch, 2) admittance, loading before outages.
    """
    node, at = _nodes(base, single, alone)
    grid, k = base.grid, single.n
    rate = np.sqrt(alone.inv[-1])
    even = np.zeros((k, len(rate), 6))
    even[:, :, 0] = alone.loading[:-1].clip(0, 5)
    even[:, :, 1] = np.arcsinh((1 - alone.loading[:-1]).clip(-5, 5) / 0.02)
    even[:, :, 2] = np.arcsinh(alone.size * rate / 0.03)
    even[:, :, 3] = (alone.inv[:-1] > 0) & (alone.inv[-1] > 0)
    even[np.arange(k), branch, 4] = 1
    even[:, :, 5] = alone.dead
    flow = 0.5 * (alone.base[:2] - alone.base[2:])
    moved = 0.5 * (alone.change[:, :2] - alone.change[:, 2:])
    a, b = np.nan_to_num(single.v[:, grid.from_node]), np.nan_to_num(single.v[:, grid.to_node])
    odd = [moved[:, 0] / 0.05, moved[:, 1] / 0.05, (flow[0] + moved[:, 0]) / 0.3, np.angle(a * np.conj(b)) / 0.05]
    wire = [np.log(np.hypot(grid.y_branch[:, 2], grid.y_branch[:, 3])), alone.loading[-1].clip(0, 5)]
    told = (node.transpose(1, 0, 2), at, even.transpose(1, 0, 2), np.arcsinh(odd).transpose(2, 1, 0), np.stack(wire, 1))
    return {name: np.ascontiguousarray(values, np.float16) for name, values in zip(TABLES, told, strict=True)}


def _nodes(base: Any, single: Any, alone: Any) -> tuple[Array, Array]:
    grid, net = base.grid, base.net
    if not np.array_equal(grid.node_of_bus, np.arange(net.n_bus)) or (grid.from_node < 0).any():
        raise SystemExit("grids with closed switches or branches out of service are not looked at here")
    k, n = single.n, grid.n_node
    looked = np.flatnonzero(~net.bus.is_star & net.bus.in_service & np.isfinite(base.v_mag[0]))
    v = alone.v_base + alone.v_change
    rooms = np.stack([v - alone.low[:-1], alone.high[:-1] - v, alone.past[:-1]], 2).clip(-0.3, 0.3)
    node, at = np.zeros((k, n, 11)), np.zeros((n, 4))
    node[:, looked, 0] = np.arcsinh(alone.v_change / 0.003)
    node[:, looked, 1:4] = np.arcsinh(rooms / 0.005)
    node[:, :, 4] = np.arcsinh(np.nan_to_num(np.angle(single.v * np.conj(base.v))) / 0.02)
    held = grid.pattern.order[grid.rows.kind != 0]
    if alone.q_change.shape[1]:
        q = alone.q_base + alone.q_change
        room = np.stack([alone.q_high - q, q - alone.q_low], 2).clip(0, 10)
        node[:, held, 5] = np.arcsinh(alone.q_change / 0.03)
        node[:, held, 6:8] = np.arcsinh(room / 0.03)
        node[:, held, 8], node[:, held, 9] = base.held[0], single.held
    node[:, :, 10] = ~np.isfinite(single.v)
    ends = [
        np.bincount(grid.from_node, alone.base[c], n) + np.bincount(grid.to_node, alone.base[c + 2], n) for c in (0, 1)
    ]
    at[:, 0] = np.nan_to_num(np.abs(base.v[0]) - 1) / 0.03
    at[:, 1:3] = np.arcsinh(np.stack(ends, 1) / 0.3)
    at[held, 3] = 1
    return node, at


class Rounds(torch.nn.Module):
    """Message passing with shared weights on node states h (n_node, n, width), n graphs of the same shape side by side.

    Sums are over places in memory that belong together: a node's states of all graphs are one row.
    """

    def __init__(self, source: Array, target: Array, n_node: int, width: int, rounds: int) -> None:
        super().__init__()
        self.rounds, self.n_node = rounds, n_node
        self.register_buffer("source", torch.as_tensor(source, dtype=torch.int64))
        self.register_buffer("target", torch.as_tensor(target, dtype=torch.int64))
        degree = np.maximum(np.bincount(target, minlength=n_node), 1)
        self.register_buffer("share", torch.as_tensor(degree**-0.5, dtype=torch.float32)[:, None, None])
        self.sent, self.own = torch.nn.Linear(width, width, bias=False), torch.nn.Linear(width, width)
        self.kept, self.heard = torch.nn.Linear(width, width), torch.nn.Linear(width, width, bias=False)
        self.whole = torch.nn.Linear(width, width, bias=False)

    def forward(self, h: Any, edge: Any, live: Any = None) -> Any:
        """Node states after all rounds; edge (n_edge, n, width), live (n_edge, n, 1) what passes messages, all if None."""
        for _ in range(self.rounds):
            message = torch.relu(self.sent(h)[self.source] + self.own(h)[self.target] + edge)
            message = message if live is None else message * live
            heard = torch.zeros_like(h).index_add(0, self.target, message) * self.share
            h = h + torch.relu(self.kept(h) + self.heard(heard) + self.whole(h.mean(0, keepdim=True)))
        return h


class GraphNet(torch.nn.Module):
    """Scores of the pairs of one operating point.

    Args:
        ends: (n_branch, 2) nodes; out: (n_single,) branches; features: of a pair; width: of node states, 0 for none, so that only
            the features count; hidden: of the network that scores pairs.
    """

    def __init__(self, ends: Array, out: Array, n_node: int, features: int, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("ends", torch.as_tensor(ends[out], dtype=torch.int64))
        n_in = features
        if width:
            both = np.concatenate([ends, ends[:, ::-1]])
            self.at_node, self.fixed_node = torch.nn.Linear(11, width), torch.nn.Linear(4, width)
            self.even, self.odd = torch.nn.Linear(6, width), torch.nn.Linear(4, width, bias=False)
            self.fixed_edge = torch.nn.Linear(2, width)
            self.passing = Rounds(both[:, 0], both[:, 1], n_node, width, 4)
            self.read, self.seen, self.meet = (
                torch.nn.Linear(a * width, b) for a, b in ((4, width), (2, width), (1, 8))
            )
            n_in += 5 * width + 8
        self.score = torch.nn.Sequential(
            torch.nn.Linear(n_in, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, hidden), torch.nn.ReLU(),
            torch.nn.Linear(hidden, 1),
        )  # fmt: skip

    def embed(self, state: dict[str, Any], which: Any) -> tuple[Any, Any, Any]:
        """Of the outages ``which`` (k,): what is read of each (k, width), what each says at the ends of every outage
        (n_single, k, width), how much of each of 8 things is where (k, 8, n_node)."""
        node, even, odd = (state[name][:, which].float() for name in ("node", "even", "odd"))
        h = torch.relu(self.at_node(node) + self.fixed_node(state["at"].float())[:, None])
        even = self.even(even) + self.fixed_edge(state["wire"].float())[:, None]
        odd = self.odd(odd)
        h = self.passing(h, torch.cat([even + odd, even - odd]))
        a, b = (h[self.ends[which, side], torch.arange(len(which))] for side in (0, 1))
        read = torch.relu(self.read(torch.cat([h.mean(0), h.amax(0), a + b, (a - b).abs()], 1)))
        a, b = h[self.ends[:, 0]], h[self.ends[:, 1]]
        seen = torch.relu(self.seen(torch.cat([a + b, (a - b).abs()], 2)))
        return read, seen, torch.relu(self.meet(h)).permute(1, 2, 0)

    def forward(self, x: Any, state: dict[str, Any], first: Any, second: Any) -> Any:
        """(k,) scores of pairs: x (k, n_feature) scaled features, first, second (k,) places of their outages."""
        return self.pairs(x, *self.placed(state, first, second)) if self.width else self.score(x)[:, 0]

    def placed(self, state: dict[str, Any], first: Any, second: Any) -> tuple[Any, ...]:
        """Embeddings of the outages that occur in pairs, and the pairs' places among them and among all."""
        which, place = torch.unique(torch.cat([first, second]), return_inverse=True)
        return self.embed(state, which), place[: len(first)], place[len(first) :], first, second

    def pairs(self, x: Any, told: tuple[Any, Any, Any], k: Any, m: Any, first: Any, second: Any) -> Any:
        read, seen, where = told
        a, b, c, d = read[k], read[m], seen[first, m], seen[second, k]
        meeting = torch.log1p(torch.einsum("kcn,mcn->ckm", where, where))[:, k, m].T
        return self.score(torch.cat([x, a + b, (a - b).abs(), a * b, c + d, (c - d).abs(), meeting], 1))[:, 0]


@dataclass(frozen=True, eq=False)
class Points:
    """Rows of a data set by operating point: places of outages (n,), scaled features, and files of states, read when asked."""

    rows: Any
    first: Array
    second: Array
    folder: Path

    def state(self, number: int) -> dict[str, Any]:
        if number not in _KEPT:
            with np.load(self.folder / f"{number}.npz") as held:
                _KEPT[number] = {name: torch.from_numpy(held[name]) for name in TABLES}
        return _KEPT[number]

    def by_point(self, chosen: Array) -> list[tuple[int, Array]]:
        """Numbers and rows of the operating points of the rows ``chosen`` (bool)."""
        return [
            (int(n), np.flatnonzero(chosen & (self.rows.scenario == n))) for n in np.unique(self.rows.scenario[chosen])
        ]


_KEPT: dict[int, dict[str, Any]] = {}


def fitted(points: Points, z: Any, graph: GraphNet, args: argparse.Namespace, seed: int) -> None:
    """Train, one operating point a step; loss, weights and the fall of the rate are those of `learn.mlp.fit`."""
    rows = points.rows
    heavy = rows.weight * np.where(rows.violates, 10.0, 1.0)
    heavy = torch.from_numpy((heavy / heavy[rows.split == 0].mean()).astype(np.float32))
    target = torch.from_numpy(rows.violates.astype(np.float32))
    learning = points.by_point(rows.split == 0)
    mean = np.mean([len(at) for _, at in learning])
    adam = torch.optim.AdamW(graph.parameters(), lr=args.rate, weight_decay=args.decay)
    rng, step, steps = np.random.default_rng(seed), 0, args.epochs * len(learning)
    for _ in range(args.epochs):
        for k in rng.permutation(len(learning)):
            number, at = learning[k]
            for group in adam.param_groups:
                group["lr"] = 0.5 * args.rate * (1 + cos(pi * step / steps)) * min(1.0, (step + 1) / 50)
            score = graph(z[at], points.state(number), points.first[at], points.second[at])
            loss = (
                torch.nn.functional.binary_cross_entropy_with_logits(score, target[at], heavy[at], reduction="sum")
                / mean
            )
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(graph.parameters(), 5.0)
            adam.step()
            step += 1


def scored(points: Points, z: Any, graph: GraphNet) -> Array:
    """(n,) scores of all rows."""
    out = np.empty(len(points.rows.x), np.float32)
    with torch.no_grad():
        for number, at in points.by_point(np.ones(len(out), bool)):
            out[at] = graph(z[at], points.state(number), points.first[at], points.second[at]).numpy()
    return out


def judged(rows: Any, score: Array, features: int) -> tuple[dict[str, Any], str]:
    """What a threshold that is set on the calibration split does on each split, as in `learn.train.calibrated`; and in words what
    share a threshold of each split's own would solve that finds 99.9 % of its violating pairs: no rule, but free of the chance
    of a few misses of calibration."""
    from aurigrid.learn.calibrate import threshold_of
    from aurigrid.learn.dataset import SPLITS as ALL

    learning = rows.x[rows.split == 0][:, :features]
    low, high = learning.min(0), learning.max(0)
    room, told = 0.02 * (high - low), rows.x[:, :features]
    known = ((told >= low - room) & (told <= high + room)).all(1)
    score = np.where(rows.broken | ~known | ~np.isfinite(score), np.inf, score)
    threshold = threshold_of(score[(rows.split == ALL.index("calibration")) & rows.violates])
    near, found, own = score >= threshold, {}, []
    for name in SPLITS:
        at = rows.split == ALL.index(name)
        if at.any():
            part = rows.part(name)
            found[name] = part.judge(near[at])
            least = np.quantile(score[at][part.violates], 0.001, method="lower")
            own.append(f"{part.judge(score[at] >= least).checked:.2%}")
    return (
        found,
        f"with a threshold of its own: {', '.join(own)}; outside training {1 - known[rows.split > 0].mean():.2%} of rows",
    )


def timed(points: Points, z: Any, graph: GraphNet) -> tuple[float, float]:
    """Milliseconds of the embeddings of one operating point, and microseconds a pair of its scores; best of five."""
    number, at = points.by_point(np.ones(len(z), bool))[0]
    state, first, second = points.state(number), points.first[at], points.second[at]
    every = torch.arange(len(graph.ends))
    best = [np.inf, np.inf]
    with torch.no_grad():
        told: Any = None
        for _ in range(5):
            begun = time.perf_counter()
            if graph.width:
                told = graph.embed(state, every)
            best[0] = min(best[0], time.perf_counter() - begun)
            begun = time.perf_counter()
            if graph.width:
                graph.pairs(z[at], told, first, second, first, second)
            else:
                graph.score(z[at])
            best[1] = min(best[1], time.perf_counter() - begun)
    return 1e3 * best[0], 1e6 * best[1] / len(at)


def run(args: argparse.Namespace) -> None:
    from aurigrid.learn.dataset import Dataset
    from aurigrid.learn.mlp import Plan, Scaling, fit
    from aurigrid.learn.train import checked
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.security.settle import FEATURES

    torch.set_num_threads(1)
    data = Dataset.read(args.set)
    begun = time.perf_counter()
    states(data, args.states)
    rows, table, pairs = checked(data), data.table("pairs"), pairs_of(data)
    grid = compile_grid(data.network())
    place = np.full(len(grid.from_node), -1)
    place[pairs.branch] = np.arange(len(pairs.branch))
    first, second = (torch.from_numpy(place[table[name].to_numpy()]) for name in ("first", "second"))
    points = Points(rows, first, second, args.states)
    print(
        f"{data.record['grid']['name']}: states {time.perf_counter() - begun:.0f} s, {same(points):.0e} apart from the rows\n"
    )
    scaling = Scaling.of(rows.x[rows.split == 0], FEATURES)
    z = torch.from_numpy(scaling(rows.x))
    print("each cell: found (missed of violating), share of all pairs solved, solved without need\n")
    print("| rule | " + " | ".join(n.replace("_", " ") for n in SPLITS) + " |\n|---|" + "---|" * len(SPLITS))
    rules: dict[str, tuple[int, int]] = {
        "features, point by point": (len(FEATURES), 0), "graph and features": (len(FEATURES), args.width),
        "graph and features but those of settling": (FIRST_SETTLED, args.width),
        "features but those of settling, point by point": (FIRST_SETTLED, 0),
    }  # fmt: skip
    ends = np.stack([grid.from_node, grid.to_node], 1)
    for seed in args.seeds:
        learning = rows.part("train")
        model = fit(learning.x, learning.violates, learning.weight, Plan(seed=seed), FEATURES)
        told(f"model, seed {seed}", judged(rows, model.scores(rows.x), len(FEATURES)), "")
        for name, (features, width) in rules.items():
            if args.only and name not in args.only:
                continue
            torch.manual_seed(seed)
            graph = GraphNet(ends, pairs.branch, grid.n_node, features, width)
            begun = time.perf_counter()
            fitted(points, z[:, :features], graph, args, seed)
            seconds = time.perf_counter() - begun
            of_point, of_pair = timed(points, z[:, :features], graph)
            cost = f"{seconds:.0f} s of training; {of_point:.1f} ms a point, {of_pair:.2f} us a pair; "
            told(f"{name}, seed {seed}", judged(rows, scored(points, z[:, :features], graph), features), cost)


def told(label: str, results: tuple[dict[str, Any], str], cost: str) -> None:
    print(f"{line(label, results[0])}\n  {cost}{results[1]}", flush=True)


def same(points: Points) -> float:
    """Largest difference of what describes outages by themselves in the rows and in the states drawn again."""
    from aurigrid.security.settle import FEATURES

    at, worst = [FEATURES.index(f"{name}_high") for name in ("own", "flow_moved", "v_moved")], 0.0
    for number, rows in points.by_point(np.ones(len(points.rows.x), bool)):
        with np.load(points.folder / f"{number}.npz") as held:
            moved = held["moved"][:, :3]
        told = np.maximum(moved[points.first[rows]], moved[points.second[rows]])
        worst = max(worst, float(np.abs(told - points.rows.x[rows][:, at]).max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--states", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=1e-3)
    parser.add_argument("--width", type=int, default=16, help="of node states")
    parser.add_argument("--only", nargs="+", help="rules to train")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
