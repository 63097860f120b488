"""Who may ask: tokens, cookies, roles, hosts, origins, sizes, and nothing outside the run folders."""

from __future__ import annotations

import socket

import httpx
import pytest

from aurigrid.console.access import Access
from aurigrid.console.serve import bind

from .conftest import Server


def test_the_link_opens_a_session_that_scripts_of_a_page_cannot_read(server: Server) -> None:
    answer = httpx.get(server.links["operator"])
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert server.tokens["operator"] not in cookie


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_each_link_gives_its_role(server: Server, role: str) -> None:
    assert server.client(role).get("/api/session").json()["role"] == role
    bearer = {"authorization": f"Bearer {server.tokens[role]}"}
    assert httpx.get(f"{server.url}/api/session", headers=bearer).json()["role"] == role


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic abc"}, {"cookie": "aurigrid_1=x; aurigrid_=y"}],
)
def test_without_a_session_nothing_is_told(server: Server, headers: dict[str, str]) -> None:
    for path in ("/api/session", "/api/runs", "/api/openapi.json", "/api/events", "/api/nothing"):
        answer = httpx.get(server.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["issues"][0]["message"] == "no session"


def test_a_wrong_token_opens_nothing(server: Server) -> None:
    for token in ("", "wrong", server.tokens["viewer"][:-1], "é"):
        answer = httpx.get(f"{server.url}/open", params={"token": token})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "8.8.8.8", "", "["])
def test_a_foreign_host_name_is_refused(server: Server, host: str) -> None:
    answer = server.client().get("/api/runs", headers={"host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost:1", "[::1]:8050", "127.0.0.1"])
def test_every_name_of_this_machine_is_accepted(server: Server, host: str) -> None:
    bearer = {"authorization": f"Bearer {server.tokens['viewer']}", "host": host}
    assert httpx.get(f"{server.url}/api/session", headers=bearer).status_code == 200


def test_another_site_is_refused(server: Server) -> None:
    client = server.client()
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
    ):
        assert client.get("/api/runs", headers=headers).status_code == 403
    assert client.get("/api/runs", headers={"origin": server.url}).status_code == 200


def test_a_viewer_starts_nothing(server: Server) -> None:
    client = server.client("viewer")
    before = client.get("/api/studies").json()
    for path in ("/api/studies", "/api/studies/s1/cancel", "/api/studies/s1/resume"):
        assert client.post(path, json={"kind": "n1", "grid": "case9"}).status_code == 403
    assert client.get("/api/studies").json() == before


def test_requests_that_are_too_large_are_refused(server: Server) -> None:
    client = server.client()
    path = "/api/runs/small/sql"
    assert client.post(path, content=b"x" * 70_000).status_code == 413
    assert client.post(path, content=iter([b"{}"])).status_code == 411
    answer = client.post(path, json={"query": "SELECT 1 -- " + "x" * 30_000})
    assert answer.status_code == 422
    assert answer.json()["issues"][0]["field"] == "query"


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/..%2f..%2fetc/grid",
        "/api/runs/%2e%2e/grid",
        "/api/runs/small/tables/..%2f..%2frun.json",
        "/api/runs/small/download/..%2fgrid%2fbus.csv",
        "/..%2f..%2fapp.py",
        "/%2e%2e/app.py",
        "/../app.py",
        "/api/runs/small/../../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_run_folders(server: Server, path: str) -> None:
    client = server.client()
    request = client.build_request("GET", "/")
    request.url = httpx.URL(server.url).copy_with(raw_path=path.encode())
    assert client.send(request).status_code in (400, 404, 422)


def test_answers_forbid_framing_sniffing_and_foreign_scripts(server: Server) -> None:
    headers = server.client().get("/api/runs").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_public_address_is_known_by_address_and_own_name_only() -> None:
    access = Access("0.0.0.0", 1)
    assert access.host_allowed("10.0.0.7:8050")
    assert not access.host_allowed("rebound.example")


def test_sessions_do_not_pile_up() -> None:
    access = Access()
    first = access.open("viewer")
    for _ in range(256):
        access.open("operator")
    assert len(access.sessions) == 256
    assert first not in access.sessions


def test_answers_are_sent_at_once() -> None:
    """asyncio switches Nagle's algorithm off only where the listening socket names its protocol."""
    with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        assert accepted.proto == socket.IPPROTO_TCP
        accepted.close()
