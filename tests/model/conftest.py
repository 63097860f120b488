"""A small sound grid that tests break in one place at a time."""

from __future__ import annotations

import numpy as np
import pytest

from aurigrid.model.network import Network
from aurigrid.model.tables import (
    BranchTable,
    BusTable,
    CapabilityTable,
    CompensatorTable,
    CostPointTable,
    GenTable,
    HvdcTable,
    LoadTable,
    ShuntTable,
    StorageTable,
    SwitchTable,
)


@pytest.fixture
def net() -> Network:
    """Four buses in a ring and one behind a closed switch; every table has rows."""
    return Network(
        name="ring",
        bus=BusTable.make(id=[10, 20, 30, 40, "S1"], v_nom_kv=110.0, v_min_pu=0.9, v_max_pu=1.1, lon=np.nan),
        branch=BranchTable.make(
            id=["L1", "L2", "L3", "L4"], name=["north", "east", "twin", "twin"], from_bus=[0, 1, 2, 3],
            to_bus=[1, 2, 3, 0], r_pu=0.01, x_pu=0.1, rate_mva=100.0,
        ),
        gen=GenTable.make(
            id=["G1", "G2"], bus=[0, 2], p_mw=[50.0, 30.0], p_max_mw=[100.0, 60.0], p_min_mw=0.0, v_set_pu=1.02,
            regulates=True, is_reference=[True, False],
        ),
        load=LoadTable.make(id=[1, 2, 3], bus=[1, 3, 4], p_mw=[20.0, 30.0, 10.0], q_mvar=5.0),
        shunt=ShuntTable.make(id=["C1"], bus=[1], b_mvar=10.0, step=1.0, step_max=2),
        storage=StorageTable.make(id=["B1"], bus=[3], p_min_mw=-5.0, p_max_mw=5.0, energy_mwh=4.0, energy_max_mwh=10.0),
        compensator=CompensatorTable.make(id=["SVC"], bus=[1], q_min_mvar=-10.0, q_max_mvar=10.0),
        hvdc=HvdcTable.make(id=["H1"], from_bus=[0], to_bus=[2], p_mw=10.0),
        switch=SwitchTable.make(id=["W1"], from_bus=[3], to_bus=[4]),
        cost_point=CostPointTable.make(gen=[0, 0, 0], p_mw=[0.0, 50.0, 100.0], cost_per_h=[0.0, 500.0, 1500.0]),
        capability=CapabilityTable.make(gen=[1, 1], p_mw=[0.0, 60.0], q_min_mvar=-20.0, q_max_mvar=[30.0, 20.0]),
    )  # fmt: skip
