"""Cards of a notebook: what they say, that ids cannot break out of them, that they need nothing from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from aurigrid.markup import Grid, card, counted, span, text
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.tables import BusTable
from cli.conftest import small_network, small_profiles

EVIL = "<script>alert('x')</script>\"&"


class Reader(HTMLParser):
    """Collects the text, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(shown: object) -> str:
    """The text of a card, after checking it."""
    html = shown._repr_html_()  # type: ignore[attr-defined]
    page = Reader(html)
    assert page.tags <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert not re.search(r"https?:|url\(|src=|href=|#[0-9a-f]{3}", html)
    assert len(html) < 20_000
    return " ".join(page.words)


def test_a_network() -> None:
    words = read(small_network())
    assert "Network small" in words
    assert "220, 110 kV" in words
    assert "110 MW, 12 Mvar" in words
    assert "3 line, 1 transformer" in words
    assert "hydro 1 200 0 wind 1 40 20" in words


def test_scenarios_and_profiles() -> None:
    net = small_network()
    varied = Scenarios(net, load_p_mw=np.outer([0.5, 1.5], net.load.p_mw), branch_out=[[0], [0, 1]])
    words = read(varied)
    assert "2 scenarios" in words
    assert "load_p_mw 10 to 75" in words
    assert "branch_out 3 2" in words
    assert "varied nothing" in read(Scenarios(net, n=1))
    words = read(small_profiles())
    assert "5 of 360 min" in words
    assert "2020-03-02 00:00, 2020-03-03 00:00" in words
    assert "gen.p_mw 1" in words


def test_power_flows_security_and_optimum() -> None:
    from aurigrid.opf import optimal_power_flow
    from aurigrid.powerflow import power_flow
    from aurigrid.security import security_analysis

    net = small_network()
    solution = power_flow(net)
    words = read(solution)
    assert "1 power flow of small" in words
    assert "1 converged" in words
    loading = solution.branch_flow().loading[0]
    first = int(loading.argmax())
    assert f"{net.branch.id[first]} {text(100 * float(loading[first]))} {net.branch.rate_mva[first]:g}" in words
    batch = power_flow(net, Scenarios(net, branch_out=[[0], [3], [0, 1]]))
    assert "3 power flows" in read(batch)
    report = security_analysis(net, contingencies="n-1")
    words = read(report)
    assert "Security of 1 scenario x " in words
    assert "islanding 1" in words
    worst = report.violations.slice(0, 1).to_pylist()[0]
    assert f"{worst['contingency_label']} {worst['kind'].replace('_', ' ')}" in words
    words = read(optimal_power_flow(net))
    assert "1 optimal power flow of small" in words
    assert "1 optimal" in words


def test_a_batch_without_any_solution() -> None:
    from aurigrid.powerflow import power_flow

    net = small_network()
    words = read(power_flow(net, Scenarios(net, load_p_mw=net.load.p_mw * 1000)))
    assert "largest mismatch –" in words


def test_names_cannot_break_out() -> None:
    net = Network(bus=BusTable.make(id=[EVIL, "B"]), name=EVIL)
    words = read(net)
    assert EVIL in words
    assert "<script" not in net._repr_html_()
    html = card(EVIL, [(EVIL, EVIL)], Grid((EVIL,), [(EVIL,)]))
    assert "<script" not in html
    assert "".join(Reader(html).words).count(EVIL) == 5


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.0, "0"),
        (12345.6, "12,346"),
        (0.123456, "0.1235"),
    ],
)
def test_values_as_text(value: object, words: str) -> None:
    assert text(value) == words


def test_ranges_counts_and_rests() -> None:
    assert span(1.0, 1.0, "MW") == "1 MW"
    assert span(1.0, 2.0, "") == "1 to 2"
    assert (counted(1, "outage"), counted(2000, "outage")) == ("1 outage", "2,000 outages")
    assert "and 3 more" in card("x", [], Grid(("a",), [(1,), (2,)], 5))
    assert "more" not in card("x", [], Grid(("a",), [(1,), (2,)], 2))
