"""An alarm point beside the dense load, and how long its changes take to the subscriber."""

from __future__ import annotations

import time

from tests.faults.dense_load import PROFILE_TEXT
from tests.faults.power_house import House

WET = "wet"
PROFILE_WITH_ALARM = (
    PROFILE_TEXT
    + "  wet: {table: discrete, register: 1, group: state, value: bool, priority: alarm,"
    " events: [{type: wet, severity: 1, when: {equals: true}}]}\n"
)
LOOK_S = 0.005
GIVEN_UP_S = 60.0


class AlarmPlayer:
    """Raises and clears one alarm, and waits for each step; the book of alarms of a row."""

    def __init__(self, at: House, unit: int = 1) -> None:
        """Take the house and the device."""
        self._at, self._unit = at, unit
        self._is_on = False
        self._looked_at = 0
        self.waits_s: list[float] = []

    def play(self, count: int, *, every_s: float = 0.0) -> None:
        """Change it so many times, each time when the last change came."""
        for _ in range(count):
            self.change()
            self.await_it()
            time.sleep(max(0.0, every_s - self.waits_s[-1]))  # the pace of the fault

    def change(self) -> None:
        """Let it go on or off in the field."""
        self._is_on = not self._is_on
        self._changed = time.monotonic()
        self._at.slave.put_bit(self._unit, 1, is_on=self._is_on)

    def await_it(self) -> None:
        """Return when the subscriber has the last change. Raises AssertionError."""
        state = "raised" if self._is_on else "cleared"
        while time.monotonic() - self._changed < GIVEN_UP_S:
            messages = self._at.platform.messages
            while self._looked_at < len(messages):
                message = messages[self._looked_at]
                self._looked_at += 1
                if message.kind != "event" or message.device != f"em-{self._unit}":
                    continue
                if (message.body["type"], message.body["st"]) == (WET, state):
                    self.waits_s.append(time.monotonic() - self._changed)
                    return
            time.sleep(LOOK_S)
        raise AssertionError(f"alarm never {state} within {GIVEN_UP_S:g} s")

    def percentile_s(self, share: float) -> float:
        """Return what so many of the waits were at most."""
        ordered = sorted(self.waits_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
