"""The DuckDB that answers questions about one run: read-only, without access to any file but the run's, locked.

A query passes three gates: its parse tree may name tables and no function that reads something else; the database that
answers is empty but for views of the run's tables; and DuckDB's access to anything but the files of these views is switched
off, and its configuration locked, before the first query runs.

The database lives as long as its `Run`, because opening one takes longer than most questions. Each query has a cursor of its
own, so that several threads may ask at once. Footers of files are read once and again when a file has changed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue

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
_PATTERN = re.compile(r"[*?\[]")
"""Signs that DuckDB would take for a pattern of file names."""


class Database:
    """Views of tables, behind the gates of the module.

    Args:
        where: the run folder, for messages.
        names: the tables that may be asked for.
        positioned: those of them that get a column ``position``, the number of the row.
        may_open: every file that may ever be read.
        files: from the name of a table to its files now; none where it is empty.
        in_memory: from the name of a table to its content, for tables without files or in folders with odd names.
    """

    def __init__(
        self,
        where: str,
        names: tuple[str, ...],
        positioned: frozenset[str],
        may_open: list[str],
        files: Callable[[str], list[str]],
        in_memory: Callable[[str], Any],
    ) -> None:
        import duckdb

        self.where, self.names = where, names
        self._positioned, self._files, self._in_memory = positioned, files, in_memory
        self._viewed: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._connection = duckdb.connect(":memory:", config=dict(_CONFIG))
        self._connection.execute(f"SET allowed_paths = {_sql_list(may_open)}")
        self._connection.execute("SET parquet_metadata_cache = true")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def ask(self, query: str, parameters: Mapping[str, Any] | None, timeout_s: float | None) -> pa.Table:
        """Answer one reading statement; arguments and errors as in `aurigrid.store.query.Run.sql`."""
        import duckdb

        with self._connection.cursor() as cursor:
            self._give(cursor, self._named(cursor, query))
            clock = threading.Timer(timeout_s, cursor.interrupt) if timeout_s is not None else None
            if clock is not None:
                clock.start()
            try:
                found = cursor.sql(query, params=dict(parameters) if parameters else None)
                return found.to_arrow_table()
            except duckdb.InterruptException:
                hint = "ask for fewer steps or tables"
                what = f"took longer than {timeout_s:g} s and was stopped"
                raise InputError(Issue("sql", "", what, hint=hint)) from None
            except duckdb.Error as error:
                raise self._refused(error) from error
            finally:
                if clock is not None:
                    clock.cancel()
                    clock.join()  # it must not interrupt a cursor that is closed

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def is_plain_select(self, query: str) -> bool:
        """Whether a query is one SELECT with a condition and nothing around or behind it; true where it cannot be parsed."""
        with self._connection.cursor() as cursor:
            tree = _parsed(cursor, query)
        if tree.get("error"):
            return True  # the query itself will say what is wrong with it
        nodes = [statement["node"] for statement in tree["statements"]]
        if len(nodes) != 1 or nodes[0]["type"] != "SELECT_NODE":
            return False
        return not nodes[0]["modifiers"] and not nodes[0]["group_sets"]

    def _named(self, cursor: duckdb.DuckDBPyConnection, query: str) -> set[str]:
        """The tables that a query names, after checking by its parse tree that it only reads them."""
        import duckdb

        try:
            statements = cursor.extract_statements(query)
            if len(statements) != 1:
                raise InputError(Issue("sql", "", f"holds {len(statements)} statements", hint="give exactly one"))
            if statements[0].type != duckdb.StatementType.SELECT:
                word = statements[0].type.name
                hint = "use SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE"
                raise InputError(Issue("sql", "", f"{word} is not allowed: a run is read-only", hint=hint))
            tree = _parsed(cursor, query)
        except duckdb.Error as error:
            raise self._refused(error) from error
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

    def _give(self, cursor: duckdb.DuckDBPyConnection, named: set[str]) -> None:
        """Make sure that there is a view of each table named, of all where a query lists them."""
        import duckdb

        wanted = [name for name in self.names if name in named]
        try:
            for name in wanted or self.names:
                files = self._files(name)
                if not files or _PATTERN.search(files[0]):
                    cursor.register(name, self._in_memory(name))
                    continue
                with self._lock:
                    if self._viewed.get(name) != files:
                        self._connection.execute(_view(name, files, name in self._positioned))
                        self._viewed[name] = files
        except duckdb.Error as error:
            raise InputError(Issue(self.where, "", f"cannot be read ({error})")) from error

    def _refused(self, error: Exception) -> InputError:
        import duckdb

        message = str(error).strip()
        if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)) and self.where in message:
            return InputError(Issue(self.where, "", f"cannot be read ({message})"))
        hint = f"tables are {', '.join(self.names)}" if "does not exist" in message else ""
        return InputError(Issue("sql", "", message, hint=hint))


def _parsed(cursor: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(cursor.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
    return tree


def _view(name: str, files: list[str], with_position: bool) -> str:
    columns = "file_row_number::INT AS position, * EXCLUDE (file_row_number)" if with_position else "*"
    options = f"hive_partitioning = false, file_row_number = {str(with_position).lower()}"
    return f'CREATE OR REPLACE VIEW "{name}" AS SELECT {columns} FROM read_parquet({_sql_list(files)}, {options})'


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
