"""docs/platform/letter.py: what it signs is opened and understood by the gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.model.clock import TimeQuality
from gateway.model.ids import SinkName
from gateway.model.letter import Letter
from gateway.remote import opening
from gateway.remote.files import hash_of
from gateway.remote.keys import Key, PublicKey, SharedKey
from gateway.remote.opening import Moment
from gateway.remote.order import Act, read_order

SAMPLE = Path("docs/platform/letter.py").resolve()
SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of the test
FILES = {"gateway.yaml": "version: 1\r\n# 中文\n", "conf.d/b.yaml": "", "tables/a.csv": "id\n1\n"}


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SAMPLE), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _keys(folder: Path) -> dict[str, Key]:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "remote.pem").write_bytes(pem)
    (folder / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    return {
        "--key=remote.pem": PublicKey(private.public_key().public_bytes_raw()),
        "--secret=secret": SharedKey(SECRET.encode()),
    }


@pytest.mark.parametrize("how", ["--key=remote.pem", "--secret=secret"])
def test_its_letters_are_opened_fresh_and_with_all_files(tmp_path: Path, how: str) -> None:
    key = _keys(tmp_path)[how]
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    base = "ab" * 32
    for act, more in ((Act.LOG, ()), (Act.CONFIG, ("--base", base, *FILES))):
        made = _run(tmp_path, "hz", "gw-03", act.value, how, *more)
        assert made.returncode == 0, made.stderr
        letter = Letter(SinkName("p"), "dn/cfg/_", **json.loads(made.stdout))
        order = read_order(opening.opened(letter, key))
        moment = Moment("gw-03", "hz", order.number, TimeQuality.SYNC, order.number - 1)
        opening.check_fresh(order, moment)
        assert order.act is act
    assert {name: content.decode() for name, content in order.files.items()} == FILES
    assert (order.hash, order.base) == (hash_of(order.files), base)


@pytest.mark.parametrize(
    "arguments",
    [("log",), ("config", "--secret=secret"), ("log", "--secret=secret", "gateway.yaml")],
)
def test_it_says_what_is_missing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    _keys(tmp_path)
    made = _run(tmp_path, "hz", "gw-03", *arguments)
    assert made.returncode != 0
    assert made.stdout == ""
    assert made.stderr
