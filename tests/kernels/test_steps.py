"""One step of the solver against dense linear algebra: Jacobian by finite differences, solve, selected inverse, outages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.kernels.chord import accelerate
from aurigrid.kernels.factor import base_blocks, outage_changes, selected_inverse
from aurigrid.kernels.factor import factorise as factorise_one
from aurigrid.kernels.fill import fill_lanes, link_outages
from aurigrid.kernels.loop import set_voltage
from aurigrid.kernels.newton import back_substitute, factorise, residual, update
from aurigrid.kernels.simd import LANES
from aurigrid.kernels.tile import OFF, PQ, PV, REF, make_tile
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import Grid, compile_grid
from aurigrid.powerflow.problem import Start, build_batch
from oracle import Condition
from sample_grids import everything, with_zip_loads


def nets() -> dict[str, Network]:
    return {
        "case14": ag.load("case14"),
        "case14 with ZIP loads": with_zip_loads(ag.load("case14")),
        "everything": everything(),
    }


def disturbed(grid: Grid, seed: int) -> np.ndarray:
    """(n_node,) voltages off any solution, with held magnitudes at their set-points."""
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.95, 1.05, grid.n_node) * np.exp(1j * rng.uniform(-0.2, 0.2, grid.n_node))
    reg = grid.regulators
    v[reg.node] *= reg.v_set_pu / np.abs(v[reg.node])
    return v


class Dense:
    """r(x) = specified - S of one scenario at voltages v exp(x), x = (theta, ln|V|), masked as the kernels do."""

    def __init__(self, grid: Grid, at: Condition, v: np.ndarray) -> None:
        # nodes in the order of their first bus, which is what both sides name them by
        self.first = np.unique(at.node)
        kind = grid.kind
        self.keep_p, self.keep_q = (kind != REF) & (kind != OFF), kind == PQ
        self.y = at.y_bus()[np.ix_(self.first, self.first)]
        self.at, self.v, self.n = at, v, grid.n_node

    def residual(self, theta: np.ndarray, log_v: np.ndarray) -> np.ndarray:
        v = self.v * np.exp(1j * theta + log_v)
        mag = np.ones(self.at.net.n_bus)
        mag[self.first] = np.abs(v)
        gap = self.at.specified(mag)[self.first] - v * np.conj(self.y @ v)
        return np.concatenate([np.where(self.keep_p, gap.real, 0), np.where(self.keep_q, gap.imag, 0)])

    def jacobian(self) -> np.ndarray:
        """-dr/dx by central differences, identity rows where nothing is imposed."""
        n, h = self.n, 1e-6
        out = np.zeros((2 * n, 2 * n))
        for k in range(2 * n):
            x = np.zeros(2 * n)
            x[k] = h
            out[:, k] = (self.residual(-x[:n], -x[n:]) - self.residual(x[:n], x[n:])) / (2 * h)
        free = ~np.concatenate([self.keep_p, self.keep_q])
        out[free] = np.eye(2 * n)[free]
        return out


def lanes_of(values: np.ndarray, grid: Grid, lane: int) -> np.ndarray:
    """(2 n,) angles, then logarithms, in node order from a tile's right-hand side."""
    pairs = values[: 2 * grid.n_node * LANES].reshape(grid.n_node, 2, LANES)[:, :, lane]
    out = np.empty((grid.n_node, 2))
    out[grid.pattern.order] = pairs
    return out.T.ravel()


