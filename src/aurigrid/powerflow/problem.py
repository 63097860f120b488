"""From a Grid and its Cases to the `Batch` that kernels read: injections, set-points, limits, edits, lost supply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.tile import OFF, PQ, REF, Batch
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]

_WIDE_PU = 1e6
"""Stands for "no reactive limit", so that limits can be added and taken off."""
_NO_SHARE = 1e-9
"""Slack shares of an island, which sum to 1, count as none below this."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where cases start; rows are shared by cases.

    Attributes:
        v: (n_start, n_node) complex, pu; held (n_start, n_held) int8 and slack (n_start, n_island), as in `Results`.
    """

    v: Array
    held: Array
    slack: Array

    @classmethod
    def at(cls, grid: Grid, v: Array) -> Start:
        """From voltages alone: nothing at a limit, no slack spread."""
        n_held = int(np.sum(grid.rows.kind != PQ))
        return cls(v, np.zeros((len(v), n_held), np.int8), np.zeros((len(v), grid.n_island)))


@dataclass(frozen=True, eq=False)
class Injections:
    """Specified injections of the network's elements for a set of scenario rows, in border units.

    Attributes:
        gen_p, gen_q, load_p, load_q, storage_p, storage_q, hvdc_p: (n_row or 1, k), as given or as in the network.
        varied: names of those that differ by scenario. They take the same path through the arithmetic for one
            scenario as for many, so that a batch equals its scenarios one by one to the last bit.
    """

    gen_p: Array
    gen_q: Array
    load_p: Array
    load_q: Array
    storage_p: Array
    storage_q: Array
    hvdc_p: Array
    varied: frozenset[str]

    @classmethod
    def of(cls, grid: Grid, sc: Scenarios) -> Injections:
        net, varied = grid.net, set()

        def pick(name: str, given: Array | None, table: Array) -> Array:
            if given is None:
                return table[None, :]
            if given.strides[0] == 0:
                return given[:1]
            varied.add(name)
            return given

        tables = (
            pick("gen_p", sc.gen_p_mw, net.gen.p_mw),
            pick("gen_q", sc.gen_q_mvar, net.gen.q_mvar),
            pick("load_p", sc.load_p_mw, net.load.p_mw),
            pick("load_q", sc.load_q_mvar, net.load.q_mvar),
            pick("storage_p", sc.storage_p_mw, net.storage.p_mw),
            pick("storage_q", sc.storage_q_mvar, net.storage.q_mvar),
            pick("hvdc_p", sc.hvdc_p_mw, net.hvdc.p_mw),
        )
        return cls(*tables, frozenset(varied))

    def at(self, name: str, row: Array, element: Array) -> Array:
        """Values of one table at (row, element) pairs."""
        values: Array = getattr(self, name)
        return values[row if len(values) > 1 else np.zeros_like(row), element]


def hvdc_arriving_mw(net: Any, p_mw: Array) -> tuple[Array, Array]:
    """Injections at the from and the to end of HVDC links that carry ``p_mw`` (see `HvdcTable`), MW."""
    sent = np.abs(p_mw)
    arrives = np.where(sent > 0, sent * (1 - net.hvdc.loss_share) - net.hvdc.loss_fixed_mw, 0.0)
    return np.where(p_mw >= 0, -sent, arrives), np.where(p_mw >= 0, arrives, -sent)


def _node_sum(grid: Grid, bus: Array, values: Array, use: Array) -> Array:
    """Sum of element values by node: values (k,) or (n_row, k) -> (n_node,) or (n_row, n_node)."""
    node = grid.node_of_bus[bus[use]]
    if values.ndim == 1:
        return np.bincount(node, values[use], minlength=grid.n_node)
    out = np.zeros((len(values), grid.n_node))
    for x, i in zip(np.flatnonzero(use), node, strict=True):
        out[:, i] += values[:, x]
    return out


def regulating_units(grid: Grid) -> Array:
    """(n_gen,) whether a unit's reactive power follows from a voltage that it holds."""
    mask = np.zeros(grid.net.n_gen, bool)
    mask[grid.regulators.element[grid.regulators.table == 0]] = True
    return mask


def participation(grid: Grid) -> Array:
    """(n_gen,) slack participation: as given, else by p_max_mw (|p_mw| where unlimited); 0 out of service.

    A source that names its reference units alone gives no shares.
    """
    gen = grid.net.gen
    weight = gen.participation
    if not (weight[gen.in_service & ~gen.is_reference] > 0).any():
        weight = np.where(np.isfinite(gen.p_max_mw), np.maximum(gen.p_max_mw, 0.0), np.abs(gen.p_mw))
    return np.where(gen.in_service & grid.net.bus.in_service[gen.bus], np.maximum(weight, 0.0), 0.0)


