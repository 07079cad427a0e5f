"""Breaker, budget, response times, echo and quarantine, as tables."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from drivers.contract import DeviceRefused, DriverError, NoAnswer
from gateway.bus.breaker import BUDGET_SHARE, Health, LineWatch, ProbeBudget
from gateway.bus.echo import EchoFilter
from gateway.bus.quarantine import HOLD_S, Quarantine
from gateway.bus.response import ON_SERIAL, ResponseTime, contact_timeout_s
from gateway.settings.site import Echo


def test_a_unit_is_given_up_after_so_many_failures_and_comes_back_at_once() -> None:
    health = Health("seed", 3)
    assert health.succeeded()
    assert [health.failed(float(n)) for n in range(3)] == [False, False, True]
    assert health.is_dead
    assert health.succeeded()
    assert not health.is_dead


def test_a_unit_that_was_never_seen_is_given_up_at_once() -> None:
    health = Health("seed", 3)
    assert health.failed(0.0)


def test_the_back_off_doubles_to_a_minute_and_is_the_same_in_every_run() -> None:
    def waits() -> list[float]:
        health = Health("line/7", 1)
        health.failed(0.0)
        times = [health.probe_at]
        for _ in range(9):
            health.probe_failed(0.0)
            times.append(health.probe_at)
        return times

    assert waits() == waits()
    for wait, middle in zip(waits(), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert wait == pytest.approx(middle, rel=0.1)


def test_a_unit_that_answers_probes_only_keeps_its_back_off() -> None:
    health = Health("seed", 3)
    health.failed(0.0)
    for _ in range(5):
        health.probe_failed(0.0)
    health.half_opened()
    assert health.failed(100.0), "one failed poll opens it again"
    assert health.probe_at > 125.0
    health.half_opened()
    assert health.succeeded()
    assert health.probes == 0


def test_probes_may_take_a_fixed_share_of_the_time() -> None:
    budget = ProbeBudget(0.0)
    spent, now = 0.0, 0.0
    while now < 1000.0:
        now += 0.05
        if budget.allows(now, 0.1):
            budget.spend(now, 0.1)
            spent += 0.1
    assert spent == pytest.approx(1000.0 * BUDGET_SHARE, rel=0.05)


def test_the_budget_says_when_it_will_allow() -> None:
    budget = ProbeBudget(0.0)
    budget.spend(0.0, 0.3)
    at = budget.allowed_at(0.0, 0.1)
    assert not budget.allows(at - 1.0, 0.1)
    assert budget.allows(at + 1e-6, 0.1)


def test_a_line_is_dead_when_everybody_failed_since_anybody_answered() -> None:
    watch, everybody = LineWatch(), [1, 2, 3]
    assert not watch.failed(1, everybody)
    assert not watch.failed(2, everybody)
    assert not watch.answered()
    assert [watch.failed(unit, everybody) for unit in (3, 1, 1, 2)] == [False] * 3 + [True]
    assert watch.answered()
    assert not watch.is_dead


def test_a_single_dead_unit_is_not_a_dead_line() -> None:
    assert not LineWatch().failed(1, [1])


def test_the_timeout_adapts_to_what_was_measured() -> None:
    response = ResponseTime(ON_SERIAL)
    assert response.timeout_s == ON_SERIAL.first_s
    for _ in range(50):
        response.measured(0.005)
    assert response.timeout_s == ON_SERIAL.floor_s
    for _ in range(50):
        response.measured(0.2)
    assert 0.6 <= response.timeout_s <= 0.7


def test_a_late_reply_raises_the_timeout_and_is_soon_forgiven() -> None:
    response = ResponseTime(ON_SERIAL)
    for _ in range(20):
        response.measured(0.005)
    response.came_late(0.4)
    assert response.timeout_s > 0.4
    for _ in range(40):
        response.measured(0.005)
    assert response.timeout_s < 0.1


def test_a_prescribed_timeout_stays() -> None:
    response = ResponseTime(ON_SERIAL, 0.5)
    response.measured(0.005)
    response.timed_out()
    response.came_late(2.0)
    assert response.timeout_s == 0.5


def test_an_unseen_unit_is_waited_for_as_its_neighbours_need_and_longer_every_time() -> None:
    assert contact_timeout_s(None, 0, ON_SERIAL) == ON_SERIAL.first_s
    waits = [contact_timeout_s(0.02, tries, ON_SERIAL) for tries in range(5)]
    assert waits == pytest.approx([0.07, 0.14, 0.28, 0.56, 0.07])


# --- echo ------------------------------------------------------------------------------------

ASK = b"\x01\x03\x00\x00\x00\x02\xc4\x0b"
REPLY = b"\x01\x03\x04\x00\x01\x00\x02\x2a\x32"


@pytest.mark.parametrize("cut", range(1, len(ASK + REPLY)))
def test_the_echo_is_found_and_stripped_in_any_cut(cut: int) -> None:
    echo = EchoFilter(Echo.AUTO)
    echo.begin(ASK, may_equal=False)
    stream = ASK + REPLY
    assert echo.strip(stream[:cut]) + echo.strip(stream[cut:]) == REPLY
    echo.learn()
    assert echo.is_expected


@pytest.mark.parametrize("cut", range(1, len(REPLY)))
def test_without_an_echo_nothing_is_lost_in_any_cut(cut: int) -> None:
    echo = EchoFilter(Echo.AUTO)
    echo.begin(ASK, may_equal=False)
    assert echo.strip(REPLY[:cut]) + echo.strip(REPLY[cut:]) == REPLY
    echo.learn()
    assert echo.is_known
    assert not echo.is_expected


def test_a_confirmation_that_equals_its_request_is_not_mistaken_for_an_echo() -> None:
    echo = EchoFilter(Echo.AUTO)
    echo.begin(ASK, may_equal=True)
    assert echo.strip(ASK) == b""
    assert echo.remainder() == ASK


def test_the_second_copy_is_the_confirmation_on_a_line_that_echoes() -> None:
    echo = EchoFilter(Echo.AUTO)
    echo.begin(ASK, may_equal=True)
    assert echo.strip(ASK) + echo.strip(ASK) == ASK
    echo.learn()
    assert echo.is_expected
    echo.begin(ASK, may_equal=True)
    assert echo.strip(ASK) == b""
    assert echo.remainder() == b"", "the echo alone confirms nothing"


# --- quarantine ------------------------------------------------------------------------------


class Asked:
    """An exchange whose reply is one marker byte of its shape."""

    reply_chars = 1
    reply_may_equal_request = False
    switch = None

    def __init__(self, request: bytes, shape: Hashable | None = "S", unit: int = 1) -> None:
        self.request = request
        self.shape = shape
        self.unit = unit

    def feed(self, received: bytes) -> bytes | None:
        if b"no" in received:
            raise DeviceRefused(2, "no")
        return b"!" if b"!" in received else None

    def verdict(self) -> DriverError:
        return NoAnswer("nothing")


def test_a_timed_out_request_holds_its_shape_at_its_unit() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 0.0, 0.3)
    assert quarantine.blocks(Asked(b"B"), 1.0)
    assert not quarantine.blocks(Asked(b"A"), 1.0)
    assert not quarantine.blocks(Asked(b"B", shape="T"), 1.0)
    assert not quarantine.blocks(Asked(b"B", unit=2), 1.0)
    assert not quarantine.blocks(Asked(b"B", shape=None), 1.0)
    assert not quarantine.blocks(Asked(b"B"), 0.3 + HOLD_S)


def test_a_repetition_counts_as_begun_with_the_first_open_try() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 1.0, 1.3)
    quarantine.gave_up(Asked(b"A"), 2.0, 2.3)
    assert quarantine.begun_at(Asked(b"A"), 3.0) == 1.0
    assert quarantine.begun_at(Asked(b"C", shape="T"), 3.0) == 3.0


def test_the_hold_ends_when_every_open_try_was_heard() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 0.0, 0.3)
    quarantine.gave_up(Asked(b"A"), 1.0, 1.3)
    quarantine.hear(b"!", 1.5)
    (late,) = quarantine.settle(is_believed=True)
    assert (late.unit, late.after_s) == (1, 1.5)
    assert quarantine.blocks(Asked(b"B"), 1.6)
    quarantine.hear(b"!", 2.0)
    assert quarantine.settle(is_believed=True)
    assert not quarantine.blocks(Asked(b"B"), 2.1)


def test_the_reply_of_a_repetition_leaves_the_first_try_open() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 0.0, 0.3)
    quarantine.hear(b"!", 0.5, Asked(b"A"))
    assert not quarantine.settle(is_believed=True)
    assert quarantine.blocks(Asked(b"B"), 0.6)


def test_a_frame_during_an_exchange_that_fails_closes_nothing() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 0.0, 0.3)
    quarantine.hear(b"!", 0.5, Asked(b"X", unit=2))
    assert not quarantine.settle(is_believed=False)
    assert quarantine.blocks(Asked(b"B"), 0.6)
    quarantine.hear(b"!", 0.7)
    assert not quarantine.settle(is_believed=True), "it does not listen a second time"
    assert quarantine.blocks(Asked(b"B"), 0.8)


def test_a_refusal_closes_nothing_and_holds_the_shape_that_was_refused() -> None:
    quarantine = Quarantine()
    quarantine.was_refused(Asked(b"C", shape="T"), 0.0, 0.1)
    assert not quarantine.blocks(Asked(b"D", shape="T"), 0.2), "nothing was open: it is its own"
    quarantine.gave_up(Asked(b"A"), 0.2, 0.3)
    quarantine.hear(b"no", 0.5, Asked(b"C", shape="T"))
    quarantine.was_refused(Asked(b"C", shape="T"), 0.4, 0.5)
    assert not quarantine.settle(is_believed=True)
    assert quarantine.blocks(Asked(b"B"), 0.6)
    assert quarantine.blocks(Asked(b"D", shape="T"), 0.6)


def test_a_slow_line_is_held_longer() -> None:
    quarantine = Quarantine()
    quarantine.gave_up(Asked(b"A"), 0.0, 0.3)
    quarantine.hear(b"!", 8.0)
    quarantine.settle(is_believed=True)
    quarantine.gave_up(Asked(b"A"), 10.0, 10.3)
    assert quarantine.blocks(Asked(b"B"), 10.3 + HOLD_S + 5)
