"""A process with one outbox and one subscriber on its standard output; made to be killed.

    python -m tests.faults.sabotage.station FOLDER --records 2000 [--deaf] [--rate N]

It prints `C` and the record as JSON for everything that `append` returned, and `R`, topic and
payload for everything that it delivered, before it counts as acknowledged. `--deaf` hands records
out and gets no acknowledgement, like a platform that is frozen. It ends when all is delivered.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway.dialects.contract import Now
from gateway.dialects.native.dialect import Native
from gateway.model.clock import TimeQuality
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Record, StateChange
from gateway.ops.clock import SystemClock
from gateway.outbox.outbox import Outbox
from gateway.outbox.stats import committed_line
from gateway.outbox.walk import Room
from gateway.settings.site import Store
from tests.support.natives import METER, births, prop, setup

SINK = SinkName("platform")
BATCH = 20
ROOM = Room(events=20, live=200, backfill=200)
DEVICE = METER


class Station:
    """The outbox with its writer and its reader."""

    def __init__(self, outbox: Outbox, *, is_deaf: bool) -> None:
        """Take the open outbox."""
        self._outbox, self._is_deaf = outbox, is_deaf
        self._feed = outbox.feed(SINK)
        self._clock = SystemClock(lambda: True)
        self._dialect = Native(replace(setup(max_level="L4"), ep=outbox.ep))
        now = self._now()
        self._dialect.connect_spec(now)
        self._dialect.connected(births("L4"), (), now)

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), TimeQuality.SYNC)

    async def write(self, records: int, pause_s: float = 0.0) -> None:
        """Append so many records, some at a time, and tell what is promised."""
        first = self._outbox.last_seq
        for start in range(first, first + records, BATCH):
            now_ms = self._clock.now_ms()
            fresh = [
                Record(DEVICE, now_ms, TimeQuality.SYNC, prop(float(n), 2.0 * n, 3 * n))
                for n in range(start, start + BATCH)
            ]
            appended = await self._outbox.append(fresh)
            for batch in appended.batches:
                for place, record in enumerate(batch.records):
                    each = Committed(record, batch.ep, batch.first_seq + place, None)
                    _say("C", committed_line(each, batch.lane))
            await self.deliver()
            if pause_s:
                await asyncio.sleep(pause_s)

    async def deliver_all(self) -> None:
        """Deliver all that waits, and what the outbox then has to tell."""
        told = -1
        while told != self._outbox.last_seq:
            told = self._outbox.last_seq
            while await self.deliver():
                pass
            await self._outbox.append((), [StateChange("station", "end", told)])

    async def deliver(self) -> bool:
        """Deliver what there is room for; False when nothing waits."""
        batch = await self._feed.take(ROOM)
        if batch is None:
            return False
        if self._is_deaf:
            return True
        try:
            self._publish(batch.items, is_backfill=batch.is_backfill)
        except ValueError:  # as in app/sink: what cannot be encoded stops nothing
            for each in batch.items:
                try:
                    self._publish((each,), is_backfill=batch.is_backfill)
                except ValueError:
                    self._feed.refused(batch.lane, (each.seq,), "poison")
        return True

    def _publish(self, records: Sequence[Committed], *, is_backfill: bool) -> None:
        encoded = self._dialect.encode(records, self._now(), is_backfill=is_backfill)
        for publication in encoded.publications:
            _say("R", f"{publication.topic}\t{publication.payload.decode()}")
            self._feed.done(publication.lane, publication.covers)


def _say(kind: str, text: str) -> None:
    sys.stdout.write(f"{kind} {text}\n")
    sys.stdout.flush()


async def _run(given: argparse.Namespace) -> None:
    clock = SystemClock(lambda: True)
    async with Outbox.open(given.folder, Store(), clock, (SINK,)) as outbox:
        station = Station(outbox, is_deaf=given.deaf)
        await station.write(given.records, BATCH / given.rate if given.rate else 0.0)
        await station.deliver_all()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--rate", type=float, help="records a second; as fast as it goes if not")
    parser.add_argument("--deaf", action="store_true")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
