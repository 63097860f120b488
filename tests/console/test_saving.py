"""What the page shows can be taken away: drawings as SVG and PNG, lists as CSV and Parquet; and it is read in Chinese, without
a mouse, and without colour."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from aurigrid.cli.common import INTERRUPTED, left_off

from .browser import chromium
from .conftest import Server
from .messages import messages
from .test_page import choose_outage, get, reaches

ROOT = Path(__file__).parents[2]
READY = "html[data-ready=all]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def window(browser: Any, server: Server, locale: str = "en-GB") -> Any:
    page = browser.new_context(viewport={"width": 1280, "height": 720}, locale=locale).new_page()
    page.set_default_timeout(20_000)
    page.goto(server.links["operator"])
    page.wait_for_selector(READY, state="attached")
    return page


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    found = window(browser, server)
    yield found
    found.context.close()


def saved(page: Any, place: Any, form: str, tmp_path: Path) -> Path:
    """What a button of a drawing or a list saves."""
    with page.expect_download() as held:
        place.get_by_test_id(f"save-{form}").first.click()
    path = tmp_path / f"saved.{form}"
    held.value.save_as(path)
    return path


def drawing_of(page: Any, place: Any, tmp_path: Path) -> str:
    """The texts of a drawing that is saved as SVG; as PNG it must be a picture, too."""
    png = saved(page, place, "png", tmp_path).read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 2000
    root = ET.fromstring(saved(page, place, "svg", tmp_path).read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")
    return " ".join("".join(e.itertext()) for e in root.iter() if e.tag.endswith("text"))


def test_every_drawing_is_saved_with_what_it_means(page: Any, tmp_path: Path) -> None:
    on_map = drawing_of(page, page.locator(".map-tools"), tmp_path)
    assert all(word in on_map for word in ("Loading", "km", "N ↑", "limit broken", "small"))
    assert "Load" in drawing_of(page, get(page, "timeline"), tmp_path)
    page.goto(page.url.split("#")[0] + "#/small/map?step=2&element=branch:1")
    get(page, "single-line").locator("svg text").first.wait_for()
    element = get(page, "element")
    assert "kV" in drawing_of(page, element.locator(".list-head", has_text="Substation"), tmp_path)
    page.locator(".element .plot").wait_for()
    assert "Loading" in drawing_of(page, page.locator(".element .plot"), tmp_path)
    get(page, "view-schedule").click()
    page.locator(".page .plot").first.wait_for()
    plots = page.locator(".page .plot")
    for i in range(plots.count()):
        texts = drawing_of(page, plots.nth(i), tmp_path)
        key = plots.nth(i).locator(".plot-key span").first.inner_text().strip()
        assert re.split(r"\s[\d,.–-]+$", key)[0] in texts, key  # the key goes along


def test_lists_are_sorted_and_saved(page: Any, server: Server, tmp_path: Path) -> None:
    page.goto(page.url.split("#")[0] + "#/small/map?step=2")
    side = page.locator(".side")
    get(page, "outages").locator("tbody tr").first.wait_for()
    told = server.client().get("/api/runs/small/outages", params={"step": 2}).json()
    table = pq.read_table(saved(page, side, "parquet", tmp_path))
    assert table.num_rows == told["total"]
    with saved(page, side, "csv", tmp_path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["outage"] for r in rows] == table.column("outage").to_pylist()
    for mine, other in zip([r["severity"] for r in rows], table.column("severity").to_pylist(), strict=True):
        assert (mine == "") == (other is None)
        assert other is None or float(mine) == pytest.approx(other)
    get(page, "outages").get_by_role("button", name="Outage", exact=True).click()
    get(page, "outages").locator("th[aria-sort=ascending]").wait_for()
    shown = get(page, "outages").locator("tbody tr td:first-child b").all_inner_texts()
    assert shown == sorted(shown)
    assert pq.read_table(saved(page, side, "parquet", tmp_path)).column("outage").to_pylist() == shown
    choose_outage(page, "L1")
    broken = pq.read_table(saved(page, get(page, "outage-detail"), "parquet", tmp_path))
    assert broken.num_rows == get(page, "violations").locator("tbody tr").count() > 0
    assert {"element", "before", "after", "limit", "severity"} <= set(broken.column_names)


def test_similar_states_by_time_run_and_condition(page: Any, server: Server, tmp_path: Path) -> None:
    page.goto(page.url.split("#")[0] + "#/small/map?step=2&side=similar")
    panel = get(page, "similar")
    panel.locator(".near").first.wait_for()
    assert panel.locator(".near").count() == 3
    assert all(word in panel.inner_text() for word in ("Why near", "Differs in", "Hour after", "What was done"))
    get(page, "similar-where").fill("load_mw > 1e9")
    page.keyboard.press("Enter")
    panel.get_by_text("No stored state meets this.").wait_for()
    get(page, "similar-where").fill("load_mw >")
    page.keyboard.press("Enter")
    panel.get_by_role("alert").wait_for()
    get(page, "similar-where").fill("")
    page.keyboard.press("Enter")
    panel.locator(".near").first.wait_for()
    found = pq.read_table(saved(page, panel, "parquet", tmp_path))
    assert set(found.column("step").to_pylist()) == {0, 1, 3}
    get(page, "earlier").click()  # of these steps of an hour, those whose following hour was over
    told = server.client().get("/api/runs/small/similar", params={"step": 2, "later": False}).json()
    page.wait_for_function(f"() => document.querySelectorAll('.near').length === {len(told['neighbours'])}")


def test_the_map_without_a_mouse(page: Any) -> None:
    get(page, "map").focus()
    before = page.evaluate("window.aurigrid.view.camera.x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert page.evaluate("window.aurigrid.view.camera.x") > before
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    reaches(page, "element=")
    get(page, "element").wait_for()
    page.locator("#tab-element").focus()
    page.keyboard.press("ArrowRight")
    get(page, "similar").wait_for()
    page.keyboard.press("o")
    get(page, "outages").wait_for()


WORDS_KEPT = "Aurigrid English CSV PNG SVG SQL Parquet Mvar MVA GWh MWh Ctrl Esc Enter dayofweek time BETWEEN AND wind YYYY north"
PLAIN = {"small", *re.findall(r"\w+", WORDS_KEPT)}
"""Words that stay: the name, forms of files, units, keys, SQL; an area of the run."""

WORDS = """() => {
  const found = [];
  const data = 'td, .data th, option, h1, .near dd, select, textarea, .table-name, .columns, ' +
    '.search ul, [data-data], input, .map-what, .single, .job b, .card h2, .detail h2, ' +
    '.element h2, .near-head, .list-head .muted, .job .error';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const box = walk.currentNode.parentElement;
    if (box.closest('script, style, kbd') || box.closest(data)) continue;
    found.push(walk.currentNode.textContent);
  }
  for (const e of document.querySelectorAll('[aria-label], [title], [placeholder]'))
    for (const name of ['aria-label', 'title', 'placeholder'])
      if (e.hasAttribute(name) && !e.closest('td, .single, th, .save, .table-name, .columns, .plot'))
        found.push(e.getAttribute(name));
  return found.flatMap((text) => text.match(/[A-Za-z]{4,}/g) ?? []);
}"""


def test_nothing_of_the_interface_stays_english_in_chinese(browser: Any, server: Server) -> None:
    page = window(browser, server, "zh-CN")
    left = {}
    places = ["map?step=2", "map?step=2&outage=0", "map?step=2&element=branch:1", "map?step=2&element=bus:1"]
    for place in [*places, "map?step=2&side=similar", "schedule?step=2", "data?step=2", "studies?step=2"]:
        page.goto(page.url.split("#")[0] + f"#/small/{place}")
        page.wait_for_timeout(1500)
        if found := set(page.evaluate(WORDS)) - PLAIN:
            left[place] = found
    page.get_by_role("button", name="快捷键").click()
    page.locator(".help").wait_for()
    if found := set(page.evaluate(WORDS)) - PLAIN:
        left["help"] = found
    page.context.close()
    assert left == {}


LINES = {
    "running": [("doing", "compiling kernels for this machine (once) ..."), ("doing", "compiled in 12.3 s")],
    "cancelled": [
        ("message", "interrupted; nothing was started"),
        ("message", "interrupted; nothing was kept"),
        ("message", "interrupted; 12 finished steps are kept. The same command continues behind them."),
    ],
    "failed": [("message", "the study's process was ended by signal 9; finished steps are kept")],
}
"""What a study's process says and the page repeats."""
NO_IDS: list[str] = []
ISSUES = [
    {"message": "'n-3' is neither a word nor an existing list file", "hint": "words are n-1, n-2", "ids": NO_IDS},
    {"message": "no bus has this value", "hint": "there are 380", "ids": ["1", "2"]},
]
"""What is wrong with what a study was asked, as data."""


