"""How long a unit takes to answer, as measured, and how long to wait for it.

The wait is for the first byte of the reply, counted from the last bit of the request; the time
that the reply itself takes on the wire comes on top of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of waiting on a line, in seconds.

    `first_s` until a unit was measured, `floor_s` at least however fast it is (a busy operating
    system or a USB adapter holds bytes back for tens of milliseconds), `cap_s` at most until a
    late reply proved that more is needed.
    """

    first_s: float = 0.3
    floor_s: float = 0.08
    cap_s: float = 1.0


ON_SERIAL = Patience()
ON_NETWORK = Patience(first_s=1.0, floor_s=0.25, cap_s=2.0)
# On a network the far end may be a gateway that itself waits for a silent device.

MARGIN_S = 0.03
LATEST_S = 5.0
"""A reply that comes later than this is not waited for, however often it does."""
_CREEP_S = 0.0005
_DECAY = 0.9
"""What remains of the slowest reply after each new one: it fades over some dozen replies."""


class ResponseTime:
    """The response time of one unit: mean and deviation as in RFC 6298, and the slowest."""

    __slots__ = ("_deviation_s", "_fixed_s", "_patience", "count", "fastest_s", "mean_s",
                 "slowest_s", "timeout_s")  # fmt: skip

    def __init__(self, patience: Patience, fixed_s: float | None = None) -> None:
        """Begin unmeasured; `fixed_s` is a timeout that settings prescribe."""
        self._patience = patience
        self._fixed_s = fixed_s
        self._deviation_s = 0.0
        self.count = 0
        self.mean_s = 0.0
        self.fastest_s = 0.0
        """A time before which replies do not come, as of late."""
        self.slowest_s = 0.0
        self.timeout_s = patience.first_s if fixed_s is None else fixed_s

    @property
    def is_fixed(self) -> bool:
        """Whether settings prescribe the timeout."""
        return self._fixed_s is not None

    def measured(self, seconds: float) -> None:
        """Learn from a reply that came `seconds` after its request had left."""
        seconds = max(seconds, 0.0)
        if self.count == 0:
            self.mean_s = seconds
            self._deviation_s = seconds / 2
            self.fastest_s = seconds
        else:
            error = seconds - self.mean_s
            self.mean_s += error / 8
            self._deviation_s += (abs(error) - self._deviation_s) / 4
        self.count += 1
        # It follows the fast replies at once and the slow ones slowly: who looks for the reply
        # no earlier than this must not find everything late because of it.
        self.fastest_s = min(seconds, self.fastest_s + _CREEP_S)
        self.slowest_s = max(seconds, self.slowest_s * _DECAY)
        self._decide()

    def came_late(self, seconds: float) -> None:
        """Learn from a reply that came after we had given up.

        It counts like any other, so that a unit that is always slow is waited for, and one that
        was slow once is soon forgiven.
        """
        self.measured(min(seconds, LATEST_S))

    def timed_out(self) -> None:
        """Wait longer next time: the reply may have been on its way."""
        if self._fixed_s is None:
            self.timeout_s = max(self.timeout_s, min(self.timeout_s * 1.5, self._patience.cap_s))

    def _decide(self) -> None:
        if self._fixed_s is not None:
            return
        mean = self.mean_s
        wanted = max(3 * mean, mean + 4 * self._deviation_s) + MARGIN_S
        limit = max(self._patience.cap_s, 2 * mean + MARGIN_S)
        self.timeout_s = min(max(wanted, self._patience.floor_s), limit)


def contact_timeout_s(neighbours_slowest_s: float | None, tries: int, patience: Patience) -> float:
    """Return how long to wait for a unit that never answered, at its `tries`-th try from 0.

    Tight, by what its neighbours on the line need, since most such units are not there at all;
    every further try waits twice as long, to find the slow ones, and then begins anew.
    """
    if neighbours_slowest_s is None:
        return patience.first_s
    tight = max(2 * neighbours_slowest_s + MARGIN_S, patience.floor_s * 0.75)
    return min(tight * (1 << (tries % 4)), max(patience.cap_s, tight))
