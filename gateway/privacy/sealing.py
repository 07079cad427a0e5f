"""Payloads under the national algorithms: SM4 (GB/T 32907) hides them, SM2 signs them.

A sealed payload is a JSON object of texts:

    v, k    "1.0", "sealed"
    enc     sm4-gcm or sm4-cbc; left out where `data` is not hidden
    kid     the first 8 hex digits of the SM3 of the key, so that a changed key shows
    iv      12 bytes (gcm) or 16 (cbc), base64
    data    the payload, or what hides it, base64; gcm: the tag of 16 bytes at its end
    sig     r and s of SM2 with SM3, 32 bytes each, base64; left out where nothing is signed
    signer  the signer's name as it went into the signature

The topic belongs to what is signed, and to what gcm authenticates, so that nobody passes a payload
off under another topic: both take the topic, a zero byte, and (when signing) the plain payload.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import new as new_hash
from typing import Any, Literal, cast

from gateway.privacy import sm2

VERSION = "1.0"
KIND = "sealed"
KEY_BYTES = 16
GCM_IV_BYTES = 12
TAG_BYTES = 16
BLOCK_BYTES = 16


class NotSealed(Exception):
    """A payload that is not what the key and the topic ask for."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """A cipher and its key of 16 bytes."""

    name: Literal["sm4-gcm", "sm4-cbc"]
    key: bytes

    @property
    def key_id(self) -> str:
        """Return which key it is, without saying anything of it."""
        return new_hash("sm3", self.key).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Signer:
    """A private SM2 key, and the name that goes into the signature."""

    private: int
    name: str


@dataclass(frozen=True, slots=True)
class Randomness:
    """Where numbers that nobody can guess come from."""

    octets: Callable[[int], bytes]
    below: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Seal:
    """What is done to payloads: a cipher, a signature, or both."""

    cipher: Cipher | None
    signer: Signer | None
    random: Randomness


def sealed(topic: str, payload: bytes, seal: Seal) -> bytes:
    """Return the sealed payload; an empty one stays empty, as it clears a retained topic."""
    cipher, signer = seal.cipher, seal.signer
    if not payload:
        return payload
    fields: dict[str, str] = {"v": VERSION, "k": KIND}
    hidden = payload
    if cipher is not None:
        size = GCM_IV_BYTES if cipher.name == "sm4-gcm" else BLOCK_BYTES
        iv = seal.random.octets(size)
        hidden = _hidden(cipher, iv, payload, _bound(topic))
        fields |= {"enc": cipher.name, "kid": cipher.key_id, "iv": _text(iv)}
    fields["data"] = _text(hidden)
    if signer is not None:
        told = _bound(topic) + payload
        signature = sm2.sign(told, signer.private, signer.name.encode(), seal.random.below)
        fields |= {"sig": _text(signature.encoded()), "signer": signer.name}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def opened(topic: str, payload: bytes, cipher: Cipher | None) -> bytes:
    """Return the payload that was sealed for a topic; signatures are not looked at.

    Raises:
        NotSealed: it is no sealed payload, or another key, topic or hand made it.
    """
    fields = _fields(payload)
    hidden = _octets(fields, "data")
    if cipher is None:
        return hidden
    if fields.get("enc") != cipher.name:
        raise NotSealed(f"not sealed with {cipher.name}")
    return _shown(cipher, _octets(fields, "iv"), hidden, _bound(topic))


def is_signed(topic: str, payload: bytes, opened_payload: bytes, public: sm2.Point) -> bool:
    """Whether the owner of a public key signed a sealed payload for a topic.

    Raises:
        NotSealed: it is no sealed payload.
    """
    fields = _fields(payload)
    if "sig" not in fields:
        return False
    octets = _octets(fields, "sig")
    if len(octets) != 2 * sm2.SIZE:
        return False
    r, s = (int.from_bytes(octets[i : i + sm2.SIZE], "big") for i in (0, sm2.SIZE))
    name = str(fields.get("signer", "")).encode()
    told = _bound(topic) + opened_payload
    return sm2.is_genuine(sm2.Signature(r, s), told, public, name)


def _hidden(cipher: Cipher, iv: bytes, payload: bytes, bound: bytes) -> bytes:
    """Return the cipher text; the library is loaded only where a sink asks for it."""
    from cryptography.hazmat.primitives.ciphers import Cipher as Machine  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM  # noqa: PLC0415 - an extra

    if cipher.name == "sm4-gcm":
        gcm = Machine(SM4(cipher.key), GCM(iv)).encryptor()
        gcm.authenticate_additional_data(bound)
        hidden = gcm.update(payload) + gcm.finalize()
        return hidden + gcm.tag
    missing = BLOCK_BYTES - len(payload) % BLOCK_BYTES
    cbc = Machine(SM4(cipher.key), CBC(iv)).encryptor()
    return cbc.update(payload + bytes([missing]) * missing) + cbc.finalize()


def _shown(cipher: Cipher, iv: bytes, hidden: bytes, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers import Cipher as Machine  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM  # noqa: PLC0415 - an extra

    if cipher.name == "sm4-gcm":
        if len(iv) != GCM_IV_BYTES or len(hidden) < TAG_BYTES:
            raise NotSealed("cut short")
        gcm = Machine(SM4(cipher.key), GCM(iv, hidden[-TAG_BYTES:])).decryptor()
        gcm.authenticate_additional_data(bound)
        try:
            return gcm.update(hidden[:-TAG_BYTES]) + gcm.finalize()
        except InvalidTag:
            raise NotSealed("another key, topic or hand made it") from None
    if len(iv) != BLOCK_BYTES or not hidden or len(hidden) % BLOCK_BYTES:
        raise NotSealed("cut short")
    cbc = Machine(SM4(cipher.key), CBC(iv)).decryptor()
    padded = cbc.update(hidden) + cbc.finalize()
    count = padded[-1]
    if not 1 <= count <= BLOCK_BYTES or padded[-count:] != bytes([count]) * count:
        raise NotSealed("another key made it")
    return padded[:-count]


def _bound(topic: str) -> bytes:
    return topic.encode() + b"\0"


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotSealed("no sealed payload") from None
    if not isinstance(found, dict):
        raise NotSealed("no sealed payload")
    fields = cast("dict[str, Any]", found)
    if fields.get("k") != KIND or fields.get("v") != VERSION:
        raise NotSealed("no sealed payload")
    return fields


def _octets(fields: dict[str, Any], name: str) -> bytes:
    text = fields.get(name)
    if not isinstance(text, str):
        raise NotSealed(f"{name} is missing")
    try:
        return b64decode(text, validate=True)
    except (BadBase64, ValueError):
        raise NotSealed(f"{name} is no base64") from None
