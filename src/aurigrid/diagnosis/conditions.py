"""Between networks and scenarios: a network in one scenario's conditions, and a repair as a scenario again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change
from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import OUTAGES, SOURCES
from aurigrid.model.scenarios import Scenarios


def network_at(net: Network, scenarios: Scenarios, i: int) -> Network:
    """The network with the values of scenario ``i`` in its tables, and out of service what is out there."""
    columns: dict[str, dict[str, Any]] = {}
    for name, (table, column) in SOURCES.items():
        if getattr(scenarios, name) is not None:
            columns.setdefault(table, {})[column] = scenarios[i].values(name)[0]
    for name in OUTAGES:
        out = getattr(scenarios, name).take(np.array([i])).idx
        if len(out):
            table = name.removesuffix("_out")
            on = getattr(net, table).in_service.copy()
            on[out] = False
            columns.setdefault(table, {})["in_service"] = on
    return net.replace(**{table: getattr(net, table).replace(**fields) for table, fields in columns.items()})


def as_scenario(net: Network, at: Scenarios, changes: Sequence[Change], label: str) -> Scenarios:
    """One scenario with changes made to another one.

    Args:
        net: the network; at: the one scenario that the changes start from.

    Raises:
        InputError: changes of data that scenarios do not carry (impedances, taps, limits), all of them at once.
    """
    place = {where: name for name, where in SOURCES.items()}
    values: dict[str, Any] = {}
    outages = {name: set(getattr(at, name).idx.tolist()) for name in OUTAGES}
    issues = IssueList()
    for change in changes:
        name = place.get((change.table, change.field))
        outage = f"{change.table}_out"
        if name is not None:
            column = values.setdefault(name, at.values(name)[0].copy())
            column[change.element] = change.after
        elif (
            change.field == "in_service" and outage in OUTAGES and getattr(net, change.table).in_service[change.element]
        ):
            (outages[outage].discard if change.after else outages[outage].add)(change.element)
        else:
            issues.add(
                change.table, change.field, "is not part of a scenario", [change.id], "apply the repair to the network"
            )
    issues.raise_if_any()
    lists = {name: [sorted(found)] for name, found in outages.items() if found or len(getattr(at, name).idx)}
    return at.replace(**values, **lists, label=[label])
