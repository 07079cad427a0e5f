"""A slave that is not ours: `python -m tests.support.pymodbus_server tcp PORT | serial PATH`.

Units 1 to 3 hold, in holding registers from 0: ten 32-bit floats, 100*unit + place + 0.5; from 100:
ten 16-bit integers, 1000*unit + place. Prints `ready` when it serves.
"""

from __future__ import annotations

import asyncio
import struct
import sys

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNITS = (1, 2, 3)
COUNT = 10


def float_of(unit: int, place: int) -> float:
    """Return the float at that place, exact in 32 bits."""
    return 100 * unit + place + 0.5


def integer_of(unit: int, place: int) -> int:
    """Return the integer at that place."""
    return 1000 * unit + place


def _device(unit: int) -> SimDevice:
    floats = [float_of(unit, place) for place in range(COUNT)]
    words = list(struct.unpack(f">{2 * COUNT}H", struct.pack(f">{COUNT}f", *floats)))
    integers = [integer_of(unit, place) for place in range(COUNT)]
    return SimDevice(
        unit,
        [
            SimData(0, values=words, datatype=DataType.REGISTERS),
            SimData(100, values=integers, datatype=DataType.REGISTERS),
        ],
    )


async def _serve(kind: str, where: str) -> None:
    devices = [_device(unit) for unit in UNITS]
    if kind == "tcp":
        server = ModbusTcpServer(devices, address=("127.0.0.1", int(where)))
    else:
        server = ModbusSerialServer(devices, port=where, baudrate=19200)
    await server.serve_forever(background=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
