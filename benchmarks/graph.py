"""A graph network for the screening of pairs of outages, beside the model that is offered: same rows, splits and calibration.

    python benchmarks/graph.py SET --states FOLDER

SET is a data set of `aurigrid dataset` or of ``benchmarks/learned.py n2``. It holds no states: its operating points are drawn
again, and what the exact state after each single outage says of each node and branch is kept in FOLDER. A network that passes
messages for every *pair* would cost more than the pair's power flow; so they are passed once for every *outage* of a point,

    m(a -> b) = relu(A h(a) + B h(b) + C edge)      h(b) <- h(b) + relu(U h(b) + V sum m(a -> b) / sqrt(degree) + W mean h)

four times with the same weights, and a pair is scored by a small network from its features, from sum, difference and product of
what was read of its two outages (pooled over the grid, and at the ends of the branch that is out), from what each outage's
nodes say at the ends of the other, and from how far both meet at the same nodes: sum over n of f(h_k(n)) f(h_l(n)).

Rules: the model as it is, and trained twice as long; one without the features that take a second solution of each outage and
linear steps for each pair (`security.settle`); the graph network with all features and without those. It starts as the model
with the same features and weights of 0 for what the graph says, and learns point by point, since a step has to hold all outages
of a point; then what the graph says is put beside the features, and a network is trained on rows of all points mixed, as long as
the model that it is compared with.
Nothing of this is part of the package: docs/learned.md says why.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learned import SPLITS, line
from outage_states import TABLES, of_pairs, pairs_of, states

Array = Any
FIRST_SETTLED = 31
"""Features from here on are of `security.settle`; those before it come with the single outages."""
HIDDEN = 64
"""Width of the layers that score pairs, as in `learn.mlp.Plan`."""


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
            # in place: these are the largest arrays, and time goes into moving them
            message = (
                self.sent(h).index_select(0, self.source).add_(self.own(h).index_select(0, self.target)).add_(edge)
            )
            message = message.relu_() if live is None else message.relu_() * live
            heard = torch.zeros_like(h).index_add(0, self.target, message) * self.share
            h = h + torch.relu(self.kept(h) + self.heard(heard) + self.whole(h.mean(0, keepdim=True)))
        return h


class GraphNet(torch.nn.Module):
    """Scores of the pairs of one operating point.

    Args:
        ends: (n_branch, 2) nodes; out: (n_single,) branches; features: of a pair; width: of node states; rounds: of messages.
    """

    def __init__(self, ends: Array, out: Array, n_node: int, features: int, width: int, rounds: int) -> None:
        super().__init__()
        self.register_buffer("ends", torch.as_tensor(ends[out], dtype=torch.int64))
        self.features = features
        both = np.concatenate([ends, ends[:, ::-1]])
        self.at_node, self.fixed_node = torch.nn.Linear(11, width), torch.nn.Linear(4, width)
        self.even, self.odd = torch.nn.Linear(6, width), torch.nn.Linear(4, width, bias=False)
        self.fixed_edge = torch.nn.Linear(2, width)
        self.passing = Rounds(both[:, 0], both[:, 1], n_node, width, rounds)
        self.read, self.seen, self.meet = (torch.nn.Linear(a * width, b) for a, b in ((4, width), (2, width), (1, 8)))
        n_in = features + 5 * width + 8
        self.score = torch.nn.Sequential(
            torch.nn.Linear(n_in, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, 1),
        )  # fmt: skip

    def begin(self, weights: list[tuple[Array, Array]]) -> None:
        """Score as a trained network of the features does."""
        layers = [layer for layer in self.score if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            layers[0].weight[:, self.features :] = 0
            for layer, (w, b) in zip(layers, weights, strict=True):
                layer.weight[:, : w.shape[1]] = torch.from_numpy(w)
                layer.bias.copy_(torch.from_numpy(b))

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
        return self.score(torch.cat([x, self.columns(state, first, second)], 1))[:, 0]

    def columns(self, state: dict[str, Any], first: Any, second: Any) -> Any:
        """(k, n_column) what the graph says of pairs."""
        which, place = torch.unique(torch.cat([first, second]), return_inverse=True)
        return self.joined(self.embed(state, which), place[: len(first)], place[len(first) :], first, second)

    def joined(self, told: tuple[Any, Any, Any], k: Any, m: Any, first: Any, second: Any) -> Any:
        """The same from embeddings; k, m (k,) places of the outages among those that are embedded."""
        read, seen, where = told
        a, b, c, d = read[k], read[m], seen[first, m], seen[second, k]
        meeting = torch.log1p(torch.einsum("kcn,mcn->ckm", where, where))[:, k, m].T
        return torch.cat([a + b, (a - b).abs(), a * b, c + d, (c - d).abs(), meeting], 1)


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


def columns(points: Points, graph: GraphNet) -> Array:
    """(n, n_column) float32 what the graph says of all rows."""
    out = np.empty((len(points.rows.x), graph.score[0].in_features - graph.features), np.float32)
    with torch.no_grad():
        for number, at in points.by_point(np.ones(len(out), bool)):
            out[at] = graph.columns(points.state(number), points.first[at], points.second[at]).numpy()
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
    """Milliseconds of the embeddings of one operating point, and microseconds a pair of its scores; CPU time, best of five."""
    number, at = points.by_point(np.ones(len(z), bool))[0]
    state, first, second = points.state(number), points.first[at], points.second[at]
    every = torch.arange(len(graph.ends))
    best = [np.inf, np.inf]
    with torch.no_grad():
        for _ in range(5):
            begun = time.process_time()
            told = graph.embed(state, every)
            best[0] = min(best[0], time.process_time() - begun)
            begun = time.process_time()
            graph.score(torch.cat([z[at], graph.joined(told, first, second, first, second)], 1))
            best[1] = min(best[1], time.process_time() - begun)
    return 1e3 * best[0], 1e6 * best[1] / len(at)


def run(args: argparse.Namespace) -> None:
    from aurigrid.learn.dataset import Dataset
    from aurigrid.learn.mlp import Plan, Scaling
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
    print(of_pairs(data))
    scaling = Scaling.of(rows.x[rows.split == 0], FEATURES)
    z = torch.from_numpy(scaling(rows.x))
    print("each cell: found (missed of violating), share of all pairs solved, solved without need\n")
    print("| rule | " + " | ".join(n.replace("_", " ") for n in SPLITS) + " |\n|---|" + "---|" * len(SPLITS))
    ends, count = np.stack([grid.from_node, grid.to_node], 1), len(FEATURES)
    for seed in args.seeds:
        plan = Plan(seed=seed)
        longer = replace(plan, epochs=2 * plan.epochs)
        told(f"model, seed {seed}", judged(rows, trained(rows, rows.x, count, plan).scores(rows.x), count), "")
        for features, but in ((count, ""), (FIRST_SETTLED, " but those of settling")):
            x = rows.x[:, :features]
            own = trained(rows, x, features, longer)
            told(f"all features{but}, twice as long, seed {seed}", judged(rows, own.scores(x), features), "")
            torch.manual_seed(seed)
            graph = GraphNet(ends, pairs.branch, grid.n_node, features, args.width, args.rounds)
            graph.begin(own.weights)
            begun = time.perf_counter()
            fitted(points, z[:, :features], graph, args, seed)
            seconds = time.perf_counter() - begun
            x = np.hstack([x, columns(points, graph)])
            score = trained(rows, x, features, longer).scores(x)
            of_point, of_pair = timed(points, z[:, :features], graph)
            cost = f"{seconds:.0f} s for the graph; {of_point:.1f} ms a point, {of_pair:.2f} us a pair; "
            told(f"graph and all features{but}, seed {seed}", judged(rows, score, features), cost)


def trained(rows: Any, x: Array, features: int, plan: Any) -> Any:
    """A network of the columns ``x``, of which so many are features, trained as the model is."""
    from aurigrid.learn.mlp import fit
    from aurigrid.security.settle import FEATURES

    at = rows.split == 0
    names = (*FEATURES[:features], *(f"graph {k}" for k in range(x.shape[1] - features)))
    return fit(np.ascontiguousarray(x[at]), rows.violates[at], rows.weight[at], plan, names)


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
    parser.add_argument("--rounds", type=int, default=4, help="of messages")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
