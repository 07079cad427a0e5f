"""Functions that polling does not need, by name: those of pymodbus, and a vendor's own codes.

pymodbus costs some megabytes: it is imported inside the functions, so only when one is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from struct import error as StructError  # noqa: N812 - a class under a module's naming
from typing import TYPE_CHECKING, Any

from drivers.modbus.framing import Framing
from drivers.modbus.jobs import SingleJob
from drivers.modbus.pdu import DIAGNOSTICS, MAX_PDU, Request, reply_length

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_INHERITED = frozenset({"dev_id", "transaction_id", "fut", "retries", "exception_code"})
_MAX_FUNCTION = 127


def custom_names() -> tuple[str, ...]:
    """Return the names of all functions that `custom_job` knows, such as `read_fifo_queue`."""
    return tuple(sorted(_classes()))


def custom_job(framing: Framing, unit: int, name: str, fields: Mapping[str, Any]) -> SingleJob:
    """Return the job of a function by name; its one value, under key 0, is the reply PDU.

    `fields` are the arguments of pymodbus's request class; `read_custom_reply` reads the reply.

    Raises:
        LookupError: no function has that name.
        ValueError: the fields are not those of the function, or a value does not fit.
    """
    request_class = _class_of(name)[0]
    try:
        request = request_class(**fields)
        body = request.encode()
    except (AttributeError, IndexError, StructError, TypeError, ValueError) as cause:
        raise ValueError(f"{name}: {cause}") from cause
    pdu = bytes((request.function_code,)) + body
    # Lengths are ours: pymodbus forgets the CRC in that of function 24, and fails on short replies.
    length = len(pdu) if pdu[0] == DIAGNOSTICS else None
    return _job(framing, unit, Request(pdu, pdu[:1], length, reply_length), name)


def vendor_job(framing: Framing, unit: int, function: int, body: bytes) -> SingleJob:
    """Return the job of any function code with a body given as bytes (V1.1b3, 5.1: 65-72, 100-110).

    Its one value, under key 0, is the reply PDU; its length is whatever a right checksum confirms.

    Raises:
        ValueError: the code is outside 1..127, or the body too long.
    """
    if not 1 <= function <= _MAX_FUNCTION or len(body) >= MAX_PDU:
        raise ValueError(f"function {function} with {len(body)} bytes cannot be a request")
    pdu = bytes((function,)) + body
    return _job(framing, unit, Request(pdu, pdu[:1], None), f"function {function}")


def read_custom_reply(name: str, pdu: bytes) -> Mapping[str, Any]:
    """Return the fields of a reply PDU of the function of that name.

    Raises:
        LookupError: no function has that name.
        ValueError: the PDU is none of this function.
    """
    from pymodbus.exceptions import ModbusException  # noqa: PLC0415 - as in _classes

    reply = _class_of(name)[1]()
    try:
        reply.decode(pdu[1:])
    except (IndexError, ModbusException, StructError, ValueError) as cause:
        raise ValueError(f"{name}: {cause}") from cause
    return {key: value for key, value in vars(reply).items() if key not in _INHERITED}


def _job(framing: Framing, unit: int, request: Request, text: str) -> SingleJob:
    head = request.reply_head
    return SingleJob(framing.prepare(unit, request), text, (0,), lambda rest: (head + rest,))


def _class_of(name: str) -> tuple[type[ModbusPDU], type[ModbusPDU]]:
    classes = _classes()
    if name not in classes:
        raise LookupError(f"no function {name!r}; there are: {', '.join(sorted(classes))}")
    return classes[name]


def _classes() -> dict[str, tuple[type[ModbusPDU], type[ModbusPDU]]]:
    from pymodbus.pdu import DecodePDU  # noqa: PLC0415 - the daemon must not carry it

    pairs = [*DecodePDU.pdu_table.values()]
    for table in DecodePDU.pdu_sub_table.values():
        pairs.extend(table.values())
    return {
        _WORD_START.sub("_", request.__name__.removesuffix("Request")).lower(): (request, reply)
        for request, reply in pairs
        if request.__name__.endswith("Request")
    }
