"""The page in Chromium, on a real server and a real run: what an operator does, with mouse and with keyboard only."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from aurigrid.store import open_run

from .browser import chromium
from .conftest import Server, started

READY = "html[data-ready=all]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


class Problems(list[str]):
    """What the page complained about."""


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """An operator's page that has come up; it must not have complained by the end of the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB", color_scheme="dark")
    page = context.new_page()
    problems = Problems()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" and "400" not in m.text else None)
    page.set_default_timeout(20_000)
    page.goto(server.links["operator"])
    page.wait_for_selector(READY, state="attached")
    yield page
    context.close()
    assert problems == []


def get(page: Any, name: str) -> Any:
    return page.locator(f"[data-testid={name}]")


def reaches(page: Any, pattern: str, present: bool = True) -> None:
    """Wait until the page's address holds a pattern, or no longer does."""
    for _ in range(400):
        if bool(re.search(pattern, page.url)) == present:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{page.url} {'lacks' if present else 'keeps'} {pattern}")


def choose_outage(page: Any, label: str) -> None:
    page.goto(page.url.split("#")[0] + "#/small/map?step=2")  # the step with most load
    row = get(page, "outages").locator("tbody tr").filter(has=page.locator("b", has_text=re.compile(f"^{label}$")))
    row.first.click()
    get(page, "outage-detail").locator("h2", has_text=label).wait_for()


def drawn(page: Any) -> int:
    """Pixels that the map has drawn."""
    return int(
        page.evaluate(
            """() => new Promise((done) => requestAnimationFrame(() => {
            const view = window.aurigrid.view;
            view.frame();
            const from = document.querySelectorAll('.map-layer')[0];
            const copy = document.createElement('canvas');
            [copy.width, copy.height] = [from.width, from.height];
            const paper = copy.getContext('2d');
            paper.drawImage(from, 0, 0);
            const data = paper.getImageData(0, 0, copy.width, copy.height).data;
            let n = 0;
            for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
            done(n);
        }))"""
        )
    )


def test_the_map_is_drawn_with_legend_scale_and_north(page: Any) -> None:
    assert drawn(page) > 500
    legend = get(page, "legend").inner_text()
    assert "Loading" in legend
    assert "km" in legend
    assert "N" in legend


def test_the_token_is_gone_from_the_address_and_hidden_from_scripts(page: Any, server: Server) -> None:
    assert server.tokens["operator"] not in page.url
    assert page.evaluate("document.cookie") == ""


def test_scrubbing_moves_everything(page: Any) -> None:
    before = get(page, "now").inner_text()
    page.keyboard.press(".")
    reaches(page, r"step=1(&|$)")
    get(page, "now").filter(has_not_text=before).wait_for()
    box = get(page, "timeline").locator(".strip-plots").bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 10)
    reaches(page, r"step=3(&|$)")
    get(page, "scrub").focus()
    page.keyboard.press("ArrowLeft")
    reaches(page, r"step=2(&|$)")


def test_playing_goes_to_the_end(page: Any) -> None:
    page.get_by_role("button", name="Play").click()
    reaches(page, r"step=3(&|$)")
    page.get_by_role("button", name="Play").wait_for()  # it has stopped by itself


def test_from_an_outage_to_its_violations_and_to_the_outages_of_an_element(page: Any) -> None:
    choose_outage(page, "L1")
    detail = get(page, "outage-detail")
    detail.get_by_text("agrees with the stored result").wait_for()
    get(page, "violations").locator("tbody tr").first.click()
    get(page, "element").wait_for()
    reaches(page, "element=")
    get(page, "single-line").locator("svg").wait_for()
    get(page, "threats").locator("tbody tr", has_text="L1").first.click()
    get(page, "outage-detail").locator("h2", has_text="L1").wait_for()


def test_what_an_islanding_outage_drops(page: Any) -> None:
    choose_outage(page, "T")
    drops = get(page, "drops")
    lost = get(page, "lost").locator("tbody tr")
    lost.first.wait_for()
    assert "Load" in lost.first.inner_text()
    assert "Load lost" in drops.inner_text()


def test_modes_change_the_map(page: Any) -> None:
    choose_outage(page, "L1")
    get(page, "outage-detail").get_by_text("agrees with the stored result").wait_for()
    page.keyboard.press("c")
    get(page, "legend").get_by_text("change of loading").wait_for()
    page.keyboard.press("n")
    reaches(page, "mode=n")
    page.keyboard.press("Escape")
    reaches(page, "outage=", present=False)


