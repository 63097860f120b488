"""Contingency lists: which elements each outage takes away, and which outages are one and the same problem.

A list is flat arrays (compressed rows), so an engine can walk a million outages without touching Python. How a list is
asked for in words is in `aurigrid.security.selection`, how one is read from a file in `aurigrid.security.listfile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Self

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.ragged import Ragged
from aurigrid.model.table import Array, read_only

ELEMENT_TABLES = ("branch", "gen", "hvdc", "bus", "load")
"""The tables whose elements an outage may take away."""

KINDS = ("line", "transformer", "generator", "hvdc", "bus", "load", "tower", "multiple")
"""Values of `Contingencies.kind`; ``multiple`` is an outage of several elements that no other word describes."""

LINE, TRANSFORMER, GENERATOR, HVDC, BUS, LOAD, TOWER, MULTIPLE = range(len(KINDS))

Explicit = Sequence[object]
"""One entry an outage: an element's id or name, or several of them."""


@dataclass(frozen=True, eq=False)
class Contingencies:
    """A list of outages of one network.

    Attributes:
        label: (n,) unique label of each outage, object of str.
        kind: (n,) int8, position in `KINDS`.
        rows: for each table of `ELEMENT_TABLES`, the positions of the elements that each outage takes away. A bus
            outage also lists the branches, units, HVDC links and loads that connect to the bus; its shunts, storage
            and compensators follow from the bus itself.
        branch_class: (n_branch,) int32, equal for identical parallel circuits: same ends, same parameters, same
            ratings, same service state.
        representative: (n,) int32, the first outage of the list whose solution is the same up to a renaming of
            identical parallel circuits; an outage's own position where there is none before it. Solve the outages that
            represent themselves and read the others' results through `twins`. Holds for every condition in which
            identical circuits stay identical, that is unless a scenario changes or outages just one of them.
    """

    label: Array
    kind: Array
    rows: Mapping[str, Ragged]
    branch_class: Array
    representative: Array

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        return f"Contingencies({len(self)}: {', '.join(f'{n} {word}' for word, n in self.counts().items())})"

    @property
    def n(self) -> int:
        """Number of outages."""
        return len(self.label)

    @property
    def branch(self) -> Ragged:
        """Outaged branches of each outage."""
        return self.rows["branch"]

    @property
    def gen(self) -> Ragged:
        """Outaged units of each outage."""
        return self.rows["gen"]

    @property
    def hvdc(self) -> Ragged:
        """Outaged HVDC links of each outage."""
        return self.rows["hvdc"]

    @property
    def bus(self) -> Ragged:
        """Outaged buses of each outage."""
        return self.rows["bus"]

    @property
    def load(self) -> Ragged:
        """Outaged loads of each outage."""
        return self.rows["load"]

    @cached_property
    def n_distinct(self) -> int:
        """Number of outages that have to be solved."""
        return int(np.count_nonzero(self.representative == np.arange(self.n)))

    def counts(self) -> dict[str, int]:
        """How many outages of each kind there are, kinds that do not occur left out."""
        found = np.bincount(self.kind, minlength=len(KINDS))
        return {word: int(n) for word, n in zip(KINDS, found, strict=True) if n}

    def elements(self, contingency: int) -> dict[str, Array]:
        """Positions of the elements that one outage takes away, by table, empty tables left out."""
        found = {}
        for table, rows in self.rows.items():
            part = rows[contingency]
            if len(part):
                found[table] = part
        return found

    def twins(self, contingency: int) -> tuple[tuple[int, int], ...]:
        """Branch pairs to swap when the representative's solution is read as that of `contingency`.

        Of two identical parallel circuits either outage leaves the same grid, but the circuit that stays in service has
        another name. Each pair is (branch out in the representative, branch out here): what the representative's
        solution shows on the second belongs to the first.
        """
        chosen = int(self.representative[contingency])
        if chosen == contingency:
            return ()
        none = np.empty(0, np.int32)
        there = set(self.elements(chosen).get("branch", none).tolist())
        here = set(self.elements(contingency).get("branch", none).tolist())

        def by_class(branches: set[int]) -> list[int]:
            return sorted(branches, key=lambda b: (int(self.branch_class[b]), b))

        return tuple(zip(by_class(there - here), by_class(here - there), strict=True))

    def take(self, positions: Sequence[int] | Array) -> Self:
        """The outages at the given positions, or where a mask is true, in that order."""
        picked = np.asarray(positions)
        picked = np.flatnonzero(picked) if picked.dtype == bool else picked.astype(np.int64)
        rows = {table: part.take(picked) for table, part in self.rows.items()}
        return type(self)(
            label=read_only(self.label[picked]),
            kind=read_only(self.kind[picked]),
            rows=rows,
            branch_class=self.branch_class,
            representative=read_only(_representatives(len(picked), rows, self.branch_class)),
        )


