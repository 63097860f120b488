"""Derivatives of the optimality system against finite differences, and the factorisation against a dense solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.kernels.ipm import assemble, make_state
from aurigrid.kernels.kkt import CURVATURE, State, factorise, lacking, step_of
from aurigrid.kernels.simd import LANES
from aurigrid.opf.api import problem_of
from aurigrid.opf.problem import Problem

H = 1e-6


class Bench:
    """One problem at a random point, all lanes alike."""

    def __init__(self, name: str) -> None:
        net = ag.load(name)
        limited = net.branch.replace(
            rate_mva=np.where(np.isfinite(net.branch.rate_mva), net.branch.rate_mva, 150.0),
            angle_min_deg=np.full(net.n_branch, -25.0), angle_max_deg=np.full(net.n_branch, 35.0),
        )  # fmt: skip
        self.problem: Problem = problem_of(net.replace(branch=limited))
        p = self.problem
        self.n, self.k, self.q = p.grid.n_node, p.injection.count, p.n_limit
        self.state: State = make_state(
            self.n, len(p.branch), self.k, self.q, p.grid.pattern.n_upper, len(p.branches.upper)
        )
        rng = np.random.default_rng(1)
        self.theta, self.u = rng.normal(0, 0.1, self.n), rng.normal(0, 0.05, self.n)
        self.lam, self.mu = rng.normal(0, 1, 2 * self.n), rng.uniform(0.1, 1, self.q)
        self.x, self.z = rng.normal(0, 0.2, self.k), rng.uniform(0.5, 2, self.q)

    def at(self, theta: np.ndarray, u: np.ndarray, z: np.ndarray | float) -> State:
        s, p = self.state, self.problem

        def put(array: np.ndarray, value: Any) -> None:
            array.reshape(-1, LANES)[:] = np.broadcast_to(value, len(array) // LANES)[:, None]

        for array, value in (
            (s.e, np.exp(u) * np.cos(theta)), (s.f, np.exp(u) * np.sin(theta)), (s.lam, self.lam), (s.mu, self.mu),
            (s.x, self.x), (s.z, z), (s.hi, np.nan_to_num(p.injection.hi)), (s.lo, np.nan_to_num(p.injection.lo)),
            (s.linear, p.injection.linear * 1e-3), (s.quadratic, p.injection.quadratic * 1e-3),
        ):  # fmt: skip
            put(array, value)
        assemble(p.nodes, p.branches, p.units, s, np.zeros(LANES))
        return s

    def one(self, array: np.ndarray) -> np.ndarray:
        lanes = array.reshape(-1, LANES)
        assert (lanes == lanes[:, :1]).all(), "lanes with the same numbers must agree to the last bit"
        return lanes[:, 0].copy()

    def lagrangian(self, theta: np.ndarray, u: np.ndarray) -> float:
        s = self.at(theta, u, self.z)
        return float(self.lam @ self.one(s.g) + self.mu @ self.one(s.h))

    def dense(self) -> np.ndarray:
        """The whole system of the present point."""
        s, p, n = self.state, self.problem, self.n
        own, pair = self.one(s.own).reshape(n, 4, 4), self.one(s.pair).reshape(-1, 4, 4)
        full = np.zeros((4 * n, 4 * n))
        for i in range(n):
            full[4 * i : 4 * i + 4, 4 * i : 4 * i + 4] = own[i]
        for k, (i, j) in enumerate(zip(p.branches.low, p.branches.high, strict=True)):
            full[4 * i : 4 * i + 4, 4 * j : 4 * j + 4] = pair[k]
            full[4 * j : 4 * j + 4, 4 * i : 4 * i + 4] = pair[k].T
        return full


@pytest.fixture(scope="module", params=["case9", "case14", "case30"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


def test_gradient_and_jacobian(bench: Bench) -> None:
    free = bench.problem.nodes.fixed == 0
    s = bench.at(bench.theta, bench.u, 1e12)
    gradient = bench.one(s.grad).reshape(-1, 2)
    system = bench.dense()
    rows = np.sort(np.concatenate([4 * np.arange(bench.n) + 2, 4 * np.arange(bench.n) + 3]))
    for i in range(bench.n):
        for c in range(2):
            up, down = (bench.theta.copy(), bench.u.copy()), (bench.theta.copy(), bench.u.copy())
            up[c][i] += H
            down[c][i] -= H
            slope = (bench.lagrangian(*up) - bench.lagrangian(*down)) / (2 * H)
            if c == 1 or free[i]:
                assert gradient[i, c] == pytest.approx(slope, abs=1e-6)
            change = (bench.one(bench.at(*up, 1e12).g) - bench.one(bench.at(*down, 1e12).g)) / (2 * H)
            np.testing.assert_allclose(system[rows, 4 * i + c], change, atol=1e-6)


def test_hessian(bench: Bench) -> None:
    """With slacks so large that no barrier counts, the block of voltages is the Lagrangian's Hessian less its slope in u."""
    s = bench.at(bench.theta, bench.u, 1e12)
    gradient = bench.one(s.grad).reshape(-1, 2)
    system = bench.dense()
    at = np.sort(np.concatenate([4 * np.arange(bench.n), 4 * np.arange(bench.n) + 1]))
    hessian = system[np.ix_(at, at)]
    hessian[2 * np.arange(bench.n) + 1, 2 * np.arange(bench.n) + 1] += gradient[:, 1]
    keep = np.ones(2 * bench.n, bool)
    keep[2 * np.flatnonzero(bench.problem.nodes.fixed != 0)] = False
    for i in range(bench.n):
        for c in range(2):
            up, down = (bench.theta.copy(), bench.u.copy()), (bench.theta.copy(), bench.u.copy())
            up[c][i] += H
            down[c][i] -= H
            high = bench.one(bench.at(*up, 1e12).grad)
            low = bench.one(bench.at(*down, 1e12).grad)
            np.testing.assert_allclose(hessian[keep, 2 * i + c], ((high - low) / (2 * H))[keep], atol=1e-5)


def test_solution_against_dense(bench: Bench) -> None:
    s, p = bench.at(bench.theta, bench.u, bench.z), bench.problem
    system, right = bench.dense(), bench.one(s.rhs)
    room = np.zeros_like(s.rhs)
    factorise(p.grid.pattern, p.branches, s, 1e-8, 1e-8)
    step_of(p.grid.pattern, p.branches, s, room, 2)
    expected = np.linalg.solve(system, right)
    np.testing.assert_allclose(bench.one(s.step), expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())
    lacking(p.branches, s, s.step, room)
    anchored = 4 * np.flatnonzero(p.nodes.fixed == 1)
    left = np.delete(bench.one(room), anchored)
    np.testing.assert_allclose(left, np.delete(right - system @ bench.one(s.step), anchored), atol=1e-7)
    assert CURVATURE > 0
