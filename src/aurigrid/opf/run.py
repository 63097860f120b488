"""One call's scenarios in the kernels' terms: solved in one form of the problem, judged, and put into users' terms."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.kernels.cuts import Cuts, make_border
from aurigrid.kernels.ipm import FAILED, LIMIT, OPTIMAL, Found, Job, optimise_range
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.system import System, make_state
from aurigrid.kernels.tile import OFF, PQ, REF
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.conditions import Conditions, conditions_of, reference_groups_of
from aurigrid.opf.cuts import CutPoint, CutSet, kernel_cuts
from aurigrid.opf.objective import objective_of
from aurigrid.opf.points import point_scenarios
from aurigrid.opf.problem import LIMITS, Problem, compile_problem
from aurigrid.opf.residuals import Point, Residuals, residuals
from aurigrid.opf.result import OptimalPowerFlow
from aurigrid.opf.status import OpfStatus
from aurigrid.opf.tables import FIXED, OTHER, SHORT, Freedom
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import Grid, compile_grid
from aurigrid.powerflow.newton import in_turn
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.sums import node_sums

Array = np.ndarray[Any, np.dtype[Any]]

_Form = tuple[float | None, Freedom, bool, bool]
_KEPT: weakref.WeakKeyDictionary[Grid, dict[_Form, Problem]] = weakref.WeakKeyDictionary()

_TOL_PU, _TOL_GRADIENT, _GAP = 1e-7, 1e-6, 1e-6
_FIRST_GAMMA, _LEAST_SLACK, _CENTRE, _DAMP = 1.0, 1.0, 0.1, 0.99995
_FIXED_PU = 1e-9
SOFT_PU = 1e-5
"""Missing power or broken limits of a soft problem below which a point counts as feasible, pu."""
_DEAREST = 25.0
"""Scaled price of power that is missing, at most: dearer, and the barrier loses sight of the units' costs."""
_DEAREST_CUT = 50.0
"""The same of a cut that is broken by its whole limit."""
_VOLTAGE_PRICE = 10.0
"""Price of a pu of voltage and of a radian, in those of a pu of power."""
_TILES_A_TASK = 4


def problem_of(
    net: Network, soft_price: float | None = None, free: Freedom = FIXED, by_current: bool = False, curves: bool = True
) -> Problem:
    """The optimality system of a network, kept for as long as the network lives."""
    grid = compile_grid(net, single_reference=True)
    kept = _KEPT.setdefault(grid, {})
    form = (soft_price, free, by_current, curves)
    if form not in kept:
        kept[form] = compile_problem(net, grid, *form)
    return kept[form]


def solved_rows(raw: Raw) -> Array:
    """Scenarios with an optimum that keeps all limits."""
    rows: Array = np.flatnonzero((raw.code == OPTIMAL) & (raw.missing <= SOFT_PU))
    return rows


@dataclass(frozen=True, eq=False)
class Start:
    """Where scenarios start, in the caller's node order; lam and mu may be absent. Rows: one a scenario, or one for all.

    gamma and least are the barrier and the least slack to start with: small where the start is near the optimum.
    """

    v: Array
    x: Array
    lam: Array | None
    mu: Array | None
    gamma: float = _FIRST_GAMMA
    least: float = _LEAST_SLACK


