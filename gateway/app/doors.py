"""What may leave through each sink: asked by the outbox when a record is committed."""

from __future__ import annotations

from gateway.dialects.births import Visibility, births_for
from gateway.model.ids import SinkName
from gateway.model.record import Record
from gateway.settings.site import Site


class Doors:
    """One visibility for each sink of the site; grows with reloads."""

    def __init__(self, site: Site) -> None:
        """Take the site that runs."""
        self._by_sink: dict[SinkName, Visibility] = {}
        self.use(site)

    def use(self, site: Site) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        for name, sink in site.sinks.items():
            self._by_sink.setdefault(name, Visibility()).add(births_for(site.devices, sink))

    def is_due(self, sink: SinkName, record: Record) -> bool:
        """Whether a record is for this sink, and the sink may see anything of it."""
        if record.sink is not None and record.sink != sink:
            return False
        door = self._by_sink.get(sink)
        return door is None or door.is_due(record)
