"""Pairs of outages estimated from single ones: closed forms, topology, and what the screen passes over."""

import re
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.kernels.pairs import COUPLING, LOADING, LOADING_PLAIN, N_MEASURES, estimate_pairs, pair_factors
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.supply import splits_after
from aurigrid.security import VIOLATION_KINDS


@pytest.fixture(scope="module")
def rated():
    """The 118-bus grid with ratings a third above its flows, so that some pairs break limits and most do not."""
    net = ag.load("case118")
    flow = ag.power_flow(net).branch_flow()
    size = np.maximum(flow.s_from_mva[0], flow.s_to_mva[0])
    return net.replace(branch=net.branch.replace(rate_mva=np.maximum(1.5 * size, 60.0)))


def linear_flows(n, ends, b, injection, out=()):
    """Active flows of a DC model, node 0 the reference, with some branches out."""
    b = np.where(np.isin(np.arange(len(b)), out), 0.0, b)
    laplacian = np.zeros((n, n))
    for (i, j), w in zip(ends, b, strict=True):
        laplacian[[i, j], [i, j]] += w
        laplacian[[i, j], [j, i]] -= w
    theta = np.zeros(n)
    theta[1:] = np.linalg.solve(laplacian[1:, 1:], injection[1:])
    return b * (theta[ends[:, 0]] - theta[ends[:, 1]])


def test_the_estimate_is_exact_in_a_linear_model():
    rng = np.random.default_rng(5)
    n = 9
    ends = np.array([(i, (i + 1) % n) for i in range(n)] + [(0, 4), (2, 7), (1, 5), (3, 8)])
    b, injection = rng.uniform(5, 20, len(ends)), rng.uniform(-1, 1, n)
    injection -= injection.mean()
    m = len(ends)
    base = linear_flows(n, ends, b, injection)
    alone = np.array([linear_flows(n, ends, b, injection, (k,)) for k in range(m)])
    pairs = np.array(list(combinations(range(m), 2)))

    def sided(p):
        return np.stack([p, 0 * p, -p, 0 * p], -2).astype(np.float32)

    inv = np.ones((m + 1, m), np.float32)
    inv[np.arange(m), np.arange(m)] = 0.0
    none, bands = np.zeros(0, np.float32), np.zeros((m + 1, 0), np.float32)
    out = np.zeros((len(pairs), N_MEASURES), np.float32)
    sizes, alone_32 = np.abs(alone - base).astype(np.float32), np.abs(np.vstack([alone, base])).astype(np.float32)
    estimate_pairs(
        pairs[:, 0].copy(), pairs[:, 1].copy(), 0, len(pairs), np.arange(m), sided(base), sided(alone - base), sizes, inv,
        alone_32, none, np.zeros((m, 0), np.float32), bands, bands, bands, none,
        np.zeros((m, 0), np.float32), none, none, np.zeros(4), out,
    )  # fmt: skip
    looked = 0
    for (i, j), row in zip(pairs, out, strict=True):
        a, c, *_ = pair_factors(base[i], base[j], alone[j, i] - base[i], alone[i, j] - base[j])
        if max(abs(a), abs(c)) >= 5 or min(abs(base[i]), abs(base[j])) < 0.01:
            continue  # next to nothing flows, or the pair cuts the grid: held, and so not exact
        exact = np.abs(linear_flows(n, ends, b, injection, (i, j))).max()
        assert row[LOADING] == pytest.approx(exact, rel=2e-5)
        plain = base + (alone[i] - base) + (alone[j] - base)
        plain[[i, j]] = 0.0
        assert row[LOADING_PLAIN] == pytest.approx(np.abs(plain).max(), rel=2e-5)
        looked += 1
    assert looked > len(pairs) / 2
    assert np.abs(out[:, LOADING] - out[:, LOADING_PLAIN]).max() > 0.05, "the factors must make a difference here"


def test_pairs_that_cut_the_grid_are_those_that_topology_says():
    net = ag.load("case39")
    grid = compile_grid(net)
    m = net.n_branch
    after = splits_after(grid, np.arange(m))
    for i in range(m):
        for j in range(i + 1, m):
            left = np.setdiff1d(np.arange(m), [i, j])
            graph = coo_array(
                (np.ones(len(left)), (grid.from_node[left], grid.to_node[left])), shape=(grid.n_node, grid.n_node)
            )
            without_i = np.setdiff1d(np.arange(m), [i])
            before = coo_array(
                (np.ones(len(without_i)), (grid.from_node[without_i], grid.to_node[without_i])), shape=graph.shape
            )
            falls = connected_components(graph, False)[0] > connected_components(before, False)[0]
            assert after[i, j] == falls


