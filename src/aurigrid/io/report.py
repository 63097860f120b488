"""What a reader returns: the network, what came with it, and an account of everything that changed on the way.

A reader fills a `ReportBuilder` while it converts and closes it with `ReportBuilder.finish`. Nothing that changes
results may be left out of it: an element type without a counterpart is an *ignored* note, a model that is only close is
an *approximated* note, and elements that became one electrical node are a *merged* note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array

if TYPE_CHECKING:
    from aurigrid.model.profiles import Profiles

_SHOWN_IDS = 8


@dataclass(frozen=True)
class Note:
    """One thing that the import did to the source's model.

    Attributes:
        table: the source's table, e.g. ``"trafo3w"``.
        what: what was done, in one clause.
        ids: the elements concerned, by the source's own ids.
        why: why it matters, or why it was necessary, in one clause.
    """

    table: str
    what: str
    ids: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        text = f"{self.table}: {self.what}"
        if self.ids:
            more = f", and {len(self.ids) - _SHOWN_IDS} more" if len(self.ids) > _SHOWN_IDS else ""
            text += f" ({', '.join(self.ids[:_SHOWN_IDS])}{more})"
        return f"{text}; {self.why}" if self.why else text

    def to_dict(self) -> dict[str, Any]:
        """The note as plain data."""
        return {"table": self.table, "what": self.what, "ids": list(self.ids), "why": self.why}


@dataclass(frozen=True)
class TableTotal:
    """How much of one kind of element there is.

    Attributes:
        table: table name on that side.
        count: number of elements.
        in_service: those in service.
        p_mw: sum of active power of those in service, MW, in that table's own sign; NaN where it has none.
        q_mvar: sum of reactive power of those in service, Mvar; NaN where it has none.
    """

    table: str
    count: int
    in_service: int
    p_mw: float = float("nan")
    q_mvar: float = float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The total as plain data; unknown power is None."""
        return {
            "table": self.table,
            "count": self.count,
            "in_service": self.in_service,
            "p_mw": None if np.isnan(self.p_mw) else self.p_mw,
            "q_mvar": None if np.isnan(self.q_mvar) else self.q_mvar,
        }

    def __str__(self) -> str:
        text = f"{self.table}: {self.count}"
        if self.in_service != self.count:
            text += f" ({self.in_service} in service)"
        if not np.isnan(self.p_mw):
            text += f", {self.p_mw:.3f} MW"
        if not np.isnan(self.q_mvar):
            text += f", {self.q_mvar:.3f} Mvar"
        return text


