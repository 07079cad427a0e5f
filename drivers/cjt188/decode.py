"""One frame taken apart, for `linli decode` and for the samples of profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.cjt188.address import (
    DI_ADDRESS,
    DI_CLOCK,
    Cjt188Address,
    Cjt188Quirks,
    Field,
    is_same_meter,
)
from drivers.cjt188.codec import (
    ERROR_BITS,
    HEAD,
    READ,
    READ_ADDRESS,
    REPLY_BIT,
    REQUESTS,
    VENDOR_VALVE_REPLY,
    WRITE,
    Broken,
    Frame,
    end_of,
    frame_at,
    starts,
)
from drivers.cjt188.exchange import REFUSAL_SIZE
from drivers.cjt188.fields import HEAD as DATA_HEAD
from drivers.cjt188.fields import LAYOUTS, Slot, clock_text
from drivers.cjt188.jobs import VALVE_CLOSE, cjt188_address, read_value
from drivers.cjt188.named import frame_fields, identifier_of, named_values
from drivers.contract import Decoded, Fault, Raw, Wanted

_PLAIN = Cjt188Quirks()
_REPLIES = {control | REPLY_BIT for control in REQUESTS} | {VENDOR_VALVE_REPLY}
_ERRORS = {control | ERROR_BITS for control in REQUESTS}
_CLOCK_BYTES = 7


@dataclass(frozen=True, slots=True)
class _Found:
    """What the bytes hold: a frame or what is wrong with it, and what stood before it."""

    frame: Frame | Broken
    before: bytes = b""


def decode(
    octets: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
) -> Decoded:
    """Return one frame taken apart; FE and noise may stand before it, nothing behind it.

    What only a profile's quirks tell (unit byte first, order of the clock, decimals of the flow)
    is not known here: such fields come out as they would without.
    """
    found = _find(octets)
    frame = found.frame
    if isinstance(frame, Broken):
        said = frame_fields(frame.frame, found.before) if frame.frame else {}
        return Decoded(ok=False, error=frame.why, frame=said)
    said = frame_fields(frame, found.before)
    why = _objection(frame, direction) or (_mismatch(frame, request) if request else None)
    if why is not None:
        return Decoded(ok=False, error=why, frame=said)
    decoded = Decoded(ok=True, error=None, frame=said, unit=frame.address)
    if frame.is_refusal:
        return decoded
    values = tuple(named_values(frame)) if frame.is_reply else ()
    return replace(decoded, raw=dict(_raw_values(frame, wanted)), values=values)


def _find(octets: bytes) -> _Found:
    """Return the sound frame that ends where the bytes end, else what is wrong with the first."""
    first: _Found | None = None
    for start in starts(octets):
        frame = frame_at(octets, start)
        if isinstance(frame, Frame) and end_of(octets, start) == len(octets):
            return _Found(frame, octets[:start])
        if first is None:
            first = _Found(_what_is_wrong(octets, start, frame), octets[:start])
    return first or _Found(Broken(Fault.SHORT, "no 68 begins a frame"))


def _what_is_wrong(octets: bytes, start: int, found: Frame | Broken | None) -> Broken:
    size = len(octets) - start
    if size < HEAD:
        return Broken(Fault.SHORT, f"{size} bytes are shorter than any frame")
    if isinstance(found, Broken) and end_of(octets, start) == len(octets):
        return found
    length = octets[start + HEAD - 1]
    return Broken(Fault.SHORT, f"length field {length} does not fit a frame of {size} bytes")


def _objection(frame: Frame, direction: str) -> str | None:
    """Return what is wrong with a sound frame, or None."""
    control = frame.control
    if direction == "request" and frame.is_reply:
        return f"control {control:02X} is a reply's"
    if direction == "response" and not frame.is_reply:
        return f"control {control:02X} is a request's"
    if control not in REQUESTS | _REPLIES | _ERRORS:
        return f"control {control:02X} is none of this protocol"
    return _wrong_size(frame)


def _wrong_size(frame: Frame) -> str | None:
    """Return what is wrong with the length of a frame, or None."""
    size = len(frame.content)
    if frame.control in _ERRORS:
        right: Iterable[int] = (REFUSAL_SIZE,)
    elif frame.control in {READ, READ_ADDRESS}:
        right = (DATA_HEAD,)
    elif size < DATA_HEAD:
        return f"length {size} is too short for data identifier and serial number"
    else:
        layouts = LAYOUTS.get(identifier_of(frame.content) or 0, {})
        is_read = frame.control == READ | REPLY_BIT
        right = sorted(known + DATA_HEAD for known in layouts) if is_read else ()
    if size in right or not right:
        return None
    return f"length {size} where {' or '.join(map(str, right))} is right"


def _mismatch(frame: Frame, request: bytes) -> str | None:
    """Return why the frame is not the reply to that request, or None; SER need not come back."""
    asked = _find(request).frame
    if isinstance(asked, Broken):
        return None
    if not is_same_meter(asked.address, frame.address):
        return f"meter {frame.address} answers for meter {asked.address}"
    is_vendors = frame.control == VENDOR_VALVE_REPLY and asked.control == WRITE
    if not is_vendors and frame.control & ~ERROR_BITS != asked.control & ~ERROR_BITS:
        return f"control {frame.control:02X} does not answer control {asked.control:02X}"
    mine, theirs = identifier_of(frame.content), identifier_of(asked.content)
    if not frame.is_refusal and mine != theirs:
        return f"data identifier {mine or 0:04X} does not answer {theirs or 0:04X}"
    return None


def _raw_values(frame: Frame, wanted: Sequence[Wanted]) -> Iterator[tuple[int, Raw | None]]:
    di = identifier_of(frame.content) or 0
    payload = frame.content[DATA_HEAD:]
    for want in wanted:
        address = cjt188_address(want.address)
        if address.identifier != di:
            continue
        if not frame.is_reply and frame.control == WRITE:
            if (written := _written(address, payload)) is not None:
                yield want.key, written
        elif frame.control == READ_ADDRESS | REPLY_BIT and di == DI_ADDRESS:
            yield want.key, frame.address
        elif frame.control == READ | REPLY_BIT and address.field in _layout(di, payload):
            yield want.key, read_value(frame, di, address, _PLAIN)


def _layout(di: int, payload: bytes) -> Mapping[Field, Slot]:
    return LAYOUTS.get(di, {}).get(len(payload), {})


def _written(address: Cjt188Address, payload: bytes) -> Raw | None:
    """Return the raw value that a write carries."""
    if address.field is Field.VALVE and len(payload) == 1:
        return payload[0]
    if address.field is Field.VALVE_CLOSE and payload == bytes((VALVE_CLOSE,)):
        return True
    if address.identifier == DI_CLOCK and len(payload) == _CLOCK_BYTES:
        return clock_text(payload, _PLAIN)
    return None
