"""Exact slopes of post-outage flows and voltages by what an operating point sets: active injections and held voltages.

For each outage state that breaks a limit the power flow's Jacobian is factorised once, at the state that the exact power flow
found (branches out, nodes at reactive limits, references and slack shares as there), and each broken limit costs one solution
with its transpose (`aurigrid.kernels.cuts.outage_slopes`). With distributed slack all units with a share alpha take the
balance: of the adjoints lambda that fit, the one with ``sum alpha lambda = 0`` is taken, a mixture of the reference's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.adjoint import Asked, outage_slopes
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.system import make_state
from aurigrid.kernels.tile import PQ, REF
from aurigrid.opf.problem import Problem
from aurigrid.opf.tables import ACTIVE, GEN, REACTIVE, STORAGE
from aurigrid.powerflow.edits import regulators_out
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import participation, regulating_units
from aurigrid.powerflow.newton import in_turn, thread_count
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.start import turned_references

Array = np.ndarray[Any, np.dtype[Any]]

FLOW, V_LOW, V_HIGH = 0, 1, 2
_LANES_A_TASK = 4


@dataclass(frozen=True, eq=False)
class Levers:
    """What cuts may weigh.

    Attributes:
        unit: (ku,) rows of `Injection` that a power flow takes as they are: active power of units and storage, reactive power
            of those that hold no voltage; node: (kn,) nodes whose voltages are held before outages.
    """

    unit: Array
    node: Array

    @classmethod
    def of(cls, problem: Problem, grid: Grid) -> Levers:
        """Those of a network; ``grid`` is the power flow's."""
        injection = problem.injection
        mine = np.isin(injection.owner, (GEN, STORAGE))
        holds = np.zeros(injection.count, bool)
        of_gen = injection.owner == GEN
        holds[of_gen] = regulating_units(grid)[injection.element[of_gen]]
        unit = np.flatnonzero(mine & ((injection.axis == ACTIVE) | (injection.axis == REACTIVE) & ~holds))
        return cls(unit, np.flatnonzero((grid.kind != PQ) & (grid.kind != 3)))


@dataclass(frozen=True, eq=False)
class Slopes:
    """Of k quantities: value (share of the rating, or pu), slopes a (k, ku) by pu of injections and b (k, kn) by pu of held
    voltages."""

    value: Array
    a: Array
    b: Array


def slopes(
    problem: Problem, levers: Levers, state: Solution, rate: Array, case: Array, kind: Array, element: Array, distributed: bool,
    threads: int | None,
) -> Slopes:  # fmt: skip
    """Slopes of some quantities of outage states.

    Args:
        state: the exact power flows after the outages; rate: (n_branch,) MVA that flows are divided by.
        case: (k,) ascending, state of each quantity; kind: `FLOW` (the larger end's), `V_LOW` or `V_HIGH` (magnitudes);
        element: branch, or node.
    """
    grid = state.grid
    which, place = np.unique(case, return_inverse=True)
    part = state.cases.take(which)
    v = np.where(np.isfinite(state.v[which]), state.v[which], 1.0)
    ends, slope, value = _quantities(grid, v[place], rate, kind, element)
    keeps, angle, weight = _held(grid, state, part, which)
    alive = np.ones(v.shape, bool)
    off = state.off.take(which, state.n)
    alive[off.case, off.element] = False
    position, order = grid.pattern.position, grid.pattern.order
    row = problem.row_of
    branch = part.pairs("branch")
    live = row[branch.element] >= 0
    out_ptr = np.zeros(len(which) + 1, np.int32)
    dead = ~alive[:, grid.from_node[problem.branch]] | ~alive[:, grid.to_node[problem.branch]]
    gone = dead.copy()
    gone[branch.case[live], row[branch.element[live]]] = True
    at_case, at_row = np.nonzero(gone)
    np.cumsum(np.bincount(at_case, minlength=len(which)), out=out_ptr[1:])
    ptr = np.zeros(len(which) + 1, np.int32)
    np.cumsum(np.bincount(place, minlength=len(which)), out=ptr[1:])
    asked = Asked(
        np.ascontiguousarray(v.real[:, order]), np.ascontiguousarray(v.imag[:, order]), keeps[:, order].astype(np.int8),
        angle[:, order].astype(np.int8), out_ptr, at_row.astype(np.int32), off.pointers(len(which)),
        position[off.element].astype(np.int32), ptr, position[ends].astype(np.int32), slope,
    )  # fmt: skip
    by_p, by_q, by_u, loss = _solved(problem, asked, threads)
    if distributed:
        _spread_slack(grid, alive, weight, place, ends[:, 0], order, (by_p, by_q, by_u), loss)
    injection = problem.injection
    node, active = position[injection.node[levers.unit]], injection.axis[levers.unit] == ACTIVE
    a = np.where(active, by_p[:, node], by_q[:, node])
    runs = _running(problem, levers, part)
    size = np.maximum(np.abs(v[place][:, levers.node]), 1e-3)
    return Slopes(value, a * runs[place], by_u[:, position[levers.node]] / size)


