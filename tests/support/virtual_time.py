"""An event loop in virtual time: when nothing is left to do, time jumps to the next timer."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ParamSpec, TypeVar

from gateway.model.clock import TimeQuality

P = ParamSpec("P")
R = TypeVar("R")

STARTS_AT_S = 1000.0
EPOCH_MS = 1_790_000_000_000
"""Wall-clock time of loop time 0 of a ManualClock: 2026-09-21 in UTC."""
STUCK_S = 5.0
"""Real seconds that a loop without timers waits for a thread before it is called stuck."""


class _JumpingSelector(selectors.BaseSelector):
    """Looks at real descriptors, but never waits for them while a timer is set."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = STARTS_AT_S

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = self._real.select(STUCK_S)
            if not events:
                raise RuntimeError("stuck: every task waits for something that nobody will do")
            return events
        events = self._real.select(0)
        if not events and timeout > 0:
            self.now += timeout
        return events

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` costs no real time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return virtual seconds."""
        return self._jumping.now


class ManualClock:
    """A Clock whose wall time runs with the loop's, and steps when told to."""

    def __init__(self, epoch_ms: int = EPOCH_MS, quality: TimeQuality = TimeQuality.SYNC) -> None:
        self.epoch_ms = epoch_ms
        self._quality = quality

    def now_ms(self) -> int:
        """Return UTC milliseconds."""
        return self.epoch_ms + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def quality(self) -> TimeQuality:
        """Return what it was made with."""
        return self._quality

    def is_provisional(self) -> bool:
        """Return False: it shows a time of day."""
        return False

    def step(self, milliseconds: int) -> None:
        """Set the wall clock forward or back."""
        self.epoch_ms += milliseconds


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    """Make an ordinary test of a coroutine test: it runs in a loop of its own in virtual time.

    A task that the test leaves behind fails it.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        async def body() -> R:
            result = await test(*args, **kwargs)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            names = sorted(task.get_name() for task in left)
            assert not names, f"tasks left behind: {names}"
            return result

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(body())

    # pytest-asyncio goes by what lies under the wrapper, pytest's fixtures by the signature.
    del run.__wrapped__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run
