"""A linear problem without what is settled: fixed columns, rows of one column, columns that are not worth a place.

With the states of all plants given, most columns are fixed and most rows say something about one column only. What is solved
is the rest; what is answered is the point and the prices of the whole problem:

- fixed columns move to the right sides;
- a row of one column becomes a bound of it. Where that bound binds, the row's price is the column's reduced cost over its
  coefficient, else 0;
- columns named `asleep` (load not met, power without use: one a node and step) stand at their lower bound of 0 until their
  reduced cost ``c_j - y A_j`` at an optimum is negative; those wake, and the problem is solved again from the basis at hand.
  At the end no sleeping column could lower the cost, so the answer is one of the whole problem. Where there is no point without
  them, all wake.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from aurigrid.dispatch.highs import Answer, DispatchError, solver
from aurigrid.dispatch.linear import Array, Problem

_PRICE, _BOUND = 1e-7, 1e-9
_WAKES = 50
LEFT_OUT, AT_LIMIT, BASIC = -1, 0, 1
"""Status in a basis: not part of the small problem, at the lower limit, basic (HiGHS's numbers)."""


class LeanRun:
    """Like `LinearRun`, for problems in which most is settled; the same questions can be asked of it.

    Args:
        problem: the whole problem; its columns with equal bounds are settled, and must stay so.
        asleep: columns that may be left out at 0 for a start.
        until: `time.perf_counter` after which the solver stops, with or without a point.
    """

    def __init__(self, problem: Problem, asleep: Array, until: float = np.inf) -> None:
        self.problem, self.until = problem, until
        self._asleep = np.zeros(problem.n, bool)
        self._asleep[asleep] = True
        self._asleep &= problem.lower < problem.upper
        self._kept = (problem.lower < problem.upper) & ~self._asleep
        self._gather()
        self._set_out()

    def _gather(self) -> None:
        p = self.problem
        self._matrix = csr_array((p.value, p.index, p.start), shape=(p.m, p.n))

    def _set_out(self) -> None:
        """Build the small problem anew, and hand it over."""
        p = self.problem
        self._columns = np.flatnonzero(self._kept)
        part = self._matrix[:, self._columns].tocsr()
        size = np.diff(part.indptr)
        says = np.isfinite(p.row_lower) | np.isfinite(p.row_upper)
        self._rows, self._single = np.flatnonzero((size > 1) & says), np.flatnonzero((size == 1) & says)
        self._single_column = part.indices[part.indptr[self._single]]
        self._single_value = part.data[part.indptr[self._single]]
        small = part[self._rows]
        bounds = self._bounds()
        self._small = Problem(
            p.cost[self._columns], *bounds[:2], np.zeros(len(self._columns), bool), *bounds[2:],
            small.indptr.astype(np.int32), small.indices.astype(np.int32), small.data, 0.0,
        )  # fmt: skip
        self.h = solver(self._small, relaxed=True, threads=1)

    def _bounds(self) -> tuple[Array, Array, Array, Array]:
        """Bounds of the small problem's columns and rows; remembers which row gave a column its bounds."""
        p = self.problem
        settled = np.where(self._kept | self._asleep, 0.0, p.lower)
        shift = self._matrix @ settled
        lower, upper = p.lower[self._columns].copy(), p.upper[self._columns].copy()
        self._low_row = np.full(len(self._columns), -1)
        self._high_row = np.full(len(self._columns), -1)
        at, a = self._single_column, self._single_value
        with np.errstate(invalid="ignore"):
            ends = np.sort(
                [(bound[self._single] - shift[self._single]) / a for bound in (p.row_lower, p.row_upper)], axis=0
            )
        for bound, row, given, order in ((lower, self._low_row, ends[0], 1), (upper, self._high_row, ends[1], -1)):
            # the tightest of the rows that bound a column comes last, and is the one that stays
            place = np.lexsort((order * given, at))
            last = np.r_[at[place][1:] != at[place][:-1], True][: len(place)]
            best = place[last]
            better = order * given[best] > order * bound[at[best]]
            bound[at[best][better]] = given[best][better]
            row[at[best][better]] = self._single[best][better]
        crossed = lower > upper
        if (lower - upper)[crossed].max(initial=0.0) > 1e-5:
            raise DispatchError("the states that were given leave a plant no output")
        lower[crossed] = upper[crossed]
        return lower, upper, p.row_lower[self._rows] - shift[self._rows], p.row_upper[self._rows] - shift[self._rows]

    def late(self) -> bool:
        """Whether time is up."""
        return time.perf_counter() >= self.until

    def basis(self) -> tuple[Array, Array]:
        """Status of each column (n,) and row (m,), in HiGHS's numbers; what is not part of the small problem: `LEFT_OUT`."""
        basis = self.h.getBasis()
        column, row = np.full(self.problem.n, LEFT_OUT), np.full(self.problem.m, LEFT_OUT)
        column[self._columns] = _numbers(basis.col_status)
        row[self._rows] = _numbers(basis.row_status)
        return column, row

    def start_at(self, column: Array, row: Array) -> None:
        """Begin with the status of columns (n,) and rows (m,) of another run; `LEFT_OUT`: at a limit, rows basic."""
        import highspy

        status = [highspy.HighsBasisStatus(k) for k in range(5)]
        basis = highspy.HighsBasis()
        basis.valid, basis.alien = True, True
        at = np.where(column == LEFT_OUT, AT_LIMIT, column)[self._columns]
        basis.col_status = [status[k] for k in at.tolist()]
        at = np.where(row == LEFT_OUT, BASIC, row)[self._rows]
        basis.row_status = [status[k] for k in at.tolist()]
        self.h.setBasis(basis)

    def grow(self, problem: Problem) -> None:
        """Take the columns and rows that `problem` has beyond the present one."""
        old = self.problem
        more, first = problem.n - old.n, int(problem.start[old.m])
        self.problem = problem
        self._asleep = np.r_[self._asleep, np.zeros(more, bool)]
        self._kept = np.r_[self._kept, np.ones(more, bool)]
        self._gather()
        none = np.zeros(0, np.int32)
        if more:
            self.h.addCols(more, problem.cost[old.n :], problem.lower[old.n :], problem.upper[old.n :], 0,
                           np.zeros(more, np.int32), none, np.zeros(0))  # fmt: skip
        self._columns = np.r_[self._columns, np.arange(old.n, problem.n)]
        self._low_row, self._high_row = (np.r_[r, np.full(more, -1)] for r in (self._low_row, self._high_row))
        if problem.m > old.m and len(problem.value) > first:
            new = self._matrix[old.m :]
            settled = np.where(self._kept | self._asleep, 0.0, problem.lower)
            shift = new @ settled
            part = new[:, self._columns].tocsr()
            self.h.addRows(problem.m - old.m, problem.row_lower[old.m :] - shift, problem.row_upper[old.m :] - shift,
                           part.nnz, part.indptr[:-1].astype(np.int32), part.indices.astype(np.int32), part.data)  # fmt: skip
            self._rows = np.r_[self._rows, np.arange(old.m, problem.m)]

    def rewind(self, problem: Problem, column: Array, row: Array) -> None:
        """Go back to a problem of before some `grow`, and to the statuses (n,) and (m,) at which it was solved."""
        self.problem = problem
        self._asleep, self._kept = self._asleep[: problem.n], self._kept[: problem.n]
        self._gather()
        self._set_out()
        self.start_at(column, row)
        self.h.run()

    def change(self, problem: Problem) -> None:
        """Take bounds that differ; matrix, costs and settled columns must be the same."""
        self.problem = problem
        lower, upper, row_lower, row_upper = self._bounds()
        n, m = len(lower), len(row_lower)
        self.h.changeColsBounds(n, np.arange(n, dtype=np.int32), lower, upper)
        self.h.changeRowsBounds(m, np.arange(m, dtype=np.int32), row_lower, row_upper)

    def solve(self) -> Answer:
        """Run from the basis at hand, and wake what would lower the cost."""
        for _ in range(_WAKES):
            if np.isfinite(self.until):  # the solver's clock goes on from run to run
                left = max(self.until - time.perf_counter(), 0.0)
                self.h.setOptionValue("time_limit", self.h.getRunTime() + left)
            self.h.run()
            answer = self._answer()
            asleep = np.flatnonzero(self._asleep)
            if not len(asleep):
                return answer
            if answer.row_dual is None:
                if self.late():
                    return answer
                # without prices there is no telling which of them are needed
                self._wake(asleep)
                continue
            assert answer.reduced is not None
            wakes = asleep[answer.reduced[asleep] < -_PRICE]
            if not len(wakes):
                return answer
            if self.late():
                return dataclasses.replace(answer, bound=-np.inf, status="Time limit reached")
            self._wake(wakes)
        return answer

    def _wake(self, columns: Array) -> None:
        """Give columns a place; rows of one column that they enter become rows again, so the problem is built anew then."""
        self._asleep[columns] = False
        self._kept[columns] = True
        part = csc_array(self._matrix[:, columns])
        place = np.full(self.problem.m, -1)
        place[self._rows] = np.arange(len(self._rows))
        if (place[part.indices] < 0).any():
            self._set_out()
            return
        p = self.problem
        self.h.addCols(len(columns), p.cost[columns], p.lower[columns], p.upper[columns], part.nnz,
                       part.indptr[:-1].astype(np.int32), place[part.indices].astype(np.int32), part.data)  # fmt: skip
        self._columns = np.r_[self._columns, columns]
        none = np.full(len(columns), -1)
        self._low_row, self._high_row = np.r_[self._low_row, none], np.r_[self._high_row, none]

    def _answer(self) -> Answer:
        h, p = self.h, self.problem
        status, solution = h.modelStatusToString(h.getModelStatus()), h.getSolution()
        value = np.asarray(solution.col_value, float)
        if value.shape != self._columns.shape or h.getInfo().primal_solution_status != 2:
            return Answer(None, np.inf, -np.inf, status, None, None, h.getRunTime())
        x = np.where(self._kept | self._asleep, 0.0, p.lower)
        x[self._columns] = value
        cost = float(p.cost @ x) + p.offset
        dual = np.zeros(p.m)
        dual[self._rows] = np.asarray(solution.row_dual, float)
        self._price_single(dual, np.asarray(solution.col_dual, float))
        reduced = p.cost - dual @ self._matrix
        return Answer(
            x, cost, cost if status == "Optimal" else -np.inf, status, dual, np.asarray(reduced), h.getRunTime()
        )

    def _price_single(self, dual: Array, reduced: Array) -> None:
        """Prices of rows that are bounds: the reduced cost of a column at such a bound, over its coefficient there."""
        coefficient = np.ones(self.problem.m)
        coefficient[self._single] = self._single_value
        for row, binds in ((self._low_row, reduced > _BOUND), (self._high_row, reduced < -_BOUND)):
            j = np.flatnonzero(binds & (row >= 0))
            dual[row[j]] = reduced[j] / coefficient[row[j]]

    def transposed(self, cost: Array) -> Array:
        """(m,) change of ``cost x`` with each row's right side at the present basis: y of ``B' y = cost of basic columns``."""
        _, basic = self.h.getBasicVariables()
        basic = np.asarray(basic)
        mine = cost[self._columns]
        right = np.where(basic >= 0, mine[np.maximum(basic, 0)], 0.0)
        out = np.zeros(self.problem.m)
        out[self._rows] = np.asarray(self.h.getBasisTransposeSolve(right)[1], float)
        return out


def _numbers(status: Sequence[Any]) -> Array:
    """HiGHS's statuses as their numbers."""
    return np.fromiter(map(int, status), np.int64, len(status))
