"""One declared request, and the recognition of its reply among noise and frames of others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from drivers.contract import DeviceRefused, DriverError, Exchange, Fault, FrameError, NoAnswer, Raw
from drivers.declared.declaration import AnyTemplate, Declaration
from drivers.declared.points import Message
from drivers.declared.search import KEPT, Found, frames, says
from drivers.declared.template import Mismatch, Template


@dataclass(frozen=True, slots=True)
class Question:
    """A request made once: its bytes, and the frame that answers it.

    `expected` are fields that an answer must repeat; `reply` is None where nobody answers.
    """

    unit: Hashable
    declaration: Declaration
    request: bytes
    reply: str | None
    expected: Mapping[str, Raw] = field(hash=False)

    @property
    def template(self) -> AnyTemplate | None:
        """The frame of the answer."""
        return self.declaration.replies[self.reply] if self.reply else None

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary answer; 0 when none comes."""
        return self.template.chars if self.template else 0

    @property
    def shape(self) -> Hashable:
        """All that an answer says of its request."""
        template = self.template
        names = sorted(template.names & self.expected.keys()) if template else []
        said = tuple((name, self.expected[name]) for name in names)
        return (self.declaration.key, self.reply, said, template is None)

    def may_be_echoed(self) -> bool:
        """Whether the request's own bytes are a right answer."""
        if self.template is None:
            return False
        try:
            return says(self.template.read(self.request), self.expected)
        except Mismatch:
            return False

    def exchange(self) -> Exchange:
        """Start one exchange."""
        return DeclaredExchange(self)


class DeclaredExchange:
    """One exchange. The reply is a Message; None of it is kept longer than two frames."""

    __slots__ = ("_buffer", "_question", "_seen")

    switch = None

    def __init__(self, question: Question) -> None:
        self._question = question
        self._buffer = bytearray()
        self._seen = 0

    @property
    def request(self) -> bytes:
        """The request frame."""
        return self._question.request

    @property
    def unit(self) -> Hashable:
        """Who is asked."""
        return self._question.unit

    @property
    def shape(self) -> Hashable:
        """What the answer looks like."""
        return self._question.shape

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary answer."""
        return self._question.reply_chars

    @property
    def reply_may_equal_request(self) -> bool:
        """Whether the request would pass as its own answer."""
        return self._question.may_be_echoed()

    def feed(self, received: bytes) -> Message | None:
        """Return the answer, or None for "more, please".

        Raises:
            DeviceRefused: the device answered with a declared refusal.
        """
        question = self._question
        if question.reply is None:
            return Message(question.declaration, "", b"", {})
        self._buffer += received
        buffer = bytes(self._buffer)
        for found in self._candidates(buffer):
            if not says(found.fields, question.expected):
                continue
            if found.name == question.reply:
                return Message(question.declaration, found.name, found.octets, found.fields)
            raise _refused(found)
        del self._buffer[:-KEPT]
        self._seen = len(self._buffer)
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with what came instead."""
        received, question = bytes(self._buffer), self._question
        template = question.template
        if not received or template is None:
            return NoAnswer("no byte came")
        if others := frames(received, 0, {"": template}):
            return self._stranger(others[0], received)
        if question.request in received:
            return FrameError(Fault.ECHO, "only the request itself came back", received)
        if len(received) < template.chars:
            return FrameError(Fault.SHORT, f"only {len(received)} bytes came", received)
        return FrameError(Fault.CRC, "no frame that is right came", received)

    def _stranger(self, other: Found, received: bytes) -> DriverError:
        """Return what a good frame means that is not the answer."""
        question = self._question
        unit = question.declaration.unit_of(other.fields)
        if unit == question.unit or not question.declaration.address:
            return NoAnswer("only answers to other requests came", received)
        return FrameError(Fault.WRONG_UNIT, f"{unit} answered for {question.unit}", received)

    def _candidates(self, buffer: bytes) -> list[Found]:
        """Return answers and refusals that the newest bytes complete."""
        question = self._question
        declaration, name = question.declaration, str(question.reply)
        refusals = {f"no {key}": t for key, t in declaration.refusals.items()}
        return frames(buffer, self._seen, {name: declaration.replies[name], **refusals})


def _refused(found: Found) -> DeviceRefused:
    code = found.fields.get("code")
    number = code if isinstance(code, int) else 0
    where = "" if isinstance(found.template, Template) else " in a line"
    return DeviceRefused(number, f"the device refused{where}, code {number}", found.octets)
