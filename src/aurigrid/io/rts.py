"""RTS-GMLC: the IEEE reliability test system of 1996, modernised by NREL, as a folder of CSV files with its profiles.

Reference: C. Barrows et al., "The IEEE Reliability Test System: A Proposed 2019 Update", IEEE Trans. Power Systems 35,
2020, doi:10.1109/TPWRS.2019.2925557. Layout: ``SourceData/*.csv`` and ``timeseries_data_files/*/*.csv``.

Costs. Output points are ``P_k = pct_k PMax``; the heat rate (BTU/kWh) is an average up to ``P_0``, an increment after::

    heat(P_0) = HR_avg_0 P_0 / 1000                                     MMBTU/h
    heat(P_k) = heat(P_k-1) + HR_incr_k (P_k - P_k-1) / 1000            (an increment of 0: the average goes on)
    cost(P)   = price heat(P) + VOM P                                   $/h
    start     = price (cold start heat) + (non-fuel start cost)         $
    CO2       = (lb CO2/MMBTU) heat(PMax) / PMax * 0.00045359237        t/MWh
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.io.report import Import, ReportBuilder, SourceState
from aurigrid.io.rts_files import CsvFile, find_file, source_folder
from aurigrid.io.rts_series import Pointers, RtsExtras, read_profiles, read_reserves
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.table import Array, read_only
from aurigrid.model.tables import (
    LINE,
    TRANSFORMER,
    BranchTable,
    BusTable,
    CostPointTable,
    GenTable,
    HvdcTable,
    LoadTable,
    ShuntTable,
    StorageTable,
)
from aurigrid.model.validate import require_valid

BASE_MVA = 100.0
_KM_A_MILE = 1.609344
_T_A_LB = 0.00045359237
_FUEL = {"ng": "gas", "sync_cond": "", "gas": "gas"}
_NO_SHARE = ("Wind", "Solar", "Sync_Cond", "Storage")
_N_POINTS = 5
_USED_UNIT_COLUMNS = {
    "gen uid", "bus id", "unit type", "fuel", "mw inj", "mvar inj", "v setpoint p.u.", "pmax mw", "pmin mw",
    "qmax mvar", "qmin mvar", "min down time hr", "min up time hr", "ramp rate mw/min", "vom",
    "non fuel shutdown cost $",
}  # fmt: skip
_USED_BRANCH_COLUMNS = {
    "uid", "from bus", "to bus", "r", "x", "b", "cont rating", "lte rating", "ste rating", "tr ratio", "length",
}  # fmt: skip


def read_rts_gmlc(folder: str | Path, *, profiles: bool = True) -> Import:
    """Read an RTS-GMLC folder.

    Args:
        folder: the repository, its ``RTS_Data`` or the folder that holds ``bus.csv``.
        profiles: read the time series too (about a second); without them `Import.profiles` is None.

    Returns:
        Network, day-ahead profiles, and `RtsExtras` with the reserve products, the real-time profiles and what the
        network has no column for. The stored state is upstream's ``V Mag`` and ``V Angle``.

    Raises:
        InputError: a missing file or column, text in numbers, an unknown bus: all of them, by file, line and field.
    """
    source = source_folder(Path(folder))
    issues, report = IssueList(), ReportBuilder("RTS-GMLC", str(folder))
    files = {name: _open(source, f"{name}.csv", issues, required=True) for name in ("bus", "branch", "gen")}
    files |= {name: _open(source, f"{name}.csv", issues, required=False) for name in ("dc_branch", "storage")}
    issues.raise_if_any()
    net, state = _network(files, issues, report)
    pointers = Pointers.read(source, issues, report)
    pointers.rows = pointers.rows if profiles else []
    day_ahead, must_take = read_profiles(net, pointers, "DAY_AHEAD")
    real_time, _ = read_profiles(net, pointers, "REAL_TIME")
    extras = _extras(source, files, issues, net, pointers, must_take, real_time)
    issues.raise_if_any()
    require_valid(net)
    return Import(net, report.finish(net), profiles=day_ahead, source_state=state, extras=extras)


def _open(source: Path, name: str, issues: IssueList, *, required: bool) -> CsvFile:
    path = find_file(source, name)
    if path is not None:
        return CsvFile.read(path, issues)
    if required:
        issues.add(name, "", "no such file", hint=f"it belongs into {source}")
    return CsvFile(source / name, issues)


def _network(files: dict[str, CsvFile], issues: IssueList, report: ReportBuilder) -> tuple[Network, SourceState]:
    """All tables; faults of one file do not hide those of the others."""
    bus_file = files["bus"]
    ids = bus_file.integer("Bus ID")
    at = {id: i for i, id in enumerate(ids)}
    bus, load, shunt = _buses(bus_file, ids, report)
    branch = _branches(files["branch"], at, report)
    kinds = bus_file.text("Bus Type")
    gen, points = _units(files["gen"], at, kinds, report)
    storage = _storage(files["gen"], files["storage"], at)
    hvdc = _dc_links(files["dc_branch"], at, report)
    issues.raise_if_any()
    report.count("storage", np.ones(len(storage), bool), storage.p_mw)
    net = Network(
        bus, branch, gen, load, shunt, storage, hvdc=hvdc, cost_point=points, name="RTS-GMLC", base_mva=BASE_MVA,
        frequency_hz=60.0,
    )  # fmt: skip
    remark = "base case of 1996 for its own dispatch; MW Inj and MVAR Inj have changed since"
    return net, SourceState("bus.csv, V Mag and V Angle", False, bus.v_mag_pu, bus.v_ang_deg, remarks=(remark,))


def _positions(file: CsvFile, column: str, at: dict[int, int], names: list[str]) -> Array:
    """Bus positions of a column of bus numbers; unknown ones are issues with their lines."""
    out = np.zeros(len(file), dtype=np.int32)
    for i, id in enumerate(file.integer(column)):
        if id in at:
            out[i] = at[id]
        elif file.has(column):
            where = f"{file.path.name}, line {file.lines[i]}"
            file.issues.add(where, column, f"bus {id} is not in bus.csv", names[i : i + 1], "give a Bus ID of bus.csv")
    return out


def _buses(file: CsvFile, ids: list[int], report: ReportBuilder) -> tuple[BusTable, LoadTable, ShuntTable]:
    p, q = file.number("MW Load", 0.0), file.number("MVAR Load", 0.0)
    g, b = file.number("MW Shunt G", 0.0), file.number("MVAR Shunt B", 0.0)
    area, name = file.text("Area"), file.text("Bus Name")
    bus = BusTable.make(
        len(ids), id=ids, name=name, v_nom_kv=file.number("BaseKV"), area=area, zone=file.text("Zone", ""),
        lon=file.number("lng", np.nan, column_default=np.nan), lat=file.number("lat", np.nan, column_default=np.nan),
        v_mag_pu=file.number("V Mag", np.nan), v_ang_deg=file.number("V Angle", np.nan),
    )  # fmt: skip
    loaded, shunted = np.flatnonzero((p != 0) | (q != 0)), np.flatnonzero((g != 0) | (b != 0))
    at = [ids[i] for i in loaded]
    region = [f"area {area[i]}" for i in loaded]
    load = LoadTable.make(
        len(at), id=at, name=[name[i] for i in loaded], bus=loaded, p_mw=p[loaded], q_mvar=q[loaded], kind=region
    )
    shunt = ShuntTable.make(len(shunted), id=[ids[i] for i in shunted], bus=shunted, g_mw=g[shunted], b_mvar=b[shunted])
    report.count("bus (MW Load, MVAR Load)", np.ones(len(ids), bool), p, q)
    return bus, load, shunt


def _branches(file: CsvFile, at: dict[int, int], report: ReportBuilder) -> BranchTable:
    uid = file.text("UID")
    half, ratio = file.number("B", 0.0) / 2, file.number("Tr Ratio", 0.0)
    rates = [np.where(r > 0, r, np.inf) for r in (file.number(f"{k} Rating", 0.0) for k in ("Cont", "LTE", "STE"))]
    report.count("branch", np.ones(len(uid), bool))
    return BranchTable.make(
        len(uid), id=uid, from_bus=_positions(file, "From Bus", at, uid), to_bus=_positions(file, "To Bus", at, uid),
        kind=np.where(ratio != 0, TRANSFORMER, LINE), r_pu=file.number("R"), x_pu=file.number("X"), b_from_pu=half,
        b_to_pu=half, tap_ratio=np.where(ratio != 0, ratio, 1.0), rate_mva=rates[0], rate_short_mva=rates[1],
        rate_emergency_mva=rates[2], length_km=file.number("Length", np.nan, column_default=np.nan) * _KM_A_MILE,
    )  # fmt: skip


def _units(
    file: CsvFile, at: dict[int, int], bus_kind: list[str], report: ReportBuilder
) -> tuple[GenTable, CostPointTable]:
    """Units other than storage, and their cost points."""
    uid, fuel = file.text("GEN UID"), file.text("Fuel")
    bus = _positions(file, "Bus ID", at, uid)
    p_max, q_max, q_min = file.number("PMax MW"), file.number("QMax MVAR", 0.0), file.number("QMin MVAR", 0.0)
    kind = np.array([bus_kind[b].casefold() for b in bus], dtype=object)
    regulates = ((kind == "pv") | (kind == "ref")) & (q_max > q_min)
    reference = np.zeros(len(uid), bool)
    for b in np.unique(bus[regulates & (kind == "ref")]):
        reference[np.flatnonzero(regulates & (bus == b))[0]] = True
    price, heat = file.number("Fuel Price $/MMBTU", 0.0), _heat(file, p_max)
    full = np.divide(heat[-1][:, -1], p_max, out=np.zeros(len(uid)), where=p_max > 0)
    carbon = file.number("Emissions CO2 Lbs/MMBTU", 0.0, column_default=0.0)
    ramp = file.number("Ramp Rate MW/Min", np.inf)
    start = price * file.number("Start Heat Cold MBTU", 0.0, column_default=0.0)
    start += file.number("Non Fuel Start Cost $", 0.0, column_default=0.0)
    table = GenTable.make(
        len(uid), id=uid, bus=bus, p_mw=file.number("MW Inj", 0.0), q_mvar=file.number("MVAR Inj", 0.0),
        v_set_pu=file.number("V Setpoint p.u.", 1.0), regulates=regulates, is_reference=reference, p_max_mw=p_max,
        p_min_mw=file.number("PMin MW", 0.0), q_max_mvar=q_max, q_min_mvar=q_min,
        participation=np.where([f in _NO_SHARE for f in fuel], 0.0, p_max),
        fuel=[_FUEL.get(f.casefold(), f.casefold()) for f in fuel], technology=file.text("Unit Type"),
        ramp_up_mw_per_min=ramp, ramp_down_mw_per_min=ramp, min_up_h=file.number("Min Up Time Hr", 0.0),
        min_down_h=file.number("Min Down Time Hr", 0.0), start_cost=start,
        stop_cost=file.number("Non Fuel Shutdown Cost $", 0.0, column_default=0.0),
        co2_t_per_mwh=carbon * full * _T_A_LB,
    )  # fmt: skip
    keep = np.flatnonzero([f.casefold() != "storage" for f in fuel])
    points = _cost_points(heat, price, file.number("VOM", 0.0, column_default=0.0), keep)
    report.count("gen", np.ones(len(uid), bool), table.p_mw, table.q_mvar)
    emitting = [uid[i] for i in keep if carbon[i]]
    if emitting:
        report.approximate("gen", "CO2 rate taken at full output", emitting, "it varies with output")
    idle = [uid[i] for i in keep if kind[i] in ("pv", "ref") and not regulates[i]]
    if idle:
        report.merge("gen", "units without a reactive range at a PV bus do not regulate", idle)
    return table.take(keep), points


def _heat(file: CsvFile, p_max: Array) -> tuple[Array, Array]:
    """Output points in MW and heat input there in MMBTU/h, both (n, 5); points that a unit lacks repeat its last."""
    power, heat, average = np.zeros((len(file), _N_POINTS)), np.zeros((len(file), _N_POINTS)), np.zeros(len(file))
    for k in range(_N_POINTS):
        share = file.number(f"Output_pct_{k}", np.nan, column_default=np.nan if k else None)
        rate = file.number(f"HR_incr_{k}" if k else "HR_avg_0", 0.0, column_default=0.0 if k else None)
        if k == 0:
            power[:, 0] = np.nan_to_num(share) * p_max
            average = rate
            heat[:, 0] = rate * power[:, 0] / 1000
            continue
        # The file gives increments of 0 where a unit's heat rate is constant (nuclear); its average then goes on.
        rate = np.where((rate == 0) & (average > 0), average, rate)
        power[:, k] = np.fmax(np.nan_to_num(share, nan=-1.0) * p_max, power[:, k - 1])
        heat[:, k] = heat[:, k - 1] + rate * (power[:, k] - power[:, k - 1]) / 1000
    return power, heat


def _cost_points(heat: tuple[Array, Array], price: Array, vom: Array, keep: Array) -> CostPointTable:
    """Cost at each output point of the units that have a cost, by their position among the kept ones."""
    gen, power, cost = [], [], []
    for position, i in enumerate(keep):
        dollars = price[i] * heat[1][i] + vom[i] * heat[0][i]
        distinct = np.flatnonzero(np.diff(heat[0][i], prepend=-1.0) > 0)
        if not dollars.any() or len(distinct) < 2:
            continue
        gen += [position] * len(distinct)
        power += list(heat[0][i][distinct])
        cost += list(dollars[distinct])
    return CostPointTable.make(len(gen), gen=gen, p_mw=power, cost_per_h=cost)


def _storage(units: CsvFile, stores: CsvFile, at: dict[int, int]) -> StorageTable:
    """Pumped and battery storage: units of fuel ``Storage``; the whole round-trip loss is booked on charging."""
    uid, fuel = units.text("GEN UID"), units.text("Fuel")
    rows = np.flatnonzero([f.casefold() == "storage" for f in fuel])
    head = {}
    if len(stores):
        volume, initial = stores.number("Max Volume GWh"), stores.number("Initial Volume GWh", 0.0)
        place = stores.text("position", "head")
        for i, unit in enumerate(stores.text("GEN UID")):
            if place[i].casefold() == "head":
                head[unit] = (1000 * volume[i], 1000 * initial[i])
    p_max = units.number("PMax MW")
    pump = units.number("Pump Load MW", 0.0, column_default=0.0)
    cycle = units.number("Storage Roundtrip Efficiency", 0.0, column_default=0.0) / 100
    energy = np.array([head.get(uid[i], (np.nan, np.nan)) for i in rows]).reshape(-1, 2)
    return StorageTable.make(
        len(rows),
        id=[uid[i] for i in rows],
        bus=_positions(units, "Bus ID", at, uid)[rows],
        p_mw=units.number("MW Inj", 0.0)[rows],
        p_max_mw=p_max[rows],
        p_min_mw=-np.where(pump > 0, pump, p_max)[rows],
        q_min_mvar=units.number("QMin MVAR", 0.0)[rows],
        q_max_mvar=units.number("QMax MVAR", 0.0)[rows],
        energy_max_mwh=energy[:, 0],
        energy_mwh=energy[:, 1],
        charge_efficiency=np.where(cycle > 0, cycle, 1.0)[rows],
    )


def _dc_links(file: CsvFile, at: dict[int, int], report: ReportBuilder) -> HvdcTable:
    """DC branches: scheduled power, limited to it in both directions, with the line's resistive loss at that power."""
    if not len(file):
        return HvdcTable.empty()
    uid, p, kv = file.text("UID"), file.number("MW Load"), file.number("V Mag kV")
    loss = file.number("R Line") * np.divide(p, kv, out=np.zeros(len(uid)), where=kv > 0) ** 2
    report.count("dc_branch", np.ones(len(uid), bool), p)
    report.approximate("dc_branch", "resistive loss held at the scheduled power", uid, "it grows with the square")
    report.ignore(
        "dc_branch", "reactive demand of the converters", uid, "firing angles and commutation are not modelled"
    )
    return HvdcTable.make(
        len(uid), id=uid, from_bus=_positions(file, "From Bus", at, uid), to_bus=_positions(file, "To Bus", at, uid),
        p_mw=p, p_min_mw=-np.abs(p), p_max_mw=np.abs(p), loss_fixed_mw=loss,
    )  # fmt: skip


