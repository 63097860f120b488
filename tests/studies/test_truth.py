"""Plans brought together with AC: flows, losses, voltages as a cause; a planned day in a run folder, stopped and gone on with."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("highspy")

from tests.dispatch.grids import STEPS, WIND, hours, triangle

import aurigrid as ag
from aurigrid.dispatch.answer import desk_of, plan_of
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.io.folder import save
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.store import open_run
from aurigrid.studies import day as days
from aurigrid.studies.chain import _bound as bound_of_day
from aurigrid.studies.chain import at_states, in_blocks, plan_day, remaining, spans
from aurigrid.studies.securing import settled
from aurigrid.studies.truth import agree

DATE = "2020-03-02"


def spur(v_max_pu: float = 1.05) -> Network:
    """A plant and load at A; wind at the end of a long, resistive line to B, whose voltage rises with what it gives."""
    return Network(
        bus=BusTable.make(id=["A", "B"], v_nom_kv=110.0, v_min_pu=[1.0, 0.9], v_max_pu=v_max_pu),
        branch=BranchTable.make(id=["AB"], from_bus=[0], to_bus=[1], r_pu=0.1, x_pu=0.1, rate_mva=200.0),
        gen=GenTable.make(
            id=["plant", "wind"], bus=[0, 1], p_mw=[100, 0], is_reference=[True, False], regulates=[True, False],
            v_set_pu=1.0, q_min_mvar=[-100, 0], q_max_mvar=[100, 0], p_max_mw=[250, 90], fuel=["gas", "wind"],
            cost_c1_per_mwh=[50, 0], co2_t_per_mwh=[0.4, 0.0],
        ),
        load=LoadTable.make(id=["a"], bus=[0], p_mw=[220], q_mvar=[0]),
        name="spur",
    )  # fmt: skip


def spur_hours() -> Profiles:
    time = np.datetime64("2020-03-02T00:00") + np.arange(4) * np.timedelta64(6, "h")
    wind, load = np.array([[20.0], [85.0], [70.0], [40.0]]), np.full((4, 1), 220.0)
    return Profiles(time, {("load", "p_mw"): (load, [0]), ("gen", "p_mw"): (wind, [1])})


def truth_of(net: Network, day: Profiles, margin: float = 0.0, **options: object):
    """A plan with every unit on inside the intact grid's limits, and the same brought together with AC."""
    desk, wide = desk_of(net, "base"), desk_of(net, "n-1")
    states = np.ones((len(day), net.n_gen), bool)
    bound = at_states(bound_of_day(desk, day), states, day, day)
    plan = plan_of(desk, day, bound, solve_states(bound.system, desk.flows, losses=True))
    return plan, agree(wide, day, bound, plan, margin=margin, **options)


def test_voltage_curtails_as_much_as_it_must_and_is_named() -> None:
    net, day = spur(), spur_hours()
    before, truth = truth_of(net, day)
    assert before.curtailed_mw.sum() == pytest.approx(0.0, abs=1e-6)
    plan = truth.plan
    assert truth.agreed.all()
    # the most that B can give at 1.05 pu, from power flows alone: the plant holds its best voltage, that of the points
    lowest = truth.points.scenarios.values("gen_v_pu")[1, 0]

    def voltage(p: float) -> float:
        sc = ag.Scenarios(net, n=1, gen_p_mw=[[0.0, p]], gen_v_pu=[[lowest, 1.0]], load_p_mw=[[220.0]])
        return float(ag.power_flow(net, sc).v_mag[0, 1])

    low, high = 0.0, 90.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if voltage(middle) <= 1.05 else (low, middle)
    assert plan.gen_p_mw[1, 1] == pytest.approx(low, abs=0.3)
    assert plan.curtailed_mwh()["voltage"] == pytest.approx(plan.curtailed_mw.sum() * plan.step_h, abs=1e-6)
    table = plan.tables()["plan_curtailment"]
    assert set(table["limiting"]) == {"bus B"}
    assert set(np.asarray(table["step"]).tolist()) <= {1, 2}
    v = ag.power_flow(truth.points.scenarios.net, truth.points.scenarios).v_mag
    assert v.max() <= 1.05 + 1e-4


