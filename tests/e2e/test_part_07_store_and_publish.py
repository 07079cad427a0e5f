"""Part 7 of the issue, end to end: committed before sent, delivered whatever the broker does."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import (
    depth,
    linli,
    sink_status,
    status,
    until,
    write_profile,
    write_site,
)
from tests.e2e.kit_platform import Message, Platform
from tests.e2e.kit_slave import Slave
from tests.support.certificates import Authority
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, free_port, mosquitto

PROFILE = """\
version: 1
profile: e2e/counter
vendor: test
model: counter
title: {en: Counter, zh: 计数器}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 100ms, state: 200ms}
defaults: {group: power, pii: P0, level: L1}
points:
  count: {register: 0, type: u32, unit: V, value: int}
  wet:
    table: discrete
    register: 0
    group: state
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}}]
"""
UNITS = 3
HALF_OPEN_S = 15.0
SLACK_S = 10.0
"""For a machine with other work; the promise itself is held in tests/uplink, in the loop's time."""


class Counting(Slave):
    """Every read of a unit finds its counter one higher."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[int, int] = {}
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self.counts[unit] = self.counts.get(unit, 0) + 1
        self.put(unit, 0, count >> 16, count)


@dataclass(frozen=True, slots=True)
class Field:
    """The field side of a gateway, and its folder."""

    slave: Counting
    base: Path

    def site(self, *urls: str, more: str = "") -> Path:
        """Write a site whose sinks are `platform`, `second`, … at these URLs."""
        names = ("platform", "second")
        sinks = "\n".join(
            f"  {name}: {{dialect: native, url: '{url}'{more}}}"
            for name, url in zip(names, urls, strict=False)
        )
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-07, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
{sinks}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: "em-{{n}}", each: {{n: 1..{UNITS}}}, profile: e2e/counter, bus: tcp, address: "{{n}}"}}
""",
        )


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    write_profile(tmp_path, "e2e/counter", PROFILE)
    with Counting() as slave:
        yield Field(slave, tmp_path)


@contextmanager
def away_broker(folder: Path) -> Generator[Mosquitto]:
    """Yield a broker that is down, but remembers the session of the subscriber `platform`."""
    store = folder / "broker"
    store.mkdir()
    with mosquitto(
        folder, "persistence true", f"persistence_location {store}/", "max_inflight_messages 0"
    ) as broker:
        with Platform(broker.port, name="platform"):
            pass
        broker.stop()
        yield broker


def url_of(broker: Mosquitto) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def committed(gateway: GatewayProcess, records: int) -> None:
    """Return when so many records are committed."""
    until(lambda: status(gateway)["committed"] >= records, f"{records} committed")


def delivered(gateway: GatewayProcess, sink: str = "platform") -> None:
    """Return when nothing waits that was there when we asked."""
    target = status(gateway)["outbox"]["last_seq"]

    def is_past() -> bool:
        depths = status(gateway)["outbox"]["depths"]
        return all(
            each["done_upto"] >= target or each["depth"] == 0
            for each in depths
            if each["sink"] == sink
        )

    until(is_past, f"delivery up to {target}")


def whole(platform: Platform) -> None:
    """Hold that nothing is missing and that every copy of a record is equal."""
    platform.wait(lambda: platform.auditor.lost == 0, "records are missing")
    assert platform.auditor.conflicts == 0
    assert platform.auditor.unreadable == 0
    for unit in range(1, UNITS + 1):
        entries = {
            record["seq"]: entry["v"]
            for record in platform.records()
            for entry in record.get("pts", ())
            if record["dev"] == f"em-{unit}" and entry["p"] == "count" and not record.get("snap")
        }
        counts = [v for _, v in sorted(entries.items()) if v is not None]
        assert counts == sorted(set(counts)), "counters go up with the seq"


def test_it_starts_without_a_broker_and_delivers_all(field: Field) -> None:
    with away_broker(field.base) as broker:
        with running_gateway(field.site(url_of(broker)), field.base) as gateway:
            committed(gateway, 30)
            assert not sink_status(gateway)["connected"]
            waiting = status(gateway)["outbox"]["last_seq"]
            broker.start()
            with Platform(broker.port, name="platform") as platform:
                platform.wait(lambda: platform.auditor.received >= waiting, "all that waited")
                delivered(gateway)
                assert gateway.stop() == 0
                whole(platform)
        seqs = {record["seq"] for record in platform.records()}
        assert seqs == set(range(1, max(seqs) + 1)), "from the very first record on"


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_broker_that_goes_and_comes_back_costs_nothing(field: Field, how: str) -> None:
    with away_broker(field.base) as broker:
        broker.start()
        with (
            Platform(broker.port, name="platform") as platform,
            running_gateway(field.site(url_of(broker)), field.base) as gateway,
        ):
            platform.wait(lambda: platform.auditor.received >= 20, "records")
            if how == "kill":
                os.kill(broker.pid, signal.SIGUSR1)  # it saves its sessions now, then dies
                platform.wait(lambda: platform.auditor.received >= 40, "records")
                broker.kill()
            else:
                broker.stop()
            until(lambda: not sink_status(gateway)["connected"], "the loss is noticed")
            before = depth(gateway)
            until(lambda: depth(gateway) > before + 20, "records that wait")
            broker.start()
            delivered(gateway)
            if how == "kill":
                until(lambda: platform.has_all("fc/1/e2e/gw-07"), "what was asked for again")
            assert gateway.stop() == 0
            whole(platform)


