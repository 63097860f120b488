"""Run folders: writing step by step or chunk by chunk, resuming, and the record of how a run was made.

Every file is written beside its place and moved there when complete, so a file that exists is whole. A step is finished
when its row of ``steps`` exists, which is written last: after a full disk, a power cut or Ctrl-C the finished steps are
kept, and the same call continues behind them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.errors import AurigridError, InputError, Issue
from aurigrid.store.schema import CHUNK_TABLES, FORMAT_VERSION, STEP_TABLES, to_arrow
from aurigrid.store.whole import finished_steps, join_steps, step_file, write_options

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "aurigrid-run"
PLAN_RECORD = "plan.json"
"""Stands in place of ``run.json`` in the folder of a plan."""
_PACKAGES = ("aurigrid", "numpy", "numba", "pyarrow", "duckdb")


class StoreError(AurigridError, OSError):
    """Results could not be written: the disk is full, or the folder is gone or read-only."""


@dataclass(frozen=True)
class RunInfo:
    """The record of a run, the content of ``run.json``.

    Attributes:
        grid: name and digest of the network, and what else describes it.
        options: everything that changes results. A run resumes only where grid digest, options and `n_steps` agree.
        n_steps: steps of the whole run.
        created: when the run was started, UTC.
        versions: versions of the packages that made it.
        status: ``"running"``, ``"interrupted"`` or ``"finished"``.
        summary: figures of the finished run.
        chunk_steps: steps a file, in a run that is written chunk by chunk; 0 where each step has its own files.
    """

    grid: Mapping[str, Any]
    options: Mapping[str, Any]
    n_steps: int
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    status: str = "running"
    summary: Mapping[str, Any] = field(default_factory=dict)
    chunk_steps: int = 0

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are written as the run goes on, the mark of what is finished last."""
        return CHUNK_TABLES if self.chunk_steps else STEP_TABLES

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "status": self.status,
            "created": self.created,
            "versions": dict(self.versions),
            "grid": dict(self.grid),
            "n_steps": self.n_steps,
            "chunk_steps": self.chunk_steps,
            "options": dict(self.options),
            "summary": dict(self.summary),
        }


def chunk_file(table: str, chunk: int) -> str:
    """Path of a chunk's file inside a run folder."""
    return f"{table}/chunk={chunk:05d}.parquet"


def finished_chunks(path: Path) -> tuple[int, ...]:
    """Chunks of a run folder whose results are complete, ascending."""
    marks = path / CHUNK_TABLES[-1]
    return tuple(sorted(int(f.stem.partition("=")[2]) for f in marks.glob("chunk=*.parquet")))


def is_plan(path: Path) -> bool:
    """Whether the folder holds a plan, which is written at once, and no run."""
    return (path / PLAN_RECORD).is_file() and not (path / "run.json").is_file()


def read_info(path: Path) -> RunInfo:
    """Read ``run.json``, or ``plan.json`` of a plan.

    Raises:
        InputError: the folder is missing, is not a run, is damaged or was written by another format version.
    """
    file = path / (PLAN_RECORD if is_plan(path) else "run.json")
    if not path.is_dir():
        raise InputError(
            Issue(str(path), "", "there is no such run folder", hint="'aurigrid day --out FOLDER' writes one")
        )
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(Issue(str(path), "", "is not a run folder: it has no run.json")) from None
    except (OSError, ValueError) as error:
        raise InputError(Issue(str(file), "", f"cannot be read ({error})")) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(Issue(str(file), "format", f"is not '{FORMAT}'"))
    if data.get("format_version") != FORMAT_VERSION:
        found = data.get("format_version")
        hint = f"this version reads {FORMAT_VERSION}; make the run anew or use the version that wrote it"
        raise InputError(Issue(str(file), "format_version", f"is {found}", hint=hint))
    keys = ("grid", "options", "n_steps", "created", "versions", "status", "summary")
    missing = [key for key in keys if key not in data]
    if missing:
        raise InputError(Issue(str(file), ", ".join(missing), "is missing", hint="the file was changed by hand"))
    return RunInfo(**{key: data[key] for key in keys}, chunk_steps=int(data.get("chunk_steps", 0)))


