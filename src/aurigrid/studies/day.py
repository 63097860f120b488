"""A day of a grid: every step solved in full AC, every outage of every step, to a run folder.

The profiles give the loads, the infeed of wind and sun and a dispatch of all other units. By default an AC operating point
near that dispatch is found first for every step (`aurigrid.studies.points`): it keeps the limits of the intact grid where
that is possible. On request the day is planned instead (`aurigrid.studies.chain`): units are committed and dispatched at
least cost, and plan and AC operating points brought together; or the data's dispatch is taken as it is. Either way every outage
is then solved: what is missing or too much is shared among the units that run all day, wind and sun excepted (distributed
slack), and every unit stays inside its reactive limits.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.powerflow.api import check_options
from aurigrid.security.analysis import ENGINES, Engine
from aurigrid.security.contingencies import Contingencies, Explicit
from aurigrid.security.contingencies import contingencies as build_list
from aurigrid.security.limits import Limits
from aurigrid.store import RunWriter, ensure_features, start_run
from aurigrid.studies import rows
from aurigrid.studies.chain import COMMIT_SECONDS, POINTS_FILE, Chained, keep_points, kept_points, plan_day
from aurigrid.studies.conditions import batch_of, conditions_of
from aurigrid.studies.points import Points, operating_points, point_columns, reason_columns
from aurigrid.studies.securing import settled
from aurigrid.studies.sources import factors_of, load_with_profiles

DEFAULT_GRID = "1-EHV-mixed--0-no_sw"
DEFAULT_DATE = "2016-12-06"
DEFAULT_CONTINGENCIES = "branches+generators"

MARGIN = 0.02
"""Share of ratings and reactive ranges that a day's points leave free where they can."""

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""


@dataclass(frozen=True)
class DayRun:
    """A finished day.

    Attributes:
        run: the run folder.
        steps: steps in the folder, those of an earlier call included.
        outages: outages a step.
        power_flows: power flows in the folder: one base state a step, and the outages that were solved.
        converged: of these, with a solution (a part of the grid de-energised included).
        new_steps: steps that this call computed.
        solve_seconds: time that the engines took for the new steps, s.
        seconds: time of the whole call, reading and writing included, s.
        peak_mb: largest memory of this process so far, MB.
        plan: main figures of the plan, None where the day was not planned.
    """

    run: Path
    steps: int
    outages: int
    power_flows: int
    converged: int
    new_steps: int
    solve_seconds: float
    seconds: float
    peak_mb: float
    plan: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {**self.__dict__, "run": str(self.run)}


