"""A simulated device: points on a register image that follows its physics.

Values move in steps (`step_s`), only when the device is asked or told the time; between two steps
the image stands still, so that the ledger's entries are exactly what a reader could have got.
Several devices may live in one module (loops on the inputs of one unit): see `SimModule`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.model.reading import Value
from gateway.settings.site import Point
from simulators import physics
from simulators.course import Course
from simulators.image import Extent, Holes, Image, make_image
from simulators.ledger import Ledger
from simulators.pdu import Limits, Slave, Written, answer
from simulators.physics.scene import Physics, Scene
from simulators.values import Encoder, Raw, encoder

DEFAULT_EXPONENT = -1


@dataclass(frozen=True, slots=True)
class DeviceTraits:
    """What a device is, beside its points."""

    id: str
    unit: int
    kind: str = "generic"
    vendor: str = "Linli"
    model: str = "SIM"
    seed: int = 0
    first_address: int = 0
    limits: Limits = field(default_factory=Limits)
    holes: Holes = "zero"
    step_s: float = 0.2


class SimDevice:
    """Answers request PDUs. Safe to use from several threads."""

    def __init__(
        self, traits: DeviceTraits, points: Sequence[Point], ledger: Ledger | None = None
    ) -> None:
        self.traits = traits
        self._encoders = {str(p.id): encoder(p, first_address=traits.first_address) for p in points}
        self._course = Course(physics.make(traits.kind, Scene(points, traits.seed)), traits.step_s)
        self._ledger = ledger
        self._image = make_image(self.extents(), traits.holes)
        self._contested = contested(self._encoders.values())
        self._factors = _factor_points(points)
        self._now: dict[str, Value] = {}
        self._raw: dict[str, Raw] = {}
        self._forced: dict[str, Raw] = {}
        self._now_factors: dict[str, Decimal] = {}
        self._lock = threading.RLock()

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id; a module has those of all its devices."""
        return (self.traits.id,)

    @property
    def encoders(self) -> Iterable[Encoder]:
        """How its points lie on the wire."""
        return self._encoders.values()

    @property
    def physics(self) -> Physics:
        """What moves it."""
        return self._course.physics

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """Return the reply PDU of a request at this moment."""
        with self._lock:
            self.step(now_ms)
            said = answer(slave_of(self.traits, self._image), pdu)
            if said.written:
                self.take_over(said.written, now_ms)
            return said.pdu

    def extents(self) -> list[Extent]:
        """Return the addresses that it needs."""
        return [_extent(encode) for encode in self._encoders.values()]

    def move_into(self, image: Image, others: frozenset[str], lock: threading.RLock) -> None:
        """Live in the image of a module from now on; `others` are points with rivals there."""
        self._image, self._lock = image, lock
        self._contested |= others

    def step(self, now_ms: int) -> None:
        """Let time pass without a request."""
        with self._lock:
            self._step(now_ms)
            self.settle(now_ms)

    def values(self) -> Mapping[str, Value]:
        """Return what the points are now, as the registers carry it."""
        with self._lock:
            return dict(self._now)

    def hold(self, point: str, value: Value, now_ms: int, for_s: float = 1e12) -> None:
        """Keep a value on a point for a time, whatever physics says.

        Raises:
            KeyError: the device has no such point.
        """
        with self._lock:
            if point not in self._encoders:
                raise KeyError(f"{self.traits.id} has no point {point}")
            self._course.hold(point, value, now_ms / 1000 + for_s)
            self._step(now_ms, is_forced=True)

    def force_raw(self, point: str, raw: Raw | None, now_ms: int) -> None:
        """Put a raw value such as a sentinel on a point; None ends it.

        Raises:
            KeyError: the device has no such point.
        """
        with self._lock:
            if point not in self._encoders:
                raise KeyError(f"{self.traits.id} has no point {point}")
            self._forced.pop(point, None)
            if raw is not None:
                self._forced[point] = raw
            self._step(now_ms, is_forced=True)

    def happen(self, what: str, now_ms: int, for_s: float) -> bool:
        """Let something happen to it; False when this kind of thing cannot do it."""
        with self._lock:
            has_happened = self._course.physics.happen(what, now_ms / 1000, for_s)
            self._step(now_ms, is_forced=True)
            return has_happened

    def write(self, point: str, value: Value, now_ms: int) -> None:
        """Set a point as a command would."""
        with self._lock:
            self._course.physics.written(point, value, now_ms / 1000)
            self._step(now_ms, is_forced=True)

    def _step(self, now_ms: int, *, is_forced: bool = False) -> None:
        values = self._course.step(now_ms / 1000, is_forced=is_forced)
        if values is None:
            return
        self._now_factors = self._numeric_factors(values)
        for name, encode in self._encoders.items():
            if encode.point.is_readable and (name in self._forced or name in values):
                self._put(encode, values.get(name, 0), now_ms)

    def settle(self, now_ms: int) -> None:
        """Note what points became whose registers others have written as well."""
        for name in self._contested:
            encode = self._encoders[name]
            if encode.point.is_readable:
                self._note(encode, self._raw_in_image(encode), now_ms)

    def take_over(self, written: Sequence[Written], now_ms: int) -> None:
        """Tell physics what was written, then let it say what became of that."""
        with self._lock:
            for stretch in written:
                for name, encode in self._encoders.items():
                    if _touches(encode, stretch):
                        self._raw.pop(name, None)
                        self._tell(encode, now_ms)
            self._step(now_ms, is_forced=True)
            self.settle(now_ms)

    def _put(self, encode: Encoder, value: Value, now_ms: int) -> None:
        name = str(encode.point.id)
        factor = self._now_factors.get(name)
        value = _plausible(encode.point, value)
        raw = self._forced[name] if name in self._forced else encode.to_raw(value, factor)
        if self._raw.get(name) == raw and factor is None and name not in self._contested:
            return
        self._raw[name] = raw
        place = encode.place
        table = self._image.tables[place.table]
        if place.is_bit:
            table.write(place.register, [int(bool(raw))])
        else:
            present = table.read(place.register, place.words)
            table.write(place.register, encode.to_words(raw, present))
        if name not in self._contested:
            self._note(encode, raw, now_ms)

    def _note(self, encode: Encoder, raw: Raw, now_ms: int) -> None:
        name = str(encode.point.id)
        served = encode.to_value(raw, self._now_factors.get(name))
        if served is None:
            self._now.pop(name, None)
        else:
            self._now[name] = served
        if self._ledger is not None:
            self._ledger.put(self.traits.id, name, served, now_ms)

    def _tell(self, encode: Encoder, now_ms: int) -> None:
        rule = encode.point.write
        if rule is None:
            return
        raw = self._raw_in_image(encode)
        if rule.raw_or and isinstance(raw, int):
            if raw & rule.raw_or != rule.raw_or:
                return  # the magic prefix is missing: the device ignores it
            raw &= ~rule.raw_or
        value = encode.to_value(raw)
        if value is not None:
            self._course.physics.written(str(encode.point.id), value, now_ms / 1000)

    def _raw_in_image(self, encode: Encoder) -> Raw:
        place = encode.place
        words = self._image.tables[place.table].read(place.register, place.words)
        return bool(words[0]) if place.is_bit else encode.from_words(words)

    def _numeric_factors(self, values: dict[str, Value]) -> dict[str, Decimal]:
        factors: dict[str, Decimal] = {}
        for name, (source, kind) in self._factors.items():
            own = self._encoders[source]
            values.setdefault(source, DEFAULT_EXPONENT if kind == "exponent" else 1)
            if (
                kind == "exponent"
                and "value" not in own.point.sim
                and not self._course.is_held(source)
            ):
                values[source] = DEFAULT_EXPONENT
            known = own.to_value(own.to_raw(values[source]))
            exact = Decimal(str(known if isinstance(known, int | float) else 0))
            factors[name] = Decimal(10) ** int(exact) if kind == "exponent" else exact
        return factors


