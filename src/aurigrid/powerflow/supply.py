"""Which nodes an outage leaves without supply: the part of the grid that no reference feeds any more."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from aurigrid.kernels.tile import OFF, REF
from aurigrid.powerflow.cases import NO_PAIRS, Cases, Pairs
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
def _bridges(ptr, idx, edge, n_branch, skip=-1):  # type: ignore[no-untyped-def]
    """Branches that are the only connection between their two sides, with branch ``skip`` left out (Tarjan 1974, iterative).

    Returns:
        far: (n_branch,) the node at the far end of each bridge, seen from the root of the search, -1 for other branches.
        order, number: (n,) nodes in the order of the search, and its inverse.
        last: (n,) number of the last node found beyond each node: what lies beyond node i is ``order[number[i] : last[i] + 1]``.
    """
    n = len(ptr) - 1
    far = np.full(n_branch, -1, np.int64)
    number = np.full(n, -1, np.int64)
    order, last = np.empty(n, np.int64), np.empty(n, np.int64)
    low = np.zeros(n, np.int64)
    cursor = ptr[:-1].copy()
    came = np.full(n, -1, np.int64)
    parent = np.full(n, -1, np.int64)
    stack = np.empty(n, np.int64)
    clock = 0
    for root in range(n):
        if number[root] >= 0:
            continue
        depth = 0
        stack[0] = root
        number[root] = low[root] = clock
        order[clock] = root
        clock += 1
        while depth >= 0:
            i = stack[depth]
            if cursor[i] < ptr[i + 1]:
                x = cursor[i]
                cursor[i] += 1
                j = idx[x]
                if edge[x] == came[i] or edge[x] == skip:
                    continue
                if number[j] >= 0:
                    low[i] = min(low[i], number[j])
                else:
                    number[j] = low[j] = clock
                    order[clock] = j
                    clock += 1
                    came[j], parent[j] = edge[x], i
                    depth += 1
                    stack[depth] = j
            else:
                depth -= 1
                last[i] = clock - 1
                p = parent[i]
                if p >= 0:
                    low[p] = min(low[p], low[i])
                    if low[i] > number[p]:
                        far[came[i]] = i
    return far, order, number, last


@njit(cache=True)
def _grown(values, count):  # type: ignore[no-untyped-def]
    """The same values with room for at least ``count``."""
    more = np.empty(max(count, 2 * len(values)), values.dtype)
    more[: len(values)] = values
    return more


@njit(cache=True)
def _connected(ptr, idx, edge, out, case, a, b, met, queue, stamp):  # type: ignore[no-untyped-def]
    """Whether two nodes are connected without the branches that are out; breadth first, as detours are short."""
    met[a] = stamp
    queue[0] = a
    head, tail = 0, 1
    while head < tail:
        i = queue[head]
        head += 1
        for x in range(ptr[i], ptr[i + 1]):
            j = idx[x]
            if met[j] != stamp and out[edge[x]] != case:
                if j == b:
                    return True
                met[j] = stamp
                queue[tail] = j
                tail += 1
    return False


@njit(cache=True)
def _unsupplied(  # type: ignore[no-untyped-def]
    ptr, idx, edge, from_node, to_node, lost_ptr, lost, supplied, live, fed, branch_ptr, branch_idx, node_ptr, node_idx
):
    """Pairs (case, node), int32, sorted, of the live nodes that a case's outages leave without supply."""
    n, n_branch = len(ptr) - 1, len(lost_ptr) - 1
    out, node_out = np.full(n_branch, -1, np.int64), np.full(n, -1, np.int64)
    reach, stack = np.full(n, -1, np.int64), np.empty(n, np.int64)
    met, stamp = np.full(n, -1, np.int64), 0
    case, node = np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    for s in range(len(branch_ptr) - 1):
        n_out = branch_ptr[s + 1] - branch_ptr[s]
        if fed and n_out <= 1 and node_ptr[s + 1] == node_ptr[s]:
            if n_out == 1:
                k = branch_idx[branch_ptr[s]]
                size = lost_ptr[k + 1] - lost_ptr[k]
                if count + size > len(case):
                    case, node = _grown(case, count + size), _grown(node, count + size)
                case[count : count + size] = s
                node[count : count + size] = lost[lost_ptr[k] : lost_ptr[k + 1]]
                count += size
            continue
        for x in range(branch_ptr[s], branch_ptr[s + 1]):
            out[branch_idx[x]] = s
        if fed and node_ptr[s + 1] == node_ptr[s]:
            whole = True
            for x in range(branch_ptr[s], branch_ptr[s + 1]):
                a, b = from_node[branch_idx[x]], to_node[branch_idx[x]]
                stamp += 1
                if a >= 0 and a != b and not _connected(ptr, idx, edge, out, s, a, b, met, stack, stamp):
                    whole = False
                    break
            if whole:
                continue
        for x in range(node_ptr[s], node_ptr[s + 1]):
            node_out[node_idx[x]] = s
        _search(ptr, idx, edge, out, node_out, supplied, reach, stack, s)
        for i in range(n):
            if live[i] and reach[i] != s:
                if count == len(case):
                    case, node = _grown(case, count + 1), _grown(node, count + 1)
                case[count], node[count] = s, i
                count += 1
    return case[:count].copy(), node[:count].copy()


