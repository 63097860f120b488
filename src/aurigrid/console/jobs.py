"""Studies started from the page: each is a process of its own, `aurigrid day`, `n1` or `dispatch`, as at a terminal.

Its progress is what stands in its run folder. Cancelling interrupts it as Ctrl-C does, so finished steps are kept, and
resuming runs the same command again, which continues behind them. A process that is killed from outside is told as
such; its finished steps are kept as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from aurigrid.console.listed import issues_of
from aurigrid.console.models import Job, Study
from aurigrid.console.shown import IssueModel
from aurigrid.errors import AurigridError, InputError, Issue, IssueList
from aurigrid.store import open_run

PROGRESS_LINES = "AURIGRID_PROGRESS_LINES"
"""Variable that makes a command write progress and errors as lines, see `aurigrid.cli.common.AS_LINES`."""

MOST = 2
"""Studies that may run at one time."""

_PATIENCE = 10.0
"""Seconds that a study has to end by itself after it was asked to."""

_COUNT = re.compile(r"progress (\d+) (\d+)")
_ISSUE = "issue {"
_WORDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_OUTAGES = re.compile(r"[a-z0-9][a-z0-9\-+:,=.]*", re.IGNORECASE)
_SCALE = re.compile(r"[a-z]+=\d+(\.\d+)?(,[a-z]+=\d+(\.\d+)?)*", re.IGNORECASE)
_TAIL = 4096
"""Bytes of what a running study has printed last that are looked at."""


class BusyError(AurigridError):
    """As many studies as may are running."""


@dataclass
class Work:
    """One study: what was asked, and its process."""

    id: str
    study: Study
    command: list[str]
    out: Path
    process: subprocess.Popen[bytes]
    began: float
    output: Any
    errors: Any
    cancelled: bool = False
    ended: float | None = None
    result: dict[str, Any] | None = None
    message: str = ""
    issues: list[IssueModel] = field(default_factory=list)


@dataclass
class Jobs:
    """The studies of this server.

    Attributes:
        root: folder that new runs are written to.
    """

    root: Path
    works: dict[str, Work] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, study: Study) -> Job:
        """Start a study.

        Raises:
            InputError: options that cannot be meant; all of them.
            BusyError: as many studies as may are running.
        """
        command, out = self._command(study)
        with self.lock:
            return self.told(self._launch(f"s{len(self.works) + 1}", study, command, out))

    def cancel(self, id: str) -> Job:
        """Ask a study to end; it keeps its finished steps."""
        with self.lock:
            work = self.works[id]
            if work.process.poll() is None and not work.cancelled:
                work.cancelled = True
                work.process.send_signal(signal.SIGINT)
                threading.Timer(_PATIENCE, _kill, [work.process]).start()
            return self.told(work)

    def resume(self, id: str) -> Job:
        """Run a study that ended early again; it continues behind its finished steps."""
        with self.lock:
            work = self.works[id]
            if work.process.poll() is None:
                return self.told(work)
            return self.told(self._launch(id, work.study, work.command, work.out))

    def jobs(self) -> list[Job]:
        """All studies as they stand, the latest first."""
        with self.lock:
            return [self.told(work) for work in reversed(self.works.values())]

    def close(self) -> None:
        """End every study that still runs; finished steps are kept."""
        with self.lock:
            running = [w.process for w in self.works.values() if w.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.jobs()  # reads how each ended, and closes its files

    def _launch(self, id: str, study: Study, command: list[str], out: Path) -> Work:
        if sum(w.process.poll() is None for w in self.works.values()) >= MOST:
            raise BusyError(f"{MOST} studies are running already; wait for one or cancel it")
        output, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - live as long as the work
        self.root.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=self.root,
            start_new_session=True,  # Ctrl-C at the server's terminal reaches the server, which then ends its studies
            env={**os.environ, "PYTHONUNBUFFERED": "1", PROGRESS_LINES: "1"},
        )
        self.works[id] = Work(id, study, command, out, process, time.time(), output, errors)
        return self.works[id]

    def _command(self, study: Study) -> tuple[list[str], Path]:
        """The command of a study, as at a terminal, and the folder that it writes."""
        issues = IssueList()
        if not _WORDS.fullmatch(study.grid) or (self.root / study.grid).exists():
            hint = "files are read at the terminal"
            issues.add("study", "grid", f"'{study.grid}' is not a catalogue name", hint=hint)
        if study.kind != "plan" and not _OUTAGES.fullmatch(study.contingencies):
            hint = "use words such as branches+generators or n-2:lines,kv=380"
            issues.add("study", "contingencies", "is not a list in words", hint=hint)
        if study.kind != "n1":
            _check_day(study, issues)
        name = study.name or re.sub(r"[^A-Za-z0-9._\-]+", "-", f"{study.grid}_{_about(study)}").lstrip("-._")
        if not _WORDS.fullmatch(name):
            hint = "use letters, digits, . _ -"
            issues.add("study", "name", "holds signs that a folder's name should not", hint=hint)
        issues.raise_if_any()
        out = self.root / name
        verb = "dispatch" if study.kind == "plan" else study.kind
        command = [sys.executable, "-m", "aurigrid.cli", verb, study.grid, *_options(study), "--json"]
        return [*command, "--out", str(out.resolve())], out

    def told(self, work: Work) -> Job:
        """A study as the page sees it."""
        code = work.process.poll()
        if code is not None and work.ended is None:
            work.ended = time.time()
            _read_end(work, code)
        doing, counted = ("", None) if code is not None else _last_words(work)
        done, total = _progress(work.out) if work.study.kind == "day" or counted is None else counted
        state = "cancelling" if work.cancelled else "running"
        if code is not None:
            state = "finished" if code == 0 else ("cancelled" if work.cancelled else "failed")
        what = f"{work.study.grid} {work.study.contingencies if work.study.kind == 'n1' else work.study.date}"
        return Job(
            id=work.id,
            kind=work.study.kind,
            title=what,
            state=state,  # type: ignore[arg-type]
            done=done,
            total=total,
            seconds=round((work.ended or time.time()) - work.began, 1),
            doing=doing,
            message=work.message,
            issues=work.issues,
            run=work.out.name if work.out.is_dir() else "",
            result=work.result,
        )


def _check_day(study: Study, issues: IssueList) -> None:
    try:
        date.fromisoformat(study.date)
    except ValueError:
        issues.add("study", "date", f"'{study.date}' is not a date", hint="write YYYY-MM-DD")
    if study.scale and not _SCALE.fullmatch(study.scale):
        issues.add("study", "scale", f"'{study.scale}' is not fuel=number", hint="write wind=2,pv=40")


def _about(study: Study) -> str:
    """What a run is about, beside its grid: the end of its folder's name."""
    if study.kind == "n1":
        return study.contingencies
    how = "plan" if study.kind == "plan" else study.dispatch if study.dispatch != "points" else ""
    return f"{study.date}_{how}" if how else study.date


