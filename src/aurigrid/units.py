"""Conversions between border units (MW, kV, degrees, ampere ratings) and per unit.

Three-phase quantities throughout: power is the total of three phases, voltage is line to line, current a phase current.
Every function takes scalars or arrays and broadcasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SQRT3 = float(np.sqrt(3.0))
MINUTES_PER_HOUR = 60.0
MW_PER_KW = 1e-3
TONNE_PER_POUND = 0.45359237e-3
"""Tonnes in an avoirdupois pound (exact by the international yard and pound agreement of 1959)."""

Quantity = Any
"""A float or a float array."""


def impedance_base_ohm(v_nom_kv: Quantity, base_mva: float) -> Quantity:
    """Impedance of 1 pu: ``v^2 / s`` in ohm, of a voltage in kV and a power in MVA."""
    return np.square(v_nom_kv) / base_mva


def current_base_ka(v_nom_kv: Quantity, base_mva: float) -> Quantity:
    """Current of 1 pu: ``s / (sqrt(3) v)`` in kA, of a voltage in kV and a power in MVA."""
    return base_mva / (SQRT3 * np.asarray(v_nom_kv))


def rating_mva(i_max_ka: Quantity, v_nom_kv: Quantity) -> Quantity:
    """Apparent power at nominal voltage of a current limit: ``sqrt(3) v i``, MVA."""
    return SQRT3 * np.asarray(v_nom_kv) * i_max_ka


def charging_pu(c_nf: Quantity, frequency_hz: float, v_nom_kv: Quantity, base_mva: float) -> Quantity:
    """Susceptance of a capacitance: ``2 pi f c`` times the impedance base, pu."""
    return 2e-9 * np.pi * frequency_hz * np.asarray(c_nf) * impedance_base_ohm(v_nom_kv, base_mva)
