"""A declared framing: its frames by name, who is addressed, how it is checked. Made of plain data.

Nothing here is code of a device: a profile writes it, `known.py` has those with a public source.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, cast

from drivers.contract import Raw
from drivers.declared.checksum import Checksum, Kind
from drivers.declared.line import LineTemplate, parse_line
from drivers.declared.template import Length, Template, parse_template
from drivers.declared.values import Form, key_of

AnyTemplate: TypeAlias = Template | LineTemplate
_Kinds = TypeVar("_Kinds", bound=StrEnum)

MOST_FRAMES = 64
"""Frames of one declaration."""
_KEYS = frozenset(
    {
        *("form", "address", "broadcast", "checksum", "length", "request_end"),
        *("requests", "replies", "refusals"),
    }
)
_LITTLE_BY_NATURE = frozenset({Kind.CRC16_MODBUS})


class Ends(StrEnum):
    """What one frame is: bytes of a stream, a line of text, or one whole datagram."""

    BYTES = "bytes"
    LINE = "line"
    DATAGRAM = "datagram"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A framing; `key` is what it was made of, and stands for it in comparisons."""

    name: str
    key: str = field(repr=False)
    form: Ends = field(compare=False, repr=False)
    address: tuple[str, ...] = field(compare=False, repr=False)
    """The fields that together say who is asked or speaks; () where nothing does."""
    broadcast: frozenset[object] = field(compare=False, repr=False)
    """Addresses that mean everybody."""
    requests: Mapping[str, AnyTemplate] = field(compare=False, repr=False)
    replies: Mapping[str, AnyTemplate] = field(compare=False, repr=False)
    refusals: Mapping[str, AnyTemplate] = field(compare=False, repr=False)

    def unit_of(self, fields: Mapping[str, Raw | None]) -> Hashable | None:
        """Return the unit key that a frame's fields make; None where it has no address."""
        if not self.address or any(fields.get(name) is None for name in self.address):
            return None
        return unit_key(tuple(key_of(fields[name]) for name in self.address))

    def address_fields(self, unit: Hashable) -> dict[str, Raw]:
        """Return the fields of a unit's address.

        Raises:
            ValueError: the address has another number of parts, or means everybody.
        """
        if not self.address:
            return {}
        parts = str(unit).split("/")
        if len(parts) != len(self.address):
            needs = "/".join(f"<{name}>" for name in self.address)
            raise ValueError(f"address {unit} does not fit {self.name}: write {needs}")
        keys = [key_of(part) for part in parts]
        if any(key in self.broadcast for key in keys):
            raise ValueError(f"address {unit} means every device of the line: name one")
        return {
            name: key if isinstance(key, int) else part
            for name, key, part in zip(self.address, keys, parts, strict=True)
        }

    def check_unicast(self, template: AnyTemplate, fields: Mapping[str, Raw]) -> None:
        """Refuse an address of all ones: wherever a broadcast exists, it is usually that.

        Raises:
            ValueError: the address means, or may mean, everybody.
        """
        if not isinstance(template, Template):
            return
        for name in self.address:
            slot = template.slot(name)
            if slot is None or slot.shape.form is not Form.UINT:
                continue
            if fields.get(name) == (1 << 8 * slot.shape.size) - 1:
                raise ValueError(f"address {fields[name]} is all ones: it means every device")


def unit_key(parts: Sequence[object]) -> Hashable:
    """Return the key of an address in parts: a number, or texts with slashes between."""
    first = parts[0]
    if len(parts) == 1 and isinstance(first, int):
        return first
    return "/".join(str(part) for part in parts)


def declare(name: str, keys: Mapping[str, Any]) -> Declaration:
    """Return the declaration that these keys make.

    Raises:
        ValueError: with the key that is wrong and what to write, for the technician.
    """
    unknown = sorted(str(key) for key in keys.keys() - _KEYS)
    if unknown:
        raise ValueError(f"frame has no key {unknown[0]!r}; there are: {', '.join(sorted(_KEYS))}")
    form = _one_of(Ends, keys.get("form", "bytes"), "form")
    checksum, length = _checksum(keys.get("checksum")), _length(keys.get("length"))
    ending = _ending(keys.get("request_end", "crlf"))

    def templates(kind: str) -> Mapping[str, AnyTemplate]:
        texts = _mapping(keys.get(kind, {}), kind)
        if len(texts) > MOST_FRAMES:
            raise ValueError(f"{kind} has more than {MOST_FRAMES} frames")
        how = _How(form, checksum, length, ending if kind == "requests" else b"\r\n")
        return MappingProxyType({n: _template(f"{kind}.{n}", t, how) for n, t in texts.items()})

    made = Declaration(
        name=name,
        key=f"{name} {_sorted(keys)!r}",
        form=form,
        address=_names(keys.get("address", ())),
        broadcast=_broadcast(keys.get("broadcast", ())),
        requests=templates("requests"),
        replies=templates("replies"),
        refusals=templates("refusals"),
    )
    _check(made)
    return made


