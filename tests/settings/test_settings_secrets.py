"""Secrets are read by name, and only where nobody else can read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.problems import SettingsError
from gateway.settings.secrets import Login, read_login, read_secret
from gateway.settings.site_sinks import Secret


def code_of(secret: Secret) -> str:
    with pytest.raises(SettingsError) as raised:
        read_secret(secret)
    return raised.value.problems[0].code


def test_a_credential_is_read_from_the_folder_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "platform").write_text("user\nword\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_login(Secret("credential", "platform")) == Login("user", "word")
    assert code_of(Secret("credential", "other")) == "LG-SEC-03"
    assert code_of(Secret("credential", "../platform")) == "LG-SEC-03"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert code_of(Secret("credential", "platform")) == "LG-SEC-03"


def test_a_variable_is_read_and_must_not_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "x y")
    assert read_secret(Secret("env", "WORD")) == "x y"
    monkeypatch.setenv("WORD", "")
    assert code_of(Secret("env", "WORD")) == "LG-SEC-03"


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "word"
    path.write_bytes(b"secret\r\n")
    path.chmod(0o600)
    assert read_secret(Secret("file", str(path))) == "secret"
    path.chmod(0o644)
    assert code_of(Secret("file", str(path))) == "LG-SEC-04"
    path.chmod(0o600)
    path.write_bytes(b"\xff\xfe")
    assert code_of(Secret("file", str(path))) == "LG-SEC-03"
    assert code_of(Secret("file", str(tmp_path))) in {"LG-SEC-03", "LG-SEC-04"}


def test_a_login_does_not_show_its_password() -> None:
    assert "word" not in repr(Login("user", "word"))
