"""Units of a pandapower net, with their limits and costs, and the coordinates of its buses.

Conventions of the source: loads, storage and wards count consumption positive, units and static generators injection;
every power is multiplied by the element's ``scaling``. pandapower documentation, "Electric Model" of each element.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from aurigrid.io.pandapower_frame import (
    Frame,
    Rows,
    flags,
    inner_buses,
    note_balanced,
    numbers,
    phase_sums,
    texts,
)
from aurigrid.model import tables as t
from aurigrid.model.table import Array

_FUELS = (
    ("wind", ("wind", "wp", "wea", "wka")),
    ("solar", ("pv", "solar", "photovoltaic")),
    ("hydro", ("hydro", "run of river", "water", "pump", "ror")),
    ("lignite", ("lignite", "brown coal")),
    ("coal", ("coal",)),
    ("gas", ("gas", "ccgt", "ocgt")),
    ("oil", ("oil", "diesel")),
    ("nuclear", ("nuclear",)),
    ("biomass", ("bio",)),
    ("waste", ("waste",)),
    ("geothermal", ("geotherm",)),
    ("import", ("imp",)),
)


def fuel_of(kind: str) -> str:
    """Primary energy by the source's free text of a unit's type; empty where it does not say."""
    low = kind.lower()
    return next(
        (fuel for fuel, words in _FUELS if any(low.startswith(w) or f" {w}" in low for w in words)), ""
    ) or next((fuel for fuel, words in _FUELS if any(len(w) > 3 and w in low for w in words)), "")


# ---- units ----------------------------------------------------------------------------------------------------------


def convert_units(frame: Frame) -> t.GenTable:
    """External grids, generators, static generators and the sources inside extended wards, in that order."""
    rows = Rows()
    add_external_grids(frame, rows)
    add_generators(frame, rows)
    add_static_generators(frame, rows)
    data = frame.table("xward")
    if len(data):
        at = frame.buses("xward")
        rows.add(
            len(data),
            id=frame.ids("xward"),
            name=texts(data, "name"),
            bus=inner_buses(frame, "xward"),
            v_set_pu=numbers(data, "vm_pu", 1.0),
            regulates=True,
            p_min_mw=0.0,
            p_max_mw=0.0,
            participation=numbers(data, "slack_weight", 0.0),
            in_service=frame.on("xward", at),
        )
    return rows.make(t.GenTable)


def limits(data: Any, scaling: Array | float = 1.0) -> dict[str, Array]:
    """Active and reactive limits, infinite where the source has none."""
    return {
        "p_min_mw": numbers(data, "min_p_mw", -np.inf) * scaling,
        "p_max_mw": numbers(data, "max_p_mw", np.inf) * scaling,
        "q_min_mvar": numbers(data, "min_q_mvar", -np.inf) * scaling,
        "q_max_mvar": numbers(data, "max_q_mvar", np.inf) * scaling,
    }


def add_external_grids(frame: Frame, rows: Rows) -> None:
    data = frame.table("ext_grid")
    if not len(data):
        return
    at = frame.buses("ext_grid")
    on = frame.on("ext_grid", at)
    frame.report.count("ext_grid", on)
    kind = texts(data, "type")
    rows.add(
        len(data),
        id=frame.ids("ext_grid"),
        name=texts(data, "name"),
        bus=at,
        p_mw=numbers(data, "p_disp_mw", 0.0),
        v_set_pu=numbers(data, "vm_pu", 1.0),
        v_ang_deg=numbers(data, "va_degree", 0.0),
        regulates=True,
        is_reference=on,
        participation=numbers(data, "slack_weight", 1.0),
        fuel=[fuel_of(k) for k in kind],
        technology=kind,
        in_service=on,
        **limits(data),
    )


def add_generators(frame: Frame, rows: Rows) -> None:
    data = frame.table("gen")
    if not len(data):
        return
    at, scaling = frame.buses("gen"), numbers(data, "scaling", 1.0)
    on, p = frame.on("gen", at), numbers(data, "p_mw", 0.0) * scaling
    frame.report.count("gen", on, p)
    kind = texts(data, "type")
    rows.add(
        len(data),
        id=frame.ids("gen"),
        name=texts(data, "name"),
        bus=at,
        p_mw=p,
        v_set_pu=numbers(data, "vm_pu", 1.0),
        regulates=True,
        is_reference=flags(data, "slack") & on,
        participation=numbers(data, "slack_weight", 0.0),
        fuel=[fuel_of(k) for k in kind],
        technology=kind,
        in_service=on,
        **limits(data),
    )


def add_static_generators(frame: Frame, rows: Rows) -> None:
    for table in ("sgen", "asymmetric_sgen"):
        data = frame.table(table)
        if not len(data):
            continue
        at, scaling = frame.buses(table), numbers(data, "scaling", 1.0)
        p, q = (
            phase_sums(data) if table.startswith("asym") else (numbers(data, "p_mw", 0.0), numbers(data, "q_mvar", 0.0))
        )
        on = frame.on(table, at)
        frame.report.count(table, on, p * scaling, q * scaling)
        kind = texts(data, "type")
        rows.add(
            len(data),
            id=frame.ids(table),
            name=texts(data, "name"),
            bus=at,
            p_mw=p * scaling,
            q_mvar=q * scaling,
            fuel=[fuel_of(k) for k in kind],
            technology=kind,
            in_service=on,
            **limits(data),
        )
        if table.startswith("asym"):
            note_balanced(frame, table)


def convert_capability(frame: Frame, units: t.GenTable) -> t.CapabilityTable:
    """Capability curves of generators and static generators that ask for theirs."""
    curves = frame.table("q_capability_curve_table")
    rows = Rows()
    if not len(curves):
        return rows.make(t.CapabilityTable) if rows.n else t.CapabilityTable.empty()
    where = {id: i for i, id in enumerate(units.id)}
    for table in ("gen", "sgen"):
        data = frame.table(table)
        asked = flags(data, "reactive_capability_curve")
        curve_of = numbers(data, "id_q_capability_characteristic")
        for id, on, curve in zip(frame.ids(table), asked, curve_of, strict=True):
            points = curves[curves["id_q_capability_curve"] == curve].sort_values("p_mw") if on else curves.iloc[:0]
            rows.add(
                len(points),
                gen=where[id],
                p_mw=numbers(points, "p_mw"),
                q_min_mvar=numbers(points, "q_min_mvar"),
                q_max_mvar=numbers(points, "q_max_mvar"),
            )
    return rows.make(t.CapabilityTable) if rows.n else t.CapabilityTable.empty()


# ---- costs ----------------------------------------------------------------------------------------------------------


def convert_costs(frame: Frame, units: t.GenTable) -> tuple[t.GenTable, t.CostPointTable]:
    """Polynomial and piecewise-linear costs of units; those of other elements are named as ignored."""
    where = {id: i for i, id in enumerate(units.id)}
    c = np.zeros((6, len(units)))
    rows, ignored = Rows(), []
    data = frame.table("poly_cost")
    if len(data):
        names = ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2", "cq0_eur", "cq1_eur_per_mvar", "cq2_eur_per_mvar2")
        for et, element, *cost in zip(
            data["et"], data["element"], *(numbers(data, n, 0.0) for n in names), strict=True
        ):
            id = f"{et}:{element}"
            if id in where:
                c[:, where[id]] = cost
            else:
                ignored.append(id)
    data = frame.table("pwl_cost")
    if len(data):
        kinds = texts(data, "power_type")
        for et, element, kind, points in zip(data["et"], data["element"], kinds, data["points"], strict=True):
            id = f"{et}:{element}"
            if id not in where or kind == "q":
                ignored.append(f"{id} {kind}")
                continue
            p, cost = cost_points(points)
            rows.add(len(p), gen=where[id], p_mw=p, cost_per_h=cost)
    if ignored:
        why = "only units have costs here; no power flow depends on them"
        frame.report.ignore("cost", "costs of other elements", ignored, why)
    units = units.replace(
        cost_c0_per_h=c[0] + c[3], cost_c1_per_mwh=c[1], cost_c2_per_mw2h=c[2], cost_q1_per_mvarh=c[4], cost_q2_per_mvar2h=c[5]
    )  # fmt: skip
    return units, rows.make(t.CostPointTable) if rows.n else t.CostPointTable.empty()


def cost_points(segments: Any) -> tuple[list[float], list[float]]:
    """Points of a cost curve from its segments (lower MW, upper MW, cost per MWh); it starts at lower * slope."""
    p, cost = [float(segments[0][0])], [float(segments[0][0] * segments[0][2])]
    for low, high, slope in segments:
        p.append(float(high))
        cost.append(cost[-1] + float((high - low) * slope))
    return p, cost


# ---- coordinates ----------------------------------------------------------------------------------------------------


def coordinates(frame: Frame) -> tuple[Array, Array]:
    """Longitude and latitude of each bus of the net; NaN where absent, and for all where they are not degrees."""
    bus, n = frame.net["bus"], len(frame.net["bus"])
    xy = np.full((n, 2), np.nan)
    if "geo" in bus.columns:
        for i, text in enumerate(texts(bus, "geo")):
            if text:
                try:
                    point = json.loads(text)["coordinates"]
                    xy[i] = point[:2]
                except (ValueError, KeyError, TypeError):
                    continue
    else:
        old = frame.net.get("bus_geodata")
        if old is not None and len(old):
            at = bus.index.get_indexer(old.index)
            xy[at[at >= 0]] = np.stack([numbers(old, "x"), numbers(old, "y")], axis=1)[at >= 0]
    with np.errstate(invalid="ignore"):
        outside = (np.abs(xy[:, 0]) > 180) | (np.abs(xy[:, 1]) > 90)
    if outside.any():
        frame.report.ignore("bus", "coordinates are not degrees", (), "they place a drawing, not a map")
        xy[:] = np.nan
    return xy[:, 0], xy[:, 1]
