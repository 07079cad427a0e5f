"""A command is carried out once, in time, and only when the site file allows it."""

import pytest

from gateway.commands.admit import Admission, Moment, Repeated
from gateway.commands.memory import KEEP_MS, ROOM, Memory, Remembered
from gateway.model.clock import TimeQuality
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.settings.site_commands import Allow, Commands

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


def _admit(admission: Admission, command: Command, at: Moment) -> Allow:
    """Ask as the judge does, and return the line that allowed it."""
    admission.check_time(command, at)
    points = [point for point, _ in command.values] or [*command.points] or [PointId("*")]
    rules = [admission.rule(command, point, at) for point in points]
    admission.check_rate(at.now)
    return rules[0]


def _refusal(admission: Admission, command: Command, at: Moment) -> str:
    with pytest.raises(CommandRefused) as refused:
        _admit(admission, command, at)
    return refused.value.code


def test_what_the_site_file_allows_is_admitted() -> None:
    assert _admit(Admission(GATES, Memory({})), _command(), _at()) is GATES.allow[0]


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
    seen = _command(op=Op.EVENT_ACK, values=(), expires_ms=None, event="e1")
    assert _refusal(admission, seen, at) == "clock"
    _admit(admission, _command(op=Op.READ, values=(), expires_ms=None), at)


def test_a_repeated_command_gets_its_receipt_again() -> None:
    memory = Memory({})
    memory.remember(PROVINCE, "r1", Remembered("done", None, None, NOW))
    with pytest.raises(Repeated) as repeated:
        _admit(Admission(GATES, memory), _command(), _at())
    assert repeated.value.receipt.status == "done"


@pytest.mark.parametrize(
    ("after_ms", "is_same"), [(0, True), (600_000, True), (600_001, False), (-600_001, False)]
)
def test_an_id_that_a_platform_counts_anew_names_a_request_for_a_while(
    after_ms: int, *, is_same: bool
) -> None:
    memory = Memory({})
    memory.remember(PROVINCE, "r1", Remembered("done", None, None, NOW))
    command = _command(same_for_ms=600_000, expires_ms=NOW + after_ms + 5000)
    at = Moment(NOW + after_ms, TimeQuality.SYNC, 0.0)
    if is_same:
        with pytest.raises(Repeated):
            _admit(Admission(GATES, memory), command, at)
    else:
        assert _admit(Admission(GATES, memory), command, at) is GATES.allow[0]


def test_the_memory_of_commands_survives_a_restart() -> None:
    saved = Memory({}).remember(PROVINCE, "r1", Remembered("done", None, "ok", NOW))
    restored = Memory({change.key: change.value for change in saved if change.room == ROOM})
    assert restored.find(PROVINCE, "r1", NOW) == Remembered("done", None, "ok", NOW)


def test_old_commands_are_forgotten_after_a_day() -> None:
    memory = Memory({})
    memory.remember(PROVINCE, "old", Remembered("done", None, None, NOW - KEEP_MS))
    changes = memory.remember(PROVINCE, "new", Remembered("done", None, None, NOW))
    assert memory.find(PROVINCE, "old", NOW) is None
    assert [(change.key, change.value is None) for change in changes] == [
        ("province/new", False),
        ("province/old", True),
    ]


def test_a_flood_is_refused_and_the_next_minute_is_free() -> None:
    admission = Admission(Commands(GATES.allow, max_per_minute=2), Memory({}))
    for rid in ("a", "b"):
        _admit(admission, _command(rid=rid), _at())
    assert _refusal(admission, _command(rid="c"), _at()) == "rate"
    _admit(admission, _command(rid="d"), _at(now=60.0))


def test_the_first_line_that_fits_counts_with_all_its_limits() -> None:
    slow = Allow("gate-*", ("pos_*",), ("set",), by=("desk-*",), max_valid_s=2.0)
    anyone = Allow("gate-*", ("pos_cmd",), ("set",))
    admission = Admission(Commands((slow, anyone)), Memory({}))
    assert _refusal(admission, _command(by="desk-1"), _at()) == "expiry_too_far"
    assert _admit(admission, _command(by="guard-1"), _at()) is anyone
    assert _admit(admission, _command(), _at()) is anyone
    assert _admit(admission, _command(by="desk-1", expires_ms=NOW + 2000), _at()) is slow


def test_who_does_not_say_who_he_is_is_nobody_of_a_list() -> None:
    admission = Admission(Commands((Allow("*", ("*",), ("set",), by=("desk",)),)), Memory({}))
    assert _refusal(admission, _command(), _at()) == "not_allowed"
    assert _refusal(admission, _command(by="desk2"), _at()) == "not_allowed"


def test_arming_is_allowed_where_the_write_is() -> None:
    admission = Admission(GATES, Memory({}))
    assert _admit(admission, _command(op=Op.ARM), _at()) is GATES.allow[0]
    assert _refusal(admission, _command(op=Op.ARM, device=DeviceId("x")), _at()) == "not_allowed"
    assert _refusal(admission, _command(op=Op.CALL), _at()) == "not_allowed"


def test_what_could_be_done_again_is_never_forgotten_and_new_writes_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.commands.memory.MAX_REMEMBERED", 3)
    memory = Memory({})
    for number in range(3):
        memory.remember(PROVINCE, f"w{number}", Remembered("done", None, None, NOW, NOW + 1000))
    admission = Admission(GATES, memory)
    assert _refusal(admission, _command(rid="w3"), _at()) == "busy"
    later = Moment(NOW + 1000, TimeQuality.SYNC, 1.0)
    _admit(admission, _command(rid="w3"), later)
    changes = memory.remember(PROVINCE, "w3", Remembered("done", None, None, NOW + 1000))
    assert [change.key for change in changes if change.value is None] == ["province/w0"]


def test_refusals_do_not_push_out_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.commands.memory.MAX_REMEMBERED", 5)
    memory = Memory({})
    memory.remember(PROVINCE, "done", Remembered("done", None, None, NOW, NOW + 60_000))
    for number in range(50):
        memory.remember(PROVINCE, f"x{number}", Remembered("rejected", "range", None, NOW + number))
    assert memory.find(PROVINCE, "done", NOW) is not None
    assert memory.find(PROVINCE, "x0", NOW) is None
    assert memory.find(PROVINCE, "x49", NOW) is not None
