"""`remedial_actions`: every listed action tried after every outage that breaks limits, in batch and in exact AC."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import check_options, solve_cases
from aurigrid.powerflow.cases import OUTAGE_TABLES, Cases, Pairs
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.secure.actions import ActionSet, Given
from aurigrid.secure.check import Broken, Limits, find_broken, outage_states, pairs_at_once, severity
from aurigrid.security.contingencies import Contingencies, Explicit
from aurigrid.security.contingencies import contingencies as build_contingencies

if TYPE_CHECKING:
    import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]

BASE_STATE = -1
_LOST_MW = 1e-6


@dataclass(frozen=True, eq=False)
class Tried:
    """Actions after k states that break limits; arrays (k, n_action) unless said otherwise.

    Attributes:
        status: int8 `Status` of the power flow, SKIPPED where the units lack the room for the action.
        cured: all limits hold, and the action cuts no load off.
        left: broken limits that remain, new ones among them; new: those that held before the action.
        worst: largest excess that remains, as a share of the rating or pu; inf without a solution.
        cut_off_mw: load that the action cuts off.
    """

    status: Array
    cured: Array
    left: Array
    new: Array
    worst: Array
    cut_off_mw: Array


@dataclass(frozen=True, eq=False)
class RemedialReport:
    """What listed actions do after outages that break limits.

    Attributes:
        net, contingencies, actions: what was asked.
        scenario, contingency: (k,) the states that break limits; contingency -1 is the state before any outage.
        before: (k,) broken limits without an action; before_worst: (k,) largest excess, as `Tried.worst`.
        tried: outcome of each action after each state.
        rank: (k, n_action) actions from best to worst: those that cure first, then by what remains, cost and size.
        power_flows: exact power flows that were solved.
    """

    net: Network
    contingencies: Contingencies
    actions: ActionSet
    scenario: Array
    contingency: Array
    before: Array
    before_worst: Array
    tried: Tried
    rank: Array
    power_flows: int

    def __len__(self) -> int:
        return len(self.scenario)

    @property
    def best(self) -> Array:
        """(k,) first action of the rank where it cures or at least lowers the worst excess and breaks nothing new, else -1."""
        if not len(self.actions) or not len(self):
            return np.full(len(self), -1)
        first, k = self.rank[:, 0], np.arange(len(self))
        t = self.tried
        helps = t.cured[k, first] | ((t.worst[k, first] < self.before_worst) & (t.new[k, first] == 0))
        helps &= t.cut_off_mw[k, first] <= _LOST_MW
        return np.where(helps, first, -1)

    @property
    def cured(self) -> Array:
        """(k,) whether some action keeps all limits."""
        return np.asarray(self.tried.cured.any(1))

    def table(self) -> pa.Table:
        """One row an action tried: scenario, contingency, label, action, rank (1 is best), status, cured, broken limits before
        and after, new ones, worst excess before and after, load cut off (MW), cost, size."""
        import pyarrow as pa

        k, a = len(self), len(self.actions)
        place = np.empty((k, a), np.int32)
        np.put_along_axis(place, self.rank, np.broadcast_to(np.arange(1, a + 1, dtype=np.int32), (k, a)), 1)
        labels = np.array(["", *self.contingencies.label.tolist()], dtype=object)
        acts, t = self.actions.actions, self.tried
        names = np.array([Status(s).name.lower() for s in sorted(map(int, Status))], dtype=object)
        known = np.array(sorted(map(int, Status)))
        return pa.table({
            "scenario": np.repeat(self.scenario, a), "contingency": np.repeat(self.contingency, a),
            "contingency_label": np.repeat(labels[self.contingency + 1], a).tolist(), "action": [x.label for x in acts] * k,
            "rank": place.ravel(), "status": names[np.searchsorted(known, t.status.ravel())].tolist(), "cured": t.cured.ravel(),
            "broken_before": np.repeat(self.before, a), "broken_after": t.left.ravel(), "broken_new": t.new.ravel(),
            "worst_before": np.repeat(self.before_worst, a), "worst_after": t.worst.ravel(),
            "cut_off_mw": t.cut_off_mw.ravel(), "cost": [x.cost for x in acts] * k, "size": [x.size for x in acts] * k,
        }).sort_by([("scenario", "ascending"), ("contingency", "ascending"), ("rank", "ascending")])  # fmt: skip

    def __repr__(self) -> str:
        return f"RemedialReport({len(self)} states that break limits x {len(self.actions)} actions: {self.cured.sum()} cured)"


def remedial_actions(
    net: Network,
    scenarios: Scenarios | None = None,
    contingencies: str | PathLike[str] | Explicit | Contingencies = "n-1",
    *,
    actions: Given,
    rating: Literal["long", "short"] = "long",
    short_factor: float = 1.0,
    v_margin_pu: float = 0.0,
    q_limits: bool = True,
    slack: Literal["reference", "distributed"] = "distributed",
    threads: int | None = None,
) -> RemedialReport:
    """Try every listed action after every outage that breaks limits, in exact AC, and rank them.

    Args:
        net, scenarios, contingencies: as for `security_analysis`; the states before outages are looked at too.
        actions: a JSON file or objects, see `aurigrid.secure.actions.read_actions`.
        rating: ``"long"``: flows must come within ``rate_mva``; ``"short"``: within the short-term rating.
        short_factor, v_margin_pu: as for `secure_operating_points`.
        q_limits, slack, threads: as for `power_flow`.

    Returns:
        States that break limits, and what becomes of each by each action.

    Raises:
        InputError: as `security_analysis`, and actions that cannot be read or made.
    """
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    check_options(net, sc, "newton", 1e-8, 20, slack, threads)
    issues = IssueList()
    if rating not in ("long", "short"):
        issues.add("remedial_actions", "rating", f"is {rating!r}", hint="choose long or short")
    if not (short_factor > 0 and np.isfinite(short_factor)):
        issues.add(
            "remedial_actions", "short_factor", f"is {short_factor}", hint="give a positive multiple of rate_mva"
        )
    if not 0 <= v_margin_pu < 1:
        issues.add("remedial_actions", "v_margin_pu", f"is {v_margin_pu}", hint="give a margin from 0 to 1 pu")
    issues.raise_if_any()
    outages = build_contingencies(net, contingencies)
    chosen = ActionSet.of(net, actions)
    how = Settings(q_limits=q_limits, distributed=slack == "distributed", threads=threads)
    short = Limits.of(net, short_factor, v_margin_pu)
    rate = net.branch.rate_mva
    limits = short if rating == "short" else Limits(np.where(rate > 0, rate, np.inf), short.v_min, short.v_max)
    return _search(sc, outages, chosen, limits, how)


def _search(
    sc: Scenarios, outages: Contingencies, actions: ActionSet, limits: Limits, how: Settings
) -> RemedialReport:  # fmt: skip
    net = sc.net
    size = max(1, pairs_at_once(net) // max(1, outages.n))
    parts: list[tuple[Array, Array, Array, Array, Tried]] = []
    flows = 0
    for first in range(0, sc.n, size):
        part = sc[first : min(first + size, sc.n)]
        base = solve_cases(net, Cases.of(part), "newton", how)
        scenario, outage = (x.ravel() for x in np.indices((part.n, outages.n)))
        state = outage_states(part, base, outages, scenario, outage, how)
        flows += part.n + state.n
        for where, s, k in ((base, np.arange(part.n), np.full(part.n, BASE_STATE)), (state, scenario, outage)):
            broken, _ = find_broken(where, limits, how.threads)
            found = try_actions(part, where, s, k, broken, outages, actions, limits, how)
            flows += found[-1].status.size
            parts.append((found[0] + first, found[1], found[2], found[3], found[4]))
    scenario, outage = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    before, worst = np.concatenate([p[2] for p in parts]), np.concatenate([p[3] for p in parts])
    tried = Tried(*(np.concatenate([getattr(p[4], n) for p in parts]) for n in Tried.__dataclass_fields__))
    order = np.lexsort((outage, scenario))
    tried = Tried(*(getattr(tried, n)[order] for n in Tried.__dataclass_fields__))
    rank = ranked(tried, actions)
    return RemedialReport(
        net, outages, actions, scenario[order], outage[order], before[order], worst[order], tried, rank, flows
    )  # fmt: skip


def ranked(tried: Tried, actions: ActionSet) -> Array:
    """(k, n_action) actions from best to worst."""
    k = len(tried.cured)
    cost = np.broadcast_to([a.cost for a in actions.actions], (k, len(actions)))
    size = np.broadcast_to([a.size for a in actions.actions], (k, len(actions)))
    rank: Array = np.lexsort(
        (size, cost, np.round(tried.worst, 9), tried.new, tried.cut_off_mw > _LOST_MW, ~tried.cured), axis=1
    )
    return rank


def try_actions(
    sc: Scenarios, state: Solution, scenario: Array, outage: Array, broken: Broken, outages: Contingencies, actions: ActionSet,
    limits: Limits, how: Settings, only: Array | None = None,
) -> tuple[Array, Array, Array, Array, Tried]:  # fmt: skip
    """Try all actions after the states that break limits or have no solution.

    Args:
        state: exact power flows of the pairs (scenario, outage), outage -1 for none; broken: what they break.
        only: the states to look at, where not all of those.

    Returns:
        scenario, outage, broken limits and worst excess (k,) of those states, and the outcomes.
    """
    bad = ~state.converged
    bad[broken.case] = True
    which = np.flatnonzero(bad) if only is None else only
    count = np.bincount(broken.case, minlength=state.n)[which]
    over = np.zeros(state.n)
    np.maximum.at(over, broken.case, severity(broken, limits))
    over[~state.converged] = np.inf
    parts = []
    step = max(1, pairs_at_once(sc.net) // max(1, len(actions)))
    for first in range(0, len(which), step):
        some = which[first : first + step]
        parts.append(_tried(sc, state, scenario, outage, some, broken, outages, actions, limits, how))
    none = np.zeros((0, len(actions)))
    if not parts:
        parts = [
            Tried(none.astype(np.int8), none.astype(bool), none.astype(np.int64), none.astype(np.int64), none, none)
        ]
    tried = Tried(*(np.concatenate([getattr(p, n) for p in parts]) for n in Tried.__dataclass_fields__))
    return scenario[which], outage[which], count, over[which], tried


def _tried(
    sc: Scenarios, state: Solution, scenario: Array, outage: Array, some: Array, broken: Broken, outages: Contingencies,
    actions: ActionSet, limits: Limits, how: Settings,
) -> Tried:  # fmt: skip
    k, a = len(some), len(actions)
    rows = np.unique(scenario[some])
    part = sc.take(rows)
    place = np.searchsorted(rows, scenario[some])
    cases = _cases(part, place, outage[some], outages, actions)
    grid = compile_grid(actions.net, single_reference=how.distributed)
    flat = np.ones(state.v.shape[1], complex)
    start = Start.at(grid, np.where(np.isfinite(state.v[some]), state.v[some], flat))
    possible = actions.possible(part)[place]
    do = np.flatnonzero(possible.ravel())
    status, worst = np.full(k * a, Status.SKIPPED, np.int8), np.full(k * a, np.inf)
    left, new, cut_off = np.zeros(k * a, np.int64), np.zeros(k * a, np.int64), np.zeros(k * a)
    if do.size:
        done = solve_cases(
            actions.net, cases.take(do), "newton", how, start, np.repeat(np.arange(k, dtype=np.int32), a)[do]
        )
        status[do] = done.status
        wide = Limits(limits.rate[actions.original], limits.v_min, limits.v_max)
        after, _ = find_broken(done, wide, how.threads)
        over = severity(after, wide)
        case = do[after.case]
        worst[do[done.converged]] = 0.0
        np.maximum.at(worst, case, over)
        np.add.at(left, case, 1)
        flow = after.kind == 0
        element = np.where(flow, actions.original[np.where(flow, after.element, 0)], after.element)
        size = np.int64(max(sc.net.n_branch, sc.net.n_bus) + 1)
        where = np.full(state.n, -1)
        where[some] = np.arange(k)
        old = (where[broken.case] * 4 + broken.kind) * size + broken.element
        held = ~np.isin((case // a * 4 + after.kind) * size + element, old)
        # after a state without a solution nothing is known to have held
        held &= state.converged[some][case // a]
        np.add.at(new, case[held], 1)
        lost = np.where(np.isfinite(done.lost_load_mw), done.lost_load_mw, 0.0)
        before = np.where(state.converged[some], state.lost_load_mw[some], 0.0)
        cut_off[do] = np.maximum(lost - before[do // a], 0.0)
    good = np.isin(status, (Status.CONVERGED, Status.ISLANDED))
    cured = good & (left == 0) & (cut_off <= _LOST_MW)
    return Tried(*(x.reshape(k, a) for x in (status, cured, left, new, worst, cut_off)))


def _cases(part: Scenarios, place: Array, outage: Array, outages: Contingencies, actions: ActionSet) -> Cases:
    """Pairs (state, action), state by state: the scenario's own outages, the contingency's, and the action's."""
    k, a, n = len(place), len(actions), part.n
    tables = actions.rows(part)
    row = (actions.variant[None, :] * n + place[:, None]).astype(np.int32).ravel()
    out: dict[str, Pairs] = {}
    for table in OUTAGE_TABLES:
        size = max(len(getattr(actions.net, table)), 1)
        own, listed = getattr(part, f"{table}_out"), outages.rows[table]
        known = outage >= 0
        of_list = listed.take(np.where(known, outage, 0)) if outages.n else listed
        mine = np.repeat(np.arange(k), np.diff(own.take(place).ptr)), own.take(place).idx
        theirs = (
            (np.repeat(np.arange(k), np.diff(of_list.ptr)), of_list.idx) if outages.n else (mine[0][:0], mine[1][:0])
        )
        keep = known[theirs[0]]
        gone = theirs[0][keep].astype(np.int64) * size + theirs[1][keep]
        pairs = [mine[0].astype(np.int64) * size + mine[1]]
        key = np.concatenate([_spread(pairs[0], a, size), _spread(gone, a, size)])
        if table == "branch":
            key = _with_actions(key, gone, k, a, size, actions)
        key = np.unique(key)
        if len(key):
            out[table] = Pairs((key // size).astype(np.int32), (key % size).astype(np.int32))
    return Cases(tables, row, out)


def _spread(key: Array, a: int, size: int) -> Array:
    """Keys ``state * size + element`` as keys of every case ``state * a + action``."""
    state, element = np.divmod(key, size)
    case = (state[:, None] * a + np.arange(a)[None]).ravel()
    spread: Array = case * size + np.repeat(element, a)
    return spread


def _with_actions(key: Array, gone: Array, k: int, a: int, size: int, actions: ActionSet) -> Array:
    """Branch outages of the cases: hidden ones and what actions open; without what they close, unless the contingency took it."""
    every = np.arange(k * a, dtype=np.int64)
    hidden = (every[:, None] * size + actions.hidden[None]).ravel()
    first = np.arange(k, dtype=np.int64) * a
    opened = [(first + x) * size + b for x, bs in enumerate(actions.out) for b in bs]
    closed = [(first + x) * size + b for x, bs in enumerate(actions.back) for b in bs]
    key = np.concatenate([key, hidden, *opened])
    if closed:
        key = key[~np.isin(key, np.setdiff1d(np.concatenate(closed), _spread(gone, a, size)))]
    # a copy at another tap position goes with its original
    copies = actions.hidden[actions.hidden >= len(np.unique(actions.original))]
    if len(copies) and len(gone):
        lost = _spread(gone, a, size)
        case, element = np.divmod(lost, size)
        for c in copies.tolist():
            key = np.concatenate([key, case[element == actions.original[c]] * size + c])
    return key
