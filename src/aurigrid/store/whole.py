"""One file a table for a run that is finished: the files of its steps joined, a row group a step.

While a run is computed each step has its own files, so that what is finished is safe. Afterwards they only slow down every
question: DuckDB opens each and reads its footer. Joined, a row group holds one step (of a long run a few) and carries the
smallest and largest step in its statistics, so that a question about one step reads one row group. Each joined file is
written beside its place and moved there when complete, and parts are removed only when all tables are joined; whatever
interrupts this, every step stays readable.
"""

from __future__ import annotations

import os
import shutil
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue
from aurigrid.store.schema import STEP_TABLES, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_GROUPS = 480
"""Row groups of a joined file; a footer with very many takes longer to read than the rows that it saves."""

_ONE_GROUP = ("steps",)
"""Tables with a row a step, which are read whole."""


def whole_file(table: str) -> str:
    """Path of a joined table inside a run folder."""
    return f"{table}.parquet"


def step_file(table: str, step: int) -> str:
    """Path of a step's file inside a run folder."""
    return f"{table}/step={step:04d}.parquet"


def finished_steps(path: Path, n_steps: int) -> tuple[int, ...]:
    """Steps of a run folder whose results are complete, ascending; of a run that is written step by step."""
    if (path / whole_file(STEP_TABLES[-1])).exists():
        return tuple(range(n_steps))
    marks = path / STEP_TABLES[-1]
    return tuple(sorted(int(f.stem.partition("=")[2]) for f in marks.glob("step=*.parquet")))


def join_steps(path: Path, n_steps: int) -> None:
    """Join the files of a run all of whose steps are finished; nothing where that has been done, or there is none."""
    if not n_steps or len(finished_steps(path, n_steps)) < n_steps:
        return

    def join(name: str) -> None:
        each = n_steps if name in _ONE_GROUP else -(-n_steps // _MOST_GROUPS)
        if not (path / whole_file(name)).exists():
            parts = [path / step_file(name, step) for step in range(n_steps)]
            _write(path / whole_file(name), arrow_schema(name), [parts[i : i + each] for i in range(0, n_steps, each)])

    *others, mark = STEP_TABLES
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(join, others))
    join(mark)  # the last one: from here on the run is read from joined files
    for name in STEP_TABLES:
        shutil.rmtree(path / name, ignore_errors=True)


def write_options(schema: pa.Schema) -> dict[str, Any]:
    """How tables are written: zstd, and dictionaries for all columns but real numbers that hardly repeat."""
    floats = [f.name for f in schema if str(f.type) in ("float", "double")]
    dictionary = [f.name for f in schema if f.name not in floats or f.name in ("limit", "base_value")]
    return {"compression": "zstd", "compression_level": 5, "use_dictionary": dictionary}


def _write(file: Path, schema: pa.Schema, groups: list[list[Path]]) -> None:
    import pyarrow.parquet as pq

    beside = file.with_name(f".{file.name}.tmp-{os.getpid()}")
    try:
        with pq.ParquetWriter(beside, schema, **write_options(schema)) as writer:
            for parts in groups:
                writer.write_table(read(parts, schema), row_group_size=1 << 30)
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def read(files: list[Path], schema: pa.Schema, steps: tuple[int, ...] | None = None) -> pa.Table:
    """Rows of some files, of all steps or of those given; without pandas, which Arrow's datasets would load first.

    A column that a file lacks is null, one that the schema does not know is left out.

    Raises:
        InputError: a damaged file.
        FileNotFoundError: a file is gone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not files:
        return schema.empty_table()
    tables = []
    for file in files:
        try:
            with pq.ParquetFile(file) as stored:
                groups = range(stored.num_row_groups) if steps is None else _groups_with(stored, steps)
                tables.append(_fitted(stored.read_row_groups(list(groups)), schema))
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise InputError(Issue(str(file), "", f"cannot be read ({error})")) from error
    found = pa.concat_tables(tables)
    return found if steps is None else _only(found, steps)


def _groups_with(stored: Any, steps: tuple[int, ...]) -> list[int]:
    """Row groups that may hold some of the steps."""
    at = stored.schema_arrow.get_field_index("step")
    ranges = [stored.metadata.row_group(i).column(at).statistics for i in range(stored.num_row_groups)]
    wanted = sorted(steps)

    def held(low: int, high: int) -> bool:
        return bisect_left(wanted, low) < bisect_right(wanted, high)

    return [i for i, s in enumerate(ranges) if s is None or not s.has_min_max or held(s.min, s.max)]


def _only(table: pa.Table, steps: tuple[int, ...]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    from aurigrid.store.arrays import numbers

    keep = np.isin(numbers(table.column("step")), steps)
    if keep.all():
        return table
    bits = pa.py_buffer(np.packbits(keep, bitorder="little"))
    return table.filter(pa.Array.from_buffers(pa.bool_(), len(keep), [None, bits]))


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    if table.schema.equals(schema):
        return table
    n, names = len(table), table.column_names
    columns = [table.column(f.name).cast(f.type) if f.name in names else pa.nulls(n, f.type) for f in schema]
    return pa.table(columns, schema=schema)
