"""Aurigrid's own format: a folder with one Parquet file a table, lossless to the last bit.

Layout::

    grid.json                      format version, name, base, frequency, digest, rows of each table, profiles
    bus.parquet, branch.parquet    one file for each table that has rows, columns as in `aurigrid.model.tables`
    profiles/time.parquet          the time axis, where there are profiles
    profiles/load.p_mw.parquet     one file a series: one row a step, its values as a list in the order of the elements

Ids that are whole numbers are int64. A column of ids that mixes numbers and texts is stored as text, with a column
``id__is_int`` beside it that tells which were numbers.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Key, Profiles
from aurigrid.model.table import Array, Table, read_only

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "aurigrid-grid"
VERSION = 1
HEAD = "grid.json"

_IS_INT = "__is_int"
_ROWS_A_GROUP = 96
_SCALARS = ("base_mva", "frequency_hz")
_DAMAGED = "take it from a copy, or convert the grid again from its source"


def save(net: Network, folder: str | Path, profiles: Profiles | None = None) -> Path:
    """Write a network, and its profiles, as a folder; an Aurigrid folder of that name is replaced.

    The folder appears complete or not at all. Profiles are written window by window; values that were filled are
    written as values.

    Returns:
        The folder.

    Raises:
        InputError: the name belongs to something that is not an Aurigrid folder, an id is neither number nor text, or
            a series does not fit the network or has gaps.
        OSError: the disk is full or not writable; nothing is left behind then.
    """
    target = Path(folder)
    _require_replaceable(target)
    if profiles is not None:
        profiles.require_fits(net)
    issues = IssueList()
    written = {name: _to_arrow(name, table, issues) for name, table in net.tables() if len(table)}
    issues.raise_if_any()
    with _appearing(target) as here:
        for name, table in written.items():
            _write(table, here / f"{name}.parquet")
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": net.name}
        head |= {name: float(getattr(net, name)) for name in _SCALARS}
        head["rows"] = {name: len(table) for name, table in net.tables()}
        head["profiles"] = None if profiles is None else _save_profiles(profiles, here / "profiles")
        head["digest"] = _digest_as_read(net, written, head)
        (here / HEAD).write_text(json.dumps(head, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def _digest_as_read(net: Network, written: dict[str, pa.Table], head: dict[str, Any]) -> str:
    """The digest that a reader will find: ids and scalars come back as plain str, int and float."""
    plain = all(type(getattr(net, name)) is float for name in _SCALARS) and all(
        values.dtype != object or set(map(type, values.tolist())) <= {str, int}
        for _, table in net.tables()
        for _, values in table.items()
    )
    if plain:
        return net.digest
    return _network({name: _from_arrow(name, table) for name, table in written.items()}, head).digest


def load_folder(folder: str | Path) -> tuple[Network, Profiles | None]:
    """Read what `save` wrote. Tables are read and compared with their digest, profiles are read when asked for.

    Raises:
        InputError: not such a folder, a missing, damaged or changed file, or a version that this release cannot read.
    """
    here = Path(folder)
    head = _read_head(here)
    issues = IssueList()
    tables = {}
    for name, rows in head["rows"].items():
        if rows:
            path = here / f"{name}.parquet"
            with _faults_of(path, issues):
                tables[name] = _from_arrow(name, _read(path))
    profiles = None
    if head["profiles"] is not None:
        with _faults_of(here / "profiles", issues):
            profiles = _load_profiles(here / "profiles", head["profiles"])
    issues.raise_if_any()
    net = _network(tables, head)
    if net.digest != head["digest"] or any(len(t) != head["rows"].get(name, 0) for name, t in net.tables()):
        what = "the tables are not the ones that were saved: their digest differs"
        raise InputError(Issue(str(here), "", what, hint="a file was changed or replaced; " + _DAMAGED))
    return net, profiles


def _network(tables: dict[str, Table], head: dict[str, Any]) -> Network:
    return Network(**tables, name=head["name"], **{name: head[name] for name in _SCALARS})  # type: ignore[arg-type]


def _read_head(here: Path) -> dict[str, Any]:
    path = here / HEAD
    if not path.is_file():
        hint = "an Aurigrid folder holds a file grid.json"
        raise InputError(
            Issue(str(here), "", "is not an Aurigrid folder" if here.is_dir() else "no such folder", hint=hint)
        )
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError(f"the format is not {FORMAT}")
    except (ValueError, OSError) as error:
        raise InputError(Issue(str(path), "", f"cannot be read: {error}", hint=_DAMAGED)) from error
    if head.get("version") != VERSION:
        what = f"has format version {head.get('version')}, this release reads version {VERSION}"
        raise InputError(
            Issue(str(path), "version", what, hint="read it with the release that wrote it, or a newer one")
        )
    kinds = {"name": str, "rows": dict, "digest": str, **dict.fromkeys(_SCALARS, (int, float))}
    known = Network.table_types()
    wrong = [key for key, kind in kinds.items() if not isinstance(head.get(key), kind)]  # type: ignore[arg-type]
    wrong += ["profiles"] if not isinstance(head.get("profiles", 0), (dict, type(None))) else []
    wrong += [f"rows.{name}" for name in ([] if "rows" in wrong else head["rows"]) if name not in known]
    if wrong:
        raise InputError([Issue(str(path), key, "is missing or not as saved", hint=_DAMAGED) for key in wrong])
    return head


@contextmanager
def _faults_of(path: Path, issues: IssueList) -> Iterator[None]:
    """Turn what reading a file may raise into an issue that names the file."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        issues.add(str(path), "", "file is missing", hint=_DAMAGED)
    except InputError as error:
        issues.issues.extend(Issue(str(path), i.field, i.message, i.ids, i.hint or _DAMAGED) for i in error.issues)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        issues.add(
            str(path), "", f"cannot be read ({str(error).splitlines()[0] if str(error) else error!r})", hint=_DAMAGED
        )


