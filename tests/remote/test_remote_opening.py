"""Letters: only what the key of the site signed, for this gateway, now and never before."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.clock import TimeQuality
from gateway.model.ids import SinkName
from gateway.model.letter import Letter
from gateway.remote.keys import PublicKey, SharedKey
from gateway.remote.opening import FURTHEST_MS, LetterRefused, Moment, check_fresh, opened
from gateway.remote.order import Act, Order
from tests.support.letters import SECRET, b64, letter

NOW_MS = 1_763_888_400_000
ORDER = Order("r-1", Act.LOG, "gw-03", "hz", 7, NOW_MS + 1)
MOMENT = Moment("gw-03", "hz", NOW_MS, TimeQuality.SYNC, 6)
KEY = SharedKey(SECRET)
RFC_8037_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
RFC_8037 = {
    "protected": "eyJhbGciOiJFZERTQSJ9",
    "payload": "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    "signature": "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
    "hVsPt9g7sVvpAr_MuM0KAg",
}
"""RFC 8037, appendix A.4 and A.5."""


def _letter(text: str) -> Letter:
    return Letter(SinkName("province"), "dn/cfg/_", **json.loads(text))


def _code(sent: Letter) -> str:
    with pytest.raises(LetterRefused) as refused:
        opened(sent, KEY)
    return refused.value.code


def test_what_the_key_signed_is_opened() -> None:
    assert opened(_letter(letter(b"anything")), KEY) == b"anything"


def test_the_signature_of_rfc_8037_fits_its_key_and_a_changed_text_does_not() -> None:
    key = PublicKey(bytes.fromhex(RFC_8037_KEY))
    signed = f"{RFC_8037['protected']}.{RFC_8037['payload']}".encode()
    signature = urlsafe_b64decode(RFC_8037["signature"] + "==")
    assert key.fits(signed, signature)
    assert not key.fits(signed + b"x", signature)
    assert not key.fits(signed, signature[:-1])


@given(at=st.integers(0, 40), bit=st.integers(0, 5))
def test_a_change_of_any_character_is_seen(at: int, bit: int) -> None:
    whole = _letter(letter(b"a short order"))
    for name in ("protected", "payload", "signature"):
        text = str(getattr(whole, name))
        place = at % (len(text) - 1)  # the last one has bits that mean nothing
        table = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        other = table[table.index(text[place]) ^ 1 << bit]
        changed = text[:place] + other + text[place + 1 :]
        assert _code(replace(whole, **{name: changed})) in {"bad_letter", "bad_signature"}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "linli-cfg"},
        {"alg": "EdDSA", "typ": "linli-cfg"},
        {"alg": "HS256"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "typ": "linli-cfg", "crit": ["b64"], "b64": False},
    ],
)
def test_a_header_that_asks_for_anything_else_is_refused(header: dict[str, object]) -> None:
    assert _code(_letter(letter(b"x", header=header))) == "bad_letter"


def test_a_letter_without_a_signature_or_with_padding_is_refused() -> None:
    whole = _letter(letter(b"x"))
    assert _code(replace(whole, signature="")) == "bad_signature"
    assert _code(replace(whole, signature=whole.signature + "==")) == "bad_letter"
    assert _code(replace(whole, protected=b64(b"[" * 5000))) == "bad_letter"
    assert _code(replace(whole, protected="名")) == "bad_letter"


def test_a_short_shared_key_is_none() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        SharedKey(SECRET[:31])


def test_a_fresh_order_for_this_gateway_passes() -> None:
    check_fresh(ORDER, MOMENT)
    check_fresh(ORDER, replace(MOMENT, tq=TimeQuality.HOLDOVER))


@pytest.mark.parametrize(
    ("order", "moment", "code"),
    [
        (replace(ORDER, gateway="gw-04"), MOMENT, "wrong_gateway"),
        (replace(ORDER, site="nb"), MOMENT, "wrong_gateway"),
        (ORDER, replace(MOMENT, tq=TimeQuality.UNSYNC), "unsync"),
        (replace(ORDER, expires_ms=NOW_MS), MOMENT, "expired"),
        (replace(ORDER, expires_ms=NOW_MS + FURTHEST_MS + 1), MOMENT, "bad_expiry"),
        (ORDER, replace(MOMENT, last_number=7), "replayed"),
        (ORDER, replace(MOMENT, last_number=8), "replayed"),
    ],
)
def test_what_is_for_another_old_or_cannot_be_dated_is_refused(
    order: Order, moment: Moment, code: str
) -> None:
    with pytest.raises(LetterRefused) as refused:
        check_fresh(order, moment)
    assert refused.value.code == code
