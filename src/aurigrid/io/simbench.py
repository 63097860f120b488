"""SimBench grids with their year of quarter-hours, by code.

The grid is read as the pandapower net that the simbench package builds. Its profiles are relative: the power of an
element is its nominal value times one of a few hundred columns. They are kept that way - the columns in a file that is
mapped, not read - and multiplied out for the rows asked for: a year costs nothing until a day of it is used.
Values equal ``simbench.get_absolute_values(net, True)``; external grids follow their own profile of dispatched power,
which that function leaves out.

S. Meinecke et al.: SimBench - a benchmark dataset of electric power systems. Energies 13(12), 3290, 2020.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.io.cache import CacheEntry, write_atomic
from aurigrid.io.pandapower import convert_net
from aurigrid.io.report import Import
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.series import SeriesValues
from aurigrid.model.table import Array

ZONE = "Europe/Berlin"
"""The data's time stamps are local wall-clock time: they leave out 27 March 2016, 2 h, and repeat 30 October, 2 h."""

_SERIES = (
    # our table and column, their table, their column, suffix of the profile's name, sign
    ("load", "p_mw", "load", "p_mw", "_pload", 1.0),
    ("load", "q_mvar", "load", "q_mvar", "_qload", 1.0),
    ("gen", "p_mw", "sgen", "p_mw", "", 1.0),
    ("gen", "p_mw", "gen", "p_mw", "", 1.0),
    ("gen", "p_mw", "ext_grid", "p_disp_mw", "", 1.0),
    ("storage", "p_mw", "storage", "p_mw", "", -1.0),
)


@dataclass(frozen=True, eq=False)
class ScaledSeries:
    """Absolute values of a series, computed for the steps asked for: ``relative[start:stop][:, column] * factor``.

    Attributes:
        relative: (n_steps, n_profiles) float64, in memory or mapped from a file.
        column: (n_elements,) column of each element.
        factor: (n_elements,) nominal power of each element, MW or Mvar.
    """

    relative: Array
    column: Array
    factor: Array

    def __call__(self, start: int, stop: int) -> Array:
        """Rows start..stop as (stop - start, n_elements) float64."""
        return np.asarray(self.relative[start:stop])[:, self.column] * self.factor


def read_simbench(code: str, *, cache: bool = True) -> Import:
    """Read a SimBench grid and its profiles.

    Args:
        code: e.g. ``"1-EHV-mixed--0-no_sw"``.
        cache: whether to use and fill the user's cache folder; the first read of a code takes about ten seconds.

    Returns:
        The network with the profiles of loads (P, Q), units (P) and storage (P).

    Raises:
        InputError: an unknown code.
    """
    entry = CacheEntry("simbench", code)
    if cache and (found := entry.read()) is not None:
        imported, arrays = found
        try:
            relative = np.load(entry.path("npy"), mmap_mode="r")
            return _with_profiles(imported, relative, arrays)
        except (OSError, ValueError, KeyError):
            pass  # damaged: built again below
    net = _simbench_net(code)
    converted = convert_net(net, code, code)
    report = dataclasses.replace(converted.report, source_format="SimBench")
    imported = dataclasses.replace(converted, report=report)
    relative, arrays = relative_profiles(net, imported.network)
    done = _with_profiles(imported, relative, arrays)
    if cache and write_atomic(entry.path("npy"), lambda file: np.save(file, relative)):
        entry.write(imported, arrays)
    return done


def _simbench_net(code: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own, about its data and dependencies
        import simbench

        try:
            return simbench.get_simbench_net(code)
        except (ValueError, KeyError, AssertionError) as error:
            raise InputError(Issue("grid", "", f"{code!r} is not a SimBench code ({error})")) from error


def relative_profiles(net: Any, network: Network) -> tuple[Array, dict[str, Array]]:
    """The profile columns that elements use, and which element uses which.

    Returns:
        (n_steps, n_profiles) relative values; and arrays by name: ``time`` and, for each series, positions, columns and
        factors.
    """
    kept: dict[str, int] = {}
    values: list[Array] = []
    found: dict[str, list[Array]] = {}
    frames = net["profiles"]
    available = {str(c): f[c] for f in frames.values() if len(f) for c in f.columns if c != "time"}
    for table, column, their_table, their_column, suffix, sign in _SERIES:
        data = net[their_table]
        if not len(data) or "profile" not in data.columns or their_column not in data.columns:
            continue
        where = {id: i for i, id in enumerate(getattr(network, table).id)}
        at: list[int] = []
        columns: list[int] = []
        factors: list[float] = []
        for index, name, factor in zip(data.index, data["profile"], data[their_column], strict=True):
            key = f"{name}{suffix}"
            if key not in available or factor != factor:
                continue  # without a profile the element keeps the value of the network, as with the package
            if key not in kept:
                kept[key] = len(values)
                values.append(available[key].to_numpy(dtype=np.float64))
            at.append(where[f"{their_table}:{index}"])
            columns.append(kept[key])
            factors.append(sign * float(factor))
        series = found.get(f"{table}.{column}", [np.zeros(0), np.zeros(0), np.zeros(0)])
        found[f"{table}.{column}"] = [np.r_[old, new] for old, new in zip(series, (at, columns, factors), strict=True)]
    time = next(f["time"] for f in frames.values() if len(f)).to_numpy()
    arrays: dict[str, Array] = {"time": utc_axis(time).astype(np.int64)}
    for key, (positions, picked, scale) in found.items():
        order = np.argsort(positions, kind="stable")
        arrays[f"{key}.at"] = positions[order].astype(np.int32)
        arrays[f"{key}.column"] = picked[order].astype(np.int32)
        arrays[f"{key}.factor"] = scale[order]
    relative = np.ascontiguousarray(np.stack(values, axis=1)) if values else np.zeros((len(time), 0))
    return relative, arrays


def utc_axis(stamps: Array) -> Array:
    """UTC of the data's local time stamps (``dd.mm.yyyy HH:MM``): its first one, and a step at a time from there on.

    Raises:
        InputError: the stamps are not local time at a fixed step.
    """
    from datetime import datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(ZONE)
    local = [datetime.strptime(str(s), "%d.%m.%Y %H:%M") for s in stamps]
    step = local[1] - local[0]
    first = np.datetime64(int(local[0].replace(tzinfo=zone).timestamp()), "s")
    axis = first + np.arange(len(local)) * np.timedelta64(int(step.total_seconds()), "s")
    back = [datetime.fromtimestamp(int(s), zone).replace(tzinfo=None, fold=0) for s in axis.astype(np.int64)]
    wrong = [str(s) for s, a, b in zip(stamps, local, back, strict=True) if a != b]
    if wrong:
        message = f"time stamps are not {ZONE} time at a fixed step, e.g. {wrong[0]}"
        raise InputError(Issue("profiles", "time", message))
    return axis


def _with_profiles(imported: Import, relative: Array, arrays: dict[str, Array]) -> Import:
    """The import with its profiles, its plants' fuels kept; nothing of the year is read or computed yet."""
    series: dict[tuple[str, str], tuple[SeriesValues, object]] = {}
    for key in (name.removesuffix(".at") for name in arrays if name.endswith(".at")):
        table, _, column = key.partition(".")
        scaled = ScaledSeries(relative, arrays[f"{key}.column"], arrays[f"{key}.factor"])
        series[table, column] = (scaled, arrays[f"{key}.at"])
    time = arrays["time"].view("datetime64[s]")
    return dataclasses.replace(imported, profiles=Profiles(time, series, zone=ZONE))
