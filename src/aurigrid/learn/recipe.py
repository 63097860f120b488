"""How the operating points of a data set are drawn: loads by region, availability of wind and sun, dispatch, set-points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.opf import optimal_power_flow
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.supply import splits_after
from aurigrid.secure import secure_operating_points
from aurigrid.store.regions import regions

Points = Literal["secure", "opf", "profiles"]
POINTS: tuple[Points, ...] = ("secure", "opf", "profiles")
WEATHER = ("wind", "solar")
_OWN_KINDS = ("area", "zone", "geographic")
_LEAST_REGIONS = 4
_OUTAGE = 13
"""Distinguishes the draws of branches out of service from those of points."""


@dataclass(frozen=True)
class Recipe:
    """Ranges of what is drawn for each operating point, evenly and independently.

    Attributes:
        load: factor of all loads, (least, most).
        region: factor of the loads of one region, drawn too, on top.
        bus: largest relative change of each single load, active and reactive power apart.
        weather: availability of wind and of solar units by region, share of ``p_max_mw``.
        dispatch: largest relative change of each unit's output after the optimum; the balance is shared as in the analysis.
        voltage: largest change of each unit's voltage set-point after the optimum, pu.
        collapse: share of the way from the point to the nose of its power-voltage curve by which all injections are grown then
            (`aurigrid.learn.collapse`); (0, 0) leaves points as they are.
        outage: share of the points that have one branch out of service, any that does not split the grid; points of
            ``"profiles"`` lose it after they are found.
        points: ``"secure"``: optimal points that keep every limit after each single outage too, as far as that can be had;
            ``"opf"``: optimal points before outages; ``"profiles"``: those of steps of the grid's time series, which a study
            draws (`aurigrid.studies.learning`) and the ranges of weather, rating_share and band_margin say nothing of.
        rating_share, band_margin: the points keep this share of the ratings and this distance (pu) from the voltage bands
            before outages.
        rounds: rounds a secure point may take.
    """

    load: tuple[float, float] = (0.75, 1.0)
    region: tuple[float, float] = (0.8, 1.1)
    bus: float = 0.05
    weather: tuple[float, float] = (0.0, 1.0)
    dispatch: float = 0.02
    voltage: float = 0.003
    collapse: tuple[float, float] = (0.0, 0.0)
    outage: float = 0.0
    points: Points = "secure"
    rating_share: float = 0.85
    band_margin: float = 0.0
    rounds: int = 6

    def check(self) -> None:
        """Refuse ranges that make no sense, all at once."""
        issues = IssueList()
        for name in ("load", "region", "weather"):
            low, high = getattr(self, name)
            if not (0 <= low <= high < np.inf):
                issues.add("recipe", name, f"is {low} to {high}", hint="give the least first, neither below 0")
        low, high = self.collapse
        if not 0 <= low <= high <= 1:
            issues.add("recipe", "collapse", f"is {low} to {high}", hint="give shares of 0 to 1, the least first")
        for name, most in (("bus", 1.0), ("dispatch", 1.0), ("voltage", 0.1), ("band_margin", 0.1)):
            if not 0 <= getattr(self, name) <= most:
                issues.add("recipe", name, f"is {getattr(self, name)}", hint=f"give 0 to {most:g}")
        if not 0 <= self.outage <= 1:
            issues.add("recipe", "outage", f"is {self.outage}", hint="give a share of 0 to 1")
        if not 0 < self.rating_share <= 1:
            issues.add("recipe", "rating_share", f"is {self.rating_share}", hint="give a share above 0, at most 1")
        if self.points not in POINTS:
            issues.add("recipe", "points", f"is {self.points!r}", hint=f"choose {' or '.join(POINTS)}")
        if self.rounds < 1:
            issues.add("recipe", "rounds", f"is {self.rounds}", hint="give at least 1")
        issues.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From plain data, in which ranges may be lists."""
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
        return cls(**plain)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Operating points and how they were drawn.

    Attributes:
        scenarios: the points.
        solved: (n,) whether the optimisation ended with a point that keeps its limits before outages.
        stressed: (n,) the region whose loads were changed on top; factor: (n,) by how much; load: (n,) factor of all loads.
        out: (n,) the branch that is out of service, -1 for none.
        region_load_mw: (n, n_region) load of each region.
    """

    scenarios: Scenarios
    solved: Array
    stressed: Array
    factor: Array
    load: Array
    out: Array
    region_load_mw: Array


def load_regions(net: Network) -> tuple[Array, tuple[str, ...]]:
    """(n_bus,) region of each bus, and the regions' names: the grid's own where it has some, else six parts of its graph."""
    own = regions(net)
    with_load = np.unique(own.of_bus[net.load.bus]) if len(net.load) else np.zeros(0)
    if own.kind in _OWN_KINDS and len(with_load) >= _LEAST_REGIONS:
        return own.of_bus, own.names
    part = _cut(net, 6)
    return part, tuple(f"part {k + 1}" for k in range(int(part.max(initial=0)) + 1))


def _cut(net: Network, parts: int) -> Array:
    """Parts of about equal load, by repeated cuts at the median of the Fiedler vector (Pothen, Simon and Liou 1990)."""
    grid = compile_grid(net)
    weight = np.zeros(grid.n_node)
    np.add.at(weight, grid.node_of_bus[net.load.bus], np.abs(net.load.p_mw) * net.load.in_service)
    live = (grid.from_node >= 0) & (grid.from_node != grid.to_node)
    a, b = grid.from_node[live], grid.to_node[live]
    pieces = [np.arange(grid.n_node)]
    while len(pieces) < parts:
        largest = int(np.argmax([weight[p].sum() for p in pieces]))
        piece = pieces[largest]
        if len(piece) < 2:
            break
        place = np.full(grid.n_node, -1)
        place[piece] = np.arange(len(piece))
        inside = (place[a] >= 0) & (place[b] >= 0)
        laplacian = np.zeros((len(piece), len(piece)))
        i, j = place[a[inside]], place[b[inside]]
        np.add.at(laplacian, (i, j), -1.0)
        np.add.at(laplacian, (j, i), -1.0)
        laplacian[np.diag_indices(len(piece))] -= laplacian.sum(1)
        order = np.argsort(np.linalg.eigh(laplacian)[1][:, 1], kind="stable")
        so_far = np.cumsum(weight[piece[order]])
        at = int(np.clip(np.searchsorted(so_far, 0.5 * so_far[-1]) + 1, 1, len(piece) - 1))
        pieces[largest : largest + 1] = [np.sort(piece[order[:at]]), np.sort(piece[order[at:]])]
    of_node = np.zeros(grid.n_node, np.int64)
    for k, piece in enumerate(pieces):
        of_node[piece] = k
    return of_node[grid.node_of_bus]


def branches_out(net: Network, recipe: Recipe, seed: int, which: Array) -> Array:
    """(n,) the branch that each point has out of service, -1 for none; by its own number only."""
    whole = np.flatnonzero(~splits_after(compile_grid(net), np.array([-1]))[0] & net.branch.in_service)
    out = np.full(len(which), -1)
    for row, number in enumerate(which.tolist() if len(whole) else ()):
        rng = np.random.default_rng((seed, number, _OUTAGE))
        if rng.random() < recipe.outage:
            out[row] = rng.choice(whole)
    return out


def as_outages(out: Array) -> list[int | None]:
    """The branches as `Scenarios` takes them."""
    return [None if k < 0 else int(k) for k in out]


def draw(net: Network, recipe: Recipe, seed: int, which: Array, threads: int | None) -> Drawn:
    """The operating points of the given numbers; each depends on the seed and its own number only."""
    region, names = load_regions(net)
    of_load, of_gen = region[net.load.bus], region[net.gen.bus]
    n = len(which)
    p, q = np.empty((n, net.n_load)), np.empty((n, net.n_load))
    most, moved = np.empty((n, net.n_gen)), np.empty((2, n, net.n_gen))
    stressed, factor, load = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    loaded = np.unique(of_load) if net.n_load else np.zeros(1, np.int64)
    weather = [net.gen.fuel.astype(str) == fuel for fuel in WEATHER]
    for row, number in enumerate(which.tolist()):
        rng = np.random.default_rng((seed, number))
        load[row], factor[row], stressed[row] = (
            rng.uniform(*recipe.load),
            rng.uniform(*recipe.region),
            rng.choice(loaded),
        )
        share = load[row] * np.where(of_load == stressed[row], factor[row], 1.0)
        p[row] = net.load.p_mw * share * rng.uniform(1 - recipe.bus, 1 + recipe.bus, net.n_load)
        q[row] = net.load.q_mvar * share * rng.uniform(1 - recipe.bus, 1 + recipe.bus, net.n_load)
        most[row] = net.gen.p_max_mw
        for mask in weather:
            available = rng.uniform(*recipe.weather, len(names))[of_gen]
            most[row] = np.where(mask & np.isfinite(most[row]), available * most[row], most[row])
        moved[:, row] = rng.uniform(-1, 1, (2, net.n_gen))
    out = branches_out(net, recipe, seed, which)
    asked = Scenarios(net, load_p_mw=p, load_q_mvar=q, branch_out=as_outages(out))
    points, solved = _points(net, recipe, asked, most, threads)
    found = asked.replace(gen_p_mw=points[0], gen_v_pu=points[1])
    sc = moved_points(net, recipe, found, most, moved)
    by_region = np.stack([p[:, of_load == r].sum(1) for r in range(len(names))], 1)
    return Drawn(sc, solved, stressed, factor, load, out, by_region)


def moved_points(net: Network, recipe: Recipe, points: Scenarios, most: Array, moved: Array) -> Scenarios:
    """Points with outputs and set-points moved by `moved` (2, n, n_gen), -1 to 1, times what the recipe says; outputs up to
    `most` (n, n_gen), MW."""
    p = points.values("gen_p_mw")
    gen_p = np.clip(p * (1 + recipe.dispatch * moved[0]), np.minimum(net.gen.p_min_mw, p), np.maximum(most, p))
    gen_v = _moved_set_points(net, points.values("gen_v_pu"), recipe.voltage * moved[1])
    return points.replace(gen_p_mw=gen_p, gen_v_pu=gen_v)


def _moved_set_points(net: Network, v: Array, by: Array) -> Array:
    """Set-points moved within the bands; units that hold one bus move together."""
    target = np.where(net.gen.controlled_bus >= 0, net.gen.controlled_bus, net.gen.bus)
    first = np.zeros(net.n_bus, np.int64)
    first[target[::-1]] = np.arange(net.n_gen)[::-1]
    together = by[:, first[target]]
    low, high = np.minimum(v, net.bus.v_min_pu[target]), np.maximum(v, net.bus.v_max_pu[target])
    return np.asarray(np.clip(v + together, low, high))


def _points(
    net: Network, recipe: Recipe, sc: Scenarios, most: Array, threads: int | None
) -> tuple[tuple[Array, Array], Array]:
    """Outputs and voltage set-points of optimal points that keep a distance from the limits, and which were found."""
    branch, bus, margin = net.branch, net.bus, recipe.band_margin
    short = np.where(np.isfinite(branch.rate_short_mva), branch.rate_short_mva, branch.rate_mva)
    tight = net.replace(
        branch=branch.replace(rate_mva=recipe.rating_share * branch.rate_mva, rate_short_mva=short),
        bus=bus.replace(v_min_pu=bus.v_min_pu + margin, v_max_pu=bus.v_max_pu - margin),
    )
    asked = sc.replace(net=tight)
    if recipe.points == "secure":
        found = secure_operating_points(
            tight, asked, "n-1", v_margin_pu=margin, max_rounds=recipe.rounds, gen_p_max_mw=most, threads=threads
        )
        points, solved = found.points, np.isin(found.status, (0, 1))
    else:
        points = optimal_power_flow(tight, asked, gen_p_max_mw=most, threads=threads)
        solved = points.status == 0
    p, v = (np.array(points.scenarios.values(name)) for name in ("gen_p_mw", "gen_v_pu"))
    p, v = np.where(np.isfinite(p), p, net.gen.p_mw), np.where(np.isfinite(v), v, net.gen.v_set_pu)
    return (p, v), np.asarray(solved)
