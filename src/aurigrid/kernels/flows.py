"""Branch flows from voltages, for all scenarios: the pi model's two ends.

    S_f = V_f conj(y_ff V_f + y_ft V_t),    S_t = V_t conj(y_tf V_f + y_tt V_t)

Shapes: ``v`` (n_scen, 2 n) real and imaginary parts in turn; outputs (n_scen, n_branch).
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def branch_powers(v, from_node, to_node, y, scale, out_ptr, out_branch, p_from, q_from, p_to, q_to):
    """Powers that enter each branch at its ends; 0 where it is out of service, NaN where an end has no voltage.

    Args:
        from_node, to_node: (n_branch,) int32, -1 where out of service.
        y: (n_branch, 8) g, b of y_ff, y_ft, y_tf, y_tt, pu.
        scale: MVA of one pu.
        out_ptr, out_branch: branches that are out in each scenario.
    """
    for s in range(v.shape[0]):
        for k in range(len(from_node)):
            a, b = from_node[k], to_node[k]
            if a < 0:
                p_from[s, k] = q_from[s, k] = p_to[s, k] = q_to[s, k] = 0.0
                continue
            ef, ff, et, ft = v[s, 2 * a], v[s, 2 * a + 1], v[s, 2 * b], v[s, 2 * b + 1]
            re = y[k, 0] * ef - y[k, 1] * ff + y[k, 2] * et - y[k, 3] * ft
            im = y[k, 0] * ff + y[k, 1] * ef + y[k, 2] * ft + y[k, 3] * et
            p_from[s, k], q_from[s, k] = (ef * re + ff * im) * scale, (ff * re - ef * im) * scale
            re = y[k, 4] * ef - y[k, 5] * ff + y[k, 6] * et - y[k, 7] * ft
            im = y[k, 4] * ff + y[k, 5] * ef + y[k, 6] * ft + y[k, 7] * et
            p_to[s, k], q_to[s, k] = (et * re + ft * im) * scale, (ft * re - et * im) * scale
        for x in range(out_ptr[s], out_ptr[s + 1]):
            k = out_branch[x]
            p_from[s, k] = q_from[s, k] = p_to[s, k] = q_to[s, k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def node_powers(v, from_node, to_node, y, shunt_g, shunt_b, out_ptr, out_branch, p, q):
    """Net power that each node injects into branches and shunts, pu, (n_scen, n); NaN where it has no voltage."""
    for s in range(v.shape[0]):
        for i in range(len(shunt_g)):
            square = v[s, 2 * i] ** 2 + v[s, 2 * i + 1] ** 2
            p[s, i], q[s, i] = shunt_g[i] * square, -shunt_b[i] * square
        for k in range(len(from_node)):
            a, b = from_node[k], to_node[k]
            if a < 0:
                continue
            is_out = False
            for x in range(out_ptr[s], out_ptr[s + 1]):
                is_out = is_out or out_branch[x] == k
            if is_out:
                continue
            ef, ff, et, ft = v[s, 2 * a], v[s, 2 * a + 1], v[s, 2 * b], v[s, 2 * b + 1]
            re = y[k, 0] * ef - y[k, 1] * ff + y[k, 2] * et - y[k, 3] * ft
            im = y[k, 0] * ff + y[k, 1] * ef + y[k, 2] * ft + y[k, 3] * et
            p[s, a] += ef * re + ff * im
            q[s, a] += ff * re - ef * im
            re = y[k, 4] * ef - y[k, 5] * ff + y[k, 6] * et - y[k, 7] * ft
            im = y[k, 4] * ff + y[k, 5] * ef + y[k, 6] * ft + y[k, 7] * et
            p[s, b] += et * re + ft * im
            q[s, b] += ft * re - et * im
