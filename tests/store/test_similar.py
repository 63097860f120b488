"""Similar situations: distances by definition, filters, several runs, what came next, bad input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.io.folder import save
from aurigrid.store import Situations, ensure_features, open_run, similar
from aurigrid.store.run import write_table
from aurigrid.store.schema import TABLES, Column, to_arrow

from .conftest import begin
from .states import START, state, two_areas, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three Mondays to Wednesdays of twelve quarter-hours."""
    folder = tmp_path_factory.mktemp("runs")
    for day in range(3):
        write_run(folder / f"day{day}", seed=day, day=day)
    return [folder / f"day{day}" for day in (2, 0, 1)]


def distance(a: np.ndarray, b: np.ndarray, groups: list[str], scales: list[float]) -> float:
    """The definition, group by group."""
    names = sorted(set(groups))
    parts = [
        np.mean([((x - y) / s) ** 2 for x, y, g, s in zip(a, b, groups, scales, strict=True) if g == name])
        for name in names
    ]
    return float(np.sqrt(np.mean(parts)))


def test_distances_follow_the_definition(runs: list[Path]) -> None:
    found = similar(runs, 7, k=40)
    assert (found.searched, len(found.neighbours)) == (24 + 4, 24 + 4)  # the run's own steps 0 to 3 are an hour old
    described = {str(path): ensure_features(path) for path in runs}
    here = described[str(runs[0])]
    groups, scales = [f.group for f in here.features], [f.scale for f in here.features]
    for near in found.neighbours:
        value = described[near.run].value[near.step]
        assert near.distance == pytest.approx(distance(value, here.value[7], groups, scales), rel=1e-12)
    distances = [near.distance for near in found.neighbours]
    assert distances == sorted(distances)


def test_only_states_whose_following_hour_was_over(runs: list[Path]) -> None:
    own = [n for n in similar(runs, 7, k=40).neighbours if n.run == str(runs[0])]
    assert sorted(n.step for n in own) == [0, 1, 2, 3]
    asked_early = similar([runs[1], *runs], 7, k=99)  # the first Monday: the other days are later
    assert {n.time[:10] for n in asked_early.neighbours} == {"2016-01-18"}
    everything = similar(runs, 7, k=99, past=False)
    assert everything.searched == 35


def test_traits_tell_what_is_near_and_what_is_not(runs: list[Path]) -> None:
    every = Situations(runs)
    found = every.search(7, k=5, past=False)
    here = every.value[every.row(7)]
    weighted = ((every.value - here) * every.factor) ** 2
    usual = weighted.mean(axis=0)
    names = [f.name for f in every.features]
    for near in found.neighbours:
        row = int(
            np.flatnonzero(
                (every.run == [str(r.path) for r in every.runs].index(near.run)) & (every.step == near.step)
            )[0]
        )
        parts = weighted[row]
        assert near.distance**2 == pytest.approx(parts.sum(), rel=1e-12)
        assert [t.name for t in near.different] == [names[i] for i in np.argsort(-parts, kind="stable")[:3]]
        for trait in near.alike:
            at = names.index(trait.name)
            assert trait.gain == pytest.approx(usual[at] - parts[at], rel=1e-9)
            assert trait.gain > 0
            assert (trait.value, trait.asked) == (every.value[row, at], here[at])
        assert not {t.name for t in near.alike} & {t.name for t in near.different}


def test_words_carry_units(runs: list[Path]) -> None:
    words = " ".join(t.words for n in similar(runs, 7, k=30).neighbours for t in (*n.alike, *n.different))
    assert " MW (asked " in words
    assert " % (asked " in words
    assert "nan" not in words


def test_conditions_filter_before_the_search(runs: list[Path]) -> None:
    tuesday = similar(runs, 7, k=99, where="dayofweek(time) = 2 AND hour(time) >= 1")
    assert {(n.time[:10], int(n.time[11:13]) >= 1) for n in tuesday.neighbours} == {("2016-01-19", True)}
    assert tuesday.searched == 8
    everything = {(n.run, n.step): n.distance for n in similar(runs, 7, k=99).neighbours}
    for near in tuesday.neighbours:
        assert near.distance == everything[near.run, near.step]
    assert similar(runs, 7, where="false").neighbours == ()
    over = similar(runs, 7, k=99, where="step IN (SELECT step FROM branch_state WHERE branch = 1 AND loading > 0.3)")
    assert 0 < over.searched < 28


def test_like_now_with_a_line_out(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(4)
    writer = begin(tmp_path / "run", n_steps=12, save_grid=lambda folder: save(net, folder))
    for step in range(12):
        tables = state(net, step, rng, time=START + np.timedelta64(15 * step, "m"))
        if step in (2, 5):
            for name in ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "loading"):
                tables["branch_state"][name] = np.where(np.arange(4) == 3, 0.0, tables["branch_state"][name])
        writer.write_step(step, tables)
    found = similar(tmp_path / "run", 11, where="list_contains(branches_out, 'T2') AND dayofweek(time) BETWEEN 1 AND 5")
    assert sorted(n.step for n in found.neighbours) == [2, 5]
    assert {n.branches_out for n in found.neighbours} == {("T2",)}


def test_what_the_next_hour_brought(runs: list[Path]) -> None:
    found = similar(runs, 7, k=99, past=False)
    for near in found.neighbours:
        steps = open_run(near.run).table("steps").to_pylist()
        later = steps[near.step + 1 : near.step + 5]
        if not later:
            assert near.after is None
            continue
        assert near.after is not None
        assert near.after["steps"] == len(later)
        assert near.after["outages_violating"] == max(s["outages_violating"] for s in later)
        assert near.after["worst_severity"] == max(s["worst_severity"] for s in later)
        assert near.after["load_change_mw"] == later[-1]["load_mw"] - steps[near.step]["load_mw"]
        assert near.after["secure"] is False  # each step has an outage without a solution
        assert near.done == ()


