"""Generators, batteries, loads, shunts and static var compensators of the pypowsybl reader."""

from __future__ import annotations

import math
from collections import defaultdict
from xml.etree import ElementTree

from aurigrid.io.powsybl_rows import Record, Rows, bound, number, text

_FUEL = {"HYDRO": "hydro", "NUCLEAR": "nuclear", "WIND": "wind", "SOLAR": "solar", "THERMAL": "thermal", "OTHER": ""}


def reactive_limits(r: Record, curves: dict[str, list[Record]]) -> tuple[float, float]:
    """Lower and upper reactive limit in Mvar: those given, or the widest of the capability curve."""
    curve = curves.get(r["id"])
    if curve:
        return min(float(c["min_q"]) for c in curve), max(float(c["max_q"]) for c in curve)
    return bound(r["min_q"], -math.inf), bound(r["max_q"], math.inf)


def read_curves(rows: Rows) -> dict[str, list[Record]]:
    """Capability curves by element, ascending in power."""
    out = defaultdict(list)
    for r in rows.records("reactive_capability_curve_points"):
        out[r["id"]].append(r)
    return {id: sorted(points, key=lambda r: float(r["p"])) for id, points in out.items()}


def voltage_control(rows: Rows, r: Record, own_bus: int, wanted: bool, table: str) -> Record:
    """The columns of a unit that may hold a voltage: whose, and at what value.

    Where the regulated terminal has no live bus the source's own power flow drops the control; so do we, with a note.
    """
    if not wanted:
        return {"regulates": False}
    held = rows.bus_at.get(text(r.get("regulated_bus_breaker_bus_id")))
    target = number(r["target_v"])
    if held is None or not rows.view[held] or not target > 0:
        why = "the regulated terminal is on no live bus, or the target is not positive"
        rows.note("ignore", table, "voltage control not kept", r["id"], why)
        return {"regulates": False}
    own = rows.same_node(own_bus, held)
    return {"regulates": True, "v_set_pu": target / rows.v_nom[held], "controlled_bus": -1 if own else held}


def read_generators(rows: Rows, curves: dict[str, list[Record]]) -> None:
    """Generators: targets, limits, capability curves, voltage control (own bus or remote), participation."""
    records = rows.records("generators")
    control = rows.extension("activePowerControl")
    for r in records:
        bus, on, id = rows.home(r), rows.alive(r), r["id"]
        q_min, q_max = reactive_limits(r, curves)
        held = voltage_control(rows, r, bus, bool(r["voltage_regulator_on"]) and on, "generators")
        position = rows.add(
            "gen", id=id, name=text(r["name"]), bus=bus, p_mw=number(r["target_p"], 0.0),
            q_mvar=number(r["target_q"], 0.0), p_min_mw=bound(r["min_p"], -math.inf),
            p_max_mw=bound(r["max_p"], math.inf), q_min_mvar=q_min, q_max_mvar=q_max,
            fuel=_FUEL.get(text(r["energy_source"]), ""), technology="condenser" if r["condenser"] else "",
            participation=_share(r, control.get(id)), in_service=on, **held,
        )  # fmt: skip
        for point in curves.get(id, ()):
            rows.add("capability", gen=position, p_mw=point["p"], q_min_mvar=point["min_q"], q_max_mvar=point["max_q"])
    if records:
        connected = [bool(r["connected"]) for r in records]
        p, q = ([number(r[c], 0.0) for r in records] for c in ("target_p", "target_q"))
        rows.report.count("generators", connected, p, q)


def _share(r: Record, control: Record | None) -> float:
    """Share in a distributed slack: the source's own factor, else the largest output (OpenLoadFlow's default key)."""
    if control is not None and not control["participate"]:
        return 0.0
    factor = number(control["participation_factor"], 0.0) if control is not None else 0.0
    largest = number(r["max_p"], 0.0)
    return factor if factor > 0 else (largest if 0 < largest < 1e5 else 0.0)


