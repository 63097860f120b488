"""The RTS-GMLC as its day-ahead market sees it: what the folder says beyond the network and its profiles, for `dispatch`.

- Hydro and rooftop sun are must-take: their least output is their series. They may not be curtailed.
- The thermal solar plant is a store (1.2 GWh) filled by its series of heat, without charging from the grid.
- Starts cost the fuel of a hot, warm or cold start, by the hours off.
- Reserves: spinning (10 min) by area, flexible (20 min) and regulation (5 min) up and down, each with the hourly requirement of
  the folder, from the categories of plants that it lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.products import ReserveProduct
from aurigrid.errors import InputError, Issue
from aurigrid.io.report import Import
from aurigrid.io.rts_series import RtsExtras
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.table import Array


@dataclass(frozen=True, eq=False)
class RtsMarket:
    """A folder made ready for `dispatch`.

    Attributes:
        net: the network, thermal solar plants as stores, must-take units with their series as least output.
        profiles: day-ahead series of the whole year.
        extras: what the reader found besides.
        start_costs: argument of `dispatch`.
        thermal: ids of thermal solar plants that are stores here.
    """

    net: Network
    profiles: Profiles
    extras: RtsExtras
    start_costs: dict[str, list[tuple[float, float]]]
    thermal: tuple[str, ...]

    def options(self, span: Profiles) -> dict[str, Any]:
        """Arguments of `dispatch` for a window of the profiles: reserves, inflows, costs of starts."""
        first = int(np.searchsorted(self.profiles.time, span.time[0]))
        rows = slice(first, first + len(span))
        return {
            "reserves": tuple(self._product(r, rows) for r in self.extras.reserves),
            "inflow_mw": {name: self.extras.csp_inflow_mw[name][rows] for name in self.thermal},
            "start_costs": self.start_costs,
        }

    def _product(self, reserve: Any, rows: slice) -> ReserveProduct:
        net, known = self.net, set(reserve.categories)
        able = [str(i) for i, c in zip(net.gen.id, self.extras.unit_category, strict=True) if str(c) in known]
        need = reserve.requirement_mw if reserve.day_ahead_mw is None else reserve.day_ahead_mw[rows]
        minutes, up = reserve.timeframe_s / 60.0, reserve.direction == "up"
        return ReserveProduct(reserve.product, need, up, minutes, areas=tuple(reserve.areas), units=tuple(able))


def rts_market(imported: Import, *, thermal_sun: bool = True) -> RtsMarket:
    """Prepare an RTS-GMLC import.

    Args:
        imported: what the reader returned.
        thermal_sun: run the thermal solar plant; out of service otherwise.

    Raises:
        InputError: the import is of another source, or has no profiles.
    """
    extras, profiles = imported.extras, imported.profiles
    if not isinstance(extras, RtsExtras) or profiles is None:
        raise InputError(Issue("grid", "", "is no RTS-GMLC folder with profiles", hint="give the folder"))
    net = imported.network
    gen = net.gen
    names = gen.id.astype(str)
    p_min = np.where(np.isin(names, extras.must_take), gen.p_max_mw, gen.p_min_mw)
    thermal = tuple(str(n) for n in names if n in extras.csp_inflow_mw)
    gen = gen.replace(p_min_mw=p_min, in_service=gen.in_service & ~np.isin(names, thermal))
    thermal = thermal if thermal_sun else ()
    stores = _thermal_stores(net, extras, thermal)
    ready = net.replace(gen=gen, storage=stores)
    return RtsMarket(ready, profiles, extras, _start_costs(extras), thermal)


def _thermal_stores(net: Network, extras: RtsExtras, thermal: tuple[str, ...]) -> Any:
    store, gen = net.storage, net.gen
    at = np.flatnonzero(np.isin(gen.id.astype(str), thermal))
    head = {r["GEN UID"]: r for r in extras.reservoirs.values()}
    more = type(store).make(
        len(at), id=list(thermal), bus=gen.bus[at], p_min_mw=0.0, p_max_mw=gen.p_max_mw[at],
        energy_max_mwh=[1000 * float(head[n]["Max Volume GWh"]) for n in thermal],
        energy_mwh=[1000 * float(head[n]["Initial Volume GWh"]) for n in thermal],
    )  # fmt: skip
    joined = {name: np.concatenate([values, getattr(more, name)]) for name, values in store.items()}
    return type(store).make(len(store) + len(at), **joined)


def _start_costs(extras: RtsExtras) -> dict[str, list[tuple[float, float]]]:
    """Fuel of hot, warm and cold starts at the fuel's price, by the hours off after which each is needed."""
    columns = {name.casefold(): values for name, values in extras.unit_columns.items()}
    price = np.asarray(columns["fuel price $/mmbtu"], float)
    other = np.asarray(columns.get("non fuel start cost $", np.zeros(len(price))), float)
    kinds = ("hot", "warm", "cold")
    hours = np.array([np.nan_to_num(np.asarray(columns[f"start time {k} hr"], float)) for k in kinds])
    heat = np.array([np.nan_to_num(np.asarray(columns[f"start heat {k} mbtu"], float)) for k in kinds])
    hours, cost = np.maximum.accumulate(hours), np.maximum.accumulate(heat * price + other)
    return {
        unit: [(float(t), float(c)) for t, c in zip(hours[:, i], cost[:, i], strict=True)]
        for i, unit in enumerate(extras.unit_ids)
        if cost[:, i].any() and cost[:, i].max() > 0
    }


def cost_of_steps(plan: Plan, stop: int) -> dict[str, float]:
    """What the first `stop` steps of a plan cost: production and starts, currency."""
    units, inj, schedule, h = plan.rows.system.units, plan.rows.system.injections, plan.schedule, plan.step_h
    on = schedule.on[:, :stop] > 0
    above = np.maximum(schedule.unit_mw[:, :stop] - units.p_min_mw[:, None] * on, 0.0)
    running = float((units.cost_min[:, None] * on).sum())
    for k in range(units.width_mw.shape[1]):
        part = np.minimum(above, units.width_mw[:, k, None])
        running += float((part * units.slope[:, k, None]).sum())
        above = above - part
    running += float((inj.cost[:, None] * schedule.injection_mw[:, :stop]).sum() * h)
    return {"production": running, "starts": _starts(units, on)}


def _starts(units: Any, on: Array) -> float:
    total = 0.0
    for i in range(len(on)):
        was, since = units.on_before[i] > 0, int(units.steps_before[i])
        for now in on[i]:
            if now and not was:
                k = int((units.start_lag[i] <= since).sum()) - 1
                total += float(units.start_cost[i, max(k, 0)])
            was, since = bool(now), since + 1 if bool(now) == was else 1
    return total
