"""The rescue ladder: which rung led to an answer, that rows do not meet, that nothing unsolved or redispatched is unmarked."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag

pytestmark = pytest.mark.peer


def stressed(net: ag.Network, n: int, low: float, high: float, seed: int = 1) -> ag.Scenarios:
    """Loads and schedules from light to beyond what the grid can carry."""
    level = np.linspace(low, high, n)[:, None]
    f = level * np.random.default_rng(seed).uniform(0.9, 1.1, (n, net.n_load))
    p, q = net.load.p_mw * f, net.load.q_mvar * f
    return ag.Scenarios(net, load_p_mw=p, load_q_mvar=q, gen_p_mw=net.gen.p_mw * level)


@pytest.fixture(scope="module")
def net() -> ag.Network:
    return ag.load("case39")


@pytest.fixture(scope="module")
def scenarios(net: ag.Network) -> ag.Scenarios:
    return stressed(net, 40, 0.9, 2.4)


@pytest.fixture(scope="module")
def solved(net: ag.Network, scenarios: ag.Scenarios) -> ag.Solution:
    return ag.power_flow(net, scenarios, q_limits=True, rescue=True, threads=1)


def test_every_answer_names_its_rung(solved: ag.Solution) -> None:
    assert 0 < solved.converged.sum() < solved.n
    assert ((solved.rung == ag.Rung.NONE) == ~solved.converged).all()
    assert (solved.mismatch_pu[solved.converged] <= 1e-8).all()
    assert all(ag.Rung(r).meaning for r in solved.rung.tolist())


def test_scenarios_from_the_base_case_say_so_and_the_base_case_says_its_start(net: ag.Network) -> None:
    alone = ag.power_flow(net)
    assert alone.rung[0] == ag.Rung.DC
    assert (ag.power_flow(net, ag.Scenarios.base(net, 3)).rung == ag.Rung.BASE).all()
    kept = net.replace(bus=net.bus.replace(v_mag_pu=alone.v_mag[0], v_ang_deg=np.rad2deg(alone.v_ang[0])))
    assert ag.power_flow(kept).rung[0] == ag.Rung.STORED
    # a stored state that is none is left for the next start
    lost = net.replace(bus=net.bus.replace(v_mag_pu=1.0, v_ang_deg=np.linspace(0, 3000, net.n_bus)))
    assert ag.power_flow(lost).rung[0] == ag.Rung.DC


def test_nothing_is_lost_and_nothing_that_was_solved_changes(
    net: ag.Network, scenarios: ag.Scenarios, solved: ag.Solution
) -> None:
    plain = ag.power_flow(net, scenarios, q_limits=True, threads=1)
    first = plain.converged
    assert (solved.converged[first]).all()
    assert np.array_equal(solved.v[first], plain.v[first])
    assert (solved.rung[first] == ag.Rung.BASE).all()


def test_failed_rows_hold_no_numbers(solved: ag.Solution) -> None:
    failed = ~solved.converged
    assert np.isnan(solved.v_mag[failed]).all()
    assert np.isnan(solved.mismatch_pu[failed]).all()
    assert np.isnan(solved.branch_flow().p_from_mw[failed]).all()


def test_what_was_reached_has_a_solution(net: ag.Network, scenarios: ag.Scenarios, solved: ag.Solution) -> None:
    assert solved.reached is not None
    looked = np.flatnonzero(~solved.converged & (solved.reached > 0))[::4]
    assert looked.size
    assert (solved.reached[looked] < 1).all()
    share = solved.reached[looked][:, None]
    part = scenarios[looked]
    less = part.replace(**{name: part.values(name) * share for name in ("load_p_mw", "load_q_mvar", "gen_p_mw")})
    assert ag.power_flow(net, less, q_limits=True, rescue=True, threads=1).converged.all()
    assert np.isnan(solved.reached[solved.rung == ag.Rung.BASE]).all()


def test_later_rungs_are_climbed() -> None:
    """Two cases near the nose that only damped steps and continuation solve, among others that nothing solves."""
    found = set()
    for name, rows in (("case9", slice(112, 124)), ("case39", slice(38, 50))):
        net = ag.load(name)
        level = np.linspace(0.5, 4, 200)[:, None]
        f = level * np.random.default_rng(1).uniform(0.7, 1.3, (200, net.n_load))
        p, q = net.load.p_mw * f, net.load.q_mvar * f
        sc = ag.Scenarios(net, load_p_mw=p, load_q_mvar=q, gen_p_mw=net.gen.p_mw * level)
        found |= set(ag.power_flow(net, sc[rows], q_limits=True, rescue=True, threads=1).rung.tolist())
    assert {ag.Rung.DAMPED, ag.Rung.CONTINUATION} & found
    assert ag.Rung.NONE in found


def test_rows_do_not_meet(net: ag.Network, scenarios: ag.Scenarios, solved: ag.Solution) -> None:
    order = np.random.default_rng(3).permutation(scenarios.n)
    turned = ag.power_flow(net, scenarios[order], q_limits=True, rescue=True, threads=2)
    assert np.array_equal(turned.rung, solved.rung[order])
    assert np.array_equal(turned.status, solved.status[order])
    assert turned.v == pytest.approx(solved.v[order], abs=1e-6, nan_ok=True)
    assert turned.reached == pytest.approx(solved.reached[order], nan_ok=True)


def test_a_base_case_that_fails_can_be_rescued_or_says_how_far_it_came(net: ag.Network) -> None:
    heavy = net.replace(load=net.load.replace(p_mw=net.load.p_mw * 3, q_mvar=net.load.q_mvar * 3))
    done = ag.power_flow(heavy, rescue=True)
    assert not done.converged[0]
    assert done.reached is not None
    assert 0 < done.reached[0] < 1


def test_the_last_rung_is_another_dispatch_and_says_so(net: ag.Network) -> None:
    """A schedule that nobody can run (all units at zero, the slack far away), beside one that runs and one that cannot be."""
    load = np.stack([net.load.p_mw, net.load.p_mw, 4 * net.load.p_mw])
    q = np.stack([net.load.q_mvar, net.load.q_mvar, 4 * net.load.q_mvar])
    gen = np.stack([net.gen.p_mw, np.zeros(net.n_gen), net.gen.p_mw])
    asked = ag.Scenarios(net, load_p_mw=load, load_q_mvar=q, gen_p_mw=gen)
    done, solved = ag.rescued_power_flow(net, asked, q_limits=True, threads=1)
    assert done.rung.tolist() == [ag.Rung.BASE, ag.Rung.OPF, ag.Rung.NONE]
    assert done.mismatch_pu[1] <= 1e-8
    assert np.isnan(done.v_mag[2]).all()
    # loads are those asked for, units are not, and the solution's own figures are those of the new dispatch
    assert np.array_equal(solved.values("load_p_mw"), load)
    assert np.array_equal(solved.values("gen_p_mw")[[0, 2]], gen[[0, 2]])
    assert solved.values("gen_p_mw")[1].sum() > net.load.p_mw.sum()
    # solved again, it is the same state, within every limit
    again = ag.power_flow(net, solved[1], q_limits=True, threads=1)
    assert again.v_mag[0] == pytest.approx(done.v_mag[1], abs=1e-6)
    assert done.branch_flow().loading[1].max() <= 1 + 1e-6
    assert done.v_mag[1].max() <= net.bus.v_max_pu.max() + 1e-6


def test_without_need_the_ladder_ends_early(net: ag.Network) -> None:
    asked = ag.Scenarios.base(net, 2)
    done, solved = ag.rescued_power_flow(net, asked)
    assert solved is asked
    assert done.reached is None
