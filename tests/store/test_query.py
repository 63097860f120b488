"""SQL on a run: answers, and attempts to do anything but read the run."""

from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.store import open_run
from aurigrid.store.run import write_table
from aurigrid.store.schema import to_arrow

from .conftest import begin


def test_queries_join_results_with_the_grid(run_path: Path) -> None:
    run = open_run(run_path)
    worst = run.sql(
        "SELECT step, contingency_label AS c, element_id AS e FROM violations ORDER BY severity DESC LIMIT 1"
    )
    assert worst.to_pylist() == [{"step": 2, "c": "L1", "e": "L1"}]
    volts = run.sql(
        "SELECT b.id, s.v_mag * b.v_nom_kv AS kv FROM bus_state s JOIN bus b ON b.position = s.bus WHERE step = 0"
    )
    assert volts.to_pylist() == [{"id": "A", "kv": 380.0}, {"id": "B", "kv": None}]
    wind = run.sql("SELECT sum(gen_by_fuel_mw['wind']) AS wind FROM steps WHERE step >= $first", {"first": 1})
    assert wind.to_pylist() == [{"wind": 12.0}]


@pytest.mark.parametrize(
    "query",
    [
        "WITH v AS (SELECT * FROM violations) SELECT count(*) FROM v",
        "FROM steps SELECT time",
        "DESCRIBE violations",
        "SUMMARIZE steps",
        "SELECT * FROM range(3)",
        "SELECT unnest(elements) FROM contingency_list",
        "SELECT 1;",
        "-- a comment\nSELECT 1",
        "SELECT table_name FROM information_schema.tables",
    ],
)
def test_reading_statements_are_answered(run_path: Path, query: str) -> None:
    assert open_run(run_path).sql(query).num_rows > 0


def test_show_tables_lists_results_and_grid(run_path: Path) -> None:
    names = {row["name"] for row in open_run(run_path).sql("SHOW TABLES").to_pylist()}
    listed = {
        "bus",
        "bus_state",
        "branch_state",
        "gen_state",
        "violations",
        "contingencies",
        "contingency_list",
        "steps",
        "feature_list",
        "features",
    }
    assert names == listed


@pytest.mark.parametrize(
    "query",
    [
        "COPY violations TO '{out}'",
        "COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "CALL pragma_version()",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO f() AS 1",
        "INSERT INTO steps VALUES (1)",
        "DELETE FROM steps",
        "UPDATE steps SET step = 1",
        "DROP VIEW steps",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "WITH x AS (SELECT 1) INSERT INTO steps SELECT * FROM x",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY violations TO '{out}'",
        "",
        ";",
        "-- nothing",
    ],
)
def test_anything_but_one_reading_statement_is_refused(run_path: Path, tmp_path: Path, query: str) -> None:
    out = tmp_path / "out"
    run = open_run(run_path)
    for _ in range(2):  # as the first question to a run, and to a database that is open
        with pytest.raises(InputError):
            run.sql(query.format(out=out))
        assert run.sql("SELECT count(*) AS n FROM steps").to_pylist() == [{"n": 3}]
    assert not out.exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_blob('{secret}')",
        "SELECT * FROM read_json('{secret}')",
        "SELECT * FROM '{secret}'",
        'FROM "{secret}"',
        "SELECT * FROM glob('{folder}/*')",
        "SELECT (SELECT count(*) FROM read_text('{secret}'))",
        "WITH x AS (SELECT * FROM READ_TEXT('{secret}')) SELECT * FROM x",
        "SELECT 1 FROM steps, LATERAL (SELECT * FROM read_text('{secret}'))",
        "DESCRIBE SELECT * FROM read_csv('{secret}')",
        "SUMMARIZE SELECT * FROM read_text('{secret}')",
        "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
        "SELECT * FROM query_table('{secret}')",
        "SELECT * FROM read_parquet('{run}/steps.parquet')",
        "SELECT * FROM '{run}/steps.parquet'",
        "SELECT * FROM read_text('{run}/run.json')",
        "SELECT * FROM parquet_metadata('{run}/steps.parquet')",
        "SELECT * FROM sqlite_scan('{secret}', 'x')",
        "SELECT * FROM pragma_database_list()",
    ],
)
def test_a_query_reaches_no_file_not_even_of_the_run(run_path: Path, tmp_path: Path, query: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    run = open_run(run_path)
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            run.sql(query.format(secret=secret, folder=tmp_path, run=run_path))
        assert "is not allowed" in str(caught.value) or "is not a table" in str(caught.value)
        assert run.sql("SELECT count(*) AS n FROM steps").to_pylist() == [{"n": 3}]


def test_python_variables_are_out_of_reach(run_path: Path) -> None:
    import pyarrow as pa

    hidden = pa.table({"a": [1]})
    assert hidden.num_rows == 1
    with pytest.raises(InputError, match="hidden does not exist"):
        open_run(run_path).sql("SELECT * FROM hidden")


def test_the_database_itself_is_locked(run_path: Path) -> None:
    settings = open_run(run_path).sql(
        "SELECT current_setting('enable_external_access') AS a, current_setting('lock_configuration') AS l"
    )
    assert settings.to_pylist() == [{"a": False, "l": True}]


def test_several_threads_ask_one_run(run_path: Path) -> None:
    run = open_run(run_path)
    queries = [
        f"SELECT count(*) + {i} AS n FROM {name}" for i in range(10) for name in ("violations", "steps", "bus_state")
    ]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda q: run.sql(q).to_pylist()[0]["n"], queries))
    assert found == [n + i for i in range(10) for n in (3, 3, 6)]


