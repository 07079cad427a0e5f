"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from gateway.dialects.alink.declared import LOSSES, SENT
from gateway.dialects.alink.down import Questions
from gateway.dialects.alink.logins import Desk
from gateway.dialects.alink.names import Ids, Name, Names
from gateway.dialects.alink.notices import TOPO_CHANGE, read_notice
from gateway.dialects.alink.options import AlinkDevice, AlinkOptions
from gateway.dialects.alink.pending import NO_SESSION, Pending, ranges_of
from gateway.dialects.alink.profile import Listens, Session
from gateway.dialects.alink.reply import Replies
from gateway.dialects.alink.session import SUCCESS, Sessions
from gateway.dialects.alink.sign import LOGINS, Signer
from gateway.dialects.alink.text import Writer
from gateway.dialects.alink.up import Batch, Tools
from gateway.dialects.asked import Wrong
from gateway.dialects.contract import (
    Birth,
    CannotConnect,
    DialectSetup,
    DialectSpec,
    Dropped,
    Encoded,
    Now,
    Ranges,
    Received,
    RefusedRecords,
    not_obeyed,
)
from gateway.dialects.json_text import text
from gateway.dialects.options import made
from gateway.dialects.strict_json import NotStrictJson, loads
from gateway.dialects.told_time import SLOW, platform_time
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, Lane

