"""Shared bookkeeping of the pypowsybl reader: the source's data frames in, rows of our tables out.

pypowsybl gives impedances in ohm, admittances in siemens and voltages in kV. Everything becomes per unit here, on
``BASE_MVA`` and the nominal voltages of the voltage levels. Buses are those of the bus/breaker view, so that switches
the source retains stay visible; the others are merged by pypowsybl itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aurigrid.io.report import ReportBuilder
from aurigrid.model.network import Network
from aurigrid.model.table import Array, Table

BASE_MVA = 100.0
ZERO_IMPEDANCE_PU = 1e-8
"""Below this |z| a branch is taken as a closed switch, as by OpenLoadFlow's ``lowImpedanceThreshold``."""

_STAND_IN_REACTANCE_PU = 1e-6
_UNLIMITED = 1e300

Record = dict[str, Any]


def text(value: object) -> str:
    """A text attribute, with None and NaN as ``""``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def number(value: object, default: float = math.nan) -> float:
    """A numeric attribute; what is absent or NaN becomes the default."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return default
    return default if math.isnan(result) else result


def bound(value: object, default: float) -> float:
    """A limit; IIDM writes "no limit" as the largest double."""
    result = number(value, default)
    return math.copysign(math.inf, result) if abs(result) >= _UNLIMITED else result


@dataclass(frozen=True)
class Probe:
    """Where the state of one of our elements is found in the source: frame, element and two of its columns."""

    frame: str
    id: str
    first: str
    second: str


