"""The pypowsybl reader against OpenLoadFlow: its solution must balance in our network, to its own tolerance.

The check needs no engine of ours: OpenLoadFlow's voltages go into a dense admittance matrix of the imported network.
"""

from __future__ import annotations

import math
import zipfile

import numpy as np
import pytest
from dense import mismatch_mva, node_of_bus

from aurigrid.errors import InputError
from aurigrid.io.powsybl import read_powsybl, reference_state
from aurigrid.io.powsybl_solve import pypowsybl

pn = pytest.importorskip("pypowsybl.network")
pytestmark = pytest.mark.peer

TOLERANCE_MVA = 1e-6
BUILT_IN = [
    "ieee9",
    "ieee14",
    "ieee30",
    "ieee57",
    "ieee118",
    "ieee300",
    "eurostag_tutorial_example1_network",
    "eurostag_tutorial_example1_with_more_generators_network",
    "eurostag_tutorial_example1_with_tie_lines_and_areas",
    "four_substations_node_breaker_network",
    "metrix_tutorial_six_buses_network",
    "micro_grid_be_network",
    "micro_grid_nl_network",
]


def built_in(name):
    return getattr(pn, f"create_{name}")()


def check_balance(imported):
    """Every known node balances at OpenLoadFlow's voltages, and they stand at our set-points."""
    net, state = imported.network, imported.source_state
    assert state is not None
    assert state.solved
    assert np.abs(mismatch_mva(net, state)).max() < TOLERANCE_MVA
    for table in (net.gen, net.compensator):
        for k in np.flatnonzero(table.in_service & table.regulates):
            held = table.controlled_bus[k] if table.controlled_bus[k] >= 0 else table.bus[k]
            if np.isfinite(state.v_mag_pu[held]):
                assert state.v_mag_pu[held] == pytest.approx(table.v_set_pu[k], abs=1e-9)
    return net, state


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_networks_balance_at_the_peers_solution(name):
    source = built_in(name)
    net, state = check_balance(read_powsybl(source, reference=True))
    real = len(source.get_bus_breaker_view_buses())
    assert list(net.bus.id[:real]) == list(source.get_bus_breaker_view_buses().index)
    solved = np.isfinite(state.v_mag_pu[:real])
    assert solved.any()
    assert np.array_equal(solved, [bool(v) for v in source.get_bus_breaker_view_buses(all_attributes=True)["bus_id"]])


@pytest.mark.parametrize("name", ["ieee57", "four_substations_node_breaker_network", "micro_grid_be_network"])
def test_flows_of_the_peer_follow_from_its_voltages(name):
    imported = read_powsybl(built_in(name), reference=True)
    net, state, node = imported.network, imported.source_state, node_of_bus(imported.network)
    v = state.v_mag_pu * np.exp(1j * np.radians(state.v_ang_deg))
    b = net.branch
    compared = 0
    for k in np.flatnonzero(b.in_service & (b.kind != 2)):
        i, j = node[b.from_bus[k]], node[b.to_bus[k]]
        y, t = 1 / complex(b.r_pu[k], b.x_pu[k]), b.tap_ratio[k] * np.exp(1j * np.radians(b.shift_deg[k]))
        drawn = (y + complex(b.g_from_pu[k], b.b_from_pu[k])) / abs(t) ** 2 * v[i] - y / np.conj(t) * v[j]
        s = v[i] * np.conj(drawn) * net.base_mva
        assert s.real == pytest.approx(state.p_from_mw[k], abs=1e-5)
        assert s.imag == pytest.approx(state.q_from_mvar[k], abs=1e-5)
        compared += 1
    assert compared >= 3


def test_counts_and_totals_follow_the_source():
    source = built_in("ieee118")
    net = read_powsybl(source).network
    assert (net.n_bus, net.n_gen, net.n_load) == (118, len(source.get_generators()), len(source.get_loads()))
    assert net.n_branch == len(source.get_lines()) + len(source.get_2_windings_transformers())
    assert net.load.p_mw.sum() == pytest.approx(source.get_loads()["p0"].sum())
    assert net.gen.p_mw.sum() == pytest.approx(source.get_generators()["target_p"].sum())


