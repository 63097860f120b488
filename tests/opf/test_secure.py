"""Operating points that survive outages: slopes, cuts and the points themselves against exact power flows."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.opf.run import problem_of
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.solution import Solution
from aurigrid.secure import search
from aurigrid.secure.slopes import FLOW, V_LOW, Levers, slopes
from aurigrid.security.analysis import product_cases
from aurigrid.security.contingencies import contingencies


def rated(name: str, loading: float) -> ag.Network:
    """A grid whose short-term ratings lie at a multiple of the flows of its optimal point, 30 MVA at least."""
    net = ag.load(name)
    flow = ag.optimal_power_flow(net).solution.branch_flow()
    size = np.maximum(flow.s_from_mva, flow.s_to_mva)[0]
    rate = np.maximum(loading * size, 30.0)
    return net.replace(branch=net.branch.replace(rate_mva=1.2 * rate, rate_short_mva=1.2 * rate))


class Outages:
    """Exact flows and voltages after outages, as functions of outputs and set-points."""

    def __init__(self, name: str, words: str, distributed: bool, q_limits: bool) -> None:
        self.net = ag.load(name)
        self.list = contingencies(self.net, words)
        self.how = Settings(1e-11, 40, q_limits, distributed, 1)
        self.grid = compile_grid(self.net, single_reference=distributed)

    def at(self, p_mw: np.ndarray, v_pu: np.ndarray) -> Solution:
        sc = ag.Scenarios(self.net, gen_p_mw=p_mw[None], gen_v_pu=v_pu[None])
        return solve_cases(self.net, product_cases(sc, self.list, np.arange(self.list.n)), "newton", self.how)

    @staticmethod
    def values(state: Solution, rows: np.ndarray) -> np.ndarray:
        flow = state.branch_flow()
        size = np.maximum(flow.s_from_mva, flow.s_to_mva) / 100.0
        return np.array([size[c, e] if k == FLOW else abs(state.v[c, e]) for c, k, e in rows])


@pytest.mark.parametrize(
    ("name", "words", "distributed", "q_limits"),
    [("case14", "n-1", False, False), ("case118", "n-1+generators", True, True)],
)
def test_slopes_of_outage_states(name: str, words: str, distributed: bool, q_limits: bool) -> None:
    outages = Outages(name, words, distributed, q_limits)
    net, grid = outages.net, outages.grid
    problem = problem_of(net)
    levers = Levers.of(problem, grid)
    p, v = net.gen.p_mw.copy(), net.gen.v_set_pu.copy()
    state = outages.at(p, v)
    rng = np.random.default_rng(0)
    flow = state.branch_flow()
    rows = []
    for case in np.sort(rng.choice(np.flatnonzero(state.converged), 12, replace=False)):
        # a flow of nothing has a corner
        rows += [(case, FLOW, b) for b in rng.integers(net.n_branch, size=2) if flow.s_from_mva[case, b] > 5.0]
        rows.append((case, V_LOW, rng.integers(grid.n_node)))
    rows = np.array(rows)
    rows = rows[np.isfinite(state.v[rows[:, 0], np.where(rows[:, 1] == FLOW, 0, rows[:, 2])])]
    found = slopes(problem, levers, state, np.full(net.n_branch, 100.0), *rows.T, distributed, 1)
    np.testing.assert_allclose(found.value, outages.values(state, rows), atol=1e-10)

    step = 1e-4
    for column in rng.choice(len(levers.unit), 5, replace=False):
        unit = problem.injection.element[levers.unit[column]]
        ends = []
        for side in (1, -1):
            moved = p.copy()
            moved[unit] += side * step * net.base_mva
            ends.append(outages.values(outages.at(moved, v), rows))
        np.testing.assert_allclose(found.a[:, column], (ends[0] - ends[1]) / (2 * step), atol=2e-5)
    for column in rng.choice(len(levers.node), 5, replace=False):
        units = grid.node_of_bus[net.gen.bus] == levers.node[column]
        ends = []
        for side in (1, -1):
            moved = v.copy()
            moved[units] += side * step
            ends.append(outages.values(outages.at(p, moved), rows))
        scale = np.abs(found.b).max()
        np.testing.assert_allclose(found.b[:, column], (ends[0] - ends[1]) / (2 * step), atol=1e-4 * scale)


@pytest.fixture(scope="module")
def tight() -> ag.Network:
    return rated("case14", 1.3)


def test_points_survive_every_outage(tight: ag.Network) -> None:
    rng = np.random.default_rng(1)
    share = rng.uniform(0.95, 1.05, (12, tight.n_load))
    sc = ag.Scenarios(tight, load_p_mw=tight.load.p_mw * share, load_q_mvar=tight.load.q_mvar * share)
    before = ag.optimal_power_flow(tight, sc)
    options = {"q_limits": True, "slack": "distributed"}
    broken = ag.security_analysis(tight, before.scenarios, **options)
    kinds = {"overload_short_term", "voltage_low", "voltage_high"}
    assert kinds & set(broken.violations["kind"].to_pylist()), "the case must need security"

    found = ag.secure_operating_points(tight, sc, v_margin_pu=0.1)
    assert found.secure.sum() >= 11
    assert (found.security_cost[found.secure] > -1e-6 * before.objective[found.secure]).all()
    assert (found.points.kkt_residual < 1e-6).all()
    assert (found.points.max_violation_pu < 1e-6).all()
    # by the security analysis, which shares no code with the search
    report = ag.security_analysis(tight, found.scenarios[np.flatnonzero(found.secure)], **options)
    table = report.violations.to_pylist()
    assert not [row for row in table if row["kind"] == "overload_short_term"]
    for row in table:
        if row["kind"] in ("voltage_low", "voltage_high"):
            assert row["excess"] < 0.1 + 1e-6
    left = {row["scenario"] for row in found.violations.to_pylist()}
    assert left == set(np.flatnonzero(~found.secure).tolist())


def test_last_rounds_save_what_older_cuts_cost(tight: ag.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    share = np.random.default_rng(2).uniform(0.95, 1.05, (8, tight.n_load))
    sc = ag.Scenarios(tight, load_p_mw=tight.load.p_mw * share, load_q_mvar=tight.load.q_mvar * share)
    found = ag.secure_operating_points(tight, sc, v_margin_pu=0.1)
    monkeypatch.setattr(search, "_POLISHES", ())
    rough = ag.secure_operating_points(tight, sc, v_margin_pu=0.1)
    both = np.flatnonzero(rough.secure)
    assert len(both) >= 6
    np.testing.assert_array_equal(found.secure, rough.secure)
    saved = 1 - found.objective[both] / rough.objective[both]
    assert (saved > -1e-9).all()
    assert saved.max() > 1e-5


def test_insecurity_has_a_price(tight: ag.Network) -> None:
    """Where security is cheaper left alone, the rest is listed and priced by its exact overload."""
    found = ag.secure_operating_points(tight, insecurity_price=1e-3, v_margin_pu=0.1)
    assert found.status[0] == ag.SecureStatus.INSECURE
    rows = [row for row in found.violations.to_pylist() if row["kind"] == "overload_short_term"]
    assert rows
    assert found.rest_mva[0] == pytest.approx(sum(row["excess"] for row in rows), rel=1e-9)
    assert found.rest_price[0] == pytest.approx(1e-3 * (found.rest_mva[0] + 1000 * found.rest_pu[0]), rel=1e-9)
    assert found.points.kkt_residual[0] < 1e-6


def test_infeasible_before_outages() -> None:
    net = ag.load("case14")
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * np.array([[1.0], [6.0]]))
    found = ag.secure_operating_points(net, sc, short_factor=5.0, v_margin_pu=0.3)
    assert found.status[1] == ag.SecureStatus.INFEASIBLE
    assert found.points.slack_mw[1] > 1.0
    assert found.status[0] in (ag.SecureStatus.SECURE, ag.SecureStatus.INSECURE)


def test_bad_options_come_at_once() -> None:
    net = ag.load("case9")
    with pytest.raises(ag.InputError) as caught:
        ag.secure_operating_points(net, short_factor=0, insecurity_price=-1, max_rounds=-1, slack="all")
    assert len(caught.value.issues) == 4
