"""Which pairs of outages are suspected: by the doubt of their estimate, or by a trained model's scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import SOURCES
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.supply import splits_after
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.limits import Limits, scanned
from aurigrid.security.pairs import (
    ESTIMATED,
    Alone,
    Known,
    PairList,
    kinds_of,
    pair_states,
    part_of,
    single_states,
    states_alone,
)
from aurigrid.security.settle import Settling, all_features, apart, early_features

Array = np.ndarray[Any, np.dtype[Any]]

_AT_ONCE = 16384
"""Pairs that are solved at once."""
_STRONG_COUPLING = 1.0
_FULL_STEPS = 1e6
"""Newton's method without chord steps, as pairs are solved, and without damping."""
_SAG = 0.5
"""Change of a voltage, pu, by a pu of reactive power that regulated nodes lack."""


class Judge(Protocol):
    """What decides in place of `near_limits`: a trained model. ``name`` and ``proof`` say which, and what is known of it;
    ``threshold``, ``margin`` and ``trust`` are those of `follow`; ``base_outages`` says whether it was trained with branches
    out of service."""

    @property
    def name(self) -> str: ...

    @property
    def proof(self) -> str: ...

    @property
    def threshold(self) -> float: ...

    @property
    def margin(self) -> float: ...

    @property
    def trust(self) -> float: ...

    @property
    def base_outages(self) -> bool: ...

    def promising(self, early: Array) -> Array:
        """(k,) whether each pair is looked at closely; for a pair that is not, nothing is solved."""

    def rated(self, features: Array) -> Array:
        """(k,) score of each pair, higher where it may break limits; inf where the model has nothing to say."""


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
        base, single: its state and those after single outages; alone: what these change.
        kind: (n_pair,) what each pair is (`pairs.ESTIMATED` ...); estimated: positions of those that are estimated.
    """

    base: Solution
    single: Solution
    alone: Alone
    kind: Array
    estimated: Array


@dataclass(frozen=True, eq=False)
class Question:
    """What the pairs of one scenario are judged by.

    Attributes:
        net, sc, row, base, pairs, how, limits, start: the scenario, its base state, the pairs, and how both are solved. The
            scenario has no outages of its own: those are the network's (`question_of`).
    """

    net: Network
    sc: Scenarios
    row: int
    base: Solution
    pairs: PairList
    how: Settings
    limits: Limits
    start: Start

    def singles(self) -> Solution:
        """States after the single outages that occur in pairs."""
        return single_states(self.net, self.sc, np.array([self.row]), self.pairs.branch, self.how, self.start)

    def seen(self, single: Solution) -> Seen:
        """What the single outages say about the pairs."""
        alone = states_alone(self.net, self.base, single, self.pairs.branch, self.limits.v_step_pu, self.how.q_limits)
        kind = kinds_of(self.pairs, alone)
        return Seen(self.base, single, alone, kind, np.flatnonzero(kind == ESTIMATED))

    def early(self, seen: Seen) -> Array:
        """(n_estimated, len(EARLY)) what a model is told about the estimated pairs before they are settled."""
        other = replace(self, how=replace(self.how, most_step=_FULL_STEPS)).singles()
        between = apart(seen.single, other)
        return early_features(self.pairs, seen.alone, between, seen.estimated, self.how.threads)

    def told(self, seen: Seen, early: Array, which: Array) -> Array:
        """(len(which), n_feature) what a model is told about the pairs ``which``.

        Args:
            early: (len(which), len(EARLY)) what is known of them before they are settled.
        """
        settling = Settling.of(self.pairs, seen.alone, seen.base, seen.single, self.how.q_limits)
        return all_features(self.pairs, settling, early, which, self.how.threads)

    def known(self, seen: Seen) -> Known:
        """What breaks without pairs."""
        return Known.of(seen.base, seen.single, self.how, self.limits)

    def breaks(self, seen: Seen, which: Array) -> Array:
        """(len(which),) whether each pair, solved exactly, breaks a limit that its single outages do not."""
        pairs, known, out = self.pairs, self.known(seen), np.zeros(len(which), bool)
        ends = np.stack([pairs.branch[pairs.first], pairs.branch[pairs.second]], 1)
        for lo in range(0, len(which), _AT_ONCE):
            part = which[lo : lo + _AT_ONCE]
            done = pair_states(self.net, self.sc, self.row, ends[part], self.how, self.start)
            records = scanned(done, seen.base, np.zeros(done.n, np.int32), self.how, self.limits)[1]
            out[lo : lo + _AT_ONCE] = known.beyond(pairs, part, records, done.converged)
        return out


@dataclass(frozen=True, eq=False)
class Group:
    """Scenarios whose pairs are judged, with the outages of a list that are solved.

    Attributes:
        net, sc, base, how, limits, start: the scenarios, their base states, and how both are solved.
        outages, solved: the list, and the positions in it that are solved.
    """

    net: Network
    sc: Scenarios
    base: Solution
    how: Settings
    limits: Limits
    start: Start
    outages: Contingencies
    solved: Array

    @cached_property
    def pairs(self) -> PairList:
        """Pairs of branches on the network as it is."""
        return PairList.of(self.base.grid, self.outages, self.solved)

    @cached_property
    def own(self) -> Array:
        """(n_scenario,) a branch that a scenario has out by itself; -1 for none, -2 for more than that, or for another
        kind of outage, or one that splits the grid."""
        count = np.zeros(self.sc.n, np.int64)
        own = np.full(self.sc.n, -1)
        splits = splits_after(self.base.grid, np.array([-1]))[0]
        for table, out in self.base.cases.out.items():
            count += np.bincount(out.case, minlength=self.sc.n)
            own[out.case] = np.where(splits[out.element], -2, out.element) if table == "branch" else -2
        return np.where(count > 1, -2, own)

    def question(self, row: int) -> Question:
        """The question of a scenario with at most one branch out; that becomes the network's."""
        base = part_of(self.base, np.array([row]))
        if self.own[row] < 0:
            return Question(self.net, self.sc, row, base, self.pairs, self.how, self.limits, self.start)
        sc = self.sc[row : row + 1]
        service = self.net.branch.in_service.copy()
        service[self.own[row]] = False
        net = self.net.replace(branch=self.net.branch.replace(in_service=service))
        grid = compile_grid(net, single_reference=self.how.distributed)
        alike = Scenarios(net, n=1, **{name: getattr(sc, name) for name in SOURCES})
        start = Start(base.v, base.held, np.nan_to_num(base.slack_mw) / grid.base_mva)
        again = solve_cases(net, Cases.of(alike), "newton", self.how, start, np.zeros(1, np.int32))
        pairs = PairList.of(grid, self.outages, self.solved)
        return Question(net, alike, 0, again, pairs, self.how, self.limits, start)