def test_the_screen_finds_what_pairs_break_beyond_their_single_outages(rated):
    how = {"q_limits": False, "threads": 1}
    kept = rated.branch.id[:90].tolist()
    spec = f"n-2:ids={','.join(kept)}"
    full = ag.security_analysis(rated, None, spec, **how)
    found = ag.security_analysis(rated, None, spec, screen="pairs", **how)
    single = ag.security_analysis(rated, None, "n-1", **how)
    passed = found.status[0] == ag.Status.SKIPPED
    assert 0.5 < passed.mean() < 1.0
    distinct = full.contingencies.representative == np.arange(full.contingencies.n)
    counts = [int(word) for word in re.findall(r"\d+", found.screen)]
    assert counts[1] == distinct.sum()
    assert counts[0] + counts[2] == (passed & distinct).sum()
    solved = ~passed
    for name in ("status", "worst_loading", "v_min_pu", "v_max_pu", "lost_load_mw"):
        assert np.array_equal(
            getattr(found, name)[0, solved], getattr(full, name)[0, solved], equal_nan=True
        ) or np.allclose(getattr(found, name)[0, solved], getattr(full, name)[0, solved], atol=1e-6, equal_nan=True)
    reactive = VIOLATION_KINDS.index("reactive_limit")

    def broken(report):
        rows = report.found.kind != reactive
        f = report.found.take(np.flatnonzero(rows))
        return list(zip(f.contingency.tolist(), f.kind.tolist(), f.element.tolist(), strict=True))

    known = set(broken(single))
    ends = full.contingencies.branch.idx.reshape(-1, 2)
    new = {
        (c, kind, element)
        for c, kind, element in broken(full)
        if c >= 0 and not any((k, kind, element) in known for k in (-1, *ends[c].tolist()))
    }
    caught = set(broken(found))
    pairs = {c for c, *_ in new}
    missed = {c for c, kind, element in new if (c, kind, element) not in caught}
    assert len(pairs) > 20
    assert len(missed) <= 0.01 * len(pairs)
    assert found.power_flows < full.power_flows


def test_pairs_that_cut_the_grid_are_always_solved(rated):
    grid = compile_grid(rated)
    after = splits_after(grid, np.arange(rated.n_branch))
    alone = splits_after(grid, np.array([-1]))[0]
    i, j = np.argwhere(after & ~alone[None] & ~alone[:, None])[0]
    found = ag.security_analysis(rated, None, [rated.branch.id[[i, j]].tolist()], screen="pairs")
    assert found.status[0, 0] == ag.Status.ISLANDED


def test_what_is_no_pair_and_scenarios_with_outages_of_their_own_are_solved(rated):
    single = ag.security_analysis(rated, None, "n-1", screen="pairs")
    assert not (single.status == ag.Status.SKIPPED).any()
    sc = ag.Scenarios(rated, branch_out=[None, [0]])
    found = ag.security_analysis(rated, sc, f"n-2:ids={','.join(rated.branch.id[:12])}", screen="pairs")
    assert (found.status[0] == ag.Status.SKIPPED).any()
    assert not (found.status[1] == ag.Status.SKIPPED).any()


def test_a_pair_of_which_one_outage_cuts_the_other_off_is_that_outage(rated):
    grid = compile_grid(rated)
    alone = splits_after(grid, np.array([-1]))[0]
    single = ag.power_flow(rated, ag.Scenarios(rated, branch_out=[[int(k)] for k in np.flatnonzero(alone)]))
    dead = np.isnan(single.v[:, grid.from_node]) & np.isnan(single.v[:, grid.to_node])
    row, beyond = np.argwhere(dead)[0]
    cut = int(np.flatnonzero(alone)[row])
    both = [rated.branch.id[[cut, beyond]].tolist(), rated.branch.id[[cut]].tolist()]
    found = ag.security_analysis(rated, None, both, screen="pairs")
    assert found.status[0, 0] == ag.Status.SKIPPED
    full = ag.security_analysis(rated, None, both)
    assert full.worst_loading[0, 0] == pytest.approx(full.worst_loading[0, 1], abs=1e-7)


def test_the_choice_of_screens_is_told():
    with pytest.raises(InputError, match="pairs"):
        ag.security_analysis(ag.load("case9"), None, "n-1", screen="magic")


def test_coupling_grows_where_outages_feel_each_other():
    weak, strong = pair_factors(1.0, 1.0, 0.01, 0.01), pair_factors(1.0, 1.0, 0.5, 0.5)
    assert abs(weak[2]) + abs(weak[3]) < abs(strong[2]) + abs(strong[3])
    assert strong[0] == pytest.approx(2.0)
    assert COUPLING < N_MEASURES


def test_groups_of_scenarios_are_counted_together(rated, monkeypatch):
    monkeypatch.setattr("aurigrid.security.analysis._STATE_BYTES", 1)
    sc = ag.Scenarios(rated, load_p_mw=rated.load.p_mw * np.array([[0.9], [1.0], [1.05]]))
    spec = f"n-2:ids={','.join(rated.branch.id[:16])}"
    found = ag.security_analysis(rated, sc, spec, screen="pairs")
    assert found.passed.of == 3 * found.contingencies.n_distinct
    distinct = found.contingencies.representative == np.arange(found.contingencies.n)
    skipped = (found.status == ag.Status.SKIPPED)[:, distinct].sum()
    assert found.passed.estimated + found.passed.one_outage + found.passed.unsolved == skipped
    assert ag.security_analysis(rated, sc, "n-1").passed is None