def test_the_slack_terminal_of_the_source_is_the_reference():
    imported = read_powsybl(built_in("ieee300"))
    assert list(imported.network.gen.id[imported.network.gen.is_reference]) == ["B7049-G"]
    assert not [n for n in imported.report.approximated if n.table == "slack"]


def test_a_slack_chosen_here_is_reported():
    imported = read_powsybl(built_in("eurostag_tutorial_example1_network"))
    (note,) = [n for n in imported.report.approximated if n.table == "slack"]
    assert note.ids == ("GEN",)


@pytest.mark.parametrize(
    "name, format, suffix",
    [
        ("micro_grid_be_network", "XIIDM", "xiidm"),
        ("micro_grid_nl_network", "JIIDM", "jiidm"),
        ("four_substations_node_breaker_network", "CGMES", "zip"),
        ("eurostag_tutorial_example1_with_tie_lines_and_areas", "CGMES", "zip"),
        ("micro_grid_be_network", "MATPOWER", "mat"),
        ("four_substations_node_breaker_network", "PSS/E", "raw"),
        ("ieee300", "PSS/E", "raw"),
    ],
)
def test_files_balance_at_the_peers_solution(tmp_path, name, format, suffix):
    file = tmp_path / f"grid.{suffix}"
    built_in(name).save(str(file), format=format)
    imported = read_powsybl(file, reference=True)
    check_balance(imported)
    assert imported.network.name == "grid"
    assert imported.report.source == str(file)


def test_a_cgmes_folder_is_read_like_its_zip(tmp_path):
    file = tmp_path / "grid.zip"
    built_in("four_substations_node_breaker_network").save(str(file), format="CGMES")
    plain, zips = tmp_path / "plain", tmp_path / "zips"
    zips.mkdir()
    with zipfile.ZipFile(file) as archive:
        archive.extractall(plain)
    for profile in plain.iterdir():
        with zipfile.ZipFile(zips / f"{profile.stem}.zip", "w") as archive:
            archive.write(profile, profile.name)
    from_zip = read_powsybl(file).network
    assert read_powsybl(plain).network.digest == from_zip.digest
    assert read_powsybl(zips).network.digest == from_zip.digest


def test_a_tie_line_is_one_branch_of_both_halves():
    source = built_in("eurostag_tutorial_example1_with_tie_lines_and_areas")
    net = read_powsybl(source).network
    row = list(net.branch.id).index("NHV1_NHV2_1")
    half = source.get_boundary_lines().loc[["NHV1_XNODE1", "XNODE1_NHV2"]]
    base = 380.0**2 / 100
    assert net.branch.x_pu[row] == pytest.approx(half["x"].sum() / base)
    assert net.branch.b_from_pu[row] == pytest.approx(half["b"].iloc[0] * base)
    assert list(net.bus.area[[0, 1]]) == ["ControlArea_A", "ControlArea_A"]


def test_solved_positions_are_those_of_the_stored_state():
    source = built_in("micro_grid_be_network")
    given, solved = read_powsybl(source), read_powsybl(source, solved_positions=True)
    moved = source.get_ratio_tap_changers(all_attributes=True)
    id = moved.index[moved["tap"] != moved["solved_tap_position"]][0]
    row = list(given.network.branch.id).index(id)
    assert given.network.branch.tap_pos[row] == moved["tap"][id]
    assert solved.network.branch.tap_pos[row] == moved["solved_tap_position"][id]
    assert any("positions differ" in r for r in given.source_state.remarks)
    # The stored state is rounded; at the positions it belongs to it balances to about a MVA, at the others it does not.
    assert np.abs(mismatch_mva(solved.network, solved.source_state)).max() < 1.0
    assert np.abs(mismatch_mva(given.network, given.source_state)).max() > 100.0
    check_balance(read_powsybl(source, reference=True, solved_positions=True))


