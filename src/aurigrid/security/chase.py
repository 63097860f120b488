"""The pairs of outages of a group of scenarios in rounds: what is suspected, what is found to bring near, and the audit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.powerflow.solution import Solution
from aurigrid.security.follow import brought_up, lowered, opened
from aurigrid.security.pairs import ESTIMATED, ONE_OUTAGE, SPLITS, UNSOLVED, Known, PairList, measures
from aurigrid.security.report import Passed
from aurigrid.security.settle import FEATURES
from aurigrid.security.suspects import Group, Judge, Question, Seen, near_limits

Array = np.ndarray[Any, np.dtype[Any]]

AUDIT = 200
"""Pairs of each scenario that a model passes over and that are solved all the same, to see whether it can be believed."""


_SETTLED = [FEATURES.index(name) for name in ("loading_settled", "lowest", "band_settled")]
_SIGN = np.array([[1.0], [1.0], [-1.0]], np.float32)


@dataclass(eq=False)
class Trail:
    """The pairs of one scenario.

    Attributes:
        asked, seen: the question, and what single outages say; judge: who scores, None where the estimate's own doubt decides.
        todo: (n_pair,) what is to be solved, or was.
        early: (n_estimated, n_early) what is known of estimated pairs before they are settled.
        score: (n_pair,) of the model, minus infinity where there is none; gated: (n_pair,) pairs that its gate ruled out.
        bar: (n_single,) of the outages (`follow`).
        near: (3, n_pair) estimates of the largest loading, the lowest voltage and the distance inside the bands: where pairs
            settle, and by the closed form, without a voltage, where they are not looked at closely.
        known: what breaks without pairs; violates: (n_pair,) pairs found to break more.
        audited: pairs that were solved although passed over; distrusted: whether one of them broke a limit.
    """

    asked: Question
    seen: Seen
    judge: Judge | None
    todo: Array
    early: Array = field(init=False)
    score: Array = field(init=False)
    gated: Array = field(init=False)
    bar: Array = field(init=False)
    near: Array = field(init=False)
    known: Known = field(init=False)
    violates: Array = field(init=False)
    audited: Array | None = None
    distrusted: bool = False

    @classmethod
    def of(cls, asked: Question, seen: Seen, judge: Judge | None) -> Trail:
        """What is suspected by the estimate's own doubt, or by a model."""
        trail = cls(asked, seen, judge, seen.kind == SPLITS)
        if judge is None:
            which = seen.estimated
            trail.todo[which] = near_limits(measures(asked.pairs, seen.alone, which, asked.how.threads))
        else:
            trail._ask(judge)
        return trail

    def _ask(self, judge: Judge) -> None:
        """Take up what the model says."""
        which, n = self.seen.estimated, len(self.seen.kind)
        self.early = self.asked.early(self.seen)
        broken = (self.early[:, kernel.LOADING] > 1.0) | (self.early[:, kernel.BAND] > 0.0)
        self.score, self.gated = np.full(n, -np.inf), np.zeros(n, bool)
        self.score[which[broken]] = np.inf
        self.near = np.full((3, n), np.nan, np.float32)
        self.near[0, which], self.near[2, which] = self.early[:, kernel.LOADING], -self.early[:, kernel.BAND]
        self.bar = np.full(len(self.pairs.branch), judge.threshold)
        self.known, self.violates = self.asked.known(self.seen), np.zeros(n, bool)
        close = ~broken & (judge.promising(self.early) | (judge.threshold < judge.trust))
        self.gated[which] = ~broken & ~close
        self._settle(judge, close)
        self.todo |= self._up()

    def _settle(self, judge: Judge, which: Array) -> None:
        """Settle and score some of the estimated pairs, (n_estimated,) bool."""
        pair = self.seen.estimated[which]
        told = self.asked.told(self.seen, self.early[which], pair)
        self.score[pair], self.gated[pair] = judge.rated(told), False
        self.near[:, pair] = told[:, _SETTLED].T * _SIGN

    def _up(self) -> Array:
        """(n_pair,) estimated pairs whose score reaches a bar."""
        pairs = self.pairs
        up = brought_up(self.bar, self.score, pairs.first, pairs.second)
        return np.asarray(up & (self.seen.kind == ESTIMATED) & ~self.gated)

    @property
    def pairs(self) -> PairList:
        return self.asked.pairs

    def more(self, seed: int) -> Array:
        """Pairs to be solved next, once those so far are; none when there is nothing left to do."""
        judge, pairs, before = self.judge, self.pairs, self.todo.copy()
        estimated = self.seen.kind == ESTIMATED
        if judge is None or self.distrusted:
            return np.zeros(0, np.int64)
        if self.audited is None:
            found = self.violates & estimated
            self.bar = lowered(self.bar, self.score, pairs.first, pairs.second, found, judge.margin)
            doubted = self.gated & opened(self.bar, judge.trust, pairs.first, pairs.second)
            if doubted.any():
                self._settle(judge, doubted[self.seen.estimated])
            self.todo |= self._up()
            if (self.todo == before).all():
                passed = np.flatnonzero(estimated & ~self.todo)
                self.audited = np.sort(np.random.default_rng(seed).permutation(passed)[:AUDIT])
                self.todo[self.audited] = True
        elif self.violates[self.audited].any():
            self.todo |= estimated
            self.distrusted = True
        return np.flatnonzero(self.todo & ~before)

    @property
    def passed(self) -> Passed:
        """What was passed over, and on what grounds."""
        left = self.seen.kind[~self.todo]
        estimated, one_outage, unsolved = (int(np.sum(left == kind)) for kind in (ESTIMATED, ONE_OUTAGE, UNSOLVED))
        audited = 0 if self.audited is None else len(self.audited)
        return Passed(
            "", 0, estimated, one_outage + len(self.pairs.idle), unsolved, audited, int(self.distrusted)
        )  # fmt: skip


