"""Declared frames in a stream: found among noise, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.contract import Raw
from drivers.declared.declaration import AnyTemplate
from drivers.declared.template import MOST_FRAME, Mismatch
from drivers.declared.values import key_of

KEPT = 2 * MOST_FRAME
"""Bytes that are kept of a stream in which no frame was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """A whole frame: where it is in the buffer, which one it is, and its fields."""

    start: int
    end: int
    name: str
    template: AnyTemplate
    octets: bytes
    fields: Mapping[str, Raw | None]


def frames(buffer: bytes, seen: int, templates: Mapping[str, AnyTemplate]) -> list[Found]:
    """Return the frames that end behind byte `seen`, first ends first; they may overlap."""
    found = [one for name, t in templates.items() for one in _of(buffer, seen, name, t)]
    return sorted(found, key=lambda one: (one.end, one.start))


def _of(buffer: bytes, seen: int, name: str, template: AnyTemplate) -> Iterator[Found]:
    for start in _starts(buffer, seen, template):
        end = template.end(buffer, start)
        if end is None or end <= seen:
            continue
        octets = buffer[start:end]
        try:
            fields = template.read(octets)
        except Mismatch:
            continue
        yield Found(start, end, name, template, octets, fields)


def _starts(buffer: bytes, seen: int, template: AnyTemplate) -> Iterator[int]:
    """Yield where a frame may begin that the newest bytes complete."""
    reach = template.chars if template.is_sized else MOST_FRAME
    first = max(0, seen - reach + 1)
    if not template.head:
        yield from range(first, len(buffer))
        return
    start = buffer.find(template.head, first)
    while start >= 0:
        yield start
        start = buffer.find(template.head, start + 1)


def says(fields: Mapping[str, Raw | None], expected: Mapping[str, Raw]) -> bool:
    """Whether a frame says what is expected of it, where it has the field."""
    return all(
        key_of(fields[name]) == key_of(value) for name, value in expected.items() if name in fields
    )


def nearest(frame: bytes, templates: Mapping[str, AnyTemplate]) -> Mismatch:
    """Return why bytes are none of these frames: what the nearest one says."""
    best = Mismatch("no frame is declared for this direction", -1)
    for template in templates.values():
        for octets in _tries(frame, template):
            try:
                template.read(octets)
            except Mismatch as why:
                # One byte like a frame's first is found in any noise: only a length tells there.
                counts = len(octets) == len(frame) or why.depth > 1
                if counts and why.depth > best.depth:
                    best = why
    return best


def _tries(frame: bytes, template: AnyTemplate) -> Iterator[bytes]:
    """Yield the bytes as they are, and from where they begin like the frame."""
    yield frame
    start = frame.find(template.head, 1) if template.head else -1
    if start > 0:
        yield frame[start:]
