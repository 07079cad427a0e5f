"""What a connection subscribes to, in paho's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.model.publication import Subscription
from gateway.uplink.attempt import Target

PahoFilters: TypeAlias = list[tuple[str, SubscribeOptions]] | list[tuple[str, int]]


def filters_of(target: Target) -> Sequence[Subscription]:
    """Return what is wanted, our own echo among it where only that shows what arrives."""
    spec = target.spec
    if spec.echo is not None and (spec.needs_echo or not target.is_v5):
        return (*spec.subscriptions, Subscription(spec.echo, qos=0))
    return spec.subscriptions


def as_paho(filters: Sequence[Subscription], *, is_v5: bool) -> PahoFilters:
    """Return the filters for `Client.subscribe`."""
    if is_v5:
        return [(one.topic, _options(one)) for one in filters]
    return [(one.topic, one.qos) for one in filters]


def _options(wanted: Subscription) -> SubscribeOptions:
    # Without retain-as-published a retained message that is sent while we listen would look like
    # any other, and a retained command must be known as one.
    return SubscribeOptions(
        qos=wanted.qos,
        retainAsPublished=True,
        retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        if wanted.wants_retained
        else SubscribeOptions.RETAIN_DO_NOT_SEND,
    )
