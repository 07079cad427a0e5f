"""Jobs: one data identifier read with all its points, and one value written."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from drivers.cjt188.address import (
    DI_ADDRESS,
    DI_CLOCK,
    DI_READING,
    DI_VALVE,
    Cjt188Address,
    Cjt188Quirks,
    DiOrder,
    Field,
    Serial,
)
from drivers.cjt188.codec import READ, READ_ADDRESS, WRITE, Frame
from drivers.cjt188.exchange import ORDERS, Asked, Cjt188Exchange
from drivers.cjt188.fields import HEAD, LAYOUTS, WATER_SIZE, clock_bytes, raw_value
from drivers.contract import Job, Raw, Wanted

VALVE_OPEN, VALVE_CLOSE = 0x55, 0x99
"""Other codes (66, 77, AA) mean different things to different makers and are never sent."""
_WRITE_REPLIES = (2, 0)
"""A write is confirmed with two status bytes, or without."""
_USUAL_SER = 1
_LOW_FIRST_SER = 0x80
_HEAT_TYPES = range(0x20, 0x30)
_ADDRESS_REPLIES = (0, 7)
"""The address stands in the frame's head; one meter firmware repeats it in the data."""


@dataclass(frozen=True, slots=True)
class Place:
    """A wanted point: its key, and where it is."""

    key: int
    address: Cjt188Address


class ReadJob:
    """Reads one data identifier and decodes its points.

    It remembers in which order of the identifier's bytes the meter answers: with `auto`, a run
    after one that nobody answered tries the other order, until one was answered.
    """

    __slots__ = ("_is_open", "_is_proven", "_order", "_quirks", "di", "places", "unit")

    exchanges = 1

    def __init__(self, unit: str, di: int, places: Sequence[Place], quirks: Cjt188Quirks) -> None:
        self.unit = unit
        self.di = di
        self.places = tuple(places)
        self._quirks = quirks
        self._order = 0
        self._is_open = self._is_proven = False

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of its points."""
        return tuple(place.key for place in self.places)

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self._asked().request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the reply."""
        return self._asked().reply_chars

    @property
    def order(self) -> DiOrder:
        """The order of the identifier's bytes in its next request, as far as is known now."""
        return ORDERS[self._quirks.di_order][self._order]

    def steps(self) -> Generator[Cjt188Exchange, Frame, Sequence[Raw | None]]:
        """Read it once."""
        if self._is_open and not self._is_proven:
            self._order = (self._order + 1) % len(ORDERS[self._quirks.di_order])
        self._is_open = True
        frame = yield Cjt188Exchange(self._asked())
        self._is_open, self._is_proven = False, True
        return [read_value(frame, self.di, place.address, self._quirks) for place in self.places]

    def split(self) -> tuple[Job, ...]:
        """Return (): the meter gives an identifier as a whole."""
        return ()

    def describe(self) -> str:
        """Return the identifier and the number of points."""
        return f"read {self.di:04X} ({len(self.places)} points)"

    def _asked(self) -> Asked:
        quirks = self._quirks
        orders = ORDERS[quirks.di_order]
        return Asked(
            meter=self.unit,
            type=quirks.meter_type,
            control=READ_ADDRESS if self.di == DI_ADDRESS else READ,
            di=self.di,
            order=orders[self._order],
            orders=orders,
            ser=serial_of(self.di, self.order),
            sizes=_sizes(self.di, quirks.meter_type),
            is_echoed=quirks.ser is Serial.ECHOED,
            preambles=quirks.preambles,
        )


def serial_of(di: int, order: DiOrder) -> int:
    """Return the serial number (SER) of a read: fixed for each identifier and order.

    So a repeated read is the same request, and the line knows what a late reply is good for; an
    error reply, which names no identifier, is told from one to another read.
    """
    number = _USUAL_SER if di in {DI_READING, DI_ADDRESS} else di & 0x7F
    return number | (_LOW_FIRST_SER if order is DiOrder.LOW_FIRST else 0)


def _sizes(di: int, meter_type: int) -> tuple[int, ...]:
    """Return the sizes of the data that such a meter may send, the ordinary one first."""
    if di == DI_ADDRESS:
        return _ADDRESS_REPLIES
    is_heat = meter_type in _HEAT_TYPES
    return tuple(sorted(LAYOUTS[di], key=lambda size: (size == WATER_SIZE) is is_heat))


