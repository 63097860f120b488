"""The gate before everything that the server answers: refuses what may not ask, and adds the safety headers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aurigrid.console.access import Access

MAX_BODY = 64 * 1024
"""Largest request body, bytes; the largest honest one is a query."""

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


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
