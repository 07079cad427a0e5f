"""A file of an older version is rewritten whole, with a backup; row D6 cuts it at every point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.settings.migrate import NotMigrated, migrate_file

STEPS: dict[int, Callable[[str], str]] = {
    1: lambda text: text.replace("version: 1", "version: 2").replace("poll:", "every:"),
    2: lambda text: text.replace("version: 2", "version: 3"),
}


def test_every_step_is_taken_and_comments_stay(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("# ours\nversion: 1  # first\npoll: 5s\n", encoding="utf-8")
    file.chmod(0o640)
    backup = migrate_file(file, steps=STEPS, current=3)
    assert file.read_text(encoding="utf-8") == "# ours\nversion: 3  # first\nevery: 5s\n"
    assert backup is not None
    assert backup.name == "site.yaml.v1"
    assert "poll: 5s" in backup.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == backup.stat().st_mode & 0o777 == 0o640
    assert migrate_file(file, steps=STEPS, current=3) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site.yaml", "site.yaml.v1"]


@pytest.mark.parametrize("text", ["version: 4\n", "version: 0\n", "a: 1\n", "  version: 1\n"])
def test_an_unknown_version_leaves_the_file_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NotMigrated):
        migrate_file(file, steps=STEPS, current=3)
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == [text]


def test_the_command_says_that_a_file_of_today_needs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\n", encoding="utf-8")
    assert main(["migrate", str(file)]) == 0
    assert "version 1 already" in capsys.readouterr().out
    file.write_text("version: 99\n", encoding="utf-8")
    assert main(["migrate", str(file)]) == 78
