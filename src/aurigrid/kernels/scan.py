"""Limits that solved cases break: flows against ratings, voltages against bands and against the base state.

Cases are looked at `LANES` at a time, side by side, as squared apparent powers and squared magnitudes; only where a lane passes
a limit is it looked at alone, with square roots, and kept. So the usual case costs little, and memory follows the violations
and not the cases.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.simd import LANES, blend, item, load, side_by_side, some, splat, store, vmax, vsqrt

OVERLOAD, OVERLOAD_SHORT, V_LOW, V_HIGH, V_STEP = 0, 1, 2, 3, 4

# what the squares' rounding may hide: the look at one lane alone decides
_WIDER = 1e-12


@njit(cache=True, nogil=True, error_model="numpy")
def _added(records, count, case, element, kind, value, before):
    """Records (k, 5) with one more, in the same array or in one twice as large."""
    if count == len(records):
        bigger = np.empty((2 * count, 5))
        bigger[:count] = records
        records = bigger
    records[count, 0], records[count, 1], records[count, 2] = case, element, kind
    records[count, 3], records[count, 4] = value, before
    return records


@njit(cache=True, nogil=True, error_model="numpy")
def _squared_powers(y, k, ef, ff, et, ft):
    """Squared apparent powers at the two ends of a branch, pu, of one state or of lanes."""
    k = 8 * k
    g1, b1, g2, b2 = item(y, k), item(y, k + 1), item(y, k + 2), item(y, k + 3)
    re, im = ef * g1 - ff * b1 + et * g2 - ft * b2, ff * g1 + ef * b1 + ft * g2 + et * b2
    sent = (ef * ef + ff * ff) * (re * re + im * im)
    g1, b1, g2, b2 = item(y, k + 4), item(y, k + 5), item(y, k + 6), item(y, k + 7)
    re, im = ef * g1 - ff * b1 + et * g2 - ft * b2, ff * g1 + ef * b1 + ft * g2 + et * b2
    return sent, (et * et + ft * ft) * (re * re + im * im)


@njit(cache=True, nogil=True, error_model="numpy")
def _magnitude(v, row, a):
    return np.sqrt(v[row, 2 * a] ** 2 + v[row, 2 * a + 1] ** 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _band(base_v, row, node, v_min, v_max, v_step, share, low_square, high_square):
    """Squared voltages between which a bus breaks neither its band nor the step from a base state."""
    for i in range(len(node)):
        if node[i] < 0:
            continue
        low, high = v_min[i] - share, v_max[i] + share
        before = _magnitude(base_v, row, node[i])
        if before == before:
            low, high = max(low, before - v_step), min(high, before + v_step)
        low_square[i] = low * low * (1.0 + _WIDER) if low > 0.0 else 0.0
        high_square[i] = high * high * (1.0 - _WIDER) if high < np.inf else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _look_at_bus(records, count, s, i, square, before, v_min, v_max, v_step, share):
    """Add what the voltage of one bus breaks in one case."""
    size = np.sqrt(square)
    for kind in range(V_LOW, V_STEP + 1):
        if kind == V_LOW:
            broken = size < v_min[i] - share
        elif kind == V_HIGH:
            broken = size > v_max[i] + share
        else:
            broken = abs(size - before) > v_step
        if broken:
            records = _added(records, count, s, i, kind, size, before)
            count += 1
    return records, count


@njit(cache=True, nogil=True, error_model="numpy")
def scan(
    v, base_v, base_row, lo, hi, from_node, to_node, y, scale, rate, rate_short, out_ptr, out_branch, node, v_min, v_max, v_step,
    slack_share, worst_loading, lowest, highest, inside,
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
        inside: (n_case,) receive the least distance of a voltage inside its band, pu; negative where it is outside.

    Returns:
        (k, 5): case, element, kind, value (MVA or pu), value in the base state; by case, branches before buses.
    """
    n, n_branch, n_bus = v.shape[1] // 2, len(from_node), len(node)
    y = y.reshape(y.size)
    records = np.empty((256, 5))
    count = 0
    out_in = np.full(n_branch, -1, np.int64)
    grow = (1.0 + slack_share) ** 2
    rated, limits, least = np.empty(n_branch), np.empty((n_branch, 2)), np.empty(n_branch)
    for k in range(n_branch):
        long_square = (rate[k] / scale) ** 2
        rated[k] = 1.0 / long_square
        limits[k, 0], limits[k, 1] = long_square * grow, (rate_short[k] / scale) ** 2 * grow
        least[k] = min(limits[k, 0], limits[k, 1])
    low_square, high_square = np.zeros(n_bus), np.full(n_bus, np.inf)
    row = -1
    e, f = np.zeros(n * LANES), np.zeros(n * LANES)
    room, bottom, top = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    for first in range(lo, hi, LANES):
        lanes = min(LANES, hi - first)
        side_by_side(v, first, lanes, e, f)
        for x in range(out_ptr[first], out_ptr[first + lanes]):
            out_in[out_branch[x]] = first
        worst = splat(0.0)
        for k in range(n_branch):
            if from_node[k] < 0:
                continue
            at, to = from_node[k] * LANES, to_node[k] * LANES
            sent, got = _squared_powers(y, k, load(e, at), load(f, at), load(e, to), load(f, to))
            square = vmax(sent, got)
            if out_in[k] == first:
                store(room, 0, square)
                for lane in range(lanes):
                    for x in range(out_ptr[first + lane], out_ptr[first + lane + 1]):
                        if out_branch[x] == k:
                            room[lane] = 0.0
                square = load(room, 0)
            worst = vmax(square * rated[k], worst)
            if some(square - least[k]):
                store(room, 0, square)
                for lane in range(lanes):
                    if not room[lane] > least[k]:
                        continue
                    r, a, b = base_row[first + lane], 2 * from_node[k], 2 * to_node[k]
                    sent_before, got_before = _squared_powers(
                        y, k, base_v[r, a], base_v[r, a + 1], base_v[r, b], base_v[r, b + 1]
                    )
                    value, before = np.sqrt(room[lane]) * scale, np.sqrt(max(sent_before, got_before)) * scale
                    for kind in range(2):
                        if room[lane] > limits[k, kind]:
                            records = _added(records, count, first + lane, k, kind, value, before)
                            count += 1
        # one band for the tile: of one base state, or without a step to compare with any
        alike = True
        for lane in range(lanes):
            alike = alike and (base_row[first + lane] == base_row[first] or v_step == np.inf)
        if alike and base_row[first] != row:
            row = base_row[first]
            _band(base_v, row, node, v_min, v_max, v_step, slack_share, low_square, high_square)
        low, high, none, past = splat(np.inf), splat(0.0), splat(np.nan), splat(-np.inf)
        for i in range(n_bus):
            if node[i] < 0:
                continue
            ei, fi = load(e, node[i] * LANES), load(f, node[i] * LANES)
            square = ei * ei + fi * fi
            # no voltage at all is none to compare
            square = blend(square, square, none)
            low, high, size = -vmax(-square, -low), vmax(square, high), vsqrt(square)
            past = vmax(vmax(v_min[i] - size, size - v_max[i]), past)
            if not alike or some(vmax(low_square[i] - square, square - high_square[i])):
                store(room, 0, square)
                for lane in range(lanes):
                    if room[lane] > 0.0:
                        before = _magnitude(base_v, base_row[first + lane], node[i])
                        records, count = _look_at_bus(
                            records, count, first + lane, i, room[lane], before, v_min, v_max, v_step, slack_share
                        )
        store(room, 0, worst)
        store(bottom, 0, low)
        store(top, 0, high)
        for lane in range(lanes):
            worst_loading[first + lane] = np.sqrt(room[lane])
            lowest[first + lane], highest[first + lane] = np.sqrt(bottom[lane]), np.sqrt(top[lane])
        store(room, 0, -past)
        for lane in range(lanes):
            inside[first + lane] = room[lane]
    found = records[:count]
    return found[np.argsort(found[:, 0], kind="mergesort")]
