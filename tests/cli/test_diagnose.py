"""`aurigrid diagnose`."""

from __future__ import annotations

from pathlib import Path

import pytest

import aurigrid as ag

from .conftest import Call, small_network


def write(folder: Path, net: ag.Network) -> Path:
    return ag.save(net, folder)


@pytest.fixture
def wrong_unit(tmp_path: Path) -> Path:
    net = ag.load("case14")
    p = net.load.p_mw.copy()
    p[2] *= 1000
    return write(tmp_path / "kw", net.replace(load=net.load.replace(p_mw=p)))


def test_a_healthy_grid(call: Call, grid: Path) -> None:
    answer = call("diagnose", grid)
    assert answer.code == 0, answer.err
    assert "can be run" in answer.out
    assert "aurigrid pf" in answer.out


def test_words_say_what_where_and_what_next(call: Call, wrong_unit: Path) -> None:
    answer = call("diagnose", wrong_unit)
    assert answer.code == 0, answer.err
    assert "cannot be run" in answer.out
    assert "load:2: p_mw from 47,800 to 47.8 MW" in answer.out
    assert "--out repaired" in answer.out


def test_json_and_the_repaired_grid(call: Call, wrong_unit: Path, tmp_path: Path) -> None:
    out = tmp_path / "repaired"
    answer = call("diagnose", wrong_unit, "--json", "--out", out)
    assert answer.code == 0, answer.err
    data = answer.json
    assert data["explained"]
    assert not data["healthy"]
    assert data["repairs"][0]["changes"][0] == {
        "table": "load", "id": "load:2", "field": "p_mw", "before": 47800.0, "after": pytest.approx(47.8),
    }  # fmt: skip
    assert call("pf", out, "--q-limits").code == 0


def test_a_grid_that_is_not_valid(call: Call, tmp_path: Path) -> None:
    net = small_network()
    folder = write(tmp_path / "bad", net.replace(gen=net.gen.replace(is_reference=False)))
    assert call("pf", folder).code == 2
    answer = call("diagnose", folder, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["cause"] == "reference"
    assert "reference" in answer.json["symptoms"]["invalid"]


def test_what_cannot_be_explained_exits_with_1(call: Call, tmp_path: Path) -> None:
    net = small_network()
    # a bus that does not exist: nothing says which was meant
    folder = write(tmp_path / "lost", net.replace(load=net.load.replace(bus=[1, 2, 99])))
    answer = call("diagnose", folder)
    assert answer.code == 1
    assert "is not the position of a bus" in " ".join(answer.out.split())


def test_an_existing_folder_is_refused_before_any_work(call: Call, wrong_unit: Path) -> None:
    answer = call("diagnose", wrong_unit, "--out", wrong_unit)
    assert answer.code == 2
    assert "exists already" in answer.err


def test_an_unknown_grid_exits_with_2(call: Call) -> None:
    assert call("diagnose", "case31").code == 2
