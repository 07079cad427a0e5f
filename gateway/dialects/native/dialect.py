"""The machine of one connection: what is sent when, and who is told what was heard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.dialects.births import fingerprint
from gateway.dialects.contract import (
    Birth,
    Configuration,
    DialectSetup,
    DialectSpec,
    Dropped,
    Encoded,
    Now,
    Received,
    Sent,
)
from gateway.dialects.json_text import ColumnText, text, value_text
from gateway.dialects.native.birth import birth_body, gateway_birth_body
from gateway.dialects.native.down import read_message
from gateway.dialects.native.remote import NativeOptions, TimeExchange
from gateway.dialects.newest import Newest
from gateway.dialects.options import made
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription, Will
from gateway.model.reading import PointColumn
from gateway.model.record import (
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    ReplyBody,
    StateBody,
)

VERSION = "1.0"
BACKFILL_AFTER_MS = 30_000
"""Telemetry older than this is history: it no longer says what is (contract)."""
HIST_BYTES = 60_000
"""Of items in one `hist`. Small enough for the link watchdog: on 40 kbit/s it takes 12 s."""
HIST_POINTS = 1000
JSON_TYPE = "application/json"
_GATEWAY_KIND = "gateway"
_UNKNOWN_KIND = "unknown"
"""In replies to commands for devices that this sink does not know."""
_MAX_COLUMNS = 20_000


class Native:
    """The dialect of one sink."""

    def __init__(self, setup: DialectSetup) -> None:
        """Take who we are and where messages go."""
        gateway, sink = setup.gateway, setup.sink
        self._setup = setup
        self._base = f"{sink.root}/1/{gateway.site}/{gateway.id}"
        self._births: dict[DeviceId, Birth] = {}
        self._kinds: dict[DeviceId, str] = {GATEWAY_ITSELF: _GATEWAY_KIND}
        self._columns: dict[tuple[DeviceId, PointColumn], ColumnText] = {}
        self._heads: dict[tuple[str, DeviceId], str] = {}
        self._session_ms: int | None = None
        self._online_ms = 0
        self._told: Configuration | None = None
        """The site configuration of the last gateway birth."""
        self._time = TimeExchange(made(NativeOptions, sink.options).ask_time_s)
        self._states = Newest()
        """Of each device: the newest one is retained by the broker."""
        self._eps = {setup.ep}
        """Of records that were handed to us: what the platform confirms of others is nothing."""

    # --- connection

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return client id, will and the subscription to `dn/`."""
        self._session_ms = now.ms
        will = Will(
            self._topic("state", GATEWAY_ITSELF),
            self._gateway_state(now, is_online=False, reason="lost").encode(),
        )
        return ConnectSpec(
            self._setup.sink.client_id or str(self._setup.gateway.id),
            will,
            (Subscription(f"{self._base}/dn/+/+"),),
            echo=self._topic("state", GATEWAY_ITSELF),
        )

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return the gateway's state and birth, all births, and what clears devices that went."""
        self._births = {}
        self._online_ms = now.ms
        self._time.connected()
        state = self._gateway_state(now, is_online=True, reason="connected")
        return (
            self._retained("state", GATEWAY_ITSELF, state),
            self._gateway_birth(len(births), now),
            *self._born(births, now),
            *self._cleared(gone),
        )

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return births that changed, and what clears devices that went."""
        gone = tuple(self._births.keys() - {birth.device for birth in births})
        changed = [birth for birth in births if self._births.get(birth.device) != birth]
        for device in gone:
            del self._births[device]
        if not gone and not changed and self._told == self._setup.configuration():
            return ()
        return (
            self._gateway_birth(len(births), now),
            *self._born(changed, now),
            *self._cleared(sorted(gone)),
        )

    def echo(self, now: Now) -> Publication:
        """Return the gateway's state once more: still online, said at another moment."""
        return self._retained(
            "state", GATEWAY_ITSELF, self._gateway_state(now, is_online=True, reason="connected")
        )

    def is_ready(self, now: Now) -> bool:  # noqa: ARG002 - the contract's
        """Return True: nobody logs in here."""
        return True

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return a question for the time, where the site asks for one."""
        fields = self._time.question(now)
        if fields is None:
            return ()
        body = ",".join(f"{text(key)}:{text(value)}" for key, value in fields.items())
        head = self._unstored("log", GATEWAY_ITSELF, now)
        payload = f'{head}"topic":"time","fields":{{{body}}}}}'
        return (Publication(self._topic("log", GATEWAY_ITSELF), payload.encode(), Lane.EVENT),)

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return the gateway's state: offline on purpose."""
        state = self._gateway_state(now, is_online=False, reason="stopped")
        return (self._retained("state", GATEWAY_ITSELF, state),)

    def _born(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        self._columns.clear()
        self._heads.clear()
        for birth in births:
            self._births[birth.device] = birth
            self._kinds[birth.device] = birth.kind
        return tuple(
            self._retained(
                "birth",
                birth.device,
                f"{self._unstored('birth', birth.device, now)}"
                f'"hash":{text(fingerprint(birth))},{birth_body(birth)}}}',
            )
            for birth in births
        )

    def _cleared(self, gone: Sequence[DeviceId]) -> tuple[Publication, ...]:
        return tuple(
            Publication(self._topic(kind, device), b"", Lane.TELEMETRY, is_retained=True)
            for device in gone
            for kind in ("birth", "state")
        )

    def _gateway_birth(self, devices: int, now: Now) -> Publication:
        head = self._unstored("birth", GATEWAY_ITSELF, now)
        self._told = self._setup.configuration()
        body = gateway_birth_body(self._setup, devices)
        return self._retained("birth", GATEWAY_ITSELF, f"{head}{body}}}")

    def _gateway_state(self, now: Now, *, is_online: bool, reason: str) -> str:
        head = self._unstored("state", GATEWAY_ITSELF, now)
        since_ms = self._online_ms if is_online else now.ms
        return (
            f'{head}"online":{value_text(is_online)},"reason":{text(reason)},'
            f'"since":{since_ms},"sess":{value_text(self._session_ms)}}}'
        )

    def _unstored(self, kind: str, device: DeviceId, now: Now) -> str:
        """Return the envelope of a message that is no record: it has no seq."""
        return (
            f'{self._head(kind, device)}{self._setup.ep},"seq":null,"pv":null,'
            f'"ts":{now.ms},"tp":{now.ms},"tq":"{now.tq.value}",'
        )

    def _retained(self, kind: str, device: DeviceId, payload: str) -> Publication:
        return Publication(
            self._topic(kind, device),
            payload.encode(),
            Lane.EVENT if kind == "state" else Lane.TELEMETRY,
            is_retained=True,
            content_type=JSON_TYPE,
        )

    # --- records

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return one message for each record; old telemetry gathered in `hist` by device."""
        published: list[Publication] = []
        history: dict[DeviceId, list[Committed]] = {}
        for committed in batch:
            record = committed.record
            body = record.body
            self._eps.add(committed.ep)
            if isinstance(body, PropBody):
                is_old = now.ms - record.ts_ms > BACKFILL_AFTER_MS and not body.is_snapshot
                if is_backfill or is_old:
                    history.setdefault(record.device, []).append(committed)
                else:
                    published.append(self._prop(committed, body, now))
            else:
                published.append(self._event_lane(committed, now))
        for device, records in history.items():
            published.extend(self._hist(device, records, now))
        return Encoded(tuple(published))

    def _prop(self, committed: Committed, body: PropBody, now: Now) -> Publication:
        record = committed.record
        column = self._column(record.device, body.column)
        snapshot = '"snap":true,' if body.is_snapshot else ""
        payload = (
            f"{self._head('prop', record.device)}{self._identity(committed)}"
            f'"tp":{now.ms},"tq":"{record.tq.value}",{snapshot}"pts":[{column.render(body)}]}}'
        )
        return Publication(
            self._topic("prop", record.device), payload.encode(), Lane.TELEMETRY, (committed.seq,)
        )

    def _hist(self, device: DeviceId, records: Sequence[Committed], now: Now) -> list[Publication]:
        published: list[Publication] = []
        items: list[str] = []
        held: list[Committed] = []
        size = points = 0
        for committed in records:
            item, count = self._item(committed)
            length = len(item) if item.isascii() else len(item.encode())
            if items and (size + length > HIST_BYTES or points + count > HIST_POINTS):
                published.append(self._hist_message(device, held, items, now))
                items, held, size, points = [], [], 0, 0
            items.append(item)
            held.append(committed)
            size += length
            points += count
        published.append(self._hist_message(device, held, items, now))
        return published

    def _item(self, committed: Committed) -> tuple[str, int]:
        record = committed.record
        body = record.body
        assert isinstance(body, PropBody)  # noqa: S101 - sorted by `encode`
        column = self._column(record.device, body.column)
        snapshot = '"snap":true,' if body.is_snapshot else ""
        item = (
            f'{{"ep":{self._identity(committed)}"tq":"{record.tq.value}",'
            f'{snapshot}"pts":[{column.render(body)}]}}'
        )
        return item, column.count

    def _hist_message(
        self, device: DeviceId, held: Sequence[Committed], items: Sequence[str], now: Now
    ) -> Publication:
        newest = held[-1]
        payload = (
            f'{self._head("hist", device)}{newest.ep},"seq":null,"pv":null,'
            f'"ts":{newest.record.ts_ms},"tp":{now.ms},"tq":"{newest.record.tq.value}",'
            f'"items":[{",".join(items)}]}}'
        )
        covers = tuple(committed.seq for committed in held)
        return Publication(self._topic("hist", device), payload.encode(), Lane.TELEMETRY, covers)

    def _event_lane(self, committed: Committed, now: Now) -> Publication:
        record = committed.record
        kind, body = self._body(committed)
        payload = (
            f"{self._head(kind, record.device)}{self._identity(committed)}"
            f'"tp":{now.ms},"tq":"{record.tq.value}",{body}}}'
        )
        return Publication(
            self._topic(kind, record.device),
            payload.encode(),
            Lane.EVENT,
            (committed.seq,),
            is_retained=kind == "state" and self._states.takes(record.device, committed),
            content_type=JSON_TYPE if kind == "state" else None,
        )

    def _body(self, committed: Committed) -> tuple[str, str]:
        device, body = committed.record.device, committed.record.body
        match body:
            case EventBody():
                return "event", self._event(body)
            case StateBody():
                return "state", (
                    f'"online":{value_text(body.is_online)},"reason":{text(body.reason)},'
                    f'"since":{body.since_ms}'
                )
            case ReplyBody():
                return "reply", self._reply(device, body)
            case GapBody():
                return "gap", _gap(body, committed.ep)
            case LogBody():
                fields = ",".join(f"{text(key)}:{text(value)}" for key, value in body.fields)
                return "log", f'"topic":{text(body.topic)},"fields":{{{fields}}}'
            case PropBody():
                raise TypeError("telemetry is no event")

    def _event(self, body: EventBody) -> str:
        return (
            f'"eid":{text(body.eid)},"type":{text(body.type)},"sev":{body.severity},'
            f'"st":{text(body.state)},"p":{text(body.point)},'
            f'"val":{value_text(body.value)},"thr":{value_text(body.threshold)},'
            f'"duty":{text(body.duty)},"detail":{text(body.detail)}'
        )

    def _reply(self, device: DeviceId, body: ReplyBody) -> str:
        pts = ""
        if body.readback is not None:
            column = self._column(device, body.readback.column)
            pts = f',"pts":[{column.render(body.readback)}]'
        return (
            f'"rid":{text(body.rid)},"st":{text(body.status)},"code":{text(body.code)},'
            f'"msg":{text(body.message)},"p":{text(body.point)},'
            f'"val":{value_text(body.value)}{pts}'
        )

    # --- parts that are rendered once

    def _topic(self, kind: str, device: DeviceId) -> str:
        return f"{self._base}/up/{kind}/{device}"

    def _head(self, kind: str, device: DeviceId) -> str:
        head = self._heads.get((kind, device))
        if head is None:
            head = self._heads[kind, device] = (
                f'{{"v":"{VERSION}","k":"{kind}","gw":{text(self._setup.gateway.id)},'
                f'"dev":{text(device)},"kind":{text(self._kinds.get(device, _UNKNOWN_KIND))},"ep":'
            )
        return head

    def _column(self, device: DeviceId, column: PointColumn) -> ColumnText:
        known = self._columns.get((device, column))
        if known is None:
            if len(self._columns) >= _MAX_COLUMNS:
                self._columns.clear()
            known = self._columns[device, column] = ColumnText(column)
        return known

    def _identity(self, committed: Committed) -> str:
        pv = "null" if committed.pv is None else committed.pv
        return f'{committed.ep},"seq":{committed.seq},"pv":{pv},"ts":{committed.record.ts_ms},'

    # --- from the platform

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return commands, letters, acknowledgements, the platform's time; the rest is dropped."""
        if arrival.topic == f"{self._base}/dn/time/{GATEWAY_ITSELF}" and not arrival.is_retained:
            return self._time.answer(arrival, now)
        heard = read_message(arrival, f"{self._base}/dn/")
        if all(one.ep in self._eps for one in heard.acknowledged):
            return heard
        strange = Dropped(arrival.topic, "`ep` is not that of anything that was sent")
        return replace(heard, acknowledged=(), dropped=(strange,))


def _gap(body: GapBody, ep: int) -> str:
    return (
        f'"lane":"{body.lane.value}","of_ep":{ep if body.ep is None else body.ep},'
        f'"from":{value_text(body.from_seq)},"to":{value_text(body.to_seq)},'
        f'"count":{body.count},"cause":{text(body.cause)},'
        f'"from_ts":{value_text(body.from_ms)},"to_ts":{value_text(body.to_ms)}'
    )


SENT = (
    Sent("values", "{root}/1/{site}/{gateway}/up/prop/{device}"),
    Sent("values that waited 30 s, several records", "{root}/1/{site}/{gateway}/up/hist/{device}"),
    Sent("event", "{root}/1/{site}/{gateway}/up/event/{device}"),
    Sent(
        "state of a device or of the gateway, retained; the will",
        "{root}/1/{site}/{gateway}/up/state/{device}",
    ),
    Sent("birth, retained", "{root}/1/{site}/{gateway}/up/birth/{device}"),
    Sent("receipt of a command", "{root}/1/{site}/{gateway}/up/reply/{device}"),
    Sent("gap", "{root}/1/{site}/{gateway}/up/gap/{device}"),
    Sent("audit entry", "{root}/1/{site}/{gateway}/up/log/{device}"),
)
DIALECT = DialectSpec(
    Native, has_app_ack=True, options=NativeOptions, says_old_states=True, sent=SENT
)
