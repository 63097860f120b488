"""HVDC links and the choice of angle references of the pypowsybl reader."""

from __future__ import annotations

import math

from aurigrid.io.powsybl_rows import Record, Rows, bound, number, text
from aurigrid.io.powsybl_units import reactive_limits, voltage_control


def read_hvdc(rows: Rows, curves: dict[str, list[Record]]) -> None:
    """HVDC lines with their two converter stations.

    The rectifier draws ``p`` from its AC bus, ``(1 - l1) p`` enters the DC line, which loses ``r ((1 - l1) p / v)^2``,
    and the inverter feeds what arrives times ``1 - l2`` (powsybl-core's HvdcUtils). Here the line loss is a fixed loss
    at the present transfer, the converters' a share.
    """
    vsc = {r["id"]: r for r in rows.records("vsc_converter_stations")}
    lcc = {r["id"]: r for r in rows.records("lcc_converter_stations")}
    droop, span = rows.extension("hvdcAngleDroopActivePowerControl"), rows.extension("hvdcOperatorActivePowerRange")
    records = rows.records("hvdc_lines")
    for r in records:
        stations = [vsc.get(r[f"converter_station{s}_id"]) or lcc[r[f"converter_station{s}_id"]] for s in "12"]
        _link(rows, r, stations, curves, span.get(r["id"]))
        if droop.get(r["id"], {}).get("enabled"):
            why = "the set-point is held; the source adds power by angle difference"
            rows.note("ignore", "hvdc_lines", "AC emulation not kept", r["id"], why)
    linked = {r[f"converter_station{s}_id"] for r in records for s in "12"}
    lone = [id for id in (*vsc, *lcc) if id not in linked]
    if lone:
        rows.report.ignore("converter_stations", "stations without an HVDC line", lone, "they carry no active power")
    if records:
        on = [bool(r["connected1"] and r["connected2"]) for r in records]
        rows.report.count("hvdc_lines", on, [r["target_p"] for r in records])
    _detailed_dc(rows)


def _detailed_dc(rows: Rows) -> None:
    """Name the detailed DC grid (nodes, converters), which has no counterpart."""
    for name in ("voltage_source_converters", "dc_lines"):
        found = rows.records(name)
        if found:
            rows.report.ignore(
                name, "detailed DC grids are not read", [r["id"] for r in found], "their power is missing"
            )


def _link(rows: Rows, r: Record, stations: list[Record], curves: dict[str, list[Record]], span: Record | None) -> None:
    id, ends, alive = r["id"], [rows.home(s) for s in stations], [rows.alive(s) for s in stations]
    forward = text(r["converters_mode"]) == "SIDE_1_RECTIFIER_SIDE_2_INVERTER"
    sender, receiver = stations if forward else stations[::-1]
    p, keep = number(r["target_p"], 0.0), [1 - number(s["loss_factor"], 0.0) / 100 for s in (sender, receiver)]
    line_loss = number(r["r"], 0.0) * (p * keep[0] / float(r["nominal_v"])) ** 2
    fixed = line_loss * keep[1]
    delivered = (p * keep[0] - line_loss) * keep[1]
    columns: Record = {"p_max_mw": bound(r["max_p"], math.inf), "p_min_mw": -bound(r["max_p"], math.inf)}
    if span is not None:
        columns["p_max_mw"] = number(span["opr_from_cs1_to_cs2"], columns["p_max_mw"])
        columns["p_min_mw"] = -number(span["opr_from_cs2_to_cs1"], -columns["p_min_mw"])
    power = {sender["id"]: p, receiver["id"]: delivered}
    for end, station, bus, on in zip(("from", "to"), stations, ends, alive, strict=True):
        columns |= _converter(rows, id, end, station, bus, on, all(alive), power[station["id"]], curves)
    rows.add(
        "hvdc", id=id, name=text(r["name"]), from_bus=ends[0], to_bus=ends[1], p_mw=p if forward else -p,
        loss_fixed_mw=fixed, loss_share=1 - keep[0] * keep[1], in_service=all(alive), **columns,
    )  # fmt: skip
    if fixed:
        rows.note(
            "approximate", "hvdc_lines", "resistive loss held at the present transfer", id, "it grows with the square"
        )


