"""Part 3: every way out of the gateway is searched for what must not leave by it.

Every dialect of the registry has two platforms: one that may know little and one that may know all.
A dialect that is added is among them; how its platform is written in a site file says its page.
Beside them databases, the local history, a platform whose broker refuses everything, the log at
debug level, all that people and tools are shown, and what the machine shows of a process.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from base64 import b64decode
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from docs.generate.dialects import page_of
from gateway.dialects import registry
from gateway.inventory.registry import forms
from tests.e2e.kit_canaries import CANARIES, CARD, PLATE, VALUES, files_of, forms_of, search, sow
from tests.e2e.kit_canaries import write_profiles as write_canary_profiles
from tests.e2e.kit_gateway import asked, linli, sink_status, until, write_site
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mosquitto import mosquitto
from tests.support.scripted_http import ScriptedHttp
from tests.support.wire import Wire

SECRET = "CANARY-SECRET-4711"  # noqa: S105 - of nobody
PUBLIC = b"passages"
"""A point that everybody may see."""
ALL = [{"points": ["*"]}, {"points": ["plate", "card", "holder"]}]
NEEDS: Mapping[str, dict[str, Any]] = {
    "alink": {"sessions": "none", "products": {"parking.lpr": "a1", "security.access": "a2"}},
    "sparkplug_b": {"primary_host": ""},
}
"""Options without which a dialect waits for an answer of its platform."""
DENIED = "denied"
DEVICES: list[dict[str, Any]] = [
    {"id": "lpr-1", "profile": "e2e/lpr", "bus": "net", "address": 1},
    {
        "id": "door-1",
        "profile": "e2e/reader",
        "bus": "net",
        "address": 2,
        "title": "Wang Canary flat",
        "owner": "Wang Canary owner",
        "location": {"bldg": "3", "room": "R-0501"},
    },
]


@dataclass
class World:
    """What stands around the gateway: wires to brokers by the name of their sink, databases."""

    slave: Slave
    wires: dict[str, Wire]
    databases: dict[str, ScriptedHttp]
    base: Path

    def site(self) -> Path:
        """Write the site file."""
        text = {
            "version": 1,
            "gateway": {"id": "gw-5", "site": "hz-fc-005", "clock": "trusted"},
            "store": {"commit_every": "50ms"},
            "history": {"commit_every": "1s"},
            "sinks": {name: self._sink(name, wire.port) for name, wire in self.wires.items()},
            "historians": {name: _historian(name, db.url) for name, db in self.databases.items()},
            "buses": {"net": {"tcp": f"127.0.0.1:{self.slave.port}"}},
            "devices": DEVICES,
        }
        return write_site(self.base, json.dumps(text, ensure_ascii=False))

    def _sink(self, name: str, port: int) -> dict[str, Any]:
        dialect, _, may_know = name.partition("--")
        entry: dict[str, Any] = {"dialect": "native", "client_id": DENIED}
        if name != DENIED:
            entry = _example(dialect)
            entry["options"] = {**entry.get("options", {}), **NEEDS.get(dialect, {})}
        if may_know != "little":
            entry["allow"] = ALL
        level = "L1" if may_know == "little" else "L4"
        return {**entry, "url": f"mqtt://127.0.0.1:{port}", "max_level": level}

    def shut(self) -> list[str]:
        """Return the sinks that may know little."""
        return [name for name in self.wires if name.endswith("--little")]


def _example(dialect: str) -> dict[str, Any]:
    """Return the sink of the example on a dialect's page, as far as it says how to speak."""
    page = page_of(dialect).read_text(encoding="utf-8")
    example = re.search(r"```yaml fragment\n(.*?)```", page, re.DOTALL)
    assert example is not None
    (entry,) = yaml.safe_load(example[1])["sinks"].values()
    return {key: said for key, said in entry.items() if key not in {"ack", "devices", "tls"}}


def _historian(name: str, url: str) -> dict[str, Any]:
    where = {"database": "lake", "version": 1}
    if "v2" in name:
        where = {"bucket": "lake", "org": "lake", "token": {"credential": "lake"}}
    may = {"max_level": "L4", "allow": ALL} if name.endswith("all") else {"max_level": "L1"}
    return {"url": url, "batch_wait": "100ms", **where, **may}


def _credentials(said: Any) -> Iterator[tuple[str, str]]:
    """Yield every credential that a site names, with the key that names it."""
    if isinstance(said, dict):
        for key, value in cast("dict[str, Any]", said).items():
            if isinstance(value, dict) and "credential" in value:
                yield key, cast("dict[str, str]", value)["credential"]
            else:
                yield from _credentials(value)


@contextmanager
def world(base: Path) -> Generator[World]:
    """Set everything up, and the secrets that the site names."""
    (base / "acl").write_text("topic read #\n", encoding="utf-8")
    write_canary_profiles(base)
    with ExitStack() as open_ones:
        slave = open_ones.enter_context(Slave())
        sow(slave)
        names = [f"{d}--{may}" for d in registry.names() for may in ("little", "all")]
        wires: dict[str, Wire] = {}
        for name in (*names, DENIED):
            lines = (f"acl_file {base / 'acl'}",) if name == DENIED else ()
            broker = open_ones.enter_context(mosquitto(base, *lines))
            wires[name] = open_ones.enter_context(Wire(broker.port))
        databases = {
            name: open_ones.enter_context(ScriptedHttp())
            for name in ("v1-little", "v2-little", "v1-all", "v2-all")
        }
        yield World(slave, wires, databases, base)


