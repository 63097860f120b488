"""Lines, tie lines, boundary lines and transformers of the pypowsybl reader.

An end that is open where the other is connected gets a bus of its own, so that the charging of the open branch stays.
Boundary (dangling) lines end in a bus at the boundary that carries the exchange as a load.
"""

from __future__ import annotations

import math
from collections import defaultdict

from aurigrid.io.powsybl_rows import Probe, Record, Rows, bound, number, text
from aurigrid.io.powsybl_taps import Taps, tap_columns
from aurigrid.model.tables import LINE, TRANSFORMER, WINDING

_SIDES = ("ONE", "TWO", "THREE")
_PERMANENT = -1
Ratings = dict[tuple[str, str], dict[str, float]]


def read_ratings(rows: Rows) -> Ratings:
    """Ratings in MVA by (element, side): permanent, longest temporary and highest temporary limit.

    Current limits become apparent power at nominal voltage when a branch takes them (see `_rating`).
    """
    limits: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for r in rows.records("loading_limits"):
        if not r["selected"]:
            others["set of limits not selected"].append(r["element_id"])
        elif r["type"] in ("CURRENT", "APPARENT_POWER"):
            limits[r["element_id"], text(r["side"]), r["type"]].append(r)
        else:
            others[f"limit of type {r['type']}"].append(r["element_id"])
    for what, ids in others.items():
        rows.report.ignore("loading_limits", what, dict.fromkeys(ids), "ratings are in MVA")
    out: Ratings = defaultdict(dict)
    for (element, side, kind), found in limits.items():
        permanent = [bound(r["value"], math.inf) for r in found if r["acceptable_duration"] == _PERMANENT]
        timed = {int(r["acceptable_duration"]): bound(r["value"], math.inf) for r in found}
        timed.pop(_PERMANENT, None)
        finite = {d: v for d, v in timed.items() if math.isfinite(v)}
        out[element, side][f"{kind} rate_mva"] = min(permanent, default=math.inf)
        out[element, side][f"{kind} rate_short_mva"] = finite[max(finite)] if finite else math.inf
        out[element, side][f"{kind} rate_emergency_mva"] = max(finite.values(), default=math.inf)
    if any(kind == "CURRENT" for _, _, kind in limits):
        why = "S = sqrt(3) V_nom I"
        rows.report.approximate("loading_limits", "current limits read as MVA at nominal voltage", (), why)
    return out


def _rating(ratings: Ratings, element: str, kv_of_side: dict[str, float]) -> Record:
    """The three ratings of a branch: the lowest over its ends, MVA."""
    out: Record = {}
    for name in ("rate_mva", "rate_short_mva", "rate_emergency_mva"):
        values = [math.inf]
        for side, kv in kv_of_side.items():
            found = ratings.get((element, side), {})
            values.append(found.get(f"CURRENT {name}", math.inf) * math.sqrt(3) * kv / 1000)
            values.append(found.get(f"APPARENT_POWER {name}", math.inf))
        out[name] = min(values)
    return out


def _ends(rows: Rows, r: Record, table: str) -> tuple[int, int, bool]:
    """Positions of both ends of a branch, an open end on a bus of its own, and whether the branch is in service."""
    alive = [rows.alive(r, "1"), rows.alive(r, "2")]
    ends = [rows.home(r, "1"), rows.home(r, "2")]
    if alive[0] != alive[1]:
        open_side = 0 if alive[1] else 1
        id = f"{r['id']}:open{open_side + 1}"
        ends[open_side] = rows.add_bus(id, rows.v_nom[ends[open_side]], substation="")
        rows.note("merge", table, "open at one end: that end has a bus of its own", r["id"])
    return ends[0], ends[1], any(alive)


def _probes(frame: str, id: str) -> tuple[Probe, Probe]:
    return Probe(frame, id, "p1", "q1"), Probe(frame, id, "p2", "q2")


