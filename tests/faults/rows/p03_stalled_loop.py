"""P3: the event loop stands still; the watchdog is no longer fed, and a restart mends it.

First one thread is stopped (the loop hangs, the store's thread goes on), then all of the process.
The row plays the service manager: see `tests/faults/power_manager.py`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager

from tests.e2e.kit_gateway import status
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.power_house import UNITS, House, house, seen_within
from tests.faults.power_manager import Starved, StoppedThread, end_as_systemd, watch
from tests.support.gateway_process import GatewayProcess

WATCHDOG_S = 30.0
"""`WatchdogSec=` of the unit."""
SHORT_WATCHDOG_S = 2.0
START_S = 3.0


@contextmanager
def stopped_process(number: int) -> Generator[None]:
    """Stop all threads of a process."""
    os.kill(number, signal.SIGSTOP)
    yield


def run(stage: Stage) -> Verdict:
    """Stall it in both ways; then compare the books."""
    watchdog_s = SHORT_WATCHDOG_S if stage.is_short else WATCHDOG_S
    found_s: list[float] = []
    starts_s: list[float] = []
    with house(stage.folder) as at:
        for stopper in (StoppedThread, stopped_process):
            with _watched(at, watchdog_s) as gateway:
                at.received(20)
                try:
                    began = time.monotonic()
                    with stopper(gateway.process.pid):
                        _expect_starved(gateway, watchdog_s)
                        found_s.append(time.monotonic() - began)
                        end_as_systemd(gateway)
                except PermissionError as error:  # ptrace(2) may be forbidden
                    return not_here(f"ptrace: {error}")
            at.note_stored()
            starts_s.append(_start_to_first_reading(at))
        at.deliver()
        found = at.judge()
    assert found.is_clean, found.sentence()
    assert max(found_s) <= watchdog_s + 1.0
    if not stage.is_short:  # a busy machine says nothing of the product
        assert max(starts_s) <= START_S, f"start took {max(starts_s):.2f} s"
    return holds(
        f"found after {max(found_s):.1f} s of {watchdog_s:g}, first reading "
        f"{max(starts_s):.2f} s after the start; {found.sentence()}",
        found_s=[round(one, 2) for one in found_s],
        start_s=[round(one, 2) for one in starts_s],
        **found.figures(),
    )


@contextmanager
def _watched(at: House, watchdog_s: float) -> Generator[GatewayProcess]:
    with at.gateway(environment={"WATCHDOG_USEC": str(int(watchdog_s * 1e6))}) as gateway:
        gateway.wait_ready()
        gateway.wait_for(b"WATCHDOG=1")
        yield gateway


def _expect_starved(gateway: GatewayProcess, watchdog_s: float) -> None:
    try:
        watch(gateway, watchdog_s, until=lambda: False)
    except Starved:
        return


def _start_to_first_reading(at: House) -> float:
    """Return the seconds from the start of the process to its first committed reading."""
    with at.gateway() as gateway:
        began = time.monotonic()
        gateway.wait_ready()
        # What is committed before is the line that is up and its units that are online.
        seen_within(lambda: status(gateway)["committed"] > 1 + UNITS, 30.0)
        took_s = time.monotonic() - began
        ended = gateway.stop()
        assert ended == 0, f"ended with {ended}"
    at.note_stored()
    return took_s


ROW = Row(
    id="P3",
    fault="event loop stalled, process stopped",
    tool="ptrace(2) on the main thread, SIGSTOP; a supervisor of the test plays WatchdogSec=",
    must_hold="the watchdog is not fed, the restart goes on with nothing lost",
    goal="found <= 30 s, start to first committed reading <= 3 s",
    run=run,
    has_short=False,
)
