"""The example of the RTS-GMLC fortnight, one day of it."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

pytest.importorskip("highspy")

FOLDER = Path(os.environ.get("AURIGRID_RTS_GMLC", Path(__file__).parents[2] / "shared" / "data" / "rts-gmlc"))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the RTS-GMLC folder beside the repository")
def test_a_day_beside_plexos(capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "rts_gmlc_fortnight.py"))
    arguments = ["--data", str(FOLDER), "--days", "1", "--gap", "0.03", "--limit", "30"]
    assert script["main"](arguments) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| 2020-07-05"))
    cells = [cell.strip() for cell in row.strip("| ").split("|")]
    assert float(cells[1]) == pytest.approx(float(cells[2]), rel=0.1)
