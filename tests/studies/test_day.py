"""`run_day`: what is stored does not depend on how many steps go to the engine together; who takes the balance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.io.folder import save
from aurigrid.model.tables import GenTable
from aurigrid.store import open_run
from cli.conftest import small_network, small_profiles

DATE = "2020-03-02"


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(small_network(), tmp_path_factory.mktemp("day") / "grid", profiles=small_profiles())


def stored(run: Path, table: str, column: str) -> np.ndarray:
    return np.array(open_run(run).table(table).column(column).to_pylist())


def test_steps_together_or_one_by_one_are_the_same(grid: Path, tmp_path: Path) -> None:
    one, all_of_them = tmp_path / "one", tmp_path / "all"
    ag.run_day(grid, DATE, one, steps_per_call=1)
    done = ag.run_day(grid, DATE, all_of_them, steps_per_call=8)
    assert (done.steps, done.new_steps, done.power_flows) == (4, 4, 4 * (1 + 6))
    for table, column in (("bus_state", "v_mag"), ("branch_state", "p_from_mw"), ("gen_state", "p_mw")):
        np.testing.assert_array_equal(stored(one, table, column), stored(all_of_them, table, column))
    for column in ("contingency_label", "element_id", "kind"):
        assert stored(one, "violations", column).tolist() == stored(all_of_them, "violations", column).tolist()


def test_a_list_of_outages_and_progress(grid: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = ag.run_day(
        grid,
        DATE,
        tmp_path / "run",
        contingencies=[["L1", "L3"], "T"],
        steps_per_call=3,
        progress=lambda k, n: told.append((k, n)),
    )
    assert (done.outages, done.power_flows) == (2, 4 * 3)
    assert told == [(k, 4) for k in range(5)]
    assert set(stored(tmp_path / "run", "contingencies", "contingency_label").tolist()) == {"L1 + L3", "T"}


def test_who_takes_the_balance(tmp_path: Path) -> None:
    """By the grid's own shares wind takes a tenth of it; by the day's dispatch, what runs all day, wind left out."""
    net, profiles = small_network(), small_profiles()
    gen = GenTable.make(
        id=["slack", "wind", "coal"],
        bus=[0, 1, 2],
        p_mw=[50, 20, 25],
        regulates=True,
        is_reference=[True, False, False],
        participation=[8, 1, 1],
        p_max_mw=200,
        fuel=["hydro", "wind", "coal"],
    )
    folder = save(net.replace(gen=gen), tmp_path / "three", profiles=profiles)
    wind = profiles.day(DATE).values("gen", "p_mw")[:, 0]
    planned = np.column_stack([np.full(4, 50.0), wind, np.full(4, 25.0)])
    for participation, shares in (("dispatch", [2 / 3, 0, 1 / 3]), ("grid", [0.8, 0.1, 0.1])):
        ag.run_day(folder, DATE, tmp_path / participation, participation=participation, dispatch="data")
        p = stored(tmp_path / participation, "gen_state", "p_mw").reshape(4, 3)
        gap = (p - planned).sum(axis=1, keepdims=True)
        assert np.abs(gap).min() > 1
        np.testing.assert_allclose(p, planned + gap * shares, atol=1e-3)


def test_bad_requests_name_what_is_wrong(grid: Path, tmp_path: Path) -> None:
    bare = save(small_network(), tmp_path / "bare")
    out = tmp_path / "run"
    for arguments, expected in (
        ({"grid": bare}, "comes without profiles"),
        ({"date": "2021-05-05"}, "no step on 2021-05-05"),
        ({"participation": "nobody"}, "choose dispatch or grid"),
        ({"dispatch": "mine"}, "choose plan or points or data"),
        ({"steps_per_call": 0}, "must be at least 1"),
        ({"slack": "nobody"}, "slack"),
        ({"contingencies": ["L1", "L77"]}, "L77"),
    ):
        with pytest.raises(ag.InputError, match=expected):
            ag.run_day(**{"grid": grid, "date": DATE, "out": out, **arguments})
        assert not out.exists()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    with pytest.raises(ag.InputError, match="is not a run folder"):
        ag.run_day(grid, DATE, taken)
    assert [p.name for p in taken.iterdir()] == ["notes.txt"]