class SimModule:
    """Several devices behind one unit address: loops, contacts and lamps on one module."""

    def __init__(self, devices: Sequence[SimDevice]) -> None:
        self.devices = tuple(devices)
        self._lock = threading.RLock()
        traits = devices[0].traits
        self._image = make_image([e for d in devices for e in d.extents()], traits.holes)
        rivals = contested([e for d in devices for e in d.encoders])
        for device in devices:
            own = {str(e.point.id) for e in device.encoders}
            device.move_into(self._image, rivals & own, self._lock)
        self._slave = slave_of(traits, self._image)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its devices."""
        return tuple(device.traits.id for device in self.devices)

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """Return the reply PDU of a request at this moment."""
        with self._lock:
            for device in self.devices:
                device.step(now_ms)
            for device in self.devices:
                device.settle(now_ms)
            said = answer(self._slave, pdu)
            for device in self.devices if said.written else ():
                device.take_over(said.written, now_ms)
            return said.pdu


def slave_of(traits: DeviceTraits, image: Image) -> Slave:
    """Return what answers PDUs for a device."""
    identity = (traits.vendor, traits.model, "1.0")
    return Slave(image, traits.limits, identity, traits.unit)


def contested(encoders: Iterable[Encoder]) -> frozenset[str]:
    """Return points that share bits of registers with others: the last one to write wins."""
    owners: dict[tuple[str, int], list[tuple[str, int]]] = {}
    rivals: set[str] = set()
    for encode in encoders:
        place, name = encode.place, str(encode.point.id)
        if not encode.point.is_readable:
            continue
        bits = 0xFFFF if place.mask is None or place.words > 1 else place.mask
        for register in range(place.register, place.register + place.words):
            here = owners.setdefault((place.table, register), [])
            for other, other_bits in here:
                if bits & other_bits:
                    rivals |= {name, other}
            here.append((name, bits))
    return frozenset(rivals)


def _factor_points(points: Sequence[Point]) -> dict[str, tuple[str, str]]:
    return {
        str(p.id): (str(p.scale_from.point), p.scale_from.kind)
        for p in points
        if p.scale_from is not None
    }


def _extent(encode: Encoder) -> Extent:
    place, point = encode.place, encode.point
    is_writable = point.write is not None
    return Extent(place.table, place.register, place.words, point.is_readable, is_writable)


def _plausible(point: Point, value: Value) -> Value:
    """Keep a number within what its profile calls plausible: physics does not know that range."""
    if isinstance(value, bool | str):
        return value
    if point.minimum is not None and value < point.minimum:
        return point.minimum
    return point.maximum if point.maximum is not None and value > point.maximum else value


def _touches(encode: Encoder, stretch: Written) -> bool:
    place = encode.place
    return (
        place.table == stretch.table
        and place.register < stretch.first + stretch.count
        and stretch.first < place.register + place.words
    )