def _converter(
    rows: Rows,
    link: str,
    end: str,
    station: Record,
    bus: int,
    on: bool,
    both: bool,
    p: float,
    curves: dict[str, list[Record]],
) -> Record:
    """The columns of one end. A VSC that holds a distant bus, or whose link is dead, becomes a compensator."""
    if "power_factor" in station:
        factor = abs(number(station["power_factor"], 1.0))
        if p:
            why = "it follows the transfer in the source"
            rows.note(
                "approximate",
                "lcc_converter_stations",
                "reactive demand held at the present transfer",
                station["id"],
                why,
            )
        return {f"q_{end}_mvar": -abs(p) * math.tan(math.acos(factor)), f"regulates_{end}": False}
    q_min, q_max = reactive_limits(station, curves)
    if station["id"] in curves:
        rows.note("approximate", "vsc_converter_stations", "widest limits of the capability curve taken", station["id"])
    held = voltage_control(rows, station, bus, bool(station["voltage_regulator_on"]) and on, "vsc_converter_stations")
    q = number(station["target_q"], 0.0)
    if on and (not both or held.get("controlled_bus", -1) >= 0):
        limits = {"q_min_mvar": q_min, "q_max_mvar": q_max, "q_mvar": 0.0 if held["regulates"] else q}
        rows.add("compensator", id=f"{station['id']}:voltage", name=link, bus=bus, in_service=True, **limits, **held)
        rows.note("merge", "vsc_converter_stations", "reactive power given to a compensator at its bus", station["id"])
        return {f"q_{end}_mvar": 0.0, f"regulates_{end}": False}
    return {
        f"q_{end}_mvar": 0.0 if held["regulates"] else q, f"regulates_{end}": held["regulates"],
        f"v_set_{end}_pu": held.get("v_set_pu", 1.0), f"q_min_{end}_mvar": q_min, f"q_max_{end}_mvar": q_max,
    }  # fmt: skip


def choose_references(rows: Rows) -> None:
    """Mark one regulating unit as reference in each synchronous component that has one.

    In order: a unit at the bus of the source's ``slackTerminal``, the best ``referencePriorities``, the largest unit.
    A component held by converters or compensators alone gets a unit of zero output at the first of their buses.
    """
    slack_views = {text(r["bus_id"]) for r in rows.extension("slackTerminal").values()} - {""}
    priority = {id: number(r.get("priority"), math.inf) for id, r in rows.extension("referencePriorities").items()}

    def rank(position: int) -> tuple[bool, float, bool, float]:
        gen = rows.rows["gen"][position]
        at_slack = rows.view[gen["bus"]] in slack_views
        given = priority.get(gen["id"], math.inf)
        largest = gen["p_max_mw"] if math.isfinite(gen["p_max_mw"]) else 0.0
        return at_slack, -given if given > 0 else -math.inf, gen.get("controlled_bus", -1) < 0, largest

    by_component: dict[int, list[int]] = {}
    for position, gen in enumerate(rows.rows["gen"]):
        if gen["in_service"] and gen["regulates"]:
            by_component.setdefault(rows.component[gen["bus"]], []).append(position)
    for found in by_component.values():
        best = max(found, key=rank)
        at_slack, given, _, _ = rank(best)
        _mark(rows, best)
        if not at_slack:
            why = "the source names no slack here" if math.isinf(given) else "by the source's reference priority"
            what = "angle reference: the largest regulating unit" if math.isinf(given) else "angle reference"
            rows.note("approximate", "slack", what, rows.rows["gen"][best]["id"], why)
    _reference_for_converters(rows, set(by_component))
    reachable = {rows.view[rows.rows["gen"][i]["bus"]] for found in by_component.values() for i in found}
    if slack_views - reachable:
        why = "no unit holds its voltage; the reference is taken at another bus"
        rows.report.approximate("slack", "slack bus without a regulating unit", sorted(slack_views - reachable), why)


def _mark(rows: Rows, position: int) -> None:
    gen = rows.rows["gen"][position]
    angle = rows.rows["bus"][gen["bus"]].get("v_ang_deg", math.nan)
    gen |= {"is_reference": True, "v_ang_deg": 0.0 if math.isnan(angle) else angle}


def _reference_for_converters(rows: Rows, done: set[int]) -> None:
    holders = [(c["bus"], c["v_set_pu"]) for c in rows.rows["compensator"] if c["in_service"] and c.get("regulates")]
    for link in rows.rows["hvdc"]:
        if link["in_service"]:
            ends = [e for e in ("from", "to") if link[f"regulates_{e}"]]
            holders.extend((link[f"{e}_bus"], link[f"v_set_{e}_pu"]) for e in ends)
    for bus, v_set in holders:
        component = rows.component[bus]
        if component in done or component < 0:
            continue
        done.add(component)
        id = f"{rows.rows['bus'][bus]['id']}:reference"
        position = rows.add("gen", id=id, bus=bus, v_set_pu=v_set, regulates=True, in_service=True)
        _mark(rows, position)
        why = "only converters or compensators hold the voltage there"
        rows.note("approximate", "slack", "a unit of zero output added as angle reference", id, why)
