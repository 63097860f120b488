"""What the relaxation's prices prove: costs of other states, and bounds from prices alone."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.dispatch import hourly
from aurigrid.dispatch.answer import desk_of
from aurigrid.dispatch.api import bound_of
from aurigrid.dispatch.coarse import coarse
from aurigrid.dispatch.commit import commit_units
from aurigrid.dispatch.commitment import cost_after
from aurigrid.dispatch.highs import solve_relaxed
from aurigrid.dispatch.lagrange import Lagrangian, ascend
from aurigrid.dispatch.merge import merge
from aurigrid.dispatch.model import build_model
from aurigrid.dispatch.pglib_uc import read_pglib_uc
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.dispatch.refine import refine
from aurigrid.dispatch.secure import solve_secured
from aurigrid.dispatch.separate import counted, flip_costs, structure_of
from aurigrid.dispatch.sequences import Mixed, mix
from aurigrid.dispatch.system import System
from aurigrid.model.profiles import Profiles

from .grids import STEPS, WIND, hours, triangle
from .instances import instance
from .plain_uc import plain_model

EXACT = 1e-7


def read(data: dict[str, Any], folder: Path) -> System:
    path = folder / "instance.json"
    path.write_text(json.dumps(data))
    return read_pglib_uc(path)


def test_other_states_cost_what_is_said_in_the_plain_model(tmp_path: Path) -> None:
    """A plan that decides a state otherwise costs at least the relaxation and the cost of that flip."""
    data = instance(1, hours=6)
    system = read(data, tmp_path)
    model = build_model(system)
    relaxed = solve_relaxed(model.problem, threads=1)
    assert relaxed.row_dual is not None
    flips = flip_costs(model.problem, structure_of(model), relaxed.row_dual, 60.0)
    assert flips is not None
    rng = np.random.default_rng(0)
    dear = np.argwhere(np.isfinite(flips.cost) & (flips.cost > 1e-3 * relaxed.cost))
    assert len(dear) > 10
    for i, t in dear[rng.choice(len(dear), 4, replace=False)]:
        plain = plain_model(data)
        at = plain.at["u", system.units.id[i], int(t)]
        plain.low[at] = plain.high[at] = 1.0 - flips.state[i, t]
        other = plain.solve(EXACT, 30.0)
        assert other.status in (0, 2)
        if other.status == 0:
            assert other.fun >= relaxed.cost + flips.cost[i, t] - 1e-5 * relaxed.cost


def test_counts_change_no_optimum(tmp_path: Path) -> None:
    model = build_model(merge(read(instance(1, hours=6), tmp_path)).system)
    whole, count = counted(model.problem, structure_of(model))
    assert whole.n > model.problem.n
    plain = solve_relaxed(model.problem, threads=1)
    again = solve_relaxed(whole, threads=1)
    assert plain.x is not None
    assert again.cost == pytest.approx(plain.cost, rel=1e-9)
    assert violation(whole, np.r_[plain.x, count @ plain.x]) < 1e-6


def violation(problem: Any, x: np.ndarray[Any, Any]) -> float:
    """Violation of rows and limits, whole numbers aside."""
    a = problem.activity(x)
    parts = (problem.lower - x, x - problem.upper, problem.row_lower - a, a - problem.row_upper)
    return max(float(part.max(initial=0.0)) for part in parts)


def without_reserve(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"reserves": [0.0] * data["time_periods"]}


@pytest.mark.parametrize("seed", range(3))
def test_no_price_bounds_above_the_optimum_of_the_plain_model(seed: int, tmp_path: Path) -> None:
    data = without_reserve(instance(seed, hours=12))
    plain = plain_model(data).solve(EXACT, 60.0)
    assert plain.status == 0
    system = read(data, tmp_path).replace(reserves=())
    model = build_model(merge(system).system)
    dual = Lagrangian(model)
    assert dual.covers
    rng = np.random.default_rng(seed)
    for _ in range(20):
        # prices of ramps are negative
        sign = rng.choice([-1.0, 1.0], len(dual.priced), p=[0.3, 0.7])
        value, _ = dual.value(dual.clip(sign * rng.normal(25.0, 20.0, len(dual.priced))))
        assert value <= plain.fun * (1 + EXACT)


def test_prices_of_the_relaxation_give_its_value_where_output_is_free(tmp_path: Path) -> None:
    data = without_reserve(instance(0, hours=12))
    for unit in data["thermal_generators"].values():
        for name in ("ramp_up_limit", "ramp_down_limit", "ramp_startup_limit", "ramp_shutdown_limit"):
            unit[name] = 1e4
    model = build_model(merge(read(data, tmp_path).replace(reserves=())).system)
    relaxed = solve_relaxed(model.problem, threads=1)
    assert relaxed.row_dual is not None
    bound = ascend(model, relaxed.row_dual, [], np.zeros(model.problem.m), cost=relaxed.cost, gap=0.0, seconds=0.5)[0]
    assert bound == pytest.approx(relaxed.cost, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_s_least_cost_is_that_of_all_its_states(seed: int, tmp_path: Path) -> None:
    """Every sequence of 9 states that keeps least times, the past and must-run, priced one by one."""
    data = without_reserve(instance(seed, hours=9))
    for k, unit in enumerate(data["thermal_generators"].values()):
        if not unit["unit_on_t0"]:
            unit["time_down_t0"] = 1 + k + seed
        else:
            unit["time_up_t0"] = 1 + k % 3
    data["thermal_generators"]["oil_1"] |= {"must_run": 1}
    system = read(data, tmp_path).replace(reserves=())
    model = build_model(system)
    dual = Lagrangian(model)
    # what a step costs in the run that began before the first one may differ
    cost, first = np.random.default_rng(seed).normal(0.0, 400.0, (2, *model.state.on.shape))
    least, on = dual._units(cost, first, *np.zeros((2, *cost.shape)))
    u = system.units
    for i in range(len(u)):
        best = np.inf
        for states in itertools.product((0, 1), repeat=9):
            best = min(best, priced(u, i, np.array(states), cost[i], first[i], int(dual._held[i])))
        if u.must_run[i] and u.held[i] and not u.on_before[i]:
            continue
        assert least[i] == pytest.approx(best, abs=1e-6)
        again = priced(u, i, on[i].astype(int), cost[i], first[i], int(dual._held[i]))
        assert again == pytest.approx(best, abs=1e-6)


def priced(
    u: Any, i: int, states: np.ndarray[Any, Any], cost: np.ndarray[Any, Any], first: np.ndarray[Any, Any], held: int
) -> float:
    """Cost of one unit's states, inf where a rule is broken."""
    if u.must_run[i] and not states.all():
        return np.inf
    if (states[:held] != u.on_before[i]).any():
        return np.inf
    total, was, since = 0.0, int(u.on_before[i]), int(u.steps_before[i])
    for t, now in enumerate(states.tolist()):
        if now != was:
            if since < max(int((u.min_down if now else u.min_up)[i]), 1):
                return np.inf
            total += float(cost_after(u, np.array([since]))[i, 0]) if now else float(u.stop_cost[i])
            was, since = now, 0
        since += 1
        total += float(first[t] if states[: t + 1].all() and u.on_before[i] else cost[t]) * now
    return total


