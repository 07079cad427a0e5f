"""Read or write one device without a daemon: the line is opened, used and closed again."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.app.control import reading_json
from gateway.bus.asks import ReadNow, WriteNow
from gateway.bus.line import Around, BusLine
from gateway.cli.output import Exit, complain, is_chinese
from gateway.links.contract import LinkDown
from gateway.links.make import open_link
from gateway.links.tcp_listener import ListenerHub
from gateway.model.command import CommandRefused
from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import Value
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.normalise.readings import Normaliser
from gateway.normalise.write import to_raw
from gateway.ops.clock import SystemClock
from gateway.rules.report import point_of, singles
from gateway.settings.load import load_site
from gateway.settings.site import Device, Site

WITHIN_S = 20.0
DEVICE = DeviceId("device")


class Refused(Exception):
    """It cannot be done; the text says why and what to do."""


class SiteRefused(Refused):
    """The site file has errors; the text is all of them."""


class _Nowhere:
    """Takes what the line has to say besides the answer."""

    def put_samples(self, samples: Samples) -> None:
        """Nobody polls here."""

    def put_device_state(self, state: DeviceState) -> None:
        """The answer says it too."""

    def put_line_state(self, state: LineState) -> None:
        """The answer says it too."""


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add how a device is named: in a site, or by port, profile and address."""
    parser.add_argument("-c", "--config", type=Path, help="site file, when no daemon runs")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", help="serial port, such as by-path/usb-1.2")
    where.add_argument("--tcp", help="host:port of a Modbus TCP device or converter")
    where.add_argument("--rtu-over-tcp", help="host:port of a transparent converter")
    parser.add_argument("--line", default="9600 8N1", help="serial setting (default 9600 8N1)")
    parser.add_argument("--profile", help="profile of the device, with --port or --tcp")
    parser.add_argument("--address", default="1", help="address of the device (default 1)")
    parser.add_argument("--variant", help="variant of the profile")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_variable,
        metavar="NAME=N",
        help="variable of the profile",
    )


def _variable(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        return name, int(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N with a whole number") from None


def is_direct(arguments: argparse.Namespace) -> bool:
    """Whether a port is given, so that no site and no daemon is meant."""
    return bool(arguments.port or arguments.tcp or arguments.rtu_over_tcp)


def target(arguments: argparse.Namespace) -> tuple[Site, Device]:
    """Return the device that is meant, and a site that holds it.

    Raises:
        Refused: there is none, or the file is wrong.
    """
    if is_direct(arguments):
        return _direct(arguments)
    if arguments.config is None:
        raise Refused(
            "no gateway is running here: name a site file with -c, or a port with --port or --tcp"
        )
    site = _load(arguments.config)
    device = site.devices.get(DeviceId(arguments.device))
    if device is None:
        raise Refused(f"{arguments.config} has no device {arguments.device}")
    return site, device


def read_once(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return readings in the shape of `pts`."""
    site, device = target(arguments)
    points = tuple(PointId(point) for point in arguments.points)
    return _run(site, device, lambda line: _read(site, device, line, points))


def write_once(arguments: argparse.Namespace, value: Value) -> list[dict[str, Any]]:
    """Write, and return the readings of the read-back."""
    site, device = target(arguments)
    point = point_of(device, PointId(arguments.point))
    if point is None:
        raise Refused(f"{device.profile} has no point {arguments.point}")
    try:
        raw = to_raw(point, value)
    except CommandRefused as refused:
        raise Refused(str(refused)) from refused

    async def act(line: BusLine) -> list[dict[str, Any]]:
        written = await line.submit(WriteNow(device.id, point.address, raw, WITHIN_S))
        if written.fault is not None:
            raise Refused(written.text)
        return await _read(site, device, line, (point.id,)) if point.is_readable else []

    return _run(site, device, act)


def _direct(arguments: argparse.Namespace) -> tuple[Site, Device]:
    if arguments.profile is None:
        raise Refused("--profile says how to read the device; `linli profiles list` names them")
    bus: dict[str, Any] = {"rtu-over-tcp": arguments.rtu_over_tcp}
    if arguments.port:
        bus = {"port": arguments.port, "line": arguments.line}
    elif arguments.tcp:
        bus = {"tcp": arguments.tcp}
    device: dict[str, Any] = {
        "id": DEVICE,
        "profile": arguments.profile,
        "bus": "line",
        "address": arguments.address,
    }
    if arguments.set:
        device["set"] = dict(arguments.set)
    if arguments.variant:
        device["variant"] = arguments.variant
    tree = {
        "version": 1,
        "gateway": {"id": "linli", "site": "none"},
        "buses": {"line": bus},
        "devices": [device],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "command-line.yaml"
        file.write_text(json.dumps(tree), encoding="utf-8")  # JSON is YAML
        site = _load(file)
    return site, site.devices[DEVICE]


def _load(file: Path) -> Site:
    result = load_site(file)
    if result.site is None:
        language = "zh" if is_chinese() else "en"
        raise SiteRefused("\n".join(one.in_language(language).text() for one in result.problems))
    return result.site


def _run(
    site: Site, device: Device, act: Callable[[BusLine], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    return asyncio.run(_on_line(site, device, act))


async def _on_line(
    site: Site, device: Device, act: Callable[[BusLine], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    line = site.lines[device.line]
    around = Around(SystemClock(), _Nowhere(), ZoneInfo(site.gateway.timezone))
    stop = asyncio.Event()
    try:
        async with ListenerHub() as listeners:
            # Opened here, so that a port that is not there is said at once.
            link = await open_link(line.link, listeners)
            bus = BusLine(line, [device], link, around)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(bus.run(stop), name="line")
                try:
                    return await act(bus)
                finally:
                    stop.set()
    except* LinkDown as down:
        raise Refused(str(down.exceptions[0])) from None
    except* TimeoutError:
        raise Refused(f"{device.address_text} did not answer within {WITHIN_S:g} s") from None
    except* Refused as refused:
        raise refused.exceptions[0] from None


async def _read(
    site: Site, device: Device, line: BusLine, points: tuple[PointId, ...]
) -> list[dict[str, Any]]:
    for point in points:
        if point_of(device, point) is None:
            raise Refused(f"{device.profile} has no point {point}")
    simulated = [device.id] if site.lines[device.line].is_simulated else []
    normaliser = Normaliser({device.id: device}, simulated)
    found: list[dict[str, Any]] = []
    for samples in await line.submit(ReadNow(device.id, points, WITHIN_S)):
        readings = normaliser.to_readings(samples)
        if readings is not None:
            found.extend(reading_json(reading) for reading in singles(readings))
    return found


def complain_of(refused: Refused) -> int:
    """Say why, and return the exit status."""
    if isinstance(refused, SiteRefused):
        complain(str(refused))
        return Exit.CONFIGURATION
    complain(f"linli: {refused}")
    return Exit.FAILED
