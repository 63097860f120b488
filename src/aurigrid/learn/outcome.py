"""Exact outcomes of all pairs of branch outages of operating points, with what a model may know beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from aurigrid.kernels import pairs as kernel
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.newton import Settings
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.contingencies import contingencies as build_contingencies
from aurigrid.security.limits import Limits
from aurigrid.security.pairs import ONE_OUTAGE, SPLITS, UNSOLVED, measures, states_alone
from aurigrid.security.suspects import Question, near_limits


@dataclass(frozen=True)
class Conditions:
    """Options of the analysis that the outcomes are of: as for `security_analysis`."""

    q_limits: bool = False
    slack: Literal["reference", "distributed"] = "reference"
    v_step_pu: float = 0.1
    threads: int | None = None

    @property
    def settings(self) -> Settings:
        return Settings(q_limits=self.q_limits, distributed=self.slack == "distributed", threads=self.threads)

    @property
    def limits(self) -> Limits:
        return Limits(self.v_step_pu)

    def to_dict(self) -> dict[str, Any]:
        """What a model made of these outcomes may be used with."""
        return {"q_limits": self.q_limits, "slack": self.slack, "v_step_pu": self.v_step_pu}


def pair_list(net: Network) -> tuple[Contingencies, Array]:
    """All pairs of branches in service, and which of them have to be solved."""
    outages = build_contingencies(net, "n-2:branches")
    return outages, np.flatnonzero(outages.representative == np.arange(outages.n))


@dataclass(frozen=True, eq=False)
class Outcome:
    """The pairs of one operating point that are estimated; rows that are kept stand for ``weight`` of them.

    Attributes:
        first, second: (k,) int32 branches; features: (k, n_feature) float32; violates: (k,) bool; near: (k,) bool, whether
            the screen ``"pairs"`` solves it; dc: (k,) float32 largest loading by a DC model; weight: (k,) float32.
        counts: pairs by kind, and power flows.
    """

    first: Array
    second: Array
    features: Array
    violates: Array
    near: Array
    dc: Array
    weight: Array
    counts: dict[str, int]


def outcome(asked: Question, keep: float, seed: tuple[int, int]) -> Outcome:
    """Outcomes of one scenario that has a base state.

    Args:
        keep: share of the pairs that are neither violating nor near a limit that is kept.
    """
    seen, pairs = asked.seen(asked.singles()), asked.pairs
    kind, alone, which = seen.kind, seen.alone, seen.estimated
    told = asked.told(seen, asked.early(seen), which)
    near = near_limits(told)
    violates = asked.breaks(seen, which)
    rng = np.random.default_rng((*seed, 1))
    all_kept = near | violates
    chosen = all_kept | (rng.random(len(which)) < keep)
    rows = np.flatnonzero(chosen)
    ends = np.stack([pairs.branch[pairs.first], pairs.branch[pairs.second]], 1)
    counts = {
        "pairs": len(kind) + len(pairs.idle), "estimated": len(which), "splits": int(np.sum(kind == SPLITS)),
        "one_outage": int(np.sum(kind == ONE_OUTAGE)) + len(pairs.idle), "unsolved": int(np.sum(kind == UNSOLVED)),
        "violating": int(violates.sum()), "singles_unsolved": int(np.sum(~alone.solved)),
    }  # fmt: skip
    taken = which[rows]
    return Outcome(
        ends[taken, 0].astype(np.int32), ends[taken, 1].astype(np.int32), told[rows], violates[rows], near[rows],
        _linear(asked, taken), np.where(all_kept[rows], 1.0, 1.0 / keep).astype(np.float32), counts,
    )  # fmt: skip


def _linear(asked: Question, which: Array) -> Array:
    """(len(which),) float32 largest loading after pairs of outages by a DC model: a baseline."""
    pairs, row, how = asked.pairs, asked.row, replace(asked.how, q_limits=False)
    m = len(pairs.branch)
    base = solve_cases(asked.net, Cases.of(asked.sc[row : row + 1]), "dc", how)
    out = Pairs(np.arange(m, dtype=np.int32), pairs.branch.astype(np.int32))
    single = solve_cases(asked.net, Cases(asked.sc, np.full(m, row, np.int32), {"branch": out}), "dc", how)
    alone = states_alone(asked.net, base, single, pairs.branch, asked.limits.v_step_pu, False)
    return measures(pairs, alone, which, how.threads)[:, kernel.LOADING]
