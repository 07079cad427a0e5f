"""A JSON reader for what strangers send: everything that two parsers might read differently is no.

Refused: too long, too deep, a key twice, NaN and Infinity, numbers beyond what a double or a
53-bit integer holds, lone surrogates, anything but UTF-8.
"""

from __future__ import annotations

import json
from collections import Counter
from math import isfinite
from typing import Any

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly (RFC 8259, 6)."""
_MAX_DIGITS = 17


class NotStrictJson(ValueError):
    """The text is refused; says why."""


def loads(payload: bytes, *, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - JSON enters here
    """Return the value.

    Raises:
        NotStrictJson: for any payload that is not well behaved.
    """
    if len(payload) > max_bytes:
        raise NotStrictJson(f"{len(payload)} bytes; at most {max_bytes}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"not UTF-8 at byte {error.start}") from error
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise NotStrictJson(f"{error.msg} at character {error.pos}") from error
    if "\\u" in text:
        _check_text(value)
    return value


def _check_depth(text: str) -> None:
    """Count before the parser does, which would recurse."""
    depth, is_string, is_escaped = 0, False, False
    for char in text:
        if is_string:
            is_string = is_escaped or char != '"'
            is_escaped = char == "\\" and not is_escaped
        elif char == '"':
            is_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotStrictJson(f"nested deeper than {MAX_DEPTH}")
        elif char in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise NotStrictJson(f"key {twice[:64]!r} twice")
    return found


def _constant(name: str) -> float:
    raise NotStrictJson(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or abs(int(digits)) > MAX_INTEGER:
        raise NotStrictJson(f"integer of {len(digits)} digits; at most {MAX_INTEGER}")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise NotStrictJson(f"number {digits[:20]} is too large")
    return number


def _check_text(value: object) -> None:
    """Escapes can spell half a character, which no UTF-8 writer can pass on."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotStrictJson("half a surrogate pair") from error
