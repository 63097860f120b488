"""The semidefinite relaxation of an optimal power flow, as its dual function has it: what `ascent` raises.

With ``V V^H`` replaced by any Hermitian X that is positive semidefinite (Lavaei and Low, IEEE Trans. Power Syst. 27, 2012,
92-107, 10.1109/TPWRS.2011.2160974), the multipliers z of `lagrangian` and the entries of ``M(z) = A + diag D`` that are not zero
by topology, stacked as ``P z``, give

    dual      max_z  flat z + sum_u min_x [(c_u - (U z)_u) x + q_u x^2] - sum_b rate_b |pi_b|,   M(z) psd, angle multipliers >= 0
    primal    min    sum_u c_u x_u + q_u x_u^2   over   flat - U^T x + P^T X + S + s = 0,   X psd, |S_b| <= rate_b, s >= 0

where x are outputs and squared magnitudes (l = D, c = 0) in their boxes, S apparent powers and s the slacks of angle limits. A
load in proportion to ``|V|`` is left out here; the proof of what multipliers are worth (`bound`) has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from aurigrid.opf.lagrangian import Lagrangian, Multipliers
from aurigrid.opf.tables import BOTH, REACTIVE

Array = np.ndarray[Any, np.dtype[Any]]

_UNBOUNDED_PU = 1e3
"""Bounds of injections that have none."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """One scenario, in pu and currency/h; z stacks lam (real, imaginary), pi (real, imaginary; from, then to ends), angle_max,
    angle_min and D.

    Attributes:
        alive: (n,) nodes with supply, by which rows of M, lam and D count; limited: (b / 2,) rows of branches with a rating;
            held_max, held_min: with angle limits.
        pattern: (n + 2 p, size) sparse P: diagonal of M, then real and imaginary parts of its p pairs; first, second: (p,)
            columns and rows of these.
        scalar: (u, size) sparse U; cost, curve, lo, hi: (u,).
        flat: (size,); rate: (b,); constant: cost that does not depend on anything.
    """

    alive: Array
    limited: Array
    held_max: Array
    held_min: Array
    pattern: Any
    first: Array
    second: Array
    scalar: Any
    cost: Array
    curve: Array
    lo: Array
    hi: Array
    flat: Array
    rate: Array
    constant: float

    @property
    def n_node(self) -> int:
        return len(self.alive)

    @property
    def places(self) -> tuple[slice, slice, slice, slice]:
        """Where lam, pi, the angle multipliers and D are in z."""
        a = 2 * self.n_node
        b = a + 2 * len(self.rate)
        c = b + len(self.held_max) + len(self.held_min)
        return slice(0, a), slice(a, b), slice(b, c), slice(c, len(self.flat))

    @classmethod
    def of(cls, form: Lagrangian) -> Relaxation:
        """Of a Lagrangian of one scenario."""
        at, injection = form.at, form.problem.injection
        alive = np.flatnonzero(at.alive[0])
        place = np.full(form.problem.grid.n_node, -1)
        place[alive] = np.arange(len(alive))
        n, on = len(alive), at.on[0]
        limited = np.flatnonzero(on & np.isfinite(form.rate))
        held = (np.flatnonzero(on & (form.turn_max != 0)), np.flatnonzero(on & (form.turn_min != 0)))
        size = 3 * n + 4 * len(limited) + len(held[0]) + len(held[1])
        pairs = np.unique(form.pair[on])
        live = np.flatnonzero(at.live[0] & at.alive[0, injection.node] & (injection.axis <= BOTH))
        axis, node, unit = injection.axis[live], place[injection.node[live]], np.arange(len(live))
        active, reactive = axis != REACTIVE, axis != 0
        share = np.where(axis == BOTH, injection.ratio[live], 1.0)
        row = np.r_[unit[active], unit[reactive], len(live) + np.arange(n)]
        col = np.r_[node[active], n + node[reactive], size - n + np.arange(n)]
        value = np.r_[np.ones(active.sum()), share[reactive], np.ones(n)]
        flat, none = np.zeros(size), np.zeros(n)
        flat[:n], flat[n : 2 * n] = at.need[0, alive].real, at.need[0, alive].imag
        linear, curve = form.linear[0, live], form.quadratic[0, live]
        lo, hi = (np.clip(x[0, live], -_UNBOUNDED_PU, _UNBOUNDED_PU) for x in (at.lo, at.hi))
        return cls(
            alive, limited, held[0], held[1], _pattern(form, place, pairs, limited, held, size), place[form.first[pairs]],
            place[form.second[pairs]], csr_matrix((value, (row, col)), (len(live) + n, size)), np.r_[linear, none],
            np.r_[np.maximum(curve, 0.0), none], np.r_[lo, form.lo[alive] ** 2], np.r_[hi, form.hi[alive] ** 2], flat,
            np.tile(form.rate[limited], 2), float(form.constant[0]),
        )  # fmt: skip

    def matrix(self, z: Array) -> Array:
        """(n, n) Hermitian M(z)."""
        n, p = self.n_node, len(self.first)
        entry = self.pattern @ z
        pair = entry[n : n + p] + 1j * entry[n + p :]
        matrix = np.zeros((n, n), complex)
        matrix[self.second, self.first], matrix[self.first, self.second] = pair, np.conj(pair)
        matrix[np.arange(n), np.arange(n)] = entry[:n]
        return matrix

    def entries(self, x: Array) -> Array:
        """(n + 2 p,) what a Hermitian matrix is to each entry of M: ``tr(X dM)`` by the entries of dM."""
        pair = x[self.first, self.second]
        return np.asarray(np.r_[np.diag(x).real, 2 * pair.real, -2 * pair.imag])

    def value(self, z: Array) -> float:
        """The dual function where M(z) is positive semidefinite, without regard to rounding."""
        slope = self.cost - self.scalar @ z
        with np.errstate(divide="ignore", invalid="ignore"):
            vertex = np.clip(np.where(self.curve > 0, -slope / (2 * self.curve), 0.0), self.lo, self.hi)
        x = np.where(self.curve > 0, vertex, np.where(slope > 0, self.lo, self.hi))
        held = (np.hypot(*z[self.places[1]].reshape(2, -1)) * self.rate).sum()
        return float(self.constant + self.flat @ z + (slope * x + self.curve * x**2).sum() - held)

    def unpacked(self, z: Array, like: Multipliers) -> Multipliers:
        """z as multipliers of one scenario; those that are not in it as in ``like``."""
        out = {name: np.array(getattr(like, name)) for name in like.__dataclass_fields__}
        n, m = self.n_node, len(self.limited)
        _, flow, angle, square = self.places
        pi = z[flow][: 2 * m] + 1j * z[flow][2 * m :]
        out["lam"][0, self.alive] = z[:n] + 1j * z[n : 2 * n]
        out["flow_from"][0, self.limited], out["flow_to"][0, self.limited] = pi[:m], pi[m:]
        most, least = np.split(z[angle], [len(self.held_max)])
        out["angle_max"][0, self.held_max], out["angle_min"][0, self.held_min] = most, least
        out["square"][0, self.alive] = z[square]
        return Multipliers(**out)


def _pattern(form: Lagrangian, place: Array, pairs: Array, limited: Array, held: tuple[Array, Array], size: int) -> Any:
    """The sparse map from z to the entries of M, as `Lagrangian.quadratic_form` has it."""
    grid, rows, on = form.problem.grid, form.problem.branch, np.flatnonzero(form.at.on[0])
    alive, n, m, n_pair = np.flatnonzero(place >= 0), int((place >= 0).sum()), len(limited), len(pairs)
    a, b = place[grid.from_node[rows]], place[grid.to_node[rows]]
    column = np.searchsorted(pairs, form.pair)
    entries: list[tuple[Array, Array, Array]] = []

    def diagonal(row: Array, place: tuple[Array, Array], value: Array) -> None:
        """``Re(l value)`` of complex coordinates l."""
        entries.extend([(row, place[0], value.real), (row, place[1], -value.imag)])

    def pair(branch: Array, place: tuple[Array, Array | None], value: Array, side: float) -> None:
        """``l value / 2`` in the pair's place, l conjugate for side -1, the whole conjugate where the branch runs backwards."""
        (real, imag), at = place, n + column[branch]
        turn = np.where(form.flip[branch], -1.0, 1.0)
        entries.extend([(at, real, 0.5 * value.real), (n_pair + at, real, 0.5 * turn * value.imag)])
        if imag is not None:
            entries.extend([(at, imag, -0.5 * side * value.imag), (n_pair + at, imag, 0.5 * side * turn * value.real)])

    k, j = np.arange(n), np.arange(m)
    own = np.conj(form.shunt[alive]) + (0.0 if form.at.need_z is None else form.at.need_z[0, alive])
    diagonal(k, (k, n + k), np.conj(own))
    lam = ((a[on], n + a[on]), (b[on], n + b[on]))
    pi = ((2 * n + j, 2 * n + 2 * m + j), (2 * n + m + j, 2 * n + 3 * m + j))
    for branch, (at_a, at_b) in ((on, lam), (limited, pi)):
        y = form.y[branch]
        diagonal(a[branch], at_a, y[:, 0])
        diagonal(b[branch], at_b, y[:, 3])
        pair(branch, at_a, np.conj(y[:, 1]), -1.0)
        pair(branch, at_b, y[:, 2], 1.0)
    at = 2 * n + 4 * m
    for branch, turn in zip(held, (form.turn_max, form.turn_min), strict=True):
        pair(branch, (at + np.arange(len(branch)), None), turn[branch].astype(complex), 1.0)
        at += len(branch)
    entries.append((k, size - n + k, np.ones(n)))
    row, col, value = (np.concatenate(x) for x in zip(*entries, strict=True))
    return csr_matrix((value, (row, col)), (n + 2 * n_pair, size))
