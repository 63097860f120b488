"""Security analysis: every outage of every scenario in full AC, in groups of scenarios that keep memory bounded.

A group's base states are solved first; each outage starts from its scenario's base state. Outages that are the same
problem (identical parallel circuits) are solved once. Violations are collected as they are found, so what is kept grows
with the violations and with one number a scenario and outage, not with the states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import check_options, solve_cases
from aurigrid.powerflow.cases import NO_PAIRS, OUTAGE_TABLES, Cases, Pairs
from aurigrid.powerflow.newton import Settings, thread_count
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.registry.pairs import PairModel
from aurigrid.security import report as r
from aurigrid.security.again import solve_outages
from aurigrid.security.chase import Chase
from aurigrid.security.contingencies import Contingencies, Explicit
from aurigrid.security.contingencies import contingencies as build_contingencies
from aurigrid.security.limits import Limits, repeat_for_twins, scanned, violations
from aurigrid.security.report import Estimates, Passed, SecurityReport, Violations, joined_counts
from aurigrid.security.suspects import Group, Judge

Array = np.ndarray[Any, np.dtype[Any]]
Screen = Literal["dc", "one-step", "pairs"]
Engine = Literal["newton", "learned"]
Progress = Callable[[int, int], None]
"""Called with power flows done and all of them."""

ENGINES: tuple[Engine, ...] = ("newton", "learned")
SCREENS: tuple[Screen, ...] = ("dc", "one-step", "pairs")
_STATE_BYTES = 256 * 2**20
"""Room for the voltages of the cases that are in work at once."""
_PROGRESS_STEPS, _FEWEST_A_STEP = 10, 1024
"""Steps that somebody who watches is shown, and the least work in each: smaller blocks end in lanes that idle."""
_SCREEN_LOADING = 0.9
_SCREEN_BAND_PU = 0.01


def security_analysis(
    net: Network,
    scenarios: Scenarios | None = None,
    contingencies: str | PathLike[str] | Explicit | Contingencies = "n-1",
    *,
    tol_pu: float = 1e-8,
    max_iterations: int = 20,
    q_limits: bool = False,
    slack: Literal["reference", "distributed"] = "reference",
    engine: Engine = "newton",
    screen: Screen | None = None,
    v_step_pu: float = 0.1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SecurityReport:
    """Solve every outage of every scenario in full AC and report each limit that it breaks.

    Args:
        net: the network.
        scenarios: n conditions; the network as it is where absent.
        contingencies: what to take out, as for `contingencies` (``"n-1"``: every line and transformer).
        tol_pu, max_iterations, q_limits, slack, threads: as for `power_flow`.
        engine: ``"newton"``, or ``"learned"``: the registered model of this network decides which pairs of branch outages are
            solved; all others are. Every state in the report is solved exactly; `SecurityReport.passed` says what was not.
        screen: None solves all; ``"dc"`` or ``"one-step"`` (one Newton step) estimates each outage first and solves
            only those that come near a limit, and says so in the report. ``"pairs"`` estimates pairs of branch outages
            from the exact states of the single ones, and looks for what they break beyond these.
        v_step_pu: largest change of a voltage against the base state that is no violation, pu.
        progress: called after each block of outages with how many are done, and of how many.

    Returns:
        Outcomes and violations; outages that split the grid are solved on the part that keeps its supply.

    Raises:
        InputError: an invalid network or option, or outages that name unknown elements.
    """
    check_options(net, scenarios, "newton", tol_pu, max_iterations, slack, threads)
    check_choices(engine, screen)
    if not v_step_pu > 0:
        raise InputError(
            Issue("security_analysis", "v_step_pu", f"is {v_step_pu}", hint="give a positive change in pu")
        )
    outages = build_contingencies(net, contingencies)
    how = Settings(tol_pu, max_iterations, q_limits, slack == "distributed", threads)
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    judge: Screen | Judge | None = screen
    if engine == "learned":
        settings = {"q_limits": q_limits, "slack": slack, "v_step_pu": v_step_pu}
        judge = PairModel.find(net, settings, thread_count(threads))
    groups = list(analyse_groups(net, sc, outages, how, Limits(v_step_pu), judge, progress))
    return join_reports(groups)


def check_choices(engine: str, screen: str | None) -> None:
    """Refuse engines and screens that there are not, or not together."""
    issues = IssueList()
    if screen is not None and screen not in SCREENS:
        hint = f"choose {', '.join(SCREENS)}, or leave it out"
        issues.add("security_analysis", "screen", f"is {screen!r}", hint=hint)
    if engine not in ENGINES or (engine == "learned" and screen is not None):
        hint = "choose newton, or learned without a screen"
        issues.add("security_analysis", "engine", f"is {engine!r} with screen {screen!r}", hint=hint)
    issues.raise_if_any()


def analyse_groups(
    net: Network,
    sc: Scenarios,
    outages: Contingencies,
    how: Settings,
    limits: Limits,
    screen: Screen | Judge | None = None,
    progress: Progress | None = None,
) -> Iterator[SecurityReport]:
    """Reports of consecutive groups of scenarios, as they are finished; scenario numbers count from the group's first."""
    size = max(1, min(sc.n, _group_size(net, outages.n_distinct)))
    for first in range(0, sc.n, size):
        last = min(first + size, sc.n)
        yield _analyse(net, sc[first:last], outages, how, limits, screen, _part(progress, first, last, sc.n))


