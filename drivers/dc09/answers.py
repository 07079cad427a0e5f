"""What a receiver answers: ACK, NAK with its time, DUH (reference page A7, pysiaalarm)."""

from __future__ import annotations

from drivers.dc09.codec import Message, encode
from drivers.dc09.content import encrypt, write_time


def ack(message: Message, key: bytes | None, utc_ms: int) -> bytes:
    """Return that it was received: the same number and address, encrypted as the message was."""
    if not message.is_encrypted or key is None:
        return _answer("ACK", message, b"]")
    time = write_time(utc_ms)
    seed = f"{message.account} {message.sequence} {utc_ms}"
    return _answer("*ACK", message, encrypt(f"]{time}", key, seed))


def nak(utc_ms: int) -> bytes:
    """Return that its time is too far from ours, which is told; never encrypted."""
    return encode(b'"NAK"0000R0L0A0[]' + write_time(utc_ms).encode())


def duh(message: Message) -> bytes:
    """Return that it was received and cannot be read."""
    return _answer("DUH", message, b"]")


def _answer(ident: str, message: Message, content: bytes) -> bytes:
    account = f"#{message.account}" if message.account else ""
    head = f'"{ident}"{message.sequence}{message.receiver}{message.line}{account}['
    return encode(head.encode() + content)
