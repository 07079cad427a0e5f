"""The key of what leaves: the gateway's own, or one that gateways share; never none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.keys.secrecy import FILE, known_site_key, own_key, site_key
from gateway.settings.secret_name import Secret
from gateway.settings.site_privacy import USUAL_PRIVACY, Privacy

SHARED = Privacy(key=Secret("env", "LINLI_TEST_SITE_KEY"))


def test_the_key_is_made_of_the_gateways_own_and_is_another(tmp_path: Path) -> None:
    key = site_key(tmp_path, USUAL_PRIVACY)
    assert key == site_key(tmp_path, USUAL_PRIVACY) != own_key(tmp_path)
    assert site_key(tmp_path / "other", USUAL_PRIVACY) != key
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_gateways_that_share_a_key_hash_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINLI_TEST_SITE_KEY", "ab" * 32)
    assert site_key(tmp_path / "a", SHARED) == site_key(tmp_path / "b", SHARED) == b"\xab" * 32
    assert known_site_key(tmp_path, SHARED) == b"\xab" * 32


@pytest.mark.parametrize("text", [None, "no hex", "abcd"])
def test_a_key_that_cannot_be_read_is_replaced_by_a_random_one_and_logged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    text: str | None,
) -> None:
    if text is None:
        monkeypatch.delenv("LINLI_TEST_SITE_KEY", raising=False)
    else:
        monkeypatch.setenv("LINLI_TEST_SITE_KEY", text)
    keys = [site_key(tmp_path / gateway, SHARED) for gateway in ("a", "b", "a")]
    assert keys[0] != keys[1]
    assert keys[0] == keys[2], "the same until the next start: a reload changes no hash"
    assert all(len(key) == 32 for key in keys)
    assert "key of privacy" in caplog.text
    assert known_site_key(tmp_path, SHARED) is None


def test_a_damaged_key_is_made_anew_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = own_key(tmp_path)
    assert caplog.text == ""
    (tmp_path / FILE).write_bytes(first[:7])
    assert own_key(tmp_path) not in (first, first[:7])
    assert "damaged" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_tool_makes_no_key(tmp_path: Path) -> None:
    assert known_site_key(tmp_path, USUAL_PRIVACY) is None
    assert list(tmp_path.iterdir()) == []
    key = site_key(tmp_path, USUAL_PRIVACY)
    assert known_site_key(tmp_path, USUAL_PRIVACY) == key
