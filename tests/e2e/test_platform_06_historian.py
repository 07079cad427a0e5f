"""Part 6 of the platform's side, end to end: databases, their outages, and the local history."""

from __future__ import annotations

import csv
import io
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ops.control import ControlError
from tests.e2e.kit_gateway import asked, linli, status, until, write_profile, write_site
from tests.e2e.kit_slave import Slave
from tests.support.databases import Row, influxdb, victoria
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.scripted_http import Reply, Request, ScriptedHttp

KIND = "meter.electricity"
UNITS = 3
PROFILE = """\
version: 1
profile: e2e/history
vendor: test
model: counter
title: {en: Counter, zh: 计数器}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 100ms}
defaults: {group: power, pii: P0, level: L1}
points:
  u_a: {register: 0, type: u32, unit: V, value: int}
  plate: {register: 2, type: u32, value: int, pii: P2, level: L4}
"""
OLD = "version: 1, database: lake, batch_wait: 100ms"
NOBODY = "http://127.0.0.1:9"
CANARY = 0x7E57_CAFE
BAD_OF_ONE = "SELECT q, qr, value FROM \"meter.electricity\" WHERE q = 0 AND device = 'em-1'"
SITE = """\
version: 1
gateway: {{id: gw-06, site: lake, clock: trusted}}
store: {{commit_every: 50ms}}
defaults: {{timeout: 1s, retries: 0}}
history: {{days: 3, quota: 8MB, commit_every: 1s}}
historians:
{historians}
buses:
  tcp: {{tcp: "127.0.0.1:{port}"}}
devices:
  - {{id: "em-{{n}}", each: {{n: 1..{units}}}, profile: e2e/history, bus: tcp, address: "{{n}}"}}
"""


