"""A dense power flow of one scenario in plain NumPy, written from the model's definitions alone.

It reads the tables of a `Network` and one row of its `Scenarios` and shares nothing with the engines: its own merging
of buses, its own admittance matrix, its own Newton method in polar form with a dense Jacobian. It is for small grids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios

PQ, PV, REF, OFF = 0, 1, 2, 3


def node_of_bus(net: Network) -> np.ndarray:
    """(n_bus,) first bus of the electrical node that each bus belongs to."""
    node = np.arange(net.n_bus)
    for a, b, closed in zip(net.switch.from_bus, net.switch.to_bus, net.switch.closed, strict=True):
        if closed and net.bus.in_service[a] and net.bus.in_service[b]:
            low, high = sorted((node[a], node[b]))
            node[node == high] = low
    return node


class Condition:
    """One scenario: values and in-service masks of every element. Nodes are named by their first bus.

    `distributed` decides which references there are, and so what has supply. An HVDC link needs supply at both ends.
    """

    def __init__(self, net: Network, sc: Scenarios | None = None, row: int = 0, *, distributed: bool = False) -> None:
        self.distributed = distributed
        sc = Scenarios.base(net) if sc is None else sc
        self.net, self.node = net, node_of_bus(net)
        for name in ("load_p_mw", "load_q_mvar", "gen_p_mw", "gen_q_mvar", "gen_v_pu", "storage_p_mw", "storage_q_mvar",
                     "hvdc_p_mw", "shunt_step"):  # fmt: skip
            setattr(self, name, np.array(sc.values(name)[row], dtype=float))
        alive = net.bus.in_service.copy()
        dead_nodes = {self.node[b] for b in sc.bus_out[row]}
        alive &= ~np.isin(self.node, list(dead_nodes))
        self.alive = alive
        self.on = {}
        for name in ("branch", "gen", "load", "hvdc"):
            on = getattr(net, name).in_service.copy()
            on[getattr(sc, f"{name}_out")[row]] = False
            self.on[name] = on
        self.on["branch"] &= alive[net.branch.from_bus] & alive[net.branch.to_bus]
        self.on["hvdc"] &= alive[net.hvdc.from_bus] & alive[net.hvdc.to_bus]
        for name in ("shunt", "storage", "compensator"):
            self.on[name] = getattr(net, name).in_service.copy()
        for name in ("gen", "load", "shunt", "storage", "compensator"):
            self.on[name] &= alive[getattr(net, name).bus]
        dead = self.kinds()[0][self.node] == OFF
        self.on["hvdc"] &= ~dead[net.hvdc.from_bus] & ~dead[net.hvdc.to_bus]

    def islands(self, intact: bool = False) -> np.ndarray:
        """(n_bus,) island of each node, labelled by its lowest node; `intact`: before the scenario's outages."""
        net, label = self.net, self.node.copy()
        here = net.bus.in_service
        on = (
            net.branch.in_service & here[net.branch.from_bus] & here[net.branch.to_bus] if intact else self.on["branch"]
        )
        for a, b in zip(net.branch.from_bus[on], net.branch.to_bus[on], strict=True):
            low, high = sorted((label[a], label[b]))
            label[label == high] = low
        return label

    def y_bus(self) -> np.ndarray:
        """(n_bus, n_bus) complex admittance matrix, pu; only rows and columns of nodes are filled."""
        net, node = self.net, self.node
        y = np.zeros((net.n_bus, net.n_bus), dtype=complex)
        b = net.branch
        for k in np.flatnonzero(self.on["branch"]):
            series = 1 / complex(b.r_pu[k], b.x_pu[k])
            tap = b.tap_ratio[k] * np.exp(1j * np.radians(b.shift_deg[k]))
            i, j = node[b.from_bus[k]], node[b.to_bus[k]]
            y[i, i] += (series + complex(b.g_from_pu[k], b.b_from_pu[k])) / abs(tap) ** 2
            y[i, j] += -series / np.conj(tap)
            y[j, i] += -series / tap
            y[j, j] += series + complex(b.g_to_pu[k], b.b_to_pu[k])
        s = net.shunt
        for k in np.flatnonzero(self.on["shunt"]):
            y[node[s.bus[k]], node[s.bus[k]]] += complex(s.g_mw[k], s.b_mvar[k]) * self.shunt_step[k] / net.base_mva
        return y

    def regulators(self) -> list[tuple[int, float, float, float, bool, float, int]]:
        """(node, set-point, q_min, q_max, is reference, p_max, unit or -1) of all that hold a voltage, limits in pu."""
        net, out = self.net, []
        g, c, h, base = net.gen, net.compensator, net.hvdc, net.base_mva
        for k in np.flatnonzero(self.on["gen"] & (g.regulates | g.is_reference)):
            limits = g.q_min_mvar[k] / base, g.q_max_mvar[k] / base
            out.append((self.node[g.bus[k]], self.gen_v_pu[k], *limits, bool(g.is_reference[k]), g.p_max_mw[k], k))
        for k in np.flatnonzero(self.on["compensator"] & c.regulates):
            limits = c.q_min_mvar[k] / base, c.q_max_mvar[k] / base
            out.append((self.node[c.bus[k]], c.v_set_pu[k], *limits, False, -1.0, -1))
        for k in np.flatnonzero(self.on["hvdc"]):
            if h.regulates_from[k]:
                limits = h.q_min_from_mvar[k] / base, h.q_max_from_mvar[k] / base
                out.append((self.node[h.from_bus[k]], h.v_set_from_pu[k], *limits, False, -1.0, -1))
            if h.regulates_to[k]:
                limits = h.q_min_to_mvar[k] / base, h.q_max_to_mvar[k] / base
                out.append((self.node[h.to_bus[k]], h.v_set_to_pu[k], *limits, False, -1.0, -1))
        return out

    def kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_bus,) kind of each node (OFF also for buses that are not a node's first) and (n_bus,) set-points, pu.

        A reference whose units are all out moves to the regulating unit with the largest p_max_mw of its intact island,
        and all references of an island move so that lose most of it by a split.
        """
        net, island, was = self.net, self.islands(), self.islands(intact=True)
        kind, v_set = np.full(net.n_bus, PQ), np.ones(net.n_bus)
        regulators = self.regulators()
        for node, v, *_ in sorted(regulators, key=lambda r: not r[4])[::-1]:
            kind[node], v_set[node] = PV, v
        references = [r[0] for r in regulators if r[4]]
        if self.distributed:
            first = {was[n]: n for n in reversed(references)}
            references = [n for n in references if first[was[n]] == n]
        alive_unit = net.gen.is_reference & net.gen.in_service & net.bus.in_service[net.gen.bus]
        for label in {was[self.node[b]] for b in net.gen.bus[alive_unit]}:
            left = [r for r in regulators if was[r[0]] == label]
            units = [r for r in left if r[6] >= 0]
            had = [r[0] for r in left if r[0] in references]
            if not had and units:
                references.append(max(units, key=lambda r: r[5] if np.isfinite(r[5]) else 0.0)[0])
            mine = (was == label) & net.bus.in_service & (self.node == np.arange(net.n_bus))
            lost = mine & ~(self.alive & np.isin(island, island[had]))
            units = [r for r in units if lost[r[0]]]
            if had and units and 2 * lost.sum() > mine.sum():
                references = [n for n in references if n not in had]
                references.append(max(units, key=lambda r: r[5] if np.isfinite(r[5]) else 0.0)[0])
        kind[references] = REF
        supplied = np.isin(island, island[references]) & self.alive
        kind[~supplied | (self.node != np.arange(net.n_bus))] = OFF
        return kind, v_set

    def specified(self, v_mag: np.ndarray) -> np.ndarray:
        """(n_bus,) complex injections at nodes, pu, without regulated reactive power and slack."""
        net, s = self.net, np.zeros(self.net.n_bus, dtype=complex)

        def put(bus: np.ndarray, value: np.ndarray, on: np.ndarray) -> None:
            np.add.at(s, self.node[bus[on]], value[on])

        g, c, h, load = net.gen, net.compensator, net.hvdc, net.load
        free = g.regulates | g.is_reference
        put(g.bus, self.gen_p_mw + 1j * np.where(free, 0, self.gen_q_mvar), self.on["gen"])
        put(c.bus, 1j * np.where(c.regulates, 0, c.q_mvar), self.on["compensator"])
        put(net.storage.bus, self.storage_p_mw + 1j * self.storage_q_mvar, self.on["storage"])
        u = v_mag[self.node[load.bus]]
        p = self.load_p_mw * (load.p_share_z * u**2 + load.p_share_i * u + 1 - load.p_share_z - load.p_share_i)
        q = self.load_q_mvar * (load.q_share_z * u**2 + load.q_share_i * u + 1 - load.q_share_z - load.q_share_i)
        put(load.bus, -(p + 1j * q), self.on["load"])
        sent = np.abs(self.hvdc_p_mw)
        got = np.where(sent > 0, sent * (1 - h.loss_share) - h.loss_fixed_mw, 0.0)
        forward = self.hvdc_p_mw >= 0
        put(
            h.from_bus,
            np.where(forward, -sent, got) + 1j * np.where(h.regulates_from, 0, h.q_from_mvar),
            self.on["hvdc"],
        )
        put(h.to_bus, np.where(forward, got, -sent) + 1j * np.where(h.regulates_to, 0, h.q_to_mvar), self.on["hvdc"])
        return s / net.base_mva

    def share(self, kind: np.ndarray) -> np.ndarray:
        """(n_bus,) slack share of each node: participation of units, p_max_mw where references alone have one; sum 1
        in each island (an island without any leaves it to its reference)."""
        net, gen = self.net, self.net.gen
        weight = gen.participation
        if not (weight[gen.in_service & ~gen.is_reference] > 0).any():
            weight = np.where(np.isfinite(gen.p_max_mw), np.maximum(gen.p_max_mw, 0), np.abs(gen.p_mw))
        share = np.zeros(net.n_bus)
        np.add.at(share, self.node[gen.bus], np.where(self.on["gen"], weight, 0.0))
        share[kind == OFF] = 0
        island = self.islands()
        for label in np.unique(island[kind == REF]):
            at = (island == label) & (kind != OFF)
            if share[at].sum() <= 0:
                share[at & (kind == REF)] = 1.0
            share[at] /= share[at].sum()
        return share


@dataclass
class Dense:
    """Result of `solve`: voltages by bus (NaN without supply), iterations, slack of each island's reference, pu."""

    converged: bool
    v_mag: np.ndarray
    v_ang: np.ndarray
    kind: np.ndarray
    slack_pu: dict[int, float]


def solve(condition: Condition, *, start: np.ndarray | None = None, tol: float = 1e-12) -> Dense:
    """Newton's method in polar form with a dense Jacobian from derivatives of S = V conj(Y V)."""
    net, distributed = condition.net, condition.distributed
    kind, v_set = condition.kinds()
    y, island = condition.y_bus(), condition.islands()
    v = np.ones(net.n_bus, dtype=complex) if start is None else start.copy()
    v[~np.isfinite(v)] = 1.0
    held = (kind == PV) | (kind == REF)
    angle = np.angle(v)
    for k in np.flatnonzero(net.gen.is_reference & net.gen.in_service):
        node = condition.node[net.gen.bus[k]]
        angle[node] = np.radians(net.gen.v_ang_deg[k]) if start is None and kind[node] == REF else angle[node]
    mag = np.where(held, v_set, np.abs(v))
    swing, free_q = np.flatnonzero((kind == PQ) | (kind == PV)), np.flatnonzero(kind == PQ)
    reference = np.flatnonzero(kind == REF)
    distributed = distributed and len(reference) > 0
    rows_p = np.concatenate([swing, reference]) if distributed else swing
    share = condition.share(kind)
    lam = np.zeros(len(reference) if distributed else 0)
    place = {island[r]: c for c, r in enumerate(reference)}
    column = np.array([place.get(label, 0) for label in island]) if len(reference) else np.zeros(net.n_bus, int)
    good = False
    for _ in range(40):
        v = mag * np.exp(1j * angle)
        current = y @ v
        missing = condition.specified(mag) - v * np.conj(current)
        if distributed:
            missing += share * lam[column]
        r = np.concatenate([missing.real[rows_p], missing.imag[free_q]])
        good = bool(np.abs(r).max(initial=0.0) < tol)
        if good:
            break
        d_ang = 1j * np.diag(v) @ np.conj(np.diag(current) - y @ np.diag(v))
        d_mag = np.diag(v) @ np.conj(y @ np.diag(v / mag)) + np.diag(np.conj(current) * v / mag)
        bump = 1e-6
        slope = (condition.specified(mag + bump) - condition.specified(mag - bump)) / (2 * bump)
        d_mag = d_mag - np.diag(slope)
        jac = np.block([[d_ang.real[np.ix_(rows_p, swing)], d_mag.real[np.ix_(rows_p, free_q)]],
                        [d_ang.imag[np.ix_(free_q, swing)], d_mag.imag[np.ix_(free_q, free_q)]]])  # fmt: skip
        if distributed:
            border = np.zeros((len(r), len(reference)))
            border[np.arange(len(rows_p)), column[rows_p]] = -share[rows_p]
            jac = np.hstack([jac, border])
        try:
            step = np.linalg.solve(jac, r)
        except np.linalg.LinAlgError:
            break
        angle[swing] += step[: len(swing)]
        mag[free_q] += step[len(swing) : len(swing) + len(free_q)]
        lam += step[len(swing) + len(free_q) :]
        if not np.isfinite(mag).all() or (mag <= 0).any():
            break
    by_bus = condition.node
    off = kind[by_bus] == OFF
    slack = {int(r): float(lam[c]) for c, r in enumerate(reference)} if distributed else {}
    return Dense(good, np.where(off, np.nan, mag[by_bus]), np.where(off, np.nan, angle[by_bus]), kind, slack)


def mismatch_pu(
    condition: Condition, v_mag: np.ndarray, v_ang: np.ndarray, slack_pu: np.ndarray | None = None
) -> float:
    """Largest mismatch of given voltages (by bus, NaN without supply) where P and Q are imposed, reactive limits off.

    With distributed slack the balance must follow the shares: ``slack_pu``, what is shared in the island of each bus, is
    taken as given, or the one that balances the island where it is not known.
    """
    kind, v_set = condition.kinds()
    distributed, island = condition.distributed, condition.islands()
    live = kind != OFF
    assert np.array_equal(np.isfinite(v_mag), (kind != OFF)[condition.node] & condition.alive), (
        "wrong buses are energised"
    )
    mag = np.where(live, v_mag, 1.0)
    v = np.where(live, mag * np.exp(1j * np.where(live, v_ang, 0)), 0)
    missing = condition.specified(mag) - v * np.conj(condition.y_bus() @ v)
    free_p = ~live if distributed else ~live | (kind == REF)
    if distributed:
        share = condition.share(kind)
        for label in np.unique(island[kind == REF]):
            at = (island == label) & live
            shared = -missing[at].real.sum() if slack_pu is None else slack_pu[at][0]
            missing[at] += share[at] * shared
    off_set = np.abs(mag - v_set)[(kind == PV) | (kind == REF)]
    p, q = np.where(free_p, 0, missing.real), np.where(kind == PQ, missing.imag, 0)
    return float(max(np.abs(p).max(), np.abs(q).max(), off_set.max(initial=0.0)))


def dc_angles(condition: Condition) -> np.ndarray:
    """(n_bus,) angles of the linear model B theta = P by bus, rad, NaN without supply; references as their units say.

    Voltages are 1 pu, branches lossless with b = 1/(x tap), and shunt conductances draw what they draw at 1 pu.
    """
    net, node = condition.net, condition.node
    kind, _ = condition.kinds()
    live, branch = kind != OFF, net.branch
    b_matrix = np.zeros((net.n_bus, net.n_bus))
    p = condition.specified(np.ones(net.n_bus)).real
    s = net.shunt
    for k in np.flatnonzero(condition.on["shunt"]):
        p[node[s.bus[k]]] -= s.g_mw[k] * condition.shunt_step[k] / net.base_mva
    for k in np.flatnonzero(condition.on["branch"]):
        i, j = node[branch.from_bus[k]], node[branch.to_bus[k]]
        b = 1 / (branch.x_pu[k] * branch.tap_ratio[k])
        b_matrix[[i, j], [i, j]] += b
        b_matrix[[i, j], [j, i]] -= b
        p[i] += b * np.radians(branch.shift_deg[k])
        p[j] -= b * np.radians(branch.shift_deg[k])
    if condition.distributed:
        share, island = condition.share(kind), condition.islands()
        for label in np.unique(island[kind == REF]):
            at = (island == label) & live
            p[at] -= share[at] * p[at].sum()
    theta = np.zeros(net.n_bus)
    unit = np.flatnonzero(net.gen.is_reference & condition.on["gen"])
    theta[node[net.gen.bus[unit]]] = np.radians(net.gen.v_ang_deg[unit])
    theta[kind != REF] = 0
    free = np.flatnonzero((kind == PQ) | (kind == PV))
    theta[free] = np.linalg.solve(b_matrix[np.ix_(free, free)], p[free] - b_matrix[free] @ theta)
    return np.where(kind[node] == OFF, np.nan, theta[node])


def aligned(condition: Condition, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """`ours` (n_bus,) turned, island by island, so that it equals `theirs` at the island's first bus with supply, and
    by whole turns elsewhere."""
    out, island = ours.copy(), condition.islands()[condition.node]
    for label in np.unique(island):
        at = np.flatnonzero((island == label) & np.isfinite(theirs))
        if len(at):
            out[at] += theirs[at[0]] - ours[at[0]]
    return out - 2 * np.pi * np.round((out - theirs) / (2 * np.pi))