def read_batteries(rows: Rows, curves: dict[str, list[Record]]) -> None:
    """Batteries as storage; one that holds a voltage gets a compensator beside it, which carries its reactive power."""
    records = rows.records("batteries")
    control = rows.extension("voltageRegulation")
    for r in records:
        bus, on, id = rows.home(r), rows.alive(r), r["id"]
        q_min, q_max = reactive_limits(r, curves)
        held: Record = {"regulates": False}
        if control.get(id, {}).get("voltage_regulator_on"):
            held = _battery_control(rows, control[id], bus, id)
        if held["regulates"]:
            limits = {"q_min_mvar": q_min, "q_max_mvar": q_max}
            rows.add("compensator", id=f"{id}:voltage", name=text(r["name"]), bus=bus, in_service=on, **limits, **held)
            what = "voltage control given to a compensator beside the storage"
            rows.note("merge", "batteries", what, id)
        rows.add(
            "storage", id=id, name=text(r["name"]), bus=bus, p_mw=number(r["target_p"], 0.0),
            q_mvar=0.0 if held["regulates"] else number(r["target_q"], 0.0), in_service=on,
            p_min_mw=bound(r["min_p"], -math.inf), p_max_mw=bound(r["max_p"], math.inf),
            q_min_mvar=0.0 if held["regulates"] else q_min, q_max_mvar=0.0 if held["regulates"] else q_max,
        )  # fmt: skip
    if records:
        p, q = [number(r["target_p"], 0.0) for r in records], [number(r["target_q"], 0.0) for r in records]
        rows.report.count("batteries", [bool(r["connected"]) for r in records], p, q)
        why = "the source gives none"
        rows.report.approximate("batteries", "energy content and efficiencies unknown", [r["id"] for r in records], why)


def _battery_control(rows: Rows, control: Record, bus: int, id: str) -> Record:
    """A battery's voltage control; only its own bus can be held, the extension names elements and not buses."""
    target = number(control["target_v"])
    if text(control.get("regulated_element_id")) not in ("", id) or not target > 0:
        rows.note("ignore", "batteries", "remote voltage control not kept", id, "only the own bus can be held")
        return {"regulates": False}
    return {"regulates": True, "v_set_pu": target / rows.v_nom[bus], "controlled_bus": -1}


def read_loads(rows: Rows) -> None:
    """Loads, with the ZIP or exponential models that the source's own power flow uses on request."""
    records = rows.records("loads")
    models = load_models(rows) if records else {}
    for r in records:
        kind = text(r["type"]).lower()
        rows.add(
            "load", id=r["id"], name=text(r["name"]), bus=rows.home(r), p_mw=number(r["p0"], 0.0),
            q_mvar=number(r["q0"], 0.0), kind="" if kind == "undefined" else kind, in_service=rows.alive(r),
            **models.get(r["id"], {}),
        )  # fmt: skip
    if records:
        rows.report.count(
            "loads", [bool(r["connected"]) for r in records], [r["p0"] for r in records], [r["q0"] for r in records]
        )


def load_models(rows: Rows) -> dict[str, Record]:
    """ZIP shares by load.

    pypowsybl's load frame does not show load models, so they are taken from the network's XIIDM text. An exponent of
    0, 1 or 2 is exact in ZIP form; another one becomes the ZIP load of the same value and slope at 1 pu.
    """
    xml = rows.source.save_to_string("XIIDM")
    if "zipModel" not in xml and "exponentialModel" not in xml:
        return {}
    out: dict[str, Record] = {}
    for element in ElementTree.fromstring(xml).iter():
        if element.tag.rpartition("}")[2] != "load":
            continue
        for model in element:
            id, kind, at = element.attrib["id"], model.tag.rpartition("}")[2], model.attrib
            if kind == "zipModel":
                out[id] = {f"{x}_share_{y}": float(at[f"c{n}{x}"]) for x in "pq" for y, n in (("i", 1), ("z", 2))}
            elif kind == "exponentialModel":
                out[id] = _exponential(rows, id, float(at["np"]), float(at["nq"]))
    return out


