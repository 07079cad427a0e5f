"""Where the models of a SunSpec device lie: marker, then number and length of each model.

A chain begins with the registers 0x5375 0x6E53 ("SunS") at holding register 40000, 50000 or 0,
counted as on the wire. Each model is its number, its length, and that many registers, as in
json/model_*.json of sunspec/models, commit 7abdf898; number 0xFFFF with length 0 ends it. Marker,
places and end are of the SunSpec Device Information Model Specification, as public programs
implement it: its text was not at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.contract import Job, Steps
from drivers.modbus.framing import Framing, Prepared
from drivers.modbus.pdu import MAX_ADDRESS, READ_HOLDING, read_request

PLACES = (40000, 50000, 0)
"""Where a chain may begin, the likeliest first."""

MARKER = b"SunS"
END = 0xFFFF
MAX_MODELS = 128
"""Models after which a chain is left; a bound of ours, far above what one device is made of."""

_HEADER = 2  # registers: number and length
_HEADER_BYTES = 4
_NO_MODEL = 0  # memory that nobody filled


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a device; `length` counts the registers behind number and length.

    `base` is the distance from the marker to the register that holds the number: what the
    profiles of SunSpec devices call `base`.
    """

    number: int
    base: int
    length: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of a device in their order; one number may occur several times.

    Without `is_ended` the chain broke off: number 0, past register 65535, or too many models.
    """

    start: int
    models: tuple[Model, ...]
    is_ended: bool

    def bases(self, number: int) -> tuple[int, ...]:
        """Return the bases of all models of that number."""
        return tuple(model.base for model in self.models if model.number == number)


@dataclass(frozen=True, slots=True)
class ChainJob:
    """Walks the chain that begins at one register, one header of two registers at a time.

    Its only value, of key 0, is the headers as they came, for `read_chain`; None when no marker
    stands there. A device that has no such register refuses it.
    """

    framing: Framing
    unit: int
    start: int

    @property
    def keys(self) -> tuple[int, ...]:
        """One key: the headers."""
        return (0,)

    @property
    def request_chars(self) -> int:
        """Characters of one request."""
        return self._prepared(self.start).request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of one reply."""
        return self._prepared(self.start).reply_chars

    @property
    def exchanges(self) -> int:
        """One where there is no marker; else one more for each model, and one for the end."""
        return 1

    def steps(self) -> Steps:
        """Read the marker, then header after header to the end or a named limit."""
        marker: bytes = yield self._prepared(self.start).exchange()
        if marker != MARKER:
            return [None]
        headers = b""
        register: int | None = self.start + _HEADER
        while register is not None:
            header: bytes = yield self._prepared(register).exchange()
            headers += header
            register = _following(register, header, len(headers) // _HEADER_BYTES)
        return [headers]

    def split(self) -> tuple[Job, ...]:
        """Return (): each exchange is as small as can be."""
        return ()

    def describe(self) -> str:
        """Return function and where it begins."""
        return f"function {READ_HOLDING}: chain of SunSpec models from register {self.start}"

    def _prepared(self, register: int) -> Prepared:
        return self.framing.prepare(self.unit, read_request(READ_HOLDING, register, _HEADER))


def chain_jobs(framing: Framing, unit: int) -> Iterator[ChainJob]:
    """Yield a job for each place, the likeliest first; the first with a value has found it."""
    return (ChainJob(framing, unit, start) for start in PLACES)


def read_chain(start: int, headers: bytes) -> Chain:
    """Return the models that headers name; `start` is the register of the marker.

    Bytes that make no whole header are not looked at.
    """
    models: list[Model] = []
    register = start + _HEADER
    for at in range(0, len(headers) - _HEADER_BYTES + 1, _HEADER_BYTES):
        number, length = _header(headers[at : at + _HEADER_BYTES])
        if number in {END, _NO_MODEL}:
            return Chain(start, tuple(models), number == END)
        models.append(Model(number, register - start, length))
        register += _HEADER + length
    return Chain(start, tuple(models), is_ended=False)


def _following(register: int, header: bytes, count: int) -> int | None:
    """Return where the next header stands, or None where the walk ends."""
    number, length = _header(header)
    following = register + _HEADER + length
    is_over = number in {END, _NO_MODEL} or count >= MAX_MODELS
    return None if is_over or following + 1 > MAX_ADDRESS else following


def _header(header: bytes) -> tuple[int, int]:
    return int.from_bytes(header[:2], "big"), int.from_bytes(header[2:], "big")
