"""A plan as tables: one row an element and step, with times and ids, for files and frames.

Names and columns are those of a plan's folder (docs/dispatch.md); values are those of `Plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.dispatch.curtailment import CAUSES
from aurigrid.dispatch.deliver import CALLED
from aurigrid.dispatch.flows import VOLTAGE
from aurigrid.dispatch.from_network import WEATHER
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.system import ELASTIC

if TYPE_CHECKING:
    from aurigrid.dispatch.plan import Plan

Columns = dict[str, Any]

_ZERO_MW = 1e-6


def plan_tables(plan: Plan) -> dict[str, Columns]:
    """Every table of a plan, columns by name."""
    return {
        "plan_steps": _steps(plan),
        "plan_schedule": {
            **_long(plan, "gen"), "fuel": np.tile(plan.net.gen.fuel, plan.n_steps), "p_mw": plan.gen_p_mw.ravel(),
            "curtailed_mw": plan.curtailed_mw.ravel(),
        },
        "plan_commitment": _commitment(plan),
        "plan_storage": {
            **_long(plan, "storage"), "p_mw": plan.storage_p_mw.ravel(), "energy_mwh": plan.storage_energy_mwh.ravel(),
        },
        "plan_hvdc": {**_long(plan, "hvdc"), "p_mw": plan.hvdc_p_mw.ravel()},
        "plan_shifters": _shifters(plan),
        "plan_prices": {
            **_long(plan, "bus"), "price_per_mwh": plan.price_per_mwh.ravel(), "energy": plan.price_energy.ravel(),
            "base": plan.price_base.ravel(), "outage": plan.price_outage.ravel(), "loss": plan.price_loss.ravel(),
        },
        "plan_carbon": {
            **_long(plan, "bus"), "average_t_per_mwh": plan.co2_average_t_per_mwh.ravel(),
            "marginal_t_per_mwh": plan.co2_marginal_t_per_mwh.ravel(),
        },
        "plan_curtailment": _curtailment(plan),
        "plan_elastic": _elastic(plan),
        "plan_limits": _limits(plan),
        "plan_reserves": _reserves(plan),
        "plan_unserved": _unserved(plan),
        "plan_costs": {"item": list(plan.cost_items), "cost": list(plan.cost_items.values())},
        "plan_emissions": {
            "gen": np.arange(plan.net.n_gen), "gen_id": _ids(plan, "gen"), "fuel": plan.net.gen.fuel,
            "energy_mwh": plan.gen_p_mw.sum(0) * plan.step_h, "co2_t": plan.co2_by_unit_t,
        },
        "plan_assumptions": {
            "what": [_used(use) for use in plan.defaults] + list(plan.notes),
            "units": [use.units for use in plan.defaults] + [None] * len(plan.notes),
            "source": [use.source for use in plan.defaults] + [""] * len(plan.notes),
        },
    }  # fmt: skip


def _used(use: Any) -> str:
    return f"gen.{use.column}: {use.value or 'nothing is known'} for {use.fuel or 'units without fuel'}"


def _ids(plan: Plan, table: str) -> Array:
    return np.asarray(getattr(plan.net, table).id.astype(str), object)


def _stamped(plan: Plan, step: Array) -> Columns:
    return {"step": step, "time": plan.time[step]}


def _long(plan: Plan, table: str) -> Columns:
    """Step, time and element of every cell of a (T, n) array, row by row."""
    n, ids = len(getattr(plan.net, table)), _ids(plan, table)
    step = np.repeat(np.arange(plan.n_steps), n)
    return {
        **_stamped(plan, step),
        table: np.tile(np.arange(n), plan.n_steps),
        f"{table}_id": np.tile(ids, plan.n_steps),
    }


def _steps(plan: Plan) -> Columns:
    weather = np.isin(np.char.lower(plan.net.gen.fuel.astype(str)), WEATHER)
    curtailed = plan.curtailed_mw.sum(1)
    rate = np.nan_to_num(plan.net.gen.co2_t_per_mwh)
    return {
        **_stamped(plan, np.arange(plan.n_steps)), "load_mw": plan.load_p_mw.sum(1), "gen_mw": plan.gen_p_mw.sum(1),
        "losses_mw": plan.loss_mw, "available_mw": plan.gen_p_mw[:, weather].sum(1) + curtailed,
        "curtailed_mw": curtailed, "unserved_mw": plan.unserved_mw.sum(1), "surplus_mw": plan.surplus_mw.sum(1),
        "price_per_mwh": mean_price(plan), "co2_t": plan.gen_p_mw @ rate * plan.step_h,
        "congestion_rent": plan.rent_by_step,
    }  # fmt: skip


def mean_price(plan: Plan) -> Array:
    """(T,) price that demand pays on average, currency/MWh; NaN without demand."""
    paid = (plan.price_per_mwh[:, plan.net.load.bus] * plan.load_p_mw).sum(1)
    load = plan.load_p_mw.sum(1)
    return np.asarray(np.divide(paid, load, out=np.full(len(load), np.nan), where=load > 0))


def _commitment(plan: Plan) -> Columns:
    """Units that can be switched; all others follow from the network."""
    rows = plan.rows.unit
    on = plan.gen_on[:, rows] > 0
    before = np.vstack([plan.gen_on_before[None, rows] > 0, on[:-1]])
    steps, ids = plan.n_steps, _ids(plan, "gen")
    return {
        **_stamped(plan, np.repeat(np.arange(steps), len(rows))), "gen": np.tile(rows, steps),
        "gen_id": np.tile(ids[rows], steps), "on": on.ravel(), "started": (on & ~before).ravel(),
        "stopped": (~on & before).ravel(),
    }  # fmt: skip


def _shifters(plan: Plan) -> Columns:
    """Phase shifters that may turn; the position is that which gives the angle, between two whole ones as a rule."""
    t, at = plan.net.branch, plan.rows.system.shifters.branch
    shift = plan.shift_deg[:, at]
    return {
        **_stamped(plan, np.repeat(np.arange(plan.n_steps), len(at))), "branch": np.tile(at, plan.n_steps),
        "branch_id": np.tile(_ids(plan, "branch")[at], plan.n_steps), "shift_deg": shift.ravel(),
        "position": (t.tap_pos[at] + (shift - t.shift_deg[at]) / t.tap_step_deg[at]).ravel(),
    }  # fmt: skip


def _curtailment(plan: Plan) -> Columns:
    rows, gens, branches, buses = plan.curtailment, _ids(plan, "gen"), _ids(plan, "branch"), _ids(plan, "bus")
    products = [r.name for r in plan.rows.system.reserves]
    limiting = [
        f"bus {buses[r['branch']]}" if r["outage"] == VOLTAGE
        else f"branch {branches[r['branch']]}" if r["branch"] >= 0
        else f"gen {gens[r['unit']]}" if r["unit"] >= 0 and r["product"] < 0
        else f"reserve {products[r['product']]}" if r["product"] >= 0
        else ""
        for r in rows
    ]  # fmt: skip
    return {
        **_stamped(plan, rows["step"]), "gen": rows["gen"], "gen_id": gens[rows["gen"]], "mwh": rows["mwh"],
        "cause": [CAUSES[c] for c in rows["cause"]], "limiting": limiting,
        "outage": [branches[k] if k >= 0 else "" for k in rows["outage"]],
    }  # fmt: skip


def _elastic(plan: Plan) -> Columns:
    """A row a step and part of a load that is served up to a price, dispatchable loads of the unit table among them."""
    bound, inj = plan.rows, plan.rows.system.injections
    mine = np.flatnonzero(inj.group == ELASTIC)
    at, steps = bound.injection[mine], plan.n_steps
    gens, loads = _ids(plan, "gen"), _ids(plan, "load")
    ids = np.array([gens[k] if k >= 0 else loads[-1 - k] for k in at.tolist()], object)
    asked, served = -plan.schedule.injection_low_mw[mine].T, -plan.schedule.injection_mw[mine].T
    return {
        **_stamped(plan, np.repeat(np.arange(steps), len(mine))),
        "element_table": np.tile(np.where(at >= 0, "gen", "load").astype(object), steps),
        "element_id": np.tile(ids, steps), "price_per_mwh": np.tile(inj.cost[mine], steps),
        "asked_mw": asked.ravel(), "served_mw": served.ravel(),
    }  # fmt: skip


def _limits(plan: Plan) -> Columns:
    rows = plan.limits[plan.limits["outage"] != VOLTAGE]
    branches, products = _ids(plan, "branch"), [r.name for r in plan.rows.system.reserves]
    return {
        **_stamped(plan, rows["step"]), "branch": rows["branch"], "branch_id": branches[rows["branch"]],
        "outage": [branches[k] if k >= 0 else f"{products[CALLED - k]} called" if k <= CALLED else "" for k in rows["outage"]],
        "excess_mw": rows["excess_mw"],
        "price_per_mw": rows["price_per_mw"],
    }  # fmt: skip


def _unserved(plan: Plan) -> Columns:
    step, bus = np.nonzero((plan.unserved_mw > _ZERO_MW) | (plan.surplus_mw > _ZERO_MW))
    return {
        **_stamped(plan, step), "bus": bus, "bus_id": _ids(plan, "bus")[bus], "unserved_mw": plan.unserved_mw[step, bus],
        "surplus_mw": plan.surplus_mw[step, bus],
    }  # fmt: skip


def _reserves(plan: Plan) -> Columns:
    """A row for each product and step, and one for everyone who holds some of it."""
    parts: dict[str, list[Array]] = {k: [] for k in ("step", "product", "table", "id", "held", "need", "short")}

    def add(step: Array, product: str, table: str, ids: Array, held: Array, need: Array, short: Array) -> None:
        values = (step, np.full(len(step), product, object), np.full(len(step), table, object), ids, held, need, short)
        for name, value in zip(parts, values, strict=True):
            parts[name].append(value)

    for k, reserve in enumerate(plan.rows.system.reserves):
        by_gen, by_store = plan.reserve_gen_mw[:, k], plan.reserve_storage_mw[:, k]
        short, every = plan.reserve_short_mw[:, k], np.arange(plan.n_steps)
        whole = by_gen.sum(1) + by_store.sum(1)
        add(every, reserve.name, "", np.full(plan.n_steps, "", object), whole, plan.reserve_need_mw[:, k], short)
        for table, held in (("gen", by_gen), ("storage", by_store)):
            step, at = np.nonzero(held > _ZERO_MW)
            none = np.full(len(step), np.nan)
            add(step, reserve.name, table, _ids(plan, table)[at], held[step, at], none, none)
    done = {name: np.concatenate(values) if values else np.zeros(0) for name, values in parts.items()}
    return {
        **_stamped(plan, done["step"].astype(int)), "product": done["product"].astype(object),
        "element_table": done["table"].astype(object), "element_id": done["id"].astype(object),
        "held_mw": done["held"], "need_mw": done["need"], "short_mw": done["short"],
    }  # fmt: skip
