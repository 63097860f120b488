"""Security: contingency lists, outage analysis in full AC, violations."""

from aurigrid.security.analysis import security_analysis
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.report import VIOLATION_KINDS, SecurityReport, Violations

__all__ = ["VIOLATION_KINDS", "Contingencies", "SecurityReport", "Violations", "security_analysis"]
