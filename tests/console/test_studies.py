"""Studies from the page: start, progress, cancel, resume, a killed process, two clients; and start-up messages."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aurigrid.console.jobs import Jobs
from aurigrid.console.models import Study
from aurigrid.errors import InputError
from cli.conftest import Call, call  # noqa: F401

from .conftest import Server, in_parts, started


def wait_for(look: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 90) -> Any:
    """What `look` gives as soon as it is as `wanted`."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if wanted(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def test_an_outage_study_runs_to_its_result(server: Server) -> None:
    client = server.client()
    started_one = client.post("/api/studies", json={"kind": "n1", "grid": "case9", "slack": "reference"})
    assert started_one.status_code == 201
    id = started_one.json()["id"]
    done = wait_for(
        lambda: next(j for j in client.get("/api/studies").json() if j["id"] == id),
        lambda job: job["state"] not in ("running", "cancelling"),
    )
    assert done["state"] == "finished", done["message"]
    assert done["result"]["contingencies"] == sum(done["result"]["status"].values()) > 0
    assert done["run"] == "case9_branches-generators"  # a run like any other: map, outages, tables
    found = client.get(f"/api/runs/{done['run']}/outages").json()
    assert found["total"] > 0
    after = client.get(f"/api/runs/{done['run']}/outages/{1}/state").json()
    assert after["agrees"]
    seen = next(j for j in server.client("viewer").get("/api/studies").json() if j["id"] == id)
    assert seen["state"] == "finished"  # another client sees the same


@pytest.mark.parametrize(
    "study, field",
    [
        ({"kind": "day", "grid": "/etc/passwd", "name": "x"}, "grid"),
        ({"kind": "day", "grid": "../secret", "name": "x"}, "grid"),
        ({"kind": "n1", "grid": "--help"}, "grid"),
        ({"kind": "n1", "grid": "case9", "contingencies": "/etc/passwd"}, "contingencies"),
        ({"kind": "day", "date": "yesterday"}, "date"),
        ({"kind": "day", "name": "../out"}, "name"),
        ({"kind": "plan", "date": "2016-13-01"}, "date"),
        ({"kind": "plan", "scale": "wind"}, "scale"),
    ],
)
def test_options_are_checked_before_anything_starts(server: Server, study: dict[str, str], field: str) -> None:
    client = server.client()
    before = client.get("/api/studies").json()
    answer = client.post("/api/studies", json=study)
    assert answer.status_code == 400
    assert [i["field"] for i in answer.json()["issues"]] == [field]
    assert client.get("/api/studies").json() == before


def test_a_plan_is_started_and_says_what_is_wrong_as_data(server: Server) -> None:
    client = server.client()
    study = {"kind": "plan", "grid": "case14", "name": "planned", "commit_seconds": 5, "scale": "wind=2"}
    id = client.post("/api/studies", json=study).json()["id"]

    def told() -> dict[str, Any]:
        return next(job for job in client.get("/api/studies").json() if job["id"] == id)

    job = wait_for(told, lambda job: job["state"] == "failed", 60)
    assert job["kind"] == "plan"
    first = job["issues"][0]
    assert (first["where"], first["message"]) == ("grid", "case14 comes without profiles, so it has no days")
    assert job["message"].startswith("error: grid: case14 comes without profiles, so it has no days; ")


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """Studies whose process waits, with a finished step on disk, until it is interrupted."""
    jobs = Jobs(tmp_path)
    code = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(130)"
    monkeypatch.setattr(jobs, "_command", lambda study: (["python3", "-c", code], tmp_path / "out"))
    yield jobs
    jobs.close()


def test_cancel_and_resume(slow: Jobs) -> None:
    job = slow.start(Study(kind="n1", grid="case9"))
    time.sleep(0.3)  # an interpreter that is still starting dies of the signal instead of catching it
    assert slow.cancel(job.id).state in ("cancelling", "cancelled")
    wait_for(lambda: slow.jobs()[0].state, lambda state: state == "cancelled", 15)
    assert slow.resume(job.id).state == "running"
    assert len(slow.jobs()) == 1


