"""Operating points that branch outages leave within ratings: secure optimal power flows, as near to a plan as can be.

A plan's linear limits after outages leave out reactive power, voltages and how the balance is shared. So the last word is a
secure optimal power flow of each step (`aurigrid.secure`): it moves the plan's outputs as little as it can and keeps the ratings
after every branch outage in exact AC, by cuts with exact slopes. What it leaves costs more than its price, or is beyond reach of
any outputs and voltages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenario_input import SOURCES
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.secure import SecureStatus, secure_operating_points
from aurigrid.security import security_analysis
from aurigrid.security.contingencies import contingencies
from aurigrid.security.report import OVERLOAD, OVERLOAD_SHORT, SecurityReport
from aurigrid.studies.conditions import Conditions
from aurigrid.studies.optima import Optima
from aurigrid.studies.points import Points

PRICE = 5000.0
"""Price of a MWh of flow above a rating after an outage: far above what moving outputs costs, so that it is kept if it can be."""
MARGIN = 0.01
"""Share of ratings after outages that the search leaves free: what its last cuts miss stays within them."""

_ROUNDS = 20
_TOGETHER = 32
"""Steps that are searched at once: enough for all lanes and threads; what is told in between comes every so many."""
_ANY_VOLTAGE = 0.5
"""Voltage bands are wider by this after outages, pu: limits after outages are those of the plan, ratings."""


@dataclass(frozen=True, eq=False)
class Secured:
    """Points of n steps whose ratings hold after m outages where that can be had.

    Attributes:
        points: label 0 where every branch outage stays within its ratings.
        report: every branch outage at the points, by `security_analysis`.
        beyond: (n, m) outages that still break a rating and do not keep it (less `MARGIN`) whatever units give and wherever
            voltages lie.
        searched: (n,) whether a search was begun: its optimal power flow before outages was solved.
        ended: (n,) whether rounds ended before the rest was within its ratings or paid for.
    """

    points: Points
    report: SecurityReport
    beyond: Array
    searched: Array
    ended: Array


def secured(
    conditions: Conditions, points: Points, *, threads: int | None = None, told: Callable[[str], None] | None = None
) -> Secured:
    """Move points as little as can be until all branch outages keep the ratings; points without a base state stay.

    Args:
        conditions: the network made ready.
        points: what the search starts from; those that keep every limit of the intact grid are improved.
        threads: for power flows.
        told: called with how far the search is, in words.
    """
    asked = _asked(conditions, points)
    n, m = asked.n, contingencies(asked.net, "n-1").n
    beyond, searched, ended = np.zeros((n, m), bool), np.zeros(n, bool), np.zeros(n, bool)
    rows = np.flatnonzero(points.label == 1)
    for first in range(0, len(rows), _TOGETHER):
        some = rows[first : first + _TOGETHER]
        found = secure_operating_points(
            asked.net, asked.take(some), "n-1", insecurity_price=PRICE, v_margin_pu=_ANY_VOLTAGE, max_rounds=_ROUNDS,
            gen_p_max_mw=points.batch.p_max_mw[some], objective=conditions.objective, threads=threads,
        )  # fmt: skip
        good = np.flatnonzero(np.isin(found.status, (SecureStatus.SECURE, SecureStatus.INSECURE)))
        searched[some[good]] = True
        beyond[some] = found.beyond_reach
        ended[some] = (found.rounds >= _ROUNDS) & ~found.secure
        points = _moved(points, some[good], Optima.of(found.points), good)
        if told is not None:
            told(f"{first + len(some)} of {len(rows)} steps secured against outages")
    last = settled(points.scenarios.net, points.scenarios, shared=True)
    report = security_analysis(last.net, last, "n-1", q_limits=True, slack="distributed", threads=threads)
    label = points.label.copy()
    label[rows] = 0
    label[np.intersect1d(report.found.scenario[breaches(report, last.net)], rows)] = 1
    return Secured(dataclasses.replace(points, label=label), report, beyond, searched, ended)


def breaches(report: SecurityReport, net: Network) -> Array:
    """Rows of `report.found`: branches above their rating (the short-term one where given) after an outage, not before it."""
    found = report.found
    rows = np.flatnonzero((found.contingency >= 0) & np.isin(found.kind, (OVERLOAD, OVERLOAD_SHORT)))
    rows = rows[~(found.base_value[rows] > found.limit[rows])]
    short = net.branch.rate_short_mva[found.element[rows]]
    return np.asarray(rows[(found.kind[rows] == OVERLOAD_SHORT) | ~np.isfinite(short)])


def _asked(conditions: Conditions, points: Points) -> Scenarios:
    """The conditions of the points on the network that the search sees: balance shared as the study does, a margin left."""
    given = settled(points.scenarios.net, points.scenarios, shared=True)
    branch, gen = conditions.solved.branch, conditions.solved.gen
    short = np.where(np.isfinite(branch.rate_short_mva), branch.rate_short_mva, branch.rate_mva)
    net = conditions.solved.replace(
        gen=gen.replace(participation=given.net.gen.participation),
        branch=branch.replace(rate_short_mva=(1 - MARGIN) * short),
    )
    mine = points.batch.scenarios
    arrays = {name: x for name in SOURCES if (x := getattr(mine, name)) is not None}
    return Scenarios(net, n=mine.n, label=mine.label, gen_out=mine.gen_out, **arrays)


def _moved(points: Points, rows: Array, found: Optima, good: Array) -> Points:
    """The points with rows `good` of what was found in place of `rows`."""
    p = points.p_mw.copy()
    p[rows] = found.gen_p_mw[good]
    gen_v, gen_p = (np.array(points.scenarios.values(name)) for name in ("gen_v_pu", "gen_p_mw"))
    gen_p[rows], gen_v[rows] = found.gen_p_mw[good], found.gen_v_pu[good]
    moved = points.scenarios.replace(gen_p_mw=gen_p, gen_v_pu=gen_v)
    return dataclasses.replace(points, p_mw=p, scenarios=moved, result=points.result.put(rows, found, good))


def settled(net: Network, scenarios: Scenarios, shared: bool) -> Scenarios:
    """The scenarios of the network that engines start from: with the injections of the first step, and with participation
    by the least output of the day where that is asked for.

    A data set's own state is often the sum of all installed power, which no grid can carry.
    """
    changed: dict[str, dict[str, Any]] = {}
    arrays = {name: getattr(scenarios, name) for name in SOURCES if getattr(scenarios, name) is not None}
    for name in arrays:
        table, column = SOURCES[name]
        changed.setdefault(table, {})[column] = scenarios.values(name)[0]
    net = net.replace(**{table: getattr(net, table).replace(**columns) for table, columns in changed.items()})
    if shared:
        net = _by_dispatch(net, scenarios.values("gen_p_mw"))
    return Scenarios(net, n=scenarios.n, label=scenarios.label, gen_out=scenarios.gen_out, **arrays)


def _by_dispatch(net: Network, output: Array) -> Network:
    """The network with participation by the least output of the day; unchanged where no unit qualifies."""
    weather = np.isin(net.gen.fuel.astype(str), ("wind", "solar"))
    shares = np.where(net.gen.in_service & ~weather, np.maximum(output.min(axis=0), 0.0), 0.0)
    return net.replace(gen=net.gen.replace(participation=shares)) if shares.any() else net
