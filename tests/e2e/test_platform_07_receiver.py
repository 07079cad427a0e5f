"""Part 7, end to end: the receiving end loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from simulators.cli import main
from simulators.mqtt5.broker import Broker
from simulators.mqtt5.connection import connected
from simulators.mqtt5.packets import Hello, Publish
from simulators.receiver.session import Denied, Session, Subscribed
from tests.faults.contract import Judgement, Stage
from tests.faults.rows import r01_receiver_outage
from tests.simulators.test_receiver_influx import Database
from tests.support.broker import Script, ScriptedBroker
from tests.support.certificates import Authority
from tests.support.mosquitto import Mosquitto, free_port, mosquitto
from tests.support.receivers import (
    IMPATIENT,
    Receiver,
    committed,
    fleet,
    landed,
    started_fleet,
)

LONG = ("--patience", "120")
"""The broker gives again what a copy had not acknowledged: no gateway needs to be asked."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path, "max_inflight_messages 1000") as broker:
        yield broker


def exactly_once(receiver: Receiver, folder: Path) -> None:
    """Hold that the store has every identity that the fleet committed, once each, and no other."""
    wanted = list(committed(folder))
    receiver.until(lambda: receiver.count() >= len(wanted), f"{len(wanted)} records")
    assert receiver.identities() == wanted


def test_two_copies_split_the_load_and_lose_nothing_when_one_is_killed(
    broker: Mosquitto, tmp_path: Path
) -> None:
    options = ("--gateways", "40", "--records", "60", "--rate", "20", "--linger", "0.5")
    with (
        Receiver(tmp_path, broker.port, "copy-1", *LONG) as first,
        Receiver(tmp_path, broker.port, "copy-2", *LONG) as second,
    ):
        flying = started_fleet(broker.port, tmp_path, *options)
        second.until(lambda: second.count() > 600, "both at work")
        first.kill()
        went = second.count()
        second.until(lambda: second.count() > went + 200, "the survivor goes on")
        with Receiver(tmp_path, broker.port, "copy-1", *LONG) as returned:
            did = landed(flying)
            exactly_once(second, tmp_path)
            summary = returned.stop()
    assert did["records"] == 40 * 62
    assert summary["exactly_once"] is True
    assert summary["records"] == did["records"]
    assert summary["requests"] == 0, "the broker gave the work again, no gateway was asked"
    shares = {name: copy["records"] for name, copy in summary["copies"].items()}
    assert sum(shares.values()) == did["records"]
    assert min(shares.values()) > did["records"] // 4, shares


def test_a_thousand_gateways_are_received_and_what_was_lost_is_asked_for(
    broker: Mosquitto, tmp_path: Path
) -> None:
    options = ("--gateways", "1000", "--records", "2", "--rate", "0", "--points", "5")
    faults = ("--lose", "0.1", "--double", "0.1", "--linger", "600")
    with Receiver(tmp_path, broker.port, "copy-1", *IMPATIENT) as receiver:
        flying = started_fleet(broker.port, tmp_path, *options, *faults)
        receiver.until(lambda: receiver.count() == 1000 * 4, "all, also what was lost on its way")
        flying.terminate()
        did = landed(flying)
        exactly_once(receiver, tmp_path)
        summary = receiver.stop()
    assert did["lost"] > 100
    assert did["doubled"] > 100
    assert did["connects"] == 1000
    assert summary["exactly_once"] is True
    assert (summary["stores"], summary["missing"], summary["conflicts"]) == (1000, 0, 0)
    assert summary["records"] == did["records"]
    assert summary["duplicates"] >= did["doubled"]
    assert receiver.said[-1].split(": ", 1)[1].startswith("every identity exactly once: 4,000")


def test_what_a_broker_loses_in_a_crash_is_asked_for_again(
    broker: Mosquitto, tmp_path: Path
) -> None:
    options = ("--gateways", "5", "--records", "80", "--rate", "40", "--linger", "600")
    with Receiver(tmp_path, broker.port, "copy-1", *IMPATIENT) as receiver:
        flying = started_fleet(broker.port, tmp_path, *options)
        receiver.until(lambda: receiver.count() > 100, "it runs")
        broker.kill()  # it keeps nothing on disk: sessions and what was in them are gone
        broker.start()
        receiver.until(lambda: receiver.count() == 5 * 82, "all")
        flying.terminate()
        did = landed(flying)
        exactly_once(receiver, tmp_path)
        summary = receiver.stop()
    assert did["connects"] == 10
    assert summary["connects"] == 2
    told = [line.partition(": ")[2] for line in receiver.said[1:-1]]
    ended = f"no connection to 127.0.0.1:{broker.port}: the connection ended"
    assert told == [f"{ended}; it is tried again and again", "connected again"]
    assert summary["exactly_once"] is True


