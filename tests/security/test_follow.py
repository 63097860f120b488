"""Bars that fall behind what is found: against a plain search, and what calibration relies on."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigrid.security.follow import followed

N_OUTAGE = 7
PAIRS = np.array([(i, j) for i in range(N_OUTAGE) for j in range(i)])
FIRST, SECOND = PAIRS[:, 0], PAIRS[:, 1]
TRUST = -2.0


@st.composite
def outcomes(draw):
    """Scores and outcomes of all pairs of a few outages."""
    score = draw(st.lists(st.floats(-8, 8) | st.just(np.inf), min_size=len(PAIRS), max_size=len(PAIRS)))
    violates = draw(st.lists(st.booleans(), min_size=len(PAIRS), max_size=len(PAIRS)))
    gated = draw(st.lists(st.booleans(), min_size=len(PAIRS), max_size=len(PAIRS)))
    return np.array(score), np.array(gated), np.array(violates)


def plain(score, gated, violates, threshold, margin):
    """The same by its definition, pair by pair."""
    solved = {k for k in range(len(PAIRS)) if score[k] >= threshold and (not gated[k] or threshold < TRUST)}
    while True:
        more = set()
        for k in range(len(PAIRS)):
            behind = [
                score[at] - margin
                for at in solved
                if violates[at] and score[at] < np.inf and {*PAIRS[k]} & {*PAIRS[at]}
            ]
            bar = min([threshold, *behind])
            if score[k] >= bar and (not gated[k] or bar < TRUST):
                more.add(k)
        if more <= solved:
            return solved
        solved |= more


@given(outcomes(), st.floats(-9, 9), st.floats(0, 5))
@settings(max_examples=200, deadline=None)
def test_what_is_solved_is_what_the_definition_says(outcome, threshold, margin):
    score, gated, violates = outcome
    solved = followed(score, gated, FIRST, SECOND, violates, threshold, margin, TRUST)
    assert {*np.flatnonzero(solved).tolist()} == plain(score, gated, violates, threshold, margin)


@given(outcomes(), st.floats(-9, 9), st.floats(0, 4), st.floats(0, 5))
@settings(max_examples=200, deadline=None)
def test_a_lower_threshold_and_a_larger_margin_only_add(outcome, threshold, lower, margin):
    score, gated, violates = outcome
    solved = followed(score, gated, FIRST, SECOND, violates, threshold, margin, TRUST)
    assert (solved <= followed(score, gated, FIRST, SECOND, violates, threshold - lower, margin, TRUST)).all()
    assert (solved <= followed(score, gated, FIRST, SECOND, violates, threshold, margin + lower, TRUST)).all()
    assert (solved <= followed(score, np.zeros_like(gated), FIRST, SECOND, violates, threshold, margin, TRUST)).all()


def test_pairs_that_are_solved_without_asking_lower_no_bar():
    score = np.full(len(PAIRS), 0.0)
    score[0] = np.inf
    violates = np.zeros(len(PAIRS), bool)
    none = np.zeros(len(PAIRS), bool)
    violates[0] = True
    assert followed(score, none, FIRST, SECOND, violates, 1.0, 5.0, TRUST).sum() == 1
    score[0] = 1.5
    shares = (np.isin(FIRST, PAIRS[0])) | np.isin(SECOND, PAIRS[0])
    np.testing.assert_array_equal(followed(score, none, FIRST, SECOND, violates, 1.0, 5.0, TRUST), shares)
