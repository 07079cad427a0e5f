"""Values of the local history as they lie in its file: packed columns, merged and summed up. Pure.

A chunk is what one point gave in a stretch of time: `[first_ms, steps_ms, values, marks]` as JSON,
which keeps every number exactly, compressed with zlib. Neighbours differ little, so that a reading
costs a few bytes.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Value

ZLIB_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one point."""

    ts_ms: int
    value: Value | None
    mark: Mark = GOOD


Column: TypeAlias = dict[int, Sample]
"""Samples of one point by their time: what comes twice is there once."""


@dataclass(frozen=True, slots=True)
class Step:
    """The numbers of one step of time; None where it holds no good number."""

    from_ms: int
    count: int
    low: float | None
    high: float | None
    mean: float | None
    last: Value | None
    bad: int
    """How many values were not good."""


def to_json(column: Mapping[int, Sample]) -> list[Any]:
    """Return a column as JSON; it must hold at least one sample."""
    samples = [column[ts_ms] for ts_ms in sorted(column)]
    times = [one.ts_ms for one in samples]
    marks: list[list[Any]] | None = None
    if any(one.mark != GOOD for one in samples):
        marks = [[int(one.mark.quality), one.mark.reason] for one in samples]
    steps = [after - before for before, after in pairwise(times)]
    return [times[0], steps, [_kept(one.value) for one in samples], marks]


def _kept(value: Value | None) -> Value | None:
    """Return a value as JSON and UTF-8 hold it: None for what is no number."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.encode("utf-8", "replace").decode()
        case _:
            return value


def from_json(stored: list[Any]) -> Column:
    """Return the column that `to_json` gave."""
    first, steps, values, marks = stored
    times = accumulate(steps, initial=first)
    if marks is None:
        return {ts: Sample(ts, value) for ts, value in zip(times, values, strict=True)}
    return {
        ts: Sample(ts, value, Mark(Quality(quality), reason))
        for ts, value, (quality, reason) in zip(times, values, marks, strict=True)
    }


def packed(content: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return JSON, compressed."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return zlib.compress(text.encode(), ZLIB_LEVEL)


def unpacked(octets: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what `packed` got.

    Raises:
        ValueError, zlib.error: it is damaged.
    """
    return json.loads(zlib.decompress(octets))


def steps(samples: Iterable[Sample], step_ms: int) -> list[Step]:
    """Return the samples summed up by steps that begin at multiples of `step_ms`; they are sorted.

    True and false count as 1 and 0; texts have only a last value.
    """
    by_step: dict[int, list[Sample]] = {}
    for one in samples:
        by_step.setdefault(one.ts_ms // step_ms * step_ms, []).append(one)
    return [_summed_up(at, by_step[at]) for at in sorted(by_step)]


def _summed_up(from_ms: int, samples: list[Sample]) -> Step:
    good = [one for one in samples if one.mark.quality is Quality.GOOD and one.value is not None]
    numbers = [float(one.value) for one in good if isinstance(one.value, bool | int | float)]
    last = max(good, key=lambda one: one.ts_ms).value if good else None
    bad = len(samples) - len(good)
    if not numbers:
        return Step(from_ms, 0, None, None, None, last, bad)
    mean = math.fsum(numbers) / len(numbers)
    return Step(from_ms, len(numbers), min(numbers), max(numbers), mean, last, bad)
