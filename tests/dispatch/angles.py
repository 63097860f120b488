"""A meshed grid of four buses, and the least cost of an hour by a problem in angles with a copy of the grid for each outage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog

from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

TURN_PRICE = 0.01
Sinks = Sequence[tuple[int, float, float]]
"""Position of the bus, MW and currency/MWh."""


def meshed(step_deg: float = 1.5) -> Network:
    """Cheap power at A, dear power at C; two circuits from A to B, one from A to C with a phase shifter of 21 positions."""
    return Network(
        bus=BusTable.make(id=["A", "B", "C", "D"], v_nom_kv=220.0),
        branch=BranchTable.make(
            id=["AB", "AB2", "AC", "BC", "CD", "BD"], from_bus=[0, 0, 0, 1, 2, 1], to_bus=[1, 1, 2, 2, 3, 3],
            x_pu=[0.1, 0.12, 0.05, 0.1, 0.1, 0.2], rate_mva=[50, 50, 45, 50, 40, 40], rate_short_mva=[72, 72, 66, 60, 48, 48],
            shift_deg=[0, 0, 1.0, 0, 0, 0], tap_step_deg=[0, 0, step_deg, 0, 0, 0], tap_pos=[0, 0, 2, 0, 0, 0],
            tap_min=[0, 0, -8, 0, 0, 0], tap_max=[0, 0, 12, 0, 0, 0],
        ),
        gen=GenTable.make(
            id=["cheap", "dear"], bus=[0, 2], is_reference=[True, False], regulates=True, p_min_mw=0.0, p_max_mw=[200, 150],
            cost_c1_per_mwh=[10, 50], co2_t_per_mwh=0.4, ramp_up_mw_per_min=100.0, ramp_down_mw_per_min=100.0,
        ),
        load=LoadTable.make(id=["b", "d"], bus=[1, 3], p_mw=[60, 60], q_mvar=0.0),
        name="meshed",
    )  # fmt: skip


def steps_of(net: Network, load: np.ndarray) -> Profiles:
    time = np.datetime64("2020-03-02T00:00") + np.arange(len(load)) * np.timedelta64(60, "m")
    return Profiles(time, {("load", "p_mw"): (load, list(range(net.n_load)))}, step_min=60)


def least_cost(net: Network, load: np.ndarray, *, outages: bool, turns: bool = False, sinks: Sinks = ()) -> float:
    """Cost of one hour: outputs, shifts and an angle a bus and state, in pu of the base power and rad.

    Args:
        sinks: buses that take up to that many MW at up to that price a MWh; what they take is worth it.
    """
    b, base = net.branch, net.base_mva
    gives = np.flatnonzero(net.gen.p_max_mw > 0)
    gen = net.gen.take(gives)
    g, m, n, w = len(gen), net.n_branch, net.n_bus, len(sinks)
    free = np.flatnonzero((b.tap_step_deg != 0) & (b.tap_max > b.tap_min)) if turns else np.zeros(0, int)
    y = 1.0 / (b.x_pu * b.tap_ratio)
    node = np.arange(n)
    for i, j in zip(net.switch.from_bus, net.switch.to_bus, strict=True):
        node[node == node[j]] = node[i]
    start, end = node[b.from_bus], node[b.to_bus]
    states = [-1]
    for k in range(m if outages else 0):
        reached = {int(node[0])}
        for _ in range(n):
            for i in (i for i in range(m) if i != k):
                ends = {int(start[i]), int(end[i])}
                reached |= ends if reached & ends else set()
        states += [k] if len(reached) == len(np.unique(node)) else []
    f = len(free)
    size = g + 2 * f + w + n * len(states)
    cost = np.zeros(size)
    cost[:g] = gen.cost_c1_per_mwh * base
    taken = g + 2 * f + np.arange(w)
    cost[taken] = [-price * base for _, _, price in sinks]
    cost[g : g + 2 * f] = TURN_PRICE * np.rad2deg(1.0)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    lower[:g], upper[:g] = gen.p_min_mw / base, gen.p_max_mw / base
    lower[taken], upper[taken] = 0.0, [mw / base for _, mw, _ in sinks]
    ends = np.sort([(e[free] - b.tap_pos[free]) * np.deg2rad(b.tap_step_deg[free]) for e in (b.tap_min, b.tap_max)], 0)
    lower[g : g + 2 * f], upper[g : g + f], upper[g + f : g + 2 * f] = 0.0, ends[1], -ends[0]
    equal, right, below, most = [], [], [], []
    for s, k in enumerate(states):
        first = g + 2 * f + w + s * n
        balance = np.zeros((n, size))
        need = np.bincount(node[net.load.bus], load, minlength=n) / base
        np.add.at(balance, (node[gen.bus], np.arange(g)), 1.0)
        np.add.at(balance, (node[[bus for bus, _, _ in sinks]], taken), -1.0)
        for i in (i for i in range(m) if i != k):
            flow, fixed = np.zeros(size), -y[i] * np.deg2rad(b.shift_deg[i])
            flow[[first + start[i], first + end[i]]] = y[i], -y[i]
            for at in np.flatnonzero(free == i):
                flow[g + at], flow[g + f + at] = -y[i], y[i]
            balance[start[i]] -= flow
            balance[end[i]] += flow
            need[start[i]] += fixed
            need[end[i]] -= fixed
            rate = b.rate_mva[i] if k < 0 or not np.isfinite(b.rate_short_mva[i]) else b.rate_short_mva[i]
            if np.isfinite(rate):
                below += [flow, -flow]
                most += [rate / base - fixed, rate / base + fixed]
        lower[first] = upper[first] = 0.0
        equal.append(balance)
        right.append(need)
    done = linprog(
        cost, np.array(below), np.array(most), np.vstack(equal), np.concatenate(right), np.column_stack([lower, upper])
    )
    assert done.status == 0, done.message
    return float(done.fun)
