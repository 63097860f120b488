"""Cases: which row of the scenario tables each power flow takes, and what is out of service in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aurigrid.kernels import casewise
from aurigrid.model.scenarios import Scenarios

Array = np.ndarray[Any, np.dtype[Any]]

OUTAGE_TABLES = ("branch", "gen", "load", "bus", "hvdc")


@dataclass(frozen=True)
class Pairs:
    """Outages of one table as pairs (case, element), sorted by case.

    Attributes:
        case: (k,) int32; element: (k,) int32.
    """

    case: Array
    element: Array

    def pointers(self, n: int) -> Array:
        """(n + 1,) int32 compressed-row pointers over the cases."""
        ptr: Array = casewise.pointers(self.case, n)
        return ptr

    def take(self, cases: Array, n: int) -> Pairs:
        """The pairs of the given cases, renumbered in their order."""
        return Pairs(*casewise.taken(self.pointers(n), self.element, cases))


NO_PAIRS = Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32))


def joined(a: Pairs, b: Pairs) -> Pairs:
    """Pairs of both, sorted by case."""
    case, element = np.concatenate([a.case, b.case]), np.concatenate([a.element, b.element])
    by_case = np.argsort(case, kind="stable")
    return Pairs(case[by_case], element[by_case])


@dataclass(frozen=True, eq=False)
class Cases:
    """What is solved: ``n`` power flows on the tables of one `Scenarios`.

    Attributes:
        scenarios: the tables.
        row: (n,) int32, row of the tables that each case takes.
        out: outages by table name; those of units that their row has out already not among them.
        row_out: units that are out in every case of a row, as pairs (row, unit): the units that a schedule has off are told
            once, not again with each of a thousand outages.
    """

    scenarios: Scenarios
    row: Array
    out: dict[str, Pairs]
    row_out: Pairs = NO_PAIRS

    @property
    def n(self) -> int:
        return len(self.row)

    @classmethod
    def of(cls, scenarios: Scenarios) -> Cases:
        """One case a scenario."""
        out = {}
        for name in OUTAGE_TABLES:
            ragged = getattr(scenarios, f"{name}_out")
            case = np.repeat(np.arange(scenarios.n, dtype=np.int32), np.diff(ragged.ptr))
            out[name] = Pairs(case, ragged.idx.astype(np.int32))
        return cls(scenarios, np.arange(scenarios.n, dtype=np.int32), out)

    def pairs(self, table: str) -> Pairs:
        """All outages of a table."""
        return self._units_out if table == "gen" else self.beyond(table)

    def beyond(self, table: str) -> Pairs:
        """Outages of a table beyond those of the cases' rows."""
        return self.out.get(table, NO_PAIRS)

    @cached_property
    def _units_out(self) -> Pairs:
        return joined(self.of_rows(self.row_out), self.beyond("gen")) if len(self.row_out.case) else self.beyond("gen")

    def of_rows(self, pairs: Pairs) -> Pairs:
        """Pairs (row, element) as pairs (case, element)."""
        return pairs.take(self.row, self.scenarios.n)

    def take(self, cases: Array) -> Cases:
        """Some of the cases, in the order given."""
        out = {t: p.take(cases, self.n) for t, p in self.out.items()}
        return Cases(self.scenarios, self.row[cases], out, self.row_out)
