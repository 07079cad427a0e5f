"""A simulated device, asked by PDUs as a master would."""

from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_points import START_MS, meter, meter_points, point, relays

from gateway.model.ids import PointId
from gateway.settings.site import ScaleFrom, ValueType, WriteRule
from simulators.device import DeviceTraits, SimDevice, SimModule
from simulators.ledger import Ledger
from simulators.pdu import Limits


def test_registers_carry_what_the_ledger_holds() -> None:
    ledger = Ledger()
    device = meter(ledger=ledger)
    reply = device.answer(bytes.fromhex("03 0000 000A"), START_MS)
    assert reply[:2] == bytes((3, 20))
    u_a, i_a, p_tot, pf = struct.unpack(">4f", reply[2:18])
    energy = int.from_bytes(reply[18:22]) / 100
    assert p_tot == pytest.approx(u_a * i_a * pf, rel=1e-4)
    for name, value in {"u_a": u_a, "i_a": i_a, "p_tot": p_tot, "ep_imp": energy}.items():
        assert ledger.holds("em-01", name, value, (START_MS, START_MS))
    assert not ledger.holds("em-01", "u_a", u_a + 0.1, (START_MS, START_MS))


def test_values_stand_still_between_two_steps() -> None:
    device = meter()
    request = bytes.fromhex("03 0000 000A")
    first = device.answer(request, START_MS)
    assert device.answer(request, START_MS + 199) == first
    assert device.answer(request, START_MS + 1200) != first


def test_the_same_seed_and_time_give_the_same_reply() -> None:
    request = bytes.fromhex("03 0000 000A")
    assert meter().answer(request, START_MS) == meter().answer(request, START_MS)


@pytest.mark.parametrize(
    ("request_hex", "reply_hex"),
    [
        ("03 0000 000B", "83 02"),
        ("03 0010 0001", "83 02"),
        ("03 0000 0000", "83 03"),
        ("03 0000 007E", "83 03"),
        ("03 0000", "83 03"),
        ("04 0000 0001", "84 02"),
        ("06 0000 0001", "86 02"),
        ("07", "87 01"),
        ("2B 0D 00 00", "AB 01"),
    ],
)
def test_what_a_meter_cannot_do_is_refused_by_its_code(request_hex: str, reply_hex: str) -> None:
    assert meter().answer(bytes.fromhex(request_hex), START_MS) == bytes.fromhex(reply_hex)


def test_a_device_refuses_more_registers_than_it_takes() -> None:
    device = SimDevice(DeviceTraits("em", 1, limits=Limits(registers=4)), meter_points())
    assert device.answer(bytes.fromhex("03 0000 0004"), START_MS)[0] == 3
    assert device.answer(bytes.fromhex("03 0000 0005"), START_MS) == bytes((0x83, 3))


def test_a_hole_is_zero_or_refused() -> None:
    points = [point("a", {"register": 0}), point("b", {"register": 5})]
    request = bytes.fromhex("03 0000 0006")
    tolerant = SimDevice(DeviceTraits("d", 1), points).answer(request, START_MS)
    assert tolerant[4:12] == bytes(8)
    strict = SimDevice(DeviceTraits("d", 1, holes="refuse"), points)
    assert strict.answer(request, START_MS) == bytes((0x83, 2))


def test_coils_are_written_and_read_back() -> None:
    device = relays()
    assert device.answer(bytes.fromhex("01 0000 0002"), START_MS) == bytes.fromhex("01 01 00")
    on = bytes.fromhex("05 0001 FF00")
    assert device.answer(on, START_MS) == on
    assert device.answer(bytes.fromhex("01 0000 0002"), START_MS) == bytes.fromhex("01 01 02")
    both = bytes.fromhex("0F 0000 0002 01 01")
    assert device.answer(both, START_MS) == both[:5]
    assert device.values()["out_1"] is True
    assert device.values()["out_2"] is False
    assert device.answer(bytes.fromhex("05 0000 1234"), START_MS) == bytes((0x85, 3))


def test_discrete_inputs_follow_a_hold_until_it_ends() -> None:
    device = relays()
    request = bytes.fromhex("02 0000 0002")
    assert device.answer(request, START_MS) == bytes.fromhex("02 01 02")
    device.hold("in_1", value=True, now_ms=START_MS, for_s=10)
    assert device.answer(request, START_MS + 9000) == bytes.fromhex("02 01 03")
    assert device.answer(request, START_MS + 10_500) == bytes.fromhex("02 01 02")
    with pytest.raises(KeyError):
        device.hold("in_9", value=True, now_ms=START_MS)


def test_registers_are_written_by_every_function() -> None:
    device = relays()
    device.answer(bytes.fromhex("06 000A 0011"), START_MS)
    assert device.values()["level"] == 0x11
    device.answer(bytes.fromhex("10 000A 0001 02 0022"), START_MS)
    assert device.values()["level"] == 0x22
    device.answer(bytes.fromhex("16 000A 00F2 0025"), START_MS)  # the example of V1.1b3, 6.16
    assert device.values()["level"] == (0x22 & 0xF2) | (0x25 & ~0xF2)
    reply = device.answer(bytes.fromhex("17 000A 0001 000A 0001 02 0033"), START_MS)
    assert reply == bytes.fromhex("17 02 0033")


