"""Whether a site is as well under a new configuration as it was under the old one.

The rule, which docs/platform/remote.md repeats:

1. Every line that was up and still is in the site is up, and so is every new line.
2. Every device that was online and still is in the site is online, and no device is offline that
   was not; a device that is new or was changed has answered under the new configuration.
3. Every platform that was connected and still is in the site is connected, and so is the one from
   which the configuration came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SHOWN = 8
"""Names in one sentence."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is up at one moment, by name, and what the site has."""

    lines: frozenset[str]
    lines_up: frozenset[str]
    devices: frozenset[str]
    online: frozenset[str]
    """Devices of which it is known; one that was never asked is in none of the two sets."""
    offline: frozenset[str]
    sinks: frozenset[str]
    connected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a new configuration touched, and where it came from."""

    changed: frozenset[str]
    """Devices that are new, were changed, or are on a line that is."""
    answered: frozenset[str]
    """Those of them that answered since."""
    sink: str


def complaints(before: Vitals, after: Vitals, trial: Trial) -> tuple[str, ...]:
    """Return what is worse than before, one sentence each; () when all is well."""
    return tuple(_complaints(before, after, trial))


def _complaints(before: Vitals, after: Vitals, trial: Trial) -> Iterator[str]:
    fresh = after.lines - before.lines
    down = ((before.lines_up & after.lines) | fresh) - after.lines_up
    if down:
        yield f"lines that are down: {_named(down)}"
    lost = (before.online & after.offline) | (after.offline - before.offline)
    lost |= (trial.changed & after.devices) - trial.answered - before.offline
    if lost:
        yield f"devices that do not answer: {_named(lost)}"
    gone = ((before.connected & after.sinks) | {trial.sink}) - after.connected
    if gone:
        yield f"platforms that are not connected: {_named(gone)}"


def _named(names: frozenset[str]) -> str:
    first = ", ".join(sorted(names)[:SHOWN])
    return first if len(names) <= SHOWN else f"{first} and {len(names) - SHOWN} more"