def _require_replaceable(target: Path) -> None:
    if target.is_file() or (target.is_dir() and any(target.iterdir()) and not (target / HEAD).is_file()):
        hint = "choose another name; nothing was written"
        raise InputError(Issue(str(target), "", "exists and is not an Aurigrid folder", hint=hint))


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A new folder beside `target` that takes its name when all is written, and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    here = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        # mkdtemp gives access to the owner alone; the folder gets what any new folder here would have.
        mask = os.umask(0)
        os.umask(mask)
        here.chmod(0o777 & ~mask)
        yield here
        if target.exists():
            # A folder with content cannot be replaced in one step: the old one moves aside, and back on failure.
            aside = here.with_name(here.name + ".old")
            target.rename(aside)
            try:
                here.rename(target)
            except OSError:
                aside.rename(target)
                raise
            shutil.rmtree(aside, ignore_errors=True)
        else:
            here.rename(target)
    except BaseException:
        shutil.rmtree(here, ignore_errors=True)
        raise


def _write(table: pa.Table, path: Path, rows_a_group: int | None = None) -> None:
    import pyarrow.parquet as pq

    # Statistics help queries by id or time; page checksums tell a damaged file from a good one.
    pq.write_table(table, path, compression="zstd", write_page_checksum=True, row_group_size=rows_a_group)


