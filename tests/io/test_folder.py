"""The Parquet folder: bit-exact round trips, nothing half written, every kind of damage told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurigrid.errors import InputError
from aurigrid.io import folder as folder_module
from aurigrid.io.folder import load_folder, save
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable, SwitchTable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)


def small() -> Network:
    return Network(
        name="tiny / Übung",
        base_mva=12.5,
        bus=BusTable.make(id=[7, "7b", "star", 12], name=["a", "", "ü", "日本"], lat=[1, np.nan, 2, 3],
            is_star=[0, 0, 1, 0]),
        branch=BranchTable.make(id=["x", "y"], from_bus=[0, 1], to_bus=[1, 2], x_pu=[0.1, 1 / 3], rate_mva=[np.inf, 5]),
        gen=GenTable.make(id=[2**40, 3], bus=[0, 1], is_reference=[True, False], q_min_mvar=[-np.inf, -0.0]),
        load=LoadTable.make(id=["d"], bus=[2], p_mw=5e-324),
    )  # fmt: skip


def assert_identical(a: Network, b: Network) -> None:
    assert (a.name, a.base_mva, a.frequency_hz) == (b.name, b.base_mva, b.frequency_hz)
    for name, table in a.tables():
        other = getattr(b, name)
        for key, values in table.items():
            read = getattr(other, key)
            assert read.dtype == values.dtype or not len(values), f"{name}.{key}"
            if values.dtype == object:
                assert read.tolist() == values.tolist()
                assert [type(v) for v in read] == [type(v) for v in values]
            else:
                assert read.tobytes() == values.tobytes(), f"{name}.{key}"
            assert not read.flags.writeable
    assert a.digest == b.digest


def test_round_trip(tmp_path: Path) -> None:
    target = save(small(), tmp_path / "deep" / "grid")
    read, profiles = load_folder(target)
    assert_identical(small(), read)
    assert profiles is None
    assert sorted(p.name for p in tmp_path.glob("deep/*")) == ["grid"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(1, 6), base=st.floats(1e-3, 1e6))
def test_any_table_survives_to_the_bit(tmp_path: Path, data: st.DataObject, n: int, base: float) -> None:
    def column(of: st.SearchStrategy[object]) -> list[object]:
        return data.draw(st.lists(of, min_size=n, max_size=n))

    net = Network(
        bus=BusTable.make(id=column(st.integers(-(2**62), 2**62) | TEXTS), name=column(TEXTS), v_nom_kv=column(FLOATS)),
        gen=GenTable.make(id=column(st.integers(0, 9)), bus=0, regulates=column(st.booleans()), q_mvar=column(FLOATS)),
        switch=SwitchTable.make(id=column(TEXTS), from_bus=column(st.integers(-5, 5)), to_bus=0),
        base_mva=base,
        name=data.draw(TEXTS),
    )
    assert_identical(net, load_folder(save(net, tmp_path / "grid"))[0])


def test_many_boolean_rows(tmp_path: Path) -> None:
    closed = np.random.default_rng(5).random(1003) < 0.5
    net = small().replace(switch=SwitchTable.make(id=np.arange(1003), from_bus=0, to_bus=1, closed=closed))
    assert load_folder(save(net, tmp_path / "grid"))[0].switch.closed.tolist() == closed.tolist()


def test_text_types_that_equal_plain_text(tmp_path: Path) -> None:
    net = Network(bus=BusTable.make(id=[np.str_("a"), "b"]), base_mva=np.float64(50.0))
    read = load_folder(save(net, tmp_path / "grid"))[0]
    assert read.bus.id.tolist() == ["a", "b"]
    assert read.base_mva == 50.0


def test_files_are_plain_parquet(tmp_path: Path) -> None:
    save(small(), tmp_path / "grid")
    table = pq.read_table(tmp_path / "grid" / "bus.parquet")
    assert table["id"].to_pylist() == ["7", "7b", "star", "12"]
    assert table["is_star"].to_pylist() == [False, False, True, False]
    meta = pq.read_metadata(tmp_path / "grid" / "bus.parquet")
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert not (tmp_path / "grid" / "shunt.parquet").exists()


def make_profiles(n: int = 300) -> tuple[Profiles, np.ndarray]:
    values = np.random.default_rng(2).random((n, 2))
    time = np.datetime64("2015-12-31T23:00:00") + np.arange(n) * np.timedelta64(15, "m")
    series = {("bus", "v_mag_pu"): (values, [3, 1]), ("load", "p_mw"): (values[:, :1].astype(np.float32), [0])}
    return Profiles(time, series, zone="Europe/Berlin"), values


def test_profiles_round_trip(tmp_path: Path) -> None:
    profiles, values = make_profiles()
    _, read = load_folder(save(small(), tmp_path / "grid", profiles))
    assert read is not None
    assert (read.zone, read.step_min, len(read)) == ("Europe/Berlin", 15, 300)
    np.testing.assert_array_equal(read.time, profiles.time)
    assert read.series["bus", "v_mag_pu"].position.tolist() == [3, 1]
    assert read.values("bus", "v_mag_pu").tobytes() == values.tobytes()
    assert read.values("bus", "v_mag_pu", 90, 200).tobytes() == values[90:200].tobytes()
    assert read.values("bus", "v_mag_pu", 96, 96).shape == (0, 2)
    np.testing.assert_array_equal(read.values("load", "p_mw"), values[:, :1].astype(np.float32))
    np.testing.assert_array_equal(
        read.day("2016-01-02").values("bus", "v_mag_pu"), profiles.day("2016-01-02").values("bus", "v_mag_pu")
    )


def test_filled_values_are_saved(tmp_path: Path) -> None:
    values = np.array([[1.0], [np.nan], [3.0]])
    time = np.datetime64("2016-01-01T00:00:00") + np.arange(3) * np.timedelta64(60, "m")
    profiles = Profiles(time, {("load", "p_mw"): (values, [0])}, fill="linear")
    _, read = load_folder(save(small(), tmp_path / "grid", profiles))
    assert read is not None
    assert read.values("load", "p_mw").tolist() == [[1], [2], [3]]


def test_saving_again_replaces(tmp_path: Path) -> None:
    save(small(), tmp_path / "grid", make_profiles()[0])
    other = small().replace(name="second")
    save(other, tmp_path / "grid")
    read, profiles = load_folder(tmp_path / "grid")
    assert read.name == "second"
    assert profiles is None
    assert [p.name for p in tmp_path.iterdir()] == ["grid"]


def test_foreign_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("papers", "file"):
        with pytest.raises(InputError, match="exists and is not an Aurigrid folder; choose another name"):
            save(small(), tmp_path / name)
    assert (tmp_path / "papers" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert_identical(small(), load_folder(save(small(), tmp_path / "empty"))[0])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    save(small(), tmp_path / "grid")
    written = []

    def fail_on_third(table: pa.Table, path: Path, *rest: object) -> None:
        written.append(path)
        if len(written) == 3:
            raise error
        pq.write_table(table, path)

    monkeypatch.setattr(folder_module, "_write", fail_on_third)
    with pytest.raises(type(error)):
        save(small().replace(name="new"), tmp_path / "grid")
    assert len(written) == 3
    assert load_folder(tmp_path / "grid")[0].name == small().name
    assert [p.name for p in tmp_path.iterdir()] == ["grid"]


def test_ids_of_other_kinds_are_refused(tmp_path: Path) -> None:
    net = Network(bus=BusTable.make(id=[b"a", "b", 2.5], name=["\ud800", "", ""]))
    with pytest.raises(InputError) as caught:
        save(net, tmp_path / "grid")
    assert "bus.id: is neither a whole number nor a text (b'a', 2.5)" in str(caught.value)
    assert "bus.name: holds texts that are not valid Unicode" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def damage_bytes(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    for i in range(8):
        data[int(len(data) * at) + i] ^= 0xFF
    path.write_bytes(data)


def edit_head(folder: Path, **changes: object) -> None:
    head = json.loads((folder / "grid.json").read_text())
    (folder / "grid.json").write_text(json.dumps({**head, **changes}))


def replace_load_column(folder: Path, column: str, values: pa.Array | None) -> None:
    path = folder / "load.parquet"
    table = pq.read_table(path)
    at = table.column_names.index(column)
    pq.write_table(table.remove_column(at) if values is None else table.set_column(at, column, values), path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


DAMAGES = {
    "a missing file": (lambda f: (f / "bus.parquet").unlink(), "bus.parquet: file is missing"),
    "bits in a table": (lambda f: damage_bytes(f / "branch.parquet", 0.02), "branch.parquet: cannot be read"),
    "a cut file": (lambda f: cut(f / "gen.parquet"), "gen.parquet: cannot be read"),
    "not parquet": (lambda f: (f / "load.parquet").write_text("hello"), "load.parquet: cannot be read"),
    "no JSON": (lambda f: (f / "grid.json").write_text("{"), "grid.json: cannot be read"),
    "other JSON": (lambda f: (f / "grid.json").write_text("[1]"), "the format is not aurigrid-grid"),
    "a later version": (lambda f: edit_head(f, version=99), "has format version 99, this release reads version 1"),
    "another base": (lambda f: edit_head(f, base_mva=100.0), "their digest differs"),
    "a text for a base": (lambda f: edit_head(f, base_mva="100"), "grid.json.base_mva: is missing or not as saved"),
    "an unknown table": (lambda f: edit_head(f, rows={"lamp": 1}), "rows.lamp: is missing or not as saved"),
    "profiles of a wrong kind": (lambda f: edit_head(f, profiles=3), "grid.json.profiles: is missing or not as saved"),
    "rows not counted": (lambda f: edit_head(f, rows={"bus": 4}), "their digest differs"),
    "a changed value": (lambda f: replace_load_column(f, "p_mw", pa.array([1.0])), "their digest differs"),
    "a lost column": (lambda f: replace_load_column(f, "p_mw", None), "p_mw: column is missing"),
    "an empty cell": (
        lambda f: replace_load_column(f, "p_mw", pa.array([None], pa.float64())),
        "p_mw: has 1 empty cells",
    ),
    "a changed type": (lambda f: replace_load_column(f, "bus", pa.array([2.0])), "bus: is of type double"),
    "a lost time axis": (lambda f: (f / "profiles" / "time.parquet").unlink(), "profiles: file is missing"),
    "a lost series": (lambda f: (f / "profiles" / "load.p_mw.parquet").unlink(), "profiles: file is missing"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_one_clear_error(tmp_path: Path, name: str) -> None:
    damage, message = DAMAGES[name]
    target = save(small(), tmp_path / "grid", make_profiles()[0])
    damage(target)
    with pytest.raises(InputError) as caught:
        load_folder(target)
    assert message in str(caught.value)
    assert len(caught.value.issues) == 1


def test_all_damaged_files_are_named_at_once(tmp_path: Path) -> None:
    target = save(small(), tmp_path / "grid")
    (target / "bus.parquet").unlink()
    (target / "gen.parquet").write_text("")
    with pytest.raises(InputError) as caught:
        load_folder(target)
    assert len(caught.value.issues) == 2


def test_damaged_profiles_are_told_when_read(tmp_path: Path) -> None:
    target = save(small(), tmp_path / "grid", make_profiles()[0])
    damage_bytes(target / "profiles" / "bus.v_mag_pu.parquet", 0.1)
    _, profiles = load_folder(target)
    assert profiles is not None
    with pytest.raises(InputError, match=r"bus\.v_mag_pu\.parquet: cannot be read"):
        profiles.values("bus", "v_mag_pu")


def test_profiles_of_another_length_are_refused(tmp_path: Path) -> None:
    target = save(small(), tmp_path / "grid", make_profiles()[0])
    other = save(small(), tmp_path / "other", make_profiles(200)[0])
    shutil.copy(other / "profiles" / "load.p_mw.parquet", target / "profiles")
    with pytest.raises(InputError, match=r"load\.p_mw\.parquet has 200 steps, not 300"):
        load_folder(target)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; an Aurigrid folder holds a file"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not an Aurigrid folder"):
        load_folder(tmp_path)
