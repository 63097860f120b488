"""What is found brings more near: pairs that share an outage with one that breaks limits unexpectedly.

A model's misses come together. Most of them hold one outage that behaves unlike those of training, at one operating point; some
of its pairs are picked all the same and turn out to break limits, at scores where hardly any should. So each outage has a bar of
its own, from which its pairs are solved. It begins at the model's threshold, and falls to ``margin`` below the lowest score of a
violating pair with this outage, for as long as that brings up pairs which are not solved yet:

    solve p = (i, j) where score_p >= min(bar_i, bar_j)
    bar_i = min(threshold, min { score_p : i in p, p solved and violating } - margin)

Pairs that a model's gate rules out have no score at first. Where a bar has fallen below ``trust``, the gate is not believed
either: all pairs of that outage are scored. (A trust that moved with the threshold could be reached by a higher one and missed by
a lower one.)

What is solved only grows as the threshold falls, so one threshold can be calibrated for all of it (`aurigrid.learn.calibrate`).
Pairs that are solved without asking the model have the score inf, and lower no bar.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def brought_up(bar: Array, score: Array, first: Array, second: Array) -> Array:
    """(k,) whether each pair reaches the bar of one of its outages; NaN scores do."""
    return np.asarray(~(score < np.minimum(bar[first], bar[second])))


def lowered(bar: Array, score: Array, first: Array, second: Array, violates: Array, margin: float) -> Array:
    """(n_outage,) bars after some pairs were solved; ``violates`` says which of these break limits."""
    hit = violates & (score < np.inf)
    least = np.full(len(bar), np.inf)
    for outage in (first, second):
        np.minimum.at(least, outage[hit], score[hit])
    return np.asarray(np.minimum(bar, least - margin))


def opened(bar: Array, trust: float, first: Array, second: Array) -> Array:
    """(k,) whether one of the outages of each pair has a bar so low that the gate is not believed."""
    low = bar < trust
    return np.asarray(low[first] | low[second])


def followed(
    score: Array, gated: Array, first: Array, second: Array, violates: Array, threshold: float, margin: float, trust: float
) -> Array:  # fmt: skip
    """(k,) which pairs are solved in the end, where score and outcome of each are known.

    Args:
        gated: (k,) pairs that the gate rules out at first.
        first, second: (k,) outages of each pair, numbered from 0; outages of different scenarios are different ones.
    """
    bar = np.full(max(first.max(initial=0), second.max(initial=0)) + 1, threshold)
    solved = (~gated | opened(bar, trust, first, second)) & brought_up(bar, score, first, second)
    while True:
        bar = lowered(bar, score, first, second, solved & violates, margin)
        scored = ~gated | opened(bar, trust, first, second)
        more = scored & brought_up(bar, score, first, second)
        if not (more & ~solved).any():
            return solved
        solved |= more
