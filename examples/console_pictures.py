r"""The pictures of docs/console.md: the console's page in headless Chromium, on days and plans that are stored.

    aurigrid day --out runs/generated
    aurigrid day --dispatch data --out runs/data
    aurigrid dispatch 1-EHV-mixed--0-no_sw --date 2016-12-06 --security base \
        --scenarios 200 --errors wind=0.1,load=0.02 --out runs/plan
    aurigrid dispatch 1-EHV-mixed--0-no_sw --date 2016-12-06 --security base --scale wind=1.5 --out runs/windy
    python examples/console_pictures.py runs docs/images

`generated`, `data`, `plan` and `windy` are looked for in the folder given. Needs the extras ``console`` and ``dev`` and Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

STEP = 70  # 17:30
VIEWS = [  # name of the picture, theme, language, address, height, what must have come
    ("console-grid", "dark", "en", f"data/map?step={STEP}", 800, "[data-testid=outages] tbody tr"),
    (
        "console-outage",
        "dark",
        "en",
        f"data/map?step={STEP}&outage=400&mode=change",
        800,
        "[data-testid=violations] tbody tr",
    ),
    (
        "console-element",
        "light",
        "en",
        f"data/map?step={STEP}&element=branch:661",
        800,
        "[data-testid=threats] tbody tr",
    ),
    ("console-similar-zh", "light", "zh", f"generated/map?step={STEP}&side=similar", 800, ".near"),
    ("console-schedule", "dark", "en", f"generated/schedule?step={STEP}", 900, ".page .plot"),
    ("console-plan", "dark", "en", f"plan/schedule?step={STEP}", 1700, "[data-testid=limits]"),
    ("console-compare", "dark", "en", f"plan/schedule?step={STEP}", 1080, ".page .plot"),
    ("console-scenarios", "light", "en", f"plan/schedule?step={STEP}", 720, "[data-testid=scenarios]"),
    ("console-sql", "dark", "en", f"data/data?step={STEP}", 720, "[data-testid=rows] td"),
    ("console-studies", "dark", "en", f"data/studies?step={STEP}", 720, "[data-testid=study-form]"),
]


def show(page: Page, name: str) -> None:
    """Bring the page to what a picture shows, beyond its address."""
    if name == "console-outage":
        page.get_by_text("agrees with the stored result").wait_for(timeout=60_000)
    if name == "console-compare":
        page.get_by_test_id("compare").select_option("windy")
        page.get_by_test_id("figures").wait_for()
    if name == "console-scenarios":
        page.locator(".plot", has_text="Some limit breaks").last.scroll_into_view_if_needed()
    if name == "console-sql":
        page.get_by_test_id("sql-tab").click()
        page.get_by_test_id("sql-run").click()
        page.locator("td", has_text="2016-12-06").first.wait_for()
    if name == "console-element":
        page.evaluate("window.aurigrid.view.goto('branch', 661)")


def main(runs: Path, out: Path) -> None:
    """Serve the runs and take the pictures."""
    command = [sys.executable, "-m", "aurigrid.cli", "serve", str(runs), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    link = json.loads(server.stdout.readline())["links"]["operator"]
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    try:
        with sync_playwright() as tools:
            browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
            for name, theme, language, address, height, wanted in VIEWS:
                locale = "zh-CN" if language == "zh" else "en-GB"
                size = {"width": 1280, "height": height}
                context = browser.new_context(viewport=size, color_scheme=theme, locale=locale)  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(link)
                page.locator("html[data-ready=all]").wait_for(state="attached", timeout=60_000)
                page.goto(page.url.split("#")[0] + f"#/{address}")
                page.reload()
                page.locator(wanted).first.wait_for(timeout=60_000)
                show(page, name)
                page.wait_for_timeout(1500)
                page.screenshot(path=out / f"{name}.png")
                context.close()
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
