"""What logins, logouts and bindings of sub-devices look like, by platform. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from gateway.dialects.alink.names import Ids, Name, Names
from gateway.dialects.alink.options import AlinkOptions
from gateway.dialects.alink.profile import AlinkProfile, Auth, Session
from gateway.dialects.alink.sign import Signer, device_token, hashed, signature, yudao
from gateway.dialects.json_text import text
from gateway.model.ids import DeviceId
from gateway.model.publication import Publication
from gateway.model.record import Lane

MOST_BOUND = 30
"""help.aliyun.com …/manage-topological-relationships: in one `thing/topo/add`."""


class Step(StrEnum):
    """What is asked of the platform for sub-devices."""

    BIND = "bind"
    LOGIN = "login"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Member:
    """A sub-device that is spoken of; `secret` is "" where none is needed."""

    device: DeviceId
    name: Name
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that requests are written with."""

    profile: AlinkProfile
    options: AlinkOptions
    names: Names
    ids: Ids

    def needs_secret(self, step: Step) -> bool:
        """Whether a step is signed with the sub-device's own secret."""
        is_signed_login = self.profile.session in {Session.COMBINE, Session.ENOS}
        return step is Step.BIND or (step is Step.LOGIN and is_signed_login)

    def most(self, step: Step) -> int:
        """Return how many sub-devices one request may name."""
        batched = {Session.COMBINE, Session.NONE}
        if not (self.profile.session in batched or self._is_listed(step)):
            return 1
        most = self.options.login_batch
        return min(most, MOST_BOUND) if step is Step.BIND else most

    def _is_listed(self, step: Step) -> bool:
        return self.profile.session is Session.ENOS and step is Step.LOGIN

    def request(
        self, step: Step, members: Sequence[Member], now_ms: int, covers: tuple[int, ...] = ()
    ) -> tuple[str, Publication]:
        """Return the id and the message. Raises CannotConnect for an OneNET key that is none."""
        write = _WRITERS[self.profile.session if step is not Step.BIND else None]
        is_short = self.profile.session is Session.COMBINE or self.profile.has_short_ids
        id_ = self.ids.short(now_ms) if is_short else self.ids.number(now_ms)
        topic, body, qos = write(self, step, members, now_ms)
        payload = f'{{"id":{text(id_)},{body}}}'.encode()
        return id_, Publication(topic, payload, Lane.EVENT, covers, qos)

    def signer(self, now_ms: int) -> Signer:
        """Return who signs now."""
        return Signer(self.options, now_ms)


def _identity(desk: Desk, member: Member) -> str:
    return desk.names.identity(member.name)


def _signed(desk: Desk, member: Member, now_ms: int, method_word: str) -> str:
    """Return the inside of an object that proves one sub-device with an HMAC."""
    method = desk.options.sign_method
    fields = {
        "clientId": f"{member.name.product}&{member.name.device}",
        desk.profile.device_word: member.name.device,
        desk.profile.product_word: member.name.product,
        "timestamp": str(now_ms),
    }
    sign = signature(fields, member.secret, method)
    proof = {**fields, method_word: method, "sign": sign}
    return ",".join(f"{text(key)}:{text(value)}" for key, value in proof.items())


def _combine(
    desk: Desk, step: Step, members: Sequence[Member], now_ms: int
) -> tuple[str, str, int]:
    """help.aliyun.com …/connect-or-disconnect-sub-devices; QoS 0 only (domain.md S3)."""
    own = desk.names.own
    is_one = len(members) == 1
    word = f"{'' if is_one else 'batch_'}{step}"
    topic = f"/ext/session/{own.product}/{own.device}/combine/{word}"
    if step is Step.LOGOUT:
        inside = ",".join(f"{{{_identity(desk, member)}}}" for member in members)
        params = inside if is_one else f"[{inside}]"
        return topic, f'"params":{params}', 0
    inside = ",".join(
        f'{{{_signed(desk, member, now_ms, "signMethod")},"cleanSession":"true"}}'
        for member in members
    )
    params = inside if is_one else f'{{"deviceList":[{inside}]}}'
    return topic, f'"params":{params}', 0