@pytest.mark.parametrize("name", nets())
def test_a_newton_step_solves_the_dense_system(name: str) -> None:
    net = nets()[name]
    grid = compile_grid(net)
    rng = np.random.default_rng(8)
    n = 5
    sc = Scenarios(
        net,
        load_p_mw=net.load.p_mw * rng.uniform(0.7, 1.2, (n, net.n_load)),
        load_q_mvar=net.load.q_mvar * rng.uniform(0.7, 1.2, (n, net.n_load)),
        branch_out=[None, [0], [1], [0, 3], None],
        load_out=[None, None, [1], None, [0, 2]],
    )
    v = disturbed(grid, 1)
    batch, _ = build_batch(grid, Cases.of(sc), Start.at(grid, v[None]), np.zeros(n, np.int32), enforce_q=False)
    tile = make_tile(grid.pattern, grid.rows, batch, np.float64)
    scenario = np.full(LANES, 0, np.int32)
    scenario[:n] = np.arange(n)
    done = np.zeros(LANES, bool)
    done[n:] = True
    fill_lanes(grid.rows, batch, tile, np.arange(LANES), scenario, False, False, True)
    link_outages(grid.rows, batch, tile, scenario, done)
    residual(grid.rows, batch, tile, False)
    r, norm = tile.rhs.copy(), tile.norm.copy()
    factorise(grid.pattern, grid.rows, batch, tile, False)
    back_substitute(grid.pattern, tile, tile.rhs)
    for lane in range(n):
        dense = Dense(grid, Condition(net, sc, lane), v)
        zero = np.zeros(grid.n_node)
        expected = dense.residual(zero, zero)
        np.testing.assert_allclose(lanes_of(r, grid, lane), expected, atol=1e-12)
        assert norm[lane] == pytest.approx(np.abs(expected).max(), abs=1e-12)
        step = np.linalg.solve(dense.jacobian(), expected)
        np.testing.assert_allclose(lanes_of(tile.rhs, grid, lane), step, atol=1e-7)


def test_a_voltage_that_is_set_takes_the_residual_with_it() -> None:
    """What a switch changes is what a fresh residual says, without a phase shifter or an outage near it to the last digits."""
    net = ag.load("case14")
    grid = compile_grid(net)
    start = Start.at(grid, disturbed(grid, 1)[None])
    batch, _ = build_batch(grid, Cases.of(Scenarios.base(net)), start, np.zeros(1, np.int32), enforce_q=True)
    tile = make_tile(grid.pattern, grid.rows, batch, np.float64)
    scenario = np.zeros(LANES, np.int32)
    fill_lanes(grid.rows, batch, tile, np.arange(LANES), scenario, True, True, True)
    link_outages(grid.rows, batch, tile, scenario, np.zeros(LANES, bool))
    residual(grid.rows, batch, tile, True)
    node, lane = int(np.flatnonzero(grid.rows.kind == PV)[1]), 3
    before = tile.rhs.copy()
    set_voltage(grid.rows, tile, lane, node, 1.02)
    told = tile.rhs.copy(), tile.p_now.copy(), tile.q_now.copy()
    residual(grid.rows, batch, tile, True)
    for mine, fresh, places in zip(
        told, (tile.rhs, tile.p_now, tile.q_now), (2 * grid.n_node, grid.n_node, grid.n_node), strict=True
    ):
        now = fresh[: places * LANES].reshape(places, LANES).copy()
        mine = mine[: places * LANES].reshape(places, LANES)
        if fresh is tile.q_now:
            # the node's own need is not asked for: it begins to hold its voltage
            now[node], mine[node] = 0.0, 0.0
        np.testing.assert_allclose(mine, now, atol=1e-12)
    moved = (tile.rhs != before)[: 2 * grid.n_node * LANES].reshape(-1, LANES).any(0)
    assert moved.tolist() == [k == lane for k in range(LANES)]


