"""The watchdog is fed only while the gateway makes progress."""

from gateway.app.watchdog import LINE_STALL_S, STALL_S, Watchdog
from gateway.ops.notify import ServiceManager


def test_a_room_that_stands_still_is_named_and_a_resting_line_is_not() -> None:
    now = 1000.0
    beats = {"pipeline": lambda: now - STALL_S - 1, "lines": lambda: now - STALL_S - 1}
    watchdog = Watchdog(ServiceManager({}), beats, lambda: now, patience_s={"lines": LINE_STALL_S})
    assert watchdog.stalled() == ["pipeline"]


def test_a_line_that_hangs_is_named() -> None:
    now = 1000.0
    watchdog = Watchdog(
        ServiceManager({}),
        {"lines": lambda: now - LINE_STALL_S - 1},
        lambda: now,
        patience_s={"lines": LINE_STALL_S},
    )
    assert watchdog.stalled() == ["lines"]
