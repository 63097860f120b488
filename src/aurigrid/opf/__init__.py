"""Batched AC optimal power flow: operating points, prices and a certificate for each."""

from aurigrid.opf.api import optimal_power_flow
from aurigrid.opf.result import OptimalPowerFlow
from aurigrid.opf.status import OpfStatus

__all__ = ["OpfStatus", "OptimalPowerFlow", "optimal_power_flow"]
