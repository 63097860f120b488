"""The run folders that a server shows: found, opened, and kept while their files stay as they are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aurigrid.errors import InputError, Issue
from aurigrid.store import Run, open_run
from aurigrid.store.run import PLAN_RECORD

if TYPE_CHECKING:
    from aurigrid.model.network import Network

T = TypeVar("T")

_KEPT = 256


@dataclass
class Kept:
    """Values that are dear to make, the least recently used given up first; safe among threads."""

    limit: int = _KEPT
    values: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    making: dict[Any, threading.Lock] = field(default_factory=dict)

    def found(self, key: Any) -> Any:
        """The value of `key` if it is there; None otherwise."""
        with self.lock:
            return self.values.get(key)

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """The value of `key`, made now where it is not there; two askers of one key make it once."""
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
                kept: T = self.values[key]
                return kept
            turn = self.making.setdefault(key, threading.Lock())
        with turn:  # of this key alone: a slow answer holds up nobody who asks something else
            with self.lock:
                if key in self.values:
                    made: T = self.values[key]
                    return made
            value = make()
            with self.lock:
                self.values[key] = value
                self.making.pop(key, None)
                while len(self.values) > self.limit:
                    self.values.popitem(last=False)
            return value


@dataclass
class Entry:
    """One run folder on show.

    Attributes:
        key: its name in addresses, unique in this server.
        path: the folder.
        kept: what has been derived from its finished files.
    """

    key: str
    path: Path
    kept: Kept = field(default_factory=Kept)

    def run(self) -> Run:
        """The run as it is now; opened anew only when its folder has changed.

        Raises:
            InputError: the folder is gone, damaged or of another version.
        """
        return self.kept.get(("run", self._stamp()), lambda: open_run(self.path))

    def network(self) -> Network:
        """The run's grid."""
        from aurigrid.io.folder import load_folder

        return self.kept.get("network", lambda: load_folder(self.path / "grid")[0])

    def _stamp(self) -> tuple[int, ...]:
        return tuple(
            _changed(self.path / name)
            for name in ("run.json", "plan.json", "turns", "steps", "steps.parquet", "points", "points.parquet")
        )


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class Library:
    """The runs that were named, and those found in the folders of runs that were named."""

    def __init__(self, given: Iterable[Path], root: Path) -> None:
        """Take run folders, and folders that hold them.

        Args:
            given: each a run folder, or a folder of run folders.
            root: where studies that the page starts are written; its runs are shown too.

        Raises:
            InputError: one of the folders is neither, or a run that cannot be read; every one is named.
        """
        self.root = root
        self._single: list[Path] = []
        self._folders: list[Path] = []
        self._entries: dict[Path, Entry] = {}
        self._lock = threading.RLock()
        issues: list[Issue] = []
        for path in given:
            try:
                self._take(path)
            except InputError as error:
                issues += error.issues
        if issues:
            raise InputError(issues)
        self._folders = list(dict.fromkeys([*self._folders, root.resolve()]))

    def _take(self, path: Path) -> None:
        if path.is_dir() and not is_run(path):
            if not any(_runs_in(path)):
                hint = "'aurigrid day --out FOLDER' writes a run"
                raise InputError(Issue(str(path), "", "is no run folder and holds none", hint=hint))
            self._folders.append(path.resolve())
            return
        open_run(path)
        self._single.append(path.resolve())

    def entries(self) -> list[Entry]:
        """Every run there is now, those named first."""
        with self._lock:
            found = [*self._single, *(run for folder in self._folders for run in _runs_in(folder))]
            for path in dict.fromkeys(found):
                if path not in self._entries:
                    self._entries[path] = Entry(self._key(path), path)
            return [self._entries[path] for path in dict.fromkeys(found)]

    def _key(self, path: Path) -> str:
        taken = {entry.key for entry in self._entries.values()}
        key, n = path.name, 2
        while key in taken:
            key, n = f"{path.name}~{n}", n + 1
        return key

    def __getitem__(self, key: str) -> Entry:
        for entry in self.entries():
            if entry.key == key:
                return entry
        raise KeyError(key)


def is_run(path: Path) -> bool:
    """Whether a folder has the record of a run or of a plan."""
    return any((path / name).is_file() for name in ("run.json", PLAN_RECORD))


def _runs_in(folder: Path) -> Iterable[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [f.resolve() for f in found if not f.name.startswith(".") and is_run(f)]
