"""Loads, shunts, storage, compensators and DC lines of a pandapower net.

Conventions of the source: loads, storage and wards count consumption positive, units and static generators injection;
every power is multiplied by the element's ``scaling``. pandapower documentation, "Electric Model" of each element.
"""

from __future__ import annotations

import numpy as np

from aurigrid.io.pandapower_branch import thyristor_susceptance
from aurigrid.io.pandapower_frame import (
    Frame,
    Rows,
    flags,
    inner_buses,
    note_balanced,
    numbers,
    phase_sums,
    texts,
)
from aurigrid.model import tables as t
from aurigrid.model.table import Array

# ---- loads and shunts -----------------------------------------------------------------------------------------------


def convert_loads(frame: Frame) -> t.LoadTable:
    """Loads, motors, asymmetric loads and the constant-power part of wards."""
    rows = Rows()
    add_loads(frame, rows)
    data = frame.table("motor")
    if len(data):
        share = numbers(data, "loading_percent", 100.0) / 100 * numbers(data, "scaling", 1.0)
        p = numbers(data, "pn_mech_mw") / numbers(data, "efficiency_percent", 100.0) * 100 * share
        q = np.sqrt(np.maximum((p / numbers(data, "cos_phi", 1.0)) ** 2 - p**2, 0.0))
        add_consumers(frame, rows, "motor", p, q)
    data = frame.table("asymmetric_load")
    if len(data):
        p, q = phase_sums(data)
        scaling = numbers(data, "scaling", 1.0)
        add_consumers(frame, rows, "asymmetric_load", p * scaling, q * scaling)
        note_balanced(frame, "asymmetric_load")
    for table in ("ward", "xward"):
        data = frame.table(table)
        if len(data):
            add_consumers(frame, rows, table, numbers(data, "ps_mw", 0.0), numbers(data, "qs_mvar", 0.0))
    return rows.make(t.LoadTable)


def add_consumers(frame: Frame, rows: Rows, table: str, p: Array, q: Array, **more: object) -> None:
    data, at = frame.table(table), frame.buses(table)
    on = frame.on(table, at)
    frame.report.count(table, on, p, q)
    rows.add(len(data), id=frame.ids(table), name=texts(data, "name"), bus=at, p_mw=p, q_mvar=q, in_service=on, **more)


def add_loads(frame: Frame, rows: Rows) -> None:
    """Loads with their ZIP shares, in the present and in the older spelling."""
    data = frame.table("load")
    if not len(data):
        return
    scaling = numbers(data, "scaling", 1.0)
    share = {}
    for ours, part in (("p", "p"), ("q", "q")):
        for law in ("z", "i"):
            old = numbers(data, f"const_{law}_percent", 0.0)
            new = f"const_{law}_{part}_percent"
            share[f"{ours}_share_{law}"] = (numbers(data, new, 0.0) if new in data.columns else old) / 100
    if frame.options.get("voltage_depend_loads", True) is False:
        share = {key: np.zeros(len(data)) for key in share}
    elif any(v.any() for v in share.values()):
        note_mixed_shares(frame, share)
    p, q = numbers(data, "p_mw", 0.0) * scaling, numbers(data, "q_mvar", 0.0) * scaling
    kind = [a or b for a, b in zip(texts(data, "profile"), texts(data, "type"), strict=True)]
    add_consumers(frame, rows, "load", p, q, kind=kind, **share)


def note_mixed_shares(frame: Frame, share: dict[str, Array]) -> None:
    """Name the loads for which the tool averages ZIP shares over the bus; ours keep each load's own."""
    at, on = frame.buses("load"), frame.on("load", frame.buses("load"))
    rows = np.stack(list(share.values()), axis=1)
    crowded: set[int] = set()
    for table in ("sgen", "storage", "motor", "ward", "xward", "asymmetric_load", "asymmetric_sgen"):
        if len(frame.table(table)):
            crowded |= set(frame.buses(table).tolist())
    mixed = []
    for bus in np.unique(at[on & rows.any(axis=1)]):
        here = rows[on & (at == bus)]
        if (here != here[0]).any() or int(bus) in crowded:
            mixed += np.flatnonzero(on & (at == bus)).tolist()
    if mixed:
        ids = frame.ids("load")
        why = "the tool applies the mean of a bus's shares to all that is connected there; here each keeps its own"
        frame.report.approximate(
            "load", "voltage dependence at a bus with several elements", [ids[i] for i in mixed], why
        )


