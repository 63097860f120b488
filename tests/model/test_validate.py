"""Validation: each fault is found alone and all of them together, by id, with a hint."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.rules import RULES
from aurigrid.model.table import Table
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.model.validate import check, require_valid, warnings_of


def changed(net: Network, table: str, **columns: object) -> Network:
    return net.replace(**{table: getattr(net, table).replace(**columns)})


def texts(net: Network) -> list[str]:
    return [str(issue) for issue in check(net)]


def test_a_sound_grid_has_no_issue(net: Network) -> None:
    assert check(net) == []
    assert warnings_of(net) == []
    assert require_valid(net) is net


FAULTS: list[tuple[str, Mapping[str, object], str]] = [
    ("bus", {"v_nom_kv": [110, 0, 110, -1, 110]}, "bus.v_nom_kv: must be greater than 0 for 2 buses (20, 40)"),
    ("bus", {"v_nom_kv": [110, np.nan, 110, 110, 110]}, "bus.v_nom_kv: is not a number for 1 bus (20)"),
    ("bus", {"v_min_pu": [1.2, 0.9, 0.9, 0.9, 0.9]}, "bus.v_min_pu: must not exceed v_max_pu for 1 bus (10)"),
    (
        "bus",
        {"id": [1, 2, 2, "2", 3]},
        "bus.id: must be unique, 1 id is used more than once (2); ids are compared as text",
    ),
    (
        "branch",
        {"r_pu": 0.0, "x_pu": [0.1, 0, 0.1, 0]},
        "branch.x_pu: must not be 0 with r_pu 0 for 2 branches (L2, L4)",
    ),
    ("branch", {"r_pu": 0.0, "x_pu": [1e-12, 0.1, 0.1, 0.1]}, "gives an impedance below 1e-09 pu for 1 branch (L1)"),
    ("branch", {"x_pu": [np.inf, 0.1, 0.1, 0.1]}, "branch.x_pu: is infinite for 1 branch (L1)"),
    ("branch", {"rate_mva": [0, 1, -5, 1]}, "branch.rate_mva: must be greater than 0 for 2 branches (L1, L3)"),
    ("branch", {"tap_ratio": [1, 0, 1, 1]}, "branch.tap_ratio: must be greater than 0 for 1 branch (L2)"),
    ("branch", {"angle_min_deg": 30, "angle_max_deg": 20}, "branch.angle_min_deg: must not exceed angle_max_deg for 4"),
    ("branch", {"tap_min": 3}, "branch.tap_min: must not exceed tap_max for 4 branches"),
    ("branch", {"tap_max": 5, "tap_pos": [0, 5, 6, -1]}, "branch.tap_pos: must lie between tap_min and tap_max for 2"),
    ("branch", {"regulated_bus": [1, -1, -1, -1]}, "branch.regulated_v_pu: must be positive where the tap holds"),
    ("branch", {"to_bus": [1, 2, 5, -1]}, "branch.to_bus: is not the position of a bus for 2 branches (L3, L4)"),
    ("branch", {"kind": [0, 1, 2, 4]}, "branch.kind: must lie between 0 and 3 for 1 branch (L4)"),
    ("branch", {"id": ["L1", "L2", "L1", "L2"]}, "branch.id: must be unique, 2 ids are used more than once (L1, L2)"),
    ("branch", {"id": ["L1", "", "L3", "L4"]}, "branch.id: is empty for 1 branch (row 1)"),
    ("gen", {"p_min_mw": 70.0}, "gen.p_min_mw: must not exceed p_max_mw for 1 unit (G2)"),
    ("gen", {"q_min_mvar": 5, "q_max_mvar": -5}, "gen.q_min_mvar: must not exceed q_max_mvar for 2 units (G1, G2)"),
    ("gen", {"p_mw": [np.nan, 1]}, "gen.p_mw: is not a number for 1 unit (G1)"),
    ("gen", {"v_set_pu": [1.0, -1.0]}, "gen.v_set_pu: must be greater than 0 for 1 unit (G2)"),
    ("gen", {"controlled_bus": [-1, 9]}, "gen.controlled_bus: is not the position of a bus for 1 unit (G2)"),
    ("gen", {"participation": -1}, "gen.participation: must not be less than 0 for 2 units"),
    (
        "gen",
        {"is_reference": False},
        "no unit in service is a reference (slack); mark is_reference for one, e.g. unit G1",
    ),
    ("load", {"p_share_z": [0.7, 0, 0], "p_share_i": [0.7, 0, 0]}, "plus p_share_i must not exceed 1 for 1 load (1)"),
    ("load", {"q_share_i": [-0.1, 0, 0]}, "load.q_share_i: must lie between 0 and 1 for 1 load (1)"),
    ("load", {"bus": [0, 0, 5]}, "load.bus: is not the position of a bus for 1 load (3); the grid has 5 buses"),
    ("shunt", {"b_mvar": np.nan}, "shunt.b_mvar: is not a number for 1 shunt (C1)"),
    (
        "storage",
        {"charge_efficiency": 1.5},
        "storage.charge_efficiency: must be above 0 and at most 1 for 1 store (B1)",
    ),
    ("storage", {"energy_mwh": 11}, "storage.energy_mwh: must not exceed energy_max_mwh for 1 store (B1)"),
    ("compensator", {"q_min_mvar": 20}, "compensator.q_min_mvar: must not exceed q_max_mvar for 1 compensator (SVC)"),
    ("hvdc", {"loss_share": 1.0}, "hvdc.loss_share: must be at least 0 and below 1 for 1 HVDC link (H1)"),
    ("hvdc", {"q_min_to_mvar": 1, "q_max_to_mvar": 0}, "hvdc.q_min_to_mvar: must not exceed q_max_to_mvar for 1 HVDC"),
    ("switch", {"from_bus": 7}, "switch.from_bus: is not the position of a bus for 1 switch (W1)"),
    ("cost_point", {"p_mw": [0, 50, 50]}, "cost_point.p_mw: must ascend from point to point for 1 unit (G1)"),
    ("cost_point", {"gen": [0, 0, 1]}, "cost_point.gen: has one point only for 1 unit (G2)"),
    ("cost_point", {"gen": [0, 0, 2]}, "cost_point.gen: is not the position of a unit for 1 cost point (row 2)"),
    (
        "capability",
        {"q_min_mvar": 25.0},
        "capability.q_min_mvar: must not exceed q_max_mvar for 1 capability point (G2)",
    ),
    ("capability", {"p_mw": [60, 0]}, "capability.p_mw: must ascend from point to point for 1 unit (G2)"),
]


@pytest.mark.parametrize(("table", "columns", "message"), FAULTS, ids=lambda v: v if isinstance(v, str) else "")
def test_one_fault_is_one_issue(net: Network, table: str, columns: Mapping[str, object], message: str) -> None:
    issues = texts(changed(net, table, **columns))
    assert len(issues) == 1
    assert message in issues[0]


def test_all_faults_are_raised_together(net: Network) -> None:
    for table, columns in (
        ("bus", {"v_nom_kv": 0.0}), ("branch", {"r_pu": 0.0, "x_pu": 0.0}), ("load", {"p_mw": np.nan}),
        ("gen", {"bus": 99}), ("storage", {"discharge_efficiency": 0.0}),
    ):  # fmt: skip
        net = changed(net, table, **columns)
    with pytest.raises(InputError) as caught:
        require_valid(net.replace(base_mva=0.0, frequency_hz=np.nan))
    fields = {(issue.table, issue.field) for issue in caught.value.issues}
    assert fields == {
        ("grid", "base_mva"), ("grid", "frequency_hz"), ("bus", "v_nom_kv"), ("branch", "x_pu"), ("load", "p_mw"),
        ("gen", "bus"), ("storage", "discharge_efficiency"),
    }  # fmt: skip


def test_every_rule_names_a_column_of_its_table() -> None:
    kinds = Network.table_types()
    assert [r for r in RULES if r.field not in kinds[r.table].columns()] == []


def test_negative_reactance_is_legal_and_negative_resistance_is_a_warning(net: Network) -> None:
    assert check(changed(net, "branch", x_pu=[-0.05, 0.1, 0.1, 0.1])) == []
    odd = changed(net, "branch", r_pu=[-0.01, 0.01, 0.01, 0.01])
    assert check(odd) == []
    assert "branch.r_pu: is negative for 1 branch (L1)" in str(warnings_of(odd)[0])


def test_an_empty_grid_is_refused() -> None:
    assert "the grid has no buses" in texts(Network(bus=BusTable.empty()))[0]


def two_islands(**gen: object) -> Network:
    """Buses a-b with the reference, buses c-d apart from them with a load and the given units."""
    units: Table = GenTable.make(
        id=["ref", "small", "big"], bus=[0, 2, 3], p_max_mw=[100, 10, 50], p_mw=5.0,
        is_reference=[True, False, False], **gen,
    )  # fmt: skip
    return Network(
        bus=BusTable.make(id=list("abcd"), v_max_pu=1.1),
        branch=BranchTable.make(id=["ab", "cd"], from_bus=[0, 2], to_bus=[1, 3], x_pu=0.1, rate_mva=10.0),
        gen=units,  # type: ignore[arg-type]
        load=LoadTable.make(id=["D"], bus=[2], p_mw=7.5),
    )


def test_an_island_with_units_needs_a_reference() -> None:
    (issue,) = texts(two_islands(regulates=True))
    assert issue == (
        "gen.is_reference: no unit is a reference (slack) in an island of 2 buses (c, d); "
        "mark is_reference for one, e.g. unit big, the largest there"
    )
    assert "unit small" in texts(two_islands(regulates=[True, True, False]))[0]
    assert "unit big" in texts(two_islands(regulates=[True, False, False]))[0]


def test_an_island_without_units_is_a_warning() -> None:
    dark = two_islands(in_service=[True, False, False])
    assert check(dark) == []
    (issue,) = warnings_of(dark)
    assert str(issue) == "bus: without supply, de-energised with 7.5 MW of load, for 2 buses (c, d)"


def test_isolated_buses_are_a_warning(net: Network) -> None:
    lone = changed(changed(net, "switch", closed=False), "load", bus=[1, 3, 0])
    assert [str(w) for w in warnings_of(lone)] == [
        "bus: isolated, nothing connects to it and it has no load, for 1 bus (S1)"
    ]


def test_a_reference_on_a_bus_out_of_service_does_not_count(net: Network) -> None:
    off = changed(net, "bus", in_service=[False, True, True, True, True])
    assert "no unit in service is a reference (slack); mark is_reference for one, e.g. unit G2" in texts(off)[0]


WARNINGS: list[tuple[str, Mapping[str, object], str]] = [
    ("branch", {"rate_mva": [np.inf, 1, 1, 1]}, "branch.rate_mva: is missing for 1 branch (L1)"),
    ("branch", {"r_pu": [3.0, 0, 0, 0]}, "branch.r_pu: is more than 20 times x_pu for 1 branch (L1)"),
    ("branch", {"from_bus": [1, 1, 2, 3]}, "branch.to_bus: is the from_bus for 1 branch (L1)"),
    ("gen", {"v_set_pu": [1.02, 1.2]}, "gen.v_set_pu: lies outside the voltage limits of the bus for 1 unit (G2)"),
    ("gen", {"controlled_bus": 1, "v_set_pu": [1, 1.01]}, "gen.v_set_pu: differs between units that hold the same bus"),
    ("shunt", {"step": 3}, "shunt.step: exceeds step_max for 1 shunt (C1)"),
    (
        "bus",
        {"in_service": [True, True, True, True, False]},
        "load.in_service: on a bus that is out of service, so without effect, for 1 load (3)",
    ),
]


@pytest.mark.parametrize(("table", "columns", "message"), WARNINGS, ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_legal_but_rarely_meant(net: Network, table: str, columns: Mapping[str, object], message: str) -> None:
    odd = changed(net, table, **columns)
    assert check(odd) == []
    assert message in "\n".join(map(str, warnings_of(odd)))


@given(st.sets(st.integers(0, 199), max_size=20))
def test_exactly_the_broken_rows_are_named(broken: set[int]) -> None:
    x = np.full(200, 0.1)
    x[list(broken)] = 0.0
    ring = np.arange(200)
    net = Network(
        bus=BusTable.make(id=ring),
        branch=BranchTable.make(id=ring, from_bus=ring, to_bus=(ring + 1) % 200, x_pu=x),
        gen=GenTable.make(id=[0], bus=[0], is_reference=True),
    )
    named = {int(i) for issue in check(net) for i in issue.ids}
    assert named == broken


def test_large_grids_take_well_under_a_second() -> None:
    n = 82_000
    ring = np.arange(n)
    net = Network(
        bus=BusTable.make(id=ring),
        branch=BranchTable.make(id=ring, from_bus=ring, to_bus=(ring + 1) % n, x_pu=0.1, r_pu=0.01),
        gen=GenTable.make(id=["G"], bus=[0], is_reference=True),
    )
    begin = time.process_time()
    assert check(net) == []
    # Python loops over rows would take tens of seconds; vector operations take a twentieth of one.
    assert time.process_time() - begin < 5.0