def _part(progress: Progress | None, first: int, last: int, n: int) -> Progress | None:
    """What the group of scenarios first .. last of n is told to report to."""
    if progress is None:
        return None

    def told(done: int, total: int) -> None:
        each = total // (last - first)
        progress(first * each + done, n * each)

    return told


def _group_size(net: Network, n_outages: int) -> int:
    """Scenarios whose outages fill the room for states about once."""
    return max(1, _cases_at_once(net) // max(1, n_outages))


def _cases_at_once(net: Network) -> int:
    return max(64, _STATE_BYTES // (16 * max(1, net.n_bus)))


def join_reports(parts: list[SecurityReport]) -> SecurityReport:
    """One report from those of consecutive groups."""
    if len(parts) == 1:
        return parts[0]
    shift = np.cumsum([0, *(len(p.status) for p in parts)])
    moved = [
        Violations(p.found.scenario + n, *(getattr(p.found, c) for c in list(p.found.__dataclass_fields__)[1:]))
        for p, n in zip(parts, shift[:-1], strict=True)
    ]
    first = parts[0]

    def stack(name: str) -> Array:
        return np.concatenate([getattr(p, name) for p in parts])

    numbers: dict[str, Any] = {name: stack(name) for name in _Tally.__dataclass_fields__}
    return SecurityReport(
        net=first.net,
        contingencies=first.contingencies,
        base=join_solutions([p.base for p in parts]),
        found=Violations.join(moved),
        passed=joined_counts([p.passed for p in parts if p.passed is not None]),
        estimates=Estimates.join([p.estimates for p in parts]),
        power_flows=sum(p.power_flows for p in parts),
        **numbers,
    )


def join_solutions(parts: list[Solution]) -> Solution:
    """One solution from those of consecutive scenarios of the same network."""
    shift = np.cumsum([0, *(p.n for p in parts)])
    sc = Scenarios.concat([p.cases.scenarios for p in parts])

    def stack(name: str) -> Array:
        return np.concatenate([getattr(p, name) for p in parts])

    off = Pairs(
        np.concatenate([p.off.case + np.int32(n) for p, n in zip(parts, shift[:-1], strict=True)]).astype(np.int32),
        np.concatenate([p.off.element for p in parts]),
    )
    return Solution(
        parts[0].grid, Cases.of(sc), stack("status"), stack("iterations"), stack("mismatch_pu"), stack("v"), stack("held"),
        stack("need_pu"), stack("slack_mw"), off, parts[0].engine, stack("rung"),
    )  # fmt: skip


def _distinct(sc: Scenarios, outages: Contingencies) -> Array:
    """(n_contingency,) the outage whose solution each one shares."""
    untouched = not any(len(getattr(sc, f"{t}_out").idx) for t in OUTAGE_TABLES)
    return outages.representative if untouched else np.arange(outages.n)


def product_cases(sc: Scenarios, outages: Contingencies, solved: Array) -> Cases:
    """All pairs of scenario and outage, scenario by scenario, the scenarios' own outages included."""
    n, m = sc.n, len(solved)
    out, row_out = {}, NO_PAIRS
    for table in OUTAGE_TABLES:
        rows = outages.rows[table].take(solved)
        case = (np.arange(n)[:, None] * m + np.repeat(np.arange(m), np.diff(rows.ptr))[None]).ravel()
        element = np.tile(rows.idx, n)
        own = getattr(sc, f"{table}_out")
        if len(own.idx):
            s, size = np.repeat(np.arange(n), np.diff(own.ptr)), max(len(getattr(sc.net, table)), 1)
            known = np.zeros((n, size), bool)
            known[s, own.idx] = True
            more = ~known[case // m, element]
            case, element = case[more], element[more]
            if table == "gen":
                row_out = Pairs(s.astype(np.int32), own.idx.astype(np.int32))
            else:
                each = (s[:, None] * m + np.arange(m)[None]).ravel()
                key = np.sort(np.concatenate([case, each]) * size + np.concatenate([element, np.repeat(own.idx, m)]))
                case, element = key // size, key % size
        if len(case):
            out[table] = Pairs(case.astype(np.int32), element.astype(np.int32))
    return Cases(sc, np.repeat(np.arange(n, dtype=np.int32), m), out, row_out)


@dataclass(eq=False)
class _Tally:
    """Numbers by case, filled as blocks of cases are solved."""

    status: Array
    iterations: Array
    mismatch_pu: Array
    lost_load_mw: Array
    lost_gen_mw: Array
    worst_loading: Array
    v_min_pu: Array
    v_max_pu: Array
    band_margin_pu: Array

    @classmethod
    def of(cls, n: int) -> _Tally:
        def blank() -> Array:
            return np.full(n, np.nan, np.float32)

        return cls(
            np.full(n, Status.SKIPPED, np.int8), np.zeros(n, np.int32), np.full(n, np.nan), np.zeros(n), np.zeros(n), blank(),
            blank(), blank(), blank(),
        )  # fmt: skip


def _analyse(
    net: Network,
    sc: Scenarios,
    outages: Contingencies,
    how: Settings,
    limits: Limits,
    screen: Screen | Judge | None,
    progress: Progress | None = None,
) -> SecurityReport:
    base = solve_cases(net, Cases.of(sc), "newton", how)
    shared = _distinct(sc, outages)
    solved = np.flatnonzero(shared == np.arange(outages.n))
    cases = product_cases(sc, outages, solved)
    tally = _Tally.of(cases.n)
    todo = np.arange(cases.n)
    passed, chase = None, None
    if screen in ("dc", "one-step"):
        todo = _suspects(net, cases, base, how, screen)
        rule = f"below {_SCREEN_LOADING:.0%} loading"
        rule += "" if screen == "dc" else f" and more than {_SCREEN_BAND_PU} pu inside the voltage bands"
        passed = Passed(screen, cases.n, cases.n - len(todo), proof=rule)
    elif screen is not None:
        group = Group(net, sc, base, how, limits, begin(base), outages, solved)
        chase = Chase(group, None if isinstance(screen, str) else screen)
        todo = chase.first()
    found = [_of_base(net, base, how, limits)]
    flows = sc.n
    if progress is not None:
        progress(cases.n - len(todo), cases.n)
    while len(todo):
        flows += len(todo)
        step = _cases_at_once(net)
        if progress is not None:
            step = min(step, max(_FEWEST_A_STEP, len(todo) // _PROGRESS_STEPS))
        for first in range(0, len(todo), step):
            which = todo[first : first + step]
            found.append(_block(net, cases.take(which), which, base, how, limits, tally, solved, chase))
            if progress is not None:
                # what is passed over counts as done; a later round is in the last few
                progress(cases.n - len(todo) + first + len(which), cases.n)
        todo = chase.more() if chase is not None else todo[:0]
    if chase is not None:
        passed, flows = chase.passed, flows + chase.flows
    place = np.searchsorted(solved, shared)
    everything = Violations.join(found)
    if len(solved) < outages.n:
        everything = repeat_for_twins(everything, outages, shared)

    def table(values: Array) -> Array:
        return values.reshape(sc.n, len(solved))[:, place]

    numbers: dict[str, Any] = {name: table(getattr(tally, name)) for name in _Tally.__dataclass_fields__}
    estimates = None if chase is None else chase.estimates()
    return SecurityReport(
        net=net,
        contingencies=outages,
        base=base,
        found=everything,
        passed=passed,
        estimates=None if estimates is None else Estimates(*(table(values) for values in estimates)),
        power_flows=flows,
        **numbers,
    )


def begin(base: Solution) -> Start:
    """Starts of the outages: each scenario's base state."""
    v = np.where(np.isfinite(base.v), base.v, 1.0)
    return Start(v, base.held, np.nan_to_num(base.slack_mw) / base.grid.base_mva)


def _block(
    net: Network,
    cases: Cases,
    which: Array,
    base: Solution,
    how: Settings,
    limits: Limits,
    tally: _Tally,
    solved: Array,
    chase: Chase | None,
) -> Violations:
    """Solve a block of cases, put its numbers into the tally, tell who chases, and return its violations."""
    done = solve_outages(net, cases, how, begin(base), cases.row)
    (worst, low, high, inside), records = scanned(done, base, cases.row, how, limits)
    for name, values in (
        ("status", done.status), ("iterations", done.iterations), ("mismatch_pu", done.mismatch_pu),
        ("lost_load_mw", done.lost_load_mw), ("lost_gen_mw", done.lost_gen_mw), ("worst_loading", worst), ("v_min_pu", low),
        ("v_max_pu", high), ("band_margin_pu", inside),
    ):  # fmt: skip
        getattr(tally, name)[which] = values
    if chase is not None:
        chase.tell(which, done, records)
    outage = solved[which % len(solved)]
    return violations(net, done, base, cases.row, outage, records, how, limits)


def _of_base(net: Network, base: Solution, how: Settings, limits: Limits) -> Violations:
    row = np.arange(base.n, dtype=np.int32)
    records = scanned(base, base, row, how, limits)[1]
    return violations(net, base, base, row, np.full(base.n, r.BASE_STATE), records, how, limits)


def _suspects(net: Network, cases: Cases, base: Solution, how: Settings, screen: Screen) -> Array:
    """Cases that an estimate puts near a limit, or that split the grid."""
    near = []
    step = _cases_at_once(net)
    for first in range(0, cases.n, step):
        which = np.arange(first, min(first + step, cases.n))
        part = cases.take(which)
        if screen == "dc":
            guess = solve_cases(net, part, "dc", how)
            loading = np.nanmax(np.abs(guess.branch_flow().loading), axis=1, initial=0.0)
            suspect = loading >= _SCREEN_LOADING
        else:
            guess = solve_cases(net, part, "newton", replace(how, one_step=True), begin(base), part.row)
            tight = Limits(np.inf)
            (worst, _, _, _), records = scanned(guess, base, part.row, how, tight)
            suspect = ~(worst < _SCREEN_LOADING)
            suspect |= _near_band(net, guess)
            suspect[records[:, 0].astype(np.int64)] = True
        suspect |= guess.status != Status.CONVERGED
        near.append(which[suspect])
    return np.concatenate(near) if near else np.zeros(0, np.int64)


def _near_band(net: Network, guess: Solution) -> Array:
    v = guess.v_mag
    looked = ~net.bus.is_star & net.bus.in_service
    close = (v < net.bus.v_min_pu + _SCREEN_BAND_PU) | (v > net.bus.v_max_pu - _SCREEN_BAND_PU)
    return np.asarray((close & looked).any(1))
