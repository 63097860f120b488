"""Contingency lists: words, files, explicit lists, equivalent outages."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, HvdcTable, LoadTable
from aurigrid.security.contingencies import ELEMENT_TABLES, KINDS, Contingencies, branch_classes, contingencies


@pytest.fixture(scope="module")
def net() -> Network:
    """Six real buses and a star point; L1 and L2 are identical circuits, L3 is like them with another rating."""
    return Network(
        bus=BusTable.make(
            id=["A", "B", "C", "D", "E", "F", "star"],
            name=["Alpha", "Beta", "Gamma", "Gamma", "", "", ""],
            v_nom_kv=[380, 380, 220, 220, 110, 380, 1],
            area=["1", "1", "2", "2", "2", "1", ""],
            is_star=[False] * 6 + [True],
            in_service=[True] * 5 + [False, True],
        ),
        branch=BranchTable.make(
            id=["L1", "L2", "L3", "T1", "W:hv", "W:mv", "W:lv", "L4", "L5"],
            name=["north", "north", "", "", "", "", "", "", ""],
            kind=[0, 0, 0, 1, 2, 2, 2, 0, 3],
            from_bus=[0, 0, 0, 1, 0, 2, 4, 2, 3],
            to_bus=[1, 1, 1, 2, 6, 6, 6, 3, 4],
            x_pu=[0.1, 0.1, 0.1, 0.05, 0.1, 0.1, 0.1, 0.2, 0.2],
            rate_mva=[500, 500, 600, 300, 200, 200, 200, 100, 100],
            group=["", "", "", "", "W", "W", "W", "", ""],
            tower=["m1", "m1", "m2", "", "", "", "", "", ""],
            in_service=[True, True, True, True, True, True, True, False, True],
        ),
        gen=GenTable.make(id=[17, 18, 19], bus=[0, 1, 2], p_mw=[10, 20, 30], in_service=[True, True, False]),
        load=LoadTable.make(id=["A", "load D"], bus=[0, 3], p_mw=[5, 5]),
        hvdc=HvdcTable.make(id=["H1"], from_bus=[0], to_bus=[3]),
    )


def sets(net: Network, found: Contingencies) -> list[set[str]]:
    return [
        {f"{table}:{getattr(net, table).id[i]}" for table, rows in found.elements(c).items() for i in rows.tolist()}
        for c in range(found.n)
    ]


def test_n_1_is_every_branch_in_service_and_a_three_winding_transformer_is_one_outage(net: Network) -> None:
    found = contingencies(net)
    assert found.label.tolist() == ["L1", "L2", "L3", "T1", "W", "L5"]
    assert [KINDS[k] for k in found.kind] == ["line", "line", "line", "transformer", "transformer", "line"]
    assert sets(net, found)[4] == {"branch:W:hv", "branch:W:mv", "branch:W:lv"}
    assert found.counts() == {"line": 4, "transformer": 2}
    for table in ELEMENT_TABLES:
        rows = found.rows[table]
        assert (rows.ptr.dtype, rows.idx.dtype, len(rows)) == (np.int32, np.int32, found.n)
        assert not rows.ptr.flags.writeable
        assert not rows.idx.flags.writeable


def test_words_join_in_their_order_and_leave_out_what_is_out_of_service(net: Network) -> None:
    assert contingencies(net, "generators,transformers").label.tolist() == ["generator 17", "generator 18", "T1", "W"]
    assert contingencies(net, "n-1+gen+hvdc").counts() == {"line": 4, "transformer": 2, "generator": 2, "hvdc": 1}
    assert contingencies(net, "lines+branches").n == contingencies(net, "branches").n
    everything = {"line": 4, "transformer": 2, "generator": 2, "hvdc": 1, "bus": 5, "tower": 1}
    assert contingencies(net, "all").counts() == everything
    assert sets(net, contingencies(net, "towers")) == [{"branch:L1", "branch:L2"}]
    assert contingencies(net, "loads").label.tolist() == ["A", "load D"]


def test_a_bus_outage_takes_all_that_connects_to_it_and_whole_transformers(net: Network) -> None:
    found = contingencies(net, "buses")
    assert found.label.tolist() == ["A", "B", "C", "D", "E"]
    windings = {"branch:W:hv", "branch:W:mv", "branch:W:lv"}
    lines = {"branch:L1", "branch:L2", "branch:L3"}
    assert sets(net, found) == [
        {"bus:A", "gen:17", "load:A", "hvdc:H1"} | lines | windings,
        {"bus:B", "gen:18", "branch:T1"} | lines,
        {"bus:C", "branch:T1"} | windings,
        {"bus:D", "load:load D", "hvdc:H1", "branch:L5"},
        {"bus:E", "branch:L5"} | windings,
    ]


def test_identical_circuits_are_solved_once_and_named_back(net: Network) -> None:
    assert branch_classes(net).tolist() == [0, 0, 2, 3, 4, 5, 6, 7, 8]
    found = contingencies(net)
    assert found.representative.tolist() == [0, 0, 2, 3, 4, 5]
    assert found.n_distinct == 5
    assert found.twins(1) == ((0, 1),)
    assert found.twins(0) == ()
    assert found.twins(2) == ()
    pairs = contingencies(net, [["L1", "L3"], ["L2", "L3"], ["L3", "L1"], ["L2", "L1"]])
    assert pairs.representative.tolist() == [0, 0, 0, 3]
    assert pairs.twins(1) == ((0, 1),)
    assert pairs.twins(2) == ()


def test_negative_zero_and_unknowns_do_not_part_identical_circuits(net: Network) -> None:
    branch = net.branch.replace(shift_deg=[0.0, -0.0] + [0.0] * 7, regulated_v_pu=[np.nan] * 9)
    assert branch_classes(net.replace(branch=branch))[1] == 0
    apart = net.replace(branch=net.branch.replace(r_pu=[0.0, 1e-9] + [0.0] * 7))
    assert branch_classes(apart)[1] == 1


def test_take_keeps_the_order_and_finds_new_representatives(net: Network) -> None:
    found = contingencies(net).take([5, 1, 0])
    assert found.label.tolist() == ["L5", "L2", "L1"]
    assert found.representative.tolist() == [0, 1, 1]
    assert found.twins(2) == ((1, 0),)
    assert contingencies(net).take(np.array([False, True, False, False, False, False])).label.tolist() == ["L2"]


def test_n_2_makes_all_pairs_of_a_subset(net: Network) -> None:
    found = contingencies(net, "n-2:lines,kv=380")
    assert found.label.tolist() == ["L1 + L2", "L1 + L3", "L2 + L3"]
    assert sets(net, found) == [{f"branch:{a}", f"branch:{b}"} for a, b in combinations(["L1", "L2", "L3"], 2)]
    assert found.representative.tolist() == [0, 1, 1]
    whole = contingencies(net, "n-2:transformers")
    assert sets(net, whole) == [{"branch:T1", "branch:W:hv", "branch:W:mv", "branch:W:lv"}]
    assert contingencies(net, "n-2:ids=L1,gen:17,H1").n == 3
    assert contingencies(net, "n-2:area=1,2").n == 6 * 5 // 2
    assert contingencies(net, "n-1:gen,buses,area=2").label.tolist() == ["C", "D", "E"]


def test_overlapping_bus_pairs_name_each_element_once(net: Network) -> None:
    both = contingencies(net, "n-2:ids=A,B")
    assert both.branch[0].tolist() == [0, 1, 2, 3, 4, 5, 6]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=6),
    st.lists(st.sets(st.integers(0, 5), min_size=1, max_size=3), min_size=1, max_size=12),
)
def test_representatives_are_those_of_a_pairwise_comparison(kinds: list[int], outages: list[set[int]]) -> None:
    net = Network(
        bus=BusTable.make(id=[1, 2]),
        branch=BranchTable.make(
            id=list(range(len(kinds))),
            from_bus=[0] * len(kinds),
            to_bus=[1] * len(kinds),
            x_pu=[0.1 * (k + 1) for k in kinds],
        ),
    )
    asked = [sorted({b % len(kinds) for b in outage}) for outage in outages]
    found = contingencies(net, asked)
    alike = [Counter(kinds[b] for b in outage) for outage in asked]
    assert found.representative.tolist() == [alike.index(a) for a in alike]
    for c in range(found.n):
        swapped = dict(found.twins(c))
        there = found.elements(int(found.representative[c]))["branch"].tolist()
        assert sorted(swapped.get(b, b) for b in there) == asked[c]


def test_lists_by_id_name_group_and_prefix(net: Network) -> None:
    found = contingencies(net, ["L1", ["W", 17], "Alpha", ("bus:A",), "A"])
    assert [KINDS[k] for k in found.kind] == ["line", "multiple", "bus", "bus", "bus"]
    assert sets(net, found)[1] == {"branch:W:hv", "branch:W:mv", "branch:W:lv", "gen:17"}
    assert found.representative.tolist() == [0, 1, 2, 2, 2]
    assert len(set(found.label.tolist())) == 5
    assert [KINDS[k] for k in contingencies(net, ["load:A"]).kind] == ["load"]


def test_unknown_elements_are_all_named_with_near_names(net: Network) -> None:
    with pytest.raises(InputError) as caught:
        contingencies(net, [["L1", "L11"], ["Alfa"], "north", [], 99])
    text = str(caught.value)
    assert "3 not in the grid (L11, Alfa, 99)" in text
    assert "Alfa -> Alpha" in text
    assert "L11 -> L1" in text
    assert "2 branch rows are named 'north' (L1, L2)" in text
    assert "entry 3.elements: is empty" in text


def test_csv_lists_wide_and_long(net: Network, tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    wide.write_text("name,elements,kind\ndouble,L1; L2,tower\nunit,gen:17,\n", encoding="utf-8")
    found = contingencies(net, wide)
    assert found.label.tolist() == ["double", "unit"]
    assert [KINDS[k] for k in found.kind] == ["tower", "generator"]
    long = tmp_path / "long.csv"
    long.write_text("name,element\ndouble,L1\nunit,gen:17\ndouble,L2\n", encoding="utf-8-sig")
    assert sets(net, contingencies(net, str(long))) == [{"branch:L1", "branch:L2"}, {"gen:17"}]
    assert contingencies(net, f"n-2:file={wide}").n == 1


def test_json_lists(net: Network, tmp_path: Path) -> None:
    rows = [{"name": "double", "elements": ["L1", "L2"]}, {"elements": [17]}]
    for i, data in enumerate((rows, {"contingencies": rows})):
        file = tmp_path / f"{i}.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        found = contingencies(net, file)
        assert found.label.tolist() == ["double", "17"]
        assert sets(net, found) == [{"branch:L1", "branch:L2"}, {"gen:17"}]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "", "line 1: has the columns nothing, not name and elements"),
        ("a.csv", "name,elements\nx,L1\nx,L2\n", "line 3.name: 'x' occurs twice"),
        ("a.csv", "name,elements\nx,L1,L2,L3\n", "line 2: has more values than columns"),
        ("a.csv", "name,elements\nx,\n", "line 2.elements: is empty"),
        ("a.csv", "name,elements,kind\nx,L1,banana\n", "line 2.kind: 'banana' is not a kind"),
        ("a.csv", "name,elements\n", "lists no contingency"),
        ("a.json", "[\n{]", "line 2: is not valid JSON"),
        ("a.json", "{}", "holds no list"),
        ("a.json", '[{"name": "x"}]', "entry 0.elements: is not a list"),
        ("a.json", '[{"name": "x", "elements": ["L1"]}, {"name": "x", "elements": ["L2"]}]', "'x' occurs twice"),
    ],
)
def test_bad_files_say_where(net: Network, tmp_path: Path, name: str, text: str, expected: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        contingencies(net, file)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("n-3", "'n-3' is neither a word nor an existing list file"),
        ("lnes", "did you mean lines"),
        ("n-2", "too many pairs"),
        ("n-2:", "the filter is empty"),
        ("n-2:kv=400", "kv: no bus has this value (400); there are 110, 220, 380"),
        ("n-2:kv=high", "'high' is not a number"),
        ("n-2:area=9", "area: no bus has this value (9); there are 1, 2"),
        ("n-2:colour=red", "'colour=' is not a condition"),
        ("n-2:wires,kv=380", "'wires' is not a word"),
        ("n-2:lines,ids=L1", "'ids=' stands alone"),
        ("n-2:ids=L1", "the subset has 1 outages"),
        ("missing.csv", "there is no such file"),
        (17, "cannot be read from a int"),
    ],
)
def test_bad_specs(net: Network, spec: object, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        contingencies(net, spec)  # type: ignore[arg-type]
    assert expected in str(caught.value)


def test_a_list_of_another_grid_is_refused(net: Network) -> None:
    found = contingencies(net)
    assert contingencies(net, found) is found
    with pytest.raises(InputError, match="built for a grid of 9 branches, not 0"):
        contingencies(Network(bus=net.bus), found)


def test_too_many_pairs_are_refused_before_they_are_made() -> None:
    n = 2500
    net = Network(
        bus=BusTable.make(id=[1, 2]),
        branch=BranchTable.make(id=list(range(n)), from_bus=[0] * n, to_bus=[1] * n, x_pu=[0.1] * n),
    )
    with pytest.raises(InputError, match="2500 outages make 3123750 pairs"):
        contingencies(net, "n-2:lines")


def test_violations_become_a_frame_where_tables_share_ids() -> None:
    """Categories of a frame are unique, and tables may number their elements alike."""
    net = ag.load("case118")
    shared = set(net.bus.id.astype(str)) & set(net.gen.id.astype(str))
    if not shared:
        net = net.replace(gen=net.gen.replace(id=np.arange(1, net.n_gen + 1).astype(str)))
    net = net.replace(branch=net.branch.replace(rate_mva=np.full(net.n_branch, 60.0)))
    report = ag.security_analysis(net, contingencies="n-1")
    table = report.violations
    frame = table.to_pandas()
    assert len(frame) == table.num_rows > 0
    assert frame["element_id"].astype(str).tolist() == table.column("element_id").to_pylist()
    at = frame[frame["element_table"] == "bus"].iloc[0]
    assert str(net.bus.id[at["element"]]) == at["element_id"]