@dataclass(frozen=True)
class ImportReport:
    """The account of one import.

    Attributes:
        source_format: e.g. ``"MATPOWER"``, ``"pandapower"``, ``"CGMES"``.
        source: file, folder or catalogue name.
        source_totals: what the source holds, by its tables.
        totals: what the network holds, by ours.
        approximated: elements whose model is close to the source's but not equal.
        ignored: what has no counterpart and was left out.
        merged: zero-impedance branches and switches, and changes of form that keep the results.
    """

    source_format: str
    source: str = ""
    source_totals: tuple[TableTotal, ...] = ()
    totals: tuple[TableTotal, ...] = ()
    approximated: tuple[Note, ...] = ()
    ignored: tuple[Note, ...] = ()
    merged: tuple[Note, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing was approximated or ignored."""
        return not self.approximated and not self.ignored

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        return {
            "source_format": self.source_format,
            "source": self.source,
            "source_totals": [t.to_dict() for t in self.source_totals],
            "totals": [t.to_dict() for t in self.totals],
            "approximated": [n.to_dict() for n in self.approximated],
            "ignored": [n.to_dict() for n in self.ignored],
            "merged": [n.to_dict() for n in self.merged],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ImportReport:
        """The report that `to_dict` wrote."""

        def total(d: dict[str, Any]) -> TableTotal:
            power = {k: float("nan") if d[k] is None else d[k] for k in ("p_mw", "q_mvar")}
            return TableTotal(d["table"], d["count"], d["in_service"], **power)

        def notes(key: str) -> tuple[Note, ...]:
            return tuple(Note(d["table"], d["what"], tuple(d["ids"]), d["why"]) for d in data[key])

        return cls(
            data["source_format"],
            data["source"],
            tuple(map(total, data["source_totals"])),
            tuple(map(total, data["totals"])),
            notes("approximated"),
            notes("ignored"),
            notes("merged"),
        )

    def lines(self) -> list[str]:
        """The report as text, one line a fact."""
        out = [f"{self.source_format} {self.source}".strip()]
        for title, totals in (("in the source", self.source_totals), ("in the network", self.totals)):
            if totals:
                out.append(f"{title}:")
                out.extend(f"  {t}" for t in totals)
        for title, notes in (("approximated", self.approximated), ("ignored", self.ignored), ("merged", self.merged)):
            if notes:
                out.append(f"{title}:")
                out.extend(f"  {n}" for n in notes)
        if self.exact:
            out.append("nothing approximated, nothing ignored")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True, eq=False)
class SourceState:
    """A state that the source carries, or that its own tool computed; NaN where it is silent.

    Attributes:
        origin: where it came from, e.g. ``"stored in the file"``, ``"pandapower res_bus"``.
        solved: True where it is known to be a converged power flow; a MATPOWER file, say, does not tell.
        v_mag_pu: voltage magnitude in pu, (n_bus,), in the order of `Network.bus`.
        v_ang_deg: voltage angle in degrees, (n_bus,).
        p_from_mw: power into each branch at its from end in MW, (n_branch,), or None; likewise the three others.
        remarks: what sets this state apart from a plain power flow, e.g. angles not calculated.
    """

    origin: str
    solved: bool
    v_mag_pu: Array
    v_ang_deg: Array
    p_from_mw: Array | None = None
    q_from_mvar: Array | None = None
    p_to_mw: Array | None = None
    q_to_mvar: Array | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Import:
    """The result of a reader.

    Attributes:
        network: the validated network.
        report: what was approximated, ignored and merged.
        profiles: time series that came with it, or None.
        source_state: a state to reconcile with, or None.
        extras: data of the source that the network has no table for (a type of the reader's own), or None.
        source_object: the live object of the source's own tool (a pandapower or pypowsybl network) where there is
            one, so that a reconciliation can let that tool solve it; None after a read from the cache.
    """

    network: Network
    report: ImportReport
    profiles: Profiles | None = None
    source_state: SourceState | None = None
    extras: object | None = None
    source_object: object | None = None


@dataclass
class ReportBuilder:
    """Collects the report while a reader converts; `finish` counts the network and freezes it."""

    source_format: str
    source: str = ""
    source_totals: list[TableTotal] = field(default_factory=list)
    approximated: list[Note] = field(default_factory=list)
    ignored: list[Note] = field(default_factory=list)
    merged: list[Note] = field(default_factory=list)

    def approximate(self, table: str, what: str, ids: Iterable[object] = (), why: str = "") -> None:
        """Record elements whose model is close to the source's but not equal."""
        self.approximated.append(Note(table, what, tuple(map(str, ids)), why))

    def ignore(self, table: str, what: str, ids: Iterable[object] = (), why: str = "") -> None:
        """Record what has no counterpart and was left out."""
        self.ignored.append(Note(table, what, tuple(map(str, ids)), why))

    def merge(self, table: str, what: str, ids: Iterable[object] = (), why: str = "") -> None:
        """Record a change of form that keeps the results."""
        self.merged.append(Note(table, what, tuple(map(str, ids)), why))

    def count(self, table: str, in_service: object, p_mw: object = None, q_mvar: object = None) -> None:
        """Record what the source holds in one table.

        Args:
            table: the source's table name.
            in_service: (n,) bool.
            p_mw: (n,) active power in MW, or None; only elements in service are summed.
            q_mvar: (n,) reactive power in Mvar, or None.
        """
        on = np.asarray(in_service, dtype=bool)
        p, q = (float("nan") if v is None else float(np.asarray(v, dtype=float)[on].sum()) for v in (p_mw, q_mvar))
        self.source_totals.append(TableTotal(table, len(on), int(on.sum()), p, q))

    def finish(self, network: Network) -> ImportReport:
        """The frozen report, with the totals of the network that was built."""
        return ImportReport(
            self.source_format,
            self.source,
            tuple(self.source_totals),
            network_totals(network),
            tuple(self.approximated),
            tuple(self.ignored),
            tuple(self.merged),
        )


def network_totals(network: Network) -> tuple[TableTotal, ...]:
    """Counts and MW/Mvar totals of a network's tables that have rows.

    Loads are totalled at 1 pu and shunts as g_mw and b_mvar at 1 pu times their steps in service.
    """
    out = []
    for name, table in network.tables():
        if not len(table):
            continue
        columns = dict(table.items())
        on = columns.get("in_service", columns.get("closed", np.ones(len(table), dtype=bool)))
        p, q = columns.get("p_mw"), columns.get("q_mvar")
        if name == "shunt":
            p, q = columns["g_mw"] * columns["step"], columns["b_mvar"] * columns["step"]
        if name in ("cost_point", "capability"):
            p = q = None
        totals = (float("nan") if v is None else float(v[on].sum()) for v in (p, q))
        out.append(TableTotal(name, len(table), int(on.sum()), *totals))
    return tuple(out)
