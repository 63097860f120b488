"""The map in a notebook: what its traits hold, and the module of the page drawing them in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.store import open_run
from cli.conftest import small_network

from .browser import chromium
from .conftest import LAT, LON, Server
from .read import table

pytest.importorskip("anywidget")
from aurigrid.console.widget import grid_widget

TRAITS = ("grid", "state", "step", "selected", "theme", "buses", "height")


@pytest.fixture(scope="module")
def solution() -> Any:
    net = small_network()
    net = net.replace(bus=net.bus.replace(lon=LON, lat=LAT))
    return ag.power_flow(net, ag.Scenarios(net, load_p_mw=net.load.p_mw * np.array([[1.0], [0.5]])))


def test_traits_hold_the_solution_and_follow_the_step(solution: Any) -> None:
    shown = grid_widget(solution, theme="dark")
    for step in (0, 1):
        shown.step = step
        state = {name: table(columns) for name, columns in shown.state.items()}
        assert np.allclose(state["branch"]["loading"], solution.branch_flow().loading[step], atol=1e-6)
        assert np.allclose(state["bus"]["v_mag"], solution.v_mag[step], atol=1e-6)
    assert table(shown.grid["bus"])["id"] == ["A", "B", "C", "D"]
    with pytest.raises(InputError, match="does not exist"):
        shown.step = 2


def test_a_run_and_a_network_are_shown_too(run_path: Path) -> None:
    run = open_run(run_path)
    shown = grid_widget(run, 2)
    stored = run.table("branch_state", (2,)).column("loading").to_pylist()
    assert np.allclose(table(shown.state["branch"])["loading"], stored)
    assert grid_widget(small_network()).state == {}
    with pytest.raises(InputError, match="is not a finished step"):
        grid_widget(run, 9)
    with pytest.raises(InputError, match=r"map\.theme") as caught:
        grid_widget(run, theme="red", buses="size")  # type: ignore[arg-type]
    assert len(caught.value.issues) == 2


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from aurigrid.console import widget

    widget._kind.cache_clear()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ag.errors.MissingExtraError, match=r"aurigrid\[notebook\]"):
        grid_widget(small_network())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


START = """async (traits) => {
  document.body.replaceChildren();
  const el = document.createElement('div'), listeners = {};
  el.style.width = '700px';
  document.body.append(el);
  const model = {
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes: () => { window.saved = traits.selected; (listeners['change:selected'] ?? []).forEach((f) => f()); },
    on: (name, call) => { (listeners[name] ??= []).push(call); },
    off: (name, call) => { listeners[name] = (listeners[name] ?? []).filter((f) => f !== call); },
  };
  const kind = (await import('/widget.js')).default;
  window.close_map = kind.render({ model, el });
  window.change = (name, value) => { traits[name] = value; (listeners['change:' + name] ?? []).forEach((f) => f()); };
  window.listening = () => Object.values(listeners).flat().length;
}"""

PIXELS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const from = document.querySelectorAll('.aurigrid-map canvas')[1];
  const data = from.getContext('2d').getImageData(0, 0, from.width, from.height).data;
  let n = 0;
  for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
  done(n);
})))"""


def test_the_module_draws_and_tells_what_is_clicked(browser: Any, server: Server, solution: Any) -> None:
    shown = grid_widget(solution)
    traits = {name: getattr(shown, name) for name in TRAITS}
    with browser.new_context(viewport={"width": 800, "height": 600}) as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.url)
        page.evaluate(START, traits)
        assert page.evaluate(PIXELS) > 50  # labels of buses
        key = page.locator(".aurigrid-key").inner_text()
        assert "over 100 %" in key
        assert "220 kV" in key
        box = page.locator(".aurigrid-map").bounding_box()
        assert (box["width"], box["height"]) == (700, 460)
        x, y = (np.asarray(table(shown.grid["bus"])[name], float) for name in ("x", "y"))
        size = "(({ clientWidth: w, clientHeight: h }) => [w, h])(document.querySelector('.aurigrid-map'))"
        width, height = page.evaluate(size)
        scale = min((width - 90) / np.ptp(x), (height - 70) / np.ptp(y))  # the map fits the grid in

        def at(px: float, py: float) -> tuple[float, float]:
            middle = ((x.max() + x.min()) / 2, (y.max() + y.min()) / 2)
            return (
                box["x"] + 1 + width / 2 + (px - middle[0]) * scale,
                box["y"] + 1 + height / 2 - (py - middle[1]) * scale,
            )

        for place, wanted in (
            (at((x[0] + x[1]) / 2, (y[0] + y[1]) / 2), "branch:0"),
            (at(x[1], y[1]), "bus:1"),
            (at(x[1], y[0] + 0.8 * (y[2] - y[0])), ""),
        ):
            page.mouse.click(*place)
            assert page.evaluate("window.saved") == wanted
        page.evaluate("window.change('buses', 'voltage')")
        assert "1 pu" in page.locator(".aurigrid-key").inner_text()
        assert page.evaluate("window.listening()") > 0
        page.evaluate("window.close_map()")
        assert page.evaluate("window.listening()") == 0
        assert problems == []
