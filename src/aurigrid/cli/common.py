"""What every command shares: exit codes, messages, JSON, the notice about compiling, options that mean the same."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from aurigrid.errors import AurigridError, InputError, MissingExtraError

P = ParamSpec("P")

OK, NOT_SOLVED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; no solution, or results that could not be written; bad input or usage; Ctrl-C."""

AS_LINES = "AURIGRID_PROGRESS_LINES"
"""Variable that makes a command write for the console, which words it for the page: progress and errors as lines of data."""


class Slack(StrEnum):
    """Who takes the balance."""

    reference = "reference"
    distributed = "distributed"


class Engine(StrEnum):
    """Which engine solves."""

    newton = "newton"
    dc = "dc"


Grid = Annotated[
    str,
    typer.Argument(
        metavar="GRID", help="Catalogue name (case300, a SimBench code), file or folder.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads to use; all CPUs if not given.", show_default=False)]
EngineOption = Annotated[
    str, typer.Option(help="newton, or learned: a registered model decides which pairs of branch outages are solved.")
]
QLimits = Annotated[bool, typer.Option("--q-limits/--no-q-limits", help="Hold units within their reactive limits.")]
SlackOption = Annotated[Slack, typer.Option(help="Who takes the balance: reference units, or all that participate.")]
Tolerance = Annotated[float, typer.Option("--tol", help="Largest power mismatch accepted, pu.")]
Iterations = Annotated[int, typer.Option("--max-iterations", min=1, help="Newton iterations a power flow may take.")]
Report = Annotated[bool, typer.Option("--report", help="Show what the import changed, and compare with the source.")]
Top = Annotated[int, typer.Option(min=1, help="Rows of each table.")]
SeriesFiles = Annotated[
    Path | None,
    typer.Option(
        "--profiles",
        help="Time series: a folder or file of wide tables, load.p_mw.csv and so on.",
        show_default=False,
    ),
]
From = Annotated[
    str | None, typer.Option("--from", help="First step, 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM'.", show_default=False)
]
To = Annotated[str | None, typer.Option("--to", help="Where to stop; that step is left out.", show_default=False)]
Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="Multiply all plants of a fuel, in the grid and in its series: wind=2,pv=40.",
        show_default=False,
    ),
]
OUTAGES_HELP = (
    "What is taken out: n-1, lines, transformers, generators, hvdc, buses, loads, towers, all (join with +), "
    "n-2:FILTER such as n-2:lines,kv=380, or a CSV or JSON list."
)


def say(message: str) -> None:
    """A message for people, on standard error."""
    print(message, file=sys.stderr, flush=True)


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turn what a command raises or returns into messages and exit codes; no traceback for errors made on purpose."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or OK
            sys.stdout.flush()
        except InputError as error:
            for issue in error.issues:
                say(f"issue {json.dumps(dataclasses.asdict(issue))}" if os.environ.get(AS_LINES) else f"error: {issue}")
            code = BAD_INPUT
        except MissingExtraError as error:
            say(f"error: {error}")
            code = BAD_INPUT
        except AurigridError as error:
            say(f"error: {error}")
            code = NOT_SOLVED
        except BrokenPipeError:  # the reader of our output (head, less) has gone: nobody is left to tell
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - lives until the interpreter flushes it at exit
            code = NOT_SOLVED
        except OSError as error:
            say(f"error: {error.filename or 'a file'} could not be read or written ({error.strerror or error})")
            code = NOT_SOLVED
        except KeyboardInterrupt:
            say("interrupted; nothing was kept")
            code = INTERRUPTED
        if code:
            raise typer.Exit(code)

    return run


def left_off(done: int | None) -> int:
    """Say what an interrupted run keeps (`done` steps; None: it had not begun), and return the exit code."""
    if done is None:
        say("interrupted; nothing was started")
    else:
        say(f"interrupted; {done} finished steps are kept. The same command continues behind them.")
    return INTERRUPTED


def plain(value: Any) -> Any:
    """The same as data that JSON knows: arrays as lists, not-a-number and infinity as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def print_json(data: dict[str, Any]) -> None:
    """The one object of ``--json``."""
    print(json.dumps(plain(data), ensure_ascii=False))


@contextmanager
def compiling_notice() -> Iterator[None]:
    """Say once that kernels are being compiled, and afterwards for how long; silent where they come from the cache."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        depth = 0
        began = 0.0
        total = 0.0
        told = False

        def on_start(self, _: Any) -> None:
            if self.depth == 0:
                self.began = time.perf_counter()
                if not self.told:
                    say("compiling kernels for this machine (once) ...")
                    self.told = True
            self.depth += 1

        def on_end(self, _: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                self.total += time.perf_counter() - self.began

    listener = Listener()
    with event.install_listener("numba:compile", listener):
        yield
    if listener.told:
        say(f"compiled in {listener.total:.1f} s")


def check_out(path: Path) -> None:
    """Refuse an output path that exists, before any work is done."""
    from aurigrid.errors import Issue

    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(Issue(str(path), "", "exists already", hint="name another path; nothing was written"))
