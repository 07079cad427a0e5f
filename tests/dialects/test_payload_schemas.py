"""The JSON Schemas themselves, and the AsyncAPI document that points to them."""

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from paho.mqtt.client import topic_matches_sub

from docs.generate import ASYNCAPI
from docs.generate.asyncapi import asyncapi_document, classes
from gateway.dialects.contract import Received
from gateway.model.command import BadCommand
from gateway.model.ids import SinkName
from gateway.model.publication import Arrival
from gateway.privacy import sm2
from gateway.privacy.sealing import Cipher, is_signed, opened
from tests.support.natives import NOW, native
from tests.support.payloads import SCHEMAS, faults, schemas
from tests.support.tapped_payloads import judge
from tests.support.uplinks import a_sink

BASE = "fc/1/hz-fc-001/gw-03"
CLASSES = set(classes())
SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
"""GB/T 32907-2016, annex A."""
SM2_KEY = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
"""GB/T 32918.5-2017, annex A."""
UP = {name for name in CLASSES if schemas()[name]["x-mqtt"]["topic"].startswith("up/")}


def _document() -> dict[str, Any]:
    return yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))


def test_there_is_a_schema_for_every_class_and_one_for_the_envelope() -> None:
    assert set(schemas()) == CLASSES | {"envelope"}
    assert {"state", "birth", "prop", "hist", "event", "reply", "gap", "log"} <= UP


@pytest.mark.parametrize("kind", sorted(CLASSES - UP))
def test_what_a_platform_may_say_is_understood(kind: str) -> None:
    schema = schemas()[kind]
    below = schema["x-mqtt"]["topic"].replace("{device}", "em-01")
    for example in schema["examples"]:
        payload = json.dumps(example).encode()
        arrival = Arrival(SinkName("province"), f"{BASE}/{below}", payload, is_retained=False)
        heard = native().received(arrival, NOW)
        assert heard.dropped == ()
        assert not [one for one in heard.commands if isinstance(one, BadCommand)]
        assert heard != Received(), "it was taken for nothing"


def test_the_sealed_example_opens_with_the_keys_of_the_standards() -> None:
    schema = json.loads((SCHEMAS.parent / "sealed.json").read_text(encoding="utf-8"))
    (example,) = schema["examples"]
    validator = Draft202012Validator(schema)
    assert validator.is_valid(example)  # pyright: ignore[reportUnknownMemberType] - half typed
    topic, there = f"{BASE}/up/state/_", json.dumps(example).encode()
    plain = opened(topic, there, Cipher("sm4-gcm", SM4_KEY))
    assert json.loads(plain) == schemas()["state"]["examples"][1]
    assert is_signed(topic, there, plain, sm2.public_key(SM2_KEY))
    assert not is_signed(f"{BASE}/up/state/em-01", there, plain, sm2.public_key(SM2_KEY))