class Chase:
    """Rounds of a group of scenarios, one case a scenario and solved outage, scenario by scenario.

    Scenarios without a base state, and those with outages of their own that the judge does not know, are solved in full.

    Attributes:
        flows: power flows that were solved to find out.
    """

    def __init__(self, group: Group, judge: Judge | None) -> None:
        self.n_solved, self.n = len(group.solved), group.sc.n
        self.judge, self.flows = judge, 0
        self.trails: dict[int, Trail] = {}
        knows = judge is not None and judge.base_outages
        rows = np.flatnonzero(group.base.converged & ((group.own >= 0) & knows | (group.own == -1)))
        for row in rows.tolist() if len(group.pairs.outage) else ():
            asked = group.question(row)
            if not asked.base.converged[0]:
                continue
            single = asked.singles()
            self.flows += single.n * (1 if judge is None else 2) + int(group.own[row] >= 0)
            self.trails[row] = Trail.of(asked, asked.seen(single), judge)

    def first(self) -> Array:
        """The cases to begin with, ascending."""
        todo = np.ones((self.n, self.n_solved), bool)
        for row, trail in self.trails.items():
            todo[row, trail.pairs.idle] = False
            todo[row, trail.pairs.outage] = trail.todo
        return np.flatnonzero(todo.ravel())

    def tell(self, which: Array, done: Solution, records: Array) -> None:
        """Say what solved cases break (`limits.scanned`)."""
        if self.judge is None:
            return
        row_of = which // self.n_solved
        for row, trail in self.trails.items():
            place = np.full(self.n_solved, -1)
            place[trail.pairs.outage] = np.arange(len(trail.pairs.outage))
            mine = np.flatnonzero((row_of == row) & (place[which % self.n_solved] >= 0))
            at = np.full(len(which), -1)
            at[mine] = np.arange(len(mine))
            own = records[at[records[:, 0].astype(np.int64)] >= 0].copy()
            own[:, 0] = at[own[:, 0].astype(np.int64)]
            pair = place[which[mine] % self.n_solved]
            trail.violates[pair] = trail.known.beyond(trail.pairs, pair, own, done.converged[mine])

    def estimates(self) -> Array | None:
        """(3, n_case) largest loading, lowest voltage and distance inside the bands, estimated for pairs that were passed over;
        NaN for all others, None where no model was asked."""
        if self.judge is None:
            return None
        out = np.full((3, self.n, self.n_solved), np.nan, np.float32)
        for row, trail in self.trails.items():
            left = ~trail.todo & (trail.seen.kind == ESTIMATED)
            out[:, row, trail.pairs.outage[left]] = trail.near[:, left]
        return out.reshape(3, -1)

    def more(self) -> Array:
        """The cases of the next round, ascending; none when all is done."""
        parts = [
            row * self.n_solved + trail.pairs.outage[trail.more(row)] for row, trail in self.trails.items()
        ]  # fmt: skip
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    @property
    def passed(self) -> Passed:
        """What was passed over in all scenarios."""
        judge = self.judge
        out = Passed("pairs") if judge is None else Passed(f"learned, {judge.name}", proof=judge.proof)
        out = replace(out, of=self.n * self.n_solved)
        for trail in self.trails.values():
            out += trail.passed
        return out
