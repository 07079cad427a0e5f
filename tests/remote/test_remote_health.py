"""Whether all is as well as before: the rule of docs/platform/remote.md, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.remote.health import Trial, Vitals, complaints


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE = Vitals(
    _set("a b"), _set("a"), _set("m1 m2 m3"), _set("m1 m2"), _set("m3"), _set("p q"), _set("p")
)
NOTHING = Trial(frozenset(), frozenset(), "p")


@pytest.mark.parametrize(
    ("after", "trial", "said"),
    [
        (BEFORE, NOTHING, ()),
        (replace(BEFORE, lines_up=_set("")), NOTHING, ("lines that are down: a",)),
        (replace(BEFORE, lines=_set("b"), lines_up=_set("")), NOTHING, ()),
        (replace(BEFORE, lines=_set("a b c")), NOTHING, ("lines that are down: c",)),
        (
            replace(BEFORE, online=_set("m1"), offline=_set("m2 m3")),
            NOTHING,
            ("devices that do not answer: m2",),
        ),
        (replace(BEFORE, devices=_set("m1 m3"), online=_set("m1")), NOTHING, ()),
        (
            replace(BEFORE, devices=_set("m1 m2 m3 m4")),
            replace(NOTHING, changed=_set("m4")),
            ("devices that do not answer: m4",),
        ),
        (
            replace(BEFORE, devices=_set("m1 m2 m3 m4")),
            Trial(_set("m4"), _set("m4"), "p"),
            (),
        ),
        (BEFORE, replace(NOTHING, changed=_set("m3")), ()),
        (replace(BEFORE, connected=_set("")), NOTHING, ("platforms that are not connected: p",)),
        (
            replace(BEFORE, sinks=_set("q"), connected=_set("q")),
            NOTHING,
            ("platforms that are not connected: p",),
        ),
        (replace(BEFORE, sinks=_set("p q r")), NOTHING, ()),
    ],
)
def test_what_is_worse_than_before_is_said(
    after: Vitals, trial: Trial, said: tuple[str, ...]
) -> None:
    assert complaints(BEFORE, after, trial) == said


def test_many_names_are_counted() -> None:
    many = frozenset(f"m{n:02}" for n in range(12))
    before = replace(BEFORE, online=many, devices=many, offline=frozenset[str]())
    after = replace(before, online=frozenset[str](), offline=many)
    (said,) = complaints(before, after, NOTHING)
    assert said.endswith("m07 and 4 more")
