"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from gateway.dialects.alink.down import Asked, Questions
from gateway.dialects.alink.logins import Desk
from gateway.dialects.alink.names import Ids, Name, Names
from gateway.dialects.alink.options import AlinkDevice, AlinkOptions
from gateway.dialects.alink.pending import NO_SESSION, Pending, ranges_of
from gateway.dialects.alink.profile import Session
from gateway.dialects.alink.reply import Replies
from gateway.dialects.alink.session import SUCCESS, Sessions
from gateway.dialects.alink.sign import LOGINS, Signer
from gateway.dialects.alink.text import Writer
from gateway.dialects.alink.up import Batch, Tools
from gateway.dialects.contract import (
    Birth,
    DialectSetup,
    DialectSpec,
    Dropped,
    Encoded,
    Now,
    Ranges,
    Received,
    RefusedRecords,
    Sent,
)
from gateway.dialects.options import made
from gateway.dialects.strict_json import NotStrictJson, loads
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, Lane

MAX_REMARKS = 20
"""Complaints that are audited in one connection; a platform that dislikes all says so each time."""
_REPLIES = ("_reply", "/reply")
_NTP = "/ext/ntp/"
_ERROR = "/ext/error/"


class Alink:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are and where messages go."""
        options = made(AlinkOptions, setup.sink.options)
        profile = options.resolved()
        names = Names(setup, options, profile)
        desk = Desk(profile, options, names, Ids())
        self._setup = setup
        self._options = options
        self._profile = profile
        self._names = names
        self._sessions = Sessions(desk, setup.secret)
        self._pending = Pending()
        self._questions = Questions(
            profile, names, services=options.services, ttl_ms=int(options.command_ttl * 1000)
        )
        self._is_confirmed = setup.sink.ack == "app"
        writer = Writer(profile, in_seconds=options.time_unit == "s")
        self._tools = Tools(
            desk,
            writer,
            self._sessions,
            self._pending,
            Replies(profile, names, writer),
            self._is_confirmed,
        )
        self._devices: tuple[DeviceId, ...] = ()
        self._asked_time_ms: int | None = None
        self._remarks = 0

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return credentials of this moment, and the topics of replies and commands.

        Raises:
            CannotConnect: the key of an OneNET device is no base64.
            SettingsError: the secret is not there.
        """
        filters = tuple(Subscription(topic) for topic in self._filters())
        write, secret = LOGINS.get(self._profile.auth), self._options.device_secret
        if write is None or secret is None:
            client_id = self._setup.sink.client_id or self._names.own.device
            return ConnectSpec(client_id, None, filters)
        signer = Signer(self._options, now.ms, uses_tls=self._setup.sink.use_tls)
        login = write(self._names.own, self._setup.secret(secret), signer)
        return ConnectSpec(login.client_id, None, filters, login.username, login.password)

    def _filters(self) -> list[str]:
        """Return topics of replies and commands; none of them matches what we publish."""
        profile, names = self._profile, self._names
        own = f"{names.own.product}/{names.own.device}"
        topics = [names.topic(path + profile.post_reply) for path in self._paths()]
        whose = names.own if profile.events_in_pack else Name("+", "+")
        topics.append(names.topic(self._event_path() + profile.post_reply, whose))
        topics += self._login_replies(own)
        topics += self._questions.filters("+/+" if profile.uses_wildcard else own)
        if profile.has_ext:
            topics += [f"{_NTP}{own}/response", f"{_ERROR}{own}"]
        return topics

    def _paths(self) -> list[str]:
        """Return the paths of reports that are replied to."""
        profile = self._profile
        paths = [profile.pack]
        paths += [path for path in (profile.post, profile.history) if path is not None]
        if profile.session is Session.ONENET:
            paths += ["thing/sub/login", "thing/sub/logout", "thing/sub/topo/add"]
        elif self._options.topology:
            paths.append("thing/topo/add")
        if self._event_path() == "thing/event/+/post" and "thing/event/property/post" in paths:
            paths.remove("thing/event/property/post")  # the other one has it already
        return paths

    def _event_path(self) -> str:
        return self._profile.event.format("+")

    def _login_replies(self, own: str) -> list[str]:
        words = {
            Session.COMBINE: ("login", "batch_login", "logout", "batch_logout"),
            Session.ENOS: ("login/batch", "logout"),
        }.get(self._profile.session, ())
        return [f"/ext/session/{own}/combine/{word}_reply" for word in words]

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return logouts of devices that went and logins of all others."""
        self._pending.clear()
        self._asked_time_ms = None
        self._remarks = 0
        self._names.use(births)
        self._devices = tuple(birth.device for birth in births)
        return self._sessions.connected(self._devices, gone, now.ms)

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return logouts and logins of devices that went and came."""
        devices = tuple(birth.device for birth in births)
        gone = [device for device in self._devices if device not in set(devices)]
        self._names.use(births)
        self._devices = devices
        return self._sessions.changed(devices, gone, now.ms)

    def is_ready(self, now: Now) -> bool:
        """Return whether the first logins were answered, or have had their time."""
        return self._sessions.is_ready(now.ms)

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return logins that are tried again, and the question for the time."""
        return (*self._sessions.tick(now.ms), *self._ask_time(now))

    def _ask_time(self, now: Now) -> tuple[Publication, ...]:
        every_ms, last = self._options.time_every * 1000, self._asked_time_ms
        is_due = last is None or abs(now.ms - last) >= every_ms
        if not (self._profile.has_ext and every_ms and is_due):
            return ()
        self._asked_time_ms = now.ms
        topic = f"{_NTP}{self._names.own.product}/{self._names.own.device}/request"
        payload = f'{{"deviceSendTime":"{now.ms}"}}'.encode()
        return (Publication(topic, payload, Lane.EVENT, qos=0),)

    def echo(self, now: Now) -> Publication:
        """Raise: this dialect names no topic to hear itself on."""
        raise NotImplementedError(f"no echo topic, asked at {now.ms}")

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return logouts of all sub-devices."""
        return self._sessions.goodbye(now.ms)

    # --- records

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return reports that keep the platform's limits, in order."""
        return Batch(self._tools, now, is_backfill=is_backfill).encode(batch)

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return confirmations, commands and the time; what is not for us is ignored."""
        topic = arrival.topic
        asked = self._questions.asked(topic)
        if asked is not None:
            return self._command(arrival, asked, now)
        if topic.startswith(_NTP):
            return self._time(arrival, now)
        if topic.startswith(_ERROR) or topic.endswith(_REPLIES):
            return self._reply(arrival, now)
        return Received()

    def _command(self, arrival: Arrival, asked: Asked, now: Now) -> Received:
        if arrival.is_retained:
            return Received(dropped=(Dropped(arrival.topic, "retained: it may be from any time"),))
        command = self._questions.command(arrival, asked, now)
        return Received() if command is None else Received(commands=(command,))

    def _time(self, arrival: Arrival, now: Now) -> Received:
        """help.aliyun.com/document_detail/102509.html: half of what came and went is the way."""
        try:
            fields = _fields(arrival)
            sent, came, left = (
                int(str(fields[key]))
                for key in ("deviceSendTime", "serverRecvTime", "serverSendTime")
            )
        except (NotStrictJson, KeyError, ValueError) as error:
            return Received(dropped=(Dropped(arrival.topic, f"no time in it: {error}"),))
        return Received(platform_ms=(came + left + now.ms - sent) // 2)

    def _reply(self, arrival: Arrival, now: Now) -> Received:
        try:
            fields = _fields(arrival)
        except NotStrictJson as error:
            return Received(dropped=(Dropped(arrival.topic, str(error)),))
        id_, code = str(fields.get("id")), fields.get("code")
        if not isinstance(code, int) or isinstance(code, bool):
            return Received(dropped=(Dropped(arrival.topic, "no code in it"),))
        if arrival.topic.startswith(_ERROR):
            return self._error(arrival, code, fields, now)
        outcome = self._sessions.answered(id_, code, fields, now.ms)
        if outcome is None:
            return self._report_reply(arrival, id_, code, now)
        refused = RefusedRecords(Lane.EVENT, outcome.refused, outcome.why)
        return Received(
            acknowledged=self._confirmed(outcome.done),
            publications=outcome.publications,
            refused=(refused,) if outcome.refused else (),
        )

    def _report_reply(self, arrival: Arrival, id_: str, code: int, now: Now) -> Received:
        devices = self._pending.devices(id_)
        why = f"the platform answered {code}"
        received = self._pending.answered(id_, code, why)
        if code == NO_SESSION:
            return Received(publications=self._sessions.lost(devices, now.ms))
        if code == SUCCESS and self._is_confirmed:
            return received
        if code == SUCCESS or not devices:
            return Received()
        remarks = self._remark(arrival.topic, f"{why} to {id_[:64]}")
        return Received(refused=received.refused if self._is_confirmed else (), remarks=remarks)

    def _error(self, arrival: Arrival, code: int, fields: dict[str, Any], now: Now) -> Received:
        """thinkgos/aliyun-iot infra/code: 520 is no session; 427, 521, 522, 6401 end one."""
        data: object = fields.get("data")
        inside = cast("dict[str, object]", data) if isinstance(data, dict) else {}
        words = self._profile
        name = Name(str(inside.get(words.product_word)), str(inside.get(words.device_word)))
        device = self._names.ours(name)
        if device is None or device == GATEWAY_ITSELF:
            return Received(remarks=self._remark(arrival.topic, f"error {code}"))
        if code == NO_SESSION:
            return Received(publications=self._sessions.lost([device], now.ms))
        self._sessions.kicked(device, f"the platform ended its session: {code}", now.ms)
        return Received(remarks=self._remark(arrival.topic, f"error {code} of {device}"))

    def _remark(self, topic: str, what: str) -> tuple[Dropped, ...]:
        self._remarks += 1
        return (Dropped(topic, what),) if self._remarks <= MAX_REMARKS else ()

    def _confirmed(self, seqs: Sequence[int]) -> tuple[Ranges, ...]:
        return (Ranges(self._setup.ep, ranges_of(seqs)),) if seqs else ()


def _fields(arrival: Arrival) -> dict[str, Any]:
    found = loads(arrival.payload)
    if not isinstance(found, dict):
        raise NotStrictJson("not a JSON object")
    return cast("dict[str, Any]", found)


LOSSES = (
    "Units, resolution and titles are in the thing model, not in messages.",
    "Why a value is not good (`qr`) is told with `quality: event` only; else it is left out.",
    "Simulated values are not marked, but with `quality: event`.",
    "`tq` (how far the clock can be believed) and `pv` (the record before) are lost.",
    "A batch names the identity of its first and last record only; `ids: number` (OneNET) none.",
    "Severity becomes info, alert or error; the number is the output `sev` of the event.",
    "Audit entries (`log`) are not sent.",
    "One property or service a request; a request for several properties is refused.",
    "yudao, XunJi: values have no time, so values older than 30 s are not sent.",
    "SagooIoT: there is no history; old values come like live ones, with their time.",
    "yudao, SagooIoT, XunJi: nobody logs in; online and offline are an event of the device.",
    "EnOS: records that are refused in part are refused as a whole message, then one by one.",
)

SENT = (
    Sent(
        "values and events of sub-devices",
        "/sys/{product}/{gateway}/thing/event/property/pack/post",
        "OneNET (`$sys`): `thing/pack/post`; EnOS: `thing/measurepoint/post/batch`",
    ),
    Sent(
        "values of the gateway",
        "/sys/{product}/{gateway}/thing/event/property/post",
        "yudao, OneNET: `thing/property/post`",
    ),
    Sent(
        "values older than 30 s",
        "/sys/{product}/{gateway}/thing/event/property/history/post",
        "OneNET: `thing/history/post`; EnOS: `thing/measurepoint/resume/batch`",
    ),
    Sent(
        "events of the gateway, gaps",
        "/sys/{product}/{gateway}/thing/event/{type}/post",
        "yudao, OneNET: `thing/event/post`",
    ),
    Sent(
        "login and logout of sub-devices",
        "/ext/session/{product}/{gateway}/combine/{what}",
        "EnOS: `combine/login/batch`; OneNET: `thing/sub/login`, `thing/sub/logout`",
    ),
    Sent(
        "reply to a service",
        "/sys/{product}/{device}/thing/service/{service}_reply",
        "OneNET: `thing/sub/service/invoke_reply`",
    ),
    Sent(
        "reply to properties that are set",
        "/sys/{product}/{device}/thing/service/property/set_reply",
        "yudao: `thing/property/set_reply`; EnOS: `thing/service/measurepoint/set_reply`; "
        "OneNET: `thing/sub/property/set_reply`",
    ),
    Sent("question for the time", "/ext/ntp/{product}/{gateway}/request", "aliyun"),
)
DIALECT = DialectSpec(
    Alink,
    has_app_ack=True,
    options=AlinkOptions,
    device_options=AlinkDevice,
    losses=LOSSES,
    sent=SENT,
)
