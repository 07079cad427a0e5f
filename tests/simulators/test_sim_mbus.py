"""Simulated M-Bus meters serve what their ledger says, read by the driver's own jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.contract import DeviceRefused, DriverError, Job, LineCost, Wanted
from drivers.mbus import DRIVER, PROTOCOL
from drivers.mbus.address import MbusAddress
from drivers.mbus.codec import short_frame
from drivers.mbus.search import Outcome, SecondarySearch, outcome_of
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.normalise.convert import compile_point
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device, ValueType
from gateway.settings.where import Where
from simulators.contract import Simulated
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load

NOW_MS = 1_790_000_000_000
COST = LineCost(char_s=11 / 2400, exchange_s=0.05)
MBUS = DRIVER.protocols[PROTOCOL]
PROFILES = [
    "generic/mbus-water",
    "generic/mbus-heat",
    "kamstrup/multical-601-mbus",
    "itron/cyble-mbus",
]


def device_of(profile_id: str, address: object, name: str = "m-1") -> Device:
    profile = load_profile(profile_id).profile
    assert profile is not None
    return Device(
        DeviceId(name), profile_id, profile.kind.id, LineName("l"), PROTOCOL,
        MBUS.parse_unit(address), str(address), resolve_points(profile),
        resolve_quirks(profile), Where("", 1, 1),
    )  # fmt: skip


def meters(ledger: Ledger, *devices: Device) -> Any:
    twins = [Twin(d.id, d.kind, d.points, ledger) for d in devices]
    simulated = [Simulated(d, t) for d, t in zip(devices, twins, strict=True)]
    return load("mbus").slaves(PROTOCOL, simulated)


def job_of(device: Device) -> Job:
    wanted = [Wanted(n, point.address) for n, point in enumerate(device.points)]
    (job,) = MBUS.plan(device.unit, wanted, device.quirks.driver, COST)
    return job


def pump(job: Job, slaves: Any, now_ms: int = NOW_MS) -> Any:
    steps = job.steps()
    exchange = next(steps)
    while True:
        buffer = bytearray(exchange.request)
        frame = slaves.take(buffer)
        assert not buffer
        said = slaves.answer(frame, now_ms)
        reply = exchange.feed(b"" if said is None or not exchange.reply_chars else said.frame)
        if reply is None:
            raise exchange.verdict()
        try:
            exchange = steps.send(reply)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("address", [7, "12345678"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_point_is_what_the_ledger_holds(profile: str, address: object) -> None:
    with Ledger() as ledger:
        device = device_of(profile, address)
        slaves = meters(ledger, device)
        job = job_of(device)
        for now_ms in (NOW_MS, NOW_MS + 3_600_000):
            for key, raw in zip(job.keys, pump(job, slaves, now_ms), strict=True):
                point = device.points[key]
                assert raw is not None, point.id
                value = compile_point(point)(raw)
                assert value is not None, point.id
                assert ledger.holds(device.id, point.id, value, (now_ms, now_ms)), point.id


def test_a_meter_with_many_points_spreads_them_over_telegrams() -> None:
    with Ledger() as ledger:
        model = device_of("generic/mbus-water", 7)
        many = tuple(
            replace(
                model.points[0],
                id=PointId(f"vol_{n}"),
                address=MbusAddress("volume", storage=n),
                type=ValueType.FLOAT,
            )
            for n in range(60)
        )
        device = replace(model, points=many)
        job = job_of(device)
        slaves = meters(ledger, device)
        assert None not in pump(job, slaves)
        assert None not in pump(job, slaves)
        assert job.exchanges > 2


def test_other_addresses_are_silent_and_a_busy_meter_says_so() -> None:
    with Ledger() as ledger:
        slaves = meters(ledger, device_of("generic/mbus-water", 7))
        assert slaves.answer(short_frame(0x5B, 8), NOW_MS) is None
        assert slaves.answer(short_frame(0x40, 8), NOW_MS) is None
        assert slaves.refusal(short_frame(0x40, 7)) is None
        job = job_of(device_of("generic/mbus-water", 7))
        steps = job.steps()
        next(steps)
        exchange = steps.send(True)
        with pytest.raises(DeviceRefused, match="too busy"):
            exchange.feed(slaves.refusal(exchange.request))


def test_the_same_frame_count_bit_gets_the_same_telegram() -> None:
    with Ledger() as ledger:
        slaves = meters(ledger, device_of("generic/mbus-water", 7))
        first, again, other = (
            slaves.answer(short_frame(c, 7), NOW_MS + n * 3_600_000).frame
            for n, c in enumerate((0x7B, 0x7B, 0x5B))
        )
        assert first == again
        assert first != other


def test_all_meters_of_a_line_are_found_by_the_search() -> None:
    with Ledger() as ledger:
        numbers = ["12345678", "12345679", "92345678", "00000001"]
        devices = [
            device_of("generic/mbus-water", number, f"m-{n}") for n, number in enumerate(numbers)
        ]
        slaves = meters(ledger, *devices)
        search = SecondarySearch()
        while (job := search.next_job()) is not None:
            try:
                (name,) = pump(job, slaves)
            except DriverError as error:
                search.told(outcome_of(error))
            else:
                search.told(Outcome.REPLY, name)
        assert sorted(unit.number for unit in search.found) == sorted(numbers)


def test_noise_before_a_request_is_dropped() -> None:
    with Ledger() as ledger:
        slaves = meters(ledger, device_of("generic/mbus-water", 7))
        buffer = bytearray(b"\x00\xff\x68" * 60)
        assert slaves.take(buffer) is None
        assert len(buffer) <= 64
        buffer += short_frame(0x5B, 7)
        assert slaves.take(buffer) == short_frame(0x5B, 7)
        assert load("mbus").callers(PROTOCOL, []) is None
