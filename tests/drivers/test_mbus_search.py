"""Search by wildcards: every meter of a line is found, however their numbers collide."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import DriverError, Fault, FrameError, NoAnswer
from drivers.mbus.codec import Frame, encode
from drivers.mbus.search import Outcome, SecondarySearch, outcome_of
from drivers.mbus.unit import MbusUnit, parse_unit
from tests.drivers.mbus_support import run

NUMBERS = st.sets(st.integers(0, 99_999_999), max_size=6)


class Line:
    """Meters that answer when they are selected; together their telegrams are noise."""

    def __init__(self, *meters: MbusUnit) -> None:
        self._meters = meters
        self._selected: list[MbusUnit] = []
        self.jobs = 0

    def __call__(self, request: bytes) -> bytes | None:
        if request == bytes.fromhex("1040fd3d16"):
            self._selected = []
            return None
        if request[0] == 0x68:
            mask = MbusUnit(
                None,
                request[7:11][::-1].hex().upper(),
                int.from_bytes(request[11:13], "little"),
                request[13],
                request[14],
            )
            self._selected = [meter for meter in self._meters if mask.covers(meter)]
            return b"\xe5" if self._selected else None
        if len(self._selected) != 1:
            return b"\x68\x1f\x03\x68\xff\xff" if self._selected else None
        body = self._selected[0].selection + bytes(4) + bytes.fromhex("0C1345230100")
        return encode(Frame(8, 0, 0x72, body))

    def search(self, search: SecondarySearch) -> SecondarySearch:
        while (job := search.next_job()) is not None:
            self.jobs += 1
            try:
                (name,) = run(job, self)
            except DriverError as error:
                search.told(outcome_of(error))
            else:
                search.told(Outcome.REPLY, name)
        return search


def meter(number: str, maker: int = 0x2C2D, version: int = 8, medium: int = 4) -> MbusUnit:
    return MbusUnit(None, number, maker, version, medium)


def test_an_empty_line_costs_one_job() -> None:
    line = Line()
    assert line.search(SecondarySearch()).found == []
    assert line.jobs == 1


def test_a_single_meter_is_found_with_its_maker_version_and_medium() -> None:
    line = Line(meter("12345678"))
    search = line.search(SecondarySearch())
    assert [str(unit) for unit in search.found] == ["12345678.KAM.08.04"]
    assert line.jobs == 1


@settings(max_examples=40, deadline=None)
@given(numbers=NUMBERS)
def test_all_meters_are_found_within_ten_jobs_for_each_digit(numbers: set[int]) -> None:
    meters = [meter(f"{number:08}") for number in numbers]
    line = Line(*meters)
    search = line.search(SecondarySearch())
    assert sorted(map(str, search.found)) == sorted(map(str, meters))
    assert line.jobs <= 1 + 80 * max(1, len(meters))


def test_numbers_that_differ_in_the_last_digit_collide_down_to_it() -> None:
    line = Line(meter("12345670"), meter("12345679"))
    assert len(line.search(SecondarySearch()).found) == 2
    assert line.jobs == 1 + 8 * 10


def test_equal_numbers_of_two_makers_are_told_as_unresolved() -> None:
    line = Line(meter("12345678"), meter("12345678", maker=0x4024))
    search = line.search(SecondarySearch())
    assert search.found == []
    assert [unit.number for unit in search.unresolved] == ["12345678"]


@pytest.mark.parametrize(
    ("odd", "found"),
    [
        (meter("12345678", maker=0), ["12345678.FFF.08.04"]),
        (meter("1234567A"), []),
        (meter("FFFFFFFF"), []),
    ],
    ids=["maker without letters", "number with a letter", "number of wildcards"],
)
def test_a_meter_with_an_address_that_cannot_be_written_does_not_end_the_search(
    odd: MbusUnit, found: list[str]
) -> None:
    search = Line(odd, meter("22345678")).search(SecondarySearch())
    names = [str(unit) for unit in search.found]
    assert sorted(names) == sorted([*found, "22345678.KAM.08.04"])
    lone = Line(odd).search(SecondarySearch())
    assert [str(unit) for unit in lone.found] == found
    assert bool(lone.unresolved) is not bool(found)


def test_a_search_can_begin_below_a_branch() -> None:
    line = Line(meter("12345678"), meter("22345678"))
    search = line.search(SecondarySearch(parse_unit("1FFFFFFF")))
    assert [unit.number for unit in search.found] == ["12345678"]


def test_silence_and_collision_are_told_apart() -> None:
    assert outcome_of(NoAnswer("")) is Outcome.SILENCE
    assert outcome_of(FrameError(Fault.CRC, "")) is Outcome.COLLISION


def test_a_search_wants_the_outcome_of_every_job_once() -> None:
    search = SecondarySearch()
    with pytest.raises(RuntimeError, match="open"):
        search.told(Outcome.SILENCE)
    assert search.next_job() is not None
    with pytest.raises(RuntimeError, match="not told"):
        search.next_job()
    search.told(Outcome.SILENCE)
    assert search.next_job() is None
