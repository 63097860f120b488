"""Tap changers and shunts that step: where they end, what they report, and that the answer is the stepped network's own."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError

TARGET = 1.03
STEP = 0.0125


def with_taps(*branches: int, ends: tuple[int, int] = (-16, 16)) -> ag.Network:
    """case14, whose transformers to buses without a unit hold their to bus."""
    net = ag.load("case14")
    t = net.branch
    column = {name: np.array(getattr(t, name)) for name in ("regulated_bus", "regulated_v_pu", "tap_step_pu")}
    low, high = np.zeros(net.n_branch, np.int32), np.zeros(net.n_branch, np.int32)
    for k in branches:
        column["regulated_bus"][k], column["regulated_v_pu"][k] = t.to_bus[k], TARGET
        column["tap_step_pu"][k], low[k], high[k] = STEP, *ends
    return net.replace(branch=t.replace(**column, tap_min=low, tap_max=high))


def transformers(net: ag.Network) -> list[int]:
    """Branches with a ratio whose to bus no unit holds."""
    held = set(net.gen.bus.tolist())
    return [k for k in np.flatnonzero(net.branch.tap_ratio != 1).tolist() if net.branch.to_bus[k] not in held]


def test_taps_bring_voltages_within_their_deadband() -> None:
    taps = transformers(ag.load("case14"))
    net = with_taps(*taps)
    bus = net.branch.to_bus[taps]
    before = ag.power_flow(net).v_mag[0, bus]
    found = ag.stepped_power_flow(net, controls="taps")
    assert found.settled.all()
    after = found.solution.v_mag[0, bus]
    assert np.abs(before - TARGET).max() > 0.012
    # a step changes less than its own size of voltage
    assert np.abs(after - TARGET).max() < 0.6 * STEP
    # the network with these positions has the same solution
    again = ag.power_flow(found.network(0))
    np.testing.assert_allclose(again.v_mag, found.solution.v_mag, atol=1e-7)
    flow = again.branch_flow().s_from_mva
    np.testing.assert_allclose(found.of_branches(found.solution.branch_flow().s_from_mva), flow, atol=1e-4)
    moved = {move.element: move for move in found.moves}
    assert set(moved) <= set(taps)
    assert moved
    for k, move in moved.items():
        assert move.after == found.tap_position[0, k] != 0
        assert "ratio" in move.text


def test_scenarios_step_on_their_own() -> None:
    taps = transformers(ag.load("case14"))
    net = with_taps(*taps)
    factor = np.array([[0.6], [1.0], [1.4], [1.0]])
    sc = ag.Scenarios(
        net,
        load_p_mw=net.load.p_mw * factor,
        load_q_mvar=net.load.q_mvar * factor,
        branch_out=[None, None, None, taps[0]],
    )
    found = ag.stepped_power_flow(net, sc, controls="taps")
    assert found.settled.all()
    assert len({tuple(row) for row in found.tap_position[:, taps]}) > 2
    for s in range(sc.n):
        alone = ag.stepped_power_flow(net, sc[s], controls="taps")
        np.testing.assert_array_equal(alone.tap_position[0], found.tap_position[s])
        exact = ag.power_flow(found.network(s), sc[s].replace(net=found.network(s)))
        np.testing.assert_allclose(exact.v_mag[0], found.solution.v_mag[s], atol=1e-7)
    # the tap of the branch that is out has nothing to do
    assert found.tap_position[3, taps[0]] == 0


def test_parallel_transformers_share_what_is_needed() -> None:
    k = transformers(ag.load("case14"))[0]
    net = with_taps(k)
    columns = {f: np.append(getattr(net.branch, f), getattr(net.branch, f)[k]) for f in net.branch.to_frame().columns}
    columns["id"] = np.array([*net.branch.id.tolist(), "twin"], object)
    net = net.replace(branch=type(net.branch).make(net.n_branch + 1, **columns))
    found = ag.stepped_power_flow(net, controls="taps")
    assert found.settled.all()
    assert abs(found.tap_position[0, k] - found.tap_position[0, -1]) <= 1


def test_a_tap_at_its_end_is_settled_and_off() -> None:
    taps = transformers(ag.load("case14"))
    found = ag.stepped_power_flow(with_taps(*taps, ends=(-1, 1)), controls="taps")
    assert found.settled.all()
    assert (np.abs(found.tap_position) <= 1).all()
    bus = found.given.net.branch.to_bus[taps]
    assert np.abs(found.solution.v_mag[0, bus] - TARGET).max() > 0.6 * STEP


def test_shunts_keep_their_bus_within_its_band() -> None:
    net = ag.load("case14")
    s = net.shunt
    bus = int(s.bus[0])
    v = ag.power_flow(net).v_mag[0, bus]
    b = net.bus
    low = np.array(b.v_min_pu)
    low[bus] = v + 0.02
    net = net.replace(
        bus=b.replace(v_min_pu=low, v_max_pu=np.full(net.n_bus, 1.3)),
        shunt=s.replace(b_mvar=np.full(len(s), 5.0), step=np.ones(len(s)), step_max=np.full(len(s), 20)),
    )
    found = ag.stepped_power_flow(net, controls="shunts")
    assert found.settled.all()
    assert found.solution.v_mag[0, bus] >= low[bus] - 1e-9
    assert found.scenarios.values("shunt_step")[0, 0] == np.rint(found.scenarios.values("shunt_step")[0, 0]) > 1
    assert "Mvar" in found.moves[0].text
    # one step less leaves it outside
    fewer = found.scenarios.values("shunt_step") - 1
    assert ag.power_flow(net, found.scenarios.replace(shunt_step=fewer)).v_mag[0, bus] < low[bus]


def test_nothing_to_step() -> None:
    net = ag.load("case9")
    found = ag.stepped_power_flow(net)
    assert found.settled.all()
    assert not found.moves
    np.testing.assert_allclose(found.solution.v_mag, ag.power_flow(net).v_mag, atol=1e-8)


def test_a_scenario_without_solution_is_not_settled() -> None:
    net = with_taps(*transformers(ag.load("case14")))
    sc = ag.Scenarios(
        net, load_p_mw=net.load.p_mw * np.array([[1.0], [9.0]]), load_q_mvar=net.load.q_mvar * np.array([[1.0], [9.0]])
    )
    found = ag.stepped_power_flow(net, sc, controls="taps")
    assert found.settled.tolist() == [True, False]
    assert found.solution.converged.tolist() == [True, False]


@pytest.mark.parametrize("bad", [{"controls": "valves"}, {"deadband_steps": 0.5}, {"max_rounds": 0}, {"slack": "none"}])
def test_bad_options(bad: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ag.stepped_power_flow(ag.load("case14"), **bad)  # type: ignore[arg-type]
