"""Lower bounds on the cost of an optimal power flow, valid for any multipliers whatever.

Weak duality: for all multipliers, the least value of the Lagrangian (see `lagrangian`) over boxes that hold every point within
limits is at most the least cost. Injections and single magnitudes are minimised in closed form. The quadratic form of voltages
is at least 0 where its matrix ``M = A + diag D`` is positive semidefinite; D is free, so any A can be completed:

    shift      D + s, s the size of the lowest eigenvalue
    local      D + sum_k e_k |u_k| (sum_j |u_kj|) over eigenvalues -e_k < 0 with vectors u_k, as u u^H <= diag(|u| sum |u|)
    dominance  D = sum_j |A_ij| - A_ii (Gershgorin)

Each adds to the diagonal what it costs to be sure. A Cholesky factorisation in float64 that comes to its end, summed in any
order, proves that no eigenvalue of a real symmetric matrix is below ``- sum_k (k + 2) u M_kk`` and hence none below
``- (n + 2) u trace(M)``, up to terms in u^2 and underflow: Rump, BIT 46, 2006, 433-452, 10.1007/s10543-006-0056-1; INTLAB's
``isspd`` shifts by ``(t_k + 3) u M_kk``, t_k < k the entries to the left of the diagonal, and Roux (J. Autom. Reasoning 57, 2016,
135-156) has a machine-checked proof. For a complex matrix ``8 (n + 3) u trace(M)`` is taken, derived in docs/opf.md. That much is
taken off the bound, with the rounding of every sum. The best that is proven counts; nothing is proven of multipliers that are no
numbers, or of sums that overflow: their bound is minus infinity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.lagrangian import UNIT, Lagrangian, Multipliers, lagrangian_of

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.opf.result import OptimalPowerFlow

Array = np.ndarray[Any, np.dtype[Any]]

COMPLETIONS = ("none", "as given", "shift", "local", "dominance")
_AT_ONCE = 2**22
"""Entries of matrices that are in work at once."""


@dataclass(frozen=True, eq=False)
class LowerBound:
    """Bounds of n scenarios.

    Attributes:
        value: (n,) no point within limits costs less, currency/h; minus infinity where nothing is proven.
        completion: (n,) position in `COMPLETIONS` of how the best was proven.
        margin: (n,) what rounding takes off, contained in ``value``.
    """

    value: Array
    completion: Array
    margin: Array

    def gap(self, objective: Array) -> Array:
        """(n,) share by which points of these costs can lie above the least, of the size of their cost; infinite or NaN where
        nothing is proven."""
        with np.errstate(invalid="ignore", divide="ignore"):
            gap: Array = (objective - self.value) / np.abs(objective)
        return gap


def lower_bound(
    net: Network,
    scenarios: Scenarios | None,
    multipliers: Multipliers,
    *,
    gen_p_max_mw: Array | None = None,
    objective: dict[str, float] | None = None,
) -> LowerBound:
    """Bound the least cost of every scenario from below, from any multipliers.

    Args:
        net, scenarios, gen_p_max_mw, objective: the problem, as for `optimal_power_flow` with only units free.
        multipliers: of n scenarios, wherever they come from; the better, the tighter the bound.

    Raises:
        InputError: arrays that do not fit the problem.
    """
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    available = None if gen_p_max_mw is None else np.atleast_2d(np.asarray(gen_p_max_mw, float))
    form = Lagrangian.build(net, sc, available, objective or {"cost": 1.0})
    return bound_of(form, multipliers)


def opf_lower_bound(found: OptimalPowerFlow, *, gen_p_max_mw: Array | None = None) -> LowerBound:
    """The bound that the multipliers of optimal power flows of cost give for their scenarios."""
    return bound_of(lagrangian_of(found, gen_p_max_mw), Multipliers.of(found))


def bound_of(form: Lagrangian, multipliers: Multipliers) -> LowerBound:
    """The bounds of scenarios that are in the Lagrangian's terms already."""
    n, size = form.n, form.problem.grid.n_node
    value, margin = np.full(n, -np.inf), np.zeros(n)
    completion = np.zeros(n, np.int8)
    known = np.flatnonzero(multipliers.finite)
    step = max(1, _AT_ONCE // max(1, size * size))
    for first in range(0, len(known), step):
        rows = known[first : first + step]
        value[rows], completion[rows], margin[rows] = _some(form.rows(rows), multipliers.take(rows))
    return LowerBound(value, completion, margin)


def _some(form: Lagrangian, given: Multipliers) -> tuple[Array, Array, Array]:
    value, margin, completion = np.full(form.n, -np.inf), np.zeros(form.n), np.zeros(form.n, np.int8)
    with np.errstate(over="ignore", invalid="ignore"):
        y = form.allowed(given)
        diagonal, off = form.quadratic_form(y)
        fixed, size = form.apart(y)
        size = size + _matrix_size(form, y)
        for s in np.flatnonzero(np.isfinite(fixed) & np.isfinite(size)):
            matrix = form.dense(diagonal[[s]], off[[s]])[0]
            row = np.array([s])
            value[s], margin[s], completion[s] = _one(form.rows(row), y.take(row), matrix, fixed[s], size[s])
    return value, completion, margin


def _one(form: Lagrangian, y: Multipliers, matrix: Array, fixed: float, size: float) -> tuple[float, float, int]:
    """Best proven bound of one scenario, what rounding takes off it, and its completion.

    Args:
        matrix: A; fixed: the part of the dual function besides voltages; size: of all terms but single magnitudes'.
    """
    alive = form.at.alive[0]
    matrix = matrix[np.ix_(alive, alive)]
    terms = 4 * form.problem.injection.count + 8 * len(form.problem.branch) + 8 * len(matrix) + 64
    best = (-np.inf, 0.0, 0)
    for kind, square in _completions(matrix, y.square[0][alive]):
        worst = _negative(matrix + np.diag(square))
        if worst is None:
            continue
        full = np.zeros((1, len(alive)))
        full[0, alive] = square
        value, sizes = form.magnitudes(y, full)
        lost = worst * float((form.hi[alive] ** 2).sum()) + 2 * terms * UNIT * (size + float(sizes[0]))
        total = fixed + float(value[0]) - lost
        if np.isfinite(total) and total > best[0]:
            best = (total, lost, kind)
        if kind == 1:
            break
    return best


def _matrix_size(form: Lagrangian, y: Multipliers) -> Array:
    """(n,) largest value of the quadratic form were all its parts of one sign: what the rounding of A is a share of."""
    sizes = replace(
        form, y=np.abs(form.y) * np.array([1, -1, -1, 1]), shunt=np.abs(form.shunt), turn_max=np.abs(form.turn_max) * -1.0,
        turn_min=np.abs(form.turn_min) * -1.0,
    )  # fmt: skip
    absolute = Multipliers(**{name: np.abs(getattr(y, name)) for name in y.__dataclass_fields__})
    need_z = form.at.need_z
    sizes = replace(sizes, at=replace(form.at, need_z=None if need_z is None else np.abs(need_z)))
    diagonal, off = sizes.quadratic_form(absolute)
    total: Array = (diagonal * form.hi**2).sum(1) + 2 * (np.abs(off) * form.hi[form.first] * form.hi[form.second]).sum(
        1
    )
    return total


def _completions(matrix: Array, square: Array) -> Iterator[tuple[int, Array]]:
    """Kinds and diagonals to try, until the first that needs no change is proven."""
    n = len(square)
    if not (np.isfinite(matrix).all() and np.isfinite(square).all()):
        return
    little = 16 * (n + 3) * UNIT * (np.abs(np.diag(matrix)) + np.abs(square)).sum()
    yield 1, square + little
    try:
        low, vectors = np.linalg.eigh(matrix + np.diag(square))
    except np.linalg.LinAlgError:
        low = np.zeros(0)
    if low.size:
        yield 2, square + max(-low[0], 0.0) + 4 * little
        negative = low < 0
        sizes = np.abs(vectors[:, negative])
        yield 3, square + (sizes * (-low[negative] * sizes.sum(0))).sum(1) + 4 * little
    rest = np.abs(matrix).sum(1) - np.abs(np.diag(matrix)) - np.diag(matrix).real
    yield 4, rest + little + 4 * n * UNIT * np.abs(matrix).sum(1)


def _negative(matrix: Array) -> float | None:
    """By how much eigenvalues of a Hermitian matrix can lie below 0, proven; None where nothing is."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    trace = float(np.diag(matrix).real.sum())
    return 8 * (len(matrix) + 3) * UNIT * trace if np.isfinite(trace) else None
