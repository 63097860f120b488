"""Fans of scenarios around a forecast, the reserves that they ask for, and states that serve a few of them at least cost.

Errors of forecasts are Gaussian and fade with time (first-order autoregressive), in part common to all plants of a fuel, in part
their own in each control area::

    z_t = phi z_(t-1) + sqrt(1 - phi^2) e_t,   phi = exp(-step / tau)
    available = clip(forecast + sigma capacity (sqrt(shared) z_fuel + sqrt(1 - shared) z_fuel,area), 0, capacity)
    load      = forecast (1 + sigma_load z_load)

Reserves are quantiles of the error of the net load, load less wind and sun, step by step [1]. The two-stage problem decides one
set of states for all scenarios, and outputs for each::

    min  cost of states + sum_s probability_s (cost of outputs in s)        [2]

1. H. Holttinen et al.: Methodologies to determine operating reserves due to increased wind power. IEEE Trans. Sustainable
   Energy 3, 2012.
2. J. R. Birge, F. Louveaux: Introduction to Stochastic Programming. Springer, 2011, ch. 2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.answer import Desk, desk_of, plan_of
from aurigrid.dispatch.api import bound_of
from aurigrid.dispatch.from_network import Bound, series
from aurigrid.dispatch.highs import DispatchError, outcome, solver
from aurigrid.dispatch.linear import Array, Problem
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.products import ReserveProduct
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.api import ensure_valid

ERRORS: Mapping[str, float] = {"wind": 0.08, "solar": 0.06, "load": 0.02}
"""Standard deviations where none are given: of wind and sun as a share of capacity, of load as a share of itself."""
TAU_H, SHARED = 6.0, 0.5
"""Hours after which an error's correlation is 1/e; share of its variance that is common to a fuel."""


@dataclass(frozen=True, eq=False)
class Fan:
    """n scenarios of a span.

    Attributes:
        net, forecast: what they are around.
        gen: (m,) positions of units whose series vary; capacity_mw: (m,); forecast_mw: (T, m).
        group: (m,) column of `error` of each unit.
        error: (n, T, g) errors as shares of capacity.
        load_error: (n, T) errors of load as a share of itself.
    """

    net: Network
    forecast: Profiles
    gen: Array
    capacity_mw: Array
    forecast_mw: Array
    group: Array
    error: Array
    load_error: Array

    @property
    def n(self) -> int:
        """Number of scenarios."""
        return len(self.error)

    def available_mw(self, step: int) -> Array:
        """(n, m) what the units of `gen` could give in a step."""
        moved = self.forecast_mw[step] + self.error[:, step][:, self.group] * self.capacity_mw
        return np.asarray(np.clip(moved, 0.0, np.maximum(self.capacity_mw, self.forecast_mw[step])))

    def net_load_error_mw(self) -> Array:
        """(n, T) net load (load less wind and sun) less its forecast."""
        load = series(self.net, self.forecast, "load", "p_mw")[0] * self.net.load.in_service
        green = [(self.available_mw(t) - self.forecast_mw[t]).sum(1) for t in range(len(self.forecast))]
        return np.asarray(self.load_error * load.sum(1) - np.array(green).T.reshape(self.n, -1))

    def sums_mw(self) -> dict[str, Array]:
        """(n, T) load, wind, sun and net load (load less both) of the whole grid."""
        load = (series(self.net, self.forecast, "load", "p_mw")[0] * self.net.load.in_service).sum(1)
        fuel, steps = self.net.gen.fuel[self.gen].astype(str), range(len(self.forecast))
        found = {"load": (1 + self.load_error) * load}
        for name in ("wind", "solar"):
            units = fuel == name
            found[name] = np.array([self.available_mw(t)[:, units].sum(1) for t in steps]).T.reshape(self.n, -1)
        return {"net_load": found["load"] - found["wind"] - found["solar"], **found}

    def profiles(self, scenario: int) -> Profiles:
        """One scenario as profiles."""
        given: dict[Any, Any] = dict(self.forecast.series)
        steps = len(self.forecast)
        for column in ("p_mw", "q_mvar"):
            found = self.forecast.series.get(("load", column))
            if found is not None:
                values = found.read(0, steps) * (1 + self.load_error[scenario][:, None])
                given["load", column] = (values, found.position)
        source = self.forecast.series["gen", "p_mw"]
        values = source.read(0, steps).copy()
        column_of = {int(g): c for c, g in enumerate(source.position)}
        columns = [column_of[int(g)] for g in self.gen]
        values[:, columns] = np.array([self.available_mw(t)[scenario] for t in range(steps)])
        given["gen", "p_mw"] = (values, source.position)
        return Profiles(self.forecast.time, given, step_min=self.forecast.step_min, zone=self.forecast.zone)