def test_states_by_the_hour_make_a_plan_and_a_bound_by_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = without_reserve(instance(0, hours=12))
    system = read(data, tmp_path).replace(reserves=(), step_h=0.25)
    best = commit_units(system, gap=EXACT, time_limit=60.0).found
    monkeypatch.setattr(hourly, "_MANY", 1)
    with monkeypatch.context() as only:
        only.setattr(hourly, "refine", lambda system, flows, done, **_: system.fixed_on)
        only.setattr(hourly, "mix", lambda done, flows, states, start, **_: Mixed((), -np.inf, []))
        whole = hourly.solve_system(system, None, gap=1e-3, time_limit=1.0, losses=False)
    on = np.asarray(whole.answer.x)[whole.model.state.on].reshape(-1, 3, 4)
    assert (on == on[:, :, :1]).all()
    done = hourly.solve_system(system, None, gap=1e-3, time_limit=1.0, losses=False)
    assert done.found is not None
    assert done.answer.cost <= whole.answer.cost * (1 + EXACT)
    assert done.found.bound <= best.cost * (1 + EXACT)
    assert best.bound * (1 - EXACT) <= done.found.cost
    assert done.model.problem.violation(np.asarray(done.answer.x)) < 1e-5
    apart = solve_secured(system, None, gap=EXACT, time_limit=60.0, losses=False)
    assert apart.answer.cost <= done.answer.cost * (1 + EXACT)


