"""The one error tree of Aurigrid: bad input is an `InputError` that carries every issue found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_SHOWN_IDS = 10


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong with an input.

    Attributes:
        table: the table or file at fault, e.g. ``"branch"`` or ``"grid.m, line 12"``.
        field: the column, or ``""`` where the whole table is meant.
        message: what is wrong, in one clause.
        ids: the elements at fault, by the source's own ids.
        hint: how to mend it, in one clause.
    """

    table: str
    field: str
    message: str
    ids: tuple[str, ...] = ()
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.table}.{self.field}" if self.field else self.table
        text = f"{where}: {self.message}"
        if self.ids:
            shown = ", ".join(self.ids[:_SHOWN_IDS])
            more = f", and {len(self.ids) - _SHOWN_IDS} more" if len(self.ids) > _SHOWN_IDS else ""
            text += f" ({shown}{more})"
        return f"{text}; {self.hint}" if self.hint else text


class AurigridError(Exception):
    """Base of every error that Aurigrid raises on purpose."""


class InputError(AurigridError, ValueError):
    """Bad input: a file, a name, a table or an argument. Carries all issues, not the first."""

    def __init__(self, issues: Issue | Iterable[Issue]) -> None:
        self.issues: tuple[Issue, ...] = (issues,) if isinstance(issues, Issue) else tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


class InvalidNetworkError(InputError):
    """A network that could be read but not used; it is kept in ``network``, to be looked into."""

    def __init__(self, issues: Iterable[Issue], network: Any) -> None:
        super().__init__(issues)
        self.network = network


class MissingExtraError(AurigridError, ImportError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}; install it with: pip install 'aurigrid[{extra}]'")


@dataclass
class IssueList:
    """Collects issues; `raise_if_any` raises them together."""

    issues: list[Issue] = field(default_factory=list)

    def add(self, table: str, field: str, message: str, ids: Sequence[object] = (), hint: str = "") -> None:
        self.issues.append(Issue(table, field, message, tuple(str(i) for i in ids), hint))

    def raise_if_any(self) -> None:
        if self.issues:
            raise InputError(self.issues)
