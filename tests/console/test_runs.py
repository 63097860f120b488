"""What the server tells of a run agrees with the run's own tables and with the engine."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from aurigrid.io.folder import load_folder
from aurigrid.store import open_run

from .conftest import LAT, LON, Server
from .read import table, unpack


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return server.client("viewer")


@pytest.fixture(scope="module")
def query(run_path: Path) -> object:
    return open_run(run_path).sql


def test_the_list_and_the_record_of_a_run(client: httpx.Client) -> None:
    found = client.get("/api/runs").json()
    assert [(r["key"], r["status"], r["steps"], r["n_steps"]) for r in found if r["key"] == "small"] == [
        ("small", "finished", 4, 4)
    ]
    details = client.get("/api/runs/small").json()
    assert details["options"]["date"] == "2020-03-02"
    assert {"violations", "steps", "bus"} <= set(details["tables"])
    assert details["sentences"][0].startswith("4 steps, ")


def test_positions_are_kilometres_from_the_origin(client: httpx.Client, run_path: Path) -> None:
    grid = client.get("/api/runs/small/grid").json()
    bus = table(grid["bus"])
    assert grid["geographic"]
    assert bus["id"] == ["A", "B", "C", "D"]
    lon0, lat0 = grid["origin"]
    assert np.allclose(bus["y"][:2], (np.array(LAT[:2]) - lat0) * 111.195, atol=1e-3)
    east = (np.array(LON[:2]) - lon0) * 111.195 * np.cos(np.deg2rad(lat0))
    assert np.allclose(bus["x"][:2], east, atol=1e-3)
    assert bus["substation"].tolist() == [0, 1, 2, 2]  # the transformer joins C and D
    assert (bus["x"][2], bus["y"][2]) != (bus["x"][3], bus["y"][3])  # at one place, and still told apart
    net, _ = load_folder(run_path / "grid")
    assert table(grid["branch"])["from_bus"].tolist() == net.branch.from_bus.tolist()


def test_steps_and_states_are_those_stored(client: httpx.Client, run_path: Path) -> None:
    run = open_run(run_path)
    steps = client.get("/api/runs/small/steps").json()
    stored = run.table("steps")
    assert table(steps["table"])["load_mw"].tolist() == stored.column("load_mw").to_pylist()
    fuels = table(steps["shares"]["gen_by_fuel_mw"])
    assert np.allclose(fuels["wind"], [dict(r)["wind"] for r in stored.column("gen_by_fuel_mw").to_pylist()])
    state = client.get("/api/runs/small/steps/2").json()
    volts = run.table("bus_state", (2,)).column("v_mag").to_numpy()
    assert np.array_equal(table(state["bus"])["v_mag"], volts.astype(np.float32))
    flows = run.table("branch_state", (2,)).column("p_from_mw").to_numpy()
    assert np.array_equal(table(state["branch"])["p_from_mw"], flows)


def test_worst_outages_are_those_of_sql(client: httpx.Client, run_path: Path) -> None:
    rows = (
        open_run(run_path)
        .sql(
            "SELECT contingency_label AS c, max(severity) AS s FROM violations WHERE contingency >= 0 AND new "
            "AND kind <> 'reactive_limit' AND severity IS NOT NULL AND step = 2 GROUP BY 1 ORDER BY s DESC"
        )
        .to_pylist()
    )
    found = table(client.get("/api/runs/small/outages", params={"step": 2}).json()["table"])
    expected = {r["c"]: r["s"] for r in rows}
    told = {c: s for c, s in zip(found["label"], found["severity"], strict=True) if c in expected}
    assert told == pytest.approx(expected)
    ranked = [s for s, status in zip(found["severity"], found["status"], strict=True) if status == "converged"]
    assert ranked == sorted(ranked, reverse=True)


def test_filters_keep_what_is_endangered(client: httpx.Client) -> None:
    def ask(**params: object) -> dict[str, object]:
        return client.get("/api/runs/small/outages", params={"whole": True, **params}).json()  # type: ignore[arg-type]

    everything = ask()
    assert everything["first_step"] == 0
    assert everything["last_step"] == 3
    only = table(ask(kind="overload")["table"])  # type: ignore[arg-type]
    assert set(only["kind"]) == {"overload"}
    north = table(ask(area="north", v_nom_kv=220)["table"])  # type: ignore[arg-type]
    assert set(north["element_id"]) <= {"L1", "L2", "L3", "A", "B", "slack", "wind"}
    assert ask(v_nom_kv=110, kind="overload")["total"] == 0
    assert set(table(ask(outage_kind="line")["table"])["outage_kind"]) == {"line"}  # type: ignore[arg-type]
    assert ask(text="no such outage")["total"] == 0


def test_from_an_outage_to_its_violations_and_back(client: httpx.Client, run_path: Path) -> None:
    outages = table(client.get("/api/runs/small/outages", params={"step": 2}).json()["table"])
    label = "L1"
    number = int(outages["contingency"][outages["label"].index(label)])
    detail = client.get(f"/api/runs/small/outages/{number}", params={"step": 2}).json()
    assert detail["elements"] == ["branch:L1"]
    rows = table(detail["violations"])
    stored = open_run(run_path).sql(
        "SELECT count(*) AS n FROM violations WHERE step = 2 AND contingency = $c", {"c": number}
    )
    assert len(rows["kind"]) == stored.to_pylist()[0]["n"] > 0
    element = int(rows["element"][0])
    threats = client.get(f"/api/runs/small/threats/{rows['element_table'][0]}/{element}", params={"step": 2}).json()
    assert label in unpack(threats["table"]["columns"]["label"])


def test_the_state_after_every_outage_is_the_one_recorded(client: httpx.Client, run_path: Path) -> None:
    n = client.get("/api/runs/small").json()["outages"]
    rows = open_run(run_path).table("contingencies", (1,)).to_pylist()
    for c in range(n):
        state = client.get(f"/api/runs/small/outages/{c}/state", params={"step": 1}).json()
        assert state["status"] == rows[c]["status"]
        if rows[c]["max_loading"] is not None:
            assert state["agrees"], rows[c]["contingency_label"]
            loading = table(state["branch"])["loading"]
            assert np.nanmax(loading) == pytest.approx(rows[c]["max_loading"], abs=1e-3)


def test_an_islanding_outage_names_what_it_drops(client: httpx.Client) -> None:
    outages = table(client.get("/api/runs/small/outages", params={"step": 1}).json()["table"])
    number = int(outages["contingency"][outages["label"].index("T")])
    state = client.get(f"/api/runs/small/outages/{number}/state", params={"step": 1}).json()
    assert [(row["table"], row["id"]) for row in state["lost"]] == [("load", "d")]
    assert state["lost"][0]["p_mw"] == pytest.approx(20.0, abs=1e-2)
    assert np.isnan(table(state["bus"])["v_mag"][3])


def test_series_of_an_element(client: httpx.Client, run_path: Path) -> None:
    found = table(client.get("/api/runs/small/series/branch/1").json()["table"])
    stored = open_run(run_path).sql("SELECT loading FROM branch_state WHERE branch = 1 ORDER BY step")
    assert found["loading"].tolist() == stored.column("loading").to_pylist()


def test_similar_states_are_those_of_the_store(client: httpx.Client, run_path: Path) -> None:
    from aurigrid.store.situations import similar

    found = client.get("/api/runs/small/similar", params={"step": 1, "k": 2}).json()
    expected = similar(run_path, 1, k=2, past=False)
    assert [n["step"] for n in found["neighbours"]] == [n.step for n in expected.neighbours]
    only = client.get("/api/runs/small/similar", params={"step": 1, "where": "load_mw > 1e9"}).json()
    assert only["neighbours"] == []
    refused = client.get("/api/runs/small/similar", params={"step": 1, "where": "1 = 1) FROM read_csv('x') --"})
    assert refused.status_code == 400


def test_what_is_not_there_is_said(client: httpx.Client) -> None:
    for path in ("/api/runs/none/grid", "/api/runs/small/outages/99", "/api/runs/small/tables/nothing"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "there is no" in answer.json()["issues"][0]["message"]
    answer = client.get("/api/runs/small/steps/77")
    assert answer.status_code == 400
    assert "not a finished step" in answer.json()["issues"][0]["message"]


def test_a_grid_without_coordinates_has_the_same_layout_at_every_start() -> None:
    from aurigrid.console.layout import places
    from cli.conftest import small_network

    first, again = places(small_network()), places(small_network())
    assert not first.geographic
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert len({(x, y) for x, y in zip(first.x, first.y, strict=True)}) == 4


def test_operating_points_add_costs_and_curtailment(run_path: Path) -> None:
    """A run that also has a table of operating points shows their columns beside those of its steps."""
    import pyarrow as pa

    from aurigrid.console.content import _with_points

    class WithPoints:
        table_names = ("steps", "points")

        def table(self, name: str) -> pa.Table:
            if name == "steps":
                return open_run(run_path).table("steps")
            return pa.table({"step": [3, 2, 1, 0], "curtailed_mw": [3.0, 2.0, 1.0, 0.0], "other": [0, 0, 0, 0]})

    found = _with_points(WithPoints())  # type: ignore[arg-type]
    assert found.column("curtailed_mw").to_pylist() == [0.0, 1.0, 2.0, 3.0]
    assert "other" not in found.column_names
