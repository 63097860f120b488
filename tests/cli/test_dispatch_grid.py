"""`aurigrid dispatch GRID`: tables that add up, in Parquet, CSV and SQL; factors by fuel; faults told at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

pytest.importorskip("highspy")

from aurigrid.store import open_run
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.store.schema import arrow_schema

from .conftest import Call

SOME = (
    "plan_turns",
    "plan_agreement",
    "plan_outages",
    "plan_risk",
    "plan_risk_limits",
    "plan_fan",
)  # of plans made otherwise
FAST = ("--gap", "0.01", "--time-limit", "20")


@pytest.fixture(scope="module")
def folder(grid_with_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aurigrid.studies.planning import plan_grid

    out = tmp_path_factory.mktemp("plans") / "plan"
    plan_grid(grid_with_day, out=out, security="base", scale="wind=4")
    return out


def test_the_folder_holds_every_table_twice(folder: Path) -> None:
    for name in [name for name in PLAN_TABLES if name not in SOME]:
        table = pyarrow.parquet.read_table(folder / f"{name}.parquet")
        assert table.schema.equals(arrow_schema(name)), name
        text = pyarrow.csv.read_csv(folder / "csv" / f"{name}.csv")
        assert text.column_names == table.column_names
        assert text.num_rows == table.num_rows
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".parquet") == ["csv", "grid", "plan.json"]


def test_tables_add_up(folder: Path) -> None:
    run = open_run(folder)
    assert run.finished
    one = run.sql(
        "SELECT (SELECT sum(curtailed_mw) * 6 FROM plan_schedule) AS curtailed,"
        " (SELECT sum(mwh) FROM plan_curtailment) AS causes,"
        " (SELECT sum(energy_mwh) FROM plan_emissions) AS energy, (SELECT sum(p_mw) * 6 FROM plan_schedule) AS given,"
        " (SELECT sum(cost) FROM plan_costs) AS cost,"
        " (SELECT max(abs(price_per_mwh - energy - base - outage)) FROM plan_prices) AS parts"
    ).to_pylist()[0]
    assert one["curtailed"] == pytest.approx(one["causes"], abs=1e-6)
    assert one["energy"] == pytest.approx(one["given"])
    assert one["cost"] == pytest.approx(run.info.summary["cost"], abs=1e-6)
    assert one["parts"] < 1e-9
    assert one["curtailed"] > 0
    balance = run.sql("SELECT max(abs(gen_mw + unserved_mw - surplus_mw - load_mw - losses_mw)) AS off FROM plan_steps")
    assert balance.column("off")[0].as_py() < 1e-6
    assert run.info.options["scale"] == {"wind": 4.0}
    places = run.sql("SELECT DISTINCT b.id FROM plan_prices p JOIN bus b ON b.position = p.bus").num_rows
    assert places == 4


def test_elastic_load_and_phase_shifters(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    options = ("dispatch", grid_with_day, "--security", "base", *FAST)
    done = call(*options, "--elastic", "0.2=30,0.1=80", "--shifters", "--out", tmp_path / "plan", "--json").json
    assert done["reduced_mwh"] == 0.0  # water is free here, and no line is full
    run = open_run(tmp_path / "plan")
    assert run.info.options["elastic"] == "0.2=30,0.1=80"
    assert run.info.options["shifters"] is True
    parts = run.sql(
        "SELECT element_id, price_per_mwh, count(*) AS n, sum(asked_mw) AS asked, sum(served_mw) AS served FROM plan_elastic"
        " GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    assert [(r["element_id"], r["price_per_mwh"], r["n"]) for r in parts][:3] == [
        ("b", 30.0, 5),
        ("b", 80.0, 5),
        ("c", 30.0, 5),
    ]
    assert all(r["asked"] == pytest.approx(r["served"]) for r in parts)
    for wrong, told in (
        (("--elastic", "much"), "cannot read 'much'"),
        (("--shifters", "--scenarios", "10"), "scenarios"),
    ):
        refused = call(*options, *wrong)
        assert refused.code == 2
        assert told in refused.err
    refused = call("dispatch", "no such grid", "--elastic", "much", "--errors", "wind=x")
    assert refused.code == 2
    assert all(told in refused.err for told in ("'no such grid'", "cannot read 'much'", "cannot read 'wind=x'"))


def test_a_day_and_a_span_in_words_and_json(call: Call, grid_with_day: Path) -> None:
    whole = call("dispatch", grid_with_day, "--date", "2020-03-02", "--security", "none", *FAST, "--json").json
    assert whole["steps"] == 4
    assert whole["bound"] <= whole["cost"] + 1e-9
    assert sum(whole["cost_items"].values()) == pytest.approx(whole["cost"])
    part = call("dispatch", grid_with_day, "--from", "2020-03-02 12:00", "--to", "2020-03-03", *FAST)
    assert part.code == 0, part.err
    words = " ".join(part.out.split())
    assert "2 steps of 360 min from 2020-03-02 12:00:00" in words
    assert "no schedule can cost less than" in words
    assert max(len(line) for line in part.out.partition("\nNext")[0].splitlines()) <= 80


def test_faults_are_told_together_and_nothing_is_written(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "kept.txt").write_text("mine")
    bad = call("dispatch", grid_with_day, "--date", "2021-01-01", "--scale", "wint=2", "--out", full)
    assert bad.code == 2
    for part in ("exists already", "no step on 2021-01-01", "not a fuel of this network; the network has hydro, wind"):
        assert part in bad.err
    assert [p.name for p in full.iterdir()] == ["kept.txt"]
    out = tmp_path / "new"
    assert call("dispatch", grid_with_day, "--scale", "wind", "--out", out).code == 2
    assert call("dispatch", grid_with_day, "--date", "2020-03-02", "--from", "2020-03-02", "--out", out).code == 2
    assert not out.exists()
    without = call("dispatch", "case14", "--out", out)
    assert without.code == 2
    assert "without profiles" in without.err


def test_an_instance_takes_no_options_of_grids(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    done = call("dispatch", file, "--scale", "wind=2", "--date", "2020-03-02")
    assert done.code == 2
    assert "--scale" in done.err
    assert "--date" in done.err


def test_generate_scales_too(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    some = {}
    for factor in (1, 3):
        done = call("generate", grid_with_day, "--scale", f"wind={factor}", "--out", tmp_path / str(factor), "--json")
        assert done.code == 0, done.err
        points = open_run(tmp_path / str(factor)).table("points")
        some[factor] = sum(points.column("available_mw").to_pylist())
    assert some[3] == pytest.approx(3 * some[1])
    assert call("generate", grid_with_day, "--scale", "sun=3", "--out", tmp_path / "bad").code == 2
    assert not (tmp_path / "bad").exists()
