"""`aurigrid opf`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import aurigrid as ag
from aurigrid.cli import app


def test_json() -> None:
    result = CliRunner().invoke(app, ["opf", "case9", "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout.splitlines()[-1])
    assert {"objective", "status", "max_violation_pu", "kkt_residual", "iterations", "seconds"} <= set(data)
    assert data["status"] == "optimal"
    assert data["objective"] == pytest.approx(5296.69, abs=0.01)


def test_words() -> None:
    result = CliRunner().invoke(app, ["opf", "case30"])
    assert result.exit_code == 0, result.output
    assert "optimal" in result.output
    assert "Limits that bind" in result.output
    assert "per MWh" in result.output


def test_bound_in_words_and_numbers() -> None:
    args = ["opf", "case9", "--bound"]
    data = json.loads(CliRunner().invoke(app, [*args, "--json"]).stdout.splitlines()[-1])
    assert data["lower_bound"] <= data["objective"] * (1 + 1e-6)
    assert data["gap"] < 1e-4
    assert "at most 0.0" in CliRunner().invoke(app, args).output
    secure = CliRunner().invoke(app, ["opf", "case14", "--secure", "--v-margin-pu", "0.1", "--bound", "--json"])
    data = json.loads(secure.stdout.splitlines()[-1])
    assert data["lower_bound"] <= data["objective"]


def test_infeasible_exits_with_1_and_says_what_is_missing(tmp_path) -> None:
    net = ag.load("case14")
    heavy = net.replace(load=net.load.replace(p_mw=net.load.p_mw * 5))
    folder = tmp_path / "heavy"
    ag.save(heavy, folder)
    result = CliRunner().invoke(app, ["opf", str(folder)])
    assert result.exit_code == 1
    assert "missing" in result.output
    assert np.isfinite(heavy.load.p_mw).all()


def test_unknown_grid_exits_with_2() -> None:
    result = CliRunner().invoke(app, ["opf", "case31"])
    assert result.exit_code == 2


def test_secure_json() -> None:
    result = CliRunner().invoke(app, ["opf", "case14", "--secure", "--v-margin-pu", "0.1", "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout.splitlines()[-1])
    assert data["security"] == "secure"
    assert data["violations_remaining"] == 0
    assert data["outages"] == 20
    assert {"rounds", "cuts", "price_remaining_per_h", "security_cost_per_h"} <= set(data)


def test_insecure_exits_with_1_and_lists_what_is_left() -> None:
    result = CliRunner().invoke(app, ["opf", "case30", "--secure", "--rounds", "1"])
    assert result.exit_code == 1, result.output
    assert "What outages still break" in result.output
    assert "Left:" in result.output


def test_actions(tmp_path) -> None:
    file = tmp_path / "actions.json"
    file.write_text('[{"name": "first", "open": [3]}, {"name": "second", "gen": {"gen:1": 5}}]', encoding="utf-8")
    result = CliRunner().invoke(app, ["actions", "case30", str(file), "--json"])
    assert result.exit_code in (0, 1), result.output
    data = json.loads(result.stdout.splitlines()[-1])
    assert data["actions"] == 2
    assert len(data["tried"]) == 2 * data["states"]
    words = CliRunner().invoke(app, ["actions", "case30", str(file)])
    assert "break limits" in words.output
    file.write_text('[{"name": "first", "open": ["nothing"]}, {"name": "first", "jump": 1}]', encoding="utf-8")
    result = CliRunner().invoke(app, ["actions", "case30", str(file)])
    assert result.exit_code == 2
    assert result.output.count("error:") >= 2
    assert CliRunner().invoke(app, ["opf", "case30", "--secure", "--actions", str(file)]).exit_code == 2
