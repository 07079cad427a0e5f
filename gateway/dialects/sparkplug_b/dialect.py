"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.dialects.contract import (
    Birth,
    DialectSetup,
    DialectSpec,
    Encoded,
    Now,
    Received,
    Sent,
)
from gateway.dialects.options import made, options_of
from gateway.dialects.sparkplug_b.down import (
    HostState,
    Order,
    Wrong,
    asks_rebirth,
    dropped,
    read_commands,
    read_payload,
    read_state,
    strange_orders,
)
from gateway.dialects.sparkplug_b.metrics import Board
from gateway.dialects.sparkplug_b.options import SparkplugDevice, SparkplugOptions
from gateway.dialects.sparkplug_b.presence import Presence
from gateway.dialects.sparkplug_b.records import NODE_EVENTS, Records
from gateway.dialects.sparkplug_b.voice import NAMESPACE, Names, Voice
from gateway.dialects.sparkplug_b.wire import DataType
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription, Will
from gateway.model.record import Committed, Lane

HEARTBEAT = "Node Info/Heartbeat"
"""A time that moves while the node lives and the broker passes on what it says."""
LOSSES = (
    "The identity of a record (ep, seq, pv): only its timestamp tells a repeated value.",
    (
        "The receipt of a command: success shows as the value that was read back, a failure as the "
        "metric Event/command_failed."
    ),
    "The quality of time (tq), the place of a device, and the level and class of a point.",
    "Audit entries of the gateway.",
    "Bad values of a device that is offline, while they are current: DDEATH says it of all.",
    "That an event stands, from a restart of the gateway to its next step.",
    "Records of a device that is on the site no more, events excepted: those the node tells.",
)


