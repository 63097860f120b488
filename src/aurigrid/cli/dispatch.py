"""Unit commitment and dispatch: dispatch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.cli import show
from aurigrid.cli.common import From, Json, Scale, SeriesFiles, To, guarded, print_json
from aurigrid.cli.dispatch_options import (
    Ahead,
    Case,
    Co2Price,
    Day,
    ElasticOption,
    Errors,
    Every,
    Fade,
    ForecastFiles,
    Gap,
    Losses,
    LossesOption,
    Market,
    Notice,
    PlanOut,
    ReserveShare,
    Rolling,
    ScenarioCount,
    Security,
    SecurityOption,
    Seed,
    Shifters,
    StoppingReserve,
    TimeLimit,
)
from aurigrid.cli.rolling import roll, shortages, show_energy

if TYPE_CHECKING:
    from aurigrid.dispatch.commit import Commitments
    from aurigrid.studies.planning import Planned

_MARKS = (0.01, 0.005, 0.001)
_SHOWN = 8
_COUNTED = {Losses.none: False, Losses.fixed: True, Losses.marginal: "marginal"}


@guarded
def dispatch(
    case: Case,
    profiles: SeriesFiles = None,
    date: Day = None,
    start: From = None,
    stop: To = None,
    security: SecurityOption = None,
    gap: Gap = None,
    time_limit: TimeLimit = None,
    co2_price: Co2Price = None,
    scale: Scale = None,
    out: PlanOut = None,
    rolling: Rolling = False,
    forecast: ForecastFiles = None,
    fade: Fade = None,
    every: Every = None,
    ahead: Ahead = None,
    notice: Notice = None,
    scenarios: ScenarioCount = None,
    errors: Errors = None,
    seed: Seed = None,
    reserve_share: ReserveShare = None,
    market: Market = False,
    losses: LossesOption = None,
    elastic: ElasticOption = None,
    shifters: Shifters = False,
    stopping_reserve: StoppingReserve = None,
    json: Json = False,
) -> int:
    """Find the cheapest schedule of plants inside the limits of the grid: which run, when, and at what output.

    Prints cost, curtailment by cause and what limits; --out writes schedule, prices, carbon and reasons step by step.
    """
    turns = {"--forecast": forecast, "--fade": fade, "--every": every, "--ahead": ahead, "--notice": notice}
    _refuse(case, {} if rolling else turns, "needs --rolling")
    chance = {"--scenarios": scenarios, "--errors": errors, "--seed": seed, "--reserve-share": reserve_share}
    chance |= {"--market": market or None, "--losses": losses}
    _refuse(case, chance if rolling else {}, "means nothing for a rolling run")
    given = {
        **chance, "--elastic": elastic,
        "--profiles": profiles, "--date": date, "--from": start, "--to": stop, "--security": security,
        "--co2-price": co2_price, "--scale": scale, "--out": out, "--shifters": shifters or None,
    }  # fmt: skip
    if _is_instance(case):
        _refuse(case, {**given, "--rolling": rolling or None}, "means nothing for an instance without a grid")
        limits = 0.001 if gap is None else gap, 570.0 if time_limit is None else time_limit
        return _instance(case, *limits, stopping_reserve is not False, json)
    _refuse(case, {"--stopping-reserve": stopping_reserve}, "is for an instance of PGLib-UC")
    if rolling:
        asked = {
            "profiles": profiles, "forecast": forecast, "date": date, "start": start, "stop": stop, "scale": scale,
            "fade_h": fade, "co2_price": co2_price, "elastic": elastic, "shifters": shifters or None,
            "security": None if security is None else security.value,
        }  # fmt: skip
        rules = {"every_h": every, "horizon_h": ahead, "notice_h": notice, "gap": gap, "time_limit": time_limit}
        return roll(case, asked, rules, out, json)
    from aurigrid.studies.planning import plan_grid, summary_of

    with show.waiting("searching for the cheapest schedule ..."):
        done = plan_grid(
            case, profiles, start=start, stop=stop, date=date, scale=scale, out=out,
            security=(security or Security.n1).value, gap=0.005 if gap is None else gap,
            time_limit=60.0 if time_limit is None else time_limit, co2_price=co2_price or 0.0,
            scenarios=scenarios or 0, errors=errors, seed=seed or 0, reserve_share=reserve_share,
            market=market, shifters=shifters, elastic=elastic, losses=_COUNTED[losses or Losses.fixed],
        )  # fmt: skip
    risk = {} if done.risk is None else {"risk": done.risk.summary()}
    data = {"grid": done.name, **summary_of(done.plan), **risk, "seconds": done.seconds, "out": done.out}
    if json:
        print_json(data)
    else:
        _print_plan(case, done, data)
    return 0


def _is_instance(case: str) -> bool:
    """Whether a name is a file that is no grid: a .json that neither pandapower nor pypowsybl wrote."""
    path = Path(case)
    if path.suffix.lower() != ".json":
        return False
    try:
        head = path.read_bytes()[:4096].decode("utf-8", errors="replace")
    except OSError:
        return True
    return not any(mark in head for mark in ('"_module"', '"_class"', '"iidm', '"networks"'))


def _refuse(case: str, given: dict[str, Any], why: str) -> None:
    """Refuse options that are given and mean nothing here."""
    from aurigrid.errors import InputError, Issue

    useless = [Issue(case, name, why) for name, x in given.items() if x is not None]
    if useless:
        raise InputError(useless)


def _instance(case: str, gap: float, time_limit: float, stopping_reserve: bool, json: bool) -> int:
    """Solve a PGLib-UC instance."""
    from aurigrid.dispatch.commit import commit_units
    from aurigrid.dispatch.pglib_uc import read_pglib_uc

    system = read_pglib_uc(case, stopping_reserve=stopping_reserve)
    with show.waiting("searching for the cheapest schedule ..."):
        plan = commit_units(system, gap=gap, time_limit=time_limit)
    data: dict[str, Any] = {
        "case": Path(case).name,
        "steps": system.steps,
        "units": len(system.units),
        "objective": plan.found.cost,
        "bound": plan.found.bound,
        "gap": plan.found.gap,
        "seconds": plan.found.seconds,
        "status": plan.found.status,
        "solver": plan.found.solver,
        "seconds_to_gap": {f"{mark:g}": plan.found.time_to(mark) for mark in _MARKS},
        "unserved_mwh": float(plan.schedule.unserved_mw.sum() * system.step_h),
        "surplus_mwh": float(plan.schedule.surplus_mw.sum() * system.step_h),
        "starts": plan.starts,
        "stopping_reserve": stopping_reserve,
    }
    if json:
        print_json(data)
    else:
        _print_instance(case, plan, data)
    return 0


def _print_instance(case: str, plan: Commitments, data: dict[str, Any]) -> None:
    print(f"{data['case']}: {data['units']} units, {data['steps']} steps; {data['solver']}")
    rows = [
        (f"{100 * float(mark):g} %", "-" if seconds is None else f"{seconds:.1f}")
        for mark, seconds in data["seconds_to_gap"].items()
    ]
    show.table("Time to a proven gap", [("gap", "r"), ("seconds", "r")], rows)
    sentences = [
        f"Cost {data['objective']:,.2f}; no schedule can cost less than {data['bound']:,.2f} (gap {show.percent(data['gap'])}, "
        f"{show.duration(data['seconds'])}). {data['starts']} starts.",
    ]
    if data["unserved_mwh"] > 1e-6 or data["surplus_mwh"] > 1e-6:
        sentences.append(f"{data['unserved_mwh']:,.1f} MWh not served, {data['surplus_mwh']:,.1f} MWh without use.")
    show.summary(sentences, [f"aurigrid dispatch {shlex.quote(case)} --gap {data['gap'] / 2:.2g}"])


def _print_plan(case: str, done: Planned, data: dict[str, Any]) -> None:
    plan = done.plan
    first, minutes = str(done.local[0]).replace("T", " "), plan.step_h * 60
    print(f"{done.name}: {plan.n_steps} steps of {minutes:g} min from {first}, {plan.net.n_gen} units\n")
    show_energy(data, _SHOWN)
    _print_limits(done)
    show.summary(_sentences(done, data), _commands(case, done, data))


def _print_limits(done: Planned) -> None:
    """The flow limits that cost most, all steps together."""
    plan = done.plan
    worth: dict[tuple[int, int], tuple[int, float, float]] = {}
    ids = plan.net.branch.id.astype(str)
    for row in plan.limits[plan.limits["outage"] >= -1]:
        key = (int(row["branch"]), int(row["outage"]))
        steps, price, over = worth.get(key, (0, 0.0, 0.0))
        saved = plan.step_h * float(row["price_per_mw"])
        worth[key] = (steps + 1, price + saved, max(over, float(row["excess_mw"])))
    if not worth:
        return
    ranked = sorted(worth.items(), key=lambda item: -item[1][1])[:_SHOWN]
    rows = [
        (ids[m], ids[k] if k >= 0 else "intact grid", steps, price, over or None)
        for (m, k), (steps, price, over) in ranked
    ]
    headings = [
        ("branch", "l"),
        ("after outage of", "l"),
        ("steps", "r"),
        ("one MW more saves", "r"),
        ("excess, MW", "r"),
    ]
    show.table("Flow limits that bind", headings, rows)


def _sentences(done: Planned, data: dict[str, Any]) -> list[str]:
    proven = f"no schedule can cost less than {data['bound']:,.0f} (gap {show.percent(data['gap'])})"
    if data["bound"] == float("-inf"):
        proven = "no bound was proven in the time"
    weather = data["curtailed_mwh"]
    sentences = [
        f"Cost {data['cost']:,.0f}; {proven}, {show.duration(done.seconds)} in all. {data['co2_t']:,.0f} t of CO2; wind, sun and "
        f"water give {show.percent(data['renewable_share'])} of the energy, {weather:,.0f} MWh of theirs are curtailed.",
    ]
    if data["reduced_mwh"] > 1e-3:
        sentences.append(
            f"{data['reduced_mwh']:,.1f} MWh of load go without power, as it costs more than they would pay."
        )
    sentences += shortages(data)
    if data["unsettled_limits"]:
        sentences.append(f"{data['unsettled_limits']} flow limits were still broken when the time was over.")
    if data["defaults"]:
        sentences.append(f"{data['defaults']} figures that the data lack were filled in; plan_assumptions lists them.")
    if done.risk is not None:
        sentences += _risk_sentences(data["risk"])
    if done.out is not None:
        sentences.append(f"Tables as Parquet and CSV in {done.out}.")
    return sentences


def _risk_sentences(risk: dict[str, Any]) -> list[str]:
    low, high = risk["probability_interval"]
    curtailed, unserved = risk["curtailed_interval_mwh"], risk["unserved_interval_mwh"]
    return [
        f"Under {risk['scenarios']:,} scenarios some limit of the intact grid breaks with a probability of "
        f"{show.percent(risk['probability_of_violation'])} ({show.percent(low)} to {show.percent(high)}) in the span, of at most "
        f"{show.percent(risk['worst_step_probability'])} in a step.",
        f"Expected: {risk['expected_curtailed_mwh']:,.1f} MWh of wind and sun not given ({curtailed[0]:,.1f} to "
        f"{curtailed[1]:,.1f}), {risk['expected_unserved_mwh']:,.2f} MWh of load not served ({max(unserved[0], 0.0):,.2f} to "
        f"{unserved[1]:,.2f}).",
    ]


def _commands(case: str, done: Planned, data: dict[str, Any]) -> list[str]:
    if done.out is None:
        return [f"aurigrid dispatch {shlex.quote(case)} ... --out runs/plan"]
    query = "SELECT cause, limiting, outage, sum(mwh) FROM plan_curtailment GROUP BY ALL ORDER BY 4 DESC"
    return [f'aurigrid sql {shlex.quote(str(done.out))} "{query}"']
