"""One series of `Profiles`: values that are read by window, checked for gaps, and filled on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from aurigrid.errors import InputError, IssueList
from aurigrid.model.table import Array, read_only

SeriesValues = Array | Callable[[int, int], Array]
"""Values (n, k), or a function that returns rows start..stop of them."""

_CHUNK_CELLS = 1 << 22
_SHOWN = 10


@dataclass(frozen=True)
class Fill:
    """What was filled in of one element's series.

    Attributes:
        series: table and column, e.g. ``"load.p_mw"``.
        position: the element's position in its table.
        count: number of values filled.
        first: the first step filled, datetime64[s] on the axis of the profiles.
    """

    series: str
    position: int
    count: int
    first: np.datetime64

    def __str__(self) -> str:
        values = "1 value" if self.count == 1 else f"{self.count} values"
        return f"{self.series}: {values} filled for position {self.position}, first at {self.first}"


class _Patch(NamedTuple):
    """Filled cells, sorted by row: row on the whole axis, column, value."""

    row: Array
    column: Array
    value: Array


@dataclass(eq=False)
class _Whole:
    """A series over its whole axis; its windows share it, and with it what was filled."""

    where: str
    source: SeriesValues
    position: Array
    axis: Array
    source_row: Array
    fill: str | None
    verified: bool = False
    patch: _Patch | None = None

    def raw(self, first: int, last: int) -> Array:
        """Rows first..last of the axis as the source has them, NaN where it lacks the step."""
        rows = self.source_row[first:last]
        have = rows >= 0
        k = len(self.position)
        if not have.any():
            return np.full((last - first, k), np.nan)
        begin, end = int(rows[have][0]), int(rows[have][-1]) + 1
        part = self._from_source(begin, end)
        if have.all():
            return part
        out = np.full((last - first, k), np.nan)
        out[have] = part
        return out

    def _from_source(self, begin: int, end: int) -> Array:
        if not callable(self.source):
            return np.asarray(self.source[begin:end], dtype=np.float64)
        issues = IssueList()
        part = np.asarray(self.source(begin, end))
        if part.dtype.kind not in "fiu" or part.shape != (end - begin, len(self.position)):
            what = f"the source returned {part.dtype} of shape {part.shape} for rows {begin} to {end}"
            issues.add(
                "profiles", self.where, what, hint=f"it must return numbers ({end - begin}, {len(self.position)})"
            )
        issues.raise_if_any()
        return np.asarray(part, dtype=np.float64)

    def chunks(self) -> Iterator[tuple[int, Array]]:
        """The raw rows in pieces of bounded size, with the row at which each begins."""
        size = max(1, _CHUNK_CELLS // max(len(self.position), 1))
        for first in range(0, len(self.axis), size):
            yield first, self.raw(first, min(first + size, len(self.axis)))

    def refuse(self, first: int, part: Array, issues: IssueList, hint: str) -> bool:
        """Add an issue for values of `part` that are not finite; whether there are any."""
        finite = np.isfinite(part)
        if finite.all():
            return False
        row, column = np.nonzero(~finite)
        elements = self.position[np.unique(column)]
        when = self.axis[first + np.unique(row)[:_SHOWN]]
        what = (
            f"{len(row)} values of {len(elements)} elements are missing or not finite, at {', '.join(map(str, when))}"
        )
        what += " and later" if len(np.unique(row)) > _SHOWN else ""
        issues.add("profiles", self.where, what, [f"position {p}" for p in elements.tolist()], hint)
        return True

    def verify(self, issues: IssueList) -> None:
        """Refuse every gap, or fill it where that was asked for; reads the source once."""
        if self.fill is None:
            for first, part in self.chunks():
                if self.refuse(first, part, issues, "complete the source, or ask for fill='linear' or fill='previous'"):
                    break  # one issue names the first gaps; the next chunk would say the same again
        else:
            self._fill(issues)
        self.verified = True

    def _fill(self, issues: IssueList) -> None:
        rows, columns = [], []
        for first, part in self.chunks():
            infinite = np.isinf(part)
            if infinite.any():
                self.refuse(first, np.where(infinite, np.inf, 0.0), issues, "only missing values can be filled")
                return
            row, column = np.nonzero(np.isnan(part))
            rows.append(row + first)
            columns.append(column)
        row, column = np.concatenate(rows), np.concatenate(columns)
        if not len(row):
            return
        order = np.lexsort((row, column))
        row, column = row[order], column[order]
        value = self._between(row, column, issues)
        by_row = np.lexsort((column, row))
        self.patch = _Patch(row[by_row], column[by_row], value[by_row])

    def _between(self, row: Array, column: Array, issues: IssueList) -> Array:
        """Values for missing cells (sorted by column, then row) from the known ones next to each gap."""
        starts = np.concatenate([[True], (np.diff(row) != 1) | (np.diff(column) != 0)])
        gap = np.cumsum(starts) - 1
        begin = np.flatnonzero(starts)
        end = np.append(begin[1:], len(row)) - 1
        before, after, gap_column = row[begin] - 1, row[end] + 1, column[begin]
        no_left = before < 0
        no_right = (after >= len(self.axis)) if self.fill == "linear" else np.zeros(len(begin), dtype=bool)
        if (no_left | no_right).any():
            elements = self.position[np.unique(gap_column[no_left | no_right])].tolist()
            side = "at the beginning" if no_left.any() else "at the end"
            side = "at both ends" if no_left.any() and no_right.any() else side
            what = f"gaps {side} of the series of {len(elements)} elements cannot be filled"
            hint = "there is no known value there: complete or shorten the series"
            issues.add("profiles", self.where, what, [f"position {p}" for p in elements], hint)
            return np.full(len(row), np.nan)
        left: Array = self._cells(before, gap_column)[gap]
        if self.fill == "previous":
            return left
        right = self._cells(after, gap_column)[gap]
        share = (row - before[gap]) / (after - before)[gap]
        return np.asarray(left + share * (right - left))

    def _cells(self, row: Array, column: Array) -> Array:
        """The source's values at some cells, rows read one stretch at a time."""
        out = np.empty(len(row))
        size = max(1, _CHUNK_CELLS // max(len(self.position), 1))
        for block in np.unique(row // size):
            inside = np.flatnonzero(row // size == block)
            first, last = int(row[inside].min()), int(row[inside].max()) + 1
            out[inside] = self.raw(first, last)[row[inside] - first, column[inside]]
        return out


@dataclass(frozen=True, eq=False)
class Series:
    """One quantity of some elements over the steps of `Profiles`, or over a window of them.

    Attributes:
        whole: the series over the whole axis, shared between windows.
        first, last: the window on that axis, last not included.
    """

    whole: _Whole
    first: int
    last: int

    @classmethod
    def bind(
        cls, where: str, source: SeriesValues, position: Array, axis: Array, source_row: Array, fill: str | None
    ) -> Self:
        """A series over a whole axis. Sources in memory are to be verified at once (`verify`), others when read."""
        return cls(_Whole(where, source, position, axis, source_row, fill), 0, len(axis))

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def position(self) -> Array:
        """(k,) int32 positions of the elements in their table."""
        return self.whole.position

    def verify(self, issues: IssueList) -> None:
        """Add issues for gaps in the whole series, or fill them where that was asked for."""
        self.whole.verify(issues)

    def cut(self, first: int, last: int) -> Series:
        """A window of this one."""
        return Series(self.whole, self.first + first, self.first + last)

    def multiplied(self, factor: Array) -> Series:
        """The same window of a series with each element multiplied by its factor (k,)."""
        whole = self.whole

        def source(begin: int, end: int) -> Array:
            return np.asarray(whole._from_source(begin, end) * factor)

        more = _Whole(whole.where, source, whole.position, whole.axis, whole.source_row, whole.fill)
        return Series(more, self.first, self.last)

    def read(self, start: int, stop: int) -> Array:
        """Rows start..stop, float64 (stop - start, k), read-only.

        Raises:
            InputError: a gap in what is read; where filling was asked for, a gap in the series that cannot be filled.
            IndexError: rows outside the window.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"rows {start} to {stop} of {len(self)}")
        whole, first, last = self.whole, self.first + start, self.first + stop
        if whole.fill is not None and not whole.verified:
            self._verify_or_raise()
        part = whole.raw(first, last)
        if whole.patch is not None:
            low, high = np.searchsorted(whole.patch.row, [first, last])
            part = part.copy()
            part[whole.patch.row[low:high] - first, whole.patch.column[low:high]] = whole.patch.value[low:high]
        elif not whole.verified:
            issues = IssueList()
            whole.refuse(first, part, issues, "complete the source, or ask for fill='linear' or fill='previous'")
            issues.raise_if_any()
        return read_only(part.view())

    def _verify_or_raise(self) -> None:
        issues = IssueList()
        self.whole.verify(issues)
        if issues.issues:
            self.whole.verified = False
            raise InputError(issues.issues)

    def fills(self) -> Iterator[Fill]:
        """What was filled inside this window, element by element; reads the whole series if that is not done yet."""
        if self.whole.fill is not None and not self.whole.verified:
            self._verify_or_raise()
        patch: Any = self.whole.patch
        if patch is None:
            return
        inside = (patch.row >= self.first) & (patch.row < self.last)
        row, column = patch.row[inside], patch.column[inside]
        for c in np.unique(column):
            mine = row[column == c]
            yield Fill(self.whole.where, int(self.position[c]), len(mine), self.whole.axis[mine.min()])