def test_what_a_study_says_is_told_in_chinese(browser: Any, server: Server) -> None:
    page = browser.new_context(locale="zh-CN").new_page()
    jobs = [
        {
            "id": f"j{i}",
            "kind": "day",
            "title": "t",
            "state": state,
            "done": 0,
            "total": 4,
            "seconds": 1,
            "message": "",
            "issues": [],
            "run": "",
        }
        | {place: text}
        for i, (state, place, text) in enumerate((s, *line) for s, lines in LINES.items() for line in lines)
    ]
    jobs.append(
        {
            **jobs[0],
            "id": "wrong",
            "state": "failed",
            "doing": "",
            "message": "error: English",
            "issues": [{"where": "", "field": "", **i} for i in ISSUES],
        }
    )
    runs = server.client().get("/api/runs").json()
    page.route(
        "**/api/events",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"data: {json.dumps({'runs': runs, 'jobs': jobs})}\n\n"
        ),
    )
    page.goto(server.links["operator"])
    page.goto(page.url.split("#")[0] + "#/small/studies?step=2")
    get(page, "job").nth(len(jobs) - 1).wait_for()
    said = page.locator(".job .doing, .job .error").all_inner_texts()
    page.context.close()
    assert len(said) == len(jobs)
    assert [text for text in said if re.search("[A-Za-z]{4,}", text)] == []
    assert "(1, 2)" in said[-1]