def _read(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read()


def _to_arrow(name: str, table: Table, issues: IssueList) -> pa.Table:
    """A table's columns as Arrow arrays; NaN stays NaN and is never a null."""
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for key, values in table.items():
        if values.dtype != object:
            columns[key] = _plain_array(values)
            continue
        raw = values.tolist()
        if set(map(type, raw)) != {str}:
            is_int = [isinstance(v, int) and not isinstance(v, bool) for v in raw]
            odd = [v for v, whole in zip(raw, is_int, strict=True) if not whole and not isinstance(v, str)]
            if odd:
                issues.add(name, key, "is neither a whole number nor a text", odd, "give ids of one of the two kinds")
                continue
            if any(is_int):
                columns[key + _IS_INT] = _plain_array(np.array(is_int, dtype=bool))
            raw = [str(v) for v in raw]
        try:
            columns[key] = _text_array(raw)
        except UnicodeEncodeError:
            lone = [ascii(v) for v in raw if any(0xD800 <= ord(c) <= 0xDFFF for c in v)]
            issues.add(name, key, "holds texts that are not valid Unicode", lone, "correct them in the source")
    return pa.table(columns)


def _plain_array(values: Array) -> pa.Array:
    """A NumPy column as an Arrow array over its own memory; `pa.array` would import pandas first, for a second."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    packed = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(packed)])


def _text_array(texts: list[str]) -> pa.Array:
    import pyarrow as pa

    coded = [text.encode() for text in texts]
    ends = np.zeros(len(coded) + 1, dtype=np.int32)
    np.cumsum([len(one) for one in coded], out=ends[1:])
    return pa.StringArray.from_buffers(len(coded), pa.py_buffer(ends), pa.py_buffer(b"".join(coded)))


def _plain_values(column: pa.ChunkedArray | pa.Array) -> Array:
    """The inverse of `_plain_array`: fixed-width values without nulls as NumPy, without pandas."""
    import pyarrow as pa

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    parts = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    return np.concatenate([np.zeros(0, dtype=_numpy_type(whole.type)), *map(_one_chunk, parts)])


def _numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    import pyarrow as pa

    if pa.types.is_nested(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        raise ValueError(f"type {kind} is not as saved")
    return np.dtype(np.int64 if pa.types.is_timestamp(kind) else kind.to_pandas_dtype())


def _one_chunk(part: pa.Array) -> Array:
    data, dtype = part.buffers()[1], _numpy_type(part.type)
    if data is None:
        return np.zeros(0, dtype=dtype)
    if dtype.kind == "b":
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=part.offset + len(part), bitorder="little")
        return bits[part.offset :].astype(bool)
    return np.frombuffer(data, dtype=dtype, count=part.offset + len(part))[part.offset :]


_DTYPES = {"float": ("float64",), "int": ("int32",), "bool": ("bool",), "str": ("object",), "id": ("int64", "object")}


def _from_arrow(name: str, read: pa.Table) -> Table:
    """The table of that name, its columns and types compared with those of this release."""
    kind = Network.table_types()[name]
    columns: dict[str, Array] = {}
    issues = IssueList()
    for spec in dataclasses.fields(kind):
        key = spec.name
        if key not in read.column_names:
            issues.add(name, key, "column is missing")
            continue
        column = read[key]
        if column.null_count:
            issues.add(name, key, f"has {column.null_count} empty cells")
            continue
        if str(column.type) == "string":
            values: list[Any] = column.to_pylist()
            if key + _IS_INT in read.column_names:
                whole = read[key + _IS_INT].to_pylist()
                values = [int(text) if is_int else text for text, is_int in zip(values, whole, strict=True)]
            array = np.empty(len(values), dtype=object)
            array[:] = values
        else:
            array = _plain_values(column)
        if array.dtype.name not in _DTYPES[spec.metadata["dtype"]]:
            issues.add(name, key, f"is of type {column.type}")
        columns[key] = read_only(array)
    issues.raise_if_any()
    return kind(**columns)


def _save_profiles(profiles: Profiles, here: Path) -> dict[str, Any]:
    """Write the time axis and each series; returns their entry in grid.json."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    here.mkdir()
    stamps = _plain_array(profiles.time.astype("datetime64[ms]").astype(np.int64)).view(pa.timestamp("ms"))
    _write(pa.table({"time": stamps}), here / "time.parquet")
    entry: dict[str, Any] = {"step_min": profiles.step_min, "zone": profiles.zone, "n_steps": len(profiles)}
    entry["series"] = []
    for (table, column), series in profiles.series.items():
        k = len(series.position)
        schema = pa.schema([("values", pa.list_(pa.float64(), k))])
        file_name = f"{table}.{column}.parquet"
        with pq.ParquetWriter(here / file_name, schema, compression="zstd", write_page_checksum=True) as writer:
            for first in range(0, len(profiles), _ROWS_A_GROUP):
                part = series.read(first, min(first + _ROWS_A_GROUP, len(profiles)))
                flat = _plain_array(part.ravel())
                rows = pa.FixedSizeListArray.from_arrays(flat, k) if k else pa.array([[]] * len(part), schema.types[0])
                writer.write_table(pa.table({"values": rows}, schema=schema))
        entry["series"].append({"table": table, "column": column, "position": series.position.tolist()})
    return entry


def _load_profiles(here: Path, entry: dict[str, Any]) -> Profiles:
    """The profiles with their values left on disk."""
    import pyarrow.parquet as pq

    time = _plain_values(_read(here / "time.parquet")["time"]).astype("datetime64[ms]").astype("datetime64[s]")
    n = int(entry["n_steps"])
    if len(time) != n:
        raise ValueError(f"the time axis has {len(time)} steps, not {n}")
    series: dict[Key, Any] = {}
    for one in entry["series"]:
        path = here / f"{one['table']}.{one['column']}.parquet"
        rows = pq.read_metadata(path).num_rows
        if rows != n:
            raise ValueError(f"{path.name} has {rows} steps, not {n}")
        position = np.array(one["position"], dtype=np.int32)
        series[one["table"], one["column"]] = (_Stored(path, len(position)), position)
    return Profiles(time, series, step_min=entry["step_min"], zone=entry["zone"])


class _Stored:
    """Reads rows of a series from its file; the row groups last read are kept, as days are read in order."""

    def __init__(self, path: Path, width: int) -> None:
        self.path, self.width = path, width
        self._group = -1
        self._rows: Array = np.zeros((0, width))

    def __call__(self, start: int, stop: int) -> Array:
        issues = IssueList()
        out = np.empty((stop - start, self.width))
        with _faults_of(self.path, issues):
            first, last = start // _ROWS_A_GROUP, max(start, stop - 1) // _ROWS_A_GROUP
            for group in range(first, last + 1 if stop > start else first):
                begin = group * _ROWS_A_GROUP
                a, b = max(start, begin), min(stop, begin + _ROWS_A_GROUP)
                out[a - start : b - start] = self._read_group(group)[a - begin : b - begin]
        issues.raise_if_any()
        return out

    def _read_group(self, group: int) -> Array:
        import pyarrow.parquet as pq

        if group != self._group:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                column = file.read_row_group(group)["values"].combine_chunks()
            flat = _plain_values(column.flatten())
            self._rows, self._group = read_only(flat.reshape(len(column), self.width)), group
        return self._rows
