"""Grids with many more units than nodes, and grouped values: the same power flow as with the sums by node."""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.model.tables import GenTable
from aurigrid.powerflow.sums import node_sums, pair_sums, pair_weights, scaled_node_sums

STEPS, UNITS_A_BUS, N_GROUP = 11, 7, 3


def crowded() -> ag.Network:
    """case14 with seven small units at every bus, wind and sun in turn, behind its own units."""
    net = ag.load("case14")
    few = net.gen
    bus = np.repeat(np.arange(net.n_bus), UNITS_A_BUS)
    table = {
        name: np.concatenate([values, np.zeros(len(bus))]) for name, values in few.items() if values.dtype == float
    }
    for name in ("p_max_mw", "q_min_mvar", "q_max_mvar", "v_set_pu"):
        table[name][len(few) :] = 1.0
    flags = {
        name: np.concatenate([getattr(few, name), np.zeros(len(bus), bool)]) for name in ("regulates", "is_reference")
    }
    at = np.concatenate([few.bus, bus])
    on = np.concatenate([few.in_service, np.arange(len(bus)) % 5 != 0])
    return net.replace(gen=GenTable.make(id=np.arange(len(at)), bus=at, in_service=on, **table, **flags))


@pytest.fixture(scope="module")
def net() -> ag.Network:
    return crowded()


@pytest.fixture(scope="module")
def grouped(net: ag.Network) -> ag.Grouped:
    rng = np.random.default_rng(3)
    group = rng.integers(0, N_GROUP, net.n_gen)
    own = net.gen.p_mw != 0
    profile = rng.uniform(0.2, 1.0, (STEPS, N_GROUP + 1))
    profile[:, N_GROUP] = 1.0
    size = np.where(own, net.gen.p_mw, rng.uniform(0, 0.5, net.n_gen))
    return ag.Grouped(profile, np.where(own, N_GROUP, group), size)


def test_units_at_one_bus_act_as_their_sum(net: ag.Network, grouped: ag.Grouped) -> None:
    """case14 itself, with what the small units inject taken off its loads, is the same grid: at every bus p - d is."""
    dense = grouped.profile[:, grouped.group] * grouped.size
    plain = ag.load("case14")
    small = np.zeros((STEPS, net.n_bus))
    rows = np.flatnonzero(net.gen.in_service[plain.n_gen :]) + plain.n_gen
    for g in rows:
        small[:, net.gen.bus[g]] += dense[:, g]
    bare = np.setdiff1d(np.arange(net.n_bus), plain.load.bus)
    load = ag.load("case14").load
    columns = {name: np.concatenate([v, np.zeros(len(bare), v.dtype)]) for name, v in load.items() if v.dtype == float}
    every = type(load).make(
        id=np.arange(len(load) + len(bare)),
        bus=np.concatenate([load.bus, bare]),
        in_service=np.concatenate([load.in_service, np.ones(len(bare), bool)]),
        **columns,
    )
    plain = plain.replace(load=every)
    demand = np.repeat(every.p_mw[None], STEPS, 0)
    _, first = np.unique(every.bus, return_index=True)
    demand[:, first] -= small
    expected = ag.power_flow(plain, ag.Scenarios(plain, load_p_mw=demand, gen_p_mw=dense[:, : plain.n_gen]))
    assert expected.converged.all()
    for given in (grouped, dense):
        found = ag.power_flow(net, ag.Scenarios(net, gen_p_mw=given))
        assert found.converged.all()
        assert np.abs(found.v - expected.v).max() < 1e-9


def test_grouped_values_are_those_of_the_array(net: ag.Network, grouped: ag.Grouped) -> None:
    dense = grouped.profile[:, grouped.group] * grouped.size
    rows, elements = np.array([0, 4, 4]), np.array([3, 0, 50])
    np.testing.assert_array_equal(np.asarray(grouped), dense)
    np.testing.assert_array_equal(grouped[rows], dense[rows])
    np.testing.assert_array_equal(grouped[rows, elements], dense[rows, elements])
    np.testing.assert_array_equal(grouped[:, 5], dense[:, 5])
    np.testing.assert_array_equal(grouped[2, elements], dense[2, elements])
    scenarios = ag.Scenarios(net, gen_p_mw=grouped)
    np.testing.assert_array_equal(scenarios.values("gen_p_mw"), dense)
    np.testing.assert_array_equal(scenarios.take([1, 7]).values("gen_p_mw"), dense[[1, 7]])
    np.testing.assert_array_equal(scenarios[2:5].values("gen_p_mw"), dense[2:5])


