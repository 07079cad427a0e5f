"""Options of the `alink` dialect in the site file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.dialects.alink.profile import AlinkProfile, Auth, Limits, Listens, Session
from gateway.dialects.alink.profiles import load, names
from gateway.settings.problems import BadValue, advice
from gateway.settings.site_sinks import Secret


def _described(description: str, **limits: float) -> dict[str, Any]:
    return {"description": description, **limits}


@dataclass(frozen=True, slots=True)
class AlinkOptions:
    """Settings of the whole sink. Those that end in `None` are the profile's."""

    product_key: str = field(
        metadata=_described("Product key (product ID) of the gateway on the platform.")
    )
    profile: str = field(
        default="aliyun",
        metadata=_described("The platform: aliyun, yudao, sagoo, xunji, enos or onenet."),
    )
    device_name: str | None = field(
        default=None,
        metadata=_described("Name (device key) of the gateway. Default: the gateway's id."),
    )
    device_secret: Secret | None = field(
        default=None,
        metadata=_described(
            "Secret of the gateway's device (OneNET: its device key). Needed but for sagoo and "
            "xunji, which take `credentials` of the sink."
        ),
    )
    products: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_described("Product key of sub-devices by kind: {meter.electricity: a1B2c3}."),
    )
    sign_method: Literal["hmacsha256", "hmacsha1", "hmacmd5"] = field(
        default="hmacsha256", metadata=_described("How credentials are signed.")
    )
    token_life: float = field(
        default=86_400.0,
        metadata=_described("Life of an OneNET token in seconds; each connect makes one.", ge=60),
    )
    sessions: Literal["combine", "none"] | None = field(
        default=None,
        metadata=_described(
            "Whether sub-devices log in, where a platform differs from its profile. Default: the "
            "profile's."
        ),
    )
    topology: bool = field(
        default=False,
        metadata=_described("Bind sub-devices to the gateway before they log in."),
    )
    login_batch: int = field(
        default=50,
        metadata=_described("Sub-devices in one login; in one binding at most 30.", ge=1, le=50),
    )
    max_online: int = field(
        default=2000, metadata=_described("Sub-devices online at once.", ge=1, le=2000)
    )
    login_wait: float = field(
        default=10.0,
        metadata=_described("Seconds that records wait for the replies to logins.", ge=0, le=600),
    )
    login_retry: float = field(
        default=60.0,
        metadata=_described("Seconds until a refused login is tried again.", ge=1),
    )
    max_sub_devices: int | None = field(
        default=None,
        metadata=_described("Sub-devices in one message. Default: 20, OneNET 10.", ge=1),
    )
    max_properties: int | None = field(
        default=None,
        metadata=_described(
            "Properties in one message. Default: 200, OneNET 100 of each device.", ge=1
        ),
    )
    max_events: int | None = field(
        default=None, metadata=_described("Events in one message. Default: 20.", ge=1)
    )
    max_message: int = field(
        default=60_000,
        metadata=_described("Bytes of values in one message.", ge=1000, le=1_000_000),
    )
    quality: Literal["omit", "suffix", "event"] = field(
        default="omit",
        metadata=_described(
            "Values that are not good: left out; or a property beside (`u_a_q`, 0 or 500); or an "
            "event `bad_quality`."
        ),
    )
    booleans: Literal["number", "json"] | None = field(
        default=None,
        metadata=_described(
            "Booleans as 0 and 1, or as true and false. Default: aliyun number, others json."
        ),
    )
    time_unit: Literal["ms", "s"] = field(
        default="ms", metadata=_described("Unit of `time` in reports.")
    )
    ids: Literal["identity", "number"] | None = field(
        default=None,
        metadata=_described(
            "Ids of reports: `{ep}-{seq}` of the record, or numbers. Default: OneNET number, "
            "others identity."
        ),
    )
    subscribe: Literal["wildcard", "login", "own"] | None = field(
        default=None,
        metadata=_described(
            "Commands of sub-devices: subscribe with +, to each after its login, or to our own "
            "topics only. Default: onenet and xunji own, hosts of aliyuncs.com login, others "
            "wildcard."
        ),
    )
    services: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_described(
            "Our functions by service identifier: {openGate: open}. Others have the same name."
        ),
    )
    command_ttl: float = field(
        default=30.0,
        metadata=_described(
            "Seconds after which a command that came is not done.", ge=1, le=86_400
        ),
    )
    time_every: float = field(
        default=3600.0,
        metadata=_described("Seconds between questions for the time; 0: never.", ge=0),
    )
    gap_event: str = field(
        default="data_gap",
        metadata=_described("Event of the gateway that tells of records lost; empty: not told."),
    )
    state_event: str = field(
        default="device_state",
        metadata=_described(
            "Event that tells online and offline where there is no login; empty: not told."
        ),
    )

    def __post_init__(self) -> None:
        """Hold rules across options. Raises BadValue."""
        if self.profile not in names():
            known = advice(self.profile, names())
            raise BadValue("LG-ALINK-01", name=self.profile, advice=known)
        if load(self.profile).auth is not Auth.SINK and self.device_secret is None:
            raise BadValue("LG-ALINK-02", name=self.profile)
        own = self.device_name if self.device_name is not None else "_"
        events = [event for event in (self.gap_event, self.state_event) if event]
        for name in (self.product_key, own, *self.products.values(), *events):
            _check_name(name)

    def resolved(self, host: str = "") -> AlinkProfile:
        """Return the profile with what these options, and the broker's host, change of it."""
        profile = load(self.profile)
        changes: dict[str, Any] = {
            "limits": self._limits(profile.limits),
            "history_limits": self._limits(profile.history_limits),
            "listens": Listens.LOGIN if profile.is_vendors(host) else profile.listens,
        }
        if self.sessions is not None:
            changes["session"] = Session(self.sessions)
        if self.booleans is not None:
            changes["bools_are_numbers"] = self.booleans == "number"
        if self.ids is not None:
            changes["has_numeric_ids"] = self.ids == "number"
        if self.subscribe is not None:
            changes["listens"] = Listens(self.subscribe)
        return replace(profile, **changes)

    def _limits(self, own: Limits) -> Limits:
        return replace(
            own,
            devices=self.max_sub_devices or own.devices,
            properties=self.max_properties or own.properties,
            events=self.max_events or own.events,
            bytes=self.max_message,
        )


@dataclass(frozen=True, slots=True)
class AlinkDevice:
    """How the platform knows one of our devices."""

    product_key: str | None = field(
        default=None, metadata=_described("Its product. Default: that of its kind (`products`).")
    )
    device_name: str | None = field(
        default=None, metadata=_described("Its name (device key). Default: our device id.")
    )
    device_secret: Secret | None = field(
        default=None, metadata=_described("Its secret, where sub-devices log in with one.")
    )
    points: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_described(
            "Identifiers of its properties by our point id: {u_a: VoltageA}. Others have our id.",
            are_names=True,
        ),
    )

    def __post_init__(self) -> None:
        """Hold that names can stand in a topic. Raises BadValue."""
        for name in (self.product_key, self.device_name):
            if name is not None:
                _check_name(name)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= _MOST_NAME or set(name) & _FORBIDDEN or not name.isprintable():
        raise BadValue("LG-ALINK-03", name=name)


_MOST_NAME = 64
_FORBIDDEN = frozenset("/+#&|\0")
"""They would change the topic, or the parts of a user name."""
