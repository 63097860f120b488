"""The certificate of an optimal power flow: feasibility and optimality conditions, recomputed in float64.

It shares nothing with the solver but the problem's limits: powers come from complex branch currents in the caller's node
order, and the gradient of the Lagrangian from Wirtinger's rule. For ``S = V conj(I)`` and the multipliers ``lam`` of the
balances, ``d Re(conj(lam) S) / d theta`` and ``/ d|V|`` are sums over branch ends of

    Re(conj(lam) j T) and Re(conj(lam) (T + 2 S_own)) / |V|,    T = V_i conj(y_ij V_j),    S_own = |V_i|^2 conj(y_ii).

A tap t = ratio exp(j shift) scales T of its from end by 1 / t, of its to end by 1 / conj(t) and S_own by 1 / |t|^2, so that with
``tau = d ln t / dx`` its derivatives are -tau T, -conj(tau) T and -2 Re(tau) S_own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.opf.conditions import Conditions
from aurigrid.opf.cuts import CutPoint
from aurigrid.opf.problem import LIMITS, Problem
from aurigrid.opf.tables import ACTIVE, GEN, LINK, LINK_BACK, OTHER, REACTIVE, TAP, sinks, tap_unit

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
        held: (n, n_node) bool, nodes whose angle is given.
        need_i, need_z: (n, n_node) complex consumption in proportion to |V| and |V|^2, None for none.
        shape: (n, s, 6) consumption of a unit of each sink, see `Conditions`.
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
    held: Array
    need_i: Array | None
    need_z: Array | None
    shape: Array
    cut: CutPoint | None = None


@dataclass(frozen=True, eq=False)
class Ends:
    """Branches of points: ends a, b; own and cross powers of both (n, m) complex; ratios (n, m);
    ahead (n, m): ratio between the from end and where its current counts, 1 where the tap is not free.
    """

    a: Array
    b: Array
    own_a: Array
    own_b: Array
    cross_a: Array
    cross_b: Array
    ratio: Array
    ahead: Array

    @property
    def s_a(self) -> Array:
        return self.own_a + self.cross_a

    @property
    def s_b(self) -> Array:
        return self.own_b + self.cross_b


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


def branch_ends(problem: Problem, v: Array, x: Array, on: Array) -> Ends:
    """Powers of all branches, with the taps of each point; arrays as in `Point`."""
    grid, t, rows = problem.grid, problem.grid.net.branch, problem.branch
    a, b = grid.from_node[rows], grid.to_node[rows]
    position, moves = np.zeros((1, len(rows))), np.zeros(len(rows), bool)
    mine = np.flatnonzero(problem.injection.owner == TAP)
    if len(mine):
        k = problem.injection.element[mine]
        position = np.zeros((len(v), len(rows)))
        moves[problem.row_of[k]] = True
        position[:, problem.row_of[k]] = x[:, mine] / tap_unit(grid.net)[k]
    ratio = t.tap_ratio[rows] + position * t.tap_step_pu[rows]
    tap = ratio * np.exp(1j * np.deg2rad(t.shift_deg[rows] + position * t.tap_step_deg[rows]))
    series = 1.0 / (t.r_pu[rows] + 1j * t.x_pu[rows])
    y_ff = (series + t.g_from_pu[rows] + 1j * t.b_from_pu[rows]) / ratio**2
    y_tt = series + t.g_to_pu[rows] + 1j * t.b_to_pu[rows]
    va, vb, one = v[:, a], v[:, b], np.ones((len(v), 1))
    return Ends(
        a, b, np.abs(va) ** 2 * np.conj(y_ff) * on, np.abs(vb) ** 2 * np.conj(y_tt) * on,
        va * np.conj(-series / np.conj(tap) * vb) * on, vb * np.conj(-series / tap * va) * on, ratio * one,
        np.where(moves, ratio, 1.0) * one,
    )  # fmt: skip


def voltage_slopes(problem: Problem, v: Array, x: Array, at: Conditions) -> Array:
    """(n, n_node) complex derivative of consumption other than shunts that stay by ln|V|."""
    return _consumed(problem, v, x, at)[1]


def _consumed(problem: Problem, v: Array, x: Array, at: Conditions | Point) -> tuple[Array, Array]:
    """(n, n_node) complex consumption other than shunts that stay, and its derivative by ln|V|."""
    size = np.abs(v) * at.alive
    total, slope = at.need.copy(), np.zeros_like(at.need)
    for part, power in ((at.need_i, 1), (at.need_z, 2)):
        if part is not None:
            total, slope = total + part * size**power, slope + power * part * size**power
    injection = problem.injection
    rows = sinks(injection)
    for power in range(3):
        unit = at.shape[:, :, power] + 1j * at.shape[:, :, 3 + power]
        node = injection.node[rows]
        mine = _by_node(size.shape[1], node, x[:, rows] * unit * size[:, node] ** power * at.alive[:, node])
        total, slope = total + mine, slope + power * mine
    links, sender, receiver, share = _links(problem)
    sent = _by_node(size.shape[1], sender, x[:, links].astype(complex))
    return total + sent - _by_node(size.shape[1], receiver, share * x[:, links]), slope


def _links(problem: Problem) -> tuple[Array, Array, Array, Array]:
    """Rows of free HVDC links, sending and receiving node of each, and the share that arrives."""
    injection, dc, node_of = problem.injection, problem.grid.net.hvdc, problem.grid.node_of_bus
    rows = np.flatnonzero((injection.owner == LINK) | (injection.owner == LINK_BACK))
    k, back = injection.element[rows], injection.owner[rows] == LINK_BACK
    a, b = node_of[dc.from_bus[k]], node_of[dc.to_bus[k]]
    return rows, np.where(back, b, a), np.where(back, a, b), 1.0 - dc.loss_share[k]


def _of_controls(problem: Problem, point: Point, ends: Ends, l_a: Array, l_b: Array, held_a: Array) -> Array:
    """(n, k) derivative of the Lagrangian by the values of controls, their own costs and bounds not counted.

    Args:
        l_a, l_b: (n, m) multipliers of branch powers; held_a: (n, m) derivative of limits by the ratio's logarithm.
    """
    injection, t = problem.injection, problem.grid.net.branch
    out = np.zeros_like(point.x)
    mine = np.flatnonzero(injection.owner == TAP)
    k = injection.element[mine]
    row, unit = problem.row_of[k], tap_unit(problem.grid.net)[k]
    tau = t.tap_step_pu[k] / unit / ends.ratio[:, row] + 1j * np.deg2rad(t.tap_step_deg[k]) / unit
    from_end = np.conj(l_a[:, row]) * (-tau * ends.cross_a[:, row] - 2 * tau.real * ends.own_a[:, row])
    to_end = np.conj(l_b[:, row]) * (-np.conj(tau) * ends.cross_b[:, row])
    out[:, mine] = np.real(from_end + to_end) + tau.real * held_a[:, row]
    rows = sinks(injection)
    node = injection.node[rows]
    size = (np.abs(point.v) * point.alive)[:, node]
    for power in range(3):
        unit_power = point.shape[:, :, power] + 1j * point.shape[:, :, 3 + power]
        out[:, rows] += np.real(np.conj(point.lam[:, node]) * unit_power) * size**power * point.alive[:, node]
    links, sender, receiver, share = _links(problem)
    out[:, links] = point.lam.real[:, sender] - share * point.lam.real[:, receiver]
    return out


def residuals(problem: Problem, point: Point) -> Residuals:
    """Judge points of a problem."""
    ends = branch_ends(problem, point.v, point.x, point.on)
    alive = np.zeros(point.v.shape[1], bool)
    alive[problem.pattern.order] = problem.nodes.fixed != 2
    balance, by_log = _balance(problem, point, ends)
    by_angle, by_size, of_unit = _gradient(problem, point, ends, by_log)
    value, in_pu = _limits(problem, point, ends)
    broken, slack, weight = np.maximum(value - point.excess, 0.0), point.excess - value, point.mu
    if point.cut is not None:
        h = point.cut.value(point.x, point.v, point.free)
        broken = np.hstack([broken, np.maximum(h - point.cut.excess, 0.0)])
        cut_size, cut_unit = point.cut.slopes(by_size.shape[1], of_unit.shape[1], point.free)
        by_size, of_unit = by_size + cut_size, of_unit + cut_unit
        slack, weight = np.hstack([slack, point.cut.excess - h]), np.hstack([weight, point.cut.mu])
    balance[:, ~alive], by_angle[:, ~alive], by_size[:, ~alive] = 0.0, 0.0, 0.0
    by_angle[point.held] = 0.0
    of_unit = np.where(point.free, of_unit, 0.0)

    scale = 1 + np.maximum(_largest(np.abs(point.lam)), _largest(weight))
    gradient = (
        np.maximum.reduce([_largest(np.abs(by_angle)), _largest(np.abs(by_size)), _largest(np.abs(of_unit))]) / scale
    )
    complementarity = _largest(np.abs(weight * slack)) / scale
    negative = _largest(np.maximum(-weight, 0.0))
    return Residuals(
        _largest(np.maximum(np.abs(balance.real), np.abs(balance.imag))), _largest(np.maximum(in_pu, 0.0)), _largest(broken),
        np.maximum(gradient, negative), complementarity,
    )  # fmt: skip


def _balance(problem: Problem, point: Point, ends: Ends) -> tuple[Array, Array]:
    """(n, n_node) complex balance, and the derivative of what nodes consume themselves, shunts included, by ln|V|."""
    size, injection = point.v.shape[1], problem.injection
    shunt = np.zeros(size, complex)
    shunt[problem.pattern.order] = problem.nodes.g + 1j * problem.nodes.b
    s_shunt = np.abs(point.v) ** 2 * np.conj(shunt) * point.alive
    consumed, by_log = _consumed(problem, point.v, point.x, point)
    given = np.where(injection.axis == ACTIVE, 1.0, np.where(injection.axis == REACTIVE, 1j, 0.0)) * point.x
    flows = _by_node(size, ends.a, ends.s_a) + _by_node(size, ends.b, ends.s_b)
    return flows + s_shunt + consumed - _by_node(size, injection.node, given), 2 * s_shunt + by_log


def _gradient(problem: Problem, point: Point, ends: Ends, by_log: Array) -> tuple[Array, Array, Array]:
    """Gradient of the Lagrangian without the scenarios' own cuts: by angles and by magnitudes (n, n_node), by injections (n, k).

    Args:
        by_log: (n, n_node) complex derivative of what nodes consume themselves by ln|V|.
    """
    rows, net = problem.branch, problem.grid.net
    a, b, size, m = ends.a, ends.b, point.v.shape[1], len(problem.branch)
    va, vb = point.v[:, a], point.v[:, b]

    def mu_of(name: str, count: int) -> Array:
        return _multipliers(problem, point.mu, name, count)

    # multipliers of branch powers: balances plus 2 mu S / rate^2 of their limits
    rate = net.branch.rate_mva[rows] / problem.grid.base_mva
    inverse = np.where(np.isfinite(rate) & (rate > 0), 1.0 / np.where(rate > 0, rate, 1.0) ** 2, 0.0)
    l_a = point.lam[:, a] + 2 * inverse * mu_of("flow_from", m) * ends.s_a
    l_b = point.lam[:, b] + 2 * inverse * mu_of("flow_to", m) * ends.s_b
    # currents: |S|^2 / w behind the tap
    w_a, w_b = (np.abs(va) / ends.ahead) ** 2, np.abs(vb) ** 2
    i_a, i_b = inverse * mu_of("current_from", m), inverse * mu_of("current_to", m)
    l_a, l_b = l_a + 2 * i_a * ends.s_a / w_a, l_b + 2 * i_b * ends.s_b / w_b
    held_a, held_b = 2 * i_a * np.abs(ends.s_a) ** 2 / w_a, 2 * i_b * np.abs(ends.s_b) ** 2 / w_b
    turn = va * np.conj(vb) * point.on
    hi, lo = np.deg2rad(net.branch.angle_max_deg[rows]), np.deg2rad(net.branch.angle_min_deg[rows])
    # h = Im(turn exp(-j max)) and its mirror: the derivative by theta_i is Re of the same
    bound = mu_of("angle_max", m) * turn * np.exp(-1j * hi) - mu_of("angle_min", m) * turn * np.exp(-1j * lo)
    along, across = np.real(bound), np.imag(bound)
    t_a, t_b = np.real(np.conj(l_a) * 1j * ends.cross_a), np.real(np.conj(l_b) * 1j * ends.cross_b)
    by_angle = _by_node(size, a, t_a - t_b + along) + _by_node(size, b, t_b - t_a - along)
    both = np.real(np.conj(l_a) * ends.cross_a) + np.real(np.conj(l_b) * ends.cross_b) + across
    o_a, o_b = 2 * np.real(np.conj(l_a) * ends.own_a), 2 * np.real(np.conj(l_b) * ends.own_b)
    by_size = _by_node(size, a, both + o_a - held_a) + _by_node(size, b, both + o_b - held_b)
    by_size = (by_size + np.real(np.conj(point.lam) * by_log)) / np.abs(point.v)
    by_size += mu_of("v_max", size) - mu_of("v_min", size)
    return by_angle, by_size, _by_injections(problem, point, _of_controls(problem, point, ends, l_a, l_b, held_a))


def _by_injections(problem: Problem, point: Point, of_controls: Array) -> Array:
    """(n, k) derivative of the Lagrangian by injections and controls; of_controls: (n, k) see `_of_controls`."""
    injection, count = problem.injection, problem.injection.count
    lam = np.where(
        injection.axis == ACTIVE, np.real(point.lam)[:, injection.node], np.imag(point.lam)[:, injection.node]
    )
    lam = np.where(injection.axis >= OTHER, -of_controls, lam)
    out: Array = point.linear + 2 * point.quadratic * point.x - lam
    out += _multipliers(problem, point.mu, "upper", count) - _multipliers(problem, point.mu, "lower", count)
    _add_cuts(problem, out, _multipliers(problem, point.mu, "capability", len(problem.system.curves.cut)))
    return out


def _multipliers(problem: Problem, mu: Array, name: str, count: int) -> Array:
    """(n, count) multipliers of one kind of limits by element (of branches: by the kernels' row), 0 without a limit."""
    out = np.zeros((len(mu), count))
    mine = np.flatnonzero(problem.kind == LIMITS.index(name))
    at = problem.element[mine]
    out[:, problem.row_of[at] if name.startswith(("flow", "current", "angle")) else at] = mu[:, mine]
    return out


def _cuts(problem: Problem) -> list[tuple[int, Array, Array]]:
    """Cuts of capability curves: number, rows of active power, rows of reactive power."""
    injection, curves = problem.injection, problem.system.curves
    found = []
    for k, unit in enumerate(injection.element[curves.reactive]):
        mine = (injection.owner == GEN) & (injection.element == unit)
        p, q = (np.flatnonzero(mine & (injection.axis == axis)) for axis in (ACTIVE, REACTIVE))
        found += [(c, p, q) for c in range(curves.ptr[k], curves.ptr[k + 1])]
    return found


def _add_cuts(problem: Problem, of_unit: Array, mu: Array) -> None:
    """Add the capability curves' part of the gradient, in place."""
    cut = problem.system.curves.cut
    for c, p, q in _cuts(problem):
        of_unit[:, p] += cut[c, 0] * mu[:, [c]]
        of_unit[:, q] += cut[c, 1] * mu[:, [c]]


def _by_node(size: int, node: Array, values: Array) -> Array:
    """(n, size) sums of values (n, k) at ``node`` (k,)."""
    out = np.zeros((size, len(values)), values.dtype)
    np.add.at(out, node, values.T)
    return out.T.copy()


def _largest(values: Array) -> Array:
    worst: Array = values.max(1, initial=0.0)
    return worst


def _limits(problem: Problem, point: Point, ends: Ends) -> tuple[Array, Array]:
    """(n, n_limit) the inequalities' values as the solver scales them, and the same in pu or rad of what is limited."""
    grid, net = problem.grid, problem.grid.net
    base = grid.base_mva
    value, in_pu = np.zeros((len(point.v), problem.n_limit)), np.zeros((len(point.v), problem.n_limit))
    order = problem.pattern.order
    hi_v, lo_v = np.empty(grid.n_node), np.empty(grid.n_node)
    hi_v[order], lo_v[order] = problem.nodes.v_hi, problem.nodes.v_lo
    size, va, vb = np.abs(point.v), point.v[:, ends.a], point.v[:, ends.b]
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
            s = np.abs(ends.s_a if name == "flow_from" else ends.s_b)[:, problem.row_of[x]]
            h, raw = (s / rate[x]) ** 2 - 1, s - rate[x]
        elif name in ("current_from", "current_to"):
            s = ends.s_a * ends.ahead / np.abs(va) if name == "current_from" else ends.s_b / np.abs(vb)
            current = np.abs(s)[:, problem.row_of[x]]
            h, raw = (current / rate[x]) ** 2 - 1, current - rate[x]
        elif name == "capability":
            h = np.full((len(point.v), len(x)), -1.0)
            cut = problem.system.curves.cut
            for c, p, q in _cuts(problem):
                runs = point.free[:, p].any(1) | point.free[:, q].any(1)
                at = cut[c, 0] * point.x[:, p].sum(1) + cut[c, 1] * point.x[:, q].sum(1) - cut[c, 2]
                h[:, x == c] = np.where(runs, at, -1.0)[:, None]
            raw = h
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
