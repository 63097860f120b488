"""Lower bounds on the cost: never above what a point within limits costs, whatever the multipliers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.opf.bound import COMPLETIONS, bound_of, lower_bound, opf_lower_bound
from aurigrid.opf.lagrangian import Lagrangian, Multipliers
from aurigrid.opf.status import OpfStatus

SCENARIOS, ATTACKS = 64, 176
LEEWAY = 1e-6
"""Of the cost: points keep balances and limits within 1e-7 pu, so that one can cost a little less than the least."""


def solved(name: str, n: int, seed: int = 5) -> Any:
    net = ag.load(name)
    rng = np.random.default_rng(seed)
    # each load by itself, and all together from light to heavy
    size = rng.uniform(0.6, 1.05, (n, 1)) * rng.uniform(0.8, 1.2, (n, net.n_load))
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * size, load_q_mvar=net.load.q_mvar * size)
    return ag.optimal_power_flow(net, sc, threads=1)


def attacked(y: Multipliers, kind: int, rng: np.random.Generator) -> Multipliers:
    """Multipliers made worse: scaled noise of all sizes, zeros, other scenarios', other signs, pure noise."""
    if kind % 8 == 0:
        return y.take(rng.permutation(len(y.lam)))
    parts = {}
    for name in y.__dataclass_fields__:
        values = getattr(y, name)
        noise = rng.standard_normal(values.shape)
        if np.iscomplexobj(values):
            noise = noise + 1j * rng.standard_normal(values.shape)
        typical = np.abs(y.lam).mean()
        match kind % 8:
            case 1 | 2 | 3:
                values = values + 10.0 ** rng.uniform(-8, 1) * typical * noise
            case 4:
                values = values * 10.0 ** rng.uniform(-3, 3, values.shape)
            case 5:
                values = values * rng.choice([0.0, 1.0], values.shape)
            case 6:
                values = -values
            case _:
                values = 10.0 ** rng.uniform(-3, 6) * noise
        parts[name] = values
    return Multipliers(**parts)


@pytest.mark.parametrize("name", ["case9", "case14"])
def test_never_above_the_optimum(name: str) -> None:
    found = solved(name, SCENARIOS)
    good = np.flatnonzero(found.status == OpfStatus.OPTIMAL)
    assert good.size > SCENARIOS // 2
    form = Lagrangian.build(found.problem.grid.net, found.given, None, {"cost": 1.0}).rows(good)
    y, cost = Multipliers.of(found).take(good), found.objective[good]
    rng = np.random.default_rng(11)
    tried = 0
    for kind in range(ATTACKS):
        bound = bound_of(form, attacked(y, kind, rng))
        assert (bound.value <= cost + LEEWAY * np.abs(cost)).all()
        assert (np.isneginf(bound.value) == (bound.completion == 0)).all()
        tried += len(cost)
    assert tried >= 10_000


def test_lagrangian_lies_above_the_bound_everywhere_within_limits() -> None:
    """No optimum needed: at any point of the boxes the Lagrangian, summed in other words, is at least the bound."""
    found = solved("case14", 8)
    net, problem = found.problem.grid.net, found.problem
    form = Lagrangian.build(net, found.given, None, {"cost": 1.0})
    rng = np.random.default_rng(3)
    rate = np.where(np.isfinite(form.rate), form.rate, 0.0)
    grid, rows, injection = problem.grid, problem.branch, problem.injection
    a, b = grid.from_node[rows], grid.to_node[rows]
    for kind in range(200):
        y = form.allowed(attacked(Multipliers.of(found), kind, rng))
        bound = bound_of(form, y).value
        size = rng.uniform(form.lo, form.hi, (8, grid.n_node))
        v = size * np.exp(1j * rng.normal(0, 10.0 ** rng.uniform(-3, 0.5), size.shape))
        x = np.where(rng.random(form.at.lo.shape) < 0.5, form.at.lo, rng.uniform(form.at.lo, form.at.hi))
        s_a = v[:, a] * np.conj(form.y[:, 0] * v[:, a] + form.y[:, 1] * v[:, b])
        s_b = v[:, b] * np.conj(form.y[:, 2] * v[:, a] + form.y[:, 3] * v[:, b])
        left = form.at.need + np.abs(v) ** 2 * np.conj(form.shunt)
        for k in range(len(rows)):
            left[:, a[k]] += s_a[:, k]
            left[:, b[k]] += s_b[:, k]
        for u in range(injection.count):
            left[:, injection.node[u]] -= x[:, u] * (1j if injection.axis[u] else 1.0)
        value = form.constant + (form.linear * x + form.quadratic * x**2).sum(1) + np.real(np.conj(y.lam) * left).sum(1)
        value += np.real(np.conj(y.flow_from) * s_a + np.conj(y.flow_to) * s_b).sum(1)
        value -= ((np.abs(y.flow_from) + np.abs(y.flow_to)) * rate).sum(1)
        turn = v[:, a] * np.conj(v[:, b])
        value += np.real(turn * (y.angle_max * form.turn_max + y.angle_min * form.turn_min)).sum(1)
        # the magnitudes' limits are part of the Lagrangian too; a point within them gains nothing from their multipliers
        assert (bound <= value + 1e-9 * (np.abs(value) + np.abs(bound))).all()


def test_own_multipliers_prove_optimality() -> None:
    found = ag.optimal_power_flow(ag.load("case14"), threads=1)
    bound = opf_lower_bound(found)
    assert abs(bound.gap(found.objective)[0]) < 1e-5
    assert 0 < bound.margin[0] < 1e-5 * found.objective[0]


def test_what_is_no_number_proves_nothing() -> None:
    found = solved("case9", 4)
    y = Multipliers.of(found)
    for name in y.__dataclass_fields__:
        for bad in (np.nan, np.inf, 1e308):
            values = getattr(y, name).copy()
            values[1] = bad
            bound = lower_bound(found.problem.grid.net, found.given, replace(y, **{name: values}))
            assert not bound.value[1] > found.objective[1] * (1 + LEEWAY)
            if not np.isfinite(bad):
                assert bound.value[1] == -np.inf
                assert COMPLETIONS[bound.completion[1]] == "none"
            assert np.isfinite(bound.value[[0, 2, 3]]).all()


def test_free_controls_are_refused() -> None:
    net = ag.load("case9")
    found = ag.optimal_power_flow(net, load_shed_price=1e4, threads=1)
    with pytest.raises(InputError, match="free controls"):
        opf_lower_bound(found)
