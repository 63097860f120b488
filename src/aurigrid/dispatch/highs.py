"""HiGHS: hand over a `Problem`, run, and say what really ran and how it ended.

HiGHS falls back silently where an option asks for what its build lacks, so outcomes are read from the solver's status and
from the point itself: its cost and its violation are recomputed here from the problem's arrays.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.linear import Array, Problem
from aurigrid.errors import AurigridError, MissingExtraError

FEASIBLE = 1e-5
"""Violation up to which a point is accepted, MW."""


class DispatchError(AurigridError, RuntimeError):
    """HiGHS ended without a point that can be used."""


@dataclass(frozen=True, eq=False)
class Answer:
    """How a run ended.

    Attributes:
        x: (n,) the point, or None.
        cost: its cost, recomputed; inf without a point.
        bound: what no point can undercut; -inf where not known.
        status: HiGHS's model status, in its words.
        row_dual, reduced: prices of rows (m,) and columns (n,), or None for problems with integers.
        seconds: run time that HiGHS reports.
    """

    x: Array | None
    cost: float
    bound: float
    status: str
    row_dual: Array | None
    reduced: Array | None
    seconds: float


_MAKING = threading.Lock()


def _made() -> tuple[Any, Any]:
    """The module and a silent solver object.

    The first object of a thread greets on the C library's standard output before any option can be set; that would stand in
    the midst of what a command prints for machines, so the stream leads nowhere for that moment.
    """
    try:
        import highspy
    except ImportError as error:
        raise MissingExtraError("highspy", "dispatch", "dispatch") from error
    with _MAKING, _nowhere():
        h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    return highspy, h


@contextmanager
def _nowhere() -> Iterator[None]:
    sys.stdout.flush()
    kept, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    try:
        yield
        with suppress(OSError, TypeError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # else the text leaves its buffer when the stream is back
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(sink)


def solver(problem: Problem, *, relaxed: bool = False, **options: Any) -> Any:
    """A HiGHS object that holds the problem."""
    highspy, h = _made()
    for name, value in options.items():
        if h.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise DispatchError(f"this build of HiGHS refuses the option {name} = {value!r}")
    integer = np.zeros(problem.n, np.int32) if relaxed else problem.integer.astype(np.int32)
    status = h.passModel(
        problem.n, problem.m, len(problem.value), int(highspy.MatrixFormat.kRowwise), int(highspy.ObjSense.kMinimize),
        problem.offset, problem.cost, problem.lower, problem.upper, problem.row_lower, problem.row_upper,
        problem.start, problem.index, problem.value, integer,
    )  # fmt: skip
    if status == highspy.HighsStatus.kError:
        raise DispatchError("HiGHS refuses the problem's arrays")
    return h


def start_at(h: Any, x: Array) -> None:
    """Give a whole-number problem a point to begin with."""
    h.setSolution(len(x), np.arange(len(x), dtype=np.int32), x)


def outcome(h: Any, problem: Problem, *, relaxed: bool = False) -> Answer:
    """What the last run of `h` came to."""
    info, status = h.getInfo(), h.modelStatusToString(h.getModelStatus())
    solution = h.getSolution()
    x = np.asarray(solution.col_value, float)
    whole = bool(problem.integer.any()) and not relaxed
    if x.shape != (problem.n,) or info.primal_solution_status != 2:
        return Answer(None, np.inf, info.mip_dual_bound if whole else -np.inf, status, None, None, h.getRunTime())
    if whole:
        x[problem.integer] = np.round(x[problem.integer])
    cost = float(problem.cost @ x) + problem.offset
    if whole:
        return Answer(x, cost, float(info.mip_dual_bound), status, None, None, h.getRunTime())
    bound = cost if status == "Optimal" else -np.inf
    dual, reduced = np.asarray(solution.row_dual, float), np.asarray(solution.col_dual, float)
    return Answer(x, cost, bound, status, dual, reduced, h.getRunTime())


def solve_relaxed(problem: Problem, **options: Any) -> Answer:
    """The problem without whole numbers."""
    h = solver(problem, relaxed=True, **options)
    h.run()
    return outcome(h, problem, relaxed=True)


class LinearRun:
    """A linear problem that grows and changes while its solver keeps the basis."""

    def __init__(self, problem: Problem, *, relaxed: bool = True) -> None:
        self.problem = problem
        self.h = solver(problem, relaxed=relaxed, threads=1)

    def grow(self, problem: Problem) -> None:
        """Take the columns and rows that `problem` has beyond the present one."""
        old = self.problem
        more, n = problem.n - old.n, old.n
        none = np.zeros(0, np.int32)
        if more:
            self.h.addCols(more, problem.cost[n:], problem.lower[n:], problem.upper[n:], 0, np.zeros(more, np.int32), none,
                           np.zeros(0))  # fmt: skip
        rows, first = problem.m - old.m, int(problem.start[old.m])
        if rows:
            start = (problem.start[old.m : -1] - first).astype(np.int32)
            self.h.addRows(rows, problem.row_lower[old.m :], problem.row_upper[old.m :], len(problem.value) - first, start,
                           problem.index[first:], problem.value[first:])  # fmt: skip
        self.problem = problem

    def change(self, problem: Problem) -> None:
        """Take bounds and costs that differ; the matrix must be the same."""
        old = self.problem
        at = np.flatnonzero((problem.lower != old.lower) | (problem.upper != old.upper)).astype(np.int32)
        if len(at):
            self.h.changeColsBounds(len(at), at, problem.lower[at], problem.upper[at])
        at = np.flatnonzero(problem.cost != old.cost).astype(np.int32)
        if len(at):
            self.h.changeColsCost(len(at), at, problem.cost[at])
        at = np.flatnonzero((problem.row_lower != old.row_lower) | (problem.row_upper != old.row_upper)).astype(
            np.int32
        )
        if len(at):
            self.h.changeRowsBounds(len(at), at, problem.row_lower[at], problem.row_upper[at])
        self.problem = problem

    def solve(self) -> Answer:
        """Run from the basis at hand."""
        self.h.run()
        return outcome(self.h, self.problem, relaxed=True)

    def transposed(self, cost: Array) -> Array:
        """(m,) change of ``cost x`` with each row's right side at the present basis: y of ``B' y = cost of basic columns``."""
        _, basic = self.h.getBasicVariables()
        basic = np.asarray(basic)
        right = np.where(basic >= 0, cost[np.maximum(basic, 0)], 0.0)
        return np.asarray(self.h.getBasisTransposeSolve(right)[1], float)


def version() -> str:
    """Name and version of the solver."""
    return f"HiGHS {_made()[1].version()}"
