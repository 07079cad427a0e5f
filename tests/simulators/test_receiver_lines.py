"""Records become line protocol."""

from __future__ import annotations

import json
from typing import Any

from simulators.receiver.lines import lines, value_text
from simulators.receiver.message import read
from tests.simulators.test_receiver_message import fields

HEAD = "meter.electricity,site=s1,gw=g1,dev=em-01"


def made(kind: str = "prop", **more: Any) -> list[str]:
    payload = json.dumps(fields(**more)).encode()
    (record,) = read(f"fc/1/s1/g1/up/{kind}/em-01", payload, "fc").records
    return list(lines(record))


def test_good_values_are_fields_of_one_line() -> None:
    points = [{"p": "u_a", "v": 230.0}, {"p": "n", "v": 7}, {"p": "open", "v": True}]
    assert made(pts=points) == [f"{HEAD} u_a=230.0,n=7i,open=true 1000"]


def test_a_point_with_its_own_time_is_a_line_of_its_own() -> None:
    points = [{"p": "u_a", "v": 1.0}, {"p": "ep", "v": 2.0, "t": -400}]
    assert made(pts=points) == [f"{HEAD} u_a=1.0 1000", f"{HEAD} ep=2.0 600"]


def test_a_value_that_is_not_good_is_told_by_its_quality() -> None:
    points = [{"p": "u_a", "v": None, "q": 0, "qr": "timeout"}, {"p": "i_a", "v": 3.0, "q": 500}]
    assert made(pts=points) == [f"{HEAD} q.u_a=0i,q.i_a=500i 1000"]


def test_simulated_values_are_kept_apart() -> None:
    assert made(pts=[{"p": "u_a", "v": 1.0, "qr": "sim"}]) == [f"{HEAD},sim=true u_a=1.0 1000"]


def test_texts_and_names_are_escaped() -> None:
    (line,) = made(pts=[{"p": "u a", "v": 'say "hi" \\ 你'}])
    assert line == f'{HEAD} u\\ a="say \\"hi\\" \\\\ 你" 1000'


def test_an_event_is_a_line_with_numbers_as_texts() -> None:
    (line,) = made("event", pts=[], eid="e1", type="leak", st="raised", sev=3, val=4, thr=None)
    assert line == (
        'event,site=s1,gw=g1,dev=em-01,type=leak st="raised",sev=3i,eid="e1",val="4" 1000'
    )


def test_numbers_without_end_stop_nothing() -> None:
    endless = 10**4300 - 1  # the longest that Python reads: one more and it cannot be written
    points = [{"p": "u_a", "v": 1.0, "t": endless}, {"p": "i_a", "v": endless}]
    assert made(pts=points) == [f"{HEAD} u_a=1.0 1000"]


def test_other_classes_have_no_lines() -> None:
    assert made("log", pts=[], topic="x") == []


def test_what_line_protocol_cannot_hold_is_left_out() -> None:
    values: list[object] = [None, float("inf"), 1 << 70, ()]
    assert [value_text(value) for value in values] == [None] * 4
