"""Threads that stay: work items are handed to the caller's thread and to helpers that outlive the call.

Waking a thread that exists costs some microseconds, starting one and warming up its core up to a millisecond, which is as much
as the outages of a small grid take.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_HELPERS: dict[int, ThreadPoolExecutor] = {}
"""One pool for each number of threads asked for."""

if hasattr(os, "register_at_fork"):
    # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_HELPERS.clear)


def thread_count(threads: int | None) -> int:
    """The number of threads to use: as asked, else the CPUs that this process may run on."""
    if threads is not None:
        return max(1, threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_turn(threads: int, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """``work`` on each item, in threads, whoever is free taking the next; the results in the items' order."""
    if threads == 1 or len(items) <= 1:
        return [work(item) for item in items]
    results: list[Any] = [None] * len(items)
    left = iter(range(len(items)))  # its next() is one step of the interpreter: no item is taken twice

    def take() -> None:
        for k in left:
            results[k] = work(items[k])

    pool = _HELPERS.get(threads)
    if pool is None:
        pool = _HELPERS.setdefault(threads, ThreadPoolExecutor(threads - 1, "aurigrid"))
    helpers: list[Future[None]] = [pool.submit(take) for _ in range(min(threads, len(items)) - 1)]
    try:
        take()
    finally:
        for _ in left:  # after an error or an interrupt nobody begins another item
            pass
        # a helper that has not begun, as where calls are nested, is not waited for
        running = [h for h in helpers if not h.cancel()]
        errors = [h.exception() for h in running]
    for error in errors:
        if error is not None:
            raise error
    return results
