"""Lists of elements by case, as sorted pairs (case, element): their pointers, some of the cases, cases replaced.

The outages of a small grid are solved in ten milliseconds; a dozen passes of general array functions over such lists, each of
some ten microseconds, would be felt.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def pointers(case, n):
    """(n + 1,) int32 compressed-row pointers over the cases of sorted pairs."""
    ptr = np.zeros(n + 1, np.int32)
    for c in case:
        ptr[c + 1] += 1
    for c in range(n):
        ptr[c + 1] += ptr[c]
    return ptr


@njit(cache=True, error_model="numpy")
def taken(ptr, element, cases):
    """The pairs of some cases, numbered in the order given: case and element, int32."""
    size = 0
    for c in cases:
        size += ptr[c + 1] - ptr[c]
    case, of = np.empty(size, np.int32), np.empty(size, np.int32)
    at = 0
    for k in range(len(cases)):
        for x in range(ptr[cases[k]], ptr[cases[k] + 1]):
            case[at], of[at] = k, element[x]
            at += 1
    return case, of


@njit(cache=True, error_model="numpy")
def replaced(case, element, which, part_case, part_element):
    """Pairs in which those of the cases ``which`` (sorted) give way to a part's, whose case k is ``which[k]``."""
    room = len(case) + len(part_case)
    out_case, out = np.empty(room, np.int32), np.empty(room, np.int32)
    at, x, y = 0, 0, 0
    for k in range(len(which)):
        while x < len(case) and case[x] < which[k]:
            out_case[at], out[at] = case[x], element[x]
            at += 1
            x += 1
        while x < len(case) and case[x] == which[k]:
            x += 1
        while y < len(part_case) and part_case[y] == k:
            out_case[at], out[at] = which[k], part_element[y]
            at += 1
            y += 1
    while x < len(case):
        out_case[at], out[at] = case[x], element[x]
        at += 1
        x += 1
    return out_case[:at].copy(), out[:at].copy()


@njit(cache=True, error_model="numpy")
def outweighed(case, node, group, size, n):
    """(n,) whether more than half of the nodes of some group (``size`` of each) are in a case's pairs (case, node)."""
    found, count = np.zeros(n, np.bool_), np.zeros(len(size), np.int64)
    first = 0
    while first < len(case):
        last = first
        while last < len(case) and case[last] == case[first]:
            r = group[node[last]]
            count[r] += 1
            if 2 * count[r] > size[r]:
                found[case[first]] = True
            last += 1
        for x in range(first, last):
            count[group[node[x]]] = 0
        first = last
    return found
