"""Part 5 of the platform's side, end to end: a site configuration from afar, logs and bundles."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from base64 import b64decode
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import linli, status, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.letters import SECRET, hash_of_files, letter
from tests.support.mosquitto import Mosquitto, mosquitto

PROFILE = """\
version: 1
profile: e2e/pump
vendor: test
model: pump
title: {en: Pump, zh: 水泵}
kind: io.module
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float}
"""
HEAD = """\
version: 1
gateway: {{id: gw-05, site: e2e, clock: trusted, operator: 王小明}}
remote: {{secret: {{credential: remote}}, watch: {watch}}}
store: {{commit_every: 50ms}}
defaults: {{timeout: 1s, retries: 0, offline_after: 2}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}", options: {{ask_time_s: 1}}}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave}"}}
"""
ONE = """\
devices:
  - {id: pump-1, profile: e2e/pump, bus: tcp, address: 1, title: 浙A12345}
"""
TWO = ONE + "  - {id: pump-2, profile: e2e/pump, bus: tcp, address: 2}\n"
DEAD = ONE.replace("address: 1", "address: 9")
TOPIC = "fc/1/e2e/gw-05/dn/cfg/_"
HOUR_MS = 3_600_000
SILENT = 9
AHEAD_MS = 3_600_000
WAY_MS = 10_000
"""A slow machine: the answer may have been so long on its way."""
PERSONAL = ("王小明", "浙A12345", SECRET.decode())


@dataclass(slots=True)
class Town:
    """A slave, a broker, a platform that signs, and the operator's file."""

    slave: Slave
    broker: Mosquitto
    platform: Platform
    base: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def head(self, watch: str = "1s") -> str:
        """Return what a configuration begins with."""
        return HEAD.format(broker=self.broker.port, slave=self.slave.port, watch=watch)

    @property
    def file(self) -> Path:
        """The operator's own file."""
        return self.base / "gateway.yaml"

    @contextmanager
    def gateway(self) -> Generator[GatewayProcess]:
        """Run the gateway on the operator's file, and wait until it reads and listens."""
        seen = len(self.platform.so_far())
        with running_gateway(self.file, self.base) as gateway:
            self.platform.wait_for("state", lambda s: s["online"], device="_", after=seen)
            self.platform.wait_for("prop", device="pump-1", after=seen)
            yield gateway

    def reported(self) -> dict[str, Any]:
        """Return what the newest birth of the gateway says of its configuration."""
        return self.platform.of("birth", "_")[-1].body["cfg"]

    def status(self) -> dict[str, Any]:
        """Return what `linli status --json` shows."""
        return json.loads(linli(self.base, "status", "--json").stdout)

    def order(self, do: str, **fields: Any) -> dict[str, Any]:
        """Return a fresh order."""
        number = next(self.numbers)
        exp = self.platform.of("birth", "_")[-1].body["ts"] + HOUR_MS
        who = {"gw": "gw-05", "site": "e2e", "rid": f"r-{number}", "n": number, "exp": exp}
        return {**who, "do": do, **fields}

    def configuration(self, text: str, **fields: Any) -> dict[str, Any]:
        """Return an order to run one file in place of what runs."""
        files: Mapping[str, str] = {"gateway.yaml": text}
        given = {"base": self.reported()["hash"], "files": files, "hash": hash_of_files(files)}
        return self.order("config", **{**given, **fields})

    def send(self, order: Mapping[str, Any], secret: bytes = SECRET) -> dict[str, Any]:
        """Send a letter, and return its last reply."""
        return self.last_reply(str(order["rid"]), letter(order, secret))

    def last_reply(self, rid: str, payload: str) -> dict[str, Any]:
        """Publish, and return the reply that ends it."""
        seen = len(self.platform.so_far())
        self.platform.publish(TOPIC, payload)
        return self.platform.wait_for(
            "reply", lambda r: r["rid"] == rid and r["st"] != "accepted", after=seen
        ).body

    def logs(self, topic: str, rid: str) -> list[dict[str, str]]:
        """Return the fields of all log entries of one topic and order."""
        found = [message.body for message in self.platform.of("log")]
        return [
            entry["fields"]
            for entry in found
            if entry["topic"] == topic and entry["fields"].get("rid") == rid
        ]


@contextmanager
def a_town(base: Path) -> Generator[Town]:
    """Build everything but the gateway."""
    write_profile(base, "e2e/pump", PROFILE)
    (base / "credentials").mkdir()
    (base / "credentials" / "remote").write_bytes(SECRET)
    with Slave() as slave, mosquitto(base) as broker, Platform(broker.port) as platform:
        slave.silent.add(SILENT)
        made = Town(slave, broker, platform, base)
        write_site(base, made.head() + ONE, "gateway.yaml")
        yield made


