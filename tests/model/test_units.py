"""Conversions, against figures worked out by hand from their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from aurigrid import units


def test_bases_at_110_kv_and_100_mva() -> None:
    # 110^2 / 100 = 121 ohm; 100 / (1.7320508 * 110) = 0.5248639 kA
    assert units.impedance_base_ohm(110.0, 100.0) == pytest.approx(121.0, rel=1e-15)
    assert units.current_base_ka(110.0, 100.0) == pytest.approx(0.5248638810814779, rel=1e-14)


def test_rating_is_the_inverse_of_the_current_base() -> None:
    v = np.array([20.0, 110.0, 380.0])
    assert units.rating_mva(units.current_base_ka(v, 250.0), v) == pytest.approx([250.0] * 3, rel=1e-15)


def test_rating_of_a_380_kv_line() -> None:
    # 1.7320508 * 380 kV * 2.5 kA
    assert units.rating_mva(2.5, 380.0) == pytest.approx(1645.4482671904334, rel=1e-14)


def test_charging_of_one_microfarad() -> None:
    # 2 pi 50 Hz 1e-6 F = 314.159 uS, times 121 ohm
    assert units.charging_pu(1000.0, 50.0, 110.0, 100.0) == pytest.approx(0.0380132711084, rel=1e-11)


def test_pound() -> None:
    pounds_in_a_tonne = 1 / units.TONNE_PER_POUND
    assert pounds_in_a_tonne == pytest.approx(2204.62262185, rel=1e-11)
