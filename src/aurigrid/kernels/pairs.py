"""Estimates of double outages from the exact changes of single ones.

Outage i changes the flows of branch k by d_i(k), exactly as its own power flow says. Outages i and j together are taken as a
combination of both changes. Taking branch i out acts as an injection at its ends that cancels its own flow; with j out as
well, its active flow is not p_i but what the combination makes of it, so the change grows in proportion:

    a p_i = p_i + b d_j(i),    b p_j = p_j + a d_i(j)
    a = (1 + r_i) / (1 - r_i r_j),    b = (1 + r_j) / (1 - r_i r_j),    r_i = d_j(i) / p_i,    r_j = d_i(j) / p_j

In a DC model that is exact (the closed form of double line outage distribution factors). Active flows are combined with a and
b; reactive flows and voltages, which follow p_i less closely, with 1 and 1:

    P(k) = P_0(k) + a d_i(k) + b d_j(k),    Q(k) = Q_0(k) + d_i(k) + d_j(k),    |V| = |V_0| + d_i|V| + d_j|V|

1 - r_i r_j vanishes where the two outages together cut the grid; those pairs are found by topology, not by these.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LOADING, LOADING_ALONE, LOADING_BOTH, LOADING_PLAIN, BAND, BAND_ALONE, BAND_BOTH = range(7)
FACTOR_HIGH, FACTOR_LOW, COUPLING, PRODUCT, MOVED_HIGH, MOVED_LOW, LOADING_RISK, BAND_RISK = range(7, 15)
REACTIVE, REACTIVE_MOST = 15, 16
N_MEASURES = 17
"""Columns that `estimate_pairs` fills.

