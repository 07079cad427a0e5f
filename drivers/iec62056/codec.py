"""Messages of IEC 62056-21: sign-on, option select, framed blocks and their check characters.

The facts are those of IEC 62056-21:2002, clause 6, unless a source stands beside them. All bytes
here are seven-bit characters: `plain` takes off a parity that came in bit 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

SOH, STX, ETX, ACK, NAK = b"\x01", b"\x02", b"\x03", b"\x06", b"\x15"
END = b"\r\n"
MOST_BLOCK = 20_000
"""Characters of a data message that are kept; ordinary read-outs have some hundred to 4000."""
MOST_ADDRESS = 32
_SEVEN_BITS = bytes(octet & 0x7F for octet in range(256))
_EVEN = bytes(octet | 0x80 * (octet.bit_count() & 1) for octet in range(128)) * 2
_COMMAND = re.compile(rb"([A-Z][0-9])(?:\x02([^\x01-\x03]*))?\x03", re.DOTALL)


class Bcc(StrEnum):
    """Which check character a meter sends.

    The standard has the exclusive or. Energomera CE102M sends the sum modulo 128 (four frames of
    wirenboard/wb-mqtt-serial:test/energomera_ce102m_test.cpp). `auto` takes both.
    """

    XOR = "xor"
    SUM = "sum"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Block:
    """One framed message: `body` is what lies between STX and ETX; of a command, its operand.

    `command` is such as P0, R1 or B0; empty for a data message. `start` and `end` are where it
    lies in the bytes that were searched. `check` names what fitted: xor, sum7, xor+sum7; bad where
    nothing did.
    """

    command: str
    body: bytes
    check: str
    start: int
    end: int

    @property
    def is_right(self) -> bool:
        """Whether the check character is right."""
        return self.check != "bad"


def plain(received: bytes) -> bytes:
    """Return seven-bit characters: a 7E1 character on an 8N1 path has its parity in bit 7.

    Source: Runamook/iec_62056-21, test_server.py.
    """
    return received.translate(_SEVEN_BITS)


def with_parity(octets: bytes) -> bytes:
    """Return characters with even parity in bit 7, as a 7E1 meter hears an 8N1 port."""
    return octets.translate(_EVEN)


def has_parity(received: bytes) -> bool:
    """Whether bit 7 of every character is its even parity, and is set in one at least."""
    return received == with_parity(received) != plain(received)


def check_character(covered: bytes, bcc: Bcc) -> int:
    """Return the check character over what follows the first SOH or STX, the ETX included."""
    if bcc is Bcc.SUM:
        return sum(covered) & 0x7F
    found = 0
    for octet in covered:
        found ^= octet
    return found & 0x7F


def sign_on(address: str) -> bytes:
    """Return the request message; an empty address asks whoever is there."""
    return b"/?" + address.encode("ascii") + b"!" + END


def option_select(baud_character: str, option: int) -> bytes:
    """Return the acknowledgement: normal protocol, the agreed rate, 0 read-out or 1 programming."""
    return ACK + f"0{baud_character}{option}".encode("ascii") + END


def command_message(command: str, operand: bytes | None, bcc: Bcc = Bcc.XOR) -> bytes:
    """Return a command with its check character; no operand for a break."""
    inner = b"" if operand is None else STX + operand
    covered = command.encode("ascii") + inner + ETX
    return SOH + covered + bytes((check_character(covered, bcc),))


def data_message(body: bytes, bcc: Bcc = Bcc.XOR) -> bytes:
    """Return a data message with its check character."""
    covered = body + ETX
    return STX + covered + bytes((check_character(covered, bcc),))


def find_block(octets: bytes, bcc: Bcc) -> Block | None:
    """Return the first framed message, right or bad; None while there is no whole one.

    The first ETX ends it, and what follows is the check character whatever it is: it may be 03
    itself (`02 28 30 31 29 03 03`). Among several SOH and STX before the ETX, which noise makes,
    the one counts from which the check character is right.
    """
    return next_block(octets, bcc, 0)[0]


def next_block(octets: bytes, bcc: Bcc, begin: int) -> tuple[Block | None, int]:
    """Return the first framed message from `begin` on, and where the next search begins.

    So nothing is looked at twice, however many bytes that are no message come one by one.
    """
    while (end := octets.find(ETX, begin)) >= 0:
        starts = [at for mark in (SOH, STX) if (at := octets.find(mark, begin, end)) >= 0]
        if starts and end + 1 == len(octets):
            return None, begin
        if starts:
            block = _block(octets, min(starts), end, bcc)
            return block, block.end
        begin = end + 1
    return None, begin


def _block(octets: bytes, first: int, end: int, bcc: Bcc) -> Block:
    """Return the message that ends at this ETX: from the last start from which it is right."""
    sent = octets[end + 1]
    xor = total = octets[end]
    for at in range(end - 1, first - 1, -1):
        octet = octets[at]
        if octet in SOH + STX:
            check = _check(sent, xor, total & 0x7F, bcc)
            made = _made(octets, at, end, check) if check else None
            if made is not None:
                return made
        xor ^= octet
        total += octet
    made = _made(octets, first, end, "bad")
    return made or Block("", octets[first + 1 : end], "bad", first, end + 2)


def _check(sent: int, xor: int, total: int, bcc: Bcc) -> str:
    """Return the names of what fits; empty where nothing does."""
    fits = [
        name
        for name, value, other in (("xor", xor, Bcc.SUM), ("sum7", total, Bcc.XOR))
        if value == sent and bcc is not other
    ]
    return "+".join(fits)


def _made(octets: bytes, start: int, end: int, check: str) -> Block | None:
    """Return the message between a start and its ETX; None where a command has no such shape."""
    if octets[start : start + 1] == STX:
        return Block("", octets[start + 1 : end], check, start, end + 2)
    match = _COMMAND.fullmatch(octets, start + 1, end + 1)
    if match is None:
        return None
    return Block(match[1].decode("ascii"), match[2] or b"", check, start, end + 2)
