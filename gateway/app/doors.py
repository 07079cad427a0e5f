"""What may leave through each sink: asked when a record is committed, and again before it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane, Record
from gateway.privacy.door import Door
from gateway.settings.site import Site


class Doors:
    """One door for each sink of the site; grows with reloads."""

    def __init__(self, site: Site) -> None:
        """Take the site that runs."""
        self._by_sink: dict[SinkName, Door] = {}
        self.use(site)

    def use(self, site: Site) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        for name, sink in site.sinks.items():
            known = self._by_sink.get(name)
            if known is None:
                self._by_sink[name] = Door(sink, site.devices.values())
            else:
                known.use(sink, site.devices.values())

    def of(self, sink: SinkName) -> Door:
        """Return the door of a sink of the site."""
        return self._by_sink[sink]

    def is_due(self, sink: SinkName, record: Record) -> bool:
        """Whether a record is for this sink, and the sink may see anything of it."""
        if record.sink is not None and record.sink != sink:
            return False
        door = self._by_sink.get(sink)
        return door is None or door.is_due(record)


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
