"""Why wind, sun and water are curtailed: every MWh gets one cause and the element that limits it.

What a unit could give and does not is curtailed. Its cause follows from the prices of the linear problem:

- The energy price (what demand pays on average) is above the unit's cost, and still it is held back: limits on flows push the
  price at its node down. The
  MWh are shared among those limits by what each takes off the price: ``base`` or ``n-1``, named by branch and outage, or
  ``voltage``, named by bus (limits that AC operating points gave, see `aurigrid.studies.truth`).
- Else the whole area has too much. What thermal plants inject in that step stands in the way, and is shared out in this
  order: output above the minimum that a ramp holds up (``ramp``), other output above the minimum (``reserve``, where a
  product with a price holds it there), minimum output of plants that are on (``must-run``); the rest is ``no demand``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.deliver import CALLED
from aurigrid.dispatch.flows import BASE, VOLTAGE, Limits
from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.prices import Prices, mean_factors

CAUSES = ("no demand", "must-run", "ramp", "reserve", "base limit", "n-1 limit", "voltage")
"""Causes in the order of their codes."""
NO_DEMAND, MUST_RUN, RAMP, RESERVE, BASE_LIMIT, N1_LIMIT, VOLTAGE_LIMIT = range(7)

_TOL_MW, _TOL_PRICE = 1e-7, 1e-6


@dataclass(frozen=True)
class Curtailed:
    """MWh of one injection in one step with one cause.

    Attributes:
        injection, step: positions.
        mwh: energy not used.
        cause: code, see `CAUSES`.
        branch, outage: limiting branch and the outage after which it is full, -1 where it is not a flow or the grid is intact;
            with outage -2 the bus whose voltage limits.
        unit: position of the limiting unit in the merged system's units, -1 where it is a flow or nothing.
        product: position of the reserve product, -1.
    """

    injection: int
    step: int
    mwh: float
    cause: int
    branch: int = -1
    outage: int = -1
    unit: int = -1
    product: int = -1


def attribute(model: Model, limits: Limits, x: Array, dual: Array, prices: Prices, weather: Array) -> list[Curtailed]:
    """All curtailed energy of the injections where `weather` (n_injection,) holds; sums to what they could have given more."""
    system, inj = model.system, model.system.injections
    missing = np.where(weather[:, None], inj.high_mw - x[model.supply.injection], 0.0)
    by_step: dict[int, list[int]] = {}
    for i, (_, _, t, _) in enumerate(limits.key):
        if dual[limits.row[i]] < -_TOL_PRICE:
            by_step.setdefault(t, []).append(i)
    out: list[Curtailed] = []
    for t in np.flatnonzero((missing > _TOL_MW).any(0)).tolist():
        at = np.flatnonzero(missing[:, t] > _TOL_MW)
        surplus, rows = [], by_step.get(t, [])
        # what a MW at each node adds to the flows, less what demand's mean MW does
        beyond = limits.factor[rows] - mean_factors(model, limits.factor[rows], np.full(len(rows), t)) if rows else None
        for k in at.tolist():
            flow = _by_limits(model, limits, dual, prices, k, t, float(missing[k, t]), rows, beyond)
            out += flow
            surplus += [] if flow else [k]
        for area in np.unique(system.area[inj.node[surplus]]).tolist() if surplus else []:
            mine = np.array([k for k in surplus if system.area[inj.node[k]] == area])
            out += _by_surplus(model, x, dual, mine, missing[mine, t], t, int(area))
    return out


def _by_limits(
    model: Model, limits: Limits, dual: Array, prices: Prices, k: int, t: int, mw: float, rows: list[int],
    beyond: Array | None,
) -> list[Curtailed]:  # fmt: skip
    """Shares of the flow limits `rows`, with factors `beyond` their mean (n, n_node), that hold the injection back; none where
    the area has too much anyway.
    """
    inj, h = model.system.injections, model.system.step_h
    node = inj.node[k]
    if prices.energy[node, t] <= inj.cost[k] + _TOL_PRICE or beyond is None:
        return []
    pushed = np.maximum(-dual[limits.row[rows]] * beyond[:, node], 0.0)
    if pushed.sum() <= _TOL_PRICE:
        return []
    share = pushed / pushed.sum()
    made = []
    for i, part in zip(rows, share.tolist(), strict=True):
        if part > 0:
            branch, outage, _, _ = limits.key[i]
            if outage <= CALLED:
                made.append(Curtailed(k, t, h * mw * part, RESERVE, branch, BASE, product=CALLED - outage))
                continue
            cause = {BASE: BASE_LIMIT, VOLTAGE: VOLTAGE_LIMIT}.get(outage, N1_LIMIT)
            made.append(Curtailed(k, t, h * mw * part, cause, branch, outage))
    return made


def _by_surplus(model: Model, x: Array, dual: Array, at: Array, mw: Array, t: int, area: int) -> list[Curtailed]:
    """Too much in the area: what stands in the way, in order, until all is accounted for."""
    system, units = model.system, model.system.units
    here = system.area[units.node] == area
    above = np.where(here, x[model.production.above[:, t]], 0.0) if len(units) else np.zeros(0)
    least = np.where(here, units.p_min_mw * x[model.state.on[:, t]], 0.0) if len(units) else np.zeros(0)
    ramped = _priced(model.production.ramp_down_row[:, t], dual) if len(units) else np.zeros(0, bool)
    if len(units) and t + 1 < system.steps:
        ramped |= _priced(model.production.ramp_up_row[:, t + 1], dual)
    product = next((p for p, row in enumerate(model.offers.row[:, t]) if abs(dual[row]) > _TOL_PRICE), -1)
    steps: list[tuple[int, Array, int]] = [(RAMP, np.where(ramped, above, 0.0), -1)]
    if product >= 0:
        steps.append((RESERVE, np.where(ramped, 0.0, above), product))
    steps.append((MUST_RUN, least, -1))
    left, out, total = float(mw.sum()), [], float(mw.sum())
    for cause, holds, which in steps:
        part = min(left, float(holds.sum()))
        if part > _TOL_MW:
            out += _shared(system.step_h, at, mw, t, part / total, cause, int(np.argmax(holds)), which)
            left -= part
    if left > 0:
        out += _shared(system.step_h, at, mw, t, left / total, NO_DEMAND, -1, -1)
    return out


def _priced(rows: Array, dual: Array) -> Array:
    return np.asarray((rows != NONE) & (np.abs(dual[np.maximum(rows, 0)]) > _TOL_PRICE))


def _shared(
    h: float, at: Array, mw: Array, t: int, share: float, cause: int, unit: int, product: int
) -> list[Curtailed]:
    return [
        Curtailed(int(k), t, h * float(m) * share, cause, unit=unit, product=product)
        for k, m in zip(at, mw, strict=True)
    ]
