"""Newton against OpenLoadFlow (pypowsybl): built-in networks, distributed slack, reactive limits, N-1 by its security
analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.io.powsybl import read_powsybl
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from oracle import Condition, mismatch_pu

pytest.importorskip("pypowsybl", reason="compares with OpenLoadFlow")
pytestmark = pytest.mark.peer

V_PU, ANGLE_RAD, FLOW_MVA = 1e-8, 1e-8, 1e-5
IEEE = ("ieee9", "ieee14", "ieee30", "ieee57", "ieee118", "ieee300")
OTHERS = (
    "eurostag_tutorial_example1_network", "eurostag_tutorial_example1_with_more_generators_network",
    "eurostag_tutorial_example1_with_tie_lines_and_areas", "four_substations_node_breaker_network",
    "metrix_tutorial_six_buses_network", "micro_grid_be_network", "micro_grid_nl_network",
)  # fmt: skip
_PROVIDER = {
    "newtonRaphsonConvEpsPerEq": "1e-11", "maxNewtonRaphsonIterations": "50", "maxOuterLoopIterations": "100",
    "slackBusPMaxMismatch": "1e-6", "maxReactivePowerMismatch": "1e-9", "reactiveLimitsMaxPqPvSwitch": "10",
    "minPlausibleTargetVoltage": "0.5", "maxPlausibleTargetVoltage": "1.5", "useActiveLimits": "false",
    "slackBusSelectionMode": "NAME",
}  # fmt: skip


def built_in(name: str) -> Any:
    import pypowsybl.network

    return getattr(pypowsybl.network, f"create_{name}")()


def parameters(source: Any, net: Network, *, distributed: bool = False, limits: bool = False) -> Any:
    """OpenLoadFlow's options: slack at our reference, taps, shunts and links held."""
    import pypowsybl.loadflow as lf

    views = source.get_bus_breaker_view_buses(all_attributes=True)["bus_id"]
    slack = views[net.bus.id[net.gen.bus[net.gen.is_reference][0]]]
    return lf.Parameters(
        distributed_slack=distributed, use_reactive_limits=limits, transformer_voltage_control_on=False,
        phase_shifter_regulation_on=False, shunt_compensator_voltage_control_on=False, hvdc_ac_emulation=False,
        read_slack_bus=False, write_slack_bus=False, provider_parameters=_PROVIDER | {"slackBusesIds": slack},
    )  # fmt: skip


def voltages(net: Network, buses: Any) -> tuple[np.ndarray, np.ndarray]:
    """Voltages of a frame by bus id, in our order, pu and rad."""
    found = buses.reindex(net.bus.id)
    return found.v_mag.to_numpy(dtype=float) / net.bus.v_nom_kv, np.radians(found.v_angle.to_numpy(dtype=float))


def near(sol: ag.Solution, row: int, v_mag: np.ndarray, v_ang: np.ndarray, angle_rad: float = ANGLE_RAD) -> None:
    """OpenLoadFlow turns all angles so that its slack is at 0."""
    both = np.isfinite(v_mag) & np.isfinite(sol.v_mag[row])
    assert both.any()
    np.testing.assert_allclose(sol.v_mag[row, both], v_mag[both], atol=V_PU)
    turn = sol.v_ang[row] - v_ang
    turn -= turn[sol.net.gen.bus[sol.net.gen.is_reference][0]]
    assert np.abs(turn[both] - 2 * np.pi * np.round(turn[both] / (2 * np.pi))).max() < angle_rad


@pytest.mark.parametrize("name", [*IEEE, *OTHERS])
def test_base_case(name: str) -> None:
    imported = read_powsybl(built_in(name), reference=True)
    net, state = imported.network, imported.source_state
    assert state is not None
    assert state.solved
    sol = ag.power_flow(net, tol_pu=1e-11)
    assert sol.status[0] == ag.Status.CONVERGED
    near(sol, 0, state.v_mag_pu, np.radians(state.v_ang_deg))
    flow = sol.branch_flow()
    for ours, theirs in (
        (flow.p_from_mw, state.p_from_mw),
        (flow.q_from_mvar, state.q_from_mvar),
        (flow.p_to_mw, state.p_to_mw),
    ):
        known = np.isfinite(theirs) & np.isfinite(ours[0])
        assert known.any()
        np.testing.assert_allclose(ours[0, known], theirs[known], atol=FLOW_MVA)