def fan_of(
    net: Network,
    forecast: Profiles,
    n: int,
    *,
    seed: int = 0,
    errors: Mapping[str, float] | None = None,
    tau_h: float = TAU_H,
    shared: float = SHARED,
) -> Fan:
    """Draw scenarios around a forecast.

    Args:
        net: the network.
        forecast: loads, and what wind and sun could give.
        n: number of scenarios.
        seed: of the random numbers; equal seeds give equal fans.
        errors: standard deviations, see `ERRORS`, which holds for what is not named.
        tau_h: hours after which the correlation of an error with itself is 1/e.
        shared: share of the variance that is common to all plants of a fuel, 0..1.

    Raises:
        InputError: a series or option that makes no sense; all at once.
    """
    issues = IssueList()
    sigma = {**ERRORS, **(errors or {})}
    unknown = [name for name in errors or {} if name not in ERRORS]
    if unknown:
        issues.add("fan", "errors", "names what has no error here", unknown, hint="name " + ", ".join(ERRORS))
    for name, good, value in (
        ("n", n >= 1, n), ("tau_h", tau_h > 0, tau_h), ("shared", 0 <= shared <= 1, shared),
        ("errors", all(0 <= x < np.inf for x in sigma.values()), sigma),
    ):  # fmt: skip
        if not good:
            issues.add("fan", name, f"is {value}", hint="give a number in range")
    issues.raise_if_any()
    forecast.require_fits(net)
    found = forecast.series.get(("gen", "p_mw"))
    fuel = np.char.lower(net.gen.fuel.astype(str))
    followed = np.zeros(net.n_gen, bool)
    if found is not None:
        followed[found.position] = True
    gen = np.flatnonzero(followed & np.isin(fuel, ("wind", "solar")) & net.gen.in_service)
    values = series(net, forecast, "gen", "p_mw")[0][:, gen]
    most = net.gen.p_max_mw[gen]
    capacity = np.where(np.isfinite(most), most, values.max(0, initial=0.0))
    fuels, kind = np.unique(fuel[gen], return_inverse=True)
    places, group = np.unique(
        np.char.add(np.char.add(fuel[gen], "/"), net.bus.area[net.gen.bus[gen]].astype(str)), return_inverse=True
    )
    rng = np.random.default_rng(seed)
    phi = float(np.exp(-forecast.step_min / 60.0 / tau_h))
    common, own, load = (_walk(rng, n, len(forecast), width, phi) for width in (len(fuels), len(places), 1))
    kind_of = np.zeros(len(places), int)
    kind_of[group] = kind
    spread = np.array([sigma[str(name)] for name in fuels])
    error = spread[kind_of] * (np.sqrt(shared) * common[..., kind_of] + np.sqrt(1 - shared) * own)
    return Fan(net, forecast, gen, capacity, values, group, error, sigma["load"] * load[..., 0])


def _walk(rng: np.random.Generator, n: int, steps: int, width: int, phi: float) -> Array:
    """(n, T, width) stationary first-order autoregressive series of variance 1."""
    out = rng.standard_normal((n, steps, width))
    for t in range(1, steps):
        out[:, t] = phi * out[:, t - 1] + np.sqrt(1 - phi**2) * out[:, t]
    return out


def reserves_for(fan: Fan, share: float = 0.95, minutes: float = 15.0) -> tuple[ReserveProduct, ReserveProduct]:
    """Upward and downward reserve with which `share` of the scenarios balance, step by step.

    Half of the rest may be missed in either direction. Wind and sun hold none of it.

    Raises:
        InputError: a share outside 0..1.
    """
    if not 0 < share < 1:
        raise InputError(Issue("fan", "share", f"is {share}", hint="give a share between 0 and 1"))
    low, high = np.quantile(fan.net_load_error_mw(), ((1 - share) / 2, (1 + share) / 2), axis=0)
    able = np.setdiff1d(np.arange(fan.net.n_gen), fan.gen)
    units = (*fan.net.gen.id[able].astype(str).tolist(), *fan.net.storage.id.astype(str).tolist())
    up = ReserveProduct("forecast up", np.maximum(high, 0.0), up=True, minutes=minutes, units=units)
    return up, ReserveProduct("forecast down", np.maximum(-low, 0.0), up=False, minutes=minutes, units=units)


