"""Transformers of a pandapower net, two- and three-winding, as its power flow models them.

Equations: pandapower documentation, "Electric Model" of each element. With ``kv`` the nominal voltage of the low-
voltage bus, ``S`` the net's base and ``n = vn_lv/kv`` the transformer's own off-nominal ratio at its low-voltage side::

    z = vk/100 * n^2 * S/sn        y_m = (pfe - j sqrt((i0/100 sn)^2 - pfe^2)) / (n^2 S)
    tap_ratio = (vn_hv/vn_lv) / (kv_hv/kv)

and the star T (half of z, y_m, half of z) turned into the pi that our branch is. Three-winding transformers are three
of these around a star bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.io.pandapower_frame import Frame, Rows, flags, numbers, open_ends, rating, reroute, texts
from aurigrid.model import tables as t
from aurigrid.model.table import Array


@dataclass
class Windings:
    """Two-winding transformers, or legs of three-winding ones, before per-unit conversion; all (n,).

    `kv_hv` and `kv_lv` are the nominal voltages of the two buses, `vnh` and `vnl` the rated voltages with the tap.
    """

    vk_percent: Array
    vkr_percent: Array
    sn_mva: Array
    shift_deg: Array
    pfe_kw: Array
    i0_percent: Array
    parallel: Array
    r_share_hv: Array
    x_share_hv: Array
    kv_hv: Array
    kv_lv: Array
    vnh: Array
    vnl: Array

    def branch_columns(self, base_mva: float, model: str) -> dict[str, Array]:
        """The columns of our branch table; equations in the module's head."""
        n2 = (self.vnl / self.kv_lv) ** 2
        z = self.vk_percent / 100 / self.sn_mva * n2 * base_mva
        r = self.vkr_percent / 100 / self.sn_mva * n2 * base_mva
        x = np.sign(z) * np.sqrt(np.maximum(z**2 - r**2, 0.0)) / self.parallel
        r = r / self.parallel
        pfe = self.pfe_kw * 1e-3
        b_mva = -np.sqrt(np.maximum((self.i0_percent / 100 * self.sn_mva) ** 2 - pfe**2, 0.0))
        y = (pfe + 1j * b_mva) / (n2 * base_mva) * self.parallel
        y_from = y_to = y / 2
        if model == "t":
            a = r * self.r_share_hv + 1j * x * self.x_share_hv
            b = r * (1 - self.r_share_hv) + 1j * x * (1 - self.x_share_hv)
            magnetised = y != 0
            series = np.where(magnetised, a + b + a * b * y, r + 1j * x)
            with np.errstate(divide="ignore", invalid="ignore"):
                y_from = np.where(magnetised, b * y / series, 0.0)
                y_to = np.where(magnetised, a * y / series, 0.0)
            r, x = series.real, series.imag
        return {
            "r_pu": r,
            "x_pu": x,
            "g_from_pu": y_from.real,
            "b_from_pu": y_from.imag,
            "g_to_pu": y_to.real,
            "b_to_pu": y_to.imag,
            "tap_ratio": self.vnh / self.vnl * self.kv_lv / self.kv_hv,
            "shift_deg": self.shift_deg,
        }


