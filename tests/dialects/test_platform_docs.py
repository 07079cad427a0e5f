"""The platform engineer's pages: made from the schemas, and a consumer that runs."""

import argparse
import asyncio
import json
import re
import shlex
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.audit import Entry, hash_of
from gateway.model.publication import Publication
from gateway.model.record import StateBody
from simulators.cli import load_verb
from tests.support.mosquitto import mosquitto
from tests.support.natives import METER, NOW, births, committed, native, prop
from tests.support.payloads import faults, schemas
from tests.support.platform_samples import sample
from tests.support.uplinks import a_sink, gather, running_uplink

PLATFORM = Path(__file__).parents[2] / "docs" / "platform"
CHINESE = PLATFORM.parents[0] / "zh" / "platform"
PAGES = sorted([*PLATFORM.rglob("*.md"), *CHINESE.rglob("*.md")])


def _fenced(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _example_faults(example: dict[str, Any]) -> list[str] | None:
    """Return what an example has against the schema that its keys tell; None when none does."""
    if "k" in example:
        return faults(example, str(example["k"]))
    if example.keys() >= {"p", "v"}:
        around = {**schemas()["prop"]["examples"][0], "pts": [example]}
        return faults(around, "prop")
    kinds = {"rid": "cmd", "ranges": "ack", "resend": "ack", "ts": "time", "protected": "cfg"}
    kind = next((kinds[key] for key in kinds if key in example), None)
    return None if kind is None else faults(example, kind)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PLATFORM.parent)))
def test_the_json_of_a_page_is_valid(page: Path) -> None:
    for example in map(json.loads, _fenced(page, "json")):
        assert _example_faults(example) == [], example


def test_the_guide_shows_values_commands_and_acknowledgements() -> None:
    shown = [json.loads(text) for text in _fenced(PLATFORM / "guide.md", "json")]
    keys = set[str]().union(*shown)
    assert keys >= {"v", "q", "ranges", "resend", "op", "token"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PLATFORM.parent)))
def test_every_simulator_command_of_a_page_can_be_typed(page: Path) -> None:
    for block in _fenced(page, "console"):
        for line in re.findall(r"^linli-sim (.+)$", block, re.MULTILINE):
            verb, *typed = shlex.split(line)
            parser = argparse.ArgumentParser(exit_on_error=False)
            load_verb(verb).configure(parser)
            assert parser.parse_args(typed)


def test_the_hash_of_the_guide_is_the_hash_of_the_audit() -> None:
    (block,) = _fenced(PLATFORM / "guide.md", "python")
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - the code that the guide gives to its reader
    log = next(e for e in schemas()["log"]["examples"] if e["topic"] == "command")
    assert names["hash_of"](log) == hash_of(Entry(log["dev"], log["topic"], log["fields"]))


def test_both_guides_name_every_class() -> None:
    guide = (PLATFORM / "guide.md").read_text(encoding="utf-8")
    chinese = (CHINESE / "README.md").read_text(encoding="utf-8")
    for kind in schemas().keys() - {"envelope"}:
        assert f"| `{kind}` |" in guide
        assert re.search(rf"^\|[^|]*`{kind}`", chinese, re.MULTILINE), kind


async def test_the_sample_consumer_gives_every_record_once(tmp_path: Path) -> None:
    dialect = native()
    live = committed(prop(1.0, 230.1, None), seq=1, pv=None)
    old = [committed(prop(2.0, 230.2, 0.5), seq=n, pv=n - 1, age_ms=90_000) for n in (2, 3)]
    state = committed(StateBody(True, "ok", 1), METER, seq=4, pv=None)
    with mosquitto(tmp_path) as broker:
        async with (
            running_uplink(a_sink(broker.port)) as uplink,
            aclosing(sample("consumer").consume("127.0.0.1", broker.port)) as records,
            asyncio.timeout(10),
        ):
            await uplink.connected()
            said = dialect.connected(births(), (), NOW)
            await _send(uplink, said)
            found: list[dict[str, Any]] = [await anext(records) for _ in said]
            assert {r["k"] for r in found} == {"birth", "state"}
            for _ in range(2):  # sent twice, as after a lost acknowledgement
                await _send(
                    uplink, dialect.encode([live, *old], NOW, is_backfill=False).publications
                )
            await _send(uplink, dialect.encode([state], NOW, is_backfill=False).publications)
            taken = [await anext(records) for _ in range(4)]
            assert [(r["seq"], r["k"]) for r in taken] == [
                (1, "prop"),
                (2, "hist"),
                (3, "hist"),
                (4, "state"),
            ]
            assert taken[1]["pts"][1]["v"] == 230.2
        for _ in range(3):
            await asyncio.sleep(0)  # aiomqtt's own task ends a turn later


async def _send(uplink: Any, publications: tuple[Publication, ...]) -> None:
    for publication in publications:
        await uplink.publish(publication)
    await gather(uplink, len(publications))
