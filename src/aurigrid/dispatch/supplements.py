"""What the tables of a network have no column for: energy that flows into stores, and starts by the time off."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aurigrid.dispatch.from_network import Bound
from aurigrid.errors import IssueList

_CATEGORIES = 3


def with_inflow(bound: Bound, given: Mapping[object, Any], issues: IssueList) -> Bound:
    """The system with inflows of stores, MW by id; faults are added to `issues`."""
    stores = bound.system.stores
    place = {str(id): i for i, id in enumerate(stores.id)}
    inflow = stores.inflow_mw.copy()
    for id, values in given.items():
        series = np.asarray(values, float)
        if str(id) not in place:
            issues.add("dispatch", "inflow_mw", "names a store that is not in the network or not in service", [id])
        elif series.shape != (bound.system.steps,) or not (np.isfinite(series) & (series >= 0)).all():
            hint = f"give {bound.system.steps} numbers of 0 or more"
            issues.add("dispatch", "inflow_mw", f"has shape {series.shape} or values out of range", [id], hint)
        else:
            inflow[place[str(id)]] = series
    if not given:
        return bound
    return dataclasses.replace(bound, system=bound.system.replace(stores=dataclasses.replace(stores, inflow_mw=inflow)))


def with_start_costs(bound: Bound, given: Mapping[object, Sequence[tuple[float, float]]], issues: IssueList) -> Bound:
    """The system with starts by the time off; ids of units that are never switched are passed over."""
    units, h = bound.system.units, bound.system.step_h
    place = {str(id): i for i, id in enumerate(units.id)}
    lag, cost = units.start_lag.copy(), units.start_cost.copy()
    for id, pairs in given.items():
        table = np.asarray(pairs, float)
        bad = (
            table.ndim != 2 or not 1 <= len(table) <= _CATEGORIES or table.shape[1] != 2 or not np.isfinite(table).all()
        )
        if bad or (np.diff(table, axis=0) < 0).any() or (table < 0).any():
            hint = "give up to three (hours, cost), both of 0 or more and not falling"
            issues.add("dispatch", "start_costs", "is no list of times off and costs", [id], hint)
        elif str(id) in place:
            i = place[str(id)]
            # a category counts from its hours on, and none before the least time off
            first = max(int(units.min_down[i]), 1)
            steps = np.maximum(np.ceil(table[:, 0] / h - 1e-9), first).astype(np.int64)
            for k in range(_CATEGORIES):
                lag[i, k] = first if k == 0 else max(lag[i, k - 1] + 1, steps[min(k, len(steps) - 1)])
                cost[i, k] = table[max(int((steps <= lag[i, k]).sum()) - 1, 0), 1]
    return dataclasses.replace(bound, system=bound.system.replace(units=units.replace(start_lag=lag, start_cost=cost)))
