"""A loaded site, what may leave: lines of allow lists, transforms, and how payloads are sealed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from gateway.settings.secret_name import Secret

EVERYTHING = "*"
"""A pattern that names nothing: it never lets a personal point out."""
_PERSONAL = frozenset({"P2", "P3"})
_ONE_OF = re.compile(r"\[!?\]?[^]]*\]")
"""One of some characters, such as [a-z]: it names nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Some points of some devices: patterns over device ids, kinds and point ids."""

    points: tuple[str, ...]
    device: str = EVERYTHING
    kind: str = EVERYTHING

    def names(self, device: str, kind: str, point: str, *, is_personal: bool = False) -> bool:
        """Whether a point is one of them; a personal one by a pattern that is a name."""
        if not (fnmatchcase(device, self.device) and fnmatchcase(kind, self.kind)):
            return False
        return any(
            fnmatchcase(point, pattern)
            for pattern in self.points
            if not is_personal or is_name(pattern)
        )


@dataclass(frozen=True, slots=True)
class Transform:
    """What is done to values of some points before they leave through one sink."""

    of: Choice
    by: Literal["drop", "hash", "mask"]
    level: Literal["L1", "L2", "L3", "L4"] | None = None
    """The level that the changed value has; None: the point's own."""
    first: int = 2
    last: int = 2
    """Characters that a mask leaves to be seen."""


@dataclass(frozen=True, slots=True)
class Payload:
    """How the payloads of a sink are sealed; nothing by default."""

    cipher: Literal["sm4-gcm", "sm4-cbc"] | None = None
    key: Secret | None = None
    """The key of the cipher: 32 hex digits."""
    sign_key: Secret | None = None
    """Our private SM2 key: 64 hex digits; None: nothing is signed."""
    signer: str = "1234567812345678"
    """Our name in the signature (GB/T 32918.2, ID of the user); the usual default of GM/T 0009."""

    @property
    def is_sealed(self) -> bool:
        """Whether anything is done to payloads."""
        return self.cipher is not None or self.sign_key is not None


UNSEALED = Payload()
"""Payloads leave as they are."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What holds for all sinks of the site."""

    algorithm: Literal["hmac-sha256", "hmac-sm3"] = "hmac-sha256"
    rotate_days: int = 30
    """After so many days equal values get other hashes."""
    key: Secret | None = None
    """A key that several gateways share; None: the gateway's own."""
    places: Literal["pseudonym", "drop"] = "pseudonym"
    """What becomes of parts of a place that name one home, on sinks below L3."""


USUAL_PRIVACY = Privacy()


def is_name(pattern: str) -> bool:
    """Whether a pattern names something: it has a letter or digit that must be there."""
    return any(letter.isalnum() for letter in _ONE_OF.sub("", pattern))


def is_personal(personal: str) -> bool:
    """Whether a class of points leaves only by name: P2 and P3."""
    return personal in _PERSONAL
