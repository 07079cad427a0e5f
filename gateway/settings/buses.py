"""`buses:` -> lines, and what can be wrong with several of them."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from drivers import registry
from drivers.contract import WireSettings
from gateway.model.ids import LineName
from gateway.model.link import (
    CallersPort,
    MemoryPort,
    SerialPort,
    TcpClient,
    TcpListener,
    UdpPeer,
)
from gateway.settings.checking import Spot
from gateway.settings.durations import LineSetting, line_setting
from gateway.settings.models.site import BusEntry, ListenEntry
from gateway.settings.problems import Problems, advice
from gateway.settings.site import Line, LinkSettings

USUAL_SETTING = line_setting("9600 8N1")
USUAL_BAUDS = (
    300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 76800, 115200, 128000,
    230400, 256000, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000,
)  # fmt: skip
UNSTABLE_PORT = re.compile(r"(?:/dev/)?tty(?:USB|ACM)[0-9]+")


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line and its place in a file."""

    line: Line
    spot: Spot


def make_line(name: str, entry: BusEntry, spot: Spot, problems: Problems) -> PlacedLine:
    """Return the line of one bus; what is wrong with it alone is reported."""
    protocol = entry.protocol or ("modbus-tcp" if entry.tcp or entry.udp else "modbus-rtu")
    wire = _wire(protocol, spot, problems)
    link = _link(entry, wire, is_session=_is_session(protocol))
    if entry.listen and entry.listen.transport == "udp" and not isinstance(link, CallersPort):
        place = spot.at("listen", "transport")
        problems.add("LG-BUS-13", place.where, place.text, protocol=protocol)
    if isinstance(link, SerialPort):
        _check_port(link, spot, problems)
    if entry.in_flight > 1 and not wire.has_reply_ids:
        place = spot.at("in_flight")
        problems.add("LG-BUS-05", place.where, place.text, found=entry.in_flight)
    line = Line(
        LineName(name),
        link,
        protocol,
        spot.where,
        echo=entry.echo,
        pause_s=entry.pause,
        turnaround_s=entry.turnaround,
        in_flight=entry.in_flight,
        is_simulated=entry.simulated,
    )
    return PlacedLine(line, spot)


def check_lines(lines: Iterable[PlacedLine], problems: Problems) -> None:
    """Report lines that would share one port: two speakers on one line."""
    taken: dict[Hashable, PlacedLine] = {}
    for placed in lines:
        key = _port_key(placed.line.link)
        other = taken.setdefault(key, placed)
        if other is not placed:
            is_listener = isinstance(placed.line.link, TcpListener)
            code = "LG-BUS-11" if is_listener else "LG-BUS-06"
            facts = {"other": str(other.line.name), "line": other.line.where.line}
            port = {} if is_listener else {"port": _port_text(placed.line.link)}
            problems.add(code, placed.spot.where, placed.spot.text, **facts, **port)


def setting_of(port: SerialPort) -> str:
    """Return the setting of a port as on the label."""
    return f"{port.baud} {port.data_bits}{port.parity}{port.stop_bits}"


def _wire(protocol: str, spot: Spot, problems: Problems) -> WireSettings:
    try:
        return registry.driver_of_protocol(protocol).speakers[protocol].wire
    except LookupError:
        known = [name for driver in registry.names() for name in registry.load(driver).speakers]
        place = spot.at("protocol")
        problems.add(
            "LG-BUS-04", place.where, place.text, found=protocol, advice=advice(protocol, known)
        )
        return WireSettings(has_reply_ids=True)


def _is_session(protocol: str) -> bool:
    try:
        return protocol in registry.driver_of_protocol(protocol).sessions
    except LookupError:
        return False


def _link(entry: BusEntry, wire: WireSettings, *, is_session: bool) -> LinkSettings:
    dialled = entry.tcp or entry.rtu_over_tcp
    if dialled is not None:
        return TcpClient(dialled.host, dialled.port)
    if entry.udp is not None:
        return UdpPeer(entry.udp.host, entry.udp.port)
    if entry.listen is not None:
        return _listener(entry.listen, is_session=is_session)
    if entry.memory is not None:
        return MemoryPort(entry.memory)
    setting = entry.line or (line_setting(wire.serial) if wire.serial else USUAL_SETTING)
    return _serial(str(entry.port), setting, rs485=entry.rs485)


def _listener(entry: ListenEntry, *, is_session: bool) -> LinkSettings:
    if is_session and entry.registration is None:
        return CallersPort(entry.host, entry.port, entry.transport)
    return TcpListener(entry.host, entry.port, entry.registration, entry.prefix, entry.heartbeat)


def _serial(port: str, setting: LineSetting, *, rs485: bool) -> SerialPort:
    return SerialPort(
        port, setting.baud, setting.data_bits, setting.parity, setting.stop_bits, rs485=rs485
    )


def _check_port(port: SerialPort, spot: Spot, problems: Problems) -> None:
    if port.baud not in USUAL_BAUDS:
        place = spot.at("line")
        nearest = min(USUAL_BAUDS, key=lambda usual: abs(usual - port.baud))
        problems.add("LG-BUS-03", place.where, place.text, found=port.baud, nearest=nearest)
    if UNSTABLE_PORT.fullmatch(port.port):
        place = spot.at("port")
        problems.add("LG-BUS-07", place.where, place.text, port=port.port)


def _port_key(link: LinkSettings) -> Hashable:
    if isinstance(link, SerialPort):
        port = link.port
        path = port if port.startswith("/") else f"/dev/serial/{port}"
        return os.path.realpath(path) if "\0" not in path else path
    if isinstance(link, TcpListener):
        return link.host, link.port, link.registration
    if isinstance(link, CallersPort) and link.transport == "tcp":
        return link.host, link.port, None
    return link


def _port_text(link: LinkSettings) -> str:
    if isinstance(link, SerialPort):
        return link.port
    if isinstance(link, MemoryPort):
        return link.name
    return f"{link.host}:{link.port}"
