"""Outages solved from the states before them; pairs of branches that fail from there, from the states after one of their outages.

Where reactive limits are held, Newton's method may lose its way among them although a solution is near: after one outage ten
nodes may be at other limits than before, and a pair begins with all of them wrong. The state after one outage alone has them
right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution

Array = np.ndarray[Any, np.dtype[Any]]

_PARTS = ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw")


def solve_outages(net: Network, cases: Cases, how: Settings, start: Start, start_row: Array) -> Solution:
    """Power flows of outages; pairs of branches without a solution are tried again from the states after single ones.

    Args:
        start, start_row: solved states before outages, and which of them each case starts from.
    """
    done = solve_cases(net, cases, "newton", how, start, start_row)
    if how.one_step:
        return done
    ends = _pairs_of_branches(cases)
    failed = ~done.converged & (ends[:, 0] >= 0)
    if not failed.any():
        return done
    # all single outages of the states in question: many together take chord steps, which lose their way more seldom
    asked = np.flatnonzero(np.isin(start_row, start_row[failed]) & (ends[:, 0] >= 0))
    key = np.stack([np.repeat(start_row[asked], 2), np.repeat(cases.row[asked], 2), ends[asked].ravel()])
    few, place = np.unique(key, axis=1, return_inverse=True)
    alone_of = np.full((cases.n, 2), -1)
    alone_of[asked] = place.reshape(-1, 2)
    out = Pairs(np.arange(few.shape[1], dtype=np.int32), few[2].astype(np.int32))
    alone = Cases(cases.scenarios, few[1].astype(np.int32), {"branch": out}, cases.row_out)
    single = solve_cases(net, alone, "newton", how, start, few[0].astype(np.int32))
    v = np.where(np.isfinite(single.v), single.v, 1.0)
    near = Start(v, single.held, np.nan_to_num(single.slack_mw) / done.grid.base_mva)
    for side in (0, 1):
        which = np.flatnonzero(~done.converged & (ends[:, 0] >= 0))
        which = which[single.converged[alone_of[which, side]]]
        if not which.size:
            continue
        part = solve_cases(net, cases.take(which), "newton", how, near, alone_of[which, side].astype(np.int32))
        good = np.flatnonzero(part.converged)
        part.iterations[good] += done.iterations[which[good]]
        for name in _PARTS:
            getattr(done, name)[which[good]] = getattr(part, name)[good]
    return done


def _pairs_of_branches(cases: Cases) -> Array:
    """(n, 2) the branches that are out in cases of which nothing but two branches is; -1 in all others."""
    count, other = np.zeros(cases.n, np.int64), np.zeros(cases.n, bool)
    for table, pairs in cases.out.items():
        if table == "branch":
            count += np.bincount(pairs.case, minlength=cases.n)
        else:
            other[pairs.case] = True
    ends = np.full((cases.n, 2), -1, np.int64)
    two = (count == 2) & ~other
    branch = cases.beyond("branch")
    ends[two] = branch.element[two[branch.case]].reshape(-1, 2)
    return ends
