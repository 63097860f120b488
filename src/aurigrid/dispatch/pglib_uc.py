"""Reader of PGLib-UC instances (JSON): the copper-plate unit commitment problem of the IEEE PES benchmark library.

Model: Knueven, Ostrowski and Watson, "On mixed-integer programming formulations for the unit commitment problem", INFORMS J.
Computing 32, 2020, doi:10.1287/ijoc.2019.0944; file format: the library's README. Steps are hours.

The best values that are known of the RTS-GMLC days are those of UnitCommitment.jl (Xavier et al., Argonne), whose model leaves
the spinning reserve out of the stop limit: a unit may hold reserve above it in the hour before it stops, and stays on if that
is called. The library's own document has the reserve in it (equation 18). The reader follows the published values unless told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.dispatch.system import Array, Injections, Links, Reserve, Stores, System
from aurigrid.dispatch.units import Units, check
from aurigrid.errors import InputError, Issue, IssueList

_NUMBERS = {
    "p_min_mw": "power_output_minimum", "p_max_mw": "power_output_maximum", "ramp_up_mw": "ramp_up_limit",
    "ramp_down_mw": "ramp_down_limit", "start_mw": "ramp_startup_limit", "stop_mw": "ramp_shutdown_limit",
    "p_before_mw": "power_output_t0",
}  # fmt: skip
_COUNTS = {
    "min_up": "time_up_minimum",
    "min_down": "time_down_minimum",
    "must_run": "must_run",
    "on_before": "unit_on_t0",
}
_TOP = ("time_periods", "demand", "reserves", "thermal_generators", "renewable_generators")


def is_pglib_uc(data: object) -> bool:
    """Whether decoded JSON looks like a PGLib-UC instance."""
    return isinstance(data, dict) and "thermal_generators" in data and "demand" in data


def read_pglib_uc(path: str | Path, *, stopping_reserve: bool = True) -> System:
    """Read an instance.

    Args:
        path: the file.
        stopping_reserve: as in UnitCommitment.jl; False for equation 18 of the library's document as it stands, which is dearer.

    Raises:
        InputError: no such file, not JSON, or what is missing or wrong in it, all at once.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(Issue(str(path), "", "no such file", hint="give a PGLib-UC instance (.json)")) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(Issue(str(path), "", f"is not JSON ({error})", hint="give a PGLib-UC instance")) from error
    issues = IssueList()
    if not isinstance(data, dict):
        data = {}
    for name in _TOP:
        if name not in data:
            issues.add(path.name, name, "is missing", hint="a PGLib-UC instance has it at its top level")
    issues.raise_if_any()
    steps = data["time_periods"]
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        issues.add(path.name, "time_periods", f"is {steps!r}", hint="give a whole number of hours")
        issues.raise_if_any()
    demand = _series(data["demand"], steps, "demand", issues)
    reserves = _series(data["reserves"], steps, "reserves", issues)
    units = _units(data["thermal_generators"], issues)
    wind = _renewables(data["renewable_generators"], steps, issues)
    issues.raise_if_any()
    check(units, issues)
    issues.raise_if_any()
    # the library asks for the whole reserve: what is missing costs as much as load that is not met
    spinning = Reserve("spinning", True, reserves, np.arange(len(units)), price=10_000.0)
    return System(
        1.0, units, wind, demand[None], np.zeros(1, np.int64), Stores.none(steps), Links.none(), (spinning,),
        unit_co2_t_per_mwh=np.zeros(len(units)), stopping_reserve=stopping_reserve,
    )  # fmt: skip


def _series(given: Any, steps: int, where: str, issues: IssueList, ids: tuple[str, ...] = ()) -> Array:
    values = [given] * steps if isinstance(given, (int, float)) and not isinstance(given, bool) else given
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape != (steps,) or not np.isfinite(array).all():
        issues.add("instance", where, f"must be {steps} finite numbers", ids)
        return np.zeros(steps)
    return array


def _number(row: Any, name: str) -> float:
    value = row[name]
    if isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(name)
    return float(value)


def _units(rows: Any, issues: IssueList) -> Units:
    """All thermal units; faults are gathered by field with the names of their units."""
    faults: dict[str, list[str]] = {}
    kept: list[tuple[str, dict[str, float], list[tuple[float, float]], list[tuple[float, float]]]] = []
    for name, row in (rows if isinstance(rows, dict) else {}).items():
        values, bad = {}, []
        for field, source in (_NUMBERS | _COUNTS).items():
            try:
                values[field] = _number(row, source)
            except (KeyError, TypeError, ValueError):
                bad.append(source)
        state = "time_up_t0" if values.get("on_before") else "time_down_t0"
        try:
            values["steps_before"] = _number(row, state)
        except (KeyError, TypeError, ValueError):
            bad.append(state)
        try:
            start = [(_number(s, "lag"), _number(s, "cost")) for s in row["startup"]]
            points = [(_number(p, "mw"), _number(p, "cost")) for p in row["piecewise_production"]]
            if not start or not points:
                bad.append("startup" if points else "piecewise_production")
        except (KeyError, TypeError, ValueError):
            bad.append("startup or piecewise_production")
        for source in bad:
            faults.setdefault(source, []).append(str(name))
        if not bad:
            kept.append((str(name), values, sorted(start), sorted(points)))
    for source, ids in faults.items():
        issues.add("thermal_generators", source, "is missing or is not a number", ids)
    return _table(kept)


def _table(kept: list[tuple[str, dict[str, float], list[tuple[float, float]], list[tuple[float, float]]]]) -> Units:
    n = len(kept)
    column = {f: np.array([values[f] for _, values, _, _ in kept]) for f in (*_NUMBERS, *_COUNTS, "steps_before")}
    whole = {f: column[f].astype(np.int64) for f in ("min_up", "min_down", "on_before", "steps_before")}
    k = max((len(start) for _, _, start, _ in kept), default=1)
    s = max((len(points) for *_, points in kept), default=2) - 1
    lag, cost = np.zeros((n, k), np.int64), np.zeros((n, k))
    width, slope, least = np.zeros((n, max(s, 1))), np.zeros((n, max(s, 1))), np.zeros(n)
    for i, (_, _, start, points) in enumerate(kept):
        filled = start + [start[-1]] * (k - len(start))
        lag[i], cost[i] = [a for a, _ in filled], [c for _, c in filled]
        mw, price = np.array(points).T
        least[i] = price[0]
        width[i, : len(mw) - 1] = np.diff(mw)
        slope[i, : len(mw) - 1] = np.diff(price) / np.where(np.diff(mw) > 0, np.diff(mw), 1.0)
    return Units(
        id=np.array([name for name, *_ in kept], object), node=np.zeros(n, np.int64), count=np.ones(n, np.int64),
        must_run=column["must_run"] > 0, start_lag=lag, start_cost=cost, stop_cost=np.zeros(n), cost_min=least,
        width_mw=width, slope=slope, **{f: column[f] for f in _NUMBERS}, **whole,
    )  # fmt: skip


def _renewables(rows: Any, steps: int, issues: IssueList) -> Injections:
    names = [str(name) for name in rows] if isinstance(rows, dict) else []
    limits = []
    for source in ("power_output_minimum", "power_output_maximum"):
        given = [_series(rows[n].get(source), steps, f"renewable_generators.{source}", issues, (n,)) for n in names]
        limits.append(np.array(given).reshape(len(names), steps))
    return Injections.of(np.array(names, object), limits[0], np.maximum(*limits))
