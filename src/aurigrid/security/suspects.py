"""Which outages of a list have to be solved: pairs near limits by their estimate's own doubt, or by a model that is audited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution
from aurigrid.security.limits import Limits
from aurigrid.security.pairs import (
    ESTIMATED,
    ONE_OUTAGE,
    SPLITS,
    UNSOLVED,
    Alone,
    PairList,
    breaks_beyond,
    kinds_of,
    measures,
    pair_states,
    part_of,
    single_states,
    states_alone,
)
from aurigrid.security.report import Passed
from aurigrid.security.settle import Settling, apart, features

Array = np.ndarray[Any, np.dtype[Any]]

AUDIT = 200
"""Pairs of each scenario that a model passes over and that are solved all the same, to see whether it can be believed."""
_AT_ONCE = 16384
"""Pairs that are solved at once."""
_STRONG_COUPLING = 1.0
_FULL_STEPS = 1e6
"""Newton's method without chord steps, as pairs are solved, and without damping."""
_SAG = 0.5
"""Change of a voltage, pu, by a pu of reactive power that regulated nodes lack."""


class Judge(Protocol):
    """What decides in place of `near_limits`: a trained model. ``name`` and ``proof`` say which, and what is known of it."""

    @property
    def name(self) -> str: ...

    @property
    def proof(self) -> str: ...

    def near(self, features: Array) -> Array:
        """(k,) whether each pair has to be solved; also where the model has nothing to say."""


def near_limits(measured: Array) -> Array:
    """(k,) whether the estimate of a pair comes so near a limit that it has to be solved.

    The doubt is a share of what both outages change, and grows with their coupling: that is how errors grew where they were
    measured (docs/security.md). A strong coupling is always near.
    """
    sag = _SAG * measured[:, kernel.REACTIVE_MOST]
    near = (measured[:, kernel.LOADING_RISK] >= 1.0) | (measured[:, kernel.BAND_RISK] + sag >= 0.0)
    return np.asarray(near | (measured[:, kernel.COUPLING] >= _STRONG_COUPLING))


@dataclass(frozen=True, eq=False)
class Seen:
    """What the exact single outages of one scenario say about the pairs.

    Attributes:
        row: the scenario; base, single: its state and those after single outages; alone: what these change.
        kind: (n_pair,) what each pair is (`pairs.ESTIMATED` ...); estimated: positions of those that are estimated.
    """

    row: int
    base: Solution
    single: Solution
    alone: Alone
    kind: Array
    estimated: Array


@dataclass(frozen=True)
class Question:
    """What a list of pairs is judged by.

    Attributes:
        net, sc, base, pairs, how, limits, start: the scenarios, their base states, the pairs, and how both are solved.
        judge: a model; the estimate's own doubt (`near_limits`) where None.
    """

    net: Network
    sc: Scenarios
    base: Solution
    pairs: PairList
    how: Settings
    limits: Limits
    start: Start
    judge: Judge | None

    def seen(self, row: int, single: Solution) -> Seen:
        """What the single outages of one scenario say about the pairs."""
        base = part_of(self.base, np.array([row]))
        alone = states_alone(self.net, base, single, self.pairs.branch, self.limits.v_step_pu, self.how.q_limits)
        kind = kinds_of(self.pairs, alone)
        return Seen(row, base, single, alone, kind, np.flatnonzero(kind == ESTIMATED))

    def told(self, seen: Seen) -> Array:
        """(n_estimated, n_feature) what a model is told about the estimated pairs of one scenario."""
        settling = Settling.of(self.pairs, seen.alone, seen.base, seen.single, self.how.q_limits)
        how = replace(self.how, most_step=_FULL_STEPS)
        other = single_states(self.net, self.sc, np.array([seen.row]), self.pairs.branch, how, self.start)
        between = apart(seen.single, other)
        return features(self.pairs, seen.alone, settling, between, seen.estimated, self.how.threads)

    def breaks(self, seen: Seen, which: Array) -> Array:
        """(len(which),) whether each pair, solved exactly, breaks a limit that its single outages do not."""
        pairs, out = self.pairs, np.zeros(len(which), bool)
        ends = np.stack([pairs.branch[pairs.first], pairs.branch[pairs.second]], 1)
        for lo in range(0, len(which), _AT_ONCE):
            part = which[lo : lo + _AT_ONCE]
            done = pair_states(self.net, self.sc, seen.row, ends[part], self.how, self.start)
            out[lo : lo + _AT_ONCE] = breaks_beyond(
                self.net, pairs, part, done, seen.single, seen.base, self.how, self.limits
            )
        return out

    def near(self, row: int, single: Solution) -> tuple[Array, Passed]:
        """(n_pair,) which pairs of one scenario have to be solved, and how many are passed over for what reason."""
        seen = self.seen(row, single)
        kind, which = seen.kind, seen.estimated
        near = kind == SPLITS
        audited = distrusted = 0
        if self.judge is None:
            near[which] = near_limits(measures(self.pairs, seen.alone, which, self.how.threads))
        else:
            told = self.told(seen)
            broken = (told[:, kernel.LOADING] > 1.0) | (told[:, kernel.BAND] > 0.0)
            near[which] = broken | self.judge.near(told)
            sample = np.random.default_rng(row).permutation(which[~near[which]])[:AUDIT]
            if self.breaks(seen, np.sort(sample)).any():
                near[which], distrusted = True, 1
            near[sample] = True
            audited = len(sample)
        return near, Passed(
            "", 0, int(np.sum(~near[which])), int(np.sum(kind == ONE_OUTAGE)), int(np.sum(kind == UNSOLVED)), audited,
            distrusted,
        )  # fmt: skip


def suspects(asked: Question, n_solved: int) -> tuple[Array, int, Passed]:
    """Which cases (scenario by scenario, ``n_solved`` outages each) have to be solved.

    Scenarios without a base state or with outages of their own are solved in full.

    Returns:
        Positions of the cases, ascending; power flows that were solved to find out; what was passed over.
    """
    pairs, base = asked.pairs, asked.base
    todo = np.ones((asked.sc.n, n_solved), bool)
    own = np.zeros(asked.sc.n, bool)
    for table in base.cases.out.values():
        own[table.case] = True
    rows = np.flatnonzero(base.converged & ~own)
    judge = asked.judge
    passed = Passed("pairs") if judge is None else Passed(f"learned, {judge.name}", proof=judge.proof)
    passed = replace(passed, of=todo.size)
    if not len(pairs.outage) or not len(rows):
        return np.arange(todo.size), 0, passed
    single = single_states(asked.net, asked.sc, rows, pairs.branch, asked.how, asked.start)
    m = len(pairs.branch)
    for place, row in enumerate(rows.tolist()):
        near, counts = asked.near(row, part_of(single, np.arange(place * m, (place + 1) * m)))
        todo[row, pairs.outage] = near
        passed += counts
    flows = len(rows) * m * (1 if judge is None else 2) + passed.audited
    return np.flatnonzero(todo.ravel()), flows, passed
