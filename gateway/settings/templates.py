"""Index templates such as `em-{n:02}` and `{loop*256+device}`.

Whole numbers, names, + - * and parentheses; nothing else, so that a message can point at the
character in the file, and nothing can be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from gateway.settings.problems import BadValue, advice, shown

LARGEST = 1 << 32
LONGEST_TEMPLATE = 200
DEEPEST = 10

Scope: TypeAlias = Mapping[str, int]
Term: TypeAlias = Callable[[Scope], int]

_TOKEN = re.compile(r"\s*(?:([0-9]{1,10})|([a-z_][a-z0-9_]{0,31})|([-+*()]))")
_BRACES = re.compile(r"\{([^{}]*)\}")
_WIDTH = re.compile(r"0?([1-9])")


@dataclass(frozen=True, slots=True)
class Field:
    """One `{…}` of a template."""

    term: Term
    width: int
    is_padded: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A text with fields in it; `names` are those that its fields use."""

    text: str
    parts: tuple[str | Field, ...]
    names: frozenset[str]

    def render(self, scope: Scope) -> str:
        """Return the text with its fields filled in.

        Raises:
            BadValue: a name is unknown, or a number is out of range.
        """
        return "".join(
            part if isinstance(part, str) else self._filled(part, scope) for part in self.parts
        )

    def _filled(self, field: Field, scope: Scope) -> str:
        try:
            number = field.term(scope)
        except KeyError as exc:
            name = str(exc.args[0])
            raise BadValue(
                "LG-TPL-02",
                offset=max(self.text.find(name), 0),
                found=shown(self.text),
                name=name,
                advice=advice(name, scope),
            ) from exc
        if abs(number) > LARGEST:
            raise BadValue("LG-TPL-01", found=shown(self.text), what="the number is too large")
        return f"{number:0{field.width}d}" if field.is_padded else f"{number:{field.width}d}"


def fill(text: str, scope: Scope) -> str:
    """Return a text with its fields filled in; texts without braces come back as they are.

    Raises:
        BadValue: the template is wrong, or uses an unknown name.
    """
    return template(text).render(scope) if "{" in text or "}" in text else text


@lru_cache(maxsize=256)
def template(text: str) -> Template:
    """Return the compiled template.

    Raises:
        BadValue: it is wrong; `offset` is the character.
    """
    if len(text) > LONGEST_TEMPLATE:
        raise BadValue("LG-TPL-01", found=shown(text), what="it is too long")
    parts: list[str | Field] = []
    names: set[str] = set()
    end = 0
    for match in _BRACES.finditer(text):
        parts.append(_checked(text, end, match.start()))
        parts.append(_field(text, match, names))
        end = match.end()
    parts.append(_checked(text, end, len(text)))
    return Template(text, tuple(part for part in parts if part != ""), frozenset(names))


def _checked(text: str, start: int, end: int) -> str:
    part = text[start:end]
    for index, char in enumerate(part):
        if char in "{}":
            raise _wrong(text, start + index, f"a single '{char}'")
    return part


def _field(text: str, match: re.Match[str], names: set[str]) -> Field:
    source, colon, width = match[1].partition(":")
    sized = _WIDTH.fullmatch(width)
    if colon and not sized:
        raise _wrong(text, match.start(1) + len(source), "after ':' a width such as 02 is wanted")
    parser = _Parser(text, match.start(1), source, names)
    term = parser.sum(0)
    parser.end()
    return Field(term, int(sized[1]) if sized else 1, is_padded=width.startswith("0"))


def _wrong(text: str, offset: int, what: str) -> BadValue:
    return BadValue("LG-TPL-01", offset=offset, found=shown(text), what=what)


class _Parser:
    """Sums of products of numbers, names and parentheses."""

    def __init__(self, text: str, offset: int, source: str, names: set[str]) -> None:
        self._text = text
        self._offset = offset
        self._source = source
        self._names = names
        self._at = 0

    def sum(self, depth: int) -> Term:
        if depth > DEEPEST:
            raise self._wrong("too many parentheses")
        total = self._product(depth)
        while (sign := self._sign("+-")) is not None:
            total = _added(total, self._product(depth), 1 if sign == "+" else -1)
        return total

    def end(self) -> None:
        if self._source[self._at :].strip():
            raise self._wrong("an operator is missing")

    def _product(self, depth: int) -> Term:
        factor = self._atom(depth)
        while self._sign("*") is not None:
            factor = _multiplied(factor, self._atom(depth))
        return factor

    def _atom(self, depth: int) -> Term:
        match = _TOKEN.match(self._source, self._at)
        if match is None:
            raise self._wrong("a whole number or a name is wanted")
        self._at = match.end()
        if match[1]:
            number = int(match[1])
            return lambda _: number
        if match[2]:
            name = match[2]
            self._names.add(name)
            return lambda scope: scope[name]
        if match[3] != "(":
            self._at = match.start(3)
            raise self._wrong("a whole number or a name is wanted")
        inner = self.sum(depth + 1)
        if self._sign(")") is None:
            raise self._wrong("')' is missing")
        return inner

    def _sign(self, allowed: str) -> str | None:
        match = _TOKEN.match(self._source, self._at)
        if match is None or not match[3] or match[3] not in allowed:
            return None
        self._at = match.end()
        return match[3]

    def _wrong(self, what: str) -> BadValue:
        return _wrong(self._text, self._offset + self._at, what)


def _added(left: Term, right: Term, sign: int) -> Term:
    return lambda scope: left(scope) + sign * right(scope)


def _multiplied(left: Term, right: Term) -> Term:
    return lambda scope: left(scope) * right(scope)