@dataclass
class Rows:
    """The rows of our tables while a pypowsybl network is read.

    Attributes:
        source: the live pypowsybl network, in ohm, siemens and kV.
        report: what was approximated, ignored and merged.
        bus_at: position by bus/breaker bus id.
        first_of_view: position of the first bus/breaker bus of each bus of the bus view.
        view: bus view id by position; ``""`` where the bus is not part of any (dead, or an auxiliary one).
        component: synchronous component by position, -1 where unknown.
        v_nom: nominal voltage by position, kV.
        level_kv: nominal voltage by voltage level, kV.
        bus_probe: where the voltage of each bus is found, or None.
        flow_probe: where the flows at both ends of each branch are found.
        exponential: loads that follow an exponential model in the source.
    """

    source: Any
    report: ReportBuilder
    bus_at: dict[str, int] = field(default_factory=dict)
    first_of_view: dict[str, int] = field(default_factory=dict)
    view: list[str] = field(default_factory=list)
    component: list[int] = field(default_factory=list)
    v_nom: list[float] = field(default_factory=list)
    level_kv: dict[str, float] = field(default_factory=dict)
    bus_probe: list[Probe | None] = field(default_factory=list)
    flow_probe: list[tuple[Probe | None, Probe | None]] = field(default_factory=list)
    exponential: list[str] = field(default_factory=list)
    rows: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    asides: dict[tuple[str, str, str, str], list[str]] = field(default_factory=dict)

    def records(self, name: str) -> list[Record]:
        """All elements of one pypowsybl frame, one mapping an element, its index among the keys."""
        frame = getattr(self.source, f"get_{name}")(all_attributes=True)
        return frame.reset_index().to_dict("records") if len(frame) else []

    def extension(self, name: str) -> dict[str, Record]:
        """The rows of an IIDM extension by element id; empty where no element has it."""
        frame = self.source.get_extensions(name)
        return {str(key): row for key, row in frame.to_dict("index").items()} if len(frame) else {}

    def note(self, kind: str, table: str, what: str, element: str, why: str = "") -> None:
        """Add an element to a note of the report (``kind`` is ``approximate``, ``ignore`` or ``merge``)."""
        self.asides.setdefault((kind, table, what, why), []).append(element)

    def write_notes(self) -> None:
        """Move the collected notes to the report."""
        for (kind, table, what, why), ids in self.asides.items():
            getattr(self.report, kind)(table, what, ids, why)
        self.asides.clear()

    def add(self, table: str, **row: object) -> int:
        """Append a row and return its position."""
        self.rows[table].append(row)
        return len(self.rows[table]) - 1

    def add_bus(
        self,
        id: str,
        v_nom_kv: float,
        *,
        view: str = "",
        component: int = -1,
        probe: Probe | None = None,
        **row: object,
    ) -> int:
        """Append a bus."""
        self.v_nom.append(v_nom_kv)
        self.view.append(view)
        self.component.append(component)
        self.bus_probe.append(probe)
        return self.add("bus", id=id, v_nom_kv=v_nom_kv, **row)

    def home(self, record: Record, side: str = "") -> int:
        """The bus that a terminal belongs to, connected or not."""
        found = self.bus_at.get(text(record.get(f"bus_breaker_bus{side}_id")))
        return self.dead_bus(text(record[f"voltage_level{side}_id"])) if found is None else found

    def dead_bus(self, level: str) -> int:
        """A bus out of service for disconnected elements that the source places on no bus of their voltage level."""
        id = f"{level}:disconnected"
        if id not in self.bus_at:
            self.bus_at[id] = self.add_bus(id, self.level_kv[level], in_service=False)
        return self.bus_at[id]

    def alive(self, record: Record, side: str = "") -> bool:
        """Whether a terminal is connected to a bus of its voltage level."""
        return bool(record[f"connected{side}"]) and text(record.get(f"bus_breaker_bus{side}_id")) in self.bus_at

    def same_node(self, a: int, b: int) -> bool:
        """Whether two buses are one electrical node in the bus view."""
        return a == b or (self.view[a] == self.view[b] != "")

    def add_branch(
        self,
        id: str,
        from_bus: int,
        to_bus: int,
        z_ohm: complex,
        y_from_s: complex,
        y_to_s: complex,
        *,
        rho: float = 1.0,
        alpha_deg: float = 0.0,
        table: str,
        probes: tuple[Probe | None, Probe | None] = (None, None),
        **row: object,
    ) -> int | None:
        """Append a branch given in SI units, or a closed switch where it has no impedance.

        The source's model is an ideal transformer at side 1, ``v1' = rho e^{j alpha} v1``, then the pi circuit
        ``z, y_from, y_to``, all seen from side 2. On the to side's voltage base this is our pi model with
        ``tap_ratio = v_nom_to / (v_nom_from rho)`` and ``shift = -alpha``; it also holds for lines between buses of
        different nominal voltage (rho = 1).

        Returns:
            The branch's position, or None where it became a switch.
        """
        z_base = self.v_nom[to_bus] ** 2 / BASE_MVA
        tap = self.v_nom[to_bus] / (self.v_nom[from_bus] * rho)
        z, y_from, y_to = z_ohm / z_base, y_from_s * z_base, y_to_s * z_base
        if abs(z) < ZERO_IMPEDANCE_PU:
            if abs(tap - 1) < 1e-9 and alpha_deg == 0:
                self._as_switch(id, table, from_bus, to_bus, (y_from, y_to), row)
                return None
            z = complex(0, _STAND_IN_REACTANCE_PU)
            what = f"given a reactance of {_STAND_IN_REACTANCE_PU:g} pu"
            self.note("approximate", table, what, id, "it has none, but a ratio or a phase shift")
        self.flow_probe.append(probes)
        return self.add(
            "branch", id=id, from_bus=from_bus, to_bus=to_bus, r_pu=z.real, x_pu=z.imag, tap_ratio=tap,
            shift_deg=-alpha_deg, g_from_pu=y_from.real, b_from_pu=y_from.imag, g_to_pu=y_to.real, b_to_pu=y_to.imag,
            **row,
        )  # fmt: skip

    def _as_switch(self, id: str, table: str, i: int, j: int, shunts: tuple[complex, complex], row: Record) -> None:
        closed = bool(row.get("in_service", True))
        rate = row.get("rate_mva", math.inf)
        self.add("switch", id=id, name=row.get("name", ""), from_bus=i, to_bus=j, closed=closed, rate_mva=rate)
        for end, bus, y in zip(("from", "to"), (i, j), shunts, strict=True):
            if y != 0:
                g, b = y.real * BASE_MVA, y.imag * BASE_MVA
                self.add("shunt", id=f"{id}:{end}", bus=bus, g_mw=g, b_mvar=b, in_service=closed)
        why = f"its impedance is below {ZERO_IMPEDANCE_PU:g} pu"
        if any(shunts):
            why += "; its charging stays as shunts, which OpenLoadFlow drops"
        self.note("merge", table, "read as switch", id, why)

    def table(self, name: str, kind: type[Table]) -> Table:
        """The rows of a table as our table type; absent columns take their defaults."""
        rows = self.rows[name]
        used = {key for row in rows for key in row}
        defaults = {c: kind.__dataclass_fields__[c].metadata["default"] for c in kind.columns()}
        columns = {c: [row.get(c, defaults[c]) for row in rows] for c in kind.columns() if c in used}
        return kind.make(len(rows), **columns)

    def network(self, name: str, frequency_hz: float) -> Network:
        """All rows as a network (not yet validated)."""
        tables: dict[str, Any] = {key: self.table(key, kind) for key, kind in Network.table_types().items()}
        return Network(**tables, name=name, base_mva=BASE_MVA, frequency_hz=frequency_hz)


