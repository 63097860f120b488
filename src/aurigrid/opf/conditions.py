"""What scenarios ask of an optimal power flow: consumption, bounds and what is in service, in per unit and the caller's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.problem import Problem
from aurigrid.opf.tables import (
    BOTH,
    CONVERTER_FROM,
    CONVERTER_TO,
    GEN,
    LINK,
    LINK_BACK,
    OTHER,
    REACTIVE,
    SHED,
    SHUNT,
    TAP,
    free_links,
    free_shunts,
    shunt_unit,
    sinks,
)
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import Injections, hvdc_arriving_mw
from aurigrid.powerflow.references import moved_references, stranded
from aurigrid.powerflow.sums import node_sums
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Conditions:
    """Scenarios of one problem, n of them.

    Attributes:
        need: (n, n_node) complex fixed consumption at 1 pu; need_i, need_z: that in proportion to V and to V^2, None for none.
        live: (n, k) injections that run; lo, hi: (n, k) bounds; start: (n, k) values of controls, NaN for units.
        on: (n, m) branches in service; alive: (n, n_node) nodes with supply.
        shape: (n, s, 6) what a unit of each sink consumes: active, then reactive, each in proportion to 1, V and V^2.
    """

    need: Array
    need_i: Array | None
    need_z: Array | None
    live: Array
    lo: Array
    hi: Array
    start: Array
    on: Array
    alive: Array
    shape: Array

    def draw(self, order: Array) -> Array:
        """(n, 4 n_node) the kernels' table of voltage-dependent consumption in elimination order; (1, 0) for none."""
        if self.need_i is None or self.need_z is None:
            return np.zeros((1, 0))
        parts = [self.need_i.real, self.need_z.real, self.need_i.imag, self.need_z.imag]
        return np.stack(parts, 2)[:, order].reshape(len(self.need), -1)


def reference_groups_of(grid: Grid, cases: Cases) -> tuple[Pairs, list[tuple[Array, Array]]]:
    """Pairs (case, node) without supply, and groups of cases by where their references are: positions and node kinds.

    A reference gives the angle only, so that it moves where its bus is out or most of its island is on the other side.
    """
    off = unsupplied(grid, cases)
    moved = stranded(grid, cases, off)
    buses = cases.pairs("bus")
    moved[buses.case[(grid.kind == REF)[grid.node_of_bus[buses.element]]]] = True
    kept = np.flatnonzero(~moved)
    groups = [(kept, grid.kind)] if kept.size else []
    if kept.size == cases.n:
        return off, groups
    others = moved_references(grid, cases, np.flatnonzero(moved), off)
    pairs = [(off.case[~moved[off.case]], off.element[~moved[off.case]])]
    for rows, kind in others:
        part = unsupplied(grid.with_kind(kind), cases.take(rows))
        pairs.append((rows[part.case], part.element))
    case, element = (np.concatenate(x) for x in zip(*pairs, strict=True))
    order = np.argsort(case, kind="stable")
    return Pairs(case[order].astype(np.int32), element[order].astype(np.int32)), groups + others


def conditions_of(problem: Problem, sc: Scenarios, cases: Cases, off: Pairs, available: Array | None) -> Conditions:
    """Turn scenarios into the problem's terms.

    Args:
        off: pairs (case, node) without supply.
        available: (n or 1, n_gen) what units can give, MW.
    """
    grid, net, n, injection = problem.grid, problem.grid.net, sc.n, problem.injection
    dead = np.zeros((n, grid.n_node), bool)
    dead[:, grid.kind == OFF] = True
    dead[off.case, off.element] = True
    inj = Injections.of(grid, sc)
    load = _loads(problem, cases, inj)
    need, need_i, need_z = _consumption(problem, sc, load)
    need = need + _fixed_links(problem, sc, cases, inj)
    need[dead] = 0.0
    live = ~dead[:, injection.node]
    lo, hi = np.repeat(injection.lo[None], n, 0), np.repeat(injection.hi[None], n, 0)
    start = np.repeat(injection.start[None], n, 0)
    gone = _out(cases, "gen", net.n_gen)
    of_gen = injection.owner == GEN
    live[:, of_gen] &= ~gone[:, injection.element[of_gen]]
    if available is not None:
        mine = np.flatnonzero(of_gen & (injection.axis != REACTIVE))
        top = np.broadcast_to(available, (n, net.n_gen))[:, injection.element[mine]] / grid.base_mva
        hi[:, mine] = np.minimum(hi[:, mine], np.maximum(top, 0.0))
        lo[:, mine] = np.minimum(lo[:, mine], hi[:, mine])
    on = ~_out(cases, "branch", net.n_branch)[:, problem.branch]
    a, b = grid.from_node[problem.branch], grid.to_node[problem.branch]
    on &= ~(dead[:, a] | dead[:, b])
    _bound_controls(problem, sc, cases, inj, load, dead, on, live, hi, start)
    return Conditions(need, need_i, need_z, live, lo, hi, start, on, ~dead, _shapes(problem, load) * np.ones((n, 1, 1)))


