"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from gateway.dialects.asked import Wrong, read_object
from gateway.dialects.by_name import Directory
from gateway.dialects.contract import (
    OLD_STATES,
    Birth,
    DialectSetup,
    DialectSpec,
    Encoded,
    Now,
    Received,
    RefusedRecords,
    Sent,
    not_obeyed,
)
from gateway.dialects.json_text import json_bytes
from gateway.dialects.options import made
from gateway.dialects.thingsboard.down import Asked
from gateway.dialects.thingsboard.options import (
    ThingsBoardDeviceOptions,
    ThingsBoardOptions,
    entry_of,
)
from gateway.dialects.thingsboard.pack import Packer
from gateway.dialects.thingsboard.up import (
    OWN_ATTRIBUTES,
    OWN_REQUEST,
    OWN_RESPONSE,
    OWN_TELEMETRY,
    RPC,
    TELEMETRY,
    Told,
    Writer,
)
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, Lane, PropBody, ReplyBody, StateBody

LIMITS_ID = "1"
"""Number of the one question that we ask: getSessionLimits (MqttTransportHandler.java)."""
HEADER_BYTES = 128
"""Of what the server counts beside the payload: the topic, and MQTT 5 properties."""
LEAST_BYTES = 1000
LONGEST_GREETING_MS = 30_000
"""Records wait no longer for devices to be connected."""