MAX_REPLY_BYTES = 128 * 1024
"""Of a reply about fifty sub-devices, each with what the platform has against it."""
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
        profile = options.resolved(setup.sink.host)
        names = Names(setup, options, profile)
        desk = Desk(profile, options, names, Ids())
        self._setup = setup
        self._options = options
        self._profile = profile
        self._names = names
        self._sessions = Sessions(desk, setup.secret)
        self._is_confirmed = setup.sink.ack == "app"
        self._pending = Pending(is_confirmed=self._is_confirmed)
        self._questions = Questions(
            profile, names, services=options.services, ttl_ms=int(options.command_ttl * 1000)
        )
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
        self._is_time_told = False
        self._remarks = 0

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return credentials of this moment, and the topics of replies and commands.

        Raises:
            CannotConnect: the platform refuses the keep-alive; or the key of an OneNET device is no
                base64.
            SettingsError: the secret is not there.
        """
        self._check_keepalive()
        filters = tuple(Subscription(topic) for topic in self._filters())
        write, secret = LOGINS.get(self._profile.auth), self._options.device_secret
        if write is None or secret is None:
            client_id = self._setup.sink.client_id or self._names.own.device
            return ConnectSpec(client_id, None, filters)
        signer = Signer(self._options, now.ms, uses_tls=self._setup.sink.use_tls)
        login = write(self._names.own, self._setup.secret(secret), signer)
        return ConnectSpec(login.client_id, None, filters, login.username, login.password)

    def _check_keepalive(self) -> None:
        """Say what the platform would refuse without a reason. Raises CannotConnect."""
        sink, (low, high) = self._setup.sink, self._profile.keepalive_s
        if self._profile.is_vendors(sink.host) and not low <= sink.keepalive_s <= high:
            raise CannotConnect(
                f"{sink.host} refuses a keep-alive of {sink.keepalive_s} s: write `keepalive:` of "
                f"{low} s to {high} s"
            )

    def _filters(self) -> list[str]:
        """Return topics of replies and commands; none of them matches what we publish."""
        profile, names = self._profile, self._names
        own = f"{names.own.product}/{names.own.device}"
        topics = [names.topic(path + profile.post_reply) for path in self._paths()]
        events = self._event_path() + profile.post_reply
        speakers = names.listened(is_wide=not profile.events_in_pack)
        topics += [names.topic(events, name) for name in speakers]
        topics += self._login_replies(own)
        for name in names.listened(is_wide=profile.listens is Listens.WILDCARD):
            topics += self._questions.filters(f"{name.product}/{name.device}")
        if profile.has_ext:
            topics += [f"{_NTP}{own}/response", f"{_ERROR}{own}", names.topic(TOPO_CHANGE)]
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
        self._is_time_told = False
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
        is_reply = topic.startswith(_ERROR) or topic.endswith(_REPLIES)
        is_time, is_notice = topic.startswith(_NTP), topic == self._names.topic(TOPO_CHANGE)
        if asked is None and not (is_reply or is_time or is_notice):
            return Received()
        if arrival.is_retained:
            return not_obeyed(arrival, "retained: it may be from any time")
        if asked is not None:
            command = self._questions.command(arrival, asked, now)
            return Received() if command is None else Received(commands=(command,))
        if is_notice:
            return self._notice(arrival, now)
        return self._time(arrival, now) if is_time else self._reply(arrival, now)

    def _notice(self, arrival: Arrival, now: Now) -> Received:
        """Hold the records of devices that were deleted or disabled; log in those that came."""
        try:
            notice = read_notice(arrival, self._profile)
        except Wrong as error:
            return not_obeyed(arrival, str(error))
        found = [self._names.ours(name) for name in notice.names]
        devices = [each for each in found if each is not None and each != GATEWAY_ITSELF]
        payload = f'{{"id":{text(notice.id)},"code":200,"data":{{}}}}'.encode()
        said = [Publication(f"{arrival.topic}_reply", payload, Lane.EVENT)]
        if notice.is_taken:
            said += self._sessions.allowed(devices, now.ms)
        else:
            self._sessions.banned(devices, f"{notice.word} on the platform", now.ms)
        told = f"{notice.word} on the platform: {', '.join(devices[:MAX_REMARKS])}"
        remarks = self._remark(arrival.topic, told) if devices else ()
        return Received(publications=tuple(said), remarks=remarks)

    def _time(self, arrival: Arrival, now: Now) -> Received:
        """help.aliyun.com/document_detail/102509.html: half of what came and went is the way."""
        try:
            fields = _fields(arrival)
            sent, came, left = (
                int(str(fields[key]))
                for key in ("deviceSendTime", "serverRecvTime", "serverSendTime")
            )
        except (NotStrictJson, KeyError, ValueError) as error:
            return not_obeyed(arrival, f"no time in it: {error}")
        if sent != self._asked_time_ms or self._is_time_told:
            return not_obeyed(arrival, "no answer to the last question")
        self._is_time_told = True
        told_ms = platform_time(sent, came, left, now.ms)
        return not_obeyed(arrival, SLOW) if told_ms is None else Received(platform_ms=told_ms)

    def _reply(self, arrival: Arrival, now: Now) -> Received:
        try:
            fields = _fields(arrival)
        except NotStrictJson as error:
            return not_obeyed(arrival, str(error))
        id_, code = str(fields.get("id")), fields.get("code")
        if not isinstance(code, int) or isinstance(code, bool):
            return not_obeyed(arrival, "no code in it")
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
            subscriptions=tuple(map(Subscription, self._commands_of(outcome.inside))),
        )

    def _commands_of(self, devices: Sequence[DeviceId]) -> Iterator[str]:
        """Yield the topics of commands of devices that have just logged in."""
        if self._profile.listens is not Listens.LOGIN:
            return
        for name in filter(None, map(self._names.of, devices)):
            yield from self._questions.filters(f"{name.product}/{name.device}")

    def _report_reply(self, arrival: Arrival, id_: str, code: int, now: Now) -> Received:
        devices = self._pending.devices(id_)
        why = f"the platform answered {code}"
        received = self._pending.answered(id_, code, why)
        if code == NO_SESSION:
            lost = () if self._is_confirmed else self._remark(arrival.topic, f"{why}: lost there")
            return Received(publications=self._sessions.lost(devices, now.ms), remarks=lost)
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
    found = loads(arrival.payload, max_bytes=MAX_REPLY_BYTES)
    if not isinstance(found, dict):
        raise NotStrictJson("not a JSON object")
    return cast("dict[str, Any]", found)


DIALECT = DialectSpec(
    Alink,
    has_app_ack=True,
    options=AlinkOptions,
    device_options=AlinkDevice,
    losses=LOSSES,
    sent=SENT,
)
