"""Starting the server: where it may listen, and what it prints."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from aurigrid.console.access import Access, is_loopback
from aurigrid.console.library import Entry, Library
from aurigrid.errors import AurigridError, InputError, Issue, MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from aurigrid.console.pages import Console


_PATIENCE = 2.5
"""Seconds to wait for a question that needs the API before it is loaded all the same."""


def require_safe(host: str, cert: Path | None, key: Path | None, insecure: bool) -> None:
    """Refuse to listen beyond this machine in clear text unless that is asked for.

    Raises:
        InputError: the address is public and neither TLS nor `insecure` is given, or only one TLS file, or none there.
    """
    issues = []
    if (cert is None) != (key is None):
        issues.append(Issue("serve", "tls", "needs both --tls-cert and --tls-key"))
    issues += [Issue(str(f), "", "there is no such file") for f in (cert, key) if f is not None and not f.is_file()]
    if not is_loopback(host) and cert is None and not insecure:
        hint = "give --tls-cert and --tls-key, or accept that with --insecure"
        issues.append(Issue("serve", "host", f"{host} is reachable from other machines, in clear text", hint=hint))
    if issues:
        raise InputError(issues)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InputError: the port is in use or not allowed, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off for what it accepts; each answer would wait 40 ms else.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            hint = "another console may be running; --port 0 takes a free one"
            raise InputError(Issue("serve", "port", f"{port} is in use", hint=hint)) from None
        raise InputError(Issue("serve", "host", f"cannot listen on {host}:{port} ({error.strerror})")) from None
    return found


def serve(
    runs: Sequence[Path],
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    cert: Path | None = None,
    key: Path | None = None,
    insecure: bool = False,
    ready: Callable[[dict[str, str]], None],
) -> None:
    """Show runs until interrupted.

    Args:
        runs: run folders, or folders of them.
        root: where studies started from the page are written.
        host, port: where to listen; port 0 takes a free one.
        cert, key: TLS files.
        insecure: listen beyond this machine without TLS.
        ready: called with the link of each role once the port is open.

    Raises:
        InputError: folders that are no runs, an unsafe address, a port in use.
        MissingExtraError: the packages of the extra ``console`` are not installed.
    """
    for package in ("uvicorn", "fastapi"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "console", "the console")
    require_safe(host, cert, key, insecure)
    library = Library(runs, root)
    listening = bind(host, port)
    access = Access(host, listening.getsockname()[1], cert is not None)
    ready(links(access))  # who asks now waits in the queue of the socket
    import uvicorn

    from aurigrid.console.gate import Gate
    from aurigrid.console.pages import Console

    console = Console(library)
    config = uvicorn.Config(
        Gate(console, access),
        log_level="warning",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    # What the first map needs, then the API, are loaded while the browser starts.
    threading.Thread(target=_load, args=(console, library, root), daemon=True).start()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            console.end()
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # answers that are cut off now are no news
            super().handle_exit(sig, frame)

    with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
        Server(config).run(sockets=[listening])


def _load(console: Console, library: Library, root: Path) -> None:
    from aurigrid.console.opening import opening

    def make() -> FastAPI:
        from aurigrid.console.app import create_api
        from aurigrid.console.jobs import Jobs

        return create_api(library, Jobs(root))

    opening(library, "viewer", None, None)  # so that it is at hand, unless it is kept anyway
    console.wanted.wait(_PATIENCE)  # a browser that is on its way draws its first map before anything else is loaded
    console.load(make)
    with contextlib.suppress(AurigridError, ValueError):  # what is damaged is told when it is asked for
        for entry in library.entries():
            if entry.run().steps:
                _read_ahead(entry, entry.run().steps[0])
                break


def _read_ahead(entry: Entry, step: int) -> None:
    """What is asked first about a run."""
    from aurigrid.console.after import engine_ahead
    from aurigrid.console.content import read_ahead
    from aurigrid.console.findings import findings_ahead

    read_ahead(entry, step)
    findings_ahead(entry, step)
    engine_ahead(entry, step)


def links(access: Access) -> dict[str, str]:
    """The link of each role."""
    scheme = "https" if access.secure else "http"
    host = f"[{access.host}]" if ":" in access.host else access.host
    return {role: f"{scheme}://{host}:{access.port}/open?token={token}" for role, token in access.tokens.items()}
