"""What is known when: forecasts by time of issue, and the horizon that a re-dispatch sees.

The present is as measured, the rest as forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aurigrid.dispatch.linear import Array
from aurigrid.errors import InputError, Issue
from aurigrid.model.profiles import Profiles

Forecast = Profiles | Callable[[np.datetime64], Profiles] | Mapping[Any, Profiles]
"""One forecast; a function of the time of issue; or forecasts by their time of issue."""

_SOURCES = ("load", "gen")


def issued(forecast: Forecast, when: np.datetime64) -> Profiles:
    """The latest forecast at a time.

    Raises:
        InputError: none has been issued by then.
    """
    if isinstance(forecast, Profiles):
        return forecast
    if callable(forecast):
        return forecast(when)
    times = sorted((np.datetime64(t, "s"), profiles) for t, profiles in forecast.items())
    known = [profiles for t, profiles in times if t <= when]
    if not known:
        raise InputError(
            Issue("roll", "forecast", f"has none issued by {when}", hint="give one issued at the beginning")
        )
    return known[-1]


def horizon(actual: Profiles, forecast: Profiles, first: int, settled: int, steps: int) -> Profiles:
    """`steps` steps from position `first` of `actual`: as measured for `settled` steps, then as forecast.

    The horizon is shorter where the forecast ends earlier. Series of the forecast that the measurements lack count, and so do
    those of the measurements that the forecast lacks: these stand for the whole horizon as they are measured.

    Raises:
        InputError: the forecast has other steps, does not reach the settled ones' end, or other elements.
    """
    start = actual.time[first]
    at = int(np.searchsorted(forecast.time, start))
    fits = at < len(forecast) and forecast.time[at] == start and forecast.step_min == actual.step_min
    if not fits:
        hint = "give a forecast with the steps of the measurements"
        raise InputError(Issue("roll", "forecast", f"has no step of {actual.step_min:g} min at {start}", hint=hint))
    n = min(steps, len(forecast) - at)
    n = n if set(actual.series) <= set(forecast.series) else min(n, len(actual) - first)
    known = min(settled, n, len(actual) - first)
    series: dict[Any, Any] = {}
    for key in {**forecast.series, **actual.series}:
        ahead, now = forecast.series.get(key), actual.series.get(key)
        if ahead is not None and now is not None and not np.array_equal(ahead.position, now.position):
            name = ".".join(key)
            raise InputError(Issue("roll", name, "has other elements in the forecast than in the measurements"))
        if now is None or ahead is None:
            only, row = (now, first) if ahead is None else (ahead, at)
            assert only is not None
            series[key] = (only.read(row, row + n), only.position)
        else:
            series[key] = (
                np.concatenate([now.read(first, first + known), ahead.read(at + known, at + n)]),
                now.position,
            )
    return Profiles(forecast.time[at : at + n], series, step_min=actual.step_min, zone=actual.zone)


def blended(forecast: Profiles, actual: Profiles, hours: float = 3.0) -> Callable[[np.datetime64], Profiles]:
    """Forecasts that learn from what is measured: persistence of the present error, which fades with the time ahead.

    At a time ``t`` of issue, ``value(t + s) = forecast(t + s) + (actual(t) - forecast(t)) exp(-s / hours)``, for loads and
    units and not below 0. What has been measured when a step begins is taken to be that step.

    Args:
        forecast: issued beforehand.
        actual: measurements with the same series.
        hours: time after which 37 % of the error are left; a few hours for wind.
    """

    def at(when: np.datetime64) -> Profiles:
        row, now = int(np.searchsorted(forecast.time, when)), int(np.searchsorted(actual.time, when))
        ahead = np.arange(len(forecast) - row) * forecast.step_min / 60.0
        fade = np.exp(-ahead / hours)[:, None]
        series: dict[Any, Any] = {}
        for key, given in forecast.series.items():
            values: Array = given.read(row, len(forecast))
            measured = actual.series.get(key)
            if measured is not None and key[0] in _SOURCES and now < len(actual):
                error = measured.read(now, now + 1)[0] - values[0]
                values = np.maximum(values + fade * error, np.minimum(values, 0.0))
            series[key] = (values, given.position)
        return Profiles(forecast.time[row:], series, step_min=forecast.step_min, zone=forecast.zone)

    return at
