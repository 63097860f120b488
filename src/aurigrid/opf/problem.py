"""From a Network to the optimality system's tables: limits, units and costs in per unit, in elimination order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.kernels.pattern import Pattern
from aurigrid.kernels.system import Branches, Nodes, State, System, Units, make_state
from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.network import Network
from aurigrid.opf.tables import (
    ACTIVE,
    BOTH,
    COMPENSATOR,
    EXCESS,
    FIXED,
    GEN,
    LINK,
    LINK_BACK,
    OTHER,
    REACTIVE,
    SHORT,
    STORAGE,
    Freedom,
    check_taps,
    control_rows,
    controls_of,
    curves_of,
    free_shunts,
    free_taps,
    pattern_of,
    power_ratios,
)
from aurigrid.powerflow.grid import Grid, branch_admittances

Array = np.ndarray[Any, np.dtype[Any]]

_WHOLE_TURN_DEG = 179.0


@dataclass(frozen=True, eq=False)
class Injection:
    """The free scalars, one row each: a unit's active power (a segment of it, where its cost is piecewise linear), its
    reactive power, a control (see `tables`), or the power that a soft problem may add or drop at a node.

    Attributes:
        owner: (k,) `GEN`, `STORAGE`, ... `EXCESS`; element (k,): its position there, or its node.
        axis: (k,) `ACTIVE`, `REACTIVE`, `BOTH`, or `OTHER` for what is no injection; node (k,) caller's node.
        lo, hi: (k,) bounds, pu; linear, quadratic: (k,) cost by pu and pu^2, currency/h.
        segment: (k,) number of the cost segment, 0 for the first or only one.
        start: (k,) value of a control in the network, pu, NaN for units.
        ratio: (k,) reactive power that goes with active power (`BOTH`), 0 for the others.
    """

    owner: Array
    element: Array
    axis: Array
    node: Array
    lo: Array
    hi: Array
    linear: Array
    quadratic: Array
    segment: Array
    start: Array
    ratio: Array

    @property
    def count(self) -> int:
        return len(self.owner)


@dataclass(frozen=True, eq=False)
class Problem:
    """What all scenarios of a network share.

    Attributes:
        grid: the electrical problem of the power flow.
        free: what may move besides units; by_current: whether ratings limit currents instead of apparent powers.
        pattern: the grid's, with pairs for HVDC links that are free.
        system: the kernels' tables.
        branch: (m,) the network's branch of each of the first rows of ``branches``; row_of (n_branch,): its inverse, -1 for
            none. twin: (b,) rows of which further ones carry the angle limits, as their own functions see a free tap.
        injection: the rows of ``units``.
        fixed: (k,) bool, injections whose bounds coincide: constants.
        n_limit: inequalities; kind (n_limit,) and element (n_limit,): see `LIMITS`.
        constant: cost that does not depend on anything, currency/h.
    """

    grid: Grid
    free: Freedom
    by_current: bool
    pattern: Pattern
    system: System
    branch: Array
    row_of: Array
    twin: Array
    injection: Injection
    n_limit: int
    kind: Array
    element: Array
    constant: float

    @property
    def nodes(self) -> Nodes:
        return self.system.nodes

    @property
    def branches(self) -> Branches:
        return self.system.branches

    @property
    def units(self) -> Units:
        return self.system.units

    def state(self, drawn: bool = False) -> State:
        """A tile for the kernels; ``drawn`` where consumption depends on voltages."""
        return make_state(self.system, self.pattern.n_upper, self.n_limit, drawn)


LIMITS = (
    "v_max", "v_min", "flow_from", "flow_to", "angle_max", "angle_min", "current_from", "current_to", "upper", "lower",
    "capability",
)  # fmt: skip
"""Kinds of inequality; elements are nodes, branches, injections, or cuts of capability curves."""


class _Limits:
    """Numbers inequalities as they are found."""

    def __init__(self) -> None:
        self.kind: list[Array] = []
        self.element: list[Array] = []
        self.count = 0

    def add(self, kind: str, element: Array, present: Array) -> Array:
        """(len(present),) int32 numbers of the inequalities, -1 where there is none."""
        number = np.full(len(present), -1, np.int32)
        number[present] = self.count + np.arange(int(present.sum()), dtype=np.int32)
        self.kind.append(np.full(int(present.sum()), LIMITS.index(kind)))
        self.element.append(element[present])
        self.count += int(present.sum())
        return number


def compile_problem(
    net: Network,
    grid: Grid,
    soft_price: float | None,
    free: Freedom = FIXED,
    by_current: bool = False,
    with_curves: bool = True,
) -> Problem:
    """The optimality system of a network.

    Args:
        soft_price: price of power that is missing or dropped at a node, currency/MWh; None where balances must hold.
        free: what may move besides units.
        by_current: let ratings limit currents (MVA at 1 pu) instead of apparent powers.
        with_curves: whether capability curves count besides the units' boxes.
    """
    _check(net)
    pattern = pattern_of(net, grid, free)
    position = pattern.position
    limits = _Limits()
    injection, constant = _injections(net, grid, soft_price, free)
    nodes = _nodes(net, grid, pattern, free, limits)
    taps = free_taps(net, grid, free)
    link = (injection.owner == LINK) | (injection.owner == LINK_BACK)
    dc = net.hvdc
    joined = np.unique(injection.element[link])
    ends = grid.node_of_bus[np.concatenate([dc.from_bus[joined], dc.to_bus[joined]])].reshape(2, -1)
    branches, branch, row_of, twin, pair = _branches(net, grid, pattern, taps, position[ends], by_current, limits)
    bounded_hi, bounded_lo = np.isfinite(injection.hi), np.isfinite(injection.lo)
    number = np.arange(injection.count)
    row = np.where(injection.axis >= OTHER, -1, 2 * position[injection.node] + injection.axis).astype(np.int32)
    at_hi, at_lo = limits.add("upper", number, bounded_hi), limits.add("lower", number, bounded_lo)
    curves = curves_of(
        net if with_curves else net.replace(capability=net.capability.take([])), injection, grid.base_mva
    )
    curves = curves._replace(at=limits.add("capability", np.arange(len(curves.cut)), np.ones(len(curves.cut), bool)))
    tied = np.zeros(injection.count, np.int8)
    for first, last, q in zip(curves.first, curves.last, curves.reactive, strict=True):
        tied[first:last], tied[q] = 1, 1
    controls = controls_of(net, grid, pattern, injection, row_of, pair)
    system = System(nodes, branches, Units(row, at_hi, at_lo, tied), curves, controls)
    return Problem(
        grid, free, by_current, pattern, system, branch, row_of, twin, injection, limits.count,
        np.concatenate(limits.kind).astype(np.int8), np.concatenate(limits.element).astype(np.int32), constant,
    )  # fmt: skip


def _check(net: Network) -> None:
    issues = IssueList()
    point = net.cost_point
    for g in np.unique(point.gen):
        rows = np.flatnonzero(point.gen == g)
        rows = rows[np.argsort(point.p_mw[rows], kind="stable")]
        slope = np.diff(point.cost_per_h[rows]) / np.diff(point.p_mw[rows])
        if len(rows) < 2 or (np.diff(slope) < -1e-9 * np.abs(slope).max(initial=1.0)).any():
            issues.add("cost_point", "cost_per_h", "does not rise ever more steeply", ids=[str(net.gen.id[g])],
                       hint="optimal power flow needs convex costs")  # fmt: skip
    check_taps(net, issues)
    for name in ("cost_c2_per_mw2h", "cost_q2_per_mvar2h"):
        bad = net.gen.in_service & (getattr(net.gen, name) < 0)
        if bad.any():
            issues.add("gen", name, "is negative", ids=[str(x) for x in net.gen.id[bad]],
                       hint="optimal power flow needs convex costs")  # fmt: skip
    issues.raise_if_any()


def _nodes(net: Network, grid: Grid, pattern: Pattern, free: Freedom, limits: _Limits) -> Nodes:
    bus, order, n = net.bus, pattern.order, grid.n_node
    looked = bus.in_service & ~bus.is_star
    v_hi, v_lo = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(v_hi, grid.node_of_bus[looked], bus.v_max_pu[looked])
    np.maximum.at(v_lo, grid.node_of_bus[looked], bus.v_min_pu[looked])
    fixed = np.where(grid.kind == OFF, 2, np.where(grid.kind == REF, 1, 0)).astype(np.int8)
    shunt = grid.shunt_y.copy()
    moved = free_shunts(net, grid, free)
    steps = (net.shunt.g_mw + 1j * net.shunt.b_mvar) * net.shunt.step / grid.base_mva
    np.subtract.at(shunt, grid.node_of_bus[net.shunt.bus[moved]], steps[moved])
    loop = (grid.from_node >= 0) & (grid.from_node == grid.to_node)
    np.add.at(shunt, grid.from_node[loop], grid.y_branch[loop].view(complex).sum(1))
    alive = grid.kind[order] != OFF
    v_hi, v_lo = v_hi[order], v_lo[order]
    return Nodes(
        fixed[order], shunt.real[order], shunt.imag[order], np.where(np.isfinite(v_hi), v_hi, 10.0),
        np.where(np.isfinite(v_lo), v_lo, 0.0),
        limits.add("v_max", order, np.isfinite(v_hi) & alive), limits.add("v_min", order, (v_lo > 0) & alive),
    )  # fmt: skip


def _branches(
    net: Network, grid: Grid, pattern: Pattern, taps: Array, links: Array, by_current: bool, limits: _Limits
) -> tuple[Branches, Array, Array, Array, Array]:
    """The kernels' branches; the network's branch of each and the inverse; rows with a twin; keys of the pairs of nodes."""
    t = net.branch
    use = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
    use &= grid.kind[np.maximum(grid.from_node, 0)] != OFF
    branch = np.flatnonzero(use)
    row_of = np.full(net.n_branch, -1, np.int32)
    row_of[branch] = np.arange(len(branch))
    tap = np.full(len(branch), -1, np.int32)
    tap[row_of[taps]] = np.arange(len(taps))
    y = np.ascontiguousarray(grid.y_branch[branch])
    if len(taps):
        bare = branch_admittances(
            net.replace(branch=t.replace(tap_ratio=np.ones(net.n_branch), shift_deg=np.zeros(net.n_branch)))
        )
        y[row_of[taps]] = bare[taps]
    hi, lo = t.angle_max_deg[branch], t.angle_min_deg[branch]
    narrow_hi, narrow_lo = hi < _WHOLE_TURN_DEG, lo > -_WHOLE_TURN_DEG
    # angle limits are of the nodes' voltages, the other functions of a branch with a free tap of those behind it
    twin = np.flatnonzero((tap >= 0) & (narrow_hi | narrow_lo))
    rows = np.concatenate([np.arange(len(branch)), twin])
    first = np.arange(len(rows)) < len(branch)
    own = np.where(first, tap[rows] < 0, True)
    i, j = pattern.position[grid.from_node[branch[rows]]], pattern.position[grid.to_node[branch[rows]]]
    low, high = np.minimum(i, j), np.maximum(i, j)
    key = np.repeat(np.arange(pattern.n, dtype=np.int64), np.diff(pattern.up_ptr)) * pattern.n + pattern.up_idx
    ends = np.sort(links, axis=0).astype(np.int64)
    mine = low.astype(np.int64) * pattern.n + high
    pair = np.unique(np.concatenate([mine, ends[0] * pattern.n + ends[1]]))
    place, pair_of = np.searchsorted(pair, mine), np.full(len(key), -1, np.int32)
    pair_of[np.searchsorted(key, pair)] = np.arange(len(pair))
    rate = t.rate_mva[branch[rows]] / grid.base_mva
    rated = np.isfinite(rate) & (rate > 0) & first
    with np.errstate(divide="ignore"):
        limit = np.where(rated, 1.0 / rate**2, 0.0)
    hi_r, lo_r = np.deg2rad(hi[rows]), np.deg2rad(lo[rows])
    angle = np.column_stack([-np.sin(hi_r), np.cos(hi_r), np.sin(lo_r), -np.cos(lo_r)])
    full = np.where(first[:, None], y[rows], 0.0)
    at_from, at_to = (limits.add(f"flow_{end}", branch[rows], rated & (not by_current)) for end in ("from", "to"))
    at_hi = limits.add("angle_max", branch[rows], narrow_hi[rows] & own)
    at_lo = limits.add("angle_min", branch[rows], narrow_lo[rows] & own)
    at_current = [limits.add(f"current_{end}", branch[rows], rated & by_current) for end in ("from", "to")]
    return (
        Branches(
            i.astype(np.int32), j.astype(np.int32), place.astype(np.int32), (i > j).astype(np.int8), pair_of,
            (pair // pattern.n).astype(np.int32), (pair % pattern.n).astype(np.int32), full, limit,
            at_from, at_to, angle, at_hi, at_lo,
            _currents(full, limit) if by_current else np.zeros((0, 8)), np.column_stack(at_current),
            np.where(first, tap[rows], -1).astype(np.int32),
        ),
        branch, row_of, twin, pair,
    )  # fmt: skip


def _currents(y: Array, limit: Array) -> Array:
    """(m, 8) squared currents over squared ratings: factors of re, im, w_i and w_j, at the from and at the to end.

    ``|y_ff V_i + y_ft V_j|^2 = |y_ff|^2 w_i + |y_ft|^2 w_j + 2 Re(y_ff conj(y_ft) (re + j im))``.
    """
    y = np.ascontiguousarray(y).view(complex)
    parts = []
    for from_i, from_j in ((y[:, 0], y[:, 1]), (y[:, 2], y[:, 3])):
        mixed = 2 * from_i * np.conj(from_j)
        parts += [mixed.real, -mixed.imag, np.abs(from_i) ** 2, np.abs(from_j) ** 2]
    return np.ascontiguousarray(np.column_stack(parts) * limit[:, None])


def _injections(net: Network, grid: Grid, soft_price: float | None, free: Freedom) -> tuple[Injection, float]:
    """All free injections, and the cost that no decision changes, currency/h."""
    base = grid.base_mva
    rows: list[tuple[Any, ...]] = []
    constant = 0.0
    curves = {int(g): np.flatnonzero(net.cost_point.gen == g) for g in np.unique(net.cost_point.gen)}
    gen, ratio = net.gen, power_ratios(net)
    for g in np.flatnonzero(gen.in_service & (grid.kind[grid.node_of_bus[gen.bus]] != OFF)).tolist():
        node = int(grid.node_of_bus[gen.bus[g]])
        lo, hi = gen.p_min_mw[g] / base, gen.p_max_mw[g] / base
        q1, q2 = gen.cost_q1_per_mvarh[g] * base, gen.cost_q2_per_mvar2h[g] * base**2
        tied = bool(np.isfinite(ratio[g]))
        axis, beta = (BOTH, float(ratio[g])) if tied else (ACTIVE, 0.0)
        if g in curves:
            segments, at_start = _segments(net, curves[g], lo * base, hi * base)
            constant += at_start
            rows += [
                (GEN, g, axis, node, a / base, b / base, slope * base + q1 * beta, 0.0, s, np.nan, beta)
                for s, (a, b, slope) in enumerate(segments)
            ]
        else:
            constant += gen.cost_c0_per_h[g]
            c1, c2 = gen.cost_c1_per_mwh[g] * base, gen.cost_c2_per_mw2h[g] * base**2
            rows.append((GEN, g, axis, node, lo, hi, c1 + q1 * beta, c2 + q2 * beta**2, 0, np.nan, beta))
        if not tied:
            limits = gen.q_min_mvar[g] / base, gen.q_max_mvar[g] / base
            rows.append((GEN, g, REACTIVE, node, *limits, q1, q2, 0, np.nan))
    store = net.storage
    for k in np.flatnonzero(store.in_service & (grid.kind[grid.node_of_bus[store.bus]] != OFF)).tolist():
        node = int(grid.node_of_bus[store.bus[k]])
        rows.append((STORAGE, k, ACTIVE, node, store.p_min_mw[k] / base, store.p_max_mw[k] / base, 0.0, 0.0, 0, np.nan))
        rows.append(
            (STORAGE, k, REACTIVE, node, store.q_min_mvar[k] / base, store.q_max_mvar[k] / base, 0.0, 0.0, 0, np.nan)
        )
    svc = net.compensator
    for k in np.flatnonzero(svc.in_service & (grid.kind[grid.node_of_bus[svc.bus]] != OFF)).tolist():
        node = int(grid.node_of_bus[svc.bus[k]])
        rows.append(
            (COMPENSATOR, k, REACTIVE, node, svc.q_min_mvar[k] / base, svc.q_max_mvar[k] / base, 0.0, 0.0, 0, np.nan)
        )
    rows += control_rows(net, grid, free)
    if soft_price is not None:
        for node in np.flatnonzero(grid.kind != OFF).tolist():
            for axis in (ACTIVE, REACTIVE):
                rows.append((SHORT, node, axis, node, 0.0, np.inf, soft_price * base, 0.0, 0, np.nan))
                rows.append((EXCESS, node, axis, node, -np.inf, 0.0, -soft_price * base, 0.0, 0, np.nan))
    # most rows end before their ratio
    columns: list[Any] = list(zip(*(row if len(row) == 11 else (*row, 0.0) for row in rows), strict=True))
    columns = columns or [()] * 11
    kinds = (np.int8, np.int32, np.int8, np.int32, float, float, float, float, np.int32, float, float)
    return Injection(*(np.array(c, kind) for c, kind in zip(columns, kinds, strict=True))), float(constant)


def _segments(net: Network, rows: Array, lo: float, hi: float) -> tuple[list[tuple[float, float, float]], float]:
    """Pieces (from, to, slope) of a convex curve between two powers, MW; they add up to the output. And the cost at ``lo``.

    The first piece carries the lower bound, each other one runs from 0 to its width; convexity fills them in order.
    """
    point = net.cost_point
    rows = rows[np.argsort(point.p_mw[rows], kind="stable")]
    p, cost = point.p_mw[rows], point.cost_per_h[rows]
    slope = np.diff(cost) / np.diff(p)
    edges = np.concatenate([[min(lo, p[0])], p[1:-1], [max(hi, p[-1])]])
    pieces: list[tuple[float, float, float]] = []
    for a, b, s in zip(edges[:-1], edges[1:], slope, strict=True):
        a, b = max(a, lo), min(b, hi)
        if b > a:
            pieces.append((a, b, float(s)) if not pieces else (0.0, b - a, float(s)))
    if not pieces:
        pieces = [(lo, hi, float(slope[0]))]
    at = int(np.clip(np.searchsorted(p, pieces[0][0], side="right") - 1, 0, len(slope) - 1))
    start = float(cost[at] + slope[at] * (pieces[0][0] - p[at]))
    # the first piece costs slope * x from zero: its cost at its lower end is taken off again
    return pieces, start - pieces[0][0] * pieces[0][2]
