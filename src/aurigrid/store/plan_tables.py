"""What a plan's folder holds: the tables of `aurigrid.dispatch`, their columns, types and units, and how they are written.

A plan folder::

    plan.json                   format version, grid digest, package versions, options, summary
    grid/                       the network, one Parquet file a table
    plan_schedule.parquet       and likewise for each table of `PLAN_TABLES`
    csv/plan_schedule.csv       the same as text

It appears whole or not at all; that of a rolling plan grows turn by turn (`aurigrid.store.turns`).
`aurigrid.store.open_run` reads it, and so does ``aurigrid sql``.
"""

from __future__ import annotations

from aurigrid.store.columns import Column

_STEP = (Column("step", "int32", "step, counted from 0"), Column("time", "time", "start of the step"))


def _element(table: str, what: str) -> tuple[Column, Column]:
    return Column(table, "int32", f"position of the {what}"), Column(f"{table}_id", "text", "the source's own id of it")


PLAN_TABLES: dict[str, tuple[Column, ...]] = {
    "plan_steps": (
        *_STEP,
        Column("load_mw", "float64", "demand, shifted load where it went to, MW"),
        Column("gen_mw", "float64", "output of units, MW"),
        Column("losses_mw", "float64", "losses of the linear flows, MW"),
        Column("available_mw", "float64", "what weather-driven units could give, MW"),
        Column("curtailed_mw", "float64", "of this, not given, MW"),
        Column("unserved_mw", "float64", "load that is not met, MW"),
        Column("surplus_mw", "float64", "power that cannot be used, MW"),
        Column("price_per_mwh", "float64", "price that demand pays on average, currency/MWh"),
        Column("co2_t", "float64", "emissions of the step, t"),
        Column("congestion_rent", "float64", "what congestion earns in the step, currency"),
    ),
    "plan_schedule": (
        *_STEP, *_element("gen", "unit"),
        Column("fuel", "text", "fuel of the unit"),
        Column("p_mw", "float64", "output, MW"),
        Column("curtailed_mw", "float64", "what a weather-driven unit could have given more, MW"),
    ),
    "plan_commitment": (
        *_STEP, *_element("gen", "unit"),
        Column("on", "bool", "whether it is on"),
        Column("started", "bool", "whether it starts in this step"),
        Column("stopped", "bool", "whether this is the first step off"),
    ),
    "plan_storage": (
        *_STEP, *_element("storage", "store"),
        Column("p_mw", "float64", "power, positive when it feeds, MW"),
        Column("energy_mwh", "float64", "energy at the end of the step, MWh"),
    ),
    "plan_hvdc": (*_STEP, *_element("hvdc", "link"), Column("p_mw", "float64", "power drawn at the from end, MW")),
    "plan_shifters": (
        *_STEP, *_element("branch", "branch"),
        Column("shift_deg", "float64", "phase shift, degrees; positive delays the to end"),
        Column("position", "float64", "position that gives it, between whole ones as a rule"),
    ),
    "plan_prices": (
        *_STEP, *_element("bus", "bus"),
        Column("price_per_mwh", "float64", "price of one MWh more, currency/MWh; sum of the next four"),
        Column("energy", "float64", "part that demand pays on average"),
        Column("base", "float64", "part of limits of the intact grid"),
        Column("outage", "float64", "part of limits after outages"),
        Column("loss", "float64", "part of losses, where they are marginal"),
    ),
    "plan_carbon": (
        *_STEP, *_element("bus", "bus"),
        Column("average_t_per_mwh", "float64", "carbon of the power at the bus, t/MWh"),
        Column("marginal_t_per_mwh", "float64", "carbon of one MWh more, t/MWh"),
    ),
    "plan_curtailment": (
        *_STEP, *_element("gen", "unit"),
        Column("mwh", "float64", "energy that is not used, MWh"),
        Column("cause", "text", "no demand, must-run, ramp, reserve, base limit, n-1 limit, voltage"),
        Column("limiting", "text", "what limits it: branch, bus, plant or reserve product; empty for no demand"),
        Column("outage", "text", "branch after whose outage the limiting branch is full; empty where the grid is intact"),
    ),
    "plan_elastic": (
        *_STEP,
        Column("element_table", "text", "load, or gen for a dispatchable load of the unit table"),
        Column("element_id", "text", "the source's own id of it"),
        Column("price_per_mwh", "float64", "price up to which this part of it is served, currency/MWh"),
        Column("asked_mw", "float64", "what this part asks for, MW"),
        Column("served_mw", "float64", "what it gets, MW"),
    ),
    "plan_limits": (
        *_STEP, *_element("branch", "branch"),
        Column("outage", "text", "branch that is out, or product that is called; empty where the grid is intact"),
        Column("excess_mw", "float64", "flow above the limit, MW"),
        Column("price_per_mw", "float64", "what one more MW of the limit would save, currency/MW and hour"),
    ),
    "plan_reserves": (
        *_STEP,
        Column("product", "text", "reserve product"),
        Column("element_table", "text", "gen or storage; empty for the product as a whole"),
        Column("element_id", "text", "id of who holds it; empty for the product as a whole"),
        Column("held_mw", "float64", "reserve held, MW"),
        Column("need_mw", "float64", "requirement, MW; null for elements"),
        Column("short_mw", "float64", "what is missing, MW; null for elements"),
    ),
    "plan_unserved": (
        *_STEP, *_element("bus", "bus"),
        Column("unserved_mw", "float64", "load that is not met, MW"),
        Column("surplus_mw", "float64", "power that cannot be used, MW"),
    ),
    "plan_costs": (Column("item", "text", "item"), Column("cost", "float64", "currency over the horizon")),
    "plan_emissions": (
        *_element("gen", "unit"),
        Column("fuel", "text", "fuel of the unit"),
        Column("energy_mwh", "float64", "energy over the horizon, MWh"),
        Column("co2_t", "float64", "emissions over the horizon, t"),
    ),
    "plan_assumptions": (
        Column("what", "text", "what was filled in or assumed"),
        Column("units", "int32", "units that it holds for; null where it is no default"),
        Column("source", "text", "where the figure comes from"),
    ),
    "plan_agreement": (
        *_STEP,
        Column("agreed", "bool", "whether plan and AC agree"),
        Column("moved_mw", "float64", "what AC moves from some units to others, MW"),
        Column("unit_mw", "float64", "largest move of a unit, MW"),
        *_element("gen", "unit with that move"),
        Column("excess_mw", "float64", "flow above limits that the plan could not avoid, MW"),
        Column("reason", "text", "why they do not agree; empty where they do"),
    ),
    "plan_outages": (
        *_STEP,
        *_element("branch", "branch"),
        Column("outage_id", "text", "outage after which it is above its rating"),
        Column("value_mva", "float64", "flow after it, in AC, MVA"),
        Column("limit_mva", "float64", "rating after outages, MVA"),
        Column("reason", "text", "why the plan could not keep it"),
    ),
    "plan_risk": (
        *_STEP,
        Column("scenarios", "int32", "scenarios that were played against the plan"),
        Column("p_violation", "float64", "share of them in which some limit of the intact grid breaks"),
        Column("p_low", "float64", "its 95 % interval"),
        Column("p_high", "float64", "its 95 % interval"),
        Column("unsolved", "float64", "share without a power flow solution; they count as broken"),
        Column("unserved_mw", "float64", "expected load that is not served, MW"),
        Column("unserved_low_mw", "float64", "its 95 % interval"),
        Column("unserved_high_mw", "float64", "its 95 % interval"),
        Column("curtailed_mw", "float64", "expected wind and sun that is not given, MW"),
        Column("curtailed_low_mw", "float64", "its 95 % interval"),
        Column("curtailed_high_mw", "float64", "its 95 % interval"),
    ),
    "plan_risk_limits": (
        *_STEP,
        Column("kind", "text", "which limit breaks"),
        Column("element_table", "text", "bus or branch"),
        Column("element", "int32", "position of the element"),
        Column("element_id", "text", "the source's own id of it"),
        Column("probability", "float64", "share of scenarios in which it breaks"),
        Column("p_low", "float64", "its 95 % interval"),
        Column("p_high", "float64", "its 95 % interval"),
        Column("mean_excess", "float64", "mean distance past the limit in those scenarios, MVA or pu"),
    ),
    "plan_fan": (
        *_STEP,
        Column("quantity", "text", "net_load, load, wind, solar, unserved or curtailed, of the whole grid"),
        Column("share", "float64", "share of the scenarios at or below"),
        Column("mw", "float64", "the quantile, MW"),
    ),
    "plan_turns": (
        *_STEP,
        Column("turn", "int32", "number of the turn that begins with this step"),
        Column("horizon", "int32", "steps that it looked ahead, its own included"),
        Column("committed", "bool", "whether states were decided anew"),
        Column("gap", "float64", "proven gap of that search; null where none was made"),
        Column("seconds", "float64", "time that the turn took, s"),
    ),
}  # fmt: skip
"""Tables of a plan; steps of one plan count from 0. `plan_turns` is there for rolling plans only, `plan_risk`,
`plan_risk_limits` and `plan_fan` where scenarios were played, `plan_agreement` for those that were brought together with AC,
`plan_outages` where outages were limits then."""
