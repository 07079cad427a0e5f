"""What every driver folder must keep: files, names, golden frames, totality."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.contract import (
    DriverError,
    Job,
    JobDriver,
    LineCost,
    Moment,
    SessionDevice,
    Speaker,
)
from drivers.osdp.secure import Channel
from gateway.settings.durations import line_setting
from tests.drivers.fuzz import devices, golden

ROOT = Path(__file__).parents[2]
PROTOCOLS = [(name, p) for name in registry.names() for p in registry.load(name).speakers]
ASKED = [(name, p) for name in registry.names() for p in registry.load(name).protocols]
SESSIONS = [(name, p) for name in registry.names() for p in registry.load(name).sessions]
NOW = Moment(1000.0, 1_790_000_000_000, 8 * 3600)
COST = LineCost(char_s=0.001, exchange_s=0.01)
MOST_KEPT = 50_000
"""Bytes that nothing keeps of the wire: the longest message there is has 20 000 (IEC 62056-21)."""


def _vectors(name: str) -> list[dict[str, Any]]:
    (file,) = (ROOT / "drivers" / name).glob("vectors.*")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _scan(name: str) -> list[Job]:
    return list(islice(registry.load(name).conduct.scan(), 1))


VECTORS = [
    pytest.param(name, vector, id=vector["id"])
    for name in registry.names()
    for vector in _vectors(name)
]


def _speaker(name: str, protocol: str) -> Speaker:
    return registry.load(name).speakers[protocol]


def _driver(name: str, protocol: str) -> JobDriver:
    return registry.load(name).protocols[protocol]


@pytest.mark.parametrize("name", registry.names())
def test_a_driver_names_its_protocols_and_their_defaults(name: str) -> None:
    spec = registry.load(name)
    assert {spec.serial_protocol, spec.tcp_protocol} <= set(spec.speakers)
    for protocol in spec.speakers:
        assert registry.driver_of_protocol(protocol) is spec


@pytest.mark.parametrize("name", registry.names())
def test_address_and_quirks_are_frozen_slotted_and_described(name: str) -> None:
    spec = registry.load(name)
    for plain in (spec.address_type, spec.quirks_type):
        assert is_dataclass(plain)
        assert plain.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert hasattr(plain, "__slots__")
        assert all(field.metadata["description"] for field in fields(plain))


@pytest.mark.parametrize("name", registry.names())
def test_the_page_names_every_protocol_and_every_key(name: str) -> None:
    spec = registry.load(name)
    page = (ROOT / "docs" / "drivers" / f"{name}.md").read_text(encoding="utf-8")
    keys = [
        field.name
        for plain in (spec.address_type, spec.quirks_type)
        if is_dataclass(plain)
        for field in fields(plain)
    ]
    missing = [word for word in [*spec.speakers, *keys] if f"`{word}`" not in page]
    assert not missing


@pytest.mark.parametrize("name", registry.names())
def test_every_protocol_has_good_and_bad_vectors_with_a_source(name: str) -> None:
    vectors = _vectors(name)
    assert all(v["source"] and v["basis"] in {"source", "computed", "capture"} for v in vectors)
    assert len({v["id"] for v in vectors}) == len(vectors)
    for protocol in registry.load(name).speakers:
        mine = [v for v in vectors if v["protocol"] == protocol]
        assert any("refused" in v for v in mine)
        assert any("refused" not in v for v in mine)


@pytest.mark.parametrize(("name", "vector"), VECTORS)
def test_a_golden_frame_is_decoded_or_refused_with_its_reason(
    name: str, vector: dict[str, Any]
) -> None:
    frame = bytes.fromhex(vector["hex"])
    decoded = _speaker(name, vector["protocol"]).decode(frame, vector["direction"])
    assert {key: decoded.frame.get(key) for key in vector["decoded"]} == vector["decoded"]
    assert decoded.ok == ("refused" not in vector), decoded.error
    assert vector.get("refused", "") in (decoded.error or "")
    assert bool(decoded.error) != decoded.ok


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
@given(frame=st.binary(max_size=300), request=st.binary(max_size=20))
def test_decode_never_raises(name: str, protocol: str, frame: bytes, request: bytes) -> None:
    for direction in ("request", "response", "auto"):
        decoded = _speaker(name, protocol).decode(frame, direction, (), request)
        assert decoded.ok or decoded.error


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
@given(address=st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)))
def test_an_address_is_taken_or_refused_with_a_sentence(
    name: str, protocol: str, address: object
) -> None:
    try:
        said = f"it is the key {hash(_speaker(name, protocol).parse_unit(address))}"
    except ValueError as why:
        said = str(why)
    assert len(said.split()) > 4


@pytest.mark.parametrize("name", registry.names())
def test_a_driver_says_how_it_behaves_on_a_line(name: str) -> None:
    conduct = registry.load(name).conduct
    assert conduct.never
    assert all(line_setting(setting) for setting in conduct.settings)
    assert all(next(job.steps()).request for job in conduct.scan())
    assert all(len(sentence.split()) > 3 for sentence in (*conduct.never, *conduct.dangerous))


@pytest.mark.parametrize(("name", "protocol"), SESSIONS)
@given(pieces=st.lists(st.binary(max_size=80), max_size=8))
def test_a_session_takes_any_bytes_and_any_time(
    name: str, protocol: str, pieces: list[bytes]
) -> None:
    session = registry.load(name).sessions[protocol].start(devices(protocol), NOW)
    if session.wake_at is not None:
        session.wake(NOW)  # what is asked may be answered
    now = NOW
    for piece in pieces:
        session.received(piece, now)
        now = Moment(now.at_s + 7.0, now.utc_ms + 7000, now.local_offset_s)
        if session.wake_at is not None:
            session.wake(now)


def _held(owner: object) -> int:
    """Return the bytes that an object of a driver keeps."""
    seen: set[int] = set()
    todo, size = [owner], 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        size += len(one) if isinstance(one, bytes | bytearray) else 0
        todo += gc.get_referents(one)
    return size


def _endless(protocol: str) -> Iterator[Sequence[bytes]]:
    """Yield what may come for ever, a thousand bytes at a time.

    Silence that is none, beginnings without end, beginnings again and again, whole frames.
    """
    for begin, piece in (
        *((b"", piece) for piece in (b"\0", b"\xff\x68", bytes(range(256)))),
        *((frame[:-1], b"0") for frame in golden(protocol)[:8]),
        *((b"", frame[:-1]) for frame in golden(protocol)[:8]),
        *((b"", frame) for frame in golden(protocol)[:8]),
    ):
        yield [begin, *[piece * (1000 // len(piece) + 1)] * (2 * MOST_KEPT // 1000)]


@pytest.mark.parametrize(("name", "protocol"), SESSIONS)
def test_a_session_keeps_no_more_than_some_frames_of_what_never_ends(
    name: str, protocol: str
) -> None:
    for pieces in _endless(protocol):
        session = registry.load(name).sessions[protocol].start(devices(protocol), NOW)
        if session.wake_at is not None:
            session.wake(NOW)
        before = _held(session)
        for piece in pieces:
            session.received(piece, NOW)
        assert _held(session) - before < MOST_KEPT, pieces[-1].hex()


@pytest.mark.parametrize("name", [name for name in registry.names() if _scan(name)])
def test_an_exchange_keeps_no_more_than_some_frames_of_what_never_ends(name: str) -> None:
    spec = registry.load(name)
    for pieces in (one for protocol in spec.protocols for one in _endless(protocol)):
        exchange = next(_scan(name)[0].steps())
        before = _held(exchange)
        with suppress(DriverError):
            for piece in pieces:
                if exchange.feed(piece) is not None:
                    break
        assert _held(exchange) - before < MOST_KEPT, pieces[-1].hex()


@pytest.mark.parametrize("name", registry.names())
def test_passwords_of_a_device_are_in_no_text_about_it(name: str) -> None:
    spec = registry.load(name)
    secrets: dict[str, Any] = {
        key: "12345678"
        for key in ("password", "operator")
        if key in getattr(spec.quirks_type, "__dataclass_fields__", {})
    }
    assert "12345678" not in repr(spec.quirks_type(**secrets))


def test_the_key_of_a_device_is_in_no_text_about_it() -> None:
    key = b"0123456789abcdef"
    device = SessionDevice("1234", (), None, key)
    assert key.decode() not in repr(device)
    assert device == SessionDevice("1234", (), None, key)
    channel = Channel(key, key, key)
    assert key.decode() not in repr(channel)


@pytest.mark.parametrize(("name", "protocol"), ASKED)
def test_nothing_wanted_needs_no_jobs(name: str, protocol: str) -> None:
    quirks = registry.load(name).quirks_type()
    assert _driver(name, protocol).plan(1, (), quirks, COST) == ()


@pytest.mark.parametrize(("name", "protocol"), ASKED)
def test_a_window_exists_exactly_where_replies_have_identifiers(name: str, protocol: str) -> None:
    found = _driver(name, protocol)
    assert (found.window() is not None) == found.wire.has_reply_ids