def read_lines(rows: Rows, ratings: Ratings) -> None:
    """Lines: ``r + jx`` in ohm and a shunt ``g + jb`` in siemens at each end."""
    records = rows.records("lines")
    for r in records:
        i, j, on = _ends(rows, r, "lines")
        kv = {"ONE": rows.v_nom[i], "TWO": rows.v_nom[j]}
        rows.add_branch(
            r["id"], i, j, complex(r["r"], r["x"]), complex(r["g1"], r["b1"]), complex(r["g2"], r["b2"]),
            table="lines", probes=_probes("lines", r["id"]), name=text(r["name"]), kind=LINE, in_service=on,
            **_rating(ratings, r["id"], kv),
        )  # fmt: skip
    if records:
        rows.report.count("lines", [r["connected1"] and r["connected2"] for r in records])


def read_boundary_lines(rows: Rows, ratings: Ratings) -> None:
    """Tie lines (two boundary lines in series) and boundary lines without a partner."""
    boundary = {r["id"]: r for r in rows.records("boundary_lines")}
    ties = rows.records("tie_lines")
    for tie in ties:
        _tie_line(rows, ratings, tie, boundary[tie["boundary_line1_id"]], boundary[tie["boundary_line2_id"]])
    generation = {r["id"]: r for r in rows.records("boundary_lines_generation")}
    lone = [r for r in boundary.values() if not r["paired"]]
    for r in lone:
        _boundary_line(rows, ratings, r, generation.get(r["id"]))
    if ties:
        rows.report.count("tie_lines", [bool(t["connected1"] and t["connected2"]) for t in ties])
    if lone:
        p0, q0 = [r["p0"] for r in lone], [r["q0"] for r in lone]
        rows.report.count("boundary_lines", [bool(r["connected"]) for r in lone], p0, q0)
        what = "the far end is a bus at the boundary with the exchange as a load"
        rows.report.merge("boundary_lines", what, [r["id"] for r in lone])


def _tie_line(rows: Rows, ratings: Ratings, tie: Record, a: Record, b: Record) -> None:
    """One branch for both halves: each half's shunt stands at its network end, so the impedances simply add."""
    ends = {
        f"{key}{side}": half[key] for side, half in (("1", a), ("2", b)) for key in ("connected", "voltage_level_id")
    }
    ends |= {f"bus_breaker_bus{side}_id": half["bus_breaker_bus_id"] for side, half in (("1", a), ("2", b))}
    i, j, on = _ends(rows, ends | {"id": tie["id"]}, "tie_lines")
    own = [
        _rating(ratings, half["id"], {"NONE": rows.v_nom[bus], "": rows.v_nom[bus]}) for half, bus in ((a, i), (b, j))
    ]
    rows.add_branch(
        tie["id"], i, j, complex(a["r"] + b["r"], a["x"] + b["x"]), complex(a["g"], a["b"]), complex(b["g"], b["b"]),
        table="tie_lines", name=text(tie["name"]), kind=LINE, in_service=on,
        probes=(Probe("boundary_lines", a["id"], "p", "q"), Probe("boundary_lines", b["id"], "p", "q")),
        **{name: min(own[0][name], own[1][name]) for name in own[0]},
    )  # fmt: skip


def _boundary_line(rows: Rows, ratings: Ratings, r: Record, generation: Record | None) -> None:
    i, on, id = rows.home(r), rows.alive(r), r["id"]
    kv = rows.v_nom[i]
    v, angle = number(r["boundary_v_mag"]), number(r["boundary_v_angle"])
    j = rows.add_bus(
        f"{id}:boundary", kv, component=rows.component[i], name=text(r["pairing_key"]), area="boundary",
        v_mag_pu=v / kv, v_ang_deg=angle, in_service=on,
        probe=Probe("boundary_lines", id, "boundary_v_mag", "boundary_v_angle"),
    )  # fmt: skip
    rows.add_branch(
        id, i, j, complex(r["r"], r["x"]), complex(r["g"], r["b"]), 0j, table="boundary_lines", name=text(r["name"]),
        kind=LINE, in_service=on, **_rating(ratings, id, {"NONE": kv, "": kv}),
        probes=(Probe("boundary_lines", id, "p", "q"), Probe("boundary_lines", id, "boundary_p", "boundary_q")),
    )  # fmt: skip
    p0, q0 = number(r["p0"], 0.0), number(r["q0"], 0.0)
    rows.add("load", id=id, name=text(r["name"]), bus=j, p_mw=p0, q_mvar=q0, kind="boundary", in_service=on)
    if generation is not None:
        target_v = number(generation["target_v"])
        regulates = bool(generation["voltage_regulator_on"]) and target_v > 0
        rows.add(
            "gen", id=id, bus=j, p_mw=number(generation["target_p"], 0.0), q_mvar=number(generation["target_q"], 0.0),
            v_set_pu=target_v / kv if regulates else 1.0, regulates=regulates, technology="boundary",
            p_min_mw=bound(generation["min_p"], -math.inf), p_max_mw=bound(generation["max_p"], math.inf),
            in_service=on,
        )  # fmt: skip


