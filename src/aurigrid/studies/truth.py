"""AC truth: a plan's steps as AC operating points, and what they teach the plan, until both agree.

Each round solves every step as an AC optimal power flow that moves the plan's outputs as little as it can (squared MW) and keeps
every limit of the intact grid where that is possible. What it finds goes back into the plan's linear problem: losses are those of
the AC flows, and limits are corrected (`aurigrid.studies.lessons`). An outer approximation by supporting hyperplanes, with linear
flows corrected at the latest point. After the first round states are improved as well, by the prices of that problem: what AC
takes away may need other plants. Where outages count, the points that come of it are secured against them
(`aurigrid.studies.securing`). Steps on which plan and AC do not come together are told with what stands in the way.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from aurigrid.dispatch.answer import Desk, plan_of, with_outputs
from aurigrid.dispatch.flows import BASE, Flows
from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.highs import DispatchError
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.refine import refine
from aurigrid.model.base import on_base
from aurigrid.model.profiles import Profiles
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.studies.conditions import (
    BASE_MVA,
    CHANGE_WEIGHT,
    Batch,
    Conditions,
    storage_as_load,
    tightened,
)
from aurigrid.studies.lessons import Lessons, learn, more_after, solve_within
from aurigrid.studies.points import Points, operating_points
from aurigrid.studies.securing import Secured, breaches, secured

AGREED_SHARE = 0.002
"""Share of a step's load that AC may move of a plan with which it agrees."""

_ROUNDS = 9
_SWITCHED_AFTER = 1
"""Round after which states are improved."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A plan and its AC points.

    Attributes:
        plan: the plan of the last round.
        conditions, points: its operating points.
        moved_mw: (T, n_gen) what AC moves of it.
        agreed: (T,) whether AC moves no more than `AGREED_SHARE` of the load and every limit of the intact grid holds.
        rounds: rounds that were made.
        switched: units and steps whose state is another than the plan began with.
        outage_rows: limits after outages that are rows of the plan.
        secured: how the points were secured against outages; None where outages are no limits.
        seconds: wall time by part.
    """

    plan: Plan
    conditions: Conditions
    points: Points
    moved_mw: Array
    agreed: Array
    rounds: int
    switched: int
    outage_rows: int
    secured: Secured | None
    seconds: dict[str, float]


def shift_mw(moved: Array) -> Array:
    """(T,) half the sum of all moves (T, n_gen), MW: what goes from some units to others; inf where there is no point."""
    return np.asarray(np.nan_to_num(0.5 * np.abs(moved).sum(1), nan=np.inf))


def conditions_of_plan(plan: Plan, margin: float) -> Conditions:
    """The plan's network made ready: outputs within what each unit may give, as near to the plan as can be."""
    net, bound = plan.net, plan.rows
    gen, inj = net.gen, bound.system.injections
    low, high = np.zeros(net.n_gen), np.zeros(net.n_gen)
    mine = bound.injection >= 0
    np.add.at(low, bound.injection[mine], inj.low_mw[mine].min(1, initial=0.0))
    np.add.at(high, bound.injection[mine], inj.high_mw[mine].max(1, initial=0.0))
    low[bound.unit], high[bound.unit] = bound.system.units.p_min_mw, bound.system.units.p_max_mw
    low[gen.is_reference & ~plan.gen_on.all(0)] = 0.0
    free_q = ~gen.regulates & ~(np.isfinite(gen.q_min_mvar) & np.isfinite(gen.q_max_mvar))
    ready = gen.replace(
        p_min_mw=low,
        p_max_mw=high,
        q_min_mvar=np.where(free_q, gen.q_mvar, gen.q_min_mvar),
        q_max_mvar=np.where(free_q, gen.q_mvar, gen.q_max_mvar),
    )
    solved = on_base(storage_as_load(net.replace(gen=ready)), BASE_MVA)
    return Conditions(
        net, solved, tightened(solved, margin) if margin > 0 else None, plan.defaults, {"change": CHANGE_WEIGHT},
        plan.weather & gen.in_service, plan.weather & gen.in_service,
    )  # fmt: skip


def batch_of_plan(conditions: Conditions, plan: Plan) -> Batch:
    """The plan's steps as conditions: its loads, storage, links and states; outputs start from it."""
    bound, given = plan.rows, plan.scenarios()
    high = np.where(plan.gen_on > 0, conditions.solved.gen.p_max_mw, 0.0)
    mine = bound.injection >= 0
    high[:, bound.injection[mine]] = 0.0
    np.add.at(high.T, bound.injection[mine], bound.system.injections.high_mw[mine])
    loads = {
        name: np.concatenate([given.values(f"load_{name}"), -given.values(f"storage_{name}")], axis=1)
        for name in ("p_mw", "q_mvar")
    }
    scenarios = Scenarios(
        conditions.solved, n=given.n, load_p_mw=loads["p_mw"], load_q_mvar=loads["q_mvar"], gen_p_mw=plan.gen_p_mw,
        hvdc_p_mw=given.hvdc_p_mw, gen_out=given.gen_out, label=given.label,
    )  # fmt: skip
    return Batch(given, scenarios, high, plan.gen_p_mw)


