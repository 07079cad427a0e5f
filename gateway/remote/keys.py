"""Keys that check the signature of a letter: Ed25519, or HMAC-SHA256."""

from __future__ import annotations

import hmac
from typing import Protocol

SHORTEST_SECRET = 32
"""Bytes; as long as the hash (RFC 7518, 3.2)."""


class Key(Protocol):
    """One key, good for one algorithm: a letter cannot choose another."""

    @property
    def algorithm(self) -> str:
        """The name of the algorithm in a JWS header."""
        ...

    def fits(self, text: bytes, signature: bytes) -> bool:
        """Return whether this is the signature of that text."""
        ...


class SharedKey:
    """HMAC-SHA256, `HS256` (RFC 7518, 3.2)."""

    algorithm = "HS256"

    def __init__(self, secret: bytes) -> None:
        """Take the key.

        Raises:
            ValueError: it is shorter than SHORTEST_SECRET.
        """
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the key has {len(secret)} bytes; at least {SHORTEST_SECRET}")
        self._secret = secret

    def fits(self, text: bytes, signature: bytes) -> bool:
        """Return whether this is the signature of that text, in constant time."""
        return hmac.compare_digest(hmac.digest(self._secret, text, "sha256"), signature)


class PublicKey:
    """Ed25519, `EdDSA` (RFC 8032, RFC 8037 3.1)."""

    algorithm = "EdDSA"

    def __init__(self, key: bytes) -> None:
        """Take the public key of 32 bytes. Needs the extra `crypto`.

        Raises:
            ValueError: it is no such key.
        """
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra

        self._key = ed25519.Ed25519PublicKey.from_public_bytes(key)

    def fits(self, text: bytes, signature: bytes) -> bool:
        """Return whether this is the signature of that text."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True