def _fixed(grid: Grid, inj: Injections) -> tuple[Array, Array, Array, Array]:
    """base_p, base_q (n_node,) and extra_p, extra_q (n_row, n_node) or (0, 0): everything outside the fast tables."""
    net, base = grid.net, grid.base_mva
    p, q = np.zeros(grid.n_node), np.zeros(grid.n_node)
    extra: list[tuple[Array, Array]] = []

    def add(bus: Array, p_mw: Array, q_mvar: Array, use: Array, *names: str) -> None:
        nonlocal p, q
        sp, sq = _node_sum(grid, bus, p_mw, use), _node_sum(grid, bus, q_mvar, use)
        if not inj.varied.intersection(names):
            p, q = p + sp[0] / base, q + sq[0] / base
        else:
            shape = (max(len(p_mw), len(q_mvar)), grid.n_node)
            extra.append((np.broadcast_to(sp / base, shape), np.broadcast_to(sq / base, shape)))

    gen_q_use = net.gen.in_service & ~regulating_units(grid)
    if "gen_p" not in inj.varied:
        add(net.gen.bus, inj.gen_p, np.zeros_like(inj.gen_p), net.gen.in_service)
    add(net.gen.bus, np.zeros((1, net.n_gen)), inj.gen_q, gen_q_use, "gen_q")
    constant_p = 1 - net.load.p_share_z - net.load.p_share_i
    constant_q = 1 - net.load.q_share_z - net.load.q_share_i
    if "load_p" not in inj.varied:
        add(net.load.bus, -inj.load_p * constant_p, np.zeros_like(inj.load_p), net.load.in_service)
    if "load_q" not in inj.varied:
        add(net.load.bus, np.zeros_like(inj.load_q), -inj.load_q * constant_q, net.load.in_service)
    add(net.storage.bus, inj.storage_p, inj.storage_q, net.storage.in_service, "storage_p", "storage_q")
    sent, arriving = hvdc_arriving_mw(net, inj.hvdc_p)
    dc = net.hvdc
    add(dc.from_bus, sent, np.where(dc.regulates_from, 0.0, dc.q_from_mvar)[None], grid.hvdc_on, "hvdc_p")
    add(dc.to_bus, arriving, np.where(dc.regulates_to, 0.0, dc.q_to_mvar)[None], grid.hvdc_on, "hvdc_p")
    svc = net.compensator
    add(svc.bus, np.zeros((1, len(svc))), svc.q_mvar[None], svc.in_service & ~svc.regulates)
    if not extra:
        return p, q, np.zeros((0, 0)), np.zeros((0, 0))
    return p, q, sum(e[0] for e in extra), sum(e[1] for e in extra)  # type: ignore[return-value]


def _voltage_parts(grid: Grid, sc: Scenarios, inj: Injections) -> tuple[Array, Array]:
    """zip_node (n_node,) and zip (n_row or 1, 4, n_zip): injections that follow |V| and |V|^2, pu."""
    net, base = grid.net, grid.base_mva
    load = net.load
    varies = load.in_service & ((load.p_share_z + load.p_share_i + load.q_share_z + load.q_share_i) > 0)
    nodes = set(grid.node_of_bus[load.bus[varies]].tolist())
    on = net.shunt.in_service
    if sc.shunt_step is not None:
        nodes |= set(grid.node_of_bus[net.shunt.bus[on]].tolist())
    zip_node = np.full(grid.n_node, -1, np.int32)
    chosen = np.array(sorted(nodes), dtype=np.int64)
    zip_node[chosen] = np.arange(len(chosen))
    rows = max(len(inj.load_p), len(inj.load_q), 1 if sc.shunt_step is None else len(sc.shunt_step))
    parts = np.zeros((rows if len(chosen) else 1, 4, len(chosen)))
    if len(chosen):
        for k, (values, share) in enumerate(
            (
                (inj.load_p, load.p_share_i),
                (inj.load_p, load.p_share_z),
                (inj.load_q, load.q_share_i),
                (inj.load_q, load.q_share_z),
            )
        ):
            place = (0, 1, 2, 3)[k]
            parts[:, place] -= _node_sum(grid, load.bus, values * share, varies)[:, chosen] / base
        if sc.shunt_step is not None:
            change = sc.shunt_step - net.shunt.step
            parts[:, 1] -= _node_sum(grid, net.shunt.bus, change * net.shunt.g_mw, on)[:, chosen] / base
            parts[:, 3] += _node_sum(grid, net.shunt.bus, change * net.shunt.b_mvar, on)[:, chosen] / base
    return zip_node, parts


