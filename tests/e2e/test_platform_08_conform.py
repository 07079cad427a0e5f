"""Part 8, end to end: the conformance kit finds what is right and what is not, with remedies."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators.clock import WallClock
from simulators.conform.check import Bench, State, Verdict, run_checks
from simulators.conform.script import ScriptedGateway
from simulators.conform.subscriber import Story, play
from simulators.mqtt5.broker import Broker
from simulators.mqtt5.connection import Connection, Gone, connected
from simulators.mqtt5.packets import Hello, Publish
from simulators.verbs.conform import CHECKS
from tests.support.broker import Script, ScriptedBroker
from tests.support.mosquitto import mosquitto
from tests.support.receivers import ROOM, Receiver

DENIED = "fc/1/other/gw-99/up/prop/em-01"
BAD = ("max_queued_messages 100", "max_packet_size 20000", "retain_available false")
CHOSEN = ("puback", "order", "payload", "queue", "retained", "acl")
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of the kit said."""

    status: int
    rows: dict[str, dict[str, Any]]
    """Verdicts by check."""

    def of(self, *states: str) -> set[str]:
        """Return the checks with one of these verdicts."""
        return {name for name, row in self.rows.items() if row["state"] in states}


@dataclass(frozen=True, slots=True)
class Trials:
    """Three runs of the kit, made beside each other because most of it is waiting."""

    good: Told
    bad: Told
    platform: Told
    expected: set[tuple[str, int, int]]
    """Identities that the platform must hold after its trial."""
    kept: list[tuple[str, int, int]]
    summary: dict[str, Any]


def started(port: int, *options: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "simulators.cli", "conform", f"mqtt://127.0.0.1:{port}")
    return subprocess.Popen(
        [*command, "--json", *options], cwd=ROOM, stdout=subprocess.PIPE, text=True
    )


def told(process: subprocess.Popen[str]) -> Told:
    out, _ = process.communicate(timeout=WAIT_S)
    said = json.loads(out)
    assert said["conforms"] is (process.returncode == 0)
    return Told(process.returncode, {row["check"]: row for row in said["checks"]})


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    folders = [tmp_path_factory.mktemp(name) for name in ("good", "bad", "platform")]
    acl, expected = folders[0] / "acl", folders[2] / "expected.json"
    topics = ("fc/1/conform/#", "$oc/#", "$sys/#")
    acl.write_text("".join(f"topic readwrite {topic}\n" for topic in topics), encoding="utf-8")
    with (
        mosquitto(folders[0], f"acl_file {acl}") as good,
        mosquitto(folders[1], *BAD) as bad,
        mosquitto(folders[2]) as third,
        Receiver(
            folders[2], third.port, "copy-1", "--patience", "0.3", "--repeat", "3"
        ) as receiver,
    ):
        running = [
            started(good.port, "--acl", DENIED),
            started(bad.port, "--only", *CHOSEN, "--acl", DENIED, "--queue", "300"),
            started(third.port, "--subscriber", "--patience", "2", "--expected", str(expected)),
        ]
        first, second, platform = (told(process) for process in running)
        summary = receiver.stop()
    rows = json.loads(expected.read_text(encoding="utf-8"))
    wanted = {(row["gw"], row["ep"], row["seq"]) for row in rows}
    return Trials(first, second, platform, wanted, receiver.identities(), summary)


def test_a_well_set_mosquitto_conforms(trials: Trials) -> None:
    good = trials.good
    assert good.status == 0, good.rows
    assert len(good.rows) == len(CHECKS)
    # The mosquitto of Debian 12 hangs up without a word when a client id is used twice.
    assert good.of("warn", "skip") <= {"taken_over"}
    assert "0x87" in good.rows["acl"]["found"]
    assert "0x10" in good.rows["unheard"]["found"]
    assert all(row["remedy"] is None for row in good.rows.values() if row["state"] == "ok")


def test_a_badly_set_mosquitto_fails_where_it_is_bad_and_is_told_the_remedy(
    trials: Trials,
) -> None:
    bad = trials.bad
    assert bad.status == 1
    assert bad.of("ok") == {"puback", "order"}
    assert bad.of("fail") == {"payload", "queue", "retained", "acl"}
    assert "max_queued_messages" in bad.rows["queue"]["remedy"]
    assert "max_packet_size" in bad.rows["payload"]["remedy"]
    assert "20000" in bad.rows["payload"]["found"]


