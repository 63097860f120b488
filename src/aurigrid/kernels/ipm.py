"""The interior-point loop around `kkt`: lanes are filled with scenarios, stepped until their optimality conditions hold, and
refilled, each on its own: what a lane computes does not depend on its neighbours.

The barrier follows the complementarity (``strict`` false), which is quick, or is lowered only once its own problem is solved,
with steps that lead towards a minimum (`curvature`), which finds a point also where the quick way wanders about: in problems
whose balances can be broken at a price, when they must be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.controls import add_controls, set_turns, spread_controls
from aurigrid.kernels.curvature import bend_up
from aurigrid.kernels.cuts import add_cuts, count_used, fill_cuts, spread_cuts, step_with_cuts
from aurigrid.kernels.elimination import factorise, step_of
from aurigrid.kernels.kkt import add_branches, add_nodes, add_units, close_system
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.steps import advance, gap, lengths, residuals, spread

Array = np.ndarray

OPTIMAL, LIMIT, FAILED = 0, 1, 2
"""Outcomes of a lane: optimality conditions met, iteration limit, numbers lost or no progress."""


_PRIMAL, _DUAL, _REFINE = 1e-8, 1e-8, 1
# share of the accepted complementarity below which the barrier is not lowered: it would only cost digits
_LAST = 0.1


# a scenario is given up that so many steps have not brought closer, by a tenth, to keeping balances and limits, and that is
# still so far from it, pu
_PATIENCE, _FAR = 30, 1e-4
_SHORT, _CENTRE_OF_SHORT = 0.3, 0.3
_VERY_SHORT, _CENTRE_OF_VERY_SHORT = 0.05, 0.8
# strict: a barrier's problem counts as solved within so many times the barrier; factor and power of the next one; least share of
# the way to a bound that a step may go
_SOLVED, _LOWER, _POWER, _WAY = 10.0, 0.2, 1.5, 0.99


class Job(NamedTuple):
    """Scenarios to solve; tables have a row a scenario, or one for all.

    Attributes:
        need: (r, 2 n) fixed consumption, pu; hi, lo: (r, k) bounds of the units, pu; live: (r, k) 1 or 0.
        linear, quadratic: (r, k) scaled costs; price: (q,) of breaking each inequality, 0 where it must hold.
        out_ptr, out_branch: branches out of service in each scenario; off_ptr, off_node: nodes without supply.
        e, f: (r, n), x: (r, k), lam: (r, 2 n) where each scenario starts; x of what is not live stays.
        draw: (r, 4 n) voltage-dependent consumption at 1 pu, (1, 0) where there is none; shape: (r, 6 s) of the sinks.
        mu: (r, q) multipliers to start from, (0, 0) where there are none.
    """

    need: Array
    hi: Array
    lo: Array
    live: Array
    linear: Array
    quadratic: Array
    price: Array
    out_ptr: Array
    out_branch: Array
    off_ptr: Array
    off_node: Array
    e: Array
    f: Array
    x: Array
    lam: Array
    mu: Array
    draw: Array
    shape: Array


class Found(NamedTuple):
    """Results: e, f (s, n), x (s, k), lam (s, 2 n), mu and excess (s, q), status (s,) int8, iterations (s,) int32."""

    e: Array
    f: Array
    x: Array
    lam: Array
    mu: Array
    excess: Array
    status: Array
    iterations: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_in(table, s, lane, to):
    row = table[s if table.shape[0] > 1 else 0]
    for x in range(len(row)):
        to[x * LANES + lane] = row[x]


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_out(values, lane, row):
    for x in range(len(row)):
        row[x] = values[x * LANES + lane]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(job, state, s, lane):
    """Put a scenario into a lane; slacks and multipliers follow once the inequalities have values."""
    _copy_in(job.need, s, lane, state.need)
    _copy_in(job.hi, s, lane, state.hi)
    _copy_in(job.lo, s, lane, state.lo)
    _copy_in(job.live, s, lane, state.live)
    _copy_in(job.linear, s, lane, state.linear)
    _copy_in(job.quadratic, s, lane, state.quadratic)
    _copy_in(job.e, s, lane, state.e)
    _copy_in(job.f, s, lane, state.f)
    _copy_in(job.x, s, lane, state.x)
    _copy_in(job.lam, s, lane, state.lam)
    _copy_in(job.draw, s, lane, state.draw)
    _copy_in(job.shape, s, lane, state.shape)
    on, z, mu, t, rho = state.on, state.z, state.mu, state.t, state.rho
    for k in range(len(on) // LANES):
        on[k * LANES + lane] = 1.0
    for k in range(job.out_ptr[s], job.out_ptr[s + 1]):
        on[job.out_branch[k] * LANES + lane] = 0.0
    alive = state.alive
    for k in range(len(alive) // LANES):
        alive[k * LANES + lane] = 1.0
    for k in range(job.off_ptr[s], job.off_ptr[s + 1]):
        alive[job.off_node[k] * LANES + lane] = 0.0
    price = job.price
    for q in range(len(price)):
        at = q * LANES + lane
        z[at], mu[at], t[at], rho[at] = 1.0, 0.1 * price[q] if price[q] > 0.0 else 1.0, 0.0, price[q]


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(job, state, s, lane, gamma, least):
    """Slacks, multipliers and excesses of a lane that has just been filled."""
    h, z, mu, t, rho = state.h, state.z, state.mu, state.t, state.rho
    warm = job.mu.shape[0] > 0
    row = job.mu[s if job.mu.shape[0] > 1 else 0] if warm else job.price
    for q in range(len(h) // LANES):
        at = q * LANES + lane
        z[at] = max(-h[at], least)
        mu[at] = gamma / z[at]
        if warm:
            mu[at] = max(row[q], mu[at])
            z[at] = max(-h[at], gamma / mu[at])
        if rho[at] > 0.0:
            mu[at] = min(mu[at], 0.5 * rho[at])
            t[at] = gamma / (rho[at] - mu[at])


@njit(cache=True, nogil=True, error_model="numpy")
def _take(state, found, s, lane):
    _copy_out(state.e, lane, found.e[s])
    _copy_out(state.f, lane, found.f[s])
    _copy_out(state.x, lane, found.x[s])
    _copy_out(state.lam, lane, found.lam[s])
    _copy_out(state.mu, lane, found.mu[s])
    _copy_out(state.t, lane, found.excess[s])


@njit(cache=True, nogil=True, error_model="numpy")
def assemble(system, state, gamma, cuts=None, border=None):
    """Evaluate everything at the present point and build the system."""
    set_turns(system.controls, state)
    add_nodes(system.nodes, state, gamma)
    add_branches(system.branches, state, gamma)
    add_units(system.units, state, gamma)
    add_controls(system, state, gamma)
    if cuts is not None:
        add_cuts(cuts, system.units, border, state, gamma)
    close_system(system.nodes, state)


@njit(cache=True, nogil=True, error_model="numpy")
def _lowered(gamma, error, largest, last):
    """The next barrier after ``gamma``: lower ones whose problems are solved by this point are passed over.

    Args:
        error: broken balances, limits and gradient; largest: product of slack and multiplier; last: the least barrier.
    """
    while gamma > last and max(error, largest - gamma) < _SOLVED * gamma:
        gamma = max(last, min(_LOWER * gamma, gamma**_POWER))
    return gamma


@njit(cache=True, nogil=True, error_model="numpy")
def optimise_range(
    pattern, system, cuts, border, job, state, found, todo, tol, tol_slope, tol_gap, limit, first_gamma, least, centre, damp,
    strict,
):  # fmt: skip
    """Solve the scenarios ``todo`` (int32 positions).

    Args:
        cuts, border: scenarios' cuts, whose inequalities come after the others, and room for a tile of them.
        tol: largest broken balance and limit (relative), pu; tol_slope: largest gradient, for a multiplier of 1; tol_gap: (s,)
            sum of slack times multiplier, in scaled cost.
        limit: iterations a scenario may take; first_gamma, least: barrier and least slack at the start.
        centre: share of the complementarity that a step aims at; damp: share of the way to a bound that it may go.
        strict: how the barrier is lowered and steps are chosen, see above; scenarios are then not given up before the limit.
    """
    count = len(state.h) // LANES
    scenario, done = np.full(LANES, -1, np.int32), np.ones(LANES, np.bool_)
    empty, fresh = np.ones(LANES, np.bool_), np.zeros(LANES, np.bool_)
    steps = np.zeros(LANES, np.int32)
    gamma, room, look = np.ones(LANES), np.zeros(2 * LANES), np.zeros(4 * LANES)
    primal, dual, longest = np.zeros(LANES), np.zeros(LANES), np.zeros(2 * LANES)
    aim, closest, closest_at = np.full(LANES, centre), np.full(LANES, np.inf), np.zeros(LANES, np.int32)
    spare, weight = state.spare, np.zeros(LANES)
    last = np.zeros(LANES)
    if len(todo) == 0:
        return
    for lane in range(LANES):
        _fill(job, state, todo[0], lane)
        fill_cuts(cuts, border, state, todo[0], lane)
    waiting = 0
    while True:
        any_fresh = False
        for lane in range(LANES):
            if not done[lane]:
                continue
            if not empty[lane]:
                _take(state, found, scenario[lane], lane)
                empty[lane] = True
            if waiting < len(todo):
                scenario[lane] = todo[waiting]
                waiting += 1
                _fill(job, state, scenario[lane], lane)
                fill_cuts(cuts, border, state, scenario[lane], lane)
                done[lane], empty[lane], fresh[lane], steps[lane], aim[lane] = False, False, True, 0, centre
                closest[lane], closest_at[lane], gamma[lane], weight[lane] = np.inf, 0, first_gamma, 0.0
                last[lane] = _LAST * tol_gap[scenario[lane]] / count
                any_fresh = True
        if np.all(empty):
            return
        if any_fresh:
            count_used(cuts, border, scenario)
            assemble(system, state, gamma, cuts, border)
            for lane in range(LANES):
                if fresh[lane]:
                    _begin(job, state, scenario[lane], lane, first_gamma, least)
                    fresh[lane] = False
        gap(state, room)
        if not strict:
            for lane in range(LANES):
                gamma[lane] = max(aim[lane] * room[lane] / count, last[lane])
        assemble(system, state, gamma, cuts, border)
        residuals(state, look)
        changed = False
        for lane in range(LANES):
            primal[lane], dual[lane] = 0.0, 0.0
            if done[lane]:
                continue
            s = scenario[lane]
            balance, broken, slope, size = (
                look[lane], look[LANES + lane], look[2 * LANES + lane], look[3 * LANES + lane]
            )  # fmt: skip
            found.iterations[s] = steps[lane]
            if not balance < 1e12:
                found.status[s], done[lane] = FAILED, True
            elif balance <= tol and broken <= tol and slope <= tol_slope * (1.0 + size) and room[lane] <= tol_gap[s]:
                found.status[s], done[lane] = OPTIMAL, True
            elif steps[lane] >= limit or (
                not strict and steps[lane] - closest_at[lane] >= _PATIENCE and closest[lane] > _FAR
            ):
                found.status[s], done[lane] = LIMIT, True
            if max(balance, broken) < 0.9 * closest[lane]:
                closest[lane], closest_at[lane] = max(balance, broken), steps[lane]
            steps[lane] += 1
            if strict:
                error = max(balance, broken, slope / (1.0 + size))
                lower = _lowered(gamma[lane], error, room[LANES + lane], last[lane])
                changed |= lower != gamma[lane]
                gamma[lane] = lower
        if np.all(done):
            continue
        if changed:
            assemble(system, state, gamma, cuts, border)
        factorise(pattern, system.branches, state, _PRIMAL, _DUAL)
        if strict:
            bend_up(pattern, system, state, _PRIMAL, _DUAL, done, weight, room)
        if border.used[0] > 0:
            step_with_cuts(pattern, system.branches, system.units, cuts, border, state, spare, _REFINE)
        else:
            step_of(pattern, system.branches, state, spare, _REFINE)
        spread_controls(system, state)
        spread(system.nodes, system.branches, system.units, state)
        spread_cuts(cuts, border, state)
        lengths(state, gamma, longest)
        for lane in range(LANES):
            if not done[lane]:
                way = max(_WAY, 1.0 - gamma[lane]) if strict else damp
                primal[lane] = min(1.0, way / max(longest[lane], 1e-300))
                dual[lane] = min(1.0, way / max(longest[LANES + lane], 1e-300))
                # a step that is cut short lies too close to the bounds: look for the centre first
                short = min(primal[lane], dual[lane])
                aim[lane] = (
                    centre if short > _SHORT else (_CENTRE_OF_SHORT if short > _VERY_SHORT else _CENTRE_OF_VERY_SHORT)
                )
        advance(state, primal, dual)