def _out(cases: Cases, table: str, size: int) -> Array:
    """(n, size) elements of a table that are out."""
    out = np.zeros((cases.n, size), bool)
    pairs = cases.pairs(table)
    out[pairs.case, pairs.element] = True
    return out


def _loads(problem: Problem, cases: Cases, inj: Injections) -> Array:
    """(n, n_load) complex demand at 1 pu, pu."""
    net, n = problem.grid.net, cases.n
    on = net.load.in_service & ~_out(cases, "load", net.n_load)
    p, q = np.asarray(inj.load_p[:]), np.asarray(inj.load_q[:])
    power: Array = np.where(on, p + 1j * q, 0.0) / problem.grid.base_mva
    return np.broadcast_to(power, (n, net.n_load))


def _consumption(problem: Problem, sc: Scenarios, load: Array) -> tuple[Array, Array | None, Array | None]:
    """Constant consumption by node, and that in proportion to V and to V^2 where there is some."""
    grid, net = problem.grid, problem.grid.net
    t, node = net.load, grid.node_of_bus[net.load.bus]
    changed = np.zeros((sc.n, 0), complex)
    shunts = np.setdiff1d(np.arange(len(net.shunt)), free_shunts(net, grid, problem.free))
    if sc.shunt_step is not None and len(shunts):
        s = net.shunt
        step = (sc.shunt_step - s.step)[:, shunts] * s.in_service[shunts]
        changed = step * (s.g_mw - 1j * s.b_mvar)[shunts] / grid.base_mva
    varies = any(x.any() for x in (t.p_share_z, t.p_share_i, t.q_share_z, t.q_share_i))
    if not varies and not changed.any():
        return _by_node(node, load, grid.n_node), None, None

    def part(p_share: Array, q_share: Array) -> Array:
        return _by_node(node, load.real * p_share + 1j * load.imag * q_share, grid.n_node)

    z = part(t.p_share_z, t.q_share_z)
    if changed.size:
        z = z + _by_node(grid.node_of_bus[net.shunt.bus[shunts]], np.asarray(changed), grid.n_node)
    constant = part(1 - t.p_share_z - t.p_share_i, 1 - t.q_share_z - t.q_share_i)
    return constant, part(t.p_share_i, t.q_share_i), z


def _by_node(node: Array, values: Array, n_node: int) -> Array:
    return node_sums(node, values.real, n_node) + 1j * node_sums(node, values.imag, n_node)


def _fixed_links(problem: Problem, sc: Scenarios, cases: Cases, inj: Injections) -> Array:
    """(n, n_node) complex: what links that do not move draw, fixed losses of those that do, reactive power not regulated."""
    grid, dc, n = problem.grid, problem.grid.net.hvdc, sc.n
    if not len(dc):
        return np.zeros((n, grid.n_node), complex)
    runs = grid.hvdc_on & ~_out(cases, "hvdc", len(dc))
    moves = np.isin(np.arange(len(dc)), free_links(grid, problem.free))
    sent, arriving = hvdc_arriving_mw(grid.net, np.broadcast_to(inj.hvdc_p, (n, len(dc))))
    forward = dc.p_mw >= 0
    out = np.zeros((n, grid.n_node), complex)
    for bus, mw, receives, mvar, holds in (
        (dc.from_bus, sent, ~forward, dc.q_from_mvar, dc.regulates_from),
        (dc.to_bus, arriving, forward, dc.q_to_mvar, dc.regulates_to),
    ):
        p = np.where(moves, np.where(receives, -dc.loss_fixed_mw, 0.0), mw)
        power = (p + 1j * np.where(holds, 0.0, mvar)) * runs / grid.base_mva
        out -= _by_node(grid.node_of_bus[bus], power, grid.n_node)
    return out


