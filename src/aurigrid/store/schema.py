"""What a run folder holds: every table, its columns, types and units. This is the contract of the files.

A run folder::

    run.json                      format version, grid digest, package versions, options, status
    grid/                         the network, one Parquet file a table
    contingency_list.parquet      the outages studied: label, kind, elements
    bus_state/step=0000.parquet   and likewise for each table of `STEP_TABLES` while the run is computed; a step is
                                  finished when its file of the last one, ``steps``, exists
    bus_state.parquet             in place of these once all steps are there (`aurigrid.store.whole`)
    feature_list.parquet          derived from the above (`aurigrid.store.features`), absent until it was asked for:
    features.parquet              what describes a state, and a vector for each finished step

A run of operating points (``aurigrid generate``) has many small steps, so it holds files of ``chunk_steps`` steps
(``run.json``) in place of files of one: ``points/chunk=00000.parquet`` and likewise for each table of `CHUNK_TABLES`; a
chunk is finished when its file of the last one, ``points``, exists. A day on generated operating points has
``points.parquet`` and ``reasons.parquet`` beside its own tables.

A limit that is broken before any outage is one row of ``violations`` with contingency -1. After an outage it has
another row only where the outage makes it worse by more than 1 % of the limit.

Types: ``text`` is a dictionary-coded string. float32 is used only where a figure is read by people (flows, loadings,
mismatches of outages); base voltages, which a power flow can start from, are float64.

A plan of ``aurigrid dispatch`` has a folder of its own kind (`aurigrid.store.plan_tables`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aurigrid.errors import InputError, Issue
from aurigrid.store.columns import Column
from aurigrid.store.plan_tables import PLAN_TABLES

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 1


_STEP = Column("step", "int32", "step, counted from 0")
_OUTAGE = Column("contingency", "int32", "position in contingency_list; -1 is the base state")
_LABEL = Column("contingency_label", "text", "label of the outage; empty for the base state")

TABLES: dict[str, tuple[Column, ...]] = {
    "contingency_list": (
        Column("contingency", "int32", "position"),
        Column("label", "text", "unique label"),
        Column("kind", "text", "line, transformer, generator, hvdc, bus, load, tower or multiple"),
        Column("elements", "texts", "what is taken away, as table:id"),
        Column("representative", "int32", "first outage with the same solution up to identical parallel circuits"),
    ),
    "bus_state": (
        _STEP,
        Column("bus", "int32", "position of the bus"),
        Column("v_mag", "float64", "voltage magnitude of the base state, pu; null where de-energised or not solved"),
        Column("v_ang", "float64", "voltage angle of the base state, rad"),
    ),
    "branch_state": (
        _STEP,
        Column("branch", "int32", "position of the branch"),
        Column("p_from_mw", "float32", "active power entering at the from end, MW"),
        Column("q_from_mvar", "float32", "reactive power entering at the from end, Mvar"),
        Column("p_to_mw", "float32", "active power entering at the to end, MW"),
        Column("q_to_mvar", "float32", "reactive power entering at the to end, Mvar"),
        Column("loading", "float32", "larger apparent power of both ends as a share of rate_mva, 1.0 = 100 %"),
    ),
    "gen_state": (
        _STEP,
        Column("gen", "int32", "position of the unit"),
        Column("p_mw", "float32", "active power injected, MW"),
        Column("q_mvar", "float32", "reactive power injected, Mvar"),
    ),
    "violations": (
        _STEP,
        _OUTAGE,
        _LABEL,
        Column("element_table", "text", "table of the element at fault: bus, branch, gen, ..."),
        Column("element", "int32", "position of the element; -1 where the grid as a whole is meant"),
        Column("element_id", "text", "the source's own id of the element"),
        Column("kind", "text", "which limit is broken"),
        Column("value", "float32", "value after the outage, in the unit of the limit"),
        Column("base_value", "float32", "the same before the outage; null where there is none"),
        Column("limit", "float32", "the limit; null where there is none"),
        Column("excess", "float32", "distance past the limit, positive, in the unit of the limit"),
        Column("new", "bool", "whether the limit held in the base state"),
        Column("severity", "float32", "excess as a share of the limit, for sorting across kinds; null without limit"),
    ),
    "contingencies": (
        _STEP,
        _OUTAGE,
        _LABEL,
        Column(
            "status",
            "text",
            "converged, islanded, diverged, iteration_limit, singular, implausible; an outage that was "
            "passed over has no row",
        ),
        Column("iterations", "int16", "Newton iterations"),
        Column(
            "mismatch_pu", "float32", "largest power mismatch recomputed after the solution, pu; null if not solved"
        ),
        Column("lost_load_mw", "float32", "load in parts that lost their supply, MW"),
        Column("lost_gen_mw", "float32", "generation in parts that lost their supply, MW"),
        Column("max_loading", "float32", "largest loading after the outage, 1.0 = 100 %"),
        Column("v_min_pu", "float32", "lowest voltage after the outage, pu"),
        Column("v_max_pu", "float32", "highest voltage after the outage, pu"),
        Column("violations", "int32", "rows of this outage in violations"),
    ),
    "steps": (
        _STEP,
        Column("time", "time", "start of the interval, in the profiles' own zone"),
        Column("status", "text", "status of the base state, as in contingencies"),
        Column("iterations", "int16", "Newton iterations of the base state"),
        Column("mismatch_pu", "float64", "largest power mismatch of the base state, pu"),
        Column("load_mw", "float64", "load, MW"),
        Column("gen_mw", "float64", "generation, MW"),
        Column("losses_mw", "float64", "losses of the branches, MW"),
        Column("gen_by_fuel_mw", "shares", "generation by fuel, MW: gen_by_fuel_mw['wind']"),
        Column("max_loading", "float64", "largest base loading, 1.0 = 100 %"),
        Column("max_loading_branch", "text", "id of the branch that has it"),
        Column("v_min_pu", "float64", "lowest base voltage, pu"),
        Column("v_max_pu", "float64", "highest base voltage, pu"),
        Column("outages", "int32", "outages studied"),
        Column("outages_converged", "int32", "of these, solved with every part energised"),
        Column("outages_islanded", "int32", "of these, solved with a part of the grid de-energised"),
        Column("outages_failed", "int32", "of these, without a solution"),
        Column("outages_violating", "int32", "of these, breaking at least one limit that held in the base state"),
        Column("base_violations", "int32", "limits broken in the base state"),
        Column("violations", "int32", "limits broken after outages"),
        Column("worst_contingency", "text", "outage with the largest severity"),
        Column("worst_element", "text", "element that it endangers"),
        Column("worst_kind", "text", "limit that it breaks"),
        Column("worst_severity", "float64", "how far, as a share of the limit"),
        Column("seconds", "float64", "solving time of the step, s"),
    ),
    "point_gen": (
        _STEP,
        Column("gen", "int32", "position of the unit; units out of service are left out"),
        Column("p_mw", "float32", "active power injected, MW"),
        Column("q_mvar", "float32", "reactive power injected, Mvar"),
    ),
    "point_bus": (
        _STEP,
        Column("bus", "int32", "position of the bus"),
        Column("v_mag", "float32", "voltage magnitude, pu; null where de-energised or not solved"),
        Column("v_ang", "float32", "voltage angle, rad"),
    ),
    "reasons": (
        _STEP,
        Column(
            "kind",
            "text",
            "short_mw, unused_mw, short_mvar, unused_mvar, overload, voltage_low, voltage_high; binding_rating",
        ),
        Column("element_table", "text", "bus or branch"),
        Column("element", "int32", "position of the element"),
        Column("element_id", "text", "the source's own id of the element"),
        Column(
            "amount",
            "float64",
            "how much is missing or over the limit; what one more MVA of a binding rating would save",
        ),
        Column("unit", "text", "MW, Mvar, MVA, pu or currency/MVAh"),
    ),
    "points": (
        _STEP,
        Column("time", "time", "start of the interval, in the profiles' own zone"),
        Column("label", "text", "secure, feasible, infeasible or unsolved"),
        Column("cost_per_h", "float64", "cost of the units, currency/h"),
        Column("carbon_t_per_h", "float64", "emissions of the units, t/h; units of unknown rate count 0"),
        Column("available_mw", "float64", "wind and sun that could be given, MW"),
        Column("curtailed_mw", "float64", "of these, not given, MW"),
        Column("redispatch_mw", "float64", "sum of the changes of units from the data's dispatch, either way, MW"),
        Column("started_units", "int32", "units that give more than 1 MW though the data's dispatch has them at 0"),
        Column("short_mw", "float64", "active power that is missing or cannot be used, MW"),
        Column("short_mvar", "float64", "reactive power that is missing or cannot be absorbed, Mvar"),
        Column("data_base_violations", "int32", "limits that the data's own dispatch breaks; null where not looked at"),
        Column("status", "text", "outcome of the optimal power flow"),
        Column("iterations", "int32", "interior-point iterations, all attempts together"),
        Column("mismatch_pu", "float64", "largest power mismatch, missing power counted as given, pu of 100 MVA"),
        Column("violation_pu", "float64", "largest broken limit, pu of 100 MVA or pu of voltage"),
        Column("load_mw", "float64", "load, MW; storage that charges counts as load"),
        Column("gen_mw", "float64", "generation, MW"),
        Column("losses_mw", "float64", "losses of the branches, MW"),
        Column("gen_by_fuel_mw", "shares", "generation by fuel, MW"),
        Column("max_loading", "float64", "largest loading, 1.0 = 100 %"),
        Column("max_loading_branch", "text", "id of the branch that has it"),
        Column("v_min_pu", "float64", "lowest voltage, pu"),
        Column("v_max_pu", "float64", "highest voltage, pu"),
        Column("outages", "int32", "outages checked; 0 where none was asked for"),
        Column("outages_failed", "int32", "of these, without a solution"),
        Column("outages_violating", "int32", "of these, breaking at least one limit that held before"),
        Column("worst_contingency", "text", "outage with the largest severity"),
        Column("worst_element", "text", "element that it endangers"),
        Column("worst_severity", "float64", "how far, as a share of the limit"),
    ),
    "feature_list": (
        Column("feature", "int32", "position in the vectors of features"),
        Column("name", "text", "unique name"),
        Column("group", "text", "group of like features; groups weigh the same in a distance"),
        Column("unit", "text", "unit of the value; empty for shares and counts"),
        Column("scale", "float64", "difference that counts as 1 in a distance, in the unit"),
        Column("doc", "text", "what the value is"),
    ),
    "features": (
        _STEP,
        Column("time", "time", "start of the interval, in the profiles' own zone"),
        Column("value", "numbers", "one value a feature, in the order of feature_list; NaN where not solved"),
        Column("branches_out", "texts", "ids of the branches that carry nothing"),
    ),
    **PLAN_TABLES,
}

STEP_TABLES = ("bus_state", "branch_state", "gen_state", "violations", "contingencies", "steps")
"""Tables with one file a step, in the order of writing; the last one marks the step as finished."""

DERIVED_TABLES = ("feature_list", "features")
"""Tables that follow from the others and may be absent."""
CHUNK_TABLES = ("point_gen", "point_bus", "reasons", "points")
"""Tables with one file a chunk of steps, in the order of writing; the last one marks the chunk as finished."""


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a column type."""
    import pyarrow as pa

    if kind == "text":
        return pa.dictionary(pa.int32(), pa.string())
    if kind == "texts":
        return pa.list_(pa.string())
    if kind == "numbers":
        return pa.list_(pa.float64())
    if kind == "time":
        return pa.timestamp("ms")  # Parquet knows no coarser unit
    if kind == "shares":
        return pa.map_(pa.string(), pa.float64())
    return getattr(pa, "bool_" if kind == "bool" else kind)()


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a table."""
    import pyarrow as pa

    return pa.schema([pa.field(c.name, arrow_type(c.type)) for c in TABLES[table]])


def to_arrow(table: str, columns: dict[str, Any]) -> pa.Table:
    """A table of the schema from columns of any array-like; NaN becomes null, scalars are repeated.

    Raises:
        InputError: columns that are missing, unknown or cannot be cast; all of them.
    """
    import pyarrow as pa

    specs = {c.name: c for c in TABLES[table]}
    issues = [Issue(table, name, "is not a column of this table") for name in columns if name not in specs]
    issues += [Issue(table, name, "is missing") for name in specs if name not in columns]
    arrays = {}
    lengths = [len(v) for v in columns.values() if hasattr(v, "__len__") and not isinstance(v, (str, dict))]
    n = max(lengths, default=1)
    for name in specs.keys() & columns.keys():
        try:
            arrays[name] = _as_arrow(columns[name], specs[name].type, n)
        except (pa.ArrowException, TypeError, ValueError) as error:
            issues.append(Issue(table, name, f"cannot be stored as {specs[name].type} ({error})"))
    issues += [Issue(table, k, f"has {len(a)} rows, not {n}") for k, a in arrays.items() if len(a) != n]
    if issues:
        raise InputError(issues)
    return pa.table([arrays[name] for name in specs], schema=arrow_schema(table))


def _as_arrow(values: Any, kind: str, n: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if kind == "text" and not pa.types.is_dictionary(array.type):
            return array.cast(pa.string()).dictionary_encode()
        return array.cast(arrow_type(kind))
    if not hasattr(values, "__len__") or isinstance(values, (str, dict)):
        values = [list(values.items()) if isinstance(values, dict) else values] * n
    if kind == "text":
        return pa.array(values, type=pa.string()).dictionary_encode()
    if kind in ("float32", "float64"):
        wide = np.asarray(values, dtype=np.float64)
        return pa.array(wide, mask=np.isnan(wide)).cast(arrow_type(kind), safe=False)
    if kind == "time":
        return pa.array(np.asarray(values, dtype="datetime64[ms]"))
    return pa.array(values, type=arrow_type(kind))
