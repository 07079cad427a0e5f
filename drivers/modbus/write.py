"""Jobs that write one value."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.contract import Job, Raw, Steps
from drivers.modbus.address import ModbusAddress, ModbusQuirks, Table
from drivers.modbus.block import Cell, block_decoder, in_wire_order
from drivers.modbus.framing import Framing, Prepared
from drivers.modbus.jobs import SingleJob
from drivers.modbus.pdu import (
    MASK_WRITE,
    READ_HOLDING,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Request,
    mask_write_request,
    read_request,
    read_write_request,
    write_coil_request,
    write_coils_request,
    write_register_request,
    write_registers_request,
)
from drivers.modbus.values import as_integer, shift_of, to_bytes

_REGISTER = 0xFFFF


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes the jobs that write one point of one unit."""

    framing: Framing
    unit: int
    address: ModbusAddress
    quirks: ModbusQuirks

    def write(self, raw: Raw) -> Job:
        """Return the job that writes a raw value.

        A part of a register is changed by function 22 where the profile says so, otherwise by
        reading the register and writing it back with the other bits as they were.

        Raises:
            ValueError: the table is read-only, the value does not fit, or the function cannot.
        """
        address = self.address
        if address.table in {Table.INPUT, Table.DISCRETE}:
            raise ValueError(f"table {address.table} can only be read")
        if address.table is Table.COIL:
            return self._single(self._coil_request(is_on=bool(as_integer(raw, 1))))
        if address.field_mask is not None:
            return self._change(address.field_mask, raw)
        return self._single(self._registers_request(self._in_wire_order(raw)))

    def write_and_read(self, raw: Raw) -> Job:
        """Return the job of function 23: writes a value and reads it back in one exchange.

        Its one value, under key 0, is what the device holds afterwards.

        Raises:
            ValueError: it is not a whole value of holding registers, or the value does not fit.
        """
        address, offset = self.address, self._offset
        if address.table is not Table.HOLDING or address.field_mask is not None:
            raise ValueError("function 23 writes whole values of holding registers")
        octets = self._in_wire_order(raw)
        request = read_write_request(offset, address.width, offset, octets)
        decode = block_decoder((Cell(0, address, offset, offset + address.width),), offset)
        prepared = self.framing.prepare(self.unit, request)
        return SingleJob(prepared, self._text(request), (0,), lambda reply: tuple(decode(reply)))

    @property
    def _offset(self) -> int:
        return self.address.offset(self.quirks)

    @property
    def _function(self) -> int:
        usual = WRITE_REGISTER if self.address.width == 1 else WRITE_REGISTERS
        return self.address.write_function or self.quirks.write_function or usual

    def _single(self, request: Request) -> Job:
        return SingleJob(self.framing.prepare(self.unit, request), self._text(request))

    def _text(self, request: Request) -> str:
        first, last = self._offset, self._offset + self.address.width - 1
        return f"function {request.function}: {self.address.table} {first}..{last}"

    def _in_wire_order(self, raw: Raw) -> bytes:
        return in_wire_order(self.address, to_bytes(self.address, raw))

    def _registers_request(self, octets: bytes) -> Request:
        return registers_request(self._function, self._offset, octets)

    def _coil_request(self, *, is_on: bool) -> Request:
        function = self.address.write_function or WRITE_COIL
        if function == WRITE_COIL:
            return write_coil_request(self._offset, is_on=is_on)
        if function == WRITE_COILS:
            return write_coils_request(self._offset, (is_on,))
        raise ValueError(f"function {function} does not write coils; 5 and 15 do")

    def _change(self, mask: int, raw: Raw) -> Job:
        if self.address.width > 1:
            raise ValueError("parts of values wider than one register cannot be written")
        shift = shift_of(mask)
        value = as_integer(raw, mask >> shift) << shift
        if value & ~mask:
            raise ValueError(f"{raw!r} has bits outside mask 0x{mask:04X}")
        # The mask is of the value; a register with its bytes swapped has it in the other byte.
        on_wire = [
            int.from_bytes(in_wire_order(self.address, number.to_bytes(2, "big")), "big")
            for number in (mask, value)
        ]
        if self.address.write_function == MASK_WRITE:
            and_mask = _REGISTER & ~on_wire[0]
            return self._single(mask_write_request(self._offset, and_mask, on_wire[1]))
        self._registers_request(bytes(2))  # refuses other functions now, not on the line
        return FieldJob(self.framing, self.unit, self._function, self._offset, *on_wire)


@dataclass(frozen=True, slots=True)
class FieldJob:
    """Read a register, change the bits of `mask` to `value`, write it back.

    `mask` and `value` are as the register stands on the wire.
    """

    framing: Framing
    unit: int
    function: int
    offset: int
    mask: int
    value: int

    @property
    def keys(self) -> tuple[int, ...]:
        """None: it writes."""
        return ()

    @property
    def exchanges(self) -> int:
        """Two."""
        return 2

    @property
    def request_chars(self) -> int:
        """Characters of both requests."""
        return self._read().request_chars + self._write(0).request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of both replies."""
        return self._read().reply_chars + self._write(0).reply_chars

    def steps(self) -> Steps:
        """Read, change, write."""
        old = yield self._read().exchange()
        kept = int.from_bytes(old, "big") & ~self.mask
        yield self._write(kept | self.value).exchange()
        return ()

    def split(self) -> tuple[Job, ...]:
        """Return (): both belong together."""
        return ()

    def describe(self) -> str:
        """Return both functions, the register and the bits."""
        return (
            f"functions {READ_HOLDING} and {self.function}: holding {self.offset}, "
            f"bits 0x{self.mask:04X}"
        )

    def _read(self) -> Prepared:
        return self.framing.prepare(self.unit, read_request(READ_HOLDING, self.offset, 1))

    def _write(self, register: int) -> Prepared:
        octets = register.to_bytes(2, "big")
        request = registers_request(self.function, self.offset, octets)
        return self.framing.prepare(self.unit, request)


def registers_request(function: int, offset: int, octets: bytes) -> Request:
    """Return the request that writes registers by function 6 or 16.

    Raises:
        ValueError: the function does not write registers, or not so many.
    """
    if function == WRITE_REGISTERS:
        return write_registers_request(offset, octets)
    if function != WRITE_REGISTER:
        raise ValueError(f"function {function} does not write whole registers; 6 and 16 do")
    if len(octets) > 2:  # noqa: PLR2004 - bytes of a register
        raise ValueError("function 6 writes one register only; 16 writes more")
    return write_register_request(offset, octets)
