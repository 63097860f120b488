"""day and sql: stored steps, resuming, interrupts, questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurigrid.store import RunWriter, open_run

from .conftest import Call, small_network, small_profiles

DAY = ("--date", "2020-03-02", "--dispatch", "data")


def test_day_json_and_the_stored_run(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = call("day", grid_with_day, *DAY, "--out", out, "--json")
    assert answer.code == 0
    data = answer.json
    # Four branches and two units in each of four steps, and the base states.
    assert (data["steps"], data["outages"], data["power_flows"]) == (4, 6, 4 * 7)
    assert data["converged"] == 28
    assert data["run"] == str(out)
    assert data["seconds"] > 0
    assert data["peak_mb"] > 0
    run = open_run(out)
    assert run.finished
    assert run.info.status == "finished"
    steps = run.table("steps").to_pylist()
    assert [str(s["time"]) for s in steps] == [f"2020-03-02 {h:02}:00:00" for h in (0, 6, 12, 18)]
    assert [s["load_mw"] for s in steps] == pytest.approx([66, 110, 121, 88])
    for s, wind_mw in zip(steps, (20, 30, 10, 5), strict=True):
        # Shares of 9 and 1: the wind unit takes a tenth of what the profiles leave open.
        assert dict(s["gen_by_fuel_mw"])["wind"] == pytest.approx(wind_mw + 0.1 * (s["gen_mw"] - wind_mw), abs=1e-4)
        assert s["gen_mw"] == pytest.approx(s["load_mw"] + s["losses_mw"], abs=1e-4)
        assert (s["outages_converged"], s["outages_islanded"], s["outages_failed"]) == (5, 1, 0)
    split = run.sql("SELECT DISTINCT contingency_label, lost_load_mw FROM contingencies WHERE status = 'islanded'")
    assert split.column("contingency_label").unique().to_pylist() == ["T"]


def test_stored_states_are_those_of_the_engine(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    from aurigrid.powerflow import power_flow

    assert call("day", grid_with_day, *DAY, "--out", tmp_path / "run", "--json").code == 0
    net = small_network()
    expected = power_flow(net, small_profiles().day("2020-03-02").scenarios(net), q_limits=True, slack="distributed")
    stored = open_run(tmp_path / "run").table("bus_state")
    v_mag = np.array(stored.column("v_mag").to_pylist()).reshape(4, net.n_bus)
    assert np.abs(v_mag - expected.v_mag).max() < 1e-7
    flow = np.array(open_run(tmp_path / "run").table("branch_state").column("p_from_mw").to_pylist()).reshape(4, -1)
    assert np.abs(flow - expected.branch_flow().p_from_mw).max() < 1e-3


def test_violations_name_outage_and_element(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    call("day", grid_with_day, *DAY, "--out", tmp_path / "run")
    rows = open_run(tmp_path / "run").sql(
        'SELECT step, element_id, value, "limit", excess, severity, new FROM violations '
        "WHERE contingency_label = 'L1' AND kind = 'overload' ORDER BY step"
    )
    found = rows.to_pylist()
    assert {r["element_id"] for r in found} == {"L2"}
    assert all(r["new"] for r in found)
    for r in found:
        assert r["excess"] == pytest.approx(r["value"] - 80, rel=1e-4)
        assert r["severity"] == pytest.approx(r["excess"] / 80, rel=1e-4)
    # Net demand behind L2 once L1 is out: load less wind, 80 MW at noon at the least before losses.
    assert 2 in {r["step"] for r in found}


def test_day_in_words(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    answer = call("day", grid_with_day, *DAY, "--out", tmp_path / "run")
    assert answer.code == 0
    for part in ("Worst hours", "Worst outages", "Most threatened elements", "Summary", "Next", "aurigrid sql"):
        assert part in answer.out
    tables = answer.out.partition("\nSummary")[0].splitlines()[2:]
    assert max(len(line.rstrip()) for line in tables) <= 80
    queries = [line.split('"')[1] for line in answer.out.splitlines() if line.strip().startswith("aurigrid sql")]
    assert queries
    for query in queries:
        assert call("sql", tmp_path / "run", query).code == 0


def test_an_interrupted_day_keeps_its_steps_and_the_same_command_continues(
    call: Call, grid_with_day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    command = ("day", grid_with_day, *DAY, "--out", out, "--json")
    real = RunWriter.write_step

    def third_fails(self: RunWriter, step: int, tables: Any) -> None:
        if step == 2:
            raise KeyboardInterrupt
        real(self, step, tables)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "write_step", third_fails)
        stopped = call(*command)
    assert stopped.code == 130
    assert stopped.out == ""
    assert "2 finished steps are kept" in stopped.err
    assert open_run(out).steps == (0, 1)
    assert open_run(out).info.status == "interrupted"
    kept = open_run(out).table("steps").to_pylist()  # with the seconds that each step took
    again = call(*command)
    assert again.code == 0
    assert (again.json["new_steps"], again.json["steps"], again.json["power_flows"]) == (2, 4, 28)
    assert open_run(out).table("steps", (0, 1)).to_pylist() == kept
    assert call(*command).json["new_steps"] == 0


def test_a_full_disk_ends_with_1_and_keeps_steps(
    call: Call, grid_with_day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    from aurigrid.store import run as store_run

    real = store_run.write_table

    def full(file: Path, table: Any) -> None:
        if file.name == "step=0001.parquet" and file.parent.name == "violations":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file, table)

    monkeypatch.setattr(store_run, "write_table", full)
    answer = call("day", grid_with_day, *DAY, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert "1 finished steps are kept" in answer.err
    assert open_run(tmp_path / "run").steps == (0,)


def test_another_request_does_not_continue_a_run(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("day", grid_with_day, *DAY, "--out", out).code == 0
    other = call("day", grid_with_day, "--date", "2020-03-03", "--no-q-limits", "--out", out)
    assert other.code == 2
    assert 'options.date: was "2020-03-02", now "2020-03-03"' in other.err
    assert "options.q_limits: was true, now false" in other.err


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--date", "2021-01-01"], "no step on 2021-01-01"),
        (["--date", "soon"], "is not a date"),
        ([*DAY, "-c", "L1"], "'l1'"),
        ([*DAY, "--tol", "-1"], "tol_pu"),
    ],
)
def test_bad_requests_write_nothing(
    call: Call, grid_with_day: Path, tmp_path: Path, args: list[str], expected: str
) -> None:
    answer = call("day", grid_with_day, *args, "--out", tmp_path / "run")
    assert answer.code == 2
    assert expected in answer.err
    assert list(tmp_path.iterdir()) == []


def test_sql_json_and_table(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("day", grid_with_day, *DAY, "--out", out).code == 0
    data = call("sql", out, "SELECT step, load_mw FROM steps ORDER BY step LIMIT 2", "--json").json
    assert data["columns"] == ["step", "load_mw"]
    assert data["rows"] == [[0, pytest.approx(66)], [1, pytest.approx(110)]]
    twice = call("sql", out, "SELECT 1 AS a, 2 AS a", "--json").json
    assert twice["rows"] == [[1, 2]]
    words = call("sql", out, "SELECT step FROM bus_state", "--rows", 3)
    assert "16 rows, the first 3 shown" in words.out
    assert "steps" in call("sql", out).out
    refused = call("sql", out, f"COPY steps TO '{tmp_path}/x.csv'")
    assert refused.code == 2
    assert "read-only" in refused.err
    assert not (tmp_path / "x.csv").exists()