def _options(study: Study) -> list[str]:
    """Options of a study's command."""
    found: list[str] = []
    if study.kind != "plan":
        found += ["--contingencies", study.contingencies, "--slack", study.slack]
        found += ["--q-limits" if study.q_limits else "--no-q-limits"]
        found += ["--tol", repr(study.tol_pu), "--max-iterations", str(study.max_iterations)]
    if study.kind == "n1":
        return found
    found += ["--date", study.date]
    if study.kind == "plan":
        found += ["--security", study.security, "--time-limit", repr(study.commit_seconds)]
    else:
        found += ["--dispatch", study.dispatch]
        if study.dispatch == "plan":
            found += ["--security", study.security, "--commit-seconds", repr(study.commit_seconds)]
    return [*found, "--scale", study.scale] if study.scale else found


def _progress(out: Path) -> tuple[int, int]:
    if not (out / "run.json").is_file():
        return 0, 0
    try:
        run = open_run(out)
    except InputError:
        return 0, 0
    return len(run.steps), run.info.n_steps


def _last_words(work: Work) -> tuple[str, tuple[int, int] | None]:
    """What a running study said last, and how much of its work it counted last."""
    try:
        size = os.fstat(work.errors.fileno()).st_size
        text = os.pread(work.errors.fileno(), _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
    except (OSError, ValueError):
        return "", None
    lines = [line for line in text.splitlines() if line.strip()]
    counts = [m for line in lines if (m := _COUNT.fullmatch(line))]
    words = [line for line in lines if not _COUNT.fullmatch(line)]
    return words[-1][:200] if words else "", (int(counts[-1][1]), int(counts[-1][2])) if counts else None


def _read_end(work: Work, code: int) -> None:
    """Take the result of a study that has ended, and in words and as data what went wrong."""
    work.output.seek(0)
    work.errors.seek(0)
    printed = work.errors.read().decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError):
        work.result = json.loads(work.output.read())
    work.output.close()
    work.errors.close()
    said = [line for line in printed.splitlines() if not _COUNT.fullmatch(line)]
    found = [Issue(**json.loads(line.removeprefix("issue "))) for line in said if line.startswith(_ISSUE)]
    if code < 0:
        work.message = f"the study's process was ended by signal {-code}; finished steps are kept"
    elif code:
        lines = [line for line in said if line.startswith(("error", "interrupted"))]
        work.issues = issues_of(InputError(found))
        work.message = "\n".join([f"error: {issue}" for issue in found] + lines or said[-1:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()


def not_found(what: str, name: str) -> InputError:
    """The error of a name that nothing has."""
    return InputError(Issue(what, "", f"there is no {what} '{name}'"))
