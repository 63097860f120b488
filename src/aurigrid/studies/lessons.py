"""What AC points teach a plan: limits on linear flows and injections, and the plan's linear problem inside them.

- A branch's limit on linear flow is its linear flow at the AC point, and what its rating leaves beside its reactive flow there:
  ``f <= f* + sqrt(rate^2 - Q*^2) - P*``, in either direction, so the AC point itself lies inside.
- Where voltages or reactive power made the point move, its prices c give a row ``(c_mean - c) (p - p*) <= 0`` on what nodes
  inject: of all points that AC allows, the nearest to the plan is p*, and c its distance's slope, so the row cuts the plan off
  and not what AC allows (exactly so where that is convex).
- With outages counted, the linear flow after each is limited alike, by as much more as the rating after outages is larger.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import numpy as np

from aurigrid.dispatch.flows import BASE, VOLTAGE, Flows, Limits, add_rows, net_injection
from aurigrid.dispatch.lean import LeanRun
from aurigrid.dispatch.merge import merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.redispatch import Key, at_given_states
from aurigrid.dispatch.secure import Secured, Settled, dormant, secured_of
from aurigrid.dispatch.system import System
from aurigrid.model.table import Array
from aurigrid.studies.points import Points

OUTAGE_PRICE = 500.0
"""Price of a MWh of flow above a limit after an outage: below that of load that is not served, so that no load is shed for it."""

_ADDED_ROUNDS = 20
_TOL_MW, _WORST_OF_A_STEP = 1e-2, 30
_LEAST_ACTIVE = 0.2
"""Share of a rating that is left to active power at least, whatever the reactive flow."""


@dataclass(eq=False)
class Lessons:
    """What AC points have taught: limits on linear flows and injections.

    Attributes:
        up, down: (n_branch, T) most MW in the direction of a branch and against it.
        loss_mw: (n_node, T).
        more_after: (n_branch,) MW beyond that which a branch may carry after an outage; None where outages are no limits.
        cuts: (key, factor (n_node,), room) of rows on injections.
    """

    up: Array
    down: Array
    loss_mw: Array
    more_after: Array | None = None
    cuts: list[tuple[Key, Array, float]] = field(default_factory=list)

    def room(self, flows: Flows, key: Key) -> tuple[Array, float]:
        """Factors (n_node,) and room of the row of a flow limit."""
        m, k, _, sign = key
        h, constant = flows.row(m, k)
        return sign * h, self.most(key) - sign * constant

    def most(self, key: Key) -> float:
        """MW that the linear flow of a key may reach."""
        m, k, t, sign = key
        most = float((self.up if sign > 0 else self.down)[m, t])
        if k == BASE:
            return most
        assert self.more_after is not None
        return most + float(self.more_after[m])


def more_after(flows: Flows, margin: float) -> Array:
    """(n_branch,) MW that branches may carry after an outage beyond their rating."""
    with np.errstate(invalid="ignore"):
        more = (flows.rate_after_mw - flows.rate_mw) * (1 - margin)
    return np.where(np.isfinite(more), more, 0.0)


def solve_within(system: System, flows: Flows, lessons: Lessons, known: list[Key]) -> Secured:
    """Dispatch a system whose states are given inside what AC has taught.

    Args:
        system: what is to be dispatched.
        flows: linear flows of its grid.
        lessons: limits and losses.
        known: limits that are rows from the start; others come in as they break.
    """
    began = time.perf_counter()
    merged = merge(system)
    model = build_model(merged.system.replace(demand_mw=merged.system.demand_mw + lessons.loss_mw))
    model, limits = dataclasses.replace(model, problem=at_given_states(model)), Limits()
    rows: list[tuple[Key, Array, float]] = [(key, *lessons.room(flows, key)) for key in known]
    model, limits = _with_rows(model, limits, rows + lessons.cuts)
    run = LeanRun(model.problem, dormant(model))
    left: tuple[Key, ...] = ()
    for _ in range(_ADDED_ROUNDS):
        answer = run.solve()
        if answer.x is None:
            break
        left = tuple(_broken(flows, flows.of(net_injection(model, answer.x)), lessons, set(limits.key)))
        if not left:
            break
        model, limits = _with_rows(model, limits, [(key, *lessons.room(flows, key)) for key in left])
        run.grow(model.problem)
    done = Settled(model, limits, None, answer, run, lessons.loss_mw, left)
    return secured_of(merged, done, None, {"dispatch": time.perf_counter() - began})


def _with_rows(model: Model, limits: Limits, rows: list[tuple[Key, Array, float]]) -> tuple[Model, Limits]:
    """The model with these rows; what exceeds a limit after an outage costs less than load that is not served."""
    if not rows:
        return model, limits
    keys = [key for key, _, _ in rows]
    model, more = add_rows(model, limits, keys, np.array([h for _, h, _ in rows]), np.array([r for _, _, r in rows]))
    cost = model.problem.cost.copy()
    mine = more.excess[len(limits.key) :]
    outage = np.array([k >= 0 for _, k, _, _ in keys])
    cost[mine[outage]] = np.minimum(cost[mine[outage]], model.system.step_h * OUTAGE_PRICE)
    return dataclasses.replace(model, problem=dataclasses.replace(model.problem, cost=cost)), more


def _broken(flows: Flows, flow: Array, lessons: Lessons, known: set[Key]) -> list[Key]:
    """Limits that linear flows (n_branch, T) break, a step's worst first; of the outages that overload a branch, the worst."""
    out: list[Key] = []
    over = np.maximum(flow - lessons.up, -flow - lessons.down)
    for t in np.flatnonzero((over > _TOL_MW).any(0)).tolist():
        branch = np.flatnonzero(over[:, t] > _TOL_MW)
        branch = branch[np.argsort(-over[branch, t], kind="stable")]
        keys = [(m, BASE, t, 1 if flow[m, t] > lessons.up[m, t] else -1) for m in branch.tolist()]
        out += [key for key in keys if key not in known][:_WORST_OF_A_STEP]
    if lessons.more_after is None:
        return out
    return out + _broken_after(flows, flow, lessons, known)


