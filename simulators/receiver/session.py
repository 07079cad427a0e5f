"""The receiver's MQTT session: shared subscription, acknowledgement by hand, an hour of memory.

One thread: the caller reads with `gather`, commits, then acknowledges. paho sends no PUBACK of its
own (`manual_ack`), so that a message stays the broker's until we have it on disk: MQTT 5.0, 4.6
and 3.1.2.11.2 (Session Expiry Interval).
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from simulators.mqtt5.broker import Broker

SESSION_S = 3600
"""How long the broker keeps what a copy that is away has not acknowledged."""
IN_FLIGHT = 1000
"""Messages that the broker may send ahead of our acknowledgements (Receive Maximum)."""
UNSENT = 10_000
"""Requests and confirmations that wait for a slow broker; more are dropped and made again."""
KEEPALIVE_S = 30
CLOSED_S = 5.0
"""A goodbye that a broker does not take in that time is given up."""
GRANTED_QOS_1 = 1
_FAILURE = 0x80
_SLOWEST_S = 5.0
_FIRST_S = 0.25


class Denied(Exception):
    """The broker refuses what we cannot do without; waiting would not help."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What one copy listens to."""

    client_id: str
    root: str
    share: str

    def filters(self) -> list[tuple[str, SubscribeOptions]]:
        """Return the share of the work, and what every copy must know by itself.

        A shared subscription gets no retained messages (MQTT 5.0, 4.8.2): births and the state of
        gateways are subscribed to beside it.
        """
        plain = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        return [
            (f"$share/{self.share}/{self.root}/1/+/+/up/#", SubscribeOptions(qos=1)),
            (f"{self.root}/1/+/+/up/birth/+", plain),
            (f"{self.root}/1/+/+/up/state/_", plain),
        ]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that waits for our acknowledgement."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int
    """The number of the connection on which it came: on another its `mid` means nothing."""


