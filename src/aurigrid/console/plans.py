"""Plans of `aurigrid dispatch` for the page: figures of each step, what they are made of, and what holds at a place.

A plan's long tables (`aurigrid.store.plan_tables`) become arrays of steps: sums by fuel, cause, store and product, and the
spread of the nodal prices. Steps of a rolling plan appear as they are settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.console.columns import Column, Columns, from_arrow, packed, texts
from aurigrid.console.library import Entry
from aurigrid.console.shown import CostItem, State, Steps
from aurigrid.store.arrays import codes, numbers
from aurigrid.studies.facts import Fact, Kind

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.model.table import Array
    from aurigrid.store import Run

QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Shares of the buses whose price lies at or below the bands that are drawn."""

MOST_STORES = 12
"""Stores that are drawn one by one; more are drawn as one."""

PRICES = ("price_per_mwh", "energy", "base", "outage", "loss")
"""A nodal price and its parts."""

PLACES = {
    "bus": (
        ("plan_prices", PRICES),
        ("plan_carbon", ("average_t_per_mwh", "marginal_t_per_mwh")),
    ),
    "gen": (("plan_schedule", ("p_mw", "curtailed_mw")), ("plan_commitment", ("on",))),
    "branch": (("plan_limits", ("price_per_mw", "excess_mw")),),
}
"""What a plan says of an element over the steps, by its table."""


def plan_steps(entry: Entry) -> Steps:
    """One row a step, and what its figures are made of."""
    run = entry.run()
    table = run.table("plan_steps")
    at = _Rows(numbers(table.column("step")))
    hours = float(run.info.options.get("step_h", 1.0))
    plain = {name: from_arrow(table.column(name)) for name in table.column_names}
    co2, gen = (numbers(table.column(name)) for name in ("co2_t", "gen_mw"))
    plain["carbon_t_per_mwh"] = packed(np.divide(co2, gen * hours, where=gen > 0, out=np.full(len(co2), np.nan)), "f32")
    bound = run.table("plan_limits")
    binding = np.abs(numbers(bound.column("price_per_mw"))) + numbers(bound.column("excess_mw")) > 1e-6
    plain["binding_limits"] = packed(at.sums(bound, np.zeros(len(bound), int), 1, binding.astype(float))[:, 0], "i32")
    shares = {
        "gen_by_fuel_mw": _by_word(at, run.table("plan_schedule"), "fuel", "p_mw"),
        "curtailed_by_cause_mw": _by_word(at, run.table("plan_curtailment"), "cause", "mwh", 1 / hours),
        **_stores(at, run.table("plan_storage")),
        **_reserves(at, run.table("plan_reserves")),
    }
    for name, source in (("price_per_mwh", "plan_prices"), ("marginal_t_per_mwh", "plan_carbon")):
        found = _spread(at, run.table(source), name)
        if found is not None:
            shares[f"spread_{name}"] = found
    if "plan_risk" in run.table_names:
        risk = run.table("plan_risk")
        shares["risk"] = _named(at, {name: numbers(risk.column(name)) for name in ("p_violation", "p_low", "p_high")})
    if "plan_fan" in run.table_names:
        shares |= _fans(at, run.table("plan_fan"))
    costs = run.table("plan_costs").to_pylist()
    return Steps(
        table=Columns(rows=at.n, columns=plain),
        shares={name: columns for name, columns in shares.items() if columns.columns},
        costs=[CostItem(item=str(row["item"]), cost=float(row["cost"])) for row in costs],
        step_h=hours,
    )


class _Rows:
    """The rows of the steps, and sums over them."""

    def __init__(self, step: Array) -> None:
        self.step = step
        self.n = len(step)

    def of(self, table: pa.Table) -> Array:
        """Row of the step of each row of a long table."""
        return np.searchsorted(self.step, numbers(table.column("step")))

    def sums(self, table: pa.Table, group: Array, groups: int, values: Array) -> Array:
        """(steps, groups) sums of the rows of a long table."""
        flat = np.bincount(self.of(table) * groups + group, np.nan_to_num(values), minlength=self.n * groups)
        return flat.reshape(self.n, groups)


