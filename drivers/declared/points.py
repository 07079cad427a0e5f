"""What a point is of a frame."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from drivers.contract import Raw
from drivers.declared.address import DeclaredAddress
from drivers.declared.declaration import Declaration, Ends
from drivers.declared.search import says
from drivers.declared.values import Form, read_octets, read_text


@dataclass(frozen=True, slots=True)
class Message:
    """A frame by name, with its bytes and fields."""

    declaration: Declaration
    name: str
    octets: bytes
    fields: Mapping[str, Raw | None]


def is_of(address: DeclaredAddress, message: Message) -> bool:
    """Whether a reply carries a point."""
    return (
        address.declaration == message.declaration
        and address.reply_name == message.name
        and says(message.fields, address.constants)
    )


def raw_of(address: DeclaredAddress, message: Message) -> Raw | None:
    """Return the value of a point that the reply carries; None where the bytes are no value."""
    value = _whole(address, message)
    if not isinstance(value, int) or isinstance(value, bool):
        return value if address.bit is None and address.mask is None else None
    if address.bit is not None:
        return bool(value >> address.bit & 1)
    if address.mask is not None:
        lowest = (address.mask & -address.mask).bit_length() - 1
        return (value & address.mask) >> lowest
    return value


def written_of(address: DeclaredAddress, message: Message) -> Raw | None:
    """Return the value that a request writes to a point; None where it does not write it."""
    if address.declaration != message.declaration or address.write_request != message.name:
        return None
    constants = {k: v for k, v in address.constants.items() if k != address.write_field}
    if not says(message.fields, constants):
        return None
    return True if address.write_field is None else message.fields[address.write_field]


def unit_of(message: Message) -> Hashable | None:
    """Return whom a frame is from or to; None where it has no address."""
    return message.declaration.unit_of(message.fields)


def _whole(address: DeclaredAddress, message: Message) -> Raw | None:
    if address.field is not None:
        value = message.fields.get(address.field)
        if message.declaration.form is Ends.LINE and isinstance(value, str):
            return read_text(value, address.type or Form.UINT)
        return value
    shape, size = address.shape, len(message.octets)
    at = address.at or 0
    start = at if at >= 0 else size + at
    octets = message.octets[max(start, 0) : max(start, 0) + shape.size]
    return read_octets(octets, shape) if start >= 0 and len(octets) == shape.size else None
