"""Limits that solved cases break: flows against ratings, voltages against bands and against the base state.

One pass over branches and buses of each case; only what breaks a limit is kept, so memory follows the violations and not
the cases. Flows are squared apparent powers until a limit is broken, so that the usual case takes no square root.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OVERLOAD, OVERLOAD_SHORT, V_LOW, V_HIGH, V_STEP = 0, 1, 2, 3, 4


@njit(cache=True, nogil=True, error_model="numpy")
def _grown(records):
    bigger = np.empty((2 * len(records), 5))
    bigger[: len(records)] = records
    return bigger


@njit(cache=True, nogil=True, error_model="numpy")
def scan(
    v, base_v, base_row, lo, hi, from_node, to_node, y, scale, rate, rate_short, out_ptr, out_branch, node, v_min, v_max, v_step,
    slack_share, worst_loading, lowest, highest,
):  # fmt: skip
    """Violations of cases lo..hi.

    Args:
        v, base_v: (n_case, 2 n_node), (n_base, 2 n_node) voltages, real and imaginary parts in turn, pu; NaN where none.
        base_row: (n_case,) base state of each case.
        from_node, to_node: (n_branch,) int32, -1 where out of service; y (n_branch, 8), pu; scale: MVA of one pu.
        rate, rate_short: (n_branch,) MVA, inf for none.
        out_ptr, out_branch: branches out in each case.
        node: (n_bus,) node of each bus, -1 for buses not to look at; v_min, v_max (n_bus,) pu; v_step: largest change, pu.
        slack_share: share of a limit by which it may be passed before it counts.
        worst_loading, lowest, highest: (n_case,) receive the largest loading and the extreme voltages.

    Returns:
        (k, 5): case, element, kind, value (MVA or pu), value in the base state.
    """
    records = np.empty((256, 5))
    count = 0
    n_branch = len(from_node)
    is_out = np.full(n_branch, -1, np.int64)
    grow = 1.0 + slack_share
    long_square, short_square = np.empty(n_branch), np.empty(n_branch)
    for k in range(n_branch):
        long_square[k] = (rate[k] / scale) ** 2
        short_square[k] = (rate_short[k] / scale) ** 2
    for s in range(lo, hi):
        for x in range(out_ptr[s], out_ptr[s + 1]):
            is_out[out_branch[x]] = s
        worst = 0.0
        for k in range(n_branch):
            a, b = from_node[k], to_node[k]
            if a < 0 or is_out[k] == s:
                continue
            ef, ff, et, ft = v[s, 2 * a], v[s, 2 * a + 1], v[s, 2 * b], v[s, 2 * b + 1]
            re = y[k, 0] * ef - y[k, 1] * ff + y[k, 2] * et - y[k, 3] * ft
            im = y[k, 0] * ff + y[k, 1] * ef + y[k, 2] * ft + y[k, 3] * et
            square = (ef * ef + ff * ff) * (re * re + im * im)
            re = y[k, 4] * ef - y[k, 5] * ff + y[k, 6] * et - y[k, 7] * ft
            im = y[k, 4] * ff + y[k, 5] * ef + y[k, 6] * ft + y[k, 7] * et
            square = max(square, (et * et + ft * ft) * (re * re + im * im))
            share = square / long_square[k]
            worst = max(worst, share)
            if share > grow * grow or square > short_square[k] * grow * grow:
                r = base_row[s]
                bf, bg, bt, bu = base_v[r, 2 * a], base_v[r, 2 * a + 1], base_v[r, 2 * b], base_v[r, 2 * b + 1]
                re = y[k, 0] * bf - y[k, 1] * bg + y[k, 2] * bt - y[k, 3] * bu
                im = y[k, 0] * bg + y[k, 1] * bf + y[k, 2] * bu + y[k, 3] * bt
                before = (bf * bf + bg * bg) * (re * re + im * im)
                re = y[k, 4] * bf - y[k, 5] * bg + y[k, 6] * bt - y[k, 7] * bu
                im = y[k, 4] * bg + y[k, 5] * bf + y[k, 6] * bu + y[k, 7] * bt
                before = max(before, (bt * bt + bu * bu) * (re * re + im * im))
                for kind in range(2):
                    if square > (long_square[k] if kind == OVERLOAD else short_square[k]) * grow * grow:
                        if count == len(records):
                            records = _grown(records)
                        records[count, 0], records[count, 1], records[count, 2] = s, k, kind
                        records[count, 3], records[count, 4] = np.sqrt(square) * scale, np.sqrt(before) * scale
                        count += 1
        worst_loading[s] = np.sqrt(worst)
        low, high = np.inf, 0.0
        for i in range(len(node)):
            a = node[i]
            if a < 0:
                continue
            square = v[s, 2 * a] ** 2 + v[s, 2 * a + 1] ** 2
            if not square > 0.0:
                continue
            size = np.sqrt(square)
            low, high = min(low, size), max(high, size)
            r = base_row[s]
            before = np.sqrt(base_v[r, 2 * a] ** 2 + base_v[r, 2 * a + 1] ** 2)
            for kind in range(V_LOW, V_STEP + 1):
                if kind == V_LOW:
                    broken = size < v_min[i] - slack_share
                elif kind == V_HIGH:
                    broken = size > v_max[i] + slack_share
                else:
                    broken = abs(size - before) > v_step
                if broken:
                    if count == len(records):
                        records = _grown(records)
                    records[count, 0], records[count, 1], records[count, 2] = s, i, kind
                    records[count, 3], records[count, 4] = size, before
                    count += 1
        lowest[s], highest[s] = low, high
    return records[:count].copy()
