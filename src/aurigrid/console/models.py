"""What the routes take and give; FastAPI derives the OpenAPI description from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from aurigrid.console.columns import Columns
from aurigrid.console.shown import IssueModel, RunSummary


class Problem(BaseModel):
    """The one form of every refusal."""

    issues: list[IssueModel]


class Told(BaseModel):
    """A finding as data: what kind it is, and its figures and names, for the page to word."""

    key: str
    values: dict[str, Any]


@dataclass
class RunDetails(RunSummary):
    """A run, how it was made, and what it found: in English sentences, and each of them as data."""

    grid: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    outages: int = 0
    areas: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    facts: list[Told] = field(default_factory=list)


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
    """A study to start: a day with all its outages, the outages of one state, or a plan; options as at the terminal.

    `date` and `scale` are for days and plans, `security` and `commit_seconds` for plans and planned days, `dispatch` for days;
    a plan has no outage list and no power flow options.
    """

    kind: Literal["day", "n1", "plan"]
    grid: Annotated[str, Field(min_length=1, max_length=80)] = "1-EHV-mixed--0-no_sw"
    date: Annotated[str, Field(max_length=10)] = "2016-12-06"
    contingencies: Annotated[str, Field(max_length=200)] = "branches+generators"
    q_limits: bool = True
    slack: Literal["distributed", "reference"] = "distributed"
    dispatch: Literal["points", "data", "plan"] = "points"
    security: Literal["base", "n-1"] = "base"
    commit_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    scale: Annotated[str, Field(max_length=200)] = ""
    tol_pu: Annotated[float, Field(gt=0, le=1e-2)] = 1e-8
    max_iterations: Annotated[int, Field(ge=1, le=200)] = 20
    name: Annotated[str, Field(max_length=80)] = ""


class Job(BaseModel):
    """A study that this server started; `done` of `total` are steps of a day, outages of one state; `issues` why it failed.

    `doing` is its last word.
    """

    id: str
    kind: Literal["day", "n1", "plan"]
    title: str
    state: Literal["running", "cancelling", "finished", "cancelled", "failed"]
    done: int
    total: int
    seconds: float
    doing: str = ""
    message: str
    issues: list[IssueModel] = []
    run: str
    result: dict[str, Any] | None = None


class News(BaseModel):
    """What the page follows while it is open."""

    runs: list[RunSummary]
    jobs: list[Job]
