"""The rounds of a search for secure operating points: solve, check, cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.kernels.ipm import OPTIMAL
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.api import explored
from aurigrid.opf.run import Raw, Run, Start, solved_rows
from aurigrid.opf.status import OpfStatus
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.secure.actions import ActionSet
from aurigrid.secure.book import VERSIONS, Book, Keys
from aurigrid.secure.check import (
    Broken,
    Limits,
    as_scenarios,
    base_part,
    base_states,
    find_broken,
    outage_states,
    pairs_at_once,
    severity,
    worst_few,
)
from aurigrid.secure.reach import beyond_reach
from aurigrid.secure.remedial import ranked, try_actions
from aurigrid.secure.result import SecureOperatingPoints, SecureStatus
from aurigrid.secure.slopes import Levers, slopes
from aurigrid.security import report as r
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.report import Violations

Array = np.ndarray[Any, np.dtype[Any]]

_NEAR = 0.9
"""Loading after an outage from which on the outage is looked at in every round; the last look is at all of them."""
_BINDING = 1e-6
_MARGIN = 1e-4
"""Share of a rating (or pu of voltage) by which cuts keep off their limits, so that what is left of curvature breaks none."""
_LEAST_MISS, _MOST_MISS = 1e-5, 2e-3
_PAID = 1e-3
"""How much farther than its price accounts for a limit may be broken while the price counts as settled."""
_VOLTAGE_PRICE = 10.0
_NEAR_GAMMA = 0.1
"""Barrier and slack of a second try, from the last point."""
_PATIENCE = 4
"""How many times as many iterations a problem that stalls may take while its barrier falls slowly."""
_EASED = 4
"""Rounds in which an outage without a solution is eased by cuts from a Newton step towards one."""
_NO_STATE = 1e12
"""What an outage without a solution counts for where points are compared, currency/h."""
_SANE, _MOST_OVER = (0.6, 1.4), 2.0
_POLISHES = (_MARGIN, 0.1 * _MARGIN)
"""Margins of the rounds in which secure points are brought closer to the least cost: the last steps are small."""
_GAIN = 1e-7
"""Share of the objective that such a round must save."""
_KIND = {0: r.OVERLOAD_SHORT, 2: r.V_LOW, 3: r.V_HIGH}

_OF_A_POINT = ("worst", "status", "lost_mw", "cured_by", "near", "rounds", "rest", "label")
"""What a search knows of each scenario's present point."""


