"""How the console is served: over TLS, in clear text only where asked for, and at the end of `aurigrid day --open`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from aurigrid.console.library import Library
from aurigrid.console.opening import FILE, first_map, keep_first_map, opening
from aurigrid.console.pages import Console
from aurigrid.io.folder import save
from cli.conftest import small_network, small_profiles

from .conftest import started


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine to make a certificate")
def test_another_address_with_tls(run_path: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*made, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    options = ["--host", "0.0.0.0", "--tls-cert", str(cert), "--tls-key", str(key)]
    with started(tmp_path, str(run_path), *options) as server:
        port = urlsplit(server.url).port
        trust = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=60) as client:
            opened = client.get(f"/open?token={server.tokens['operator']}")
            assert opened.status_code == 303
            assert "secure" in opened.headers["set-cookie"].lower()
            assert client.get("/api/session").json()["role"] == "operator"
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{port}/", timeout=5)


def test_another_address_in_clear_text_only_where_asked_for(run_path: Path, tmp_path: Path) -> None:
    with started(tmp_path, str(run_path), "--host", "0.0.0.0", "--insecure") as server:
        port = urlsplit(server.url).port
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            assert client.get("/api/session").status_code == 401  # the token is asked for all the same
            client.get(f"/open?token={server.tokens['viewer']}")
            assert client.get("/api/session").json()["role"] == "viewer"


def test_a_day_that_opens_its_page(tmp_path: Path) -> None:
    grid = save(small_network(), tmp_path / "grid", profiles=small_profiles())
    seen, script = tmp_path / "seen", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part && mv {seen}.part {seen}\n')
    script.chmod(0o755)
    paths = os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)
    command = [sys.executable, "-m", "aurigrid.cli", "day", str(grid), "--date", "2020-03-02", "--open"]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "BROWSER": f"{script} %s"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 120
        while not seen.exists():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
        link = urlsplit(seen.read_text())
        with httpx.Client(base_url=f"{link.scheme}://{link.netloc}", timeout=60) as client:
            assert client.get(f"/open?{link.query}").status_code == 303
            assert [run["status"] for run in client.get("/api/runs").json()] == ["finished"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        log.close()


def test_the_first_map_is_answered_without_the_web_framework() -> None:
    code = (
        "import sys, json, aurigrid.console.content, aurigrid.console.opening, aurigrid.console.pages, aurigrid.console.gate;"
        "print(json.dumps([m for m in ('fastapi', 'pydantic', 'pandas', 'numba', 'scipy') if m in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_the_first_map_of_a_finished_run_is_kept_and_read_without_arrays(run_path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run_path, tmp_path / "run", ignore=shutil.ignore_patterns(FILE))
    library = Library([run], tmp_path / "none")
    computed = opening(library, "viewer", None, None)
    assert (run / FILE).is_file()
    kept = opening(library, "viewer", None, None)
    assert json.loads(kept) == json.loads(opening(library, "viewer", None, 0)) == json.loads(computed)
    assert json.loads(kept)["state"]["step"] == 0
    code = (
        "import sys; from pathlib import Path; from aurigrid.console.library import Library;"
        "from aurigrid.console.opening import opening;"
        f"print(opening(Library([Path({str(run)!r})], Path('none')), 'viewer', None, None) == sys.argv[1]);"
        "print([m for m in ('numpy', 'pyarrow', 'duckdb') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code, kept], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["True", "[]"]


def test_what_was_kept_for_the_first_map_counts_only_for_the_same_files(run_path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run_path, tmp_path / "run", ignore=shutil.ignore_patterns(FILE))
    keep_first_map(run)
    kept = run / FILE
    kept.write_text(kept.read_text(encoding="utf-8").replace('"step":0', '"step":9'), encoding="utf-8")
    library = Library([run], tmp_path / "none")
    assert json.loads(opening(library, "viewer", None, None))["state"]["step"] == 9  # it is read
    os.utime(run / "steps.parquet")
    assert first_map(run) is None
    assert json.loads(opening(library, "viewer", None, None))["state"]["step"] == 0
    assert first_map(run) is not None  # made anew
    assert json.loads(opening(library, "viewer", None, 2))["state"]["step"] == 2  # of another step nothing is kept


def test_a_run_that_is_not_finished_keeps_no_first_map(run_path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run_path, tmp_path / "run", ignore=shutil.ignore_patterns(FILE))
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**record, "status": "interrupted"}), encoding="utf-8")
    keep_first_map(run)
    assert not (run / FILE).exists()


def test_who_gives_up_waiting_for_the_api_does_not_end_it_for_others() -> None:
    sent: list[Any] = []

    async def api(scope: Any, receive: Any, send: Any) -> None:
        await send(scope["path"])

    async def ask(console: Console, path: str) -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await console({"type": "http", "method": "GET", "path": path}, None, send)  # type: ignore[arg-type]

    async def play() -> None:
        console = Console(None)  # type: ignore[arg-type]
        gives_up, waits = (asyncio.create_task(ask(console, f"/api/{name}")) for name in ("first", "second"))
        await asyncio.sleep(0)
        gives_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gives_up
        console.load(lambda: api)  # type: ignore[arg-type,return-value]
        await waits

    asyncio.run(play())
    assert sent == ["/api/second"]
