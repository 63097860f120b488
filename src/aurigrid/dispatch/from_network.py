"""A `Network` and its `Profiles` as a `System`: plants that are switched, plants that are not, demand by node, stores, links.

Weather-driven units and units that can run at 0 and cost nothing to start are injections; all others are `Units`. A series of
``gen.p_mw`` says what a weather-driven unit could give and what a dispatchable load asks for; of other units it is only the
output before the first step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.system import ELASTIC, WEATHER_DRIVEN, Array, Injections, Links, Shifters, Stores, System
from aurigrid.dispatch.units import Units
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.grid import Grid

WEATHER = ("wind", "solar", "hydro")
"""Fuels whose series is what the weather allows."""

_QUADRATIC_SEGMENTS = 4
_LONG_H = 1e4
_SAME_MW = 1e-6
_STORE_H = 6.0


@dataclass(frozen=True, eq=False)
class Bound:
    """A system and where its rows come from.

    Attributes:
        system: the tables.
        unit, injection: (n,) positions in ``net.gen`` (injections of shiftable and elastic load: -1 - position in ``net.load``).
        store, link: (n,) positions in ``net.storage`` and ``net.hvdc``.
        time: (T,) start of each step.
        notes: what was assumed, in words.
        node_of_bus: (n_bus,) electrical node of each bus, -1 for none.
    """

    system: System
    unit: Array
    injection: Array
    store: Array
    link: Array
    time: Array
    notes: tuple[str, ...]
    node_of_bus: Array


def series(net: Network, profiles: Profiles, table: str, column: str) -> tuple[Array, Array]:
    """(T, n) values of a column of a table at every step, and (n,) whether a series gives them."""
    base = getattr(getattr(net, table), column)
    out = np.repeat(np.asarray(base, float)[None], len(profiles), 0)
    given = np.zeros(len(base), bool)
    found = profiles.series.get((table, column))
    if found is not None:
        out[:, found.position] = found.read(0, len(profiles))
        given[found.position] = True
    return out, given


def bind(
    net: Network,
    grid: Grid,
    profiles: Profiles,
    start_costs: Array,
    *,
    shiftable: Array,
    budget_mwh: Array,
    elastic: Sequence[tuple[int, float, float]] = (),
    shifters: bool = False,
    **prices: Any,
) -> Bound:
    """Build the system.

    Args:
        net: a valid network with costs.
        grid: its electrical nodes.
        profiles: the horizon; every step of it is scheduled.
        start_costs: (n_gen, 3) hot, warm and cold start of each unit; NaN: ``gen.start_cost`` in every state.
        shiftable: (n_load,) share of each load that may be moved within the horizon.
        budget_mwh: (n_gen,) energy of each unit over the horizon, NaN for no budget.
        elastic: parts of loads that are served up to a price: position in ``net.load``, share, currency/MWh.
        shifters: whether phase shifters may turn.
        prices: passed to `System`.
    """
    h = profiles.step_min / 60.0
    notes: list[str] = []
    gen, root = net.gen, grid.node_of_bus
    load, _ = series(net, profiles, "load", "p_mw")
    load = load * (net.load.in_service & net.bus.in_service[net.load.bus])
    demand = np.zeros((grid.n_node, len(profiles)))
    flexible = shiftable.astype(float)
    np.add.at(flexible, [k for k, _, _ in elastic], [share for _, share, _ in elastic])
    fixed = load * (1.0 - flexible)
    np.add.at(demand, root[net.load.bus], fixed.T)
    demand += (grid.shunt_y.real * net.base_mva)[:, None]
    p, given = series(net, profiles, "gen", "p_mw")
    fuel = np.char.lower(gen.fuel.astype(str))
    live = gen.in_service & net.bus.in_service[gen.bus]
    weather = np.isin(fuel, WEATHER)
    low, high = _limits(net, p, float(load.sum(1).max(initial=0.0)), notes)
    must = (low > 0) | (gen.start_cost > 0) | (gen.min_up_h > 0) | (gen.min_down_h > 0) | (gen.cost_c0_per_h > 0)
    switched = must & ~weather & (high > 0)
    rising = [
        g for g in np.flatnonzero(live & sinks(net)).tolist() if (np.diff(_curve(net, g, low[g], high[g])[2]) < 0).any()
    ]
    if rising:
        told = ", ".join(map(str, gen.id[rising][:5]))
        notes.append(
            f"gen: {len(rising)} dispatchable loads pay more for later MW than for the first ({told}): those first"
        )
    unit = np.flatnonzero(live & switched)
    rest = np.flatnonzero(live & ~switched & ((high > low) | (high != 0)))
    injections, rows = _injections(net, grid, rest, low, high, p, given & (weather | sinks(net)), budget_mwh, h)
    injections, rows = _with_shiftable(injections, rows, net, grid, load, shiftable, h)
    injections, rows = _with_elastic(injections, rows, net, grid, load, elastic)
    stores, store = _stores(net, grid, len(profiles), notes)
    links, link = _links(net, grid, notes)
    units = _units(net, grid, unit, low, high, start_costs, p[0], h)
    system = System(
        h, units, injections, demand, grid.island.astype(np.int64), stores, links,
        shifters=_shifters(net, grid) if shifters else Shifters.none(),
        unit_co2_t_per_mwh=np.nan_to_num(gen.co2_t_per_mwh[unit]),
        unit_energy_max_mwh=_budgets(budget_mwh, unit),
        **prices,
    )  # fmt: skip
    return Bound(system, unit, rows, store, link, profiles.time, tuple(notes), root)


def _budgets(budget: Array, unit: Array) -> Array:
    """(n_unit,) budgets of switched units, inf for none; empty where none has one."""
    mine = np.where(np.isnan(budget), np.inf, budget)[unit]
    return mine if np.isfinite(mine).any() else np.zeros(0)


def _limits(net: Network, p: Array, peak: float, notes: list[str]) -> tuple[Array, Array]:
    """Output limits; a unit without an upper one could give the most of its series, what stands for the rest of the world all."""
    gen = net.gen
    low = np.where(np.isfinite(gen.p_min_mw), gen.p_min_mw, 0.0)
    most = np.maximum(np.maximum(p.max(0, initial=0.0), gen.p_mw), 0.0)
    high = np.where(np.isfinite(gen.p_max_mw), gen.p_max_mw, np.where(gen.is_reference, max(peak, 0.0), most))
    unknown = ~np.isfinite(gen.p_max_mw)
    for bad, what in (
        (~np.isfinite(gen.p_min_mw), "no lower limit: 0 MW"),
        (unknown & gen.is_reference, "no upper limit and hold an angle reference: peak load"),
        (unknown & ~gen.is_reference, "no upper limit: the largest output that network and series have for them"),
    ):
        if bad.any():
            notes.append(f"gen: {int(bad.sum())} units have {what} taken")
    return low, np.maximum(high, low)


def sinks(net: Network) -> Array:
    """(n_gen,) whether a unit is a dispatchable load: it only takes, and pays what its cost curve says for it."""
    gen = net.gen
    weather = np.isin(np.char.lower(gen.fuel.astype(str)), WEATHER)
    return np.asarray((gen.p_max_mw <= 0) & (gen.p_min_mw < 0) & np.isfinite(gen.p_min_mw) & ~weather)


def _curve(net: Network, g: int, low: float, high: float) -> tuple[float, Array, Array]:
    """Cost at the lower limit (currency/h), widths and slopes of the segments above it."""
    gen, points = net.gen, net.cost_point
    mine = points.gen == g
    if mine.any():
        at, cost = points.p_mw[mine], points.cost_per_h[mine]
        knots = np.unique(np.clip(np.r_[low, at, high, 0.0 if len(at) > 2 else low], low, high))
        # points and limits that a file's rounding sets apart are one: the slope between them would be noise
        knots = knots[np.diff(knots, prepend=-np.inf) > _SAME_MW]
        slopes = np.diff(cost) / np.diff(at) if len(at) > 1 else np.zeros(1)
        place = np.clip(np.searchsorted(at, knots, side="right") - 1, 0, len(slopes) - 1)
        value = cost[place] + slopes[place] * (knots - at[place])
    else:
        quadratic = gen.cost_c2_per_mw2h[g] != 0
        knots = np.linspace(low, high, (_QUADRATIC_SEGMENTS if quadratic else 1) + 1) if high > low else np.array([low])
        knots = np.unique(np.r_[knots, 0.0]) if quadratic and low < 0 < high else knots
        value = gen.cost_c0_per_h[g] + gen.cost_c1_per_mwh[g] * knots + gen.cost_c2_per_mw2h[g] * knots**2
    return float(value[0]), np.diff(knots), np.diff(value) / np.diff(knots)


def _units(
    net: Network, grid: Grid, rows: Array, low: Array, high: Array, starts: Array, was: Array, h: float
) -> Units:
    gen = net.gen
    curves = [_curve(net, g, low[g], high[g]) for g in rows.tolist()]
    s = max((len(width) for _, width, _ in curves), default=1)
    width, slope = np.zeros((len(rows), max(s, 1))), np.zeros((len(rows), max(s, 1)))
    for i, (_, w, c) in enumerate(curves):
        width[i, : len(w)], slope[i, : len(c)] = w, h * c
    up, down = (60.0 * h * r[rows] for r in (gen.ramp_up_mw_per_min, gen.ramp_down_mw_per_min))
    up, down = (np.where(np.isfinite(r), r, np.inf) for r in (up, down))
    min_up, min_down = (np.ceil(t[rows] / h - 1e-9).astype(np.int64) for t in (gen.min_up_h, gen.min_down_h))
    off = np.maximum(min_down, 1)
    cost = np.where(np.isfinite(starts[rows]), starts[rows], gen.start_cost[rows][:, None])
    cost = np.maximum.accumulate(cost, axis=1)
    # warm after twice, cold after five times the least time off: the spread of the RTS-GMLC's steam units
    lag = np.column_stack([off, 2 * off, 5 * off])
    on = was[rows] > 0
    return Units(
        id=gen.id[rows], node=grid.node_of_bus[gen.bus[rows]].astype(np.int64), count=np.ones(len(rows), np.int64),
        p_min_mw=low[rows], p_max_mw=high[rows], ramp_up_mw=up, ramp_down_mw=down,
        start_mw=np.minimum(np.maximum(low[rows], up), high[rows]), stop_mw=np.minimum(np.maximum(low[rows], down), high[rows]),
        min_up=min_up, min_down=min_down, must_run=np.zeros(len(rows), bool), on_before=on.astype(np.int64),
        steps_before=np.full(len(rows), int(_LONG_H / h)),
        p_before_mw=np.where(on, np.clip(was[rows], low[rows], high[rows]), 0.0),
        start_lag=lag, start_cost=cost, stop_cost=gen.stop_cost[rows],
        cost_min=h * np.array([c for c, _, _ in curves]).reshape(len(rows)), width_mw=width, slope=slope,
    )  # fmt: skip


def _injections(
    net: Network, grid: Grid, rows: Array, low: Array, high: Array, p: Array, bound: Array, budget: Array, h: float
) -> tuple[Injections, Array]:
    """One row a segment of the cost curve: convexity fills them in order. The first carries a lower limit above 0; segments
    below 0 take, each from nothing to its width, so that together they cost what the curve says beyond its value at 0."""
    gen, n, takes = net.gen, p.shape[0], sinks(net)
    part: list[tuple[int, Array, Array, float, bool]] = []
    for g in rows.tolist():
        if bound[g] and not takes[g]:
            top = np.maximum(p[:, g], 0.0)
            part.append((g, np.minimum(max(low[g], 0.0), top), top, float(gen.cost_c1_per_mwh[g]), True))
            continue
        _, width, slope = _curve(net, g, low[g], high[g])
        if not len(width):
            part.append((g, np.full(n, low[g]), np.full(n, low[g]), 0.0, True))
        above = low[g] + np.r_[0.0, np.cumsum(width)]
        asked = np.minimum(-p[:, g], -low[g]) if bound[g] else np.full(n, np.inf)
        for k, (w, c) in enumerate(zip(width, slope, strict=True)):
            one = len(width) == 1
            if takes[g] or (not one and above[k + 1] <= _SAME_MW):
                # what pays most is next to 0, and served first
                most = np.clip(asked + above[k + 1], 0.0, w)
                part.append((g, -most, np.zeros(n), float(c), one))
                continue
            base = low[g] if one or (k == 0 and low[g] > 0) else 0.0
            part.append((g, np.full(n, base), np.full(n, base + w), float(c), one))
    at = np.array([g for g, *_ in part], np.int64)
    single = np.array([one for *_, one in part], bool)
    ramp = 60.0 * h * gen.ramp_up_mw_per_min[at], 60.0 * h * gen.ramp_down_mw_per_min[at]
    ramps = [np.where(single & ~bound[at], r, np.inf) for r in ramp]
    energy = np.where(single, budget[at], np.nan)
    made = Injections.of(
        gen.id[at],
        np.array([lo for _, lo, *_ in part]).reshape(len(part), n),
        np.array([hi for _, _, hi, *_ in part]).reshape(len(part), n),
        node=grid.node_of_bus[gen.bus[at]].astype(np.int64),
        cost=np.array([c for *_, c, _ in part]),
        ramp_up_mw=ramps[0],
        ramp_down_mw=ramps[1],
        energy_max_mwh=np.where(np.isfinite(energy), energy, np.inf),
        co2_t_per_mwh=np.nan_to_num(gen.co2_t_per_mwh[at]),
        group=np.where(
            takes, ELASTIC, np.where(np.isin(np.char.lower(gen.fuel.astype(str)), WEATHER), WEATHER_DRIVEN, 0)
        )[at],
    )
    return made, at


def _with_shiftable(
    inj: Injections, rows: Array, net: Network, grid: Grid, load: Array, share: Array, h: float
) -> tuple[Injections, Array]:
    """Append load that may be moved: up to twice its share in any step, all of its energy within the horizon."""
    at = np.flatnonzero(share > 0)
    if not len(at):
        return inj, rows
    moved = (load * share)[:, at].T
    energy = -h * moved.sum(1)
    extra = Injections.of(
        net.load.id[at], -2.0 * moved, np.zeros_like(moved), node=grid.node_of_bus[net.load.bus[at]].astype(np.int64),
        energy_min_mwh=energy, energy_max_mwh=energy,
    )  # fmt: skip
    return _joined(inj, extra), np.r_[rows, -1 - at]


def _with_elastic(
    inj: Injections, rows: Array, net: Network, grid: Grid, load: Array, parts: Sequence[tuple[int, float, float]]
) -> tuple[Injections, Array]:
    """Append parts of loads that are served up to a price; what they go without costs that price."""
    if not len(parts):
        return inj, rows
    at = np.array([k for k, _, _ in parts], np.int64)
    asked = np.maximum(load[:, at] * np.array([share for _, share, _ in parts]), 0.0).T
    extra = Injections.of(
        net.load.id[at], -asked, np.zeros_like(asked), node=grid.node_of_bus[net.load.bus[at]].astype(np.int64),
        cost=np.array([price for _, _, price in parts]), free_mw=-asked, group=np.full(len(at), ELASTIC),
    )  # fmt: skip
    return _joined(inj, extra), np.r_[rows, -1 - at]


def _joined(inj: Injections, extra: Injections) -> Injections:
    names = [f.name for f in dataclasses.fields(Injections)]
    return Injections(**{n: np.concatenate([getattr(inj, n), getattr(extra, n)]) for n in names})


def _stores(net: Network, grid: Grid, steps: int, notes: list[str]) -> tuple[Stores, Array]:
    s = net.storage
    at = np.flatnonzero(s.in_service & net.bus.in_service[s.bus] & (np.isfinite(s.p_max_mw) | np.isfinite(s.p_min_mw)))
    if not len(at):
        return Stores.none(steps), at
    out = np.where(np.isfinite(s.p_max_mw[at]), np.maximum(s.p_max_mw[at], 0.0), 0.0)
    into = np.where(np.isfinite(s.p_min_mw[at]), np.maximum(-s.p_min_mw[at], 0.0), out)
    room = np.where(np.isfinite(s.energy_max_mwh[at]), s.energy_max_mwh[at], _STORE_H * out)
    stored = np.where(np.isfinite(s.energy_mwh[at]), s.energy_mwh[at], 0.5 * room)
    for bad, what in (
        (s.energy_max_mwh[at], f"capacity: {_STORE_H:g} h of output"),
        (s.energy_mwh[at], "content: half"),
    ):
        if np.isnan(bad).any():
            notes.append(f"storage: {int(np.isnan(bad).sum())} have no {what} taken")
    stored = np.minimum(stored, room)
    return Stores(
        s.id[at], grid.node_of_bus[s.bus[at]].astype(np.int64), into, out, room, stored, stored.copy(),
        s.charge_efficiency[at], s.discharge_efficiency[at], np.zeros((len(at), steps)), np.zeros(len(at)),
    ), at  # fmt: skip


def _shifters(net: Network, grid: Grid) -> Shifters:
    """Branches in service whose positions change the phase shift."""
    t = net.branch
    at = np.flatnonzero(
        (grid.from_node >= 0) & (grid.from_node != grid.to_node) & (t.tap_step_deg != 0) & (t.tap_max > t.tap_min)
    )
    reach = np.sort([(edge[at] - t.tap_pos[at]) * t.tap_step_deg[at] for edge in (t.tap_min, t.tap_max)], axis=0)
    return Shifters(t.id[at], at, grid.from_node[at].astype(np.int64), reach[0], reach[1])


def _links(net: Network, grid: Grid, notes: list[str]) -> tuple[Links, Array]:
    d = net.hvdc
    at = np.flatnonzero(grid.hvdc_on) if grid.hvdc_on.dtype == bool else np.asarray(grid.hvdc_on)
    if not len(at):
        return Links.none(), at
    known = np.isfinite(d.p_max_mw[at])
    size = np.abs(d.p_mw[at])
    forward = np.where(known, np.maximum(d.p_max_mw[at], 0.0), size)
    backward = np.where(np.isfinite(d.p_min_mw[at]), np.maximum(-d.p_min_mw[at], 0.0), forward)
    if (~known).any():
        notes.append(f"hvdc: {int((~known).sum())} links have no limit: their present power taken")
    if d.loss_fixed_mw[at].any():
        notes.append("hvdc: fixed losses are left out")
    node = grid.node_of_bus
    return Links(
        d.id[at],
        node[d.from_bus[at]].astype(np.int64),
        node[d.to_bus[at]].astype(np.int64),
        forward,
        backward,
        d.loss_share[at],
    ), at