def test_an_interrupted_run_says_what_it_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    for done in (None, 12):
        assert left_off(done) == INTERRUPTED
    told = capsys.readouterr().err.splitlines()
    assert all(("message", line) in LINES["cancelled"] for line in told)  # so the page's Chinese knows them


def test_every_message_of_the_server_has_its_chinese() -> None:
    told = (ROOT / "web/src/told.ts").read_text(encoding="utf-8")
    found = re.findall(r"\[/(\^.*?\$)/(s?), \"", told)
    known = [re.compile(pattern, re.DOTALL if whole else 0) for pattern, whole in found]
    sent = messages()
    assert len(sent) > 80
    assert [words[0] for words in sent if not any(p.search(w) for w in words for p in known)] == []


def test_every_finding_is_worded_in_chinese() -> None:
    told = (ROOT / "web/src/told.ts").read_text(encoding="utf-8")
    worded = set(re.findall(r"^  (\w+): \"", told, re.MULTILINE))
    source = "".join(
        (ROOT / "src/aurigrid" / name).read_text(encoding="utf-8")
        for name in ("studies/outlook.py", "studies/tally.py", "console/plans.py")
    )
    keys = set(re.findall(r"Fact\(\s*\"(\w+)\"", source)) | set(re.findall(r"\"(plan_\w+)\": \(", source))
    assert len(keys) > 15
    assert keys - worded == set()


# --- colours --------------------------------------------------------------------------------------------------------

SEEN = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear RGB as it is seen: Machado, Oliveira and Fernandes 2009, severity 1, doi:10.1109/TVCG.2009.113."""


def lab(hex_colour: str, seen: list[list[float]] | None) -> np.ndarray:
    """CIELAB of a colour, D65."""
    c = np.array([int(hex_colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    if seen is not None:
        c = np.clip(np.array(seen) @ c, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ c
    f = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(f > (6 / 29) ** 3, np.cbrt(f), f / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def colours(name: str, theme: str) -> list[str]:
    text = (ROOT / "web/src/map/palette.ts").read_text(encoding="utf-8")
    block = text[text.index(f"export const {name} =") :]
    return re.findall(r"#[0-9a-f]{6}", re.search(rf"{theme}: \[(.*?)\]", block)[1])  # type: ignore[index]


@pytest.mark.parametrize("seen", [None, *SEEN])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_are_told_apart_by_all_eyes(theme: str, seen: str | None) -> None:
    matrix = SEEN[seen] if seen else None
    ramp = [lab(c, matrix) for c in colours("LOADING", theme)]
    free, full = ramp[2], ramp[4]  # 60 % and 100 %
    assert np.linalg.norm(free - full) > 20
    assert min(np.linalg.norm(a - b) for a, b in pairwise(ramp)) > 8
    levels = [lab(c, matrix) for c in colours("LEVELS", theme)[:3]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(levels, 2)) > 10
    low, middle, high = (lab(c, matrix) for c in colours("VOLTAGE", theme))
    assert np.linalg.norm(low - high) > 20
    assert min(np.linalg.norm(low - middle), np.linalg.norm(high - middle)) > 10
