"""Reconciliation: with the tools' own solutions it must agree; with a model that was changed it must say where."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from aurigrid.io.report import Import, ReportBuilder, SourceState
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable, ShuntTable, SwitchTable
from aurigrid.studies.balance import islands, nodes, power_balance
from aurigrid.studies.reconcile import reconcile


def two_bus_network(**branch):
    """One unit feeds one load over one branch; base 100 MVA."""
    return Network(
        bus=BusTable.make(id=[1, 2], v_nom_kv=110.0),
        branch=BranchTable.make(id=["L"], from_bus=[0], to_bus=[1], **{"r_pu": [0.02], "x_pu": [0.1], **branch}),
        gen=GenTable.make(id=["G"], bus=[0], v_set_pu=[1.02], regulates=[True], is_reference=[True]),
        load=LoadTable.make(id=["D"], bus=[1], p_mw=[40.0], q_mvar=[15.0]),
    )


def exact_voltages(r, x, v1, p, q):
    """Receiving-end voltage of a series branch in closed form: the quadratic in |v2|^2 of the textbook."""
    b = v1**2 / 2 - (r * p + x * q)
    v2 = math.sqrt(b + math.sqrt(b**2 - (r**2 + x**2) * (p**2 + q**2)))
    return v2, -math.asin((x * p - r * q) / (v1 * v2))


def imported(net, v_mag, v_ang_deg, *, solved=True, **state):
    report = ReportBuilder("test").finish(net)
    found = SourceState("closed form", solved, np.array(v_mag, float), np.array(v_ang_deg, float), **state)
    return Import(net, report, source_state=found)


@pytest.fixture
def exact():
    v2, angle = exact_voltages(0.02, 0.1, 1.02, 0.4, 0.15)
    return [1.02, v2], [0.0, math.degrees(angle)]


def test_closed_form_solution_balances_and_agrees(exact):
    net = two_bus_network()
    balance = power_balance(net, *map(np.array, exact))
    assert balance.worst_mva < 1e-10
    assert np.isnan(balance.p_mw[0])  # free at the reference
    assert np.isnan(balance.q_mvar[0])
    loss = balance.flow_mva.sum().real
    current = math.hypot(40, 15) / 100 / exact[0][1]
    assert loss == pytest.approx(0.02 * current**2 * 100)
    found = reconcile(imported(net, *exact))
    assert found.agrees
    assert found.our_status == "converged"
    assert found.comparison("voltage magnitude").largest < 1e-9
    assert found.comparison("voltage angle").largest < 1e-7


def test_angles_are_compared_relative_to_the_reference(exact):
    net = two_bus_network()
    turned = [a + 30 for a in exact[1]]
    assert reconcile(imported(net, exact[0], turned)).agrees
    assert reconcile(imported(net, exact[0], [a - 360 for a in exact[1]])).agrees


def test_a_wrong_reactance_shows_as_mismatch_at_the_named_bus(exact):
    net = two_bus_network(x_pu=[0.11])
    found = reconcile(imported(net, *exact))
    assert not found.agrees
    worst = found.comparison("reactive power balance").worst[0]
    assert worst.id == "2"
    # 10 % less susceptance at about 1 pu and an angle of about 2.2 degrees.
    assert abs(worst.difference) > 0.5
    assert any("2: " in line for line in found.lines())
    assert found.comparison("voltage magnitude").largest > 1e-4


def test_without_solving_only_the_balance_is_compared(exact):
    found = reconcile(imported(two_bus_network(), *exact), solve=False)
    assert found.our_status == "not solved"
    assert {c.quantity for c in found.comparisons} == {"voltage set-point"}
    assert found.agrees
    with pytest.raises(KeyError, match="compared were"):
        found.comparison("voltage magnitude")


def test_voltages_off_the_set_points_are_explained(exact):
    v2, angle = exact_voltages(0.02, 0.1, 1.0, 0.4, 0.15)
    found = reconcile(imported(two_bus_network(), [1.0, v2], [0, math.degrees(angle)]), solve=False)
    assert found.comparison("voltage set-point").largest == pytest.approx(0.02)
    assert any("off the set-points" in e for e in found.explain)


def test_rounded_states_are_explained(exact):
    rounded = [np.round(exact[0], 3), np.round(exact[1], 1)]
    found = reconcile(imported(two_bus_network(), *rounded), solve=False)
    assert not found.agrees
    assert any("carry 3 decimals" in e and "at 1 of 1 buses" in e for e in found.explain)


def test_states_without_phase_shift_are_explained(exact):
    net = two_bus_network(shift_deg=[30.0])
    found = reconcile(imported(net, *exact), solve=False)
    assert found.comparison("active power balance").largest > 10
    assert any("leave out the phase shift of 1 transformers" in e for e in found.explain)


def test_distributed_imbalance_is_explained():
    net = two_bus_network()
    second = GenTable.make(
        id=["G", "H"], bus=[0, 1], p_mw=[0, 10], v_set_pu=1.02, regulates=[True, False], is_reference=[True, False]
    )
    v2, angle = exact_voltages(0.02, 0.1, 1.02, 0.25, 0.15)  # H really delivers 15 MW
    found = reconcile(imported(net.replace(gen=second), [1.02, v2], [0, math.degrees(angle)]), solve=False)
    assert found.comparison("active power balance").largest == pytest.approx(5)
    assert any("the imbalance was distributed" in e for e in found.explain)


def test_flows_of_the_source_are_compared_branch_by_branch(exact):
    net = two_bus_network()
    flow = power_balance(net, *map(np.array, exact)).flow_mva
    state = {"p_from_mw": flow[0].real, "q_from_mvar": flow[0].imag, "p_to_mw": flow[1].real, "q_to_mvar": flow[1].imag}
    assert reconcile(imported(net, *exact, **state)).agrees
    state["p_to_mw"] = state["p_to_mw"] + 1.5
    found = reconcile(imported(net, *exact, **state))
    assert found.comparison("active flow, to end, at its voltages").worst[0].id == "L"
    assert found.comparison("active flow, to end").largest == pytest.approx(1.5, abs=1e-6)


def test_nothing_to_compare_with():
    net = two_bus_network()
    found = reconcile(Import(net, ReportBuilder("test").finish(net)))
    assert found.origin == ""
    assert not found.agrees
    assert found.lines() == ["nothing to reconcile with: the source stores no state"]


def test_to_dict_is_json(exact):
    found = reconcile(imported(two_bus_network(), *exact))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["agrees"] is True
    assert {c["quantity"] for c in data["balance"]} == {"active power balance", "reactive power balance"}


def test_unknown_voltages_of_empty_nodes_follow_from_their_neighbours():
    """A star point between source and load, and an open line end: both have no injection."""
    v2, angle = exact_voltages(0.02, 0.1, 1.02, 0.4, 0.15)
    net = two_bus_network()
    star = BusTable.make(id=[1, 2, "star", "open"], v_nom_kv=110.0)
    branch = BranchTable.make(
        id=["a", "b", "spur"], from_bus=[0, 2, 2], to_bus=[2, 1, 3], r_pu=[0.01, 0.01, 0.0], x_pu=[0.05, 0.05, 0.2]
    )
    net = net.replace(bus=star, branch=branch)
    balance = power_balance(
        net, np.array([1.02, v2, np.nan, np.nan]), np.array([0, math.degrees(angle), np.nan, np.nan])
    )
    assert list(balance.filled) == [False, False, True, True]
    assert balance.worst_mva < 1e-9
    assert abs(balance.flow_mva[0, 2]) < 1e-9


def test_switches_merge_and_islands_part():
    bus = BusTable.make(id=[1, 2, 3, 4, 5], v_nom_kv=110.0, in_service=[True, True, True, True, False])
    net = Network(
        bus=bus,
        branch=BranchTable.make(id=["L", "M"], from_bus=[1, 3], to_bus=[2, 2], x_pu=0.1, in_service=[True, False]),
        switch=SwitchTable.make(id=["S", "T", "U"], from_bus=[0, 2, 3], to_bus=[1, 3, 4], closed=[True, False, True]),
    )
    assert list(nodes(net)) == [0, 0, 2, 3, 4]
    assert list(islands(net)) == [0, 0, 0, 3, 4]


def test_shunts_and_zip_loads_draw_by_voltage():
    net = two_bus_network()
    v2, angle = exact_voltages(0.02, 0.1, 1.02, 0.4, 0.15)
    # The same demand at v2: half as constant impedance, and 5 Mvar of it from a reactor.
    load = LoadTable.make(
        id=["D"], bus=[1], p_mw=[40 / (0.5 + 0.5 * v2**2)], q_mvar=[10 / v2], p_share_z=[0.5], q_share_i=[1.0]
    )
    shunt = ShuntTable.make(id=["R"], bus=[1], b_mvar=[-2.5 / v2**2], step=[2.0], step_max=[2])
    balance = power_balance(
        net.replace(load=load, shunt=shunt), np.array([1.02, v2]), np.array([0, math.degrees(angle)])
    )
    assert balance.worst_mva < 1e-9


@pytest.mark.peer
@pytest.mark.parametrize(
    "name",
    [
        "ieee14",
        "ieee118",
        "ieee300",
        "four_substations_node_breaker_network",
        "eurostag_tutorial_example1_with_tie_lines_and_areas",
        "micro_grid_nl_network",
        "micro_grid_be_network",
    ],
)
def test_our_solution_agrees_with_openloadflow(name):
    pn = pytest.importorskip("pypowsybl.network")
    from aurigrid.io.powsybl import read_powsybl

    found = reconcile(read_powsybl(getattr(pn, f"create_{name}")(), reference=True))
    assert found.our_status == "converged"
    assert found.agrees, str(found)
    assert found.comparison("voltage magnitude").largest < 1e-8
    assert found.comparison("active flow, from end").largest < 1e-5


@pytest.mark.peer
def test_the_tool_is_asked_where_the_source_stores_nothing():
    pn = pytest.importorskip("pypowsybl.network")
    from aurigrid.io.powsybl import read_powsybl

    source = read_powsybl(pn.create_eurostag_tutorial_example1_network())
    assert reconcile(source, ask_tool=False).origin == ""
    found = reconcile(source)
    assert "OpenLoadFlow" in found.origin
    assert found.agrees


@pytest.mark.peer
@pytest.mark.parametrize("name", ["case9", "case57", "case300"])
def test_our_solution_agrees_with_pandapower(name):
    networks = pytest.importorskip("pandapower.networks")
    from aurigrid.io.pandapower import read_pandapower

    net = getattr(networks, name)()
    for table in [t for t in net if t.startswith("res_") and len(net[t])]:
        net[table] = net[table].iloc[:0]
    source = dataclasses.replace(read_pandapower(net), source_state=None)
    found = reconcile(source)
    assert "pandapower runpp" in found.origin
    assert found.agrees, str(found)
    assert net.res_bus.empty  # the caller's network is left as it was
