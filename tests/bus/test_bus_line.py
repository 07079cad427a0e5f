"""What a line does besides polling: faults told, holes, echo, ports that go, asks, reload."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from drivers.modbus.crc import with_crc
from gateway.bus.asks import ReadNow, WriteNow
from gateway.bus.line import BusLine
from gateway.bus.unit import Unit
from gateway.links.contract import LinkDown
from gateway.model.ids import DeviceId, PointId
from gateway.model.sample import Samples
from gateway.settings.site import (
    At,
    DeviceQuirks,
    Every,
    ScaleFrom,
)
from tests.bus.modbus_line import (
    SERIAL_9600_8E1,
    SPEC,
    Bench,
    Meter,
    device,
    modbus_address,
    network_line,
    point,
    serial_line,
    wire,
)
from tests.support.links import Answer, WireLink
from tests.support.virtual_time import EPOCH_MS, in_virtual_time

EM1 = DeviceId("em-01")


def bench_of(*meters: Meter, registers: Iterable[int] = range(4), period: float = 1.0) -> Bench:
    points = [point(r, Every(period)) for r in registers]
    return Bench(serial_line(), [device(m.unit, points) for m in meters], wire(*meters))


def units_of(bus: BusLine) -> dict[object, Unit]:
    return {key.unit: unit for key, unit in bus.units.items()}


@in_virtual_time
async def test_times_are_those_of_the_first_byte_asked_and_the_last_byte_had() -> None:
    meter = Meter(1, 0.02)
    bench = bench_of(meter)
    await bench.run(0.5)
    (first,) = bench.output.good("em-01")
    sent = bench.link.stats.sent[0]
    ends = meter.served[0][0].ended_at
    assert first.begun_ms == EPOCH_MS + round(sent.begun_at * 1000)
    assert abs(first.taken_ms - EPOCH_MS - ends * 1000) <= 2


@in_virtual_time
async def test_the_points_of_a_read_are_the_same_tuple_at_every_poll() -> None:
    bench = bench_of(Meter(1))
    await bench.run(5.0)
    assert len({id(s.points) for s in bench.output.good("em-01")}) == 1


@in_virtual_time
async def test_logical_devices_in_one_unit_share_a_read() -> None:
    one = device(1, [point(0), point(1)])
    two = device(1, [point(2), point(3)], id=DeviceId("em-01b"))
    bench = Bench(serial_line(), [one, two], wire(Meter(1)))
    await bench.run(10.0)
    assert len(bench.link.stats.sent) in (10, 11)
    assert bench.output.good("em-01")[3].points == ("r0", "r1")
    assert bench.output.good("em-01b")[3].points == ("r2", "r3")


@in_virtual_time
async def test_a_hole_is_found_remembered_and_told() -> None:
    meter = Meter(1, holes=frozenset({5}))
    bench = bench_of(meter, registers=range(10))
    await bench.run(20.0)
    good = {name for s in bench.output.good("em-01") for name in s.points}
    assert good == {f"r{n}" for n in range(10) if n != 5}
    bad = [s for s in bench.output.samples if s.fault == "exception:2"]
    assert {name for s in bad for name in s.points} == {"r5"}
    assert len(bad) >= 19
    assert bench.output.states[0].is_online


@in_virtual_time
async def test_a_busy_device_is_asked_again_and_stays_online() -> None:
    tries = 0

    def spoil(answer: Answer, request: bytes) -> Iterable[Answer]:
        nonlocal tries
        tries += 1
        busy = with_crc(bytes((request[0], request[1] | 0x80, 6)))
        return (Answer(0.005, busy) if tries % 3 else answer,)

    bench = bench_of(Meter(1, spoil=spoil), period=5.0)
    await bench.run(60.0)
    assert len(bench.output.good("em-01")) >= 12
    assert not [s for s in bench.output.samples if s.fault]


@in_virtual_time
async def test_a_dead_unit_comes_back_by_a_probe_and_is_read_at_once() -> None:
    meter, other = Meter(1, is_alive=False), Meter(2)
    bench = bench_of(meter, other)

    async def revive(_: BusLine) -> None:
        await asyncio.sleep(20.0)
        meter.is_alive = True
        await asyncio.sleep(40.0)
        meter.is_alive = False

    await bench.run(70.0, revive)
    states = [(s.is_online, s.why) for s in bench.output.states if s.device == "em-01"]
    assert states == [(False, "timeout"), (True, "answers"), (False, "timeout")]
    asked = [s for s in bench.link.stats.sent if s.frame[0] == 1]
    first = next(s for s in asked if s.begun_at >= 1020.0)
    assert struct.unpack(">H", first.frame[4:6]) == (1,), "the probe asks for one register"
    assert len(bench.output.good("em-01")) >= 20


@in_virtual_time
async def test_when_all_are_silent_the_line_is_dead_and_tells_it_once() -> None:
    meters = [Meter(n) for n in range(1, 6)]
    bench = bench_of(*meters)

    async def cut(_: BusLine) -> None:
        await asyncio.sleep(10.0)
        for meter in meters:
            meter.is_alive = False
        await asyncio.sleep(100.0)
        for meter in meters:
            meter.is_alive = True

    await bench.run(190.0, cut)
    assert [(s.is_up, s.why) for s in bench.output.lines] == [
        (True, "open"),
        (False, "silent"),
        (True, "answers"),
    ]
    down, up = bench.output.lines[1].at_ms, bench.output.lines[2].at_ms
    assert down - EPOCH_MS <= 1_014_000
    assert up - EPOCH_MS <= 1_180_000
    while_dead = [s for s in bench.link.stats.sent if 1015 < s.begun_at < 1110]
    assert len(while_dead) < 60
    for meter in meters:
        assert len(bench.output.good(f"em-{meter.unit:02}")) >= 15


@in_virtual_time
async def test_local_echo_is_found_by_itself() -> None:
    meters = (Meter(1), Meter(2))
    points = [point(r) for r in range(4)]
    link = WireLink(SERIAL_9600_8E1.char_s, *meters, echo=True)
    bench = Bench(serial_line(), [device(1, points), device(2, points)], link)
    answers: list[object] = []

    async def write(bus: BusLine) -> None:
        address = modbus_address(register=7)
        answers.append(await bus.submit(WriteNow(EM1, address, 42)))
        meters[0].is_alive = False
        answers.append(await bus.submit(WriteNow(EM1, address, 43)))

    await bench.run(20.0, write)
    assert len(bench.output.good("em-02")) >= 19
    assert meters[0].written == {7: 42}
    sure, unsure = answers
    assert getattr(sure, "fault", "") is None
    assert (getattr(unsure, "fault", ""), getattr(unsure, "is_sure", True)) == ("timeout", False)


@in_virtual_time
async def test_polls_are_told_as_port_gone_while_the_adapter_is_away() -> None:
    bench = bench_of(Meter(1), Meter(2))

    async def unplug(_: BusLine) -> None:
        await asyncio.sleep(10.0)
        bench.link.unplug()
        await asyncio.sleep(10.0)
        bench.link.is_plugged = True

    await bench.run(30.0, unplug)
    gone = [s for s in bench.output.samples if s.fault == "port_gone"]
    assert 9 <= len([s for s in gone if s.device == "em-01"]) <= 15
    assert [s.is_up for s in bench.output.lines] == [True, False, True]
    back = bench.output.lines[2].at_ms - EPOCH_MS
    assert back <= 1_020_000 + 5_000
    assert len(bench.output.good("em-01")) >= 15
    assert len(bench.output.states) == 2, "a port that is gone says nothing of the devices"


@in_virtual_time
async def test_a_babbling_device_costs_its_line_and_no_processor() -> None:
    bench = bench_of(Meter(1))
    bench.link.transmit(1005.0, Answer(0.0, bytes(range(256)) * 100))

    bus = await bench.run(60.0)

    assert [(s.is_up, s.why) for s in bench.output.lines] == [
        (True, "open"),
        (False, "babble"),
        (True, "quiet again"),
    ]
    assert len(bench.output.good("em-01")) >= 20
    assert bus.stats().bytes_skipped > 20_000


@in_virtual_time
async def test_a_driver_that_fails_costs_its_unit_only(caplog: pytest.LogCaptureFixture) -> None:
    bench = bench_of(Meter(1), Meter(2))

    def break_driver(bus: BusLine) -> None:
        for unit in units_of(bus).values():
            if unit.key.unit == 1:
                for entry in unit.entries:
                    entry.what.plan = replace(entry.what.plan, job=BrokenJob())

    class BrokenJob:
        unit, keys, request_chars, reply_chars, exchanges = 1, (0,), 8, 8, 1

        def steps(self) -> object:
            raise ZeroDivisionError

        def split(self) -> tuple[()]:
            return ()

        def describe(self) -> str:
            return "broken"

    await bench.run(20.0, break_driver)
    assert len(bench.output.good("em-02")) >= 19
    assert {s.fault for s in bench.output.samples if s.device == "em-01"} == {"config"}
    assert "ZeroDivisionError" in caplog.text


@in_virtual_time
async def test_reads_and_writes_go_before_what_is_due() -> None:
    meters = [Meter(n) for n in range(1, 17)]
    bench = bench_of(*meters, registers=(*range(20), *range(100, 120)), period=0.5)
    samples: list[Samples] = []

    async def ask(bus: BusLine) -> None:
        await asyncio.sleep(5.0)
        loop = asyncio.get_running_loop()
        before = loop.time()
        address = modbus_address(register=7)
        written = await bus.submit(WriteNow(EM1, address, 42))
        assert written.fault is None
        samples.extend(await bus.submit(ReadNow(EM1, (PointId("r3"), PointId("r101")))))
        assert loop.time() - before < 0.4

    await bench.run(10.0, ask)
    assert [(s.points, s.asked, s.fault) for s in samples] == [
        (("r3",), True, None),
        (("r101",), True, None),
    ]
    assert not [s for s in bench.output.samples if s.asked]


@in_virtual_time
async def test_asks_end_with_an_answer_or_an_error_whatever_happens() -> None:
    bench = bench_of(Meter(1, is_alive=False))

    async def ask(bus: BusLine) -> None:
        (dead,) = await bus.submit(ReadNow(EM1, (PointId("r0"),)))
        assert dead.fault == "timeout"
        with pytest.raises(LookupError):
            await bus.submit(ReadNow(DeviceId("nobody")))
        (unknown,) = await bus.submit(ReadNow(EM1, (PointId("x"),)))
        assert unknown.fault == "config"
        with pytest.raises(TimeoutError):
            await bus.submit(ReadNow(EM1, within_s=0.01))
        bench.link.unplug()
        (gone,) = await bus.submit(ReadNow(EM1, (PointId("r0"),)))
        assert gone.fault == "port_gone"

    await bench.run(30.0, ask)


@in_virtual_time
async def test_asks_that_wait_when_the_line_stops_are_told() -> None:
    bench = bench_of(Meter(1))
    bus = await bench.run(1.0)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(_expect_down(bus), name="asked")
        await asyncio.sleep(0)
        stop = asyncio.Event()
        stop.set()
        tasks.create_task(bus.run(stop), name="line")
    assert asked.result()


async def _expect_down(bus: BusLine) -> bool:
    with pytest.raises(LinkDown):
        await bus.submit(ReadNow(EM1))
    return True


@in_virtual_time
async def test_a_reload_leaves_units_alone_that_did_not_change() -> None:
    meters = [Meter(n) for n in range(1, 4)]
    bench = bench_of(*meters, period=10.0)

    async def reload(bus: BusLine) -> None:
        await asyncio.sleep(35.0)
        kept = units_of(bus)
        one, _two, three = bench.devices
        moved = replace(one, where=replace(one.where, line=99))
        other = device(2, [point(50, Every(10.0))])
        bus.update([moved, other])
        await asyncio.sleep(1.0)
        units = units_of(bus)
        assert set(units) == {1, 2}
        assert units[1] is kept[1]
        assert units[1].devices[0].where.line == 99
        assert units[2] is not kept[2]
        assert units[2].response is kept[2].response
        bus.update([moved, other, three])
        await asyncio.sleep(14.0)

    await bench.run(60.0, reload)
    times = [s.taken_ms - EPOCH_MS - 1_000_000 for s in bench.output.good("em-01")]
    gaps = [b - a for a, b in pairwise(times[1:])]
    assert all(abs(gap - 10_000) < 50 for gap in gaps)
    assert bench.output.good("em-02")[-1].points == ("r50",)
    assert len(bench.link.stats.sent) < 25
    assert bench.link.opens == 1


@in_virtual_time
async def test_wall_clock_marks_are_met_on_the_quarter() -> None:
    bench = Bench(serial_line(), [device(1, [point(0, At(900))])], wire(Meter(1)))
    await bench.run(4000.0)
    taken = [s.taken_ms for s in bench.output.good("em-01")]
    assert len(taken) == 5
    assert all(0 <= ms % 900_000 < 200 for ms in taken[1:])


@in_virtual_time
async def test_pauses_of_a_device_are_kept() -> None:
    quirks = DeviceQuirks(SPEC.quirks_type(), pause_s=0.3, connect_delay_s=2.0)
    slow = device(1, [point(0, Every(0.1)), point(100, Every(0.1))], quirks=quirks)
    bench = Bench(serial_line(), [slow, device(2, [point(0)])], wire(Meter(1), Meter(2)))
    await bench.run(20.0)
    mine = [s for s in bench.link.stats.sent if s.frame[0] == 1]
    assert mine[0].begun_at >= 1002.0
    assert all(b.begun_at - a.left_at >= 0.3 for a, b in pairwise(mine))
    assert len(bench.output.good("em-02")) >= 19


@in_virtual_time
async def test_a_scale_register_is_read_with_its_value() -> None:
    value = replace(point(10), scale_from=ScaleFrom(PointId("r12"), "exponent"))
    factor = replace(point(12, Every(60.0)), is_published=False)
    bench = Bench(serial_line(), [device(1, [value, factor])], wire(Meter(1)))
    await bench.run(5.0)
    assert {s.points for s in bench.output.good("em-01")} == {("r12", "r10")} or {
        s.points for s in bench.output.good("em-01")
    } == {("r10", "r12")}
    assert len(bench.link.stats.sent) == 5


# --- several requests in flight --------------------------------------------------------------


class TcpGateway:
    """Units behind one Modbus TCP connection; each answers after its own delay."""

    def __init__(self, delays_s: dict[int, float | None]) -> None:
        self.delays_s = delays_s
        self.most = 0
        self.pending: list[float] = []
        self.served: dict[tuple[int, int], list[int]] = {}
        self.count = 0

    def __call__(self, data: bytes, at: float) -> Iterable[Answer]:
        answers: list[Answer] = []
        while data:
            length = 6 + struct.unpack(">H", data[4:6])[0]
            frame, data = data[:length], data[length:]
            unit, (first, count) = frame[6], struct.unpack(">HH", frame[8:12])
            delay_s = self.delays_s.get(unit)
            if delay_s is None:
                continue
            self.pending = [end for end in self.pending if end > at] + [at + delay_s]
            self.most = max(self.most, len(self.pending))
            values: list[int] = []
            for register in range(first, first + count):
                self.count = (self.count + 1) & 0x7FFF
                values.append(self.count)
                self.served.setdefault((unit, register), []).append(self.count)
            body = bytes((unit, 3, 2 * count)) + struct.pack(f">{count}H", *values)
            answers.append(Answer(delay_s, frame[:4] + struct.pack(">H", len(body)) + body))
        return answers


def tcp_bench(gateway: TcpGateway, in_flight: int, period: float = 0.05) -> Bench:
    points = [point(r, Every(period)) for r in range(10)]
    devices = [device(unit, points, protocol="modbus-tcp") for unit in sorted(gateway.delays_s)]
    return Bench(network_line(in_flight=in_flight), devices, WireLink(0.0, gateway))


@in_virtual_time
async def test_several_requests_are_in_flight_where_replies_name_them() -> None:
    gateway = TcpGateway(dict.fromkeys(range(1, 17), 0.02))
    bench = tcp_bench(gateway, in_flight=8, period=0.01)
    await bench.run(10.0)
    assert gateway.most == 8
    assert bench.output.readings / 10 >= 0.95 * 8 * 10.0 / 0.02
    for samples in bench.output.samples:
        assert samples.fault is None
        held = gateway.served[int(samples.device[3:]), 0]
        assert samples.raw[0] in held


@in_virtual_time
async def test_a_silent_unit_behind_a_gateway_closes_nothing_and_delays_nobody_for_long() -> None:
    gateway = TcpGateway({1: 0.02, 2: None, 3: 0.02, 4: 0.02})
    bench = tcp_bench(gateway, in_flight=4, period=1.0)

    async def ask(bus: BusLine) -> None:
        await asyncio.sleep(10.0)
        (samples,) = await bus.submit(ReadNow(DeviceId("em-03"), (PointId("r4"),)))
        assert samples.fault is None
        gateway.delays_s[2] = 0.02

    await bench.run(100.0, ask)
    assert bench.link.opens == 1
    assert len(bench.output.good("em-01")) >= 99
    assert len(bench.output.good("em-02")) >= 60
    assert [s.is_online for s in bench.output.states if s.device == "em-02"] == [False, True]


@in_virtual_time
async def test_what_is_in_flight_when_the_connection_goes_is_told() -> None:
    gateway = TcpGateway(dict.fromkeys(range(1, 5), 0.5))
    bench = tcp_bench(gateway, in_flight=4, period=1.0)

    async def unplug(_: BusLine) -> None:
        await asyncio.sleep(10.2)
        bench.link.unplug()
        await asyncio.sleep(3.0)
        bench.link.is_plugged = True

    await bench.run(30.0, unplug)
    assert {s.fault for s in bench.output.samples} == {None, "port_gone"}
    assert len(bench.output.good("em-01")) >= 22


@in_virtual_time
async def test_modbus_tcp_also_goes_one_at_a_time() -> None:
    gateway = TcpGateway(dict.fromkeys(range(1, 5), 0.01))
    bench = tcp_bench(gateway, in_flight=1)
    await bench.run(5.0)
    assert gateway.most == 1
    assert bench.output.readings >= 0.9 * 10 * 5.0 / 0.0125
