"""Where a point is in a DL/T 645 meter, and what is peculiar to a meter: what profiles write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from drivers.dlt645.items import Form, item_of

RELAY, CLOCK, FREEZE = "relay", "clock", "freeze"
"""Points that are no data id: the load relay (function 1C), the broadcast of the time (08), and the
freeze of registers (16)."""
COMMANDS = frozenset({RELAY, CLOCK, FREEZE})
_DI = re.compile("[0-9A-F]{4}|[0-9A-F]{8}")
_MOST_SIZE = 196


@dataclass(frozen=True, slots=True)
class Dlt645Address:
    """One value: the data id, and how its bytes are read where the table does not know the id."""

    di: str = field(
        metadata={
            "description": "Data id in hex, high byte first, as manuals print it: 02010100 (2007), "
            "B611 (1997); `relay` for the load relay, `clock` for setting the time by broadcast, "
            "`freeze` for freezing the meter's registers."
        }
    )
    size: int = field(
        default=4,
        metadata={
            "description": "Bytes of the value. Default: that of the data id.",
            "ge": 1,
            "le": _MOST_SIZE,
        },
    )
    decimals: int = field(
        default=0,
        metadata={
            "description": "Decimal places. Default: those of the data id.",
            "ge": 0,
            "le": 8,
        },
    )
    form: Literal["bcd", "bits", "digits", "date", "time", "minute"] = field(
        default="bcd",
        metadata={
            "description": "bcd, bits (a status word), digits (a number that is a name), date, "
            "time, minute (date and time to the minute). Default: that of the data id."
        },
    )
    signed: bool = field(
        default=False,
        metadata={"description": "The top bit is a sign. Default: as for the data id."},
    )
    at: int = field(
        default=0,
        metadata={
            "description": "Place of the value's first byte behind the data id, for items of "
            "several values. Default 0.",
            "ge": 0,
            "le": _MOST_SIZE,
        },
    )
    sent: int = field(
        default=0,
        metadata={
            "description": "Bytes that the meter sends behind the data id where they are more than "
            "the value; an answer of another length gives no value. Default: as many.",
            "ge": 0,
            "le": _MOST_SIZE,
        },
    )
    bit: int = field(
        default=-1,
        metadata={
            "description": "One bit of a status word, 0 is the lowest. Default: the whole word.",
            "ge": -1,
            "le": 63,
        },
    )

    def __post_init__(self) -> None:
        """Check what fits together.

        Raises:
            ValueError: with what to write.
        """
        if self.di in COMMANDS:
            return
        if not _DI.fullmatch(self.di):
            raise ValueError(
                f"{self.di!r} is no data id: write 8 hex digits (2007) or 4 (1997), high byte first"
            )
        if self.bit >= 0 and (self.form != "bits" or self.bit >= 8 * self.size):
            raise ValueError(f"bit {self.bit} needs `form: bits` and so many bits in `size`")

    @property
    def raw_top(self) -> int | None:
        """Where the digits begin again at 0: XXXXXX.XX at 1000000; None where they never do."""
        if self.form != "bcd" or self.signed or self.bit >= 0:
            return None
        return 10 ** max(2 * self.size - self.decimals, 0)

    @property
    def how(self) -> Layout:
        """How its bytes are read."""
        return Layout(self.size, self.decimals, Form(self.form), self.signed)


@dataclass(frozen=True, slots=True)
class Layout:
    """A format; see `values.Format`."""

    size: int
    decimals: int
    form: Form
    is_signed: bool


@dataclass(frozen=True, slots=True)
class Dlt645Quirks:
    """What is peculiar to a meter."""

    preamble: int = field(
        default=4,
        metadata={
            "description": "FE bytes before a request, that wake the receiver. Default 4.",
            "ge": 0,
            "le": 8,
        },
    )
    blocks: bool = field(
        default=True,
        metadata={
            "description": "Read block ids (0201FF00) where several of their values are wanted; "
            "a meter that refuses is asked singly. Default true."
        },
    )
    password: str = field(
        default="00000000",
        repr=False,
        metadata={
            "description": "Level and password for writing, 8 hex digits as sent (PA P0 P1 P2). "
            "Default 00000000."
        },
    )
    operator: str = field(
        default="00000000",
        repr=False,
        metadata={"description": "Operator code for writing, 8 hex digits. Default 00000000."},
    )
    relay: bool = field(
        default=False,
        metadata={"description": "The load relay may be switched. Default false."},
    )

    def __post_init__(self) -> None:
        """Check the hex digits.

        Raises:
            ValueError: with what to write.
        """
        for name, text in (("password", self.password), ("operator", self.operator)):
            if not re.fullmatch("[0-9A-Fa-f]{8}", text):
                raise ValueError(f'{name} needs 8 hex digits, quoted: "02000000"')


def complete_address(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys with all that the data id says by itself."""
    di = keys.get("di")
    if isinstance(di, int) and not isinstance(di, bool):
        # 02010100 without quotes is a number to YAML; its zeros are known.
        di = f"{di:08d}" if di > 9999 else f"{di:04d}"  # noqa: PLR2004 - four digits
    if not isinstance(di, str):
        return keys
    di = di if di in COMMANDS else di.upper()
    item = item_of(di)
    usual: dict[str, Any] = {}
    if item is not None:
        usual = {
            "size": item.size,
            "decimals": item.decimals,
            "form": item.form.value,
            "signed": item.is_signed,
            "sent": item.sent,
        }
    return {**usual, **keys, "di": di}
