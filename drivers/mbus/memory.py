"""What a meter must be remembered by between readouts: the frame count bit, and how it behaves."""

from __future__ import annotations

from drivers.mbus.codec import FCB, MAX_FRAME, REQ_UD2

_FAILURES_BEFORE_RESET = 2


class Memory:
    """The master's side of the frame count bit (FCB) of one meter.

    A slave that sees the same FCB twice repeats its last telegram, so the bit is toggled after
    every telegram that came, and only then: a lost telegram is repeated. After two failed readouts
    a repetition would be an old value, so the meter is initialised then.
    """

    __slots__ = (
        "_bit",
        "_failures",
        "chars",
        "has_many",
        "is_fresh",
        "is_static",
        "is_used",
        "last",
        "midway",
    )

    def __init__(self) -> None:
        self._bit = True
        self._failures = 0
        self.is_used = False
        """A readout has succeeded since the start."""
        self.has_many = False
        """The meter spreads its records over several telegrams."""
        self.midway = False
        """The last readout ended between two telegrams, or is still running."""
        self.is_fresh = True
        """The meter was initialised and has sent nothing since: it cannot repeat anything."""
        self.is_static = False
        """Two telegrams of this meter may be equal though it was asked anew."""
        self.last = b""
        """Content of the last readout's first telegram, with its access number."""
        self.chars = MAX_FRAME
        """Longest telegram of the last readout; the longest possible one before that."""

    @property
    def wants_reset(self) -> bool:
        """Whether the meter must be initialised so that it begins with its first telegram."""
        is_lost = self._failures > _FAILURES_BEFORE_RESET  # this one counts among them
        return not self.is_used or self.has_many or self.midway or is_lost

    def begin(self) -> None:
        """Note that a readout begins; it counts as failed until `done`."""
        self._failures += 1

    def reset(self) -> None:
        """Note that the meter was initialised: its next telegram is asked with FCB 1."""
        self._bit = True
        self.midway = False
        self.is_fresh = True

    def request_code(self) -> int:
        """Return the C field that asks for the next telegram, or for the last one again."""
        return REQ_UD2 | (FCB if self._bit else 0)

    def took(self) -> None:
        """Note that a telegram came."""
        self._bit = not self._bit
        self.is_fresh = False

    def may_repeat(self, mark: bytes) -> bool:
        """Whether a first telegram is that of the last readout again, and that tells something."""
        tells = not (self.is_fresh or self.is_static or self.has_many)
        return tells and mark == self.last

    def done(self, first: bytes, chars: int) -> None:
        """Note that a readout is complete."""
        self._failures = 0
        self.is_used = True
        self.midway = False
        self.last = first
        self.chars = chars
