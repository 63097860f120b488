"""`SecureOperatingPoints`: what became of a batch of operating points that should survive outages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.opf.result import OptimalPowerFlow
from aurigrid.powerflow.status import Status
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.report import Violations

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.model.scenarios import Scenarios

Array = np.ndarray[Any, np.dtype[Any]]


class SecureStatus(IntEnum):
    """Label of one scenario."""

    SECURE = 0
    INSECURE = 1
    INFEASIBLE = 2
    FAILED = 3

    @property
    def meaning(self) -> str:
        """One clause for tables and messages."""
        return _MEANING[self]


_MEANING = {
    SecureStatus.SECURE: "every outage stays within its limits",
    SecureStatus.INSECURE: "feasible before outages; some break limits, at the price stated",
    SecureStatus.INFEASIBLE: "no feasible point even before outages",
    SecureStatus.FAILED: "numerical failure",
}


@dataclass(frozen=True, eq=False)
class SecureOperatingPoints:
    """Operating points of n scenarios and what m outages do to them in exact AC.

    Attributes:
        status: (n,) int8 `SecureStatus`.
        points: the points, with cost, prices and certificate; cuts are part of the certificate.
        contingencies: the outages.
        rounds: (n,) int32 optimal power flows after the first one; cuts: (n,) int32 cuts at the end.
        unsecured_objective: (n,) objective without regard to outages.
        outage_status: (n, m) int8 `Status` of each outage at the final point, SKIPPED for infeasible scenarios.
        worst_loading: (n, m) largest flow after each outage as a share of the rating that holds then.
        lost_load_mw: (n, m) demand that the outage itself cuts off.
        cured_by: (n, m) int32 listed action that keeps an outage within limits, -1 for none needed or found.
        beyond_reach: (n, m) bool, of outages that still break limits: those after which no state within limits was found,
            whatever units give and wherever voltages lie (`aurigrid.secure.reach`). No operating point survives them.
        found: limits that outages still break (after the action, where one was taken), ``no_convergence`` among them.
        rest_mva: (n,) overload that is left, summed over outages, MVA; rest_pu: the same of voltages, pu.
        rest_price: (n,) price of the rest, currency/h.
        power_flows: exact power flows that were solved.
    """

    status: Array
    points: OptimalPowerFlow
    contingencies: Contingencies
    rounds: Array
    cuts: Array
    unsecured_objective: Array
    outage_status: Array
    worst_loading: Array
    lost_load_mw: Array
    cured_by: Array
    beyond_reach: Array
    found: Violations
    rest_mva: Array
    rest_pu: Array
    rest_price: Array
    power_flows: int

    @property
    def n(self) -> int:
        return len(self.status)

    @property
    def secure(self) -> Array:
        """(n,) whether every outage stays within its limits."""
        return np.asarray(self.status == SecureStatus.SECURE)

    def status_of(self, scenario: int) -> SecureStatus:
        """Label of one scenario."""
        return SecureStatus(int(self.status[scenario]))

    @property
    def objective(self) -> Array:
        """(n,) objective of the points."""
        return self.points.objective

    @property
    def security_cost(self) -> Array:
        """(n,) what regard to outages adds to the objective."""
        return np.asarray(self.points.objective - self.unsecured_objective)

    @property
    def scenarios(self) -> Scenarios:
        """The points as scenarios, ready for a power flow or a security analysis."""
        return self.points.scenarios

    @property
    def violations(self) -> pa.Table:
        """What outages still break, worst first, as `SecurityReport.violations`."""
        order = np.lexsort((self.found.contingency, self.found.scenario, -self.found.severity))
        return self.found.take(order).to_arrow(self.points.problem.grid.net, self.contingencies)

    @property
    def splits(self) -> Array:
        """(n, m) outages that cut part of the grid off."""
        return np.asarray(self.outage_status == Status.ISLANDED)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{np.sum(self.status == s)} {s.name.lower()}" for s in SecureStatus if (self.status == s).any()
        )
        return f"SecureOperatingPoints({self.n} x {len(self.contingencies)}: {counts})"
