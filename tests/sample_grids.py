"""Small grids and scenarios that together use every kind of element and condition of the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.tables import (
    BranchTable,
    BusTable,
    CompensatorTable,
    GenTable,
    HvdcTable,
    LoadTable,
    ShuntTable,
    StorageTable,
    SwitchTable,
)


def everything() -> Network:
    """Two synchronous islands of 8 and 5 buses, joined by HVDC, and 4 more buses without supply.

    Island one (buses 0-7): a meshed 220/110 kV grid with a phase-shifting transformer, a coupler between 2 and 3, ZIP
    loads, a compensator, a stepped shunt, storage, two regulating units at bus 1 and a bus (7) on a single line.
    Island two (8-12): its own reference, a regulating converter, a parallel pair of lines.
    Buses 13, 14: a line and a load without any source. 15: alone. 16: out of service, with a load and a closed switch.
    """
    bus = BusTable.make(
        id=[f"B{i}" for i in range(17)],
        v_nom_kv=[220.0] * 5 + [110.0] * 12,
        in_service=[True] * 16 + [False],
    )
    branch = BranchTable.make(
        id=["L01", "L02", "L14", "L34", "L04", "T45", "T25", "L56", "L67", "M89", "M810", "M911", "M1011",
            "M1112a", "M1112b", "D1314"],
        kind=[0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        from_bus=[0, 0, 1, 3, 0, 4, 2, 5, 6, 8, 8, 9, 10, 11, 11, 13],
        to_bus=[1, 2, 4, 4, 4, 5, 5, 6, 7, 9, 10, 11, 11, 12, 12, 14],
        r_pu=[0.01, 0.012, 0.008, 0.02, 0.015, 0.002, 0.001, 0.03, 0.04, 0.02, 0.02, 0.03, 0.01, 0.02, 0.02, 0.05],
        x_pu=[0.06, 0.07, 0.05, 0.11, 0.09, 0.08, 0.09, 0.12, 0.15, 0.1, 0.12, 0.14, 0.08, 0.1, 0.1, 0.2],
        b_from_pu=[0.02, 0.01, 0.02, 0.015, 0.01, 0.0, 0.001, 0.01, 0.005, 0.01, 0.01, 0.01, 0.01, 0.0, 0.0, 0.01],
        b_to_pu=[0.02, 0.01, 0.02, 0.025, 0.01, 0.0, 0.0, 0.01, 0.005, 0.01, 0.01, 0.01, 0.01, 0.0, 0.0, 0.01],
        g_from_pu=[0.0, 0.0, 0.0, 0.001, 0.0, 0.002, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        tap_ratio=[1.0, 1.0, 1.0, 1.0, 1.0, 0.975, 1.02, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        shift_deg=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        rate_mva=200.0,
    )  # fmt: skip
    gen = GenTable.make(
        id=["G0", "G1a", "G1b", "G5", "W6", "G8", "G12"],
        bus=[0, 1, 1, 5, 6, 8, 12],
        p_mw=[60.0, 40.0, 30.0, 20.0, 25.0, 30.0, 15.0],
        q_mvar=[0.0, 0.0, 0.0, 0.0, 4.0, 0.0, -3.0],
        v_set_pu=[1.02, 1.01, 1.01, 1.0, 1.0, 1.015, 1.0],
        regulates=[True, True, True, True, False, True, False],
        is_reference=[True, False, False, False, False, True, False],
        p_max_mw=[200.0, 80.0, 60.0, 40.0, 30.0, 90.0, 20.0],
        q_min_mvar=[-100.0, -30.0, -20.0, -15.0, -5.0, -60.0, -10.0],
        q_max_mvar=[100.0, 40.0, 25.0, 15.0, 5.0, 60.0, 10.0],
        participation=[3.0, 1.0, 2.0, 1.0, 0.0, 2.0, 1.0],
    )
    load = LoadTable.make(
        id=[f"D{i}" for i in range(11)],
        bus=[2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 16],
        p_mw=[40.0, 35.0, 30.0, 20.0, 30.0, 10.0, 25.0, 20.0, 12.0, 5.0, 7.0],
        q_mvar=[12.0, 10.0, 8.0, 5.0, 9.0, 3.0, 8.0, 6.0, 3.0, 2.0, 1.0],
        p_share_z=[0.0, 0.3, 0.0, 0.0, 0.5, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0],
        p_share_i=[0.0, 0.3, 0.0, 1.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0],
        q_share_z=[0.0, 0.6, 0.0, 0.0, 1.0, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0],
        q_share_i=[0.0, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0],
    )
    shunt = ShuntTable.make(
        id=["S4", "S10"], bus=[4, 10], g_mw=[0.5, 0.0], b_mvar=[5.0, 8.0], step=[2.0, 1.0], step_max=[4, 1]
    )
    storage = StorageTable.make(id=["BAT4"], bus=[4], p_mw=[8.0], q_mvar=[2.0])
    compensator = CompensatorTable.make(
        id=["SVC4", "CAP11"], bus=[4, 11], q_mvar=[0.0, 4.0], v_set_pu=[1.005, 1.0], regulates=[True, False],
        q_min_mvar=-50.0, q_max_mvar=50.0,
    )  # fmt: skip
    hvdc = HvdcTable.make(
        id=["H1", "H2"], from_bus=[2, 11], to_bus=[9, 6], p_mw=[20.0, -5.0],
        loss_fixed_mw=[0.2, 0.0], loss_share=[0.015, 0.01],
        regulates_to=[True, False], v_set_to_pu=[1.01, 1.0], q_from_mvar=[-4.0, 1.0], q_to_mvar=[0.0, 2.0],
    )  # fmt: skip
    switch = SwitchTable.make(
        id=["C23", "C26", "C316"], from_bus=[2, 2, 3], to_bus=[3, 6, 16], closed=[True, False, True]
    )
    return Network(bus, branch, gen, load, shunt, storage, compensator, hvdc, switch, name="everything", base_mva=100.0)


def with_zip_loads(net: Network) -> Network:
    """The grid with every third load at constant impedance and every third at constant current, in part."""
    k = np.arange(net.n_load)
    return net.replace(
        load=net.load.replace(
            p_share_z=np.where(k % 3 == 0, 0.4, 0.0), p_share_i=np.where(k % 3 == 1, 0.5, 0.1),
            q_share_z=np.where(k % 3 == 0, 0.7, 0.0), q_share_i=np.where(k % 3 == 1, 0.3, 0.0),
        )
    )  # fmt: skip


Builder = Callable[[Network, np.random.Generator], Scenarios]


def _injections(net: Network, rng: np.random.Generator) -> Scenarios:
    n = 5
    values = {
        "load_p_mw": net.load.p_mw,
        "load_q_mvar": net.load.q_mvar,
        "gen_p_mw": net.gen.p_mw,
        "gen_q_mvar": net.gen.q_mvar,
    }
    if len(net.storage):
        values |= {"storage_p_mw": net.storage.p_mw, "storage_q_mvar": net.storage.q_mvar}
    if len(net.hvdc):
        values["hvdc_p_mw"] = net.hvdc.p_mw
    if len(net.shunt):
        values["shunt_step"] = net.shunt.step
    return Scenarios(net, **{k: v * rng.uniform(0.7, 1.2, (n, len(v))) for k, v in values.items()})


def _set_points(net: Network, rng: np.random.Generator) -> Scenarios:
    change = rng.uniform(-0.02, 0.02, (4, net.n_bus))
    return Scenarios(net, gen_v_pu=net.gen.v_set_pu + change[:, net.gen.bus])


def _branch_outages(net: Network, rng: np.random.Generator) -> Scenarios:
    single = [[k] for k in range(min(net.n_branch, 24))]
    pairs = [sorted(rng.choice(net.n_branch, 2, replace=False).tolist()) for _ in range(4)]
    return Scenarios(net, branch_out=[None, *single, *pairs])


def _unit_outages(net: Network, rng: np.random.Generator) -> Scenarios:
    pairs = [sorted(rng.choice(net.n_gen, 2, replace=False).tolist()) for _ in range(3)] if net.n_gen > 1 else []
    return Scenarios(net, gen_out=[[k] for k in range(net.n_gen)] + pairs)


def _load_outages(net: Network, rng: np.random.Generator) -> Scenarios:
    both = [sorted(rng.choice(net.n_load, 2, replace=False).tolist()) for _ in range(3)]
    varied = net.load.p_mw * rng.uniform(0.8, 1.1, (min(net.n_load, 12) + 3, net.n_load))
    return Scenarios(net, load_out=[[k] for k in range(min(net.n_load, 12))] + both, load_p_mw=varied)


def _bus_outages(net: Network, rng: np.random.Generator) -> Scenarios:
    return Scenarios(net, bus_out=[[k] for k in range(min(net.n_bus, 17))])


def _hvdc_outages(net: Network, rng: np.random.Generator) -> Scenarios:
    return Scenarios(net, hvdc_out=[None, *[[k] for k in range(len(net.hvdc))], list(range(len(net.hvdc)))])


CONDITIONS: dict[str, Builder] = {
    "injections": _injections,
    "set-points": _set_points,
    "branch outages": _branch_outages,
    "unit outages": _unit_outages,
    "load outages": _load_outages,
    "bus outages": _bus_outages,
    "HVDC outages": _hvdc_outages,
}
