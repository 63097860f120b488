"""What may move in an optimal power flow besides voltages and units, as tables: taps, shunts, loads, HVDC links, curves.

A control's value x is scaled so that it is of the size of a voltage or a power in per unit:

| owner | value | bounds |
|---|---|---|
| `TAP` | change of ratio (pu) or of shift (rad) against the network, whichever its step changes more | first to last position |
| `SHUNT` | steps in service, as power at 1 pu | 0 to ``step_max`` |
| `SHED` | active power that a load is not given at 1 pu; its power factor stays | 0 to what it asks for |
| `LINK`, `LINK_BACK` | power drawn at the sending end, forwards and backwards | ``p_min_mw`` to ``p_max_mw`` |

A unit whose capability curve is one line through the origin (a dispatchable load of constant power factor) has no reactive power
of its own: its value is active power, and ``ratio`` times as much reactive power goes with it (`BOTH`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.kernels.pattern import Pattern, analyse
from aurigrid.kernels.system import Controls, Curves
from aurigrid.kernels.tile import OFF
from aurigrid.model.network import Network
from aurigrid.powerflow.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]
Row = tuple[Any, ...]

ACTIVE, REACTIVE, OTHER, BOTH = 0, 1, 2, 3
"""What an injection's value is: power of one kind, none of these, or active power with reactive power in proportion."""
(GEN, STORAGE, COMPENSATOR, CONVERTER_FROM, CONVERTER_TO, SHED, TAP, SHUNT, LINK, LINK_BACK, SHORT, EXCESS) = range(12)
"""What an injection belongs to; SHORT and EXCESS are power that a soft problem may invent or drop at a price, by node."""
FREE = ("taps", "shifters", "shunts", "hvdc")
"""What may be set free: ratios; phase shifts (with the ratio where a step changes both); steps of shunts; HVDC power."""


@dataclass(frozen=True)
class Freedom:
    """Which elements besides units may move.

    Attributes:
        kinds: names from `FREE`.
        shed_price: price of not serving each load, currency/MWh, by position; loads that are not named are served.
    """

    kinds: frozenset[str] = frozenset()
    shed_price: tuple[tuple[int, float], ...] = ()


FIXED = Freedom()

_NO_ROOM = 1e-9
"""Distance of reactive limits, as a share of them, below which a unit has no choice between them."""


def tap_unit(net: Network) -> Array:
    """(n_branch,) size of a position in the value of its tap: pu of ratio or rad, whichever is larger."""
    return np.maximum(np.abs(net.branch.tap_step_pu), np.deg2rad(np.abs(net.branch.tap_step_deg)))


def shunt_unit(net: Network) -> Array:
    """(n_shunt,) size of a step in the value of its shunt, pu of power at 1 pu."""
    return np.maximum(np.abs(net.shunt.g_mw), np.abs(net.shunt.b_mvar)) / net.base_mva


def free_taps(net: Network, grid: Grid, free: Freedom) -> Array:
    """Positions of branches whose tap may move."""
    t = net.branch
    turns, scales = t.tap_step_deg != 0, t.tap_step_pu != 0
    wanted = ("shifters" in free.kinds) & turns | ("taps" in free.kinds) & scales & ~turns
    live = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
    live &= grid.kind[np.maximum(grid.from_node, 0)] != OFF
    return np.flatnonzero(wanted & live & (t.tap_max > t.tap_min))


def free_shunts(net: Network, grid: Grid, free: Freedom) -> Array:
    """Positions of shunts whose steps may change."""
    s = net.shunt
    if "shunts" not in free.kinds or not len(s):
        return np.zeros(0, np.int64)
    live = s.in_service & net.bus.in_service[s.bus] & (grid.kind[grid.node_of_bus[s.bus]] != OFF)
    return np.flatnonzero(live & (s.step_max > 0) & (shunt_unit(net) > 0))


def free_links(grid: Grid, free: Freedom) -> Array:
    """Positions of HVDC links whose power may change."""
    dc = grid.net.hvdc
    if "hvdc" not in free.kinds or not len(dc):
        return np.zeros(0, np.int64)
    return np.flatnonzero(grid.hvdc_on & (dc.p_max_mw > dc.p_min_mw))


def check_taps(net: Network, issues: IssueList) -> None:
    """Refuse tap ranges that reach a ratio of 0."""
    t = net.branch
    reach = [t.tap_ratio + (edge - t.tap_pos) * t.tap_step_pu for edge in (t.tap_min, t.tap_max)]
    bad = (t.tap_max > t.tap_min) & (np.minimum(*reach) <= 0)
    if bad.any():
        issues.add("branch", "tap_step_pu", "leads to a ratio of 0 or less within the positions",
                   ids=[str(x) for x in net.branch.id[bad]], hint="check tap_min, tap_max and tap_step_pu")  # fmt: skip


