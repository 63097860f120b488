"""What a run found, worst first: outages, the limits they break, and the outages that threaten an element.

A window of steps is read once into flat arrays and kept; questions about it are then answered in a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from aurigrid.console.columns import Columns, packed, texts
from aurigrid.console.content import window
from aurigrid.console.library import Entry
from aurigrid.console.listed import kind_of
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.store.arrays import codes, numbers

PLACED = ("bus", "branch", "gen", "load", "hvdc", "shunt", "storage", "compensator")
"""Tables whose elements have a bus, and so a voltage level and an area."""

REACTIVE = "reactive_limit"


@dataclass(frozen=True)
class Breaches:
    """Broken limits of a window of steps, row by row.

    Attributes:
        step, contingency, element: int32.
        table, kind: numbers of `tables` and `kinds`.
        value, base_value, limit, excess, severity: float32, NaN where there is none.
        new: bool.
        v_nom_kv, area: voltage level of the element, kV, and the number of its area in `areas`.
    """

    step: Array
    contingency: Array
    element: Array
    table: Array
    kind: Array
    value: Array
    base_value: Array
    limit: Array
    excess: Array
    severity: Array
    new: Array
    v_nom_kv: Array
    area: Array
    tables: tuple[str, ...]
    kinds: tuple[str, ...]
    areas: tuple[str, ...]

    def take(self, rows: Array) -> Breaches:
        """Some of the rows."""
        chosen = {
            f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in ("tables", "kinds", "areas")
        }
        return replace(self, **chosen)


@dataclass(frozen=True)
class Wanted:
    """Which rows are asked for; absent means all."""

    kind: str | None = None
    outage_kind: str | None = None
    v_nom_kv: float | None = None
    area: str | None = None
    text: str | None = None
    base: bool = False


def breaches(entry: Entry, steps: tuple[int, ...]) -> Breaches:
    """The broken limits of some steps."""
    whole = None
    if len(steps) == 1:
        whole = entry.kept.found(("breaches", window(entry, steps[0], True)))
    if isinstance(whole, Breaches):
        return entry.kept.get(("breaches", steps), lambda: whole.take(np.flatnonzero(whole.step == steps[0])))
    return entry.kept.get(("breaches", steps), lambda: _read(entry, steps))


def _read(entry: Entry, steps: tuple[int, ...]) -> Breaches:
    table = entry.run().table("violations", steps)
    column = {name: numbers(table.column(name)).astype(np.int32) for name in ("step", "contingency", "element")}
    real = {
        name: numbers(table.column(name)).astype(np.float32)
        for name in ("value", "base_value", "limit", "excess", "severity")
    }
    tables, which = codes(table.column("element_table"))
    kinds, kind = codes(table.column("kind"))
    net = entry.network()
    named = areas(entry)
    words = tuple(np.unique(named).tolist())
    v_nom, area = np.full(len(which), np.nan, np.float32), np.full(len(which), -1, np.int32)
    number = np.searchsorted(words, named) if words else np.zeros(net.n_bus, int)
    for code, name in enumerate(tables):
        rows = np.flatnonzero((which == code) & (column["element"] >= 0))
        bus = buses_of(net, name)
        if bus is None or not len(rows):
            continue
        at = bus[column["element"][rows]]
        v_nom[rows], area[rows] = net.bus.v_nom_kv[at], number[at]
    new = numbers(table.column("new"))
    return Breaches(
        **column, **real, table=which, kind=kind, new=new, v_nom_kv=v_nom, area=area,
        tables=tables, kinds=kinds, areas=words,
    )  # fmt: skip


def areas(entry: Entry) -> Array:
    """(n_bus,) names of areas: the data's own, or, where these do not divide the grid, the regions that describe states."""

    def make() -> Array:
        from aurigrid.store.regions import regions

        net = entry.network()
        own = net.bus.area.astype(str)
        if len(np.unique(own[own != ""])) > 1:
            return own
        found = regions(net)
        return np.array(found.names)[found.of_bus] if found.kind in ("zone", "geographic") else own

    return entry.kept.get("areas", make)


