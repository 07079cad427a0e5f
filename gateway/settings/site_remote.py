"""A loaded site, the side of remote work: whose signed letters are obeyed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.settings.secret_name import Secret
from gateway.settings.where import Where

_PUBLIC_KEY = re.compile(r"[0-9A-Fa-f]{64}")


def is_public_key(text: str) -> bool:
    """Whether a text is an Ed25519 public key: 32 bytes in hex (RFC 8032, 5.1.5)."""
    return _PUBLIC_KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Remote:
    """Who may send a site configuration, and how far it goes."""

    where: Where
    public_key: str | None = None
    """Ed25519, 64 hex digits; None where letters are signed with `secret`."""
    secret: Secret | None = None
    may: frozenset[str] = frozenset()
    """Sections that a remote configuration may change beside those it always may."""
    watch_s: float = 60.0
    """Seconds for which a new configuration is watched."""
