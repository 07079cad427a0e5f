"""Simulated IEC 62056-21 meters answer the driver's jobs, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.contract import Job, LineCost, Wanted
from drivers.iec62056 import DRIVER, PROTOCOL
from drivers.iec62056.address import Iec62056Quirks, ModeChoice, Read
from drivers.iec62056.codec import Bcc, data_message, sign_on, with_parity
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName
from gateway.model.sample import Samples
from gateway.normalise.readings import Normaliser
from gateway.rules.report import singles
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device
from gateway.settings.where import Where
from simulators.contract import Simulated
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load

START_MS = 1_767_225_600_000
COST = LineCost(char_s=10 / 300, exchange_s=0.3)


class Stage:
    """One meter of the generic profile, its simulator, and the driver that reads it."""

    def __init__(self, *, read: Read = Read.READOUT, unit: str = "00045678", **quirks: Any) -> None:
        profile = load_profile("generic/iec62056-electricity").profile
        assert profile is not None
        points = tuple(
            replace(point, address=replace(point.address, read=read))  # type: ignore[type-var]
            for point in resolve_points(profile)
        )
        common = resolve_quirks(profile)
        self.device = Device(
            id=DeviceId("em-1"),
            profile=profile.id,
            kind=profile.kind.id,
            line=LineName("head"),
            protocol=PROTOCOL,
            unit=unit,
            address_text=unit,
            points=points,
            quirks=replace(common, driver=Iec62056Quirks(**quirks)),
            where=Where("test", 1, 1),
        )
        self.ledger = Ledger()
        twin = Twin("em-1", profile.kind.id, points, self.ledger, seed=7)
        slaves = load("iec62056").slaves(PROTOCOL, [Simulated(self.device, twin)])
        assert slaves is not None
        self.slaves = slaves

    def jobs(self) -> tuple[Job, ...]:
        device = self.device
        wanted = [Wanted(key, point.address) for key, point in enumerate(device.points)]
        return DRIVER.protocols[PROTOCOL].plan(device.unit, wanted, device.quirks.driver, COST)

    def run(self, job: Job, now_ms: int) -> list[Any]:
        steps = job.steps()
        exchange = next(steps)
        while True:
            reply = exchange.feed(self.heard(exchange.request, now_ms))
            assert reply is not None, exchange.verdict()
            try:
                exchange = steps.send(reply)
            except StopIteration as finished:
                return list(finished.value)

    def heard(self, request: bytes, now_ms: int) -> bytes:
        buffer = bytearray(b"\x00\xff" + request)
        frame = self.slaves.take(buffer)
        assert frame is not None
        assert not buffer
        said = self.slaves.answer(frame, now_ms)
        return b"" if said is None else said.frame

    def check(self, now_ms: int) -> int:
        """Return how many readings came, all of which the simulator really sent."""
        seen = 0
        for job in self.jobs():
            points = tuple(self.device.points[key].id for key in job.keys)
            row = tuple(self.run(job, now_ms))
            samples = Samples(self.device.id, points, row, None, now_ms, now_ms, TimeQuality.SYNC)
            readings = Normaliser({self.device.id: self.device}, ()).to_readings(samples)
            assert readings is not None
            for one in singles(readings):
                assert one.value is not None, one
                assert self.ledger.holds("em-1", one.point, one.value, (now_ms, now_ms)), one
                seen += 1
        return seen


@pytest.mark.parametrize(
    "quirks",
    [
        {},
        {"mode": ModeChoice.A},
        {"bcc": Bcc.SUM},
        {"framing": "8N1"},
        {"max_baud": 300},
        {"switch_baud": False},
    ],
    ids=str,
)
def test_every_value_of_a_read_out_is_what_the_meter_sent(quirks: dict[str, Any]) -> None:
    stage = Stage(**quirks)
    for step in range(5):
        assert stage.check(START_MS + step * 3_600_000) == len(stage.device.points)


def test_every_value_is_had_by_read_commands_too() -> None:
    stage = Stage(read=Read.R1, password="00000000")  # noqa: S106 - of no meter
    assert stage.check(START_MS) == len(stage.device.points)


def test_the_meter_alone_at_the_head_needs_no_address() -> None:
    stage = Stage(unit="-")
    assert stage.check(START_MS) == len(stage.device.points)


def test_another_address_is_answered_with_silence() -> None:
    stage = Stage()
    assert stage.heard(sign_on("00099999"), START_MS) == b""
    assert stage.heard(b"\x06050\r\n", START_MS) == b""


def test_parity_in_bit_7_is_answered_in_kind() -> None:
    said = Stage().heard(with_parity(sign_on("")), START_MS)
    assert said == with_parity(b"/LIN5\\@SIM\r\n")


def test_a_nak_is_answered_with_the_same_again() -> None:
    stage = Stage()
    stage.heard(sign_on(""), START_MS)
    first = stage.heard(b"\x06050\r\n", START_MS)
    assert first
    assert stage.heard(b"\x15", START_MS) == first


def test_an_error_reply_exists_for_read_commands() -> None:
    stage = Stage()
    assert stage.slaves.refusal(b"\x01R1\x021.8.0()\x03\x00") == data_message(b"(ERR1)")
    assert stage.slaves.refusal(sign_on("")) == b"\x15"


def test_a_stream_of_rubbish_is_dropped() -> None:
    buffer = bytearray(b"\x01\x02\x55" * 500)
    assert Stage().slaves.take(buffer) is None
    assert len(buffer) <= 128
