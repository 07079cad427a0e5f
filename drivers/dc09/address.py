"""Which events a point is about, and what is peculiar to a panel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as key
from enum import StrEnum

_DAY_S = 86400


class Field(StrEnum):
    """What of an event a point is."""

    ACTIVE = "active"
    LAST_EVENT = "last_event"
    EVENT_CODE = "event_code"
    QUALIFIER = "qualifier"
    PARTITION = "partition"
    ZONE = "zone"
    USER = "user"
    TEXT = "text"
    TIME = "time"


class TimeCheck(StrEnum):
    """Which messages must carry a time near ours."""

    ENCRYPTED = "encrypted"
    ALL = "all"
    OFF = "off"


class LengthCheck(StrEnum):
    """Which length fields are taken."""

    STRICT = "strict"
    DECIMAL = "decimal"
    ANY = "any"


class KeyForm(StrEnum):
    """How the digits of a key make its bytes."""

    HEX = "hex"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Dc09Address:
    """Address keys of a point in a profile of an alarm panel."""

    field: Field = key(
        default=Field.ACTIVE,
        metadata={
            "description": "active: true when it happens or stands, false when it is restored; "
            "last_event (one line), event_code, qualifier, partition, zone, user, text, time"
        },
    )
    event: str | None = key(
        default=None,
        metadata={"description": "Contact ID event of three digits, x for any: 130, 13x"},
    )
    code: str | None = key(
        default=None,
        metadata={"description": "SIA code of two letters, x for any: BA, xA"},
    )
    restore: str | None = key(
        default=None,
        metadata={
            "description": "SIA codes that restore it, such as BR BH. Default: by the usual pairs"
        },
    )
    zone: int | None = key(
        default=None,
        metadata={"description": "Only this zone", "ge": 0, "le": 999_999},
    )
    partition: int | None = key(
        default=None, metadata={"description": "Only this partition", "ge": 0, "le": 999_999}
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not.
        """
        if self.event is not None and not re.fullmatch(r"[0-9A-Fx]{3}", self.event):
            raise ValueError(f"event {self.event!r} is not three digits such as 130 or 13x")
        if self.code is not None and not re.fullmatch(r"[A-Zx]{2}", self.code):
            raise ValueError(f"code {self.code!r} is not two letters such as BA or xA")
        if self.restore is not None and not re.fullmatch(r"[A-Z]{2}(?: [A-Z]{2})*", self.restore):
            raise ValueError(f"restore {self.restore!r} is not codes such as BR BH")
        if self.restore is not None and self.code is None:
            raise ValueError("restore needs code")
        if self.field is Field.ACTIVE and self.event is None and self.code is None:
            raise ValueError("active needs event, code, or both")


@dataclass(frozen=True, slots=True)
class Dc09Quirks:
    """What is peculiar to a panel."""

    supervise_s: int = key(
        default=0,
        metadata={
            "description": "Seconds without a good message after which it counts as silent; 0 for "
            "never",
            "ge": 0,
            "le": 31 * _DAY_S,
        },
    )
    time_check: TimeCheck = key(
        default=TimeCheck.ENCRYPTED,
        metadata={"description": "Which messages must carry a time near ours: encrypted, all, off"},
    )
    time_past_s: int = key(
        default=40,
        metadata={"description": "Seconds that its time may be behind", "ge": 1, "le": _DAY_S},
    )
    time_future_s: int = key(
        default=20,
        metadata={"description": "Seconds that its time may be ahead", "ge": 1, "le": _DAY_S},
    )
    key_form: KeyForm = key(
        default=KeyForm.HEX,
        metadata={
            "description": "hex: the key's digits are its bytes; text: the panel takes the digits "
            "themselves, upper case, as characters of the key"
        },
    )
    length: LengthCheck = key(
        default=LengthCheck.DECIMAL,
        metadata={
            "description": "strict: hexadecimal as in the standard; decimal: also decimal; any: "
            "the CRC alone decides"
        },
    )

    def aes_key(self, key: bytes | None) -> bytes | None:
        """Return the bytes of AES that the key of the site file means."""
        if key is None or self.key_form is KeyForm.HEX:
            return key
        return key.hex().upper().encode()
