"""Every profile is simulated, and read back by the gateway's own driver and normaliser.

Both sides take their registers from the same file and share no value code: what differs is an
error in one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sim_points import START_MS, ManualClock, units

from drivers.contract import LineCost, Wanted
from drivers.modbus import DRIVER
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.reading import Value
from gateway.model.sample import Raw, Samples
from gateway.normalise.readings import Normaliser
from gateway.settings.profiles import (
    load_profile,
    profile_catalogue,
    resolve_points,
    resolve_quirks,
)
from gateway.settings.site import Device, DeviceQuirks, Point
from gateway.settings.where import Where
from simulators.device import DeviceTraits, SimDevice
from simulators.ledger import Ledger, equal
from simulators.pdu import Limits

UNIT = 5
DRIVER_ = DRIVER.protocols["modbus-rtu"]


def cases() -> Iterator[Any]:
    """One case for each profile, variant and set of variables that the samples use."""
    for entry in profile_catalogue():
        if entry.driver != DRIVER.name:
            continue
        profile = load_profile(entry.id).profile
        assert profile is not None, entry.id
        seen: set[str] = set()
        for sample in profile.samples:
            name = f"{entry.id} {sample.variant or ''} {dict(sample.variables)}"
            if name not in seen:
                seen.add(name)
                yield pytest.param(entry.id, sample.variant, sample.variables, id=name)


def simulated_device(points: Sequence[Point], quirks: DeviceQuirks, kind: str) -> SimDevice:
    driver: Any = quirks.driver
    traits = DeviceTraits(
        "d",
        UNIT,
        kind,
        first_address=driver.first_address,
        limits=Limits(driver.max_registers, driver.max_bits),
    )
    return SimDevice(traits, points, Ledger())


def read_all(
    device: SimDevice, points: Sequence[Point], quirks: DeviceQuirks
) -> dict[PointId, Raw | None]:
    """Read every readable point as the bus would."""
    bus = units(device, clock=ManualClock(START_MS))
    keys = {p.id: key for key, p in enumerate(points)}
    wanted = [
        Wanted(keys[p.id], p.address, keys[p.scale_from.point] if p.scale_from else None)
        for p in points
        if p.is_readable
    ]
    raw: dict[PointId, Raw | None] = {}
    for job in DRIVER_.plan(UNIT, wanted, quirks.driver, LineCost(0.001, 0.02)):
        steps = job.steps()
        reply: Any = None
        try:
            while True:
                exchange = steps.send(reply)
                asked = bus.framing.parse(exchange.request)
                assert asked is not None
                out = bus.respond(asked)
                assert out is not None
                reply = exchange.feed(out.frame)
                assert reply is not None
        except StopIteration as end:
            raw.update({points[k].id: v for k, v in zip(job.keys, end.value, strict=True)})
    return raw


def published(device: Device, raw: dict[PointId, Raw | None]) -> dict[str, Value | None]:
    normaliser = Normaliser({device.id: device}, ())
    samples = Samples(
        device.id, tuple(raw), tuple(raw.values()), None, START_MS, START_MS, TimeQuality.SYNC
    )
    readings = normaliser.to_readings(samples)
    assert readings is not None
    return dict(zip(map(str, readings.column.points), readings.values, strict=True))


@pytest.mark.parametrize(("profile_id", "variant", "variables"), list(cases()))
def test_what_is_simulated_is_what_the_gateway_reads(
    profile_id: str, variant: str | None, variables: dict[str, int]
) -> None:
    profile = load_profile(profile_id).profile
    assert profile is not None
    points = resolve_points(profile, variables, variant)
    quirks = resolve_quirks(profile, variant)
    twin = simulated_device(points, quirks, profile.entry.kind)
    device = Device(
        id=DeviceId("d"), profile=profile_id, kind=profile.entry.kind, line=LineName("l"),
        protocol="modbus-rtu", unit=UNIT, address_text=str(UNIT), points=points, quirks=quirks,
        where=Where("test", 1, 1),
    )  # fmt: skip
    read = published(device, read_all(twin, points, quirks))
    held = twin.values()
    readable = {str(p.id) for p in points if p.is_readable and p.is_published}
    assert readable == set(read)
    sentinels = {str(p.id) for p in points if 0 in p.invalid}
    for name, value in read.items():
        if name in sentinels and name not in held:
            assert value is None, "a zero that means no value"
            continue
        assert value is not None, name
        assert equal(held[name], value), f"{name}: {held[name]} was read as {value}"
