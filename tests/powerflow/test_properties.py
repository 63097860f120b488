"""Random small grids, meshed and radial, against the dense oracle; what must hold on any of them."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import aurigrid as ag
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable, ShuntTable, SwitchTable
from oracle import Condition, mismatch_pu, solve

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def share(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(0, 1000).map(lambda k: low + (high - low) * k / 1000)


@st.composite
def grids(draw: st.DrawFn) -> Network:
    """5 to 12 buses: a random tree, some more branches, taps and phase shifts, units, ZIP loads, shunts, perhaps a coupler."""
    n = draw(st.integers(5, 12))
    ends = [(draw(st.integers(0, k - 1)), k) for k in range(1, n)]
    for _ in range(draw(st.integers(0, n))):
        a, b = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
        if a != b:
            ends.append((a, b))
    m = len(ends)

    def each(count: int, low: float, high: float) -> list[float]:
        return [draw(share(low, high)) for _ in range(count)]

    is_transformer = np.array([draw(st.booleans()) for _ in range(m)])
    charging = np.where(is_transformer, 0.0, each(m, 0.0, 0.02))
    loop = np.array([k >= n - 1 for k in range(m)])
    branch = BranchTable.make(
        id=np.arange(m), kind=is_transformer.astype(int), from_bus=[a for a, _ in ends], to_bus=[b for _, b in ends],
        r_pu=each(m, 0.0, 0.02), x_pu=each(m, 0.02, 0.12), b_from_pu=charging, b_to_pu=charging,
        g_from_pu=np.where(is_transformer, each(m, 0.0, 0.002), 0.0),
        tap_ratio=np.where(is_transformer, each(m, 0.95, 1.05), 1.0),
        shift_deg=np.where(is_transformer, np.where(loop, each(m, -3.0, 3.0), each(m, -30.0, 30.0)), 0.0),
    )  # fmt: skip
    units = sorted({0, *draw(st.lists(st.integers(1, n - 1), max_size=3))})
    gen = GenTable.make(
        id=np.arange(len(units)), bus=units, p_mw=[0.0, *each(len(units) - 1, 5.0, 25.0)],
        v_set_pu=each(len(units), 0.98, 1.05), regulates=True, is_reference=[True] + [False] * (len(units) - 1),
        p_max_mw=[100.0, *each(len(units) - 1, 25.0, 60.0)], q_min_mvar=-8.0, q_max_mvar=8.0,
    )  # fmt: skip
    z, i = each(n - 1, 0.0, 0.5), each(n - 1, 0.0, 0.5)
    load = LoadTable.make(
        id=np.arange(n - 1), bus=np.arange(1, n), p_mw=each(n - 1, 0.0, 15.0), q_mvar=each(n - 1, -2.0, 5.0),
        p_share_z=z, p_share_i=i, q_share_z=i, q_share_i=z,
    )  # fmt: skip
    shunt = ShuntTable.make(id=[0], bus=[n - 1], g_mw=[draw(share(0.0, 1.0))], b_mvar=[draw(share(-5.0, 5.0))])
    coupler = [draw(st.integers(1, n - 1)), draw(st.integers(1, n - 1))]
    closed = draw(st.booleans()) and coupler[0] != coupler[1] and not set(coupler) & set(units)
    # a coupler across a phase shift would be a short circuit with a turn: it is closed only without shifts
    closed = closed and not is_transformer.any()
    switch = SwitchTable.make(id=["coupler"], from_bus=coupler[:1], to_bus=coupler[1:], closed=closed)
    return Network(BusTable.make(id=np.arange(n), v_nom_kv=110.0), branch, gen, load, shunt, switch=switch)


@st.composite
def studies(draw: st.DrawFn) -> Scenarios:
    """A random grid under its own conditions, a few single and double outages of branches, units and loads."""
    net = draw(grids())
    n = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def some(count: int) -> list[list[int]]:
        return [sorted(set(rng.integers(0, count, rng.integers(0, 3)).tolist())) for _ in range(n)]

    return Scenarios(
        net,
        load_p_mw=net.load.p_mw * rng.uniform(0.5, 1.3, (n, net.n_load)),
        load_q_mvar=net.load.q_mvar * rng.uniform(0.5, 1.3, (n, net.n_load)),
        branch_out=some(net.n_branch), gen_out=some(net.n_gen), load_out=some(net.n_load),
    )  # fmt: skip


@quick
@given(studies(), st.booleans())
def test_random_studies_against_the_dense_oracle(sc: Scenarios, distributed: bool) -> None:
    sol = ag.power_flow(sc.net, sc, slack="distributed" if distributed else "reference", tol_pu=1e-10)
    for row in range(sc.n):
        at = Condition(sc.net, sc, row, distributed=distributed)
        if not sol.converged[row]:
            dense = solve(at)
            assert not dense.converged or np.nanmin(dense.v_mag) < 0.5 or sol.status[row] == ag.Status.IMPLAUSIBLE
            continue
        found = mismatch_pu(at, sol.v_mag[row], sol.v_ang[row])
        assert found < 1e-9
        assert abs(found - sol.mismatch_pu[row]) < 1e-11 + 1e-3 * found
        lost = np.isnan(sol.v_mag[row])[sc.net.load.bus] & at.on["load"]
        assert np.isclose(sol.lost_load_mw[row], at.load_p_mw[lost].sum(), atol=1e-9)


@quick
@given(grids())
def test_the_base_case_is_the_oracles(net: Network) -> None:
    dense = solve(Condition(net))
    assume(dense.converged)
    assume(np.nanmin(dense.v_mag) > 0.8)
    sol = ag.power_flow(net, tol_pu=1e-11)
    assert sol.status[0] == ag.Status.CONVERGED
    np.testing.assert_allclose(sol.v_mag[0], dense.v_mag, atol=1e-9)
    turn = sol.v_ang[0] - dense.v_ang
    np.testing.assert_allclose(turn - 2 * np.pi * np.round(turn / (2 * np.pi)), 0, atol=1e-9)


@quick
@given(studies())
def test_losses_are_what_comes_in_and_does_not_go_out(sc: Scenarios) -> None:
    """Sum of units less consumption less shunts = losses of all branches, and no branch without shunts gains power."""
    sol = ag.power_flow(sc.net, sc, tol_pu=1e-11)
    flow, net = sol.branch_flow(), sc.net
    for row in np.flatnonzero(sol.converged):
        at = Condition(net, sc, row)
        kind, _ = at.kinds()
        v = np.where(kind == 3, 0.0, np.nan_to_num(sol.v_mag[row]))
        load = net.load
        u = v[at.node[load.bus]]
        drawn = at.load_p_mw * (load.p_share_z * u**2 + load.p_share_i * u + 1 - load.p_share_z - load.p_share_i)
        shunt = net.shunt.g_mw * v[at.node[net.shunt.bus]] ** 2
        used = drawn[at.on["load"] & (u > 0)].sum() + shunt.sum() + flow.loss_mw[row].sum()
        assert abs(sol.gen_p_mw[row].sum() - used) < 1e-7
        assert flow.loss_mw[row].min() > -1e-8


@quick
@given(grids())
def test_reactive_limits_are_complementary(net: Network) -> None:
    sol = ag.power_flow(net, q_limits=True, tol_pu=1e-10)
    assume(sol.status[0] == ag.Status.CONVERGED)
    gen = net.gen
    for k in np.flatnonzero(~gen.is_reference):
        q, gap = sol.gen_q_mvar[0, k], sol.v_mag[0, gen.bus[k]] - gen.v_set_pu[k]
        assert gen.q_min_mvar[k] - 1e-5 < q < gen.q_max_mvar[k] + 1e-5
        assert (
            abs(gap) < 1e-7 or (q > gen.q_max_mvar[k] - 1e-5 and gap < 0) or (q < gen.q_min_mvar[k] + 1e-5 and gap > 0)
        )
