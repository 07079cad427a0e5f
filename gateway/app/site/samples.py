"""The samples of a profile are its test: reply bytes must give the values that it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import Wanted
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.quality import Quality
from gateway.model.reading import Reading, Value
from gateway.model.sample import Samples
from gateway.normalise.readings import Normaliser
from gateway.normalise.write import to_raw
from gateway.rules.report import singles
from gateway.settings.catalogue import Profile, ProfileSample, SampleValue
from gateway.settings.profiles import resolve_points, resolve_quirks
from gateway.settings.site import Device, Point
from gateway.settings.where import Where

_DEVICE = DeviceId("sample")


@dataclass(frozen=True, slots=True)
class SampleFault:
    """A sample that does not give what it says."""

    where: Where
    point: str
    message: str

    def text(self) -> str:
        """Return `file:line:col: point: what is wrong`."""
        where = self.where
        return f"{where.file}:{where.line}:{where.column}: {self.point}: {self.message}"


@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """What the samples of a profile prove, and what they do not."""

    proved: frozenset[str]
    unproved: frozenset[str]
    """Readable points that no sample covers."""
    faults: tuple[SampleFault, ...]


def check_samples(profile: Profile) -> SampleVerdict:
    """Decode every sample of a profile and compare it with the values it promises."""
    faults: list[SampleFault] = []
    proved: set[str] = set()
    for sample in profile.samples:
        if _is_write(profile, sample):
            found = _check_write(profile, sample)
            faults.extend(SampleFault(sample.where, *fault) for fault in found)
            proved |= sample.values.keys() - {name for name, _ in found}
            continue
        readings, found = read_sample(profile, sample)
        if found is not None:
            faults.append(SampleFault(sample.where, "reply", found))
            continue
        for name, expected in sample.values.items():
            message = _compare(readings.get(name), expected)
            if message is None:
                proved.add(name)
            else:
                faults.append(SampleFault(sample.where, name, message))
    every = {str(p.id) for p in sample_points(profile) if p.is_readable and p.is_published}
    return SampleVerdict(frozenset(proved), frozenset(every - proved), tuple(faults))


def read_sample(
    profile: Profile, sample: ProfileSample
) -> tuple[Mapping[str, Reading], str | None]:
    """Return the readings that a sample's reply carries, or why there are none."""
    points = resolve_points(profile, sample.variables, sample.variant)
    wanted = [Wanted(key, point.address) for key, point in enumerate(points) if point.is_readable]
    decoded = profile.speaker.decode(sample.reply, "response", wanted, sample.request)
    if not decoded.ok:
        return {}, f"the reply is not good: {decoded.error}"
    whole = {points[key].id for key in decoded.raw}
    keys = [key for key in decoded.raw if _is_complete(points[key], whole)]
    samples = Samples(
        _DEVICE,
        tuple(points[key].id for key in keys),
        tuple(decoded.raw[key] for key in keys),
        fault=None,
        begun_ms=0,
        taken_ms=0,
        tq=TimeQuality.SYNC,
    )
    readings = Normaliser({_DEVICE: _device(profile, points)}, ()).to_readings(samples)
    return {} if readings is None else {str(one.point): one for one in singles(readings)}, None


def sample_points(profile: Profile) -> Sequence[Point]:
    """Return the points as the first sample sets the variables; many profiles have no defaults."""
    variables = profile.samples[0].variables if profile.samples else None
    return resolve_points(profile, variables)


def _is_write(profile: Profile, sample: ProfileSample) -> bool:
    """Whether the request itself carries the values: a reply to a read never does."""
    if not sample.request:
        return False
    points = resolve_points(profile, sample.variables, sample.variant)
    wanted = [Wanted(key, point.address) for key, point in enumerate(points)]
    carried = profile.speaker.decode(sample.request, "request", wanted).raw
    return any(points[key].id in sample.values for key in carried)


def _check_write(profile: Profile, sample: ProfileSample) -> list[tuple[str, str]]:
    """Return what is wrong with a sample that writes: its request is what we would send."""
    by_id = {str(p.id): p for p in resolve_points(profile, sample.variables, sample.variant)}
    driver = profile.driver.protocols[profile.protocol]
    unit = driver.decode(sample.request, "request").unit
    quirks = resolve_quirks(profile, sample.variant).driver
    faults: list[tuple[str, str]] = []
    for name, expected in sample.values.items():
        point = by_id[name]
        if expected.value is None:
            faults.append((name, "a sample that writes needs a value"))
            continue
        job = driver.plan_write(unit, point.address, to_raw(point, expected.value), quirks)
        sent = next(job.steps()).request
        if sent != sample.request:
            faults.append((name, f"we would send {sent.hex(' ').upper()}"))
    return faults


def _is_complete(point: Point, carried: set[PointId]) -> bool:
    return point.scale_from is None or point.scale_from.point in carried


def _compare(reading: Reading | None, expected: SampleValue) -> str | None:
    if reading is None:
        return "the reply does not carry this point; is the register within the request?"
    shown = _shown(reading)
    if expected.bad is not None:
        promised = f"bad ({expected.bad})"
        return None if shown == promised else f"should be {promised}, is {shown}"
    if shown != repr(_as_promised(reading, expected)):
        return f"should be {expected.value!r}, is {shown}"
    if expected.unit is not None and expected.unit != reading.unit:
        return f"should be in {expected.unit}, is in {reading.unit}"
    return None


def _shown(reading: Reading) -> str:
    if reading.mark.quality is Quality.GOOD:
        return repr(reading.value)
    return f"bad ({reading.mark.reason})"


def _as_promised(reading: Reading, expected: SampleValue) -> Value | None:
    """Return the promised value; a person may write 230 where the value is 230.0."""
    value = expected.value
    if isinstance(reading.value, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _device(profile: Profile, points: Sequence[Point]) -> Device:
    return Device(
        id=_DEVICE,
        profile=profile.id,
        kind=profile.kind.id,
        line=LineName("sample"),
        protocol=profile.protocol,
        unit=1,
        address_text="1",
        points=tuple(points),
        quirks=resolve_quirks(profile),
        where=Where(str(profile.path), 1, 1),
    )
