"""From a solved problem to the `Plan` that it stands for, in the order of the network's own tables."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch import carbon
from aurigrid.dispatch.costs import cost_by_step, cost_items
from aurigrid.dispatch.curtailment import Curtailed, attribute
from aurigrid.dispatch.flows import Flows, branch_flow, net_injection
from aurigrid.dispatch.from_network import WEATHER, Bound, series
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.prices import congestion_rent, spread
from aurigrid.dispatch.schedule import Schedule, read_schedule
from aurigrid.dispatch.secure import Secured
from aurigrid.dispatch.system import ELASTIC
from aurigrid.model.defaults import QUANTITIES, DefaultUse, start_cost_by_state, with_defaults
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.grid import Grid, compile_grid

_CURTAILED = np.dtype(
    [(n, np.int32) for n in ("gen", "step")] + [("mwh", float)]
    + [(n, np.int32) for n in ("cause", "branch", "outage", "unit", "product")]
)  # fmt: skip
_LIMIT = np.dtype(
    [(n, np.int32) for n in ("branch", "outage", "step")] + [("excess_mw", float), ("price_per_mw", float)]
)


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


def load_of(net: Network, profiles: Profiles) -> tuple[Array, Array]:
    """(T, n_load) active and reactive demand of the profiles."""
    return series(net, profiles, "load", "p_mw")[0], series(net, profiles, "load", "q_mvar")[0]


def plan_of(desk: Desk, profiles: Profiles, bound: Bound, done: Secured) -> Plan:
    """The plan that a solved problem stands for."""
    net, grid, flows, load = desk.net, desk.grid, desk.flows, load_of(desk.net, profiles)
    model, x, dual = done.model, done.answer.x, done.answer.row_dual
    assert x is not None
    assert dual is not None
    schedule = read_schedule(bound.system, done.merged, model, x)
    prices = spread(model, done.limits, dual, done.tangents)
    net_mw = net_injection(model, x)
    root = grid.node_of_bus
    gen_p, gen_on = _by_gen(net, bound, schedule)
    weather = np.isin(np.char.lower(net.gen.fuel.astype(str)), WEATHER)
    could = _weather_rows(bound, done, weather)
    causes = attribute(model, done.limits, x, dual, prices, could)
    table, curtailed = _curtailment(net, bound, done, schedule, causes)
    energy = gen_p.sum(0) * bound.system.step_h
    rate = np.nan_to_num(net.gen.co2_t_per_mwh)
    load_p, reduced = load[0] + _shifted(net, bound, schedule, load[0]), _reduced(net, bound, schedule)
    left = 1.0 - np.divide(reduced, load[0], out=np.zeros_like(reduced), where=load[0] > 0)
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
        shift_deg=net.branch.shift_deg + _by_row(schedule.shift_deg, bound.system.shifters.branch, net.n_branch),
        load_p_mw=load_p, load_q_mvar=load[1] * left, load_reduced_mw=reduced,
        unserved_mw=_at_bus(schedule.unserved_mw, root), surplus_mw=_at_bus(schedule.surplus_mw, root),
        loss_mw=done.loss_mw.sum(0),
        flow_mw=branch_flow(model, flows, x).T if flows is not None else np.zeros((len(profiles), net.n_branch)),
        price_per_mwh=prices.total[root].T, price_energy=prices.energy[root].T, price_base=prices.base[root].T,
        price_outage=prices.outage[root].T, price_loss=prices.loss[root].T,
        co2_average_t_per_mwh=carbon.average(model, flows, x)[root].T,
        co2_marginal_t_per_mwh=carbon.marginal(model, done.limits, done.run, done.tangents)[root].T,
        cost_items=cost_items(costs), cost_by_step=costs, co2_t=float(carbon.emission_rates(model) @ x),
        co2_by_unit_t=energy * rate, curtailed_mw=curtailed, curtailment=table,
        congestion_rent=float(rent.sum()), rent_by_step=rent, limits=_limits(done, x, dual),
        renewable_share=float(energy[weather].sum() / max(np.maximum(energy, 0.0).sum(), 1e-9)), rows=bound,
        **_reserves(net, bound, done, schedule), schedule=schedule, secured=done, defaults=desk.uses, notes=bound.notes,
    )  # fmt: skip


def with_outputs(plan: Plan, desk: Desk, profiles: Profiles, bound: Bound, done: Secured) -> Plan:
    """The plan with the outputs and states of another answer; its prices, costs and causes stay those of before."""
    net, x, root = desk.net, done.answer.x, desk.grid.node_of_bus
    assert x is not None
    schedule = read_schedule(bound.system, done.merged, done.model, x)
    gen_p, gen_on = _by_gen(net, bound, schedule)
    load = series(net, profiles, "load", "p_mw")[0]
    return dataclasses.replace(
        plan, gen_p_mw=gen_p, gen_on=gen_on, load_reduced_mw=_reduced(net, bound, schedule),
        load_p_mw=load + _shifted(net, bound, schedule, load),
        storage_p_mw=_by_row(schedule.discharge_mw - schedule.charge_mw, bound.store, len(net.storage)),
        storage_energy_mwh=_by_row(schedule.energy_mwh, bound.store, len(net.storage)),
        hvdc_p_mw=_by_row(schedule.link_mw, bound.link, len(net.hvdc)), loss_mw=done.loss_mw.sum(0),
        unserved_mw=_at_bus(schedule.unserved_mw, root), surplus_mw=_at_bus(schedule.surplus_mw, root),
        schedule=schedule, secured=done,
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
    """(T, n_load) what shifting and prices change of each load: what is taken less what was taken out of the fixed demand."""
    out = np.zeros_like(load)
    inj = bound.system.injections
    for i in np.flatnonzero((bound.injection < 0) & (inj.group != ELASTIC)).tolist():
        at = -1 - int(bound.injection[i])
        out[:, at] = -schedule.injection_mw[i] + 0.5 * inj.low_mw[i]
    return out - _reduced(net, bound, schedule)


def _reduced(net: Network, bound: Bound, schedule: Schedule) -> Array:
    """(T, n_load) what loads go without because it pays less than it costs."""
    inj, out = bound.system.injections, np.zeros((bound.system.steps, net.n_load))
    mine = np.flatnonzero((bound.injection < 0) & (inj.group == ELASTIC))
    np.add.at(out.T, -1 - bound.injection[mine], schedule.injection_mw[mine] - inj.low_mw[mine])
    return out


def _limits(done: Secured, x: Array, dual: Array) -> Array:
    """Flow limits with a price or an excess."""
    rows, h = [], done.model.system.step_h
    for i, (branch, outage, t, _) in enumerate(done.limits.key):
        price, over = -float(dual[done.limits.row[i]]) / h, float(x[done.limits.excess[i]])
        if price > 1e-6 or over > 1e-6:
            rows.append((branch, outage, t, over, price))
    return np.array(rows, _LIMIT)


def _reserves(net: Network, bound: Bound, done: Secured, schedule: Schedule) -> dict[str, Array]:
    """What is held, needed and missing, by step and product.

    Injections that were merged share what they hold by the room that each has.
    """
    x, offers, products = done.answer.x, done.model.offers, bound.system.reserves
    assert x is not None
    steps = bound.system.steps
    gen = np.zeros((steps, len(products), net.n_gen))
    store = np.zeros((steps, len(products), len(net.storage)))

    def at(columns: Array) -> Array:
        return np.where(columns >= 0, x[np.maximum(columns, 0)], 0.0)

    inj, p, group = bound.system.injections, schedule.injection_mw, done.merged.injection
    mine = np.flatnonzero(bound.injection >= 0)
    for k, product in enumerate(products):
        gen[:, k, bound.unit] = schedule.reserve_mw[k].T
        room = np.maximum(inj.high_mw - p if product.up else p - inj.low_mw, 0.0)
        total = at(offers.injection[k])
        whole = np.zeros_like(total)
        np.add.at(whole, group, room)
        held = room * np.divide(total, whole, out=np.zeros_like(total), where=whole > 0)[group]
        np.add.at(gen[:, k].T, bound.injection[mine], held[mine])
        store[:, k, bound.store] = at(offers.store[k]).T
    need = np.array([product.need_mw for product in products]).reshape(-1, steps).T
    return {
        "reserve_need_mw": need, "reserve_short_mw": schedule.reserve_short_mw.T, "reserve_gen_mw": gen,
        "reserve_storage_mw": store,
    }  # fmt: skip
