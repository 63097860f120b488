"""States of double outages by linear steps from the sum of their single ones, reactive limits included (`kernels.settle`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from aurigrid.kernels import settle as kernel
from aurigrid.kernels.factor import Factor
from aurigrid.kernels.tile import REF
from aurigrid.powerflow.crew import in_turn, thread_count
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import own_set_points
from aurigrid.powerflow.prepared import prepared
from aurigrid.powerflow.problem import set_points
from aurigrid.powerflow.solution import Solution
from aurigrid.security.pairs import Alone, PairList, measures

Array = np.ndarray[Any, np.dtype[Any]]

FEATURES = (
    "loading", "loading_alone", "loading_both", "loading_plain", "band", "band_alone", "band_both", "factor_high",
    "factor_low", "coupling", "product", "moved_high", "moved_low", "loading_risk", "band_risk",
    "reactive", "reactive_most",
    *(f"{name}_{which}" for which in ("high", "low") for name in (
        "own", "flow_moved", "v_moved", "loading_of_one", "band_of_one", "switched", "iterations"
    )),
    "left_first", "left", "sank", "switched", "beyond", "room", "excess", "loading_settled", "band_settled", "lowest",
    "apart_high", "apart_low",
)  # fmt: skip
"""What describes a pair to a model, in the order of `features`: the measures of `kernels.pairs`, the larger and the smaller of
what describes each outage by itself (`Alone.moved`), the measures of `kernels.settle`, the larger and the smaller `apart`."""
_N_SUMMED, _N_EACH = 17, 14
EARLY = np.r_[: _N_SUMMED + _N_EACH, len(FEATURES) - 2 : len(FEATURES)]
"""Positions of the features that are known before a pair is settled."""
_NO_SUPPLY = -10.0
_NONE = np.zeros(0, np.int64)
_PAIRS_A_PART = 4096


@dataclass(frozen=True, eq=False)
class Settling:
    """What the steps of one scenario start from, nodes in elimination order (`kernels.settle.settle_pairs`)."""

    grid: Grid
    factor: Factor
    tables: tuple[Array, ...]

    @classmethod
    def of(cls, pairs: PairList, alone: Alone, base: Solution, single: Solution, q_limits: bool) -> Self:
        """From the state before outages and those after single ones, of one scenario each."""
        grid, shared = base.grid, prepared(base.grid)
        order, row = grid.pattern.order, int(base.cases.row[0])
        sc = base.cases.scenarios
        v0, v = np.where(np.isfinite(base.v[0]), base.v[0], 1.0)[order], single.v[:, order]
        e, f = np.ascontiguousarray(v0.real), np.ascontiguousarray(v0.imag)
        ratio = v / v0
        lost = ~np.isfinite(ratio) | (ratio == 0)
        ratio = np.where(lost, 1.0, ratio)
        turned, grown = np.angle(ratio), np.where(lost, _NO_SUPPLY, np.log(np.abs(ratio)))
        p, q = np.empty(grid.n_node), np.empty(grid.n_node)
        kernel.node_needs(grid.rows, e, f, p, q)
        held = shared.held if q_limits else np.zeros(0, np.int32)
        free = np.ones(grid.n_node)
        free[shared.held] = base.held[0] != 0 if q_limits else 0.0
        none, alpha = np.zeros(grid.n_node), shared.shares[1][order]
        factor = shared.factor(np.stack([e, f, none, none, free, alpha]), _NONE, _NONE, True, q_limits)
        flow, change = (0.5 * (x[..., 0, :] - x[..., 2, :]).astype(float) for x in (alone.base, alone.change))
        own = set_points(grid, own_set_points(grid, sc))
        goal = np.log(own[row if len(own) > 1 else 0][order][held])
        slack = np.nan_to_num(single.slack_mw - base.slack_mw) / grid.base_mva
        looked = np.flatnonzero(~base.net.bus.is_star & base.net.bus.in_service & np.isfinite(base.v_mag[0]))
        place = grid.pattern.position[grid.node_of_bus[looked]]
        tables = (
            pairs.branch, flow, np.ascontiguousarray(change[:, pairs.branch]), e, f, p, q, np.ascontiguousarray(alpha),
            np.ascontiguousarray(turned, np.float32), np.ascontiguousarray(grown, np.float32), np.ascontiguousarray(slack),
            held, (grid.rows.kind[held] == REF).astype(np.int8), base.held[0][: len(held)],
            np.ascontiguousarray(single.held[:, : len(held)]), alone.q_base.astype(float), alone.q_low.astype(float),
            alone.q_high.astype(float), goal, alone.inv, alone.low, alone.high, place,
        )  # fmt: skip
        return cls(grid, factor, tables)

    def measures(self, pairs: PairList, which: Array, threads: int | None) -> Array:
        """(len(which), N_SETTLED) float32 of the given pairs."""
        out = np.zeros((len(which), kernel.N_SETTLED), np.float32)
        first, second = pairs.first[which], pairs.second[which]

        def part(lo: int) -> None:
            kernel.settle_pairs(
                self.grid.pattern, self.grid.rows, self.factor, first, second, lo, min(lo + _PAIRS_A_PART, len(which)),
                *self.tables, out,
            )  # fmt: skip

        in_turn(thread_count(threads), part, range(0, len(which), _PAIRS_A_PART))
        return out


def apart(single: Solution, other: Solution) -> Array:
    """(n_single,) float32 largest |V| between two states of each outage, pu; 1 where only the first is one.

    With reactive limits a solution need not be unique. Outages that end elsewhere by another way do so beside most other outages.
    """
    size = np.nan_to_num(np.abs(np.abs(single.v) - np.abs(other.v))).max(1, initial=0.0)
    return np.where(single.converged & ~other.converged, 1.0, np.where(single.converged, size, 0.0)).astype(np.float32)


def early_features(pairs: PairList, alone: Alone, between: Array, which: Array, threads: int | None) -> Array:
    """(len(which), len(EARLY)) float32: what a model is told about each pair before it is settled; ``between`` is `apart` of the
    outages."""
    first, second = pairs.first[which], pairs.second[which]
    each = [(values[first], values[second]) for values in (alone.moved, between[:, None])]
    (moved, others), (far, near) = ((np.maximum(*v), np.minimum(*v)) for v in each)
    return np.hstack([measures(pairs, alone, which, threads), moved, others, far, near])


def all_features(pairs: PairList, settling: Settling, early: Array, which: Array, threads: int | None) -> Array:
    """(len(which), len(FEATURES)) float32: the same with where each pair settles."""
    out = np.empty((len(which), len(FEATURES)), np.float32)
    out[:, EARLY] = early
    out[:, _N_SUMMED + _N_EACH : -2] = settling.measures(pairs, which, threads)
    return out
