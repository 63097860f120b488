"""Commitment against the plain model of PGLib-UC's paper, term by term, on small instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highspy")

from tests.data import PGLIB_UC, needs_pglib_uc

from aurigrid.dispatch.commit import Commitments, commit_units
from aurigrid.dispatch.highs import solve_relaxed
from aurigrid.dispatch.merge import merge
from aurigrid.dispatch.model import build_model
from aurigrid.dispatch.pglib_uc import read_pglib_uc
from aurigrid.errors import InputError

from .instances import instance
from .plain_uc import plain_model

EXACT = 1e-7


def committed(data: dict[str, Any], folder: Path, *, stopping_reserve: bool = True) -> Commitments:
    path = folder / "instance.json"
    path.write_text(json.dumps(data))
    return commit_units(read_pglib_uc(path, stopping_reserve=stopping_reserve), gap=EXACT, time_limit=60.0)


@pytest.mark.parametrize("stopping_reserve", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_optimum_is_that_of_the_plain_model(seed: int, stopping_reserve: bool, tmp_path: Path) -> None:
    data = instance(seed)
    plain = plain_model(data, stopping_reserve=stopping_reserve).solve(EXACT, 60.0)
    assert plain.status == 0
    plan = committed(data, tmp_path, stopping_reserve=stopping_reserve)
    assert plan.found.status == "gap"
    assert plan.found.cost == pytest.approx(plain.fun, rel=3 * EXACT)
    assert plan.found.bound <= plain.fun * (1 + EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_split_among_identical_units_is_a_plan_of_the_plain_model_at_the_same_cost(seed: int, tmp_path: Path) -> None:
    data = instance(seed)
    plan = committed(data, tmp_path)
    assert len(plan.merged.system.units) < len(plan.system.units)
    assert len(plan.merged.system.injections) == 1
    plain = plain_model(data)
    for i, g in enumerate(plan.system.units.id):
        low = data["thermal_generators"][g]["power_output_minimum"]
        for t in range(data["time_periods"]):
            on, p = plan.schedule.on[i, t], plan.schedule.unit_mw[i, t]
            at = plain.at["u", g, t]
            plain.low[at] = plain.high[at] = on
            at = plain.at["p", g, t]
            plain.low[at], plain.high[at] = max(p - low * on - 1e-7, 0.0), p - low * on + 1e-7
    checked = plain.solve(EXACT, 30.0)
    assert checked.status == 0
    assert checked.fun == pytest.approx(plan.found.cost, rel=1e-6)


def test_reserve_may_exceed_a_step_s_ramp_where_output_falls(tmp_path: Path) -> None:
    """r_t <= ramp_up + p_(t-1) - p_t: with a ramp of 20 MW, a plant that comes down by 40 MW can hold 45 MW."""
    data = instance(0, hours=3)
    steam = data["thermal_generators"]["steam_0"]
    steam |= {
        "power_output_minimum": 20.0, "power_output_maximum": 100.0, "ramp_up_limit": 20.0, "ramp_down_limit": 60.0,
        "ramp_startup_limit": 100.0, "ramp_shutdown_limit": 100.0, "must_run": 1, "unit_on_t0": 1, "power_output_t0": 90.0,
        "time_up_t0": 30, "time_down_t0": 0,
        "piecewise_production": [{"mw": 20.0, "cost": 200.0}, {"mw": 100.0, "cost": 1800.0}],
    }  # fmt: skip
    data["thermal_generators"] = {"steam_0": steam}
    data["renewable_generators"] = {}
    data |= {"demand": [90.0, 50.0, 50.0], "reserves": [0.0, 45.0, 15.0]}
    plain = plain_model(data).solve(EXACT, 30.0)
    assert plain.status == 0
    plan = committed(data, tmp_path)
    assert plan.schedule.reserve_short_mw.max() < 1e-6
    assert plan.found.cost == pytest.approx(plain.fun, rel=3 * EXACT)


def test_whether_the_last_hour_on_may_hold_reserve_above_the_stop_limit(tmp_path: Path) -> None:
    """One plant, 20 to 100 MW, that stops from at most 30 MW, and no load in the third hour. It gives 25 MW in the second and
    holds 40 MW of reserve. Where the stop limit counts reserve it cannot stop then, and its 20 MW have no use."""
    data = instance(0, hours=3)
    steam = data["thermal_generators"]["steam_0"]
    steam |= {
        "power_output_minimum": 20.0, "power_output_maximum": 100.0, "ramp_up_limit": 100.0, "ramp_down_limit": 100.0,
        "ramp_startup_limit": 100.0, "ramp_shutdown_limit": 30.0, "must_run": 0, "unit_on_t0": 1, "power_output_t0": 60.0,
        "time_up_t0": 30, "time_down_t0": 0,
        "piecewise_production": [{"mw": 20.0, "cost": 200.0}, {"mw": 100.0, "cost": 1800.0}],
    }  # fmt: skip
    data["thermal_generators"] = {"steam_0": steam}
    data["renewable_generators"] = {}
    data |= {"demand": [60.0, 25.0, 0.0], "reserves": [0.0, 40.0, 0.0]}
    plans = [committed(data, tmp_path, stopping_reserve=way).schedule for way in (True, False)]
    np.testing.assert_allclose([plan.surplus_mw.sum() for plan in plans], [0.0, 20.0], atol=1e-6)
    np.testing.assert_allclose([plan.reserve_short_mw.sum() for plan in plans], 0.0, atol=1e-6)


@pytest.mark.parametrize("day", ["01-27", "11-25"])
@needs_pglib_uc
def test_published_values_are_of_the_model_whose_last_hour_may_hold_reserve(day: str) -> None:
    """UnitCommitment.jl's best values (its table of reference results) lie above our relaxation; with equation 18 they do not
    on 11-25, so that no plan of that model has such a cost."""
    best = {"01-27": 1227311.93, "11-25": 960781.62}[day]
    path = PGLIB_UC / f"rts_gmlc_2020-{day}.json"
    free, held = (
        solve_relaxed(build_model(merge(read_pglib_uc(path, stopping_reserve=way)).system).problem, threads=1).cost
        for way in (True, False)
    )
    assert 0.996 * best < free < best
    assert free < held
    assert (held > best) == (day == "11-25")


def test_schedule_balances_and_meets_reserves(tmp_path: Path) -> None:
    data = instance(1)
    plan = committed(data, tmp_path).schedule
    supply = plan.unit_mw.sum(0) + plan.injection_mw.sum(0) + (plan.unserved_mw - plan.surplus_mw).sum(0)
    np.testing.assert_allclose(supply, data["demand"], atol=1e-6)
    held = plan.reserve_mw[0].sum(0) + plan.reserve_short_mw[0]
    assert (held >= np.array(data["reserves"]) - 1e-6).all()


def test_what_cannot_be_served_is_reported_at_its_price(tmp_path: Path) -> None:
    data = instance(2, hours=6)
    base = committed(data, tmp_path)
    top = sum(u["power_output_maximum"] for u in data["thermal_generators"].values())
    data["demand"][3] = top + 500.0
    data["demand"][4] = 0.0
    data["renewable_generators"]["sun_a"]["power_output_minimum"] = [20.0] * 6
    data["renewable_generators"]["sun_a"]["power_output_maximum"] = [20.0] * 6
    plan = committed(data, tmp_path)
    assert plan.schedule.unserved_mw.sum() > 400.0
    assert plan.schedule.surplus_mw.sum() >= 20.0 - 1e-6
    assert plan.found.cost > base.found.cost + 400.0 * plan.system.unserved_price


def test_merging_changes_no_optimum(tmp_path: Path) -> None:
    from aurigrid.dispatch.search import search
    from aurigrid.dispatch.separate import structure_of

    data = instance(3, hours=10)
    plan = committed(data, tmp_path)
    model = build_model(plan.system)
    apart = search(model.problem, structure_of(model), gap=EXACT, time_limit=60.0)
    assert apart.cost == pytest.approx(plan.found.cost, rel=3 * EXACT)


def test_units_with_binding_ramps_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps(instance(0)))
    merged = merge(read_pglib_uc(path))
    assert sorted(i for i in merged.system.units.id if i.startswith("steam")) == ["steam_0", "steam_1"]
    assert merged.system.units.count.sum() == len(merged.unit)


def test_file_faults_are_told_at_once(tmp_path: Path) -> None:
    data = instance(0, hours=4)
    data["demand"] = [1.0, 2.0]
    del data["thermal_generators"]["cc_0"]["ramp_up_limit"]
    data["thermal_generators"]["oil_0"]["time_up_minimum"] = "two"
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        read_pglib_uc(path)
    told = str(caught.value)
    for part in ("demand", "ramp_up_limit", "cc_0", "time_up_minimum", "oil_0"):
        assert part in told
    for text, part in (("{", "is not JSON"), ("[]", "thermal_generators")):
        path.write_text(text)
        with pytest.raises(InputError, match=part):
            read_pglib_uc(path)
    with pytest.raises(InputError, match="no such file"):
        read_pglib_uc(tmp_path / "none.json")


def test_costs_that_fall_are_refused(tmp_path: Path) -> None:
    data = instance(0, hours=4)
    data["thermal_generators"]["cc_0"]["piecewise_production"][1]["cost"] += 1e5
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="not convex"):
        read_pglib_uc(path)


def test_states_that_need_no_search_are_a_plan(tmp_path: Path) -> None:
    from aurigrid.dispatch.model import build_model
    from aurigrid.dispatch.search import search
    from aurigrid.dispatch.separate import structure_of

    path = tmp_path / "i.json"
    path.write_text(json.dumps(instance(1, hours=8)))
    system = merge(read_pglib_uc(path)).system
    model = build_model(system)
    found = search(model.problem, structure_of(model), gap=0.0, time_limit=1e-3, steady=[system.steady_states()])
    assert found.status == "time"
    assert model.problem.violation(found.x) < 1e-5
    assert found.bound <= found.cost
