"""A plan of a grid, by name: read, cut to a span, scaled, scheduled at least cost, and written to a folder."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aurigrid.dispatch.api import dispatch
from aurigrid.dispatch.plan import Plan
from aurigrid.errors import InputError, Issue
from aurigrid.io.report import Import
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scale import scaled
from aurigrid.model.table import Array
from aurigrid.studies.fan import fan_of, reserves_for
from aurigrid.studies.risk import Risk, play
from aurigrid.studies.rts import RtsMarket, rts_market
from aurigrid.studies.sources import factors_of, load_with_profiles

T = TypeVar("T")

SIZING = 4_000
"""Scenarios from whose quantiles reserves are sized."""
MOST_STEPS = 7 * 96
"""Steps above which a plan is not begun unless asked for in pieces: a problem of that size does not end in useful time."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan and where it was written.

    Attributes:
        plan: the plan.
        local: (T,) start of each step on the clock of the profiles.
        name: of the grid.
        seconds: wall time of the whole call, s.
        out: its folder, None where none was asked for.
        risk: what scenarios do to it, None where none were played.
    """

    plan: Plan
    local: Array
    name: str
    seconds: float
    out: Path | None
    risk: Risk | None = None


def plan_grid(
    grid: object,
    profiles: str | os.PathLike[str] | Profiles | None = None,
    *,
    start: object = None,
    stop: object = None,
    date: str | None = None,
    scale: str | Mapping[str, float] | None = None,
    out: str | os.PathLike[str] | None = None,
    scenarios: int = 0,
    errors: str | Mapping[str, float] | None = None,
    seed: int = 0,
    reserve_share: float | None = None,
    market: bool = False,
    elastic: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Planned:
    """Schedule a grid over a span of its profiles.

    Args:
        grid: anything that `aurigrid.load` reads.
        profiles: series for it, as in `aurigrid.generate`; those that it comes with where absent.
        start, stop: first step, and the step after the last, as local times or positions.
        date: a day, ``YYYY-MM-DD``, in place of both.
        scale: factors by fuel (`aurigrid.scaled`), or as text, ``"wind=2,pv=40"``.
        out: folder for the plan's tables, as Parquet and CSV; it must be absent or empty.
        scenarios: scenarios to play against the plan (`aurigrid.studies.risk.play`); none where 0.
        errors: standard deviations of forecasts (`aurigrid.studies.fan.ERRORS`), or as text, ``"wind=0.1,load=0.02"``.
        seed: of the scenarios. Reserves are sized from other ones, so that a plan is not tested on what it was made for.
        reserve_share: hold reserve with which this share of scenarios balances; none where absent.
        market: keep the day-ahead rules of an RTS-GMLC folder (`aurigrid.studies.rts`): its reserves, must-take plants, thermal
            sun as a store, hot, warm and cold starts.
        elastic: what every load would pay, as text: ``"0.05=200,0.1=500"`` goes without 5 % of itself where a MWh costs more than
            200, and without another 10 % above 500.
        progress: called with steps played and all steps.
        options: those of `aurigrid.dispatch`.

    Raises:
        InputError: a bad grid, series, span, factor, option or folder, all at once as far as they can be told apart; nothing
            is written then.
        MissingExtraError: highspy is not installed.
        DispatchError: no plan was found in the time.
    """
    began = time.perf_counter()
    from aurigrid.store.plan import require_new

    issues: list[Issue] = []
    folder = None if out is None else tried(issues, lambda: require_new(out))
    if scenarios and options.get("shifters"):
        hint = "leave one of them out: the AC power flows of scenarios have the angles of the data"
        issues.append(
            Issue("dispatch", "shifters", "turn in a plan against which scenarios are to be played", hint=hint)
        )
    parts = None if elastic is None else tried(issues, lambda: elastic_of(elastic))
    sigma = tried(issues, lambda: errors_of(errors)) or {}
    rules = tried(issues, lambda: _market(grid)) if market else None
    if market and rules is None:
        # without its grid nothing else can be looked at, and what is wrong with that has been said
        raise InputError(issues)
    net, span, name = asked(grid if rules is None else rules[1], profiles, start, stop, date, scale, issues)
    if parts is not None:
        options["elastic"] = parts
    if rules is not None:
        options |= rules[0].options(span)
    if reserve_share is not None:
        sized = fan_of(net, span, SIZING, seed=seed + 1, errors=sigma)
        options["reserves"] = (*options.get("reserves", ()), *reserves_for(sized, reserve_share))
    fan = fan_of(net, span, scenarios, seed=seed, errors=sigma) if scenarios else None
    plan = dispatch(net, span, **options)
    risk = None if fan is None else play(plan, fan, progress=progress)
    if folder is not None:
        words = {"scale": factors_of(scale), **{k: v for k, v in options.items() if isinstance(v, (str, int, float))}}
        asked_of = {
            "scenarios": scenarios, "errors": sigma, "seed": seed, "reserve_share": reserve_share, "market": market,
            "elastic": elastic,
        }  # fmt: skip
        save_plan(folder, plan, name, {**words, **asked_of}, span.local, risk)
    return Planned(plan, span.local, name, round(time.perf_counter() - began, 3), folder, risk)


def _market(grid: object) -> tuple[RtsMarket, Import]:
    """The market rules of a folder, and the grid with them."""
    from aurigrid.io.load import load_with_report

    imported = load_with_report(grid)
    rules = rts_market(imported)
    return rules, dataclasses.replace(imported, network=rules.net)


def errors_of(errors: str | Mapping[str, float] | None) -> dict[str, float]:
    """Standard deviations as they are or from text, ``"wind=0.1,load=0.02"``.

    Raises:
        InputError: text that cannot be read.
    """
    if not isinstance(errors, str):
        return dict(errors or {})
    out: dict[str, float] = {}
    for part in errors.split(","):
        name, _, value = part.partition("=")
        try:
            out[name.strip().lower()] = float(value)
        except ValueError:
            hint = "give names and shares, such as wind=0.1,solar=0.06,load=0.02"
            raise InputError(Issue("fan", "errors", f"cannot read {part.strip()!r}", hint=hint)) from None
    return out


def elastic_of(text: str) -> list[tuple[float, float]]:
    """(share, currency/MWh) from text, ``"0.05=200,0.1=500"``.

    Raises:
        InputError: text that cannot be read.
    """
    try:
        return [(float(share), float(price)) for share, price in (part.split("=") for part in text.split(","))]
    except ValueError:
        hint = "give shares and prices, such as 0.05=200,0.1=500"
        raise InputError(Issue("dispatch", "elastic", f"cannot read {text!r}", hint=hint)) from None


def tried(issues: list[Issue], call: Callable[[], T]) -> T | None:
    """What a call returns; None where its input is bad, which is added to `issues`."""
    try:
        return call()
    except InputError as error:
        issues.extend(error.issues)
        return None


def asked(
    grid: object,
    profiles: Any,
    start: object,
    stop: object,
    date: str | None,
    scale: Any,
    issues: list[Issue] | None = None,
    most: int = MOST_STEPS,
) -> tuple[Network, Profiles, str]:
    """The network, the span of its profiles and the name that are asked for; arguments as for `plan_grid`.

    Args:
        issues: what is wrong already.
        most: steps that a span may have.

    Raises:
        InputError: everything that is wrong with them, and what `issues` holds already.
    """
    from aurigrid.io.load import load_with_report

    issues = [] if issues is None else issues
    factors = tried(issues, lambda: factors_of(scale))
    if date is not None and (start is not None or stop is not None):
        issues.append(
            Issue("dispatch", "date", "is given together with a span", hint="give --date, or --from and --to")
        )
    imported = tried(issues, lambda: load_with_report(grid))
    read = None if imported is None else tried(issues, lambda: load_with_profiles(imported, profiles))
    if read is None:
        raise InputError(issues)
    net, series, name = read
    span = tried(issues, lambda: _span(series, start, stop, date, most))
    sized = None if factors is None else tried(issues, lambda: scaled(net, span, factors))
    if issues or sized is None or span is None:
        raise InputError(issues)
    return sized[0], span if sized[1] is None else sized[1], name


def _span(series: Profiles, start: object, stop: object, date: str | None, most: int) -> Profiles:
    if date is not None:
        return series.day(date)
    span = series.window(0 if start is None else start, len(series) if stop is None else stop)
    if len(span) > most:
        hint = f"name a day with --date, or at most {most} steps with --from and --to; the profiles {_ends(series)}"
        raise InputError(Issue("dispatch", "span", f"has {len(span)} steps", hint=hint))
    return span


def _ends(series: Profiles) -> str:
    return f"run from {str(series.local[0]).replace('T', ' ')} to {str(series.local[-1]).replace('T', ' ')}"


def save_plan(
    out: str | os.PathLike[str],
    plan: Plan,
    name: str,
    options: Mapping[str, Any],
    local: Array | None = None,
    risk: Risk | None = None,
) -> Path:
    """Write a plan's tables as Parquet and CSV; the folder appears whole or not at all.

    Args:
        out: the folder; absent or empty.
        plan: the plan.
        name: of the grid.
        options: what the plan was asked with, for the record.
        local: (T,) start of each step on a clock of its own; the plan's where absent.
        risk: what scenarios do to it.

    Raises:
        InputError: the folder holds something.
        StoreError: the folder cannot be written.
    """
    from aurigrid.io.folder import save
    from aurigrid.store.plan import write_plan

    net = plan.net
    return write_plan(
        out,
        {**plan.tables(local), **({} if risk is None else risk.tables(plan.time if local is None else local))},
        grid={"name": name, "digest": net.digest, "buses": net.n_bus, "branches": net.n_branch, "units": net.n_gen},
        options={**options, "start": str((plan.time if local is None else local)[0]), "step_h": plan.step_h},
        n_steps=plan.n_steps,
        summary={**summary_of(plan), **({} if risk is None else {"risk": risk.summary()})},
        save_grid=lambda path: save(net, path),
    )


def summary_of(plan: Plan) -> dict[str, Any]:
    """The main figures as plain data."""
    found, h = plan.secured.found, plan.step_h
    return {
        "steps": plan.n_steps,
        "step_h": h,
        "cost": plan.cost,
        "bound": plan.bound,
        "gap": plan.gap,
        "status": "linear" if found is None else found.status,
        "cost_items": dict(plan.cost_items),
        "load_mwh": float(plan.load_p_mw.sum() * h),
        "energy_mwh": energy_by_fuel(plan),
        "losses_mwh": float(plan.loss_mw.sum() * h),
        "curtailed_mwh": float(plan.curtailed_mw.sum() * h),
        "curtailed_by_cause_mwh": plan.curtailed_mwh(),
        "unserved_mwh": float(plan.unserved_mw.sum() * h),
        "reduced_mwh": float(plan.load_reduced_mw.sum() * h),
        "surplus_mwh": float(plan.surplus_mw.sum() * h),
        "reserve_short_mwh": float(plan.schedule.reserve_short_mw.sum() * h),
        "limit_excess_mwh": float(plan.limits["excess_mw"].sum() * h),
        "co2_t": plan.co2_t,
        "renewable_share": plan.renewable_share,
        "congestion_rent": plan.congestion_rent,
        "flow_limits": len(plan.secured.limits.key),
        "unsettled_limits": len(plan.secured.unsettled),
        "defaults": len(plan.defaults),
    }


def energy_by_fuel(plan: Plan) -> dict[str, float]:
    """Energy of units over the horizon by fuel, MWh, largest first."""
    energy = plan.gen_p_mw.sum(0) * plan.step_h
    fuels = plan.net.gen.fuel.astype(str)
    total = {str(fuel): float(energy[fuels == fuel].sum()) for fuel in sorted(set(fuels.tolist()))}
    return dict(sorted(total.items(), key=lambda item: -item[1]))
