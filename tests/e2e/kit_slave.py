"""A Modbus TCP slave whose registers a test holds in its hand; every request is noted.

    with Slave() as slave:
        slave.put(unit=1, register=0, value=2301)
        ... slave.port ...

It runs in a thread of its own, so that a test may wait for its gateway meanwhile.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

HEAD = struct.Struct(">HHHB")
READ_BITS, READ_REGISTERS, WRITE_ONE, WRITE_MANY = (1, 2), (3, 4), (5, 6), (15, 16)
COIL_ON = 0xFF00
START_S = 10.0


@dataclass(frozen=True, slots=True)
class Write:
    """One write as it came on the wire; `raw` is what follows the function code."""

    unit: int
    function: int
    address: int
    raw: bytes


class Slave:
    """All units of one port. Registers and bits that nobody has put are 0."""

    def __init__(self) -> None:
        self.port = 0
        self.writes: list[Write] = []
        self.polls: Counter[int] = Counter()
        self.silent: set[int] = set()
        """Units that do not answer."""
        self.refusing: dict[int, int] = {}
        """Exception code by unit."""
        self.obeys = True
        """Whether what is written is taken over; confirmed it is in any case."""
        self.before_read: Callable[[int], None] = _nothing
        """Called with the unit before each read is answered, under the slave's lock."""
        self._registers: dict[tuple[int, int], int] = {}
        self._bits: dict[tuple[int, int], bool] = {}
        self._lock = threading.RLock()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="slave")
        self.connections: set[_Connection] = set()

    def __enter__(self) -> Self:
        """Listen on a free port."""
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close everything."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)

    def put(self, unit: int, register: int, *values: int) -> None:
        """Set registers, holding and input alike."""
        with self._lock:
            for place, value in enumerate(values, register):
                self._registers[unit, place] = value & 0xFFFF

    def put_float(self, unit: int, register: int, value: float) -> None:
        """Set two registers to a 32-bit float, big end first."""
        self.put(unit, register, *struct.unpack(">HH", struct.pack(">f", value)))

    def put_bit(self, unit: int, address: int, *, is_on: bool) -> None:
        """Set a coil or discrete input."""
        with self._lock:
            self._bits[unit, address] = is_on

    def register(self, unit: int, register: int) -> int:
        """Return what a register holds."""
        with self._lock:
            return self._registers.get((unit, register), 0)

    def bit(self, unit: int, address: int) -> bool:
        """Return what a coil is."""
        with self._lock:
            return self._bits.get((unit, address), False)

    def answer(self, unit: int, pdu: bytes) -> bytes | None:
        """Return the reply to one request, None for silence."""
        with self._lock:
            function, address, count = struct.unpack_from(">BHH", pdu)
            if function in (*WRITE_ONE, *WRITE_MANY):
                self.writes.append(Write(unit, function, address, pdu[1:]))
            else:
                self.polls[unit] += 1
            if unit in self.silent:
                return None
            if unit in self.refusing:
                return bytes((function | 0x80, self.refusing[unit]))
            if function in (*WRITE_ONE, *WRITE_MANY):
                return self._write(unit, pdu)
            self.before_read(unit)
            if function in READ_BITS:
                return self._read_bits(unit, function, range(address, address + count))
            values = [self._registers.get((unit, at), 0) for at in range(address, address + count)]
            return struct.pack(f">BB{count}H", function, 2 * count, *values)

    def _read_bits(self, unit: int, function: int, places: range) -> bytes:
        packed = bytearray((len(places) + 7) // 8)
        for index, place in enumerate(places):
            packed[index // 8] |= self._bits.get((unit, place), False) << index % 8
        return bytes((function, len(packed))) + bytes(packed)

    def _write(self, unit: int, pdu: bytes) -> bytes:
        function, address, value = struct.unpack_from(">BHH", pdu)
        if not self.obeys:
            return pdu[:5]
        match function:
            case 5:
                self._bits[unit, address] = value == COIL_ON
            case 6:
                self._registers[unit, address] = value
            case 15:
                for index in range(value):
                    is_on = bool(pdu[6 + index // 8] >> index % 8 & 1)
                    self._bits[unit, address + index] = is_on
            case _:
                self.put(unit, address, *struct.unpack_from(f">{value}H", pdu, 6))
        return pdu[:5]

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self.connections):
            connection.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One client of the slave."""

    def __init__(self, slave: Slave) -> None:
        self._slave = slave
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._slave.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._slave.connections.discard(self)

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._rest += data
        while len(self._rest) >= HEAD.size:
            number, _, length, unit = HEAD.unpack_from(self._rest)
            if len(self._rest) < 6 + length:
                return
            pdu, self._rest = self._rest[HEAD.size : 6 + length], self._rest[6 + length :]
            reply = self._slave.answer(unit, pdu)
            if reply is not None:
                self._transport.write(HEAD.pack(number, 0, 1 + len(reply), unit) + reply)


def _nothing(_unit: int) -> None:
    """Leave the registers as they are."""
