"""From a Network to the electrical problem: nodes, admittances, kinds, islands and what injects where.

Buses that closed switches join are one node. A node is a reference where an in-service unit is marked so, regulated
where an in-service unit, compensator or converter holds its own voltage, off where no reference supplies its island.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.kernels.pattern import Pattern, analyse
from aurigrid.kernels.tile import OFF, PQ, PV, REF, Rows
from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Regulators:
    """Everything that can hold a voltage: units, compensators and converters, in one list.

    Attributes:
        node: (k,) node that injects; ``target`` (k,) node whose voltage it holds.
        v_set_pu, q_min, q_max: set-point (pu) and reactive limits (pu).
        table: (k,) 0 unit, 1 compensator, 2 HVDC from end, 3 HVDC to end; ``element`` (k,) its position there.
        reference: (k,) whether it is an angle reference.
    """

    node: Array
    target: Array
    v_set_pu: Array
    q_min: Array
    q_max: Array
    table: Array
    element: Array
    reference: Array


@dataclass(frozen=True, eq=False)
class Grid:
    """One network, ready for kernels. Node arrays are in the network's bus order (first bus of each merged group).

    Attributes:
        node_of_bus: (n_bus,) int32.
        n_node: number of nodes.
        kind: (n_node,) int8 node kinds.
        island: (n_node,) int32; ``n_island``.
        from_node, to_node: (n_branch,) int32 ends of each branch, -1 where it is out of service.
        y_branch: (n_branch, 8) real and imaginary parts of y_ff, y_ft, y_tf, y_tt, pu.
        shunt_y: (n_node,) complex admittance to ground of shunts in service, pu.
        hvdc_on: (n_hvdc,) links in service whose two ends are supplied.
        regulators: what can hold voltages.
        pattern, rows: for the kernels, in elimination order.
    """

    net: Network
    node_of_bus: Array
    n_node: int
    kind: Array
    island: Array
    n_island: int
    from_node: Array
    to_node: Array
    y_branch: Array
    shunt_y: Array
    hvdc_on: Array
    regulators: Regulators
    pattern: Pattern
    rows: Rows

    @property
    def base_mva(self) -> float:
        return self.net.base_mva

    def with_kind(self, kind: Array) -> Grid:
        """The same grid with other node kinds (another choice of reference); a few are kept for as long as the grid lives."""
        kept = _TURNED.setdefault(self, {})
        key = kind.tobytes()
        if key not in kept:
            if len(kept) >= _TURNED_KEPT:
                kept.clear()
            rows = self.rows._replace(kind=kind[self.pattern.order].astype(np.int8))
            kept[key] = replace(self, kind=kind, rows=rows)
        return kept[key]


_TURNED: weakref.WeakKeyDictionary[Grid, dict[bytes, Grid]] = weakref.WeakKeyDictionary()
_TURNED_KEPT = 16


def components(n: int, a: Array, b: Array) -> tuple[int, Array]:
    """Connected components of n vertices with edges a - b: how many, and (n,) int32 labels by lowest vertex."""
    label = np.arange(n, dtype=np.int64)
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    while a.size:
        la, lb = label[a], label[b]
        low, high = np.minimum(la, lb), np.maximum(la, lb)
        apart = low != high
        if not apart.any():
            break
        a, b = a[apart], b[apart]
        np.minimum.at(label, high[apart], low[apart])
        while True:
            further = label[label]
            if np.array_equal(further, label):
                break
            label = further
    roots, dense = np.unique(label, return_inverse=True)
    return len(roots), dense.astype(np.int32)


def branch_admittances(net: Network) -> Array:
    """(n_branch, 8) g, b of y_ff, y_ft, y_tf, y_tt, pu; the pi model of `BranchTable`."""
    t = net.branch
    with np.errstate(divide="ignore", invalid="ignore"):
        series = 1.0 / (t.r_pu + 1j * t.x_pu)
    tap = t.tap_ratio * np.exp(1j * np.deg2rad(t.shift_deg))
    y = np.empty((len(t), 4), complex)
    y[:, 0] = (series + t.g_from_pu + 1j * t.b_from_pu) / np.abs(tap) ** 2
    y[:, 1] = -series / np.conj(tap)
    y[:, 2] = -series / tap
    y[:, 3] = series + t.g_to_pu + 1j * t.b_to_pu
    return y.view(np.float64)


def _regulators(net: Network, node_of_bus: Array, live: Array, hvdc_on: Array) -> Regulators:
    """Collect in-service regulators on nodes that may be energised."""
    gen, svc, dc = net.gen, net.compensator, net.hvdc
    base = net.base_mva

    def target(bus: Array, controlled: Array) -> Array:
        return node_of_bus[np.where(controlled >= 0, controlled, bus)]

    nothing = np.full(len(dc), -1)
    parts = [
        (0, gen.bus, gen.controlled_bus, gen.v_set_pu, gen.q_min_mvar, gen.q_max_mvar,
         gen.in_service & (gen.regulates | gen.is_reference), gen.is_reference),
        (1, svc.bus, svc.controlled_bus, svc.v_set_pu, svc.q_min_mvar, svc.q_max_mvar, svc.in_service & svc.regulates,
         np.zeros(len(svc), bool)),
        (2, dc.from_bus, nothing, dc.v_set_from_pu, dc.q_min_from_mvar, dc.q_max_from_mvar,
         hvdc_on & dc.regulates_from, np.zeros(len(dc), bool)),
        (3, dc.to_bus, nothing, dc.v_set_to_pu, dc.q_min_to_mvar, dc.q_max_to_mvar, hvdc_on & dc.regulates_to,
         np.zeros(len(dc), bool)),
    ]  # fmt: skip
    columns: list[list[Array]] = [[] for _ in range(8)]
    for table, bus, controlled, v_set, q_min, q_max, use, reference in parts:
        rows = np.flatnonzero(use & live[bus] if len(bus) else use)
        held = target(bus[rows], controlled[rows])
        held = np.where(reference[rows], node_of_bus[bus[rows]], held)
        values = (
            node_of_bus[bus[rows]], held, v_set[rows], q_min[rows] / base, q_max[rows] / base,
            np.full(len(rows), table), rows, reference[rows],
        )  # fmt: skip
        for store, value in zip(columns, values, strict=True):
            store.append(value)
    return Regulators(*(np.concatenate(c) for c in columns))


def node_kinds(n_node: int, island: Array, regulators: Regulators, alive: Array, single_reference: bool) -> Array:
    """(n_node,) kinds; with ``single_reference`` an island keeps its first reference and regulates at the others."""
    kind = np.full(n_node, PQ, np.int8)
    kind[regulators.node] = PV
    reference = regulators.node[regulators.reference]
    if single_reference and reference.size:
        _, first = np.unique(island[reference], return_index=True)
        reference = reference[np.sort(first)]
    kind[reference] = REF
    supplied = np.isin(island, island[reference]) & alive
    kind[~supplied] = OFF
    return kind


def _rows(
    pattern: Pattern, kind: Array, island: Array, n_island: int, a: Array, b: Array, y: Array, shunt: Array
) -> Rows:
    """Admittance rows in elimination order, with the slot of each block."""
    n = pattern.n
    live = a >= 0
    pa, pb = np.full(len(a), -1, np.int32), np.full(len(a), -1, np.int32)
    pa[live], pb[live] = pattern.position[a[live]], pattern.position[b[live]]
    yc = y.view(complex)
    diagonal = shunt[pattern.order].astype(complex)
    np.add.at(diagonal, pa[live], yc[live, 0])
    np.add.at(diagonal, pb[live], yc[live, 3])
    loop = live & (pa == pb)
    np.add.at(diagonal, pa[loop], yc[loop, 1] + yc[loop, 2])
    use = live & ~loop
    key = np.concatenate([pa[use].astype(np.int64) * n + pb[use], pb[use].astype(np.int64) * n + pa[use]])
    value = np.concatenate([yc[use, 1], yc[use, 2]])
    unique, inverse = np.unique(key, return_inverse=True)
    mutual = np.zeros(len(unique), complex)
    np.add.at(mutual, inverse, value)
    row, col = unique // n, unique % n
    ptr = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=n), out=ptr[1:])
    # slots: lower part, diagonal, upper part; both parts are ascending, so a block's slot is found by search
    slots = _slot_keys(pattern)
    at = np.searchsorted(slots, unique)
    first = np.searchsorted(slots, np.arange(n, dtype=np.int64) * n)
    slot = (at - first[row]).astype(np.int32)
    is_blank = np.ones(len(slots), bool)
    is_blank[at] = False
    is_blank[np.searchsorted(slots, np.arange(n, dtype=np.int64) * (n + 1))] = False
    blank_row = slots[is_blank] // n
    blank_ptr = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(blank_row, minlength=n), out=blank_ptr[1:])
    blank = (np.flatnonzero(is_blank) - first[blank_row]).astype(np.int32)
    order = pattern.order
    return Rows(
        kind[order].astype(np.int8), ptr, col.astype(np.int32), mutual.real.copy(), mutual.imag.copy(),
        diagonal.real.copy(), diagonal.imag.copy(), slot, blank_ptr, blank, pa, pb, y.copy(), island[order], n_island,
    )  # fmt: skip


def _slot_keys(pattern: Pattern) -> Array:
    """Ascending keys ``row * n + column`` of all blocks, diagonal included."""
    n = pattern.n
    up_row = np.repeat(np.arange(n, dtype=np.int64), np.diff(pattern.up_ptr))
    low_row = np.repeat(np.arange(n, dtype=np.int64), np.diff(pattern.low_ptr))
    diagonal = np.arange(n, dtype=np.int64) * (n + 1)
    return np.sort(np.concatenate([up_row * n + pattern.up_idx, low_row * n + pattern.low_idx, diagonal]))


_COMPILED: weakref.WeakKeyDictionary[Network, dict[bool, Grid]] = weakref.WeakKeyDictionary()


def compile_grid(net: Network, single_reference: bool = False) -> Grid:
    """The electrical problem of a network; kept for as long as the network object lives.

    Args:
        net: a valid network (`aurigrid.model.validate.check`).
        single_reference: one reference an island, as distributed slack needs.
    """
    kept = _COMPILED.setdefault(net, {})
    if single_reference not in kept:
        kept[single_reference] = _compile(net, single_reference)
    return kept[single_reference]


def _compile(net: Network, single_reference: bool) -> Grid:
    bus, branch, switch = net.bus, net.branch, net.switch
    alive_bus = bus.in_service
    joined = switch.closed & alive_bus[switch.from_bus] & alive_bus[switch.to_bus]
    _, node_of_bus = components(len(bus), switch.from_bus[joined], switch.to_bus[joined])
    n_node = int(node_of_bus.max(initial=-1)) + 1
    alive = np.zeros(n_node, bool)
    alive[node_of_bus[alive_bus]] = True
    use = branch.in_service & alive_bus[branch.from_bus] & alive_bus[branch.to_bus]
    a = np.where(use, node_of_bus[branch.from_bus], -1).astype(np.int32)
    b = np.where(use, node_of_bus[branch.to_bus], -1).astype(np.int32)
    y = branch_admittances(net)
    y[~use] = 0.0
    n_island, island = components(n_node, a[use], b[use])
    shunt = np.zeros(n_node, complex)
    s = net.shunt
    on = s.in_service & alive_bus[s.bus]
    np.add.at(shunt, node_of_bus[s.bus[on]], ((s.g_mw + 1j * s.b_mvar) * s.step)[on] / net.base_mva)
    dc = net.hvdc
    hvdc_on = dc.in_service
    # once more without the links that turn out to have an end without supply
    for _ in range(2):
        regulators = _regulators(net, node_of_bus, alive_bus, hvdc_on)
        kind = node_kinds(n_node, island, regulators, alive, single_reference)
        hvdc_on = hvdc_on & (kind[node_of_bus[dc.from_bus]] != OFF) & (kind[node_of_bus[dc.to_bus]] != OFF)
        if np.array_equal(hvdc_on, dc.in_service):
            break
    pattern = analyse(n_node, a[use], b[use])
    rows = _rows(pattern, kind, island, n_island, a, b, y, shunt)
    return Grid(
        net, node_of_bus, n_node, kind, island, n_island, a, b, y, shunt, hvdc_on, regulators, pattern, rows
    )  # fmt: skip
