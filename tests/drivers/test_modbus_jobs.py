"""Jobs against a device in all three framings, and against pymodbus's PDU classes."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pymodbus.pdu.bit_message as bits_oracle
import pymodbus.pdu.register_message as registers_oracle
import pytest
from modbus_support import NETWORK, PROTOCOLS, QUIRKS, UNIT, Device, address, driver, run, wanted
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse
from pymodbus.pdu.other_message import ReadExceptionStatusResponse, ReportDeviceIdResponse

from drivers.contract import LineCost
from drivers.modbus.address import ModbusAddress, ModbusQuirks
from drivers.modbus.custom import custom_names, read_custom_reply
from drivers.modbus.identity import Access
from drivers.modbus.pdu import (
    Request,
    identification_request,
    mask_write_request,
    read_request,
    read_write_request,
    reply_length,
    request_length,
    server_id_request,
    write_coil_request,
    write_coils_request,
    write_register_request,
    write_registers_request,
)

framings = pytest.mark.parametrize("protocol", PROTOCOLS)


@framings
def test_a_block_is_read_and_decoded_in_the_order_of_its_keys(protocol: str) -> None:
    device = Device()
    device.registers[5:8] = [0x4366, 0x199A, 42]
    points = wanted(address(7), address(5, type="f32"))
    (job,) = driver(protocol).plan(UNIT, points, QUIRKS, NETWORK)
    assert job.keys == (1, 0)
    assert run(protocol, job, device) == [230.1, 42]
    assert job.unit == UNIT
    assert job.exchanges == 1
    assert job.describe() == "function 3: holding 5..7 (3 registers, 2 points)"
    assert device.functions == [3]


@framings
def test_the_cost_of_a_job_is_its_characters(protocol: str) -> None:
    (job,) = driver(protocol).plan(UNIT, wanted(address(0, type="u32")), QUIRKS, NETWORK)
    steps = job.steps()
    exchange = next(steps)
    assert job.request_chars == len(exchange.request)
    assert (
        job.reply_chars == exchange.reply_chars == {"rtu": 9, "ascii": 19, "tcp": 13}[protocol[7:]]
    )


@framings
def test_bits_are_read_by_their_function(protocol: str) -> None:
    device = Device()
    device.coils[3] = device.coils[12] = True
    for table, function in (("coil", 1), ("discrete", 2)):
        points = wanted(*(address(i, table=table) for i in (3, 4, 12)))
        (job,) = driver(protocol).plan(UNIT, points, QUIRKS, NETWORK)
        assert list(run(protocol, job, device)) == [True, False, True]
        assert device.functions[-1] == function


@framings
def test_a_split_block_wants_the_same_and_ends_at_single_items(protocol: str) -> None:
    device = Device()
    device.registers[:40] = list(range(40))
    points = wanted(*(address(i) for i in (0, 1, 2, 30, 31)))
    (job,) = driver(protocol).plan(UNIT, points, QUIRKS, NETWORK)
    parts, whole = [job], list[Any]()
    while parts:
        part = parts.pop(0)
        halves = part.split()
        assert not halves or sorted(k for h in halves for k in h.keys) == sorted(part.keys)
        parts.extend(halves)
        whole.extend(() if halves else zip(part.keys, run(protocol, part, device), strict=True))
    assert dict(whole) == {0: 0, 1: 1, 2: 2, 3: 30, 4: 31}


@framings
def test_a_probe_reads_one_register_of_the_job(protocol: str) -> None:
    device = Device()
    found = driver(protocol)
    for point in (address(9, type="f32"), address(9, table="coil")):
        (job,) = found.plan(UNIT, wanted(point), QUIRKS, NETWORK)
        probe = found.probe(UNIT, job)
        assert probe.keys == ()
        assert probe.split() == ()
        assert run(protocol, probe, device) == ()
        assert probe.reply_chars <= job.reply_chars
        assert "9 (probe)" in probe.describe()
        assert found.probe(UNIT, probe) is probe


WRITES: list[tuple[dict[str, Any], Any, ModbusQuirks, list[int], list[int]]] = [
    ({}, 513, QUIRKS, [6], [513, 0xAAAA]),
    ({}, 513, ModbusQuirks(write_function=16), [16], [513, 0xAAAA]),
    ({"write_function": 16}, 5.0, QUIRKS, [16], [5, 0xAAAA]),
    ({"write_function": 6}, 5, ModbusQuirks(write_function=16), [6], [5, 0xAAAA]),
    ({"type": "s16"}, -2, QUIRKS, [6], [0xFFFE, 0xAAAA]),
    ({"order": "BA"}, 1, QUIRKS, [6], [0x0100, 0xAAAA]),
    ({"type": "u32"}, 65537, QUIRKS, [16], [1, 1]),
    ({"type": "f32", "order": "CDAB"}, 1.0, QUIRKS, [16], [0, 0x3F80]),
    ({"bit": 0}, True, QUIRKS, [3, 6], [0x5556 | 1, 0xAAAA]),
    ({"bit": 1}, False, QUIRKS, [3, 6], [0x5554, 0xAAAA]),
    ({"bit": 1}, 0, ModbusQuirks(write_function=16), [3, 16], [0x5554, 0xAAAA]),
    ({"bits": "4:4"}, 0xF, QUIRKS, [3, 6], [0x55F6, 0xAAAA]),
    ({"mask": 0xF000, "write_function": 22}, 0xA, QUIRKS, [22], [0xA556, 0xAAAA]),
    ({"type": "u8hi"}, 0xFF, QUIRKS, [3, 6], [0xFF56, 0xAAAA]),
    ({"type": "u8lo", "order": "BA"}, 0, QUIRKS, [3, 6], [0x0056, 0xAAAA]),
]


@framings
@pytest.mark.parametrize(("keys", "raw", "quirks", "functions", "registers"), WRITES)
def test_a_value_is_written_by_the_right_function(
    protocol: str,
    keys: dict[str, Any],
    raw: Any,
    quirks: ModbusQuirks,
    functions: list[int],
    registers: list[int],
) -> None:
    device = Device()
    device.registers[8:10] = [0x5556, 0xAAAA]
    job = driver(protocol).plan_write(UNIT, address(8, **keys), raw, quirks)
    assert job.keys == ()
    assert job.split() == ()
    assert job.unit == UNIT
    assert job.exchanges == len(functions)
    assert job.request_chars > 0
    assert job.reply_chars > 0
    assert str(functions[-1]) in job.describe()
    assert run(protocol, job, device) == ()
    assert device.functions == functions
    assert device.registers[8:10] == registers


@framings
@pytest.mark.parametrize(("keys", "function"), [({}, 5), ({"write_function": 15}, 15)])
def test_a_coil_is_switched(protocol: str, keys: dict[str, Any], function: int) -> None:
    device = Device()
    for is_on in (True, False):
        job = driver(protocol).plan_write(UNIT, address(3, table="coil", **keys), is_on, QUIRKS)
        run(protocol, job, device)
        assert device.coils[3] is is_on
        assert device.functions[-1] == function


@pytest.mark.parametrize(
    ("where", "raw", "message"),
    [
        (address(0, table="input"), 1, "only be read"),
        (address(0, table="discrete"), True, "only be read"),
        (address(0, table="coil"), 2, "outside 0..1"),
        (address(0, table="coil", write_function=6), True, "5 and 15"),
        (address(0, type="u32", write_function=6), 1, "one register only"),
        (address(0, write_function=22), 1, "6 and 16"),
        (address(0, bit=0, write_function=15), 1, "6 and 16"),
        (address(0, bits="0:2"), 4, "outside 0..3"),
        (address(0, mask=0x0101), 2, "outside mask"),
        (address(0, type="u32", mask=1), 1, "wider than one register"),
        (address(0), 70000, "does not fit"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    where: ModbusAddress,
    raw: Any,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        driver("modbus-rtu").plan_write(UNIT, where, raw, QUIRKS)


@framings
def test_function_23_writes_and_reads_back_in_one_exchange(protocol: str) -> None:
    device = Device()
    found = driver(protocol)
    job = found.plan_write_and_read(UNIT, address(8, type="u32"), 65537, QUIRKS)
    assert run(protocol, job, device) == (65537,)
    assert device.functions == [23]
    with pytest.raises(ValueError, match="whole values"):
        found.plan_write_and_read(UNIT, address(8, bit=1), True, QUIRKS)


def test_units_and_quirks_of_others_are_refused() -> None:
    found = driver("modbus-rtu")
    with pytest.raises(TypeError):
        found.plan("1", wanted(address(0)), QUIRKS, NETWORK)
    with pytest.raises(TypeError):
        found.plan(1, (), address(0), LineCost(0, 0))


# --- identity and custom functions ------------------------------------------------------------

OBJECTS = {0: b"Acme", 1: b"M-1", 2: b"V1.0", 4: b"Meter", 0x80: b"private", 0xFF: b"last"}


class Identified:
    """Answers 43/14 with one object a reply, through pymodbus's encoder."""

    def __init__(self, *, is_stuck: bool = False) -> None:
        self.asked: list[tuple[int, int]] = []
        self._is_stuck = is_stuck

    def __call__(self, pdu: bytes) -> bytes:
        level, first = pdu[2], pdu[3]
        self.asked.append((level, first))
        top = {1: 2, 2: 6, 3: 255}[level]
        ids = [i for i in OBJECTS if first <= i <= top]
        reply = ReadDeviceInformationResponse(level, {ids[0]: OBJECTS[ids[0]]})
        body = bytearray(reply.encode())
        if len(ids) > 1:
            body[3:5] = 0xFF, 0 if self._is_stuck else ids[1]
        return b"\x2b" + bytes(body)


