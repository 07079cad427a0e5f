"""SIA DC-09: what the gateway asks of the protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from drivers.contract import (
    Decoded,
    Moment,
    NamedValue,
    Quirks,
    Raw,
    Session,
    SessionDevice,
    Wanted,
    WireSettings,
)
from drivers.dc09.address import Dc09Quirks
from drivers.dc09.codec import (
    HEAD,
    Envelope,
    Length,
    Message,
    open_envelope,
    read_body,
)
from drivers.dc09.content import Content, read_content
from drivers.dc09.events import Event, read_events
from drivers.dc09.match import address_of, raw_of
from drivers.dc09.memory import Account
from drivers.dc09.session import Dc09Session

ANSWERS = frozenset({"ACK", "NAK", "DUH", "RSP"})
_ACCOUNT = re.compile(r"[0-9A-Fa-f]{1,16}")
_SECRET = re.compile(rb"\[K([^\[\]]*)\]")


class Dc09Driver:
    """See `drivers.contract.SessionDriver`."""

    @property
    def wire(self) -> WireSettings:
        """Streams and datagrams: nothing between frames."""
        return WireSettings()

    def parse_unit(self, address: object) -> Account:
        """Return the unit key of an account: its digits, letters upper case, with its memory.

        Raises:
            ValueError: it is no account, and what to write.
        """
        text = str(address).strip().removeprefix("#")
        if isinstance(address, bool | float) or not _ACCOUNT.fullmatch(text):
            raise ValueError(
                f"{address!r} is no account; write the account of the panel, 1 to 16 hexadecimal "
                'digits such as "1234"'
            )
        return Account(text.upper())

    def silent_after_s(self, quirks: Quirks) -> float:
        """Return the supervision time: panels open a connection for every message."""
        supervise_s = quirks.supervise_s if isinstance(quirks, Dc09Quirks) else 0
        return float(supervise_s) or inf

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; encrypted content stays as it is, for want of a key."""
        del direction, request
        try:
            envelope = open_envelope(frame)
            message = read_body(envelope.body)
        except ValueError as why:
            return Decoded(ok=False, error=str(why), frame={})
        fields = _header(envelope, message)
        content, events, error = None, (), envelope.error
        try:
            content = _content(message) if error is None else None
            events = () if content is None else _events(message, content)
        except ValueError as why:
            error = str(why)
        if error is not None:
            # What cannot be read may name users, or carry a key.
            whole = slice(frame.index(b"[", HEAD) + 1, len(frame) - 1)
            return Decoded(ok=False, error=error, frame=fields, spans_secret=(whole,))
        return Decoded(
            ok=True,
            error=None,
            frame={**fields, **_said(content, events)},
            raw=_raw(wanted, events, content),
            spans_secret=(*_key_spans(frame), *_user_spans(frame, events)),
            values=tuple(_values(events)),
            unit=message.account or None,
        )

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Session:
        """Return the session of a new connection."""
        return Dc09Session(devices, now)


def _header(envelope: Envelope, message: Message) -> dict[str, Any]:
    return {
        "crc": envelope.crc,
        "length_field": envelope.length_field,
        "crc_ok": envelope.crc.upper() == envelope.expected_crc,
        "length_ok": envelope.length is Length.RIGHT,
        "length_form": str(envelope.length),
        "encrypted": message.is_encrypted,
        "token": message.ident,
        "sequence": message.sequence,
        "receiver": message.receiver,
        "line": message.line,
        "account": message.account,
    }


def _content(message: Message) -> Content | None:
    return None if message.is_encrypted else read_content(message.content)


def _events(message: Message, content: Content) -> tuple[Event, ...]:
    return () if message.ident in ANSWERS else read_events(message.ident, content.data)


def _said(content: Content | None, events: Sequence[Event]) -> Mapping[str, Any]:
    """Return the fields of the content; of extended data only the letters, of users nothing."""
    if content is None:
        return {}
    return {
        "extended": [one[:1] for one in content.extended],
        "time": None if content.time is None else content.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "events": [
            {
                "code": event.code,
                "qualifier": str(event.qualifier),
                "partition": event.partition,
                "zone": event.zone,
                "user": "hidden" if event.user is not None else None,
                "text": event.text if not event.is_of_user else "",
            }
            for event in events
        ],
    }


def _raw(
    wanted: Sequence[Wanted], events: Sequence[Event], content: Content | None
) -> Mapping[int, Raw | None]:
    raw: dict[int, Raw | None] = {}
    for event in events:
        for want in wanted:
            value = raw_of(address_of(want.address), event, content.time if content else None)
            if value is not None:
                raw[want.key] = value
    return raw


def _values(events: Sequence[Event]) -> Iterator[NamedValue]:
    for event in events:
        yield NamedValue("last_event", event.summary)


def _key_spans(frame: bytes) -> Iterator[slice]:
    """Yield where keys stand that a panel sends (extended data K)."""
    for match in _SECRET.finditer(frame):
        yield slice(match.start(1), match.end(1))


def _user_spans(frame: bytes, events: Sequence[Event]) -> Iterator[slice]:
    """Yield where the data stand when they name users: all of them, numbers and texts."""
    if any(event.is_of_user for event in events):
        start = frame.index(b"[", HEAD) + 1
        yield slice(start, frame.index(b"]", start))
