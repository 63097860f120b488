"""A graph network that predicts secure operating points, for ``benchmarks/points.py``: what it is told, and how it is trained.

Nodes are buses: load, what their units can give and what that costs, reactive limits, band. Edges are branches: r, x,
charging, tap, rating; one that is out passes nothing. Messages are passed with the same weights in every round, and each node
hears the mean of all, so that the balance can be known everywhere (`graph.Rounds`). Read at each bus: |V| and angle; at each
unit: its output. As for the other predictors each target is told by its mean and spread in training, and each bus has a vector
of its own to learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from graph import Rounds

WIDTH, ROUNDS, OWN = 48, 7, 8
EPOCHS, BATCH, RATE = 200, 32, 2e-3


class Predictor(torch.nn.Module):
    """Outputs of units, |V| and angles (n, n_gen + 2 n_node), scaled."""

    def __init__(self, net: Any, told: Told) -> None:
        super().__init__()
        ends = np.stack([net.branch.from_bus, net.branch.to_bus], 1)
        both = np.concatenate([ends, ends[:, ::-1]])
        self.passing = Rounds(both[:, 0], both[:, 1], net.n_bus, WIDTH, ROUNDS)
        self.of_bus = torch.nn.Parameter(0.1 * torch.randn(net.n_bus, OWN))
        self.register_buffer("unit_bus", torch.as_tensor(np.array(net.gen.bus, np.int64)))
        for name in ("edge", "unit"):
            self.register_buffer(name, torch.as_tensor(getattr(told, name), dtype=torch.float32))
        self.enter = torch.nn.Linear(told.n_node + OWN, WIDTH)
        self.line = torch.nn.Sequential(
            torch.nn.Linear(told.edge.shape[1], WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, WIDTH)
        )
        self.voltage = _head(2 * WIDTH + OWN, 2)
        self.output = _head(2 * WIDTH + OWN + told.unit.shape[1] + 1, 1)

    def forward(self, node: Any, most: Any, live: Any) -> Any:
        """node (n, n_bus, n_feature), most (n, n_gen), live (n, n_branch)."""
        n = len(node)
        own = self.of_bus[:, None].expand(-1, n, -1)
        h = torch.relu(self.enter(torch.cat([node.transpose(0, 1), own], 2)))
        h = self.passing(h, self.line(self.edge)[:, None], torch.cat([live, live], 1).T[:, :, None])
        h = torch.cat([h, h.mean(0, keepdim=True).expand_as(h), own], 2)
        v = self.voltage(h)
        unit = torch.cat([h[self.unit_bus], self.unit[:, None].expand(-1, n, -1), most.T[:, :, None]], 2)
        return torch.cat([self.output(unit)[:, :, 0].T, v[:, :, 0].T, v[:, :, 1].T], 1)


def _head(n_in: int, n_out: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(n_in, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, n_out))


class Told:
    """Conditions as the network takes them; ``x`` as `points.Conditions.inputs` puts them, the first for the scale."""

    def __init__(self, net: Any, x: Any) -> None:
        self.net, b, g = net, net.branch, net.gen
        charging = b.b_from_pu + b.b_to_pu
        lengthwise = [
            np.log(np.hypot(b.r_pu, b.x_pu)),
            np.log(1e-4 + b.r_pu),
            charging,
            np.log(b.rate_mva),
            b.tap_ratio - 1,
        ]
        one = np.stack(lengthwise, 1)
        direction = np.repeat([[1.0], [-1.0]], net.n_branch, 0)
        self.edge = np.hstack([_scaled(np.concatenate([one, one])), direction])
        self.unit = _scaled(
            np.stack([g.p_min_mw, g.p_max_mw, g.cost_c1_per_mwh, g.cost_c2_per_mw2h, g.q_min_mvar, g.q_max_mvar], 1)
        )
        nodes = self._nodes(x)
        self.mean, self.spread = nodes.mean((0, 1)), nodes.std((0, 1)) + 1e-9
        most = x[:, 2 * net.n_load : 2 * net.n_load + net.n_gen]
        self.most = most.mean(0), most.std(0) + 1e-9
        self.n_node = nodes.shape[2]

    def _nodes(self, x: Any) -> Any:
        net, n = self.net, len(x)
        p, q, most = np.split(x[:, : 2 * net.n_load + net.n_gen], [net.n_load, 2 * net.n_load], 1)

        def summed(bus: Any, values: Any) -> Any:
            out = np.zeros((n, net.n_bus))
            np.add.at(out.T, bus, np.broadcast_to(values, (n, len(bus))).T)
            return out

        g, units = net.gen, summed(net.gen.bus, 1.0)
        weight = np.maximum(units, 1)
        fixed = [net.bus.v_min_pu, net.bus.v_max_pu, units[0] > 0]
        parts = [
            summed(net.load.bus, p), summed(net.load.bus, q), summed(g.bus, most), summed(g.bus, g.cost_c1_per_mwh) / weight,
            summed(g.bus, g.cost_c2_per_mw2h) / weight, summed(g.bus, g.q_min_mvar), summed(g.bus, g.q_max_mvar),
            *(np.broadcast_to(values, (n, net.n_bus)) for values in fixed),
        ]  # fmt: skip
        return np.stack([np.arcsinh(part / 10.0) if k in (0, 1, 2, 5, 6) else part for k, part in enumerate(parts)], 2)

    def __call__(self, x: Any) -> tuple[Any, Any, Any]:
        """What `Predictor` takes."""
        net = self.net
        node = (self._nodes(x) - self.mean) / self.spread
        most = (x[:, 2 * net.n_load : 2 * net.n_load + net.n_gen] - self.most[0]) / self.most[1]
        live = 1.0 - x[:, 2 * net.n_load + net.n_gen :]
        return tuple(torch.as_tensor(part, dtype=torch.float32) for part in (node, most, live))  # type: ignore[return-value]


def _scaled(values: Any) -> Any:
    return (values - values.mean(0)) / (values.std(0) + 1e-9)


def graph_rule(net: Any, x: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    """A trained predictor of targets from inputs, as those of `points.models`; x (n, k), y (n, n_gen + 2 n_bus)."""
    told, centre, size = Told(net, x), y.mean(0), y.std(0) + 1e-9
    torch.manual_seed(seed)
    model = Predictor(net, told)
    data, goal = told(x), torch.as_tensor((y - centre) / size, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * -(-len(x) // BATCH))
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(*(d[part] for d in data)), goal[part]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()

    def rule(asked: Any) -> Any:
        with torch.no_grad():
            return centre + size * model(*told(asked)).numpy()

    return rule
