"""docs/nomenclature.md names every column, status, violation kind and scenario argument as the code has them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from aurigrid.model.network import Network
from aurigrid.model.scenario_input import OUTAGES, SOURCES
from aurigrid.powerflow import Status
from aurigrid.security import VIOLATION_KINDS

PAGE = (Path(__file__).parent.parent / "docs" / "nomenclature.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text from a heading that starts with `title` to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}.*?$(.*?)(?=^#+ |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """Cells of the table in a section, code marks removed, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_columns_are_those_of_the_tables() -> None:
    for name, table in Network.table_types().items():
        told = [(row[0], row[1], row[3]) for row in rows(f"`net.{name}`")]
        assert told == [(f.name, f.metadata["dtype"], f.metadata["doc"]) for f in dataclasses.fields(table)], name


def test_statuses_have_their_numbers() -> None:
    assert [(int(row[0]), row[1]) for row in rows("Statuses")] == [(int(s), s.name) for s in Status]


def test_violation_kinds_are_complete() -> None:
    assert [row[0] for row in rows("Kinds of violation")] == list(VIOLATION_KINDS)


def test_scenario_arguments_are_complete() -> None:
    told = {name.strip() for row in rows("Conditions") for name in row[0].split(",")}
    assert told == {*SOURCES, *OUTAGES, "label"}
