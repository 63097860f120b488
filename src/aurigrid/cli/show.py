"""How results are put on a terminal: tables that fit 80 columns, a progress bar, summaries."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from typing import Any

from aurigrid.cli.common import AS_LINES

Heading = tuple[str, str]
"""Title of a column and its alignment, ``"l"`` or ``"r"``."""


def table(title: str, headings: Sequence[Heading], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table on standard output; long texts are shortened to the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, align in headings:
        right = align == "r"
        out.add_column(Text(name), justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        out.add_row(*(Text(cell(value)) for value in row))
    console = Console()
    with console.capture() as drawn:
        console.print(out)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    print("\n".join([title, *(line for line in lines if line), ""] if title else lines))


def cell(value: Any) -> str:
    """One value as short text."""
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value == 0:
            return "0"
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, int):
        return str(value)
    return str(value)


def summary(sentences: Sequence[str], commands: Sequence[str]) -> None:
    """The closing words: what was found, and what to run next."""
    print("\nSummary")
    for sentence in sentences:
        print(textwrap.fill(sentence, 80, initial_indent="  ", subsequent_indent="    ", break_long_words=False))
    if commands:
        print("\nNext")
        for command in commands:
            print(f"  {command}")
    print()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, fed with (done, total).

    Where standard error is no terminal there is nothing, or, where `AS_LINES` is set as the console does,
    a line ``progress DONE TOTAL`` at most twice a second.
    """
    if not sys.stderr.isatty():
        yield _progress_lines() if os.environ.get(AS_LINES) else lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _progress_lines() -> Callable[[int, int], None]:
    last = 0.0

    def write(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= 0.5:
            last = now
            print(f"progress {done} {total}", file=sys.stderr, flush=True)

    return write


def waiting(what: str) -> Context[Any]:
    """A sign of life on standard error while one long call runs; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return round(time.perf_counter() - self._began, 4)


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def percent(share: float) -> str:
    """A share as per cent."""
    return f"{100 * share:.1f} %"