def test_filters_narrow_the_list(page: Any) -> None:
    page.goto(page.url.split("#")[0] + "#/small/map?step=2")
    get(page, "filter-kind").select_option("voltage_low")
    page.wait_for_timeout(300)
    kinds = get(page, "outages").locator("tbody tr").all_inner_texts() if get(page, "outages").count() else []
    assert all("voltage low" in text for text in kinds)
    get(page, "filter-kind").select_option("overload")
    get(page, "outages").locator("tbody tr").first.wait_for()
    assert all("overload" in text for text in get(page, "outages").locator("tbody tr").all_inner_texts())


def test_a_deep_link_reproduces_the_view(page: Any, server: Server) -> None:
    page.goto(f"{server.url}/#/small/map?step=2&outage=0&mode=change&element=branch:1")
    page.reload()
    page.wait_for_selector(READY, state="attached")
    get(page, "element").wait_for()
    assert "L2" in get(page, "element").locator("h2").inner_text()
    get(page, "legend").get_by_text("change of loading").wait_for()
    reaches(page, r"step=2(&|$)")
    page.goto(f"{server.url}/#/small/data?step=1")
    page.reload()
    get(page, "rows").wait_for()


def test_an_address_that_changes_before_the_page_is_drawn_counts(browser: Any, server: Server) -> None:
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.goto(server.links["viewer"])  # a session
        page.goto("about:blank")
        page.add_init_script(
            """const ask = window.fetch;
            window.fetch = (...given) => {
              location.hash = '#/small/studies?step=2';
              window.fetch = ask;
              return ask(...given);
            };"""
        )
        page.goto(f"{server.url}/#/small/map?step=1")
        get(page, "studies").wait_for()
        reaches(page, "studies[?]step=2")


def test_a_deep_link_holds_filters_camera_comparison_and_query(page: Any, server: Server) -> None:
    page.goto(f"{server.url}/#/small/map?step=2")
    get(page, "whole").click()
    get(page, "filter-kind").select_option("overload")
    get(page, "by-value").click()
    get(page, "map").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    for part in ("whole=1", "kind=overload", "by=value", r"at=[\d.%C-]+"):
        reaches(page, part)
    link, camera = page.url, page.evaluate("JSON.stringify(window.aurigrid.view.camera)")
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector(READY, state="attached")
    get(page, "outages").locator("tbody tr").first.wait_for()
    assert get(page, "filter-kind").input_value() == "overload"
    assert get(page, "by-value").get_attribute("aria-pressed") == "true"
    again = page.evaluate("JSON.stringify(window.aurigrid.view.camera)")
    assert list(json.loads(again).values()) == pytest.approx(list(json.loads(camera).values()), rel=1e-3, abs=1e-3)
    assert page.url == link
    page.goto(f"{server.url}/#/small/data?sql=SELECT%20count(*)%20AS%20n%20FROM%20steps")
    page.reload()
    get(page, "rows").locator("td", has_text="4").wait_for()
    get(page, "view-map").click()
    page.keyboard.press("0")
    reaches(page, "at=", present=False)


def test_the_outage_is_named_on_the_map(page: Any) -> None:
    choose_outage(page, "L1")
    get(page, "outage-detail").get_by_text("agrees with the stored result").wait_for()
    placed = "window.aurigrid.view.placed().map((l) => l.text)"
    page.wait_for_function(f"() => {placed}.includes('✕ L1')")
    page.keyboard.press("c")
    page.wait_for_function(f"() => {placed}.some((t) => /^[+−]\\d+ %$/.test(t))")
    before = page.evaluate("window.aurigrid.view.camera.scale")
    get(page, "outage-detail").get_by_role("button", name="Show on the map").click()
    assert page.evaluate("window.aurigrid.view.camera.scale") != before


