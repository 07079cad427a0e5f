"""The allow-list of commands in the site file: read, checked, and warned about."""

from __future__ import annotations

import pytest
from estate import SITE, Estate

from gateway.model.ids import DeviceId, PointId
from gateway.settings.site_commands import Allow, Interlock

HERE = SITE + (
    "  - {id: gate-1, profile: test/panel, bus: t, address: 1, set: {device: 1}}\n"
    "  - {id: gate-2, profile: test/panel, bus: t, address: 2, set: {device: 1}, disabled: later}\n"
    "commands:\n  allow:\n"
)


def told(estate: Estate, *lines: str) -> list[str]:
    """Return codes about the allow-list, with the column that they point at."""
    text = HERE + "".join(f"    - {line}\n" for line in lines)
    found = estate.load(text).problems
    return [f"{p.column} {p.code}" for p in found if p.path.startswith("commands")]


def test_all_limits_of_a_line_are_read(estate: Estate) -> None:
    line = (
        "{device: gate-1, points: [gate_cmd], ops: [set, call], sinks: ['*'], by: [desk], "
        "values: [open], every: 30s, max_per_hour: 6, max_valid: 1m, "
        "unless: {point: gate-1/zone_1, equals: true}, "
        "only_if: [{point: d-1/u_a, above: 180, max_age: 2m}, {point: d-1/u_a, below: 250}], "
        "dangerous: true, arm: token}"
    )
    site = estate.load(HERE + f"    - {line}\n  max_per_minute: 7\n").site
    assert site is not None
    meter, volts = DeviceId("d-1"), PointId("u_a")
    assert site.commands.max_per_minute == 7
    assert site.commands.allow == (
        Allow(
            "gate-1",
            ("gate_cmd",),
            ("set", "call"),
            by=("desk",),
            values=("open",),
            every_s=30.0,
            max_per_hour=6,
            max_valid_s=60.0,
            unless=(Interlock(DeviceId("gate-1"), PointId("zone_1"), equals=True),),
            only_if=(
                Interlock(meter, volts, above=180.0, max_age_s=120.0),
                Interlock(meter, volts, below=250.0),
            ),
            is_dangerous=True,
            arm="token",
        ),
    )


def test_ranges_and_steps_are_read(estate: Estate) -> None:
    line = "    - {device: d-1, points: [u_a], ops: [set], range: [10, null], step: 0.5}\n"
    site = estate.load(HERE + line).site
    assert site is not None
    (allow,) = site.commands.allow
    assert (allow.minimum, allow.maximum, allow.step) == (10.0, None, 0.5)


GATE = "device: gate-1, points: [gate_cmd], ops: [set], dangerous: true"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"{{{GATE}}}", []),
        ("{device: gate-1, points: [gate_cmd], ops: [set]}", ["7 LG-CMD-05"]),
        ("{device: 'gate-*', points: ['*'], ops: [read]}", []),
        ("{device: d-1, points: [u_a], ops: [read], every: 5s}", ["7 LG-CMD-01"]),
        ("{device: gate-1, points: [gate_cmd], ops: [set], arm: none}", ["7 LG-CMD-02"]),
        (f"{{{GATE}, arm: none}}", []),
        (f"{{{GATE}, unless: {{point: gate-9/zone_1, equals: true}}}}", ["LG-CMD-03"]),
        (f"{{{GATE}, unless: {{point: gate-1/zone_9, equals: true}}}}", ["LG-CMD-03"]),
        (f"{{{GATE}, unless: {{point: zone_1, equals: true}}}}", ["LG-CMD-03"]),
        (f"{{{GATE}, unless: {{point: gate-2/zone_1, equals: true}}}}", []),
        (f"{{{GATE}, unless: {{point: gate-1/zone_1, equals: 1}}}}", ["LG-CMD-04"]),
        (f"{{{GATE}, unless: {{point: gate-1/zone_1, above: 0}}}}", ["LG-CMD-04"]),
        (f"{{{GATE}, unless: {{point: gate-1/status, equals: gone}}}}", ["LG-CMD-04"]),
        (f"{{{GATE}, only_if: [{{point: gate-1/status, equals: free}}]}}", []),
        (f"{{{GATE}, values: [open, stop]}}", ["LG-CMD-06"]),
        (f"{{{GATE}, range: [0, 5]}}", ["LG-CMD-07"]),
        ("{device: gate-1, points: [gate_cmdd], ops: [read]}", ["LG-CMD-08"]),
        ("{device: gate-1, points: ['*', 'gat?'], ops: [read]}", ["LG-CMD-08"]),
        ("{device: gate-1, points: [status], ops: [set]}", ["LG-CMD-08"]),
        ("{device: gate-1, points: [status], ops: [set, event_ack]}", []),
        ("{device: gate-2, points: [nothing], ops: [read]}", []),
        (f"{{{GATE}, unless: {{point: gate-1/zone_1}}}}", ["LG-VAL-11"]),
        (f"{{{GATE}, arm: maybe}}", ["LG-YAML-"]),
    ],
)
def test_what_of_a_line_cannot_work_is_told_at_the_desk(
    estate: Estate, line: str, found: list[str]
) -> None:
    problems = told(estate, line)
    if found == ["LG-YAML-"]:
        assert len(problems) == 1
        return
    assert len(problems) == len(found), problems
    assert all(told.endswith(code) for told, code in zip(problems, found, strict=True)), problems


def test_what_a_kind_calls_a_command_is_one(estate: Estate) -> None:
    kind = (estate.folder / "kinds" / "test.meter.yaml").read_text(encoding="utf-8")
    kind = kind.replace(
        "  zone_{n}:", "  gate_cmd: {title: G, type: enum, values: [open, close]}\n  zone_{n}:", 1
    )
    estate.write("kinds/test.meter.yaml", kind + 'commands: [gate_cmd, "zone_{n}"]\n')
    site = estate.load(HERE + "    []\n").site
    assert site is not None
    points = site.devices[DeviceId("gate-1")].points
    # A zone is one of the kind's commands too, and this profile only reads it.
    assert [point.id for point in points if point.is_command] == ["gate_cmd"]