def run_day(
    grid: object = DEFAULT_GRID,
    date: str = DEFAULT_DATE,
    out: str | os.PathLike[str] | None = None,
    *,
    contingencies: str | os.PathLike[str] | Explicit | Contingencies = DEFAULT_CONTINGENCIES,
    slack: str = "distributed",
    q_limits: bool = True,
    tol_pu: float = 1e-8,
    max_iterations: int = 20,
    threads: int | None = None,
    engine: Engine = "newton",
    participation: Literal["dispatch", "grid"] | None = None,
    dispatch: Literal["plan", "points", "data"] = "points",
    security: Literal["base", "n-1"] = "base",
    commit_seconds: float = COMMIT_SECONDS,
    scale: Mapping[str, float] | str | None = None,
    steps_per_call: int = 8,
    progress: Progress | None = None,
    told: Callable[[str], None] | None = None,
) -> DayRun:
    """Solve one day of a grid with all outages, and store it.

    A call with the same arguments continues an interrupted run behind its finished steps.

    Args:
        grid: anything that `aurigrid.load` reads and that comes with profiles.
        date: the day, ``YYYY-MM-DD``, in the profiles' own time.
        out: run folder; ``runs/GRID_DATE`` where absent.
        contingencies: what is taken out, as in `aurigrid.security.contingencies`; all branches (lines and
            transformers) and generators where absent.
        slack: ``"distributed"`` or ``"reference"``.
        engine: as for `security_analysis`: ``"learned"`` has the registered model of the grid decide which pairs of branch
            outages are solved; those that it passes over have no rows in the run.
        participation: who takes the balance with distributed slack: ``"dispatch"``, all units but wind and sun that
            run all day, in proportion to their least output of the day, so that none is pushed below zero by a
            surplus that the others could take; ``"grid"``, as the grid says, which is what models are trained with: with
            the learned engine it is the default.
        dispatch: ``"plan"`` commits and dispatches all units at least cost, the profiles being the forecast, and brings the
            plan together with AC operating points (`aurigrid.studies.chain`); ``"points"`` finds an operating point near the
            data's dispatch for every step; ``"data"`` takes the data's dispatch as it is.
        security: limits that a plan keeps (`aurigrid.studies.chain.plan_day`).
        commit_seconds: time for the search over states of a plan.
        q_limits: hold units within their reactive limits.
        tol_pu: largest power mismatch accepted, pu.
        max_iterations: Newton iterations a power flow may take.
        threads: threads to use; all CPUs where absent.
        scale: factors by fuel, ``{"wind": 2}`` or ``"wind=2,pv=40"``, as in `aurigrid.scaled`.
        steps_per_call: steps that go to the engine together; more use more memory and fill its lanes better.
        progress: called after every stored step.
        told: called with what is being done before that, in words.

    Returns:
        The counts of the run; `aurigrid.studies.outlook.outlook` reads what it found.

    Raises:
        InputError: a bad grid, date, list or option, or a folder that holds something else; nothing is written then.
        StoreError: the disk is full; finished steps are kept.

    The default day is the one with most wind among December, January and February of the default grid (195 GWh)::

        imported = aurigrid.load_with_report("1-EHV-mixed--0-no_sw")
        series = imported.profiles.series["gen", "p_mw"]
        wind = imported.network.gen.fuel[series.position] == "wind"
        days = imported.profiles.local.astype("datetime64[D]")
        winter = days[np.isin(days.astype("datetime64[M]").astype(int) % 12, (0, 1, 11))]
        energy = {d: imported.profiles.day(str(d)).values("gen", "p_mw")[:, wind].sum() / 4 for d in np.unique(winter)}
        max(energy, key=energy.get)
    """
    began = time.perf_counter()
    given, profiles, name = load_with_profiles(grid, scale=scale)
    day = profiles.day(date)
    participation = participation or ("grid" if engine == "learned" else "dispatch")
    _check_choices(participation, dispatch, security, engine, commit_seconds)
    shared = slack == "distributed" and participation == "dispatch"
    scenarios = settled(given, day.scenarios(given), shared)
    found = build_list(scenarios.net, contingencies)
    if steps_per_call < 1:
        raise InputError(Issue("day", "steps_per_call", f"must be at least 1, is {steps_per_call}"))
    folder = Path(out) if out is not None else Path("runs") / f"{file_name(name)}_{date}"
    options = {"slack": slack, "q_limits": q_limits, "tol_pu": tol_pu, "max_iterations": max_iterations}
    check_options(scenarios.net, scenarios, "newton", tol_pu, max_iterations, slack, threads)
    recorded = {
        "date": date,
        "contingencies": spec(contingencies),
        "participation": participation,
        "dispatch": dispatch,
        **options,
        **({} if engine == "newton" else {"engine": engine, "model": model_of(scenarios.net, options)}),
        **({"scale": factors_of(scale)} if scale else {}),
        **({"commit_seconds": commit_seconds, "security": security} if dispatch == "plan" else {}),
    }
    solving = 0.0
    about: dict[str, dict[str, Any]] = {}
    planned: Chained | None = None
    if dispatch == "plan":

        def refuse_others() -> None:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                _open(folder, scenarios.net, name, recorded, found, day)

        asked = {"security": security, "commit_seconds": commit_seconds, "threads": threads, "told": told}
        planned = _plan(given, day, folder, refuse_others, asked)
        about = planned.tables
        scenarios = settled(planned.scenarios.net, planned.scenarios, shared)
        solving = planned.summary["seconds"]["points"] if about else 0.0
    elif dispatch == "points":
        clock = time.perf_counter()
        about, points = _points(given, day, scenarios, {**options, "threads": threads})
        scenarios = settled(given, points.scenarios, shared)
        solving = time.perf_counter() - clock
    writer = _open(folder, scenarios.net, name, recorded, found, day, planned)
    for table, columns in about.items():
        writer.write_once(table, columns)
    ahead = [step for step in range(len(day)) if step not in set(writer.finished)]
    if progress is not None:
        progress(len(day) - len(ahead), len(day))
    try:
        for chunk in _chunks(ahead, steps_per_call):
            how = {**options, "threads": threads, "engine": engine}
            solving += _solve_chunk(writer, scenarios, day, found, chunk, how, progress)
    except BaseException:
        writer.close("interrupted")
        raise
    done = _totals(writer)
    result = DayRun(
        run=folder,
        steps=done["steps"],
        outages=found.n,
        power_flows=done["power_flows"],
        converged=done["converged"],
        new_steps=len(ahead),
        solve_seconds=round(solving, 3),
        seconds=round(time.perf_counter() - began, 3),
        peak_mb=peak_mb(),
        plan=None if planned is None else planned.summary,
    )
    writer.close("finished", result.to_dict())
    ensure_features(folder)
    return result


def model_of(net: Network, options: dict[str, Any]) -> dict[str, Any]:
    """The registered model that the learned engine asks, and the share of violating pairs that it misses at most, %, with what
    confidence, %: what findings say of it (`MODEL_WORDS`)."""
    from aurigrid.registry.pairs import PairModel

    settings = {"q_limits": options["q_limits"], "slack": options["slack"], "v_step_pu": Limits().v_step_pu}
    model = PairModel.find(net, settings)
    known = model.card.calibration
    return {"model": model.name, "missed": 100 * known["bound"], "confidence": 100 * known["confidence"]}


