"""Plans of `aurigrid dispatch` and runs of many days on the page: what it shows is what their tables say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

import aurigrid as ag
from aurigrid.io.folder import save
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import StorageTable
from aurigrid.store import open_run
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.store.run import write_table
from aurigrid.store.schema import to_arrow
from cli.conftest import small_network
from dispatch.grids import WIND, hours, triangle

from .browser import chromium
from .conftest import Server, started
from .read import table
from .test_page import READY, get, reaches

pytest.importorskip("highspy")

DAYS = 4
PLAN_TABLES_RISK = [column.name for column in PLAN_TABLES["plan_risk"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plans of one grid, with more and with less wind, and operating points of four days of six-hour steps."""
    from aurigrid.studies.planning import save_plan

    out = tmp_path_factory.mktemp("plans")
    store = StorageTable.make(
        id=["battery"], bus=[1], p_min_mw=-20.0, p_max_mw=20.0, energy_mwh=20.0, energy_max_mwh=60.0
    )
    net = triangle(55.0, storage=store)
    net = net.replace(bus=net.bus.replace(lon=[10.0, 10.6, 10.2], lat=[50.0, 50.1, 50.5]))
    product = ag.ReserveProduct("spinning", 15.0, minutes=10.0)
    for name, share in (("calm", 0.7), ("windy", 1.3)):
        plan = ag.dispatch(net, hours(wind=WIND * share), reserves=[product], gap=0.001, time_limit=20.0)
        save_plan(out / name, plan, "triangle", {"wind": share})
    time = np.datetime64("2020-03-02T00:00") + np.arange(4 * DAYS) * np.timedelta64(6, "h")
    factor = np.tile([0.6, 0.9, 1.0, 0.8], DAYS) + np.repeat(np.linspace(-0.1, 0.1, DAYS), 4)
    profiles = Profiles(
        time,
        {
            ("load", "p_mw"): (factor[:, None] * np.array([40.0, 50.0, 20.0]), [0, 1, 2]),
            ("gen", "p_mw"): (np.linspace(5, 35, 4 * DAYS)[:, None], [1]),
        },
    )
    add_scenarios(out / "windy")
    grid = save(small_network(), out / ".grid", profiles=profiles)
    ag.generate(grid, out=out / "days", states=True)
    return out


FAN = {"net_load": 100.0, "wind": 10.0}


def add_scenarios(plan: Path) -> None:
    """Tables of scenarios that were played against a plan, made up: quantiles 1 % apart."""
    found = open_run(plan)
    time = found.table("plan_steps").column("time").to_numpy()
    steps, shares = np.arange(len(time)), np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    step, share = np.repeat(steps, 5), np.tile(shares, len(steps))
    rows = [(q, base * (1 + step / 100) + 10 * share) for q, base in FAN.items()]
    fan = {
        "step": np.tile(step, 2), "time": np.tile(time[step], 2), "quantity": np.repeat(list(FAN), len(step)),
        "share": np.tile(share, 2), "mw": np.concatenate([mw for _, mw in rows]),
    }  # fmt: skip
    risk = {name: np.zeros(len(steps)) for name in PLAN_TABLES_RISK}
    risk |= {"step": steps, "time": time, "scenarios": np.full(len(steps), 9)}
    risk |= {
        "p_violation": np.full(len(steps), 0.25),
        "p_low": np.full(len(steps), 0.1),
        "p_high": np.full(len(steps), 0.5),
    }
    for name, columns in (("plan_fan", fan), ("plan_risk", risk)):
        write_table(plan / f"{name}.parquet", to_arrow(name, columns))