def convert_shunts(frame: Frame) -> t.ShuntTable:
    """Shunts, the constant-impedance part of wards, uncontrolled SVCs and star-point losses."""
    rows = Rows()
    add_shunts(frame, rows)
    for table in ("ward", "xward"):
        data = frame.table(table)
        if len(data):
            at = frame.buses(table)
            rows.add(
                len(data),
                id=frame.ids(table),
                name=texts(data, "name"),
                bus=at,
                g_mw=numbers(data, "pz_mw", 0.0),
                b_mvar=-numbers(data, "qz_mvar", 0.0),
                in_service=frame.on(table, at),
            )
    data = frame.table("svc")
    if len(data):
        at = frame.buses("svc")
        fixed = ~flags(data, "controllable", True)
        b = -thyristor_susceptance(frame, data, at) * frame.base_mva
        ids, on = frame.ids("svc"), frame.on("svc", at)
        keep = np.flatnonzero(fixed)
        rows.add(len(keep), id=[ids[i] for i in keep], bus=at[keep], b_mvar=b[keep], in_service=on[keep])
    add_star_losses(frame, rows)
    return rows.make(t.ShuntTable)


def add_shunts(frame: Frame, rows: Rows) -> None:
    """Shunts by their rated voltage and step, or by the row of their characteristic table."""
    data = frame.table("shunt")
    if not len(data):
        return
    at = frame.buses("shunt")
    ratio = (frame.kv[at] / np.where(np.isnan(numbers(data, "vn_kv")), frame.kv[at], numbers(data, "vn_kv"))) ** 2
    p, q = numbers(data, "p_mw", 0.0), numbers(data, "q_mvar", 0.0)
    step, most = numbers(data, "step", 1.0), numbers(data, "max_step", 1.0)
    by_table = flags(data, "step_dependency_table")
    if by_table.any():
        table = frame.table("shunt_characteristic_table")
        found = {}
        if len(table):
            columns = (table[c] for c in ("id_characteristic", "step", "p_mw", "q_mvar"))
            found = {(int(i), int(s)): (float(a), float(b)) for i, s, a, b in zip(*columns, strict=True)}
        curve, ids = numbers(data, "id_characteristic_table"), frame.ids("shunt")
        for i in np.flatnonzero(by_table):
            key = (int(np.nan_to_num(curve[i], nan=-1)), int(step[i]))
            if key not in found:
                hint = "add the row to shunt_characteristic_table"
                frame.issues.add("shunt", "step", "has no row in its characteristic table", [ids[i]], hint)
                continue
            p[i], q[i] = found[key]
        named = [id for id, b in zip(ids, by_table, strict=True) if b]
        frame.report.approximate(
            "shunt", "only the present step is kept", named, "its steps differ; power flow is exact"
        )
        step, most = np.where(by_table, 1.0, step), np.where(by_table, 1.0, most)
    on = frame.on("shunt", at)
    frame.report.count("shunt", on, p * step * ratio, q * step * ratio)
    rows.add(
        len(data),
        id=frame.ids("shunt"),
        name=texts(data, "name"),
        bus=at,
        g_mw=p * ratio,
        b_mvar=-q * ratio,
        step=step,
        step_max=np.maximum(most, step).astype(np.int32),
        in_service=on,
    )


def add_star_losses(frame: Frame, rows: Rows) -> None:
    """Iron losses at the star point, where the net's own option puts those of three-winding transformers there."""
    data = frame.table("trafo3w")
    if not len(data):
        return
    default_side = str(frame.options.get("trafo3w_losses", "hv")).lower()
    if default_side != "star":
        if "star" in texts(data, "loss_side"):
            ids = [id for id, s in zip(frame.ids("trafo3w"), texts(data, "loss_side"), strict=True) if s == "star"]
            frame.report.ignore("trafo3w", "iron losses at the star point", ids, "the tool drops them too, by default")
        return
    pfe, hv = numbers(data, "pfe_kw", 0.0) * 1e-3, frame.buses("trafo3w", "hv_bus")
    q = np.sqrt(np.maximum((numbers(data, "sn_hv_mva") * numbers(data, "i0_percent", 0.0) / 100) ** 2 - pfe**2, 0.0))
    ratio = (frame.kv[hv] / numbers(data, "vn_hv_kv")) ** 2
    star = inner_buses(frame, "trafo3w")
    rows.add(
        len(data),
        id=frame.ids("trafo3w"),
        bus=star,
        g_mw=pfe * ratio,
        b_mvar=-q * ratio,
        in_service=frame.bus_on[star],
    )


# ---- storage, compensators, DC lines --------------------------------------------------------------------------------


