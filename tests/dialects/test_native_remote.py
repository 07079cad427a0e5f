"""Remote work in the native dialect: letters by their shape, the time by four moments."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.contract import Configuration, DialectSetup, Now, Received
from gateway.dialects.native.dialect import Native
from gateway.dialects.native.remote import MAX_LETTER_BYTES
from gateway.model.ids import GatewayId, SinkName, SiteId
from gateway.model.publication import Arrival
from gateway.settings.site import Gateway
from tests.support.letters import letter
from tests.support.natives import EP, NOW, native
from tests.support.uplinks import a_sink

BASE = "fc/1/hz-fc-001/gw-03"
GATEWAY = Gateway(GatewayId("gw-03"), SiteId("hz-fc-001"))
SOON_MS = 60_000


def _arrival(payload: bytes | str | dict[str, Any], below: str = "cfg/_") -> Arrival:
    raw = json.dumps(payload) if isinstance(payload, dict) else payload
    whole = raw.encode() if isinstance(raw, str) else raw
    return Arrival(SinkName("province"), f"{BASE}/dn/{below}", whole, is_retained=False)


def _heard(payload: bytes | str | dict[str, Any], below: str = "cfg/_") -> Received:
    return native().received(_arrival(payload, below), NOW)


def _asking(every_s: int = 60) -> Native:
    sink = replace(a_sink(1883), options={"ask_time_s": every_s})
    return Native(DialectSetup(GATEWAY, sink, "linli 1", EP))


def _at(ms: int) -> Now:
    return replace(NOW, ms=NOW.ms + ms)


def _question(dialect: Native, now: Now) -> int | None:
    said = dialect.tick(now)
    return int(json.loads(said[0].payload)["fields"]["t1"]) if said else None


def test_a_signed_letter_is_handed_on_unopened() -> None:
    text = letter(b"whatever")
    (found,) = _heard(text).letters
    assert {
        "protected": found.protected,
        "payload": found.payload,
        "signature": found.signature,
    } == json.loads(text)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "3",
        '{"gateway": {"id": "gw-03"}}',
        '{"payload": "x", "signature": "y"}',
        '{"protected": 1, "payload": "x", "signature": "y"}',
        '{"protected": "a", "payload": "x", "signature": "y", "header": "z"}',
        "[" * 100_000,
        b"\xff{",
        b"{" + b" " * MAX_LETTER_BYTES + b"}",
    ],
)
def test_what_is_no_letter_is_dropped_with_its_reason(payload: bytes | str) -> None:
    heard = _heard(payload)
    assert (heard.letters, len(heard.dropped)) == ((), 1)


def test_a_letter_to_a_device_or_a_retained_one_is_dropped() -> None:
    assert _heard(letter(b"x"), "cfg/em-01").letters == ()
    kept = replace(_arrival(letter(b"x")), is_retained=True)
    assert native().received(kept, NOW).letters == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_letter_or_dropped(payload: bytes) -> None:
    heard = _heard(payload)
    assert len(heard.letters) + len(heard.dropped) == 1


@given(ahead=st.integers(-(10**6), 10**6), out=st.integers(0, 4000), work=st.integers(0, 4000))
def test_four_moments_give_the_time_whatever_the_platform_took_to_answer(
    ahead: int, out: int, work: int
) -> None:
    dialect = _asking()
    dialect.connected((), (), NOW)
    sent = _question(dialect, NOW)
    assert sent is not None
    assert sent == NOW.ms
    came, left = sent + out + ahead, sent + out + work + ahead
    now = _at(2 * out + work)  # the way back is as long as the way there
    answer = _arrival({"t1": sent, "t2": came, "t3": left}, "time/_")
    assert dialect.received(answer, now).platform_ms == now.ms + ahead
    assert dialect.received(answer, now).platform_ms is None, "an answer counts once"


def test_a_question_is_asked_after_each_connect_and_again_when_it_is_due() -> None:
    dialect = _asking()
    assert _question(dialect, NOW) is None, "there is no connection yet"
    dialect.connected((), (), NOW)
    assert _question(dialect, _at(1)) == _at(1).ms
    assert _question(dialect, _at(SOON_MS)) is None
    assert _question(dialect, _at(SOON_MS + 1)) == _at(SOON_MS + 1).ms
    assert _question(dialect, _at(-(10**9))) is not None, "the clock was set back"
    dialect.connected((), (), _at(2))
    assert _question(dialect, _at(2)) is not None


def test_nobody_is_asked_where_the_site_does_not_say_so() -> None:
    dialect = native()
    dialect.connected((), (), NOW)
    assert dialect.tick(NOW) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"t1": 1, "t2": 2, "t3": 3},
        {"t1": NOW.ms, "t2": NOW.ms},
        {"t1": NOW.ms, "t2": NOW.ms + 9, "t3": NOW.ms},
        {"t1": NOW.ms, "t2": True, "t3": NOW.ms},
    ],
)
def test_an_answer_to_something_else_or_too_late_is_dropped(answer: dict[str, Any]) -> None:
    dialect = _asking()
    dialect.connected((), (), NOW)
    _question(dialect, NOW)
    heard = dialect.received(_arrival(answer, "time/_"), _at(20_000))
    assert (heard.platform_ms, len(heard.dropped)) == (None, 1)


def test_the_gateway_is_born_with_its_configuration_and_again_when_that_changes() -> None:
    runs = [Configuration("ab" * 32, "local")]
    sink = a_sink(1883)
    setup = DialectSetup(GATEWAY, sink, "linli 1", EP, configuration=lambda: runs[-1])
    dialect = Native(setup)
    born = [json.loads(one.payload) for one in dialect.connected((), (), NOW)]
    assert born[1]["cfg"] == {"hash": "ab" * 32, "version": None, "state": "local"}
    assert dialect.reloaded((), NOW) == ()
    runs.append(Configuration("cd" * 32, "applied", "7"))
    (again,) = dialect.reloaded((), NOW)
    assert json.loads(again.payload)["cfg"]["version"] == "7"
    assert dialect.reloaded((), NOW) == ()
