"""Planted faults: what a careless gateway would do. The simulation must find each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any
from unittest.mock import patch

from gateway.bus.quarantine import Quarantine
from gateway.model.publication import Publication
from tests.virtual.broker import SimSession
from tests.virtual.world import World

SYNC_EVERY_S = 20.0


class _TooEarly(SimSession):
    """Counts a message as delivered when it was sent."""

    def send(self, publication: Publication, size: int) -> None:
        super().send(publication, size)
        flight = next(reversed(self.in_flight.values()))
        self._loop.call_soon(self._owner.acknowledged, flight, 0, "")


class _Deaf(SimSession):
    """Takes every acknowledgement for a good one."""

    def _answer(self, answers: list[tuple[int, int]]) -> None:
        super()._answer([(mid, 0) for mid, _ in answers])


def early_progress(world: World) -> None:
    """Save progress before the acknowledgement came."""
    world.make_sim_session = _TooEarly


def deaf(world: World) -> None:
    """Ignore reason codes; the broker is over its quota for a minute."""
    world.make_sim_session = _Deaf
    loop = asyncio.get_running_loop()
    for broker in world.brokers.values():
        broker.answers, broker.answer_share = 0x97, 0.2
        loop.call_later(60.0, setattr, broker, "answers", 0)


def not_synced(world: World) -> None:
    """Lose at a power cut what was written since the last flush of the system."""
    loop = asyncio.get_running_loop()
    kept: list[Path] = []

    def flush() -> None:
        kept.append(world.folder / f"flushed-{len(kept)}")
        copytree(world.state, kept[-1])
        loop.call_later(SYNC_EVERY_S, flush)

    def older(following: Path) -> Path:
        state = following.with_name(f"older-{world.lives}")
        copytree(kept[-1], state)
        return state

    loop.call_later(SYNC_EVERY_S, flush)
    world.lead = older


def very_late(world: World) -> None:
    """Let three of ten replies come too late: no sabotage, what the guard is there for."""
    for line in world.lines.values():
        line.fault_share, line.kinds = 0.3, ("very_late",)


@contextmanager
def no_late_reply_guard() -> Generator[None]:
    """Believe a reply that came too late as the one to the next request."""

    def nothing(*_: Any, **__: Any) -> None:
        return

    with patch.object(Quarantine, "gave_up", nothing):
        yield


PLANTS: dict[str, Callable[[World], None]] = {
    "early-progress": early_progress,
    "deaf": deaf,
    "not-synced": not_synced,
}
