"""The folder of models: listed, looked up by name, added whole or not at all, removed."""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from aurigrid.errors import InputError, Issue
from aurigrid.registry.card import CARD_FILE, Card


def models_folder() -> Path:
    """Where models are kept: ``AURIGRID_MODELS_DIR``, or the platform's data folder of the user."""
    if chosen := os.environ.get("AURIGRID_MODELS_DIR"):
        return Path(chosen)
    if base := os.environ.get("XDG_DATA_HOME"):
        return Path(base) / "aurigrid" / "models"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "aurigrid" / "models"
    home = Path.home()
    data = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "share"
    return data / "aurigrid" / "models"


def entries() -> list[Path]:
    """Folders of all models, by name."""
    folder = models_folder()
    return sorted(p.parent for p in folder.glob(f"*/{CARD_FILE}")) if folder.is_dir() else []


def named(name: str) -> Path:
    """The folder of one model.

    Raises:
        InputError: there is none of that name.
    """
    for folder in entries():
        if folder.name == name:
            return folder
    known = [folder.name for folder in entries()]
    near = difflib.get_close_matches(name, known, n=2) or known[:4]
    hint = f"there are {', '.join(near)}" if near else "there are none; train one: aurigrid train"
    raise InputError(Issue("models", name, "is no model of the registry", hint=hint))


def hash_of(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def register(card: Card, files: Mapping[str, bytes]) -> Path:
    """Add a model, in place of one of the same name; it is there whole or not at all.

    Args:
        card: its card, with the hashes of the files.
        files: what lies beside the card, by name.
    """
    folder = models_folder()
    target, beside = folder / card.name, folder / f".{card.name}.tmp-{os.getpid()}"
    try:
        beside.mkdir(parents=True)
        for name, data in files.items():
            (beside / name).write_bytes(data)
        (beside / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
        if target.exists():
            remove(card.name)
        os.replace(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def remove(name: str) -> None:
    """Take a model out of the registry.

    Raises:
        InputError: there is none of that name.
    """
    folder = named(name)
    gone = folder.with_name(f".{name}.gone-{os.getpid()}")
    os.replace(folder, gone)
    shutil.rmtree(gone)