def _broken_after(flows: Flows, flow: Array, lessons: Lessons, known: set[Key]) -> list[Key]:
    """Limits after outages that flows (n_branch, T) break, a step's worst first, one a branch and step."""
    assert lessons.more_after is not None
    least = np.minimum(lessons.up, lessons.down) + lessons.more_after[:, None]
    branch, outage = flows.pairs(flow, (least - np.abs(flow)).min(1, initial=np.inf))
    factor, out = flows.transfer[branch, outage], []
    for t in range(flow.shape[1]):
        after = flow[branch, t] + factor * flow[flows.outage[outage], t]
        worst: dict[int, tuple[float, Key]] = {}
        for i in np.flatnonzero(np.abs(after) > least[branch, t] + _TOL_MW).tolist():
            m = int(branch[i])
            key = (m, int(flows.outage[outage[i]]), t, 1 if after[i] > 0 else -1)
            over = abs(float(after[i])) - lessons.most(key)
            if over > _TOL_MW and key not in known and over > worst.get(m, (0.0, key))[0]:
                worst[m] = over, key
        out += [key for _, key in sorted(worst.values(), key=lambda item: -item[0])[:_WORST_OF_A_STEP]]
    return out


def _injections(plan: Plan, points: Points, loss_mw: Array, flows: Flows) -> Array:
    """(n_node, T) net injections of the points, losses taken out."""
    grid, net = flows.grid, plan.net
    root = grid.node_of_bus
    out = -loss_mw.copy()
    np.add.at(out, root[net.gen.bus], np.where(net.gen.in_service, np.nan_to_num(points.p_mw), 0.0).T)
    np.add.at(out, root[net.load.bus], -np.where(net.load.in_service, plan.load_p_mw, 0.0).T)
    np.add.at(out, root, np.nan_to_num(points.result.short_mw).T)
    np.add.at(out, root[net.storage.bus], plan.storage_p_mw.T)
    sent, share = plan.hvdc_p_mw, net.hvdc.loss_share
    np.add.at(out, root[net.hvdc.from_bus], np.where(sent > 0, -sent, -sent * (1 - share)).T)
    np.add.at(out, root[net.hvdc.to_bus], np.where(sent > 0, sent * (1 - share), sent).T)
    return out


def _losses(points: Points, flows: Flows) -> Array:
    """(n_node, T) losses of the AC flows, half at each end."""
    lost = 0.5 * np.nan_to_num(points.result.p_from_mw + points.result.p_to_mw).T
    live = flows.grid.from_node >= 0
    out = np.zeros((flows.grid.n_node, lost.shape[1]))
    for node in (flows.from_node, flows.to_node):
        np.add.at(out, node[live], lost[live])
    return out


def learn(
    lessons: Lessons,
    flows: Flows,
    plan: Plan,
    points: Points,
    agreed: Array,
    margin: float,
) -> None:
    """Take in what the points say of the intact grid."""
    found, solved = points.result, points.label != 3
    loss = _losses(points, flows)
    lessons.loss_mw = np.where(solved, loss, lessons.loss_mw)
    injected = _injections(plan, points, lessons.loss_mw, flows)
    linear = flows.of(injected)
    s_from, s_to = np.hypot(found.p_from_mw, found.q_from_mvar), np.hypot(found.p_to_mw, found.q_to_mvar)
    at_from = s_from >= s_to
    active = np.where(at_from, found.p_from_mw, -found.p_to_mw).T
    reactive = np.where(at_from, found.q_from_mvar, found.q_to_mvar).T
    rate = flows.rate_mw[:, None] * (1 - margin)
    with np.errstate(invalid="ignore"):
        most = np.sqrt(np.maximum(rate**2 - reactive**2, (_LEAST_ACTIVE * rate) ** 2))
    offset = linear - active
    known = solved & np.isfinite(most) & np.isfinite(offset)
    lessons.up = np.where(known, most + offset, lessons.up)
    lessons.down = np.where(known, most - offset, lessons.down)
    _cut(lessons, plan, points, agreed, injected, flows)


def _cut(lessons: Lessons, plan: Plan, points: Points, agreed: Array, injected: Array, flows: Flows) -> None:
    """Rows that cut the plan off from what AC allows, by the prices of its nearest point."""
    found = points.result
    root = flows.grid.node_of_bus
    first = np.unique(root, return_index=True)[1]
    for i, (key, factor, room) in enumerate(lessons.cuts):
        reached = float(factor @ injected[:, key[2]])
        if points.label[key[2]] == 1 and reached > room:  # AC reaches what was cut off: it is not convex here
            lessons.cuts[i] = (key, factor, reached)
    for t in np.flatnonzero(~agreed & (points.label != 3)).tolist():
        price = np.zeros(flows.grid.n_node)
        price[root[first]] = np.nan_to_num(found.price_per_mwh[t, first])
        weight = np.maximum(plan.rows.system.demand_mw[:, t], 0.0)
        factor = float(price @ weight) / max(float(weight.sum()), 1e-9) - price
        size = float(np.abs(factor).max())
        if size < 1e-6:
            continue
        factor = factor / size
        bus = int(found.voltage_bus[t])
        branch = int(found.rating_price[t].argmax())
        key = (bus, VOLTAGE, t, len(lessons.cuts)) if bus >= 0 else (branch, BASE, t, 2 + len(lessons.cuts))
        lessons.cuts.append((key, factor, float(factor @ injected[:, t])))
