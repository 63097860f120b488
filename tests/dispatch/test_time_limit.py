"""A time limit holds for the whole of a commitment: what is cut leaves a plan and a bound that is true."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.dispatch import hourly, secure
from aurigrid.dispatch.answer import desk_of
from aurigrid.dispatch.api import bound_of
from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.highs import Answer
from aurigrid.dispatch.lagrange import Lagrangian
from aurigrid.dispatch.lean import LeanRun
from aurigrid.dispatch.merge import Merged, merge
from aurigrid.dispatch.model import build_model
from aurigrid.dispatch.search import search
from aurigrid.dispatch.separate import structure_of

from .grids import hours, triangle
from .test_bounds import quarters

PAST = 0.0
"""A `time.perf_counter` that is over."""


def system_of(net: Any, profiles: Any) -> tuple[Any, Any]:
    desk = desk_of(net, "n-1")
    given: dict[str, Any] = {"shiftable": np.zeros(net.n_load), "budget_mwh": np.full(net.n_gen, np.nan)}
    return desk, bound_of(desk, profiles, **given).system


def cut_after(monkeypatch: pytest.MonkeyPatch, solves: int) -> list[LeanRun]:
    """The solver's time ends within the solve of that number, and with it the run's."""
    solve, seen = LeanRun.solve, list[LeanRun]()

    def limited(run: LeanRun) -> Answer:
        seen.append(run)
        if len(seen) <= solves:
            return solve(run)
        run.until = PAST
        return Answer(None, np.inf, -np.inf, "Time limit reached", None, None, 0.0)

    monkeypatch.setattr(LeanRun, "solve", limited)
    return seen


@pytest.mark.parametrize("by_hour", [False, True])
@pytest.mark.parametrize("losses", [False, True])
def test_without_time_there_is_a_plan_all_the_same(
    by_hour: bool, losses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = triangle(45.0)
    best = ag.dispatch(net, quarters(), losses=losses, gap=1e-6, time_limit=20.0)
    if by_hour:
        monkeypatch.setattr(hourly, "_MANY", 1)
    began = time.perf_counter()
    plan = ag.dispatch(net, quarters(), losses=losses, gap=1e-6, time_limit=1e-6)
    assert time.perf_counter() - began < 10.0
    assert not plan.secured.unsettled
    assert best.bound * (1 - 1e-3) <= plan.cost
    assert plan.bound <= best.cost * (1 + 1e-3)
    supply = plan.gen_p_mw.sum(1) + plan.unserved_mw.sum(1) - plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, plan.load_p_mw.sum(1) + plan.loss_mw, atol=0.1)
    if by_hour:
        # prices of the dispatch alone bound it
        assert np.isfinite(plan.bound)
        assert plan.secured.seconds.keys() <= {"relaxation", "commitment", "dispatch", "bound"}


@pytest.mark.parametrize("by_hour", [False, True])
def test_relaxations_get_their_share_of_the_time(by_hour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given, relax = list[float](), secure.relaxation

    def noted(*args: Any, until: float, **rest: Any) -> Any:
        given.append(until - time.perf_counter())
        return relax(*args, until=until, **rest)

    for module in (hourly, secure):
        monkeypatch.setattr(module, "relaxation", noted)
    if by_hour:
        monkeypatch.setattr(hourly, "_MANY", 1)
    plan = ag.dispatch(triangle(45.0), quarters(), time_limit=8.0)
    assert len(given) == 1 + by_hour
    assert max(given) <= 4.0
    assert sum(plan.secured.seconds.values()) < 9.0


@pytest.mark.parametrize("solves", [0, 1, 2, 3])
def test_a_relaxation_that_is_cut_bounds_the_whole_one(solves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, system = system_of(triangle(45.0), hours())
    whole = secure.relaxation(merge(system), desk.flows, losses=True)
    assert len(whole.limits.key)
    cut_after(monkeypatch, solves)
    cut = secure.relaxation(merge(system), desk.flows, losses=True, until=time.perf_counter() + 60.0)
    if not solves:
        assert cut.answer.x is None
        return
    # losses come from other flows where limits are missing
    assert cut.answer.bound <= whole.answer.bound * (1 + 1e-3)
    assert set(cut.limits.key) <= set(whole.limits.key)
    assert cut.loss_mw.sum() > 0
    assert len(cut.limits.row) == cut.model.problem.m - build_model(merge(system).system).problem.m
    problem = cut.model.problem
    assert problem.row_lower[cut.model.balance_row].sum() == pytest.approx(system.demand_mw.sum() + cut.loss_mw.sum())


def test_prices_bound_the_problem_with_losses_too() -> None:
    desk, system = system_of(triangle(45.0), hours())
    plain = secure.relaxation(merge(system), desk.flows, losses=False)
    more = system.demand_mw * 1.1
    moved = secure.at_demand(plain.model, plain.limits, more)
    bound = secure._moved(plain.answer, plain.model.problem, moved.problem).bound
    run = LeanRun(moved.problem, secure.dormant(moved))
    exact = run.solve().cost
    assert plain.answer.cost < bound <= exact * (1 + 1e-9)
    assert bound > 0.8 * exact


def test_a_run_goes_back_to_the_last_problem_that_was_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, system = system_of(triangle(45.0), hours())
    model = build_model(merge(system).system)
    free = LeanRun(model.problem, secure.dormant(model))
    first = free.solve()
    run = LeanRun(model.problem, secure.dormant(model), time.perf_counter() + 60.0)
    with monkeypatch.context() as patch:
        cut_after(patch, 1)
        same, limits, answer, broken = secure.lazily(model, Limits(), desk.flows, run)
    assert broken
    assert not limits.key
    assert same.problem.m == run.problem.m == model.problem.m
    assert answer.cost == pytest.approx(first.cost, rel=1e-12)
    # it goes on from there as if nothing had been
    run.until = np.inf
    end, _, later, left = secure.lazily(same, limits, desk.flows, run)
    whole = secure.lazily(model, Limits(), desk.flows, free)
    assert not left
    assert later.cost == pytest.approx(whole[2].cost, rel=1e-9)
    assert end.problem.m == whole[0].problem.m


def test_longer_blocks_change_no_relaxation(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, system = system_of(triangle(45.0), quarters())
    given, relax = list[int](), secure.relaxation

    def noted(merged: Merged, *args: Any, known: Any = (), **rest: Any) -> Any:
        given.append(len(known))
        return relax(merged, *args, known=known, **rest)

    monkeypatch.setattr(hourly, "relaxation", noted)
    mean, parts = hourly._relaxed(system, 4, desk.flows, False, np.inf)
    assert parts == 4
    assert given[0] == 0
    assert given[1] > 0
    alone = relax(merge(hourly.coarse(system, 4)), desk.flows, losses=False)
    assert mean.answer.cost == pytest.approx(alone.answer.cost, rel=1e-9)
    # no time for hours: the longer blocks stand
    monkeypatch.setattr(hourly, "_DEARER", np.inf)
    mean, parts = hourly._relaxed(system, 4, desk.flows, False, time.perf_counter() + 60.0)
    assert parts == 16
    assert mean.model.system.steps == 2


def test_many_states_by_the_step_begin_with_limits_of_longer_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    held = ag.ReserveProduct("spinning", 5.0, price=1000.0)  # with reserve there is no bound by units, so no mixing
    options: dict[str, Any] = {"gap": 1e-6, "time_limit": 20.0, "losses": False, "reserves": [held]}
    plain = ag.dispatch(triangle(45.0), hours(), **options)
    monkeypatch.setattr(hourly, "_MANY", 1)
    plan = ag.dispatch(triangle(45.0), hours(), **options)
    assert "longer blocks" in plan.secured.seconds
    assert plan.cost == pytest.approx(plain.cost, rel=2e-6)


def test_states_near_a_relaxation_make_a_plan() -> None:
    desk, system = system_of(triangle(45.0), hours())
    found = secure.relaxation(merge(system), desk.flows, losses=False)
    model = found.model
    near = Lagrangian(model).nearest(found.answer.x[model.state.on])
    assert set(np.unique(near)) <= {0.0, 1.0}
    structure, steady = structure_of(model), model.system.steady_states()
    given = [search(model.problem, structure, gap=0.0, time_limit=1e-3, steady=[s]) for s in (near, steady)]
    for plan, states in zip(given, (near, steady), strict=True):
        np.testing.assert_array_equal(np.round(plan.x[model.state.on]), states)
    assert given[0].cost < given[1].cost