class Session:
    """One copy's connection; made again whenever it breaks."""

    def __init__(
        self,
        broker: Broker,
        subscribed: Subscribed,
        monotonic: Callable[[], float],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take where to connect and to what, a clock, and who is told what people must know."""
        self._broker = broker
        self._tell = tell
        self._is_mute = False
        self._is_told_down = self._is_closing = False
        self._subscribed = subscribed
        self._monotonic = monotonic
        self._arrived: list[Arrival] = []
        self._connection = 0
        self._is_up = False
        self._granted = 0
        self._denied: str | None = None
        self._try_at = 0.0
        self._wait_s = _FIRST_S
        self.connects = 0
        self._client = self._made()

    @property
    def is_subscribed(self) -> bool:
        """Whether the subscriptions of this connection stand."""
        return self._is_up and self._granted > 0

    def _made(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._subscribed.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        context = self._broker.tls_context()
        if context is not None:
            client.tls_set_context(context)  # pyright: ignore[reportUnknownMemberType] - paho
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.max_queued_messages_set(UNSENT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    # --- what the caller does

    def gather(self, most: int, wait_s: float) -> Sequence[Arrival]:
        """Return what has come, at most so much, at the latest after `wait_s`; connect if need be.

        Raises:
            Denied: the broker refuses us or a subscription.
        """
        if self._client.socket() is None and not self._connect(wait_s):
            return ()
        is_readable = self._wait(wait_s)
        while is_readable and len(self._arrived) < most:
            before = len(self._arrived)
            if self._client.loop_read() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
            is_readable = len(self._arrived) > before or self._wait(0.0)
        self._client.loop_misc()
        if self._denied is not None:
            raise Denied(self._denied)
        arrived, self._arrived = self._arrived, []
        return arrived

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        """Give messages back to the broker as done, as far as their connection still stands."""
        for arrival in arrivals:
            if arrival.connection == self._connection and arrival.qos:
                self._client.ack(arrival.mid, arrival.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message; while there is no connection it is dropped, the caller says it again."""
        if self._is_up:
            self._client.publish(topic, payload, qos=1)

    def close(self, *, is_leaving: bool) -> None:
        """Disconnect. The session stays for an hour, or ends at once when the copy leaves."""
        self._is_closing = True
        last = Properties(PacketTypes.DISCONNECT)
        if is_leaving:
            last.SessionExpiryInterval = 0
        self._client.disconnect(properties=last)
        until = self._monotonic() + CLOSED_S
        while self._client.socket() is not None and self._client.want_write():
            if self._monotonic() >= until:
                return
            self._wait(0.1)

    def unsubscribe(self) -> None:
        """Take no new work; what was given to us still comes."""
        self._client.unsubscribe([name for name, _ in self._subscribed.filters()])

    # --- the connection

    def _connect(self, wait_s: float) -> bool:
        """Try once when it is time; else let the wait pass."""
        now = self._monotonic()
        if now < self._try_at:
            select.select([], [], [], min(wait_s, self._try_at - now))
            return False
        self._try_at = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, _SLOWEST_S)
        try:
            self._client.connect(
                self._broker.host,
                self._broker.port,
                KEEPALIVE_S,
                clean_start=False,
                properties=_session_properties(),
            )
        except OSError as error:
            self._down(str(error))
            return False
        return True

    def _down(self, why: str) -> None:
        """Tell once that there is no connection."""
        if not self._is_told_down and not self._is_closing:
            self._is_told_down = True
            where = f"{self._broker.host}:{self._broker.port}"
            self._tell(f"no connection to {where}: {why}; it is tried again and again")

    def _wait(self, wait_s: float) -> bool:
        """Write what waits; return whether there is something to read."""
        socket = self._client.socket()
        if socket is None:
            return False
        pending: Any = getattr(socket, "pending", None)  # of TLS: decrypted and not read yet
        if pending is not None and pending():
            return True
        writers = [socket] if self._client.want_write() else []
        readable, writable, _ = select.select([socket], writers, [], wait_s)
        if writable:
            self._client.loop_write()
        return bool(readable) and self._client.socket() is not None

    # --- paho's callbacks, all in our thread

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, found: object
    ) -> None:
        if reason.is_failure:
            why = _refusal("the broker refuses us", reason)
            if _is_final(reason):
                self._denied = why
            else:
                self._down(why)
            return
        if getattr(found, "SharedSubscriptionAvailable", 1) == 0:
            self._denied = "the broker has no shared subscriptions"
            return
        kept_s = getattr(found, "SessionExpiryInterval", SESSION_S)
        if kept_s < SESSION_S:
            self._tell(f"the broker keeps our session for {kept_s} s only: what waits is then gone")
        if self._is_told_down:
            self._is_told_down = False
            self._tell("connected again" if self.connects else "connected")
        self._is_up = True
        self.connects += 1
        self._wait_s = _FIRST_S
        client.subscribe(self._subscribed.filters())

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: object
    ) -> None:
        for (name, _options), reason in zip(self._subscribed.filters(), reasons, strict=False):
            if reason.value != GRANTED_QOS_1 and self._denied is None:
                self._denied = _refusal(f"the broker does not give us QoS 1 of {name}", reason)
        self._granted += 1

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._arrived.append(
            Arrival(
                message.topic, bytes(message.payload), message.mid, message.qos, self._connection
            )
        )

    def _on_publish(
        self, _: Client, __: object, ___: int, reason: ReasonCode, ____: object
    ) -> None:
        """Tell once that gateways do not hear us: else gaps stay open and nobody knows why."""
        if reason.value >= _FAILURE and not self._is_mute:
            self._is_mute = True
            self._tell(_refusal("the broker refuses what we say on …/dn/ack/_", reason))

    def _on_disconnect(self, *_: object) -> None:
        """Forget what is not committed: the broker sends it again on the next connection."""
        if self._is_up:
            self._down("the connection ended")
        self._connection += 1
        self._is_up = False
        self._granted = 0
        self._arrived.clear()


def _session_properties() -> Properties:
    found = Properties(PacketTypes.CONNECT)
    found.SessionExpiryInterval = SESSION_S
    found.ReceiveMaximum = IN_FLIGHT
    return found


_FINAL = frozenset({0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Malformed, version, client id, password, not authorized, banned, method (MQTT 5.0, 3.2.2.2)."""


def _is_final(reason: ReasonCode) -> bool:
    return reason.value in _FINAL


def _refusal(what: str, reason: ReasonCode) -> str:
    return f"{what}: {reason.getName()} (0x{reason.value:02x})"
