"""The pi model of `aurigrid.model.tables` written down once more, in plain NumPy: an independent reference for readers.

Nothing here is imported from an engine. Closed switches merge buses; loads follow their ZIP shares; DC links inject
what the model's docstring says.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse


def nodes(net) -> np.ndarray:
    """(n_bus,) electrical node of each bus: the smallest position among those joined by closed switches."""
    node = np.arange(net.n_bus)
    pairs = [(a, b) for a, b, c in zip(net.switch.from_bus, net.switch.to_bus, net.switch.closed, strict=True) if c]
    changed = bool(pairs)
    while changed:
        changed = False
        for a, b in pairs:
            low = min(node[a], node[b])
            if node[a] != low or node[b] != low:
                node[a] = node[b] = low
                changed = True
    return node


def admittance(net) -> sparse.csr_matrix:
    """(n_bus, n_bus) bus admittance matrix in pu; rows and columns of merged buses are at their node."""
    node, b = nodes(net), net.branch
    on = b.in_service.astype(float)
    f, t = node[b.from_bus], node[b.to_bus]
    y = on / (b.r_pu + 1j * b.x_pu)
    tap = b.tap_ratio * np.exp(1j * np.deg2rad(b.shift_deg))
    y_ff = (y + on * (b.g_from_pu + 1j * b.b_from_pu)) / np.abs(tap) ** 2
    y_tt = y + on * (b.g_to_pu + 1j * b.b_to_pu)
    s = net.shunt
    y_s = s.in_service * s.step * (s.g_mw + 1j * s.b_mvar) / net.base_mva
    rows = np.concatenate([f, f, t, t, node[s.bus]])
    columns = np.concatenate([f, t, f, t, node[s.bus]])
    values = np.concatenate([y_ff, -y / tap.conj(), -y / tap, y_tt, y_s])
    return sparse.csr_matrix((values, (rows, columns)), shape=(net.n_bus, net.n_bus))


def scheduled(net, v_mag) -> np.ndarray:
    """(n_bus,) complex power in MVA that units, loads, storage, compensators and DC links inject, at their node.

    Args:
        v_mag: (n_bus,) voltage magnitude in pu, for voltage-dependent loads.
    """
    node, s = nodes(net), np.zeros(net.n_bus, dtype=complex)

    def put(bus, on, power):
        np.add.at(s, node[bus], np.where(on, power, 0))

    g, d, st, c, h = net.gen, net.load, net.storage, net.compensator, net.hvdc
    put(g.bus, g.in_service, g.p_mw + 1j * g.q_mvar)
    v = v_mag[node[d.bus]]
    p = d.p_mw * (d.p_share_z * v**2 + d.p_share_i * v + 1 - d.p_share_z - d.p_share_i)
    q = d.q_mvar * (d.q_share_z * v**2 + d.q_share_i * v + 1 - d.q_share_z - d.q_share_i)
    put(d.bus, d.in_service, -p - 1j * q)
    put(st.bus, st.in_service, st.p_mw + 1j * st.q_mvar)
    put(c.bus, c.in_service, 1j * c.q_mvar)
    sent = np.abs(h.p_mw)
    arrives = sent - h.loss_fixed_mw - h.loss_share * sent
    put(h.from_bus, h.in_service, np.where(h.p_mw > 0, -sent, arrives) + 1j * h.q_from_mvar)
    put(h.to_bus, h.in_service, np.where(h.p_mw > 0, arrives, -sent) + 1j * h.q_to_mvar)
    return s


def free_power(net) -> tuple[np.ndarray, np.ndarray]:
    """(n_bus,) masks of nodes whose active, and whose reactive, balance some element takes up."""
    node = nodes(net)
    p, q = np.zeros(net.n_bus, dtype=bool), np.zeros(net.n_bus, dtype=bool)
    g, c, h = net.gen, net.compensator, net.hvdc
    p[node[g.bus[g.is_reference & g.in_service]]] = True
    q[node[g.bus[g.regulates & g.in_service]]] = True
    q[node[c.bus[c.regulates & c.in_service]]] = True
    q[node[h.from_bus[h.regulates_from & h.in_service]]] = True
    q[node[h.to_bus[h.regulates_to & h.in_service]]] = True
    return p, q


def mismatch(net, v_mag, v_ang_deg) -> np.ndarray:
    """(n_bus,) complex power imbalance in MVA at given voltages, 0 where an element takes it up and where V is unknown.

    A node's voltage is that of its first bus.
    """
    node = nodes(net)
    known = np.isfinite(v_mag) & net.bus.in_service
    v = np.where(known, v_mag * np.exp(1j * np.deg2rad(v_ang_deg)), 0)[node]
    gap = v * np.conj(admittance(net) @ v) * net.base_mva - scheduled(net, np.abs(v))
    p_free, q_free = free_power(net)
    gap = np.where(p_free, 0, gap.real) + 1j * np.where(q_free, 0, gap.imag)
    return np.where(known & (node == np.arange(net.n_bus)), gap, 0)


def reduced(y, keep) -> np.ndarray:
    """Dense admittance matrix of the kept nodes, the others - without injections - eliminated (Kron)."""
    y = np.asarray(y.todense())
    rest = np.setdiff1d(np.flatnonzero(np.abs(y).sum(axis=1)), keep)
    a = y[np.ix_(keep, keep)]
    if len(rest):
        a = a - y[np.ix_(keep, rest)] @ np.linalg.solve(y[np.ix_(rest, rest)], y[np.ix_(rest, keep)])
    return a