def test_points_keep_ratings_that_the_linear_plan_breaks_and_losses_agree() -> None:
    load = np.linspace(90, 190, STEPS)[:, None] * np.array([[0.5, 0.5]])
    reactive = np.full((STEPS, 2), 30.0)
    time = hours().time
    day = Profiles(
        time,
        {
            ("load", "p_mw"): (load, [0, 1]), ("load", "q_mvar"): (reactive, [0, 1]),
            ("gen", "p_mw"): (WIND[:, None], [2]),
        },
    )  # fmt: skip
    net = triangle(rate_mva=45.0)
    before, truth = truth_of(net, day)
    linear = ag.power_flow(net, before.scenarios()).branch_flow().loading
    assert linear.max() > 1.01
    assert truth.agreed.all()
    solved = ag.power_flow(truth.points.scenarios.net, truth.points.scenarios)
    assert solved.branch_flow().loading.max() <= 1.0 + 1e-3
    np.testing.assert_allclose(solved.gen_p_mw, truth.plan.gen_p_mw, atol=0.5)
    np.testing.assert_allclose(truth.plan.loss_mw, solved.branch_flow().loss_mw.sum(1), atol=0.05)
    supply = truth.plan.gen_p_mw.sum(1) + truth.plan.unserved_mw.sum(1) - truth.plan.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, truth.plan.load_p_mw.sum(1) + truth.plan.loss_mw, atol=1e-6)
    causes = truth.plan.curtailed_mwh()
    assert sum(causes.values()) == pytest.approx(truth.plan.curtailed_mw.sum() * truth.plan.step_h, abs=1e-6)


def test_outages_that_overload_are_limits_of_plan_and_points() -> None:
    net, day = triangle(), hours(1.3 * np.linspace(60, 140, STEPS)[:, None] * np.array([[0.5, 0.5]]))
    _, bare = truth_of(net, day, margin=0.01)
    _, kept = truth_of(net, day, margin=0.01, outages=True)
    worst = []
    for truth in (bare, kept):
        sc = settled(truth.points.scenarios.net, truth.points.scenarios, shared=True)
        found = ag.security_analysis(sc.net, sc, "n-1", q_limits=True, slack="distributed").found
        over = np.where(found.kind == 0, found.value - found.limit, 0.0)
        worst.append(np.zeros(STEPS))
        np.maximum.at(worst[-1], found.scenario, over)
    assert bare.secured is None
    assert kept.outage_rows > 0
    assert worst[0].max() > 5.0
    secure = kept.points.label == 0
    assert secure.any()
    assert worst[1][secure].max() <= 1e-6
    # what is left is dearer than its price, or nothing keeps it
    assert worst[1].max() < 0.1 * worst[0].max()


def test_what_no_operating_point_survives_is_told_as_such() -> None:
    """B is fed by two lines of 45 MVA each and draws 60 MW: after the outage of one the other carries more, whatever A gives."""
    net = Network(
        bus=BusTable.make(id=["A", "B"], v_nom_kv=110.0, v_min_pu=0.9, v_max_pu=1.1),
        branch=BranchTable.make(
            id=["one", "two"], from_bus=[0, 0], to_bus=[1, 1], r_pu=0.01, x_pu=0.1, rate_mva=45.0,
        ),
        gen=GenTable.make(
            id=["plant"], bus=[0], p_mw=[60], is_reference=True, regulates=True, v_set_pu=1.0, q_min_mvar=-100,
            q_max_mvar=100, p_min_mw=1, p_max_mw=250, fuel=["gas"], cost_c1_per_mwh=50,
        ),
        load=LoadTable.make(id=["b"], bus=[1], p_mw=[60], q_mvar=[0]),
        name="two lines",
    )  # fmt: skip
    time = np.datetime64("2020-03-02T00:00") + np.arange(2) * np.timedelta64(12, "h")
    day = Profiles(time, {("load", "p_mw"): (np.array([[60.0], [30.0]]), [0])})
    chained = plan_day(net, day, margin=0.0, security="n-1", commit_seconds=10.0)
    table = chained.tables["plan_outages"]
    assert set(zip(table["step"].tolist(), table["branch_id"].tolist(), strict=True)) == {(0, "one"), (0, "two")}
    assert set(table["reason"]) == {"no outputs and voltages keep every rating, less 1 %, after this outage"}
    assert chained.summary["steps_insecure"] == 1
    assert chained.summary["outage_breaches"] == 2


