"""Lines, impedances and switches of a pandapower net, as its power flow models them.

Equations: pandapower documentation, "Electric Model" of each element. Transformers: `pandapower_trafo`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.io.pandapower_frame import NO_LIMIT, Frame, Rows, flags, numbers, open_ends, rating, reroute, texts
from aurigrid.io.pandapower_trafo import add_three_winding, add_transformers
from aurigrid.model import tables as t
from aurigrid.model.rules import MIN_IMPEDANCE_PU
from aurigrid.model.table import Array

_SQRT3 = np.sqrt(3.0)


def convert_branches(frame: Frame) -> tuple[t.BranchTable, t.SwitchTable]:
    """All branches and bus-to-bus switches; buses of open ends and star points are added to the frame."""
    rows, switches = Rows(), Rows()
    add_lines(frame, rows, switches)
    add_transformers(frame, rows)
    add_three_winding(frame, rows)
    add_impedances(frame, rows)
    add_internal_branches(frame, rows)
    add_series_controllers(frame, rows)
    add_bus_switches(frame, rows, switches)
    return rows.make(t.BranchTable), switches.make(t.SwitchTable)


# ---- lines ----------------------------------------------------------------------------------------------------------


def add_lines(frame: Frame, rows: Rows, switches: Rows) -> None:
    """Lines as pi sections; a line with one open end hangs on a bus of its own there."""
    line = frame.table("line")
    if not len(line):
        return
    ids = frame.ids("line")
    ends = {"from": frame.buses("line", "from_bus"), "to": frame.buses("line", "to_bus")}
    kv = frame.kv[ends["from"]]
    opened = open_ends(frame, "l", "line", ("from_bus", "to_bus"))
    dead = {side: opened[f"{side}_bus"] | ~frame.bus_on[at] for side, at in ends.items()}
    on = reroute(frame, ids, ends, dead, flags(line, "in_service", True))
    length, parallel = numbers(line, "length_km"), numbers(line, "parallel", 1.0)
    z_base = kv**2 / frame.base_mva
    r = numbers(line, "r_ohm_per_km") * length / z_base / parallel
    x = numbers(line, "x_ohm_per_km") * length / z_base / parallel
    if frame.options.get("consider_line_temperature"):
        rise = numbers(line, "temperature_degree_celsius") - 20.0
        r = r * (1.0 + numbers(line, "alpha", 0.0 if "alpha" in line.columns else 0.004) * rise)
    per_end = z_base * length * parallel / 2
    b = 2 * np.pi * float(frame.net["f_hz"]) * numbers(line, "c_nf_per_km", 0.0) * 1e-9 * per_end
    g = numbers(line, "g_us_per_km", 0.0) * 1e-6 * per_end
    i_max = numbers(line, "max_i_ka")
    i_max = np.where(i_max >= NO_LIMIT, np.inf, i_max)
    rate = rating(_SQRT3 * kv * i_max * numbers(line, "df", 1.0) * parallel)
    frame.report.count("line", flags(line, "in_service", True))
    names = texts(line, "name")
    size = np.hypot(r, x)
    short = size < MIN_IMPEDANCE_PU
    keep = np.flatnonzero(~short)
    rows.add(
        len(keep),
        id=[ids[i] for i in keep],
        name=[names[i] for i in keep],
        kind=t.LINE,
        from_bus=ends["from"][keep],
        to_bus=ends["to"][keep],
        r_pu=r[keep],
        x_pu=x[keep],
        b_from_pu=b[keep],
        b_to_pu=b[keep],
        g_from_pu=g[keep],
        g_to_pu=g[keep],
        rate_mva=rate[keep],
        length_km=length[keep],
        in_service=on[keep],
    )
    if short.any():
        at = np.flatnonzero(short)
        note_short(frame, [ids[i] for i in at], size[at], (b[at] != 0) | (g[at] != 0))
        switches.add(
            len(at),
            id=[ids[i] for i in at],
            name=[names[i] for i in at],
            from_bus=ends["from"][at],
            to_bus=ends["to"][at],
            closed=on[at],
            rate_mva=rate[at],
        )


def note_short(frame: Frame, ids: list[str], size: Array, charged: Array) -> None:
    """Name the lines that became switches, by whether that changes anything."""
    none = [id for id, z in zip(ids, size, strict=True) if z == 0]
    tiny = [id for id, z in zip(ids, size, strict=True) if z > 0]
    if none:
        frame.report.merge("line", "zero impedance: now switches", none, "their two buses are one node")
    if tiny:
        why = f"below {MIN_IMPEDANCE_PU:g} pu an impedance only spoils the numbers"
        frame.report.approximate("line", "next to no impedance: now switches", tiny, why)
    lost = [id for id, c in zip(ids, charged, strict=True) if c]
    if lost:
        frame.report.ignore("line", "charging of lines that became switches", lost, "a switch has no charging")


# ---- impedances and switches ----------------------------------------------------------------------------------------


def add_impedances(frame: Frame, rows: Rows) -> None:
    """Impedance elements; those whose two directions differ keep their diagonal and the mean of the transfer terms."""
    data = frame.table("impedance")
    if not len(data):
        return
    at, to = frame.buses("impedance", "from_bus"), frame.buses("impedance", "to_bus")
    on = flags(data, "in_service", True) & frame.bus_on[at] & frame.bus_on[to]
    frame.report.count("impedance", on)
    sn = numbers(data, "sn_mva")
    z_ft, z_tf = (
        (numbers(data, f"r{d}_pu") + 1j * numbers(data, f"x{d}_pu")) / sn * frame.base_mva for d in ("ft", "tf")
    )
    y_f, y_t = (
        (numbers(data, f"g{s}_pu", 0.0) + 1j * numbers(data, f"b{s}_pu", 0.0)) * sn / frame.base_mva for s in ("f", "t")
    )
    series = np.where(z_ft == z_tf, z_ft, 2 / (1 / z_ft + 1 / z_tf))
    uneven = z_ft != z_tf
    ids = frame.ids("impedance")
    if uneven.any():
        named = [id for id, u in zip(ids, uneven, strict=True) if u]
        why = "a passive branch transfers alike in both directions; the mean of the two is used"
        frame.report.approximate("impedance", "rft, xft differ from rtf, xtf", named, why)
        y_f = np.where(uneven, y_f + 1 / z_ft - 1 / series, y_f)
        y_t = np.where(uneven, y_t + 1 / z_tf - 1 / series, y_t)
    rows.add(
        len(data),
        id=ids,
        name=texts(data, "name"),
        kind=t.TIE,
        from_bus=at,
        to_bus=to,
        r_pu=series.real,
        x_pu=series.imag,
        g_from_pu=y_f.real,
        b_from_pu=y_f.imag,
        g_to_pu=y_t.real,
        b_to_pu=y_t.imag,
        rate_mva=rating(sn),
        in_service=on,
    )


def add_internal_branches(frame: Frame, rows: Rows) -> None:
    """The impedance between an extended ward or static compensator and its inner voltage source."""
    for table in ("xward", "ssc"):
        data = frame.table(table)
        if not len(data):
            continue
        at = frame.buses(table)
        on, ids = frame.on(table, at), frame.ids(table)
        z_base = frame.kv[at] ** 2 / frame.base_mva
        inner = [
            frame.add_bus(id, f"inner node of {id}", int(b), on=bool(s)) for id, b, s in zip(ids, at, on, strict=True)
        ]
        rows.add(
            len(data),
            id=ids,
            name=texts(data, "name"),
            kind=t.TIE,
            from_bus=at,
            to_bus=inner,
            r_pu=numbers(data, "r_ohm") / z_base,
            x_pu=numbers(data, "x_ohm") / z_base,
            in_service=on,
        )


def add_series_controllers(frame: Frame, rows: Rows) -> None:
    """Thyristor-controlled series compensators at their present firing angle."""
    data = frame.table("tcsc")
    if not len(data):
        return
    at, to = frame.buses("tcsc", "from_bus"), frame.buses("tcsc", "to_bus")
    on = flags(data, "in_service", True) & frame.bus_on[at] & frame.bus_on[to]
    ids, controlled = frame.ids("tcsc"), flags(data, "controllable", True) & on
    if controlled.any():
        named = [id for id, c in zip(ids, controlled, strict=True) if c]
        frame.report.approximate("tcsc", "fixed at the present firing angle", named, "the tool would hold its power")
    b = thyristor_susceptance(frame, data, at)
    rows.add(
        len(data),
        id=ids,
        name=texts(data, "name"),
        kind=t.TIE,
        from_bus=at,
        to_bus=to,
        r_pu=0.0,
        x_pu=1 / b,
        in_service=on,
    )


def thyristor_susceptance(frame: Frame, data: Any, at: Array, column: str = "thyristor_firing_angle_degree") -> Array:
    """Magnitude of the (inductive) susceptance of a thyristor-controlled reactor with a capacitor, pu.

    ``(2 (pi - a) + sin 2a + pi x_l / x_c) / (pi x_l)`` with the firing angle a; pandapower documentation, SVC.
    """
    z_base = frame.kv[at] ** 2 / frame.base_mva
    x_l, x_c = numbers(data, "x_l_ohm") / z_base, numbers(data, "x_cvar_ohm") / z_base
    a = np.deg2rad(numbers(data, column))
    return np.asarray((2 * (np.pi - a) + np.sin(2 * a) + np.pi * x_l / x_c) / (np.pi * x_l))


def add_bus_switches(frame: Frame, rows: Rows, switches: Rows) -> None:
    """Bus-to-bus switches; a closed one with an impedance is a branch."""
    table = frame.table("switch")
    if not len(table):
        return
    frame.report.count("switch", flags(table, "closed", True))
    data = table[table["et"].to_numpy() == "b"]
    others = len(table) - len(data)
    if others:
        why = "an open one parts that end of its branch; closed ones have no part in the model"
        frame.report.merge("switch", f"{others} switches at branch ends became the state of their branch", (), why)
    index = frame.net["bus"].index
    at, to = index.get_indexer(data["bus"].to_numpy()), index.get_indexer(data["element"].to_numpy())
    bad = (at < 0) | (to < 0)
    if bad.any():
        ids = [f"switch:{i}" for i in data.index[bad]]
        frame.issues.add("switch", "bus", "names buses that do not exist", ids, "drop the switch")
        return
    closed = flags(data, "closed", True)
    live = frame.bus_on[at] & frame.bus_on[to]
    ids = [f"switch:{i}" for i in data.index]
    if (closed & ~live).any():
        named = [id for id, c in zip(ids, closed & ~live, strict=True) if c]
        frame.report.merge("switch", "closed towards a bus out of service: now open", named, "the bus stays off")
    z = numbers(data, "z_ohm", 0.0)
    branch = closed & live & (z > 0)
    names, rate = texts(data, "name"), rating(_SQRT3 * frame.kv[at] * numbers(data, "in_ka"))
    if branch.any():
        rx = float(frame.options.get("switch_rx_ratio", 2))
        pu = z[branch] / (frame.kv[at][branch] ** 2 / frame.base_mva)
        rows.add(
            int(branch.sum()),
            id=[id for id, b in zip(ids, branch, strict=True) if b],
            name=[n for n, b in zip(names, branch, strict=True) if b],
            kind=t.TIE,
            from_bus=at[branch],
            to_bus=to[branch],
            r_pu=pu * rx / np.hypot(1, rx),
            x_pu=pu / np.hypot(1, rx),
            rate_mva=rate[branch],
            in_service=True,
        )
    rest = ~branch
    switches.add(
        int(rest.sum()),
        id=[id for id, r in zip(ids, rest, strict=True) if r],
        name=[n for n, r in zip(names, rest, strict=True) if r],
        from_bus=at[rest],
        to_bus=to[rest],
        closed=(closed & live)[rest],
        rate_mva=rate[rest],
    )