class Search:
    """State of one search; scenarios that stay in it are numbered from 0 as ``rows`` of the caller's."""

    def __init__(
        self, run: Run, outages: Contingencies, limits: Limits, how: Settings, price: float, max_rounds: int, soft_price: float,
        actions: ActionSet | None = None,
    ) -> None:  # fmt: skip
        self.actions = actions
        self.run, self.outages, self.limits, self.how = run, outages, limits, how
        self.price, self.max_rounds, self.soft_price = price, max_rounds, soft_price
        net = run.net
        self.keys = Keys(max(net.n_branch, net.n_bus, 1))
        self.power_flows = 0

    def solve(self) -> SecureOperatingPoints:
        """All rounds, and the result."""
        run = self.run
        raw = run.solve(None)
        stalled = np.setdiff1d(np.arange(run.sc.n), solved_rows(raw))
        if stalled.size:
            raw = raw.put(stalled, _patient(run.some(stalled)).solve(None, strict=True), None)
        rows = solved_rows(raw)
        lost = np.setdiff1d(np.arange(run.sc.n), rows)
        whole = explored(_patient(run), raw, lost, False, self.soft_price) if lost.size else raw
        again = np.intersect1d(lost, solved_rows(whole))
        if again.size:
            part = whole.take(again)
            near = Start(part.v, part.x, None, None, _NEAR_GAMMA, _NEAR_GAMMA)
            hard = _patient(run.some(again)).solve(None, near, strict=True)
            raw = raw.put(again, hard, None)
            raw.code[again] = hard.code
            rows = np.union1d(rows, again[hard.code == OPTIMAL])
        self.rows, self.part = rows, run.some(rows)
        self.raw = raw.take(rows)
        first_cost = whole.cost.copy()
        n, m = len(rows), self.outages.n
        self.problem = raw.problem
        self.levers = Levers.of(raw.problem, compile_grid(run.net, single_reference=self.how.distributed))
        self.book = Book.empty(self.levers)
        self.worst, self.status = np.full((n, m), np.nan), np.full((n, m), Status.SKIPPED, np.int8)
        self.lost_mw, self.cured_by = np.zeros((n, m)), np.full((n, m), -1, np.int32)
        self.near, self.rounds = np.zeros((n, m), bool), np.zeros(n, np.int32)
        self.best, self.least, self.rest = self.raw, np.full(n, np.inf), np.zeros(n)
        self.left: list[tuple[Array, Broken, Array]] = []
        self.label = np.full(n, SecureStatus.INSECURE, np.int8)
        if n:
            self._rounds()
            self._polish()
        whole = whole.put(rows, self.raw.within(whole.problem), OPTIMAL) if lost.size else self.raw
        return self._result(whole, first_cost)

    def _rounds(self) -> None:
        todo = np.arange(len(self.rows))
        for turn in range(self.max_rounds + 1):
            todo = self._look(todo, everything=turn <= 1, last=False)
            if not todo.size:
                return
            if turn < self.max_rounds:
                self._improve(todo)
        # what is not settled ends at the best of its points
        self.raw = self.raw.put(todo, self.best.take(todo), None)
        self._look(todo, everything=True, last=True)

    def _polish(self) -> None:
        """Linearise the limits that bind in secure points anew, at these points alone: older linearisations cost a little. What
        is cheaper and still secure, in exact AC, replaces the point."""
        todo = np.flatnonzero(self.label == SecureStatus.SECURE)
        for margin in _POLISHES:
            todo = np.intersect1d(todo, self.book.scenario[self.book.mu > _BINDING])
            if not todo.size:
                break
            before, left = self.raw.take(todo), list(self.left)
            kept = {name: getattr(self, name)[todo] for name in _OF_A_POINT}
            self._renew(todo, margin)
            self._improve(todo)
            points, base = self._points(todo)
            unpaid = self._check(todo, points, base, np.ones((len(todo), self.outages.n), bool), last=False)
            saved = before.cost - self.raw.cost[todo]
            good = ~unpaid & (self.label[todo] == SecureStatus.SECURE) & (saved > _GAIN * np.abs(before.cost))
            # a secure point leaves nothing to note
            self.left = left
            back = np.flatnonzero(~good)
            self.raw = self.raw.put(todo[back], before.take(back), None)
            for name, values in kept.items():
                getattr(self, name)[todo[back]] = values[back]

    def _renew(self, todo: Array, margin: float) -> None:
        """One cut, exact at the present point, in place of all those of each limit that binds."""
        size = max(1, pairs_at_once(self.run.net) // max(1, self.outages.n))
        for first in range(0, len(todo), size):
            some = todo[first : first + size]
            mine = np.flatnonzero((self.book.mu > _BINDING) & np.isin(self.book.scenario, some))
            if not mine.size:
                continue
            limit = np.unique(np.column_stack([self.book.scenario[mine], self.book.key[mine] // VERSIONS]), axis=0)
            outage, kind, element = self.keys.parts(limit[:, 1] * VERSIONS)
            pair, case = np.unique(np.column_stack([limit[:, 0], outage]), axis=0, return_inverse=True)
            case = case.ravel()
            points, base = self._points(some)
            state = outage_states(points, base, self.outages, np.searchsorted(some, pair[:, 0]), pair[:, 1], self.how)
            self.power_flows += state.n
            order = np.argsort(case, kind="stable")
            order = order[state.converged[case[order]]]
            at = limit[order]
            width = int(self.book.key.max(initial=0)) + 1
            old = np.isin(self.book.scenario * width + self.book.key // VERSIONS, at[:, 0] * width + at[:, 1])
            self.book = self.book.take(np.flatnonzero(~old))
            self._write(state, pair[:, 0], pair[:, 1], case[order], kind[order], element[order], margin)

    def _improve(self, todo: Array) -> None:
        """Solve again with the cuts so far, from the last point; a scenario that fails keeps its point."""
        cuts, mine, flat = self.book.cut_set(todo, self.levers)
        part = self.part.some(todo)
        raw = part.solve(None, cuts=cuts)
        failed = np.flatnonzero(raw.code != OPTIMAL)
        if failed.size:
            before = self.raw.take(todo[failed])
            near = Start(before.v, before.x, None, None, _NEAR_GAMMA, _NEAR_GAMMA)
            raw = raw.put(failed, part.some(failed).solve(None, near, cuts=cuts.take(failed)), None)
        good = np.flatnonzero(raw.code == OPTIMAL)
        self.raw = self.raw.put(todo[good], raw.take(good).without_cuts(), None)
        self.rounds[todo] += 1
        solved = np.isin(self.book.scenario[mine], todo[good])
        self.book.mu[mine[solved]] = raw.cut_mu.reshape(-1)[flat[solved]]
        self.book.excess[mine[solved]] = raw.cut_excess.reshape(-1)[flat[solved]]

    def _look(self, todo: Array, everything: bool, last: bool) -> Array:
        """Check outages of some scenarios; label those that are done and cut the others, which are returned."""
        points, base = self._points(todo)
        mask = np.ones((len(todo), self.outages.n), bool) if everything else self.near[todo]
        unpaid = self._check(todo, points, base, mask, last)
        if not everything:
            quiet = np.flatnonzero(~unpaid)
            if quiet.size:
                sub = todo[quiet]
                points, base = self._points(sub)
                unpaid[quiet] = self._check(sub, points, base, np.ones((len(sub), self.outages.n), bool), last)
        total = self.raw.cost[todo] + self.rest[todo]
        better = todo[total < self.least[todo]]
        self.least[todo] = np.minimum(self.least[todo], total)
        self.best = self.best.put(better, self.raw.take(better), None)
        return todo[unpaid]

    def _points(self, todo: Array) -> tuple[Scenarios, Solution]:
        """The present points of some scenarios as scenarios, and their power flows."""
        points = as_scenarios(self.part.some(todo), self.raw.take(todo))
        base = base_states(points, self.raw.v[todo], self.how)
        self.power_flows += len(todo)
        return points, base

    def _check(self, todo: Array, points: Scenarios, base: Solution, mask: Array, last: bool) -> Array:
        """Exact power flows of the outages in ``mask``; new cuts for limits that are broken and not paid for.

        Returns:
            (len(todo),) whether a scenario has such limits. The others are labelled where all outages were looked at.
        """
        unpaid = np.zeros(len(todo), bool)
        size = max(1, pairs_at_once(points.net) // max(1, int(mask.sum(1).max(initial=1))))
        for first in range(0, len(todo), size):
            some = np.arange(first, min(first + size, len(todo)))
            scenario, outage = np.nonzero(mask[some])
            part, own = points.take(some), base_part(base, some)
            state = outage_states(part, own, self.outages, scenario, outage, self.how)
            self.power_flows += state.n
            unpaid[some] = self._judge(todo[some], part, state, scenario, outage, bool(mask[some].all()), last)
            failed = np.flatnonzero(~state.converged & (self.rounds[todo[some]] < _EASED)[scenario])
            if failed.size and not last:
                ease = self._ease(todo[some], part, own, scenario[failed], outage[failed])
                unpaid[some] |= ease
        return unpaid

    def _judge(
        self, todo: Array, part: Scenarios, state: Solution, scenario: Array, outage: Array, whole: bool, last: bool
    ) -> Array:
        broken, worst = find_broken(state, self.limits, self.how.threads)
        at = todo[scenario]
        self.worst[at, outage], self.status[at, outage] = worst, state.status
        self.lost_mw[at, outage] = state.lost_load_mw
        failed = ~state.converged
        self.near[at, outage] |= (worst >= _NEAR) | failed
        self.near[at[broken.case], outage[broken.case]] = True
        if self.actions is not None:
            broken = self._cured(part, state, scenario, outage, broken, at)
        over = severity(broken, self.limits)
        key = self.keys.of(outage[broken.case], broken.kind, broken.element)
        allowed = self.book.known(at[broken.case], key)[1]
        paid = (allowed > 1e-5) & (over <= allowed + _PAID)
        self.rest[todo] = np.bincount(scenario[broken.case], over * self._price(broken), len(todo))
        self.rest[todo] += _NO_STATE * np.bincount(scenario[failed], minlength=len(todo))
        unpaid = np.zeros(len(todo), bool)
        unpaid[scenario[broken.case[~paid]]] = True
        if whole or last:
            done = np.ones(len(todo), bool) if last else ~unpaid
            bad = np.zeros(len(todo), bool)
            bad[scenario[broken.case]] = True
            bad[scenario[failed]] = True
            self.label[todo[done]] = np.where(bad[done], SecureStatus.INSECURE, SecureStatus.SECURE)
            keep = np.flatnonzero(done[scenario[broken.case]])
            lost = np.flatnonzero(failed & done[scenario])
            self._note(at, outage, broken.take(keep), lost, state)
        if not last and unpaid.any():
            self._cut(todo, state, scenario, outage, broken, over, paid, unpaid)
        return unpaid

    def _price(self, broken: Broken) -> Array:
        """(k,) price of a unit of the severity of broken limits, currency/h."""
        rate = self.limits.rate[np.where(broken.kind == 0, broken.element, 0)]
        out: Array = self.price * np.where(broken.kind == 0, rate, _VOLTAGE_PRICE * self.run.net.base_mva)
        return out

    def _cured(
        self, part: Scenarios, state: Solution, scenario: Array, outage: Array, broken: Broken, at: Array
    ) -> Broken:
        """What is left of broken limits without the outages that a listed action cures; those must have a solution, and keep
        their flows within emergency ratings, until it is taken."""
        assert self.actions is not None
        self.cured_by[at, outage] = -1
        which = np.unique(broken.case)
        if not which.size:
            return broken
        tried = try_actions(
            part, state, scenario, outage, broken, self.outages, self.actions, self.limits, self.how, only=which
        )[-1]
        self.power_flows += int(np.sum(tried.status != Status.SKIPPED))
        flow = broken.kind == 0
        rating = self.run.net.branch.rate_emergency_mva[np.where(flow, broken.element, 0)]
        emergency = np.where(flow, rating, np.inf)
        hopeless = broken.case[(emergency > 0) & (broken.value > emergency * (1 + 1e-6))]
        first = ranked(tried, self.actions)[:, 0]
        good = tried.cured[np.arange(len(which)), first] & ~np.isin(which, hopeless)
        self.cured_by[at[which[good]], outage[which[good]]] = first[good]
        return broken.take(np.flatnonzero(~np.isin(broken.case, which[good])))

    def _ease(self, todo: Array, part: Scenarios, own: Solution, scenario: Array, outage: Array) -> Array:
        """Cuts for outages without a solution, from one Newton step towards it: where that breaks flow limits most.

        Returns:
            (len(todo),) whether a scenario got such cuts.
        """
        step = outage_states(part, own, self.outages, scenario, outage, replace(self.how, one_step=True))
        size = np.abs(np.where(np.isfinite(step.v), step.v, 1.0))
        # a step that lands far from any state says nothing
        whole = (size.min(1) > _SANE[0]) & (size.max(1) < _SANE[1])
        guess = replace(step, status=np.where(whole, Status.CONVERGED, Status.DIVERGED).astype(np.int8))
        broken, _ = find_broken(guess, self.limits, self.how.threads)
        broken = broken.take(np.flatnonzero((broken.kind == 0) & (severity(broken, self.limits) < _MOST_OVER)))
        chosen = worst_few(scenario[broken.case], broken, severity(broken, self.limits), np.arange(len(broken)))
        chosen = chosen[np.argsort(broken.case[chosen], kind="stable")]
        eased = np.zeros(len(todo), bool)
        if chosen.size:
            case = broken.case[chosen]
            self._write(guess, todo[scenario], outage, case, broken.kind[chosen], broken.element[chosen])
            eased[scenario[case]] = True
        return eased

    def _note(self, at: Array, outage: Array, broken: Broken, failed: Array, state: Solution) -> None:
        """Keep what is left of scenarios that are done."""
        case = np.concatenate([broken.case, failed])
        kind = np.concatenate([broken.kind, np.full(len(failed), -1)])
        element = np.concatenate([broken.element, np.full(len(failed), -1)])
        value = np.concatenate([broken.value, state.status[failed].astype(float)])
        self.left.append((at[case], Broken(outage[case], element, kind, value), severity(broken, self.limits)))

    def _cut(
        self, todo: Array, state: Solution, scenario: Array, outage: Array, broken: Broken, over: Array, paid: Array,
        unpaid: Array,
    ) -> None:  # fmt: skip
        """New cuts where limits break, and fresh ones in place of those that bind."""
        at = todo[scenario]
        chosen = worst_few(scenario[broken.case], broken, over, np.flatnonzero(~paid))
        case, kind, element = broken.case[chosen], broken.kind[chosen], broken.element[chosen]
        # cuts that bind, in scenarios that go on, at outages of this look
        place = np.full((int(todo.max()) + 1, self.outages.n), -1, np.int64)
        place[at, outage] = np.arange(len(at))
        going = np.zeros(len(place), bool)
        going[todo[unpaid]] = True
        mine = np.flatnonzero(self.book.mu > _BINDING)
        mine = mine[self.book.scenario[mine] < len(place)]
        mine = mine[going[self.book.scenario[mine]]]
        o, k, e = self.keys.parts(self.book.key[mine])
        where = place[self.book.scenario[mine], o]
        good = where >= 0
        case, kind, element = (
            np.concatenate([p, q]) for p, q in ((case, where[good]), (kind, k[good]), (element, e[good]))
        )
        use = state.converged[case]
        case, kind, element = case[use], kind[use], element[use]
        key = self.keys.of(outage[case], kind, element)
        _, first = np.unique(at[case] * np.int64(key.max(initial=0) + 1) + key, return_index=True)
        first = first[np.argsort(case[first], kind="stable")]
        if first.size:
            self._write(state, at, outage, case[first], kind[first], element[first])

    def _write(
        self, state: Solution, at: Array, outage: Array, case: Array, kind: Array, element: Array, margin: float = _MARGIN
    ) -> None:  # fmt: skip
        """Cuts that are exact at the present states; ``margin`` keeps those of new limits off them."""
        grid, raw, limits = state.grid, self.raw, self.limits
        flow = kind == 0
        bus = np.where(flow, 0, element)
        place = np.where(flow, element, grid.node_of_bus[bus])
        found = slopes(
            self.problem, self.levers, state, limits.rate, case, np.where(flow, 0, 1), place, self.how.distributed,
            self.how.threads,
        )  # fmt: skip
        sign = np.where(kind == 2, -1.0, 1.0)
        limit = np.select([flow, kind == 2], [1.0, limits.v_min[bus]], limits.v_max[bus])
        level = sign * (found.value - limit)
        row = at[case]
        free = raw.free[row][:, self.levers.unit]
        a, b = sign[:, None] * found.a * free, sign[:, None] * found.b
        rest = (
            level - (a * raw.x[row][:, self.levers.unit]).sum(1) - (b * np.abs(raw.v[row][:, self.levers.node])).sum(1)
        )
        price = self._price(Broken(case, element, kind, level))
        key = self.keys.of(outage[case], kind, element)
        there, excess, off = self.book.known(row, key)
        # a limit whose cuts were not enough is kept off a little farther
        missed = np.clip(level - excess, 0.0, _MOST_MISS)
        off = np.where(there, off + np.where(missed > _LEAST_MISS, 0.5 * missed, 0.0), margin)
        version = self.rounds[row] % VERSIONS
        self.book = self.book.put(Book(row, key + version, rest, a, b, price, off, np.zeros(len(row)), excess, level))

    def _result(self, whole: Raw, first_cost: Array) -> SecureOperatingPoints:
        run, rows, m = self.run, self.rows, self.outages.n
        n = run.sc.n
        points = run.result(whole.without_cuts())
        label = np.full(n, SecureStatus.INFEASIBLE, np.int8)
        label[points.status == OpfStatus.FAILED] = SecureStatus.FAILED
        label[rows] = self.label

        def wide(values: Array, blank: Any) -> Array:
            out = np.full((n, m), blank, values.dtype)
            out[rows] = values
            return out

        found, rest_mva, rest_pu, rest_price = self._rest()
        hopeless = np.zeros((n, m), bool)
        left = np.unique(np.column_stack([found.scenario, found.contingency]), axis=0)
        if len(left):
            hopeless[left[:, 0], left[:, 1]] = beyond_reach(
                run,
                self.outages,
                self.limits,
                self.how.q_limits,
                self.soft_price,
                left[:, 0],
                left[:, 1],
                wide(self.lost_mw, 0.0)[left[:, 0], left[:, 1]],
            )
        rounds, cuts = np.zeros(n, np.int32), np.zeros(n, np.int32)
        rounds[rows] = self.rounds
        cuts[rows] = np.bincount(self.book.scenario, minlength=len(rows))
        first = np.full(n, np.nan)
        first[rows] = first_cost[rows]
        return SecureOperatingPoints(
            label, points, self.outages, rounds, cuts, first, wide(self.status, Status.SKIPPED), wide(self.worst, np.nan),
            wide(self.lost_mw, 0.0), wide(self.cured_by, -1), hopeless, found, rest_mva, rest_pu, rest_price,
            self.power_flows,
        )  # fmt: skip

    def _rest(self) -> tuple[Violations, Array, Array, Array]:
        """What outages still break, and by scenario its MVA, pu and price."""
        n, limits = self.run.sc.n, self.limits
        parts = []
        mva, pu = np.zeros(n), np.zeros(n)
        for at, broken, over in self.left:
            scenario = self.rows[at]
            flow, real = broken.kind == 0, broken.kind >= 0
            branch, bus = np.where(flow, broken.element, 0), np.where(real & ~flow, broken.element, 0)
            limit = np.select(
                [flow, broken.kind == 2, broken.kind == 3],
                [limits.rate[branch], limits.v_min[bus], limits.v_max[bus]],
                np.nan,
            )
            k = len(over)
            np.add.at(mva, scenario[:k], np.where(flow[:k], over * np.where(flow, limits.rate[branch], 0.0)[:k], 0.0))
            np.add.at(pu, scenario[:k], np.where(flow[:k], 0.0, over))
            kind = np.select([broken.kind == x for x in _KIND], list(_KIND.values()), r.NO_CONVERGENCE)
            nothing = np.full(len(scenario), np.nan)
            parts.append(Violations(scenario, broken.case, kind, broken.element, broken.value, nothing, limit))
        price = self.price * (mva + _VOLTAGE_PRICE * self.run.net.base_mva * pu)
        return Violations.join(parts), mva, pu, price


def _patient(run: Run) -> Run:
    return replace(run, max_iterations=_PATIENCE * run.max_iterations)
