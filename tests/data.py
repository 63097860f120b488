"""Where tests find data that is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RTS_GMLC = Path(os.environ.get("AURIGRID_RTS_GMLC", Path(__file__).parents[2] / "shared" / "data" / "rts-gmlc"))
needs_rts_gmlc = pytest.mark.skipif(
    not RTS_GMLC.is_dir(), reason=f"no RTS-GMLC folder at {RTS_GMLC}; set AURIGRID_RTS_GMLC to one"
)

PGLIB_UC = Path(os.environ.get("AURIGRID_PGLIB_UC", Path(__file__).parents[2] / "shared" / "data" / "pglib-uc"))
needs_pglib_uc = pytest.mark.skipif(
    not PGLIB_UC.is_dir(), reason=f"no PGLib-UC instances at {PGLIB_UC}; set AURIGRID_PGLIB_UC to their folder"
)
