"""`scaled`: k times a plant costs, gives and reaches what k plants do; what cannot be scaled is told at once."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scale import parse_factors
from aurigrid.model.tables import BusTable, CostPointTable, GenTable


def plants() -> tuple[Network, Profiles]:
    """A coal plant with points, a gas plant with a polynomial, wind with a series that a function reads, and sun."""
    net = Network(
        bus=BusTable.make(id=["A"], v_nom_kv=220.0),
        gen=GenTable.make(
            id=["coal", "gas", "wind", "sun"], bus=0, fuel=["coal", "Gas", "wind", "solar"], p_mw=[50, 20, 5, 1],
            p_min_mw=[30, 10, 0, 0], p_max_mw=[100, 80, 20, np.inf], ramp_up_mw_per_min=[2, np.inf, np.inf, np.inf],
            cost_c0_per_h=[0, 100, 0, 0], cost_c1_per_mwh=[0, 40, 0, 0], cost_c2_per_mw2h=[0, 0.1, 0, 0],
            start_cost=[500, 100, 0, 0], is_reference=[True, False, False, False], regulates=[True, False, False, False],
        ),
        cost_point=CostPointTable.make(2, gen=[0, 0], p_mw=[30, 100], cost_per_h=[900, 2500]),
    )  # fmt: skip
    values = np.arange(12.0).reshape(6, 2)
    time = np.datetime64("2020-03-02T00:00") + np.arange(6) * np.timedelta64(1, "h")
    return net, Profiles(time, {("gen", "p_mw"): (lambda a, b: values[a:b], [3, 2])})


def cost(net: Network, g: int, p: float) -> float:
    gen, points = net.gen, net.cost_point
    mine = points.gen == g
    if mine.any():
        return float(np.interp(p, points.p_mw[mine], points.cost_per_h[mine]))
    return float(gen.cost_c0_per_h[g] + gen.cost_c1_per_mwh[g] * p + gen.cost_c2_per_mw2h[g] * p**2)


def test_k_plants_in_one() -> None:
    net, profiles = plants()
    more, series = ag.scaled(net, profiles, {"coal": 3, "gas": 2.0, "wind": 2, "PV": 0.5})
    assert series is not None
    np.testing.assert_array_equal(more.gen.p_max_mw, [300, 160, 40, np.inf])
    np.testing.assert_array_equal(more.gen.p_min_mw, [90, 20, 0, 0])
    assert more.gen.ramp_up_mw_per_min[0] == 6
    assert more.gen.start_cost[0] == 1500
    for g, k, p in ((0, 3, 60.0), (1, 2, 35.0)):
        assert cost(more, g, k * p) == pytest.approx(k * cost(net, g, p))
    part = series.window(2, 5).values("gen", "p_mw")
    np.testing.assert_array_equal(part, profiles.values("gen", "p_mw", 2, 5) * [0.5, 2.0])
    assert profiles.values("gen", "p_mw")[1, 1] == 3.0  # the given ones stay


def test_gaps_are_filled_before_they_are_scaled() -> None:
    net, _ = plants()
    time = np.datetime64("2020-03-02T00:00") + np.array([0, 1, 3]) * np.timedelta64(1, "h")
    profiles = Profiles(time, {("gen", "p_mw"): (np.array([[1.0], [2.0], [4.0]]), [2])}, step_min=60, fill="linear")
    _, series = ag.scaled(net, profiles, {"wind": 10})
    assert series is not None
    np.testing.assert_allclose(series.values("gen", "p_mw")[:, 0], [10, 20, 30, 40])


def test_nothing_of_a_fuel_and_nothing_to_do() -> None:
    net, profiles = plants()
    none, series = ag.scaled(net, profiles, {"wind": 0, "coal": 0, "gas": 0})
    assert series is not None
    np.testing.assert_array_equal(none.gen.p_max_mw[:3], 0)
    assert not len(none.cost_point)
    assert not series.values("gen", "p_mw")[:, 1].any()
    assert ag.scaled(net, profiles, {"wind": 1}) == (net, profiles)


def test_bad_factors_are_told_together() -> None:
    net, profiles = plants()
    with pytest.raises(InputError) as caught:
        ag.scaled(net, profiles, {"wint": 2, "sun": -1, "coal": np.nan, "solar": 1, "PV": 2})
    told = str(caught.value)
    assert "coal, gas, solar, wind" in told
    for part in ("wint", "factor -1", "factor nan", "same fuel as solar"):
        assert part in told
    assert parse_factors(" wind = 2,pv=40") == {"wind": 2.0, "pv": 40.0}
    with pytest.raises(InputError) as caught:
        parse_factors("wind,pv=x,gas=1,gas=2")
    assert [i.table for i in caught.value.issues] == ["scale"] * 3
