"""What the kernels do an iteration, what this machine could do, and the share reached.

    python benchmarks/roofline.py [GRID ...]

For each kernel: floating-point operations and bytes a scenario and call, counted from the pattern (each array once, as if
caches were ideal); the time that the slower of peak arithmetic and memory would take; the time measured; their quotient.
The peaks are measured here: fused multiply-adds on registers, and a copy of a block of the kernel's own size.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from aurigrid.kernels import chord, newton
from aurigrid.kernels.balance import certify_range
from aurigrid.kernels.scan import scan
from aurigrid.kernels.simd import LANES, store
from aurigrid.kernels.simd import LANES64 as WIDTH
from aurigrid.kernels.simd import load64 as load
from aurigrid.kernels.simd import splat64 as splat


@njit(error_model="numpy")
def _multiply_adds(x, n):
    a, b, c, d = load(x, 0), load(x, WIDTH), load(x, 2 * WIDTH), load(x, 3 * WIDTH)
    e, f, g, h = load(x, 4 * WIDTH), load(x, 5 * WIDTH), load(x, 6 * WIDTH), load(x, 7 * WIDTH)
    m, k = load(x, 8 * WIDTH), load(x, 9 * WIDTH)
    for _ in range(n):
        a, b, c, d = a * m + k, b * m + k, c * m + k, d * m + k
        e, f, g, h = e * m + k, f * m + k, g * m + k, h * m + k
    store(x, 0, a + b + c + d + e + f + g + h)


@njit(error_model="numpy")
def _copy(source, target, n, times):
    for _ in range(times):
        for i in range(n):
            store(target, i * WIDTH, load(source, i * WIDTH) + splat(1.0))


@njit(error_model="numpy")
def _residual(times, rows, batch, tile):
    for _ in range(times):
        newton.residual(rows, batch, tile, False)


@njit(error_model="numpy")
def _sweep(times, pattern, factor, x):
    for _ in range(times):
        chord.forward(pattern, factor, x)
        chord.backward(pattern, factor, x)


@njit(error_model="numpy")
def _factorise(times, pattern, rows, batch, tile):
    for _ in range(times):
        newton.factorise(pattern, rows, batch, tile, False)


@njit(error_model="numpy")
def _back(times, pattern, tile, x):
    for _ in range(times):
        newton.back_substitute(pattern, tile, x)


@njit(error_model="numpy")
def _update(times, rows, tile):
    for _ in range(times):
        newton.update(rows, tile)


@njit(error_model="numpy")
def _accelerate(times, rows, tile):
    for _ in range(times):
        chord.accelerate(rows, tile)


@njit(error_model="numpy")
def _certify(times, circuit, batch, out, mismatch, implausible):
    for _ in range(times):
        certify_range(circuit, batch, out, mismatch, implausible, False, np.zeros(1, np.int64))


@njit(error_model="numpy")
def _scan(times, v, row, from_node, to_node, y, rate, ptr, out, node, v_min, v_max, found):
    for _ in range(times):
        scan(
            v,
            v,
            row,
            0,
            LANES,
            from_node,
            to_node,
            y,
            100.0,
            rate,
            rate,
            ptr,
            out,
            node,
            v_min,
            v_max,
            np.inf,
            1e-6,
            *found,
        )


def seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Shortest time of one of several runs, divided by ``times``."""
    work()
    best = np.inf
    for _ in range(7):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best / times


def peak_flops(dtype: type) -> float:
    """Floating-point operations a second of one core on registers."""
    x = np.full(10 * WIDTH, 0.5, dtype)
    n = 2_000_000
    return 16 * WIDTH * n / seconds(lambda: _multiply_adds(x, n))


def bandwidth(n_bytes: int) -> float:
    """Bytes a second of one core for a read and a write of a block of this size."""
    n = max(1, n_bytes // (16 * WIDTH))
    source, target = np.ones(n * WIDTH), np.ones(n * WIDTH)
    times = max(1, 30_000_000 // (n * WIDTH * 16))
    return 16 * WIDTH * n / seconds(lambda: _copy(source, target, n, times), times)


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grids", nargs="*", default=["case300", "case1354pegase", "case2869pegase", "case9241pegase"])
    args = parser.parse_args()

    import aurigrid as ag
    from aurigrid.powerflow import newton as engine
    from aurigrid.powerflow.cases import Cases
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.powerflow.prepared import prepared
    from aurigrid.powerflow.problem import build_batch
    from aurigrid.powerflow.start import base_start

    double, single = peak_flops(np.float64), peak_flops(np.float32)
    print(f"peak of one core: {double / 1e9:.0f} Gflop/s float64, {single / 1e9:.0f} Gflop/s float32, {LANES} lanes\n")
    print("| grid | kernel | kflop | kB | limit us | measured us | share of limit |")
    print("|---|---|---|---|---|---|---|")
    for name in args.grids:
        net = ag.load(name)
        rng = np.random.default_rng(0)
        sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * (1 + 0.05 * rng.standard_normal((LANES, net.n_load))))
        how = engine.Settings(threads=1)
        grid = compile_grid(net)
        cases, start = Cases.of(sc), base_start(grid, how)
        batch, _ = build_batch(grid, cases, start, np.zeros(LANES, np.int32), enforce_q=False)
        work = engine._Work(grid, batch, how)
        work.prepare(0)
        every = np.arange(LANES, dtype=np.int32)
        work._stage([engine._List(every)], np.float32, 20)
        tile, pattern, rows = work._tile(np.float32), grid.pattern, grid.rows
        tile.live[:] = 1.0
        factor, n, m = work.factors[0], pattern.n, len(rows.col)
        up, ops, branches = pattern.n_upper, len(pattern.target), len(prepared(grid).circuit.from_node)
        many = max(1, 200_000 // n)

        def timed(repeated: Callable[..., Any], *args: Any, many: int = many) -> float:
            return seconds(lambda: repeated(many, *args), many) / LANES * 1e6

        table = [
            ("residual", 8 * m + 14 * n, 40 * n, double, (_residual, rows, batch, tile)),
            ("chord sweep", 16 * up + 8 * n , 16 * n, single, (_sweep, pattern, factor, tile.rhs)),
            ("assemble and factorise", 16 * m + 16 * ops + 24 * up + 40 * n, 40 * n + 16 * up, single,
             (_factorise, pattern, rows, batch, tile)),
            ("back-substitution", 8 * up, 16 * up + 16 * n, single, (_back, pattern, tile, tile.rhs)),
            ("update", 16 * n, 40 * n, double, (_update, rows, tile)),
            ("accelerated update", 34 * n, 72 * n, single, (_accelerate, rows, tile)),
            ("certificate", 28 * branches + 34 * n, 48 * n, double, (
                _certify, prepared(grid).circuit, batch, work.out, work.mismatch, work.implausible)),
            ("broken limits", 50 * branches + 8 * n, 48 * n, double, (
                _scan, work.v.view(float), every, grid.from_node, grid.to_node, grid.y_branch, net.branch.rate_mva,
                np.zeros(LANES + 1, np.int32), np.zeros(0, np.int32), grid.node_of_bus, np.full(net.n_bus, 0.5),
                np.full(net.n_bus, 1.5), tuple(np.zeros(LANES) for _ in range(3)))),
        ]  # fmt: skip
        for kernel, flop, size, peak, call in table:
            limit = max(flop / peak, size / bandwidth(size * LANES)) * 1e6
            measured = timed(*call)
            print(
                f"| {name} | {kernel} | {flop / 1e3:.1f} | {size / 1e3:.1f} | {limit:.2f} | {measured:.2f} "
                f"| {limit / measured:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
