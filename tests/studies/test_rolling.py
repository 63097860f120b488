"""`aurigrid dispatch --rolling`: a stopped run goes on and ends like one that was never stopped; forecast and actual apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

pytest.importorskip("highspy")

from tests.dispatch.grids import STEPS, WIND, hours, triangle

import aurigrid as ag
from aurigrid.cli import app
from aurigrid.errors import InputError
from aurigrid.io.folder import save
from aurigrid.model.profiles import Profiles
from aurigrid.store import open_run
from aurigrid.store.plan_tables import PLAN_TABLES
from aurigrid.studies.rolling import roll_grid

OPTIONS = {"every_h": 2.0, "gap": 1e-9, "commit_every_h": 4.0}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(triangle(), tmp_path_factory.mktemp("grids") / "triangle", profiles=hours())


def same(first: Path, second: Path) -> None:
    """The same tables, every one alike but for the seconds that turns took."""
    names = {path.stem for path in first.glob("*.parquet")}
    assert names == {path.stem for path in second.glob("*.parquet")}
    assert names >= set(PLAN_TABLES) - {"plan_agreement", "plan_outages", "plan_risk", "plan_risk_limits", "plan_fan"}
    for name in sorted(names):
        one, other = (pq.read_table(folder / f"{name}.parquet").to_pandas() for folder in (first, second))
        timed = [c for c in one if c == "seconds"]
        assert one.drop(columns=timed).equals(other.drop(columns=timed)), name


@pytest.mark.parametrize("stop_at", [2, 4, 6])
def test_a_stopped_run_goes_on_and_equals_one_that_was_not_stopped(grid: Path, tmp_path: Path, stop_at: int) -> None:
    calm = hours(wind=WIND * 0.7)
    options = {**OPTIONS, "forecast": calm, "fade_h": 2.0}
    roll_grid(grid, out=tmp_path / "whole", **options)

    def stop(done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        roll_grid(grid, out=tmp_path / "parts", progress=stop, **options)
    half = open_run(tmp_path / "parts")
    assert half.info.status == "interrupted"
    assert half.sql("SELECT count(*) AS n FROM plan_steps").column("n")[0].as_py() == stop_at
    # what a power cut leaves beside a turn's place is swept away
    (tmp_path / "parts" / "turns" / ".turn=00009.tmp-1").mkdir()
    done = roll_grid(grid, out=tmp_path / "parts", **options)
    assert done.new_turns == (STEPS - stop_at) // 2
    same(tmp_path / "whole", tmp_path / "parts")
    assert sorted(p.name for p in (tmp_path / "parts").iterdir() if p.suffix != ".parquet") == [
        "csv",
        "grid",
        "plan.json",
    ]
    again = roll_grid(grid, out=tmp_path / "parts", **options)
    assert again.new_turns == 0
    assert again.summary == done.summary


def test_a_run_that_another_version_began_is_refused(grid: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        roll_grid(grid, out=tmp_path / "run", progress=stop, **OPTIONS)
    kept = tmp_path / "run" / "turns" / "turn=00000" / "standing.npz"
    with np.load(kept) as held:
        arrays = {name: held[name] for name in held if not name.startswith("basis")}
    np.savez_compressed(kept, **arrays)
    with pytest.raises(InputError, match="another version"):
        roll_grid(grid, out=tmp_path / "run", **OPTIONS)


def test_elastic_loads_are_options_of_a_run(grid: Path, tmp_path: Path) -> None:
    words = [
        "dispatch",
        str(grid),
        "--rolling",
        "--every",
        "2",
        "--elastic",
        "0.2=30",
        "--out",
        str(tmp_path / "run"),
        "--json",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    run = ag.rolling_dispatch(triangle(), hours(), hours(), every_h=2.0, elastic=[(0.2, 30.0)])
    table = pq.read_table(tmp_path / "run" / "plan_elastic.parquet").to_pandas()
    assert table["step"].tolist() == np.repeat(np.arange(STEPS), 2).tolist()
    assert (table["asked_mw"] - table["served_mw"]).sum() == pytest.approx(run.plan.load_reduced_mw.sum(), abs=0.1)
    assert run.plan.load_reduced_mw.sum() > 1.0
    with pytest.raises(InputError, match="cannot be continued"):
        roll_grid(grid, out=tmp_path / "run", every_h=2.0, elastic="0.2=40")
    with pytest.raises(InputError, match="more than the whole"):
        roll_grid(grid, out=tmp_path / "new", every_h=2.0, elastic="1.2=40")
    assert not (tmp_path / "new").exists()


def test_the_folder_tells_what_the_call_in_python_returns(grid: Path, tmp_path: Path) -> None:
    done = roll_grid(grid, out=tmp_path / "run", **OPTIONS)
    run = ag.rolling_dispatch(triangle(), hours(), hours(), **OPTIONS)
    data = done.summary
    assert data["cost"] == pytest.approx(run.plan.cost)
    assert data["cost_items"] == pytest.approx(run.plan.cost_items)
    assert data["curtailed_mwh"] == pytest.approx(run.plan.curtailed_mw.sum())
    assert sum(data["curtailed_by_cause_mwh"].values()) == pytest.approx(data["curtailed_mwh"], abs=1e-6)
    assert data["congestion_rent"] == pytest.approx(run.plan.congestion_rent)
    assert data["co2_t"] == pytest.approx(run.plan.co2_t)
    assert (data["turns"], data["commitments"]) == (4, 2)
    table = open_run(tmp_path / "run").table("plan_schedule")
    found = table.column("p_mw").to_numpy().reshape(STEPS, -1)
    np.testing.assert_allclose(found, run.plan.gen_p_mw, atol=1e-9)
    turns = open_run(tmp_path / "run").table("plan_turns")
    assert turns.column("step").to_pylist() == [0, 2, 4, 6]
    assert turns.column("committed").to_pylist() == [True, False, True, False]


def test_another_call_is_refused_with_every_difference(grid: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        roll_grid(grid, out=tmp_path / "run", progress=stop, **OPTIONS)
    before = sorted(p.name for p in (tmp_path / "run").rglob("*"))
    with pytest.raises(InputError) as caught:
        roll_grid(grid, out=tmp_path / "run", **{**OPTIONS, "every_h": 1.0}, forecast=hours(wind=WIND * 0.5))
    for part in ("options.every_h", "options.forecast", "cannot be continued"):
        assert part in str(caught.value)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a plan"):
        roll_grid(grid, out=tmp_path / "full", **OPTIONS)
    assert sorted(p.name for p in (tmp_path / "run").rglob("*")) == before


@pytest.fixture
def call() -> Callable[..., tuple[int, str]]:
    def run(*args: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [str(a) for a in args])
        return done.exit_code, done.output

    return run


def test_command(call: Callable[..., tuple[int, str]], grid: Path, tmp_path: Path) -> None:
    expected: Profiles = hours(wind=WIND * 0.7)
    series = tmp_path / "forecast"
    series.mkdir()
    for key, ids in ((("gen", "p_mw"), ["wind"]), (("load", "p_mw"), ["b", "c"])):
        rows = expected.series[key].read(0, STEPS)
        lines = [",".join(["time", *ids])]
        lines += [
            f"{str(t).replace('T', ' ')}," + ",".join(map(str, row)) for t, row in zip(expected.time, rows, strict=True)
        ]
        (series / f"{'.'.join(key)}.csv").write_text("\n".join(lines))
    options = ("--every", 2, "--gap", 0.000001, "--forecast", series, "--notice", 2, "--ahead", 8)
    code, out = call("dispatch", grid, "--rolling", *options, "--out", tmp_path / "run", "--json")
    assert code == 0, out
    data = json.loads(out)
    run = ag.rolling_dispatch(triangle(), expected, hours(), every_h=2.0, gap=1e-6, notice_h=2.0, horizon_h=8.0)
    assert data["cost"] == pytest.approx(run.plan.cost)
    code, out = call("dispatch", grid, "--rolling", *options, "--out", tmp_path / "run")
    assert code == 0, out
    assert "8 steps of 60 min in 4 turns" in " ".join(out.split())
    code, out = call("dispatch", grid, "--fade", 2)
    assert code == 2
    assert "--fade needs --rolling" in out.replace(": ", " ")
    code, out = call("dispatch", grid, "--rolling", "--every", 0.1, "--out", tmp_path / "bad")
    assert code == 2
    assert not (tmp_path / "bad").exists()
