"""A gateway under a dense load for one fault: broker, field, subscriber, and its three books."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.kit_gateway import depth, until, write_profile, write_site
from tests.e2e.kit_platform import Message, Platform
from tests.e2e.kit_store import stored_records
from tests.faults.audit import Audit, audit
from tests.faults.books import CommittedBook, ReceivedBook
from tests.faults.dense_load import PROFILE, PROFILE_TEXT, DenseSlave, site_text
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import Mosquitto, mosquitto

UNITS = 4
OFTEN = {"store": "{commit_every: 200ms}"}
LOOK_S = 0.01


@dataclass
class House:
    """All that a row needs of a gateway at work."""

    base: Path
    site: Path
    broker: Mosquitto
    slave: DenseSlave
    platform: Platform
    committed: CommittedBook = field(default_factory=CommittedBook)

    def gateway(
        self, *, module: str = "gateway.cli.main", environment: Mapping[str, str] | None = None
    ) -> GatewayProcess:
        """Start a life."""
        return GatewayProcess(self.site, Folders(self.base), module=module, environment=environment)

    def note_stored(self) -> int:
        """Note what the store of the gateway that has ended holds; return how much it is."""
        stored = stored_records(self.base / "state")
        self.committed.take_stored(stored)
        return len(stored)

    def deliver(self) -> None:
        """Run one more life until the arrears are delivered, and note what it stored."""
        with self.gateway() as gateway:
            gateway.wait_ready()
            self.received(8 * UNITS)  # it is connected: its last words reach the platform
            until(lambda: depth(gateway) < 8 * UNITS, "the arrears are delivered")
            assert gateway.stop() == 0
        self.note_stored()

    def judge(self, *, wait: bool = True) -> Audit:
        """Compare the books, once everything that was committed has come."""
        if wait:
            wanted = self.committed.entries.keys()
            self.platform.wait(
                lambda: len(wanted) <= self.platform.auditor.received, "all committed ones"
            )
        return audit(self.slave, self.committed, ReceivedBook.of(self.platform.so_far()))

    def polls(self) -> int:
        """Return how many requests the field has had."""
        return sum(self.slave.polls.values())

    def received(self, more: int) -> None:
        """Return when that many further records came."""
        wanted = self.platform.auditor.received + more
        self.platform.wait(lambda: self.platform.auditor.received >= wanted, f"{more} records")


@contextmanager
def house(
    base: Path,
    *,
    units: int = UNITS,
    profile: str = PROFILE_TEXT,
    settings: Mapping[str, str] = OFTEN,
    broker_lines: Sequence[str] = ("max_inflight_messages 0",),
    subscriber: str | None = None,
) -> Generator[House]:
    """Yield a house whose gateway does not run yet.

    A `subscriber` with a name has a session that outlives a broker which hangs for longer than
    its keep-alive, and one that is restarted: what this one acknowledged, it still delivers.
    """
    write_profile(base, PROFILE, profile)
    kept = () if subscriber is None else _persistence(base / "broker")
    with (
        mosquitto(base, *broker_lines, *kept) as broker,
        DenseSlave() as slave,
        Platform(broker.port, name=subscriber) as platform,
    ):
        text = site_text(broker.port, slave.port, units=units, settings=settings)
        yield House(base, write_site(base, text), broker, slave, platform)


def _persistence(folder: Path) -> Sequence[str]:
    folder.mkdir()
    return "persistence true", f"persistence_location {folder}/"


def events(platform: Platform, kind: str, state: str = "raised") -> list[Message]:
    """Return the events of this type and state that came."""
    return [
        message
        for message in platform.of("event")
        if (message.body["type"], message.body["st"]) == (kind, state)
    ]


def seen_within(is_true: Callable[[], Any], seconds: float) -> float:
    """Return after how many seconds something held; infinity when it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if is_true():
            return time.monotonic() - began
        time.sleep(LOOK_S)
    return float("inf")
