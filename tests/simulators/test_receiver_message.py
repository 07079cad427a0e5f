"""The receiver reads messages of the dialect, and nothing that is not one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.receiver.message import MOST_DEPTH, Message, Source, Unreadable, read, same_content

TOPIC = "fc/1/s1/g1/up/prop/em-01"


def fields(seq: int = 2, pv: int | None = 1, **more: Any) -> dict[str, Any]:
    return {
        "v": "1.0", "k": "prop", "gw": "g1", "dev": "em-01", "kind": "meter.electricity",
        "ep": 42, "seq": seq, "pv": pv, "ts": 1000, "tp": 1005, "tq": "sync",
        "pts": [{"p": "u_a", "v": 230.1, "u": "V"}], **more,
    }  # fmt: skip


def said(topic: str = TOPIC, **more: Any) -> Message:
    return read(topic, json.dumps(fields(**more)).encode(), "fc")


def test_a_message_is_a_record_with_its_identity() -> None:
    (record,) = said().records
    assert (record.source, record.seq, record.pv) == (Source("s1", "g1", 42), 2, 1)
    assert (record.lane, record.device, record.ts_ms) == ("telemetry", "em-01", 1000)


def test_a_hist_carries_a_record_for_each_item() -> None:
    items: list[dict[str, Any]] = [
        {"ep": 42, "seq": n, "pv": n - 1, "ts": n, "tq": "sync", "pts": []} for n in (5, 6)
    ]
    whole = said("fc/1/s1/g1/up/hist/em-01", seq=None, pv=None, items=items)
    assert [(r.seq, r.pv, r.ts_ms, r.lane) for r in whole.records] == [
        (5, 4, 5, "telemetry"),
        (6, 5, 6, "telemetry"),
    ]
    assert json.loads(whole.records[0].text)["dev"] == "em-01"


def test_births_and_states_of_gateways_are_no_records() -> None:
    assert said("fc/1/s1/g1/up/birth/em-01", seq=None, pv=None).records == ()


def test_a_cleared_topic_has_no_fields() -> None:
    assert read("fc/1/s1/g1/up/birth/em-01", b"", "fc") == Message("s1", "g1", "birth", "em-01", {})


def test_a_record_is_of_the_same_content_live_and_as_history() -> None:
    (live,) = said().records
    item = {k: v for k, v in fields().items() if k in {"ep", "seq", "pv", "ts", "tq", "pts"}}
    whole = said("fc/1/s1/g1/up/hist/em-01", seq=None, pv=None, tp=9999, items=[item])
    assert same_content(live.text, whole.records[0].text)
    (other,) = said(pts=[{"p": "u_a", "v": 230.2, "u": "V"}]).records
    assert not same_content(live.text, other.text)


@pytest.mark.parametrize(
    ("topic", "changed"),
    [
        ("fc/1/s1/g1/dn/cmd/em-01", {}),
        ("fc/1/s1/g1/up/prop", {}),
        ("xx/1/s1/g1/up/prop/em-01", {}),
        ("fc/1/s1/g2/up/prop/em-01", {}),  # another gateway's name
        (TOPIC, {"v": "2.0"}),
        (TOPIC, {"seq": -1}),
        (TOPIC, {"seq": True}),
        (TOPIC, {"ep": "42"}),
        (TOPIC, {"pv": 1 << 60}),
        (TOPIC, {"ts": 1.5}),
        (TOPIC, {"items": [17]}),
    ],
)
def test_what_is_not_of_the_dialect_is_unreadable(topic: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        said(topic, **changed)


def test_nan_and_depth_are_unreadable() -> None:
    for payload in (b'{"v": NaN}', b"[" * 100_000, b"\xff", b"[]", b"3"):
        with pytest.raises(Unreadable):
            read(TOPIC, payload, "fc")


@pytest.mark.parametrize(
    "more",
    [
        '"pts": [{"p": "u_a", "v": "\\ud800"}]',  # half a character: no database takes it
        '"items": [{"ep": 1, "seq": 1, "ts": 1, "x": "\\ud800"}]',
        '"items": [{"ep": 1, "seq": 1, "ts": 1, "x": 1e999}]',
        f'"x": {"[" * (MOST_DEPTH + 1)}{"]" * (MOST_DEPTH + 1)}',
        f'"x": {"[" * 900}{"]" * 900}',  # read by the parser, but only just
    ],
)
def test_what_could_be_read_but_not_written_again_is_unreadable(more: str) -> None:
    payload = f'{{"v": "1.0", "gw": "g1", "ep": 1, "seq": 1, "ts": 1, {more}}}'
    with pytest.raises(Unreadable):
        read(TOPIC, payload.encode(), "fc")


def test_a_sealed_payload_is_unreadable_and_called_so() -> None:
    with pytest.raises(Unreadable, match="sealed, and there is no key here"):
        read(TOPIC, b'{"v": "1.0", "k": "sealed", "data": "x", "sig": "x", "signer": "x"}', "fc")


def test_many_values_are_no_depth_and_escaped_texts_are_texts() -> None:
    pts = [{"p": f"p{n}", "v": "你 😀"} for n in range(10 * MOST_DEPTH)]
    (record,) = said(pts=pts).records
    assert "\\ud83d" in record.text, "a whole character, written as two halves"


@given(st.binary(max_size=60), st.sampled_from(["prop", "hist", "event", "gap", "state"]))
def test_no_bytes_raise_anything_else(payload: bytes, kind: str) -> None:
    try:
        read(f"fc/1/s1/g1/up/{kind}/_", payload, "fc")
    except Unreadable:
        pass
