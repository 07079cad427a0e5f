"""Many short lives of one gateway under a dense load, and the three books of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.kit_gateway import depth, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_store import stored_records
from tests.faults.audit import Audit, audit
from tests.faults.books import CommittedBook, ReceivedBook
from tests.faults.dense_load import PROFILE, PROFILE_TEXT, DenseSlave, site_text
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import mosquitto

UNITS = 8
MARGIN = 200
"""Records before the end of the last look that are read again: what is told late lies behind."""


@dataclass(frozen=True, slots=True)
class Told:
    """What all lives came to."""

    lives: int
    readings: int
    found: Audit


def live_many(
    base: Path, live: Callable[[GatewayProcess], None], *, lives: int, readings: int = 0
) -> Told:
    """Run so many lives, and more until so many readings came; compare the books at the end.

    `live` gets the gateway just started and ends it. After each life the store is copied and read
    by itself: what was committed is known from the disk and not from the gateway's word.
    """
    committed = CommittedBook()
    write_profile(base, PROFILE, PROFILE_TEXT)
    with (
        mosquitto(base, "max_inflight_messages 0") as broker,
        DenseSlave() as slave,
        Platform(broker.port) as platform,
    ):
        often = {"store": "{commit_every: 200ms}"}
        text = site_text(broker.port, slave.port, units=UNITS, settings=often)
        site = write_site(base, text)
        done = seen = 0
        while done < lives or platform.auditor.values < readings:
            with GatewayProcess(site, Folders(base)) as gateway:
                live(gateway)
            done += 1
            stored = stored_records(base / "state", after=max(0, seen - MARGIN))
            committed.take_stored(stored)
            seen = max((record["seq"] for record in stored), default=seen)
        with GatewayProcess(site, Folders(base)) as gateway:
            gateway.wait_ready()
            until(lambda: depth(gateway) < 4 * UNITS, "the arrears are delivered")
            assert gateway.stop() == 0
        committed.take_stored(stored_records(base / "state"))
        wanted = len(committed.entries)
        platform.wait(
            lambda: platform.auditor.received >= wanted, f"{wanted} committed ones are received"
        )
        found = audit(slave, committed, ReceivedBook.of(platform.so_far()))
        assert len({identity.ep for identity in committed.entries}) == 1, "a life cost the store"
        return Told(done, platform.auditor.values, found)
