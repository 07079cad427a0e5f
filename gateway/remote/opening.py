"""Opening a letter: the signature first, then who it is for, then whether it is fresh."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any, cast

from gateway.model.clock import TimeQuality
from gateway.model.letter import Letter
from gateway.remote.keys import Key
from gateway.remote.order import Order

TYPE = "linli-cfg"
"""`typ` of the header: what was signed for something else with the same key is no letter."""
FURTHEST_MS = 24 * 3_600_000
"""`exp` lies so far ahead at most: so long must a lost count of letters be bridged."""


class LetterRefused(Exception):
    """The letter is not obeyed; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Moment:
    """What a letter is held against: who we are, the time, and the number of the last letter."""

    gateway: str
    site: str
    now_ms: int
    tq: TimeQuality
    last_number: int


def opened(letter: Letter, key: Key) -> bytes:
    """Return what was signed.

    Raises:
        LetterRefused: `bad_letter` or `bad_signature`; nothing of it can be believed.
    """
    header = _header(decoded(letter.protected))
    if header != {"alg": key.algorithm, "typ": TYPE}:
        text = f'the protected header must be {{"alg":"{key.algorithm}","typ":"{TYPE}"}}'
        raise LetterRefused("bad_letter", text)
    signed = f"{letter.protected}.{letter.payload}".encode("ascii", "replace")
    if not key.fits(signed, decoded(letter.signature)):
        raise LetterRefused("bad_signature", "the signature is not that of this letter")
    return decoded(letter.payload)


def check_fresh(order: Order, moment: Moment) -> None:
    """Return when the order is for us, and newer than all before.

    Raises:
        LetterRefused: it is for another gateway, old, or cannot be dated.
    """
    if (order.gateway, order.site) != (moment.gateway, moment.site):
        raise LetterRefused("wrong_gateway", "the letter is for another gateway")
    if moment.tq is TimeQuality.UNSYNC:
        raise LetterRefused("unsync", "the clock of the gateway is not synchronised")
    if order.expires_ms <= moment.now_ms:
        raise LetterRefused("expired", "`exp` has passed")
    if order.expires_ms > moment.now_ms + FURTHEST_MS:
        raise LetterRefused("bad_expiry", "`exp` lies more than a day ahead")
    if order.number <= moment.last_number:
        text = f"`n` must be greater than {moment.last_number}, that of the last letter"
        raise LetterRefused("replayed", text)


def _header(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise LetterRefused("bad_letter", "the protected header is no JSON") from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def decoded(text: str) -> bytes:
    """Return the bytes of unpadded base64url (RFC 7515, 2), read one way only."""
    try:
        raw = text.encode("ascii")
        if raw.strip(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):
            raise LetterRefused("bad_letter", "base64url without padding is wanted")
        return urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise LetterRefused("bad_letter", "base64url without padding is wanted") from error
