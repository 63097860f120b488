"""Features: regions, corridors and critical branches by their rules; values against the definition; keeping and renewing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from aurigrid.errors import InputError
from aurigrid.io.folder import save
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.store import ensure_features, open_run
from aurigrid.store.measures import installed_mw
from aurigrid.store.regions import LEAST_PTDF, corridors, critical_branches, regions

from .conftest import begin
from .states import state, two_areas, write_run


def grid(n: int, **bus: object) -> Network:
    """A path of n buses of 100 MVA each."""
    ends = {"from_bus": np.arange(n - 1), "to_bus": np.arange(1, n)}
    return Network(
        bus=BusTable.make(id=[f"b{i}" for i in range(n)], **bus),
        branch=BranchTable.make(id=[f"l{i}" for i in range(n - 1)], x_pu=[0.1] * (n - 1), rate_mva=100.0, **ends),
        load=LoadTable.make(id=range(n), bus=range(n), p_mw=[1.0] * n),
    )


def test_areas_come_first_then_zones_places_levels() -> None:
    lat, lon = np.repeat(np.linspace(50, 53, 7), 7), np.tile(np.linspace(7, 13, 7), 7)
    both = {"area": ["x"] * 25 + ["y"] * 24, "zone": [f"z{i % 3}" for i in range(49)], "lat": lat, "lon": lon}
    assert regions(grid(49, **both)).names == ("x", "y")
    assert regions(grid(49, **{**both, "area": ["x"] * 49})).kind == "zone"
    places = regions(grid(49, lat=lat, lon=lon))
    assert places.kind == "geographic"
    assert set(places.names) == {
        "north west", "north", "north east", "west", "centre", "east", "south west", "south", "south east",
    }  # fmt: skip
    assert places.names[places.of_bus[0]] == "south west"
    assert places.names[places.of_bus[48]] == "north east"
    assert places.names[places.of_bus[24]] == "centre"
    few = regions(grid(40, lat=[50.0] * 39 + [51.0], lon=[8.0] * 40))
    assert len(few.names) == 2
    assert regions(grid(4, v_nom_kv=[110, 110, 380, 380])).names == ("110 kV", "380 kV")
    assert regions(grid(4)).names == ("grid",)


def test_buses_without_a_label_take_that_of_a_neighbour() -> None:
    star = regions(grid(21, area=["x"] * 10 + [""] + ["y"] * 10, is_star=[False] * 10 + [True] + [False] * 10))
    assert star.names == ("x", "y")
    assert star.of_bus[10] in (0, 1)


def test_many_areas_keep_the_largest() -> None:
    sizes = [9, 8, 7, 6, 5, 5, 5, 5, 5, 5, 5, 2, 1, 1]
    found = regions(grid(sum(sizes), area=np.repeat([f"a{i:02}" for i in range(14)], sizes)))
    assert found.names == (*(f"a{i:02}" for i in range(11)), "other")


def test_corridors_sum_the_branches_between_two_regions() -> None:
    net = two_areas()
    (tie,) = corridors(net, regions(net))
    assert tie.branch.tolist() == [1, 3]
    assert tie.forward.tolist() == [True, False]


def test_critical_branches_fill_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the ring 0-1-2-3 with loads at 1 (A), 2 and 3 (B), a MW from B to A flows 0.5 + 0.5 to bus 1.

    By current division: from 2 directly over T1 (x 0.1) against 0.4 the long way: 0.8 and 0.2. From 3: LB and T1 (0.2)
    against T2 and LA (0.3): 0.6 and 0.4. So T1 carries 0.7, LA and T2 0.3, and LB 0.5 0.6 - 0.5 0.2 = 0.2 of it.
    They are full at 286 (T1), 333 (LA), 500 (T2 and LB) MW.
    """
    net = two_areas()
    assert critical_branches(net, regions(net)).tolist() == [0, 1, 2, 3]
    monkeypatch.setattr("aurigrid.store.regions.MOST_CRITICAL", 1)
    assert critical_branches(net, regions(net)).tolist() == [1]
    monkeypatch.setattr("aurigrid.store.regions.MOST_CRITICAL", 2)
    assert critical_branches(net, regions(net)).tolist() == [0, 1]
    monkeypatch.undo()
    weak = net.replace(branch=net.branch.replace(x_pu=[0.1, 0.1, 5.0, 0.2]))
    # LB at x 5: from 3 it takes 0.3 / 5.4, from 2 0.1 / 5.4, both ways through it: 0.5 (0.3 - 0.1) / 5.4 = 0.019 < 0.05.
    assert LEAST_PTDF > 0.5 * (0.3 - 0.1) / 5.4
    assert critical_branches(weak, regions(weak)).tolist() == [0, 1, 3]


