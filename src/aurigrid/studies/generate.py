"""Operating points by the thousand: one AC point for every step of a time span, labelled, to a run folder.

Steps are worked on in chunks of fixed size, each by one thread and each written as one file a table. What a chunk holds
depends on its steps alone, so a run that was interrupted and continued equals one that was not, bit for bit, with any
number of threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.profiles import Profiles
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.newton import thread_count
from aurigrid.security.analysis import ENGINES, Engine
from aurigrid.security.contingencies import Contingencies, Explicit
from aurigrid.security.contingencies import contingencies as build_list
from aurigrid.store import RunWriter, start_run
from aurigrid.studies import rows
from aurigrid.studies.conditions import Conditions, batch_of, conditions_of
from aurigrid.studies.day import file_name, model_of, peak_mb, spec
from aurigrid.studies.optima import OTHER_WEIGHTS, SOFT_PRICE
from aurigrid.studies.points import (
    BALANCE_PU,
    CHECK,
    LIMIT_PU,
    bus_columns,
    gen_columns,
    operating_points,
    point_columns,
    reason_columns,
)
from aurigrid.studies.sources import factors_of, load_with_profiles

CHUNK_STEPS = 192
"""Steps that are solved and written together: two days of quarter-hours; more would need more memory."""

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""


@dataclass(frozen=True)
class GenerateRun:
    """A finished run of operating points.

    Attributes:
        run: the run folder.
        steps: steps in the folder, those of an earlier call included.
        new_steps: steps that this call computed.
        seconds: time of the whole call, reading and writing included, s.
        peak_mb: largest memory of this process so far, MB.
    """

    run: Path
    steps: int
    new_steps: int
    seconds: float
    peak_mb: float

    @property
    def steps_per_second(self) -> float:
        """Steps that this call computed, a second of the whole call."""
        return self.new_steps / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {**self.__dict__, "run": str(self.run), "steps_per_second": round(self.steps_per_second, 1)}


def generate(
    grid: object,
    profiles: str | os.PathLike[str] | Profiles | None = None,
    start: object = None,
    stop: object = None,
    out: str | os.PathLike[str] | None = None,
    *,
    contingencies: str | os.PathLike[str] | Explicit | Contingencies | None = None,
    engine: Engine = "newton",
    states: bool = False,
    co2_price_per_t: float = 0.0,
    margin: float = 0.0,
    scale: Mapping[str, float] | str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> GenerateRun:
    """Find an AC operating point for every step of a time span, and store it.

    Each point is an optimal power flow that stays near the data's dispatch, at low cost, and curtails little wind and sun
    (cost alone where the data have costs but no dispatch); see docs/generate.md. A call with the same arguments continues
    an interrupted run behind its finished chunks.

    Args:
        grid: anything that `aurigrid.load` reads.
        profiles: time series for the grid: a folder or file of wide tables (`aurigrid.io.series`), or `Profiles`; those that
            the grid comes with where absent.
        start, stop: first step, and the step after the last, as local times like ``"2016-01-18 06:00"`` or positions; the
            whole of the profiles where absent.
        out: run folder; ``runs/GRID_points`` where absent.
        contingencies: outages to check at every feasible point, as in `aurigrid.security.contingencies`; a point after
            which all hold is labelled secure. None are checked where absent.
        engine: as for `security_analysis`: ``"learned"`` has the registered model of the grid decide which pairs of branch
            outages are solved. A point is secure then if all hold that were; what the model may miss is told with the run.
        states: store the voltages of all buses too.
        co2_price_per_t: price of carbon in default costs, currency/t.
        margin: share of ratings and reactive ranges, and a quarter of it in pu of voltage, that points leave free where
            they can; 0.02 is what `run_day` takes.
        scale: factors by fuel, ``{"wind": 2}`` or ``"wind=2,pv=40"``, as in `aurigrid.scaled`.
        threads: threads to use; all CPUs where absent.
        progress: called after every stored chunk.

    Returns:
        The counts of the run; `aurigrid.studies.tally.tally` reads what it found.

    Raises:
        InputError: a bad grid, span, list or option, or a folder that holds something else; nothing is written then.
        StoreError: the disk is full; finished chunks are kept.
    """
    began = time.perf_counter()
    net, series, name = load_with_profiles(grid, profiles, scale)
    if threads is not None and threads < 1:
        raise InputError(Issue("generate", "threads", f"is {threads}", hint="give at least 1, or nothing for all CPUs"))
    if engine not in ENGINES or (engine != "newton" and contingencies is None):
        hint = f"choose {' or '.join(ENGINES)}; learned with contingencies"
        raise InputError(Issue("generate", "engine", f"is {engine!r}", hint=hint))
    if not 0 <= margin < 0.5:
        raise InputError(Issue("generate", "margin", f"is {margin}", hint="give a share from 0 to 0.5"))
    span = _span(series, start, stop)
    span.scenarios(net, [0])  # refuses series that do not fit before anything is written
    conditions = conditions_of(net, span, co2_price_per_t, margin)
    outages = None if contingencies is None else build_list(net, contingencies)
    folder = Path(out) if out is not None else Path("runs") / f"{file_name(name)}_points"
    told = None if contingencies is None else spec(contingencies)
    asked = {"contingencies": told, "states": states, "co2_price_per_t": co2_price_per_t, "margin": margin}
    if engine != "newton":
        asked |= {"engine": engine, "model": model_of(conditions.net, CHECK)}
    writer = _open(folder, conditions, name, span, outages, asked | ({"scale": factors_of(scale)} if scale else {}))
    n = len(span)
    finished = set(writer.finished)
    ahead = [c for c in range(-(-n // CHUNK_STEPS)) if c not in finished]
    done = sum(len(_rows(c, n)) for c in finished)
    if progress is not None:
        progress(done, n)
    new = 0
    try:
        for chunk, tables in _solved(conditions, span, outages, engine, states, ahead, thread_count(threads)):
            writer.write_chunk(chunk, tables)
            new += len(_rows(chunk, n))
            if progress is not None:
                progress(done + new, n)
    except BaseException:
        writer.close("interrupted")
        raise
    result = GenerateRun(folder, done + new, new, round(time.perf_counter() - began, 3), peak_mb())
    writer.close("finished", result.to_dict())
    return result


def _span(series: Profiles, start: object, stop: object) -> Profiles:
    """The steps asked for; both times are looked at before either is refused."""
    issues = IssueList()
    for given in (start, stop):
        if given is not None:
            try:
                series.window(given, given)
            except InputError as error:
                issues.issues += [i for i in error.issues if "is not a time" in i.message]
    issues.raise_if_any()
    return series.window(0 if start is None else start, len(series) if stop is None else stop)


def _rows(chunk: int, n: int) -> list[int]:
    return list(range(chunk * CHUNK_STEPS, min((chunk + 1) * CHUNK_STEPS, n)))


def _solved(
    conditions: Conditions,
    span: Profiles,
    outages: Contingencies | None,
    engine: Engine,
    states: bool,
    ahead: list[int],
    threads: int,
) -> Iterator[tuple[int, dict[str, dict[str, Any]]]]:
    """Chunks as they are finished. One thread each; no more are begun than there are threads, so memory stays bounded."""

    def work(chunk: int) -> tuple[int, dict[str, dict[str, Any]]]:
        # outages fill the lanes by themselves, and take the time: then the chunks are not run side by side
        steps = _rows(chunk, len(span))
        return chunk, _tables(conditions, span, outages, engine, states, steps, 1 if beside > 1 else threads)

    beside = 1 if outages is not None else min(threads, max(1, len(ahead)))
    todo = iter(ahead)
    with ThreadPoolExecutor(beside) as pool:
        running: set[Future[tuple[int, dict[str, dict[str, Any]]]]] = set()
        try:
            while True:
                running |= {pool.submit(work, c) for _, c in zip(range(beside - len(running)), todo, strict=False)}
                if not running:
                    return
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


def _tables(
    conditions: Conditions,
    span: Profiles,
    outages: Contingencies | None,
    engine: Engine,
    states: bool,
    steps: list[int],
    threads: int,
) -> dict[str, dict[str, Any]]:
    points = operating_points(conditions, batch_of(conditions, span, steps), outages, threads, engine)
    number = np.asarray(steps)
    return {
        "point_gen": gen_columns(conditions, points, number),
        "point_bus": bus_columns(points, number, states),
        "reasons": reason_columns(conditions, points, number),
        "points": point_columns(conditions, points, number, span.local[number]),
    }


def _open(
    folder: Path,
    conditions: Conditions,
    name: str,
    span: Profiles,
    outages: Contingencies | None,
    options: dict[str, Any],
) -> RunWriter:
    from aurigrid.io.folder import save

    net = conditions.net
    empty: dict[str, Any] = {"contingency": [], "label": [], "kind": [], "elements": [], "representative": []}
    return start_run(
        folder,
        grid={"name": name, "digest": net.digest, "buses": net.n_bus, "branches": net.n_branch, "units": net.n_gen},
        options={
            **options,
            "start": str(span.local[0]),
            "step_min": span.step_min,
            "outages": 0 if outages is None else outages.n,
            "objective": conditions.objective,
            "soft_price": SOFT_PRICE,
            "other_weights": list(OTHER_WEIGHTS),
            "limit_pu": LIMIT_PU,
            "balance_pu": BALANCE_PU,
            "series": series_digest(span, net),
            "defaults": [str(use) for use in conditions.defaults],
        },
        n_steps=len(span),
        contingency_list=empty if outages is None else rows.contingency_list_columns(net, outages),
        save_grid=lambda path: save(net, path),
        chunk_steps=CHUNK_STEPS,
    )


def series_digest(span: Profiles, net: Any) -> str:
    """A short digest of the first and the last conditions, so that another data set does not continue a run."""
    import hashlib

    h = hashlib.sha256(str(len(span)).encode())
    ends: Scenarios = span.scenarios(net, [0, len(span) - 1])
    for name in ("load_p_mw", "load_q_mvar", "gen_p_mw", "storage_p_mw"):
        h.update(np.ascontiguousarray(ends.values(name)).tobytes())
    return h.hexdigest()[:16]
