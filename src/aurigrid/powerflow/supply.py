"""Which nodes an outage leaves without supply: the part of the grid that no reference feeds any more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from aurigrid.kernels.tile import OFF, REF
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]


@njit(cache=True)
def _search(ptr, idx, edge, out, node_out, supplied, reach, stack, stamp):  # type: ignore[no-untyped-def]
    """Mark what the supplied nodes reach without the branches and nodes that are out."""
    depth = 0
    for i in supplied:
        if node_out[i] != stamp and reach[i] != stamp:
            reach[i] = stamp
            stack[depth] = i
            depth += 1
    while depth > 0:
        depth -= 1
        i = stack[depth]
        for x in range(ptr[i], ptr[i + 1]):
            j = idx[x]
            if reach[j] != stamp and node_out[j] != stamp and out[edge[x]] != stamp:
                reach[j] = stamp
                stack[depth] = j
                depth += 1


@njit(cache=True)
def _bridges(ptr, idx, edge, n_branch):  # type: ignore[no-untyped-def]
    """(n_branch,) whether a branch is the only connection between its two sides (Tarjan 1974, iterative)."""
    n = len(ptr) - 1
    bridge = np.zeros(n_branch, np.bool_)
    seen = np.full(n, -1, np.int64)
    low = np.zeros(n, np.int64)
    cursor = ptr[:-1].copy()
    came = np.full(n, -1, np.int64)
    parent = np.full(n, -1, np.int64)
    stack = np.empty(n, np.int64)
    clock = 0
    for root in range(n):
        if seen[root] >= 0:
            continue
        depth = 0
        stack[0] = root
        seen[root] = low[root] = clock
        clock += 1
        while depth >= 0:
            i = stack[depth]
            if cursor[i] < ptr[i + 1]:
                x = cursor[i]
                cursor[i] += 1
                j = idx[x]
                if edge[x] == came[i]:
                    continue
                if seen[j] >= 0:
                    low[i] = min(low[i], seen[j])
                else:
                    seen[j] = low[j] = clock
                    clock += 1
                    came[j], parent[j] = edge[x], i
                    depth += 1
                    stack[depth] = j
            else:
                depth -= 1
                p = parent[i]
                if p >= 0:
                    low[p] = min(low[p], low[i])
                    if low[i] > seen[p]:
                        bridge[came[i]] = True
    return bridge


@njit(cache=True)
def _lost(ptr, idx, edge, n_branch, supplied, live, branch_ptr, branch_idx, node_ptr, node_idx, todo):  # type: ignore[no-untyped-def]
    """Pairs (case, node) of live nodes that are not reached, for the cases to do."""
    n = len(ptr) - 1
    out, node_out = np.full(n_branch, -1, np.int64), np.full(n, -1, np.int64)
    reach, stack = np.full(n, -1, np.int64), np.empty(n, np.int64)
    case, node = np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    for s in todo:
        for x in range(branch_ptr[s], branch_ptr[s + 1]):
            out[branch_idx[x]] = s
        for x in range(node_ptr[s], node_ptr[s + 1]):
            node_out[node_idx[x]] = s
        _search(ptr, idx, edge, out, node_out, supplied, reach, stack, s)
        for i in range(n):
            if live[i] and reach[i] != s:
                if count == len(case):
                    more_case, more_node = np.empty(2 * count, np.int32), np.empty(2 * count, np.int32)
                    more_case[:count], more_node[:count] = case, node
                    case, node = more_case, more_node
                case[count], node[count] = s, i
                count += 1
    return case[:count].copy(), node[:count].copy()


def _graph(grid: Grid) -> tuple[Array, Array, Array]:
    """Compressed rows of the branch multigraph: ptr (n + 1,), neighbour and branch (nnz,)."""
    use = np.flatnonzero((grid.from_node >= 0) & (grid.from_node != grid.to_node))
    a, b = grid.from_node[use], grid.to_node[use]
    start, end, edge = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([use, use])
    order = np.argsort(start, kind="stable")
    ptr = np.zeros(grid.n_node + 1, np.int64)
    np.cumsum(np.bincount(start, minlength=grid.n_node), out=ptr[1:])
    return ptr, end[order].astype(np.int64), edge[order].astype(np.int64)


def unsupplied(grid: Grid, cases: Cases) -> Pairs:
    """Pairs (case, node): nodes that are supplied in the intact grid and are not in the case.

    A single outage is looked at only where its branch is a bridge; several together are searched, and everything is
    where an island has no reference left.
    """
    branch, bus = cases.pairs("branch"), cases.pairs("bus")
    branch_ptr = branch.pointers(cases.n)
    node_ptr = bus.pointers(cases.n)
    size = np.diff(branch_ptr)
    suspect = (size > 1) | (np.diff(node_ptr) > 0)
    fed = np.isin(grid.island, grid.island[grid.kind == REF])
    suspect |= bool(((grid.kind != OFF) & ~fed).any())
    if not len(branch.case) and not suspect.any():
        return Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32))
    ptr, idx, edge = _graph(grid)
    bridge = _bridges(ptr, idx, edge, grid.net.n_branch)
    single = np.flatnonzero(size == 1)
    suspect[single] |= bridge[branch.element[branch_ptr[single]]]
    supplied = np.flatnonzero(grid.kind == REF).astype(np.int64)
    case, node = _lost(
        ptr, idx, edge, grid.net.n_branch, supplied, grid.kind != OFF, branch_ptr.astype(np.int64),
        branch.element.astype(np.int64), node_ptr.astype(np.int64), grid.node_of_bus[bus.element].astype(np.int64),
        np.flatnonzero(suspect),
    )  # fmt: skip
    return Pairs(case, node)
