"""Remedial actions: every outcome against a power flow of the network that the action makes; corrective operating points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.secure.actions import read_actions
from aurigrid.security.contingencies import contingencies


@pytest.fixture(scope="module")
def net() -> ag.Network:
    """case14 with ratings near its flows, a line that is open, and a phase shifter with steps."""
    grid = ag.load("case14")
    flow = ag.power_flow(grid).branch_flow()
    rate = np.maximum(1.35 * np.maximum(flow.s_from_mva, flow.s_to_mva)[0], 20.0)
    service = grid.branch.in_service.copy()
    service[11] = False
    step, low, high = np.zeros(grid.n_branch), np.zeros(grid.n_branch, int), np.zeros(grid.n_branch, int)
    step[7], low[7], high[7] = 2.0, -4, 4
    branch = grid.branch.replace(
        rate_mva=rate, rate_short_mva=1.1 * rate, in_service=service, tap_step_deg=step, tap_min=low, tap_max=high
    )
    return grid.replace(branch=branch)


ACTIONS = [
    {"name": "open", "open": [12]},
    {"name": "close", "close": [11]},
    {"name": "shift", "tap": {7: 2}, "cost": 5},
    {"name": "shift back", "tap": {7: -3}},
    {"name": "redispatch", "gen": {1: 30.0, 2: 10.0}},
    {"name": "shunt", "shunt": {0: -1}},
    {"name": "all", "close": [11], "tap": {7: 2}, "gen": {1: 30.0}},
]


def by_hand(net: ag.Network, action: dict, outage: int) -> ag.Solution:
    """The same state from a network in which the action is done."""
    branch, gen, shunt = net.branch, net.gen, net.shunt
    service, shift = branch.in_service.copy(), branch.shift_deg.copy()
    service[[*action.get("open", [])]] = False
    service[[*action.get("close", [])]] = True
    for i, steps in action.get("tap", {}).items():
        shift[i] += steps * branch.tap_step_deg[i]
    p, step = gen.p_mw.copy(), shunt.step.copy()
    for i, mw in action.get("gen", {}).items():
        p[i] += mw
    for i, steps in action.get("shunt", {}).items():
        step[i] += steps
    if outage >= 0:
        service[outage] = False
    done = net.replace(
        branch=branch.replace(in_service=service, shift_deg=shift),
        gen=gen.replace(p_mw=p),
        shunt=shunt.replace(step=step),
    )
    return ag.power_flow(done, slack="distributed")


def test_outcomes_are_those_of_the_changed_network(net: ag.Network) -> None:
    names = net.branch.id[[0, 2, 13]].tolist()
    outage_of = contingencies(net, names).branch.idx
    assert outage_of.tolist() == [0, 2, 13]
    report = ag.remedial_actions(net, contingencies=names, actions=ACTIONS, q_limits=False, v_margin_pu=0.5)
    assert len(report) >= 2
    for k in range(len(report)):
        c = int(report.contingency[k])
        for a, action in enumerate(ACTIONS):
            state = by_hand(net, action, int(outage_of[c]) if c >= 0 else -1)
            # a part that is cut off is an outage's island there, and no part of the grid here
            assert report.tried.status[k, a] in (ag.Status.CONVERGED, ag.Status.ISLANDED), action["name"]
            assert state.status[0] == ag.Status.CONVERGED
            excess = state.branch_flow().loading[0] - 1
            assert report.tried.worst[k, a] == pytest.approx(max(excess.max(), 0.0), abs=1e-6), action["name"]
            assert report.tried.left[k, a] == np.sum(excess > 1e-6)
    table = report.table().to_pylist()
    assert len(table) == len(report) * len(ACTIONS)
    for k in range(len(report)):
        worst = report.tried.worst[k, report.rank[k]]
        cured = report.tried.cured[k, report.rank[k]]
        assert (np.diff(cured.astype(int)) <= 0).all(), "what cures comes first"
        same = (np.diff(report.tried.new[k, report.rank[k]]) == 0) & (np.diff(cured.astype(int)) == 0)
        assert (np.diff(worst)[same] >= -1e-9).all()


def test_an_action_that_cuts_load_off_cures_nothing(net: ag.Network) -> None:
    """Bus 8 hangs on one transformer; what only drops a part of the grid is no cure."""
    ends = np.flatnonzero((net.branch.from_bus == 13) | (net.branch.to_bus == 13)).tolist()
    report = ag.remedial_actions(
        net, contingencies=net.branch.id[[0]].tolist(), actions=[{"name": "drop", "open": ends}], v_margin_pu=0.5
    )
    assert (report.tried.cut_off_mw[:, 0] == pytest.approx(net.load.p_mw[net.load.bus == 13].sum())) or len(report) == 0
    assert not report.tried.cured.any()


def test_corrective_points_are_no_dearer(net: ag.Network) -> None:
    wide = net.replace(
        branch=net.branch.replace(rate_mva=1.3 * net.branch.rate_mva, rate_short_mva=1.2 * net.branch.rate_mva)
    )
    options = {"v_margin_pu": 0.5, "q_limits": False}
    preventive = ag.secure_operating_points(wide, **options)
    corrective = ag.secure_operating_points(wide, corrective=ACTIONS, **options)
    assert preventive.security_cost[0] > 1.0
    assert corrective.objective[0] <= preventive.objective[0] * (1 + 1e-6)
    assert corrective.rest_mva[0] <= preventive.rest_mva[0] + 1e-6
    cured = np.argwhere(corrective.cured_by[0] >= 0)[:, 0]
    assert cured.size, "the case must need an action"
    # each cure once more, by hand, at the final point
    point = corrective.scenarios
    at = wide.replace(gen=wide.gen.replace(p_mw=point.gen_p_mw[0], v_set_pu=point.gen_v_pu[0]))
    for c in cured.tolist():
        outage = int(corrective.contingencies.elements(c)["branch"][0])
        flow = by_hand(at, ACTIONS[corrective.cured_by[0, c]], outage).branch_flow()
        size = np.maximum(flow.s_from_mva, flow.s_to_mva)[0]
        assert (size <= wide.branch.rate_short_mva * (1 + 1e-5)).all()


def test_files_and_their_faults(net: ag.Network, tmp_path: Path) -> None:
    path = tmp_path / "actions.json"
    ids = net.branch.id.astype(str)
    path.write_text(json.dumps({"actions": [{"name": "A", "open": [ids[3]], "cost": 2.5}]}), encoding="utf-8")
    assert read_actions(net, path)[0].opens == (3,)
    faults = [
        {"name": "A", "open": ["nothing"]},
        {"name": "A", "tap": {3: 1}},
        {"name": "B", "tap": {7: 9}},
        {"name": "C", "shunt": {0: 5}},
        {"name": "D"},
        {"name": "E", "close": [1], "jump": 3},
        {"name": "F", "gen": {0: "much"}},
        {"name": "G", "cost": "dear", "open": 4},
        17,
    ]
    with pytest.raises(ag.InputError) as caught:
        read_actions(net, faults)
    assert len(caught.value.issues) >= 9
    for text in ("{", '{"a": 1}', "[]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ag.InputError):
            read_actions(net, path)
    with pytest.raises(ag.InputError):
        read_actions(net, tmp_path / "absent.json")
