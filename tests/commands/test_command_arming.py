"""Two steps for what is dangerous: a token that is good once, soon, and for one thing."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from gateway.commands.arming import MOST_TOKENS, VALID_S, Arming, check_armable, needs_token
from gateway.commands.limits import Write
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import DeviceId, SinkName
from gateway.model.reading import Value
from gateway.settings.site import ValueType, WriteRule
from gateway.settings.site_commands import Allow
from tests.support.points import a_device, a_point

CONSENTED = Allow("*", ("*",), ("set",), is_dangerous=True)
VALVE = a_point("valve", type=ValueType.BOOL, unit=None, write=WriteRule(is_dangerous=True))
LAMP = a_point("lamp", type=ValueType.BOOL, unit=None, write=WriteRule())
METER = a_device("meter-1", [VALVE, LAMP])


def _write(token: str | None = None, rule: Allow = CONSENTED, **changes: object) -> Write:
    command = Command(
        SinkName("p"), "r", Op.SET, METER.id, ((VALVE.id, False),), (), 1, "desk", token=token
    )
    fields = {"command": command, "device": METER, "point": VALVE, "value": False, "rule": rule}
    return Write(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def _arming() -> Arming:
    numbers = count()
    return Arming(lambda: f"t{next(numbers)}")


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(CommandRefused) as refused:
        call()
    return refused.value.code


def test_a_token_is_good_once_and_for_a_minute() -> None:
    arming = _arming()
    token = arming.arm(_write(), 0.0)
    write = _write(token)
    arming.check(write, VALID_S - 0.01)
    arming.spend(write)
    assert _code(lambda: arming.check(write, 1.0)) == "token"
    late = _write(arming.arm(_write(), 100.0))
    assert _code(lambda: arming.check(late, 100.0 + VALID_S)) == "token"


def test_without_a_token_or_with_a_guess_nothing_moves() -> None:
    arming = _arming()
    arming.arm(_write(), 0.0)
    assert _code(lambda: arming.check(_write(), 0.0)) == "not_armed"
    for guess in ("", "t", "t00", "T0", "\x00"):
        assert _code(lambda guess=guess: arming.check(_write(guess), 0.0)) == "token"


@pytest.mark.parametrize(
    "other",
    [
        {"sink": SinkName("q")},
        {"by": "guard"},
        {"by": None},
        {"device": DeviceId("meter-2")},
    ],
)
def test_a_token_of_somebody_or_something_else_is_void_from_then_on(
    other: dict[str, object],
) -> None:
    arming = _arming()
    token = arming.arm(_write(), 0.0)
    mine = _write(token)
    theirs = replace(mine, command=replace(mine.command, **other))
    assert _code(lambda: arming.check(theirs, 1.0)) == "token"
    assert _code(lambda: arming.check(mine, 1.0)) == "token"


@pytest.mark.parametrize("value", [True, 0, "false"])
def test_a_token_is_bound_to_the_value(value: Value) -> None:
    arming = _arming()
    token = arming.arm(_write(), 0.0)
    assert _code(lambda: arming.check(_write(token, value=value), 1.0)) == "token"


def test_what_is_dangerous_needs_the_consent_of_the_site_first() -> None:
    rule = Allow("*", ("*",), ("set",))
    assert _code(lambda: check_armable(_write(rule=rule))) == "dangerous"
    assert _code(lambda: _arming().check(_write("t0", rule), 0.0)) == "dangerous"


def test_the_site_may_ask_for_a_token_everywhere_or_nowhere() -> None:
    everywhere, nowhere = replace(CONSENTED, arm="token"), replace(CONSENTED, arm="none")
    assert needs_token(_write(rule=everywhere, point=LAMP))
    assert not needs_token(_write(point=LAMP))
    assert not needs_token(_write(rule=nowhere))
    _arming().check(_write(rule=nowhere), 0.0)
    assert _code(lambda: check_armable(_write(point=LAMP))) == "no_arm_needed"


def test_tokens_of_a_platform_are_few_and_its_oldest_go_first() -> None:
    arming = _arming()
    other = replace(_write(), command=replace(_write().command, sink=SinkName("q")))
    kept = arming.arm(other, 0.0)
    tokens = [arming.arm(_write(), 0.0) for _ in range(MOST_TOKENS + 1)]
    assert _code(lambda: arming.check(_write(tokens[0]), 0.0)) == "token"
    arming.check(_write(tokens[1]), 0.0)
    arming.check(replace(other, command=replace(other.command, token=kept)), 0.0)
