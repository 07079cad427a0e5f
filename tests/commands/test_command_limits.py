"""Limits of one line of the allow-list: values, rate, interlocks, and what `call` means."""

from collections.abc import Sequence

import pytest

from gateway.commands.calls import written_by
from gateway.commands.limits import HOUR_MS, Interlocks, Rates, Write, check_value
from gateway.model.clock import TimeQuality
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Reading, Value
from gateway.settings.site import ValueType, WriteRule
from gateway.settings.site_commands import Allow, Interlock
from tests.support.points import a_device, a_point

NOW = 1_800_000_000_000
SPEED = a_point("speed", write=WriteRule())
PUMP = a_device("pump-1", [SPEED])
LOOP = a_point("loop", type=ValueType.BOOL, unit=None)
GATE_IN = a_device("gate-in", [LOOP])


def _command(op: Op = Op.SET, **fields: object) -> Command:
    values = ((SPEED.id, 20.0),) if op is Op.SET else ()
    made = Command(SinkName("p"), "r", op, PUMP.id, values, (), NOW + 1000)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _write(value: Value = 20.0, **limits: object) -> Write:
    rule = Allow("*", ("*",), ("set",), **limits)  # pyright: ignore[reportArgumentType]
    return Write(_command(), PUMP, SPEED, value, rule)


