"""Costs of reactive power and dispatchable loads in optimal power flow, against pandapower's and MATPOWER's own rules."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.opf.bound import opf_lower_bound

SALE = """function mpc = sale
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
 1 3 0 0 0 0 1 1 0 110 1 1.05 0.95;
 2 1 20 5 0 0 1 1 0 110 1 1.05 0.95;
];
mpc.gen = [
 1 0 0 100 -100 1 100 1 200 0;
 2 -60 -15 0 -20 1 100 1 0 -80;
];
mpc.branch = [ 1 2 0.01 0.1 0.02 0 0 0 0 0 1 -360 360; ];
mpc.gencost = [
 2 0 0 3 0.1 20 0;
 2 0 0 2 35 0 0;
];
"""


def test_costs_of_reactive_power_are_those_of_pandapower() -> None:
    pandapower = pytest.importorskip("pandapower")
    networks = pytest.importorskip("pandapower.networks")
    source = networks.case9()
    source.poly_cost["cq1_eur_per_mvar"] = [0.3, 0.2, 0.1]
    source.poly_cost["cq2_eur_per_mvar2"] = [0.2, 0.4, 0.6]
    # pandapower holds the voltage of an external grid
    at = source.ext_grid.bus.iloc[0]
    source.bus.loc[at, ["min_vm_pu", "max_vm_pu"]] = 1.0
    pandapower.runopp(source, delta=1e-10, PDIPM_GRADTOL=1e-8, PDIPM_COMPTOL=1e-9)
    found = ag.optimal_power_flow(ag.load(source))
    np.testing.assert_allclose(found.objective[0], source.res_cost, rtol=1e-6)
    theirs = np.r_[source.res_ext_grid.q_mvar, source.res_gen.q_mvar]
    np.testing.assert_allclose(found.gen_q_mvar[0], theirs, atol=1e-2)


def test_a_dispatchable_load_keeps_its_power_factor(tmp_path) -> None:
    file = tmp_path / "sale.m"
    file.write_text(SALE)
    net = ag.load(file)
    found = ag.optimal_power_flow(net)
    p, q = found.gen_p_mw[0], found.gen_q_mvar[0]
    assert -80 < p[1] < -5  # bought until the price reaches what it pays
    np.testing.assert_allclose(q[1] / p[1], 20 / 80, rtol=1e-6)
    # its price is that of a MW with the Mvar that come with it, which is what it pays
    np.testing.assert_allclose(found.price_per_mwh[0, 1] + 0.25 * found.price_per_mvarh[0, 1], 35.0, atol=1e-3)


def test_a_bound_knows_that_reactive_power_follows(tmp_path) -> None:
    """With their own multipliers the gap closes, which it cannot where the load's two prices are left out."""
    file = tmp_path / "sale.m"
    file.write_text(SALE)
    found = ag.optimal_power_flow(ag.load(file))
    gap = opf_lower_bound(found).gap(found.objective)[0]
    assert -1e-6 < gap < 1e-5
