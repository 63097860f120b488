"""The command ``serve``: the control-room console on stored runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from aurigrid.cli.common import Json, guarded, print_json, say

RUNS = Path("runs")


@guarded
def serve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders, or folders of them; runs/ if none.", show_default=False),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8050,
    tls_cert: Annotated[Path | None, typer.Option(help="TLS certificate (PEM).", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).", show_default=False)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond this machine without TLS.")] = False,
    open: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
) -> None:
    """Show runs in a browser: map, timeline, outages, schedule, tables; finished or still running.

    Listens on this machine only and prints a link with a random token. Studies started from the page are written to
    runs/. Ctrl-C ends it.
    """
    show_runs(runs or [], host, port, (tls_cert, tls_key), insecure, open, json)


def show_runs(
    runs: list[Path],
    host: str = "127.0.0.1",
    port: int = 8050,
    tls: tuple[Path | None, Path | None] = (None, None),
    insecure: bool = False,
    open: bool = False,
    json: bool = False,
) -> None:
    """Serve until interrupted, and say where."""
    from aurigrid.console.serve import serve as listen

    def ready(links: dict[str, str]) -> None:
        if json:
            print_json({"links": links})
            sys.stdout.flush()
        else:
            print(f"Aurigrid console\n  operator  {links['operator']}\n  viewer    {links['viewer']}", flush=True)
            say("the links give access until the server ends (Ctrl-C)")
        if open:
            import webbrowser

            webbrowser.open(links["operator"])

    listen(runs, RUNS, host=host, port=port, cert=tls[0], key=tls[1], insecure=insecure, ready=ready)
