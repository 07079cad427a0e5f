"""All rooms of one gateway: made, handed to each other, run and stopped in order.

The daemon runs them on a machine; the simulation runs the same code in virtual time, with the
parts that touch the world replaced by what stands in `Surroundings`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import TypeAlias
from zoneinfo import ZoneInfo

from gateway.app.clock.timekeeping import FLOOR_NAME, Timekeeper
from gateway.app.commands.commander import Commander, Hands
from gateway.app.control import House
from gateway.app.field.inner import DERIVED_ROOM, Inner
from gateway.app.field.lines import FieldLines
from gateway.app.field.pipeline import Pipeline
from gateway.app.history.historians import Historians, cursors
from gateway.app.keys.sealing import seal_of_site
from gateway.app.keys.secrecy import session_secrets
from gateway.app.outward.around import Around
from gateway.app.outward.doors import Doors
from gateway.app.outward.postbox import Postbox
from gateway.app.sinks.platforms import Platforms
from gateway.app.watchdog import LINE_STALL_S, SINK_STALL_S, Watchdog
from gateway.links.make import MakeLink, make_link
from gateway.links.tcp_listener import ListenerHub
from gateway.model.clock import Clock
from gateway.ops.notify import ServiceManager
from gateway.outbox.outbox import Outbox
from gateway.outbox.seams import Seams
from gateway.rules.chain import Rules
from gateway.settings.problems import Problem
from gateway.settings.site import Site
from gateway.uplink.owner import MakeSession
from gateway.uplink.session import Session


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rooms touch the world with; a simulation puts its own parts in place."""

    store_executor: Executor | None = None
    """Runs the store's jobs one at a time, in order; None for a thread of the store's own."""
    make_link: MakeLink = make_link
    make_session: MakeSession = Session
    rng: Random = field(default_factory=SystemRandom)
    """Event ids, numbers of stores, jitter of reconnects."""


THE_WORLD = Surroundings()

LINES_S = 1.5
"""How long a stop waits for exchanges on the wire; a device may be given longer to answer."""
PIPELINE_S = 1.0
"""How long it waits then for the store; a disk that hangs takes nothing more anyway."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The running rooms, and the task groups in which new lines and sinks are started."""

    house: House
    commander: Commander
    field: asyncio.TaskGroup
    sinks: asyncio.TaskGroup


Serve: TypeAlias = Callable[[Rooms], Awaitable[None]]
"""Runs what belongs to the outside while the rooms run; they stop in order when it returns."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the rooms of one gateway stand on."""

    clock: Clock
    state: Path
    doors: Doors
    """What may leave through each sink: asked by the store and by the sinks."""
    around: Surroundings = THE_WORLD
    post: Postbox = field(default_factory=Postbox)
    """Where sinks put signed letters for whoever runs the rooms."""


def open_outbox(site: Site, grounds: Grounds) -> Outbox:
    """Return the outbox in the state folder, to be entered with `async with`."""
    around = grounds.around
    seams = Seams(
        executor=around.store_executor,
        is_due=grounds.doors.is_due,
        new_ep=lambda: around.rng.getrandbits(53) or 1,  # 53 bits survive JSON everywhere
        seal=seal_of_site(site, grounds.state),
        retains=grounds.doors.personal,
    )
    folder = grounds.state / "outbox"
    return Outbox.open(folder, site.store, grounds.clock, cursors(site), seams=seams)


class Building:
    """The rooms before they run."""

    def __init__(
        self,
        site: Site,
        outbox: Outbox,
        listeners: ListenerHub,
        grounds: Grounds,
        *,
        refused: Sequence[Problem] = (),
    ) -> None:
        """Make all rooms and hand them to each other."""
        clock, seams = grounds.clock, grounds.around
        rules = Rules(
            site.all_devices,
            outbox.states,
            lambda: new_eid(clock, seams.rng),
            zone=ZoneInfo(site.gateway.timezone),
        )
        pipeline = Pipeline(site, outbox, clock, rules)
        can_seal = seal_of_site(site, grounds.state) is not None
        pipeline.inner = Inner(site, clock, outbox.states(DERIVED_ROOM), can_seal=can_seal)
        lines = FieldLines(
            pipeline,
            listeners,
            clock,
            session_secrets(grounds.state),
            make_link=seams.make_link,
        )
        hands = Hands(
            lines,
            pipeline,
            clock,
            lambda: f"{seams.rng.getrandbits(128):032x}",
            pipeline.reporter.latest_of,
            pipeline.standing_events,
        )
        self._commander = Commander(site, hands, outbox.states)
        time = Timekeeper(
            clock,
            outbox,
            pipeline.commit,
            new_eid=lambda: new_eid(clock, seams.rng),
            floor=grounds.state / FLOOR_NAME,
        )
        pipeline.redate = time.redated_readings
        around = Around(pipeline.inbox, self._commander, clock, pipeline.commit, time, grounds.post)
        platforms = Platforms(
            outbox, around, grounds.doors, make_session=seams.make_session, rng=seams.rng
        )
        historians = Historians(outbox, around, grounds.doors, grounds.state, seams.rng)
        self.house = House(
            site, lines, pipeline, platforms, outbox, clock, time, historians, refused, grounds.post
        )

    async def run(self, serve: Serve) -> None:
        """Run everything until `serve` returns.

        Nested task groups are the order of the stop: lines finish their exchange, the pipeline
        drains, the sinks send their last words. Each has its time; what is late is left.
        """
        loop = asyncio.get_running_loop()
        house, site = self.house, self.house.site
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as sinks:
            house.platforms.start(site, sinks)
            house.historians.start(site, sinks)
            async with asyncio.TaskGroup() as middle:
                pipeline = middle.create_task(house.pipeline.run(drained), name="pipeline")
                async with asyncio.TaskGroup() as field:
                    house.lines.start(site, field)
                    await serve(Rooms(house, self._commander, field, sinks))
                    house.lines.stop()
                    lines_late = loop.call_later(LINES_S, house.lines.give_up)
                lines_late.cancel()
                drained.set()
                house.pipeline.inbox.wake()
                store_late = loop.call_later(PIPELINE_S, pipeline.cancel)
            store_late.cancel()
            house.platforms.stop()
            house.historians.stop()


def watchdog(house: House, manager: ServiceManager, clock: Clock) -> Watchdog:
    """Return the watchdog over the rooms that must never stop."""
    return Watchdog(
        manager,
        {
            "pipeline": lambda: house.pipeline.heartbeat,
            "store": house.outbox.heartbeat,
            "lines": house.lines.heartbeat,
            "sinks": house.platforms.heartbeat,
        },
        clock.monotonic,
        patience_s={"lines": LINE_STALL_S, "sinks": SINK_STALL_S},
    )


def summary(house: House) -> str:
    """Return one line of status for the service manager."""
    states = house.pipeline.device_states().values()
    online = sum(state.is_online for state in states)
    sinks = house.platforms.status()
    connected = sum(sink["connected"] for sink in sinks)
    devices = f"{online} of {len(house.site.devices)} devices online"
    return f"{devices}, {connected} of {len(sinks)} platforms connected"


def new_eid(clock: Clock, rng: Random) -> str:
    """Return a new event id: 48 bits of time, so that ids sort, and 80 random bits (ULID)."""
    number = clock.now_ms() << 80 | rng.getrandbits(80)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(alphabet[number >> shift & 31] for shift in range(125, -1, -5))
