"""The rescue ladder: cases that Newton's method does not solve from where it started, taken up again in batches.

Rungs, in order: every other start that the network offers; damped Newton steps; continuation. The last one scales all
injections of a case by a factor ``lambda``, solves the unloaded grid (``lambda = 0``) and follows the solution to
``lambda = 1``, with steps that double where they succeed and halve where they fail. Voltage set-points and outages stay
as the case gives them. Where it stops short, the largest ``lambda`` with a solution is a loadability margin (cf. Ajjarapu
and Christy 1992, *The continuation power flow*; here without the turn at the nose, which an operator does not want to pass).

Whatever the rung, an answer is a solution of the case itself, to the same tolerance and with the same certificate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.cases import OUTAGE_TABLES, Cases
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.start import guesses, newton_cases

Array = np.ndarray[Any, np.dtype[Any]]

_DAMPED_STEP, _DAMPED_ITERATIONS = 0.25, 60
_ROUNDS, _FIRST_STEP, _LEAST_STEP = 24, 0.5, 1 / 128
_SCALED = ("load_p_mw", "load_q_mvar", "gen_p_mw", "gen_q_mvar", "storage_p_mw", "storage_q_mvar", "hvdc_p_mw")
_ROWS = ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw")


def other_starts(done: Solution, how: Settings, starts: list[tuple[Rung, Array]]) -> Solution:
    """Take failed cases up again, in place, from each further guess."""
    for rung, v in starts:
        _retry(done, v, how.from_guess(), rung)
    return done


def rescue_failed(done: Solution, how: Settings) -> Solution:
    """Take the failed cases of ``done`` up the ladder, in place, until they are solved or it ends.

    Returns:
        The same solution; where the last rung was tried with `Solution.reached` filled in.
    """
    starts = guesses(done.grid)
    other_starts(done, how, starts)
    damped = replace(how, most_step=_DAMPED_STEP, max_iterations=max(_DAMPED_ITERATIONS, how.max_iterations))
    for rung, v in starts:
        if rung != Rung.STORED:
            _retry(done, v, damped.from_guess(), Rung.DAMPED)
    failed = np.flatnonzero(~done.converged)
    if not failed.size:
        return done
    part, reached = _continued(done, failed, how)
    _put(done, failed, part, Rung.CONTINUATION)
    margin = np.full(done.n, np.nan)
    margin[failed] = reached
    return replace(done, reached=margin)


def _retry(done: Solution, v: Array, how: Settings, rung: Rung) -> None:
    failed = np.flatnonzero(~done.converged)
    if failed.size:
        begin = Start.at(done.grid, v[None])
        _put(done, failed, newton_cases(done.grid, done.cases.take(failed), begin, None, how), rung)


def _put(done: Solution, rows: Array, part: Solution, rung: Rung) -> None:
    """Write what a rung solved into the whole."""
    good = np.flatnonzero(part.converged)
    for name in _ROWS:
        getattr(done, name)[rows[good]] = getattr(part, name)[good]
    done.rung[rows[good]] = rung


def _continued(done: Solution, failed: Array, how: Settings) -> tuple[Solution, Array]:
    """Follow each failed case from no load to its own; the last states, and the largest lambda of each, NaN where not even
    the unloaded grid has a solution."""
    grid, cases = done.grid, done.cases.take(failed)
    n = cases.n
    flat = next(v for rung, v in guesses(grid) if rung == Rung.FLAT)
    damped = replace(how, most_step=_DAMPED_STEP, max_iterations=_DAMPED_ITERATIONS).from_guess()
    # what an unloaded grid cannot absorb is no reason to stop: limits hold from the first step on
    last = newton_cases(
        grid, _scaled(cases, np.zeros(n)), Start.at(grid, flat[None]), None, replace(damped, q_limits=False)
    )
    reached = np.where(last.converged, 0.0, np.nan)
    step = np.full(n, _FIRST_STEP)
    state = {name: getattr(last, name) for name in _ROWS}
    for _ in range(_ROUNDS):
        going = np.flatnonzero((reached < 1.0) & (step >= _LEAST_STEP))
        if not going.size:
            break
        goal = np.minimum(1.0, reached[going] + step[going])
        v = np.where(np.isfinite(state["v"][going]), state["v"][going], 1.0)
        begin = Start(v, state["held"][going], state["slack_mw"][going] / grid.base_mva)
        part = newton_cases(
            grid, _scaled(cases.take(going), goal), begin, np.arange(len(going), dtype=np.int32), damped
        )
        good = part.converged
        for name in _ROWS:
            state[name][going[good]] = getattr(part, name)[good]
        reached[going[good]] = goal[good]
        step[going] *= np.where(good, 2.0, 0.5)
    # short of the whole load, what was found solves another case
    short = ~(reached >= 1.0)
    state["status"][short] = done.status[failed[short]]
    return replace(last, cases=cases, **state), reached


def grown(scenarios: Scenarios, factor: Array) -> Scenarios:
    """The scenarios with all their injections multiplied by factors (n,)."""
    changed: dict[str, Any] = {}
    for name in _SCALED:
        values = scenarios.values(name)
        if values.shape[1]:
            changed[name] = values * factor[:, None]
    return scenarios.replace(**changed)


def _scaled(cases: Cases, factor: Array) -> Cases:
    """The same cases with all their injections multiplied."""
    sc = grown(cases.scenarios.take(cases.row), factor)
    return Cases(sc, np.arange(cases.n, dtype=np.int32), {t: cases.pairs(t) for t in OUTAGE_TABLES})
