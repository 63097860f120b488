"""A dense admittance matrix of a `Network`, written from the pi model alone, for tests on small grids."""

from __future__ import annotations

import numpy as np

from aurigrid.io.report import SourceState
from aurigrid.model.network import Network


def node_of_bus(net: Network) -> np.ndarray:
    """(n_bus,) first bus of the node that each bus belongs to."""
    node = np.arange(net.n_bus)
    for a, b, closed in zip(net.switch.from_bus, net.switch.to_bus, net.switch.closed, strict=True):
        if closed:
            node[node == node[b]] = node[a]
    return node


def y_bus(net: Network, node: np.ndarray) -> np.ndarray:
    """(n_bus, n_bus) complex; rows of buses that are not the first of their node are zero."""
    y = np.zeros((net.n_bus, net.n_bus), dtype=complex)
    b = net.branch
    for k in np.flatnonzero(b.in_service):
        series = 1 / complex(b.r_pu[k], b.x_pu[k])
        tap = b.tap_ratio[k] * np.exp(1j * np.radians(b.shift_deg[k]))
        i, j = node[b.from_bus[k]], node[b.to_bus[k]]
        y[i, i] += (series + complex(b.g_from_pu[k], b.b_from_pu[k])) / abs(tap) ** 2
        y[i, j] -= series / np.conj(tap)
        y[j, i] -= series / tap
        y[j, j] += series + complex(b.g_to_pu[k], b.b_to_pu[k])
    s = net.shunt
    for k in np.flatnonzero(s.in_service):
        y[node[s.bus[k]], node[s.bus[k]]] += complex(s.g_mw[k], s.b_mvar[k]) * s.step[k] / net.base_mva
    return y


def mismatch_mva(net: Network, state: SourceState) -> np.ndarray:
    """(n_bus,) complex mismatch in MVA at given voltages; the parts that are free, and unknown nodes, are zero."""
    node = node_of_bus(net)
    y, v = y_bus(net, node), state.v_mag_pu * np.exp(1j * np.radians(state.v_ang_deg))
    s, free_p, free_q = np.zeros(net.n_bus, dtype=complex), set(), set()

    def inject(table, power, holds):
        for k in np.flatnonzero(table.in_service):
            s[node[table.bus[k]]] += power[k]
            if holds[k]:
                free_q.add(node[table.bus[k]])

    never = np.zeros(10_000, dtype=bool)
    inject(net.gen, net.gen.p_mw + 1j * net.gen.q_mvar, net.gen.regulates)
    inject(net.compensator, 1j * net.compensator.q_mvar, net.compensator.regulates)
    inject(net.storage, net.storage.p_mw + 1j * net.storage.q_mvar, never)
    load, u = net.load, np.abs(v[node[net.load.bus]])
    p = load.p_mw * (load.p_share_z * u**2 + load.p_share_i * u + 1 - load.p_share_z - load.p_share_i)
    q = load.q_mvar * (load.q_share_z * u**2 + load.q_share_i * u + 1 - load.q_share_z - load.q_share_i)
    inject(load, -(p + 1j * q), never)
    free_p.update(node[net.gen.bus[net.gen.is_reference]])
    _inject_hvdc(net, node, s, free_q)
    y, v = _without_unknown(y, v, node, s)
    residual = v * np.conj(y @ v) * net.base_mva - s
    residual[(node != np.arange(net.n_bus)) | (v == 0)] = 0
    real, imag = residual.real, residual.imag
    real[list(free_p)] = 0
    imag[list(free_q | free_p)] = 0
    return real + 1j * imag


def _inject_hvdc(net, node, s, free_q):
    h = net.hvdc
    for k in np.flatnonzero(h.in_service):
        sent = abs(h.p_mw[k])
        got = sent - h.loss_fixed_mw[k] - h.loss_share[k] * sent
        at_from, at_to = (-sent, got) if h.p_mw[k] >= 0 else (got, -sent)
        s[node[h.from_bus[k]]] += complex(at_from, h.q_from_mvar[k])
        s[node[h.to_bus[k]]] += complex(at_to, h.q_to_mvar[k])
        free_q.update([node[h.from_bus[k]]] if h.regulates_from[k] else [])
        free_q.update([node[h.to_bus[k]]] if h.regulates_to[k] else [])


def _without_unknown(y, v, node, s):
    """Fill unknown voltages of empty nodes that touch known ones (star points, open ends) by ``i = 0``."""
    known = np.flatnonzero(np.isfinite(v))
    bare = [
        i for i in range(len(v)) if node[i] == i and not np.isfinite(v[i]) and s[i] == 0 and np.any(y[i, known] != 0)
    ]
    if bare:
        v[bare] = -np.linalg.solve(y[np.ix_(bare, bare)], y[np.ix_(bare, known)] @ v[known])
    return y, np.where(np.isfinite(v), v, 0)
