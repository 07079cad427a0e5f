"""P6: too little memory and too few descriptors, under load and with a platform that hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.e2e.kit_gateway import until
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.power_house import House, house
from tests.faults.power_limits import NoLimit, memory_limit, peak_bytes
from tests.support.gateway_process import GatewayProcess

MODULE = "tests.faults.power_limits"
OVER_BASE = 64 << 20
DESCRIPTORS = 40
CLIENTS = 60
UNITS = 8


def run(stage: Stage) -> Verdict:
    """Both limits, one after the other, on one store; then compare the books."""
    with house(stage.folder, units=UNITS, subscriber="books") as at:
        try:
            base, peak, mem_ends = _little_memory(at, stage)
        except NoLimit as why:
            return not_here(str(why))
        fd_ends, most = _few_descriptors(at, stage)
        at.deliver()
        found = at.judge()
    # A minute of events waited, so newer ones went first: the rule of `gateway.outbox.feed`.
    assert replace(found, out_of_order=()).is_clean, found.sentence()
    assert mem_ends <= 1, "more than one restart for want of memory"
    assert fd_ends == 0, "it ended for want of descriptors"
    return holds(
        f"{base >> 20} MiB + 64: peak {peak >> 20} MiB, {mem_ends} restarts; {most} of "
        f"{DESCRIPTORS} descriptors, {fd_ends} restarts; {found.sentence()}",
        base_bytes=base,
        peak_bytes=peak,
        restarts=mem_ends + fd_ends,
        **found.figures(),
    )


def _little_memory(at: House, stage: Stage) -> tuple[int, int, int]:
    """Return resident bytes of an unlimited gateway, the peak inside the limit, and its ends."""
    with at.gateway() as gateway:
        gateway.wait_ready()
        at.received(100)
        base = _resident_bytes(gateway.process.pid)
        assert gateway.stop() == 0
    at.note_stored()
    ends = 0
    with memory_limit(f"linli-{os.getpid()}", base + OVER_BASE) as folder:
        with at.gateway(module=MODULE, environment={"LIMIT_CGROUP": str(folder)}) as gateway:
            gateway.wait_ready()
            at.broker.freeze()
            try:
                began, polls = time.monotonic(), at.polls()
                until(lambda: time.monotonic() - began > stage.times(60, 4), "the platform hangs")
                assert at.polls() > polls + 100 or gateway.process.poll() is not None
            finally:
                at.broker.thaw()
            if gateway.process.poll() is not None:
                ends += 1
            else:
                at.received(100)
                assert gateway.stop() == 0
        peak = peak_bytes(folder)
    at.note_stored()
    return base, peak, ends


def _few_descriptors(at: House, stage: Stage) -> tuple[int, int]:
    """Return how often it ended, and the most descriptors that it had."""
    limit = {"LIMIT_NOFILE": str(DESCRIPTORS)}
    with at.gateway(module=MODULE, environment=limit) as gateway, ExitStack() as clients:
        gateway.wait_ready()
        at.received(50)
        for _ in range(CLIENTS):
            client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(0.2)
            try:
                client.connect(str(gateway.folders.control_socket))
            except (TimeoutError, BlockingIOError):
                break  # its queue is full, as it should be
        until(lambda: _descriptors(gateway) >= DESCRIPTORS - 1, "no descriptor is left")
        most = _descriptors(gateway)
        gateway.process.send_signal(signal.SIGHUP)  # a reload wants descriptors too
        at.broker.restart()  # and so does a new connection
        _goes_on(at, gateway, seconds=stage.times(20, 2))
        clients.close()
        at.received(50)  # connected again without a restart
        ends = int(gateway.process.poll() is not None)
        assert gateway.stop() == 0
    at.note_stored()
    return ends, most


def _goes_on(at: House, gateway: GatewayProcess, *, seconds: float) -> None:
    """Hold that the field is polled on for so long."""
    began, polls = time.monotonic(), at.polls()
    until(
        lambda: gateway.process.poll() is not None or time.monotonic() - began > seconds,
        "time passes",
    )
    assert gateway.process.poll() is None, "it ended"
    assert at.polls() - polls > 5 * seconds, "the field is polled on"


def _resident_bytes(number: int) -> int:
    for line in Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def _descriptors(gateway: GatewayProcess) -> int:
    return len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir()))


ROW = Row(
    id="P6",
    fault="64 MiB of memory over the base with a platform that hangs; 40 descriptors, all taken",
    tool="cgroup memory controller; RLIMIT_NOFILE and clients of the control socket",
    must_hold="it degrades, at most one restart, nothing committed is lost",
    goal="0 lost, <= 1 restart",
    run=run,
    has_short=False,
)
