"""Data sets: labels against a plain analysis, splits, going on, refusals."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.io.folder import save
from aurigrid.learn import Dataset, Recipe, make_dataset
from aurigrid.learn.collapse import nose
from aurigrid.learn.dataset import SPLITS, held_branches, held_regions
from aurigrid.learn.recipe import draw, load_regions
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.rescue import grown
from aurigrid.security import VIOLATION_KINDS
from aurigrid.studies.learning import points_of_profiles
from learn.grids import RECIPE, made, small


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(tmp_path_factory.mktemp("data") / "set")


def broken_beyond(net, point):
    """What a plain analysis of a point says: pairs that break more than their outages alone, and the status of all pairs."""
    double = ag.security_analysis(net, point, "n-2:branches", threads=1)
    single = ag.security_analysis(net, point, "n-1", threads=1)
    reactive = VIOLATION_KINDS.index("reactive_limit")
    known = {
        (c, k, e)
        for c, k, e in zip(
            single.found.contingency.tolist(), single.found.kind.tolist(), single.found.element.tolist(), strict=True
        )
    }
    ends = double.contingencies.branch.idx.reshape(-1, 2)
    place = {int(b): k for k, b in enumerate(single.contingencies.branch.idx)}
    broken = set()
    for c, k, e in zip(
        double.found.contingency.tolist(), double.found.kind.tolist(), double.found.element.tolist(), strict=True
    ):
        if c < 0 or VIOLATION_KINDS[k] == "islanding" or k == reactive:
            continue
        if not any((o, k, e) in known for o in (-1, place[int(ends[c, 0])], place[int(ends[c, 1])])):
            broken.add(tuple(sorted(ends[c].tolist())))
    return broken, {tuple(sorted(ends[c].tolist())): double.status[0, c] for c in range(len(ends))}


def rows_of(data, number):
    """Pairs of one point in a data set: those that violate, and all."""
    rows = data.table("pairs").to_pandas()
    rows = rows[rows.scenario == number]
    told = {tuple(sorted(p)) for p in zip(rows["first"][rows.violates], rows["second"][rows.violates], strict=True)}
    return told, {tuple(sorted(p)) for p in zip(rows["first"], rows["second"], strict=True)}


def test_labels_are_what_a_plain_analysis_says(data):
    net = small()
    point = draw(net, RECIPE, 1, np.arange(4), 1).scenarios[2:3]
    broken, status = broken_beyond(net, point)
    told, looked = rows_of(data, 2)
    assert len(told) > 5
    assert told == broken & looked
    # all that breaks something and is estimated is kept, so nothing that breaks is left out but what is not estimated
    assert all(status[pair] == ag.Status.ISLANDED or pair in looked for pair in broken)


def test_rows_are_split_by_outage_and_region(data):
    net = small()
    rows, points = data.table("pairs").to_pandas(), data.table("scenarios").to_pandas().set_index("scenario")
    held = held_branches(net, 1)
    with_held = held[rows["first"]] | held[rows["second"]]
    outside = rows.scenario.map(points.region_held)
    name = rows.split.map(dict(enumerate(SPLITS)))
    assert (name[with_held & ~outside] == "held_out_outages").all()
    assert (name[with_held & outside] == "held_out_both").all()
    assert (name[~with_held & outside] == "held_out_region").all()
    assert name[~with_held & ~outside].isin(["train", "calibration", "usual"]).all()
    assert held.any()
    assert not held.all()
    assert held_regions(6, 3).sum() == 1
    assert not held_regions(1, 3).any()


def test_weights_stand_for_all_pairs(data):
    rows, points = data.table("pairs").to_pandas(), data.table("scenarios").to_pandas()
    total = rows.weight.sum()
    assert total == pytest.approx(points.estimated.sum(), rel=0.1)
    assert (rows.weight[rows.violates] == 1).all()


def test_a_stopped_data_set_goes_on_and_is_the_same(data, tmp_path):
    class StopError(Exception):
        pass

    def stop(done, _):
        if done == 4:
            raise StopError

    with pytest.raises(StopError):
        made(tmp_path / "set", progress=stop)
    part = Dataset.read(tmp_path / "set")
    assert part.shards == [0]
    assert not part.complete
    (tmp_path / "set" / "pairs" / ".shard=0001.parquet.tmp-1").write_text("half")
    whole = made(tmp_path / "set")
    assert whole.complete
    assert not list((tmp_path / "set" / "pairs").glob(".*"))
    for name in ("pairs", "scenarios"):
        assert whole.table(name).equals(data.table(name))
    again = made(tmp_path / "set")
    assert again.card()["hashes"] == whole.card()["hashes"]


def test_the_card_says_what_is_there(data):
    card = json.loads((data.folder / "card.json").read_text())
    assert card["complete"]
    file = data.folder / "pairs" / "shard=0000.parquet"
    assert card["hashes"]["pairs/shard=0000.parquet"] == hashlib.sha256(file.read_bytes()).hexdigest()
    rows = data.table("pairs")
    assert sum(s["rows"] for s in card["splits"].values()) == rows.num_rows
    low, high = card["ranges"]["x_loading"]
    assert low == pytest.approx(rows["x_loading"].to_numpy().min())
    assert high == pytest.approx(rows["x_loading"].to_numpy().max())
    assert data.network().digest == small().digest
    assert "held_out_region" in (data.folder / "card.md").read_text()


def test_other_options_and_other_grids_are_refused(data):
    with pytest.raises(InputError) as error:
        made(data.folder, seed=2, keep=0.4)
    assert {i.field for i in error.value.issues} == {"seed", "keep"}
    with pytest.raises(InputError, match="another grid"):
        make_dataset(ag.load("case9"), data.folder, scenarios=6, seed=1, recipe=RECIPE, keep=0.5)


def test_bad_options_are_told_together(tmp_path):
    with pytest.raises(InputError) as error:
        make_dataset(small(), tmp_path / "x", scenarios=0, keep=0.0, v_step_pu=-1.0)
    assert len(error.value.issues) == 3
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError) as error:
        Recipe(load=(1.0, 0.5), dispatch=2.0, rating_share=0.0, points="any", rounds=0).check()
    assert len(error.value.issues) == 5
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        made(tmp_path / "full")
    with pytest.raises(InputError, match="no data set"):
        Dataset.read(tmp_path / "full")


def test_points_with_a_branch_out_of_service(data, tmp_path):
    net, recipe = small(), dataclasses.replace(RECIPE, outage=0.6)
    out = draw(net, recipe, 1, np.arange(8), 1)
    where = np.flatnonzero(out.out >= 0)
    assert 0 < len(where) < 8
    plain = draw(net, RECIPE, 1, np.arange(8), 1)
    np.testing.assert_array_equal(out.scenarios.load_p_mw, plain.scenarios.load_p_mw)
    assert (plain.out == -1).all()
    found = made(tmp_path / "set", scenarios=8, recipe=recipe, keep=1.0)
    rows, points = found.table("pairs").to_pandas(), found.table("scenarios").to_pandas().set_index("scenario")
    held = dict(zip(net.branch.id.astype(str), held_branches(net, 1), strict=True))
    counted = 0
    for number in where.tolist():
        mine, branch = rows[rows.scenario == number], int(out.out[number])
        assert points.outage[number] == str(net.branch.id[branch])
        assert not ((mine["first"] == branch) | (mine["second"] == branch)).any()
        if held[points.outage[number]]:
            assert mine.split.map(dict(enumerate(SPLITS))).isin(["held_out_outages", "held_out_both"]).all()
        if len(mine):
            broken, status = broken_beyond(net, out.scenarios[[number]])
            told, looked = rows_of(found, number)
            assert told == broken & looked
            assert all(status[p] == ag.Status.ISLANDED or p in looked for p in broken if branch not in p)
            counted += len(told)
    assert counted > 20


def test_points_depend_on_seed_and_number_only():
    net = small()
    together, alone = draw(net, RECIPE, 5, np.arange(3), 1), draw(net, RECIPE, 5, np.array([2]), 1)
    np.testing.assert_array_equal(together.scenarios.load_p_mw[2], alone.scenarios.load_p_mw[0])
    np.testing.assert_allclose(together.scenarios.gen_p_mw[2], alone.scenarios.gen_p_mw[0], atol=1e-4)
    assert not np.array_equal(together.scenarios.load_p_mw[0], together.scenarios.load_p_mw[1])


def test_regions_of_a_grid_without_any_share_the_load_evenly():
    net = ag.load("case118")
    nowhere = np.full(net.n_bus, np.nan)
    net = net.replace(bus=net.bus.replace(lon=nowhere, lat=nowhere))
    region, names = load_regions(net)
    assert len(names) == 6
    load = np.bincount(region[net.load.bus], net.load.p_mw, 6)
    assert load.min() > 0.3 * load.max()


def test_the_command_makes_a_data_set_and_refuses_bad_ranges(tmp_path, run):
    ag.save(small(), tmp_path / "grid")
    args = ["dataset", str(tmp_path / "grid"), "--out", str(tmp_path / "set"), "--scenarios", "2", "--points", "opf"]
    done = run([*args, "--rating-share", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scenarios"]["drawn"] == 2
    assert (tmp_path / "set" / "card.md").exists()
    done = run([*args[:3], str(tmp_path / "other"), "--load", "heavy", "--region", "1:x"])
    assert done.exit_code == 2
    assert not (tmp_path / "other").exists()


def test_noses_lie_between_what_has_a_solution_and_what_has_none():
    net = small()
    sc = draw(net, RECIPE, 1, np.arange(3), 1).scenarios
    limit = nose(sc, q_limits=True, slack="reference", threads=1)
    assert (limit > 1.2).all()
    assert (limit < 4.0).all()
    below, beyond = (
        ag.power_flow(net, grown(sc, limit * part), rescue=True, q_limits=True, threads=1) for part in (0.995, 1.03)
    )
    assert below.converged.all()
    assert not beyond.converged.any()
    # voltages fall faster and faster towards the nose
    low = [
        ag.power_flow(net, grown(sc, 1 + s * (limit - 1)), rescue=True, q_limits=True, threads=1) for s in (0.5, 0.98)
    ]
    assert (low[1].v_mag.min(1) < low[0].v_mag.min(1) - 0.05).all()


def test_points_near_collapse_are_drawn_by_their_own_number(tmp_path):
    near = Recipe(load=(0.9, 1.05), region=(0.9, 1.1), points="opf", rating_share=1.0, collapse=(0.8, 0.9))
    wide = make_dataset(small(), tmp_path / "near", scenarios=5, seed=1, recipe=near, threads=1, q_limits=True)
    few = make_dataset(small(), tmp_path / "few", scenarios=2, seed=1, recipe=near, threads=1, q_limits=True)
    points, plain = (x.table("scenarios").to_pandas() for x in (wide, made(tmp_path / "plain", q_limits=True)))
    assert points["used"].all()
    assert points["collapse_share"].between(0.8, 0.9).all()
    assert (points["nose_factor"] > 1.2).all()
    np.testing.assert_allclose(points["collapse_share"][:2], few.table("scenarios").to_pandas()["collapse_share"])
    assert points["v_min_pu"].max() < plain["v_min_pu"].min()
    assert points["unsolved"].sum() > plain["unsolved"].sum()
    with pytest.raises(InputError, match="collapse"):
        make_dataset(small(), tmp_path / "wrong", recipe=Recipe(collapse=(0.5, 1.5)))


def test_points_of_a_grid_s_own_series(tmp_path, run):
    """Loads are those of a step times the recipe's factors; the command makes the set and another call goes on with it."""
    net = small()
    time = np.datetime64("2020-03-02T00:00") + np.arange(6) * np.timedelta64(60, "m")
    level = np.linspace(0.6, 1.1, 6)[:, None]
    series = {("load", name): (level * getattr(net.load, name), np.arange(net.n_load)) for name in ("p_mw", "q_mvar")}
    grid = save(net, tmp_path / "grid", profiles=Profiles(time, series))
    recipe = Recipe(load=(1.0, 1.0), region=(1.0, 1.0), bus=0.0, points="profiles")
    whole = points_of_profiles(net, Profiles(time, series), recipe, 3, 1)(np.arange(8))
    alone = points_of_profiles(net, Profiles(time, series), recipe, 3, 1)(np.array([5]))
    assert whole.solved.all()
    shares = whole.scenarios.values("load_p_mw")[:, 0] / net.load.p_mw[0]
    assert {round(x, 9) for x in shares} <= {round(x, 9) for x in level[:, 0].tolist()}
    assert len(set(shares.round(9))) > 2
    np.testing.assert_array_equal(alone.scenarios.values("load_p_mw")[0], whole.scenarios.values("load_p_mw")[5])
    args = ["dataset", str(grid), "--out", str(tmp_path / "set"), "--scenarios", "3", "--points", "profiles", "--json"]
    done = run(args)
    assert done.exit_code == 0, done.output
    card = json.loads(done.stdout)
    assert card["scenarios"]["used"] == 3
    assert card["options"]["recipe"]["points"] == "profiles"
    assert run(args).exit_code == 0
    with pytest.raises(InputError, match="nothing draws them"):
        make_dataset(net, tmp_path / "other", recipe=recipe)
