"""Aurigrid: batched, exact simulation of power grids that carry a lot of wind and sun.

The public names; everything else is loaded when it is first used, so that importing this package stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "InputError": "aurigrid.errors",
    "InvalidNetworkError": "aurigrid.errors",
    "Issue": "aurigrid.errors",
    "Grouped": "aurigrid.model.grouped",
    "Network": "aurigrid.model.network",
    "Profiles": "aurigrid.model.profiles",
    "scaled": "aurigrid.model.scale",
    "Scenarios": "aurigrid.model.scenarios",
    "Rung": "aurigrid.powerflow",
    "Solution": "aurigrid.powerflow",
    "Status": "aurigrid.powerflow",
    "Diagnosis": "aurigrid.diagnosis",
    "diagnose": "aurigrid.diagnosis",
    "rescued_power_flow": "aurigrid.diagnosis",
    "load": "aurigrid.io.load",
    "load_with_report": "aurigrid.io.load",
    "Plan": "aurigrid.dispatch",
    "ReserveProduct": "aurigrid.dispatch",
    "Rolling": "aurigrid.dispatch",
    "dispatch": "aurigrid.dispatch",
    "rolling_dispatch": "aurigrid.dispatch",
    "OpfStatus": "aurigrid.opf",
    "optimal_power_flow": "aurigrid.opf",
    "power_flow": "aurigrid.powerflow",
    "SteppedPowerFlow": "aurigrid.powerflow",
    "stepped_power_flow": "aurigrid.powerflow",
    "save": "aurigrid.io.folder",
    "SecureOperatingPoints": "aurigrid.secure",
    "SecureStatus": "aurigrid.secure",
    "remedial_actions": "aurigrid.secure",
    "secure_operating_points": "aurigrid.secure",
    "security_analysis": "aurigrid.security",
    "contingencies": "aurigrid.security.contingencies",
    "generate": "aurigrid.studies.generate",
    "run_day": "aurigrid.studies.day",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from aurigrid.diagnosis import Diagnosis, diagnose, rescued_power_flow
    from aurigrid.dispatch import Plan, ReserveProduct, Rolling, dispatch, rolling_dispatch
    from aurigrid.errors import InputError, InvalidNetworkError, Issue
    from aurigrid.io.folder import save
    from aurigrid.io.load import load, load_with_report
    from aurigrid.model.grouped import Grouped
    from aurigrid.model.network import Network
    from aurigrid.model.profiles import Profiles
    from aurigrid.model.scale import scaled
    from aurigrid.model.scenarios import Scenarios
    from aurigrid.opf import OpfStatus, optimal_power_flow
    from aurigrid.powerflow import Rung, Solution, Status, SteppedPowerFlow, power_flow, stepped_power_flow
    from aurigrid.secure import SecureOperatingPoints, SecureStatus, remedial_actions, secure_operating_points
    from aurigrid.security import security_analysis
    from aurigrid.security.contingencies import contingencies
    from aurigrid.studies.day import run_day
    from aurigrid.studies.generate import generate


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'aurigrid' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
