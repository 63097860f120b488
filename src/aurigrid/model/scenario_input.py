"""Reading the arguments of `Scenarios`: each becomes arrays of positions and float64, or issues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.grouped import Grouped
from aurigrid.model.network import Network
from aurigrid.model.ragged import Ragged
from aurigrid.model.select import Finder
from aurigrid.model.table import Array, read_only

SOURCES: Mapping[str, tuple[str, str]] = {
    "load_p_mw": ("load", "p_mw"),
    "load_q_mvar": ("load", "q_mvar"),
    "gen_p_mw": ("gen", "p_mw"),
    "gen_q_mvar": ("gen", "q_mvar"),
    "gen_v_pu": ("gen", "v_set_pu"),
    "storage_p_mw": ("storage", "p_mw"),
    "storage_q_mvar": ("storage", "q_mvar"),
    "hvdc_p_mw": ("hvdc", "p_mw"),
    "shunt_step": ("shunt", "step"),
}
"""What each array of `Scenarios` replaces: table and column of the network."""

OUTAGES: Mapping[str, str] = {
    "branch_out": "branch",
    "gen_out": "gen",
    "load_out": "load",
    "bus_out": "bus",
    "hvdc_out": "hvdc",
}
"""The outage lists of `Scenarios` and the table that each means."""

GROUPED = ("load_p_mw", "load_q_mvar", "gen_p_mw")
"""Arrays that stay `Grouped` where they are given so; the others become plain arrays."""

_CHECK_CELLS = 1 << 22


def _table_of(net: Network, name: str) -> Any:
    return getattr(net, SOURCES[name][0] if name in SOURCES else OUTAGES[name])


def numbers(net: Network, name: str, value: object, issues: IssueList) -> Array | Grouped | None:
    """A float64 C-contiguous array of one or two axes, or None with an issue."""
    if value is None or (isinstance(value, Grouped) and name in GROUPED):
        return value  # grouped values have been checked when they were made
    _check_labels(net, name, value, issues)
    try:
        raw = np.asarray(value)
        if raw.dtype.kind not in "fiubO":
            raise TypeError(f"{raw.dtype} is not a kind of real number")
        array = np.ascontiguousarray(raw, dtype=np.float64).reshape(raw.shape)
    except (TypeError, ValueError) as error:
        issues.add("scenarios", name, f"cannot be read as numbers ({error})", hint="give an array (n, elements)")
        return None
    if array.ndim not in (1, 2):
        what = f"has {array.ndim} axes, shape {array.shape}"
        issues.add("scenarios", name, what, hint="give (n, elements), or (elements,) for all scenarios alike")
        return None
    view = array.view()
    return read_only(view)


def _check_labels(net: Network, name: str, value: object, issues: IssueList) -> None:
    """Refuse a frame whose columns are the elements' ids in another order: it would be bound to the wrong ones."""
    columns = getattr(value, "columns", None)
    if columns is None or type(columns).__name__ == "RangeIndex":
        return
    ids = [str(id) for id in _table_of(net, name).id.tolist()]
    labels = [str(c) for c in columns]
    if labels != ids and sorted(labels) == sorted(ids):
        moved = [label for label, id in zip(labels, ids, strict=True) if label != id]
        hint = f"reorder the frame: frame[net.{SOURCES[name][0]}.id]"
        issues.add("scenarios", name, "frame columns are the elements' ids in another order", moved, hint)


def labels(label: object, issues: IssueList) -> Array | None:
    """The labels as an object array of str."""
    if not isinstance(label, Iterable):
        issues.add("scenarios", "label", f"is {label!r}, not one label a scenario")
        return None
    names = [label] if isinstance(label, str) else [str(one) for one in label]
    out = np.empty(len(names), dtype=object)
    out[:] = names
    return read_only(out)


def entries(net: Network, name: str, value: object, issues: IssueList) -> object:
    """An outage argument as a mask, a `Ragged`, or a list with one entry a scenario."""
    if value is None or isinstance(value, Ragged):
        return value
    if isinstance(value, str):
        what = f"is one text, {value!r}, not one entry a scenario"
        issues.add("scenarios", name, what, hint=f"for one scenario give [{value!r}]")
        return None
    if not isinstance(value, Iterable):
        issues.add(
            "scenarios", name, f"is {value!r}, not one entry a scenario", hint=f"for one scenario give [{value!r}]"
        )
        return None
    if isinstance(value, np.ndarray) and value.dtype == bool:
        k = len(_table_of(net, name))
        if value.ndim not in (1, 2) or value.shape[-1] != k:
            what = f"mask has shape {value.shape}, not (n, {k})"
            issues.add("scenarios", name, what, hint=f"the network has {k} of them")
            return None
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        issues.add("scenarios", name, "is a single number, not one entry a scenario")
        return None
    return list(value)


