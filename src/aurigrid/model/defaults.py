"""What plants of each fuel usually cost, emit and can do: stand-ins where a data set is silent.

Nothing here replaces a value that the data give. `with_defaults` fills what is silent and says what it filled, for how
many units, with which value and from which source. The figures are of Europe in the years 2011 to 2017, in EUR; they
serve to order plants and to give results a scale, not to forecast a price.

Marginal costs are ``fuel price / efficiency + variable operation``, without a price of carbon (`with_defaults` adds one
on request); emissions are ``emission factor / efficiency``, at full load. Starts count capital and maintenance, not fuel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.table import Array

SOURCES = {
    "prices": "fuel prices of IEA, World Energy Outlook 2011 (oil: World Energy Model 2017, 97 USD a barrel), as compiled in "
    "PyPSA technology-data, inputs/costs_PyPSA.csv (CC-BY-4.0)",
    "plants": "A. Schroeder and others: Current and prospective costs of electricity generation until 2050. DIW Data "
    "Documentation 68, 2013. hdl:10419/80348",
    "carbon": "IPCC 2006 Guidelines for National Greenhouse Gas Inventories, volume 2, table 2.2",
    "flexibility": "Agora Energiewende: Flexibility in thermal power plants, 2017 (plants in common use, middle of the range)",
    "nuclear": "OECD/NEA: Technical and economic aspects of load following with nuclear power plants, 2011 (lower end)",
    "starts": "N. Kumar and others: Power plant cycling costs. NREL/SR-5500-55433, 2012, table 1-1, medians of capital and "
    "maintenance (large subcritical coal; small for other steam; combined cycle; aero-derivative turbine; gas steam for oil), "
    "at 1.392 USD/EUR. osti.gov/biblio/1046269",
    "nuclear_starts": "D. Lew and others: Western Wind and Solar Integration Study, phase 2. NREL/TP-5500-55588, 2013, table 7, "
    "at 1.392 USD/EUR",
    "times": "C. Barrows and others: The IEEE Reliability Test System: a proposed 2019 update. IEEE Trans. Power Systems 35, "
    "2020 (RTS-GMLC, gen.csv)",
    "weather": "no fuel: taken as 0",
    "convention": "a convention of this table: as a combined-cycle gas plant, the unit that often sets the price",
    "waste": "gate fees pay for the fuel: 0; carbon from IPCC 2006, volume 2, table 2.2 (fossil part) and volume 5, table 5.2 "
    "(40 % fossil), efficiency 25 % from BAT conclusions (EU) 2019/2010",
}
"""Where each figure comes from, by the key that `Default` carries."""

_USD_A_EUR = 1.392
"""Mean of 2011, European Central Bank."""
_GJ_A_MWH = 3.6


@dataclass(frozen=True)
class Default:
    """Figures of one kind of plant; NaN is "no figure".

    Attributes:
        fuel, technology: whom it stands for; an empty technology stands for all others of the fuel.
        cost_per_mwh: marginal cost without carbon, EUR/MWh.
        co2_t_per_mwh: emission rate, t/MWh electric.
        p_min_share: least output, share of p_max_mw.
        ramp_share_per_min: largest change, share of p_max_mw a minute.
        min_up_h, min_down_h: least time in and out of service, h.
        start_hot, start_warm, start_cold: cost of a start, EUR a MW of p_max_mw.
        cost_source, co2_source, ramp_source, start_source, times_source: keys of `SOURCES`.
    """

    fuel: str
    technology: str = ""
    cost_per_mwh: float = np.nan
    co2_t_per_mwh: float = np.nan
    p_min_share: float = np.nan
    ramp_share_per_min: float = np.nan
    min_up_h: float = np.nan
    min_down_h: float = np.nan
    start_hot: float = np.nan
    start_warm: float = np.nan
    start_cold: float = np.nan
    cost_source: str = ""
    co2_source: str = ""
    ramp_source: str = ""
    start_source: str = ""
    times_source: str = ""


def _burning(
    fuel: str, price: float, efficiency: float, variable: float, kg_per_gj: float, technology: str = "", **rest: Any
) -> Default:
    """A plant by its fuel price (EUR/MWh thermal), efficiency, variable cost (EUR/MWh) and emission factor (kg/GJ)."""
    return Default(
        fuel,
        technology,
        cost_per_mwh=round(price / efficiency + variable, 2),
        co2_t_per_mwh=round(kg_per_gj * _GJ_A_MWH / 1000 / efficiency, 3),
        cost_source="prices, plants",
        co2_source="carbon, plants",
        **rest,
    )


def _flexible(p_min: float, ramp: float, source: str) -> dict[str, Any]:
    return {"p_min_share": p_min, "ramp_share_per_min": ramp, "ramp_source": source}


def _timed(up: float, down: float) -> dict[str, Any]:
    return {"min_up_h": up, "min_down_h": down, "times_source": "times"}


def _starting(hot: float, warm: float, cold: float, source: str = "starts") -> dict[str, Any]:
    """Costs of starts in USD of 2011 a MW."""
    euro = [round(x / _USD_A_EUR, 1) for x in (hot, warm, cold)]
    return {"start_hot": euro[0], "start_warm": euro[1], "start_cold": euro[2], "start_source": source}


_TURBINE = {**_flexible(0.45, 0.10, "flexibility"), **_timed(2.2, 2.2), **_starting(19, 24, 32)}
_STEAM = {**_flexible(0.39, 0.026, "times"), **_timed(8, 4), **_starting(94, 157, 147)}
_FREE: dict[str, Any] = {"cost_per_mwh": 0.0, "co2_t_per_mwh": 0.0, "cost_source": "weather", "co2_source": "weather"}

TABLE: tuple[Default, ...] = (
    _burning("nuclear", 3.0, 0.337, 8.0, 0.0, **_flexible(0.50, 0.03, "nuclear"), **_timed(24, 48),
             **_starting(155, 155, 155, "nuclear_starts")),
    _burning("lignite", 2.9, 0.447, 7.0, 101.0, **_flexible(0.55, 0.015, "flexibility"), **_timed(8, 8),
             **_starting(59, 65, 105)),
    _burning("coal", 8.4, 0.464, 6.0, 94.6, **_flexible(0.325, 0.0275, "flexibility"), **_timed(8, 8),
             **_starting(59, 65, 105)),
    _burning("gas", 21.6, 0.50, 4.0, 56.1, **_flexible(0.45, 0.03, "flexibility"), **_timed(8, 4.5), **_starting(35, 55, 79)),
    _burning("gas", 21.6, 0.39, 3.0, 56.1, "CT", **_TURBINE),
    _burning("oil", 50.0, 0.393, 3.0, 77.4, **_flexible(0.417, 0.083, "times"), **_timed(4, 2), **_starting(36, 58, 75)),
    _burning("oil", 50.0, 0.393, 3.0, 74.1, "CT", **_TURBINE),
    _burning("biomass", 7.0, 0.468, 0.0, 0.0, **_STEAM),
    Default("waste", cost_per_mwh=0.0, co2_t_per_mwh=round(0.40 * 91.7 * _GJ_A_MWH / 1000 / 0.25, 3),
            cost_source="waste", co2_source="waste", **_STEAM),
    *(Default(fuel, **_FREE) for fuel in ("wind", "solar", "hydro", "geothermal")),
    Default("import", cost_per_mwh=47.2, cost_source="convention"),
)  # fmt: skip
"""The figures, plants of a named technology after the others of their fuel."""

_TURBINES = ("ct", "ocgt", "gt")
_WORDS = {"pv": "solar", "sun": "solar", "ng": "gas", "natural gas": "gas", "hard coal": "coal", "uranium": "nuclear"}
QUANTITIES = ("cost", "co2", "p_min", "ramp", "times", "start")
"""What `with_defaults` can fill."""


def default_of(fuel: str, technology: str = "") -> Default | None:
    """The figures of a plant by the columns ``fuel`` and ``technology`` of its row; None where there are none."""
    word = _WORDS.get(fuel.lower(), fuel.lower())
    kind = "CT" if technology.lower() in _TURBINES else ""
    of_fuel = [d for d in TABLE if d.fuel == word]
    return next((d for d in of_fuel if d.technology == kind), of_fuel[0] if of_fuel else None)


@dataclass(frozen=True)
class DefaultUse:
    """One default that was filled in.

    Attributes:
        column: column of the unit table.
        fuel: fuel (and technology) of the units.
        units: how many.
        value: the figure of the table, with its unit.
        source: where it comes from, in words; empty where no figure exists and the column was left as it is.
    """

    column: str
    fuel: str
    units: int
    value: str
    source: str

    def __str__(self) -> str:
        units = "1 unit" if self.units == 1 else f"{self.units} units"
        if not self.source:
            return f"gen.{self.column}: nothing is known for {self.fuel or 'units without fuel'} ({units})"
        return f"gen.{self.column}: {self.value} for {self.fuel} ({units}); {self.source}"


def with_defaults(
    net: Network, quantities: Sequence[str] = ("cost", "co2"), *, co2_price_per_t: float = 0.0
) -> tuple[Network, tuple[DefaultUse, ...]]:
    """Fill columns of the unit table where the data are silent.

    Silent is: a network in which no unit has a cost (``cost``), a start cost (``start``) or a least time in or out of
    service (``times``), for a zero may be meant where others are given; a unit with NaN (``co2``) or without a limit
    (``ramp``, ``p_min``; the least output also where every unit of the network has 0). Powers that follow from a share
    need a finite p_max_mw.

    Args:
        net: a network.
        quantities: what to fill, of `QUANTITIES`. ``start`` takes the warm start.
        co2_price_per_t: price of carbon that is added to default costs, currency/t.

    Returns:
        The network (the same object where nothing was filled) and what was filled, or could not be.

    Raises:
        InputError: an unknown quantity, or a price that is no finite number of 0 or more.
    """
    wrong = [q for q in quantities if q not in QUANTITIES]
    issues = [
        Issue("defaults", "quantities", f"holds {q!r}", hint="choose from " + ", ".join(QUANTITIES)) for q in wrong
    ]
    if not (np.isfinite(co2_price_per_t) and co2_price_per_t >= 0):
        issues.append(Issue("defaults", "co2_price_per_t", f"is {co2_price_per_t}", hint="give 0 or more per tonne"))
    if issues:
        raise InputError(issues)
    gen = net.gen
    kinds = list(zip(gen.fuel.tolist(), gen.technology.tolist(), strict=True))
    found = {kind: default_of(*kind) for kind in set(kinds)}
    columns: dict[str, Array] = {}
    uses: list[DefaultUse] = []
    for column, silent, unit, name, source in _silent(net, quantities):
        value = np.array([np.nan if (d := found[k]) is None else getattr(d, name) for k in kinds])
        if column == "cost_c1_per_mwh" and co2_price_per_t > 0:
            rate = np.array([np.nan if (d := found[k]) is None else d.co2_t_per_mwh for k in kinds])
            value = value + co2_price_per_t * np.nan_to_num(rate)
        scale = np.ones(len(gen)) if unit[0] == "1" else np.where(np.isfinite(gen.p_max_mw), gen.p_max_mw, np.nan)
        filled = silent & np.isfinite(value * scale)
        uses += _told(column, kinds, silent, filled, value, unit[1], found, source)
        if filled.any():
            columns[column] = np.where(filled, value * scale, columns.get(column, getattr(gen, column)))
    return (net.replace(gen=gen.replace(**columns)) if columns else net), tuple(uses)


def start_cost_by_state(net: Network) -> Array:
    """(n_gen, 3) default cost of a hot, a warm and a cold start of each unit, EUR; NaN where there is no figure."""
    out = np.full((net.n_gen, 3), np.nan)
    for g, (fuel, technology, p_max) in enumerate(
        zip(net.gen.fuel.tolist(), net.gen.technology.tolist(), net.gen.p_max_mw.tolist(), strict=True)
    ):
        found = default_of(fuel, technology)
        if found is not None and np.isfinite(p_max):
            out[g] = np.array([found.start_hot, found.start_warm, found.start_cold]) * p_max
    return out


def _silent(net: Network, quantities: Sequence[str]) -> list[tuple[str, Array, tuple[str, str], str, str]]:
    """Columns to fill: name, which units are silent, scale and unit of the figure, its name and that of its source."""
    gen = net.gen
    all_units = np.ones(len(gen), bool)
    none = ~all_units
    priced = len(net.cost_point) or (gen.cost_c0_per_h != 0).any() or (gen.cost_c1_per_mwh != 0).any()
    priced = priced or (gen.cost_c2_per_mw2h != 0).any()
    timed = (gen.min_up_h != 0).any() or (gen.min_down_h != 0).any()
    started = (gen.start_cost != 0).any()
    least = ~np.isfinite(gen.p_min_mw) if (gen.p_min_mw > 0).any() else (gen.p_min_mw == 0) | ~np.isfinite(gen.p_min_mw)
    share, ramp = "share of p_max_mw", ("p", "share of p_max_mw a minute")
    table = {
        "cost": [("cost_c1_per_mwh", none if priced else all_units, ("1", "EUR/MWh"), "cost_per_mwh", "cost_source")],
        "co2": [("co2_t_per_mwh", np.isnan(gen.co2_t_per_mwh), ("1", "t/MWh"), "co2_t_per_mwh", "co2_source")],
        "p_min": [("p_min_mw", least, ("p", share), "p_min_share", "ramp_source")],
        "ramp": [
            (name, np.isinf(getattr(gen, name)), ramp, "ramp_share_per_min", "ramp_source")
            for name in ("ramp_up_mw_per_min", "ramp_down_mw_per_min")
        ],
        "times": [
            ("min_up_h", none if timed else all_units, ("1", "h"), "min_up_h", "times_source"),
            ("min_down_h", none if timed else all_units, ("1", "h"), "min_down_h", "times_source"),
        ],
        "start": [("start_cost", none if started else all_units, ("p", "EUR/MW, warm"), "start_warm", "start_source")],
    }  # fmt: skip
    return [row for name in QUANTITIES if name in quantities for row in table[name]]


def _told(
    column: str,
    kinds: list[tuple[str, str]],
    silent: Array,
    filled: Array,
    value: Array,
    unit: str,
    found: dict[tuple[str, str], Default | None],
    source: str,
) -> list[DefaultUse]:
    """One line a kind of plant and column, in the order of their names."""
    rows: dict[tuple[str, str, str], int] = {}
    for g in np.flatnonzero(silent).tolist():
        default = found[kinds[g]]
        fuel = kinds[g][0] + (" CT" if default is not None and default.technology else "")
        if filled[g] and default is not None:
            words = "; ".join(SOURCES[key] for key in getattr(default, source).split(", "))
            key = (fuel, f"{value[g]:.4g} {unit}", words)
        elif column in ("cost_c1_per_mwh", "co2_t_per_mwh"):
            key = (fuel, "", "")
        else:
            continue  # wind, sun and water have neither ramps nor starts to speak of
        rows[key] = rows.get(key, 0) + 1
    return [DefaultUse(column, fuel, n, told, words) for (fuel, told, words), n in sorted(rows.items())]
