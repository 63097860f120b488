"""Outages ranked by their distance from limits, against power flows of the grid without the branch."""

import numpy as np
import pytest

import aurigrid as ag


@pytest.fixture(scope="module")
def report():
    net = ag.load("case14")
    rate = np.maximum(1.3 * ag.power_flow(net).branch_flow().s_from_mva[0], 40.0)
    bus = net.bus.replace(v_min_pu=np.linspace(0.9, 0.97, net.n_bus), v_max_pu=np.full(net.n_bus, 1.1))
    net = net.replace(branch=net.branch.replace(rate_mva=rate), bus=bus)
    return ag.security_analysis(net, ag.Scenarios(net, n=2, load_p_mw=np.outer([0.9, 1.0], net.load.p_mw)), "n-1")


def test_margins_are_those_of_power_flows(report):
    net, sc = report.net, report.base.cases.scenarios
    checked = 0
    for c in range(report.contingencies.n):
        out = int(report.contingencies.branch.idx[c])
        alone = ag.power_flow(net, sc.replace(branch_out=[[out], [out]]))
        if not (alone.status == ag.Status.CONVERGED).all():
            continue
        loading = np.nanmax(alone.branch_flow().loading, axis=1)
        inside = np.minimum(alone.v_mag - net.bus.v_min_pu, net.bus.v_max_pu - alone.v_mag).min(1)
        np.testing.assert_allclose(report.band_margin_pu[:, c], inside, atol=1e-6)
        np.testing.assert_allclose(report.margin[:, c], np.minimum(1 - loading, inside), atol=1e-5)
        checked += 1
    assert checked > 10
    assert (report.margin[1] < 0).any()
    assert (report.margin[0] > 0).any()


def test_the_ranking_has_every_outage_the_worst_first(report):
    for scenario in (0, 1):
        table = report.ranked(scenario)
        order = table["contingency"].to_numpy()
        assert sorted(order.tolist()) == list(range(report.contingencies.n))
        margin = table["margin"].to_numpy()
        solved = np.isin(table["status"].to_pylist(), ("converged", "islanded"))
        assert (np.diff(margin[solved]) >= 0).all()
        assert not solved[: np.sum(~solved)].any(), "what has no solution comes first"
        np.testing.assert_array_equal(margin, report.margin[scenario, order].astype(np.float32))
        assert not any(table["estimated"].to_pylist())
        assert table["contingency_label"].to_pylist() == report.contingencies.label[order].tolist()


def test_what_a_screen_passes_over_comes_last(report):
    screened = ag.security_analysis(report.net, None, "n-2:branches", screen="pairs")
    status = screened.ranked()["status"].to_pylist()
    skipped = np.array(status) == "skipped"
    assert skipped.any()
    assert skipped[-np.sum(skipped) :].all()
    assert screened.estimates is None
