"""A little Modbus device of our own for the tests of the driver, in all three framings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from drivers.contract import Exchange, Job, LineCost, Raw, Wanted
from drivers.modbus import DRIVER
from drivers.modbus.address import ModbusAddress, ModbusQuirks
from drivers.modbus.crc import lrc, with_crc
from drivers.modbus.driver import ModbusDriver
from gateway.settings.driver_keys import address_model

PROTOCOLS = ("modbus-rtu", "modbus-ascii", "modbus-tcp")
NETWORK = LineCost(char_s=0.0, exchange_s=0.001)
QUIRKS = ModbusQuirks()
UNIT = 17


def driver(protocol: str) -> ModbusDriver:
    found = DRIVER.protocols[protocol]
    assert isinstance(found, ModbusDriver)
    return found


def address(register: int | str = 0, **keys: Any) -> ModbusAddress:
    return parsed_address({"register": register, **keys})


def parsed_address(keys: object) -> ModbusAddress:
    """Return the address of keys as settings make it of a profile."""
    made = address_model(DRIVER).model_validate(keys).plain
    assert isinstance(made, ModbusAddress)
    return made


def wanted(*addresses: ModbusAddress) -> list[Wanted]:
    return [Wanted(key, one) for key, one in enumerate(addresses)]


def wrap(protocol: str, pdu: bytes, request: bytes = bytes(2), unit: int = UNIT) -> bytes:
    """Return a frame around a PDU; for TCP it has the transaction number of the request."""
    octets = bytes((unit,)) + pdu
    if protocol == "modbus-rtu":
        return with_crc(octets)
    if protocol == "modbus-ascii":
        return b":" + (octets + bytes((lrc(octets),))).hex().upper().encode() + b"\r\n"
    return request[:2] + bytes(2) + len(octets).to_bytes(2, "big") + octets


def unwrap(protocol: str, frame: bytes) -> bytes:
    """Return the PDU of a frame that we made."""
    if protocol == "modbus-rtu":
        return frame[1:-2]
    if protocol == "modbus-ascii":
        return bytes.fromhex(frame[1:-2].decode())[1:-1]
    return frame[7:]


def run(protocol: str, job: Job, answer: Callable[[bytes], bytes]) -> Sequence[Raw | None]:
    """Do a job against a device that answers PDUs with PDUs."""
    steps = job.steps()
    reply: Any = None
    while True:
        try:
            exchange: Exchange = steps.send(reply)
        except StopIteration as done:
            return done.value
        pdu = answer(unwrap(protocol, exchange.request))
        reply = exchange.feed(wrap(protocol, pdu, exchange.request))
        assert reply is not None


class Device:
    """Holding registers and coils, and the functions that read and write them."""

    def __init__(self) -> None:
        self.registers = [0] * 256
        self.coils = [False] * 256
        self.functions: list[int] = []

    def __call__(self, pdu: bytes) -> bytes:
        self.functions.append(pdu[0])
        first, second = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        if pdu[0] in {1, 2}:
            return self._bits(pdu[0], first, second)
        if pdu[0] in {3, 4}:
            return self._words(pdu[0], first, second)
        if pdu[0] == 23:
            self._store(int.from_bytes(pdu[5:7], "big"), pdu[10:])
            return self._words(23, first, second)
        self._write(pdu, first, second)
        return pdu[:5] if pdu[0] in {15, 16} else pdu

    def _write(self, pdu: bytes, at: int, second: int) -> None:
        if pdu[0] == 5:
            self.coils[at] = second == 0xFF00
        elif pdu[0] == 15:
            self.coils[at : at + second] = [
                bool(pdu[6 + i // 8] >> i % 8 & 1) for i in range(second)
            ]
        elif pdu[0] == 6:
            self.registers[at] = second
        elif pdu[0] == 16:
            self._store(at, pdu[6:])
        else:
            assert pdu[0] == 22
            either = int.from_bytes(pdu[5:7], "big")
            self.registers[at] = (self.registers[at] & second) | (either & ~second)

    def _store(self, at: int, octets: bytes) -> None:
        for i in range(0, len(octets), 2):
            self.registers[at + i // 2] = int.from_bytes(octets[i : i + 2], "big")

    def _words(self, function: int, at: int, count: int) -> bytes:
        octets = b"".join(word.to_bytes(2, "big") for word in self.registers[at : at + count])
        return bytes((function, 2 * count)) + octets

    def _bits(self, function: int, at: int, count: int) -> bytes:
        packed = sum(bit << i for i, bit in enumerate(self.coils[at : at + count]))
        size = (count + 7) // 8
        return bytes((function, size)) + packed.to_bytes(size, "little")
