"""`linli explain`: one point from profile to frame bytes, value and topic, and who decided it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.bus.cost import driver_of, line_cost, session_driver_of
from gateway.bus.plan import plan_reads
from gateway.cli.address import address_keys
from gateway.cli.derived_facts import derived_facts
from gateway.cli.output import Exit, complain, is_chinese, say, say_json, say_table
from gateway.model.ids import DeviceId, PointId
from gateway.privacy.report import why_not_sent
from gateway.rules.report import point_of
from gateway.settings.load import load_site
from gateway.settings.origins import setting_origins
from gateway.settings.site import (
    At,
    Device,
    Line,
    Point,
    Site,
)
from gateway.settings.site_sinks import Sink
from gateway.settings.where import Where

HELP = "show one point from its setting to the bytes on the line and the topic"
EXAMPLE = "linli explain /etc/linli/gateway.yaml em-01/u_a"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add file and point."""
    parser.add_argument("file", type=Path, help="the site file")
    parser.add_argument("point", metavar="DEVICE/POINT", help="such as em-01/u_a")
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Explain it; 78 when the file has errors."""
    result = load_site(arguments.file)
    if result.site is None:
        for problem in result.problems:
            complain(problem.in_language("zh" if is_chinese() else "en").text())
        return Exit.CONFIGURATION
    device_id, _, point_id = arguments.point.partition("/")
    device = result.site.all_devices.get(DeviceId(device_id))
    point = None if device is None else point_of(device, PointId(point_id))
    if device is None or point is None:
        complain(f"linli explain: there is no {arguments.point} in {arguments.file}")
        return Exit.USAGE
    facts = dict(_facts(result.site, device, point))
    is_derived = device.id in result.site.derived
    origins: Mapping[str, Where] = {}
    if not is_derived:
        origins = setting_origins(arguments.file, device_id, point)
    places = {key: f"{where.file}:{where.line}" for key, where in origins.items()}
    if arguments.json:
        say_json({**facts, "settings": places})
        return Exit.DONE
    width = max(map(len, facts))
    for name, fact in facts.items():
        say(f"{name:<{width}}  {fact}")
    if places:
        say("decided by")
        say_table(("setting", "place"), places.items())
    return Exit.DONE


def _facts(site: Site, device: Device, point: Point) -> Iterator[tuple[str, str]]:
    if device.id in site.derived:
        yield from derived_facts(device, point)
    else:
        yield from _read_facts(site, device, point)
    yield "dead-band", _deadband(point)
    for event in point.events:
        yield "event", f"{event.type}, severity {event.severity}"
    yield "write", "no" if point.write is None else "yes, if the allow-list says so"
    yield "privacy", _privacy(device, point) + _kept(point)
    for sink in site.sinks.values():
        yield "topic", _topic(site, device, point, sink)


def _kept(point: Point) -> str:
    if point.keep == "none":
        return ", not kept: it only serves derived points"
    return ", only its events are kept" if point.keep == "event_only" else ""


def _read_facts(site: Site, device: Device, point: Point) -> Iterator[tuple[str, str]]:
    line = site.lines[device.line]
    address = address_keys(point.address)
    yield "device", f"{device.id} ({device.profile}, {device.kind}) {_at(device.where)}"
    yield "line", f"{line.name}: {line.protocol}, address {device.address_text} {_at(line.where)}"
    yield "point", f"{point.id} {_at(point.where)}"
    yield "address", " ".join(f"{key}={value}" for key, value in address.items())
    yield from _exchange(line, device, point)
    yield "value", _value(point)
    mark = "at the mark, every" if isinstance(point.poll, At) else "every"
    yield "poll", f"{mark} {point.poll.seconds:g} s, group {point.group}, {point.priority}"


def _exchange(line: Line, device: Device, point: Point) -> Iterator[tuple[str, str]]:
    if session_driver_of(device.protocol) is not None:
        yield "exchange", "none: the device speaks by itself"
        return
    reads = plan_reads([device], driver_of, lambda name: line_cost(line, driver_of(name).wire))
    for read in reads:
        if any(point.id in part.points for part in read.parts):
            yield "exchange", read.job.describe()
            yield "request", next(read.job.steps()).request.hex(" ").upper()


def _value(point: Point) -> str:
    text = f"{point.type}, raw * {point.scale} + {point.offset}"
    if point.scale_from is not None:
        text += f", scaled by {point.scale_from.point} ({point.scale_from.kind})"
    if point.enum:
        text += f", {dict(point.enum)}"
    if point.invalid:
        text += f", no value when raw is {list(point.invalid)}"
    if point.minimum is not None or point.maximum is not None:
        text += f", plausible {point.minimum} to {point.maximum}"
    return f"{text}, in {point.unit}" if point.unit else text


def _deadband(point: Point) -> str:
    band = point.deadband
    parts = [
        f"{band.absolute:g} {point.unit or ''}".strip() if band.absolute is not None else "",
        f"{band.percent:g} %" if band.percent is not None else "",
        f"heartbeat {band.heartbeat_s:g} s" if band.heartbeat_s is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "none: every reading is sent"


def _privacy(device: Device, point: Point) -> str:
    kept = "" if point.retain_days is None else f", kept {point.retain_days} d"
    owner = "" if device.owner is None else f", of {device.owner}"
    basis = "" if point.basis is None else f", basis {point.basis}"
    return f"{point.personal}, level {point.level}{owner}{basis}{kept}"


def _topic(site: Site, device: Device, point: Point, sink: Sink) -> str:
    why_not = why_not_sent(sink, device, point)
    if why_not == "level":
        return f"not sent to {sink.name}: level {point.level} is above its {sink.max_level}"
    if why_not is not None:
        return f"not sent to {sink.name}: {why_not} (linli privacy report says more)"
    return f"{sink.root}/1/{site.gateway.site}/{site.gateway.id}/up/prop/{device.id}"


def _at(where: Where) -> str:
    return f"[{where.file}:{where.line}]"
