"""What may leave through each sink: asked when a record is committed, and again before it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.app.keys.secrecy import SiteKey, known_site_key
from gateway.app.outward.kept import KeptPoints
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane, Record
from gateway.privacy.door import Door, Keys
from gateway.privacy.keyed_hash import HashKey
from gateway.privacy.retention import Personal
from gateway.settings.site import Site
from gateway.settings.site_historians import HISTORY
from gateway.settings.site_privacy import Privacy
from gateway.settings.site_sinks import Sink


class Doors:
    """One door for each sink of the site; grows with reloads."""

    def __init__(self, site: Site, site_key: SiteKey | None = None) -> None:
        """Take the site that runs, and its key for hashes; without one nothing is hashed."""
        self._site_key = site_key
        self._by_sink: dict[SinkName, Door] = {}
        self.kept = KeptPoints(())
        """What the local history may hold: it is behind no door, as it does not leave."""
        self.personal = Personal(site.all_devices)
        """How long values may be kept in the store, and which are personal."""
        self.use(site)

    def use(self, site: Site) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        self.kept.use(site.all_devices.values())
        self.personal.use(site.all_devices)
        databases = {name: one.as_sink() for name, one in site.historians.items()}
        for name, sink in {**site.sinks, **databases}.items():
            keys = self._keys(site.privacy, name)
            known = self._by_sink.get(name)
            if known is None:
                self._by_sink[name] = Door(sink, site.all_devices.values(), keys)
            else:
                known.use(sink, site.all_devices.values(), keys)

    def _keys(self, privacy: Privacy, sink: SinkName) -> Keys | None:
        return None if self._site_key is None else keys_of(privacy, sink, self._site_key(privacy))

    def of(self, sink: SinkName) -> Door:
        """Return the door of a sink of the site."""
        return self._by_sink[sink]

    def is_due(self, sink: SinkName, record: Record) -> bool:
        """Whether a record is for this sink, and the sink may see anything of it."""
        if record.sink is not None and record.sink != sink:
            return False
        if sink == HISTORY:
            return self.kept.is_due(record)
        door = self._by_sink.get(sink)
        return door is None or door.is_due(record)


def keys_of(privacy: Privacy, sink: SinkName, site_key: bytes) -> Keys:
    """Return the keys of one sink's door."""
    key = HashKey(site_key, sink, privacy.algorithm, privacy.rotate_days)
    return Keys(key, key if privacy.places == "pseudonym" else None)


def door_beside(site: Site, sink: Sink, state: Path) -> Door:
    """Return a sink's door for a tool: the gateway's, where it may read the key."""
    key = known_site_key(state, site.privacy)
    keys = None if key is None else keys_of(site.privacy, sink.name, key)
    return Door(sink, site.all_devices.values(), keys)


@dataclass(frozen=True, slots=True)
class Passed:
    """What of some records may leave; `withheld` are seqs of those of which nothing may."""

    items: Sequence[Committed]
    withheld: tuple[int, ...]


class Passage:
    """The way out through one door. The next record of a lane points past what was withheld."""

    def __init__(self, door: Door) -> None:
        """Take the door of the sink."""
        self._door = door
        self._bridges: dict[Lane, tuple[int, int | None]] = {}

    def through(self, items: Sequence[Committed]) -> Passed:
        """Return what may leave."""
        passed: list[Committed] = []
        withheld: list[int] = []
        for item in items:
            seen = self._door.through(item)
            if seen is None:
                withheld.append(item.seq)
                self._bridge(item)
            else:
                passed.append(self._bridged(seen) if self._bridges else seen)
        return Passed(passed, tuple(withheld))

    def _bridged(self, item: Committed) -> Committed:
        bridge = self._bridges.get(item.record.lane)
        return replace(item, pv=bridge[1]) if bridge and bridge[0] == item.pv else item

    def _bridge(self, item: Committed) -> None:
        lane, pv = item.record.lane, item.pv
        known = self._bridges.get(lane)
        if known is not None and known[0] == pv:
            pv = known[1]
        self._bridges[lane] = (item.seq, pv)
