"""A new device is one file: nested frames in YAML, four devices of the field, good messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.site.samples import check_samples
from gateway.settings.profiles import load_profile, resolve_points

FOUR = (
    "generic/parking-detector-485",
    "generic/m77r-receiver",
    "sunpn/parking-led",
    "uhppote/door-controller",
)
TANK = """version: 1
profile: example/tank
title: {en: Tank gauge, zh: 液位计}
kind: level.tank
driver: declared
verified: false
unverified: an example
sources: [this test]
defaults:
  frame:
    address: addr
    checksum: {kind: xor8, from: 1}
    requests: {read: "AA <addr:1> 03 <sum>"}
    replies: {read: "AA <addr:1> 83 <level:2> <temp:2sle> ??*2 <sum>"}
points:
  level: {request: read, field: level, scale: 0.001}
samples:
  - basis: computed
    source: computed from the map above
    request: "AA 05 03 06"
    reply: "AA 05 83 09 C4 FF 38 00 00 8C"
    values: {level: 2.5}
"""


@pytest.mark.parametrize("name", FOUR)
def test_a_device_of_the_field_is_data_only_and_all_its_points_are_proved(name: str) -> None:
    profile = load_profile(name).profile
    assert profile is not None
    assert profile.driver.name == "declared"
    verdict = check_samples(profile)
    assert not verdict.faults
    assert not verdict.unproved
    assert {str(point.id) for point in resolve_points(profile)} <= verdict.proved


def test_a_new_device_is_one_file(tmp_path: Path) -> None:
    file = tmp_path / "tank.yaml"
    file.write_text(TANK, encoding="utf-8")
    result = load_profile(file)
    assert result.profile is not None, [problem.text() for problem in result.problems]
    verdict = check_samples(result.profile)
    assert not verdict.faults
    assert verdict.proved == {"level"}


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("kind: xor8", "kind: xor9", "checksum.kind is 'xor9'"),
        ("field: level", "field: hight", "no field 'hight'"),
        ("<addr:1> 03", "<addr:1> 3", "'3' is no part of a frame"),
        ("8C", "8D", "checksum 8D is wrong, 8C would be right"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, old: str, new: str, part: str) -> None:
    file = tmp_path / "tank.yaml"
    file.write_text(TANK.replace(old, new), encoding="utf-8")
    result = load_profile(file)
    said = [problem.text() for problem in result.problems]
    if result.profile is not None:
        said += [fault.text() for fault in check_samples(result.profile).faults]
    assert any(part in text for text in said), said


def test_doors_are_dangerous_displays_are_not_and_cards_are_sensitive() -> None:
    door, board = (load_profile(name).profile for name in (FOUR[3], FOUR[2]))
    assert door is not None
    assert board is not None
    points = {str(point.id): point for point in resolve_points(door)}
    unlocks = [point for name, point in points.items() if name.startswith("unlock_")]
    assert len(unlocks) == 4
    assert all(point.write and point.write.is_dangerous for point in unlocks)
    assert not any(point.is_readable for point in unlocks)
    assert points["credential"].personal == "P3"
    (count,) = resolve_points(board)
    assert count.write is not None
    assert not count.write.is_dangerous
