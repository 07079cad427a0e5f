"""Bytes to text as settings files want it: UTF-8, and no character that deceives the eye."""

from __future__ import annotations

import re

import yaml

from gateway.settings.problems import Problem, Problems, make_problem
from gateway.settings.where import Where

_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_FULL_WIDTH_START = re.compile(
    "[\u2018\u2019\u201c\u201d\uff02\uff07\uff5b\uff3b]|[\\w.-]{1,64}\uff1a", re.ASCII
)
_FULL_WIDTH = re.compile(
    "[\u2018\u2019\u201c\u201d\uff02\uff07\uff0c\uff1a\uff3b\uff3d\uff5b\uff5d]"
)
_BREAK = re.compile("\r\n|\r|\n")


def decode(file: str, octets: bytes, problems: Problems) -> str | None:
    """Return the text without its byte order mark, or None when it cannot be used."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        code = _encoding_code(octets)
        # Its own line numbers do not count in UTF-16, where every second byte is a zero.
        bad_at = 0 if code == "LG-YAML-10" else exc.start
        problems.add(code, Where(file, octets[:bad_at].count(b"\n") + 1, 1))
        return None
    found = _FORBIDDEN.search(text)
    if found is None:
        return text
    if octets.count(b"\x00") * 3 >= len(octets):
        problems.add("LG-YAML-10", Where(file, 1, 1))
        return None
    for match in list(_FORBIDDEN.finditer(text))[:20]:
        problems.add(
            _character_code(match[0]), place_of(file, text, match.start()), char=_name(match[0])
        )
    return None


def place_of(file: str, text: str, offset: int) -> Where:
    """Return line and column of a character of the text."""
    line, begin = 1, 0
    for match in _BREAK.finditer(text, 0, offset):
        line, begin = line + 1, match.end()
    return Where(file, line, offset - begin + 1)


def odd_character(value: str, *, is_quoted: bool) -> tuple[str, str, int] | None:
    """Return code, name and offset of a character that makes a scalar deceive, or None.

    Quoted texts may hold any space and any punctuation; escapes must not bring in what the file
    itself may not hold.
    """
    if value.isascii() and value.isprintable():
        return None
    if found := _FORBIDDEN.search(value):
        return _character_code(found[0]), _name(found[0]), found.start()
    if not is_quoted and (found := _ODD_SPACE.search(value)):
        return "LG-YAML-15", _name(found[0]), found.start()
    if not is_quoted and (found := _FULL_WIDTH_START.match(value)):
        return "LG-YAML-16", _name(value[found.end() - 1]), found.end() - 1
    return None


def syntax_problem(file: str, text: str, exc: yaml.YAMLError) -> Problem:
    """Return what PyYAML found, with the likely cause when the line shows one."""
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    what = str(getattr(exc, "problem", None) or getattr(exc, "context", None) or "cannot be read")
    if mark is None:
        return make_problem("LG-YAML-01", Where(file, 1, 1), facts={"what": what})
    lines = _BREAK.split(text)
    where = Where(file, min(mark.line + 1, len(lines)), mark.column + 1)
    context = getattr(exc, "context_mark", None)
    rows = [where.line] if context is None else [where.line, context.line + 1]
    for row in rows:
        line = lines[min(row, len(lines)) - 1]
        if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in what:
            return make_problem("LG-YAML-02", Where(file, row, line.find("\t") + 1))
        if found := _FULL_WIDTH.search(line) or _ODD_SPACE.search(line):
            code = "LG-YAML-16" if _FULL_WIDTH.match(found[0]) else "LG-YAML-15"
            place = Where(file, row, found.start() + 1)
            return make_problem(code, place, facts={"char": _name(found[0])})
    return make_problem("LG-YAML-01", where, facts={"what": what[:200]})


def _encoding_code(octets: bytes) -> str:
    zeros = octets[:4000].count(b"\x00")
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff") or zeros * 3 >= min(len(octets), 4000):
        return "LG-YAML-10"
    try:
        octets.decode("gb18030")
    except UnicodeDecodeError:
        return "LG-YAML-12"
    return "LG-YAML-11"


def _character_code(char: str) -> str:
    return "LG-YAML-14" if char in _DIRECTION else "LG-YAML-13"


def _name(char: str) -> str:
    return f"U+{ord(char):04X}"
