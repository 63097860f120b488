"""Time series and the data of an RTS-GMLC folder that the network has no table for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, IssueList
from aurigrid.io.report import ReportBuilder
from aurigrid.io.rts_files import CsvFile, SeriesFile, find_file, read_series
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.table import Array, read_only

_SERIES_PARAMETERS = ("PMax MW", "PMin MW")


@dataclass(frozen=True, eq=False)
class Reserve:
    """One reserve product.

    Attributes:
        product: its name, e.g. ``"Spin_Up_R1"``.
        direction: ``"up"`` or ``"down"``.
        timeframe_s: time within which it must be available, s.
        requirement_mw: requirement where no series is given, MW.
        areas: areas whose units may provide it.
        categories: unit categories (see `RtsExtras.unit_category`) that may provide it.
        day_ahead_mw: (n_steps,) requirement by hour, on the time axis of the import's profiles, MW; or None.
    """

    product: str
    direction: str
    timeframe_s: float
    requirement_mw: float
    areas: tuple[str, ...]
    categories: tuple[str, ...]
    day_ahead_mw: Array | None


@dataclass(frozen=True, eq=False)
class RtsExtras:
    """What an RTS-GMLC folder knows beyond the network and its day-ahead profiles.

    Attributes:
        real_time: profiles at the real-time resolution (5 minutes) for what the folder has of them, or None.
        reserves: the reserve products.
        unit_category: (n_gen,) upstream's category of each unit, e.g. ``"Gas CC"``.
        must_take: ids of units whose day-ahead output is fixed (its lower limit is the series too).
        csp_inflow_mw: (n_steps,) solar heat by plant with thermal storage, on the day-ahead axis, MW.
        reservoirs: rows of ``storage.csv`` by store, column by column.
        unit_columns: columns of ``gen.csv`` without a column here (start heat and times, outage rates, emissions, ...),
            each (n_rows,) in the file's order.
        unit_ids: unit of each row of `unit_columns`.
        branch_columns: the same for ``branch.csv`` (outage rates), in the order of the branch table.
        simulation: the parameters of ``simulation_objects.csv`` by name: (day-ahead, real-time).
    """

    real_time: Profiles | None
    reserves: tuple[Reserve, ...]
    unit_category: Array
    must_take: tuple[str, ...]
    csp_inflow_mw: Mapping[str, Array]
    reservoirs: Mapping[str, Mapping[str, str]]
    unit_columns: Mapping[str, Array]
    unit_ids: tuple[str, ...]
    branch_columns: Mapping[str, Array]
    simulation: Mapping[str, tuple[str, str]]


@dataclass
class Pointers:
    """The pointer file: which series belongs to which object, file by file, each read once."""

    source: Path
    issues: IssueList
    report: ReportBuilder
    rows: list[tuple[str, str, str, str, str]]
    cache: dict[str, SeriesFile | None]

    @classmethod
    def read(cls, source: Path, issues: IssueList, report: ReportBuilder) -> Pointers:
        """Read ``timeseries_pointers.csv``, if there is one."""
        path = find_file(source, "timeseries_pointers.csv")
        if path is None:
            report.ignore("timeseries_pointers.csv", "no such file", (), "the network comes without profiles")
            return cls(source, issues, report, [], {})
        file = CsvFile.read(path, issues)
        columns = [file.text(c) for c in ("Simulation", "Category", "Object", "Parameter", "Data File")]
        return cls(source, issues, report, list(zip(*columns, strict=True)), {})

    def series(self, simulation: str, category: str, parameter: str) -> dict[str, tuple[SeriesFile, Array]]:
        """The series of all objects of one category and parameter, by object; missing files are noted."""
        out: dict[str, tuple[SeriesFile, Array]] = {}
        for row in self.rows:
            if row[:2] != (simulation, category) or row[3] != parameter:
                continue
            name, relative = row[2], row[4]
            if relative not in self.cache:
                self.cache[relative] = self._read(simulation, relative)
            file = self.cache[relative]
            if file is None:
                continue
            if parameter == "Natural_Inflow" and file.column(name) is None and len(file.names) == 1:
                name = file.names[0]  # upstream points to the store, the file's column is the plant's
            column = file.column(name)
            if column is None:
                self.issues.add(relative, name, "column is missing", hint="timeseries_pointers.csv names it")
            else:
                out[name] = (file, column)
        return out

    def _read(self, simulation: str, relative: str) -> SeriesFile | None:
        path = find_file(self.source, relative)
        if path is None:
            self.report.ignore("time series", f"{simulation} file missing", [Path(relative).name], "no profile from it")
            return None
        if ".derived." in path.name:
            self.report.approximate("time series", "derived file in place of upstream's", [path.name])
        return read_series(path, self.issues)


def read_profiles(net: Network, pointers: Pointers, simulation: str) -> tuple[Profiles | None, tuple[str, ...]]:
    """Loads and available output at the resolution of one simulation (``"DAY_AHEAD"`` or ``"REAL_TIME"``).

    An area's load is shared among its loads by their base power, at the base power factor. A unit's series is its
    available output (``PMax MW``), keyed to ``("gen", "p_mw")``.

    Returns:
        The profiles (None where there is no series) and the ids of must-take units, whose ``PMin MW`` follows a series.
    """
    areas = pointers.series(simulation, "Area", "MW Load")
    upper, lower = (pointers.series(simulation, "Generator", p) for p in _SERIES_PARAMETERS)
    position = {str(id): i for i, id in enumerate(net.gen.id)}
    known = {name: found for name, found in upper.items() if name in position}
    stores = [n for n in upper if n not in position]
    if stores:
        pointers.report.ignore(
            "time series", "series of units that are storage", stores, "storage is not bound to a series"
        )
    files = [file for file, _ in (*areas.values(), *known.values())]
    if not files:
        return None, ()
    base = files[0]
    for other in files[1:]:
        if other is not base and not np.array_equal(other.time, base.time):
            what = f"the {simulation} series do not share one time axis"
            pointers.issues.add("timeseries_pointers.csv", "Data File", what, hint="give files of the same intervals")
            return None, ()
    series = _load_series(net, {name: values for name, (_, values) in areas.items()})
    if known:
        units = np.array([position[name] for name in known], dtype=np.int32)
        series["gen", "p_mw"] = (np.column_stack([values for _, values in known.values()]), units)
    try:
        # The files' own clock knows no daylight saving: 8784 hours in 2020.
        profiles = Profiles(base.time, series, step_min=base.step_min)
    except InputError as error:
        pointers.issues.issues.extend(error.issues)
        return None, ()
    return profiles, tuple(name for name in known if name in lower)


def _load_series(net: Network, areas: dict[str, Array]) -> dict[tuple[str, str], tuple[Any, Array]]:
    """Loads by area, as functions of the steps: a year of 5-minute loads by bus would take a hundred megabytes."""
    load = net.load
    area_of = net.bus.area[load.bus]
    rows = np.array([i for i in range(len(load)) if area_of[i] in areas], dtype=np.int32)
    if not len(rows):
        return {}
    names = list(areas)
    series = np.column_stack(list(areas.values()))
    share = np.zeros((len(names), len(rows)))
    for k, i in enumerate(rows):
        share[names.index(area_of[i]), k] = load.p_mw[i] / load.p_mw[area_of == area_of[i]].sum()
    factor = np.divide(load.q_mvar[rows], load.p_mw[rows], out=np.zeros(len(rows)), where=load.p_mw[rows] != 0)

    def p_mw(start: int, stop: int) -> Array:
        return np.asarray(series[start:stop] @ share)

    def q_mvar(start: int, stop: int) -> Array:
        return np.asarray(series[start:stop] @ share * factor)

    return {("load", "p_mw"): (p_mw, rows), ("load", "q_mvar"): (q_mvar, rows)}


def read_reserves(source: Path, issues: IssueList, pointers: Pointers) -> tuple[Reserve, ...]:
    """The reserve products with their day-ahead requirements."""
    path = find_file(source, "reserves.csv")
    if path is None:
        return ()
    file = CsvFile.read(path, issues)
    series = pointers.series("DAY_AHEAD", "Reserve", "Requirement")

    def members(column: str) -> list[tuple[str, ...]]:
        return [
            tuple(part.strip() for part in cell.strip("()").split(",") if part.strip()) for cell in file.text(column)
        ]

    products, seconds, needs = (
        file.text("Reserve Product"),
        file.number("Timeframe (sec)"),
        file.number("Requirement (MW)"),
    )
    areas, categories = members("Eligible Regions"), members("Eligible Device SubCategories")
    directions = file.text("Direction")
    out = []
    for i, name in enumerate(products):
        given = read_only(series[name][1].copy()) if name in series else None
        need = (float(seconds[i]), float(needs[i]))
        out.append(Reserve(name, directions[i].lower(), *need, areas[i], categories[i], given))
    return tuple(out)
