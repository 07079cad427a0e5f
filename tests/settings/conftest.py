"""Fixtures of the settings tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from estate import Estate, make_estate


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """A fresh estate; profiles of this machine's user are out of sight."""
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return make_estate(tmp_path)
