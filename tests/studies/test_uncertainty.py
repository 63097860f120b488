"""Fans, reserves, two-stage states and risk against closed forms and enumeration."""

from __future__ import annotations

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest

pytest.importorskip("highspy")

from tests.dispatch.grids import STEPS, WIND, hours, triangle

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.studies.fan import ERRORS, Fan, fan_of, reserves_for, two_stage
from aurigrid.studies.risk import play, wilson

NORMAL = NormalDist()
T = 3


def line(rate_mva: float = 500.0, p_max_mw: float = 120.0) -> Network:
    """A plant at A, load at B, a lossless line between."""
    return Network(
        bus=BusTable.make(id=["A", "B"], v_nom_kv=220.0, v_min_pu=0.8, v_max_pu=1.2),
        branch=BranchTable.make(id=["AB"], from_bus=[0], to_bus=[1], r_pu=0.0, x_pu=0.001, rate_mva=rate_mva),
        gen=GenTable.make(
            id=["plant", "wind"], bus=[0, 0], p_mw=[50, 0], is_reference=[True, False], regulates=[True, False],
            q_min_mvar=-500, q_max_mvar=500, p_max_mw=[p_max_mw, 80], fuel=["nuclear", "wind"], cost_c1_per_mwh=[20, 0],
            co2_t_per_mwh=0.0, min_up_h=0.0, ramp_up_mw_per_min=100.0, ramp_down_mw_per_min=100.0,
        ),
        load=LoadTable.make(id=["b"], bus=[1], p_mw=[100], q_mvar=[0]),
        name="line",
    )  # fmt: skip


def steady(wind: float = 0.0, load: float = 100.0) -> Profiles:
    time = np.datetime64("2020-03-02T00:00") + np.arange(T) * np.timedelta64(60, "m")
    return Profiles(
        time, {("load", "p_mw"): (np.full((T, 1), load), [0]), ("gen", "p_mw"): (np.full((T, 1), wind), [1])}
    )


def test_fans_have_the_spread_and_memory_that_are_asked_for() -> None:
    net, day = line(), steady(wind=40.0)
    fan = fan_of(net, day, 20_000, seed=3, errors={"wind": 0.05, "load": 0.03}, tau_h=2.0)
    wind = np.stack([fan.available_mw(t)[:, 0] for t in range(T)], 1)
    assert wind.mean() == pytest.approx(40.0, abs=0.1)
    np.testing.assert_allclose(wind.std(0), 0.05 * 80, rtol=0.03)
    np.testing.assert_allclose(fan.load_error.std(0), 0.03, rtol=0.03)
    assert np.corrcoef(wind[:, 0], wind[:, 1])[0, 1] == pytest.approx(np.exp(-0.5), abs=0.02)
    assert np.corrcoef(wind[:, 0], wind[:, 2])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.02)
    again = fan_of(net, day, 20_000, seed=3, errors={"wind": 0.05, "load": 0.03}, tau_h=2.0)
    np.testing.assert_array_equal(fan.error, again.error)
    one = fan.profiles(7)
    np.testing.assert_allclose(one.values("gen", "p_mw")[:, 0], wind[7])
    np.testing.assert_allclose(one.values("load", "p_mw")[:, 0], 100 * (1 + fan.load_error[7]))
    assert fan_of(net, day, 2).error.std() > 0
    assert set(ERRORS) == {"wind", "solar", "load"}


def test_reserves_are_quantiles_of_the_net_load() -> None:
    fan = fan_of(line(), steady(wind=40.0), 40_000, seed=1, errors={"wind": 0.05, "load": 0.03})
    up, down = reserves_for(fan, 0.9)
    sigma = np.hypot(0.05 * 80, 0.03 * 100)
    z = NORMAL.inv_cdf(0.95)
    np.testing.assert_allclose(up.need_mw, z * sigma, rtol=0.03)
    np.testing.assert_allclose(down.need_mw, z * sigma, rtol=0.03)
    assert up.up
    assert not down.up
    assert up.units == ("plant",)
    plan = ag.dispatch(line(), steady(wind=40.0), reserves=[up, down], gap=1e-6)
    assert plan.reserve_short_mw.max() < 1e-6
    assert (plan.gen_p_mw[:, 0] + up.need_mw <= 120.0 + 1e-6).all()