def test_search_finds_and_selects(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("L3")
    get(page, "hits").locator("li").first.wait_for()
    page.keyboard.press("Enter")
    get(page, "element").locator("h2", has_text="L3").wait_for()


def test_a_click_on_the_map_selects(page: Any) -> None:
    place = page.evaluate(
        """() => { const v = window.aurigrid.view, p = v.drawing.places, c = v.camera;
        return [v.width / 2 + (p[2] - c.x) * c.scale, v.height / 2 - (p[3] - c.y) * c.scale]; }"""
    )
    box = get(page, "map").bounding_box()
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    get(page, "element").locator("h2", has_text="B").wait_for()
    reaches(page, "element=bus(%3A|:)1")


def test_downloads(page: Any, tmp_path: Path, run_path: Path) -> None:
    get(page, "view-data").click()
    get(page, "table-violations").click()
    get(page, "rows").wait_for()
    with page.expect_download() as held:
        get(page, "parquet").click()
    held.value.save_as(tmp_path / "found.parquet")
    step_0 = open_run(run_path).table("violations", (0,))
    assert pq.read_table(tmp_path / "found.parquet").num_rows == len(step_0)
    get(page, "view-schedule").click()
    for form, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as held:
            page.locator(".plot").first.get_by_role("button", name=form).click()
        held.value.save_as(tmp_path / form)
        assert (tmp_path / form).read_bytes().startswith(begins)


def test_sorting_and_sql(page: Any) -> None:
    get(page, "view-data").click()
    get(page, "table-steps").click()
    page.get_by_role("button", name="load_mw").click()
    page.locator("th[aria-sort=descending]").wait_for()
    get(page, "sql-tab").click()
    get(page, "sql").fill("SELECT count(*) AS n FROM steps")
    page.keyboard.press("Control+Enter")
    get(page, "rows").locator("td", has_text="4").wait_for()
    get(page, "sql").fill("DROP VIEW steps")
    get(page, "sql-run").click()
    page.get_by_role("alert").get_by_text("read-only").wait_for()


def test_start_cancel_and_resume_a_study(page: Any) -> None:
    get(page, "view-studies").click()
    get(page, "kind-n1").click()
    form = get(page, "study-form")
    form.locator("input[name=grid]").fill("/etc/passwd")
    get(page, "start").click()
    form.get_by_text("not a catalogue name").wait_for()
    # long enough to be cancelled before it ends, also where the page is slow
    form.locator("input[name=grid]").fill("case300")
    form.locator("input[name=contingencies]").fill("n-2:branches")
    get(page, "start").click()
    job = get(page, "job").first
    job.get_by_text("running").wait_for()
    get(page, "cancel").first.click()
    page.locator("[data-testid=job][data-state=cancelled]").first.wait_for()
    get(page, "resume").first.click()
    page.locator("[data-testid=job][data-state=running]").first.wait_for()
    get(page, "cancel").first.click()
    page.locator("[data-testid=job][data-state=cancelled]").first.wait_for()


def test_a_study_of_outages_lists_them_and_opens_as_a_run(page: Any) -> None:
    get(page, "view-studies").click()
    get(page, "kind-n1").click()
    form = get(page, "study-form")
    form.locator("input[name=grid]").fill("case14")
    form.locator("input[name=name]").fill("fourteen")
    get(page, "start").click()
    job = page.locator("[data-testid=job][data-state=finished]", has_text="case14")
    listed = job.locator("[data-testid=n1-list] tbody tr b").first
    listed.wait_for()
    worst = listed.inner_text()
    job.get_by_role("button", name="Open").click()
    reaches(page, "#/fourteen/map")
    assert get(page, "outages").locator("tbody tr b").first.inner_text() == worst
    get(page, "outages").wait_for()


def test_many_runs_are_sorted_and_filtered(browser: Any, run_path: Path, tmp_path: Path) -> None:
    for name in (*"abcdef", "night"):
        shutil.copytree(run_path, tmp_path / "many" / name)
    with started(tmp_path, str(tmp_path / "many")) as serving, browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.goto(serving.links["viewer"])
        page.wait_for_selector(READY, state="attached")
        get(page, "view-studies").click()
        names = get(page, "runs").locator("tbody tr b:not(.progress b)")
        page.wait_for_function("() => document.querySelectorAll('[data-testid=runs] tbody tr').length === 7")
        assert names.all_inner_texts() == [*"abcdef", "night"]
        for _ in range(2):  # from the first name, then from the last
            get(page, "runs").get_by_role("button", name="Run", exact=False).first.click()
        assert names.first.inner_text() == "night"
        get(page, "runs-filter").fill("NIGHT finished day")
        page.wait_for_function("() => document.querySelectorAll('[data-testid=runs] tbody tr').length === 1")
        get(page, "runs").locator("tbody tr").click()
        reaches(page, "#/night/studies")
        get(page, "runs-filter").fill("nothing like it")
        page.wait_for_function("() => document.querySelectorAll('[data-testid=runs] tbody tr').length === 0")


def test_two_pages_keep_their_own_view_and_follow_the_same_studies(browser: Any, server: Server) -> None:
    pages = []
    for role in ("operator", "viewer"):
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(server.links[role])
        page.wait_for_selector(READY, state="attached")
        pages.append(page)
    mine, other = pages
    mine.keyboard.press(".")
    reaches(mine, r"step=1(&|$)")
    reaches(other, r"step=0(&|$)")
    for page in pages:
        get(page, "view-studies").click()
    before = get(other, "job").count()
    get(mine, "kind-n1").click()
    get(mine, "study-form").locator("input[name=grid]").fill("case9")
    get(mine, "study-form").locator("input[name=name]").fill("shared")
    get(mine, "start").click()
    other.wait_for_function(f"() => document.querySelectorAll('[data-testid=job]').length === {before + 1}")
    for page in pages:
        page.locator("[data-testid=job][data-state=finished]", has_text="case9").first.wait_for(timeout=60_000)
        page.context.close()


def test_a_viewer_sees_and_starts_nothing(browser: Any, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.links["viewer"])
        page.wait_for_selector(READY, state="attached")
        get(page, "view-studies").click()
        page.get_by_text("You are a viewer").wait_for()
        assert get(page, "start").count() == 0


def test_without_a_session_the_page_says_what_to_do(browser: Any, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        page.get_by_text("Open the link that aurigrid serve printed").wait_for()


def test_language_and_theme_are_kept(page: Any) -> None:
    get(page, "lang").click()
    assert get(page, "view-schedule").inner_text() == "计划"
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    get(page, "theme").click()
    page.reload()
    page.wait_for_selector(READY, state="attached")
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert get(page, "view-map").inner_text() == "电网"


def test_keyboard_alone_reaches_an_outage(page: Any) -> None:
    page.keyboard.press("2")
    get(page, "schedule").wait_for()
    page.keyboard.press("1")
    get(page, "outages").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TR":
            break
    page.keyboard.press("Enter")
    get(page, "outage-detail").wait_for()
    reaches(page, "outage=")


def contrast(page: Any) -> list[dict[str, Any]]:
    """Texts whose contrast with what lies behind them is below WCAG AA."""
    return list(
        page.evaluate(
            """() => {
        const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number), k = c.startsWith('color(') ? 255 : 1;
          return [m[0] * k, m[1] * k, m[2] * k, m[3] ?? 1]; };
        const light = ([r, g, b]) => {
          const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
          return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
        const behind = (e) => {
          for (let n = e; n; n = n.parentElement) {
            const c = parse(getComputedStyle(n).backgroundColor);
            if (c[3] > 0.85) return c;
          }
          return [255, 255, 255, 1]; };
        const bad = [];
        for (const e of document.querySelectorAll('body *')) {
          const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
          if (!own || e.closest('option, [disabled], svg')) continue;
          const style = getComputedStyle(e), box = e.getBoundingClientRect();
          if (!box.width || style.visibility === 'hidden') continue;
          const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
          const ratio = (a + 0.05) / (b + 0.05);
          if (ratio < 4.5) bad.push({ text: e.textContent.slice(0, 40), ratio: Math.round(ratio * 100) / 100 });
        }
        return bad; }"""
        )
    )


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_has_enough_contrast(page: Any, theme: str) -> None:
    if page.locator("html").get_attribute("data-theme") != theme:
        get(page, "theme").click()
    choose_outage(page, "L1")
    for view in ("map", "schedule", "data", "studies"):
        get(page, f"view-{view}").click()
        page.wait_for_timeout(250)
        assert contrast(page) == [], view


@pytest.mark.parametrize("size", [(1280, 720), (2560, 1440)])
def test_nothing_is_cut_off_and_nothing_shifts(browser: Any, server: Server, size: tuple[int, int]) -> None:
    with browser.new_context(viewport={"width": size[0], "height": size[1]}) as context:
        page = context.new_page()
        page.add_init_script(
            "window.shift = 0; window.moved = []; new PerformanceObserver((l) => { for (const e of l.getEntries()) "
            "if (!e.hadRecentInput) { window.shift += e.value; window.moved.push(...e.sources.map((s) => "
            "`${s.node?.className || s.node?.nodeName} in ${s.node?.parentElement?.className}`)); } })"
            ".observe({ type: 'layout-shift', buffered: true });"
        )
        page.goto(server.links["viewer"])
        page.wait_for_selector(READY, state="attached")
        page.wait_for_timeout(500)
        assert page.evaluate("window.shift") < 0.01, page.evaluate("window.moved")
        for view in ("map", "schedule", "data", "studies"):
            get(page, f"view-{view}").click()
            page.wait_for_timeout(150)
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth <= innerWidth && {root}.scrollHeight <= innerHeight"), view
            box = page.locator(".top").bounding_box()
            assert box["width"] == size[0]


def test_the_built_pages_name_no_other_host() -> None:
    folder = Path(__file__).parents[2] / "src" / "aurigrid" / "console" / "static"
    text = "".join(f.read_text(encoding="utf-8") for f in folder.iterdir())
    hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org"}
    assert hosts == set()
    lock = json.loads((Path(__file__).parents[2] / "web" / "package-lock.json").read_text(encoding="utf-8"))
    assert not any("resolved" in package for package in lock["packages"].values())
