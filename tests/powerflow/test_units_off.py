"""Units that a schedule has off: told once for all cases of a row, they give what they give told with every outage."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow import newton
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import OUTAGE_TABLES, Cases
from aurigrid.powerflow.newton import Settings
from aurigrid.security.analysis import begin, product_cases
from aurigrid.security.contingencies import contingencies
from sample_grids import everything

TOL = 1e-9
EVERY = "branches+generators+buses+hvdc"


def scheduled(net: ag.Network, off: list[list[str | int] | None], seed: int = 5) -> Scenarios:
    rng, n = np.random.default_rng(seed), len(off)
    return Scenarios(
        net,
        load_p_mw=net.load.p_mw * rng.uniform(0.8, 1.0, (n, net.n_load)),
        gen_p_mw=net.gen.p_mw * rng.uniform(0.9, 1.1, (n, net.n_gen)),
        gen_v_pu=net.gen.v_set_pu + rng.uniform(-0.01, 0.01, (n, net.n_bus))[:, net.gen.bus],
        gen_out=off,
    )


def both(
    net: ag.Network, sc: Scenarios, spec: str, how: Settings, engine: str = "newton"
) -> tuple[ag.Solution, ag.Solution]:
    """All outages of all scenarios: with the units that are off told by row, and case by case."""
    found = contingencies(net, spec)
    cases = product_cases(sc, found, np.arange(found.n))
    assert len(cases.row_out.case)
    told = dataclasses.replace(
        cases, out={t: cases.pairs(t) for t in OUTAGE_TABLES}, row_out=Cases.of(sc[:0]).pairs("gen")
    )
    if engine == "dc":
        return solve_cases(net, cases, "dc", how), solve_cases(net, told, "dc", how)
    start = begin(solve_cases(net, Cases.of(sc), "newton", how))
    return tuple(solve_cases(net, c, "newton", how, start, c.row) for c in (cases, told))  # type: ignore[return-value]


def same(a: ag.Solution, b: ag.Solution) -> None:
    assert np.array_equal(a.status, b.status)
    good = a.converged
    assert good.sum() > 0.5 * a.n
    np.testing.assert_allclose(a.v[good], b.v[good], atol=1e-7, equal_nan=True)
    np.testing.assert_allclose(a.slack_mw[good], b.slack_mw[good], atol=1e-5)
    assert np.array_equal(a.held[good], b.held[good])
    assert np.nanmax(a.mismatch_pu) < 1e-8
    assert np.nanmax(b.mismatch_pu) < 1e-8
    np.testing.assert_allclose(a.gen_p_mw[good], b.gen_p_mw[good], atol=1e-4, equal_nan=True)


OFF: dict[str, list[list[str | int] | None]] = {
    "one of two at a bus": [["G1a"], None, ["G1b"]],
    "a bus loses its regulation": [["G1a", "G1b"], ["G5"]],
    "a reference moves": [["G0"], ["G8"], ["G0", "G5"]],
    "nobody is left to share": [["G8", "G12"], ["G12"]],
    "units without regulation": [["W6", "G12"], None],
}


@pytest.mark.parametrize("off", OFF.values(), ids=OFF.keys())
@pytest.mark.parametrize("q_limits", [False, True], ids=["free", "limits"])
@pytest.mark.parametrize("slack", ["reference", "distributed"])
def test_by_row_equals_case_by_case(off: list[list[str | int] | None], q_limits: bool, slack: str) -> None:
    net = everything()
    how = Settings(TOL, 30, q_limits, slack == "distributed", 1)
    same(*both(net, scheduled(net, off), EVERY, how))


@pytest.mark.parametrize("slack", ["reference", "distributed"])
def test_by_row_equals_case_by_case_in_the_linear_model(slack: str) -> None:
    net = everything()
    how = Settings(TOL, 30, False, slack == "distributed", 1)
    a, b = both(net, scheduled(net, OFF["a bus loses its regulation"]), EVERY, how, "dc")
    assert np.array_equal(a.status, b.status)
    np.testing.assert_allclose(np.angle(a.v), np.angle(b.v), atol=1e-9, equal_nan=True)


@pytest.mark.parametrize(("name", "q_limits"), list(product(["case57", "case118"], [False, True])))
def test_random_schedules(name: str, q_limits: bool) -> None:
    net = ag.load(name)
    rng = np.random.default_rng(1)
    off = [sorted(np.flatnonzero(rng.random(net.n_gen) < 0.3).tolist()) for _ in range(4)]
    how = Settings(TOL, 30, q_limits, True, 2)
    same(*both(net, scheduled(net, off), "branches+generators", how))


def test_chord_steps_follow_units_that_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ag.load("case118")
    still = (net.gen.p_mw == 0) & ~net.gen.is_reference
    off = [[k for k in np.flatnonzero(still).tolist() if k % 3 == t] for t in range(3)]
    taken: list[np.ndarray] = []
    chord_cases = newton._Work.chord_cases

    def noted(self: newton._Work) -> np.ndarray:
        taken.append(chord_cases(self))
        return taken[-1]

    monkeypatch.setattr(newton._Work, "chord_cases", noted)
    for q_limits in (False, True):
        ag.security_analysis(net, scheduled(net, off), "branches", q_limits=q_limits)
        assert taken[-1].all()


def test_an_outage_of_a_unit_that_is_off_changes_nothing() -> None:
    net = everything()
    sc = scheduled(net, [["G1a", "G5"]])
    report = ag.security_analysis(net, sc, [["G1a"], ["G5"], ["G1a", "G5"]])
    assert (report.status == 0).all()
    np.testing.assert_allclose(report.v_min_pu[0], float(np.nanmin(report.base.v_mag)), atol=1e-6)


@pytest.mark.parametrize("q_limits", [False, True], ids=["free", "limits"])
def test_branches_out_in_every_case_are_those_of_the_factor(q_limits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outages of scenarios with branches out, some of which cut a bus off, by chord steps and by Newton's method alone."""
    net = everything()
    sc = Scenarios(net, branch_out=[["L01"], ["L14", "L67"], ["M1112a", "M89"]], gen_out=[None, ["G1a"], None])
    found, how = contingencies(net, "branches+generators"), Settings(TOL, 30, q_limits, True, 1)
    cases = product_cases(sc, found, np.arange(found.n))
    start = begin(solve_cases(net, Cases.of(sc), "newton", how))
    asked: list[np.ndarray] = []
    chord_cases = newton._Work.chord_cases

    def noted(self: newton._Work) -> np.ndarray:
        asked.append(chord_cases(self))
        return asked[-1]

    monkeypatch.setattr(newton, "_CASES_A_FACTOR", 0)
    monkeypatch.setattr(newton._Work, "chord_cases", noted)
    by_chords = solve_cases(net, cases, "newton", how, start, cases.row)
    assert asked[-1].mean() > 0.7
    monkeypatch.setattr(newton._Work, "chord_cases", lambda self: np.zeros(len(self.batch.row), bool))
    same(by_chords, solve_cases(net, cases, "newton", how, start, cases.row))
    assert by_chords.iterations.mean() < 12


def test_outages_beside_branches_that_are_out_are_those_of_all_of_them() -> None:
    net = ag.load("case118")
    report = ag.security_analysis(net, Scenarios(net, branch_out=[None, [20, 40]]), "branches")
    told = [sorted({20, 40, k}) for k in range(net.n_branch)]
    alone = ag.power_flow(net, Scenarios(net, branch_out=told))
    assert np.array_equal(report.status[1], alone.status)
    np.testing.assert_allclose(report.v_min_pu[1], np.nanmin(alone.v_mag, axis=1), atol=1e-6)
