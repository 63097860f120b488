"""Reading the packed columns of the server, as the page does."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

KINDS = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "u8": "u1"}


def unpack(column: dict[str, Any]) -> Any:
    """Values of a column: an array, or a list of texts or plain values."""
    if column["kind"] == "json":
        return column["values"]
    data = base64.b64decode(column["data"])
    if column["kind"] == "text":
        return [column["words"][code] if code >= 0 else None for code in np.frombuffer(data, "<i4")]
    return np.frombuffer(data, KINDS[column["kind"]])


def table(columns: dict[str, Any]) -> dict[str, Any]:
    """A table of the server, unpacked."""
    found = {name: unpack(column) for name, column in columns["columns"].items()}
    assert all(len(v) == columns["rows"] for v in found.values())
    return found
