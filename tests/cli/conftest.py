"""A three-bus grid on disk, with a day of profiles, and a way to call the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurigrid.cli import app
from aurigrid.io.folder import save
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable


@dataclass(frozen=True)
class Answer:
    """What a call printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*args: object) -> Answer:
        capsys.readouterr()
        code = 0
        try:
            app([str(a) for a in args], prog_name="aurigrid")
        except SystemExit as end:
            code = int(end.code or 0)
        seen = capsys.readouterr()
        return Answer(code, seen.out, seen.err)

    return run


def small_network() -> Network:
    """A triangle with a radial bus: losing T cuts off 20 MW; losing L1 or L2 overloads what is left of the ring."""
    return Network(
        bus=BusTable.make(id=["A", "B", "C", "D"], v_nom_kv=[220, 220, 220, 110], v_min_pu=0.9, v_max_pu=1.1),
        branch=BranchTable.make(
            id=["L1", "L2", "L3", "T"],
            kind=[0, 0, 0, 1],
            from_bus=[0, 0, 1, 2],
            to_bus=[1, 2, 2, 3],
            r_pu=[0.01, 0.01, 0.01, 0.002],
            x_pu=[0.1, 0.1, 0.1, 0.05],
            rate_mva=[80, 80, 80, 50],
        ),
        gen=GenTable.make(
            id=["slack", "wind"],
            bus=[0, 1],
            p_mw=[0, 20],
            regulates=True,
            is_reference=[True, False],
            q_min_mvar=-100,
            q_max_mvar=100,
            p_max_mw=[200, 40],
            participation=[9, 1],
            fuel=["hydro", "wind"],
        ),
        load=LoadTable.make(id=["b", "c", "d"], bus=[1, 2, 3], p_mw=[40, 50, 20], q_mvar=[5, 5, 2]),
        name="small",
    )


def small_profiles() -> Profiles:
    """Four steps of six hours on 2 March 2020, then one of the next day."""
    time = np.datetime64("2020-03-02T00:00") + np.arange(5) * np.timedelta64(6, "h")
    load = np.array([0.6, 1.0, 1.1, 0.8, 0.7])[:, None] * np.array([40.0, 50.0, 20.0])
    wind = np.array([[20.0], [30.0], [10.0], [5.0], [0.0]])
    return Profiles(time, {("load", "p_mw"): (load, [0, 1, 2]), ("gen", "p_mw"): (wind, [1])})


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network without profiles."""
    return save(small_network(), tmp_path_factory.mktemp("grids") / "small")


@pytest.fixture(scope="session")
def grid_with_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(small_network(), tmp_path_factory.mktemp("grids") / "small_day", profiles=small_profiles())
