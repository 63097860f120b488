"""`Solution`: voltages of a batch of power flows and what follows from them, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.kernels.flows import branch_powers, node_powers
from aurigrid.kernels.tile import OFF, REF
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.edits import merge_pairs, touching, without_dead_links
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import Injections, hvdc_arriving_mw, participation
from aurigrid.powerflow.references import reference_groups
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.sums import node_sums
from aurigrid.powerflow.supply import unsupplied

if TYPE_CHECKING:
    from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class BranchFlow:
    """Flows of all branches in border units, each (n, n_branch); power enters the branch at each end.

    Attributes:
        p_from_mw, q_from_mvar, p_to_mw, q_to_mvar: powers at the ends.
        loading: larger apparent power of the two ends over rate_mva; 0 without a rating.
    """

    p_from_mw: Array
    q_from_mvar: Array
    p_to_mw: Array
    q_to_mvar: Array
    rate_mva: Array

    @cached_property
    def s_from_mva(self) -> Array:
        return np.hypot(self.p_from_mw, self.q_from_mvar)

    @cached_property
    def s_to_mva(self) -> Array:
        return np.hypot(self.p_to_mw, self.q_to_mvar)

    @cached_property
    def loading(self) -> Array:
        loading: Array = np.maximum(self.s_from_mva, self.s_to_mva) / self.rate_mva
        return loading

    @cached_property
    def loss_mw(self) -> Array:
        return self.p_from_mw + self.p_to_mw


@dataclass(frozen=True, eq=False)
class Solution:
    """Result of a batch of power flows. Rows that failed hold NaN, never 0; so do buses without supply.

    Attributes:
        status: (n,) int8 `Status`.
        iterations: (n,) int32.
        mismatch_pu: (n,) largest power mismatch, recomputed branch by branch in float64; NaN where not solved.
        v: (n, n_node) complex node voltages, pu; `v_mag` and `v_ang` give them by bus.
        held: (n, n_held) int8, limit at which a node that could hold its voltage is (see `kernels.tile.Results`).
        need_pu: (n, n_held) reactive power that holding those voltages takes, pu.
        slack_mw: (n, n_island) distributed slack by island, MW; each participant adds its share of it, and the shares sum to 1
            with all participants in service: what an outage takes away, the others make up for by a larger slack.
        rung: (n,) int8 `Rung`: the start or method that led to each answer.
        reached: (n,) largest share of all injections with a solution, found by the continuation of a rescue; NaN where even
            the unloaded grid has none, or where it was not tried; None without one.
    """

    grid: Grid
    cases: Cases
    status: Array
    iterations: Array
    mismatch_pu: Array
    v: Array
    held: Array
    need_pu: Array
    slack_mw: Array
    off: Pairs
    engine: str
    rung: Array
    reached: Array | None = None

    @property
    def n(self) -> int:
        return len(self.status)

    @property
    def net(self) -> Network:
        return self.grid.net

    @property
    def converged(self) -> Array:
        """(n,) bool: solved, with or without a part that lost its supply."""
        solved: Array = (self.status == Status.CONVERGED) | (self.status == Status.ISLANDED)
        return solved

    @cached_property
    def _by_bus(self) -> Array:
        if np.array_equal(self.grid.node_of_bus, np.arange(self.grid.n_node)):
            return self.v
        return self.v[:, self.grid.node_of_bus]

    @cached_property
    def v_mag(self) -> Array:
        """(n, n_bus) voltage magnitudes, pu, in the order of ``net.bus``."""
        return np.abs(self._by_bus)

    @cached_property
    def v_ang(self) -> Array:
        """(n, n_bus) voltage angles, rad, in the order of ``net.bus``."""
        return np.angle(self._by_bus)

    @cached_property
    def _branch_out(self) -> tuple[Array, Array]:
        pairs = merge_pairs(self.cases.pairs("branch"), touching(self.grid, self.cases.pairs("bus")), self.net.n_branch)
        return pairs.pointers(self.n), pairs.element

    def branch_flow(self) -> BranchFlow:
        """Flows of every branch at both ends."""
        return self._branch_flow

    @cached_property
    def _branch_flow(self) -> BranchFlow:
        grid = self.grid
        shape = (self.n, grid.net.n_branch)
        parts = tuple(np.empty(shape) for _ in range(4))
        if self.engine == "dc":
            return self._dc_flow()
        v = np.ascontiguousarray(self.v).view(np.float64)
        branch_powers(v, grid.from_node, grid.to_node, grid.y_branch, grid.base_mva, *self._branch_out, *parts)
        # a branch between buses without supply carries nothing
        dead = np.zeros(shape, bool)
        if len(self.off.case) or (grid.kind == OFF).any():
            off = np.zeros((self.n, grid.n_node), bool)
            off[:, grid.kind == OFF] = True
            off[self.off.case, self.off.element] = True
            live = grid.from_node >= 0
            dead[:, live] = off[:, grid.from_node[live]] | off[:, grid.to_node[live]]
        solved = (self.converged | (self.status == Status.IMPLAUSIBLE))[:, None]
        for part in parts:
            part[dead & solved] = 0.0
            part[~solved[:, 0]] = np.nan
        return BranchFlow(parts[0], parts[1], parts[2], parts[3], grid.net.branch.rate_mva)

    def _dc_flow(self) -> BranchFlow:
        """Flows of the linear model: lossless, without reactive power."""
        branch, grid = self.net.branch, self.grid
        live = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
        x = np.where(branch.x_pu != 0, branch.x_pu, branch.r_pu) * branch.tap_ratio
        theta = np.angle(self.v)
        turn = theta[:, grid.from_node] - theta[:, grid.to_node] - np.deg2rad(branch.shift_deg)
        p = np.where(live, turn / x * grid.base_mva, 0.0)
        p[np.isnan(p) & self.converged[:, None]] = 0.0
        ptr, out = self._branch_out
        p[np.repeat(np.arange(self.n), np.diff(ptr)), out] = 0.0
        p[~self.converged] = np.nan
        zero = np.zeros_like(p)
        return BranchFlow(p, zero, -p, zero, rate_mva=branch.rate_mva)

    @cached_property
    def _injections(self) -> Injections:
        return Injections.of(self.grid, self.cases.scenarios)

    def _table(self, name: str) -> Array:
        values: Array = getattr(self._injections, name)
        return values[self.cases.row] if len(values) > 1 else np.repeat(values, self.n, 0)

    @cached_property
    def _node_balance(self) -> tuple[Array, Array]:
        """(n, n_node) net injections from the voltages, MW and Mvar."""
        grid = self.grid
        p, q = np.empty((self.n, grid.n_node)), np.empty((self.n, grid.n_node))
        if self.engine == "dc":
            return self._dc_balance(), np.full_like(q, np.nan)
        v = np.ascontiguousarray(self.v).view(np.float64)
        # a node next to one without supply gets nothing from there: its branch is out or dead
        v = np.where(np.isnan(v) & self.converged[:, None], 0.0, v) if np.isnan(v).any() else v
        out_ptr, out_branch = self._branch_out
        node_powers(
            v, grid.from_node, grid.to_node, grid.y_branch, grid.shunt_y.real.copy(), grid.shunt_y.imag.copy(),
            out_ptr, out_branch, p, q,
        )  # fmt: skip
        return p * grid.base_mva, q * grid.base_mva

    def _dc_balance(self) -> Array:
        """(n, n_node) net active injections of the linear model, MW."""
        grid, flow = self.grid, self._branch_flow.p_from_mw
        live = grid.from_node >= 0
        p = np.repeat(grid.shunt_y.real[None] * grid.base_mva, self.n, 0)
        p += node_sums(grid.from_node[live], flow[:, live], grid.n_node)
        p -= node_sums(grid.to_node[live], flow[:, live], grid.n_node)
        return p

    def _references(self) -> list[tuple[Array, Array]]:
        """Groups of cases with the node kinds of each: outages may have moved their references."""
        return reference_groups(self.grid, self.cases, unsupplied(self.grid, self.cases))

    @cached_property
    def _out_of_service(self) -> Array:
        """(n, n_gen) units that do not run in a case: out, or at a bus without supply."""
        net, grid = self.net, self.grid
        out = np.repeat(~net.gen.in_service[None], self.n, 0)
        pairs = self.cases.pairs("gen")
        out[pairs.case, pairs.element] = True
        node = grid.node_of_bus[net.gen.bus]
        out[:, grid.kind[node] == OFF] = True
        for case, lost in zip(self.off.case, self.off.element, strict=True):
            out[case, node == lost] = True
        return out

    @cached_property
    def _demand(self) -> tuple[Array, Array]:
        """(n, n_node) consumption of all but units: loads at voltage, storage, HVDC, compensators; MW, Mvar."""
        net, grid = self.net, self.grid
        p, q = np.zeros((self.n, grid.n_node)), np.zeros((self.n, grid.n_node))
        load = net.load
        v = np.abs(self.v[:, grid.node_of_bus[load.bus]])
        on = np.repeat(load.in_service[None], self.n, 0)
        pairs = self.cases.pairs("load")
        on[pairs.case, pairs.element] = False
        z, i = load.p_share_z, load.p_share_i
        lp = np.where(on, self._table("load_p") * (z * v**2 + i * v + 1 - z - i), 0.0)
        z, i = load.q_share_z, load.q_share_i
        lq = np.where(on, self._table("load_q") * (z * v**2 + i * v + 1 - z - i), 0.0)

        def put(bus: Array, dp: Array, dq: Array) -> None:
            if len(bus):
                p[:] += node_sums(grid.node_of_bus[bus], dp, grid.n_node)
                q[:] += node_sums(grid.node_of_bus[bus], np.broadcast_to(dq, dp.shape), grid.n_node)

        put(load.bus, lp, lq)
        st = net.storage
        put(st.bus, -self._table("storage_p") * st.in_service, -self._table("storage_q") * st.in_service)
        dc = net.hvdc
        if len(dc):
            dc_on = np.repeat(grid.hvdc_on[None], self.n, 0)
            pairs = without_dead_links(grid, self.cases, self.off).pairs("hvdc")
            dc_on[pairs.case, pairs.element] = False
            sent, arriving = hvdc_arriving_mw(net, self._table("hvdc_p"))
            put(dc.from_bus, -sent * dc_on, -np.where(dc.regulates_from, 0.0, dc.q_from_mvar) * dc_on)
            put(dc.to_bus, -arriving * dc_on, -np.where(dc.regulates_to, 0.0, dc.q_to_mvar) * dc_on)
        svc = net.compensator
        fixed = np.where(svc.in_service & ~svc.regulates, svc.q_mvar, 0.0)
        put(svc.bus, np.zeros((self.n, len(svc))), np.repeat(-fixed[None], self.n, 0))
        sc = self.cases.scenarios
        if sc.shunt_step is not None and len(net.shunt):
            change = (sc.shunt_step[self.cases.row] - net.shunt.step) * net.shunt.in_service
            square = np.abs(self.v[:, grid.node_of_bus[net.shunt.bus]]) ** 2
            put(net.shunt.bus, change * net.shunt.g_mw * square, -change * net.shunt.b_mvar * square)
        return p, q

    @cached_property
    def gen_p_mw(self) -> Array:
        """(n, n_gen) active power of every unit, MW, slack included; 0 where it does not run, NaN where not solved."""
        net, grid = self.net, self.grid
        p = self._table("gen_p").copy()
        p[self._out_of_service] = 0.0
        if self.slack_mw.any():
            weight = participation(grid)
            island = grid.island[grid.node_of_bus[net.gen.bus]]
            total = np.bincount(island, weight, minlength=grid.n_island)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(total[island] > 0, weight / total[island], 0.0)
            p += np.where(self._out_of_service, 0.0, share * self.slack_mw[:, island])
        # what a reference still has to balance goes to its first running unit, those marked as reference first
        node = grid.node_of_bus[net.gen.bus]
        balance = self._node_balance[0] + self._demand[0]
        for rows, kind in self._references():
            for i in np.flatnonzero(kind == REF):
                units = np.flatnonzero((node == i) & net.gen.in_service)
                if units.size == 0:
                    continue
                rank = 2 * net.gen.is_reference[units].astype(int) + net.gen.regulates[units]
                takes = np.argsort(-rank, kind="stable")
                running = ~self._out_of_service[np.ix_(rows, units[takes])]
                first = units[takes][running.argmax(1)]
                left = balance[rows, i] - p[np.ix_(rows, units)].sum(1)
                p[rows, first] += np.where(running.any(1), left, 0.0)
        p[~np.isfinite(self.mismatch_pu)] = np.nan
        return p

    @cached_property
    def gen_q_mvar(self) -> Array:
        """(n, n_gen) reactive power of every unit, Mvar; regulators of one node share in proportion to their range.

        NaN for regulating units in a DC solution, which has no reactive power.
        """
        return self._regulated_q(0, self.net.n_gen, self._table("gen_q"))

    @cached_property
    def compensator_q_mvar(self) -> Array:
        """(n, n_compensator) reactive power of static compensators, Mvar."""
        return self._regulated_q(1, len(self.net.compensator), np.repeat(self.net.compensator.q_mvar[None], self.n, 0))

    def _regulated_q(self, table: int, size: int, fixed: Array) -> Array:
        net, grid, reg = self.net, self.grid, self.grid.regulators
        q = fixed.copy()
        if table == 0:
            q[self._out_of_service] = 0.0
        need = self._node_balance[1] + self._demand[1]
        node_of_gen = grid.node_of_bus[net.gen.bus]
        held_here = np.zeros(net.n_gen, bool)
        held_here[reg.element[reg.table == 0]] = True
        fixed_q = np.where(self._out_of_service | held_here, 0.0, self._table("gen_q"))
        need -= node_sums(node_of_gen[~held_here], fixed_q[:, ~held_here], grid.n_node)
        for i in np.unique(reg.node):
            members = np.flatnonzero(reg.node == i)
            on = np.ones((self.n, len(members)), bool)
            for c, k in enumerate(members):
                if reg.table[k] == 0:
                    on[:, c] = ~self._out_of_service[:, reg.element[k]]
            low, high = reg.q_min[members] * grid.base_mva, reg.q_max[members] * grid.base_mva
            width = high - low
            even = not np.isfinite(width).all() or width.sum() <= 0
            share = (np.ones(len(members)) if even else width) * on
            with np.errstate(invalid="ignore", divide="ignore"):
                share = share / share.sum(1, keepdims=True)
            floor = 0.0 if even else low * on
            value = floor + share * (need[:, [i]] - np.sum(floor * on, 1, keepdims=True))
            for c, k in enumerate(members):
                if reg.table[k] == table:
                    q[:, reg.element[k]] = np.where(on[:, c], value[:, c], 0.0)
        q[~np.isfinite(self.mismatch_pu)] = np.nan
        return q[:, :size]

    @cached_property
    def _lost(self) -> tuple[Array, Array]:
        net, grid = self.net, self.grid
        load, gen = np.zeros(self.n), np.zeros(self.n)
        if len(self.off.case):
            inj = self._injections
            for bus, on, name, total in (
                (net.load.bus, net.load.in_service, "load_p", load),
                (net.gen.bus, net.gen.in_service, "gen_p", gen),
            ):
                node = grid.node_of_bus[bus]
                order = np.argsort(node, kind="stable")
                ptr = np.searchsorted(node[order], np.arange(grid.n_node + 1))
                size = ptr[self.off.element + 1] - ptr[self.off.element]
                case = np.repeat(self.off.case, size)
                first = np.repeat(ptr[self.off.element] - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
                element = order[first + np.arange(len(case))]
                # what an outage names itself is not lost by the split
                pairs, k = self.cases.pairs(name[:-2]), np.int64(len(bus))
                named = np.isin(case * k + element, pairs.case * k + pairs.element)
                values = inj.at(name, self.cases.row[case], element) * (on[element] & ~named)
                np.add.at(total, case, values)
        return load, gen

    @property
    def lost_load_mw(self) -> Array:
        """(n,) demand at buses that an outage leaves without supply, MW."""
        return self._lost[0]

    @property
    def lost_gen_mw(self) -> Array:
        """(n,) infeed at buses that an outage leaves without supply, MW."""
        return self._lost[1]

    def _repr_html_(self) -> str:
        from aurigrid.powerflow.markup import solution_html

        return solution_html(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{np.sum(self.status == s)} {s.meaning}" for s in Status if (self.status == s).any())
        return f"Solution({self.n} of {self.net.name!r} by {self.engine}: {counts})"
