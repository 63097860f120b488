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
        "import sys, json, aurigrid.console.content, aurigrid.console.pages, aurigrid.console.gate;"
        "print(json.dumps([m for m in ('fastapi', 'pydantic', 'pandas', 'numba', 'scipy') if m in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


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
