"""One request to a meter, and the recognition of its answer among noise and frames of others."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.contract import DeviceRefused, DriverError, Exchange, Fault, FrameError, NoAnswer
from drivers.dlt645.codec import (
    ANSWER,
    BROADCAST,
    KEPT,
    START,
    WILDCARD,
    Frame,
    address_bytes,
    encode,
    frames,
)
from drivers.dlt645.edition import NO_DATA, error_text

FRAME_CHARS = 12
"""Characters of a frame without data and preamble."""
ANSWER_PREAMBLE = 4
"""Meters send up to four FE before an answer; some none."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request made once: a right answer's data begins with `echoed` and ends with `tail`.

    `answer_bytes` is the length of an ordinary answer's data; 0 when nobody answers.
    """

    unit: str
    control: int
    content: bytes
    echoed: bytes
    answer_bytes: int
    preamble: int = ANSWER_PREAMBLE
    takes_any_address: bool = False
    is_answered: bool = True
    tail: bytes = b""

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self.preamble + FRAME_CHARS + len(self.content)

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary answer; 0 when none comes."""
        return ANSWER_PREAMBLE + FRAME_CHARS + self.answer_bytes if self.is_answered else 0

    def exchange(self) -> Exchange:
        """Start one exchange."""
        return MeterExchange(self)


class MeterExchange:
    """One exchange with one meter. The reply is a Frame."""

    __slots__ = ("_buffer", "_question")

    switch = None

    def __init__(self, question: Question) -> None:
        self._question = question
        self._buffer = bytearray()

    @property
    def request(self) -> bytes:
        """The request frame with its preamble."""
        q = self._question
        return encode(q.unit, q.control, q.content, preamble=q.preamble)

    @property
    def unit(self) -> str:
        """The meter asked."""
        return self._question.unit

    @property
    def shape(self) -> tuple[str, int, bytes]:
        """Meter, function, data id, SEQ: an answer names them all, so only repeats look alike."""
        q = self._question
        return q.unit, q.control, q.echoed + q.tail

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary answer."""
        return self._question.reply_chars

    @property
    def reply_may_equal_request(self) -> bool:
        """False: an answer has the answer bit."""
        return False

    def feed(self, received: bytes) -> Frame | None:
        """Return the answer, or None for "more, please".

        Raises:
            DeviceRefused: the meter answered with an error word.
        """
        if not self._question.is_answered:
            return Frame(self._question.unit, ANSWER, b"")
        self._buffer += received
        for frame in frames(self._buffer):
            if self._is_mine(frame):
                if frame.is_refusal:
                    raise self._refused(frame)
                return frame
        del self._buffer[:-KEPT]
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with what came instead."""
        received = bytes(self._buffer)
        q = self._question
        if not received:
            return NoAnswer(f"meter {q.unit} did not answer")
        others = [frame for frame in frames(received) if frame.is_answer]
        strangers = [frame.address for frame in others if not self._is_address(frame.address)]
        if strangers:
            text = f"meter {strangers[0]} answered for {q.unit}"
            return FrameError(Fault.WRONG_UNIT, text, received)
        if others:
            return NoAnswer("only answers to other requests came", received)
        if address_bytes(q.unit) in received and received.count(START) > 1:
            return FrameError(Fault.CRC, "a frame came with a wrong checksum", received)
        return FrameError(Fault.SHORT, "bytes came, but no frame", received)

    def _is_mine(self, frame: Frame) -> bool:
        q = self._question
        if not frame.is_answer or frame.function != q.control & ~ANSWER:
            return False
        if not self._is_address(frame.address):
            return False
        if frame.is_refusal:
            return True
        is_whole = len(frame.content) >= len(q.echoed) + len(q.tail)
        return is_whole and frame.content.startswith(q.echoed) and frame.content.endswith(q.tail)

    def _is_address(self, address: str) -> bool:
        q = self._question
        return address == q.unit or q.takes_any_address

    def _refused(self, frame: Frame) -> DeviceRefused:
        word = frame.content[0] if frame.content else 0
        return DeviceRefused(
            word,
            f"error word {word:02X}: {error_text(word)}",
            bytes(self._buffer),
            is_address=bool(word & NO_DATA),
        )


def takes_any_address(unit: str, *, wildcard_answers: bool) -> bool:
    """Whether a meter answers this address under its own."""
    return unit == WILDCARD or (unit == BROADCAST and wildcard_answers)
