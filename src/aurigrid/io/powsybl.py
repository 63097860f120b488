"""CGMES, XIIDM, UCTE, PSS/E and IEEE-CDF, read through pypowsybl.

pypowsybl parses the file; the conversion to our tables is ours, from its data frames. Modules: `powsybl_rows` (per
unit, buses, switches), `powsybl_branches`, `powsybl_taps`, `powsybl_units`, `powsybl_hvdc`, `powsybl_solve` (its load
flow). The grid model behind the frames: https://powsybl.readthedocs.io, "Grid model".
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.io.powsybl_branches import (
    read_boundary_lines,
    read_lines,
    read_ratings,
    read_three_winding,
    read_two_winding,
)
from aurigrid.io.powsybl_hvdc import choose_references, read_hvdc
from aurigrid.io.powsybl_rows import Rows, branch_powers, bus_voltages, read_buses, read_switches
from aurigrid.io.powsybl_solve import open_load_flow, plain_units, pypowsybl, scratch_variant
from aurigrid.io.powsybl_taps import Taps, position_differences, read_taps
from aurigrid.io.powsybl_units import (
    read_batteries,
    read_curves,
    read_generators,
    read_loads,
    read_shunts,
    read_svcs,
    section_differences,
)
from aurigrid.io.report import Import, ReportBuilder, SourceState
from aurigrid.model.network import Network
from aurigrid.model.validate import require_valid

SUFFIXES = (
    ".xiidm", ".iidm", ".jiidm", ".biidm", ".xml", ".zip", ".uct", ".raw", ".rawx", ".cdf", ".txt", ".mat",
)  # fmt: skip
"""File name endings (in lower case) that pypowsybl can read; a folder is taken as CGMES."""

_FREQUENCY_HZ = {"IEEE-CDF": 60.0, "PSS/E": 60.0, "PSSE": 60.0}


def read_powsybl(source: Any, *, reference: bool = False, solved_positions: bool = False) -> Import:
    """Read a grid that pypowsybl understands.

    Args:
        source: path of a CGMES zip or folder, an XIIDM, UCTE, PSS/E or IEEE-CDF file, or a live pypowsybl network
            (left as it was found).
        reference: let OpenLoadFlow solve the network, with one slack bus a synchronous component (the bus of our
            reference unit), no reactive limits and no regulation; its solution is the `SourceState`. Otherwise that
            is the state the source stores, or None.
        solved_positions: take tap and section positions of the stored solution (CGMES SV) instead of those of the
            steady-state hypothesis.

    Raises:
        InputError: the file is missing or unreadable, or the network in it is not valid.
        MissingExtraError: pypowsybl is not installed.
    """
    network, label = _open(source)
    with ExitStack() as stack:
        stack.enter_context(plain_units(network))
        if reference or solved_positions:
            stack.enter_context(scratch_variant(network))
        if solved_positions:
            network.apply_solved_tap_position_and_section_count_values()
        rows = Rows(network, ReportBuilder(str(network.source_format), label))
        taps = _convert(rows)
        grid = rows.network(
            Path(source).stem if isinstance(source, (str, Path)) else str(network.id),
            _FREQUENCY_HZ.get(str(network.source_format), 50.0),
        )
        moved = [*position_differences(taps), *section_differences(rows)]
        if moved:
            why = "the stored voltages belong to other positions; solved_positions=True takes those"
            rows.note("approximate", "tap and section positions", "those of the steady-state hypothesis", moved[0], why)
            for id in moved[1:]:
                rows.note("approximate", "tap and section positions", "those of the steady-state hypothesis", id, why)
        rows.write_notes()
        require_valid(grid)
        state = _reference_state(rows, grid) if reference else _stored_state(rows, moved)
        return Import(grid, rows.report.finish(grid), source_state=state, source_object=network)


def reference_state(imported: Import) -> SourceState | None:
    """OpenLoadFlow's solution of an import that holds its live pypowsybl network; None where it does not converge."""
    return read_powsybl(imported.source_object, reference=True).source_state


def _convert(rows: Rows) -> Taps:
    """Fill the rows from the source's frames; buses first, references last."""
    read_buses(rows)
    read_switches(rows)
    ratings, taps, curves = read_ratings(rows), read_taps(rows), read_curves(rows)
    read_lines(rows, ratings)
    read_two_winding(rows, ratings, taps)
    read_three_winding(rows, ratings, taps)
    read_generators(rows, curves)
    read_loads(rows)
    read_boundary_lines(rows, ratings)
    read_shunts(rows)
    read_svcs(rows)
    read_batteries(rows, curves)
    read_hvdc(rows, curves)
    choose_references(rows)
    return taps


