"""P1: kill -9 at random moments under load, early ones while it starts among them.

After every kill the dead gateway's store is copied and read by itself, so that what was committed
is known from the disk and not from the gateway's word.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from tests.e2e.kit_gateway import depth, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_store import stored_records
from tests.faults.audit import audit
from tests.faults.books import CommittedBook, ReceivedBook
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.dense_load import PROFILE, PROFILE_TEXT, DenseSlave, site_text
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import mosquitto

UNITS = 8
LONGEST_LIFE_S = 1.6
EARLY_SHARE = 0.2
READINGS = 1_000_000
MARGIN = 200
"""Records before the end of the last look that are read again: what is told late lies behind."""


def run(stage: Stage) -> Verdict:
    """Kill, look at the disk, start again; then compare the books."""
    kills = stage.times(200, 4)
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    base = stage.folder
    committed = CommittedBook()
    write_profile(base, PROFILE, PROFILE_TEXT)
    with (
        mosquitto(base, "max_inflight_messages 0") as broker,
        DenseSlave() as slave,
        Platform(broker.port) as platform,
    ):
        text = site_text(
            broker.port, slave.port, units=UNITS, settings={"store": "{commit_every: 200ms}"}
        )
        site = write_site(base, text)
        done, seen = 0, 0
        while done < kills or (not stage.is_short and _readings(platform) < READINGS):
            _one_life(site, base, chance)
            done += 1
            stored = stored_records(base / "state", after=max(0, seen - MARGIN))
            committed.take_stored(stored)
            seen = max((record["seq"] for record in stored), default=seen)
        with GatewayProcess(site, Folders(base)) as gateway:
            gateway.wait_ready()
            until(lambda: depth(gateway) < 4 * UNITS, "the arrears are delivered")
            assert gateway.stop() == 0
        committed.take_stored(stored_records(base / "state"))
        platform.wait(
            lambda: (
                len({(r["ep"], r["seq"]) for r in platform.records()}) >= len(committed.entries)
            ),
            "all committed ones",
        )
        received = ReceivedBook.of(platform.so_far())
        found = audit(slave, committed, received)
        readings = _readings(platform)
    assert found.is_clean, found.sentence()
    assert len({identity.ep for identity in committed.entries}) == 1, "a kill cost the store"
    assert found.checked > 1000
    return holds(
        f"{done} kills, {readings:,} readings; {found.sentence()}",
        kills=done,
        readings=readings,
        **found.figures(),
    )


def _one_life(site: Path, base: Path, chance: Random) -> None:
    with GatewayProcess(site, Folders(base)) as gateway:
        if chance.random() >= EARLY_SHARE:
            gateway.wait_ready()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # the random moment
        gateway.kill()


def _readings(platform: Platform) -> int:
    return platform.auditor.values


ROW = Row(
    id="P1",
    fault="kill -9 at random moments under load",
    tool="SIGKILL",
    must_hold="nothing committed is lost, no value is false",
    goal="0 lost and 0 false over 200 kills with a million readings",
    run=run,
)
