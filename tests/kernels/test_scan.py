"""Broken limits of many cases against a plain formula, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from aurigrid.kernels.scan import OVERLOAD, OVERLOAD_SHORT, V_HIGH, V_LOW, V_STEP, scan

N, M, SCALE, SHARE = 7, 9, 100.0, 1e-6


def plain(case: dict, s: int) -> list[tuple[int, int, int, float, float]]:
    """What one case breaks: branches in order, long before short rating, then buses."""

    def powers(v: np.ndarray, k: int) -> float:
        a, b = case["from_node"][k], case["to_node"][k]
        y = case["y"][k, ::2] + 1j * case["y"][k, 1::2]
        sent, got = v[a] * np.conj(y[0] * v[a] + y[1] * v[b]), v[b] * np.conj(y[2] * v[a] + y[3] * v[b])
        return SCALE * max(abs(sent), abs(got))

    v, base = case["v"][s], case["base_v"][case["base_row"][s]]
    out = case["out_branch"][case["out_ptr"][s] : case["out_ptr"][s + 1]]
    found = []
    for k in range(M):
        if case["from_node"][k] < 0 or k in out:
            continue
        for kind, rate in ((OVERLOAD, case["rate"][k]), (OVERLOAD_SHORT, case["short"][k])):
            if powers(v, k) > rate * (1 + SHARE):
                found.append((s, k, kind, powers(v, k), powers(base, k)))
    for i in range(N):
        size, before = abs(v[i]), abs(base[i])
        if i == 3 or not size > 0:
            continue
        broken = {
            V_LOW: size < case["v_min"][i] - SHARE, V_HIGH: size > case["v_max"][i] + SHARE,
            V_STEP: abs(size - before) > case["v_step"],
        }  # fmt: skip
        found += [(s, i, kind, size, before) for kind, is_so in broken.items() if is_so]
    return found


@pytest.mark.parametrize("n_base", [1, 5])
@pytest.mark.parametrize("v_step", [0.1, np.inf])
def test_scan_finds_what_the_formula_finds(n_base: int, v_step: float) -> None:
    rng = np.random.default_rng(n_base)
    n_case = 45
    ends = np.array([rng.choice(N, 2, replace=False) for _ in range(M)], np.int32)
    case = {
        "v": (1 + 0.1 * rng.standard_normal((n_case, N))) * np.exp(0.2j * rng.standard_normal((n_case, N))),
        "base_v": (1 + 0.05 * rng.standard_normal((n_base, N))) * np.exp(0.1j * rng.standard_normal((n_base, N))),
        "base_row": np.sort(rng.integers(0, n_base, n_case)).astype(np.int32),
        "from_node": ends[:, 0].copy(), "to_node": ends[:, 1].copy(), "y": 3 * rng.standard_normal((M, 8)),
        "rate": np.append(rng.uniform(100, 900, M - 1), np.inf), "short": rng.uniform(300, 900, M),
        "v_min": rng.uniform(0.85, 0.95, N), "v_max": rng.uniform(1.05, 1.15, N), "v_step": v_step,
        "out_ptr": np.arange(n_case + 1, dtype=np.int32), "out_branch": rng.integers(0, M, n_case).astype(np.int32),
    }  # fmt: skip
    case["from_node"][2] = -1
    case["v"][4] = np.nan  # a case without a solution, nodes without supply, and a base state with one
    case["v"][10:14, 5] = np.nan
    case["base_v"][0, 1] = np.nan
    node = np.arange(N, dtype=np.int32)
    node[3] = -1
    worst, low, high, inside = np.zeros((4, n_case))
    args = (case["from_node"], case["to_node"], case["y"], SCALE, case["rate"], case["short"])
    found = [
        scan(
            case["v"].view(float), case["base_v"].view(float), case["base_row"], lo, hi, *args, case["out_ptr"],
            case["out_branch"], node, case["v_min"], case["v_max"], v_step, SHARE, worst, low, high, inside,
        )
        for lo, hi in ((0, 20), (20, n_case))
    ]  # fmt: skip
    wanted = [r for s in range(n_case) for r in plain(case, s)]
    assert len(wanted) > 100
    assert np.concatenate(found)[:, :3].astype(int).tolist() == [list(r[:3]) for r in wanted]
    np.testing.assert_allclose(np.concatenate(found)[:, 3:], [r[3:] for r in wanted], rtol=1e-12)
    sizes = np.abs(np.where(np.arange(N) == 3, np.nan, case["v"]))
    solved = np.arange(n_case) != 4
    np.testing.assert_allclose(low[solved], np.nanmin(sizes[solved], 1), rtol=1e-12)
    np.testing.assert_allclose(high[solved], np.nanmax(sizes[solved], 1), rtol=1e-12)
    room = np.minimum(sizes - case["v_min"], case["v_max"] - sizes)
    np.testing.assert_allclose(inside[solved], np.nanmin(room[solved], 1), rtol=1e-10, atol=1e-12)
    for s in np.flatnonzero(solved):
        by_rate = [r[3] / case["rate"][r[1]] for r in plain({**case, "rate": np.full(M, 1e-9)}, s) if r[2] == OVERLOAD]
        assert worst[s] == pytest.approx(max(by_rate, default=0.0), rel=1e-12)
