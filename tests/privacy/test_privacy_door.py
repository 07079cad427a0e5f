"""The outer door: what a sink may not know leaves in no message, and the chain stays whole."""

from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import PointColumn
from gateway.model.record import EventBody, StateBody
from tests.support.natives import GATE, GATE_COLUMN, committed, prop, said
from tests.support.payloads import checked


def test_points_above_the_level_of_the_sink_are_left_out() -> None:
    body = prop("open", True, "浙A12345", column=GATE_COLUMN)
    for level, shown in (("L1", 2), ("L2", 2), ("L4", 3)):
        (one,) = said([committed(body, GATE)], level=level).publications
        assert len(checked(one.topic, one.payload)["pts"]) == shown
        assert ("浙A12345".encode() in one.payload) == (level == "L4")


def test_records_of_which_nothing_may_be_seen_are_withheld_and_the_chain_stays_whole() -> None:
    plate = PointColumn((PointId("plate"),), (None,))
    batch = [
        committed(prop("open", True, None, column=GATE_COLUMN), GATE, seq=1, pv=None),
        committed(prop("浙A1", column=plate), GATE, seq=2, pv=1),
        committed(prop("浙A2", column=plate), GATE, seq=3, pv=2),
        committed(prop(1.0, 2.0, 3.0), seq=4, pv=3),
        committed(prop(1.0, 2.0, 3.0), seq=5, pv=4),
    ]
    encoded = said(batch)
    assert encoded.withheld == (2, 3)
    found = [checked(p.topic, p.payload) for p in encoded.publications]
    assert [(f["seq"], f["pv"]) for f in found] == [(1, None), (4, 1), (5, 4)]


def test_an_event_of_a_hidden_point_is_withheld_unless_life_is_in_danger() -> None:
    private = EventBody("e", "entered", 1, "raised", "plate", "浙A1", "浙A1", detail="浙A1")
    fire = EventBody("f", "fire", 4, "raised", "plate", "浙A1", "浙A1", "fire", "浙A1")
    batch = [committed(private, GATE, seq=1), committed(fire, GATE, seq=2)]
    encoded = said(batch)
    assert encoded.withheld == (1,)
    found = checked(encoded.publications[0].topic, encoded.publications[0].payload)
    assert (found["type"], found["p"], found["val"], found["thr"]) == ("fire", None, None, None)
    assert "浙A1".encode() not in encoded.publications[0].payload


def test_a_device_that_was_never_born_here_is_withheld() -> None:
    stranger = DeviceId("em-99")
    batch = [
        committed(prop(1.0, 2.0, 3.0), stranger, seq=1),
        committed(StateBody(True, "ok", 1), stranger, seq=2),
    ]
    encoded = said(batch)
    assert (encoded.publications, encoded.withheld) == ((), (1, 2))
