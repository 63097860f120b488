"""What a notebook shows of a batch of optimal power flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurigrid.markup import Grid, card, counted, span, text
from aurigrid.opf.status import OpfStatus

if TYPE_CHECKING:
    from aurigrid.model.table import Array
    from aurigrid.opf.result import OptimalPowerFlow

_TOP = 8


def opf_html(found: OptimalPowerFlow) -> str:
    """Outcomes, objective, certificate, prices, and the output by fuel."""
    net = found.problem.grid.net
    known = np.isfinite(found.objective)
    outcome = (f"{np.count_nonzero(found.status == s):,} {s.meaning}" for s in OpfStatus if (found.status == s).any())
    facts: list[tuple[str, object]] = [
        ("outcome", "; ".join(outcome)),
        ("objective", _span(found.objective, "currency/h")),
        ("largest KKT residual", text(_most(found.kkt_residual))),
        ("largest broken limit", f"{text(_most(found.max_violation_pu))} pu"),
        ("prices", _span(found.price_per_mwh, "currency/MWh")),
        ("missing or unusable", _span(found.slack_mw, "MW")),
    ]
    fuel = np.where(net.gen.fuel == "", "unknown", net.gen.fuel).astype(str)
    names = np.unique(fuel)
    output = np.stack([found.gen_p_mw[:, fuel == name].sum(axis=1) for name in names], axis=1)
    mean = output[known].mean(axis=0) if known.any() else np.full(len(names), np.nan)
    order = np.argsort(-np.nan_to_num(mean), kind="stable")[:_TOP]
    rows = [(str(names[i]), int(np.count_nonzero(fuel == names[i])), float(mean[i])) for i in order.tolist()]
    heading = "output, MW" if found.n == 1 else "mean output, MW"
    return card(
        f"{counted(found.n, 'optimal power flow')} of {net.name or 'a network'}",
        facts,
        Grid(("fuel", "units", heading), rows, len(names)),
    )


def _most(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")


def _span(values: Array, unit: str) -> str:
    finite = values[np.isfinite(values)]
    return span(float(finite.min()), float(finite.max()), unit) if finite.size else "–"
