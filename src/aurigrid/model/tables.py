"""What a grid consists of: one table a kind of element, columns in border units.

Signs: an injection into a bus is positive (units, storage, static compensators); a load is positive when consumed.
Positions (``bus``, ``from_bus``, ...) are int32 row numbers of the bus table. ``inf`` means "no limit" and ``nan``
"not known". Symbols and units: docs/nomenclature.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.table import REQUIRED, Array, Table, column

LINE, TRANSFORMER, WINDING, TIE = 0, 1, 2, 3
BRANCH_KINDS = ("line", "transformer", "winding", "tie")
"""Values of `BranchTable.kind`: ``winding`` is one leg of a three-winding transformer, ``tie`` an equivalent branch."""


@dataclass(frozen=True, eq=False)
class BusTable(Table):
    """Buses, in the source's order; star points of three-winding transformers come last."""

    id: Array = column("id", REQUIRED, "the source's own id, unique")
    name: Array = column("str", "", "name")
    v_nom_kv: Array = column("float", 1.0, "nominal (base) voltage, line to line, kV")
    v_min_pu: Array = column("float", 0.0, "lower operating voltage limit, pu")
    v_max_pu: Array = column("float", np.inf, "upper operating voltage limit, pu")
    area: Array = column("str", "", "control area")
    zone: Array = column("str", "", "loss or price zone")
    substation: Array = column("str", "", "substation that holds the bus")
    lon: Array = column("float", np.nan, "longitude, degrees east")
    lat: Array = column("float", np.nan, "latitude, degrees north")
    is_star: Array = column("bool", False, "star point of a three-winding transformer, not a real bus")
    in_service: Array = column("bool", True, "whether the bus may be energised")
    v_mag_pu: Array = column("float", np.nan, "voltage magnitude in the source's stored state, pu")
    v_ang_deg: Array = column("float", np.nan, "voltage angle in the source's stored state, degrees")


@dataclass(frozen=True, eq=False)
class BranchTable(Table):
    """Lines and two-winding transformers as one pi model with an ideal complex tap at the from end.

    With ``y = 1/(r + jx)``, ``t = tap_ratio * exp(j * shift)``::

        i_from = (y + g_from + j b_from)/|t|^2 * v_from - y/conj(t) * v_to
        i_to   = -y/t * v_from + (y + g_to + j b_to) * v_to

    Impedances are per unit on the network's ``base_mva`` and the *to* bus's nominal voltage base as usual in this
    field (equal to the from base for a line).
    """

    id: Array = column("id", REQUIRED, "the source's own id, unique among branches")
    name: Array = column("str", "", "name")
    kind: Array = column("int", LINE, "0 line, 1 two-winding transformer, 2 winding of a three-winding one, 3 tie")
    from_bus: Array = column("int", REQUIRED, "position of the from bus")
    to_bus: Array = column("int", REQUIRED, "position of the to bus")
    r_pu: Array = column("float", 0.0, "series resistance, pu")
    x_pu: Array = column("float", REQUIRED, "series reactance, pu")
    g_from_pu: Array = column("float", 0.0, "shunt conductance at the from end, pu")
    b_from_pu: Array = column("float", 0.0, "shunt susceptance at the from end, pu")
    g_to_pu: Array = column("float", 0.0, "shunt conductance at the to end, pu")
    b_to_pu: Array = column("float", 0.0, "shunt susceptance at the to end, pu")
    tap_ratio: Array = column("float", 1.0, "off-nominal turns ratio at the from end, pu")
    shift_deg: Array = column("float", 0.0, "phase shift, degrees; positive delays the to end")
    rate_mva: Array = column("float", np.inf, "long-term (continuous) rating, MVA")
    rate_short_mva: Array = column("float", np.inf, "short-term rating, MVA")
    rate_emergency_mva: Array = column("float", np.inf, "emergency rating, MVA")
    angle_min_deg: Array = column("float", -360.0, "lower limit of the angle difference from - to, degrees")
    angle_max_deg: Array = column("float", 360.0, "upper limit of the angle difference from - to, degrees")
    length_km: Array = column("float", np.nan, "line length, km")
    group: Array = column("str", "", "three-winding transformer that a winding belongs to")
    tower: Array = column("str", "", "circuits that share a tower have the same label")
    tap_pos: Array = column("int", 0, "present tap position")
    tap_min: Array = column("int", 0, "lowest tap position")
    tap_max: Array = column("int", 0, "highest tap position; equal to the lowest where the tap is fixed")
    tap_step_pu: Array = column("float", 0.0, "change of tap_ratio a position, pu")
    tap_step_deg: Array = column("float", 0.0, "change of shift_deg a position, degrees")
    regulated_bus: Array = column("int", -1, "position of the bus whose voltage the tap holds, -1 none")
    regulated_v_pu: Array = column("float", np.nan, "voltage that the tap holds, pu")
    in_service: Array = column("bool", True, "closed at both ends")