class Counting(Slave):
    """Every read of a unit finds its counter one higher."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[int, int] = {}
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self.counts[unit] = self.counts.get(unit, 0) + 1
        self.put(unit, 0, count >> 16, count, CANARY >> 16, CANARY & 0xFFFF)


@pytest.fixture
def slave(tmp_path: Path) -> Iterator[Counting]:
    write_profile(tmp_path, "e2e/history", PROFILE)
    with Counting() as slave:
        yield slave


def site(base: Path, slave: Slave, **historians: str) -> Path:
    said = "\n".join(f"  {name}: {{{text}}}" for name, text in historians.items())
    return write_site(base, SITE.format(historians=said, port=slave.port, units=UNITS))


def depths(gateway: GatewayProcess) -> dict[str, int]:
    waiting: dict[str, int] = {}
    for each in status(gateway)["outbox"]["depths"]:
        waiting[each["sink"]] = waiting.get(each["sink"], 0) + each["depth"]
    return waiting


def committed_rows(gateway: GatewayProcess) -> list[Row]:
    """Return every good value of u_a that was committed."""
    lines = asked(gateway, "outbox", what="show", lane="telemetry", **{"from": 0, "most": 10**6})
    records = [json.loads(line) for line in lines]
    return [
        Row(record["dev"], "u_a", record["ts"], float(entry["v"]))
        for record in records
        if (entry := record["pts"].get("u_a")) is not None and entry.get("q", 192) == 192
    ]


def committed(gateway: GatewayProcess, records: int) -> None:
    until(lambda: status(gateway)["committed"] >= records, f"{records} records")


def historian(gateway: GatewayProcess, name: str) -> dict[str, Any]:
    return next(one for one in status(gateway)["historians"] if one["name"] == name)


def test_every_committed_reading_is_in_both_databases_once_after_outages_and_a_kill(
    tmp_path: Path, slave: Counting
) -> None:
    with influxdb(tmp_path) as influx, victoria(tmp_path) as vm:
        file = site(
            tmp_path,
            slave,
            one=f"url: '{influx.url}', version: 1, database: lake, batch_wait: 200ms",
            two=f"url: '{vm.url}', org: any, bucket: lake, batch_wait: 200ms",
        )
        with running_gateway(file, tmp_path) as gateway:
            until(
                lambda: all(historian(gateway, n)["written"] > 20 for n in ("one", "two")), "rows"
            )
            influx.stop(signal.SIGKILL)
            vm.stop()
            before = status(gateway)["committed"]
            committed(gateway, before + 40)
            until(lambda: not historian(gateway, "one")["up"], "the outage is seen")
            gateway.kill()
        with running_gateway(file, tmp_path) as gateway:
            committed(gateway, 30)
            influx.start()
            vm.start()
            silence(slave, gateway)
            until(lambda: not any(depths(gateway).values()), "everything is written")
            wanted = committed_rows(gateway)
            shown = status(gateway)
        assert len(wanted) > 60
        assert len({place(row) for row in wanted}) == len(wanted)
        assert sorted(influx.rows(KIND), key=place) == sorted(wanted, key=place)
        assert sorted(vm.rows(KIND), key=place) == sorted(wanted, key=place)
        assert {one["name"] for one in shown["historians"] if one["up"]} == {"one", "two"}
        assert not any(one["refused"] for one in shown["historians"])
        (bad,) = influx.query(BAD_OF_ONE)
        assert bad["values"][-1][1:] == [0, "timeout", None], "bad is told, and is no number"
        assert not influx.rows(KIND, "plate")
        names = {s["name"] for s in influx.query("SHOW SERIES WHERE point = 'plate'")}
        assert not names, "what stands above the level is not there"


def test_a_refused_token_is_told_and_a_reload_with_the_right_one_loses_nothing(
    tmp_path: Path, slave: Counting
) -> None:
    secret = tmp_path / "credentials" / "db"
    secret.parent.mkdir()
    secret.write_text("wrong-canary-9\n", encoding="utf-8")
    taken: set[str] = set()

    def judge(request: Request) -> Reply:
        if request.headers.get("Authorization") != "Token right":
            return Reply(401, {}, '{"code":"unauthorized","message":"unauthorized access"}')
        taken.update(request.lines)
        return Reply()

    with ScriptedHttp() as server:
        server.answer = judge
        text = f"url: '{server.url}', org: o, bucket: b, token: {{credential: db}}"
        file = site(tmp_path, slave, db=f"{text}, batch_wait: 100ms")
        with running_gateway(file, tmp_path) as gateway:
            until(lambda: "401" in historian(gateway, "db")["why"], "the refusal")
            until(lambda: "historian_denied" in str(event_lines(gateway)), "the event")
            said = linli(tmp_path, "status").stdout
            assert "unauthorized access" in said
            committed(gateway, 30)
            assert len(server.requests) <= 2, "asked again slowly"
            assert depths(gateway)["db"] >= 30
            secret.write_text("right\n", encoding="utf-8")
            site(tmp_path, slave, db=f"{text}, batch_wait: 110ms", gone=f"url: '{NOBODY}', {OLD}")
            said = asked(gateway, "reload")["changes"]
            assert said == "historians started db, gone"
            site(tmp_path, slave, db=f"{text}, batch_wait: 110ms")
            assert asked(gateway, "reload")["changes"] == "historians stopped gone"
            assert set(depths(gateway)) == {"db", "_history"}
            silence(slave, gateway)
            until(lambda: not depths(gateway)["db"], "everything is written")
            wanted = committed_rows(gateway)
        good = [line for line in taken if "point=u_a" in line and "value=" in line]
        assert len(good) == len(wanted)
        assert "wrong-canary-9" not in gateway.log.read_text(encoding="utf-8")


def event_lines(gateway: GatewayProcess) -> list[str]:
    return asked(gateway, "outbox", what="show", lane="event", **{"from": 0, "most": 1000})


def test_the_local_history_needs_no_server_and_survives_a_kill(
    tmp_path: Path, slave: Counting
) -> None:
    with ScriptedHttp() as server:
        server.answer = lambda _: Reply(None)  # a database that hangs disturbs nothing
        file = site(tmp_path, slave, hung=f"url: '{server.url}', {OLD}, timeout: 60s")
        with running_gateway(file, tmp_path) as gateway:
            until(lambda: status(gateway)["history"]["committed"] > 50, "a commit")
            committed(gateway, status(gateway)["committed"] + 20)
            gateway.kill()
        with running_gateway(file, tmp_path) as gateway:
            committed(gateway, 20)
            silence(slave, gateway)
            until(lambda: not depths(gateway)["_history"], "everything is kept")
            wanted = sorted((r for r in committed_rows(gateway) if r.device == "em-1"), key=place)
            answer = json.loads(linli(tmp_path, "history", "em-1/u_a", "--json").stdout)
            good = [one for one in answer["values"] if one.get("q", 192) == 192]
            assert [(one["ts"], one["v"]) for one in good] == [(r.ts_ms, r.value) for r in wanted]
            assert answer["u"] == "V"
            table = linli(tmp_path, "history", "em-1/u_a", "--csv").stdout
            rows = list(csv.DictReader(io.StringIO(table)))
            assert sum(row["quality"] == "" for row in rows) == len(wanted)
            assert rows[0]["time"].endswith("+00:00")
            hours = {"device": "em-1", "point": "u_a", "from": 0, "to": 1 << 50, "step": 3_600_000}
            steps = asked(gateway, "history", **hours)["steps"]
            assert sum(step["count"] for step in steps) == len(wanted)
            assert max(step["high"] for step in steps) == max(row.value for row in wanted)
            with pytest.raises(ControlError, match="personal"):
                asked(gateway, "history", **{**hours, "point": "plate"})
            assert "history: 3 days" in linli(tmp_path, "status").stdout
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 20, "not the 60 s of the request that hangs"
    assert points_in(tmp_path / "state" / "history.db") == {"u_a"}


def silence(slave: Slave, gateway: GatewayProcess) -> None:
    """Let nothing new come, so that what there is can be counted."""
    slave.silent |= set(range(1, UNITS + 1))
    until(lambda: not status(gateway)["online"], "all are offline")


def place(row: Row) -> tuple[str, int]:
    """Return what a row has of its own in a database."""
    return row.device, row.ts_ms


def points_in(file: Path) -> set[str]:
    store = sqlite3.connect(file)
    found = {point for (point,) in store.execute("SELECT DISTINCT point FROM series")}
    store.close()
    return found
