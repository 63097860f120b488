"""Slopes of quantities of outage states by what an operator sets, which cuts are made of.

The post-outage state s of a power flow ``g(s; injections, set-points) = 0`` moves with what an operator sets. For a quantity f of
that state (a flow, a voltage) the adjoint ``(dg/ds)' lambda = -df/ds`` gives all slopes at once: ``df/dx = -lambda`` for an
injection into a node, and what is left of the row of ``ln|V|`` for a set-point. The transposed Jacobian is a block of the
optimality matrix without curvature, so the same assembly, pattern and factorisation serve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from aurigrid.kernels.elimination import factorise, solve
from aurigrid.kernels.kkt import ANCHOR, add_branches, add_nodes
from aurigrid.kernels.simd import LANES64 as LANES

Array = np.ndarray


class Asked(NamedTuple):
    """Post-outage states and quantities of them whose slopes are wanted; nodes in elimination order.

    Attributes:
        e, f: (c, n) voltages of each state; keeps: (c, n) int8, 1 where a voltage is held; angle: (c, n) int8, 1 at references.
        out_ptr, out_branch: branches (rows of `Branches`) out in each state; off_ptr, off_node: nodes without supply.
        ptr: (c + 1,) int32 quantities of each state; at: (k, 2) int32 nodes and slope (k, 4) derivatives by theta and ln|V| of
            the first, then of the second.
    """

    e: Array
    f: Array
    keeps: Array
    angle: Array
    out_ptr: Array
    out_branch: Array
    off_ptr: Array
    off_node: Array
    ptr: Array
    at: Array
    slope: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _lay_out(asked, state, case, lane):
    """Put a state into a lane."""
    n = asked.e.shape[1]
    for i in range(n):
        at = i * LANES + lane
        state.e[at], state.f[at], state.alive[at] = asked.e[case, i], asked.f[case, i], 1.0
    for k in range(len(state.on) // LANES):
        state.on[k * LANES + lane] = 1.0
    for x in range(asked.out_ptr[case], asked.out_ptr[case + 1]):
        state.on[asked.out_branch[x] * LANES + lane] = 0.0
    for x in range(asked.off_ptr[case], asked.off_ptr[case + 1]):
        state.alive[asked.off_node[x] * LANES + lane] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _hold(asked, nodes, state, case, lane):
    """Hold angles and voltages that are given, and drop the balances that follow from them."""
    n = asked.e.shape[1]
    for i in range(n):
        at = 16 * i * LANES + lane
        if nodes.fixed[i] == 2 or state.alive[i * LANES + lane] == 0.0:
            for y in (0, 5, 10, 15):
                state.own[at + y * LANES] += ANCHOR
            continue
        if asked.angle[case, i] != 0:
            state.own[at] += ANCHOR
            state.own[at + 10 * LANES] -= ANCHOR
        if asked.keeps[case, i] != 0:
            state.own[at + 5 * LANES] += ANCHOR
            state.own[at + 15 * LANES] -= ANCHOR


@njit(cache=True, nogil=True, error_model="numpy")
def outage_slopes(pattern, nodes, branches, state, asked, first, last, by_p, by_q, by_u, loss):
    """Slopes of the quantities of states ``first`` to ``last``: LANES states at a time.

    Args:
        by_p, by_q: (k, n) receive the slopes by active and reactive injections, by_u (k, n) those by ln|V| of held voltages,
            with the references taking the balance; loss (c, 3 n) how much less the references then inject, by active injections,
            ln|V| and reactive injections in turn.
    """
    n = asked.e.shape[1]
    gamma = np.zeros(LANES)
    state.lam[:] = 0.0
    for start in range(first, last, LANES):
        count = min(LANES, last - start)
        most = 0
        for lane in range(LANES):
            case = start + min(lane, count - 1)
            _lay_out(asked, state, case, lane)
            most = max(most, asked.ptr[case + 1] - asked.ptr[case])
        add_nodes(nodes, state, gamma)
        add_branches(branches, state, gamma)
        for lane in range(LANES):
            _hold(asked, nodes, state, start + min(lane, count - 1), lane)
        factorise(pattern, branches, state, 1e-9, 1e-9)
        x = state.step
        for turn in range(most + 1):
            x[:] = 0.0
            for lane in range(count):
                case = start + lane
                k = asked.ptr[case] + turn
                if turn == most:
                    for i in range(n):
                        if asked.angle[case, i] != 0:
                            x[(4 * i + 2) * LANES + lane] = -ANCHOR
                elif k < asked.ptr[case + 1]:
                    for side in range(2):
                        i = asked.at[k, side]
                        x[4 * i * LANES + lane] += asked.slope[k, 2 * side]
                        x[(4 * i + 1) * LANES + lane] += asked.slope[k, 2 * side + 1]
            solve(pattern, state, x)
            for lane in range(count):
                case = start + lane
                k = asked.ptr[case] + turn
                if turn == most:
                    for i in range(n):
                        loss[case, i] = x[(4 * i + 2) * LANES + lane]
                        by_loss = x[(4 * i + 1) * LANES + lane] * ANCHOR
                        loss[case, n + i] = by_loss if asked.keeps[case, i] != 0 else 0.0
                        loss[case, 2 * n + i] = x[(4 * i + 3) * LANES + lane]
                elif k < asked.ptr[case + 1]:
                    for i in range(n):
                        by_p[k, i] = x[(4 * i + 2) * LANES + lane]
                        by_q[k, i] = x[(4 * i + 3) * LANES + lane]
                        by_u[k, i] = x[(4 * i + 1) * LANES + lane] * ANCHOR if asked.keeps[case, i] != 0 else 0.0
