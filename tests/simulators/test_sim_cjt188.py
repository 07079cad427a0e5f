"""Simulated meters of CJ/T 188 tell the driver's jobs what their twins are, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.cjt188 import DRIVER
from drivers.cjt188.address import WILDCARD, Cjt188Address, Field
from drivers.cjt188.driver import PROTOCOL
from drivers.contract import DeviceRefused, Job, LineCost, Wanted
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.sample import Samples
from gateway.normalise.readings import Normaliser
from gateway.normalise.write import to_raw
from gateway.rules.report import singles
from gateway.settings.driver_keys import address_model, quirks_model
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device, ValueType
from gateway.settings.where import Where
from simulators.contract import Simulated, Slaves
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load

NOW_MS = 1_764_200_000_000
COST = LineCost(0.0046, 0.1)
METER = "78330123456789"


def _device(profile_id: str, name: str = "m1", unit: str = METER, **keys: Any) -> Device:
    """Return a device of a profile; keys are quirks, and `variant`."""
    profile = load_profile(profile_id).profile
    assert profile is not None
    variant = keys.pop("variant", None)
    points = resolve_points(profile, variant=variant)
    quirks = resolve_quirks(profile, variant)
    if keys:
        usual = quirks.driver
        plain = quirks_model(DRIVER).model_validate({"type": getattr(usual, "type", "10"), **keys})
        quirks = replace(quirks, driver=plain.plain)
    return Device(
        id=DeviceId(name), profile=profile.id, kind=profile.kind.id, line=LineName("l"),
        protocol=PROTOCOL, unit=unit, address_text=unit, points=points,
        quirks=quirks, where=Where("test", 1, 1),
    )  # fmt: skip


class Stage:
    """Devices on one pair of wires, the simulator of their meters, and the driver's jobs."""

    def __init__(self, *devices: Device) -> None:
        self.ledger = Ledger()
        self.devices = devices
        self.twins = {d.id: Twin(d.id, d.kind, d.points, self.ledger, seed=3) for d in devices}
        slaves = load("cjt188").slaves(
            PROTOCOL, [Simulated(device, self.twins[device.id]) for device in devices]
        )
        assert slaves is not None
        self.slaves: Slaves = slaves

    def jobs(self, device: Device) -> tuple[Job, ...]:
        wanted = [Wanted(k, p.address) for k, p in enumerate(device.points) if p.is_readable]
        return DRIVER.protocols[PROTOCOL].plan(device.unit, wanted, device.quirks.driver, COST)

    def run(self, job: Job, now_ms: int = NOW_MS) -> Any:
        """Do a job; None when nobody answers."""
        steps = job.steps()
        reply: Any = None
        while True:
            try:
                exchange = steps.send(reply)
            except StopIteration as done:
                return done.value
            buffer = bytearray(b"\x00\x68" + exchange.request)
            taken = self.slaves.take(buffer)
            assert taken is not None
            assert not buffer
            answer = self.slaves.answer(taken, now_ms)
            if answer is None:
                return None
            reply = exchange.feed(answer.frame)
            assert reply is not None

    def read(self, device: Device, now_ms: int = NOW_MS) -> dict[str, Any]:
        """Return the readings of a device, each checked against what the simulator noted."""
        found: dict[str, Any] = {}
        for job in self.jobs(device):
            row = self.run(job, now_ms)
            points = tuple(device.points[key].id for key in job.keys)
            samples = Samples(device.id, points, tuple(row), None, now_ms, now_ms, TimeQuality.SYNC)
            readings = Normaliser({device.id: device}, ()).to_readings(samples)
            assert readings is not None
            for one in singles(readings):
                span = (now_ms, now_ms)
                assert one.value is not None
                assert self.ledger.holds(device.id, one.point, one.value, span), one
                found[str(one.point)] = one.value
        return found


