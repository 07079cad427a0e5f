"""How far one sink is in one lane: pure arithmetic over half-open ranges of seqs."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import Any

Range = tuple[int, int]
"""`(after, to]`: all due records behind `after` up to and with `to`. Written with the seq of the
record before, so that two ranges are known to touch though other seqs lie between them."""


@dataclass(slots=True)
class LaneProgress:
    """Mutable; one per sink and lane, owned by the sink's feed."""

    link: int = 0
    """Seq of the newest record that is due to this sink, whatever its ep; 0 before the first."""
    pv: int | None = None
    """The same within the store's present ep: what the next record will carry as `pv`."""
    pending: int = 0
    """Due records that are not finished."""
    upto: int = 0
    """All due records up to here are finished."""
    above: list[Range] = field(default_factory=list[Range])
    """What is finished beyond: sorted, apart from each other."""

    def is_done(self, seq: int) -> bool:
        """Whether this due record is finished."""
        if seq <= self.upto:
            return True
        index = bisect_left(self.above, (seq, 0)) - 1
        return index >= 0 and self.above[index][0] < seq <= self.above[index][1]

    def touches(self, after: int, to: int) -> bool:
        """Whether anything in `(after, to]` may be finished."""
        return after < self.upto or any(low < to and after < high for low, high in self.above)

    def finish(self, after: int, seq: int) -> bool:
        """Mark one due record, whose previous one is `after`; return False if it was already."""
        if self.is_done(seq):
            return False
        self.pending = max(0, self.pending - 1)
        self.skip(after, seq)
        return True

    def skip(self, after: int, to: int) -> None:
        """Mark `(after, to]` as finished, whatever was in it; `pending` is the caller's matter."""
        if to > self.upto:
            if after <= self.upto:
                self.upto = to
            else:
                self._cover(after, to)
            while self.above and self.above[0][0] <= self.upto:
                self.upto = max(self.upto, self.above.pop(0)[1])
        if self.upto >= self.link:
            self.pending = 0

    def _cover(self, after: int, to: int) -> None:
        above = self.above
        if above and above[-1][1] == after:  # the ordinary way: acknowledged in order
            above[-1] = (above[-1][0], to)
            return
        kept: list[Range] = []
        for low, high in above:
            if high < after or low > to:
                kept.append((low, high))
            else:
                after, to = min(after, low), max(to, high)
        kept.append((after, to))
        kept.sort()
        self.above = kept

    def copy(self) -> LaneProgress:
        """Return one that later acknowledgements do not change."""
        return replace(self, above=list(self.above))

    def to_json(self) -> list[Any]:
        """Return what is stored with the records."""
        flat = [bound for pair in self.above for bound in pair]
        return [self.link, self.pv, self.pending, self.upto, flat]

    @classmethod
    def from_json(cls, stored: list[Any]) -> LaneProgress:
        """Return what `to_json` gave."""
        link, pv, pending, upto, flat = stored
        return cls(link, pv, pending, upto, list(zip(flat[::2], flat[1::2], strict=True)))


def common(progresses: list[LaneProgress]) -> list[Range]:
    """Return what is finished for all of them, in order; everything when there are none."""
    shared: list[Range] = [(-1, 1 << 62)]
    for progress in progresses:
        finished = [(-1, progress.upto), *progress.above]
        shared = [
            (max(low, after), min(high, to))
            for low, high in shared
            for after, to in finished
            if max(low, after) < min(high, to)
        ]
    return shared
