"""The inner door at work in the pipeline: what is derived before the store, and what is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway.bus.schedule import next_mark_ms
from gateway.model.clock import Clock
from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import Readings
from gateway.model.record import EventBody, Record, StateChange
from gateway.privacy.kept import KeepGate
from gateway.privacy.moment import ROOM as DERIVED_ROOM
from gateway.privacy.moment import Moment
from gateway.rules.counters import OLD_BASE
from gateway.rules.counters import SEVERITY as COUNTER_EVENTS
from gateway.settings.site import Site

if TYPE_CHECKING:
    from gateway.privacy.derive import Derivation


class Inner:
    """One for the gateway; belongs to the pipeline's task."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        saved: Mapping[str, Any] | None = None,
        *,
        can_seal: bool = True,
    ) -> None:
        """Take the site, the clock, and what the last run saved in the room `derived`.

        Where the store has no seal, values of class P2 and above are not kept: a reload brought
        them, and the next start makes the seal.
        """
        self._clock, self._can_seal = clock, can_seal
        self._derivation = _derivation_of(site, saved or {})
        self._gate = KeepGate(site.all_devices, can_seal=self._can_seal)

    def replace(self, site: Site, touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; derived devices among `touched` begin anew."""
        if self._derivation is None:
            self._derivation = _derivation_of(site, {})
        else:
            self._derivation.replace(site.derived, touched)
        self._gate = KeepGate(site.all_devices, can_seal=self._can_seal)

    def kept(self, record: Record) -> Record | None:
        """Return what of a record may be kept, None when nothing may."""
        return self._gate.through(record)

    def add(self, readings: Readings, events: Sequence[EventBody], now: float) -> None:
        """Take readings as the rules left them, and what the rules said of them."""
        if self._derivation is None:
            return
        for event in events:
            if event.point is not None and _is_new_base(event):
                self._derivation.rebased(readings.device, PointId(event.point))
        self._derivation.add(readings, now)

    def tick(self) -> list[Readings]:
        """Return the derived readings that are due."""
        clock = self._clock
        if self._derivation is None:
            return []
        return self._derivation.tick(Moment(clock.monotonic(), clock.now_ms(), clock.quality()))

    def take_changes(self) -> list[StateChange]:
        """Return the state that belongs to them, once."""
        return [] if self._derivation is None else self._derivation.take_changes()


def _derivation_of(site: Site, saved: Mapping[str, Any]) -> Derivation | None:
    """Return what makes the derived points; None where the site has none, and never had."""
    if not (site.derived or saved):
        return None
    from gateway.privacy.derive import Derivation  # noqa: PLC0415 - a megabyte that few sites need

    marks = partial(_next_mark, ZoneInfo(site.gateway.timezone))
    return Derivation(site.derived, marks, saved)


def _next_mark(zone: ZoneInfo, step_s: float, after_ms: int) -> int:
    return next_mark_ms(step_s, after_ms, zone)


def _is_new_base(event: EventBody) -> bool:
    """Whether a counter counts on from somewhere else; not when it goes on as before."""
    is_end = event.state == "cleared" and event.detail != OLD_BASE
    return is_end and event.type in COUNTER_EVENTS


__all__ = ["DERIVED_ROOM", "Inner"]