def _code(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(CommandRefused) as refused:
        call(*arguments)
    return refused.value.code


# --- values


@pytest.mark.parametrize(
    ("limits", "good", "bad", "code"),
    [
        ({"minimum": 10.0}, [10, 10.5, 1e9], [9.99, -1], "range"),
        ({"maximum": 50.0}, [50, -1e9], [50.01], "range"),
        ({"step": 0.1}, [0.3, 20, -0.7, 1.1], [0.35, 1e-9], "step"),
        ({"minimum": 0.5, "step": 2.0}, [0.5, 2.5, 4.5], [2, 4], "step"),
        ({"values": ("open", "close")}, ["open"], ["stop", ""], "range"),
        ({"values": (1, 2)}, [1, 2.0], [3, True, "1"], "range"),
        ({"values": (True,)}, [True], [1, False], "range"),
    ],
)
def test_a_value_beyond_the_line_of_the_allow_list_is_refused(
    limits: dict[str, object], good: list[Value], bad: list[Value], code: str
) -> None:
    for value in good:
        check_value(_write(value, **limits))
    for value in bad:
        assert _code(check_value, _write(value, **limits)) == code, value


# --- rate


def test_one_point_is_written_again_only_after_its_time() -> None:
    rates, write = Rates({}), _write(every_s=30.0)
    rates.check(write, NOW)
    rates.note(write, NOW, [write.rule])
    assert _code(rates.check, write, NOW + 29_999) == "rate"
    rates.check(write, NOW + 30_000)


def test_a_time_longer_than_an_hour_is_kept_over_a_restart_too() -> None:
    rates, write = Rates({}), _write(every_s=7200.0)
    saved = {change.key: change.value for change in rates.note(write, NOW, [write.rule])}
    for one in (rates, Rates(saved)):
        assert _code(one.check, write, NOW + 2 * HOUR_MS - 1) == "rate"
        one.check(write, NOW + 2 * HOUR_MS)


def test_the_writes_of_an_hour_are_counted_over_a_restart() -> None:
    rates, write = Rates({}), _write(max_per_hour=3)
    saved: dict[str, object] = {}
    for number in range(3):
        rates.check(write, NOW + number)
        saved |= {
            change.key: change.value for change in rates.note(write, NOW + number, [write.rule])
        }
    again = Rates(saved)
    assert _code(again.check, write, NOW + 10) == "rate"
    again.check(write, NOW + HOUR_MS)


def test_a_clock_that_was_set_back_does_not_lock_a_point_for_ever() -> None:
    rates, write = Rates({}), _write(every_s=30.0)
    rates.note(write, NOW + 10 * HOUR_MS, [write.rule])
    rates.check(write, NOW)
    rates.note(write, NOW + 5000, [write.rule])
    assert _code(rates.check, write, NOW) == "rate"


def test_a_line_without_a_rate_saves_nothing() -> None:
    write = _write()
    other = Allow("pump-2", ("*",), ("set",), every_s=30.0)
    assert Rates({}).note(write, NOW, [write.rule, other]) == ()


def test_a_write_counts_for_every_line_that_limits_its_point() -> None:
    free, strict = _write(), _write(max_per_hour=3, every_s=30.0)
    rates, allow = Rates({}), [free.rule, strict.rule, _write(max_per_hour=1).rule]
    for number in range(3):
        rates.note(free, NOW + number, allow)
    rates.check(free, NOW + 10)
    assert _code(rates.check, strict, NOW + 10) == "rate"
    assert _code(rates.check, strict, NOW + 60_000) == "rate"
    rates.check(strict, NOW + HOUR_MS + 2)


# --- interlocks


def _interlocks(value: Value | None, mark: Mark = GOOD, age_ms: int = 0) -> Interlocks:
    reading = Reading(GATE_IN.id, LOOP.id, value, None, mark, NOW - age_ms, TimeQuality.SYNC)

    def shown(device: DeviceId) -> Sequence[Reading]:
        return [reading] if device == GATE_IN.id else []

    return Interlocks(shown)


OCCUPIED = Interlock(GATE_IN.id, LOOP.id, equals=True)
DEVICES = {GATE_IN.id: GATE_IN}


def _rule(**locks: object) -> Allow:
    return Allow("*", ("*",), ("set",), **locks)  # pyright: ignore[reportArgumentType]


def test_a_gate_does_not_close_on_a_car() -> None:
    rule = _rule(unless=(OCCUPIED,))
    _interlocks(value=False).check(rule, DEVICES, NOW)
    assert _code(_interlocks(value=True).check, rule, DEVICES, NOW) == "interlock"


def test_only_if_needs_the_condition_to_hold() -> None:
    rule = _rule(only_if=(OCCUPIED,))
    _interlocks(value=True).check(rule, DEVICES, NOW)
    assert _code(_interlocks(value=False).check, rule, DEVICES, NOW) == "interlock"


@pytest.mark.parametrize(
    "interlocks",
    [
        _interlocks(value=None),
        _interlocks(value=False, mark=Mark(Quality.BAD, "timeout")),
        _interlocks(value=False, mark=Mark(Quality.STALE, "stuck")),
        _interlocks(value=False, age_ms=5001),
        _interlocks(value=False, age_ms=-2001),
        Interlocks(lambda _: []),
    ],
    ids=["none", "bad", "stale", "old", "ahead", "never"],
)
def test_what_cannot_be_known_locks(interlocks: Interlocks) -> None:
    for rule in (_rule(unless=(OCCUPIED,)), _rule(only_if=(OCCUPIED,))):
        assert _code(interlocks.check, rule, DEVICES, NOW) == "interlock_unknown"


def test_a_point_that_a_reload_took_away_locks() -> None:
    rule = _rule(unless=(OCCUPIED,))
    assert _code(_interlocks(value=False).check, rule, {}, NOW) == "interlock_unknown"


def test_the_age_that_counts_is_that_of_the_site_file_or_three_polls() -> None:
    patient = Interlock(GATE_IN.id, LOOP.id, equals=True, max_age_s=60)
    _interlocks(value=False, age_ms=60_000).check(_rule(unless=(patient,)), DEVICES, NOW)
    slow = a_device("gate-in", [a_point("loop", type=ValueType.BOOL, poll=_Slow())])
    _interlocks(value=False, age_ms=89_000).check(
        _rule(unless=(OCCUPIED,)), {GATE_IN.id: slow}, NOW
    )


class _Slow:
    seconds = 30.0


@pytest.mark.parametrize(
    ("lock", "holds", "not_"),
    [
        ({"equals": 1}, [1, 1.0], [True, 2, "1"]),
        ({"equals": True}, [True], [1, False, "true"]),
        ({"above": 5.0}, [5.1], [5.0, True, "6"]),
        ({"below": 5.0}, [4.9, -1], [5.0, False, ""]),
    ],
)
def test_a_condition_holds_for_values_of_its_own_type(
    lock: dict[str, object], holds: list[Value], not_: list[Value]
) -> None:
    condition = Interlock(GATE_IN.id, LOOP.id, **lock)  # pyright: ignore[reportArgumentType]
    assert all(condition.holds(value) for value in holds)
    assert not any(condition.holds(value) for value in not_)


# --- calls


def _device(*, second: bool = False) -> list[object]:
    names = {1: "open", 2: "close", 3: "hold"}
    gate = a_point(
        "pos_cmd",
        type=ValueType.ENUM,
        enum=names,
        write=WriteRule(allowed=("open", "close")),
        is_command=True,
    )
    unlock = a_point(
        "unlock_1", type=ValueType.BOOL, write=WriteRule(allowed=(True,)), is_command=True
    )
    other = a_point("flap", type=ValueType.ENUM, enum=names, write=WriteRule(), is_command=True)
    plain = a_point("speed", write=WriteRule())
    return [gate, unlock, plain, *([other] if second else [])]


@pytest.mark.parametrize(
    ("function", "arguments", "point", "value"),
    [
        ("pos_cmd", (("value", "open"),), "pos_cmd", "open"),
        ("open", (), "pos_cmd", "open"),
        ("unlock_1", (), "unlock_1", True),
        ("unlock_1", (("value", True),), "unlock_1", True),
    ],
)
def test_a_function_is_a_command_of_the_kind_or_a_word_that_one_takes(
    function: str, arguments: tuple[tuple[str, Value], ...], point: str, value: Value
) -> None:
    device = a_device("gate", _device())  # pyright: ignore[reportArgumentType]
    command = _command(Op.CALL, function=function, arguments=arguments)
    assert written_by(device, command) == (PointId(point), value)


@pytest.mark.parametrize(
    ("function", "arguments", "code"),
    [
        ("speed", (("value", 1),), "no_function"),
        ("hold", (), "no_function"),
        ("nothing", (), "no_function"),
        ("open", (("value", "open"),), "bad_args"),
        ("pos_cmd", (), "bad_args"),
        ("pos_cmd", (("value", "open"), ("why", "x")), "bad_args"),
    ],
)
def test_what_is_no_function_of_the_device_is_refused(
    function: str, arguments: tuple[tuple[str, Value], ...], code: str
) -> None:
    device = a_device("gate", _device())  # pyright: ignore[reportArgumentType]
    command = _command(Op.CALL, function=function, arguments=arguments)
    assert _code(written_by, device, command) == code


def test_a_word_that_two_commands_take_is_nobodys() -> None:
    device = a_device("gate", _device(second=True))  # pyright: ignore[reportArgumentType]
    assert _code(written_by, device, _command(Op.CALL, function="open")) == "no_function"
