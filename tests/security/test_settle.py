"""Pairs carried on from the sum of their single outages, and pairs that are solved from one of these; against exact states."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.kernels import settle as kernel
from aurigrid.kernels.pairs import BAND, REACTIVE_MOST
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.status import Status
from aurigrid.security.again import solve_outages
from aurigrid.security.analysis import begin
from aurigrid.security.contingencies import contingencies
from aurigrid.security.limits import Limits
from aurigrid.security.pairs import PairList, measures, pair_states
from aurigrid.security.settle import FEATURES, Settling, all_features, apart, early_features
from aurigrid.security.suspects import Question


def question(net, q_limits):
    """All pairs of the first branches of a grid, and what its single outages say."""
    outages = contingencies(net, f"n-2:ids={','.join(net.branch.id[:60].tolist())}")
    how = Settings(q_limits=q_limits, distributed=True, threads=1)
    sc = ag.Scenarios.base(net)
    base = solve_cases(net, Cases.of(sc), "newton", how)
    pairs = PairList.of(base.grid, outages, np.arange(outages.n))
    asked = Question(net, sc, 0, base, pairs, how, Limits(), begin(base))
    return asked, asked.seen(asked.singles())


@pytest.mark.parametrize("q_limits", [False, True])
def test_the_settled_state_is_nearly_the_exact_one(q_limits):
    net = ag.load("case118")
    rate = np.maximum(1.5 * ag.power_flow(net).branch_flow().s_from_mva[0], 60.0)
    net = net.replace(branch=net.branch.replace(rate_mva=rate))
    asked, seen = question(net, q_limits)
    which = seen.estimated
    settling = Settling.of(asked.pairs, seen.alone, seen.base, seen.single, q_limits)
    told = settling.measures(asked.pairs, which, 1)
    ends = np.stack([asked.pairs.branch[asked.pairs.first[which]], asked.pairs.branch[asked.pairs.second[which]]], 1)
    exact = pair_states(net, asked.sc, 0, ends, asked.how, asked.start)
    good = exact.converged
    assert good.mean() > 0.95
    v = exact.v_mag[:, ~net.bus.is_star & net.bus.in_service]
    wrong = np.abs(told[good, kernel.LOWEST] - np.nanmin(v[good], 1))
    assert np.quantile(wrong, 0.9) < 2e-4
    assert np.quantile(told[good, kernel.LEFT] / told[good, kernel.LEFT_FIRST], 0.5) < 0.2
    if q_limits:
        switched = (exact.held != seen.base.held).sum(1)
        assert np.mean(told[good, kernel.SWITCHED] == switched[good]) > 0.9
        assert switched[good].max() >= 3, "limits must be reached here"
    else:
        assert not told[:, [kernel.SWITCHED, kernel.BEYOND, kernel.SANK, kernel.EXCESS]].any()


def test_voltages_are_nearer_than_those_of_the_sum_where_limits_are_reached():
    net = ag.load("case118")
    net = net.replace(bus=net.bus.replace(v_min_pu=np.full(net.n_bus, 0.6), v_max_pu=np.full(net.n_bus, 1.4)))
    asked, seen = question(net, True)
    which = seen.estimated
    told = Settling.of(asked.pairs, seen.alone, seen.base, seen.single, True).measures(asked.pairs, which, 1)
    summed = measures(asked.pairs, seen.alone, which, 1)
    ends = np.stack([asked.pairs.branch[asked.pairs.first[which]], asked.pairs.branch[asked.pairs.second[which]]], 1)
    exact = pair_states(net, asked.sc, 0, ends, asked.how, asked.start)
    v, v0 = exact.v_mag, seen.base.v_mag
    live = exact.converged & np.isfinite(v).all(1) & (summed[:, REACTIVE_MOST] > 0.01)
    truth = np.abs(v - v0)[live].max(1) - 0.1
    ours, theirs = np.abs(told[live, kernel.BAND_SETTLED] - truth), np.abs(summed[live, BAND] - truth)
    assert live.sum() > 50

    for share in (0.5, 0.9):
        assert np.quantile(ours, share) < 0.6 * np.quantile(theirs, share)


def test_what_is_told_of_a_pair_does_not_depend_on_the_others():
    asked, seen = question(ag.load("case118"), True)
    settling = Settling.of(asked.pairs, seen.alone, seen.base, seen.single, True)
    between = apart(seen.single, seen.single)

    def features(which, threads):
        early = early_features(asked.pairs, seen.alone, between, which, threads)
        return all_features(asked.pairs, settling, early, which, threads)

    all_ = features(seen.estimated, 1)
    few = seen.estimated[5:47:3]
    assert np.array_equal(features(few, 2), all_[5:47:3])
    assert all_.shape[1] == len(FEATURES)
    assert np.isfinite(all_).all()


def test_how_far_two_states_of_an_outage_are_apart():
    _, seen = question(ag.load("case118"), True)
    single = seen.single
    assert not apart(single, single).any()
    v, status = single.v.copy(), single.status.copy()
    v[3, 7] *= 1.05
    status[4] = Status.DIVERGED
    told = apart(single, replace(single, v=v, status=status))
    assert told[3] == pytest.approx(0.05 * abs(single.v[3, 7]), rel=1e-4)
    assert told[4] == 1.0
    assert not np.delete(told, [3, 4]).any()


def test_pairs_that_fail_are_solved_from_the_state_after_one_of_their_outages():
    found = 0
    for factor in (1.0, 1.1):
        net = ag.load("case39")
        net = net.replace(load=net.load.replace(p_mw=factor * net.load.p_mw, q_mvar=factor * net.load.q_mvar))
        how, sc = Settings(q_limits=True, distributed=True, threads=1), ag.Scenarios.base(net)
        base = solve_cases(net, Cases.of(sc), "newton", how)
        ends = np.array(list(combinations(range(net.n_branch), 2)), np.int32)
        out = Pairs(np.repeat(np.arange(len(ends), dtype=np.int32), 2), ends.ravel())
        cases, row = Cases(sc, np.zeros(len(ends), np.int32), {"branch": out}), np.zeros(len(ends), np.int32)
        first = solve_cases(net, cases, "newton", how, begin(base), row)
        again = solve_outages(net, cases, how, begin(base), row)
        assert np.array_equal(again.v[first.converged], first.v[first.converged], equal_nan=True)
        more = again.converged & ~first.converged
        found += more.sum()
        assert not (first.converged & ~again.converged).any()
        assert (again.mismatch_pu[more] <= 1e-8).all()
        assert np.isfinite(again.v[more]).all()
        assert (again.iterations[more] > first.iterations[more]).all()
    assert found > 0
