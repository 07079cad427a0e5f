"""The topics of one connection: what was asked for, and what the broker refused."""

from __future__ import annotations

from collections.abc import Sequence

from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from gateway.model.publication import Subscription
from gateway.uplink.filters import as_paho

MOST_AT_ONCE = 20
"""Filters of one SUBSCRIBE; no limit of brokers is known that is lower, and many have one."""


class Subscribing:
    """Of one connection."""

    def __init__(self, client: Client, *, is_v5: bool) -> None:
        """Take the connection; nothing is asked for yet."""
        self._client = client
        self._is_v5 = is_v5
        self._asked: dict[int, Sequence[str]] = {}
        self._refused: dict[str, None] = {}

    @property
    def refused(self) -> tuple[str, ...]:
        """Filters that the broker refused."""
        return tuple(self._refused)

    def ask(self, filters: Sequence[Subscription]) -> None:
        """Ask for these topics."""
        for at in range(0, len(filters), MOST_AT_ONCE):
            piece = filters[at : at + MOST_AT_ONCE]
            _, mid = self._client.subscribe(as_paho(piece, is_v5=self._is_v5))
            if mid is not None:
                self._asked[mid] = tuple(one.topic for one in piece)

    def answered(self, mid: int, reasons: Sequence[ReasonCode]) -> None:
        """Note what the broker said to one SUBSCRIBE."""
        for topic, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            if reason.is_failure:
                self._refused[topic] = None
            else:
                self._refused.pop(topic, None)