def test_taps_span_the_sources_range():
    source = built_in("micro_grid_be_network")
    net = read_powsybl(source).network
    changer = source.get_ratio_tap_changers(all_attributes=True).iloc[0]
    steps = source.get_ratio_tap_changer_steps().loc[changer.name]
    row = list(net.branch.id).index(changer.name)
    assert (net.branch.tap_min[row], net.branch.tap_max[row]) == (changer["low_tap"], changer["high_tap"])
    ratio = net.branch.tap_ratio[row] * steps["rho"].loc[changer["tap"]] / steps["rho"]
    span = (ratio.iloc[-1] - ratio.iloc[0]) / (len(steps) - 1)
    assert net.branch.tap_step_pu[row] == pytest.approx(span)


def test_ratings_are_the_current_limits_at_nominal_voltage():
    source = built_in("four_substations_node_breaker_network")
    net = read_powsybl(source).network
    row = list(net.branch.id).index("LINE_S3S4")
    limits = source.get_loading_limits(all_attributes=True).loc["LINE_S3S4"].reset_index()
    permanent = limits[limits["acceptable_duration"] == -1]["value"].min()
    assert net.branch.rate_mva[row] == pytest.approx(math.sqrt(3) * 400 * permanent / 1000)
    temporary = limits[(limits["acceptable_duration"] >= 0) & (limits["value"] < 1e300)]
    assert net.branch.rate_emergency_mva[row] == pytest.approx(math.sqrt(3) * 400 * temporary["value"].max() / 1000)


def test_capability_curves_come_with_their_points():
    source = built_in("four_substations_node_breaker_network")
    net = read_powsybl(source).network
    gh1 = list(net.gen.id).index("GH1")
    points = source.get_reactive_capability_curve_points().loc["GH1"]
    mine = net.capability.gen == gh1
    assert list(net.capability.p_mw[mine]) == list(points["p"])
    assert list(net.capability.q_min_mvar[mine]) == list(points["min_q"])
    assert net.gen.q_min_mvar[gh1] == points["min_q"].min()


def test_open_line_end_keeps_its_charging():
    source = built_in("ieee14")
    source.update_lines(id="L1-2-1", connected2=False)
    imported = read_powsybl(source, reference=True)
    net, state = check_balance(imported)
    row = list(net.branch.id).index("L1-2-1")
    assert net.branch.in_service[row]
    assert net.bus.id[net.branch.to_bus[row]] == "L1-2-1:open2"
    # Nothing but the line's own charging flows into it.
    charge = (net.branch.b_from_pu[row] + net.branch.b_to_pu[row]) * net.base_mva * state.v_mag_pu[0] ** 2
    assert state.q_from_mvar[row] == pytest.approx(-charge, rel=0.05)


def test_switch_opened_at_one_line_end_and_island_held_by_a_compensator():
    source = built_in("four_substations_node_breaker_network")
    source.open_switch("S3VL1_LINES3S4_BREAKER")
    net, _ = check_balance(read_powsybl(source, reference=True))
    assert "S4VL1_4:reference" in set(net.gen.id)
    assert not net.switch.closed[list(net.switch.id).index("S3VL1_LINES3S4_BREAKER")]


def test_disconnected_elements_are_out_of_service():
    source = built_in("four_substations_node_breaker_network")
    for id in ("GH1", "LD3", "LINE_S2S3"):
        assert source.disconnect(id)
    net, _ = check_balance(read_powsybl(source, reference=True))
    assert not net.gen.in_service[list(net.gen.id).index("GH1")]
    assert not net.load.in_service[list(net.load.id).index("LD3")]
    assert not net.branch.in_service[list(net.branch.id).index("LINE_S2S3")]


def test_a_line_without_impedance_becomes_a_switch():
    source = built_in("ieee14")
    source.update_lines(id="L4-5-1", r=0, x=0, b1=0, b2=0)
    imported = read_powsybl(source, reference=True)
    net, _ = check_balance(imported)
    assert list(net.switch.id) == ["L4-5-1"]
    assert any("L4-5-1" in n.ids for n in imported.report.merged)


def test_a_line_without_impedance_keeps_its_charging():
    source = built_in("ieee14")
    source.update_lines(id="L4-5-1", r=0, x=0, b1=1e-4, b2=2e-4)
    imported = read_powsybl(source)
    shunt = imported.network.shunt
    kv = imported.network.bus.v_nom_kv[imported.network.switch.from_bus[0]]
    row = list(shunt.id).index("L4-5-1:to")
    assert shunt.b_mvar[row] == pytest.approx(2e-4 * kv**2)
    assert any("which OpenLoadFlow drops" in n.why for n in imported.report.merged)


