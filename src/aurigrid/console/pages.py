"""What a browser asks first: the built pages, answered while the API and what it shows are still being loaded.

A browser takes about as long to set up its graphics as Python takes to import FastAPI; so both begin at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from aurigrid.console.access import problem

if TYPE_CHECKING:
    from fastapi import FastAPI

STATIC = Path(__file__).parent / "static"


class Console:
    """ASGI application: paths below ``/api/`` go to the API as soon as it is there, all others to the built pages."""

    def __init__(self) -> None:
        self._pages = StaticFiles(directory=STATIC, html=True)
        self._api: Future[FastAPI] = Future()

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
            api = await asyncio.wrap_future(self._api)
            await api(scope, receive, send)
        else:
            try:
                await self._pages(scope, receive, send)
            except HTTPException as error:  # no such file, or a method that files do not know
                await problem(error.status_code, error.detail)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._api.done() and self._api.exception() is None:
            await run_in_threadpool(self._api.result().state.jobs.close)
        await send({"type": "lifespan.shutdown.complete"})
