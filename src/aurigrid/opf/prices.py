"""Locational prices split into energy, losses and congestion.

The multipliers of an optimum satisfy ``J' lambda + H' mu = 0``, J the derivative of the balances and H that of the limits that
bind, by the voltages. Take the reference's active balance (row r) and, at nodes whose units can still change reactive power and
so have ``lambda_q = 0``, row and column of reactive power and magnitude out of J, which leaves the power flow's own Jacobian J_o.
Then

    lambda_o = lambda_r d - J_o^-T H' mu,    d = -J_o^-T J_r',

and d_i is what the reference must give more for one more MW of consumption at node i: 1 and the marginal losses. So

    energy = lambda_r,    loss = lambda_r (d_i - 1),    congestion = lambda_i - lambda_r d_i,

which is 0 where no limit of a flow, a voltage, an angle or of reactive power binds. The split depends on the reference, as every
such split does (Litvinov, Zheng, Rosenwald and Shamsollahi 2004); the price does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.conditions import conditions_of, reference_groups_of
from aurigrid.opf.problem import Problem
from aurigrid.opf.residuals import branch_ends, voltage_slopes
from aurigrid.opf.tables import REACTIVE, SHED, SHORT
from aurigrid.powerflow.cases import Cases

Array = np.ndarray[Any, np.dtype[Any]]

_INSIDE_PU = 1e-5
"""Distance from its bounds at which a unit's reactive power counts as free to move, pu."""


def delivery_factors(problem: Problem, points: Scenarios, x: Array, v: Array) -> tuple[Array, Array]:
    """What each node's reference must give for one more MW of consumption there, and that reference.

    Args:
        points: the scenarios with the points' own values; x: (n, k) injections, pu; v: (n, n_node) voltages,
            pu, NaN without supply.

    Returns:
        (n, n_node) factors, 1 without supply; (n, n_node) int, the node's reference, itself without supply.
    """
    grid = problem.grid
    cases = Cases.of(points)
    off, groups = reference_groups_of(grid, cases)
    at = conditions_of(problem, points, cases, off, None)
    served = np.where(problem.injection.owner == SHED, 0.0, np.nan_to_num(x))
    v = np.where(at.alive & np.isfinite(v), v, 1.0)
    ends = branch_ends(problem, v, served, at.on)
    by_log = voltage_slopes(problem, v, served, at)
    shunt = np.zeros(grid.n_node, complex)
    shunt[problem.pattern.order] = problem.nodes.g + 1j * problem.nodes.b
    by_log = by_log + 2 * np.abs(v) ** 2 * np.conj(shunt) * at.alive
    held = _held(problem, at.live, at.lo, at.hi, x)
    factor = np.ones(v.shape)
    reference = np.tile(np.arange(grid.n_node), (len(v), 1))
    for rows, kind in groups:
        first = np.full(grid.n_island, -1)
        first[grid.island[kind == REF]] = np.flatnonzero(kind == REF)
        for s in rows.tolist():
            fed = at.alive[s] & (kind != OFF)
            reference[s, fed] = first[grid.island[fed]]
            parts = (ends.own_a[s], ends.own_b[s], ends.cross_a[s], ends.cross_b[s])
            factor[s] = _factors(ends.a, ends.b, *parts, by_log[s], fed, held[s], kind == REF)
    return factor, reference


def _held(problem: Problem, live: Array, lo: Array, hi: Array, x: Array) -> Array:
    """(n, n_node) nodes where reactive power can still move, so that the voltage may be held."""
    injection = problem.injection
    rows = np.flatnonzero((injection.axis == REACTIVE) & (injection.owner < SHORT))
    inside = live & (x > lo + _INSIDE_PU) & (x < hi - _INSIDE_PU)
    held = np.zeros((len(x), problem.grid.n_node), bool)
    for row in rows:
        held[:, injection.node[row]] |= inside[:, row]
    return held


def _factors(
    a: Array, b: Array, own_a: Array, own_b: Array, cross_a: Array, cross_b: Array, by_log: Array, fed: Array, held: Array,
    is_reference: Array,
) -> Array:  # fmt: skip
    """(n_node,) delivery factors of one point."""
    n = len(fed)
    node = np.arange(n)
    row = np.concatenate([a, a, b, b])
    column = np.concatenate([a, b, b, a])
    by_angle = np.concatenate([1j * cross_a, -1j * cross_a, 1j * cross_b, -1j * cross_b])
    by_size = np.concatenate([cross_a + 2 * own_a, cross_a, cross_b + 2 * own_b, cross_b])
    row, column = np.concatenate([row, node]), np.concatenate([column, node])
    by_angle, by_size = np.concatenate([by_angle, np.zeros(n)]), np.concatenate([by_size, by_log])
    full = csc_matrix(
        (
            np.concatenate([by_angle.real, by_size.real, by_angle.imag, by_size.imag]),
            (np.concatenate([row, row, n + row, n + row]), np.concatenate([column, n + column, column, n + column])),
        ),
        shape=(2 * n, 2 * n),
    )
    keep = np.flatnonzero(np.concatenate([fed & ~is_reference, fed & ~held]))
    mine = np.flatnonzero(fed & is_reference)
    factor = np.ones(n)
    if len(keep) and len(mine):
        right = -np.asarray(full[mine][:, keep].sum(0)).ravel()
        solved = splu(full[keep][:, keep].T.tocsc()).solve(right)
        active = keep < n
        factor[keep[active]] = solved[active]
    return factor