@dataclass(frozen=True, slots=True)
class Secured:
    """A broker that speaks TLS only, to who knows the password."""

    url: str
    """Without the password."""
    with_password: str
    ca: tuple[str, str]
    password: tuple[str, str]


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    authority = Authority(tmp_path / "certificates", "ca")
    server = authority.issue("localhost")
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    secret.write_text("p:/w\n", encoding="utf-8")
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "platform", "p:/w"], check=True)
    port = free_port()
    lines = (
        f"password_file {passwords}", "allow_anonymous false", f"listener {port} 127.0.0.1",
        f"cafile {authority.certificate}", f"certfile {server.certificate}",
        f"keyfile {server.key}",
    )  # fmt: skip
    with mosquitto(tmp_path, *lines):
        yield Secured(
            f"mqtts://platform@localhost:{port}",
            f"mqtts://platform:p%3A%2Fw@localhost:{port}",
            ("--ca", str(authority.certificate)),
            ("--password-file", str(secret)),
        )


def test_records_are_confirmed_printed_and_written_to_influxdb_once_each_over_tls(
    secured: Secured, tmp_path: Path
) -> None:
    database = Database()
    options = ("--gateways", "3", "--records", "10", "--rate", "0", "--points", "1")
    faults = ("--double", "0.5", "--ack", "app", "--linger", "60")
    passes = ("--json", "--influx", database.url, "--influx-db", "linli")
    known = (*secured.ca, *secured.password)
    try:
        with Receiver(tmp_path, secured.url, "copy-1", *passes, *known) as receiver:
            did = fleet(secured.with_password, tmp_path, *options, *faults, *secured.ca)
            exactly_once(receiver, tmp_path)
            summary = receiver.stop()
    finally:
        database.close()
    assert did["confirmed"] == did["records"] == 36, "after the commit, as the births ask for it"
    printed: list[dict[str, Any]] = [json.loads(line) for line in receiver.printed]
    identities = sorted((one["gw"], one["ep"], one["seq"]) for one in printed)
    assert identities == list(committed(tmp_path))
    assert len(database.lines) == summary["influx_lines"] == did["records"]
    assert main(["conform", secured.url, *known, "--only", "puback"]) == 0


@pytest.mark.parametrize("leaver", [("copy-2", "--leave"), ("",)])
def test_a_copy_that_leaves_or_has_no_name_leaves_nothing_that_takes_its_share(
    broker: Mosquitto, tmp_path: Path, leaver: tuple[str, ...]
) -> None:
    options = ("--gateways", "2", "--records", "20", "--rate", "0", "--linger", "0")
    with Receiver(tmp_path, broker.port, "copy-1", "--lines", *LONG) as stays:
        with Receiver(tmp_path, broker.port, *leaver, *LONG) as leaves:
            leaves.stop()
        fleet(broker.port, tmp_path, *options)
        exactly_once(stays, tmp_path)
        summary = stays.stop()
    assert summary["requests"] == 0, "the broker kept nothing for the copy that is gone"
    heads = [line.split(" ")[0] for line in stays.printed]
    assert len(heads) == 2 * 22, "a line of line protocol for each record"
    assert "meter.electricity,site=fleet,gw=gw-00001,dev=em-01" in heads


HOSTILE = (
    b"{", b"\xff", b"[" * 100_000, b"[]", b'{"v": NaN}', b'{"v": "1.0", "gw": "gw-x", "seq": 1}',
    b'{"v": "1.0", "gw": "evil", "items": [{"ep": 1, "seq": 1, "ts": 1, "pts": "\\ud800"}]}',
    b'{"v": "1.0", "gw": "evil", "ep": 1, "seq": 1, "ts": 1, "dev": "\\udfff"}',
    b'{"v": "1.0", "gw": "evil", "items": [{"ep": 1, "seq": 1, "ts": 1, "x": 1e999}]}',
    *(
        b'{"v": "1.0", "gw": "evil", "items": [{"ep": 1, "seq": 1, "ts": 1, "x": %s%s}]}'
        % (b"[" * depth, b"]" * depth)
        for depth in range(900, 1000)
    ),
)  # fmt: skip
"""The last hundred: one of them is deep enough to be read and too deep to be written again."""
STRANGE = tuple(
    b'{"v": "1.0", "gw": "evil", "ep": 1, "seq": %d, %s}' % (seq, rest)
    for seq, rest in (
        (1, b'"ts": 1, "pts": [{"p": "a", "v": 1e999}, 3, null]'),
        (2, b'"ts": 9007199254740991, "pv": 2, "pts": {}'),
        (3, b'"ts": 0, "pts": [{"p": "x\\n,= y", "v": "\\u0000\\n"}]'),
    )
)


