"""Tables, SQL and downloads through the server."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from aurigrid.store import open_run

from .conftest import Server


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return server.client("viewer")


def test_the_schema_tells_columns_and_meanings(client: httpx.Client, run_path: Path) -> None:
    tables = {t["name"]: t["columns"] for t in client.get("/api/runs/small/schema").json()["tables"]}
    assert set(tables) == set(open_run(run_path).table_names)
    column = next(c for c in tables["violations"] if c["name"] == "severity")
    assert "share of the limit" in column["doc"]


def test_rows_come_sorted_and_by_pages(client: httpx.Client, run_path: Path) -> None:
    params = {"sort": "severity", "down": True, "limit": 2}
    first = client.get("/api/runs/small/tables/violations", params=params).json()
    rest = client.get("/api/runs/small/tables/violations", params={**params, "offset": 2, "limit": 1000}).json()
    at = first["names"].index("severity")
    found = [row[at] for row in first["rows"] + rest["rows"]]
    stored = open_run(run_path).sql("SELECT severity AS s FROM violations ORDER BY s DESC NULLS LAST")
    assert found == stored.column("s").to_pylist()
    assert first["more"]
    assert not rest["more"]
    assert client.get("/api/runs/small/tables/violations", params={"sort": 'x" --'}).status_code == 400


def test_sql_reads_and_nothing_else(client: httpx.Client, tmp_path: Path) -> None:
    good = client.post("/api/runs/small/sql", json={"query": "SELECT step, load_mw FROM steps ORDER BY step"}).json()
    assert good["names"] == ["step", "load_mw"]
    assert good["numeric"] == [True, True]
    assert len(good["rows"]) == 4
    for bad in ("SELECT * FROM read_csv('/etc/passwd')", f"COPY steps TO '{tmp_path}/x'", "DROP VIEW steps", "SELEC 1"):
        answer = client.post("/api/runs/small/sql", json={"query": bad})
        assert answer.status_code == 400, bad
        assert answer.json()["issues"][0]["message"]
    assert not list(tmp_path.iterdir())


def test_a_long_answer_is_cut_and_says_so(client: httpx.Client) -> None:
    query = "SELECT * FROM range(100000)"
    answer = client.post("/api/runs/small/sql", json={"query": query, "limit": 10}).json()
    assert len(answer["rows"]) == 10
    assert answer["more"]


def test_downloads_hold_the_whole_table(client: httpx.Client, run_path: Path) -> None:
    stored = open_run(run_path).table("violations")
    answer = client.get("/api/runs/small/download/violations.parquet")
    assert "small_violations.parquet" in answer.headers["content-disposition"]
    assert pq.read_table(io.BytesIO(answer.content)).num_rows == len(stored)
    text = client.get("/api/runs/small/download/steps.csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(r["load_mw"]) for r in rows] == open_run(run_path).table("steps").column("load_mw").to_pylist()
    asked = client.post("/api/runs/small/sql.csv", json={"query": "SELECT id FROM bus ORDER BY id"})
    assert asked.content.decode().split() == ['"id"', '"A"', '"B"', '"C"', '"D"']
