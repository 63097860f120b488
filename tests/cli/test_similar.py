"""aurigrid similar: a table, JSON, and one message for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Call

DAY = ("--date", "2020-03-02")


@pytest.fixture
def run(call: Call, grid_with_day: Path, tmp_path: Path) -> Path:
    assert call("day", grid_with_day, *DAY, "--out", tmp_path / "run", "--json").code == 0
    return tmp_path / "run"


def test_a_day_is_described_when_it_is_made(call: Call, run: Path) -> None:
    answer = call("sql", run, "SELECT count(*) AS n FROM features JOIN steps USING (step)", "--json")
    assert answer.json["rows"] == [[4]]
    names = call("sql", run, "SELECT name FROM feature_list WHERE \"group\" = 'system' ORDER BY feature", "--json")
    assert names.json["rows"] == [["load"], ["wind"], ["losses"]]


def test_json_holds_everything(call: Call, run: Path) -> None:
    answer = call("similar", run, "--step", 3, "--json")
    assert answer.code == 0
    data = answer.json
    assert (data["step"], data["time"], data["searched"]) == (3, "2020-03-02 18:00", 3)
    assert sorted(n["step"] for n in data["neighbours"]) == [0, 1, 2]
    first = data["neighbours"][0]
    assert first["distance"] == min(n["distance"] for n in data["neighbours"])
    assert first["different"][0]["words"]
    assert first["after"]["steps"] == 1


def test_the_table_fits(call: Call, run: Path) -> None:
    answer = call("similar", run, "--step", 3, "--k", 2)
    assert answer.code == 0
    for part in ("distance", "differs most", "Summary", "Nearest: 2020-03-02", "Near by:", "aurigrid sql"):
        assert part in answer.out
    table = answer.out.partition("\nSummary")[0].splitlines()[1:]
    assert max(map(len, table)) <= 85
    assert call("similar", run, run, "--step", 3, "--later").out.count("2020-03-02") > 3


def test_nothing_found_says_what_to_do(call: Call, run: Path) -> None:
    answer = call("similar", run, "--step", 0)
    assert answer.code == 0
    assert "--later" in answer.out


def test_bad_input(call: Call, run: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((run, "--step", 9), "finished steps are 0 to 3"),
        ((tmp_path, "--step", 1), "is not a run folder"),
        ((run, tmp_path / "none", "--step", 1), "there is no such run folder"),
        ((run, "--step", 1, "--where", "nonsense > 3"), "nonsense"),
        ((run, "--step", 1, "--where", "true) UNION SELECT (1"), "is not one condition"),
    ):
        answer = call("similar", *arguments)
        assert answer.code == 2
        assert message in answer.err
        assert answer.out == ""
        assert answer.err.count("error:") == 1
    assert call("similar", run).code == 2
