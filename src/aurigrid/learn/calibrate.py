"""Thresholds with a bound on what is missed, and what a threshold does on held-out pairs.

Of n violating pairs at most k may be missed; the threshold is the highest at which no more are. Where a pair is solved if its
score reaches the threshold, that is the (k + 1)-th smallest score. Whatever the scores' distribution, the share F of violating
pairs with a smaller score then follows Beta(k + 1, n - k), if the pairs of the query are drawn as those n were, independently
(Wilks 1941). Its quantile is also Clopper and Pearson's upper bound for k misses in n. Where what is found brings up more
(`aurigrid.security.follow`), a pair's score is the highest threshold at which it is found; all else is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from aurigrid.model.table import Array

CONFIDENCE = 0.95
TARGET = 1e-3
"""Share of the violating pairs that may be missed."""
AIM = 0.5 * TARGET
"""What thresholds are set for: pairs of one operating point miss together, which the bound does not know."""
SUPPOSES = "its pairs are drawn like those of the calibration set"


def missed_bound(missed: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Upper confidence bound on a share of which ``missed`` of n were seen."""
    return 1.0 if missed >= n else float(beta.ppf(confidence, missed + 1, n - missed))


def allowed_misses(n: int, target: float = TARGET, confidence: float = CONFIDENCE) -> int:
    """Most misses among n for which the bound stays within the target; 0 where not even that is enough."""
    k = 0
    while missed_bound(k + 1, n, confidence) <= target:
        k += 1
    return k


def threshold_of(
    scores: Array, missed: Callable[[float], int] | None = None, target: float = AIM, confidence: float = CONFIDENCE
) -> float:
    """Score from which pairs are solved.

    Args:
        scores: (n,) of the violating pairs; those with the score inf are always found.
        missed: how many of them a threshold misses, never fewer for a higher one; those with a lower score where None.

    Returns:
        The highest of the scores that is within the target; inf where every score is, -inf without any.
    """
    if not len(scores):
        return -np.inf
    told = missed if missed is not None else lambda threshold: int(np.sum(scores < threshold))
    allowed, candidates = allowed_misses(len(scores), target, confidence), np.unique(scores)
    # candidates[0] misses nothing; the last one that misses no more than is allowed, by halving
    low, high = 0, len(candidates)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if told(float(candidates[middle])) <= allowed else (low, middle)
    return float(candidates[low])


@dataclass(frozen=True)
class Result:
    """What a rule does on a set of pairs.

    Attributes:
        violating, missed: pairs that break something, and those of them that are not solved.
        pairs, checked: all pairs (of every kind), and the share of them that is solved.
        scenarios, with_misses: operating points, and those in which a pair is missed.
    """

    violating: int
    missed: int
    pairs: float
    checked: float
    scenarios: int
    with_misses: int

    @property
    def found(self) -> float:
        """Share of violating pairs found."""
        return 1.0 - self.missed / self.violating if self.violating else 1.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"found": self.found, **self.__dict__}


def judged(near: Array, violates: Array, weight: Array, scenario: Array, always: float = 0.0) -> Result:
    """Judge a rule.

    Args:
        near: (k,) whether it solves each pair; violates, weight, scenario: (k,) of these pairs.
        always: pairs besides that are always solved (those that cut the grid, those looked at to audit the model).
    """
    missed = violates & ~near
    total = float(weight.sum()) + always
    solved = float(weight[near].sum()) + always
    return Result(
        int(violates.sum()), int(missed.sum()), total, solved / total if total else 0.0, len(np.unique(scenario)),
        len(np.unique(scenario[missed])),
    )  # fmt: skip
