"""What a notebook shows of a batch of power flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurigrid.markup import Grid, card, counted, span, text
from aurigrid.model.table import Array
from aurigrid.powerflow.status import Status

if TYPE_CHECKING:
    from aurigrid.powerflow.solution import Solution

_TOP = 5
_MOST_FLOWS = 5_000_000


def status_row(status: Array) -> str:
    """How many scenarios ended how."""
    return "; ".join(f"{np.count_nonzero(status == s):,} {s.meaning}" for s in Status if (status == s).any())


def solution_html(solution: Solution) -> str:
    """Outcomes, the certificate, extreme voltages, and the branches with the largest loading."""
    solved = solution.converged
    mismatch = solution.mismatch_pu[solved]
    facts: list[tuple[str, object]] = [
        ("engine", solution.engine),
        ("outcome", status_row(solution.status)),
        (
            "iterations",
            span(float(solution.iterations.min()), float(solution.iterations.max()), "") if solution.n else "–",
        ),
        ("largest mismatch", f"{text(float(np.nanmax(mismatch)))} pu" if len(mismatch) else "–"),
    ]
    facts += _voltages(solution)
    return card(
        f"{counted(solution.n, 'power flow')} of {solution.net.name or 'a network'}", facts, _loadings(solution)
    )


def _voltages(solution: Solution) -> list[tuple[str, object]]:
    v = solution.v_mag[:, ~solution.net.bus.is_star]
    if not np.isfinite(v).any():
        return []
    ids = solution.net.bus.id[~solution.net.bus.is_star]
    out: list[tuple[str, object]] = []
    for word, at in (("lowest voltage", np.nanargmin(v)), ("highest voltage", np.nanargmax(v))):
        scenario, bus = np.unravel_index(int(at), v.shape)
        where = f"{v[scenario, bus]:.4f} pu at bus {ids[bus]}"
        out.append((word, where if solution.n == 1 else f"{where}, scenario {scenario}"))
    return out


def _loadings(solution: Solution) -> Grid:
    branch = solution.net.branch
    rated = np.flatnonzero(np.isfinite(branch.rate_mva) & branch.in_service)
    if not len(rated) or solution.n * len(branch) > _MOST_FLOWS or not solution.converged.any():
        return Grid((), ())
    loading = np.nan_to_num(solution.branch_flow().loading[:, rated], nan=-1.0)
    scenario = loading.argmax(axis=0)
    worst = loading[scenario, np.arange(len(rated))]
    rows = [
        (str(branch.id[rated[i]]), 100 * float(worst[i]), float(branch.rate_mva[rated[i]]), int(scenario[i]))
        for i in np.argsort(-worst, kind="stable")[:_TOP].tolist()
    ]
    headings = ("branch", "loading, %", "rating, MVA", "scenario")
    return Grid(headings, rows) if solution.n > 1 else Grid(headings[:3], [row[:3] for row in rows])
