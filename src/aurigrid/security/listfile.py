"""Contingency lists given element by element: as Python sequences, or as a CSV or JSON file.

CSV: a header with ``name``, ``elements`` (ids or names, separated by ``;``) and, if wished, ``kind``; or one row an
element with ``name`` and ``element``, rows of one name belonging together. JSON: a list of objects
``{"name": ..., "elements": [...], "kind": ...}``, or an object that has that list under ``"contingencies"``.
Ids may carry their table in front (``gen:17``) where tables share ids.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.model.tables import LINE, TIE
from aurigrid.security import contingencies as con
from aurigrid.security.contingencies import ELEMENT_TABLES, KINDS, Block, refused
from aurigrid.security.selection import bus_pairs, gather

_PREFIXES = {
    "branch": "branch",
    "line": "branch",
    "transformer": "branch",
    "trafo": "branch",
    "gen": "gen",
    "generator": "gen",
    "hvdc": "hvdc",
    "bus": "bus",
    "load": "load",
}
_KIND_OF = {"gen": con.GENERATOR, "hvdc": con.HVDC, "bus": con.BUS, "load": con.LOAD}
_NEAR_SHOWN = 10

Found = tuple[str, tuple[int, ...]]
"""Where an element is: its table and its position, or the positions of a transformer's windings."""


@dataclass(frozen=True)
class Entry:
    """One outage as the user gave it; an empty name or kind is worked out from the elements."""

    name: str
    elements: tuple[object, ...]
    kind: str = ""
    where: str = ""


def looks_like_path(text: str) -> bool:
    """Whether a spec can only mean a file."""
    if re.match(r"n-[12]:", text.strip(), flags=re.IGNORECASE):
        return False
    return Path(text).suffix.lower() in (".csv", ".json", ".txt") or os.sep in text or Path(text).is_file()


class Finder:
    """Finds elements by id, by group (three-winding transformer), by name, then by ``table:id``; ids win over names."""

    def __init__(self, net: Network) -> None:
        self.net = net

    @cached_property
    def _ids(self) -> dict[str, dict[str, int]]:
        return {t: {str(v): i for i, v in enumerate(getattr(self.net, t).id.tolist())} for t in ELEMENT_TABLES}

    @cached_property
    def _groups(self) -> dict[str, tuple[int, ...]]:
        groups: dict[str, tuple[int, ...]] = {}
        for i in np.flatnonzero(self.net.branch.group != "").tolist():
            key = self.net.branch.group[i]
            groups[key] = (*groups.get(key, ()), i)
        return groups

    @cached_property
    def _names(self) -> dict[str, dict[str, list[int]]]:
        names: dict[str, dict[str, list[int]]] = {t: {} for t in ELEMENT_TABLES}
        for table, found in names.items():
            for i, name in enumerate(getattr(self.net, table).name.tolist()):
                if name:
                    found.setdefault(name, []).append(i)
        return names

    def find(self, key: str) -> Found | None:
        """The element of that id or name, or None.

        Raises:
            InputError: several elements of one table have that name.
        """
        for table, ids in self._ids.items():
            if key in ids:
                return table, (ids[key],)
        if key in self._groups:
            return "branch", self._groups[key]
        for table, names in self._names.items():
            found = names.get(key, [])
            if len(found) > 1:
                ids_of = [str(getattr(self.net, table).id[i]) for i in found]
                raise refused(f"{len(found)} {table} rows are named '{key}'", "give an id", "elements", ids_of)
            if found:
                return table, (found[0],)
        prefix, _, rest = key.partition(":")
        named = _PREFIXES.get(prefix.strip().lower())
        if named and rest.strip() in self._ids[named]:
            return named, (self._ids[named][rest.strip()],)
        return None

    def near(self, key: str) -> list[str]:
        """Up to three ids or names that look like `key`."""
        return difflib.get_close_matches(key, self._known, n=3, cutoff=0.6)

    @cached_property
    def _known(self) -> list[str]:
        tables: list[Iterable[str]] = [*self._ids.values(), self._groups, *self._names.values()]
        return list(dict.fromkeys(k for table in tables for k in table))


def block_of_entries(net: Network, entries: object) -> Block:
    """A block from one entry an outage: an id or name, or a sequence of them."""
    if not isinstance(entries, Iterable) or isinstance(entries, (str, bytes)):
        raise refused(f"cannot be read from a {type(entries).__name__}", "give words, a path or a list")
    made = []
    for i, entry in enumerate(entries):
        several = isinstance(entry, Iterable) and not isinstance(entry, (str, bytes))
        made.append(Entry("", tuple(cast("Iterable[object]", entry)) if several else (entry,), where=f"entry {i}"))
    return _block(net, made, "contingencies")