def _extras(
    source: Path, files: dict[str, CsvFile], issues: IssueList, net: Network, pointers: Pointers,
    must_take: tuple[str, ...], real_time: Profiles | None,
) -> RtsExtras:  # fmt: skip
    gen = files["gen"]
    position = {str(id): i for i, id in enumerate(gen.text("GEN UID"))}
    category = gen.text("Category", "") if gen.has("Category") else gen.text("Unit Type")
    inflow = {
        name: read_only(v.copy())
        for name, (_, v) in pointers.series("DAY_AHEAD", "Generator", "Natural_Inflow").items()
    }
    if inflow:
        why = "its thermal store is not modelled; the series is in the extras"
        pointers.report.ignore("gen", "solar heat inflow of plants with thermal storage", list(inflow), why)
    reserves = read_reserves(source, issues, pointers)
    if reserves:
        why = "the network has no table for them; they are in the extras"
        pointers.report.ignore("reserves", "reserve products", [r.product for r in reserves], why)
    unit_columns, branch_columns = _spare(gen, _USED_UNIT_COLUMNS), _spare(files["branch"], _USED_BRANCH_COLUMNS)
    for table, spare in (("gen", unit_columns), ("branch", branch_columns)):
        if spare:
            pointers.report.ignore(table, "columns kept in the extras", list(spare), "no part in a power flow")
    stores = files["storage"]
    reservoirs = {
        row[stores.header.index("Storage")]: dict(zip(stores.header, row, strict=True)) for row in stores.rows
    }
    water = sorted(
        {r["GEN UID"] for r in reservoirs.values() if r["GEN UID"] in position} - {str(i) for i in net.storage.id}
    )
    if water:
        why = "they are units here; volumes and inflow limits are in the extras"
        pointers.report.ignore("storage", "reservoirs of hydro and thermal solar plants", water, why)
    return RtsExtras(
        real_time=real_time, reserves=reserves, must_take=must_take, csp_inflow_mw=inflow, reservoirs=reservoirs,
        unit_category=read_only(np.array([category[position[str(i)]] for i in net.gen.id], dtype=object)),
        unit_columns=unit_columns, unit_ids=tuple(position), branch_columns=branch_columns,
        simulation=_simulation(source, issues),
    )  # fmt: skip


def _spare(file: CsvFile, used: set[str]) -> dict[str, Array]:
    """The columns that no table takes, as numbers where they all are, NaN for ``NA``; else as text."""
    out: dict[str, Array] = {}
    for name in file.header:
        if name.casefold() in used:
            continue
        cells = file.text(name)
        try:
            values = np.array([np.nan if c in ("", "NA") else float(c) for c in cells])
        except ValueError:
            values = np.array(cells, dtype=object)
        out[name] = read_only(values)
    return out


def _simulation(source: Path, issues: IssueList) -> dict[str, tuple[str, str]]:
    path = find_file(source, "simulation_objects.csv")
    if path is None:
        return {}
    file = CsvFile.read(path, issues)
    columns = [file.text(c) for c in ("Simulation_Parameters", "DAY_AHEAD", "REAL_TIME")]
    return {name: (ahead, real) for name, ahead, real in zip(*columns, strict=True)}
