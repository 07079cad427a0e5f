"""The key of the store: AES-256-GCM over what is personal, with keys from a credential or a file.

A key that we make ourselves lies beside the store, readable by nobody else. It protects a copy of
the store: a backup, a support bundle, a database set aside and sent away. It does not protect a
card that is lost as a whole; for that the key must come from outside (`store: {key: …}`), such as a
credential that systemd seals to the machine's TPM.

`cryptography` is an extra and is imported only where a key is in use.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.app.keys.key_file import write_key
from gateway.outbox.seal import KEY_ID_BYTES, Seal
from gateway.privacy.retention import first_sealed
from gateway.settings.problems import SettingsError, make_problem
from gateway.settings.secrets import read_secret
from gateway.settings.site import Site
from gateway.settings.where import Where

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE = "outbox.key"
KEY_BYTES = 32
NONCE_BYTES = 12
MODULE = "cryptography"

_log = logging.getLogger("linli")


class AesSeal:
    """Seals with the first of its keys, opens with all of them (NIST SP 800-38D, 96-bit nonces)."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take keys of 32 bytes, at least one, the newest first."""
        from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415 - an extra

        self._key_id = key_id_of(keys[0])
        self._ciphers: dict[bytes, AESGCM] = {key_id_of(key): aead.AESGCM(key) for key in keys}

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key in use."""
        return self._key_id

    def has(self, key_id: bytes) -> bool:
        """Whether it can open what that key sealed."""
        return key_id in self._ciphers

    def close(self, plain: bytes, about: bytes) -> bytes:
        """Return nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._ciphers[self._key_id].encrypt(nonce, plain, about)

    def open(self, key_id: bytes, closed: bytes, about: bytes) -> bytes:
        """Return the bytes that were sealed.

        Raises:
            ValueError: they were changed, or belong to something else.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra

        nonce, rest = closed[:NONCE_BYTES], closed[NONCE_BYTES:]
        try:
            return self._ciphers[key_id].decrypt(nonce, rest, about)
        except InvalidTag as exc:
            raise ValueError("the tag is wrong") from exc


def key_id_of(key: bytes) -> bytes:
    """Return what names a key in the store and tells nothing of it."""
    return hashlib.sha256(b"linli outbox key\0" + key).digest()[:KEY_ID_BYTES]


def is_cipher_there() -> bool:
    """Whether the extra that seals is installed."""
    return find_spec(MODULE) is not None


def seal_of_site(site: Site, state: Path) -> Seal | None:
    """Return the seal of the store, None where nothing was ever sealed and nothing needs to be.

    Raises:
        SettingsError: the key that the site names cannot be read or is none, or nothing can use it.
        OSError: the state folder cannot be read or written.
    """
    if site.store.key is not None:
        if not is_cipher_there():
            raise SettingsError([make_problem("LG-STORE-03", Where("", 0, 0), "store.key")])
        named = f"{site.store.key.kind}:{site.store.key.name}"
        return AesSeal(keys_in(read_secret(site.store.key), named))
    file = state / FILE
    needs = first_sealed(site.all_devices) is not None
    if not (needs or file.exists()) or not is_cipher_there():
        return None  # where it is needed, `vet` has refused the site
    if not file.exists():
        _make(file)
    return AesSeal(keys_in(file.read_text(encoding="ascii"), str(file)))


def keys_in(text: str, name: str) -> list[bytes]:
    """Return the keys of a text: lines of 64 hex digits, the newest first.

    Raises:
        SettingsError: a line is something else, or there is none.
    """
    try:
        keys = [bytes.fromhex(line) for line in text.split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        problem = make_problem("LG-STORE-02", Where(name, 1, 1), facts={"name": name})
        raise SettingsError([problem])
    return keys


def salvage_seal(files: Iterable[Path]) -> Seal | None:
    """Return the seal made of the keys in these files; None when none of them is there.

    Raises:
        SettingsError: one holds no keys.
    """
    keys = [
        key
        for file in files
        if file.is_file()
        for key in keys_in(file.read_text(encoding="ascii", errors="replace"), str(file))
    ]
    return AesSeal(keys) if keys and is_cipher_there() else None


def _make(file: Path) -> None:
    write_key(file, f"{secrets.token_hex(KEY_BYTES)}\n".encode("ascii"))
    _log.info("key made: %s; it protects copies of the store, not a lost card", file)
