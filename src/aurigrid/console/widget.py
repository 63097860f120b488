"""The console's map in a notebook: an anywidget that draws with the same module as the page.

Needs the extra ``notebook``. Nothing is loaded from outside; the module comes with the package.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aurigrid.errors import InputError, Issue, MissingExtraError
from aurigrid.model.network import Network

if TYPE_CHECKING:
    from aurigrid.powerflow import Solution
    from aurigrid.store import Run

_MODULE = Path(__file__).parent / "static" / "widget.js"

_STYLE = """
.aurigrid-map { position: relative; overflow: hidden; border: 1px solid rgba(128,128,128,.45); border-radius: 4px; }
.aurigrid-map:focus-visible { outline: 2px solid #1b7f99; }
.aurigrid-map canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.aurigrid-key { display: flex; flex-wrap: wrap; gap: 2px 14px; font: 12px system-ui, sans-serif; padding: 4px 0; }
.aurigrid-key span { display: inline-flex; align-items: center; gap: 5px; }
.aurigrid-key i { width: 9px; height: 9px; border-radius: 50%; }
.aurigrid-key em { width: 90px; height: 8px; border-radius: 2px; }
.aurigrid-key b { height: 5px; border: 1px solid currentColor; border-top: 0; }
"""


def grid_widget(
    source: Network | Solution | Run,
    step: int = 0,
    *,
    theme: Literal["light", "dark"] = "light",
    buses: Literal["level", "voltage"] = "level",
    height: int = 460,
) -> Any:
    """An interactive map for a notebook cell: pan, zoom, and what is clicked as the trait ``selected`` (``"branch:7"``).

    Args:
        source: a network; a solution, of which one scenario is drawn; or a stored run, of which one step is.
        step: the scenario or step; the trait ``step`` changes it, with an `ipywidgets` slider for example.
        theme: ``"light"`` or ``"dark"``.
        buses: what buses are coloured by.
        height: pixels.

    Returns:
        A widget with the traits ``step``, ``selected``, ``theme``, ``buses`` and ``height``.

    Raises:
        InputError: an unknown theme or colouring, or a step that is not there or has no solution.
        MissingExtraError: anywidget is not installed.
    """
    issues = [
        Issue("map", name, f"is {value!r}", hint=f"choose {' or '.join(words)}")
        for name, value, words in (("theme", theme, ("light", "dark")), ("buses", buses, ("level", "voltage")))
        if value not in words
    ]
    if issues:
        raise InputError(issues)
    return _kind()(source, step, theme=theme, buses=buses, height=height)


@cache
def _kind() -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise MissingExtraError("anywidget", "notebook", "the map in a notebook") from error

    class GridMap(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """The map; see `grid_widget`."""

        _esm = _MODULE
        _css = _STYLE
        grid = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        step = traitlets.Int().tag(sync=True)
        selected = traitlets.Unicode().tag(sync=True)
        theme = traitlets.Unicode().tag(sync=True)
        buses = traitlets.Unicode().tag(sync=True)
        height = traitlets.Int().tag(sync=True)

        def __init__(self, source: Any, step: int, **looks: Any) -> None:
            net, state = _network(source), _state(source, step)
            super().__init__(grid=_grid(net), state=state, step=step, **looks)
            self._source = source
            self.observe(self._moved, "step")

        def _moved(self, change: Any) -> None:
            self.state = _state(self._source, change["new"])

    return GridMap


def _network(source: Network | Solution | Run) -> Network:
    from aurigrid.io.folder import load_folder

    if isinstance(source, Network):
        return source
    return source.net if hasattr(source, "net") else load_folder(source.path / "grid")[0]


def _grid(net: Network) -> dict[str, Any]:
    from aurigrid.console.content import grid_of

    found: dict[str, Any] = asdict(grid_of(net))
    return found


def _state(source: Any, step: int) -> dict[str, Any]:
    """Columns of the tables of a state; none for a network alone."""
    from aurigrid.console.columns import Columns, packed

    if isinstance(source, Network):
        return {}
    if not hasattr(source, "net"):  # a stored run
        from aurigrid.console.content import state
        from aurigrid.console.library import Entry

        if step not in source.steps:
            raise InputError(Issue("map", "step", f"{step} is not a finished step of {source.path}"))
        found = state(Entry("", source.path), step)
        return {name: asdict(getattr(found, name)) for name in ("bus", "branch", "gen")}
    if not 0 <= step < source.n:
        raise InputError(Issue("map", "step", f"{step} does not exist", hint=f"there are {source.n} scenarios"))
    if not source.converged[step]:
        raise InputError(Issue("map", "step", f"scenario {step} has no solution"))
    flow = source.branch_flow()
    tables = {
        "bus": {"v_mag": source.v_mag[step], "v_ang": source.v_ang[step]},
        "branch": {name: getattr(flow, name)[step] for name in ("p_from_mw", "q_from_mvar", "p_to_mw", "loading")},
        "gen": {"p_mw": source.gen_p_mw[step], "q_mvar": source.gen_q_mvar[step]},
    }
    return {
        name: asdict(
            Columns(
                rows=len(next(iter(columns.values()))),
                columns={column: packed(np.asarray(v), "f32") for column, v in columns.items()},
            )
        )
        for name, columns in tables.items()
    }
