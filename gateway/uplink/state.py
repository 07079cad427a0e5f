"""What an uplink says about itself, and the pace at which it tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.model.publication import Fate

Protocol: TypeAlias = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class UplinkState:
    """Whether the platform can be reached; if not, why not."""

    is_connected: bool
    why: str
    since_ms: int
    """UTC ms of the last change."""
    protocol: Protocol | None = None
    """MQTT version of this connection, or of the last one."""
    window: int = 0
    """Messages that may be unacknowledged: our setting or the broker's, whichever is smaller."""
    max_packet: int | None = None
    """Largest packet the broker takes, in bytes; None when it did not say."""
    broker: str = ""
    """The one of the list that is used, or was tried last."""


@dataclass(slots=True)
class UplinkCounters:
    """What happened since the start."""

    connects: int = 0
    failures: int = 0
    """Attempts that failed and connections that were lost."""
    published: int = 0
    delivered: int = 0
    refused: int = 0
    busy: int = 0
    too_large: int = 0
    returned: int = 0
    """In flight when a connection went; handed back."""
    arrivals: int = 0
    arrivals_dropped: int = 0
    bytes_out: int = 0

    def answered(self, fate: Fate) -> None:
        """Count what became of a message."""
        match fate:
            case Fate.DELIVERED | Fate.NOBODY_LISTENS:
                self.delivered += 1
            case Fate.BUSY:
                self.busy += 1
            case Fate.TOO_LARGE:
                self.too_large += 1
            case Fate.REFUSED:
                self.refused += 1

    def arrived(self, *, is_kept: bool) -> None:
        """Count a message of the platform."""
        if is_kept:
            self.arrivals += 1
        else:
            self.arrivals_dropped += 1


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the uplink in seconds; the defaults are those of the field."""

    backoff_min: float = 1.0
    backoff_max: float = 8.0
    """So that live values are there 10 s after the broker, however long it was away. A fleet
    spreads over these seconds."""
    patient: float = 30.0
    """After what no haste mends: a missing file, a busy broker, another client with our id."""
    connect: float = 10.0
    """For name, TCP, TLS and the broker's CONNACK together."""
    connect_listed: float = 5.0
    """The same while other brokers of a list were not tried yet."""
    prefer: float = 600.0
    """After so long with another broker of the list the preferred one is looked for again."""
    acknowledge: float = 60.0
    """A broker that leaves a message unacknowledged this long is left."""
    stable: float = 30.0
    """A connection that held this long makes the back-off start anew."""
    goodbye: float = 0.5
