"""Counts what was handed on and is not committed yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Promises:
    """Those of one connection. All methods belong to the loop."""

    def __init__(self) -> None:
        """Owe nothing."""
        self._open = 0
        self._none = asyncio.Event()
        self._none.set()

    def give(self) -> Callable[[], None]:
        """Return what is to be called, once, when it is committed."""
        self._open += 1
        self._none.clear()
        return self._keep

    def _keep(self) -> None:
        self._open -= 1
        if not self._open:
            self._none.set()

    async def kept(self, within_s: float) -> bool:
        """Return whether nothing is owed any more, waiting so many seconds for it."""
        try:
            async with asyncio.timeout(within_s):
                await self._none.wait()
        except TimeoutError:
            return False
        return True
