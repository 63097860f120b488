"""The ascent of lower bounds: its terms are the Lagrangian's, its steps solve what they say, its bounds are those known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.opf.test_bound import LEEWAY, solved

import aurigrid as ag
from aurigrid.opf.ascent import _curvature, _System, _Work, raise_bound, relaxed_lower_bound
from aurigrid.opf.bound import opf_lower_bound
from aurigrid.opf.lagrangian import Lagrangian, Multipliers
from aurigrid.opf.relaxation import Relaxation
from aurigrid.opf.status import OpfStatus


def form_of(found: Any) -> Lagrangian:
    return Lagrangian.build(found.problem.grid.net, found.given, None, {"cost": 1.0})


def awkward() -> Any:
    """Loads that follow voltage squared, branches out, angle limits, a bus that is out."""
    net = ag.load("case14")
    last = int(np.flatnonzero(np.bincount(np.r_[net.branch.from_bus, net.branch.to_bus], minlength=net.n_bus) == 1)[0])
    on = net.branch.in_service & (net.branch.from_bus != last) & (net.branch.to_bus != last)
    on[2] = False
    bus = net.bus.replace(in_service=np.arange(net.n_bus) != last)
    gen = net.gen.replace(in_service=net.gen.in_service & (net.gen.bus != last))
    load = net.load.replace(p_share_z=np.full(net.n_load, 0.3), q_share_z=np.full(net.n_load, 0.5))
    limits = {"angle_min_deg": np.full(net.n_branch, -20.0), "angle_max_deg": np.full(net.n_branch, 15.0)}
    rate = np.where(np.arange(net.n_branch) % 2 == 0, 80.0, np.inf)
    return net.replace(bus=bus, gen=gen, load=load, branch=net.branch.replace(in_service=on, rate_mva=rate, **limits))


def test_terms_are_those_of_the_lagrangian() -> None:
    net = awkward()
    form = Lagrangian.build(net, ag.Scenarios.base(net), None, {"cost": 1.0})
    relaxation = Relaxation.of(form)
    rng = np.random.default_rng(1)
    blank = form.allowed(Multipliers.of(ag.optimal_power_flow(net, threads=1)))
    assert len(relaxation.alive) == net.n_bus - 1
    for _ in range(20):
        z = 100 * rng.standard_normal(len(relaxation.flat))
        z[relaxation.places[2]] = np.abs(z[relaxation.places[2]])
        y = relaxation.unpacked(z, blank)
        diagonal, off = form.quadratic_form(y)
        alive = relaxation.alive
        ours = (form.dense(diagonal, off)[0] + np.diag(y.square[0]))[np.ix_(alive, alive)]
        np.testing.assert_allclose(relaxation.matrix(z), ours, atol=1e-10 * np.abs(ours).max())
        value = form.apart(y)[0] + form.magnitudes(y, y.square)[0]
        assert relaxation.value(z) == pytest.approx(float(value[0]), rel=1e-12)


def test_curvature_is_that_of_traces() -> None:
    rng = np.random.default_rng(2)
    n, a, b = 5, np.array([0, 1, 0]), np.array([1, 3, 4])

    def positive() -> Any:
        half = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
        return half @ half.conj().T

    x, w = positive(), positive()
    ends = []
    for i in range(n):
        ends.append(np.zeros((n, n), complex))
        ends[-1][i, i] = 1
    for turn in (1, 1j):
        for i, j in zip(a, b, strict=True):
            ends.append(np.zeros((n, n), complex))
            ends[-1][j, i], ends[-1][i, j] = turn, np.conj(turn)
    plain = np.array([[np.trace(e @ x @ f @ w).real for f in ends] for e in ends])
    np.testing.assert_allclose(_curvature(x, w, a, b), 0.5 * (plain + plain.T), rtol=1e-10, atol=1e-9)


def test_a_step_solves_the_linearised_conditions() -> None:
    """Without elimination: every condition of the module's docstring, to first order, after a few iterations."""
    relaxation = Relaxation.of(form_of(solved("case14", 1)))
    work = _Work(relaxation)
    at = work.start(1000.0)
    for _ in range(3):
        at = work.step(at)[2]
    mu = 10.0
    step = _System(work, at).direction(mu, None)
    free, (low, high, room) = work.free, work.rooms(at)

    def near(ours: Any, wanted: Any) -> None:
        np.testing.assert_allclose(ours, wanted, atol=1e-7 * (1 + np.abs(wanted).max(initial=0.0)))

    x, z, power = at.x + step.x, at.z + step.z, at.power + step.power
    balance = (
        relaxation.flat - relaxation.scalar.T @ x + relaxation.pattern.T @ relaxation.entries(at.matrix + step.matrix)
    )
    balance[work.flow] += power.ravel()
    balance[work.angle] += at.s + step.s
    near(balance, np.zeros(len(balance)))
    alpha, beta = at.alpha + step.alpha, at.beta + step.beta
    near(
        (relaxation.cost + 2 * relaxation.curve * x - relaxation.scalar @ z - alpha + beta)[free], np.zeros(free.sum())
    )
    near((alpha * low + at.alpha * step.x)[free], np.full(free.sum(), mu))
    near((beta * high - at.beta * step.x)[free], np.full(free.sum(), mu))
    near((at.kappa + step.kappa) * room - 2 * at.kappa * (at.power * step.power).sum(0), np.full(len(room), mu))
    pi = z[work.flow].reshape(2, -1)
    near(pi + 2 * at.kappa * power + 2 * step.kappa * at.power, np.zeros_like(power))
    near((at.s + step.s) * at.z[work.angle] + at.s * step.z[work.angle], np.full(len(at.s), mu))
    inverse = np.linalg.inv(relaxation.matrix(at.z))
    change = at.matrix @ relaxation.matrix(step.z) @ inverse
    near(at.matrix + step.matrix + 0.5 * (change + change.conj().T), mu * inverse)