@framings
@pytest.mark.parametrize(("access", "rounds"), [("BASIC", 3), ("REGULAR", 4), ("EXTENDED", 6)])
def test_identification_goes_on_while_more_follows(protocol: str, access: str, rounds: int) -> None:
    device = Identified()
    job = driver(protocol).identify(UNIT, Access[access])
    values = dict(zip(job.keys, run(protocol, job, device), strict=True))
    assert len(device.asked) == rounds
    expected = {k: v.decode() for k, v in OBJECTS.items() if k in job.keys}
    assert {k: v for k, v in values.items() if v is not None} == expected
    assert job.split() == ()
    assert access.lower() in job.describe()
    assert (job.exchanges, job.unit) == (1, UNIT)
    assert min(job.request_chars, job.reply_chars) > 0


@framings
def test_a_device_that_repeats_itself_is_left(protocol: str) -> None:
    device = Identified(is_stuck=True)
    job = driver(protocol).identify(UNIT, Access.BASIC)
    assert run(protocol, job, device) == ["Acme", None, None]
    assert len(device.asked) == 1


@framings
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"\x11" + ReportDeviceIdResponse(b"AB", True).encode(), (b"AB", True)),
        (b"\x11" + ReportDeviceIdResponse(b"AB", False).encode(), (b"AB", False)),
        (b"\x11\x02AB", (b"AB", None)),
        (b"\x11\x00", (b"", None)),
    ],
)
def test_a_server_id_is_bytes_and_whether_it_runs(
    protocol: str, reply: bytes, expected: tuple[bytes, bool | None]
) -> None:
    job = driver(protocol).server_id(UNIT)
    assert job.keys == (0, 1)
    assert run(protocol, job, lambda _: reply) == expected


