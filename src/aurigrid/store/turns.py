"""A rolling plan's folder while it grows: each turn whole or not at all, and at the end the tables of one plan.

While it runs::

    plan.json                           status "running" or "interrupted"
    grid/
    turns/turn=00003/plan_steps.parquet and likewise the other tables, of the steps that this turn settles
    turns/turn=00003/standing.npz       what the next turn goes on from

At the end the turns' tables are joined into those of a plan's folder (`aurigrid.store.plan_tables`), and ``turns`` goes. After
Ctrl-C, a full disk or a power cut, the same call goes on behind the last whole turn.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.store.plan import write_plan_table
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.store.run import (
    PLAN_RECORD,
    RunInfo,
    StoreError,
    new_folder,
    now,
    package_versions,
    plain_data,
    read_info,
    require_same,
    write_json,
    write_table,
)
from aurigrid.store.schema import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_STANDING = "standing.npz"


class TurnWriter:
    """Writes the turns of one rolling plan; open it with `start_turns`.

    Attributes:
        path: the folder.
        info: its record.
    """

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        self.info = info

    @property
    def finished(self) -> int:
        """Number of turns that are whole, counted from the first without a hole."""
        number = 0
        while self._turn(number).is_dir():
            number += 1
        return number

    def _turn(self, number: int) -> Path:
        return self.path / "turns" / f"turn={number:05d}"

    def standing(self) -> dict[str, Any] | None:
        """What the last whole turn left for the next one; None before the first.

        Raises:
            InputError: it cannot be read.
        """
        number = self.finished
        if not number:
            return None
        file = self._turn(number - 1) / _STANDING
        try:
            with np.load(file, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except (OSError, ValueError) as error:
            raise InputError(Issue(str(file), "", f"cannot be read ({error})")) from error

    def write(self, number: int, tables: Mapping[str, Mapping[str, Any]], standing: Mapping[str, Any]) -> None:
        """Write one turn.

        Args:
            number: of the turn.
            tables: columns of tables of `PLAN_TABLES`, of the steps that the turn settles.
            standing: arrays by name.

        Raises:
            InputError: a table or column is unknown, missing or of the wrong type; nothing is written then.
            StoreError: the disk is full or the folder cannot be written; earlier turns are kept.
        """
        ready = {name: to_arrow(name, dict(columns)) for name, columns in tables.items()}
        with new_folder(self._turn(number), "turn's") as beside:
            for name, table in ready.items():
                write_table(beside / f"{name}.parquet", table)
            np.savez_compressed(beside / _STANDING, **dict(standing))
        # one step back is enough to go on from; older ones only take room
        if number:
            (self._turn(number - 1) / _STANDING).unlink(missing_ok=True)

    def joined(self) -> dict[str, pa.Table]:
        """The tables of all whole turns as those of one plan."""
        return {name: _joined(name, files) for name in PLAN_TABLES if (files := self._files(name))}

    def _files(self, name: str) -> list[Path]:
        found = [self._turn(number) / f"{name}.parquet" for number in range(self.finished)]
        return [file for file in found if file.exists()]

    def interrupt(self) -> None:
        """Record that the run stopped half-way."""
        self._record("interrupted", {})

    def finish(self, tables: Mapping[str, pa.Table], summary: Mapping[str, Any]) -> None:
        """Make the folder that of a plan.

        Raises:
            StoreError: the folder cannot be written; the turns are kept.
        """
        try:
            (self.path / "csv").mkdir(exist_ok=True)
            for name, table in tables.items():
                write_plan_table(self.path, name, table)
            self._record("finished", summary)
            shutil.rmtree(self.path / "turns")
        except OSError as error:
            raise StoreError(f"could not write the plan folder {self.path} ({error.strerror or error})") from error

    def _record(self, status: str, summary: Mapping[str, Any]) -> None:
        self.info = dataclasses.replace(self.info, status=status, summary=plain_data(summary))
        write_json(self.path / PLAN_RECORD, self.info.to_dict())


def start_turns(
    path: str | os.PathLike[str],
    *,
    grid: Mapping[str, Any],
    options: Mapping[str, Any],
    n_steps: int,
    save_grid: Callable[[Path], object],
) -> TurnWriter:
    """Create a rolling plan's folder, or open one to continue it.

    Args:
        path: the folder; absent, empty, or a rolling plan with the same grid digest, options and steps.
        grid: description of the network, with at least ``name`` and ``digest``.
        options: everything that changes results, as plain data.
        n_steps: steps of the whole plan.
        save_grid: called with the path of ``grid/`` to write the network.

    Raises:
        InputError: the folder is something else, or a rolling plan made otherwise; every difference is named.
        StoreError: the folder cannot be written.
    """
    folder = Path(path)
    wanted = RunInfo(plain_data(grid), plain_data(options), n_steps, now(), package_versions())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not folder.is_dir() or not (folder / PLAN_RECORD).is_file():
            hint = "name another folder; nothing was written"
            raise InputError(Issue(str(folder), "", "exists and is not a plan", hint=hint))
        found = read_info(folder)
        require_same(folder, found, wanted)
        for leftover in (folder / "turns").glob(".*.tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return TurnWriter(folder, found)
    with new_folder(folder, "plan") as beside:
        (beside / "turns").mkdir(parents=True)
        save_grid(beside / "grid")
        write_json(beside / PLAN_RECORD, wanted.to_dict())
    return TurnWriter(folder, wanted)


def _joined(name: str, files: list[Path]) -> pa.Table:
    """Rows of steps one behind the other; of tables of the whole horizon, figures of equal rows added up."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = pa.concat_tables([pq.read_table(file) for file in files]).unify_dictionaries()
    if "step" in parts.column_names:
        return parts
    floats = [f.name for f in parts.schema if pa.types.is_floating(f.type)]
    plain = parts.cast(
        pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in parts.schema])
    )
    keys = [name for name in plain.column_names if name not in floats]
    summed = plain.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in floats])
    columns = {key: summed.column(key) for key in keys} | {f: summed.column(f"{f}_sum") for f in floats}
    return pa.table({f.name: columns[f.name] for f in parts.schema}).cast(parts.schema)
