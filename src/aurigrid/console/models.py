"""What the routes take and give; FastAPI derives the OpenAPI description from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from aurigrid.console.columns import Columns


class IssueModel(BaseModel):
    """One thing that is wrong with a request or a run."""

    where: str
    field: str
    message: str
    hint: str


class Problem(BaseModel):
    """The one form of every refusal."""

    issues: list[IssueModel]


class Session(BaseModel):
    """Who is asking, of which server."""

    role: Literal["viewer", "operator"]
    version: str


class RunSummary(BaseModel):
    """A run in the list of runs; `issues` where it cannot be read."""

    key: str
    path: str
    kind: Literal["day", "points", "plan"] = "day"
    name: str = ""
    status: str = ""
    steps: int = 0
    n_steps: int = 0
    created: str = ""
    issues: list[IssueModel] = []


class RunDetails(RunSummary):
    """A run, and how it was made."""

    grid: dict[str, Any] = {}
    options: dict[str, Any] = {}
    versions: dict[str, str] = {}
    summary: dict[str, Any] = {}
    tables: list[str] = []
    outages: int = 0
    sentences: list[str] = []


class Grid(BaseModel):
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


class CostItem(BaseModel):
    """An item of a plan's cost, currency over its steps."""

    item: str
    cost: float


class Steps(BaseModel):
    """One row a finished step; `shares` holds columns that are tables of their own, such as generation by fuel.

    Of a plan also its cost by item, and of all the length of a step, hours.
    """

    table: Columns
    shares: dict[str, Columns]
    costs: list[CostItem] = []
    step_h: float = 0.25


class State(BaseModel):
    """A state of the grid: before an outage, or after it (then with what it dropped)."""

    step: int
    contingency: int = -1
    status: str
    agrees: bool = True
    bus: Columns
    branch: Columns
    gen: Columns
    lost: list[dict[str, Any]] = []


class Opening(BaseModel):
    """All that the first map needs; what cannot be read of the run is in `issues`."""

    session: Session
    runs: list[RunSummary]
    key: str = ""
    grid: Grid | None = None
    steps: Steps | None = None
    state: State | None = None
    issues: list[IssueModel] = []


class Found(BaseModel):
    """Rows, the worst first, and how many there are without the limit."""

    total: int
    first_step: int
    last_step: int
    table: Columns


class Outage(BaseModel):
    """An outage at a step."""

    contingency: int
    label: str
    kind: str
    elements: list[str]
    status: str
    lost_load_mw: float | None
    lost_gen_mw: float | None
    max_loading: float | None
    v_min_pu: float | None
    v_max_pu: float | None
    violations: Columns


class Series(BaseModel):
    """Values of one element at every finished step of the run, or of the day around a step of a long one."""

    table: Columns


class TableInfo(BaseModel):
    """A table that a query may name."""

    name: str
    columns: list[dict[str, str]]


class Schema(BaseModel):
    """All tables of a run."""

    tables: list[TableInfo]


class Query(BaseModel):
    """One SELECT; it reads the run's tables and nothing else."""

    query: Annotated[str, Field(max_length=20_000)]
    limit: Annotated[int, Field(ge=1, le=50_000)] = 1000


class Answer(BaseModel):
    """Rows of a query; `more` where there are more than the limit."""

    names: list[str]
    numeric: list[bool]
    rows: list[list[Any]]
    more: bool
    seconds: float


class Study(BaseModel):
    """A study to start: a day with all its outages to a new run, or the outages of one state."""

    kind: Literal["day", "n1"]
    grid: Annotated[str, Field(min_length=1, max_length=80)] = "1-EHV-mixed--0-no_sw"
    date: Annotated[str, Field(max_length=10)] = "2016-12-06"
    contingencies: Annotated[str, Field(max_length=200)] = "branches+generators"
    q_limits: bool = True
    slack: Literal["distributed", "reference"] = "distributed"
    name: Annotated[str, Field(max_length=80)] = ""


class Job(BaseModel):
    """A study that this server started."""

    id: str
    kind: Literal["day", "n1"]
    title: str
    state: Literal["running", "cancelling", "finished", "cancelled", "failed"]
    done: int
    total: int
    seconds: float
    message: str
    run: str
    result: dict[str, Any] | None = None


class News(BaseModel):
    """What the page follows while it is open."""

    runs: list[RunSummary]
    jobs: list[Job]
