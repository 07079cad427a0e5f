"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from gateway.dialects.asked import Wrong, read_object
from gateway.dialects.by_name import Directory
from gateway.dialects.contract import (
    OLD_STATES,
    Birth,
    CannotConnect,
    DialectSetup,
    DialectSpec,
    Dropped,
    Encoded,
    Now,
    Received,
    RefusedRecords,
    Sent,
    not_obeyed,
)
from gateway.dialects.huawei_iotda.down import Asked
from gateway.dialects.huawei_iotda.messages import (
    ASK_TIME,
    SUB_DEVICES,
    TIME_SYNC,
    UPDATE_STATUS,
    Gathered,
    Topics,
    event_message,
)
from gateway.dialects.huawei_iotda.options import (
    HuaweiDeviceOptions,
    HuaweiOptions,
    credentials,
    entry_of,
)
from gateway.dialects.huawei_iotda.topology import SubDevices, objects
from gateway.dialects.huawei_iotda.up import Writer
from gateway.dialects.options import made
from gateway.dialects.told_time import SLOW, platform_time
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, EventBody, Lane, PropBody, Record, StateBody

SYNC_EVERY_MS = 3_600_000
MAX_ANSWER_BYTES = 128 * 1024
"""Of an answer about a hundred sub-devices, each with what the platform knows of it."""


class HuaweiIotda:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are; nothing is known of the platform yet."""
        options = made(HuaweiOptions, setup.sink.options)
        self._setup = setup
        self._options = options
        self._topics = Topics(options.device_id)
        self._directory = Directory(HuaweiDeviceOptions, setup.sink.devices, entry_of)
        self._sub_devices = SubDevices(
            self._topics, self._directory, may_add=options.add_sub_devices
        )
        self._writer = Writer(options, self._topics, self._directory)
        self._asked = Asked(options.device_id, self._directory, self._writer.service_of)
        self._asked_time_ms: int | None = None
        self._next_sync_ms = 0

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return the login of this hour; there is no will, which the platform does not support.

        Raises:
            CannotConnect: the platform checks the hour, and the time of day is not known.
        """
        options = self._options
        if options.check_timestamp and now.tq is TimeQuality.UNSYNC:
            raise CannotConnect("waits for a synchronised clock: the platform checks the hour")
        secret = self._setup.secret(options.secret)
        login = credentials(options.device_id, secret, now.ms, is_checked=options.check_timestamp)
        base = self._topics.base
        filters = ("commands/#", "properties/set/#", "properties/get/#", "events/down")
        return ConnectSpec(
            login.client_id,
            None,
            tuple(Subscription(f"{base}{one}") for one in filters),
            login.username,
            login.password,
        )

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return registrations where they are wanted, and the status of every sub-device."""
        self._directory.use(births)
        self._next_sync_ms = now.ms
        return (*self._sub_devices.begin(now), *self._sub_devices.go(gone, now))

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return the same for devices that came, and that others went offline."""
        before = self._directory.devices
        self._directory.use(births)
        after = self._directory.devices
        came = [device for device in after if device not in before]
        went = [device for device in before if device not in after]
        return (*self._sub_devices.come(came, now), *self._sub_devices.go(went, now))

    def is_ready(self, now: Now) -> bool:
        """Return whether no registration is waited for."""
        return self._sub_devices.is_settled(now)

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return a question for the time, and what the platform did not take or answer yet."""
        return (*self._ask_time(now), *self._sub_devices.due(now))

    def echo(self, now: Now) -> Publication:
        """Return a status update of nobody; never asked for, as the spec names no topic."""
        return event_message(self._topics, UPDATE_STATUS, '{"device_statuses":[]}', now.ms)

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return that all sub-devices go offline."""
        return self._sub_devices.go(self._directory.devices, now)

    def _ask_time(self, now: Now) -> tuple[Publication, ...]:
        if not self._options.sync_time or now.ms < self._next_sync_ms:
            return ()
        self._next_sync_ms = now.ms + SYNC_EVERY_MS
        self._asked_time_ms = now.ms
        paras = f'{{"device_send_time":{now.ms}}}'
        return (event_message(self._topics, ASK_TIME, paras, now.ms),)

    # --- records

    def encode(
        self,
        batch: Sequence[Committed],
        now: Now,  # noqa: ARG002 - a sample carries its own time, old or new
        *,
        is_backfill: bool,  # noqa: ARG002 - history is a report with the time it is of
    ) -> Encoded:
        """Return reports of at most a hundred sub-devices, and one message for all else."""
        gathered = Gathered(self._topics)
        withheld: list[int] = []
        refused: dict[tuple[Lane, str], list[int]] = {}
        for committed in batch:
            record = committed.record
            if isinstance(record.body, StateBody):
                self._sub_devices.note(record.device, is_online=record.body.is_online)
            why = self._why_refused(record)
            if why is not None:
                refused.setdefault((record.lane, why), []).append(committed.seq)
            elif not self._writer.write(committed, gathered):
                withheld.append(committed.seq)
        return Encoded(
            gathered.take(),
            tuple(withheld),
            tuple(RefusedRecords(lane, tuple(seqs), why) for (lane, why), seqs in refused.items()),
        )

    def _why_refused(self, record: Record) -> str | None:
        """Return why the platform would drop what a sub-device has to say."""
        if not isinstance(record.body, PropBody | EventBody | StateBody):
            return None
        why = self._directory.why_not_alone(record.device)
        if why is not None or isinstance(record.body, StateBody):
            return why
        return self._sub_devices.why_denied(record.device)

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return requests, answers about sub-devices, and the platform's time."""
        path = arrival.topic.removeprefix(self._topics.base)
        if path == arrival.topic:
            return not_obeyed(arrival, "not a topic of ours")
        if "/response/" in path:
            return Received()  # our own answer: the filters with # hold those topics too
        if arrival.is_retained:
            return not_obeyed(arrival, "retained: it may be from any time")
        if path == "events/down":
            return self._events(arrival, now)
        expires_ms = now.ms + round(self._options.command_ttl * 1000)
        return self._asked.read(arrival, path, expires_ms)

    def _events(self, arrival: Arrival, now: Now) -> Received:
        try:
            fields = read_object(arrival.payload, max_bytes=MAX_ANSWER_BYTES)
        except Wrong as error:
            return not_obeyed(arrival, str(error))
        services = objects(fields.get("services"))
        if not services:
            return not_obeyed(arrival, "no `services` in it")
        found = [self._event(arrival, one, now) for one in services]
        times = [one.platform_ms for one in found if one.platform_ms is not None]
        return Received(
            platform_ms=times[-1] if times else None,
            dropped=tuple(part for one in found for part in one.dropped),
            publications=tuple(part for one in found for part in one.publications),
            remarks=tuple(part for one in found for part in one.remarks),
        )

    def _event(self, arrival: Arrival, service: dict[str, Any], now: Now) -> Received:
        kind, paras = service.get("event_type"), service.get("paras")
        reader = self._reader(str(service.get("service_id")), str(kind))
        if reader is None or not isinstance(paras, dict):
            return not_obeyed(arrival, f"event {str(kind)[:40]!r} is not supported")
        return reader(arrival.topic, cast("dict[str, Any]", paras), now)

    def _reader(
        self, service: str, kind: str
    ) -> Callable[[str, dict[str, Any], Now], Received] | None:
        readers = {
            (TIME_SYNC, "time_sync_response"): self._time,
            (SUB_DEVICES, "add_sub_device_response"): self._sub_devices.registered,
            (SUB_DEVICES, "add_sub_device_notify"): self._sub_devices.told_of_new,
            (SUB_DEVICES, "delete_sub_device_notify"): self._sub_devices.told_of_deleted,
            (SUB_DEVICES, "sub_device_update_status_response"): self._sub_devices.judged,
        }
        return readers.get((service, kind))

    def _time(self, topic: str, paras: dict[str, Any], now: Now) -> Received:
        """Return the platform's time, from the four times (iot_06_v5_3041.html).

        An answer to a question that was not asked, or asked before, tells nothing.
        """
        sent, came, answered = (
            paras.get(key) for key in ("device_send_time", "server_recv_time", "server_send_time")
        )
        if type(sent) is not int or type(came) is not int or type(answered) is not int:
            return Received(dropped=(Dropped(topic, "the times must be integers"),))
        if sent != self._asked_time_ms:
            return Received(dropped=(Dropped(topic, "no answer to the last question"),))
        self._asked_time_ms = None
        told_ms = platform_time(sent, came, answered, now.ms)
        if told_ms is None:
            return Received(dropped=(Dropped(topic, SLOW),))
        return Received(platform_ms=told_ms)


