"""The DC engine: linear, active power only, all cases of a batch from one factorisation.

    B theta = P - P_shift,    B_ij = -1/(x_ij tau_ij),    p_from = (theta_f - theta_t - shift)/(x tau)

with voltages of 1 pu, no losses, and conductance shunts at 1 pu (MATPOWER User's Manual, section 3.7). A branch outage
is a rank-one change of B (Woodbury), an outage that splits the grid is solved on what is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.kernels.tile import OFF, REF, Batch
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.problem import Start, build_batch
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.sums import node_sums
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]


_CASES_AT_ONCE = 1024


class Linear:
    """Factorised DC model of a grid: references fixed at zero, nodes without supply left out."""

    def __init__(self, grid: Grid) -> None:
        from scipy.sparse import coo_array

        branch = grid.net.branch
        x = np.where(branch.x_pu != 0, branch.x_pu, branch.r_pu)
        live = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
        self.grid = grid
        self.b = np.where(live, 1.0 / (x * branch.tap_ratio), 0.0)
        self.shift = np.deg2rad(branch.shift_deg)
        self.from_node, self.to_node = np.where(live, grid.from_node, 0), np.where(live, grid.to_node, 0)
        fed = np.isin(grid.island, grid.island[grid.kind == REF])
        self.free = np.flatnonzero((grid.kind != REF) & (grid.kind != OFF) & fed)
        self.place = np.full(grid.n_node, -1)
        self.place[self.free] = np.arange(len(self.free))
        self.angle = np.zeros(grid.n_node)
        reference = grid.regulators.reference & (grid.regulators.table == 0)
        unit = grid.regulators.element[reference]
        self.angle[grid.regulators.node[reference]] = np.deg2rad(grid.net.gen.v_ang_deg[unit])
        self.angle[grid.kind != REF] = 0.0
        f, t, b = self.from_node[live], self.to_node[live], self.b[live]
        row, col, value = np.r_[f, t, f, t], np.r_[t, f, f, t], np.r_[-b, -b, b, b]
        full = coo_array((value, (row, col)), shape=(grid.n_node, grid.n_node)).tocsr()
        self.matrix = full
        self.factor = _factor(full[self.free][:, self.free])
        self.singular = self.factor is None and len(self.free) > 0
        # injections that phase shifters and conductances stand for
        self.offset = np.bincount(f, b * self.shift[live], minlength=grid.n_node) - np.bincount(
            t, b * self.shift[live], minlength=grid.n_node
        )
        self.offset -= grid.shunt_y.real + full @ self.angle

    def solve(self, p: Array) -> Array:
        """Angles (n, n_node) of the intact grid, rad, for injections p (n, n_node), pu."""
        theta = np.repeat(self.angle[None], len(p), 0)
        if self.singular:
            theta[:, self.free] = np.nan
        if self.factor is not None:
            theta[:, self.free] += self.factor.solve(np.ascontiguousarray((p + self.offset)[:, self.free].T)).T
        return theta

    def columns(self, branch: Array) -> Array:
        """(len(branch), n_node) angles per unit of power sent from the from to the to end of each branch."""
        right = np.zeros((len(self.free), len(branch)))
        for side, sign in ((self.from_node, 1.0), (self.to_node, -1.0)):
            at = self.place[side[branch]]
            right[at[at >= 0], np.flatnonzero(at >= 0)] += sign
        out = np.zeros((len(branch), self.grid.n_node))
        if self.factor is not None:
            out[:, self.free] = self.factor.solve(right).T
        return out

    def flow(self, theta: Array) -> Array:
        """(n, n_branch) active power at the from ends, pu."""
        flow: Array = self.b * (theta[:, self.from_node] - theta[:, self.to_node] - self.shift)
        return flow


def _factor(matrix: Any) -> Any:
    """Sparse LU, or None where there is nothing to factorise or the matrix is singular (reactances that cancel)."""
    from scipy.sparse.linalg import splu

    if not matrix.shape[0]:
        return None
    try:
        return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    except RuntimeError:  # SuperLU's way to say so
        return None


def specified_p(batch: Batch, order: Array) -> Array:
    """(n, n_node) active injections of the cases, pu, in the caller's node order, edits included."""
    n = len(batch.row)
    p = np.repeat(batch.base_p[None], n, 0)
    for table, node, scale in (
        (batch.load_p, batch.load_node, batch.load_scale_p),
        (batch.gen_p, batch.gen_node, batch.gen_scale),
    ):
        if len(table):
            live = node >= 0
            p += node_sums(node[live], scale[live] * table[:, live], p.shape[1])[batch.row]
    if len(batch.extra_p):
        p += batch.extra_p[batch.row]
    at = np.flatnonzero(batch.zip_node >= 0)
    if len(at):
        # voltages are 1 pu: the shares of |V| and |V|^2 count in full
        rows = batch.row if len(batch.zip) > 1 else np.zeros(n, np.int64)
        p[:, at] += (batch.zip[:, 0] + batch.zip[:, 1])[rows][:, batch.zip_node[at]]
    case = np.repeat(np.arange(n), np.diff(batch.edit_ptr))
    np.add.at(p, (case, batch.edit_node), batch.edit_p + batch.edit_zip[:, 0] + batch.edit_zip[:, 1])
    case = np.repeat(np.arange(n), np.diff(batch.off_ptr))
    p[case, batch.off_node] = 0.0
    out = np.empty_like(p)
    out[:, order] = p
    return out


