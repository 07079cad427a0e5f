"""What stands in the brackets: data, extended data, time; and its encryption.

Encrypted content is AES in CBC with a first vector of zeros, written in hexadecimal; filling
stands before the data, up to `|`, or before `]` where there are no data (reference page A7 and the
sender of pysiaalarm; the standard itself was not at hand).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drivers.contract import DriverError

BLOCK = 16
KEY_BYTES = (16, 24, 32)
_TIME = re.compile(r"_(\d{2}):(\d{2}):(\d{2}),(\d{2})-(\d{2})-(\d{4})")
_EXTENDED = re.compile(r"\[([^\[\]]*)\]")
_FILLING = "0123456789ABCDEFGHJKLMNPQRSTUVWX"


@dataclass(frozen=True, slots=True)
class Content:
    """Data without its account, the letters and texts of extended data, and the time, UTC.

    `account` is the one that stood before the data, upper case; "" where none did.
    """

    data: str
    extended: tuple[str, ...] = ()
    time: datetime | None = None
    account: str = ""


def read_content(octets: bytes, *, is_filled: bool = False) -> Content:
    """Return the content of a message in plain text; `is_filled` where filling stands before it.

    Raises:
        ValueError: no bracket closes it, or what follows is neither extended data nor a time.
    """
    # Extended data may be Windows-1252 (5.5.1.8 as quoted in schmupu/ioBroker.sia issue 63).
    text = octets.decode("cp1252", "replace")
    data, bracket, rest = text.partition("]")
    if not bracket:
        raise ValueError("no bracket closes the data")
    if is_filled:
        _, bar, behind = data.partition("|")
        data = behind if bar else ""
    account = ""
    if data.startswith("#") and "|" in data:
        account, _, data = data.removeprefix("#").partition("|")
    extended: list[str] = []
    while match := _EXTENDED.match(rest):
        extended.append(match[1])
        rest = rest[match.end() :]
    time = _time(rest) if rest else None
    return Content(data.removeprefix("|"), tuple(extended), time, account.upper())


def write_time(utc_ms: int) -> str:
    """Return a time as messages carry it, `_13:36:04,12-22-2021`, UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=max(utc_ms, 0))
    return at.strftime("_%H:%M:%S,%m-%d-%Y")


def decrypt(digits: bytes, key: bytes) -> bytes:
    """Return the plain text of hexadecimal digits.

    Raises:
        ValueError: the digits are no whole blocks.
        DriverError: the key is none of AES, or the library is missing.
    """
    if not re.fullmatch(rb"(?:[0-9A-Fa-f]{32})+", digits):
        raise ValueError("encrypted content is not whole blocks of 16 bytes in hexadecimal")
    return _crypt(bytes.fromhex(digits.decode()), key, is_encrypting=False)


def encrypt(text: str, key: bytes, seed: str) -> bytes:
    """Return the digits of a text, filled in front up to whole blocks.

    The filling follows from key and `seed` (what differs from message to message), because a
    driver has no chance; nobody without the key can foretell it.

    Raises:
        DriverError: the key is none of AES, or the library is missing.
    """
    count = BLOCK - len(text) % BLOCK
    digest = hashlib.sha256(key + seed.encode()).digest()
    filling = "".join(_FILLING[octet % len(_FILLING)] for octet in digest[:count])
    octets = (filling + text).encode("cp1252", "replace")
    return _crypt(octets, key, is_encrypting=True).hex().upper().encode()


def _crypt(octets: bytes, key: bytes, *, is_encrypting: bool) -> bytes:
    if len(key) not in KEY_BYTES:
        raise DriverError(
            f"an AES key has 16, 24 or 32 bytes, this one {len(key)}; is its key_form text?"
        )
    try:
        # An extra: only who encrypts needs it.
        from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415
            Cipher,
            algorithms,
            modes,
        )
    except ImportError:
        raise DriverError("encryption needs the Python package cryptography") from None
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK)))
    work = cipher.encryptor() if is_encrypting else cipher.decryptor()
    return work.update(octets) + work.finalize()


def _time(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("what follows the brackets is no time such as _13:36:04,12-22-2021")
    hour, minute, second, month, day, year = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text} is no time that exists") from None
