"""Outages of elements as sparse edits of their nodes: injections, limits, set-points and shares that go with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.kernels.tile import REF
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import Injections, hvdc_arriving_mw, precedence, regulating_units
from aurigrid.powerflow.sums import node_sums

Array = np.ndarray[Any, np.dtype[Any]]

_NO_SHARE = 1e-9
"""Slack shares of an island, which sum to 1, count as none below this."""


@dataclass(frozen=True, eq=False)
class Edits:
    """Sparse changes of node injections and limits, pu, sorted by case."""

    case: Array
    node: Array
    p: Array
    q: Array
    q_min: Array
    q_max: Array
    alpha: Array
    v: Array
    zip: Array
    free: Array

    @classmethod
    def join(cls, parts: list[Edits]) -> Edits:
        parts = [x for x in parts if len(x.case)] or parts[:1]
        if len(parts) == 1:
            return parts[0]
        columns = {name: np.concatenate([getattr(x, name) for x in parts]) for name in cls.__dataclass_fields__}
        order = np.argsort(columns["case"], kind="stable")
        return cls(**{name: values[order] for name, values in columns.items()})


def _edit(case: Array, node: Array, **values: Array) -> Edits:
    zero = np.zeros(len(case))
    full = {name: values.get(name, zero) for name in ("p", "q", "q_min", "q_max", "alpha", "v", "free")}
    return Edits(case, node, **full, zip=values.get("zip", np.zeros((len(case), 4))))


_NO_EDITS = _edit(np.zeros(0, np.int32), np.zeros(0, np.int32))


def _regulators_of(grid: Grid, pairs: Pairs, table: str) -> Pairs:
    """The regulators that outages of units or HVDC links take away, by case; a link has one at each end."""
    reg, tables = grid.regulators, {"gen": (0,), "hvdc": (2, 3)}[table]
    case, which = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for kind in tables if len(pairs.case) else ():
        place = np.full(len(getattr(grid.net, table)), -1)
        mine = np.flatnonzero(reg.table == kind)
        place[reg.element[mine]] = mine
        hit = place[pairs.element] >= 0
        case.append(pairs.case[hit])
        which.append(place[pairs.element[hit]])
    return Pairs(np.concatenate(case), np.concatenate(which))


def _regulators_beyond(grid: Grid, cases: Cases) -> tuple[Array, Array]:
    """Pairs (case, regulator) that an outage beyond those of the cases' rows takes away."""
    parts = [_regulators_of(grid, cases.beyond(table), table) for table in ("gen", "hvdc")]
    return np.concatenate([p.case for p in parts]), np.concatenate([p.element for p in parts])


def regulators_out(grid: Grid, cases: Cases, at: Array | None = None) -> tuple[Array, Array]:
    """Pairs (case, regulator) that an outage of a unit or an HVDC link takes away.

    Args:
        at: (n_node,) bool, nodes whose regulators are asked for; all where absent.
    """
    case, which = _regulators_beyond(grid, cases)
    of_rows = _regulators_of(grid, cases.row_out, "gen")
    if at is not None:
        mine, theirs = at[grid.regulators.node[which]], at[grid.regulators.node[of_rows.element]]
        case, which = case[mine], which[mine]
        of_rows = Pairs(of_rows.case[theirs], of_rows.element[theirs])
    if len(of_rows.case):
        every = cases.of_rows(of_rows)
        case, which = np.concatenate([every.case, case]), np.concatenate([every.element, which])
    return case, which


def without_dead_links(grid: Grid, cases: Cases, off: Pairs) -> Cases:
    """The cases with HVDC links out that lose the supply at an end: a link cannot run on one converter."""
    if not len(off.case):
        return cases
    ends = [
        (grid.node_of_bus[bus], k)
        for k in np.flatnonzero(grid.hvdc_on)
        for bus in (grid.net.hvdc.from_bus[k], grid.net.hvdc.to_bus[k])
    ]
    if not ends:
        return cases
    found = [
        Pairs(off.case[at], np.full(int(at.sum()), k, np.int32))
        for node, k in ends
        if (at := off.element == node).any()
    ]
    out = cases.pairs("hvdc")
    for pairs in found:
        out = merge_pairs(out, pairs, len(grid.net.hvdc))
    return replace(cases, out={**cases.out, "hvdc": out})


