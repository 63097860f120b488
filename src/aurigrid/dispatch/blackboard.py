"""What the threads of a search for commitments share."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np

from aurigrid.dispatch.highs import FEASIBLE
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.separate import Flips

_MARGIN = 1e-6
"""Share of the cost by which prices and costs of the relaxation are not trusted."""


def relative_gap(cost: float, bound: float) -> float:
    """Distance of cost and bound, relative to the cost."""
    if not (np.isfinite(cost) and np.isfinite(bound)):
        return float("inf")
    return max(cost - bound, 0.0) / max(abs(cost), 1e-9)


class Blackboard:
    """What both threads know: the best plan, the bound, and the relaxation's value with what each state costs otherwise.

    `begun` is set when the relaxation and, if one was found, a first plan are there.
    """

    def __init__(self, problem: Problem, states: Array, gap: float, time_limit: float) -> None:
        self.problem, self.states, self.gap = problem, states, gap
        self.began = time.perf_counter()
        self.until = self.began + time_limit
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.x: Array | None = None
        self.cost, self.bound = float("inf"), float("-inf")
        self.trace: list[tuple[float, float, float]] = []
        self.failure: BaseException | None = None
        self.begun = threading.Event()
        self.relaxed = float("-inf")
        self.flips: Flips | None = None

    @property
    def left(self) -> float:
        """Seconds that remain."""
        return self.until - time.perf_counter()

    def _note(self) -> None:
        self.trace.append((time.perf_counter() - self.began, self.cost, self.bound))
        if relative_gap(self.cost, self.bound) <= self.gap:
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

    def narrowed(self) -> tuple[Problem, float]:
        """The problem without the states that no plan cheaper than the best one has, and the cost from which on that holds."""
        with self.lock:
            x, cost = self.x, self.cost
        if self.flips is None or x is None:
            return self.problem, float("inf")
        problem = self.problem
        lower, upper = problem.lower.copy(), problem.upper.copy()
        sure = self.flips.cost > (cost - self.relaxed) + _MARGIN * abs(cost)
        fixed = self.states[sure]
        lower[fixed] = upper[fixed] = np.clip(self.flips.state[sure], lower[fixed], upper[fixed])
        return replace(problem, lower=lower, upper=upper), cost

    def over(self) -> bool:
        """Whether both threads should stop."""
        return self.done.is_set() or self.left <= 0
