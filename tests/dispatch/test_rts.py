"""The RTS-GMLC's day-ahead market: must-take units, thermal sun as a store, reserves and starts by the folder's own rules."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

from tests.data import RTS_GMLC, needs_rts_gmlc

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.io.load import load_with_report
from aurigrid.studies.rts import RtsMarket, cost_of_steps, rts_market

from .grids import STEPS, hours, triangle


@pytest.fixture(scope="module")
def market() -> RtsMarket:
    return rts_market(load_with_report(RTS_GMLC))


@needs_rts_gmlc
def test_the_market_of_the_folder(market: RtsMarket) -> None:
    span = market.profiles.window("2020-07-05", "2020-07-06")
    options = market.options(span)
    assert {p.name for p in options["reserves"]} == {
        "Spin_Up_R1", "Spin_Up_R2", "Spin_Up_R3", "Flex_Up", "Flex_Down", "Reg_Up", "Reg_Down"
    }  # fmt: skip
    spin = next(p for p in options["reserves"] if p.name == "Spin_Up_R2")
    assert spin.areas == ("2",)
    assert spin.minutes == 10.0
    assert not any("HYDRO" in u or "NUCLEAR" in u or "RTPV" in u for u in spin.units)
    assert market.thermal == ("212_CSP_1",)
    assert options["inflow_mw"]["212_CSP_1"].shape == (24,)
    # a 76-MW coal unit: 2.11399 $/MMBTU times 3379.4, 4861.4 and 5284.8 MMBTU, after 3, 10 and 12 hours
    np.testing.assert_allclose(
        market.start_costs["101_STEAM_3"],
        [(3, 2.11399 * 3379.4), (10, 2.11399 * 4861.4), (12, 2.11399 * 5284.8)],
    )


@needs_rts_gmlc
def test_a_few_hours_keep_the_rules(market: RtsMarket) -> None:
    span = market.profiles.window("2020-07-05 10:00", "2020-07-05 14:00")
    plan = ag.dispatch(market.net, span, security="none", losses=False, gap=0.02, time_limit=20, **market.options(span))
    must = np.isin(plan.net.gen.id.astype(str), market.extras.must_take)
    assert not plan.curtailed_mw[:, must].any()
    assert plan.schedule.reserve_short_mw.max() < 1e-6
    heat = plan.net.storage.id.astype(str) == "212_CSP_1"
    assert (plan.storage_p_mw[:, heat] >= 0).all()
    assert sum(cost_of_steps(plan, 4).values()) == pytest.approx(plan.cost, rel=1e-6)
    assert not len(plan.unserved_mw[plan.unserved_mw > 1e-6])


def test_starts_by_hours_off_and_the_cost_of_a_part() -> None:
    options = {"losses": False, "gap": 1e-9}
    plan = ag.dispatch(triangle(), hours(), start_costs={"gas": [(1, 70), (5, 90)]}, **options)  # type: ignore[arg-type]
    # a coal start, and gas, off for long before: its start is cold
    assert plan.cost_items["starts"] == pytest.approx(500.0 + 90.0)
    parts = cost_of_steps(plan, STEPS)
    assert parts["starts"] == pytest.approx(plan.cost_items["starts"])
    assert sum(parts.values()) == pytest.approx(plan.cost)


def test_a_store_is_filled_by_what_flows_in() -> None:
    from aurigrid.model.tables import StorageTable

    store = StorageTable.make(id=["heat"], bus=[2], p_min_mw=0.0, p_max_mw=40.0, energy_mwh=0.0, energy_max_mwh=50.0)
    inflow = np.array([30.0, 30, 30, 0, 0, 0, 0, 0])
    plan = ag.dispatch(
        triangle(storage=store), hours(), security="none", losses=False, gap=1e-9, inflow_mw={"heat": inflow}
    )
    p, e = plan.storage_p_mw[:, 0], plan.storage_energy_mwh[:, 0]
    spill = plan.schedule.spill_mw[0]
    np.testing.assert_allclose(np.diff(np.r_[0.0, e]), inflow - spill - p, atol=1e-6)
    assert p.sum() > 1.0
    assert p.min() >= -1e-9
    with pytest.raises(InputError) as caught:
        ag.dispatch(
            triangle(), hours(), inflow_mw={"heat": inflow}, start_costs={"gas": [(5, 10), (1, 20)]}, security="none"
        )
    assert {i.field for i in caught.value.issues} == {"inflow_mw", "start_costs"}
    with pytest.raises(InputError, match="names units"):
        ag.dispatch(triangle(), hours(), reserves=[ag.ReserveProduct("r", 1.0, units=("nobody",))])
