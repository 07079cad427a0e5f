"""`linli-sim demo`: start everything, show it, end it, and say how it went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from simulators.community import Community, Options, simulated
from simulators.demo.broker import Broker, BrokerMissing, broker
from simulators.demo.community import DemoSite, DemoSiteMissing, prepare
from simulators.demo.gateway import Gateway, GatewayStatus, LineLoad, gateway
from simulators.demo.screen import Picture, Screen
from simulators.ledger import Ledger
from simulators.platform import Auditor, end_watch, watch

REFRESH_S = 1.0
READY_WAIT_S = 10.0
END_WAIT_S = 10.0
WRONG_USAGE = 2


class GatewayEnded(Exception):
    """The gateway ended by itself; the text has its last words."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. `keep` is a folder for logs and state, else a temporary one."""

    duration_s: float | None = None
    is_json: bool = False
    is_embedded: bool = False
    keep: Path | None = None


@dataclass(slots=True)
class _Stage:
    """All that runs."""

    demo: DemoSite
    broker: Broker
    community: Community
    auditor: Auditor
    screen: Screen
    status: GatewayStatus | None = None
    failed: GatewayEnded | None = None


def run_demo(options: DemoOptions) -> int:
    """Run the demo; return the exit status."""
    out = sys.stderr if options.is_json else sys.stdout  # the result alone goes to stdout
    try:
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            if any(options.keep.iterdir()):
                sys.stderr.write(f"linli-sim demo: {options.keep} is not empty\n")
                return WRONG_USAGE
            return asyncio.run(_demo(options.keep, options, Screen(out)))
        with tempfile.TemporaryDirectory(prefix="linli-") as folder:
            return asyncio.run(_demo(Path(folder), options, Screen(out)))
    except (BrokerMissing, DemoSiteMissing, GatewayEnded) as exc:
        sys.stderr.write(f"linli-sim demo: {exc}\n")
        return 1


async def _demo(runtime: Path, options: DemoOptions, screen: Screen) -> int:
    stop = _stop_on_signals()
    with Ledger() as ledger:
        async with broker(runtime, embedded=options.is_embedded) as running:
            demo = prepare(runtime, running.at.port)
            simulation = Options(runtime=runtime / "ports", script=demo.script)
            async with simulated(demo.site, simulation, ledger) as community:
                stage = _Stage(demo, running, community, Auditor(ledger), screen)
                await _play(stage, runtime, options.duration_s, stop)
    if stage.failed is not None:
        raise stage.failed
    _report(stage, is_json=options.is_json)
    return 0


async def _play(
    stage: _Stage, runtime: Path, duration_s: float | None, stop: asyncio.Event
) -> None:
    sink = next(iter(stage.demo.site.sinks.values()))
    is_watching = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            watch(stage.broker.at, sink.root, stage.auditor, is_watching), name="platform"
        )
        async with asyncio.timeout(READY_WAIT_S):
            await is_watching.wait()
        async with gateway(stage.demo.path, runtime) as child:
            happenings = tasks.create_task(
                stage.community.play(stage.demo.script.happenings, stage.screen.tell),
                name="happenings",
            )
            try:
                await _show(stage, child, duration_s, stop)
            except GatewayEnded as exc:
                stage.failed = exc  # raised when everything has ended, not as one of a group
            happenings.cancel()
        # The child has ended and said all; what is still on its way comes before this message.
        async with asyncio.timeout(END_WAIT_S):
            await end_watch(stage.broker.at)


async def _show(
    stage: _Stage, child: Gateway, duration_s: float | None, stop: asyncio.Event
) -> None:
    """Refresh the screen until it is time to end.

    Raises:
        GatewayEnded: before that time.
    """
    clock = stage.community.clock
    begin = clock.monotonic()
    while not stop.is_set():
        elapsed_s = clock.monotonic() - begin
        if duration_s is not None and elapsed_s >= duration_s:
            break
        if child.has_ended:
            raise GatewayEnded(f"the gateway ended by itself:\n{child.last_words()}")
        stage.community.step()
        stage.status = await child.status() or stage.status
        stage.screen.draw(_picture(stage, elapsed_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_pause_s(duration_s, clock.monotonic() - begin)):
                await stop.wait()
    stage.status = await child.status() or stage.status


def _pause_s(duration_s: float | None, elapsed_s: float) -> float:
    return REFRESH_S if duration_s is None else max(0.0, min(REFRESH_S, duration_s - elapsed_s))


def _picture(stage: _Stage, elapsed_s: float) -> Picture:
    devices = [str(device) for device in stage.demo.site.devices]
    return Picture(elapsed_s, stage.broker.name, devices, stage.auditor, stage.status)


@dataclass(frozen=True, slots=True)
class _Tally:
    """How it went, in the words of the contract."""

    taken: int
    committed: int
    received: int
    lost: int


def _tally(stage: _Stage) -> _Tally:
    """Count at the end.

    The gateway commits once more while it stops, after its last status: what was received was
    committed. What it had committed by then must have come, with the broker up all the time.
    """
    auditor, status = stage.auditor, stage.status
    known = auditor.received + auditor.lost
    committed = known if status is None else max(known, status.committed)
    taken = 0 if status is None else status.taken
    return _Tally(taken, committed, auditor.received, committed - auditor.received)


def _report(stage: _Stage, *, is_json: bool) -> None:
    tally, auditor = _tally(stage), stage.auditor
    lines: tuple[LineLoad, ...] = () if stage.status is None else stage.status.lines
    if is_json:
        result = {
            "devices": len(stage.demo.site.devices),
            **asdict(tally),
            "duplicate": auditor.duplicates,
            "false": auditor.false_count,
            "lines": [asdict(line) for line in lines],
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write(
        f"\nThe demo has ended. {len(stage.demo.site.devices)} devices: {tally.taken} readings"
        f" taken, {tally.committed} records committed, {tally.received} received,"
        f" {tally.lost} lost, {auditor.duplicates} duplicate, {auditor.false_count} false.\n"
    )
    for line in lines:
        sys.stdout.write(f"line {line.name}: load {line.load_percent} %, errors {line.errors}\n")
    for wrong in auditor.false:
        sys.stdout.write(f"false: {wrong.device}/{wrong.point} = {wrong.value} at {wrong.ts_ms}\n")


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
