"""Shared ground of the pandapower reader: columns as plain arrays, bus positions, open ends, buses that are added."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.io.report import ReportBuilder
from aurigrid.model.table import Array, Table

T = TypeVar("T", bound=Table)

NO_LIMIT = 99_999.0
"""The tool's converters write this for "no limit" into currents (kA) and ratings (MVA)."""


def numbers(frame: Any, name: str, default: float = np.nan) -> Array:
    """A column as (n,) float64; `default` where it or an entry is missing."""
    if name not in frame.columns:
        return np.full(len(frame), default)
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(values), default, values)


def flags(frame: Any, name: str, default: bool = False) -> Array:
    """A column as (n,) bool; `default` where it or an entry is missing."""
    if name not in frame.columns:
        return np.full(len(frame), default)
    return np.array([default if v is None or v != v else bool(v) for v in frame[name].astype(object)], dtype=bool)


def texts(frame: Any, name: str) -> list[str]:
    """A column as strings; empty where it or an entry is missing."""
    if name not in frame.columns:
        return [""] * len(frame)
    return ["" if v is None or v != v else str(v) for v in frame[name].astype(object)]


@dataclass
class Frame:
    """One pandapower net during its conversion.

    Attributes:
        net: the live net; read only.
        base_mva: its ``sn_mva``.
        kv: nominal voltage of each bus, kV, with those that were added.
        bus_on: whether each bus is in service.
        added: id, name, bus that it takes its voltage from, star point or not, in service.
    """

    net: Any
    report: ReportBuilder
    issues: IssueList = field(default_factory=IssueList)
    added: list[tuple[str, str, int, bool, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        bus = self.net["bus"]
        self.base_mva = float(self.net["sn_mva"])
        self.kv = numbers(bus, "vn_kv")
        self.bus_on = flags(bus, "in_service", True)
        self.options: dict[str, Any] = dict(self.net.get("user_pf_options") or {})

    def table(self, name: str) -> Any:
        """The table, or an empty one where the net (of an older version) has none."""
        found = self.net.get(name)
        return self.net["bus"].iloc[:0][[]] if found is None else found

    def buses(self, table: str, column: str = "bus") -> Array:
        """Positions of the buses that a column names; a missing bus becomes an issue and position 0."""
        frame = self.table(table)
        wanted = frame[column].to_numpy()
        at = self.net["bus"].index.get_indexer(wanted)
        if (at < 0).any():
            ids = [f"{table}:{i}" for i in frame.index[at < 0]]
            self.issues.add(table, column, "names buses that do not exist", ids, "correct the bus or drop the element")
        return np.asarray(np.maximum(at, 0), dtype=np.int32)

    def add_bus(self, id: str, name: str, like: int, *, star: bool = False, on: bool = True) -> int:
        """Add a bus with the nominal voltage of the bus at position `like`; returns its position."""
        self.added.append((id, name, like, star, on))
        self.kv = np.append(self.kv, self.kv[like])
        self.bus_on = np.append(self.bus_on, on)
        return len(self.kv) - 1

    def on(self, table: str, at: Array) -> Array:
        """Whether each element is in service: by itself and by its bus."""
        return flags(self.table(table), "in_service", True) & self.bus_on[at]

    def ids(self, table: str) -> list[str]:
        """Our ids of the elements: table and index."""
        return [f"{table}:{i}" for i in self.table(table).index]


@dataclass
class Rows:
    """Rows of one of our tables, collected from several of theirs; a column that one of them lacks has its default."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    n: int = 0

    def add(self, n: int, **values: object) -> None:
        """Append n rows; scalars are repeated, columns not named before or now are filled later."""
        for name, value in values.items():
            known = self.columns.setdefault(name, [])
            known.extend([None] * (self.n - len(known)))
            known.extend(value if isinstance(value, Iterable) and not isinstance(value, str) else [value] * n)
        self.n += n

    def make(self, table: type[T]) -> T:
        """The table."""
        default = {f.name: f.metadata["default"] for f in dataclasses.fields(table)}
        done = {}
        for name, values in self.columns.items():
            padded = values + [None] * (self.n - len(values))
            done[name] = [default[name] if v is None else v for v in padded]
        return table.make(self.n, **done)


def rating(values: Array) -> Array:
    """Ratings in MVA, infinite where the source says "no limit" or nothing."""
    return np.where(np.isnan(values) | (values <= 0) | (values >= NO_LIMIT), np.inf, values)


def open_ends(frame: Frame, kind: str, table: str, columns: tuple[str, ...]) -> dict[str, Array]:
    """Which ends of which elements an open switch disconnects: one (n,) mask a bus column.

    A switch belongs to the last of the columns that names its bus, as the tool decides.
    """
    switch, elements = frame.table("switch"), frame.table(table)
    masks = {column: np.zeros(len(elements), dtype=bool) for column in columns}
    if not len(switch) or not len(elements):
        return masks
    is_open = (switch["et"].to_numpy() == kind) & ~flags(switch, "closed", True)
    at = elements.index.get_indexer(switch["element"].to_numpy()[is_open])
    if (at < 0).any():
        ids = [f"switch:{i}" for i in switch.index[is_open][at < 0]]
        frame.issues.add("switch", "element", f"names a {table} that does not exist", ids, "drop the switch")
        return masks
    bus = switch["bus"].to_numpy()[is_open]
    taken = np.zeros(len(at), dtype=bool)
    order = ("to_bus", "from_bus") if kind == "l" else columns
    for column in order:
        here = ~taken & ((elements[column].to_numpy()[at] == bus) | (column == order[-1]))
        masks[column][at[here]] = True
        taken |= here
    return masks


def reroute(frame: Frame, ids: list[str], ends: dict[str, Array], dead: dict[str, Array], on: Array) -> Array:
    """Give each element in service that hangs on one end only a bus of its own at the other; updates `ends`.

    Returns:
        (n,) bool, in service: not where every end is dead.
    """
    on = on & ~np.logical_and.reduce(list(dead.values()))
    for side, mask in dead.items():
        for i in np.flatnonzero(mask & on):
            ends[side][i] = frame.add_bus(f"{ids[i]}:{side}", f"open end of {ids[i]}", int(ends[side][i]))
    return on


def inner_buses(frame: Frame, table: str) -> list[int]:
    """Positions of the inner nodes that the branch step added for a table."""
    real = len(frame.net["bus"])
    where = {id: real + i for i, (id, *_) in enumerate(frame.added)}
    return [where[id] for id in frame.ids(table)]


def phase_sums(data: Any) -> tuple[Array, Array]:
    """Three-phase totals of an asymmetric element."""
    p = sum((numbers(data, f"p_{k}_mw", 0.0) for k in "abc"), np.zeros(len(data)))
    q = sum((numbers(data, f"q_{k}_mvar", 0.0) for k in "abc"), np.zeros(len(data)))
    return p, q


def note_balanced(frame: Frame, table: str) -> None:
    why = "the model is balanced; the tool's own balanced power flow does the same"
    frame.report.approximate(table, "the three phases are added up", frame.ids(table), why)
