"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.dialects.asked import Wrong, read_object
from gateway.dialects.by_name import Directory
from gateway.dialects.contract import (
    OLD_STATES,
    Birth,
    CannotConnect,
    DialectSetup,
    DialectSpec,
    Encoded,
    Now,
    Received,
    RefusedRecords,
    Sent,
    not_obeyed,
)
from gateway.dialects.jetlinks.down import REQUESTS, Asked
from gateway.dialects.jetlinks.options import (
    JetLinksDeviceOptions,
    JetLinksOptions,
    Login,
    entry_of,
    signed_login,
)
from gateway.dialects.jetlinks.up import Topics, Writer, register_message, state_message
from gateway.dialects.options import made
from gateway.dialects.told_time import SLOW, platform_time
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, Lane, ReplyBody, StateBody

SYNC_EVERY_MS = 3_600_000
TIME_SYNC = "time-sync"


class JetLinks:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are on the platform."""
        options = made(JetLinksOptions, setup.sink.options)
        self._setup = setup
        self._options = options
        self._topics = Topics(options.product_id, options.device_id)
        self._directory = Directory(JetLinksDeviceOptions, setup.sink.devices, entry_of)
        self._writer = Writer(options, self._topics, self._directory)
        self._asked = Asked(self._directory, round(options.command_ttl * 1000))
        self._offline: set[DeviceId] = set()
        self._asked_time_ms: int | None = None
        self._next_sync_ms = 0

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return the login of this moment; the platform sees by itself that we are gone.

        Raises:
            CannotConnect: the login is signed with the time, and the time of day is not known. The
                platform takes five minutes of difference, and tells a wrong clock from a wrong key
                by a text that MQTT does not carry.
        """
        topics = (
            *REQUESTS,
            *(f"child/+/{request}" for request in REQUESTS),
            f"{TIME_SYNC}/reply",
        )
        login = self._login(now)
        return ConnectSpec(
            self._options.device_id,
            None,
            tuple(Subscription(f"{self._topics.base}/{topic}") for topic in topics),
            login.username,
            login.password,
        )

    def _login(self, now: Now) -> Login:
        options = self._options
        if options.auth == "md5" and now.tq is TimeQuality.UNSYNC:
            raise CannotConnect("waits for a synchronised clock: the login is signed with the time")
        key = self._setup.secret(options.secure_key)
        if options.auth == "plain":
            return Login(options.secure_id, key)
        return signed_login(options.secure_id, key, now.ms)

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return bindings where they are wanted, and every child online or offline.

        The platform takes all children for online when the gateway is
        (jetlinks-protocol-support.md), also those that do not answer.
        """
        self._directory.use(births)
        self._next_sync_ms = now.ms
        return (*self._come(self._directory.devices, now), *self._go(gone, now))

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return the same for devices that came, and that others went offline."""
        before = self._directory.devices
        self._directory.use(births)
        after = self._directory.devices
        return (
            *self._come((device for device in after if device not in before), now),
            *self._go((device for device in before if device not in after), now),
        )

    def is_ready(self, now: Now) -> bool:  # noqa: ARG002 - the contract's
        """Return True: no child has to log in."""
        return True

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return a question for the time when it is due."""
        if not self._options.sync_time or now.ms < self._next_sync_ms:
            return ()
        self._next_sync_ms = now.ms + SYNC_EVERY_MS
        self._asked_time_ms = now.ms
        return (self._question(now),)

    def echo(self, now: Now) -> Publication:
        """Return a question for the time; never asked for, as the spec names no topic."""
        return self._question(now)

    def goodbye(self, now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return nothing: with the gateway all children go offline on the platform."""
        return ()

    def _question(self, now: Now) -> Publication:
        payload = f'{{"messageId":"{now.ms}"}}'
        return Publication(self._topics.of(None, TIME_SYNC), payload.encode(), Lane.EVENT)

    def _come(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        said: list[Publication] = []
        for device in devices:
            if self._directory.why_not_alone(device) is not None:
                continue
            child = self._directory.entry(device).id
            if self._options.register:
                said.append(register_message(self._topics, child, now.ms))
            is_online = device not in self._offline
            said.append(state_message(self._topics, child, now.ms, is_online=is_online))
        return tuple(said)

    def _go(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        return tuple(
            state_message(self._topics, self._directory.entry(device).id, now.ms, is_online=False)
            for device in devices
            if self._directory.why_not_alone(device) is None
        )

    # --- records

    def encode(
        self,
        batch: Sequence[Committed],
        now: Now,  # noqa: ARG002 - a message carries the time of its values, old or new
        *,
        is_backfill: bool,  # noqa: ARG002 - history is a report with an older time
    ) -> Encoded:
        """Return the messages of every record, in order."""
        published: list[Publication] = []
        withheld: list[int] = []
        refused: dict[tuple[Lane, str], list[int]] = {}
        for committed in batch:
            body = committed.record.body
            why = self._directory.why_not_alone(committed.record.device)
            if why is not None and not isinstance(body, ReplyBody):
                refused.setdefault((committed.record.lane, why), []).append(committed.seq)
                continue
            if isinstance(body, StateBody):
                self._note(committed.record.device, body)
            messages = self._writer.write(committed)
            published.extend(messages)
            if not messages:
                withheld.append(committed.seq)
        return Encoded(
            tuple(published),
            tuple(withheld),
            tuple(RefusedRecords(lane, tuple(seqs), why) for (lane, why), seqs in refused.items()),
        )

    def _note(self, device: DeviceId, body: StateBody) -> None:
        """Remember the state of a device for the next connection."""
        if body.is_online:
            self._offline.discard(device)
        else:
            self._offline.add(device)

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return requests, and the platform's time.

        Its server may put the product of the child in front, so that part is not looked at.
        """
        path = self._path(arrival.topic)
        if path is None:
            return not_obeyed(arrival, "not a topic of ours")
        if arrival.is_retained:
            return not_obeyed(arrival, "retained: it may be from any time")
        if path == f"{TIME_SYNC}/reply":
            return self._time(arrival, now)
        return self._asked.read(arrival, path, now.ms)

    def _path(self, topic: str) -> str | None:
        """Return what follows the gateway's id in a topic."""
        first, _, rest = topic.partition("/")
        _product, _, rest = rest.partition("/")
        device, _, path = rest.partition("/")
        return path if not first and device == self._options.device_id else None

    def _time(self, arrival: Arrival, now: Now) -> Received:
        """Return the platform's time: what it said, and half of the way there and back.

        FunctionalTopicHandlers.java: the answer carries the question's id and one time.
        """
        try:
            fields = read_object(arrival.payload)
        except Wrong as error:
            return not_obeyed(arrival, str(error))
        told, asked_ms = fields.get("timestamp"), self._asked_time_ms
        if asked_ms is None or str(fields.get("messageId")) != str(asked_ms):
            return not_obeyed(arrival, "no answer to the last question")
        if type(told) is not int:
            return not_obeyed(arrival, "`timestamp` must be an integer")
        self._asked_time_ms = None
        told_ms = platform_time(asked_ms, told, told, now.ms)
        return not_obeyed(arrival, SLOW) if told_ms is None else Received(platform_ms=told_ms)


LOSSES = (
    "The platform confirms no record: what its broker acknowledged is done (no `ack: app`).",
    "Identity is kept as `messageId` (ep-seq); pv nowhere.",
    "One message carries one child: records of many devices are as many messages.",
    "Values that are not good are no properties: they are told as `bad_values` says.",
    "Units are not sent: the thing model on the platform has them.",
    "Births (vendor, model, place) are not sent.",
    "Why and since when a device is offline: it is online or offline.",
    "A request writes one property; one that writes several is refused whole.",
    "A property that is written brings no token: what is dangerous needs a function.",
    "Events, also `gap` and `quality`, show where the thing model has them.",
    "Audit entries stay here unless `audit: true`.",
    "Snapshots are reports like all others; values of different times are several messages.",
    OLD_STATES,
)
SENT = (
    Sent(
        "values, live and old",
        "/{product}/{gateway}/child/{device}/properties/report",
        "one device and one time in a message",
    ),
    Sent("a device came", "/{product}/{gateway}/child/{device}/online"),
    Sent("a device went", "/{product}/{gateway}/child/{device}/offline"),
    Sent(
        "binding of a device",
        "/{product}/{gateway}/child/{device}/register",
        "with `register: true`",
    ),
    Sent("event, values that are not good", "/{product}/{gateway}/child/{device}/event/{type}"),
    Sent("event of the gateway, gap", "/{product}/{gateway}/event/{type}"),
    Sent("values of the gateway itself", "/{product}/{gateway}/properties/report"),
    Sent("audit entry", "/{product}/{gateway}/log", "with `audit: true`"),
    Sent("reply of a device", "/{product}/{gateway}/child-reply/{device}/{what}/{how}/reply"),
    Sent("reply of the gateway", "/{product}/{gateway}/{what}/{how}/reply"),
    Sent("question for the time", "/{product}/{gateway}/time-sync"),
)
DIALECT = DialectSpec(
    JetLinks,
    options=JetLinksOptions,
    device_options=JetLinksDeviceOptions,
    losses=LOSSES,
    sent=SENT,
)
