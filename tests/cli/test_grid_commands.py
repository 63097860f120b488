"""info, pf, n1, convert, bench: one JSON object, plain words, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import aurigrid
from aurigrid.io.folder import load_folder
from aurigrid.store import open_run

from .conftest import Call, small_network


def unsolvable(tmp_path: Path) -> Path:
    """The small grid with a load that no voltage can supply."""
    from aurigrid.io.folder import save

    net = small_network()
    return save(net.replace(load=net.load.replace(p_mw=[40, 50, 5000])), tmp_path / "heavy")


def test_version_and_help_need_no_grid(call: Call) -> None:
    assert call("--version").out.strip() == f"aurigrid {aurigrid.__version__}"
    shown = call("--help")
    assert shown.code == 0
    for command in ("info", "pf", "n1", "day", "sql", "convert", "bench"):
        assert command in shown.out
        assert "--json" in call(command, "--help").out


def test_pf_json_is_one_object_with_the_promised_keys(call: Call, grid: Path) -> None:
    answer = call("pf", grid, "--json")
    assert answer.code == 0
    data = answer.json
    assert {"status", "iterations", "mismatch_pu", "seconds"} <= data.keys()
    assert data["status"] == "converged"
    assert data["mismatch_pu"] <= 1e-8
    assert data["load_mw"] == 110
    # What comes in goes out: generation covers load and losses to the tolerance of 1e-8 pu of 100 MVA.
    assert data["generation_mw"] == pytest.approx(data["load_mw"] + data["losses_mw"], abs=1e-4)


def test_pf_in_words(call: Call, grid: Path) -> None:
    answer = call("pf", grid)
    assert answer.code == 0
    assert "small: 4 buses, 4 branches, 2 units, 3 loads" in answer.out
    assert "Highest loadings" in answer.out
    assert "No branch carries more than its rating." in answer.out
    assert f"aurigrid n1 {grid}" in answer.out
    tables = answer.out.partition("\nSummary")[0]
    assert max(len(line.rstrip()) for line in tables.splitlines()) <= 80


def test_pf_dc_and_options_reach_the_engine(call: Call, grid: Path) -> None:
    data = call("pf", grid, "--engine", "dc", "--json").json
    assert data["engine"] == "dc"
    assert data["losses_mw"] == pytest.approx(0, abs=1e-9)
    data = call("pf", grid, "--slack", "distributed", "--q-limits", "--threads", 1, "--json").json
    assert data["status"] == "converged"


def test_pf_names_what_has_no_supply(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "apart.m"
    file.write_text("""function mpc = apart
