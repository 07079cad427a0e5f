"""The plan reads all points in the least line time, within the limits of the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_support import NETWORK, QUIRKS, address, driver, wanted

from drivers.contract import Job, LineCost, Wanted
from drivers.modbus.address import ModbusQuirks, Table
from drivers.modbus.jobs import ReadBlock
from drivers.modbus.plan import (
    Item,
    TableLimits,
    block_of,
    group,
    halves,
    make_items,
    modbus_address,
    table_limits,
)

AT_9600_8E1 = LineCost(char_s=11 / 9600, exchange_s=0.005 + 3.5 * 11 / 9600)


def spans(jobs: Sequence[Job]) -> list[tuple[int, int]]:
    blocks = [job.block for job in jobs if isinstance(job, ReadBlock)]
    return [(block.start, block.end) for block in blocks]


def planned(
    addresses: Sequence[Wanted], quirks: ModbusQuirks = QUIRKS, cost: LineCost = AT_9600_8E1
) -> list[tuple[int, int]]:
    return spans(driver("modbus-rtu").plan(1, addresses, quirks, cost))


def _partitions(things: Sequence[Item]) -> Iterator[list[list[Item]]]:
    if not things:
        yield []
        return
    for rest in _partitions(things[1:]):
        yield [[things[0]], *rest]
        for i, part in enumerate(rest):
            yield [*rest[:i], [things[0], *part], *rest[i + 1 :]]


def _seconds(part: Sequence[Item], limits: TableLimits) -> float:
    """Return the cost of reading these together; infinite where it is not allowed."""
    start, end = min(i.start for i in part), max(i.end for i in part)
    if end - start > limits.max_count:
        return float("inf")
    mine = {r for item in part for r in range(item.start, item.end)}
    gap = 0
    for register in range(start, end):
        gap = 0 if register in mine else gap + 1
        is_forbidden = gap and any(register in f for f in limits.forbidden)
        if is_forbidden or (limits.max_gap is not None and gap > limits.max_gap):
            return float("inf")
    return limits.seconds(end - start)


@given(
    places=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4)), min_size=1, max_size=6),
    max_count=st.integers(4, 40),
    max_gap=st.one_of(st.none(), st.integers(0, 8)),
    exchange=st.integers(0, 12),
    forbidden=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=2),
)
def test_no_other_grouping_costs_less(
    places: list[tuple[int, int]],
    max_count: int,
    max_gap: int | None,
    exchange: int,
    forbidden: list[tuple[int, int]],
) -> None:
    items = sorted((Item(a, a + n, ()) for a, n in places), key=lambda i: (i.start, i.end))
    barred = tuple(range(a, a + n) for a, n in forbidden)
    limits = TableLimits(max_count, max_gap, barred, float(exchange), 1.0)
    blocks = group(Table.HOLDING, items, limits)
    cost = sum(_seconds(block.items, limits) for block in blocks)
    best = min(sum(_seconds(part, limits) for part in parts) for parts in _partitions(items))
    assert cost == best
    assert [i for block in blocks for i in block.items] == items


def test_a_gap_of_ten_registers_is_read_at_9600_and_one_of_eleven_is_not() -> None:
    ten = wanted(address(0), address(11))
    assert planned(ten) == [(0, 12)]
    eleven = wanted(address(0), address(12))
    assert planned(eleven) == [(0, 1), (12, 13)]


def test_on_a_network_only_the_number_of_exchanges_counts() -> None:
    far = wanted(address(0), address(100))
    assert planned(far, cost=NETWORK) == [(0, 101)]
    assert len(planned(wanted(address(0), address(200)), cost=NETWORK)) == 2


@pytest.mark.parametrize(("protocol", "break_even"), [("modbus-rtu", 10), ("modbus-ascii", 8)])
def test_each_framing_has_its_own_break_even(protocol: str, break_even: int) -> None:
    for gap, jobs in ((break_even, 1), (break_even + 1, 2)):
        two = wanted(address(0), address(gap + 1))
        assert len(driver(protocol).plan(1, two, QUIRKS, AT_9600_8E1)) == jobs


def test_the_limits_of_the_device_hold() -> None:
    many = wanted(*(address(2 * i, type="f32") for i in range(20)))
    for limit in (2, 3, 10, 14, 40):
        found = planned(many, ModbusQuirks(max_registers=limit))
        assert all(end - start <= limit for start, end in found)
        assert len(found) == -(-20 // (limit // 2))
    bits = wanted(*(address(i, table="discrete") for i in range(120)))
    assert planned(bits) == [(0, 120)]
    assert all(e - s <= 32 for s, e in planned(bits, ModbusQuirks(max_bits=32)))


def test_a_value_is_never_cut() -> None:
    with pytest.raises(ValueError, match="the device gives 1"):
        planned(wanted(address(0, type="u32")), ModbusQuirks(max_registers=1))


def test_forbidden_registers_are_never_read_over_but_may_be_wanted() -> None:
    quirks = ModbusQuirks(forbidden=("1-2",))
    assert planned(wanted(address(0), address(3)), quirks) == [(0, 1), (3, 4)]
    assert planned(wanted(address(0), address(1), address(2), address(3)), quirks) == [(0, 4)]


def test_max_gap_bounds_what_is_read_over() -> None:
    near = wanted(address(0), address(4))
    assert planned(near, ModbusQuirks(max_gap=2)) == [(0, 1), (4, 5)]
    assert planned(near, ModbusQuirks(max_gap=3)) == [(0, 5)]


def test_tables_are_never_mixed() -> None:
    jobs = driver("modbus-rtu").plan(
        1, wanted(address(0), address(1, table="input"), address("10001")), QUIRKS, NETWORK
    )
    assert sorted(job.keys for job in jobs) == [(0,), (1,), (2,)]


def test_tied_points_come_in_one_exchange_however_far_they_are() -> None:
    points = [
        Wanted(0, address(0), tied_to=1),
        Wanted(1, address(60)),
        Wanted(2, address(30)),
        Wanted(3, address(70), tied_to=1),
    ]
    (job,) = driver("modbus-rtu").plan(1, points, QUIRKS, AT_9600_8E1)
    assert job.keys == (0, 2, 1, 3)
    assert spans([job]) == [(0, 71)]


def test_points_that_cannot_be_tied_are_refused() -> None:
    with pytest.raises(ValueError, match="not in one table"):
        planned([Wanted(0, address(0), tied_to=1), Wanted(1, address(0, table="input"))])
    with pytest.raises(ValueError, match="not wanted"):
        planned([Wanted(0, address(0), tied_to=5)])
    with pytest.raises(ValueError, match="need 201"):
        planned([Wanted(0, address(0), tied_to=1), Wanted(1, address(200))])


def test_a_cycle_of_ties_is_one_group() -> None:
    points = [
        Wanted(0, address(0), tied_to=2),
        Wanted(1, address(1), tied_to=0),
        Wanted(2, address(2), tied_to=1),
    ]
    (items,) = make_items(points, QUIRKS).values()
    assert [(i.start, i.end) for i in items] == [(0, 3)]


def test_halves_are_cut_at_the_widest_gap_or_in_the_middle() -> None:
    def item(start: int, end: int) -> Item:
        return Item(start, end, ())

    gappy = [item(0, 2), item(3, 4), item(9, 10), item(10, 11)]
    assert halves(gappy) == (gappy[:2], gappy[2:])
    dense = [item(0, 1), item(1, 2), item(2, 3), item(3, 4)]
    assert halves(dense) == (dense[:2], dense[2:])
    nested = [item(0, 10), item(2, 3), item(12, 13)]
    assert halves(nested) == (nested[:2], nested[2:])
    assert halves(dense[:1]) is None
    assert block_of(Table.INPUT, gappy).end == 11


def test_limits_follow_table_and_framing() -> None:
    chars = driver("modbus-ascii").framing.chars
    cost = LineCost(char_s=1.0, exchange_s=100.0)
    holding = table_limits(Table.HOLDING, QUIRKS, cost, chars)
    assert holding.seconds(10) == 100 + 17 + 11 + 40
    coils = table_limits(Table.COIL, ModbusQuirks(forbidden=("1",)), cost, chars)
    assert coils.max_count == 2000
    assert coils.forbidden == ()
    assert coils.seconds(8) == 100 + 17 + 11 + 2


def test_an_address_of_another_driver_is_refused() -> None:
    with pytest.raises(TypeError):
        modbus_address(ModbusQuirks())