def test_remote_voltage_control():
    source = built_in("ieee14")
    load = source.get_loads(all_attributes=True).iloc[2]
    kv = source.get_voltage_levels()["nominal_v"][load["voltage_level_id"]]
    source.update_generators(id="B2-G", regulated_element_id=load.name, target_v=1.01 * kv)
    net, _ = check_balance(read_powsybl(source, reference=True))
    row = list(net.gen.id).index("B2-G")
    assert net.bus.id[net.gen.controlled_bus[row]] == load["bus_breaker_bus_id"]
    assert net.gen.v_set_pu[row] == pytest.approx(1.01)


def test_hvdc_losses_and_converters():
    source = built_in("four_substations_node_breaker_network")
    net, _ = check_balance(read_powsybl(source, reference=True))
    link = list(net.hvdc.id).index("HVDC2")
    sent = net.hvdc.p_mw[link]
    assert sent == 80.0
    arrived = sent - net.hvdc.loss_fixed_mw[link] - net.hvdc.loss_share[link] * sent
    # OpenLoadFlow's own terminal powers of that link, from its solution of the same network.
    module = pypowsybl()
    module.loadflow.run_ac(source)
    stations = source.get_lcc_converter_stations()
    assert stations["p"]["LCC1"] == pytest.approx(sent)
    assert -stations["p"]["LCC2"] == pytest.approx(arrived, abs=1e-6)
    assert stations["q"]["LCC2"] == pytest.approx(-net.hvdc.q_to_mvar[link], abs=1e-6)


def test_hvdc_open_at_one_end_leaves_the_other_converter_its_voltage_control():
    source = built_in("four_substations_node_breaker_network")
    source.disconnect("VSC2")
    net, _ = check_balance(read_powsybl(source, reference=True))
    assert not net.hvdc.in_service[list(net.hvdc.id).index("HVDC1")]
    assert net.compensator.regulates[list(net.compensator.id).index("VSC1:voltage")]


def test_batteries_and_compensators():
    source = built_in("eurostag_tutorial_example1_network")
    source.create_batteries(
        id="BAT", voltage_level_id="VLHV1", bus_id="NHV1", min_p=-50, max_p=60, target_p=20, target_q=5
    )
    source.create_extensions("voltageRegulation", id="BAT", voltage_regulator_on=True, target_v=395.0)
    source.create_static_var_compensators(
        id="SVC", voltage_level_id="VLHV2", bus_id="NHV2", b_min=-0.01, b_max=0.01,
        regulation_mode="REACTIVE_POWER", target_q=30, regulating=True,
    )  # fmt: skip
    net, _ = check_balance(read_powsybl(source, reference=True))
    assert (net.storage.p_mw[0], net.storage.p_min_mw[0], net.storage.p_max_mw[0]) == (20, -50, 60)
    assert net.compensator.q_mvar[list(net.compensator.id).index("SVC")] == -30
    assert net.compensator.q_max_mvar[list(net.compensator.id).index("SVC")] == pytest.approx(0.01 * 380**2)
    assert net.compensator.v_set_pu[list(net.compensator.id).index("BAT:voltage")] == pytest.approx(395 / 380)


def test_coordinates_areas_and_participation():
    source = built_in("eurostag_tutorial_example1_network")
    source.create_extensions("substationPosition", id="P1", latitude=48.5, longitude=2.25)
    source.create_extensions("entsoeArea", id="P2", code="BE")
    source.create_extensions("activePowerControl", id="GEN", droop=4.0, participate=True, participation_factor=1.5)
    net = read_powsybl(source).network
    assert (net.bus.lat[0], net.bus.lon[0]) == (48.5, 2.25)
    assert math.isnan(net.bus.lat[2])
    assert net.bus.area[2] == "BE"
    assert net.gen.participation[0] == 1.5


