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

from aurigrid.console.library import Library
from aurigrid.errors import InputError, Issue, MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from aurigrid.console.access import Access
    from aurigrid.console.pages import Console


def require_safe(host: str, cert: Path | None, key: Path | None, insecure: bool) -> None:
    """Refuse to listen beyond this machine in clear text unless that is asked for.

    Raises:
        InputError: the address is public and neither TLS nor `insecure` is given, or only one TLS file, or none there.
    """
    issues = []
    if (cert is None) != (key is None):
        issues.append(Issue("serve", "tls", "needs both --tls-cert and --tls-key"))
    issues += [Issue(str(f), "", "there is no such file") for f in (cert, key) if f is not None and not f.is_file()]
    from aurigrid.console.access import is_loopback

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
    found = socket.socket(family, socket.SOCK_STREAM)
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
    try:
        import uvicorn

        from aurigrid.console.access import Access, Gate
        from aurigrid.console.pages import Console
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "uvicorn", "console", "the console") from error
    if find_spec("fastapi") is None:
        raise MissingExtraError("fastapi", "console", "the console")
    require_safe(host, cert, key, insecure)
    library = Library(runs, root)
    listening = bind(host, port)
    access = Access(host, listening.getsockname()[1], cert is not None)
    console = Console()
    config = uvicorn.Config(
        Gate(console, access),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    ready(links(access))
    # The API, and what the first map needs, are loaded while the browser starts.
    threading.Thread(target=_load, args=(console, library, root), daemon=True).start()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            console.end()
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # answers that are cut off now are no news
            super().handle_exit(sig, frame)

    with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
        Server(config).run(sockets=[listening])


def _load(console: Console, library: Library, root: Path) -> None:
    def make() -> FastAPI:
        from aurigrid.console.app import create_api
        from aurigrid.console.jobs import Jobs

        return create_api(library, Jobs(root))

    console.load(make)
    from aurigrid.console.routes import warm

    warm(library)


def links(access: Access) -> dict[str, str]:
    """The link of each role."""
    scheme = "https" if access.secure else "http"
    host = f"[{access.host}]" if ":" in access.host else access.host
    return {role: f"{scheme}://{host}:{access.port}/open?token={token}" for role, token in access.tokens.items()}
