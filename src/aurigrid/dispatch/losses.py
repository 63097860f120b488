"""Losses of the linear flows: part of the demand, and, on request, what plants can do about them.

    loss of an area  L(p) = sum_b r_b f_b^2 / base      f = H p + f0, p net injections; r in per unit, all else MW
    d L / d p_n      l_n  = sum_b 2 r_b f_b H_bn / base      likewise for the angles of phase shifters, with G in place of H

Losses at a point enter as demand, half at each end of a branch. With `tangents` each area and step has a column as well, what
losses differ from that, above every tangent of L met so far::

    supply = demand + L0 + x,    x >= L_k - L0 + l_k (p - p_k)

L is convex, so tangents lie below it and the problem stays linear (Kelley, "The cutting-plane method for solving convex
programs", J. SIAM 8, 1960). The price at a node then is (1 - l_n) times that at the angle reference, wherever that is. Where
power has no value a column could rise above the losses; it is held to those of the point before, once that is seen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.flows import Flows, branch_flow, net_injection
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.model import Model

_ROOM = 0.02
"""Share of an area's demand that a step's losses may rise above those of the point before."""
_SEEN_MW = 0.05


def at_nodes(flows: Flows, flow_mw: Array) -> Array:
    """(n_node, T) losses of linear flows (n_branch, T), half at each end of a branch."""
    f = flow_mw / flows.base
    lost = 0.5 * flows.grid.net.branch.r_pu[:, None] * f**2 * flows.base
    live = flows.grid.from_node >= 0
    out = np.zeros((flows.grid.n_node, f.shape[1]))
    for node in (flows.from_node, flows.to_node):
        np.add.at(out, node[live], lost[live])
    return out


@dataclass(frozen=True, eq=False)
class Tangents:
    """Tangents of losses as rows of a problem.

    Attributes:
        row, area, step: (n,) of each.
        factor: (n, n_node) change of the area's losses with what a node injects.
        constant: (n,) ``l_k p_k - L_k``, MW.
    """

    row: Array
    area: Array
    step: Array
    factor: Array
    constant: Array


def no_tangents(n_node: int) -> Tangents:
    """None yet."""
    none = np.zeros(0, np.int64)
    return Tangents(none, none, none, np.zeros((0, n_node)), np.zeros(0))


def by_area(model: Model, values: Array) -> Array:
    """(n_area, T) sums of (n_node, T)."""
    out = np.zeros(model.loss_change.shape)
    np.add.at(out, model.system.area, values)
    return out


def opened(model: Model, loss_mw: Array, held: Array | None = None) -> Model:
    """The model in which losses may differ from `loss_mw` (n_node, T); `held` (n_area, T): downward only; None: upward only."""
    lower, upper = model.problem.lower.copy(), model.problem.upper.copy()
    total, demand = by_area(model, loss_mw), by_area(model, np.maximum(model.system.demand_mw, 0.0))
    lower[model.loss_change] = 0.0 if held is None else -total
    upper[model.loss_change] = np.where(False if held is None else held, 1e-6, _ROOM * demand + 1.0)
    return dataclasses.replace(model, problem=dataclasses.replace(model.problem, lower=lower, upper=upper))


def risen(model: Model, x: Array, loss_mw: Array, found_mw: Array) -> Array:
    """(n_area, T) where columns stand above what flows lose, `found_mw` (n_node, T), less the demand's `loss_mw`."""
    return np.asarray(x[model.loss_change] - by_area(model, found_mw - loss_mw) > _SEEN_MW)


def add_tangents(model: Model, tangents: Tangents, flows: Flows, x: Array, loss_mw: Array) -> tuple[Model, Tangents]:
    """The model with a tangent of each area's losses in each step at the point x; losses that its demand includes: `loss_mw`."""
    system, problem = model.system, model.problem
    net, f, turn = net_injection(model, x), branch_flow(model, flows, x), model.shift_deg(x)
    resistance = np.where(flows.grid.from_node >= 0, flows.grid.net.branch.r_pu, 0.0)[:, None]
    growth = 2.0 * resistance * f / flows.base
    slope, by_degree = flows.factor.T @ growth, flows.turned(system.shifters.branch).T @ growth
    lost = by_area(model, at_nodes(flows, f))
    turning = np.zeros_like(lost)
    np.add.at(turning, system.area[system.shifters.node], by_degree * turn)
    terms = model.injection_terms()
    columns = np.concatenate([c for c, _, _ in terms])
    node = np.concatenate([n for _, n, _ in terms])
    mw = np.concatenate([m for _, _, m in terms])
    index: list[Array] = []
    value: list[Array] = []
    sizes: list[int] = []
    area, step = (at.ravel() for at in np.indices(model.loss_change.shape))
    factor = np.where(system.area[None, :] == area[:, None], slope.T[step], 0.0)
    for a, t, here in zip(area.tolist(), step.tolist(), factor, strict=True):
        v = here[node] * mw
        used = np.abs(v) > 1e-9
        mine = np.flatnonzero(system.area[system.shifters.node] == a)
        index += [columns[used, t], model.supply.ahead[mine, t], model.supply.back[mine, t], model.loss_change[a, [t]]]
        value += [v[used], by_degree[mine, t], -by_degree[mine, t], np.array([-1.0])]
        sizes.append(int(used.sum()) + 2 * len(mine) + 1)
    made = Tangents(
        problem.m + np.arange(len(area)), area, step, factor,
        np.einsum("ij,ji->i", factor, net[:, step]) + turning[area, step] - lost[area, step],
    )  # fmt: skip
    joined = Tangents(
        *(np.concatenate([getattr(part, f.name) for part in (tangents, made)]) for f in dataclasses.fields(Tangents))
    )
    n = len(area)
    bigger = Problem(
        problem.cost, problem.lower, problem.upper, problem.integer, np.r_[problem.row_lower, np.full(n, -np.inf)],
        np.r_[problem.row_upper, np.zeros(n)],
        np.r_[problem.start, problem.start[-1] + np.cumsum(sizes)].astype(np.int32),
        np.concatenate([problem.index, *index]).astype(np.int32), np.concatenate([problem.value, *value]), problem.offset,
    )  # fmt: skip
    return renewed(dataclasses.replace(model, problem=bigger), joined, loss_mw), joined


def renewed(model: Model, tangents: Tangents, loss_mw: Array) -> Model:
    """The model with the right sides that tangents have at its demand, of which `loss_mw` (n_node, T) are losses."""
    upper, step = model.problem.row_upper.copy(), tangents.step
    fixed = np.einsum("ij,ji->i", tangents.factor, model.system.demand_mw[:, step])
    upper[tangents.row] = tangents.constant + fixed + by_area(model, loss_mw)[tangents.area, step]
    return dataclasses.replace(model, problem=dataclasses.replace(model.problem, row_upper=upper))


def reported(model: Model, x: Array, loss_mw: Array) -> Array:
    """(n_node, T) losses that the balances of a point include: those in its demand and what its columns add."""
    total, change = by_area(model, loss_mw), x[model.loss_change]
    factor = 1.0 + np.divide(change, total, out=np.zeros_like(total), where=total > 1e-9)
    return np.asarray(loss_mw * factor[model.system.area])