@dataclass(frozen=True)
class Block:
    """Outages under construction: labels, kinds and, by table, (outage, element) pairs in any order."""

    label: list[str]
    kind: Array
    pairs: Mapping[str, tuple[Array, Array]]


def refused(message: str, hint: str = "", field: str = "", ids: Sequence[object] = ()) -> InputError:
    """The error for a list that cannot be built."""
    return InputError(Issue("contingencies", field, message, tuple(map(str, ids)), hint))


def assemble(net: Network, blocks: Iterable[Block]) -> Contingencies:
    """Join blocks into one list, sort and deduplicate each outage's elements, find equivalent outages."""
    blocks = list(blocks)
    labels = [label for block in blocks for label in block.label]
    kinds = np.concatenate([block.kind for block in blocks]) if blocks else np.empty(0)
    offsets = np.cumsum([0, *(len(block.label) for block in blocks)])
    rows = {}
    for table in ELEMENT_TABLES:
        parts = [
            (block.pairs[table][0].astype(np.int64) + offset, block.pairs[table][1])
            for block, offset in zip(blocks, offsets, strict=False)
            if table in block.pairs
        ]
        outage = np.concatenate([p[0] for p in parts]) if parts else np.empty(0, np.int64)
        element = np.concatenate([p[1] for p in parts]) if parts else np.empty(0, np.int64)
        rows[table] = _compress(len(labels), outage, element, len(getattr(net, table)))
    classes = branch_classes(net)
    return Contingencies(
        label=read_only(_unique_labels(labels, kinds)),
        kind=read_only(kinds.astype(np.int8)),
        rows=rows,
        branch_class=read_only(classes),
        representative=read_only(_representatives(len(labels), rows, classes)),
    )


def contingencies(net: Network, spec: str | PathLike[str] | Explicit | Contingencies = "n-1") -> Contingencies:
    """Build a contingency list.

    Args:
        net: the grid.
        spec: one of

            - words joined by ``+`` or ``,``: ``n-1`` (the same as ``branches``: every line and transformer),
              ``lines``, ``transformers``, ``generators``, ``hvdc``, ``buses``, ``loads``, ``towers`` (circuits that
              share one, together), ``all`` (each of these but loads). Elements out of service are left out, and a
              three-winding transformer is one outage of its windings.
            - ``n-1:FILTER`` or ``n-2:FILTER``, single outages or all pairs of a subset, where FILTER is words as above
              followed by conditions, all joined by commas: ``n-2:lines,kv=380``, ``n-1:area=7,8``,
              ``n-2:ids=L1,L2,L9``, ``n-2:file=list.csv``. Without a word, branches are meant. A branch passes
              ``kv``, ``area`` or ``zone`` if one of its ends does.
            - the path of a CSV or JSON list, see `aurigrid.security.listfile`.
            - a sequence with one entry an outage: an element's id or name, or a sequence of them. Prefix an id with
              its table where tables share ids (``"gen:17"``); without prefix branches come first, then units, HVDC
              links, buses, loads.
            - a list built before, which is returned as it is.

    Returns:
        The list, in the order asked for; within a word, in the order of the table.

    Raises:
        InputError: unknown words, elements or values, or an unreadable file; all problems at once.
    """
    from aurigrid.security import listfile, selection

    if isinstance(spec, Contingencies):
        if len(spec.branch_class) != net.n_branch:
            raise refused(f"were built for a grid of {len(spec.branch_class)} branches, not {net.n_branch}")
        return spec
    if isinstance(spec, PathLike) or (isinstance(spec, str) and listfile.looks_like_path(spec)):
        return assemble(net, [listfile.block_of_file(net, spec)])
    if isinstance(spec, str):
        return assemble(net, selection.blocks_of_words(net, spec))
    return assemble(net, [listfile.block_of_entries(net, spec)])


