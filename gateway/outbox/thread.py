"""The way from the event loop to the store's thread and back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

FINISH_S = 1.0
"""What a cancelled caller waits at most for work that has begun; a stop has five in all."""
_T = TypeVar("_T")


class StoreThread:
    """One thread, or the executor handed in, which a simulation runs inside the loop."""

    def __init__(self, executor: Executor | None) -> None:
        """Take the executor; it must run one job at a time, in order."""
        self._own = ThreadPoolExecutor(1, "outbox") if executor is None else None
        self._executor = executor or self._own
        self._begun: deque[float] = deque()
        """Loop times at which the jobs that are not finished were given, oldest first."""

    def heartbeat(self, now: float) -> float:
        """Return since when the oldest job waits for its end; `now` when there is none."""
        return self._begun[0] if self._begun else now

    async def run(self, work: Callable[[], _T], then: Callable[[_T], None] | None = None) -> _T:
        """Return what `work` returned in the thread, after `then` took it in the loop.

        What was begun happens: when the caller is cancelled, `then` is called all the same before
        the cancellation goes on, so that memory and disk never disagree.
        """
        loop = asyncio.get_running_loop()
        self._begun.append(loop.time())
        future = loop.run_in_executor(self._executor, work)
        future.add_done_callback(lambda _: self._begun.popleft())
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError:
            await asyncio.wait((future,), timeout=FINISH_S)
            if then is not None and future.done() and future.exception() is None:
                then(future.result())
            raise
        result = future.result()
        if then is not None:
            then(result)
        return result

    def stop(self) -> None:
        """End the thread, if it is ours."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