def read_value(frame: Frame, di: int, address: Cjt188Address, quirks: Cjt188Quirks) -> Raw | None:
    """Return the raw value of a point in a reply to that identifier; None where it has none."""
    if di == DI_ADDRESS:
        return frame.address
    payload = frame.content[HEAD:]
    slot = LAYOUTS[di].get(len(payload), {}).get(address.field)
    return None if slot is None else raw_value(address, slot, payload, quirks)


def read_jobs(unit: str, wanted: Sequence[Wanted], quirks: Cjt188Quirks) -> tuple[ReadJob, ...]:
    """Return one job for each data identifier that the points need.

    Raises:
        ValueError: a point can only be written.
    """
    by_di: dict[int, list[Place]] = {}
    for want in wanted:
        address = cjt188_address(want.address)
        if address.is_write_only:
            raise ValueError(f"field {address.field} with {address.identifier:04X} is write-only")
        by_di.setdefault(address.identifier, []).append(Place(want.key, address))
    return tuple(ReadJob(unit, di, places, quirks) for di, places in by_di.items())


def cjt188_address(address: object) -> Cjt188Address:
    """Return the address as what it must be."""
    if not isinstance(address, Cjt188Address):
        raise TypeError(f"{type(address).__name__} is not an address of CJ/T 188")
    return address


@dataclass(frozen=True, slots=True)
class WriteJob:
    """Writes one value in one exchange, which is never repeated by itself."""

    asked: Asked

    keys = ()
    exchanges = 1

    @property
    def unit(self) -> str:
        """The meter."""
        return self.asked.meter

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self.asked.request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the confirmation."""
        return self.asked.reply_chars

    def steps(self) -> Generator[Cjt188Exchange, Frame, Sequence[Raw | None]]:
        """Write it once."""
        yield Cjt188Exchange(self.asked)
        return ()

    def split(self) -> tuple[Job, ...]:
        """Return (): it is one exchange."""
        return ()

    def describe(self) -> str:
        """Return the identifier and the bytes written."""
        return f"write {self.asked.di:04X}: {self.asked.payload.hex(' ').upper()}"


def write_job(unit: str, address: Cjt188Address, raw: Raw, quirks: Cjt188Quirks) -> WriteJob:
    """Return the job that moves the valve or sets the clock.

    Raises:
        ValueError: it is neither, it is not allowed, or it is not known how to say it.
    """
    payload = _payload(address, raw, quirks)
    if quirks.di_order is DiOrder.AUTO:
        raise ValueError("before a write the quirk di_order must say high_first or low_first")
    if "A" in unit:
        raise ValueError("a write to the wildcard address would reach every meter of the line")
    asked = Asked(
        is_valve=address.identifier == DI_VALVE,
        meter=unit,
        type=quirks.meter_type,
        control=WRITE,
        di=address.identifier,
        order=quirks.di_order,
        orders=ORDERS[quirks.di_order],
        ser=_USUAL_SER,
        sizes=_WRITE_REPLIES,
        is_echoed=quirks.ser is Serial.ECHOED,
        preambles=quirks.preambles,
        payload=payload,
    )
    return WriteJob(asked)


def _payload(address: Cjt188Address, raw: Raw, quirks: Cjt188Quirks) -> bytes:
    if address.identifier == DI_CLOCK and address.field is Field.CLOCK:
        return clock_bytes(str(raw), quirks)
    if address.identifier != DI_VALVE:
        raise ValueError(f"{address.field} of {address.identifier:04X} cannot be written")
    if not quirks.valve:
        raise ValueError("the valve stays as it is: the quirk valve is not true")
    if address.field is Field.VALVE_CLOSE:
        if raw is not True and raw != 1:
            raise ValueError("valve_close only closes: write true")
        return bytes((VALVE_CLOSE,))
    if isinstance(raw, bool) or raw not in {VALVE_OPEN, VALVE_CLOSE}:
        raise ValueError(f"{raw!r} is no valve command; 0x55 opens, 0x99 closes")
    return bytes((int(raw),))