def test_platform_03_no_outlet_tells_more_than_it_may(tmp_path: Path) -> None:
    with world(tmp_path) as around:
        site = around.site()
        keys = tmp_path / "credentials"
        keys.mkdir()
        for key, name in _credentials(json.loads(site.read_text(encoding="utf-8"))):
            login = f"user-1\n{SECRET}" if key == "credentials" else SECRET
            (keys / name).write_text(login, encoding="ascii")
        with running_gateway(site, tmp_path, "--verbose") as gateway:
            _wait_until_all_is_told(around, gateway)
            _search_what_the_machine_shows(gateway)
            _search_what_people_are_shown(gateway, site)
            search(files_of(tmp_path / "state"), (*VALUES, SECRET), "disk of a running gateway")
        search(files_of(tmp_path / "state"), (*VALUES, SECRET), "disk")
        search(files_of(tmp_path / "run"), (*CANARIES, SECRET), "runtime folder")
        search([gateway.log.read_bytes()], (*CANARIES, SECRET), "log")
        for name in around.shut():
            search([around.wires[name].said], CANARIES, name)
        for name, database in around.databases.items():
            if name.endswith("little"):
                told = [f"{one.path}\n{one.headers}\n{one.body}" for one in database.requests]
                search([text.encode() for text in told], CANARIES, name)
    (tmp_path / "state" / "outbox.key").unlink()
    blind = linli(tmp_path, "outbox", "salvage", str(tmp_path / "state" / "outbox"))
    assert "sealed: give their key" in blind.stderr
    search([(blind.stdout + blind.stderr).encode()], (*CANARIES, SECRET), "salvage without the key")


def _wait_until_all_is_told(around: World, gateway: GatewayProcess) -> None:
    """Return when whoever may know all does, and everybody else got a share."""
    count = itertools.count(100)

    def is_told(name: str) -> bool:
        around.slave.put(1, 20, next(count))  # cars go on passing
        said = around.wires[name].said
        canaries = (PLATE, str(CARD)) if name.endswith("--all") else ()
        is_seen = all(any(form in said for form in forms_of(one)) for one in canaries)
        return PUBLIC in said and is_seen and sink_status(gateway, name)["published"] >= 5

    for name in around.wires:
        if name != DENIED:
            until(lambda n=name: is_told(n), f"{name} is told")
    until(lambda: sink_status(gateway, DENIED)["refused"] >= 1, "a refused record")
    for name, database in around.databases.items():
        wanted = PLATE if name.endswith("all") else PUBLIC.decode()
        until(lambda d=database, w=wanted: any(w in one.body for one in d.requests), name)


def _search_what_the_machine_shows(gateway: GatewayProcess) -> None:
    process = Path("/proc") / str(gateway.process.pid)
    shown = [(process / name).read_bytes() for name in ("cmdline", "environ", "comm")]
    search(shown, (*CANARIES, SECRET), "process list")


def _search_what_people_are_shown(gateway: GatewayProcess, site: Path) -> None:
    """Search all answers but those that are asked for values: read, monitor, history."""
    answers = {
        "status": asked(gateway, "status"),
        "lines": asked(gateway, "lines"),
        "outbox": asked(gateway, "outbox"),
        "refused": asked(gateway, "outbox", what="refused"),
        **{
            lane: asked(gateway, "outbox", what="show", lane=lane, most=10**6)
            for lane in ("event", "telemetry")
        },
    }
    assert answers["refused"], "nothing was refused"
    whole = asked(gateway, "outbox", what="show", lane="telemetry", most=10**6, personal=True)
    assert any(PLATE in line for line in whole), "the store holds nothing to be found"
    for name, answer in answers.items():
        search([json.dumps(answer, ensure_ascii=False).encode()], (*VALUES, SECRET), name)
    search([json.dumps(answers["status"]).encode()], CANARIES, "status")
    support = b64decode(asked(gateway, "support")["base64"])
    with zipfile.ZipFile(io.BytesIO(support)) as bundle:
        hidden = (*CANARIES, SECRET, "127.0.0.1", "user-1")
        search(map(bundle.read, bundle.namelist()), hidden, "support bundle")
    base, inventories = gateway.folders.base, ""
    for form in forms():
        words = ("--for", "native--little", "--as", form)
        inventory = linli(base, "inventory", str(site), *words)
        assert inventory.returncode == 0, inventory.stderr
        inventories += inventory.stdout
        search([inventory.stdout.encode()], CANARIES, f"inventory {form}")
    assert inventories.count("lpr-1") >= len(forms()) - 1, "they show nothing"
    for words in (("status",), ("check", str(site))):
        shown = linli(base, *words)
        search([(shown.stdout + shown.stderr).encode()], (*CANARIES, SECRET), " ".join(words))
    report = linli(base, "privacy", "report", str(site)).stdout
    assert "Wang Canary owner" in report, "whose values they are is asked of it"
    search([report.encode()], (*VALUES, SECRET), "privacy report")
