"""From where an answer was reached."""

from __future__ import annotations

from enum import IntEnum


class Rung(IntEnum):
    """The start, or the method, that led to a row's answer; rungs of the rescue ladder are tried in this order."""

    NONE = 0
    BASE = 1
    STORED = 2
    DC = 3
    FLAT = 4
    DAMPED = 5
    CONTINUATION = 6
    OPF = 7

    @property
    def meaning(self) -> str:
        """One clause for tables and messages."""
        return _MEANING[self]


_MEANING = {
    Rung.NONE: "no answer",
    Rung.BASE: "from the solved base case",
    Rung.STORED: "from the stored state",
    Rung.DC: "from angles of a DC solution",
    Rung.FLAT: "from a flat start",
    Rung.DAMPED: "by damped Newton steps",
    Rung.CONTINUATION: "by continuation from the unloaded grid",
    Rung.OPF: "an optimal power flow's point, with another dispatch",
}
