"""`linli explain-dialect`: all that is said of a dialect is so."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.cli.main import load_verb, main, verb_names
from gateway.cli.output import Exit
from gateway.cli.verbs import explain_dialect
from gateway.dialects import registry

GOLDEN = Path(__file__).parents[1] / "dialects"
VARIANTS = {
    "alink": (r"^\$sys/", "/sys/"),
}
"""OneNET's prefix is another one; the table says so in its last column."""


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["explain-dialect", *arguments, "--json"]) == Exit.DONE
    return json.loads(capsys.readouterr().out)


def test_a_module_of_two_words_is_a_command_with_a_dash() -> None:
    assert "explain-dialect" in verb_names()
    assert load_verb("explain-dialect") is explain_dialect
    assert not any("_" in name for name in verb_names())


@pytest.mark.parametrize("name", registry.names())
def test_every_dialect_says_what_it_sends_takes_and_loses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = registry.load(name)
    told = explained(capsys, name)
    assert told["name"] == name
    assert told["about"].endswith(".")
    assert told["ack"] == (["puback", "app"] if spec.has_app_ack else ["puback"])
    assert told["losses"] == list(spec.losses)
    assert [one["name"] for one in told["options"]] == [
        field.name for field in fields(cast("Any", spec.options))
    ]
    for one in (*told["options"], *told["devices"]):
        assert one["description"], one["name"]
        assert not (one["is_needed"] and one["default"])
    assert len(told["sent"]) >= 5
    assert main(["explain-dialect", name]) == Exit.DONE
    shown = capsys.readouterr().out
    for line in (*(one["topic"] for one in told["sent"]), *spec.losses):
        assert line in shown
    for one in (*told["options"], *told["devices"]):
        assert one["name"] in shown


def test_an_option_is_shown_with_its_type_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    by_name = {one["name"]: one for one in explained(capsys, "thingsboard")["options"]}
    assert by_name["token"]["type"] == "{credential: name}"
    assert (by_name["attributes"]["type"], by_name["attributes"]["default"]) == (
        "true|false",
        "true",
    )
    assert (by_name["quality"]["type"], by_name["quality"]["default"]) == ("key | omit", "key")
    needed = {one["name"] for one in explained(capsys, "jetlinks")["options"] if one["is_needed"]}
    assert needed == {"product_id", "device_id", "secure_id", "secure_key"}


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-dialect", "--json"]) == Exit.DONE
    listed = json.loads(capsys.readouterr().out)
    assert tuple(one["name"] for one in listed) == registry.names()
    assert main(["explain-dialect"]) == Exit.DONE
    shown = capsys.readouterr().out
    assert all(name in shown for name in registry.names())


def test_a_name_that_is_none_is_wrong_usage_and_the_names_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain-dialect", "modem"]) == Exit.USAGE
    assert "thingsboard" in capsys.readouterr().err


def test_every_topic_of_the_golden_files_is_among_those_that_are_shown() -> None:
    sent = {name: registry.load(name).sent for name in registry.names()}
    unknown: dict[str, set[str]] = defaultdict(set)
    seen = 0
    for file in GOLDEN.glob("*/*.json"):
        name = file.parent.name
        patterns = [_pattern(one.topic) for one in sent[name]]
        forms = " ".join(one.form for one in sent[name])
        for topic in _topics(json.loads(file.read_text(encoding="utf-8"))):
            seen += 1
            plain = re.sub(*VARIANTS[name], topic) if name in VARIANTS else topic
            if not any(pattern.fullmatch(plain) for pattern in patterns) and not _is_told(
                topic, forms
            ):
                unknown[name].add(topic)
    assert not unknown
    assert seen > 100


def _topics(found: Any) -> Iterator[str]:
    """Yield the topics of all messages in a golden file."""
    if isinstance(found, dict):
        message = cast("dict[str, Any]", found)
        if "payload" in message and "topic" in message:
            yield message["topic"]
        for value in message.values():
            yield from _topics(value)
    elif isinstance(found, list):
        for value in cast("list[Any]", found):
            yield from _topics(value)


def _pattern(topic: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", topic)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def _is_told(topic: str, forms: str) -> bool:
    """Whether the last column names the topic of a cousin, such as `thing/event/post`."""
    return any(topic.endswith(f"/{told}") for told in re.findall(r"`([\w/]+/\w+)`", forms))
