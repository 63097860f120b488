"""Compressed rows against plain lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigrid.model.ragged import Ragged

ROWS = st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=8)


def as_lists(ragged: Ragged) -> list[list[int]]:
    return [ragged[i].tolist() for i in range(len(ragged))]


@given(ROWS)
def test_rows_are_sorted_sets(rows: list[list[int]]) -> None:
    ragged = Ragged.from_rows(rows)
    assert as_lists(ragged) == [sorted(set(row)) for row in rows]
    assert ragged.ptr.dtype == ragged.idx.dtype == np.int32
    assert ragged.count.tolist() == [len(set(row)) for row in rows]


@given(ROWS)
def test_mask_and_back(rows: list[list[int]]) -> None:
    ragged = Ragged.from_rows(rows)
    mask = ragged.mask(7)
    assert [np.flatnonzero(line).tolist() for line in mask] == as_lists(ragged)
    assert as_lists(Ragged.from_mask(mask)) == as_lists(ragged)


@given(ROWS, st.data())
def test_take_picks_rows(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.from_rows(rows)
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10)) if rows else []
    expected = [as_lists(ragged)[i] for i in picked]
    assert as_lists(ragged.take(np.array(picked, dtype=int))) == expected


@given(ROWS, ROWS)
def test_concat_appends(a: list[list[int]], b: list[list[int]]) -> None:
    parts = [Ragged.from_rows(a), Ragged.from_rows(b)]
    assert as_lists(Ragged.concat(parts)) == as_lists(parts[0]) + as_lists(parts[1])


def test_rows_from_the_end_and_outside() -> None:
    ragged = Ragged.from_rows([[1], [2, 3]])
    assert ragged[-1].tolist() == [2, 3]
    with pytest.raises(IndexError):
        ragged[2]
    with pytest.raises(ValueError, match="read-only"):
        ragged.idx[0] = 5
