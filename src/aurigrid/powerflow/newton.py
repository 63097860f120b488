"""The exact engine: batched Newton on lanes, in threads, with a certificate for every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from aurigrid.kernels.balance import certify_range
from aurigrid.kernels.factor import Factor
from aurigrid.kernels.loop import solve_range
from aurigrid.kernels.simd import LANES
from aurigrid.kernels.tile import CONVERGED, HANDED_ON, SINGULAR, Batch, Results, Tile, fits, make_tile
from aurigrid.powerflow.cases import NO_PAIRS, Pairs
from aurigrid.powerflow.crew import in_turn as in_turn
from aurigrid.powerflow.crew import thread_count as thread_count
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.prepared import prepared
from aurigrid.powerflow.status import Status

Array = np.ndarray[Any, np.dtype[Any]]

_GENTLE_SHARE = 0.5
_CHORD_STEPS = 14
_CASES_A_FACTOR = 2
_MOST_HELD = 6000
_HELD_A_CASE = 8
_NEAR_PU = 1e-3
_ROUNDS_WITH_LIMITS = 3

_NO_BLOCKS = np.zeros((0, 4), np.float32)
_NO_FACTOR = Factor(
    _NO_BLOCKS, _NO_BLOCKS, _NO_BLOCKS, _NO_BLOCKS, np.zeros((0, 16)), np.zeros(0, np.int8), np.zeros((0, 2), np.float32),
    np.zeros(0), np.zeros((0, 0), np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 2)),
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


@dataclass(frozen=True)
class Settings:
    """How to solve.

    Attributes:
        tol_pu: largest mismatch accepted, pu; max_iterations: Newton iterations a case may take.
        q_limits: hold regulated nodes within their reactive limits; distributed: spread the balance over units.
        threads: threads to use, all CPUs where None.
        one_step: take one Newton step from the start and stop, whatever is left (a screen, not a solution).
        patience: iterations without progress after which a case counts as diverged. Newton's method from a solved base
            state comes closer within a few steps or not at all; from a guess it may wander first. Four are too few: of the
            156 288 outages of the German day 16 that have a solution are lost, with five none.
        most_step: largest change of an angle (rad) or of ln|V| in a Newton step: damped Newton. It takes no chord steps.
    """

    tol_pu: float = 1e-8
    max_iterations: int = 20
    q_limits: bool = False
    distributed: bool = False
    threads: int | None = None
    one_step: bool = False
    patience: int = 5
    most_step: float = np.inf

    def from_guess(self) -> Settings:
        """The same for cases that do not start from a solved state."""
        return replace(self, patience=self.max_iterations)


class _List(NamedTuple):
    """Cases (positions, int32) to solve, by chord steps where a factor is given."""

    todo: Array
    factor: Factor | None = None


class _Work:
    """The stages of one batch: chord steps from the base state, Newton, Newton in double precision, certificate."""

    def __init__(self, grid: Grid, batch: Batch, how: Settings) -> None:
        n, n_held = len(batch.row), len(batch.held_place)
        self.grid, self.batch, self.how = grid, batch, how
        self.v = np.empty((n, grid.n_node), complex)
        self.out = Results(
            self.v.view(np.float64), np.zeros((n, grid.n_island)), np.zeros((n, n_held), np.int8), np.zeros((n, n_held)),
            np.zeros(n, np.int8), np.zeros(n, np.int32), np.zeros(n),
        )  # fmt: skip
        self.mismatch, self.implausible = np.full(n, np.nan), np.zeros(n, bool)
        self.factors: dict[int, Factor] = {}
        self.tiles = prepared(grid).tiles
        self.lost, self.shares = self.usual()
        self.gone, self.dead = self.in_all(batch.out_ptr, batch.out_branch), self.in_all(batch.off_ptr, batch.off_node)
        self.begin_with_own()
        self.threads = thread_count(how.threads)

    def _tile(self, dtype: type) -> Tile:
        """This thread's working state; where it fits it is that of the batch before, whose memory the machine has at hand."""
        tiles: dict[str, Tile] = self.tiles.__dict__
        tile = tiles.get(dtype.__name__)
        if tile is None or not fits(tile, self.batch):
            tile = tiles[dtype.__name__] = make_tile(self.grid.pattern, self.grid.rows, self.batch, dtype)
        return tile

    def _stage(self, lists: Sequence[_List], dtype: type, limit: int, share: float = 0.0) -> None:
        """Solve lists of cases one after the other, all threads on the same list; a thread that finds it empty goes on."""
        lists = [item for item in lists if item.todo.size]
        taken = [np.zeros(1, np.int64) for _ in lists]
        grid, how = self.grid, self.how
        tol, least = (np.inf, 1) if how.one_step else (how.tol_pu, 0)

        def work(_: int) -> None:
            tile = self._tile(dtype)
            for item, counter in zip(lists, taken, strict=True):
                solve_range(
                    grid.pattern, grid.rows, self.batch, tile, self.out, item.todo, tol, least, limit, how.patience,
                    how.q_limits, share, how.distributed, how.most_step, _NO_FACTOR if item.factor is None else item.factor,
                    item.factor is not None, counter,
                )  # fmt: skip

        tiles = -(-sum(item.todo.size for item in lists) // LANES)
        in_turn(self.threads, work, range(min(self.threads, tiles)))

    def usual(self) -> tuple[Array, Array]:
        """(n_start, n_node) what the cases of each start have in common: regulation lost in most of them, mean slack shares."""
        batch, n_node, n_start = self.batch, self.grid.n_node, len(self.batch.start_e)
        if not (batch.edit_free.any() or batch.edit_alpha.any() or len(batch.free)):
            same = n_start, n_node
            return np.broadcast_to(np.zeros(1, bool), same), np.broadcast_to(batch.alpha[0], same)
        lost, shares = np.zeros((n_start, n_node)), np.zeros((n_start, n_node))
        cases = np.maximum(np.bincount(batch.start, minlength=n_start), 1)[:, None]
        if len(batch.free):
            n_row = np.int64(len(batch.free))
            key, uses = np.unique(batch.start * n_row + batch.set_row, return_counts=True)
            part = uses[:, None] / cases[key // n_row]
            np.add.at(lost, key // n_row, part * batch.free[key % n_row])
            np.add.at(shares, key // n_row, part * batch.alpha[key % n_row])
        else:
            shares[:] = batch.alpha[0]
        case = np.repeat(np.arange(len(batch.row)), np.diff(batch.edit_ptr))
        place = batch.start[case].astype(np.int64) * n_node + batch.edit_node
        # several regulators of a node may be out in one case
        free = np.flatnonzero(batch.edit_free)
        free = free[np.unique(case[free] * n_node + batch.edit_node[free], return_index=True)[1]]
        for table, at, by in ((lost, place[free], np.ones(len(free))), (shares, place, batch.edit_alpha)):
            table += np.bincount(at, by, minlength=n_start * n_node).reshape(n_start, n_node) / cases
        return lost > 0.5, shares

    def in_all(self, ptr: Array, element: Array) -> Pairs:
        """Pairs (start, element) of a list by case that all cases of a start have."""
        start = self.batch.start
        if not element.size:
            return NO_PAIRS
        size = np.int64(element.max() + 1)
        key, uses = np.unique(np.repeat(start, np.diff(ptr)) * size + element, return_counts=True)
        whole = uses == np.bincount(start, minlength=len(self.batch.start_e))[key // size]
        return Pairs((key[whole] // size).astype(np.int32), (key[whole] % size).astype(np.int32))

    def begin_with_own(self) -> None:
        """Put the outage that a case has for itself before those that its start has: chord steps follow the first."""
        batch = self.batch
        size = np.diff(batch.out_ptr)
        if not self.gone.case.size or size.max() < 2:
            return
        case = np.repeat(np.arange(len(size)), size)
        shared = np.zeros((len(batch.start_e), len(self.grid.from_node)), bool)
        shared[self.gone.case, self.gone.element] = True
        batch.out_branch[:] = batch.out_branch[np.lexsort((shared[batch.start[case], batch.out_branch], case))]

    def chord_cases(self) -> Array:
        """(n,) whether a case differs from its base state in a way that chord steps can follow."""
        batch, n_node = self.batch, self.grid.n_node
        shared = np.bincount(self.gone.case, minlength=len(batch.start_e))
        few: Array = np.diff(batch.out_ptr) - shared[batch.start] <= 1
        few[np.diff(batch.kind_ptr) > 0] = False
        if self.how.q_limits:
            few &= len(batch.held_place) <= _MOST_HELD
            return few
        free = np.flatnonzero(batch.edit_free)
        if free.size or self.lost.any():
            # without `Factor.react` nothing follows a node whose regulation differs from the factor's
            now = batch.free[batch.set_row] != 0 if len(batch.free) else np.zeros((len(few), n_node), bool)
            now[np.searchsorted(batch.edit_ptr, free, side="right") - 1, batch.edit_node[free]] = True
            few &= ~(now != self.lost[batch.start]).any(1)
        return few

    def by_outage(self, cases: Array) -> Array:
        """Cases with outages close in the elimination tree side by side: a tile's corrections then share their ways."""
        batch, rows = self.batch, self.grid.rows
        out = np.flatnonzero(batch.out_ptr[cases + 1] > batch.out_ptr[cases])
        if not out.size:
            return cases
        branch = batch.out_branch[batch.out_ptr[cases[out]]]
        place = np.zeros(len(cases), np.int32)
        place[out] = np.minimum(rows.from_node[branch], rows.to_node[branch])
        return cases[np.argsort(place, kind="stable")]

    def prepare(self, start: int) -> None:
        """Factorise the Jacobian of one start."""
        grid, batch = self.grid, self.batch
        state = np.zeros((6, grid.n_node))
        e, f, p_extra, q_extra, free_q, alpha = state
        e[:], f[:], free_q[:], alpha[:] = batch.start_e[start], batch.start_f[start], 1.0, self.shares[start]
        if batch.zip.size:
            at = np.flatnonzero(batch.zip_node >= 0)
            size = np.hypot(e[at], f[at])
            p1, p2, q1, q2 = batch.zip[0][:, batch.zip_node[at]]
            p_extra[at], q_extra[at] = p1 * size + 2 * p2 * size**2, q1 * size + 2 * q2 * size**2
        held = batch.held_place
        free_q[held] = (
            self.lost[start, held] | (batch.start_held[start] != 0) if self.how.q_limits else self.lost[start, held]
        )
        gone, dead = (pairs.element[pairs.case == start] for pairs in (self.gone, self.dead))
        free_q[dead] = 0.0
        self.factors[start] = prepared(grid).factor(state, gone, dead, len(batch.out_branch) > 0, self.how.q_limits)

    def chord_stage(self) -> Array:
        """Chord steps from the starts that enough of the cases share; returns the cases for which they do not pay."""
        fit = np.flatnonzero(self.chord_cases()).astype(np.int32)
        start = self.batch.start[fit]
        starts, uses = np.unique(start, return_counts=True)
        least = _CASES_A_FACTOR * LANES
        if self.how.q_limits:
            least = max(least, len(self.batch.held_place) // _HELD_A_CASE)
        worth = starts[uses >= least].tolist()
        in_turn(self.threads, self.prepare, worth)
        mine = [self.by_outage(fit[start == k]) for k in worth]
        lists = [_List(c, self.factors[k]) for k, c in zip(worth, mine, strict=True)]
        self._stage(lists, np.float32, _CHORD_STEPS)
        passed_on = np.flatnonzero(self.out.status == HANDED_ON)
        # the farthest first: those that take longest must not be left over at the end
        passed_on = passed_on[np.argsort(-self.out.norm[passed_on], kind="stable")]
        return passed_on.astype(np.int32)

    def newton_stages(self, todo: Array) -> None:
        """Newton for some cases; all that stalled are taken up again in double precision."""
        how, status = self.how, self.out.status
        self._stage([_List(todo)], np.float32, how.max_iterations)
        stalled = status != CONVERGED
        if not how.q_limits:
            # far from a solution, precision is not what is missing
            stalled &= (self.out.norm < _NEAR_PU) | (status == SINGULAR)
        # limits reached one after the other need their rounds
        rounds = _ROUNDS_WITH_LIMITS if how.q_limits else 1
        again = np.flatnonzero(stalled).astype(np.int32)
        self._stage([_List(again)], np.float64, rounds * how.max_iterations, _GENTLE_SHARE)

    def certify(self) -> None:
        """The certificate of every case."""
        circuit, taken = prepared(self.grid).circuit, np.zeros(1, np.int64)

        def check(_: int) -> None:
            certify_range(
                circuit, self.batch, self.out, self.mismatch, self.implausible, self.how.distributed, taken
            )  # fmt: skip

        in_turn(self.threads, check, range(min(self.threads, -(-len(self.batch.row) // LANES))))

    def run(self) -> Solved:
        """Do all cases, in threads."""
        status, out, how = self.out.status, self.out, self.how
        # what no attempt has taken up yet
        status[:] = Status.SKIPPED
        chord = not (how.one_step or how.most_step < np.inf)
        passed_on = self.chord_stage() if chord else np.zeros(0, np.int32)
        # those that nothing is known of first: they may take long
        fresh = np.flatnonzero(status == Status.SKIPPED).astype(np.int32)
        self.newton_stages(np.concatenate([fresh, passed_on]))
        self.certify()
        status[(status == CONVERGED) & self.implausible] = Status.IMPLAUSIBLE
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
