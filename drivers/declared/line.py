"""Frames that are lines of ASCII text: `$<host>,<status>*<sum>`, ended by carriage return or feed.

`<name>` is text up to the next fixed character; `<name:3>` is written with at least 3 characters,
zeros before it; `<name!>` must not be shown; `<sum>` is the check value in hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.contract import Raw
from drivers.declared.checksum import Checksum
from drivers.declared.template import Mismatch

MOST_LINE = 256
"""Characters of the longest line."""
_TOKEN = re.compile(r"<([a-z][a-z0-9_]{0,31})(?::([0-9]))?(!?)>")
_END = b"\r\n"
_SUM = "sum"


@dataclass(frozen=True, slots=True)
class Word:
    """A field, and the fixed text behind it; `width` characters at least when it is written."""

    name: str
    width: int
    is_secret: bool
    behind: bytes


@dataclass(frozen=True, slots=True)
class LineTemplate:
    """One line of text."""

    head: bytes
    words: tuple[Word, ...]
    checksum: Checksum
    ending: bytes = _END
    """What is written behind it; where it is empty, the line ends with its last fixed text."""

    @property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(word.name for word in self.words) - {_SUM}

    @property
    def secret_names(self) -> frozenset[str]:
        """The names of fields that must not be shown."""
        return frozenset(word.name for word in self.words if word.is_secret)

    @property
    def chars(self) -> int:
        """Characters of an ordinary line: two for a field whose width is not said."""
        widths = sum(len(word.behind) + (word.width or 2) for word in self.words)
        return len(self.head) + widths + len(self.ending)

    @property
    def is_sized(self) -> bool:
        """False: a line is as long as its texts."""
        return False

    def end(self, buffer: bytes, start: int) -> int | None:
        """Return where the line that begins at `start` ends, behind its first CR or LF."""
        if not self.ending:
            return self._end_of_words(buffer, start)
        ends = [buffer.find(end, start, start + MOST_LINE) for end in (b"\r", b"\n")]
        found = [at for at in ends if at >= 0]
        if not found:
            return None
        at = min(found)
        return at + (2 if buffer[at : at + 2] == _END else 1)

    def read(self, frame: bytes) -> dict[str, Raw | None]:
        """Return the fields of a whole line, as texts.

        Raises:
            Mismatch: it is not this line, and why.
        """
        if not frame.startswith(self.head):
            raise Mismatch(f"no line begins with {frame[:4]!r}", 0)
        if len(frame) > MOST_LINE or (self.ending and frame[-1:] not in {b"\r", b"\n"}):
            raise Mismatch("the line has no end: carriage return or line feed", 1)
        line = frame.rstrip(_END) if self.ending else frame
        found: dict[str, Raw | None] = {}
        at = len(self.head)
        for word in self.words:
            end = line.find(word.behind, at) if word.behind else len(line)
            if end < 0:
                raise Mismatch(f"{word.behind!r} is missing behind the field {word.name}", 1)
            if word.name == _SUM:
                self._check_sum(line, at, end)
            else:
                found[word.name] = line[at:end].decode("ascii", "replace")
            at = end + len(word.behind)
        if at != len(line):
            raise Mismatch(f"{len(line) - at} characters are too many", 2)
        return found

    def write(self, values: Mapping[str, Raw]) -> bytes:
        """Return the line with these fields and its ending.

        Raises:
            ValueError: a field has no value, or one that would end it too early.
        """
        line = self.head
        for word in self.words:
            line += self._said(word, values, line) + word.behind
        return line + self.ending

    def secret_spans(self, frame: bytes) -> tuple[slice, ...]:
        """Return the byte ranges of a line that must not be shown."""
        spans: list[slice] = []
        at = len(self.head)
        for word in self.words:
            end = frame.find(word.behind, at) if word.behind else len(frame)
            if word.is_secret and end >= 0:
                spans.append(slice(at, end))
            at = max(at, end) + len(word.behind)
        return tuple(spans)

    def _end_of_words(self, buffer: bytes, start: int) -> int | None:
        at = start + len(self.head)
        for word in self.words:
            found = buffer.find(word.behind, at, start + MOST_LINE)
            if found < 0:
                return None
            at = found + len(word.behind)
        return at

    def _said(self, word: Word, values: Mapping[str, Raw], line: bytes) -> bytes:
        if word.name == _SUM:
            return self.checksum.of(line, len(line)).hex().upper().encode("ascii")
        if word.name not in values:
            raise ValueError(f"the field {word.name} of the line has no value")
        text = str(values[word.name]).zfill(word.width)
        if not text.isascii() or not text.isprintable() or (word.behind.decode() or "\r") in text:
            raise ValueError(f"{text!r} does not fit the field {word.name} of the line")
        return text.encode("ascii")

    def _check_sum(self, line: bytes, at: int, end: int) -> None:
        has = line[at:end].decode("ascii", "replace").upper()
        right = self.checksum.of(line, at).hex().upper()
        if has != right:
            raise Mismatch(f"checksum {has} is wrong, {right} would be right", 3)


def parse_line(text: str, checksum: Checksum, ending: bytes = _END) -> LineTemplate:
    """Return the template that a declaration writes.

    Raises:
        ValueError: with what is wrong, for the technician.
    """
    if not text.isascii() or not text.isprintable() or len(text) > MOST_LINE:
        raise ValueError(f"{text[:40]!r} is no line: printable ASCII of at most {MOST_LINE}")
    head, *rest = _split(text)
    words = tuple(
        Word(m[1], int(m[2] or 0), bool(m[3]), behind.encode("ascii"))
        for m, behind in zip(rest[::2], rest[1::2], strict=True)
        if isinstance(m, re.Match) and isinstance(behind, str)
    )
    _check_words(text, str(head), words)
    names = [word.name for word in words]
    if _SUM in names and not checksum.size:
        raise ValueError(f"{text!r}: <sum> needs `checksum` with its kind")
    if not ending and words and not words[-1].behind:
        raise ValueError(f"{text!r}: a line that nothing ends needs fixed text behind its fields")
    return LineTemplate(str(head).encode("ascii"), words, checksum, ending)


def _split(text: str) -> list[str | re.Match[str]]:
    """Return fixed text and fields in turn, beginning and ending with fixed text."""
    parts: list[str | re.Match[str]] = []
    at = 0
    for match in _TOKEN.finditer(text):
        parts += [text[at : match.start()], match]
        at = match.end()
    return [*parts, text[at:]]


def _check_words(text: str, head: str, words: tuple[Word, ...]) -> None:
    fixed = head + "".join(word.behind.decode() for word in words)
    if not head or "<" in fixed or ">" in fixed:
        raise ValueError(f"{text!r}: a line begins with fixed text, fields are <name>")
    if any(not word.behind for word in words[:-1]):
        raise ValueError(f"{text!r}: two fields need fixed text between them")
    names = [word.name for word in words]
    if len(set(names)) < len(names):
        raise ValueError(f"{text!r}: each field may be there only once")
