"""One simulated gateway of the native dialect, pure: identity, chains, births, resends.

It makes payloads of its own and shares no code with the gateway, so that an error of one shows
against the other. What it was made to lose on the way it sends when it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from simulators.mqtt5.packets import Prop, Publish, Will
from simulators.tree import branches, leaves

JSON_TYPE = b"application/json"
HIST_ITEMS = 100
SEVERITY = 2
_EP_BITS = 53


@dataclass(frozen=True, slots=True)
class Make:
    """How each gateway of a fleet is made."""

    root: str = "fc"
    site: str = "fleet"
    points: int = 20
    """Values of one record."""
    event_every: int = 50
    """One record in so many is an event; 0 for none."""
    lose: float = 0.0
    """Share of the records that are lost on their way, until they are asked for."""
    double: float = 0.0
    """Share that is sent twice."""
    keep: int = 10_000
    """Records that are kept for a resend; what is older is told to be gone."""
    ack: str = "puback"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A record as it can be sent again."""

    kind: str
    text: str
    """Its fields from `ep` on, without braces and `tp`."""


@dataclass(slots=True)
class Books:
    """What one gateway did."""

    records: int = 0
    readings: int = 0
    lost: int = 0
    """Records that were not sent at first, on purpose."""
    doubled: int = 0
    asked: int = 0
    """Requests to resend that came."""
    resent: int = 0
    confirmed: set[int] = field(default_factory=set[int])
    """Seqs that the platform has confirmed on `dn/ack`."""
    nonsense: int = 0
    """Messages on `dn/ack` that no gateway would understand."""


