"""Voltages held at a distance: a unit at one node keeps the voltage of another.

The kernel holds each regulator's own node at a set-point. Here that set-point is the unknown: it is moved, case by case,
until the far node has the voltage asked for,

    v_i <- v_i + (goal - |V_t|) / s,    s = d|V_t| / d v_i,

with the slope s from the last two rounds (secant). Units that hold the same node move together. A unit at a reactive limit
stops following, as it does at its own node.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.kernels.tile import CONVERGED, ITERATION_LIMIT, PV, Batch
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.newton import Settings, Solved, solve

Array = np.ndarray[Any, np.dtype[Any]]

_ROUNDS = 40
_TOL_PU = 1e-9
_SLOPES = 0.05, 2.0
_SET_POINTS_PU = 0.5, 1.5
_LARGEST_MOVE_PU = 0.05


def _pairs(grid: Grid) -> tuple[Array, Array]:
    """Nodes that regulate another node and the nodes that they hold; a node's first regulator decides."""
    reg = grid.regulators
    far = np.flatnonzero((reg.node != reg.target) & ~reg.reference & (grid.kind[reg.node] == PV))
    near = reg.node[(reg.node == reg.target) & (grid.kind[reg.node] == PV)]
    far = far[~np.isin(reg.node[far], near)]
    node, first = np.unique(reg.node[far], return_index=True)
    return node, reg.target[far[first]]


def has_remote(grid: Grid) -> bool:
    """Whether any regulator of the grid holds a node other than its own."""
    return bool((grid.regulators.node != grid.regulators.target).any()) and bool(_pairs(grid)[0].size)


def solve_remote(grid: Grid, batch: Batch, how: Settings) -> Solved:
    """`solve`, with the set-points of remote regulators adjusted until the nodes that they hold are where they should be."""
    node, target = _pairs(grid)
    place = grid.pattern.position[node]
    held_column = batch.held_column[place]
    row = batch.set_row
    batch = batch._replace(
        v_set=batch.v_set[row], q_min=batch.q_min[row], q_max=batch.q_max[row], alpha=batch.alpha[row],
        free=batch.free[row] if len(batch.free) else batch.free, set_row=np.arange(len(row), dtype=np.int32),
    )  # fmt: skip
    # the set-point given is that of the node held; the node itself starts from the voltage it has there
    goal = batch.v_set[:, place].copy()
    begin = batch.start
    batch.v_set[:, place] = np.hypot(batch.start_e[begin][:, place], batch.start_f[begin][:, place])
    slope = np.ones_like(goal)
    before: tuple[Array, Array] | None = None
    steps = np.zeros(len(row), np.int32)
    for _ in range(_ROUNDS):
        done = solve(grid, batch, how)
        steps += done.iterations
        now = np.abs(done.v[:, target])
        own = batch.v_set[:, place]
        limit = done.held[:, held_column]
        error = goal - now
        # at its upper limit a unit cannot raise the voltage further, at its lower one not reduce it
        settled = (np.abs(error) <= _TOL_PU) | ((limit > 0) & (error > 0)) | ((limit < 0) & (error < 0)) | np.isnan(now)
        if settled.all() or how.one_step:
            break
        if before is not None:
            moved = own - before[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (now - before[1]) / moved
            fresh = np.isfinite(secant) & (np.abs(moved) > 1e-12)
            slope = np.where(fresh, np.clip(secant, *_SLOPES), slope)
        before = own.copy(), now
        move = np.clip(error / slope, -_LARGEST_MOVE_PU, _LARGEST_MOVE_PU)
        batch.v_set[:, place] = np.clip(np.where(settled, own, own + move), *_SET_POINTS_PU)
    done.iterations[:] = steps
    if not how.one_step:
        missed = ~settled.all(1) & (done.status == CONVERGED)
        done.status[missed] = ITERATION_LIMIT
        done.v[missed], done.mismatch_pu[missed] = np.nan, np.nan
    return done
