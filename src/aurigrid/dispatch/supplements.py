"""What the tables of a network have no column for: inflows of stores, starts by the time off, what loads would pay."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.linear import Array
from aurigrid.errors import IssueList
from aurigrid.model.network import Network

_CATEGORIES = 3

Elastic = Mapping[object, Sequence[tuple[float, float]]] | Sequence[tuple[float, float]]
"""(share, currency/MWh) of parts of loads, by id or for all loads alike."""


def elastic_parts(net: Network, given: Elastic | None, shiftable: Array) -> list[tuple[int, float, float]]:
    """Parts of loads that are served up to a price: position, share, currency/MWh.

    Args:
        net: the network.
        given: what loads would pay.
        shiftable: (n_load,) shares that may be moved.

    Raises:
        InputError: loads that are not there, shares or prices that make no sense; all at once.
    """
    issues, place = IssueList(), {str(id): i for i, id in enumerate(net.load.id)}
    by_id = given if isinstance(given, Mapping) else dict.fromkeys(place, given or ())
    unknown = [id for id in by_id if str(id) not in place]
    if unknown:
        issues.add("dispatch", "elastic", "names elements that are not in the network", unknown)
    parts, wrong, total = [], [], shiftable.astype(float)
    for id, pairs in by_id.items():
        table = (
            np.asarray(list(pairs), float).reshape(-1, 2) if np.size(list(pairs)) % 2 == 0 else np.full((1, 2), np.nan)
        )
        if not (np.isfinite(table) & (table >= 0)).all():
            wrong.append(id)
        elif str(id) in place:
            at = place[str(id)]
            total[at] += table[:, 0].sum()
            parts += [(at, float(share), float(price)) for share, price in table if share > 0]
    if wrong:
        issues.add(
            "dispatch",
            "elastic",
            "is no list of shares and prices",
            wrong,
            "give (share, currency/MWh), both 0 or more",
        )
    if (total > 1 + 1e-9).any():
        hint = "shares of a load, those that may be shifted included, add up to at most 1"
        issues.add(
            "dispatch", "elastic", "names more than the whole of loads", list(net.load.id[total > 1 + 1e-9]), hint
        )
    issues.raise_if_any()
    return parts


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
