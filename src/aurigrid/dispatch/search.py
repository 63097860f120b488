"""Whole-number problems of commitment: HiGHS's tree search and a neighbourhood search beside it, on two cores.

First the relaxation, and what each unit would lose at its prices by deciding a state otherwise (`separate`). A small problem
in which only the states are free that lose little gives a first plan. Then HiGHS's tree search of the whole problem, without
the states that no better plan can have, gives the bound; beside it, in a second thread, `neighbourhoods` improves the plan.
Both sides tell each other what they find. The run ends when the best plan is within the asked gap of the bound, or when time
is up; a plan's cost and violation are recomputed from the problem's arrays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.dispatch.blackboard import Blackboard, relative_gap
from aurigrid.dispatch.highs import Answer, DispatchError, outcome, solve_relaxed, solver, start_at, version
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.neighbourhoods import improve
from aurigrid.dispatch.separate import Structure, counted


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
        return relative_gap(self.cost, self.bound)

    def time_to(self, gap: float) -> float | None:
        """Seconds until the gap was proven, None where it was not."""
        return next((t for t, cost, bound in self.trace if relative_gap(cost, bound) <= gap), None)


def search(
    problem: Problem,
    structure: Structure,
    *,
    gap: float,
    time_limit: float,
    start: Array | None = None,
    steady: Sequence[Array] = (),
    relaxed: Answer | None = None,
) -> Found:
    """Solve a commitment problem to a relative gap.

    Args:
        problem: the whole problem.
        structure: which columns say what is on, and which belong to which unit.
        gap: relative gap at which to stop.
        time_limit: seconds.
        start: (n,) a plan to begin with.
        steady: states (n_unit, T) that are possible, what is left where time allowed for nothing better: the first with a plan.
        relaxed: the answer of the problem without whole states, where it is known.

    Returns:
        The best plan, its bound and how the two came together. `x` is a feasible plan in every case in which time
        allowed for one; the relaxation never fails, as every balance may be missed at a price.
    """
    states = structure.states
    board = Blackboard(problem, states, gap, time_limit)
    if start is not None:
        board.offer(start)
    tree = threading.Thread(target=_guarded, args=(board, lambda b: _tree(b, structure)), daemon=True)
    beside = threading.Thread(target=_guarded, args=(board, lambda b: improve(b, structure, relaxed)), daemon=True)
    tree.start()
    beside.start()
    for thread in (tree, beside):
        while thread.is_alive():
            thread.join(0.2)
    if board.failure is not None:
        raise board.failure
    for fixed in steady:
        if board.x is not None:
            break
        lower, upper = problem.lower.copy(), problem.upper.copy()
        lower[states] = upper[states] = np.clip(fixed, problem.lower[states], problem.upper[states])
        plain = solve_relaxed(replace(problem, lower=lower, upper=upper), threads=1)
        if plain.x is not None:
            board.offer(plain.x)
    if board.x is not None:
        _polish(board)
    seconds = time.perf_counter() - board.began
    if board.x is None:
        raise DispatchError(f"no plan was found in {seconds:.0f} s; give more time")
    status = "gap" if relative_gap(board.cost, board.bound) <= gap else "time"
    return Found(board.x, board.cost, min(board.bound, board.cost), seconds, status, tuple(board.trace), version())


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


def _tree(board: Blackboard, structure: Structure) -> None:
    """HiGHS on the whole problem; reports bounds and plans, takes plans from the other side."""
    while not board.begun.wait(0.2):
        if board.over():
            return
    if board.over():
        return
    narrow, dearest = board.narrowed()
    whole, count = counted(narrow, structure)
    n = board.problem.n
    h = solver(whole, threads=1, mip_rel_gap=0.5 * board.gap, time_limit=max(board.left, 0.1))
    given = [board.cost]

    def watch(event: Any) -> None:
        # what lies outside the narrower problem costs at least as much as the plan that narrowed it
        board.raise_bound(min(event.data_out.mip_dual_bound, dearest))
        if board.over():
            event.data_in.user_interrupt = True

    def improved(event: Any) -> None:
        board.offer(np.asarray(event.data_out.mip_solution, float)[:n])

    def hand_over(event: Any) -> None:
        with board.lock:
            x, cost = board.x, board.cost
        if x is not None and cost < given[0] and cost < event.data_out.mip_primal_bound:
            given[0] = cost
            event.data_in.setSolution(np.r_[x, count @ x])

    if board.x is not None:
        start_at(h, np.r_[board.x, count @ board.x])
    h.cbMipInterrupt.subscribe(watch)
    h.cbMipImprovingSolution.subscribe(improved)
    h.cbMipUserSolution.subscribe(hand_over)
    h.run()
    answer = outcome(h, whole)
    if answer.x is not None:
        board.offer(answer.x[:n])
    if answer.status == "Infeasible" and np.isfinite(dearest):
        board.raise_bound(dearest)
    else:
        board.raise_bound(min(answer.bound, dearest))
    if answer.status in ("Optimal", "Infeasible"):
        board.done.set()
