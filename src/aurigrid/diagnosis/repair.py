"""Repairs to try: changes that belong together, why they are thought of, and how likely they are meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aurigrid.diagnosis.change import Change
from aurigrid.model.network import Network

KINDS = {
    "unit": "value in a wrong unit",
    "sign": "wrong sign",
    "impedance": "implausible impedance",
    "tap": "wrong transformer ratio",
    "swapped_ends": "exchanged ends of a transformer",
    "shift": "wrong phase shift",
    "rating": "implausible rating",
    "set_point": "wrong voltage set-point",
    "schedule": "power outside the unit's limits",
    "reactive_support": "missing reactive support",
    "out_of_service": "elements out of service",
    "reference": "no reference (slack)",
    "reversed_limits": "exchanged limits",
    "invalid_value": "impossible value",
    "overload": "more demand than the grid can carry",
    "redispatch": "a dispatch that cannot be run",
}
"""Kinds of cause, in words."""


@dataclass(frozen=True)
class Repair:
    """Changes made together.

    Attributes:
        kind: the cause it supposes, a key of `KINDS`.
        reason: what speaks for it, in a clause.
        weight: how implausible the present data are, in robust standard deviations where statistics tell.
        dispatch: set-points of units that go with the changes, where the present ones do not fit any more.
    """

    kind: str
    changes: tuple[Change, ...]
    reason: str
    weight: float
    dispatch: tuple[Change, ...] = ()

    @property
    def all_changes(self) -> tuple[Change, ...]:
        return self.changes + self.dispatch

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells repairs apart that do different things."""
        return tuple(sorted((c.table, c.element, c.field, str(c.after)) for c in self.changes))


def changes_of(net: Network, table: str, element: int, **fields: Any) -> tuple[Change, ...]:
    """Changes of several fields of one element."""
    return tuple(Change.of(net, table, int(element), name, value) for name, value in fields.items())


def ranked(repairs: Iterable[Repair]) -> list[Repair]:
    """Likeliest first, each once; of two that are equally likely the smaller one."""
    seen: dict[tuple[Any, ...], Repair] = {}
    for repair in repairs:
        known = seen.get(repair.key)
        if repair.changes and (known is None or known.weight < repair.weight):
            seen[repair.key] = repair
    return sorted(seen.values(), key=lambda r: (-r.weight, len(r.changes)))
