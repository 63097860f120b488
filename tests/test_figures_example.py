"""The example of figures writes what it promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from store.states import write_run

pytest.importorskip("matplotlib", reason="figures need the extra 'plot'").use("Agg")

SCRIPT = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "figures.py"))


def png_size(file: Path) -> tuple[int, int]:
    """Width and height from the header of a PNG file."""
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_figures_of_a_small_grid(tmp_path: Path) -> None:
    assert SCRIPT["main"]([str(tmp_path)]) == 0
    names = {"map", "loading_duration", "voltage_profile", "severity_matrix", "prices"}
    assert {f.stem for f in tmp_path.glob("*.png")} == names
    assert all(min(png_size(f)) > 300 for f in tmp_path.glob("*.png"))


def test_figures_of_a_day(tmp_path: Path) -> None:
    write_run(tmp_path / "run", n=4)
    assert SCRIPT["main"]([str(tmp_path / "out"), str(tmp_path / "run")]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 6


def test_bad_input_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["main"]([str(tmp_path / "out"), str(tmp_path)]) == 2
    assert "run.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert SCRIPT["main"]([]) == 2