def branch_classes(net: Network) -> Array:
    """Class of each branch, (n_branch,) int32: identical parallel circuits share one, numbered by their first member.

    Two branches are identical where every column but their ids, names, tower and length is equal, ends included.
    """
    branch = net.branch
    classes = np.arange(net.n_branch, dtype=np.int32)
    corridor = branch.from_bus.astype(np.int64) * max(net.n_bus, 1) + branch.to_bus
    order = np.argsort(corridor, kind="stable")
    same = np.r_[False, corridor[order][1:] == corridor[order][:-1]]
    several = np.sort(order[same | np.r_[same[1:], False]]) if len(order) else order
    if not len(several):
        return classes
    skipped = {"id", "name", "group", "tower", "length_km"}
    columns = np.column_stack([values[several].astype(float) for k, values in branch.items() if k not in skipped])
    # Adding 0.0 turns -0.0 into 0.0, and one NaN stands for all, so that equal rows are equal bytes.
    columns = np.ascontiguousarray(np.where(np.isnan(columns), np.nan, columns + 0.0))
    as_bytes = columns.view(np.dtype((np.void, columns.dtype.itemsize * columns.shape[1]))).ravel()
    _, first, member_of = np.unique(as_bytes, return_index=True, return_inverse=True)
    # `several` ascends, so the first row of a class is its lowest position; windings belong to their transformer.
    classes[several] = several[first[member_of]]
    winding = branch.group != ""
    classes[winding] = np.flatnonzero(winding)
    return classes


def _compress(n: int, outage: Array, element: Array, n_elements: int) -> Ragged:
    key = np.unique(outage.astype(np.int64) * max(n_elements, 1) + element)
    row, idx = np.divmod(key, max(n_elements, 1))
    ptr = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=n), out=ptr[1:])
    return Ragged(read_only(ptr), read_only(idx.astype(np.int32)))


def _mix(values: Array, seed: int) -> Array:
    """Scatter integers over 64 bits: the splitmix64 finaliser (Steele, Lea, Flood 2014, 10.1145/2660193.2660195)."""
    z = values.astype(np.uint64) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _representatives(n: int, rows: Mapping[str, Ragged], classes: Array) -> Array:
    """First outage with the same elements up to identical circuits, (n,) int32.

    Sets are compared by two independent 64-bit sums of scattered element numbers (128 bits in all), so the order
    within a set plays no part and a million outages need no Python loop.
    """
    sums = np.zeros((2, n), np.uint64)
    for code, table in enumerate(ELEMENT_TABLES):
        ptr, idx = rows[table].ptr, rows[table].idx
        if not len(idx):
            continue
        member = classes[idx] if table == "branch" else idx
        numbered = member.astype(np.uint64) + (np.uint64(code + 1) << np.uint64(40))
        for i, seed in enumerate((0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)):
            running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(numbered, seed), dtype=np.uint64)])
            sums[i] += running[ptr[1:]] - running[ptr[:-1]]  # modulo 2^64, by design
    order = np.lexsort((sums[1], sums[0]))
    ahead = np.ones(n, bool)
    ahead[1:] = np.any(sums[:, order[1:]] != sums[:, order[:-1]], axis=0)
    chosen = np.empty(n, np.int32)
    chosen[order] = order[ahead][np.cumsum(ahead) - 1] if n else order
    return chosen


def _unique_labels(labels: list[str], kinds: Array) -> Array:
    """Labels as an object array; those that occur twice get their kind in front, then a counter behind."""
    out = np.empty(len(labels), dtype=object)
    out[:] = labels
    if len(set(labels)) == len(labels):
        return out
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    used: set[str] = set()
    for i, label in enumerate(labels):
        text = f"{KINDS[int(kinds[i])]} {label}" if seen[label] > 1 else label
        base, k = text, 2
        while text in used:
            text, k = f"{base} #{k}", k + 1
        used.add(text)
        out[i] = text
    return out
