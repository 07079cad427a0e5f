"""Devices of other protocols behind one port, alone or beside Modbus on the same pair of wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.model.clock import Clock
from simulators.contract import Callers, Reply, Slaves
from simulators.faults import Faults
from simulators.frames import Asked
from simulators.units import Outgoing, Units


class Taking(Protocol):
    """How requests are found in what a master sends."""

    @property
    def is_timed(self) -> bool:
        """Whether a frame on a serial line ends by silence."""
        ...

    def parse(self, frame: bytes) -> Asked | None:
        """Return the request of one whole frame, None when it is damaged."""
        ...

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next whole request out of a stream, skipping what is none."""
        ...


@runtime_checkable
class Answering(Protocol):
    """The devices behind one port, as a line or a server sees them."""

    @property
    def framing(self) -> Taking:
        """How they find what is meant for them."""
        ...

    @property
    def is_strict(self) -> bool:
        """Whether a request before 3.5 characters of silence is lost on them (Modbus RTU)."""
        ...

    def respond(self, asked: Asked) -> Outgoing | None:
        """Return what goes on the wire; None for silence."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """Every frame between two silences is offered to all; on a stream the first protocol cuts."""

    slaves: Sequence[Slaves]
    is_timed: bool = True

    def parse(self, frame: bytes) -> Asked | None:
        """Return the frame as it is: each protocol looks at it itself."""
        return Asked(0, b"", bytes(frame)) if frame else None

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next frame as the first protocol cuts it."""
        if not self.slaves:
            frame = bytes(buffer)
            buffer.clear()
            return self.parse(frame)
        taken = self.slaves[0].take(buffer)
        return None if taken is None else Asked(0, b"", taken)


class MixedUnits:
    """All devices of one port: slaves of several protocols, Modbus units, callers that answer."""

    def __init__(
        self,
        slaves: Sequence[Slaves],
        clock: Clock,
        faults: Faults,
        *,
        modbus: Units | None = None,
        callers: Callers | None = None,
    ) -> None:
        self.framing = Whole(slaves)
        self.turnaround_s = 0.02
        self.answered = 0
        self._slaves = slaves
        self._clock = clock
        self._faults = faults
        self._modbus = modbus
        self._callers = callers

    @property
    def is_strict(self) -> bool:
        """Whether Modbus devices are among them."""
        return self._modbus is not None

    def respond(self, asked: Asked) -> Outgoing | None:
        """Return what goes on the wire; None for silence."""
        frame, now_ms = asked.frame, self._clock.now_ms()
        # A right CRC does not make it Modbus: other makers' frames have the same one.
        mine = None if self._modbus is None else self._modbus.framing.parse(frame)
        if self._modbus is not None and mine is not None:
            said_by_modbus = self._modbus.respond(mine)
            if said_by_modbus is not None:
                return said_by_modbus
        if self._callers is not None:
            said = self._callers.received(frame, now_ms)
            return Outgoing(self.turnaround_s, said) if said else None
        for slaves in self._slaves:
            if (reply := slaves.answer(frame, now_ms)) is not None:
                self.answered += 1
                return self._outgoing(frame, reply, slaves)
        return None

    def _outgoing(self, request: bytes, reply: Reply, slaves: Slaves) -> Outgoing | None:
        """Return the reply on its way, as its devices' faults let it."""
        fault = self._faults.pick(*reply.devices)
        if fault is None:
            return Outgoing(self.turnaround_s, reply.frame)
        refusal = slaves.refusal(request)
        spoilt = self._faults.spoil_frame(fault, request, reply.frame, refusal)
        if spoilt.frame is None:
            return None
        return Outgoing(self.turnaround_s + spoilt.extra_s, spoilt.frame)