@dataclass(frozen=True, eq=False)
class GenTable(Table):
    """Generating units of every kind: anything that injects and is not storage, wind and sun included."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among units")
    name: Array = column("str", "", "name")
    bus: Array = column("int", REQUIRED, "position of the bus")
    p_mw: Array = column("float", 0.0, "active power injected, MW")
    q_mvar: Array = column("float", 0.0, "reactive power injected where the voltage is not regulated, Mvar")
    v_set_pu: Array = column("float", 1.0, "voltage set-point, pu")
    regulates: Array = column("bool", False, "holds the voltage of controlled_bus at v_set_pu")
    controlled_bus: Array = column("int", -1, "position of the bus held, -1 for its own")
    is_reference: Array = column("bool", False, "its bus is an angle reference and takes the balance (slack)")
    v_ang_deg: Array = column("float", 0.0, "voltage angle of the reference, degrees")
    p_min_mw: Array = column("float", -np.inf, "lower active limit, MW")
    p_max_mw: Array = column("float", np.inf, "upper active limit, MW")
    q_min_mvar: Array = column("float", -np.inf, "lower reactive limit, Mvar")
    q_max_mvar: Array = column("float", np.inf, "upper reactive limit, Mvar")
    participation: Array = column("float", 0.0, "share factor of distributed slack, any positive scale")
    fuel: Array = column("str", "", "primary energy: wind, solar, hydro, coal, lignite, gas, oil, nuclear, ...")
    technology: Array = column("str", "", "plant type, e.g. CC, CT, offshore")
    ramp_up_mw_per_min: Array = column("float", np.inf, "largest rise, MW/min")
    ramp_down_mw_per_min: Array = column("float", np.inf, "largest fall, MW/min")
    min_up_h: Array = column("float", 0.0, "least time in service, h")
    min_down_h: Array = column("float", 0.0, "least time out of service, h")
    start_cost: Array = column("float", 0.0, "cost of a start, currency")
    stop_cost: Array = column("float", 0.0, "cost of a stop, currency")
    cost_c0_per_h: Array = column("float", 0.0, "cost at zero output, currency/h")
    cost_c1_per_mwh: Array = column("float", 0.0, "linear cost, currency/MWh")
    cost_c2_per_mw2h: Array = column("float", 0.0, "quadratic cost, currency/(MW^2 h)")
    cost_q1_per_mvarh: Array = column("float", 0.0, "linear cost of reactive power, currency/Mvarh")
    cost_q2_per_mvar2h: Array = column("float", 0.0, "quadratic cost of reactive power, currency/(Mvar^2 h)")
    co2_t_per_mwh: Array = column("float", np.nan, "emission rate, t/MWh electric")
    in_service: Array = column("bool", True, "synchronised")


@dataclass(frozen=True, eq=False)
class CostPointTable(Table):
    """Piecewise-linear costs: the points of each unit, ascending in power; they replace its polynomial."""

    gen: Array = column("int", REQUIRED, "position of the unit")
    p_mw: Array = column("float", REQUIRED, "active power, MW")
    cost_per_h: Array = column("float", REQUIRED, "cost at that power, currency/h")


@dataclass(frozen=True, eq=False)
class CapabilityTable(Table):
    """Capability curves: reactive limits of a unit by active power, linear between points; they tighten q_min/q_max."""

    gen: Array = column("int", REQUIRED, "position of the unit")
    p_mw: Array = column("float", REQUIRED, "active power, MW")
    q_min_mvar: Array = column("float", REQUIRED, "lower reactive limit there, Mvar")
    q_max_mvar: Array = column("float", REQUIRED, "upper reactive limit there, Mvar")


@dataclass(frozen=True, eq=False)
class LoadTable(Table):
    """Loads, positive when consumed, with ZIP shares: ``p = p_mw * (cz v^2 + ci v + 1 - cz - ci)``, v in pu."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among loads")
    name: Array = column("str", "", "name")
    bus: Array = column("int", REQUIRED, "position of the bus")
    p_mw: Array = column("float", 0.0, "active power at 1 pu, MW")
    q_mvar: Array = column("float", 0.0, "reactive power at 1 pu, Mvar")
    p_share_z: Array = column("float", 0.0, "share of p_mw at constant impedance, 0..1")
    p_share_i: Array = column("float", 0.0, "share of p_mw at constant current, 0..1")
    q_share_z: Array = column("float", 0.0, "share of q_mvar at constant impedance, 0..1")
    q_share_i: Array = column("float", 0.0, "share of q_mvar at constant current, 0..1")
    kind: Array = column("str", "", "consumer group or profile name")
    in_service: Array = column("bool", True, "connected")