@dataclass(frozen=True)
class Supply:
    """Where the supply of a grid's nodes can be cut; get it with `supply_of`.

    Attributes:
        ptr, idx, edge: compressed rows of the branch multigraph: neighbour and branch (nnz,).
        lost_ptr, lost: nodes that lose their supply with each branch.
        fed: whether every live node has a reference in its island.
    """

    ptr: Array
    idx: Array
    edge: Array
    lost_ptr: Array
    lost: Array
    fed: bool

    @classmethod
    def of(cls, grid: Grid) -> Supply:
        n, n_branch = grid.n_node, grid.net.n_branch
        use = np.flatnonzero((grid.from_node >= 0) & (grid.from_node != grid.to_node))
        a, b = grid.from_node[use], grid.to_node[use]
        start, end, branch = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([use, use])
        by_start = np.argsort(start, kind="stable")
        ptr = np.zeros(n + 1, np.int64)
        np.cumsum(np.bincount(start, minlength=n), out=ptr[1:])
        idx, edge = end[by_start].astype(np.int64), branch[by_start].astype(np.int64)
        far, order, number, last = _bridges(ptr, idx, edge, n_branch)
        bridges = np.flatnonzero(far >= 0)
        first, beyond = number[far[bridges]], last[far[bridges]] + 1
        count = np.concatenate([[0], np.cumsum((grid.kind == REF)[order])])
        inside = count[beyond] - count[first]
        island = grid.island[far[bridges]]
        total = np.bincount(grid.island[grid.kind == REF], minlength=grid.n_island)[island]
        live = grid.kind != OFF
        parts = [np.zeros(0, np.int64)] * n_branch
        for k in np.flatnonzero((total > 0) & ((inside == 0) | (inside == total))):
            nodes = order[first[k] : beyond[k]]
            if inside[k]:
                # the references lie beyond the bridge: the side of the root loses them
                rest = np.ones(n, bool)
                rest[nodes] = False
                nodes = np.flatnonzero(rest & (grid.island == island[k]))
            parts[bridges[k]] = np.sort(nodes[live[nodes]])
        size = np.array([len(p) for p in parts], np.int64)
        fed = bool(np.isin(grid.island[live], grid.island[grid.kind == REF]).all())
        lost = np.concatenate(parts) if n_branch else np.zeros(0, np.int64)
        return cls(ptr, idx, edge, np.concatenate([[0], np.cumsum(size)]), lost, fed)


_SUPPLY: weakref.WeakKeyDictionary[Grid, Supply] = weakref.WeakKeyDictionary()


def supply_of(grid: Grid) -> Supply:
    """A grid's `Supply`, kept for as long as the grid lives."""
    found = _SUPPLY.get(grid)
    if found is None:
        found = _SUPPLY.setdefault(grid, Supply.of(grid))
    return found


def splits_after(grid: Grid, branches: Array) -> Array:
    """(k, n_branch) whether a further branch's outage splits the grid once one of the given branches is out."""
    supply = supply_of(grid)
    further = np.zeros((len(branches), grid.net.n_branch), bool)
    for row, k in enumerate(branches.tolist()):
        further[row] = _bridges(supply.ptr, supply.idx, supply.edge, grid.net.n_branch, k)[0] >= 0
    return further


def unsupplied(grid: Grid, cases: Cases) -> Pairs:
    """Pairs (case, node), sorted: nodes that are supplied in the intact grid and are not in the case.

    What a single branch cuts off is known beforehand; several outages together are searched, and so is everything where
    an island has no reference left.
    """
    branch, bus = cases.pairs("branch"), cases.pairs("bus")
    supply = supply_of(grid)
    if not len(branch.case) and not len(bus.case) and supply.fed:
        return NO_PAIRS
    return Pairs(
        *_unsupplied(
            supply.ptr, supply.idx, supply.edge, grid.from_node, grid.to_node, supply.lost_ptr, supply.lost,
            np.flatnonzero(grid.kind == REF), grid.kind != OFF, supply.fed, branch.pointers(cases.n), branch.element,
            bus.pointers(cases.n), grid.node_of_bus[bus.element],
        )
    )  # fmt: skip
