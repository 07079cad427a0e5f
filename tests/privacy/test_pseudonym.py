"""Pseudonyms tell secrets apart and give none of them away."""

from __future__ import annotations

import stat
from pathlib import Path

from gateway.app.keys.secrecy import FILE, own_key, session_secrets
from gateway.privacy.pseudonym import pseudonym


def test_equal_cards_have_equal_pseudonyms_and_other_gateways_have_others() -> None:
    assert pseudonym(b"a" * 32, "04A1B2C3") == pseudonym(b"a" * 32, "04A1B2C3")
    assert pseudonym(b"a" * 32, "04A1B2C3") != pseudonym(b"a" * 32, "04A1B2C4")
    assert pseudonym(b"a" * 32, "04A1B2C3") != pseudonym(b"b" * 32, "04A1B2C3")


def test_the_pseudonym_holds_nothing_of_the_secret() -> None:
    # HMAC-SHA256 of RFC 4231, test case 2, cut to its first 64 bits.
    assert pseudonym(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e"


def test_the_key_is_made_once_for_us_alone_and_anew_when_it_was_cut_short(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert own_key(tmp_path) == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    (tmp_path / FILE).write_bytes(key[:5])
    assert len(own_key(tmp_path)) == 32
    assert session_secrets(tmp_path).hide("1") == pseudonym(own_key(tmp_path), "1")
