"""The scripted broker of tests/support in a thread, for a gateway that is a process.

with ScriptedThread() as broker:
    broker.script.acknowledge = broker.judging(lambda got: 0x97)
    ... broker.port ...
    broker.accepted        # what it said yes to, and so what it must be held to
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from tests.support.broker import Connection, Got, Script, ScriptedBroker

START_S = 10.0
WAIT_S = 60.0
LOOK_EVERY_S = 0.02
REFUSALS = 0x80
_T = TypeVar("_T")


class ScriptedThread:
    """A scripted broker that a blocking test may look at."""

    def __init__(self, script: Script | None = None) -> None:
        """Take how it behaves; `script` may be changed while it runs."""
        self.script = script or Script()
        self.script.acknowledge = self.judging(lambda _got: 0)
        self.accepted: list[Got] = []
        self._broker = ScriptedBroker(self.script)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="scripted")

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self._broker.port}"

    @property
    def got(self) -> list[Got]:
        """All publications, in order."""
        return self._broker.got

    @property
    def connections(self) -> list[Connection]:
        """All connections, in order."""
        return self._broker.connections

    def judging(self, decide: Callable[[Got], int | None]) -> Callable[[Got], int | None]:
        """Return an `acknowledge` that keeps what it says yes to."""

        def judge(got: Got) -> int | None:
            code = decide(got)
            if code is not None and code < REFUSALS:
                self.accepted.append(got)
            return code

        return judge

    def later(self, delay_s: float) -> Callable[[Got], int | None]:
        """Return an `acknowledge` that says yes only after a while."""

        def judge(got: Got) -> int | None:
            connection = self._broker.last

            def answer() -> None:
                if not connection.is_closed:
                    self.accepted.append(got)
                    connection.acknowledge(got.mid)

            asyncio.get_running_loop().call_later(delay_s, answer)
            return None

        return judge

    def do(self, act: Callable[[], _T]) -> _T:
        """Do something in the broker's thread, and return what it gives."""

        async def doing() -> _T:
            return act()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result(START_S)

    def cut(self) -> None:
        """Close the newest connection."""
        self.do(self._broker.last.cut)

    def disconnect(self, code: int) -> None:
        """Close the newest connection, saying why."""
        self.do(lambda: self._broker.last.disconnect(code))

    def until(self, is_true: Callable[[], object], what: str) -> None:
        """Return when something holds."""
        deadline = time.monotonic() + WAIT_S
        while not is_true():
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(LOOK_EVERY_S)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._broker:
            self._ready.set()
            await self._stop.wait()
