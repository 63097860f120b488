"""Rolling dispatch: perfect forecasts, wrong ones, what goes from turn to turn; the lean linear problem behind it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.dispatch.answer import desk_of, plan_of
from aurigrid.dispatch.api import bound_of
from aurigrid.dispatch.basis import Basis
from aurigrid.dispatch.follow import Standing
from aurigrid.dispatch.forecast import blended, horizon
from aurigrid.dispatch.lean import BASIC
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.dispatch.roll import Rules, turns
from aurigrid.errors import InputError
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import StorageTable

from .grids import STEPS, WIND, hours, triangle

EXACT = {"gap": 1e-9, "time_limit": 30.0}
HOURLY = {**EXACT, "every_h": 1.0}


@pytest.mark.parametrize("losses", [False, True])
def test_rolling_with_perfect_forecasts_is_one_plan(losses: bool) -> None:
    net, day = triangle(), hours()
    whole = ag.dispatch(net, day, losses=losses, **EXACT)
    run = ag.rolling_dispatch(net, day, day, losses=losses, **HOURLY)
    tolerance = 0.05 if losses else 1e-6  # MW to which losses settle
    assert run.committed.tolist() == [True] + [False] * (STEPS - 1)
    assert run.plan.cost == pytest.approx(whole.cost, rel=1e-3 if losses else 1e-9)
    np.testing.assert_allclose(run.plan.gen_p_mw, whole.gen_p_mw, atol=tolerance)
    np.testing.assert_array_equal(run.plan.gen_on, whole.gen_on)
    assert run.plan.cost_items["starts"] == whole.cost_items["starts"]
    assert sum(run.plan.cost_items.values()) == pytest.approx(run.plan.cost)
    for name, mwh in whole.curtailed_mwh().items():
        assert run.plan.curtailed_mwh()[name] == pytest.approx(mwh, abs=0.2 if losses else 1e-6)


def test_storage_goes_from_turn_to_turn() -> None:
    battery = StorageTable.make(
        id=["battery"], bus=[1], p_min_mw=-20.0, p_max_mw=20.0, energy_mwh=20.0, energy_max_mwh=60.0,
        charge_efficiency=0.9, discharge_efficiency=0.8,
    )  # fmt: skip
    net, day = triangle(storage=battery), hours()
    whole = ag.dispatch(net, day, losses=False, **EXACT)
    run = ag.rolling_dispatch(net, day, day, losses=False, **HOURLY)
    p, e = run.plan.storage_p_mw[:, 0], run.plan.storage_energy_mwh[:, 0]
    np.testing.assert_allclose(np.diff(np.r_[20.0, e]), 0.9 * np.maximum(-p, 0) - np.maximum(p, 0) / 0.8, atol=1e-6)
    assert run.plan.cost == pytest.approx(whole.cost, rel=1e-9)


def test_the_lean_problem_answers_like_the_whole_one() -> None:
    net, day = triangle(), hours()
    whole = ag.dispatch(net, day, losses=False, **EXACT)
    desk = desk_of(net, "n-1")
    bound = bound_of(desk, day, shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan))
    system = bound.system.replace(fixed_on=whole.gen_on[:, bound.unit].T.astype(np.int8))
    plan = plan_of(desk, day, bound, solve_states(system, desk.flows, losses=False))
    assert plan.cost == pytest.approx(whole.cost, rel=1e-9)
    np.testing.assert_allclose(plan.gen_p_mw, whole.gen_p_mw, atol=1e-6)
    np.testing.assert_allclose(plan.price_per_mwh, whole.price_per_mwh, atol=1e-6)
    np.testing.assert_allclose(plan.co2_marginal_t_per_mwh, whole.co2_marginal_t_per_mwh, atol=1e-6)
    # load that cannot be served wakes what sleeps: nothing is lost by leaving it out at first
    more = day.series[("load", "p_mw")].read(0, STEPS) + np.array([[0.0, 300.0]])
    far = hours(more)
    short = bound_of(desk, far, shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan))
    fixed = short.system.replace(fixed_on=system.fixed_on)
    plan = plan_of(desk, far, short, solve_states(fixed, desk.flows, losses=False))
    supply = plan.gen_p_mw.sum(1) + plan.unserved_mw.sum(1) - plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, more.sum(1), atol=1e-6)
    assert plan.unserved_mw.sum() > 100.0
    assert plan.price_per_mwh.max() == pytest.approx(10_000.0, rel=0.5)


@pytest.mark.parametrize("losses", [False, True])
@pytest.mark.parametrize("elastic", [None, [(0.1, 40.0)]])
def test_a_turn_from_the_basis_of_the_one_before_costs_what_a_cold_one_does(
    losses: bool, elastic: list[tuple[float, float]] | None
) -> None:
    battery = StorageTable.make(
        id=["battery"], bus=[1], p_min_mw=-20.0, p_max_mw=20.0, energy_mwh=20.0, energy_max_mwh=60.0,
        charge_efficiency=0.9, discharge_efficiency=0.8,
    )  # fmt: skip
    # 50 MVA: two of the four lines bind after outages
    net, day, calm = triangle(50.0, storage=battery), hours(), hours(wind=WIND * 0.8)
    rules = Rules(every_h=1.0, losses=losses, **EXACT)
    warm = list(turns(net, calm, day, rules, elastic=elastic))
    basis = warm[1].standing.later(0, STEPS - 2)[2]
    assert (basis.column == BASIC).any()
    assert len(basis.limit)
    for before, turn in itertools.pairwise(warm):
        assert not turn.committed
        nothing = dataclasses.replace(before.standing, basis=Basis.none(len(before.standing.known)))
        cold = next(turns(net, calm, day, rules, elastic=elastic, number=turn.number, standing=nothing))
        assert not cold.committed
        assert turn.plan.cost == pytest.approx(cold.plan.cost, rel=1e-4 if losses else 1e-9)
        assert turn.plan.secured.unsettled == cold.plan.secured.unsettled == ()


def test_every_turn_looks_as_far_ahead_as_is_asked() -> None:
    rules = Rules(every_h=1.0, horizon_h=4.0, commit_every_h=4.0, losses=False, **EXACT)
    done = list(turns(triangle(), hours(), hours(), rules))
    assert [turn.committed for turn in done] == [True, False, False, False] * 2
    # a commitment looks as far as the last turn before the next one; the day ends after eight hours
    assert [turn.plan.n_steps for turn in done] == [8, 4, 4, 4, 4, 3, 2, 1]


def test_a_basis_that_fits_is_optimal_at_once() -> None:
    net, day = triangle(50.0), hours()
    desk = desk_of(net, "n-1")
    plan = ag.dispatch(net, day, losses=False, **EXACT)
    bound = bound_of(desk, day, shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan))
    system = bound.system.replace(fixed_on=plan.gen_on[:, bound.unit].T.astype(np.int8))
    first = solve_states(system, desk.flows, losses=False)
    basis = Basis.of(first.model, first.limits, first.run)
    again = solve_states(system, desk.flows, losses=False, known=first.limits.key, basis=basis)
    assert first.run.h.getInfo().simplex_iteration_count > 0
    assert again.run.h.getInfo().simplex_iteration_count == 0
    assert again.answer.cost == pytest.approx(first.answer.cost, rel=1e-12)
    np.testing.assert_allclose(again.answer.x, first.answer.x, atol=1e-9)


def test_what_goes_on_knows_the_limits_that_were_met() -> None:
    # with demand on the far side a limit's right side is below 0: it is met all the same
    net, day = triangle(), hours()
    plan = ag.dispatch(net, day, losses=False, **EXACT)
    priced = {
        (int(r["branch"]), int(r["outage"]), int(r["step"])) for r in plan.limits[plan.limits["price_per_mw"] > 0]
    }
    assert priced
    assert priced <= {(m, k, t) for m, k, t, _ in Standing.of(plan).known.tolist()}


def test_elastic_loads_roll_like_one_plan() -> None:
    net, day, parts = triangle(), hours(), [(0.2, 30.0), (0.1, 45.0)]
    whole = ag.dispatch(net, day, losses=False, elastic=parts, **EXACT)
    run = ag.rolling_dispatch(net, day, day, losses=False, elastic=parts, **HOURLY)
    assert whole.load_reduced_mw.sum() > 1.0
    assert run.plan.cost == pytest.approx(whole.cost, rel=1e-9)
    np.testing.assert_allclose(run.plan.load_reduced_mw, whole.load_reduced_mw, atol=1e-6)
    mine, theirs = run.plan.tables()["plan_elastic"], whole.tables()["plan_elastic"]
    for name in ("step", "element_id", "price_per_mwh", "asked_mw", "served_mw"):
        a, b = (np.asarray(table[name]) for table in (mine, theirs))
        np.testing.assert_array_equal(a, b) if a.dtype == object else np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(InputError, match="elastic"):
        ag.rolling_dispatch(net, day, day, elastic=[(1.2, 30.0)], **HOURLY)


def test_a_wrong_forecast_costs_more_and_what_happens_is_what_is_settled() -> None:
    net, day = triangle(), hours()
    calm = hours(wind=WIND * 0.6)
    best = ag.dispatch(net, day, losses=False, **EXACT).cost
    wrong = ag.rolling_dispatch(net, calm, day, losses=False, **HOURLY)
    assert wrong.plan.cost > best + 1.0
    supply = wrong.plan.gen_p_mw.sum(1) + wrong.plan.unserved_mw.sum(1) - wrong.plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, wrong.plan.load_p_mw.sum(1), atol=1e-6)
    given = wrong.plan.gen_p_mw[:, 2] + wrong.plan.curtailed_mw[:, 2]
    np.testing.assert_allclose(given, WIND, atol=1e-6)
    # a forecast that forgets its error at once is the forecast; one that keeps it knows this day, whose error is a factor
    stubborn = ag.rolling_dispatch(net, blended(calm, day, 1e-6), day, losses=False, **HOURLY)
    assert stubborn.plan.cost == pytest.approx(wrong.plan.cost, rel=1e-9)


def test_less_wind_than_forecast_commits_again_before_load_goes_unserved() -> None:
    load = np.linspace(60, 230, STEPS)[:, None] * np.array([[0.5, 0.5]])
    net = triangle(rate_mva=500.0)
    windy = hours(load, np.full(STEPS, 150.0))
    becalmed = hours(load, np.r_[np.full(3, 150.0), np.zeros(STEPS - 3)])
    options = {**HOURLY, "security": "none", "losses": False, "notice_h": 1.0}
    run = ag.rolling_dispatch(net, {windy.time[0]: windy, windy.time[2]: becalmed}, becalmed, **options)
    assert run.committed[0]
    assert run.committed[2]
    assert run.plan.unserved_mw[4:].max() == pytest.approx(10.0, abs=1e-6)  # 230 MW of load, 220 MW of plants


def test_time_shift_changes_nothing() -> None:
    net, day = triangle(), hours()
    shift = np.timedelta64(3 * 24 + 5, "h")
    later = Profiles(day.time + shift, {k: (s.read(0, STEPS), s.position) for k, s in day.series.items()})
    for call in (ag.dispatch, lambda net, day, **o: ag.rolling_dispatch(net, day, day, every_h=1.0, **o).plan):
        first, second = (call(net, span, **EXACT) for span in (day, later))
        assert (second.time - first.time == shift).all()
        for name in ("gen_p_mw", "gen_on", "price_per_mwh", "curtailed_mw", "loss_mw", "co2_marginal_t_per_mwh"):
            np.testing.assert_array_equal(getattr(second, name), getattr(first, name), err_msg=name)
        assert second.cost == first.cost


def test_a_horizon_is_measured_first_and_forecast_then() -> None:
    actual, forecast = hours(), hours(wind=WIND + 7.0)
    seen = horizon(actual, forecast, 2, 2, 5)
    np.testing.assert_array_equal(seen.series[("gen", "p_mw")].read(0, 5)[:, 0], [120, 100, 67, 37, 17])
    np.testing.assert_array_equal(seen.time, actual.time[2:7])
    fading = blended(forecast, actual, 2.0)(actual.time[3]).series[("gen", "p_mw")].read(0, 5)[:, 0]
    np.testing.assert_allclose(fading, WIND[3:] + 7.0 - 7.0 * np.exp(-np.arange(5) / 2.0))


def test_corridors_rank_what_one_more_mw_would_save() -> None:
    day = hours()
    plan = ag.dispatch(triangle(), day, losses=False, **EXACT)
    found = plan.corridors()
    assert (np.diff(found["saving"]) <= 0).all()
    priced = plan.limits[plan.limits["price_per_mw"] > 0]
    assert found["saving"].sum() == pytest.approx(priced["price_per_mw"].sum() * plan.step_h)
    # a MW more on every branch: what each limit's price says, all together
    wider = ag.dispatch(triangle(60.01), day, losses=False, **EXACT)
    assert (wider.gen_on == plan.gen_on).all()
    assert (plan.cost - wider.cost) / 0.01 == pytest.approx(found["saving"].sum(), rel=1e-3)


def test_parts_of_a_rolling_plan_have_whole_tables() -> None:
    net, day = triangle(), hours()
    product = ag.ReserveProduct("spinning east", 20.0, areas=("east",), minutes=10.0)
    run = ag.rolling_dispatch(net, day, day, losses=False, reserves=[product], **HOURLY)
    tables = run.plan.tables()
    assert tables["plan_steps"]["step"].tolist() == list(range(STEPS))
    held = [
        x
        for x, who in zip(tables["plan_reserves"]["held_mw"], tables["plan_reserves"]["element_id"], strict=True)
        if not who
    ]
    assert len(held) == STEPS
    assert min(held) >= 20.0 - 1e-6
    assert run.plan.curtailed_mw.sum() == pytest.approx(sum(run.plan.curtailed_mwh().values()), abs=1e-6)


def test_what_makes_no_sense_is_told_at_once() -> None:
    net, day = triangle(), hours()
    with pytest.raises(InputError) as caught:
        ag.rolling_dispatch(net, day, day, every_h=0.5, horizon_h=0.1, notice_h=-1.0, gap=2.0, security="n-2")
    for part in ("every_h", "horizon_h", "notice_h", "gap", "security"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match="has no step of 60 min"):
        ag.rolling_dispatch(net, day.window(2, STEPS), day, **HOURLY)
    with pytest.raises(InputError, match="has none issued by"):
        ag.rolling_dispatch(net, {day.time[3]: day}, day, **HOURLY)
