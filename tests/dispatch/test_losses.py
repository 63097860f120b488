"""Losses that plants can avoid: outputs, prices and balances against the loss function itself."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

from .grids import STEPS, hours, triangle

OPTIONS = {"security": "base", "gap": 1e-9, "time_limit": 20.0}
R, LOAD = 0.04, 200.0


def line(cost_far: float = 20.0) -> Network:
    """A plant at each end of a line; all load at the near end."""
    return Network(
        bus=BusTable.make(id=["near", "far"], v_nom_kv=220.0, v_min_pu=0.9, v_max_pu=1.1),
        branch=BranchTable.make(id=["line"], from_bus=[1], to_bus=[0], x_pu=0.1, r_pu=R, rate_mva=500.0),
        gen=GenTable.make(
            id=["n", "f"], bus=[0, 1], p_mw=[100, 100], is_reference=[True, False], regulates=True, p_min_mw=0.0,
            p_max_mw=300.0, fuel="import", cost_c1_per_mwh=[22.0, cost_far], start_cost=0.0, min_up_h=0, min_down_h=0,
            co2_t_per_mwh=[0.4, 0.3], ramp_up_mw_per_min=np.inf, ramp_down_mw_per_min=np.inf,
        ),
        load=LoadTable.make(id=["d"], bus=[0], p_mw=[LOAD], q_mvar=[0]),
        name="line",
    )  # fmt: skip


def day(load: float = LOAD) -> Profiles:
    time = np.datetime64("2020-03-02T00:00") + np.arange(2) * np.timedelta64(60, "m")
    return Profiles(time, {("load", "p_mw"): (np.array([[load], [0.5 * load]]), [0])})


def test_the_far_plant_gives_what_its_losses_leave_worth() -> None:
    plan = ag.dispatch(line(), day(), losses="marginal", **OPTIONS)  # type: ignore[arg-type]

    # one MW more on the line costs 20 and spares 22 (1 - 2 R f)
    flow = (1.0 - 20.0 / 22.0) * 100.0 / (2.0 * R)
    assert plan.flow_mw[0, 0] == pytest.approx(flow, abs=4.0)
    far = flow + 0.5 * R * flow**2 / 100.0
    best = 20.0 * far + 22.0 * (LOAD + R * flow**2 / 100.0 - far)
    assert 20.0 * plan.gen_p_mw[0, 1] + 22.0 * plan.gen_p_mw[0, 0] == pytest.approx(best, abs=2.0)
    fixed = ag.dispatch(line(), day(), losses=True, **OPTIONS)  # type: ignore[arg-type]
    assert plan.cost < fixed.cost - 1.0


@pytest.mark.parametrize("rate", [60.0, 35.0])
def test_balances_hold_and_losses_are_those_of_the_flows(rate: float) -> None:
    net = triangle(rate)
    plan = ag.dispatch(net, hours(), losses="marginal", **OPTIONS)  # type: ignore[arg-type]
    supply = plan.gen_p_mw.sum(1) + plan.unserved_mw.sum(1) - plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, plan.load_p_mw.sum(1) + plan.loss_mw, atol=1e-6)
    lost = (net.branch.r_pu * (plan.flow_mw / net.base_mva) ** 2 * net.base_mva).sum(1)
    np.testing.assert_allclose(plan.loss_mw, lost, atol=0.06)
    np.testing.assert_allclose(
        plan.price_per_mwh, plan.price_energy + plan.price_base + plan.price_outage + plan.price_loss, atol=1e-9
    )
    fixed = ag.dispatch(net, hours(), losses=True, **OPTIONS)  # type: ignore[arg-type]
    assert plan.cost <= fixed.cost * (1 + 1e-4)
    ac = ag.power_flow(net, plan.scenarios())
    np.testing.assert_allclose(plan.loss_mw, ac.branch_flow().loss_mw.sum(1), rtol=0.2, atol=0.3)


def test_prices_are_those_of_a_second_solve_with_more_load() -> None:
    net, more = line(), 0.5
    plan = ag.dispatch(net, day(), losses="marginal", **OPTIONS)  # type: ignore[arg-type]
    assert plan.price_per_mwh[0, 0] == pytest.approx(22.0, abs=1e-6)
    assert plan.price_per_mwh[0, 1] == pytest.approx(20.0, abs=0.05)
    again = ag.dispatch(net, day(LOAD + more), losses="marginal", **OPTIONS)  # type: ignore[arg-type]
    change = plan.price_per_mwh[0, 0] * more + plan.price_per_mwh[1, 0] * 0.5 * more
    assert again.cost - plan.cost == pytest.approx(change, abs=0.3)
    assert plan.price_loss[0, 1] < -1.0


def test_losses_are_no_sink_for_power_without_use() -> None:
    net = triangle()
    gen = net.gen.replace(p_min_mw=np.array([120.0, 60.0, 0.0]), min_up_h=np.array([STEPS, STEPS, 0]))
    gen = gen.replace(p_mw=np.array([120.0, 60.0, 0.0]))
    low = hours(np.full((STEPS, 2), 40.0), np.zeros(STEPS))
    net = net.replace(gen=gen)
    plan = ag.dispatch(net, low, losses="marginal", unserved_price=1e5, **OPTIONS)  # type: ignore[arg-type]
    lost = (net.branch.r_pu * (plan.flow_mw / net.base_mva) ** 2 * net.base_mva).sum(1)
    np.testing.assert_allclose(plan.loss_mw, lost, atol=0.1)
