"""Power flow: one call, several engines, the same kind of answer."""

from aurigrid.powerflow.api import ENGINES, SLACKS, power_flow
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import BranchFlow, Solution
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.stepping import SteppedPowerFlow, stepped_power_flow

__all__ = [
    "ENGINES",
    "SLACKS",
    "BranchFlow",
    "Rung",
    "Solution",
    "Status",
    "SteppedPowerFlow",
    "power_flow",
    "stepped_power_flow",
]