def _enos(desk: Desk, step: Step, members: Sequence[Member], now_ms: int) -> tuple[str, str, int]:
    """support.enos-iot.com …/batch_connect_subdevices.html; the logout was not seen there."""
    own = desk.names.own
    base = f"/ext/session/{own.product}/{own.device}/combine"
    if step is Step.LOGOUT:
        inside = _identity(desk, members[0])
        return f"{base}/logout", f'"params":{{{inside}}},"method":"combine.logout"', 1
    at = str(now_ms)
    devices: list[str] = []
    for member in members:
        fields = {
            "clientId": own.device,
            "deviceKey": member.name.device,
            "productKey": member.name.product,
            "timestamp": at,
        }
        sign = hashed(fields, member.secret)
        devices.append(f'{{{_identity(desk, member)},"sign":{text(sign)}}}')
    body = (
        f'"params":{{"clientId":{text(own.device)},"subDevices":[{",".join(devices)}],'
        f'"signMethod":"sha256","timestamp":{text(at)}}},"version":"1.1",'
        '"method":"combine.login.batch"'
    )
    return f"{base}/login/batch", body, 1


def _onenet(desk: Desk, step: Step, members: Sequence[Member], now_ms: int) -> tuple[str, str, int]:
    """OneJSON, sub-devices: `thing/sub/login` and `logout`, one device a message."""
    del now_ms
    body = f'"version":"1.0","params":{{{_identity(desk, members[0])}}}'
    return desk.names.topic(f"thing/sub/{step}"), body, 1


def _bind(desk: Desk, step: Step, members: Sequence[Member], now_ms: int) -> tuple[str, str, int]:
    """Alibaba's `thing/topo/add`; yudao's has whole logins in it, OneNET's a token.

    Sources: thinkgos/aliyun-iot (topic, method); YunaiV/ruoyi-vue-pro IotDeviceTopoAddReqDTO;
    OneJSON `thing/sub/topo/add`. The spelling `signmethod` is Alibaba's own.
    """
    del step
    auth = desk.profile.auth
    if auth is Auth.ONENET:
        proof = text(device_token(members[0].name, members[0].secret, desk.signer(now_ms)))
        body = f'"version":"1.0","params":{{{_identity(desk, members[0])},"sasToken":{proof}}}'
        return desk.names.topic("thing/sub/topo/add"), body, 1
    if auth is Auth.YUDAO:
        logins = [yudao(member.name, member.secret, desk.signer(now_ms)) for member in members]
        inside = ",".join(
            f'{{"clientId":{text(login.client_id)},"username":{text(login.username)},'
            f'"password":{text(login.password)}}}'
            for login in logins
        )
        params = f'{{"subDevices":[{inside}]}}'
    else:
        inside = ",".join(
            f"{{{_signed(desk, member, now_ms, 'signmethod')}}}" for member in members
        )
        params = f"[{inside}]"
    body = f'"version":"1.0","sys":{{"ack":1}},"params":{params},"method":"thing.topo.add"'
    return desk.names.topic("thing/topo/add"), body, 1


def reason_of(step: Step, code: int, fields: dict[str, Any]) -> str:
    """Return why a step was refused, for people."""
    message = fields.get("message") or fields.get("msg") or ""
    return f"{step} refused: {code} {str(message)[:80]}".rstrip()


def listed_in(data: object) -> list[dict[str, object]]:
    """Return the entries of `loginedSubDevices`, [] when there is no such list."""
    if not isinstance(data, dict):
        return []
    found = cast("dict[str, object]", data).get("loginedSubDevices")
    entries = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("dict[str, object]", each) for each in entries if isinstance(each, dict)]


_Writer = Callable[[Desk, Step, Sequence[Member], int], "tuple[str, str, int]"]
_WRITERS: Mapping[Session | None, _Writer] = {
    None: _bind,
    Session.COMBINE: _combine,
    Session.ENOS: _enos,
    Session.ONENET: _onenet,
}
"""By how the platform logs in; None binds. Where nobody logs in, only bindings are written."""
