"""The fields of a PDU by the standard's names, and what the standard forbids of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from drivers.modbus.identity import OBJECT_NAMES, read_identification, read_server_id
from drivers.modbus.pdu import (
    BIT_READS,
    COIL_OFF,
    COIL_ON,
    DEVICE_IDENTIFICATION,
    ENCAPSULATED,
    EXCEPTION_BIT,
    EXCEPTION_LENGTH,
    EXCEPTIONS,
    MASK_WRITE,
    MAX_EXCHANGE_REGISTERS,
    MAX_PDU,
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    ONE_OBJECT,
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    READ_WRITE,
    SERVER_ID,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    bytes_to_bits,
    reply_length,
    request_length,
)

Fields: TypeAlias = dict[str, Any]


def request_fields(pdu: bytes) -> Fields:
    """Return the fields of a request PDU after its function code.

    Raises:
        ValueError: the standard forbids it, and why.
    """
    function = _function(pdu)
    if function & EXCEPTION_BIT:
        raise ValueError(f"function {function} is for exceptions: no request has it")
    _check_length(len(pdu), request_length(pdu), "request")
    return _REQUESTS.get(function, _plain)(pdu)


def reply_fields(pdu: bytes, quantity: int | None = None) -> Fields:
    """Return the fields of a reply PDU; `quantity` says how many bits were asked for, if known.

    Raises:
        ValueError: the standard forbids it, and why.
    """
    function = _function(pdu)
    _check_length(len(pdu), reply_length(pdu), "reply")
    if function & EXCEPTION_BIT:
        return _exception(pdu)
    if function in BIT_READS:
        return {"bits": _bits(pdu, quantity)}
    return _REPLIES.get(function, _plain)(pdu)


def _function(pdu: bytes) -> int:
    if not pdu or not pdu[0]:
        raise ValueError("function 0 does not exist" if pdu else "there is no function code")
    if len(pdu) > MAX_PDU:
        raise ValueError(f"a PDU has at most {MAX_PDU} bytes, this one {len(pdu)}")
    return pdu[0]


def _check_length(has: int, needs: int | None, what: str) -> None:
    """`needs` is what `reply_length` or `request_length` says."""
    if needs is None:
        raise ValueError(f"the {what} is cut short after {has} bytes")
    if needs not in (0, has):
        raise ValueError(f"length: the {what} says {needs} bytes of PDU and has {has}")


def _exception(pdu: bytes) -> Fields:
    if len(pdu) != EXCEPTION_LENGTH or not pdu[1]:
        raise ValueError("exception 0 does not exist")
    return {"exception": pdu[1], "meaning": EXCEPTIONS.get(pdu[1], "code of the vendor")}


def _word(pdu: bytes, at: int) -> int:
    return int.from_bytes(pdu[at : at + 2], "big")


def _registers(octets: bytes) -> Sequence[int]:
    return [_word(octets, at) for at in range(0, len(octets), 2)]


def _span(pdu: bytes, limit: int, at: int = 1) -> Fields:
    address, quantity = _word(pdu, at), _word(pdu, at + 2)
    if not 1 <= quantity <= limit:
        raise ValueError(f"quantity {quantity} is outside 1..{limit}")
    if address + quantity > 0x10000:  # noqa: PLR2004 - one past the last address
        raise ValueError(f"address {address} with quantity {quantity} runs past 65535")
    return {"address": address, "quantity": quantity}


def _single(pdu: bytes) -> Fields:
    address, value = _word(pdu, 1), _word(pdu, 3)
    if pdu[0] != WRITE_COIL:
        return {"address": address, "registers": [value]}
    if value not in {COIL_ON, COIL_OFF}:
        raise ValueError(f"coil value {value:04X} is neither FF00 nor 0000")
    return {"address": address, "bits": [value == COIL_ON]}


def _block(pdu: bytes) -> Fields:
    is_coils = pdu[0] == WRITE_COILS
    fields = _span(pdu, MAX_WRITE_BITS if is_coils else MAX_WRITE_REGISTERS)
    quantity, octets = fields["quantity"], pdu[6:]
    needs = (quantity + 7) // 8 if is_coils else 2 * quantity
    if len(octets) != needs:
        raise ValueError(f"byte count {len(octets)} is not that of quantity {quantity}: {needs}")
    if is_coils:
        return fields | {"bits": bytes_to_bits(octets)[:quantity]}
    return fields | {"registers": _registers(octets)}


def _read_write(pdu: bytes) -> Fields:
    read = _span(pdu, MAX_READ_REGISTERS)
    write = _span(pdu, MAX_EXCHANGE_REGISTERS, 5)
    octets = pdu[10:]
    if len(octets) != 2 * write["quantity"]:
        raise ValueError(f"byte count {len(octets)} is not that of quantity {write['quantity']}")
    return read | {
        "write_address": write["address"],
        "write_quantity": write["quantity"],
        "registers": _registers(octets),
    }


def _mask(pdu: bytes) -> Fields:
    return {"address": _word(pdu, 1), "and_mask": _word(pdu, 3), "or_mask": _word(pdu, 5)}


def _bits(pdu: bytes, quantity: int | None) -> Sequence[bool]:
    octets = pdu[2:]
    if not 1 <= len(octets) <= MAX_READ_BITS // 8:
        raise ValueError(f"byte count {len(octets)} is outside 1..{MAX_READ_BITS // 8}")
    return bytes_to_bits(octets)[:quantity]


def _values(pdu: bytes) -> Fields:
    octets = pdu[2:]
    if len(octets) % 2 or not 1 <= len(octets) <= 2 * MAX_READ_REGISTERS:
        raise ValueError(f"byte count {len(octets)} is not 2 to 250 and even")
    return {"registers": _registers(octets)}


def _server_id(pdu: bytes) -> Fields:
    octets, runs = read_server_id(pdu[1:])
    return {"server_id": octets.hex().upper(), "runs": runs}


def _encapsulated_request(pdu: bytes) -> Fields:
    if pdu[1] == DEVICE_IDENTIFICATION and not 1 <= pdu[2] <= ONE_OBJECT:
        raise ValueError(f"access level {pdu[2]} is outside 1..{ONE_OBJECT}")
    return {"mei": pdu[1], "access": pdu[2], "object": pdu[3]}


def _encapsulated_reply(pdu: bytes) -> Fields:
    if pdu[1] != DEVICE_IDENTIFICATION:
        return _plain(pdu)
    reply = read_identification(pdu[3:])
    names = {OBJECT_NAMES.get(k, f"0x{k:02X}"): text for k, text in reply.objects.items()}
    return {"conformity": reply.conformity, "next_object": reply.next_object, "objects": names}


def _plain(pdu: bytes) -> Fields:
    return {} if len(pdu) == 1 else {"body": pdu[1:].hex().upper()}


def _bit_span(pdu: bytes) -> Fields:
    return _span(pdu, MAX_READ_BITS)


def _register_span(pdu: bytes) -> Fields:
    return _span(pdu, MAX_READ_REGISTERS)


_REQUESTS: Mapping[int, Callable[[bytes], Fields]] = {
    READ_COILS: _bit_span,
    READ_DISCRETE: _bit_span,
    READ_HOLDING: _register_span,
    READ_INPUT: _register_span,
    WRITE_COIL: _single,
    WRITE_REGISTER: _single,
    WRITE_COILS: _block,
    WRITE_REGISTERS: _block,
    MASK_WRITE: _mask,
    READ_WRITE: _read_write,
    ENCAPSULATED: _encapsulated_request,
}
_REPLIES: Mapping[int, Callable[[bytes], Fields]] = {
    READ_HOLDING: _values,
    READ_INPUT: _values,
    READ_WRITE: _values,
    WRITE_COIL: _single,
    WRITE_REGISTER: _single,
    WRITE_COILS: lambda pdu: _span(pdu, MAX_WRITE_BITS),
    WRITE_REGISTERS: lambda pdu: _span(pdu, MAX_WRITE_REGISTERS),
    MASK_WRITE: _mask,
    SERVER_ID: _server_id,
    ENCAPSULATED: _encapsulated_reply,
}
