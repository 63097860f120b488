"""`diagnose` on faults of every kind: the cause, the repair, and what is said about both."""

from __future__ import annotations

import json

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.diagnosis.broken import BrokenCase, broken_cases, draw_cases, sound_grid
from aurigrid.diagnosis.symptoms import symptoms
from aurigrid.model.validate import check

pytestmark = pytest.mark.peer

SMALL = ("case14", "case39", "case118")
SCORED = ("case14", "case39")


@pytest.fixture(scope="module")
def cases() -> list[BrokenCase]:
    return [case for case in broken_cases() if case.grid in SMALL]


def test_causes_are_found_and_states_restored(cases: list[BrokenCase]) -> None:
    """On two grids, with the recorded faults; the whole set and other seeds are in benchmarks/broken.py."""
    scored = [case for case in cases if case.grid in SCORED]
    named = restored = 0
    for case in scored:
        found = ag.diagnose(case.network())[0]
        assert not found.healthy
        named += bool(found.trials) and case.named_by(found.trials[0].repair.changes)
        restored += found.explained and ag.power_flow(found.apply(), q_limits=True, threads=1).converged[0]
    assert named >= 0.9 * len(scored)
    assert restored >= 0.95 * len(scored)


def test_a_grid_whose_units_give_nothing_can_be_diagnosed() -> None:
    net = ag.load("case14")
    load = net.load.replace(p_mw=np.where(np.arange(net.n_load) == 0, 9000.0, net.load.p_mw))
    idle = net.replace(load=load, gen=net.gen.replace(p_mw=np.zeros(net.n_gen)))
    found = ag.diagnose(idle)[0]
    assert not found.healthy
    assert found.trials
    assert found.trials[0].repair.changes[0].table == "load"


def test_another_draw_is_explained_as_well() -> None:
    drawn = list(draw_cases(99, ["case39"]))
    found = [ag.diagnose(case.network())[0] for case in drawn]
    assert sum(d.explained for d in found) >= 0.9 * len(drawn)


def test_a_healthy_grid_is_healthy() -> None:
    found = ag.diagnose(sound_grid("case118"))[0]
    assert found.healthy
    assert not found.trials
    assert found.words() == ["The state can be run: solved within reactive limits."]
    with pytest.raises(ag.InputError, match="there is no repair"):
        found.apply()


def one(cases: list[BrokenCase], name: str) -> BrokenCase:
    return next(case for case in cases if case.name == name)


def test_a_load_in_kilowatts(cases: list[BrokenCase]) -> None:
    case = one(cases, "case39/unit_load")
    found = ag.diagnose(case.network())[0]
    assert found.cause == "unit"
    repaired = found.apply()
    assert repaired.load.p_mw == pytest.approx(case.sound().load.p_mw)
    assert found.log()[0] == {
        "table": "load", "id": case.changes[0].id, "field": "p_mw", "before": case.changes[0].after,
        "after": pytest.approx(case.changes[0].before),
    }  # fmt: skip
    # what a scenario can carry is one again, labelled
    again = found.as_scenario()
    assert "repaired" in again.label[0]
    assert ag.power_flow(found.net, again, q_limits=True, threads=1).converged[0]
    short = found.short_buses()
    assert short[0]["mw"] > 0.5 * case.changes[0].after


def test_exchanged_ends_are_told_from_a_bad_tap(cases: list[BrokenCase]) -> None:
    case = one(cases, "case118/swapped_ends")
    found = ag.diagnose(case.network())[0]
    assert found.cause == "swapped_ends"
    back, sound, k = found.apply().branch, case.sound().branch, case.changes[0].element
    for field in ("from_bus", "to_bus", "tap_ratio", "r_pu", "x_pu"):
        assert getattr(back, field)[k] == pytest.approx(getattr(sound, field)[k])
    with pytest.raises(ag.InputError, match="is not part of a scenario"):
        found.as_scenario()


def test_an_invalid_network_is_mended(cases: list[BrokenCase]) -> None:
    case = one(cases, "case14/reversed_limits")
    found = ag.diagnose(case.network())[0]
    assert found.symptoms.invalid
    assert "must not exceed" in found.words()[0]
    assert check(found.apply()) == []
    assert found.apply().digest == case.sound().digest


def test_an_overload_names_buses_and_the_least_load_that_goes(cases: list[BrokenCase]) -> None:
    case = one(cases, "case118/overload")
    found = ag.diagnose(case.network())[0]
    assert found.cause == "overload"
    assert found.missing is not None
    assert not found.missing.servable
    before, after = found.net.load.p_mw, found.apply().load.p_mw
    assert (after <= before + 1e-12).all()
    assert 0 < before.sum() - after.sum() < before.sum() - case.sound().load.p_mw.sum()


def test_scenarios_are_diagnosed_one_by_one(cases: list[BrokenCase]) -> None:
    net = sound_grid("case39")
    p = np.repeat(net.load.p_mw[None], 3, 0)
    p[1, 4] *= 1000
    sc = ag.Scenarios(net, load_p_mw=p, label=["noon", "dusk", "night"])
    found = ag.diagnose(net, sc)
    assert [d.label for d in found] == ["noon", "dusk", "night"]
    assert [d.healthy for d in found] == [True, False, True]
    assert {c.element for c in found[1].trials[0].repair.changes} == {4}
    repaired = found[1].as_scenario()
    assert repaired.net is net
    assert repaired.load_p_mw[0, 4] == pytest.approx(net.load.p_mw[4])


def test_outages_of_a_scenario_are_repairs_to_take_back() -> None:
    net = sound_grid("case39")
    ref = net.gen.bus[net.gen.is_reference][0]
    leads = np.flatnonzero((net.branch.from_bus == ref) | (net.branch.to_bus == ref))
    found = ag.diagnose(net, ag.Scenarios(net, branch_out=[leads.tolist()]))[0]
    assert found.explained
    again = found.as_scenario()
    assert len(again.branch_out_idx) < len(leads)


def test_data_can_be_written_as_json(cases: list[BrokenCase]) -> None:
    from aurigrid.cli.common import plain

    for case in (one(cases, "case39/overload"), one(cases, "case39/no_slack"), one(cases, "case39/bad_tap")):
        data = ag.diagnose(case.network())[0].to_dict()
        assert {"healthy", "cause", "symptoms", "short", "binding", "suspects", "repairs"} <= set(data)
        json.dumps(plain(data), allow_nan=False)


def test_scenarios_of_another_network_are_refused() -> None:
    with pytest.raises(ag.InputError, match="belong to another network"):
        ag.diagnose(sound_grid("case14"), ag.Scenarios(sound_grid("case39")))


def test_nothing_is_changed_in_place(cases: list[BrokenCase]) -> None:
    net = one(cases, "case14/sign_reactance").network()
    before = net.digest
    found = ag.diagnose(net)[0]
    assert found.apply().digest != before
    assert net.replace().digest == before
    assert not symptoms(found.apply()).severe
