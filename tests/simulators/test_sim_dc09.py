"""Simulated panels tell the driver's session what their twins are, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from drivers.contract import Moment, SessionDevice, SessionOutput
from drivers.dc09 import DRIVER, PROTOCOL
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
from simulators.wires.dc09 import REPEAT_MS, REPEATS, TEST_SIGNAL_MS, Panels

START_MS = 1_767_225_600_000


class Stage:
    """Two panels on one connection, and the driver's session with them."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self.ledger = Ledger()
        self.devices = [self._device("p1", "1234"), self._device("p2", "00AB")]
        twins = [Twin(d.id, d.kind, d.points, self.ledger, seed=7) for d in self.devices]
        self.twins = {str(d.id): t for d, t in zip(self.devices, twins, strict=True)}
        simulated = [Simulated(d, t) for d, t in zip(self.devices, twins, strict=True)]
        self.callers = Panels(simulated, keys)
        assert load("dc09").callers(PROTOCOL, simulated) is not None
        known = [
            SessionDevice(
                d.unit,
                tuple(p.address for p in d.points),
                d.quirks.driver,
                (keys or {}).get(str(d.unit)),
            )
            for d in self.devices
        ]
        self.session = DRIVER.sessions[PROTOCOL].start(known, self.moment(START_MS))

    @staticmethod
    def moment(now_ms: int) -> Moment:
        return Moment(now_ms / 1000, now_ms)

    def talk(self, said: bytes, now_ms: int) -> dict[str, Any]:
        """Let both sides talk until nothing is left to say; return what was learnt."""
        found: dict[str, Any] = {}
        while said:
            output = self.session.received(said, self.moment(now_ms))
            assert output.fault is None
            assert not output.unknown
            found |= self.readings(output, now_ms)
            said = self.callers.received(output.send, now_ms)
        return found

    def readings(self, output: SessionOutput, now_ms: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for device in self.devices:
            ids = {p.address: p.id for p in device.points}
            for sample in output.samples:
                if sample.unit != device.unit:
                    continue
                points, row = (ids[sample.address],), (sample.raw,)
                samples = Samples(device.id, points, row, None, now_ms, now_ms, TimeQuality.SYNC)
                readings = Normaliser({device.id: device}, ()).to_readings(samples)
                assert readings is not None
                (one,) = singles(readings)
                assert one.value is not None
                span = (now_ms, now_ms)
                assert self.ledger.holds(device.id, one.point, one.value, span), one
                found[f"{device.id}.{one.point}"] = one.value
        return found

    @staticmethod
    def _device(name: str, account: str) -> Device:
        profile = load_profile("generic/contact-id-panel").profile
        assert profile is not None
        return Device(
            id=DeviceId(name), profile=profile.id, kind=profile.kind.id, line=LineName("l"),
            protocol=PROTOCOL, unit=DRIVER.sessions[PROTOCOL].parse_unit(account),
            address_text=account, points=tuple(resolve_points(profile)),
            quirks=resolve_quirks(profile), where=Where("test", 1, 1),
        )  # fmt: skip


def test_a_panel_that_comes_up_tells_every_state() -> None:
    stage = Stage()
    found = stage.talk(stage.callers.opened(START_MS), START_MS)
    every = {f"{d.id}.{p.id}" for d in stage.devices for p in d.points}
    assert found.keys() == every
    assert found["p1.in_1"] is False
    assert found["p1.armed"] is False
    assert found["p1.event_time"] == "2026-01-01T00:00:00Z"


def test_an_alarm_is_told_within_a_second_and_its_end_too() -> None:
    stage = Stage()
    stage.talk(stage.callers.opened(START_MS), START_MS)
    now_ms = stage.callers.wake_at_ms or 0
    assert now_ms == START_MS + 1000
    assert stage.callers.wake(now_ms) == b""
    assert stage.twins["p2"].happen("alarm", now_ms, 5)
    found = stage.talk(stage.callers.wake(now_ms), now_ms)
    assert found["p2.in_1"] is True
    assert found["p2.any_alarm"] is True
    assert found["p2.last_event"] == "130 new partition 1 zone 1"
    assert not any(name.startswith("p1.") for name in found)
    found = stage.talk(stage.callers.wake(now_ms + 6000), now_ms + 6000)
    assert (found["p2.in_1"], found["p2.any_alarm"]) == (False, False)


def test_what_is_not_acknowledged_is_sent_again_three_times() -> None:
    stage = Stage()
    stage.callers.opened(START_MS)
    said = [stage.callers.wake(START_MS + REPEAT_MS * n) for n in range(1, REPEATS + 2)]
    assert [frames.count(b'"ADM-CID"0001') for frames in said] == [2, 2, 2, 0]
    assert said[-1].count(b'"ADM-CID"0002') == 2


def test_a_link_test_shows_life_while_nothing_changes() -> None:
    stage = Stage()
    stage.talk(stage.callers.opened(START_MS), START_MS)
    now_ms = START_MS + TEST_SIGNAL_MS
    said = stage.callers.wake(now_ms)
    assert said.count(b'"NULL"0000') == 2
    output = stage.session.received(said, stage.moment(now_ms))
    assert output.alive == ("1234", "00AB")


def test_a_panel_that_encrypts_tells_the_same() -> None:
    pytest.importorskip("cryptography", reason="the extra for encryption is not installed")
    stage = Stage({"1234": bytes(range(16)), "00AB": bytes(range(32))})
    said = stage.callers.opened(START_MS)
    assert said.count(b'"*ADM-CID"0001') == 2
    found = stage.talk(said, START_MS)
    assert len(found) == 2 * len(stage.devices[0].points)


def test_pysiaalarm_reads_what_the_panels_say() -> None:
    peer: Any = pytest.importorskip("pysiaalarm", reason="the peer is not installed")
    stage = Stage()
    frames = stage.callers.opened(START_MS).split(b"\r")[:-1]
    for frame, account in zip(frames, ("1234", "00AB"), strict=True):
        known = {account: peer.SIAAccount(account, allowed_timeband=None)}
        event = peer.SIAEvent.from_line(frame.decode().strip(), known)
        assert event.valid_message
        assert (event.event_type, event.event_qualifier, event.ri) == ("130", "3", "001")
        assert event.response.value == "ACK"
