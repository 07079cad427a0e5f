"""The daemon: runs all rooms on this machine, reloads them, and stops them.

The rooms and the order of their stop are in `rooms`; here is what belongs to the machine: signals,
the control socket, the service manager, the site file.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway.app.control import ControlDesk
from gateway.app.keys.secrecy import site_key
from gateway.app.last_resort import LastResort
from gateway.app.outward.doors import Doors
from gateway.app.outward.postbox import Postbox
from gateway.app.remote.desk import ROOM, Office, RemoteDesk
from gateway.app.remote.files import RemoteFiles, running_hash
from gateway.app.remote.trial import Trials
from gateway.app.rooms import Building, Grounds, Rooms, open_outbox, summary, watchdog
from gateway.app.site import last_good
from gateway.app.site.reload import SiteDiff, diff
from gateway.app.support import bundle_of
from gateway.dialects.contract import Configuration
from gateway.links.tcp_listener import ListenerHub
from gateway.model.clock import Clock
from gateway.ops.control import Arguments, ControlError, ControlServer
from gateway.ops.notify import ServiceManager
from gateway.ops.paths import Places
from gateway.ops.recall import Recall
from gateway.settings.problems import Problem
from gateway.settings.site import Site

RELOAD_S = 0.5
"""How long a stop waits for a reload that is under way."""

_log = logging.getLogger("linli")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the daemon stands on: its clock, its folders, its service manager."""

    clock: Clock
    places: Places
    manager: ServiceManager
    last_resort: LastResort | None = None
    """Ends a stop that hangs; None where the process is not ours to end."""