LOSSES = (
    "The platform confirms no record: what its broker acknowledged is done (no `ack: app`).",
    "Identity (ep, seq) is kept in messages, and in reports with `sequence: true`; pv nowhere.",
    "Values that are not good are no properties: they are told as `bad_values` says.",
    "Units are not sent: the product model on the platform has them.",
    "Custom events do not exist there: events become device messages, or a service's properties.",
    "Births (vendor, model, place) are not sent.",
    "A request sets one point; one that sets several is refused whole.",
    "A property that is set brings no token: what is dangerous needs a command.",
    "The answer to a property query has no word for a failure: it is empty then.",
    "Audit entries stay here unless `audit: true`.",
    "Why and since when a device is offline: its status is ONLINE or OFFLINE.",
    "Snapshots are reports like all others.",
    OLD_STATES,
)
KEEPALIVE_S = (30, 1200)
"""support.huaweicloud.com/productdesc-iothub/iot_04_0010.html: others are refused."""
SENT = (
    Sent(
        "values, live and old",
        "$oc/devices/{gateway}/sys/gateway/sub_devices/properties/report",
        "at most 100 devices and 60 kB in a message",
    ),
    Sent("values of the gateway itself", "$oc/devices/{gateway}/sys/properties/report"),
    Sent(
        "a device went or came; devices added; the question for the time",
        "$oc/devices/{gateway}/sys/events/up",
    ),
    Sent(
        "events, values that are not good, gaps, audit entries",
        "$oc/devices/{gateway}/sys/messages/up",
    ),
    Sent("reply to a command", "$oc/devices/{gateway}/sys/commands/response/request_id={id}"),
    Sent(
        "reply to a property that is set",
        "$oc/devices/{gateway}/sys/properties/set/response/request_id={id}",
    ),
    Sent(
        "reply to a property query",
        "$oc/devices/{gateway}/sys/properties/get/response/request_id={id}",
    ),
)
DIALECT = DialectSpec(
    HuaweiIotda,
    keepalive_s=KEEPALIVE_S,
    options=HuaweiOptions,
    device_options=HuaweiDeviceOptions,
    losses=LOSSES,
    sent=SENT,
)
