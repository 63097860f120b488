"""Reading a run: whole tables as Arrow, or SQL through DuckDB, read-only and without access to any file.

A query sees the run's tables (`aurigrid.store.schema`) and the grid's own (``bus``, ``branch``, ..., with a column
``position`` that the results refer to). How it is kept from seeing more: `aurigrid.store.database`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue
from aurigrid.store.database import Database
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.store.run import RunInfo, chunk_file, finished_chunks, is_plan, read_info
from aurigrid.store.schema import CHUNK_TABLES, DERIVED_TABLES, STEP_TABLES, TABLES, arrow_schema
from aurigrid.store.whole import finished_steps, read, step_file, whole_file

if TYPE_CHECKING:
    import pyarrow as pa

_OPTIONAL = (*DERIVED_TABLES, *CHUNK_TABLES, *STEP_TABLES, *PLAN_TABLES)
"""Tables that some run does without."""


@dataclass(frozen=True)
class Run:
    """A run folder, opened for reading.

    Attributes:
        path: the folder.
        info: how the run was made.
        steps: the finished steps, ascending; unfinished ones are not shown.
    """

    path: Path
    info: RunInfo
    steps: tuple[int, ...]

    @property
    def finished(self) -> bool:
        """Whether every step of the run is there."""
        return len(self.steps) == self.info.n_steps

    def table(self, name: str, steps: tuple[int, ...] | None = None) -> pa.Table:
        """A table of `aurigrid.store.schema` as Arrow, of all finished steps or of some.

        Raises:
            InputError: unknown table, or damaged files.
        """
        import pyarrow as pa

        if name not in TABLES:
            raise InputError(Issue("run", name, "is not a table of a run", hint=f"tables are {', '.join(TABLES)}"))
        try:
            return self._source(name, steps)
        except (pa.ArrowException, OSError) as error:
            raise InputError(Issue(str(self.path), name, f"cannot be read ({error})")) from error

    def sql(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> pa.Table:
        """Answer one SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE statement.

        Args:
            query: the statement, in DuckDB's SQL; values as ``$name``.
            parameters: the values.
            timeout_s: seconds after which the query is stopped; none where absent.

        Returns:
            The answer as an Arrow table.

        Raises:
            InputError: several statements, one that does more than read, an unknown table or column, a syntax error,
                or one that took longer than `timeout_s`.
        """
        return self._database.ask(query, parameters, timeout_s)

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """Everything that a query may name."""
        return (*(name for name in TABLES if name not in self._absent), *self._grid_files)

    @cached_property
    def _absent(self) -> set[str]:
        """Tables of other kinds of run that this one does not have."""
        if is_plan(self.path):
            return {name for name in TABLES if not self._parts(name)}
        others = (*(STEP_TABLES if self.info.chunk_steps else CHUNK_TABLES), *PLAN_TABLES)
        return {name for name in others if not self._parts(name)}

    @cached_property
    def _grid_files(self) -> dict[str, Path]:
        return {f.stem: f for f in sorted((self.path / "grid").glob("*.parquet")) if f.stem not in TABLES}

    def _source(self, name: str, steps: tuple[int, ...] | None = None) -> pa.Table:
        parts = self._parts(name, steps)
        try:
            return read(parts, arrow_schema(name), self._chosen(name, parts, steps))
        except FileNotFoundError:  # the run has been finished just now, and its files were joined
            parts = self._parts(name, steps)
            return read(parts, arrow_schema(name), self._chosen(name, parts, steps))

    def _chosen(self, name: str, parts: list[Path], steps: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """The steps to pick from files that hold others too; None where every row is meant."""
        if name in CHUNK_TABLES:
            return steps
        if name in STEP_TABLES and [p.name for p in parts] == [whole_file(name)]:
            return self.steps if steps is None and not self.finished else steps
        return None

    def _parts(self, name: str, steps: tuple[int, ...] | None = None) -> list[Path]:
        """The files of a table, of all finished steps or of those that hold some; none where the run has no such table."""
        if name not in self.info.tables or is_plan(self.path):
            file = self.path / f"{name}.parquet"
            turns = sorted(self.path.glob(f"turns/turn=*/{name}.parquet"))
            if turns and not file.exists():  # a rolling plan that is not finished
                return turns
            return [file] if file.exists() or (name not in _OPTIONAL and not is_plan(self.path)) else []
        if name in STEP_TABLES and (self.path / whole_file(name)).exists():
            return [self.path / whole_file(name)]
        chosen = self.steps if steps is None else [s for s in steps if s in self.steps]
        if size := self.info.chunk_steps:
            return [self.path / chunk_file(name, chunk) for chunk in sorted({step // size for step in chosen})]
        return [self.path / step_file(name, step) for step in chosen]

    def steps_where(self, condition: str) -> tuple[int, ...]:
        """The finished steps that satisfy a condition, ascending.

        Args:
            condition: what may stand behind WHERE, over the columns of ``steps`` and ``branches_out`` of ``features``;
                other tables in subqueries. For example ``dayofweek(time) BETWEEN 1 AND 5``.

        Raises:
            InputError: not one condition, an unknown name, or a syntax error.
        """
        source = "steps LEFT JOIN (SELECT step, branches_out FROM features) USING (step)"
        query = f"SELECT step FROM {source} WHERE (\n{condition}\n)"
        if not condition.strip() or not self._database.is_plain_select(query):
            hint = 'give what may stand behind WHERE, such as "load_mw > 30000 AND hour(time) < 6"'
            raise InputError(Issue("where", "", "is not one condition", hint=hint))
        return tuple(sorted(self.sql(query).column("step").to_pylist()))

    def release(self) -> None:
        """Close the database behind `sql`, for those who hold very many runs; the next query opens another."""
        database: Database | None = self.__dict__.pop("_database", None)
        if database is not None:
            database.close()

    @cached_property
    def _database(self) -> Database:
        files = [file for name in (*self._grid_files, *TABLES) for file in self._files(name)]
        files += [f"{self.path.resolve()}/{name}.parquet" for name in (*DERIVED_TABLES, *STEP_TABLES)]
        names, positioned = self.table_names, frozenset(self._grid_files)
        return Database(str(self.path), names, positioned, files, self._files, self._with_position)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_database"}

    def _with_position(self, name: str) -> Any:
        """A table in memory, those of the grid with a column ``position``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if name not in self._grid_files:
            return self._source(name)
        table = pq.read_table(self._grid_files[name])
        return table.add_column(0, "position", pa.array(range(len(table)), type=pa.int32()))

    def _files(self, name: str) -> list[str]:
        folder = str(self.path.resolve())
        if name in self._grid_files:
            return [f"{folder}/grid/{name}.parquet"]
        return [f"{folder}/{part.relative_to(self.path)}" for part in self._parts(name)]


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder for reading.

    Raises:
        InputError: the folder is missing, is not a run, or was written by another format version.
    """
    folder = Path(path)
    info = read_info(folder)
    if is_plan(folder):
        return Run(folder, info, tuple(range(_settled(folder, info.n_steps))))
    size = info.chunk_steps
    if not size:
        return Run(folder, info, finished_steps(folder, info.n_steps))
    steps = (step for c in finished_chunks(folder) for step in range(c * size, min((c + 1) * size, info.n_steps)))
    return Run(folder, info, tuple(steps))


def _settled(folder: Path, n_steps: int) -> int:
    """Steps of a plan that are there: of a rolling one that still grows, those of its whole turns."""
    turns = sorted(folder.glob("turns/turn=*/plan_steps.parquet"))
    if (folder / "plan_steps.parquet").exists() or not turns:
        return 0 if (folder / "turns").is_dir() and not turns else n_steps
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return min(n_steps, sum(int(pq.read_metadata(file).num_rows) for file in turns))
    except (pa.ArrowException, OSError) as error:
        raise InputError(Issue(str(folder), "turns", f"cannot be read ({error})")) from error
