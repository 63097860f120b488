"""What a batched solver works on: the grid's rows, the conditions of each scenario, and tiles of lanes.

A tile holds `LANES` scenarios side by side. Its arrays are flat, ``[node * LANES + lane]``, with nodes in elimination
order; the tables of a `Batch` are ``(rows, n)`` in the same order. Kernels bind arrays to local names before their loops:
an attribute of a tuple inside a loop costs a reference count each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from aurigrid.kernels.pattern import Pattern
from aurigrid.kernels.simd import LANES, room

Array = np.ndarray

PQ, PV, REF, OFF = 0, 1, 2, 3
"""Kinds of node: power given, voltage regulated, angle reference, not energised."""

CONVERGED, ITERATION_LIMIT, DIVERGED, SINGULAR, HANDED_ON = 0, 1, 2, 3, 100
"""Outcomes of a lane; HANDED_ON goes on with another kind of step from where it is."""
MOST_SWITCHED = 48
"""Nodes of a lane whose regulation may differ from the base state's before chord steps neglect some of it."""
FLIPS = 4
"""How often a node may change between regulated and at its reactive limit before it stays at the limit."""


class Rows(NamedTuple):
    """The grid's admittance rows in elimination order, per unit.

    Attributes:
        kind: (n,) int8, the node kinds.
        ptr, col, g, b: off-diagonal entries of each row.
        g_diag, b_diag: (n,) diagonal.
        slot: (nnz,) where each off-diagonal block sits among its row's slots.
        blank_ptr, blank: slots of each row that start empty (fill).
        from_node, to_node: (n_branch,) end positions of every branch.
        y_branch: (n_branch, 8) g, b of y_ff, y_ft, y_tf, y_tt.
        island: (n,) int32 island of each node; islands are those of the intact grid.
        n_island: number of islands.
    """

    kind: Array
    ptr: Array
    col: Array
    g: Array
    b: Array
    g_diag: Array
    b_diag: Array
    slot: Array
    blank_ptr: Array
    blank: Array
    from_node: Array
    to_node: Array
    y_branch: Array
    island: Array
    n_island: int


class Batch(NamedTuple):
    """Conditions of each scenario. What scenarios share is stored once; what differs is addressed by row or sparse.

    Attributes:
        base_p, base_q: (n,) specified injections that no table below replaces, without regulated reactive power, pu.
        load_p, load_q, gen_p: (n_row, k) in the caller's element order and units; (0, 0) where not varied.
        load_node, gen_node: (k,) int32 node of each element, -1 where it is out of service.
        load_by, gen_by: (k,) int32 the elements in the order of their nodes.
        load_scale_p, load_scale_q, gen_scale: (k,) factor to an injection in pu (a load's is negative).
        extra_p, extra_q: (n_row, n) other injections, pu; (0, 0) where there are none.
        row: (n_scen,) int32, row of the tables above and of the voltage-dependent parts.
        v_set: (n_set, n) set-points of regulated and reference nodes, pu.
        q_min, q_max: (n_set, n) summed reactive limits of the regulating units, pu.
        alpha: (n_set, n) slack participation.
        free: (n_set, n) int8, 1 where no regulator of a node runs in a row; (0, n) where rows have no units off.
        set_row: (n_scen,) int32, row of v_set, q_min, q_max, alpha and free.
        start_e, start_f: (n_start, n) start voltages; start: (n_scen,) int32 row.
        start_held: (n_start, n_held) int8, reactive limit at which each held node starts, as in `Results.held`.
        start_slack: (n_start, n_island) lambda from which distributed slack starts, pu.
        out_ptr, out_branch: outaged branches of each scenario.
        off_ptr, off_node: nodes without supply of each scenario.
        edit_ptr, edit_node: nodes whose injection or limits differ in a scenario, with the changes
        edit_p, edit_q, edit_q_min, edit_q_max, edit_alpha, edit_v (pu, added), edit_zip (k, 4) (added to the four
            voltage-dependent parts of the node, as in zip) and edit_free (1: regulation is lost).
        kind_ptr, kind_node, kind_now: nodes that are of another kind in a scenario whose outage moves a reference, and that kind
            (int8); reference: (k,) int32 nodes that are a reference in any scenario.
        zip_node: (n,) int32, column of the node in the voltage-dependent parts, -1 for none.
        zip: (n_row or 1, 4, n_zip) injections proportional to |V| (p, q) and |V|^2 (p, q), in the order p1 p2 q1 q2, pu.
        loose: (n,) int8, 1 where an injection may differ from base_p and base_q in some scenario.
        held_place: (n_held,) int32 elimination position of each column of `Results.held`; held_column: (n,) its inverse, -1.
    """

    base_p: Array
    base_q: Array
    load_p: Array
    load_q: Array
    gen_p: Array
    load_node: Array
    gen_node: Array
    load_by: Array
    gen_by: Array
    load_scale_p: Array
    load_scale_q: Array
    gen_scale: Array
    extra_p: Array
    extra_q: Array
    row: Array
    v_set: Array
    q_min: Array
    q_max: Array
    alpha: Array
    free: Array
    set_row: Array
    start_e: Array
    start_f: Array
    start: Array
    start_held: Array
    start_slack: Array
    out_ptr: Array
    out_branch: Array
    off_ptr: Array
    off_node: Array
    edit_ptr: Array
    edit_node: Array
    edit_p: Array
    edit_q: Array
    edit_q_min: Array
    edit_q_max: Array
    edit_alpha: Array
    edit_v: Array
    edit_zip: Array
    edit_free: Array
    kind_ptr: Array
    kind_node: Array
    kind_now: Array
    reference: Array
    zip_node: Array
    zip: Array
    loose: Array
    held_place: Array
    held_column: Array