def test_identity_tells_vendor_and_model() -> None:
    device = SimDevice(DeviceTraits("em", 9, vendor="Eastron", model="SDM120"), meter_points())
    identity = device.answer(bytes.fromhex("2B 0E 01 00"), START_MS)
    assert identity[:7] == bytes.fromhex("2B 0E 01 81 00 00 03")
    assert identity[7:9] + identity[9:16] == b"\x00\x07Eastron"
    single = device.answer(bytes.fromhex("2B 0E 04 01"), START_MS)
    assert single[-6:] == b"SDM120"
    server = device.answer(bytes((17,)), START_MS)
    assert server[1] == len(server) - 2
    assert server[2:] == b"\x09Eastron SDM120 1.0\xff"


def test_a_command_without_its_magic_prefix_does_nothing() -> None:
    gate = point(
        "pos_cmd",
        {"register": 7},
        type=ValueType.ENUM,
        enum={1: "open", 2: "close"},
        write=WriteRule(raw_or=0x6800),
        is_readable=False,
    )
    place = point("travel", {"register": 8}, type=ValueType.INT)
    device = SimDevice(DeviceTraits("gate", 1, "parking.barrier"), [gate, place])
    device.answer(bytes.fromhex("06 0007 0001"), START_MS)
    device.step(START_MS + 9000)
    assert device.values()["travel"] == 15
    device.answer(bytes.fromhex("06 0007 6801"), START_MS + 10_000)
    device.step(START_MS + 19_000)
    assert device.values()["travel"] == 0


def test_a_scale_register_is_served_with_its_value() -> None:
    points = [
        point("sf", {"register": 1, "type": "s16"}, type=ValueType.INT, is_published=False),
        point(
            "p_tot",
            {"register": 0, "type": "s16"},
            unit="W",
            scale_from=ScaleFrom(PointId("sf"), "exponent"),
        ),
    ]
    device = SimDevice(DeviceTraits("pv", 1, "meter.electricity"), points)
    raw, exponent = struct.unpack(">hh", device.answer(bytes.fromhex("03 0000 0002"), START_MS)[2:])
    assert exponent == -1
    assert device.values()["p_tot"] == float(Decimal(raw) / 10)


def test_a_forced_sentinel_is_no_value_in_the_ledger() -> None:
    ledger = Ledger()
    device = SimDevice(
        DeviceTraits("t", 1), [point("temp", {"register": 0}, invalid=(0x7FFF,))], ledger
    )
    device.force_raw("temp", 0x7FFF, START_MS)
    assert device.answer(bytes.fromhex("03 0000 0001"), START_MS) == bytes.fromhex("03 02 7FFF")
    assert "temp" not in device.values()
    assert ledger.values_between("t", "temp", START_MS, START_MS)[0] is None
    device.force_raw("temp", None, START_MS + 1)
    assert "temp" in device.values()


@given(st.binary(max_size=40))
def test_any_bytes_get_an_answer_and_no_exception(pdu: bytes) -> None:
    reply = relays().answer(pdu, START_MS)
    assert not pdu or reply[0] & 0x7F == pdu[0] & 0x7F


def test_devices_on_one_module_share_its_unit() -> None:
    ledger = Ledger()
    bays = [
        SimDevice(
            DeviceTraits(f"bay-{n}", 5, "parking.space"),
            [
                point(
                    "status",
                    {"register": n, "table": "discrete"},
                    type=ValueType.ENUM,
                    enum={0: "free", 1: "occupied"},
                )
            ],
            ledger,
        )
        for n in range(3)
    ]
    module = SimModule(bays)
    assert module.ids == ("bay-0", "bay-1", "bay-2")
    for bay, is_taken in zip(bays, (True, False, True), strict=True):
        assert bay.happen("car" if is_taken else "leave", START_MS, 60)
    request = bytes.fromhex("02 0000 0003")
    assert module.answer(request, START_MS + 1000) == bytes.fromhex("02 01 05")
    assert ledger.holds("bay-2", "status", "occupied", (START_MS + 1000, START_MS + 1000))


def test_a_command_register_does_not_hide_the_bits_that_are_read_there() -> None:
    points = [
        point("valve_open", {"register": 28, "bit": 0}, type=ValueType.BOOL),
        point("valve_closed", {"register": 28, "bit": 1}, type=ValueType.BOOL),
        point(
            "valve_cmd",
            {"register": 28},
            type=ValueType.ENUM,
            enum={1: "open", 2: "close"},
            write=WriteRule(),
            is_readable=False,
        ),
    ]
    meter_ = SimDevice(DeviceTraits("wm", 1, "meter.water"), points)
    read = bytes.fromhex("03 001C 0001")
    assert meter_.answer(read, START_MS) == bytes.fromhex("03 02 0001")
    meter_.answer(bytes.fromhex("06 001C 0002"), START_MS + 1000)
    assert meter_.answer(read, START_MS + 30_000) == bytes.fromhex("03 02 0002")
    assert meter_.values() == {"valve_open": False, "valve_closed": True}


def test_what_two_points_share_is_noted_as_a_reader_sees_it() -> None:
    ledger = Ledger()
    points = [
        point("code", {"register": 0}, type=ValueType.INT, sim={"value": 6}),
        point("low_bit", {"register": 0, "bit": 0}, type=ValueType.BOOL, sim={"value": 1}),
    ]
    device = SimDevice(DeviceTraits("d", 1), points, ledger)
    assert device.answer(bytes.fromhex("03 0000 0001"), START_MS) == bytes.fromhex("03 02 0007")
    assert ledger.holds("d", "code", 7, (START_MS, START_MS))
    assert not ledger.holds("d", "code", 6, (START_MS, START_MS))
