"""What the outbox is given from outside beside its settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from gateway.outbox.batch import IsDue, is_addressed
from gateway.outbox.purge import Retains
from gateway.outbox.seal import Seal

RECENT_READINGS = 10_000
"""Values kept in memory per lane: half a megabyte, a minute of 150 readings a second."""


def random_ep() -> int:
    """Return the random 53-bit number of a new store; 53 bits survive JSON everywhere."""
    return secrets.randbits(53) or 1


@dataclass(frozen=True, slots=True)
class Seams:
    """What a simulation or test replaces, and what the app knows better."""

    executor: Executor | None = None
    """Must run one job at a time, in order; None for a thread of its own."""
    is_due: IsDue = is_addressed
    new_ep: Callable[[], int] = random_ep
    recent_readings: int = RECENT_READINGS
    seal: Seal | None = None
    """Seals what is stored; None where nothing of it is personal."""
    retains: Retains | None = None
    """How long values may be kept; None: as long as there is room."""


USUAL = Seams()
