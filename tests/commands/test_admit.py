"""A command is carried out once, in time, and only when the site file allows it."""

import pytest

from gateway.commands.admit import Admission, Moment, Repeated
from gateway.commands.memory import KEEP_MS, ROOM, Memory, Remembered
from gateway.model.clock import TimeQuality
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.settings.site_sinks import Allow, Commands

NOW = 1_800_000_000_000
PROVINCE = SinkName("province")
GATES = Commands((Allow("gate-*", ("pos_cmd",), ("set",)), Allow("*", ("*",), ("read",))))


def _command(**changes: object) -> Command:
    fields: dict[str, object] = {
        "sink": PROVINCE,
        "rid": "r1",
        "op": Op.SET,
        "device": DeviceId("gate-1"),
        "values": ((PointId("pos_cmd"), "open"),),
        "points": (),
        "expires_ms": NOW + 5000,
    }
    return Command(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def _at(*, tq: TimeQuality = TimeQuality.SYNC, now: float = 0.0) -> Moment:
    return Moment(NOW, tq, now)


def _refusal(admission: Admission, command: Command, at: Moment) -> str:
    with pytest.raises(CommandRefused) as refused:
        admission.admit(command, at)
    return refused.value.code


def test_what_the_site_file_allows_is_admitted() -> None:
    Admission(GATES, Memory({})).admit(_command(), _at())


def test_nothing_is_allowed_unless_the_site_file_says_so() -> None:
    assert _refusal(Admission(Commands(), Memory({})), _command(), _at()) == "not_allowed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"device": DeviceId("pump-1")}, "not_allowed"),
        ({"values": ((PointId("speed"), 1),)}, "not_allowed"),
        ({"expires_ms": None}, "no_expiry"),
        ({"expires_ms": NOW}, "expired"),
        ({"expires_ms": NOW + 25 * 3600 * 1000}, "expiry_too_far"),
    ],
)
def test_a_refusal_has_a_stable_code(changes: dict[str, object], code: str) -> None:
    assert _refusal(Admission(GATES, Memory({})), _command(**changes), _at()) == code


def test_with_an_unsynchronised_clock_commands_may_read_and_nothing_else() -> None:
    admission = Admission(GATES, Memory({}))
    at = _at(tq=TimeQuality.UNSYNC)
    assert _refusal(admission, _command(), at) == "clock"
    admission.admit(_command(op=Op.READ, values=(), expires_ms=None), at)


def test_a_repeated_command_gets_its_receipt_again() -> None:
    memory = Memory({})
    memory.remember(PROVINCE, "r1", Remembered("done", None, None, NOW))
    with pytest.raises(Repeated) as repeated:
        Admission(GATES, memory).admit(_command(), _at())
    assert repeated.value.receipt.status == "done"


def test_the_memory_of_commands_survives_a_restart() -> None:
    saved = Memory({}).remember(PROVINCE, "r1", Remembered("done", None, "ok", NOW))
    restored = Memory({change.key: change.value for change in saved if change.room == ROOM})
    assert restored.find(PROVINCE, "r1") == Remembered("done", None, "ok", NOW)


def test_old_commands_are_forgotten_after_a_day() -> None:
    memory = Memory({})
    memory.remember(PROVINCE, "old", Remembered("done", None, None, NOW - KEEP_MS))
    changes = memory.remember(PROVINCE, "new", Remembered("done", None, None, NOW))
    assert memory.find(PROVINCE, "old") is None
    assert [(change.key, change.value is None) for change in changes] == [
        ("province/new", False),
        ("province/old", True),
    ]


def test_a_flood_is_refused_and_the_next_minute_is_free() -> None:
    admission = Admission(Commands(GATES.allow, max_per_minute=2), Memory({}))
    for rid in ("a", "b"):
        admission.admit(_command(rid=rid), _at())
    assert _refusal(admission, _command(rid="c"), _at()) == "rate"
    admission.admit(_command(rid="d"), _at(now=60.0))
