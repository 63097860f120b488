"""Multipliers that make the lower bound of an optimal power flow as high as its semidefinite relaxation goes.

A primal-dual interior-point method for `relaxation`. With weights W = M^-1, the steps of one iteration solve the conditions

    X M = mu I        linearised as X + dX + (X dM W + W dM X) / 2 = mu W     (Helmberg, Rendl, Vanderbei and Wolkowicz,
                                                                              SIAM J. Optim. 6, 1996, 342-361, 10.1137/0806020)
    alpha (x - lo) = beta (hi - x) = mu,    c + 2 q x - l - alpha + beta = 0         units, squared magnitudes
    kappa (rate^2 - |S|^2) = mu,            pi + 2 kappa S = 0                       apparent powers
    s y = mu                                                                          angle multipliers y

with Mehrotra's prediction and correction (SIAM J. Optim. 2, 1992, 575-601, 10.1137/0802028). All but z is eliminated, which
leaves ``H dz = g`` with ``H = U^T theta U + Theta + s / y + P^T K P``, K the curvature ``tr(E X E' W)`` of the entries E of M.
pi, y and D have curvature R of their own and touch M only, so that they go too:

    S = (K^-1 + P_r R^-1 P_r^T)^-1,     (H_lam + P_lam^T S P_lam) dlam = g_lam - P_lam^T S P_r R^-1 g_r.

Where it stops is no matter of proof: `bound.bound_of` proves what the multipliers are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as dense
from scipy.sparse import block_array, csr_matrix, diags_array

from aurigrid.opf.bound import LowerBound, bound_of
from aurigrid.opf.lagrangian import Lagrangian, Multipliers, lagrangian_of
from aurigrid.opf.relaxation import Relaxation

if TYPE_CHECKING:
    from aurigrid.opf.result import OptimalPowerFlow

Array = np.ndarray[Any, np.dtype[Any]]

MOST_STEPS = 80
_TO_THE_EDGE = 0.95
"""Of the longest step that stays inside."""
_LITTLE = 1e-3
"""Steps this short make no progress; four in a row end the ascent."""


@dataclass(eq=False)
class _Point:
    """An iterate, or a step: see the module. ``x`` to ``s`` are primal, ``z`` to ``kappa`` dual."""

    x: Array
    matrix: Array
    power: Array
    s: Array
    z: Array
    alpha: Array
    beta: Array
    kappa: Array

    def moved(self, step: _Point, primal: float, dual: float) -> _Point:
        """The iterate after a step."""
        names = tuple(self.__dataclass_fields__)
        return _Point(**{
            name: getattr(self, name) + (primal if name in names[:4] else dual) * getattr(step, name) for name in names
        })  # fmt: skip


def relaxed_lower_bound(
    found: OptimalPowerFlow, *, gen_p_max_mw: Array | None = None, tolerance: float = 1e-4
) -> LowerBound:
    """The bound of `bound.opf_lower_bound`, raised to about that of the semidefinite relaxation.

    Some factorisations of dense matrices an iteration, about twenty iterations a scenario: seconds for a hundred nodes.
    Scenarios without an optimum keep the bound that their multipliers prove.

    Args:
        found: optimal power flows of cost, with nothing but units free.
        gen_p_max_mw: as given to `optimal_power_flow`.
        tolerance: share of the cost below the relaxation's value at which an ascent may stop.

    Raises:
        InputError: controls besides units were free, or ratings limit currents.
    """
    form = lagrangian_of(found, gen_p_max_mw)
    return raise_bound(form, Multipliers.of(found), found.objective, tolerance=tolerance)[0]


def raise_bound(
    form: Lagrangian, start: Multipliers, cost: Array, *, tolerance: float = 1e-4
) -> tuple[LowerBound, Multipliers]:
    """Raise the bounds of scenarios towards those of the semidefinite relaxation.

    Args:
        form: the Lagrangian of n scenarios.
        start: multipliers that are there already, such as those of an optimal power flow: kept where they prove more.
        cost: (n,) what some point within limits costs, currency/h; scenarios where it is no number are left as they are.
        tolerance: share of the cost below the relaxation's value at which an ascent may stop.

    Returns:
        The best bound of each scenario, and the multipliers that prove it.
    """
    first = bound_of(form, start)
    y = form.allowed(start)
    fields = {name: np.array(getattr(y, name)) for name in y.__dataclass_fields__}
    for s in np.flatnonzero(start.finite & np.isfinite(cost)):
        row = np.array([s])
        relaxation = Relaxation.of(form.rows(row))
        price = float(np.abs(y.lam[s].real).mean())
        z = ascend(relaxation, price if price > 0 else 1.0, tolerance * max(abs(float(cost[s])), 1.0), float(cost[s]))
        for name, values in relaxation.unpacked(z, y.take(row)).__dict__.items():
            fields[name][s] = values[0]
    raised = Multipliers(**fields)
    last = bound_of(form, raised)
    better = last.value > first.value
    best = {n: np.where(better[:, None], fields[n], getattr(start, n)) for n in fields}
    of = {n: np.where(better, getattr(last, n), getattr(first, n)) for n in first.__dataclass_fields__}
    return LowerBound(**of), Multipliers(**best)


def ascend(relaxation: Relaxation, price: float, gap: float, ceiling: float = np.inf) -> Array:
    """z with a value of the dual function within about ``gap`` of the largest, currency/h.

    Args:
        price: typical size of multipliers of balances, currency/h for a pu.
        ceiling: a value from which on nothing is to be won, currency/h; without a feasible point there is no largest one.
    """
    work = _Work(relaxation)
    point = work.start(price)
    best, value, idle = point.z, -np.inf, 0
    for _ in range(MOST_STEPS):
        try:
            primal, dual, point, left = work.step(point)
        except np.linalg.LinAlgError:
            break
        now = relaxation.value(point.z)
        if now > value:
            best, value = point.z, now
        idle = idle + 1 if max(primal, dual) < _LITTLE else 0
        if left < gap or idle == 4 or not now < ceiling:
            break
    return best


class _Work:
    """What the iterations on one relaxation share."""

    def __init__(self, relaxation: Relaxation) -> None:
        r = self.relaxation = relaxation
        self.lam, self.flow, self.angle, self.square = r.places
        self.free = r.hi > r.lo
        self.rate2 = r.rate**2
        self.p_lam, self.p_rest = r.pattern[:, self.lam].toarray(), csr_matrix(r.pattern[:, self.lam.stop :])
        self.count = r.n_node + len(r.held_max) + len(r.held_min) + 2 * int(self.free.sum()) + len(r.rate)
        # scalars of lam come first, those of D last
        self.n_unit = len(r.cost) - r.n_node
        self.u_lam = csr_matrix(r.scalar[: self.n_unit, self.lam])

    def start(self, price: float) -> _Point:
        """A point inside all cones, far from their edges, whatever the equations say."""
        r = self.relaxation
        z = np.zeros(len(r.flat))
        z[: r.n_node] = price
        z[self.angle] = 0.1 * price
        z[self.square] = price + max(0.0, -float(np.linalg.eigvalsh(r.matrix(z))[0]))
        mu = float(np.trace(r.matrix(z)).real) / r.n_node
        half = np.where(self.free, 0.5 * (r.hi - r.lo), 1.0)
        none = np.zeros(self.angle.stop - self.angle.start)
        return _Point(
            0.5 * (r.lo + r.hi), np.eye(r.n_node, dtype=complex), np.zeros((2, len(r.rate))), none + 1.0, z, mu / half,
            mu / half, mu / self.rate2,
        )  # fmt: skip

    def rooms(self, at: _Point) -> tuple[Array, Array, Array]:
        """Distances of scalars from their lower and upper bounds, and rate^2 - |S|^2."""
        r = self.relaxation
        low, high = np.where(self.free, at.x - r.lo, 1.0), np.where(self.free, r.hi - at.x, 1.0)
        return low, high, self.rate2 - (at.power**2).sum(0)

    def complementarity(self, at: _Point) -> float:
        """Mean of the products that end at 0."""
        low, high, room = self.rooms(at)
        total = np.vdot(at.matrix, self.relaxation.matrix(at.z)).real + at.s @ at.z[self.angle]
        return float(total + (at.alpha * low + at.beta * high)[self.free].sum() + (at.kappa * room).sum()) / self.count

    def step(self, at: _Point) -> tuple[float, float, _Point, float]:
        """One iteration: lengths of the primal and the dual step, the point after it, and the sum of its products."""
        system = _System(self, at)
        mu = self.complementarity(at)
        guess = system.direction(0.0, None)
        primal, dual = system.lengths(guess)
        there = self.complementarity(at.moved(guess, primal, dual)) / mu
        shorter = min(primal, dual)
        # cautious where even the prediction cannot go far
        aim = min(1.0, max(there, 0.0)) ** (3 if shorter > 0.5 else 2 if shorter > 0.1 else 1)
        step = system.direction(min(max(aim, 1e-4), 0.9) * mu, guess)
        primal, dual = (min(1.0, _TO_THE_EDGE * x) for x in system.lengths(step))
        after = at.moved(step, primal, dual)
        after.matrix = 0.5 * (after.matrix + after.matrix.conj().T)
        return primal, dual, after, self.complementarity(after) * self.count


class _System:
    """The linear system of one iteration, factorised."""

    def __init__(self, work: _Work, at: _Point) -> None:
        r = work.relaxation
        self.work, self.at = work, at
        self.low, self.high, self.room = work.rooms(at)
        self.factor = np.linalg.cholesky(r.matrix(at.z))
        self.edge = np.linalg.cholesky(at.matrix)
        w = dense.cho_solve((self.factor, True), np.eye(r.n_node, dtype=complex))
        self.weight = 0.5 * (w + w.conj().T)
        self.theta = np.where(work.free, 1.0 / (2 * r.curve + at.alpha / self.low + at.beta / self.high), 0.0)
        steep, size = 4 * at.kappa / self.room, (at.power**2).sum(0)
        self.disc = (
            np.eye(2)[:, :, None] * (2 * at.kappa + steep * size) - steep * at.power[:, None] * at.power[None]
        ) / (2 * at.kappa * (2 * at.kappa + steep * size))
        self.inverse = self._inverse_of_rest()
        k = _curvature(at.matrix, self.weight, r.first, r.second)
        k[np.arange(len(k)), np.arange(len(k))] *= 1 + 1e-14
        root = np.linalg.cholesky(k)
        inner = root.T @ ((work.p_rest @ self.inverse @ work.p_rest.T) @ root)
        inner[np.arange(len(k)), np.arange(len(k))] += 1.0
        self.root, self.inner = root, dense.cho_factor(inner, lower=True)
        seen = dense.solve_triangular(self.inner[0], root.T @ work.p_lam, lower=True)
        h = seen.T @ seen + (work.u_lam.T @ work.u_lam.multiply(self.theta[: work.n_unit, None])).toarray()
        self.scale = 1.0 / np.sqrt(np.diag(h))
        h = h * self.scale[:, None] * self.scale
        h[np.arange(len(h)), np.arange(len(h))] += 1e-14
        self.lam = dense.cho_factor(h, lower=True)

    def _inverse_of_rest(self) -> Any:
        """R^-1, sparse: of pi two by two, of angle multipliers and D by themselves."""
        work, at = self.work, self.at
        two = self.disc
        det = two[0, 0] * two[1, 1] - two[0, 1] ** 2
        angle = at.z[work.angle] / at.s
        with np.errstate(divide="ignore"):
            square = np.where(self.theta > 0, 1.0 / self.theta, 1e12)[work.n_unit :]
        flow = block_array([
            [diags_array(two[1, 1] / det), diags_array(-two[0, 1] / det)],
            [diags_array(-two[0, 1] / det), diags_array(two[0, 0] / det)],
        ])  # fmt: skip
        return block_array([[flow, None], [None, diags_array(np.r_[angle, square])]], format="csr")

    def solve(self, g: Array) -> Array:
        """dz of ``H dz = g``."""
        work = self.work
        own = self.inverse @ g[work.lam.stop :]
        pushed = self._s(work.p_rest @ own)
        lam = self.scale * dense.cho_solve(self.lam, self.scale * (g[work.lam] - work.p_lam.T @ pushed))
        force = pushed + self._s(work.p_lam @ lam)
        return np.asarray(np.r_[lam, own - self.inverse @ (work.p_rest.T @ force)])

    def _s(self, entry: Array) -> Array:
        return np.asarray(self.root @ dense.cho_solve(self.inner, self.root.T @ entry))

    def direction(self, mu: float, guess: _Point | None) -> _Point:
        """The step towards products mu; with the second-order terms of a first guess of it."""
        work, at, r = self.work, self.at, self.work.relaxation
        y, free = at.z[work.angle], work.free
        aim = mu * self.weight
        to_low: Array | float = mu
        to_high, to_angle, to_room, bent = to_low, to_low, to_low, 0.0 * to_low
        if guess is not None:
            product = guess.matrix @ r.matrix(guess.z) @ self.weight
            aim = aim - 0.5 * (product + product.conj().T)
            to_low, to_high = mu - guess.alpha * guess.x, mu + guess.beta * guess.x
            to_angle = mu - guess.s * guess.z[work.angle]
            along = (at.power * guess.power).sum(0)
            to_room = mu + at.kappa * (guess.power**2).sum(0) + 2 * guess.kappa * along
            bent = 2 * guess.kappa * guess.power
        lack = r.cost + 2 * r.curve * at.x - r.scalar @ at.z - at.alpha + at.beta
        push = np.where(free, -lack + to_low / self.low - at.alpha - to_high / self.high + at.beta, 0.0)
        pull = at.z[work.flow].reshape(2, -1) + 2 * at.power * to_room / self.room + bent
        g = r.flat - r.scalar.T @ (at.x + self.theta * push) + r.pattern.T @ r.entries(aim)
        g[work.flow] += (at.power - np.einsum("ijb,jb->ib", self.disc, pull)).ravel()
        g[work.angle] += to_angle / y
        dz = self.solve(g)
        change = at.matrix @ r.matrix(dz) @ self.weight
        dx = self.theta * (r.scalar @ dz + push)
        power = -np.einsum("ijb,jb->ib", self.disc, dz[work.flow].reshape(2, -1) + pull)
        return _Point(
            dx, aim - at.matrix - 0.5 * (change + change.conj().T), power,
            to_angle / y - at.s - at.s * dz[work.angle] / y, dz,
            np.where(free, to_low / self.low - at.alpha - at.alpha * dx / self.low, 0.0),
            np.where(free, to_high / self.high - at.beta + at.beta * dx / self.high, 0.0),
            to_room / self.room - at.kappa + 2 * at.kappa / self.room * (at.power * power).sum(0),
        )  # fmt: skip

    def lengths(self, step: _Point) -> tuple[float, float]:
        """The longest primal and dual steps inside the cones, at most 1."""
        work, at = self.work, self.at
        long, along = (step.power**2).sum(0), (at.power * step.power).sum(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            disc = np.where(long > 0, (np.sqrt(along**2 + long * self.room) - along) / long, np.inf)
        free = work.free
        primal = min(
            _longest_psd(self.edge, step.matrix), _longest(at.s, step.s), _longest(self.low[free], step.x[free]),
            _longest(self.high[free], -step.x[free]), float(disc.min(initial=np.inf)),
        )  # fmt: skip
        dual = min(
            _longest_psd(self.factor, work.relaxation.matrix(step.z)), _longest(at.z[work.angle], step.z[work.angle]),
            _longest(at.alpha[free], step.alpha[free]), _longest(at.beta[free], step.beta[free]),
            _longest(at.kappa, step.kappa),
        )  # fmt: skip
        return min(1.0, primal), min(1.0, dual)


def _longest(value: Array, step: Array) -> float:
    """The longest step that keeps values from falling below 0."""
    down = step < 0
    return float((-value[down] / step[down]).min()) if down.any() else np.inf


def _longest_psd(factor: Array, step: Array) -> float:
    """The same of a Hermitian matrix with this Cholesky factor."""
    half = dense.solve_triangular(factor, step, lower=True)
    low = float(np.linalg.eigvalsh(dense.solve_triangular(factor, half.conj().T, lower=True))[0])
    return -1.0 / low if low < 0 else np.inf


def _curvature(x: Array, w: Array, a: Array, b: Array) -> Array:
    """``Re tr(E X E' W)``, symmetric in X and W, of the entries of M: diagonal, real and imaginary parts of pairs (row b,
    column a)."""
    r = 0.5 * (x[:, b] * w[a].T + w[:, b] * x[a].T)
    xab, wab, xaa, waa, xbb, wbb = x[a][:, b], w[a][:, b], x[a][:, a], w[a][:, a], x[b][:, b], w[b][:, b]
    p, q = 0.5 * (xab * wab.T + wab * xab.T), 0.5 * (xaa * wbb.T + waa * xbb.T)
    out = np.block([
        [(x * w.conj()).real, 2 * r.real, -2 * r.imag],
        [2 * r.real.T, 2 * (p + q).real, 2 * (q - p).imag],
        [-2 * r.imag.T, -2 * (p + q).imag, 2 * (q - p).real],
    ])  # fmt: skip
    return np.asarray(0.5 * (out + out.T))
