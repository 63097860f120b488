"""A day's chain: commitment in blocks of some hours, dispatch at every step, AC operating points until both agree.

States are decided on the means of blocks of `BLOCK_H` hours, inside the limits of the intact grid, which leaves a problem that is
solved to a stated gap in a minute; outputs follow at the profiles' own step at these states (`aurigrid.dispatch.redispatch`), and
AC points correct them (`aurigrid.studies.truth`).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.dispatch.answer import Desk, desk_of, plan_of
from aurigrid.dispatch.api import bound_of
from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.redispatch import solve_states
from aurigrid.dispatch.secure import solve_secured
from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.powerflow.api import ensure_valid
from aurigrid.studies.points import point_columns, reason_columns
from aurigrid.studies.securing import Secured, breaches
from aurigrid.studies.truth import AGREED_SHARE, Truth, agree, shift_mw

BLOCK_H, COMMIT_SECONDS, COMMIT_GAP = 3.0, 60.0, 0.01
"""Length of the blocks on whose means states are decided, h; seconds and relative gap at which that search stops."""
AGREE_SECONDS = 45.0
"""Seconds after which no further round of plan and AC is begun."""
STATE_SECONDS = 10.0
"""Seconds for other states inside what AC has taught first."""

_EXCESS_MW = 0.1
"""Flow above a limit that a plan counts as one that it could not avoid, MW."""
_KEPT = ("load_p_mw", "load_q_mvar", "gen_p_mw", "gen_v_pu", "storage_p_mw", "hvdc_p_mw")
POINTS_FILE = "points.npz"
"""The points of a planned day, beside its tables, so that an interrupted day goes on with the same ones."""


@dataclass(frozen=True, eq=False)
class Chained:
    """A planned day.

    Attributes:
        scenarios: its AC points.
        tables: columns of the tables that tell of it, by name.
        summary: its main figures.
    """

    scenarios: Scenarios
    tables: dict[str, dict[str, Any]]
    summary: dict[str, Any]


def plan_day(
    net: Network,
    day: Profiles,
    *,
    margin: float,
    security: str = "base",
    commit_seconds: float = COMMIT_SECONDS,
    threads: int | None = None,
    told: Callable[[str], None] | None = None,
) -> Chained:
    """Commit, dispatch and bring together with AC.

    Args:
        net: the network.
        day: what is expected.
        margin: share of ratings and reactive ranges that points leave free where they can.
        security: limits that are kept: ``"base"``, those of the intact grid; ``"n-1"``: ratings after outages as well, by the
            plan in linear flows after branch outages, by its points in AC after branch outages, each MWh above at a price.
        commit_seconds: time for the search over states.
        threads: for power flows.
        told: called with what is being done, in words.

    Raises:
        MissingExtraError: highspy is not installed.
        DispatchError: no plan was found.
    """
    began, say = time.perf_counter(), told or (lambda text: None)
    ensure_valid(net)
    desk = desk_of(net, security)
    say(f"deciding which units run (at most {commit_seconds:g} s) ...")
    coarse = in_blocks(day, BLOCK_H)
    block = _bound(desk, coarse)
    found = solve_secured(block.system, desk.flows, gap=COMMIT_GAP, time_limit=commit_seconds, losses=True)
    committed = plan_of(desk, coarse, block, found)
    bound = at_states(_bound(desk, day), committed.gen_on, coarse, day)
    say(f"states decided, gap {100 * committed.gap:.2f} %; dispatching {len(day)} steps ...")
    first = plan_of(desk, day, bound, solve_states(bound.system, desk.flows, losses=True))
    truth = agree(
        desk, day, bound, first, margin=margin, outages=security == "n-1", seconds=AGREE_SECONDS,
        state_seconds=STATE_SECONDS, threads=threads, progress=say,
    )  # fmt: skip
    seconds = {"commitment": sum(found.seconds.values()), **truth.seconds, "all": time.perf_counter() - began}
    tables = _tables(truth, day)
    summary = {**_summary(truth, committed, seconds), **remaining(tables, day.local)}
    return Chained(truth.points.scenarios, tables, summary)


def remaining(tables: Mapping[str, dict[str, Any]], local: Array) -> dict[str, list[dict[str, Any]]]:
    """What is left between plan and AC, by reason: steps on which they do not agree, ratings that outages break.

    Args:
        tables: columns of `plan_agreement` and, where outages were limits, `plan_outages`.
        local: (T,) start of each step.
    """
    out: dict[str, list[dict[str, Any]]] = {}
    for name, table in (("not_agreed", "plan_agreement"), ("outages_left", "plan_outages")):
        columns = tables.get(table)
        reason = np.asarray([] if columns is None else columns["reason"], object)
        step = np.asarray([] if columns is None else columns["step"], np.int64)
        rows = []
        for word in sorted(set(reason[reason != ""].tolist())):
            steps = np.unique(step[reason == word])
            rows.append(
                {"reason": word, "rows": int((reason == word).sum()), "steps": len(steps), "times": spans(steps, local)}
            )
        out[name] = sorted(rows, key=lambda row: (-row["steps"], row["reason"]))
    return out


def spans(steps: Array, local: Array) -> list[str]:
    """Runs of steps as times of day: ``"17:45-18:15"``, from the start of the first to that of the last, or one time."""
    runs = np.split(steps, np.flatnonzero(np.diff(steps) > 1) + 1) if len(steps) else []
    clock = [str(t).partition("T")[2][:5] for t in local.astype("datetime64[m]")]
    return [clock[run[0]] if len(run) == 1 else f"{clock[run[0]]}-{clock[run[-1]]}" for run in runs]


def in_blocks(day: Profiles, hours: float) -> Profiles:
    """Means over blocks of `hours`; the profiles themselves where their step is as long or does not divide it."""
    size = round(hours * 60 / day.step_min)
    if size <= 1 or len(day) % size:
        return day
    series = {
        key: (s.read(0, len(day)).reshape(-1, size, len(s.position)).mean(1), s.position)
        for key, s in day.series.items()
    }
    return Profiles(day.time[::size], series, step_min=day.step_min * size, zone=day.zone)


def at_states(bound: Bound, gen_on: Array, coarse: Profiles, day: Profiles) -> Bound:
    """The system with states that were decided on other steps of the same time.

    A unit that stops early starts from no more than it can come down from by then, at the shorter steps.
    """
    row = np.searchsorted(coarse.time, day.time, side="right") - 1
    fixed = gen_on[row][:, bound.unit].T.astype(np.int8)
    units = bound.system.units
    off = fixed == 0
    until = np.where(off.any(1), off.argmax(1), len(day)) if len(units) else np.zeros(0, int)
    with np.errstate(invalid="ignore"):
        reach = units.stop_mw + np.where(until > 0, until * units.ramp_down_mw, 0.0)
    before = np.where(off.any(1), np.maximum(np.minimum(units.p_before_mw, reach), units.p_min_mw), units.p_before_mw)
    units = units.replace(p_before_mw=np.where(units.on_before > 0, before, units.p_before_mw))
    return dataclasses.replace(bound, system=bound.system.replace(fixed_on=fixed, units=units))


def _bound(desk: Desk, day: Profiles) -> Bound:
    net = desk.net
    return bound_of(desk, day, shiftable=np.zeros(net.n_load), budget_mwh=np.full(net.n_gen, np.nan))


def _tables(truth: Truth, day: Profiles) -> dict[str, dict[str, Any]]:
    plan, steps = truth.plan, np.arange(len(day))
    conditions, points = truth.conditions, truth.points
    moved = np.nan_to_num(truth.moved_mw)
    most = np.abs(moved).argmax(1)
    excess = np.bincount(plan.limits["step"], plan.limits["excess_mw"], minlength=len(day))
    return {
        **{name: columns for name, columns in plan.tables(day.local).items() if name != "plan_turns"},
        "reasons": reason_columns(conditions, points, steps),
        "points": point_columns(conditions, points, steps, day.local),
        "plan_agreement": {
            "step": steps, "time": day.local, "agreed": truth.agreed, "moved_mw": shift_mw(truth.moved_mw),
            "unit_mw": moved[steps, most], "gen": most, "gen_id": plan.net.gen.id.astype(str)[most],
            "excess_mw": excess, "reason": _why(truth, excess),
        },
        **({} if truth.secured is None else {"plan_outages": _outages(truth, truth.secured, day)}),
    }  # fmt: skip


def _outages(truth: Truth, done: Secured, day: Profiles) -> dict[str, Any]:
    """Columns of `plan_outages`: ratings that outages still break in AC, and why."""
    report, net = done.report, truth.plan.net
    found, rows = report.found, breaches(done.report, net)
    step, branch, which = found.scenario[rows], found.element[rows], found.contingency[rows]
    reason = []
    for t, k in zip(step.tolist(), which.tolist(), strict=True):
        if truth.points.label[t] >= 2:
            reason.append("no operating point keeps every limit of the intact grid at these states")
        elif not done.searched[t]:
            reason.append("no search was begun: the optimal power flow that it starts from stalls")
        elif done.beyond[t, k]:
            reason.append("no outputs and voltages keep every rating, less 1 %, after this outage")
        elif done.ended[t]:
            reason.append("rounds ended before the rest was within its ratings or dearer than its price")
        else:
            reason.append("no outputs at these states keep it at the price of limits after outages")
    return {
        "step": step, "time": day.local[step], "branch": branch, "branch_id": net.branch.id.astype(str)[branch],
        "outage_id": report.contingencies.label.astype(str)[which], "value_mva": found.value[rows],
        "limit_mva": found.limit[rows], "reason": reason,
    }  # fmt: skip


def _why(truth: Truth, excess: Array) -> list[str]:
    """What stands between plan and AC, step by step; empty where they agree."""
    words = []
    for t, agreed in enumerate(truth.agreed.tolist()):
        label = truth.points.label[t]
        if agreed:
            words.append("")
        elif label == 3:
            words.append("no operating point was found")
        elif label == 2:
            words.append("no operating point keeps every limit at these states; see reasons")
        elif excess[t] > _EXCESS_MW:
            words.append("states, starts and ramps keep the plan from what AC asks")
        else:
            words.append("rounds ended while plan and AC still approached each other")
    return words


def _summary(truth: Truth, committed: Plan, seconds: dict[str, float]) -> dict[str, Any]:
    plan = truth.plan
    moved = shift_mw(truth.moved_mw)
    done = truth.secured
    broken = None if done is None else breaches(done.report, plan.net)
    insecure = None if done is None else len(np.unique(done.report.found.scenario[broken]))
    return {
        "commitment_gap": committed.gap,
        "commitment_block_h": committed.step_h,
        "cost": plan.cost,
        "cost_items": dict(plan.cost_items),
        "curtailed_by_cause_mwh": plan.curtailed_mwh(),
        "unserved_mwh": float(plan.unserved_mw.sum() * plan.step_h),
        "co2_t": plan.co2_t,
        "renewable_share": plan.renewable_share,
        "congestion_rent": plan.congestion_rent,
        "rounds": truth.rounds,
        "outage_limits": truth.outage_rows,
        "outage_breaches": None if broken is None else len(broken),
        "steps_insecure": insecure,
        "states_switched": truth.switched,
        "steps_agreed": int(truth.agreed.sum()),
        "agreed_share": AGREED_SHARE,
        "largest_move_share": float((moved / np.maximum(plan.load_p_mw.sum(1), 1e-9)).max()),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def keep_points(path: Path, chained: Chained) -> None:
    """Write the points of a planned day for a later call."""
    sc = chained.scenarios
    arrays: dict[str, Any] = {name: np.asarray(sc.values(name)) for name in _KEPT}
    words = np.array(json.dumps(chained.summary))
    np.savez_compressed(path, out_ptr=sc.gen_out.ptr, out_idx=sc.gen_out.idx, summary=words, **arrays)


def kept_points(path: Path, net: Network) -> Chained:
    """The points that an earlier call wrote, without the tables that it wrote beside them.

    Raises:
        InputError: they cannot be read, or are of another network.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            ptr, idx = held["out_ptr"], held["out_idx"]
            out = [idx[a:b].tolist() for a, b in pairwise(ptr)]
            arrays = {name: held[name] for name in _KEPT if held[name].shape[1]}
            summary = json.loads(str(held["summary"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(Issue(str(path), "", f"cannot be read ({error})", hint="make the run anew")) from error
    return Chained(Scenarios(desk_of(net, "none").net, n=len(out), gen_out=out, **arrays), {}, summary)