class SimGateway:
    """Its store is in memory; `ep` is random, as it is with a new store."""

    def __init__(self, name: str, make: Make, chance: Random) -> None:
        self.name = name
        self.ep = chance.getrandbits(_EP_BITS)
        self.seq = 0
        self.books = Books()
        self._make = make
        self._chance = chance
        self._base = f"{make.root}/1/{make.site}/{name}"
        self._previous: dict[str, int] = {}
        self._kept: dict[int, _Kept] = {}
        self._session_ms = 0
        self._meter = "em-01"
        self._names = [f'{{"p":"p{number:02d}","u":"V","v":' for number in range(make.points)]

    @property
    def listens_to(self) -> str:
        """The filter of what it hears."""
        return f"{self._base}/dn/ack/_"

    def will(self, now_ms: int) -> Will:
        """Return its last will, and begin a connection."""
        self._session_ms = now_ms
        return Will(self._topic("state", "_"), self._state(now_ms, "lost"), is_retained=True)

    def hello(self, now_ms: int) -> list[Publish]:
        """Return state and births, as after every connect."""
        gateway: dict[str, Any] = {
            "site": self._make.site, "tz": "Asia/Shanghai", "title": {}, "sw": "linli-sim fleet",
            "prev_ep": None, "ack": self._make.ack, "level": "L2", "devices": 1, "hash": "0",
        }  # fmt: skip
        points = [
            {"p": f"p{number:02d}", "t": "float", "u": "V", "res": 0.1, "pii": "P0", "level": "L1"}
            for number in range(self._make.points)
        ]
        meter: dict[str, Any] = {
            "hash": "0", "vendor": None, "model": None, "title": {}, "loc": {}, "verified": True,
            "pts": points,
        }  # fmt: skip
        return [
            self._retained("state", "_", self._state(now_ms, None)),
            self._retained("birth", "_", self._unstored("birth", "_", now_ms, gateway)),
            self._retained(
                "birth", self._meter, self._unstored("birth", self._meter, now_ms, meter)
            ),
        ]

    def goodbye(self, now_ms: int) -> Publish:
        """Return its state: offline on purpose."""
        return self._retained("state", "_", self._state(now_ms, "stopped"))

    def next_record(self, now_ms: int) -> list[Publish]:
        """Make a record, and return what of it is sent now: nothing, once or twice."""
        every = self._make.event_every
        is_event = every > 0 and (self.seq + 1) % every == 0
        kind, body = ("event", self._event()) if is_event else ("prop", self._values())
        sent = self._committed(kind, self._meter, body, now_ms)
        if self._chance.random() < self._make.lose:
            self.books.lost += 1
            return []
        if self._chance.random() < self._make.double:
            self.books.doubled += 1
            return [sent, sent]
        return [sent]

    def last_words(self, now_ms: int) -> list[Publish]:
        """Return a last record of each lane, which is never lost: it shows what was before it."""
        return [
            self._committed("event", self._meter, self._event(), now_ms),
            self._committed("prop", self._meter, self._values(), now_ms),
        ]

    def received(self, payload: bytes, now_ms: int) -> list[Publish]:
        """Return what is sent again, and a `gap` for what is no longer kept."""
        try:
            asked = branches(json.loads(payload))
            confirmed = self._seqs(asked.get("ranges"))
            wanted = self._seqs(asked.get("resend"))
        except (ValueError, RecursionError):
            self.books.nonsense += 1
            return []
        if asked.get("ep") != self.ep:
            return []
        self.books.confirmed.update(confirmed)
        self.books.asked += bool(wanted)
        return [
            *self._again([seq for seq in wanted if seq in self._kept], now_ms),
            *self._gone([seq for seq in wanted if seq not in self._kept], now_ms),
        ]

    def _seqs(self, found: object) -> list[int]:
        """Return what ranges mean, as far as there are such records; raises ValueError."""
        if found is not None and not isinstance(found, list):
            raise ValueError("no list")
        pairs = [_pair(one) for one in leaves(cast("list[object] | None", found))]
        return [seq for first, last in pairs for seq in range(first, min(last, self.seq) + 1)]

    # --- records

    def _values(self) -> str:
        value = 220 + (self.seq + 1) % 100 / 10
        points = ",".join(f"{name}{value + number}}}" for number, name in enumerate(self._names))
        self.books.readings += len(self._names)
        return f'"pts":[{points}]'

    def _event(self) -> str:
        return (
            f'"eid":"{self.ep:x}-{self.seq + 1}","type":"leak","sev":{SEVERITY},"st":"raised",'
            '"p":"p00","val":true,"thr":null,"duty":null,"detail":null'
        )

    def _committed(self, kind: str, device: str, body: str, now_ms: int) -> Publish:
        self.seq += 1
        self.books.records += 1
        lane = "telemetry" if kind == "prop" else "event"
        previous = self._previous.get(lane)
        self._previous[lane] = self.seq
        pv = "null" if previous is None else previous
        text = f'"ep":{self.ep},"seq":{self.seq},"pv":{pv},"ts":{now_ms},"tq":"sync",{body}'
        self._kept[self.seq] = _Kept(kind, text)
        self._kept.pop(self.seq - self._make.keep, None)
        return self._message(kind, device, text, now_ms)

    def _again(self, seqs: Sequence[int], now_ms: int) -> Iterator[Publish]:
        self.books.resent += len(seqs)
        items: list[str] = []
        for kept in (self._kept[seq] for seq in seqs):
            if kept.kind == "prop":
                items.append(f"{{{kept.text}}}")
            else:
                device = "_" if kept.kind == "gap" else self._meter
                yield self._message(kept.kind, device, kept.text, now_ms)
        for at in range(0, len(items), HIST_ITEMS):
            part = ",".join(items[at : at + HIST_ITEMS])
            head = f'"ep":{self.ep},"seq":null,"pv":null,"ts":{now_ms},"tq":"sync"'
            yield self._message("hist", self._meter, f'{head},"items":[{part}]', now_ms)

    def _gone(self, seqs: Sequence[int], now_ms: int) -> Iterator[Publish]:
        if not seqs:
            return
        for lane in ("telemetry", "event"):
            body = (
                f'"lane":"{lane}","of_ep":{self.ep},"from":{seqs[0]},"to":{seqs[-1]},'
                f'"count":{len(seqs)},"cause":"not_kept","from_ts":null,"to_ts":null'
            )
            yield self._committed("gap", "_", body, now_ms)

    # --- payloads

    def _topic(self, kind: str, device: str) -> str:
        return f"{self._base}/up/{kind}/{device}"

    def _head(self, kind: str, device: str) -> str:
        of = "gateway" if device == "_" else "meter.electricity"
        return f'{{"v":"1.0","k":"{kind}","gw":"{self.name}","dev":"{device}","kind":"{of}"'

    def _message(self, kind: str, device: str, text: str, now_ms: int) -> Publish:
        payload = f'{self._head(kind, device)},"tp":{now_ms},{text}}}'
        return Publish(self._topic(kind, device), payload.encode(), 1)

    def _unstored(self, kind: str, device: str, now_ms: int, body: dict[str, Any]) -> bytes:
        head = f'"ep":{self.ep},"seq":null,"pv":null,"ts":{now_ms},"tp":{now_ms},"tq":"sync"'
        return f"{self._head(kind, device)},{head},{json.dumps(body)[1:]}".encode()

    def _state(self, now_ms: int, reason: str | None) -> bytes:
        body = {
            "online": reason is None,
            "reason": reason or "connected",
            "since": now_ms,
            "sess": self._session_ms,
        }
        return self._unstored("state", "_", now_ms, body)

    def _retained(self, kind: str, device: str, payload: bytes) -> Publish:
        properties = {int(Prop.CONTENT_TYPE): JSON_TYPE}
        return Publish(
            self._topic(kind, device), payload, 1, is_retained=True, properties=properties
        )


def _pair(found: object) -> tuple[int, int]:
    match found:
        case [int(first), int(last)] if 0 <= first <= last:
            return first, last
        case _:
            raise ValueError("no pair [first, last]")
