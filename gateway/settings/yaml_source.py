"""One YAML file as a tree with places: strict, bounded, and never a traceback.

YAML 1.2 core scalars only: `no`, `on`, `12:30` and `010` are texts, and a meter number keeps its
leading zeros. The tree is built from PyYAML's events without recursion, so that depth, aliases
and size are refused before they cost anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from gateway.settings.encoding import decode, odd_character, syntax_problem
from gateway.settings.problems import Problems
from gateway.settings.where import Where

MOST_BYTES = 1_000_000
MOST_DEPTH = 20
MOST_ALIASES = 50
MOST_NODES = 25_000
"""Five hundred devices of twenty keys each are 10,500; longer lists belong into a table."""
LONGEST_NUMBER = 40

Scalar: TypeAlias = str | int | float | bool | None

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Mapping[str, Scalar] = {
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_BEGINS = frozenset("+-.0123456789")


@dataclass(slots=True)
class Node:
    """One value with its place; `keys` are the places of a mapping's keys."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int
    column: int
    keys: dict[str, tuple[int, int]] | None = None
    is_quoted: bool = False
    weight: int = 1
    """Values in it, itself and what aliases repeat included."""
    height: int = 0
    """Levels below it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read: `root` is None when nothing usable was in it."""

    file: str
    root: Node | None
    octets: bytes


class _Stop(Exception):
    """No more of this file: the reason is among the problems."""


def read_document(file: str, octets: bytes, problems: Problems) -> Document:
    """Return the tree of one file; what is wrong with it goes to `problems`."""
    start = Where(file, 1, 1)
    if len(octets) > MOST_BYTES:
        problems.add("LG-YAML-07", start, limit=MOST_BYTES)
        return Document(file, None, b"")
    text = decode(file, octets, problems)
    if text is None:
        return Document(file, None, octets)
    builder = _Builder(file, problems)
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except _Stop:
        return Document(file, None, octets)
    except yaml.YAMLError as exc:
        problems.extend([syntax_problem(file, text, exc)])
        return Document(file, None, octets)
    if builder.root is None:
        problems.add("LG-YAML-20", start)
    return Document(file, builder.root, octets)


