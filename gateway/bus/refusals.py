"""What to do when a device says no: later, in smaller pieces, or a bad reading."""

from __future__ import annotations

from drivers.contract import DeviceRefused
from gateway.bus.core import LineCore, fault_of
from gateway.bus.schedule import Entry
from gateway.bus.unit import Read

BUSY_WAIT_S = 0.2
BUSY_TRIES = 4
"""A busy device is asked again after 0.2, 0.4, 0.8 and 1.6 s."""
REFUSALS_TO_SPLIT = 3
"""A block that has been read before is split only when it is refused so often in a row: some
devices refuse their registers for a moment after a restart."""


def after_refusal(core: LineCore, read: Read, refusal: DeviceRefused) -> bool:
    """Act on a refusal; return whether the poll is settled for this time.

    The unit lives in any case.
    """
    core.answered(read.unit)
    entry = read.entry
    if entry is None:
        return True
    if refusal.is_busy and read.busy_tries < BUSY_TRIES:
        wait_s = BUSY_WAIT_S * 2**read.busy_tries
        read.busy_tries += 1
        core.schedule.again(entry, core.time() + wait_s)
        return False
    read.busy_tries = 0
    read.refusals += 1
    if refusal.is_address and (not read.has_answered or read.refusals >= REFUSALS_TO_SPLIT):
        pieces = read.split()
        if pieces:
            _replace(core, entry, pieces)
            return False
    core.no_values(read, fault_of(refusal))
    return True


def _replace(core: LineCore, old: Entry[Read], pieces: tuple[Read, ...]) -> None:
    """Schedule pieces in the place of a read, due at once and for good: the hole is known."""
    unit = old.what.unit
    now = core.time()
    for piece in pieces:
        entry = Entry(piece, old.rule, piece.plan.priority)
        piece.entry = entry
        core.schedule.add(entry, now, 0.0)
        entry.phase = old.phase
        unit.entries.append(entry)
    unit.entries.remove(old)
    core.schedule.drop(old)