XIIDM_MODELS = """<?xml version="1.0" encoding="UTF-8"?>
<iidm:network xmlns:iidm="http://www.powsybl.org/schema/iidm/1_10" id="models" caseDate="2020-01-01T00:00:00.000Z"
 forecastDistance="0" sourceFormat="test" minimumValidationLevel="STEADY_STATE_HYPOTHESIS">
 <iidm:substation id="S" country="FR">
  <iidm:voltageLevel id="V" nominalV="100" topologyKind="BUS_BREAKER">
   <iidm:busBreakerTopology><iidm:bus id="A"/><iidm:bus id="B"/></iidm:busBreakerTopology>
   <iidm:generator id="G" energySource="WIND" minP="0" maxP="100" voltageRegulatorOn="true" targetP="10" targetV="103"
    targetQ="0" bus="A" connectableBus="A"><iidm:minMaxReactiveLimits minQ="-100" maxQ="100"/></iidm:generator>
   <iidm:load id="zip" loadType="UNDEFINED" p0="30" q0="15" bus="B" connectableBus="B">
    <iidm:zipModel c0p="0.5" c1p="0.3" c2p="0.2" c0q="0.1" c1q="0.2" c2q="0.7"/></iidm:load>
   <iidm:load id="exponential" loadType="UNDEFINED" p0="10" q0="5" bus="B" connectableBus="B">
    <iidm:exponentialModel np="1" nq="2"/></iidm:load>
  </iidm:voltageLevel>
 </iidm:substation>
 <iidm:line id="L" r="4" x="20" g1="0" b1="0.0001" g2="0" b2="0.0002" voltageLevelId1="V" bus1="A" connectableBus1="A"
  voltageLevelId2="V" bus2="B" connectableBus2="B"/>
</iidm:network>
"""


def without(text, load):
    """The XIIDM text without one of its loads."""
    first = text.index(f'   <iidm:load id="{load}"')
    return text[:first] + text[text.index("</iidm:load>\n", first) + len("</iidm:load>\n") :]


def test_load_models_of_xiidm(tmp_path):
    file = tmp_path / "models.xiidm"
    file.write_text(without(XIIDM_MODELS, "exponential"))
    net, state = check_balance(read_powsybl(file, reference=True))
    assert state.v_mag_pu[1] < 0.995  # far enough from 1 pu for the model to matter
    assert (net.load.p_share_i[0], net.load.p_share_z[0], net.load.q_share_z[0]) == (0.3, 0.2, 0.7)
    assert net.gen.fuel[0] == "wind"


def test_exponential_loads_follow_the_definition_and_the_peers_defect_is_named(tmp_path):
    file = tmp_path / "models.xiidm"
    file.write_text(XIIDM_MODELS)
    imported = read_powsybl(file, reference=True)
    load = imported.network.load
    assert (load.p_share_i[1], load.p_share_z[1]) == (1.0, 0.0)
    assert (load.q_share_i[1], load.q_share_z[1]) == (0.0, 1.0)
    (remark,) = imported.source_state.remarks
    assert "exponential" in remark
    # OpenLoadFlow adds p0 + j q0 = 10 + j5 to the load. Should this fail, its defect is gone: drop the remark.
    assert mismatch_mva(imported.network, imported.source_state)[1] == pytest.approx(-10 - 5j, abs=1e-6)


def test_other_exponents_keep_value_and_slope_and_are_reported(tmp_path):
    file = tmp_path / "zip.xiidm"
    file.write_text(XIIDM_MODELS.replace('np="1" nq="2"', 'np="1.4" nq="0.6"'))
    imported = read_powsybl(file)
    load = imported.network.load
    assert 2 * load.p_share_z[1] + load.p_share_i[1] == pytest.approx(1.4)
    assert 2 * load.q_share_z[1] + load.q_share_i[1] == pytest.approx(0.6)
    assert any(
        "exponential" in n.what and n.ids == ("exponential", "exponential") for n in imported.report.approximated
    )


