"""Scenarios: what is accepted, what is refused and how, and that nothing is copied or altered on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import OUTAGES, SOURCES
from aurigrid.model.scenarios import Scenarios


def refused(net: Network, **arguments: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        Scenarios(net, **arguments)  # type: ignore[arg-type]
    return [str(issue) for issue in caught.value.issues]


def test_what_is_not_given_stays_the_networks(net: Network) -> None:
    sc = Scenarios.base(net, 3)
    assert len(sc) == sc.n == 3
    for name, (table, column) in SOURCES.items():
        assert getattr(sc, name) is None
        expected = np.tile(getattr(getattr(net, table), column), (3, 1))
        np.testing.assert_array_equal(sc.values(name), expected)
    for name in OUTAGES:
        assert getattr(sc, name).count.tolist() == [0, 0, 0]


def test_no_copy_and_the_callers_array_stays_writable(net: Network) -> None:
    p = np.arange(6.0).reshape(2, 3)
    sc = Scenarios(net, load_p_mw=p)
    assert sc.load_p_mw is not None
    assert np.shares_memory(sc.load_p_mw, p)
    assert p.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        sc.load_p_mw[0, 0] = 1.0


@pytest.mark.parametrize(
    "given",
    [
        [[1, 2, 3], [4, 5, 6]],
        np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32),
        np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int16),
        np.asfortranarray([[1.0, 2, 3], [4, 5, 6]]),
        pd.DataFrame([[1, 2, 3], [4, 5, 6]]),
        pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=[1, 2, 3]),
        pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "b", "c"]),
    ],
)
def test_other_kinds_of_arrays(net: Network, given: object) -> None:
    sc = Scenarios(net, load_p_mw=given)
    assert sc.load_p_mw is not None
    assert sc.load_p_mw.dtype == np.float64
    assert sc.load_p_mw.flags.c_contiguous
    assert sc.load_p_mw.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_frame_with_ids_in_another_order_is_refused(net: Network) -> None:
    (issue,) = refused(net, load_p_mw=pd.DataFrame([[1, 2, 3]], columns=[2, 1, 3]))
    assert "in another order (2, 1)" in issue


def test_one_row_serves_all_scenarios_without_memory(net: Network) -> None:
    sc = Scenarios(net, n=1000, gen_v_pu=[1.01, 1.03])
    assert sc.gen_v_pu is not None
    assert sc.gen_v_pu.shape == (1000, 2)
    assert sc.gen_v_pu.strides[0] == 0
    assert sc[10:20].gen_v_pu.strides[0] == 0  # type: ignore[union-attr]


def test_n_comes_from_whatever_tells_it(net: Network) -> None:
    assert Scenarios(net).n == 1
    assert Scenarios(net, load_p_mw=[1, 2, 3]).n == 1
    assert Scenarios(net, load_p_mw=np.ones((4, 3)), gen_p_mw=[1, 2]).n == 4
    assert Scenarios(net, branch_out=["L1", None, "L2"]).n == 3
    assert Scenarios(net, label=["a", "b"]).n == 2
    assert Scenarios(net, load_p_mw=np.ones((0, 3))).n == 0


def test_outages_by_position_id_and_name(net: Network) -> None:
    sc = Scenarios(net, branch_out=[None, 2, "L4", ["north", np.int32(1), "L2"], []], bus_out=["20", "S1", None, 0, 1])
    assert sc.branch_out_ptr.tolist() == [0, 0, 1, 2, 4, 4]
    assert sc.branch_out_idx.tolist() == [2, 3, 0, 1]
    assert sc.bus_out_idx.tolist() == [1, 4, 0, 1]
    assert sc.branch_out_idx.dtype == sc.branch_out_ptr.dtype == np.int32


def test_outage_masks(net: Network) -> None:
    mask = np.array([[True, False, True, False], [False] * 4])
    assert Scenarios(net, branch_out=mask).branch_out_ptr.tolist() == [0, 2, 2]
    every = Scenarios(net, n=2, branch_out=mask[0])
    assert every.branch_out_idx.tolist() == [0, 2, 0, 2]
    assert Scenarios(net, branch_out=np.array([3, 0])).branch_out_idx.tolist() == [3, 0]


def test_every_fault_is_reported_at_once(net: Network) -> None:
    issues = refused(
        net,
        n=2,
        load_p_mw=[[1, np.nan, 3], [np.inf, 5, 6]],
        load_q_mvar=np.ones((2, 4)),
        gen_p_mw="much",
        gen_v_pu=[[1.0, 1.0], [1.0, 0.0]],
        storage_p_mw=np.ones((2, 1, 1)),
        hvdc_p_mw=[[1], [2], [3]],
        branch_out=["noth", ["twin", 7]],
        gen_out=[1.5, True],
        load_out="load",
        hvdc_out=3,
        bus_out=np.zeros((2, 3), dtype=bool),
        label=5,
    )
    text = "\n".join(issues)
    for part in (
        "load_p_mw: is not a finite number in 2 places, first in scenario 0 (1, 2)",
        "load_q_mvar: has shape (2, 4), not (n, 3)",
        "gen_p_mw: cannot be read as numbers",
        "gen_v_pu: must be positive in 1 place, first in scenario 1 (G2)",
        "storage_p_mw: has 3 axes",
        "arguments disagree on the number of scenarios",
        "hvdc_p_mw 3",
        "branch_out: names 1 branch that the network does not have (noth); near names: north",
        "branch_out: names that several branches share (twin)",
        "branch_out: holds positions outside the table (7); the network has 4 branches, positions 0 to 3",
        "gen_out: holds what is no element (1.5, True)",
        "load_out: is one text, 'load'",
        "hvdc_out: is 3, not one entry a scenario",
        "bus_out: mask has shape (2, 3), not (n, 5)",
        "label: is 5",
    ):
        assert part in text
    assert len(issues) == 14


def test_slices_share_memory_and_labels_follow(net: Network) -> None:
    p = np.arange(12.0).reshape(4, 3)
    sc = Scenarios(net, load_p_mw=p, branch_out=[0, None, [1, 2], 3], label=list("abcd"))
    part = sc[1:3]
    assert np.shares_memory(part.load_p_mw, p)  # type: ignore[arg-type]
    assert part.branch_out_idx.tolist() == [1, 2]
    assert part.branch_out_ptr.tolist() == [0, 0, 2]
    assert part.label.tolist() == ["b", "c"]  # type: ignore[union-attr]
    assert sc[-1].load_p_mw.tolist() == [[9, 10, 11]]  # type: ignore[union-attr]
    assert sc.take(np.array([True, False, False, True])).label.tolist() == ["a", "d"]  # type: ignore[union-attr]
    with pytest.raises(IndexError):
        sc[4]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(0, 8))
def test_parts_joined_are_the_whole(outages: list[int], at: int) -> None:
    from aurigrid.model.tables import BranchTable, BusTable

    net = Network(
        bus=BusTable.make(id=[1, 2]), branch=BranchTable.make(id=range(4), from_bus=[0] * 4, to_bus=[1] * 4, x_pu=0.1)
    )
    sc = Scenarios(net, branch_out=outages)
    joined = Scenarios.concat([sc[:at], sc[at:]])
    assert joined.n == sc.n
    assert joined.branch_out_idx.tolist() == sc.branch_out_idx.tolist() == outages
    assert joined.branch_out_ptr.tolist() == sc.branch_out_ptr.tolist()


def test_concat_fills_with_the_networks_values(net: Network) -> None:
    joined = Scenarios.concat([Scenarios(net, load_p_mw=[[1, 2, 3]], label=["x"]), Scenarios.base(net)])
    assert joined.load_p_mw.tolist() == [[1, 2, 3], [20, 30, 10]]  # type: ignore[union-attr]
    assert joined.gen_p_mw is None
    assert joined.label.tolist() == ["x", ""]  # type: ignore[union-attr]


def test_concat_of_different_networks_is_refused(net: Network) -> None:
    other = net.replace(load=net.load.replace(p_mw=1.0))
    with pytest.raises(InputError, match="different networks"):
        Scenarios.concat([Scenarios.base(net), Scenarios.base(other)])
    with pytest.raises(InputError, match="nothing to join"):
        Scenarios.concat([])


def test_replace_checks_again(net: Network) -> None:
    sc = Scenarios(net, load_p_mw=[[1, 2, 3]], branch_out=["L1"])
    changed = sc.replace(load_p_mw=None)
    assert changed.load_p_mw is None
    assert changed.branch_out_idx.tolist() == [0]
    with pytest.raises(InputError, match="not a finite number"):
        sc.replace(load_p_mw=[[1, np.nan, 3]])