class SparkplugB:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are."""
        self._sink, gateway = setup.sink, setup.gateway
        self._options = options = made(SparkplugOptions, setup.sink.options)
        self._client_id = setup.sink.client_id or str(gateway.id)
        self._names = Names()
        self._voice = Voice(options.group or gateway.site, options.node or gateway.id, self._names)
        self._board = Board()
        for name, value in (
            ("Properties/Software", setup.software),
            ("Properties/Site", str(gateway.site)),
            ("Properties/Timezone", gateway.timezone),
        ):
            self._board.of_node(name, DataType.STRING, value)
        self._heartbeat = self._board.of_node(HEARTBEAT, DataType.DATETIME)
        for kind in NODE_EVENTS:
            self._board.event(GATEWAY_ITSELF, kind)
        self._presence = Presence(self._board, self._voice)
        self._records = Records(self._board, self._presence, self._voice)
        self._state_topic = f"{NAMESPACE}/STATE/{options.primary_host}"
        self._host: HostState | None = None
        self._heartbeat_ms = 0
        self._has_begun = False

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return NDEATH as the will, with the next bdSeq, and what is subscribed to."""
        self._voice.next_session(now)
        self._presence.begin()
        self._host, self._has_begun = None, False
        commands = (
            Subscription(self._voice.topic("NCMD")),
            Subscription(self._voice.topic("DCMD", DeviceId("+"))),
        )
        host = Subscription(self._state_topic, wants_retained=True)
        return ConnectSpec(
            self._client_id,
            Will(self._voice.topic("NDEATH"), self._voice.node_death(now), is_retained=False),
            (*commands, host) if self._options.primary_host else commands,
            echo=self._voice.topic("NDATA"),
            needs_echo=True,
            leaves_will=True,
        )

    def connected(
        self,
        births: Sequence[Birth],
        gone: Sequence[DeviceId],  # noqa: ARG002 - NBIRTH makes a host forget all devices
        now: Now,
    ) -> tuple[Publication, ...]:
        """Return all births; nothing while the primary host is not there."""
        self._has_begun = True
        self._use_names(births)
        self._presence.reload(births, now)
        return self._presence.birth(now) if self._may_speak() else ()

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return births of devices that are new or changed, and deaths of those that went.

        All births where a device has another name now: NBIRTH makes a host forget the old one.
        """
        return self._presence.reload(births, now, is_renamed=self._use_names(births))

    def _use_names(self, births: Sequence[Birth]) -> bool:
        """Take the names that the site file gives; one for several devices counts for none.

        Return whether a device that was here has another name now.
        """
        of, devices = self._sink.devices, [birth.device for birth in births]
        names = {
            one: str(made(SparkplugDevice, options_of(one, of)).name or one) for one in devices
        }
        while twice := {name for name, often in Counter(names.values()).items() if often > 1}:
            names = {one: str(one) if name in twice else name for one, name in names.items()}
        return self._names.use(names)

    def _may_speak(self) -> bool:
        if not self._options.primary_host:
            return True
        return self._host is not None and self._host.is_online

    def is_ready(self, now: Now) -> bool:  # noqa: ARG002 - the contract's
        """Return whether the births were said: not before the primary host is online."""
        return self._presence.is_born

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return births that were asked for a moment ago, and deaths that are due."""
        return self._presence.tick(now) if self._presence.is_born else ()

    def echo(self, now: Now) -> Publication:
        """Return NDATA with the heartbeat of the node."""
        self._heartbeat_ms = max(now.ms, self._heartbeat_ms + 1)
        metric = self._heartbeat.now(self._heartbeat_ms, now.ms, {})
        return self._voice.data(GATEWAY_ITSELF, (metric,), now)

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return NDEATH."""
        return (self._node_death(now),) if self._presence.is_born else ()

    def _node_death(self, now: Now) -> Publication:
        self._presence.begin()
        return Publication(self._voice.topic("NDEATH"), self._voice.node_death(now), Lane.EVENT)

    # --- records

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return one message for each record; old values gathered by device."""
        return self._records.encode(batch, now, is_backfill=is_backfill)

    # --- from the host

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return commands, births that are asked for, and what the primary host's state means."""
        readers: dict[str, Callable[[Arrival, Now], Received]] = {
            self._voice.topic("NCMD"): self._node_command,
            self._state_topic: self._host_state,
        }
        try:
            return readers.get(arrival.topic, self._device_command)(arrival, now)
        except Wrong as wrong:
            return dropped(arrival, str(wrong))

    def _node_command(self, arrival: Arrival, now: Now) -> Received:
        payload = read_payload(arrival)
        born = self._presence.rebirth(now) if asks_rebirth(payload) else ()
        return Received(publications=born, dropped=strange_orders(arrival, payload))

    def _device_command(self, arrival: Arrival, now: Now) -> Received:
        prefix = f"{self._voice.topic('DCMD')}/"
        device = self._names.ours(arrival.topic.removeprefix(prefix))
        if not arrival.topic.startswith(prefix) or device is None:
            raise Wrong("no_device", "not a topic of ours")
        ttl_ms = int(self._options.command_ttl * 1000)
        order = Order(arrival, device, read_payload(arrival), now, ttl_ms)
        return Received(commands=read_commands(order, self._board))

    def _host_state(self, arrival: Arrival, now: Now) -> Received:
        if not self._options.primary_host:
            raise Wrong("no_host", "no primary host is awaited")
        said, before = read_state(arrival), self._host
        if before is not None and said.timestamp_ms < before.timestamp_ms:
            raise Wrong("late", "older than what it said before: of a connection that is gone")
        self._host = said
        if not said.is_online:
            return self._host_is_gone(now)
        if self._presence.is_born or not self._has_begun:
            return Received()
        return Received(publications=self._presence.birth(now))

    def _host_is_gone(self, now: Now) -> Received:
        """Leave: another broker may have it. Where it was not there at all, only for another."""
        why = f"the primary host {self._options.primary_host} is offline"
        if self._presence.is_born:
            return Received(publications=(self._node_death(now),), leaves=why)
        return Received(leaves=why if self._sink.others else None)


SENT = (
    Sent("birth of the gateway", "spBv1.0/{group}/NBIRTH/{gateway}"),
    Sent("birth of a device; it came", "spBv1.0/{group}/DBIRTH/{gateway}/{device}"),
    Sent(
        "values, live and old; events; results of commands",
        "spBv1.0/{group}/DDATA/{gateway}/{device}",
        "metrics by alias; what waited 30 s with `is_historical`",
    ),
    Sent("a device went", "spBv1.0/{group}/DDEATH/{gateway}/{device}"),
    Sent("events of the gateway, gaps, heartbeat", "spBv1.0/{group}/NDATA/{gateway}"),
    Sent("end, planned or not: the will", "spBv1.0/{group}/NDEATH/{gateway}", "`bdSeq`"),
)
DIALECT = DialectSpec(
    SparkplugB,
    options=SparkplugOptions,
    device_options=SparkplugDevice,
    losses=LOSSES,
    says_old_states=True,  # `Presence` has the newest one, and takes it back with a batch
    sent=SENT,
)
