"""Declared frames: what the gateway asks of them, whether it asks or listens."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from drivers.contract import (
    Address,
    Decoded,
    Job,
    LineCost,
    Moment,
    Quirks,
    Raw,
    Session,
    SessionDevice,
    Wanted,
    Window,
    WireSettings,
)
from drivers.declared.address import declared_address, declared_quirks
from drivers.declared.declaration import Declaration, unit_key
from drivers.declared.decode import decode
from drivers.declared.jobs import Ask, plan_reads, plan_write
from drivers.declared.session import DeclaredSession
from drivers.declared.values import key_of

_PART = re.compile(r"[A-Za-z0-9_.:-]{1,32}")
_MOST_PARTS = 8


class DeclaredSpeaker:
    """What asking and listening have in common; `declarations` are those that decode tries."""

    def __init__(self, declarations: Sequence[Declaration]) -> None:
        self._declarations = tuple(declarations)

    @property
    def wire(self) -> WireSettings:
        """The silence of Modbus: many makers' devices end a frame by it, and none minds it.

        A device that needs more says so in its profile: `quirks: {pause: 20ms}`.
        """
        return WireSettings(silence_chars=4.0, silence_min_s=0.00175)

    def parse_unit(self, address: object) -> Hashable:
        """Return the unit key of a device's address: a number, or parts with slashes between.

        Raises:
            ValueError: with what is wrong and what to write.
        """
        parts = str(address).strip().split("/")
        is_text = isinstance(address, int | str) and not isinstance(address, bool)
        is_right = len(parts) <= _MOST_PARTS and all(_PART.fullmatch(part) for part in parts)
        if not is_text or not is_right:
            raise ValueError(
                f"{address!r} is no address in declared frames; write a number such as 17, or "
                "the parts that the frame has, such as 001/02/01"
            )
        return unit_key([key_of(part) for part in parts])

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; the framings of the wanted points are tried first."""
        return decode(self._declarations, frame, direction, wanted=wanted, request=request)


class DeclaredDriver(DeclaredSpeaker):
    """Devices that are asked; see `drivers.contract.JobDriver`."""

    def plan(
        self, unit: Hashable, wanted: Sequence[Wanted], quirks: Quirks, cost: LineCost
    ) -> tuple[Job, ...]:
        """Return one job for each frame that brings wanted points.

        Raises:
            ValueError: a point cannot be asked for, or the unit's address does not fit its frame.
        """
        del cost
        declared_quirks(quirks)
        return plan_reads(unit, wanted)

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Return the job that writes one raw value.

        Raises:
            ValueError: the point cannot be written, or the value does not fit its field.
        """
        declared_quirks(quirks)
        return plan_write(unit, declared_address(address), raw)

    def probe(self, unit: Hashable, job: Job) -> Job:
        """Return a job of its frame without points; what writes is never made a probe."""
        del unit
        if isinstance(job, Ask) and job.cells:
            return Ask(job.question, f"{job.name} (probe)")
        return job

    def window(self) -> Window | None:
        """Return None: nothing says that a framing has identifiers of requests."""
        return None


class DeclaredListener(DeclaredSpeaker):
    """Devices that speak by themselves; see `drivers.contract.SessionDriver`."""

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Session:
        """Return the session of a new connection."""
        return DeclaredSession(devices, now)

    def silent_after_s(self, quirks: Quirks) -> float | None:
        """Return the quirk of that name; None where it is 0: as long as the connection lives."""
        return declared_quirks(quirks).silent_after_s or None
