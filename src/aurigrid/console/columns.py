"""Columns for the page: numbers as little-endian arrays in base64, texts as words and their numbers.

A step of a grid with 10 000 buses is some 500 kB as decimal text and takes the page longer to read than to draw; as
float32 it is 100 kB and needs no parsing.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aurigrid.console.shown import Column, Columns
from aurigrid.store.arrays import codes, numbers

__all__ = ["Column", "Columns", "from_arrow", "packed", "plain", "texts"]

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.model.table import Array

_KINDS: dict[str, str] = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "u8": "u1"}


def packed(values: Array, kind: Literal["f32", "f64", "i32", "u8"]) -> Column:
    """A column of numbers."""
    data = np.ascontiguousarray(values).astype(_KINDS[kind], copy=False)
    return Column(kind=kind, data=base64.b64encode(data.tobytes()).decode("ascii"))


def texts(values: Array) -> Column:
    """A column of texts."""
    words, which = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return Column(kind="text", data=packed(which, "i32").data, words=words.tolist())


def from_arrow(column: pa.ChunkedArray) -> Column:
    """Any Arrow column: numbers and texts packed, everything else as plain values."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_boolean(kind):
        return packed(numbers(column), "u8")
    if pa.types.is_floating(kind):
        return packed(numbers(column), "f32" if pa.types.is_float32(kind) else "f64")
    if pa.types.is_integer(kind) and kind.bit_width <= 32 and column.null_count == 0:
        return packed(numbers(column), "i32")
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        words, which = codes(column)
        return Column(kind="text", data=packed(which, "i32").data, words=list(words))
    return Column(kind="json", values=[plain(v) for v in column.to_pylist()])


def plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)  # a page's numbers are doubles
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