def _quantities(grid: Grid, v: Array, rate: Array, kind: Array, element: Array) -> tuple[Array, Array, Array]:
    """Ends (k, 2), derivatives (k, 4) by theta and ln|V| of both, and values (k,); v is (k, n_node)."""
    k = np.arange(len(kind))
    flow = kind == FLOW
    branch = np.where(flow, element, 0)
    a = np.where(flow, grid.from_node[branch] if len(grid.from_node) else 0, element)
    b = np.where(flow, grid.to_node[branch] if len(grid.to_node) else 0, element)
    y = np.ascontiguousarray(grid.y_branch).view(complex)[branch]
    va, vb = v[k, a], v[k, b]
    own_a, own_b = np.abs(va) ** 2 * np.conj(y[:, 0]), np.abs(vb) ** 2 * np.conj(y[:, 3])
    cross_a, cross_b = va * np.conj(y[:, 1] * vb), vb * np.conj(y[:, 2] * va)
    at_to = np.abs(own_b + cross_b) > np.abs(own_a + cross_a)
    first, second = np.where(at_to, b, a), np.where(at_to, a, b)
    own, cross = np.where(at_to, own_b, own_a), np.where(at_to, cross_b, cross_a)
    s = own + cross
    unit = np.conj(s) / np.maximum(np.abs(s), 1e-12) / np.where(flow, rate[branch] / grid.base_mva, 1.0)
    turn, grow, other = (np.real(unit * z) for z in (1j * cross, cross + 2 * own, cross))
    size = np.abs(v[k, a])
    slope = np.where(
        flow[:, None],
        np.column_stack([turn, grow, -turn, other]),
        np.column_stack([0 * size, size, 0 * size, 0 * size]),
    )
    ends = np.where(flow[:, None], np.column_stack([first, second]), np.column_stack([a, a]))
    return ends, slope, np.where(flow, np.abs(s) * grid.base_mva / rate[branch], size)


def _held(grid: Grid, state: Solution, part: Any, which: Array) -> tuple[Array, Array, Array]:
    """By case and node: whether its voltage is held, whether it is a reference; and the slack weights (c, n_node)."""
    c, n = len(which), grid.n_node
    keeps = np.repeat(((grid.kind != PQ) & (grid.kind != 3))[None], c, 0)
    angle = np.repeat((grid.kind == REF)[None], c, 0)
    held = grid.pattern.order[grid.rows.kind != PQ]
    keeps[:, held] &= state.held[which] == 0
    case, r = regulators_out(grid, part)
    if len(case):
        node = grid.regulators.node
        left = np.repeat(np.bincount(node, minlength=n)[None], c, 0)
        np.add.at(left, (case, node[r]), -1)
        keeps &= left > 0
    for rows, other in turned_references(grid, part)[1]:
        angle[rows] = other.kind == REF
    share = np.repeat(participation(grid)[None], c, 0)
    gone = part.pairs("gen")
    share[gone.case, gone.element] = 0.0
    weight = np.zeros((c, n))
    np.add.at(weight.T, grid.node_of_bus[grid.net.gen.bus], share.T)
    return keeps, angle, weight


def _running(problem: Problem, levers: Levers, part: Any) -> Array:
    """(c, ku) 1 where an injection still runs after the outage."""
    injection = problem.injection
    runs = np.ones((part.n, len(levers.unit)))
    pairs = part.pairs("gen")
    if len(pairs.case):
        gone = np.zeros((part.n, problem.grid.net.n_gen), bool)
        gone[pairs.case, pairs.element] = True
        mine = np.flatnonzero(injection.owner[levers.unit] == GEN)
        runs[:, mine] = ~gone[:, injection.element[levers.unit[mine]]]
    return runs


def _solved(problem: Problem, asked: Asked, threads: int | None) -> tuple[Array, Array, Array, Array]:
    grid, c, k = problem.grid, len(asked.e), len(asked.at)
    n, nodes, branches = grid.n_node, problem.nodes, problem.branches
    none_n, none_m = np.full(n, -1, np.int32), np.full(len(branches.i), -1, np.int32)
    nodes = nodes._replace(at_hi=none_n, at_lo=none_n)
    branches = branches._replace(at_from=none_m, at_to=none_m, at_hi=none_m, at_lo=none_m)
    by_p, by_q, by_u, loss = np.zeros((k, n)), np.zeros((k, n)), np.zeros((k, n)), np.zeros((c, 3 * n))
    count = thread_count(threads)
    step = max(LANES, min(_LANES_A_TASK * LANES, -(-c // (count * LANES)) * LANES))

    def work(first: int) -> None:
        state = make_state(problem.system, problem.pattern.n_upper, 0)
        outage_slopes(
            grid.pattern, nodes, branches, state, asked, first, min(first + step, c), by_p, by_q, by_u, loss
        )  # fmt: skip

    in_turn(count, work, list(range(0, c, step)))
    return by_p, by_q, by_u, loss


def _spread_slack(
    grid: Grid, alive: Array, weight: Array, place: Array, at: Array, order: Array, by: tuple[Array, Array, Array], loss: Array
) -> None:  # fmt: skip
    """Turn slopes with the references' balance into those with balances shared by ``weight`` in each island, in place."""
    n = grid.n_node
    by_p, by_q, by_u = by
    mine = (grid.island[None, order] == grid.island[at][:, None]) & alive[place][:, order]
    share = np.where(mine, weight[place][:, order], 0.0)
    lost_p, lost_u, lost_q = (loss[place, x * n : (x + 1) * n] for x in range(3))
    over = (share * lost_p).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(over != 0, -(share * by_p).sum(1) / over, 0.0)[:, None]
    by_p += np.where(mine, t * lost_p, 0.0)
    by_q += np.where(mine, t * lost_q, 0.0)
    by_u += np.where(mine, t * lost_u, 0.0)