def _bound_controls(
    problem: Problem, sc: Scenarios, cases: Cases, inj: Injections, load: Array, dead: Array, on: Array, live: Array,
    hi: Array, start: Array,
) -> None:  # fmt: skip
    """What outages and the scenarios' own values mean for controls, in place."""
    grid, injection = problem.grid, problem.injection
    net, base = grid.net, grid.base_mva
    dc = net.hvdc
    out = _out(cases, "hvdc", len(dc))
    for end in (dc.from_bus, dc.to_bus):
        out |= dead[:, grid.node_of_bus[end]]
    for owner in (CONVERTER_FROM, CONVERTER_TO, LINK, LINK_BACK):
        rows = np.flatnonzero(injection.owner == owner)
        live[:, rows] &= ~out[:, injection.element[rows]]
    if sc.hvdc_p_mw is not None:
        given = np.broadcast_to(inj.hvdc_p, (sc.n, len(dc))) / base
        for owner, sign in ((LINK, 1.0), (LINK_BACK, -1.0)):
            rows = np.flatnonzero(injection.owner == owner)
            start[:, rows] = np.maximum(sign * given[:, injection.element[rows]], injection.lo[rows])
    taps = np.flatnonzero(injection.owner == TAP)
    live[:, taps] &= on[:, problem.row_of[injection.element[taps]]]
    if sc.shunt_step is not None:
        rows = np.flatnonzero(injection.owner == SHUNT)
        start[:, rows] = (sc.shunt_step * shunt_unit(net))[:, injection.element[rows]]
    rows = np.flatnonzero(injection.owner == SHED)
    hi[:, rows] = np.maximum(load.real[:, injection.element[rows]], 0.0)
    others = np.flatnonzero(injection.axis >= OTHER)
    # what is out draws nothing; a tap or a shunt that is out keeps its place
    moved = np.isin(injection.owner[others], (GEN, SHED, LINK, LINK_BACK))
    gone = others[moved]
    start[:, gone] = np.where(live[:, gone], start[:, gone], 0.0)


def _shapes(problem: Problem, load: Array) -> Array:
    """(n or 1, s, 6), see `Conditions.shape`."""
    injection, net = problem.injection, problem.grid.net
    rows = sinks(injection)
    shape = np.zeros((len(load) if (injection.owner == SHED).any() else 1, len(rows), 6))
    of_shunt = injection.owner[rows] == SHUNT
    k, unit = injection.element[rows[of_shunt]], shunt_unit(net)
    if len(k):
        scale = problem.grid.base_mva * unit[k]
        shape[:, of_shunt, 2], shape[:, of_shunt, 5] = net.shunt.g_mw[k] / scale, -net.shunt.b_mvar[k] / scale
    both = injection.axis[rows] == BOTH
    shape[:, both, 0], shape[:, both, 3] = -1.0, -injection.ratio[rows[both]]
    of_load = injection.owner[rows] == SHED
    k, t = injection.element[rows[of_load]], net.load
    if len(k):
        served = load[:, k]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(served.real > 0, served.imag / served.real, 0.0)
        p, q = np.zeros((3, len(k))), np.zeros((3, len(k)))
        p[0], p[1], p[2] = 1 - t.p_share_i[k] - t.p_share_z[k], t.p_share_i[k], t.p_share_z[k]
        q[0], q[1], q[2] = 1 - t.q_share_i[k] - t.q_share_z[k], t.q_share_i[k], t.q_share_z[k]
        for x in range(3):
            shape[:, of_load, x], shape[:, of_load, 3 + x] = -p[x], -q[x] * slope
    return shape
