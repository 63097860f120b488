"""Tables of an optimality system and the state of a tile of scenarios: what `kkt`, `elimination` and `steps` work on.

Shapes: arrays of a tile are flat, ``[row * LANES + lane]``; nodes are in elimination order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.simd import room

Array = np.ndarray


class Nodes(NamedTuple):
    """Node rows, elimination order.

    Attributes:
        fixed: (n,) int8, 1 where the angle is given (references), 2 where the node is dead.
        g, b: (n,) shunt admittance, pu.
        v_hi, v_lo: (n,) voltage limits, pu; at_hi, at_lo: (n,) int32 their inequalities, -1 for none.
    """

    fixed: Array
    g: Array
    b: Array
    v_hi: Array
    v_lo: Array
    at_hi: Array
    at_lo: Array


class Branches(NamedTuple):
    """Branches in service, m of them.

    Attributes:
        i, j: (m,) int32 end nodes; place: (m,) int32 their pair; flip: (m,) int8, 1 where the pair is (j, i).
        pair_of: (n_up,) int32 pair of each upper block of the factor, -1 for none; low, high: (m_pair,) int32 nodes of the pairs.
        y: (m, 8) g, b of y_ff, y_ft, y_tf, y_tt, pu.
        limit: (m,) 1 / rate^2, pu; at_from, at_to: (m,) int32 inequalities of the two ends' flows, -1 for none.
        angle: (m, 4) a, b of the upper and of the lower angle limit; at_hi, at_lo: (m,) int32 their inequalities, -1 for none.
        current: (m, 8) a, b, c, d of the two ends' squared currents over their ratings, or (0, 8); at_current: (m, 2) int32.
        tap: (m,) int32 which of the free taps acts at the from end, -1 for none; ``y`` is then that of the line behind it.
    """

    i: Array
    j: Array
    place: Array
    flip: Array
    pair_of: Array
    low: Array
    high: Array
    y: Array
    limit: Array
    at_from: Array
    at_to: Array
    angle: Array
    at_hi: Array
    at_lo: Array
    current: Array
    at_current: Array
    tap: Array


class Units(NamedTuple):
    """Injections that are free within bounds: of active and of reactive power, each a row, k of them.

    Attributes:
        row: (k,) int32, 2 node + 0 (active) or 1 (reactive); -1 for what is no injection (see `controls`).
        at_hi, at_lo: (k,) int32 inequalities of the bounds, -1 for none.
        tied: (k,) int8, 1 where a capability curve joins active and reactive power, which `controls` then eliminates.
    """

    row: Array
    at_hi: Array
    at_lo: Array
    tied: Array


class Curves(NamedTuple):
    """Units with a capability curve: cuts ``a_p p + a_q q <= b``.

    Attributes:
        first, last, reactive: (c,) int32 the unit's rows of active power and that of reactive power.
        ptr: (c + 1,) int32 its cuts; cut: (x, 3) a_p, a_q, b; at: (x,) int32 their inequalities.
    """

    first: Array
    last: Array
    reactive: Array
    ptr: Array
    cut: Array
    at: Array


class Controls(NamedTuple):
    """Other scalars that are free within bounds; their values and bounds are rows of `Units`. See `controls`.

    Attributes:
        tap: (t,) int32 rows of taps and phase shifters; tap_branch: (t,) int32; tap_from: (t, 4) ratio and shift (rad) at 0, and
            what a unit of the value adds to them.
        sink: (s,) int32 rows of what consumes at one node (shunt, load not served); sink_node: (s,) int32.
        link: (l,) int32 rows of HVDC links, one a direction; link_i, link_j: (l,) int32 sending and receiving node;
            link_place, link_flip: their pair as in `Branches`; link_share: (l,) share that arrives.
    """

    tap: Array
    tap_branch: Array
    tap_from: Array
    sink: Array
    sink_node: Array
    link: Array
    link_i: Array
    link_j: Array
    link_place: Array
    link_flip: Array
    link_share: Array


class System(NamedTuple):
    """All tables of a problem."""

    nodes: Nodes
    branches: Branches
    units: Units
    curves: Curves
    controls: Controls


class State(NamedTuple):
    """A tile's scenarios.

    Attributes:
        e, f: (n,) voltages; x: (k,) unit injections, lam: (2 n,) multipliers of the balances.
        alive: (n,) 1, or 0 where an outage leaves a node without supply; need: (2 n,) fixed consumption.
        on: (m,) 1 or 0, branch in service; hi, lo: (k,) bounds; live: (k,) 1 where a unit runs;
        linear, quadratic: (k,) cost of each unit in each lane.
        h, z, mu, t, rho: (q,) inequalities with slack, multiplier, excess and price (0: may not be broken).
        w, c: (q,) the W and C of the step; hdx: (q,) h' dx.
        d, inverse: (16 n,), upper: (16 n_up,): the factor; own: (16 n,), pair: (16 m_pair,): the system's blocks of nodes and
            of pairs of nodes that branches join; rhs and step: (4 n,), right-hand side and solution.
        grad: (2 n,) and grad_x: (k,) gradient of the Lagrangian; g: (2 n,) balance; bend and pull: (k,) D and N of the units.
        scratch: (16,); spare: (4 n,).
        draw: (4 n,) consumption in proportion to V and to V^2, active, then reactive; empty where there is none.
        turn: (2 t,) cos(shift) / ratio and sin(shift) / ratio of free taps; tap_row: (20 t,) what they take from their branches;
        shape: (6 s,) what a unit of each sink consumes: active, then reactive, each in proportion to 1, V, V^2;
        reach: (8 (t + s + l),) how each control meets the unknowns of its node or nodes; curve: (7 c,) eliminated curves.
    """

    e: Array
    f: Array
    x: Array
    lam: Array
    alive: Array
    need: Array
    on: Array
    hi: Array
    lo: Array
    live: Array
    linear: Array
    quadratic: Array
    h: Array
    z: Array
    mu: Array
    t: Array
    rho: Array
    w: Array
    c: Array
    hdx: Array
    d: Array
    inverse: Array
    upper: Array
    own: Array
    pair: Array
    rhs: Array
    step: Array
    grad: Array
    grad_x: Array
    g: Array
    bend: Array
    pull: Array
    scratch: Array
    spare: Array
    draw: Array
    turn: Array
    tap_row: Array
    shape: Array
    reach: Array
    curve: Array


def make_state(system: System, n_up: int, n_limit: int, drawn: bool = False) -> State:
    """Allocate a tile.

    Args:
        n_up: upper blocks of the factor; n_limit: inequalities.
        drawn: whether consumption depends on voltages.
    """
    n, m, k, q = len(system.nodes.fixed), len(system.branches.i), len(system.units.row), n_limit
    n_pair, controls = len(system.branches.low), system.controls
    n_tap, n_sink, n_link = len(controls.tap), len(controls.sink), len(controls.link)
    rows = {
        "e": n, "f": n, "x": k, "lam": 2 * n, "alive": n, "need": 2 * n, "on": m, "hi": k, "lo": k, "live": k, "linear": k,
        "quadratic": k, "h": q, "z": q, "mu": q, "t": q, "rho": q, "w": q, "c": q, "hdx": q, "d": 16 * n, "inverse": 16 * n,
        "upper": 16 * n_up, "own": 16 * n, "pair": 16 * n_pair, "rhs": 4 * n, "step": 4 * n, "grad": 2 * n, "grad_x": k,
        "g": 2 * n, "bend": k, "pull": k, "scratch": 16, "spare": 4 * n, "draw": 4 * n if drawn else 0, "turn": 2 * n_tap,
        "tap_row": 20 * n_tap, "shape": 6 * n_sink, "reach": 8 * (n_tap + n_sink + n_link), "curve": 7 * len(system.curves.first),
    }  # fmt: skip
    # one piece of memory, so that large grids' lie in large pages
    block, at = room(sum(rows.values()) * LANES), 0
    parts = {}
    for name, count in rows.items():
        parts[name] = block[at : at + count * LANES]
        at += count * LANES
    state = State(**parts)
    for ones in (state.e, state.alive, state.on, state.live, state.z, state.mu, state.bend):
        ones[:] = 1.0
    state.h[:] = -1.0
    return state
