"""A platform that signs letters: JWS by the text of RFC 7515, not by the gateway's code."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

SECRET = b"0123456789abcdef0123456789abcdef-test"


def b64(octets: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def letter(
    order: Mapping[str, Any] | bytes,
    secret: bytes = SECRET,
    header: Mapping[str, Any] | None = None,
) -> str:
    """Return a letter signed with HMAC-SHA256."""
    payload = order if isinstance(order, bytes) else json.dumps(order).encode()
    protected = b64(json.dumps(header or {"alg": "HS256", "typ": "linli-cfg"}).encode())
    body = b64(payload)
    signature = hmac.new(secret, f"{protected}.{body}".encode(), hashlib.sha256).digest()
    return json.dumps({"protected": protected, "payload": body, "signature": b64(signature)})


def letter_signed_by(sign: Callable[[bytes], bytes], order: Mapping[str, Any]) -> str:
    """Return a letter signed with an Ed25519 key."""
    protected = b64(json.dumps({"alg": "EdDSA", "typ": "linli-cfg"}).encode())
    body = b64(json.dumps(order).encode())
    signature = b64(sign(f"{protected}.{body}".encode()))
    return json.dumps({"protected": protected, "payload": body, "signature": signature})


def hash_of_files(files: Mapping[str, str]) -> str:
    """Return the hash of a configuration as docs/platform/remote.md says it."""
    whole = b"".join(
        name.encode() + b"\0" + str(len(text.encode())).encode() + b"\0" + text.encode()
        for name, text in sorted(files.items())
    )
    return hashlib.sha256(whole).hexdigest()
