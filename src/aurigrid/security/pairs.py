"""Which double outages come near a limit, estimated from the exact states of the single ones.

A pair of branch outages is looked at for what it breaks beyond its two single outages: a limit that holds before and after
each of them alone, and a part of the grid that neither of them cuts off. Pairs that split the grid further are found by
topology. A pair in which one outage cuts the other off already is that one outage. All other pairs are estimated
(`aurigrid.kernels.pairs`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.kernels.tile import PQ, REF
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.crew import in_turn, thread_count
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Injections, Start, reactive_limits
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.supply import splits_after
from aurigrid.security.again import solve_outages
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.limits import Limits, scanned

Array = np.ndarray[Any, np.dtype[Any]]

ESTIMATED, SPLITS, ONE_OUTAGE, UNSOLVED = range(4)
"""What a pair is: estimated; splits the grid further than its outages alone; no more than one of its outages; holds an outage
that has no solution by itself."""

_LEEWAY = 1e-6
_FAR = 1e3
_DOUBT = np.array([0.05, 0.3, 1.0, 1.0])
"""Doubt of an estimate (`kernels.pairs.estimate_pairs`): the least with which pairs of case118 were hardly ever missed."""
_PAIRS_A_PART = 4096


@dataclass(frozen=True, eq=False)
class PairList:
    """The pairs of branches among the outages of a list.

    Attributes:
        outage: (k,) place of each pair among the outages; idle: places of pairs of which a branch is out of service already, so
            that they are no more than the other one's outage.
        branch: (n_single,) the branches that occur; first, second: (k,) positions among them.
        splits: (k,) whether the pair splits the grid where neither outage does.
    """

    outage: Array
    idle: Array
    branch: Array
    first: Array
    second: Array
    splits: Array

    @classmethod
    def of(cls, grid: Grid, outages: Contingencies, solved: Array) -> PairList:
        """The pairs among the outages ``solved`` (positions in the list), by their place there.

        What splits the grid is judged on the network's own branches in service.
        """
        size = np.zeros(outages.n, np.int64)
        for rows in outages.rows.values():
            size += np.diff(rows.ptr)
        two = ((size == 2) & (np.diff(outages.branch.ptr) == 2))[solved]
        ends = outages.branch.idx[outages.branch.ptr[solved[two]][:, None] + np.arange(2)].astype(np.int64)
        off, live = (grid.from_node < 0)[ends].any(1), (grid.from_node != grid.to_node)[ends].all(1)
        idle = np.flatnonzero(two)[off]
        two[np.flatnonzero(two)[~live]] = False
        ends = ends[live]
        branch, place = np.unique(ends, return_inverse=True)
        first, second = np.ascontiguousarray(place.reshape(ends.shape).T)
        alone, after = splits_after(grid, np.array([-1]))[0], splits_after(grid, branch)
        splits = after[first, ends[:, 1]] & ~alone[ends].any(1)
        return cls(np.flatnonzero(two), idle, branch, first, second, splits)


@dataclass(frozen=True, eq=False)
class Alone:
    """Exact states of the single outages of one scenario, as the kernel takes them (`kernels.pairs.estimate_pairs`).

    The last row of ``inv``, ``loading``, ``low``, ``high`` and ``past`` is the state before outages.

    Attributes:
        solved: (n_single,) whether the outage has a solution.
        dead: (n_single, n_branch) whether a branch has no supply after it.
        moved: (n_single, MOVES) what describes each outage by itself: its own apparent power, pu; sum of the changes of
            active flows, pu; largest change of |V|, pu; largest loading; largest distance past a band, pu; nodes that
            reach or leave a reactive limit; iterations.
    """

    solved: Array
    dead: Array
    base: Array
    change: Array
    size: Array
    inv: Array
    loading: Array
    v_base: Array
    v_change: Array
    low: Array
    high: Array
    past: Array
    q_base: Array
    q_change: Array
    q_low: Array
    q_high: Array
    moved: Array


MOVES = 7


def states_alone(
    net: Network, base: Solution, single: Solution, branch: Array, v_step_pu: float, q_limits: bool
) -> Alone:  # fmt: skip
    """What the single outages of one scenario change; ``base`` and ``single`` are of that scenario only."""
    grid = base.grid
    n = len(branch)
    flow = _flows(base, single)
    flow[1 + np.arange(n), :, branch] = 0.0
    ends = np.isnan(single.v[:, np.maximum(grid.from_node, 0)]) | np.isnan(single.v[:, np.maximum(grid.to_node, 0)])
    dead = ends & single.converged[:, None] & (grid.from_node >= 0)
    square = np.maximum(flow[:, 0] ** 2 + flow[:, 1] ** 2, flow[:, 2] ** 2 + flow[:, 3] ** 2)
    tight, loose = (_inverse_square(rate / grid.base_mva) for rate in _ratings(net))
    inv = _unbroken(np.sqrt(square * tight), np.sqrt(square * loose), tight, loose, 0.0)
    loading = np.sqrt(square * tight)
    inv[1 + np.arange(n), branch] = 0.0
    looked = np.flatnonzero(~net.bus.is_star & net.bus.in_service & np.isfinite(base.v_mag[0]))
    v0, v = base.v_mag[:, looked], single.v_mag[:, looked]
    both = np.concatenate([v0, v])
    bands = [(net.bus.v_min_pu[looked], net.bus.v_max_pu[looked]), (v0[0] - v_step_pu, v0[0] + v_step_pu)]
    (low_0, low_1), (high_0, high_1) = zip(*bands, strict=True)
    tight_low, loose_low = np.maximum(low_0, low_1), np.minimum(low_0, low_1)
    tight_high, loose_high = np.minimum(high_0, high_1), np.maximum(high_0, high_1)
    low = _unbroken(1.0 + tight_low - both, 1.0 + loose_low - both, tight_low, loose_low, -_FAR)
    high = _unbroken(1.0 + both - tight_high, 1.0 + both - loose_high, tight_high, loose_high, _FAR)
    past = np.maximum(tight_low - both, both - tight_high)
    change = np.nan_to_num(flow[1:] - flow[:1])
    v_change = np.nan_to_num(v - v0)
    size = np.sqrt(np.maximum(change[:, 0] ** 2 + change[:, 1] ** 2, change[:, 2] ** 2 + change[:, 3] ** 2))
    own = np.sqrt(np.maximum(square[0, branch], 0.0))
    switched = (single.held != base.held).sum(1) if base.held.shape[1] else np.zeros(n)
    moved = np.stack([
        own, np.abs(change[:, 0]).sum(1), np.abs(v_change).max(1, initial=0.0), np.nan_to_num(loading[1:]).max(1, initial=0.0),
        np.nan_to_num(past[1:], nan=-1.0).max(1, initial=-1.0), switched, single.iterations,
    ], 1)  # fmt: skip

    def last(values: Array) -> Array:
        """The row before outages behind those after them, float32."""
        return np.ascontiguousarray(np.roll(values, -1, 0), np.float32)

    return Alone(
        single.converged, dead, np.ascontiguousarray(flow[0], np.float32), np.ascontiguousarray(change, np.float32),
        size.astype(np.float32), last(np.nan_to_num(inv)), last(np.nan_to_num(loading)), v0[0].astype(np.float32),
        np.ascontiguousarray(v_change, np.float32), last(low), last(high),
        last(np.nan_to_num(past, nan=-_FAR)), *_reactive(base, single, q_limits), moved.astype(np.float32),
    )  # fmt: skip


def _reactive(base: Solution, single: Solution, q_limits: bool) -> tuple[Array, Array, Array, Array]:
    """Reactive power of regulated nodes before outages, its changes, and their limits, pu; nothing where none are held."""
    grid, regulators = base.grid, base.grid.regulators
    if not q_limits:
        none = np.zeros(0, np.float32)
        return none, np.zeros((single.n, 0), np.float32), none, none
    held = grid.pattern.order[grid.rows.kind != PQ]
    column = np.full(grid.n_node, -1)
    column[held] = np.arange(len(held))
    row = int(base.cases.row[0])
    sums = []
    for limits in reactive_limits(grid, Injections.of(grid, base.cases.scenarios), True):
        own = limits[row if len(limits) > 1 else 0]
        sums.append(np.bincount(column[regulators.node], own, len(held)))
    free = grid.kind[held] == REF
    q_low, q_high = np.where(free, -_FAR, sums[0]), np.where(free, _FAR, sums[1])

    def given(state: Solution) -> Array:
        """Reactive power of the nodes; at a limit it is that."""
        return np.where(state.held > 0, q_high, np.where(state.held < 0, q_low, state.need_pu))

    change = given(single) - given(base)
    change = np.where(np.isfinite(change) & single.converged[:, None], change, 0.0)
    parts = (np.nan_to_num(given(base)[0]), change, q_low, q_high)
    return tuple(np.ascontiguousarray(a, np.float32) for a in parts)  # type: ignore[return-value]


def _ratings(net: Network) -> tuple[Array, Array]:
    """The smaller and the larger rating of each branch, MVA."""
    long, short = net.branch.rate_mva, net.branch.rate_short_mva
    return np.minimum(long, short), np.maximum(long, short)


def _inverse_square(rate: Array) -> Array:
    return np.where(rate > 0, 1.0 / np.maximum(rate, 1e-12) ** 2, 0.0)


def _unbroken(use_tight: Array, use_loose: Array, tight: Array, loose: Array, none: float) -> Array:
    """The tighter of two limits where it holds (use at most 1), else the looser one, else ``none``; also without supply."""
    room = np.where(use_loose <= 1.0 + _LEEWAY, np.broadcast_to(loose, use_loose.shape), none)
    return np.where(use_tight <= 1.0 + _LEEWAY, np.broadcast_to(tight, use_tight.shape), room)


def _flows(base: Solution, single: Solution) -> Array:
    """(1 + n_single, 4, n_branch) P and Q at the from and the to end, pu, before and after outages."""
    parts = []
    for state in (base, single):
        f = state.branch_flow()
        parts.append(np.stack([f.p_from_mw, f.q_from_mvar, f.p_to_mw, f.q_to_mvar], 1))
    return np.concatenate(parts) / base.grid.base_mva


def single_states(net: Network, sc: Scenarios, rows: Array, branch: Array, how: Settings, start: Start) -> Solution:
    """Power flows of some scenarios, which have no outages of their own, with each of the branches out."""
    n, m = len(rows), len(branch)
    row = np.repeat(rows.astype(np.int32), m)
    out = Pairs(np.arange(n * m, dtype=np.int32), np.tile(branch, n).astype(np.int32))
    return solve_cases(net, Cases(sc, row, {"branch": out}), "newton", how, start, row)


def part_of(solution: Solution, which: Array) -> Solution:
    """Some cases of a solution."""
    off = solution.off.take(which, solution.n)
    names = ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw", "rung")
    return replace(
        solution, cases=solution.cases.take(which), off=off, **{n: getattr(solution, n)[which] for n in names}
    )


def kinds_of(pairs: PairList, alone: Alone) -> Array:
    """(k,) what each pair is in one scenario (`ESTIMATED` ...)."""
    kind = np.full(len(pairs.first), ESTIMATED, np.int8)
    branch, i, j = pairs.branch, pairs.first, pairs.second
    kind[pairs.splits] = SPLITS
    kind[alone.dead[i, branch[j]] | alone.dead[j, branch[i]]] = ONE_OUTAGE
    kind[~(alone.solved[i] & alone.solved[j])] = UNSOLVED
    return kind


def measures(pairs: PairList, alone: Alone, which: Array, threads: int | None) -> Array:
    """(len(which), N_MEASURES) float32 of the given pairs (`kernels.pairs`)."""
    out = np.zeros((len(which), kernel.N_MEASURES), np.float32)
    first, second = pairs.first[which], pairs.second[which]

    def part(lo: int) -> None:
        kernel.estimate_pairs(
            first, second, lo, min(lo + _PAIRS_A_PART, len(which)), pairs.branch, alone.base, alone.change, alone.size,
            alone.inv, alone.loading, alone.v_base, alone.v_change, alone.low, alone.high, alone.past,
            alone.q_base, alone.q_change, alone.q_low, alone.q_high, _DOUBT, out,
        )  # fmt: skip

    in_turn(thread_count(threads), part, range(0, len(which), _PAIRS_A_PART))
    return out


@dataclass(frozen=True, eq=False)
class Known:
    """What the state before outages and the single outages of one scenario break.

    Attributes:
        broken: (n_single + 1, n_limit) bool; the last row is the state before outages.
        width: branches and buses, by which elements and kinds of limits are numbered.
    """

    broken: Array
    width: int

    @classmethod
    def of(cls, base: Solution, single: Solution, how: Settings, limits: Limits) -> Known:
        """From the states of one scenario."""
        width = base.net.n_branch + base.net.n_bus
        broken = np.zeros((single.n + 1, 5 * width), bool)
        for state, first in ((single, 0), (base, single.n)):
            records = scanned(state, base, np.zeros(state.n, np.int32), how, limits)[1].astype(np.int64)
            broken[first + records[:, 0], records[:, 2] * width + records[:, 1]] = True
        return cls(broken, width)

    def beyond(self, pairs: PairList, which: Array, records: Array, converged: Array) -> Array:
        """(len(which),) whether pairs break what their single outages do not, or have no solution.

        Args:
            records: what the states of the pairs ``which`` break (`limits.scanned`), by their place there.
            converged: (len(which),) whether they have a solution.
        """
        row, element, kind = records[:, :3].astype(np.int64).T
        key, pair = kind * self.width + element, which[row]
        known = self.broken
        new = ~(known[pairs.first[pair], key] | known[pairs.second[pair], key] | known[-1, key])
        out = ~converged
        out[row[new]] = True
        return out


def pair_states(net: Network, sc: Scenarios, row: int, ends: Array, how: Settings, start: Start) -> Solution:
    """Power flows of one scenario with each pair of branches ``ends`` (k, 2) out."""
    case = np.repeat(np.arange(len(ends), dtype=np.int32), 2)
    out = Pairs(case, np.sort(ends, 1).ravel().astype(np.int32))
    rows = np.full(len(ends), row, np.int32)
    return solve_outages(net, Cases(sc, rows, {"branch": out}), how, start, rows)
