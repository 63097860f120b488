"""Better plans from small whole-number problems, in which most states are fixed.

The first ones fix every state that the relaxation is sure of: one that the unit would pay dearly, at the system's prices, to
decide otherwise (`separate`). The later ones fix the states of the best plan but for a few units, a window of hours, the
states in which plan and relaxation differ, or those that cost least to decide otherwise, each unit's costs times a random
factor. They begin from that plan, so they can only improve it. What costs more to decide otherwise than the plan lies above
the relaxation stays fixed throughout. Problems of each sort grow while they are solved fast and shrink when they are not; a
sort that pays is tried more often.

Sources: Danna, Rothberg and Le Pape, "Exploring relaxation induced neighborhoods", Math. Prog. 102, 2005; Pisinger and
Ropke, "Large neighborhood search", Handbook of Metaheuristics, 2010 (adaptive choice).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.dispatch.blackboard import Blackboard, relative_gap
from aurigrid.dispatch.highs import FEASIBLE, Answer, outcome, solve_relaxed, solver, start_at
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.separate import Flips, Structure, flip_costs

_WHOLE = 1e-6
_SURE, _WIDER, _TRIES = 2e-4, 3.0, 5
"""Share of the cost that deciding otherwise costs where the relaxation is sure; its growth; how often it grows."""
_REACH = (2, 4, 8)
"""Steps around fractional states that are left free at first where nothing is known of what other decisions cost."""
_FIRST, _PROMISING = 30.0, 0.05
"""Seconds for a first problem, and the gap from which on plans are improved instead."""
_LONG, _LONGEST = 12.0, 60.0
"""Seconds that a problem may take; more, the longer nothing better is found."""
_LIGHT: dict[str, Any] = {
    "mip_pool_soft_limit": 500, "mip_allow_cut_separation_at_nodes": False, "mip_allow_restart": False,
    "mip_detect_symmetry": False,
}  # fmt: skip
"""Options of small problems: rounds of cuts take longer there than the nodes that they save."""
_GROWS = 1.4
"""How much larger the next problem of a sort is than one that was solved in less than half of its time."""
_UNITS, _WINDOW, _DIFFER, _UNSURE = range(4)
_SPREAD = 0.7
"""Standard deviation of the logarithm by which costs of other decisions vary from one problem to the next."""


def improve(board: Blackboard, structure: Structure, relaxed: Answer | None = None) -> None:
    """Find a first plan and improve it until the run is over."""
    try:
        relaxed = relaxed or solve_relaxed(board.problem, threads=1, time_limit=max(board.left, 0.1))
        value = _first(board, structure, relaxed)
    finally:
        board.begun.set()
    if value is None:
        return
    rng = np.random.default_rng(0)
    n, steps = value.shape
    size = np.array([min(4.0, n), max(steps / 4, 3.0), 2.0, 0.15 * n * steps])
    merit, patience = np.array([1.0, 1.0, 1.0, float(board.flips is not None)]), _LONG
    while not board.over() and board.x is not None:
        with board.lock:
            best, cost = board.x, board.cost
        kind = int(rng.choice(4, p=merit / merit.sum()))
        free = _choose(rng, kind, np.round(best[structure.states]), value, size[kind], board.flips)
        began = time.perf_counter()
        solved = _solve(board, free, best[structure.states], patience)
        spent, gained = time.perf_counter() - began, cost - board.cost
        if not solved:
            size[kind] = max(0.8 * size[kind], 2.0)
        elif spent < 0.5 * patience:
            size[kind] = max(_GROWS * size[kind], size[kind] + 1.0)
        merit[kind] = 0.7 * merit[kind] + 0.3 * (3.0 if gained > 1e-6 * abs(cost) else 0.3)
        patience = _LONG if gained > 1e-6 * abs(cost) else min(patience * 1.08, _LONGEST)


def _first(board: Blackboard, structure: Structure, relaxed: Answer) -> Array | None:
    """What states cost otherwise than in the relaxation, and plans around it; returns its states (n_unit, T)."""
    if relaxed.x is None or relaxed.row_dual is None:
        return None
    board.raise_bound(relaxed.bound)
    board.relaxed = relaxed.bound
    value: Array = relaxed.x[structure.states]
    flips = flip_costs(board.problem, structure, relaxed.row_dual, max(0.05 * board.left, 2.0))
    board.flips = flips
    fraction = np.abs(value - np.round(value)) > _WHOLE
    if flips is not None:
        reach = [flips.cost <= _SURE * _WIDER**k * abs(relaxed.cost) for k in range(_TRIES)]
        around = flips.state
    else:
        # what the tree would have by then may be far off, and would only mislead what follows
        reach, around = [widened(fraction, k) for k in _REACH], np.round(value)
    for free in reach:
        if board.over() or relative_gap(board.cost, board.bound) < _PROMISING:
            break
        _solve(board, free | fraction, around, _FIRST)
    return value


def widened(mask: Array, steps: int) -> Array:
    """A mask (n, T) that holds up to that many steps before and after as well."""
    out = mask.copy()
    for k in range(1, steps + 1):
        out[:, k:] |= mask[:, :-k]
        out[:, :-k] |= mask[:, k:]
    return out


def _choose(rng: Any, kind: int, now: Array, relaxed: Array, size: float, flips: Flips | None) -> Array:
    """(n_unit, T) states to set free."""
    n, steps = now.shape
    free = np.zeros(now.shape, bool)
    if kind == _UNSURE and flips is not None:
        dear = flips.cost * np.exp(_SPREAD * rng.standard_normal((n, 1)))
        count = min(int(size), dear.size - 1)
        least: Array = dear <= np.partition(dear.ravel(), count)[count]
        return np.asarray(least | (now != flips.state))
    if kind == _DIFFER:
        return widened(np.abs(now - relaxed) > 0.01, max(int(size), 1))
    if kind == _WINDOW:
        width = min(max(int(size), 3), steps)
        first = int(rng.integers(min(1 - width // 2, 0), steps - width // 2))
        free[:, max(first, 0) : first + width] = True
        return free
    # units that move, in the plan or in the relaxation, are the ones to trade against each other
    moving = np.abs(np.diff(now, axis=1)).sum(1) + np.abs(np.diff(relaxed, axis=1)).sum(1) + 0.05
    count = min(max(int(size), 2), n)
    free[rng.choice(n, count, replace=False, p=moving / moving.sum())] = True
    return free


def _solve(board: Blackboard, free: Array, around: Array, seconds: float) -> bool:
    """Solve with all states but the free ones fixed; returns whether it was solved in time."""
    problem, _ = board.narrowed()
    lower, upper = problem.lower.copy(), problem.upper.copy()
    fixed = board.states[~free]
    lower[fixed] = upper[fixed] = np.clip(np.round(around[~free]), lower[fixed], upper[fixed])
    part = replace(problem, lower=lower, upper=upper)
    # the last bit of a problem is seldom worth its time as long as the plan as a whole is far from the bound
    gap = min(max(0.1 * relative_gap(board.cost, board.bound), 0.2 * board.gap), 1e-3)
    h = solver(part, threads=1, mip_rel_gap=gap, time_limit=max(min(seconds, board.left), 0.1), **_LIGHT)
    h.cbMipInterrupt.subscribe(lambda event: setattr(event.data_in, "user_interrupt", board.over()))
    if board.x is not None and ((board.x >= lower - FEASIBLE) & (board.x <= upper + FEASIBLE)).all():
        start_at(h, board.x)
    h.run()
    answer = outcome(h, part)
    if answer.x is not None:
        board.offer(answer.x)
    return bool(answer.status == "Optimal")
