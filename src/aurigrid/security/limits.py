"""Which limits solved cases break: records of the scan, reactive needs and failures as rows of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.scan import scan
from aurigrid.model.network import Network
from aurigrid.powerflow.crew import in_turn, thread_count
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Injections, reactive_limits, regulators_out
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.security import report as r
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.report import Violations

Array = np.ndarray[Any, np.dtype[Any]]

_LEEWAY = 1e-6
_SCAN_CASES = 256


@dataclass(frozen=True)
class Limits:
    """What counts as a violation.

    Attributes:
        v_step_pu: largest change of a voltage against the base state, pu.
    """

    v_step_pu: float = 0.1


def scanned(
    done: Solution, base: Solution, row: Array, how: Settings, limits: Limits
) -> tuple[tuple[Array, Array, Array, Array], Array]:
    """Broken limits of solved cases, in threads.

    Returns:
        Largest loading, extreme voltages and least distance of a voltage inside its band, each (n_case,), NaN without a
        solution; records of the broken limits (`kernels.scan`).
    """
    grid, net = done.grid, done.net
    n = done.n
    worst, low, high, inside = np.zeros((4, n))
    pairs = done.cases.pairs("branch")
    ptr, element = pairs.pointers(n), pairs.element
    looked = np.where(net.bus.is_star | ~net.bus.in_service, -1, grid.node_of_bus).astype(np.int32)
    v, base_v = np.ascontiguousarray(done.v).view(float), np.ascontiguousarray(base.v).view(float)

    def part(lo: int) -> Any:
        return scan(
            v, base_v, row, lo, min(lo + _SCAN_CASES, n), grid.from_node, grid.to_node, grid.y_branch, grid.base_mva,
            net.branch.rate_mva, net.branch.rate_short_mva, ptr, element, looked, net.bus.v_min_pu, net.bus.v_max_pu,
            limits.v_step_pu, _LEEWAY, worst, low, high, inside,
        )  # fmt: skip

    records = in_turn(thread_count(how.threads), part, range(0, n, _SCAN_CASES))
    failed = ~done.converged
    worst[failed] = low[failed] = high[failed] = inside[failed] = np.nan
    return (worst, low, high, inside), np.concatenate(records) if records else np.zeros((0, 5))


def violations(
    net: Network,
    done: Solution,
    base: Solution,
    row: Array,
    outage: Array,
    records: Array,
    how: Settings,
    limits: Limits,
) -> Violations:
    case, element, kind = (records[:, c].astype(np.int64) for c in range(3))
    limit = np.select(
        [kind == r.OVERLOAD, kind == r.OVERLOAD_SHORT, kind == r.V_LOW, kind == r.V_HIGH],
        [
            *(rate[np.where(kind <= r.OVERLOAD_SHORT, element, 0)] if len(rate) else np.zeros(len(kind)) for rate in (
                net.branch.rate_mva, net.branch.rate_short_mva
            )),
            net.bus.v_min_pu[np.where(kind > r.OVERLOAD_SHORT, element, 0)],
            net.bus.v_max_pu[np.where(kind > r.OVERLOAD_SHORT, element, 0)],
        ],
        default=limits.v_step_pu,
    )  # fmt: skip
    parts = [Violations(row[case], outage[case], kind, element, records[:, 3], records[:, 4], limit)]
    if not how.q_limits:
        parts.append(_reactive(done, base, row, outage))
    islanded = np.flatnonzero((done.status == Status.ISLANDED) & (outage != r.BASE_STATE))
    lost = done.lost_load_mw[islanded]
    nothing = np.full(len(islanded), np.nan)
    whole = np.full(len(islanded), -1)
    parts.append(
        Violations(
            row[islanded],
            outage[islanded],
            np.full(len(islanded), r.ISLANDING),
            whole,
            lost,
            np.zeros_like(lost),
            nothing,
        )
    )
    failed = np.flatnonzero(~done.converged)
    nothing, whole = np.full(len(failed), np.nan), np.full(len(failed), -1)
    parts.append(
        Violations(
            row[failed], outage[failed], np.full(len(failed), r.NO_CONVERGENCE), whole, done.status[failed].astype(float),
            nothing, nothing,
        )
    )  # fmt: skip
    return Violations.join(parts)


def _reactive(done: Solution, base: Solution, row: Array, outage: Array) -> Violations:
    """Nodes whose regulators give more or less reactive power than they can, named by their first bus."""
    grid = done.grid
    held = grid.pattern.order[grid.rows.kind != 0]
    reg = grid.regulators
    column = np.full(grid.n_node, -1)
    column[held] = np.arange(len(held))
    low, high = reactive_limits(grid, Injections.of(grid, done.cases.scenarios), True)
    q_min, q_max = np.zeros((len(low), len(held))), np.zeros((len(low), len(held)))
    np.add.at(q_min.T, column[reg.node], low.T)
    np.add.at(q_max.T, column[reg.node], high.T)
    rows = row if len(low) > 1 else np.zeros(done.n, np.int64)
    need_min, need_max = q_min[rows], q_max[rows]
    case, k = regulators_out(grid, done.cases)
    np.add.at(need_min, (case, column[reg.node[k]]), -low[rows[case], k] if len(case) else 0.0)
    np.add.at(need_max, (case, column[reg.node[k]]), -high[rows[case], k] if len(case) else 0.0)
    need = np.where(done.converged[:, None], done.need_pu, np.nan)
    need[:, grid.kind[held] == 3] = np.nan
    if len(done.off.case):
        at = column[done.off.element]
        need[done.off.case[at >= 0], at[at >= 0]] = np.nan
    if len(case):
        # a node that lost all its regulators holds nothing
        total = np.bincount(column[reg.node], minlength=len(held))
        gone = np.zeros(need.shape, np.int32)
        np.add.at(gone, (case, column[reg.node[k]]), 1)
        need[gone == total] = np.nan
    leeway = _LEEWAY * np.maximum(1.0, np.abs(np.nan_to_num(need)))
    over, under = need > need_max + leeway, need < need_min - leeway
    s, c = np.nonzero(over | under)
    limit = np.where(over[s, c], need_max[s, c], need_min[s, c]) * grid.base_mva
    first_bus = np.zeros(grid.n_node, np.int64)
    first_bus[grid.node_of_bus[::-1]] = np.arange(grid.net.n_bus)[::-1]
    before = base.need_pu[row[s], np.minimum(c, base.need_pu.shape[1] - 1)] * grid.base_mva
    return Violations(
        row[s], outage[s], np.full(len(s), r.REACTIVE), first_bus[held[c]], need[s, c] * grid.base_mva, before, limit
    )


def repeat_for_twins(found: Violations, outages: Contingencies, shared: Array) -> Violations:
    """Violations of shared outages, once for each outage; identical circuits change places."""
    parts = [found]
    for k in np.flatnonzero(shared != np.arange(outages.n)):
        rows = np.flatnonzero(found.contingency == shared[k])
        if not rows.size:
            continue
        mine = found.take(rows)
        element = mine.element.copy()
        for there, here in outages.twins(int(k)):
            on_branch = mine.kind <= r.OVERLOAD_SHORT
            element[on_branch & (mine.element == here)] = there
        columns = {name: getattr(mine, name) for name in mine.__dataclass_fields__}
        parts.append(Violations(**{**columns, "element": element, "contingency": np.full(len(rows), k, np.int32)}))
    return Violations.join(parts)
