"""Which MQTT version to try: 5 first, because only there a refused message can be seen. Pure."""

from __future__ import annotations

from gateway.uplink.errors import ClosedEarly, ConnectRefused, UplinkDown
from gateway.uplink.fates import UNSUPPORTED_PROTOCOL

EARLY_CLOSES = 2
"""A broker that only hangs up may be restarting; twice in a row it may not know MQTT 5."""


class Versions:
    """What is known of the broker's versions."""

    def __init__(self, *, is_v5: bool) -> None:
        """Take the version to begin with."""
        self.is_v5 = is_v5
        self._has_refused_v5 = False
        self._early_closes = 0

    def failed(self, error: UplinkDown) -> bool:
        """Note a failed attempt; return whether 3.1.1 is worth trying at once."""
        is_refused = isinstance(error, ConnectRefused) and error.code == UNSUPPORTED_PROTOCOL
        if not is_refused and not isinstance(error, ClosedEarly):
            return False
        if not self.is_v5:
            self._has_refused_v5 = self._has_refused_v5 and not is_refused
            self.is_v5 = not self._has_refused_v5
            return False
        self._has_refused_v5 = is_refused
        self._early_closes += 1
        if is_refused or self._early_closes >= EARLY_CLOSES:
            self.is_v5 = False
            self._early_closes = 0
            return True
        return False

    def session_ended(self) -> None:
        """Go back to 5, unless the broker said in words that it does not know it."""
        self.is_v5 = not self._has_refused_v5
        self._early_closes = 0
