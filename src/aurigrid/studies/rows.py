"""From results of the engines to rows of the store: one function a table, all of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.powerflow import Status
from aurigrid.security.contingencies import ELEMENT_TABLES, KINDS, Contingencies
from aurigrid.security.report import V_STEP, SecurityReport, Violations

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.powerflow import Solution

WORSENED = 0.01
"""Share of a limit by which an outage must worsen a breach of the base state to be told."""

STATUS_WORDS = tuple(status.name.lower() for status in Status)
"""Words for statuses, by their number."""


def contingency_list_columns(net: Network, found: Contingencies) -> dict[str, Any]:
    """Columns of ``contingency_list``."""
    elements: list[list[str]] = [[] for _ in range(found.n)]
    for table in ELEMENT_TABLES:
        rows, ids = found.rows[table], getattr(net, table).id
        outage = np.repeat(np.arange(found.n), rows.count)
        for c, element in zip(outage.tolist(), ids[rows.idx].tolist(), strict=True):
            elements[c].append(f"{table}:{element}")
    return {
        "contingency": np.arange(found.n),
        "label": found.label,
        "kind": [KINDS[k] for k in found.kind.tolist()],
        "elements": elements,
        "representative": found.representative,
    }


def state_columns(base: Solution, scenario: int) -> dict[str, dict[str, Any]]:
    """Columns of ``bus_state``, ``branch_state`` and ``gen_state`` of one scenario of a base solution."""
    net, flow = base.net, base.branch_flow()
    return {
        "bus_state": {"bus": np.arange(net.n_bus), "v_mag": base.v_mag[scenario], "v_ang": base.v_ang[scenario]},
        "branch_state": {
            "branch": np.arange(net.n_branch),
            "p_from_mw": flow.p_from_mw[scenario],
            "q_from_mvar": flow.q_from_mvar[scenario],
            "p_to_mw": flow.p_to_mw[scenario],
            "q_to_mvar": flow.q_to_mvar[scenario],
            "loading": flow.loading[scenario],
        },
        "gen_state": {
            "gen": np.arange(net.n_gen),
            "p_mw": base.gen_p_mw[scenario],
            "q_mvar": base.gen_q_mvar[scenario],
        },
    }


def violation_columns(report: SecurityReport, scenario: int) -> dict[str, Any]:
    """Columns of ``violations`` of one scenario of a security report, outage by outage, the worst first.

    A limit that is broken before any outage is one row of the base state. It would come back in every outage; there it
    is kept only where the outage makes it worse by more than `WORSENED` of the limit.
    """
    import pyarrow as pa

    found = report.found.take(np.flatnonzero(report.found.scenario == scenario))
    new, worse = told(found)
    kept = np.flatnonzero(new | worse | (found.contingency < 0))
    kept = kept[np.lexsort((found.element[kept], -found.severity[kept], found.contingency[kept]))]
    found, new = found.take(kept), new[kept]
    table = found.to_arrow(report.net, report.contingencies)
    shared = ("contingency_label", "element_table", "element_id", "kind")
    return {
        **{name: table.column(name).combine_chunks() for name in shared},
        "contingency": found.contingency,
        "element": found.element,
        "value": found.value,
        "base_value": found.base_value,
        "limit": found.limit,
        "excess": np.where(np.isnan(found.limit), np.nan, found.excess),
        "new": pa.array(new),
        "severity": np.where(np.isnan(found.limit), np.nan, found.severity),
    }


def told(found: Violations) -> tuple[Array, Array]:
    """Which violations after outages say something that the base state does not.

    Returns:
        ``(new, worse)``, bool: the limit held before the outage; it did not, and the outage worsens the breach by more
        than `WORSENED` of the limit. Both are False in the base state.
    """
    after = found.contingency >= 0
    side = np.where(found.value >= found.limit, 1.0, -1.0)
    before = np.where(found.kind == V_STEP, np.nan, side * (found.base_value - found.limit))
    broken = before > 0  # False where there was no value, or is no limit
    worse = broken & (found.excess - before > WORSENED * np.abs(found.limit))
    return after & ~broken, after & worse


def contingency_columns(report: SecurityReport, scenario: int, outages: Array) -> dict[str, Any]:
    """Columns of ``contingencies`` of one scenario: a row an outage that was solved.

    Args:
        outages: the column ``contingency`` of its violations.
    """
    found, status = report.contingencies, report.status[scenario]
    position = np.flatnonzero(status != Status.SKIPPED)
    return {
        "contingency": position,
        "contingency_label": found.label[position],
        "status": _words(status[position]),
        "iterations": report.iterations[scenario, position],
        "mismatch_pu": report.mismatch_pu[scenario, position],
        "lost_load_mw": report.lost_load_mw[scenario, position],
        "lost_gen_mw": report.lost_gen_mw[scenario, position],
        "max_loading": report.worst_loading[scenario, position],
        "v_min_pu": report.v_min_pu[scenario, position],
        "v_max_pu": report.v_max_pu[scenario, position],
        "violations": np.bincount(outages[outages >= 0], minlength=found.n)[position],
    }


def step_columns(base: Solution, scenario: int, status: Array, violations: dict[str, Any]) -> dict[str, Any]:
    """The row of ``steps`` but for ``time`` and ``seconds``.

    Args:
        base: base solutions.
        scenario: which of them.
        status: (n_contingency,) statuses of its outages.
        violations: columns of ``violations`` of this step.
    """
    net, flow = base.net, base.branch_flow()
    generation, loading, v_mag = base.gen_p_mw[scenario], flow.loading[scenario], base.v_mag[scenario]
    after = violations["contingency"] >= 0
    fresh = np.asarray(violations["new"])
    # Reactive limits are small numbers beside what they hold, so their shares would crowd out everything else.
    kinds = np.array(violations["kind"].to_pylist(), dtype=object)
    worst = worst_of(violations["severity"], (fresh if fresh.any() else after) & (kinds != "reactive_limit"))
    top = int(np.nanargmax(loading)) if np.any(loading > 0) else -1
    load_mw = base.cases.scenarios.values("load_p_mw")[base.cases.row[scenario]]
    real = v_mag[np.isfinite(v_mag) & ~net.bus.is_star]
    solved = np.isin(status, (Status.CONVERGED, Status.ISLANDED, Status.SKIPPED))
    return {
        "status": STATUS_WORDS[int(base.status[scenario])],
        "iterations": int(base.iterations[scenario]),
        "mismatch_pu": float(base.mismatch_pu[scenario]),
        "load_mw": float(load_mw[net.load.in_service].sum()),
        "gen_mw": float(generation.sum()),
        "losses_mw": float(np.nansum(flow.p_from_mw[scenario] + flow.p_to_mw[scenario])),
        "gen_by_fuel_mw": by_fuel(net, generation),
        "max_loading": float(loading[top]) if top >= 0 else np.nan,
        "max_loading_branch": str(net.branch.id[top]) if top >= 0 else None,
        "v_min_pu": float(real.min()) if len(real) else np.nan,
        "v_max_pu": float(real.max()) if len(real) else np.nan,
        "outages": len(status),
        "outages_converged": int(np.count_nonzero(status == Status.CONVERGED)),
        "outages_islanded": int(np.count_nonzero(status == Status.ISLANDED)),
        "outages_failed": int(np.count_nonzero(~solved)),
        "outages_violating": len(np.unique(violations["contingency"][fresh])),
        "base_violations": int(np.count_nonzero(~after)),
        "violations": int(np.count_nonzero(after)),
        "worst_contingency": _text(violations["contingency_label"], worst),
        "worst_element": _text(violations["element_id"], worst),
        "worst_kind": _text(violations["kind"], worst),
        "worst_severity": float(violations["severity"][worst]) if worst is not None else np.nan,
    }


def _words(status: Array) -> pa.DictionaryArray:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(status.astype(np.int32)), pa.array(STATUS_WORDS, type=pa.string()))


def worst_of(severity: Array, among: Array) -> int | None:
    found = np.where(among & np.isfinite(severity), severity, -np.inf)
    return int(found.argmax()) if len(found) and np.isfinite(found.max()) else None


def _text(column: Any, row: int | None) -> str | None:
    if row is None:
        return None
    found = column[row]
    return str(found.as_py() if hasattr(found, "as_py") else found)


def by_fuel(net: Network, generation: Array) -> dict[str, float]:
    fuels = np.where(net.gen.fuel == "", "unknown", net.gen.fuel).astype(str)
    names, which = np.unique(fuels, return_inverse=True)
    totals = np.bincount(which, generation, minlength=len(names))
    return {name: float(mw) for name, mw in zip(names.tolist(), totals.tolist(), strict=True) if np.isfinite(mw)}
