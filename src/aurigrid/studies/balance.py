"""Power balance of a network at given voltages, straight from the branch equations: no solver, no shared code.

For every branch, with ``t = tap_ratio exp(j shift)`` and ``y = 1/(r + jx)`` (see `aurigrid.model.tables.BranchTable`)::

    i_from = (y + y_from)/|t|^2 v_from - y/conj(t) v_to        s_from = v_from conj(i_from)
    i_to   = -y/t v_from + (y + y_to) v_to                     s_to   = v_to conj(i_to)

The mismatch of a node is what its branches and shunts draw minus what its units, loads and converters inject. Buses
joined by closed switches are one node. Active power is free at the reference, reactive power where a voltage is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array

_LARGEST_FILL = 3000


@dataclass(frozen=True, eq=False)
class Balance:
    """The power balance at given voltages.

    Attributes:
        p_mw: (n_bus,) active mismatch in MW at the first bus of each node; NaN elsewhere, where active power is free,
            and where the voltage is not known.
        q_mvar: (n_bus,) the same for reactive power, Mvar.
        flow_mva: (2, n_branch) complex power into each branch at its from and its to end, MVA; NaN out of service.
        filled: (n_bus,) bool, voltages that followed from their neighbours (buses without injection).
    """

    p_mw: Array
    q_mvar: Array
    flow_mva: Array
    filled: Array

    @property
    def worst_mva(self) -> float:
        """The largest mismatch in MW or Mvar; NaN where nothing is known."""
        both = np.abs(np.concatenate([self.p_mw, self.q_mvar]))
        return float(np.nanmax(both)) if np.isfinite(both).any() else float("nan")


def nodes(net: Network) -> Array:
    """(n_bus,) int: the first bus of the node that each bus belongs to, over closed switches between live buses."""
    live, switch = net.bus.in_service, net.switch
    on = switch.closed & live[switch.from_bus] & live[switch.to_bus]
    return _lowest_member(net.n_bus, switch.from_bus[on], switch.to_bus[on])


def islands(net: Network) -> Array:
    """(n_bus,) int: the first bus of the island that each bus belongs to, over nodes and conducting branches."""
    root, on = nodes(net), _conducting(net)
    joined = _lowest_member(net.n_bus, root[net.branch.from_bus[on]], root[net.branch.to_bus[on]])
    return joined[root]


def _lowest_member(n: int, a: Array, b: Array) -> Array:
    """The lowest position of each group, groups being joined by the pairs (a, b)."""
    root = np.arange(n)
    while True:
        before = root.copy()
        low = np.minimum(root[a], root[b])
        np.minimum.at(root, before[a], low)
        np.minimum.at(root, before[b], low)
        root = root[root]
        if np.array_equal(root, before):
            return root


def power_balance(net: Network, v_mag_pu: Array, v_ang_deg: Array) -> Balance:
    """Mismatch and flows of a network at given voltages.

    Args:
        net: a valid network.
        v_mag_pu: (n_bus,) magnitudes in pu; NaN where unknown. Unknown voltages of nodes without injection (open ends,
            star points) are computed from their neighbours.
        v_ang_deg: (n_bus,) angles in degrees.
    """
    root = nodes(net)
    v_bus = np.where(net.bus.in_service, v_mag_pu * np.exp(1j * np.radians(v_ang_deg)), np.nan)
    v = np.full(net.n_bus, np.nan, dtype=complex)
    known = np.isfinite(v_bus)
    v[root[known][::-1]] = v_bus[known][::-1]
    y_shunt = _shunts(net, root)
    free_p, free_q, specified, touched = _injections(net, root, np.abs(v))
    filled = _fill(net, root, v, y_shunt, touched)
    if filled.any():
        free_p, free_q, specified, touched = _injections(net, root, np.abs(v))
    ends, flows = _flows(net, root, v)
    drawn = np.abs(v) ** 2 * np.conj(y_shunt)
    for end, flow in zip(ends, flows, strict=True):
        np.add.at(drawn, end, np.nan_to_num(flow))
    residual = drawn * net.base_mva - specified
    first = (root == np.arange(net.n_bus)) & np.isfinite(v) & net.bus.in_service
    p = np.where(first & ~free_p, residual.real, np.nan)
    q = np.where(first & ~free_q, residual.imag, np.nan)
    out = np.full((2, net.n_branch), np.nan, dtype=complex)
    out[:, _conducting(net)] = np.array(flows) * net.base_mva
    return Balance(p, q, out, filled[root])


def _conducting(net: Network) -> Array:
    branch, live = net.branch, net.bus.in_service
    return np.asarray(branch.in_service & live[branch.from_bus] & live[branch.to_bus])


def _two_ports(net: Network) -> tuple[Array, Array, Array, Array]:
    b = net.branch.take(_conducting(net))
    y, t = 1 / (b.r_pu + 1j * b.x_pu), b.tap_ratio * np.exp(1j * np.radians(b.shift_deg))
    y_ff = (y + b.g_from_pu + 1j * b.b_from_pu) / np.abs(t) ** 2
    return y_ff, -y / np.conj(t), -y / t, y + b.g_to_pu + 1j * b.b_to_pu


def _ends(net: Network, root: Array) -> tuple[Array, Array]:
    on = _conducting(net)
    return root[net.branch.from_bus[on]], root[net.branch.to_bus[on]]


def _flows(net: Network, root: Array, v: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    y_ff, y_ft, y_tf, y_tt = _two_ports(net)
    i, j = _ends(net, root)
    flows = v[i] * np.conj(y_ff * v[i] + y_ft * v[j]), v[j] * np.conj(y_tf * v[i] + y_tt * v[j])
    return (i, j), flows


def _shunts(net: Network, root: Array) -> Array:
    y = np.zeros(net.n_bus, dtype=complex)
    s = net.shunt
    np.add.at(y, root[s.bus], np.where(s.in_service, (s.g_mw + 1j * s.b_mvar) * s.step, 0) / net.base_mva)
    return y


def _injections(net: Network, root: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """Nodes with free P and free Q, the specified injection in MVA, and the nodes that have any injecting element."""
    free_p, free_q, touched = (np.zeros(net.n_bus, dtype=bool) for _ in range(3))
    s = np.zeros(net.n_bus, dtype=complex)

    def put(bus: Array, on: Array, power: Array) -> None:
        np.add.at(s, root[bus[on]], power[on])
        touched[root[bus[on]]] = True

    gen, comp, store = net.gen, net.compensator, net.storage
    put(gen.bus, gen.in_service, gen.p_mw + 1j * np.where(gen.regulates, 0.0, gen.q_mvar))
    put(comp.bus, comp.in_service, 1j * np.where(comp.regulates, 0.0, comp.q_mvar))
    put(store.bus, store.in_service, store.p_mw + 1j * store.q_mvar)
    free_p[root[gen.bus[gen.in_service & gen.is_reference]]] = True
    free_q[root[gen.bus[gen.in_service & (gen.regulates | gen.is_reference)]]] = True
    free_q[root[comp.bus[comp.in_service & comp.regulates]]] = True
    load = net.load
    u = v[root[load.bus]]
    p = load.p_mw * (load.p_share_z * u**2 + load.p_share_i * u + 1 - load.p_share_z - load.p_share_i)
    q = load.q_mvar * (load.q_share_z * u**2 + load.q_share_i * u + 1 - load.q_share_z - load.q_share_i)
    put(load.bus, load.in_service, -(p + 1j * q))
    link = net.hvdc
    sent = np.abs(link.p_mw)
    arrived = sent - link.loss_fixed_mw - link.loss_share * sent
    at_from = np.where(link.p_mw >= 0, -sent, arrived)
    at_to = np.where(link.p_mw >= 0, arrived, -sent)
    for bus, power, q_set, holds in (
        (link.from_bus, at_from, link.q_from_mvar, link.regulates_from),
        (link.to_bus, at_to, link.q_to_mvar, link.regulates_to),
    ):
        put(bus, link.in_service, power + 1j * np.where(holds, 0.0, q_set))
        free_q[root[bus[link.in_service & holds]]] = True
    return free_p, free_q, s, touched


def _fill(net: Network, root: Array, v: Array, y_shunt: Array, touched: Array) -> Array:
    """Set unknown voltages of nodes without injection from ``sum of currents = 0``; returns which were set.

    Only nodes that a known voltage reaches over such nodes are set; the others stay NaN.
    """
    unknown = (root == np.arange(net.n_bus)) & ~np.isfinite(v) & ~touched & net.bus.in_service
    filled = np.zeros(net.n_bus, dtype=bool)
    (i, j), (y_ff, y_ft, y_tf, y_tt) = _ends(net, root), _two_ports(net)
    reached, grown = np.isfinite(v), True
    while grown:
        before = int(reached.sum())
        for a, b in ((i, j), (j, i)):
            near = b[reached[a]]
            reached[near[unknown[near]]] = True
        grown = int(reached.sum()) > before
    wanted = unknown & reached
    blocked, grown = ~np.isfinite(v) & ~wanted, True
    while grown:  # a node next to one that stays unknown cannot be computed either
        before = int(blocked.sum())
        for a, b in ((i, j), (j, i)):
            near = b[blocked[a]]
            blocked[near[wanted[near]]] = True
        grown = int(blocked.sum()) > before
    target = np.flatnonzero(wanted & ~blocked)
    if not 0 < len(target) <= _LARGEST_FILL:
        return filled
    row = np.full(net.n_bus, -1)
    row[target] = np.arange(len(target))
    y, rhs = np.diag(y_shunt[target]), np.zeros(len(target), dtype=complex)
    for at, self_y, other, other_y in ((i, y_ff, j, y_ft), (j, y_tt, i, y_tf)):
        mine = row[at] >= 0
        np.add.at(y, (row[at[mine]], row[at[mine]]), self_y[mine])
        inner, outer = mine & (row[other] >= 0), mine & np.isfinite(v[other])
        np.add.at(y, (row[at[inner]], row[other[inner]]), other_y[inner])
        np.add.at(rhs, row[at[outer]], -other_y[outer] * v[other[outer]])
    v[target] = np.linalg.solve(y, rhs)
    filled[target] = True
    return filled