loading: largest estimated loading, as a share of the rating, of a branch whose limit held before and after each outage alone;
loading_alone, loading_both: of that branch, its largest loading before and after single outages, and the product of the two
changes of apparent power over the rating squared; loading_plain: the largest loading with a = b = 1; band: largest distance
past a voltage band, pu, negative inside; band_alone, band_both: of that bus, the largest after single outages, and the
product of the changes, pu; factor_high, factor_low: the larger and the smaller of a - 1 and b - 1; coupling: |r_i| + |r_j|;
product: r_i r_j; moved_high, moved_low: what each outage changes in the other's active flow, pu, the larger and the
smaller; loading_risk, band_risk: as loading and band, with a doubt on top that is a share of what both outages change there;
reactive, reactive_most: what the sum of both changes asks of regulated nodes beyond their reactive limits, pu, of all nodes and
of the one that lacks most: where there is some, voltages follow single outages no longer.
"""
_LEAST_FLOW = 1e-2
_LEAST_DETERMINANT = 1e-2
_MOST_FACTOR = 5.0


@njit(cache=True, nogil=True, error_model="numpy")
def pair_factors(own_i, own_j, j_on_i, i_on_j):
    """a, b, r_i, r_j of two outages; flows in pu, held where a branch carries next to nothing or a pair nearly cuts."""
    ri = j_on_i / own_i if abs(own_i) >= _LEAST_FLOW else 0.0
    rj = i_on_j / own_j if abs(own_j) >= _LEAST_FLOW else 0.0
    det = 1.0 - ri * rj
    if abs(det) < _LEAST_DETERMINANT:
        det = _LEAST_DETERMINANT
    a, b = (1.0 + ri) / det, (1.0 + rj) / det
    return min(max(a, -_MOST_FACTOR), _MOST_FACTOR), min(max(b, -_MOST_FACTOR), _MOST_FACTOR), ri, rj


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _flows(base, change_i, change_j, size_i, size_j, inv, inv_i, inv_j, a, b, doubt, both, share, plain, risk):
    """Squares of estimated loadings of all branches into share and plain, loadings with doubt into risk."""
    for k in range(len(inv)):
        qf, qt = base[1, k] + change_i[1, k] + change_j[1, k], base[3, k] + change_i[3, k] + change_j[3, k]
        pf, pt = base[0, k] + change_i[0, k] + change_j[0, k], base[2, k] + change_i[2, k] + change_j[2, k]
        weight = min(min(inv_i[k], inv_j[k]), inv[k])
        plain[k] = max(pf * pf + qf * qf, pt * pt + qt * qt) * weight
        pf, pt = (
            base[0, k] + a * change_i[0, k] + b * change_j[0, k],
            base[2, k] + a * change_i[2, k] + b * change_j[2, k],
        )
        square = max(pf * pf + qf * qf, pt * pt + qt * qt)
        share[k] = square * weight
        unsure = doubt * (size_i[k] + size_j[k]) + both * min(size_i[k], size_j[k])
        risk[k] = (np.sqrt(square) + unsure) * np.sqrt(weight)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _bands(v0, vi, vj, low, low_i, low_j, high, high_i, high_j, doubt, both, past, risk):
    """Distances past the bands, pu, into past; with doubt into risk."""
    for k in range(len(v0)):
        v = v0[k] + vi[k] + vj[k]
        past[k] = max(min(min(low_i[k], low_j[k]), low[k]) - v, v - max(max(high_i[k], high_j[k]), high[k]))
        risk[k] = past[k] + doubt * (abs(vi[k]) + abs(vj[k])) + both * min(abs(vi[k]), abs(vj[k]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _largest(values):
    best = np.float32(-1e30)
    for k in range(len(values)):
        best = max(best, values[k])
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def estimate_pairs(
    first, second, lo, hi, branch, base, change, size, inv, alone, v_base, v_change, low, high, v_alone, q_base, q_change, q_low,
    q_high, doubt, out,
):  # fmt: skip
    """Measures of pairs lo..hi into ``out`` (n_pair, N_MEASURES).

    Args:
        first, second: (n_pair,) the two outages of each pair, positions among the single ones.
        branch: (n_single,) the branch that each single outage takes away.
        base: (4, n_branch) float32 P and Q entering at the from end and at the to end before outages, pu.
        change: (n_single, 4, n_branch) float32 what each single outage changes in them; flows of branches that are out or
            without supply go to 0.
        size: (n_single, n_branch) float32 change of apparent power, the larger end's, pu.
        inv: (1 + n_single, n_branch) float32 one over the squared rating, pu; 0 where there is no limit, where it is broken or
            where the branch is out; the last row is that before outages.
        alone: (1 + n_single, n_branch) float32 exact loadings, as shares.
        v_base, v_change: (n_bus,), (n_single, n_bus) float32 |V| before outages and its changes, pu.
        low, high: (1 + n_single, n_bus) float32 bands; far off where they are broken or the bus has no supply.
        v_alone: (1 + n_single, n_bus) float32 exact distances past the bands, pu.
        q_base, q_change: (n_held,), (n_single, n_held) float32 reactive power of regulated nodes and its changes, pu.
        q_low, q_high: (n_held,) float32 their limits; no columns where limits are not held.
        doubt: (4,) share of the sum of both changes that is in doubt without coupling, what coupling adds to it, and the most
            it may be; share of the smaller change that is.
    """
    m = base.shape[1]
    share, plain, risk = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    past, v_risk = np.empty(len(v_base), np.float32), np.empty(len(v_base), np.float32)
    last, both = len(inv) - 1, np.float32(doubt[3])
    for s in range(lo, hi):
        i, j = first[s], second[s]
        bi, bj = branch[i], branch[j]
        own_i, own_j = 0.5 * (base[0, bi] - base[2, bi]), 0.5 * (base[0, bj] - base[2, bj])
        j_on_i = 0.5 * (change[j, 0, bi] - change[j, 2, bi])
        i_on_j = 0.5 * (change[i, 0, bj] - change[i, 2, bj])
        a, b, ri, rj = pair_factors(own_i, own_j, j_on_i, i_on_j)
        a32, b32 = np.float32(a), np.float32(b)
        shaky = np.float32(min(doubt[0] + doubt[1] * (abs(ri) + abs(rj)), doubt[2]))
        _flows(
            base, change[i], change[j], size[i], size[j], inv[last], inv[i], inv[j], a32, b32, shaky, both, share, plain, risk
        )  # fmt: skip
        row = out[s]
        top = _largest(share)
        at = 0
        while at < m - 1 and share[at] < top:
            at += 1
        row[0] = np.sqrt(top)
        row[1] = max(max(alone[i, at], alone[j, at]), alone[last, at])
        row[2] = size[i, at] * size[j, at] * inv[last, at]
        row[3] = np.sqrt(_largest(plain))
        row[13], row[14] = _largest(risk), -1.0
        if len(v_base):
            _bands(
                v_base, v_change[i], v_change[j], low[last], low[i], low[j], high[last], high[i], high[j], shaky, both,
                past, v_risk
            )  # fmt: skip
            top = _largest(past)
            at = 0
            while at < len(past) - 1 and past[at] < top:
                at += 1
            row[4] = max(top, np.float32(-1.0))
            row[5] = max(max(max(v_alone[i, at], v_alone[j, at]), v_alone[last, at]), np.float32(-1.0))
            row[6] = abs(v_change[i, at] * v_change[j, at])
            row[14] = max(_largest(v_risk), np.float32(-1.0))
        row[15] = row[16] = 0.0
        for k in range(len(q_base)):
            q = q_base[k] + q_change[i, k] + q_change[j, k]
            beyond = max(max(q - q_high[k], q_low[k] - q), np.float32(0.0))
            row[15] += beyond
            row[16] = max(row[16], beyond)
        row[7], row[8] = max(a, b) - 1.0, min(a, b) - 1.0
        row[9], row[10] = min(abs(ri) + abs(rj), 10.0), min(max(ri * rj, -10.0), 10.0)
        row[11], row[12] = max(abs(j_on_i), abs(i_on_j)), min(abs(j_on_i), abs(i_on_j))
