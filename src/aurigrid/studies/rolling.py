"""A rolling dispatch of a grid, by name: read, cut to a span, turn by turn to a folder, stopped and gone on with."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.dispatch.follow import Standing
from aurigrid.dispatch.forecast import Forecast, blended
from aurigrid.dispatch.roll import Rules, Turn, turns
from aurigrid.dispatch.supplements import Elastic, elastic_parts
from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.studies.planning import asked, elastic_of
from aurigrid.studies.sources import factors_of

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.store.turns import TurnWriter

Progress = Callable[[int, int], None]
"""Called with the number of settled steps and of all steps."""

MOST_STEPS = 366 * 96
"""Steps above which a rolling run is not begun."""


@dataclass(frozen=True, eq=False)
class Rolled:
    """A rolling dispatch that came to its end.

    Attributes:
        name: of the grid.
        out: its folder, finished.
        summary: the main figures, as in the folder's record.
        new_turns: turns that this call made; the others were there.
        seconds: wall time of the call, s.
    """

    name: str
    out: Path
    summary: dict[str, Any]
    new_turns: int
    seconds: float


def roll_grid(
    grid: object,
    profiles: str | os.PathLike[str] | Profiles | None = None,
    out: str | os.PathLike[str] = "runs/rolling",
    *,
    forecast: str | os.PathLike[str] | Profiles | None = None,
    fade_h: float = 0.0,
    start: object = None,
    stop: object = None,
    date: str | None = None,
    scale: str | Mapping[str, float] | None = None,
    co2_price: float = 0.0,
    elastic: str | None = None,
    progress: Progress | None = None,
    **rules: Any,
) -> Rolled:
    """Commit on a forecast, dispatch again at every turn, and store what each turn settles.

    The same call goes on behind the last whole turn of an interrupted one, and then equals one that was never stopped.

    Args:
        grid: anything that `aurigrid.load` reads.
        profiles: what happens, as for `plan_grid`; the series that the grid comes with where absent.
        out: folder; absent, empty, or one that the same call began.
        forecast: what is expected, in files like `profiles` or as `Profiles`; what happens where absent (a perfect forecast).
        fade_h: the error of the forecast at the time of a turn is taken to last on, and fades with this time constant, h; 0:
            the forecast is never corrected.
        start, stop, date, scale: as for `plan_grid`; `scale` holds for the forecast as well.
        co2_price: currency/t.
        elastic: what every load would pay, as text, as for `plan_grid`.
        progress: called after every turn.
        rules: ``every_h``, ``horizon_h``, ``commit_every_h``, ``notice_h``, ``security``, ``gap``, ``time_limit``, ``losses``,
            ``shifters`` and ``limit_margin`` of `aurigrid.rolling_dispatch`.

    Raises:
        InputError: a bad grid, series, span, option, or a folder that holds something else; nothing is written then.
        MissingExtraError: highspy is not installed.
        StoreError: the disk is full; whole turns are kept.
    """
    began = time.perf_counter()
    net, actual, name = asked(grid, profiles, start, stop, date, scale, most=MOST_STEPS)
    kept = Rules(**rules)
    if not 0 <= fade_h < np.inf:
        raise InputError(Issue("roll", "fade_h", f"is {fade_h}", hint="give hours, or 0"))
    kept.check(actual)
    parts = None if elastic is None else elastic_of(elastic)
    elastic_parts(net, parts, np.zeros(net.n_load))
    expected = _expected(net, actual, forecast, scale, kept)
    issued: Forecast = blended(expected, actual, fade_h) if fade_h else expected
    words = {
        "rolling": True, "scale": factors_of(scale), "co2_price": co2_price, "elastic": elastic, "fade_h": fade_h,
        **kept.__dict__,
        "start": str(actual.local[0]), "step_h": actual.step_min / 60.0, "series": _digest(actual), "forecast": _digest(expected),
    }  # fmt: skip
    writer = _open(out, net, name, words, len(actual))
    new = 0
    if writer.info.status != "finished":
        new = _run(writer, net, issued, actual, kept, {"co2_price": co2_price}, parts, progress)
    return Rolled(name, writer.path, dict(writer.info.summary), new, round(time.perf_counter() - began, 3))


def _expected(net: Network, actual: Profiles, forecast: Any, scale: Any, rules: Rules) -> Profiles:
    """The forecast from the first step to as far as a turn looks."""
    from aurigrid.io.series import read_series_tables
    from aurigrid.model.scale import scaled

    if forecast is None:
        return actual
    given = forecast if isinstance(forecast, Profiles) else read_series_tables(net, forecast)
    given.require_fits(net)
    given = scaled(net, given, factors_of(scale))[1] or given
    first = int(np.searchsorted(given.time, actual.time[0]))
    most = len(actual) + rules.steps(rules.horizon_h + rules.commit_every_h, actual)
    return given.window(first, min(first + most, len(given)))


def _digest(profiles: Profiles) -> str:
    """SHA-256 over times and values."""
    h = hashlib.sha256(np.ascontiguousarray(profiles.time).tobytes())
    for key in sorted(profiles.series):
        series = profiles.series[key]
        h.update(".".join(key).encode())
        h.update(np.ascontiguousarray(series.position).tobytes())
        h.update(np.ascontiguousarray(series.read(0, len(profiles))).tobytes())
    return h.hexdigest()


def _open(out: str | os.PathLike[str], net: Network, name: str, options: dict[str, Any], n_steps: int) -> TurnWriter:
    from aurigrid.io.folder import save
    from aurigrid.store.turns import start_turns

    about = {"name": name, "digest": net.digest, "buses": net.n_bus, "branches": net.n_branch, "units": net.n_gen}
    return start_turns(
        out, grid=about, options=options, n_steps=n_steps, save_grid=lambda path: save(net, path)
    )  # fmt: skip


def _run(
    writer: TurnWriter,
    net: Network,
    forecast: Forecast,
    actual: Profiles,
    rules: Rules,
    prices: dict[str, float],
    elastic: Elastic | None,
    progress: Progress | None,
) -> int:
    """The turns that are missing; their number."""
    first = writer.finished
    held = writer.standing()
    try:
        standing = None if held is None else Standing.from_arrays(net, held)
    except KeyError as error:
        why = f"was begun by another version of aurigrid ({error.args[0]} is missing)"
        raise InputError(Issue(str(writer.path), "", why, hint="give another folder")) from error
    stride = rules.steps(rules.every_h, actual)
    if progress is not None:
        progress(min(first * stride, len(actual)), len(actual))
    try:
        going = turns(
            net, forecast, actual, rules, elastic=elastic, prices=prices, number=first, standing=standing
        )  # fmt: skip
        for turn in going:
            writer.write(turn.number, _tables(turn, actual), turn.standing.arrays())
            if progress is not None:
                progress(turn.first + turn.settled.n_steps, len(actual))
    except BaseException:
        writer.interrupt()
        raise
    tables, done = writer.joined(), writer.finished
    writer.finish(tables, summary_of_tables(tables, actual.step_min / 60.0))
    return done - first


def _tables(turn: Turn, actual: Profiles) -> dict[str, Any]:
    """Tables of what a turn settles, with steps counted from the beginning of the run."""
    tables = turn.settled.tables()
    for columns in tables.values():
        if "step" in columns:
            step = np.asarray(columns["step"], np.int64) + turn.first
            columns.update(step=step, time=actual.local[step])
    tables["plan_turns"] = {
        "step": [turn.first], "time": [actual.local[turn.first]], "turn": [turn.number], "horizon": [turn.plan.n_steps],
        "committed": [turn.committed], "gap": [turn.gap if turn.committed else None], "seconds": [turn.seconds],
    }  # fmt: skip
    return tables


def summary_of_tables(tables: Mapping[str, pa.Table], step_h: float) -> dict[str, Any]:
    """The main figures of a rolling plan from its tables, as plain data."""

    def total(name: str, column: str) -> float:
        return float(np.nansum(tables[name].column(column).to_numpy())) if name in tables else 0.0

    def grouped(name: str, key: str, column: str) -> dict[str, float]:
        out: dict[str, float] = {}
        words, values = tables[name].column(key).to_pylist(), tables[name].column(column).to_pylist()
        for word, value in zip(words, values, strict=True):
            out[word] = out.get(word, 0.0) + value
        return out

    going = tables["plan_turns"]
    gaps = [gap for gap in going.column("gap").to_pylist() if gap is not None]
    committed, seconds = (np.asarray(going.column(name).to_numpy()) for name in ("committed", "seconds"))
    between = seconds[~committed]
    items, energy = grouped("plan_costs", "item", "cost"), grouped("plan_emissions", "fuel", "energy_mwh")
    return {
        "steps": len(tables["plan_steps"]),
        "step_h": step_h,
        "turns": len(going),
        "commitments": int(committed.sum()),
        "worst_gap": max(gaps, default=0.0),
        "seconds_per_redispatch": float(np.median(between)) if len(between) else None,
        "cost": sum(items.values()),
        "cost_items": items,
        "load_mwh": total("plan_steps", "load_mw") * step_h,
        "energy_mwh": dict(sorted(energy.items(), key=lambda item: -item[1])),
        "losses_mwh": total("plan_steps", "losses_mw") * step_h,
        "curtailed_mwh": total("plan_steps", "curtailed_mw") * step_h,
        "curtailed_by_cause_mwh": grouped("plan_curtailment", "cause", "mwh"),
        "unserved_mwh": total("plan_steps", "unserved_mw") * step_h,
        "surplus_mwh": total("plan_steps", "surplus_mw") * step_h,
        "reserve_short_mwh": total("plan_reserves", "short_mw") * step_h,
        "limit_excess_mwh": total("plan_limits", "excess_mw"),
        "co2_t": total("plan_steps", "co2_t"),
        "congestion_rent": total("plan_steps", "congestion_rent"),
        "defaults": sum(units is not None for units in tables["plan_assumptions"].column("units").to_pylist()),
    }
