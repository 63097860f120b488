"""What a sound table looks like, row by row: the rules that `aurigrid.model.validate` applies, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from aurigrid.model.table import Array
from aurigrid.model.tables import BRANCH_KINDS

MIN_IMPEDANCE_PU = 1e-9
"""Series impedance below which a branch cannot be told from a closed switch in float64, pu."""

_SHARE_SLACK = 1e-9
_CLOSED_SWITCH = "a zero-impedance branch can be given as a closed switch"

POSITIONS: tuple[tuple[str, str, str, int], ...] = (
    ("branch", "from_bus", "bus", 0),
    ("branch", "to_bus", "bus", 0),
    ("branch", "regulated_bus", "bus", -1),
    ("gen", "bus", "bus", 0),
    ("gen", "controlled_bus", "bus", -1),
    ("load", "bus", "bus", 0),
    ("shunt", "bus", "bus", 0),
    ("storage", "bus", "bus", 0),
    ("compensator", "bus", "bus", 0),
    ("compensator", "controlled_bus", "bus", -1),
    ("hvdc", "from_bus", "bus", 0),
    ("hvdc", "to_bus", "bus", 0),
    ("switch", "from_bus", "bus", 0),
    ("switch", "to_bus", "bus", 0),
    ("cost_point", "gen", "gen", 0),
    ("capability", "gen", "gen", 0),
)
"""Columns that hold positions: table, column, table pointed to, least value (-1 where "none" is allowed)."""


class Rule(NamedTuple):
    """`wrong(table)` is the mask of rows that break the rule; the message reads "... for 3 branches"."""

    table: str
    field: str
    wrong: Callable[[Any], Array]
    message: str
    hint: str = ""


def _reversed(table: str, low: str, high: str) -> Rule:
    def wrong(t: Any) -> Array:
        return np.asarray(getattr(t, low) > getattr(t, high))

    return Rule(table, low, wrong, f"must not exceed {high}", "swap the two limits")


def _outside(table: str, field: str, low: float, high: float, hint: str = "") -> Rule:
    def wrong(t: Any) -> Array:
        return np.asarray((getattr(t, field) < low) | (getattr(t, field) > high))

    return Rule(table, field, wrong, f"must lie between {low:g} and {high:g}", hint)


def _not_above(table: str, field: str, limit: float, hint: str = "") -> Rule:
    return Rule(table, field, lambda t: getattr(t, field) <= limit, f"must be greater than {limit:g}", hint)


def _below(table: str, field: str, limit: float, hint: str = "") -> Rule:
    return Rule(table, field, lambda t: getattr(t, field) < limit, f"must not be less than {limit:g}", hint)


def _shares(quantity: str) -> Rule:
    z, i = f"{quantity}_share_z", f"{quantity}_share_i"
    message = f"plus {i} must not exceed 1"
    return Rule(
        "load", z, lambda t: getattr(t, z) + getattr(t, i) > 1 + _SHARE_SLACK, message, "the rest is constant power"
    )


def _efficiency(field: str) -> Rule:
    def wrong(t: Any) -> Array:
        return np.asarray((getattr(t, field) <= 0) | (getattr(t, field) > 1))

    return Rule("storage", field, wrong, "must be above 0 and at most 1")


_RATING = "use inf where the source gives no rating"
RULES: tuple[Rule, ...] = (
    _not_above("bus", "v_nom_kv", 0.0, "give the nominal voltage in kV, line to line"),
    _below("bus", "v_min_pu", 0.0),
    _reversed("bus", "v_min_pu", "v_max_pu"),
    Rule("branch", "x_pu", lambda t: (t.r_pu == 0) & (t.x_pu == 0), "must not be 0 with r_pu 0", _CLOSED_SWITCH),
    Rule(
        "branch",
        "x_pu",
        lambda t: (np.hypot(t.r_pu, t.x_pu) < MIN_IMPEDANCE_PU) & ((t.r_pu != 0) | (t.x_pu != 0)),
        f"gives an impedance below {MIN_IMPEDANCE_PU:g} pu",
        _CLOSED_SWITCH,
    ),
    _outside("branch", "kind", 0, len(BRANCH_KINDS) - 1, "kinds are " + ", ".join(BRANCH_KINDS)),
    _not_above("branch", "tap_ratio", 0.0, "use 1 for a line"),
    _not_above("branch", "rate_mva", 0.0, _RATING),
    _not_above("branch", "rate_short_mva", 0.0, _RATING),
    _not_above("branch", "rate_emergency_mva", 0.0, _RATING),
    _reversed("branch", "angle_min_deg", "angle_max_deg"),
    _reversed("branch", "tap_min", "tap_max"),
    Rule(
        "branch",
        "tap_pos",
        lambda t: (t.tap_max > t.tap_min) & ((t.tap_pos < t.tap_min) | (t.tap_pos > t.tap_max)),
        "must lie between tap_min and tap_max",
    ),
    Rule(
        "branch",
        "regulated_v_pu",
        lambda t: (t.regulated_bus >= 0) & ~(t.regulated_v_pu > 0),
        "must be positive where the tap holds a voltage",
        "give the voltage, or set regulated_bus to -1",
    ),
    _reversed("gen", "p_min_mw", "p_max_mw"),
    _reversed("gen", "q_min_mvar", "q_max_mvar"),
    Rule("gen", "v_set_pu", lambda t: (t.regulates | t.is_reference) & (t.v_set_pu <= 0), "must be greater than 0"),
    *(_below("gen", f, 0.0) for f in ("participation", "ramp_up_mw_per_min", "ramp_down_mw_per_min")),
    *(_below("gen", f, 0.0) for f in ("min_up_h", "min_down_h", "start_cost", "stop_cost")),
    *(_outside("load", f"{s}_share_{k}", 0.0, 1.0) for s in "pq" for k in "zi"),
    _shares("p"),
    _shares("q"),
    _below("shunt", "step_max", 0.0),
    _reversed("storage", "p_min_mw", "p_max_mw"),
    _reversed("storage", "q_min_mvar", "q_max_mvar"),
    _below("storage", "energy_mwh", 0.0),
    _below("storage", "energy_max_mwh", 0.0),
    _reversed("storage", "energy_mwh", "energy_max_mwh"),
    _efficiency("charge_efficiency"),
    _efficiency("discharge_efficiency"),
    _reversed("compensator", "q_min_mvar", "q_max_mvar"),
    Rule("compensator", "v_set_pu", lambda t: t.regulates & (t.v_set_pu <= 0), "must be greater than 0"),
    _reversed("hvdc", "p_min_mw", "p_max_mw"),
    _reversed("hvdc", "q_min_from_mvar", "q_max_from_mvar"),
    _reversed("hvdc", "q_min_to_mvar", "q_max_to_mvar"),
    _below("hvdc", "loss_fixed_mw", 0.0),
    Rule("hvdc", "loss_share", lambda t: (t.loss_share < 0) | (t.loss_share >= 1), "must be at least 0 and below 1"),
    Rule("hvdc", "v_set_from_pu", lambda t: t.regulates_from & (t.v_set_from_pu <= 0), "must be greater than 0"),
    Rule("hvdc", "v_set_to_pu", lambda t: t.regulates_to & (t.v_set_to_pu <= 0), "must be greater than 0"),
    _not_above("switch", "rate_mva", 0.0, _RATING),
    _reversed("capability", "q_min_mvar", "q_max_mvar"),
)
