"""The platform engineer's pages: made from the schemas, and a consumer that runs."""

import asyncio
import importlib.util
import json
import re
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

from gateway.model.publication import Publication
from gateway.model.record import StateBody
from tests.support.mosquitto import mosquitto
from tests.support.natives import METER, NOW, births, committed, native, prop
from tests.support.payload_page import page
from tests.support.payloads import faults, schemas
from tests.support.uplinks import a_sink, gather, running_uplink

PLATFORM = Path(__file__).parents[2] / "docs" / "platform"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PLATFORM / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_payload_page_is_what_the_schemas_say() -> None:
    assert (PLATFORM / "payload.md").read_text(encoding="utf-8") == page()


def test_the_json_of_the_guide_is_valid() -> None:
    guide = (PLATFORM / "guide.md").read_text(encoding="utf-8")
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", guide, re.DOTALL)]
    assert len(found) == 4
    kinds = {"rid": "cmd", "ranges": "ack", "resend": "ack"}
    for example in found:
        kind = next((kinds[key] for key in kinds if key in example), None)
        if kind is not None:
            assert faults(example, kind) == []


def test_the_guide_names_every_class() -> None:
    guide = (PLATFORM / "guide.md").read_text(encoding="utf-8")
    for kind in schemas().keys() - {"envelope"}:
        assert f"| `{kind}` |" in guide


async def test_the_sample_consumer_gives_every_record_once(tmp_path: Path) -> None:
    dialect = native()
    live = committed(prop(1.0, 230.1, None), seq=1, pv=None)
    old = [committed(prop(2.0, 230.2, 0.5), seq=n, pv=n - 1, age_ms=90_000) for n in (2, 3)]
    state = committed(StateBody(True, "ok", 1), METER, seq=4, pv=None)
    with mosquitto(tmp_path) as broker:
        async with (
            running_uplink(a_sink(broker.port)) as uplink,
            aclosing(_load("consumer").consume("127.0.0.1", broker.port)) as records,
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