def _check(made: Declaration) -> None:
    frames = (*made.requests.values(), *made.replies.values())
    if not frames:
        raise ValueError("frame needs `requests` or `replies`: at least one frame")
    known = frozenset[str]().union(*(template.names for template in frames))
    missing = [name for name in made.address if name not in known]
    if missing:
        raise ValueError(f"no frame has the address field <{missing[0]}>")


@dataclass(frozen=True, slots=True)
class _How:
    """What all frames of one direction have in common."""

    form: Ends
    checksum: Checksum
    length: Length | None
    ending: bytes


def _template(place: str, text: object, how: _How) -> AnyTemplate:
    if not isinstance(text, str):
        raise ValueError(f"{place} is no text; put the frame in quotes")  # noqa: TRY004 - shown to the technician
    try:
        if how.form is Ends.LINE:
            return parse_line(text, how.checksum, how.ending)
        return parse_template(text, how.checksum, how.length)
    except ValueError as why:
        raise ValueError(f"{place}: {why}") from None


def _checksum(given: object) -> Checksum:
    keys = _mapping({} if given is None else given, "checksum")
    _only(keys, {"kind", "from", "omit", "order"}, "checksum")
    kind = _one_of(Kind, keys.get("kind", "none"), "checksum.kind")
    order = keys.get("order", "little" if kind in _LITTLE_BY_NATURE else "big")
    if order not in {"big", "little"}:
        raise ValueError("checksum.order is big or little")
    start, omit = (_count(keys.get(key, 0), f"checksum.{key}") for key in ("from", "omit"))
    return Checksum(kind, start, omit, order == "little")


def _length(given: object) -> Length | None:
    if given is None:
        return None
    keys = _mapping(given, "length")
    _only(keys, {"field", "add"}, "length")
    name, add = keys.get("field"), keys.get("add", 0)
    if not isinstance(name, str) or not isinstance(add, int):
        raise ValueError("length is {field: name of the field that counts, add: bytes more}")  # noqa: TRY004 - shown to the technician
    return Length(name, add)


def _ending(given: object) -> bytes:
    endings = {"none": b"", "cr": b"\r", "lf": b"\n", "crlf": b"\r\n"}
    if not isinstance(given, str) or given not in endings:
        raise ValueError(f"request_end is one of {', '.join(endings)}")
    return endings[given]


def _names(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Sequence) and all(
        isinstance(one, str) for one in cast("Sequence[object]", given)
    ):
        return tuple(cast("Sequence[str]", given))
    raise ValueError("address is the name of a field, or a list of them")


def _broadcast(given: object) -> frozenset[object]:
    listed = cast("Sequence[object]", given) if isinstance(given, list | tuple) else (given,)
    return frozenset(key_of(one) for one in listed if isinstance(one, int | str))


def _mapping(given: object, place: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{place} is a mapping of keys")  # noqa: TRY004 - shown to the technician
    return {str(key): value for key, value in cast("Mapping[Any, Any]", given).items()}


def _only(keys: Mapping[str, Any], known: set[str], place: str) -> None:
    if unknown := sorted(keys.keys() - known):
        names = ", ".join(sorted(known))
        raise ValueError(f"{place} has no key {unknown[0]!r}; there are: {names}")


def _one_of(kinds: type[_Kinds], given: object, place: str) -> _Kinds:
    found = next((kind for kind in kinds if kind == given), None)
    if found is None:
        names = ", ".join(str(kind) for kind in kinds)
        raise ValueError(f"{place} is {given!r}; there are: {names}")
    return found


def _count(given: object, place: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 64:  # noqa: PLR2004 - a head is short
        raise ValueError(f"{place} is a number of bytes from 0 to 64")
    return given


def _sorted(given: object) -> object:
    """Return plain data in an order that its author's does not change."""
    if isinstance(given, Mapping):
        pairs = cast("Mapping[Any, Any]", given).items()
        return sorted(((str(key), _sorted(value)) for key, value in pairs), key=repr)
    if isinstance(given, list | tuple):
        return [_sorted(one) for one in cast("Sequence[object]", given)]
    return given
