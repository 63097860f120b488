"""Finding elements by what users call them: a position, an id or a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.table import Table

PLURALS = {
    "bus": "buses",
    "branch": "branches",
    "gen": "units",
    "load": "loads",
    "shunt": "shunts",
    "storage": "stores",
    "compensator": "compensators",
    "hvdc": "HVDC links",
    "switch": "switches",
    "cost_point": "cost points",
    "capability": "capability points",
}
_SINGULARS = {"bus": "bus", "gen": "unit", "storage": "store", "hvdc": "HVDC link", "capability": "capability point"}
_AMBIGUOUS = -2


def counted(table: str, n: int) -> str:
    """``"1 branch"``, ``"3 branches"``."""
    return f"{n} {PLURALS.get(table, table) if n != 1 else _SINGULARS.get(table, table.replace('_', ' '))}"


class Finder:
    """Positions of a table's elements by id or name; ids win over names, names that several share are refused."""

    def __init__(self, net: Network, table: str) -> None:
        self.table = table
        self.rows: Table = getattr(net, table)
        self._by_name: dict[str, int] | None = None

    def _names(self) -> dict[str, int]:
        if self._by_name is None:
            found: dict[str, int] = {}
            for i, name in enumerate(self.rows.name.tolist()):  # type: ignore[attr-defined]
                if name:
                    found[name] = _AMBIGUOUS if name in found else i
            found.update((str(id), i) for i, id in enumerate(self.rows.id.tolist()))  # type: ignore[attr-defined]
            self._by_name = found
        return self._by_name

    def resolve(self, elements: Sequence[object], field: str, issues: IssueList) -> list[int]:
        """Positions of elements given by position (int) or by id or name (str); what cannot be found is an issue."""
        out: list[int] = []
        unknown: list[object] = []
        shared: list[object] = []
        outside: list[object] = []
        odd: list[object] = []
        n = len(self.rows)
        for element in elements:
            if isinstance(element, str):
                position = self._names().get(element, -1)
                if position >= 0:
                    out.append(position)
                else:
                    (shared if position == _AMBIGUOUS else unknown).append(element)
            elif isinstance(element, (int, np.integer)) and not isinstance(element, (bool, np.bool_)):
                if 0 <= element < n:
                    out.append(int(element))
                else:
                    outside.append(element)
            else:
                odd.append(repr(element))
        table = "scenarios"
        if unknown:
            unknown = list(dict.fromkeys(unknown))
            what = f"names {counted(self.table, len(unknown))} that the network does not have"
            issues.add(table, field, what, unknown, self._near(unknown))
        if shared:
            issues.add(table, field, f"names that several {PLURALS[self.table]} share", shared, "give ids or positions")
        if outside:
            hint = f"the network has {counted(self.table, n)}" + (f", positions 0 to {n - 1}" if n else "")
            issues.add(table, field, "holds positions outside the table", sorted(set(outside)), hint)  # type: ignore[type-var]
        if odd:
            issues.add(
                table, field, "holds what is no element", odd, "an element is a position (int) or an id or name (str)"
            )
        return out

    def _near(self, unknown: Iterable[object]) -> str:
        known = list(self._names())
        near = [name for text in list(unknown)[:3] for name in difflib.get_close_matches(str(text), known, n=2)]
        if near:
            return f"near names: {', '.join(dict.fromkeys(near))}"
        return f"ids look like {', '.join(known[-3:])}" if known else f"the network has no {PLURALS[self.table]}"
