"""Errors of this room: no connection, and two ways in which a broker says no to it."""

from __future__ import annotations


class UplinkDown(Exception):
    """There is no connection to the platform; the text says why, for the person on the ladder.

    `is_final` marks what no retry mends (a missing certificate file): the back-off is longest.
    """

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


class ConnectRefused(UplinkDown):
    """The broker answered with a CONNACK that says no; `code` is its MQTT 5 reason code."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


class ClosedEarly(UplinkDown):
    """The broker closed the connection instead of answering CONNECT."""
