"""Commands that wait for their turn: in order, one at a time for each device and each `rid`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.model.command import Command
from gateway.model.ids import DeviceId, SinkName

MOST_OF_SINK = 50
"""Commands of one platform that may wait: one that floods takes no room from the others."""

Claim: TypeAlias = "tuple[Literal['device'], DeviceId] | tuple[Literal['rid'], str]"


@dataclass(frozen=True, slots=True)
class Begun:
    """A command that is being carried out, and what nobody else may have meanwhile."""

    command: Command
    claims: frozenset[Claim]


class Waiting:
    """A queue that passes over what must wait for another command to end."""

    def __init__(self, device_of: Callable[[Command], DeviceId]) -> None:
        """Take what says whose turn a command needs: devices that are not there share one."""
        self._device_of = device_of
        self._queue: deque[Command] = deque()
        self._of_sink: Counter[SinkName] = Counter()
        self._claimed: set[Claim] = set()
        self.under_way = 0

    def put(self, command: Command) -> bool:
        """Take a command; False when too many of its sink wait already."""
        if self._of_sink[command.sink] >= MOST_OF_SINK:
            return False
        self._of_sink[command.sink] += 1
        self._queue.append(command)
        return True

    def begin(self) -> Begun | None:
        """Return the first command that nothing stands in the way of, None when there is none."""
        for index, command in enumerate(self._queue):
            claims = self._claims(command)
            if self._claimed.isdisjoint(claims):
                del self._queue[index]
                self._of_sink[command.sink] -= 1
                self._claimed |= claims
                self.under_way += 1
                return Begun(command, claims)
        return None

    def left(self) -> tuple[Command, ...]:
        """Return all that still wait; they wait no more."""
        left = tuple(self._queue)
        self._queue.clear()
        self._of_sink.clear()
        return left

    def ended(self, begun: Begun) -> None:
        """Let others have what this command needed."""
        self._claimed -= begun.claims
        self.under_way -= 1

    def _claims(self, command: Command) -> frozenset[Claim]:
        rid = f"{command.sink}/{command.rid}"
        return frozenset((("device", self._device_of(command)), ("rid", rid)))
