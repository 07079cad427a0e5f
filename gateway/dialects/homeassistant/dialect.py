"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.dialects.asked import Wrong, read_object
from gateway.dialects.by_name import Directory, covering_last
from gateway.dialects.contract import (
    OLD_STATES,
    Birth,
    BirthPoint,
    DialectSetup,
    DialectSpec,
    Encoded,
    Now,
    Received,
    Sent,
    not_obeyed,
)
from gateway.dialects.homeassistant.down import Commands
from gateway.dialects.homeassistant.entities import FAILED, Entities, Entity, cleared, kept_state
from gateway.dialects.homeassistant.options import (
    HomeAssistantDeviceOptions,
    HomeAssistantOptions,
    entry_of,
)
from gateway.dialects.json_text import text, value_text
from gateway.dialects.options import made
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription, Will
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Value
from gateway.model.record import (
    Committed,
    EventBody,
    Lane,
    PropBody,
    ReplyBody,
    StateBody,
)

ONLINE, OFFLINE = b"online", b"offline"
MAX_CONFIG_BYTES = 64 * 1024
MAX_EARLY = 10_000
MAX_STATE = 255
"""Characters of a state there; more would be refused."""
_QUIET = frozenset({"accepted", "done"})
"""Replies that the state itself shows."""


class HomeAssistant:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are."""
        options = made(HomeAssistantOptions, setup.sink.options)
        self._setup = setup
        self._directory = Directory(HomeAssistantDeviceOptions, setup.sink.devices, entry_of)
        self._make = Entities(setup, options, self._directory)
        self._topics = self._make.topics
        self._commands = Commands(round(options.command_ttl * 1000))
        self._entities: dict[str, Entity] = {}
        self._shown: set[str] = set()
        """Topics of the states of all entities."""
        self._points: dict[tuple[DeviceId, PointId], BirthPoint] = {}
        self._offline: set[DeviceId] = set()
        self._early: dict[str, Arrival] | None = {}
        """Announcements that the broker kept, until it is known which are still true."""

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:  # noqa: ARG002 - the contract's
        """Return how to connect; the will says that we are gone."""
        announced = Subscription(self._topics.config("+", "+"), wants_retained=True)
        return ConnectSpec(
            self._setup.sink.client_id or f"linli-{self._setup.gateway.id}",
            Will(self._topics.status(), OFFLINE),
            (Subscription(self._topics.command("+", "+")), announced),
        )

    def connected(
        self,
        births: Sequence[Birth],
        gone: Sequence[DeviceId],
        now: Now,  # noqa: ARG002 - the contract's
    ) -> tuple[Publication, ...]:
        """Return every entity, which devices answer, and that we are there, in this order."""
        before = self._entities
        self._use(births)
        early, self._early = self._early or {}, None
        return (
            *self._clear(before),
            *(said for one in early.values() for said in self._stale(one)),
            *cleared(*(self._topics.availability(device) for device in gone)),
            *(entity.announce() for entity in self._entities.values()),
            *(self._available(device) for device in self._directory.devices),
            self._status(ONLINE),
        )

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return entities that came or changed, and what clears those that went."""
        before, devices = self._entities, self._directory.devices
        self._use(births)
        after = self._directory.devices
        return (
            *self._clear(before),
            *cleared(*(self._topics.availability(one) for one in devices if one not in after)),
            *(one.announce() for topic, one in self._entities.items() if before.get(topic) != one),
            *(self._available(one) for one in after if one not in devices),
        )

    def is_ready(self, now: Now) -> bool:  # noqa: ARG002 - the contract's
        """Return True: nobody answers, so there is nothing to wait for."""
        return True

    def tick(self, now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return nothing: nothing is due by time."""
        return ()

    def echo(self, now: Now) -> Publication:  # noqa: ARG002 - the contract's
        """Return that we are there; never asked for, as the spec names no topic."""
        return self._status(ONLINE)

    def goodbye(self, now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return that we are gone: all entities become unavailable."""
        return (self._status(OFFLINE),)

    def _use(self, births: Sequence[Birth]) -> None:
        self._directory.use(births)
        self._entities = self._make.of(births)
        self._shown = {entity.state_topic for entity in self._entities.values()}
        self._points = {(b.device, point.id): point for b in births for point in b.points}

    def _clear(self, before: Mapping[str, Entity]) -> tuple[Publication, ...]:
        """Return what clears entities that are no more, and states that no other one shows."""
        return tuple(
            said
            for topic, entity in before.items()
            if topic not in self._entities
            for said in cleared(topic, *self._no_more(entity.state_topic))
        )

    def _no_more(self, state_topic: str) -> tuple[str, ...]:
        """Return the topic of a state of ours that no entity shows any more.

        A point that can be set now is another entity, and shows the same state.
        """
        is_ours = state_topic.startswith(self._topics.own(""))
        return kept_state(state_topic) if is_ours and state_topic not in self._shown else ()

    def _available(self, device: DeviceId) -> Publication:
        payload = OFFLINE if device in self._offline else ONLINE
        topic = self._topics.availability(device)
        return Publication(topic, payload, Lane.EVENT, is_retained=True)

    def _status(self, payload: bytes) -> Publication:
        return Publication(self._topics.status(), payload, Lane.EVENT, is_retained=True)

    # --- records

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:  # noqa: ARG002 - the contract's
        """Return the messages of every record, in order; old values are withheld."""
        published: list[Publication] = []
        withheld: list[int] = []
        for committed in batch:
            body = committed.record.body
            is_old = is_backfill and isinstance(body, PropBody)
            messages = () if is_old else self._write(committed)
            published.extend(covering_last(messages, committed.seq))
            if not messages:
                withheld.append(committed.seq)
        return Encoded(tuple(published), tuple(withheld))

    def _write(self, committed: Committed) -> Sequence[Publication]:
        device = committed.record.device
        match committed.record.body:
            case PropBody() as body:
                return self._values(device, body)
            case StateBody() as body if device != GATEWAY_ITSELF:
                (self._offline.discard if body.is_online else self._offline.add)(device)
                return (self._available(device),)
            case EventBody() as body:
                return (self._event(committed, _step(body)),)
            case ReplyBody() as body if body.status not in _QUIET:
                return (self._event(committed, _failure(body)),)
            case _:
                return ()  # done, gaps, audit entries: no entity would show them

    def _values(self, device: DeviceId, body: PropBody) -> list[Publication]:
        """Return the state of every point that is announced."""
        found: list[Publication] = []
        for index, point in enumerate(body.column.points):
            if (device, point) not in self._points:
                continue
            mark = GOOD if body.marks is None else body.marks[index]
            payload = _state(body.values[index], mark).encode()
            topic = self._topics.state(device, point)
            found.append(Publication(topic, payload, Lane.TELEMETRY, is_retained=True))
        return found

    def _event(self, committed: Committed, told: Mapping[str, Any]) -> Publication:
        record = committed.record
        plain = {key: value for key, value in told.items() if value is not None}
        payload = json.dumps(
            {**plain, "ts": record.ts_ms}, ensure_ascii=False, allow_nan=False
        ).encode()
        return Publication(self._topics.event(record.device), payload, Lane.EVENT)

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return commands; an announcement of ours that is true no more is cleared."""
        topic = arrival.topic
        if topic.startswith(f"{self._topics.prefix}/") and topic.endswith("/config"):
            return self._announced(arrival)
        if arrival.is_retained:
            return not_obeyed(arrival, "retained: it may be from any time")
        device, _, name = topic.removeprefix(self._topics.own("")).partition("/")
        if topic != self._topics.command(device, name.removesuffix("/set")):
            return not_obeyed(arrival, "not a topic of ours")
        point = self._points.get((DeviceId(device), PointId(name.removesuffix("/set"))))
        if point is None or not point.is_writable:
            return not_obeyed(arrival, "no point that can be set")
        return self._commands.read(arrival, DeviceId(device), point, now.ms)

    def _announced(self, arrival: Arrival) -> Received:
        """Take what the broker has kept; what we say ourselves comes back, and is no news."""
        if not arrival.is_retained or not arrival.payload:
            return Received()
        if self._early is None:
            return Received(publications=self._stale(arrival))
        if len(self._early) < MAX_EARLY:
            self._early[arrival.topic] = arrival
        return Received()

    def _stale(self, arrival: Arrival) -> tuple[Publication, ...]:
        """Return what clears an announcement: of a device or point that is no more.

        Only with a unique id of ours: another program may use the same node.
        """
        if arrival.topic in self._entities:
            return ()
        try:
            told = read_object(arrival.payload, max_bytes=MAX_CONFIG_BYTES)
        except Wrong:
            return ()
        if not str(told.get("unique_id")).startswith(self._make.mark):
            return ()
        return cleared(arrival.topic, *self._no_more(str(told.get("state_topic"))))


def _state(value: Value | None, mark: Mark) -> str:
    """Return a state: null where it is not good, which is shown as unknown."""
    if value is None or mark.quality is not Quality.GOOD:
        value = None
    elif isinstance(value, bool):
        value = "ON" if value else "OFF"
    elif isinstance(value, str):
        value = value[:MAX_STATE]
    word = mark.reason or mark.quality.name.lower()
    return f'{{"value":{value_text(value)},"quality":{text(word)}}}'


def _step(body: EventBody) -> dict[str, Any]:
    return {
        "event_type": body.state,
        "type": body.type,
        "eid": body.eid,
        "severity": body.severity,
        "point": body.point,
        "value": body.value,
        "threshold": body.threshold,
        "duty": body.duty,
        "detail": body.detail,
    }


def _failure(body: ReplyBody) -> dict[str, Any]:
    _, _, rest = body.rid.partition("|")
    return {
        "event_type": FAILED,
        "point": body.point or rest.partition("|")[0] or None,
        "status": body.status,
        "code": body.code,
        "message": body.message,
    }


LOSSES = (
    "Nothing is confirmed by the platform: what the broker acknowledged is done (no `ack: app`).",
    "History is not taken: old values are withheld, and a state has no time of its own.",
    "Identity (ep, seq), pv and time quality are nowhere; a value sent twice is the same state.",
    "A value that is not good is `unknown`; the attribute `quality` says why.",
    "A standing event is no state: the event entity shows the last step, and one sent twice twice.",
    "An event that comes while it is down, or before it has made the entity, is not seen there.",
    "Gaps, audit entries and receipts of commands that succeeded are not sent.",
    "A command has no id: one that is delivered twice is done twice.",
    "A command has no sender, no expiry and no token: what is dangerous cannot be asked from here.",
    "Texts are cut at 255 characters; units without a class there have no class.",
    "Place, operator, duty, owner and position of a device are not sent.",
    OLD_STATES,
)
SENT = (
    Sent(
        "an entity, retained; empty: it is no more",
        "{prefix}/{component}/{gateway}/{object}/config",
        "one for each point, and one for the events of a device",
    ),
    Sent(
        "value of a point, retained",
        "{base}/{gateway}/{device}/{point}/state",
        "`value` and `quality`; null is unknown",
    ),
    Sent("whether a device answers, retained", "{base}/{gateway}/{device}/availability"),
    Sent("whether the gateway is there, retained; the will", "{base}/{gateway}/status"),
    Sent("step of an event, and a command that failed", "{base}/{gateway}/{device}/event"),
)
DIALECT = DialectSpec(
    HomeAssistant,
    options=HomeAssistantOptions,
    device_options=HomeAssistantDeviceOptions,
    losses=LOSSES,
    sent=SENT,
)
