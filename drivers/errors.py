"""What can go wrong on the wire; authors of drivers import it from `contract`."""

from __future__ import annotations

from enum import StrEnum


class DriverError(Exception):
    """Something on the wire that the bus acts on; `received` keeps the bytes for diagnosis."""

    def __init__(self, message: str, received: bytes = b"") -> None:
        super().__init__(message)
        self.received = received


class Fault(StrEnum):
    """Why bytes were not the reply; the names are the `qr` reasons of the payload standard."""

    CRC = "crc"
    SHORT = "short"
    WRONG_UNIT = "wrong_unit"
    ECHO = "echo"


class NoAnswer(DriverError):
    """Nothing that could be the reply came before the deadline."""


class FrameError(DriverError):
    """Bytes came before the deadline, but no reply to this request was among them."""

    def __init__(self, fault: Fault, message: str, received: bytes = b"") -> None:
        super().__init__(message, received)
        self.fault = fault


class DeviceRefused(DriverError):
    """The device itself said no, with a code of its protocol.

    `is_busy` asks for a later retry; `is_address` says that the block touches something the device
    does not have, so that a merged block may be split.
    """

    def __init__(
        self,
        code: int,
        message: str,
        received: bytes = b"",
        *,
        is_busy: bool = False,
        is_address: bool = False,
    ) -> None:
        super().__init__(message, received)
        self.code = code
        self.is_busy = is_busy
        self.is_address = is_address