def block_of_file(net: Network, path: str | os.PathLike[str]) -> Block:
    """A block from a CSV or JSON list.

    Raises:
        InputError: a missing or unreadable file, missing columns, unknown kinds or elements; all problems at once.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(Issue(str(file), "", "there is no such file")) from None
    except (OSError, UnicodeDecodeError) as error:
        issue = Issue(str(file), "", f"cannot be read ({error})", hint="give a CSV or JSON text file")
        raise InputError(issue) from error
    entries = _json_entries(file, text) if file.suffix.lower() == ".json" else _csv_entries(file, text)
    if not entries:
        raise InputError(Issue(str(file), "", "lists no contingency", hint="give at least one"))
    return _block(net, entries, str(file))


def _csv_entries(file: Path, text: str) -> list[Entry]:
    head = text.partition("\n")[0]
    # A list written by a spreadsheet that separates columns by semicolons cannot separate elements by them as well.
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in head else ",", skipinitialspace=True)
    columns = [c.strip().lower() for c in reader.fieldnames or [] if c]
    if "name" not in columns or not {"element", "elements"} & set(columns):
        found = ", ".join(columns) or "nothing"
        hint = "start with a line such as: name,elements,kind"
        raise InputError(Issue(f"{file}, line 1", "", f"has the columns {found}, not name and elements", hint=hint))
    found_entries: dict[str, Entry] = {}
    issues = IssueList()
    for raw in reader:
        where = f"{file}, line {reader.line_num}"
        if None in raw:
            issues.add(where, "", "has more values than columns", hint="separate elements by ';' or quote them")
            continue
        row = {k.strip().lower(): (v or "").strip() for k, v in raw.items() if k}
        elements = tuple(e.strip() for e in row.get("elements", "").split(";") if e.strip())
        if row.get("element"):
            elements += (row["element"],)
        name, kind = row["name"], row.get("kind", "")
        before = found_entries.get(name) if "element" in columns else None
        if name and name in found_entries and before is None:
            issues.add(where, "name", f"'{name}' occurs twice", hint="give each contingency a name of its own")
        if before is not None:
            found_entries[name] = Entry(name, before.elements + elements, before.kind or kind, before.where)
        else:
            found_entries[name or where] = Entry(name, elements, kind, where)
    issues.raise_if_any()
    return list(found_entries.values())


def _json_entries(file: Path, text: str) -> list[Entry]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(Issue(f"{file}, line {error.lineno}", "", f"is not valid JSON ({error.msg})")) from error
    rows = data.get("contingencies") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise InputError(Issue(str(file), "", "holds no list", hint='give [{"name": ..., "elements": [...]}, ...]'))
    issues, entries = IssueList(), []
    names: set[str] = set()
    for i, row in enumerate(rows):
        where = f"{file}, entry {i}"
        if not isinstance(row, dict) or not isinstance(row.get("elements"), list):
            issues.add(where, "elements", "is not a list of ids or names", hint='give {"name": ..., "elements": [...]}')
            continue
        name = str(row.get("name", ""))
        if name and name in names:
            issues.add(where, "name", f"'{name}' occurs twice", hint="give each contingency a name of its own")
        names.add(name)
        entries.append(Entry(name, tuple(row["elements"]), str(row.get("kind") or ""), where))
    issues.raise_if_any()
    return entries


def _block(net: Network, entries: Sequence[Entry], source: str) -> Block:
    finder, issues = Finder(net), IssueList()
    found: list[list[Found]] = []
    unknown: dict[str, None] = {}
    for entry in entries:
        places: list[Found] = []
        for key in map(str, entry.elements):
            try:
                place = finder.find(key)
            except InputError as error:
                issues.issues.extend(error.issues)
                continue
            if place is None:
                unknown[key] = None
            else:
                places.append(place)
        if not entry.elements:
            issues.add(entry.where, "elements", "is empty", hint="name the elements that this contingency takes away")
        if entry.kind and entry.kind.lower() not in KINDS:
            issues.add(entry.where, "kind", f"'{entry.kind}' is not a kind", hint=f"kinds are {', '.join(KINDS)}")
        found.append(places)
    if unknown:
        near = {key: finder.near(key) for key in list(unknown)[:_NEAR_SHOWN]}
        hints = [f"{key} -> {' or '.join(names)}" for key, names in near.items() if names]
        hint = "near: " + "; ".join(hints) if hints else "give ids or names of branches, units, links, buses or loads"
        issues.add(source, "elements", f"{len(unknown)} not in the grid", list(unknown), hint)
    issues.raise_if_any()
    labels = [entry.name or " + ".join(map(str, entry.elements)) for entry in entries]
    return Block(labels, np.array([_kind(net, e, f) for e, f in zip(entries, found, strict=True)]), _pairs(net, found))


def _kind(net: Network, entry: Entry, found: list[Found]) -> int:
    if entry.kind:
        return KINDS.index(entry.kind.lower())
    if len(found) > 1:
        return con.MULTIPLE
    table, positions = found[0]
    if table == "branch":
        return con.LINE if net.branch.kind[positions[0]] in (LINE, TIE) else con.TRANSFORMER
    return _KIND_OF[table]


def _pairs(net: Network, found: list[list[Found]]) -> dict[str, tuple[Array, Array]]:
    flat: dict[str, tuple[list[int], list[int]]] = {table: ([], []) for table in ELEMENT_TABLES}
    for outage, places in enumerate(found):
        for table, positions in places:
            for position in positions:
                flat[table][0].append(outage)
                flat[table][1].append(position)
    pairs = {t: (np.array(o, dtype=np.int64), np.array(e, dtype=np.int64)) for t, (o, e) in flat.items()}
    at, buses = pairs["bus"]
    if len(buses):
        distinct, which = np.unique(buses, return_inverse=True)
        for table, found_there in bus_pairs(net, distinct).items():
            if table != "bus":
                row, element = gather(found_there, len(distinct), which)
                pairs[table] = (np.append(pairs[table][0], at[row]), np.append(pairs[table][1], element))
    return pairs
