"""The search finds exactly what measuring every distance in float64 finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aurigrid.model.table import Array
from aurigrid.store.nearest import NearestIndex

VALUE = st.floats(-1e6, 1e6, allow_nan=False, width=32)
CLOUDS = hnp.arrays(float, st.tuples(st.integers(1, 60), st.integers(1, 8)), elements=VALUE)


def brute_force(points: Array, query: Array, k: int, among: Array) -> tuple[Array, Array]:
    rows = np.flatnonzero(among)
    square = ((points[rows] - query) ** 2).sum(axis=1)
    order = np.lexsort((rows, square))[:k]
    return rows[order], np.sqrt(square[order])


def cloud(n: int, d: int, seed: int, spread: float = 1.0, offset: float = 0.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return offset + spread * rng.normal(size=(n, d)), offset + spread * rng.normal(size=d)


@settings(deadline=None)
@given(CLOUDS, st.data())
def test_search_equals_brute_force(points: Array, data: st.DataObject) -> None:
    query = data.draw(hnp.arrays(float, points.shape[1], elements=VALUE))
    among = data.draw(hnp.arrays(bool, len(points)))
    k = data.draw(st.integers(1, len(points) + 2))
    rows, distance = NearestIndex(points).nearest(query, k, among)
    expected, theirs = brute_force(points, query, k, among)
    np.testing.assert_allclose(distance, theirs, rtol=1e-12)
    assert among[rows].all()
    every = brute_force(points, query, len(points), among)[1]
    if not np.isclose(every[:-1], every[1:], rtol=1e-12, atol=0).any():  # equal up to rounding, they may change places
        assert rows.tolist() == expected.tolist()


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e7])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e5])
def test_large_clouds_wherever_they_lie(offset: float, spread: float) -> None:
    points, query = cloud(70_000, 12, seed=3, spread=spread, offset=offset)
    rows, distance = NearestIndex(points).nearest(query, 20)
    expected, theirs = brute_force(points, query, 20, np.ones(len(points), bool))
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(distance, theirs, rtol=1e-12)


def test_neighbours_closer_together_than_float32_can_tell() -> None:
    """Points on a shell whose distances differ by 1e-9 of it: float32 sees them as equal."""
    rng = np.random.default_rng(5)
    direction = rng.normal(size=(500, 30))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    distance = 100 * (1 + 1e-9 * rng.permutation(500))
    query = np.full(30, 7.0)
    rows, found = NearestIndex(query + distance[:, None] * direction).nearest(query, 10)
    assert rows.tolist() == np.argsort(distance)[:10].tolist()
    np.testing.assert_allclose(found, np.sort(distance)[:10], rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_order_of_points_does_not_matter(seed: int) -> None:
    points, query = cloud(200, 5, seed)
    order = np.random.default_rng(seed).permutation(200)
    rows, distance = NearestIndex(points).nearest(query, 15)
    shuffled, same = NearestIndex(points[order]).nearest(query, 15)
    assert order[shuffled].tolist() == rows.tolist()
    np.testing.assert_array_equal(distance, same)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(1e2, 1e8))
def test_a_far_point_changes_nothing(seed: int, far: float) -> None:
    points, query = cloud(200, 5, seed)
    before = NearestIndex(points).nearest(query, 15)
    after = NearestIndex(np.vstack([points, query + far])).nearest(query, 15)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_numbers_beyond_float32() -> None:
    points = np.array([[3e30, 0.0], [1e30, 0.0], [2e30, 0.0], [1e-30, 0.0]])
    assert NearestIndex(points).nearest(np.array([0.9e30, 0.0]), 2)[0].tolist() == [1, 3]


def test_equal_distances_come_in_the_order_of_rows() -> None:
    rows, distance = NearestIndex(np.array([[1.0], [-1.0], [1.0], [2.0], [-1.0]])).nearest(np.zeros(1), 3)
    assert rows.tolist() == [0, 1, 2]
    assert distance.tolist() == [1, 1, 1]


def test_no_point_may_be_found() -> None:
    index = NearestIndex(np.ones((3, 2)))
    assert len(index.nearest(np.zeros(2), 5, np.zeros(3, bool))[0]) == 0
    assert len(NearestIndex(np.empty((0, 2))).nearest(np.zeros(2), 5)[0]) == 0