def test_what_was_done_is_told_where_it_is_stored(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(runs[1], tmp_path / "run")
    columns = (
        Column("step", "int32", ""),
        Column("curtailed_mw", "float64", ""),
        Column("redispatch_mw", "float64", ""),
    )
    monkeypatch.setitem(TABLES, "points", columns)
    table = to_arrow(
        "points", {"step": range(12), "curtailed_mw": np.arange(12.0), "redispatch_mw": 10 * np.arange(12.0)}
    )
    write_table(path / "points.parquet", table)
    for near in similar(path, 11).neighbours:
        (row,) = near.done
        assert row == {"table": "points", "curtailed_mw": near.step, "redispatch_mw": 10 * near.step}


def test_a_run_without_states_is_refused(runs: list[Path], tmp_path: Path) -> None:
    path = shutil.copytree(runs[1], tmp_path / "run")
    (path / "features.parquet").unlink(missing_ok=True)
    write_table(path / "steps.parquet", to_arrow("steps", {c.name: [] for c in TABLES["steps"]}))
    with pytest.raises(InputError, match="holds no states of its steps"):
        similar(open_run(path), 3)


def test_long_intervals_are_followed_by_the_next_one(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(4)
    writer = begin(tmp_path / "run", n_steps=4, save_grid=lambda folder: save(net, folder))
    for step in range(4):
        writer.write_step(step, state(net, step, rng, time=START + np.timedelta64(6 * step, "h")))
    by_step = {n.step: n for n in similar(tmp_path / "run", 3, k=3).neighbours}
    assert by_step[0].after is not None
    assert by_step[0].after["until"] == "2016-01-18 06:00"


def test_a_vector_asks_for_a_state_that_is_not_stored(runs: list[Path]) -> None:
    every = Situations(runs)
    wanted = every.value[20]
    found = every.search(vector=wanted, k=1)
    assert (found.step, found.time) == (None, None)
    assert found.neighbours[0].distance == 0
    assert found.neighbours[0].different == ()
    assert found.neighbours[0].step == every.step[20]


def test_order_of_runs_and_more_of_them_do_not_change_distances(runs: list[Path], tmp_path: Path) -> None:
    before = [(n.run, n.step, n.distance) for n in similar(runs, 7, k=10).neighbours]
    swapped = [(n.run, n.step, n.distance) for n in similar([runs[0], runs[2], runs[1]], 7, k=10).neighbours]
    assert before == swapped
    net, rng = two_areas(), np.random.default_rng(4)
    writer = begin(tmp_path / "far", n_steps=1, save_grid=lambda folder: save(net, folder))
    far = state(net, 0, rng, time=START - np.timedelta64(99, "D"))
    far["gen_state"]["p_mw"] = [1e6] * 4
    writer.write_step(0, far)
    assert [(n.run, n.step, n.distance) for n in similar([*runs, tmp_path / "far"], 7, k=10).neighbours] == before


def test_other_grids_share_what_they_have_in_common(runs: list[Path], tmp_path: Path) -> None:
    net = two_areas()
    write_run(tmp_path / "other", net=net.replace(gen=net.gen.replace(fuel=["gas", "hydro", "gas", "solar"])), n=2)
    found = similar([runs[0], tmp_path / "other"], 7, k=99, past=False)
    assert found.left_out == ("wind", "wind, A")
    assert {n.run for n in found.neighbours} == {str(runs[0]), str(tmp_path / "other")}


def test_unsolved_states_are_passed_over_and_cannot_be_asked_about(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(4)
    writer = begin(tmp_path / "run", n_steps=8, save_grid=lambda folder: save(net, folder))
    for step in range(8):
        changes = {"status": "diverged"} if step == 1 else {}
        writer.write_step(step, state(net, step, rng, time=START + np.timedelta64(15 * step, "m"), **changes))
    found = similar(tmp_path / "run", 7)
    assert found.unsolved == 1
    assert 1 not in {n.step for n in found.neighbours}
    with pytest.raises(InputError, match="step 1 has no solution"):
        similar(tmp_path / "run", 1)


@pytest.mark.parametrize(
    "condition",
    ["true) UNION SELECT (1", "true) ORDER BY (step", "true) GROUP BY (step", "", "true); SELECT (1", "true) LIMIT (1",
     "step IN (SELECT * FROM read_csv('/etc/passwd'))", "nothing = 1", "step >", "'a'"],
)  # fmt: skip
def test_conditions_that_are_none_are_refused(runs: list[Path], condition: str) -> None:
    with pytest.raises(InputError):
        similar(runs, 7, where=condition)


def test_bad_input_is_told(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finished steps are 0 to 11"):
        similar(runs, 12)
    with pytest.raises(InputError, match="is not a run folder"):
        similar(tmp_path, 1)
    with pytest.raises(InputError, match="either a step or a vector"):
        similar(runs)
    with pytest.raises(InputError, match="must be at least 1"):
        similar(runs, 7, k=0)
    with pytest.raises(InputError, match="finite numbers, one a feature"):
        similar(runs, vector=[1.0])
    with pytest.raises(InputError, match="is not numbers"):
        similar(runs, vector=["a"])
    with pytest.raises(InputError, match="are missing"):
        Situations([])
    begin(tmp_path / "empty", save_grid=lambda folder: save(two_areas(), folder))
    with pytest.raises(InputError, match="no finished step yet"):
        similar(tmp_path / "empty", 0)
