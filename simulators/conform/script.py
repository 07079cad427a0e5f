"""A gateway that plays a script to a platform, and hears on `dn/ack` what the platform makes of it.

Its birth says `ack: app`: the platform confirms what it has stored, and asks for what it misses.
That is all that a gateway can see of a platform; what `dn/ack` cannot prove is listed with
`--expected`, to be held against the platform's own tables.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model.clock import Clock
from simulators.conform.check import Missed
from simulators.conform.steps import FAILURE
from simulators.mqtt5.connection import Connection
from simulators.mqtt5.packets import Prop, Publish
from simulators.tree import branches, leaves

DEVICE = "em-01"
JSON_TYPE = b"application/json"
UNHEARD = 0x10
HARD_VALUES: tuple[dict[str, Any], ...] = (
    {"p": "ep_imp", "u": "kW.h", "v": 9_007_199_254_740_991},  # the largest integer of a double
    {"p": "u_a", "u": "V", "v": 230.0},  # a float still
    {"p": "i_a", "u": "A", "v": 0.1},
    {"p": "i_b", "u": "A", "v": 1e-07},
    {"p": "t_out", "u": "Cel", "v": -40.25},
    {"p": "n_open", "u": "1", "v": 0},
    {"p": "door", "v": False},
    {"p": "title", "v": '3号楼 "东" \\ 1,2=3'},
    {"p": "i_c", "u": "A", "v": None, "q": 0, "qr": "timeout"},
    {"p": "u_b", "u": "V", "v": 231.4, "q": 500, "qr": "stuck", "t": -1500},
)
"""Values that are stored wrongly most often."""
_TYPES = {bool: "bool", int: "int", float: "float", str: "text", type(None): "float"}


@dataclass(slots=True)
class Heard:
    """What the platform has said about one store."""

    confirmed: dict[int, int] = field(default_factory=dict[int, int])
    """How often each seq was confirmed."""
    asked: set[int] = field(default_factory=set[int])
    requests: int = 0


class ScriptedGateway:
    """Publishes what the script says, and keeps what is answered, by `ep`."""

    def __init__(self, link: Connection, names: tuple[str, str], clock: Clock, ep: int) -> None:
        """Take a connection, the base of its topics and its id, and the first epoch."""
        self._link = link
        self._base, self.name = names
        self._clock = clock
        self.ep = ep
        self.heard: dict[int, Heard] = {}
        self.others: dict[int, Heard] = {}
        """What was said to another gateway, in whose name we spoke."""
        self.sent: dict[tuple[int, int], Mapping[str, Any]] = {}
        """By (ep, seq) what must be in the platform's store, once each."""
        self.unheard = 0
        """Publications for which the broker knew nobody."""

    @property
    def mine(self) -> Heard:
        """What was heard about the present store."""
        return self.heard.setdefault(self.ep, Heard())

    # --- what is said

    async def born(self, previous_ep: int | None) -> None:
        """Say state and births."""
        gateway: dict[str, Any] = {
            "hash": "0", "site": "conform", "tz": "Asia/Shanghai", "title": {},
            "sw": "linli-sim conform", "prev_ep": previous_ep, "ack": "app", "level": "L2",
            "devices": 1,
        }  # fmt: skip
        now_ms = self._clock.now_ms()
        state = {"online": True, "reason": "connected", "since": now_ms, "sess": now_ms}
        await self._retain("state", "_", state)
        await self._retain("birth", "_", gateway)
        await self.adds(DEVICE)

    async def adds(self, device: str) -> None:
        """Say the birth of a meter."""
        points = [
            {"p": one["p"], "t": _TYPES[type(one["v"])], "u": one.get("u"), "res": None,
             "pii": "P0", "level": "L1"}
            for one in HARD_VALUES
        ]  # fmt: skip
        await self._retain("birth", device, {
            "hash": "0", "vendor": None, "model": None, "title": {}, "loc": {}, "verified": True,
            "pts": points,
        })  # fmt: skip

    async def removes(self, device: str) -> None:
        """Clear the birth of a meter."""
        await self._publish("birth", device, b"", is_retained=True)

    async def gone(self) -> None:
        """Clear what is retained."""
        for kind, device in (("state", "_"), ("birth", "_"), ("birth", DEVICE)):
            await self._publish(kind, device, b"", is_retained=True)

    async def prop(self, seq: int, pv: int | None, **more: object) -> None:
        """Say one live record."""
        record = {**self.values(seq, pv), **more}
        await self._say("prop", DEVICE, record)
        self._committed(DEVICE, record)

    async def event(self, seq: int, pv: int | None, kind: str, **more: object) -> None:
        """Say one event."""
        body = {
            "eid": f"{self.ep:x}-{seq}", "type": kind, "sev": 1, "st": "raised", "p": None,
            "val": None, "thr": None, "duty": None, "detail": None,
        }  # fmt: skip
        record = {**self._identity(seq, pv), **body, **more}
        await self._say("event", "_", record)
        self._committed("_", record)

    async def gap(self, seq: int, pv: int, first: int, last: int) -> None:
        """Tell telemetry records to be gone for good."""
        body = {
            "lane": "telemetry", "of_ep": self.ep, "from": first, "to": last,
            "count": last - first + 1, "cause": "quota", "from_ts": None, "to_ts": None,
        }  # fmt: skip
        record = {**self._identity(seq, pv), **body}
        await self._say("gap", "_", record)
        self._committed("_", record)

    async def hist(self, *records: tuple[int, int | None]) -> None:
        """Say several records (seq, pv) in one message."""
        items = [self.values(seq, pv) for seq, pv in records]
        whole = {"ep": self.ep, "seq": None, "pv": None, "ts": self._clock.now_ms()}
        await self._say("hist", DEVICE, {**whole, "items": items})
        for item in items:
            self._committed(DEVICE, item)

    async def raw(self, kind: str, payload: bytes) -> None:
        """Say something that is no message of the dialect."""
        await self._publish(kind, DEVICE, payload)

    def values(self, seq: int, pv: int | None) -> dict[str, Any]:
        """Return the fields of a record with values; the same seq says the same for ever."""
        points = [{"p": "u_a", "u": "V", "v": 220.0 + seq / 10}]
        return {**self._identity(seq, pv), "pts": points}

    def _identity(self, seq: int, pv: int | None) -> dict[str, Any]:
        return {"ep": self.ep, "seq": seq, "pv": pv, "ts": 1_763_888_400_000 + seq, "tq": "sync"}

    def _committed(self, device: str, record: Mapping[str, Any]) -> None:
        row = {"gw": self.name, "dev": device, **record}
        self.sent.setdefault((self.ep, record["seq"]), row)

    async def _retain(self, kind: str, device: str, body: Mapping[str, Any]) -> None:
        now_ms = self._clock.now_ms()
        unstored = {"ep": self.ep, "seq": None, "pv": None, "ts": now_ms, **body}
        await self._say(kind, device, unstored, is_retained=True)

    async def _say(
        self, kind: str, device: str, body: Mapping[str, Any], *, is_retained: bool = False
    ) -> None:
        envelope = {
            "v": "1.0", "k": kind, "gw": self.name, "dev": device,
            "kind": "gateway" if device == "_" else "meter.electricity",
            "tp": self._clock.now_ms(), "tq": "sync",
        }  # fmt: skip
        payload = json.dumps({**envelope, **body}, ensure_ascii=False).encode()
        await self._publish(kind, device, payload, is_retained=is_retained)

    async def _publish(
        self, kind: str, device: str, payload: bytes, *, is_retained: bool = False
    ) -> None:
        """Publish; raises Missed when the broker refuses, for which no platform is to be blamed."""
        properties = {int(Prop.CONTENT_TYPE): JSON_TYPE} if is_retained and payload else {}
        topic = f"{self._base}/up/{kind}/{device}"
        code = await self._link.publish(
            Publish(topic, payload, 1, is_retained=is_retained, properties=properties)
        )
        if code >= FAILURE:
            raise Missed(f"the broker refuses {topic} with 0x{code:02x}: try the broker first")
        self.unheard += code == UNHEARD

    # --- what is heard

    async def until(self, is_so: Callable[[], bool], within_s: float) -> bool:
        """Take answers until something holds; return whether it does."""
        try:
            async with asyncio.timeout(within_s):
                while not is_so():
                    self._hear(await self._link.messages.get())
        except TimeoutError:
            pass
        return is_so()

    async def has_confirmed(self, *seqs: int, within_s: float) -> bool:
        """Whether these seqs of the present store are confirmed in time."""
        return await self.until(lambda: set(seqs) <= self.mine.confirmed.keys(), within_s)

    def _hear(self, message: Publish) -> None:
        fields: Mapping[str, Any] = {}
        try:
            fields = branches(json.loads(message.payload))
        except ValueError:
            return
        ep = fields.get("ep")
        books = self.heard if message.topic == f"{self._base}/dn/ack/_" else self.others
        heard = books.setdefault(ep if isinstance(ep, int) else -1, Heard())
        for seq in _seqs(fields.get("ranges")):
            heard.confirmed[seq] = heard.confirmed.get(seq, 0) + 1
        wanted = set(_seqs(fields.get("resend")))
        heard.asked |= wanted
        heard.requests += bool(wanted)


def _seqs(pairs: object) -> Iterator[int]:
    """Yield the numbers of ranges; a range that makes no sense has none."""
    for pair in leaves(pairs):
        match leaves(pair):
            case [int(first), int(last)]:
                yield from range(first, min(last, first + 100_000) + 1)
            case _:
                pass
