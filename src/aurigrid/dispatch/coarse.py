"""A system in longer steps: where states may change once an hour, a day has a quarter of the states.

A plan of states for the longer steps is one for the shorter: least times are rounded up and times already spent down, so that
each is kept. Demand and what may inject are means over the longer step, ramps the sum of those of its parts. Plants that are
on for the mean alone would leave its peaks to the dearest ones; so states are decided for a demand with which each longer step
has the largest net load of its parts (`peak`).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from aurigrid.dispatch.system import Array, Reserve, System
from aurigrid.dispatch.units import Units


def coarse(system: System, parts: int, *, peak: bool = False) -> System:
    """The system in steps of `parts` of its own, at mean or `peak` demand; the number of steps must be a multiple of it."""
    inj, stores = system.injections, system.stores
    demand = _means(system.demand_mw, parts) + (_peaks(system, parts) if peak else 0.0)
    return system.replace(
        step_h=system.step_h * parts,
        units=_units(system.units, parts),
        demand_mw=demand,
        injections=dataclasses.replace(
            inj, low_mw=_means(inj.low_mw, parts), high_mw=_means(inj.high_mw, parts),
            free_mw=_means(inj.free_mw, parts), ramp_up_mw=inj.ramp_up_mw * parts, ramp_down_mw=inj.ramp_down_mw * parts,
        ),
        stores=dataclasses.replace(stores, inflow_mw=_means(stores.inflow_mw, parts)),
        reserves=tuple(_reserve(r, parts) for r in system.reserves),
        fixed_on=None if system.fixed_on is None else _agreed(system.fixed_on, parts),
    )  # fmt: skip


def _means(values: Array, parts: int) -> Array:
    return np.asarray(values.reshape(len(values), values.shape[1] // parts, parts).mean(2))


def _peaks(system: System, parts: int) -> Array:
    """(n_node, T / parts) how much the largest net load of an area in a longer step exceeds the mean one, shared by demand."""
    mean = _means(system.demand_mw, parts)
    out = np.zeros_like(mean)
    for a in np.unique(system.area).tolist():
        here = system.area == a
        could = system.injections.high_mw[here[system.injections.node]].sum(0)
        net = (system.demand_mw[here].sum(0) - could).reshape(-1, parts)
        share = np.maximum(mean[here], 0.0)
        total = share.sum(0)
        out[here] = np.divide(share, total, out=np.zeros_like(share), where=total > 0) * (net.max(1) - net.mean(1))
    return out


def _reserve(reserve: Reserve, parts: int) -> Reserve:
    return dataclasses.replace(reserve, need_mw=_means(reserve.need_mw[None], parts)[0])


def _agreed(fixed: Array, parts: int) -> Array:
    """(n, T / parts) states that are the same in all parts of a step, -1 where they are not."""
    blocks = fixed.reshape(len(fixed), -1, parts)
    return np.where((blocks == blocks[:, :, :1]).all(2), blocks[:, :, 0], -1)


def _units(units: Units, parts: int) -> Units:
    def longer(least: Array) -> Array:
        return _longer(least, parts)

    up, down = units.ramp_up_mw * parts, units.ramp_down_mw * parts
    return units.replace(
        ramp_up_mw=up, ramp_down_mw=down,
        start_mw=np.minimum(units.p_max_mw, units.start_mw + (parts - 1) * units.ramp_up_mw),
        stop_mw=np.minimum(units.p_max_mw, units.stop_mw + (parts - 1) * units.ramp_down_mw),
        min_up=longer(units.min_up), min_down=longer(units.min_down), steps_before=_past(units, parts),
        start_lag=longer(units.start_lag), cost_min=units.cost_min * parts, slope=units.slope * parts,
    )  # fmt: skip


def _longer(least: Array, parts: int) -> Array:
    return np.asarray(-(-least // parts), np.int64)


def _past(units: Units, parts: int) -> Array:
    """(n,) times that are spent, down to what leaves a unit on until it has come down to its stopping output."""
    above = np.where(units.on_before > 0, units.p_before_mw - units.stop_mw, 0.0)
    falls = (above > 1e-9) & (units.ramp_down_mw > 0)
    steps = np.ceil(np.divide(above, units.ramp_down_mw, out=np.zeros_like(above), where=falls))
    held = _longer(units.min_up, parts) - _longer(np.minimum(steps, units.min_up), parts)
    return np.where(falls, np.minimum(units.steps_before // parts, np.maximum(held, 1)), units.steps_before // parts)
