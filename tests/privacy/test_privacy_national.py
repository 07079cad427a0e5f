"""SM3, SM4 and SM2 against the examples of their standards, and against OpenSSL."""

from __future__ import annotations

import hmac
import json
import secrets
import subprocess
from base64 import b64decode
from hashlib import new as new_hash
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.model.clock import TimeQuality
from gateway.privacy import sm2
from gateway.privacy.keyed_hash import HashKey
from gateway.privacy.sealing import (
    Cipher,
    NotSealed,
    Randomness,
    Seal,
    Signer,
    is_signed,
    opened,
    sealed,
)

NAME = b"1234567812345678"
PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
MESSAGE = b"message digest"
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
"""The signature example on the recommended curve, GB/T 32918.5-2017, annex A.2."""
SM4_BLOCK = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_HIDDEN = "681edf34d206965e86b3e94f536e4246"
"""GB/T 32907-2016, annex A.1; the key is the same as the text."""
RANDOM = Randomness(secrets.token_bytes, secrets.randbelow)
TOPIC = "fc/1/s/gw/up/prop/em-01"
PAYLOAD = '{"k":"prop","读数":1.0}'.encode()
KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_is_that_of_the_standard(text: bytes, wanted: str) -> None:
    """GB/T 32905-2016, annexes A.1 and A.2."""
    assert new_hash("sm3", text).hexdigest() == wanted


def test_hmac_sm3_is_rfc_2104_over_sm3() -> None:
    inner, outer = (bytes(k ^ pad for k in b"key".ljust(64, b"\0")) for pad in (0x36, 0x5C))
    by_hand = new_hash("sm3", outer + new_hash("sm3", inner + b"text").digest()).hexdigest()
    assert hmac.new(b"key", b"text", "sm3").hexdigest() == by_hand


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [("hmac-sm3", "20251108-91eb4645e3e8e8da"), ("hmac-sha256", "20251108-a3793a2d9944c9a2")],
)
def test_a_hash_that_leaves_is_made_so_for_ever(algorithm: Any, wanted: str) -> None:
    """Our own vector: another way to make keys would give every plate another pseudonym."""
    digest = algorithm.removeprefix("hmac-")
    period = hmac.digest(bytes(range(32)), b"outer door\0city\x0020251108", digest)
    by_hand = hmac.digest(period, "浙A12345".encode(), digest).hex()[:16]
    key = HashKey(bytes(range(32)), "city", algorithm)
    shown = key.hashed("浙A12345", 1_762_560_000_000, TimeQuality.SYNC)
    assert shown == f"20251108-{by_hand}" == wanted


def test_sm4_cbc_begins_with_the_block_of_the_standard() -> None:
    """With a zero vector the first block of CBC is the plain cipher."""
    seal = Seal(Cipher("sm4-cbc", SM4_BLOCK), None, Randomness(bytes, secrets.randbelow))
    hidden = b64decode(json.loads(sealed(TOPIC, SM4_BLOCK, seal))["data"])
    assert hidden[:16].hex() == SM4_HIDDEN


def test_sm4_a_million_times_is_that_of_the_standard() -> None:
    """GB/T 32907-2016, annex A.2: each cipher text is the next plain text."""
    from cryptography.hazmat.primitives.ciphers import Cipher as Machine  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415 - an extra

    # CBC over zeros is just that: each block is the one before, enciphered again.
    machine = Machine(SM4(SM4_BLOCK), CBC(SM4_BLOCK)).encryptor()
    assert machine.update(bytes(16 * 1_000_000))[-16:].hex() == "595298c7c6fd271f0402f804c33d3f66"


