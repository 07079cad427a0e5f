"""`allow:`, `transforms:`, `payload:` and `privacy:` -> what the outer door reads, and checks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from gateway.settings.checking import Spot
from gateway.settings.models.historian import HistorianEntry
from gateway.settings.models.privacy import (
    DAY_S,
    ChoiceEntry,
    PayloadEntry,
    PrivacyEntry,
    TransformEntry,
)
from gateway.settings.models.sink import SinkEntry
from gateway.settings.problems import Problems
from gateway.settings.secret_entry import make_secret
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.site_files import Placed
from gateway.settings.site_historians import HISTORIAN
from gateway.settings.site_privacy import Choice, Payload, Privacy, Transform, is_personal
from gateway.settings.site_sinks import Sink
from gateway.settings.where import Where

FEW_VALUES = frozenset({ValueType.BOOL, ValueType.ENUM})
"""A hash hides nothing of what has two or ten values: counting them tells which is which."""
SEALED_DIALECT = "native"
"""A vendor's platform reads nothing but its own payload; ours says what a sealed one looks like."""


CIPHER_MODULE = "cryptography"
"""Has SM4; installed with the extra `crypto`."""


def has_sm3() -> bool:
    """Whether the OpenSSL below Python has SM3, and lets us use it."""
    try:
        hashlib.new("sm3")
    except ValueError:
        return False
    return True


def make_allow(entry: SinkEntry | HistorianEntry) -> tuple[Choice, ...] | None:
    """Return what may leave by name; None where the sink has no list."""
    return None if entry.allow is None else tuple(_choice(line) for line in entry.allow)


def make_transforms(entry: SinkEntry | HistorianEntry) -> tuple[Transform, ...]:
    """Return what is done to values, in order: the first that fits a point counts."""
    return tuple(_transform(one) for one in entry.transforms)


def make_payload(entry: PayloadEntry | None) -> Payload:
    """Return how payloads are sealed."""
    if entry is None:
        return Payload()
    return Payload(entry.cipher, make_secret(entry.key), make_secret(entry.sign_key), entry.signer)


def make_privacy(placed: Placed[PrivacyEntry] | None, problems: Problems) -> Privacy:
    """Return what holds for all sinks."""
    if placed is None:
        return Privacy()
    entry, spot = placed.entry, placed.spot
    if entry.algorithm == "hmac-sm3" and not has_sm3():
        problems.add("LG-PRIV-07", spot.at("algorithm").where, spot.at("algorithm").text)
    days = int(entry.rotate // DAY_S)
    return Privacy(entry.algorithm, days, make_secret(entry.key), entry.places)


def privacy_places(entry: SinkEntry | HistorianEntry, spot: Spot) -> Iterator[tuple[str, Where]]:
    """Yield where each line of a sink stands: `allow.0`, `transforms.2`, `payload`."""
    for key, lines in (("allow", entry.allow or ()), ("transforms", entry.transforms)):
        for index, _ in enumerate(lines):
            yield f"{key}.{index}", spot.at(key, index).where
    if isinstance(entry, SinkEntry) and entry.payload is not None:
        yield "payload", spot.at("payload").where


def check_privacy(sinks: Iterable[Sink], devices: Iterable[Device], problems: Problems) -> None:
    """Report lines that name nothing, hashes that hide nothing, and what cannot be sealed."""
    pairs = tuple(_Named(device, point) for device in devices for point in device.points)
    is_whole = not problems.has_errors  # else a line may name a device that is wrong itself
    for sink in sinks:
        for index, choice in enumerate(sink.allow or ()):
            if is_whole and not any(pair.is_let_out(choice) for pair in pairs):
                place = _place(sink, f"allow.{index}")
                problems.add("LG-PRIV-03", place.where, place.path)
        for index, transform in enumerate(sink.transforms):
            named = [pair for pair in pairs if pair.is_of(transform.of)]
            place = _place(sink, f"transforms.{index}")
            if is_whole and not named:
                problems.add("LG-PRIV-03", place.where, place.path)
            _check_transform(place, transform, named, problems)
        _check_payload(sink, problems)


@dataclass(frozen=True, slots=True)
class _Named:
    """A point of a device."""

    device: Device
    point: Point

    def is_of(self, choice: Choice) -> bool:
        """Whether a line's patterns fit it."""
        return choice.names(self.device.id, self.device.kind, self.point.id)

    def is_let_out(self, choice: Choice) -> bool:
        """Whether a line of an allow list lets it out."""
        device, point = self.device, self.point
        is_own = is_personal(point.personal)
        return choice.names(device.id, device.kind, point.id, is_personal=is_own)

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.device.id}/{self.point.id}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line of a sink stands."""

    where: Where
    path: str


def _check_transform(
    place: _Place, transform: Transform, named: Iterable[_Named], problems: Problems
) -> None:
    for pair in named:
        if transform.by == "hash" and pair.point.type in FEW_VALUES:
            problems.add("LG-PRIV-04", place.where, place.path, point=str(pair))
        if transform.level == "L1" and is_personal(pair.point.personal):
            problems.add("LG-PRIV-05", place.where, place.path, point=str(pair))


def _check_payload(sink: Sink, problems: Problems) -> None:
    if not sink.payload.is_sealed:
        return
    place = _place(sink, "payload")
    if sink.dialect != SEALED_DIALECT:
        problems.add("LG-PRIV-06", place.where, place.path, name=sink.dialect)
    if sink.payload.cipher is not None and find_spec(CIPHER_MODULE) is None:
        problems.add("LG-PRIV-10", place.where, place.path)
    if not has_sm3():  # for signatures, and for the name of the cipher's key
        problems.add("LG-PRIV-07", place.where, place.path)
    if sink.payload.cipher == "sm4-cbc" and sink.payload.sign_key is None:
        problems.add("LG-PRIV-08", place.where, place.path)


def _place(sink: Sink, spot: str) -> _Place:
    section = "historians" if sink.dialect == HISTORIAN else "sinks"
    return _Place(sink.places.get(spot, sink.where), f"{section}.{sink.name}.{spot}")


def _choice(entry: ChoiceEntry) -> Choice:
    return Choice(tuple(entry.points), entry.device, entry.kind)


def _transform(entry: TransformEntry) -> Transform:
    first = 2 if entry.first is None else entry.first
    last = 2 if entry.last is None else entry.last
    return Transform(_choice(entry), entry.by, entry.level, first, last)
