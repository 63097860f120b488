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
