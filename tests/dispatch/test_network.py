"""`dispatch` of a small network: balances, limits, prices and carbon by re-solving, causes that add up, properties."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.tables import HvdcTable, StorageTable

from .grids import STEPS, WIND, hours, triangle

EXACT = {"gap": 1e-9, "time_limit": 30.0}
LOAD = np.linspace(60, 140, STEPS)[:, None] * np.array([[0.5, 0.5]])


@pytest.fixture(scope="module")
def plan() -> ag.Plan:
    return ag.dispatch(triangle(), hours(), **EXACT)


def test_every_step_balances(plan: ag.Plan) -> None:
    supply = plan.gen_p_mw.sum(1) + plan.unserved_mw.sum(1) - plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, plan.load_p_mw.sum(1) + plan.loss_mw, atol=1e-6)
    assert plan.gap <= 1e-9


def test_units_keep_their_rules(plan: ag.Plan) -> None:
    on, p = plan.gen_on[:, 0], plan.gen_p_mw[:, 0]
    assert (p[on] >= 30 - 1e-6).all()
    assert (p[~on] == 0).all()
    assert (np.abs(np.diff(p))[on[1:] & on[:-1]] <= 60 + 1e-6).all()
    runs = np.diff(np.flatnonzero(np.diff(np.r_[0, on, 0])))[::2]
    assert all(n >= 3 for n in runs[:-1])
    assert (plan.gen_p_mw[:, 2] <= WIND + 1e-9).all()


def test_a_unit_without_an_upper_limit_gives_what_is_known_of_it() -> None:
    net = triangle()
    free = net.replace(gen=net.gen.replace(p_max_mw=np.array([120.0, np.inf, 150.0]), p_mw=np.array([50.0, 25.0, 0.0])))
    plan = ag.dispatch(free, hours(LOAD), **EXACT)
    assert plan.gen_p_mw[:, 1].max() <= 25 + 1e-6
    assert any("no upper limit: the largest output" in note for note in plan.notes)


def test_flows_keep_their_limits_after_every_outage() -> None:
    net = triangle()
    plan = ag.dispatch(net, hours(), losses=False, **EXACT)
    assert len(plan.limits) > 0
    every = [plan.scenarios().replace(branch_out=[[k]] * STEPS) for k in range(net.n_branch)]
    for sc in [plan.scenarios(), *every]:
        flow = ag.power_flow(net, sc, engine="dc", slack="reference").branch_flow().p_from_mw
        assert np.nanmax(np.abs(flow)) <= 60.0 + 1e-3
    base = ag.power_flow(net, plan.scenarios(), engine="dc").branch_flow().p_from_mw
    np.testing.assert_allclose(plan.flow_mw, base, atol=1e-6)


@pytest.mark.parametrize(("bus", "load", "step"), [("B", 0, 6), ("C", 1, 6), ("B", 0, 7), ("C", 1, 4)])
def test_prices_and_marginal_carbon_are_those_of_a_second_solve(bus: str, load: int, step: int) -> None:
    net, more = triangle(), LOAD.copy()
    more[step, load] += 0.01
    first, second = (ag.dispatch(net, hours(x), losses=False, **EXACT) for x in (LOAD, more))
    assert (first.gen_on == second.gen_on).all()
    at = list(net.bus.id).index(bus)
    assert (second.cost - first.cost) / 0.01 == pytest.approx(first.price_per_mwh[step, at], abs=1e-4)
    assert (second.co2_t - first.co2_t) / 0.01 == pytest.approx(first.co2_marginal_t_per_mwh[step, at], abs=1e-4)


def test_price_components_and_cost_items_add_up(plan: ag.Plan) -> None:
    parts = plan.price_energy + plan.price_base + plan.price_outage
    np.testing.assert_allclose(plan.price_per_mwh, parts, atol=1e-9)
    assert sum(plan.cost_items.values()) == pytest.approx(plan.cost, abs=1e-6)
    assert plan.cost_items["starts"] == pytest.approx(600.0)
    assert plan.price_outage[6:].any()


def test_congestion_rent_is_what_demand_pays_more_than_injections_earn(plan: ag.Plan) -> None:
    payments = (plan.price_per_mwh[:, 1] * plan.load_p_mw[:, 0] + plan.price_per_mwh[:, 2] * plan.load_p_mw[:, 1]).sum()
    bus = plan.net.gen.bus
    revenues = (plan.price_per_mwh[:, bus] * plan.gen_p_mw).sum()
    on_losses = (plan.price_energy[:, 0] * plan.loss_mw).sum()
    assert payments + on_losses - revenues == pytest.approx(plan.congestion_rent, rel=0.01)


def test_curtailment_has_causes_that_add_up(plan: ag.Plan) -> None:
    by_cause = plan.curtailed_mwh()
    lost = (WIND - plan.gen_p_mw[:, 2]).sum()
    assert sum(by_cause.values()) == pytest.approx(lost, abs=1e-6)
    np.testing.assert_allclose(plan.curtailed_mw[:, 2], WIND - plan.gen_p_mw[:, 2], atol=1e-6)
    rows = plan.curtailment[plan.curtailment["cause"] == 5]
    assert len(rows)
    assert set(rows["step"]) <= {6, 7}
    assert {(int(r["branch"]), int(r["outage"])) for r in rows} <= {
        (int(m["branch"]), int(m["outage"])) for m in plan.limits
    }
    free = ag.dispatch(triangle(), hours(), security="none", **EXACT)
    assert free.curtailed_mwh()["n-1 limit"] == 0.0
    assert free.curtailed_mwh()["ramp"] > 0.0


def test_average_carbon_follows_the_flows(plan: ag.Plan) -> None:
    carried = (plan.co2_average_t_per_mwh[:, [1, 2]] * plan.load_p_mw).sum(1)
    emitted = plan.gen_p_mw @ np.array([0.9, 0.4, 0.0])
    np.testing.assert_allclose(carried, emitted, rtol=0.01, atol=1e-9)
    assert plan.co2_by_unit_t.sum() == pytest.approx(plan.co2_t)


def test_more_wind_and_fewer_limits_never_cost_more() -> None:
    net = triangle()
    costs = [ag.dispatch(net, hours(wind=WIND * k), losses=False, **EXACT).cost for k in (0.5, 1.0, 1.5)]
    assert costs == sorted(costs, reverse=True)
    options = ("n-1", "base", "none")
    costs = [ag.dispatch(net, hours(), security=s, losses=False, **EXACT).cost for s in options]
    assert costs == sorted(costs, reverse=True)


def test_what_cannot_be_served_is_told_by_place_and_time() -> None:
    load = LOAD.copy()
    load[5, 1] = 400.0
    plan = ag.dispatch(triangle(), hours(load), security="none", losses=False, **EXACT)
    assert plan.unserved_mw[5].sum() > 0
    assert plan.unserved_mw[5].sum() == pytest.approx(load[5].sum() - plan.gen_p_mw[5].sum(), abs=1e-6)
    assert (np.delete(plan.unserved_mw, 5, 0) == 0).all()
    tight = ag.dispatch(triangle(rate_mva=5.0), hours(), losses=False, unserved_price=1e5, **EXACT)
    assert tight.limits["excess_mw"].max() > 0


def test_storage_moves_energy_and_returns_what_it_held() -> None:
    net = triangle(
        storage=StorageTable.make(
            id=["battery"], bus=[1], p_min_mw=-20.0, p_max_mw=20.0, energy_mwh=20.0, energy_max_mwh=60.0,
            charge_efficiency=0.9, discharge_efficiency=0.8,
        )
    )  # fmt: skip
    plan = ag.dispatch(net, hours(), security="none", losses=False, **EXACT)
    p, e = plan.storage_p_mw[:, 0], plan.storage_energy_mwh[:, 0]
    np.testing.assert_allclose(np.diff(np.r_[20.0, e]), 0.9 * np.maximum(-p, 0) - np.maximum(p, 0) / 0.8, atol=1e-6)
    assert e[-1] >= 20.0 - 1e-6
    assert p.max() > 1.0
    assert plan.cost < ag.dispatch(triangle(), hours(), security="none", losses=False, **EXACT).cost


def test_hvdc_relieves_and_loses() -> None:
    link = HvdcTable.make(id=["dc"], from_bus=[0], to_bus=[2], p_min_mw=-50.0, p_max_mw=50.0, loss_share=0.02)
    plan = ag.dispatch(triangle(hvdc=link), hours(), losses=False, **EXACT)
    used = np.abs(plan.hvdc_p_mw[:, 0])
    assert used.max() > 1.0
    np.testing.assert_allclose(plan.gen_p_mw.sum(1), plan.load_p_mw.sum(1) + 0.02 * used, atol=1e-6)
    assert plan.cost < ag.dispatch(triangle(), hours(), losses=False, **EXACT).cost


def test_shifted_load_keeps_its_energy_and_saves() -> None:
    fixed = ag.dispatch(triangle(), hours(), security="none", losses=False, **EXACT)
    plan = ag.dispatch(triangle(), hours(), security="none", losses=False, shiftable={"b": 0.3}, **EXACT)
    assert plan.load_p_mw[:, 0].sum() == pytest.approx(LOAD[:, 0].sum())
    assert plan.load_p_mw[6, 0] < LOAD[6, 0] - 1.0
    assert plan.cost < fixed.cost - 1.0


def test_budgets_prices_and_caps_of_carbon_bind() -> None:
    free = ag.dispatch(triangle(), hours(), security="none", losses=False, **EXACT)
    capped = ag.dispatch(triangle(), hours(), security="none", losses=False, co2_cap_t=0.7 * free.co2_t, **EXACT)
    assert capped.co2_t <= 0.7 * free.co2_t + 1e-6
    assert capped.cost > free.cost
    priced = ag.dispatch(triangle(), hours(), security="none", losses=False, co2_price=80.0, **EXACT)
    assert priced.cost_items["co2"] == pytest.approx(80.0 * priced.co2_t)
    short = ag.dispatch(triangle(), hours(), security="none", losses=False, energy_mwh={"gas": 15.0}, **EXACT)
    assert short.gen_p_mw[:, 1].sum() <= 15.0 + 1e-6


def test_reserves_are_held_by_those_who_may() -> None:
    product = ag.ReserveProduct("spinning east", 20.0, areas=("east",), minutes=10.0)
    plan = ag.dispatch(triangle(), hours(), security="none", losses=False, reserves=[product], **EXACT)
    assert plan.gen_on[:, 1].all()
    assert plan.cost_items["reserve short"] == 0.0
    held = plan.schedule.reserve_mw[0].sum(0)
    assert (held >= 20.0 - 1e-6).all()
    none = ag.ReserveProduct("spinning west", 500.0, areas=("west",), fuels=("coal",), minutes=10.0)
    short = ag.dispatch(triangle(), hours(), security="none", losses=False, reserves=[none], **EXACT)
    assert (short.schedule.reserve_short_mw[0] >= 500.0 - 10.0 - 1e-6).all()


def test_losses_agree_with_ac() -> None:
    net = triangle()
    plan = ag.dispatch(net, hours(), **EXACT)
    sol = ag.power_flow(net, plan.scenarios())
    assert (sol.status == ag.Status.CONVERGED).all()
    ac = sol.branch_flow().loss_mw.sum(1)
    np.testing.assert_allclose(plan.loss_mw, ac, rtol=0.1, atol=0.02)


def test_defaults_are_listed_and_bad_input_is_told_at_once() -> None:
    net = triangle()
    bare = net.replace(gen=net.gen.replace(cost_c1_per_mwh=np.zeros(3), co2_t_per_mwh=np.full(3, np.nan)))
    plan = ag.dispatch(bare, hours(), security="none", losses=False, gap=0.01)
    assert {use.column for use in plan.defaults} >= {"cost_c1_per_mwh", "co2_t_per_mwh"}
    assert all(use.source for use in plan.defaults)
    with pytest.raises(InputError) as caught:
        ag.dispatch(net, hours(), security="n-2", gap=2.0, shiftable={"x": 0.5, "b": 3.0}, energy_mwh={"y": 1.0})
    told = str(caught.value)
    for part in ("security", "gap", "shiftable", "x", "outside 0..1", "energy_mwh", "y"):
        assert part in told
    with pytest.raises(InputError, match="names areas"):
        ag.dispatch(net, hours(), reserves=[ag.ReserveProduct("r", 1.0, areas=("north",))])


def test_a_single_step_is_a_horizon() -> None:
    plan = ag.dispatch(triangle(), hours(LOAD).window(6, 7), losses=False, **EXACT)
    assert plan.n_steps == 1
    assert plan.gap <= 1e-9


def test_the_function_survives_the_import_of_its_package() -> None:
    import aurigrid.dispatch

    assert callable(aurigrid.dispatch)
    assert aurigrid.dispatch(triangle(), hours(), security="none", gap=0.05).n_steps == STEPS


def test_going_on_from_a_plan_with_perfect_forecasts_costs_what_one_plan_does() -> None:
    net, day = triangle(), hours()
    whole = ag.dispatch(net, day, losses=False, **EXACT)
    plan = whole
    for k in range(1, STEPS):
        plan = ag.dispatch(net, day.window(k, STEPS), before=plan, losses=False, **EXACT)
        # what is left of the first plan is a plan of what is left, and none is cheaper
        stepwise = whole.gen_p_mw @ np.array([20.0, 50.0, 0.0])
        starts = np.diff(np.r_[whole.gen_on_before[None, :2], whole.gen_on[:, :2]].astype(int), axis=0) > 0
        rest = (stepwise + starts @ np.array([500.0, 100.0]))[k:].sum()
        assert plan.cost == pytest.approx(rest, abs=1e-6)


def test_states_within_the_notice_are_kept_when_the_forecast_changes() -> None:
    net, day = triangle(), hours()
    first = ag.dispatch(net, day, losses=False, **EXACT)
    calm = hours(wind=WIND * 0.5)
    free = ag.dispatch(net, calm.window(2, STEPS), before=first, losses=False, **EXACT)
    kept = ag.dispatch(net, calm.window(2, STEPS), before=first, notice_h=3.0, losses=False, **EXACT)
    assert (kept.gen_on[:3, :2] == first.gen_on[2:5, :2]).all()
    assert kept.cost >= free.cost - 1e-6
    with pytest.raises(InputError, match="no step that ends"):
        ag.dispatch(net, day, before=first)
