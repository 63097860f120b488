"""Routes on tables: the schema, pages of a table, SQL, and downloads."""

from __future__ import annotations

import io
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response

from aurigrid.console.columns import plain
from aurigrid.console.library import Entry
from aurigrid.console.models import Answer, Schema, TableInfo
from aurigrid.console.models import Query as Question
from aurigrid.console.routes import REFUSALS, At
from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.store import Run
from aurigrid.store.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

router = APIRouter(responses=REFUSALS, tags=["tables"])

MOST_ROWS = 2_000_000
"""Rows that one download may hold; more are for `aurigrid sql` and the Parquet files themselves."""

PATIENCE = 10.0
"""Seconds that one query may take."""


@router.get("/runs/{run}/schema")
def schema(entry: At) -> Schema:
    """Every table that a query may name, with columns, types and meanings."""
    run = entry.run()
    return Schema(tables=[_described(entry, name) for name in run.table_names])


def _described(entry: Entry, name: str) -> TableInfo:
    def make() -> TableInfo:
        if name in TABLES:
            columns = [(c.name, c.type, c.doc) for c in TABLES[name]]
        else:
            rows = entry.run().sql(f'DESCRIBE "{name}"').to_pylist()
            meant = {f.name: str(f.metadata["doc"]) for f in fields(kinds[name])} if name in kinds else {}
            meant["position"] = "position, which results refer to"
            named = [(str(r["column_name"]), str(r["column_type"]).lower()) for r in rows]
            columns = [(column, kind, meant.get(column, "")) for column, kind in named]
        return TableInfo(name=name, columns=[{"name": n, "type": t, "doc": doc} for n, t, doc in columns])

    kinds = Network.table_types()

    return entry.kept.get(("columns", name), make)


def _select(entry: Entry, name: str, step: int | None, sort: str | None, down: bool) -> str:
    """The query of one table; names are checked, so nothing of the request enters it unchecked."""
    if name not in entry.run().table_names:
        raise KeyError(f"table '{name}' in this run")
    columns = [c["name"] for c in _described(entry, name).columns]
    where = f" WHERE step = {int(step)}" if step is not None and "step" in columns else ""
    order = ""
    if sort is not None:
        if sort not in columns:
            raise InputError(Issue(name, sort, "is not a column of this table", hint=", ".join(columns)))
        order = f' ORDER BY "{sort}" {"DESC" if down else "ASC"} NULLS LAST'
    return f'SELECT * FROM "{name}"{where}{order}'


@router.get("/runs/{run}/tables/{name}")
def table(
    entry: At,
    name: str,
    step: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    sort: Annotated[str | None, Query(max_length=60)] = None,
    down: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Answer:
    """Some rows of a table, sorted."""
    run = entry.run()
    return _answer(run, f"{_select(entry, name, step, sort, down)} LIMIT {limit + 1} OFFSET {offset}", limit)


@router.post("/runs/{run}/sql")
def sql(entry: At, question: Question) -> Answer:
    """Answer one SELECT on the run's tables; anything else is refused."""
    return _answer(entry.run(), question.query, question.limit)


def _answer(run: Run, query: str, limit: int) -> Answer:
    began = time.perf_counter()
    found = run.sql(query, timeout_s=PATIENCE)
    shown = found.slice(0, limit)
    names = list(shown.column_names)
    columns = [[plain(v) for v in shown.column(i).to_pylist()] for i in range(len(names))]
    return Answer(
        names=names,
        numeric=[_is_number(field.type) for field in shown.schema],
        rows=[list(row) for row in zip(*columns, strict=True)],
        more=len(found) > limit,
        seconds=round(time.perf_counter() - began, 4),
    )


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}, "description": "the file"}
}


@router.get("/runs/{run}/download/{name}.{form}", response_class=Response, responses=_FILES)
def download(
    entry: At,
    name: str,
    form: Literal["csv", "parquet"],
    step: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    sort: Annotated[str | None, Query(max_length=60)] = None,
    down: bool = False,
) -> Response:
    """A table as a file."""
    run = entry.run()
    return _file(run.sql(_select(entry, name, step, sort, down), timeout_s=PATIENCE), f"{entry.key}_{name}", form)


@router.post("/runs/{run}/sql.{form}", response_class=Response, responses=_FILES)
def download_sql(entry: At, form: Literal["csv", "parquet"], question: Annotated[Question, Body()]) -> Response:
    """The answer of a query as a file."""
    return _file(entry.run().sql(question.query, timeout_s=PATIENCE), f"{entry.key}_query", form)


def _file(table: pa.Table, name: str, form: str) -> Response:
    if len(table) > MOST_ROWS:
        hint = "choose a step, or read the run's Parquet files"
        raise InputError(Issue("download", "", f"would hold {len(table):,} rows, more than {MOST_ROWS:,}", hint=hint))
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    head = {"content-disposition": f'attachment; filename="{safe}.{form}"'}
    if form == "parquet":
        import pyarrow.parquet as pq

        kept = io.BytesIO()
        pq.write_table(table, kept, compression="zstd")
        return Response(kept.getvalue(), media_type="application/vnd.apache.parquet", headers=head)
    return Response(_csv(table), media_type="text/csv; charset=utf-8", headers=head)


def _csv(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as pc

    flat = []
    for column in (table.column(i) for i in range(table.num_columns)):
        if pa.types.is_nested(column.type):
            flat.append(pa.array([None if v is None else str(plain(v)) for v in column.to_pylist()], pa.string()))
        elif pa.types.is_dictionary(column.type):
            flat.append(column.cast(column.type.value_type))
        else:
            flat.append(column)
    out = io.BytesIO()
    pc.write_csv(pa.Table.from_arrays(flat, names=table.column_names), out)
    return out.getvalue()
