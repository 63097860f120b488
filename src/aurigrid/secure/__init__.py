"""Operating points that survive outages: preventive and corrective security-constrained optimal power flow, remedial actions."""

from aurigrid.secure.points import secure_operating_points
from aurigrid.secure.remedial import RemedialReport, remedial_actions
from aurigrid.secure.result import SecureOperatingPoints, SecureStatus

__all__ = ["RemedialReport", "SecureOperatingPoints", "SecureStatus", "remedial_actions", "secure_operating_points"]