@pytest.fixture(scope="module")
def planning(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("serving"), str(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def client(planning: Server) -> httpx.Client:
    return planning.client("viewer")


def test_the_list_tells_what_a_folder_holds(client: httpx.Client) -> None:
    found = {r["key"]: (r["kind"], r["status"], r["steps"]) for r in client.get("/api/runs").json()}
    assert found == {
        "calm": ("plan", "finished", 8),
        "windy": ("plan", "finished", 8),
        "days": ("points", "finished", 4 * DAYS),
    }
    told = client.get("/api/runs/windy").json()["sentences"]
    assert any("are not used" in s for s in told)
    assert any(s.startswith("Of it ") for s in told)


def test_figures_of_a_plan_are_those_of_its_tables(client: httpx.Client, folder: Path) -> None:
    run = open_run(folder / "windy")
    steps = client.get("/api/runs/windy/steps").json()
    shares = {name: table(columns) for name, columns in steps["shares"].items()}

    def sums(source: str, by: str, value: str) -> dict[str, list[float]]:
        query = f"SELECT {by} AS k, step, sum({value}) AS v FROM {source} GROUP BY ALL"
        out: dict[str, list[float]] = {}
        for row in run.sql(query).to_pylist():
            out.setdefault(row["k"], [0.0] * 8)[row["step"]] = row["v"]
        return out

    for name, expected in (
        ("gen_by_fuel_mw", sums("plan_schedule", "fuel", "p_mw")),
        ("curtailed_by_cause_mw", sums("plan_curtailment", "cause", "mwh")),
        ("storage_energy_mwh", sums("plan_storage", "storage_id", "energy_mwh")),
        ("reserve_need_mw", sums("(FROM plan_reserves WHERE element_table = '')", "product", "need_mw")),
    ):
        found = shares[name]
        assert set(found) == {k for k, v in expected.items() if max(map(abs, v)) > 1e-6}, name
        for key, values in found.items():
            assert np.allclose(values, expected[key], atol=1e-4), (name, key)
    assert {"no demand", "n-1 limit"} <= set(shares["curtailed_by_cause_mw"])
    price = np.array(run.sql("SELECT price_per_mwh FROM plan_prices ORDER BY step, bus")["price_per_mwh"].to_pylist())
    for share, name in ((0, "q0"), (0.1, "q10"), (0.5, "q50"), (1, "q100")):
        wanted = np.quantile(price.reshape(8, 3), share, axis=1)
        assert np.allclose(shares["spread_price_per_mwh"][name], wanted, atol=1e-4)
    costs = {row["item"]: row["cost"] for row in run.table("plan_costs").to_pylist()}
    assert {c["item"]: c["cost"] for c in steps["costs"]} == pytest.approx(costs)
    assert steps["step_h"] == 1.0


def test_what_a_plan_says_of_an_element(client: httpx.Client, folder: Path) -> None:
    run = open_run(folder / "windy")
    bus = table(client.get("/api/runs/windy/series/bus/2").json()["table"])
    stored = run.sql("SELECT * FROM plan_prices WHERE bus = 2 ORDER BY step").to_pydict()
    for name in ("price_per_mwh", "energy", "base", "outage"):
        assert np.allclose(bus[name], stored[name], atol=1e-4)
    assert np.allclose(bus["energy"] + bus["base"] + bus["outage"], bus["price_per_mwh"], atol=1e-3)
    gen = table(client.get("/api/runs/windy/series/gen/2").json()["table"])
    assert np.allclose(gen["p_mw"] + gen["curtailed_mw"], 1.3 * WIND, atol=1e-3)
    limits = table(client.get("/api/runs/windy/limits").json()["table"])
    expected = run.sql(
        "SELECT branch_id, outage, sum(abs(price_per_mw)) AS p FROM plan_limits GROUP BY ALL ORDER BY p DESC"
    ).to_pydict()
    assert (limits["branch_id"], limits["outage"]) == (expected["branch_id"], expected["outage"])
    assert np.allclose(limits["price_per_mw"], expected["p"], atol=1e-4)
    at = run.sql("SELECT max(step) AS s FROM plan_limits").to_pylist()[0]["s"]
    state = client.get(f"/api/runs/windy/steps/{at}").json()
    binding = {row["branch"] for row in run.sql(f"SELECT branch FROM plan_limits WHERE step = {at}").to_pylist()}
    assert set(np.flatnonzero(table(state["branch"])["price_per_mw"] > 0)) == binding
    for path in ("series/bus/3", "series/load/0"):
        assert client.get(f"/api/runs/windy/{path}").status_code == 404
    assert client.get("/api/runs/days/limits").status_code == 400


def test_flows_at_an_operating_point_follow_from_its_voltages(client: httpx.Client, folder: Path) -> None:
    run = open_run(folder / "days")
    for row in run.table("points").to_pylist()[::5]:
        state = client.get(f"/api/runs/days/steps/{row['step']}").json()
        branch, gen = table(state["branch"]), table(state["gen"])
        assert branch["loading"].max() == pytest.approx(row["max_loading"], abs=1e-4)
        losses = (branch["p_from_mw"] + branch["p_to_mw"]).sum()
        assert losses == pytest.approx(row["losses_mw"], abs=0.01)
        assert gen["p_mw"].sum() == pytest.approx(row["gen_mw"], abs=0.01)


def test_a_rolling_plan_shows_while_it_grows(folder: Path, tmp_path: Path) -> None:
    from aurigrid.console.library import Entry
    from aurigrid.console.plans import plan_steps
    from aurigrid.store.turns import start_turns

    whole = open_run(folder / "calm")
    writer = start_turns(
        tmp_path / "roll",
        grid={"name": "triangle", "digest": "d"},
        options={"step_h": 1.0},
        n_steps=8,
        save_grid=lambda path: save(triangle(), path),
    )
    names = [n for n in whole.table_names if n.startswith("plan_") and n != "plan_turns"]
    for turn in range(2):
        tables = {}
        for name in names:
            rows = whole.table(name)
            if "step" in rows.column_names:
                rows = rows.filter(pa.array([s.as_py() // 4 == turn for s in rows.column("step")], pa.bool_()))
            tables[name] = {c: rows.column(c) for c in rows.column_names}
        writer.write(turn, tables, {"at": np.zeros(1)})
        entry = Entry("roll", tmp_path / "roll")
        found = plan_steps(entry)
        assert found.table.rows == 4 * (turn + 1)
        assert entry.run().steps == tuple(range(4 * (turn + 1)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any, planning: Server) -> Iterator[Any]:
    """A page that must not have complained by the end of the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB", color_scheme="dark")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.set_default_timeout(20_000)
    page.goto(planning.links["viewer"])
    page.wait_for_selector(READY, state="attached")
    yield page
    context.close()
    assert problems == []


def at(page: Any, server: Server, place: str) -> None:
    page.goto(f"{server.url}/#/{place}")
    page.wait_for_selector(READY, state="attached")


def test_the_schedule_of_a_plan(page: Any, planning: Server, folder: Path) -> None:
    at(page, planning, "windy/schedule?step=7")
    get(page, "price-at").wait_for()
    titles = " | ".join(page.locator(".plot figcaption").all_inner_texts())
    for title in (
        "Generation", "Curtailment", "Nodal prices", "Price at C", "Carbon of one MWh more", "Storage, power", "Storage, energy",
        "Reserve", "Duration curves",
    ):  # fmt: skip
        assert title in titles, title
    stack = page.locator(".plot").first.locator(".plot-key").inner_text().replace("\n", " ")
    assert "not used: limit after an outage 115" in stack  # by cause, in the stack itself
    cost = open_run(folder / "windy").info.summary["cost"]
    assert f"{cost:,.0f}" in get(page, "costs").inner_text()
    assert "AC" in get(page, "limits").locator("tbody tr").first.inner_text()


def test_two_plans_side_by_side_and_as_a_difference(page: Any, planning: Server, folder: Path) -> None:
    at(page, planning, "windy/schedule?step=0")
    get(page, "compare").select_option("calm")
    get(page, "comparison").wait_for()
    titles = " | ".join(get(page, "comparison").locator("figcaption").all_inner_texts())
    assert "Generation: windy" in titles
    assert "Generation: calm" in titles
    assert "Difference: Generation" in titles
    one, other = (open_run(folder / name).info.summary["cost"] for name in ("windy", "calm"))
    total = get(page, "figures").locator("tr", has_text="Total").inner_text()
    assert total.split()[1:] == [f"{one:,.0f}", f"{other:,.0f}", f"{other - one:,.0f}"]
    get(page, "figures").locator("tr", has_text="Curtailed").click()
    get(page, "comparison").locator("figcaption", has_text="Difference: Curtailed, MW").wait_for()
    reaches(page, "with=calm")
    page.reload()
    get(page, "comparison").wait_for()  # the address holds it


def test_a_plan_on_the_map(page: Any, planning: Server) -> None:
    at(page, planning, "windy/map?step=7")
    assert "price" in get(page, "legend").inner_text()
    get(page, "limit-list").locator("tbody tr").first.click()
    get(page, "element").locator("h2", has_text="BC").wait_for()
    at(page, planning, "windy/map?step=7&element=bus:2")
    facts = get(page, "element").locator(".facts").inner_text()
    price, energy, base, outage, loss = (float(x) for x in re.findall(r"^(\d+\.\d\d)$", facts, re.MULTILINE))
    assert price == 50.0
    assert base == loss == 0.0
    assert price == pytest.approx(energy + outage, abs=0.011)


def test_days_as_scenarios_are_shown_as_a_fan(page: Any, planning: Server, folder: Path) -> None:
    at(page, planning, "days/schedule?step=0")
    get(page, "fan-quantity").select_option("load_mw")
    fan = get(page, "fan").locator(".plot")
    fan.scroll_into_view_if_needed()
    assert f"{DAYS} days" in fan.locator("figcaption").inner_text()
    box = fan.locator("svg").bounding_box()
    page.mouse.move(box["x"] + 53, box["y"] + 60)  # midnight
    fan.locator(".plot-key b").first.wait_for()
    rows = open_run(folder / "days").sql("SELECT load_mw FROM points WHERE hour(time) = 0 ORDER BY 1").to_pydict()
    low, q1, mid, q3, high = np.quantile(rows["load_mw"], [0.05, 0.25, 0.5, 0.75, 0.95])
    shown = [float(x) for b in fan.locator(".plot-key b").all_inner_texts() for x in b.split("–")]
    assert shown == pytest.approx([low, high, q1, q3, mid], abs=0.51)  # whole numbers are shown


def test_scenarios_of_a_plan_are_shown_with_their_quantiles(page: Any, planning: Server) -> None:
    at(page, planning, "windy/schedule?step=2")
    fan = get(page, "scenarios").locator(".plot")
    fan.scroll_into_view_if_needed()
    assert get(page, "scenarios-quantity").input_value() == "fan_net_load"
    base = 102.0  # of step 2
    shown = [float(x) for b in fan.locator(".plot-key b").all_inner_texts() for x in b.split("–")]
    assert shown == pytest.approx([base + 0.5, base + 9.5, base + 2.5, base + 7.5, base + 5], abs=0.51)
    get(page, "scenarios-quantity").select_option("fan_wind")
    fan.locator(".plot-key b", has_text="13").first.wait_for()
    risk = page.locator(".plot", has_text="Some limit breaks").last
    assert risk.locator(".plot-key b").all_inner_texts() == ["10.0–50.0", "25.0"]


def test_generated_runs_compare_with_others(page: Any, planning: Server) -> None:
    at(page, planning, "days/schedule?step=0")
    get(page, "compare").select_option("calm")
    figures = get(page, "figures")
    figures.wait_for()
    assert "Load, MW" in figures.inner_text()
    assert "Curtailed, MW" in figures.inner_text()


def test_two_figures_of_a_plan_in_chinese(page: Any, planning: Server) -> None:
    at(page, planning, "windy/schedule?step=7")
    get(page, "lang").click()
    titles = " | ".join(page.locator(".plot figcaption").all_inner_texts())
    assert "节点电价" in titles
    assert "备用" in titles
