"""pandapower networks to a `Network`: by name, from a JSON file, or a live object, as its ``runpp`` would model them.

Bus ids are the net's own index; buses that the tool adds inside (star points, open ends, inner nodes) come last, with
string ids. Other elements have their table and index as id: ``line:3``, ``trafo3w:0:hv``, ``gen:12``.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.io import pandapower_branch as pb
from aurigrid.io import pandapower_loads as pl
from aurigrid.io import pandapower_units as pu
from aurigrid.io.pandapower_frame import Frame, flags, inner_buses, numbers, texts
from aurigrid.io.report import Import, ReportBuilder, SourceState
from aurigrid.model import tables as t
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.model.validate import broken_rules, require_valid

_UNIT_SUFFIXES = {"mw", "mvar", "mva", "kv", "pu", "km", "ka", "percent", "degree", "hz"}
"""Last words of the names of numeric columns."""

_IGNORED = {
    "controller": "no controller moves taps, shunts or set-points; the present positions are kept",
    "vsc": "voltage-source converters of DC grids have no counterpart",
    "vsc_stacked": "voltage-source converters of DC grids have no counterpart",
    "vsc_bipolar": "voltage-source converters of DC grids have no counterpart",
    "bus_dc": "DC grids have no counterpart",
    "line_dc": "DC grids have no counterpart",
    "load_dc": "DC grids have no counterpart",
    "source_dc": "DC grids have no counterpart",
    "measurement": "measurements take no part in a power flow",
}


def read_pandapower(source: str | Path | Any, *, name: str = "") -> Import:
    """Read a pandapower network.

    Args:
        source: a network of ``pandapower.networks`` by name, a JSON file, or a pandapower net, which is not changed.
        name: short name of the grid; the net's own, the file's stem or the catalogue name where empty.

    Returns:
        The network, with the net's results as source state where it holds a converged power flow.

    Raises:
        InputError: every problem found.
    """
    if isinstance(source, Path) or (isinstance(source, str) and source.endswith(".json")):
        path = Path(source)
        return convert_net(_read_json(path), name or path.stem, path.name)
    if isinstance(source, str):
        return convert_net(_from_catalogue(source), name or source, source)
    return convert_net(source, name or str(source.get("name") or "") or "pandapower net", "live object")


def _from_catalogue(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tool's own, about its data and dependencies
        import pandapower.networks

        return getattr(pandapower.networks, name)()


def _read_json(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandapower

        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(Issue(str(path), "", f"cannot be read ({error})")) from error
        try:
            net = pandapower.from_json_string(text)
        except Exception as error:  # the tool raises whatever its decoder meets
            issue = Issue(path.name, "", f"is not a pandapower network ({type(error).__name__}: {error})")
            raise InputError(issue) from error
    if not hasattr(net, "get") or "bus" not in net or "sn_mva" not in net:
        raise InputError(Issue(path.name, "", "is JSON, but not a pandapower network", hint="write it with to_json"))
    return net


def convert_net(net: Any, name: str, where: str) -> Import:
    """The network of a live pandapower net; it is read only. Errors as in `read_pandapower`."""
    if not len(net["bus"]):
        raise InputError(Issue("bus", "", "has no rows", hint="give at least one bus"))
    frame = Frame(net, ReportBuilder("pandapower", where))
    real = len(net["bus"])
    frame.report.count("bus", frame.bus_on)
    try:
        branch, switch = pb.convert_branches(frame)
        gen = pu.convert_units(frame)
        load, shunt = pl.convert_loads(frame), pl.convert_shunts(frame)
        storage, compensator = pl.convert_storage(frame), pl.convert_compensators(frame)
        hvdc = pl.convert_dc_lines(frame)
        gen, cost_point = pu.convert_costs(frame, gen)
        capability = pu.convert_capability(frame, gen)
        bus = convert_buses(frame)
    except (ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        hint = "every numeric column of the net must hold numbers"
        unknown = Issue(where, "", f"holds a value that cannot be read ({error})", hint=hint)
        raise InputError([*frame.issues.issues, *(texts_in_numbers(net) or [unknown])]) from error
    network = Network(
        bus=bus,
        branch=branch,
        gen=gen,
        load=load,
        shunt=shunt,
        storage=storage,
        compensator=compensator,
        hvdc=hvdc,
        switch=switch,
        cost_point=cost_point,
        capability=capability,
        name=name,
        base_mva=frame.base_mva,
        frequency_hz=float(net["f_hz"]),
    )
    if frame.issues.issues:  # positions are not to be trusted then, but each row can be judged
        raise InputError([*frame.issues.issues, *broken_rules(network)])
    note_ignored(frame)
    state = source_state(frame, branch, real)
    if state is not None:
        network = network.replace(bus=bus.replace(v_mag_pu=state.v_mag_pu, v_ang_deg=state.v_ang_deg))
    require_valid(network)
    return Import(network, frame.report.finish(network), source_state=state, source_object=net)


def texts_in_numbers(net: Any) -> list[Issue]:
    """Text in columns whose name ends in a unit."""
    found = IssueList()
    for table, data in net.items():
        if table.startswith(("res_", "_")) or not hasattr(data, "columns"):
            continue
        for column in data.columns:
            if data[column].dtype != object or str(column).rpartition("_")[2] not in _UNIT_SUFFIXES:
                continue
            text = [isinstance(value, str) for value in data[column]]
            if any(text):
                shown = ", ".join(repr(value) for value in data[column][text].unique()[:3])
                ids = [f"{table}:{i}" for i in data.index[text]]
                found.add(table, column, f"holds text, {shown}", ids, "give a number")
    return found.issues


def convert_buses(frame: Frame) -> t.BusTable:
    """The net's buses, then those that were added, which take voltage, zone and place from the bus they hang on."""
    data = frame.net["bus"]
    n, extra = len(data), frame.added
    like = np.array([a[2] for a in extra], dtype=np.int64)
    for i, source in enumerate(like):  # an open end may hang on a star point
        while source >= n:
            source = like[source - n]
        like[i] = source
    lon, lat = pu.coordinates(frame)
    zone, substation = (np.array(texts(data, c), dtype=object) for c in ("zone", "substation"))
    low, high = numbers(data, "min_vm_pu", 0.0), numbers(data, "max_vm_pu", np.inf)
    none = np.zeros(len(extra))
    ids = np.empty(n + len(extra), dtype=object)
    ids[:] = [*data.index.tolist(), *(a[0] for a in extra)]
    return t.BusTable.make(
        id=ids,
        name=[*texts(data, "name"), *(a[1] for a in extra)],
        v_nom_kv=frame.kv,
        v_min_pu=np.r_[low, none],
        v_max_pu=np.r_[high, none + np.inf],
        zone=[*zone, *zone[like]],
        substation=[*substation, *substation[like]],
        lon=np.r_[lon, lon[like]],
        lat=np.r_[lat, lat[like]],
        is_star=np.r_[np.zeros(n, dtype=bool), np.array([a[3] for a in extra], dtype=bool)],
        in_service=frame.bus_on,
    )