def test_our_receiver_is_a_platform_that_conforms(trials: Trials) -> None:
    assert trials.platform.status == 0, trials.platform.rows
    assert trials.platform.of("ok") == trials.platform.rows.keys()
    assert len(trials.kept) == len(trials.expected)
    assert set(trials.kept) == trials.expected, "its store is as the kit says it must be"
    summary = trials.summary
    assert summary["exactly_once"] is True
    assert (summary["duplicates"], summary["stores"], summary["told"]) == (1, 2, 1)


async def test_a_broker_without_mqtt_5_fails_every_check_and_says_why() -> None:
    script = Script(levels=frozenset({4}), refusal=1)  # as one that only knows 3.1.1 refuses
    async with ScriptedBroker(script) as server:
        broker = Broker.of(f"mqtt://127.0.0.1:{server.port}")
        bench = Bench(broker, "fc/1/conform/x/up", "x")
        verdicts = await run_checks(bench, CHECKS)
    assert {v.state for v in verdicts} == {State.FAIL, State.WARN, State.SKIP}
    (version,) = [v for v in verdicts if v.check == "version"]
    assert version.state is State.FAIL
    assert "3.1.1" in (version.remedy or "")


async def test_a_broker_that_is_not_there_fails_and_is_no_crash(unused_tcp_port: int) -> None:
    bench = Bench(Broker.of(f"mqtt://127.0.0.1:{unused_tcp_port}"), "fc/1/conform/x/up", "x")
    verdicts = await run_checks(bench, CHECKS)
    assert not [v for v in verdicts if v.state is State.OK]


async def _played(port: int, platform: Any) -> dict[str, Verdict]:
    """Play the story to a platform that is a coroutine on a connection of its own."""
    broker = Broker.of(f"mqtt://127.0.0.1:{port}")
    bench = Bench(broker, "fc/1/conform/gw/up", "gw")
    async with (
        connected(broker, Hello("platform")) as theirs,
        connected(broker, Hello("gw")) as ours,
        asyncio.TaskGroup() as tasks,
    ):
        await theirs.subscribe("fc/1/+/+/up/#")
        await ours.subscribe("fc/1/conform/gw/dn/ack/_", "fc/1/conform/gw-b/dn/ack/_")
        playing = tasks.create_task(platform(theirs), name="platform")
        gateway = ScriptedGateway(ours, ("fc/1/conform/gw", "gw"), WallClock(), 42)
        verdicts = await play(bench, Story(gateway, "gw-b", 0.4))
        playing.cancel()
    return {verdict.check: verdict for verdict in verdicts}


async def test_a_platform_that_confirms_by_the_newest_and_asks_for_nothing_is_found_out(
    tmp_path: Path,
) -> None:
    async def careless(link: Connection) -> None:
        """Confirm all up to the newest, believe any `gw`, count by `seq` alone."""
        while True:
            message = await link.messages.get()
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                fields = json.loads(message.payload)
                for record in fields.get("items", [fields]):
                    body = json.dumps({"ep": record["ep"], "ranges": [[1, int(record["seq"])]]})
                    topic = f"fc/1/conform/{fields['gw']}/dn/ack/_"
                    link.send(Publish(topic, body.encode(), 1))

    with mosquitto(tmp_path) as broker:
        found = await _played(broker.port, careless)
    assert found["confirms"].state is State.OK
    assert found["asks"].state is State.FAIL
    assert found["late"].state is State.SKIP
    assert found["forged"].state is State.FAIL
    assert found["nothing_else"].state is State.FAIL
    assert "13" in found["nothing_else"].found
    assert found["nothing_else"].remedy


async def test_a_platform_that_says_nothing_fails_only_what_it_can_be_blamed_for(
    tmp_path: Path,
) -> None:
    async def silent(_: Connection) -> None:
        await asyncio.Event().wait()

    with mosquitto(tmp_path) as broker:
        found = await _played(broker.port, silent)
    failed = {name for name, verdict in found.items() if verdict.state is State.FAIL}
    assert failed == {"confirms", "asks"}
    assert found["stops"].state is State.OK


async def test_what_the_broker_says_at_the_end_of_a_connection_is_kept() -> None:
    async with ScriptedBroker() as server:
        broker = Broker.of(f"mqtt://127.0.0.1:{server.port}")
        async with connected(broker, Hello("me")) as link:
            server.last.disconnect(0x8E)
            await link.is_over.wait()
            assert link.ended_with == 0x8E
            with pytest.raises(Gone) as gone:
                await link.publish(Publish("a", b"", 1))
            assert gone.value.code == 0x8E