def test_a_killed_process_is_told_as_such(slow: Jobs) -> None:
    job = slow.start(Study(kind="n1", grid="case9"))
    os.kill(slow.works[job.id].process.pid, signal.SIGKILL)
    found = wait_for(lambda: slow.jobs()[0], lambda job: job.state == "failed", 15)
    assert "signal 9" in found.message


def test_no_more_studies_than_may(slow: Jobs) -> None:
    slow.start(Study(kind="n1", grid="case9"))
    slow.start(Study(kind="n1", grid="case9"))
    with pytest.raises(Exception, match="running already"):
        slow.start(Study(kind="n1", grid="case9"))


def test_news_stream(server: Server) -> None:
    with server.client("viewer").stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        line = next(line for line in answer.iter_lines() if line.startswith("data: "))
    news = json.loads(line[6:])
    assert "small" in [run["key"] for run in news["runs"]]


# --- start-up -------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_no_run(call: Call, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "empty").mkdir()
    answer = call("serve", tmp_path / "empty", tmp_path / "absent")
    assert answer.code == 2
    assert "is no run folder and holds none" in answer.err
    assert "there is no such run folder" in answer.err


def test_a_run_of_another_version(call: Call, copied: Callable[[], Path]) -> None:  # noqa: F811
    run = copied()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "format_version": 99}))
    answer = call("serve", run)
    assert answer.code == 2
    assert "format_version: is 99" in answer.err


@pytest.mark.parametrize("name", ["{}.parquet", "{}/step=0001.parquet"])
def test_a_damaged_file_is_one_clear_message(copied: Callable[[], Path], name: str) -> None:
    run = copied()
    if "/" in name:
        in_parts(run)
    (run / name.format("violations")).write_bytes(b"PAR1 no more")
    (run / name.format("bus_state")).write_bytes(b"")
    with started(run.parent.parent, str(run)) as server:
        client = server.client()
        for path in ("outages?step=1", "steps/1", "outages?whole=true", "tables/violations?step=1"):
            answer = client.get(f"/api/runs/copy/{path}")
            assert answer.status_code == 400, path
            assert "read" in answer.json()["issues"][0]["message"]
        assert client.get("/api/runs/copy/steps").status_code == 200


def test_a_port_in_use(call: Call, run_path: Path) -> None:  # noqa: F811
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = call("serve", run_path, "--port", port)
    assert answer.code == 2
    assert answer.err.strip().endswith(
        f"serve.port: {port} is in use; another console may be running; --port 0 takes a free one"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (["--host", "0.0.0.0"], "reachable from other machines"),
        (["--tls-cert", "cert.pem"], "needs both"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "there is no such file"),
    ],
)
def test_unsafe_addresses_are_refused(call: Call, run_path: Path, options: list[str], message: str) -> None:  # noqa: F811
    answer = call("serve", run_path, *options)
    assert answer.code == 2
    assert message in answer.err


def test_a_new_step_shows_without_a_restart(copied: Callable[[], Path]) -> None:
    run = copied()
    in_parts(run)
    last = run / "steps" / "step=0003.parquet"
    kept = last.read_bytes()
    last.unlink()
    with started(run.parent.parent, str(run)) as server:
        client = server.client()
        assert client.get("/api/runs").json()[0]["steps"] == 3
        assert client.get("/api/runs/copy/steps/3").status_code == 400
        last.write_bytes(kept)
        assert client.get("/api/runs").json()[0]["steps"] == 4
        assert client.get("/api/runs/copy/steps/3").status_code == 200


def test_unknown_words_name_the_run() -> None:
    with pytest.raises(InputError, match="catalogue name"):
        Jobs(Path("runs")).start(Study(kind="day", grid="a b"))
