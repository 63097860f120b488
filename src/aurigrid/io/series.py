"""Time series for a grid that comes without: wide tables, one file a column of the network.

A folder holds files named after the column that they replace, ``load.p_mw.csv``, ``load.q_mvar.csv``, ``gen.p_mw.parquet``
and so on; a single file may be given instead of a folder. Each has a column ``time`` (``2016-01-18 00:15``, evenly spaced,
the same in all files) and one column an element, headed by the element's id::

    time,G1,G2
    2016-01-18 00:00,120.0,35.5
    2016-01-18 00:15,118.0,36.0

Elements without a column stay as they are in the network.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Key, Profiles
from aurigrid.model.scenario_input import SOURCES
from aurigrid.model.table import Array

if TYPE_CHECKING:
    import pyarrow as pa

_SUFFIXES = (".csv", ".parquet")
_COLUMNS = {f"{table}.{column}": (table, column) for table, column in SOURCES.values()}


def read_series_tables(net: Network, source: str | os.PathLike[str]) -> Profiles:
    """Read the series of a folder or of one file.

    Raises:
        InputError: no such file, names that are no column that varies, unknown or repeated elements, times or values that
            cannot be read, axes that differ; all of them at once.
    """
    path = Path(source)
    issues = IssueList()
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in _SUFFIXES) if path.is_dir() else [path]
    if not path.exists() or not files:
        hint = "give files such as load.p_mw.csv"
        issues.add(
            str(path),
            "",
            "holds no CSV or Parquet file" if path.exists() else "there is no such file or folder",
            hint=hint,
        )
        issues.raise_if_any()
    axis: Array | None = None
    series: dict[Key, Any] = {}
    for file in files:
        key = _COLUMNS.get(file.stem)
        if key is None:
            issues.add(
                str(file), "", f"{file.stem!r} is no column that varies", hint="name files " + ", ".join(_COLUMNS)
            )
            continue
        if key in series:
            issues.add(str(file), "", "gives a column for the second time", hint="keep one file a column")
            continue
        read = _read(file, net, key, issues)
        if read is None:
            continue
        time, series[key] = read
        if axis is None:
            axis = time
        elif len(axis) != len(time) or (axis != time).any():
            issues.add(str(file), "time", f"differs from that of {files[0].name}", hint="give all files the same steps")
    issues.raise_if_any()
    assert axis is not None
    return Profiles(axis, series)


def _read(file: Path, net: Network, key: Key, issues: IssueList) -> tuple[Array, tuple[Array, Array]] | None:
    """Time stamps, and (values, positions) of one file; None with an issue."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        table: pa.Table = pa.csv.read_csv(file) if file.suffix.lower() == ".csv" else pa.parquet.read_table(file)
    except (pa.ArrowException, OSError) as error:
        issues.add(str(file), "", f"cannot be read ({str(error).splitlines()[0]})")
        return None
    before = len(issues.issues)
    names = [str(name) for name in table.column_names]
    if "time" not in names:
        issues.add(str(file), "time", "column is missing", hint="the first column holds the start of each step")
        return None
    time = _times(file, table.column(names.index("time")), issues)
    place = {str(x): i for i, x in enumerate(getattr(net, key[0]).id.tolist())}
    elements = [name for name in names if name != "time"]
    unknown = [name for name in elements if name not in place]
    if unknown:
        issues.add(str(file), "", f"has columns that are no {key[0]} of the grid", unknown, "head columns by ids")
    twice = sorted({name for name in elements if elements.count(name) > 1})
    if twice:
        issues.add(str(file), "", "has a column twice", twice)
    if not elements:
        issues.add(str(file), "", "has no column but the time")
    values = np.full((table.num_rows, len(elements)), np.nan)
    for k, name in enumerate(elements):
        column = table.column(names.index(name))
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            issues.add(str(file), name, f"holds {column.type}, not numbers")
        elif column.null_count:
            issues.add(str(file), name, f"has {column.null_count} empty cells", hint="fill the gaps")
        else:
            values[:, k] = column.to_numpy()
            if not np.isfinite(values[:, k]).all():
                issues.add(str(file), name, "holds values that are not finite")
    if len(issues.issues) > before or time is None:
        return None
    return time, (values, np.array([place[name] for name in elements], np.int32))


def _times(file: Path, column: pa.ChunkedArray, issues: IssueList) -> Array | None:
    import pyarrow as pa

    try:
        if not column.null_count:
            stamps: Array = np.asarray(column.cast(pa.timestamp("s"), safe=False).to_numpy()).astype("datetime64[s]")
            return stamps
        what = f"has {column.null_count} empty cells"
    except pa.ArrowException as error:
        what = f"cannot be read as times ({str(error).splitlines()[0]})"
    issues.add(str(file), "time", what, hint="write 2016-01-18 00:15")
    return None
