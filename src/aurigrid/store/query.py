"""Reading a run: whole tables as Arrow, or SQL through DuckDB, read-only and without access to any file.

A query sees the run's tables (`aurigrid.store.schema`) and the grid's own (``bus``, ``branch``, ..., with a column
``position`` that the results refer to). It passes three gates: its parse tree may name those tables and no function
that reads something else; the database that answers is empty but for views of them; and DuckDB's access to anything but
the files of these views is switched off, and its configuration locked, before the query runs.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue
from aurigrid.store.run import RunInfo, finished_steps, read_info, step_file
from aurigrid.store.schema import DERIVED_TABLES, STEP_TABLES, TABLES, arrow_schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_TABLE_FUNCTIONS = ("range", "generate_series", "unnest", "repeat")


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
            return self._source(name, steps).to_table()
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
        import duckdb

        connection = duckdb.connect(":memory:", config=dict(_CONFIG))
        try:
            self._give(connection, self._named(connection, query))
        except BaseException:
            connection.close()
            raise
        clock = threading.Timer(timeout_s, connection.interrupt) if timeout_s is not None else None
        if clock is not None:
            clock.start()
        try:
            found = connection.sql(query, params=dict(parameters) if parameters else None)
            return found.to_arrow_table()
        except duckdb.InterruptException:
            hint = "ask for fewer steps or tables"
            raise InputError(Issue("sql", "", f"took longer than {timeout_s:g} s and was stopped", hint=hint)) from None
        except duckdb.Error as error:
            raise self._refused(error) from error
        finally:
            if clock is not None:
                clock.cancel()
                clock.join()  # it must not interrupt a connection that is closed
            connection.close()

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """Everything that a query may name."""
        return (*TABLES, *self._grid_files)

    @cached_property
    def _grid_files(self) -> dict[str, Path]:
        return {f.stem: f for f in sorted((self.path / "grid").glob("*.parquet")) if f.stem not in TABLES}

    def _source(self, name: str, steps: tuple[int, ...] | None = None) -> Any:
        import pyarrow.dataset as ds

        if name in DERIVED_TABLES and not (self.path / f"{name}.parquet").exists():
            return ds.dataset(arrow_schema(name).empty_table())
        if name not in STEP_TABLES:
            return ds.dataset(self.path / f"{name}.parquet", schema=arrow_schema(name))
        chosen = self.steps if steps is None else [s for s in steps if s in self.steps]
        files = [str(self.path / step_file(name, step)) for step in chosen]
        return ds.dataset(files, schema=arrow_schema(name), format="parquet")

    def _named(self, connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
        """The tables that a query names, after checking by its parse tree that it only reads them."""
        import duckdb

        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1:
                raise InputError(Issue("sql", "", f"holds {len(statements)} statements", hint="give exactly one"))
            if statements[0].type != duckdb.StatementType.SELECT:
                word = statements[0].type.name
                hint = "use SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE"
                raise InputError(Issue("sql", "", f"{word} is not allowed: a run is read-only", hint=hint))
            row = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0]
        except duckdb.Error as error:
            raise self._refused(error) from error
        tree = json.loads(row[0])
        if tree.get("error"):
            raise InputError(
                Issue("sql", "", f"cannot be checked ({tree.get('error_message')})", hint="use plain SELECT")
            )
        issues = []
        named = set()
        for node in _nodes(tree):
            if node.get("type") == "TABLE_FUNCTION":
                function = str(node.get("function", {}).get("function_name", ""))
                if function not in _TABLE_FUNCTIONS:
                    hint = "query the run's tables; SHOW TABLES lists them"
                    issues.append(Issue("sql", "", f"the function {function}() is not allowed", hint=hint))
            elif node.get("type") == "BASE_TABLE":
                table = str(node.get("table_name", ""))
                named.add(table.lower())
                if not re.fullmatch(r"\w+", table):
                    issues.append(Issue("sql", "", f"'{table}' is not a table", hint="a query cannot open files"))
        if issues:
            raise InputError(issues)
        return named

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
        if not condition.strip() or not _is_plain_select(query):
            hint = 'give what may stand behind WHERE, such as "load_mw > 30000 AND hour(time) < 6"'
            raise InputError(Issue("where", "", "is not one condition", hint=hint))
        return tuple(sorted(self.sql(query).column("step").to_pylist()))

    def _refused(self, error: Exception) -> InputError:
        import duckdb

        message = str(error).strip()
        if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)) and str(self.path) in message:
            return InputError(Issue(str(self.path), "", f"cannot be read ({message})"))
        hint = f"tables are {', '.join(self.table_names)}" if "does not exist" in message else ""
        return InputError(Issue("sql", "", message, hint=hint))

    def _give(self, connection: duckdb.DuckDBPyConnection, named: set[str]) -> None:
        """Create a view of each table named (of all where a query lists them) and close every other way out."""
        import duckdb

        wanted = [name for name in self.table_names if name in named]
        wanted = wanted or list(self.table_names)
        files = {name: self._files(name) for name in wanted}
        try:
            allowed = [file for group in files.values() for file in group]
            connection.execute(f"SET allowed_paths = {_sql_list(allowed)}")
            for name, group in files.items():
                if not group:
                    connection.register(name, arrow_schema(name).empty_table())
                elif any(sign in group[0] for sign in "*?["):  # DuckDB would take these as a pattern
                    connection.register(name, self._with_position(name))
                else:
                    connection.execute(_view(name, group, name in self._grid_files))
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise InputError(Issue(str(self.path), "", f"cannot be read ({error})")) from error

    def _with_position(self, name: str) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if name not in self._grid_files:
            return self._source(name)
        table = pq.read_table(self._grid_files[name])
        return table.add_column(0, "position", pa.array(range(len(table)), type=pa.int32()))

    def _files(self, name: str) -> list[str]:
        if name in self._grid_files:
            files = [self._grid_files[name]]
        elif name in STEP_TABLES:
            files = [self.path / step_file(name, step) for step in self.steps]
        else:
            files = [self.path / f"{name}.parquet"]
            files = files if name not in DERIVED_TABLES or files[0].exists() else []
        return [str(file.resolve()) for file in files]


def _view(name: str, files: list[str], with_position: bool) -> str:
    columns = "file_row_number::INT AS position, * EXCLUDE (file_row_number)" if with_position else "*"
    options = f"hive_partitioning = false, file_row_number = {str(with_position).lower()}"
    return f'CREATE VIEW "{name}" AS SELECT {columns} FROM read_parquet({_sql_list(files)}, {options})'


def _is_plain_select(query: str) -> bool:
    """Whether a query is one SELECT with a condition and nothing around or behind it; true where it cannot be parsed."""
    import duckdb

    with duckdb.connect(":memory:", config=dict(_CONFIG)) as connection:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
    if tree.get("error"):
        return True  # the query itself will say what is wrong with it
    nodes = [statement["node"] for statement in tree["statements"]]
    return (
        len(nodes) == 1
        and nodes[0]["type"] == "SELECT_NODE"
        and not nodes[0]["modifiers"]
        and not nodes[0]["group_sets"]
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _sql_list(paths: list[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder for reading.

    Raises:
        InputError: the folder is missing, is not a run, or was written by another format version.
    """
    folder = Path(path)
    return Run(folder, read_info(folder), finished_steps(folder))
