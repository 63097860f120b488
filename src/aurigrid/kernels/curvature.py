"""Steps towards a minimum where the problem bends down: the system's signature, and weights that mend it.

A step of Newton's method on the optimality system leads towards a minimum if the system has as many positive as negative
eigenvalues: then the Hessian is positive on all directions that keep the linearised balances. By Sylvester's law of inertia the
signs are those of the pivots. Where they do not balance, half of a weight times the squared step of angles and of logarithms of
magnitudes is added to the step's model and raised until they do (Waechter and Biegler 2006, section 3.1).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aurigrid.kernels.elimination import factorise
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat
from aurigrid.kernels.simd import store, vabs, vmax

Array = np.ndarray


_FIRST, _RAISE, _RECALL, _TRIES = 1e-2, 8.0, 1.0 / 3.0, 12
"""First weight of a scenario, factor of the next ones, share of the last weight that was needed to begin with, most tries."""


@njit(cache=True, nogil=True, error_model="numpy")
def hold_back(nodes, state, weight):
    """Add half of ``weight`` (LANES,) times its square in angles and logarithms of magnitudes to the step's model."""
    fixed, d, more = nodes.fixed, state.own, load(weight, 0)
    for i in range(len(fixed)):
        if fixed[i] == 0:
            k = 16 * i * LANES
            store(d, k, load(d, k) + more)
            store(d, k + 5 * LANES, load(d, k + 5 * LANES) + more)


@njit(cache=True, nogil=True, error_model="numpy")
def _sign(x):
    return x / vmax(vabs(x), splat(1e-300))


@njit(cache=True, nogil=True, error_model="numpy")
def signature(nodes, state, out):
    """Positive less negative eigenvalues of the factorised system by lane, into ``out`` (LANES,).

    Each 4x4 pivot counts as its two 2x2 saddles (see `kkt`): one of each sign where the determinant is negative, else two of
    the sign of the first entry.
    """
    fixed, d = nodes.fixed, state.d
    total = splat(0.0)
    for i in range(len(fixed)):
        if fixed[i] == 2:
            continue
        k = 16 * i * LANES
        a00, a01, a02, a03 = load(d, k), load(d, k + LANES), load(d, k + 2 * LANES), load(d, k + 3 * LANES)
        a11, a12, a13 = load(d, k + 5 * LANES), load(d, k + 6 * LANES), load(d, k + 7 * LANES)
        a22, a23, a33 = load(d, k + 10 * LANES), load(d, k + 11 * LANES), load(d, k + 15 * LANES)
        det = a00 * a22 - a02 * a02
        total = total + (1.0 + _sign(det)) * _sign(a00)
        scale = 1.0 / det
        p00, p02, p22 = a22 * scale, -(a02 * scale), a00 * scale
        x01, x03 = p00 * a01 + p02 * a12, p00 * a03 + p02 * a23
        x21, x23 = p02 * a01 + p22 * a12, p02 * a03 + p22 * a23
        s11, s13, s33 = a11 - a01 * x01 - a12 * x21, a13 - a01 * x03 - a12 * x23, a33 - a03 * x03 - a23 * x23
        total = total + (1.0 + _sign(s11 * s33 - s13 * s13)) * _sign(s11)
    store(out, 0, total)


@njit(cache=True, nogil=True, error_model="numpy")
def bend_up(pattern, system, state, primal, dual, done, last, room):
    """After `factorise`: weigh steps of lanes whose signature is not 0, and factorise again until all are.

    Args:
        done: (LANES,) bool, lanes that do not matter; last: (LANES,) the weight that each lane needed last; room: (2 LANES,).
    """
    more, weight = room[:LANES], room[LANES:]
    weight[:] = 0.0
    for _ in range(_TRIES):
        signature(system.nodes, state, more)
        wrong = False
        for lane in range(LANES):
            if done[lane] or more[lane] == 0.0:
                more[lane] = 0.0
                continue
            wrong = True
            least = max(_FIRST, _RECALL * last[lane])
            new = least if weight[lane] == 0.0 else max(_RAISE * weight[lane], least)
            more[lane], weight[lane], last[lane] = new - weight[lane], new, new
        if not wrong:
            return
        hold_back(system.nodes, state, more)
        factorise(pattern, system.branches, state, primal, dual)
