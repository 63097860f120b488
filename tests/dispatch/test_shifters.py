"""Phase shifters that turn in a plan, beside a problem in angles, with a copy of the grid for each outage, solved by SciPy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

from scipy.optimize import linprog

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

EXACT = {"gap": 1e-9, "time_limit": 30.0}
LOAD = np.array([[30.0, 30.0], [90.0, 45.0], [60.0, 40.0], [105.0, 45.0]])
TURN_PRICE = 0.01


def meshed(step_deg: float = 1.5) -> Network:
    """Cheap power at A, dear power at C; two circuits from A to B, one from A to C with a phase shifter of 21 positions."""
    return Network(
        bus=BusTable.make(id=["A", "B", "C", "D"], v_nom_kv=220.0),
        branch=BranchTable.make(
            id=["AB", "AB2", "AC", "BC", "CD", "BD"], from_bus=[0, 0, 0, 1, 2, 1], to_bus=[1, 1, 2, 2, 3, 3],
            x_pu=[0.1, 0.12, 0.05, 0.1, 0.1, 0.2], rate_mva=[50, 50, 45, 50, 40, 40], rate_short_mva=[72, 72, 66, 60, 48, 48],
            shift_deg=[0, 0, 1.0, 0, 0, 0], tap_step_deg=[0, 0, step_deg, 0, 0, 0], tap_pos=[0, 0, 2, 0, 0, 0],
            tap_min=[0, 0, -8, 0, 0, 0], tap_max=[0, 0, 12, 0, 0, 0],
        ),
        gen=GenTable.make(
            id=["cheap", "dear"], bus=[0, 2], is_reference=[True, False], regulates=True, p_min_mw=0.0, p_max_mw=[200, 150],
            cost_c1_per_mwh=[10, 50], co2_t_per_mwh=0.4, ramp_up_mw_per_min=100.0, ramp_down_mw_per_min=100.0,
        ),
        load=LoadTable.make(id=["b", "d"], bus=[1, 3], p_mw=[60, 60], q_mvar=0.0),
        name="meshed",
    )  # fmt: skip


def steps_of(net: Network, load: np.ndarray) -> Profiles:
    time = np.datetime64("2020-03-02T00:00") + np.arange(len(load)) * np.timedelta64(60, "m")
    return Profiles(time, {("load", "p_mw"): (load, list(range(net.n_load)))}, step_min=60)


def least_cost(net: Network, load: np.ndarray, *, outages: bool, turns: bool) -> float:
    """Cost of one hour: outputs, shifts and an angle a bus and state, in pu of the base power and rad."""
    b, gen, base = net.branch, net.gen, net.base_mva
    g, m, n = net.n_gen, net.n_branch, net.n_bus
    free = np.flatnonzero((b.tap_step_deg != 0) & (b.tap_max > b.tap_min)) if turns else np.zeros(0, int)
    y = 1.0 / (b.x_pu * b.tap_ratio)
    node = np.arange(n)
    for i, j in zip(net.switch.from_bus, net.switch.to_bus, strict=True):
        node[node == node[j]] = node[i]
    start, end = node[b.from_bus], node[b.to_bus]
    states = [-1]
    for k in range(m if outages else 0):
        reached = {int(node[0])}
        for _ in range(n):
            for i in (i for i in range(m) if i != k):
                ends = {int(start[i]), int(end[i])}
                reached |= ends if reached & ends else set()
        states += [k] if len(reached) == len(np.unique(node)) else []
    f = len(free)
    size = g + 2 * f + n * len(states)
    cost = np.zeros(size)
    cost[:g] = gen.cost_c1_per_mwh * base
    cost[g : g + 2 * f] = TURN_PRICE * np.rad2deg(1.0)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    lower[:g], upper[:g] = gen.p_min_mw / base, gen.p_max_mw / base
    ends = np.sort([(e[free] - b.tap_pos[free]) * np.deg2rad(b.tap_step_deg[free]) for e in (b.tap_min, b.tap_max)], 0)
    lower[g : g + 2 * f], upper[g : g + f], upper[g + f : g + 2 * f] = 0.0, ends[1], -ends[0]
    equal, right, below, most = [], [], [], []
    for s, k in enumerate(states):
        first = g + 2 * f + s * n
        balance = np.zeros((n, size))
        need = np.bincount(node[net.load.bus], load, minlength=n) / base
        np.add.at(balance, (node[gen.bus], np.arange(g)), 1.0)
        for i in (i for i in range(m) if i != k):
            flow, fixed = np.zeros(size), -y[i] * np.deg2rad(b.shift_deg[i])
            flow[[first + start[i], first + end[i]]] = y[i], -y[i]
            for at in np.flatnonzero(free == i):
                flow[g + at], flow[g + f + at] = -y[i], y[i]
            balance[start[i]] -= flow
            balance[end[i]] += flow
            need[start[i]] += fixed
            need[end[i]] -= fixed
            rate = b.rate_mva[i] if k < 0 or not np.isfinite(b.rate_short_mva[i]) else b.rate_short_mva[i]
            if np.isfinite(rate):
                below += [flow, -flow]
                most += [rate / base - fixed, rate / base + fixed]
        lower[first] = upper[first] = 0.0
        equal.append(balance)
        right.append(need)
    done = linprog(
        cost, np.array(below), np.array(most), np.vstack(equal), np.concatenate(right), np.column_stack([lower, upper])
    )
    assert done.status == 0, done.message
    return float(done.fun)


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