def control_rows(net: Network, grid: Grid, free: Freedom) -> list[Row]:
    """Rows of `Injection` of converters, loads, taps, shunts and links; see there for the columns."""
    base, node_of, dc = grid.base_mva, grid.node_of_bus, net.hvdc
    rows: list[Row] = []
    for owner, bus, holds, lo, hi in (
        (CONVERTER_FROM, dc.from_bus, dc.regulates_from, dc.q_min_from_mvar, dc.q_max_from_mvar),
        (CONVERTER_TO, dc.to_bus, dc.regulates_to, dc.q_min_to_mvar, dc.q_max_to_mvar),
    ):
        rows += [
            (owner, k, REACTIVE, int(node_of[bus[k]]), lo[k] / base, hi[k] / base, 0.0, 0.0, 0, np.nan)
            for k in np.flatnonzero(grid.hvdc_on & holds).tolist()
        ]
    for k, price in free.shed_price:
        node = int(node_of[net.load.bus[k]])
        if net.load.in_service[k] and grid.kind[node] != OFF:
            rows.append((SHED, k, OTHER, node, 0.0, np.inf, price * base, 0.0, 0, 0.0))
    t, unit = net.branch, tap_unit(net)
    for k in free_taps(net, grid, free).tolist():
        lo, hi = ((edge - t.tap_pos[k]) * unit[k] for edge in (t.tap_min[k], t.tap_max[k]))
        rows.append((TAP, k, OTHER, int(grid.from_node[k]), lo, hi, 0.0, 0.0, 0, 0.0))
    size = shunt_unit(net)
    for k in free_shunts(net, grid, free).tolist():
        s = net.shunt
        node = int(node_of[s.bus[k]])
        rows.append((SHUNT, k, OTHER, node, 0.0, s.step_max[k] * size[k], 0.0, 0.0, 0, s.step[k] * size[k]))
    for k in free_links(grid, free).tolist():
        rows += _link_rows(net, grid, k)
    return rows


def _link_rows(net: Network, grid: Grid, k: int) -> list[Row]:
    """A link without losses is one value of either sign; with losses there is one for each direction. Fixed losses fall on
    the receiving end, so that a link that has some keeps the direction of its set-point."""
    dc, base = net.hvdc, grid.base_mva
    a, b = int(grid.node_of_bus[dc.from_bus[k]]), int(grid.node_of_bus[dc.to_bus[k]])
    lo, hi, start = dc.p_min_mw[k] / base, dc.p_max_mw[k] / base, dc.p_mw[k] / base
    if dc.loss_share[k] == 0 and dc.loss_fixed_mw[k] == 0:
        return [(LINK, k, OTHER, a, lo, hi, 0.0, 0.0, 0, start)]
    keeps = dc.loss_fixed_mw[k] > 0
    rows: list[Row] = []
    if hi > 0 and not (keeps and start < 0):
        rows.append((LINK, k, OTHER, a, max(lo, 0.0), hi, 0.0, 0.0, 0, max(start, 0.0)))
    if lo < 0 and not (keeps and start >= 0):
        rows.append((LINK_BACK, k, OTHER, b, max(-hi, 0.0), -lo, 0.0, 0.0, 0, max(-start, 0.0)))
    return rows


def pattern_of(net: Network, grid: Grid, free: Freedom) -> Pattern:
    """The power flow's pattern, or one that also joins the ends of free HVDC links."""
    links = free_links(grid, free)
    if not len(links):
        return grid.pattern
    live = grid.from_node >= 0
    node, dc = grid.node_of_bus, net.hvdc
    return analyse(
        grid.n_node, np.concatenate([grid.from_node[live], node[dc.from_bus[links]]]),
        np.concatenate([grid.to_node[live], node[dc.to_bus[links]]]),
    )  # fmt: skip


