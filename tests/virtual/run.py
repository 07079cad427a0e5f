"""Run a scenario, and hold the three books against each other at its end."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from tests.e2e.kit_store import stored_records
from tests.faults.audit import Audit, audit
from tests.faults.books import CommittedBook, Identity, ReceivedBook
from tests.virtual.broker import Broker
from tests.virtual.disk import simulated_disk
from tests.virtual.field import LATEST_S
from tests.virtual.loop import SimulationLoop
from tests.virtual.scenario import Scenario
from tests.virtual.site import make_site
from tests.virtual.world import World

SETTLE_S = 1800.0
"""Simulated seconds after the last fault within which everything must be delivered."""
LOOK_S = 15.0
SPAN_MS = 1000 * (round(LATEST_S) + 3)
"""A reply that came too late for its request may be believed as the one to its repetition."""
TOPIC = "fc/1/virtual/gw-v/dn/ack/_"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    scenario: Scenario
    faults: tuple[str, ...]
    audits: dict[str, Audit]
    trace: str
    polls: int
    lives: int
    simulated_s: float
    real_s: float
    cpu_s: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, false, silent or stuck."""
        return not self.faults

    def text(self) -> str:
        """Return it in a line, with what is wrong below."""
        ratio = self.simulated_s / max(self.real_s, 1e-9)
        head = (
            f"seed {self.scenario.seed}: {'ok' if self.is_clean else 'FAILS'}, "
            f"{self.polls:,} polls, {self.lives} lives, {ratio:,.0f} simulated s per s, "
            f"trace {self.trace[:16]}"
        )
        if self.is_clean:
            return head
        audits = [f"{name}: {found.sentence()}" for name, found in self.audits.items()]
        return "\n".join([head, *self.faults, *audits, self.scenario.told(), again(self.scenario)])


def again(scenario: Scenario) -> str:
    """Return the command that runs this seed once more."""
    return (
        f"again: .venv/bin/python -m tests.virtual --seeds {scenario.seed} "
        f"--minutes {scenario.seconds / 60:g} --devices {scenario.devices} --ways {scenario.ways}"
    )


def run(scenario: Scenario, prepare: Callable[[World], None] | None = None) -> Report:
    """Run it from the start to the last acknowledgement. `prepare` may sabotage the world."""
    place = MEMORY if MEMORY.is_dir() else None
    logging.disable()  # a history of faults is no news
    began, cpu = perf_counter(), process_time()
    with tempfile.TemporaryDirectory(prefix="linli-virtual-", dir=place) as name:
        folder = Path(name)
        with simulated_disk(), asyncio.Runner(loop_factory=SimulationLoop) as runner:
            world, simulated_s = runner.run(_lived(scenario, folder, prepare))
        audits, faults = _audited(world)
    logging.disable(logging.NOTSET)
    gc.collect()
    return Report(
        scenario,
        (*world.faults, *faults),
        audits,
        world.trace.hexdigest(),
        world.served.reads,
        world.lives,
        simulated_s,
        perf_counter() - began,
        process_time() - cpu,
    )


async def _lived(
    scenario: Scenario, folder: Path, prepare: Callable[[World], None] | None
) -> tuple[World, float]:
    plan = scenario.plan
    world = World(make_site(plan, folder), plan, folder, scenario.seed, chunk=plan.chunk)
    if prepare is not None:
        prepare(world)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for act in scenario.acts:
        loop.call_at(began + act.at_s, act.do, world)
    ending = loop.call_at(began + scenario.seconds, world.stop)
    while loop.time() < began + scenario.seconds:
        await world.live()
        if len(world.faults) > 20:
            break
    ending.cancel()
    await _settle(world, max((act.at_s for act in scenario.acts), default=0.0) + began)
    return world, loop.time() - began


async def _settle(world: World, quiet_at: float) -> None:
    """Let all faults end and one more life deliver what there is."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, quiet_at - loop.time()))
    world.disk.before = world.disk.after = None
    for broker in world.brokers.values():
        broker.on_publish = None
        broker.is_down = broker.is_silent = False
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_until_drained(world), name="settle")
        await world.live()


async def _until_drained(world: World) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_S
    await asyncio.sleep(60.0)
    while loop.time() < until and not world.over.is_set():
        await asyncio.sleep(LOOK_S)
        if world.is_drained() and sum(map(_ask_again, world.brokers.values())) == 0:
            world.stop()
            return
    world.faults.append("what is committed is not delivered long after the last fault")
    world.stop()


def _ask_again(broker: Broker) -> bool:
    """Ask for what the chain of `pv` says is missing; whether anything is."""
    if not broker.forgotten:
        return False
    book = ReceivedBook.of(broker.received, keeps_values=False)
    have = book.identities()
    named = {Identity(a.identity.ep, a.pv) for a in book.arrivals if a.pv}
    missing = sorted(
        identity for identity in named - have if not any(gap.covers(identity) for gap in book.gaps)
    )
    for ep in {identity.ep for identity in missing}:
        ranges = [[i.seq, i.seq] for i in missing if i.ep == ep][:1000]
        broker.say(TOPIC, f'{{"ep":{ep},"resend":{ranges}}}'.encode())
    return bool(missing)


def _audited(world: World) -> tuple[dict[str, Audit], list[str]]:
    faults: list[str] = []
    audits: dict[str, Audit] = {}
    for name, broker in world.brokers.items():
        committed = CommittedBook(sink=name)
        for copy in world.copies:
            stored = stored_records(copy, name)
            ours = [each for each in stored if each["ep"] in world.eps]
            world.trace.update(repr([(each["ep"], each["seq"]) for each in ours]).encode())
            committed.take_stored(ours)
        refused = ReceivedBook.of(broker.refused, keeps_values=False)
        committed.refused |= refused.identities()
        received = ReceivedBook.of(broker.received)
        found = audit(world.served, committed, received, span_ms=SPAN_MS)
        audits[name] = found
        faults += _wrong(broker, found, world.eps)
        faults += _false_times(world, broker)
        if broker.violations:
            faults.append(f"{name}: {broker.violations} messages beyond the broker's limits")
    return audits, faults


def _false_times(world: World, broker: Broker) -> list[str]:
    """Return values that claim a good time and have one that was made without any."""
    if all(offset.is_time for offset in world.served.offsets):
        return []
    timed = ReceivedBook()
    for message in broker.received:
        kind, body = message.topic.split("/")[5], json.loads(message.payload)
        for record in body.get("items", [body]):
            if kind in {"prop", "hist"} and record["tq"] != "unsync":
                timed.take_record(kind, {**body, **record})
    world.served.accepts_no_time = False
    found = audit(world.served, None, timed, span_ms=SPAN_MS)
    world.served.accepts_no_time = True
    return [f"false times: {found.false_values[:3]}"] if found.false_values else []


def _wrong(broker: Broker, found: Audit, stores: set[int]) -> list[str]:
    """Return what is wrong in words."""
    # Records that the disk refused have an ep of their own, and are promised to nobody.
    unmatched = [identity for identity in found.unmatched if identity.ep in stores]
    kinds = {
        "lost": found.lost,
        "false values": found.false_values,
        "unequal": found.unequal,
        "out of order": () if broker.has_said_no or broker.forgotten else found.out_of_order,
        "untold": found.untold,
        "broken links": found.broken,
        "unmatched": unmatched,
        "unreadable": range(found.unreadable),
    }
    return [
        f"{broker.name}: {len(those)} {kind}: {list(those)[:3]}"
        for kind, those in kinds.items()
        if those
    ]
