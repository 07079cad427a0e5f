"""A lean Modbus TCP slave for benches: `python -m tests.bench.modbus_server PORT`.

Every unit holds 40 registers of 20 floats; each read counts up, so that every value is new and
exact in 32 bits. It costs a few microseconds a request and is never what is measured.
"""

from __future__ import annotations

import asyncio
import struct
import sys

_HEAD = struct.Struct(">HHHBBHH")
_FLOATS = struct.Struct(">20f")


class _Slave(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._rest = b""
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        data = self._rest + data
        replies: list[bytes] = []
        for place in range(0, len(data) - 11, 12):
            tid, _, _, unit, function, address, count = _HEAD.unpack_from(data, place)
            self._count = (self._count + 1) % 60_000
            base = self._count * 127 + unit
            words = _FLOATS.pack(*range(base, base + 20))
            body = words[2 * address : 2 * (address + count)]
            head = struct.pack(">HHHBBB", tid, 0, 3 + len(body), unit, function, len(body))
            replies.append(head + body)
        self._rest = data[len(data) // 12 * 12 :]
        self._transport.write(b"".join(replies))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Slave, "127.0.0.1", port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
