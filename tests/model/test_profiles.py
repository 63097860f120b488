"""Profiles: the time axis, gaps, filling, windows, clock changes, and the scenarios made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.timeaxis import local_times, to_utc

DAY = np.datetime64("2016-01-18T00:00:00")
QUARTER = np.timedelta64(15, "m")


def axis(n: int, start: np.datetime64 = DAY, step: np.timedelta64 = QUARTER) -> np.ndarray:
    return start + np.arange(n) * step


def refused(*args: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        Profiles(*args, **options)  # type: ignore[arg-type]
    return str(caught.value)


def load_p(values: object, positions: object = (0, 2)) -> dict[tuple[str, str], tuple[object, object]]:
    return {("load", "p_mw"): (values, positions)}


def test_values_come_back_untouched_and_uncopied() -> None:
    values = np.random.default_rng(1).random((192, 2))
    profiles = Profiles(axis(192), load_p(values))
    assert profiles.step_min == 15
    np.testing.assert_array_equal(profiles.values("load", "p_mw"), values)
    assert np.shares_memory(profiles.values("load", "p_mw", 3, 9), values)
    assert values.flags.writeable
    assert not profiles.values("load", "p_mw").flags.writeable
    assert profiles.fills() == ()


def test_a_source_is_read_by_window_only() -> None:
    asked: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return np.arange(start, stop, dtype=np.float32)[:, None] * [1, 10]

    profiles = Profiles(axis(35_136, np.datetime64("2016-01-01")), load_p(read))
    assert asked == []
    day = profiles.day("2016-01-18")
    assert day.values("load", "p_mw")[0].tolist() == [17 * 96, 17 * 960]
    assert day.values("load", "p_mw", 4, 8).shape == (4, 2)
    assert asked == [(17 * 96, 18 * 96), (17 * 96 + 4, 17 * 96 + 8)]


def test_scenarios_of_a_day(net: Network) -> None:
    values = np.arange(192.0 * 2).reshape(192, 2)
    series = {**load_p(values), ("gen", "p_max_mw"): (np.ones((192, 1)), [0])}
    profiles = Profiles(axis(192), series)
    sc = profiles.day("2016-01-19").scenarios(net)
    assert sc.n == 96
    assert sc.load_p_mw[0].tolist() == [192, 30, 193]  # type: ignore[index]  # load 1 has no series
    assert sc.gen_p_mw is None
    assert sc.label[1] == "2016-01-19 00:15:00"  # type: ignore[index]
    some = profiles.scenarios(net, [5, 6, 100, 0])
    assert some.load_p_mw[:, 0].tolist() == [10, 12, 200, 0]  # type: ignore[index]
    assert profiles.scenarios(net, slice(0, 8, 4)).load_p_mw[:, 2].tolist() == [1, 9]  # type: ignore[index]


def test_series_must_fit_the_network(net: Network) -> None:
    series = {**load_p(np.ones((2, 2)), [1, 3]), ("lamp", "p_mw"): (np.ones((2, 1)), [0])}
    with pytest.raises(InputError) as caught:
        Profiles(axis(2), series).scenarios(net)
    assert "load.p_mw: is bound to positions outside the table (3); the network has 3 rows" in str(caught.value)
    assert "lamp.p_mw: is not a table and column" in str(caught.value)


def test_windows_by_position_and_time() -> None:
    profiles = Profiles(axis(192), load_p(np.arange(384.0).reshape(192, 2)))
    part = profiles.window("2016-01-18 06:00", "2016-01-18T07:00")
    assert part.time[0] == np.datetime64("2016-01-18T06:00:00")
    assert len(part) == 4
    assert part.window(1, 3).values("load", "p_mw")[:, 0].tolist() == [50, 52]
    for bad in (("2016-01-18 07:00", "2016-01-18 06:00"), ("2017-01-01", "2018-01-01")):
        with pytest.raises(InputError, match=r"profiles run from 2016-01-18T00:00:00 to 2016-01-19T23:45:00"):
            profiles.window(*bad)
    with pytest.raises(InputError, match="'noon' is not a time"):
        profiles.window("noon", 5)
    with pytest.raises(InputError, match="no step on 2016-02-01; profiles run from"):
        profiles.day("2016-02-01")
    with pytest.raises(InputError, match=r"'18\.01\.2016' is not a date"):
        profiles.day("18.01.2016")
    with pytest.raises(InputError, match=r"no such series; there are load\.p_mw"):
        profiles.values("gen", "p_mw")


def test_every_fault_is_reported_at_once() -> None:
    text = refused(
        axis(4),
        {
            ("load", "p_mw"): (np.ones((3, 2)), [0, 1]),
            ("load", "q_mvar"): (np.ones((4, 2)), [1, 1]),
            ("gen", "p_mw"): (np.full((4, 1), "x"), [0]),
            ("gen", "q_mvar"): (np.ones((4, 1)), [0.5]),
            ("storage", "p_mw"): (np.ones((4, 1)), [-2]),
        },
        zone="Mars/Base",
        fill="guess",
    )
    for part in (
        "load.p_mw: values have shape (3, 2), not (4, 2)", "load.q_mvar: elements are given twice (1)",
        "gen.p_mw: values are <U1, not numbers", "gen.q_mvar: element positions must be whole numbers",
        "storage.p_mw: element positions must not be negative (-2)", "'Mars/Base' is not a time zone", "is 'guess'",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (axis(4)[::-1], "must strictly increase, 3 do not"),
        (axis(4)[[0, 1, 1, 2]], "must strictly increase, 1 do not (2016-01-18 00:15:00)"),
        (axis(3) + np.array([0, 0, 60], "timedelta64[s]"), "must be evenly spaced by 15 min, 1 time stamps are not"),
        (axis(5)[[0, 1, 4]], "lacks 2 time stamps (2016-01-18 00:30:00, 2016-01-18 00:45:00)"),
        (np.array(["2016-01-18", "NaT", "2016-01-19"], "datetime64[s]"), "1 steps have no time (row 1)"),
        (["yesterday", "today"], "cannot be read as times"),
        ([1, 2], "cannot be read as times"),
        (axis(2)[:1], "step_min: is missing"),
        (np.array(["2016-01-18T00:00:00.5", "2016-01-18T00:15"], "datetime64[ms]"), "has fractions of a second"),
        (pd.date_range("2016-01-18", periods=2, freq="h", tz="UTC").astype(object), "time stamps carry a zone"),
        (np.array([], "datetime64[s]"), "has shape (0,)"),
    ],
)
def test_time_axes_that_are_refused(time: object, message: str) -> None:
    n = len(time)  # type: ignore[arg-type]
    text = refused(time, load_p(np.ones((n, 2))))
    assert message in text
    assert "values have shape" not in text


def test_kinds_of_time_stamps_that_are_read() -> None:
    series = load_p(np.ones((2, 2)))
    for time in (["2016-01-18", "2016-01-18 01:00"], pd.date_range("2016-01-18", periods=2, freq="h")):
        assert Profiles(time, series).time.tolist() == [datetime(2016, 1, 18), datetime(2016, 1, 18, 1)]
    assert Profiles(["2016-01-18"], load_p(np.ones((1, 2))), step_min=60).step_min == 60


def test_gaps_are_refused_by_name() -> None:
    values = np.ones((96, 2))
    values[[5, 6, 90], 1] = np.nan
    text = refused(axis(96), load_p(values, [0, 2]))
    assert "3 values of 1 elements are missing or not finite, at 2016-01-18T01:15:00, 2016-01-18T01:30:00" in text
    assert "(position 2); complete the source, or ask for fill" in text
    values[:] = np.inf
    assert "are missing or not finite" in refused(axis(96), load_p(values))
    assert "only missing values can be filled" in refused(axis(96), load_p(values), fill="linear")


def test_gaps_in_a_source_are_refused_when_read() -> None:
    def read(start: int, stop: int) -> np.ndarray:
        return np.where(np.arange(start, stop) == 100, np.nan, 1.0)[:, None] * [1, 1]

    profiles = Profiles(axis(192), load_p(read))
    assert profiles.day("2016-01-18").values("load", "p_mw").sum() == 192
    with pytest.raises(InputError, match="2 values of 2 elements are missing or not finite, at 2016-01-19T01:00:00"):
        profiles.day("2016-01-19").values("load", "p_mw")
    wrong = Profiles(axis(192), load_p(lambda a, b: np.ones((b - a, 3))))
    with pytest.raises(InputError, match=r"the source returned float64 of shape \(4, 3\) for rows 2 to 6"):
        wrong.values("load", "p_mw", 2, 6)


def test_filling_is_counted_and_told() -> None:
    values = np.arange(20.0).reshape(10, 2)
    values[3:5, 0] = values[7, 1] = np.nan
    for fill, expected in (("linear", [4, 6, 8, 10]), ("previous", [4, 4, 4, 10])):
        profiles = Profiles(axis(10), load_p(values), fill=fill)
        assert profiles.values("load", "p_mw")[2:6, 0].tolist() == expected
        told = [str(one) for one in profiles.fills()]
        assert told == [
            "load.p_mw: 2 values filled for position 0, first at 2016-01-18T00:45:00",
            "load.p_mw: 1 value filled for position 2, first at 2016-01-18T01:45:00",
        ]
        assert [f.count for f in profiles.window(4, 6).fills()] == [1]
    assert np.isnan(values).sum() == 3


def test_missing_steps_are_filled() -> None:
    kept = [0, 1, 4, 5]
    values = np.array([0.0, 1, 4, 5])[:, None] * [1, 10]
    profiles = Profiles(axis(6)[kept], load_p(values), fill="linear")
    assert len(profiles) == 6
    assert profiles.missing_steps.tolist() == [2, 3]
    assert profiles.values("load", "p_mw")[:, 1] == pytest.approx([0, 10, 20, 30, 40, 50])
    assert profiles.window(3, 6).missing_steps.tolist() == [0]
    assert profiles.window(3, 5).values("load", "p_mw")[:, 0] == pytest.approx([3, 4])


@pytest.mark.parametrize(
    ("rows", "fill", "side"), [(0, "linear", "beginning"), (0, "previous", "beginning"), (9, "linear", "end")]
)
def test_ends_cannot_be_invented(rows: int, fill: str, side: str) -> None:
    values = np.ones((10, 2))
    values[rows, 1] = np.nan
    assert f"gaps at the {side} of the series of 1 elements cannot be filled" in refused(
        axis(10), load_p(values), fill=fill
    )


@given(st.lists(st.booleans(), min_size=3, max_size=40), st.integers(1, 7))
def test_linear_filling_equals_numpy_interp(known: list[bool], chunk: int) -> None:
    keep = np.array([True, *known, True])
    truth = np.cumsum(np.arange(len(keep)) % 5).astype(float)
    values = np.where(keep, truth, np.nan)[:, None]
    profiles = Profiles(axis(len(keep)), load_p(lambda a, b: values[a:b], [4]), fill="linear")
    at = np.arange(len(keep))
    expected = np.interp(at, at[keep], truth[keep])
    parts = [profiles.values("load", "p_mw", i, min(i + chunk, len(keep))) for i in range(0, len(keep), chunk)]
    np.testing.assert_allclose(np.concatenate(parts)[:, 0], expected, rtol=0, atol=1e-12)
    assert sum(f.count for f in profiles.fills()) == np.count_nonzero(~keep)


def test_days_of_23_and_25_hours() -> None:
    # The clock of Berlin changed on 27 March and 30 October 2016 (Directive 2000/84/EC).
    utc = axis(366 * 96, np.datetime64("2015-12-31T23:00"))
    profiles = Profiles(utc, load_p(np.ones((len(utc), 2))), zone="Europe/Berlin")
    assert [len(profiles.day(d)) for d in ("2016-03-26", "2016-03-27", "2016-10-30")] == [96, 92, 100]
    spring = profiles.day("2016-03-27")
    assert spring.time[0] == np.datetime64("2016-03-26T23:00:00")
    assert spring.local[8] == np.datetime64("2016-03-27T03:00:00")
    assert len(profiles.window("2016-10-30 02:00", "2016-10-30 03:00")) == 8


def test_local_stamps_with_both_changes() -> None:
    utc = axis(366 * 24, np.datetime64("2015-12-31T23:00"), np.timedelta64(60, "m"))
    local = local_times(utc, "Europe/Berlin")
    values = np.arange(2.0 * len(utc)).reshape(-1, 2)
    profiles = Profiles.from_local(local, load_p(values), zone="Europe/Berlin")
    np.testing.assert_array_equal(profiles.time, utc)
    assert len(profiles.day("2016-10-30")) == 25
    with pytest.raises(InputError, match="1 times do not occur in Europe/Berlin"):
        Profiles.from_local(["2016-03-27 01:00", "2016-03-27 02:00"], load_p(values[:2]), zone="Europe/Berlin")
    with pytest.raises(InputError, match="zone: is missing"):
        Profiles.from_local(local, load_p(values), zone="")
    assert "through Profiles.from_local" in refused(local, load_p(values))


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)),
)
def test_clock_times_equal_zoneinfo(zone: str, start: datetime) -> None:
    utc = axis(500, np.datetime64(start.replace(minute=0, second=0, microsecond=0), "s"), np.timedelta64(30, "m"))
    expected = [t.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for t in utc.tolist()]
    local = local_times(utc, zone)
    assert local.tolist() == expected
    from aurigrid.errors import IssueList

    issues = IssueList()
    back = to_utc(local, zone, issues)
    assert issues.issues == []
    # The order tells the hours of an autumn night apart only where it shows the clock going back inside the run.
    if not _starts_in_repeated_hour(expected, zone):
        np.testing.assert_array_equal(back, utc)


def _starts_in_repeated_hour(local: list[datetime], zone: str) -> bool:
    first = local[0].replace(tzinfo=ZoneInfo(zone))
    return first.utcoffset() != first.replace(fold=1).utcoffset()