def buses_of(net: Network, table: str) -> Array | None:
    """Bus of each element of a table: of a branch its from bus; None where a table has none."""
    if table not in PLACED or not len(getattr(net, table)):
        return None
    if table == "bus":
        return np.arange(net.n_bus)
    found: Array = getattr(net, table).from_bus if table in ("branch", "hvdc") else getattr(net, table).bus
    return found


def findings_ahead(entry: Entry, step: int) -> None:
    """Read what is asked first about the outages around a step, where the run has any."""
    if kind_of(entry.run()) == "day":
        steps = window(entry, step, True)
        breaches(entry, steps)
        _outcomes(entry, steps)


@dataclass(frozen=True)
class OutageList:
    """The outages of a run, as they are named in it."""

    label: Array
    kind: Array
    elements: list[list[str]]


def outage_list(entry: Entry) -> OutageList:
    """The list of outages, in the order of their positions."""

    def make() -> OutageList:
        table = entry.run().table("contingency_list").sort_by("contingency").to_pydict()
        return OutageList(np.array(table["label"], str), np.array(table["kind"], str), table["elements"])

    return entry.kept.get("outages", make)


def _keep(found: Breaches, names: OutageList, wanted: Wanted) -> Array:
    keep = (found.contingency < 0) if wanted.base else (found.contingency >= 0)
    if wanted.kind is not None:
        keep = keep & (found.kind == (found.kinds.index(wanted.kind) if wanted.kind in found.kinds else -1))
    if wanted.v_nom_kv is not None:
        keep = keep & (np.abs(found.v_nom_kv - wanted.v_nom_kv) < 0.01)
    if wanted.area is not None:
        keep = keep & (found.area == (found.areas.index(wanted.area) if wanted.area in found.areas else -2))
    if wanted.outage_kind is not None:
        keep = keep & (names.kind == wanted.outage_kind)[found.contingency]
    return keep


def worst_outages(entry: Entry, step: int | None, whole: bool, wanted: Wanted, limit: int) -> tuple[Columns, int]:
    """Outages with what they break, the worst first: without a solution, then by severity, then by supply lost.

    Returns:
        The first `limit` of them, one row an outage, and how many there are.
    """
    steps = window(entry, step, whole)
    names = outage_list(entry)
    found, state = breaches(entry, steps), _outcomes(entry, steps)
    n = len(names.label)
    keep = np.flatnonzero(_keep(found, names, wanted))
    # Reactive limits are small numbers beside what they hold: their shares would crowd out everything else.
    reactive = found.kinds.index(REACTIVE) if REACTIVE in found.kinds else -1
    rank = np.where(found.kind[keep] == reactive, 0.0, np.nan_to_num(found.severity[keep], nan=0.0)) + 1e-9
    rank = rank * np.where(
        found.new[keep], 1.0, 0.5
    )  # a limit that the outage itself breaks comes before a worsened one
    order = np.lexsort((rank, found.contingency[keep]))
    keep = keep[order]
    last = np.flatnonzero(np.append(np.diff(found.contingency[keep]) != 0, True)) if len(keep) else np.zeros(0, int)
    worst = np.full(n, -1)
    worst[found.contingency[keep[last]]] = keep[last]
    count = np.bincount(found.contingency[keep], minlength=n)
    told = (worst >= 0) | state["failed"] | (state["lost_mw"] > 0.05)
    if wanted.kind is not None or wanted.v_nom_kv is not None or wanted.area is not None:
        told = worst >= 0
    if wanted.outage_kind is not None:
        told &= names.kind == wanted.outage_kind
    if wanted.text:
        told &= np.char.find(np.char.lower(names.label), wanted.text.lower()) >= 0
    severity = np.where(worst >= 0, found.severity[worst] if len(found.severity) else np.nan, np.nan)
    chosen = np.flatnonzero(told)
    by = np.lexsort((-state["lost_mw"][chosen], -np.nan_to_num(severity[chosen], nan=-1.0), ~state["failed"][chosen]))
    chosen = chosen[by]
    total, chosen = len(chosen), chosen[:limit]
    return Columns(rows=len(chosen), columns=_rows(entry, found, names, state, chosen, worst, count, severity)), total