def test_what_waited_leaves_as_history_with_its_identity_and_events_go_first(
    field: Field,
) -> None:
    with away_broker(field.base) as broker:
        site = field.site(url_of(broker))
        with GatewayProcess(site, Folders(field.base)) as gateway:
            gateway.wait_ready()
            committed(gateway, 40)
            field.slave.put_bit(2, 0, is_on=True)
            until(lambda: status(gateway)["events"] == 1, "the leak")
            stored = _stored(field.base, "telemetry"), _stored(field.base, "event")
            gateway.kill()
        broker.start()
        with Platform(broker.port, name="platform") as platform:
            with running_gateway(site, field.base) as gateway:
                delivered(gateway)
            whole(platform)
        old = {(r["ep"], r["seq"]): r for r in stored[0]}
        history = {(r["ep"], r["seq"]): r for r in platform.records() if (r["ep"], r["seq"]) in old}
        assert history.keys() == old.keys()
        assert {r["k"] for r in history.values()} == {"hist"}
        for identity, record in history.items():
            kept = old[identity]
            assert (record["dev"], record["ts"]) == (kept["dev"], kept["ts"])
            assert {e["p"]: e.get("v") for e in record["pts"]} == {
                point: entry["v"] for point, entry in kept["pts"].items()
            }
        order = [m for m in platform.so_far() if _is_record(m)]
        leak = next(i for i, m in enumerate(order) if m.kind == "event")
        first_history = next(i for i, m in enumerate(order) if m.kind == "hist")
        assert leak < first_history, "the event overtakes what is older"
        raised = next(r for r in stored[1] if r["kind"] == "event")
        assert order[leak].body["seq"] == raised["seq"]


def _is_record(message: Message) -> bool:
    return message.kind == "hist" or isinstance(message.body.get("seq"), int)


def _stored(base: Path, lane: str) -> list[dict[str, Any]]:
    shown = linli(base, "outbox", "show", "--lane", lane, "--most", "100000")
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_outage_of_more_than_30_s_is_backfilled_behind_live_values(field: Field) -> None:
    with (
        away_broker(field.base) as broker,
        running_gateway(field.site(url_of(broker)), field.base) as gateway,
    ):
        committed(gateway, 1)

        def oldest_s() -> float:
            depths = status(gateway)["outbox"]["depths"]
            return max((each["oldest_age_s"] or 0.0) for each in depths)

        until(lambda: oldest_s() > 33.0, "an outage of 33 s")
        broker.start()
        with Platform(broker.port, name="platform") as platform:
            platform.wait_for("hist")
            platform.wait_for("prop", lambda p: not p.get("snap"))
            delivered(gateway)
            assert gateway.stop() == 0
            whole(platform)


def test_tls_with_a_client_certificate(field: Field) -> None:
    ours, theirs = Authority(field.base, "ours"), Authority(field.base, "theirs")
    server, known, stranger = ours.issue("127.0.0.1"), ours.issue("gw-07"), theirs.issue("gw-07")
    plain = free_port()
    with (
        mosquitto(
            field.base,
            f"cafile {ours.certificate}",
            f"certfile {server.certificate}",
            f"keyfile {server.key}",
            "require_certificate true",
            f"listener {plain} 127.0.0.1",
        ) as broker,
        Platform(plain) as platform,
    ):
        url = f"mqtts://127.0.0.1:{broker.port}"

        def tls(pair_key: Path, pair_certificate: Path) -> str:
            return (
                f", tls: {{ca: '{ours.certificate}', certificate: '{pair_certificate}', "
                f"key: {{file: '{pair_key}'}}}}"
            )

        bad = field.site(url, more=tls(stranger.key, stranger.certificate))
        with running_gateway(bad, field.base) as gateway:
            until(lambda: sink_status(gateway)["why"] not in ("", "starting"), "a reason")
            committed(gateway, 10)
            assert not sink_status(gateway)["connected"]
        assert not platform.so_far()
        good = field.site(url, more=tls(known.key, known.certificate))
        with running_gateway(good, field.base) as gateway:
            platform.wait(lambda: platform.auditor.received >= 30, "records over TLS")
            assert sink_status(gateway)["connected"]
            delivered(gateway)
            assert gateway.stop() == 0
            whole(platform)


