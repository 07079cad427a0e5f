"""One dead meter of five, up to the published payloads: ten minutes in virtual time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.model.ids import DeviceId, LineName
from gateway.settings.site import Device, SerialPort
from tests.bus.modbus_line import Meter, device, point, serial_line, wire
from tests.e2e.kit_virtual import Bus, Published, VirtualGateway
from tests.support.virtual_time import in_virtual_time

SECONDS = 600.0
COMPARED_S = 100.0
"""So long the second line is held, to the millisecond, against one beside no dead meter."""
PERIOD_S = 1.0
TIMEOUT_S = 0.3
"""The longest that a unit of this line is waited for; a live one needs 20 ms."""
DEAD = 3
CHAR_S = SerialPort("/dev/none", 9600).char_s
REGISTERS = 20


@dataclass(slots=True)
class Seen:
    """What was published, by device."""

    good_ms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    bad: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    states: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])

    def take(self, message: Published) -> None:
        """Note one message."""
        body = message.body
        if message.kind == "state":
            self.states.append((body["dev"], body["online"]))
        if message.kind not in ("prop", "hist"):
            return
        for record in body.get("items", [body]):
            entries = record["pts"]
            if all(entry.get("q", 192) == 192 for entry in entries):
                assert len(entries) == REGISTERS
                self.good_ms[body["dev"]].append(record["ts"])
            else:
                self.bad[body["dev"]] += entries


def meters_on(line: str, dead: Sequence[int] = ()) -> tuple[Bus, list[Meter]]:
    """Return five meters on a line at 9600 8N1 that answer after 20 ms."""
    meters = [Meter(unit, 0.02, is_alive=unit not in dead) for unit in range(1, 6)]
    points = [point(register) for register in range(REGISTERS)]
    link = SerialPort("/dev/none", 9600)
    devices: list[Device] = [
        device(unit, points, id=DeviceId(f"{line}-{unit}"), line=LineName(line))
        for unit in range(1, 6)
    ]
    return Bus(
        serial_line(name=LineName(line), link=link), devices, wire(*meters, char_s=CHAR_S)
    ), meters


@in_virtual_time
async def watch(
    folder: Path, dead: Sequence[int], seconds: float
) -> tuple[Seen, dict[str, list[Meter]]]:
    """Run two lines for a while, with dead meters on the first."""
    seen = Seen()
    first, on_first = meters_on("first", dead)
    second, on_second = meters_on("second")
    gateway = VirtualGateway(folder, [first, second], seen.take)
    clock_starts: list[float] = []

    def is_over() -> bool:
        now = gateway.clock.monotonic()
        clock_starts[:] = clock_starts or [now]
        return now - clock_starts[0] >= seconds

    await gateway.run(is_over)
    return seen, {"first": on_first, "second": on_second}


@pytest.mark.slow
def test_one_dead_meter_costs_the_others_nothing_up_to_the_platform(tmp_path: Path) -> None:
    seen, meters = watch(tmp_path / "dead", [DEAD], SECONDS)
    untroubled, _ = watch(tmp_path / "alive", [], COMPARED_S)

    for meter in meters["first"]:
        name = f"first-{meter.unit}"
        if meter.unit == DEAD:
            continue
        published = seen.good_ms[name]
        assert len(published) >= SECONDS / PERIOD_S
        assert len(meter.polls) == len(published), "every poll of a live one is published"
        gaps_s = [(after - before) / 1000 for before, after in pairwise(published)]
        assert max(gaps_s) <= PERIOD_S + TIMEOUT_S
        for minute in range(int(SECONDS // 60)):
            begin = published[0] + minute * 60_000
            assert sum(begin <= ts < begin + 60_000 for ts in published) in (59, 60, 61)
        assert not seen.bad[name]

    dead = f"first-{DEAD}"
    assert not seen.good_ms[dead]
    assert {entry["qr"] for entry in seen.bad[dead]} == {"timeout"}
    assert not [entry for entry in seen.bad[dead] if entry.get("v") is not None]
    assert [is_online for name, is_online in seen.states if name == dead] == [False]

    for unit in range(1, 6):
        name = f"second-{unit}"
        expected = untroubled.good_ms[name]
        assert len(expected) >= COMPARED_S / PERIOD_S
        assert seen.good_ms[name][: len(expected) - 1] == expected[:-1], "it notices nothing"
        assert len(seen.good_ms[name]) >= SECONDS / PERIOD_S
        assert not seen.bad[name]