@pytest.mark.parametrize("name", ["water", "heat", "gas"])
def test_every_point_of_a_generic_profile_is_read_as_its_twin_has_it(name: str) -> None:
    device = _device(f"generic/cjt188-{name}")
    stage = Stage(device)
    found = stage.read(device)
    for hours in range(1, 24 * 365, 97):
        assert stage.read(device, NOW_MS + hours * 3_600_000).keys() == found.keys()
    assert found.keys() == {str(p.id) for p in device.points if p.is_readable and p.is_published}


@pytest.mark.parametrize(
    "quirks",
    [
        {"di_order": "low_first"},
        {"di_order": "high_first"},
        {"ser": "any"},
        {"unit_first": True},
        {"clock_order": "high_first"},
        {"flow_decimals": 2},
        {"preambles": 0},
        {"type": "25"},
    ],
    ids=str,
)
def test_what_is_peculiar_to_a_meter_changes_no_value(quirks: dict[str, Any]) -> None:
    device = _device("generic/cjt188-heat", **quirks)
    stage = Stage(device)
    stage.twins[device.id].hold("flow", 1.25, NOW_MS)
    stage.twins[device.id].hold("power", 1230, NOW_MS)
    found = stage.read(device)
    assert (found["flow"], found["power"]) == (1.25, 1230)


def test_a_meter_that_knows_one_order_only_is_read_after_one_silence() -> None:
    meter = _device("generic/cjt188-water", di_order="low_first")
    asking = _device("generic/cjt188-water", di_order="auto")
    stage = Stage(meter)
    (job,) = stage.jobs(asking)
    # Refused, or silent: the real ones differ; either way the next try has the other order.
    with pytest.raises(DeviceRefused):
        stage.run(job)
    assert stage.run(job) is not None
    assert stage.run(job) is not None


def test_months_days_prices_and_status_bits_are_read_too() -> None:
    bits = _device("generic/cjt188-water")
    extra: list[dict[str, Any]] = [
        {"field": "volume", "month": 12},
        {"field": "energy", "month": 1},
        {"field": "day", "di": "8103"},
        {"field": "price_1"},
        {"field": "money_left"},
        {"field": "purchase_count"},
        {"field": "status", "bit": 5},
        {"field": "status", "mask": 0xC000},
    ]
    points = [
        replace(
            bits.points[0],
            id=PointId(f"x{n}"),
            address=address_model(DRIVER).model_validate(keys).plain,
            type=ValueType.BOOL if "bit" in keys else ValueType.FLOAT,
        )
        for n, keys in enumerate(extra)
    ]
    device = replace(bits, points=(*bits.points, *points))
    stage = Stage(device)
    twin = stage.twins[device.id]
    for point, value in {"x0": 12.34, "x1": 5.5, "x3": 2.9, "x4": 80.25, "x5": 7.0}.items():
        twin.hold(point, value, NOW_MS)
    twin.hold("status_code", 0x2101, NOW_MS)
    twin.hold("x6", value=True, now_ms=NOW_MS)
    twin.hold("x7", 3, NOW_MS)
    found = stage.read(device)
    assert [found[f"x{n}"] for n in (0, 1, 3, 4, 5)] == [12.34, 5.5, 2.9, 80.25, 7.0]
    assert 1 <= found["x2"] <= 31
    assert (found["x6"], found["x7"], found["status_code"]) == (True, 3, 0xE121)


def test_an_unknown_identifier_is_refused_and_another_address_is_silence() -> None:
    device = _device("generic/cjt188-water")
    stage = Stage(device)
    month = address_model(DRIVER).model_validate({"field": "volume", "month": 1}).plain
    driver = DRIVER.protocols[PROTOCOL]
    (job,) = driver.plan(METER, [Wanted(0, month)], device.quirks.driver, COST)
    with pytest.raises(DeviceRefused, match="control C1, SER 20, status 0002"):
        stage.run(job)
    volume = [Wanted(0, Cjt188Address(Field.VOLUME))]
    (other,) = driver.plan("11110123456789", volume, device.quirks.driver, COST)
    assert stage.run(other) is None
    gas = quirks_model(DRIVER).model_validate({"type": "30"}).plain
    (of_type,) = driver.plan(METER, volume, gas, COST)
    assert stage.run(of_type) is None