def test_hostile_messages_stop_neither_the_receiver_nor_what_follows_it(
    broker: Mosquitto, tmp_path: Path
) -> None:
    database = Database()
    passes = ("--json", "--influx", database.url, "--influx-db", "linli", *LONG)

    async def speak() -> None:
        url = f"mqtt://127.0.0.1:{broker.port}"
        async with connected(Broker.of(url), Hello("evil")) as link:
            for kind in ("prop", "birth", "gap", "state", "event"):
                for payload in (*HOSTILE, *STRANGE) if kind == "prop" else HOSTILE:
                    await link.publish(Publish(f"fc/1/s/evil/up/{kind}/_", payload, 1))

    options = ("--gateways", "2", "--records", "5", "--rate", "0", "--linger", "0")
    try:
        with Receiver(tmp_path, broker.port, "copy-1", *passes) as receiver:
            asyncio.run(speak())
            fleet(broker.port, tmp_path, *options)
            receiver.until(lambda: receiver.count() == 2 * 7 + len(STRANGE), "all")
            summary = receiver.stop()
    finally:
        database.close()
    assert [json.loads(line)["gw"] for line in receiver.printed].count("evil") == len(STRANGE)
    assert summary["unreadable"] >= 5 * len(HOSTILE), "births and states come twice"
    assert summary["exactly_once"] is True
    assert sum("gw=gw-0000" in line for line in database.lines) == 2 * 7


def test_a_receiver_that_may_not_ask_says_so(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    rules = "topic readwrite fc/1/+/+/up/#\ntopic read fc/1/+/+/dn/#\n"
    acl.write_text(rules, encoding="utf-8")
    options = ("--gateways", "1", "--records", "20", "--rate", "0", "--linger", "600")
    with (
        mosquitto(tmp_path, f"acl_file {acl}") as broker,
        Receiver(tmp_path, broker.port, "copy-1", *IMPATIENT) as receiver,
    ):
        flying = started_fleet(broker.port, tmp_path, *options, "--lose", "0.5")
        told = "refuses what we say on …/dn/ack/_: Not authorized (0x87)"
        receiver.until(lambda: any(told in line for line in receiver.said), told)
        receiver.until(lambda: receiver.asked("SELECT max(asked) FROM missing")[0][0] > 1, "again")
        flying.terminate()
        landed(flying)
    assert sum(told in line for line in receiver.said) == 1


def test_a_broker_that_refuses_us_ends_the_receiver_with_its_reason(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "allow_anonymous false") as broker,
        pytest.raises(AssertionError, match=r"the broker refuses us: Not authorized \(0x87\)"),
        Receiver(tmp_path, broker.port),
    ):
        pass


async def test_a_broker_that_grants_no_qos_1_ends_the_receiver_with_its_reason() -> None:
    async with ScriptedBroker(Script(suback=0)) as broker:
        url = Broker.of(f"mqtt://127.0.0.1:{broker.port}")
        session = Session(url, Subscribed("c", "fc", "linli"), monotonic)

        def receive() -> None:
            while True:
                session.gather(1, 0.1)

        why = r"does not give us QoS 1 of \$share/linli/fc/1/\+/\+/up/#: Granted QoS 0 \(0x00\)"
        with pytest.raises(Denied, match=why):
            await asyncio.to_thread(receive)
        session.close(is_leaving=True)


def test_a_broker_that_is_not_there_is_told_once(unused_tcp_port: int) -> None:
    said: list[str] = []
    broker = Broker.of(f"mqtt://127.0.0.1:{unused_tcp_port}")
    session = Session(broker, Subscribed("c", "fc", "linli"), monotonic, said.append)
    for _ in range(6):
        assert session.gather(1, 0.1) == ()
    session.close(is_leaving=False)
    (told,) = said
    assert told.startswith(f"no connection to 127.0.0.1:{unused_tcp_port}: ")
    assert "refused" in told


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_day_of_outage_with_power_cuts_ends_with_every_identity_once(tmp_path: Path) -> None:
    found = r01_receiver_outage.run(Stage(tmp_path, 1, is_short=True))
    if found.judgement is Judgement.NOT_HERE:
        pytest.skip(found.figure)
    assert found.judgement is Judgement.HOLDS, found.figure
    assert found.figures["duplicates"] >= 0
