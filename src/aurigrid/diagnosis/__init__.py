"""Diagnosis: why a grid's state cannot be run, and what to change."""

from aurigrid.diagnosis.api import diagnose
from aurigrid.diagnosis.change import Change
from aurigrid.diagnosis.ladder import rescued_power_flow
from aurigrid.diagnosis.result import Diagnosis

__all__ = ["Change", "Diagnosis", "diagnose", "rescued_power_flow"]
