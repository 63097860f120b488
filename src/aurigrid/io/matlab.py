"""The part of MATLAB that power-flow case files are written in: literals, and the arithmetic that follows them.

A case file assigns matrices and cell arrays of strings to the fields of one struct; some convert units below, e.g.
``mpc.branch(:, [BR_R BR_X]) = mpc.branch(:, [BR_R BR_X]) / (Vbase^2 / Sbase)``. Literals are read by NumPy, at tens of
megabytes a second; every other statement is evaluated by a small recursive-descent evaluator. What it does not
know - calls of functions on other files, loops - is refused with its line, never skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.io.matlab_expression import STRING, Expression, UnreadableError, as_matrix
from aurigrid.model.table import Array

_NOISE = re.compile(rf"(?P<keep>[\w)\]}}]'(?!\w*')|{STRING})|%[^\n]*|\.\.\.[^\n]*\n")
_BLOCK_COMMENT = re.compile(r"^[ \t]*%\{[ \t]*$.*?^[ \t]*%\}[ \t]*$", re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"function\b[ \t]*(?:(?P<out>\w+|\[[^\]\n]*\])[ \t]*=)?[ \t]*(?P<name>\w+)[^\n]*")
_LITERAL = re.compile(r"(?P<name>[A-Za-z]\w*(?:\.\w+)*)\s*=\s*(?P<open>[\[{])")
_CELL_TOKEN = re.compile(rf"{STRING}|\}}")

_INDEX_ORDER = {
    "idx_bus": "PQ=1 PV=2 REF=3 NONE=4 BUS_I=1 BUS_TYPE=2 PD=3 QD=4 GS=5 BS=6 BUS_AREA=7 VM=8 VA=9 BASE_KV=10 ZONE=11 "
    "VMAX=12 VMIN=13 LAM_P=14 LAM_Q=15 MU_VMAX=16 MU_VMIN=17",
    "idx_gen": "GEN_BUS=1 PG=2 QG=3 QMAX=4 QMIN=5 VG=6 MBASE=7 GEN_STATUS=8 PMAX=9 PMIN=10 MU_PMAX=22 MU_PMIN=23 "
    "MU_QMAX=24 MU_QMIN=25 PC1=11 PC2=12 QC1MIN=13 QC1MAX=14 QC2MIN=15 QC2MAX=16 RAMP_AGC=17 RAMP_10=18 RAMP_30=19 "
    "RAMP_Q=20 APF=21",
    "idx_brch": "F_BUS=1 T_BUS=2 BR_R=3 BR_X=4 BR_B=5 RATE_A=6 RATE_B=7 RATE_C=8 TAP=9 SHIFT=10 BR_STATUS=11 PF=14 "
    "QF=15 PT=16 QT=17 MU_SF=18 MU_ST=19 ANGMIN=12 ANGMAX=13 MU_ANGMIN=20 MU_ANGMAX=21",
    "idx_cost": "PW_LINEAR=1 POLYNOMIAL=2 MODEL=1 STARTUP=2 SHUTDOWN=3 NCOST=4 COST=5",
}
INDEX_NAMES: dict[str, dict[str, int]] = {
    table: {name: int(number) for name, number in (pair.split("=") for pair in pairs.split())}
    for table, pairs in _INDEX_ORDER.items()
}
"""Column numbers from 1, by name, in the order in which each function returns them (MATPOWER User's Manual, B)."""


@dataclass
class CaseText:
    """What a case file assigns.

    Attributes:
        matrices: numeric fields by name (without the struct's), each two-dimensional.
        cells: cell arrays of strings by name.
        strings: string fields by name.
        lines: line number of each assignment, for messages.
        issues: numbers that cannot be read; unreadable: by matrix, the (row, column) of these, which hold NaN.
    """

    matrices: dict[str, Array] = field(default_factory=dict)
    cells: dict[str, list[str]] = field(default_factory=dict)
    strings: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    unreadable: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


def read_case_text(text: str, where: str) -> CaseText:
    """Evaluate the text of a case file.

    Args:
        text: the file's content.
        where: the file's name, for messages.

    Raises:
        InputError: a statement that cannot be read, with its line. Single numbers that cannot be read are left to the
            caller (`CaseText.issues`), so that they can be told together with what else is wrong.
    """
    return _Reader(text, where).read()


def _without_noise(text: str) -> str:
    """Drop comments and join continued lines; a joined line end becomes a vertical tab, so that lines still count."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", " ")
    if "%{" in text:
        text = _BLOCK_COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    return _NOISE.sub(lambda m: m.group() if m.group("keep") else "\v" if m.group()[0] == "." else "", text)


class _Reader:
    """Walks through the statements of one file."""

    def __init__(self, text: str, where: str) -> None:
        self.text = _without_noise(text)
        self.where = where
        self.pos = 0
        self.struct = ""
        self.values: dict[str, Any] = {}
        self.line_of: dict[str, int] = {}
        self.issues: list[Issue] = []
        self.of_numbers: list[Issue] = []
        self.unreadable: dict[str, list[tuple[int, int]]] = {}

    def fail(self, message: str, hint: str = "", pos: int | None = None) -> InputError:
        at = self.pos if pos is None else pos
        return InputError(Issue(f"{self.where}, line {self.line(at)}", "", message, hint=hint))

    def line(self, pos: int) -> int:
        return self.text.count("\n", 0, pos) + self.text.count("\v", 0, pos) + 1

    def read(self) -> CaseText:
        text, skip = self.text, re.compile(r"[\s;,]*")
        seen_function = False
        while True:
            self.pos = skip.match(text, self.pos).end()  # type: ignore[union-attr]
            if self.pos == len(text):
                break
            if head := _FUNCTION.match(text, self.pos):
                if seen_function:
                    break  # a local function below the case: only reached if it is called, and a call is refused
                seen_function, self.pos = True, head.end()
                self.struct = "" if (head["out"] or "[").startswith("[") else head["out"]
            elif literal := _LITERAL.match(text, self.pos):
                self.line_of[literal["name"]] = self.line(self.pos)
                self.values[literal["name"]] = self.literal(literal)
            else:
                try:
                    self.statement()
                except InputError:
                    if not (self.issues or self.of_numbers):
                        raise
                    break  # it may fail only for want of a matrix that could not be read
        if self.issues:
            raise InputError([*self.issues, *self.of_numbers])
        return self.result()

    def literal(self, head: re.Match[str]) -> Any:
        """The matrix or cell array that begins here; one that cannot be read leaves its issues and an empty matrix."""
        before = self.pos
        try:
            return self.matrix(head) if head["open"] == "[" else self.cell(head)
        except InputError as error:
            self.issues.extend(error.issues)
            if self.pos == before:  # its end is not known either
                raise InputError([*self.issues, *self.of_numbers]) from error
            return np.zeros((0, 0))

    def matrix(self, head: re.Match[str]) -> Any:
        """The matrix whose opening bracket was just read; `pos` moves behind its end."""
        end = self.text.find("]", head.end())
        if end < 0:
            raise self.fail(f"the matrix {head['name']} is not closed", "end it with ]")
        body = self.text[head.end() : end]
        if "'" in body or '"' in body:
            raise self.fail(f"{head['name']} holds text where numbers are expected")
        after = re.match(r"[ \t]*([^\s;,])", self.text[end + 1 : end + 80])
        if after:  # e.g. [1 2 3] * 100: an expression, not a plain literal
            return self.statement(head["name"])
        self.pos = end + 1
        raw = body.replace(",", " ")
        rows = [row for line in raw.split("\n") for row in line.split(";") if row and not row.isspace()]
        if not rows:
            return np.zeros((0, 0))
        widths = {len(row.split()) for row in rows}
        if len(widths) > 1:
            self.ragged(head, body)
        try:
            flat = np.array(raw.replace(";", " ").split(), dtype=np.float64)
        except ValueError:
            flat = self.slow_numbers(head, body)
        return flat.reshape(len(rows), widths.pop())

    def rows_with_lines(self, head: re.Match[str], body: str) -> list[tuple[int, list[str]]]:
        first = self.line(head.end())
        found, number = [], first
        for line in body.split("\n"):
            for row in line.split(";"):
                words = row.replace(",", " ").split()
                if words:
                    found.append((number, words))
            number += 1 + line.count("\v")
        return found

    def ragged(self, head: re.Match[str], body: str) -> None:
        rows = self.rows_with_lines(head, body)
        width = len(rows[0][1])
        bad = [(line, len(words)) for line, words in rows if len(words) != width]
        raise InputError(
            Issue(
                f"{self.where}, line {line}",
                head["name"],
                f"has a row of {n} numbers where the first row has {width}",
                hint="give every row the same number of columns",
            )
            for line, n in bad[:10]
        )

    def slow_numbers(self, head: re.Match[str], body: str) -> Array:
        """Numbers one by one, with the few that are expressions (``1/3``) evaluated; a bad one is reported, and NaN."""
        out = []
        for row, (line, words) in enumerate(self.rows_with_lines(head, body)):
            for column, word in enumerate(words):
                try:
                    out.append(self.number(word))
                except (UnreadableError, ValueError):
                    out.append(np.nan)
                    message = f"column {column + 1}: {word!r} is not a number"
                    at = f"{self.where}, line {line}"
                    self.of_numbers.append(Issue(at, head["name"], message, hint="give a number"))
                    self.unreadable.setdefault(head["name"], []).append((row, column))
        return np.array(out)

    def number(self, word: str) -> float:
        try:
            return float(word)
        except ValueError:
            return float(Expression(word, self.values).whole().item())

    def cell(self, head: re.Match[str]) -> list[str]:
        """The cell array of strings whose opening brace was just read."""
        out: list[str] = []
        at = head.end()
        while token := _CELL_TOKEN.search(self.text, at):
            if (stray := self.text[at : token.start()].strip(" \t\n\v;,")) != "":
                raise self.fail(f"{head['name']} holds {stray[:40]!r}, which is not a string", pos=at)
            at = token.end()
            if token.group() == "}":
                self.pos = at
                return out
            out.append(_unquote(token.group()))
        raise self.fail(f"the cell array {head['name']} is not closed", "end it with }")

    def statement(self, name: str = "") -> Any:
        """Run the statement at `pos` - or only evaluate its right side for `name` - and move behind it."""
        start = self.pos
        text, end = self.take_statement()
        word = re.match(r"[A-Za-z]\w*", text)
        try:
            if word and word.group() in ("if", "end", "else", "elseif", "for", "while", "switch", "return"):
                self.control(word.group(), text[word.end() :], end)
                return None
            if text in ("define_constants", *INDEX_NAMES):
                for table, names in INDEX_NAMES.items():
                    self.values.update(names if text in ("define_constants", table) else {})
            elif name:
                value = Expression(text.split("=", 1)[1], self.values).whole()
                self.pos = end
                return value
            else:
                self.assign(text)
        except UnreadableError as error:
            shown = " ".join(text.split())
            raise self.fail(
                f"{shown[:80]!r} cannot be evaluated: {error}",
                "write the data as plain matrices (in MATPOWER: savecase)",
                start,
            ) from error
        self.pos = end
        return None

    def take_statement(self) -> tuple[str, int]:
        """Text of the statement at `pos` and the position behind it: to a ; , or line end outside brackets."""
        depth, at = 0, self.pos
        for token in re.finditer(rf"{STRING}|[\[({{\])}};,\n]", self.text[self.pos :]):
            mark = token.group()
            if mark in "[({":
                depth += 1
            elif mark in "])}":
                depth -= 1
            elif mark in ";,\n" and depth <= 0:
                return self.text[at : at + token.start()].strip(), at + token.end()
        return self.text[at:].strip(), len(self.text)

    def control(self, word: str, condition: str, end: int) -> None:
        """``if`` without ``else``: run or skip its block; a lone ``end`` closes one. Anything else is refused."""
        if word == "if":
            if Expression(condition, self.values).whole().all():
                self.pos = end
                return
            block = re.compile(r"^[ \t]*(if|for|while|switch|else\w*|end)\b", re.MULTILINE)
            depth, at = 1, end
            while depth:
                found = block.search(self.text, at)
                if not found or found[1].startswith("else"):
                    raise UnreadableError("an if with else, or without end")
                depth, at = depth + (-1 if found[1] == "end" else 1), found.end()
            self.pos = at
        elif word in ("end", "return"):
            self.pos = end if word == "end" else len(self.text)
        else:
            raise UnreadableError(f"{word} is not supported")

    def assign(self, text: str) -> None:
        """One assignment: ``[A, B] = idx_bus``, ``x = expr``, ``x(rows, columns) = expr`` or ``x = 'text'``."""
        left, found, right = (part.strip() for part in text.partition("="))
        if not found:
            raise UnreadableError("it is not an assignment")
        if left.startswith("["):
            names = left.strip("[]").replace(",", " ").split()
            known = INDEX_NAMES.get(right)
            if known is None:
                raise UnreadableError(f"{right[:40]!r} is a call of a function that is not known")
            self.values.update(zip(names, known.values(), strict=False))
            return
        target = re.fullmatch(r"([A-Za-z]\w*(?:\.\w+)*)\s*(?:\((.*)\))?", left, re.DOTALL)
        if not target:
            raise UnreadableError(f"{left[:40]!r} cannot be assigned to")
        name, index = target.groups()
        self.line_of[name] = self.line(self.pos)
        if re.fullmatch(STRING, right):
            self.values[name] = _unquote(right)
            return
        value = Expression(right, self.values).whole()
        if index is None:
            self.values[name] = value
            return
        array = as_matrix(self.values.get(name), name).copy()
        rows, columns = Expression(index, self.values).indices(array.shape)
        try:
            array[np.ix_(rows, columns)] = value
        except (ValueError, IndexError) as error:
            raise UnreadableError(str(error)) from error
        self.values[name] = array

    def result(self) -> CaseText:
        struct = self.struct
        if not struct:  # a script, or version 1 of the format, which returns plain variables
            struct = next((n.split(".")[0] for n in self.values if n.endswith((".bus", ".branch"))), "")
        out = CaseText(issues=self.of_numbers)
        for name, value in self.values.items():
            owner, _, plain = name.rpartition(".")
            if owner != struct:
                continue
            out.lines[plain] = self.line_of.get(name, 0)
            out.unreadable[plain] = self.unreadable.get(name, [])
            if isinstance(value, str):
                out.strings[plain] = value
            elif isinstance(value, list):
                out.cells[plain] = value
            else:
                out.matrices[plain] = np.atleast_2d(np.asarray(value, dtype=np.float64))
        return out


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