@pytest.fixture
def town(tmp_path: Path) -> Generator[Town]:
    with a_town(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Generator[Town]:
    """A town with a gateway that runs its own file before and after each test."""
    with a_town(tmp_path_factory.mktemp("steady")) as made, made.gateway():
        yield made


def test_a_configuration_is_tried_and_kept_until_the_operator_edits_the_own_file(
    town: Town,
) -> None:
    with town.gateway() as gateway:
        first = town.reported()
        assert (first["state"], first["hash"]) == (
            "local",
            hash_of_files({"gateway.yaml": town.head() + ONE}),
        )
        order = town.configuration(town.head() + TWO, version="2026-11")
        done = town.send(order)
        assert (done["st"], done["code"]) == ("done", None), done
        expected = {"hash": order["hash"], "version": "2026-11", "state": "applied"}
        town.platform.wait_for("birth", lambda b: b["cfg"] == expected, device="_")
        town.platform.wait_for("prop", device="pump-2")
        assert status(gateway)["configuration"]["hash"] == order["hash"]
        assert "2026-11" in linli(town.base, "status").stdout
        seen = len(town.platform.so_far())
        again = town.send(town.configuration(town.head() + TWO))
        assert (again["st"], again["code"]) == ("done", "unchanged")
        births = [m for m in town.platform.so_far()[seen:] if m.kind == "birth"]
        assert births == [], "what runs already is not touched"
    assert town.file.read_text(encoding="utf-8") == town.head() + ONE, "never written"
    seen = len(town.platform.so_far())
    with town.gateway() as gateway:
        birth = town.platform.wait_for("birth", device="_", after=seen).body
        assert birth["cfg"] == expected
        town.platform.wait_for("prop", device="pump-2", after=seen)
        edited = town.head() + ONE + "  - {id: pump-3, profile: e2e/pump, bus: tcp, address: 3}\n"
        town.file.write_text(edited, encoding="utf-8")
        other = town.send(town.configuration(town.head() + ONE.replace("浙", "苏")))
        assert (other["st"], other["code"]) == ("rejected", "conflict"), "not loaded, and not lost"
        assert linli(town.base, "reload").returncode == 0
        town.platform.wait_for("prop", device="pump-3")
        assert status(gateway)["configuration"]["state"] == "superseded"
        town.platform.wait_for("birth", lambda b: b["cfg"]["state"] == "superseded", device="_")
        stale = town.configuration(town.head() + TWO, base=expected["hash"])
        assert town.send(stale)["code"] == "conflict"


def test_what_is_not_signed_for_this_gateway_now_is_refused_audited_and_answered(
    steady: Town,
) -> None:
    town = steady
    runs = town.reported()
    good = town.configuration(town.head() + TWO)
    forged = town.send(good, b"another secret of thirty-two bytes")
    assert (forged["st"], forged["code"]) == ("rejected", "bad_signature")
    town.platform.publish(TOPIC, json.dumps(good))  # not signed at all
    town.platform.wait_for(
        "log", lambda e: e["topic"] == "dropped" and "not signed" in e["fields"]["reason"]
    )
    for fields, code in (
        ({"gw": "gw-06"}, "wrong_gateway"),
        ({"exp": 1}, "expired"),
        ({"exp": good["exp"] + 48 * HOUR_MS}, "bad_expiry"),
        ({"hash": "0" * 64}, "bad_hash"),
        ({"base": "0" * 64}, "conflict"),
        ({"files": {"../x.yaml": ""}}, "bad_order"),
        ({"files": {"profiles/x.yaml": ""}}, "bad_order"),
    ):
        answer = town.send(town.configuration(town.head() + TWO, **fields))
        assert (answer["st"], answer["code"]) == ("rejected", code)
    log = town.order("log")
    assert town.send(log)["st"] == "done"
    older = town.send({**log, "rid": "old", "n": log["n"] - 1})
    assert (older["st"], older["code"]) == ("rejected", "replayed")
    assert town.reported() == runs
    for code in ("bad_signature", "wrong_gateway", "expired", "replayed"):
        town.platform.wait_for("log", lambda e, code=code: e["fields"].get("reason") == code)


def test_a_bad_configuration_is_answered_with_its_places_in_both_languages_and_not_run(
    steady: Town,
) -> None:
    town = steady
    runs = town.reported()
    text = town.head() + ONE.replace("bus: tcp", "bus: tpc")
    order = town.configuration(text)
    answer = town.send(order)
    assert (answer["st"], answer["code"]) == ("rejected", "bad_config")
    line = text[: text.index("tpc")].count("\n") + 1
    assert answer["msg"].startswith(f"gateway.yaml:{line}:")
    (problem,) = town.logs("cfg", order["rid"])
    assert (problem["file"], problem["line"]) == ("gateway.yaml", str(line))
    assert "tpc" in problem["en"]
    assert "tpc" in problem["zh"]
    assert problem["en"] != problem["zh"]
    broader = town.head().replace("}}\nbuses", "}, max_level: L4}\nbuses") + ONE
    refused = town.send(town.configuration(broader))
    assert (refused["st"], refused["code"]) == ("rejected", "not_allowed")
    assert "sinks" in refused["msg"]
    weaker = town.send(town.configuration(town.head("2s") + ONE))
    assert (weaker["code"], "remote" in weaker["msg"]) == ("not_allowed", True)
    assert town.reported() == runs


def test_a_configuration_that_loses_a_device_is_taken_back(steady: Town) -> None:
    town = steady
    runs = town.reported()
    answer = town.send(town.configuration(town.head() + DEAD))
    assert (answer["st"], answer["code"]) == ("failed", "rolled_back"), answer
    assert "pump-1" in answer["msg"]
    expected = {**runs, "state": "rolled_back"}
    seen = len(town.platform.so_far())
    town.platform.wait_for("birth", lambda b: b["cfg"] == expected, device="_")
    town.platform.wait_for(
        "prop", lambda p: p["pts"][0].get("q", 192) == 192, device="pump-1", after=seen
    )


def test_a_kill_in_the_middle_of_a_trial_leaves_what_ran_before_and_says_so(town: Town) -> None:
    write_site(town.base, town.head("60s") + ONE, "gateway.yaml")
    with town.gateway() as gateway:
        order = town.configuration(town.head("60s") + TWO)
        town.platform.publish(TOPIC, letter(order))
        town.platform.wait_for("birth", lambda b: b["cfg"]["state"] == "trying", device="_")
        town.platform.wait_for("prop", device="pump-2")
        gateway.kill()
    seen = len(town.platform.so_far())
    with town.gateway():
        answer = town.platform.wait_for(
            "reply", lambda r: r["rid"] == order["rid"] and r["st"] == "failed", after=seen
        ).body
        assert answer["code"] == "interrupted"
        assert town.reported()["state"] == "rolled_back"
        assert town.reported()["hash"] == order["base"]
        replayed = town.send(order | {"rid": "again"})
        assert replayed["code"] == "replayed", "the count of letters survives a kill"


@pytest.mark.parametrize("moment", ["audited", "accepted", "trying", "applied"])
def test_a_kill_at_any_turn_of_a_trial_leaves_one_configuration_and_one_answer(
    town: Town, moment: str
) -> None:
    """What is answered is what runs, whichever of the two it is."""
    with town.gateway() as gateway:
        order = town.configuration(town.head() + TWO)
        rid = order["rid"]
        seen = len(town.platform.so_far())
        town.platform.publish(TOPIC, letter(order))
        if moment == "audited":
            town.platform.wait_for("log", lambda e: e["fields"].get("rid") == rid, after=seen)
        elif moment == "accepted":
            town.platform.wait_for("reply", lambda r: r["rid"] == rid, after=seen)
        else:
            town.platform.wait_for(
                "birth", lambda b: b["cfg"]["state"] == moment, device="_", after=seen
            )
        gateway.kill()
    with town.gateway():
        answer = town.platform.wait_for(
            "reply", lambda r: r["rid"] == rid and r["st"] in {"done", "failed"}, after=seen
        ).body
        ran = {"done": order["hash"], "failed": order["base"]}[answer["st"]]
        assert town.reported()["hash"] == ran
        assert answer["code"] == (None if answer["st"] == "done" else "interrupted")
        assert answer["st"] == "done" or moment != "applied"
    replies = [m.body for m in town.platform.of("reply") if m.body["rid"] == rid]
    told = {(one["ep"], one["seq"]): one["st"] for one in replies}
    assert set(told.values()) <= {"accepted", answer["st"]}
    assert list(told.values()).count(answer["st"]) == 1, "one answer, whatever is sent again"


def test_a_support_bundle_comes_whole_and_with_nothing_personal_in_it(steady: Town) -> None:
    town = steady
    order = town.order("bundle")
    assert town.send(order)["st"] == "done"
    parts = sorted(town.logs("bundle", order["rid"]), key=lambda part: int(part["part"]))
    assert [part["part"] for part in parts] == [str(n + 1) for n in range(len(parts))]
    assert {part["parts"] for part in parts} == {str(len(parts))}
    content = b"".join(b64decode(part["base64"]) for part in parts)
    assert hashlib.sha256(content).hexdigest() == parts[0]["sha256"]
    linli(town.base, "support", str(town.base / "own.zip"))
    for packed in (content, (town.base / "own.zip").read_bytes()):
        with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
            texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
        assert json.loads(texts["site.json"])["devices"]["pump-1"]["profile"] == "e2e/pump"
        assert json.loads(texts["status.json"])["gateway"] == "gw-05"
        assert "start gateway=gw-05" in texts["log.txt"]
        assert not [word for word in PERSONAL for text in texts.values() if word in text]


def test_a_platform_that_is_asked_for_the_time_tells_how_far_it_is_ahead(steady: Town) -> None:
    town, seen = steady, len(steady.platform.so_far())
    asked = town.platform.wait_for("log", lambda e: e["topic"] == "time", after=seen).body
    sent = int(asked["fields"]["t1"])
    answer = {"t1": sent, "t2": sent + AHEAD_MS, "t3": sent + AHEAD_MS}
    town.platform.publish("fc/1/e2e/gw-05/dn/time/_", json.dumps(answer))
    until(lambda: "platform" in town.status()["platform_times"], "the time was taken")
    told = town.status()["platform_times"]["platform"]
    assert abs(told["ahead_ms"] - AHEAD_MS) <= WAY_MS, told
