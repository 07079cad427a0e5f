"""A trial: a configuration from afar runs, is watched, and is kept or taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.app.commands.asking import LineFailed
from gateway.app.control import House
from gateway.app.remote.files import Bundle, Owed, RemoteFiles
from gateway.app.site.reload import SiteDiff, diff
from gateway.bus.cost import session_driver_of
from gateway.dialects.contract import Configuration
from gateway.model.ids import DeviceId, SinkName
from gateway.model.quality import Quality
from gateway.remote.health import Trial, Vitals, complaints
from gateway.settings.site import Site

TELL_WITHIN_S = 5.0
ASK_WITHIN_S = 10.0
"""For one device that was changed; those of one line are asked one after the other."""
MOST_SILENT = 8
"""Devices of one line that do not answer: then the rest of it is not asked, as one is enough."""

KEPT = "it runs, and all is as well as before"
INTERRUPTED = "the gateway ended while the configuration was tried: what ran before runs"

_log = logging.getLogger("linli")


class Works(Protocol):
    """The daemon, as far as a trial needs it."""

    async def take_over(self, site: Site) -> None:
        """Run another site."""
        ...

    async def keep_copy(self, site: Site) -> None:
        """Keep a copy of the site that runs for a bad day."""
        ...


@dataclass(frozen=True, slots=True)
class _Ending:
    """What the end of a trial needs: whom to answer, and what ran before."""

    rid: str
    sink: SinkName
    old: Site
    told: Configuration | None
    """What ran before, as platforms know it."""

    def owed(self, status: str, code: str, text: str) -> Owed:
        """Return an answer that the book keeps until it is given."""
        return Owed(self.rid, str(self.sink), status, code, text)


class Trials:
    """Runs configurations on trial, one at a time."""

    def __init__(self, house: House, works: Works, files: RemoteFiles) -> None:
        """Take the rooms, what runs sites, and the bundles on the disk."""
        self._house = house
        self._works = works
        self._files = files

    async def run(self, rid: str, sink: SinkName, bundle: Bundle, site: Site) -> None:
        """Try a staged bundle, which loaded as `site`. What is to be answered stands in the book.

        Raises:
            OSError: the book cannot be written; what ran before runs.
        """
        house = self._house
        old, told, before = house.site, house.post.configuration, vitals(house)
        watch_s = 0.0 if old.remote is None else old.remote.watch_s
        change = diff(old, site)
        owed = Owed(rid, str(sink), "failed", "interrupted", INTERRUPTED)
        await asyncio.to_thread(self._files.begin, bundle, owed)
        await self._show(Configuration(bundle.hash, "trying", bundle.version))
        began_ms = house.clock.now_ms()
        await self._works.take_over(site)
        _log.warning("a remote configuration is tried for %.0f s: %s", watch_s, bundle.hash[:16])
        await asyncio.sleep(watch_s)
        asked = [id_ for id_ in _changed(site, change) if str(id_) not in before.offline]
        answered = await self._answered(site, asked, began_ms)
        trial = Trial(frozenset(map(str, asked)), answered, str(sink))
        found = complaints(before, vitals(house), trial)
        ending = _Ending(rid, sink, old, told)
        if self._files.book.trying != bundle:
            await self._supersede(ending)
        elif found:
            await self._take_back(ending, found)
        else:
            await self._keep(ending, bundle)

    async def _keep(self, ending: _Ending, bundle: Bundle) -> None:
        try:
            is_kept = await asyncio.to_thread(self._files.keep, ending.owed("done", "", KEPT))
        except OSError as error:
            await self._take_back(ending, (f"the disk refuses: {error.strerror}",))
            return
        if not is_kept:
            await self._supersede(ending)
            return
        await self._works.keep_copy(self._house.site)
        await self._show(Configuration(bundle.hash, "applied", bundle.version))
        _log.warning("the remote configuration is kept: %s", bundle.hash[:16])

    async def _take_back(self, ending: _Ending, found: Sequence[str]) -> None:
        """Run again what ran before; first by the book, so that no reload brings the trial back."""
        _log.error("the remote configuration is taken back: %s", "; ".join(found))
        text = f"what ran before runs again: {'; '.join(found)}"
        owed = ending.owed("failed", "rolled_back", text)
        refused: OSError | None = None
        try:
            await asyncio.to_thread(self._files.take_back, owed)
        except OSError as error:
            refused = error
        await self._works.take_over(ending.old)
        if ending.told is not None:
            await self._show(replace(ending.told, state="rolled_back"))
        if refused is not None:
            raise refused

    async def _supersede(self, ending: _Ending) -> None:
        """The operator at the site edited the own file meanwhile, and has the last word.

        Where that file is bad, what was tried still runs, and nobody watches it: what ran before
        runs again.
        """
        text = "the site file was edited while the configuration was tried"
        if self._house.refused:
            text = f"{text}, and is bad: what ran before runs again"
            refused = self._house.refused
            await self._works.take_over(ending.old)
            self._house.refused = refused
            if ending.told is not None:
                await self._show(replace(ending.told, state="fallback"))
        owed = ending.owed("failed", "superseded", text)
        await asyncio.to_thread(self._files.owe, owed)

    async def _show(self, configuration: Configuration) -> None:
        """Tell it. A platform that takes nothing now holds up no trial: it is told at a connect."""
        self._house.post.configuration = configuration
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_WITHIN_S):
                await self._house.platforms.tell()

    async def _answered(
        self, site: Site, asked: Iterable[DeviceId], began_ms: int
    ) -> frozenset[str]:
        """Return which of these devices have answered since the beginning."""
        by_line: dict[str, list[DeviceId]] = {}
        for id_ in asked:
            by_line.setdefault(site.devices[id_].line, []).append(id_)
        answered: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            for line, ids in by_line.items():
                tasks.create_task(self._ask(ids, began_ms, answered), name=f"remote:ask:{line}")
        return frozenset(answered)

    async def _ask(self, ids: Iterable[DeviceId], began_ms: int, answered: set[str]) -> None:
        silent = 0
        for id_ in ids:
            is_asked = silent < MOST_SILENT
            if self._has_answered(id_, began_ms) or (is_asked and await self._answers(id_)):
                answered.add(str(id_))
            else:
                silent += 1

    def _has_answered(self, id_: DeviceId, began_ms: int) -> bool:
        latest = self._house.pipeline.reporter.latest_of(id_)
        return any(one.ts_ms >= began_ms and one.mark.quality is Quality.GOOD for one in latest)

    async def _answers(self, id_: DeviceId) -> bool:
        device = self._house.site.devices.get(id_)
        if device is None or session_driver_of(device.protocol) is not None:
            return True  # what speaks by itself cannot be asked: its state alone counts
        try:
            readings = await self._house.lines.read(id_, (), within_s=ASK_WITHIN_S)
        except LineFailed:
            return False
        return any(one.mark.quality is Quality.GOOD for one in readings)


def vitals(house: House) -> Vitals:
    """Return what is up now."""
    states = house.pipeline.device_states()
    devices = frozenset(map(str, house.site.devices))
    online = frozenset(str(id_) for id_, state in states.items() if state.is_online)
    offline = frozenset(str(id_) for id_, state in states.items() if not state.is_online)
    lines, sinks = house.lines.stats(), house.platforms.status()
    return Vitals(
        lines=frozenset(str(line.line) for line in lines),
        lines_up=frozenset(str(line.line) for line in lines if line.is_up),
        devices=devices,
        online=online & devices,
        offline=offline & devices,
        sinks=frozenset(str(sink["name"]) for sink in sinks),
        connected=frozenset(str(sink["name"]) for sink in sinks if sink["connected"]),
    )


def _changed(site: Site, change: SiteDiff) -> list[DeviceId]:
    touched = change.devices_new | change.devices_changed
    return [
        id_
        for id_, device in site.devices.items()
        if id_ in touched or device.line in change.lines_new
    ]