def _check_choices(participation: str, dispatch: str, security: str, engine: str, commit_seconds: float) -> None:
    """Refuse words that mean nothing, and a time that is none."""
    for option, value, words in (
        ("participation", participation, ("dispatch", "grid")),
        ("dispatch", dispatch, ("plan", "points", "data")),
        ("security", security, ("base", "n-1")),
        ("engine", engine, ENGINES),
    ):
        if value not in words:
            raise InputError(Issue("day", option, f"is {value!r}", hint=f"choose {' or '.join(words)}"))
    if not commit_seconds > 0:
        raise InputError(Issue("day", "commit_seconds", f"is {commit_seconds}", hint="give seconds"))


def _plan(
    net: Network, day: Profiles, folder: Path, refuse_others: Callable[[], None], asked: dict[str, Any]
) -> Chained:
    """The day planned, or the points of an earlier call that the folder holds.

    Args:
        refuse_others: told before time is spent, so that a folder that cannot be continued is refused.
        asked: options of `plan_day`.
    """
    if (folder / POINTS_FILE).is_file():
        return kept_points(folder / POINTS_FILE, net)
    refuse_others()
    return plan_day(net, day, margin=MARGIN, **asked)


def _points(
    net: Network, day: Profiles, planned: Scenarios, options: dict[str, Any]
) -> tuple[dict[str, dict[str, Any]], Points]:
    """Operating points of the day, and the tables that tell of them.

    Args:
        planned: the conditions with the data's dispatch; the limits that it breaks are counted.
        options: those of the power flows.
    """
    conditions = conditions_of(net, day, margin=MARGIN)
    steps = np.arange(len(day))
    points = operating_points(conditions, batch_of(conditions, day, slice(None)), threads=options["threads"])
    about = point_columns(conditions, points, steps, day.local)
    about["data_base_violations"] = _broken_by(planned, options)
    return {"reasons": reason_columns(conditions, points, steps), "points": about}, points


def _broken_by(scenarios: Scenarios, options: dict[str, Any]) -> Array:
    """(n,) limits that the scenarios break before any outage."""
    from aurigrid.security import security_analysis

    none = build_list(scenarios.net, [])
    report = security_analysis(scenarios.net, scenarios, none, **options)
    return np.bincount(report.found.scenario[report.found.contingency < 0], minlength=scenarios.n)


def _open(
    folder: Path,
    net: Network,
    name: str,
    options: dict[str, Any],
    found: Contingencies,
    day: Profiles,
    planned: Chained | None = None,
) -> RunWriter:
    from aurigrid.io.folder import save

    def write_grid(path: Path) -> None:
        save(net, path)
        if planned is not None:
            keep_points(path.parent / POINTS_FILE, planned)

    return start_run(
        folder,
        grid={"name": name, "digest": net.digest, "buses": net.n_bus, "branches": net.n_branch, "units": net.n_gen},
        options={**options, "outages": found.n, "start": str(day.local[0]), "step_min": day.step_min},
        n_steps=len(day),
        contingency_list=rows.contingency_list_columns(net, found),
        save_grid=write_grid,
    )


def _solve_chunk(
    writer: RunWriter,
    scenarios: Scenarios,
    day: Profiles,
    found: Contingencies,
    chunk: list[int],
    options: dict[str, Any],
    progress: Progress | None,
) -> float:
    """Solve and store some steps; the seconds that solving took."""
    from aurigrid.security import security_analysis

    began = time.perf_counter()
    report = security_analysis(scenarios.net, scenarios.take(chunk), found, **options)
    seconds = time.perf_counter() - began
    for i, step in enumerate(chunk):
        violations = rows.violation_columns(report, i)
        writer.write_step(
            step,
            {
                **rows.state_columns(report.base, i),
                "violations": violations,
                "contingencies": rows.contingency_columns(report, i, violations["contingency"]),
                "steps": {
                    **rows.step_columns(report.base, i, report.status[i], violations),
                    "time": day.local[step],
                    "seconds": seconds / len(chunk),
                },
            },
        )
        if progress is not None:
            progress(len(writer.finished), len(day))
    return seconds


def _chunks(steps: list[int], size: int) -> Iterator[list[int]]:
    return (steps[i : i + size] for i in range(0, len(steps), size))


def _totals(writer: RunWriter) -> dict[str, int]:
    from aurigrid.store import open_run

    table = open_run(writer.path).table("steps")
    good, split, failed = (
        int(np.sum(table.column(f"outages_{name}").to_numpy())) for name in ("converged", "islanded", "failed")
    )
    base = sum(word in ("converged", "islanded") for word in table.column("status").to_pylist())
    return {"steps": len(table), "power_flows": len(table) + good + split + failed, "converged": base + good + split}


def peak_mb() -> float:
    """Largest memory that this process has used so far, MB; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(largest / (1e6 if sys.platform == "darwin" else 1e3), 1)  # bytes there, kilobytes elsewhere


def spec(given: object) -> object:
    """What was asked for, for the record: words and paths as they are, lists by what they hold."""
    if isinstance(given, Contingencies):
        return given.label.tolist()
    if isinstance(given, (str, os.PathLike)):
        return str(given)
    return [list(map(str, e)) if isinstance(e, (list, tuple, set)) else str(e) for e in given]  # type: ignore[attr-defined]


def file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
