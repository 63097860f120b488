"""The console's floors, measured on its real page in headless Chromium: start, change of step, frames, size, queries.

    python benchmarks/console.py [RUN]

RUN is a stored day; without one `aurigrid day` is run first. "From `aurigrid serve` to first map" begins when the command is
started and ends with the frame that shows the map, by the page's clock; the browser runs already, as an operator's does, and the
package has its bytecode, as an installed one does. A finished run keeps what its first map needs; "not kept" is without that.
Frames are measured on a grid of 10 000 buses and 13 000 branches that is made here. Script time is what the page's script takes
for a frame that moves the view and recolours every element. Each frame begins when the one before has been drawn; "back to
back" does not wait, so that without a graphics unit the script shares the processors with the drawing of the frame before.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from aurigrid.console.opening import FILE
from aurigrid.errors import InputError, Issue
from aurigrid.io.folder import save
from aurigrid.model.network import Network
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from aurigrid.store import open_run, start_run
from console.browser import chromium, executable

BUSES, BRANCHES, FRAMES = 10_000, 13_000, 100
PAUSE = 150
"""Milliseconds in which a frame has been drawn, in software as well."""


def large_run(folder: Path, steps: int = 4, outages: int = 3000) -> Path:
    """A run of a made-up grid of 100 x 100 buses: random flows, 3000 outages a step."""
    rng = np.random.default_rng(1)
    side = 100
    at = np.arange(BUSES)
    right = at[at % side < side - 1]
    up = at[: BUSES - side]
    pairs = np.concatenate([np.stack([right, right + 1], 1), np.stack([up, up + side], 1)])
    pairs = pairs[np.sort(rng.permutation(len(pairs))[:BRANCHES])]
    lon, lat = 5 + (at % side) * 0.1, 45 + (at // side) * 0.07
    net = Network(
        bus=BusTable.make(
            id=[f"B{i}" for i in at],
            v_nom_kv=np.where(at % 7 == 0, 380.0, 220.0),
            lon=lon + rng.normal(0, 0.02, BUSES),
            lat=lat + rng.normal(0, 0.02, BUSES),
        ),
        branch=BranchTable.make(
            id=[f"L{i}" for i in range(BRANCHES)], from_bus=pairs[:, 0], to_bus=pairs[:, 1], x_pu=0.1, rate_mva=500
        ),
        gen=GenTable.make(id=["G"], bus=[0], is_reference=True, regulates=True),
        load=LoadTable.make(id=["D"], bus=[1], p_mw=1.0),
        name="ten thousand",
    )
    label = [f"L{i}" for i in range(outages)]
    writer = start_run(
        folder,
        grid={"name": net.name, "digest": net.digest},
        options={"step_min": 15},
        n_steps=steps,
        contingency_list={
            "contingency": np.arange(outages),
            "label": label,
            "kind": ["line"] * outages,
            "elements": [[f"branch:{x}"] for x in label],
            "representative": np.arange(outages),
        },
        save_grid=lambda path: save(net, path),
    )
    for step in range(steps):
        writer.write_step(step, random_step(rng, step, outages, label))
    writer.close("finished")
    return folder


def random_step(rng: np.random.Generator, step: int, outages: int, label: list[str]) -> dict[str, Any]:
    """Tables of one step, filled at random; every outage breaks one limit."""
    loading = rng.gamma(2.0, 0.2, BRANCHES)
    element = rng.integers(0, BRANCHES, outages)
    share = rng.gamma(1.0, 0.2, outages)
    many = {"contingency": np.arange(outages), "contingency_label": label}
    zeros = np.zeros(outages)
    return {
        "bus_state": {"bus": np.arange(BUSES), "v_mag": rng.normal(1, 0.02, BUSES), "v_ang": np.zeros(BUSES)},
        "branch_state": {
            "branch": np.arange(BRANCHES),
            **{name: rng.normal(0, 100, BRANCHES) for name in ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar")},
            "loading": loading,
        },
        "gen_state": {"gen": [0], "p_mw": [1.0], "q_mvar": [0.0]},
        "violations": {
            **many,
            "element_table": ["branch"] * outages,
            "element": element,
            "element_id": [f"L{i}" for i in element],
            "kind": ["overload"] * outages,
            "value": 500 * (1 + share),
            "base_value": np.full(outages, 400.0),
            "limit": np.full(outages, 500.0),
            "excess": 500 * share,
            "new": [True] * outages,
            "severity": share,
        },
        "contingencies": {
            **many,
            "status": ["converged"] * outages,
            "iterations": np.full(outages, 3),
            "mismatch_pu": np.full(outages, 1e-9),
            "lost_load_mw": zeros,
            "lost_gen_mw": zeros,
            "max_loading": 1 + share,
            "v_min_pu": zeros + 0.95,
            "v_max_pu": zeros + 1.05,
            "violations": np.ones(outages, int),
        },
        "steps": {
            "time": np.datetime64("2016-01-18T00:00") + np.timedelta64(15 * step, "m"),
            "status": "converged",
            "iterations": 3,
            "mismatch_pu": 1e-12,
            "load_mw": 1e4 + 100 * step,
            "gen_mw": 1e4,
            "losses_mw": 100.0,
            "gen_by_fuel_mw": {"wind": 5000.0, "solar": 100.0, "coal": 4900.0},
            "max_loading": float(loading.max()),
            "max_loading_branch": "L1",
            "v_min_pu": 0.95,
            "v_max_pu": 1.05,
            "outages": outages,
            "outages_converged": outages,
            "outages_islanded": 0,
            "outages_failed": 0,
            "outages_violating": outages,
            "base_violations": 0,
            "violations": outages,
            "worst_contingency": "L1",
            "worst_element": "L2",
            "worst_kind": "overload",
            "worst_severity": float(share.max()),
            "seconds": 1.0,
        },
    }


def serve(*runs: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start `aurigrid serve`; its process, the operator's link, and when it was started."""
    began = time.time()
    command = [sys.executable, "-m", "aurigrid.cli", "serve", "--port", "0", "--json", *map(str, runs)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["links"]["operator"], began


def profile(browser: Any) -> Any:
    """A browser window as an operator has it before the console is started."""
    return browser.new_context(viewport={"width": 1280, "height": 720})


FIRST_FRAME = """
  new MutationObserver(() => {
    if (!document.documentElement.dataset.ready || window.firstMap) return;
    window.firstMap = Infinity;
    requestAnimationFrame(() => requestAnimationFrame(() => { window.firstMap = performance.timeOrigin + performance.now(); }));
  }).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-ready'] });
"""


WHEN_FIRST = """() => new Promise((done) => {
  const look = () => (Number.isFinite(window.firstMap) ? done(window.firstMap) : setTimeout(look, 20));
  look();
})"""


def opened(window: Any, link: str) -> Any:
    """A new tab that shows the map; `window.firstMap` is when it did, ms since 1970."""
    page = window.new_page()
    page.add_init_script(FIRST_FRAME)
    page.goto(link, wait_until="commit")
    page.wait_for_selector("html[data-ready=map], html[data-ready=all]", state="attached")
    return page


SEEK = """async () => {
  const times = [];
  for (let i = 0; i < 20; i++) {
    const before = document.querySelector('[data-testid=now]').textContent;
    const began = performance.now();
    dispatchEvent(new KeyboardEvent('keydown', { key: '.' }));
    while (!window.aurigrid.view.scene.state || window.aurigrid.view.scene.state.step !== STEP() ||
           document.querySelector('[data-testid=now]').textContent === before) await new Promise((r) => setTimeout(r, 1));
    times.push(performance.now() - began);
    await new Promise((r) => setTimeout(r, 150));
  }
  return times;
  function STEP() { return Number(/step=(\\d+)/.exec(location.hash)[1]); }
}"""


def ask(page: Any, path: str, n: int = 15) -> float:
    """Median milliseconds of a request, from the page."""
    script = """async ([path, n]) => { const t = []; for (let i = 0; i < n; i++) { const b = performance.now();
      await (await fetch(path.replace('STEP', i))).arrayBuffer(); t.push(performance.now() - b); } return t; }"""
    return statistics.median(page.evaluate(script, [path, n]))


Rows = list[tuple[str, str, str]]


def first_maps(run: Path, browser: Any, repeat: int, kept: bool) -> tuple[list[float], list[float]]:
    """Seconds from the command until the links are printed, and until the map is there."""
    linked, first = [], []
    for _ in range(repeat):
        if not kept:
            (run / FILE).unlink(missing_ok=True)
        window = profile(browser)
        window.new_page()
        process, link, began = serve(run)
        linked.append(time.time() - began)
        page = opened(window, link)
        first.append(page.evaluate(WHEN_FIRST) / 1000 - began)
        window.close()
        ended(process)
    return linked, first


def start(run: Path, browser: Any, repeat: int = 5) -> Rows:
    """From the command to the map, and how much of it until the link is printed."""
    linked, first = first_maps(run, browser, repeat, kept=True)
    _, bare = first_maps(run, browser, repeat, kept=False)
    return [
        (f"`aurigrid serve` to first map, median of {repeat}", f"{statistics.median(first):.2f} s", "< 2 s"),
        ("the same, slowest", f"{max(first):.2f} s", "< 2 s"),
        ("of it until the links are printed, median", f"{statistics.median(linked):.2f} s", ""),
        ("first map, not kept, median", f"{statistics.median(bare):.2f} s", ""),
        ("the same, slowest", f"{max(bare):.2f} s", ""),
    ]


def day(run: Path, browser: Any) -> Rows:
    """Changes of step and requests on a stored day."""
    process, link, _ = serve(run)
    page = opened(profile(browser), link)
    page.wait_for_selector("html[data-ready=all]", state="attached")
    page.wait_for_timeout(2000)
    times, key = page.evaluate(SEEK), run.resolve().name
    whole = f"/api/runs/{key}/outages?whole=true&limit=300&text="
    rows = [
        ("change of step at the page, median of 20", f"{statistics.median(times):.0f} ms", "< 100 ms"),
        ("change of step at the page, slowest of 20", f"{max(times):.0f} ms", "< 100 ms"),
        ("one step, request, median", f"{ask(page, f'/api/runs/{key}/steps/STEP'):.0f} ms", "< 50 ms"),
        ("worst outages of the whole day, first request", f"{ask(page, whole, 1):.0f} ms", ""),
        ("worst outages of the whole day, median", f"{ask(page, whole):.0f} ms", "< 100 ms"),
    ]
    page.context.close()
    ended(process)
    return rows


def frames(browser: Any) -> Rows:
    """Script time of frames that pan and recolour, on the large grid."""
    with tempfile.TemporaryDirectory() as folder:
        process, link, _ = serve(large_run(Path(folder) / "large"))
        page = opened(profile(browser), link)
        page.wait_for_selector("html[data-ready=all]", state="attached")
        page.wait_for_timeout(2000)
        page.evaluate("window.aurigrid.measure(5)")
        taken = sorted(page.evaluate(f"window.aurigrid.measure({FRAMES}, {PAUSE})"))
        began = time.perf_counter()
        crowded = sorted(page.evaluate(f"window.aurigrid.measure({FRAMES})"))
        each = (time.perf_counter() - began) / FRAMES
        page.context.close()
        ended(process)
    what = f"script a frame, {BUSES} buses, {BRANCHES} branches"
    tail = int(0.95 * FRAMES)
    return [
        (f"{what}, median", f"{statistics.median(taken):.2f} ms", "< 4 ms"),
        ("the same, 95th percentile", f"{taken[tail]:.2f} ms", "< 4 ms"),
        (f"the same, slowest of {FRAMES}", f"{taken[-1]:.2f} ms", "< 4 ms"),
        ("back to back: median, 95th percentile", f"{statistics.median(crowded):.2f}, {crowded[tail]:.2f} ms", ""),
        ("back to back: a whole frame, drawn in software", f"{1000 * each:.0f} ms", ""),
    ]


def stored_day(folder: Path) -> Path:
    """The default day, as `aurigrid day` stores it."""
    subprocess.run(
        [sys.executable, "-m", "aurigrid.cli", "day", "--out", str(folder), "--json"], check=True, stdout=sys.stderr
    )
    return folder


def ended(process: subprocess.Popen[str]) -> None:
    """Stop a server."""
    process.terminate()
    process.wait()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="folder of a stored day; computed where absent")
    given = parser.parse_args().run
    if executable() is None:
        print("error: no Chromium on this machine (Debian: apt install chromium)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = given or stored_day(Path(folder) / "day")
            if len(open_run(run).steps) < 21:
                raise InputError(Issue(str(run), "", "has fewer than the 21 steps that are gone through"))
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        static = Path(__file__).parent.parent / "src" / "aurigrid" / "console" / "static"
        size = sum(len(gzip.compress(f.read_bytes(), 9)) for f in static.iterdir())
        rows: Rows = [("pages, gzipped", f"{size / 1000:.0f} kB", "< 450 kB")]
        compileall.compile_dir(static.parents[1], quiet=1)
        with chromium() as browser:
            rows += start(run, browser) + day(run, browser) + frames(browser)
    print("| what | measured | floor |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
