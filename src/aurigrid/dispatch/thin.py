"""A commitment problem without what its relaxation shows to be idle.

A node's load that nobody sheds and a flow limit without a price cost a search time in every linear problem that it solves, as
each flow limit has an entry for all that injects. What is left out stays at 0, or without a limit. The smaller problem's bound
does not hold for the whole one, where a column is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.highs import Answer
from aurigrid.dispatch.linear import NONE, Array, Problem
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.separate import Structure, structure_of

_IDLE = 1e-9


@dataclass(frozen=True, eq=False)
class Thin:
    """The smaller problem and where it stands in the whole one.

    Attributes:
        problem, structure: of the columns and rows that are left.
        columns, rows: their positions in the whole problem.
        n: number of columns of the whole problem.
    """

    problem: Problem
    structure: Structure
    columns: Array
    rows: Array
    n: int

    def whole(self, x: Array) -> Array:
        """(n,) a point of the smaller problem as one of the whole."""
        out = np.zeros(self.n)
        out[self.columns] = x
        return out

    def answer(self, known: Answer) -> Answer:
        """An answer of the whole problem as one of the smaller: what was left out has neither output nor price."""
        assert known.x is not None
        assert known.row_dual is not None
        assert known.reduced is not None
        return replace(
            known, x=known.x[self.columns], row_dual=known.row_dual[self.rows], reduced=known.reduced[self.columns]
        )


def thinned(model: Model, limits: Limits, idle: Array, kept: Array) -> Thin:
    """The problem without the columns `idle` and without all flow limits but those `kept`, (n_limit,) true or false."""
    problem = model.problem
    columns, rows = np.ones(problem.n, bool), np.ones(problem.m, bool)
    columns[idle] = False
    rows[limits.row[~kept]] = columns[limits.excess[~kept]] = False
    place = np.where(columns, np.cumsum(columns) - 1, NONE)
    matrix = csr_array((problem.value, problem.index, problem.start), shape=(problem.m, problem.n))
    part = matrix[rows][:, columns].tocsr()
    structure = structure_of(model)
    smaller = Problem(
        problem.cost[columns], problem.lower[columns], problem.upper[columns], problem.integer[columns],
        problem.row_lower[rows], problem.row_upper[rows], part.indptr.astype(np.int32), part.indices.astype(np.int32),
        part.data, problem.offset,
    )  # fmt: skip
    return Thin(
        smaller, Structure(place[structure.states], structure.owner[columns], structure.kind), np.flatnonzero(columns),
        np.flatnonzero(rows), problem.n,
    )  # fmt: skip


def idle_columns(asleep: Array, answer: Answer) -> Array:
    """Of the columns `asleep`, those that the relaxation leaves at 0."""
    assert answer.x is not None
    return np.asarray(asleep[answer.x[asleep] <= _IDLE])


def priced(limits: Limits, answer: Answer) -> Array:
    """(n_limit,) whether a flow limit has a price."""
    assert answer.row_dual is not None
    return np.asarray(np.abs(answer.row_dual[limits.row]) > _IDLE)
