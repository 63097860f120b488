"""Files of an RTS-GMLC folder: tables and time series as text, with every fault collected by file, line and field."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.table import Array

_DATE_COLUMNS = ("Year", "Month", "Day")
_NOTHING = ("", "NA", "N/A", "NaN", "nan")


def find_file(folder: Path, relative: str) -> Path | None:
    """The file at a relative path, whatever the case of its parts; upstream's pointers and folders differ in case.

    A file whose name ends in ``.derived.csv`` stands in for one that is missing.
    """
    here = folder
    for part in Path(relative.replace("\\", "/")).parts:
        if part == "..":
            here = here.parent
            continue
        names = {p.name.casefold(): p for p in here.iterdir()} if here.is_dir() else {}
        stand_in = part.casefold().removesuffix(".csv") + ".derived.csv"
        found = names.get(part.casefold()) or names.get(stand_in)
        if found is None:
            return None
        here = found
    return here


@dataclass
class CsvFile:
    """One CSV file as text: columns are looked up without regard to case, faults go to `issues`."""

    path: Path
    issues: IssueList
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, issues: IssueList) -> CsvFile:
        """Read the file; a row of the wrong width is an issue and is left out."""
        out = cls(path, issues)
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.reader(stream)
                out.header = [name.strip() for name in next(reader, [])]
                for row in reader:
                    if not any(cell.strip() for cell in row):
                        continue
                    if len(row) != len(out.header):
                        what = f"has {len(row)} cells, the header has {len(out.header)}"
                        issues.add(f"{path.name}, line {reader.line_num}", "", what, hint="complete the row")
                        continue
                    out.rows.append(row)
                    out.lines.append(reader.line_num)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            issues.add(path.name, "", f"cannot be read ({error})", hint="give a comma-separated UTF-8 file")
        return out

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, column: str) -> bool:
        """Whether the column is there."""
        return self._position(column) is not None

    def _position(self, column: str) -> int | None:
        wanted = column.casefold()
        return next((i for i, name in enumerate(self.header) if name.casefold() == wanted), None)

    def text(self, column: str, default: str | None = None) -> list[str]:
        """A column as text; a missing one is an issue unless a default is given."""
        at = self._position(column)
        if at is None:
            if default is None:
                hint = "columns are " + ", ".join(self.header)
                self.issues.add(self.path.name, column, "column is missing", hint=hint)
            return [default or ""] * len(self)
        return [row[at].strip() for row in self.rows]

    def number(self, column: str, default: float | None = None, *, column_default: float | None = None) -> Array:
        """A column as float64.

        Args:
            column: its name.
            default: the value of empty and ``NA`` cells; without one they are issues.
            column_default: the value where the whole column is missing; without one that is an issue.
        """
        if column_default is not None and not self.has(column):
            return np.full(len(self), column_default)
        out = np.zeros(len(self))
        for i, cell in enumerate(self.text(column)):
            if cell in _NOTHING and default is not None:
                out[i] = default
                continue
            try:
                out[i] = float(cell)
                if not np.isfinite(out[i]):
                    raise ValueError
            except ValueError:
                if self.has(column):
                    where = f"{self.path.name}, line {self.lines[i]}"
                    self.issues.add(where, column, f"{cell!r} is not a number", hint="give a finite number")
        return out

    def integer(self, column: str) -> list[int]:
        """A column of whole numbers, e.g. bus numbers."""
        values = self.number(column)
        for i in np.flatnonzero(values != np.round(values)):
            where = f"{self.path.name}, line {self.lines[i]}"
            self.issues.add(where, column, f"{values[i]} is not a whole number", hint="give the number of a bus")
        return [int(v) for v in np.round(values)]


@dataclass(frozen=True)
class SeriesFile:
    """One time series file.

    Attributes:
        time: (n_steps,) datetime64[s], the beginning of each interval.
        step_min: length of an interval, minutes.
        names: column names; one empty name where the file has a row a day and a column an hour.
        values: (n_steps, len(names)) float64.
    """

    time: Array
    step_min: float
    names: tuple[str, ...]
    values: Array

    def column(self, name: str) -> Array | None:
        """A column by name, or None; the only column of a file that is wide by hour has any name."""
        if self.names == ("",):
            return self.values[:, 0]
        wanted = name.casefold()
        return next((self.values[:, i] for i, n in enumerate(self.names) if n.casefold() == wanted), None)


def read_series(path: Path, issues: IssueList) -> SeriesFile | None:
    """Read a time series: ``Year, Month, Day, Period, columns...`` or a row a day with one column a period.

    Returns:
        The series, or None where the file has faults (which are then among the issues).
    """
    before = len(issues.issues)
    with path.open(encoding="utf-8-sig") as stream:
        header = [name.strip() for name in stream.readline().split(",")]
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8-sig")
        if table.shape[1] != len(header) or not np.isfinite(table).all():
            raise ValueError
    except ValueError:
        file = CsvFile.read(path, issues)
        for name in file.header:
            file.number(name)
        if len(issues.issues) == before:
            issues.add(path.name, "", "is not a table of finite numbers", hint="one line an interval")
        return None
    dates = [_find(header, name) for name in _DATE_COLUMNS]
    if any(d is None for d in dates) or not len(table):
        issues.add(
            path.name, "", "needs the columns Year, Month and Day, and at least one row", hint="see upstream's files"
        )
        return None
    year, month, day = (table[:, d].astype(int) for d in dates if d is not None)
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    midnight = (start.astype("datetime64[D]") + (day - 1)).astype("datetime64[s]")
    at = _find(header, "Period")
    rest = [i for i in range(len(header)) if i not in (*dates, at)]
    if at is None:
        step = 1440.0 / len(rest)
        offset = (np.arange(len(rest)) * step * 60).astype("timedelta64[s]")
        return SeriesFile((midnight[:, None] + offset).ravel(), step, ("",), table[:, rest].reshape(-1, 1))
    period = table[:, at].astype(int)
    step = 1440.0 / period.max()
    time = midnight + ((period - 1) * step * 60).astype("timedelta64[s]")
    return SeriesFile(time, step, tuple(header[i] for i in rest), np.ascontiguousarray(table[:, rest]))


def _find(header: list[str], name: str) -> int | None:
    return next((i for i, h in enumerate(header) if h.casefold() == name.casefold()), None)


def source_folder(folder: Path) -> Path:
    """The folder that holds ``bus.csv``: the given one, its ``SourceData`` or its ``RTS_Data/SourceData``.

    Raises:
        InputError: the folder or the file is missing.
    """
    if not folder.is_dir():
        raise InputError(Issue(str(folder), "", "no such folder", hint="give the folder that holds SourceData"))
    for candidate in ("", "SourceData", "RTS_Data/SourceData"):
        found = find_file(folder, candidate) if candidate else folder
        if found is not None and find_file(found, "bus.csv") is not None:
            return found
    hint = "an RTS-GMLC folder holds SourceData/bus.csv, branch.csv and gen.csv"
    raise InputError(Issue(str(folder), "", "holds no bus.csv", hint=hint))
