"""`Schedule`: a plan in numbers, element by element, read from the point that the solver found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.merge import Merged, split_output, split_states
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.system import System


@dataclass(frozen=True, eq=False)
class Schedule:
    """What every element does in each of T steps.

    Attributes:
        on: (n_unit, T) 1 where a unit is on.
        unit_mw: (n_unit, T) output of units.
        injection_mw: (n_injection, T); `injection_low_mw` the least of it, for load the negative of what it asks for.
        charge_mw, discharge_mw, energy_mwh, spill_mw: (n_store, T); energy at the end of each step.
        link_mw: (n_link, T) drawn at the sending end; negative where the link runs backward.
        shift_deg: (n_shifter, T) change of phase shifts, degrees.
        reserve_mw: by product, (n_unit, T) what units hold.
        reserve_short_mw: (n_product, T) what is missing.
        unserved_mw, surplus_mw: (n_node, T) load not met, and power that cannot be used.
    """

    on: Array
    unit_mw: Array
    injection_mw: Array
    injection_low_mw: Array
    charge_mw: Array
    discharge_mw: Array
    energy_mwh: Array
    spill_mw: Array
    link_mw: Array
    shift_deg: Array
    reserve_mw: tuple[Array, ...]
    reserve_short_mw: Array
    unserved_mw: Array
    surplus_mw: Array


def read_schedule(full: System, merged: Merged, model: Model, x: Array) -> Schedule:
    """The plan of every element of the full system from a point of the merged one's problem."""

    def at(columns: Array) -> Array:
        return np.where(columns >= 0, x[np.maximum(columns, 0)], 0.0)

    state = model.state
    on, start, stop = (np.round(at(c)).astype(int) for c in (state.on, state.start, state.stop))
    segment = at(model.production.segment)
    states, above = on[merged.unit].astype(np.int8), segment.sum(1)[merged.unit]
    for g in np.flatnonzero(merged.system.units.count > 1).tolist():
        rows = np.flatnonzero(merged.unit == g)
        group = merged.system.units.take(np.array([g]))
        states[rows] = split_states(group, on[g], start[g], stop[g])[: len(rows)]
        above[rows] = split_output(group, states[rows], segment[g])[: len(rows)]
    u, supply = full.units, model.supply
    room = np.maximum(u.range_mw[:, None] * states - above, 0.0)
    held = tuple(_shared(at(c), merged.unit, room) for c in model.offers.unit)
    injection = at(supply.injection)
    spread = full.injections.high_mw - full.injections.low_mw
    floor = np.zeros_like(injection)
    np.add.at(floor, merged.injection, full.injections.low_mw)
    return Schedule(
        on=states,
        unit_mw=u.p_min_mw[:, None] * states + above,
        injection_mw=full.injections.low_mw + _shared(injection - floor, merged.injection, spread),
        injection_low_mw=full.injections.low_mw,
        charge_mw=at(supply.charge),
        discharge_mw=at(supply.discharge),
        energy_mwh=at(supply.energy),
        spill_mw=at(supply.spill),
        link_mw=at(supply.forward) - at(supply.backward),
        shift_deg=model.shift_deg(x),
        reserve_mw=held,
        reserve_short_mw=at(model.offers.short),
        unserved_mw=at(model.unserved),
        surplus_mw=at(model.surplus),
    )


def _shared(total: Array, group: Array, room: Array) -> Array:
    """Totals of groups (G, T) shared among their members (n, T) by room."""
    whole = np.zeros_like(total)
    np.add.at(whole, group, room)
    share = np.divide(total, whole, out=np.zeros_like(total), where=whole > 1e-12)
    return np.asarray(share[group] * room)
