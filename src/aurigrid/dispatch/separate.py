"""Units on their own at the system's prices: what it costs to decide a state otherwise than the relaxation would.

With the prices y of the rows that units share, the relaxation falls apart into one small problem a unit::

    LP = y b + sum_i L_i,    L_i = min (c_i - A_i' y) x_i  over the rows of unit i alone

Let d_{i,t} be what L_i rises by where the unit's state in step t must differ from the one it would choose. Every plan that
decides so costs at least LP + d_{i,t}. So d says which states are worth a search, and, once a plan is known that costs no
more than LP + d_{i,t}, which states the search may fix for good: Lagrangian fixing, e.g. Nemhauser and Wolsey, "Integer and
Combinatorial Optimization", 1988, II.5.2.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, hstack, vstack

from aurigrid.dispatch.highs import solver
from aurigrid.dispatch.linear import NONE, Array, Problem
from aurigrid.dispatch.model import Model


@dataclass(frozen=True, eq=False)
class Structure:
    """What a search knows of the problem besides its arrays.

    Attributes:
        states: (n_unit, T) columns that say what is on.
        owner: (n,) unit that a column belongs to, -1 for what units share.
        kind: (n_unit,) units of one kind have the same output limits.
    """

    states: Array
    owner: Array
    kind: Array


@dataclass(frozen=True, eq=False)
class Flips:
    """`state` (n_unit, T) that units choose at the prices of the relaxation, and the `cost` (n_unit, T) of any other."""

    state: Array
    cost: Array


def structure_of(model: Model) -> Structure:
    """Which columns of a model belong to which unit."""
    owner = np.full(model.problem.n, NONE, np.int64)
    units = model.system.units
    rows = np.arange(len(units))

    def claim(columns: Array, unit: Array) -> None:
        used = columns != NONE
        owner[columns[used]] = np.broadcast_to(unit, columns.shape)[used]

    state = model.state
    for columns in (state.on, state.start, state.stop, state.counted, model.production.above, *model.offers.unit):
        claim(columns, rows[:, None])
    for columns in (model.production.segment, state.claim):
        claim(columns, rows[:, None, None])
    claim(state.ever, rows)
    claim(state.arc, state.arc_unit)
    limits = np.round(np.column_stack([units.p_min_mw, units.p_max_mw]), 1)
    kind = np.unique(limits, axis=0, return_inverse=True)[1].ravel() if len(units) else rows
    return Structure(state.on, owner, kind)


def flip_costs(problem: Problem, structure: Structure, dual: Array, seconds: float) -> Flips | None:
    """What deciding each state otherwise costs, from the relaxation's row prices (m,); None if that takes too long."""
    matrix = csr_array((problem.value, problem.index, problem.start), shape=(problem.m, problem.n))
    of_row = row_owner(problem, structure.owner)
    reduced = problem.cost - matrix.T @ np.where(of_row == NONE, dual, 0.0)
    n = len(structure.states)
    flips = Flips(np.zeros(structure.states.shape), np.zeros(structure.states.shape))
    columns = _by_owner(structure.owner, n)
    rows = _by_owner(of_row, n)
    began = time.perf_counter()
    for i in range(n):
        part = matrix[rows[i]][:, columns[i]].tocsr()
        alone = Problem(
            reduced[columns[i]], problem.lower[columns[i]], problem.upper[columns[i]], np.zeros(len(columns[i]), bool),
            problem.row_lower[rows[i]], problem.row_upper[rows[i]], part.indptr.astype(np.int32),
            part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        flips.state[i], flips.cost[i] = _unit(alone, np.searchsorted(columns[i], structure.states[i]))
        # an unpromising start is told early
        if (time.perf_counter() - began) * n > seconds * (i + 1) and time.perf_counter() - began > 0.2 * seconds:
            return None
    return flips


def _by_owner(owner: Array, n: int) -> list[Array]:
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(n + 1))
    return [order[a:b] for a, b in itertools.pairwise(edges)]


def row_owner(problem: Problem, owner: Array) -> Array:
    """(m,) unit whose columns alone are in a row, -1 for rows that units share."""
    if not len(problem.value):
        return np.full(problem.m, NONE, np.int64)
    filled = np.diff(problem.start) > 0
    of_entry, first = owner[problem.index], problem.start[:-1][filled]
    out = np.full(problem.m, NONE, np.int64)
    low, high = np.minimum.reduceat(of_entry, first), np.maximum.reduceat(of_entry, first)
    out[filled] = np.where(low == high, low, NONE)
    return out


def _unit(alone: Problem, states: Array) -> tuple[Array, Array]:
    """(T,) states that a unit chooses and (T,) what the cheapest other choice in each step costs more."""
    h = solver(alone, relaxed=True, threads=1, presolve="off")
    h.run()
    least = h.getInfo().objective_function_value
    chosen = np.round(np.asarray(h.getSolution().col_value, float)[states])
    dearer = np.full(len(states), np.inf)
    for t, column in enumerate(states.tolist()):
        low, high = alone.lower[column], alone.upper[column]
        for a, b in ((low, chosen[t] - 1.0), (chosen[t] + 1.0, high)):
            if a > b + 0.5:
                continue
            h.changeColBounds(column, a, b)
            h.run()
            status = h.modelStatusToString(h.getModelStatus())
            if status == "Optimal":
                dearer[t] = min(dearer[t], max(h.getInfo().objective_function_value - least, 0.0))
            elif status != "Infeasible":
                dearer[t] = 0.0  # nothing is known
        h.changeColBounds(column, low, high)
    return chosen, dearer


def counted(problem: Problem, structure: Structure) -> tuple[Problem, csr_array]:
    """The problem with whole-number columns "units of a kind on" and "units on" by step, and the matrix that gives them.

    Alike units make alike branches: to decide how many are on moves the bound where to decide which of them is does not.
    """
    n_unit, steps = structure.states.shape
    groups = [np.flatnonzero(structure.kind == k) for k in np.unique(structure.kind)]
    groups = [g for g in groups if 1 < len(g) < n_unit] + ([np.arange(n_unit)] if n_unit > 1 else [])
    new = len(groups) * steps
    if not new:
        return problem, csr_array((0, problem.n))
    row = np.concatenate([np.repeat(k * steps + np.arange(steps), len(g)) for k, g in enumerate(groups)])
    col = np.concatenate([structure.states[g].T.ravel() for g in groups])
    count = csr_array(coo_array((np.ones(len(col)), (row, col)), shape=(new, problem.n)))
    matrix = csr_array((problem.value, problem.index, problem.start), shape=(problem.m, problem.n))
    eye = csr_array(coo_array((-np.ones(new), (np.arange(new), np.arange(new))), shape=(new, new)))
    whole = csr_array(vstack([hstack([matrix, csr_array((problem.m, new))]), hstack([count, eye])]))
    zero = np.zeros(new)
    return Problem(
        np.r_[problem.cost, zero], np.r_[problem.lower, count @ problem.lower], np.r_[problem.upper, count @ problem.upper],
        np.r_[problem.integer, np.ones(new, bool)], np.r_[problem.row_lower, zero], np.r_[problem.row_upper, zero],
        whole.indptr.astype(np.int32), whole.indices.astype(np.int32), whole.data, problem.offset,
    ), count  # fmt: skip
