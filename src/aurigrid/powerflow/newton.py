"""The exact engine: batched Newton on lanes, in threads, with a certificate for every case."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from aurigrid.kernels.balance import Circuit, certify_range
from aurigrid.kernels.chord import Factor, make_factor
from aurigrid.kernels.loop import solve_range
from aurigrid.kernels.simd import LANES
from aurigrid.kernels.tile import CONVERGED, HANDED_ON, PQ, SINGULAR, Batch, Results, Tile, make_tile
from aurigrid.powerflow.cases import Pairs
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.status import Status

Array = np.ndarray[Any, np.dtype[Any]]

_TILES_A_TASK = 64
_TASKS_A_THREAD = 4
_GENTLE_SHARE = 0.5
_CHORD_STEPS = 14
_CASES_A_FACTOR = 2
_NEAR_PU = 1e-2
_ROUNDS_WITH_LIMITS = 3

_NO_FACTOR = Factor(
    np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 16)),
    np.zeros(0, np.int8), np.zeros(0), np.zeros((0, 2), np.float32), np.zeros(0),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Solved:
    """Raw results of a set of cases.

    Attributes:
        v: (n, n_node) complex, pu; NaN where there is no solution or no supply.
        status: (n,) int8 `Status`; iterations (n,) int32; mismatch_pu (n,) float64.
        slack: (n, n_island) lambda of distributed slack, pu.
        held: (n, n_held) int8 and need (n, n_held), see `kernels.tile.Results`.
    """

    v: Array
    status: Array
    iterations: Array
    mismatch_pu: Array
    slack: Array
    held: Array
    need: Array


def thread_count(threads: int | None) -> int:
    """The number of threads to use: as asked, else the CPUs that this process may run on."""
    if threads is not None:
        return max(1, threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def circuit_of(grid: Grid) -> Circuit:
    """The grid as the certificate reads it: a list of branches, not rows of a matrix."""
    branch = np.flatnonzero(grid.from_node >= 0).astype(np.int32)
    place = np.full(grid.net.n_branch, -1, np.int32)
    place[branch] = np.arange(len(branch), dtype=np.int32)
    shift = np.deg2rad(grid.net.branch.shift_deg[branch])
    order = grid.pattern.order
    return Circuit(
        grid.kind.astype(np.int8), grid.island, grid.from_node[branch], grid.to_node[branch], branch,
        np.ascontiguousarray(grid.y_branch[branch]), np.column_stack([np.cos(shift), np.sin(shift)]), place,
        grid.shunt_y.real.copy(), grid.shunt_y.imag.copy(), order, order[grid.rows.kind != PQ],
    )  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How to solve.

    Attributes:
        tol_pu: largest mismatch accepted, pu; max_iterations: Newton iterations a case may take.
        q_limits: hold regulated nodes within their reactive limits; distributed: spread the balance over units.
        threads: threads to use, all CPUs where None.
        one_step: take one Newton step from the start and stop, whatever is left (a screen, not a solution).
    """

    tol_pu: float = 1e-8
    max_iterations: int = 20
    q_limits: bool = False
    distributed: bool = False
    threads: int | None = None
    one_step: bool = False


