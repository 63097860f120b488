"""A `System` as a mixed-integer linear problem: the topics put together, balances, CO2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.commitment import Commitment, add_commitment
from aurigrid.dispatch.linear import NONE, Array, Builder, Problem, Term
from aurigrid.dispatch.production import Production, add_production
from aurigrid.dispatch.reserves import Offers, add_offers, limit_offers
from aurigrid.dispatch.supply import Supply, add_supply
from aurigrid.dispatch.system import System
from aurigrid.dispatch.units import Units


@dataclass(frozen=True, eq=False)
class Parts:
    """Columns by topic.

    Attributes:
        system: what they belong to.
        state, production, offers, supply: columns by topic.
        unserved, surplus: (n_node, T) columns of load not met and of power that cannot be used.
        loss_change: (n_area, T) columns of what losses differ from those in the demand; fixed to 0 (`aurigrid.dispatch.losses`).
    """

    system: System
    state: Commitment
    production: Production
    offers: Offers
    supply: Supply
    unserved: Array
    surplus: Array
    loss_change: Array

    def injection_terms(self) -> list[tuple[Array, Array, Array]]:
        """What feeds the nodes: (columns (n, T), node (n,), MW per unit of the column (n,)); demand is not among it."""
        s = self.system
        u, one = s.units, np.ones
        links = s.links
        return [
            (self.state.on, u.node, u.p_min_mw),
            (self.production.above, u.node, one(len(u))),
            (self.supply.injection, s.injections.node, one(len(s.injections))),
            (self.supply.discharge, s.stores.node, one(len(s.stores))),
            (self.supply.charge, s.stores.node, -one(len(s.stores))),
            (self.supply.forward, links.from_node, -one(len(links))),
            (self.supply.forward, links.to_node, 1.0 - links.loss_share),
            (self.supply.backward, links.to_node, -one(len(links))),
            (self.supply.backward, links.from_node, 1.0 - links.loss_share),
            (self.unserved, np.arange(len(s.area)), one(len(s.area))),
            (self.surplus, np.arange(len(s.area)), -one(len(s.area))),
        ]

    def shift_deg(self, x: Array) -> Array:
        """(n_shifter, T) what phase shifts of a point differ from where they stand, degrees."""
        return np.asarray(x[self.supply.ahead] - x[self.supply.back])


@dataclass(frozen=True, eq=False)
class Model(Parts):
    """The problem and where everything stands in it.

    Attributes:
        problem: the arrays.
        balance_row: (n_area, T) rows "supply = demand".
        co2_row: position of the CO2 cap, -1 without one, and `co2_excess`, its column.
        over_budget: (n_unit,) columns of energy beyond a unit's budget, -1 without one.
    """

    problem: Problem
    balance_row: Array
    co2_row: int
    co2_excess: int
    over_budget: Array


def build_model(system: System) -> Model:
    """Assemble the problem."""
    lp, h = Builder(), system.step_h
    units = _priced(system)
    state = add_commitment(lp, units, system.steps, system.fixed_on)
    offers = add_offers(lp, system)
    up, down = (offers.on_units(system, up=direction) for direction in (True, False))
    production = add_production(lp, units, state, up, down, stopping_reserve=system.stopping_reserve)
    supply = add_supply(lp, system)
    limit_offers(lp, system, offers, supply.injection, supply.charge, supply.discharge)
    demand = system.demand_mw
    unserved = lp.columns(demand.shape, 0.0, np.maximum(demand, 0.0), h * system.unserved_price)
    surplus = lp.columns(demand.shape, 0.0, np.inf, h * system.spill_price)
    areas = int(system.area.max(initial=0)) + 1
    loss_change = lp.columns((areas, system.steps), 0.0, 0.0)
    parts = Parts(system, state, production, offers, supply, unserved, surplus, loss_change)
    balance = _balances(lp, parts)
    co2_row, excess = _co2(lp, parts)
    over = _budgets(lp, parts)
    return Model(
        system,
        state,
        production,
        offers,
        supply,
        unserved,
        surplus,
        loss_change,
        lp.build(),
        balance,
        co2_row,
        excess,
        over,
    )


def _priced(system: System) -> Units:
    """Units with the price of CO2 in their costs, all by step."""
    u, h, price = system.units, system.step_h, system.co2_price * system.unit_co2_t_per_mwh
    if not price.any():
        return u
    return u.replace(cost_min=u.cost_min + h * price * u.p_min_mw, slope=u.slope + h * price[:, None])


def _balances(lp: Builder, parts: Parts) -> Array:
    """One row an area and step."""
    area, demand = parts.system.area, parts.system.demand_mw
    out = np.zeros(parts.loss_change.shape, np.int64)
    for a in range(len(out)):
        terms: list[Term] = [(parts.loss_change[a], -1.0)]
        for columns, node, factor in parts.injection_terms():
            rows = np.flatnonzero(area[node] == a)
            terms.append((columns[rows], factor[rows][:, None]))
        need = demand[area == a].sum(0)
        out[a] = lp.rows((demand.shape[1],), terms, need, need)
    return out


def _co2(lp: Builder, parts: Parts) -> tuple[int, int]:
    system = parts.system
    if not np.isfinite(system.co2_cap_t):
        return -1, -1
    h, rate = system.step_h, system.unit_co2_t_per_mwh
    excess = lp.columns((1,), cost=system.co2_excess_price)
    terms = [
        (parts.state.on.ravel()[:, None], np.repeat(h * rate * system.units.p_min_mw, system.steps)[:, None]),
        (parts.production.above.ravel()[:, None], np.repeat(h * rate, system.steps)[:, None]),
        (
            parts.supply.injection.ravel()[:, None],
            np.repeat(h * system.injections.co2_t_per_mwh, system.steps)[:, None],
        ),
        (excess, -1.0),
    ]
    return int(lp.rows((1,), terms, upper=system.co2_cap_t)[0]), int(excess[0])


def _budgets(lp: Builder, parts: Parts) -> Array:
    """Energy of units with a budget; what goes beyond costs as much as load that is not met."""
    system, units = parts.system, parts.system.units
    over = np.full(len(units), NONE, np.int64)
    rows = np.flatnonzero(np.isfinite(system.unit_energy_max_mwh))
    if len(rows):
        h = system.step_h
        over[rows] = lp.columns((len(rows),), cost=system.unserved_price)
        least = (parts.state.on[rows].T, h * units.p_min_mw[rows])
        terms = [least, (parts.production.above[rows].T, h), (over[rows], -1.0)]
        lp.rows((len(rows),), terms, upper=system.unit_energy_max_mwh[rows])
    return over
