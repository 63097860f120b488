"""Wide tables of time series: what they give, and every fault of every file at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurigrid.errors import InputError
from aurigrid.io.series import read_series_tables
from cli.conftest import small_network

LOADS = "time,b,d\n2020-03-02 00:00,40,20\n2020-03-02 00:15,41.5,21\n"


def test_csv_and_parquet_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "load.p_mw.csv").write_text(LOADS)
    stamps = pa.array(np.array(["2020-03-02T00:00", "2020-03-02T00:15"], "datetime64[ms]"))
    pq.write_table(pa.table({"time": stamps, "wind": [10.0, 12.0]}), tmp_path / "gen.p_mw.parquet")
    (tmp_path / "README.md").write_text("not a table")
    net = small_network()
    profiles = read_series_tables(net, tmp_path)
    assert (len(profiles), profiles.step_min) == (2, 15)
    scenarios = profiles.scenarios(net)
    assert scenarios.values("load_p_mw").tolist() == [[40, 50, 20], [41.5, 50, 21]]
    assert scenarios.values("gen_p_mw").tolist() == [[0, 10], [0, 12]]
    assert str(profiles.local[1]) == "2020-03-02T00:15:00"


def test_one_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "load.p_mw.csv"
    file.write_text(LOADS)
    assert read_series_tables(small_network(), file).values("load", "p_mw").tolist() == [[40, 20], [41.5, 21]]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "load.p_mw.csv").write_text("time,b,zz,b\n2020-03-02 00:00,1,2,3\n2020-03-02 00:15,1,2,3\n")
    (tmp_path / "load.q_mvar.csv").write_text("time,b\nnoon,1\n")
    (tmp_path / "gen.p_mw.csv").write_text("hour,wind\n1,2\n")
    (tmp_path / "gen.v_set_pu.csv").write_text("time,wind\n2020-03-02 00:00,high\n2020-03-02 00:15,\n")
    (tmp_path / "bus.colour.csv").write_text("time,A\n2020-03-02 00:00,1\n")
    with pytest.raises(InputError) as caught:
        read_series_tables(small_network(), tmp_path)
    text = str(caught.value)
    for part in (
        "zz",
        "a column twice",
        "cannot be read as times",
        "column is missing",
        "not numbers",
        "'bus.colour' is no column",
    ):
        assert part in text, part


def test_other_steps_and_gaps_are_refused(tmp_path: Path) -> None:
    (tmp_path / "load.p_mw.csv").write_text(LOADS)
    (tmp_path / "load.q_mvar.csv").write_text(LOADS.replace("00:15", "00:30"))
    with pytest.raises(InputError, match="differs from that of"):
        read_series_tables(small_network(), tmp_path)
    (tmp_path / "load.q_mvar.csv").write_text("time,b\n2020-03-02 00:00,1\n2020-03-02 00:15,\n")
    with pytest.raises(InputError, match="1 empty cells"):
        read_series_tables(small_network(), tmp_path)


@pytest.mark.parametrize("make", [False, True])
def test_nothing_there(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(InputError, match="no CSV or Parquet file" if make else "no such file or folder"):
        read_series_tables(small_network(), folder)
