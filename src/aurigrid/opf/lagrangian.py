"""The Lagrangian of an optimal power flow as a function of voltages and of what can be chosen apart from them.

With multipliers lam of the balances, pi of the apparent powers at both branch ends, mu >= 0 of the angle limits and D of squared
voltages (any sign),

    L = sum_u [c_u(x_u) - l_u x_u] + sum_i Re(conj(lam_i) need_i) - sum |pi| rate + V^H (A + diag D) V - sum_i D_i |V_i|^2,

where l_u is the part of lam that the injection u sees, and A is Hermitian: the power at the end f of a branch is
``y_ff* |V_f|^2 + y_ft* V_f V_t*``, its multiplier ``lam_f + pi_f``; shunts and loads in proportion to ``|V|^2`` go into the
diagonal.
A load in proportion to ``|V|`` and the last term are functions of one magnitude each, and x of its box alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.opf.conditions import Conditions, conditions_of, reference_groups_of
from aurigrid.opf.objective import objective_of
from aurigrid.opf.problem import LIMITS, Problem
from aurigrid.opf.run import problem_of
from aurigrid.opf.tables import ACTIVE, BOTH, FIXED, REACTIVE
from aurigrid.powerflow.cases import Cases

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.model.scenarios import Scenarios
    from aurigrid.opf.result import OptimalPowerFlow

Array = np.ndarray[Any, np.dtype[Any]]

UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Multipliers of n scenarios in currency/h for a pu (or pu^2), in the caller's node order; branches as in `Problem.branch`.

    Attributes:
        lam: (n, n_node) complex, of the balances: what consumption of one pu more costs, active + j reactive.
        flow_from, flow_to: (n, m) complex, of the powers that ratings limit; they point along the power.
        angle_max, angle_min: (n, m) of the angle limits.
        square: (n, n_node) of squared voltages: positive where the upper limit binds, negative at the lower.
    """

    lam: Array
    flow_from: Array
    flow_to: Array
    angle_max: Array
    angle_min: Array
    square: Array

    @classmethod
    def of(cls, found: OptimalPowerFlow) -> Multipliers:
        """Those that an optimal power flow of hard limits ends with.

        The limit ``(|S| / rate)^2 <= 1`` with multiplier mu asks for ``pi = 2 mu S / rate^2``, ``|V| <= v_max`` for
        ``D = mu / (2 |V|)``.
        """
        problem, v = found.problem, np.where(np.isfinite(found.solution.v), found.solution.v, 1.0)
        grid, rows = problem.grid, problem.branch
        a, b = grid.from_node[rows], grid.to_node[rows]
        y = np.ascontiguousarray(grid.y_branch[rows]).view(complex)
        rate = grid.net.branch.rate_mva[rows] / grid.base_mva
        square = 1.0 / np.where(np.isfinite(rate) & (rate > 0), rate, np.inf) ** 2
        s_a = v[:, a] * np.conj(y[:, 0] * v[:, a] + y[:, 1] * v[:, b])
        s_b = v[:, b] * np.conj(y[:, 2] * v[:, a] + y[:, 3] * v[:, b])
        scale = found.scale[:, None]

        def of_kind(name: str, size: int, place: Array | None = None) -> Array:
            out = np.zeros((found.n, size))
            mine = problem.kind == LIMITS.index(name)
            element = problem.element[mine]
            out[:, element if place is None else place[element]] = found.mu[:, mine]
            return out / scale

        m, size = len(rows), grid.n_node
        row_of = problem.row_of
        return cls(
            found.lam / scale, 2 * of_kind("flow_from", m, row_of) * square * s_a,
            2 * of_kind("flow_to", m, row_of) * square * s_b, of_kind("angle_max", m, row_of), of_kind("angle_min", m, row_of),
            (of_kind("v_max", size) - of_kind("v_min", size)) / (2 * np.abs(v)),
        )  # fmt: skip

    def take(self, rows: Array) -> Multipliers:
        """Those of some scenarios."""
        return Multipliers(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    @property
    def finite(self) -> Array:
        """(n,) whether all of a scenario's are numbers."""
        good = np.ones(len(self.lam), bool)
        for name in self.__dataclass_fields__:
            good &= np.isfinite(getattr(self, name)).all(1)
        return good


@dataclass(frozen=True, eq=False)
class Lagrangian:
    """What the dual function of n scenarios is made of, in pu and currency/h, in the caller's order.

    Attributes:
        problem, at: the hard problem and what the scenarios ask of it; y (m, 4) complex admittances.
        rate: (m,) ratings, infinite for none; turn_max, turn_min: (m,) complex t with the angle limit ``Re(t V_f V_t*) <= 0``,
            0 for none.
        lo, hi: (n_node,) limits of voltages; shunt: (n_node,) complex.
        linear, quadratic: (n or 1, k) costs; constant: (n or 1,).
        pair: (m,) pair of nodes of each branch, first and second (p,) nodes of each pair; flip (m,) whether it runs backwards.
    """

    problem: Problem
    at: Conditions
    y: Array
    rate: Array
    turn_max: Array
    turn_min: Array
    lo: Array
    hi: Array
    shunt: Array
    linear: Array
    quadratic: Array
    constant: Array
    pair: Array
    first: Array
    second: Array
    flip: Array

    @classmethod
    def build(cls, net: Network, sc: Scenarios, available: Array | None, weights: dict[str, float]) -> Lagrangian:
        """Of the problem that `optimal_power_flow` solves with nothing but units free and ratings in MVA.

        Capability curves are left out, as a relaxation may.
        """
        problem = problem_of(net, None, FIXED, False, False)
        grid, rows, cases = problem.grid, problem.branch, Cases.of(sc)
        off, _ = reference_groups_of(grid, cases)
        at = conditions_of(problem, sc, cases, off, available)
        a, b = grid.from_node[rows], grid.to_node[rows]
        low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
        keys, pair = np.unique(low * grid.n_node + high, return_inverse=True)
        rate = net.branch.rate_mva[rows] / grid.base_mva
        order, angle = problem.pattern.order, problem.branches.angle[: len(rows)]
        lo, hi = np.empty(grid.n_node), np.empty(grid.n_node)
        lo[order], hi[order] = problem.nodes.v_lo, problem.nodes.v_hi
        shunt = np.empty(grid.n_node, complex)
        shunt[order] = problem.nodes.g + 1j * problem.nodes.b
        aim = objective_of(problem, sc, weights, at.hi)
        limited = {
            name: np.isin(np.arange(len(rows)), problem.row_of[problem.element[problem.kind == LIMITS.index(name)]])
            for name in ("angle_max", "angle_min")
        }
        return cls(
            problem, at, np.ascontiguousarray(grid.y_branch[rows]).view(complex), np.where(rate > 0, rate, np.inf),
            np.where(limited["angle_max"], angle[:, 0] - 1j * angle[:, 1], 0.0),
            np.where(limited["angle_min"], angle[:, 2] - 1j * angle[:, 3], 0.0), lo, hi, shunt, aim.linear, aim.quadratic,
            aim.constant, pair, keys // grid.n_node, keys % grid.n_node, a > b,
        )  # fmt: skip

    @property
    def n(self) -> int:
        return len(self.at.need)

    def rows(self, which: Array) -> Lagrangian:
        """Of some of the scenarios."""
        fields = {name: getattr(self.at, name) for name in self.at.__dataclass_fields__}
        at = replace(self.at, **{k: x[which] for k, x in fields.items() if x is not None})
        mine = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("linear", "quadratic", "constant"):
            mine[name] = mine[name] if len(mine[name]) == 1 else mine[name][which]
        return Lagrangian(**{**mine, "at": at})

    def allowed(self, y: Multipliers) -> Multipliers:
        """The multipliers put where the dual function is finite: none of what has no limit or is not there, none negative for an
        angle, and at nodes with an injection without bound the price at which it neither gives nor takes all."""
        at, injection = self.at, self.problem.injection
        lam = np.where(at.alive, y.lam, 0.0)
        on, bounded = at.on, np.isfinite(self.rate)
        for axis, part in ((ACTIVE, lam.real), (REACTIVE, lam.imag)):
            for k in np.flatnonzero(injection.axis == axis):
                node = injection.node[k]
                price = np.broadcast_to(self.linear[:, k], self.n)
                slope = np.broadcast_to(self.quadratic[:, k], self.n)
                live = at.live[:, k] & (slope <= 0)
                up, down = live & ~np.isfinite(at.hi[:, k]), live & ~np.isfinite(at.lo[:, k])
                part[up, node] = np.minimum(part[up, node], price[up])
                part[down, node] = np.maximum(part[down, node], price[down])
        return Multipliers(
            lam, np.where(on & bounded, y.flow_from, 0.0), np.where(on & bounded, y.flow_to, 0.0),
            np.where(on & (self.turn_max != 0), np.maximum(y.angle_max, 0.0), 0.0),
            np.where(on & (self.turn_min != 0), np.maximum(y.angle_min, 0.0), 0.0), np.where(at.alive, y.square, 0.0),
        )  # fmt: skip

    def quadratic_form(self, y: Multipliers) -> tuple[Array, Array]:
        """Diagonal (n, n_node) real and off-diagonal (n, p) complex of A: ``A[second, first]`` of each pair."""
        grid, rows = self.problem.grid, self.problem.branch
        a, b = grid.from_node[rows], grid.to_node[rows]
        l_a, l_b = (y.lam[:, a] + y.flow_from) * self.at.on, (y.lam[:, b] + y.flow_to) * self.at.on
        diagonal = np.real(np.conj(y.lam) * np.conj(self.shunt))
        if self.at.need_z is not None:
            diagonal = diagonal + np.real(np.conj(y.lam) * self.at.need_z)
        diagonal = diagonal * self.at.alive
        np.add.at(diagonal.T, a, np.real(l_a * self.y[:, 0]).T)
        np.add.at(diagonal.T, b, np.real(l_b * self.y[:, 3]).T)
        # Re(c V_f V_t*), half of it in each of the two places
        c = np.conj(l_a * self.y[:, 1]) + l_b * self.y[:, 2] + y.angle_max * self.turn_max + y.angle_min * self.turn_min
        c = np.where(self.flip, np.conj(c), c)
        out = np.zeros((self.n, len(self.first)), complex)
        np.add.at(out.T, self.pair, 0.5 * c.T)
        return diagonal, out

    def dense(self, diagonal: Array, off: Array) -> Array:
        """(n, n_node, n_node) Hermitian matrices."""
        n, size = diagonal.shape
        matrix = np.zeros((n, size, size), complex)
        matrix[:, self.second, self.first] = off
        matrix[:, self.first, self.second] = np.conj(off)
        matrix[:, np.arange(size), np.arange(size)] = diagonal
        return matrix

    def apart(self, y: Multipliers) -> tuple[Array, Array]:
        """(n,) the part of the dual function besides voltages, currency/h, and the sum of its terms' sizes."""
        injection, at = self.problem.injection, self.at
        at_node = y.lam[:, injection.node]
        active = (injection.axis == ACTIVE) | (injection.axis == BOTH)
        reactive = np.where(injection.axis == REACTIVE, 1.0, injection.ratio)
        lam = np.where(active, at_node.real, 0.0) + reactive * at_node.imag
        slope, curve = self.linear - lam, np.broadcast_to(self.quadratic, lam.shape)
        lo, hi = np.where(at.live, at.lo, 0.0), np.where(at.live, at.hi, 0.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            vertex = np.clip(np.where(curve > 0, -slope / (2 * np.where(curve > 0, curve, 1.0)), 0.0), lo, hi)
            end = np.where(slope > 0, lo, np.where(slope < 0, hi, np.clip(0.0, lo, hi)))
            x = np.where(curve > 0, vertex, end)
            units = np.where(slope == 0, 0.0, slope * x) + np.where(curve > 0, curve * x**2, 0.0)
            size = np.abs(slope * x) + np.abs(lam * x) + np.where(curve > 0, curve * x**2, 0.0)
        drawn = np.real(np.conj(y.lam) * at.need)
        held = np.abs(y.flow_from) + np.abs(y.flow_to)
        held = np.where(held > 0, held * np.where(np.isfinite(self.rate), self.rate, 0.0), 0.0)
        value = self.constant + units.sum(1) + drawn.sum(1) - held.sum(1)
        total = np.abs(self.constant) + np.where(np.isfinite(size), size, 0.0).sum(1) + held.sum(1)
        return value, total + (np.abs(y.lam) * np.abs(at.need)).sum(1)

    def magnitudes(self, y: Multipliers, square: Array) -> tuple[Array, Array]:
        """(n,) least value of the terms of single magnitudes, ``- D |V|^2 + Re(conj(lam) need_i) |V|``, and their sizes."""
        alive = self.at.alive
        high, low = square * self.hi**2, square * self.lo**2
        value = -np.where(alive, np.maximum(high, low), 0.0)
        size = np.where(alive, np.maximum(np.abs(high), np.abs(low)), 0.0)
        if self.at.need_i is not None:
            draw = np.real(np.conj(y.lam) * self.at.need_i)
            value = value + np.where(alive, np.minimum(draw * self.hi, draw * self.lo), 0.0)
            size = size + np.where(alive, np.abs(y.lam) * np.abs(self.at.need_i) * self.hi, 0.0)
        return value.sum(1), size.sum(1)


def lagrangian_of(found: OptimalPowerFlow, gen_p_max_mw: Array | None) -> Lagrangian:
    """Of optimal power flows of cost.

    Only units may be free: with taps or sinks as variables the Lagrangian is not quadratic in voltages.
    """
    if found.problem.free != FIXED or found.problem.by_current:
        raise InputError(
            Issue("lower_bound", "found", "has free controls or ratings of currents",
                  hint="bounds are there for free units and limits in MVA")
        )  # fmt: skip
    available = None if gen_p_max_mw is None else np.atleast_2d(np.asarray(gen_p_max_mw, float))
    return Lagrangian.build(found.problem.grid.net, found.given, available, {"cost": 1.0})
