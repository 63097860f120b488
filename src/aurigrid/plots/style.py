"""What all figures share: colours, axes, and errors told in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aurigrid.store import Run

OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#5b5b5b")
OVER = "#d55e00"
FAINT = "#9aa3ab"
LOADING_RAMP = ("#d5dce0", "#7fb2cf", "#0072b2", "#08306b")
"""Quantities on a map, from what should not draw the eye to what should; lightness falls throughout."""
FUEL_COLOURS = {
    "wind": "#56b4e9", "solar": "#f0c808", "hydro": "#0072b2", "nuclear": "#cc79a7", "lignite": "#6b4a2b", "coal": "#3c3c3c",
    "gas": "#e69f00", "oil": "#8c2d04", "biomass": "#009e73", "waste": "#7f9f3f", "import": "#b9a6d6", "unknown": "#bdbdbd",
}  # fmt: skip
"""Colours of fuels; others follow in the palette."""


def pyplot() -> Any:
    """Matplotlib's pyplot.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "a figure") from error
    return plt


def axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """The figure and axes to draw on: those given, or new ones of a size in inches."""
    if ax is None:
        fig, ax = pyplot().subplots(figsize=size, layout="constrained")
    else:
        fig = ax.figure
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def nothing(what: str, message: str, hint: str = "") -> InputError:
    """The error of a figure that has nothing to show."""
    return InputError(Issue("plots", what, message, hint=hint))


def title_of(run: Run) -> str:
    """Name and date of a run."""
    return ", ".join(str(part) for part in (run.info.grid.get("name"), run.info.options.get("date")) if part)


def time_axis(ax: Axes, time: Any) -> None:
    """Hours on the horizontal axis, with dates where the times span more than a day."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    ax.set_xlim(time[0], time[-1] if len(time) > 1 else None)
