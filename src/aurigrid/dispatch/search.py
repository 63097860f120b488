"""Whole-number problems of commitment: HiGHS's tree search and a neighbourhood search beside it, on two cores.

The tree search of the whole problem gives the bound. Beside it, in a second thread, small problems are solved in which most
states are fixed: first at what the relaxation says (where it is whole, and not near a fractional state), then at the best
plan known but for a window of hours, a few units, or the states in which plan and relaxation differ. Each starts from the
best plan, so it can only improve. Both sides tell each other what they find. The run ends when the best plan is within the
asked gap of the bound, or when time is up; a plan's cost and violation are recomputed from the problem's arrays.

Neighbourhoods: Danna, Rothberg and Le Pape, "Exploring relaxation induced neighborhoods", Math. Prog. 102, 2005.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.dispatch.highs import FEASIBLE, Answer, DispatchError, outcome, solve_relaxed, solver, version
from aurigrid.dispatch.linear import Array, Problem

_WHOLE = 1e-6
_REACH, _FIRST, _PROMISING = (2, 4, 8), 30.0, 0.05
"""Steps around fractional states that are left free at first; seconds for it; gap from which on plans are improved instead."""
_LONG, _LONGEST = 15.0, 90.0
"""Seconds that a problem of the neighbourhood search may take; more, the longer nothing better is found."""


@dataclass(frozen=True, eq=False)
class Found:
    """Where the search ended.

    Attributes:
        x: (n,) best point.
        cost, bound: its cost and what no point can undercut.
        seconds: wall time.
        status: ``"gap"`` (within the asked gap) or ``"time"``.
        trace: (seconds, cost, bound) at each improvement of either.
        solver: name and version of what ran.
    """

    x: Array
    cost: float
    bound: float
    seconds: float
    status: str
    trace: tuple[tuple[float, float, float], ...]
    solver: str

    @property
    def gap(self) -> float:
        """Distance of cost and bound, relative to the cost."""
        return _gap(self.cost, self.bound)

    def time_to(self, gap: float) -> float | None:
        """Seconds until the gap was proven, None where it was not."""
        return next((t for t, cost, bound in self.trace if _gap(cost, bound) <= gap), None)


def _gap(cost: float, bound: float) -> float:
    if not (np.isfinite(cost) and np.isfinite(bound)):
        return float("inf")
    return max(cost - bound, 0.0) / max(abs(cost), 1e-9)


class Blackboard:
    """What both threads know: the best plan and the bound."""

    def __init__(self, problem: Problem, gap: float, time_limit: float) -> None:
        self.problem, self.gap = problem, gap
        self.began = time.perf_counter()
        self.until = self.began + time_limit
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.x: Array | None = None
        self.cost, self.bound = float("inf"), float("-inf")
        self.trace: list[tuple[float, float, float]] = []
        self.failure: BaseException | None = None

    @property
    def left(self) -> float:
        """Seconds that remain."""
        return self.until - time.perf_counter()

    def _note(self) -> None:
        self.trace.append((time.perf_counter() - self.began, self.cost, self.bound))
        if _gap(self.cost, self.bound) <= self.gap:
            self.done.set()

    def offer(self, x: Array) -> bool:
        """Take a plan if it is feasible and better; returns whether it was."""
        x = x.copy()
        x[self.problem.integer] = np.round(x[self.problem.integer])
        cost = float(self.problem.cost @ x) + self.problem.offset
        if cost >= self.cost - 1e-9 or self.problem.violation(x) > FEASIBLE:
            return False
        with self.lock:
            if cost >= self.cost:
                return False
            self.x, self.cost = x, cost
            self._note()
        return True

    def raise_bound(self, bound: float) -> None:
        """Take a bound if it is higher."""
        if bound > self.bound + 1e-9 * max(abs(bound), 1.0):
            with self.lock:
                self.bound = bound
                self._note()

    def over(self) -> bool:
        """Whether both threads should stop."""
        return self.done.is_set() or self.left <= 0


def search(
    problem: Problem,
    states: Array,
    *,
    gap: float,
    time_limit: float,
    start: Array | None = None,
    steady: Array | None = None,
) -> Found:
    """Solve a commitment problem to a relative gap.

    Args:
        problem: the whole problem.
        states: (n_unit, T) integer columns that say what is on.
        gap: relative gap at which to stop.
        time_limit: seconds.
        start: (n,) a plan to begin with.
        steady: (n_unit, T) states that are always possible; what is left where time allowed for nothing better.

    Returns:
        The best plan, its bound and how the two came together. `x` is a feasible plan in every case in which time
        allowed for one; the relaxation never fails, as every balance may be missed at a price.
    """
    board = Blackboard(problem, gap, time_limit)
    if start is not None:
        board.offer(start)
    tree = threading.Thread(target=_guarded, args=(board, _tree), daemon=True)
    beside = threading.Thread(target=_guarded, args=(board, lambda b: _neighbourhoods(b, states)), daemon=True)
    tree.start()
    beside.start()
    for thread in (tree, beside):
        while thread.is_alive():
            thread.join(0.2)
    if board.failure is not None:
        raise board.failure
    if board.x is None and steady is not None:
        lower, upper = problem.lower.copy(), problem.upper.copy()
        lower[states] = upper[states] = np.clip(steady, problem.lower[states], problem.upper[states])
        plain = solve_relaxed(replace(problem, lower=lower, upper=upper), threads=1)
        if plain.x is not None:
            board.offer(plain.x)
    if board.x is not None:
        _polish(board)
    seconds = time.perf_counter() - board.began
    if board.x is None:
        raise DispatchError(f"no plan was found in {seconds:.0f} s; give more time")
    status = "gap" if _gap(board.cost, board.bound) <= gap else "time"
    return Found(board.x, board.cost, board.bound, seconds, status, tuple(board.trace), version())


def _polish(board: Blackboard) -> None:
    """The best outputs at the states found: plans of heuristics need not have them."""
    problem, x = board.problem, board.x
    assert x is not None
    lower, upper = problem.lower.copy(), problem.upper.copy()
    lower[problem.integer] = upper[problem.integer] = x[problem.integer]
    answer = solve_relaxed(replace(problem, lower=lower, upper=upper), threads=1)
    if answer.x is not None:
        board.offer(answer.x)


def _guarded(board: Blackboard, work: Callable[[Blackboard], None]) -> None:
    try:
        work(board)
    except BaseException as error:  # carried to the caller's thread
        board.failure = error
        board.done.set()


def _tree(board: Blackboard) -> None:
    """HiGHS on the whole problem; reports bounds and plans, takes plans from the other side."""
    h = solver(board.problem, threads=1, mip_rel_gap=0.5 * board.gap, time_limit=max(board.left, 0.1))
    given = [board.cost]

    def watch(event: Any) -> None:
        board.raise_bound(event.data_out.mip_dual_bound)
        if board.over():
            event.data_in.user_interrupt = True

    def improved(event: Any) -> None:
        board.offer(np.asarray(event.data_out.mip_solution, float))

    def hand_over(event: Any) -> None:
        with board.lock:
            x, cost = board.x, board.cost
        if x is not None and cost < given[0] and cost < event.data_out.mip_primal_bound:
            given[0] = cost
            event.data_in.setSolution(x)

    if board.x is not None:
        _start_at(h, board.x)
    h.cbMipInterrupt.subscribe(watch)
    h.cbMipImprovingSolution.subscribe(improved)
    h.cbMipUserSolution.subscribe(hand_over)
    h.run()
    answer = outcome(h, board.problem)
    if answer.x is not None:
        board.offer(answer.x)
    board.raise_bound(answer.bound)
    if answer.status in ("Optimal", "Infeasible"):
        board.done.set()


def _start_at(h: Any, x: Array) -> None:
    h.setSolution(len(x), np.arange(len(x), dtype=np.int32), x)


def _neighbourhoods(board: Blackboard, states: Array) -> None:
    """Sub-problems around the relaxation and around the best plan, until the run is over."""
    relaxed = solve_relaxed(board.problem, threads=1)
    if relaxed.x is None:
        return
    board.raise_bound(relaxed.bound)
    value = relaxed.x[states]
    fraction = np.abs(value - np.round(value)) > _WHOLE
    rng = np.random.default_rng(0)
    # around the relaxation first: what the tree has by now may be far off, and would only mislead what follows
    for reach in _REACH:
        if board.over():
            return
        _improve(board, states, _widened(fraction, reach), np.round(value), _FIRST)
        if _gap(board.cost, board.bound) < _PROMISING:
            break
    size, turn, patience = [1.0, 1.0, 1.0], 0, _LONG
    while not board.over() and board.x is not None:
        with board.lock:
            best = board.x
        kind = turn % 3
        free = _choose(rng, kind, states.shape, best[states], value, size[kind])
        began = time.perf_counter()
        solved, better = _improve(board, states, free, best[states], patience)
        # each kind grows until its problems take as long as is worth while
        if not solved:
            size[kind] *= 0.75
        elif time.perf_counter() - began < 0.4 * patience:
            size[kind] *= 1.3
        turn += not better
        patience = _LONG if better else min(patience * 1.08, _LONGEST)


def _widened(mask: Array, steps: int) -> Array:
    out = mask.copy()
    for k in range(1, steps + 1):
        out[:, k:] |= mask[:, :-k]
        out[:, :-k] |= mask[:, k:]
    return out


def _choose(rng: Any, kind: int, shape: tuple[int, int], now: Array, relaxed: Array, size: float) -> Array:
    """(n_unit, T) states to set free: where plan and relaxation differ, a window of time, or some units throughout."""
    n, steps = shape
    free = np.zeros(shape, bool)
    if kind == 0:
        return _widened(np.abs(now - relaxed) > 0.01, max(int(2 * size), 1))
    if kind == 1:
        width = min(max(int(steps * size / 4), 3), steps)
        first = int(rng.integers(1 - width // 2, steps - width // 2))
        free[:, max(first, 0) : first + width] = True
        return free
    # units that move, in the plan or in the relaxation, are the ones to trade against each other
    moving = (np.abs(np.diff(now, axis=1)).sum(1) + np.abs(np.diff(relaxed, axis=1)).sum(1)) + 0.02
    count = min(max(int(n * size / 4), 2), n)
    free[rng.choice(n, count, replace=False, p=moving / moving.sum())] = True
    return free


def _improve(board: Blackboard, states: Array, free: Array, around: Array, seconds: float) -> tuple[bool, bool]:
    """Solve with all states but the free ones fixed; returns whether it was solved in time, and whether it improved."""
    problem = board.problem
    lower, upper = problem.lower.copy(), problem.upper.copy()
    fixed = states[~free]
    at = np.clip(np.round(around[~free]), lower[fixed], upper[fixed])
    lower[fixed], upper[fixed] = at, at
    part = replace(problem, lower=lower, upper=upper)
    h = solver(part, threads=1, mip_rel_gap=0.3 * board.gap, time_limit=max(min(seconds, board.left), 0.1))
    h.cbMipInterrupt.subscribe(lambda event: setattr(event.data_in, "user_interrupt", board.over()))
    if board.x is not None and ((board.x >= lower - FEASIBLE) & (board.x <= upper + FEASIBLE)).all():
        _start_at(h, board.x)
    h.run()
    answer: Answer = outcome(h, part)
    better = answer.x is not None and board.offer(answer.x)
    return answer.status == "Optimal", better
