"""Which devices the host takes for alive: births and deaths, and what makes them due.

A device that went offline is dead for the host, and dead devices say nothing. History or an event
of one that is offline brings it to life for a while: it is born, told of, and dies again. Events
overtake values, deaths are among them: so one waits for values that were made and have not left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.dialects.contract import Birth, Encoded, Now
from gateway.dialects.sparkplug_b.metrics import Board
from gateway.dialects.sparkplug_b.voice import Voice
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.record import Committed, StateBody

REVIVED_MS = 5000
"""How long a device that is offline stays alive for the host after the last that was told of it."""
LONGEST_WAIT_MS = 120_000
"""A death waits no longer for values: they may have been too large, and never leave."""
REBIRTH_MS = 1000
"""All births again at most this often, however many hosts ask."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the host was told of before a batch."""

    alive: frozenset[DeviceId]
    offline: frozenset[DeviceId]
    revived: Mapping[DeviceId, int]
    states: Mapping[DeviceId, Committed]
    made: int
    events: int
    born_ms: int
    is_asked: bool


class Presence:
    """Of one node and connection. Nothing is said before `birth`."""

    def __init__(self, board: Board, voice: Voice) -> None:
        """Take the metrics, and what makes messages."""
        self._board = board
        self._voice = voice
        self._alive: set[DeviceId] = set()
        self._offline: set[DeviceId] = set()
        self._revived: dict[DeviceId, int] = {}
        self._states: dict[DeviceId, Committed] = {}
        self._born_ms = 0
        self._is_asked = False
        self._batch_from = 0
        """Messages that were made before the batch that is encoded now."""
        self.is_born = False

    def begin(self) -> None:
        """Begin a connection: nobody is born."""
        self.is_born = False
        self._alive.clear()
        self._revived.clear()
        self._is_asked = False

    def birth(self, now: Now) -> tuple[Publication, ...]:
        """Return NBIRTH and DBIRTH of every device that is not offline."""
        self.begin()
        self.is_born, self._born_ms = True, now.ms
        late = {device for device in self._offline if self._voice.underway.is_waiting(device)}
        self._revived = dict.fromkeys(late, now.ms + REVIVED_MS)
        self._alive = set(self._board.devices) - (self._offline - late)
        return (
            self._voice.node_birth(self._board, now),
            *(
                self._voice.device_birth(self._board, device, now)
                for device in self._board.devices
                if device in self._alive
            ),
        )

    def begin_batch(self) -> Memory:
        """Return what the host was told of until now, for `unsay`."""
        self._batch_from = self._voice.underway.made
        return Memory(
            frozenset(self._alive),
            frozenset(self._offline),
            dict(self._revived),
            dict(self._states),
            self._batch_from,
            self._board.events,
            self._born_ms,
            self._is_asked,
        )

    def unsay(self, memory: Memory) -> None:
        """Forget all that was made since: it is not sent."""
        self._alive, self._offline = set(memory.alive), set(memory.offline)
        self._revived, self._states = dict(memory.revived), dict(memory.states)
        self._voice.underway.take_back(memory.made)
        self._board.forget_events(memory.events)
        self._born_ms, self._is_asked = memory.born_ms, memory.is_asked

    def rebirth(self, now: Now) -> tuple[Publication, ...]:
        """Return all births, or nothing when they were said a moment ago: then `tick` says them."""
        self._is_asked = True
        return self.tick(now) if self.is_born else ()

    def reload(
        self, births: Sequence[Birth], now: Now, *, is_renamed: bool = False
    ) -> tuple[Publication, ...]:
        """Take the births of a changed site; return DBIRTH of what is new, DDEATH of what went.

        All births where a device has another name now.
        """
        were_alive = frozenset(self._alive)
        changed, gone = self._board.use(births)
        self._offline -= gone
        for device in gone:
            self._states.pop(device, None)
            self._revived.pop(device, None)
        self._alive -= gone
        if not self.is_born:
            return ()
        if is_renamed:
            return self.birth(now)
        fresh = [birth.device for birth in births if birth.device in changed - self._offline]
        self._alive |= set(fresh)
        return (
            *(self._voice.device_death(device, now) for device in sorted(gone & were_alive)),
            *(self._voice.device_birth(self._board, device, now) for device in fresh),
        )

    def open(self, device: DeviceId, now: Now) -> tuple[Publication, ...]:
        """Return what must be said before anything of this device: nothing while it is alive.

        A birth of an older batch that has not left may be overtaken, so this one gets its own.
        """
        if device == GATEWAY_ITSELF:
            return ()
        if device in self._offline:
            self._revived[device] = now.ms + REVIVED_MS
        if device in self._alive and not self._is_unborn(device):
            return ()
        return self.renew(device, now)

    def renew(self, owner: DeviceId, now: Now) -> tuple[Publication, ...]:
        """Return the birth of a device that has got a metric; the node's brings all births."""
        if owner == GATEWAY_ITSELF:
            return self.birth(now)
        self._alive.add(owner)
        if owner in self._offline:
            self._revived[owner] = now.ms + REVIVED_MS
        return (self._voice.device_birth(self._board, owner, now),)

    def is_dead(self, device: DeviceId) -> bool:
        """Whether it is offline, and the host knows."""
        is_born = device in self._alive and not self._is_unborn(device)
        return device in self._offline and not is_born

    def _is_unborn(self, device: DeviceId) -> bool:
        return self._voice.underway.is_unborn(device, self._batch_from)

    def state(self, committed: Committed, body: StateBody, now: Now) -> Encoded:
        """Return DBIRTH or DDEATH; nothing when the host knows, or a newer state was said."""
        device, covers = committed.record.device, (committed.seq,)
        if self._board.of(device) is None or not self._is_newest(committed):
            return Encoded((), covers)
        is_alive = device in self._alive
        self._revived.pop(device, None)
        if body.is_online:
            self._offline.discard(device)
            if is_alive and not self._is_unborn(device):
                return Encoded((), covers)
            self._alive.add(device)
            return Encoded((self._voice.device_birth(self._board, device, now, covers),))
        self._offline.add(device)
        if is_alive and not self._voice.underway.is_waiting(device):
            self._alive.discard(device)
            return Encoded((self._voice.device_death(device, now, covers),))
        if is_alive:
            self._revived[device] = now.ms + REVIVED_MS
        return Encoded((), covers)

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return births that were asked for, and deaths of devices that were alive for a while."""
        if self._is_asked and abs(now.ms - self._born_ms) >= REBIRTH_MS:
            return self.birth(now)
        outdated = self._voice.underway.outdated() & self._alive
        due = [one for one, until in self._revived.items() if self._is_due(one, until, now)]
        for device in due:
            del self._revived[device]
            self._alive.discard(device)
        return (
            *(self._voice.device_birth(self._board, one, now) for one in sorted(outdated - {*due})),
            *(self._voice.device_death(device, now) for device in due),
        )

    def _is_due(self, device: DeviceId, until_ms: int, now: Now) -> bool:
        wait_ms = LONGEST_WAIT_MS if self._voice.underway.is_waiting(device) else 0
        return now.ms >= until_ms + wait_ms

    def _is_newest(self, committed: Committed) -> bool:
        known = self._states.get(committed.record.device)
        if known is not None and known.ep == committed.ep and known.seq > committed.seq:
            return False
        self._states[committed.record.device] = committed
        return True
