"""Commitment of a `System`: identical plants merged, searched, split again; what the plan costs is recomputed."""

from __future__ import annotations

from dataclasses import dataclass

from aurigrid.dispatch.merge import Merged, merge
from aurigrid.dispatch.model import Model, build_model
from aurigrid.dispatch.schedule import Schedule, read_schedule
from aurigrid.dispatch.search import Found, search
from aurigrid.dispatch.separate import structure_of
from aurigrid.dispatch.system import System


@dataclass(frozen=True, eq=False)
class Commitments:
    """A committed plan.

    Attributes:
        system: what was scheduled.
        merged, model: the smaller system and its problem.
        found: cost, bound, gap and how they came together.
        schedule: what every element does.
    """

    system: System
    merged: Merged
    model: Model
    found: Found
    schedule: Schedule

    @property
    def starts(self) -> int:
        """Number of starts."""
        columns = self.model.state.start
        return round(float(self.found.x[columns].sum()))


def commit_units(system: System, *, gap: float = 0.001, time_limit: float = 570.0) -> Commitments:
    """Find the cheapest plan of a system to a relative gap, or the best one within the time.

    Args:
        system: what is to be scheduled; never infeasible, as balances, reserves and budgets can be missed at a price.
        gap: (cost - bound) / cost at which to stop.
        time_limit: seconds of search.

    Raises:
        DispatchError: HiGHS found no plan at all within the time.
        MissingExtraError: highspy is not installed.
    """
    merged = merge(system)
    model = build_model(merged.system)
    steady = [merged.system.steady_states()]
    found = search(model.problem, structure_of(model), gap=gap, time_limit=time_limit, steady=steady)
    return Commitments(system, merged, model, found, read_schedule(system, merged, model, found.x))
