"""What a browser asks first: the built pages and the opening data, answered while the API is still being loaded.

A browser takes about as long to set up its graphics as Python takes to import FastAPI; so both begin at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aurigrid.console.gate import problem

if TYPE_CHECKING:
    from fastapi import FastAPI

    from aurigrid.console.library import Library

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class Console:
    """ASGI application: paths below ``/api/`` go to the API as soon as it is there, all others to the built pages."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._pages = {f"/{f.name}": (f.read_bytes(), _TYPES[f.suffix]) for f in STATIC.iterdir() if f.suffix in _TYPES}
        self._pages["/"] = self._pages["/index.html"]
        self._api: Future[FastAPI] = Future()
        self.wanted = threading.Event()
        """Set when something is asked for that only the API answers."""

    def load(self, make: Callable[[], FastAPI]) -> None:
        """Make the API; requests that wait for it are answered then, or all fail with what went wrong."""
        try:
            self._api.set_result(make())
        except BaseException as error:
            self._api.set_exception(error)
            raise

    def end(self) -> None:
        """Ask streams that have no end to end."""
        if self._api.done() and self._api.exception() is None:
            self._api.result().state.ending = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/api/"):
            if not self._api.done() and (scope["method"], scope["path"]) == ("GET", "/api/opening"):
                answer = await asyncio.to_thread(self._opening, scope)
                if answer is not None:
                    await answer(scope, receive, send)
                    return
            self.wanted.set()
            # Shielded: who gives up waiting does not end it for the others.
            api = await asyncio.shield(asyncio.wrap_future(self._api))
            await api(scope, receive, send)
        elif scope["type"] == "http":
            await self._page(scope)(scope, receive, send)

    def _opening(self, scope: Scope) -> Response | None:
        """The answer of the route of that name; None where only the API can tell what is wrong with the question."""
        from aurigrid.console.opening import opening

        given = parse_qs(scope["query_string"].decode("latin-1"))
        run, step = (given.get(name, [None])[-1] for name in ("run", "step"))
        if step is not None and not (step.isascii() and step.isdigit() and len(step) < 7):
            return None
        found = opening(self._library, scope["state"]["role"], run, None if step is None else int(step))
        return Response(found, media_type="application/json")

    def _page(self, scope: Scope) -> Response:
        """A file of the built pages, by its exact name."""
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "the pages are only read")
        if scope["path"] not in self._pages:
            return problem(404, "there is no such page")
        content, kind = self._pages[scope["path"]]
        tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
        head = {"etag": tag, "cache-control": "no-cache", "content-type": kind}
        if Headers(scope=scope).get("if-none-match") == tag:
            return Response(status_code=304, headers=head)
        return Response(content, headers=head)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._api.done() and self._api.exception() is None:
            await asyncio.to_thread(self._api.result().state.jobs.close)
        await send({"type": "lifespan.shutdown.complete"})
