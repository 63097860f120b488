"""A triangle with a coal plant, a gas plant and wind, and eight hours that start and stop them."""

from __future__ import annotations

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

STEPS = 8
WIND = np.array([150.0, 140.0, 120.0, 100.0, 60.0, 30.0, 10.0, 150.0])


def triangle(rate_mva: float = 60.0, **tables: object) -> Network:
    """Wind and coal at A, gas and load at C, load at B; two circuits between A and B."""
    return Network(
        bus=BusTable.make(
            id=["A", "B", "C"], v_nom_kv=220.0, v_min_pu=0.9, v_max_pu=1.1, area=["west", "east", "east"]
        ),
        branch=BranchTable.make(
            id=["AB", "AC", "BC", "AB2"],
            from_bus=[0, 0, 1, 0],
            to_bus=[1, 2, 2, 1],
            x_pu=0.1,
            r_pu=0.005,
            rate_mva=rate_mva,
        ),
        gen=GenTable.make(
            id=["coal", "gas", "wind"],
            bus=[0, 2, 0],
            p_mw=[50, 0, 0],
            is_reference=[True, False, False],
            regulates=[True, True, False],
            p_min_mw=[30, 10, 0],
            p_max_mw=[120, 100, 150],
            fuel=["coal", "gas", "wind"],
            cost_c1_per_mwh=[20, 50, 0],
            start_cost=[500, 100, 0],
            min_up_h=[3, 1, 0],
            min_down_h=[2, 1, 0],
            co2_t_per_mwh=[0.9, 0.4, 0.0],
            ramp_up_mw_per_min=[1, 5, np.inf],
            ramp_down_mw_per_min=[1, 5, np.inf],
        ),
        load=LoadTable.make(id=["b", "c"], bus=[1, 2], p_mw=[60, 60], q_mvar=[5, 5]),
        name="triangle",
        **tables,  # type: ignore[arg-type]
    )


def hours(load: np.ndarray | None = None, wind: np.ndarray = WIND) -> Profiles:
    """The eight hours; `load` (8, 2) MW."""
    time = np.datetime64("2020-03-02T00:00") + np.arange(STEPS) * np.timedelta64(60, "m")
    if load is None:
        load = np.linspace(60, 140, STEPS)[:, None] * np.array([[0.5, 0.5]])
    return Profiles(time, {("load", "p_mw"): (load, [0, 1]), ("gen", "p_mw"): (wind[:, None], [2])})
