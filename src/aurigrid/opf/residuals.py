"""The certificate of an optimal power flow: feasibility and optimality conditions, recomputed in float64.

It shares nothing with the solver but the problem's limits: powers come from complex branch currents in the caller's node
order, and the gradient of the Lagrangian from Wirtinger's rule. For ``S = V conj(I)`` and the multipliers ``lam`` of the
balances, ``d Re(conj(lam) S) / d theta`` and ``/ d|V|`` are sums over branch ends of

    Re(conj(lam) j T) and Re(conj(lam) (T + 2 S_own)) / |V|,    T = V_i conj(y_ij V_j),    S_own = |V_i|^2 conj(y_ii).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.opf.cuts import CutPoint
from aurigrid.opf.problem import LIMITS, Problem

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Point:
    """Points to judge, in the caller's node order, all in pu and scaled cost.

    Attributes:
        v: (n, n_node) complex; x: (n, k) injections, 0 where they do not run; need: (n, n_node) complex consumption.
        free: (n, k) injections that may move and on: (n, m) branches in service, bool.
        alive: (n, n_node) bool, nodes with supply.
        lo, hi: (n, k) bounds; linear, quadratic: (n, k) costs.
        lam: (n, n_node) complex multipliers (active + j reactive); mu: (n, n_limit) of the inequalities.
        excess: (n, n_limit) by which an inequality with a price may be broken.
        cut: the scenarios' own cuts; their excess is paid for and counts as no broken limit.
    """

    v: Array
    x: Array
    need: Array
    free: Array
    on: Array
    alive: Array
    lo: Array
    hi: Array
    linear: Array
    quadratic: Array
    lam: Array
    mu: Array
    excess: Array
    cut: CutPoint | None = None


@dataclass(frozen=True, eq=False)
class Residuals:
    """By point: broken balances and limits, pu (excess that a soft problem paid for counts as broken in ``violation``),
    largest gradient of the Lagrangian and largest complementarity, both for a multiplier of 1; `kkt` is the worst."""

    balance: Array
    violation: Array
    broken: Array
    gradient: Array
    complementarity: Array

    def take(self, rows: Array) -> Residuals:
        """Those of some points."""
        return Residuals(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def put(self, rows: Array, other: Residuals) -> None:
        """Replace those of some points."""
        for name in self.__dataclass_fields__:
            getattr(self, name)[rows] = getattr(other, name)

    @property
    def kkt(self) -> Array:
        """(n,) the worst of balance, unpaid violation, gradient and complementarity."""
        worst: Array = np.maximum.reduce([self.balance, self.broken, self.gradient, self.complementarity])
        return worst


def residuals(problem: Problem, point: Point) -> Residuals:
    """Judge points of a problem."""
    grid, net = problem.grid, problem.grid.net
    rows, base = problem.branch, grid.base_mva
    a, b = grid.from_node[rows], grid.to_node[rows]
    y = np.ascontiguousarray(grid.y_branch[rows]).view(complex)
    v = point.v
    va, vb, on = v[:, a], v[:, b], point.on
    own_a, own_b = np.abs(va) ** 2 * np.conj(y[:, 0]) * on, np.abs(vb) ** 2 * np.conj(y[:, 3]) * on
    cross_a, cross_b = va * np.conj(y[:, 1] * vb) * on, vb * np.conj(y[:, 2] * va) * on
    s_a, s_b = own_a + cross_a, own_b + cross_b
    n, size = v.shape
    shunt = np.zeros(size, complex)
    order = grid.pattern.order
    shunt[order] = problem.nodes.g + 1j * problem.nodes.b
    s_shunt = np.abs(v) ** 2 * np.conj(shunt) * point.alive
    injection = problem.injection
    given = np.where(injection.axis == 0, 1.0, 1j) * point.x
    alive = np.zeros(size, bool)
    alive[order] = problem.nodes.fixed != 2
    balance = (
        _by_node(size, a, s_a) + _by_node(size, b, s_b) + s_shunt + point.need - _by_node(size, injection.node, given)
    )
    balance[:, ~alive] = 0.0

    value, in_pu = _limits(problem, point, s_a, s_b, va, vb)
    broken = np.maximum(value - point.excess, 0.0)
    weight = point.mu
    kind, element = problem.kind, problem.element

    def mu_of(name: str, count: int, place: Array | None = None) -> Array:
        out = np.zeros((n, count))
        mine = kind == LIMITS.index(name)
        at = element[mine] if place is None else place[element[mine]]
        out[:, at] = weight[:, mine]
        return out

    # multipliers of branch powers: balances plus 2 mu S / rate^2 of their limits
    rate = net.branch.rate_mva[rows] / base
    inverse = np.where(np.isfinite(rate) & (rate > 0), 1.0 / np.where(rate > 0, rate, 1.0) ** 2, 0.0)
    m = len(rows)
    l_a = point.lam[:, a] + 2 * inverse * mu_of("flow_from", m, problem.row_of) * s_a
    l_b = point.lam[:, b] + 2 * inverse * mu_of("flow_to", m, problem.row_of) * s_b
    turn = va * np.conj(vb) * on
    hi, lo = np.deg2rad(net.branch.angle_max_deg[rows]), np.deg2rad(net.branch.angle_min_deg[rows])
    up, down = mu_of("angle_max", m, problem.row_of), mu_of("angle_min", m, problem.row_of)
    # h = Im(turn exp(-j max)) and its mirror: the derivative by theta_i is Re of the same
    along = up * np.real(turn * np.exp(-1j * hi)) - down * np.real(turn * np.exp(-1j * lo))
    across = up * np.imag(turn * np.exp(-1j * hi)) - down * np.imag(turn * np.exp(-1j * lo))
    t_a, t_b = np.real(np.conj(l_a) * 1j * cross_a), np.real(np.conj(l_b) * 1j * cross_b)
    by_angle = _by_node(size, a, t_a - t_b + along) + _by_node(size, b, t_b - t_a - along)
    c_a, c_b = np.real(np.conj(l_a) * cross_a), np.real(np.conj(l_b) * cross_b)
    o_a, o_b = 2 * np.real(np.conj(l_a) * own_a), 2 * np.real(np.conj(l_b) * own_b)
    by_size = _by_node(size, a, c_a + c_b + o_a + across) + _by_node(size, b, c_a + c_b + o_b + across)
    by_size = (by_size + 2 * np.real(np.conj(point.lam) * s_shunt)) / np.abs(v)
    by_size += mu_of("v_max", size) - mu_of("v_min", size)
    lam = np.where(injection.axis == 0, np.real(point.lam)[:, injection.node], np.imag(point.lam)[:, injection.node])
    count = injection.count
    of_unit = point.linear + 2 * point.quadratic * point.x - lam + mu_of("upper", count) - mu_of("lower", count)
    slack, largest = point.excess - value, _largest(weight)
    if point.cut is not None:
        h = point.cut.value(point.x, v, point.free)
        broken = np.hstack([broken, np.maximum(h - point.cut.excess, 0.0)])
        cut_size, cut_unit = point.cut.slopes(size, count, point.free)
        by_size, of_unit = by_size + cut_size, of_unit + cut_unit
        slack, weight = np.hstack([slack, point.cut.excess - h]), np.hstack([weight, point.cut.mu])
        largest = _largest(weight)
    fixed = np.zeros(size, bool)
    fixed[order] = problem.nodes.fixed == 1
    by_angle[:, fixed | ~alive], by_size[:, ~alive] = 0.0, 0.0
    of_unit = np.where(point.free, of_unit, 0.0)

    scale = 1 + np.maximum(_largest(np.abs(point.lam)), largest)
    gradient = (
        np.maximum.reduce([_largest(np.abs(by_angle)), _largest(np.abs(by_size)), _largest(np.abs(of_unit))]) / scale
    )
    complementarity = _largest(np.abs(weight * slack)) / scale
    negative = _largest(np.maximum(-weight, 0.0))
    return Residuals(
        _largest(np.maximum(np.abs(balance.real), np.abs(balance.imag))), _largest(np.maximum(in_pu, 0.0)), _largest(broken),
        np.maximum(gradient, negative), complementarity,
    )  # fmt: skip


def _by_node(size: int, node: Array, values: Array) -> Array:
    """(n, size) sums of values (n, k) at ``node`` (k,)."""
    out = np.zeros((size, len(values)), values.dtype)
    np.add.at(out, node, values.T)
    return out.T.copy()


def _largest(values: Array) -> Array:
    worst: Array = values.max(1, initial=0.0)
    return worst


def _limits(problem: Problem, point: Point, s_a: Array, s_b: Array, va: Array, vb: Array) -> tuple[Array, Array]:
    """(n, n_limit) the inequalities' values as the solver scales them, and the same in pu or rad of what is limited."""
    grid, net = problem.grid, problem.grid.net
    base = grid.base_mva
    value, in_pu = np.zeros((len(point.v), problem.n_limit)), np.zeros((len(point.v), problem.n_limit))
    order = grid.pattern.order
    hi_v, lo_v = np.empty(grid.n_node), np.empty(grid.n_node)
    hi_v[order], lo_v[order] = problem.nodes.v_hi, problem.nodes.v_lo
    size = np.abs(point.v)
    rate = net.branch.rate_mva / base
    turn = np.angle(va * np.conj(vb))
    both = np.abs(va) * np.abs(vb)
    for k, name in enumerate(LIMITS):
        mine = problem.kind == k
        x = problem.element[mine]
        if name == "v_max":
            h = raw = size[:, x] - hi_v[x]
        elif name == "v_min":
            h = raw = lo_v[x] - size[:, x]
        elif name in ("flow_from", "flow_to"):
            s = np.abs(s_a if name == "flow_from" else s_b)[:, problem.row_of[x]]
            h, raw = (s / rate[x]) ** 2 - 1, s - rate[x]
        elif name in ("angle_max", "angle_min"):
            at, sign = problem.row_of[x], 1 if name == "angle_max" else -1
            limit = np.deg2rad((net.branch.angle_max_deg if sign > 0 else net.branch.angle_min_deg)[x])
            h = np.where(point.on[:, at], sign * both[:, at] * np.sin(turn[:, at] - limit), -1.0)
            raw = np.where(point.on[:, at], sign * (turn[:, at] - limit), -1.0)
        else:
            sign = 1 if name == "upper" else -1
            bound = (point.hi if sign > 0 else point.lo)[:, x]
            h = raw = np.where(point.free[:, x], sign * (point.x[:, x] - bound), -1.0)
        value[:, mine], in_pu[:, mine] = h, raw
    return value, in_pu