@pytest.mark.parametrize("engine", ["newton", "dc"])
@pytest.mark.parametrize("q_limits", [False, True])
def test_grouped_and_dense_agree_in_all_results(
    net: ag.Network, grouped: ag.Grouped, engine: str, q_limits: bool
) -> None:
    out = [[g] if g % 2 else None for g in range(STEPS)]
    options = {"engine": engine, "q_limits": q_limits, "slack": "distributed"}
    dense = ag.power_flow(net, ag.Scenarios(net, gen_p_mw=np.asarray(grouped), gen_out=out), **options)
    few = ag.power_flow(net, ag.Scenarios(net, gen_p_mw=grouped, gen_out=out), **options)
    np.testing.assert_array_equal(few.status, dense.status)
    assert np.abs(few.v - dense.v).max() < 1e-9
    assert np.abs(few.gen_p_mw - dense.gen_p_mw).max() < 1e-6


def test_grouped_loads(net: ag.Network) -> None:
    rng = np.random.default_rng(5)
    p = ag.Grouped(rng.uniform(0.5, 1, (STEPS, 2)), np.arange(net.n_load) % 2, net.load.p_mw)
    q = np.asarray(p) * 0.3
    few = ag.power_flow(net, ag.Scenarios(net, load_p_mw=p, load_q_mvar=q))
    dense = ag.power_flow(net, ag.Scenarios(net, load_p_mw=np.asarray(p), load_q_mvar=q))
    assert few.converged.all()
    assert np.abs(few.v - dense.v).max() < 1e-9
    shares = net.replace(load=net.load.replace(p_share_z=0.3, q_share_i=0.4))
    few = ag.power_flow(shares, ag.Scenarios(shares, load_p_mw=p, load_q_mvar=q))
    dense = ag.power_flow(shares, ag.Scenarios(shares, load_p_mw=np.asarray(p), load_q_mvar=q))
    assert few.converged.all()
    assert np.abs(few.v - dense.v).max() < 1e-9


def test_a_batch_equals_its_scenarios_to_the_last_bit(net: ag.Network, grouped: ag.Grouped) -> None:
    for given in (grouped, np.asarray(grouped)):
        scenarios = ag.Scenarios(net, gen_p_mw=given)
        batch = ag.power_flow(net, scenarios)
        alone = ag.power_flow(net, scenarios[6])
        np.testing.assert_array_equal(batch.v[6], alone.v[0])


@pytest.mark.parametrize("rows", [1, 3, 8, 9, 40])
def test_sums_against_a_dense_product(rows: int) -> None:
    rng = np.random.default_rng(rows)
    node, scale = rng.integers(-1, 6, 25).astype(np.int32), rng.normal(size=25)
    values = rng.normal(size=(rows, 25))
    incidence = (node[:, None] == np.arange(6)).astype(float)
    frozen = values.copy()
    frozen.flags.writeable = False
    np.testing.assert_allclose(scaled_node_sums(frozen, node, scale, 6), (values * scale) @ incidence, atol=1e-13)
    live = node >= 0
    np.testing.assert_allclose(node_sums(node[live], values[:, live], 6), values @ incidence, atol=1e-13)
    np.testing.assert_allclose(node_sums(node[live], values[0, live], 6), values[0] @ incidence, atol=1e-13)


def test_all_faults_of_grouped_values_at_once(net: ag.Network) -> None:
    with pytest.raises(ag.InputError) as caught:
        ag.Grouped([[1.0, np.nan]], [0, 2, -1], [1.0, 2.0, np.inf])
    text = str(caught.value)
    assert "profile: is not a finite number in 1 places, first at (0, 1)" in text
    assert "size: is not a finite number" in text
    assert "group: names groups without a profile (-1, 2)" in text
    with pytest.raises(ag.InputError, match="has 1 values for 2 elements"):
        ag.Grouped([[1.0]], [0, 0], [1.0])
    with pytest.raises(ag.InputError, match=r"has shape \(1, 2\)"):
        ag.Scenarios(net, gen_p_mw=ag.Grouped([[1.0]], [0, 0], [1.0, 1.0]))
    with pytest.raises(ag.InputError, match="disagree on the number of scenarios"):
        ag.Scenarios(net, n=2, gen_p_mw=ag.Grouped([[1.0]], np.zeros(net.n_gen, int), np.ones(net.n_gen)))


def test_pairs_of_node_and_group(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    node, scale = rng.integers(-1, 6, 40).astype(np.int32), rng.normal(size=40)
    grouped = ag.Grouped(rng.normal(size=(5, 4)), rng.integers(0, 4, 40), rng.normal(size=40))
    expected = (np.asarray(grouped) * scale) @ (node[:, None] == np.arange(6)).astype(float)
    for most in (1 << 24, 0):  # counted in an array of all pairs, and by sorting
        monkeypatch.setattr("aurigrid.powerflow.sums._DENSE_PAIRS", most)
        pairs = pair_weights(grouped, node, scale, 6)
        assert len(pairs[0]) == len(set(zip(node[node >= 0].tolist(), grouped.group[node >= 0].tolist(), strict=True)))
        np.testing.assert_allclose(pair_sums(grouped.profile, *pairs, 6), expected, atol=1e-13)
