"""Unit commitment and economic dispatch on HiGHS."""

import sys
from types import ModuleType
from typing import Any

from aurigrid.dispatch.api import dispatch
from aurigrid.dispatch.plan import Plan
from aurigrid.dispatch.products import ReserveProduct
from aurigrid.dispatch.roll import Rolling, rolling_dispatch

__all__ = ["Plan", "ReserveProduct", "Rolling", "dispatch", "rolling_dispatch"]


class _Callable(ModuleType):
    """`aurigrid.dispatch` names this package and, for users, the function: importing one must not hide the other."""

    def __call__(self, *args: Any, **options: Any) -> Plan:
        return dispatch(*args, **options)


sys.modules[__name__].__class__ = _Callable
