"""Ordering and symbolic factorisation against dense elimination of the pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigrid.kernels.pattern import Pattern, adjacency, analyse


def dense_fill(n: int, a: np.ndarray, b: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n, n) bool pattern of L + U in elimination order, by eliminating a dense pattern."""
    full = np.eye(n, dtype=bool)
    full[a, b] = full[b, a] = True
    full = full[np.ix_(order, order)]
    for k in range(n):
        below = np.flatnonzero(full[k + 1 :, k]) + k + 1
        full[np.ix_(below, below)] = True
    return full


def check(pattern: Pattern, n: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    full = dense_fill(n, a, b, pattern.order)
    assert sorted(pattern.order.tolist()) == list(range(n))
    np.testing.assert_array_equal(pattern.position[pattern.order], np.arange(n))
    widest, program = 1, []
    for i in range(n):
        low = pattern.low_idx[pattern.low_ptr[i] : pattern.low_ptr[i + 1]]
        up = pattern.up_idx[pattern.up_ptr[i] : pattern.up_ptr[i + 1]]
        np.testing.assert_array_equal(low, np.flatnonzero(full[i, :i]))
        np.testing.assert_array_equal(up, np.flatnonzero(full[i, i + 1 :]) + i + 1)
        slots = {int(j): s for s, j in enumerate([*low, i, *up])}
        widest = max(widest, len(slots))
        assert pattern.target_ptr[i] == len(program)
        for x, k in zip(range(pattern.low_ptr[i], pattern.low_ptr[i + 1]), low, strict=True):
            transposed = pattern.low_block[x]
            assert pattern.up_ptr[k] <= transposed < pattern.up_ptr[k + 1]
            assert pattern.up_idx[transposed] == i
            program += [slots[int(j)] for j in pattern.up_idx[pattern.up_ptr[k] : pattern.up_ptr[k + 1]]]
    np.testing.assert_array_equal(pattern.target, program)
    assert pattern.row_size == widest
    return full


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.data())
def test_random_graphs(n: int, data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
    a, b = (np.array([p[k] for p in pairs], dtype=np.int32) for k in (0, 1))
    check(analyse(n, a, b), n, a, b)


def test_a_tree_has_no_fill() -> None:
    rng = np.random.default_rng(0)
    b = np.arange(1, 200)
    a = np.array([rng.integers(0, k) for k in b])
    full = check(analyse(200, a, b), 200, a, b)
    assert full.sum() == 200 + 2 * 199


def test_a_ring_has_the_least_fill() -> None:
    n = 50
    a, b = np.arange(n), (np.arange(n) + 1) % n
    full = check(analyse(n, a, b), n, a, b)
    # eliminating a ring leaves one chord a node until three nodes are left
    assert full.sum() == n + 2 * (n + n - 3)


def test_a_mesh_has_far_less_fill_than_its_natural_order() -> None:
    side = 20
    node = np.arange(side * side).reshape(side, side)
    a = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    b = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    n = side * side
    full = check(analyse(n, a, b), n, a, b)
    assert full.sum() < 0.6 * dense_fill(n, a, b, np.arange(n)).sum()


@pytest.mark.parametrize("n", [1, 4])
def test_nodes_without_branches(n: int) -> None:
    none = np.zeros(0, np.int32)
    check(analyse(n, none, none), n, none, none)


def test_adjacency_drops_loops_and_parallels() -> None:
    ptr, idx = adjacency(4, np.array([0, 1, 1, 2, 3]), np.array([1, 0, 2, 1, 3]))
    np.testing.assert_array_equal(ptr, [0, 1, 3, 4, 4])
    np.testing.assert_array_equal(idx, [1, 0, 2, 1])
