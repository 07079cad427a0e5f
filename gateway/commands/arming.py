"""The second step of what is dangerous: a token that is good once, soon, and for one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from gateway.commands.limits import Write
from gateway.model.command import CommandRefused
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import Value

VALID_S = 60.0
MOST_TOKENS = 100
"""Tokens that one platform may have outstanding; its oldest ones are void beyond it."""


@dataclass(frozen=True, slots=True)
class _Act:
    """What a token is good for. 1 and true are different values."""

    sink: SinkName
    by: str | None
    device: DeviceId
    point: PointId
    value: Value
    type: str


@dataclass(frozen=True, slots=True)
class _Armed:
    act: _Act
    until: float


class Arming:
    """The tokens that are outstanding. They are not kept over a restart: arm again."""

    def __init__(self, new_token: Callable[[], str]) -> None:
        """Take what makes a token that nobody can guess."""
        self._new_token = new_token
        self._armed: dict[str, _Armed] = {}

    def arm(self, write: Write, now: float) -> str:
        """Return a token for this act. `now` is monotonic seconds."""
        self._forget(now)
        sink = write.command.sink
        own = [token for token, one in self._armed.items() if one.act.sink == sink]
        if len(own) >= MOST_TOKENS:
            del self._armed[own[0]]
        token = self._new_token()
        self._armed[token] = _Armed(_act(write), now + VALID_S)
        return token

    def check(self, write: Write, now: float) -> None:
        """Return when the act is not dangerous, or its token is good.

        A token that is shown for anything else is void from then on.

        Raises:
            CommandRefused: `dangerous` without the consent of the site, `not_armed` without a
                token, `token` with one that is not good for this.
        """
        check_consent(write)
        if not needs_token(write):
            return
        shown = write.command.token
        if shown is None:
            name = f"{write.device.id}/{write.point.id}"
            raise CommandRefused("not_armed", f"{name} needs a token: ask with `op: arm` first")
        self._forget(now)
        token = next(
            (one for one in self._armed if compare_digest(one.encode(), shown.encode())), ""
        )
        armed = self._armed.get(token)
        if armed is None:
            raise CommandRefused("token", "the token is unknown, used or too old")
        if armed.act != _act(write):
            del self._armed[token]
            raise CommandRefused("token", "the token was given for something else; it is void now")

    def spend(self, write: Write) -> None:
        """Make the token of this act void: it is about to happen."""
        if write.command.token is not None:
            self._armed.pop(write.command.token, None)

    def _forget(self, now: float) -> None:
        self._armed = {token: one for token, one in self._armed.items() if one.until > now}


def check_armable(write: Write) -> None:
    """Return when a token can be had for this act.

    Raises:
        CommandRefused: it needs none, or the site does not consent.
    """
    check_consent(write)
    if not needs_token(write):
        text = f"{write.device.id}/{write.point.id} needs no token"
        raise CommandRefused("no_arm_needed", text)


def check_consent(write: Write) -> None:
    """Return when the point is not dangerous, or the site says that platforms may move it.

    Raises:
        CommandRefused: the site file does not say `dangerous: true`.
    """
    rule = write.point.write
    if rule is not None and rule.is_dangerous and not write.rule.is_dangerous:
        raise CommandRefused(
            "dangerous",
            f"{write.device.id}/{write.point.id} is dangerous, and the site file does not say "
            "`dangerous: true` for it",
        )


def needs_token(write: Write) -> bool:
    """Whether the act takes two steps."""
    rule = write.point.write
    match write.rule.arm:
        case "token":
            return True
        case "none":
            return False
        case "auto":
            return rule is not None and rule.is_dangerous


def _act(write: Write) -> _Act:
    command, value = write.command, write.value
    type_ = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    return _Act(command.sink, command.by, command.device, write.point.id, value, type_)