class RunWriter:
    """Writes the steps of one run; open it with `start_run`."""

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        self.info = info

    @property
    def finished(self) -> tuple[int, ...]:
        """Steps (or chunks, in a run that is written by chunks) whose results are complete, ascending."""
        return finished_chunks(self.path) if self.info.chunk_steps else finished_steps(self.path, self.info.n_steps)

    def write_once(self, table: str, columns: Mapping[str, Any]) -> None:
        """Write a table of the whole run as one file; one that exists is replaced.

        Raises:
            InputError: a column is missing, unknown or of the wrong type.
            StoreError: the disk is full or the folder cannot be written.
        """
        ready = to_arrow(table, dict(columns))
        try:
            write_table(self.path / f"{table}.parquet", ready)
        except OSError as error:
            raise StoreError(f"could not write {table} to {self.path} ({error.strerror or error})") from error

    def write_chunk(self, chunk: int, tables: Mapping[str, dict[str, Any]]) -> None:
        """Write all tables of one chunk of steps; it counts as finished when the last one is in place.

        Args:
            chunk: number of the chunk.
            tables: by name, columns as in `aurigrid.store.schema`, ``step`` included; every one of `CHUNK_TABLES`.

        Raises:
            InputError: a table or column is missing, unknown or of the wrong type; nothing is written then.
            StoreError: the disk is full or the folder cannot be written; earlier chunks are kept.
        """
        absent = [name for name in CHUNK_TABLES if name not in tables]
        if absent:
            raise InputError(Issue("chunk", ", ".join(absent), "is missing", hint="give every table of a chunk"))
        ready = {name: to_arrow(name, tables[name]) for name in CHUNK_TABLES}
        try:
            for name, table in ready.items():
                write_table(self.path / chunk_file(name, chunk), table)
        except OSError as error:
            done = len(self.finished)
            raise StoreError(
                f"could not write chunk {chunk} to {self.path} ({error.strerror or error}); "
                f"{done} finished chunks are kept, and the same command continues behind them"
            ) from error

    def write_step(self, step: int, tables: Mapping[str, dict[str, Any] | pa.Table]) -> None:
        """Write all tables of one step; the step counts as finished when the last one is in place.

        Args:
            step: number of the step; it is filled into every table.
            tables: by name, columns as in `aurigrid.store.schema` without ``step``; every one of `STEP_TABLES`.

        Raises:
            InputError: a table or column is missing, unknown or of the wrong type; nothing is written then.
            StoreError: the disk is full or the folder cannot be written; earlier steps are kept.
        """
        absent = [name for name in STEP_TABLES if name not in tables]
        if absent:
            raise InputError(Issue("step", ", ".join(absent), "is missing", hint="give every table of a step"))
        ready = {}
        for name in STEP_TABLES:
            given = tables[name]
            columns = dict(given) if isinstance(given, Mapping) else {c: given.column(c) for c in given.column_names}
            ready[name] = to_arrow(name, {**columns, "step": step})
        try:
            for name, table in ready.items():
                write_table(self.path / step_file(name, step), table)
        except OSError as error:
            done = len(self.finished)
            raise StoreError(
                f"could not write step {step} to {self.path} ({error.strerror or error}); "
                f"{done} finished steps are kept, and the same command continues behind them"
            ) from error

    def close(self, status: str, summary: Mapping[str, Any] | None = None) -> RunInfo:
        """Record how the run ended; the files of the steps of a finished run are joined to one a table.

        Raises:
            StoreError: the disk is full or the folder cannot be written; every step is kept.
        """
        self.info = RunInfo(
            self.info.grid,
            self.info.options,
            self.info.n_steps,
            self.info.created,
            self.info.versions,
            status,
            dict(summary or {}),
            self.info.chunk_steps,
        )
        try:
            if status == "finished" and self.info.tables == STEP_TABLES:
                join_steps(self.path, self.info.n_steps)
            write_json(self.path / "run.json", self.info.to_dict())
        except OSError as error:
            raise StoreError(f"could not close {self.path} ({error.strerror or error}); every step is kept") from error
        return self.info


