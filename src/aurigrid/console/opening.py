"""All that the first map needs, in one answer; of a finished run it is kept as a file in the run's folder.

Reading a grid and its first state takes longer than all else that a console does before its first map: NumPy and Arrow have
to be loaded for it. So a finished run keeps the answer as it goes to the page, made when the run ends or when it is first
looked at. The file counts only while the files that it was made from, and the code that made it, are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Literal

from aurigrid import __version__
from aurigrid.console.library import Entry, Library
from aurigrid.console.listed import issues_of, summary
from aurigrid.console.shown import Opening, Session, as_json
from aurigrid.errors import AurigridError, InputError

FILE = "first_map.json"
_CODE = Path(__file__).parent


def opening(library: Library, role: Literal["viewer", "operator"], run: str | None, step: int | None) -> str:
    """The JSON of an `Opening`: session, runs, and of one run grid, steps and a state.

    Args:
        library: the runs on show.
        role: who asks.
        run: key of the run wanted; the first one with results where absent or unknown.
        step: the step wanted; the first one where absent or not finished.
    """
    entries = library.entries()
    told = [summary(entry) for entry in entries]
    found = Opening(session=Session(role=role, version=__version__), runs=told)
    if not entries:
        return as_json(found)
    keys = [t.key for t in told]
    at = keys.index(run) if run in keys else next((i for i, t in enumerate(told) if t.steps), 0)
    found.key, found.issues = keys[at], told[at].issues
    if found.issues:
        return as_json(found)
    entry = entries[at]
    first = step not in entry.run().steps[1:]
    kept = first_map(entry.path) if first else None
    if kept is not None:
        head = {name: getattr(found, name) for name in ("session", "runs", "key", "issues")}
        return f"{as_json(head)[:-1]},{kept}}}"
    try:
        _fill(found, entry, step)
        if first:
            _keep(found, entry)
    except InputError as error:
        found.issues = issues_of(error)
    return as_json(found)


def _fill(found: Opening, entry: Entry, step: int | None) -> None:
    from aurigrid.console.content import grid, state, steps

    found.grid, found.steps = grid(entry), steps(entry)
    done = entry.run().steps
    if done:
        found.state = state(entry, step if step in done else done[0])


def first_map(path: Path) -> str | None:
    """The members ``grid``, ``steps`` and ``state`` of the answer for the first step, as kept; None where they are not."""
    try:
        mark, _, members = (path / FILE).read_text(encoding="utf-8").partition("\n")
        return members if mark == _stamp(path) else None
    except (OSError, ValueError):
        return None


def keep_first_map(path: Path) -> None:
    """Keep what the first map of a finished run needs, unless it is there."""
    if first_map(path) is None:
        with contextlib.suppress(AurigridError):  # what is damaged is told when it is looked at
            found, entry = Opening(session=Session(role="viewer", version=__version__), runs=[]), Entry(path.name, path)
            _fill(found, entry, None)
            _keep(found, entry)


def _keep(found: Opening, entry: Entry) -> None:
    run = entry.run()
    if run.info.status != "finished" or not run.steps:
        return
    members = as_json({name: getattr(found, name) for name in ("grid", "steps", "state")})[1:-1]
    beside = entry.path / f".{FILE}.tmp-{os.getpid()}"
    with contextlib.suppress(OSError):  # a folder that takes no file
        beside.write_text(f"{_stamp(entry.path)}\n{members}", encoding="utf-8")
        os.replace(beside, entry.path / FILE)


def _stamp(path: Path) -> str:
    """A mark of the run's files and of the code that reads them."""
    files = [*path.iterdir(), *(path / "grid").iterdir(), *_CODE.glob("*.py")]
    seen = [
        (f.name, status.st_size, status.st_mtime_ns)
        for f in sorted(files)
        if not f.name.startswith((".", "feature", FILE)) and f.is_file() and (status := f.stat())
    ]
    return hashlib.sha256(json.dumps([__version__, seen]).encode()).hexdigest()
