"""What the first map of a run is made of, as plain data classes: the page is answered before FastAPI and pydantic are loaded.

FastAPI describes and checks them like the models of `aurigrid.console.models`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["f32", "f64", "i32", "u8", "text", "json"]


@dataclass
class Column:
    """One column.

    ``f32|f64|i32|u8``: `data` is the array in base64, little-endian, NaN where there is no value. ``text``: `words`
    are the distinct texts, `data` the number of each row's word as int32, -1 where there is none. ``json``: `values`.
    """

    kind: Kind
    data: str = ""
    words: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


@dataclass
class Columns:
    """A table, column by column."""

    rows: int
    columns: dict[str, Column]


@dataclass
class IssueModel:
    """One thing that is wrong with a request or a run; `ids` are the elements at fault."""

    where: str
    field: str
    message: str
    hint: str
    ids: list[str] = dataclasses.field(default_factory=list)


@dataclass
class Session:
    """Who is asking, of which server."""

    role: Literal["viewer", "operator"]
    version: str


@dataclass
class RunSummary:
    """A run in the list of runs; `issues` where it cannot be read."""

    key: str
    path: str
    kind: Literal["day", "points", "plan"] = "day"
    name: str = ""
    status: str = ""
    steps: int = 0
    n_steps: int = 0
    created: str = ""
    issues: list[IssueModel] = field(default_factory=list)


@dataclass
class Grid:
    """The grid for the map.

    Positions are kilometres from `origin` (longitude, latitude) where `geographic`, else a square of side 1000.
    """

    name: str
    geographic: bool
    origin: tuple[float, float]
    bus: Columns
    branch: Columns
    gen: Columns
    load: Columns
    switch: Columns


@dataclass
class CostItem:
    """An item of a plan's cost, currency over its steps."""

    item: str
    cost: float


@dataclass
class Steps:
    """One row a finished step; `shares` holds columns that are tables of their own, such as generation by fuel.

    Of a plan also its cost by item, and of all the length of a step, hours.
    """

    table: Columns
    shares: dict[str, Columns]
    costs: list[CostItem] = field(default_factory=list)
    step_h: float = 0.25


@dataclass
class State:
    """A state of the grid: before an outage, or after it (then with what it dropped)."""

    step: int
    status: str
    bus: Columns
    branch: Columns
    gen: Columns
    contingency: int = -1
    agrees: bool = True
    lost: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Opening:
    """All that the first map needs; what cannot be read of the run is in `issues`."""

    session: Session
    runs: list[RunSummary]
    key: str = ""
    grid: Grid | None = None
    steps: Steps | None = None
    state: State | None = None
    issues: list[IssueModel] = field(default_factory=list)


def as_json(value: Any) -> str:
    """A data class as JSON."""
    return json.dumps(value, default=vars, separators=(",", ":"), allow_nan=False)
