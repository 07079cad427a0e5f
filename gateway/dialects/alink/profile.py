"""What differs between the platforms of the Alink family: one frozen table for each.

Alibaba's layout `/sys/{product}/{device}/thing/…` lives on in many platforms that differ in
identity keys, value form, batch form, reply topics and logins (domain.md §2.3). Each module of
`profiles/` defines one `PROFILE`; its file name is the name in the site file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Auth(StrEnum):
    """How the gateway proves who it is (`sign`)."""

    ALIYUN = "aliyun"
    """HMAC over `clientId…deviceName…productKey…timestamp…`."""
    YUDAO = "yudao"
    """HMAC over the same without a time, with the secret inside as well."""
    ENOS = "enos"
    """Upper-case SHA-256 over the same fields followed by the secret."""
    ONENET = "onenet"
    """A token with an end of its life."""
    SINK = "sink"
    """`credentials` or `username` and `password` of the sink."""


class Session(StrEnum):
    """How sub-devices are logged in."""

    COMBINE = "combine"
    """`/ext/session/…/combine/batch_login`, all or nothing."""
    ENOS = "enos"
    """`/ext/session/…/combine/login/batch`, each by itself."""
    ONENET = "onenet"
    """`thing/sub/login`, one a message."""
    NONE = "none"
    """They need no login: their values speak for them."""


class Listens(StrEnum):
    """How commands of sub-devices are subscribed to."""

    WILDCARD = "wildcard"
    """All of each product, with `+`."""
    OWN = "own"
    """Not at all: they come on the gateway's own topics."""
    LOGIN = "login"
    """Each by itself, once it is logged in."""


class Form(StrEnum):
    """How values of several devices stand in one message."""

    OBJECT = "object"
    """`{properties, events, subDevices: [{identity, properties, events}]}`."""
    ARRAY = "array"
    """`[{identity, properties, events}]`."""
    ENTRIES = "entries"
    """`[{productKey, deviceKey, measurepoints, time}]`."""


class EventForm(StrEnum):
    """How one event of a device stands in a message of its own."""

    PLAIN = "plain"
    """`{value, time}`; the topic names the event."""
    NAMED = "named"
    """`{identifier, value, time}`."""
    KEYED = "keyed"
    """`{identifier: {value, time}}`."""
    ENOS = "enos"
    """`{events: {…}, time}`; the topic names the event."""


class Downlink(StrEnum):
    """Where commands for a sub-device come."""

    OWN_TOPIC = "own_topic"
    """On the sub-device's own topic."""
    IDENTITY = "identity"
    """On the gateway's topic, with `identity` at the root of the message."""
    SUB_TOPIC = "sub_topic"
    """On `thing/sub/…` of the gateway, with the names inside `params`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold."""

    devices: int
    properties: int
    events: int
    is_each: bool = False
    """Whether properties and events are counted for each device, not for the message."""
    bytes: int = 60_000
    """Of properties, and of events: platforms name larger ones, a slow link takes 12 s for this."""


ALIYUN_LIMITS = Limits(devices=20, properties=200, events=20)
"""help.aliyun.com …/gateway-reports-data-in-batches (domain.md S2)."""


@dataclass(frozen=True, slots=True)
class AlinkProfile:
    """One platform. Paths stand below `{prefix}{product}/{device}/`."""

    title: str
    sources: tuple[str, ...]
    """Where its facts are from."""
    prefix: str = "/sys/"
    product_word: str = "productKey"
    device_word: str = "deviceName"
    message_word: str = "message"
    post_reply: str = "_reply"
    """Behind the topic of a report; replies to commands have `_reply` everywhere."""
    auth: Auth = Auth.ALIYUN
    session: Session = Session.COMBINE
    post: str | None = "thing/event/property/post"
    """Values of the gateway itself; None: in the batch, under its own identity."""
    pack: str = "thing/event/property/pack/post"
    history: str | None = "thing/event/property/history/post"
    """None: old values go like live ones if they have a time (`is_timed`), else not at all."""
    event: str = "thing/event/{}/post"
    set: str = "thing/service/property/set"
    get: str | None = "thing/service/property/get"
    service: str = "thing/service/{}"
    form: Form = Form.OBJECT
    event_form: EventForm = EventForm.PLAIN
    is_timed: bool = True
    """Whether a value is `{value, time}`; a bare one counts from its arrival."""
    events_are_text: bool = False
    """Whether everything in an event must be a text."""
    events_in_pack: bool = True
    bools_are_numbers: bool = False
    has_method: bool = True
    """Whether reports carry `method` and `sys`."""
    method_in_replies: bool = False
    has_numeric_ids: bool = False
    """Whether ids of reports are numbers; else they name the records."""
    has_short_ids: bool = False
    """Whether numbers as ids stay below 2**32, not below 10**13."""
    downlink: Downlink = Downlink.OWN_TOPIC
    has_ext: bool = False
    """Whether `/ext/ntp`, `/ext/error`, `rrpc` and notices of the topology exist."""
    listens: Listens = Listens.WILDCARD
    vendor_hosts: str = ""
    """End of the vendor's own host names, where a `+` was never tried: each sub-device is listened
    to by itself."""
    keepalive_s: tuple[int, int] = (1, 65_535)
    """What the vendor's own hosts take."""
    limits: Limits = ALIYUN_LIMITS
    history_limits: Limits = ALIYUN_LIMITS

    def is_vendors(self, host: str) -> bool:
        """Whether a broker is the vendor's own, not one that speaks like it."""
        return bool(self.vendor_hosts) and host.lower().endswith(self.vendor_hosts)

    def method(self, path: str) -> str:
        """Return the method of a path: the path with dots."""
        return path.replace("/", ".")
