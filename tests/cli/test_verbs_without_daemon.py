"""What the commands say and return when no gateway runs."""

import os
import socket
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from gateway.cli.daemon import is_daemon_there
from gateway.cli.main import main
from gateway.cli.output import Exit


def test_a_socket_that_a_killed_gateway_left_is_not_a_gateway(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    arguments = Namespace(socket=path)
    assert not is_daemon_there(arguments)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert is_daemon_there(arguments)
    assert path.exists()
    assert not is_daemon_there(arguments)


def test_a_variable_that_is_no_number_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["read", "--tcp", "127.0.0.1:1", "--profile", "p", "--set", "n=abc"])
    assert end.value.code == Exit.USAGE
    assert "NAME=N" in capsys.readouterr().err


def test_reading_with_a_bad_site_file_says_that_the_configuration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\nversion: 1\n", encoding="utf-8")
    command = ["read", "em-1", "-c", str(file), "--socket", str(tmp_path / "none.sock")]
    assert main(command) == Exit.CONFIGURATION
    assert "site.yaml:2:1" in capsys.readouterr().err


def test_asking_when_nobody_listens_fails_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--socket", str(tmp_path / "none.sock")]) == Exit.FAILED
    assert "no gateway listens" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    seeing, saying = os.pipe()
    os.close(seeing)
    command = [sys.executable, "-m", "gateway.cli.main", "profiles", "list"]
    try:
        ended = subprocess.run(command, stdout=saying, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(saying)
    assert (ended.returncode, ended.stderr) == (0, b"")
