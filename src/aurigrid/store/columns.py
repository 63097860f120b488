"""`Column`: one column of a stored table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: name, type (``int8|int16|int32|float32|float64|bool|text|texts|numbers|time|shares``), meaning and unit."""

    name: str
    type: str
    doc: str