def read_two_winding(rows: Rows, ratings: Ratings, taps: Taps) -> None:
    """Two-winding transformers: ideal transformer at side 1, then ``g + jb`` and ``r + jx`` seen from side 2."""
    records = rows.records("2_windings_transformers")
    for r in records:
        i, j, on = _ends(rows, r, "2_windings_transformers")
        kv = {"ONE": rows.v_nom[i], "TWO": rows.v_nom[j]}
        rows.add_branch(
            r["id"], i, j, _at_tap(r, "r", "x"), _at_tap(r, "g", "b"), 0j, rho=r["rho"], alpha_deg=r["alpha"],
            table="2_windings_transformers", probes=_probes("2_windings_transformers", r["id"]), name=text(r["name"]),
            kind=TRANSFORMER, in_service=on, **_rated(_rating(ratings, r["id"], kv), r, ""),
            **tap_columns(rows, taps, r["id"], "", rows.v_nom[j] / (rows.v_nom[i] * r["rho"])),
        )  # fmt: skip
    if records:
        rows.report.count("2_windings_transformers", [r["connected1"] and r["connected2"] for r in records])


def read_three_winding(rows: Rows, ratings: Ratings, taps: Taps) -> None:
    """Three-winding transformers as a star: each leg is an ideal transformer at the winding, then its pi circuit."""
    records = rows.records("3_windings_transformers")
    for r in records:
        id, u0 = r["id"], float(r["rated_u0"])
        v = number(r.get("v"))
        state: Record = {"v_mag_pu": v / u0, "v_ang_deg": number(r.get("angle"))}
        alive = [rows.alive(r, s) for s in "123"]
        star = rows.add_bus(f"{id}:star", u0, name=text(r["name"]), is_star=True, in_service=any(alive), **state)
        for side, leg in zip("123", _SIDES, strict=True):
            i = rows.home(r, side)
            rho = r[f"rho{side}"]
            rows.add_branch(
                f"{id}:{side}", i, star, _at_tap(r, "r", "x", side), _at_tap(r, "g", "b", side), 0j, rho=rho,
                alpha_deg=r[f"alpha{side}"], table="3_windings_transformers", name=text(r["name"]), kind=WINDING,
                group=id, probes=(Probe("3_windings_transformers", id, f"p{side}", f"q{side}"), None),
                in_service=rows.alive(r, side), **_rated(_rating(ratings, id, {leg: rows.v_nom[i]}), r, side),
                **tap_columns(rows, taps, id, leg, u0 / (rows.v_nom[i] * rho)),
            )  # fmt: skip
    if records:
        rows.report.count("3_windings_transformers", [all(r[f"connected{s}"] for s in "123") for r in records])
        rows.report.merge(
            "3_windings_transformers", "each became three windings and a star bus", [r["id"] for r in records]
        )


def _at_tap(r: Record, real: str, imaginary: str, side: str = "") -> complex:
    """An impedance or admittance at the present tap position."""
    return complex(r[f"{real}{side}_at_current_tap"], r[f"{imaginary}{side}_at_current_tap"])


def _rated(rating: Record, r: Record, side: str) -> Record:
    """The ratings, with the transformer's rated power where no permanent limit is given."""
    rated = number(r.get(f"rated_s{side}"), math.inf)
    return rating if math.isfinite(rating["rate_mva"]) or not rated > 0 else rating | {"rate_mva": rated}