def test_files_that_change_are_read_again(run_path: Path) -> None:
    """Derived tables come and go while a run is open."""
    run, file = open_run(run_path), run_path / "features.parquet"
    count = "SELECT count(*) AS n FROM features"
    assert run.sql(count).to_pylist() == [{"n": 0}]
    columns = {"time": np.datetime64("2016-01-18"), "value": [[1.0]] * 3, "branches_out": [["L1"]] * 3}
    table = to_arrow("features", {"step": [0, 1, 2], **columns})
    for n in (1, 3, 2):
        write_table(file, table.slice(0, n))
        assert run.sql(count).to_pylist() == [{"n": n}]
        assert run.sql("SELECT max(step) AS s, max(value[1]) AS v FROM features").to_pylist() == [
            {"s": n - 1, "v": 1.0}
        ]
    file.unlink()
    assert run.sql(count).to_pylist() == [{"n": 0}]


def test_a_run_answers_after_a_copy_and_after_release(run_path: Path) -> None:
    run = open_run(run_path)
    count = "SELECT count(*) AS n FROM steps"
    assert run.sql(count).to_pylist() == pickle.loads(pickle.dumps(run)).sql(count).to_pylist()
    run.release()
    run.release()
    assert run.sql(count).to_pylist() == [{"n": 3}]


def test_errors_name_the_tables(run_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_run(run_path).sql("SELECT * FROM violation")
    assert "tables are contingency_list, bus_state" in str(caught.value)
    with pytest.raises(InputError, match="syntax error"):
        open_run(run_path).sql("SELEC 1")


def test_unfinished_runs_and_empty_ones_answer(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.sql("SELECT count(*) AS n FROM violations").to_pylist() == [{"n": 0}]
    assert run.table("steps").num_rows == 0
    with pytest.raises(InputError, match="is not a table of a run"):
        run.table("colours")


@pytest.mark.parametrize("name", ["it's a run", "run [1]", "a=1", "ein Lauf ä"])
def test_odd_folder_names(run_path: Path, tmp_path: Path, name: str) -> None:
    moved = shutil.copytree(run_path, tmp_path / "odd" / name)
    run = open_run(moved)
    answer = run.sql("SELECT count(*) AS n, max(b.position) AS p FROM bus_state s JOIN bus b ON b.position = s.bus")
    assert answer.to_pylist() == [{"n": 6, "p": 1}]
    assert "a" not in run.sql("DESCRIBE steps").column("column_name").to_pylist()


def test_damaged_files_are_named(run_path: Path) -> None:
    (run_path / "violations.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match=r"violations\.parquet"):
        open_run(run_path).sql("SELECT sum(severity) FROM violations")
    with pytest.raises(InputError, match="cannot be read"):
        open_run(run_path).table("violations")


def test_a_query_without_end_is_stopped(run_path: Path) -> None:
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"
    with pytest.raises(InputError, match=r"took longer than 0\.2 s"):
        open_run(run_path).sql(endless, timeout_s=0.2)
    assert open_run(run_path).sql("SELECT 1 AS one", timeout_s=60).to_pylist() == [{"one": 1}]
