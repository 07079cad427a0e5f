"""What a line is given by the house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.model.clock import Clock
from gateway.model.sample import DeviceState, LineState, Samples


class LineOutput(Protocol):
    """Where a line's results go. Nothing in it waits."""

    def put_samples(self, samples: Samples, /) -> None:
        """Take raw values, or the reason why there are none."""
        ...

    def put_device_state(self, state: DeviceState, /) -> None:
        """Take that a device went online or offline."""
        ...

    def put_line_state(self, state: LineState, /) -> None:
        """Take that a line went up or down."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """A line's clock, where its results go, and the site's time zone."""

    clock: Clock
    output: LineOutput
    zone: ZoneInfo
