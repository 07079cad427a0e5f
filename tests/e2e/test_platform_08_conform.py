"""Part 8, end to end: the conformance kit finds what is right and what is not, with remedies."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators.clock import WallClock
from simulators.conform.check import Bench, State, Verdict, run_checks
from simulators.conform.script import HARD_VALUES, ScriptedGateway
from simulators.conform.subscriber import Story, confirms, killed, play
from simulators.mqtt5.broker import Broker
from simulators.mqtt5.connection import Connection, Gone, connected
from simulators.mqtt5.packets import Hello, Publish
from simulators.verbs.conform import CHECKS, killed_by
from tests.support.broker import Script, ScriptedBroker
from tests.support.mosquitto import mosquitto
from tests.support.payloads import checked
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
    wanted: list[dict[str, Any]]
    """The file `--expected`."""
    held: list[dict[str, Any]]
    """What the platform printed."""


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
            folders[2], third.port, "copy-1", "--json", "--patience", "0.3", "--repeat", "3"
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
    held = [json.loads(line) for line in receiver.printed]
    return Trials(first, second, platform, wanted, receiver.identities(), summary, rows, held)


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
    assert trials.platform.of("ok") == trials.platform.rows.keys() - {"killed"}
    assert trials.platform.of("skip") == {"killed"}, "no command was named"
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


async def test_a_broker_that_acknowledges_and_delivers_nothing_is_found_out() -> None:
    script = Script(properties={"session_expiry": 60})
    async with ScriptedBroker(script) as server:
        broker = Broker.of(f"mqtt://127.0.0.1:{server.port}")
        verdicts = await run_checks(Bench(broker, "fc/1/conform/x/up", "x", DENIED, 5), CHECKS)
    found = {verdict.check: verdict for verdict in verdicts}
    failed = {name for name, verdict in found.items() if verdict.state is State.FAIL}
    assert failed >= {"puback", "acl", "retained", "order", "payload", "session", "queue", "shared"}
    assert found["puback"].found == "acknowledged, but not delivered"
    assert "would count as sent" in found["acl"].found, "the access list denies in silence"
    assert found["shared"].found == "40 messages gave 0 and 0, not each once"
    assert found["session_hour"].found == "the broker grants 60 s"


async def test_a_broker_that_never_answers_a_publish_is_found_out() -> None:
    async with ScriptedBroker(Script(acknowledge=lambda _: None)) as server:
        broker = Broker.of(f"mqtt://127.0.0.1:{server.port}")
        bench = Bench(broker, "fc/1/conform/x/up", "x", DENIED)
        (order,) = await run_checks(bench, [c for c in CHECKS if c.name == "order"])
    assert (order.state, order.found) == (State.FAIL, "no answer in time")


async def test_a_broker_that_is_not_there_fails_and_is_no_crash(unused_tcp_port: int) -> None:
    bench = Bench(Broker.of(f"mqtt://127.0.0.1:{unused_tcp_port}"), "fc/1/conform/x/up", "x")
    verdicts = await run_checks(bench, CHECKS)
    assert not [v for v in verdicts if v.state is State.OK]


def _compared(folder: Path, expected: object, held: list[dict[str, Any]]) -> Told:
    """Run the kit on two files."""
    files = folder / "expected.json", folder / "held.jsonl"
    files[0].write_text(json.dumps(expected), encoding="utf-8")
    files[1].write_text("".join(f"{json.dumps(row)}\n" for row in held), encoding="utf-8")
    command = [sys.executable, "-m", "simulators.cli", "conform", "--json"]
    options = ["--expected", str(files[0]), "--held", str(files[1])]
    return told(subprocess.Popen(command + options, cwd=ROOM, stdout=subprocess.PIPE, text=True))


def test_what_our_receiver_holds_is_what_was_sent(trials: Trials, tmp_path: Path) -> None:
    found = _compared(tmp_path, trials.wanted, trials.held)
    assert found.of("ok") == {"held_all", "held_once", "held_only", "held_values"}
    assert (found.status, found.rows["held_values"]["found"][:16]) == (0, "the values of 18")


@pytest.mark.parametrize("wrong", [0.0, 9_007_199_254_740_992, 9_007_199_254_740_991.0, None])
def test_a_platform_that_misreads_a_number_is_found_out(
    trials: Trials, tmp_path: Path, wrong: float | None
) -> None:
    held = [
        {**row, "pts": [{**p, "v": wrong} if p["p"] == "ep_imp" else p for p in row["pts"]]}
        if "pts" in row else row
        for row in trials.held
    ]  # fmt: skip
    found = _compared(tmp_path, trials.wanted, held)
    assert (found.status, found.of("fail")) == (1, {"held_values"})
    assert "int 9007199254740991 of quality 192 was sent" in found.rows["held_values"]["found"]


def test_a_platform_that_loses_doubles_and_invents_is_found_out(
    trials: Trials, tmp_path: Path
) -> None:
    last = trials.held[-1]
    invented = {"gw": f"{last['gw']}-b", "ep": 1, "seq": 777}
    found = _compared(tmp_path, trials.wanted, [*trials.held[1:], last, invented])
    assert found.of("fail") == {"held_all", "held_once", "held_only"}
    assert "seq 777 of ep 1" in found.rows["held_only"]["found"]


def test_a_platform_without_values_is_not_asked_for_them(trials: Trials, tmp_path: Path) -> None:
    held = [{name: row[name] for name in ("gw", "ep", "seq")} for row in trials.held]
    found = _compared(tmp_path, trials.wanted, held)
    assert (found.status, found.of("skip")) == (0, {"held_values"})


async def test_our_receiver_that_is_killed_conforms(tmp_path: Path) -> None:
    """The command kills it, and starts it again as a supervisor would."""
    patient = ("--patience", "60")
    with mosquitto(tmp_path) as broker, Receiver(tmp_path, broker.port, "c", *patient) as receiver:
        where = f"mqtt://127.0.0.1:{broker.port}"
        again = (
            *(sys.executable, "-m", "simulators.cli", "platform", "--client-id", "c"),
            *("--broker", where, "--store", str(receiver.store), "--duration", "60", *patient),
        )
        out, pid, script = tmp_path / "out", tmp_path / "pid", tmp_path / "kill.sh"
        restart = f"{shlex.join(again)} >{out} 2>&1 &\necho $! >{pid}\n"
        line = f"kill -9 {receiver.pid}\n{restart}"
        script.write_text(line, encoding="utf-8")
        async with connected(Broker.of(where), Hello("gw")) as ours:
            await ours.subscribe("fc/1/conform/gw/dn/ack/_")
            gateway = ScriptedGateway(ours, ("fc/1/conform/gw", "gw"), WallClock(), 42)
            story = Story(gateway, "gw-b", 20.0, killed_by(["sh", str(script)]))
            assert await confirms(story)
            found = await killed(story)
        os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGTERM)
        receiver.until(lambda: "exactly_once" in out.read_text(encoding="utf-8"), "it has ended")
    assert found.endswith("records before, during and after it are confirmed")


Platform = Callable[[Connection], Coroutine[Any, Any, None]]


async def _played(
    port: int, platform: Platform, kill: Callable[[], Awaitable[None]] | None = None
) -> dict[str, Verdict]:
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
        verdicts = await play(bench, Story(gateway, "gw-b", 0.4, kill))
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


def _confirm(link: Connection, payload: bytes) -> None:
    fields = json.loads(payload)
    for record in fields.get("items", [fields]):
        body = json.dumps({"ep": record["ep"], "ranges": [[record["seq"], record["seq"]]]})
        link.send(Publish("fc/1/conform/gw/dn/ack/_", body.encode(), 1))


async def test_a_platform_that_acknowledges_before_its_commit_is_found_out_when_it_is_killed(
    tmp_path: Path,
) -> None:
    is_dead, was_killed = asyncio.Event(), asyncio.Event()

    async def early(link: Connection) -> None:
        """Acknowledge at once; lose what was not committed when it is killed."""
        while True:
            message = await link.messages.get()
            was_killed.set()
            if not is_dead.is_set():
                with suppress(ValueError, KeyError, TypeError, AttributeError):
                    _confirm(link, message.payload)

    async def kill() -> None:
        is_dead.set()
        was_killed.clear()
        await was_killed.wait()  # something came, was acknowledged, and is gone
        is_dead.clear()

    with mosquitto(tmp_path) as broker:
        found = await _played(broker.port, early, kill)
    assert found["killed"].state is State.FAIL
    assert "are lost" in found["killed"].found
    assert found["removed"].state is State.OK


async def test_a_platform_that_stumbles_over_what_it_does_not_know_is_found_out(
    tmp_path: Path,
) -> None:
    async def brittle(link: Connection) -> None:
        """Stop at the first message with a field, a value or a payload that was not foreseen."""
        while True:
            message = await link.messages.get()
            if b"weather" in message.payload:
                return
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                _confirm(link, message.payload)

    with mosquitto(tmp_path) as broker:
        found = await _played(broker.port, brittle)
    assert found["events"].state is State.OK
    assert found["future"].state is State.FAIL


async def test_a_broker_that_refuses_is_named_and_not_the_platform(tmp_path: Path) -> None:
    async def silent(_: Connection) -> None:
        await asyncio.Event().wait()

    acl = tmp_path / "acl"
    acl.write_text("topic read fc/#\n", encoding="utf-8")
    with mosquitto(tmp_path, f"acl_file {acl}") as broker:
        found = await _played(broker.port, silent)
    assert "the broker refuses fc/1/conform/gw/up/state/_ with 0x87" in found["confirms"].found


async def test_what_the_kit_says_of_itself_is_of_the_dialect(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        where = Broker.of(f"mqtt://127.0.0.1:{broker.port}")
        async with connected(where, Hello("p")) as theirs, connected(where, Hello("gw")) as ours:
            await theirs.subscribe("fc/1/+/+/up/#")
            gateway = ScriptedGateway(ours, ("fc/1/conform/gw", "gw"), WallClock(), 42)
            await gateway.born(None)
            await gateway.prop(1, None, pts=HARD_VALUES)
            await gateway.event(2, None, "door_open")
            await gateway.hist((3, 1), (4, 3))
            await gateway.gap(5, 2, 6, 7)
            said = [await theirs.next(WAIT_S) for _ in range(7)]
    kinds = [checked(one.topic, one.payload)["k"] for one in said if one is not None]
    assert kinds == ["state", "birth", "birth", "prop", "event", "hist", "gap"]


async def test_where_nobody_listens_it_is_said(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        bench = Bench(Broker.of(f"mqtt://127.0.0.1:{broker.port}"), "fc/1/conform/gw/up", "gw")
        async with connected(bench.broker, Hello("gw")) as ours:
            gateway = ScriptedGateway(ours, ("fc/1/conform/gw", "gw"), WallClock(), 42)
            verdicts = await play(bench, Story(gateway, "gw-b", 0.1))
    assert verdicts[0].found.endswith("nobody is subscribed to them")


async def test_a_connection_that_has_nothing_to_say_stays(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        where = Broker.of(f"mqtt://127.0.0.1:{broker.port}")
        async with connected(where, Hello("quiet", keepalive_s=1)) as link:
            assert await link.next(2.5) is None
            assert not link.is_over.is_set()


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
