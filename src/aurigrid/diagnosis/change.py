"""Changes of a network: one field of one element each, made together, told in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = {"branch": "branch", "gen": "unit", "load": "load", "shunt": "shunt", "bus": "bus", "switch": "switch"}
UNITS = {
    "p_mw": "MW", "q_mvar": "Mvar", "q_min_mvar": "Mvar", "q_max_mvar": "Mvar", "b_mvar": "Mvar", "x_pu": "pu", "r_pu": "pu",
    "v_set_pu": "pu", "shift_deg": "degrees", "v_ang_deg": "degrees", "rate_mva": "MVA", "b_from_pu": "pu", "b_to_pu": "pu",
}  # fmt: skip


def named(table: str, id: Any) -> str:
    """``branch L4``, ``unit 7``; an id that says what it is is not told twice (``load:7``)."""
    return str(id) if str(id).startswith(f"{table}:") else f"{NAMES.get(table, table)} {id}"


@dataclass(frozen=True)
class Change:
    """One field of one element.

    Attributes:
        table, element, field: where; ``element`` is a position.
        id: the element's id.
        before, after: values of the field, in the table's unit.
    """

    table: str
    element: int
    field: str
    id: Any
    before: Any
    after: Any

    @classmethod
    def of(cls, net: Network, table: str, element: int, field: str, after: Any) -> Change:
        rows = getattr(net, table)
        name = rows.id[element] if hasattr(rows, "id") else element
        before = getattr(rows, field)[element]
        return cls(table, int(element), field, _plain(name), _plain(before), _plain(after))

    @property
    def size(self) -> float:
        """How much is changed, in the field's unit; 0 for switches."""
        if isinstance(self.before, (bool, str)):
            return 0.0
        return abs(float(self.after) - float(self.before))

    def words(self) -> str:
        """``load 7: p_mw from 12,500 to 12.5 MW``."""
        what = named(self.table, self.id)
        if self.field == "in_service":
            return f"{what}: {'put into' if self.after else 'take out of'} service"
        if self.field == "from_bus":
            return f"{what}: exchange its ends"
        if self.field in ("is_reference", "closed"):
            return f"{what}: {'make it a reference' if self.field == 'is_reference' else 'close it'}"
        unit = UNITS.get(self.field, "")
        return f"{what}: {self.field} from {self.before:,.6g} to {self.after:,.6g} {unit}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        return {"table": self.table, "id": self.id, "field": self.field, "before": self.before, "after": self.after}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def around(net: Network, bus: int) -> Array:
    """(n_bus,) branches between each bus and a first one, -1 where no way leads there."""
    on = net.branch.in_service
    a, b = net.branch.from_bus[on], net.branch.to_bus[on]
    steps = np.full(net.n_bus, -1)
    steps[bus] = 0
    for k in range(net.n_bus):
        near = steps == k
        new = np.concatenate([b[near[a]], a[near[b]]])
        new = new[steps[new] < 0]
        if not new.size:
            break
        steps[new] = k + 1
    return steps


def position_of(net: Network, table: str, id: Any) -> int:
    """Position of the element with an id; the first of a table whose elements have none.

    Raises:
        KeyError: no element has it.
    """
    at = np.flatnonzero(np.array([name == id for name in getattr(net, table).id.tolist()]))
    if not at.size:
        raise KeyError(f"no {table} is called {id!r}")
    return int(at[0])


def changed(net: Network, changes: Sequence[Change]) -> Network:
    """The network with all changes made; one that exchanges the ends of a branch moves both of its buses."""
    columns: dict[tuple[str, str], Any] = {}

    def column(table: str, field: str) -> Any:
        key = (table, field)
        if key not in columns:
            columns[key] = getattr(getattr(net, table), field).copy()
        return columns[key]

    for change in changes:
        if (change.table, change.field) == ("branch", "from_bus"):
            a, b = column("branch", "from_bus"), column("branch", "to_bus")
            a[change.element], b[change.element] = b[change.element], a[change.element]
        else:
            column(change.table, change.field)[change.element] = change.after
    tables: dict[str, dict[str, Any]] = {}
    for (table, field), values in columns.items():
        tables.setdefault(table, {})[field] = values
    return net.replace(**{table: getattr(net, table).replace(**fields) for table, fields in tables.items()})
