"""What operating points of a run amount to: counts by label, reasons, cost, losses, curtailment, carbon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aurigrid.store import Run
from aurigrid.studies.facts import MODEL_WORDS, Fact, Kind

Rows = list[dict[str, Any]]

_TOTALS = """
SELECT count(*) AS steps, count(*) FILTER (label = 'secure') AS secure, count(*) FILTER (label = 'feasible') AS feasible,
       count(*) FILTER (label = 'infeasible') AS infeasible, count(*) FILTER (label = 'unsolved') AS unsolved,
       max(outages) AS outages, count(*) FILTER (outages > 0) AS steps_checked, $h * sum(load_mw) AS load_mwh,
       $h * sum(losses_mw) AS losses_mwh, $h * sum(available_mw) AS available_mwh,
       $h * sum(curtailed_mw) AS curtailed_mwh, $h * sum(redispatch_mw) AS redispatch_mwh,
       $h * sum(cost_per_h) AS cost, $h * sum(carbon_t_per_h) AS carbon_t, $h * sum(short_mw) AS short_mwh,
       max(short_mw) AS short_max_mw, max(short_mvar) AS short_max_mvar, max(started_units) AS started_units,
       max(max_loading) AS max_loading, min(v_min_pu) AS v_min_pu, max(v_max_pu) AS v_max_pu,
       max(mismatch_pu) AS mismatch_pu, count(*) FILTER (data_base_violations > 0) AS data_steps_broken,
       sum(data_base_violations)::BIGINT AS data_violations, avg(iterations) AS iterations
FROM points
"""
_REASONS = """
SELECT kind, element_table AS "table", element_id AS element, count(DISTINCT step) AS steps, max(amount) AS largest,
       any_value(unit) AS unit
FROM reasons GROUP BY kind, element_table, element_id ORDER BY (kind = 'binding_rating'), steps DESC, largest DESC
"""
_MONTHS = """
SELECT strftime(date_trunc($unit, time), $form) AS period, count(*) AS steps,
       count(*) FILTER (label IN ('secure', 'feasible')) AS kept, count(*) FILTER (label = 'infeasible') AS infeasible,
       max(short_mw) AS short_mw, $h * sum(curtailed_mw) / 1000 AS curtailed_gwh, $h * sum(cost_per_h) / 1e6 AS cost_m,
       $h * sum(carbon_t_per_h) / 1000 AS carbon_kt, max(max_loading) AS max_loading
