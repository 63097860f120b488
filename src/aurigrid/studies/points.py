"""Operating points of a batch of steps: an AC optimal power flow each, its label, and why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.opf import OpfStatus
from aurigrid.powerflow import Status
from aurigrid.security import security_analysis
from aurigrid.security.analysis import Engine
from aurigrid.security.contingencies import Contingencies
from aurigrid.studies.conditions import BASE_MVA, Batch, Conditions
from aurigrid.studies.optima import SOFT_PRICE, Optima, optima
from aurigrid.studies.rows import by_fuel, told, worst_of

if TYPE_CHECKING:
    from aurigrid.security.report import SecurityReport

LABELS = ("secure", "feasible", "infeasible", "unsolved")
"""``secure``: keeps every limit, and so does every outage that was asked for; ``feasible``: keeps every limit;
``infeasible``: the point of least violation found; ``unsolved``: no point that balances was found."""

LIMIT_PU, BALANCE_PU = 1e-5, 1e-6
"""What counts as kept: limits and missing power to 1 kVA, balances to 0.1 kVA, on 100 MVA."""
_TOLD_MW, _TOLD_LOADING, _TOLD_PU = 0.01, 1e-4, 1e-5
_TOLD_PRICE = 0.05 * SOFT_PRICE
_STARTED_MW = 1.0
_CHECKED_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Points:
    """Operating points of n steps.

    Attributes:
        label: (n,) positions in `LABELS`.
        scenarios: the points as scenarios of the network as it was given: dispatch and voltage set-points.
        result: the optimal power flows, on `Conditions.solved`.
        batch: what was asked.
        p_mw: (n, n_gen) active power of the units, MW; NaN where unsolved.
        checks: columns of the outages that were checked, each (n,).
    """

    label: Array
    scenarios: Scenarios
    result: Optima
    batch: Batch
    p_mw: Array
    checks: dict[str, list[Any]]


def operating_points(
    conditions: Conditions,
    batch: Batch,
    outages: Contingencies | None = None,
    threads: int | None = None,
    engine: Engine = "newton",
) -> Points:
    """Find the operating point of every step of a batch.

    Args:
        conditions: the network made ready.
        batch: its conditions at n steps.
        outages: outages after which a point must keep every limit to be called secure; none are checked where absent.
        threads: threads to use; all CPUs where absent.
        engine: which outages are solved, as for `security_analysis`.
    """
    result = optima(conditions, batch.scenarios, batch.p_max_mw, threads)
    short = np.maximum(np.abs(result.short_mw).max(1, initial=0.0), np.abs(result.short_mvar).max(1, initial=0.0))
    kept = (np.nan_to_num(short, nan=np.inf) <= LIMIT_PU * BASE_MVA) & (result.violation_pu <= LIMIT_PU)
    balanced = (result.status != OpfStatus.FAILED) & (result.balance_pu <= BALANCE_PU)
    label = np.where(balanced, np.where(kept, 1, 2), 3).astype(np.int8)
    net = conditions.net
    p = np.where(balanced[:, None], result.gen_p_mw, np.nan)
    points = batch.given.replace(
        gen_p_mw=np.where(balanced[:, None], p, batch.schedule_mw),
        gen_v_pu=np.where(balanced[:, None], result.gen_v_pu, net.gen.v_set_pu),
    )
    checks: dict[str, list[Any]] = {name: [default] * len(label) for name, default in _UNCHECKED.items()}
    if outages is not None:
        feasible = np.flatnonzero(label == 1)
        for first in range(0, len(feasible), _CHECKED_TOGETHER):
            rows = feasible[first : first + _CHECKED_TOGETHER]
            report = security_analysis(net, points[rows], outages, **CHECK, engine=engine, threads=threads)
            for k, i in enumerate(rows.tolist()):
                found = _checked(report, k)
                label[i] = 0 if found["outages_failed"] == 0 and found["outages_violating"] == 0 else 1
                for name, value in found.items():
                    checks[name][i] = value
    return Points(label, points, result, batch, p, checks)


CHECK: dict[str, Any] = {"q_limits": True, "slack": "distributed"}
"""Options of the analysis that points are checked by: units keep their reactive limits and share what an outage takes away."""
_UNCHECKED: dict[str, Any] = {
    "outages": 0, "outages_failed": 0, "outages_violating": 0, "worst_contingency": None, "worst_element": None,
    "worst_severity": np.nan,
}  # fmt: skip


def _checked(report: SecurityReport, scenario: int) -> dict[str, Any]:
    """What the outages of one point do that were solved."""
    status, outages = report.status[scenario], report.contingencies
    found = report.found.take(np.flatnonzero(report.found.scenario == scenario))
    new, worse = told(found)
    found = found.take(np.flatnonzero(new | worse))
    worst = worst_of(found.severity, np.ones(len(found.severity), bool))
    table = found.to_arrow(report.net, outages)
    return {
        "outages": int(np.count_nonzero(status != Status.SKIPPED)),
        "outages_failed": int(np.count_nonzero(~np.isin(status, (Status.CONVERGED, Status.ISLANDED, Status.SKIPPED)))),
        "outages_violating": len(np.unique(found.contingency)),
        "worst_contingency": None if worst is None else str(outages.label[found.contingency[worst]]),
        "worst_element": None if worst is None else str(table.column("element_id")[worst].as_py()),
        "worst_severity": np.nan if worst is None else float(found.severity[worst]),
    }


def point_columns(conditions: Conditions, points: Points, steps: Array, time: Array) -> dict[str, Any]:
    """Columns of the table ``points``."""
    net, result, batch = conditions.solved, points.result, points.batch
    p, n = points.p_mw, len(points.label)
    unsolved = points.label == 3
    loading = np.where(unsolved[:, None], np.nan, result.loading)
    top = np.where(unsolved, 0, np.nan_to_num(loading, nan=-1.0).argmax(1)) if net.n_branch else np.zeros(n, int)
    size = np.where(unsolved[:, None] | net.bus.is_star, np.nan, result.v_mag)
    curtailed = np.where(conditions.curtailed, batch.p_max_mw - p, 0.0)
    load = (batch.scenarios.values("load_p_mw") * net.load.in_service).sum(1)
    blank = np.where(unsolved, np.nan, 0.0)
    return {
        "step": steps,
        "time": time,
        "label": [LABELS[k] for k in points.label.tolist()],
        "cost_per_h": _cost(net, p),
        "carbon_t_per_h": p @ np.where(net.gen.in_service, np.nan_to_num(net.gen.co2_t_per_mwh), 0.0),
        "available_mw": np.where(conditions.curtailed, batch.p_max_mw, 0.0).sum(1),
        "curtailed_mw": np.maximum(curtailed, 0.0).sum(1) + blank,
        "redispatch_mw": np.abs(np.where(net.gen.in_service, p - batch.schedule_mw, 0.0)).sum(1) + blank,
        "started_units": ((batch.schedule_mw == 0) & (np.nan_to_num(p) > _STARTED_MW)).sum(1),
        "short_mw": np.abs(result.short_mw).sum(1) + blank,
        "short_mvar": np.abs(result.short_mvar).sum(1) + blank,
        "data_base_violations": [None] * n,
        "status": [OpfStatus(k).name.lower() for k in result.status.tolist()],
        "iterations": result.iterations,
        "mismatch_pu": result.balance_pu,
        "violation_pu": result.violation_pu,
        "load_mw": load,
        "gen_mw": p.sum(1),
        "losses_mw": result.loss_mw + blank,
        "gen_by_fuel_mw": [list(by_fuel(net, row).items()) for row in p],
        "max_loading": loading[np.arange(n), top] if net.n_branch else np.full(n, np.nan),
        "max_loading_branch": [None if bad or not net.n_branch else str(net.branch.id[b])
                               for b, bad in zip(top.tolist(), unsolved.tolist(), strict=True)],
        "v_min_pu": np.nan_to_num(size, nan=np.inf).min(1, initial=np.inf) + blank,
        "v_max_pu": np.nan_to_num(size, nan=-np.inf).max(1, initial=-np.inf) + blank,
        **points.checks,
    }  # fmt: skip


def gen_columns(conditions: Conditions, points: Points, steps: Array) -> dict[str, Any]:
    """Columns of the table ``point_gen``."""
    unit = np.flatnonzero(conditions.net.gen.in_service)
    return {
        "step": np.repeat(steps, len(unit)),
        "gen": np.tile(unit, len(steps)),
        "p_mw": points.p_mw[:, unit].ravel(),
        "q_mvar": np.where(np.isnan(points.p_mw), np.nan, points.result.gen_q_mvar)[:, unit].ravel(),
    }


def bus_columns(points: Points, steps: Array, wanted: bool) -> dict[str, Any]:
    """Columns of the table ``point_bus``, empty where the states are not wanted."""
    if not wanted:
        return {name: np.zeros(0) for name in ("v_mag", "v_ang")} | {name: np.zeros(0, int) for name in ("step", "bus")}
    result, n_bus = points.result, points.result.v_mag.shape[1]
    size = np.where((points.label == 3)[:, None], np.nan, result.v_mag)
    return {
        "step": np.repeat(steps, n_bus), "bus": np.tile(np.arange(n_bus), len(steps)), "v_mag": size.ravel(),
        "v_ang": np.where(np.isnan(size), np.nan, result.v_ang).ravel(),
    }  # fmt: skip


def reason_columns(conditions: Conditions, points: Points, steps: Array) -> dict[str, Any]:
    """Columns of the table ``reasons``: what is missing at which bus and which limits are broken, in infeasible steps."""
    net, result = conditions.solved, points.result
    size = result.v_mag
    over = (result.loading - 1) * net.branch.rate_mva
    rows: list[tuple[int, str, str, int, float, str]] = []
    bus = net.bus
    looked = bus.in_service & ~bus.is_star
    for i in np.flatnonzero(points.label == 2).tolist():
        found = (
            ("short_mw", "bus", result.short_mw[i], _TOLD_MW, "MW"),
            ("unused_mw", "bus", -result.short_mw[i], _TOLD_MW, "MW"),
            ("short_mvar", "bus", result.short_mvar[i], _TOLD_MW, "Mvar"),
            ("unused_mvar", "bus", -result.short_mvar[i], _TOLD_MW, "Mvar"),
            ("overload", "branch", np.where(result.loading[i] > 1 + _TOLD_LOADING, over[i], 0.0), 0.0, "MVA"),
            ("binding_rating", "branch", result.rating_price[i], _TOLD_PRICE, "currency/MVAh"),
            ("voltage_low", "bus", np.where(looked, bus.v_min_pu - size[i], 0.0), _TOLD_PU, "pu"),
            ("voltage_high", "bus", np.where(looked, size[i] - bus.v_max_pu, 0.0), _TOLD_PU, "pu"),
        )
        for kind, table, amount, least, unit in found:
            rows += [
                (int(steps[i]), kind, table, k, float(amount[k]), unit)
                for k in np.flatnonzero(np.nan_to_num(amount) > least).tolist()
            ]
    step, kinds, tables, element, amounts, units = zip(*rows, strict=True) if rows else [()] * 6
    return {
        "step": np.array(step, int), "kind": list(kinds), "element_table": list(tables), "element": np.array(element, int),
        "element_id": [str(getattr(net, t).id[k]) for t, k in zip(tables, element, strict=True)],
        "amount": np.array(amounts, float), "unit": list(units),
    }  # fmt: skip


def _cost(net: Network, p: Array) -> Array:
    """(n,) cost of the units in service, currency/h; a curve where there is one, else the polynomial."""
    gen = net.gen
    each = gen.cost_c0_per_h * (p > 0) + gen.cost_c1_per_mwh * p + gen.cost_c2_per_mw2h * p**2
    point = net.cost_point
    for g in np.unique(point.gen).tolist():
        rows = np.flatnonzero(point.gen == g)
        rows = rows[np.argsort(point.p_mw[rows], kind="stable")]
        each[:, g] = np.where(p[:, g] > 0, np.interp(p[:, g], point.p_mw[rows], point.cost_per_h[rows]), 0.0)
    total: Array = np.where(gen.in_service, each, 0.0).sum(1)
    return total