@dataclass
class Tap:
    """One tap changer of each transformer; all (n,)."""

    side: Array
    kind: Array
    pos: Array
    neutral: Array
    percent: Array
    degree: Array

    def apply(self, vnh: Array, vnl: Array, shift: Array) -> tuple[Array, Array, Array]:
        """Rated voltages and shift at the present position.

        ``Ideal`` turns the phase by ``tap_step_degree`` a step (or by the chord that ``tap_step_percent`` is of it);
        ``Ratio`` and ``Symmetrical`` add a voltage of ``tap_step_percent`` at the angle ``tap_step_degree``.
        """
        vnh, vnl, shift = vnh.copy(), vnl.copy(), shift.copy()
        steps = self.pos - self.neutral
        for side, vn, sign in (("hv", vnh, 1.0), ("lv", vnl, -1.0)):
            ideal = (self.side == side) & (self.kind == "Ideal")
            by_degree = np.nan_to_num(self.degree) != 0
            with np.errstate(invalid="ignore"):
                chord = 2 * np.rad2deg(np.arcsin(steps * self.percent / 200))
            turn = np.where(by_degree, steps * self.degree, chord)
            shift[ideal] += sign * np.nan_to_num(turn[ideal])
            complex_ = (self.side == side) & np.isin(self.kind, ("Ratio", "Symmetrical"))
            added = np.nan_to_num(self.percent * steps / 100) * np.exp(1j * np.deg2rad(np.nan_to_num(self.degree)))
            factor = 1 + added[complex_]
            vn[complex_] *= np.abs(factor)
            shift[complex_] += sign * np.rad2deg(np.arctan(factor.imag / factor.real))
        return vnh, vnl, shift

    def step_columns(self, ratio: Array, low: Array, high: Array) -> dict[str, Array]:
        """Tap columns of our branch table; the change a step is that at the present position."""
        moves = np.isfinite(self.pos) & np.isfinite(low) & np.isfinite(high) & (self.kind != "")
        sign = np.where(self.side == "lv", -1.0, 1.0)
        factor = 1 + np.nan_to_num(self.percent * (self.pos - self.neutral)) / 100
        by_ratio = np.isin(self.kind, ("Ratio", "Symmetrical"))
        step = np.where(by_ratio, sign * ratio * np.nan_to_num(self.percent) / 100 / factor, 0.0)
        turn = np.where(self.kind == "Ideal", sign * np.nan_to_num(self.degree), 0.0)
        whole = [np.where(moves, np.nan_to_num(v), 0).astype(np.int32) for v in (self.pos, low, high)]
        names = ("tap_pos", "tap_min", "tap_max")
        return dict(zip(names, whole, strict=True)) | {
            "tap_step_pu": np.where(moves, step, 0.0),
            "tap_step_deg": np.where(moves, turn, 0.0),
        }


def read_tap(frame: Frame, table: str, number: str = "") -> Tap:
    """The tap changer columns of a table, in the present and in the older spelling."""
    data = frame.table(table)
    kind = np.array(texts(data, f"tap{number}_changer_type"), dtype=object)
    if f"tap{number}_changer_type" not in data.columns:
        old = flags(data, f"tap{number}_phase_shifter")
        given = np.isfinite(numbers(data, f"tap{number}_step_percent")) & np.isfinite(numbers(data, f"tap{number}_pos"))
        kind = np.where(old, "Ideal", np.where(given, "Ratio", "")).astype(object)
        if f"tap{number}_phase_shifter" not in data.columns:
            kind[:] = ""
    elif number == "":
        kind[flags(data, "tap_dependency_table")] = ""  # those follow their table instead
    names = (f"tap{number}_{key}" for key in ("pos", "neutral", "step_percent", "step_degree"))
    side = np.array(texts(data, f"tap{number}_side"), dtype=object)
    return Tap(side, kind, *(numbers(data, name) for name in names))


def table_rows(frame: Frame, table: str) -> tuple[Array, Any]:
    """Transformers whose tap follows a characteristic table: (n,) bool, and their rows of it, in order."""
    data = frame.table(table)
    by_table = flags(data, "tap_dependency_table")
    if not by_table.any():
        return by_table, None
    found = frame.table("trafo_characteristic_table")
    at = {}
    if len(found):
        at = {
            (int(i), int(s)): row
            for row, (i, s) in enumerate(zip(found["id_characteristic"], found["step"], strict=True))
        }
    keys = zip(numbers(data, "id_characteristic_table"), numbers(data, "tap_pos"), strict=True)
    picked = [at.get((int(i), int(s)), -1) if i == i and s == s else -1 for i, s in keys]
    missing = [id for id, on, row in zip(frame.ids(table), by_table, picked, strict=True) if on and row < 0]
    if missing:
        hint = "add the row to trafo_characteristic_table, or set tap_dependency_table to False"
        frame.issues.add(table, "tap_pos", "has no row in its characteristic table", missing, hint)
        frame.issues.raise_if_any()
    return by_table, found.iloc[[row for on, row in zip(by_table, picked, strict=True) if on]]


def _by_table(data: Any, name: str, mask: Array, rows: Any) -> Array:
    values = numbers(data, name)
    if rows is not None and name in rows.columns:
        values[mask] = numbers(rows, name)
    return values


def note_controls(frame: Frame, table: str) -> None:
    """Name the tap controls that the model does not keep."""
    data = frame.table(table)
    if "tap_dependent_impedance" in data.columns and "tap_dependency_table" not in data.columns:
        old = flags(data, "tap_dependent_impedance")
        if old.any():
            ids = [id for id, on in zip(frame.ids(table), old, strict=True) if on]
            why = "the impedance at the neutral tap is used; convert the net to the tool's present version"
            frame.report.approximate(table, "tap-dependent impedance by spline", ids, why)