def test_a_refused_publish_is_kept_and_shown_and_the_rest_goes_on(field: Field) -> None:
    acl = field.base / "acl"
    acl.write_text(
        "topic readwrite fc/1/e2e/gw-07/up/birth/+\n"
        "topic readwrite fc/1/e2e/gw-07/up/state/+\n"
        "topic readwrite fc/1/e2e/gw-07/up/prop/em-1\n"
        "topic read fc/1/+/+/up/#\n"
        "topic read fc/1/e2e/gw-07/dn/+/+\n",
        encoding="utf-8",
    )
    with (
        mosquitto(field.base, f"acl_file {acl}") as broker,
        Platform(broker.port) as platform,
        running_gateway(field.site(url_of(broker)), field.base) as gateway,
    ):
        platform.wait(lambda: len(platform.of("prop", "em-1")) >= 10, "the allowed topic goes on")
        until(lambda: sink_status(gateway)["refused"] >= 5, "refusals")
        assert not platform.of("prop", "em-2")
        assert sink_status(gateway)["connects"] == 1, "a refusal ends no connection"
        shown = linli(field.base, "outbox", "refused")
        assert shown.returncode == 0, shown.stderr
        refused = [json.loads(line) for line in shown.stdout.splitlines()]
        devices = {r["dev"] for r in refused if r["kind"] == "prop"}
        assert devices == {"em-2", "em-3"}
        assert {r["sink"] for r in refused} == {"platform"}
        assert all(r["reason"] for r in refused)
        assert all(r["pts"]["count"]["v"] > 0 for r in refused if "count" in r.get("pts", ()))


def test_the_will_is_said_when_it_is_killed_and_its_own_word_when_it_stops(field: Field) -> None:
    with mosquitto(field.base) as broker, Platform(broker.port) as platform:
        site = field.site(url_of(broker))
        with GatewayProcess(site, Folders(field.base)) as gateway:
            gateway.wait_ready()
            platform.wait_for("state", lambda s: s["online"], device="_")
            gateway.kill()
            lost = platform.wait_for("state", lambda s: not s["online"], device="_").body
        assert lost["reason"] == "lost"
        with running_gateway(site, field.base):
            again = len(platform.so_far())
            platform.wait_for("state", lambda s: s["online"], device="_", after=again)
        stopped = platform.wait_for("state", lambda s: not s["online"], device="_", after=again)
        assert stopped.body["reason"] == "stopped"


def test_births_and_states_are_retained_and_readings_are_not(field: Field) -> None:
    field.slave.silent.add(3)
    with (
        mosquitto(field.base) as broker,
        running_gateway(field.site(url_of(broker)), field.base) as gateway,
    ):
        with Platform(broker.port) as early:
            early.wait_for("state", lambda s: s["online"], device="em-1")
            early.wait_for("state", lambda s: not s["online"], device="em-3")
            delivered(gateway)
        with Platform(broker.port) as late:
            late.wait(
                lambda: (
                    {m.device for m in late.messages if m.kind == "birth"}
                    == {"_", "em-1", "em-2", "em-3"}
                ),
                "four births",
            )
            late.wait_for("state", lambda s: not s["online"], device="em-3")
            late.wait_for("state", lambda s: s["online"], device="em-1")
            late.wait_for("prop")
            retained = [m for m in late.so_far() if m.is_retained]
        assert {m.kind for m in retained} == {"birth", "state"}
        online = {m.device: m.body["online"] for m in retained if m.kind == "state"}
        assert online == {"_": True, "em-1": True, "em-2": True, "em-3": False}
        points = next(m for m in retained if (m.kind, m.device) == ("birth", "em-1")).body
        assert {p["id"] if "id" in p else p["p"] for p in points["pts"]} == {"count", "wet"}


def test_a_slow_second_sink_does_not_hold_the_first(field: Field) -> None:
    other = field.base / "other"
    other.mkdir()
    with (
        mosquitto(field.base) as broker,
        mosquitto(other, "max_inflight_messages 0") as slow,
        Platform(broker.port) as platform,
        Platform(slow.port) as second,
        running_gateway(field.site(url_of(broker), url_of(slow)), field.base) as gateway,
    ):
        second.wait(lambda: second.auditor.received >= 10, "the second one works")
        slow.freeze()
        first = platform.auditor.received
        platform.wait(lambda: platform.auditor.received >= first + 100, "the first goes on")
        assert depth(gateway, "second") >= 50
        delivered(gateway)
        slow.thaw()
        delivered(gateway, "second")
        assert gateway.stop() == 0
        whole(platform)
        whole(second)
        ends = [
            max(r["seq"] for r in side.records() if r["dev"] == "em-1")
            for side in (platform, second)
        ]
        assert ends[0] == ends[1]


@pytest.mark.slow
def test_a_half_open_link_is_found_within_15_s(field: Field) -> None:
    with (
        mosquitto(field.base) as broker,
        Platform(broker.port) as platform,
        running_gateway(field.site(url_of(broker)), field.base) as gateway,
    ):
        platform.wait(lambda: platform.auditor.received >= 10, "records")
        frozen_ms = status(gateway)["now"]
        broker.freeze()
        until(lambda: not sink_status(gateway)["connected"], "the silence is noticed")
        noticed = sink_status(gateway)
        broker.thaw()
        assert (noticed["since"] - frozen_ms) / 1000 <= HALF_OPEN_S + SLACK_S
        until(lambda: sink_status(gateway)["connected"], "it is back")
        delivered(gateway)
        assert gateway.stop() == 0
        whole(platform)
