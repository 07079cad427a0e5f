"""How sub-devices stand on the platform, and what it was asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gateway.dialects.alink.logins import Member, Step
from gateway.model.ids import DeviceId
from gateway.model.publication import Publication


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reply of the platform means."""

    publications: tuple[Publication, ...] = ()
    done: tuple[int, ...] = ()
    """Seqs of state records that it confirms."""
    refused: tuple[int, ...] = ()
    why: str = ""
    inside: tuple[DeviceId, ...] = ()
    """Devices that are logged in now."""


class Standing(Enum):
    """Whether the platform has a session of a device, as far as we know."""

    ASKED = 1
    IN = 2
    REFUSED = 3
    OUT = 4


@dataclass(frozen=True, slots=True)
class Place:
    """How one sub-device stands. `why`: it was refused, and has not been let in since."""

    standing: Standing
    why: str = ""
    since_ms: int = 0
    is_unsure: bool = False
    """The platform did not say so: it did not answer, or did not log out."""


@dataclass(frozen=True, slots=True)
class Question:
    """A login, logout or binding that waits for its reply."""

    step: Step
    members: tuple[Member, ...]
    asked_ms: int
    seqs: tuple[int, ...] = ()
    is_batch: bool = False
    is_late: bool = False
    """Its members count as refused; an answer that still comes is taken."""
