"""`generate`: labels follow from limits, runs resume bit for bit, points are optimal power flows that a power flow confirms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.io.folder import save
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import StorageTable
from aurigrid.store import open_run
from aurigrid.studies import generate as study
from aurigrid.studies.conditions import batch_of, conditions_of
from aurigrid.studies.points import LABELS, operating_points
from aurigrid.studies.tally import tally
from cli.conftest import small_network, small_profiles


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(small_network(), tmp_path_factory.mktemp("generate") / "grid", profiles=small_profiles())


def heavy_profiles() -> Profiles:
    """Six steps; in the last two the loads behind the ring are more than its lines can carry."""
    time = np.datetime64("2020-03-02T00:00") + np.arange(6) * np.timedelta64(1, "h")
    load = np.array([0.6, 1.0, 1.1, 0.8, 3.0, 3.2])[:, None] * np.array([40.0, 50.0, 20.0])
    wind = np.array([[20.0], [30.0], [10.0], [5.0], [0.0], [40.0]])
    return Profiles(time, {("load", "p_mw"): (load, [0, 1, 2]), ("gen", "p_mw"): (wind, [1])})


def files_of(run: Path) -> dict[str, bytes]:
    return {str(f.relative_to(run)): f.read_bytes() for f in sorted(run.rglob("*.parquet"))}


def test_labels_and_reasons(tmp_path: Path) -> None:
    done = ag.generate(small_network(), heavy_profiles(), out=tmp_path / "run")
    assert (done.steps, done.new_steps) == (6, 6)
    run = open_run(tmp_path / "run")
    rows = run.table("points").to_pylist()
    assert [r["label"] for r in rows] == ["feasible"] * 4 + ["infeasible"] * 2
    for r in rows[:4]:
        assert r["gen_mw"] == pytest.approx(r["load_mw"] + r["losses_mw"], abs=1e-3)
        assert r["max_loading"] <= 1 + 1e-6
        assert r["short_mw"] < 1e-3
        assert r["mismatch_pu"] < 1e-6
    for r in rows[4:]:
        assert r["gen_mw"] + r["short_mw"] == pytest.approx(r["load_mw"] + r["losses_mw"], abs=0.01)
    reasons = run.sql("SELECT DISTINCT kind FROM reasons").column("kind").to_pylist()
    assert set(reasons) <= {"short_mw", "short_mvar", "unused_mvar", "overload", "voltage_low", "binding_rating"}
    # T is rated 50 MVA and carries 60 and 64 MW: bus D is short, or T is overloaded, in both steps
    at_d = run.sql("SELECT count(DISTINCT step) AS n FROM reasons WHERE element_id IN ('D', 'T')").to_pylist()
    assert at_d == [{"n": 2}]
    found = tally(run)
    assert found is not None
    assert (found.totals["feasible"], found.totals["infeasible"]) == (4, 2)
    assert any("infeasible" in s for s in found.sentences())


def test_points_are_states_of_the_grid_as_it_was_given() -> None:
    """A power flow on the given network, from the dispatch and voltages of a point, ends in the same voltages."""
    net, profiles = small_network(), small_profiles()
    conditions = conditions_of(net.replace(base_mva=1.0, branch=on_one_mva(net)), profiles)
    points = operating_points(conditions, batch_of(conditions, profiles, slice(None)))
    assert [LABELS[k] for k in points.label] == ["feasible"] * 5
    solution = ag.power_flow(conditions.net, points.scenarios)
    assert solution.converged.all()
    np.testing.assert_allclose(solution.v_mag, points.result.v_mag, atol=1e-6)
    np.testing.assert_allclose(solution.gen_p_mw, points.p_mw, atol=1e-3)


def on_one_mva(net: ag.Network) -> object:
    return net.branch.replace(r_pu=net.branch.r_pu / 100, x_pu=net.branch.x_pu / 100)


def test_secure_only_after_every_outage_was_solved(tmp_path: Path) -> None:
    """Losing L1 or L2 overloads the ring at high load, and losing T cuts off load: with T in the list none is secure."""
    ag.generate(small_network(), small_profiles(), out=tmp_path / "lines", contingencies=[["L3"]])
    ag.generate(small_network(), small_profiles(), out=tmp_path / "all", contingencies="n-1")
    lines, everything = (open_run(tmp_path / name).table("points").to_pylist() for name in ("lines", "all"))
    assert [r["label"] for r in everything] == ["feasible"] * 5
    assert all(r["outages"] == 4 and r["outages_violating"] >= 1 and r["worst_contingency"] for r in everything)
    assert {r["label"] for r in lines} <= {"secure", "feasible"}
    for r in lines:
        assert (r["label"] == "secure") == (r["outages_violating"] == 0 and r["outages_failed"] == 0)
    assert "secure" in {r["label"] for r in lines}


def test_an_interrupted_run_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "CHUNK_STEPS", 2)
    options = {"grid": small_network(), "profiles": heavy_profiles(), "states": True}
    ag.generate(**options, out=tmp_path / "whole", threads=2)

    def stop(done: int, total: int) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ag.generate(**options, out=tmp_path / "cut", threads=1, progress=stop)
    assert open_run(tmp_path / "cut").info.status == "interrupted"
    assert len(open_run(tmp_path / "cut").steps) == 2
    told: list[tuple[int, int]] = []
    again = ag.generate(**options, out=tmp_path / "cut", threads=1, progress=lambda k, n: told.append((k, n)))
    assert (again.steps, again.new_steps) == (6, 4)
    assert told == [(2, 6), (4, 6), (6, 6)]
    whole, cut = files_of(tmp_path / "whole"), files_of(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    assert all(whole[name] == cut[name] for name in whole)
    bus = open_run(tmp_path / "cut").sql("SELECT count(*) AS n FROM point_bus").to_pylist()
    assert bus == [{"n": 6 * 4}]


def test_other_options_do_not_continue_a_run(grid: Path, tmp_path: Path) -> None:
    ag.generate(grid, out=tmp_path / "run", stop="2020-03-02 12:00")
    before = files_of(tmp_path / "run")
    for changes in ({"stop": "2020-03-02 18:00"}, {"margin": 0.02}, {"contingencies": "n-1"}, {"co2_price_per_t": 5.0}):
        with pytest.raises(ag.InputError, match="cannot be continued"):
            ag.generate(grid, out=tmp_path / "run", **{"stop": "2020-03-02 12:00", **changes})
    assert files_of(tmp_path / "run") == before


def test_curtailment_and_a_margin(tmp_path: Path) -> None:
    """Wind behind lines that cannot carry it is curtailed to their ratings, and to a share of these with a margin."""
    net = small_network()
    net = net.replace(gen=net.gen.replace(p_max_mw=[200.0, 400.0]), load=net.load.replace(p_mw=[0.0, 120.0, 20.0]))
    time = np.datetime64("2020-03-02T00:00") + np.arange(2) * np.timedelta64(1, "h")
    windy = Profiles(time, {("gen", "p_mw"): (np.array([[300.0], [20.0]]), [1])})
    for name, margin in (("plain", 0.0), ("margin", 0.05)):
        ag.generate(net, windy, out=tmp_path / name, margin=margin)
    plain, room = (open_run(tmp_path / name).table("points").to_pylist() for name in ("plain", "margin"))
    assert plain[0]["available_mw"] == pytest.approx(300)
    assert plain[0]["curtailed_mw"] > 100
    assert plain[0]["max_loading"] == pytest.approx(1, abs=1e-5)
    assert plain[1]["curtailed_mw"] < 0.5
    assert plain[0]["gen_by_fuel_mw"] != []
    assert room[0]["max_loading"] == pytest.approx(0.95, abs=1e-5)
    assert room[0]["curtailed_mw"] > plain[0]["curtailed_mw"]
    assert room[0]["label"] == "feasible"


def test_storage_follows_its_series() -> None:
    net = small_network()
    net = net.replace(storage=StorageTable.make(id=["battery"], bus=[2], p_min_mw=-30, p_max_mw=30))
    time = np.datetime64("2020-03-02T00:00") + np.arange(2) * np.timedelta64(1, "h")
    profiles = Profiles(time, {("storage", "p_mw"): (np.array([[10.0], [-10.0]]), [0])})
    conditions = conditions_of(net, profiles)
    points = operating_points(conditions, batch_of(conditions, profiles, slice(None)))
    gap = points.p_mw.sum(1)[1] - points.p_mw.sum(1)[0]
    assert gap == pytest.approx(20, abs=1.5)  # and a little more for losses
    solution = ag.power_flow(net, points.scenarios)
    np.testing.assert_allclose(solution.v_mag, points.result.v_mag, atol=1e-6)


def test_bad_requests_name_what_is_wrong(grid: Path, tmp_path: Path) -> None:
    bare = save(small_network(), tmp_path / "bare")
    for arguments, expected in (
        ({"grid": bare}, "comes without profiles"),
        ({"start": "someday", "stop": "later"}, "'someday' is not a time(.|\n)*'later' is not a time"),
        ({"start": "2021-01-01", "stop": "2021-01-02"}, "no step from"),
        ({"contingencies": [["L77"]]}, "L77"),
        ({"threads": 0}, "at least 1"),
        ({"margin": 0.7}, "give a share"),
        ({"co2_price_per_t": -1.0}, "0 or more"),
    ):
        with pytest.raises(ag.InputError, match=expected):
            ag.generate(**{"grid": grid, "out": tmp_path / "run", **arguments})
        assert not (tmp_path / "run").exists()