@framings
def test_a_function_is_done_by_its_name(protocol: str) -> None:
    found = driver(protocol)
    assert {"read_exception_status", "read_fifo_queue"} <= set(custom_names())
    reply = b"\7" + ReadExceptionStatusResponse(status=0xA5).encode()
    job = found.custom(UNIT, "read_exception_status", {})
    assert run(protocol, job, lambda pdu: reply if pdu == b"\7" else b"") == (reply,)
    assert read_custom_reply("read_exception_status", reply)["status"] == 0xA5
    fifo = found.custom(UNIT, "read_fifo_queue", {"address": 5})
    queue = bytes.fromhex("18 0006 0002 01B8 1284")
    assert run(protocol, fifo, lambda pdu: queue if pdu == b"\x18\0\5" else b"") == (queue,)
    assert list(read_custom_reply("read_fifo_queue", queue)["values"]) == [0x01B8, 0x1284]


@framings
def test_a_diagnostic_comes_back_as_long_as_it_went(protocol: str) -> None:
    job = driver(protocol).custom(UNIT, "return_query_data", {"message": b"\xa5\x37"})
    assert run(protocol, job, lambda pdu: pdu) == (bytes.fromhex("080000A537"),)


def test_a_reply_that_is_not_of_the_function_is_refused() -> None:
    with pytest.raises(ValueError, match="read_fifo_queue"):
        read_custom_reply("read_fifo_queue", b"\x18\0\6\0\2\0")


def test_unknown_functions_and_fields_are_refused() -> None:
    found = driver("modbus-rtu")
    with pytest.raises(LookupError, match="read_fifo_queue"):
        found.custom(UNIT, "read_minds", {})
    with pytest.raises(ValueError, match="read_fifo_queue"):
        found.custom(UNIT, "read_fifo_queue", {"colour": 1})
    with pytest.raises(ValueError, match="function 128"):
        found.vendor(UNIT, 128, b"")


@framings
def test_a_vendor_function_gives_back_its_reply(protocol: str) -> None:
    job = driver(protocol).vendor(UNIT, 65, b"\1\2")
    reply = b"\x41\x99\x98\x97"
    assert run(protocol, job, lambda pdu: reply if pdu == b"\x41\1\2" else b"") == (reply,)


