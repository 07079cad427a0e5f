"""What a session tells its owner: greeting, answers, arrivals, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gateway.model.publication import Arrival, Publication, Subscription
from gateway.uplink.attempt import Target
from gateway.uplink.state import Pace

CLOSED = "the broker closed the connection"
"""The `Lost.why` of a broker that closed in order and said no reason."""


@dataclass(slots=True)
class InFlight:
    """A message that waits for its acknowledgement."""

    publication: Publication
    size: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the broker's CONNACK said."""

    receive_maximum: int = 65_535
    max_packet: int | None = None
    keepalive_s: int = 10


@dataclass(frozen=True, slots=True)
class Lost:
    """How a connection ended. `code` is a DISCONNECT reason code of the broker, or None."""

    why: str
    code: int | None = None


class SessionOwner(Protocol):
    """Who hears of what happens on a connection."""

    def acknowledged(self, flight: InFlight, code: int, name: str) -> None:
        """A message was answered."""
        ...

    def arrived(self, arrival: Arrival) -> None:
        """A message came in."""
        ...

    def sieved(self, count: int) -> None:
        """So many messages were dropped unread."""
        ...

    def burst_ended(self) -> None:
        """All that had come in was worked on."""
        ...

    def session_lost(self) -> None:
        """`lost` has been set."""
        ...


class AnySession(Protocol):
    """One connection as the uplink uses it; `session.Session` over paho is the real one."""

    in_flight: dict[int, InFlight]
    lost: Lost | None

    @property
    def refused_filters(self) -> tuple[str, ...]:
        """Filters that the broker refused."""
        ...

    async def open(self) -> Greeting:
        """Connect and return what the broker said.

        Raises:
            UplinkDown: with why.
        """
        ...

    def send(self, publication: Publication, size: int) -> None:
        """Send a message.

        Raises:
            UplinkDown: the connection has just gone.
        """
        ...

    def subscribe(self, filters: Sequence[Subscription]) -> None:
        """Ask for these topics beside those that were asked for."""
        ...

    async def watch(self, wake: asyncio.Event) -> None:
        """Keep the connection alive until it is lost or `wake` is set."""
        ...

    def say_goodbye(self) -> None:
        """Send DISCONNECT."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


MakeSession: TypeAlias = Callable[[Target, SessionOwner, Pace], AnySession]
