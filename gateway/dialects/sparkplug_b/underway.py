"""What was made of each device and has not left. Events overtake values, and births before them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gateway.model.ids import DeviceId

MOST_TRIES = 3
"""Births of a device that do not leave: more will not either, they are too large for the broker."""


@dataclass(frozen=True, slots=True)
class Message:
    """One that waits."""

    device: DeviceId
    is_birth: bool


class Underway:
    """Of one connection."""

    def __init__(self) -> None:
        """Have made nothing."""
        self._waiting: dict[int, Message] = {}
        self._births: dict[DeviceId, int] = {}
        """The newest of each device."""
        self._tries: Counter[DeviceId] = Counter()
        self._outdated: set[DeviceId] = set()
        self.made = 0
        """Messages so far."""

    def begin(self) -> None:
        """Begin a connection: what was made for the one before is not sent."""
        self._waiting.clear()
        self._births.clear()
        self._tries.clear()
        self._outdated.clear()

    def make(self, device: DeviceId, *, is_birth: bool) -> int:
        """Note a message; return its number, by which it leaves."""
        self.made += 1
        self._waiting[self.made] = Message(device, is_birth)
        if is_birth:
            self._births[device] = self.made
            self._tries[device] += 1
        return self.made

    def leave(self, number: int) -> None:
        """Note that it leaves."""
        message = self._waiting.pop(number, None)
        if message is None or not message.is_birth:
            return
        del self._tries[message.device]
        if number < self._births[message.device]:
            self._outdated.add(message.device)

    def take_back(self, made: int) -> None:
        """Forget what was made since there were so many: it is not sent."""
        for number in [number for number in self._waiting if number > made]:
            message = self._waiting.pop(number)
            if message.is_birth:
                older = [n for n, one in self._waiting.items() if one == message and n <= made]
                self._births[message.device] = max(older, default=0)
                self._tries[message.device] -= 1

    def is_waiting(self, device: DeviceId) -> bool:
        """Return whether anything of a device waits."""
        return any(one.device == device for one in self._waiting.values())

    def is_unborn(self, device: DeviceId, made: int) -> bool:
        """Return whether the newest birth of a device waits, and was not made since `made`.

        Then the host does not know that it is alive, and what is made now may be heard before.
        """
        number = self._births.get(device, 0)
        return number <= made and number in self._waiting and self._tries[device] <= MOST_TRIES

    def outdated(self) -> set[DeviceId]:
        """Return devices of which an older birth left behind a newer one; once."""
        found, self._outdated = self._outdated, set()
        return found