def add_transformers(frame: Frame, rows: Rows) -> None:
    """Two-winding transformers, from end at the high-voltage side."""
    data = frame.table("trafo")
    if not len(data):
        return
    ids, on = frame.ids("trafo"), flags(data, "in_service", True)
    frame.report.count("trafo", on)
    ends = {"hv": frame.buses("trafo", "hv_bus"), "lv": frame.buses("trafo", "lv_bus")}
    kv = {side: frame.kv[at] for side, at in ends.items()}
    opened = open_ends(frame, "t", "trafo", ("hv_bus", "lv_bus"))
    dead = {side: opened[f"{side}_bus"] for side in ends}
    for side, at in ends.items():  # an open switch parts the end from a bus that is out of service
        on = on & (frame.bus_on[at] | dead[side])
    on = reroute(frame, ids, ends, dead, on)
    mask, by_table = table_rows(frame, "trafo")
    note_controls(frame, "trafo")
    vnh, vnl, shift = (numbers(data, key) for key in ("vn_hv_kv", "vn_lv_kv", "shift_degree"))
    main = read_tap(frame, "trafo")
    vnh, vnl, shift = main.apply(vnh, vnl, np.nan_to_num(shift))
    if by_table is not None:
        ratio, turn = numbers(by_table, "voltage_ratio", 1.0), numbers(by_table, "angle_deg", 0.0)
        high = main.side[mask] == "hv"
        vnh[mask] *= np.where(high, ratio, 1.0)
        vnl[mask] *= np.where(main.side[mask] == "lv", ratio, 1.0)
        shift[mask] += np.where(high, turn, -turn)
    if "tap2_pos" in data.columns:
        vnh, vnl, shift = read_tap(frame, "trafo", "2").apply(vnh, vnl, shift)
    windings = Windings(
        vk_percent=_by_table(data, "vk_percent", mask, by_table),
        vkr_percent=_by_table(data, "vkr_percent", mask, by_table),
        sn_mva=numbers(data, "sn_mva"),
        shift_deg=shift,
        pfe_kw=numbers(data, "pfe_kw", 0.0),
        i0_percent=numbers(data, "i0_percent", 0.0),
        parallel=numbers(data, "parallel", 1.0),
        r_share_hv=numbers(data, "leakage_resistance_ratio_hv", 0.5),
        x_share_hv=numbers(data, "leakage_reactance_ratio_hv", 0.5),
        kv_hv=kv["hv"],
        kv_lv=kv["lv"],
        vnh=vnh,
        vnl=vnl,
    )
    columns = windings.branch_columns(frame.base_mva, str(frame.options.get("trafo_model", "t")))
    rate = rating(windings.sn_mva) * numbers(data, "df", 1.0) * windings.parallel
    low, high_tap = numbers(data, "tap_min"), numbers(data, "tap_max")
    rows.add(
        len(data),
        id=ids,
        name=texts(data, "name"),
        kind=t.TRANSFORMER,
        from_bus=ends["hv"],
        to_bus=ends["lv"],
        rate_mva=rate,
        in_service=on,
        **columns,
        **main.step_columns(columns["tap_ratio"], low, high_tap),
    )