def test_expected_unserved_load_is_that_of_a_normal_distribution() -> None:
    net, day = line(p_max_mw=104.0), steady()
    plan = ag.dispatch(net, day, gap=1e-6)
    fan = fan_of(net, day, 4_000, seed=5, errors={"wind": 0.0, "load": 0.05})
    risk = play(plan, fan)
    a = (104.0 - 100.0) / 5.0
    expected = 5.0 * NORMAL.pdf(a) - 4.0 * (1 - NORMAL.cdf(a))
    for t in range(T):
        low, high = risk.unserved_interval[t]
        assert low - (high - low) <= expected <= high + (high - low)
    np.testing.assert_allclose(risk.unserved_mw, expected, rtol=0.12)
    assert risk.summary()["expected_unserved_mwh"] == pytest.approx(risk.unserved_mw.sum() * plan.step_h)
    assert risk.curtailed_mw.max() == 0.0


def test_probability_of_an_overload_is_that_of_a_normal_distribution() -> None:
    net, day = line(rate_mva=108.0, p_max_mw=200.0), steady()
    plan = ag.dispatch(net, day, gap=1e-6)
    fan = fan_of(net, day, 4_000, seed=6, errors={"load": 0.05})
    risk = play(plan, fan)
    # reactive losses of the line are 0.1 Mvar; what is above 108 MW is an overload
    expected = 1 - NORMAL.cdf(8.0 / 5.0)
    for t in range(T):
        low, high = risk.violating_interval[t]
        assert low - 0.01 <= expected <= high + 0.01
        assert low < risk.violating[t] < high
    overload = risk.violations[risk.violations["step"] == 1]
    assert overload["count"].tolist() == [round(risk.violating[1] * fan.n)]
    mean = 5.0 * NORMAL.pdf(1.6) / expected - 8.0
    assert overload["excess"][0] == pytest.approx(mean, rel=0.15)
    assert risk.any_violating >= risk.violating.max()
    tables = risk.tables(day.time)
    assert tables["plan_risk_limits"]["element_id"] == ["AB"] * T
    assert tables["plan_risk"]["p_violation"].tolist() == risk.violating.tolist()
    quantiles = tables["plan_fan"]
    assert len({len(column) for column in quantiles.values()}) == 1
    rows = (np.array(quantiles["quantity"]) == "load") & (quantiles["step"] == 1) & (quantiles["share"] == 0.95)
    np.testing.assert_allclose(quantiles["mw"][rows], [100.0 + 5.0 * NORMAL.inv_cdf(0.95)], rtol=0.01)
    sums = fan.sums_mw()
    np.testing.assert_allclose(sums["net_load"], sums["load"] - sums["wind"] - sums["solar"])
    np.testing.assert_allclose(sums["net_load"].std(0), fan.net_load_error_mw().std(0))


def test_more_wind_than_can_be_taken_is_curtailed() -> None:
    net, day = line(p_max_mw=120.0), steady(wind=60.0, load=70.0)
    plan = ag.dispatch(net, day, gap=1e-6)
    fan = fan_of(net, day, 500, seed=2, errors={"wind": 0.1, "load": 0.0})
    risk = play(plan, fan)
    there = np.stack([fan.available_mw(t)[:, 0] for t in range(T)], 1)
    low = plan.rows.system.units.p_min_mw[0] if plan.gen_on[0, 0] and len(plan.rows.unit) else 0.0
    expected = np.maximum(there - (70.0 - low), 0.0)
    held = plan.curtailed_mw[:, 1] > 1e-2
    expected[:, held] = np.maximum(there[:, held] - plan.gen_p_mw[held, 1], 0.0)
    np.testing.assert_allclose(risk.curtailed_mw, expected.mean(0), atol=1e-6)
    assert expected.mean() > 0.1


def test_wilson_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    for p in (0.02, 0.3, 0.9):
        low, high = wilson(rng.binomial(400, p, 20_000), 400).T
        assert np.mean((low <= p) & (p <= high)) == pytest.approx(0.95, abs=0.02)
    np.testing.assert_allclose(wilson(np.array(0), 100), [0.0, 0.037], atol=1e-3)