class Results(NamedTuple):
    """What is written per scenario.

    Attributes:
        v: (n_scen, 2 n) real and imaginary parts in turn, in the caller's node order (a view of complex128).
        slack: (n_scen, n_island) lambda of each island's distributed slack, pu.
        held: (n_scen, n_held) int8: 0 for a node that holds its voltage, +1 / -1 for one at its upper / lower reactive
            limit; columns are the nodes that are not plain PQ, in elimination order.
        need: (n_scen, n_held) reactive power that the regulators of those nodes give where they hold the voltage, pu.
        status, iterations, norm: (n_scen,) int8, int32, float64: outcome, steps, largest mismatch at the last look.
    """

    v: Array
    slack: Array
    held: Array
    need: Array
    status: Array
    iterations: Array
    norm: Array


class Tile(NamedTuple):
    """Working state of W scenarios.

    ``rhs`` holds the right-hand side and then the step: two rows a node, then the step of each island's slack; ``near_e`` and
    ``near_f`` the voltages in the factor's precision. ``leads`` is 1 where a node is the reference of its island, else 0.
    """

    e: Array
    f: Array
    p: Array
    q: Array
    mp: Array
    mq: Array
    leads: Array
    p_now: Array
    q_now: Array
    alpha: Array
    v_set: Array
    q_min: Array
    q_max: Array
    state: Array
    flips: Array
    special: Array
    slack: Array
    zip: Array
    head: Array
    event_next: Array
    event_lane: Array
    event_other: Array
    event_y: Array
    norm: Array
    live: Array
    chosen: Array
    every: Array
    ones: Array
    upper: Array
    near_e: Array
    near_f: Array
    rhs: Array
    border: Array
    proposed: Array
    lag: Array
    steady: Array
    row: Array
    scratch: Array
    held: Array
    path: Array
    n_path: Array
    reach: Array
    n_reach: Array
    on_path: Array
    switched: Array
    n_switched: Array
    wanted: Array
    lu: Array
    pivot: Array
    begin_e: Array
    begin_f: Array
    begin_row: Array
    edited: Array


def _most_events(batch: Batch) -> int:
    """Ends of outaged branches that the lanes may hold together, and one."""
    return int(np.max(np.diff(batch.out_ptr), initial=0)) * 2 * LANES + 1


def fits(tile: Tile, batch: Batch) -> bool:
    """Whether a tile of the same grid has room for a batch."""
    return len(tile.zip) == 4 * batch.zip.shape[2] * LANES and len(tile.event_lane) >= _most_events(batch)


def make_tile(pattern: Pattern, rows: Rows, batch: Batch, dtype: type) -> Tile:
    """Allocate the working state of one thread; ``dtype`` is the precision of the factor."""
    n, n_island, n_zip, most = pattern.n, rows.n_island, batch.zip.shape[2], _most_events(batch)

    def shares(counts: Sequence[int], kind: type) -> list[Array]:
        """Rows of lanes for each of several arrays, in one piece of memory."""
        at = np.cumsum([0, *counts]) * LANES
        block = room(int(at[-1]), kind)
        return [block[a:b] for a, b in pairwise(at.tolist())]

    e, f, p, q, mp, mq, leads, p_now, q_now, alpha, v_set, q_min, q_max, state, slack, zip_, norm, live, chosen, scratch = (
        shares([*[n] * 14, n_island, 4 * n_zip, 1, 1, 1, 4], np.float64)
    )  # fmt: skip
    upper, near_e, near_f, rhs, border, proposed, lag, steady, row = shares(
        [
            4 * pattern.n_upper,
            n,
            n,
            2 * n + n_island,
            2 * n,
            2 * n + n_island,
            2 * n + n_island,
            1,
            4 * pattern.row_size,
        ],
        dtype,
    )
    mp[:] = 1.0
    mq[:] = 1.0
    return Tile(
        e, f, p, q, mp, mq, leads, p_now, q_now, alpha, v_set, q_min, q_max, state, np.zeros(n * LANES, np.int8),
        np.zeros(n, np.int8), slack, zip_,
        np.full(n, -1, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32),
        np.zeros((most, 4)),
        norm, live, chosen, np.arange(n, dtype=np.int32), np.ones(n), upper, near_e, near_f, rhs, border, proposed, lag,
        steady, row, scratch,
        np.flatnonzero(rows.kind != PQ).astype(np.int32),
        np.zeros(n, np.int32), np.zeros(1, np.int32), np.zeros(n, np.int32), np.zeros(1, np.int32), np.zeros(n, np.int8),
        np.zeros((LANES, MOST_SWITCHED), np.int32), np.zeros(LANES, np.int32), np.zeros((LANES, MOST_SWITCHED)),
        np.zeros((LANES, MOST_SWITCHED, MOST_SWITCHED)), np.zeros((LANES, MOST_SWITCHED), np.int32),
        np.zeros(n), np.zeros(n), np.full(1, -1), np.full(LANES, -1, np.int32),
    )  # fmt: skip
