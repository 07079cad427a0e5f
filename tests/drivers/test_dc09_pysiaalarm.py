"""SIA DC-09 against pysiaalarm, which reads and seals messages with code of its own."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from dc09_support import VECTORS, answer, contact_id, moment, panel, point, session, sia, time_text

from drivers.dc09 import DRIVER, PROTOCOL
from drivers.dc09.codec import encode
from drivers.dc09.match import restored_by

pysiaalarm = pytest.importorskip("pysiaalarm", reason="the peer is not installed")
pytest.importorskip("cryptography", reason="the extra for encryption is not installed")

KEY = "3BD7E66AA9E2F190"
PLAIN = [
    v
    for v in VECTORS
    # It needs a line part, and knows no two events, old events or other tokens.
    if "refused" not in v
    and v["decoded"]["line"]
    and not v["decoded"]["encrypted"]
    and v["decoded"]["token"] in {"SIA-DCS", "ADM-CID"}
    and len(v["decoded"].get("events", ())) == 1
    and v["decoded"]["events"][0]["qualifier"] != "standing"
]


def theirs(frame: bytes, key: str | None = None, account: str = "1234") -> Any:
    accounts = {account: pysiaalarm.SIAAccount(account, key)}
    return pysiaalarm.SIAEvent.from_line(frame.decode("ascii").strip(), accounts)


@pytest.mark.parametrize("vector", PLAIN, ids=lambda v: v["id"])
def test_both_read_the_same_of_a_message(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["hex"])
    ours = DRIVER.sessions[PROTOCOL].decode(frame, "request")
    event = theirs(frame)
    (mine,) = ours.frame["events"]
    assert event.valid_message
    assert event.account == ours.frame["account"]
    assert event.sequence == ours.frame["sequence"]
    if event.event_type is not None:
        assert event.event_type == mine["code"]
        assert {"1": "new", "3": "restored"}[event.event_qualifier] == mine["qualifier"]
        assert int(event.partition) == mine["partition"]
        assert mine["zone"] in {None, int(event.ri)}
    else:
        assert event.code == mine["code"]
        assert mine["partition"] == (int(event.ri) if event.ri else None)


def test_their_pairs_of_alarm_and_restoral_are_ours() -> None:
    mapping = importlib.import_module("pysiaalarm.data.adm_mapping").ADM_MAPPING
    pairs = {(pair["1"], pair["3"]) for pair in mapping.values() if pair["1"] != pair["3"]}
    # Three pairs follow no rule of letters; a profile names these in `restore`.
    assert {pair for pair in pairs if pair[0] not in restored_by(pair[1])} == {
        ("EA", "BH"),
        ("FX", "FK"),
        ("YW", "YZ"),
    }


@pytest.mark.parametrize("data", ["Nri1/BA3", "Nri1/CL501"])
def test_what_they_seal_is_read_and_what_we_seal_they_open(data: str) -> None:
    sender = theirs(sia("Nri1/RP0"), KEY)
    digits = sender.encrypt_content(f"|#1234|{data}]{time_text()}")
    frame = encode(f'"*SIA-DCS"0042L0#1234[{digits}'.encode())
    assert theirs(frame, KEY).code == data[5:7]
    one = session(panel(point(field="last_event"), key=KEY.encode()))
    output = one.received(frame, moment(0))
    assert [str(s.raw)[:2] for s in output.samples] == [data[5:7]]
    sealed = bytes.fromhex(answer(output).content.decode())
    assert sender._get_crypter().decrypt(sealed).decode().partition("]")[2] == time_text()


def test_their_acknowledgement_of_a_plain_message_is_ours() -> None:
    frame = contact_id("1130 01 003", 42)
    event = theirs(frame)
    event.receiver = ""
    output = session(panel()).received(frame, moment(0))
    assert event.create_response() == output.send


def test_they_take_crc_and_length_of_our_answers() -> None:
    output = session(panel()).received(contact_id("1130 01 003", 42), moment(0))
    assert pysiaalarm.SIAEvent._crc_calc(output.send[9:-1].decode()) == output.send[1:5].decode()
    assert f"{len(output.send[9:-1]):04X}" == output.send[5:9].decode()