def start_run(
    path: str | os.PathLike[str],
    *,
    grid: Mapping[str, Any],
    options: Mapping[str, Any],
    n_steps: int,
    contingency_list: Mapping[str, Any],
    save_grid: Callable[[Path], object],
    chunk_steps: int = 0,
) -> RunWriter:
    """Create a run folder, or open one to continue it.

    Args:
        path: the folder; it must be absent, empty, or a run with the same grid digest, options and steps.
        grid: description of the network, with at least ``name`` and ``digest``.
        options: everything that changes results, as plain data.
        n_steps: steps of the whole run.
        contingency_list: columns of the table of that name.
        save_grid: called with the path of ``grid/`` to write the network.
        chunk_steps: steps a file where the run is written chunk by chunk; each step by itself where 0.

    Raises:
        InputError: the folder is something else, or a run made otherwise; every difference is named.
        StoreError: the folder cannot be written.
    """
    folder = Path(path)
    wanted = RunInfo(plain_data(grid), plain_data(options), n_steps, now(), package_versions(), chunk_steps=chunk_steps)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not folder.is_dir() or not (folder / "run.json").is_file():
            raise InputError(
                Issue(
                    str(folder), "", "exists and is not a run folder", hint="name another folder; nothing was written"
                )
            )
        found = read_info(folder)
        require_same(folder, found, wanted)
        _remove_leftovers(folder, found.tables)
        return RunWriter(folder, found)
    with new_folder(folder, "run") as beside:
        for name in wanted.tables:
            (beside / name).mkdir(parents=True)
        save_grid(beside / "grid")
        write_table(beside / "contingency_list.parquet", to_arrow("contingency_list", dict(contingency_list)))
        write_json(beside / "run.json", wanted.to_dict())
    return RunWriter(folder, wanted)


@contextmanager
def new_folder(folder: Path, what: str) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its place when all is written; nothing is left of it otherwise.

    Args:
        folder: where it is to appear; absent or empty.
        what: is written, for the message.

    Raises:
        StoreError: the folder cannot be written.
    """
    beside = folder.parent / f".{folder.name}.tmp-{os.getpid()}"
    try:
        beside.mkdir(parents=True)
        yield beside
        if folder.is_dir():
            folder.rmdir()
        os.replace(beside, folder)
    except OSError as error:
        raise StoreError(f"could not write the {what} folder {folder} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_table(file: Path, table: pa.Table) -> None:
    """Write a Parquet file (zstd) whole or not at all."""
    import pyarrow.parquet as pq

    beside = file.with_name(f".{file.name}.tmp-{os.getpid()}")
    try:
        pq.write_table(table, beside, **write_options(table.schema))
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def require_same(folder: Path, found: RunInfo, wanted: RunInfo) -> None:
    """Refuse to continue what was made otherwise.

    Raises:
        InputError: another grid, other options or steps; every difference is named.
    """
    issues = []
    if found.grid.get("digest") != wanted.grid.get("digest"):
        issues.append(Issue(str(folder), "grid", f"was made for another grid ({found.grid.get('name')})"))
    for key in sorted({*found.options, *wanted.options}):
        before, now = found.options.get(key), wanted.options.get(key)
        if before != now:
            issues.append(Issue(str(folder), f"options.{key}", f"was {_short(before)}, now {_short(now)}"))
    if found.chunk_steps != wanted.chunk_steps:
        issues.append(Issue(str(folder), "chunk_steps", f"was {found.chunk_steps}, now {wanted.chunk_steps}"))
    if found.n_steps != wanted.n_steps:
        issues.append(Issue(str(folder), "n_steps", f"was {found.n_steps}, now {wanted.n_steps}"))
    if issues:
        hint = Issue(
            str(folder), "", "cannot be continued", hint="name another folder or repeat the options of the first call"
        )
        raise InputError([*issues, hint])


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _remove_leftovers(folder: Path, tables: tuple[str, ...]) -> None:
    """Drop files that an interrupted writer left beside their place."""
    for name in ("", *tables):
        for leftover in (folder / name).glob(".*.tmp-*"):
            leftover.unlink(missing_ok=True)
    for name in tables:
        (folder / name).mkdir(exist_ok=True)


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    beside = file.with_name(f".{file.name}.tmp-{os.getpid()}")
    try:
        beside.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def plain_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same as it reads back from JSON, so that a record compares equal to its file."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(data)))
    return plain


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a source tree that is not installed
            found[name] = "unknown"
    return found