def controls_of(net: Network, grid: Grid, pattern: Pattern, injection: Any, row_of: Array, pair: Array) -> Controls:
    """The kernels' table of controls.

    Args:
        row_of: (n_branch,) row of each branch among the kernels' branches.
        pair: ascending keys ``low * n + high`` of the pairs of nodes.
    """
    position, t, unit = pattern.position, net.branch, tap_unit(net)
    tap = np.flatnonzero(injection.owner == TAP)
    k = injection.element[tap]
    start = np.column_stack(
        [
            t.tap_ratio[k],
            np.deg2rad(t.shift_deg[k]),
            t.tap_step_pu[k] / unit[k],
            np.deg2rad(t.tap_step_deg[k]) / unit[k],
        ]
    )
    sink = sinks(injection)
    link = np.flatnonzero((injection.owner == LINK) | (injection.owner == LINK_BACK))
    x, back = injection.element[link], injection.owner[link] == LINK_BACK
    dc = net.hvdc
    a, b = grid.node_of_bus[dc.from_bus[x]], grid.node_of_bus[dc.to_bus[x]]
    i, j = position[np.where(back, b, a)], position[np.where(back, a, b)]
    place = np.searchsorted(pair, np.minimum(i, j).astype(np.int64) * pattern.n + np.maximum(i, j))
    whole = [
        tap, row_of[k], start, sink, position[injection.node[sink]], link, i, j, place, (i > j), 1.0 - dc.loss_share[x]
    ]  # fmt: skip
    kinds = (np.int32, np.int32, float, np.int32, np.int32, np.int32, np.int32, np.int32, np.int32, np.int8, float)
    return Controls(*(np.ascontiguousarray(v, dtype=kind) for v, kind in zip(whole, kinds, strict=True)))


def sinks(injection: Any) -> Array:
    """Rows of values that consume at one node, active and reactive power in fixed shapes."""
    return np.flatnonzero((injection.owner == SHED) | (injection.owner == SHUNT) | (injection.axis == BOTH))


def power_ratios(net: Network) -> Array:
    """(n_gen,) reactive power per active power of units that have no choice of it, NaN for the others.

    Those are units whose capability curve has equal upper and lower limits along one line through the origin.
    """
    cap, ratio = net.capability, np.full(net.n_gen, np.nan)
    for g in np.unique(cap.gen).tolist():
        rows = np.flatnonzero(cap.gen == g)
        p, q = cap.p_mw[rows], cap.q_max_mvar[rows]
        largest = np.argmax(np.abs(p))
        if p[largest] == 0 or len(rows) < 2:
            continue
        slope = q[largest] / p[largest]
        tight = _NO_ROOM * max(1.0, float(np.abs(q).max()))
        if (np.abs(cap.q_min_mvar[rows] - q) <= tight).all() and (np.abs(q - slope * p) <= tight).all():
            ratio[g] = slope
    return ratio


def curves_of(net: Network, injection: Any, base: float) -> Curves:
    """The kernels' table of capability curves, its inequalities not numbered yet.

    A limit that is linear between points becomes the cuts along its pieces: exact for a convex region, else on the safe side.
    """
    cap = net.capability
    first, last, reactive, ptr, cuts = [], [], [], [0], []
    for g in np.unique(cap.gen).tolist():
        mine = np.flatnonzero((injection.owner == GEN) & (injection.element == g))
        if not len(mine) or (injection.axis[mine] == BOTH).any():
            continue
        p_rows, q_row = mine[injection.axis[mine] == ACTIVE], mine[injection.axis[mine] == REACTIVE][0]
        rows = np.flatnonzero(cap.gen == g)
        rows = rows[np.argsort(cap.p_mw[rows], kind="stable")]
        p = cap.p_mw[rows] / base
        found = []
        for sign, q in ((1.0, cap.q_max_mvar[rows] / base), (-1.0, -cap.q_min_mvar[rows] / base)):
            found += [(-slope, sign, at) for slope, at in _lines(p, q)]
        cuts += found
        first.append(p_rows[0])
        last.append(p_rows[-1] + 1)
        reactive.append(q_row)
        ptr.append(len(cuts))
    a, b, q_row_of, pointers = (np.array(v, np.int32) for v in (first, last, reactive, ptr))
    cut = np.array(cuts, float).reshape(-1, 3)
    return Curves(a, b, q_row_of, pointers, cut, np.zeros(len(cut), np.int32))


def _lines(p: Array, q: Array) -> list[tuple[float, float]]:
    """Slope and value at 0 of the lines along which a limit runs, without repetition; lines without limit are left out."""
    lines = []
    if len(p) == 1 or np.ptp(p) == 0:
        lines = [(0.0, float(q.min()))]
    for a in range(len(p) - 1):
        if p[a + 1] > p[a]:
            slope = (q[a + 1] - q[a]) / (p[a + 1] - p[a])
            lines.append((float(slope), float(q[a] - slope * p[a])))
    kept: list[tuple[float, float]] = []
    for line in lines:
        if np.isfinite(line).all() and not any(np.allclose(line, other, atol=1e-12) for other in kept):
            kept.append(line)
    return kept
