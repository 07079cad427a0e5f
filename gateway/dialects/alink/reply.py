"""Receipts of commands as the replies that an Alink platform waits for. Pure.

A reply needs the topic and the id of its question, also after a restart: both are in the `rid`,
`{kind}:{detail}:{device}:{id}`, which the receipt gives back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from gateway.dialects.alink.names import Names
from gateway.dialects.alink.profile import AlinkProfile, Downlink
from gateway.dialects.alink.text import Writer
from gateway.dialects.json_text import text
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import Quality
from gateway.model.reading import Value
from gateway.model.record import PropBody, ReplyBody

REPLY = "_reply"
"""Behind the topic of every command, on all platforms of the family."""
CODE_DONE, CODE_PARAMETER, CODE_RATE = 200, 460, 429
"""help.aliyun.com …/error-codes-for-devices."""
CODE_REFUSED, CODE_EXPIRED, CODE_FAILED = 100_001, 100_002, 100_003
"""Our own. 100000 to 110000 is said to be free for devices; that page was not at hand."""
PARAMETER_CODES = frozenset(
    {
        "bad_args",
        "bad_json",
        "bad_points",
        "bad_value",
        "no_function",
        "no_point",
        "one_point",
        "range",
        "step",
        "type",
    }
)


SUB = "sub"
"""Detail of a `rid`: asked on `thing/sub/…`, maybe for a device that is not here."""


class Kind(StrEnum):
    """What is asked, and so where the reply goes."""

    SET = "set"
    GET = "get"
    CALL = "call"
    RRPC = "rrpc"


SUB_WORDS: Mapping[str, Kind] = {
    "property/set": Kind.SET,
    "property/get": Kind.GET,
    "service/invoke": Kind.CALL,
}
"""OneJSON: commands for sub-devices, on `thing/sub/…` of the gateway."""


class Replies:
    """Writes them for one sink."""

    def __init__(self, profile: AlinkProfile, names: Names, writer: Writer) -> None:
        """Take the profile, and who writes names and values."""
        self._profile = profile
        self._names = names
        self._writer = writer

    def reply(self, body: ReplyBody, device: DeviceId) -> tuple[str, str] | None:
        """Return topic and payload of the reply to a command; None when it was none of ours."""
        parts = body.rid.split(":", 3)
        if len(parts) != 4 or parts[0] not in set(Kind):  # noqa: PLR2004 - as `_rid` made it
            return None
        kind, detail, whose, id_ = Kind(parts[0]), parts[1], DeviceId(parts[2]), parts[3]
        topic = self._reply_topic(kind, detail, whose)
        if topic is None:
            return None
        outputs = self._outputs(body, device)
        if self._profile.downlink is Downlink.SUB_TOPIC and kind is Kind.CALL:
            outputs = self._onenet_outputs(whose, detail, outputs)
        method = f',"method":{text(self._method(kind))}' if self._profile.method_in_replies else ""
        return topic, (
            f'{{"id":{text(id_)},"code":{_code(body)},"data":{outputs},'
            f"{text(self._profile.message_word)}:{text(body.message or body.status)},"
            f'"version":"1.0"{method}}}'
        )

    def _reply_topic(self, kind: Kind, detail: str, device: DeviceId) -> str | None:
        name = self._names.of(device)
        if name is None:
            return None
        is_sub = device != GATEWAY_ITSELF or detail == (SUB if kind is not Kind.CALL else "")
        if self._profile.downlink is Downlink.SUB_TOPIC and is_sub:
            word = next(word for word, of in SUB_WORDS.items() if of is kind)
            return self._names.topic(f"thing/sub/{word}{REPLY}")
        if self._profile.downlink is Downlink.IDENTITY:
            name = self._names.own
        if kind is Kind.RRPC:
            return self._names.topic(f"rrpc/response/{detail}", name)
        return self._names.topic(f"{self._path(kind, detail)}{REPLY}", name)

    def _path(self, kind: Kind, detail: str) -> str:
        if kind is Kind.SET:
            return self._profile.set
        return (
            (self._profile.get or "") if kind is Kind.GET else self._profile.service.format(detail)
        )

    def _method(self, kind: Kind) -> str:
        return self._profile.method(self._path(kind, ""))

    def _outputs(self, body: ReplyBody, device: DeviceId) -> str:
        found: dict[str, str] = {}
        if body.readback is not None:
            names = self._names.points(device)
            for point, value in _good(body.readback):
                found[names.theirs(point)] = self._writer.value(value)
        elif body.point is not None and body.value is not None:
            found[self._names.points(device).theirs(body.point)] = self._writer.value(body.value)
        return "{" + ",".join(f"{text(key)}:{value}" for key, value in found.items()) + "}"

    def _onenet_outputs(self, device: DeviceId, identifier: str, outputs: str) -> str:
        name = self._names.of(device)
        if device == GATEWAY_ITSELF or name is None:
            return outputs
        who = self._names.identity(name)
        return f'{{{who},"identifier":{text(identifier)},"output":{outputs}}}'


def _good(body: PropBody) -> Sequence[tuple[str, Value]]:
    marks = body.marks
    return [
        (point, value)
        for index, (point, value) in enumerate(zip(body.column.points, body.values, strict=True))
        if value is not None and (marks is None or marks[index].quality is Quality.GOOD)
    ]


def _code(body: ReplyBody) -> int:
    if body.status == "done":
        return CODE_DONE
    if body.status == "expired":
        return CODE_EXPIRED
    if body.status != "rejected":
        return CODE_FAILED
    if body.code in PARAMETER_CODES:
        return CODE_PARAMETER
    return CODE_RATE if body.code == "rate" else CODE_REFUSED