def test_the_letter_of_the_example_holds_an_order() -> None:
    schema = json.loads((SCHEMAS.parent / "order.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    letters = [example["payload"] for example in schemas()["cfg"]["examples"]]
    orders = [json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in letters]
    for order in (*orders, *schema["examples"]):
        assert validator.is_valid(order)  # pyright: ignore[reportUnknownMemberType] - half typed
        assert not validator.is_valid({**order, "do": "reboot"})  # pyright: ignore[reportUnknownMemberType]


def test_the_asyncapi_document_is_what_the_schemas_say() -> None:
    assert ASYNCAPI.read_text(encoding="utf-8") == asyncapi_document()


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_the_examples_of_a_schema_are_valid(kind: str) -> None:
    examples = schemas()[kind]["examples"]
    assert examples
    for example in examples:
        assert faults(example, kind) == []


@pytest.mark.parametrize("kind", sorted(CLASSES | {"envelope"}))
def test_a_schema_is_a_schema(kind: str) -> None:
    schema = schemas()[kind]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f"/payload/1/{kind}.json")


@pytest.mark.parametrize("kind", sorted(UP))
def test_an_unknown_or_missing_field_is_found(kind: str) -> None:
    example = schemas()[kind]["examples"][0]
    assert faults({**example, "extra": 1}, kind)
    for name in ("v", "k", "gw", "dev", "kind", "ep", "seq", "pv", "ts", "tp", "tq"):
        assert faults({k: v for k, v in example.items() if k != name}, kind), name


def test_quality_needs_a_reason_and_good_is_not_written() -> None:
    example = schemas()["prop"]["examples"][0]
    for point in ({"p": "a", "v": None, "q": 0}, {"p": "a", "v": 1, "q": 192}):
        assert faults({**example, "pts": [point]}, "prop")


def test_the_asyncapi_document_names_every_class_once_and_its_schema_exists() -> None:
    document = _document()
    assert document["asyncapi"].startswith("3.")
    messages = document["components"]["messages"]
    assert set(messages) == CLASSES | {"sealed"}
    for kind in CLASSES:
        message = messages[kind]
        target = (ASYNCAPI.parent / message["payload"]["schema"]["$ref"]).resolve()
        assert target == SCHEMAS / f"{kind}.json"


def test_the_references_within_the_asyncapi_document_hold() -> None:
    document = _document()
    for kind in CLASSES:  # JSON has pointers of its own
        del document["components"]["messages"][kind]["examples"]
    references = _references(document)
    assert len(references) > 50
    for ref in references:
        if ref.startswith("#/"):
            found: Any = document
            for part in ref[2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]


def test_every_channel_has_an_operation_and_its_topic_parameters() -> None:
    document = _document()
    used = {op["channel"]["$ref"].rsplit("/", 1)[1] for op in document["operations"].values()}
    assert used == set(document["channels"])
    for name, channel in document["channels"].items():
        asked = {part[1:-1] for part in channel["address"].split("/") if part.startswith("{")}
        assert asked == set(channel["parameters"]), name


@pytest.mark.parametrize("server", ["platform", "at_the_site"])
def test_the_session_of_the_document_is_that_of_the_dialect(server: str) -> None:
    told = _document()["servers"][server]["bindings"]["mqtt"]
    place = {"root": "fc", "site": "hz-fc-001", "gateway": "gw-03"}
    spec, sink = native().connect_spec(NOW), a_sink(1883)
    assert told["clientId"].format(**place) == spec.client_id
    assert told["keepAlive"] == sink.keepalive_s
    assert spec.will is not None
    assert told["lastWill"]["topic"].format(**place) == spec.will.topic
    assert told["lastWill"]["qos"] == spec.will.qos
    assert told["lastWill"]["retain"] is spec.will.is_retained
    (heard,) = spec.subscriptions
    below = {kind: schemas()[kind]["x-mqtt"] for kind in CLASSES - UP}
    for facts in below.values():
        topic = f"{BASE}/{facts['topic'].replace('{device}', 'em-01')}"
        assert topic_matches_sub(heard.topic, topic)
        assert facts["qos"] == heard.qos
        assert not facts["retain"]
        assert not heard.wants_retained


def _references(node: Any) -> list[str]:
    text = yaml.safe_dump(node)
    return re.findall(r"^ *\$ref: '?([^'\n]+)'?$", text, re.MULTILINE)


def test_a_payload_against_its_schema_would_fail_the_whole_run(tmp_path: Path) -> None:
    good = native().goodbye(NOW)[0]
    lines = [good.topic.encode() + b" " + good.payload]
    lines.append(lines[0].replace(b'"online":false', b'"online":"no"'))
    lines.append(lines[0][:-20])  # of a process that was killed while it wrote
    (tmp_path / "1.tap").write_bytes(b"\n".join(lines))
    judged = judge(tmp_path)
    assert judged.payloads == 2
    (fault,) = judged.faults
    assert "online" in fault
