"""A real run of a small grid, and a real server on it, started by the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aurigrid.io.folder import save
from aurigrid.store import open_run
from aurigrid.store.run import write_table
from aurigrid.store.schema import STEP_TABLES
from aurigrid.store.whole import step_file, whole_file
from aurigrid.studies.day import run_day
from cli.conftest import small_network, small_profiles

LON, LAT = [10.0, 10.6, 10.2, 10.2], [50.0, 50.1, 50.5, 50.5]


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of four steps; buses C and D stand at one place, joined by a transformer."""
    net = small_network()
    net = net.replace(bus=net.bus.replace(lon=LON, lat=LAT, area=["north", "north", "south", "south"]))
    folder = tmp_path_factory.mktemp("console")
    grid = save(net, folder / "grid", profiles=small_profiles())
    return run_day(str(grid), "2020-03-02", folder / "runs" / "small").run


@dataclass(frozen=True)
class Server:
    """A console, its folder and the tokens of this start."""

    url: str
    tokens: dict[str, str]
    links: dict[str, str]
    process: subprocess.Popen[str]
    folder: Path
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    def client(self, role: str = "operator") -> httpx.Client:
        """A client that has opened the link of a role; kept until the server ends."""
        if role not in self.clients:
            self.clients[role] = httpx.Client(base_url=self.url, timeout=60)
            assert self.clients[role].get(self.links[role]).status_code == 303
        return self.clients[role]


@contextmanager
def started(folder: Path, *args: str) -> Iterator[Server]:
    """A server in a folder, until the end of the block."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)}
    process = subprocess.Popen(
        [sys.executable, "-m", "aurigrid.cli", "serve", "--port", "0", "--json", *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        links = json.loads(process.stdout.readline())["links"]
        tokens = {role: parse_qs(urlsplit(link).query)["token"][0] for role, link in links.items()}
        parts = urlsplit(links["operator"])
        server = Server(f"{parts.scheme}://{parts.netloc}", tokens, links, process, folder)
        yield server
        for client in server.clients.values():
            client.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def server(run_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("serving"), str(run_path)) as found:
        yield found


@pytest.fixture
def copied(run_path: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a copy of the run that a test may damage."""

    def make() -> Path:
        return Path(shutil.copytree(run_path, tmp_path / "runs" / "copy"))

    return make


def in_parts(run: Path) -> None:
    """Take the joined files of a finished run apart again, as they are while it is computed."""
    stored = open_run(run)
    for name in STEP_TABLES:
        (run / name).mkdir()
        for step in stored.steps:
            write_table(run / step_file(name, step), stored.table(name, (step,)))
    for name in STEP_TABLES:
        (run / whole_file(name)).unlink()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
