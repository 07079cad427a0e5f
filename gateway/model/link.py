"""The kinds of pipe that a line may use, as the site file describes them.

Settings make them and links open them; neither room knows the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, cast

_SETTING = re.compile(r"([1-9][0-9]{1,6}) ([5-8])([NEO])([12])")


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port. `port` is a path below /dev or `by-id/…`, `by-path/…` below /dev/serial."""

    port: str
    baud: int = 9600
    data_bits: Literal[5, 6, 7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    rs485: bool = False
    """Switch the driver's direction by the kernel (TIOCSRS485); off where the adapter does it."""

    @property
    def char_s(self) -> float:
        """Seconds of one character: start, data, parity and stop bits."""
        return (1 + self.data_bits + (self.parity != "N") + self.stop_bits) / self.baud

    def on(self, setting: str) -> SerialPort:
        """Return the same port on a setting such as `300 7E1`.

        Raises:
            ValueError: it is no serial setting.
        """
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise ValueError(f"{setting!r} is no serial setting such as 9600 8N1")
        return replace(
            self,
            baud=int(match[1]),
            data_bits=cast("Literal[5, 6, 7, 8]", int(match[2])),
            parity=cast('Literal["N", "E", "O"]', match[3]),
            stop_bits=cast("Literal[1, 2]", int(match[4])),
        )


@dataclass(frozen=True, slots=True)
class TcpClient:
    """A TCP server of the field that we dial."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TcpListener:
    """A port on which a 4G DTU dials in.

    `registration` is the packet it says first (compared as
    bytes; `is_prefix` when only its beginning is fixed), `heartbeat` what it repeats; both are
    taken out of the stream. Lines that share (host, port) are told apart by their registration.
    """

    host: str
    port: int
    registration: bytes | None = None
    is_prefix: bool = False
    heartbeat: bytes | None = None


@dataclass(frozen=True, slots=True)
class CallersPort:
    """A port on which many devices call that speak by themselves (fire transmitters, alarm panels).

    Every TCP connection, and every peer of UDP, is a dialogue of its own.
    """

    host: str
    port: int
    transport: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True, slots=True)
class UdpPeer:
    """A datagram peer; `local_port` 0 lets the system choose."""

    host: str
    port: int
    local_port: int = 0


@dataclass(frozen=True, slots=True)
class MemoryPort:
    """A line in memory, for tests in virtual time; the name finds its other end."""

    name: str