def test_the_wildcard_finds_one_meter_and_two_spoil_each_other() -> None:
    one, two = _device("generic/cjt188-water"), _device("generic/cjt188-heat", "m2", "0" * 14)
    scan = next(iter(DRIVER.conduct.scan()))
    assert Stage(one).run(scan) == [METER]
    assert Stage(one, two).run(scan) is None
    both = Stage(one, two)
    assert both.read(one).keys()
    assert both.read(two).keys()


def test_the_valve_moves_and_the_clock_is_set() -> None:
    device = _device("generic/cjt188-water", variant="valve")
    stage = Stage(device)
    driver = DRIVER.protocols[PROTOCOL]
    (valve,) = [p for p in device.points if p.id == "valve_cmd"]
    job = driver.plan_write(METER, valve.address, to_raw(valve, "close"), device.quirks.driver)
    assert stage.run(job) == ()
    clock = address_model(DRIVER).model_validate({"field": "clock", "di": "A015"}).plain
    job = driver.plan_write(METER, clock, "2030-01-02T03:04:05", device.quirks.driver)
    assert stage.run(job) == ()
    assert stage.read(device)["clock"] == "2030-01-02T03:04:05"
    with pytest.raises(ValueError, match="wildcard"):
        driver.plan_write(WILDCARD, clock, "2030-01-02T03:04:05", device.quirks.driver)


def test_a_gas_valve_is_closed() -> None:
    device = _device("generic/cjt188-gas", variant="valve")
    stage = Stage(device)
    (valve,) = [p for p in device.points if p.id == "valve_close"]
    raw = to_raw(valve, value=True)
    job = DRIVER.protocols[PROTOCOL].plan_write(METER, valve.address, raw, device.quirks.driver)
    assert stage.run(job) == ()
    assert stage.twins[device.id].values(NOW_MS)["valve_close"] is True


def test_a_meter_without_a_valve_refuses_to_move_it() -> None:
    device = _device("generic/cjt188-heat")
    quirks = quirks_model(DRIVER).model_validate(
        {"type": "20", "valve": True, "di_order": "high_first"}
    )
    address = Cjt188Address(Field.VALVE)
    job = DRIVER.protocols[PROTOCOL].plan_write(METER, address, 0x99, quirks.plain)
    with pytest.raises(DeviceRefused, match="control C4"):
        Stage(device).run(job)


def test_two_devices_of_the_site_may_be_one_meter() -> None:
    one, two = _device("generic/cjt188-water", "m1"), _device("generic/cjt188-water", "m2")
    stage = Stage(one, two)
    assert stage.read(one)["status_code"] is not None


def test_a_stream_is_cut_into_requests_and_noise_is_dropped() -> None:
    stage = Stage(_device("generic/cjt188-water"))
    request = bytes.fromhex("6810880527101520000103901f012516")
    buffer = bytearray(b"\x01\x02\x03" + request + request[:7])
    assert stage.slaves.take(buffer) == request
    assert stage.slaves.take(buffer) is None
    assert bytes(buffer) == request[:7]
    buffer += request[7:]
    assert stage.slaves.take(buffer) == request
    buffer += bytes(50)
    assert stage.slaves.take(buffer) is None
    assert not buffer


def test_the_fault_exception_has_an_error_reply() -> None:
    device = _device("generic/cjt188-water")
    stage = Stage(device)
    exchange = next(stage.jobs(device)[0].steps())
    refusal = stage.slaves.refusal(exchange.request)
    assert refusal is not None
    with pytest.raises(DeviceRefused):
        exchange.feed(refusal)
    assert stage.slaves.refusal(b"\x01\x03\x00") is None
    assert stage.slaves.answer(refusal, NOW_MS) is None
