"""Parts of plans, and parts put together: what a rolling dispatch settles of each plan is one plan in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.schedule import Schedule

_BY_STEP = (
    "time", "gen_on", "gen_p_mw", "storage_p_mw", "storage_energy_mwh", "hvdc_p_mw", "shift_deg", "load_p_mw", "load_q_mvar",
    "load_reduced_mw", "unserved_mw", "surplus_mw", "loss_mw", "flow_mw", "price_per_mwh", "price_energy", "price_base",
    "price_outage", "price_loss", "co2_average_t_per_mwh", "co2_marginal_t_per_mwh", "curtailed_mw", "rent_by_step",
    "reserve_need_mw", "reserve_short_mw", "reserve_gen_mw", "reserve_storage_mw",
)  # fmt: skip
"""Attributes of a plan whose first axis is the steps."""

_ARRAYS = tuple(f.name for f in dataclasses.fields(Schedule) if f.name != "reserve_mw")


def head(plan: Plan, steps: int) -> Plan:
    """The first steps of a plan as a plan, without what belongs to its horizon as a whole; its bound is its cost."""
    given: dict[str, Any] = {name: getattr(plan, name)[:steps] for name in _BY_STEP}
    costs = {item: np.r_[cost[:steps], 0.0] for item, cost in plan.cost_by_step.items()}
    rows: dict[str, Any] = {
        name: getattr(plan, name)[getattr(plan, name)["step"] < steps] for name in ("curtailment", "limits")
    }
    return _summed(dataclasses.replace(plan, schedule=_cut(plan.schedule, steps), cost_by_step=costs, **given, **rows))


def joined(plans: Sequence[Plan]) -> Plan:
    """Plans of consecutive steps as one plan; the problem behind it is that of the last one."""
    first, last = plans[0], plans[-1]
    offset = np.cumsum([0, *(plan.n_steps for plan in plans)])
    given: dict[str, Any] = {name: np.concatenate([getattr(plan, name) for plan in plans]) for name in _BY_STEP}
    costs = {
        item: np.r_[np.concatenate([plan.cost_by_step[item][:-1] for plan in plans]), 0.0]
        for item in first.cost_by_step
    }
    for name in ("curtailment", "limits"):
        parts = []
        for plan, n in zip(plans, offset[:-1].tolist(), strict=True):
            rows = getattr(plan, name).copy()
            rows["step"] += n
            parts.append(rows)
        given[name] = np.concatenate(parts)
    whole = dataclasses.replace(
        last,
        gen_on_before=first.gen_on_before,
        gen_steps_before=first.gen_steps_before,
        schedule=_one_schedule([plan.schedule for plan in plans]),
        cost_by_step=costs,
        **given,
    )
    return _summed(whole)


def _summed(plan: Plan) -> Plan:
    """The same with the figures of the whole horizon made anew from those of its steps."""
    items = {item: float(cost.sum()) for item, cost in plan.cost_by_step.items()}
    energy = plan.gen_p_mw.sum(0) * plan.step_h
    by_unit = energy * np.nan_to_num(plan.net.gen.co2_t_per_mwh)
    green = energy[plan.weather].sum()
    given = np.maximum(energy, 0.0).sum()
    cost = sum(items.values())
    return dataclasses.replace(
        plan, cost_items=items, cost=cost, bound=cost, co2_by_unit_t=by_unit, co2_t=float(by_unit.sum()),
        congestion_rent=float(plan.rent_by_step.sum()), renewable_share=float(green / max(given, 1e-9)),
    )  # fmt: skip


def _cut(schedule: Schedule, steps: int) -> Schedule:
    given: dict[str, Any] = {name: getattr(schedule, name)[..., :steps] for name in _ARRAYS}
    return Schedule(reserve_mw=tuple(held[:, :steps] for held in schedule.reserve_mw), **given)


def _one_schedule(parts: Sequence[Schedule]) -> Schedule:
    given: dict[str, Any] = {name: np.concatenate([getattr(s, name) for s in parts], -1) for name in _ARRAYS}
    held = zip(*(s.reserve_mw for s in parts), strict=True)
    return Schedule(reserve_mw=tuple(np.concatenate(product, -1) for product in held), **given)
