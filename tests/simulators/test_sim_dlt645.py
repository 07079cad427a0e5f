"""Simulated DL/T 645 meters serve what their ledger says, read by the driver's own jobs."""

from __future__ import annotations

from typing import Any

import pytest

from drivers import registry
from drivers.contract import DeviceRefused, Job, LineCost, Wanted
from drivers.dlt645.address import Dlt645Address
from drivers.dlt645.codec import encode
from gateway.model.ids import DeviceId, LineName
from gateway.normalise.convert import compile_point
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device
from gateway.settings.where import Where
from simulators.contract import Simulated
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load

NOW_MS = 1_790_000_000_000
COST = LineCost(char_s=11 / 2400, exchange_s=0.05)
METER = "000012345678"


def meters(profile_id: str, ledger: Ledger) -> tuple[Device, Any]:
    profile = load_profile(profile_id).profile
    assert profile is not None
    device = Device(
        DeviceId("em-1"), profile_id, profile.kind.id, LineName("l"), profile.protocol, METER,
        METER, resolve_points(profile), resolve_quirks(profile), Where("", 1, 1),
    )  # fmt: skip
    twin = Twin(device.id, device.kind, device.points, ledger)
    return device, load("dlt645").slaves(device.protocol, [Simulated(device, twin)])


def pump(job: Job, slaves: Any) -> Any:
    steps = job.steps()
    exchange = next(steps)
    while True:
        buffer = bytearray(exchange.request)
        frame = slaves.take(buffer)
        assert not buffer
        said = slaves.answer(frame, NOW_MS)
        assert said is not None
        try:
            exchange = steps.send(exchange.feed(said.frame))
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize(
    "profile", ["generic/dlt645-2007-3p", "generic/dlt645-2007-1p", "generic/dlt645-1997"]
)
def test_every_point_is_what_the_ledger_holds(profile: str) -> None:
    with Ledger() as ledger:
        device, slaves = meters(profile, ledger)
        driver = registry.driver_of_protocol(device.protocol).protocols[device.protocol]
        wanted = [Wanted(n, point.address) for n, point in enumerate(device.points)]
        seen = 0
        for job in driver.plan(device.unit, wanted, device.quirks.driver, COST):
            for key, raw in zip(job.keys, pump(job, slaves), strict=True):
                point = device.points[key]
                assert raw is not None, point.id
                value = compile_point(point)(raw)
                assert value is not None
                assert ledger.holds(device.id, point.id, value, (NOW_MS, NOW_MS)), point.id
                seen += 1
        assert seen == len(device.points)


def test_other_meters_are_silent_and_unknown_items_are_refused() -> None:
    with Ledger() as ledger:
        device, slaves = meters("generic/dlt645-2007-1p", ledger)
        assert slaves.answer(encode("000000000009", 0x11, bytes(4)), NOW_MS) is None
        driver = registry.driver_of_protocol(device.protocol).protocols[device.protocol]
        wanted = [Wanted(0, device.points[0].address)]
        (job,) = driver.plan(device.unit, wanted, device.quirks.driver, COST)
        exchange = next(job.steps())
        with pytest.raises(DeviceRefused, match="no requested data"):
            exchange.feed(slaves.refusal(exchange.request))
        said = slaves.answer(encode(METER, 0x11, bytes.fromhex("FFFFFF07")), NOW_MS)
        assert said is not None
        with pytest.raises(DeviceRefused):
            exchange.feed(said.frame)


def test_a_freeze_of_one_meter_is_confirmed_and_of_all_meters_is_not() -> None:
    with Ledger() as ledger:
        device, slaves = meters("generic/dlt645-2007-1p", ledger)
        driver = registry.driver_of_protocol(device.protocol).protocols[device.protocol]
        job = driver.plan_write(
            device.unit, Dlt645Address("freeze"), "99999999", device.quirks.driver
        )
        assert pump(job, slaves) == ()
        assert slaves.answer(encode("999999999999", 0x16, b"\x99" * 4), NOW_MS) is None
