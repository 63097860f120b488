"""HTML for notebooks: one compact card an object, of escaped text, without scripts, style sheets or anything from outside.

Colours are those of the page (``inherit``) and half-transparent grey, so that cards read on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_CARD = (
    "display:inline-block;max-width:100%;overflow-x:auto;box-sizing:border-box;padding:.6em .9em;font-size:.92em;"
    "border:1px solid rgba(128,128,128,.45);border-radius:.4em;color:inherit;background:transparent"
)
_TABLE = "border-collapse:collapse;margin:.5em 0 0;color:inherit;background:transparent"
_CELL = "padding:.1em .9em .1em 0;border:0;text-align:{};white-space:nowrap;vertical-align:top;background:transparent"
_WRAPPED = "padding:.1em 0;border:0;text-align:left;white-space:normal;max-width:40em;background:transparent"
_HEAD = "border-bottom:1px solid rgba(128,128,128,.45);font-weight:600"
_FAINT = "opacity:.75"


@dataclass(frozen=True)
class Grid:
    """A table of a card: headings, rows of text or numbers, and how many rows there are in all."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    total: int | None = None


def card(title: str, facts: Sequence[tuple[str, object]], *grids: Grid) -> str:
    """One object: a title, facts as label and value, and tables."""
    parts = [f'<div style="font-weight:600">{escape(title)}</div>']
    if facts:
        rows = "".join(
            f'<tr style="background:transparent"><td style="{_CELL.format("left")};{_FAINT}">{escape(label)}</td>'
            f'<td style="{_WRAPPED}">{escape(text(value))}</td></tr>'
            for label, value in facts
        )
        parts.append(f'<table style="{_TABLE}">{rows}</table>')
    parts += [_grid(grid) for grid in grids if grid.rows]
    return f'<div style="{_CARD}">{"".join(parts)}</div>'


def text(value: object) -> str:
    """A value as short text: numbers with four digits, a dash where there is none."""
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value == 0:
            return "0"
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return str(value)


def counted(n: int, what: str) -> str:
    """A number of things, the plural by an s."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def span(least: float, most: float, unit: str) -> str:
    """A range in words; one number where both ends are the same."""
    if least != least:
        return "–"
    both = text(float(least)) if least == most else f"{text(float(least))} to {text(float(most))}"
    return f"{both} {unit}".strip()


def _grid(grid: Grid) -> str:
    numeric = [
        all(isinstance(row[i], (int, float)) or row[i] is None for row in grid.rows) for i in range(len(grid.headings))
    ]
    align = ["right" if right else "left" for right in numeric]
    head = "".join(
        f'<th style="{_CELL.format(a)};{_HEAD}">{escape(name)}</th>'
        for name, a in zip(grid.headings, align, strict=True)
    )
    body = "".join(
        '<tr style="background:transparent">'
        + "".join(f'<td style="{_CELL.format(a)}">{escape(text(v))}</td>' for v, a in zip(row, align, strict=True))
        + "</tr>"
        for row in grid.rows
    )
    more = (grid.total or 0) - len(grid.rows)
    note = f'<div style="{_FAINT}">and {more:,} more</div>' if more > 0 else ""
    top = f'<thead><tr style="background:transparent">{head}</tr></thead>'
    return f'<table style="{_TABLE}">{top}<tbody>{body}</tbody></table>{note}'
