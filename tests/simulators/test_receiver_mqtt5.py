"""The MQTT 5 packets of the fleet and of the kit: whole in any pieces, total for any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from simulators.mqtt5 import packets
from simulators.mqtt5.broker import BadUrl, Broker
from simulators.mqtt5.packets import Kind, Malformed, Prop, Publish, Reader

PUBLISH = Publish("fc/1/a", b"{}", 1, mid=7, properties={int(Prop.CONTENT_TYPE): b"text"})


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(min_value=1, max_value=9)
)
def test_packets_come_whole_in_any_pieces(payloads: list[bytes], size: int) -> None:
    sent = [Publish("a/b", payload, 1, mid=n + 1) for n, payload in enumerate(payloads)]
    stream = b"".join(packets.publish_packet(message) for message in sent)
    reader = Reader()
    found = [
        packets.publish(packet)
        for at in range(0, len(stream), size)
        for packet in reader.feed(stream[at : at + size])
    ]
    assert found == sent


@given(st.binary(max_size=80))
def test_any_bytes_give_packets_or_malformed(received: bytes) -> None:
    try:
        for packet in Reader().feed(received):
            for read in (packets.publish, packets.connack, packets.mid_and_codes):
                try:
                    read(packet)
                except Malformed:
                    pass
    except Malformed:
        pass


def test_a_publish_is_as_the_standard_writes_it() -> None:
    assert packets.publish_packet(PUBLISH) == bytes.fromhex(
        "32 14 0006 66632f312f61 0007 07 03 0004 74657874 7b7d".replace(" ", "")
    )
    (packet,) = Reader().feed(packets.publish_packet(PUBLISH))
    assert packet.kind is Kind.PUBLISH
    assert packets.publish(packet) == PUBLISH


def test_properties_are_written_as_paho_writes_them() -> None:
    theirs = Properties(PacketTypes.CONNECT)
    theirs.SessionExpiryInterval = 3600
    theirs.ReceiveMaximum = 20
    theirs.MaximumPacketSize = 100_000
    ours = {
        int(Prop.SESSION_EXPIRY): 3600,
        int(Prop.RECEIVE_MAXIMUM): 20,
        int(Prop.MAXIMUM_PACKET_SIZE): 100_000,
    }
    assert packets.properties_bytes(ours) == theirs.pack()


def test_a_remaining_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(Malformed):
        Reader().feed(b"\x30\xff\xff\xff\xff\x01")


@pytest.mark.parametrize(
    ("url", "host", "port", "is_tls"),
    [
        ("mqtt://broker", "broker", 1883, False),
        ("mqtts://[::1]", "::1", 8883, True),
        ("mqtt://u%40x:p%2Fw@10.0.0.1:1999", "10.0.0.1", 1999, False),
    ],
)
def test_a_broker_is_named_by_a_url(url: str, host: str, port: int, is_tls: bool) -> None:  # noqa: FBT001 - a table
    found = Broker.of(url)
    assert (found.host, found.port, found.is_tls) == (host, port, is_tls)
    if "@" in url:
        assert (found.username, found.password) == ("u@x", "p/w")


@pytest.mark.parametrize("url", ["broker", "http://broker", "mqtt://", "mqtt://broker:x"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(BadUrl):
        Broker.of(url)