def _rows(
    entry: Entry, found: Breaches, names: OutageList, state: dict[str, Array], chosen: Array, worst: Array,
    count: Array, severity: Array,
) -> dict[str, Any]:  # fmt: skip
    row = worst[chosen]
    none = row < 0

    def taken(values: Array, empty: Any) -> Array:
        return np.where(none, empty, values[row] if len(values) else empty)

    kinds, tables = np.array([*found.kinds, ""]), np.array([*found.tables, ""])
    table, element = tables[taken(found.table, -1)], taken(found.element, -1)
    return {
        "contingency": packed(chosen, "i32"),
        "label": texts(names.label[chosen]),
        "outage_kind": texts(names.kind[chosen]),
        "status": texts(state["status"][chosen]),
        "step": packed(np.where(none, state["step"][chosen], taken(found.step, -1)), "i32"),
        "broken": packed(count[chosen], "i32"),
        "kind": texts(kinds[taken(found.kind, -1)]),
        "element_table": texts(table),
        "element": packed(element, "i32"),
        "element_id": texts(element_ids(entry.network(), table, element)),
        "value": packed(taken(found.value, np.nan), "f32"),
        "limit": packed(taken(found.limit, np.nan), "f32"),
        "severity": packed(severity[chosen], "f32"),
        "lost_load_mw": packed(state["lost_load_mw"][chosen], "f32"),
        "lost_gen_mw": packed(state["lost_gen_mw"][chosen], "f32"),
        "max_loading": packed(state["max_loading"][chosen], "f32"),
    }


def element_ids(net: Network, table: Array, element: Array) -> Array:
    """Ids of elements named by table and position; empty where none is meant."""
    out = np.full(len(table), "", dtype=object)
    for name in np.unique(table):
        if name in PLACED:
            rows = np.flatnonzero((table == name) & (element >= 0))
            out[rows] = getattr(net, name).id[element[rows]]
    return out.astype(str)


def _outcomes(entry: Entry, steps: tuple[int, ...]) -> dict[str, Array]:
    """How the outages of some steps ended: of each the worst step."""
    return entry.kept.get(("outcomes", steps), lambda: _read_outcomes(entry, steps))


_LOST = ("lost_load_mw", "lost_gen_mw", "max_loading")
_WEIGHT = {"converged": 0, "skipped": 0, "islanded": 1}
"""How bad an outcome is; others, without a solution, are 2."""


def _ends(entry: Entry, steps: tuple[int, ...]) -> dict[str, Any]:
    """Rows of ``contingencies`` of some steps as arrays; `words` are those that `status` numbers."""
    whole = entry.kept.found(("ends", window(entry, steps[0], True))) if len(steps) == 1 else None
    if whole is not None:
        rows = np.flatnonzero(whole["step"] == steps[0])
        return {name: values if name == "words" else values[rows] for name, values in whole.items()}

    def read() -> dict[str, Any]:
        table = entry.run().table("contingencies", steps)
        words, status = codes(table.column("status"))
        real = {name: np.nan_to_num(numbers(table.column(name)).astype(np.float32), nan=0.0) for name in _LOST}
        return {
            "words": words, "status": status, "step": numbers(table.column("step")),
            "contingency": numbers(table.column("contingency")), **real,
        }  # fmt: skip

    return entry.kept.get(("ends", steps), read) if len(steps) > 1 else read()