def _by_word(at: _Rows, table: pa.Table, word: str, value: str, factor: float = 1.0) -> Columns:
    words, which = codes(table.column(word))
    total = at.sums(table, which, len(words), factor * numbers(table.column(value)))
    return _named(at, {w: total[:, k] for k, w in enumerate(words) if np.abs(total[:, k]).max(initial=0) > 1e-6})


def _named(at: _Rows, values: dict[str, Array]) -> Columns:
    return Columns(rows=at.n, columns={name: packed(v, "f32") for name, v in values.items()})


def _stores(at: _Rows, table: pa.Table) -> dict[str, Columns]:
    if not len(table):
        return {}
    ids, which = codes(table.column("storage_id"))
    p = numbers(table.column("p_mw"))
    total = at.sums(table, np.where(p > 0, 0, 1), 2, p)
    energy = at.sums(table, which, len(ids), numbers(table.column("energy_mwh")))
    by_store = {i: energy[:, k] for k, i in enumerate(ids)} if len(ids) <= MOST_STORES else {"": energy.sum(1)}
    return {
        "storage_mw": _named(at, {"feeding": total[:, 0], "charging": total[:, 1]}),
        "storage_energy_mwh": _named(at, by_store),
    }


def _reserves(at: _Rows, table: pa.Table) -> dict[str, Columns]:
    owners, which = codes(table.column("element_table"))
    of_product = np.array([owner == "" for owner in (*owners, "")])[which]  # -1, no owner, is the last one
    rows = table.filter(_mask(of_product)) if len(table) else table
    if not len(rows):
        return {}
    products, product = codes(rows.column("product"))
    found = {}
    for name in ("held_mw", "need_mw", "short_mw"):
        total = at.sums(rows, product, len(products), numbers(rows.column(name)))
        found[f"reserve_{name}"] = _named(at, {p: total[:, k] for k, p in enumerate(products)})
    return found


def _mask(keep: Array) -> Any:
    import pyarrow as pa

    return pa.array(keep.tolist(), pa.bool_())


def _spread(at: _Rows, table: pa.Table, column: str) -> Columns | None:
    """Quantiles of a nodal value over the buses; None where steps differ in the buses that they tell."""
    row, values = at.of(table), numbers(table.column(column))
    each = len(values) // at.n if at.n else 0
    if not each or len(values) != each * at.n or np.any(np.bincount(row, minlength=at.n) != each):
        return None
    by_step = values[np.argsort(row, kind="stable")].reshape(at.n, each)
    bands = np.nanquantile(by_step, QUANTILES, axis=1)
    return _named(at, {f"q{round(100 * q)}": bands[k] for k, q in enumerate(QUANTILES)})


def _fans(at: _Rows, table: pa.Table) -> dict[str, Columns]:
    """Quantiles over the scenarios that were played, by quantity."""
    words, which = codes(table.column("quantity"))
    row, percent, mw = (
        at.of(table),
        np.rint(100 * numbers(table.column("share"))).astype(int),
        numbers(table.column("mw")),
    )
    found = {}
    for k, word in enumerate(words):
        bands = {f"q{q}": np.full(at.n, np.nan) for q in np.unique(percent).tolist()}
        for q, values in bands.items():
            mine = (which == k) & (percent == int(q[1:]))
            values[row[mine]] = mw[mine]
        found[f"fan_{word}"] = _named(at, bands)
    return found


def plan_state(entry: Entry, step: int) -> State:
    """What a plan says of each bus, unit and branch at a step; NaN where it says nothing."""
    run, net = entry.run(), entry.network()

    def dense(name: str, element: str, column: str, n: int) -> Array:
        table = _at_step(run.table(name), step)
        out = np.full(n, np.nan)
        out[numbers(table.column(element))] = numbers(table.column(column))
        return out

    limits = _at_step(run.table("plan_limits"), step)
    price = np.zeros(net.n_branch)
    np.add.at(price, numbers(limits.column("branch")), np.abs(numbers(limits.column("price_per_mw"))))
    bus = {name: packed(dense("plan_prices", "bus", name, net.n_bus), "f32") for name in PRICES}
    bus["marginal_t_per_mwh"] = packed(dense("plan_carbon", "bus", "marginal_t_per_mwh", net.n_bus), "f32")
    gen = {name: packed(dense("plan_schedule", "gen", name, net.n_gen), "f32") for name in ("p_mw", "curtailed_mw")}
    return State(
        step=step,
        status="",
        bus=Columns(rows=net.n_bus, columns=bus),
        branch=Columns(rows=net.n_branch, columns={"price_per_mw": packed(price, "f32")}),
        gen=Columns(rows=net.n_gen, columns=gen),
    )


