"""OSDP: what the gateway asks of the protocol."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.contract import (
    Decoded,
    FrameError,
    Moment,
    Quirks,
    Raw,
    Session,
    SessionDevice,
    Wanted,
    WireSettings,
)
from drivers.osdp.codec import BROADCAST, HEAD, MARK, Frame, open_frame
from drivers.osdp.content import (
    COMMANDS,
    KEYSET,
    NAK,
    REPLIES,
    SECRET_REPLIES,
    Card,
    Keys,
    States,
    address_of,
    named,
    raw_of,
    read,
)
from drivers.osdp.reader import Random
from drivers.osdp.session import OsdpSession

SETTING = "9600 8N1"
LONGEST_RESPONSE_S = 0.2
ENCRYPTED = frozenset({0x17, 0x18})


@dataclass(frozen=True, slots=True)
class OsdpDriver:
    """See `drivers.contract.SessionDriver`; `random` gives the nonces of secure channels."""

    random: Random = secrets.token_bytes

    @property
    def wire(self) -> WireSettings:
        """The usual line; the session keeps its gaps itself."""
        return WireSettings(serial=SETTING, longest_response_s=LONGEST_RESPONSE_S)

    def parse_unit(self, address: object) -> int:
        """Return the address of a device.

        Raises:
            ValueError: it is none, and what to write.
        """
        text = str(address).strip()
        is_number = not isinstance(address, bool | float) and text.isascii() and text.isdecimal()
        if not is_number or len(text) > 3 or int(text) >= BROADCAST:  # noqa: PLR2004 - 126
            raise ValueError(f"{address!r} is no address of a reader; write a number from 0 to 126")
        return int(text)

    def silent_after_s(self, quirks: Quirks) -> None:  # noqa: ARG002 - SessionDriver
        """Return None: the session itself says who is silent."""
        return

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; what is encrypted stays as it is, for want of a key."""
        del request
        try:
            one = open_frame(frame)
        except FrameError as error:
            # A damaged frame may carry a card all the same.
            rest = slice(min(HEAD, len(frame)), len(frame))
            return Decoded(ok=False, error=str(error), frame={}, spans_secret=(rest,))
        fields, spans = _fields(one, frame), _secret_spans(one, frame)
        error, told = _direction_error(one, direction), None
        if error is None and one.is_reply and one.scs not in ENCRYPTED:
            try:
                told = read(one.code, one.content)
            except ValueError as why:
                error = str(why)
        return Decoded(
            ok=error is None,
            error=error,
            frame=fields,
            raw=_raw(wanted, told),
            spans_secret=spans,
            values=tuple(named(told)),
            unit=None if one.address == BROADCAST else one.address,
        )

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Session:
        """Return the session of a line."""
        return OsdpSession(devices, self.random, now)


def _direction_error(frame: Frame, direction: str) -> str | None:
    if direction == "request" and frame.is_reply:
        return "it is a reply, not a command"
    if direction == "response" and not frame.is_reply:
        return "it is a command, not a reply"
    return None


def _fields(frame: Frame, octets: bytes) -> Mapping[str, Any]:
    names = REPLIES if frame.is_reply else COMMANDS
    fields: dict[str, Any] = {
        "address": frame.address,
        "reply": frame.is_reply,
        "length": len(octets.removeprefix(bytes((MARK,)))),
        "sequence": frame.sequence,
        "crc": frame.has_crc,
        "security_block": bool(frame.scb),
        "code": f"{frame.code:02X}",
    }
    if frame.scb:
        fields["scb"] = frame.scb.hex().upper()
    if frame.code in names:
        fields["reply_name" if frame.is_reply else "command"] = names[frame.code]
    if frame.is_reply and frame.code == NAK and frame.content and not frame.mac:
        fields["nak"] = frame.content[0]
    return fields


def _secret_spans(frame: Frame, octets: bytes) -> tuple[slice, ...]:
    """Return where a card, digits or a key stand."""
    is_secret = frame.code in SECRET_REPLIES if frame.is_reply else frame.code == KEYSET
    if not is_secret or not frame.content:
        return ()
    after = (2 if frame.has_crc else 1) + len(frame.mac)
    return (slice(len(octets) - after - len(frame.content), len(octets) - after),)


def _raw(wanted: Sequence[Wanted], told: Card | Keys | States | None) -> Mapping[int, Raw | None]:
    found = {want.key: raw_of(address_of(want.address), told) for want in wanted}
    return {key: raw for key, raw in found.items() if raw is not None}
