"""Optimal power flow: known optima, prices, labels, and that scenarios do not know one another."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.model.tables import CostPointTable
from aurigrid.opf import OpfStatus, OptimalPowerFlow
from aurigrid.opf.residuals import Residuals

# Objectives that MATPOWER's own OPF gives for the cases it ships (MATPOWER 8 manual and test suite), currency/h.
OPTIMA = {
    "case9": 5296.69,
    "case14": 8081.53,
    "case30": 576.89,
    "case57": 41737.79,
    "case118": 129660.70,
    "case300": 719725.11,
}


def scaled(net: ag.Network, factor: np.ndarray, **more: object) -> ag.Scenarios:
    """Loads times (n, 1) or (n, n_load) factors."""
    return ag.Scenarios(
        net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor, n=len(factor), **more
    )


@pytest.mark.parametrize("name", sorted(OPTIMA))
def test_known_optima(name: str) -> None:
    result = ag.optimal_power_flow(ag.load(f"matpower:{name}"))
    assert result.status[0] == OpfStatus.OPTIMAL
    assert result.objective[0] == pytest.approx(OPTIMA[name], rel=1e-5)
    assert result.max_violation_pu[0] < 1e-6
    assert result.kkt_residual[0] < 1e-6


def test_point_is_a_power_flow() -> None:
    """The exact power flow, given dispatch and set-points, finds the same voltages."""
    net = ag.load("case118")
    result = ag.optimal_power_flow(net, scaled(net, np.array([[0.9], [1.0], [1.05]])))
    flow = ag.power_flow(net, result.scenarios)
    assert flow.converged.all()
    np.testing.assert_allclose(flow.v_mag, result.solution.v_mag, atol=1e-6)
    spread = result.solution.branch_flow().p_from_mw - flow.branch_flow().p_from_mw
    assert np.abs(spread).max() < 1e-2


def test_limits_bind_and_pay() -> None:
    """Complementarity, and a duality check: a limit with a multiplier binds."""
    net = ag.load("case30")
    result = ag.optimal_power_flow(net)
    p, q = result.gen_p_mw[0], result.gen_q_mvar[0]
    for low, value, high in ((net.gen.p_min_mw, p, net.gen.p_max_mw), (net.gen.q_min_mvar, q, net.gen.q_max_mvar)):
        assert (value > low - 1e-4).all()
        assert (value < high + 1e-4).all()
    for entry in result.binding(0):
        if entry["kind"].startswith("flow"):
            assert result.solution.branch_flow().loading[0, entry["element"]] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["case9", "case30", "case118"])
def test_prices_against_solving_again(name: str) -> None:
    """The price at a bus is what one more MW there costs."""
    net = ag.load(name)
    base = ag.optimal_power_flow(net)
    step = 0.05
    rng = np.random.default_rng(0)
    for load in rng.choice(net.n_load, 3, replace=False).tolist():
        p = np.repeat(net.load.p_mw[None], 2, 0)
        p[0, load] += step
        p[1, load] -= step
        both = ag.optimal_power_flow(net, ag.Scenarios(net, load_p_mw=p))
        price = (both.objective[0] - both.objective[1]) / (2 * step)
        assert base.price_per_mwh[0, net.load.bus[load]] == pytest.approx(price, rel=2e-3)


def test_one_scenario_does_not_know_the_others() -> None:
    net = ag.load("case57")
    rng = np.random.default_rng(3)
    factor = 1 + 0.1 * rng.uniform(-1, 1, (20, net.n_load))
    factor[5] = 40.0  # without any feasible point
    sc = scaled(net, factor)
    batch = ag.optimal_power_flow(net, sc, threads=1)
    assert batch.status[5] == OpfStatus.INFEASIBLE
    for row in (0, 7, 19):
        alone = ag.optimal_power_flow(net, sc[row], threads=1)
        assert alone.objective[0] == batch.objective[row]
        np.testing.assert_array_equal(alone.solution.v[0], batch.solution.v[row])


def test_infeasible_is_labelled_with_what_is_missing() -> None:
    net = ag.load("case14")
    result = ag.optimal_power_flow(net, scaled(net, np.array([[1.0], [4.0]])))
    assert result.status.tolist() == [OpfStatus.OPTIMAL, OpfStatus.INFEASIBLE]
    assert result.slack_mw[0] < 1e-6
    missing = 4 * net.load.p_mw.sum() - net.gen.p_max_mw.sum()
    assert result.slack_mw[1] > missing - 1
    assert result.short_mw[1].sum() == pytest.approx(result.slack_mw[1], rel=1e-3)


def test_every_scenario_ends_labelled() -> None:
    """Loads that a meshed grid of tight limits can mostly not serve: where the barrier follows the complementarity, five of
    these wander about for good."""
    net = ag.load("case89pegase")
    rng = np.random.default_rng(5)
    factor = rng.uniform(0.6, 1.4, (48, 1)) * rng.uniform(0.5, 1.9, (48, net.n_load))
    result = ag.optimal_power_flow(net, scaled(net, factor))
    assert np.isin(result.status, (OpfStatus.OPTIMAL, OpfStatus.INFEASIBLE)).all()
    assert (result.status == OpfStatus.INFEASIBLE).sum() > 10
    assert result.kkt_residual.max() < 2e-6


def test_soft_equals_hard_where_limits_can_be_kept() -> None:
    net = ag.load("case118")
    hard, soft = ag.optimal_power_flow(net), ag.optimal_power_flow(net, soft=True)
    assert soft.status[0] == OpfStatus.OPTIMAL
    assert soft.objective[0] == pytest.approx(hard.objective[0], rel=1e-5)
    assert soft.slack_mw[0] < 1e-2


def test_outages_and_availability() -> None:
    net = ag.load("case30")
    base = ag.optimal_power_flow(net)
    sc = ag.Scenarios(net, branch_out=[None, 0, None], gen_out=[None, None, 1])
    result = ag.optimal_power_flow(net, sc)
    assert (result.status == OpfStatus.OPTIMAL).all()
    assert result.gen_p_mw[2, 1] == 0
    assert result.solution.branch_flow().s_from_mva[1, 0] == 0
    assert (result.objective[1:] >= base.objective[0] - 1e-6).all()
    top = net.gen.p_max_mw.copy()
    top[0] = 10.0
    less = ag.optimal_power_flow(net, gen_p_max_mw=top)
    assert less.gen_p_mw[0, 0] <= 10.0 + 1e-4
    assert less.objective[0] > base.objective[0]


def test_an_outage_that_splits_the_grid() -> None:
    """The part without supply is left out; the rest is optimised."""
    net = ag.load("case118")
    report = ag.power_flow(net, ag.Scenarios(net, branch_out=list(range(net.n_branch)), n=net.n_branch))
    split = np.flatnonzero(report.lost_load_mw > 0)[:3]
    assert len(split)
    result = ag.optimal_power_flow(net, ag.Scenarios(net, branch_out=split.tolist(), n=len(split)))
    assert (result.status == OpfStatus.OPTIMAL).all()
    assert np.isnan(result.solution.v_mag).any(1).all()


def test_piecewise_linear_costs() -> None:
    """A curve through points of the parabola costs no less than the parabola and close to it; kinks are respected."""
    net = ag.load("case9")
    gen, p, cost = [], [], []
    for g in range(net.n_gen):
        at = np.linspace(net.gen.p_min_mw[g], net.gen.p_max_mw[g], 41)
        gen += [g] * len(at)
        p += at.tolist()
        cost += (
            net.gen.cost_c0_per_h[g] + net.gen.cost_c1_per_mwh[g] * at + net.gen.cost_c2_per_mw2h[g] * at**2
        ).tolist()
    table = CostPointTable(gen=np.array(gen), p_mw=np.array(p), cost_per_h=np.array(cost))
    curved = ag.optimal_power_flow(net)
    pieces = ag.optimal_power_flow(net.replace(cost_point=table))
    assert pieces.status[0] == OpfStatus.OPTIMAL
    assert curved.objective[0] <= pieces.objective[0] <= curved.objective[0] * 1.002
    total = sum(
        np.interp(pieces.gen_p_mw[0, g], table.p_mw[table.gen == g], table.cost_per_h[table.gen == g]) for g in range(3)
    )
    assert pieces.objective[0] == pytest.approx(total, rel=1e-6)


def test_costs_that_are_not_convex_are_refused() -> None:
    net = ag.load("case9")
    table = CostPointTable(
        gen=np.zeros(3, int), p_mw=np.array([0.0, 50.0, 100.0]), cost_per_h=np.array([0.0, 900.0, 1000.0])
    )
    bad = net.replace(cost_point=table, gen=net.gen.replace(cost_c2_per_mw2h=np.array([0.1, -1.0, 0.1])))
    with pytest.raises(ag.InputError) as caught:
        ag.optimal_power_flow(bad)
    assert len(caught.value.issues) == 2


def test_bad_options() -> None:
    net = ag.load("case9")
    with pytest.raises(ag.InputError) as caught:
        ag.optimal_power_flow(net, soft_price=-1.0, max_iterations=0, threads=0, gen_p_max_mw=np.ones(7))
    assert len(caught.value.issues) == 4


def test_other_objectives() -> None:
    """The smallest change is none where the plan is feasible; fewest losses lose less than cheapest; weights add up."""
    net = ag.load("case118")
    cheapest = ag.optimal_power_flow(net)
    again = ag.optimal_power_flow(net, cheapest.scenarios, objective="change")
    assert again.status[0] == OpfStatus.OPTIMAL
    assert again.objective[0] == pytest.approx(0, abs=1e-2)
    np.testing.assert_allclose(again.gen_p_mw, cheapest.gen_p_mw, atol=0.1)
    least = ag.optimal_power_flow(net, objective="losses")
    lost = [float(r.solution.branch_flow().loss_mw[0].sum()) for r in (cheapest, least)]
    assert lost[1] < lost[0]
    assert least.objective[0] == pytest.approx(lost[1] + _shunt_losses(least), abs=1e-3)
    both = ag.optimal_power_flow(net, objective={"cost": 1.0, "losses": 20.0})
    total = [
        float(r.objective[0]) if k == 2 else _cost(net, r) + 20 * _beyond_demand(net, r)
        for k, r in enumerate((cheapest, least, both))
    ]
    assert total[2] <= min(total[:2]) + 1e-2


def _shunt_losses(result: OptimalPowerFlow) -> float:
    net, v = result.problem.grid.net, result.solution.v_mag[0]
    return float((net.shunt.g_mw * net.shunt.step * net.shunt.in_service * v[net.shunt.bus] ** 2).sum())


def _cost(net: ag.Network, result: OptimalPowerFlow) -> float:
    p = result.gen_p_mw[0]
    return float((net.gen.cost_c0_per_h + net.gen.cost_c1_per_mwh * p + net.gen.cost_c2_per_mw2h * p**2).sum())


def _beyond_demand(net: ag.Network, result: OptimalPowerFlow) -> float:
    return float(result.gen_p_mw[0].sum() - net.load.p_mw.sum())


def test_curtailment() -> None:
    """Wind that costs as much as the rest is still taken first when its curtailment counts."""
    net = ag.load("case30")
    fuel = np.array(["wind", "wind", "gas", "gas", "gas", "gas"], dtype=object)
    net = net.replace(
        gen=net.gen.replace(fuel=fuel, cost_c1_per_mwh=np.full(6, 3.0), cost_c2_per_mw2h=np.full(6, 0.02))
    )
    available = np.where(fuel == "wind", 40.0, net.gen.p_max_mw)
    plain = ag.optimal_power_flow(net, gen_p_max_mw=available)
    first = ag.optimal_power_flow(net, gen_p_max_mw=available, objective={"cost": 1.0, "curtailment": 10.0})
    assert first.gen_p_mw[0, :2].sum() > plain.gen_p_mw[0, :2].sum() + 1
    with pytest.raises(ag.InputError) as caught:
        ag.optimal_power_flow(ag.load("case9"), objective={"curtailment": 1.0, "beauty": 1.0, "losses": -1.0})
    assert len(caught.value.issues) == 3


def test_warm_start() -> None:
    net = ag.load("case118")
    sc = scaled(net, np.array([[1.01], [0.99]]))
    cold, base = ag.optimal_power_flow(net, sc), ag.optimal_power_flow(net)
    warm = ag.optimal_power_flow(net, sc, warm_start=base)
    np.testing.assert_allclose(warm.objective, cold.objective, rtol=1e-6)


def test_the_certificate_is_not_the_solver() -> None:
    """A point that is moved a little is not accepted any more."""
    net = ag.load("case30")
    good = ag.optimal_power_flow(net)
    from aurigrid.kernels.tile import REF
    from aurigrid.opf.conditions import conditions_of
    from aurigrid.opf.residuals import Point, residuals
    from aurigrid.opf.run import Run
    from aurigrid.powerflow.cases import NO_PAIRS, Cases

    run = Run(net, ag.Scenarios.base(net), ag.Scenarios.base(net), None, {"cost": 1.0}, 100, 1)
    raw = run.solve(None)
    assert isinstance(raw.judged, Residuals)
    assert isinstance(good, OptimalPowerFlow)
    at = conditions_of(raw.problem, run.sc, Cases.of(run.sc), NO_PAIRS, None)
    linear, quadratic = (
        c[None] * raw.scale[0] for c in (raw.problem.injection.linear, raw.problem.injection.quadratic)
    )

    def judge(**change: np.ndarray) -> float:
        parts = {
            "v": raw.v, "x": raw.x, "need": at.need, "free": at.live, "on": at.on, "alive": at.alive, "lo": at.lo, "hi": at.hi,
            "linear": linear, "quadratic": quadratic, "lam": raw.lam, "mu": raw.mu, "excess": raw.excess,
            "held": (raw.problem.grid.kind == REF)[None], "need_i": None, "need_z": None, "shape": at.shape,
        }  # fmt: skip
        return float(residuals(raw.problem, Point(**{**parts, **change})).kkt[0])

    assert judge() < 1e-6
    moved = raw.v.copy()
    moved[0, 3] *= 1.001
    assert judge(v=moved) > 1e-4
    assert judge(lam=raw.lam * 1.01) > 1e-4
    assert judge(mu=-np.abs(raw.mu) - 1e-3) > 1e-4
    assert judge(x=raw.x + 1e-3) > 1e-4