def test_polling_does_not_need_pymodbus() -> None:
    code = (
        "import sys; from drivers.registry import load; from drivers.contract import *\n"
        "spec = load('modbus'); d = spec.protocols['modbus-rtu']\n"
        "jobs = d.plan(1, [Wanted(0, spec.address_type(register=1))], spec.quirks_type(),"
        " LineCost(0, 0))\n"
        "next(jobs[0].steps()).request\n"
        "sys.exit(any(m in sys.modules for m in ('pymodbus', 'asyncio')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


# --- pymodbus as an oracle of PDUs ------------------------------------------------------------

ORACLE: list[tuple[Request, Callable[[], Any]]] = [
    (read_request(1, 19, 37), lambda: bits_oracle.ReadCoilsRequest(address=19, count=37)),
    (
        read_request(2, 196, 22),
        lambda: bits_oracle.ReadDiscreteInputsRequest(address=196, count=22),
    ),
    (
        read_request(3, 107, 3),
        lambda: registers_oracle.ReadHoldingRegistersRequest(address=107, count=3),
    ),
    (read_request(4, 8, 1), lambda: registers_oracle.ReadInputRegistersRequest(address=8, count=1)),
    (
        write_coil_request(172, is_on=True),
        lambda: bits_oracle.WriteSingleCoilRequest(address=172, bits=[True]),
    ),
    (
        write_register_request(1, b"\0\3"),
        lambda: registers_oracle.WriteSingleRegisterRequest(address=1, registers=[3]),
    ),
    (
        write_coils_request(19, [True, False, True, True, False, False, True, True, True, False]),
        lambda: bits_oracle.WriteMultipleCoilsRequest(
            address=19, bits=[True, False, True, True, False, False, True, True, True, False]
        ),
    ),
    (
        write_registers_request(1, struct.pack(">HH", 10, 258)),
        lambda: registers_oracle.WriteMultipleRegistersRequest(address=1, registers=[10, 258]),
    ),
    (
        mask_write_request(4, 0xF2, 0x25),
        lambda: registers_oracle.MaskWriteRegisterRequest(address=4, and_mask=0xF2, or_mask=0x25),
    ),
    (
        read_write_request(3, 6, 14, b"\0\xff\0\xff\0\xff"),
        lambda: registers_oracle.ReadWriteMultipleRegistersRequest(
            read_address=3, read_count=6, write_address=14, write_registers=[255, 255, 255]
        ),
    ),
]


@pytest.mark.parametrize(("request_", "oracle"), ORACLE, ids=lambda v: getattr(v, "function", None))
def test_request_pdus_are_those_of_pymodbus(request_: Request, oracle: Callable[[], Any]) -> None:
    theirs = oracle()
    assert request_.pdu == bytes((theirs.function_code,)) + theirs.encode()
    assert request_length(request_.pdu) == len(request_.pdu)
    assert DecodePDU(is_server=True).decode(request_.pdu) is not None


@pytest.mark.parametrize(
    "pdu",
    [
        "010105",
        "03020102",
        "0500010000",
        "1600010002 0003",
        "8302",
        "110141",
        "2B0E0101000000",
        "180006000201B81284",
    ],
)
def test_the_length_of_a_reply_is_known_from_its_first_bytes(pdu: str) -> None:
    octets = bytes.fromhex(pdu)
    assert reply_length(octets) == len(octets)
    assert reply_length(octets + b"more") == len(octets)
    assert reply_length(b"") is None
    assert request_length(b"") is None


def test_replies_without_end_are_given_up() -> None:
    endless = bytes.fromhex("2B0E01010000FF") + 255 * b"\x00\xff" + 300 * b"\0"
    assert reply_length(endless) == 0
    assert reply_length(b"\x2b\x0d\1") == 0
    assert reply_length(b"\x41\1\2") == 0
    assert request_length(b"\x41\1\2") == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: read_request(3, 0, 0),
        lambda: read_request(3, 0, 126),
        lambda: read_request(1, 0, 2001),
        lambda: read_request(3, 65535, 2),
        lambda: write_registers_request(0, bytes(248)),
        lambda: write_coils_request(0, [True] * 1969),
        lambda: write_register_request(-1, b"\0\0"),
        lambda: read_write_request(0, 1, 0, bytes(244)),
    ],
)
def test_requests_beyond_the_limits_are_not_made(make: Callable[[], Request]) -> None:
    with pytest.raises(ValueError, match=r"quantity|65535"):
        make()


def test_the_longest_requests_fit_a_pdu() -> None:
    assert len(write_registers_request(0, bytes(246)).pdu) <= 253
    assert len(write_coils_request(0, [True] * 1968).pdu) <= 253
    assert len(read_write_request(0, 125, 0, bytes(242)).pdu) <= 253
    assert server_id_request().pdu == b"\x11"
    assert identification_request(4, 2).pdu == b"\x2b\x0e\x04\x02"