def test_parallel_circuits_count_once_and_unrated_ones_never() -> None:
    net = two_areas()
    first = net.branch
    rows = np.array([0, 1, 1, 2, 3])
    twin = first.take(rows).replace(id=["LA", "T1", "T1b", "LB", "T2"], rate_mva=[100, 200, 150, np.inf, 150])
    found = net.replace(branch=twin)
    assert critical_branches(found, regions(found)).tolist() == [0, 2, 4]


def test_one_region_asks_for_units_against_loads() -> None:
    net = grid(3).replace(gen=GenTable.make(id=["g"], bus=[0]), load=LoadTable.make(id=["l"], bus=[2], p_mw=[5]))
    assert critical_branches(net, regions(net)).tolist() == [0, 1]


def test_values_follow_the_definition(tmp_path: Path) -> None:
    write_run(tmp_path / "run", n=4)
    found = ensure_features(tmp_path / "run")
    value = dict(zip(found.names, found.value.T, strict=True))
    scale = {f.name: f.scale for f in found.features}
    run = open_run(tmp_path / "run")
    p_from, p_to = (
        np.array(run.table("branch_state").column(c).to_pylist()).reshape(4, 4) for c in ("p_from_mw", "p_to_mw")
    )
    gen = np.array(run.table("gen_state").column("p_mw").to_pylist()).reshape(4, 4)
    volts = np.array(run.table("bus_state").column("v_mag").to_pylist()).reshape(4, 4)
    loading = np.array(run.table("branch_state").column("loading").to_pylist()).reshape(4, 4)
    steps = run.table("steps").to_pydict()
    leaves_a = p_from[:, 1] + p_to[:, 3]
    for name, expected in {
        "load": steps["load_mw"],
        "wind": gen[:, 0],
        "wind, A": gen[:, 0],
        "sun, B": gen[:, 3],
        # LA begins and ends in A: its losses are no load.
        "net load, A": gen[:, 1] - leaves_a - p_from[:, 0] - p_to[:, 0],
        "interchange, A - B": leaves_a,
        "loading, A - B": loading[:, [1, 3]].max(axis=1),
        "loading, LB": loading[:, 2],
        "lowest voltage, 380 kV": volts[:, :3].min(axis=1),
        "highest voltage, 110 kV": volts[:, 3],
        "insecure outages": np.array(steps["outages_violating"]) / 10,
        "unsolved outages": [0.1] * 4,
        "limits broken before outages": steps["base_violations"],
        "worst severity": steps["worst_severity"],
    }.items():
        np.testing.assert_allclose(value[name], expected, rtol=1e-5, atol=1e-4, err_msg=name)
    flow = loading * two_areas().branch.rate_mva
    np.testing.assert_allclose(
        value["margin, A - B"], np.maximum([200, 150] - flow[:, [1, 3]], 0).sum(axis=1), rtol=1e-5
    )
    assert installed_mw(two_areas()) == 1000
    assert (scale["load"], scale["net load, A"], scale["margin, A - B"]) == (20, 10, pytest.approx(17.5))
    assert "sun, A" not in value
    assert found.time[1] - found.time[0] == np.timedelta64(15, "m")


def test_net_load_of_a_solved_state_is_its_loads(tmp_path: Path) -> None:
    from aurigrid.powerflow import power_flow
    from aurigrid.studies.rows import state_columns

    net = two_areas()
    solution = power_flow(net)
    writer = begin(tmp_path / "run", n_steps=1, save_grid=lambda folder: save(net, folder))
    tables = {**state(net, 0, np.random.default_rng(0)), **state_columns(solution, 0)}
    writer.write_step(0, tables)
    found = ensure_features(tmp_path / "run")
    value = dict(zip(found.names, found.value[0].tolist(), strict=True))
    assert value["net load, A"] == pytest.approx(80 - 120, abs=1e-3)
    assert value["net load, B"] == pytest.approx(180 - 10, abs=1e-3)


