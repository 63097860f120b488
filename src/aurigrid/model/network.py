"""`Network`: one immutable grid. No numerics, no input or output."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from aurigrid.model.table import Table
from aurigrid.model.tables import (
    BranchTable,
    BusTable,
    CapabilityTable,
    CompensatorTable,
    CostPointTable,
    GenTable,
    HvdcTable,
    LoadTable,
    ShuntTable,
    StorageTable,
    SwitchTable,
)


@dataclass(frozen=True, eq=False)
class Network:
    """A grid as immutable tables, in border units.

    Change it with `replace` (``net.replace(load=net.load.replace(p_mw=...))``). Construction does not validate;
    `aurigrid.model.validate.check` does, and every reader calls it.

    Attributes:
        name: short name of the grid.
        base_mva: power base of all per-unit values, MVA.
        frequency_hz: nominal frequency, Hz.
    """

    bus: BusTable
    branch: BranchTable = field(default_factory=BranchTable.empty)
    gen: GenTable = field(default_factory=GenTable.empty)
    load: LoadTable = field(default_factory=LoadTable.empty)
    shunt: ShuntTable = field(default_factory=ShuntTable.empty)
    storage: StorageTable = field(default_factory=StorageTable.empty)
    compensator: CompensatorTable = field(default_factory=CompensatorTable.empty)
    hvdc: HvdcTable = field(default_factory=HvdcTable.empty)
    switch: SwitchTable = field(default_factory=SwitchTable.empty)
    cost_point: CostPointTable = field(default_factory=CostPointTable.empty)
    capability: CapabilityTable = field(default_factory=CapabilityTable.empty)
    name: str = ""
    base_mva: float = 100.0
    frequency_hz: float = 50.0

    @classmethod
    def table_types(cls) -> dict[str, type[Table]]:
        """The table class of each table, by attribute name."""
        return dict(_TABLES)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """The tables, by attribute name."""
        return ((name, getattr(self, name)) for name in _TABLES)

    def replace(self, **changes: Any) -> Self:
        """A copy with some tables or scalars replaced."""
        return dataclasses.replace(self, **changes)

    @property
    def n_bus(self) -> int:
        return len(self.bus)

    @property
    def n_branch(self) -> int:
        return len(self.branch)

    @property
    def n_gen(self) -> int:
        return len(self.gen)

    @property
    def n_load(self) -> int:
        return len(self.load)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every table and scalar: two networks with the same digest are the same grid."""
        h = hashlib.sha256(f"{self.base_mva!r} {self.frequency_hz!r}".encode())
        for name, table in self.tables():
            for key, values in table.items():
                h.update(f"{name}.{key}".encode())
                h.update(
                    repr(values.tolist()).encode() if values.dtype == object else np.ascontiguousarray(values).tobytes()
                )
        return h.hexdigest()

    def _repr_html_(self) -> str:
        from aurigrid.model.markup import network_html

        return network_html(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(table)} {name}" for name, table in self.tables() if len(table))
        return f"Network({self.name!r}: {counts})"


_TABLES: dict[str, type[Table]] = {
    "bus": BusTable,
    "branch": BranchTable,
    "gen": GenTable,
    "load": LoadTable,
    "shunt": ShuntTable,
    "storage": StorageTable,
    "compensator": CompensatorTable,
    "hvdc": HvdcTable,
    "switch": SwitchTable,
    "cost_point": CostPointTable,
    "capability": CapabilityTable,
}
