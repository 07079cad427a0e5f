"""One frame taken apart, for `linli decode`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.contract import Decoded, Raw, Wanted
from drivers.modbus.address import ModbusQuirks, Table
from drivers.modbus.block import Cell, block_decoder
from drivers.modbus.fields import Fields, reply_fields, request_fields
from drivers.modbus.framing import Framing, Taken
from drivers.modbus.jobs import FUNCTIONS
from drivers.modbus.pdu import (
    BLOCK_WRITES,
    EXCEPTION_BIT,
    READS,
    SINGLE_WRITES,
    WRITE_COIL,
    WRITE_COILS,
)
from drivers.modbus.plan import modbus_address

_LAST_UNIT = 247
_TABLE_OF = {function: table for table, function in FUNCTIONS.items()}
_WRITES = SINGLE_WRITES | BLOCK_WRITES


@dataclass(frozen=True, slots=True)
class _Carried:
    """Values that a frame carries: of which table, from where on, as bytes of registers or bits."""

    table: Table
    start: int
    octets: bytes
    count: int


def decode(
    framing: Framing, frame: bytes, direction: str, wanted: Sequence[Wanted], *, request: bytes
) -> Decoded:
    """Return one frame taken apart; `direction` is request, response, or auto for either.

    Raw values come of a response whose request is given, of a response as long as all wanted
    points of its table are together, and of a request that writes.
    """
    asked = framing.take_apart(request)[0] if request else None
    tried: list[Decoded] = []
    for way in ("response", "request") if direction == "auto" else (direction,):
        for taken in framing.take_apart(frame):
            found = _decoded(framing, taken, way, asked)
            if found.ok:
                return _with_values(found, taken, way, wanted, asked=asked)
            tried.append(found)
    return tried[0]


def _decoded(framing: Framing, taken: Taken, direction: str, asked: Taken | None) -> Decoded:
    function = taken.pdu[0] if taken.pdu else 0
    is_exception = direction != "request" and function & EXCEPTION_BIT
    frame: Fields = {
        "unit": taken.unit,
        "function": function & ~EXCEPTION_BIT if is_exception else function,
        "exception": None,
        **taken.fields,
    }
    if taken.error is not None:
        return Decoded(ok=False, error=taken.error, frame=frame)
    try:
        _check_unit(framing, taken, direction)
        if direction == "request":
            frame |= request_fields(taken.pdu)
        else:
            frame |= reply_fields(taken.pdu, _quantity(asked))
            _check_asked(taken, asked)
    except ValueError as why:
        return Decoded(ok=False, error=str(why), frame=frame)
    return Decoded(ok=True, error=None, frame=frame, unit=taken.unit)


def _check_unit(framing: Framing, taken: Taken, direction: str) -> None:
    if 1 <= taken.unit <= _LAST_UNIT or taken.unit in framing.extra_units:
        return
    if taken.unit:
        raise ValueError(f"unit {taken.unit} is reserved, units are 1..{_LAST_UNIT}")
    if direction != "request":
        raise ValueError("unit 0 is broadcast: nobody answers it")
    if taken.pdu[:1] and taken.pdu[0] in READS:
        raise ValueError("unit 0 is broadcast: it can only write")


def _check_asked(taken: Taken, asked: Taken | None) -> None:
    """Refuse what is not the reply to the request that was given."""
    if asked is None or asked.error is not None or not asked.pdu:
        return
    mine, theirs = taken.fields.get("transaction_id"), asked.fields.get("transaction_id")
    if mine != theirs:
        raise ValueError(f"transaction {mine} is not that of the request, {theirs}")
    if taken.unit != asked.unit:
        raise ValueError(f"unit {taken.unit} answers for unit {asked.unit}")
    if taken.pdu[0] & ~EXCEPTION_BIT != asked.pdu[0]:
        raise ValueError(f"function {taken.pdu[0]} does not answer function {asked.pdu[0]}")
    quantity = _quantity(asked)
    if quantity is not None and not taken.pdu[0] & EXCEPTION_BIT:
        is_bits = _TABLE_OF[asked.pdu[0]].is_bits
        needs = (quantity + 7) // 8 if is_bits else 2 * quantity
        if taken.pdu[1] != needs:
            raise ValueError(f"byte count {taken.pdu[1]} where {quantity} asked for give {needs}")


def _quantity(asked: Taken | None) -> int | None:
    """Return how many registers or bits a read request asked for."""
    if asked is None or asked.error is not None or asked.pdu[:1] == b"":
        return None
    if asked.pdu[0] not in READS:
        return None
    return int.from_bytes(asked.pdu[3:5], "big")


def _with_values(
    found: Decoded, taken: Taken, direction: str, wanted: Sequence[Wanted], *, asked: Taken | None
) -> Decoded:
    pdu = taken.pdu
    carried = _written(pdu) if direction == "request" else _read(pdu, wanted, asked)
    if carried is None:
        return found
    raw = _raw_values(carried, wanted)
    return replace(found, raw=raw)


def _written(pdu: bytes) -> _Carried | None:
    if pdu[0] not in _WRITES:
        return None
    start = int.from_bytes(pdu[1:3], "big")
    if pdu[0] in SINGLE_WRITES:
        is_coil = pdu[0] == WRITE_COIL
        octets = bytes((pdu[3] & 1,)) if is_coil else pdu[3:5]
        return _Carried(Table.COIL if is_coil else Table.HOLDING, start, octets, 1)
    table = Table.COIL if pdu[0] == WRITE_COILS else Table.HOLDING
    return _Carried(table, start, pdu[6:], int.from_bytes(pdu[3:5], "big"))


def _read(pdu: bytes, wanted: Sequence[Wanted], asked: Taken | None) -> _Carried | None:
    if pdu[0] not in READS:
        return None
    table = _TABLE_OF[pdu[0]]
    quantity = _quantity(asked)
    if asked is not None and quantity is not None:
        start = int.from_bytes(asked.pdu[1:3], "big")
        return _Carried(table, start, pdu[2:], quantity)
    cells = [cell for cell in _cells(wanted) if cell.address.table is table]
    if not cells:
        return None
    start, end = min(cell.start for cell in cells), max(cell.end for cell in cells)
    needs = (end - start + 7) // 8 if table.is_bits else 2 * (end - start)
    return _Carried(table, start, pdu[2:], end - start) if needs == pdu[1] else None


def _cells(wanted: Sequence[Wanted]) -> list[Cell]:
    quirks = ModbusQuirks()
    addresses = [(want.key, modbus_address(want.address)) for want in wanted]
    return [Cell(k, a, a.offset(quirks), a.offset(quirks) + a.width) for k, a in addresses]


def _raw_values(carried: _Carried, wanted: Sequence[Wanted]) -> Mapping[int, Raw | None]:
    end = carried.start + carried.count
    return {
        cell.key: block_decoder((cell,), carried.start)(carried.octets)[0]
        for cell in _cells(wanted)
        if cell.address.table is carried.table and carried.start <= cell.start and cell.end <= end
    }