def test_what_cannot_agree_is_told_with_a_reason() -> None:
    net = triangle(rate_mva=12.0)
    chained = plan_day(net, hours(), margin=0.0, commit_seconds=10.0)
    table = chained.tables["plan_agreement"]
    assert not all(table["agreed"])
    for agreed, reason in zip(table["agreed"], table["reason"], strict=True):
        assert bool(reason) != bool(agreed)
    assert chained.summary["steps_agreed"] == sum(table["agreed"])
    left = chained.summary["not_agreed"]
    assert sum(row["rows"] for row in left) == STEPS - sum(table["agreed"])
    assert {row["reason"] for row in left} == set(table["reason"]) - {""}
    assert chained.summary["outages_left"] == []
    assert set(chained.tables["reasons"]["element_table"]) <= {"bus", "branch"}
    assert len(chained.tables["reasons"]["step"])


def test_steps_are_told_as_spans_of_time() -> None:
    local = np.datetime64("2020-03-02T17:15") + np.arange(8) * np.timedelta64(15, "m")
    assert spans(np.array([2, 3, 4, 7]), local) == ["17:45-18:15", "19:00"]
    assert spans(np.array([], np.int64), local) == []
    table = {"step": [0, 1, 1, 3], "reason": ["splits", "splits", "price", ""]}
    told = remaining({"plan_outages": table}, local)
    assert told["not_agreed"] == []
    assert told["outages_left"] == [
        {"reason": "splits", "rows": 2, "steps": 2, "times": ["17:15-17:30"]},
        {"reason": "price", "rows": 1, "steps": 1, "times": ["17:30"]},
    ]


def test_blocks_are_means_and_states_come_back() -> None:
    coarse = in_blocks(hours(), 4.0)
    assert len(coarse) == 2
    assert coarse.step_min == 240
    np.testing.assert_allclose(coarse.series[("gen", "p_mw")].read(0, 2)[:, 0], [WIND[:4].mean(), WIND[4:].mean()])
    assert in_blocks(hours(), 3.0) is not None
    assert len(in_blocks(hours(), 3.0)) == STEPS  # three hours do not divide eight
    on = np.array([[True, False, True], [False, True, True]])
    bound = at_states(bound_of_day(desk_of(triangle(), "none"), hours()), on, coarse, hours())
    np.testing.assert_array_equal(bound.system.fixed_on, [[1] * 4 + [0] * 4, [0] * 4 + [1] * 4])


def test_a_planned_day_goes_on_with_the_same_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = save(triangle(), tmp_path / "grid", profiles=hours())
    whole = ag.run_day(grid, DATE, tmp_path / "whole", dispatch="plan", steps_per_call=2)
    assert whole.plan is not None
    assert whole.plan["commitment_gap"] <= 0.005

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ag.run_day(grid, DATE, tmp_path / "parts", dispatch="plan", steps_per_call=2, progress=stop)
    monkeypatch.setattr(days, "plan_day", lambda *a, **k: pytest.fail("the plan was made twice"))
    rest = ag.run_day(grid, DATE, tmp_path / "parts", dispatch="plan", steps_per_call=2)
    assert (rest.steps, rest.new_steps) == (STEPS, STEPS - 4)
    assert rest.plan == {**whole.plan, "seconds": rest.plan["seconds"]}
    one, other = (open_run(tmp_path / name) for name in ("whole", "parts"))
    for table in ("bus_state", "gen_state", "plan_schedule", "points", "plan_agreement"):
        first, second = (run.table(table).to_pandas() for run in (one, other))
        assert first.equals(second), table
    given = one.sql("SELECT max(abs(s.p_mw - g.p_mw)) AS off FROM plan_schedule s JOIN gen_state g USING (step, gen)")
    assert given.column("off")[0].as_py() < 1.0
    with pytest.raises(ag.InputError, match=r"options\.dispatch"):
        ag.run_day(grid, DATE, tmp_path / "parts", dispatch="data")
    with pytest.raises(ag.InputError, match="give seconds"):
        ag.run_day(grid, DATE, tmp_path / "new", dispatch="plan", commit_seconds=0.0)
    assert not (tmp_path / "new").exists()


def test_the_windy_day_example_answers_its_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "simbench_windy_day.py"))
    grid = save(triangle(rate_mva=45.0), tmp_path / "grid", profiles=hours())
    script["main"](["--grid", str(grid), "--date", DATE, "--out", str(tmp_path / "run")])
    told = capsys.readouterr().out
    for what in script["QUESTIONS"]:
        assert what in told
    rows = script["answers"](open_run(tmp_path / "run"), 1.0)
    assert sum(r["mwh"] for r in rows["Curtailed by cause, MWh"]) > 0
    assert sum(r["steps"] for r in rows["Plan and AC"]) == STEPS
