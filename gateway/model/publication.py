"""What a dialect gives to the uplink, and what the uplink gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.ids import SinkName
from gateway.model.record import Lane

TAIL_BYTES = 8
"""Longest `Publication.tail`."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One MQTT message.

    `covers` are the seqs it delivers when acknowledged; () for births and states, which are not
    records. With QoS 0 nobody acknowledges: see `ConnectSpec.needs_echo`.
    """

    topic: str
    payload: bytes
    lane: Lane
    covers: tuple[int, ...] = ()
    qos: int = 1
    is_retained: bool = False
    expiry_s: int | None = None
    content_type: str | None = None
    """Said to MQTT 5 brokers only; costs its length on the wire with every message."""
    broker_is_enough: bool = False
    """Delivered when the broker has it, with `ack: app` too: the platform confirms no such one."""
    correlation: bytes | None = None
    """What a platform gave with its question, given back (MQTT 5 only)."""
    tail: Callable[[], bytes] | None = None
    """Makes the end of the payload, at most TAIL_BYTES, at the moment when the message leaves: what
    counts messages in the order of the wire, which only then is known."""

    def leaving(self) -> bytes:
        """Return the payload for the wire; asked for once, when it leaves."""
        return self.payload if self.tail is None else self.payload + self.tail()


class Fate(StrEnum):
    """What became of a publication (the reason codes of MQTT 5 PUBACK, folded)."""

    DELIVERED = "delivered"
    """0x00 success."""
    NOBODY_LISTENS = "nobody_listens"
    """0x10 no matching subscribers: delivered as far as MQTT goes."""
    REFUSED = "refused"
    """0x87 not authorised, 0x90 topic name invalid, 0x99 payload format invalid: kept."""
    BUSY = "busy"
    """0x97 quota exceeded, 0x83 implementation specific, 0x80 unspecified: again later."""
    TOO_LARGE = "too_large"
    """Larger than the broker's Maximum Packet Size: never sent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one publication, with the reason code for people."""

    publication: Publication
    fate: Fate
    reason: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that the platform sent to us."""

    sink: SinkName
    topic: str
    payload: bytes
    is_retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says when we vanish."""

    topic: str
    payload: bytes
    qos: int = 1
    is_retained: bool = True


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter."""

    topic: str
    qos: int = 1
    wants_retained: bool = False
    """Whether messages that were retained before we came are asked for: a state, never a command.
    MQTT 3.1.1 gives them unasked."""


@dataclass(frozen=True, slots=True)
class ConnectSpec:
    """How a platform wants to be called; asked for before every connection.

    A `username` of None leaves both to the sink's own settings (`username`, `credentials`).
    """

    client_id: str
    will: Will | None = None
    subscriptions: tuple[Subscription, ...] = ()
    username: str | None = None
    password: str | None = None
    echo: str | None = None
    """A topic that we publish to and subscribe to ourselves: MQTT 3.1.1 acknowledges what it
    denies, and this is the only way to see it."""
    needs_echo: bool = False
    """Records leave at QoS 0, which nobody acknowledges: they count as delivered when an echo that
    was sent after them has come back, on MQTT 5 too."""
    leaves_will: bool = False
    """The broker publishes the will after an orderly end too."""