def _next_set_points(grid: Grid, cases: Cases, own: Array, off: Array, case: Array, r: Array) -> Edits:
    """Changes of set-point where the regulator that decides is out and another one at its node goes on.

    Args:
        off: (n_row or 1, k) regulators that are out in every case of a row: what they leave is where the changes begin.
    """
    node, order = grid.regulators.node, precedence(grid)
    start, end = np.searchsorted(node[order], node), np.searchsorted(node[order], node, side="right")
    row = cases.row[case] if len(off) > 1 else np.zeros(len(case), np.int64)
    at, last = start[r], end[r] - 1
    while (step := (at < last) & off[row, order[at]]).any():
        at = at + step
    first = order[at] == r
    case_of, lost, row, at, last = case[first].astype(np.int64), r[first], row[first], at[first], last[first]
    is_out = case.astype(np.int64) * len(node) + r

    def gone() -> Array:
        found: Array = np.isin(case_of * len(node) + order[at], is_out) | off[row, order[at]]
        return found

    while (step := (at < last) & gone()).any():
        at = at + step
    goes_on = ~gone()
    case_of, lost, heir = case_of[goes_on], lost[goes_on], order[at[goes_on]]
    row = cases.row[case_of] if len(own) > 1 else np.zeros(len(case_of), np.int64)
    return _edit(case_of, node[lost], v=own[row, heir] - own[row, lost])


