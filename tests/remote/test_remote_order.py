"""Orders: strict, whatever was signed; and files that stay in their folder."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.remote.files import MOST_BYTES, hash_of, is_bundle_name
from gateway.remote.order import Act, BadOrder, read_order, rid_of
from gateway.remote.parts import MOST_BYTES as MOST_OF_A_FILE
from gateway.remote.parts import PART_BYTES, parts_of
from tests.support.letters import hash_of_files

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "config" / "schema" / "order.json").read_text(encoding="utf-8")
)
GOOD: dict[str, Any] = SCHEMA["examples"][0]


def _faults(found: dict[str, Any]) -> list[str]:
    validator: Any = Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(found)]


def test_the_examples_of_the_schema_are_valid_and_understood() -> None:
    for example in SCHEMA["examples"]:
        assert _faults(example) == []
        order = read_order(json.dumps(example).encode())
        assert (order.act, order.number) == (Act(example["do"]), example["n"])
        assert hash_of(order.files) == order.hash or order.act is not Act.CONFIG


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "reboot"},
        {"n": True},
        {"n": 1.5},
        {"n": 2**53},
        {"exp": "soon"},
        {"rid": ""},
        {"rid": "x" * 65},
        {"gw": 3},
        {"hash": "A" * 64},
        {"base": "ab"},
        {"files": {}},
        {"files": {"gateway.yaml": 3}},
        {"files": {"../gateway.yaml": ""}},
        {"files": {"/etc/passwd": ""}},
        {"files": {"profiles/x.yaml": ""}},
        {"files": {"gateway.yaml": "x" * (MOST_BYTES + 1)}},
        {"files": {"gateway.yaml": "\ud800"}},
        {"files": {"gateway.yaml": "", "a.csv": "", "a.csv/b.csv": ""}},
        {"unknown": 1},
    ],
)
def test_a_wrong_order_is_refused_under_its_rid(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadOrder) as refused:
        read_order(json.dumps({**GOOD, **wrong}).encode())
    assert refused.value.rid in {GOOD["rid"], None}


def test_a_key_twice_and_a_deep_object_are_no_orders() -> None:
    text = json.dumps(GOOD)
    for payload in (text[:-1] + ',"n":43}', '{"rid":' + "[" * 100_000, "[]", "3"):
        with pytest.raises(BadOrder):
            read_order(payload.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_an_order_or_refused_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(BadOrder):
        read_order(payload)
    assert rid_of(payload) is None


@given(st.text(max_size=40))
def test_no_name_leaves_the_folder_of_its_bundle(name: str) -> None:
    if is_bundle_name(name):
        whole = (Path("/bundle") / name).resolve()
        assert whole.is_relative_to("/bundle")
        assert whole.suffix in {".yaml", ".csv"}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("gateway.yaml", True),
        ("conf.d/a.yaml", True),
        ("buildings/b3.csv", True),
        ("a/b/c/d.csv", True),
        ("a/b/c/d/e.csv", False),
        ("other.yaml", False),
        ("conf.d/../x.yaml", False),
        ("..csv", False),
        (".hidden.csv", False),
        ("a//b.csv", False),
        ("gateway.yaml\n", False),
    ],
)
def test_a_bundle_holds_the_site_file_its_parts_and_tables(name: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    assert is_bundle_name(name) is is_one


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_the_hash_is_that_of_the_documents(files: dict[str, str]) -> None:
    try:
        plain = {name: text.encode() for name, text in files.items()}
        expected = hash_of_files(files)
    except UnicodeEncodeError:
        return
    assert hash_of(plain) == expected


@given(st.binary(max_size=200), st.integers(0, 3))
def test_parts_give_the_whole(tail: bytes, full: int) -> None:
    content = b"\x00" * PART_BYTES * full + tail
    parts = [dict(fields) for fields in parts_of("r", "log.txt", content)]
    assert b"".join(b64decode(part["base64"]) for part in parts) == content
    assert {part["sha256"] for part in parts} == {sha256(content).hexdigest()}
    assert [part["part"] for part in parts] == [str(n) for n in range(1, len(parts) + 1)]


def test_a_file_beyond_the_limit_is_not_cut_up() -> None:
    with pytest.raises(ValueError, match="at most"):
        list(parts_of("r", "log.txt", b"x" * (MOST_OF_A_FILE + 1)))
