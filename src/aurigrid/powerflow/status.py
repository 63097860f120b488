"""What became of a scenario."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Outcome of one scenario; a row of results holds numbers where `solved` is true and for an implausible root."""

    CONVERGED = 0
    ITERATION_LIMIT = 1
    DIVERGED = 2
    SINGULAR = 3
    ISLANDED = 4
    SKIPPED = 5
    IMPLAUSIBLE = 6

    @property
    def solved(self) -> bool:
        """Whether the row holds a power flow solution: all of the grid, or the part that kept its supply."""
        return self in (Status.CONVERGED, Status.ISLANDED)

    @property
    def meaning(self) -> str:
        """One clause for tables and messages."""
        return _MEANING[self]


_MEANING = {
    Status.CONVERGED: "converged",
    Status.ITERATION_LIMIT: "not converged within the iteration limit",
    Status.DIVERGED: "diverged",
    Status.SINGULAR: "singular Jacobian",
    Status.ISLANDED: "converged; part of the grid lost its supply",
    Status.SKIPPED: "not solved, by request",
    Status.IMPLAUSIBLE: "converged to an implausible root",
}