@dataclass(frozen=True, eq=False)
class TwoStage:
    """States for several scenarios.

    Attributes:
        plan: the forecast dispatched at these states, inside flow limits.
        cost, bound: expected cost, and what none can undercut (without flow limits).
        state_cost: cost of states and starts; scenario_cost: (n,) of each scenario's outputs.
    """

    plan: Plan
    cost: float
    bound: float
    state_cost: float
    scenario_cost: Array

    @property
    def gap(self) -> float:
        """Distance of cost and bound, relative to the cost."""
        return max(self.cost - self.bound, 0.0) / max(abs(self.cost), 1e-9)


def two_stage(
    net: Network,
    fan: Fan,
    *,
    probability: Array | None = None,
    security: str = "base",
    gap: float = 0.005,
    time_limit: float = 60.0,
    **prices: Any,
) -> TwoStage:
    """Decide states that serve all scenarios of a small fan at least expected cost.

    Flow limits are kept by the dispatch at these states, not in the choice of states.

    Args:
        net: the network.
        fan: a few scenarios (the problem grows with them).
        probability: (n,) of each; equal where absent.
        security: flow limits of the plan, ``"none"``, ``"base"`` or ``"n-1"``.
        gap, time_limit: relative gap at which the search stops, and its seconds.
        prices: ``co2_price``, ``unserved_price``, ``spill_price``, ``limit_price`` of `aurigrid.dispatch`.

    Raises:
        InputError: probabilities that are none.
        MissingExtraError: highspy is not installed.
        DispatchError: no plan was found in the time.
    """
    ensure_valid(net)
    p = np.full(fan.n, 1.0 / fan.n) if probability is None else np.asarray(probability, float)
    if p.shape != (fan.n,) or (p < 0).any() or not np.isclose(p.sum(), 1.0):
        raise InputError(
            Issue("fan", "probability", "is no distribution over the scenarios", hint="give n that sum to 1")
        )
    desk = desk_of(net, security)
    models = [build_model(_bound(desk, fan.profiles(k), prices).system) for k in range(fan.n)]
    shared = _first_other(models[0])
    problem = _joined(models, p, shared)
    h = solver(problem, mip_rel_gap=gap, time_limit=time_limit)
    h.run()
    answer = outcome(h, problem)
    if answer.x is None:
        raise DispatchError(f"the search over states ended as {answer.status!r}; give more time")
    on = np.round(answer.x[models[0].state.on]).astype(np.int8)
    bound = _bound(desk, fan.forecast, prices)
    bound = dataclasses.replace(bound, system=bound.system.replace(fixed_on=on))
    plan = plan_of(desk, fan.forecast, bound, solve_states(bound.system, desk.flows, losses=True))
    each, size = np.zeros(fan.n), models[0].problem.n - shared
    for k, model in enumerate(models):
        columns = slice(shared + k * size, shared + (k + 1) * size)
        each[k] = float(model.problem.cost[shared:] @ answer.x[columns])
    state_cost = float(models[0].problem.cost[:shared] @ answer.x[:shared]) + models[0].problem.offset
    return TwoStage(plan, answer.cost, answer.bound, state_cost, each)


def _bound(desk: Desk, profiles: Profiles, prices: Mapping[str, Any]) -> Bound:
    net = desk.net
    return bound_of(
        desk, profiles, shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan), **prices
    )  # fmt: skip


def _first_other(model: Model) -> int:
    """Number of columns that say what is on: they come first, and all scenarios share them."""
    made, supply = model.production, model.supply
    parts = (made.above, made.segment, supply.injection, supply.charge, supply.forward, model.unserved, model.surplus)
    columns = np.concatenate([part.ravel() for part in parts])
    return int(columns[columns >= 0].min())


def _joined(models: list[Model], probability: Array, shared: int) -> Problem:
    """All scenarios as one problem with one set of states."""
    parts = [model.problem for model in models]
    own, first = parts[0].n - shared, parts[0]
    index = [np.where(p.index < shared, p.index, p.index + k * own) for k, p in enumerate(parts)]
    start = np.concatenate([[0], *(np.diff(p.start) for p in parts)]).cumsum().astype(np.int32)

    def columns(name: str) -> Array:
        return np.concatenate([getattr(first, name)[:shared], *(getattr(p, name)[shared:] for p in parts)])

    cost = np.concatenate(
        [first.cost[:shared], *(w * p.cost[shared:] for w, p in zip(probability, parts, strict=True))]
    )
    return Problem(
        cost, columns("lower"), columns("upper"), columns("integer"),
        np.concatenate([p.row_lower for p in parts]), np.concatenate([p.row_upper for p in parts]),
        start, np.concatenate(index).astype(np.int32), np.concatenate([p.value for p in parts]), first.offset,
    )  # fmt: skip
