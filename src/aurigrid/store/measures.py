"""What describes a state: the features of a grid, and how each is measured.

Groups of features (regions, corridors and critical branches: `aurigrid.store.regions`); ``S`` is the installed capacity,
the sum of all finite ``p_max_mw``::

    group              features                                                             scale
    system             load, wind, sun; losses of the grid                                  2 % of S; 0.2 % of S
    net load           of each region: units but wind and sun, less what leaves over its    1 % of S
                       branches, which by the balance of its buses is load less wind and
                       sun; storage, HVDC links and shunts count as load
    wind, sun          of each region that has such units                                   1 % of S
    interchange        of each corridor: power that leaves its first region                 1 % of S
    corridor           largest loading of a branch; unused rating of all its branches       0.1; 5 % of their rating
    critical branches  loading of each                                                      0.1
    voltage            lowest and highest of each voltage level                             0.01 pu
    security           share of outages that break limits; share without solution;          0.05; 0.01;
                       limits broken before outages; largest loading; worst severity        5; 0.1; 0.25

A scale is the difference that an operator would call a change. It comes from the grid, never from the states that are
compared: the distance of two states does not depend on which others are stored. There is no weather in a run; the infeed
of wind and sun by region is what the grid sees of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.store.regions import Regions, corridors, critical_branches, regions

_MOST_LEVELS = 6
_SYSTEM, _REGION, _MARGIN, _LOADING, _VOLTAGE = 0.02, 0.01, 0.05, 0.1, 0.01
_SECURITY = (
    ("insecure outages", "", 0.05, "share of the outages studied that break a limit which held before"),
    ("unsolved outages", "", 0.01, "share of the outages studied that have no solution"),
    ("limits broken before outages", "", 5.0, "number of limits that are broken in the base state"),
    ("largest loading", "", 0.1, "largest base loading, 1.0 = 100 %"),
    ("worst severity", "", 0.25, "how far the worst outage goes past a limit, as a share of it; 0 where none does"),
)


@dataclass(frozen=True)
class Feature:
    """One feature: unique name, group, unit (empty for shares and counts), scale of differences, doc."""

    name: str
    group: str
    unit: str
    scale: float
    doc: str


@dataclass(frozen=True, eq=False)
class States:
    """Base states of n steps: voltages (n, n_bus), flows and loadings (n, n_branch), units (n, n_gen), rows of ``steps``."""

    v_mag: Array
    p_from: Array
    p_to: Array
    s_mva: Array
    loading: Array
    gen_p: Array
    steps: dict[str, Any]


Measure = Callable[[States], Array]
"""From states to (n, k) values of k features."""


@dataclass(frozen=True, eq=False)
class Description:
    """The features of one grid and how each is measured."""

    columns: tuple[tuple[Feature, Measure], ...]

    def __call__(self, states: States) -> Array:
        """(n, n_feature) values; NaN throughout where the base state is not solved."""
        n = len(states.loading)
        value = np.stack([measure(states) for _, measure in self.columns], axis=1) if self.columns else np.zeros((n, 0))
        solved = np.isin(states.steps["status"], ("converged", "islanded"))
        value[~solved] = np.nan
        return value


def describe(net: Network) -> Description:
    """The features of a grid, see the module."""
    of = regions(net)
    size = installed_mw(net)
    columns = [*_system(net, size), *_by_region(net, of, size), *_corridors(net, of, size), *_critical(net, of)]
    return Description((*columns, *_voltages(net), *_security()))


def installed_mw(net: Network) -> float:
    """Installed capacity, MW: the finite ``p_max_mw``; without any, what units or else loads are set to."""
    capacity = net.gen.p_max_mw
    for values in (capacity[np.isfinite(capacity)], np.abs(net.gen.p_mw), np.abs(net.load.p_mw)):
        if values.sum() > 0:
            return float(values.sum())
    return net.base_mva


def _system(net: Network, size: float) -> Iterable[tuple[Feature, Measure]]:
    scale = _SYSTEM * size
    yield (
        Feature("load", "system", "MW", scale, "load of the grid"),
        lambda s: np.asarray(s.steps["load_mw"], float),
    )
    for fuel, word in (("wind", "wind"), ("solar", "sun")):
        rows = np.flatnonzero(net.gen.fuel == fuel)
        if len(rows):
            feature = Feature(f"{word}", "system", "MW", scale, f"infeed of {word} in the grid")
            yield feature, lambda s, rows=rows: s.gen_p[:, rows].sum(1)  # type: ignore[misc]
    yield (
        Feature("losses", "system", "MW", scale / 10, "losses of the branches"),
        lambda s: np.asarray(s.steps["losses_mw"], float),
    )


def _by_region(net: Network, of: Regions, size: float) -> Iterable[tuple[Feature, Measure]]:
    scale = _REGION * size
    from_region, to_region = of.of_bus[net.branch.from_bus], of.of_bus[net.branch.to_bus]
    unit_region = of.of_bus[net.gen.bus]
    weather = np.isin(net.gen.fuel.astype(str), ("wind", "solar"))
    for r, name in enumerate(of.names):
        at_from, at_to = np.flatnonzero(from_region == r), np.flatnonzero(to_region == r)
        units = np.flatnonzero((unit_region == r) & ~weather)

        def net_load(s: States, at_from: Array = at_from, at_to: Array = at_to, units: Array = units) -> Array:
            leaving = s.p_from[:, at_from].sum(1) + s.p_to[:, at_to].sum(1)
            return np.asarray(s.gen_p[:, units].sum(1) - leaving)

        what = f"load less wind and sun of {of.kind} {name}"
        yield Feature(f"net load, {name}", "net load", "MW", scale, what), net_load
    for fuel, word in (("wind", "wind"), ("solar", "sun")):
        for r, name in enumerate(of.names):
            rows = np.flatnonzero((unit_region == r) & (net.gen.fuel == fuel))
            if len(rows):
                feature = Feature(f"{word}, {name}", word, "MW", scale, f"infeed of {word} in {of.kind} {name}")
                yield feature, lambda s, rows=rows: s.gen_p[:, rows].sum(1)  # type: ignore[misc]


def _corridors(net: Network, of: Regions, size: float) -> Iterable[tuple[Feature, Measure]]:
    for corridor in corridors(net, of):
        names = " - ".join(of.names[r] for r in corridor.regions)
        rows, rate = corridor.branch, net.branch.rate_mva[corridor.branch]

        def flow(s: States, rows: Array = rows, forward: Array = corridor.forward) -> Array:
            return np.asarray(np.where(forward, s.p_from[:, rows], s.p_to[:, rows]).sum(1))

        what = f"power that leaves the first region, positive, over {len(rows)} branches"
        yield Feature(f"interchange, {names}", "interchange", "MW", _REGION * size, what), flow
        rated = np.isfinite(rate) & (rate > 0)
        if rated.any():
            keep, limit = rows[rated], rate[rated]
            yield (
                Feature(f"loading, {names}", "corridor", "", _LOADING, "largest loading of a branch, 1.0 = 100 %"),
                lambda s, keep=keep: s.loading[:, keep].max(1),  # type: ignore[misc]
            )
            yield (
                Feature(
                    f"margin, {names}", "corridor", "MVA", _MARGIN * float(limit.sum()), "unused rating of all branches"
                ),
                lambda s, keep=keep, limit=limit: np.maximum(limit - s.s_mva[:, keep], 0).sum(1),  # type: ignore[misc]
            )


def _critical(net: Network, of: Regions) -> Iterable[tuple[Feature, Measure]]:
    for branch in critical_branches(net, of).tolist():
        what = f"loading of {net.branch.name[branch] or net.branch.id[branch]}, 1.0 = 100 %"
        feature = Feature(f"loading, {net.branch.id[branch]}", "critical branches", "", _LOADING, what)
        yield feature, lambda s, branch=branch: s.loading[:, branch]  # type: ignore[misc]


def _voltages(net: Network) -> Iterable[tuple[Feature, Measure]]:
    real = net.bus.in_service & ~net.bus.is_star
    levels, count = np.unique(net.bus.v_nom_kv[real], return_counts=True)
    kept = np.sort(levels[np.argsort(-count, kind="stable")[:_MOST_LEVELS]])[::-1]
    for kv in kept.tolist():
        rows = np.flatnonzero(real & (net.bus.v_nom_kv == kv))
        for word, extreme, nothing in (("lowest", np.min, np.inf), ("highest", np.max, -np.inf)):

            def measure(s: States, rows: Array = rows, extreme: Any = extreme, nothing: float = nothing) -> Array:
                v = s.v_mag[:, rows]
                found = extreme(np.where(np.isfinite(v), v, nothing), axis=1)
                return np.asarray(np.where(np.isfinite(found), found, 0.0))  # a level without supply has no voltage

            name = f"{word} voltage, {kv:g} kV"
            yield Feature(name, "voltage", "pu", _VOLTAGE, f"{word} voltage of {len(rows)} buses"), measure


def _security() -> Iterable[tuple[Feature, Measure]]:
    def share(column: str) -> Measure:
        return lambda s: np.asarray(s.steps[column], float) / np.maximum(np.asarray(s.steps["outages"], float), 1)

    def figure(column: str) -> Measure:
        return lambda s: np.nan_to_num(np.asarray(s.steps[column], float))

    measures = (
        share("outages_violating"), share("outages_failed"), figure("base_violations"), figure("max_loading"),
        figure("worst_severity"),
    )  # fmt: skip
    for (name, unit, scale, what), measure in zip(_SECURITY, measures, strict=True):
        yield Feature(name, "security", unit, scale, what), measure