def _at_step(table: pa.Table, step: int) -> pa.Table:
    return table.filter(_mask(numbers(table.column("step")) == step)) if len(table) else table


def plan_limits(entry: Entry, step: int | None) -> Columns:
    """Flow limits that cost something or are broken, at a step or over the plan, the dearest first; one row a limit."""
    run, net = entry.run(), entry.network()
    table = run.table("plan_limits")
    if step is not None:
        table = _at_step(table, step)
    hours = float(run.info.options.get("step_h", 1.0))
    outages, outage = codes(table.column("outage"))
    branch, price, excess = (numbers(table.column(c)) for c in ("branch", "price_per_mw", "excess_mw"))
    key = branch.astype(np.int64) * (len(outages) + 1) + outage + 1
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    n = len(first)
    saved = np.bincount(which, hours * np.abs(price), minlength=n)
    order = np.lexsort((-np.bincount(which, excess, minlength=n), -saved))
    named = np.array([*outages, ""])
    return Columns(
        rows=n,
        columns={
            "branch": packed(branch[first][order], "i32"),
            "branch_id": texts(net.branch.id[branch[first]][order]),
            "outage": texts(named[outage[first]][order]),
            "price_per_mw": packed(saved[order], "f32"),
            "steps": packed(np.bincount(which, (np.abs(price) + excess) > 1e-6, minlength=n)[order], "i32"),
            "excess_mw": packed(np.bincount(which, excess, minlength=n)[order], "f32"),
        },
    )


def plan_series(entry: Entry, table: str, element: int) -> dict[str, Column]:
    """What a plan says of an element over the steps.

    Raises:
        KeyError: nothing is told of such an element.
    """
    if table not in PLACES or not 0 <= element < len(getattr(entry.network(), table)):
        raise KeyError(f"{table} {element} with planned values")
    run = entry.run()
    at = _Rows(numbers(run.table("plan_steps").column("step")))
    found = {"step": packed(at.step, "i32")}
    for name, columns in PLACES[table]:
        rows = run.table(name)
        rows = rows.filter(_mask(numbers(rows.column(table)) == element)) if len(rows) else rows
        for column in columns:
            values = np.zeros(at.n) if table == "branch" else np.full(at.n, np.nan)
            if table == "branch":  # one limit for each outage: what they cost together
                np.add.at(values, at.of(rows), np.abs(numbers(rows.column(column))))
            else:
                values[at.of(rows)] = numbers(rows.column(column))
            found[column] = packed(values, "f32")
    return found


def plan_facts(run: Run) -> list[Fact]:
    """What a plan says, fact by fact; none before it is finished."""
    told = run.info.summary
    if not told:
        return []
    found = [
        Fact(
            "plan_cost",
            "{steps} steps of {minutes:g} min cost {cost:,.0f}; {co2:,.0f} t of CO2.",
            {"steps": told["steps"], "minutes": 60 * told["step_h"], "cost": told["cost"], "co2": told["co2_t"]},
        ),
        Fact("plan_unused", "{mwh:,.0f} MWh of wind, sun and water are not used.", {"mwh": told["curtailed_mwh"]}),
    ]
    for cause, mwh in told.get("curtailed_by_cause_mwh", {}).items():
        if mwh > 0.5:
            found.append(Fact("plan_cause", "Of it {mwh:,.0f} MWh for {cause}.", {"mwh": mwh, "cause": Kind(cause)}))
    short = {
        "plan_unserved": ("{mwh:,.1f} MWh of load is not served.", "unserved_mwh"),
        "plan_reserve_short": ("{mwh:,.1f} MWh of reserve is missing.", "reserve_short_mwh"),
    }
    return found + [Fact(k, text, {"mwh": told[at]}) for k, (text, at) in short.items() if told.get(at, 0.0) > 1e-3]