def add_three_winding(frame: Frame, rows: Rows) -> None:
    """Three-winding transformers: a star bus with the high-voltage bus's nominal voltage, and three windings."""
    data = frame.table("trafo3w")
    if not len(data):
        return
    n, on, ids = len(data), flags(data, "in_service", True), frame.ids("trafo3w")
    frame.report.count("trafo3w", on)
    sides = ("hv", "mv", "lv")
    ends = {side: frame.buses("trafo3w", f"{side}_bus") for side in sides}
    opened = open_ends(frame, "t3", "trafo3w", ("hv_bus", "mv_bus", "lv_bus"))
    kv = {side: frame.kv[ends[side]] for side in sides}
    star = np.array(
        [
            frame.add_bus(id, f"star point of {id}", int(b), star=True, on=bool(s))
            for id, b, s in zip(ids, ends["hv"], on, strict=True)
        ]
    )
    mask, by_table = table_rows(frame, "trafo3w")
    note_controls(frame, "trafo3w")
    sn = np.stack([numbers(data, f"sn_{s}_mva") for s in sides])
    vk, vkr = (np.stack([_by_table(data, f"{k}_{s}_percent", mask, by_table) for s in sides]) for k in ("vk", "vkr"))
    vk_leg, vkr_leg = star_legs(vk, vkr, sn)
    default_side = str(frame.options.get("trafo3w_losses", "hv")).lower()
    loss_side = np.array([v or default_side for v in texts(data, "loss_side")], dtype=object)
    tap, at_star = read_tap(frame, "trafo3w"), flags(data, "tap_at_star_point")
    rate, name = rating(sn), texts(data, "name")
    for k, side in enumerate(sides):
        here = tap.side == side
        leg_tap = leg_tap_changer(tap, here, side, at_star)
        vn_hv, vn_lv = numbers(data, "vn_hv_kv"), numbers(data, f"vn_{side}_kv")
        shift = np.zeros(n) if side == "hv" else numbers(data, f"shift_{side}_degree", 0.0)
        vnh, vnl, shift = leg_tap.apply(vn_hv, vn_lv, shift)
        if by_table is not None:
            ratio, turn = np.ones(n), np.zeros(n)
            ratio[mask], turn[mask] = numbers(by_table, "voltage_ratio", 1.0), numbers(by_table, "angle_deg", 0.0)
            ratio, turn = np.where(at_star, 1 / ratio, ratio), np.where(at_star, -turn, turn)
            active = mask & here
            high = leg_tap.side == "hv"
            vnh, vnl = vnh * np.where(active & high, ratio, 1.0), vnl * np.where(active & ~high, ratio, 1.0)
            shift = shift + np.where(active, np.where(high, turn, -turn), 0.0)
        half, loss = np.full(n, 0.5), loss_side == side
        columns = Windings(
            vk_percent=vk_leg[k],
            vkr_percent=vkr_leg[k],
            sn_mva=sn[k],
            shift_deg=shift,
            pfe_kw=np.where(loss, numbers(data, "pfe_kw", 0.0), 0.0),
            i0_percent=np.where(loss, numbers(data, "i0_percent", 0.0), 0.0),
            parallel=np.ones(n),
            r_share_hv=half,
            x_share_hv=half,
            kv_hv=kv["hv"],
            kv_lv=kv[side],
            vnh=vnh,
            vnl=vnl,
        ).branch_columns(frame.base_mva, str(frame.options.get("trafo_model", "t")))
        at = {side: ends[side].copy()}
        dead = opened[f"{side}_bus"]
        leg_on = on & (frame.bus_on[at[side]] | dead)
        leg_ids = [f"{id}:{side}" for id in ids]
        for i in np.flatnonzero(dead & leg_on):
            at[side][i] = frame.add_bus(f"{leg_ids[i]}:open", f"open end of {leg_ids[i]}", int(ends[side][i]))
        rows.add(
            n,
            id=leg_ids,
            name=name,
            kind=t.WINDING,
            group=ids,
            from_bus=at[side] if side == "hv" else star,
            to_bus=star if side == "hv" else at[side],
            rate_mva=rate[k],
            in_service=leg_on,
            **columns,
        )


def star_legs(vk: Array, vkr: Array, sn: Array) -> tuple[Array, Array]:
    """Short-circuit voltages of the star's legs, % of each leg's rating, (3, n), from those between pairs of windings.

    ``vk`` and ``vkr`` hold hv-mv, mv-lv and lv-hv, each on the smaller rating of its pair.
    """
    pair = np.stack([np.minimum(sn[0], sn[1]), np.minimum(sn[1], sn[2]), np.minimum(sn[0], sn[2])])
    z, r = vk * sn[0] / pair, vkr * sn[0] / pair
    x = np.sqrt(np.maximum(z**2 - r**2, 0.0))

    def legs(d: Array) -> Array:
        sums = np.stack([d[0] + d[2] - d[1], d[1] + d[0] - d[2], d[2] + d[1] - d[0]])
        return np.asarray(0.5 * sn / sn[0] * sums)

    r_leg, x_leg = legs(r), legs(x)
    return np.sign(x_leg) * np.hypot(r_leg, x_leg), r_leg


def leg_tap_changer(tap: Tap, here: Array, side: str, at_star: Array) -> Tap:
    """The tap changer as seen by one leg; one at the star point acts on the star's side with the inverse ratio."""
    own = "hv" if side == "hv" else "lv"
    other = "lv" if side == "hv" else "hv"
    percent, degree = tap.percent.copy(), tap.degree.copy()
    move = here & at_star
    step = percent * np.exp(1j * np.deg2rad(np.nan_to_num(degree)))
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 100 * step / (100 + step * (tap.pos - tap.neutral))
    percent[move] = np.abs(inverse[move])
    degree[move] = np.rad2deg(np.angle(inverse[move])) - 180
    leg_side = np.where(here, np.where(at_star, other, own), "")
    return Tap(leg_side, tap.kind, tap.pos, tap.neutral, percent, degree)
