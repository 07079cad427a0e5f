"""Remote work in the native dialect: signed letters on `dn/cfg/_`, and the exchange of time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.dialects.contract import Dropped, Now, Received
from gateway.dialects.strict_json import NotStrictJson, loads
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.letter import Letter
from gateway.model.publication import Arrival

MAX_LETTER_BYTES = 256 * 1024
LONGEST_TRIP_MS = 10_000
"""An answer that was longer on its way says little of the time, and is not looked at."""
_PARTS = ("protected", "payload", "signature")


@dataclass(frozen=True, slots=True)
class NativeOptions:
    """Settings of the native dialect."""

    ask_time_s: int = field(
        default=0,
        metadata={
            "description": "Ask the platform for the time at every connect and each so many "
            "seconds. Default 0: never.",
            "ge": 0,
            "le": 86_400,
        },
    )


def read_letter(arrival: Arrival, device: DeviceId) -> Received:
    """Return the letter that a message is: a flattened JWS (RFC 7515, 7.2.2), and nothing else."""
    fault = _fault(arrival, device)
    if fault is not None:
        return Received(dropped=(Dropped(arrival.topic, fault),))
    try:
        found = json.loads(arrival.payload)
    except ValueError as error:
        return Received(dropped=(Dropped(arrival.topic, f"no letter: {error}"[:200]),))
    fields = cast("Mapping[str, Any]", found)
    if sorted(fields) != sorted(_PARTS) or not all(
        isinstance(fields[name], str) for name in _PARTS
    ):
        text = f"not signed: a letter has the texts {', '.join(_PARTS)}"
        return Received(dropped=(Dropped(arrival.topic, text),))
    protected, payload, signature = (cast("str", fields[name]) for name in _PARTS)
    return Received(letters=(Letter(arrival.sink, arrival.topic, protected, payload, signature),))


def _fault(arrival: Arrival, device: DeviceId) -> str | None:
    """Return why this cannot be a letter; what passes is flat, so no parser recurses over it."""
    payload = arrival.payload
    if device != GATEWAY_ITSELF:
        return "a configuration is for the gateway: dn/cfg/_"
    if len(payload) > MAX_LETTER_BYTES:
        return f"{len(payload)} bytes; at most {MAX_LETTER_BYTES}"
    if payload[:1] != b"{" or payload.count(b"{") != 1 or b"[" in payload:
        return "not signed: a letter is a flat JSON object"
    return None


class TimeExchange:
    """Asks a platform for its time, and reckons with four moments, as NTP does (RFC 5905, 8).

    The question goes up as a log entry of topic `time` with our `t1`; the answer on `dn/time/_`
    gives `t1` back, with `t2` when the question came and `t3` when the answer left.
    """

    def __init__(self, every_s: int) -> None:
        """Take how often to ask, in seconds; 0 for never."""
        self._every_ms = every_s * 1000
        self._asked_ms: int | None = None
        self._due_ms: int | None = None

    def connected(self) -> None:
        """Begin anew: what was asked on an older connection is not answered on this one."""
        self._asked_ms = None
        self._due_ms = 0 if self._every_ms else None

    def question(self, now: Now) -> Mapping[str, str] | None:
        """Return the fields of a question, where one is due."""
        if self._due_ms is None or now.ms < self._due_ms <= now.ms + self._every_ms:
            return None
        self._asked_ms, self._due_ms = now.ms, now.ms + self._every_ms
        return {"t1": str(now.ms)}

    def answer(self, arrival: Arrival, now: Now) -> Received:
        """Return the platform's clock as it is now; a plain `ts` counts as it is."""
        try:
            return Received(platform_ms=self._reckoned(_object(arrival.payload), now))
        except NotStrictJson as error:
            return Received(dropped=(Dropped(arrival.topic, str(error)),))

    def _reckoned(self, fields: Mapping[str, object], now: Now) -> int:
        if "t1" not in fields:
            return _count(fields, "ts")
        sent, came, left = (_count(fields, name) for name in ("t1", "t2", "t3"))
        if sent != self._asked_ms:
            raise NotStrictJson("`t1` is not that of our last question")
        self._asked_ms = None
        if not 0 <= (now.ms - sent) - (left - came) <= LONGEST_TRIP_MS:
            raise NotStrictJson(f"the way of the answer took more than {LONGEST_TRIP_MS} ms")
        return now.ms + ((came - sent) + (left - now.ms)) // 2


def _object(payload: bytes) -> Mapping[str, object]:
    found: object = loads(payload)
    if not isinstance(found, dict):
        raise NotStrictJson("not a JSON object")
    return cast("Mapping[str, object]", found)


def _count(fields: Mapping[str, object], key: str) -> int:
    found = fields.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise NotStrictJson(f"`{key}` must be an integer from 0")
    return found
