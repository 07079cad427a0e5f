"""Meters of CJ/T 188 on the real line, in virtual time: orders, silence, late replies, echo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from drivers.cjt188.address import Cjt188Address, Cjt188Quirks, DiOrder, Field, Serial
from gateway.bus.asks import WriteNow
from gateway.bus.line import BusLine
from gateway.model.ids import DeviceId, PointId
from gateway.settings.site import (
    Device,
    DeviceQuirks,
    Every,
    SerialPort,
)
from tests.bus.modbus_line import Bench, device, point, serial_line
from tests.drivers.cjt188_support import METER, WATER, parsed, reply_to
from tests.support.links import Answer, WireLink
from tests.support.virtual_time import EPOCH_MS, in_virtual_time

PORT = SerialPort("/dev/none", 2400, parity="E")
LOW, HIGH = b"\x1f\x90", b"\x90\x1f"


def _meter(quirks: Cjt188Quirks, period: float = 5.0) -> Device:
    volume = replace(
        point(0, Every(period)), id=PointId("vol_cum"), address=Cjt188Address(Field.VOLUME)
    )
    plain = device(1, [volume], id=DeviceId("wm"), protocol="cjt188")
    return replace(plain, unit=METER, quirks=DeviceQuirks(quirks))


def _bench(
    answer: Callable[[bytes, float], Iterable[Answer]], quirks: Cjt188Quirks | None = None
) -> Bench:
    link = WireLink(PORT.char_s, answer, chunk=8)
    line = serial_line(link=PORT, protocol="cjt188")
    return Bench(line, [_meter(quirks or Cjt188Quirks())], link)


@pytest.mark.parametrize("understood", [LOW, HIGH])
@in_virtual_time
async def test_a_meter_that_is_silent_to_one_order_is_read_in_the_other(understood: bytes) -> None:
    def answer(request: bytes, _at: float) -> Iterable[Answer]:
        if parsed(request).content[:2] == understood:
            yield Answer(0.1, b"\xfe\xfe" + reply_to(request, WATER))

    bench = _bench(answer)
    await bench.run(62)
    good = bench.output.good("wm")
    assert {samples.raw for samples in good} == {(556677.0,)}
    orders = [parsed(sent.frame).content[:2] for sent in bench.link.stats.sent]
    first = orders.index(understood)
    assert first <= 1
    assert set(orders[first:]) == {understood}
    assert len(good) >= 10


@pytest.mark.parametrize(
    "quirks", [Cjt188Quirks(), Cjt188Quirks(ser=Serial.ANY)], ids=["echoed", "any"]
)
@in_virtual_time
async def test_no_late_reply_is_dated_after_the_request_it_answers(quirks: Cjt188Quirks) -> None:
    asked: list[float] = []

    def answer(request: bytes, at: float) -> Iterable[Answer]:
        """Tell in the volume which request this is; every third answer is too late for it."""
        asked.append(at)
        volume = bytes.fromhex(f"{100 * len(asked):08d}")[::-1] + b"\x2c"
        late_s = 2.5 if len(asked) % 3 == 2 else 0.1
        yield Answer(late_s, reply_to(request, volume + WATER[5:]))

    bench = _bench(answer, quirks)
    await bench.run(120)
    good = bench.output.good("wm")
    assert len(good) >= 10
    for samples in good:
        number = samples.raw[0]
        assert isinstance(number, float)
        asked_ms = EPOCH_MS + asked[int(number) - 1] * 1000
        assert samples.begun_ms - 50 <= asked_ms <= samples.taken_ms


@in_virtual_time
async def test_a_write_without_an_answer_is_sent_once() -> None:
    bench = _bench(lambda _request, _at: (), Cjt188Quirks(valve=True, di_order=DiOrder.HIGH_FIRST))

    async def close(bus: BusLine) -> None:
        valve = Cjt188Address(Field.VALVE)
        written = await bus.submit(WriteNow(DeviceId("wm"), valve, 0x99, within_s=60))
        assert written.fault == "timeout"

    await bench.run(30, close)
    frames = [parsed(sent.frame) for sent in bench.link.stats.sent]
    assert [f.content[3:] for f in frames if f.control == 0x04] == [b"\x99"]
