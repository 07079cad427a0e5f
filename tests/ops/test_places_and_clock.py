"""Where things lie, and whether the clock can be believed."""

from pathlib import Path

from gateway.model.clock import TimeQuality
from gateway.ops.clock import SystemClock, kernel_is_synchronised
from gateway.ops.paths import places


def test_systemd_decides_where_things_lie() -> None:
    found = places(
        {"STATE_DIRECTORY": "/s", "RUNTIME_DIRECTORY": "/r", "CONFIGURATION_DIRECTORY": "/c"},
        is_root=False,
    )
    assert (found.state, found.control_socket) == (Path("/s"), Path("/r/control.sock"))
    assert found.site_file == Path("/c/gateway.yaml")


def test_root_and_users_have_their_own_places() -> None:
    assert places({}, is_root=True).state == Path("/var/lib/linli")
    user = places({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7"}, is_root=False)
    assert user.state == Path("/h/.local/state/linli")
    assert user.control_socket == Path("/run/user/7/linli/control.sock")


def test_a_disciplined_clock_is_sync_and_another_is_not() -> None:
    assert SystemClock(lambda: True).quality() is TimeQuality.SYNC
    assert SystemClock(lambda: False).quality() is TimeQuality.UNSYNC


def test_the_kernel_answers_the_question() -> None:
    assert kernel_is_synchronised() in {True, False}
