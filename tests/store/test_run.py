"""Run folders: atomic steps, resuming, refusing what does not belong together."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurigrid.errors import InputError
from aurigrid.store import StoreError, open_run
from aurigrid.store.schema import STEP_TABLES, TABLES, arrow_schema, to_arrow

from .conftest import begin, step_tables


def test_a_run_reads_back_as_it_was_written(run_path: Path) -> None:
    run = open_run(run_path)
    assert run.steps == (0, 1, 2)
    assert run.finished
    assert run.info.status == "finished"
    assert run.info.summary == {"converged": 6}
    assert run.info.grid["digest"] == "d1"
    assert run.info.options["q_limits"] is True
    assert {"aurigrid", "numpy", "numba", "pyarrow", "duckdb", "python"} <= set(run.info.versions)
    for name in TABLES:
        assert run.table(name).schema.equals(arrow_schema(name))
    state = run.table("bus_state", steps=(1,))
    assert state.column("v_mag").to_pylist() == [1.0, None]
    assert state.column("v_ang").to_pylist() == [0.0, -0.1]
    assert run.table("steps").column("gen_by_fuel_mw").to_pylist()[0] == [("wind", 6.0), ("hydro", 4.0)]
    assert run.table("contingency_list").column("elements").to_pylist() == [["branch:L1"], ["gen:G1"]]
    assert [str(t) for t in run.table("steps").column("time").to_pylist()][2] == "2016-01-18 00:30:00"


def test_files_are_zstd_with_the_documented_schema(run_path: Path) -> None:
    for name in STEP_TABLES:
        file = pq.ParquetFile(run_path / f"{name}.parquet")
        assert file.schema_arrow.equals(arrow_schema(name))
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        assert file.num_row_groups == (1 if name == "steps" else 3)  # a step each
    assert not [f for f in run_path.rglob("*") if ".tmp-" in f.name]


def test_resuming_goes_on_behind_the_finished_steps(tmp_path: Path) -> None:
    begin(tmp_path / "run").write_step(1, step_tables(1))
    first = (tmp_path / "run" / "run.json").read_text()
    again = begin(tmp_path / "run")
    assert again.finished == (1,)
    assert (tmp_path / "run" / "run.json").read_text() == first
    again.write_step(0, step_tables(0))
    assert open_run(tmp_path / "run").steps == (0, 1)
    assert not open_run(tmp_path / "run").finished


def test_another_grid_or_other_options_are_refused_with_every_difference(run_path: Path) -> None:
    before = {f: f.stat().st_mtime_ns for f in run_path.rglob("*") if f.is_file()}
    with pytest.raises(InputError) as caught:
        begin(run_path, grid={"name": "other", "digest": "d2"}, options={"date": "2016-07-01", "slack": "x"}, n_steps=4)
    text = str(caught.value)
    assert "was made for another grid (two)" in text
    assert 'options.date: was "2016-01-18", now "2016-07-01"' in text
    assert "options.q_limits: was true, now null" in text
    assert 'options.slack: was null, now "x"' in text
    assert "n_steps: was 3, now 4" in text
    assert before == {f: f.stat().st_mtime_ns for f in run_path.rglob("*") if f.is_file()}


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a run folder"):
        begin(tmp_path)
    with pytest.raises(InputError, match="exists and is not a run folder"):
        begin(tmp_path / "notes.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert begin(tmp_path / "empty").finished == ()


def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoreError, match="No space left"):
        begin(tmp_path / "run", save_grid=broken)
    with pytest.raises(InputError, match=r"contingency_list.colour: is not a column"):
        begin(tmp_path / "run", contingency_list={"colour": [1]})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_finished_steps_and_no_half_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = begin(tmp_path / "run")
    writer.write_step(0, step_tables(0))
    real = pq.write_table

    def full(table: pa.Table, where: Path, **options: object) -> None:
        if "contingencies" in str(where):
            Path(where).write_bytes(b"PAR1 half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(table, where, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(StoreError, match=r"could not write step 1 .*No space left.*1 finished steps are kept"):
            writer.write_step(1, step_tables(1))
    assert open_run(tmp_path / "run").steps == (0,)
    assert open_run(tmp_path / "run").sql("SELECT count(*) AS n FROM violations").to_pylist() == [{"n": 1}]
    assert not [f for f in (tmp_path / "run").rglob("*") if ".tmp-" in f.name]
    again = begin(tmp_path / "run")
    again.write_step(1, step_tables(1))
    assert open_run(tmp_path / "run").steps == (0, 1)


def test_an_interrupt_between_files_leaves_the_step_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = begin(tmp_path / "run")
    real = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if Path(target).parent.name == "steps":
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.write_step(0, step_tables(0))
    assert open_run(tmp_path / "run").steps == ()
    assert open_run(tmp_path / "run").table("bus_state").num_rows == 0


def test_leftovers_of_a_killed_writer_are_removed_on_resume(tmp_path: Path) -> None:
    begin(tmp_path / "run").write_step(0, step_tables(0))
    leftovers = [
        tmp_path / "run" / "violations" / ".step=0003.parquet.tmp-999",
        tmp_path / "run" / ".steps.parquet.tmp-9",
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    assert begin(tmp_path / "run").finished == (0,)
    assert not any(leftover.exists() for leftover in leftovers)


@pytest.mark.parametrize("after", ["violations", "steps", "run.json"])
def test_a_join_that_is_interrupted_loses_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    writer = begin(tmp_path / "run")
    for step in range(3):
        writer.write_step(step, step_tables(step))
    parted = {name: open_run(tmp_path / "run").table(name) for name in STEP_TABLES}
    real = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if Path(target).name.startswith(after):
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.close("finished")
    for _ in range(2):
        run = open_run(tmp_path / "run")
        assert run.steps == (0, 1, 2)
        for name, table in parted.items():
            assert run.table(name).equals(table)
            assert run.table(name, (1,)).equals(table.take([i for i, s in enumerate(table["step"]) if s.as_py() == 1]))
            assert run.sql(f"SELECT count(*) AS n FROM {name}").to_pylist() == [{"n": len(table)}]
        begin(tmp_path / "run").close("finished")  # the same command again ends what was begun
    assert not (tmp_path / "run" / "steps").exists()


def test_steps_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    writer = begin(tmp_path / "run")
    tables = step_tables(0)
    del tables["gen_state"]
    with pytest.raises(InputError, match=r"step\.gen_state: is missing"):
        writer.write_step(0, tables)
    tables = step_tables(0)
    tables["violations"]["element"] = [0, 1]
    tables["violations"]["colour"] = ["red"]
    del tables["violations"]["limit"]
    tables["violations"]["contingency"] = ["x"]
    with pytest.raises(InputError) as caught:
        writer.write_step(0, tables)
    text = str(caught.value)
    assert "violations.colour: is not a column" in text
    assert "violations.limit: is missing" in text
    assert "violations.contingency: cannot be stored as int32" in text
    assert not list((tmp_path / "run" / "bus_state").iterdir())


def test_tables_come_from_arrow_numpy_and_scalars_alike() -> None:
    columns = {"bus": np.arange(2), "v_mag": np.array([1.0, np.nan]), "v_ang": 0.5, "step": 7}
    from_numpy = to_arrow("bus_state", columns)
    from_arrow = to_arrow("bus_state", {name: from_numpy.column(name) for name in from_numpy.column_names})
    assert from_numpy.equals(from_arrow)
    assert from_numpy.to_pylist()[1] == {"step": 7, "bus": 1, "v_mag": None, "v_ang": 0.5}
    plain = pa.chunked_array([["a"], ["b", "a"]])
    listed = {"contingency": [0, 1, 2], "label": plain, "kind": "line", "elements": [[]] * 3, "representative": [0] * 3}
    assert to_arrow("contingency_list", listed).column("label").to_pylist() == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "is not a run folder: it has no run.json"),
        ("{", "cannot be read"),
        ("[]", "is not 'aurigrid-run'"),
        ('{"format": "aurigrid-run", "format_version": 99}', "format_version: is 99"),
        ('{"format": "aurigrid-run", "format_version": 1, "grid": {}}', "options, n_steps"),
    ],
)
def test_damaged_records_are_named(tmp_path: Path, content: str | None, expected: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError) as caught:
        open_run(tmp_path)
    assert expected in str(caught.value)


def test_missing_run() -> None:
    with pytest.raises(InputError, match="there is no such run folder"):
        open_run("no/such/run")


def test_run_json_names_its_format(run_path: Path) -> None:
    data = json.loads((run_path / "run.json").read_text())
    assert (data["format"], data["format_version"]) == ("aurigrid-run", 1)