def edits_of(grid: Grid, cases: Cases, inj: Injections, low: Array, high: Array, alpha: Array, own: Array) -> Edits:
    """What the cases' outages change beyond those of their rows.

    Args:
        low, high, own: (n_row or 1, k) reactive limits and set-points of regulators, pu; alpha: (n_gen,) slack shares.
    """
    net, base = grid.net, grid.base_mva
    node_of = grid.node_of_bus
    parts = [_NO_EDITS]
    pairs = cases.beyond("gen")
    if len(pairs.case):
        row, g = cases.row[pairs.case], pairs.element
        on = net.gen.in_service[g].astype(float)
        fixed = (~regulating_units(grid))[g] * on
        parts.append(
            _edit(
                pairs.case, node_of[net.gen.bus[g]], p=-inj.at("gen_p", row, g) / base * on,
                q=-inj.at("gen_q", row, g) / base * fixed, alpha=-alpha[g],
            )
        )  # fmt: skip
    pairs = cases.pairs("load")
    if len(pairs.case):
        row, d = cases.row[pairs.case], pairs.element
        on = net.load.in_service[d].astype(float)
        load = net.load
        p, q = inj.at("load_p", row, d) / base * on, inj.at("load_q", row, d) / base * on
        parts.append(
            _edit(
                pairs.case, node_of[load.bus[d]], p=p * (1 - load.p_share_z - load.p_share_i)[d],
                q=q * (1 - load.q_share_z - load.q_share_i)[d],
                zip=np.column_stack(
                    [p * load.p_share_i[d], p * load.p_share_z[d], q * load.q_share_i[d], q * load.q_share_z[d]]
                ),
            )
        )  # fmt: skip
    pairs = cases.pairs("hvdc")
    if len(pairs.case):
        k, dc = pairs.element, net.hvdc
        on = grid.hvdc_on[k].astype(float)
        sent, arriving = hvdc_arriving_mw(net, inj.hvdc_p)
        row = cases.row[pairs.case] if len(inj.hvdc_p) > 1 else np.zeros(len(k), np.int64)
        for bus, mw, q, holds in (
            (dc.from_bus, sent, dc.q_from_mvar, dc.regulates_from),
            (dc.to_bus, arriving, dc.q_to_mvar, dc.regulates_to),
        ):
            fixed_q = np.where(holds, 0.0, q)[k]
            parts.append(_edit(pairs.case, node_of[bus[k]], p=-mw[row, k] / base * on, q=-fixed_q / base * on))
    case, r = _regulators_beyond(grid, cases)
    if len(case):
        row = cases.row[case] if len(low) > 1 else np.zeros(len(case), np.int64)
        node = grid.regulators.node[r]
        off = _off_in_rows(grid, cases)
        left = node_sums(grid.regulators.node, (~off).astype(float), grid.n_node)
        key = case.astype(np.int64) * grid.n_node + node
        unique, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
        of = cases.row[unique // grid.n_node] if len(off) > 1 else 0
        lost = count == left[of, unique % grid.n_node]
        parts.append(_edit(case, node, q_min=-low[row, r], q_max=-high[row, r], free=lost[inverse].astype(float)))
        parts.append(_next_set_points(grid, cases, own, off, case, r))
    return Edits.join(parts)


def _off_in_rows(grid: Grid, cases: Cases) -> Array:
    """(n_row or 1, k) regulators that are out in every case of a row."""
    pairs = _regulators_of(grid, cases.row_out, "gen")
    off = np.zeros((cases.scenarios.n if len(pairs.case) else 1, len(grid.regulators.node)), bool)
    off[pairs.case, pairs.element] = True
    return off


def edits_of_rows(
    grid: Grid, cases: Cases, inj: Injections, low: Array, high: Array, alpha: Array, own: Array
) -> Edits:
    """What the outages that all cases of a row share change: `edits_of` with rows in the place of cases."""
    sc = cases.scenarios
    return edits_of(
        grid, Cases(sc, np.arange(sc.n, dtype=np.int32), {"gen": cases.row_out}), inj, low, high, alpha, own
    )


def reference_share(grid: Grid, edits: Edits, off: Pairs, alpha: Array, row: Array) -> Edits:
    """Edits that hand the balance of an island to its reference where all units that share in it are out.

    Args:
        off: pairs (case, node) without supply.
        alpha: (n_row or 1, n_node) shares before the edits; row: (n,) int32 row that each case takes.
    """
    if len(alpha) == 1:
        row = np.zeros_like(row)
    if not (edits.alpha.any() or alpha[row[off.case], off.element].any()):
        return _NO_EDITS
    reference = np.flatnonzero(grid.kind == REF)
    place = np.full(grid.n_island, -1)
    place[grid.island[reference]] = reference
    case, node = np.concatenate([edits.case, off.case]), np.concatenate([edits.node, off.element])
    # shares at a node without supply go as a whole, those of its units that are out only once
    key_off = off.case.astype(np.int64) * grid.n_node + off.element
    dead = np.isin(edits.case.astype(np.int64) * grid.n_node + edits.node, key_off)
    gone = np.concatenate([np.where(dead, 0.0, -edits.alpha), alpha[row[off.case], off.element]])
    case, node, gone = case[gone > 0], node[gone > 0], gone[gone > 0]
    total = node_sums(grid.island, alpha, grid.n_island)
    key, inverse = np.unique(case.astype(np.int64) * grid.n_island + grid.island[node], return_inverse=True)
    left = total[row[key // grid.n_island], key % grid.n_island] - np.bincount(inverse, gone, minlength=len(key))
    bare = (left < _NO_SHARE) & (place[key % grid.n_island] >= 0)
    key = key[bare]
    at = place[key % grid.n_island]
    return _edit((key // grid.n_island).astype(edits.case.dtype), at.astype(edits.node.dtype), alpha=1.0 - left[bare])


def touching(grid: Grid, buses: Pairs) -> Pairs:
    """Pairs (case, branch) of in-service branches that end at a node taken out."""
    if not len(buses.case):
        return buses
    ends = np.concatenate([grid.from_node, grid.to_node])
    which = np.tile(np.arange(len(grid.from_node)), 2)
    use = ends >= 0
    ends, which = ends[use], which[use]
    by_node = np.argsort(ends, kind="stable")
    ptr = np.searchsorted(ends[by_node], np.arange(grid.n_node + 1))
    node = grid.node_of_bus[buses.element]
    size = ptr[node + 1] - ptr[node]
    case = np.repeat(buses.case, size)
    first = np.repeat(ptr[node] - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
    return Pairs(case, which[by_node][first + np.arange(len(case))].astype(np.int32))


def merge_pairs(a: Pairs, b: Pairs, size: int) -> Pairs:
    """Union of two sets of pairs, sorted by case."""
    if not len(b.case) and (np.diff(a.case) > 0).all():
        return a
    key = np.unique(
        np.concatenate([a.case.astype(np.int64) * size + a.element, b.case.astype(np.int64) * size + b.element])
    )
    return Pairs((key // max(size, 1)).astype(np.int32), (key % max(size, 1)).astype(np.int32))
