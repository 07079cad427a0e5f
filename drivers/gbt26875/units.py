"""Whom a device of the site is: a transmitter, or one component behind it."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.gbt26875.address import parse_component, parse_source

_MAX_PARTS = 3
_BYTE = 0xFF


@dataclass(frozen=True, slots=True)
class Place:
    """The transmitter, and the component of it; system type and address where they are needed.

    Both addresses have their highest byte first.
    """

    source: bytes
    component: bytes | None = None
    system_type: int | None = None
    system_address: int | None = None

    @property
    def text(self) -> str:
        """The unit key: `010203040506`, `010203040506/000600d9` or `010203040506/1.2/000600d9`."""
        parts = [self.source.hex()]
        if self.system_type is not None:
            parts.append(f"{self.system_type}.{self.system_address}")
        if self.component is not None:
            parts.append(self.component.hex())
        return "/".join(parts)


def parse_place(address: object) -> Place:
    """Return whom an `address:` of the site file means.

    Raises:
        ValueError: it means nobody, and what to write.
    """
    source, *rest = str(address).strip().split("/")
    place = Place(parse_source(source))
    if not rest:
        return place
    if len(rest) >= _MAX_PARTS:
        raise ValueError(f"{address!r} has too many parts; write transmitter/system/component")
    component = parse_component(rest[-1])
    if len(rest) == 1:
        return Place(place.source, component)
    return Place(place.source, component, *_system(rest[0]))


def _system(text: str) -> list[int]:
    numbers = [int(p) for p in text.split(".") if p.isascii() and p.isdecimal() and len(p) <= 3]  # noqa: PLR2004 - digits of a byte
    if len(numbers) != 2 or max(numbers) > _BYTE:  # noqa: PLR2004 - type and address
        raise ValueError(f"{text!r} is no system; write its type and address, such as 1.2")
    return numbers


def shown_source(source: bytes) -> str:
    """Return a transmitter's address as the site file has it, and as it was on the wire."""
    return f"{source.hex()} ({source[::-1].hex(' ').upper()} on the wire)"