def read_buses(rows: Rows) -> None:
    """Voltage levels and bus/breaker buses, with limits, areas and coordinates."""
    levels = {r["id"]: r for r in rows.records("voltage_levels")}
    rows.level_kv.update({id: float(r["nominal_v"]) for id, r in levels.items()})
    stations = {r["id"]: r for r in rows.records("substations")}
    places, entsoe, area_of = rows.extension("substationPosition"), rows.extension("entsoeArea"), _areas(rows)
    on: list[bool] = []
    for r in rows.records("bus_breaker_view_buses"):
        level = levels[r["voltage_level_id"]]
        kv, station_id = float(level["nominal_v"]), text(level["substation_id"])
        station, place = stations.get(station_id, {}), places.get(station_id, {})
        country = text(station.get("country"))
        v, view = number(r["v_mag"]), text(r["bus_id"])
        position = rows.add_bus(
            r["id"],
            kv,
            view=view,
            component=int(r["synchronous_component"]) if view else -1,
            probe=Probe("bus_breaker_view_buses", r["id"], "v_mag", "v_angle"),
            name=text(r["name"]),
            v_min_pu=bound(level["low_voltage_limit"], 0.0) / kv,
            v_max_pu=bound(level["high_voltage_limit"], math.inf) / kv,
            area=area_of.get(r["voltage_level_id"]) or text(entsoe.get(station_id, {}).get("code")) or country,
            zone=text(station.get("geo_tags")) or country,
            substation=station_id,
            lon=number(place.get("longitude")),
            lat=number(place.get("latitude")),
            v_mag_pu=v / kv if v > 0 else math.nan,
            v_ang_deg=number(r["v_angle"]) if v > 0 else math.nan,
        )
        rows.bus_at[r["id"]] = position
        if view:
            rows.first_of_view.setdefault(view, position)
        on.append(bool(view))
        _fictitious_load(rows, r, position)
    rows.report.count("bus_breaker_view_buses", on)


def _fictitious_load(rows: Rows, record: Record, position: int) -> None:
    p, q = number(record.get("fictitious_p0"), 0.0), number(record.get("fictitious_q0"), 0.0)
    if p or q:
        rows.add("load", id=f"{record['id']}:fictitious", bus=position, p_mw=p, q_mvar=q, kind="fictitious")


def _areas(rows: Rows) -> dict[str, str]:
    """The control area of each voltage level, where the source names areas."""
    kinds = {r["id"]: text(r["area_type"]) for r in rows.records("areas")}
    if not kinds:
        return {}
    wanted = "ControlArea" if "ControlArea" in kinds.values() else next(iter(kinds.values()))
    pairs = rows.records("areas_voltage_levels")
    other = [id for id, kind in kinds.items() if kind != wanted]
    if other:
        rows.report.ignore("areas", f"only areas of type {wanted} are kept", other)
    return {r["voltage_level_id"]: r["id"] for r in pairs if kinds[r["id"]] == wanted}


def read_switches(rows: Rows) -> None:
    """Switches between bus/breaker buses; those the source does not retain are already merged."""
    records = rows.records("switches")
    ends = [
        (rows.bus_at.get(text(r["bus_breaker_bus1_id"])), rows.bus_at.get(text(r["bus_breaker_bus2_id"])))
        for r in records
    ]
    for r, (i, j) in zip(records, ends, strict=True):
        if i is not None and j is not None and i != j:
            rows.add("switch", id=r["id"], name=text(r["name"]), from_bus=i, to_bus=j, closed=not r["open"])
        else:
            state = "open" if r["open"] else "closed"
            what = f"{state} switch not kept"
            rows.note("merge", "switches", what, r["id"], "the bus/breaker view retains no bus on either side")
    if records:
        rows.report.count("switches", [not r["open"] for r in records])


def bus_voltages(rows: Rows) -> tuple[Array, Array]:
    """The voltages that the source holds now: magnitude in pu and angle in degrees, (n_bus,), NaN where unknown."""
    frames = {p.frame: {r["id"]: r for r in rows.records(p.frame)} for p in _one_a_frame(rows.bus_probe)}
    magnitude, angle = np.full(len(rows.v_nom), np.nan), np.full(len(rows.v_nom), np.nan)
    for i, probe in enumerate(rows.bus_probe):
        record = frames[probe.frame].get(probe.id) if probe else None
        if probe and record:
            v, a = number(record[probe.first]), number(record[probe.second])
            if v > 0 and not math.isnan(a):
                magnitude[i], angle[i] = v / rows.v_nom[i], a
    return magnitude, angle


def branch_powers(rows: Rows) -> dict[str, Array]:
    """Flows that the source holds now, by the names of `SourceState`: (n_branch,) MW and Mvar into the branch."""
    probes = [p for pair in rows.flow_probe for p in pair]
    frames = {p.frame: {r["id"]: r for r in rows.records(p.frame)} for p in _one_a_frame(probes)}
    out = np.full((4, len(rows.flow_probe)), np.nan)
    for i, pair in enumerate(rows.flow_probe):
        for side, probe in enumerate(pair):
            if probe:
                record = frames[probe.frame][probe.id]
                out[2 * side, i], out[2 * side + 1, i] = number(record[probe.first]), number(record[probe.second])
    return dict(zip(("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar"), out, strict=True))


def _one_a_frame(probes: list[Probe | None]) -> list[Probe]:
    return list({p.frame: p for p in probes if p}.values())
