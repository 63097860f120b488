"""Load that goes without power where it costs more than it would pay, beside a problem in angles that SciPy solves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.dispatch import hourly
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.tables import CostPointTable, GenTable

from .angles import least_cost, meshed, steps_of
from .grids import STEPS, hours, triangle
from .test_bounds import quarters

EXACT: dict[str, Any] = {"gap": 1e-9, "time_limit": 30.0, "losses": False}
LOAD = np.array([[30.0, 30.0], [90.0, 45.0], [60.0, 40.0], [105.0, 45.0]])
PARTS = [(0.2, 30.0), (0.3, 70.0)]


def with_sinks(net: Network) -> Network:
    """A dispatchable load at B that pays 60, 40 and 15 for 10, 10 and 20 MW, and one at D that pays 45 for up to 12."""
    more = GenTable.make(
        id=["b pays", "d pays"], bus=[1, 3], p_mw=[-40.0, -12.0], p_min_mw=[-40.0, -12.0], p_max_mw=0.0,
        cost_c1_per_mwh=[0.0, 45.0],
    )  # fmt: skip
    both = {f.name: np.concatenate([getattr(net.gen, f.name), getattr(more, f.name)]) for f in dataclasses.fields(more)}
    points = CostPointTable.make(gen=2, p_mw=[-40.0, -20.0, -10.0, 0.0], cost_per_h=[-1300.0, -1000.0, -600.0, 0.0])
    return net.replace(gen=GenTable.make(**both), cost_point=points)


SINKS = ((1, 10.0, 60.0), (1, 10.0, 40.0), (1, 20.0, 15.0), (3, 12.0, 45.0))


@pytest.mark.parametrize("security", ["base", "n-1"])
def test_dispatchable_loads_take_what_is_worth_its_price(security: str) -> None:
    net = with_sinks(meshed())
    plan = ag.dispatch(net, steps_of(net, LOAD), security=security, **EXACT)
    alone = [least_cost(net, load, outages=security == "n-1", sinks=SINKS) for load in LOAD]
    assert plan.cost == pytest.approx(sum(alone), rel=1e-7)
    np.testing.assert_allclose(sum(plan.cost_by_step.values())[:-1], alone, rtol=1e-7)
    taken = -plan.gen_p_mw[:, 2:]
    assert (taken >= -1e-9).all()
    assert (taken[:, 0] < 40.0 - 1e-6).any()
    assert (taken > 1.0).any()
    value = np.interp(taken[:, 0], [0, 10, 20, 40], [0, 600, 1000, 1300]).sum() + 45.0 * taken[:, 1].sum()
    assert plan.cost_items["elastic load"] == pytest.approx(-value)
    table = plan.tables()["plan_elastic"]
    assert set(table["element_table"]) == {"gen"}
    by_bus = plan.price_per_mwh[:, [1, 1, 1, 3]].ravel()
    served, asked, pays = (np.asarray(table[name]) for name in ("served_mw", "asked_mw", "price_per_mwh"))
    place = [{60.0: 0, 40.0: 1, 15.0: 2, 45.0: 3}[price] for price in pays[:4].tolist()]
    order = np.argsort(np.tile(place, len(LOAD)) + 4 * table["step"])
    served, asked, pays = served[order], asked[order], pays[order]
    # a part that gets something pays the price at its bus, one that gets less than all would not pay more
    assert (pays[served > 1e-6] >= by_bus[served > 1e-6] - 1e-6).all()
    assert (pays[served < asked - 1e-6] <= by_bus[served < asked - 1e-6] + 1e-6).all()


def test_a_series_says_what_a_dispatchable_load_asks_for() -> None:
    net = with_sinks(meshed())
    asks = np.array([5.0, 15.0, 25.0, 60.0])
    profiles = steps_of(net, LOAD)
    profiles = type(profiles)(profiles.time, {**profiles.series, ("gen", "p_mw"): (-asks[:, None], [2])}, step_min=60)
    plan = ag.dispatch(net, profiles, security="none", **EXACT)
    alone = []
    wide = net.replace(branch=net.branch.replace(rate_mva=np.full(6, 1e4), rate_short_mva=np.full(6, 1e4)))
    for load, ask in zip(LOAD, asks.tolist(), strict=True):
        left = [float(np.clip(ask - start, 0.0, mw)) for start, mw in ((0, 10), (10, 10), (20, 20))]
        sinks = [(1, mw, price) for mw, price in zip(left, (60.0, 40.0, 15.0), strict=True)]
        alone.append(least_cost(wide, load, outages=False, sinks=[*sinks, SINKS[3]]))
    assert plan.cost == pytest.approx(sum(alone), rel=1e-7)
    assert (-plan.gen_p_mw[:, 2] <= np.minimum(asks, 40.0) + 1e-9).all()


def test_a_curve_that_pays_more_for_more_is_told() -> None:
    net = with_sinks(meshed())
    odd = net.replace(cost_point=net.cost_point.replace(cost_per_h=np.array([-1300.0, -400.0, -100.0, 0.0])))
    profiles = steps_of(net, LOAD)
    noted = [ag.dispatch(n, profiles, security="none", **EXACT).notes for n in (net, odd)]
    assert not any("pay more" in note for note in noted[0])
    assert any("b pays" in note for note in noted[1])


def test_parts_of_loads_cost_what_they_go_without() -> None:
    net = meshed()
    plan = ag.dispatch(net, steps_of(net, LOAD), elastic=PARTS, **EXACT)
    alone = []
    for load in LOAD:
        sinks = [
            (int(bus), share * mw, price) for share, price in PARTS for bus, mw in zip(net.load.bus, load, strict=True)
        ]
        worth = sum(mw * price for _, mw, price in sinks)
        alone.append(worth + least_cost(net, 0.5 * load, outages=True, sinks=sinks))
    np.testing.assert_allclose(sum(plan.cost_by_step.values())[:-1], alone, rtol=1e-7, atol=1e-6)
    assert sum(plan.cost_items.values()) == pytest.approx(plan.cost)
    lost = plan.load_reduced_mw
    np.testing.assert_allclose(plan.load_p_mw + lost, LOAD, atol=1e-9)
    assert lost.sum() > 1.0
    assert plan.cost_items["elastic load"] > 30.0 * lost.sum() - 1e-6
    table = plan.tables()["plan_elastic"]
    assert np.sum(np.asarray(table["asked_mw"]) - np.asarray(table["served_mw"])) == pytest.approx(lost.sum())
    assert set(table["element_id"]) == {"b", "d"}
    still = ag.dispatch(net, steps_of(net, LOAD), **EXACT)
    dearer = ag.dispatch(net, steps_of(net, LOAD), elastic=[(share, 2 * price) for share, price in PARTS], **EXACT)
    assert plan.cost < dearer.cost <= still.cost
    assert dearer.load_reduced_mw.sum() < lost.sum()
    only = ag.dispatch(net, steps_of(net, LOAD), elastic={"d": PARTS}, **EXACT)
    assert not only.load_reduced_mw[:, 0].any()


def test_reactive_power_goes_with_it_and_prices_are_those_of_a_second_solve() -> None:
    net, load = triangle(), np.linspace(60, 140, STEPS)[:, None] * np.array([[0.5, 0.5]])
    more = load.copy()
    more[6, 1] += 0.01
    first, second = (ag.dispatch(net, hours(x), elastic={"b": [(0.2, 35.0)]}, **EXACT) for x in (load, more))
    reduced = first.load_reduced_mw[:, 0]
    assert (reduced > 1.0).any()
    np.testing.assert_allclose(first.load_q_mvar[:, 0], 5.0 * (1.0 - reduced / load[:, 0]), rtol=1e-9)
    np.testing.assert_allclose(first.load_q_mvar[:, 1], 5.0)
    assert (second.cost - first.cost) / 0.01 == pytest.approx(first.price_per_mwh[6, 2], abs=1e-4)
    supply = first.gen_p_mw.sum(1) + first.unserved_mw.sum(1) - first.surplus_mw.sum(1)
    np.testing.assert_allclose(supply, first.load_p_mw.sum(1), atol=1e-6)


def test_states_by_the_hour_count_the_same_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"losses": False, "time_limit": 20.0, "elastic": [(0.1, 35.0)]}
    best = ag.dispatch(triangle(45.0), quarters(), gap=1e-6, **options)
    monkeypatch.setattr(hourly, "_MANY", 1)
    plan = ag.dispatch(triangle(45.0), quarters(), gap=1e-4, **options)
    assert plan.load_reduced_mw.any()
    assert sum(plan.cost_items.values()) == pytest.approx(plan.cost)
    assert 0.8 * best.cost < plan.bound <= best.cost * (1 + 1e-6)
    assert best.bound * (1 - 1e-6) <= plan.cost <= 1.1 * best.cost


def test_what_makes_no_sense_is_told_at_once() -> None:
    net = meshed()
    with pytest.raises(InputError) as caught:
        ag.dispatch(
            net, steps_of(net, LOAD), elastic={"b": [(0.6, 30.0), (0.6, 40.0)], "d": [(0.1, -1.0)], "x": [(0.1, 1.0)]}
        )
    for part in ("more than the whole", "shares and prices", "not in the network"):
        assert part in str(caught.value)