def dc_voltages(grid: Grid, cases: Cases, *, distributed: bool) -> Array:
    """(n, n_node) DC angles, rad, NaN where there is no supply; 0 in cases without a solution."""
    solution = solve_dc(grid, cases, distributed=distributed)
    return np.where((solution.status == Status.SINGULAR)[:, None], 0.0, np.angle(solution.v))


def solve_dc(grid: Grid, cases: Cases, *, distributed: bool, threads: int | None = None) -> Solution:
    """DC power flow of all cases; `Solution.v` has modulus 1.

    ``threads`` is accepted for the engines' common form; the solves are SciPy's.
    """
    del threads
    start = Start.at(grid, np.ones((1, grid.n_node), complex))
    linear = Linear(grid)
    v = np.empty((cases.n, grid.n_node), complex)
    status, mismatch = np.zeros(cases.n, np.int8), np.zeros(cases.n)
    slack = np.zeros((cases.n, grid.n_island))
    off = unsupplied(grid, cases)
    p_all_order = grid.pattern.order
    for first in range(0, cases.n, _CASES_AT_ONCE):
        span = np.arange(first, min(first + _CASES_AT_ONCE, cases.n))
        part, _ = build_batch(grid, cases.take(span), start, np.zeros(len(span), np.int32), enforce_q=False)
        p = specified_p(part, p_all_order)
        if distributed:
            slack[span], p = _spread(grid, part, p)
        theta, good = _with_outages(linear, part, p)
        good &= np.isfinite(theta).all(1)
        mismatch[span] = _mismatch(linear, part, p, theta, distributed)
        dead = np.repeat(np.arange(len(span)), np.diff(part.off_ptr))
        theta[:, grid.kind == OFF] = np.nan
        theta[dead, p_all_order[part.off_node]] = np.nan
        theta[~good] = np.nan
        status[span[~good]] = Status.SINGULAR
        v[span] = np.exp(1j * theta)
    lost = np.zeros(cases.n, bool)
    lost[off.case] = True
    status[lost & (status == Status.CONVERGED)] = Status.ISLANDED
    mismatch[status == Status.SINGULAR] = np.nan
    held = np.zeros((cases.n, start.held.shape[1]), np.int8)
    ones = np.ones(cases.n, np.int32)
    rung = np.where(status == Status.SINGULAR, Rung.NONE, Rung.DC).astype(np.int8)
    slack_mw = slack * grid.base_mva
    return Solution(grid, cases, status, ones, mismatch, v, held, held.astype(float), slack_mw, off, "dc", rung)


def _spread(grid: Grid, batch: Batch, p: Array) -> tuple[Array, Array]:
    """Distributed slack without losses: each island's imbalance by participation."""
    order = grid.pattern.order
    n = len(p)
    alpha = batch.alpha[batch.set_row].copy()
    case = np.repeat(np.arange(n), np.diff(batch.edit_ptr))
    np.add.at(alpha, (case, batch.edit_node), batch.edit_alpha)
    case = np.repeat(np.arange(n), np.diff(batch.off_ptr))
    alpha[case, batch.off_node] = 0.0
    by_node = np.empty_like(alpha)
    by_node[:, order] = alpha
    slack = np.zeros((n, grid.n_island))
    consumed = np.repeat((grid.shunt_y.real * (grid.kind != OFF))[None], n, 0)
    consumed[case, order[batch.off_node]] = 0.0
    for r in range(grid.n_island):
        at = np.flatnonzero((grid.island == r) & (grid.kind != OFF))
        if at.size:
            total = by_node[:, at].sum(1)
            need = consumed[:, at].sum(1) - p[:, at].sum(1)
            slack[:, r] = np.divide(need, total, out=np.zeros(n), where=total > 0)
            p[:, at] += by_node[:, at] * slack[:, [r]]
    return slack, p