def quarters() -> Profiles:
    """The triangle's hours in quarters, load and wind in between."""
    whole = hours()
    when = whole.time[0] + np.arange(4 * STEPS) * np.timedelta64(15, "m")
    at = np.arange(4 * STEPS) / 4.0
    load = np.column_stack([np.interp(at, np.arange(STEPS), x) for x in whole.values("load", "p_mw").T])
    wind = np.interp(at, np.arange(STEPS), WIND)[:, None]
    return Profiles(when, {("load", "p_mw"): (load, [0, 1]), ("gen", "p_mw"): (wind, [2])})


def test_states_by_the_hour_keep_flow_limits_and_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    net = triangle(45.0)
    options: dict[str, Any] = {"losses": False, "time_limit": 20.0}
    best = ag.dispatch(net, quarters(), gap=1e-6, **options)
    monkeypatch.setattr(hourly, "_MANY", 1)
    plan = ag.dispatch(net, quarters(), gap=1e-4, **options)
    assert "states by the step" in plan.secured.seconds
    assert plan.secured.limits.key
    assert 0.8 * best.cost < plan.bound <= best.cost * (1 + 1e-6)
    assert best.bound * (1 - 1e-6) <= plan.cost <= 1.1 * best.cost
    assert not plan.secured.unsettled


def test_many_states_in_hours_are_decided_by_the_step_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"losses": False, "time_limit": 20.0}
    best = ag.dispatch(triangle(45.0), hours(), gap=1e-6, **options)
    monkeypatch.setattr(hourly, "_MANY", 1)
    plan = ag.dispatch(triangle(45.0), hours(), gap=1e-4, **options)
    assert "bound" in plan.secured.seconds
    assert plan.secured.limits.key
    assert plan.bound <= best.cost * (1 + 1e-6)
    assert best.bound * (1 - 1e-6) <= plan.cost <= 1.01 * best.cost
    assert not plan.secured.unsettled


@pytest.mark.parametrize("seed", range(3))
def test_mixed_sequences_bound_the_optimum_and_save_cost(seed: int, tmp_path: Path) -> None:
    system = read(without_reserve(instance(seed, hours=12)), tmp_path).replace(reserves=())
    best = commit_units(system, gap=EXACT, time_limit=60.0).found
    states = system.steady_states()
    done = solve_states(system.replace(fixed_on=states), None, losses=False)
    start = np.zeros((1, system.steps)), dict[tuple[int, int, int, int], float]()
    mixed = mix(done, None, states, start, gap=1e-6, until=time.perf_counter() + 30.0)
    assert mixed.bound <= best.cost * (1 + EXACT)
    # sequences know what a linear relaxation does, and whole states besides
    assert mixed.bound >= solve_relaxed(build_model(system).problem, threads=1).cost * (1 - 1e-6)
    plans = [solve_states(system.replace(fixed_on=s), None, losses=False).answer.cost for s in mixed.states]
    assert min(plans) >= best.bound * (1 - EXACT)
    assert min(plans) < 0.3 * done.answer.cost


def test_switching_units_at_prices_saves_cost() -> None:
    """From states of a dear plan: gas on throughout."""
    net = triangle(500.0)
    desk = desk_of(net, "base")
    bound = bound_of(desk, quarters(), shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan))
    states = np.ones((2, 4 * STEPS), np.int8)
    system = bound.system.replace(fixed_on=states)
    done = solve_states(system, desk.flows, losses=False)
    better = refine(system, desk.flows, done, target=0.0, until=time.perf_counter() + 10.0)
    assert (better != states).any()
    again = solve_states(system.replace(fixed_on=better), desk.flows, losses=False)
    assert again.answer.cost < done.answer.cost - 1.0


def test_a_unit_above_its_stopping_output_comes_down_first() -> None:
    """120 MW, 15 MW a quarter down: on for more than an hour, by the hour for whole ones."""
    net = triangle()
    gen = net.gen.replace(
        p_mw=np.array([120.0, 0.0, 0.0]),
        p_min_mw=np.array([20.0, 10.0, 0.0]),
        ramp_down_mw_per_min=np.array([1.0, 5.0, np.inf]),
    )
    net = net.replace(gen=gen)
    bound = bound_of(
        desk_of(net, "none"), quarters(), shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan)
    )
    units, longer = bound.system.units, coarse(bound.system, 4).units
    quarters_on = int(np.ceil((units.p_before_mw[0] - units.stop_mw[0]) / units.ramp_down_mw[0]))
    assert quarters_on > 4
    assert longer.held[0] == -(-quarters_on // 4)
