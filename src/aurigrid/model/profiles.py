"""`Profiles`: time series bound to the elements of a network, read window by window."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import SOURCES
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.series import Fill, Series, SeriesValues
from aurigrid.model.table import Array, read_only
from aurigrid.model.timeaxis import complete_axis, local_times, to_utc, zone_of

Key = tuple[str, str]
"""Table and column that a series replaces, e.g. ``("load", "p_mw")``."""

_QUANTITY_OF = {source: name for name, source in SOURCES.items()}


@dataclass(frozen=True, eq=False, init=False)
class Profiles:
    """Series of one time axis, each for some elements of one table and column.

    Values stay where they are (an array, a memory map, or a function that reads them) and are read by window, so
    memory grows with the window, not with the year. Values that a caller holds in memory are checked at construction,
    values that a function reads are checked when they are read.

    Attributes:
        time: (n_steps,) datetime64[s], start of each step, evenly spaced. UTC where `zone` is given, else the source's
            own clock, which then must not change for daylight saving.
        step_min: length of a step, minutes.
        zone: IANA name of the zone in which days are counted, or ``""``.
        series: `Series` by (table, column).
        missing_steps: positions of steps that the source lacks and that were filled on request.

    Raises:
        InputError: a time axis that is not strictly increasing or not evenly spaced, an unknown zone, shapes that do
            not match, elements given twice, or gaps without `fill`; all of them at once.
    """

    time: Array
    step_min: float
    zone: str
    series: Mapping[Key, Series]
    missing_steps: Array
    fill: str | None

    def __init__(
        self,
        time: object,
        series: Mapping[Key, tuple[SeriesValues, object] | Series],
        *,
        step_min: float | None = None,
        zone: str = "",
        fill: str | None = None,
    ) -> None:
        """Bind series to a time axis.

        Args:
            time: (n,) start of each step, anything that NumPy reads as datetime64.
            series: (values, positions) by (table, column): values (n, k), or a function ``values(start, stop)`` that
                returns rows start..stop of them; positions (k,) of the elements in the table.
            step_min: length of a step, minutes; where absent, the smallest distance of two time stamps.
            zone: IANA name; `time` is then UTC (`Profiles.from_local` converts).
            fill: None refuses gaps (NaN, missing time stamps); ``"linear"`` interpolates between the neighbours in
                time, ``"previous"`` repeats the last value. `fills` says what was filled.
        """
        issues = IssueList()
        if fill not in (None, "linear", "previous"):
            issues.add("profiles", "fill", f"is {fill!r}", hint="use 'linear', 'previous' or None")
        zone_of(zone, issues)
        axis, source_row, step = complete_axis(time, step_min, fill is not None, issues)
        bound = {key: _bound(key, given, axis, source_row, fill, issues) for key, given in series.items()}
        issues.raise_if_any()
        missing = read_only(np.flatnonzero(source_row < 0))
        done = {"time": axis, "step_min": step, "zone": zone, "series": bound, "missing_steps": missing, "fill": fill}
        for name, value in done.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_local(cls, time: object, series: Mapping[Key, Any], *, zone: str, **options: Any) -> Self:
        """Bind series whose time stamps are local clock times of a zone, changes of the clock included.

        The hour that occurs twice in autumn is told apart by its order: the first occurrence is summer time.
        """
        issues = IssueList()
        utc = to_utc(time, zone, issues)
        issues.raise_if_any()
        return cls(utc, series, zone=zone, **options)

    def __len__(self) -> int:
        return len(self.time)

    def _repr_html_(self) -> str:
        from aurigrid.model.markup import profiles_html

        return profiles_html(self)

    def __repr__(self) -> str:
        span = f"{self.time[0]} .. {self.time[-1]}" if len(self) else "empty"
        columns = ", ".join(f"{table}.{column} ({len(s.position)})" for (table, column), s in self.series.items())
        return f"Profiles({len(self)} steps of {self.step_min:g} min, {span} {self.zone or 'own clock'}: {columns})"

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return len(self.time)

    @cached_property
    def local(self) -> Array:
        """(n_steps,) datetime64[s] of each step on the clock of `zone`; `time` itself where there is no zone."""
        return local_times(self.time, self.zone)

    def fills(self) -> tuple[Fill, ...]:
        """What was filled, series by series and element by element; reads series that have not been read yet."""
        return tuple(fill for s in self.series.values() for fill in s.fills())

    def values(self, table: str, column: str, start: int = 0, stop: int | None = None) -> Array:
        """Rows start..stop of one series, float64 (stop - start, k), in the order of its `position`.

        Raises:
            InputError: no such series, or gaps found while reading it.
        """
        found = self.series.get((table, column))
        if found is None:
            known = ", ".join(".".join(key) for key in self.series)
            raise InputError(
                Issue("profiles", f"{table}.{column}", "no such series", hint=f"there are {known or 'none'}")
            )
        return found.read(start, self.n_steps if stop is None else stop)

    def window(self, start: object, stop: object) -> Self:
        """The steps from `start` up to, not including, `stop`: positions, or local times like ``"2016-01-18 06:00"``.

        Raises:
            InputError: times that cannot be read or that enclose no step.
        """
        first, last = self._position(start), self._position(stop)
        if first >= last:
            raise InputError(Issue("profiles", "time", f"no step from {start} to {stop}", hint=self._span()))
        return self._cut(first, last)

    def day(self, date: str) -> Self:
        """The steps of one local calendar day, e.g. ``"2016-01-18"``; 23 or 25 hours where the clock changes.

        Raises:
            InputError: not a date, or a date without steps.
        """
        try:
            midnight = np.datetime64(date, "D")
        except ValueError as error:
            raise InputError(Issue("profiles", "date", f"{date!r} is not a date", hint="write YYYY-MM-DD")) from error
        if np.isnat(midnight):
            raise InputError(Issue("profiles", "date", f"{date!r} is not a date", hint="write YYYY-MM-DD"))
        rows = np.flatnonzero(self.local.astype("datetime64[D]") == midnight)
        if not len(rows):
            raise InputError(Issue("profiles", "date", f"no step on {date}", hint=self._span()))
        return self._cut(int(rows[0]), int(rows[-1]) + 1)

    def _span(self) -> str:
        return f"profiles run from {self.local[0]} to {self.local[-1]}" if len(self) else "profiles are empty"

    def _position(self, when: object) -> int:
        """First step at or after a position or local time."""
        if isinstance(when, (int, np.integer)) and not isinstance(when, (bool, np.bool_)):
            return min(max(int(when) + (self.n_steps if when < 0 else 0), 0), self.n_steps)
        try:
            stamp = np.datetime64(when, "s")  # type: ignore[call-overload]
        except (TypeError, ValueError) as error:
            hint = "write YYYY-MM-DD or 'YYYY-MM-DD HH:MM'"
            raise InputError(Issue("profiles", "time", f"{when!r} is not a time", hint=hint)) from error
        # The local clock repeats an hour in autumn: the first step that shows at least this time is meant.
        late = np.flatnonzero(self.local >= stamp)
        return int(late[0]) if len(late) else self.n_steps

    def _cut(self, first: int, last: int) -> Self:
        inside = self.missing_steps[(self.missing_steps >= first) & (self.missing_steps < last)]
        out = type(self).__new__(type(self))
        for field in dataclasses.fields(self):
            object.__setattr__(out, field.name, getattr(self, field.name))
        object.__setattr__(out, "time", self.time[first:last])
        object.__setattr__(out, "missing_steps", read_only(inside - first))
        object.__setattr__(out, "series", {key: s.cut(first, last) for key, s in self.series.items()})
        return out

    def multiplied(self, factors: Mapping[Key, Array]) -> Self:
        """The same profiles with some series multiplied, element by element.

        Args:
            factors: (k,) finite factors by (table, column), in the order of the series' `position`.
        """
        out = self._cut(0, self.n_steps)
        series = {key: s.multiplied(factors[key]) if key in factors else s for key, s in self.series.items()}
        object.__setattr__(out, "series", series)
        return out

    def scenarios(self, net: Network, rows: slice | Sequence[int] | Array | None = None) -> Scenarios:
        """One scenario a step, labelled with its local time; elements without a series stay as in the network.

        Series of columns that no scenario varies (see `SOURCES`), such as limits or requirements, are left aside.

        Args:
            net: the network that the series belong to.
            rows: steps by position (slice, positions or mask); all where absent.

        Raises:
            InputError: positions outside the network's tables, or gaps found while reading.
        """
        self.require_fits(net)
        picked = np.arange(self.n_steps)
        if rows is not None:
            picked = picked[rows if isinstance(rows, slice) else np.asarray(rows)]
        arrays = {}
        for key, series in self.series.items():
            name = _QUANTITY_OF.get(key)
            if name is None:
                continue
            base = getattr(getattr(net, key[0]), key[1])
            full = np.empty((len(picked), len(base)))
            full[:] = base
            for at, first, last in _runs(picked):
                full[at : at + last - first, series.position] = series.read(first, last)
            arrays[name] = full
        label = [str(when).replace("T", " ") for when in self.local[picked]]
        return Scenarios(net, n=len(picked), label=label, **arrays)

    def require_fits(self, net: Network) -> None:
        """Check that every series names a table and column of the network and positions inside it.

        Raises:
            InputError: with all series that do not fit.
        """
        issues = IssueList()
        tables = dict(net.tables())
        for (table, column), series in self.series.items():
            where = f"{table}.{column}"
            if table not in tables or column not in tables[table].columns():
                issues.add("profiles", where, "is not a table and column of a network")
            elif len(series.position) and series.position.max() >= len(tables[table]):
                outside = series.position[series.position >= len(tables[table])].tolist()
                hint = f"the network has {len(tables[table])} rows of {table}"
                issues.add("profiles", where, "is bound to positions outside the table", outside, hint)
        issues.raise_if_any()


def _runs(rows: Array) -> Iterator[tuple[int, int, int]]:
    """Stretches of consecutive positions: where each begins among `rows`, and its first and last + 1 position."""
    if not len(rows):
        return
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for at, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True):
        yield at, int(rows[at]), int(rows[end - 1]) + 1


def _bound(key: Key, given: Any, axis: Array, source_row: Array, fill: str | None, issues: IssueList) -> Series | None:
    """One argument as a `Series` on the complete axis, its faults added to `issues`."""
    where = ".".join(key)
    values: Any
    if isinstance(given, Series):
        values, where_at = given.read, given.position
    else:
        values, where_at = given
    position = np.asarray(where_at)
    if position.ndim != 1 or (len(position) and position.dtype.kind not in "iu"):
        issues.add("profiles", where, "element positions must be whole numbers on one axis")
        return None
    position = read_only(position.astype(np.int32))
    twice, count = np.unique(position, return_counts=True)
    if (count > 1).any():
        issues.add(
            "profiles", where, "elements are given twice", twice[count > 1].tolist(), "give one column an element"
        )
    if len(position) and position.min() < 0:
        issues.add("profiles", where, "element positions must not be negative", position[position < 0].tolist())
    n = int(np.count_nonzero(source_row >= 0))
    in_memory = not callable(values)
    if in_memory:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            issues.add("profiles", where, f"values are {array.dtype}, not numbers")
            return None
        if axis.size and array.shape != (n, len(position)):
            hint = "one row a time stamp, one column an element"
            issues.add("profiles", where, f"values have shape {array.shape}, not ({n}, {len(position)})", hint=hint)
            return None
        values = array
    series = Series.bind(where, values, position, axis, source_row, fill)
    if in_memory and axis.size and (fill is not None or (source_row >= 0).all()):
        series.verify(issues)
    return series
