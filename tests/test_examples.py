"""The picture of a stored day shows what the run holds: classes of branches, bars of insecure outages."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.conftest import begin, step_tables

SCRIPT = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "day_picture.py"))
LOADINGS = {"L1": 0.2, "L2": 0.7, "L3": 1.2, "L4": 0.9}
INSECURE = (0, 2, 1)
SVG = "{http://www.w3.org/2000/svg}"


def save_grid(folder: Path) -> None:
    """A square of four buses and its four sides."""
    folder.mkdir()
    buses = pa.table({"id": list("ABCD"), "lon": [8.0, 9.0, 9.0, 8.0], "lat": [50.0, 50.0, 51.0, 51.0]})
    ends = {"from_bus": pa.array([0, 1, 2, 3], pa.int32()), "to_bus": pa.array([1, 2, 3, 0], pa.int32())}
    pq.write_table(buses, folder / "bus.parquet")
    pq.write_table(pa.table({"id": list(LOADINGS), **ends, "in_service": [True] * 4}), folder / "branch.parquet")


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    """Three steps; the second, the worst, breaks the rating of L4 after an outage."""
    writer = begin(tmp_path / "run", save_grid=save_grid)
    for step, insecure in enumerate(INSECURE):
        tables = step_tables(step)
        nothing = [0.0] * len(LOADINGS)
        flows = dict.fromkeys(("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar"), nothing)
        tables["branch_state"] = {"branch": range(len(LOADINGS)), **flows, "loading": list(LOADINGS.values())}
        tables["violations"].update(element=[3], element_id=["L4"])
        tables["steps"]["outages_violating"] = insecure
        writer.write_step(step, tables)
    writer.close("finished", {})
    return tmp_path / "run"


def test_classes_and_bars(run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["main"]([str(run_path), str(tmp_path / "day.svg")]) == 0
    root = ElementTree.parse(tmp_path / "day.svg").getroot()
    words = [t.text for t in root.iter(f"{SVG}text")]
    assert words[0] == "two, 2016-01-18, 00:15"
    assert [w for w in words if w and w.endswith(" branches")] == [
        f"{name}: 1 branches" for name, _, _ in SCRIPT["CLASSES"]
    ]
    heights = [float(r.get("height", "nan")) for r in root.iter(f"{SVG}rect")][1:]
    assert heights[0] == 0
    assert heights[1] == pytest.approx(2 * heights[2])
    assert "day.svg" in capsys.readouterr().out


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["main"]([str(tmp_path), str(tmp_path / "day.svg")]) == 2
    assert "run.json" in capsys.readouterr().err
    assert not (tmp_path / "day.svg").exists()
