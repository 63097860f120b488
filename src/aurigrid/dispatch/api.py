"""`dispatch`: unit commitment and economic dispatch of a network over its profiles, inside its flow limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch import carbon
from aurigrid.dispatch.costs import cost_by_step, cost_items
from aurigrid.dispatch.curtailment import Curtailed, attribute
from aurigrid.dispatch.flows import Flows, net_injection
from aurigrid.dispatch.follow import continued, last_step
from aurigrid.dispatch.from_network import WEATHER, Bound, bind, series
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.prices import congestion_rent, spread
from aurigrid.dispatch.products import ReserveProduct, reserves_of
from aurigrid.dispatch.schedule import Schedule, read_schedule
from aurigrid.dispatch.secure import Secured, solve_secured
from aurigrid.dispatch.supplements import with_inflow, with_start_costs
from aurigrid.dispatch.units import check
from aurigrid.errors import IssueList
from aurigrid.model.defaults import QUANTITIES, DefaultUse, start_cost_by_state, with_defaults
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.api import ensure_valid
from aurigrid.powerflow.grid import Grid, compile_grid

SECURITY = ("none", "base", "n-1")

_CURTAILED = np.dtype(
    [(n, np.int32) for n in ("gen", "step")] + [("mwh", float)]
    + [(n, np.int32) for n in ("cause", "branch", "outage", "unit", "product")]
)  # fmt: skip
_LIMIT = np.dtype(
    [(n, np.int32) for n in ("branch", "outage", "step")] + [("excess_mw", float), ("price_per_mw", float)]
)


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
    energy_mwh: Mapping[object, float] | None = None,
    inflow_mw: Mapping[object, Any] | None = None,
    start_costs: Mapping[object, Sequence[tuple[float, float]]] | None = None,
    before: Plan | None = None,
    notice_h: float = 0.0,
    losses: bool = True,
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
        gap, time_limit: relative gap at which the search over states stops, and its seconds.
        reserves: what must be held in each zone.
        co2_price, co2_cap_t: currency/t, and t over the horizon (exceeded at a price).
        shiftable: share (0..1) of loads, by id, that may move within the horizon, up to twice their share in a step.
        energy_mwh: most energy over the horizon of units, by id (hydro budgets, plants short of fuel).
        inflow_mw: (T,) energy that flows into stores by itself, by id: heat of thermal solar plants, water; what a full store
            cannot take is spilled.
        start_costs: cost of a start by the time off, by unit id: up to three (hours, cost), both rising, the cost holding from
            those hours on; in place of ``gen.start_cost``.
        before: a plan that this one goes on from: the state at the end of its step that ends where the profiles begin (what
            units did and for how long, outputs, stored energy). Where absent, ``gen.p_mw`` at the first step.
        notice_h: time ahead, h, for which the states of `before` are kept.
        losses: count losses of the linear flows.
        limit_margin: share of the ratings that active power may use.
        unserved_price, spill_price, limit_price: currency/MWh.

    Raises:
        InputError: an invalid network, profiles of another one, options or names that do not fit; all at once.
        MissingExtraError: highspy is not installed.
        DispatchError: no plan was found in the time.
    """
    ensure_valid(net)
    share, budget = _checked(net, profiles, security, gap, time_limit, shiftable, energy_mwh, limit_margin)
    desk = desk_of(net, security, limit_margin)
    bound = bound_of(
        desk, profiles, before, notice_h, reserves, inflow_mw, start_costs, shiftable=share, budget_mwh=budget, co2_price=co2_price,
        co2_cap_t=co2_cap_t, unserved_price=unserved_price, spill_price=spill_price, limit_price=limit_price,
    )  # fmt: skip
    secured = solve_secured(bound.system, desk.flows, gap=gap, time_limit=time_limit, losses=losses)
    return plan_of(desk, profiles, bound, secured)