def _read_outcomes(entry: Entry, steps: tuple[int, ...]) -> dict[str, Array]:
    n, ends = len(outage_list(entry).label), _ends(entry, steps)
    outage, code = ends["contingency"], ends["status"]
    weight = np.array([_WEIGHT.get(w, 2) for w in ends["words"]] or [0])[code] if len(code) else np.zeros(0, int)
    out: dict[str, Array] = {name: np.zeros(n, np.float32) for name in _LOST}
    for name in _LOST:
        np.maximum.at(out[name], outage, ends[name])
    order = np.lexsort((np.maximum(ends["lost_load_mw"], ends["lost_gen_mw"]), weight))
    status, worst_step = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    status[outage[order]] = code[order]  # of equal positions numpy keeps the last, the worst
    worst_step[outage[order]] = ends["step"][order]
    failed = np.zeros(n, bool)
    failed[outage[weight == 2]] = True
    return {
        # an outage without a row was passed over
        **out, "status": np.array([*ends["words"], "skipped" if steps else ""])[status], "step": worst_step, "failed": failed,
        "lost_mw": np.maximum(out["lost_load_mw"], out["lost_gen_mw"]),
    }  # fmt: skip


def of_outage(entry: Entry, contingency: int, step: int) -> Columns:
    """Every limit broken after an outage at a step, or before any with contingency -1; the worst first."""
    found = breaches(entry, window(entry, step, False))
    rows = np.flatnonzero(found.contingency == contingency)
    rows = rows[np.argsort(-np.nan_to_num(found.severity[rows], nan=9e9), kind="stable")]
    tables = np.array([*found.tables, ""])[found.table[rows]]
    return Columns(
        rows=len(rows),
        columns={
            "element_table": texts(tables),
            "element": packed(found.element[rows], "i32"),
            "element_id": texts(element_ids(entry.network(), tables, found.element[rows])),
            "kind": texts(np.array([*found.kinds, ""])[found.kind[rows]]),
            "value": packed(found.value[rows], "f32"),
            "base_value": packed(found.base_value[rows], "f32"),
            "limit": packed(found.limit[rows], "f32"),
            "severity": packed(found.severity[rows], "f32"),
            "new": packed(found.new[rows], "u8"),
        },
    )


def threats(entry: Entry, table: str, element: int, step: int | None, whole: bool, limit: int) -> tuple[Columns, int]:
    """Outages that break a limit of an element, the worst first, each with its worst step and how many steps."""
    found, names = breaches(entry, window(entry, step, whole)), outage_list(entry)
    code = found.tables.index(table) if table in found.tables else -1
    rows = np.flatnonzero((found.table == code) & (found.element == element) & (found.contingency >= 0))
    order = np.lexsort((-np.nan_to_num(found.severity[rows], nan=9e9), found.contingency[rows]))
    rows = rows[order]
    first = np.flatnonzero(np.append(True, np.diff(found.contingency[rows]) != 0)) if len(rows) else np.zeros(0, int)
    worst = rows[first]
    steps = np.array([len(np.unique(part)) for part in np.split(found.step[rows], first[1:])], dtype=np.int32)
    by = np.argsort(-np.nan_to_num(found.severity[worst], nan=9e9), kind="stable")[:limit]
    total, worst, steps = len(worst), worst[by], steps[by] if len(rows) else np.zeros(0, np.int32)
    outage = found.contingency[worst]
    return Columns(
        rows=len(worst),
        columns={
            "contingency": packed(outage, "i32"),
            "label": texts(names.label[outage]),
            "outage_kind": texts(names.kind[outage]),
            "kind": texts(np.array([*found.kinds, ""])[found.kind[worst]]),
            "step": packed(found.step[worst], "i32"),
            "steps": packed(steps, "i32"),
            "value": packed(found.value[worst], "f32"),
            "base_value": packed(found.base_value[worst], "f32"),
            "limit": packed(found.limit[worst], "f32"),
            "severity": packed(found.severity[worst], "f32"),
        },
    ), total
