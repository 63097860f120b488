"""Who may ask: tokens, sessions, roles, and which hosts and origins a request may name.

A start-up token is random and stands in the link that `aurigrid serve` prints. Opening the link exchanges it for a
session cookie that scripts of a page cannot read. Scripts of a user may send the token itself as a bearer token.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Role = Literal["viewer", "operator"]

MAX_BODY = 64 * 1024
"""Largest request body, bytes; the largest honest one is a query."""

MAX_SESSIONS = 256

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass
class Access:
    """Tokens of this start, and the sessions opened with them.

    Attributes:
        host: the address that the server is bound to.
        port: its port; part of the cookie's name, so that two consoles on one machine do not sign each other out.
        secure: whether the server speaks TLS.
        tokens: token of each role.
    """

    host: str = "127.0.0.1"
    port: int = 0
    secure: bool = False
    tokens: dict[Role, str] = field(
        default_factory=lambda: {"operator": secrets.token_urlsafe(24), "viewer": secrets.token_urlsafe(24)}
    )
    sessions: dict[str, Role] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """Name of the session cookie."""
        return f"aurigrid_{self.port}"

    def role_of_token(self, given: str) -> Role | None:
        """The role that a token gives, compared in constant time."""
        found: Role | None = None
        for role, token in self.tokens.items():
            if hmac.compare_digest(token.encode(), given.encode("utf-8", "replace")):
                found = role
        return found

    def open(self, role: Role) -> str:
        """Start a session; the oldest one ends where there are too many."""
        while len(self.sessions) >= MAX_SESSIONS:
            self.sessions.pop(next(iter(self.sessions)))
        session = secrets.token_urlsafe(32)
        self.sessions[session] = role
        return session

    def role(self, headers: Headers) -> Role | None:
        """The role that a request has, by its bearer token or its cookie."""
        given = headers.get("authorization", "")
        if given:
            return self.role_of_token(given[7:]) if given[:7].lower() == "bearer " else None
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie and value in self.sessions:
                return self.sessions[value]
        return None

    def host_allowed(self, given: str) -> bool:
        """Whether a Host header names this machine.

        A foreign name that resolves here (DNS rebinding) is refused; an address cannot be rebound.
        """
        name = _host_of(given)
        if name is None:
            return False
        local = {"localhost", self.host.lower()}
        if not is_loopback(self.host):
            local |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        if name in local:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if is_loopback(self.host) else True


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_of(given: str) -> str | None:
    try:
        return (urlsplit(f"//{given}").hostname or "").lower() or None
    except ValueError:
        return None


class Gate:
    """ASGI middleware: refuses what may not ask before any route sees it, and adds the safety headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = [(k, v) for k, v in message["headers"] if k.decode() not in _HEADERS]
                have += [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                if scope["path"].startswith("/api/"):
                    have.append((b"cache-control", b"no-store"))
                message = {**message, "headers": have}
            await send(message)

        if refused is not None:
            await refused(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        access, path = self.access, scope["path"]
        host = headers.get("host", "")
        if not access.host_allowed(host):
            return problem(421, f"this server is not called {host!r}", "use the link that aurigrid serve printed")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return problem(403, "the request comes from another site")
        if headers.get("sec-fetch-site") == "cross-site" and path.startswith("/api/"):
            return problem(403, "the request comes from another site")
        if path == "/open":
            return self._opened(scope)
        if not path.startswith("/api/"):
            return None  # the page itself holds no data
        role = access.role(headers)
        if role is None:
            return problem(401, "no session", "open the link that aurigrid serve printed")
        length = headers.get("content-length")
        if scope["method"] not in ("GET", "HEAD") and (length is None or not length.isdigit()):
            return problem(411, "the length of the body is not stated")
        if length is not None and (not length.isdigit() or int(length) > MAX_BODY):
            return problem(413, f"the request is larger than {MAX_BODY} bytes")
        scope.setdefault("state", {})["role"] = role
        return None

    def _opened(self, scope: Scope) -> Response:
        from urllib.parse import parse_qs

        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        role = self.access.role_of_token(given)
        if role is None:
            return problem(403, "the token is not the one of this start", "open the link printed by aurigrid serve")
        answer = RedirectResponse("/", status_code=303, headers={"cache-control": "no-store"})
        answer.set_cookie(
            self.access.cookie,
            self.access.open(role),
            httponly=True,
            samesite="strict",
            secure=self.access.secure,
        )
        return answer


def problem(status: int, message: str, hint: str = "", **more: Any) -> JSONResponse:
    """The one form of every refusal."""
    issue = {"where": "", "field": "", "message": message, "hint": hint}
    return JSONResponse({"issues": [issue], **more}, status_code=status)
