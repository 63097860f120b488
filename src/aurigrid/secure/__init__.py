"""Operating points that survive outages: preventive and corrective security-constrained optimal power flow, remedial actions."""

from aurigrid.secure.points import secure_operating_points
from aurigrid.secure.result import SecureOperatingPoints, SecureStatus

__all__ = ["SecureOperatingPoints", "SecureStatus", "secure_operating_points"]
