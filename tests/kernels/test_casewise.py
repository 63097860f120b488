"""Lists by case against dictionaries of sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigrid.kernels import casewise

N_NODE, N_CASE = 6, 5
lists = st.lists(st.lists(st.integers(0, N_NODE - 1), max_size=N_NODE, unique=True), min_size=N_CASE, max_size=N_CASE)


def pairs(of: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    case = [c for c, mine in enumerate(of) for _ in mine]
    return np.array(case, np.int32), np.array([x for mine in of for x in mine], np.int32)


def as_lists(case: np.ndarray, element: np.ndarray, n: int) -> list[list[int]]:
    assert (np.diff(case) >= 0).all()
    return [element[case == c].tolist() for c in range(n)]


@settings(max_examples=60, deadline=None)
@given(lists, st.lists(st.integers(0, N_CASE - 1), max_size=7))
def test_pointers_and_some_of_the_cases(of: list[list[int]], chosen: list[int]) -> None:
    case, element = pairs(of)
    ptr = casewise.pointers(case, N_CASE)
    assert [element[ptr[c] : ptr[c + 1]].tolist() for c in range(N_CASE)] == of
    taken = casewise.taken(ptr, element, np.array(chosen, np.int64))
    assert as_lists(*taken, len(chosen)) == [of[c] for c in chosen]


@settings(max_examples=60, deadline=None)
@given(lists, lists, st.sets(st.integers(0, N_CASE - 1)))
def test_replaced_cases(of: list[list[int]], others: list[list[int]], which: set[int]) -> None:
    sorted_which = sorted(which)
    part = pairs(others[: len(which)])
    found = casewise.replaced(*pairs(of), np.array(sorted_which, np.int64), *part)
    wanted = list(of)
    for k, c in enumerate(sorted_which):
        wanted[c] = others[k]
    assert as_lists(*found, N_CASE) == wanted


@settings(max_examples=60, deadline=None)
@given(lists)
def test_more_than_half_of_a_group(of: list[list[int]]) -> None:
    group = np.array([0, 0, 1, 1, 1, 2], np.int32)
    size = np.bincount(group)
    found = casewise.outweighed(*pairs(of), group, size, N_CASE)
    assert found.tolist() == [any(2 * sum(group[x] == r for x in mine) > size[r] for r in range(3)) for mine in of]