def test_both_sides_of_the_relaxation_meet() -> None:
    """The primal value, of a matrix in place of ``V V^H``, is the dual one: no multipliers prove more than these do."""
    relaxation = Relaxation.of(form_of(solved("case14", 1, seed=2)))
    work = _Work(relaxation)
    at = work.start(1000.0)
    for _ in range(25):
        *_, at, left = work.step(at)
        if left < 0.05:
            break
    lack = relaxation.flat - relaxation.scalar.T @ at.x + relaxation.pattern.T @ relaxation.entries(at.matrix)
    lack[work.flow] += at.power.ravel()
    lack[work.angle] += at.s
    assert np.abs(lack).max() < 1e-6
    primal = relaxation.constant + relaxation.cost @ at.x + relaxation.curve @ at.x**2
    assert primal == pytest.approx(relaxation.value(at.z), rel=1e-5)


@pytest.mark.parametrize("name", ["case9", "case14", "case30"])
def test_never_above_the_optimum_and_never_worse(name: str) -> None:
    found = solved(name, 12)
    good = found.status == OpfStatus.OPTIMAL
    before, after = opf_lower_bound(found), relaxed_lower_bound(found)
    assert good.sum() > 6
    assert (after.value >= before.value).all()
    assert (after.value[good] <= found.objective[good] * (1 + LEEWAY)).all()
    assert (after.gap(found.objective)[good] < 2e-3).all()


def test_multipliers_prove_the_bound_by_themselves() -> None:
    found = solved("case9", 3)
    rng = np.random.default_rng(3)
    y = Multipliers.of(found)
    # from multipliers that prove little: the ascent does not depend on where they are
    poor = Multipliers(**{n: getattr(y, n) * rng.uniform(0, 2, getattr(y, n).shape) for n in y.__dataclass_fields__})
    form = form_of(found)
    bound, best = raise_bound(form, poor, found.objective)
    again = opf_lower_bound(found)
    assert (bound.gap(found.objective) < 1e-3).all()
    assert (np.abs(bound.value - again.value) < 2e-3 * found.objective).all()
    assert np.isfinite(best.lam).all()


def test_scenarios_without_numbers_are_left_alone() -> None:
    found = solved("case9", 3)
    y = Multipliers.of(found)
    y.lam[1] = np.nan
    cost = found.objective.copy()
    cost[2] = np.nan
    bound, _ = raise_bound(form_of(found), y, cost)
    assert bound.value[1] == -np.inf
    assert np.isfinite(bound.value[[0, 2]]).all()
