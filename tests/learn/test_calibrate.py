"""Bounds on what is missed: against an exact binomial test, and by simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest

from aurigrid.learn.calibrate import allowed_misses, judged, missed_bound, threshold_of


@pytest.mark.parametrize("missed, n", [(0, 10), (0, 3000), (3, 500), (40, 41), (7, 7)])
def test_the_bound_is_that_of_clopper_and_pearson(missed, n):
    theirs = binomtest(missed, n).proportion_ci(confidence_level=0.90, method="exact").high
    assert missed_bound(missed, n, 0.95) == pytest.approx(theirs, abs=1e-12)


def test_no_more_misses_are_allowed_than_the_target_bears():
    for n in (100, 3000, 20000):
        k = allowed_misses(n, 1e-3, 0.95)
        assert missed_bound(k + 1, n) > 1e-3
        assert k == 0 or missed_bound(k, n) <= 1e-3


def test_the_threshold_keeps_its_promise_as_often_as_it_says():
    rng = np.random.default_rng(1)
    n, target, broken = 400, 0.02, 0
    for _ in range(1000):
        threshold = threshold_of(rng.exponential(size=n), None, target, 0.95)
        true_share = 1 - np.exp(-threshold)  # of the distribution that the scores were drawn from
        broken += true_share > missed_bound(allowed_misses(n, target, 0.95), n, 0.95)
    assert 20 <= broken <= 80  # one in twenty, within four standard deviations


def test_counts_of_a_rule():
    near = np.array([True, False, False, True])
    violates = np.array([True, True, False, False])
    result = judged(near, violates, np.array([1, 1, 5, 1.0]), np.array([0, 0, 1, 1]), always=2.0)
    assert (result.violating, result.missed, result.with_misses, result.scenarios) == (2, 1, 1, 2)
    assert result.checked == pytest.approx(4 / 10)
    assert result.found == 0.5
    assert threshold_of(np.zeros(0)) == -np.inf
