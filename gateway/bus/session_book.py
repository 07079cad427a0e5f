"""What a line with sessions counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drivers.contract import SessionOutput
from gateway.bus.core import fault_of
from gateway.bus.stats import Counters, LineStats, UnitStats
from gateway.model.ids import DeviceId, LineName
from gateway.settings.site import Device

MOST_STRANGERS = 100
"""Names of unknown devices that are told, each once."""


class SessionBook:
    """Counts of one line; `unknown` are samples and devices that the site does not have."""

    def __init__(self, line: LineName, now: float) -> None:
        """Begin at loop time `now`."""
        self._line = line
        self._counters = Counters(now)
        self.unknown = 0
        self.faults = 0
        self._strangers: set[str] = set()

    def is_new_stranger(self, name: str) -> bool:
        """Count a message of an unknown device; whether it is to be told, the first time."""
        self.unknown += 1
        if name in self._strangers or len(self._strangers) >= MOST_STRANGERS:
            return False
        self._strangers.add(name)
        return True

    def took(self, output: SessionOutput) -> None:
        """Count what a session gave."""
        self._counters.requests += bool(output.send)
        self._counters.replies += bool(output.alive or output.samples)
        self._counters.readings += len(output.samples)
        if output.fault is not None:
            self.faults += 1
            self._counters.tell(fault_of(output.fault))

    def stats(
        self,
        now: float,
        devices: Iterable[Device],
        is_online: Mapping[DeviceId, bool],
        *,
        is_up: bool,
    ) -> LineStats:
        """Return the counts at loop time `now`; a session has no round trips to measure."""
        counters = self._counters
        return LineStats(
            line=self._line,
            is_up=is_up,
            uptime_s=now - counters.started,
            requests=counters.requests,
            replies=counters.replies,
            readings=counters.readings,
            errors=tuple(sorted(counters.errors.items())),
            useful_s=0.0,
            busy_s=0.0,
            load_percent=0.0,
            round_trip_s=0.0,
            round_trip_max_s=0.0,
            missed=0,
            bytes_skipped=0,
            units=tuple(_unit(device, is_online=is_online[device.id]) for device in devices),
        )


def _unit(device: Device, *, is_online: bool) -> UnitStats:
    return UnitStats(
        unit=str(device.unit),
        devices=(device.id,),
        is_online=is_online,
        requests=0,
        replies=0,
        errors=0,
        response_s=0.0,
        timeout_s=0.0,
        missed=0,
    )
