"""SagooIoT: Alibaba's topics with `deviceKey`; its login is the broker's own."""

from gateway.dialects.alink.profile import AlinkProfile, Auth, Session

PROFILE = AlinkProfile(
    title="SagooIoT",
    sources=(
        "domain.md S10",
        "sagoo-cloud/sagooiot-doc: docs/develop/protocol/mqtt_topic.md, mqtt_report.md",
    ),
    device_word="deviceKey",
    auth=Auth.SINK,
    session=Session.NONE,
    history=None,  # its documents name none; values carry their time
    get=None,
    events_are_text=True,  # mqtt_report.md: keys and values of an event are texts
)
