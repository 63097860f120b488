"""What became of an optimal power flow."""

from __future__ import annotations

from enum import IntEnum


class OpfStatus(IntEnum):
    """Outcome of one scenario."""

    OPTIMAL = 0
    INFEASIBLE = 1
    ITERATION_LIMIT = 2
    FAILED = 3
    FEASIBLE = 4

    @property
    def meaning(self) -> str:
        """One clause for tables and messages."""
        return _MEANING[self]


_MEANING = {
    OpfStatus.OPTIMAL: "optimal",
    OpfStatus.INFEASIBLE: "no feasible point found; the least violation is given",
    OpfStatus.ITERATION_LIMIT: "not optimal within the iteration limit",
    OpfStatus.FAILED: "numerical failure",
    OpfStatus.FEASIBLE: "keeps all limits; not known to be the cheapest",
}
