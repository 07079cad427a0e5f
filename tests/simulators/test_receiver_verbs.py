"""The verbs of `linli-sim` are whole, and say by their exit status what they found."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import pytest

from simulators.cli import load_verb, main, verb_names
from simulators.receiver.store import Store
from tests.simulators.test_receiver_store import message


def a_store(path: Path, *seqs: int) -> Path:
    with Store(path, "copy-1") as store:
        store.take([message(seq=seq, pv=seq - 1 or None) for seq in seqs], 1)
    return path


@pytest.mark.parametrize("name", verb_names())
def test_the_example_of_every_verb_can_be_typed(name: str) -> None:
    verb = load_verb(name)
    assert verb.HELP
    program, typed, *options = shlex.split(verb.EXAMPLE)
    assert (program, typed) == ("linli-sim", name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    verb.configure(parser)
    assert parser.parse_args(options)


def test_an_audit_of_a_whole_store_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_store(tmp_path / "a.db", 1, 2, 3)
    assert main(["platform", "--audit", "--store", str(path)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["exactly_once"] is True
    assert "every identity exactly once: 3 records of 1 stores" in said.err


def test_an_audit_of_a_store_with_a_hole_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_store(tmp_path / "a.db", 1, 3)
    assert main(["platform", "--audit", "--store", str(path)]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["missing"] == 1
    assert "NOT every identity once" in said.err


def test_a_truth_that_is_no_ledger_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_store(tmp_path / "a.db", 1)
    truth = tmp_path / "truth"
    truth.write_text("[1, 2]\n", encoding="utf-8")
    assert main(["platform", "--audit", "--store", str(path), "--truth", str(truth)]) == 2
    assert "is no ledger" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "platform --broker mqtt://x --patience nan",
        "platform --broker mqtt://x --repeat 0",
        "platform --broker mqtt://x --keep-days -1",
        "fleet --broker mqtt://x --lose 2",
        "fleet --broker mqtt://x --rate -1",
        "conform mqtt://x --patience inf",
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(words))
    assert ended.value.code == 2
    assert "error: argument --" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "platform",
        "platform --audit --store no-such-file",
        "platform --broker http://x",
        "platform --broker mqtt://127.0.0.1 --influx ftp://x",
        "platform --broker mqtt://127.0.0.1 --influx http://x",
        "fleet --broker x",
        "conform x",
        "conform mqtt://127.0.0.1 --only no-such-check",
        "conform",
        "conform --held no-such-file",
        "conform --expected no-such-file --held no-such-file",
    ],
)
def test_what_was_typed_wrongly_ends_with_2(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(words)) == 2
    assert capsys.readouterr().err.startswith(f"linli-sim {words.split(maxsplit=1)[0]}: ")
