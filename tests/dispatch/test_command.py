"""`aurigrid dispatch`: one object for machines, sentences for people, faults told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("highspy")

from tests.data import RTS_GMLC, needs_rts_gmlc

from aurigrid.cli import app
from aurigrid.store import open_run

from .instances import instance


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(instance(0, hours=8)))
    return path


def test_json_is_all_that_is_printed(case: Path) -> None:
    # a process of its own: the solver writes past Python's standard output
    command = [sys.executable, "-m", "aurigrid.cli", "dispatch", str(case), "--gap", "0.001", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    data = json.loads(done.stdout)
    assert data["bound"] <= data["objective"]
    assert data["gap"] == pytest.approx((data["objective"] - data["bound"]) / data["objective"], abs=1e-9)
    assert data["gap"] <= 0.001
    assert data["status"] == "gap"
    assert data["solver"].startswith("HiGHS 1.")
    assert data["seconds_to_gap"]["0.001"] <= data["seconds"]


def test_words(case: Path) -> None:
    done = CliRunner().invoke(app, ["dispatch", str(case)])
    assert done.exit_code == 0, done.output
    assert "no schedule can cost less than" in " ".join(done.output.split())


def test_what_is_for_instances_is_refused_for_grids(case: Path) -> None:
    free, held = (
        json.loads(CliRunner().invoke(app, ["dispatch", str(case), "--gap", "1e-6", "--json", flag]).stdout)[
            "objective"
        ]
        for flag in ("--stopping-reserve", "--no-stopping-reserve")
    )
    assert free <= held + 1e-6 * held
    done = CliRunner().invoke(app, ["dispatch", "case14", "--no-stopping-reserve"])
    assert done.exit_code == 2
    assert "is for an instance of PGLib-UC" in " ".join(done.output.split())


def test_a_file_that_is_no_instance_exits_with_2(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"demand": [1]}')
    done = CliRunner().invoke(app, ["dispatch", str(path)])
    assert done.exit_code == 2
    assert CliRunner().invoke(app, ["dispatch", str(tmp_path / "none.json")]).exit_code == 2


@needs_rts_gmlc
def test_market_rules_of_a_folder(tmp_path: Path) -> None:
    span = ["--from", "2020-07-05 10:00", "--to", "2020-07-05 12:00", "--security", "none", "--gap", "0.02"]
    out = tmp_path / "plan"
    done = CliRunner().invoke(app, ["dispatch", str(RTS_GMLC), *span, "--market", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["reserve_short_mwh"] < 1e-6
    held = open_run(out).table("plan_reserves").to_pandas()
    assert {"Spin_Up_R2", "Flex_Down", "Reg_Up"} <= set(held["product"])


def test_market_rules_ask_for_a_folder_that_has_them() -> None:
    done = CliRunner().invoke(app, ["dispatch", "case9", "--market"])
    assert done.exit_code == 2
    assert "RTS-GMLC" in done.output


def test_market_rules_of_a_grid_that_is_not_there_are_one_message() -> None:
    done = CliRunner().invoke(app, ["dispatch", "nofile", "--market"])
    assert done.exit_code == 2
    assert done.output.count("no grid is called 'nofile'") == 1
