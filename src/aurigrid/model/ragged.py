"""`Ragged`: rows of different lengths as two flat arrays, the form in which kernels walk lists of elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from aurigrid.model.table import Array, read_only


@dataclass(frozen=True, eq=False)
class Ragged:
    """Compressed rows of element positions.

    Attributes:
        ptr: (n + 1,) int32, where each row starts in `idx`.
        idx: (ptr[n],) int32, positions, ascending and unique within a row.
    """

    ptr: Array
    idx: Array

    @classmethod
    def empty(cls, n: int) -> Self:
        """`n` rows without entries."""
        return cls(read_only(np.zeros(n + 1, dtype=np.int32)), read_only(np.zeros(0, dtype=np.int32)))

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int]]) -> Self:
        """From one sequence of positions a row; repeated positions count once."""
        done = [sorted(set(row)) for row in rows]
        ptr = np.zeros(len(done) + 1, dtype=np.int32)
        np.cumsum([len(row) for row in done], out=ptr[1:])
        return cls(read_only(ptr), read_only(np.array([i for row in done for i in row], dtype=np.int32)))

    @classmethod
    def from_mask(cls, mask: Array) -> Self:
        """From a bool array (n, elements)."""
        row, idx = np.nonzero(mask)
        ptr = np.zeros(len(mask) + 1, dtype=np.int32)
        np.cumsum(np.bincount(row, minlength=len(mask)), out=ptr[1:])
        return cls(read_only(ptr), read_only(idx.astype(np.int32)))

    @classmethod
    def concat(cls, parts: Sequence[Ragged]) -> Self:
        """The rows of all parts, one after the other."""
        lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(np.diff(part.ptr) for part in parts)])
        ptr = np.cumsum(lengths).astype(np.int32)
        return cls(read_only(ptr), read_only(np.concatenate([part.idx for part in parts])))

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __getitem__(self, row: int) -> Array:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        return self.idx[self.ptr[row] : self.ptr[row + 1]]

    @property
    def count(self) -> Array:
        """(n,) number of entries of each row."""
        return np.diff(self.ptr)

    def take(self, rows: Array) -> Self:
        """The rows at the given positions."""
        starts, counts = self.ptr[:-1][rows].astype(np.int64), self.count[rows]
        ptr = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum(counts, out=ptr[1:])
        # The position of each entry: its row's start, plus how far it is into the row.
        within = np.arange(ptr[-1]) - np.repeat(ptr[:-1].astype(np.int64), counts)
        return type(self)(read_only(ptr), read_only(self.idx[np.repeat(starts, counts) + within]))

    def mask(self, n_elements: int) -> Array:
        """The same as a bool array (n, n_elements)."""
        out = np.zeros((len(self), n_elements), dtype=bool)
        out[np.repeat(np.arange(len(self)), self.count), self.idx] = True
        return out
