"""One MQTT connection over paho's public callbacks, on the event loop. Used once.

A fresh paho client serves every connection: one that is entered again resends by itself what we
have already taken back, and our outbox is the only truth about what was delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.model.publication import Arrival, Publication, Subscription
from gateway.uplink.attempt import Attempt, Target
from gateway.uplink.diagnosis import explain_code, explain_error
from gateway.uplink.errors import ClosedEarly, ConnectRefused, UplinkDown
from gateway.uplink.fates import SUCCESS
from gateway.uplink.filters import filters_of
from gateway.uplink.intake import Intake
from gateway.uplink.owner import CLOSED, Greeting, InFlight, Lost, SessionOwner
from gateway.uplink.pipe import Pipe
from gateway.uplink.properties import properties_of
from gateway.uplink.sieve import Sieve
from gateway.uplink.state import Pace
from gateway.uplink.subscribing import Subscribing
from gateway.uplink.written import Written

SILENCE_FACTOR = 1.4
"""No byte for this many keepalives: half-open. At 10 s the PINGREQ goes at 10 s, its answer has 4 s
(mobile links have such round trips), and the link is given up at 14 s."""
DISCONNECT_WITH_WILL = 0x04
_TICKS = 20
"""Looks at the clock in one keepalive."""


class Session:
    """A connection from its socket to its end."""

    def __init__(self, target: Target, owner: SessionOwner, pace: Pace) -> None:
        """Take where to go; nothing happens before `open`."""
        self._target = target
        self._owner = owner
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._client = self._make_client()
        self._intake = Intake(self._loop, self._read, owner.burst_ended)
        self._pipe: Pipe | None = None
        self._greeting: asyncio.Future[Greeting] = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._is_flush_due = False
        self._is_writer_set = False
        self._keepalive = float(target.sink.keepalive_s)
        self.in_flight: dict[int, InFlight] = {}
        """By packet id; those of QoS 0 by a key of `Written`."""
        self._written = Written()
        self._is_writing = False
        self.lost: Lost | None = None
        self._subscribing = Subscribing(self._client, is_v5=target.is_v5)

    # --- connect

    async def open(self) -> Greeting:
        """Connect and return what the broker said.

        Raises:
            UplinkDown: with why; ConnectRefused and ClosedEarly tell the broker's own no.
        """
        attempt = Attempt(self._client, self._target)
        deadline = self._loop.time() + self._pace.connect
        try:
            async with asyncio.timeout_at(deadline):
                pipe = await self._loop.run_in_executor(None, attempt.connect, self._pace.connect)
        except TimeoutError as error:
            attempt.is_abandoned = True
            sink = self._target.sink
            raise UplinkDown(
                f"{sink.host}:{sink.port}: no connection within {self._pace.connect:g} s"
            ) from error
        except OSError as error:
            sink = self._target.sink
            raise UplinkDown(
                explain_error(error, sink.host, sink.port, self._target.now_ms)
            ) from error
        except asyncio.CancelledError:
            attempt.is_abandoned = True
            raise
        self._pipe = pipe
        self._begin_reading(pipe)
        self._heard_at = self._loop.time()
        self._flush_soon()
        try:
            async with asyncio.timeout_at(deadline):
                greeting = await self._greeting
        except TimeoutError as error:
            raise ClosedEarly(
                f"{self._target.sink.host}: no CONNACK within {self._pace.connect:g} s"
            ) from error
        self._keepalive = float(greeting.keepalive_s)
        self.subscribe(filters_of(self._target))
        return greeting

    def _begin_reading(self, pipe: Pipe) -> None:
        if self._target.spec.needs_echo:
            pipe.hold_little()
        echo = self._target.spec.echo
        pipe.sieve = Sieve(self._loop.time, self._owner.sieved, echo.encode() if echo else None)
        self._intake.open(pipe.fileno())

    def _make_client(self) -> Client:
        spec, is_v5 = self._target.spec, self._target.is_v5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=spec.client_id,
            clean_session=None if is_v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._pace.connect
        client.max_inflight_messages_set(0)  # the window is ours; paho's walks all messages
        client.max_queued_messages_set(0)
        if spec.will is not None:
            will = spec.will
            client.will_set(will.topic, will.payload, will.qos, will.is_retained)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_register_write = self._on_register_write
        client.on_socket_close = self._on_socket_close
        return client

    # --- while it stands

    @property
    def refused_filters(self) -> tuple[str, ...]:
        """Filters that the broker refused."""
        return self._subscribing.refused

    def subscribe(self, filters: Sequence[Subscription]) -> None:
        """Ask for these topics beside those that were asked for."""
        self._subscribing.ask(filters)

    def send(self, publication: Publication, size: int) -> None:
        """Hand a message to paho; it leaves with the others of this turn of the loop.

        Raises:
            UplinkDown: the connection has just gone.
        """
        payload = publication.leaving()
        rc = MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        while rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # that packet id still waits for its answer
            info = self._client.publish(
                publication.topic,
                payload,
                publication.qos,
                publication.is_retained,
                properties_of(publication) if self._target.is_v5 else None,
            )
            rc = info.rc
            if rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                key = info.mid if publication.qos else self._written.sent()
                self.in_flight[key] = InFlight(publication, size, self._loop.time())
                return
        raise UplinkDown(f"paho: {rc.name}")

    async def watch(self, wake: asyncio.Event) -> None:
        """Keep the connection alive until it is lost or `wake` is set."""
        tick = self._keepalive / _TICKS
        while self.lost is None and not wake.is_set():
            self._client.loop_misc()
            self._check_silence()
            if self.lost is not None:
                return
            try:
                async with asyncio.timeout(tick):
                    await wake.wait()
            except TimeoutError:
                continue

    def _check_silence(self) -> None:
        now = self._loop.time()
        silence = now - self._heard_at
        if silence > SILENCE_FACTOR * self._keepalive:
            self._lose(Lost(f"half-open: nothing heard from the broker for {silence:.0f} s"))
        elif self.in_flight:
            oldest = next(iter(self.in_flight.values()))
            if now - oldest.sent_at > self._pace.acknowledge:
                self._lose(
                    Lost(
                        f"the broker left a message unacknowledged for {now - oldest.sent_at:.0f} s"
                    )
                )

    # --- end

    def say_goodbye(self) -> None:
        """Send DISCONNECT: the broker drops the will, unless it is to be said."""
        if self.lost is not None or self._pipe is None:
            return
        if not self._target.spec.leaves_will:
            self._client.disconnect()
        elif self._target.is_v5:
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=DISCONNECT_WITH_WILL)
            self._client.disconnect(reasoncode=reason)
        # On 3.1.1 only a connection that ends without a word leaves its will.

    def close(self) -> None:
        """Let go of the socket; the broker publishes the will unless goodbye was said."""
        if self._pipe is None or self._pipe.is_closed:
            return
        if self.lost is None:
            self._fill_pipe()  # with a DISCONNECT that still waits; paho may close here
        if not self._pipe.is_closed:
            self._unregister(self._pipe)
            self._pipe.close()

    def _lose(self, lost: Lost) -> None:
        if self.lost is not None:
            return
        self.lost = lost
        if not self._greeting.done():
            self._greeting.set_exception(ClosedEarly(lost.why))
        self._owner.session_lost()

    # --- socket

    def _read(self) -> bool:
        """Read a packet or more; return whether bytes wait that no poll sees."""
        pipe = self._pipe
        if pipe is None or self.lost is not None:
            return False
        self._heard_at = self._loop.time()
        return self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS and pipe.has_input()

    def _on_register_write(self, _client: Client, _userdata: object, _sock: object) -> None:
        # The first call comes from the thread that connects; `open` flushes after it.
        if self._pipe is not None:
            self._flush_soon()

    def _on_socket_close(self, _client: Client, _userdata: object, _sock: object) -> None:
        # Its number must leave the loop before the next socket gets the same one.
        if self._pipe is not None and not self._pipe.is_closed:
            self._unregister(self._pipe)

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        pipe = self._pipe
        if pipe is None or pipe.is_closed or self.lost is not None:
            return
        self._fill_pipe()
        if pipe.is_closed:
            return
        try:
            is_done = pipe.flush()
        except OSError as error:
            self._lose(Lost(self._explain(error)))
            return
        self._conclude_written(pipe)
        if is_done == self._is_writer_set:
            self._is_writer_set = not is_done
            if is_done:
                self._loop.remove_writer(pipe.fileno())
            else:
                self._loop.add_writer(pipe.fileno(), self._flush)

    def _fill_pipe(self) -> None:
        """Let paho write all it has into the pipe, which takes everything."""
        self._is_writing = True
        self._client.loop_write()
        self._is_writing = False

    def _conclude_written(self, pipe: Pipe) -> None:
        self._written.in_pipe(pipe.end)
        gone = [self.in_flight.pop(key) for key in self._written.gone(pipe.bytes_out)]
        for flight in gone:
            self._owner.acknowledged(flight, SUCCESS, "")
        if gone:
            self._owner.burst_ended()

    def _unregister(self, pipe: Pipe) -> None:
        self._intake.close()
        self._loop.remove_writer(pipe.fileno())

    def _explain(self, error: OSError) -> str:
        sink = self._target.sink
        return explain_error(error, sink.host, sink.port, self._target.now_ms)

    # --- paho's callbacks

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._greeting.done():
            return
        if reason.value != SUCCESS:
            why = explain_code(
                reason.value,
                reason.getName(),
                self._target.spec.client_id,
                getattr(properties, "ServerReference", None),
            )
            self._greeting.set_exception(ConnectRefused(why, reason.value))
            return
        keepalive = getattr(properties, "ServerKeepAlive", None)
        self._greeting.set_result(
            Greeting(
                getattr(properties, "ReceiveMaximum", 65_535),
                getattr(properties, "MaximumPacketSize", None),
                keepalive or self._target.sink.keepalive_s,
            )
        )

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        pipe = self._pipe
        if flags.is_disconnect_packet_from_server:
            why = explain_code(
                reason.value,
                reason.getName(),
                self._target.spec.client_id,
                getattr(properties, "ServerReference", None),
            )
            self._lose(Lost(why, reason.value))
        elif pipe is not None and pipe.error is not None:
            self._lose(Lost(self._explain(pipe.error)))
        else:
            self._lose(Lost(CLOSED))

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._is_writing:
            return  # of QoS 0; its id may be that of another one that waits for its PUBACK
        flight = self.in_flight.pop(mid, None)
        if flight is not None:
            code = reason.value
            self._owner.acknowledged(flight, code, "" if code == SUCCESS else reason.getName())

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._intake.message(message.qos)
        properties = message.properties
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        self._owner.arrived(
            Arrival(
                self._target.sink.name,
                topic,
                bytes(message.payload),
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._subscribing.answered(mid, reasons)
