"""What a notebook shows of a security analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.markup import Grid, card, counted
from aurigrid.powerflow.markup import status_row
from aurigrid.security.report import VIOLATION_KINDS

if TYPE_CHECKING:
    from aurigrid.security.report import SecurityReport

_TOP = 5


def report_html(report: SecurityReport) -> str:
    """Outcomes, broken limits by kind, and the worst of them."""
    n, m = report.status.shape
    found = report.found
    kinds = np.bincount(found.kind, minlength=len(VIOLATION_KINDS)).tolist()
    secure = int(np.count_nonzero(report.secure))
    facts: list[tuple[str, object]] = [
        ("outages", f"{n * m:,}: {status_row(report.status)}"),
        ("secure scenarios", f"{secure:,} of {n:,}"),
        ("broken before any outage", int(np.count_nonzero(found.contingency < 0))),
        ("power flows", report.power_flows),
    ]
    if report.screen:
        facts.append(("screen", report.screen))
    kinds_found = [(name.replace("_", " "), count) for name, count in zip(VIOLATION_KINDS, kinds, strict=True) if count]
    worst = report.violations.slice(0, _TOP).to_pylist()
    rows = [
        (
            r["contingency_label"] or "none",
            r["kind"].replace("_", " "),
            r["element_id"],
            r["value"],
            r["limit"],
            r["scenario"],
        )
        for r in worst
    ]
    return card(
        f"Security of {counted(n, 'scenario')} x {counted(m, 'outage')} of {report.net.name or 'a network'}",
        facts,
        Grid(("broken limits", "count"), kinds_found),
        Grid(("outage", "breaks", "at", "value", "limit", "scenario"), rows, len(found)),
    )


def _value(row: dict[str, Any]) -> float | None:
    """The value, unless it is the number of a status."""
    return None if row["kind"] == "no_convergence" else float(row["value"])