def _with_outages(linear: Linear, batch: Batch, p: Array) -> tuple[Array, Array]:
    """Angles of each case and whether the case could be solved."""
    theta = linear.solve(p)
    n = len(theta)
    good = np.full(n, not linear.singular)
    if linear.singular:
        return theta, good
    size, split = np.diff(batch.out_ptr), np.diff(batch.off_ptr) > 0
    out = batch.out_branch[linear.b[batch.out_branch] != 0] if len(batch.out_branch) else batch.out_branch
    if not len(out):
        return theta, good
    which = np.unique(out)
    columns = linear.columns(which)
    where = dict(zip(which.tolist(), range(len(which)), strict=True))
    for s in np.flatnonzero(size > 0):
        k = [where[x] for x in batch.out_branch[batch.out_ptr[s] : batch.out_ptr[s + 1]].tolist() if x in where]
        if not k:
            continue
        dead = linear.grid.pattern.order[batch.off_node[batch.off_ptr[s] : batch.off_ptr[s + 1]]]
        if split[s] and len(k) == 1 and not linear.offset[dead].any():
            # a bridge to a part without injections carries nothing, in service or not
            continue
        if split[s]:
            theta[s] = _island_solve(linear, p[s], which[k], dead)
            continue
        f, t, b = linear.from_node[which[k]], linear.to_node[which[k]], linear.b[which[k]]
        z = columns[k]
        inner = np.diag(1.0 / b) - (z[:, f] - z[:, t])
        lost = theta[s, f] - theta[s, t] - linear.shift[which[k]]
        try:
            theta[s] += np.linalg.solve(inner, lost) @ z
        except np.linalg.LinAlgError:
            good[s] = False
    return theta, good


def _island_solve(linear: Linear, p: Array, out: Array, dead: Array) -> Array:
    """Angles of one case whose outages split the grid, by a solve of what is left."""
    grid = linear.grid
    keep = np.setdiff1d(linear.free, dead)
    matrix = linear.matrix.tolil()
    right = (p + linear.offset).copy()
    for k in out:
        f, t, b = linear.from_node[k], linear.to_node[k], linear.b[k]
        matrix[f, f] -= b
        matrix[t, t] -= b
        matrix[f, t] += b
        matrix[t, f] += b
        turn = b * (linear.shift[k] - (linear.angle[f] - linear.angle[t]))
        right[f] -= turn
        right[t] += turn
    theta = linear.angle.copy()
    if keep.size:
        factor = _factor(matrix.tocsr()[keep][:, keep])
        theta[keep] += np.nan if factor is None else factor.solve(right[keep])
    theta[np.setdiff1d(np.arange(grid.n_node), np.r_[keep, np.flatnonzero(grid.kind == REF)])] = 0.0
    return theta


def _mismatch(linear: Linear, batch: Batch, p: Array, theta: Array, distributed: bool) -> Array:
    """(n,) largest imbalance of the linear model, summed branch by branch, pu."""
    grid = linear.grid
    n = len(theta)
    flow = linear.flow(theta)
    case = np.repeat(np.arange(n), np.diff(batch.out_ptr))
    flow[case, batch.out_branch] = 0.0
    left = p - grid.shunt_y.real
    for k in np.flatnonzero(linear.b):
        left[:, linear.from_node[k]] -= flow[:, k]
        left[:, linear.to_node[k]] += flow[:, k]
    counted = np.repeat((grid.kind != OFF)[None], n, 0)
    if not distributed:
        counted[:, grid.kind == REF] = False
    counted[np.repeat(np.arange(n), np.diff(batch.off_ptr)), grid.pattern.order[batch.off_node]] = False
    worst: Array = np.abs(np.where(counted, left, 0.0)).max(1, initial=0.0)
    return worst
