"""What injects and consumes in a pandapower net: units, loads, shunts, storage, compensators, DC lines, costs.

Conventions of the source: loads, storage and wards count consumption positive, units and static generators injection;
every power is multiplied by the element's ``scaling``. pandapower documentation, "Electric Model" of each element.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from aurigrid.io.pandapower_branch import thyristor_susceptance
from aurigrid.io.pandapower_frame import Frame, Rows, flags, numbers, texts
from aurigrid.model import tables as t
from aurigrid.model.table import Array

_FUELS = (
    ("wind", ("wind", "wp", "wea", "wka")),
    ("solar", ("pv", "solar", "photovoltaic")),
    ("hydro", ("hydro", "run of river", "water", "pump", "ror")),
    ("lignite", ("lignite", "brown coal")),
    ("coal", ("coal",)),
    ("gas", ("gas", "ccgt", "ocgt")),
    ("oil", ("oil", "diesel")),
    ("nuclear", ("nuclear",)),
    ("biomass", ("bio",)),
    ("waste", ("waste",)),
    ("geothermal", ("geotherm",)),
    ("import", ("imp",)),
)


def fuel_of(kind: str) -> str:
    """Primary energy by the source's free text of a unit's type; empty where it does not say."""
    low = kind.lower()
    return next(
        (fuel for fuel, words in _FUELS if any(low.startswith(w) or f" {w}" in low for w in words)), ""
    ) or next((fuel for fuel, words in _FUELS if any(len(w) > 3 and w in low for w in words)), "")


def inner_buses(frame: Frame, table: str) -> list[int]:
    """Positions of the inner nodes that `pandapower_branch.add_internal_branches` added for a table."""
    real = len(frame.net["bus"])
    where = {id: real + i for i, (id, *_) in enumerate(frame.added)}
    return [where[id] for id in frame.ids(table)]


# ---- units ----------------------------------------------------------------------------------------------------------


def convert_units(frame: Frame) -> t.GenTable:
    """External grids, generators, static generators and the sources inside extended wards, in that order."""
    rows = Rows()
    add_external_grids(frame, rows)
    add_generators(frame, rows)
    add_static_generators(frame, rows)
    data = frame.table("xward")
    if len(data):
        at = frame.buses("xward")
        rows.add(
            len(data),
            id=frame.ids("xward"),
            name=texts(data, "name"),
            bus=inner_buses(frame, "xward"),
            v_set_pu=numbers(data, "vm_pu", 1.0),
            regulates=True,
            p_min_mw=0.0,
            p_max_mw=0.0,
            participation=numbers(data, "slack_weight", 0.0),
            in_service=frame.on("xward", at),
        )
    return rows.make(t.GenTable)


def limits(data: Any, scaling: Array | float = 1.0) -> dict[str, Array]:
    """Active and reactive limits, infinite where the source has none."""
    return {
        "p_min_mw": numbers(data, "min_p_mw", -np.inf) * scaling,
        "p_max_mw": numbers(data, "max_p_mw", np.inf) * scaling,
        "q_min_mvar": numbers(data, "min_q_mvar", -np.inf) * scaling,
        "q_max_mvar": numbers(data, "max_q_mvar", np.inf) * scaling,
    }


def add_external_grids(frame: Frame, rows: Rows) -> None:
    data = frame.table("ext_grid")
    if not len(data):
        return
    at = frame.buses("ext_grid")
    on = frame.on("ext_grid", at)
    frame.report.count("ext_grid", on)
    kind = texts(data, "type")
    rows.add(
        len(data),
        id=frame.ids("ext_grid"),
        name=texts(data, "name"),
        bus=at,
        p_mw=numbers(data, "p_disp_mw", 0.0),
        v_set_pu=numbers(data, "vm_pu", 1.0),
        v_ang_deg=numbers(data, "va_degree", 0.0),
        regulates=True,
        is_reference=on,
        participation=numbers(data, "slack_weight", 1.0),
        fuel=[fuel_of(k) for k in kind],
        technology=kind,
        in_service=on,
        **limits(data),
    )


def add_generators(frame: Frame, rows: Rows) -> None:
    data = frame.table("gen")
    if not len(data):
        return
    at, scaling = frame.buses("gen"), numbers(data, "scaling", 1.0)
    on, p = frame.on("gen", at), numbers(data, "p_mw", 0.0) * scaling
    frame.report.count("gen", on, p)
    kind = texts(data, "type")
    rows.add(
        len(data),
        id=frame.ids("gen"),
        name=texts(data, "name"),
        bus=at,
        p_mw=p,
        v_set_pu=numbers(data, "vm_pu", 1.0),
        regulates=True,
        is_reference=flags(data, "slack") & on,
        participation=numbers(data, "slack_weight", 0.0),
        fuel=[fuel_of(k) for k in kind],
        technology=kind,
        in_service=on,
        **limits(data),
    )


def add_static_generators(frame: Frame, rows: Rows) -> None:
    for table in ("sgen", "asymmetric_sgen"):
        data = frame.table(table)
        if not len(data):
            continue
        at, scaling = frame.buses(table), numbers(data, "scaling", 1.0)
        p, q = (
            phase_sums(data) if table.startswith("asym") else (numbers(data, "p_mw", 0.0), numbers(data, "q_mvar", 0.0))
        )
        on = frame.on(table, at)
        frame.report.count(table, on, p * scaling, q * scaling)
        kind = texts(data, "type")
        rows.add(
            len(data),
            id=frame.ids(table),
            name=texts(data, "name"),
            bus=at,
            p_mw=p * scaling,
            q_mvar=q * scaling,
            fuel=[fuel_of(k) for k in kind],
            technology=kind,
            in_service=on,
            **limits(data),
        )
        if table.startswith("asym"):
            note_balanced(frame, table)


def phase_sums(data: Any) -> tuple[Array, Array]:
    """Three-phase totals of an asymmetric element."""
    p = sum((numbers(data, f"p_{k}_mw", 0.0) for k in "abc"), np.zeros(len(data)))
    q = sum((numbers(data, f"q_{k}_mvar", 0.0) for k in "abc"), np.zeros(len(data)))
    return p, q


def note_balanced(frame: Frame, table: str) -> None:
    why = "the model is balanced; the tool's own balanced power flow does the same"
    frame.report.approximate(table, "the three phases are added up", frame.ids(table), why)


def convert_capability(frame: Frame, units: t.GenTable) -> t.CapabilityTable:
    """Capability curves of generators and static generators that ask for theirs."""
    curves = frame.table("q_capability_curve_table")
    rows = Rows()
    if not len(curves):
        return rows.make(t.CapabilityTable) if rows.n else t.CapabilityTable.empty()
    where = {id: i for i, id in enumerate(units.id)}
    for table in ("gen", "sgen"):
        data = frame.table(table)
        asked = flags(data, "reactive_capability_curve")
        curve_of = numbers(data, "id_q_capability_characteristic")
        for id, on, curve in zip(frame.ids(table), asked, curve_of, strict=True):
            points = curves[curves["id_q_capability_curve"] == curve].sort_values("p_mw") if on else curves.iloc[:0]
            rows.add(
                len(points),
                gen=where[id],
                p_mw=numbers(points, "p_mw"),
                q_min_mvar=numbers(points, "q_min_mvar"),
                q_max_mvar=numbers(points, "q_max_mvar"),
            )
    return rows.make(t.CapabilityTable) if rows.n else t.CapabilityTable.empty()


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
        for kind in ("z", "i"):
            old = numbers(data, f"const_{kind}_percent", 0.0)
            new = f"const_{kind}_{part}_percent"
            share[f"{ours}_share_{kind}"] = (numbers(data, new, 0.0) if new in data.columns else old) / 100
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


# ---- costs ----------------------------------------------------------------------------------------------------------


def convert_costs(frame: Frame, units: t.GenTable) -> tuple[t.GenTable, t.CostPointTable]:
    """Polynomial and piecewise-linear costs of units; those of other elements are named as ignored."""
    where = {id: i for i, id in enumerate(units.id)}
    c = np.zeros((3, len(units)))
    rows, ignored = Rows(), []
    data = frame.table("poly_cost")
    if len(data):
        names = ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2")
        for et, element, *cost in zip(
            data["et"], data["element"], *(numbers(data, n, 0.0) for n in names), strict=True
        ):
            id = f"{et}:{element}"
            if id in where:
                c[:, where[id]] = cost
            else:
                ignored.append(id)
        if any(numbers(data, f"cq{k}", 0.0).any() for k in ("0_eur", "1_eur_per_mvar", "2_eur_per_mvar2")):
            frame.report.ignore(
                "poly_cost", "costs of reactive power", (), "an optimal power flow alone would use them"
            )
    data = frame.table("pwl_cost")
    if len(data):
        kinds = texts(data, "power_type")
        for et, element, kind, points in zip(data["et"], data["element"], kinds, data["points"], strict=True):
            id = f"{et}:{element}"
            if id not in where or kind == "q":
                ignored.append(f"{id} {kind}")
                continue
            p, cost = cost_points(points)
            rows.add(len(p), gen=where[id], p_mw=p, cost_per_h=cost)
    if ignored:
        why = "only units have costs here; no power flow depends on them"
        frame.report.ignore("cost", "costs of other elements", ignored, why)
    units = units.replace(cost_c0_per_h=c[0], cost_c1_per_mwh=c[1], cost_c2_per_mw2h=c[2])
    return units, rows.make(t.CostPointTable) if rows.n else t.CostPointTable.empty()


def cost_points(segments: Any) -> tuple[list[float], list[float]]:
    """Points of a cost curve from its segments (lower MW, upper MW, cost per MWh); it starts at lower * slope."""
    p, cost = [float(segments[0][0])], [float(segments[0][0] * segments[0][2])]
    for low, high, slope in segments:
        p.append(float(high))
        cost.append(cost[-1] + float((high - low) * slope))
    return p, cost


# ---- coordinates ----------------------------------------------------------------------------------------------------


def coordinates(frame: Frame) -> tuple[Array, Array]:
    """Longitude and latitude of each bus of the net; NaN where absent, and for all where they are not degrees."""
    bus, n = frame.net["bus"], len(frame.net["bus"])
    xy = np.full((n, 2), np.nan)
    if "geo" in bus.columns:
        for i, text in enumerate(texts(bus, "geo")):
            if text:
                try:
                    point = json.loads(text)["coordinates"]
                    xy[i] = point[:2]
                except (ValueError, KeyError, TypeError):
                    continue
    else:
        old = frame.net.get("bus_geodata")
        if old is not None and len(old):
            at = bus.index.get_indexer(old.index)
            xy[at[at >= 0]] = np.stack([numbers(old, "x"), numbers(old, "y")], axis=1)[at >= 0]
    with np.errstate(invalid="ignore"):
        outside = (np.abs(xy[:, 0]) > 180) | (np.abs(xy[:, 1]) > 90)
    if outside.any():
        frame.report.ignore("bus", "coordinates are not degrees", (), "they place a drawing, not a map")
        xy[:] = np.nan
    return xy[:, 0], xy[:, 1]