NOT_BEST = 10
"""Code of a point that keeps all limits and is not known to be the cheapest."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Points as the solver left them: see `Point` for the arrays; code (n,) is the kernel's outcome, cut_mu and cut_excess
    (n, m) belong to the scenarios' own cuts; free (n, k) bool: injections that may move."""

    problem: Problem
    v: Array
    x: Array
    lam: Array
    mu: Array
    excess: Array
    code: Array
    iterations: Array
    cost: Array
    scale: Array
    cut_mu: Array
    cut_excess: Array
    free: Array
    judged: Residuals

    def without_cuts(self) -> Raw:
        """The points alone, so that rounds with different numbers of cuts can be put together."""
        none = np.zeros((len(self.code), 0))
        return replace(self, cut_mu=none, cut_excess=none)

    @property
    def missing(self) -> Array:
        """(n,) largest missing or unusable power or broken limit, pu; infinite where the solver found no point."""
        soft = self.problem.injection.owner >= SHORT
        worst = np.maximum(np.abs(self.x[:, soft]).max(1, initial=0.0), self.judged.violation)
        return np.where(np.isfinite(worst), worst, np.inf)

    def take(self, rows: Array) -> Raw:
        arrays = {name: getattr(self, name)[rows] for name in _ROWS}
        return Raw(self.problem, **arrays, judged=self.judged.take(rows))

    def put(self, rows: Array, other: Raw, code: int | None) -> Raw:
        """The same with some points replaced, and their code where one is given; iterations add up."""
        arrays = {name: getattr(self, name).copy() for name in _ROWS}
        for name in _ROWS:
            if name == "iterations":
                arrays[name][rows] += other.iterations
            else:
                arrays[name][rows] = getattr(other, name)
        if code is not None:
            arrays["code"][rows] = code
        judged = self.judged.take(np.arange(len(self.code)))
        judged.put(rows, other.judged)
        return Raw(self.problem, **arrays, judged=judged)

    def within(self, problem: Problem) -> Raw:
        """Points of the hard problem in the terms of a soft one: injections come first in both, inequalities are told by
        their kind and element."""
        mine, n = self.problem, len(self.code)
        sizes = (
            problem.injection.count,
            problem.grid.net.n_branch,
            problem.grid.n_node,
            len(problem.system.curves.cut),
        )
        width = np.int64(max(sizes) + 1)
        key = problem.kind * width + problem.element
        sorter = np.argsort(key)
        place = sorter[np.searchsorted(key, mine.kind * width + mine.element, sorter=sorter)]
        x, free = np.zeros((n, problem.injection.count)), np.ones((n, problem.injection.count), bool)
        free[:, : self.x.shape[1]] = self.free
        mu, excess = np.zeros((n, problem.n_limit)), np.zeros((n, problem.n_limit))
        x[:, : self.x.shape[1]], mu[:, place] = self.x, self.mu
        arrays = (self.v, x, self.lam, mu, excess, self.code, self.iterations, self.cost, self.scale,
                  self.cut_mu, self.cut_excess, free)  # fmt: skip
        return Raw(problem, *arrays, self.judged)


_ROWS = ("v", "x", "lam", "mu", "excess", "code", "iterations", "cost", "scale", "cut_mu", "cut_excess", "free")


BASE_MVA = 100.0
"""Power base of all problems: tolerances mean the same power whatever base a grid comes with."""


