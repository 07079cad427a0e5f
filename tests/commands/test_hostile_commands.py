"""Messages that nobody may obey, through the whole path of commands: ten thousand a dialect."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from gateway.app.commands.ledger import MOST_TEXT
from gateway.commands.audit import faults
from gateway.dialects import registry
from gateway.dialects.alink import profiles
from gateway.model.record import Committed
from tests.commands.hostile import NOW, Ask, Forms, all_forms, cases, why
from tests.commands.house import NOW_MS, House, a_site, births
from tests.commands.shapes import shapes
from tests.support.named_platforms import is_whole
from tests.support.natives import EP

CASES = 10_000
"""Of every dialect; those that ask in several ways share them."""
SHAPES = 1500
ALL = [one for forms in all_forms().values() for one in forms]
SPEED = "write pump-1/speed=20"
MINUTE_MS = 60_000


def _named(forms: Forms) -> str:
    return forms.name


def _count(forms: Forms) -> int:
    ways = sum(one.name.split("/")[0] == forms.name.split("/")[0] for one in ALL)
    return -(-CASES // ways)


def test_every_dialect_brings_its_hostile_forms() -> None:
    """A new dialect needs `tests/commands/forms/{name}.py`; a new Alink profile comes by itself."""
    brought = all_forms()
    assert set(brought) == set(registry.names())
    for name, forms in brought.items():
        assert forms, f"{name}: no way to ask is tried"
        assert all(one.name.split("/")[0] == name for one in forms)
    assert {f"alink/{name}" for name in profiles.names()} <= {one.name for one in brought["alink"]}


@pytest.mark.parametrize("forms", ALL, ids=_named)
async def test_hostile_commands_are_refused_in_all_cases(forms: Forms) -> None:
    count = _count(forms)
    hostile = list(cases(forms, Random(20_260_101), count, 1))  # noqa: S311 - repeatable
    assert len(hostile) == count
    assert {one.why for one in hostile} == {why(kind) for kind in forms.kinds}
    house, dialect = House(a_site()), forms.make()
    Random(7).shuffle(hostile)  # noqa: S311 - repeatable
    await house.take(dialect, [one.arrival for one in hostile])
    assert house.did == []
    assert len(house.audits) == house.at_least
    assert faults(house.audits) == []
    reasons = {id(one.arrival): one.why for one in hostile}
    assert {reasons[id(arrival)] for arrival in house.ignored} <= forms.ignores
    assert len(house.ignored) < count / 4
    assert house.replies.keys() == house.asked
    assert len(house.asked) > count / 10
    assert all(len(replies) == 1 for replies in house.replies.values())
    statuses = {reply.status for replies in house.replies.values() for reply in replies}
    assert statuses <= {"rejected", "expired"}
    told = [text for entry in house.audits for text in entry.fields.values()]
    told += [reply.message or "" for replies in house.replies.values() for reply in replies]
    assert max(map(len, told)) <= MOST_TEXT, "strangers do not fill the store"
    batch = [Committed(record, EP, seq, None) for seq, record in enumerate(house.receipts)]
    encoded = dialect.encode(batch, NOW, is_backfill=False)
    assert is_whole(encoded, range(len(batch))), "each receipt can be said, or has no word here"
    assert not encoded.refused


@pytest.mark.parametrize("forms", ALL, ids=_named)
async def test_no_shape_on_any_topic_that_is_listened_to_raises_or_moves_much(forms: Forms) -> None:
    """Replies, times, states and announcements too: what is no command is heard by the same ear."""
    dialect, rng = forms.make(), Random(11)  # noqa: S311 - repeatable
    filters = [one.topic for one in dialect.connect_spec(NOW).subscriptions]
    dialect.connected(births(), (), NOW)
    house = House(a_site())
    await house.take(dialect, list(shapes(forms, filters, rng, SHAPES)))
    for did in house.written:
        where, _, value = did.removeprefix("write ").partition("=")
        assert where == "pump-1/speed"
        assert 10 <= float(value) <= 50


@pytest.mark.parametrize("forms", ALL, ids=_named)
async def test_the_same_house_obeys_a_good_command_and_no_replay_of_it(forms: Forms) -> None:
    house, dialect = House(a_site()), forms.make()
    good = Ask()
    same = [forms.speak(good)] * (100 if forms.has_ids else 0)
    altered = [forms.speak(replace(good, value=30.0))] * (100 if forms.keeps_value else 0)
    await house.take(dialect, [forms.speak(good), *same, *altered])
    assert house.written == [SPEED]
    (replies,) = house.replies.values()
    told = Counter((reply.status, reply.code) for reply in replies)
    assert told == Counter({("done", None): 1 + len(same), ("rejected", "rid_used"): len(altered)})
    assert faults(house.audits) == []


@pytest.mark.parametrize("forms", [one for one in ALL if one.has_ids], ids=_named)
@pytest.mark.parametrize("later_ms", [20_000, 5 * MINUTE_MS])
async def test_a_replay_after_a_restart_is_answered_and_not_obeyed(
    forms: Forms, later_ms: int
) -> None:
    """Nothing of the dialect is left then, but what the store keeps."""
    before = House(a_site())
    await before.take(forms.make(), [forms.speak(Ask())])
    assert before.written == [SPEED]
    after = House(a_site(), saved=before.saved, now_ms=NOW_MS + later_ms)
    await after.take(forms.make(), [forms.speak(Ask())])
    assert after.did == []
    (replies,) = after.replies.values()
    assert [reply.status for reply in replies] == ["done"]
    assert after.replies.keys() == before.replies.keys(), "answered where it was asked"
