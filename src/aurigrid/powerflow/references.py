"""References that an outage takes away, and where they go: to the largest regulating unit left in the island."""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.kernels.tile import PQ, REF
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.edits import regulators_out
from aurigrid.powerflow.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]


def without_reference(grid: Grid, cases: Cases) -> Array:
    """(n,) whether every regulator at some reference node, or the node itself, is out."""
    moved = np.zeros(cases.n, bool)
    is_reference = grid.kind == REF
    case, r = regulators_out(grid, cases)
    if len(case):
        node = grid.regulators.node[r]
        total = np.bincount(grid.regulators.node, minlength=grid.n_node)
        key, count = np.unique(case * np.int64(grid.n_node) + node, return_counts=True)
        gone = (count == total[key % grid.n_node]) & is_reference[key % grid.n_node]
        moved[(key // grid.n_node)[gone]] = True
    buses = cases.pairs("bus")
    if len(buses.case):
        moved[buses.case[is_reference[grid.node_of_bus[buses.element]]]] = True
    return moved


def moved_references(grid: Grid, cases: Cases, which: Array) -> list[tuple[Array, Array]]:
    """Groups of cases with the node kinds that replace a lost reference in each."""
    net, reg = grid.net, grid.regulators
    groups: dict[bytes, tuple[list[int], Array]] = {}
    case_r, r_out = regulators_out(grid, cases)
    buses = cases.pairs("bus")
    size = np.where(
        reg.table == 0, np.nan_to_num(net.gen.p_max_mw, posinf=0.0)[np.where(reg.table == 0, reg.element, 0)], -1.0
    )
    for c in which:
        out = np.zeros(len(reg.node), bool)
        out[r_out[case_r == c]] = True
        dead = grid.node_of_bus[buses.element[buses.case == c]]
        out |= np.isin(reg.node, dead)
        kind = grid.kind.copy()
        for i in np.flatnonzero(grid.kind == REF):
            if not out[reg.node == i].all():
                continue
            kind[i] = PQ
            left = np.flatnonzero(~out & (grid.island[reg.node] == grid.island[i]) & (reg.table == 0) & (reg.node != i))
            if (kind[(grid.island == grid.island[i])] == REF).any():
                continue
            if left.size:  # else the island is without supply
                kind[reg.node[left[np.argmax(size[left])]]] = REF
        entry = groups.setdefault(kind.tobytes(), ([], kind))
        entry[0].append(int(c))
    return [(np.array(members), kind) for members, kind in groups.values()]
