"""What a server's answer means, and how long it is left alone."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from gateway.historian.answer import LONGEST_WAIT_S, Answer, Fate, Verdict, judge, retry_after_s
from gateway.historian.pace import DENIED_S, LONGEST_S, Pace

RNG = Random(1)  # noqa: S311 - jitter, the same in every run
NOW_MS = 1_700_000_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT."""


@pytest.mark.parametrize(
    ("status", "message", "fate"),
    [
        (200, "", Fate.WRITTEN),
        (204, "", Fate.WRITTEN),
        (301, "", Fate.DENIED),
        (400, '{"error":"partial write: field type conflict: … dropped=1"}', Fate.BAD_LINES),
        (
            400,
            '{"code":"invalid","message":"unable to parse \'x\': missing fields"}',
            Fate.BAD_LINES,
        ),
        (422, '{"message":"failure writing points to database: partial write: …"}', Fate.BAD_LINES),
        (400, "<html>Bad Request</html>", Fate.DOUBTFUL),
        (422, "", Fate.DOUBTFUL),
        (401, '{"code":"unauthorized"}', Fate.DENIED),
        (403, "", Fate.DENIED),
        (404, '{"error":"database not found: \\"lake\\""}', Fate.DENIED),
        (408, "", Fate.AWAY),
        (413, "Request Entity Too Large", Fate.TOO_LARGE),
        (429, "", Fate.BUSY),
        (503, "", Fate.BUSY),
        (500, "timeout", Fate.AWAY),
        (502, "", Fate.AWAY),
        (0, "", Fate.AWAY),
    ],
)
def test_an_answer_is_judged_by_its_status_and_its_words(
    status: int, message: str, fate: Fate
) -> None:
    verdict = judge(Answer(status, message), NOW_MS)
    assert verdict.fate is fate
    assert (str(status) in verdict.reason) is (fate is not Fate.WRITTEN)


def test_a_partial_write_says_how_many_were_dropped() -> None:
    verdict = judge(Answer(400, "partial write: points beyond retention policy dropped=12"), NOW_MS)
    assert verdict.dropped == 12


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("99999999999999999999", LONGEST_WAIT_S),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_moment(
    header: str | None, wait_s: float | None
) -> None:
    assert retry_after_s(header, NOW_MS) == wait_s


def test_the_wish_of_a_server_is_never_undercut() -> None:
    pace = Pace(RNG)
    wished = Verdict(Fate.BUSY, "", 30.0)
    assert all(30.0 <= pace.wait_s(wished) <= 36.0 for _ in range(50))


def test_a_server_that_is_away_is_asked_less_and_less_often_until_it_is_back() -> None:
    pace = Pace(RNG)
    away = Verdict(Fate.AWAY)
    waits = [pace.wait_s(away) for _ in range(10)]
    assert waits[0] < 1.3
    assert all(later > sooner for sooner, later in pairwise(waits[:6]))
    assert max(waits) <= LONGEST_S * 1.2
    pace.went_well()
    assert pace.wait_s(away) < 1.3


def test_a_refused_login_is_tried_once_a_minute() -> None:
    pace = Pace(RNG)
    assert all(pace.wait_s(Verdict(Fate.DENIED)) >= DENIED_S for _ in range(5))
