"""Contingency lists asked for in words: ``n-1``, ``lines+generators``, ``n-2:lines,kv=380``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.model.tables import LINE, TIE
from aurigrid.security import contingencies as con
from aurigrid.security.contingencies import Block, refused

MAX_PAIRS = 2_000_000
"""Most pairs that one N-2 list may hold."""

_WORDS = {
    "branches": ("branch", "branches", "n-1"),
    "lines": ("line", "lines"),
    "transformers": ("transformer", "transformers", "trafo", "trafos"),
    "generators": ("generator", "generators", "gen", "gens", "unit", "units"),
    "hvdc": ("hvdc",),
    "buses": ("bus", "buses"),
    "loads": ("load", "loads"),
    "towers": ("tower", "towers"),
}
_WORD_OF = {synonym: word for word, synonyms in _WORDS.items() for synonym in synonyms}
_ALL = ("branches", "generators", "hvdc", "buses", "towers")
_KEYS = ("kv", "area", "zone", "ids", "file")


def blocks_of_words(net: Network, spec: str) -> Iterator[Block]:
    """The blocks that a spec in words means, in the order of its words."""
    counted = re.fullmatch(r"n-([12]):(.*)", spec.strip(), flags=re.IGNORECASE | re.DOTALL)
    if counted:
        return iter([_subset(net, counted[2], pairs=counted[1] == "2")])
    if spec.strip().lower() == "n-2":
        raise refused("'n-2' without a subset is too many pairs", "give one, e.g. n-2:lines,kv=380")
    words, issues = _words_of(re.split(r"[,+]", spec)), IssueList()
    for word in words:
        if word not in _WORDS:
            near = difflib.get_close_matches(word, [*_WORD_OF, "all"], n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"words are n-1, all, {', '.join(_WORDS)}"
            issues.add("contingencies", "", f"'{word}' is neither a word nor an existing list file", hint=hint)
    issues.raise_if_any()
    return (_BUILDERS[word](net) for word in words)


def _words_of(tokens: list[str]) -> list[str]:
    words: list[str] = []
    for token in (t.strip().lower() for t in tokens):
        words += _ALL if token == "all" else [_WORD_OF.get(token, token)]
    words = list(dict.fromkeys(words))
    if "branches" in words:
        words = [w for w in words if w not in ("lines", "transformers")]
    return words


def label_of(word: str, ids: Array, positions: Array) -> list[str]:
    """Labels of elements: a text id as it is, a number with its kind in front."""
    return [i if isinstance(i, str) else f"{word} {i}" for i in ids[positions].tolist()]


def branch_units(net: Network) -> tuple[Array, Array]:
    """The in-service branches and what each belongs to: itself, or the first winding of its transformer.

    Returns:
        ``(unit, branch)``: for each branch, the number of its unit, numbered from 0 in the order of the table.
    """
    branch = np.flatnonzero(net.branch.in_service)
    head = branch.copy()
    group = net.branch.group[branch]
    grouped = np.flatnonzero(group != "")
    if len(grouped):
        _, first, member_of = np.unique(group[grouped].astype(str), return_index=True, return_inverse=True)
        head[grouped] = branch[grouped[first[member_of]]]
    return np.unique(head, return_inverse=True)[1], branch


def _branches(net: Network, keep: Array | None = None, want: str = "branches") -> Block:
    unit, branch = branch_units(net)
    n = int(unit.max()) + 1 if len(unit) else 0
    head = np.full(n, net.n_branch, np.int64)
    np.minimum.at(head, unit, branch)
    is_line = np.isin(net.branch.kind[head], (LINE, TIE)) & (net.branch.group[head] == "")
    chosen = np.ones(n, bool) if want == "branches" else is_line if want == "lines" else ~is_line
    if keep is not None:
        passes = np.zeros(n, bool)
        np.logical_or.at(passes, unit, keep[branch])
        chosen &= passes
    number = np.cumsum(chosen) - 1
    member = chosen[unit]
    kind = np.where(is_line, con.LINE, con.TRANSFORMER)[chosen]
    labels = []
    for position, code in zip(head[chosen].tolist(), kind.tolist(), strict=True):
        group, name = net.branch.group[position], net.branch.id[position]
        labels.append(group or (name if isinstance(name, str) else f"{con.KINDS[code]} {name}"))
    return Block(labels, kind, {"branch": (number[unit[member]], branch[member])})


def _single(net: Network, table: str, word: str, kind: int, keep: Array | None = None) -> Block:
    rows = getattr(net, table)
    chosen = np.flatnonzero(rows.in_service if keep is None else rows.in_service & keep)
    pairs = {table: (np.arange(len(chosen)), chosen)}
    return Block(label_of(word, rows.id, chosen), np.full(len(chosen), kind), pairs)


def bus_pairs(net: Network, buses: Array) -> dict[str, tuple[Array, Array]]:
    """Everything in service that connects to each bus, itself included: (place in `buses`, element) pairs by table.

    A three-winding transformer trips as a whole.
    """
    place = np.full(net.n_bus, -1, np.int64)
    place[buses] = np.arange(len(buses))

    def at(table: str, *ends: str) -> tuple[Array, Array]:
        rows = getattr(net, table)
        where, what = [], []
        for end in ends:
            found = place[getattr(rows, end)]
            hit = np.flatnonzero((found >= 0) & rows.in_service)
            where.append(found[hit])
            what.append(hit)
        return np.concatenate(where), np.concatenate(what)

    outage, branch = at("branch", "from_bus", "to_bus")
    unit, in_service = branch_units(net)
    unit_of = np.zeros(net.n_branch, np.int64)
    unit_of[in_service] = unit
    row, whole = gather((unit, in_service), int(unit.max(initial=-1)) + 1, unit_of[branch])
    return {
        "bus": (np.arange(len(buses)), np.asarray(buses)),
        "branch": (outage[row], whole),
        "gen": at("gen", "bus"),
        "load": at("load", "bus"),
        "hvdc": at("hvdc", "from_bus", "to_bus"),
    }


def _buses(net: Network, keep: Array | None = None) -> Block:
    able = net.bus.in_service & ~net.bus.is_star
    buses = np.flatnonzero(able if keep is None else able & keep)
    return Block(label_of("bus", net.bus.id, buses), np.full(len(buses), con.BUS), bus_pairs(net, buses))


def _towers(net: Network, keep: Array | None = None) -> Block:
    on_tower = net.branch.in_service & (net.branch.tower != "")
    branch = np.flatnonzero(on_tower if keep is None else on_tower & keep)
    names, tower, count = np.unique(net.branch.tower[branch].astype(str), return_inverse=True, return_counts=True)
    several = count > 1  # a tower with one circuit in service is that circuit's own outage
    number = np.cumsum(several) - 1
    member = several[tower]
    labels = [f"tower {name}" for name in names[several].tolist()]
    return Block(labels, np.full(len(labels), con.TOWER), {"branch": (number[tower[member]], branch[member])})


_BUILDERS = {
    "branches": lambda net, keep=None: _branches(net, keep),
    "lines": lambda net, keep=None: _branches(net, keep, "lines"),
    "transformers": lambda net, keep=None: _branches(net, keep, "transformers"),
    "generators": lambda net, keep=None: _single(net, "gen", "generator", con.GENERATOR, keep),
    "hvdc": lambda net, keep=None: _single(net, "hvdc", "hvdc", con.HVDC, keep),
    "loads": lambda net, keep=None: _single(net, "load", "load", con.LOAD, keep),
    "buses": _buses,
    "towers": _towers,
}
_TABLE_OF = {"generators": "gen", "hvdc": "hvdc", "loads": "load", "buses": "bus"}


def _subset(net: Network, text: str, pairs: bool) -> Block:
    """Single outages, or all pairs, of what passes a filter."""
    from aurigrid.security import listfile

    words, conditions = _parse_filter(text)
    named = [key for key in ("ids", "file") if key in conditions]
    if named and (len(conditions) > 1 or words):
        raise refused(f"'{named[0]}=' stands alone in a filter", "drop the rest of it")
    if "ids" in conditions:
        block = listfile.block_of_entries(net, conditions["ids"])
    elif "file" in conditions:
        block = listfile.block_of_file(net, ",".join(conditions["file"]))
    else:
        bus_passes = _passing_buses(net, conditions)
        block = join([_BUILDERS[word](net, _passing(net, word, bus_passes)) for word in words or ["branches"]])
    return _pairs_of(block) if pairs else block


def _parse_filter(text: str) -> tuple[list[str], dict[str, list[str]]]:
    raw_words: list[str] = []
    conditions: dict[str, list[str]] = {}
    issues, key = IssueList(), ""
    for token in (t.strip() for t in text.split(",") if t.strip()):
        start = re.fullmatch(r"([A-Za-z_]+)\s*=\s*(.*)", token)
        if start and (start[1].lower() in _KEYS or not key):
            key = start[1].lower()
            if key not in _KEYS:
                hint = f"conditions are {', '.join(_KEYS)}"
                issues.add("contingencies", "", f"'{key}=' is not a condition", hint=hint)
            conditions.setdefault(key, []).append(start[2])
        elif key:
            conditions[key].append(token)
        else:
            raw_words.append(token)
    words = _words_of(raw_words)
    for word in words:
        if word not in _WORDS:
            hint = f"words are {', '.join(_WORDS)}"
            issues.add("contingencies", "", f"'{word}' is not a word of a filter", hint=hint)
    if not words and not conditions:
        issues.add("contingencies", "", "the filter is empty", hint="e.g. n-2:lines,kv=380")
    issues.raise_if_any()
    return words, conditions


def _passing_buses(net: Network, conditions: dict[str, list[str]]) -> Array:
    passes, issues = np.ones(net.n_bus, bool), IssueList()
    for key, values in conditions.items():
        real = ~net.bus.is_star
        if key == "kv":
            known = np.unique(net.bus.v_nom_kv[real])
            column, wanted = net.bus.v_nom_kv, []
            for value in values:
                try:
                    wanted.append(float(value))
                except ValueError:
                    issues.add("contingencies", "kv", f"'{value}' is not a number")
            missing = [f"{w:g}" for w in wanted if not np.any(np.isclose(known, w))]
            hit = np.isclose(column[:, None], np.array(wanted, dtype=float)).any(axis=1)
        else:
            column = getattr(net.bus, key).astype(str)
            known = np.unique(column[real])
            missing = [v for v in values if v not in known]
            hit = np.isin(column, values)
        if missing:
            shown = ", ".join(f"{k:g}" if key == "kv" else k or "(none)" for k in known[:12].tolist())
            more = ", ..." if len(known) > 12 else ""
            issues.add("contingencies", key, "no bus has this value", missing, hint=f"there are {shown}{more}")
        passes &= hit
    issues.raise_if_any()
    return passes


def _passing(net: Network, word: str, bus_passes: Array) -> Array:
    if word == "buses":
        return bus_passes
    rows = getattr(net, _TABLE_OF.get(word, "branch"))
    if hasattr(rows, "from_bus"):
        return np.asarray(bus_passes[rows.from_bus] | bus_passes[rows.to_bus])
    return np.asarray(bus_passes[rows.bus])


def join(blocks: list[Block]) -> Block:
    """Several blocks as one."""
    offsets = np.cumsum([0, *(len(block.label) for block in blocks)])
    pairs: dict[str, tuple[Array, Array]] = {}
    for block, offset in zip(blocks, offsets, strict=False):
        for table, (outage, element) in block.pairs.items():
            before = pairs.get(table, (np.empty(0, np.int64), np.empty(0, np.int64)))
            pairs[table] = (np.append(before[0], outage + offset), np.append(before[1], element))
    kind = np.concatenate([block.kind for block in blocks])
    return Block([label for block in blocks for label in block.label], kind, pairs)


def _pairs_of(block: Block) -> Block:
    """All unordered pairs of a block's outages, as outages."""
    n = len(block.label)
    if n < 2:
        raise refused(f"the subset has {n} outages, so there is no pair", "widen it")
    count = n * (n - 1) // 2
    if count > MAX_PAIRS:
        raise refused(f"{n} outages make {count} pairs, more than {MAX_PAIRS}", "narrow the subset")
    one, other = np.triu_indices(n, 1)
    pairs = {}
    for table, found_there in block.pairs.items():
        found = [gather(found_there, n, side) for side in (one, other)]
        pairs[table] = (np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found]))
    labels = [f"{block.label[i]} + {block.label[j]}" for i, j in zip(one.tolist(), other.tolist(), strict=True)]
    return Block(labels, np.full(count, con.MULTIPLE), pairs)


def gather(pairs: tuple[Array, Array], n: int, rows: Array) -> tuple[Array, Array]:
    """Read (row, element) pairs of `n` rows at the given rows: pairs of (place in `rows`, element)."""
    row, element = pairs
    order = np.argsort(row, kind="stable")
    size = np.bincount(row, minlength=n)
    start = np.cumsum(size) - size
    count = size[rows]
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(rows)), count), element[order[np.repeat(start[rows], count) + within]]