FROM points GROUP BY date_trunc($unit, time) ORDER BY date_trunc($unit, time)
"""
_INSECURE = """
SELECT worst_contingency AS outage, worst_element AS element, count(*) AS steps, max(worst_severity) AS severity
FROM points WHERE worst_contingency IS NOT NULL GROUP BY ALL ORDER BY steps DESC, severity DESC LIMIT $n
"""
_MANY_STEPS = 400


@dataclass(frozen=True)
class Tally:
    """Figures of a run's operating points, as plain data.

    Attributes:
        totals: counts by label, energies in MWh, cost in currency, carbon in t, extremes.
        reasons: what is missing or broken in infeasible steps, by element and by number of steps; ratings that bind there last.
        periods: the same by month, by day where the run is short.
        insecure: worst outages of points that are feasible and not secure.
        defaults: what was filled in where the data are silent, in words.
        model: the model that passed outages over, and what is known of what it misses; empty where all were solved.
    """

    totals: dict[str, Any]
    reasons: Rows
    periods: Rows
    insecure: Rows
    defaults: list[str]
    model: dict[str, Any]

    def sentences(self) -> list[str]:
        """The figures in words: one plain sentence a fact."""
        return [fact.sentence for fact in self.facts()]

    def facts(self) -> list[Fact]:
        """The same as data."""
        t = self.totals
        if not t["steps"]:
            return [Fact("no_step", "The run has no finished step yet.", {})]
        kept = "{kept:,} of {steps:,} steps have an AC operating point that keeps every limit of the intact grid."
        out = [Fact("points_kept", kept, {"kept": t["secure"] + t["feasible"], "steps": t["steps"]})]
        if t["steps_checked"]:
            at_most = "up to " if self.model else ""
            text = f"{{secure:,}} of them are secure: {at_most}{{outages:,}} outages were solved at each, and all keep the "
            text += "limits."
            out.append(Fact("points_secure", text, {"secure": t["secure"], "outages": t["outages"]}))
        if t["steps_checked"] and self.model:
            out.append(Fact("points_passed", f"All other outages were {MODEL_WORDS}.", dict(self.model)))
        if t["infeasible"]:
            out.append(_infeasible(t, self.reasons))
        if t["unsolved"]:
            text = "In {steps:,} steps no point that balances was found."
            out.append(Fact("points_unsolved", text, {"steps": t["unsolved"]}))
        if t["data_violations"] is not None:
            text = "The data's own dispatch breaks {limits:,} limits of the intact grid, in {steps:,} steps."
            values = {"limits": t["data_violations"], "steps": t["data_steps_broken"]}
            out.append(Fact("data_broken", text, values))
        if t["available_mwh"]:
            share = 100 * t["curtailed_mwh"] / t["available_mwh"]
            text = "Curtailed: {gwh:,.2f} GWh of wind and sun, {share:.2f} % of what could be given."
            out.append(Fact("curtailed", text, {"gwh": t["curtailed_mwh"] / 1000, "share": share}))
        text = "Losses {gwh:,.1f} GWh ({share:.2f} % of the load), cost {cost:,.2f} million, emissions {carbon:,.1f} kt of CO2."
        share = 100 * t["losses_mwh"] / t["load_mwh"]
        values = {
            "gwh": t["losses_mwh"] / 1000,
            "share": share,
            "cost": t["cost"] / 1e6,
            "carbon": t["carbon_t"] / 1000,
        }
        return [*out, Fact("losses_cost", text, values)]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return dict(self.__dict__)


def _infeasible(totals: dict[str, Any], reasons: Rows) -> Fact:
    key, text = "infeasible", "{steps:,} steps are infeasible: the point given breaks limits least"
    values: dict[str, Any] = {"steps": totals["infeasible"]}
    if totals["short_max_mw"] > 1e-3:
        key, text = key + "_short", text + "; up to {short:,.1f} MW are missing"
        values["short"] = totals["short_max_mw"]
    broken = next((r for r in reasons if r["kind"] != "binding_rating"), None)
    if broken:
        key, text = key + "_most", text + "; most often {kind} at {table} {element} ({often:,} steps)"
        values |= {"kind": Kind(broken["kind"]), "often": broken["steps"]}
        values |= {"table": Kind(broken["table"]), "element": broken["element"]}
    behind = next((r for r in reasons if r["kind"] == "binding_rating"), None)
    if behind:
        key, text = key + "_behind", text + "; the rating of {rated_table} {rated} binds in {binding:,} of them"
        values |= {"rated_table": Kind(behind["table"]), "rated": behind["element"], "binding": behind["steps"]}
    return Fact(key, text + ".", values)


def tally(run: Run, n: int = 10) -> Tally | None:
    """Read the operating points of a run, `n` rows of each kind; None where it has none."""
    if "points" not in run.table_names:
        return None
    hours = float(run.info.options.get("step_min", 60)) / 60
    totals = run.sql(_TOTALS, {"h": hours}).to_pylist()[0]
    by_month = run.info.n_steps > _MANY_STEPS
    period = {"unit": "month" if by_month else "day", "form": "%Y-%m" if by_month else "%Y-%m-%d", "h": hours}
    each = run.sql(_REASONS).to_pylist()
    broken = [r for r in each if r["kind"] != "binding_rating"][:n]
    return Tally(
        totals,
        broken + [r for r in each if r["kind"] == "binding_rating"][:n],
        run.sql(_MONTHS, period).to_pylist(),
        run.sql(_INSECURE, {"n": n}).to_pylist(),
        list(run.info.options.get("defaults", [])),
        dict(run.info.options.get("model", {})),
    )
