"""What strangers send as JSON costs no more than reading it."""

from time import process_time

import pytest

from gateway.dialects.strict_json import NotStrictJson, loads

LONGEST = 128 * 1024
"""Of an answer of a platform about a hundred devices, the longest message that is read."""


@pytest.mark.parametrize("last", ["0", "2fff"])
def test_a_key_that_stands_twice_among_many_is_found_at_once(last: str) -> None:
    keys = [f"{number:x}" for number in range(0x3000)]
    text = "{" + ",".join(f'"{key}":1' for key in (*keys, last)) + "}"
    assert len(text) < LONGEST
    began = process_time()
    with pytest.raises(NotStrictJson, match=f"key '{last}' twice"):
        loads(text.encode(), max_bytes=LONGEST)
    assert process_time() - began < 0.3, "every key was looked for among all others"
