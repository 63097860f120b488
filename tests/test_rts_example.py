"""The example of the RTS-GMLC fortnight, one day of it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from tests.data import RTS_GMLC, needs_rts_gmlc

pytest.importorskip("highspy")


@needs_rts_gmlc
def test_a_day_beside_plexos(capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "rts_gmlc_fortnight.py"))
    arguments = ["--data", str(RTS_GMLC), "--days", "1", "--gap", "0.03", "--limit", "30"]
    assert script["main"](arguments) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| 2020-07-05"))
    cells = [cell.strip() for cell in row.strip("| ").split("|")]
    assert float(cells[1]) == pytest.approx(float(cells[2]), rel=0.1)
