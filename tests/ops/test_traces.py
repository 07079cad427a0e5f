"""A log says where something went wrong, and never what it was about."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.ops.traces import trace_of

CANARY = "浙A·CANARY7"


def fails(plate: str) -> float:
    try:
        return float(plate)
    except ValueError as error:
        raise RuntimeError(f"no number: {plate}") from error


def test_a_trace_has_the_lines_of_code_and_not_the_value() -> None:
    with pytest.raises(RuntimeError, match="CANARY7") as failed:
        fails(CANARY)
    text = trace_of(failed.value)
    assert "CANARY7" not in text
    assert text.startswith("RuntimeError\n")
    assert "in fails" in text
    assert "\nValueError\n" in text, "what it came from"


def test_a_group_is_told_with_its_parts() -> None:
    text = trace_of(ExceptionGroup(CANARY, [ValueError(CANARY), KeyError(CANARY)]))
    assert text == "ExceptionGroup\nValueError\nKeyError"


def test_no_log_holds_what_an_exception_was_about() -> None:
    program = (
        "import logging, threading\n"
        "from gateway.ops.journal import set_up\n"
        "set_up(environment={})\n"
        "def fails():\n"
        f"    float({CANARY!r})\n"
        "try:\n"
        "    fails()\n"
        "except ValueError:\n"
        "    logging.getLogger('x').exception('caught')\n"
        "thread = threading.Thread(target=fails)\n"
        "thread.start()\n"
        "thread.join()\n"
        "fails()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("in fails") == 3, done.stderr
    assert "CANARY7" not in done.stderr


def test_an_error_without_a_trace_is_its_kind() -> None:
    assert trace_of(ValueError(CANARY)) == "ValueError"
