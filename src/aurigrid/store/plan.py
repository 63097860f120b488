"""Plan folders: a whole plan written at once, as Parquet and CSV, so that a folder that exists is complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.store.run import (
    PLAN_RECORD,
    RunInfo,
    new_folder,
    now,
    package_versions,
    plain_data,
    write_json,
    write_table,
)
from aurigrid.store.schema import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa


def require_new(path: str | os.PathLike[str]) -> Path:
    """The folder, which must be absent or empty.

    Raises:
        InputError: it holds something, or is a file.
    """
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(Issue(str(folder), "", "exists already", hint="name another folder; nothing was written"))
    return folder


def write_plan(
    path: str | os.PathLike[str],
    tables: Mapping[str, Mapping[str, Any]],
    *,
    grid: Mapping[str, Any],
    options: Mapping[str, Any],
    n_steps: int,
    summary: Mapping[str, Any],
    save_grid: Callable[[Path], object],
) -> Path:
    """Write a plan folder.

    Args:
        path: the folder; it must be absent or empty.
        tables: columns of every table of `PLAN_TABLES` by name; a table may be left out where it would be empty.
        grid: description of the network, with at least ``name`` and ``digest``.
        options: what the plan was asked with, as plain data.
        n_steps: steps of the plan.
        summary: its main figures.
        save_grid: called with the path of ``grid/`` to write the network.

    Raises:
        InputError: the folder holds something, or a table or column is unknown, missing or of the wrong type.
        StoreError: the folder cannot be written; nothing of it is left.
    """
    folder = require_new(path)
    unknown = [Issue("plan", name, "is no table of a plan") for name in tables if name not in PLAN_TABLES]
    if unknown:
        raise InputError(unknown)
    ready = {name: to_arrow(name, dict(columns)) for name, columns in tables.items()}
    info = RunInfo(
        plain_data(grid), plain_data(options), n_steps, now(), package_versions(), "finished", plain_data(summary)
    )
    with new_folder(folder, "plan") as beside:
        (beside / "csv").mkdir()
        save_grid(beside / "grid")
        for name, table in ready.items():
            write_plan_table(beside, name, table)
        write_json(beside / PLAN_RECORD, info.to_dict())
    return folder


def write_plan_table(folder: Path, name: str, table: pa.Table) -> None:
    """Write one table as Parquet and, below ``csv``, as text."""
    import pyarrow as pa
    import pyarrow.csv

    write_table(folder / f"{name}.parquet", table)
    plain = [pa.string() if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    text = table.cast(pa.schema([(f.name, t) for f, t in zip(table.schema, plain, strict=True)]))
    pyarrow.csv.write_csv(text, folder / "csv" / f"{name}.csv")
