"""Sums of element values by node, for any number of elements: what units and loads inject where.

Every sum adds its elements in their order, whatever the number of rows: a batch equals its scenarios one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from aurigrid.model.grouped import Grouped

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 8
"""Rows that are summed side by side: their additions do not wait for one another."""
_DENSE_PAIRS = 1 << 24
"""Pairs of a node and a group up to which they are counted in an array of all of them."""


def node_sums(node: Array, values: Array, n_node: int) -> Array:
    """Sums by node: values (k,) or (n_row, k) of elements at ``node`` (k,) -> (n_node,) or (n_row, n_node)."""
    if values.ndim == 1:
        return np.bincount(node, values, minlength=n_node)
    out = np.zeros((len(values), n_node))
    if len(values) <= len(node):
        place = node.astype(np.intp)
        for row, mine in zip(out, values, strict=True):
            row[:] = np.bincount(place, mine, minlength=n_node)
    else:
        for x, i in enumerate(node):
            out[:, i] += values[:, x]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _scaled_sums(values, node, scale, n_node):  # type: ignore[no-untyped-def]
    n_row, k = values.shape
    out = np.zeros((n_row, n_node))
    held = np.empty((n_node, _BLOCK))
    for low in range(0, n_row, _BLOCK):
        size = min(_BLOCK, n_row - low)
        held[:] = 0.0
        for e in range(k):
            i = node[e]
            if i >= 0:
                factor = scale[e]
                for r in range(size):
                    held[i, r] += factor * values[low + r, e]
        for r in range(size):
            for i in range(n_node):
                out[low + r, i] = held[i, r]
    return out


def scaled_node_sums(values: Array, node: Array, scale: Array, n_node: int) -> Array:
    """(n_row, n_node) sums of ``scale * values``; elements at node -1 count nowhere.

    Args:
        values: (n_row, k), read-only and C-contiguous (one kind of array, so that one version is compiled).
        node: (k,) int32; scale (k,) float64.
    """
    sums: Array = _scaled_sums(values, node, scale, n_node)
    return sums


def pair_weights(values: Grouped, node: Array, scale: Array, n_node: int) -> tuple[Array, Array, Array]:
    """Node, group and weight of every pair of a node and a group that has elements.

    The sum of ``scale * values`` at a node is that of ``weight * profile[:, group]`` over its pairs, so that a row
    costs the number of pairs, not of elements.
    """
    live = node >= 0
    n_group, key = max(values.n_group, 1), node[live].astype(np.int64) * values.n_group + values.group[live]
    amount = (scale * values.size)[live]
    if n_node * n_group <= _DENSE_PAIRS:
        weight = np.bincount(key, amount, minlength=n_node * n_group)
        pair = np.flatnonzero(np.bincount(key, minlength=n_node * n_group))
        return pair // n_group, pair % n_group, weight[pair]
    pair, which = np.unique(key, return_inverse=True)
    return pair // n_group, pair % n_group, np.bincount(which, amount, minlength=len(pair))


@njit(cache=True, nogil=True, error_model="numpy")
def _pair_sums(profile, node, group, weight, n_node):  # type: ignore[no-untyped-def]
    out = np.zeros((len(profile), n_node))
    for r in range(len(profile)):
        for x in range(len(node)):
            out[r, node[x]] += weight[x] * profile[r, group[x]]
    return out


def pair_sums(profile: Array, node: Array, group: Array, weight: Array, n_node: int) -> Array:
    """(n_row, n_node) sums of ``weight * profile[:, group]`` by node; the pairs are those of `pair_weights`."""
    sums: Array = _pair_sums(profile, node, group, weight, n_node)
    return sums
