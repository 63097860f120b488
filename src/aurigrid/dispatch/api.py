"""`dispatch`: unit commitment and economic dispatch of a network over its profiles, inside its flow limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aurigrid.dispatch.answer import Desk, desk_of, plan_of
from aurigrid.dispatch.follow import Standing, continued, last_step
from aurigrid.dispatch.from_network import Bound, bind
from aurigrid.dispatch.hourly import solve_system
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.products import ReserveProduct, reserves_of
from aurigrid.dispatch.secure import Losses
from aurigrid.dispatch.supplements import elastic_parts, with_inflow, with_start_costs
from aurigrid.dispatch.units import check
from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.api import ensure_valid

SECURITY = ("none", "base", "n-1")


def dispatch(
    net: Network,
    profiles: Profiles,
    *,
    security: str = "n-1",
    gap: float = 0.005,
    time_limit: float = 60.0,
    reserves: Sequence[ReserveProduct] = (),
    co2_price: float = 0.0,
    co2_cap_t: float = np.inf,
    shiftable: Mapping[object, float] | None = None,
    elastic: Mapping[object, Sequence[tuple[float, float]]] | Sequence[tuple[float, float]] | None = None,
    energy_mwh: Mapping[object, float] | None = None,
    inflow_mw: Mapping[object, Any] | None = None,
    start_costs: Mapping[object, Sequence[tuple[float, float]]] | None = None,
    before: Plan | None = None,
    notice_h: float = 0.0,
    losses: Losses = True,
    shifters: bool = False,
    limit_margin: float = 1.0,
    unserved_price: float = 10_000.0,
    spill_price: float = 1_000.0,
    limit_price: float = 2_000.0,
) -> Plan:
    """Schedule a network at least cost.

    Never infeasible: load not met, power without use, flow above a limit and missing reserve have prices, and the plan says
    where and when they occur.

    Args:
        net: the network; where its unit table is silent, defaults by fuel are used and listed in the plan.
        profiles: the horizon, at its own step. ``load.p_mw`` is the demand, ``gen.p_mw`` of wind, sun and water what they
            could give.
        security: flow limits to keep: ``"none"``, ``"base"`` (intact grid) or ``"n-1"`` (after each branch outage that does not
            split the grid as well, at short-term ratings where given).
        gap, time_limit: relative gap at which the search over states stops, and seconds for it with its relaxation and bounds;
            the dispatch at the states found is brought to its end.
        reserves: what must be held in each zone.
        co2_price, co2_cap_t: currency/t, and t over the horizon (exceeded at a price).
        shiftable: share (0..1) of loads, by id, that may move within the horizon, up to twice their share in a step.
        elastic: what loads would pay, by id, or for all of them alike: (share, currency/MWh) each; that share of the load
            goes without where power costs more. Units that only take (MATPOWER's dispatchable loads) are elastic as they are.
        energy_mwh: most energy over the horizon of units, by id (hydro budgets, plants short of fuel).
        inflow_mw: (T,) energy that flows into stores by itself, by id: heat of thermal solar plants, water; what a full store
            cannot take is spilled.
        start_costs: cost of a start by the time off, by unit id: up to three (hours, cost), both rising, the cost holding from
            those hours on; in place of ``gen.start_cost``.
        before: a plan that this one goes on from: the state at the end of its step that ends where the profiles begin (what
            units did and for how long, outputs, stored energy). Where absent, ``gen.p_mw`` at the first step.
        notice_h: time ahead, h, for which the states of `before` are kept.
        losses: count losses of the linear flows; ``"marginal"``: in the dispatch at the chosen states plants are loaded with
            regard to the losses that they cause, and prices have a part of losses.
        shifters: let phase shifters turn between their first and last position, step by step, where that saves cost. They stay
            where they stand without flow limits, and where the data give no positions.
        limit_margin: share of the ratings that active power may use.
        unserved_price, spill_price, limit_price: currency/MWh.

    Raises:
        InputError: an invalid network, profiles of another one, options or names that do not fit; all at once.
        MissingExtraError: highspy is not installed.
        DispatchError: no plan was found in the time.
    """
    ensure_valid(net)
    share, budget = _checked(net, profiles, security, gap, time_limit, shiftable, energy_mwh, limit_margin)
    parts = elastic_parts(net, elastic, share)
    desk = desk_of(net, security, limit_margin)
    bound = bound_of(
        desk, profiles, before, notice_h, reserves, inflow_mw, start_costs,
        shiftable=share, budget_mwh=budget, elastic=parts, shifters=shifters and desk.flows is not None, co2_price=co2_price,
        co2_cap_t=co2_cap_t, unserved_price=unserved_price, spill_price=spill_price, limit_price=limit_price,
    )  # fmt: skip
    secured = solve_system(bound.system, desk.flows, gap=gap, time_limit=time_limit, losses=losses)
    return plan_of(desk, profiles, bound, secured)


def bound_of(
    desk: Desk,
    profiles: Profiles,
    before: Plan | Standing | None = None,
    notice_h: float = 0.0,
    reserves: Sequence[ReserveProduct] = (),
    inflow_mw: Mapping[object, Any] | None = None,
    start_costs: Mapping[object, Sequence[tuple[float, float]]] | None = None,
    **given: Any,
) -> Bound:
    """The system of a horizon, going on from `before` where that is given.

    Raises:
        InputError: a plan that does not lead here, units or products that make no sense.
    """
    net, issues = desk.net, IssueList()
    bound = bind(net, desk.grid, profiles, desk.starts, **given)
    bound = with_inflow(with_start_costs(bound, start_costs or {}, issues), inflow_mw or {}, issues)
    issues.raise_if_any()
    if before is not None:
        at = last_step(before, profiles.time, net, issues)
        issues.raise_if_any()
        bound = continued(bound, before, at, notice_h)
    check(bound.system.units, issues)
    held = reserves_of(net, profiles, bound, reserves, issues)
    issues.raise_if_any()
    return dataclasses.replace(bound, system=bound.system.replace(reserves=held))


def _checked(
    net: Network,
    profiles: Profiles,
    security: str,
    gap: float,
    seconds: float,
    shiftable: Any,
    energy: Any,
    margin: float,
) -> tuple[Array, Array]:
    """Refuse what makes no sense; returns the shares of loads and the budgets of units."""
    issues = IssueList()
    if security not in SECURITY:
        issues.add("dispatch", "security", f"is {security!r}", hint="choose from " + ", ".join(SECURITY))
    for name, value, good in (
        ("gap", gap, 0 <= gap <= 1), ("time_limit", seconds, seconds > 0), ("limit_margin", margin, 0 < margin <= 1)
    ):  # fmt: skip
        if not good:
            issues.add("dispatch", name, f"is {value}", hint="give a number in range")
    if not len(profiles):
        issues.add("profiles", "time", "has no step", hint="give a window with at least one step")
    share, budget = np.zeros(net.n_load), np.full(net.n_gen, np.nan)
    for given, ids, out, name, top in (
        (shiftable, net.load.id, share, "shiftable", 1.0), (energy, net.gen.id, budget, "energy_mwh", np.inf)
    ):  # fmt: skip
        place = {str(id): i for i, id in enumerate(ids)}
        unknown = [key for key in given or {} if str(key) not in place]
        wrong = [key for key, value in (given or {}).items() if not 0 <= value <= top]
        if unknown:
            issues.add("dispatch", name, "names elements that are not in the network", unknown)
        if wrong:
            issues.add("dispatch", name, f"holds values outside 0..{top:g}", wrong)
        for key, value in (given or {}).items():
            if str(key) in place:
                out[place[str(key)]] = value
    issues.raise_if_any()
    profiles.require_fits(net)
    return share, budget