def _open(source: Any) -> tuple[Any, str]:
    """The live network and its label."""
    if not isinstance(source, (str, Path)):
        if not hasattr(source, "get_bus_breaker_view_buses"):
            hint = "give a path or a pypowsybl.network.Network"
            raise InputError(Issue("source", "", f"a {type(source).__name__} is not a pypowsybl network", hint=hint))
        return source, str(source.id)
    path = Path(source)
    if not path.exists():
        raise InputError(Issue(str(path), "", "no such file or folder", hint="check the path"))
    if path.suffix.lower() == ".zip" and path.is_file() and not zipfile.is_zipfile(path):
        raise InputError(
            Issue(str(path), "", "is not a zip file", hint="give the CGMES profiles, packed or as a folder")
        )
    module = pypowsybl()
    with ExitStack() as stack:
        file = path
        if path.is_dir() or path.suffix.lower() == ".cdf":
            file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / path.name
        if path.is_dir():
            file = file.with_name(f"{path.name}.zip")
            _pack(path, file)
        elif file != path:
            file = file.with_suffix(".txt")  # the only suffix by which pypowsybl knows IEEE-CDF
            shutil.copyfile(path, file)
        try:
            return module.network.load(str(file)), str(path)
        except module.PyPowsyblError as error:
            hint = "formats: CGMES (zip or folder), XIIDM, UCTE, PSS/E, IEEE-CDF; the suffix must fit the format"
            raise InputError(Issue(str(path), "", f"pypowsybl cannot read it ({error})", hint=hint)) from error


def _pack(folder: Path, target: Path) -> None:
    """Put the profiles of a CGMES folder (XML files, or one zip each) into one zip, as the importer wants them."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".xml", ".zip"))
    if not found:
        hint = "a CGMES folder holds the EQ, SSH, TP and SV profiles as .xml or .zip"
        raise InputError(Issue(str(folder), "", "holds no CGMES profile", hint=hint))
    with zipfile.ZipFile(target, "w") as out:
        for file in found:
            if file.suffix.lower() == ".xml":
                out.write(file, file.name)
                continue
            with zipfile.ZipFile(file) as inner:
                for name in inner.namelist():
                    out.writestr(Path(name).name, inner.read(name))


def _stored_state(rows: Rows, moved: list[str]) -> SourceState | None:
    """The state that the source carries, or None where it has no voltage."""
    magnitude, angle = bus_voltages(rows)
    if np.isnan(magnitude).all():
        return None
    remarks = []
    if moved:
        remarks.append(f"tap or section positions differ from those of this state ({', '.join(moved[:8])})")
    stored = [(r["target_p"], -r["p"]) for r in rows.records("generators") if r["connected"] and not np.isnan(r["p"])]
    shift = sum(abs(p - target) for target, p in stored)
    if shift > 0.01:
        remarks.append(f"units stand {shift:.2f} MW off their targets in all (the imbalance was distributed)")
    return SourceState("stored in the source", False, magnitude, angle, **branch_powers(rows), remarks=tuple(remarks))


def _reference_state(rows: Rows, grid: Network) -> SourceState | None:
    """OpenLoadFlow's solution, read back through the same frames; None where a component did not converge."""
    views = [rows.view[b] for b in grid.gen.bus[grid.gen.is_reference]]
    shares = grid.load.p_share_z + grid.load.p_share_i + grid.load.q_share_z + grid.load.q_share_i
    failures = open_load_flow(rows.source, [v for v in views if v], bool(shares.any()))
    remarks = failures
    if rows.exponential:
        # Seen with pypowsybl 1.16.1: np = nq = 1 draws p0 (1 + v), where IIDM says p0 v.
        remarks += (f"OpenLoadFlow adds p0 and q0 to exponential loads ({', '.join(rows.exponential[:8])})",)
    magnitude, angle = bus_voltages(rows)
    if failures and np.isnan(magnitude).all():
        return None
    origin = "OpenLoadFlow (pypowsybl): slack at the reference unit, no reactive limits, no regulation"
    return SourceState(origin, not failures, magnitude, angle, **branch_powers(rows), remarks=remarks)
