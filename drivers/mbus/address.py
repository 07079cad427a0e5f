"""Which record a point is, and what is peculiar to a meter: what profiles write."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from drivers.mbus.vif import QUANTITIES

HEADER_QUANTITIES = frozenset({"status", "access_no", "id", "medium"})
"""What the header of a telegram says, beside the records."""
_HEX = re.compile(r"(?:[0-9A-F]{2} ?){2,40}")
_MOST_TELEGRAMS = 64
_STORAGES = 1 << 41
_TARIFFS = 1 << 20
_SUBUNITS = 1 << 10


@dataclass(frozen=True, slots=True)
class MbusAddress:
    """Address keys of a point in an M-Bus profile."""

    quantity: str | None = field(
        default=None,
        metadata={
            "description": "What the record means: volume, energy, power, flow_temperature and the "
            "other names that `linli decode` shows; or status, access_no, id, medium of the header"
        },
    )
    dif_vif: str | None = field(
        default=None,
        metadata={
            "description": "Header bytes of the record exactly as they come, such as 0C 13; in the "
            "place of quantity, storage, tariff, subunit, function and qualifier"
        },
    )
    unit: Literal["kW.h", "J"] | None = field(
        default=None,
        metadata={
            "description": "Unit of the raw value of an energy, whichever the meter sends; kW.h "
            "without it. Other quantities have one unit"
        },
    )
    function: Literal["instant", "maximum", "minimum", "error"] = field(
        default="instant",
        metadata={"description": "Value of now, maximum, minimum, or value during an error"},
    )
    storage: int = field(
        default=0,
        metadata={"description": "Storage number, 0 for now", "ge": 0, "lt": _STORAGES},
    )
    tariff: int = field(
        default=0, metadata={"description": "Tariff, 0 for the total", "ge": 0, "lt": _TARIFFS}
    )
    subunit: int = field(
        default=0,
        metadata={"description": "Part of the meter, 0 the main one", "ge": 0, "lt": _SUBUNITS},
    )
    qualifier: str | None = field(
        default=None,
        metadata={
            "description": "What extensions make of the quantity, such as backward, per_h or "
            "manufacturer; without it only the plain quantity is meant"
        },
    )
    nth: int = field(
        default=1,
        metadata={
            "description": "Which one, where several records fit; 1 the first",
            "ge": 1,
            "le": 255,
        },
    )
    bit: int | None = field(
        default=None,
        metadata={"description": "One bit of the value, 0 the lowest", "ge": 0, "lt": 64},
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not, and what to write.
        """
        if (self.quantity is None) == (self.dif_vif is None):
            raise ValueError("a point needs quantity or dif_vif, and not both")
        if self.dif_vif is not None:
            self._check_header(self.dif_vif)
        elif self.quantity not in QUANTITIES | HEADER_QUANTITIES:
            raise ValueError(
                f"quantity {self.quantity!r} is unknown; `linli decode` shows the names"
            )
        if self.unit is not None and self.quantity != "energy":
            raise ValueError("unit is for quantity energy; other quantities have one unit")

    def _check_header(self, text: str) -> None:
        if not _HEX.fullmatch(text.upper()):
            raise ValueError(f"dif_vif {text!r} is not two or more hexadecimal bytes")
        chosen = (self.function, self.storage, self.tariff, self.subunit, self.qualifier)
        if chosen != ("instant", 0, 0, 0, None):
            raise ValueError("dif_vif says all: leave function, storage, tariff, subunit away")

    @property
    def header(self) -> bytes | None:
        """The header bytes of `dif_vif`."""
        return None if self.dif_vif is None else bytes.fromhex(self.dif_vif)


@dataclass(frozen=True, slots=True)
class MbusQuirks:
    """What an M-Bus meter wants that others do not."""

    initialise: Literal["start", "always", "never"] = field(
        default="start",
        metadata={
            "description": "When SND_NKE is sent to a primary address before the readout: at the "
            "start and after failures, before every readout, or never"
        },
    )
    application_reset: bool = field(
        default=False,
        metadata={"description": "Send an application reset (CI 50) before every readout"},
    )
    max_telegrams: int = field(
        default=16,
        metadata={
            "description": "Telegrams that one readout takes at most",
            "ge": 1,
            "le": _MOST_TELEGRAMS,
        },
    )
