"""What the uplink rows share: a counting field, a gateway beside it, and the audit at the end.

with Scene(stage.folder) as scene, mosquitto(stage.folder) as broker:
    with Platform(broker.port) as platform, scene.gateway(url_of(broker)) as gateway:
        ...
        scene.settled(gateway)
        gateway.stop()
        found = scene.audited(platform)
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from types import TracebackType
from typing import Any, Self

from gateway.model.ids import SinkName
from gateway.ops.clock import SystemClock
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Store
from tests.e2e.kit_gateway import linli, sink_status, status, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.e2e.kit_store import stored_records
from tests.faults.audit import Audit, audit
from tests.faults.books import CommittedBook, Counters, ReceivedBook
from tests.faults.contract import Stage
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import Mosquitto

SINK = "platform"
GATEWAY, SITE = "gw-u", "faults"
BASE_TOPIC = f"fc/1/{SITE}/{GATEWAY}"
MARKER = f"fc/1/{SITE}/marker/up/log/_"
"""Published by the subscriber itself: behind it there is nothing more."""
SHORT_SLACK = 3.0
"""The short form runs on a machine with other work: its times may be this much longer."""
PROFILE = """\
version: 1
profile: faults/counter
vendor: test
model: counter
title: {en: Counter, zh: 计数器}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the fault matrix]
groups: {power: 100ms, state: 100ms, slow: 1h}
defaults: {group: power, pii: P0, level: L1}
points:
  count: {register: 0, type: u32, unit: V, value: int}
  old: {register: 10, type: u32, unit: V, value: int, group: slow}
  wet:
    table: discrete
    register: 0
    group: state
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}}]
"""


class Field(Slave):
    """Every read of a unit finds its counter one higher; what was served is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.served = Counters()
        self.counts: dict[int, int] = {}
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self.counts[unit] = self.counts.get(unit, 0) + 1
        self.put(unit, 0, count >> 16, count)
        # The gateway of these rows lives on the same clock.
        self.served.put(f"em-{unit}", "count", count, time.time_ns() // 1_000_000)


class Scene:
    """A field of `units` devices, and the folder of the gateway that reads it."""

    def __init__(self, folder: Path, *, units: int = 3) -> None:
        """Take an empty folder; the field listens as soon as the block is entered."""
        self.base = folder / "gateway"
        self.base.mkdir(parents=True)
        self.units = units
        self.field = Field()

    def __enter__(self) -> Self:
        """Write the profile, start the field."""
        write_profile(self.base, "faults/counter", PROFILE)
        self.field.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the field."""
        self.field.__exit__(kind, error, trace)

    @property
    def folders(self) -> Folders:
        """The folders of the gateway."""
        return Folders(self.base)

    @property
    def state(self) -> Path:
        """Where its store is."""
        return self.base / "state"

    def site(self, url: str, more: str = "", sinks: str = "") -> Path:
        """Write a site with the sink `platform` at this URL; `more` are further keys of it.

        `sinks` replaces the line of that sink altogether.
        """
        line = f'  {SINK}: {{dialect: native, url: "{url}"{more}}}'
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: {GATEWAY}, site: {SITE}, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
{sinks or line}
buses:
  tcp: {{tcp: "127.0.0.1:{self.field.port}"}}
devices:
  - id: "em-{{n}}"
    each: {{n: 1..{self.units}}}
    profile: faults/counter
    bus: tcp
    address: "{{n}}"
""",
        )

    @contextmanager
    def gateway(self, url: str, more: str = "") -> Generator[GatewayProcess]:
        """Run the gateway until the block ends."""
        with GatewayProcess(self.site(url, more), self.folders) as process:
            process.wait_ready()
            yield process

    def wet(self, unit: int, *, is_on: bool) -> float:
        """Raise or clear the alarm of a device; return the moment."""
        self.field.put_bit(unit, 0, is_on=is_on)
        return time.monotonic()

    def audited(self, platform: Platform) -> Audit:
        """Compare the three books of a gateway that has ended."""
        everything(platform)
        return self.compared(platform.so_far())

    def compared(self, messages: Iterable[Any]) -> Audit:
        """Compare the three books, the received one being these messages."""
        committed = CommittedBook(sink=SINK)
        committed.take_stored(stored_records(self.state, SINK))
        committed.take_refused(self.refused())
        return audit(self.field.served, committed, ReceivedBook.of(messages))

    def refused(self) -> list[dict[str, Any]]:
        """Return what the platform refused, from the store of a gateway that has ended."""
        with tempfile.TemporaryDirectory(prefix="linli-store-") as folder:
            copy = Path(copytree(self.state / "outbox", Path(folder) / "outbox"))
            return [json.loads(line) for line in asyncio.run(_refused_lines(copy))]

    def linli(self, *words: str) -> str:
        """Return what a command beside the gateway prints."""
        done = linli(self.base, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


async def _refused_lines(folder: Path) -> list[str]:
    clock = SystemClock(lambda: True)
    async with Outbox.open(folder, Store(), clock, (SinkName(SINK),)) as outbox:
        return await outbox.refused_lines()


def url_of(broker: Mosquitto) -> str:
    """Return the URL of a broker on the loopback."""
    return f"mqtt://127.0.0.1:{broker.port}"


def committed(gateway: GatewayProcess, records: int) -> None:
    """Return when so many records are committed."""
    until(lambda: status(gateway)["committed"] >= records, f"{records} committed")


def settled(gateway: GatewayProcess, sink: str = SINK) -> None:
    """Return when nothing waits that was there when we asked."""
    target = status(gateway)["outbox"]["last_seq"]

    def is_past() -> bool:
        depths = status(gateway)["outbox"]["depths"]
        return all(
            each["done_upto"] >= target or each["depth"] == 0
            for each in depths
            if each["sink"] == sink
        )

    until(is_past, f"delivery up to {target}")


def everything(platform: Platform) -> None:
    """Return when the subscriber has all that the broker has for it."""
    before = len(platform.so_far())
    platform.publish(MARKER, b"")
    platform.wait(
        lambda: any(m.topic == MARKER for m in platform.messages[before:]), "the end of all"
    )


def lost_after(gateway: GatewayProcess, began_ms: int) -> float:
    """Return seconds from `began_ms` (its clock) until the uplink had found itself cut off."""
    until(lambda: not sink_status(gateway)["connected"], "the loss is noticed")
    return (sink_status(gateway)["since"] - began_ms) / 1000


def within(stage: Stage, seconds: float, limit_s: float, what: str) -> None:
    """Hold a time against its limit, with slack in the short form."""
    allowed = limit_s * (SHORT_SLACK if stage.is_short else 1.0)
    assert seconds <= allowed, f"{what}: {seconds:.1f} s, allowed {allowed:g} s"


def clean(found: Audit) -> None:
    """Hold that nothing was lost, false or silent.

    Out of order is no fault here: after an outage what is live goes before what waited.
    """
    faults = found.lost, found.false, found.untold, found.broken, found.unmatched, found.unreadable
    assert not any(faults), found.sentence()


def keepalive_s(stage: Stage) -> int:
    """Return the keep-alive: the default in the full form, a shorter one to save time."""
    return stage.times(10, 3)


def found_within_s(stage: Stage) -> float:
    """Return the longest time until a dead link is found: 15 s at a keep-alive of 10 s."""
    return 1.5 * keepalive_s(stage)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