def test_lines_between_different_nominal_voltages(tmp_path):
    text = (
        without(XIIDM_MODELS, "exponential")
        .replace('<iidm:bus id="B"/>', "")
        .replace(
            "</iidm:voltageLevel>\n </iidm:substation>",
            '</iidm:voltageLevel>\n  <iidm:voltageLevel id="W" nominalV="110" topologyKind="BUS_BREAKER">'
            '<iidm:busBreakerTopology><iidm:bus id="B"/></iidm:busBreakerTopology>MOVED</iidm:voltageLevel>'
            "\n </iidm:substation>",
        )
    )
    loads = text[text.index('   <iidm:load id="zip"') : text.index("  </iidm:voltageLevel>\n")]
    text = text.replace(loads, "").replace("MOVED", loads).replace('voltageLevelId2="V"', 'voltageLevelId2="W"')
    file = tmp_path / "two.xiidm"
    file.write_text(text)
    net, _ = check_balance(read_powsybl(file, reference=True))
    assert net.branch.tap_ratio[0] == pytest.approx(110 / 100)


def _card(*cells):
    """A fixed-column card of (first column, last column, value); text is set to the left, numbers to the right."""
    card = [" "] * 130
    for first, last, value in cells:
        width = last - first + 1
        card[first - 1 : last] = value.ljust(width) if isinstance(value, str) else f"{value:.6g}".rjust(width)
    return "".join(card).rstrip()


def ucte():
    """Three nodes in the UCTE data exchange format, version 02 (columns after the UCTE's definition of 2007)."""
    node = ((1, 8), (23, 23), (25, 25), (27, 32), (34, 40), (42, 48), (50, 56), (58, 64), (66, 72), (74, 80), (82, 88))
    node += ((90, 96),)
    rows = [
        ("BBUSA_11", 0, 3, 400.0, 0.0, 0.0, -100.0, 0.0, -10.0, -900.0, -500.0, 500.0),
        ("BBUSB_11", 0, 0, "", 50.0, 20.0, 0.0, 0.0),
        ("BBUSC_21", 0, 0, "", 30.0, 10.0, 0.0, 0.0),
    ]
    lines = ["##C 2007.05.01", "##N", "##ZBE"]
    lines += [_card(*((*columns, value) for columns, value in zip(node, row, strict=False))) for row in rows]
    ends = ((1, 8, "BBUSA_11"), (10, 17, "BBUSB_11"), (19, 19, "1"), (21, 21, 0))
    lines += ["##L", _card(*ends, (23, 28, 1.5), (30, 35, 20.0), (37, 44, 100.0), (46, 51, 1000))]
    ends = ((1, 8, "BBUSB_11"), (10, 17, "BBUSC_21"), (19, 19, "1"), (21, 21, 0))
    values = (
        (23, 27, 400.0),
        (29, 33, 220.0),
        (35, 39, 300.0),
        (41, 46, 0.3),
        (48, 53, 30.0),
        (55, 62, 5.0),
        (64, 69, 0.2),
    )
    lines += ["##T", _card(*ends, *values, (71, 76, 800))]
    return "\n".join(lines) + "\n"


def test_ucte_file(tmp_path):
    file = tmp_path / "20070501_0030_FO2_UX0.uct"
    file.write_text(ucte())
    net, state = check_balance(read_powsybl(file, reference=True))
    assert sorted(net.bus.id) == ["BBUSA_11", "BBUSB_11", "BBUSC_21"]
    assert net.load.p_mw.sum() == 80.0
    assert np.isfinite(state.v_mag_pu).all()