def plain(node: Node) -> Any:  # noqa: ANN401 - the one door where YAML enters
    """Return the tree as dicts, lists and scalars."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def child_of(node: Node, part: str | int) -> Node | None:
    """Return the value below a key or index, or None."""
    if isinstance(node.value, dict):
        return node.value.get(str(part))
    if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def follow(node: Node, path: Sequence[str | int]) -> Iterator[tuple[str | int, Node]]:
    """Yield the parts of a path with their values, as far as the tree has them.

    Parts that our models put between (a duration read as `{every: …}`) are passed over.
    """
    for part in path:
        below = child_of(node, part)
        if below is not None:
            node = below
            yield part, node


class _Builder:
    """Builds the tree from events; `_open` are the collections that are not closed yet."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.root: Node | None = None
        self._file = file
        self._problems = problems
        self._open: list[Node] = []
        self._open_names: list[str | None] = []
        self._key: list[tuple[str, int, int] | None] = []
        self._anchors: dict[str, Node] = {}
        self._aliases = 0
        self._weight = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open_collection(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close_collection()
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop("LG-YAML-19", event)

    # --- events ------------------------------------------------------------------------------

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        # The hot path of a load: places are made only for those who have something to say.
        text, is_quoted = event.value, bool(event.style)
        if event.tag is not None:
            self._check_tag(event)
        if not (text.isascii() and text.isprintable()):
            self._check_characters(event, is_quoted=is_quoted)
        if self._open and self._key[-1] is None and self._open[-1].keys is not None:
            self._take_key(event, is_empty=not text and not is_quoted)
            return
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        value = text if is_quoted else self._core_scalar(text, event)
        node = Node(value, line, column, None, is_quoted)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._put(node, is_absent=not text and not is_quoted)

    def _check_characters(self, event: yaml.ScalarEvent, *, is_quoted: bool) -> None:
        odd = odd_character(event.value, is_quoted=is_quoted)
        if odd is not None:
            code, char, offset = odd
            where = self._where(event)
            place = Where(where.file, where.line, where.column + (0 if is_quoted else offset))
            self._problems.add(code, place, self._path(), char=char)

    def _open_collection(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._check_tag(event)
        if self._wants_key():
            self._stop("LG-YAML-17", event)
        if len(self._open) >= MOST_DEPTH:
            self._stop("LG-YAML-06", event, limit=MOST_DEPTH)
        where = self._where(event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node({} if is_mapping else [], where.line, where.column, {} if is_mapping else None)
        self._open.append(node)
        self._open_names.append(event.anchor)
        self._key.append(None)

    def _close_collection(self) -> None:
        node = self._open.pop()
        self._key.pop()
        children = node.value.values() if isinstance(node.value, dict) else node.value
        assert isinstance(children, list) or not isinstance(children, str | int | float | None)  # noqa: S101 - a collection
        for child in children:
            node.weight += child.weight
            node.height = max(node.height, child.height + 1)
        self._remember(self._open_names.pop(), node)
        self._put(node)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            self._stop("LG-YAML-05", event, limit=MOST_ALIASES)
        if self._wants_key():
            self._stop("LG-YAML-17", event)
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._stop("LG-YAML-22", event, name=event.anchor or "")
        if len(self._open) + node.height > MOST_DEPTH:
            self._stop("LG-YAML-06", event, limit=MOST_DEPTH)
        self._put(node, weight=node.weight)

    # --- the tree ----------------------------------------------------------------------------

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and not self._key[-1]

    def _take_key(self, event: yaml.ScalarEvent, *, is_empty: bool) -> None:
        where = self._where(event)
        if is_empty:
            self._problems.add("LG-YAML-17", where, self._path())
        elif event.value == "<<":
            self._problems.add("LG-YAML-21", where, self._path())
        self._key[-1] = (event.value, where.line, where.column)

    def _put(self, node: Node, *, weight: int = 1, is_absent: bool = False) -> None:
        self._weight += weight
        if self._weight > MOST_NODES:
            self._problems.add(
                "LG-YAML-23", Where(self._file, node.line, node.column), limit=MOST_NODES
            )
            raise _Stop
        if not self._open:
            self.root = None if is_absent else node
            return
        parent = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict):
            self._put_key(parent, parent.value, node, is_absent=is_absent)

    def _put_key(
        self, parent: Node, children: dict[str, Node], node: Node, *, is_absent: bool
    ) -> None:
        key, line, column = self._key[-1] or ("", node.line, node.column)
        self._key[-1] = None
        keys = parent.keys if parent.keys is not None else {}
        if key in keys:
            where, first = Where(self._file, line, column), keys[key][0]
            self._problems.add("LG-YAML-03", where, self._path(), key=key, first=first)
            return
        if is_absent:
            where = Where(self._file, line, column)
            self._problems.add("LG-YAML-18", where, self._path(), key=key)
        keys[key] = (line, column)
        children[key] = node

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    # --- scalars -----------------------------------------------------------------------------

    def _core_scalar(self, text: str, event: yaml.ScalarEvent) -> Scalar:
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _NUMBER_BEGINS:
            return text
        if _NOT_FINITE.fullmatch(text):
            self._problems.add("LG-YAML-08", self._where(event), self._path(), found=text)
            return 0
        is_hex = _HEX.fullmatch(text)
        if is_hex or _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            return self._number(text, event, is_hex=is_hex is not None)
        return text

    def _number(self, text: str, event: yaml.ScalarEvent, *, is_hex: bool) -> int | float:
        if len(text) > LONGEST_NUMBER:
            self._problems.add("LG-YAML-09", self._where(event), self._path(), digits=len(text))
            return 0
        if is_hex or _INT.fullmatch(text):
            return int(text, 16 if is_hex else 10)
        number = float(text)
        if not math.isfinite(number):
            self._problems.add("LG-YAML-08", self._where(event), self._path(), found=text)
            return 0
        return number

    # --- messages ----------------------------------------------------------------------------

    def _check_tag(
        self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent
    ) -> None:
        if event.tag is not None:
            self._problems.add("LG-YAML-04", self._where(event), self._path(), tag=event.tag[:64])

    def _path(self) -> str:
        parts = [
            key[0] if key else str(len(node.value)) if isinstance(node.value, list) else ""
            for node, key in zip(self._open, self._key, strict=True)
        ]
        return ".".join(part for part in parts if part)[:200]

    def _where(self, event: yaml.Event) -> Where:
        mark = event.start_mark
        assert mark is not None  # noqa: S101 - events of a parser have marks; the stub does not know
        return Where(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, code: str, event: yaml.Event, **facts: str | int) -> NoReturn:
        self._problems.add(code, self._where(event), self._path(), **facts)
        raise _Stop
