"""`linli inventory`: for whom, in which form, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.output import Exit
from tests.inventory.inventory_site import CITY, OPEN, SITE, made


@pytest.fixture(autouse=True)
def nobodys_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of a site for hashes is found."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


@pytest.mark.parametrize("form", ["native", "ngsi_ld", "wot"])
def test_it_prints_the_form_for_the_reader_of_one_sink(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert main(["inventory", str(SITE), "--for", OPEN, "--as", form]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == made(form, OPEN)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "city | open | twin"),
        (["--for", "nobody"], "no sink nobody"),
        (["--for", CITY, "--as", "wot"], "city speaks alink"),
    ],
)
def test_it_says_what_is_wrong_with_the_question(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["inventory", str(SITE), *arguments]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""


def test_a_bad_site_file_has_no_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("version: 1\nbuses: 3\n", encoding="utf-8")
    assert main(["inventory", str(file)]) == Exit.CONFIGURATION
    assert "gateway.yaml:" in capsys.readouterr().err
