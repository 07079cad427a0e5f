"""The sites of the simulation: lines in memory, devices of two protocols, one platform or two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.load import load_site
from gateway.settings.site import Site

PROFILES = Path(__file__).parent / "profiles"


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a site is."""

    modbus: int = 6
    dlt: int = 2
    per_line: int = 4
    sinks: int = 1
    poll_s: int = 10
    alarm_s: int = 2
    quota_mib: int = 64
    has_alarms: bool = True
    chunk: int = 8
    """Characters that come up from a line at once."""


def make_site(plan: Plan, folder: Path) -> Site:
    """Return the loaded site; its file is written into the folder."""
    file = folder / "gateway.yaml"
    file.write_text("\n".join(_text(plan)), encoding="utf-8")
    loaded = load_site(file, profile_dirs=[PROFILES])
    assert loaded.site is not None, [problem.text() for problem in loaded.problems]
    return loaded.site


def _text(plan: Plan) -> Iterator[str]:
    yield "version: 1"
    yield "gateway: {id: gw-v, site: virtual, clock: trusted}"
    yield f"store: {{quota: {plan.quota_mib}MB}}"
    yield "sinks:"
    for number in range(plan.sinks):
        yield f"  p{number}: {{url: 'mqtt://broker-{number}:1883', max_level: L4, mqtt: '5'}}"
    yield "buses:"
    lines = sorted({*_line_of("rtu", plan.modbus, plan), *_line_of("dlt", plan.dlt, plan)})
    for line in lines:
        protocol = "modbus-rtu" if line.startswith("rtu") else "dlt645-2007"
        yield f"  {line}: {{memory: {line}, protocol: {protocol}}}"
    yield "devices:"
    for number, line in enumerate(_line_of("rtu", plan.modbus, plan), start=1):
        profile = "sim/counters" if plan.has_alarms else "sim/numbers"
        poll = f"{{numbers: {plan.poll_s}s"
        poll += f", state: {plan.alarm_s}s}}" if plan.has_alarms else "}"
        unit = (number - 1) % plan.per_line + 1
        yield (
            f"  - {{id: m{number:03}, profile: {profile}, bus: {line},"
            f" address: '{unit}', poll: {poll}}}"
        )
    for number, line in enumerate(_line_of("dlt", plan.dlt, plan), start=1):
        yield (
            f"  - {{id: d{number:03}, profile: sim/dlt, bus: {line},"
            f" address: '{number:012}', poll: {{numbers: {plan.poll_s}s}}}}"
        )


def _line_of(name: str, count: int, plan: Plan) -> list[str]:
    return [f"{name}{number // plan.per_line}" for number in range(count)]
