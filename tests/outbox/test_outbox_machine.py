"""Identity, `pv` and delivery against a plain model, in any order of what can happen."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from outbox_support import NORTH, SOUTH, ManualClock, an_outbox, event, take_all, values

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane, Record
from gateway.outbox.feed import FeedBatch, Room
from gateway.outbox.outbox import Outbox

SINKS = (NORTH, SOUTH)
WHO = st.sampled_from([None, None, None, NORTH, SOUTH])


@dataclass
class ModelSink:
    """What a sink is owed and what it did, by seq, per lane."""

    owed: dict[Lane, dict[int, Record]] = field(default_factory=lambda: {lane: {} for lane in Lane})
    done: set[int] = field(default_factory=set[int])
    flying: dict[int, Lane] = field(default_factory=dict[int, Lane])
    seen: dict[int, Committed] = field(default_factory=dict[int, Committed])

    def pv(self, lane: Lane, seq: int) -> int | None:
        return max((each for each in self.owed[lane] if each < seq), default=None)

    def open_seqs(self) -> list[int]:
        return sorted(seq for lane in Lane for seq in self.owed[lane] if seq not in self.done)


class OutboxMachine(RuleBasedStateMachine):
    """Everything the pipeline, the uplink, a restart and a kill can do."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.home = Path(tempfile.mkdtemp())
        self.folder = self.home / "0"
        self.lives = 0
        self.clock = ManualClock()
        self.model = {sink: ModelSink() for sink in SINKS}
        self.counter = 0
        self.outbox = self._enter()
        self.ep = self.outbox.ep

    def _enter(self) -> Outbox:
        outbox = an_outbox(self.folder, self.clock, SINKS, recent_readings=6)
        return self.runner.run(outbox.__aenter__())

    @rule(events=st.lists(WHO, max_size=2), telemetry=st.lists(WHO, max_size=4))
    def append(self, events: list[SinkName | None], telemetry: list[SinkName | None]) -> None:
        records: list[Record] = []
        for who in telemetry:
            self.counter += 1
            records.append(values(self.counter, 0.5, sink=who))
        for who in events:
            self.counter += 1
            records.append(event(f"e{self.counter}", who))
        appended = self.runner.run(self.outbox.append(records))
        assert appended.is_durable
        given = [
            (batch.first_seq + place, record)
            for batch in appended.batches
            for place, record in enumerate(batch.records)
        ]
        assert [record.lane for _, record in given] == sorted([record.lane for record in records])
        for seq, record in given:
            for sink in SINKS:
                if record.sink in (None, sink):
                    self.model[sink].owed[record.lane][seq] = record

    @rule(
        sink=st.sampled_from(SINKS),
        room=st.builds(Room, st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)),
    )
    def take(self, sink: SinkName, room: Room) -> None:
        batch = self.runner.run(self.outbox.feed(sink).take(room))
        if batch is not None:
            assert len(batch.items) <= max(room.events, room.live, room.backfill)
            self._check(sink, batch)

    def _check(self, sink: SinkName, batch: FeedBatch) -> None:
        model = self.model[sink]
        for each in batch.items:
            assert each.seq not in model.done
            assert each.seq not in model.flying
            assert each.ep == self.ep
            assert each.record == model.owed[batch.lane][each.seq]
            assert each.pv == model.pv(batch.lane, each.seq)
            assert model.seen.setdefault(each.seq, each) == each
            model.flying[each.seq] = batch.lane

    @rule(sink=st.sampled_from(SINKS), chance=st.randoms(use_true_random=False))
    def settle(self, sink: SinkName, chance: Random) -> None:
        model, feed = self.model[sink], self.outbox.feed(sink)
        for seq in list(model.flying):
            choice = chance.choice(["done", "done", "done", "wait", "refused", "again"])
            if choice == "wait":
                continue
            lane = model.flying.pop(seq)
            if choice == "again":
                feed.again(lane, [seq])
                continue
            model.done.add(seq)
            if choice == "refused":
                feed.refused(lane, [seq], "not authorised")
            else:
                feed.done(lane, [seq])

    @rule(sink=st.sampled_from(SINKS))
    def disconnect(self, sink: SinkName) -> None:
        self.outbox.feed(sink).requeue()
        self.model[sink].flying.clear()

    @rule(seconds=st.sampled_from([0.1, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.clock.pass_s(seconds)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.outbox.__aexit__(None, None, None))
        self.outbox = self._enter()
        assert self.outbox.ep == self.ep
        for model in self.model.values():
            model.flying.clear()

    @rule()
    def kill(self) -> None:
        self.lives += 1
        copy = self.home / str(self.lives)
        shutil.copytree(self.folder, copy)
        self.runner.run(self.outbox.__aexit__(None, None, None))
        shutil.rmtree(self.folder)
        self.folder = copy
        self.outbox = self._enter()
        assert self.outbox.ep == self.ep
        for sink, model in self.model.items():
            model.flying.clear()
            # What was done since the last commit is forgotten: it may come again, as it was.
            model.done = {
                seq
                for lane in Lane
                for seq in model.owed[lane]
                if self.outbox.feed(sink).progress(lane).is_done(seq)
            }

    def teardown(self) -> None:
        for sink in SINKS:
            model, feed = self.model[sink], self.outbox.feed(sink)
            stats = self.runner.run(self.outbox.stats())
            depth = sum(each.depth for each in stats.depths if each.sink == sink)
            assert depth == len(model.open_seqs())
            feed.requeue()
            model.flying.clear()
            rest = self.runner.run(take_all(feed))
            assert sorted(each.seq for each in rest) == model.open_seqs()
            for each in rest:
                assert each.pv == model.pv(each.record.lane, each.seq)
                feed.done(each.record.lane, [each.seq])
            for lane in Lane:
                progress = feed.progress(lane)
                assert progress.above == []
                assert progress.pending == 0
                assert progress.upto >= progress.link
        self.runner.run(self.outbox.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.home)


OutboxMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOutboxAgainstTheModel = OutboxMachine.TestCase
