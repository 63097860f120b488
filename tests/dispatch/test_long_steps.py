"""Sums written with counted starts, and categories that starts claim, against the plain model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("highspy")

from aurigrid.dispatch import commitment
from aurigrid.dispatch.model import build_model
from aurigrid.dispatch.pglib_uc import read_pglib_uc
from aurigrid.dispatch.search import search
from aurigrid.dispatch.separate import structure_of

from .instances import instance
from .plain_uc import plain_model

EXACT = 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_long_sums_have_the_optimum_of_the_plain_model(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = instance(seed, hours=12)
    for name, unit in data["thermal_generators"].items():
        if name.startswith("steam") and not unit["unit_on_t0"]:
            unit["time_down_t0"] = 3 + seed  # off for so long that the first steps lie in different categories
    plain = plain_model(data).solve(EXACT, 60.0)
    assert plain.status == 0
    path = tmp_path / "instance.json"
    path.write_text(json.dumps(data))
    system = read_pglib_uc(path)
    monkeypatch.setattr(commitment, "_LONG", 0)
    monkeypatch.setattr(commitment, "_ARCS", 0)
    model = build_model(system)
    assert not len(model.state.arc)
    assert (model.state.claim >= 0).any()
    assert (model.state.counted >= 0).all()
    found = search(model.problem, structure_of(model), gap=EXACT, time_limit=60.0)
    assert found.cost == pytest.approx(plain.fun, rel=3 * EXACT)
