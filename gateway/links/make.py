"""From the settings of a line to its link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from gateway.links.contract import Link
from gateway.links.memory import MemoryWires
from gateway.links.serial_names import SERIAL_ROOT
from gateway.links.tcp_client import tcp_link
from gateway.links.tcp_listener import ListenerHub
from gateway.links.udp import udp_link
from gateway.model.link import (
    CallersPort,
    MemoryPort,
    SerialPort,
    TcpClient,
    TcpListener,
    UdpPeer,
)

LinkSettings: TypeAlias = SerialPort | TcpClient | TcpListener | CallersPort | UdpPeer | MemoryPort
MakeLink: TypeAlias = Callable[[LinkSettings, ListenerHub], Link]
"""What makes a link of its settings; `make_link`, or what a simulation puts in its place."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tests may put in place of the machine: names of serial ports, lines in memory."""

    serial_root: Path = SERIAL_ROOT
    wires: MemoryWires = field(default_factory=MemoryWires)


def make_link(
    settings: LinkSettings, listeners: ListenerHub, surroundings: Surroundings | None = None
) -> Link:
    """Return the link that the settings describe, not opened yet; nothing is done to any port."""
    around = surroundings or Surroundings()
    match settings:
        case SerialPort():
            from gateway.links.serial_port import serial_link  # noqa: PLC0415 - pyserial, if needed

            return serial_link(settings, serial_root=around.serial_root)
        case TcpClient():
            return tcp_link(settings)
        case TcpListener():
            return listeners.link(settings)
        case UdpPeer():
            return udp_link(settings)
        case CallersPort():
            raise TypeError("many devices call on this port: it is a CallersDoor, not one link")
        case _:
            return around.wires.link(settings.name)


async def open_link(
    settings: LinkSettings, listeners: ListenerHub, surroundings: Surroundings | None = None
) -> Link:
    """Return the link that the settings describe, opened.

    Raises:
        LinkDown: it cannot be opened now.
    """
    link = make_link(settings, listeners, surroundings)
    await link.open()
    return link
