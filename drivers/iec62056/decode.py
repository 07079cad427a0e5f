"""Any message taken apart, for `linli decode` and for the samples of profiles."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.contract import Decoded, Raw, Wanted
from drivers.iec62056.address import Iec62056Address
from drivers.iec62056.codec import (
    ACK,
    ETX,
    MOST_BLOCK,
    NAK,
    SOH,
    STX,
    Bcc,
    Block,
    check_character,
    find_block,
    has_parity,
    plain,
)
from drivers.iec62056.dialogue import ANYBODY
from drivers.iec62056.identification import Identification, baud_of, find_identification
from drivers.iec62056.lines import DataSet, Lines, parse_lines
from drivers.iec62056.naming import named_values
from drivers.iec62056.obis import find_set
from drivers.iec62056.reading import raw_value

_SIGN_ON = re.compile(rb"/\?([A-Za-z0-9 ]{0,32})!\r\n\Z")
_SELECT = re.compile(rb"\x06([0-9])([0-6])([0-9])\r\n\Z")
_END = re.compile(rb"!\r\n?\s*\Z")
_OPERAND = re.compile(r"([^()]*)\(([^()]*)\)")
_PASSWORDS = {"P1", "P2"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a message is: its fields by name, what forbids it, its data sets."""

    fields: dict[str, Any]
    error: str | None = None
    lines: Lines = field(default_factory=lambda: Lines(()))
    unit: Hashable | None = None
    secret: tuple[slice, ...] = ()


def decode(frame: bytes, wanted: Sequence[Wanted], request: bytes, *, is_telegram: bool) -> Decoded:
    """Return a message taken apart; never raises.

    A telegram is a whole read-out: an identification and lines up to `!`, or a data message, of
    which the check character may be missing.
    """
    octets = plain(frame[:MOST_BLOCK])
    taken = _readout(octets, is_telegram=is_telegram) or (
        Taken({}, "no data message and no read-out") if is_telegram else _short(octets)
    )
    fields = dict(taken.fields)
    if has_parity(frame):
        fields["parity"] = "even, in bit 7"
    sets = _with_asked_code(taken.lines.sets, request)
    return Decoded(
        taken.error is None,
        taken.error,
        fields,
        _raw(sets, wanted),
        taken.secret,
        named_values(sets),
        taken.unit,
    )


def _readout(octets: bytes, *, is_telegram: bool) -> Taken | None:
    """Return an identification, a framed message or text lines; None for anything shorter."""
    found = find_identification(octets)
    rest = octets if found is None else octets[found.end :]
    if found is not None and not rest.strip() and not is_telegram:
        return Taken(_who(found))
    taken = None
    if SOH in rest or STX in rest:
        taken = _framed(rest, len(octets) - len(rest), is_telegram=is_telegram)
    elif found is not None or (_END.search(rest) and b"(" in rest):
        taken = _text(rest)
    if taken is None or found is None:
        return taken
    fields = {**_who(found), **taken.fields}
    return Taken(fields, taken.error, taken.lines, taken.unit, taken.secret)


def _who(found: Identification) -> dict[str, Any]:
    return {
        "message": "identification",
        "identification": found.line,
        "manufacturer": found.manufacturer,
        "baud_char": found.baud_character,
        "baud": found.baud,
        "mode": found.mode.value,
        "reaction_ms": found.reaction_ms,
        "check": "none",
    }


def _text(rest: bytes) -> Taken:
    """Return lines without frame, which end with `!`."""
    lines = parse_lines(_END.sub(b"", rest))
    error = None
    if not _END.search(rest):
        error = "the read-out does not end with a line that is !"
    elif not lines.sets:
        error = "no line is a data set"
    return Taken(_of_lines("read-out", lines, "none"), error, lines)


def _framed(rest: bytes, offset: int, *, is_telegram: bool) -> Taken:
    block = _best_block(rest)
    if block is None:
        return _unfinished(rest, offset, is_telegram=is_telegram)
    error = None
    if not block.is_right:
        error = _wrong_check(rest, block)
    elif block.end < len(rest):
        error = f"{len(rest) - block.end} bytes follow the check character"
    if block.command:
        return _command(block, error, offset)
    lines = parse_lines(block.body)
    if error is None and not lines.sets:
        error = "no line is a data set"
    return Taken(_of_lines("data", lines, block.check), error, lines)


