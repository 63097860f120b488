"""References that an outage takes away, and where they go: to the largest regulating unit left in the island.

An outage that splits the grid may leave the reference in the smaller part. The supply stays with the larger one: the
reference moves there, and the part that it leaves is the one without supply.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from aurigrid.kernels.casewise import outweighed
from aurigrid.kernels.tile import OFF, PV, REF
from aurigrid.powerflow.cases import NO_PAIRS, Cases, Pairs, joined
from aurigrid.powerflow.edits import regulators_out
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.prepared import prepared

Array = np.ndarray[Any, np.dtype[Any]]


Other = tuple[Array, Grid]
"""Cases (positions) that an outage gives other references, and the grid with its kinds of nodes set accordingly."""


def other_kinds(grid: Grid, others: Sequence[Other]) -> tuple[Pairs, Array]:
    """Pairs (case, node), sorted by case, of the nodes whose kind differs from the grid's, and (k,) int8 those kinds."""
    case, node, now = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [np.zeros(0, np.int8)]
    for which, other in others:
        changed = np.flatnonzero(other.kind != grid.kind).astype(np.int32)
        case.append(np.repeat(which, len(changed)).astype(np.int32))
        node.append(np.tile(changed, len(which)))
        now.append(np.tile(other.kind[changed].astype(np.int8), len(which)))
    of = np.concatenate(case)
    by_case = np.argsort(of, kind="stable")
    return Pairs(of[by_case], np.concatenate(node)[by_case]), np.concatenate(now)[by_case]


def without_reference(grid: Grid, cases: Cases) -> Array:
    """(n,) whether every regulator at some reference node, or the node itself, is out."""
    moved = np.zeros(cases.n, bool)
    is_reference = grid.kind == REF
    case, r = regulators_out(grid, cases, is_reference)
    if len(case):
        node = grid.regulators.node[r]
        total = np.bincount(grid.regulators.node, minlength=grid.n_node)
        key, count = np.unique(case * np.int64(grid.n_node) + node, return_counts=True)
        gone = count == total[key % grid.n_node]
        moved[(key // grid.n_node)[gone]] = True
    buses = cases.pairs("bus")
    if len(buses.case):
        moved[buses.case[is_reference[grid.node_of_bus[buses.element]]]] = True
    return moved


def stranded(grid: Grid, cases: Cases, off: Pairs) -> Array:
    """(n,) whether most of a supplied island's nodes lose their reference by a split."""
    if not len(off.case):
        return np.zeros(cases.n, bool)
    out: Array = outweighed(off.case, off.element, grid.island, prepared(grid).island_size, cases.n)
    return out


def _towards_larger_part(grid: Grid, kind: Array, lost: Array, free: Array, size: Array) -> None:
    """Move the references of islands that lie mostly in ``lost`` (nodes) to the largest free regulator there, in place."""
    reg = grid.regulators
    inside = np.zeros(grid.n_node, bool)
    inside[lost] = True
    for r in np.unique(grid.island[lost]):
        mine = (grid.island == r) & (grid.kind != OFF)
        candidates = np.flatnonzero(free & inside[reg.node] & (grid.island[reg.node] == r) & (reg.table == 0))
        if 2 * np.sum(mine & inside) <= np.sum(mine) or not candidates.size:
            continue
        kind[mine & (kind == REF)] = PV
        kind[reg.node[candidates[np.argmax(size[candidates])]]] = REF


def moved_references(grid: Grid, cases: Cases, which: Array, off: Pairs) -> list[tuple[Array, Array]]:
    """Groups of cases with the node kinds that replace a lost reference in each."""
    groups: dict[bytes, tuple[list[int], Array]] = {}
    kept = _BY_BRANCH.setdefault(grid, {})
    branch = cases.pairs("branch")
    ptr = branch.pointers(cases.n)
    alone = np.diff(ptr) == 1
    for table, pairs in cases.out.items():
        if table != "branch":
            alone[pairs.case] = False
    alone[np.isin(cases.row, cases.row_out.case)] = False
    rest = [c for c in which.tolist() if not (alone[c] and int(branch.element[ptr[c]]) in kept)]
    found = dict(zip(rest, _kinds_of(grid, cases, rest, off), strict=True))
    for c in which.tolist():
        k = int(branch.element[ptr[c]]) if alone[c] else -1
        kind = found[c] if c in found else kept[k]
        if alone[c]:
            kept[k] = kind
        entry = groups.setdefault(kind.tobytes(), ([], kind))
        entry[0].append(c)
    return [(np.array(members), kind) for members, kind in groups.values()]


_BY_BRANCH: weakref.WeakKeyDictionary[Grid, dict[int, Array]] = weakref.WeakKeyDictionary()
"""Node kinds after the outage of one branch that moves a reference, found once: every scenario meets the same ones."""


def _kinds_of(grid: Grid, cases: Cases, which: list[int], off: Pairs) -> Iterator[Array]:
    """Node kinds of each of some cases, lost references replaced."""
    if not which:
        return
    net, reg = grid.net, grid.regulators
    taken = joined(Pairs(*regulators_out(grid, cases)), NO_PAIRS)
    r_ptr, r_out = taken.pointers(cases.n), taken.element
    buses = cases.pairs("bus")
    size = np.full(len(reg.node), -1.0)
    unit = reg.table == 0
    size[unit] = np.nan_to_num(net.gen.p_max_mw[reg.element[unit]], posinf=0.0)
    lost = off.pointers(cases.n)
    for c in which:
        out = np.zeros(len(reg.node), bool)
        out[r_out[r_ptr[c] : r_ptr[c + 1]]] = True
        dead = grid.node_of_bus[buses.element[buses.case == c]]
        out |= np.isin(reg.node, dead)
        kind, replaced = grid.kind.copy(), []
        for i in np.flatnonzero(grid.kind == REF):
            if not out[reg.node == i].all():
                continue
            kind[i] = PV  # whose regulation the outage takes away
            replaced.append(grid.island[i])
            left = np.flatnonzero(~out & (grid.island[reg.node] == grid.island[i]) & (reg.table == 0) & (reg.node != i))
            if (kind[(grid.island == grid.island[i])] == REF).any():
                continue
            if left.size:  # else the island is without supply
                kind[reg.node[left[np.argmax(size[left])]]] = REF
        # what lies without supply was found with the references where they were: it tells nothing about one that is new
        without = off.element[lost[c] : lost[c + 1]]
        _towards_larger_part(grid, kind, without[~np.isin(grid.island[without], replaced)], ~out, size)
        yield kind


def reference_groups(grid: Grid, cases: Cases, off: Pairs) -> list[tuple[Array, Array]]:
    """Groups of cases by where their references are: positions and node kinds; those that keep theirs come first.

    Args:
        off: pairs (case, node) without supply while every reference stays where it is.
    """
    moved = without_reference(grid, cases) | stranded(grid, cases, off)
    kept = np.flatnonzero(~moved)
    groups = [(kept, grid.kind)] if kept.size else []
    return groups + moved_references(grid, cases, np.flatnonzero(moved), off)
