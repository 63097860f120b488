"""Options of `aurigrid dispatch`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


def hours(what: str) -> Any:
    """An option of hours."""
    return typer.Option(min=0.0, help=what, show_default=False)


class Losses(StrEnum):
    """How losses are counted."""

    none = "none"
    fixed = "fixed"
    marginal = "marginal"


class Security(StrEnum):
    """Which flow limits are kept."""

    n1 = "n-1"
    base = "base"
    none = "none"


Case = Annotated[
    str,
    typer.Argument(
        metavar="GRID|FILE",
        help="A grid with profiles (catalogue name, SimBench code, folder), or a PGLib-UC instance (.json).",
        show_default=False,
    ),
]
Day = Annotated[str | None, typer.Option(help="The day, YYYY-MM-DD.", show_default=False)]
SecurityOption = Annotated[
    Security | None,
    typer.Option(
        help="Flow limits: n-1 after outages too, base of the intact grid, none. n-1 where absent.",
        show_default=False,
    ),
]
Gap = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Relative gap at which to stop; 0.005, or 0.001 of an instance.", show_default=False
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(min=1.0, help="Seconds after which the search stops; 60, or 570 of an instance.", show_default=False),
]
Co2Price = Annotated[float | None, typer.Option(min=0.0, help="Price of carbon, currency/t.", show_default=False)]
PlanOut = Annotated[Path | None, typer.Option(help="Folder for the tables, as Parquet and CSV.", show_default=False)]
Rolling = Annotated[
    bool,
    typer.Option(
        "--rolling",
        help="Commit on the forecast, then dispatch again turn by turn. --out grows with each; a second call goes on.",
    ),
]
ForecastFiles = Annotated[
    Path | None,
    typer.Option(
        help="With --rolling: what is expected, files like --profiles; what happens where absent.",
        show_default=False,
    ),
]
Fade = Annotated[
    float | None,
    hours("With --rolling: correct the forecast by its present error, which fades with this time constant, h."),
]
Every = Annotated[float | None, hours("With --rolling: h from one re-dispatch to the next; 0.25 where absent.")]
Ahead = Annotated[float | None, hours("With --rolling: how many h each re-dispatch looks ahead; 24 where absent.")]
Notice = Annotated[
    float | None, hours("With --rolling: states within these h of a commitment stay as they were; 1 where absent.")
]
ScenarioCount = Annotated[
    int | None, typer.Option(min=2, help="Play this many scenarios against the plan, in AC.", show_default=False)
]
Errors = Annotated[
    str | None,
    typer.Option(
        help="Standard deviations of forecasts: shares of capacity, of load; wind=0.08,solar=0.06,load=0.02.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Of the scenarios; 0 where absent.", show_default=False)]
ReserveShare = Annotated[
    float | None,
    typer.Option(
        "--reserve-share", help="Hold reserve with which this share of scenarios balances.", show_default=False
    ),
]
Market = Annotated[
    bool,
    typer.Option(
        "--market",
        help="Keep the day-ahead rules of an RTS-GMLC folder: reserves, must-take plants, thermal sun, hot to cold starts.",
    ),
]
LossesOption = Annotated[
    Losses | None,
    typer.Option(
        help="Losses: none, fixed (part of the demand; where absent), marginal (plants are loaded with regard to them).",
        show_default=False,
    ),
]
ElasticOption = Annotated[
    str | None,
    typer.Option(
        help="What loads would pay: 0.05=200,0.1=500 goes without 5 % above 200 a MWh, without 10 % more above 500.",
        show_default=False,
    ),
]
StoppingReserve = Annotated[
    bool | None,
    typer.Option(
        "--stopping-reserve/--no-stopping-reserve",
        help="Of an instance: whether a unit may hold reserve above its stop limit in its last hour. It may where absent, as in "
        "UnitCommitment.jl; the instances' own document says no.",
        show_default=False,
    ),
]
Shifters = Annotated[
    bool, typer.Option("--shifters", help="Let phase shifters turn within their positions, step by step.")
]
