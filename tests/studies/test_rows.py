"""Rows of the store from results: which violations are told, and how they are named."""

from __future__ import annotations

import numpy as np

from aurigrid.security.report import VIOLATION_KINDS, Violations
from aurigrid.studies.rows import told


def violations(*rows: tuple[int, str, float, float, float]) -> Violations:
    """From (contingency, kind, value, base value, limit)."""
    outage, kind, value, base, limit = zip(*rows, strict=True)
    n = len(rows)
    return Violations(
        scenario=np.zeros(n, np.int32),
        contingency=np.array(outage, np.int32),
        kind=np.array([VIOLATION_KINDS.index(k) for k in kind], np.int8),
        element=np.arange(n, dtype=np.int32),
        value=np.array(value),
        base_value=np.array(base),
        limit=np.array(limit),
    )


def test_a_breach_of_the_base_state_is_told_again_only_where_it_gets_worse() -> None:
    nan = np.nan
    new, worse = told(
        violations(
            (-1, "overload", 120.0, 120.0, 100.0),
            (0, "overload", 120.5, 120.0, 100.0),  # half a per cent of the limit more
            (0, "overload", 130.0, 120.0, 100.0),
            (0, "overload", 110.0, 120.0, 100.0),  # relieved, still over
            (0, "overload", 110.0, 90.0, 100.0),
            (0, "voltage_low", 0.85, 0.88, 0.9),
            (0, "voltage_low", 0.879, 0.88, 0.9),
            (0, "voltage_high", 1.12, 1.05, 1.1),
            (0, "voltage_step", 0.8, 1.0, 0.1),
            (0, "reactive_limit", -60.0, -55.0, -50.0),
            (0, "islanding", 20.0, 0.0, nan),
            (0, "no_convergence", 2.0, nan, nan),
        )
    )
    assert new.tolist() == [False] * 4 + [True, False, False, True, True, False, True, True]
    assert worse.tolist() == [False, False, True, False, False, True, False, False, False, True, False, False]
