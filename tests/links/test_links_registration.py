"""Who calls is told by the first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.links.registration import LIMIT_BYTES, Identified, Undecided, identify
from gateway.settings.site import TcpListener


def _line(registration: bytes | None, **more: object) -> TcpListener:
    return TcpListener("0.0.0.0", 9000, registration, **more)  # type: ignore[arg-type]  # noqa: S104


ONE = _line(b"dtu1", heartbeat=b"ping")
TWELVE = _line(b"dtu12")
IMEI = _line(b"IMEI:", is_prefix=True)
ANYBODY = _line(None)


@pytest.mark.parametrize(
    ("received", "lines", "is_settled", "verdict"),
    [
        (b"", [ONE], False, Undecided.WAIT),
        (b"dt", [ONE], False, Undecided.WAIT),
        (b"dtu1", [ONE], False, Identified(ONE, 4, b"dtu1")),
        (b"dtu1\x01\x03", [ONE], False, Identified(ONE, 4, b"dtu1")),
        (b"dtu2", [ONE], False, Undecided.NOBODY),
        (b"dtu1", [ONE, TWELVE], False, Undecided.WAIT),
        (b"dtu1", [ONE, TWELVE], True, Identified(ONE, 4, b"dtu1")),
        (b"dtu12", [ONE, TWELVE], False, Identified(TWELVE, 5, b"dtu12")),
        (b"dtu13", [ONE, TWELVE], False, Identified(ONE, 4, b"dtu1")),
        (b"IMEI:8612", [IMEI, ONE], False, Undecided.WAIT),
        (b"IMEI:8612", [IMEI, ONE], True, Identified(IMEI, 9, b"IMEI:8612")),
        (b"ping", [ONE], False, Undecided.WAIT),
        (b"pi", [ONE], False, Undecided.WAIT),
        (b"pingdtu1", [ONE], False, Identified(ONE, 8, b"dtu1")),
        (b"", [ANYBODY], False, Identified(ANYBODY, 0, b"")),
        (b"dtu", [ONE, ANYBODY], False, Undecided.WAIT),
        (b"dtu", [ONE, ANYBODY], True, Identified(ANYBODY, 0, b"")),
        (b"\x01\x03", [ONE, ANYBODY], False, Identified(ANYBODY, 0, b"")),
        (b"", [ONE], True, Undecided.NOBODY),
        (b"dtu1", [], False, Undecided.NOBODY),
    ],
)
def test_the_registration_names_the_line(
    received: bytes,
    lines: list[TcpListener],
    is_settled: bool,  # noqa: FBT001 - a column of the table
    verdict: Identified | Undecided,
) -> None:
    assert identify(received, lines, is_settled=is_settled) == verdict


def test_an_endless_registration_ends_at_the_limit() -> None:
    received = b"IMEI:" + b"9" * LIMIT_BYTES
    verdict = identify(received, [IMEI], is_settled=False)
    assert isinstance(verdict, Identified)


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_get_a_verdict_and_settled_ones_a_final_one(
    received: bytes,
    is_settled: bool,  # noqa: FBT001 - hypothesis hands it over so
) -> None:
    verdict = identify(received, [ONE, TWELVE, IMEI], is_settled=is_settled)
    assert not (is_settled and verdict is Undecided.WAIT)
    if isinstance(verdict, Identified):
        assert verdict.registration in received[: verdict.used]
