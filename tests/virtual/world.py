"""One simulated world: devices, brokers, disk and clock, and the gateway living in it life by life.

The gateway is the daemon's own `Building`: lines, bus, drivers, pipeline, rules, outbox on SQLite,
dialect, sinks, uplinks, commander, watchdog. A power cut takes a copy of the state folder as it is
at that moment (with `synchronous=FULL` that is what a disk would hold) and abandons the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from shutil import copytree

from gateway.app.clock.timekeeping import read_floor
from gateway.app.outward.doors import Doors
from gateway.app.rooms import Building, Grounds, Rooms, Surroundings, open_outbox, watchdog
from gateway.links.contract import Link
from gateway.links.tcp_listener import ListenerHub
from gateway.model.link import MemoryPort
from gateway.model.record import Lane
from gateway.ops.notify import ServiceManager
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Site
from gateway.uplink.attempt import Target
from gateway.uplink.owner import AnySession, SessionOwner
from gateway.uplink.state import Pace
from tests.virtual.broker import Broker, SimSession
from tests.virtual.clock import SimClock
from tests.virtual.disk import Disk
from tests.virtual.field import DltDevice, FieldLine, ModbusDevice
from tests.virtual.served import Offset, ServedBook
from tests.virtual.site import Plan

MakeSimSession = Callable[[Broker, Target, SessionOwner, Pace], AnySession]
ENDING_S = 60.0
"""Within which a gateway that is told to stop, or lost its power, is over."""


@dataclass
class World:
    """Everything around the gateway, and its state folder."""

    site: Site
    plan: Plan
    folder: Path
    seed: int
    chunk: int = 8
    make_sim_session: MakeSimSession = SimSession
    lives: int = 0
    copies: list[Path] = field(default_factory=list[Path])
    """State folders as they were at the end of each life: the second book is read from them."""
    faults: list[str] = field(default_factory=list[str])
    """What the gateway itself did wrong: it died, did not stop, held up its watchdog."""
    has_time: bool = True
    """Whether the machine finds the time when it boots."""
    flips: int = 0
    """Bits to flip in the database before the next life."""
    lead: Callable[[Path], Path] | None = None
    """Returns the folder that the next life gets in place of the copy (a sabotaged disk)."""

    def __post_init__(self) -> None:
        """Make the devices, lines and brokers of the site; inside the running loop."""
        self.clock = SimClock()
        self.rng = Random(self.seed)  # noqa: S311 - simulated chance
        self.trace = sha256()
        self.served = ServedBook()
        self.disk = Disk(self.rng)
        self.disk.each = self._note_ep
        self.eps: set[int] = set()
        """The stores that the gateway had: who opens a copy may have to make one of its own."""
        self.brokers = {
            str(name): Broker(str(name), self.rng, self.trace) for name in self.site.sinks
        }
        self.lines = {
            str(name): FieldLine(str(name), self.rng, chunk=self.chunk) for name in self.site.lines
        }
        for device in self.site.devices.values():
            line, name = self.lines[str(device.line)], str(device.id)
            if device.protocol == "modbus-rtu":
                self.served.add(name, 6)
                unit = int(device.address_text)
                line.devices[bytes((unit,))] = ModbusDevice(name, self.served, self.clock)
            else:
                self.served.add(name, 1, 100)
                address = device.address_text.encode()
                line.devices[address] = DltDevice(name, self.served, self.clock)
        self.state = self.folder / "life-0"
        self.state.mkdir()
        self.over = asyncio.Event()
        self.is_off = False
        self.outbox: Outbox | None = None
        self.rooms: Rooms | None = None

    # --- what may befall it

    def cut_power(self) -> None:
        """Switch the machine off, now."""
        if self.is_off or self.over.is_set():
            return
        self.is_off = True
        self.lives += 1
        following = self.folder / f"life-{self.lives}"
        copytree(self.state, following)
        self.copies.append(following.with_name(f"end-{self.lives}"))
        copytree(following, self.copies[-1])
        self.state = following if self.lead is None else self.lead(following)
        self._flip_bits()
        for line in self.lines.values():
            if line.near is not None:
                line.near.is_off = True
                line.near.lose("off")
        for broker in self.brokers.values():
            broker.drop_sessions("off")
        self.over.set()

    def step_clock(self, by_ms: int) -> None:
        """Set the machine's clock forward or back."""
        self.clock.off_ms += by_ms
        self._note_offset()

    def lose_time(self) -> None:
        """Switch off; the machine, which has no battery for its clock, wakes up in 1970."""
        if not self.over.is_set():
            self.has_time = False
            self.cut_power()

    def find_time(self) -> None:
        """Let a time server tell the time."""
        self.has_time = True
        self.clock.off_ms, self.clock.is_synchronised = 0, True
        self._note_offset()

    def _boot_clock(self) -> None:
        clock = self.clock
        if not self.has_time:
            clock.off_ms, clock.is_synchronised = -clock.true_ms(), False
        clock.boot(read_floor(self.state))
        self._note_offset()

    def _note_offset(self) -> None:
        clock = self.clock
        true_ms = clock.true_ms()
        is_time = not clock.is_provisional()
        self.served.offsets.append(Offset(true_ms, clock.now_ms() - true_ms, is_time))

    def stop(self) -> None:
        """Tell the gateway to stop in order."""
        self.over.set()

    def _note_ep(self) -> None:
        if self.outbox is not None and not self.is_off:
            self.eps.add(self.outbox.ep)

    # --- lives

    async def live(self) -> None:
        """Run the gateway until it is stopped or loses its power."""
        self.over.clear()
        self.is_off = False
        self._boot_clock()
        async with asyncio.TaskGroup() as tasks:
            life = tasks.create_task(self._life(self.state), name="gateway")
            over = tasks.create_task(self.over.wait(), name="over")
            await asyncio.wait((life, over), return_when=asyncio.FIRST_COMPLETED)
            self.over.set()
            if self.is_off:
                self.disk.slow_s, slow_s = 0.0, self.disk.slow_s
                life.cancel()
                await asyncio.wait((life,), timeout=ENDING_S)
                self.disk.slow_s = slow_s
            else:
                await asyncio.wait((life,), timeout=ENDING_S)
            if not life.done():
                self.faults.append("did not stop in order")
                life.cancel()
        if not self.is_off:
            self.lives += 1
            self.copies.append(self.folder / f"end-{self.lives}")
            copytree(self.state, self.copies[-1])
            self._flip_bits()
        self.outbox = self.rooms = None

    def _flip_bits(self) -> None:
        """Damage the database, once it has been copied."""
        files = sorted((self.state / "outbox").glob("outbox.db*"))
        sizes = [path.stat().st_size for path in files]
        count, self.flips = self.flips, 0
        for _ in range(count if sum(sizes) else 0):
            file = self.rng.choices(files, sizes)[0]
            octets = bytearray(file.read_bytes())
            octets[self.rng.randrange(len(octets))] ^= 1 << self.rng.randrange(8)
            file.write_bytes(octets)

    async def _life(self, state: Path) -> None:
        try:
            await self._run(state)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - what ends a gateway is what we look for
            if not self.is_off:
                self.faults.append(f"died: {_said(error)}")

    async def _run(self, state: Path) -> None:
        site = self.site
        around = Surroundings(
            store_executor=self.disk,
            make_link=self._make_link,
            make_session=self._make_session,
            rng=self.rng,
        )
        grounds = Grounds(self.clock, state, Doors(site), around)
        opening = open_outbox(site, grounds)
        self.outbox = opening
        async with opening as outbox, ListenerHub() as listeners:
            self._note_ep()
            await Building(site, outbox, listeners, grounds).run(self._serve)

    async def _serve(self, rooms: Rooms) -> None:
        """Run what the daemon runs, less signals and the control socket."""
        self.rooms = rooms
        manager = _Manager(self.faults)
        async with asyncio.TaskGroup() as ops:
            ops.create_task(rooms.commander.run(self.over), name="commands")
            watching = watchdog(rooms.house, manager, self.clock)
            ops.create_task(rooms.house.time.run(self.over), name="time")
            ops.create_task(watching.run(self.over, lambda: ""), name="ops")
            await self.over.wait()

    def _make_link(self, settings: object, listeners: ListenerHub) -> Link:
        del listeners
        assert isinstance(settings, MemoryPort)
        return self.lines[settings.name].link()

    def _make_session(self, target: Target, owner: SessionOwner, pace: Pace) -> AnySession:
        return self.make_sim_session(self.brokers[str(target.sink.name)], target, owner, pace)

    def is_drained(self) -> bool:
        """Whether all that is committed is delivered."""
        outbox = self.outbox
        return outbox is not None and not any(
            outbox.feed(sink).progress(lane).pending or outbox.feed(sink).in_flight(lane)
            for sink in self.site.sinks
            for lane in Lane
        )


class _Manager(ServiceManager):
    """A service manager that notes rooms that stalled."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__({"WATCHDOG_USEC": "30000000"})
        self._faults = faults

    def status(self, text: str) -> None:
        if text.startswith("stalled"):
            self._faults.append(f"watchdog: {text}")


def _said(error: BaseException) -> str:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if inner:
        return "; ".join(_said(one) for one in inner)
    return f"{type(error).__name__}: {error}"