@dataclass(frozen=True)
class Run:
    """The scenarios of one call, turned into the kernels' terms once for each form of the problem.

    Attributes:
        net, sc: the network on `BASE_MVA` and its scenarios; given: the scenarios of the network as it was given.
    """

    net: Network
    sc: Scenarios
    given: Scenarios
    available: Array | None
    weights: dict[str, float]
    max_iterations: int
    threads: int
    free: Freedom = FIXED
    by_current: bool = False
    pinned: Array | None = None
    curves: bool = True

    def some(self, rows: Array) -> Run:
        """The run of some of the scenarios."""
        part = self.available if self.available is None or len(self.available) == 1 else self.available[rows]
        pinned = None if self.pinned is None else self.pinned[rows]
        return replace(self, sc=self.sc[rows], given=self.given[rows], available=part, pinned=pinned)

    def solve(
        self, soft_price: float | None, start: Start | None = None, costless: bool = False, cuts: CutSet | None = None,
        strict: bool = False,
    ) -> Raw:  # fmt: skip
        """Solve all scenarios in one form of the problem, and judge the points.

        Args:
            soft_price: price of missing power where balances and limits may be broken.
            start: points to start from; flat and in the middle where absent.
            costless: count broken balances and limits only.
            cuts: the scenarios' own.
            strict: lower the barrier slowly (`kernels.ipm`): dearer, but hardly ever without an end.
        """
        problem = problem_of(self.net, soft_price, self.free, self.by_current, self.curves)
        grid, n = problem.grid, self.sc.n
        cases = Cases.of(self.sc)
        off, groups = reference_groups_of(grid, cases)
        at = conditions_of(problem, self.sc, cases, off, self.available)
        if self.pinned is not None:
            given = ~np.isnan(self.pinned[:, : problem.injection.count])
            for values in (at.lo, at.hi, at.start):
                values[:, : given.shape[1]][given] = self.pinned[:, : given.shape[1]][given]
        injection, order, lo, hi = problem.injection, problem.pattern.order, at.lo, at.hi
        free, given = _constants(problem, at)
        # constants are part of the consumption, except where the kernels read them as values
        away = (injection.axis < OTHER) & (problem.units.tied == 0)
        flat = np.stack([at.need.real, at.need.imag], 2).reshape(n, -1)
        flat -= node_sums(
            2 * injection.node[away] + injection.axis[away], np.ascontiguousarray(given[:, away]), 2 * grid.n_node
        )
        out_ptr, out_row = _pointers(np.concatenate([at.on, at.on[:, problem.twin]], 1))
        aim = objective_of(problem, self.sc, self.weights, hi)
        scale = _scale(aim.scale, grid.base_mva, soft_price, cuts)
        linear, quadratic = aim.linear * scale, aim.quadratic * scale
        if costless:
            of_units = injection.owner < SHORT
            linear, quadratic = np.where(of_units, 0.0, linear), np.where(of_units, 0.0, quadratic)
        e, f, x, lam, mu = self._start(problem, at, np.where(free, np.nan, np.where(away, 0.0, given)), start)
        job = Job(
            np.ascontiguousarray(flat.reshape(n, -1, 2)[:, order].reshape(n, -1)), np.where(free, hi, 0.0),
            np.where(free, lo, 0.0), free.astype(float), linear.copy(), quadratic.copy(),
            _prices(problem, soft_price, scale), out_ptr, out_row,
            off.pointers(n), problem.pattern.position[off.element].astype(np.int32),
            e, f, x, lam, mu, at.draw(order), at.shape.reshape(n, -1),
        )  # fmt: skip
        own = kernel_cuts(problem, cuts, free, scale)
        if cuts is not None and len(job.mu):
            job = job._replace(mu=np.hstack([np.broadcast_to(job.mu, (n, problem.n_limit)), cuts.mu]))
        found = self._run(problem, job, own, groups, start, strict)
        point = _point(problem, at, found, free, given, linear, quadratic, groups, cuts)
        with np.errstate(invalid="ignore", over="ignore"):
            judged = residuals(problem, point)
        paid, m = np.where(injection.owner >= SHORT, 0.0, point.x), problem.n_limit
        cost = aim.constant + (aim.linear * paid + aim.quadratic * paid**2).sum(1)
        return Raw(
            problem, point.v, point.x, point.lam, point.mu, point.excess, found.status, found.iterations,
            np.broadcast_to(cost, n).copy(), np.full(n, scale), found.mu[:, m:], found.excess[:, m:], free, judged,
        )  # fmt: skip

    def _start(self, problem: Problem, at: Conditions, constant: Array, start: Start | None) -> tuple[Array, ...]:
        """e, f, x, lam and mu from which scenarios start: flat, in the middle and controls where they are, or where they are
        told to; ``constant`` (n, k) holds what does not move, NaN for the rest."""
        size, count, order = problem.grid.n_node, problem.injection.count, problem.pattern.order
        lam, mu = np.zeros((1, 2 * size)), np.zeros((0, 0))
        if start is not None:
            v, x = start.v[:, order], np.zeros((len(constant), count))
            width = min(count, start.x.shape[1])
            x[:, :width] = start.x[:, :width]
            x = np.where(np.isnan(constant), x, constant)
            if start.lam is not None:
                lam = np.stack([start.lam.real, start.lam.imag], 2)[:, order].reshape(len(start.lam), -1)
            if start.mu is not None and start.mu.shape[1] == problem.n_limit:
                mu = start.mu.copy()
            return v.real.copy(), v.imag.copy(), x, lam, mu
        low, high = np.isfinite(at.lo), np.isfinite(at.hi)
        at_low, at_high = np.where(low, at.lo, 0.0), np.where(high, at.hi, 0.0)
        middle = np.where(low & high, 0.5 * (at_low + at_high), at_low + at_high)
        x = np.where(np.isnan(at.start), middle, np.clip(at.start, at.lo, at.hi))
        x = np.where(np.isnan(constant), x, constant)
        return np.ones((1, size)), np.zeros((1, size)), x, lam, mu

    def _run(
        self,
        problem: Problem,
        job: Job,
        cuts: Cuts,
        groups: list[tuple[Array, Array]],
        start: Start | None,
        strict: bool,
    ) -> Found:
        grid = problem.grid
        n, size, k, q = self.sc.n, grid.n_node, problem.injection.count, problem.n_limit + cuts.rest.shape[1]
        gamma, least = (_FIRST_GAMMA, _LEAST_SLACK) if start is None else (start.gamma, start.least)
        found = Found(
            np.full((n, size), np.nan), np.full((n, size), np.nan), np.zeros((n, k)), np.zeros((n, 2 * size)), np.zeros((n, q)),
            np.zeros((n, q)), np.full(n, FAILED, np.int8), np.zeros(n, np.int32),
        )  # fmt: skip
        gap = _GAP * np.maximum(1.0, np.abs(job.need[:, 0::2]).sum(1))
        # one thread takes all at once: lanes are refilled, and only the last of them run half empty
        most = n if self.threads == 1 else _TILES_A_TASK * LANES
        step = max(LANES, min(most, -(-n // (self.threads * LANES)) * LANES))
        tasks = []
        for rows, kind in groups:
            fixed = np.where(kind == OFF, 2, np.where(kind == REF, 1, 0)).astype(np.int8)[problem.pattern.order]
            system = problem.system._replace(nodes=problem.nodes._replace(fixed=fixed))
            tasks += [(system, rows[a : a + step].astype(np.int32)) for a in range(0, len(rows), step)]

        def work(task: tuple[System, Array]) -> None:
            system, todo = task
            state = make_state(system, problem.pattern.n_upper, q, job.draw.shape[1] > 0)
            optimise_range(
                problem.pattern, system, cuts, make_border(cuts, size), job, state, found, todo, _TOL_PU, _TOL_GRADIENT, gap,
                self.max_iterations, gamma, least, _CENTRE, _DAMP, strict,
            )  # fmt: skip

        in_turn(self.threads, work, tasks)
        return found

    def result(self, raw: Raw, rounding_cost: Array | None = None) -> OptimalPowerFlow:
        """Label the points and put them into the users' terms."""
        problem, x, judged, sc = raw.problem, raw.x, raw.judged, self.given
        grid, n = compile_grid(sc.net, single_reference=True), sc.n
        status = np.full(n, OpfStatus.FAILED, np.int8)
        status[raw.code == LIMIT] = OpfStatus.ITERATION_LIMIT
        status[raw.code == NOT_BEST] = OpfStatus.FEASIBLE
        good = raw.code == OPTIMAL
        status[good] = OpfStatus.OPTIMAL
        status[good & (raw.missing > SOFT_PU)] = OpfStatus.INFEASIBLE
        failed = status == OpfStatus.FAILED
        cost = raw.cost.copy()
        off, _ = reference_groups_of(grid, Cases.of(sc))
        v = raw.v.copy()
        v[:, grid.kind == OFF] = np.nan
        v[off.case, off.element] = np.nan
        v[failed], cost[failed] = np.nan, np.nan
        points = point_scenarios(problem, sc, x, np.abs(v))
        n_held = int(np.sum(grid.rows.kind != PQ))
        flow_status = np.where(failed, Status.DIVERGED, Status.CONVERGED).astype(np.int8)
        flow_status[np.setdiff1d(off.case, np.flatnonzero(failed))] = Status.ISLANDED
        mismatch = np.where(failed, np.nan, judged.balance * BASE_MVA / grid.base_mva)
        solution = Solution(
            grid, Cases.of(points), flow_status, raw.iterations, mismatch, v,
            np.zeros((n, n_held), np.int8), np.zeros((n, n_held)), np.zeros((n, grid.n_island)), off, "opf",
            np.where(failed, Rung.NONE, Rung.OPF).astype(np.int8),
        )  # fmt: skip
        return OptimalPowerFlow(
            problem, cost, status, raw.iterations, judged, points, solution, x, raw.lam, raw.mu, raw.excess, raw.scale,
            sc, np.zeros(n) if rounding_cost is None else rounding_cost,
        )  # fmt: skip


def _constants(problem: Problem, at: Conditions) -> tuple[Array, Array]:
    """(n, k) whether injections and controls may move, and the values of those that may not, 0 for the others."""
    fixed = np.isfinite(at.lo) & (at.hi - at.lo < _FIXED_PU)
    free = at.live & ~fixed
    control = problem.injection.axis >= OTHER
    return free, np.where(free, 0.0, np.where(fixed & at.live, at.lo, np.where(control, at.start, 0.0)))


def _scale(scale: float, base_mva: float, soft_price: float | None, cuts: CutSet | None) -> float:
    """Scaled cost for a unit of the objective, from that of the objective alone: prices of broken limits bound it."""
    if soft_price is not None:
        scale = min(scale, _DEAREST / (soft_price * base_mva))
    if cuts is not None and cuts.price.size:
        scale = min(scale, _DEAREST_CUT / max(float(cuts.price.max()), 1e-300))
    return scale


def _point(
    problem: Problem, at: Conditions, found: Found, free: Array, given: Array, linear: Array, quadratic: Array,
    groups: list[tuple[Array, Array]], cuts: CutSet | None,
) -> Point:  # fmt: skip
    """What the kernels found, in the caller's node order; free and given as of `_constants`, groups: references of cases."""
    order, m, shape = problem.pattern.order, problem.n_limit, (len(free), problem.grid.n_node)
    v, lam, held = np.empty(shape, complex), np.empty(shape, complex), np.zeros(shape, bool)
    v[:, order] = found.e + 1j * found.f
    lam[:, order] = found.lam[:, 0::2] + 1j * found.lam[:, 1::2]
    mu, excess = found.mu[:, :m], found.excess[:, :m]
    for name in ("upper", "lower"):
        # the bounds of what cannot move are no inequalities
        mine = problem.kind == LIMITS.index(name)
        mu[:, mine] *= free[:, problem.element[mine]]
    for rows, kind in groups:
        held[rows] = kind == REF
    cut = None if cuts is None else CutPoint(cuts, found.mu[:, m:], found.excess[:, m:])
    return Point(
        v, np.where(free, found.x, given), at.need, free, at.on, at.alive, at.lo, at.hi, linear, quadratic, lam, mu, excess, held,
        at.need_i, at.need_z, at.shape, cut,
    )  # fmt: skip


def _pointers(on: Array) -> tuple[Array, Array]:
    """Compressed rows of the branches that are out."""
    case, row = np.nonzero(~on)
    ptr = np.zeros(len(on) + 1, np.int32)
    np.cumsum(np.bincount(case, minlength=len(on)), out=ptr[1:])
    return ptr, row.astype(np.int32)


def _prices(problem: Problem, soft_price: float | None, scale: float) -> Array:
    """(n_limit,) scaled price of breaking each inequality, 0 where it must hold."""
    price = np.zeros(problem.n_limit)
    if soft_price is None:
        return price
    unit = soft_price * problem.grid.base_mva * scale
    rate = problem.grid.net.branch.rate_mva / problem.grid.base_mva
    for k, name in enumerate(LIMITS):
        mine = problem.kind == k
        if name.startswith(("flow", "current")):
            # h = (s / rate)^2 - 1 is about twice the overload over the rating
            price[mine] = 0.5 * unit * rate[problem.element[mine]]
        elif name.startswith(("v_", "angle")):
            price[mine] = _VOLTAGE_PRICE * unit
    return price
