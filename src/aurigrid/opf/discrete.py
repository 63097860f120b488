"""Controls that move in steps: tap changers, phase shifters and switched shunts at whole positions.

The continuous optimum is rounded to the nearest positions, of all scenarios together; a control that would move less than the
deadband stays where the scenario has it. With the positions given, the rest is optimised again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.problem import Problem
from aurigrid.opf.tables import SHUNT, TAP, shunt_unit, tap_unit

Array = np.ndarray[Any, np.dtype[Any]]


def rounded(problem: Problem, sc: Scenarios, x: Array, deadband: float) -> Array:
    """(n, k) whole positions as values of controls, NaN for what is no tap and no shunt.

    Args:
        x: (n, k) values at the continuous optimum, pu; NaN stays where the scenario has it.
        deadband: steps that a control moves at least.
    """
    net, injection = problem.grid.net, problem.injection
    out = np.full(x.shape, np.nan)
    taps, shunts = np.flatnonzero(injection.owner == TAP), np.flatnonzero(injection.owner == SHUNT)
    k, t = injection.element[taps], net.branch
    unit = tap_unit(net)[k]
    now = np.broadcast_to(t.tap_pos[k].astype(float), (len(x), len(k)))
    out[:, taps] = (_nearest(t.tap_pos[k] + x[:, taps] / unit, now, t.tap_min[k], t.tap_max[k], deadband) - now) * unit
    k, unit = injection.element[shunts], shunt_unit(net)[injection.element[shunts]]
    now = sc.values("shunt_step")[:, k]
    out[:, shunts] = _nearest(x[:, shunts] / unit, now, np.zeros(len(k)), net.shunt.step_max[k], deadband) * unit
    return out


def _nearest(wanted: Array, now: Array, low: Array, high: Array, deadband: float) -> Array:
    stays = (np.abs(wanted - now) < deadband) | ~np.isfinite(wanted)
    whole: Array = np.clip(np.rint(np.where(stays, now, wanted)), low, high)
    return whole
