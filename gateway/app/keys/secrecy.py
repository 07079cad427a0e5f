"""The gateway's own key for pseudonyms, and the keys of devices."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

from gateway.app.keys.key_file import write_key
from gateway.bus.session_around import Secrets
from gateway.privacy.pseudonym import KEY_BYTES, pseudonym
from gateway.settings.problems import SettingsError
from gateway.settings.secrets import read_secret
from gateway.settings.site import Device
from gateway.settings.site_privacy import Privacy

FILE = "pseudonym.key"

SiteKey: TypeAlias = Callable[[Privacy], bytes]
"""What the site says of hashes -> the key of all that leave."""

_log = logging.getLogger("linli")


def session_secrets(state: Path) -> Secrets:
    """Return what lines need to keep secrets; the key is made in the state folder when it is new.

    Raises:
        OSError: the state folder cannot be read or written.
    """
    return Secrets(key_of=device_key, hide=partial(pseudonym, own_key(state)))


def own_key(state: Path) -> bytes:
    """Return the gateway's key for pseudonyms; it never leaves the machine.

    One that is damaged is made anew, and logged: pseudonyms change then.
    """
    path = state / FILE
    if path.exists():
        if len(key := path.read_bytes()) == KEY_BYTES:
            return key
        _log.error("%s is damaged and made anew: pseudonyms and hashes change", path)
    key = secrets.token_bytes(KEY_BYTES)
    write_key(path, key)
    return key


def site_key(state: Path, privacy: Privacy) -> bytes:
    """Return the key of hashes and pseudonyms that leave: the site's own, else the gateway's.

    One that cannot be read is logged, and a random one stands for it until the next start: hashes
    change then, and nothing leaves in the clear. The gateway's own is not used as it is: who has a
    pseudonym that was made before the store has none of these.
    """
    if privacy.key is not None:
        try:
            key = bytes.fromhex(read_secret(privacy.key))
        except SettingsError as exc:
            _log.error("key of privacy: %s", exc)
        except ValueError:
            _log.error("key of privacy is no hex number: write it as 64 digits")
        else:
            if len(key) >= KEY_BYTES:
                return key
            _log.error("key of privacy is too short: write it as 64 hex digits")
        return _stand_in(state)
    return _derived(own_key(state))


@cache
def _stand_in(state: Path) -> bytes:
    """Return a random key, the same until the process ends: sinks and reloads hash alike."""
    del state  # of one gateway, where several run in one process
    return secrets.token_bytes(KEY_BYTES)


def known_site_key(state: Path, privacy: Privacy) -> bytes | None:
    """Return the same key for a tool beside the gateway; None where it may not or cannot read it.

    Nothing is made or logged: without a key places of homes are left out.
    """
    try:
        if privacy.key is not None:
            key = bytes.fromhex(read_secret(privacy.key))
            return key if len(key) >= KEY_BYTES else None
        key = (state / FILE).read_bytes()
    except (SettingsError, ValueError, OSError):
        return None
    return _derived(key) if len(key) == KEY_BYTES else None


def _derived(key: bytes) -> bytes:
    """Return the key of what leaves, made of the gateway's own."""
    return hmac.digest(key, b"what leaves the site", "sha256")


def device_key(device: Device) -> bytes | None:
    """Return the device's key; None where it has none.

    One that cannot be read is b"" and logged: an empty key fits nothing, so that nothing is taken
    in the clear in its place.
    """
    if device.key is None:
        return None
    try:
        return bytes.fromhex(read_secret(device.key))
    except SettingsError as exc:
        _log.error("key of %s: %s", device.id, exc)
    except ValueError:
        _log.error("key of %s is no hex number: write it as 32 digits", device.id)
    return b""
