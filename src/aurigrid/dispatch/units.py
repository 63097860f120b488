"""`Units`: what commitment knows of plants, step by step, free of any file format or network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList

Array = np.ndarray[Any, np.dtype[Any]]

_TOL = 1e-9


@dataclass(frozen=True, eq=False)
class Units:
    """Plants that are switched on and off; a row may stand for several identical ones (`count`).

    All arrays are (n,) unless said otherwise. Times are in steps, ramps in MW a step, costs in currency.

    Attributes:
        id: names.
        node: position of the node that the unit feeds.
        count: number of identical plants that the row stands for; powers and costs are those of one of them.
        p_min_mw, p_max_mw: output limits when on.
        ramp_up_mw, ramp_down_mw: largest change in one step while on.
        start_mw, stop_mw: largest output in the first step on and in the last step on.
        min_up, min_down: least steps on, and off.
        must_run: is on throughout.
        on_before: on before the first step (0 or 1).
        steps_before: for how many steps it has been on, or off.
        p_before_mw: output before the first step.
        start_lag: (n, K) steps off from which each start category holds, ascending; the first is at most `min_down`.
        start_cost: (n, K) cost of a start in each category, not decreasing; categories not used repeat the last.
        stop_cost: cost of a stop.
        cost_min: cost of a step at p_min_mw.
        width_mw: (n, S) widths of the segments above p_min_mw; they sum to p_max_mw - p_min_mw, 0 where not used.
        slope: (n, S) cost of a step for each MW on a segment, not decreasing.
    """

    id: Array
    node: Array
    count: Array
    p_min_mw: Array
    p_max_mw: Array
    ramp_up_mw: Array
    ramp_down_mw: Array
    start_mw: Array
    stop_mw: Array
    min_up: Array
    min_down: Array
    must_run: Array
    on_before: Array
    steps_before: Array
    p_before_mw: Array
    start_lag: Array
    start_cost: Array
    stop_cost: Array
    cost_min: Array
    width_mw: Array
    slope: Array

    def __len__(self) -> int:
        return len(self.p_min_mw)

    @property
    def range_mw(self) -> Array:
        """(n,) distance between the output limits."""
        return np.asarray(self.p_max_mw - self.p_min_mw)

    @property
    def held(self) -> Array:
        """(n,) first steps in which the unit must stay as it was before."""
        least = np.where(self.on_before > 0, self.min_up, self.min_down)
        return np.asarray(np.maximum(least - self.steps_before, 0))

    def take(self, rows: Array) -> Units:
        """The units at these positions."""
        return Units(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})

    def replace(self, **changes: Array) -> Units:
        """A copy with other columns."""
        return dataclasses.replace(self, **changes)


def check(units: Units, issues: IssueList) -> None:
    """Add what is wrong with the data of units, by id."""

    def refuse(bad: Any, field: str, message: str, hint: str) -> None:
        if bad.any():
            issues.add("unit", field, message, units.id[bad].tolist(), hint)

    refuse(units.p_min_mw > units.p_max_mw + _TOL, "p_min_mw", "is above p_max_mw", "swap or correct the limits")
    refuse(
        units.start_mw < units.p_min_mw - _TOL,
        "start_mw",
        "is below p_min_mw",
        "a unit starts at its least output or above",
    )
    refuse(
        units.stop_mw < units.p_min_mw - _TOL,
        "stop_mw",
        "is below p_min_mw",
        "a unit stops from its least output or above",
    )
    for name in ("ramp_up_mw", "ramp_down_mw"):
        refuse(getattr(units, name) < 0, name, "is negative", "give MW a step, inf for no limit")
    refuse(
        (units.width_mw > 0)[:, 1:].any(1) & (np.diff(_filled(units.slope, units.width_mw), axis=1) < -1e-6).any(1),
        "cost",
        "falls with output (not convex)",
        "order the points so that each MW costs at least as much as the one before",
    )
    refuse((np.diff(units.start_cost, axis=1) < -_TOL).any(1), "start_cost", "falls with the time off", "order by lag")
    first_on = (units.on_before > 0) & (units.p_before_mw > units.p_max_mw + _TOL)
    refuse(first_on, "p_before_mw", "is above p_max_mw", "give an output the unit can have")


def _filled(slope: Array, width: Array) -> Array:
    """Slopes with those of unused segments set to the one before."""
    out = slope.copy()
    for k in range(1, out.shape[1]):
        out[:, k] = np.where(width[:, k] > 0, out[:, k], out[:, k - 1])
    return out