def agreed_n(
    n: int | None,
    arrays: Mapping[str, Array | Grouped | None],
    outages: Mapping[str, object],
    labels: Array | None,
    issues: IssueList,
) -> int:
    """The number of scenarios that all arguments agree on; 1 where none says."""
    said: dict[str, int] = {} if n is None else {"n": n}
    said.update({name: len(a) for name, a in arrays.items() if a is not None and a.ndim == 2})
    for name, entries in outages.items():
        if isinstance(entries, (list, Ragged)) or (isinstance(entries, np.ndarray) and entries.ndim == 2):
            said[name] = len(entries)
    if labels is not None:
        said["label"] = len(labels)
    if len(set(said.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in said.items())
        issues.add(
            "scenarios", "", f"arguments disagree on the number of scenarios: {listed}", hint="give the same number"
        )
    if n is not None and n < 0:
        issues.add("scenarios", "n", f"must not be negative, is {n}")
    return max(next(iter(said.values()), 1), 0)


def stretched(net: Network, name: str, array: Array | Grouped, n: int, issues: IssueList) -> Array | Grouped | None:
    """The array with its values checked, as (n, elements)."""
    table = _table_of(net, name)
    if array.shape[-1] != len(table):
        what = f"has shape {array.shape}, not {f'(n, {len(table)})' if array.ndim == 2 else f'({len(table)},)'}"
        hint = f"one value for each of the network's {len(table)} rows of {SOURCES[name][0]}, in its order"
        issues.add("scenarios", name, what, hint=hint)
        return None
    if isinstance(array, Grouped):
        return array
    _check_values(net, name, np.atleast_2d(array), issues)
    return np.broadcast_to(array, (n, len(table))) if array.ndim == 1 else array


def _check_values(net: Network, name: str, array: Array, issues: IssueList) -> None:
    """Add an issue for values that are not finite and for voltages that are not positive; memory stays bounded."""
    positive = name == "gen_v_pu"
    rows = max(1, _CHECK_CELLS // max(array.shape[1], 1))
    faults = {"is not a finite number": _Fault(), "must be positive": _Fault()}
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        finite = np.isfinite(part)
        if not finite.all():
            faults["is not a finite number"].note(~finite, start)
        if positive:
            faults["must be positive"].note(part <= 0, start)
    ids = _table_of(net, name).id
    for what, fault in faults.items():
        if fault.count:
            places = "1 place" if fault.count == 1 else f"{fault.count} places"
            where = f"{what} in {places}, first in scenario {fault.first}"
            elements = ids[np.array(sorted(fault.columns))].tolist()
            issues.add("scenarios", name, where, elements, "give a value for every element")


@dataclass
class _Fault:
    """Where a check fails: how often, in which columns, and in which scenario first."""

    count: int = 0
    first: int = -1
    columns: set[int] = field(default_factory=set)

    def note(self, bad: Array, start: int) -> None:
        row, column = np.nonzero(bad)
        if len(row):
            self.first = int(row[0]) + start if self.count == 0 else self.first
            self.count += len(row)
            self.columns.update(np.unique(column).tolist())


def ragged(net: Network, name: str, entries: object, n: int, issues: IssueList) -> Ragged:
    """An outage argument as compressed rows of positions."""
    k = len(_table_of(net, name))
    if entries is None:
        return Ragged.empty(n)
    if isinstance(entries, Ragged):
        if len(entries.idx) and not 0 <= entries.idx.min() <= entries.idx.max() < k:
            issues.add("scenarios", name, "holds positions outside the table", hint=f"the table has {k} rows")
        return entries
    if isinstance(entries, np.ndarray):
        return Ragged.from_mask(np.broadcast_to(entries, (n, k)))
    assert isinstance(entries, list)
    flat: list[object] = []
    counts = []
    for entry in entries:
        size = len(flat)
        if entry is None:
            pass
        elif isinstance(entry, str) or not isinstance(entry, Iterable):
            flat.append(entry)
        else:
            flat.extend(entry)
        counts.append(len(flat) - size)
    found = Finder(net, OUTAGES[name]).resolve(flat, name, issues)
    if len(found) != len(flat):
        return Ragged.empty(n)
    ends = np.cumsum([0, *counts]).tolist()
    return Ragged.from_rows(found[a:b] for a, b in pairwise(ends))