mpc.version = '2'; mpc.baseMVA = 100;
mpc.bus = [1 3 0 0 0 0 1 1 0 110 1 1.1 0.9; 2 1 10 5 0 0 1 1 0 110 1 1.1 0.9; 3 1 5 1 0 0 1 1 0 110 1 1.1 0.9];
mpc.gen = [1 0 0 10 -10 1 100 1 100 0];
mpc.branch = [1 2 0.01 0.1 0 0 0 0 0 0 1 -360 360];
""")
    data = call("pf", file, "--json").json
    assert data["buses_without_supply"] == [3]
    assert data["lost_load_mw"] == 5.0
    assert data["load_mw"] == 10.0
    assert data["generation_mw"] == pytest.approx(data["load_mw"] + data["losses_mw"])
    assert "1 bus is without supply (3): 5.0 MW of load are not served." in call("pf", file).out


def test_pf_without_solution_ends_with_1_and_says_what_to_try(call: Call, tmp_path: Path) -> None:
    heavy = unsolvable(tmp_path)
    data = call("pf", heavy, "--json")
    assert data.code == 1
    assert data.json["status"] in ("diverged", "iteration_limit", "singular", "implausible")
    assert "losses_mw" not in data.json
    words = call("pf", heavy)
    assert words.code == 1
    assert "no solution was found" in words.err
    assert "--engine dc" in words.out


def test_pf_report_shows_the_import_and_the_comparison(call: Call, grid: Path) -> None:
    words = call("pf", grid, "--report")
    assert "Import report" in words.out
    assert "4 bus" in words.out or "bus: 4" in words.out
    data = call("pf", grid, "--report", "--json").json
    assert {"totals", "approximated", "ignored", "merged", "reconciliation"} <= data["report"].keys()


@pytest.mark.peer
def test_the_report_asks_the_source_tool_for_a_grid_that_is_cached_too(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandapower")
    monkeypatch.setenv("AURIGRID_CACHE_DIR", str(tmp_path))
    assert call("info", "case9", "--json").json["grid"] == "case9"  # converts it and fills the cache
    found = call("info", "case9", "--report", "--json").json["report"]["reconciliation"]
    assert found["origin"].startswith("pandapower runpp")
    assert found["agrees"]


def test_n1_json(call: Call, grid: Path) -> None:
    answer = call("n1", grid, "--json")
    assert answer.code == 0
    data = answer.json
    assert data["contingencies"] == 4
    assert data["status"] == {"converged": 3, "islanded": 1}
    assert data["splits"] == [{"contingency": "T", "lost_load_mw": 20, "lost_gen_mw": 0}]
    # Two overloads, and the outage of T that leaves 20 MW without supply; no limit is broken before.
    assert (data["violations"], data["violations_base"]) == (3, 0)
    assert (data["violations_new"], data["violations_worsened"]) == (3, 0)
    assert data["worst"] == data["worst_list"][0]
    # Without L1 or L2 all of the net demand of 90 MW and the losses crosses the one line left, rated 80 MVA.
    assert {r["contingency_label"]: r["element_id"] for r in data["worst_list"]} == {"L1": "L2", "L2": "L1"}
    assert all(r["value"] > 90 and r["limit"] == 80 and r["kind"] == "overload" for r in data["worst_list"])
    assert data["seconds"] > 0


def test_n1_in_words_fits_the_terminal(call: Call, grid: Path) -> None:
    answer = call("n1", grid)
    assert answer.code == 0
    assert "4 outages" in answer.out
    assert "Worst outages" in answer.out
    assert "largest is T: 20 MW of load and 0 MW" in " ".join(answer.out.split())
    assert "branches+generators" in answer.out
    tables = answer.out.partition("\nSummary")[0]
    assert max(len(line.rstrip()) for line in tables.splitlines()) <= 80


def test_n1_of_nothing_and_of_a_list(call: Call, grid: Path, tmp_path: Path) -> None:
    assert call("n1", grid, "-c", "hvdc", "--json").json["contingencies"] == 0
    assert "none of the elements" in call("n1", grid, "-c", "hvdc").out
    file = tmp_path / "list.csv"
    file.write_text("name,elements\nboth,L1;L2\n")
    data = call("n1", grid, "-c", file, "--json").json
    assert (data["contingencies"], data["status"]) == (1, {"islanded": 1})


def test_n1_out_is_a_run_of_one_state(call: Call, grid: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = call("n1", grid, "--out", out, "--json")
    assert answer.code == 0
    run = open_run(out)
    assert (run.steps, run.info.status) == ((0,), "finished")
    told = run.sql("SELECT status, count(*)::INT AS n FROM contingencies GROUP BY 1").to_pylist()
    assert {row["status"]: row["n"] for row in told} == answer.json["status"]
    new = run.sql("SELECT count(*)::INT AS n FROM violations WHERE contingency >= 0 AND new").to_pylist()
    assert new == [{"n": answer.json["violations_new"]}]
    assert run.sql("SELECT time FROM steps").to_pylist() == [{"time": None}]
    assert call("n1", grid, "--out", out).code == 0  # the same again
    other = call("n1", grid, "--out", out, "--q-limits")
    assert other.code == 2
    assert "options.q_limits: was false, now true" in other.err
    assert call("n1", grid, "--out", grid).code == 2  # a folder that is no run
    assert call("n1", grid, "--out", tmp_path / "x", "--max-iterations", 0).code == 2
    assert not (tmp_path / "x").exists()


def test_n1_of_a_grid_without_solution(call: Call, tmp_path: Path) -> None:
    answer = call("n1", unsolvable(tmp_path))
    assert answer.code == 1
    assert "no power flow solution before any outage" in answer.out


def test_info(call: Call, grid_with_day: Path) -> None:
    data = call("info", grid_with_day, "--json").json
    assert data["tables"]["branch"]["count"] == 4
    assert data["tables"]["load"]["p_mw"] == 110
    assert data["voltage_levels_kv"] == {"220": 3, "110": 1}
    assert data["profiles"]["steps"] == 5
    assert data["fuels_mw"] == {"wind": 20, "hydro": 0}
    words = call("info", grid_with_day)
    assert words.code == 0
    assert "4 buses, 4 branches, 2 units, 3 loads." in words.out


def test_convert_keeps_the_grid(call: Call, grid_with_day: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    data = call("convert", grid_with_day, out, "--json").json
    network, profiles = load_folder(out)
    assert network.digest == small_network().digest == data["digest"]
    assert profiles is not None
    assert len(profiles) == 5
    again = call("convert", grid_with_day, out)
    assert again.code == 2
    assert "exists already" in again.err


def test_bench_measures(call: Call, grid: Path) -> None:
    data = call("bench", grid, "--scenarios", 20, "--json").json["results"][0]
    assert (data["scenarios"], data["converged"], data["outages"], data["outages_solved"]) == (20, 20, 4, 4)
    assert data["us_per_scenario"] > 0
    assert "us each" in call("bench", grid, "--scenarios", 20).out


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["pf", "case3000"], "case300"),
        (["pf", "no/such/file.m"], "no such file or folder"),
        (["pf", "{grid}", "--threads", "0"], "--threads"),
        (["pf", "{grid}", "--slack", "nobody"], "--slack"),
        (["pf", "{grid}", "--tol", "0"], "tol_pu"),
        (["pf", "{grid}", "--tol", "small"], "--tol"),
        (["pf", "{grid}", "--colour"], "--colour"),
        (["pf"], "GRID"),
        (["n1", "{grid}", "-c", "lnes"], "did you mean lines"),
        (["n1", "{grid}", "-c", "n-2:ids=L1,L99,T7"], "L99, T7"),
        (["n1", "{grid}", "--screen", "magic"], "screen"),
        (["day", "{grid}", "--date", "2020-03-02", "--out", "{out}"], "comes without profiles"),
        (["sql", "{grid}", "SELECT 1"], "is not a run folder"),
        (["sql", "no/such/run"], "no such run folder"),
        (["convert", "case3000", "{out}"], "case300"),
        (["bench", "case3000"], "case300"),
        (["nothing"], "nothing"),
    ],
)
def test_bad_input_ends_with_2_a_clear_error_and_nothing_written(
    call: Call, grid: Path, tmp_path: Path, args: list[str], expected: str
) -> None:
    answer = call(*(a.format(grid=grid, out=tmp_path / "out") for a in args))
    assert answer.code == 2
    assert expected in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_listed(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "bad.m"
    file.write_text("function mpc = bad\nmpc.version = '2';\nmpc.baseMVA = 100;\nmpc.bus = [1 3 0];\n")
    answer = call("pf", file, "--json")
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.out == ""


def test_a_start_of_the_program_loads_no_heavy_package() -> None:
    code = "import sys; import aurigrid.cli; print(*sys.modules)"
    source = Path(aurigrid.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    heavy = {"numpy", "numba", "pandas", "pyarrow", "duckdb", "pandapower", "pypowsybl", "simbench", "rich.table"}
    assert not heavy & set(done.stdout.split())
