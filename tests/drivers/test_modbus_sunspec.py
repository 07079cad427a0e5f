"""The chain of SunSpec models: found, walked, bounded, in all three framings."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_support import PROTOCOLS, UNIT, driver, run, unwrap, wrap
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
)

from drivers.contract import DeviceRefused, Exchange, Raw
from drivers.modbus.sunspec import (
    MAX_MODELS,
    PLACES,
    ChainJob,
    Model,
    chain_jobs,
    read_chain,
)

framings = pytest.mark.parametrize("protocol", PROTOCOLS)

MARKER = (0x5375, 0x6E53)
# Common, three-phase inverter, nameplate, meter: lengths as in sunspec/models, json/model_*.json.
MODELS = ((1, 66), (103, 50), (120, 26), (203, 105))


class Memory:
    """Holding registers of a device; what it does not have it refuses with exception 2."""

    def __init__(self, registers: Mapping[int, int]) -> None:
        self.registers = registers
        self.asked: list[tuple[int, int]] = []

    def __call__(self, pdu: bytes) -> bytes:
        function, first, count = struct.unpack(">BHH", pdu)
        assert function == 3
        self.asked.append((first, count))
        asked = range(first, first + count)
        if not all(register in self.registers for register in asked):
            return bytes((function | 0x80, 2))
        words = struct.pack(f">{count}H", *(self.registers[register] for register in asked))
        return bytes((function, 2 * count)) + words


def chain_at(start: int, models: Sequence[tuple[int, int]], end: int | None = 0xFFFF) -> Memory:
    registers = dict(enumerate(MARKER, start))
    at = start + 2
    for number, length in models:
        registers |= {at: number, at + 1: length}
        registers |= dict.fromkeys(range(at + 2, at + 2 + length), 0)
        at += 2 + length
    if end is not None:
        registers |= {at: end, at + 1: 0}
    return Memory(registers)


def walk(memory: Memory, start: int, protocol: str = "modbus-rtu") -> Raw | None:
    (headers,) = run(protocol, ChainJob(driver(protocol).framing, UNIT, start), memory)
    return headers


def headers_of(memory: Memory, start: int) -> bytes:
    headers = walk(memory, start)
    assert isinstance(headers, bytes)
    return headers


@framings
@pytest.mark.parametrize("start", PLACES)
def test_the_base_of_every_model_is_found_at_each_of_the_three_places(
    protocol: str, start: int
) -> None:
    headers = walk(chain_at(start, MODELS), start, protocol)
    assert isinstance(headers, bytes)
    chain = read_chain(start, headers)
    assert chain.models == (
        Model(1, 2, 66),
        Model(103, 70, 50),
        Model(120, 122, 26),
        Model(203, 150, 105),
    )
    assert chain.is_ended
    assert chain.start == start


def test_a_model_may_occur_more_than_once() -> None:
    chain = read_chain(0, headers_of(chain_at(0, [(1, 66), (203, 105), (203, 105)]), 0))
    assert chain.bases(203) == (70, 177)
    assert chain.bases(101) == ()


def test_without_the_marker_nothing_more_is_asked() -> None:
    memory = Memory({40000: 0x5375, 40001: 0x6E54})
    assert walk(memory, 40000) is None
    assert memory.asked == [(40000, 2)]


def test_a_device_without_that_register_refuses_and_the_next_place_is_tried() -> None:
    memory = chain_at(50000, MODELS)
    framing = driver("modbus-rtu").framing
    first, second, third = chain_jobs(framing, UNIT)
    assert (first.start, second.start, third.start) == (40000, 50000, 0)
    with pytest.raises(DeviceRefused) as refusal:
        run("modbus-rtu", first, memory)
    assert refusal.value.is_address
    (headers,) = run("modbus-rtu", second, memory)
    assert isinstance(headers, bytes)
    assert read_chain(second.start, headers).bases(103) == (70,)


def test_only_marker_and_headers_are_read() -> None:
    memory = chain_at(40000, MODELS)
    walk(memory, 40000)
    assert memory.asked == [
        (40000, 2),
        (40002, 2),
        (40070, 2),
        (40122, 2),
        (40150, 2),
        (40257, 2),
    ]


def test_empty_memory_behind_the_marker_ends_the_walk() -> None:
    chain = read_chain(0, headers_of(chain_at(0, [(1, 66)], end=0), 0))
    assert chain.models == (Model(1, 2, 66),)
    assert not chain.is_ended


def test_a_chain_that_runs_past_the_last_register_is_left() -> None:
    memory = chain_at(50000, [(1, 66)], end=None)
    memory = Memory({**memory.registers, 50070: 103, 50071: 65000})
    chain = read_chain(50000, headers_of(memory, 50000))
    assert chain.bases(103) == (70,)
    assert not chain.is_ended


@pytest.mark.parametrize("length", [0, 1, 50])
def test_an_endless_chain_is_left_after_a_named_number_of_models(length: int) -> None:
    memory = chain_at(0, [(64000, length)] * (MAX_MODELS + 20))
    chain = read_chain(0, headers_of(memory, 0))
    assert len(memory.asked) == 1 + MAX_MODELS
    assert len(chain.models) == MAX_MODELS
    assert not chain.is_ended


def test_the_job_tells_what_it_costs_and_does() -> None:
    job = ChainJob(driver("modbus-rtu").framing, UNIT, 40000)
    exchange = next(job.steps())
    assert job.keys == (0,)
    assert job.request_chars == len(exchange.request) == 8
    assert job.reply_chars == exchange.reply_chars == 9
    assert job.exchanges == 1
    assert job.split() == ()
    assert job.describe() == "function 3: chain of SunSpec models from register 40000"


@given(st.binary(max_size=600))
def test_any_headers_give_a_chain_in_order(headers: bytes) -> None:
    chain = read_chain(40000, headers)
    assert len(chain.models) <= len(headers) // 4
    bases = [model.base for model in chain.models]
    assert bases == sorted(set(bases))


@given(st.lists(st.tuples(st.integers(1, 0xFFFE), st.integers(0, 300)), max_size=20))
def test_every_chain_is_read_as_it_was_laid_down(models: list[tuple[int, int]]) -> None:
    chain = read_chain(0, headers_of(chain_at(0, models), 0))
    assert [(model.number, model.length) for model in chain.models] == models
    assert chain.is_ended


def test_requests_and_replies_are_those_of_pymodbus() -> None:
    memory = chain_at(0, MODELS)

    def independent(pdu: bytes) -> bytes:
        request = ReadHoldingRegistersRequest()
        request.decode(pdu[1:])
        words = [memory.registers[request.address + i] for i in range(request.count)]
        return b"\x03" + ReadHoldingRegistersResponse(registers=words).encode()

    job = ChainJob(driver("modbus-tcp").framing, UNIT, 0)
    (headers,) = run("modbus-tcp", job, independent)
    assert headers == headers_of(memory, 0)


def test_noise_before_every_reply_changes_nothing() -> None:
    memory = chain_at(0, MODELS)
    steps = ChainJob(driver("modbus-rtu").framing, UNIT, 0).steps()
    exchange = next(steps)
    for _ in range(len(MODELS) + 1):
        exchange = steps.send(noisy_reply(exchange, memory))
    with pytest.raises(StopIteration) as done:
        steps.send(noisy_reply(exchange, memory))
    assert done.value.value == [headers_of(memory, 0)]


def noisy_reply(exchange: Exchange, memory: Memory) -> Any:
    frame = b"\x00\xff" + wrap("modbus-rtu", memory(unwrap("modbus-rtu", exchange.request)))
    assert exchange.feed(frame[:5]) is None
    return exchange.feed(frame[5:])
