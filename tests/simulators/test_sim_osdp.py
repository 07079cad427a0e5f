"""Simulated readers answer the driver's session with what their twins are, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from drivers.contract import Moment, SessionDevice, SessionOutput
from drivers.osdp import PROTOCOL
from drivers.osdp.driver import OsdpDriver
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
from simulators.wires.osdp import Readers

START_MS = 1_767_225_600_000
KEYS = {3: bytes(range(16)), 4: bytes(range(16, 32))}
FOREVER_S = 1e6


class Stage:
    """Two readers on a line, and the driver's session with them."""

    def __init__(self, keys: Mapping[int, bytes] | None = None) -> None:
        self.ledger = Ledger()
        self.devices = [self._device("d3", 3), self._device("d4", 4)]
        twins = [Twin(d.id, d.kind, d.points, self.ledger, seed=7) for d in self.devices]
        self.twins = {str(d.id): t for d, t in zip(self.devices, twins, strict=True)}
        simulated = [Simulated(d, t) for d, t in zip(self.devices, twins, strict=True)]
        self.readers = Readers(simulated, keys)
        assert load("osdp").callers(PROTOCOL, simulated) is not None
        known = [
            SessionDevice(
                d.unit,
                tuple(p.address for p in d.points),
                d.quirks.driver,
                None if keys is None else keys[int(str(d.unit))],
            )
            for d in self.devices
        ]
        self.now_ms = START_MS
        self.session = OsdpDriver(bytes).start(known, self.moment)
        self.silent: list[object] = []

    @property
    def moment(self) -> Moment:
        return Moment(self.now_ms / 1000, self.now_ms)

    def run(self, seconds: int) -> dict[str, Any]:
        """Let the line run; return the last value of all that was learnt."""
        until_ms, found = self.now_ms + seconds * 1000, dict[str, Any]()
        while self.now_ms < until_ms:
            output = self.session.wake(self.moment)
            found |= self._readings(output)
            said = self.readers.received(output.send, self.now_ms)
            self.now_ms += 20
            if said:
                found |= self._readings(self.session.received(said, self.moment))
        return found

    def _readings(self, output: SessionOutput) -> dict[str, Any]:
        assert output.fault is None
        self.silent += output.silent
        found: dict[str, Any] = {}
        for device in self.devices:
            ids = {p.address: p.id for p in device.points}
            for sample in output.samples:
                if sample.unit != device.unit:
                    continue
                at, row = self.now_ms, (sample.raw,)
                points = (ids[sample.address],)
                samples = Samples(device.id, points, row, None, at, at, TimeQuality.SYNC)
                readings = Normaliser({device.id: device}, ()).to_readings(samples)
                assert readings is not None
                (one,) = singles(readings)
                assert one.value is not None
                span = (at - 100, at)
                assert self.ledger.holds(device.id, one.point, one.value, span), one
                found[f"{device.id}.{one.point}"] = one.value
        return found

    @staticmethod
    def _device(name: str, address: int) -> Device:
        profile = load_profile("generic/osdp-reader").profile
        assert profile is not None
        return Device(
            id=DeviceId(name), profile=profile.id, kind=profile.kind.id, line=LineName("l"),
            protocol=PROTOCOL, unit=address, address_text=str(address),
            points=tuple(resolve_points(profile)), quirks=resolve_quirks(profile),
            where=Where("test", 1, 1),
        )  # fmt: skip


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "secure"])
def test_readers_tell_every_state_a_change_a_card_and_digits(
    keys: Mapping[int, bytes] | None,
) -> None:
    if keys is not None:
        pytest.importorskip("cryptography")
    stage = Stage(keys)
    for twin in stage.twins.values():
        for point, value in {"door": "closed", "tamper": False, "mains": True}.items():
            twin.hold(point, value, stage.now_ms, FOREVER_S)
    found = stage.run(3)
    states = {"door", "button_1", "lock", "tamper", "mains", "reader_tamper"}
    assert {f"{d.id}.{s}" for d in stage.devices for s in states} <= found.keys()
    assert (found["d3.door"], found["d3.tamper"], found["d3.mains"]) == ("closed", False, True)
    stage.twins["d4"].hold("door", "open", stage.now_ms, FOREVER_S)
    stage.twins["d4"].hold("mains", value=False, now_ms=stage.now_ms, for_s=FOREVER_S)
    stage.twins["d3"].hold("credential", "ABCDEF80", stage.now_ms, FOREVER_S)
    stage.twins["d3"].hold("keypad", "1234", stage.now_ms, FOREVER_S)
    found = stage.run(2)
    assert (found["d4.door"], found["d4.mains"]) == ("open", False)
    assert found["d3.credential"] == "ABCDEF80"
    assert found["d3.card_bits"] == 32
    assert found["d3.keypad"] == "1234"
    assert not stage.silent


def test_a_reader_says_its_last_answer_again_when_asked_again() -> None:
    stage = Stage()
    request = stage.session.wake(stage.moment).send
    first = stage.readers.received(request, START_MS)
    assert first
    assert stage.readers.received(request, START_MS + 500) == first


def test_an_address_that_nobody_has_is_not_answered() -> None:
    stage = Stage()
    assert stage.readers.received(bytes.fromhex("ff5365080004606090"), START_MS) == b""
    assert stage.readers.received(b"noise\x53\x00", START_MS) == b""