def _best_block(rest: bytes) -> Block | None:
    """Return the first right message, else the first damaged one."""
    first = block = find_block(rest, Bcc.AUTO)
    offset = 0
    while block is not None and not block.is_right:
        offset += block.end
        block = find_block(rest[offset:], Bcc.AUTO)
    if block is None:
        return first
    return Block(block.command, block.body, block.check, block.start + offset, block.end + offset)


def _unfinished(rest: bytes, offset: int, *, is_telegram: bool) -> Taken:
    if SOH in rest:  # it may be the beginning of a password, so none of it is shown
        hidden = slice(offset + rest.find(SOH), offset + len(rest))
        error = "the command does not end with ETX and a check character"
        return Taken({"message": "command", "check": "none"}, error, secret=(hidden,))
    start = rest.find(STX)
    lines = parse_lines(rest[start + 1 :].removesuffix(ETX))
    fields = _of_lines("data", lines, "none")
    if not rest.endswith(ETX):
        return Taken(fields, "it does not end with ETX and a check character")
    if not is_telegram or start < 0 or not lines.sets:
        return Taken(fields, "the check character after ETX is missing")
    return Taken(fields, None, lines)


def _wrong_check(rest: bytes, block: Block) -> str:
    covered = rest[block.start + 1 : block.end - 1]
    right = check_character(covered, Bcc.XOR)
    return f"check character (BCC) {rest[block.end - 1]:02X} is wrong, {right:02X} would be right"


def _command(block: Block, error: str | None, offset: int) -> Taken:
    text = block.body.decode("ascii", "replace")
    fields: dict[str, Any] = {"message": "command", "command": block.command, "check": block.check}
    match = _OPERAND.fullmatch(text)
    if match is not None:
        fields |= {"address": match[1], "operand": match[2]}
    elif text:
        fields["operand"] = text
    start = offset + block.start + 4
    is_secret = block.command in _PASSWORDS
    secret = (slice(start, start + len(block.body)),) if is_secret else ()
    return Taken(fields, error, secret=secret)


def _short(octets: bytes) -> Taken:
    """Return one of the messages that carry no values."""
    if match := _SIGN_ON.search(octets):
        address = match[1].decode("ascii")
        fields = {"message": "request", "address": address, "check": "none"}
        return Taken(fields, unit=address or ANYBODY)
    if match := _SELECT.search(octets):
        protocol, character, option = (part.decode("ascii") for part in match.groups())
        fields = {
            "message": "option select",
            "protocol": protocol,
            "baud_char": character,
            "baud": baud_of(character),
            "option": option,
            "check": "none",
        }
        return Taken(fields)
    if octets in (ACK, NAK):
        return Taken({"message": "ACK" if octets == ACK else "NAK", "check": "none"})
    return Taken({}, f"{len(octets)} bytes hold no message of IEC 62056-21 that ends with them")


def _of_lines(message: str, lines: Lines, check: str) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for one in lines.sets:
        found.setdefault(one.address, []).extend(one.groups)
    shown = {name: groups[0] if len(groups) == 1 else groups for name, groups in found.items()}
    fields: dict[str, Any] = {"message": message, "check": check, "lines": shown}
    if lines.unknown:
        fields["unknown"] = list(lines.unknown)
    return fields


def _with_asked_code(sets: Sequence[DataSet], request: bytes) -> Sequence[DataSet]:
    """Give an answer without a code the one that was asked for."""
    asked = find_block(plain(request), Bcc.AUTO)
    if asked is None or not asked.is_right or asked.command != "R1":
        return sets
    code = asked.body.decode("ascii", "replace").partition("(")[0]
    return [one if one.address else DataSet(code, one.groups) for one in sets]


def _raw(sets: Sequence[DataSet], wanted: Sequence[Wanted]) -> dict[int, Raw | None]:
    found: dict[int, Raw | None] = {}
    for want in wanted:
        address = want.address
        if isinstance(address, Iec62056Address):
            one = find_set(sets, address.obis)
            if one is not None and address.part < len(one.groups):
                found[want.key] = raw_value(sets, address)
    return found
