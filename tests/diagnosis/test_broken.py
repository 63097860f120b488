"""The set of broken cases: each fault is recorded, breaks its grid, and is the only thing that is wrong with it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from aurigrid.diagnosis.broken import GRIDS, KINDS, BrokenCase, broken_cases, draw_cases, sound_grid
from aurigrid.diagnosis.change import Change, changed
from aurigrid.diagnosis.symptoms import symptoms
from aurigrid.opf import OpfStatus, optimal_power_flow

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def cases() -> tuple[BrokenCase, ...]:
    return broken_cases()


def test_every_grid_is_sound_before_its_fault() -> None:
    for name in GRIDS:
        assert symptoms(sound_grid(name)).clean, name


def test_every_case_is_broken(cases: tuple[BrokenCase, ...]) -> None:
    unbroken = [case.name for case in cases if not symptoms(case.network()).severe]
    assert unbroken == []


def test_the_set_is_large_and_covers_every_kind(cases: tuple[BrokenCase, ...]) -> None:
    assert len(cases) >= 60
    assert len({case.name for case in cases}) == len(cases)
    assert set(Counter(case.kind for case in cases)) == set(KINDS)
    assert {case.grid for case in cases} == set(GRIDS)


def test_a_case_differs_from_its_grid_in_its_fault_alone(cases: tuple[BrokenCase, ...]) -> None:
    for case in cases:
        sound, broken = case.sound(), case.network()
        fields = {(c.table, "to_bus" if c.field == "from_bus" else c.field) for c in case.changes}
        fields |= {(c.table, c.field) for c in case.changes}
        for table, rows in sound.tables():
            for field, values in rows.items():
                now = getattr(getattr(broken, table), field)
                same = (
                    values == now if values.dtype == object else np.isclose(values, now, rtol=0, atol=0, equal_nan=True)
                )
                moved = set(np.flatnonzero(~np.asarray(same)).tolist())
                assert not moved or (table, field) in fields, (case.name, table, field)
                assert moved <= {c.element for c in case.changes if c.table == table}, (case.name, table, field)


def test_no_dispatch_serves_an_overloaded_grid(cases: tuple[BrokenCase, ...]) -> None:
    for case in cases:
        if case.kind == "overload" and case.grid in ("case14", "case39", "case118"):
            point = optimal_power_flow(case.network(), threads=1)
            assert point.status[0] not in (OpfStatus.OPTIMAL, OpfStatus.FEASIBLE), case.name


def test_drawing_is_fixed_by_its_seed() -> None:
    first, again, other = (list(draw_cases(seed, ["case14"])) for seed in (5, 5, 6))
    assert [c.changes for c in first] == [c.changes for c in again]
    assert [c.changes for c in first] != [c.changes for c in other]


def test_naming_needs_the_element_and_the_quantity(cases: tuple[BrokenCase, ...]) -> None:
    case = next(c for c in cases if c.kind == "unit_load")
    net, load = case.network(), case.changes[0].element
    assert case.named_by([Change.of(net, "load", load, "q_mvar", 0.0)])
    assert not case.named_by([Change.of(net, "load", load, "in_service", False)])
    others = [Change.of(net, "load", i, "p_mw", 0.0) for i in range(4)]
    assert not case.named_by(others if load >= 4 else [c for c in others if c.element != load])
    assert not case.named_by([])


def test_undoing_a_fault_gives_the_sound_grid_back(cases: tuple[BrokenCase, ...]) -> None:
    for case in cases[:40]:
        back = [
            Change(c.table, c.element, c.field, c.id, c.after, c.before)
            for c in case.changes
        ]  # fmt: skip
        assert changed(case.network(), back).digest == case.sound().digest, case.name
