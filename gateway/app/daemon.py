"""The daemon: builds all rooms, starts them in order, reloads, and stops them in order.

Nested task groups are the order of the stop: lines finish their exchange, the pipeline drains, the
sinks send their last words, the outbox closes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import last_good
from gateway.app.commander import Commander
from gateway.app.control import ControlDesk, House
from gateway.app.doors import Doors
from gateway.app.lines import FieldLines
from gateway.app.pipeline import Pipeline
from gateway.app.platforms import Platforms
from gateway.app.reload import SiteDiff, diff
from gateway.app.secrecy import session_secrets
from gateway.app.sink import Around
from gateway.app.watchdog import LINE_STALL_S, Watchdog
from gateway.commands.memory import ROOM as COMMANDS_ROOM
from gateway.commands.memory import Memory
from gateway.links.tcp_listener import ListenerHub
from gateway.model.clock import Clock
from gateway.ops.control import ControlServer
from gateway.ops.notify import ServiceManager
from gateway.ops.paths import Places
from gateway.outbox.outbox import Outbox
from gateway.outbox.seams import Seams
from gateway.rules.alarms import ROOM as ALARMS_ROOM
from gateway.rules.alarms import Alarms
from gateway.settings.problems import Problem
from gateway.settings.site import Site

_log = logging.getLogger("linli")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the daemon stands on: its clock, its folders, its service manager."""

    clock: Clock
    places: Places
    manager: ServiceManager


class Daemon:
    """One run of the gateway."""

    def __init__(self, file: Path, site: Site, machine: Machine) -> None:
        """Take the site file, the site that runs, and the machine."""
        self._file = file
        self._machine = machine
        self._site = site
        self._stop = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._refused: tuple[Problem, ...] = ()
        self._doors = Doors(site)

    async def run(self, refused: tuple[Problem, ...] = ()) -> None:
        """Run until SIGTERM or SIGINT. `refused`: errors of the file, when an older site runs."""
        self._refused = refused
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        machine = self._machine
        folder = machine.places.state / "outbox"
        outbox = Outbox.open(
            folder,
            self._site.store,
            machine.clock,
            tuple(self._site.sinks),
            seams=Seams(is_due=self._doors.is_due),
        )
        async with outbox, ListenerHub() as listeners:
            await self._run_rooms(outbox, listeners)

    def _build(self, outbox: Outbox, listeners: ListenerHub) -> tuple[House, Commander]:
        """Make all rooms and hand them to each other."""
        clock, site = self._machine.clock, self._site
        alarms = Alarms(site.devices, outbox.states(ALARMS_ROOM), lambda: new_eid(clock))
        pipeline = Pipeline(site, outbox, clock, alarms)
        lines = FieldLines(pipeline, listeners, clock, session_secrets(self._machine.places.state))
        memory = Memory(outbox.states(COMMANDS_ROOM))
        commander = Commander(site, lines, pipeline, clock=clock, memory=memory)
        around = Around(pipeline.inbox, commander.put, clock, pipeline.commit)
        platforms = Platforms(outbox, around)
        house = House(site, lines, pipeline, platforms, outbox, clock, self._refused)
        return house, commander

    async def _run_rooms(self, outbox: Outbox, listeners: ListenerHub) -> None:
        house, commander = self._build(outbox, listeners)
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as sinks:
            house.platforms.start(self._site, sinks)
            async with asyncio.TaskGroup() as middle:
                middle.create_task(house.pipeline.run(drained), name="pipeline")
                async with asyncio.TaskGroup() as field:
                    house.lines.start(self._site, field)
                    async with asyncio.TaskGroup() as ops:
                        control = self._start_ops(_Rooms(house, commander, field, sinks), ops)
                        await control.listening.wait()
                        self._say_ready()
                        await self._stop.wait()
                        self._machine.manager.stopping()
                        self._hung_up.set()
                        _log.info("stopping")
                    house.lines.stop()
                drained.set()
                house.pipeline.inbox.wake()
            house.platforms.stop()

    def _start_ops(self, rooms: _Rooms, ops: asyncio.TaskGroup) -> ControlServer:
        machine, house = self._machine, rooms.house

        async def reload() -> dict[str, Any]:
            return await self._reload(rooms)

        desk = ControlDesk(house, reload)
        control = ControlServer(machine.places.control_socket, desk.asks(), desk.watches())
        ops.create_task(control.run(self._stop), name="control")
        ops.create_task(rooms.commander.run(self._stop), name="commands")
        watchdog = Watchdog(
            machine.manager,
            {"pipeline": lambda: house.pipeline.heartbeat, "lines": house.lines.heartbeat},
            machine.clock.monotonic,
            patience_s={"lines": LINE_STALL_S},
        )
        ops.create_task(watchdog.run(self._stop, lambda: _summary(house)), name="ops")
        ops.create_task(self._reload_when_told(rooms), name="reload")
        return control

    def _say_ready(self) -> None:
        site = self._site
        text = f"{len(site.devices)} devices on {len(site.lines)} lines"
        _log.info("start gateway=%s %s", site.gateway.id, text)
        self._machine.manager.ready(text)

    async def _reload_when_told(self, rooms: _Rooms) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            if self._stop.is_set():
                return
            await self._reload(rooms)

    async def _reload(self, rooms: _Rooms) -> dict[str, Any]:
        """Apply the changed file; a bad one leaves the old site running, and says why."""
        async with self._reloading:
            self._machine.manager.reloading(self._machine.clock.monotonic())
            try:
                return await self._apply(rooms)
            finally:
                self._machine.manager.ready(f"{len(self._site.devices)} devices")

    async def _apply(self, rooms: _Rooms) -> dict[str, Any]:
        result = await asyncio.to_thread(last_good.load_and_vet, self._file)
        errors = [problem for problem in result.problems if problem.severity == "error"]
        if result.site is None:
            rooms.house.refused = errors
            for problem in errors:
                _log.error("reload refused: %s", problem.text())
            return {"applied": False, "problems": [problem.as_json() for problem in errors]}
        site, change = result.site, diff(self._site, result.site)
        if change.needs_restart:
            _log.warning("a restart is needed for: %s", ", ".join(change.needs_restart))
        rooms.house.site = self._site = site
        rooms.house.refused = ()
        self._doors.use(site)
        rooms.house.pipeline.replace(site, change)
        rooms.commander.replace(site)
        await rooms.house.lines.apply(site, change, rooms.field)
        await rooms.house.platforms.apply(site, change, rooms.sinks)
        await asyncio.to_thread(last_good.save, site.files, self._file, self._machine.places.state)
        _log.info("reloaded: %s", _said(change))
        return {"applied": True, "problems": [], "changes": _said(change)}


