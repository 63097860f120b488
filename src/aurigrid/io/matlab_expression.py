"""Arithmetic of case files: an evaluator of one MATLAB expression over two-dimensional arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from aurigrid.model.table import Array

STRING = r"'(?:[^'\n]|'')*'|\"[^\"\n]*\""
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)|(?P<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)"
    rf"|(?P<string>{STRING})|(?P<op>\.\*|\./|\.\^|==|~=|<=|>=|&&|\|\||[-+*/^()\[\],:;=<>&|~])"
)

_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "find": lambda x: np.flatnonzero(x.T)[:, None] + 1.0,
}
_CONSTANTS = {"pi": np.pi, "Inf": np.inf, "inf": np.inf, "NaN": np.nan, "nan": np.nan, "eps": 2.0**-52}


class UnreadableError(Exception):
    """An expression that the evaluator does not know; always turned into an `InputError` with its line."""


def as_matrix(value: Any, name: str) -> Array:
    if value is None:
        raise UnreadableError(f"{name} is not known")
    if isinstance(value, (str, list)):
        raise UnreadableError(f"{name} is not numeric")
    return np.atleast_2d(np.asarray(value, dtype=np.float64))


class Expression:
    """Evaluates one expression over two-dimensional arrays, by MATLAB's precedence."""

    def __init__(self, text: str, values: dict[str, Any]) -> None:
        self.values = values
        self.tokens: list[tuple[str, str, bool]] = []
        at, spaced = 0, False
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise UnreadableError(f"{text[at : at + 20]!r} is not understood")
            if found.lastgroup == "space":
                spaced = True
            else:
                self.tokens.append((str(found.lastgroup), found.group(), spaced))
                spaced = False
            at = found.end()
        self.at = 0

    def whole(self) -> Array:
        value = self.binary(0)
        if self.at < len(self.tokens):
            raise UnreadableError(f"{self.tokens[self.at][1]!r} is unexpected")
        return value

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def accept(self, *texts: str) -> str:
        word = self.peek()
        if word in texts and word:
            self.at += 1
            return word
        return ""

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise UnreadableError(f"{text!r} is missing")

    _LEVELS = (("|", "||"), ("&", "&&"), ("<", "<=", ">", ">=", "==", "~="), ("+", "-"), ("*", "/", ".*", "./"))

    def binary(self, level: int) -> Array:
        if level == len(self._LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while op := self.accept(*self._LEVELS[level]):
            left = _operate(op, left, self.binary(level + 1))
        return left

    def unary(self) -> Array:
        if op := self.accept("-", "+", "~"):
            value = self.unary()
            return -value if op == "-" else value if op == "+" else np.where(value == 0, 1.0, 0.0)
        base = self.primary()
        while op := self.accept("^", ".^"):
            base = _operate(op, base, self.unary() if self.peek() in ("-", "+") else self.primary())
        return base

    def primary(self) -> Array:
        if self.at == len(self.tokens):
            raise UnreadableError("it ends too early")
        kind, word, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return np.full((1, 1), float(word.replace("d", "e").replace("D", "e")))
        if word == "(":
            value = self.binary(0)
            self.expect(")")
            return value
        if word == "[":
            parts = []
            while not self.accept("]"):
                parts.append(self.binary(3))
                self.accept(",")
            return np.hstack(parts) if parts else np.zeros((0, 0))
        if kind != "name":
            raise UnreadableError(f"{word!r} is unexpected")
        return self.named(word)

    def named(self, word: str) -> Array:
        called = self.peek() == "("
        if called and word in _FUNCTIONS and word not in self.values:
            self.expect("(")
            value = self.binary(0)
            self.expect(")")
            return np.atleast_2d(np.asarray(_FUNCTIONS[word](value), dtype=np.float64))
        if word not in self.values:
            if word in _CONSTANTS:
                return np.full((1, 1), _CONSTANTS[word])
            raise UnreadableError(f"{word} is {'a function' if called else 'a name'} that is not known")
        value = as_matrix(self.values[word], word)
        if not called:
            return value
        self.expect("(")
        rows, columns = self.indices(value.shape, ")")
        return np.asarray(value[np.ix_(rows, columns)])

    def indices(self, shape: tuple[int, ...], close: str = "") -> tuple[Array, Array]:
        """Zero-based rows and columns of ``(rows, columns)``, each a list, a mask-free expression or ``:``."""
        picked = []
        for axis in (0, 1):
            if self.accept(":"):
                picked.append(np.arange(shape[axis]))
            else:
                where = self.binary(0).ravel() - 1
                if not np.array_equal(where, np.round(where)) or ((where < 0) | (where >= shape[axis])).any():
                    raise UnreadableError("an index is outside the matrix")
                picked.append(where.astype(np.int64))
            if axis == 0:
                self.expect(",")
        if close:
            self.expect(close)
        elif self.at < len(self.tokens):
            raise UnreadableError("an index has more than two parts")
        return picked[0], picked[1]


def _operate(op: str, a: Array, b: Array) -> Array:
    """One binary operation, elementwise with broadcasting of scalars; true matrix products are refused."""
    if op in ("*", "/", "^") and not (b.size == 1 or (a.size == 1 and op == "*")):
        raise UnreadableError("products of matrices are not supported")
    table: dict[str, Callable[[Array, Array], Array]] = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        ".*": np.multiply,
        "/": np.divide,
        "./": np.divide,
        "^": np.power,
        ".^": np.power,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "~=": np.not_equal,
        "&": np.logical_and,
        "&&": np.logical_and,
        "|": np.logical_or,
        "||": np.logical_or,
    }
    with np.errstate(all="ignore"):
        try:
            return np.asarray(table[op](a, b), dtype=np.float64)
        except ValueError as error:
            raise UnreadableError("the sizes of the operands differ") from error
