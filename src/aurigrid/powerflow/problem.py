"""From a Grid and its Cases to the `Batch` that kernels read: injections, set-points, limits, edits, lost supply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from aurigrid.kernels.tile import PQ, REF, Batch
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.cases import NO_PAIRS, Cases, Pairs
from aurigrid.powerflow.edits import (
    Edits,
    edits_of,
    edits_of_rows,
    merge_pairs,
    reference_share,
    regulators_out,
    touching,
    without_dead_links,
)
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import (
    Injections,
    hvdc_arriving_mw,
    own_set_points,
    precedence,
    reactive_limits,
)
from aurigrid.powerflow.prepared import prepared
from aurigrid.powerflow.references import Other, other_kinds
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.sums import node_sums
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Injections", "Start", "build_batch", "reactive_limits", "regulators_out"]


@dataclass(frozen=True, eq=False)
class Start:
    """Where cases start; rows are shared by cases.

    Attributes:
        v: (n_start, n_node) complex, pu; held (n_start, n_held) int8 and slack (n_start, n_island), as in `Results`.
        solved: whether they solve the base case; iterations: how many it took; rung: what led to it.
    """

    v: Array
    held: Array
    slack: Array
    solved: bool = True
    iterations: int = 0
    rung: Rung = Rung.BASE

    @classmethod
    def at(cls, grid: Grid, v: Array) -> Start:
        """From voltages alone: nothing at a limit, no slack spread."""
        n_held = int(np.sum(grid.rows.kind != PQ))
        return cls(v, np.zeros((len(v), n_held), np.int8), np.zeros((len(v), grid.n_island)))


def _node_sum(grid: Grid, bus: Array, values: Array, use: Array) -> Array:
    """Sum of element values by node: values (k,) or (n_row, k) -> (n_node,) or (n_row, n_node)."""
    return node_sums(grid.node_of_bus[bus[use]], values[..., use], grid.n_node)


def _fixed(grid: Grid, inj: Injections) -> tuple[Array, Array, Array, Array]:
    """base_p, base_q (n_node,) and extra_p, extra_q (n_row, n_node) or (0, 0): everything outside the fast tables."""
    net, base = grid.net, grid.base_mva
    p, q = np.zeros(grid.n_node), np.zeros(grid.n_node)
    extra: list[tuple[Array, Array]] = []

    def add(bus: Array, p_mw: Array, q_mvar: Array, use: Array, *names: str) -> None:
        nonlocal p, q
        if not len(bus):
            return
        sp, sq = _node_sum(grid, bus, p_mw, use), _node_sum(grid, bus, q_mvar, use)
        if not inj.varied.intersection(names):
            p, q = p + sp[0] / base, q + sq[0] / base
        else:
            shape = (max(len(p_mw), len(q_mvar)), grid.n_node)
            extra.append((np.broadcast_to(sp / base, shape), np.broadcast_to(sq / base, shape)))

    ready = prepared(grid)
    for name in ("gen_p", "gen_q", "load_p", "load_q"):
        if name in inj.varied and name != "gen_q":
            continue  # kernels add these element by element
        values = getattr(inj, name)
        injected = ready.constant(name, values) if name in inj.given else ready.own[name]
        active = name.endswith("_p")
        if name in inj.varied:
            extra.append((np.zeros_like(injected), injected))
        elif active:
            p = p + injected.reshape(-1)
        else:
            q = q + injected.reshape(-1)
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
            parts[:, place] -= _node_sum(grid, load.bus, np.asarray(values) * share, varies)[:, chosen] / base
        if sc.shunt_step is not None:
            change = sc.shunt_step - net.shunt.step
            parts[:, 1] -= _node_sum(grid, net.shunt.bus, change * net.shunt.g_mw, on)[:, chosen] / base
            parts[:, 3] += _node_sum(grid, net.shunt.bus, change * net.shunt.b_mvar, on)[:, chosen] / base
    return zip_node, parts


def set_points(grid: Grid, own: Array) -> Array:
    """(n_row or 1, n_node) voltage set-points, pu; the first regulator of a node decides."""
    out = np.ones((len(own), grid.n_node))
    order = precedence(grid)[::-1]
    out[:, grid.regulators.node[order]] = own[:, order]
    return out


class _Common(NamedTuple):
    """What the rows of a batch share whatever is out of service; tables in elimination order, as in `Batch`."""

    base_p: Array
    base_q: Array
    extra_p: Array
    extra_q: Array
    zip_node: Array
    parts: Array
    low: Array
    high: Array
    own: Array
    v_set: Array
    q_min: Array
    q_max: Array
    alpha: Array
    free: Array


def _common(grid: Grid, sc: Scenarios, inj: Injections, enforce_q: bool) -> _Common:
    """Injections, set-points and limits; kept for the network as it is, whose outages come in many batches."""
    kept: dict[bool, _Common] = prepared(grid).common
    as_it_is = not inj.given and sc.gen_v_pu is None and sc.shunt_step is None
    if as_it_is and enforce_q in kept:
        return kept[enforce_q]
    order, reg = grid.pattern.order, grid.regulators
    base_p, base_q, extra_p, extra_q = _fixed(grid, inj)
    zip_node, parts = _voltage_parts(grid, sc, inj)
    low, high = reactive_limits(grid, inj, enforce_q)
    n_set = max(len(low), 1 if sc.gen_v_pu is None else len(sc.gen_v_pu))
    own = own_set_points(grid, sc)
    v_set = np.broadcast_to(set_points(grid, own), (n_set, grid.n_node))
    q_min, q_max = (
        np.broadcast_to(node_sums(reg.node, limit, grid.n_node), (n_set, grid.n_node)) for limit in (low, high)
    )
    found = _Common(
        base_p[order], base_q[order], _in_order(extra_p, order), _in_order(extra_q, order), zip_node[order], parts, low, high,
        own, _in_order(v_set, order), _in_order(q_min, order), _in_order(q_max, order),
        np.repeat(prepared(grid).shares[1][order][None], n_set, 0), np.zeros((0, grid.n_node), np.int8),
    )  # fmt: skip
    if as_it_is:
        kept[enforce_q] = found
    return found


def _with_units_off(grid: Grid, cases: Cases, inj: Injections, given: _Common, distributed: bool) -> _Common:
    """What the rows share once the units are off that are off in every case of a row."""
    if not len(cases.row_out.case):
        return given
    shared = prepared(grid)
    n = cases.scenarios.n
    edits = edits_of_rows(grid, cases, inj, given.low, given.high, shared.shares[0], given.own)
    if distributed:
        alpha = shared.shares[1][None]
        edits = Edits.join([edits, reference_share(grid, edits, NO_PAIRS, alpha, np.zeros(n, np.int32))])
    at = edits.case, grid.pattern.position[edits.node]

    def changed(table: Array, by: Array) -> Array:
        rows = np.repeat(table, n, 0) if len(table) < n else table.copy()
        np.add.at(rows, at, by)
        return rows

    none = np.zeros((1, grid.n_node))
    free = np.zeros((n, grid.n_node), np.int8)
    free[at[0][edits.free > 0], at[1][edits.free > 0]] = 1
    return given._replace(
        extra_p=changed(given.extra_p if len(given.extra_p) else none, edits.p),
        extra_q=changed(given.extra_q if len(given.extra_q) else none, edits.q),
        v_set=changed(given.v_set, edits.v), q_min=changed(given.q_min, edits.q_min), q_max=changed(given.q_max, edits.q_max),
        alpha=changed(given.alpha, edits.alpha), free=free,
    )  # fmt: skip


def _edits(grid: Grid, cases: Cases, inj: Injections, common: _Common, off: Pairs, distributed: bool) -> Edits:
    """What each case changes beyond its row."""
    weight, alpha = prepared(grid).shares
    edits = edits_of(grid, cases, inj, common.low, common.high, weight, common.own)
    if not distributed:
        return edits
    by_row = common.alpha[:, grid.pattern.position] if len(common.free) else alpha[None]
    return Edits.join([edits, reference_share(grid, edits, off, by_row, cases.row)])


def _branches_out(grid: Grid, cases: Cases) -> Pairs:
    """In-service branches that are out, those that end at a bus taken out among them."""
    branch = cases.pairs("branch")
    connected = grid.from_node[branch.element] >= 0
    branch = Pairs(branch.case[connected], branch.element[connected])
    return merge_pairs(branch, touching(grid, cases.pairs("bus")), grid.net.n_branch)


class _Fast(NamedTuple):
    """Tables that kernels add to the injections element by element, named as in `Batch`."""

    load_p: Array
    load_q: Array
    gen_p: Array
    load_node: Array
    gen_node: Array
    load_by: Array
    gen_by: Array
    load_scale_p: Array
    load_scale_q: Array
    gen_scale: Array


def _fast(grid: Grid, inj: Injections) -> _Fast:
    shared = prepared(grid)

    def varied(*names: str) -> dict[str, Any]:
        return {name: getattr(inj, name) if name in inj.varied else None for name in names}

    def by_node(node: Array, *tables: Array) -> Array:
        used = any(len(table) for table in tables)
        return np.argsort(node, kind="stable").astype(np.int32) if used else np.zeros(0, np.int32)

    load_node, (load_p, load_q), (scale_p, scale_q) = shared.fast_tables("load", varied("load_p", "load_q"))
    gen_node, (gen_p,), (gen_scale,) = shared.fast_tables("gen", varied("gen_p"))
    return _Fast(
        load_p, load_q, gen_p, load_node, gen_node, by_node(load_node, load_p, load_q), by_node(gen_node, gen_p), scale_p,
        scale_q, gen_scale,
    )  # fmt: skip


def _loose(grid: Grid, fast: _Fast, common: _Common, edited: Array) -> Array:
    """(n_node,) `Batch.loose`; ``edited`` are the nodes of edits."""
    loose = prepared(grid).loose.copy()
    loose[edited] = 1
    for values, node in ((fast.load_p, fast.load_node), (fast.load_q, fast.load_node), (fast.gen_p, fast.gen_node)):
        if len(values):
            loose[node[node >= 0]] = 1
    if len(common.extra_p):
        loose[:] = 1
    return loose


def build_batch(
    grid: Grid,
    cases: Cases,
    start: Start,
    start_row: Array,
    *,
    enforce_q: bool,
    distributed: bool = True,
    off: Pairs | None = None,
    others: Sequence[Other] = (),
) -> tuple[Batch, Pairs]:
    """The kernels' view of the cases, and the pairs (case, node) that have no supply.

    Args:
        grid: the electrical problem.
        cases: what is solved.
        start: start voltages; start_row (n,) int32 picks a row for each case.
        enforce_q: whether reactive limits will be held (capability curves matter only then); distributed: whether slack
            will be spread (who takes the share of units that are out matters only then).
        off: nodes without supply where already known; others: cases whose outages move a reference.
    """
    sc = cases.scenarios
    inj = Injections.of(grid, sc)
    order, position = grid.pattern.order, grid.pattern.position
    common = _with_units_off(grid, cases, inj, _common(grid, sc, inj, enforce_q), distributed)
    shared = prepared(grid)
    if off is None:
        off = unsupplied(grid, cases)
    cases = without_dead_links(grid, cases, off)
    edits, branch = _edits(grid, cases, inj, common, off, distributed), _branches_out(grid, cases)
    moved, kind_now = other_kinds(grid, others)
    leads = grid.kind == REF
    leads[moved.element[kind_now == REF]] = True
    n = cases.n
    node, fast = position[edits.node].astype(np.int32), _fast(grid, inj)
    batch = Batch(
        common.base_p, common.base_q, *fast, common.extra_p, common.extra_q, cases.row.astype(np.int32),
        common.v_set, common.q_min, common.q_max, common.alpha, common.free,
        (cases.row if len(common.v_set) > 1 else np.zeros(n)).astype(np.int32),
        _in_order(start.v.real, order), _in_order(start.v.imag, order), start_row.astype(np.int32), start.held.copy(),
        np.ascontiguousarray(start.slack),
        branch.pointers(n), branch.element.astype(np.int32),
        off.pointers(n), position[off.element].astype(np.int32),
        Pairs(edits.case, edits.node).pointers(n), node, edits.p, edits.q,
        edits.q_min, edits.q_max, edits.alpha, edits.v, edits.zip, edits.free.astype(np.int8),
        moved.pointers(n), position[moved.element].astype(np.int32), kind_now, position[np.flatnonzero(leads)].astype(np.int32),
        common.zip_node, common.parts, _loose(grid, fast, common, node), shared.held, shared.held_column,
    )  # fmt: skip
    return batch, off


def _in_order(values: Array, order: Array) -> Array:
    return np.ascontiguousarray(values[:, order]) if values.size else np.zeros((0, 0))
