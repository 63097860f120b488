"""The exact engine: batched Newton on lanes, in threads, with a certificate for every case."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.balance import Circuit, certify_range
from aurigrid.kernels.newton import newton_range
from aurigrid.kernels.simd import LANES
from aurigrid.kernels.tile import CONVERGED, ITERATION_LIMIT, PQ, SINGULAR, Batch, Results, make_tile
from aurigrid.powerflow.cases import Pairs
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.status import Status

Array = np.ndarray[Any, np.dtype[Any]]

_TILES_A_TASK = 8
_GENTLE_SHARE = 0.5
_ROUNDS_WITH_LIMITS = 3


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


def solve(grid: Grid, batch: Batch, how: Settings) -> Solved:
    """Solve and certify all cases of a batch.

    A case that fails with a factor in single precision is taken up again in double and, where reactive limits are held,
    with the worst violations first.
    """
    n = len(batch.row)
    v = np.empty((n, grid.n_node), complex)
    n_held = int(np.sum(grid.rows.kind != PQ))
    out = Results(
        v.view(np.float64), np.zeros((n, grid.n_island)), np.zeros((n, n_held), np.int8), np.zeros((n, n_held)),
        np.zeros(n, np.int8), np.zeros(n, np.int32),
    )  # fmt: skip
    mismatch, implausible = np.full(n, np.nan), np.zeros(n, bool)
    circuit = circuit_of(grid)

    def work(todo: Array, dtype: type, limit: int, share: float) -> None:
        tile = make_tile(grid.pattern, grid.rows, batch, dtype)
        tol, least = (np.inf, 1) if how.one_step else (how.tol_pu, 0)
        newton_range(
            grid.pattern, grid.rows, batch, tile, out, todo, tol, least, limit, how.q_limits, share, how.distributed
        )

    def certify(span: tuple[int, int]) -> None:
        certify_range(circuit, batch, out, mismatch, implausible, span[0], span[1], how.distributed)

    def task(span: tuple[int, int]) -> None:
        todo = np.arange(*span, dtype=np.int32)
        work(todo, np.float32, how.max_iterations, 0.0)
        failed = out.status[todo] != CONVERGED if how.q_limits else np.isin(out.status[todo], (ITERATION_LIMIT, SINGULAR))
        if failed.any():
            # limits reached one after the other need their rounds
            rounds = _ROUNDS_WITH_LIMITS if how.q_limits else 1
            work(todo[failed], np.float64, rounds * how.max_iterations, _GENTLE_SHARE)
        certify(span)

    count = thread_count(how.threads)
    step = max(LANES, min(_TILES_A_TASK * LANES, -(-n // (count * LANES)) * LANES))
    spans = [(lo, min(lo + step, n)) for lo in range(0, n, step)]
    if count == 1 or len(spans) == 1:
        for span in spans:
            task(span)
    else:
        with ThreadPoolExecutor(count) as pool:
            for _ in pool.map(task, spans):
                pass
    status = out.status
    status[(status == CONVERGED) & implausible] = Status.IMPLAUSIBLE
    return Solved(v, status, out.iterations, mismatch, out.slack, out.held, out.need)


def mark_islanded(status: Array, off: Pairs) -> None:
    """Converged cases in which part of the grid has no supply."""
    lost = np.zeros(len(status), bool)
    lost[off.case] = True
    status[lost & (status == Status.CONVERGED)] = Status.ISLANDED
