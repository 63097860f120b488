"""Draw a stored day: the grid at its worst step, and the day's load, wind and insecure outages. Writes one SVG.

    aurigrid day
    python examples/day_picture.py runs/1-EHV-mixed--0-no_sw_2016-12-06 docs/images/day.svg

The worst step is the one with most outages that break a limit which held before. Buses need coordinates.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError
from aurigrid.io import catalogue
from aurigrid.store import Run, open_run

WIDTH, HEIGHT, MAP_WIDTH = 1120, 720, 500
INK, GREY = "#24303a", "#8a97a3"
CLASSES = (
    ("up to 50 % loaded", "#c3ccd4", 0.9),
    ("over 50 % loaded", "#3f83ad", 1.3),
    ("overloaded after an outage", "#e39a2d", 2.0),
    ("overloaded before any outage", "#c02a2a", 2.6),
)

_WORST = "SELECT step, strftime(time, '%H:%M') AS at FROM steps ORDER BY outages_violating DESC, step LIMIT 1"
_STEPS = """
SELECT strftime(time, '%H:%M') AS at, load_mw, coalesce(gen_by_fuel_mw['wind'], 0) AS wind_mw, outages,
       outages_violating
FROM steps ORDER BY step
"""
_BRANCHES = """
SELECT f.lon AS lon_a, f.lat AS lat_a, t.lon AS lon_b, t.lat AS lat_b, coalesce(s.loading, 0) AS loading,
       b.position IN (SELECT element FROM violations WHERE step = $step AND kind LIKE 'overload%' AND contingency >= 0
                      AND new) AS after_outage
FROM branch b JOIN branch_state s ON s.branch = b.position AND s.step = $step
JOIN bus f ON f.position = b.from_bus JOIN bus t ON t.position = b.to_bus
WHERE b.in_service AND isfinite(f.lon) AND isfinite(t.lon)
"""

Rows = list[dict[str, Any]]


def ask(run: Run, query: str, **values: object) -> Rows:
    """Rows of a query as plain data."""
    found: Rows = run.sql(query, values or None).to_pylist()
    return found


def branch_class(row: dict[str, Any]) -> int:
    """Position in `CLASSES`."""
    if row["loading"] > 1.0:
        return 3
    return 2 if row["after_outage"] else int(row["loading"] > 0.5)


def text(x: float, y: float, words: str, size: int = 13, fill: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{words}</text>'


def draw_map(rows: Rows, title: str) -> list[str]:
    """Branches by class, the worst on top; those within one place (transformers) as dots."""
    lon = np.array([[r["lon_a"], r["lon_b"]] for r in rows])
    lat = np.array([[r["lat_a"], r["lat_b"]] for r in rows])
    squeeze = np.cos(np.deg2rad(lat.mean()))  # a degree east is shorter than a degree north
    top, room = 70.0, HEIGHT - 190.0
    scale = min((MAP_WIDTH - 40) / (np.ptp(lon) * squeeze), room / np.ptp(lat))
    x, y = 20 + (lon - lon.min()) * squeeze * scale, top + (lat.max() - lat) * scale
    kind = np.array([branch_class(r) for r in rows])
    out = [text(20, 34, title, 17)]
    for k in np.argsort(kind, kind="stable"):
        _, colour, width = CLASSES[kind[k]]
        (xa, xb), (ya, yb) = x[k], y[k]
        if np.hypot(xa - xb, ya - yb) > 1.0:
            ends = f'x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}"'
            out.append(f'<line {ends} stroke="{colour}" stroke-width="{width}"/>')
        elif kind[k] >= 2:
            out.append(f'<circle cx="{xa:.1f}" cy="{ya:.1f}" r="{1.6 * width:.1f}" fill="{colour}"/>')
    for i, (words, colour, width) in enumerate(CLASSES):
        at = HEIGHT - 96 + 22 * i
        out.append(f'<line x1="20" y1="{at}" x2="52" y2="{at}" stroke="{colour}" stroke-width="{2 * width}"/>')
        out.append(text(62, at + 4.5, f"{words}: {np.sum(kind == i)} branches"))
    return out


def draw_strip(
    top: float, height: float, title: str, times: Sequence[str], series: Sequence[tuple[str, Any, str]], bars: bool
) -> list[str]:
    """One diagram over the day, from zero; `series` are (name, values, colour)."""
    left, right = MAP_WIDTH + 60.0, WIDTH - 20.0
    most = max(float(np.max(values)) for _, values, _ in series) or 1.0
    unit = 10.0 ** np.floor(np.log10(most))
    tick = unit * next(f for f in (0.1, 0.2, 0.5, 1, 2, 5) if most / (f * unit) <= 5)
    ceiling = tick * np.ceil(most / tick)
    slot = (right - left) / len(times)
    bottom = top + height
    out = [text(left, top - 14, title, 14)]
    for value in np.arange(0, ceiling + tick / 2, tick):
        at = bottom - height * value / ceiling
        out.append(f'<line x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="#e3e8ec"/>')
        out.append(text(left - 8, at + 4, f"{value:g}", 12, GREY, "end"))
    hours = range(0, len(times), max(1, len(times) // 8))
    out += [text(left + i * slot, bottom + 18, times[i], 12, GREY, "middle") for i in hours]
    for name, values, colour in series:
        height_of = height * np.asarray(values, float) / ceiling
        if bars:
            out += [
                f'<rect x="{left + i * slot + 0.5:.1f}" y="{bottom - h:.1f}" width="{slot - 1:.1f}" height="{h:.1f}" '
                f'fill="{colour}"/>'
                for i, h in enumerate(height_of)
            ]
            continue
        points = " ".join(f"{left + (i + 0.5) * slot:.1f},{bottom - h:.1f}" for i, h in enumerate(height_of))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(text(right - 4, bottom - height_of[-1] - 8, name, 13, colour, "end"))
    return out


def picture(run: Run) -> str:
    """The SVG of a run."""
    steps, branches = ask(run, _STEPS), []
    if steps:
        worst = ask(run, _WORST)[0]
        branches = ask(run, _BRANCHES, step=worst["step"])
    if not branches:
        raise SystemExit(f"{run.path}: no finished step, or no branch whose buses have coordinates")
    times = [s["at"] for s in steps]
    insecure = [s["outages_violating"] for s in steps]
    colours = [INK, "#2f8f6b"]
    known = run.info.grid["name"] in catalogue.simbench_codes()
    source = "Grid data: SimBench (ODbL)" if known else ""
    body = [
        *draw_map(branches, f"{run.info.grid['name']}, {run.info.options['date']}, {worst['at']}"),
        *draw_strip(
            90, 210, "Load and wind, GW", times,
            [
                (name, [s[f"{name}_mw"] / 1000 for s in steps], colour)
                for name, colour in zip(("load", "wind"), colours, strict=True)
            ],
            bars=False,
        ),
        *draw_strip(
            400, 210, f"Outages, of {steps[0]['outages']:,}, that break a limit which held before", times,
            [("", insecure, "#e39a2d")], bars=True,
        ),
        text(WIDTH - 20, HEIGHT - 16, source, 12, GREY, "end"),
    ]  # fmt: skip
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *body,
            "</svg>\n",
        ]
    )


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        drawn = picture(open_run(Path(arguments[0])))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    Path(arguments[1]).write_text(drawn, encoding="utf-8")
    print(f"{arguments[1]}: {len(drawn) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
