"""Readouts: one job for all points, the frame count bit, several telegrams, selection."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from drivers.contract import DeviceRefused, DriverError, Fault, FrameError, NoAnswer, Wanted
from drivers.mbus.address import MbusAddress, MbusQuirks
from drivers.mbus.codec import Frame, encode
from tests.drivers.mbus_support import (
    ACK,
    COST,
    FIRST,
    MBUS,
    NKE,
    SECOND,
    Script,
    points,
    readout,
    run,
    telegram,
)

VOLUME = MbusAddress("volume")
FLOW = MbusAddress("volume_flow")
ENERGY = MbusAddress("energy")
VOLUME_12 = "0C13 45230100"
FLOW_3 = "0B3B 000300"
ENERGY_7 = "0406 07000000"
SELECT = "680b0b6873fd5278563412ffffffffd216"


def test_one_readout_answers_all_points_in_the_order_of_their_keys() -> None:
    wanted = (Wanted(9, FLOW), Wanted(4, VOLUME), Wanted(7, ENERGY))
    (job,) = MBUS.plan(MBUS.parse_unit(5), wanted, MbusQuirks(), COST)
    assert job.keys == (9, 4, 7)
    script = Script(ACK, telegram(VOLUME_12 + FLOW_3))
    assert run(job, script) == [0.3, 12.345, None]
    assert script.asked == [NKE, FIRST]


def test_the_frame_count_bit_is_toggled_after_every_telegram() -> None:
    job = readout(5, VOLUME)
    script = Script(ACK, *(telegram(VOLUME_12, number=n) for n in (1, 2, 3)))
    for _ in range(3):
        assert run(job, script) == [12.345]
    assert script.asked == [NKE, FIRST, SECOND, FIRST]


def test_after_a_time_out_the_same_bit_is_sent_again() -> None:
    job = readout(5, VOLUME)
    script = Script(ACK, telegram(VOLUME_12), None, telegram(VOLUME_12, number=2))
    run(job, script)
    with pytest.raises(NoAnswer):
        run(job, script)
    assert run(job, script) == [12.345]
    assert script.asked == [NKE, FIRST, SECOND, SECOND]


def test_after_two_failed_readouts_the_meter_is_initialised_so_that_no_old_value_comes() -> None:
    job = readout(5, VOLUME)
    script = Script(ACK, telegram(VOLUME_12), None, None, ACK, telegram(VOLUME_12, number=2))
    run(job, script)
    for _ in range(2):
        with pytest.raises(NoAnswer):
            run(job, script)
    run(job, script)
    assert script.asked[-2:] == [NKE, FIRST]


def test_a_repeated_telegram_of_the_last_readout_is_asked_again() -> None:
    job = readout(5, VOLUME)
    old, new = telegram(VOLUME_12), telegram("0C13 46230100", number=2)
    script = Script(ACK, old, old, new)
    run(job, script)
    assert run(job, script) == [12.346]
    assert script.asked == [NKE, FIRST, SECOND, FIRST]


def test_a_meter_whose_telegrams_are_always_equal_is_asked_twice_only_once() -> None:
    job = readout(5, VOLUME)
    script = Script(ACK, *[telegram(VOLUME_12, number=0)] * 4)
    for _ in range(3):
        assert run(job, script) == [12.345]
    assert len(script.asked) == 5


def test_telegrams_are_taken_until_one_says_that_it_is_the_last() -> None:
    job = readout(5, VOLUME, FLOW, ENERGY)
    parts = telegram(VOLUME_12 + "1F"), telegram(FLOW_3 + "1F", number=2), telegram(ENERGY_7)
    script = Script(ACK, *parts)
    assert run(job, script) == [12.345, 0.3, 7]
    assert script.asked == [NKE, FIRST, SECOND, FIRST]


def test_a_meter_with_several_telegrams_is_initialised_before_every_readout() -> None:
    job = readout(5, VOLUME, FLOW)
    parts = telegram(VOLUME_12 + "1F"), telegram(FLOW_3, number=2)
    script = Script(ACK, *parts, ACK, *parts)
    assert run(job, script) == run(job, script) == [12.345, 0.3]
    assert script.asked == [NKE, FIRST, SECOND] * 2
    assert job.exchanges == 3


def test_a_readout_that_broke_off_between_telegrams_begins_anew() -> None:
    job = readout(5, VOLUME, FLOW)
    parts = telegram(VOLUME_12 + "1F"), telegram(FLOW_3, number=2)
    script = Script(ACK, parts[0], None, ACK, *parts)
    with pytest.raises(NoAnswer):
        run(job, script)
    assert run(job, script) == [12.345, 0.3]


def test_a_telegram_that_comes_twice_ends_the_readout() -> None:
    job = readout(5, VOLUME)
    parts = [telegram(VOLUME_12 + "1F", number=n) for n in (1, 2)]
    script = Script(ACK, *parts)
    assert run(job, script) == [12.345]


def test_the_number_of_telegrams_is_bounded() -> None:
    job = readout(5, VOLUME, quirks=MbusQuirks(max_telegrams=3))
    parts = [telegram(f"0C13 {n:02}000000 1F", number=n) for n in range(1, 9)]
    script = Script(ACK, *parts)
    run(job, script)
    assert len(script.asked) == 4


def test_a_secondary_address_is_selected_before_every_readout() -> None:
    job = readout("12345678", VOLUME)
    script = Script(*(a for n in (1, 2) for a in (ACK, telegram(VOLUME_12, a=0, number=n))))
    assert run(job, script) == run(job, script) == [12.345]
    assert script.asked == [SELECT, "107bfd7816", SELECT, "105bfd5816"]


def test_initialisation_follows_its_quirk() -> None:
    for quirk, asked in (("never", [FIRST, SECOND]), ("always", [NKE, FIRST] * 2)):
        keys: dict[str, Any] = {"initialise": quirk}
        job = readout(5, VOLUME, quirks=MbusQuirks(**keys))
        parts = [telegram(VOLUME_12, number=n) for n in (1, 2)]
        answers = [a for part in parts for a in ((ACK, part) if quirk == "always" else (part,))]
        script = Script(*answers)
        run(job, script)
        run(job, script)
        assert script.asked == asked


def test_an_application_reset_comes_before_the_readout_by_its_quirk() -> None:
    job = readout(5, VOLUME, quirks=MbusQuirks(application_reset=True))
    script = Script(ACK, ACK, telegram(VOLUME_12))
    run(job, script)
    assert script.asked == [NKE, encode(Frame(0x73, 5, 0x50)).hex(), FIRST]


def test_the_cost_of_a_readout_follows_the_meter() -> None:
    job = readout(5, VOLUME)
    assert job.reply_chars == 261
    run(job, Script(ACK, telegram(VOLUME_12)))
    assert job.reply_chars == len(telegram(VOLUME_12))
    assert job.split() == ()
    assert "5" in job.describe()


def test_a_probe_is_an_initialisation_or_a_selection_that_is_confirmed() -> None:
    job = readout(5, VOLUME)
    probe = MBUS.probe(job.unit, job)
    script = Script(ACK, telegram(VOLUME_12), ACK, telegram(VOLUME_12, number=2))
    run(job, script)
    assert run(probe, script) == ()
    run(job, script)
    assert script.asked == [NKE, FIRST, NKE, FIRST]
    other = readout("12345678", VOLUME)
    script = Script(ACK)
    run(MBUS.probe(other.unit, other), script)
    assert script.asked == [SELECT]


def test_nothing_can_be_written() -> None:
    with pytest.raises(ValueError, match="only read"):
        MBUS.plan_write(MBUS.parse_unit(5), VOLUME, 1, MbusQuirks())


def test_addresses_quirks_and_units_of_others_are_refused() -> None:
    unit, wanted = MBUS.parse_unit(5), points(VOLUME)
    for wrong in (
        lambda: MBUS.plan(unit, (Wanted(0, "volume"),), MbusQuirks(), COST),
        lambda: MBUS.plan(unit, wanted, "none", COST),
        lambda: MBUS.plan(5, wanted, MbusQuirks(), COST),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_every_error_of_a_readout_is_one_of_drivers() -> None:
    for answer in (b"\x00\xff", telegram(VOLUME_12, a=6), telegram(VOLUME_12)[:20]):
        with pytest.raises(DriverError):
            run(readout(5, VOLUME), Script(ACK, answer))


@pytest.mark.parametrize("unit", [5, 165, 229, "12345678.ELS.E5.E5"])
@pytest.mark.parametrize("cut", range(1, 17))
def test_the_echo_of_a_request_is_no_confirmation_whatever_is_in_it(unit: object, cut: int) -> None:
    exchange = next(readout(unit, VOLUME).steps())
    echo = exchange.request
    assert exchange.feed(echo[:cut]) is None
    assert exchange.feed(echo[cut:]) is None
    assert isinstance(exchange.verdict(), FrameError)
    assert exchange.feed(ACK) is True


def test_a_late_telegram_of_another_meter_is_skipped() -> None:
    late = telegram(VOLUME_12, a=6)
    script = Script(ACK, late + telegram("0C13 99990000"))
    assert run(readout(5, VOLUME), script) == [9.999]


def test_a_selected_meter_that_is_busy_says_so_under_its_own_primary_address() -> None:
    busy = encode(Frame(0x08, 5, 0x70, b"\x08"))
    with pytest.raises(DeviceRefused, match="busy") as refused:
        run(readout("12345678", VOLUME), Script(ACK, busy))
    assert refused.value.is_busy
    with pytest.raises(FrameError) as stranger:
        run(readout(6, VOLUME), Script(ACK, busy))
    assert stranger.value.fault is Fault.WRONG_UNIT


def test_all_readouts_of_a_unit_share_its_frame_count_bit() -> None:
    unit = MBUS.parse_unit(5)
    jobs = [MBUS.plan(unit, points(wish), MbusQuirks(), COST)[0] for wish in (VOLUME, FLOW)]
    script = Script(ACK, *(telegram(VOLUME_12 + FLOW_3, number=n) for n in (1, 2, 3)))
    assert [run(job, script) for job in (*jobs, jobs[0])] == [[12.345], [0.3], [12.345]]
    assert script.asked == [NKE, FIRST, SECOND, FIRST]


def test_equal_addresses_on_two_lines_have_a_frame_count_bit_each() -> None:
    jobs = [readout(5, VOLUME), readout(5, VOLUME)]
    assert jobs[0].unit == jobs[1].unit
    for job in jobs:
        script = Script(ACK, telegram(VOLUME_12))
        run(job, script)
        assert script.asked == [NKE, FIRST]


def test_a_unit_survives_the_way_between_processes() -> None:
    unit = MBUS.parse_unit("12345678.KAM.08.04")
    assert pickle.loads(pickle.dumps(unit)) == unit  # noqa: S301 - our own bytes
