"""Derivatives of the optimality system against finite differences, and the factorisation against a dense solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.opf.everything import FREE, everything

import aurigrid as ag
from aurigrid.kernels.controls import FLOOR, spread_controls
from aurigrid.kernels.curvature import bend_up, signature
from aurigrid.kernels.elimination import factorise, lacking, step_of
from aurigrid.kernels.ipm import assemble
from aurigrid.kernels.kkt import CURVATURE
from aurigrid.kernels.simd import LANES64 as LANES
from aurigrid.kernels.steps import lengths, spread
from aurigrid.kernels.system import State
from aurigrid.opf.conditions import conditions_of
from aurigrid.opf.problem import Problem
from aurigrid.opf.run import problem_of
from aurigrid.opf.tables import TAP, Freedom
from aurigrid.powerflow.cases import NO_PAIRS, Cases

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
        self.state: State = p.state()
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
        assemble(p.system, s, np.zeros(LANES))
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
            full[4 * i : 4 * i + 4, 4 * i : 4 * i + 4] = np.triu(own[i]) + np.triu(own[i], 1).T
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


def test_signature_against_eigenvalues(bench: Bench) -> None:
    """At a random point, whose Hessian bends both ways, and once weights have bent it up."""
    s, p = bench.at(bench.theta, bench.u, bench.z), bench.problem
    out, room, last = np.zeros(LANES), np.zeros(2 * LANES), np.zeros(LANES)

    def balance() -> int:
        values = np.linalg.eigvalsh(bench.dense() + np.diag(np.tile([1e-8, 1e-8, -1e-8, -1e-8], bench.n)))
        return int((values > 0).sum() - (values < 0).sum())

    factorise(p.pattern, p.branches, s, 1e-8, 1e-8)
    signature(p.nodes, s, out)
    before = balance()
    assert out.tolist() == [before] * LANES
    bend_up(p.pattern, p.system, s, 1e-8, 1e-8, np.zeros(LANES, bool), last, room)
    signature(p.nodes, s, out)
    assert balance() == 0
    assert out.tolist() == [0.0] * LANES
    assert (last > 0).all() == (before != 0)


class Full:
    """The system with everything in it at a random point."""

    def __init__(self, by_current: bool) -> None:
        net = everything()
        free = Freedom(frozenset(FREE), ((2, 3000.0), (5, 500.0)))
        self.problem = p = problem_of(net, 5000.0, free, by_current)
        self.n, self.k, self.q = p.grid.n_node, p.injection.count, p.n_limit
        sc = ag.Scenarios.base(net)
        at = conditions_of(p, sc, Cases.of(sc), NO_PAIRS, None)
        rng = np.random.default_rng(4)
        hi, lo = np.where(np.isfinite(at.hi), at.hi, 1.0)[0], np.where(np.isfinite(at.lo), at.lo, -1.0)[0]
        self.fixed = {"hi": hi, "lo": lo, "draw": at.draw(p.pattern.order)[0], "shape": at.shape[0].ravel()}
        self.fixed |= {"linear": p.injection.linear * 1e-3, "quadratic": p.injection.quadratic * 1e-3}
        self.fixed |= {"z": rng.uniform(0.5, 2, self.q)}
        inside = lo + (hi - lo) * rng.uniform(0.2, 0.8, self.k)
        self.point = {
            "theta": rng.normal(0, 0.1, self.n), "v": 1 + rng.normal(0, 0.04, self.n), "x": inside,
            "lam": rng.normal(0, 1, 2 * self.n), "mu": rng.uniform(0.1, 1, self.q),
        }  # fmt: skip
        self.state = p.state(drawn=True)

    def at(self, **point: np.ndarray) -> State:
        s = self.state
        values = self.fixed | {
            "e": point["v"] * np.cos(point["theta"]), "f": point["v"] * np.sin(point["theta"]), "x": point["x"],
            "lam": point["lam"], "mu": point["mu"],
        }  # fmt: skip
        for name, value in values.items():
            getattr(s, name).reshape(-1, LANES)[:] = np.asarray(value)[:, None]
        s.live[:], s.rho[:] = 1.0, 0.0
        assemble(self.problem.system, s, np.full(LANES, 1e-3))
        return s

    def parts(self, **point: np.ndarray) -> dict[str, np.ndarray]:
        s = self.at(**point)
        grad = s.grad.reshape(-1, LANES)[:, 0].reshape(-1, 2)
        out = {"theta": grad[:, 0].copy(), "v": grad[:, 1] / point["v"], "x": s.grad_x, "g": s.g, "h": s.h}
        return {k: (a.reshape(-1, LANES)[:, 0].copy() if a.size > len(a) or k in "xgh" else a) for k, a in out.items()}

    def lagrangian(self, **point: np.ndarray) -> float:
        x, own = point["x"], self.fixed
        parts = self.parts(**point)
        cost = float(own["linear"] @ x + own["quadratic"] @ x**2)
        return cost + float(point["lam"] @ parts["g"] + point["mu"] @ parts["h"])


@pytest.fixture(scope="module", params=[False, True], ids=["mva", "current"])
def full(request: pytest.FixtureRequest) -> Full:
    return Full(request.param)


def test_gradients_of_everything(full: Full) -> None:
    """Every derivative of the Lagrangian: by angles, magnitudes, injections, taps, shunts, loads not served, links."""
    got = full.parts(**full.point)
    free = full.problem.nodes.fixed == 0
    for name in ("theta", "v", "x"):
        for i in range(len(full.point[name])):
            if name == "theta" and not free[i]:
                continue
            ends = []
            for sign in (1, -1):
                moved = {k: a.copy() for k, a in full.point.items()}
                moved[name][i] += sign * H
                ends.append(full.lagrangian(**moved))
            assert got[name][i] == pytest.approx((ends[0] - ends[1]) / (2 * H), abs=2e-6), (name, i)


def test_step_solves_the_linearised_conditions(full: Full) -> None:
    """Newton's step, with everything eliminated that is not of a node, takes the gradient and the balances to zero in first
    order, moves the inequalities as it says, and their complementarity to the barrier."""
    p, s = full.problem, full.at(**full.point)
    room, gamma = np.zeros_like(s.rhs), np.full(LANES, 1e-3)
    before = full.parts(**full.point)
    s = full.at(**full.point)
    bend = s.bend.reshape(-1, LANES)[:, 0].copy()
    factorise(p.pattern, p.branches, s, 1e-8, 1e-8)
    step_of(p.pattern, p.branches, s, room, 4)
    spread_controls(p.system, s)
    spread(p.nodes, p.branches, p.units, s)
    step, dx, hdx = (a.reshape(-1, LANES)[:, 0].copy() for a in (s.step, s.pull, s.hdx))
    lengths(s, gamma, np.zeros(2 * LANES))
    dz, dmu = (a.reshape(-1, LANES)[:, 0].copy() for a in (s.w, s.c))
    way = {"theta": step[0::4], "v": full.point["v"] * step[1::4], "x": dx, "mu": dmu}
    way["lam"] = np.stack([step[2::4], step[3::4]], 1).ravel()
    ends = [full.parts(**{k: a + sign * 1e-7 * way[k] for k, a in full.point.items()}) for sign in (1, -1)]
    change = {k: (ends[0][k] - ends[1][k]) / 2e-7 for k in ends[0]}
    np.testing.assert_allclose(change["g"], -before["g"], atol=1e-6 * max(1, np.abs(before["g"]).max()))
    np.testing.assert_allclose(change["h"], hdx, atol=1e-5)
    free = p.nodes.fixed == 0
    np.testing.assert_allclose((change["theta"] + before["theta"])[free], 0, atol=1e-4)
    np.testing.assert_allclose(change["v"] + before["v"], 0, atol=1e-4)
    # what was added to the curvature of controls and of injections without any holds their steps back
    shortened = np.isin(p.injection.owner, (TAP,)) & (bend <= FLOOR * (1 + 1e-9))
    assert not shortened.all()
    np.testing.assert_allclose((change["x"] + before["x"])[~shortened], 0, atol=1e-4)
    z, mu = full.fixed["z"], full.point["mu"]
    np.testing.assert_allclose(z * dmu + mu * dz, 1e-3 - z * mu, atol=1e-8)
