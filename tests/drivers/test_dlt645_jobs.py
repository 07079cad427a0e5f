"""DL/T 645: what is asked, how answers become values, and what may be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Job, LineCost, Raw, Wanted
from drivers.dlt645 import DRIVER
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks, complete_address
from drivers.dlt645.codec import Frame, encode, frames
from drivers.dlt645.driver import Dlt645Driver
from drivers.dlt645.edition import id_bytes, id_text
from drivers.dlt645.items import item_of, members
from drivers.dlt645.values import from_raw, to_raw

METER = "123456789012"
LEVEL_2 = "02000000"
COST = LineCost(char_s=11 / 2400, exchange_s=0.05)
QUIRKS = Dlt645Quirks()
NEW = DRIVER.protocols["dlt645-2007"]
OLD = DRIVER.protocols["dlt645-1997"]


def at(di: str, **keys: Any) -> Dlt645Address:
    return Dlt645Address(**complete_address({"di": di, **keys}))


def plan(*ids: str, driver: Any = NEW, quirks: Dlt645Quirks = QUIRKS) -> Sequence[Job]:
    return driver.plan(METER, [Wanted(n, at(di)) for n, di in enumerate(ids)], quirks, COST)


def run(job: Job, answers: Mapping[str, bytes]) -> Sequence[Raw | None]:
    """Let a meter answer that holds these payloads by data id (and `di+seq` for what follows)."""
    steps = job.steps()
    exchange = next(steps)
    while True:
        (asked,) = frames(exchange.request)
        di = id_text(asked.content[:4])
        key = f"{di}+{asked.content[4]}" if asked.function == 0x12 else di
        payload = answers[key]
        more = (
            0x20
            if f"{di}+{asked.content[4] + 1 if len(asked.content) > 4 else 1}" in answers
            else 0
        )
        tail = asked.content[4:5] if asked.function == 0x12 else b""
        said = encode(METER, asked.control | 0x80 | more, id_bytes(di) + payload + tail)
        try:
            exchange = steps.send(exchange.feed(said))
        except StopIteration as done:
            return done.value


def test_phases_are_read_in_one_block() -> None:
    (job,) = plan("02010100", "02010200", "02010300")
    assert run(job, {"0201FF00": bytes.fromhex("032300222122")}) == (230.3, 220.0, 222.1)


def test_one_phase_alone_is_read_by_its_own_id() -> None:
    (job,) = plan("02010200")
    assert run(job, {"02010200": bytes.fromhex("0022")}) == (220.0,)


def test_a_refused_block_is_read_singly() -> None:
    (job,) = plan("02010100", "02010300")
    parts = job.split()
    assert [part.describe() for part in parts] == [
        "read 02010100 (1 points)",
        "read 02010300 (1 points)",
    ]
    assert parts[0].split() == ()


def test_blocks_can_be_switched_off() -> None:
    assert len(plan("02010100", "02010200", quirks=Dlt645Quirks(blocks=False))) == 2


def test_a_block_with_fewer_values_than_wanted_gives_none_for_the_rest() -> None:
    (job,) = plan("02010100", "02010300")
    assert run(job, {"0201FF00": bytes.fromhex("0323")}) == (230.3, None)


def test_an_answer_in_several_frames_is_joined_by_its_numbers() -> None:
    address = at("0001FF00", size=4, at=12, sent=16)
    (job,) = NEW.plan(METER, [Wanted(0, address)], QUIRKS, COST)
    found = run(
        job, {"0001FF00": bytes(8), "0001FF00+1": bytes(4), "0001FF00+2": bytes.fromhex("78563412")}
    )
    assert found == (12345678,)


def test_an_answer_of_another_length_is_not_guessed_at() -> None:
    (job,) = plan("02010100")
    assert run(job, {"02010100": bytes.fromhex("002603")}) == (None,)
    (job,) = plan("00000000")
    assert run(job, {"00000000": bytes.fromhex("0000000003")}) == (None,)


def test_the_highest_demand_comes_with_its_time() -> None:
    demand = Wanted(0, at("01010000"))
    moment = Wanted(1, at("01010000", size=5, at=3, form="minute"))
    (job,) = NEW.plan(METER, [demand, moment], QUIRKS, COST)
    payload = bytes.fromhex("563412" + "3009271126")
    assert run(job, {"01010000": payload}) == (12.3456, "2026-11-27T09:30")


@pytest.mark.parametrize(
    ("driver", "di"), [(NEW, "B611"), (NEW, 0), (NEW, 100), (OLD, "02010100"), (OLD, 10000)]
)
def test_a_data_id_of_the_other_edition_is_refused_at_the_desk(driver: Any, di: Any) -> None:
    address = Dlt645Address(**complete_address({"di": di, "size": 2}))
    with pytest.raises(ValueError, match="digits, those of dlt645-"):
        driver.plan(METER, [Wanted(0, address)], QUIRKS, COST)
    with pytest.raises(ValueError, match="in quotes"):
        driver.plan_write(METER, address, 1, QUIRKS)


def test_a_highest_demand_is_decoded_with_its_time() -> None:
    payload = bytes.fromhex("563412" + "3009271126")
    for di, tail in (("01010000", ""), ("01010102", "_t1_p2"), ("01020000", "_exp")):
        frame = encode(METER, 0x91, id_bytes(di) + payload)
        values = {v.point: v.value for v in NEW.decode(frame, "response").values}
        assert values == {f"demand_max{tail}": 12.3456, f"demand_time{tail}": "2026-11-27T09:30"}


def test_the_deadline_of_an_item_counts_all_that_the_meter_sends() -> None:
    (job,) = plan("01010000")
    assert job.reply_chars == 4 + 12 + 4 + 8


def test_a_bit_of_a_status_word() -> None:
    (job,) = NEW.plan(METER, [Wanted(0, at("04000501", bit=2))], QUIRKS, COST)
    assert run(job, {"04000501": b"\x04\x00"}) == (True,)


def test_a_status_word_without_a_value_is_none_whatever_stands_behind_it() -> None:
    words = [Wanted(n, at("040005FF", form="bits", size=2, at=2 * n, sent=4)) for n in range(2)]
    (job,) = NEW.plan(METER, words, QUIRKS, COST)
    assert run(job, {"040005FF": bytes.fromhex("FFFF 0400")}) == (None, 4)
    assert run(job, {"040005FF": bytes.fromhex("0400 FFFF")}) == (4, None)


@pytest.mark.parametrize(
    ("di", "octets", "value"),
    [
        ("02010100", "0523", 230.5),
        ("02010100", "FFFF", None),
        ("02010100", "0A23", None),
        ("02020100", "050080", -0.005),
        ("02020100", "880100", 0.188),
        ("02030000", "122580", -0.2512),
        ("02060000", "0105", 0.501),
        ("02800007", "5580", -5.5),
        ("00000000", "01000080", -0.01),
        ("00000000", "00000080", 0.0),
        ("02030000", "FFFFFF", None),
        ("02030000", "FFFF7F", None),
        ("00010000", "99999999", 999999.99),
        ("04000102", "555321", "21:53:55"),
        ("04000101", "05271126", "2026-11-27"),
        ("04000401", "129078563412", "123456789012"),
        ("03300D00", "270000", 27),
        ("B611", "2302", 223),
    ],
)
def test_bytes_are_values_without_dust(di: str, octets: str, value: Raw | None) -> None:
    assert repr(to_raw(bytes.fromhex(octets), at(di).how)) == repr(value)


@given(number=st.integers(-799999, 799999))
def test_sign_and_digits_come_back(number: int) -> None:
    how = at("02030000").how
    assert to_raw(from_raw(number / 10**4, how), how) == number / 10**4


def test_a_value_that_does_not_fit_is_not_written() -> None:
    for raw in (100.0, -1, "text"):
        with pytest.raises(ValueError, match=r"fit|written"):
            from_raw(raw, at("02010100").how if raw == -1 else at("02030000").how)


def test_all_members_of_blocks_name_their_block() -> None:
    for block in ("0001FF00", "0201FF00", "0202FF00", "0203FF00", "0206FF00", "901F"):
        assert members(block)
        assert {member.block for member in members(block)} == {block}
    assert members("02800002") == []


@pytest.mark.parametrize(
    ("di", "point", "unit"),
    [
        ("00010000", "ep_imp", "kW.h"),
        ("00010400", "ep_t4", "kW.h"),
        ("00020003", "ep_exp_p3", "kW.h"),
        ("02050200", "s_b", "kV.A"),
        ("01010000", "demand_max", "kW"),
        ("9012", "ep_t2", "kW.h"),
        ("0280000A", "batt_min", "min"),
    ],
)
def test_data_ids_have_the_points_of_the_catalogue(di: str, point: str, unit: str) -> None:
    item = item_of(di)
    assert item is not None
    assert (item.point, item.unit) == (point, unit)


def test_unknown_ids_need_their_format() -> None:
    assert item_of("05060101") is None
    assert at("05060101", size=8, decimals=2).size == 8


@pytest.mark.parametrize("keys", [{"di": "0201"[:3]}, {"di": "02010100", "bit": 1}, {"di": "xy"}])
def test_a_wrong_address_is_refused_with_what_to_write(keys: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"hex digits|form: bits"):
        Dlt645Address(**complete_address(keys))


def test_a_number_for_a_data_id_gets_its_zeros_back() -> None:
    assert complete_address({"di": 2010100})["di"] == "02010100"


# --- writing -----------------------------------------------------------------------------------


def written(address: Dlt645Address, raw: Raw, **quirks: Any) -> Frame:
    job = NEW.plan_write(METER, address, raw, Dlt645Quirks(**quirks))
    (frame,) = frames(next(job.steps()).request)
    return frame


def test_a_write_carries_password_and_operator() -> None:
    frame = written(at("04000106", size=3), 123, password=LEVEL_2, operator="01020304")
    assert frame.control == 0x14
    assert frame.content.hex() == "06010004" + "02000000" + "01020304" + "230100"


def test_a_write_that_is_longer_than_a_meter_takes_is_refused_before_the_line() -> None:
    assert len(written(at("04000409", size=38, form="digits"), "1" * 76).content) == 50
    for size in (39, 190):
        long = at("04000409", size=size, form="digits")
        with pytest.raises(ValueError, match="a write takes 50"):
            NEW.plan_write(METER, long, "1" * 2 * size, QUIRKS)


def test_the_relay_is_locked_until_it_is_unlocked() -> None:
    with pytest.raises(ValueError, match="relay: true"):
        written(at("relay"), True)
    for raw, command in ((True, "1c"), (False, "1a")):
        frame = written(at("relay"), raw, relay=True, password=LEVEL_2)
        assert frame.control == 0x1C
        assert frame.content.hex().startswith("0200000000000000" + command + "00")
        assert len(frame.content) == 16


def test_nothing_is_written_to_every_meter_but_the_time() -> None:
    for unit in ("AAAAAAAAAAAA", "999999999999"):
        with pytest.raises(ValueError, match="every meter"):
            NEW.plan_write(unit, at("relay"), True, Dlt645Quirks(relay=True))
    job = NEW.plan_write(METER, at("clock"), "2026-11-27 09:30:05", QUIRKS)
    exchange = next(job.steps())
    (frame,) = frames(exchange.request)
    assert (frame.address, frame.control) == ("999999999999", 0x08)
    assert frame.content.hex() == "053009271126"
    assert exchange.reply_chars == 0
    with pytest.raises(ValueError, match="local time"):
        NEW.plan_write(METER, at("clock"), "tomorrow", QUIRKS)


def test_what_can_only_be_written_is_not_read() -> None:
    with pytest.raises(ValueError, match="access: w"):
        plan("relay")


def test_the_address_of_a_lone_meter_is_asked() -> None:
    job = next(iter(DRIVER.conduct.scan()))
    steps = job.steps()
    exchange = next(steps)
    assert exchange.request == bytes.fromhex("FEFEFEFE68AAAAAAAAAAAA681300DF16")
    reply = exchange.feed(bytes.fromhex("fefefefe686940171012006893069c734a4345335f16"))
    with pytest.raises(StopIteration) as done:
        steps.send(reply)
    assert done.value.value == ("001210174069",)


def test_the_probe_of_a_block_is_one_of_its_values() -> None:
    (job,) = plan("02010100", "02010200")
    assert NEW.probe(METER, job).describe() == "read 02010100 (1 points)"


def test_a_freeze_names_month_day_hour_and_minute() -> None:
    for raw, content in (("99999999", "99999999"), ("99010030", "30000199")):
        frame = written(at("freeze"), raw)
        assert (frame.address, frame.control, frame.content.hex()) == (METER, 0x16, content)
    for raw in ("13010000", "99322400", "now", 99999999):
        with pytest.raises(ValueError, match="MMDDhhmm"):
            written(at("freeze"), raw)
    with pytest.raises(ValueError, match="no freeze"):
        OLD.plan_write(METER, at("freeze"), "99999999", QUIRKS)
    with pytest.raises(ValueError, match="every meter"):
        NEW.plan_write("AAAAAAAAAAAA", at("freeze"), "99999999", QUIRKS)
    with pytest.raises(ValueError, match="access: w"):
        plan("freeze")


def test_date_and_time_of_one_meter_are_written_with_the_day_of_the_week() -> None:
    for di, text, octets in (
        ("04000101", "2026-11-27", "05271126"),
        ("04000101", "2026-11-29", "00291126"),
        ("04000102", "09:30:05", "053009"),
    ):
        assert from_raw(text, at(di).how).hex() == octets
        assert to_raw(bytes.fromhex(octets), at(di).how) == text
    for di, text in (("04000101", "2026-02-30"), ("04000102", "24:00:00"), ("04000101", "today")):
        with pytest.raises(ValueError, match="is none of"):
            from_raw(text, at(di).how)


def test_a_time_that_does_not_exist_is_not_broadcast() -> None:
    for raw in ("2026-02-30 09:30:00", "2026-11-27 25:00:00", "2026-11-27", True):
        with pytest.raises(ValueError, match="local time"):
            NEW.plan_write(METER, at("clock"), raw, QUIRKS)


@pytest.mark.parametrize(
    ("di", "raw"),
    [
        ("02030000", float("nan")), ("02030000", float("inf")), ("02030000", True),
        ("04000501", -1), ("04000501", 1 << 16), ("04000401", "12"), ("04000401", 12),
        ("02030000", b"\x01"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_its_form_is_refused_by_a_sentence(di: str, raw: Raw) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        from_raw(raw, at(di).how)


@given(octets=st.binary(max_size=12), di=st.sampled_from(("02030000", "04000101", "04000102")))
def test_any_bytes_are_a_value_or_none(octets: bytes, di: str) -> None:
    for how in (at(di).how, at("01010000", size=5, form="minute").how, at("04000501").how):
        value = to_raw(octets, how)
        assert value is None or isinstance(value, int | float | str)


def test_a_demand_that_never_was_has_no_time() -> None:
    how = at("01010000", at=3, size=5, form="minute").how
    assert to_raw(bytes(5), how) is None
    assert to_raw(bytes.fromhex("0000000000"), at("01010000").how) == 0.0


def test_a_block_with_broken_values_is_not_guessed_at() -> None:
    (job,) = plan("02010100", "02010200")
    for octets in ("002603" * 3, "", "032300222122" + "0022"):
        assert run(job, {"0201FF00": bytes.fromhex(octets)}) == (None, None)
    (job,) = plan("00010000", "00010100")
    assert run(job, {"0001FF00": bytes(4) + b"\x01\0\0\0" + bytes(4 * 10)}) == (0.0, 0.01)


def test_an_item_that_a_profile_reads_otherwise_is_not_taken_from_a_block() -> None:
    wanted = [
        Wanted(0, at("00010000", sent=5)),
        Wanted(1, at("00010100", size=5)),
        Wanted(2, at("00010200")),
    ]
    jobs = NEW.plan(METER, wanted, QUIRKS, COST)
    assert [job.describe()[:13] for job in jobs] == [
        "read 00010000", "read 00010100", "read 00010200",
    ]  # fmt: skip


def test_an_address_that_cannot_be_learnt_is_none() -> None:
    for driver, said in (
        (OLD, encode("AAAAAAAAAAAA", 0x81, id_bytes("9010") + bytes(4))),
        (NEW, encode("AAAAAAAAAAAA", 0x93, bytes(3))),
        (NEW, encode("AAAAAAAAAAAA", 0x93, b"\xaa" * 6)),
    ):
        assert isinstance(driver, Dlt645Driver)
        steps = driver.read_address().steps()
        exchange = next(steps)
        with pytest.raises(StopIteration) as done:
            steps.send(exchange.feed(said))
        assert done.value.value == (None,)


@given(values=st.lists(st.integers(0, 7999), min_size=2, max_size=3))
def test_values_of_a_block_are_those_of_the_single_items(values: list[int]) -> None:
    ids = [f"0201{place:02X}00" for place in range(1, len(values) + 1)]
    (job,) = plan(*ids)
    octets = [from_raw(value / 10, at("02010100").how) for value in values]
    together = run(job, {"0201FF00": b"".join(octets)})
    singly = [run(part, dict(zip(ids, octets, strict=True)))[0] for part in job.split()]
    assert list(together) == singly == [value / 10 for value in values]


@pytest.mark.parametrize("raw", ["false", "0", 2, 0.0, b"\x00"])
def test_the_relay_moves_only_for_true_and_false(raw: Raw) -> None:
    with pytest.raises(ValueError, match="no state of a relay"):
        written(at("relay"), raw, relay=True)
