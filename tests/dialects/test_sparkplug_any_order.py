"""Whatever happens in whatever order, a host sees no breach of the standard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.app.outward.doors import Passage
from gateway.dialects.contract import Now
from gateway.dialects.sparkplug_b.dialect import SparkplugB
from gateway.dialects.sparkplug_b.presence import LONGEST_WAIT_MS
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, SinkName
from gateway.model.publication import Arrival, Publication
from gateway.model.quality import bad
from gateway.model.record import Body, EventBody, GapBody, Lane, PropBody, ReplyBody, StateBody
from tests.support.natives import (
    GATE,
    GATE_COLUMN,
    METER,
    NOW,
    births,
    committed,
    door,
    gate,
    meter,
    prop,
    setup,
)
from tests.support.sparkplug import REBIRTH, HostBook, command

DEVICES = st.sampled_from([METER, GATE])
BAD = (bad("timeout"),) * 3
SITES = ([meter(), gate()], [meter()], [gate()])
HOST = "spBv1.0/STATE/scada"


def values(device: DeviceId, *, is_good: bool = True) -> Body:
    """Return values of a device."""
    if device == GATE:
        good = ("open", True, None)
        return prop(
            *(good if is_good else (None,) * 3), column=GATE_COLUMN, marks=None if is_good else BAD
        )
    return prop(*((1.0, 2.0, 3.0) if is_good else (None,) * 3), marks=None if is_good else BAD)


class AnyOrder(RuleBasedStateMachine):
    """A gateway and a host, with a link between them that keeps the order."""

    def __init__(self) -> None:
        super().__init__()
        self.host = HostBook()
        self.seqs = count(1)
        self.now_ms = NOW.ms
        self.host_ms = 0
        self.will = b""
        self.dialect = SparkplugB(setup(dialect="sparkplug_b", options={"primary_host": "scada"}))
        self.site = SITES[0]
        self.waiting: list[Publication] = []
        self.old: list[Publication] = []
        self.waited_ms = 0
        self.is_narrow = False

    @property
    def now(self) -> Now:
        return Now(self.now_ms, NOW.tq)

    def send(self, publications: Sequence[Publication]) -> None:
        """Let messages out."""
        for one in publications:
            self.leave(one)

    @rule()
    def let_one_go(self) -> None:
        for queue in (self.waiting, self.old):
            if queue:
                self.leave(queue.pop(0))
                return

    def leave(self, one: Publication) -> None:
        self.host.hear(one.topic, one.leaving(), qos=one.qos, is_retained=one.is_retained)

    @rule(is_narrow=st.booleans())
    def change_link(self, *, is_narrow: bool) -> None:
        self.is_narrow = is_narrow
        self.let_go()

    def let_go(self) -> None:
        """Let out what waits: values with the births before them, and old ones, which are last."""
        waiting, self.waiting, self.old, self.waited_ms = [*self.waiting, *self.old], [], [], 0
        self.send(waiting)

    def tell(self, device: DeviceId, body: Body, *, is_backfill: bool = False) -> None:
        """Encode a record as the sink's task does, and hold it to its seq."""
        seq = next(self.seqs)
        if not self.dialect.is_ready(self.now):
            return
        passed = Passage(door()).through([committed(body, device, seq=seq)])
        encoded = self.dialect.encode(passed.items, self.now, is_backfill=is_backfill)
        done = [s for p in encoded.publications for s in p.covers] + list(encoded.withheld)
        assert done == [one.seq for one in passed.items]
        if self.is_narrow and isinstance(body, PropBody):
            (self.old if is_backfill else self.waiting).extend(encoded.publications)
        else:
            self.send(encoded.publications)

    @initialize(is_online=st.booleans())
    def begin(self, *, is_online: bool) -> None:
        self.connect()
        self.say_state(is_online=is_online, is_late=False)

    def connect(self) -> None:
        spec = self.dialect.connect_spec(self.now)
        assert spec.will is not None
        self.will = spec.will.payload
        self.send(self.dialect.connected(births(devices=self.site), (), self.now))

    @rule(is_online=st.booleans())
    def break_link(self, *, is_online: bool) -> None:
        self.lose_the_link()
        self.say_state(is_online=is_online, is_late=False)

    def lose_the_link(self) -> None:
        self.host.hear("spBv1.0/hz-fc-001/NDEATH/gw-03", self.will, qos=1)
        assert not self.host.rules.is_alive, "the death is that of the birth"
        self.waiting.clear()
        self.old.clear()
        self.connect()

    @rule(is_online=st.sampled_from([True, True, False]), is_late=st.booleans())
    def change_host(self, *, is_online: bool, is_late: bool) -> None:
        self.say_state(is_online=is_online, is_late=is_late)

    def say_state(self, *, is_online: bool, is_late: bool) -> None:
        self.host_ms += 1
        said = {"online": is_online, "timestamp": self.host_ms - 5 * is_late}
        arrival = Arrival(SinkName("province"), HOST, json.dumps(said).encode(), True)
        received = self.dialect.received(arrival, self.now)
        self.send(received.publications)
        if received.leaves is not None:  # what waits is never sent on that connection
            self.lose_the_link()

    @rule(ms=st.sampled_from([1, 900, 6_000, 60_000]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.waited_ms += ms if self.waiting or self.old else 0
        if self.waited_ms >= LONGEST_WAIT_MS / 2:
            self.let_go()  # a death does not wait for ever
        self.send(self.dialect.tick(self.now))

    @rule(device=DEVICES, is_online=st.booleans())
    def change_state(self, device: DeviceId, *, is_online: bool) -> None:
        self.tell(device, StateBody(is_online, "answers", self.now_ms))

    @rule(device=DEVICES, is_good=st.booleans(), is_backfill=st.booleans())
    def read(self, device: DeviceId, *, is_good: bool, is_backfill: bool) -> None:
        self.tell(device, values(device, is_good=is_good), is_backfill=is_backfill)

    @rule(
        device=st.sampled_from([METER, GATE, GATEWAY_ITSELF]),
        kind=st.sampled_from(["leak", "clock_step", "strange"]),
        state=st.sampled_from(["raised", "cleared"]),
    )
    def raise_event(self, device: DeviceId, kind: str, state: str) -> None:
        self.tell(device, EventBody("e1", kind, 2, state))

    @rule(device=DEVICES, status=st.sampled_from(["accepted", "done", "failed"]))
    def answer_command(self, device: DeviceId, status: str) -> None:
        self.tell(device, ReplyBody("r1", status, readback=None))

    @rule()
    def lose_records(self) -> None:
        self.tell(GATEWAY_ITSELF, GapBody(Lane.TELEMETRY, 1, 2, 2, "quota"))

    @rule()
    def ask_rebirth(self) -> None:
        topic = "spBv1.0/hz-fc-001/NCMD/gw-03"
        arrival = Arrival(SinkName("province"), topic, command(REBIRTH), False)
        self.send(self.dialect.received(arrival, self.now).publications)

    @rule(site=st.sampled_from(SITES))
    def reload(self, site: Sequence[object]) -> None:
        self.site = next(one for one in SITES if one is site)
        self.let_go()  # values of a device that goes with a reload would come behind its death
        self.send(self.dialect.reloaded(births(devices=self.site), self.now))

    @precondition(lambda self: self.dialect.is_ready(self.now))
    @rule()
    def beat(self) -> None:
        self.send((self.dialect.echo(self.now),))

    @invariant()
    def no_breach(self) -> None:
        assert self.host.rules.wrong == []
        assert self.host.rules.is_alive is self.dialect.is_ready(self.now)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=40)