class _Work:
    """The stages of one batch: chord steps from the base state, Newton, Newton in double precision, certificate."""

    def __init__(self, grid: Grid, batch: Batch, how: Settings) -> None:
        n, n_held = len(batch.row), int(np.sum(grid.rows.kind != PQ))
        self.grid, self.batch, self.how = grid, batch, how
        self.v = np.empty((n, grid.n_node), complex)
        self.out = Results(
            self.v.view(np.float64), np.zeros((n, grid.n_island)), np.zeros((n, n_held), np.int8), np.zeros((n, n_held)),
            np.zeros(n, np.int8), np.zeros(n, np.int32), np.zeros(n),
        )  # fmt: skip
        self.mismatch, self.implausible = np.full(n, np.nan), np.zeros(n, bool)
        self.circuit = circuit_of(grid)
        self.factors: dict[int, Factor] = {}
        self.local = threading.local()

    def _tile(self, dtype: type) -> Tile:
        """This thread's working state."""
        tiles: dict[str, Tile] = self.local.__dict__
        name = dtype.__name__
        if name not in tiles:
            tiles[name] = make_tile(self.grid.pattern, self.grid.rows, self.batch, dtype)
        return tiles[name]

    def _steps(
        self,
        todo: Array,
        dtype: type,
        limit: int,
        *,
        share: float = 0.0,
        factor: Factor | None = None,
        resume: bool = False,
    ) -> None:
        if not todo.size:
            return
        grid, how = self.grid, self.how
        tile = self._tile(dtype)
        tol, least = (np.inf, 1) if how.one_step else (how.tol_pu, 0)
        solve_range(
            grid.pattern, grid.rows, self.batch, tile, self.out, todo.astype(np.int32), tol, least, limit, how.q_limits, share,
            how.distributed, _NO_FACTOR if factor is None else factor, factor is not None, resume,
        )  # fmt: skip

    def chord_cases(self) -> Array:
        """(n,) whether a case differs from its base state in a way that chord steps can follow."""
        batch = self.batch
        n = len(batch.row)
        few = np.diff(batch.out_ptr) <= 1
        case = np.repeat(np.arange(n), np.diff(batch.edit_ptr))
        few[case[batch.edit_free != 0]] = False
        if self.how.q_limits and len(batch.start_e) == 1 and max(len(batch.load_p), len(batch.gen_p)) > 1:
            # other injections bring other nodes to their limits; Newton follows that in fewer steps
            few[:] = False
        return few

    def prepare(self, start: int) -> None:
        """Factorise the Jacobian of one start."""
        grid, batch = self.grid, self.batch
        e, f = batch.start_e[start].copy(), batch.start_f[start].copy()
        size = np.hypot(e, f)
        p_extra, q_extra = np.zeros(grid.n_node), np.zeros(grid.n_node)
        at = np.flatnonzero(batch.zip_node >= 0)
        if at.size:
            p1, p2, q1, q2 = batch.zip[0][:, batch.zip_node[at]]
            p_extra[at], q_extra[at] = p1 * size[at] + 2 * p2 * size[at] ** 2, q1 * size[at] + 2 * q2 * size[at] ** 2
        free_q = np.ones(grid.n_node)
        held = np.flatnonzero(grid.rows.kind != PQ)
        free_q[held] = (batch.start_held[start] != 0) if self.how.q_limits else 0.0
        outages = len(batch.out_branch) > 0
        parts = make_factor(
            grid.pattern, grid.rows, e, f, p_extra, q_extra, free_q, batch.alpha[0].copy(), outages, self.how.q_limits
        )
        self.factors[start] = Factor(*parts)

    def task(self, todo: Array) -> None:
        """All stages for cases that share a start."""
        how, status = self.how, self.out.status
        factor = self.factors.get(int(self.batch.start[todo[0]]))
        rest = todo
        if factor is not None:
            fit = self.fit[todo]
            self._steps(todo[fit], np.float32, _CHORD_STEPS, factor=factor)
            rest = todo[~fit]
            passed_on = todo[fit][status[todo[fit]] == HANDED_ON]
            self._steps(passed_on, np.float32, how.max_iterations, resume=True)
        self._steps(rest, np.float32, how.max_iterations)
        stalled = status[todo] != CONVERGED
        if not how.q_limits:
            # far from a solution, precision is not what is missing
            stalled &= (self.out.norm[todo] < _NEAR_PU) | (status[todo] == SINGULAR)
        # limits reached one after the other need their rounds
        rounds = _ROUNDS_WITH_LIMITS if how.q_limits else 1
        self._steps(todo[stalled], np.float64, rounds * how.max_iterations, share=_GENTLE_SHARE)
        lo, hi = int(todo[0]), int(todo[-1]) + 1
        certify_range(self.circuit, self.batch, self.out, self.mismatch, self.implausible, lo, hi, how.distributed)

    def run(self) -> Solved:
        """Do all cases, in threads."""
        batch, how = self.batch, self.how
        n = len(batch.row)
        count = thread_count(how.threads)
        pieces = 1 if count == 1 else _TASKS_A_THREAD * count
        step = int(np.clip(-(-n // pieces), LANES, _TILES_A_TASK * LANES)) // LANES * LANES
        cuts = np.union1d(np.arange(0, n + step, step).clip(max=n), np.flatnonzero(np.diff(batch.start)) + 1)
        tasks = [np.arange(lo, hi, dtype=np.int32) for lo, hi in pairwise(cuts)]
        self.fit = self.chord_cases() if not how.one_step else np.zeros(n, bool)
        starts, uses = np.unique(batch.start[self.fit], return_counts=True)
        worth = starts[uses >= _CASES_A_FACTOR * LANES].tolist()
        with ThreadPoolExecutor(count) as pool:
            for _ in pool.map(self.prepare, worth):
                pass
            for _ in pool.map(self.task, tasks):
                pass
        status = self.out.status
        status[(status == CONVERGED) & self.implausible] = Status.IMPLAUSIBLE
        out = self.out
        return Solved(self.v, status, out.iterations, self.mismatch, out.slack, out.held, out.need)


def solve(grid: Grid, batch: Batch, how: Settings) -> Solved:
    """Solve and certify all cases of a batch.

    Cases that share a start take chord steps from it and go on with Newton where those do not pay. A case that stalls with a
    factor in single precision is taken up again in double and, where reactive limits are held, with the worst violations
    first.
    """
    return _Work(grid, batch, how).run()


def mark_islanded(status: Array, off: Pairs) -> None:
    """Converged cases in which part of the grid has no supply."""
    lost = np.zeros(len(status), bool)
    lost[off.case] = True
    status[lost & (status == Status.CONVERGED)] = Status.ISLANDED