def reactive_limits(grid: Grid, inj: Injections, enforce: bool) -> tuple[Array, Array]:
    """(n_row or 1, k) limits of each regulator, pu; a unit's capability curve tightens them at its active power."""
    reg, cap = grid.regulators, grid.net.capability
    low, high = reg.q_min[None], reg.q_max[None]
    if enforce and len(cap):
        rows = len(inj.gen_p)
        low, high = np.repeat(low, rows, 0), np.repeat(high, rows, 0)
        for k in np.flatnonzero(reg.table == 0):
            points = np.flatnonzero(cap.gen == reg.element[k])
            if points.size:
                p = inj.gen_p[:, reg.element[k]]
                at = cap.p_mw[points]
                low[:, k] = np.maximum(low[:, k], np.interp(p, at, cap.q_min_mvar[points]) / grid.base_mva)
                high[:, k] = np.minimum(high[:, k], np.interp(p, at, cap.q_max_mvar[points]) / grid.base_mva)
    return np.clip(low, -_WIDE_PU, _WIDE_PU), np.clip(high, -_WIDE_PU, _WIDE_PU)


def _own_set_points(grid: Grid, sc: Scenarios) -> Array:
    """(n_row or 1, k) set-point of each regulator, pu."""
    reg = grid.regulators
    own = reg.v_set_pu[None]
    if sc.gen_v_pu is not None:
        own = np.repeat(own, len(sc.gen_v_pu), 0)
        unit = reg.table == 0
        own[:, unit] = sc.gen_v_pu[:, reg.element[unit]]
    return own


def _precedence(grid: Grid) -> Array:
    """(k,) regulators by node, in the order in which they decide its set-point: references, then units, first come."""
    reg = grid.regulators
    return np.lexsort((np.arange(len(reg.node)), ~reg.reference, reg.node))


def _set_points(grid: Grid, own: Array) -> Array:
    """(n_row or 1, n_node) voltage set-points, pu; the first regulator of a node decides."""
    out = np.ones((len(own), grid.n_node))
    order = _precedence(grid)[::-1]
    out[:, grid.regulators.node[order]] = own[:, order]
    return out


def _next_set_points(grid: Grid, cases: Cases, own: Array, case: Array, r: Array) -> Edits:
    """Changes of set-point where the regulator that decides is out and another one at its node goes on."""
    node, order = grid.regulators.node, _precedence(grid)
    start, end = np.searchsorted(node[order], node), np.searchsorted(node[order], node, side="right")
    first = order[start[r]] == r
    case_of, lost = case[first].astype(np.int64), r[first]
    at, last = start[lost], end[lost] - 1
    is_out = case.astype(np.int64) * len(node) + r
    while (step := (at < last) & np.isin(case_of * len(node) + order[at], is_out)).any():
        at = at + step
    goes_on = ~np.isin(case_of * len(node) + order[at], is_out)
    case_of, lost, heir = case_of[goes_on], lost[goes_on], order[at[goes_on]]
    row = cases.row[case_of] if len(own) > 1 else np.zeros(len(case_of), np.int64)
    return _edit(case_of, node[lost], v=own[row, heir] - own[row, lost])


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
        columns = {name: np.concatenate([getattr(x, name) for x in parts]) for name in cls.__dataclass_fields__}
        order = np.argsort(columns["case"], kind="stable")
        return cls(**{name: values[order] for name, values in columns.items()})


def _edit(case: Array, node: Array, **values: Array) -> Edits:
    zero = np.zeros(len(case))
    full = {name: values.get(name, zero) for name in ("p", "q", "q_min", "q_max", "alpha", "v", "free")}
    return Edits(case, node, **full, zip=values.get("zip", np.zeros((len(case), 4))))


def regulators_out(grid: Grid, cases: Cases) -> tuple[Array, Array]:
    """Pairs (case, regulator) that an outage of a unit or an HVDC link takes away."""
    reg = grid.regulators
    case, which = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for name, tables, size in (("gen", (0,), grid.net.n_gen), ("hvdc", (2, 3), len(grid.net.hvdc))):
        pairs = cases.pairs(name)
        for table in tables:
            place = np.full(size, -1)
            mine = np.flatnonzero(reg.table == table)
            place[reg.element[mine]] = mine
            hit = place[pairs.element] >= 0 if len(pairs.case) else np.zeros(0, bool)
            case.append(pairs.case[hit])
            which.append(place[pairs.element[hit]])
    return np.concatenate(case), np.concatenate(which)


