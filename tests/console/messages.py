"""Every message that the server's code can send to the page, read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import aurigrid

SOURCE = Path(aurigrid.__file__).parent
AT_TERMINALS = {"serve.py", "widget.py"}
"""Modules of the console whose messages a terminal or a notebook shows."""
IN_STORE = ("database.py", "query.py", "run.py", "situations.py", "whole.py")
"""Modules of the store that answer the page's questions."""
OF_STUDIES = ("security/selection.py", "model/scale.py", "studies/sources.py", "studies/day.py", "studies/chain.py")
"""Modules that check what a study started from the page is asked."""
GIVEN = ("12", "word", "3.5")
"""What may stand at a placeholder: a pattern has to take one of them."""
CALLS = {"Issue": 2, "add": 2, "problem": 1, "BusyError": 0, "StoreError": 0}
"""Calls that make a message, with the place of the words among their arguments."""


def filled(node: ast.expr, given: str) -> str | None:
    """The words of a constant or an f-string, with `given` at each placeholder; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else given for part in node.values)


def variants(node: ast.expr) -> list[str]:
    """The words with each kind of value at their placeholders; empty where they are not written down here."""
    found = [words for given in GIVEN if (words := filled(node, given))]
    return list(dict.fromkeys(found)) if any(c.isalpha() for words in found for c in words.replace("word", "")) else []


def of_module(path: Path) -> Iterator[list[str]]:
    """Messages and hints of a module, each as its variants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "hint":
            yield variants(node.value)
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "KeyError" and node.args:
            yield [f"there is no {words}" for words in variants(node.args[0])]
        if name in CALLS and len(node.args) > CALLS[name]:
            yield variants(node.args[CALLS[name]])
            if name == "problem" and len(node.args) > 2:
                yield variants(node.args[2])
            for keyword in node.keywords:
                if keyword.arg == "hint":
                    yield variants(keyword.value)


def messages() -> list[list[str]]:
    """All messages of the modules that answer the page, or that check its studies."""
    console = [path for path in sorted((SOURCE / "console").glob("*.py")) if path.name not in AT_TERMINALS]
    store = [SOURCE / "store" / name for name in IN_STORE]
    found = [words for path in [*console, *store, *(SOURCE / name for name in OF_STUDIES)] for words in of_module(path)]
    return [words for words in found if words]