def ieee_cdf():
    """Three buses in the IEEE Common Data Format (columns after IEEE Working Group, Trans. PAS-92, 1973)."""
    title = (
        (2, 9, "01/01/20"),
        (11, 30, "TEST"),
        (32, 37, "100.0"),
        (39, 42, "2020"),
        (44, 44, "W"),
        (46, 73, "THREE"),
    )
    lines = [_card(*title), "BUS DATA FOLLOWS                             3 ITEMS"]
    numbers = ((1, 4), (25, 26), (28, 33), (34, 40), (41, 49), (50, 58), (59, 67), (68, 75), (85, 90))
    for row in (
        (1, 3, 1.05, 0.0, 0, 0, 70, 20, 1.05),
        (2, 2, 1.02, -2.0, 40, 10, 30, 5, 1.02),
        (3, 0, 1.0, -4.0, 60, 25, 0, 0, 0.0),
    ):
        cells = [(*columns, value) for columns, value in zip(numbers, row, strict=True)]
        fixed = [(6, 17, f"BUS {row[0]}"), (19, 20, 1), (21, 23, 1), (77, 83, 132.0), (91, 98, 100.0), (99, 106, -50.0)]
        lines.append(_card(*cells, *fixed, (107, 114, 0.0), (115, 122, 0.05 if row[0] == 3 else 0.0), (124, 127, 0)))
    lines += ["-999", "BRANCH DATA FOLLOWS                          3 ITEMS"]
    zeros = ((19, 19), (51, 55), (57, 61), (63, 67), (69, 72), (74, 74), (77, 82), (84, 90), (91, 97), (98, 104))
    zeros += ((106, 111), (113, 118), (119, 126))
    for a, b, r, x, charge in ((1, 2, 0.02, 0.06, 0.03), (1, 3, 0.08, 0.24, 0.025), (2, 3, 0.06, 0.18, 0.02)):
        cells = [
            (1, 4, a),
            (6, 9, b),
            (11, 12, 1),
            (13, 15, 1),
            (17, 17, 1),
            (20, 29, r),
            (30, 39, x),
            (41, 50, charge),
        ]
        lines.append(_card(*cells, *((*columns, 0) for columns in zeros)))
    lines += ["-999", "LOSS ZONES FOLLOWS                     1 ITEMS", "  1 ZONE", "-99"]
    lines += ["INTERCHANGE DATA FOLLOWS                 0 ITEMS", "-9"]
    lines += ["TIE LINES FOLLOWS                     0 ITEMS", "-999", "END OF DATA"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("suffix", ["txt", "cdf"])
def test_ieee_cdf_file(tmp_path, suffix):
    file = tmp_path / f"three.{suffix}"
    file.write_text(ieee_cdf())
    imported = read_powsybl(file, reference=True)
    net, _ = check_balance(imported)
    assert (net.n_bus, net.n_branch, net.n_load) == (3, 3, 2)
    assert sorted(np.round(net.branch.x_pu, 12)) == [0.06, 0.18, 0.24]
    assert net.frequency_hz == 60.0
    stored = read_powsybl(file).source_state
    assert list(stored.v_mag_pu) == pytest.approx([1.05, 1.02, 1.0])


def test_a_live_network_is_left_as_it_was():
    source = built_in("ieee14")
    source.per_unit = True
    before = source.get_buses()
    net, _ = check_balance(read_powsybl(source, reference=True, solved_positions=True))
    assert source.per_unit
    assert source.get_variant_ids() == [source.get_working_variant_id()]
    assert source.get_buses().equals(before)
    source.per_unit = False
    assert net.digest == read_powsybl(source).network.digest


def test_the_tool_can_be_asked_later():
    imported = read_powsybl(built_in("eurostag_tutorial_example1_network"))
    assert imported.source_state is None
    state = reference_state(imported)
    assert state.solved
    assert np.abs(mismatch_mva(imported.network, state)).max() < TOLERANCE_MVA


def test_detailed_dc_grids_are_named_and_not_solved():
    imported = read_powsybl(built_in("dc_detailed_vsc_symmetrical_monopole_network"), reference=True)
    assert {"voltage_source_converters", "dc_lines"} <= {n.table for n in imported.report.ignored}
    assert imported.source_state is None


@pytest.mark.parametrize("name, content", [("broken.xiidm", "<iidm:network"), ("broken.uct", "##C\n##N\nnothing")])
def test_unreadable_files_are_one_clear_error(tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        read_powsybl(file)
    (issue,) = caught.value.issues
    assert issue.table == str(file)
    assert "pypowsybl cannot read it" in issue.message


def test_missing_files_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_powsybl(tmp_path / "nowhere.xiidm")
    with pytest.raises(InputError, match="holds no CGMES profile"):
        read_powsybl(tmp_path)
    with pytest.raises(InputError, match="a dict is not a pypowsybl network"):
        read_powsybl({})