def note_ignored(frame: Frame) -> None:
    """Name the tables that have no counterpart, where they hold something in service."""
    for table, why in _IGNORED.items():
        data = frame.table(table)
        if len(data) and flags(data, "in_service", True).any():
            frame.report.ignore(table, "not kept", frame.ids(table), why)
    why = "loadings are judged at the full rating; scale rate_mva to keep a margin"
    for table in ("line", "trafo", "trafo3w"):
        data = frame.table(table)
        if len(data) and "max_loading_percent" in data.columns:
            share = numbers(data, "max_loading_percent", 100.0)
            tighter = [id for id, s in zip(frame.ids(table), share, strict=True) if s != 100.0]
            if tighter:
                frame.report.ignore(table, "max_loading_percent other than 100", tighter, why)
    rule = frame.options.get("calculate_voltage_angles")
    if rule is False:
        why = "the net asks its tool to leave shifts and slack angles out; here they always count"
        frame.report.approximate("net", "voltage angles are modelled", (), why)


def source_state(frame: Frame, branch: t.BranchTable, real: int) -> SourceState | None:
    """The net's results, where it holds those of a converged power flow of the present buses."""
    net, result = frame.net, frame.net.get("res_bus")
    if not net.get("converged") or result is None or not len(result) or not result.index.equals(net["bus"].index):
        return None
    n = len(frame.kv)
    v, angle = np.full(n, np.nan), np.full(n, np.nan)
    v[:real], angle[:real] = numbers(result, "vm_pu"), numbers(result, "va_degree")
    inner = net.get("res_trafo3w")
    if inner is not None and len(inner) == len(frame.table("trafo3w")) and len(inner):
        star = inner_buses(frame, "trafo3w")
        v[star], angle[star] = numbers(inner, "vm_internal_pu"), numbers(inner, "va_internal_degree")
    flows = branch_flows(frame, branch)
    remarks = []
    if (net.get("_options") or {}).get("calculate_voltage_angles") is False:
        remarks.append("the tool's run left transformer shifts and slack angles out")
    if (net.get("_options") or {}).get("enforce_q_lims"):
        remarks.append("the tool's run enforced reactive limits")
    if (net.get("_options") or {}).get("distributed_slack"):
        remarks.append("the tool's run distributed the slack")
    return SourceState("pandapower results in the net", True, v, angle, *flows, remarks=tuple(remarks))


def branch_flows(frame: Frame, branch: t.BranchTable) -> tuple[Array, Array, Array, Array]:
    """P and Q into each branch at both ends, MW and Mvar, from the net's result tables; NaN where unknown."""
    row = {id: i for i, id in enumerate(branch.id)}
    out = tuple(np.full(len(branch), np.nan) for _ in range(4))
    ends = {"line": ("from", "to"), "trafo": ("hv", "lv"), "impedance": ("from", "to")}
    for table, (near, far) in ends.items():
        result = frame.net.get(f"res_{table}")
        data = frame.table(table)
        if result is None or not len(result) or not result.index.equals(data.index):
            continue
        at = np.array([row.get(id, -1) for id in frame.ids(table)])
        names = (f"p_{near}_mw", f"q_{near}_mvar", f"p_{far}_mw", f"q_{far}_mvar")
        for column, key in zip(out, names, strict=True):
            column[at[at >= 0]] = numbers(result, key)[at >= 0]
    result = frame.net.get("res_trafo3w")
    if result is not None and len(result) == len(frame.table("trafo3w")) and len(result):
        for side in ("hv", "mv", "lv"):
            at = np.array([row[f"{id}:{side}"] for id in frame.ids("trafo3w")])
            first = 0 if side == "hv" else 2
            out[first][at], out[first + 1][at] = numbers(result, f"p_{side}_mw"), numbers(result, f"q_{side}_mvar")
    return out[0], out[1], out[2], out[3]
