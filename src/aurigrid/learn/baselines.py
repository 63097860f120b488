"""What a trained model has to beat: rules without learning, a linear model, and the nearest stored neighbour.

Each baseline is a score; its threshold is set on the calibration split exactly as a model's is (`learn.calibrate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.learn.calibrate import Result, threshold_of
from aurigrid.learn.mlp import Plan, Scaling, fit
from aurigrid.learn.train import Rows
from aurigrid.model.table import Array
from aurigrid.security.settle import FEATURES

Score = Callable[[Rows], Array]
_STORED = 20_000
_AT_ONCE = 2048
_PU_OF_BAND = 10.0
"""A voltage past its band by 0.1 pu counts like a branch loaded to 200 %."""


def rules(rows: Rows, plan: Plan) -> Iterator[tuple[str, Score]]:
    """Names and scores of all baselines with a threshold to set."""
    yield "DC model", lambda r: r.dc
    yield (
        "sum of single changes",
        lambda r: np.maximum(r.x[:, kernel.LOADING_PLAIN] - 1, _PU_OF_BAND * r.x[:, kernel.BAND]),
    )
    yield "closed form", lambda r: np.maximum(r.x[:, kernel.LOADING] - 1, _PU_OF_BAND * r.x[:, kernel.BAND])
    yield (
        "closed form with doubt",
        lambda r: np.maximum(r.x[:, kernel.LOADING_RISK] - 1, _PU_OF_BAND * r.x[:, kernel.BAND_RISK]),
    )
    learning = rows.part("train")
    yield "nearest stored neighbour", neighbour(learning, plan.seed)
    linear = fit(learning.x, learning.violates, learning.weight, replace(plan, hidden=0), FEATURES)
    yield "linear", lambda r: linear.scores(r.x)


def neighbour(learning: Rows, seed: int) -> Score:
    """How much nearer the nearest violating pair of training is than the nearest other one, in scaled features."""
    scaling, rng = Scaling.of(learning.x, FEATURES), np.random.default_rng(seed)
    kept = []
    for which in (learning.violates, ~learning.violates):
        at = np.flatnonzero(which)
        kept.append(scaling(learning.x[rng.permutation(at)[: _STORED // 2]]))

    def score(rows: Rows) -> Array:
        out = np.empty(len(rows.x), np.float32)
        for lo in range(0, len(out), _AT_ONCE):
            z = scaling(rows.x[lo : lo + _AT_ONCE])
            near = [((s * s).sum(1)[None] - 2 * z @ s.T).min(1) for s in kept]
            size = (z * z).sum(1)
            distance = [np.sqrt(np.maximum(n + size, 0.0)) for n in near]
            out[lo : lo + _AT_ONCE] = distance[1] - distance[0]
        return out

    return score


def compared(rows: Rows, plan: Plan, splits: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Result]]]:
    """Each baseline on each split, with its threshold from the calibration split; the screen ``"pairs"`` as it is, first."""
    yield 'screen "pairs", as it is', {name: rows.part(name).judge(rows.part(name).near) for name in splits}
    part = rows.part("calibration")
    for label, score in rules(rows, plan):
        threshold = threshold_of(score(part)[part.violates])
        yield label, {name: rows.part(name).judge(score(rows.part(name)) >= threshold) for name in splits}
