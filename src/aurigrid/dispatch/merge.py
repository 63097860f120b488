"""Identical plants as one row where that is exact, and the plan of the row split among them again.

Rows of units merge if all their data agree and nothing ties one unit's output to its own past: ramps that never bind. A plan
of the group in whole numbers then splits into plans of its members at the same cost: who has been on longest stops first
(with a least time of one step: who started last, so that starts and stops meet in the same units, which asks for
``start_mw == stop_mw``), and each segment's output is shared by the room that each unit has on it. See Knueven, Ostrowski and
Watson, "Exploiting identical generators in unit commitment", IEEE Trans. Power Systems 33, 2018.

Injections at one node with one cost and neither ramps nor budgets merge into one as well.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.system import Array, Injections, Reserve, System
from aurigrid.dispatch.units import Units

_TOL = 1e-9


@dataclass(frozen=True, eq=False)
class Merged:
    """The smaller system; `unit` (n_unit,) and `injection` (n_injection,) are the rows that stand for the old ones."""

    system: System
    unit: Array
    injection: Array


def merge(system: System) -> Merged:
    """Merge identical units and injections."""
    unit, first_unit = _groups(_unit_key(system) if len(system.units) else np.zeros((0, 1)))
    injection, first = _groups(_injection_key(system) if len(system.injections) else np.zeros((0, 1)))
    old = system.injections
    taken = {f.name: getattr(old, f.name)[first] for f in dataclasses.fields(Injections)}
    for name in ("low_mw", "high_mw", "free_mw"):
        total = np.zeros((len(first), system.steps))
        np.add.at(total, injection, getattr(old, name))
        taken[name] = total
    units = (
        _settled(system.units).take(first_unit).replace(count=np.bincount(unit, system.units.count).astype(np.int64))
    )
    reserves = tuple(
        dataclasses.replace(r, unit=np.unique(unit[r.unit]), injection=np.unique(injection[r.injection]))
        for r in system.reserves
    )
    smaller = system.replace(
        units=units,
        injections=Injections(**taken),
        reserves=reserves,
        fixed_on=None if system.fixed_on is None else system.fixed_on[first_unit],
        unit_co2_t_per_mwh=system.unit_co2_t_per_mwh[first_unit],
        unit_energy_max_mwh=system.unit_energy_max_mwh[first_unit] if len(system.unit_energy_max_mwh) else np.zeros(0),
    )
    return Merged(smaller, unit, injection)


def _groups(key: Array) -> tuple[Array, Array]:
    """(n,) group of each row of a table and (groups,) first row of each, in the order of first appearance."""
    if not len(key):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[group.ravel()], np.sort(first)


def _members(reserves: tuple[Reserve, ...], table: str, n: int) -> Array:
    out = np.zeros((n, len(reserves)))
    for k, reserve in enumerate(reserves):
        out[getattr(reserve, table), k] = 1.0
    return out


def _settled(units: Units) -> Units:
    """The past, as far as it matters: time on up to min_up, time off up to the last start category."""
    lag = np.max(
        np.where(np.diff(units.start_cost, axis=1, prepend=-np.inf) > _TOL, units.start_lag, 0), axis=1, initial=0
    )
    limit = np.where(units.on_before > 0, units.min_up, np.maximum(lag, units.min_down))
    before = np.where(units.on_before > 0, units.p_before_mw, 0.0)
    return units.replace(steps_before=np.minimum(units.steps_before, limit), p_before_mw=before)


def _unit_key(system: System) -> Array:
    units = _settled(system.units)
    free = (units.ramp_up_mw >= units.range_mw - _TOL) & (units.ramp_down_mw >= units.range_mw - _TOL)
    free &= (units.min_up > 1) | (np.abs(units.start_mw - units.stop_mw) < _TOL)
    for reserve in system.reserves:
        # what a unit can offer within minutes must not depend on which of the group is on
        free &= np.isinf(reserve.minutes) | ~np.isin(np.arange(len(units)), reserve.unit)
    if system.fixed_on is not None:
        free[:] = False
    if len(system.unit_energy_max_mwh):
        free &= np.isinf(system.unit_energy_max_mwh)
    names = [f.name for f in dataclasses.fields(Units) if f.name not in ("id", "count")]
    table = [np.asarray(getattr(units, n), float).reshape(len(units), -1) for n in names]
    table += [_members(system.reserves, "unit", len(units)), system.unit_co2_t_per_mwh[:, None]]
    key = np.round(np.column_stack(table), 9)
    return np.column_stack([np.where(np.isfinite(key), key, 1e300), np.where(free, -1, np.arange(len(units)))])


def _injection_key(system: System) -> Array:
    inj = system.injections
    tied = np.isfinite(inj.ramp_up_mw) | np.isfinite(inj.ramp_down_mw)
    tied |= np.isfinite(inj.energy_min_mwh) | np.isfinite(inj.energy_max_mwh)
    alone = np.where(tied, np.arange(len(inj)), -1)
    members = _members(system.reserves, "injection", len(inj))
    return np.column_stack([inj.node, inj.cost, inj.co2_t_per_mwh, inj.group, alone, members])


def split_states(units: Units, on: Array, start: Array, stop: Array) -> Array:
    """(count, T) states of the members of one group (`units` of length 1) from its (T,) numbers on, started, stopped."""
    n, steps = int(units.count[0]), len(on)
    if n == 1:
        return on[None].astype(np.int8)
    was_on = bool(units.on_before[0])
    since = np.full(n, -float(units.steps_before[0]))
    state = np.full(n, was_on)
    out = np.zeros((n, steps), np.int8)
    last_in = int(units.min_up[0]) <= 1
    for t in range(steps):
        for number, now, latest in ((int(stop[t]), True, last_in), (int(start[t]), False, True)):
            # of those off, who stopped last starts first: its start is the cheapest
            eligible = np.flatnonzero((state == now) & (since < t))
            if not now:
                eligible = eligible[t - since[eligible] >= max(int(units.min_down[0]), 1)]
            order = eligible[np.argsort(-since[eligible] if latest else since[eligible], kind="stable")]
            picked = order[:number]
            state[picked], since[picked] = not now, t
        out[:, t] = state
    return out


def split_output(units: Units, states: Array, segment: Array) -> Array:
    """(count, T) output above p_min of a group's members from its segments (S, T), by the room of each."""
    count, steps = states.shape
    before = np.column_stack([np.full(count, units.on_before[0]), states[:, :-1]])
    after = np.column_stack([states[:, 1:], states[:, -1:]])
    starts, stops = (states > 0) & (before == 0), (states > 0) & (after == 0)
    top = units.p_min_mw[0] + np.cumsum(units.width_mw[0])
    out = np.zeros((count, steps))
    for k, width in enumerate(units.width_mw[0]):
        lost = [float(np.clip(top[k] - limit, 0.0, width)) for limit in (units.start_mw[0], units.stop_mw[0])]
        room = (states > 0) * width - np.maximum(starts * lost[0], stops * lost[1])
        total = room.sum(0)
        out += room * np.divide(segment[k], total, out=np.zeros(steps), where=total > _TOL)
    return out