def test_accelerated_steps_are_the_formula_and_lanes_without_a_step_before_take_the_plain_one() -> None:
    net = ag.load("case14")
    grid = compile_grid(net)
    start = Start.at(grid, disturbed(grid, 1)[None])
    batch, _ = build_batch(grid, Cases.of(Scenarios.base(net)), start, np.zeros(1, np.int32), enforce_q=False)
    tile = make_tile(grid.pattern, grid.rows, batch, np.float64)
    rng = np.random.default_rng(3)
    tile.proposed[:], tile.lag[:], tile.rhs[:] = 0.1 * rng.normal(size=(3, len(tile.rhs)))
    tile.e[:], tile.f[:] = rng.normal(size=(2, len(tile.e)))
    tile.steady[:] = np.arange(LANES) % 2
    tile.live[:] = np.arange(LANES) != 5
    # what a diverged scenario left in a lane must not reach the next one
    tile.proposed[2::LANES] = np.nan
    g, before, lag = (x.reshape(-1, LANES).copy() for x in (tile.rhs, tile.proposed, tile.lag))
    e, f = tile.e.copy(), tile.f.copy()
    accelerate(grid.rows, tile)
    gamma = (g * (g - before)).sum(0) / ((g - before) ** 2).sum(0)
    taken = lag + before
    expected = np.where(np.arange(LANES) % 2, g - gamma * (taken + g - before), g)
    x = (tile.proposed + tile.lag).reshape(-1, LANES)
    np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(tile.proposed.reshape(-1, LANES), g)
    # the voltages take the step as a plain one
    turned = tile.e.copy(), tile.f.copy()
    tile.e[:], tile.f[:], tile.rhs[:] = e, f, x.reshape(-1)
    update(grid.rows, tile)
    np.testing.assert_allclose(turned, (tile.e, tile.f), rtol=1e-14)
    assert np.all((turned[0] == e).reshape(-1, LANES).all(0) == (tile.live == 0))


def test_an_accelerated_iteration_on_a_line_of_modes_ends_in_two_steps() -> None:
    """With one mode of error, V <- V + g(V) linear, the second accelerated step meets the fixed point."""
    net = ag.load("case14")
    grid = compile_grid(net)
    start = Start.at(grid, disturbed(grid, 1)[None])
    batch, _ = build_batch(grid, Cases.of(Scenarios.base(net)), start, np.zeros(1, np.int32), enforce_q=False)
    tile = make_tile(grid.pattern, grid.rows, batch, np.float64)
    mode = np.random.default_rng(4).normal(size=len(tile.rhs))
    x, rate = 3.0 * mode, 0.6
    for k in range(2):
        tile.rhs[:], tile.steady[:] = -(1.0 - rate) * x, float(k > 0)
        accelerate(grid.rows, tile)
        x = x + tile.proposed + tile.lag
    np.testing.assert_allclose(x, 0.0, atol=1e-12)


def base_factor(net: Network, v: np.ndarray) -> tuple[Grid, Any, Any, Any, np.ndarray]:
    grid = compile_grid(net)
    pattern, order = grid.pattern, grid.pattern.order
    low, up = np.zeros((pattern.n_upper, 4)), np.zeros((pattern.n_upper, 4))
    diagonal = np.zeros((grid.n_node, 4))
    free_q = (grid.rows.kind == PQ).astype(float)
    zero = np.zeros(grid.n_node)
    base_blocks(pattern, grid.rows, v.real[order].copy(), v.imag[order].copy(), zero, zero, free_q, low, diagonal, up)
    return grid, low, diagonal, up, free_q