def _exponential(rows: Rows, id: str, n_p: float, n_q: float) -> Record:
    rows.exponential.append(id)
    out: Record = {}
    for x, n in (("p", n_p), ("q", n_q)):
        if n not in (0.0, 1.0, 2.0):
            rows.note("approximate", "loads", "exponential model read as the ZIP model of equal slope at 1 pu", id)
        z = min(max(n - 1.0, 0.0), 1.0)
        out[f"{x}_share_z"], out[f"{x}_share_i"] = z, min(max(n, 0.0), 1.0) - z
    return out


def read_shunts(rows: Rows) -> None:
    """Shunt compensators: equal sections as steps, unequal ones as one step of their present admittance."""
    records = rows.records("shunt_compensators")
    linear = {r["id"]: r for r in rows.records("linear_shunt_compensator_sections")}
    for r in records:
        bus, on, id = rows.home(r), rows.alive(r), r["id"]
        mva = rows.v_nom[bus] ** 2
        section, steps, most = linear.get(id), float(r["section_count"]), int(r["max_section_count"])
        if section is not None:
            g, b = section["g_per_section"], section["b_per_section"]
        else:
            g, b, steps, most = r["g"], r["b"], 1.0, 1
            rows.note(
                "approximate",
                "shunt_compensators",
                "unequal sections held as they are",
                id,
                "one step of today's value",
            )
        row = {"g_mw": number(g, 0.0) * mva, "b_mvar": number(b, 0.0) * mva, "step": steps, "step_max": most}
        rows.add("shunt", id=id, name=text(r["name"]), bus=bus, in_service=on, **row)
        if r["voltage_regulation_on"]:
            rows.note(
                "ignore", "shunt_compensators", "voltage regulation not kept", id, "the present sections are held"
            )
    if records:
        q = [number(r["b"], 0.0) * rows.v_nom[rows.home(r)] ** 2 for r in records]
        rows.report.count("shunt_compensators", [bool(r["connected"]) for r in records], None, q)


def section_differences(rows: Rows) -> list[str]:
    """Shunts whose sections in the solved state are not those that the model starts from."""
    out = []
    for r in rows.records("shunt_compensators"):
        solved = number(r.get("solved_section_count"))
        if not math.isnan(solved) and 0 <= abs(solved) < 90000 and int(solved) != int(r["section_count"]):
            out.append(r["id"])
    return out


def read_svcs(rows: Rows) -> None:
    """Static var compensators: voltage, reactive power or off; their susceptance limits as Mvar at 1 pu."""
    records = rows.records("static_var_compensators")
    slopes, standby = rows.extension("voltagePerReactivePowerControl"), rows.extension("standbyAutomaton")
    for r in records:
        bus, on, id = rows.home(r), rows.alive(r), r["id"]
        mode, active = text(r["regulation_mode"]), bool(r["regulating"]) and on
        held = voltage_control(rows, r, bus, active and mode == "VOLTAGE", "static_var_compensators")
        q = -number(r["target_q"], 0.0) if active and mode == "REACTIVE_POWER" else 0.0
        mva = rows.v_nom[bus] ** 2
        rows.add(
            "compensator", id=id, name=text(r["name"]), bus=bus, q_mvar=q, in_service=on,
            q_min_mvar=bound(r["b_min"], -math.inf) * mva, q_max_mvar=bound(r["b_max"], math.inf) * mva, **held,
        )  # fmt: skip
        if number(slopes.get(id, {}).get("slope"), 0.0):
            rows.note("ignore", "static_var_compensators", "voltage slope not kept", id, "the voltage is held exactly")
        if id in standby:
            rows.note(
                "ignore",
                "static_var_compensators",
                "standby automaton not kept",
                id,
                "thresholds and b0 have no column",
            )
    if records:
        rows.report.count("static_var_compensators", [bool(r["connected"]) for r in records])
        why = "the limit follows the square of the voltage in the source"
        rows.report.approximate(
            "static_var_compensators", "susceptance limits as Mvar at 1 pu", [r["id"] for r in records], why
        )
