"""Connected components against SciPy's, and islands of small grids by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aurigrid.model.islands import components, islands
from aurigrid.model.network import Network


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@given(st.integers(1, 40), st.data())
def test_components_equal_scipy(n: int, data: st.DataObject) -> None:
    edges = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
    a, b = np.array(edges, dtype=int).reshape(-1, 2).T
    expected = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[1]
    assert same_partition(components(n, a, b), expected)


def test_a_long_shuffled_chain_is_one_component() -> None:
    order = np.random.default_rng(1).permutation(50_000)
    assert components(50_000, order[:-1], order[1:]).max() == 0


def test_components_are_numbered_by_their_first_node() -> None:
    assert components(5, np.array([3]), np.array([1])).tolist() == [0, 1, 2, 1, 3]


def test_switches_join_and_buses_out_of_service_part(net: Network) -> None:
    assert islands(net).tolist() == [0, 0, 0, 0, 0]
    opened = net.replace(switch=net.switch.replace(closed=False))
    assert islands(opened).tolist() == [0, 0, 0, 0, 1]
    cut = net.replace(bus=net.bus.replace(in_service=[True, False, True, False, True]))
    assert islands(cut).tolist() == [0, -1, 1, -1, 2]