@dataclass(frozen=True, slots=True)
class _Rooms:
    """The running rooms, and the task groups in which new lines and sinks are started."""

    house: House
    commander: Commander
    field: asyncio.TaskGroup
    sinks: asyncio.TaskGroup


def new_eid(clock: Clock) -> str:
    """Return a new event id: 48 bits of time, so that ids sort, and 80 random bits (ULID)."""
    number = clock.now_ms() << 80 | secrets.randbits(80)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(alphabet[number >> shift & 31] for shift in range(125, -1, -5))


def _said(change: SiteDiff) -> str:
    parts = (
        ("lines opened", change.lines_new),
        ("lines closed", change.lines_gone - change.lines_new),
        ("lines touched", change.lines_touched),
        ("devices added", change.devices_new),
        ("devices removed", change.devices_gone),
        ("devices changed", change.devices_changed),
        ("sinks started", change.sinks_new),
        ("sinks stopped", change.sinks_gone - change.sinks_new),
    )
    said = [f"{name} {', '.join(sorted(names)[:8])}" for name, names in parts if names]
    return "; ".join(said) or "nothing changed"


def _summary(house: House) -> str:
    states = house.pipeline.device_states().values()
    online = sum(state.is_online for state in states)
    sinks = house.platforms.status()
    connected = sum(sink["connected"] for sink in sinks)
    devices = f"{online} of {len(house.site.devices)} devices online"
    return f"{devices}, {connected} of {len(sinks)} platforms connected"
