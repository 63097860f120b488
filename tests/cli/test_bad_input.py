"""Bad input, from the command line and from `load`: one error with every problem, exit code 2, nothing written.

The grids are small MATPOWER cases, written here; what is wrong with each is known by construction.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.io.folder import save
from aurigrid.model.profiles import Profiles
from aurigrid.store import open_run

from .conftest import Call, small_network

CASE = """function mpc = triangle
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
 1 3 0 0 0 0 1 1 0 220 1 1.1 0.9;
 2 2 40 5 0 0 1 1 0 220 1 1.1 0.9;
 3 1 50 5 0 0 1 1 0 220 1 1.1 0.9;
];
mpc.gen = [
 1 60 0 100 -100 1 100 1 200 0;
 2 30 0 50 -50 1 100 1 100 0;
];
mpc.branch = [
 1 2 0.01 0.1 0 100 0 0 0 0 1 -360 360;
 2 3 0.01 0.1 0 100 0 0 0 0 1 -360 360;
 1 3 0.01 0.1 0 100 0 0 0 0 1 -360 360;
];
"""
LINE_12, LINE_23 = " 1 2 0.01 0.1 0 100 0 0 0 0 1", " 2 3 0.01 0.1 0 100 0 0 0 0 1"

BAD_CASES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "text in numbers, with line and field, all of them": (
        [("2 2 40 5", "2 2 forty 5"), (" 1 3 0.01", " 1 3 low")],
        ["line 6.mpc.bus: column 3: 'forty' is not a number", "line 16.mpc.branch: column 3: 'low' is not a number"],
    ),
    "rows of different length, in two tables": (
        [(" 2 30 0 50 -50 1 100 1 100 0;", " 2 30 0;"), (LINE_23, " 2 3 0.01")],
        ["line 11.mpc.gen: has a row of 3 numbers", "line 15.mpc.branch: has a row of 5 numbers"],
    ),
    "not a number": (
        [("2 2 40 5", "2 2 NaN 5"), (LINE_12, " 1 2 0.01 NaN 0 100 0 0 0 0 1")],
        ["bus: holds NaN in column 3 (2)", "branch: holds NaN in column 4 (1)"],
    ),
    "infinite": ([(LINE_12, " 1 2 0.01 Inf 0 100 0 0 0 0 1")], ["branch.x: must be finite (1)"]),
    "duplicate ids": ([(" 3 1 50", " 2 1 50")], ["bus.bus_i: must be unique (2)"]),
    "elements on missing buses": (
        [(LINE_23, " 2 9 0.01 0.1 0 100 0 0 0 0 1"), (" 2 30 0", " 7 30 0")],
        ["branch.tbus: names buses that do not exist (2)", "gen.bus: names buses that do not exist (2)"],
    ),
    "no slack anywhere": (
        [("1 3 0 0", "1 1 0 0"), ("2 2 40", "2 1 40")],
        ["gen.is_reference: no unit in service is a reference (slack)"],
    ),
    "no slack in an island": (
        [(LINE_12, LINE_12[:-1] + "0"), (LINE_23, LINE_23[:-1] + "0")],
        ["gen.is_reference: no unit is a reference (slack) in an island of 1 bus (2)", "e.g. unit 2"],
    ),
    "limits reversed, in three columns": (
        [("220 1 1.1 0.9;\n 2", "220 1 0.9 1.1;\n 2"), ("60 0 100 -100 1 100 1 200 0", "60 0 -100 100 1 100 1 0 200")],
        [
            "bus.v_min_pu: must not exceed v_max_pu for 1 bus (1)",
            "gen.p_min_mw: must not exceed p_max_mw for 1 unit (1)",
            "gen.q_min_mvar: must not exceed q_max_mvar for 1 unit (1)",
        ],
    ),
    "a missing bus hides no other fault": (
        [(LINE_23, " 2 9 0.01 0.1 0 100 0 0 0 0 1"), ("60 0 100 -100 1 100 1 200 0", "60 0 -100 100 1 100 1 0 200")],
        ["branch.tbus: names buses that do not exist (2)", "gen.p_min_mw: must not exceed", "gen.q_min_mvar: must not"],
    ),
    "not closed": (
        [("1 3 0.01 0.1 0 100 0 0 0 0 1 -360 360;\n];", "1 3 0.01")],
        ["line 13: the matrix mpc.branch is not"],
    ),
    "fields missing": (
        [("mpc.bus =", "mpc.buses ="), ("mpc.gen =", "mpc.gens =")],
        [".bus: is missing", ".gen: is miss"],
    ),
    "costs with too few values": (
        [("mpc.branch =", "mpc.gencost = [\n 1 0 0 3 0 0 1 1;\n 2 0 0 NaN 1 0 0 0;\n];\nmpc.branch =")],
        ["gencost: holds NaN in column 4 (2)", "gencost.ncost: asks for more values than the row has (1"],
    ),
}


def edited(*changes: tuple[str, str]) -> str:
    text = CASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def assert_refused(call: Call, folder: Path, source: object, *expected: str) -> None:
    """`load` and every command that reads a grid name all of these, end with 2 and write nothing."""
    with pytest.raises(ag.InputError) as caught:
        ag.load(source)
    out = folder / "out"
    before = sorted(folder.rglob("*"))
    for args in (("pf", source, "--json"), ("n1", source, "--json"), ("convert", source, out), ("info", source)):
        answer = call(*args)
        assert (answer.code, answer.out) == (2, ""), answer
        assert answer.err.count("error: ") == len(caught.value.issues)
        for text in expected:
            assert text in answer.err
            assert text in str(caught.value)
    assert sorted(folder.rglob("*")) == before


def test_the_unharmed_case_is_accepted(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "case.m"
    file.write_text(CASE)
    assert call("pf", file, "--json").json["status"] == "converged"


@pytest.mark.parametrize("what", BAD_CASES)
def test_bad_cases(call: Call, tmp_path: Path, what: str) -> None:
    changes, expected = BAD_CASES[what]
    file = tmp_path / "case.m"
    file.write_text(edited(*changes))
    assert_refused(call, tmp_path, file, *expected)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("case.m", bytes(range(1, 256)), "line 1"),
        ("case.m", b"", ".bus: is missing"),
        ("net.json", b'{"bus": [1, 2', "line 1 column"),
        ("net.json", b'{"some": "thing"}', "not a pandapower network"),
        ("net.xiidm", b"<?xml version='1.0'?><iidm:network", "pypowsybl cannot read it"),
        ("net.uct", b"hello", "pypowsybl cannot read it"),
        ("net.zip", b"hello", "is not a zip file"),
        ("net.xyz", b"hello", ".xyz is no known format"),
    ],
)
def test_unreadable_files(call: Call, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert_refused(call, tmp_path, file, file.name, expected)


def test_a_missing_file_offers_its_neighbours(call: Call, tmp_path: Path) -> None:
    (tmp_path / "grid_2024.m").write_text(CASE)
    assert_refused(call, tmp_path, tmp_path / "grid_2025.m", "no such file or folder", "did you mean grid_2024.m?")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("case1354pegas", "case1354pegase"),
        ("1-EHV-mixed--0-nosw", "1-EHV-mixed--0-no_sw"),
        ("matpower:case_ACTIVSg20000", "case_ACTIVSg2000"),
    ],
)
def test_an_unknown_name_offers_the_nearest(call: Call, tmp_path: Path, name: str, near: str) -> None:
    assert_refused(call, tmp_path, name, name.partition(":")[2] or name, "did you mean", near)


def test_zero_impedance_and_limits_in_a_folder(call: Call, tmp_path: Path) -> None:
    net = small_network()
    branch = net.branch.replace(r_pu=[0.01, 0, 0, 0.002], x_pu=[0.1, 0, 0, 1e-12])
    gen = net.gen.replace(p_min_mw=[300, 0], bus=[0, 17])
    folder = save(net.replace(branch=branch, gen=gen), tmp_path / "grid")
    assert_refused(
        call,
        tmp_path,
        folder,
        "branch.x_pu: must not be 0 with r_pu 0 for 2 branches (L2, L3); a zero-impedance branch can be given as a closed",
        "gen.p_min_mw: must not exceed p_max_mw for 1 unit (slack)",
        "gen.bus: is not the position of a bus for 1 unit (wind)",
    )


def test_reactances_that_cancel_have_no_linear_solution(call: Call, tmp_path: Path) -> None:
    """Bus 3 hangs on 0.1 and -0.1 pu in parallel: the DC matrix is singular, which is a status and no traceback."""
    file = tmp_path / "case.m"
    file.write_text(edited((LINE_12, " 1 2 0 0 0 100 0 0 0 0 1"), (LINE_23, " 2 3 0.01 -0.1 0 100 0 0 0 0 1")))
    answer = call("pf", file, "--engine", "dc", "--json")
    assert (answer.code, answer.json["status"]) == (1, "singular")


def test_a_damaged_folder(call: Call, tmp_path: Path) -> None:
    folder = save(small_network(), tmp_path / "grid")
    (folder / "branch.parquet").write_bytes(b"PAR1 and nothing else")
    (folder / "gen.parquet").unlink()
    assert_refused(call, tmp_path, folder, "branch.parquet", "gen.parquet", "file is missing")


def pandapower_case9() -> tuple[Any, Any]:
    tool, networks = pytest.importorskip("pandapower"), pytest.importorskip("pandapower.networks")
    return tool, networks.case9()


def test_a_pandapower_net(call: Call, tmp_path: Path) -> None:
    pandapower, net = pandapower_case9()
    net.line.loc[1, "x_ohm_per_km"] = np.nan
    net.load.loc[2, "bus"] = 99
    net.gen.loc[0, "min_q_mvar"] = 1e6
    file = tmp_path / "net.json"
    pandapower.to_json(net, str(file))
    assert_refused(
        call,
        tmp_path,
        file,
        "branch.x_pu: is not a number for 1 branch (line:1)",
        "load.bus: names buses that do not exist (load:2)",
        "gen.q_min_mvar: must not exceed q_max_mvar for 1 unit (gen:0)",
    )


def test_text_in_a_pandapower_net(call: Call, tmp_path: Path) -> None:
    pandapower, net = pandapower_case9()
    for table, column in (("load", "p_mw"), ("gen", "vm_pu")):
        net[table][column] = net[table][column].astype(object)
        net[table].loc[1, column] = "much"
    file = tmp_path / "net.json"
    pandapower.to_json(net, str(file))
    assert_refused(
        call, tmp_path, file, "load.p_mw: holds text, 'much' (load:1)", "gen.vm_pu: holds text, 'much' (gen:1)"
    )


def test_zero_impedance_in_a_case_file_is_told_and_negative_noted(call: Call, tmp_path: Path) -> None:
    """Case files of real grids hold both: the one becomes a switch by name, the other is a remark with its branches."""
    file = tmp_path / "case.m"
    file.write_text(edited((LINE_12, " 1 2 0 0 0 100 0 0 0 0 1"), (LINE_23, " 2 3 -0.01 -0.1 0 100 0 0 0 0 1")))
    answer = call("info", file, "--report", "--json")
    assert answer.code == 0
    assert "zero impedance: now switches" in json.dumps(answer.json["report"])
    notes = " ".join(answer.json["warnings"])
    assert "branch.x_pu: is negative for 1 branch (2)" in notes
    assert "branch.r_pu: is negative for 1 branch (2)" in notes


def test_outage_lists_name_every_unknown_element(call: Call, grid: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("name,elements,kind\na,L1;L99,\nb,X7,\nc,L2,lamp\nd,,\n")
    for args in (("n1", grid, "-c", listed), ("day", grid, "-c", listed, "--out", tmp_path / "run")):
        answer = call(*args)
        assert answer.code == 2
        if args[0] == "n1":
            assert "2 not in the grid (L99, X7)" in answer.err
            assert "'lamp' is not a kind" in answer.err
            assert "line 5.elements: is empty" in answer.err
    other = tmp_path / "list.json"
    other.write_text('[{"name": "a", "elements": ["L1", "L99"]}, {"name": "b", "elements": 3}]')
    assert "elements: is not a list" in call("n1", grid, "-c", other).err
    other.write_text('[{"name": "a",')
    assert "is not valid JSON" in call("n1", grid, "-c", other).err
    assert "there is no such file" in call("n1", grid, "-c", tmp_path / "none.csv").err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.csv", "list.json"]


def test_scenarios_report_every_shape_number_and_element() -> None:
    net = small_network()
    with pytest.raises(ag.InputError) as caught:
        ag.Scenarios(
            net,
            load_p_mw=np.ones((3, 5)),
            load_q_mvar=[[1.0, np.nan, 3.0]] * 4,
            gen_p_mw=[["much", "more"]],
            gen_v_pu=[1.0, -1.0],
            branch_out=["L1", "L99", "X", None],
        )
    text = str(caught.value)
    for expected in (
        "load_p_mw: has shape (3, 5), not (n, 3)",
        "load_q_mvar: is not a finite number in 4 places",
        "gen_p_mw: cannot be read as numbers",
        "gen_v_pu: must be positive in 1 place",
        "L99",
        "disagree on the number of scenarios",
    ):
        assert expected in text
    assert len(caught.value.issues) >= 6


# ---- long runs that are stopped --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small grid with a day of six-minute steps."""
    steps = 240
    time_axis = np.datetime64("2020-03-02T00:00") + np.arange(steps) * np.timedelta64(6, "m")
    factor = 0.8 + 0.2 * np.sin(np.arange(steps) / 40)
    load = factor[:, None] * np.array([40.0, 50.0, 20.0])
    profiles = Profiles(time_axis, {("load", "p_mw"): (load, [0, 1, 2])})
    return save(small_network(), tmp_path_factory.mktemp("long") / "grid", profiles=profiles)


