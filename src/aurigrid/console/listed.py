"""Runs as they stand in the list, and what is wrong with one; read without arrays, so that it costs no time at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aurigrid.console.shown import IssueModel, RunSummary
from aurigrid.errors import InputError
from aurigrid.store.run import is_plan

if TYPE_CHECKING:
    from aurigrid.console.library import Entry
    from aurigrid.store import Run


def summary(entry: Entry) -> RunSummary:
    """A run for the list; one that cannot be read says why."""
    try:
        run = entry.run()
    except InputError as error:
        return RunSummary(key=entry.key, path=str(entry.path), status="unreadable", issues=issues_of(error))
    return RunSummary(
        key=entry.key,
        path=str(entry.path),
        kind=kind_of(run),
        name=str(run.info.grid.get("name", "")),
        status=run.info.status,
        steps=len(run.steps),
        n_steps=run.info.n_steps,
        created=run.info.created,
    )


def kind_of(run: Run) -> Literal["day", "points", "plan"]:
    """What a folder holds: states with outages, operating points alone, or a plan."""
    return "plan" if is_plan(run.path) else "points" if run.info.chunk_steps else "day"


def issues_of(error: InputError) -> list[IssueModel]:
    """What is wrong, as the page is told."""
    return [IssueModel(i.table, i.field, i.message, i.hint, list(i.ids)) for i in error.issues]
