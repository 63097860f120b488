"""The command ``similar``: stored states like a given one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import Json, guarded, print_json

if TYPE_CHECKING:
    from aurigrid.store.situations import Neighbour, Similar


@guarded
def similar(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders; the step is of the first.", show_default=False)
    ],
    step: Annotated[int, typer.Option(help="The step asked about, of the first run.", show_default=False)],
    k: Annotated[int, typer.Option("--k", min=1, help="States to find.")] = 20,
    where: Annotated[
        str | None,
        typer.Option(help="SQL condition on the states searched, over the columns of steps.", show_default=False),
    ] = None,
    later: Annotated[bool, typer.Option("--later", help="Search states later than the one asked about, too.")] = False,
    json: Json = False,
) -> None:
    """Find the stored states nearest to a step, why they are near, and what came next.

    Only states whose following hour was over then are searched. For example, working days with a line out:

    aurigrid similar RUN --step 37 --where "dayofweek(time) BETWEEN 1 AND 5 AND list_contains(branches_out, 'L7')"
    """
    from aurigrid.store.situations import similar as search

    found = search(runs, step, k=k, where=where, past=not later)
    if json:
        print_json(found.to_dict())
        return
    _print(found, several=len(runs) > 1, filtered=where is not None, past=not later)


def _print(found: Similar, several: bool, filtered: bool, past: bool) -> None:
    headings = [
        ("time", "l"),
        ("step", "r"),
        ("distance", "r"),
        ("insecure", "r"),
        ("broken", "r"),
        ("differs most", "l"),
    ]
    rows: list[list[Any]] = []
    for near in found.neighbours:
        after = near.after or {}
        most = near.different[0].name if near.different else None
        cells = [
            near.time,
            near.step,
            near.distance,
            after.get("outages_violating"),
            after.get("base_violations"),
            most,
        ]
        rows.append([Path(near.run).name, *cells] if several else cells)
    title = (
        f"States like {found.time} (step {found.step} of {found.run})\n"
        "insecure outages, and limits broken before any: the most of a step in the hour after"
    )
    show.table(title, [("run", "l"), *headings] if several else headings, rows)
    show.summary(_sentences(found, filtered, past), _next(found))


def _sentences(found: Similar, filtered: bool, past: bool) -> list[str]:
    kind = "earlier states" if past else "states"
    out = [
        f"{found.searched:,} {kind}{' that meet the condition' if filtered else ''} compared by {found.features} features."
    ]
    if found.unsolved:
        out.append(f"{found.unsolved:,} states without a solution were passed over.")
    if found.left_out:
        out.append(f"{len(found.left_out)} features that not all runs have were left out.")
    if not found.neighbours:
        return [*out, "None is left; widen the condition, add runs or search later states too (--later)."]
    first = found.neighbours[0]
    out.append(f"Nearest: {first.time} (step {first.step} of {first.run}), distance {first.distance:.2f}.")
    if first.alike:
        out.append(f"Near by: {'; '.join(t.words for t in first.alike)}.")
    if first.different:
        out.append(f"Different in: {'; '.join(t.words for t in first.different)}.")
    out.append(_what_came(first))
    if first.done:
        out.append(
            f"What was done then: {len(first.done)} rows in {', '.join(sorted({d['table'] for d in first.done}))}."
        )
    return out


def _what_came(near: Neighbour) -> str:
    after = near.after
    if after is None:
        return "The run ends there: the following hour is not known."
    moves = f"load {after['load_change_mw']:+,.0f} MW, wind {after['wind_change_mw']:+,.0f} MW"
    if after["secure"]:
        return f"The hour after stayed secure; {moves}."
    worst = ""
    if after["worst_severity"] is not None:
        what = (after["worst_kind"] or "").replace("_", " ")
        worst = f", worst {after['worst_contingency']}: {what} at {after['worst_element']}"
    return (
        f"In the hour after, up to {after['outages_violating']:,} outages broke limits{worst}; up to "
        f"{after['base_violations']:,} limits were broken before any outage; {moves}."
    )


def _what_was_done(near: Neighbour) -> str:
    """Curtailment and redispatch in words, and how many reasons are told."""
    figures = [
        f"{row[key]:,.0f} MW {word}"
        for row in near.done
        for key, word in (("redispatch_mw", "redispatched"), ("curtailed_mw", "curtailed"), ("short_mw", "missing"))
        if row.get(key) is not None
    ]
    reasons = sum(row["table"] == "reasons" for row in near.done)
    return ", ".join([*figures, *([f"{reasons} reasons told"] if reasons else [])]) or f"{len(near.done)} rows stored"


def _next(found: Similar) -> list[str]:
    if not found.neighbours:
        return []
    first = found.neighbours[0]
    columns = "step, time, load_mw, max_loading, outages_violating, worst_contingency"
    return [
        f'aurigrid sql {first.run} "SELECT {columns} FROM steps WHERE step BETWEEN {first.step} AND {first.step + 4}"'
    ]