def assert_whole(run: Path) -> None:
    """Every file can be read, none is left from writing, and finished steps have all their tables."""
    import pyarrow.parquet as pq

    assert not [p for p in run.rglob("*") if ".tmp" in p.name]
    for file in run.rglob("*.parquet"):
        pq.read_table(file)
    stored = open_run(run)
    for table in ("bus_state", "branch_state", "gen_state", "violations", "contingencies"):
        assert set(stored.table("steps").column("step").to_pylist()) == set(stored.steps)
        if stored.finished:
            assert (run / f"{table}.parquet").is_file()
        else:
            assert len(list((run / table).glob("step=*.parquet"))) >= len(stored.steps)


def test_ctrl_c_keeps_finished_steps_and_the_rerun_continues(call: Call, long_day: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # The signal's own handler, which a shell may have switched off for jobs in the background.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from aurigrid.cli import main; main()"
    )
    options = ["day", str(long_day), "--date", "2020-03-02", "--out", str(run), "--json"]
    path = os.pathsep.join([str(Path(ag.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, "-c", program, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    deadline = time.monotonic() + 120
    while not list(run.glob("steps/step=*.parquet")) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert out == ""
    assert "finished steps are kept" in err
    assert "Traceback" not in err
    kept = open_run(run).steps
    assert 0 < len(kept) < 240
    assert open_run(run).info.status == "interrupted"
    assert_whole(run)
    before = open_run(run).table("bus_state")
    again = call(*options)
    assert again.code == 0
    assert (again.json["steps"], again.json["new_steps"]) == (240, 240 - len(kept))
    assert open_run(run).table("bus_state", kept).equals(before)
    assert_whole(run)


def test_a_full_disk_leaves_no_half_written_file_and_the_rerun_continues(
    call: Call, grid_with_day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    run, real, written = tmp_path / "run", pq.write_table, [0]
    options = ("day", grid_with_day, "--date", "2020-03-02", "--out", run, "--json")

    def full(table: Any, file: Any, **rest: Any) -> None:
        if "step=0002" in str(file):
            written[0] += 1
        if written[0] == 3:  # in the middle of a step, and of a file
            Path(file).write_bytes(b"PAR1 half a file")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        real(table, file, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        stopped = call(*options)
    assert (stopped.code, stopped.out) == (1, "")
    assert "No space left on device" in stopped.err
    assert "2 finished steps are kept" in stopped.err
    assert open_run(run).steps == (0, 1)
    assert_whole(run)
    again = call(*options)
    assert (again.code, again.json["new_steps"], again.json["steps"]) == (0, 2, 4)


def test_a_disk_that_is_full_from_the_start_leaves_nothing(
    call: Call, grid_with_day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    def full(table: Any, file: Any, **rest: Any) -> None:
        Path(file).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr(pq, "write_table", full)
    answer = call("day", grid_with_day, "--date", "2020-03-02", "--out", tmp_path / "run")
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert list(tmp_path.iterdir()) == []
    answer = call("convert", grid_with_day, tmp_path / "copy")
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert list(tmp_path.iterdir()) == []
