"""Rolling dispatch: a commitment on the forecast, then a re-dispatch at every turn with what has become known.

A turn sees the steps that it settles as they are measured and what lies ahead as it is forecast then. States are those of
the latest commitment, so a turn is a linear problem. A commitment is made at the beginning, every `commit_every_h`, and when
load would go unserved that earlier turns would have served; it keeps all states within `notice_h`. What units did, their
outputs and the energy in stores go from turn to turn exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.answer import Desk, desk_of, plan_of
from aurigrid.dispatch.api import SECURITY, bound_of
from aurigrid.dispatch.follow import Standing, last_step
from aurigrid.dispatch.forecast import Forecast, horizon, issued
from aurigrid.dispatch.hourly import solve_system
from aurigrid.dispatch.pieces import head, joined
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.products import ReserveProduct
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.dispatch.secure import Losses
from aurigrid.dispatch.supplements import Elastic, elastic_parts
from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.api import ensure_valid

_SHORT_MW = 1e-3


@dataclass(frozen=True, eq=False)
class Turn:
    """One re-dispatch.

    Attributes:
        number, first: its number, and the position of the first step that it settles.
        settled: the steps that it settles, as a plan.
        plan: its whole horizon.
        committed: whether states were decided anew; `gap` is then the proven gap of that search, else 0.
        seconds: its time, building included.
        standing: what the next turn goes on from.
    """

    number: int
    first: int
    settled: Plan
    plan: Plan
    committed: bool
    gap: float
    seconds: float
    standing: Standing


@dataclass(frozen=True, eq=False)
class Rolling:
    """A rolling dispatch.

    Attributes:
        plan: what was settled, as one plan; its `bound` is its cost.
        first: (n_turn,) first step of each turn.
        committed: (n_turn,) whether it decided states anew; gap: (n_turn,) the proven gap then, else 0.
        seconds: (n_turn,) time of each turn.
    """

    plan: Plan
    first: Any
    committed: Any
    gap: Any
    seconds: Any


@dataclass(frozen=True)
class Rules:
    """How a rolling dispatch turns; see `rolling_dispatch`."""

    every_h: float = 0.25
    horizon_h: float = 24.0
    commit_every_h: float = 24.0
    notice_h: float = 1.0
    security: str = "n-1"
    gap: float = 0.005
    time_limit: float = 60.0
    losses: Losses = True
    shifters: bool = False
    limit_margin: float = 1.0

    def check(self, actual: Profiles) -> None:
        """Refuse what makes no sense, all at once."""
        issues, step_h = IssueList(), actual.step_min / 60.0
        if self.security not in SECURITY:
            issues.add("roll", "security", f"is {self.security!r}", hint="choose from " + ", ".join(SECURITY))
        for name, good, hint in (
            ("every_h", self.every_h >= step_h - 1e-9, f"give at least one step, {step_h:g} h"),
            ("horizon_h", self.horizon_h >= self.every_h, "give at least every_h"),
            ("commit_every_h", self.commit_every_h >= self.every_h, "give at least every_h"),
            ("notice_h", self.notice_h >= 0, "give 0 or more"),
            ("gap", 0 <= self.gap <= 1, "give a share from 0 to 1"),
            ("time_limit", self.time_limit > 0, "give seconds"),
            ("limit_margin", 0 < self.limit_margin <= 1, "give a share above 0, up to 1"),
        ):
            if not good:
                issues.add("roll", name, f"is {getattr(self, name)}", hint=hint)
        issues.raise_if_any()

    def steps(self, hours: float, actual: Profiles) -> int:
        """Hours as steps, at least one."""
        return max(round(hours * 60.0 / actual.step_min), 1)


def rolling_dispatch(
    net: Network,
    forecast: Forecast,
    actual: Profiles,
    *,
    every_h: float = 0.25,
    horizon_h: float = 24.0,
    commit_every_h: float = 24.0,
    notice_h: float = 1.0,
    security: str = "n-1",
    gap: float = 0.005,
    time_limit: float = 60.0,
    losses: Losses = True,
    shifters: bool = False,
    limit_margin: float = 1.0,
    reserves: Sequence[ReserveProduct] = (),
    elastic: Elastic | None = None,
    co2_price: float = 0.0,
    unserved_price: float = 10_000.0,
    spill_price: float = 1_000.0,
    limit_price: float = 2_000.0,
    progress: Callable[[int, int], None] | None = None,
) -> Rolling:
    """Commit on the forecast, then dispatch again and again as forecasts change.

    Args:
        net: the network, as for `dispatch`.
        forecast: what is expected: one series; a function from a time of issue to `Profiles` that begin no later
            (`aurigrid.dispatch.forecast.blended` makes one); or a mapping from times of issue. It may reach beyond `actual`.
        actual: what happens; its steps are the ones that are settled.
        every_h: time from one re-dispatch to the next, h; each settles as much.
        horizon_h: how far each one looks ahead, h.
        commit_every_h: time from one commitment of states to the next, h; it looks `horizon_h` further, so that every re-dispatch
            finds its states.
        notice_h: states within this time of a commitment stay as they were, h.
        security, gap, time_limit, losses, shifters, limit_margin, reserves, elastic, co2_price, unserved_price, spill_price,
        limit_price: as for `dispatch`; gap and time limit are those of each commitment.
        progress: called with the number of settled steps and of all.

    Returns:
        What was settled as one plan, and how the turns went.

    Raises:
        InputError: an invalid network, options or names that do not fit, a forecast that does not fit the measurements.
        MissingExtraError: highspy is not installed.
    """
    rules = Rules(
        every_h, horizon_h, commit_every_h, notice_h, security, gap, time_limit, losses, shifters, limit_margin
    )
    prices = {
        "co2_price": co2_price, "unserved_price": unserved_price, "spill_price": spill_price, "limit_price": limit_price,
    }  # fmt: skip
    done = []
    for turn in turns(net, forecast, actual, rules, reserves=reserves, elastic=elastic, prices=prices):
        done.append(turn)
        if progress is not None:
            progress(turn.first + turn.settled.n_steps, len(actual))
    return Rolling(
        joined([t.settled for t in done]), np.array([t.first for t in done]), np.array([t.committed for t in done]),
        np.array([t.gap for t in done]), np.array([t.seconds for t in done]),
    )  # fmt: skip


def turns(
    net: Network,
    forecast: Forecast,
    actual: Profiles,
    rules: Rules,
    *,
    reserves: Sequence[ReserveProduct] = (),
    elastic: Elastic | None = None,
    prices: dict[str, float] | None = None,
    number: int = 0,
    standing: Standing | None = None,
) -> Iterator[Turn]:
    """The turns one by one, from turn `number` on, which goes on from `standing`."""
    ensure_valid(net)
    rules.check(actual)
    actual.require_fits(net)
    desk = desk_of(net, rules.security, rules.limit_margin)
    stride, commit = (rules.steps(h, actual) for h in (rules.every_h, rules.commit_every_h))
    given = {
        **(prices or {}), "reserves": reserves, "shiftable": np.zeros(net.n_load), "budget_mwh": np.full(net.n_gen, np.nan),
        "elastic": elastic_parts(net, elastic, np.zeros(net.n_load)), "shifters": rules.shifters and desk.flows is not None,
    }  # fmt: skip
    for k, first in enumerate(range(number * stride, len(actual), stride), number):
        began = time.perf_counter()
        expected = issued(forecast, actual.time[first])
        expected.require_fits(net)
        due = first % commit < stride
        ahead = rules.steps(rules.horizon_h, actual) + (commit if due else 0)
        seen = horizon(actual, expected, first, stride, ahead)
        plan = None if due or standing is None else _redispatched(desk, seen, standing, rules, given)
        committed = plan is None
        if plan is None:
            plan = _committed(desk, seen, standing, rules, given)
        now = Standing.of(plan)
        standing = now if committed or standing is None else now.reaching(standing)
        n = min(stride, len(actual) - first)
        seconds = time.perf_counter() - began
        yield Turn(k, first, head(plan, n), plan, committed, plan.gap if committed else 0.0, seconds, standing)


def _redispatched(desk: Desk, seen: Profiles, standing: Standing, rules: Rules, given: dict[str, Any]) -> Plan | None:
    """The dispatch at the states at hand; None where there are none, or where they leave load unserved that was served before."""
    at = last_step(standing, seen.time, desk.net, IssueList())
    if at == standing.n_steps - 1:
        return None
    seen = seen.window(0, min(len(seen), standing.n_steps - at - 1))
    bound = bound_of(desk, seen, standing, np.inf, **given)
    known, loss, basis = standing.later(at, len(seen))
    done = solve_states(bound.system, desk.flows, losses=rules.losses, known=known, loss_mw=loss, basis=basis)
    plan = plan_of(desk, seen, bound, done)
    short = plan.unserved_mw.sum(1) + plan.reserve_short_mw.sum(1)
    before = standing.short_mw[at + 1 : at + 1 + len(seen)]
    notice = round(rules.notice_h / plan.step_h)
    return None if (short - before)[notice:].max(initial=0.0) > _SHORT_MW else plan


def _committed(desk: Desk, seen: Profiles, standing: Standing | None, rules: Rules, given: dict[str, Any]) -> Plan:
    bound = bound_of(desk, seen, standing, rules.notice_h, **given)
    done = solve_system(bound.system, desk.flows, gap=rules.gap, time_limit=rules.time_limit, losses=rules.losses)
    return plan_of(desk, seen, bound, done)
