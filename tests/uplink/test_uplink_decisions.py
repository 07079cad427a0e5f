"""The pure decisions of the uplink: back-off, window, reason codes, words, secrets."""

import socket
from pathlib import Path
from random import Random

import pytest

from gateway.model.publication import Fate
from gateway.model.record import Lane
from gateway.settings.site_sinks import Secret
from gateway.uplink.backoff import Backoff
from gateway.uplink.diagnosis import explain_code, explain_error
from gateway.uplink.errors import ClosedEarly, ConnectRefused, UplinkDown
from gateway.uplink.fates import fate_of
from gateway.uplink.pacing import MOST_BYTES
from gateway.uplink.secrets import Login, read_login, read_secret
from gateway.uplink.session import _TICKS, SILENCE_FACTOR  # pyright: ignore[reportPrivateUsage]
from gateway.uplink.state import Pace
from gateway.uplink.versions import Versions
from gateway.uplink.window import Window
from tests.support.uplinks import NOW_MS, a_sink


def _backoff(seed: int = 1) -> Backoff:
    return Backoff(1.0, 30.0, Random(seed))  # noqa: S311 - jitter


def test_the_backoff_doubles_from_one_second_to_thirty_and_stays() -> None:
    backoff = _backoff()
    waits = [backoff.next() for _ in range(10)]
    for wait, low in zip(waits, (1, 2, 4, 8, 15, 15, 15, 15, 15, 15), strict=True):
        assert low <= wait <= min(2 * low, 30)


def test_the_backoff_is_spread_and_the_same_for_the_same_seed() -> None:
    first = [_backoff(seed).next() for seed in range(50)]
    assert len(set(first)) == 50
    assert first == [_backoff(seed).next() for seed in range(50)]


def test_the_backoff_starts_anew_after_a_reset_and_can_begin_higher() -> None:
    backoff = _backoff()
    assert 10 <= backoff.next(at_least=10) <= 20
    backoff.reset()
    assert 1 <= backoff.next() <= 2


def test_a_half_open_link_is_found_within_fifteen_seconds_at_the_default_keepalive() -> None:
    keepalive = a_sink(1883).keepalive_s
    assert keepalive * (SILENCE_FACTOR + 1 / _TICKS) <= 15


def test_the_pace_of_the_field_is_that_of_the_contract() -> None:
    assert (Pace().backoff_min, Pace().backoff_max) == (1, 8)


def test_a_tenth_of_the_window_is_for_events() -> None:
    window = Window(100)
    while window.has_room(Lane.TELEMETRY, 100):
        window.take(100)
    assert window.count == 90
    while window.has_room(Lane.EVENT, 100):
        window.take(100)
    assert window.count == 100


@pytest.mark.parametrize(("slots", "telemetry"), [(1, 1), (2, 1), (9, 8), (20, 18)])
def test_small_windows_keep_room_for_both(slots: int, telemetry: int) -> None:
    window = Window(slots)
    while window.has_room(Lane.TELEMETRY, 1):
        window.take(1)
    assert window.count == telemetry


def test_telemetry_in_flight_is_bounded_in_bytes_but_one_message_always_goes() -> None:
    window = Window(100)
    assert window.has_room(Lane.TELEMETRY, 10 * MOST_BYTES)
    window.take(10 * MOST_BYTES)
    assert not window.has_room(Lane.TELEMETRY, 1)
    assert window.has_room(Lane.EVENT, 1)
    window.give_back(10 * MOST_BYTES)
    assert (window.count, window.bytes) == (0, 0)


def test_every_reason_code_has_a_fate_and_unknown_ones_come_again() -> None:
    assert {fate_of(code) for code in range(256)} == set(Fate)
    assert fate_of(0xFF) is Fate.BUSY


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens there"),
        (TimeoutError("timed out"), "no answer"),
        (socket.gaierror(-2, "Name or service not known"), "'broker.lan' cannot be resolved"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_network_errors_are_told_with_the_place(error: OSError, words: str) -> None:
    why = explain_error(error, "broker.lan", 8883, NOW_MS)
    assert why.startswith("broker.lan:8883: ")
    assert words in why


def test_reason_codes_are_told_in_words_with_their_number() -> None:
    assert explain_code(0x9C, "Use another server", "gw", "b.lan") == (
        "the broker asks to use another server: b.lan (0x9C)"
    )
    assert explain_code(0x85, "x", "gw-03") == "the broker refuses the client id 'gw-03' (0x85)"
    assert explain_code(0x81, "Malformed packet", "gw") == "Malformed packet (0x81)"


def test_secrets_come_from_credentials_environment_and_files(tmp_path: Path) -> None:
    (tmp_path / "broker").write_text("s3cret\n", encoding="utf-8")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path), "WORD": "other"}
    assert read_secret(Secret("credential", "broker"), env) == "s3cret"
    assert read_secret(Secret("env", "WORD"), env) == "other"
    assert read_secret(Secret("file", str(tmp_path / "broker")), env) == "s3cret"


@pytest.mark.parametrize(
    "secret",
    [Secret("credential", "x"), Secret("env", "NO_SUCH"), Secret("file", "/nonexistent/x")],
)
def test_a_secret_that_is_not_there_is_named(secret: Secret) -> None:
    with pytest.raises(UplinkDown, match=secret.name) as caught:
        read_secret(secret, {})
    assert caught.value.is_final


def test_a_login_is_two_lines_of_a_credential_or_the_sink_s_own(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("gw-03\npass word\n", encoding="utf-8")
    secret = Secret("file", str(tmp_path / "login"))
    assert read_login(a_sink(1, credentials=secret), {}) == Login("gw-03", "pass word")
    own = a_sink(1, username="u", password=Secret("env", "P"))
    assert read_login(own, {"P": "p"}) == Login("u", "p")
    assert read_login(a_sink(1), {}) == Login(None, None)


def test_a_version_refused_in_words_is_remembered_and_a_hang_up_is_not() -> None:
    refused, hung_up = ConnectRefused("no", 0x84), ClosedEarly("gone")
    versions = Versions(is_v5=True)
    assert not versions.failed(UplinkDown("no route"))
    assert not versions.failed(hung_up)
    assert versions.failed(hung_up)
    assert not versions.is_v5
    versions.session_ended()
    assert versions.is_v5
    assert versions.failed(refused)
    versions.session_ended()
    assert not versions.failed(hung_up)
    assert not versions.is_v5
    assert not versions.failed(refused)  # it knows neither: begin again
    assert versions.is_v5
