"""A mixed-integer linear problem as arrays, gathered block by block and handed to the solver as they are.

    minimise  c x + offset    subject to  row_lower <= A x <= row_upper,  lower <= x <= upper,  some x integer

A block of columns is an array of column positions, in any shape; -1 stands for "no column" and drops out of every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Term = tuple[Array, Any]
"""Columns and their coefficients. A leading axis beyond the shape of the rows is summed over."""

NONE = -1


@dataclass(frozen=True, eq=False)
class Problem:
    """The finished problem; matrix by rows (CSR). Shapes: columns (n,), rows (m,), entries (nz,)."""

    cost: Array
    lower: Array
    upper: Array
    integer: Array
    row_lower: Array
    row_upper: Array
    start: Array
    index: Array
    value: Array
    offset: float = 0.0

    @property
    def n(self) -> int:
        """Number of columns."""
        return len(self.cost)

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.row_lower)

    def activity(self, x: Array) -> Array:
        """(m,) value of every row at the point x (n,)."""
        from scipy.sparse import csr_array

        return np.asarray(csr_array((self.value, self.index, self.start), shape=(self.m, self.n)) @ x)

    def violation(self, x: Array) -> float:
        """Largest distance of x (n,) from its bounds, of its rows from theirs, and of integer columns from integers."""
        a = self.activity(x)
        parts = (self.lower - x, x - self.upper, self.row_lower - a, a - self.row_upper)
        worst = max(float(part.max(initial=0.0)) for part in parts)
        whole = x[self.integer]
        return max(worst, float(np.abs(whole - np.round(whole)).max(initial=0.0)))


class Builder:
    """Gathers columns and rows of a `Problem`."""

    def __init__(self) -> None:
        self.n = 0
        self.m = 0
        self.offset = 0.0
        self._columns: list[tuple[Array, Array, Array, Array]] = []
        self._bounds: list[tuple[Array, Array]] = []
        self._entries: list[tuple[Array, Array, Array]] = []

    def columns(
        self, shape: tuple[int, ...], lower: Any = 0.0, upper: Any = np.inf, cost: Any = 0.0, *, integer: bool = False
    ) -> Array:
        """Add columns; returns their positions in the given shape. Bounds and costs broadcast to it."""
        size = int(np.prod(shape))
        low, high, c = (np.broadcast_to(np.asarray(part, float), shape).ravel() for part in (lower, upper, cost))
        self._columns.append((low, high, c, np.full(size, integer)))
        at = np.arange(self.n, self.n + size, dtype=np.int32).reshape(shape)
        self.n += size
        return at

    def rows(
        self,
        shape: tuple[int, ...],
        terms: Sequence[Term],
        lower: Any = -np.inf,
        upper: Any = np.inf,
        *,
        keep: Any = True,
    ) -> Array:
        """Add rows ``lower <= sum of terms <= upper`` where `keep` holds; returns their positions, -1 where left out.

        Columns of a term have the shape of the rows, one that broadcasts to it, or further axes before it, which are
        summed over.
        """
        wanted = np.broadcast_to(np.asarray(keep, bool), shape).ravel()
        if not wanted.size:
            return np.full(shape, NONE, np.int64)
        place = np.full(wanted.size, NONE, np.int64)
        place[wanted] = self.m + np.arange(int(wanted.sum()))
        for columns, coefficients in terms:
            full = np.broadcast_shapes(np.shape(columns), shape)
            col = np.broadcast_to(columns, full).reshape(-1, wanted.size)
            value = np.broadcast_to(np.asarray(coefficients, float), full).reshape(-1, wanted.size)
            row = np.broadcast_to(place, col.shape)
            used = (col != NONE) & (row != NONE) & (value != 0.0)
            self._entries.append((row[used], col[used].astype(np.int64), value[used]))
        low, high = (np.broadcast_to(np.asarray(part, float), shape).ravel()[wanted] for part in (lower, upper))
        self._bounds.append((low, high))
        self.m += int(wanted.sum())
        return place.reshape(shape)

    def build(self) -> Problem:
        """The problem with the rows' entries in order; entries of one column in one row are added up."""
        from scipy.sparse import coo_array

        low, high, cost, integer = (np.concatenate(part) for part in zip(*self._columns, strict=True))
        row, col, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = coo_array((value, (row, col)), shape=(self.m, self.n)).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        row_low, row_high = (np.concatenate(part) for part in zip(*self._bounds, strict=True))
        start, index = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
        return Problem(cost, low, high, integer, row_low, row_high, start, index, matrix.data, self.offset)


def delayed(columns: Array, steps: int) -> Array:
    """Columns (..., T) of `steps` earlier at each step: ``out[t] = columns[t - steps]``, -1 outside the horizon."""
    out = np.full_like(columns, NONE)
    if steps >= 0:
        out[..., steps:] = columns[..., : columns.shape[-1] - steps] if steps < columns.shape[-1] else out[..., steps:]
    else:
        out[..., :steps] = columns[..., -steps:]
    return out


def chosen(columns: Array, where: Any) -> Array:
    """Columns where the condition holds (broadcast to them), -1 elsewhere."""
    return np.where(np.broadcast_to(where, columns.shape), columns, NONE)
