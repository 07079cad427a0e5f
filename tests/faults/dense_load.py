"""Many values from few requests: meters whose sixty registers all follow from one counter.

A slave counts its reads, unit by unit; register `n` of a unit is `count + 997 n` in sixteen bits,
so that every single value says at which read it was served. The third book needs no more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from gateway.model.reading import Value
from simulators.clock import WallClock
from tests.e2e.kit_slave import Slave

POINTS = 60
STEP = 997
_WORD = 0x10000
PROFILE = "faults/dense"
PROFILE_TEXT = "\n".join(
    (
        "version: 1",
        f"profile: {PROFILE}",
        "vendor: test",
        "model: dense",
        "title: {en: Dense, zh: 密集}",
        "kind: meter.electricity",
        "driver: modbus",
        "verified: true",
        "sources: [made for the test]",
        "groups: {power: 50ms, state: 200ms}",
        "defaults: {group: power, pii: P0, level: L1}",
        "points:",
        *(f"  p{n}: {{register: {n}, type: u16, unit: V, value: int}}" for n in range(POINTS)),
        "  odd:",
        "    table: discrete",
        "    register: 0",
        "    group: state",
        "    value: bool",
        "    priority: alarm",
        "    events: [{type: odd, severity: 2, when: {equals: true}}]",
        "",
    )
)


class DenseSlave(Slave):
    """The meters, and the book of what they served."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = WallClock()
        self._counts: dict[int, int] = {}
        self._served: dict[str, tuple[list[int], list[int]]] = {}
        """Times and counts of the reads of each device, both going up."""
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self._counts[unit] = self._counts.get(unit, 0) + 1
        self.put(unit, 0, *((count + STEP * n) % _WORD for n in range(POINTS)))
        self.put_bit(unit, 0, is_on=count // 32 % 2 == 1)
        times, counts = self._served.setdefault(f"em-{unit}", ([], []))
        times.append(self._clock.now_ms())
        counts.append(count)

    def times_ms(self, unit: int) -> list[int]:
        """Return when each read of a unit was served."""
        return list(self._served[f"em-{unit}"][0])

    def reads(self, device: str) -> tuple[list[int], list[int]]:
        """Return when each read of a device was served, and its count."""
        with self._lock:
            times, counts = self._served[device]
            return [*times], [*counts]

    # --- the book of what was served (tests.faults.books.Served)

    def knows(self, device: str, point: str) -> bool:
        """Whether it is one of the dense points."""
        return device in self._served and point.startswith("p") and point[1:].isdecimal()

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether a read in the span served this number."""
        times, counts = self._served[device]
        count = (int(value) - STEP * int(point[1:])) % _WORD
        at = bisect_left(times, span[0])
        while at < len(times) and times[at] <= span[1]:
            if counts[at] % _WORD == count:
                return True
            at += 1
        return False


def site_text(broker: int, slave: int, *, units: int, settings: Mapping[str, str]) -> str:
    """Return a site with that many dense meters on one TCP line."""
    more = "\n".join(f"{name}: {text}" for name, text in settings.items())
    return f"""\
version: 1
gateway: {{id: gw-kill, site: e2e, clock: trusted}}
defaults: {{timeout: 2s, retries: 0}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave}", in_flight: 4}}
devices:
  - {{id: "em-{{n}}", each: {{n: 1..{units}}}, profile: {PROFILE}, bus: tcp, address: "{{n}}"}}
{more}
"""
