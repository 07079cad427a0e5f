"""One frame taken apart, for `linli decode` and the samples of profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from drivers.contract import Decoded, NamedValue, Wanted
from drivers.dlt645.codec import (
    END,
    HEADER,
    MOST_DATA,
    START,
    TAIL,
    Frame,
    checksum,
    is_sound,
    take_apart,
)
from drivers.dlt645.edition import (
    BAUDS,
    EDITION_1997,
    EDITION_2007,
    Edition,
    error_text,
    id_text,
)
from drivers.dlt645.items import item_of, members, moment_of
from drivers.dlt645.jobs import cells_in, read_cells
from drivers.dlt645.values import to_raw

_SECRETS = {
    (EDITION_2007.name, 0x14): slice(4, 12),
    (EDITION_2007.name, 0x18): slice(4, 12),
    (EDITION_2007.name, 0x19): slice(0, 8),
    (EDITION_2007.name, 0x1A): slice(0, 8),
    (EDITION_2007.name, 0x1B): slice(0, 8),
    (EDITION_2007.name, 0x1C): slice(0, 8),
    (EDITION_1997.name, 0x04): slice(2, 6),
    (EDITION_1997.name, 0x0F): slice(0, 8),
}
"""Where level, password and operator stand in the data of a request, by edition and function."""


def decode(edition: Edition, octets: bytes, direction: str, wanted: Sequence[Wanted]) -> Decoded:
    """Return one frame taken apart; noise may stand before it, nothing behind it."""
    start, error = _find(octets)
    if error is not None:
        return _bad(edition, octets, start, error)
    frame = take_apart(octets, start)
    try:
        _check(edition, frame, direction)
    except ValueError as why:
        return _bad(edition, octets, start, str(why))
    fields = _fields(edition, frame) | _meaning(edition, frame)
    di = _id(edition, frame)
    if di is None or not frame.is_answer or frame.function != edition.read:
        # The frames that follow a first one carry pieces of an item, not values.
        return Decoded(
            ok=True, error=None, frame=fields, unit=frame.address, values=tuple(_address(frame)),
            spans_secret=_spans(edition, frame, start),
        )  # fmt: skip
    content = frame.content[edition.id_bytes :]
    cells = cells_in(di, wanted)
    raw = dict(zip((cell.key for cell in cells), read_cells(content, cells), strict=True))
    return Decoded(
        ok=True, error=None, frame=fields, raw=raw, unit=frame.address,
        values=tuple(_values(di, content)),
    )  # fmt: skip


def _bad(edition: Edition, octets: bytes, start: int, error: str) -> Decoded:
    """Return what can be read of a frame that is not good."""
    if start < 0 or start + HEADER > len(octets):
        return Decoded(ok=False, error=error, frame={})
    frame = take_apart(octets, start)
    return Decoded(
        ok=False, error=error, frame=_fields(edition, frame),
        spans_secret=_spans(edition, frame, start),
    )  # fmt: skip


def _meaning(edition: Edition, frame: Frame) -> dict[str, Any]:
    """Return what the data of a good frame says: data id, SEQ, baud rate, error word."""
    if frame.is_refusal:
        word = frame.content[0]
        return {"error_word": f"{word:02X}", "error": error_text(word)}
    found: dict[str, Any] = {}
    di = _id(edition, frame)
    if di is not None:
        found["di"] = di
    is_next = frame.function == edition.read_next and edition.numbers_frames
    if is_next and len(frame.content) > edition.id_bytes:
        found["seq"] = frame.content[-1]
    if frame.function == edition.change_baud and frame.content:
        found["baud"] = BAUDS.get(frame.content[0])
    return found


def _spans(edition: Edition, frame: Frame, start: int) -> tuple[slice, ...]:
    """Return where password and operator stand in the bytes."""
    place = _secret(edition, frame)
    if place is None:
        return ()
    first = start + HEADER
    return (slice(first + place.start, first + min(place.stop, len(frame.content))),)


def _secret(edition: Edition, frame: Frame) -> slice | None:
    place = None if frame.is_answer else _SECRETS.get((edition.name, frame.control))
    return place if place is not None and place.start < len(frame.content) else None


def _find(octets: bytes) -> tuple[int, str | None]:
    """Return where the frame that ends the bytes begins, or what is wrong with what is there."""
    starts = [at for at in range(len(octets)) if octets[at] == START]
    whole = [at for at in starts if _end(octets, at) == len(octets)]
    for at in whole:
        if is_sound(octets[at:]):
            return at, None
    if whole:
        return whole[0], _unsound(octets[whole[0] :])
    if not starts:
        return -1, "there is no 68, so no frame begins"
    at = next((at for at in starts if octets[at + 7 : at + 8] == b"\x68"), starts[0])
    return _misfit(octets, at)


def _misfit(octets: bytes, at: int) -> tuple[int, str]:
    """Return what is wrong with a beginning whose length does not lead to the last byte."""
    end = _end(octets, at)
    if end is None:
        return -1, "no frame begins here: the second 68 does not stand seven bytes behind the first"
    if end > len(octets):
        return at, f"the frame is cut off: its length needs {end - len(octets)} more bytes"
    return at, f"{len(octets) - end} bytes follow the frame"


def _end(octets: bytes, at: int) -> int | None:
    if octets[at + 7 : at + 8] != b"\x68" or len(octets) < at + HEADER:
        return None
    return at + HEADER + octets[at + 9] + TAIL


def _unsound(frame: bytes) -> str:
    if frame[-1] != END:
        return f"the frame ends with {frame[-1]:02X} where 16 must stand"
    right = checksum(frame[:-TAIL])
    return f"checksum {frame[-TAIL]:02X} is wrong, {right:02X} would be right"


def _check(edition: Edition, frame: Frame, direction: str) -> None:
    """Raise ValueError for what the standard forbids."""
    if len(frame.content) > MOST_DATA:
        raise ValueError(f"{len(frame.content)} bytes of data; a frame takes {MOST_DATA}")
    if direction == "request" and frame.is_answer:
        raise ValueError(f"control {frame.control:02X} is an answer")
    if direction == "response" and not frame.is_answer:
        raise ValueError(f"control {frame.control:02X} is a request")
    if frame.is_refusal and len(frame.content) != 1:
        raise ValueError("an error answer carries one byte, the error word")
    is_baud = frame.function == edition.change_baud and frame.content
    if is_baud and not frame.is_refusal and frame.content[0] not in BAUDS:
        raise ValueError(f"baud word {frame.content[0]:02X} must have one bit of 02 to 40")
    reads = {edition.read, edition.read_next}
    if frame.function in reads and not frame.is_refusal and len(frame.content) < edition.id_bytes:
        raise ValueError(f"a read carries a data id of {edition.id_bytes} bytes")


def _id(edition: Edition, frame: Frame) -> str | None:
    has_id = frame.function in {edition.read, edition.read_next, edition.write}
    if frame.is_refusal or not has_id or len(frame.content) < edition.id_bytes:
        return None
    return id_text(frame.content[: edition.id_bytes])


def _fields(edition: Edition, frame: Frame) -> dict[str, Any]:
    shown = frame.content.hex().upper()
    place = _secret(edition, frame)
    if place is not None:
        last = min(place.stop, len(frame.content))
        shown = shown[: 2 * place.start] + "*" * 2 * (last - place.start) + shown[2 * last :]
    return {
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "length": len(frame.content),
        "error": frame.is_refusal,
        "more_frames": frame.has_more,
        "preamble_fe": frame.preamble,
        "data": shown,
    }


def _values(di: str, content: bytes) -> Iterator[NamedValue]:
    """Yield the values that the data id names by itself."""
    item = item_of(di)
    if item is not None:
        if item.point is not None:
            is_whole = len(content) == item.length
            yield NamedValue(item.point, to_raw(content, item) if is_whole else None, item.unit)
            if is_whole and (moment := moment_of(item)) is not None:
                yield NamedValue(moment.point or "", to_raw(content[item.size :], moment))
        return
    start = 0
    for member in members(di):
        if start + member.size <= len(content) and member.point is not None:
            yield NamedValue(member.point, to_raw(content[start:], member), member.unit)
        start += member.size


def _address(frame: Frame) -> Iterator[NamedValue]:
    """Yield the address that an answer to 13H carries."""
    if frame.is_answer and frame.function == 0x13 and len(frame.content) == 6:  # noqa: PLR2004
        yield NamedValue("address", frame.content[::-1].hex().upper())