def convert_storage(frame: Frame) -> t.StorageTable:
    """Storage; the source counts charging positive."""
    data = frame.table("storage")
    if not len(data):
        return t.StorageTable.empty()
    at, scaling = frame.buses("storage"), numbers(data, "scaling", 1.0)
    on = frame.on("storage", at)
    p, q = numbers(data, "p_mw", 0.0) * scaling, numbers(data, "q_mvar", 0.0) * scaling
    frame.report.count("storage", on, p, q)
    most = numbers(data, "max_e_mwh")
    return t.StorageTable.make(
        id=frame.ids("storage"),
        name=texts(data, "name"),
        bus=at,
        p_mw=-p,
        q_mvar=-q,
        p_min_mw=-numbers(data, "max_p_mw", np.inf),
        p_max_mw=-numbers(data, "min_p_mw", -np.inf),
        q_min_mvar=-numbers(data, "max_q_mvar", np.inf),
        q_max_mvar=-numbers(data, "min_q_mvar", -np.inf),
        energy_mwh=numbers(data, "soc_percent") / 100 * most,
        energy_max_mwh=most,
        in_service=on,
    )


def convert_compensators(frame: Frame) -> t.CompensatorTable:
    """Controlled SVCs at their bus, and STATCOMs as a voltage source behind their impedance."""
    rows = Rows()
    data = frame.table("svc")
    if len(data):
        at, ids = frame.buses("svc"), frame.ids("svc")
        on, held = frame.on("svc", at), flags(data, "controllable", True)
        angles = {"q_max_mvar": "max_angle_degree", "q_min_mvar": "min_angle_degree"}
        q = {key: -thyristor_susceptance(frame, data, at, angle) * frame.base_mva for key, angle in angles.items()}
        keep = np.flatnonzero(held)
        named = [ids[i] for i in keep]
        if named:
            why = "limits are Mvar at 1 pu; with the tool they follow the square of the voltage"
            frame.report.approximate("svc", "susceptance limits as reactive limits", named, why)
        rows.add(
            len(keep),
            id=named,
            bus=at[keep],
            v_set_pu=numbers(data, "set_vm_pu", 1.0)[keep],
            q_min_mvar=np.minimum(q["q_min_mvar"], q["q_max_mvar"])[keep],
            q_max_mvar=np.maximum(q["q_min_mvar"], q["q_max_mvar"])[keep],
            in_service=on[keep],
        )
    data = frame.table("ssc")
    if len(data):
        at = frame.buses("ssc")
        held, inner = flags(data, "controllable", True), np.array(inner_buses(frame, "ssc"))
        v_set = np.where(held, numbers(data, "set_vm_pu", 1.0), numbers(data, "vm_internal_pu", 1.0))
        rows.add(
            len(data),
            id=frame.ids("ssc"),
            name=texts(data, "name"),
            bus=inner,
            v_set_pu=v_set,
            controlled_bus=np.where(held, at, -1),
            in_service=frame.on("ssc", at),
        )
    return rows.make(t.CompensatorTable)


def convert_dc_lines(frame: Frame) -> t.HvdcTable:
    """DC lines, which hold the voltage at both ends and lose ``loss_percent`` of what they draw plus ``loss_mw``.

    Where power flows backwards the tool draws ``|p_mw|`` at the to end and delivers what is left at the from end.
    """
    data = frame.table("dcline")
    if not len(data):
        return t.HvdcTable.empty()
    at, to = frame.buses("dcline", "from_bus"), frame.buses("dcline", "to_bus")
    on = flags(data, "in_service", True) & frame.bus_on[at] & frame.bus_on[to]
    p, most = numbers(data, "p_mw", 0.0), numbers(data, "max_p_mw", np.inf)
    frame.report.count("dcline", on, p)
    return t.HvdcTable.make(
        id=frame.ids("dcline"),
        name=texts(data, "name"),
        from_bus=at,
        to_bus=to,
        p_mw=p,
        p_min_mw=-most,
        p_max_mw=most,
        loss_fixed_mw=numbers(data, "loss_mw", 0.0),
        loss_share=numbers(data, "loss_percent", 0.0) / 100,
        regulates_from=True,
        regulates_to=True,
        v_set_from_pu=numbers(data, "vm_from_pu", 1.0),
        v_set_to_pu=numbers(data, "vm_to_pu", 1.0),
        q_min_from_mvar=numbers(data, "min_q_from_mvar", -np.inf),
        q_max_from_mvar=numbers(data, "max_q_from_mvar", np.inf),
        q_min_to_mvar=numbers(data, "min_q_to_mvar", -np.inf),
        q_max_to_mvar=numbers(data, "max_q_to_mvar", np.inf),
        in_service=on,
    )