def test_sm4_gcm_is_that_of_rfc_8998() -> None:
    """RFC 8998, appendix A.1: key, nonce, associated data and text to cipher text and tag."""
    from cryptography.hazmat.primitives.ciphers import Cipher as Machine  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.modes import GCM  # noqa: PLC0415 - an extra

    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    text = b"".join(
        bytes([octet]) * 8 for octet in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA)
    )
    machine = Machine(SM4(key), GCM(bytes.fromhex("00001234567800000000ABCD"))).encryptor()
    machine.authenticate_additional_data(bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"))
    hidden = machine.update(text) + machine.finalize()
    assert hidden.hex().upper().startswith("17F399F08C67D5EE19D0DC9969C4BB7D")
    assert machine.tag.hex().upper() == "83DE3541E4C2B58177E065A9BF7B62EC"


def test_sm2_signs_as_the_standard_does() -> None:
    public = sm2.public_key(PRIVATE)
    assert public.x == 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
    assert public.y == 0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13
    signature = sm2.sign(MESSAGE, PRIVATE, NAME, lambda _n: NONCE - 1)
    assert (signature.r, signature.s) == (R, S)
    assert sm2.is_genuine(signature, MESSAGE, public, NAME)


@pytest.mark.parametrize(
    ("signature", "message", "name"),
    [
        (sm2.Signature(R, S), b"message digesT", NAME),
        (sm2.Signature(R, S), MESSAGE, b"1234567812345679"),
        (sm2.Signature(R ^ 1, S), MESSAGE, NAME),
        (sm2.Signature(R, S ^ 1), MESSAGE, NAME),
        (sm2.Signature(0, S), MESSAGE, NAME),
        (sm2.Signature(R, sm2.N), MESSAGE, NAME),
        (sm2.Signature(R, sm2.N - R), MESSAGE, NAME),
    ],
)
def test_sm2_refuses_what_was_not_signed(
    signature: sm2.Signature, message: bytes, name: bytes
) -> None:
    assert not sm2.is_genuine(signature, message, sm2.public_key(PRIVATE), name)


def test_sm2_refuses_keys_that_are_none() -> None:
    for private in (0, sm2.N - 1, sm2.N):
        with pytest.raises(ValueError, match="private key"):
            sm2.public_key(private)
    public = sm2.public_key(PRIVATE)
    off_curve = sm2.Point(public.x, public.y ^ 1)
    assert not sm2.is_genuine(sm2.Signature(R, S), MESSAGE, off_curve, NAME)


def _der(signature: sm2.Signature) -> bytes:
    """Return r and s as OpenSSL reads them: a SEQUENCE of two INTEGERs."""
    numbers = [n.to_bytes(n.bit_length() // 8 + 1, "big") for n in (signature.r, signature.s)]
    body = b"".join(b"\x02" + bytes([len(n)]) + n for n in numbers)
    return b"\x30" + bytes([len(body)]) + body


def test_openssl_accepts_our_signatures(tmp_path: Path) -> None:
    key, pem, signed, message = (tmp_path / name for name in ("key", "pub", "sig", "message"))
    message.write_bytes(PAYLOAD)
    _openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
    _openssl("pkey", "-in", key, "-pubout", "-out", pem)
    lines = _openssl("pkey", "-in", key, "-noout", "-text").splitlines()
    first = lines.index("priv:") + 1
    digits = "".join(line.strip() for line in lines[first : lines.index("pub:")]).replace(":", "")
    for text in (PAYLOAD, PAYLOAD + b"!"):
        signed.write_bytes(_der(sm2.sign(text, int(digits, 16), NAME, secrets.randbelow)))
        answer = _openssl(
            "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pubin", "-inkey", pem,
            "-in", message, "-sigfile", signed, "-pkeyopt", f"distid:{NAME.decode()}",
            fails=text != PAYLOAD,
        )  # fmt: skip
        assert ("Verified Successfully" in answer) == (text == PAYLOAD)


def _openssl(*words: object, fails: bool = False) -> str:
    command = ["openssl", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout + done.stderr


# --- payloads --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sm4-gcm", "sm4-cbc"])
def test_a_sealed_payload_opens_with_its_key_only(name: Any) -> None:
    cipher = Cipher(name, KEY)
    there = sealed(TOPIC, PAYLOAD, Seal(cipher, None, RANDOM))
    assert PAYLOAD not in there
    assert opened(TOPIC, there, cipher) == PAYLOAD
    assert sealed(TOPIC, PAYLOAD, Seal(cipher, None, RANDOM)) != there
    with pytest.raises(NotSealed):
        opened(TOPIC, sealed(TOPIC, PAYLOAD, Seal(None, None, RANDOM)), cipher)
    with pytest.raises(NotSealed):
        opened(TOPIC, PAYLOAD, cipher)


@pytest.mark.parametrize("field", ["iv", "data"])
def test_gcm_shows_every_change_and_every_other_topic(field: str) -> None:
    cipher = Cipher("sm4-gcm", KEY)
    there = sealed(TOPIC, PAYLOAD, Seal(cipher, None, RANDOM))
    with pytest.raises(NotSealed):
        opened(f"{TOPIC}2", there, cipher)
    with pytest.raises(NotSealed):
        opened(TOPIC, there, Cipher("sm4-gcm", bytes(16)))
    fields = json.loads(there)
    head = fields[field]
    for changed in ("A" if head[0] != "A" else "B") + head[1:], head[:-4], "", "?", 7:
        with pytest.raises(NotSealed):
            opened(TOPIC, json.dumps({**fields, field: changed}).encode(), cipher)


def test_a_signature_is_over_topic_and_plain_payload() -> None:
    public = sm2.public_key(PRIVATE)
    for cipher in (None, Cipher("sm4-gcm", KEY)):
        there = sealed(TOPIC, PAYLOAD, Seal(cipher, Signer(PRIVATE, "gw-03"), RANDOM))
        text = opened(TOPIC, there, cipher)
        assert text == PAYLOAD
        assert is_signed(TOPIC, there, text, public)
        assert not is_signed(f"{TOPIC}2", there, text, public)
        assert not is_signed(TOPIC, there, text + b" ", public)
        renamed = json.dumps({**json.loads(there), "signer": "gw-04"}).encode()
        assert not is_signed(TOPIC, renamed, text, public)
        unsigned = sealed(TOPIC, PAYLOAD, Seal(Cipher("sm4-gcm", KEY), None, RANDOM))
        assert not is_signed(TOPIC, unsigned, text, public)


def test_an_empty_payload_stays_empty() -> None:
    assert sealed(TOPIC, b"", Seal(Cipher("sm4-gcm", KEY), None, RANDOM)) == b""


@pytest.mark.parametrize("name", ["sm4-gcm", "sm4-cbc", None])
def test_sealed_payloads_are_what_their_schema_says(name: Any) -> None:
    file = Path(__file__).parents[2] / "config" / "schema" / "sealed.json"
    validator = Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))
    cipher = None if name is None else Cipher(name, KEY)
    for signer in (Signer(PRIVATE, "gw-03"), None):
        made = json.loads(sealed(TOPIC, PAYLOAD, Seal(cipher, signer, RANDOM)))
        is_right = cipher is not None or signer is not None
        assert validator.is_valid(made) == is_right  # pyright: ignore[reportUnknownMemberType]
        wrong = {**made, "kid": "abc"}
        assert not validator.is_valid(wrong)  # pyright: ignore[reportUnknownMemberType]