@dataclass(frozen=True, eq=False)
class Desk:
    """What all plans of a network share.

    Attributes:
        net: the network, with the defaults that were filled in (`uses`).
        starts: (n_gen, 3) default costs of starts, NaN where the data have them.
        grid, flows: its nodes, and its flows with their limits; no flows where limits are not kept.
    """

    net: Network
    uses: tuple[DefaultUse, ...]
    starts: Array
    grid: Grid
    flows: Flows | None


def desk_of(net: Network, security: str, limit_margin: float = 1.0) -> Desk:
    """Make a valid network ready for plans; arguments as for `dispatch`."""
    silent = net.gen.start_cost
    net, uses = with_defaults(net, QUANTITIES)
    starts = np.where((net.gen.start_cost != silent)[:, None], start_cost_by_state(net), np.nan)
    grid, flows = compile_grid(net), None
    if security != "none":
        outages = np.arange(net.n_branch) if security == "n-1" else np.zeros(0, np.int64)
        flows = Flows(grid, outages, limit_margin)
    return Desk(net, tuple(uses), starts, grid, flows)


def bound_of(
    desk: Desk,
    profiles: Profiles,
    before: Plan | None = None,
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


def load_of(net: Network, profiles: Profiles) -> tuple[Array, Array]:
    """(T, n_load) active and reactive demand of the profiles."""
    return series(net, profiles, "load", "p_mw")[0], series(net, profiles, "load", "q_mvar")[0]


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


def plan_of(desk: Desk, profiles: Profiles, bound: Bound, done: Secured) -> Plan:
    """The plan that a solved problem stands for."""
    net, grid, flows, load = desk.net, desk.grid, desk.flows, load_of(desk.net, profiles)
    model, x, dual = done.model, done.answer.x, done.answer.row_dual
    assert x is not None
    assert dual is not None
    schedule = read_schedule(bound.system, done.merged, model, x)
    prices = spread(model, done.limits, dual)
    net_mw = net_injection(model, x)
    root = grid.node_of_bus
    gen_p, gen_on = _by_gen(net, bound, schedule)
    weather = np.isin(np.char.lower(net.gen.fuel.astype(str)), WEATHER)
    could = _weather_rows(bound, done, weather)
    causes = attribute(model, done.limits, x, dual, prices, could)
    table, curtailed = _curtailment(net, bound, done, schedule, causes)
    energy = gen_p.sum(0) * bound.system.step_h
    rate = np.nan_to_num(net.gen.co2_t_per_mwh)
    load_p = load[0] + _shifted(net, bound, schedule, load[0])
    units = bound.system.units
    on_before, since = net.gen.in_service.copy(), np.zeros(net.n_gen, np.int64)
    on_before[bound.unit], since[bound.unit] = units.on_before > 0, units.steps_before
    found = done.found
    cost, costs = done.answer.cost, cost_by_step(model, done.limits, x)
    rent = congestion_rent(prices, net_mw, bound.system.step_h)
    return Plan(
        net=net, time=bound.time, step_h=bound.system.step_h, cost=cost,
        bound=found.bound if found is not None else done.answer.bound,
        gen_on=gen_on, gen_p_mw=gen_p, gen_on_before=on_before, gen_steps_before=since,
        storage_p_mw=_by_row(schedule.discharge_mw - schedule.charge_mw, bound.store, len(net.storage)),
        storage_energy_mwh=_by_row(schedule.energy_mwh, bound.store, len(net.storage)),
        hvdc_p_mw=_by_row(schedule.link_mw, bound.link, len(net.hvdc)),
        load_p_mw=load_p, load_q_mvar=load[1],
        unserved_mw=_at_bus(schedule.unserved_mw, root), surplus_mw=_at_bus(schedule.surplus_mw, root),
        loss_mw=done.loss_mw.sum(0),
        flow_mw=flows.of(net_mw).T if flows is not None else np.zeros((len(profiles), net.n_branch)),
        price_per_mwh=prices.total[root].T, price_energy=prices.energy[root].T, price_base=prices.base[root].T,
        price_outage=prices.outage[root].T,
        co2_average_t_per_mwh=carbon.average(model, flows, x)[root].T,
        co2_marginal_t_per_mwh=carbon.marginal(model, done.limits, done.run)[root].T,
        cost_items=cost_items(costs), cost_by_step=costs, co2_t=float(carbon.emission_rates(model) @ x),
        co2_by_unit_t=energy * rate, curtailed_mw=curtailed, curtailment=table,
        congestion_rent=float(rent.sum()), rent_by_step=rent, limits=_limits(done, x, dual),
        renewable_share=float(energy[weather].sum() / max(energy.sum(), 1e-9)), rows=bound,
        schedule=schedule, secured=done, defaults=desk.uses, notes=bound.notes,
    )  # fmt: skip


def _by_row(values: Array, rows: Array, n: int) -> Array:
    out = np.zeros((values.shape[1], n))
    out[:, rows] = values.T
    return out


def _at_bus(values: Array, root: Array) -> Array:
    """(T, n_bus) values of nodes (n_node, T) at the first bus of each node, 0 at the others: sums stay."""
    out = np.zeros((values.shape[1], len(root)))
    _, first = np.unique(root, return_index=True)
    out[:, first] = values[root[first]].T
    return out


def _by_gen(net: Network, bound: Bound, schedule: Schedule) -> tuple[Array, Array]:
    p = np.zeros((schedule.on.shape[1], net.n_gen))
    on = np.repeat(net.gen.in_service[None], len(p), 0)
    p[:, bound.unit] = schedule.unit_mw.T
    on[:, bound.unit] = schedule.on.T > 0
    mine = bound.injection >= 0
    np.add.at(p.T, bound.injection[mine], schedule.injection_mw[mine])
    return p, on


def _weather_rows(bound: Bound, done: Secured, weather: Array) -> Array:
    """(n_merged_injection,) whether a row stands for weather-driven units (groups never mix)."""
    out = np.zeros(len(done.merged.system.injections), bool)
    mine = bound.injection >= 0
    out[done.merged.injection[mine]] = weather[bound.injection[mine]]
    return out


def _curtailment(
    net: Network, bound: Bound, done: Secured, schedule: Schedule, causes: list[Curtailed]
) -> tuple[Array, Array]:
    """Causes by unit of the network, and (T, n_gen) what is curtailed."""
    missing = np.maximum(bound.system.injections.high_mw - schedule.injection_mw, 0.0)
    group = done.merged.injection
    total = np.zeros((len(done.merged.system.injections), missing.shape[1]))
    np.add.at(total, group, missing)
    first_unit = np.unique(done.merged.unit, return_index=True)[1] if len(bound.unit) else np.zeros(0, np.int64)
    rows = []
    curtailed = np.zeros((missing.shape[1], net.n_gen))
    for c in causes:
        members = np.flatnonzero(group == c.injection)
        unit = int(bound.unit[first_unit[c.unit]]) if c.unit >= 0 else -1
        for i in members[missing[members, c.step] > 0].tolist():
            gen, mwh = int(bound.injection[i]), c.mwh * missing[i, c.step] / total[c.injection, c.step]
            rows.append((gen, c.step, mwh, c.cause, c.branch, c.outage, unit, c.product))
            curtailed[c.step, gen] += mwh / bound.system.step_h
    return np.array(rows, _CURTAILED), curtailed


def _shifted(net: Network, bound: Bound, schedule: Schedule, load: Array) -> Array:
    """(T, n_load) what shifting adds to each load: what is taken less what was taken out of the fixed demand."""
    out = np.zeros_like(load)
    for i in np.flatnonzero(bound.injection < 0).tolist():
        at = -1 - int(bound.injection[i])
        out[:, at] = -schedule.injection_mw[i] + 0.5 * bound.system.injections.low_mw[i]
    return out


def _limits(done: Secured, x: Array, dual: Array) -> Array:
    """Flow limits with a price or an excess."""
    rows, h = [], done.model.system.step_h
    for i, (branch, outage, t, _) in enumerate(done.limits.key):
        price, over = -float(dual[done.limits.row[i]]) / h, float(x[done.limits.excess[i]])
        if price > 1e-6 or over > 1e-6:
            rows.append((branch, outage, t, over, price))
    return np.array(rows, _LIMIT)