def test_states_for_two_scenarios_are_the_best_of_all() -> None:
    net, day = triangle(rate_mva=1e4), hours()
    calm = hours(wind=WIND * 0.2)
    fan = fan_of(net, day, 2, errors={"wind": 0.0, "load": 0.0})
    fan = _given(fan, [day, calm])
    weight = np.array([0.7, 0.3])
    done = two_stage(net, fan, probability=weight, security="none", gap=1e-9)
    assert done.cost == pytest.approx(done.state_cost + weight @ done.scenario_cost)
    assert done.bound <= done.cost + 1e-6
    # each choice of states, kept in both scenarios, by plans of its own
    best = np.inf
    for states in product((0, 1), repeat=4):
        on = np.repeat(np.array(states).reshape(2, 2), STEPS // 2, 1)
        costs = [_at(net, p, on) for p in (day, calm)]
        best = min(best, float(weight @ costs))
    assert done.cost <= best + 1e-6
    assert float(weight @ [_at(net, p, done.plan.gen_on[:, :2].T) for p in (day, calm)]) == pytest.approx(done.cost)
    alone = ag.dispatch(net, day, security="none", losses=False, gap=1e-9)
    assert float(weight @ [_at(net, p, alone.gen_on[:, :2].T) for p in (day, calm)]) >= done.cost - 1e-6


def _given(fan: Fan, spans: list[Profiles]) -> Fan:
    """The fan with these scenarios in place of drawn ones."""
    import dataclasses

    there = np.array([p.values("gen", "p_mw")[:, [0]] for p in spans])
    error = (there - fan.forecast_mw[None]) / fan.capacity_mw
    return dataclasses.replace(fan, error=error, load_error=np.zeros(error.shape[:2]))


def _at(net: Network, day: Profiles, on: np.ndarray) -> float:
    """Cost of the best outputs at given states."""
    import dataclasses

    from aurigrid.dispatch.answer import desk_of
    from aurigrid.dispatch.api import bound_of
    from aurigrid.dispatch.highs import DispatchError
    from aurigrid.dispatch.redispatch import solve_states

    bound = bound_of(desk_of(net, "none"), day, shiftable=np.zeros(2), budget_mwh=np.full(3, np.nan))
    bound = dataclasses.replace(bound, system=bound.system.replace(fixed_on=on.astype(np.int8)))
    try:
        return solve_states(bound.system, None, losses=False).answer.cost
    except DispatchError:  # least times, or an output that cannot be come down from
        return float("inf")


def test_what_makes_no_sense_is_told_at_once() -> None:
    net, day = line(), steady()
    with pytest.raises(InputError) as caught:
        fan_of(net, day, 0, errors={"water": 1.0}, tau_h=0.0, shared=2.0)
    for part in ("n: is 0", "water", "tau_h", "shared"):
        assert part in str(caught.value)
    fan = fan_of(net, day, 2)
    with pytest.raises(InputError, match="share"):
        reserves_for(fan, 1.5)
    with pytest.raises(InputError, match="no distribution"):
        two_stage(net, fan, probability=np.array([0.5, 0.6]))
    with pytest.raises(InputError, match="not of the plan's"):
        play(ag.dispatch(net, day.window(0, 2), gap=1e-3), fan)


def test_command(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from aurigrid.cli import app
    from aurigrid.io.folder import save
    from aurigrid.store import open_run

    grid = save(triangle(rate_mva=45.0), tmp_path / "grid", profiles=hours())

    def call(*args: object) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app([str(a) for a in ("dispatch", grid, *args)], prog_name="aurigrid")
        return int(end.value.code or 0), "".join(capsys.readouterr())

    options = (
        "--scenarios",
        50,
        "--errors",
        "wind=0.1,load=0.05",
        "--reserve-share",
        0.9,
        "--seed",
        3,
        "--security",
        "none",
    )
    code, out = call(*options, "--out", tmp_path / "plan", "--json")
    assert code == 0, out
    risk = json.loads(out)["risk"]
    low, high = risk["probability_interval"]
    assert 0 < low <= risk["probability_of_violation"] <= high
    run = open_run(tmp_path / "plan")
    assert run.info.summary["risk"] == risk
    total = run.sql("SELECT sum(curtailed_mw) AS mwh, max(p_violation) AS p FROM plan_risk").to_pylist()[0]
    assert total["mwh"] == pytest.approx(risk["expected_curtailed_mwh"])
    assert total["p"] == pytest.approx(risk["worst_step_probability"])
    assert {"forecast up", "forecast down"} <= set(run.table("plan_reserves").column("product").to_pylist())
    code, out = call(*options)
    assert code == 0, out
    assert "Under 50 scenarios" in out
    for bad, told in ((("--errors", "wind"), "cannot read"), (("--errors", "water=1", "--scenarios", 5), "water")):
        code, out = call(*bad, "--out", tmp_path / "bad")
        assert code == 2
        assert told in out
        assert not (tmp_path / "bad").exists()
