"""Phase shifters that turn in a plan, beside a problem in angles that SciPy solves."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.tables import BranchTable, BusTable, LoadTable

from .angles import TURN_PRICE, least_cost, meshed, steps_of

EXACT = {"gap": 1e-9, "time_limit": 30.0}
LOAD = np.array([[30.0, 30.0], [90.0, 45.0], [60.0, 40.0], [105.0, 45.0]])


@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize("security", ["base", "n-1"])
def test_the_optimum_is_that_of_the_problem_in_angles(security: str, turns: bool) -> None:
    net = meshed()
    plan = ag.dispatch(net, steps_of(net, LOAD), security=security, losses=False, shifters=turns, **EXACT)
    alone = [least_cost(net, load, outages=security == "n-1", turns=turns) for load in LOAD]
    assert plan.cost == pytest.approx(sum(alone), rel=1e-7)
    by_step = sum(plan.cost_by_step.values())[:-1]
    np.testing.assert_allclose(by_step, alone, rtol=1e-7)
    turned = np.abs(plan.shift_deg[:, 2] - 1.0)
    assert (turned > 0.1).any() == turns
    assert plan.cost_items["phase shifters"] == pytest.approx(TURN_PRICE * turned.sum())


def test_turning_saves_keeps_positions_and_what_dc_power_flow_says() -> None:
    net = meshed()
    profiles = steps_of(net, LOAD)
    still, plan = (ag.dispatch(net, profiles, losses=False, shifters=turns, **EXACT) for turns in (False, True))
    assert plan.cost < still.cost - 1.0
    assert (plan.shift_deg[:, 2] >= 1.0 - 10 * 1.5 - 1e-9).all()
    assert (plan.shift_deg[:, 2] <= 1.0 + 10 * 1.5 + 1e-9).all()
    assert (np.delete(plan.shift_deg, 2, 1) == 0).all()
    for t in range(len(LOAD)):
        now = plan.network(t)
        base = ag.power_flow(now, engine="dc", slack="reference").branch_flow().p_from_mw[0]
        np.testing.assert_allclose(base, plan.flow_mw[t], atol=1e-6)
        every = ag.Scenarios(now, n=net.n_branch, branch_out=[[k] for k in range(net.n_branch)])
        after = ag.power_flow(now, every, engine="dc", slack="reference").branch_flow().p_from_mw
        assert (np.abs(after) <= net.branch.rate_short_mva + 1e-3).all()
    table = plan.tables()["plan_shifters"]
    np.testing.assert_allclose(table["shift_deg"], 1.0 + 1.5 * (np.asarray(table["position"]) - 2))
    assert list(table["branch_id"]) == ["AC"] * len(LOAD)
    with pytest.raises(InputError, match="AC"):
        plan.scenarios()
    assert len(still.tables()["plan_shifters"]["step"]) == 0
    assert still.scenarios().n == len(LOAD)


def test_wide_lines_leave_shifters_where_they_stand() -> None:
    net = meshed()
    wide = net.replace(branch=net.branch.replace(rate_mva=np.full(6, 1e4), rate_short_mva=np.full(6, 1e4)))
    plan = ag.dispatch(wide, steps_of(net, LOAD), losses=False, shifters=True, **EXACT)
    assert (plan.shift_deg[:, 2] == 1.0).all()
    assert plan.cost_items["phase shifters"] == 0.0


def test_prices_are_those_of_a_second_solve() -> None:
    net, more = meshed(), LOAD.copy()
    more[3, 1] += 0.01
    first, second = (ag.dispatch(net, steps_of(net, x), losses=False, shifters=True, **EXACT) for x in (LOAD, more))
    assert first.price_outage[3].any()
    assert (second.cost - first.cost) / 0.01 == pytest.approx(first.price_per_mwh[3, 3], abs=1e-4)
    assert (second.co2_t - first.co2_t) / 0.01 == pytest.approx(first.co2_marginal_t_per_mwh[3, 3], abs=1e-4)


def test_marginal_losses_turn_power_to_where_it_loses_least() -> None:
    """Two circuits with resistances r and 4 r lose 0.8 r f^2 / base where the first bears four fifths, 1.25 r at half each."""
    net = meshed().replace(
        bus=BusTable.make(id=["A", "B"], v_nom_kv=220.0),
        branch=BranchTable.make(
            id=["AB", "AB2"], from_bus=0, to_bus=1, x_pu=0.1, r_pu=[0.01, 0.04], rate_mva=500.0, tap_step_deg=[1.0, 0.0],
            tap_min=[-20, 0], tap_max=[20, 0],
        ),
        load=LoadTable.make(id=["b"], bus=1, p_mw=100.0),
    )  # fmt: skip
    net = net.replace(gen=net.gen.replace(bus=np.array([0, 0])))
    load = np.full((2, 1), 100.0)
    plan = ag.dispatch(net, steps_of(net, load), security="base", losses="marginal", shifters=True, **EXACT)
    still = ag.dispatch(net, steps_of(net, load), security="base", losses="marginal", **EXACT)
    flow = plan.flow_mw[0].sum()
    least, even = (100.0 * r * 0.01 * flow**2 / net.base_mva / 100.0 for r in (0.8, 1.25))
    assert plan.loss_mw[0] == pytest.approx(least, abs=0.05)  # losses settle to 0.05 MW
    assert still.loss_mw[0] == pytest.approx(even, abs=0.05)
    assert plan.flow_mw[0, 0] == pytest.approx(0.8 * flow, rel=0.1)
    assert plan.cost < still.cost - 4.0


def test_rolling_turns_them_as_one_plan_does() -> None:
    net = meshed()
    profiles = steps_of(net, LOAD)
    whole = ag.dispatch(net, profiles, losses=False, shifters=True, **EXACT)
    run = ag.rolling_dispatch(
        net, profiles, profiles, every_h=1.0, horizon_h=4.0, losses=False, shifters=True, gap=1e-9
    )
    assert run.plan.cost == pytest.approx(whole.cost, rel=1e-7)
    np.testing.assert_allclose(run.plan.shift_deg, whole.shift_deg, atol=1e-6)


def test_a_grid_with_a_phase_shifter_of_its_own() -> None:
    """The six substations of the METRIX tutorial, ratings halved so that they bind; its phase shifter has 33 positions."""
    pytest.importorskip("pypowsybl")
    from pypowsybl.network import create_metrix_tutorial_six_buses_network

    net = ag.load(create_metrix_tutorial_six_buses_network())
    cost = np.array([80.0, 60.0, 20.0, 40.0])
    gen = net.gen.replace(cost_c1_per_mwh=cost, p_min_mw=np.zeros(4), fuel=np.full(4, ""))
    half = net.branch.replace(rate_mva=0.5 * net.branch.rate_mva, rate_short_mva=0.5 * net.branch.rate_short_mva)
    net = net.replace(gen=gen, branch=half, hvdc=net.hvdc.replace(in_service=np.zeros(2, bool)))
    load, costs = net.load.p_mw, []
    for turns in (False, True):
        plan = ag.dispatch(net, steps_of(net, load[None]), losses=False, shifters=turns, **EXACT)
        costs.append(plan.cost)
        assert plan.cost == pytest.approx(least_cost(net, load, outages=True, turns=turns), rel=1e-6)
    assert costs[1] < 0.98 * costs[0]
