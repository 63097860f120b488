"""Ordering, symbolic factorisation and the elimination program of a symmetric block pattern.

A power grid's Jacobian has one small dense block a node and a block for each pair of nodes that a branch joins, so its
pattern is the grid's graph. It is ordered and factorised symbolically once; every scenario reuses the result.

- `minimum_degree` orders the nodes (Tinney and Walker's scheme 2, 1967; ties go to the least fill).
- `postorder` relabels along the elimination tree, which keeps the pivots that a row needs close in memory.
- `analyse` returns the `Pattern`: for each row ``i`` in elimination order the pivots ``k < i`` of its lower part, the
  columns ``j > i`` of its upper part, and the program: for each pair ``(i, k)`` where in row ``i`` each block of the
  upper part of row ``k`` lands. A row's blocks are numbered lower part, diagonal, upper part: its "slots".

All arrays are int32 and in elimination order; ``order[p]`` is the caller's node at position ``p``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray


class Pattern(NamedTuple):
    """Symbolic factorisation of a pattern of ``n`` nodes.

    Attributes:
        order: (n,) caller's node at each position; ``position`` (n,) is its inverse.
        low_ptr, low_idx: pivots of each row's lower part, ascending.
        low_block: for each of those, the number of the block ``(k, i)`` among all upper blocks (its transpose's place).
        up_ptr, up_idx: columns of each row's upper part, ascending.
        target: slots of the program, rows in order, pivots in order, ``len(up(k))`` entries each.
        target_ptr: (n + 1,) where each row's part of the program begins.
        row_size: largest number of slots of a row.
    """

    order: Array
    position: Array
    low_ptr: Array
    low_idx: Array
    low_block: Array
    up_ptr: Array
    up_idx: Array
    target: Array
    target_ptr: Array
    row_size: int

    @property
    def n(self) -> int:
        return len(self.order)

    @property
    def n_upper(self) -> int:
        return len(self.up_idx)


@njit(cache=True)
def _fill_of(node, head, size, pool, mark, stamp):
    """Edges that eliminating a node would add."""
    degree = size[node]
    missing = 0
    for a in range(degree):
        u = pool[head[node] + a]
        stamp += 1
        for b in range(size[u]):
            mark[pool[head[u] + b]] = stamp
        for b in range(a + 1, degree):
            if mark[pool[head[node] + b]] != stamp:
                missing += 1
    return missing, stamp


@njit(cache=True)
def minimum_degree(ptr, idx):
    """Order the nodes of a symmetric graph, without self loops, for least fill.

    Args:
        ptr, idx: (n + 1,), (nnz,) adjacency in compressed rows, both directions present, no duplicates.

    Returns:
        (n,) int32: the node eliminated at each position.
    """
    n = len(ptr) - 1
    head, size, room = np.empty(n, np.int64), np.empty(n, np.int32), np.empty(n, np.int32)
    pool = np.empty(max(64, 6 * len(idx) + 8 * n), np.int32)
    end = 0
    for v in range(n):
        head[v], size[v], room[v] = end, ptr[v + 1] - ptr[v], ptr[v + 1] - ptr[v] + 4
        for e in range(size[v]):
            pool[end + e] = idx[ptr[v] + e]
        end += room[v]
    # buckets of nodes by degree, as doubly linked lists
    first = np.full(n + 1, -1, np.int32)
    after, before = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    for v in range(n):
        d = size[v]
        after[v], before[v] = first[d], -1
        if first[d] >= 0:
            before[first[d]] = v
        first[d] = v
    mark = np.zeros(n, np.int64)
    stamp = 0
    order = np.empty(n, np.int32)
    low = 0
    for step in range(n):
        while first[low] < 0:
            low += 1
        best, best_fill, v, tried = first[low], np.int64(1) << 60, first[low], 0
        while v >= 0 and tried < 24 and low > 1:
            fill, stamp = _fill_of(v, head, size, pool, mark, stamp)
            if fill < best_fill:
                best, best_fill = v, fill
            if best_fill == 0:
                break
            v, tried = after[v], tried + 1
        p = best
        order[step] = p
        if before[p] >= 0:
            after[before[p]] = after[p]
        else:
            first[size[p]] = after[p]
        if after[p] >= 0:
            before[after[p]] = before[p]
        for a in range(size[p]):
            u = pool[head[p] + a]
            stamp += 1
            mark[u] = stamp
            kept = 0
            for b in range(size[u]):
                w = pool[head[u] + b]
                mark[w] = stamp
                if w != p:
                    pool[head[u] + kept] = w
                    kept += 1
            extra = 0
            for b in range(size[p]):
                if mark[pool[head[p] + b]] != stamp:
                    extra += 1
            if kept + extra > room[u]:
                grown = kept + extra + 8
                if end + grown > len(pool):
                    bigger = np.empty(2 * len(pool) + grown, np.int32)
                    bigger[:end] = pool[:end]
                    pool = bigger
                for b in range(kept):
                    pool[end + b] = pool[head[u] + b]
                head[u], room[u] = end, grown
                end += grown
            for b in range(size[p]):
                w = pool[head[p] + b]
                if mark[w] != stamp:
                    pool[head[u] + kept] = w
                    kept += 1
            if before[u] >= 0:
                after[before[u]] = after[u]
            else:
                first[size[u]] = after[u]
            if after[u] >= 0:
                before[after[u]] = before[u]
            size[u] = kept
            after[u], before[u] = first[kept], -1
            if first[kept] >= 0:
                before[first[kept]] = u
            first[kept] = u
            low = min(low, kept)
    return order


@njit(cache=True)
def _upper_structure(ptr, idx, order):
    """Columns of the upper factor row by row, ascending, and the elimination tree, in positions."""
    n = len(order)
    position = np.empty(n, np.int32)
    for p in range(n):
        position[order[p]] = p
    parent = np.full(n, -1, np.int32)
    child, sibling = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    mark = np.full(n, -1, np.int32)
    up_ptr = np.zeros(n + 1, np.int64)
    up = np.empty(4 * len(idx) + n, np.int32)
    row = np.empty(n, np.int32)
    for p in range(n):
        count = 0
        mark[p] = p
        v = order[p]
        for e in range(ptr[v], ptr[v + 1]):
            q = position[idx[e]]
            if q > p and mark[q] != p:
                mark[q] = p
                row[count] = q
                count += 1
        c = child[p]
        while c >= 0:
            for e in range(up_ptr[c], up_ptr[c + 1]):
                q = up[e]
                if mark[q] != p:
                    mark[q] = p
                    row[count] = q
                    count += 1
            c = sibling[c]
        found = np.sort(row[:count])
        if up_ptr[p] + count > len(up):
            bigger = np.empty(2 * len(up) + count, np.int32)
            bigger[: up_ptr[p]] = up[: up_ptr[p]]
            up = bigger
        up[up_ptr[p] : up_ptr[p] + count] = found
        up_ptr[p + 1] = up_ptr[p] + count
        if count:
            q = found[0]
            parent[p] = q
            sibling[p] = child[q]
            child[q] = p
    return up_ptr.astype(np.int32), up[: up_ptr[n]].copy(), parent


@njit(cache=True)
def _postorder(parent):
    """Positions in depth-first order of the elimination forest, children before parents."""
    n = len(parent)
    child, sibling = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    for v in range(n - 1, -1, -1):
        if parent[v] >= 0:
            sibling[v] = child[parent[v]]
            child[parent[v]] = v
    out, stack = np.empty(n, np.int32), np.empty(n, np.int32)
    done = 0
    for root in range(n):
        if parent[root] >= 0:
            continue
        depth = 0
        stack[0] = root
        while depth >= 0:
            v = stack[depth]
            c = child[v]
            if c >= 0:
                child[v] = sibling[c]
                depth += 1
                stack[depth] = c
            else:
                out[done] = v
                done += 1
                depth -= 1
    return out


@njit(cache=True)
def _program(up_ptr, up_idx):
    """Lower rows and the target slots of every update."""
    n = len(up_ptr) - 1
    low_ptr = np.zeros(n + 1, np.int32)
    for e in range(len(up_idx)):
        low_ptr[up_idx[e] + 1] += 1
    for i in range(n):
        low_ptr[i + 1] += low_ptr[i]
    low_idx, low_block = np.empty(len(up_idx), np.int32), np.empty(len(up_idx), np.int32)
    cursor = low_ptr[:-1].copy()
    for k in range(n):
        for e in range(up_ptr[k], up_ptr[k + 1]):
            i = up_idx[e]
            low_idx[cursor[i]], low_block[cursor[i]] = k, e
            cursor[i] += 1
    target_ptr = np.zeros(n + 1, np.int64)
    row_size = 1
    for i in range(n):
        total = 0
        for e in range(low_ptr[i], low_ptr[i + 1]):
            k = low_idx[e]
            total += up_ptr[k + 1] - up_ptr[k]
        target_ptr[i + 1] = target_ptr[i] + total
        row_size = max(row_size, low_ptr[i + 1] - low_ptr[i] + 1 + up_ptr[i + 1] - up_ptr[i])
    target = np.empty(target_ptr[n], np.int32)
    slot = np.empty(n, np.int32)
    at = 0
    for i in range(n):
        lower = low_ptr[i + 1] - low_ptr[i]
        for e in range(lower):
            slot[low_idx[low_ptr[i] + e]] = e
        slot[i] = lower
        for e in range(up_ptr[i + 1] - up_ptr[i]):
            slot[up_idx[up_ptr[i] + e]] = lower + 1 + e
        for e in range(low_ptr[i], low_ptr[i + 1]):
            k = low_idx[e]
            for u in range(up_ptr[k], up_ptr[k + 1]):
                target[at] = slot[up_idx[u]]
                at += 1
    return low_ptr, low_idx, low_block, target, target_ptr, row_size


def adjacency(n: int, a: Array, b: Array) -> tuple[Array, Array]:
    """Compressed rows of an undirected graph from end points; self loops and duplicates are dropped.

    Args:
        n: number of nodes.
        a, b: (m,) end points.

    Returns:
        ptr (n + 1,), idx (nnz,), both int32, both directions present, ascending.
    """
    keep = a != b
    a, b = a[keep].astype(np.int64), b[keep].astype(np.int64)
    key = np.unique(np.concatenate([a * n + b, b * n + a]))
    ptr = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(key // n, minlength=n), out=ptr[1:])
    return ptr, (key % n).astype(np.int32)


def analyse(n: int, a: Array, b: Array) -> Pattern:
    """Order and factorise symbolically the pattern of a graph with ``n`` nodes and edges ``a[k] - b[k]``."""
    ptr, idx = adjacency(n, a, b)
    order = minimum_degree(ptr, idx)
    _, _, parent = _upper_structure(ptr, idx, order)
    order = order[_postorder(parent)]
    up_ptr, up_idx, _ = _upper_structure(ptr, idx, order)
    low_ptr, low_idx, low_block, target, target_ptr, row_size = _program(up_ptr, up_idx)
    position = np.empty(n, np.int32)
    position[order] = np.arange(n, dtype=np.int32)
    return Pattern(order, position, low_ptr, low_idx, low_block, up_ptr, up_idx, target, target_ptr, int(row_size))
