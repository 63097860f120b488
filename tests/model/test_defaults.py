"""Defaults of plants: only what the data leave open is filled, and every filling is told with its source."""

from __future__ import annotations

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.model.defaults import SOURCES, TABLE, default_of, start_cost_by_state, with_defaults
from aurigrid.model.network import Network
from aurigrid.model.tables import BusTable, CostPointTable, GenTable


def network(**columns: object) -> Network:
    gen = GenTable.make(4, id=[1, 2, 3, 4], bus=0, fuel=["coal", "gas", "wind", "mystery"], p_max_mw=[400.0, 100.0, 50.0, 9.0],
                        technology=["", "CT", "", ""], **columns)  # fmt: skip
    return Network(bus=BusTable.make(1, id=["b"]), gen=gen)


def test_every_figure_has_a_source() -> None:
    pairs = {"cost_per_mwh": "cost_source", "co2_t_per_mwh": "co2_source", "p_min_share": "ramp_source",
             "ramp_share_per_min": "ramp_source", "min_up_h": "times_source", "start_warm": "start_source"}  # fmt: skip
    for default in TABLE:
        for figure, source in pairs.items():
            if np.isfinite(getattr(default, figure)):
                assert all(key in SOURCES for key in getattr(default, source).split(", ")), (default.fuel, figure)


def test_marginal_costs_and_emissions_follow_from_fuel_and_efficiency() -> None:
    coal = default_of("coal")
    assert coal is not None
    assert coal.cost_per_mwh == pytest.approx(8.4 / 0.464 + 6.0, abs=0.005)
    assert coal.co2_t_per_mwh == pytest.approx(94.6e-3 * 3.6 / 0.464, abs=0.0005)
    turbine, plant = default_of("gas", "OCGT"), default_of("gas")
    assert turbine is not None
    assert plant is not None
    assert turbine.cost_per_mwh > plant.cost_per_mwh
    assert default_of("PV") == default_of("solar")
    assert default_of("mystery") is None


def test_silent_columns_are_filled_and_told() -> None:
    net, uses = with_defaults(network(), ("cost", "co2", "ramp", "start"))
    assert net.gen.cost_c1_per_mwh.tolist() == pytest.approx([24.1, 58.38, 0.0, 0.0], abs=0.01)
    assert np.isnan(net.gen.co2_t_per_mwh[3])
    assert net.gen.co2_t_per_mwh[2] == 0
    assert net.gen.ramp_up_mw_per_min.tolist() == pytest.approx([11.0, 10.0, np.inf, np.inf])
    assert net.gen.start_cost[0] == pytest.approx(400 * 65 / 1.392, rel=1e-3)
    unknown = [use for use in uses if not use.source]
    assert {(use.column, use.fuel) for use in unknown} == {("cost_c1_per_mwh", "mystery"), ("co2_t_per_mwh", "mystery")}
    assert any("1 unit" in str(use) and "NREL" in str(use) for use in uses)
    assert start_cost_by_state(net)[0].tolist() == pytest.approx([16960.0, 18680.0, 30160.0])


def test_what_the_data_say_stays() -> None:
    given = network(
        cost_c1_per_mwh=[0.0, 5.0, 0.0, 0.0], co2_t_per_mwh=[0.9, np.nan, np.nan, 0.1], min_up_h=[0.0, 0.0, 0.0, 1.0]
    )
    net, uses = with_defaults(given, ("cost", "co2", "times"))
    assert net.gen.cost_c1_per_mwh.tolist() == [0.0, 5.0, 0.0, 0.0]
    assert net.gen.min_up_h.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert net.gen.co2_t_per_mwh[[0, 3]].tolist() == [0.9, 0.1]
    assert {use.column for use in uses} == {"co2_t_per_mwh"}
    curves = network().replace(cost_point=CostPointTable.make(2, gen=0, p_mw=[0.0, 400.0], cost_per_h=[0.0, 9.0]))
    assert with_defaults(curves, ("cost",)) == (curves, ())


def test_carbon_has_a_price_on_request() -> None:
    plain, _ = with_defaults(network(), ("cost",))
    priced, _ = with_defaults(network(), ("cost",), co2_price_per_t=10.0)
    coal = default_of("coal")
    assert coal is not None
    extra = priced.gen.cost_c1_per_mwh - plain.gen.cost_c1_per_mwh
    assert extra[0] == pytest.approx(10 * coal.co2_t_per_mwh)
    assert extra[2] == 0


def test_unknown_quantities_and_prices_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        with_defaults(network(), ("cost", "colour"), co2_price_per_t=-1.0)
    assert {issue.field for issue in caught.value.issues} == {"quantities", "co2_price_per_t"}
