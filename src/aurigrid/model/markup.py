"""What a notebook shows of a network, a batch of scenarios and a set of profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurigrid.markup import Grid, card, counted, span, text
from aurigrid.model.scenario_input import OUTAGES, SOURCES
from aurigrid.model.table import Array
from aurigrid.model.tables import BRANCH_KINDS

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.model.profiles import Profiles
    from aurigrid.model.scenarios import Scenarios

_ROWS = 8


def network_html(net: Network) -> str:
    """Counts of each table, voltage levels, and the installed capacity by fuel."""
    on = net.load.in_service
    levels = np.unique(net.bus.v_nom_kv[~net.bus.is_star])[::-1]
    shown = ", ".join(f"{kv:g}" for kv in levels[:_ROWS].tolist()) + (", ..." if len(levels) > _ROWS else "")
    facts = [
        ("base", f"{net.base_mva:g} MVA, {net.frequency_hz:g} Hz"),
        ("voltage levels", f"{shown} kV"),
        ("load", f"{text(float(net.load.p_mw[on].sum()))} MW, {text(float(net.load.q_mvar[on].sum()))} Mvar"),
    ]
    rows = [(name, len(table), _remark(net, name)) for name, table in net.tables() if len(table)]
    return card(f"Network {net.name}".strip(), facts, Grid(("table", "rows", ""), rows), _fuels(net))


def _remark(net: Network, name: str) -> str:
    if name == "branch":
        count = np.bincount(net.branch.kind, minlength=len(BRANCH_KINDS))
        return ", ".join(f"{n:,} {kind}" for n, kind in zip(count.tolist(), BRANCH_KINDS, strict=True) if n)
    table = getattr(net, name)
    if "in_service" not in table.columns():
        return ""
    out = int(np.count_nonzero(~table.in_service))
    return f"{out:,} out of service" if out else ""


def _fuels(net: Network) -> Grid:
    fuel = np.where(net.gen.fuel == "", "unknown", net.gen.fuel).astype(str)
    names, which, count = np.unique(fuel, return_inverse=True, return_counts=True)
    limit = np.where(np.isfinite(net.gen.p_max_mw), net.gen.p_max_mw, 0.0)
    capacity, output = np.bincount(which, limit, len(names)), np.bincount(which, net.gen.p_mw, len(names))
    order = np.argsort(-capacity, kind="stable")[:_ROWS]
    rows = [(str(names[i]), int(count[i]), float(capacity[i]), float(output[i])) for i in order.tolist()]
    return Grid(("fuel", "units", "capacity, MW", "set to, MW"), rows, len(names))


def scenarios_html(scenarios: Scenarios) -> str:
    """What varies, between which values, and what is out."""
    n = scenarios.n
    varied = [name for name in SOURCES if getattr(scenarios, name) is not None]
    rows = []
    for name in varied:
        values = scenarios.values(name) if n * len(getattr(scenarios.net, SOURCES[name][0])) <= 5_000_000 else None
        rows.append((name, "not looked at, too many" if values is None else _range(values)))
    counts = {name: np.diff(getattr(scenarios, name).ptr) for name in OUTAGES}
    out = [(name, int(count.sum()), int(count.max(initial=0))) for name, count in counts.items()]
    outages = Grid(("out of service", "in all", "most in one"), [row for row in out if row[1]])
    facts = [("network", scenarios.net.name or "unnamed"), ("varied", ", ".join(varied) or "nothing")]
    if scenarios.label is not None and n:
        facts.append(("labels", f"{scenarios.label[0]} to {scenarios.label[-1]}"))
    return card(counted(n, "scenario"), facts, Grid(("argument", "values"), rows), outages)


def _range(values: Array) -> str:
    finite = values[np.isfinite(values)]
    return span(float(finite.min()), float(finite.max()), "") if finite.size else "–"


def profiles_html(profiles: Profiles) -> str:
    """The time axis and the series; no value is read."""
    first, last = (str(np.datetime64(t, "m")).replace("T", " ") for t in profiles.local[[0, -1]])
    facts = [
        ("steps", f"{profiles.n_steps:,} of {profiles.step_min:g} min"),
        ("from, to", f"{first}, {last} {profiles.zone}".strip()),
    ]
    rows = [(f"{table}.{column}", len(s.position)) for (table, column), s in profiles.series.items()]
    return card("Profiles", facts, Grid(("series", "elements"), rows))