def test_vectors_are_kept_and_follow_new_steps(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(2)
    writer = write_run(tmp_path / "run", n=3, net=net, total=4)
    first = ensure_features(tmp_path / "run")
    assert open_run(tmp_path / "run").sql("SELECT count(*) AS n, max(len(value)) AS d FROM features").to_pylist() == [
        {"n": 3, "d": len(first.names)}
    ]
    again = ensure_features(tmp_path / "run")
    np.testing.assert_array_equal(again.value, first.value)
    assert again.features == first.features
    assert again.branches_out == first.branches_out
    writer.write_step(3, state(net, 3, rng))
    more = ensure_features(tmp_path / "run")
    assert more.step.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(more.value[:3], first.value)
    assert pq.read_table(tmp_path / "run" / "features.parquet").num_rows == 4


def test_vectors_of_another_definition_are_derived_anew(tmp_path: Path) -> None:
    write_run(tmp_path / "run", n=2)
    first = ensure_features(tmp_path / "run")
    file = tmp_path / "run" / "features.parquet"
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 1).replace_schema_metadata({b"aurigrid.features": b"0"}), file)
    np.testing.assert_array_equal(ensure_features(tmp_path / "run").value, first.value)


def test_states_without_a_solution_have_no_values(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(2)
    writer = write_run(tmp_path / "run", n=2, net=net, total=3)
    failed = state(net, 2, rng, status="diverged")
    for name, columns in (("bus_state", ("v_mag", "v_ang")), ("branch_state", ("p_from_mw", "loading"))):
        failed[name].update(dict.fromkeys(columns, np.full(4, np.nan)))
    writer.write_step(2, failed)
    value = ensure_features(tmp_path / "run").value
    assert np.isfinite(value[:2]).all()
    assert np.isnan(value[2]).all()
    assert np.isnan(ensure_features(tmp_path / "run").value[2]).all()


def test_a_step_without_outages_has_features(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(2)
    writer = write_run(tmp_path / "run", n=0, net=net, total=1)
    tables = state(net, 0, rng)
    nothing = {"worst_contingency": None, "worst_element": None, "worst_kind": None, "max_loading_branch": None}
    tables["steps"].update(nothing, worst_severity=np.nan, outages=0, outages_violating=0, outages_failed=0)
    writer.write_step(0, tables)
    found = ensure_features(tmp_path / "run")
    value = dict(zip(found.names, found.value[0].tolist(), strict=True))
    assert (value["worst severity"], value["insecure outages"]) == (0, 0)


def test_branches_that_carry_nothing_are_named(tmp_path: Path) -> None:
    net, rng = two_areas(), np.random.default_rng(2)
    writer = write_run(tmp_path / "run", n=1, net=net, total=2)
    tables = state(net, 1, rng)
    for name in ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "loading"):
        tables["branch_state"][name] = np.where(np.arange(4) == 2, 0.0, tables["branch_state"][name])
    writer.write_step(1, tables)
    assert ensure_features(tmp_path / "run").branches_out == ((), ("LB",))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that this user may not write")
def test_an_archive_is_read_all_the_same(tmp_path: Path) -> None:
    write_run(tmp_path / "run", n=2)
    (tmp_path / "run").chmod(0o555)
    try:
        assert len(ensure_features(tmp_path / "run").step) == 2
    finally:
        (tmp_path / "run").chmod(0o755)
    assert not (tmp_path / "run" / "features.parquet").exists()


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "run", n=2)
    monkeypatch.setattr(pq, "write_table", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert len(ensure_features(tmp_path / "run").step) == 2
    assert not [f for f in (tmp_path / "run").iterdir() if "feature" in f.name]


def test_damage_is_told(tmp_path: Path, run_path: Path) -> None:
    write_run(tmp_path / "other", n=2)
    ensure_features(tmp_path / "other")
    (tmp_path / "other" / "features.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"features\.parquet"):
        ensure_features(tmp_path / "other")
    with pytest.raises(InputError, match="does not fit the grid"):  # flows of branches that the grid does not have
        ensure_features(run_path)