@pytest.mark.parametrize("name", IEEE)
def test_reactive_limits(name: str) -> None:
    import pypowsybl.loadflow as lf

    source = built_in(name)
    net = read_powsybl(source).network
    result = lf.run_ac(source, parameters(source, net, limits=True), provider="OpenLoadFlow")
    assert result[0].status == lf.ComponentStatus.CONVERGED
    sol = ag.power_flow(net, q_limits=True, tol_pu=1e-11)
    assert sol.status[0] == ag.Status.CONVERGED
    near(sol, 0, *voltages(net, source.get_bus_breaker_view_buses()))
    if name in ("ieee118", "ieee300"):
        assert np.sum(sol.held[0] != 0) >= 6  # the limits matter


@pytest.mark.parametrize("name", IEEE)
@pytest.mark.parametrize("limits", [False, True])
def test_distributed_slack(name: str, limits: bool) -> None:
    """By p_max_mw, as OpenLoadFlow does, to its about 1e-6 MW. It leaves out units at rest, and a unit that draws power
    goes up to 0 and no further (three units of ieee300); both are told to ours as shares and set-points."""
    import pypowsybl.loadflow as lf

    source = built_in(name)
    net = read_powsybl(source).network
    result = lf.run_ac(source, parameters(source, net, distributed=True, limits=limits), provider="OpenLoadFlow")
    assert result[0].status == lf.ComponentStatus.CONVERGED
    gen = net.gen
    stops = (name == "ieee300") & (gen.p_mw < 0) & (gen.p_mw > -7)  # each unit there gives 7.36 MW more
    share = np.where((gen.p_mw != 0) & ~stops, gen.p_max_mw, 0.0)
    net = net.replace(gen=gen.replace(participation=share, p_mw=np.where(stops, 0, gen.p_mw)))
    sol = ag.power_flow(net, q_limits=limits, slack="distributed", tol_pu=1e-11)
    v_mag, v_ang = voltages(net, source.get_bus_breaker_view_buses())
    assert np.nanmax(np.abs(sol.v_mag[0] - v_mag)) < 1e-7
    near_angle = sol.v_ang[0] - v_ang
    assert np.ptp(near_angle) < 2e-6
    units = source.get_generators()
    theirs = -units.p.reindex(net.gen.id).to_numpy(dtype=float)
    np.testing.assert_allclose(sol.gen_p_mw[0], theirs, atol=1e-3)


@pytest.mark.parametrize("name", ["ieee14", "ieee118", "ieee300"])
def test_every_branch_outage(name: str) -> None:
    """Outage by outage against the security analysis: the same outcome, voltages and flows, splits included."""
    import pypowsybl.security as security

    source = built_in(name)
    net = read_powsybl(source).network
    ids = list(net.branch.id)
    analysis = security.create_analysis()
    analysis.add_single_element_contingencies(ids)
    analysis.add_monitored_elements(voltage_level_ids=list(source.get_voltage_levels().index), branch_ids=ids)
    chosen = security.Parameters(load_flow_parameters=parameters(source, net))
    found = analysis.run_ac(source, chosen, provider="OpenLoadFlow")
    sol = ag.power_flow(net, Scenarios(net, branch_out=[[k] for k in range(net.n_branch)]), tol_pu=1e-11)
    flow = sol.branch_flow()
    buses, branches = found.bus_results, found.branch_results
    islanded = 0
    for k, id in enumerate(ids):
        theirs = found.post_contingency_results[id].status
        assert (theirs.name == "CONVERGED") == sol.converged[k], id
        if not sol.converged[k]:
            continue
        islanded += sol.status[k] == ag.Status.ISLANDED
        v_mag, v_ang = voltages(net, buses.xs(id, level="contingency_id").reset_index().set_index("bus_id"))
        # a bus without supply is missing from its results, NaN in ours
        assert np.array_equal(np.isfinite(v_mag), np.isfinite(sol.v_mag[k])), f"{id}: other buses are without supply"
        if np.isnan(v_mag[net.gen.bus[net.gen.is_reference]]).any():
            # cut off; each tool gives the balance to a unit of its own choice, so only the balance can be checked
            assert mismatch_pu(Condition(net, sol.cases.scenarios, k), sol.v_mag[k], sol.v_ang[k]) < 1e-10
            continue
        near(sol, k, v_mag, v_ang)
        p = branches.xs(id, level="contingency_id").reset_index().set_index("branch_id").reindex(ids)
        known = np.isfinite(p.p1.to_numpy(dtype=float))
        known[k] = False
        np.testing.assert_allclose(flow.p_from_mw[k, known], p.p1.to_numpy(dtype=float)[known], atol=FLOW_MVA)
        np.testing.assert_allclose(flow.q_to_mvar[k, known], p.q2.to_numpy(dtype=float)[known], atol=FLOW_MVA)
    assert islanded == {"ieee14": 1, "ieee118": 9, "ieee300": 86}[name]