def as_dense(grid: Grid, low: np.ndarray, diagonal: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(n, 2, n, 2) blocks in elimination order from their places on the pattern."""
    n, p = grid.n_node, grid.pattern
    out = np.zeros((n, 2, n, 2))
    for i in range(n):
        out[i, :, i, :] = diagonal[i].reshape(2, 2)
        for x in range(p.low_ptr[i], p.low_ptr[i + 1]):
            out[i, :, p.low_idx[x], :] = low[x].reshape(2, 2)
        for x in range(p.up_ptr[i], p.up_ptr[i + 1]):
            out[i, :, p.up_idx[x], :] = up[x].reshape(2, 2)
    return out


@pytest.mark.parametrize("name", ["case14", "case30", "case57"])
def test_base_blocks_are_the_jacobian(name: str) -> None:
    net = ag.load(name)
    grid = compile_grid(net)
    v = disturbed(grid, 2)
    grid, low, diagonal, up, _ = base_factor(net, v)
    blocks = as_dense(grid, low, diagonal, up)
    expected = Dense(grid, Condition(net), v).jacobian().reshape(2, grid.n_node, 2, grid.n_node)
    order = grid.pattern.order
    expected = expected.transpose(1, 0, 3, 2)[order][:, :, order]
    np.testing.assert_allclose(blocks, expected, atol=1e-7)


@pytest.mark.parametrize("name", ["case14", "case57", "case118"])
def test_factor_and_selected_inverse(name: str) -> None:
    net = ag.load(name)
    v = disturbed(compile_grid(net), 3)
    grid, low, diagonal, up, _ = base_factor(net, v)
    n = grid.n_node
    matrix = as_dense(grid, low, diagonal, up).reshape(2 * n, 2 * n)
    factorise_one(grid.pattern, low, diagonal, up)
    lower = as_dense(grid, low, np.linalg.inv(diagonal.reshape(n, 2, 2)).reshape(n, 4), np.zeros_like(up))
    upper = as_dense(grid, np.zeros_like(low), np.tile([1.0, 0, 0, 1], (n, 1)), up)
    np.testing.assert_allclose(lower.reshape(2 * n, -1) @ upper.reshape(2 * n, -1), matrix, atol=1e-9)
    zd, zu, zl = selected_inverse(grid.pattern, low, diagonal, up)
    inverse = np.linalg.inv(matrix).reshape(n, 2, n, 2)
    up_row = np.repeat(np.arange(n), np.diff(grid.pattern.up_ptr))
    np.testing.assert_allclose(zd.reshape(n, 2, 2), inverse[np.arange(n), :, np.arange(n), :], atol=1e-9)
    np.testing.assert_allclose(zu.reshape(-1, 2, 2), inverse[up_row, :, grid.pattern.up_idx, :], atol=1e-9)
    np.testing.assert_allclose(zl.reshape(-1, 2, 2), inverse[grid.pattern.up_idx, :, up_row, :], atol=1e-9)


@pytest.mark.parametrize("name", ["case14", "case57"])
def test_outages_by_woodbury_are_the_grid_without_the_branch(name: str) -> None:
    net = ag.load(name)
    grid = compile_grid(net)
    v = disturbed(grid, 4)
    grid, low, diagonal, up, free_q = base_factor(net, v)
    n, order, rows = grid.n_node, grid.pattern.order, grid.rows
    whole = as_dense(grid, low, diagonal, up).reshape(2 * n, 2 * n)
    factorise_one(grid.pattern, low, diagonal, up)
    change = np.zeros((net.n_branch, 16))
    e, f = v.real[order].copy(), v.imag[order].copy()
    outage_changes(grid.pattern, rows, e, f, free_q, *selected_inverse(grid.pattern, low, diagonal, up), change)
    r = np.random.default_rng(0).normal(size=2 * n)
    some = range(0, net.n_branch, 1 if name == "case14" else 5)
    checked = 0
    for k in some:
        on = np.arange(net.n_branch) != k
        without = net.replace(branch=net.branch.replace(in_service=on))
        dense = Dense(grid, Condition(without), v).jacobian().reshape(2, n, 2, n).transpose(1, 0, 3, 2)
        matrix = dense[order][:, :, order].reshape(2 * n, 2 * n)
        if np.isnan(change[k, 0]):
            assert not (compile_grid(without).kind != OFF).all(), "a branch that splits nothing has no correction"
            continue
        ends = 2 * rows.from_node[k] + np.array([0, 1]), 2 * rows.to_node[k] + np.array([0, 1])
        at = np.concatenate(ends)
        first = np.linalg.solve(whole, r)
        push = np.zeros(2 * n)
        push[at] = change[k].reshape(4, 4) @ first[at]
        ours = first - np.linalg.solve(whole, push)
        np.testing.assert_allclose(ours, np.linalg.solve(matrix, r), rtol=1e-4, atol=1e-5)
        checked += 1
    assert checked > 0.8 * len(some)