def agree(
    desk: Desk,
    day: Profiles,
    bound: Bound,
    plan: Plan,
    *,
    margin: float = 0.02,
    outages: bool = False,
    rounds: int = _ROUNDS,
    seconds: float = np.inf,
    state_seconds: float = 0.0,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Truth:
    """Bring a plan and its AC points together.

    Args:
        desk: the plan's network, with flows.
        day: the plan's profiles.
        bound: its system, all states given.
        plan: what it starts from.
        margin: share of ratings and reactive ranges that points leave free where they can.
        outages: whether outages are limits: the plan keeps those after branch outages in linear flows, and its points are secured
            against every branch outage in AC once the rounds are over.
        rounds: most rounds.
        seconds: time after which no further round is begun.
        state_seconds: time for other states after the first round, where what AC taught makes them cheaper; none where 0.
        threads: for power flows.
        progress: told what is done.
    """
    if desk.flows is None or len(bound.system.shifters):
        raise DispatchError(
            "a plan without flow limits, or whose phase shifters turn, cannot be brought together with AC"
        )
    lessons = _no_lessons(desk.flows, plan, margin, outages)
    going = _Approach(desk, desk.flows, day, bound, plan, lessons, margin, threads)
    done, began, say = 0, time.perf_counter(), progress or (lambda text: None)
    for last in [False] * (rounds - 1) + [True]:
        going.solve_points()
        done += 1
        say(f"round {done}: plan and AC agree in {int(going.agreed.sum())} of {len(going.agreed)} steps")
        if going.agreed.all() or last or time.perf_counter() - began > seconds:
            break
        going.learn()
        if state_seconds > 0 and done == _SWITCHED_AFTER:
            going.switch(state_seconds)
    found = going.secure(say) if outages else None
    return going.truth(done, int((going.plan.gen_on != plan.gen_on).sum()), found)


def _no_lessons(flows: Flows, plan: Plan, margin: float, outages: bool) -> Lessons:
    rate = np.repeat(flows.rate_mw[:, None], plan.n_steps, 1)
    return Lessons(rate, rate.copy(), plan.secured.loss_mw, more_after(flows, margin) if outages else None)


@dataclass(eq=False)
class _Approach:
    """A plan, its points and what they have taught so far; `clock` has the seconds of each part."""

    desk: Desk
    flows: Flows
    day: Profiles
    bound: Bound
    plan: Plan
    lessons: Lessons
    margin: float
    threads: int | None
    conditions: Conditions = field(init=False)
    points: Points = field(init=False)
    moved: Array = field(init=False)
    agreed: Array = field(init=False)
    clock: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("dispatch", "points", "states", "outages"), 0.0)
    )

    def __post_init__(self) -> None:
        self.conditions = conditions_of_plan(self.plan, self.margin)

    def solve_points(self) -> None:
        """Solve the plan's steps in AC."""
        begun, plan = time.perf_counter(), self.plan
        self._compare(operating_points(self.conditions, batch_of_plan(self.conditions, plan), threads=self.threads))
        self.clock["points"] += time.perf_counter() - begun

    def _compare(self, points: Points) -> None:
        self.points, plan = points, self.plan
        self.moved = np.where(np.isnan(points.p_mw), np.nan, points.p_mw - plan.gen_p_mw)
        near = shift_mw(self.moved) <= AGREED_SHARE * plan.load_p_mw.sum(1)
        self.agreed = near & (points.label <= 1)

    def secure(self, say: Callable[[str], None]) -> Secured:
        """Secure the points against outages."""
        begun = time.perf_counter()
        found = secured(self.conditions, self.points, threads=self.threads, told=say)
        self._compare(found.points)
        self.clock["outages"] += time.perf_counter() - begun
        broken = breaches(found.report, self.plan.net)
        left = len(np.unique(found.report.found.scenario[broken]))
        say(f"{len(broken)} ratings stay broken after outages, in {left} of {len(self.agreed)} steps")
        return found

    def learn(self) -> None:
        """Take in what the points say, and plan again."""
        learn(self.lessons, self.flows, self.plan, self.points, self.agreed, self.margin)
        self.replan()

    def replan(self) -> None:
        """Outputs anew inside what AC has taught."""
        begun = time.perf_counter()
        self.plan = self._within(self.bound)
        self.clock["dispatch"] += time.perf_counter() - begun

    def switch(self, seconds: float) -> None:
        """Other states, where they make the plan cheaper inside what AC has taught."""
        begun, system = time.perf_counter(), self.bound.system
        states = refine(system, None, self.plan.secured, target=-np.inf, until=begun + seconds)
        bound = dataclasses.replace(self.bound, system=system.replace(fixed_on=states))
        other = self._within(bound)
        if other.secured.answer.cost < self.plan.secured.answer.cost:
            self.bound, self.plan = bound, other
            self.conditions = conditions_of_plan(other, self.margin)
        self.clock["states"] += time.perf_counter() - begun

    def _within(self, bound: Bound) -> Plan:
        outages, limits = self.lessons.more_after is not None, self.plan.secured.limits
        known = [key for key in limits.key if key[3] < 2 and (key[1] == BASE or (outages and key[1] >= 0))]
        return with_outputs(
            self.plan, self.desk, self.day, bound, solve_within(bound.system, self.flows, self.lessons, known)
        )

    def truth(self, rounds: int, switched: int, found: Secured | None) -> Truth:
        """What came of it, the plan with the prices and causes of its last problem."""
        begun = time.perf_counter()
        plan = plan_of(self.desk, self.day, self.bound, self.plan.secured)
        self.clock["dispatch"] += time.perf_counter() - begun
        limits = sum(key[1] >= 0 for key in plan.secured.limits.key)
        return Truth(
            plan, self.conditions, self.points, self.moved, self.agreed, rounds, switched, limits, found, self.clock
        )  # fmt: skip
