"""Diagnosis: why a grid's state cannot be run, and what to change."""

from aurigrid.diagnosis.api import diagnose
from aurigrid.diagnosis.change import Change
from aurigrid.diagnosis.result import Diagnosis

__all__ = ["Change", "Diagnosis", "diagnose"]
