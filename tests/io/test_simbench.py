"""The SimBench reader against the simbench package: profiles, time axis, fuels, and the cache."""

import warnings

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.io import simbench as reader
from aurigrid.io.load import load_with_report

CODE = "1-MV-rural--0-sw"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    simbench = pytest.importorskip("simbench")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(folder, monkeypatch):
    monkeypatch.setenv("AURIGRID_CACHE_DIR", str(folder))


@pytest.fixture(scope="module")
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = simbench.get_simbench_net(CODE)
        return net, simbench.get_absolute_values(net, True)


def test_profiles_equal_the_packages_absolute_values(theirs):
    net, absolute = theirs
    imported = load_with_report(CODE)
    grid, profiles = imported.network, imported.profiles
    assert imported.report.source_format == "SimBench"
    pairs = {("load", "p_mw"): "load", ("load", "q_mvar"): "load", ("sgen", "p_mw"): "gen"}
    for (element, column), table in pairs.items():
        ids = getattr(grid, table).id[profiles.series[table, column].position]
        mine = [i for i, id in enumerate(ids) if id.startswith(f"{element}:")]
        assert [ids[i] for i in mine] == [f"{element}:{i}" for i in net[element].index]
        values = profiles.values(table, column)[:, mine]
        np.testing.assert_array_equal(values, absolute[element, column].to_numpy())


def test_time_is_berlin_time_with_its_changes():
    profiles = load_with_report(CODE).profiles
    assert (profiles.zone, profiles.step_min, profiles.n_steps) == ("Europe/Berlin", 15, 35136)
    assert str(profiles.time[0]) == "2015-12-31T23:00:00"
    assert [len(profiles.day(d)) for d in ("2016-01-18", "2016-03-27", "2016-10-30")] == [96, 92, 100]


def test_a_day_gives_scenarios_of_the_network():
    imported = load_with_report(CODE)
    day = imported.profiles.day("2016-06-21")
    scenarios = day.scenarios(imported.network)
    assert scenarios.n == 96
    np.testing.assert_array_equal(scenarios.load_p_mw[:, 0], day.values("load", "p_mw")[:, 0])


def test_plants_have_fuels_and_buses_coordinates(theirs):
    net, _ = theirs
    grid = load_with_report(CODE).network
    assert set(grid.gen.fuel[grid.gen.technology == "PV"]) <= {"solar"}
    assert "solar" in grid.gen.fuel
    assert np.isfinite(grid.bus.lon).all()
    assert len(grid.switch) == (net.switch.et == "b").sum()


def test_the_second_load_reads_the_cache_alone(monkeypatch):
    first = load_with_report(CODE)
    monkeypatch.setattr(reader, "_simbench_net", lambda code: pytest.fail("not read from the cache"))
    again = load_with_report(CODE)
    assert again.network.digest == first.network.digest
    rows = slice(5000, 5096)
    a, b = (i.profiles.values("load", "q_mvar", rows.start, rows.stop) for i in (first, again))
    np.testing.assert_array_equal(a, b)


def test_stamps_that_are_not_local_time_are_refused():
    spring = np.array(["27.03.2016 01:30", "27.03.2016 01:45", "27.03.2016 03:00"], dtype=object)
    assert str(reader.utc_axis(spring)[-1]) == "2016-03-27T01:00:00"
    with pytest.raises(InputError, match="fixed step"):
        reader.utc_axis(np.array(["01.01.2016 00:00", "01.01.2016 00:15", "01.01.2016 00:45"], dtype=object))


def test_unknown_code():
    with pytest.raises(InputError, match="1-MV-rural--0-sw"):
        load_with_report("1-MV-rurl--0-sw")