class ThingsBoard:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are on the platform."""
        options = made(ThingsBoardOptions, setup.sink.options)
        self._setup = setup
        self._options = options
        self._limit = options.max_message
        self._directory = Directory(ThingsBoardDeviceOptions, setup.sink.devices, entry_of)
        self._writer = Writer(options, self._directory)
        self._asked = Asked(self._directory, round(options.command_ttl * 1000))
        self._births: dict[DeviceId, Birth] = {}
        self._offline: set[DeviceId] = set()
        self._unmet: set[DeviceId] = set()
        """Devices of which this connection has not told the platform yet."""
        self._greeting_ms = 0
        self._told = {False: Told(), True: Told()}
        """By whether it is backfill: old values tell nothing of the newest quality."""

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:  # noqa: ARG002 - the contract's
        """Return the login, whose user name is the token; the platform sees that we are gone.

        Raises:
            SettingsError: the token is not there.
        """
        token = self._options.token
        return ConnectSpec(
            self._setup.sink.client_id or str(self._setup.gateway.id),
            None,
            tuple(Subscription(topic) for topic in (RPC, f"{OWN_REQUEST}+", f"{OWN_RESPONSE}+")),
            None if token is None else self._setup.secret(token),
        )

    def connected(
        self,
        births: Sequence[Birth],
        gone: Sequence[DeviceId],
        now: Now,
    ) -> tuple[Publication, ...]:
        """Return who we are, the question for limits, every device, and their attributes."""
        for told in self._told.values():
            told.forget()
        before = set(self._births)
        self._use(births)
        left = {*gone, *before} - set(self._births)
        self._unmet, self._greeting_ms = set(self._alone(self._births)), now.ms
        return (
            self._about_us(),
            Publication(f"{OWN_REQUEST}{LIMITS_ID}", _LIMITS, Lane.EVENT),
            *self._come(births),
            *(self._writer.gone(device) for device in self._alone(sorted(left))),
        )

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return devices that came or changed, and that others went."""
        before = self._births
        self._use(births)
        return (
            *self._come([birth for birth in births if before.get(birth.device) != birth]),
            *(
                self._writer.gone(device)
                for device in self._alone(before)
                if device not in self._births
            ),
        )

    def is_ready(self, now: Now) -> bool:
        """Return whether all devices were told of: the platform makes what it does not know.

        Events overtake what waits for room, and would be the first that it hears of a device.
        """
        return not self._unmet or not 0 <= now.ms - self._greeting_ms < LONGEST_GREETING_MS

    def tick(self, now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return nothing: nothing is due by time."""
        return ()

    def echo(self, now: Now) -> Publication:  # noqa: ARG002 - the contract's
        """Return who we are; never asked for, as the spec names no topic."""
        return self._about_us()

    def goodbye(self, now: Now) -> tuple[Publication, ...]:  # noqa: ARG002 - the contract's
        """Return nothing: with the gateway the platform closes the sessions of all devices."""
        return ()

    def _use(self, births: Sequence[Birth]) -> None:
        self._directory.use(births)
        self._births = {birth.device: birth for birth in births}

    def _about_us(self) -> Publication:
        told = {"software": self._setup.software, "site": str(self._setup.gateway.site)}
        return Publication(OWN_ATTRIBUTES, json_bytes(told), Lane.EVENT)

    def _come(self, births: Sequence[Birth]) -> tuple[Publication, ...]:
        """Return all devices, and then what they are and which of them do not answer."""
        said = [self._connect(device) for device in self._alone(birth.device for birth in births)]
        for birth in births:
            if self._directory.why_not_alone(birth.device) is not None:
                continue
            if self._options.attributes:
                said.extend(self._writer.birth(birth, self._limit))
            if birth.device in self._offline:
                said.extend(self._writer.offline(birth.device, {}))
        return tuple(said)

    def _alone(self, devices: Iterable[DeviceId]) -> Iterator[DeviceId]:
        """Yield those whose name on the platform is their own."""
        return (one for one in devices if self._directory.why_not_alone(one) is None)

    def _connect(self, device: DeviceId) -> Publication:
        return replace(self._writer.connect(device), tail=partial(self._met, device))

    def _met(self, device: DeviceId) -> bytes:
        """Note that a device is told of just now; its message needs no other end."""
        self._unmet.discard(device)
        return b""

    # --- records

    def encode(
        self,
        batch: Sequence[Committed],
        now: Now,  # noqa: ARG002 - every row carries the time of its values, old or new
        *,
        is_backfill: bool,
    ) -> Encoded:
        """Return the messages of every record; values of many devices share them."""
        values = Packer(TELEMETRY, self._limit)
        own = Packer(OWN_TELEMETRY, self._limit, is_gateway=True)
        published: list[Publication] = []
        withheld: list[int] = []
        refused: list[RefusedRecords] = []
        for committed in batch:
            record = committed.record
            why = self._directory.why_not_alone(record.device)
            if why is not None and not isinstance(record.body, ReplyBody):
                refused.append(RefusedRecords(record.lane, (committed.seq,), why))
                continue
            if isinstance(record.body, PropBody):
                rows = self._writer.rows(committed, record.body, self._told[is_backfill])
                if rows:
                    packer = own if record.device == GATEWAY_ITSELF else values
                    packer.add(self._writer.name(record.device) or "", rows, committed.seq)
                else:
                    withheld.append(committed.seq)
                continue
            if isinstance(record.body, StateBody):
                self._note(record.device, record.body)
            messages = self._writer.write(committed)
            published.extend(messages)
            if not messages:
                withheld.append(committed.seq)
        messages = (*values.messages(), *own.messages(), *published)
        return Encoded(messages, tuple(withheld), tuple(refused))

    def _note(self, device: DeviceId, body: StateBody) -> None:
        """Remember the state of a device for the next connection."""
        if body.is_online:
            self._offline.discard(device)
        else:
            self._offline.add(device)

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return requests; the answer to our question lowers the longest message."""
        if arrival.is_retained:
            return not_obeyed(arrival, "retained: it may be from any time")
        if arrival.topic == RPC:
            return self._asked.of_device(arrival, now.ms)
        if arrival.topic.startswith(OWN_REQUEST):
            return self._of_gateway(arrival, now)
        if arrival.topic.startswith(OWN_RESPONSE):
            return self._answered(arrival)
        return not_obeyed(arrival, "not a topic of ours")

    def _of_gateway(self, arrival: Arrival, now: Now) -> Received:
        if arrival.payload == _LIMITS:
            return Received()  # ours, as above
        return self._asked.of_gateway(arrival, now.ms)

    def _answered(self, arrival: Arrival) -> Received:
        """Take `maxPayloadSize`: GatewaySessionLimits.java. Older platforms do not answer."""
        if arrival.topic != f"{OWN_RESPONSE}{LIMITS_ID}":
            return Received()  # ours, returned by a broker that is not the platform's
        try:
            told = read_object(arrival.payload).get("maxPayloadSize")
        except Wrong as error:
            return not_obeyed(arrival, str(error))
        if type(told) is int and told > 0:
            room = max(LEAST_BYTES, told - HEADER_BYTES)
            self._limit = min(self._options.max_message, room)
        return Received()


_LIMITS = b'{"method":"getSessionLimits","params":{}}'


LOSSES = (
    "The platform confirms a report by PUBACK only (no `ack: app`), and by no word of its own.",
    "Identity (ep, seq), pv and time quality of values are nowhere; what comes twice is kept once.",
    "Values that are not good are not sent: the key `NAME__q` says why, when it changes.",
    "A text that reads as a number becomes one there, unless its type cast is off.",
    "Floats are rounded to 16 decimals; the platform would keep longer ones as texts.",
    "Events are telemetry and attributes; alarms are made of them by rules of the device profile.",
    "A device that sends anything counts as connected there; the attribute `online` is the truth.",
    "Snapshots are telemetry like all others; a gap is telemetry of the gateway.",
    "A device that left the site is disconnected and stays on the platform.",
    "Shared attributes are no commands here, and are not read.",
    "Its limits by time are not kept: it ends the connection then, and what waits is sent again.",
    (
        "Its requests have no lasting ids: the same number with the same payload within ten "
        "minutes is one request, also over a restart of this gateway; beyond that it is done again."
    ),
    "Audit entries stay here unless `audit: true`.",
    OLD_STATES,
)
SENT = (
    Sent("a device came, or is behind this gateway", "v1/gateway/connect"),
    Sent("a device went", "v1/gateway/disconnect"),
    Sent(
        "values, live and old; events",
        "v1/gateway/telemetry",
        "rows of `ts` and `values`; `NAME__q` is quality, `event_TYPE` a step of an event",
    ),
    Sent(
        "kind, vendor, model, place, units; `online`; whether an event stands",
        "v1/gateway/attributes",
        "client attributes; `alarm_TYPE_POINT` for alarm rules",
    ),
    Sent("reply to an RPC of a device", "v1/gateway/rpc"),
    Sent("values and events of the gateway itself, gaps, audit entries", "v1/devices/me/telemetry"),
    Sent("software and site; standing events of the gateway", "v1/devices/me/attributes"),
    Sent("reply to an RPC of the gateway itself", "v1/devices/me/rpc/response/{id}"),
    Sent("question for the limits of the session", "v1/devices/me/rpc/request/{id}"),
)
DIALECT = DialectSpec(
    ThingsBoard,
    options=ThingsBoardOptions,
    device_options=ThingsBoardDeviceOptions,
    losses=LOSSES,
    sent=SENT,
)
