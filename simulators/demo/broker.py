"""A broker for the demo on a free port of the loopback: mosquitto, else the embedded one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.platform import BrokerAddress

LOOPBACK = "127.0.0.1"
START_WAIT_S = 15.0
RETRY_S = 0.05
STOP_WAIT_S = 5.0

MOSQUITTO_CONF = """\
listener {port} {host}
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
"""
AMQTT_CONF = """\
listeners:
  default: {{type: tcp, bind: "{host}:{port}"}}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin: {{allow_anonymous: true}}
"""


class BrokerMissing(Exception):
    """No broker could be started; the text says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    name: str
    at: BrokerAddress


@asynccontextmanager
async def broker(runtime: Path, *, embedded: bool = False) -> AsyncGenerator[Broker]:
    """Run a broker while the block runs; its log is `broker.log` in `runtime`.

    Raises:
        BrokerMissing: it did not start.
    """
    port = free_port()
    program = None if embedded else _mosquitto()
    name = "amqtt" if program is None else "mosquitto"
    settings = runtime / f"{name}.conf"
    template = AMQTT_CONF if program is None else MOSQUITTO_CONF
    settings.write_text(template.format(host=LOOPBACK, port=port), encoding="utf-8")
    command = (
        [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(settings)]
        if program is None
        else [program, "-c", str(settings)]
    )
    with (runtime / "broker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        await _wait_for_port(process, port, runtime / "broker.log")
        yield Broker(name, BrokerAddress(LOOPBACK, port, has_mqtt5=program is not None))
    finally:
        await stop_process(process, STOP_WAIT_S)


async def stop_process(process: asyncio.subprocess.Process, patience_s: float) -> int:
    """Ask a child to end, make it end after a time; return its exit status."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(patience_s):
            return await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


async def _wait_for_port(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(START_WAIT_S):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        pass
    raise BrokerMissing(f"the broker did not start: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-500:]
