"""generate: figures and words, bad dates and folders, an interrupt."""

from __future__ import annotations

from pathlib import Path

import pytest

from aurigrid.store import RunWriter, open_run

from .conftest import Call


def test_json_words_and_questions(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = call("generate", grid_with_day, "--from", "2020-03-02", "--to", "2020-03-03", "--out", out, "--json")
    assert answer.code == 0
    data = answer.json
    assert (data["steps"], data["new_steps"], data["totals"]["feasible"], data["totals"]["infeasible"]) == (4, 4, 4, 0)
    assert data["totals"]["load_mwh"] == pytest.approx(6 * (66 + 110 + 121 + 88))
    assert any("cost_c1_per_mwh" in line for line in data["defaults"])
    words = call("generate", grid_with_day, "--from", "2020-03-02", "--to", "2020-03-03", "--out", out)
    assert words.code == 0
    for part in ("Operating points", "2020-03-02", "4 of 4 steps have an AC operating point", "Curtailed", "emissions"):
        assert part in words.out
    asked = call("sql", out, "SELECT label, count(*) AS n FROM points GROUP BY label", "--json")
    assert asked.json["rows"] == [["feasible", 4]]
    assert "points" in call("sql", out).out
    assert call("sql", out, "SELECT * FROM steps").code == 2


def test_outages_on_request(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    answer = call("generate", grid_with_day, "--check", "n-1", "--out", tmp_path / "run")
    assert answer.code == 0
    assert "Outages that points do not survive" in answer.out
    assert "0 of them are secure" in answer.out


def test_tables_for_a_grid_without_profiles(call: Call, grid: Path, tmp_path: Path) -> None:
    table = tmp_path / "load.p_mw.csv"
    table.write_text("time,c\n2020-03-02 00:00,30\n2020-03-02 01:00,35\n")
    answer = call("generate", grid, "--profiles", table, "--out", tmp_path / "run", "--json")
    assert answer.code == 0
    assert answer.json["totals"]["load_mwh"] == pytest.approx(2 * 60 + 65)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--from", "tomorrow"), "'tomorrow' is not a time"),
        (("--from", "2031-01-01", "--to", "2031-01-02"), "no step from"),
        (("--from", "2020-03-03", "--to", "2020-03-02"), "no step from"),
        (("--check", "n-1:nothing"), "nothing"),
        (("--profiles", "{tmp}/absent"), "no such file or folder"),
        (("--out", "{tmp}/taken"), "is not a run folder"),
    ],
)
def test_bad_input(call: Call, grid_with_day: Path, tmp_path: Path, args: tuple[str, ...], expected: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    filled = [a.format(tmp=tmp_path) for a in args]
    out = () if "--out" in args else ("--out", tmp_path / "run")
    answer = call("generate", grid_with_day, *filled, *out)
    assert answer.code == 2
    assert expected in answer.err
    assert not (tmp_path / "run").exists()
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["notes.txt"]


def test_an_interrupt_keeps_what_is_finished(
    call: Call, grid_with_day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurigrid.studies.generate.CHUNK_STEPS", 2)
    write = RunWriter.write_chunk

    def stop_at_the_second(self: RunWriter, chunk: int, tables: dict[str, dict[str, object]]) -> None:
        if chunk == 1:
            raise KeyboardInterrupt
        write(self, chunk, tables)

    options = ("generate", grid_with_day, "--threads", 1, "--out", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "write_chunk", stop_at_the_second)
        answer = call(*options)
    assert answer.code == 130
    assert "2 finished steps are kept" in answer.err
    assert len(open_run(tmp_path / "run").steps) == 2
    again = call(*options, "--json").json
    assert (again["steps"], again["new_steps"]) == (5, 3)


def test_day_on_points_and_on_the_data(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    for dispatch in ("points", "data"):
        answer = call(
            "day", grid_with_day, "--date", "2020-03-02", "--dispatch", dispatch, "--out", tmp_path / dispatch, "--json"
        )
        assert answer.code == 0
        data = answer.json
        assert data["steps"] == 4
        assert (data["points"] is None) == (dispatch == "data")
    run = open_run(tmp_path / "points")
    points, steps = run.table("points").to_pylist(), run.table("steps").to_pylist()
    assert [p["label"] for p in points] == ["feasible"] * 4
    for p, s in zip(points, steps, strict=True):
        # the base states of the outages are the points
        assert s["max_loading"] == pytest.approx(p["max_loading"], abs=1e-4)
        assert s["losses_mw"] == pytest.approx(p["losses_mw"], abs=1e-3)
        assert s["base_violations"] == 0
        assert p["data_base_violations"] >= 0
    words = call("day", grid_with_day, "--date", "2020-03-02", "--out", tmp_path / "points")
    assert "The data's own dispatch breaks" in words.out