class Daemon:
    """One run of the gateway."""

    def __init__(self, file: Path, site: Site, machine: Machine) -> None:
        """Take the site file, the site that runs, and the machine."""
        self._machine = machine
        self._site = site
        self._stop = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._doors = Doors(site, partial(site_key, machine.places.state))
        self._files = RemoteFiles(machine.places.state, file)
        self._source = file
        """What was loaded: the operator's file, or that of a configuration from afar."""
        self._post = Postbox()
        self._recall = Recall()

    async def run(self, refused: tuple[Problem, ...] = ()) -> None:
        """Run until SIGTERM or SIGINT. `refused`: errors of the file, when an older site runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_stop)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        machine = self._machine
        self._recall.install()
        grounds = Grounds(machine.clock, machine.places.state, self._doors, post=self._post)
        saved = last_good.saved_copy(machine.places.state) if refused else None
        self._source = saved or self._files.source()
        self._post.configuration = self._configuration(is_fallback=bool(refused))
        async with (
            open_outbox(self._site, grounds) as outbox,
            ListenerHub() as listeners,
        ):
            building = Building(self._site, outbox, listeners, grounds, refused=refused)
            await building.run(self._serve)

    def _begin_stop(self) -> None:
        if not self._stop.is_set() and self._machine.last_resort is not None:
            tasks = asyncio.all_tasks()
            self._machine.last_resort.begin(
                lambda: ", ".join(sorted(task.get_name() for task in tasks if not task.done()))
            )
        self._stop.set()

    async def _serve(self, rooms: Rooms) -> None:
        """Run what belongs to this machine until the daemon is told to stop."""
        async with asyncio.TaskGroup() as ops:
            reloading = ops.create_task(self._reload_when_told(rooms), name="reload")
            control = self._start_ops(rooms, ops)
            await control.listening.wait()
            self._say_ready()
            await self._stop.wait()
            self._machine.manager.stopping()
            self._hung_up.set()
            _log.info("stopping")
            # A reload waits for a child that reads files, longer than a stop may take.
            asyncio.get_running_loop().call_later(RELOAD_S, reloading.cancel)

    def _start_ops(self, rooms: Rooms, ops: asyncio.TaskGroup) -> ControlServer:
        machine, house = self._machine, rooms.house

        async def reload() -> dict[str, Any]:
            return await self._reload(rooms)

        desk = ControlDesk(house, reload)

        async def support(_: Arguments) -> dict[str, Any]:
            paper = bundle_of(self._site, await desk.status({}), self._recall, house.refused)
            return {"base64": b64encode(paper.content).decode()}

        asks = {**desk.asks(), "support": support}
        control = ControlServer(machine.places.control_socket, asks, desk.watches())
        ops.create_task(control.run(self._stop), name="control")
        ops.create_task(rooms.commander.run(self._stop), name="commands")
        ops.create_task(house.time.run(self._stop), name="time")
        ops.create_task(self._remote_desk(rooms, desk).run(self._stop), name="remote")
        watching = watchdog(house, machine.manager, machine.clock)
        ops.create_task(watching.run(self._stop, lambda: summary(house)), name="ops")
        return control

    def _remote_desk(self, rooms: Rooms, desk: ControlDesk) -> RemoteDesk:
        house = rooms.house
        office = Office(
            lambda: self._site,
            self._post,
            self._machine.clock,
            rooms.commander,
            house.pipeline,
            Trials(house, Shift(self, rooms), self._files),
            self._recall,
            lambda: desk.status({}),
            lambda: house.refused,
        )
        return RemoteDesk(office, self._files, house.outbox.states(ROOM))

    def _say_ready(self) -> None:
        site = self._site
        text = f"{len(site.devices)} devices on {len(site.lines)} lines"
        _log.info("start gateway=%s %s", site.gateway.id, text)
        self._machine.manager.ready(text)

    async def _reload_when_told(self, rooms: Rooms) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            if self._stop.is_set():
                return
            try:
                await self._reload(rooms)
            except ControlError as refused:
                _log.error("reload refused: %s", refused)

    async def _reload(self, rooms: Rooms) -> dict[str, Any]:
        """Apply the changed file; a bad one leaves the old site running, and says why."""
        async with self._reloading:
            self._machine.manager.reloading(self._machine.clock.monotonic())
            try:
                return await self._apply(rooms)
            finally:
                self._machine.manager.ready(f"{len(self._site.devices)} devices")

    async def _apply(self, rooms: Rooms) -> dict[str, Any]:
        try:
            source = await asyncio.to_thread(self._files.source)
            result = await asyncio.to_thread(last_good.load_and_vet, source)
        except OSError as error:  # such as no descriptor left for a look at the files
            raise ControlError(f"the files cannot be read now: {error}") from error
        errors = [problem for problem in result.problems if problem.severity == "error"]
        if result.site is None:
            rooms.house.refused = errors
            for problem in errors:
                _log.error("reload refused: %s", problem.text())
            return {"applied": False, "problems": [problem.as_json() for problem in errors]}
        change = await self._use(rooms, result.site)
        self._source = source
        if self._files.book.trying is None:  # what is on trial is not proved good
            await self.keep_copy(result.site)
        self._post.configuration = await asyncio.to_thread(self._configuration)
        await rooms.house.platforms.tell()
        _log.info("reloaded: %s", _said(change))
        return {"applied": True, "problems": [], "changes": _said(change)}

    async def take_over(self, rooms: Rooms, site: Site) -> None:
        """Run another site, which was loaded and checked."""
        async with self._reloading:
            await self._use(rooms, site)

    async def keep_copy(self, site: Site) -> None:
        """Keep a copy of the site that runs for a bad day."""
        state = self._machine.places.state
        self._source = self._files.main
        await asyncio.to_thread(last_good.save, site.files, self._source, state)

    async def _use(self, rooms: Rooms, site: Site) -> SiteDiff:
        change = diff(self._site, site)
        if change.needs_restart:
            _log.warning("a restart is needed for: %s", ", ".join(change.needs_restart))
        rooms.house.site = self._site = site
        rooms.house.refused = ()
        self._doors.use(site)
        rooms.house.pipeline.replace(site, change)
        rooms.commander.replace(site)
        await rooms.house.lines.apply(site, change, rooms.field)
        await rooms.house.historians.leave(site)
        await rooms.house.platforms.apply(site, change, rooms.sinks)
        rooms.house.historians.start(site, rooms.sinks)
        return change

    def _configuration(self, *, is_fallback: bool = False) -> Configuration:
        """Return what runs, for births and status; reads the files that made it."""
        self._files.note(self._site.files)
        book = self._files.book
        bundle = book.trying or book.running
        if bundle is not None and not is_fallback:
            state = "trying" if book.trying else book.last
            return Configuration(bundle.hash, state, bundle.version)
        state = "fallback" if is_fallback else book.last
        return Configuration(running_hash(self._site.files, self._source), state)


@dataclass(frozen=True, slots=True)
class Shift:
    """The daemon as a trial sees it."""

    daemon: Daemon
    rooms: Rooms

    async def take_over(self, site: Site) -> None:
        """Run another site."""
        await self.daemon.take_over(self.rooms, site)

    async def keep_copy(self, site: Site) -> None:
        """Keep a copy of the site that runs for a bad day."""
        await self.daemon.keep_copy(site)


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
        ("historians started", change.historians_new),
        ("historians stopped", change.historians_gone - change.historians_new),
    )
    said = [f"{name} {', '.join(sorted(names)[:8])}" for name, names in parts if names]
    return "; ".join(said) or "nothing changed"
