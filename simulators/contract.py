"""What a simulator of a protocol is: the page for authors of `simulators/wires/<driver>.py`.

A simulator encodes values with code of its own and shares nothing with the driver's decoding of
values, so that an error there shows as a false value. Frames may use the driver's codec, which its
vectors prove. All of it is pure: time comes in as an argument, bytes go out as return values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.settings.site import Device
from simulators.twin import Twin


@dataclass(frozen=True, slots=True)
class Simulated:
    """A device of the site with the twin that says what its points are."""

    device: Device
    twin: Twin


@dataclass(frozen=True, slots=True)
class Reply:
    """What devices say to a request: the ids of those that speak, and their frame."""

    devices: tuple[str, ...]
    frame: bytes


class Slaves(Protocol):
    """The devices of one protocol behind one port, where a master asks."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next whole request frame out of a stream; None for "more, please".

        What cannot belong to a request of this protocol is dropped.
        """
        ...

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return the reply to one whole frame at this moment (UTC ms).

        None for silence: a damaged frame, another protocol's, an address that nobody has, or a
        request without reply. Every value that the reply carries is noted with `Twin.serve`.
        """
        ...

    def refusal(self, frame: bytes) -> bytes | None:
        """Return an error reply to the request, for the fault `exception`; None: there is none."""
        ...


class Callers(Protocol):
    """Devices that speak by themselves on one connection, or answer in a dialogue."""

    @property
    def wake_at_ms(self) -> int | None:
        """When `wake` has something to say at the latest, or None."""
        ...

    def opened(self, now_ms: int) -> bytes:
        """Return what is said first on a new connection."""
        ...

    def received(self, data: bytes, now_ms: int) -> bytes:
        """Take bytes from the other side; return what is said to them."""
        ...

    def wake(self, now_ms: int) -> bytes:
        """Let time pass; return what is said unasked: changes of values, test signals."""
        ...


class Simulator(Protocol):
    """What `simulators.wires.load` finds as `SIMULATOR`; one of the two makes something."""

    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:
        """Return the devices of one port that are asked; None where this protocol has callers."""
        ...

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:
        """Return the devices of one connection that speak; None where this protocol has slaves."""
        ...
