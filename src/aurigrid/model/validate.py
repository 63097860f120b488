"""Every problem of a network, found at once.

`check` returns what makes a network unusable, `warnings_of` what is legal but rarely meant; `require_valid` raises the
former. Rules that compare columns row by row are data (`aurigrid.model.rules`), those across rows or tables functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from aurigrid.errors import InvalidNetworkError, Issue, IssueList
from aurigrid.model.islands import islands
from aurigrid.model.network import Network
from aurigrid.model.rules import POSITIONS, RULES
from aurigrid.model.select import counted
from aurigrid.model.table import Array, Table

HIGH_R_TO_X = 20.0
"""Ratio of resistance to reactance above which a branch is worth a look; low-voltage cables reach about 10."""


def _ids(net: Network, table: str) -> Array:
    """What names each row: its own id, or the id of the unit that a curve's point belongs to."""
    rows = getattr(net, table)
    if table not in ("cost_point", "capability"):
        return np.asarray(rows.id)
    inside = (rows.gen >= 0) & (rows.gen < net.n_gen)
    return np.array(
        [net.gen.id[g] if ok else f"row {i}" for i, (g, ok) in enumerate(zip(rows.gen, inside, strict=True))]
    )


def _note(issues: IssueList, net: Network, table: str, field: str, wrong: Array, message: str, hint: str = "") -> None:
    """Add one issue for the rows where `wrong` is true, if there are any."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        what = f"{message} for {counted(table, len(rows))}"
        issues.add(table, field, what, _ids(net, table)[rows].tolist(), hint)


def check(net: Network) -> list[Issue]:
    """Every problem that makes the network unusable, each with the ids concerned; empty where it is sound."""
    issues = IssueList()
    if not net.n_bus:
        issues.add("bus", "", "the grid has no buses")
    for name in ("base_mva", "frequency_hz"):
        value = getattr(net, name)
        if not (np.isfinite(value) and value > 0):
            issues.add("grid", name, f"must be a positive number, is {value}")
    for table, rows in net.tables():
        _check_ids(net, table, rows, issues)
    sound = [_check_position(net, *spec, issues) for spec in POSITIONS]
    issues.issues.extend(broken_rules(net))
    if all(sound):
        _check_curve(net, "cost_point", issues)
        _check_curve(net, "capability", issues)
        if net.n_bus:
            issues.issues.extend(_supply(net)[0])
    return issues.issues


def broken_rules(net: Network, finite: bool = True) -> list[Issue]:
    """What is wrong row by row, whatever else is; readers add it to what they find themselves in a bad file.

    Args:
        net: a network whose positions may be wrong.
        finite: also name what is not a finite number.
    """
    issues = IssueList()
    if finite:
        for table, rows in net.tables():
            _check_finite(net, table, rows, issues)
    for rule in RULES:
        rows = getattr(net, rule.table)
        if len(rows):
            # NaN compares as false: it is an issue of its own already.
            _note(issues, net, rule.table, rule.field, rule.wrong(rows), rule.message, rule.hint)
    return issues.issues


def warnings_of(net: Network) -> list[Issue]:
    """What is legal but rarely meant. Call it on a network for which `check` finds nothing."""
    issues = IssueList()
    branch = net.branch
    _note(issues, net, "branch", "rate_mva", branch.in_service & ~np.isfinite(branch.rate_mva), "is missing")
    _note(issues, net, "branch", "r_pu", branch.r_pu < 0, "is negative", "only equivalents of reduced grids have that")
    low = branch.x_pu < 0
    _note(issues, net, "branch", "x_pu", low, "is negative", "only series capacitors and equivalents have that")
    high = branch.in_service & (np.abs(branch.r_pu) > HIGH_R_TO_X * np.abs(branch.x_pu)) & (branch.x_pu != 0)
    _note(issues, net, "branch", "r_pu", high, f"is more than {HIGH_R_TO_X:g} times x_pu", "check the units")
    loops = branch.from_bus == branch.to_bus
    _note(issues, net, "branch", "to_bus", loops, "is the from_bus", "such a branch acts as a shunt")
    _note(issues, net, "shunt", "step", net.shunt.step > net.shunt.step_max, "exceeds step_max")
    for table in ("gen", "compensator"):
        _warn_setpoints(net, table, issues)
    _warn_dead_bus(net, issues)
    issues.issues.extend(_supply(net)[1])
    return issues.issues


def require_valid(net: Network) -> Network:
    """The network itself, if it is sound.

    Raises:
        InvalidNetworkError: an InputError with everything that `check` finds, and with the network.
    """
    issues = check(net)
    if issues:
        raise InvalidNetworkError(issues, net)
    return net


def _check_ids(net: Network, table: str, rows: Table, issues: IssueList) -> None:
    if "id" not in rows.columns():
        return
    ids = _ids(net, table)
    if ids.dtype == object:
        # 7 and "7" count as the same id: users and files name elements by text.
        ids = np.array([str(id) for id in ids.tolist()], dtype=object)
        if "" in ids:
            blank = np.flatnonzero(ids == "").tolist()
            hint = "give every element an id"
            issues.add(table, "id", f"is empty for {counted(table, len(blank))}", [f"row {i}" for i in blank], hint)
        if len(set(ids.tolist())) == len(ids):
            return
    unique, count = np.unique(ids.astype(str) if ids.dtype == object else ids, return_counts=True)
    repeated = unique[(count > 1) & (unique != "")] if ids.dtype == object else unique[count > 1]
    if len(repeated):
        times = "1 id is" if len(repeated) == 1 else f"{len(repeated)} ids are"
        what = f"must be unique, {times} used more than once"
        issues.add(table, "id", what, repeated.tolist(), "ids are compared as text")


def _check_finite(net: Network, table: str, rows: Table, issues: IssueList) -> None:
    """NaN only where "not known" is the column's default, infinity only with the sign of the column's default."""
    for spec in dataclasses.fields(rows):
        if spec.metadata["dtype"] != "float" or not len(rows):
            continue
        values, default = getattr(rows, spec.name), spec.metadata["default"]
        free = default if isinstance(default, float) else 0.0
        if np.isfinite(values).all():
            continue
        if not np.isnan(free):
            _note(issues, net, table, spec.name, np.isnan(values), "is not a number", f"give {spec.metadata['doc']}")
        endless = np.isinf(values) & (values != free)
        _note(issues, net, table, spec.name, endless, "is infinite", f"give {spec.metadata['doc']}")


def _check_position(net: Network, table: str, field: str, target: str, least: int, issues: IssueList) -> bool:
    values = getattr(getattr(net, table), field)
    n = len(getattr(net, target))
    missing = (values < least) | (values >= n)
    hint = f"the grid has {counted(target, n)}" + (f", positions 0 to {n - 1}" if n else "")
    _note(issues, net, table, field, missing, f"is not the position of a {'unit' if target == 'gen' else target}", hint)
    return not missing.any()


def _check_curve(net: Network, table: str, issues: IssueList) -> None:
    """Points of each unit ascend in power, at least two a unit."""
    rows = getattr(net, table)
    if not len(rows):
        return
    order = np.argsort(rows.gen, kind="stable")
    gen, p = rows.gen[order], rows.p_mw[order]
    wrong = np.zeros(len(rows), dtype=bool)
    wrong[order[1:]] = (gen[1:] == gen[:-1]) & ~(p[1:] > p[:-1])
    for field, bad, message in (
        ("p_mw", np.unique(rows.gen[wrong]), "must ascend from point to point"),
        ("gen", np.flatnonzero(np.bincount(rows.gen) == 1), "has one point only"),
    ):
        if len(bad):
            hint = "give at least two points a unit, in ascending power"
            issues.add(table, field, f"{message} for {counted('gen', len(bad))}", net.gen.id[bad].tolist(), hint)


class _Islands(NamedTuple):
    """Per island: whether it has a unit, a regulating unit, a reference, a load; and the load there, MW."""

    of_bus: Array
    size: Array
    has_unit: Array
    has_regulation: Array
    has_reference: Array
    has_load: Array
    load_mw: Array


def _islands(net: Network) -> _Islands:
    of_bus = islands(net)
    n = int(of_bus.max(initial=-1)) + 1
    gen, load = net.gen, net.load

    def any_of(bus: Array, rows: Array) -> Array:
        out = np.zeros(n + 1, dtype=bool)
        out[of_bus[bus[rows]]] = True
        return out[:n]  # the last one gathers what sits on buses out of service

    live = load.in_service & (of_bus[load.bus] >= 0)
    return _Islands(
        of_bus=of_bus,
        size=np.bincount(of_bus[of_bus >= 0], minlength=n),
        has_unit=any_of(gen.bus, gen.in_service),
        has_regulation=any_of(gen.bus, gen.in_service & gen.regulates),
        has_reference=any_of(gen.bus, gen.in_service & gen.is_reference),
        has_load=any_of(load.bus, live),
        load_mw=np.bincount(of_bus[load.bus[live]], weights=load.p_mw[live], minlength=n),
    )


def _supply(net: Network) -> tuple[list[Issue], list[Issue]]:
    """Islands without a reference (errors) and without supply (warnings)."""
    errors, warned = IssueList(), IssueList()
    if not (net.gen.in_service & net.gen.is_reference & net.bus.in_service[net.gen.bus]).any():
        hint = _reference_hint(net, np.ones(net.n_gen, dtype=bool) & net.bus.in_service[net.gen.bus])
        errors.add("gen", "is_reference", "no unit in service is a reference (slack)", hint=hint)
        return errors.issues, warned.issues
    found = _islands(net)
    lacking = ~found.has_reference & (found.has_regulation | (found.has_unit & found.has_load))
    for island in np.flatnonzero(lacking):
        ids = _bus_ids(net, found, int(island))
        hint = _reference_hint(net, found.of_bus[net.gen.bus] == island)
        what = f"no unit is a reference (slack) in an island of {counted('bus', len(ids))}"
        errors.add("gen", "is_reference", what, ids, hint)
    dead = ~found.has_reference & ~lacking
    single = dead & (found.size == 1) & ~found.has_load
    _note(warned, net, "bus", "", _buses_of(found, single), "isolated, nothing connects to it and it has no load,")
    loaded = dead & found.has_load
    mw = found.load_mw[loaded].sum()
    message = f"without supply, de-energised with {mw:.6g} MW of load,"
    _note(warned, net, "bus", "", _buses_of(found, loaded), message)
    _note(warned, net, "bus", "", _buses_of(found, dead & ~single & ~loaded), "without supply, de-energised, no load,")
    return errors.issues, warned.issues


def _buses_of(found: _Islands, wanted: Array) -> Array:
    return np.append(wanted, False)[found.of_bus]


def _bus_ids(net: Network, found: _Islands, island: int) -> list[object]:
    return list(net.bus.id[found.of_bus == island].tolist())


def _reference_hint(net: Network, among: Array) -> str:
    """Which unit to mark: the largest that regulates, else the largest."""
    gen = net.gen
    candidates = np.flatnonzero(among & gen.in_service & gen.regulates)
    if not len(candidates):
        candidates = np.flatnonzero(among & gen.in_service)
    if not len(candidates):
        return "the grid has no unit in service: add one, or close what connects it"
    size = np.where(np.isfinite(gen.p_max_mw), gen.p_max_mw, np.abs(gen.p_mw))[candidates]
    best = candidates[int(np.argmax(size))]
    return f"mark is_reference for one, e.g. unit {gen.id[best]}, the largest there"


def _controlled(rows: Any) -> Array:
    return np.asarray(np.where(rows.controlled_bus >= 0, rows.controlled_bus, rows.bus))


def _warn_setpoints(net: Network, table: str, issues: IssueList) -> None:
    """Set-points outside the band of the bus they hold, and units that hold one bus at different voltages."""
    rows: Any = getattr(net, table)
    on = rows.in_service & rows.regulates
    bus = _controlled(rows)
    outside = on & ((rows.v_set_pu < net.bus.v_min_pu[bus]) | (rows.v_set_pu > net.bus.v_max_pu[bus]))
    _note(issues, net, table, "v_set_pu", outside, "lies outside the voltage limits of the bus")
    low, high = np.full(net.n_bus, np.inf), np.full(net.n_bus, -np.inf)
    np.minimum.at(low, bus[on], rows.v_set_pu[on])
    np.maximum.at(high, bus[on], rows.v_set_pu[on])
    split = on & (high > low)[bus]
    _note(issues, net, table, "v_set_pu", split, "differs between units that hold the same bus")


def _element_buses(net: Network) -> Iterator[tuple[str, Array]]:
    for table in ("gen", "load", "shunt", "storage", "compensator"):
        rows = getattr(net, table)
        yield table, rows.in_service & ~net.bus.in_service[rows.bus]
    for table in ("branch", "hvdc"):
        rows = getattr(net, table)
        yield table, rows.in_service & ~(net.bus.in_service[rows.from_bus] & net.bus.in_service[rows.to_bus])


def _warn_dead_bus(net: Network, issues: IssueList) -> None:
    for table, wrong in _element_buses(net):
        _note(issues, net, table, "in_service", wrong, "on a bus that is out of service, so without effect,")