@dataclass(frozen=True, eq=False)
class ShuntTable(Table):
    """Fixed and stepped shunts: admittance a step times the steps in service."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among shunts")
    name: Array = column("str", "", "name")
    bus: Array = column("int", REQUIRED, "position of the bus")
    g_mw: Array = column("float", 0.0, "active power consumed by one step at 1 pu, MW")
    b_mvar: Array = column("float", 0.0, "reactive power injected by one step at 1 pu, Mvar")
    step: Array = column("float", 1.0, "steps in service")
    step_max: Array = column("int", 1, "steps that exist")
    in_service: Array = column("bool", True, "connected")


@dataclass(frozen=True, eq=False)
class StorageTable(Table):
    """Batteries and pumped storage; power is positive when it feeds the grid."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among storage")
    name: Array = column("str", "", "name")
    bus: Array = column("int", REQUIRED, "position of the bus")
    p_mw: Array = column("float", 0.0, "active power injected, MW (negative: charging)")
    q_mvar: Array = column("float", 0.0, "reactive power injected, Mvar")
    p_min_mw: Array = column("float", -np.inf, "largest charging power, as a negative injection, MW")
    p_max_mw: Array = column("float", np.inf, "largest discharging power, MW")
    q_min_mvar: Array = column("float", -np.inf, "lower reactive limit, Mvar")
    q_max_mvar: Array = column("float", np.inf, "upper reactive limit, Mvar")
    energy_mwh: Array = column("float", np.nan, "energy stored, MWh")
    energy_max_mwh: Array = column("float", np.nan, "energy capacity, MWh")
    charge_efficiency: Array = column("float", 1.0, "energy stored a unit of energy drawn, 0..1")
    discharge_efficiency: Array = column("float", 1.0, "energy fed a unit of energy taken out, 0..1")
    in_service: Array = column("bool", True, "connected")


@dataclass(frozen=True, eq=False)
class CompensatorTable(Table):
    """Static compensators (SVC, STATCOM, synchronous condensers without a unit entry)."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among compensators")
    name: Array = column("str", "", "name")
    bus: Array = column("int", REQUIRED, "position of the bus")
    q_mvar: Array = column("float", 0.0, "reactive power injected where the voltage is not regulated, Mvar")
    v_set_pu: Array = column("float", 1.0, "voltage set-point, pu")
    regulates: Array = column("bool", True, "holds the voltage of controlled_bus at v_set_pu")
    controlled_bus: Array = column("int", -1, "position of the bus held, -1 for its own")
    q_min_mvar: Array = column("float", -np.inf, "lower reactive limit, Mvar")
    q_max_mvar: Array = column("float", np.inf, "upper reactive limit, Mvar")
    in_service: Array = column("bool", True, "connected")


@dataclass(frozen=True, eq=False)
class HvdcTable(Table):
    """Point-to-point HVDC links: ``p_mw`` leaves the AC grid at from_bus when positive; losses reduce what arrives.

    Power delivered at the receiving end is ``p - loss_fixed_mw - loss_share * p``.
    """

    id: Array = column("id", REQUIRED, "the source's own id, unique among HVDC links")
    name: Array = column("str", "", "name")
    from_bus: Array = column("int", REQUIRED, "position of the from bus")
    to_bus: Array = column("int", REQUIRED, "position of the to bus")
    p_mw: Array = column("float", 0.0, "active power drawn at the sending end; negative: from to_bus to from_bus, MW")
    p_min_mw: Array = column("float", -np.inf, "lower limit of p_mw, MW")
    p_max_mw: Array = column("float", np.inf, "upper limit of p_mw, MW")
    loss_fixed_mw: Array = column("float", 0.0, "losses that do not depend on power, MW")
    loss_share: Array = column("float", 0.0, "losses as a share of the power drawn, 0..1")
    regulates_from: Array = column("bool", False, "the from converter holds its bus at v_set_from_pu")
    regulates_to: Array = column("bool", False, "the to converter holds its bus at v_set_to_pu")
    v_set_from_pu: Array = column("float", 1.0, "voltage set-point at the from end, pu")
    v_set_to_pu: Array = column("float", 1.0, "voltage set-point at the to end, pu")
    q_from_mvar: Array = column("float", 0.0, "reactive power injected at the from end where not regulating, Mvar")
    q_to_mvar: Array = column("float", 0.0, "reactive power injected at the to end where not regulating, Mvar")
    q_min_from_mvar: Array = column("float", -np.inf, "lower reactive limit at the from end, Mvar")
    q_max_from_mvar: Array = column("float", np.inf, "upper reactive limit at the from end, Mvar")
    q_min_to_mvar: Array = column("float", -np.inf, "lower reactive limit at the to end, Mvar")
    q_max_to_mvar: Array = column("float", np.inf, "upper reactive limit at the to end, Mvar")
    in_service: Array = column("bool", True, "connected")


@dataclass(frozen=True, eq=False)
class SwitchTable(Table):
    """Bus-to-bus switches and zero-impedance branches; closed ones merge their buses into one electrical node."""

    id: Array = column("id", REQUIRED, "the source's own id, unique among switches")
    name: Array = column("str", "", "name")
    from_bus: Array = column("int", REQUIRED, "position of the from bus")
    to_bus: Array = column("int", REQUIRED, "position of the to bus")
    closed: Array = column("bool", True, "whether it conducts")
    rate_mva: Array = column("float", np.inf, "long-term rating, MVA")
