"""The devices behind one port: finds who is asked, lets it answer, and lets faults happen.

Devices with the same unit address are one module on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.model.clock import Clock
from simulators.device import SimDevice, SimModule
from simulators.faults import Faults
from simulators.frames import Asked, Framing

BROADCAST = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply on its way: the bytes, and when they begin after the request's last bit."""

    after_s: float
    frame: bytes


class Units:
    """All devices of one bus by unit address."""

    is_strict = True

    def __init__(
        self, framing: Framing, devices: Iterable[SimDevice], clock: Clock, faults: Faults
    ) -> None:
        self.framing = framing
        self.faults = faults
        self.turnaround_s = 0.02
        self.answered = 0
        self._devices = _by_unit(devices)
        self._turnarounds: dict[int, float] = {}
        self._clock = clock

    def set_turnaround(self, seconds: float, unit: int | None = None) -> None:
        """Set the time from a request's last bit to the reply's first; of one unit or of all."""
        if unit is None:
            self.turnaround_s = seconds
        else:
            self._turnarounds[unit] = seconds

    def respond(self, asked: Asked) -> Outgoing | None:
        """Return what goes on the wire; None for silence (no such unit, broadcast, a fault)."""
        if asked.unit == BROADCAST and self.framing.is_broadcasting:
            for device in self._devices.values():
                device.answer(asked.pdu, self._clock.now_ms())
            return None
        device = self._devices.get(asked.unit)
        if device is None:
            return None
        pdu = device.answer(asked.pdu, self._clock.now_ms())
        self.answered += 1
        after_s = self._turnarounds.get(asked.unit, self.turnaround_s)
        fault = self.faults.pick(*device.ids)
        if fault is None:
            return Outgoing(after_s, self.framing.wrap(asked, asked.unit, pdu))
        spoilt = self.faults.spoil(fault, self.framing, asked, pdu)
        return None if spoilt.frame is None else Outgoing(after_s + spoilt.extra_s, spoilt.frame)


def _by_unit(devices: Iterable[SimDevice]) -> dict[int, SimDevice | SimModule]:
    groups: dict[int, list[SimDevice]] = {}
    for device in devices:
        groups.setdefault(device.traits.unit, []).append(device)
    return {
        unit: group[0] if len(group) == 1 else SimModule(group) for unit, group in groups.items()
    }
