"""A sink that hears much leaves most of the time to lines and pipeline."""

from gateway.app.sinks.hearing import MOST_REST_S, SHARE, TURN_S, Turns


def test_who_hears_without_end_rests_for_most_of_the_time() -> None:
    turns, now, heard_s, rested_s = Turns(), 0.0, 0.0, 0.0
    for _ in range(10_000):
        now += 0.0001
        heard_s += 0.0001
        rest_s = turns.rest_s(now)
        if rest_s is not None:
            rested_s += rest_s
            now += rest_s
    assert abs(heard_s / (heard_s + rested_s) - SHARE) < 0.01


def test_a_message_now_and_then_never_waits() -> None:
    turns, now = Turns(), 0.0
    for _ in range(100):
        assert turns.rest_s(now) is None
        turns.caught_up()
        now += TURN_S


def test_who_waited_long_for_a_broker_is_heard_again_soon() -> None:
    turns = Turns()
    assert turns.rest_s(0.0) is None
    assert turns.rest_s(30.0) == MOST_REST_S