def without_dead_links(grid: Grid, cases: Cases, off: Pairs) -> Cases:
    """The cases with HVDC links out that lose the supply at an end: a link cannot run on one converter."""
    ends = [
        (grid.node_of_bus[bus], k)
        for k in np.flatnonzero(grid.hvdc_on)
        for bus in (grid.net.hvdc.from_bus[k], grid.net.hvdc.to_bus[k])
    ]
    if not ends or not len(off.case):
        return cases
    found = [
        Pairs(off.case[at], np.full(int(at.sum()), k, np.int32))
        for node, k in ends
        if (at := off.element == node).any()
    ]
    out = cases.pairs("hvdc")
    for pairs in found:
        out = merge_pairs(out, pairs, len(grid.net.hvdc))
    return Cases(cases.scenarios, cases.row, {**cases.out, "hvdc": out})


def _edits(grid: Grid, cases: Cases, inj: Injections, low: Array, high: Array, alpha: Array, own: Array) -> Edits:
    net, base = grid.net, grid.base_mva
    node_of = grid.node_of_bus
    parts = []
    pairs = cases.pairs("gen")
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
    row, d = cases.row[pairs.case], pairs.element
    on = net.load.in_service[d].astype(float)
    load = net.load
    p, q = inj.at("load_p", row, d) / base * on, inj.at("load_q", row, d) / base * on
    parts.append(
        _edit(
            pairs.case, node_of[load.bus[d]], p=p * (1 - load.p_share_z - load.p_share_i)[d],
            q=q * (1 - load.q_share_z - load.q_share_i)[d],
            zip=np.column_stack([p * load.p_share_i[d], p * load.p_share_z[d], q * load.q_share_i[d], q * load.q_share_z[d]]),
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
    case, r = regulators_out(grid, cases)
    if len(case):
        row = cases.row[case] if len(low) > 1 else np.zeros(len(case), np.int64)
        node = grid.regulators.node[r]
        total = np.bincount(grid.regulators.node, minlength=grid.n_node)
        key = case * grid.n_node + node
        unique, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
        lost = count == total[unique % grid.n_node]
        parts.append(_edit(case, node, q_min=-low[row, r], q_max=-high[row, r], free=lost[inverse].astype(float)))
        parts.append(_next_set_points(grid, cases, own, case, r))
    return Edits.join(parts)


def _reference_share(grid: Grid, edits: Edits, off: Pairs, alpha: Array) -> Edits:
    """Edits that hand the balance of an island to its reference where all units that share in it are out."""
    reference = np.flatnonzero(grid.kind == REF)
    place = np.full(grid.n_island, -1)
    place[grid.island[reference]] = reference
    case, node = np.concatenate([edits.case, off.case]), np.concatenate([edits.node, off.element])
    # shares at a node without supply go as a whole, those of its units that are out only once
    key_off = off.case.astype(np.int64) * grid.n_node + off.element
    dead = np.isin(edits.case.astype(np.int64) * grid.n_node + edits.node, key_off)
    gone = np.concatenate([np.where(dead, 0.0, -edits.alpha), alpha[off.element]])
    case, node, gone = case[gone > 0], node[gone > 0], gone[gone > 0]
    total = np.bincount(grid.island, alpha, minlength=grid.n_island)
    key, inverse = np.unique(case.astype(np.int64) * grid.n_island + grid.island[node], return_inverse=True)
    left = total[key % grid.n_island] - np.bincount(inverse, gone, minlength=len(key))
    bare = (left < _NO_SHARE) & (place[key % grid.n_island] >= 0)
    key = key[bare]
    at = place[key % grid.n_island]
    return _edit((key // grid.n_island).astype(edits.case.dtype), at.astype(edits.node.dtype), alpha=1.0 - left[bare])


def build_batch(
    grid: Grid, cases: Cases, start: Start, start_row: Array, *, enforce_q: bool, off: Pairs | None = None
) -> tuple[Batch, Pairs]:
    """The kernels' view of the cases, and the pairs (case, node) that have no supply.

    Args:
        grid: the electrical problem.
        cases: what is solved.
        start: start voltages; start_row (n,) int32 picks a row for each case.
        enforce_q: whether reactive limits will be held (capability curves matter only then).
        off: nodes without supply where already known.
    """
    net, sc = grid.net, cases.scenarios
    inj = Injections.of(grid, sc)
    order, position = grid.pattern.order, grid.pattern.position
    base_p, base_q, extra_p, extra_q = _fixed(grid, inj)
    zip_node, parts = _voltage_parts(grid, sc, inj)
    low, high = reactive_limits(grid, inj, enforce_q)
    reg = grid.regulators
    n_set = max(len(low), 1 if sc.gen_v_pu is None else len(sc.gen_v_pu))
    own = _own_set_points(grid, sc)
    v_set = np.broadcast_to(_set_points(grid, own), (n_set, grid.n_node))
    q_min, q_max = np.zeros((n_set, grid.n_node)), np.zeros((n_set, grid.n_node))
    for k, i in enumerate(reg.node):
        q_min[:, i] += low[:, k]
        q_max[:, i] += high[:, k]
    weight = participation(grid)
    by_island = np.bincount(grid.island[grid.node_of_bus[net.gen.bus]], weight, minlength=grid.n_island)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(weight > 0, weight / by_island[grid.island[grid.node_of_bus[net.gen.bus]]], 0.0)
    alpha = np.bincount(grid.node_of_bus[net.gen.bus], weight, minlength=grid.n_node)
    alpha[grid.kind == OFF] = 0.0
    # an island in which no unit shares leaves the balance to its reference
    reference = np.flatnonzero(grid.kind == REF)
    bare = reference[by_island[grid.island[reference]] <= 0]
    alpha[bare] = 1.0
    if off is None:
        off = unsupplied(grid, cases)
    cases = without_dead_links(grid, cases, off)
    edits = _edits(grid, cases, inj, low, high, weight, own)
    edits = Edits.join([edits, _reference_share(grid, edits, off, alpha)])
    branch = cases.pairs("branch")
    connected = grid.from_node[branch.element] >= 0
    branch = Pairs(branch.case[connected], branch.element[connected])
    branch = merge_pairs(branch, touching(grid, cases.pairs("bus")), grid.net.n_branch)
    held = np.flatnonzero(grid.rows.kind != PQ).astype(np.int32)
    column = np.full(grid.n_node, -1, np.int32)
    column[held] = np.arange(len(held))
    n = cases.n

    def table(name: str) -> Array:
        # always a read-only view, so that kernels are compiled for one kind of array
        view = (np.ascontiguousarray(getattr(inj, name)) if name in inj.varied else np.zeros((0, 0))).view()
        view.flags.writeable = False
        return view

    def node(bus: Array, use: Array) -> Array:
        return np.where(use, position[grid.node_of_bus[bus]], -1).astype(np.int32)

    base = grid.base_mva
    ld = net.load
    batch = Batch(
        base_p[order], base_q[order],
        table("load_p"), table("load_q"), table("gen_p"),
        node(ld.bus, ld.in_service), node(net.gen.bus, net.gen.in_service),
        -(1 - ld.p_share_z - ld.p_share_i) / base, -(1 - ld.q_share_z - ld.q_share_i) / base, np.full(net.n_gen, 1 / base),
        _in_order(extra_p, order), _in_order(extra_q, order), cases.row.astype(np.int32),
        _in_order(v_set, order), _in_order(q_min, order), _in_order(q_max, order), alpha[order][None].copy(),
        (cases.row if n_set > 1 else np.zeros(n)).astype(np.int32),
        _in_order(start.v.real, order), _in_order(start.v.imag, order), start_row.astype(np.int32), start.held.copy(),
        np.ascontiguousarray(start.slack),
        branch.pointers(n), branch.element.astype(np.int32),
        off.pointers(n), position[off.element].astype(np.int32),
        Pairs(edits.case, edits.node).pointers(n), position[edits.node].astype(np.int32), edits.p, edits.q,
        edits.q_min, edits.q_max, edits.alpha, edits.v, edits.zip, edits.free.astype(np.int8),
        zip_node[order], parts, held, column,
    )  # fmt: skip
    return _share_alpha(batch, n_set), off


def _share_alpha(batch: Batch, n_set: int) -> Batch:
    """alpha is addressed by set_row like the set-points."""
    return batch._replace(alpha=np.repeat(batch.alpha, n_set, 0))


def _in_order(values: Array, order: Array) -> Array:
    return np.ascontiguousarray(values[:, order]) if values.size else np.zeros((0, 0))


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
    key = np.unique(
        np.concatenate([a.case.astype(np.int64) * size + a.element, b.case.astype(np.int64) * size + b.element])
    )
    return Pairs((key // max(size, 1)).astype(np.int32), (key % max(size, 1)).astype(np.int32))
